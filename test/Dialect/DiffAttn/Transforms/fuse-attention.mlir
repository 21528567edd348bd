// RUN: diffattn-opt %s --pass-pipeline='builtin.module(func.func(diffattn-fuse))' -o %t
// RUN: FileCheck %s < %t
// RUN: diffattn-opt %t --pass-pipeline='builtin.module(func.func(diffattn-fuse))' | diff %t -
//
// The meaning is kept:
// RUN: diffattn-eval %s --entry=no_mask --compare=%t --input=random:1
// RUN: diffattn-eval %s --entry=causal_index --compare=%t --input=random:1
// RUN: diffattn-eval %s --entry=causal_i32_inverted --compare=%t --input=random:1
// RUN: diffattn-eval %s --entry=window_or --compare=%t --input=random:1
// RUN: diffattn-eval %s --entry=window_two_sided --compare=%t --input=random:1
// RUN: diffattn-eval %s --entry=causal_additive --compare=%t --input=random:1
// RUN: diffattn-eval %s --entry=softcap --compare=%t --input=random:1
// RUN: diffattn-eval %s --entry=torch_sdpa --compare=%t --input=random:1
// RUN: diffattn-eval %s --entry=grouped_exp2 --compare=%t --input=random:1 --tolerance=1e-6
// RUN: diffattn-eval %s --entry=one_head --compare=%t --input=random:1

// Forms of scaled dot product attention in linalg, down to plain
// diffattn.attention on the function's own arguments.

#id = affine_map<(b, h, m, n) -> (b, h, m, n)>
#row = affine_map<(b, h, m, n) -> (b, h, m)>
#keyrow = affine_map<(b, h, m, n) -> (m, n)>
#qk_q = affine_map<(b, h, m, n, d) -> (b, m, h, d)>
#qk_k = affine_map<(b, h, m, n, d) -> (b, n, h, d)>
#qk_s = affine_map<(b, h, m, n, d) -> (b, h, m, n)>
#pv_p = affine_map<(b, m, h, e, n) -> (b, h, m, n)>
#pv_v = affine_map<(b, m, h, e, n) -> (b, n, h, e)>
#pv_o = affine_map<(b, m, h, e, n) -> (b, m, h, e)>
#repeat = affine_map<(b, g, r, n, d) -> (b, g, n, d)>
#rid5 = affine_map<(b, g, r, n, d) -> (b, g, r, n, d)>
#vec = affine_map<(m) -> (m)>
#first = affine_map<(m, n) -> (0, n)>
#second = affine_map<(m, n) -> (m, 0)>
#mat = affine_map<(m, n) -> (m, n)>

