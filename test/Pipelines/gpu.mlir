// The stages of a GPU, one at a time and as one pipeline.

// RUN: diffattn-opt %s --diffattn-gpu-to-fused=target=sm_80 --diffattn-gpu-to-tiled=target=sm_80 -o %t.tiled
// RUN: FileCheck %s --check-prefix=TILED --input-file=%t.tiled
// RUN: diffattn-opt %t.tiled --diffattn-gpu-to-linalg=target=sm_80 --diffattn-gpu-to-tile=target=sm_80 -o %t.tile
// RUN: FileCheck %s --check-prefix=TILE --input-file=%t.tile
// RUN: diffattn-opt %t.tile --diffattn-gpu-to-nvvm=target=sm_80 -o %t.nvvm
// RUN: FileCheck %s --check-prefix=NVVM --input-file=%t.nvvm
// RUN: diffattn-opt %s --diffattn-gpu-pipeline=target=sm_80 | diff %t.nvvm -

// A schedule given as options reaches the kernel.
// RUN: diffattn-opt %s --diffattn-gpu-to-fused=target=sm_80 "--diffattn-gpu-to-tiled=target=sm_80 query-tile=16 key-tile=32 warps=2 stages=2" --diffattn-gpu-to-linalg=target=sm_80 --diffattn-gpu-to-tile=target=sm_80 | FileCheck %s --check-prefix=SCHEDULE

// TILED: scf.forall
// TILED: diffattn.online_attention

// What is left in a kernel: layouts on all tensors, buffers placed, the keys'
// loop twice, without masks and with.
// TILE-NOT:  func.func
// TILE:      gpu.func @layer(
// TILE-SAME: diffattn_tile.grid = [{constant = 2 : i64}, {argument = 0 : i64, dim = 1 : i64, tile = 64 : i64}]
// TILE-SAME: diffattn_tile.shared_bytes = 32768 : i64
// TILE-SAME: diffattn_tile.warps = 4 : i64
// TILE-NOT:  linalg.
// TILE:      scf.for
// TILE-NOT:  diffattn_tile.mask
// TILE:      scf.for
// TILE:      diffattn_tile.mask
// TILE-NOT:  scf.for
// TILE-NOT:  convert_layout
// TILE:      diffattn_tile.select %{{.*}} at 0 of 1
// TILE:      diffattn_tile.select %{{.*}} at 1 of 1
// TILE:      diffattn_tile.store

// SCHEDULE:  gpu.func @layer(
// SCHEDULE-SAME: diffattn_tile.stages = 2 : i64
// SCHEDULE-SAME: diffattn_tile.warps = 2 : i64
// SCHEDULE:  diffattn_tile.alloc {{.*}}<2 x [32x64xbf16]

// NVVM:      gpu.module @kernels {
// NVVM:      llvm.func @layer(
// NVVM-SAME: gpu.kernel
// NVVM-SAME: nvvm.maxntid = array<i32: 128, 1, 1>
// NVVM-NOT:  {{(diffattn_tile|scf|arith|memref|affine)\.[a-z_]+ %}}
// NVVM-NOT:  unrealized_conversion_cast

func.func @layer(%q: tensor<1x?x4x64xbf16>, %k: tensor<1x?x1x64xbf16>,
                 %v: tensor<1x?x1x64xbf16>, %l: tensor<1x?x2xbf16>,
                 %o: tensor<1x?x2x64xbf16>) -> tensor<1x?x2x64xbf16> {
  %0 = diffattn.attention query(%q : tensor<1x?x4x64xbf16>)
      key(%k : tensor<1x?x1x64xbf16>) value(%v : tensor<1x?x1x64xbf16>)
      lambda(%l : tensor<1x?x2xbf16>) outs(%o : tensor<1x?x2x64xbf16>)
      mask<causal>
  return %0 : tensor<1x?x2x64xbf16>
}
