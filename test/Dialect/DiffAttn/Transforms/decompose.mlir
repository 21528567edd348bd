// RUN: diffattn-opt %s --pass-pipeline='builtin.module(func.func(diffattn-decompose))' -o %t
// RUN: FileCheck %s < %t
//
// The meaning is kept:
// RUN: diffattn-eval %s --entry=causal --compare=%t --input=random:1
// RUN: diffattn-eval %s --entry=plain_capped --compare=%t --input=random:1
// RUN: diffattn-eval %s --entry=empty_rows --compare=%t --input=random:1
// RUN: diffattn-eval %s --entry=dynamic --compare=%t --input=random:1 --dynamic-dim=5
// RUN: diffattn-eval %s --entry=dynamic --compare=%t --input=random:1 --dynamic-dim=3 --shape=0:3x7x8x16 --shape=3:3x7x4 --shape=4:3x7x4x24 --shape=5:3x8x7 --shape=6:3x7x4x24
//
// And the fuse pass finds the op again:
// RUN: diffattn-opt %t --pass-pipeline='builtin.module(func.func(diffattn-fuse))' -o %t.fused
// RUN: FileCheck %s --check-prefix=FUSED < %t.fused
// RUN: diffattn-eval %s --entry=causal --compare=%t.fused --input=random:1
// RUN: diffattn-eval %s --entry=plain_capped --compare=%t.fused --input=random:1
// RUN: diffattn-eval %s --entry=empty_rows --compare=%t.fused --input=random:1
// RUN: diffattn-eval %s --entry=window_dynamic --compare=%t.fused --input=random:1 --dynamic-dim=5

// Keys of a group are read in place, products and softmax are f32, and the only
// rounding is the last op.
// CHECK-LABEL: @causal
// CHECK-SAME: (%[[Q:.*]]: tensor<2x6x8x16xbf16>, %[[K:.*]]: tensor<2x9x2x16xbf16>, %[[V:.*]]: tensor<2x9x2x24xbf16>, %[[L:.*]]: tensor<2x6x4xbf16>)
// CHECK: %[[QX:.*]] = tensor.expand_shape %[[Q]] {{.*}} output_shape [2, 6, 2, 4, 16]
// CHECK: linalg.generic {{.*}} ins(%[[QX]], %[[K]] : {{.*}}) outs(%{{.*}} : tensor<2x2x4x6x9xf32>)
// CHECK: arith.extf
// CHECK: arith.extf
// CHECK: arith.mulf
// Row i sees the keys up to i + 3.
// CHECK: arith.mulf
// CHECK: %[[I:.*]] = linalg.index 3
// CHECK: %[[P:.*]] = arith.addi %[[I]], %{{.*}} : index
// CHECK: %[[J:.*]] = linalg.index 4
// CHECK: arith.cmpi sle, %[[J]],
// CHECK: arith.select
// CHECK: arith.maximumf
// CHECK: math.exp
// CHECK: arith.addf
// CHECK: linalg.generic {{.*}} ins(%{{.*}}, %[[V]] : tensor<2x2x4x6x9xf32>, tensor<2x9x2x24xbf16>)
// No row is empty: nothing is guarded.
// CHECK: arith.divf
// CHECK-NOT: arith.select
// CHECK: %[[O:.*]] = tensor.collapse_shape {{.*}} into tensor<2x6x8x24xf32>
// CHECK: %[[EVEN:.*]] = tensor.extract_slice %[[O]][0, 0, 0, 0] [2, 6, 4, 24] [1, 1, 2, 1]
// CHECK: %[[ODD:.*]] = tensor.extract_slice %[[O]][0, 0, 1, 0] [2, 6, 4, 24] [1, 1, 2, 1]
// CHECK: %[[R:.*]] = linalg.generic {{.*}} ins(%[[EVEN]], %[[ODD]], %[[L]] :
// CHECK: arith.subf
// CHECK: arith.truncf
// CHECK: return %[[R]]
// FUSED-LABEL: @causal
// FUSED-SAME: (%[[Q:.*]]: tensor<2x6x8x16xbf16>, %[[K:.*]]: tensor<2x9x2x16xbf16>, %[[V:.*]]: tensor<2x9x2x24xbf16>, %[[L:.*]]: tensor<2x6x4xbf16>)
// FUSED: %[[R:.*]] = diffattn.attention query(%[[Q]] : {{.*}}) key(%[[K]] : {{.*}}) value(%[[V]] : {{.*}}) lambda(%[[L]] : {{.*}}) outs(%{{.*}} : tensor<2x6x4x24xbf16>) mask<causal>
// FUSED-NEXT: return %[[R]]
func.func @causal(%q: tensor<2x6x8x16xbf16>, %k: tensor<2x9x2x16xbf16>,
                  %v: tensor<2x9x2x24xbf16>, %lambda: tensor<2x6x4xbf16>) -> tensor<2x6x4x24xbf16> {
  %init = tensor.empty() : tensor<2x6x4x24xbf16>
  %out = diffattn.attention query(%q : tensor<2x6x8x16xbf16>) key(%k : tensor<2x9x2x16xbf16>)
      value(%v : tensor<2x9x2x24xbf16>) lambda(%lambda : tensor<2x6x4xbf16>)
      outs(%init : tensor<2x6x4x24xbf16>) mask<causal>
  return %out : tensor<2x6x4x24xbf16>
}