// Heads before rows in the scores, after rows elsewhere; scale by division.
// CHECK-LABEL: @no_mask
// CHECK-SAME: (%[[Q:.*]]: tensor<2x6x4x8xf32>, %[[K:.*]]: tensor<2x6x4x8xf32>, %[[V:.*]]: tensor<2x6x4x16xf32>
// CHECK: %[[R:.*]] = diffattn.attention query(%[[Q]] : {{.*}}) key(%[[K]] : {{.*}}) value(%[[V]] : {{.*}}) outs({{.*}}) scale(5.000000e-01){{$}}
// CHECK-NEXT: return %[[R]]
func.func @no_mask(%q: tensor<2x6x4x8xf32>, %k: tensor<2x6x4x8xf32>, %v: tensor<2x6x4x16xf32>) -> tensor<2x6x4x16xf32> {
  %ez = tensor.empty() : tensor<2x4x6x6xf32>
  %f0 = arith.constant 0.0 : f32
  %z = linalg.fill ins(%f0 : f32) outs(%ez : tensor<2x4x6x6xf32>) -> tensor<2x4x6x6xf32>
  %s0 = linalg.generic {indexing_maps = [#qk_q, #qk_k, #qk_s], iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction"]}
      ins(%q, %k : tensor<2x6x4x8xf32>, tensor<2x6x4x8xf32>) outs(%z : tensor<2x4x6x6xf32>) {
  ^bb0(%x: f32, %y: f32, %acc: f32):
    %m = arith.mulf %x, %y : f32
    %a = arith.addf %m, %acc : f32
    linalg.yield %a : f32
  } -> tensor<2x4x6x6xf32>
  %s = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%s0 : tensor<2x4x6x6xf32>) outs(%ez : tensor<2x4x6x6xf32>) {
  ^bb0(%x: f32, %out: f32):
    %two = arith.constant 2.0 : f32
    %y = arith.divf %x, %two : f32
    linalg.yield %y : f32
  } -> tensor<2x4x6x6xf32>
  // Softmax over the last dimension of %s.
  %es = tensor.empty() : tensor<2x4x6x6xf32>
  %er = tensor.empty() : tensor<2x4x6xf32>
  %low = arith.constant 0xFF800000 : f32
  %zero = arith.constant 0.0 : f32
  %max0 = linalg.fill ins(%low : f32) outs(%er : tensor<2x4x6xf32>) -> tensor<2x4x6xf32>
  %max = linalg.reduce { arith.maximumf } ins(%s : tensor<2x4x6x6xf32>) outs(%max0 : tensor<2x4x6xf32>) dimensions = [3]
  %exp = linalg.generic {indexing_maps = [#id, #row, #id], iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%s, %max : tensor<2x4x6x6xf32>, tensor<2x4x6xf32>) outs(%es : tensor<2x4x6x6xf32>) {
  ^bb0(%x: f32, %m: f32, %out: f32):
    %c = arith.subf %x, %m : f32
    %e = math.exp %c : f32
    linalg.yield %e : f32
  } -> tensor<2x4x6x6xf32>
  %sum0 = linalg.fill ins(%zero : f32) outs(%er : tensor<2x4x6xf32>) -> tensor<2x4x6xf32>
  %sum = linalg.reduce { arith.addf } ins(%exp : tensor<2x4x6x6xf32>) outs(%sum0 : tensor<2x4x6xf32>) dimensions = [3]
  %p = linalg.generic {indexing_maps = [#id, #row, #id], iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%exp, %sum : tensor<2x4x6x6xf32>, tensor<2x4x6xf32>) outs(%es : tensor<2x4x6x6xf32>) {
  ^bb0(%x: f32, %m: f32, %out: f32):
    %c = arith.divf %x, %m : f32
    linalg.yield %c : f32
  } -> tensor<2x4x6x6xf32>
  %eo = tensor.empty() : tensor<2x6x4x16xf32>
  %zo = linalg.fill ins(%zero : f32) outs(%eo : tensor<2x6x4x16xf32>) -> tensor<2x6x4x16xf32>
  %o = linalg.generic {indexing_maps = [#pv_p, #pv_v, #pv_o], iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction"]}
      ins(%p, %v : tensor<2x4x6x6xf32>, tensor<2x6x4x16xf32>) outs(%zo : tensor<2x6x4x16xf32>) {
  ^bb0(%x: f32, %y: f32, %acc: f32):
    %m = arith.mulf %y, %x : f32
    %a = arith.addf %acc, %m : f32
    linalg.yield %a : f32
  } -> tensor<2x6x4x16xf32>
  return %o : tensor<2x6x4x16xf32>
}

// Position by linalg.index, the mask after the scale.
// CHECK-LABEL: @causal_index
// CHECK-SAME: (%[[Q:.*]]: tensor<2x6x4x8xf32>, %[[K:.*]]: tensor<2x6x4x8xf32>, %[[V:.*]]: tensor<2x6x4x16xf32>
// CHECK: %[[R:.*]] = diffattn.attention query(%[[Q]] : {{.*}}) key(%[[K]] : {{.*}}) value(%[[V]] : {{.*}}) outs({{.*}}) mask<causal> scale(5.000000e-01)
// CHECK-NEXT: return %[[R]]
func.func @causal_index(%q: tensor<2x6x4x8xf32>, %k: tensor<2x6x4x8xf32>, %v: tensor<2x6x4x16xf32>) -> tensor<2x6x4x16xf32> {
  %ez = tensor.empty() : tensor<2x4x6x6xf32>
  %f0 = arith.constant 0.0 : f32
  %z = linalg.fill ins(%f0 : f32) outs(%ez : tensor<2x4x6x6xf32>) -> tensor<2x4x6x6xf32>
  %s0 = linalg.generic {indexing_maps = [#qk_q, #qk_k, #qk_s], iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction"]}
      ins(%q, %k : tensor<2x6x4x8xf32>, tensor<2x6x4x8xf32>) outs(%z : tensor<2x4x6x6xf32>) {
  ^bb0(%x: f32, %y: f32, %acc: f32):
    %m = arith.mulf %x, %y : f32
    %a = arith.addf %m, %acc : f32
    linalg.yield %a : f32
  } -> tensor<2x4x6x6xf32>
  %s = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%s0 : tensor<2x4x6x6xf32>) outs(%ez : tensor<2x4x6x6xf32>) {
  ^bb0(%x: f32, %out: f32):
    %i = linalg.index 2 : index
    %j = linalg.index 3 : index
    %vis = arith.cmpi sge, %i, %j : index
    %fill = arith.constant 0xFF800000 : f32
    %half = arith.constant 0.5 : f32
    %xs = arith.mulf %x, %half : f32
    %y = arith.select %vis, %xs, %fill : f32
    linalg.yield %y : f32
  } -> tensor<2x4x6x6xf32>
  // Softmax over the last dimension of %s.
  %es = tensor.empty() : tensor<2x4x6x6xf32>
  %er = tensor.empty() : tensor<2x4x6xf32>
  %low = arith.constant 0xFF800000 : f32
  %zero = arith.constant 0.0 : f32
  %max0 = linalg.fill ins(%low : f32) outs(%er : tensor<2x4x6xf32>) -> tensor<2x4x6xf32>
  %max = linalg.reduce { arith.maximumf } ins(%s : tensor<2x4x6x6xf32>) outs(%max0 : tensor<2x4x6xf32>) dimensions = [3]
  %exp = linalg.generic {indexing_maps = [#id, #row, #id], iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%s, %max : tensor<2x4x6x6xf32>, tensor<2x4x6xf32>) outs(%es : tensor<2x4x6x6xf32>) {
  ^bb0(%x: f32, %m: f32, %out: f32):
    %c = arith.subf %x, %m : f32
    %e = math.exp %c : f32
    linalg.yield %e : f32
  } -> tensor<2x4x6x6xf32>
  %sum0 = linalg.fill ins(%zero : f32) outs(%er : tensor<2x4x6xf32>) -> tensor<2x4x6xf32>
  %sum = linalg.reduce { arith.addf } ins(%exp : tensor<2x4x6x6xf32>) outs(%sum0 : tensor<2x4x6xf32>) dimensions = [3]
  %p = linalg.generic {indexing_maps = [#id, #row, #id], iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%exp, %sum : tensor<2x4x6x6xf32>, tensor<2x4x6xf32>) outs(%es : tensor<2x4x6x6xf32>) {
  ^bb0(%x: f32, %m: f32, %out: f32):
    %c = arith.divf %x, %m : f32
    linalg.yield %c : f32
  } -> tensor<2x4x6x6xf32>
  %eo = tensor.empty() : tensor<2x6x4x16xf32>
  %zo = linalg.fill ins(%zero : f32) outs(%eo : tensor<2x6x4x16xf32>) -> tensor<2x6x4x16xf32>
  %o = linalg.generic {indexing_maps = [#pv_p, #pv_v, #pv_o], iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction"]}
      ins(%p, %v : tensor<2x4x6x6xf32>, tensor<2x6x4x16xf32>) outs(%zo : tensor<2x6x4x16xf32>) {
  ^bb0(%x: f32, %y: f32, %acc: f32):
    %m = arith.mulf %y, %x : f32
    %a = arith.addf %acc, %m : f32
    linalg.yield %a : f32
  } -> tensor<2x6x4x16xf32>
  return %o : tensor<2x6x4x16xf32>
}

// Hidden keys selected, i32 positions, the lowest finite number.
// CHECK-LABEL: @causal_i32_inverted
// CHECK-SAME: (%[[Q:.*]]: tensor<2x6x4x8xf32>, %[[K:.*]]: tensor<2x6x4x8xf32>, %[[V:.*]]: tensor<2x6x4x16xf32>
// CHECK: %[[R:.*]] = diffattn.attention query(%[[Q]] : {{.*}}) key(%[[K]] : {{.*}}) value(%[[V]] : {{.*}}) outs({{.*}}) mask<causal> scale(5.000000e-01)
// CHECK-NEXT: return %[[R]]
func.func @causal_i32_inverted(%q: tensor<2x6x4x8xf32>, %k: tensor<2x6x4x8xf32>, %v: tensor<2x6x4x16xf32>) -> tensor<2x6x4x16xf32> {
  %ez = tensor.empty() : tensor<2x4x6x6xf32>
  %f0 = arith.constant 0.0 : f32
  %z = linalg.fill ins(%f0 : f32) outs(%ez : tensor<2x4x6x6xf32>) -> tensor<2x4x6x6xf32>
  %s0 = linalg.generic {indexing_maps = [#qk_q, #qk_k, #qk_s], iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction"]}
      ins(%q, %k : tensor<2x6x4x8xf32>, tensor<2x6x4x8xf32>) outs(%z : tensor<2x4x6x6xf32>) {
  ^bb0(%x: f32, %y: f32, %acc: f32):
    %m = arith.mulf %x, %y : f32
    %a = arith.addf %m, %acc : f32
    linalg.yield %a : f32
  } -> tensor<2x4x6x6xf32>
  %s = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%s0 : tensor<2x4x6x6xf32>) outs(%ez : tensor<2x4x6x6xf32>) {
  ^bb0(%x: f32, %out: f32):
    %i = linalg.index 2 : index
    %j = linalg.index 3 : index
    %i32 = arith.index_cast %i : index to i32
    %j32 = arith.index_cast %j : index to i32
    %d = arith.subi %j32, %i32 : i32
    %c1 = arith.constant 1 : i32
    %vis = arith.cmpi sge, %d, %c1 : i32
    %fill = arith.constant -3.40282347E+38 : f32
    %half = arith.constant 0.5 : f32
    %xs = arith.mulf %x, %half : f32
    %y = arith.select %vis, %fill, %xs : f32
    linalg.yield %y : f32
  } -> tensor<2x4x6x6xf32>
  // Softmax over the last dimension of %s.
  %es = tensor.empty() : tensor<2x4x6x6xf32>
  %er = tensor.empty() : tensor<2x4x6xf32>
  %low = arith.constant 0xFF800000 : f32
  %zero = arith.constant 0.0 : f32
  %max0 = linalg.fill ins(%low : f32) outs(%er : tensor<2x4x6xf32>) -> tensor<2x4x6xf32>
  %max = linalg.reduce { arith.maximumf } ins(%s : tensor<2x4x6x6xf32>) outs(%max0 : tensor<2x4x6xf32>) dimensions = [3]
  %exp = linalg.generic {indexing_maps = [#id, #row, #id], iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%s, %max : tensor<2x4x6x6xf32>, tensor<2x4x6xf32>) outs(%es : tensor<2x4x6x6xf32>) {
  ^bb0(%x: f32, %m: f32, %out: f32):
    %c = arith.subf %x, %m : f32
    %e = math.exp %c : f32
    linalg.yield %e : f32
  } -> tensor<2x4x6x6xf32>
  %sum0 = linalg.fill ins(%zero : f32) outs(%er : tensor<2x4x6xf32>) -> tensor<2x4x6xf32>
  %sum = linalg.reduce { arith.addf } ins(%exp : tensor<2x4x6x6xf32>) outs(%sum0 : tensor<2x4x6xf32>) dimensions = [3]
  %p = linalg.generic {indexing_maps = [#id, #row, #id], iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%exp, %sum : tensor<2x4x6x6xf32>, tensor<2x4x6xf32>) outs(%es : tensor<2x4x6x6xf32>) {
  ^bb0(%x: f32, %m: f32, %out: f32):
    %c = arith.divf %x, %m : f32
    linalg.yield %c : f32
  } -> tensor<2x4x6x6xf32>
  %eo = tensor.empty() : tensor<2x6x4x16xf32>
  %zo = linalg.fill ins(%zero : f32) outs(%eo : tensor<2x6x4x16xf32>) -> tensor<2x6x4x16xf32>
  %o = linalg.generic {indexing_maps = [#pv_p, #pv_v, #pv_o], iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction"]}
      ins(%p, %v : tensor<2x4x6x6xf32>, tensor<2x6x4x16xf32>) outs(%zo : tensor<2x6x4x16xf32>) {
  ^bb0(%x: f32, %y: f32, %acc: f32):
    %m = arith.mulf %y, %x : f32
    %a = arith.addf %acc, %m : f32
    linalg.yield %a : f32
  } -> tensor<2x6x4x16xf32>
  return %o : tensor<2x6x4x16xf32>
}

// not (j + 2 < i or i < j).
// CHECK-LABEL: @window_or
// CHECK-SAME: (%[[Q:.*]]: tensor<2x6x4x8xf32>, %[[K:.*]]: tensor<2x6x4x8xf32>, %[[V:.*]]: tensor<2x6x4x16xf32>
// CHECK: %[[R:.*]] = diffattn.attention query(%[[Q]] : {{.*}}) key(%[[K]] : {{.*}}) value(%[[V]] : {{.*}}) outs({{.*}}) mask<window 2, 0> scale(5.000000e-01)
// CHECK-NEXT: return %[[R]]
func.func @window_or(%q: tensor<2x6x4x8xf32>, %k: tensor<2x6x4x8xf32>, %v: tensor<2x6x4x16xf32>) -> tensor<2x6x4x16xf32> {
  %ez = tensor.empty() : tensor<2x4x6x6xf32>
  %f0 = arith.constant 0.0 : f32
  %z = linalg.fill ins(%f0 : f32) outs(%ez : tensor<2x4x6x6xf32>) -> tensor<2x4x6x6xf32>
  %s0 = linalg.generic {indexing_maps = [#qk_q, #qk_k, #qk_s], iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction"]}
      ins(%q, %k : tensor<2x6x4x8xf32>, tensor<2x6x4x8xf32>) outs(%z : tensor<2x4x6x6xf32>) {
  ^bb0(%x: f32, %y: f32, %acc: f32):
    %m = arith.mulf %x, %y : f32
    %a = arith.addf %m, %acc : f32
    linalg.yield %a : f32
  } -> tensor<2x4x6x6xf32>
  %s = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%s0 : tensor<2x4x6x6xf32>) outs(%ez : tensor<2x4x6x6xf32>) {
  ^bb0(%x: f32, %out: f32):
    %i = linalg.index 2 : index
    %j = linalg.index 3 : index
    %true = arith.constant true
    %c2 = arith.constant 2 : index
    %lo = arith.addi %j, %c2 : index
    %a = arith.cmpi slt, %lo, %i : index
    %b = arith.cmpi slt, %i, %j : index
    %hid = arith.ori %a, %b : i1
    %vis = arith.xori %hid, %true : i1
    %fill = arith.constant 0xFF800000 : f32
    %half = arith.constant 0.5 : f32
    %xs = arith.mulf %x, %half : f32
    %y = arith.select %vis, %xs, %fill : f32
    linalg.yield %y : f32
  } -> tensor<2x4x6x6xf32>
  // Softmax over the last dimension of %s.
  %es = tensor.empty() : tensor<2x4x6x6xf32>
  %er = tensor.empty() : tensor<2x4x6xf32>
  %low = arith.constant 0xFF800000 : f32
  %zero = arith.constant 0.0 : f32
  %max0 = linalg.fill ins(%low : f32) outs(%er : tensor<2x4x6xf32>) -> tensor<2x4x6xf32>
  %max = linalg.reduce { arith.maximumf } ins(%s : tensor<2x4x6x6xf32>) outs(%max0 : tensor<2x4x6xf32>) dimensions = [3]
  %exp = linalg.generic {indexing_maps = [#id, #row, #id], iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%s, %max : tensor<2x4x6x6xf32>, tensor<2x4x6xf32>) outs(%es : tensor<2x4x6x6xf32>) {
  ^bb0(%x: f32, %m: f32, %out: f32):
    %c = arith.subf %x, %m : f32
    %e = math.exp %c : f32
    linalg.yield %e : f32
  } -> tensor<2x4x6x6xf32>
  %sum0 = linalg.fill ins(%zero : f32) outs(%er : tensor<2x4x6xf32>) -> tensor<2x4x6xf32>
  %sum = linalg.reduce { arith.addf } ins(%exp : tensor<2x4x6x6xf32>) outs(%sum0 : tensor<2x4x6xf32>) dimensions = [3]
  %p = linalg.generic {indexing_maps = [#id, #row, #id], iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%exp, %sum : tensor<2x4x6x6xf32>, tensor<2x4x6xf32>) outs(%es : tensor<2x4x6x6xf32>) {
  ^bb0(%x: f32, %m: f32, %out: f32):
    %c = arith.divf %x, %m : f32
    linalg.yield %c : f32
  } -> tensor<2x4x6x6xf32>
  %eo = tensor.empty() : tensor<2x6x4x16xf32>
  %zo = linalg.fill ins(%zero : f32) outs(%eo : tensor<2x6x4x16xf32>) -> tensor<2x6x4x16xf32>
  %o = linalg.generic {indexing_maps = [#pv_p, #pv_v, #pv_o], iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction"]}
      ins(%p, %v : tensor<2x4x6x6xf32>, tensor<2x6x4x16xf32>) outs(%zo : tensor<2x6x4x16xf32>) {
  ^bb0(%x: f32, %y: f32, %acc: f32):
    %m = arith.mulf %y, %x : f32
    %a = arith.addf %acc, %m : f32
    linalg.yield %a : f32
  } -> tensor<2x6x4x16xf32>
  return %o : tensor<2x6x4x16xf32>
}

// i - 3 <= j <= i + 1.
// CHECK-LABEL: @window_two_sided
// CHECK-SAME: (%[[Q:.*]]: tensor<2x6x4x8xf32>, %[[K:.*]]: tensor<2x6x4x8xf32>, %[[V:.*]]: tensor<2x6x4x16xf32>
// CHECK: %[[R:.*]] = diffattn.attention query(%[[Q]] : {{.*}}) key(%[[K]] : {{.*}}) value(%[[V]] : {{.*}}) outs({{.*}}) mask<window 3, 1> scale(5.000000e-01)
// CHECK-NEXT: return %[[R]]
func.func @window_two_sided(%q: tensor<2x6x4x8xf32>, %k: tensor<2x6x4x8xf32>, %v: tensor<2x6x4x16xf32>) -> tensor<2x6x4x16xf32> {
  %ez = tensor.empty() : tensor<2x4x6x6xf32>
  %f0 = arith.constant 0.0 : f32
  %z = linalg.fill ins(%f0 : f32) outs(%ez : tensor<2x4x6x6xf32>) -> tensor<2x4x6x6xf32>
  %s0 = linalg.generic {indexing_maps = [#qk_q, #qk_k, #qk_s], iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction"]}
      ins(%q, %k : tensor<2x6x4x8xf32>, tensor<2x6x4x8xf32>) outs(%z : tensor<2x4x6x6xf32>) {
  ^bb0(%x: f32, %y: f32, %acc: f32):
    %m = arith.mulf %x, %y : f32
    %a = arith.addf %m, %acc : f32
    linalg.yield %a : f32
  } -> tensor<2x4x6x6xf32>
  %s = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%s0 : tensor<2x4x6x6xf32>) outs(%ez : tensor<2x4x6x6xf32>) {
  ^bb0(%x: f32, %out: f32):
    %i = linalg.index 2 : index
    %j = linalg.index 3 : index
    %c3 = arith.constant 3 : index
    %c1 = arith.constant 1 : index
    %lo = arith.subi %i, %c3 : index
    %hi = arith.addi %i, %c1 : index
    %a = arith.cmpi sge, %j, %lo : index
    %b = arith.cmpi sle, %j, %hi : index
    %vis = arith.andi %a, %b : i1
    %fill = arith.constant 0xFF800000 : f32
    %half = arith.constant 0.5 : f32
    %xs = arith.mulf %x, %half : f32
    %y = arith.select %vis, %xs, %fill : f32
    linalg.yield %y : f32
  } -> tensor<2x4x6x6xf32>
  // Softmax over the last dimension of %s.
  %es = tensor.empty() : tensor<2x4x6x6xf32>
  %er = tensor.empty() : tensor<2x4x6xf32>
  %low = arith.constant 0xFF800000 : f32
  %zero = arith.constant 0.0 : f32
  %max0 = linalg.fill ins(%low : f32) outs(%er : tensor<2x4x6xf32>) -> tensor<2x4x6xf32>
  %max = linalg.reduce { arith.maximumf } ins(%s : tensor<2x4x6x6xf32>) outs(%max0 : tensor<2x4x6xf32>) dimensions = [3]
  %exp = linalg.generic {indexing_maps = [#id, #row, #id], iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%s, %max : tensor<2x4x6x6xf32>, tensor<2x4x6xf32>) outs(%es : tensor<2x4x6x6xf32>) {
  ^bb0(%x: f32, %m: f32, %out: f32):
    %c = arith.subf %x, %m : f32
    %e = math.exp %c : f32
    linalg.yield %e : f32
  } -> tensor<2x4x6x6xf32>
  %sum0 = linalg.fill ins(%zero : f32) outs(%er : tensor<2x4x6xf32>) -> tensor<2x4x6xf32>
  %sum = linalg.reduce { arith.addf } ins(%exp : tensor<2x4x6x6xf32>) outs(%sum0 : tensor<2x4x6xf32>) dimensions = [3]
  %p = linalg.generic {indexing_maps = [#id, #row, #id], iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%exp, %sum : tensor<2x4x6x6xf32>, tensor<2x4x6xf32>) outs(%es : tensor<2x4x6x6xf32>) {
  ^bb0(%x: f32, %m: f32, %out: f32):
    %c = arith.divf %x, %m : f32
    linalg.yield %c : f32
  } -> tensor<2x4x6x6xf32>
  %eo = tensor.empty() : tensor<2x6x4x16xf32>
  %zo = linalg.fill ins(%zero : f32) outs(%eo : tensor<2x6x4x16xf32>) -> tensor<2x6x4x16xf32>
  %o = linalg.generic {indexing_maps = [#pv_p, #pv_v, #pv_o], iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction"]}
      ins(%p, %v : tensor<2x4x6x6xf32>, tensor<2x6x4x16xf32>) outs(%zo : tensor<2x6x4x16xf32>) {
  ^bb0(%x: f32, %y: f32, %acc: f32):
    %m = arith.mulf %y, %x : f32
    %a = arith.addf %acc, %m : f32
    linalg.yield %a : f32
  } -> tensor<2x6x4x16xf32>
  return %o : tensor<2x6x4x16xf32>
}

// The additive mask of scaled_dot_product_attention.
// CHECK-LABEL: @causal_additive
// CHECK-SAME: (%[[Q:.*]]: tensor<2x6x4x8xf32>, %[[K:.*]]: tensor<2x6x4x8xf32>, %[[V:.*]]: tensor<2x6x4x16xf32>
// CHECK: %[[R:.*]] = diffattn.attention query(%[[Q]] : {{.*}}) key(%[[K]] : {{.*}}) value(%[[V]] : {{.*}}) outs({{.*}}) mask<causal> scale(5.000000e-01)
// CHECK-NEXT: return %[[R]]
func.func @causal_additive(%q: tensor<2x6x4x8xf32>, %k: tensor<2x6x4x8xf32>, %v: tensor<2x6x4x16xf32>) -> tensor<2x6x4x16xf32> {
  %ez = tensor.empty() : tensor<2x4x6x6xf32>
  %f0 = arith.constant 0.0 : f32
  %z = linalg.fill ins(%f0 : f32) outs(%ez : tensor<2x4x6x6xf32>) -> tensor<2x4x6x6xf32>
  %s0 = linalg.generic {indexing_maps = [#qk_q, #qk_k, #qk_s], iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction"]}
      ins(%q, %k : tensor<2x6x4x8xf32>, tensor<2x6x4x8xf32>) outs(%z : tensor<2x4x6x6xf32>) {
  ^bb0(%x: f32, %y: f32, %acc: f32):
    %m = arith.mulf %x, %y : f32
    %a = arith.addf %m, %acc : f32
    linalg.yield %a : f32
  } -> tensor<2x4x6x6xf32>
  // Rows and columns as tensors of i64, compared, and lowered to 0 and -inf.
  %ei = tensor.empty() : tensor<6xi64>
  %iota = linalg.generic {indexing_maps = [#vec], iterator_types = ["parallel"]}
      outs(%ei : tensor<6xi64>) {
  ^bb0(%out: i64):
    %i = linalg.index 0 : index
    %c = arith.index_cast %i : index to i64
    linalg.yield %c : i64
  } -> tensor<6xi64>
  %rows = tensor.expand_shape %iota [[0, 1]] output_shape [6, 1] : tensor<6xi64> into tensor<6x1xi64>
  %cols = tensor.expand_shape %iota [[0, 1]] output_shape [1, 6] : tensor<6xi64> into tensor<1x6xi64>
  %eb = tensor.empty() : tensor<6x6xi1>
  %tril = linalg.generic {indexing_maps = [#first, #second, #mat], iterator_types = ["parallel", "parallel"]}
      ins(%cols, %rows : tensor<1x6xi64>, tensor<6x1xi64>) outs(%eb : tensor<6x6xi1>) {
  ^bb0(%x: i64, %y: i64, %out: i1):
    %d = arith.subi %x, %y : i64
    %c0 = arith.constant 0 : i64
    %b = arith.cmpi sle, %d, %c0 : i64
    linalg.yield %b : i1
  } -> tensor<6x6xi1>
  %ones = arith.constant dense<true> : tensor<6x6xi1>
  %both = arith.andi %tril, %ones : tensor<6x6xi1>
  %ef = tensor.empty() : tensor<6x6xf32>
  %bias = linalg.generic {indexing_maps = [#mat, #mat], iterator_types = ["parallel", "parallel"]}
      ins(%both : tensor<6x6xi1>) outs(%ef : tensor<6x6xf32>) {
  ^bb0(%x: i1, %out: f32):
    %a = arith.constant 0.0 : f32
    %b = arith.constant 0xFF800000 : f32
    %y = arith.select %x, %a, %b : f32
    linalg.yield %y : f32
  } -> tensor<6x6xf32>
  %s = linalg.generic {indexing_maps = [#id, #keyrow, #id], iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%s0, %bias : tensor<2x4x6x6xf32>, tensor<6x6xf32>) outs(%ez : tensor<2x4x6x6xf32>) {
  ^bb0(%x: f32, %y: f32, %out: f32):
    %half = arith.constant 0.5 : f32
    %xs = arith.mulf %half, %x : f32
    %a = arith.addf %xs, %y : f32
    linalg.yield %a : f32
  } -> tensor<2x4x6x6xf32>
  // Softmax over the last dimension of %s.
  %es = tensor.empty() : tensor<2x4x6x6xf32>
  %er = tensor.empty() : tensor<2x4x6xf32>
  %low = arith.constant 0xFF800000 : f32
  %zero = arith.constant 0.0 : f32
  %max0 = linalg.fill ins(%low : f32) outs(%er : tensor<2x4x6xf32>) -> tensor<2x4x6xf32>
  %max = linalg.reduce { arith.maximumf } ins(%s : tensor<2x4x6x6xf32>) outs(%max0 : tensor<2x4x6xf32>) dimensions = [3]
  %exp = linalg.generic {indexing_maps = [#id, #row, #id], iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%s, %max : tensor<2x4x6x6xf32>, tensor<2x4x6xf32>) outs(%es : tensor<2x4x6x6xf32>) {
  ^bb0(%x: f32, %m: f32, %out: f32):
    %c = arith.subf %x, %m : f32
    %e = math.exp %c : f32
    linalg.yield %e : f32
  } -> tensor<2x4x6x6xf32>
  %sum0 = linalg.fill ins(%zero : f32) outs(%er : tensor<2x4x6xf32>) -> tensor<2x4x6xf32>
  %sum = linalg.reduce { arith.addf } ins(%exp : tensor<2x4x6x6xf32>) outs(%sum0 : tensor<2x4x6xf32>) dimensions = [3]
  %p = linalg.generic {indexing_maps = [#id, #row, #id], iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%exp, %sum : tensor<2x4x6x6xf32>, tensor<2x4x6xf32>) outs(%es : tensor<2x4x6x6xf32>) {
  ^bb0(%x: f32, %m: f32, %out: f32):
    %c = arith.divf %x, %m : f32
    linalg.yield %c : f32
  } -> tensor<2x4x6x6xf32>
  %eo = tensor.empty() : tensor<2x6x4x16xf32>
  %zo = linalg.fill ins(%zero : f32) outs(%eo : tensor<2x6x4x16xf32>) -> tensor<2x6x4x16xf32>
  %o = linalg.generic {indexing_maps = [#pv_p, #pv_v, #pv_o], iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction"]}
      ins(%p, %v : tensor<2x4x6x6xf32>, tensor<2x6x4x16xf32>) outs(%zo : tensor<2x6x4x16xf32>) {
  ^bb0(%x: f32, %y: f32, %acc: f32):
    %m = arith.mulf %y, %x : f32
    %a = arith.addf %acc, %m : f32
    linalg.yield %a : f32
  } -> tensor<2x6x4x16xf32>
  return %o : tensor<2x6x4x16xf32>
}

// cap * tanh(scale * score / cap).
// CHECK-LABEL: @softcap
// CHECK-SAME: (%[[Q:.*]]: tensor<2x6x4x8xf32>, %[[K:.*]]: tensor<2x6x4x8xf32>, %[[V:.*]]: tensor<2x6x4x16xf32>
// CHECK: %[[R:.*]] = diffattn.attention query(%[[Q]] : {{.*}}) key(%[[K]] : {{.*}}) value(%[[V]] : {{.*}}) outs({{.*}}) mask<causal> scale(5.000000e-01) softcap(4.000000e+00)
// CHECK-NEXT: return %[[R]]
func.func @softcap(%q: tensor<2x6x4x8xf32>, %k: tensor<2x6x4x8xf32>, %v: tensor<2x6x4x16xf32>) -> tensor<2x6x4x16xf32> {
  %ez = tensor.empty() : tensor<2x4x6x6xf32>
  %f0 = arith.constant 0.0 : f32
  %z = linalg.fill ins(%f0 : f32) outs(%ez : tensor<2x4x6x6xf32>) -> tensor<2x4x6x6xf32>
  %s0 = linalg.generic {indexing_maps = [#qk_q, #qk_k, #qk_s], iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction"]}
      ins(%q, %k : tensor<2x6x4x8xf32>, tensor<2x6x4x8xf32>) outs(%z : tensor<2x4x6x6xf32>) {
  ^bb0(%x: f32, %y: f32, %acc: f32):
    %m = arith.mulf %x, %y : f32
    %a = arith.addf %m, %acc : f32
    linalg.yield %a : f32
  } -> tensor<2x4x6x6xf32>
  %s = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%s0 : tensor<2x4x6x6xf32>) outs(%ez : tensor<2x4x6x6xf32>) {
  ^bb0(%x: f32, %out: f32):
    %i = linalg.index 2 : index
    %j = linalg.index 3 : index
    %cap = arith.constant 4.0 : f32
    %small = arith.constant 0.125 : f32
    %a = arith.mulf %x, %small : f32
    %t = math.tanh %a : f32
    %c = arith.mulf %t, %cap : f32
    %vis = arith.cmpi sle, %j, %i : index
    %fill = arith.constant 0xFF800000 : f32
    %y = arith.select %vis, %c, %fill : f32
    linalg.yield %y : f32
  } -> tensor<2x4x6x6xf32>
  // Softmax over the last dimension of %s.
  %es = tensor.empty() : tensor<2x4x6x6xf32>
  %er = tensor.empty() : tensor<2x4x6xf32>
  %low = arith.constant 0xFF800000 : f32
  %zero = arith.constant 0.0 : f32
  %max0 = linalg.fill ins(%low : f32) outs(%er : tensor<2x4x6xf32>) -> tensor<2x4x6xf32>
  %max = linalg.reduce { arith.maximumf } ins(%s : tensor<2x4x6x6xf32>) outs(%max0 : tensor<2x4x6xf32>) dimensions = [3]
  %exp = linalg.generic {indexing_maps = [#id, #row, #id], iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%s, %max : tensor<2x4x6x6xf32>, tensor<2x4x6xf32>) outs(%es : tensor<2x4x6x6xf32>) {
  ^bb0(%x: f32, %m: f32, %out: f32):
    %c = arith.subf %x, %m : f32
    %e = math.exp %c : f32
    linalg.yield %e : f32
  } -> tensor<2x4x6x6xf32>
  %sum0 = linalg.fill ins(%zero : f32) outs(%er : tensor<2x4x6xf32>) -> tensor<2x4x6xf32>
  %sum = linalg.reduce { arith.addf } ins(%exp : tensor<2x4x6x6xf32>) outs(%sum0 : tensor<2x4x6xf32>) dimensions = [3]
  %p = linalg.generic {indexing_maps = [#id, #row, #id], iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%exp, %sum : tensor<2x4x6x6xf32>, tensor<2x4x6xf32>) outs(%es : tensor<2x4x6x6xf32>) {
  ^bb0(%x: f32, %m: f32, %out: f32):
    %c = arith.divf %x, %m : f32
    linalg.yield %c : f32
  } -> tensor<2x4x6x6xf32>
  %eo = tensor.empty() : tensor<2x6x4x16xf32>
  %zo = linalg.fill ins(%zero : f32) outs(%eo : tensor<2x6x4x16xf32>) -> tensor<2x6x4x16xf32>
  %o = linalg.generic {indexing_maps = [#pv_p, #pv_v, #pv_o], iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction"]}
      ins(%p, %v : tensor<2x4x6x6xf32>, tensor<2x6x4x16xf32>) outs(%zo : tensor<2x6x4x16xf32>) {
  ^bb0(%x: f32, %y: f32, %acc: f32):
    %m = arith.mulf %y, %x : f32
    %a = arith.addf %acc, %m : f32
    linalg.yield %a : f32
  } -> tensor<2x6x4x16xf32>
  return %o : tensor<2x6x4x16xf32>
}

// scaled_dot_product_attention as torch-mlir decomposes it: batch and heads
// collapsed, keys repeated by broadcast, the square root of the scale on query and
// key as f64 constants, rows without a key guarded.
// CHECK-LABEL: @torch_sdpa
// CHECK-SAME: (%[[Q:.*]]: tensor<2x6x4x8xf32>, %[[K:.*]]: tensor<2x6x2x8xf32>, %[[V:.*]]: tensor<2x6x2x8xf32>)
// CHECK: %[[R:.*]] = diffattn.attention query(%[[Q]] : {{.*}}) key(%[[K]] : {{.*}}) value(%[[V]] : {{.*}}) outs({{.*}})
// CHECK-NOT: linalg
// CHECK: return %[[R]]
func.func @torch_sdpa(%q: tensor<2x6x4x8xf32>, %k: tensor<2x6x2x8xf32>, %v: tensor<2x6x2x8xf32>) -> tensor<2x6x4x8xf32> {
  %root = arith.constant 0.59460355750136051 : f64
  %true = arith.constant true
  %zeros = arith.constant dense<0.0> : tensor<2x4x6x6xf32>
  %eq = tensor.empty() : tensor<2x4x6x8xf32>
  %ek = tensor.empty() : tensor<2x2x6x8xf32>
  %qt = linalg.transpose ins(%q : tensor<2x6x4x8xf32>) outs(%eq : tensor<2x4x6x8xf32>) permutation = [0, 2, 1, 3]
  %kt = linalg.transpose ins(%k : tensor<2x6x2x8xf32>) outs(%ek : tensor<2x2x6x8xf32>) permutation = [0, 2, 1, 3]
  %vt = linalg.transpose ins(%v : tensor<2x6x2x8xf32>) outs(%ek : tensor<2x2x6x8xf32>) permutation = [0, 2, 1, 3]
  %qs = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%qt : tensor<2x4x6x8xf32>) outs(%eq : tensor<2x4x6x8xf32>) {
  ^bb0(%x: f32, %out: f32):
    %c = arith.truncf %root : f64 to f32
    %y = arith.mulf %x, %c : f32
    linalg.yield %y : f32
  } -> tensor<2x4x6x8xf32>
  %e5 = tensor.empty() : tensor<2x2x2x6x8xf32>
  %k5 = linalg.generic {indexing_maps = [#repeat, #rid5], iterator_types = ["parallel", "parallel", "parallel", "parallel", "parallel"]}
      ins(%kt : tensor<2x2x6x8xf32>) outs(%e5 : tensor<2x2x2x6x8xf32>) {
  ^bb0(%x: f32, %out: f32):
    linalg.yield %x : f32
  } -> tensor<2x2x2x6x8xf32>
  %kr = tensor.collapse_shape %k5 [[0], [1, 2], [3], [4]] : tensor<2x2x2x6x8xf32> into tensor<2x4x6x8xf32>
  %v5 = linalg.generic {indexing_maps = [#repeat, #rid5], iterator_types = ["parallel", "parallel", "parallel", "parallel", "parallel"]}
      ins(%vt : tensor<2x2x6x8xf32>) outs(%e5 : tensor<2x2x2x6x8xf32>) {
  ^bb0(%x: f32, %out: f32):
    linalg.yield %x : f32
  } -> tensor<2x2x2x6x8xf32>
  %ekt = tensor.empty() : tensor<2x4x8x6xf32>
  %krt = linalg.transpose ins(%kr : tensor<2x4x6x8xf32>) outs(%ekt : tensor<2x4x8x6xf32>) permutation = [0, 1, 3, 2]
  %ks = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%krt : tensor<2x4x8x6xf32>) outs(%ekt : tensor<2x4x8x6xf32>) {
  ^bb0(%x: f32, %out: f32):
    %c = arith.truncf %root : f64 to f32
    %y = arith.mulf %x, %c : f32
    linalg.yield %y : f32
  } -> tensor<2x4x8x6xf32>
  %q3 = tensor.collapse_shape %qs [[0, 1], [2], [3]] : tensor<2x4x6x8xf32> into tensor<8x6x8xf32>
  %k3 = tensor.collapse_shape %ks [[0, 1], [2], [3]] : tensor<2x4x8x6xf32> into tensor<8x8x6xf32>
  %v3 = tensor.collapse_shape %v5 [[0, 1, 2], [3], [4]] : tensor<2x2x2x6x8xf32> into tensor<8x6x8xf32>
  %e3 = tensor.empty() : tensor<8x6x6xf32>
  %f0 = arith.constant 0.0 : f32
  %z3 = linalg.fill ins(%f0 : f32) outs(%e3 : tensor<8x6x6xf32>) -> tensor<8x6x6xf32>
  %s3 = linalg.batch_matmul ins(%q3, %k3 : tensor<8x6x8xf32>, tensor<8x8x6xf32>) outs(%z3 : tensor<8x6x6xf32>) -> tensor<8x6x6xf32>
  %s = tensor.expand_shape %s3 [[0, 1], [2], [3]] output_shape [2, 4, 6, 6] : tensor<8x6x6xf32> into tensor<2x4x6x6xf32>
  // Softmax over the last dimension of %s.
  %es = tensor.empty() : tensor<2x4x6x6xf32>
  %er = tensor.empty() : tensor<2x4x6xf32>
  %low = arith.constant 0xFF800000 : f32
  %zero = arith.constant 0.0 : f32
  %max0 = linalg.fill ins(%low : f32) outs(%er : tensor<2x4x6xf32>) -> tensor<2x4x6xf32>
  %max = linalg.reduce { arith.maximumf } ins(%s : tensor<2x4x6x6xf32>) outs(%max0 : tensor<2x4x6xf32>) dimensions = [3]
  %exp = linalg.generic {indexing_maps = [#id, #row, #id], iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%s, %max : tensor<2x4x6x6xf32>, tensor<2x4x6xf32>) outs(%es : tensor<2x4x6x6xf32>) {
  ^bb0(%x: f32, %m: f32, %out: f32):
    %c = arith.subf %x, %m : f32
    %e = math.exp %c : f32
    linalg.yield %e : f32
  } -> tensor<2x4x6x6xf32>
  %sum0 = linalg.fill ins(%zero : f32) outs(%er : tensor<2x4x6xf32>) -> tensor<2x4x6xf32>
  %sum = linalg.reduce { arith.addf } ins(%exp : tensor<2x4x6x6xf32>) outs(%sum0 : tensor<2x4x6xf32>) dimensions = [3]
  %p = linalg.generic {indexing_maps = [#id, #row, #id], iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%exp, %sum : tensor<2x4x6x6xf32>, tensor<2x4x6xf32>) outs(%es : tensor<2x4x6x6xf32>) {
  ^bb0(%x: f32, %m: f32, %out: f32):
    %c = arith.divf %x, %m : f32
    linalg.yield %c : f32
  } -> tensor<2x4x6x6xf32>
  // Rows whose scores are all -inf.
  %eb = tensor.empty() : tensor<2x4x6x6xi1>
  %er1 = tensor.empty() : tensor<2x4x6xi1>
  %isinf = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%s : tensor<2x4x6x6xf32>) outs(%eb : tensor<2x4x6x6xi1>) {
  ^bb0(%x: f32, %out: i1):
    %w = arith.extf %x : f32 to f64
    %inf = arith.constant 0xFFF0000000000000 : f64
    %b = arith.cmpf oeq, %w, %inf : f64
    linalg.yield %b : i1
  } -> tensor<2x4x6x6xi1>
  %all0 = linalg.fill ins(%true : i1) outs(%er1 : tensor<2x4x6xi1>) -> tensor<2x4x6xi1>
  %all = linalg.reduce { arith.andi } ins(%isinf : tensor<2x4x6x6xi1>) outs(%all0 : tensor<2x4x6xi1>) dimensions = [3]
  %guarded = linalg.generic {indexing_maps = [#row, #id, #id, #id], iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%all, %zeros, %p : tensor<2x4x6xi1>, tensor<2x4x6x6xf32>, tensor<2x4x6x6xf32>) outs(%es : tensor<2x4x6x6xf32>) {
  ^bb0(%b: i1, %x: f32, %y: f32, %out: f32):
    %g = arith.select %b, %x, %y : f32
    linalg.yield %g : f32
  } -> tensor<2x4x6x6xf32>
  %p3 = tensor.collapse_shape %guarded [[0, 1], [2], [3]] : tensor<2x4x6x6xf32> into tensor<8x6x6xf32>
  %eo3 = tensor.empty() : tensor<8x6x8xf32>
  %zo3 = linalg.fill ins(%zero : f32) outs(%eo3 : tensor<8x6x8xf32>) -> tensor<8x6x8xf32>
  %o3 = linalg.batch_matmul ins(%p3, %v3 : tensor<8x6x6xf32>, tensor<8x6x8xf32>) outs(%zo3 : tensor<8x6x8xf32>) -> tensor<8x6x8xf32>
  %o4 = tensor.expand_shape %o3 [[0, 1], [2], [3]] output_shape [2, 4, 6, 8] : tensor<8x6x8xf32> into tensor<2x4x6x8xf32>
  %eot = tensor.empty() : tensor<2x6x4x8xf32>
  %o = linalg.transpose ins(%o4 : tensor<2x4x6x8xf32>) outs(%eot : tensor<2x6x4x8xf32>) permutation = [0, 2, 1, 3]
  return %o : tensor<2x6x4x8xf32>
}

#id5 = affine_map<(b, g, r, m, n) -> (b, g, r, m, n)>
#row5 = affine_map<(b, g, r, m, n) -> (b, g, r, m)>
#g_q = affine_map<(b, g, r, m, n, d) -> (b, m, g, r, d)>
#g_k = affine_map<(b, g, r, m, n, d) -> (b, n, g, d)>
#g_s = affine_map<(b, g, r, m, n, d) -> (b, g, r, m, n)>
#g_p = affine_map<(b, m, g, r, e, n) -> (b, g, r, m, n)>
#g_v = affine_map<(b, m, g, r, e, n) -> (b, n, g, e)>
#g_o = affine_map<(b, m, g, r, e, n) -> (b, m, g, r, e)>
#g_sum = affine_map<(b, m, g, r, e) -> (b, g, r, m)>

// A grouped contraction in base 2, divided by the row sums after the product.
// CHECK-LABEL: @grouped_exp2
// CHECK-SAME: (%[[Q:.*]]: tensor<2x6x4x8xf32>, %[[K:.*]]: tensor<2x6x2x8xf32>, %[[V:.*]]: tensor<2x6x2x16xf32>
// CHECK: %[[R:.*]] = diffattn.attention query(%[[Q]] : {{.*}}) key(%[[K]] : {{.*}}) value(%[[V]] : {{.*}}) outs({{.*}}) mask<causal> scale(0.4999999
// CHECK-NOT: linalg
// CHECK: return %[[R]]
func.func @grouped_exp2(%q: tensor<2x6x4x8xf32>, %k: tensor<2x6x2x8xf32>, %v: tensor<2x6x2x16xf32>) -> tensor<2x6x4x16xf32> {
  %q5 = tensor.expand_shape %q [[0], [1], [2, 3], [4]] output_shape [2, 6, 2, 2, 8] : tensor<2x6x4x8xf32> into tensor<2x6x2x2x8xf32>
  %zero = arith.constant 0.0 : f32
  %low = arith.constant -2.38197633E+38 : f32
  %es = tensor.empty() : tensor<2x2x2x6x6xf32>
  %er = tensor.empty() : tensor<2x2x2x6xf32>
  %z = linalg.fill ins(%zero : f32) outs(%es : tensor<2x2x2x6x6xf32>) -> tensor<2x2x2x6x6xf32>
  %s0 = linalg.generic {indexing_maps = [#g_q, #g_k, #g_s], iterator_types = ["parallel", "parallel", "parallel", "parallel", "parallel", "reduction"]}
      ins(%q5, %k : tensor<2x6x2x2x8xf32>, tensor<2x6x2x8xf32>) outs(%z : tensor<2x2x2x6x6xf32>) {
  ^bb0(%x: f32, %y: f32, %acc: f32):
    %m = arith.mulf %y, %x : f32
    %a = arith.addf %acc, %m : f32
    linalg.yield %a : f32
  } -> tensor<2x2x2x6x6xf32>
  %s = linalg.generic {indexing_maps = [#id5, #id5], iterator_types = ["parallel", "parallel", "parallel", "parallel", "parallel"]}
      ins(%s0 : tensor<2x2x2x6x6xf32>) outs(%es : tensor<2x2x2x6x6xf32>) {
  ^bb0(%x: f32, %out: f32):
    // log2(e) / 2.
    %c = arith.constant 0.72134752 : f32
    %y = arith.mulf %x, %c : f32
    %i = linalg.index 3 : index
    %j = linalg.index 4 : index
    %vis = arith.cmpi sge, %i, %j : index
    %w = arith.select %vis, %y, %low : f32
    linalg.yield %w : f32
  } -> tensor<2x2x2x6x6xf32>
  %max0 = linalg.fill ins(%low : f32) outs(%er : tensor<2x2x2x6xf32>) -> tensor<2x2x2x6xf32>
  %max = linalg.reduce { arith.maximumf } ins(%s : tensor<2x2x2x6x6xf32>) outs(%max0 : tensor<2x2x2x6xf32>) dimensions = [4]
  %exp = linalg.generic {indexing_maps = [#id5, #row5, #id5], iterator_types = ["parallel", "parallel", "parallel", "parallel", "parallel"]}
      ins(%s, %max : tensor<2x2x2x6x6xf32>, tensor<2x2x2x6xf32>) outs(%es : tensor<2x2x2x6x6xf32>) {
  ^bb0(%x: f32, %m: f32, %out: f32):
    %c = arith.subf %x, %m : f32
    %e = math.exp2 %c : f32
    linalg.yield %e : f32
  } -> tensor<2x2x2x6x6xf32>
  %sum0 = linalg.fill ins(%zero : f32) outs(%er : tensor<2x2x2x6xf32>) -> tensor<2x2x2x6xf32>
  %sum = linalg.reduce { arith.addf } ins(%exp : tensor<2x2x2x6x6xf32>) outs(%sum0 : tensor<2x2x2x6xf32>) dimensions = [4]
  %eo = tensor.empty() : tensor<2x6x2x2x16xf32>
  %zo = linalg.fill ins(%zero : f32) outs(%eo : tensor<2x6x2x2x16xf32>) -> tensor<2x6x2x2x16xf32>
  %o0 = linalg.generic {indexing_maps = [#g_v, #g_p, #g_o], iterator_types = ["parallel", "parallel", "parallel", "parallel", "parallel", "reduction"]}
      ins(%v, %exp : tensor<2x6x2x16xf32>, tensor<2x2x2x6x6xf32>) outs(%zo : tensor<2x6x2x2x16xf32>) {
  ^bb0(%x: f32, %y: f32, %acc: f32):
    %m = arith.mulf %y, %x : f32
    %a = arith.addf %acc, %m : f32
    linalg.yield %a : f32
  } -> tensor<2x6x2x2x16xf32>
  %o5 = linalg.generic {indexing_maps = [#id5, #g_sum, #id5], iterator_types = ["parallel", "parallel", "parallel", "parallel", "parallel"]}
      ins(%o0, %sum : tensor<2x6x2x2x16xf32>, tensor<2x2x2x6xf32>) outs(%eo : tensor<2x6x2x2x16xf32>) {
  ^bb0(%x: f32, %m: f32, %out: f32):
    %one = arith.constant 1.0 : f32
    %r = arith.divf %one, %m : f32
    %y = arith.mulf %x, %r : f32
    linalg.yield %y : f32
  } -> tensor<2x6x2x2x16xf32>
  %o = tensor.collapse_shape %o5 [[0], [1], [2, 3], [4]] : tensor<2x6x2x2x16xf32> into tensor<2x6x4x16xf32>
  return %o : tensor<2x6x4x16xf32>
}

// Matrices: batch and heads are unit dimensions. Unscaled scores.
// CHECK-LABEL: @one_head
// CHECK-SAME: (%[[Q:[^:]*]]: tensor<6x8xf32>,
// CHECK: %[[QX:.*]] = tensor.expand_shape %[[Q]] {{\[}}[0, 1], [2, 3]] output_shape [1, 6, 1, 8]
// CHECK: diffattn.attention query(%[[QX]] : {{.*}} scale(1.000000e+00)
// CHECK-NOT: linalg
// CHECK: tensor.collapse_shape
func.func @one_head(%q: tensor<6x8xf32>, %k: tensor<6x8xf32>, %v: tensor<6x16xf32>) -> tensor<6x16xf32> {
  %zero = arith.constant 0.0 : f32
  %low = arith.constant 0xFF800000 : f32
  %es = tensor.empty() : tensor<6x6xf32>
  %er = tensor.empty() : tensor<6xf32>
  %z = linalg.fill ins(%zero : f32) outs(%es : tensor<6x6xf32>) -> tensor<6x6xf32>
  %s = linalg.matmul indexing_maps = [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (n, k)>, affine_map<(m, n, k) -> (m, n)>]
      ins(%q, %k : tensor<6x8xf32>, tensor<6x8xf32>) outs(%z : tensor<6x6xf32>) -> tensor<6x6xf32>
  %max0 = linalg.fill ins(%low : f32) outs(%er : tensor<6xf32>) -> tensor<6xf32>
  %max = linalg.reduce { arith.maximumf } ins(%s : tensor<6x6xf32>) outs(%max0 : tensor<6xf32>) dimensions = [1]
  %wide = linalg.broadcast ins(%max : tensor<6xf32>) outs(%es : tensor<6x6xf32>) dimensions = [1]
  %c = linalg.sub ins(%s, %wide : tensor<6x6xf32>, tensor<6x6xf32>) outs(%es : tensor<6x6xf32>) -> tensor<6x6xf32>
  %exp = linalg.exp ins(%c : tensor<6x6xf32>) outs(%es : tensor<6x6xf32>) -> tensor<6x6xf32>
  %sum0 = linalg.fill ins(%zero : f32) outs(%er : tensor<6xf32>) -> tensor<6xf32>
  %sum = linalg.reduce { arith.addf } ins(%exp : tensor<6x6xf32>) outs(%sum0 : tensor<6xf32>) dimensions = [1]
  %wides = linalg.broadcast ins(%sum : tensor<6xf32>) outs(%es : tensor<6x6xf32>) dimensions = [1]
  %p = linalg.div ins(%exp, %wides : tensor<6x6xf32>, tensor<6x6xf32>) outs(%es : tensor<6x6xf32>) -> tensor<6x6xf32>
  %eo = tensor.empty() : tensor<6x16xf32>
  %zo = linalg.fill ins(%zero : f32) outs(%eo : tensor<6x16xf32>) -> tensor<6x16xf32>
  %o = linalg.matmul ins(%p, %v : tensor<6x6xf32>, tensor<6x16xf32>) outs(%zo : tensor<6x16xf32>) -> tensor<6x16xf32>
  return %o : tensor<6x16xf32>
}
