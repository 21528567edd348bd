// Results belong to the caller whatever they are: an argument, a constant, one
// value twice. Each is freed on its own.

// RUN: diffattn-compile %s --run --input=random:0 --check --time \
// RUN:   --output=%t.0.npy --output=%t.1.npy --output=%t.2.npy \
// RUN:   --output=%t.3.npy --output=%t.4.npy | FileCheck %s
// RUN: cmp %t.0.npy %t.1.npy

// CHECK: result 0: 4xf32
// CHECK: result 1: 4xf32
// CHECK: result 2: 4xf32
// CHECK: result 3: 3xi32
// CHECK: result 4: f32
// CHECK-COUNT-5: : ok
// CHECK: time: median {{.*}} ms of {{[0-9]+}} runs
// CHECK-SAME: rate unknown

func.func @results(%x: tensor<4xf32>, %s: tensor<f32>)
    -> (tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<3xi32>, tensor<f32>) {
  %constant = arith.constant dense<[1, 2, 3]> : tensor<3xi32>
  %empty = tensor.empty() : tensor<4xf32>
  %sum = linalg.add ins(%x, %x : tensor<4xf32>, tensor<4xf32>)
      outs(%empty : tensor<4xf32>) -> tensor<4xf32>
  return %sum, %sum, %x, %constant, %s
      : tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<3xi32>, tensor<f32>
}
