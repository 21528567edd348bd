// Kernels in the NVVM dialect become PTX, and the chip's own features are used.

// RUN: diffattn-compile %s --compile-from=nvvm --target=sm_80 --emit=ptx --no-ptxas | FileCheck %s --check-prefixes=CHECK,SM80
// RUN: diffattn-compile %s --compile-from=nvvm --target=sm_90a --emit=ptx --no-ptxas | FileCheck %s --check-prefixes=CHECK,SM90A
// RUN: diffattn-compile %s --compile-from=nvvm --target=sm_80 --emit=llvm | FileCheck %s --check-prefix=LLVM
// Without ptxas there is still PTX.
// RUN: env PATH= CUDA_HOME= CUDA_PATH= diffattn-compile %s --compile-from=nvvm --target=sm_80 --emit=ptx | FileCheck %s --check-prefixes=CHECK,SM80
// RUN: rm -rf %t && diffattn-compile %s --compile-from=nvvm --target=sm_80 --emit=ptx --no-ptxas --dump-dir=%t -o %t.ptx
// RUN: diff %t.ptx %t/06-ptx.ptx
// RUN: ls %t | FileCheck %s --check-prefix=DUMP

// CHECK: .version 9.0
// SM80: .target sm_80
// SM90A: .target sm_90a
// Only kernels are visible, and what they call is inlined.
// CHECK-NOT: .func
// CHECK: .visible .entry scale(
// CHECK: .maxntid 128
// CHECK: mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32
// CHECK-NOT: .local

// LLVM: target triple = "nvptx64-nvidia-cuda"
// LLVM: define ptx_kernel void @scale({{.*}} #[[ATTRS:[0-9]+]]
// LLVM: attributes #[[ATTRS]] = {{.*}}"target-cpu"="sm_80" "target-features"="+ptx90"

// DUMP: 05-nvvm.mlir
// DUMP-NEXT: 06-ptx.ptx
// DUMP-NEXT: pipeline.txt

gpu.module @kernels {
  llvm.func @twice(%x: f32) -> f32 {
    %0 = llvm.fadd %x, %x : f32
    llvm.return %0 : f32
  }
  llvm.func @scale(%p: !llvm.ptr<1>, %a: vector<2xf16>, %c: f32)
      attributes {gpu.kernel, nvvm.kernel, nvvm.maxntid = array<i32: 128, 1, 1>} {
    %d = nvvm.mma.sync A[%a, %a, %a, %a] B[%a, %a] C[%c, %c, %c, %c]
        {layoutA = #nvvm.mma_layout<row>, layoutB = #nvvm.mma_layout<col>,
         shape = #nvvm.shape<m = 16, n = 8, k = 16>}
        : (vector<2xf16>, vector<2xf16>, f32) -> !llvm.struct<(f32, f32, f32, f32)>
    %0 = llvm.extractvalue %d[0] : !llvm.struct<(f32, f32, f32, f32)>
    %1 = llvm.call @twice(%0) : (f32) -> f32
    llvm.store %1, %p : f32, !llvm.ptr<1>
    llvm.return
  }
}
