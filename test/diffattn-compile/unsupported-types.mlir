// What cannot be called from outside is said on the function.

// RUN: split-file %s %t
// RUN: not diffattn-compile %t/scalar.mlir --run --input=random:0 2>&1 \
// RUN:   | FileCheck %s --check-prefix=SCALAR
// RUN: not diffattn-compile %t/unranked.mlir --manifest=%t/m.json 2>&1 \
// RUN:   | FileCheck %s --check-prefix=UNRANKED
// RUN: not diffattn-compile %t/complex.mlir --header=%t/x.h 2>&1 \
// RUN:   | FileCheck %s --check-prefix=COMPLEX
// RUN: not ls %t/m.json %t/x.h

// Nobody asks how the function is called: it compiles.
// RUN: diffattn-compile %t/scalar.mlir --emit=llvm -o %t/scalar.ll

// SCALAR: scalar.mlir:1:1: error: entry 'scalar' has argument 1 of type 'f32', but a function called from outside takes and returns ranked tensors of f16, bf16, f32, f64, i1, i8, i16, i32, i64 or index
// UNRANKED: error: entry 'unranked' has argument 0 of type 'tensor<*xf32>'
// COMPLEX: error: entry 'complex' has result 0 of type 'tensor<2xcomplex<f32>>'

//--- scalar.mlir
func.func @scalar(%x: tensor<4xf32>, %y: f32) -> tensor<4xf32> {
  return %x : tensor<4xf32>
}

//--- unranked.mlir
func.func @unranked(%x: tensor<*xf32>) {
  return
}

//--- complex.mlir
func.func @complex() -> tensor<2xcomplex<f32>> {
  %0 = tensor.empty() : tensor<2xcomplex<f32>>
  return %0 : tensor<2xcomplex<f32>>
}
