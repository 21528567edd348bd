// What PTX of an attention kernel has to hold, and what not.

// RUN: split-file %s %t
// RUN: diffattn-compile %t/d64.mlir --target=sm_80 --emit=ptx --no-ptxas -o %t/d64.ptx
// RUN: FileCheck %s --input-file=%t/d64.ptx
// RUN: FileCheck %s --input-file=%t/d64.ptx --check-prefixes=NOT,BF16
// RUN: diffattn-compile %t/d128.mlir --target=sm_80 --emit=ptx --no-ptxas -o %t/d128.ptx
// RUN: FileCheck %s --input-file=%t/d128.ptx
// RUN: FileCheck %s --input-file=%t/d128.ptx --check-prefixes=NOT,F16

// In this order: the copy of the keys is under way before queries are waited
// for; scores; rows, exchanged within four lanes only; the output from values
// that are transposed on their way into registers.
// CHECK:     .target sm_80
// CHECK:     .extern .shared .align 1024 .b8 [[SHARED:.*]][];
// CHECK:     .visible .entry layer(
// CHECK:     .maxntid
// CHECK:     cp.async.cg.shared.global
// CHECK:     cp.async.commit_group
// CHECK:     cp.async.commit_group
// CHECK:     cp.async.wait_group {{[13]}};
// CHECK:     bar.sync 0
// CHECK:     ldmatrix.sync.aligned.m8n8.x4.shared.b16
// CHECK:     mma.sync.aligned.m16n8k16.row.col.f32.
// CHECK:     shfl.sync.bfly.b32
// CHECK:     ex2.approx.ftz.f32
// CHECK:     ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16
// CHECK:     mma.sync.aligned.m16n8k16.row.col.f32.
// CHECK:     st.global

// No stack, no library, no double precision, and nothing of a later generation.
// NOT-NOT:   .local
// NOT-NOT:   {{^[[:space:]]*call}}
// NOT-NOT:   .func
// NOT-NOT:   .extern .func
// NOT-NOT:   .f64
// NOT-NOT:   mbarrier
// NOT-NOT:   wgmma

// BF16:      mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32
// BF16:      cvt.rn.bf16x2.f32
// F16:       mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32
// F16:       cvt.rn.f16x2.f32

//--- d64.mlir
func.func @layer(%q: tensor<?x?x32x64xbf16>, %k: tensor<?x?x8x64xbf16>,
                 %v: tensor<?x?x8x64xbf16>, %l: tensor<?x?x16xbf16>,
                 %o: tensor<?x?x16x64xbf16>) -> tensor<?x?x16x64xbf16> {
  %0 = diffattn.attention query(%q : tensor<?x?x32x64xbf16>)
      key(%k : tensor<?x?x8x64xbf16>) value(%v : tensor<?x?x8x64xbf16>)
      lambda(%l : tensor<?x?x16xbf16>) outs(%o : tensor<?x?x16x64xbf16>)
      mask<causal>
  return %0 : tensor<?x?x16x64xbf16>
}
//--- d128.mlir
func.func @layer(%q: tensor<?x?x32x128xf16>, %k: tensor<?x?x8x128xf16>,
                 %v: tensor<?x?x8x128xf16>, %l: tensor<?x?x16xf16>,
                 %o: tensor<?x?x16x128xf16>) -> tensor<?x?x16x128xf16> {
  %0 = diffattn.attention query(%q : tensor<?x?x32x128xf16>)
      key(%k : tensor<?x?x8x128xf16>) value(%v : tensor<?x?x8x128xf16>)
      lambda(%l : tensor<?x?x16xf16>) outs(%o : tensor<?x?x16x128xf16>)
  return %0 : tensor<?x?x16x128xf16>
}
