// Running on generated and on stored arrays, with dynamic sizes.

// RUN: diffattn-compile %s --run --input=random:3 --shape=0:33x16 \
// RUN:   --shape=1:16x45 --output=%t.r0.npy --output=%t.r1.npy --check \
// RUN:   | FileCheck %s
// RUN: diffattn-compile %s --run --input=%t.r0.npy --input=random:1 \
// RUN:   --shape=1:45x7 2>&1 | FileCheck %s --check-prefix=CHAIN

// CHECK: nothing was fused: no differential attention was recognised
// CHECK: result 0: 33x45xf32
// CHECK: result 1: 33x16xf32
// CHECK: check: result 0: {{.*}}: ok
// CHECK: check: result 1: {{.*}}: ok
// CHAIN: result 0: 33x7xf32

func.func @product(%a: tensor<?x?xf32>, %b: tensor<?x?xf32>)
    -> (tensor<?x?xf32>, tensor<?x?xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %zero = arith.constant 0.0 : f32
  %m = tensor.dim %a, %c0 : tensor<?x?xf32>
  %n = tensor.dim %b, %c1 : tensor<?x?xf32>
  %empty = tensor.empty(%m, %n) : tensor<?x?xf32>
  %init = linalg.fill ins(%zero : f32) outs(%empty : tensor<?x?xf32>)
      -> tensor<?x?xf32>
  %0 = linalg.matmul ins(%a, %b : tensor<?x?xf32>, tensor<?x?xf32>)
      outs(%init : tensor<?x?xf32>) -> tensor<?x?xf32>
  return %0, %a : tensor<?x?xf32>, tensor<?x?xf32>
}
