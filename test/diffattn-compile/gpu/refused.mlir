// What a GPU target refuses: one sentence, status 1.

// RUN: split-file %s %t
// RUN: not diffattn-compile %t/f32.mlir --target=sm_80 --emit=ptx -o %t/o 2>&1 | FileCheck %s --check-prefix=F32
// RUN: not diffattn-compile %t/projection.mlir --target=sm_80 --emit=ptx -o %t/o 2>&1 | FileCheck %s --check-prefix=PROJECTION
// RUN: not diffattn-compile %t/two.mlir --target=sm_80 --emit=ptx -o %t/o 2>&1 | FileCheck %s --check-prefix=TWO
// RUN: not diffattn-compile %t/none.mlir --target=sm_80 --emit=ptx -o %t/o 2>&1 | FileCheck %s --check-prefix=NONE
// RUN: not diffattn-compile %t/f32.mlir --target=sm_75 --emit=ptx -o %t/o 2>&1 | FileCheck %s --check-prefix=CHIP
// RUN: not diffattn-compile %t/d72.mlir --target=sm_80 --emit=ptx -o %t/o 2>&1 | FileCheck %s --check-prefix=DIM
// RUN: not ls %t/o

// F32: error: 'diffattn.attention' op expects a query of bf16 or f16 on GPU target 'sm_80', but got 'f32'; convert it, or compile for a CPU target
// F32-NOT: error:
// PROJECTION: error: a GPU kernel computes attention only, but function 'layer' contains {{.*}}; compile it for a CPU target, or move it out of the function
// PROJECTION-NOT: error:
// TWO: error: a GPU kernel computes one attention, but this is the second of function 'layer'; split the function
// TWO-NOT: error:
// NONE: error: expects attention to compile for a GPU, but function 'layer' has none
// NONE-NOT: error:
// CHIP: error: unknown target 'sm_75', expected one of {{.*}}sm_80, sm_86, sm_89, sm_90, sm_90a, sm_120
// CHIP-NOT: error:
// DIM: error: 'diffattn.attention' op expects a head dimension of 64, 96, 128, 192 or 256 on GPU target 'sm_80', but got 72; the nearest legal one is 96
// DIM-NOT: error:

//--- f32.mlir
func.func @layer(%q: tensor<1x?x2x64xf32>, %k: tensor<1x?x1x64xf32>,
                 %l: tensor<1x?x1xf32>, %o: tensor<1x?x1x64xf32>) -> tensor<1x?x1x64xf32> {
  %0 = diffattn.attention query(%q : tensor<1x?x2x64xf32>)
      key(%k : tensor<1x?x1x64xf32>) value(%k : tensor<1x?x1x64xf32>)
      lambda(%l : tensor<1x?x1xf32>) outs(%o : tensor<1x?x1x64xf32>)
  return %0 : tensor<1x?x1x64xf32>
}
//--- projection.mlir
!t = tensor<1x?x1x64xf16>
func.func @layer(%q: tensor<1x?x2x64xf16>, %k: !t, %l: tensor<1x?x1xf16>, %o: !t) -> !t {
  %keys = linalg.add ins(%k, %k : !t, !t) outs(%o : !t) -> !t
  %0 = diffattn.attention query(%q : tensor<1x?x2x64xf16>) key(%keys : !t) value(%k : !t)
      lambda(%l : tensor<1x?x1xf16>) outs(%o : !t)
  return %0 : !t
}
//--- two.mlir
!t = tensor<1x?x1x64xf16>
func.func @layer(%q: tensor<1x?x2x64xf16>, %k: !t, %l: tensor<1x?x1xf16>, %o: !t, %p: !t) -> (!t, !t) {
  %0 = diffattn.attention query(%q : tensor<1x?x2x64xf16>) key(%k : !t) value(%k : !t)
      lambda(%l : tensor<1x?x1xf16>) outs(%o : !t)
  %1 = diffattn.attention query(%q : tensor<1x?x2x64xf16>) key(%k : !t) value(%k : !t)
      lambda(%l : tensor<1x?x1xf16>) outs(%p : !t) mask<causal>
  return %0, %1 : !t, !t
}
//--- none.mlir
func.func @layer(%x: tensor<4xf16>) -> tensor<4xf16> {
  return %x : tensor<4xf16>
}
//--- d72.mlir
func.func @layer(%q: tensor<1x?x2x72xf16>, %k: tensor<1x?x1x72xf16>,
                 %l: tensor<1x?x1xf16>, %o: tensor<1x?x1x72xf16>) -> tensor<1x?x1x72xf16> {
  %0 = diffattn.attention query(%q : tensor<1x?x2x72xf16>)
      key(%k : tensor<1x?x1x72xf16>) value(%k : tensor<1x?x1x72xf16>)
      lambda(%l : tensor<1x?x1xf16>) outs(%o : tensor<1x?x1x72xf16>)
  return %0 : tensor<1x?x1x72xf16>
}