// CHECK-LABEL: @plain_capped
// CHECK: math.tanh
// CHECK: arith.cmpi sge
// CHECK: arith.cmpi sle
// CHECK: arith.andi
// CHECK-NOT: tensor.extract_slice
// FUSED-LABEL: @plain_capped
// FUSED: %[[R:.*]] = diffattn.attention {{.*}} mask<window 2, 1> scale(2.500000e-01) softcap(4.000000e+00)
// FUSED-NEXT: return %[[R]]
func.func @plain_capped(%q: tensor<2x6x8x8xf32>, %k: tensor<2x6x2x8xf32>,
                        %v: tensor<2x6x2x24xf32>) -> tensor<2x6x8x24xf32> {
  %init = tensor.empty() : tensor<2x6x8x24xf32>
  %out = diffattn.attention query(%q : tensor<2x6x8x8xf32>) key(%k : tensor<2x6x2x8xf32>)
      value(%v : tensor<2x6x2x24xf32>) outs(%init : tensor<2x6x8x24xf32>)
      mask<window 2, 1> scale(0.25) softcap(4.0)
  return %out : tensor<2x6x8x24xf32>
}

// Rows before the first key are known by position.
// CHECK-LABEL: @empty_rows
// CHECK: arith.divf
// CHECK: arith.cmpi slt
// CHECK: arith.select
// CHECK: arith.subf
// CHECK: arith.cmpi slt
// CHECK: arith.select
// FUSED-LABEL: @empty_rows
// FUSED: %[[R:.*]] = diffattn.attention {{.*}} lambda({{.*}} mask<causal>
// FUSED-NEXT: return %[[R]]
func.func @empty_rows(%q: tensor<2x9x8x16xf32>, %k: tensor<2x6x4x16xf32>,
                      %v: tensor<2x6x4x16xf32>, %lambda: tensor<2x9x4xf32>) -> tensor<2x9x4x16xf32> {
  %init = tensor.empty() : tensor<2x9x4x16xf32>
  %out = diffattn.attention query(%q : tensor<2x9x8x16xf32>) key(%k : tensor<2x6x4x16xf32>)
      value(%v : tensor<2x6x4x16xf32>) lambda(%lambda : tensor<2x9x4xf32>)
      outs(%init : tensor<2x9x4x16xf32>) mask<causal>
  return %out : tensor<2x9x4x16xf32>
}

// CHECK-LABEL: @dynamic
// CHECK-DAG: %[[NQ:.*]] = tensor.dim %arg0, %c1
// CHECK-DAG: %[[NK:.*]] = tensor.dim %arg1, %c1
// CHECK: arith.subi %[[NK]], %[[NQ]]
// CHECK: math.log
// CHECK: %[[INF:.*]] = arith.constant 0x7F800000 : f32
// CHECK: arith.select %{{.*}}, %[[INF]]
func.func @dynamic(%q: tensor<?x?x8x16xf16>, %k: tensor<?x?x2x16xf16>, %v: tensor<?x?x2x24xf16>,
                   %lambda: tensor<?x?x4xf32>, %init: tensor<?x?x4x24xf16>,
                   %lse: tensor<?x8x?xf32>, %noise: tensor<?x?x4x24xf32>)
    -> (tensor<?x?x4x24xf16>, tensor<?x8x?xf32>, tensor<?x?x4x24xf32>) {
  %out:3 = diffattn.attention query(%q : tensor<?x?x8x16xf16>) key(%k : tensor<?x?x2x16xf16>)
      value(%v : tensor<?x?x2x24xf16>) lambda(%lambda : tensor<?x?x4xf32>)
      outs(%init : tensor<?x?x4x24xf16>) lse(%lse : tensor<?x8x?xf32>)
      noise(%noise : tensor<?x?x4x24xf32>) mask<causal>
  return %out#0, %out#1, %out#2 : tensor<?x?x4x24xf16>, tensor<?x8x?xf32>, tensor<?x?x4x24xf32>
}

// FUSED-LABEL: @window_dynamic
// FUSED: diffattn.attention {{.*}} lambda({{.*}} mask<window 3, 1>
func.func @window_dynamic(%q: tensor<?x?x8x16xf32>, %k: tensor<?x?x2x16xf32>, %v: tensor<?x?x2x24xf32>,
                          %lambda: tensor<?x?x4xf32>, %init: tensor<?x?x4x24xf32>) -> tensor<?x?x4x24xf32> {
  %out = diffattn.attention query(%q : tensor<?x?x8x16xf32>) key(%k : tensor<?x?x2x16xf32>)
      value(%v : tensor<?x?x2x24xf32>) lambda(%lambda : tensor<?x?x4xf32>)
      outs(%init : tensor<?x?x4x24xf32>) mask<window 3, 1>
  return %out : tensor<?x?x4x24xf32>
}
