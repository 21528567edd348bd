// RUN: diffattn-opt %s --pass-pipeline='builtin.module(func.func(diffattn-fuse))' -o %t
// RUN: FileCheck %s < %t
// RUN: diffattn-opt %t --pass-pipeline='builtin.module(func.func(diffattn-fuse))' | diff %t -
//
// The meaning is kept:
// RUN: diffattn-eval %s --entry=slices --compare=%t --input=random:1
// RUN: diffattn-eval %s --entry=unit_slices --compare=%t --input=random:1
// RUN: diffattn-eval %s --entry=one_body --compare=%t --input=random:1
// RUN: diffattn-eval %s --entry=elementwise_on_tensors --compare=%t --input=random:1
// RUN: diffattn-eval %s --entry=named_ops --compare=%t --input=random:1
// RUN: diffattn-eval %s --entry=casts --compare=%t --input=random:1
// RUN: diffattn-eval %s --entry=quotient_gate --compare=%t --input=random:1
// RUN: diffattn-eval %s --entry=tanh_gate --compare=%t --input=random:1
// RUN: diffattn-eval %s --entry=exp_gate --compare=%t --input=random:1
// RUN: diffattn-eval %s --entry=negated_sum --compare=%t --input=random:1
// RUN: diffattn-eval %s --entry=used_in_body --compare=%t --input=random:1
// RUN: diffattn-eval %s --entry=log_sum_exp --compare=%t --input=random:1
// RUN: diffattn-eval %s --entry=two_ops --compare=%t --input=random:1
// RUN: diffattn-eval %s --entry=two_queries --compare=%t --input=random:1
// RUN: diffattn-eval %s --entry=heads_before_tokens --compare=%t --input=random:1
// RUN: diffattn-eval %s --entry=flattened --compare=%t --input=random:1
// RUN: diffattn-eval %s --entry=strided_lambda --compare=%t --input=random:1
// RUN: diffattn-eval %s --entry=dynamic --compare=%t --input=random:1 --dynamic-dim=5

// Forms of the de-interleave, the sigmoid and the subtraction over a plain
// diffattn.attention. Each becomes one op; a second run changes nothing.

#id = affine_map<(b, n, h, d) -> (b, n, h, d)>
#pair = affine_map<(b, n, h, d) -> (b, n, h)>
#unit = affine_map<(b, n, h, d) -> (b, n, h, 0)>
#id3 = affine_map<(b, n, h) -> (b, n, h)>

