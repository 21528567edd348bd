// An argument that is not read again is still the caller's: the program may not
// compute in it.

// RUN: diffattn-compile %s --compile-to=memref --entry=overwrite | FileCheck %s
// RUN: diffattn-compile %s --entry=overwrite --run --input=random:0 --check

// CHECK-LABEL: func.func @overwrite
// CHECK: memref.alloc
func.func @overwrite(%x: tensor<4xf32>, %y: tensor<2xf32>) -> tensor<4xf32> {
  %0 = tensor.insert_slice %y into %x[1] [2] [1] : tensor<2xf32> into tensor<4xf32>
  return %0 : tensor<4xf32>
}
