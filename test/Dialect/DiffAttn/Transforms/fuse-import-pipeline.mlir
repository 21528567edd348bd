// RUN: diffattn-opt %s --diffattn-import-pipeline -o %t
// RUN: FileCheck %s < %t
// RUN: diffattn-opt %t --diffattn-import-pipeline | diff %t -
// RUN: diffattn-opt %s --diffattn-import-pipeline --remarks-filter=diffattn-fuse -o /dev/null 2>&1 | FileCheck %s --check-prefix=REMARK
// RUN: diffattn-eval %s --entry=calls --compare=%t --input=random:1
// RUN: diffattn-eval %s --entry=bystanders --compare=%t --input=random:1

#id = affine_map<(b, n, h, d) -> (b, n, h, d)>
#pair = affine_map<(b, n, h, d) -> (b, n, h)>
#id3 = affine_map<(b, n, h) -> (b, n, h)>

// REMARK: remark: [Passed] PairFused | Category:diffattn-fuse

// Producers outline parts of the computation; calls are inlined first.
// CHECK-LABEL: @calls
// CHECK-SAME: (%[[Q:.*]]: tensor<2x6x8x8xf32>, %[[K:.*]]: tensor<2x6x2x8xf32>, %[[V:.*]]: tensor<2x6x2x8xf32>, %[[L:.*]]: tensor<2x6x4xf32>)
// CHECK: %[[R:.*]] = diffattn.attention query(%[[Q]] : {{.*}}) key(%[[K]] : {{.*}}) value(%[[V]] : {{.*}}) lambda(%[[L]] : {{.*}})
// CHECK-NEXT: return %[[R]]
// CHECK-NOT: func.func private
func.func @calls(%q: tensor<2x6x8x8xf32>, %k: tensor<2x6x2x8xf32>, %v: tensor<2x6x2x8xf32>,
                 %lambda: tensor<2x6x4xf32>) -> tensor<2x6x4x8xf32> {
  %init = tensor.empty() : tensor<2x6x8x8xf32>
  %o = diffattn.attention query(%q : tensor<2x6x8x8xf32>) key(%k : tensor<2x6x2x8xf32>)
      value(%v : tensor<2x6x2x8xf32>) outs(%init : tensor<2x6x8x8xf32>)
  %even = tensor.extract_slice %o[0, 0, 0, 0] [2, 6, 4, 8] [1, 1, 2, 1] : tensor<2x6x8x8xf32> to tensor<2x6x4x8xf32>
  %odd = tensor.extract_slice %o[0, 0, 1, 0] [2, 6, 4, 8] [1, 1, 2, 1] : tensor<2x6x8x8xf32> to tensor<2x6x4x8xf32>
  %gate = call @sigmoid(%lambda) : (tensor<2x6x4xf32>) -> tensor<2x6x4xf32>
  %e4 = tensor.empty() : tensor<2x6x4x8xf32>
  %r = linalg.generic {indexing_maps = [#id, #id, #pair, #id], iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%even, %odd, %gate : tensor<2x6x4x8xf32>, tensor<2x6x4x8xf32>, tensor<2x6x4xf32>) outs(%e4 : tensor<2x6x4x8xf32>) {
  ^bb0(%x: f32, %y: f32, %g: f32, %out: f32):
    %m = arith.mulf %g, %y : f32
    %d = arith.subf %x, %m : f32
    linalg.yield %d : f32
  } -> tensor<2x6x4x8xf32>
  return %r : tensor<2x6x4x8xf32>
}

func.func private @sigmoid(%lambda: tensor<2x6x4xf32>) -> tensor<2x6x4xf32> {
  %e3 = tensor.empty() : tensor<2x6x4xf32>
  %gate = linalg.generic {indexing_maps = [#id3, #id3], iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%lambda : tensor<2x6x4xf32>) outs(%e3 : tensor<2x6x4xf32>) {
  ^bb0(%x: f32, %y: f32):
    %one = arith.constant 1.0 : f32
    %neg = arith.negf %x : f32
    %exp = math.exp %neg : f32
    %sum = arith.addf %exp, %one : f32
    %res = arith.divf %one, %sum : f32
    linalg.yield %res : f32
  } -> tensor<2x6x4xf32>
  return %gate : tensor<2x6x4xf32>
}

// What is no attention keeps its form, named ops included, and so does a fused op.
// CHECK-LABEL: @bystanders
// CHECK: linalg.matmul
// CHECK: linalg.softmax
// CHECK: diffattn.attention {{.*}} lambda(
// CHECK: linalg.add
func.func @bystanders(%a: tensor<8x8xf32>, %b: tensor<8x8xf32>, %q: tensor<2x6x8x8xf32>, %k: tensor<2x6x2x8xf32>,
                      %v: tensor<2x6x2x8xf32>, %lambda: tensor<2x6x4xf32>, %residual: tensor<2x6x4x8xf32>)
    -> (tensor<8x8xf32>, tensor<2x6x4x8xf32>) {
  %zero = arith.constant 0.0 : f32
  %e2 = tensor.empty() : tensor<8x8xf32>
  %z = linalg.fill ins(%zero : f32) outs(%e2 : tensor<8x8xf32>) -> tensor<8x8xf32>
  %c = linalg.matmul ins(%a, %b : tensor<8x8xf32>, tensor<8x8xf32>) outs(%z : tensor<8x8xf32>) -> tensor<8x8xf32>
  %p = linalg.softmax dimension(1) ins(%c : tensor<8x8xf32>) outs(%e2 : tensor<8x8xf32>) -> tensor<8x8xf32>
  %init = tensor.empty() : tensor<2x6x4x8xf32>
  %o = diffattn.attention query(%q : tensor<2x6x8x8xf32>) key(%k : tensor<2x6x2x8xf32>)
      value(%v : tensor<2x6x2x8xf32>) lambda(%lambda : tensor<2x6x4xf32>) outs(%init : tensor<2x6x4x8xf32>)
  %r = linalg.add ins(%o, %residual : tensor<2x6x4x8xf32>, tensor<2x6x4x8xf32>) outs(%init : tensor<2x6x4x8xf32>) -> tensor<2x6x4x8xf32>
  return %p, %r : tensor<8x8xf32>, tensor<2x6x4x8xf32>
}