// CHECK-LABEL: @slices
// CHECK-SAME: (%[[Q:.*]]: tensor<2x6x8x8xf32>, %[[K:.*]]: tensor<2x6x2x8xf32>, %[[V:.*]]: tensor<2x6x2x8xf32>, %[[L:.*]]: tensor<2x6x4xf32>)
// CHECK: %[[R:.*]] = diffattn.attention query(%[[Q]] : {{.*}}) key(%[[K]] : {{.*}}) value(%[[V]] : {{.*}}) lambda(%[[L]] : {{.*}}) outs(%{{.*}} : tensor<2x6x4x8xf32>) mask<causal>
// CHECK-NOT: linalg.generic
// CHECK: return %[[R]]
func.func @slices(%q: tensor<2x6x8x8xf32>, %k: tensor<2x6x2x8xf32>, %v: tensor<2x6x2x8xf32>, %lambda: tensor<2x6x4xf32>) -> tensor<2x6x4x8xf32> {
  %init = tensor.empty() : tensor<2x6x8x8xf32>
  %o = diffattn.attention query(%q : tensor<2x6x8x8xf32>) key(%k : tensor<2x6x2x8xf32>)
      value(%v : tensor<2x6x2x8xf32>) outs(%init : tensor<2x6x8x8xf32>) mask<causal>
  %even = tensor.extract_slice %o[0, 0, 0, 0] [2, 6, 4, 8] [1, 1, 2, 1] : tensor<2x6x8x8xf32> to tensor<2x6x4x8xf32>
  %odd = tensor.extract_slice %o[0, 0, 1, 0] [2, 6, 4, 8] [1, 1, 2, 1] : tensor<2x6x8x8xf32> to tensor<2x6x4x8xf32>
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

// One slice keeps the unit dimension and drops it later, one is rank-reduced.
// CHECK-LABEL: @unit_slices
// CHECK-SAME: (%[[Q:.*]]: tensor<2x6x8x8xf32>, %[[K:.*]]: tensor<2x6x2x8xf32>, %[[V:.*]]: tensor<2x6x2x8xf32>, %[[L:.*]]: tensor<2x6x4xf32>)
// CHECK: %[[R:.*]] = diffattn.attention query(%[[Q]] : {{.*}}) key(%[[K]] : {{.*}}) value(%[[V]] : {{.*}}) lambda(%[[L]] : {{.*}}) outs(%{{.*}} : tensor<2x6x4x8xf32>)
// CHECK-NOT: linalg.generic
// CHECK: return %[[R]]
func.func @unit_slices(%q: tensor<2x6x8x8xf32>, %k: tensor<2x6x2x8xf32>, %v: tensor<2x6x2x8xf32>, %lambda: tensor<2x6x4xf32>) -> tensor<2x6x4x8xf32> {
  %init = tensor.empty() : tensor<2x6x8x8xf32>
  %o = diffattn.attention query(%q : tensor<2x6x8x8xf32>) key(%k : tensor<2x6x2x8xf32>)
      value(%v : tensor<2x6x2x8xf32>) outs(%init : tensor<2x6x8x8xf32>)
  %split = tensor.expand_shape %o [[0], [1], [2, 3], [4]] output_shape [2, 6, 4, 2, 8] : tensor<2x6x8x8xf32> into tensor<2x6x4x2x8xf32>
  %even1 = tensor.extract_slice %split[0, 0, 0, 0, 0] [2, 6, 4, 1, 8] [1, 1, 1, 1, 1] : tensor<2x6x4x2x8xf32> to tensor<2x6x4x1x8xf32>
  %even = tensor.collapse_shape %even1 [[0], [1], [2, 3], [4]] : tensor<2x6x4x1x8xf32> into tensor<2x6x4x8xf32>
  %odd = tensor.extract_slice %split[0, 0, 0, 1, 0] [2, 6, 4, 1, 8] [1, 1, 1, 1, 1] : tensor<2x6x4x2x8xf32> to tensor<2x6x4x8xf32>
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

// CHECK-LABEL: @one_body
// CHECK-SAME: (%[[Q:.*]]: tensor<2x6x8x8xf32>, %[[K:.*]]: tensor<2x6x2x8xf32>, %[[V:.*]]: tensor<2x6x2x8xf32>, %[[L:.*]]: tensor<2x6x4xf32>)
// CHECK: %[[R:.*]] = diffattn.attention query(%[[Q]] : {{.*}}) key(%[[K]] : {{.*}}) value(%[[V]] : {{.*}}) lambda(%[[L]] : {{.*}}) outs(%{{.*}} : tensor<2x6x4x8xf32>)
// CHECK-NOT: linalg.generic
// CHECK: return %[[R]]
func.func @one_body(%q: tensor<2x6x8x8xf32>, %k: tensor<2x6x2x8xf32>, %v: tensor<2x6x2x8xf32>, %lambda: tensor<2x6x4xf32>) -> tensor<2x6x4x8xf32> {
  %init = tensor.empty() : tensor<2x6x8x8xf32>
  %o = diffattn.attention query(%q : tensor<2x6x8x8xf32>) key(%k : tensor<2x6x2x8xf32>)
      value(%v : tensor<2x6x2x8xf32>) outs(%init : tensor<2x6x8x8xf32>)
  %even = tensor.extract_slice %o[0, 0, 0, 0] [2, 6, 4, 8] [1, 1, 2, 1] : tensor<2x6x8x8xf32> to tensor<2x6x4x8xf32>
  %odd = tensor.extract_slice %o[0, 0, 1, 0] [2, 6, 4, 8] [1, 1, 2, 1] : tensor<2x6x8x8xf32> to tensor<2x6x4x8xf32>
  %e4 = tensor.empty() : tensor<2x6x4x8xf32>
  %r = linalg.generic {indexing_maps = [#id, #id, #pair, #id], iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%even, %odd, %lambda : tensor<2x6x4x8xf32>, tensor<2x6x4x8xf32>, tensor<2x6x4xf32>) outs(%e4 : tensor<2x6x4x8xf32>) {
  ^bb0(%x: f32, %y: f32, %g: f32, %out: f32):
    %one = arith.constant 1.0 : f32
    %neg = arith.negf %g : f32
    %exp = math.exp %neg : f32
    %sum = arith.addf %one, %exp : f32
    %s = arith.divf %one, %sum : f32
    %m = arith.mulf %y, %s : f32
    %d = arith.subf %x, %m : f32
    linalg.yield %d : f32
  } -> tensor<2x6x4x8xf32>
  return %r : tensor<2x6x4x8xf32>
}

// CHECK-LABEL: @elementwise_on_tensors
// CHECK-SAME: (%[[Q:.*]]: tensor<2x6x8x8xf32>, %[[K:.*]]: tensor<2x6x2x8xf32>, %[[V:.*]]: tensor<2x6x2x8xf32>, %[[L:.*]]: tensor<2x6x4xf32>)
// CHECK: %[[R:.*]] = diffattn.attention query(%[[Q]] : {{.*}}) key(%[[K]] : {{.*}}) value(%[[V]] : {{.*}}) lambda(%[[L]] : {{.*}}) outs(%{{.*}} : tensor<2x6x4x8xf32>)
// CHECK-NOT: linalg.generic
// CHECK: return %[[R]]
func.func @elementwise_on_tensors(%q: tensor<2x6x8x8xf32>, %k: tensor<2x6x2x8xf32>, %v: tensor<2x6x2x8xf32>, %lambda: tensor<2x6x4xf32>) -> tensor<2x6x4x8xf32> {
  %init = tensor.empty() : tensor<2x6x8x8xf32>
  %o = diffattn.attention query(%q : tensor<2x6x8x8xf32>) key(%k : tensor<2x6x2x8xf32>)
      value(%v : tensor<2x6x2x8xf32>) outs(%init : tensor<2x6x8x8xf32>)
  %even = tensor.extract_slice %o[0, 0, 0, 0] [2, 6, 4, 8] [1, 1, 2, 1] : tensor<2x6x8x8xf32> to tensor<2x6x4x8xf32>
  %odd = tensor.extract_slice %o[0, 0, 1, 0] [2, 6, 4, 8] [1, 1, 2, 1] : tensor<2x6x8x8xf32> to tensor<2x6x4x8xf32>
  %one = arith.constant dense<1.0> : tensor<2x6x4xf32>
  %neg = arith.negf %lambda : tensor<2x6x4xf32>
  %exp = math.exp %neg : tensor<2x6x4xf32>
  %sum = arith.addf %one, %exp : tensor<2x6x4xf32>
  %s = arith.divf %one, %sum : tensor<2x6x4xf32>
  %e4 = tensor.empty() : tensor<2x6x4x8xf32>
  %wide = linalg.broadcast ins(%s : tensor<2x6x4xf32>) outs(%e4 : tensor<2x6x4x8xf32>) dimensions = [3]
  %m = arith.mulf %wide, %odd : tensor<2x6x4x8xf32>
  %r = arith.subf %even, %m : tensor<2x6x4x8xf32>
  return %r : tensor<2x6x4x8xf32>
}

// CHECK-LABEL: @named_ops
// CHECK-SAME: (%[[Q:.*]]: tensor<2x6x8x8xf32>, %[[K:.*]]: tensor<2x6x2x8xf32>, %[[V:.*]]: tensor<2x6x2x8xf32>, %[[L:.*]]: tensor<2x6x4xf32>)
// CHECK: %[[R:.*]] = diffattn.attention query(%[[Q]] : {{.*}}) key(%[[K]] : {{.*}}) value(%[[V]] : {{.*}}) lambda(%[[L]] : {{.*}}) outs(%{{.*}} : tensor<2x6x4x8xf32>)
// CHECK-NOT: linalg.generic
// CHECK: return %[[R]]
func.func @named_ops(%q: tensor<2x6x8x8xf32>, %k: tensor<2x6x2x8xf32>, %v: tensor<2x6x2x8xf32>, %lambda: tensor<2x6x4xf32>) -> tensor<2x6x4x8xf32> {
  %init = tensor.empty() : tensor<2x6x8x8xf32>
  %o = diffattn.attention query(%q : tensor<2x6x8x8xf32>) key(%k : tensor<2x6x2x8xf32>)
      value(%v : tensor<2x6x2x8xf32>) outs(%init : tensor<2x6x8x8xf32>)
  %even = tensor.extract_slice %o[0, 0, 0, 0] [2, 6, 4, 8] [1, 1, 2, 1] : tensor<2x6x8x8xf32> to tensor<2x6x4x8xf32>
  %odd = tensor.extract_slice %o[0, 0, 1, 0] [2, 6, 4, 8] [1, 1, 2, 1] : tensor<2x6x8x8xf32> to tensor<2x6x4x8xf32>
  %one = arith.constant dense<1.0> : tensor<2x6x4xf32>
  %e3 = tensor.empty() : tensor<2x6x4xf32>
  %neg = linalg.negf ins(%lambda : tensor<2x6x4xf32>) outs(%e3 : tensor<2x6x4xf32>) -> tensor<2x6x4xf32>
  %exp = linalg.exp ins(%neg : tensor<2x6x4xf32>) outs(%e3 : tensor<2x6x4xf32>) -> tensor<2x6x4xf32>
  %sum = linalg.add ins(%exp, %one : tensor<2x6x4xf32>, tensor<2x6x4xf32>) outs(%e3 : tensor<2x6x4xf32>) -> tensor<2x6x4xf32>
  %s = linalg.div ins(%one, %sum : tensor<2x6x4xf32>, tensor<2x6x4xf32>) outs(%e3 : tensor<2x6x4xf32>) -> tensor<2x6x4xf32>
  %s1 = tensor.expand_shape %s [[0], [1], [2, 3]] output_shape [2, 6, 4, 1] : tensor<2x6x4xf32> into tensor<2x6x4x1xf32>
  %e4 = tensor.empty() : tensor<2x6x4x8xf32>
  %m = linalg.generic {indexing_maps = [#unit, #id, #id], iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%s1, %odd : tensor<2x6x4x1xf32>, tensor<2x6x4x8xf32>) outs(%e4 : tensor<2x6x4x8xf32>) {
  ^bb0(%x: f32, %y: f32, %out: f32):
    %p = arith.mulf %x, %y : f32
    linalg.yield %p : f32
  } -> tensor<2x6x4x8xf32>
  %r = linalg.sub ins(%even, %m : tensor<2x6x4x8xf32>, tensor<2x6x4x8xf32>) outs(%e4 : tensor<2x6x4x8xf32>) -> tensor<2x6x4x8xf32>
  return %r : tensor<2x6x4x8xf32>
}

// The sigmoid in f32, rounded to bf16 and widened again: one rounding is left.
// CHECK-LABEL: @casts
// CHECK-SAME: (%[[Q:.*]]: tensor<2x6x8x8xbf16>, %[[K:.*]]: tensor<2x6x2x8xbf16>, %[[V:.*]]: tensor<2x6x2x8xbf16>, %[[L:.*]]: tensor<2x6x4xbf16>)
// CHECK: %[[R:.*]] = diffattn.attention query(%[[Q]] : {{.*}}) key(%[[K]] : {{.*}}) value(%[[V]] : {{.*}}) lambda(%[[L]] : {{.*}}) outs(%{{.*}} : tensor<2x6x4x8xbf16>)
// CHECK-NOT: linalg.generic
// CHECK: return %[[R]]
func.func @casts(%q: tensor<2x6x8x8xbf16>, %k: tensor<2x6x2x8xbf16>, %v: tensor<2x6x2x8xbf16>, %lambda: tensor<2x6x4xbf16>) -> tensor<2x6x4x8xbf16> {
  %init = tensor.empty() : tensor<2x6x8x8xbf16>
  %o = diffattn.attention query(%q : tensor<2x6x8x8xbf16>) key(%k : tensor<2x6x2x8xbf16>)
      value(%v : tensor<2x6x2x8xbf16>) outs(%init : tensor<2x6x8x8xbf16>)
  %even = tensor.extract_slice %o[0, 0, 0, 0] [2, 6, 4, 8] [1, 1, 2, 1] : tensor<2x6x8x8xbf16> to tensor<2x6x4x8xbf16>
  %odd = tensor.extract_slice %o[0, 0, 1, 0] [2, 6, 4, 8] [1, 1, 2, 1] : tensor<2x6x8x8xbf16> to tensor<2x6x4x8xbf16>
  %e3f = tensor.empty() : tensor<2x6x4xf32>
  %lf = linalg.generic {indexing_maps = [#id3, #id3], iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%lambda : tensor<2x6x4xbf16>) outs(%e3f : tensor<2x6x4xf32>) {
  ^bb0(%x: bf16, %y: f32):
    %w = arith.extf %x : bf16 to f32
    linalg.yield %w : f32
  } -> tensor<2x6x4xf32>
  %e3 = tensor.empty() : tensor<2x6x4xf32>
  %gatef = linalg.generic {indexing_maps = [#id3, #id3], iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%lf : tensor<2x6x4xf32>) outs(%e3 : tensor<2x6x4xf32>) {
  ^bb0(%x: f32, %y: f32):
    %one = arith.constant 1.0 : f32
    %neg = arith.negf %x : f32
    %exp = math.exp %neg : f32
    %sum = arith.addf %exp, %one : f32
    %res = arith.divf %one, %sum : f32
    linalg.yield %res : f32
  } -> tensor<2x6x4xf32>
  %e3b = tensor.empty() : tensor<2x6x4xbf16>
  %gate = linalg.generic {indexing_maps = [#id3, #id3], iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%gatef : tensor<2x6x4xf32>) outs(%e3b : tensor<2x6x4xbf16>) {
  ^bb0(%x: f32, %y: bf16):
    %n = arith.truncf %x : f32 to bf16
    linalg.yield %n : bf16
  } -> tensor<2x6x4xbf16>
  %e4 = tensor.empty() : tensor<2x6x4x8xbf16>
  %r = linalg.generic {indexing_maps = [#id, #id, #pair, #id], iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%even, %odd, %gate : tensor<2x6x4x8xbf16>, tensor<2x6x4x8xbf16>, tensor<2x6x4xbf16>) outs(%e4 : tensor<2x6x4x8xbf16>) {
  ^bb0(%x: bf16, %y: bf16, %g: bf16, %out: bf16):
    %xf = arith.extf %x : bf16 to f32
    %yf = arith.extf %y : bf16 to f32
    %gf = arith.extf %g : bf16 to f32
    %m = arith.mulf %gf, %yf : f32
    %d = arith.subf %xf, %m : f32
    %n = arith.truncf %d : f32 to bf16
    linalg.yield %n : bf16
  } -> tensor<2x6x4x8xbf16>
  return %r : tensor<2x6x4x8xbf16>
}

// o2 / (1 + exp(-lambda)).
// CHECK-LABEL: @quotient_gate
// CHECK-SAME: (%[[Q:.*]]: tensor<2x6x8x8xf32>, %[[K:.*]]: tensor<2x6x2x8xf32>, %[[V:.*]]: tensor<2x6x2x8xf32>, %[[L:.*]]: tensor<2x6x4xf32>)
// CHECK: %[[R:.*]] = diffattn.attention query(%[[Q]] : {{.*}}) key(%[[K]] : {{.*}}) value(%[[V]] : {{.*}}) lambda(%[[L]] : {{.*}}) outs(%{{.*}} : tensor<2x6x4x8xf32>)
// CHECK-NOT: linalg.generic
// CHECK: return %[[R]]
func.func @quotient_gate(%q: tensor<2x6x8x8xf32>, %k: tensor<2x6x2x8xf32>, %v: tensor<2x6x2x8xf32>, %lambda: tensor<2x6x4xf32>) -> tensor<2x6x4x8xf32> {
  %init = tensor.empty() : tensor<2x6x8x8xf32>
  %o = diffattn.attention query(%q : tensor<2x6x8x8xf32>) key(%k : tensor<2x6x2x8xf32>)
      value(%v : tensor<2x6x2x8xf32>) outs(%init : tensor<2x6x8x8xf32>)
  %even = tensor.extract_slice %o[0, 0, 0, 0] [2, 6, 4, 8] [1, 1, 2, 1] : tensor<2x6x8x8xf32> to tensor<2x6x4x8xf32>
  %odd = tensor.extract_slice %o[0, 0, 1, 0] [2, 6, 4, 8] [1, 1, 2, 1] : tensor<2x6x8x8xf32> to tensor<2x6x4x8xf32>
  %e4 = tensor.empty() : tensor<2x6x4x8xf32>
  %r = linalg.generic {indexing_maps = [#id, #id, #pair, #id], iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%even, %odd, %lambda : tensor<2x6x4x8xf32>, tensor<2x6x4x8xf32>, tensor<2x6x4xf32>) outs(%e4 : tensor<2x6x4x8xf32>) {
  ^bb0(%x: f32, %y: f32, %g: f32, %out: f32):
    %one = arith.constant 1.0 : f32
    %neg = arith.negf %g : f32
    %exp = math.exp %neg : f32
    %sum = arith.addf %one, %exp : f32
    %m = arith.divf %y, %sum : f32
    %d = arith.subf %x, %m : f32
    linalg.yield %d : f32
  } -> tensor<2x6x4x8xf32>
  return %r : tensor<2x6x4x8xf32>
}

// sigmoid(x) = 0.5 + 0.5 * tanh(0.5 * x).
// CHECK-LABEL: @tanh_gate
// CHECK-SAME: (%[[Q:.*]]: tensor<2x6x8x8xf32>, %[[K:.*]]: tensor<2x6x2x8xf32>, %[[V:.*]]: tensor<2x6x2x8xf32>, %[[L:.*]]: tensor<2x6x4xf32>)
// CHECK: %[[R:.*]] = diffattn.attention query(%[[Q]] : {{.*}}) key(%[[K]] : {{.*}}) value(%[[V]] : {{.*}}) lambda(%[[L]] : {{.*}}) outs(%{{.*}} : tensor<2x6x4x8xf32>)
// CHECK-NOT: linalg.generic
// CHECK: return %[[R]]
func.func @tanh_gate(%q: tensor<2x6x8x8xf32>, %k: tensor<2x6x2x8xf32>, %v: tensor<2x6x2x8xf32>, %lambda: tensor<2x6x4xf32>) -> tensor<2x6x4x8xf32> {
  %init = tensor.empty() : tensor<2x6x8x8xf32>
  %o = diffattn.attention query(%q : tensor<2x6x8x8xf32>) key(%k : tensor<2x6x2x8xf32>)
      value(%v : tensor<2x6x2x8xf32>) outs(%init : tensor<2x6x8x8xf32>)
  %even = tensor.extract_slice %o[0, 0, 0, 0] [2, 6, 4, 8] [1, 1, 2, 1] : tensor<2x6x8x8xf32> to tensor<2x6x4x8xf32>
  %odd = tensor.extract_slice %o[0, 0, 1, 0] [2, 6, 4, 8] [1, 1, 2, 1] : tensor<2x6x8x8xf32> to tensor<2x6x4x8xf32>
  %e4 = tensor.empty() : tensor<2x6x4x8xf32>
  %r = linalg.generic {indexing_maps = [#id, #id, #pair, #id], iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%even, %odd, %lambda : tensor<2x6x4x8xf32>, tensor<2x6x4x8xf32>, tensor<2x6x4xf32>) outs(%e4 : tensor<2x6x4x8xf32>) {
  ^bb0(%x: f32, %y: f32, %g: f32, %out: f32):
    %half = arith.constant 0.5 : f32
    %hx = arith.mulf %half, %g : f32
    %t = math.tanh %hx : f32
    %ht = arith.mulf %half, %t : f32
    %s = arith.addf %half, %ht : f32
    %m = arith.mulf %s, %y : f32
    %d = arith.subf %x, %m : f32
    linalg.yield %d : f32
  } -> tensor<2x6x4x8xf32>
  return %r : tensor<2x6x4x8xf32>
}

// sigmoid(x) = exp(x) / (1 + exp(x)).
// CHECK-LABEL: @exp_gate
// CHECK-SAME: (%[[Q:.*]]: tensor<2x6x8x8xf32>, %[[K:.*]]: tensor<2x6x2x8xf32>, %[[V:.*]]: tensor<2x6x2x8xf32>, %[[L:.*]]: tensor<2x6x4xf32>)
// CHECK: %[[R:.*]] = diffattn.attention query(%[[Q]] : {{.*}}) key(%[[K]] : {{.*}}) value(%[[V]] : {{.*}}) lambda(%[[L]] : {{.*}}) outs(%{{.*}} : tensor<2x6x4x8xf32>)
// CHECK-NOT: linalg.generic
// CHECK: return %[[R]]
func.func @exp_gate(%q: tensor<2x6x8x8xf32>, %k: tensor<2x6x2x8xf32>, %v: tensor<2x6x2x8xf32>, %lambda: tensor<2x6x4xf32>) -> tensor<2x6x4x8xf32> {
  %init = tensor.empty() : tensor<2x6x8x8xf32>
  %o = diffattn.attention query(%q : tensor<2x6x8x8xf32>) key(%k : tensor<2x6x2x8xf32>)
      value(%v : tensor<2x6x2x8xf32>) outs(%init : tensor<2x6x8x8xf32>)
  %even = tensor.extract_slice %o[0, 0, 0, 0] [2, 6, 4, 8] [1, 1, 2, 1] : tensor<2x6x8x8xf32> to tensor<2x6x4x8xf32>
  %odd = tensor.extract_slice %o[0, 0, 1, 0] [2, 6, 4, 8] [1, 1, 2, 1] : tensor<2x6x8x8xf32> to tensor<2x6x4x8xf32>
  %e4 = tensor.empty() : tensor<2x6x4x8xf32>
  %r = linalg.generic {indexing_maps = [#id, #id, #pair, #id], iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%even, %odd, %lambda : tensor<2x6x4x8xf32>, tensor<2x6x4x8xf32>, tensor<2x6x4xf32>) outs(%e4 : tensor<2x6x4x8xf32>) {
  ^bb0(%x: f32, %y: f32, %g: f32, %out: f32):
    %one = arith.constant 1.0 : f32
    %exp = math.exp %g : f32
    %sum = arith.addf %one, %exp : f32
    %s = arith.divf %exp, %sum : f32
    %m = arith.mulf %s, %y : f32
    %d = arith.subf %x, %m : f32
    linalg.yield %d : f32
  } -> tensor<2x6x4x8xf32>
  return %r : tensor<2x6x4x8xf32>
}

// -(s * o2) + o1.
// CHECK-LABEL: @negated_sum
// CHECK-SAME: (%[[Q:.*]]: tensor<2x6x8x8xf32>, %[[K:.*]]: tensor<2x6x2x8xf32>, %[[V:.*]]: tensor<2x6x2x8xf32>, %[[L:.*]]: tensor<2x6x4xf32>)
// CHECK: %[[R:.*]] = diffattn.attention query(%[[Q]] : {{.*}}) key(%[[K]] : {{.*}}) value(%[[V]] : {{.*}}) lambda(%[[L]] : {{.*}}) outs(%{{.*}} : tensor<2x6x4x8xf32>)
// CHECK-NOT: linalg.generic
// CHECK: return %[[R]]
func.func @negated_sum(%q: tensor<2x6x8x8xf32>, %k: tensor<2x6x2x8xf32>, %v: tensor<2x6x2x8xf32>, %lambda: tensor<2x6x4xf32>) -> tensor<2x6x4x8xf32> {
  %init = tensor.empty() : tensor<2x6x8x8xf32>
  %o = diffattn.attention query(%q : tensor<2x6x8x8xf32>) key(%k : tensor<2x6x2x8xf32>)
      value(%v : tensor<2x6x2x8xf32>) outs(%init : tensor<2x6x8x8xf32>)
  %even = tensor.extract_slice %o[0, 0, 0, 0] [2, 6, 4, 8] [1, 1, 2, 1] : tensor<2x6x8x8xf32> to tensor<2x6x4x8xf32>
  %odd = tensor.extract_slice %o[0, 0, 1, 0] [2, 6, 4, 8] [1, 1, 2, 1] : tensor<2x6x8x8xf32> to tensor<2x6x4x8xf32>
  %e4 = tensor.empty() : tensor<2x6x4x8xf32>
  %r = linalg.generic {indexing_maps = [#id, #id, #pair, #id], iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%even, %odd, %lambda : tensor<2x6x4x8xf32>, tensor<2x6x4x8xf32>, tensor<2x6x4xf32>) outs(%e4 : tensor<2x6x4x8xf32>) {
  ^bb0(%x: f32, %y: f32, %g: f32, %out: f32):
    %one = arith.constant 1.0 : f32
    %zero = arith.constant 0.0 : f32
    %neg = arith.subf %zero, %g : f32
    %exp = math.exp %neg : f32
    %sum = arith.addf %one, %exp : f32
    %s = arith.divf %one, %sum : f32
    %m = arith.mulf %s, %y : f32
    %nm = arith.negf %m : f32
    %d = arith.addf %nm, %x : f32
    linalg.yield %d : f32
  } -> tensor<2x6x4x8xf32>
  return %r : tensor<2x6x4x8xf32>
}

// What the producer does to the difference in the same body stays.
// CHECK-LABEL: @used_in_body
// CHECK: %[[F:.*]] = diffattn.attention {{.*}} lambda(
// CHECK: linalg.generic {{.*}} ins(%[[F]] : tensor<2x6x4x8xf32>)
// CHECK: arith.addf
// CHECK-NOT: arith.subf
func.func @used_in_body(%q: tensor<2x6x8x8xf32>, %k: tensor<2x6x2x8xf32>, %v: tensor<2x6x2x8xf32>, %lambda: tensor<2x6x4xf32>) -> tensor<2x6x4x8xf32> {
  %init = tensor.empty() : tensor<2x6x8x8xf32>
  %o = diffattn.attention query(%q : tensor<2x6x8x8xf32>) key(%k : tensor<2x6x2x8xf32>)
      value(%v : tensor<2x6x2x8xf32>) outs(%init : tensor<2x6x8x8xf32>)
  %even = tensor.extract_slice %o[0, 0, 0, 0] [2, 6, 4, 8] [1, 1, 2, 1] : tensor<2x6x8x8xf32> to tensor<2x6x4x8xf32>
  %odd = tensor.extract_slice %o[0, 0, 1, 0] [2, 6, 4, 8] [1, 1, 2, 1] : tensor<2x6x8x8xf32> to tensor<2x6x4x8xf32>
  %gate = arith.constant dense<2.0> : tensor<2x6x4xf32>
  %e4 = tensor.empty() : tensor<2x6x4x8xf32>
  %r = linalg.generic {indexing_maps = [#id, #id, #pair, #id], iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%even, %odd, %lambda : tensor<2x6x4x8xf32>, tensor<2x6x4x8xf32>, tensor<2x6x4xf32>) outs(%e4 : tensor<2x6x4x8xf32>) {
  ^bb0(%x: f32, %y: f32, %g: f32, %out: f32):
    %one = arith.constant 1.0 : f32
    %neg = arith.negf %g : f32
    %exp = math.exp %neg : f32
    %sum = arith.addf %one, %exp : f32
    %s = arith.divf %one, %sum : f32
    %m = arith.mulf %s, %y : f32
    %d = arith.subf %x, %m : f32
    %two = arith.addf %d, %d : f32
    linalg.yield %two : f32
  } -> tensor<2x6x4x8xf32>
  return %r : tensor<2x6x4x8xf32>
}

// CHECK-LABEL: @log_sum_exp
// CHECK: %[[R:.*]]:2 = diffattn.attention {{.*}} lambda({{.*}} lse({{.*}} scale(2.500000e-01) softcap(4.000000e+00)
// CHECK: return %[[R]]#0, %[[R]]#1
func.func @log_sum_exp(%q: tensor<2x6x8x8xf32>, %k: tensor<2x6x2x8xf32>, %v: tensor<2x6x2x8xf32>, %lambda: tensor<2x6x4xf32>) -> (tensor<2x6x4x8xf32>, tensor<2x8x6xf32>) {
  %init = tensor.empty() : tensor<2x6x8x8xf32>
  %linit = tensor.empty() : tensor<2x8x6xf32>
  %o, %lse = diffattn.attention query(%q : tensor<2x6x8x8xf32>) key(%k : tensor<2x6x2x8xf32>)
      value(%v : tensor<2x6x2x8xf32>) outs(%init : tensor<2x6x8x8xf32>) lse(%linit : tensor<2x8x6xf32>) scale(0.25) softcap(4.0)
  %even = tensor.extract_slice %o[0, 0, 0, 0] [2, 6, 4, 8] [1, 1, 2, 1] : tensor<2x6x8x8xf32> to tensor<2x6x4x8xf32>
  %odd = tensor.extract_slice %o[0, 0, 1, 0] [2, 6, 4, 8] [1, 1, 2, 1] : tensor<2x6x8x8xf32> to tensor<2x6x4x8xf32>
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
  %e4 = tensor.empty() : tensor<2x6x4x8xf32>
  %r = linalg.generic {indexing_maps = [#id, #id, #pair, #id], iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%even, %odd, %gate : tensor<2x6x4x8xf32>, tensor<2x6x4x8xf32>, tensor<2x6x4xf32>) outs(%e4 : tensor<2x6x4x8xf32>) {
  ^bb0(%x: f32, %y: f32, %g: f32, %out: f32):
    %m = arith.mulf %g, %y : f32
    %d = arith.subf %x, %m : f32
    linalg.yield %d : f32
  } -> tensor<2x6x4x8xf32>
  return %r, %lse : tensor<2x6x4x8xf32>, tensor<2x8x6xf32>
}

// Two attentions over the same keys and values; their queries are interleaved.
// CHECK-LABEL: @two_ops
// CHECK-SAME: (%[[Q:.*]]: tensor<2x6x8x8xf32>, %[[K:.*]]: tensor<2x6x2x8xf32>, %[[V:.*]]: tensor<2x6x2x8xf32>, %[[L:.*]]: tensor<2x6x4xf32>)
// CHECK: %[[R:.*]] = diffattn.attention query(%[[Q]] : {{.*}}) key(%[[K]] : {{.*}}) value(%[[V]] : {{.*}}) lambda(%[[L]] : {{.*}}) outs(%{{.*}} : tensor<2x6x4x8xf32>) mask<window 3, 0>
// CHECK-NOT: linalg.generic
// CHECK: return %[[R]]
func.func @two_ops(%q: tensor<2x6x8x8xf32>, %k: tensor<2x6x2x8xf32>, %v: tensor<2x6x2x8xf32>, %lambda: tensor<2x6x4xf32>) -> tensor<2x6x4x8xf32> {
  %q1 = tensor.extract_slice %q[0, 0, 0, 0] [2, 6, 4, 8] [1, 1, 2, 1] : tensor<2x6x8x8xf32> to tensor<2x6x4x8xf32>
  %q2 = tensor.extract_slice %q[0, 0, 1, 0] [2, 6, 4, 8] [1, 1, 2, 1] : tensor<2x6x8x8xf32> to tensor<2x6x4x8xf32>
  %init = tensor.empty() : tensor<2x6x4x8xf32>
  %even = diffattn.attention query(%q1 : tensor<2x6x4x8xf32>) key(%k : tensor<2x6x2x8xf32>)
      value(%v : tensor<2x6x2x8xf32>) outs(%init : tensor<2x6x4x8xf32>) mask<window 3, 0>
  %odd = diffattn.attention query(%q2 : tensor<2x6x4x8xf32>) key(%k : tensor<2x6x2x8xf32>)
      value(%v : tensor<2x6x2x8xf32>) outs(%init : tensor<2x6x4x8xf32>) mask<window 3, 0>
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

// Two queries that are not slices of one are interleaved.
// CHECK-LABEL: @two_queries
// CHECK-SAME: %[[Q1:[^:]*]]: tensor<2x6x4x8xf32>, %[[Q2:[^:]*]]: tensor<2x6x4x8xf32>
// CHECK: %[[E:.*]] = tensor.empty() : tensor<2x6x8x8xf32>
// CHECK: %[[I:.*]] = tensor.insert_slice %[[Q1]] into %[[E]][0, 0, 0, 0] [2, 6, 4, 8] [1, 1, 2, 1]
// CHECK: %[[P:.*]] = tensor.insert_slice %[[Q2]] into %[[I]][0, 0, 1, 0] [2, 6, 4, 8] [1, 1, 2, 1]
// CHECK: diffattn.attention query(%[[P]] : {{.*}} lambda(
func.func @two_queries(%q1: tensor<2x6x4x8xf32>, %q2: tensor<2x6x4x8xf32>, %k: tensor<2x6x2x8xf32>, %v: tensor<2x6x2x8xf32>, %lambda: tensor<2x6x4xf32>) -> tensor<2x6x4x8xf32> {
  %init = tensor.empty() : tensor<2x6x4x8xf32>
  %even = diffattn.attention query(%q1 : tensor<2x6x4x8xf32>) key(%k : tensor<2x6x2x8xf32>)
      value(%v : tensor<2x6x2x8xf32>) outs(%init : tensor<2x6x4x8xf32>) mask<window 3, 0>
  %odd = diffattn.attention query(%q2 : tensor<2x6x4x8xf32>) key(%k : tensor<2x6x2x8xf32>)
      value(%v : tensor<2x6x2x8xf32>) outs(%init : tensor<2x6x4x8xf32>) mask<window 3, 0>
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

// Transposes are inserted where the producer has heads before tokens.
// CHECK-LABEL: @heads_before_tokens
// CHECK-SAME: %[[L:[^:]*]]: tensor<2x4x6xf32>)
// CHECK: %[[LT:.*]] = linalg.transpose ins(%[[L]] : tensor<2x4x6xf32>) outs(%{{.*}} : tensor<2x6x4xf32>) permutation = [0, 2, 1]
// CHECK: %[[F:.*]] = diffattn.attention {{.*}} lambda(%[[LT]] : tensor<2x6x4xf32>)
// CHECK: %[[T:.*]] = linalg.transpose ins(%[[F]] : tensor<2x6x4x8xf32>) outs(%{{.*}} : tensor<2x4x6x8xf32>) permutation = [0, 2, 1, 3]
// CHECK: return %[[T]]
func.func @heads_before_tokens(%q: tensor<2x6x8x8xf32>, %k: tensor<2x6x2x8xf32>, %v: tensor<2x6x2x8xf32>, %lambda: tensor<2x4x6xf32>) -> tensor<2x4x6x8xf32> {
  %init = tensor.empty() : tensor<2x6x8x8xf32>
  %o = diffattn.attention query(%q : tensor<2x6x8x8xf32>) key(%k : tensor<2x6x2x8xf32>)
      value(%v : tensor<2x6x2x8xf32>) outs(%init : tensor<2x6x8x8xf32>)
  %et = tensor.empty() : tensor<2x8x6x8xf32>
  %t = linalg.transpose ins(%o : tensor<2x6x8x8xf32>) outs(%et : tensor<2x8x6x8xf32>) permutation = [0, 2, 1, 3]
  %even = tensor.extract_slice %t[0, 0, 0, 0] [2, 4, 6, 8] [1, 2, 1, 1] : tensor<2x8x6x8xf32> to tensor<2x4x6x8xf32>
  %odd = tensor.extract_slice %t[0, 1, 0, 0] [2, 4, 6, 8] [1, 2, 1, 1] : tensor<2x8x6x8xf32> to tensor<2x4x6x8xf32>
  %e4 = tensor.empty() : tensor<2x4x6x8xf32>
  %r = linalg.generic {indexing_maps = [#id, #id, #pair, #id], iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%even, %odd, %lambda : tensor<2x4x6x8xf32>, tensor<2x4x6x8xf32>, tensor<2x4x6xf32>) outs(%e4 : tensor<2x4x6x8xf32>) {
  ^bb0(%x: f32, %y: f32, %g: f32, %out: f32):
    %one = arith.constant 1.0 : f32
    %neg = arith.negf %g : f32
    %exp = math.exp %neg : f32
    %sum = arith.addf %one, %exp : f32
    %s = arith.divf %one, %sum : f32
    %m = arith.mulf %y, %s : f32
    %d = arith.subf %x, %m : f32
    linalg.yield %d : f32
  } -> tensor<2x4x6x8xf32>
  return %r : tensor<2x4x6x8xf32>
}

// The subtraction over (tokens, features): indices are split again.
// CHECK-LABEL: @flattened
// CHECK: %[[F:.*]] = diffattn.attention {{.*}} lambda(
// CHECK: %[[C:.*]] = tensor.collapse_shape %[[F]] {{\[}}[0, 1], [2, 3]]
// CHECK: return %[[C]] : tensor<12x32xf32>
func.func @flattened(%q: tensor<2x6x8x8xf32>, %k: tensor<2x6x2x8xf32>, %v: tensor<2x6x2x8xf32>, %lambda: tensor<2x6x4xf32>) -> tensor<12x32xf32> {
  %init = tensor.empty() : tensor<2x6x8x8xf32>
  %o = diffattn.attention query(%q : tensor<2x6x8x8xf32>) key(%k : tensor<2x6x2x8xf32>)
      value(%v : tensor<2x6x2x8xf32>) outs(%init : tensor<2x6x8x8xf32>)
  %even = tensor.extract_slice %o[0, 0, 0, 0] [2, 6, 4, 8] [1, 1, 2, 1] : tensor<2x6x8x8xf32> to tensor<2x6x4x8xf32>
  %odd = tensor.extract_slice %o[0, 0, 1, 0] [2, 6, 4, 8] [1, 1, 2, 1] : tensor<2x6x8x8xf32> to tensor<2x6x4x8xf32>
  %ef = tensor.collapse_shape %even [[0, 1], [2, 3]] : tensor<2x6x4x8xf32> into tensor<12x32xf32>
  %of = tensor.collapse_shape %odd [[0, 1], [2, 3]] : tensor<2x6x4x8xf32> into tensor<12x32xf32>
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
  %e4 = tensor.empty() : tensor<2x6x4x8xf32>
  %wide = linalg.broadcast ins(%gate : tensor<2x6x4xf32>) outs(%e4 : tensor<2x6x4x8xf32>) dimensions = [3]
  %gf = tensor.collapse_shape %wide [[0, 1], [2, 3]] : tensor<2x6x4x8xf32> into tensor<12x32xf32>
  %m = arith.mulf %gf, %of : tensor<12x32xf32>
  %r = arith.subf %ef, %m : tensor<12x32xf32>
  return %r : tensor<12x32xf32>
}

// Logits that are a slice of a fused projection are read where they lie.
// CHECK-LABEL: @strided_lambda
// CHECK: %[[S:.*]] = tensor.extract_slice
// CHECK: diffattn.attention {{.*}} lambda(%[[S]] : tensor<2x6x4xf32>)
func.func @strided_lambda(%q: tensor<2x6x8x8xf32>, %k: tensor<2x6x2x8xf32>, %v: tensor<2x6x2x8xf32>, %lambda: tensor<2x6x9xf32>) -> tensor<2x6x4x8xf32> {
  %init = tensor.empty() : tensor<2x6x8x8xf32>
  %o = diffattn.attention query(%q : tensor<2x6x8x8xf32>) key(%k : tensor<2x6x2x8xf32>)
      value(%v : tensor<2x6x2x8xf32>) outs(%init : tensor<2x6x8x8xf32>)
  %even = tensor.extract_slice %o[0, 0, 0, 0] [2, 6, 4, 8] [1, 1, 2, 1] : tensor<2x6x8x8xf32> to tensor<2x6x4x8xf32>
  %odd = tensor.extract_slice %o[0, 0, 1, 0] [2, 6, 4, 8] [1, 1, 2, 1] : tensor<2x6x8x8xf32> to tensor<2x6x4x8xf32>
  %part = tensor.extract_slice %lambda[0, 0, 3] [2, 6, 4] [1, 1, 1] : tensor<2x6x9xf32> to tensor<2x6x4xf32>
  %e3 = tensor.empty() : tensor<2x6x4xf32>
  %gate = linalg.generic {indexing_maps = [#id3, #id3], iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%part : tensor<2x6x4xf32>) outs(%e3 : tensor<2x6x4xf32>) {
  ^bb0(%x: f32, %y: f32):
    %one = arith.constant 1.0 : f32
    %neg = arith.negf %x : f32
    %exp = math.exp %neg : f32
    %sum = arith.addf %exp, %one : f32
    %res = arith.divf %one, %sum : f32
    linalg.yield %res : f32
  } -> tensor<2x6x4xf32>
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

// CHECK-LABEL: @dynamic
// CHECK: diffattn.attention {{.*}} lambda(%{{.*}} : tensor<?x?x4xf32>)
// CHECK-NOT: linalg.generic
func.func @dynamic(%q: tensor<?x?x8x8xf32>, %k: tensor<?x?x2x8xf32>, %v: tensor<?x?x2x8xf32>, %lambda: tensor<?x?x4xf32>) -> tensor<?x?x4x8xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %b = tensor.dim %q, %c0 : tensor<?x?x8x8xf32>
  %n = tensor.dim %q, %c1 : tensor<?x?x8x8xf32>
  %init = tensor.empty(%b, %n) : tensor<?x?x8x8xf32>
  %o = diffattn.attention query(%q : tensor<?x?x8x8xf32>) key(%k : tensor<?x?x2x8xf32>)
      value(%v : tensor<?x?x2x8xf32>) outs(%init : tensor<?x?x8x8xf32>)
  %even = tensor.extract_slice %o[0, 0, 0, 0] [%b, %n, 4, 8] [1, 1, 2, 1] : tensor<?x?x8x8xf32> to tensor<?x?x4x8xf32>
  %odd = tensor.extract_slice %o[0, 0, 1, 0] [%b, %n, 4, 8] [1, 1, 2, 1] : tensor<?x?x8x8xf32> to tensor<?x?x4x8xf32>
  %e3 = tensor.empty(%b, %n) : tensor<?x?x4xf32>
  %gate = linalg.generic {indexing_maps = [#id3, #id3], iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%lambda : tensor<?x?x4xf32>) outs(%e3 : tensor<?x?x4xf32>) {
  ^bb0(%x: f32, %y: f32):
    %one = arith.constant 1.0 : f32
    %neg = arith.negf %x : f32
    %exp = math.exp %neg : f32
    %sum = arith.addf %exp, %one : f32
    %res = arith.divf %one, %sum : f32
    linalg.yield %res : f32
  } -> tensor<?x?x4xf32>
  %e4 = tensor.empty(%b, %n) : tensor<?x?x4x8xf32>
  %r = linalg.generic {indexing_maps = [#id, #id, #pair, #id], iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%even, %odd, %gate : tensor<?x?x4x8xf32>, tensor<?x?x4x8xf32>, tensor<?x?x4xf32>) outs(%e4 : tensor<?x?x4x8xf32>) {
  ^bb0(%x: f32, %y: f32, %g: f32, %out: f32):
    %m = arith.mulf %g, %y : f32
    %d = arith.subf %x, %m : f32
    linalg.yield %d : f32
  } -> tensor<?x?x4x8xf32>
  return %r : tensor<?x?x4x8xf32>
}
