// --time relates the work of attention to the machine's peak; sizes come from
// the run-time arguments, masked scores do not count.

// RUN: diffattn-compile %s --run --input=random:0 --dynamic-dim=64 --time \
// RUN:   | FileCheck %s

// CHECK: nothing to fuse: the input has 1 differential attention (window 15, 0, 4 heads / 1 kv heads, d=16, dv=8)
// CHECK: result 0: 1x64x2x8xf32
// CHECK: time: median {{[0-9.]+}} ms of {{[0-9]+}} runs (fastest {{[0-9.]+}}, slowest {{[0-9.]+}}), {{[0-9.]+}} GFLOP/s
// CHECK: peak: {{[0-9.]+}} GFLOP/s f32 multiply-add and {{[0-9.]+}} G exp/s measured on {{[0-9]+}} threads; products run at {{[0-9]+}}% of peak, products and exponentials at {{[0-9]+}}%

func.func @layer(%q: tensor<1x?x4x16xf32>, %k: tensor<1x?x1x16xf32>,
                 %v: tensor<1x?x1x8xf32>, %l: tensor<1x?x2xf32>)
    -> tensor<1x?x2x8xf32> {
  %c1 = arith.constant 1 : index
  %n = tensor.dim %q, %c1 : tensor<1x?x4x16xf32>
  %init = tensor.empty(%n) : tensor<1x?x2x8xf32>
  %0 = diffattn.attention query(%q : tensor<1x?x4x16xf32>)
      key(%k : tensor<1x?x1x16xf32>) value(%v : tensor<1x?x1x8xf32>)
      lambda(%l : tensor<1x?x2xf32>) outs(%init : tensor<1x?x2x8xf32>)
      mask<window 15, 0>
  return %0 : tensor<1x?x2x8xf32>
}
