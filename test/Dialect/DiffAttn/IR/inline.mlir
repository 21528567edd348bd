// A callee that holds the operator inlines like any pure function.
// RUN: diffattn-opt %s --inline | FileCheck %s

func.func private @core(%q: tensor<1x8x4x16xf32>, %kv: tensor<1x8x2x16xf32>,
                        %lambda: tensor<1x8x2xf32>, %init: tensor<1x8x2x16xf32>)
    -> tensor<1x8x2x16xf32> {
  %out = diffattn.attention query(%q : tensor<1x8x4x16xf32>) key(%kv : tensor<1x8x2x16xf32>)
      value(%kv : tensor<1x8x2x16xf32>) lambda(%lambda : tensor<1x8x2xf32>)
      outs(%init : tensor<1x8x2x16xf32>)
  return %out : tensor<1x8x2x16xf32>
}

// CHECK-LABEL: func.func @caller
// CHECK-NOT: call
// CHECK: diffattn.attention
func.func @caller(%q: tensor<1x8x4x16xf32>, %kv: tensor<1x8x2x16xf32>,
                  %lambda: tensor<1x8x2xf32>, %init: tensor<1x8x2x16xf32>)
    -> tensor<1x8x2x16xf32> {
  %out = call @core(%q, %kv, %lambda, %init)
      : (tensor<1x8x4x16xf32>, tensor<1x8x2x16xf32>, tensor<1x8x2xf32>, tensor<1x8x2x16xf32>)
      -> tensor<1x8x2x16xf32>
  return %out : tensor<1x8x2x16xf32>
}
