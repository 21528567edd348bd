// RUN: diffattn-opt %s --pass-pipeline='builtin.module(func.func(diffattn-fuse{explain=true}))' --split-input-file --verify-diagnostics -o %t
// RUN: FileCheck %s < %t

// Attention that the operator does not cover stays as it is; the remark names
// the first condition that failed.

// CHECK-NOT: diffattn.attention

#id = affine_map<(b, h, m, n) -> (b, h, m, n)>
#row = affine_map<(b, h, m, n) -> (b, h, m)>
#keyrow = affine_map<(b, h, m, n) -> (m, n)>
#qk_q = affine_map<(b, h, m, n, d) -> (b, m, h, d)>
#qk_k = affine_map<(b, h, m, n, d) -> (b, n, h, d)>
#qk_s = affine_map<(b, h, m, n, d) -> (b, h, m, n)>
#pv_p = affine_map<(b, m, h, e, n) -> (b, h, m, n)>
#pv_v = affine_map<(b, m, h, e, n) -> (b, n, h, e)>
#pv_o = affine_map<(b, m, h, e, n) -> (b, m, h, e)>

func.func @mask_argument(%q: tensor<2x6x4x8xf32>, %k: tensor<2x6x4x8xf32>, %v: tensor<2x6x4x16xf32>, %mask: tensor<6x6xi1>) -> tensor<2x6x4x16xf32> {
  %zero = arith.constant 0.0 : f32
  %low = arith.constant 0xFF800000 : f32
  %es = tensor.empty() : tensor<2x4x6x6xf32>
  %er = tensor.empty() : tensor<2x4x6xf32>
  %z = linalg.fill ins(%zero : f32) outs(%es : tensor<2x4x6x6xf32>) -> tensor<2x4x6x6xf32>
  %s0 = linalg.generic {indexing_maps = [#qk_q, #qk_k, #qk_s], iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction"]}
      ins(%q, %k : tensor<2x6x4x8xf32>, tensor<2x6x4x8xf32>) outs(%z : tensor<2x4x6x6xf32>) {
  ^bb0(%x: f32, %y: f32, %acc: f32):
    %m = arith.mulf %x, %y : f32
    %a = arith.addf %m, %acc : f32
    linalg.yield %a : f32
  } -> tensor<2x4x6x6xf32>
  %s = linalg.generic {indexing_maps = [#id, #keyrow, #id], iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%s0, %mask : tensor<2x4x6x6xf32>, tensor<6x6xi1>) outs(%es : tensor<2x4x6x6xf32>) {
  ^bb0(%x: f32, %b: i1, %out: f32):
    %fill = arith.constant 0xFF800000 : f32
    %y = arith.select %b, %x, %fill : f32
    linalg.yield %y : f32
  } -> tensor<2x4x6x6xf32>
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
  // expected-remark @below {{the mask depends on data; only masks that are a function of row and key position are understood}}
  %o = linalg.generic {indexing_maps = [#pv_p, #pv_v, #pv_o], iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction"]}
      ins(%p, %v : tensor<2x4x6x6xf32>, tensor<2x6x4x16xf32>) outs(%zo : tensor<2x6x4x16xf32>) {
  ^bb0(%x: f32, %y: f32, %acc: f32):
    %m = arith.mulf %y, %x : f32
    %a = arith.addf %acc, %m : f32
    linalg.yield %a : f32
  } -> tensor<2x6x4x16xf32>
  return %o : tensor<2x6x4x16xf32>
}

// -----

#id = affine_map<(b, h, m, n) -> (b, h, m, n)>
#row = affine_map<(b, h, m, n) -> (b, h, m)>
#keyrow = affine_map<(b, h, m, n) -> (m, n)>
#qk_q = affine_map<(b, h, m, n, d) -> (b, m, h, d)>
#qk_k = affine_map<(b, h, m, n, d) -> (b, n, h, d)>
#qk_s = affine_map<(b, h, m, n, d) -> (b, h, m, n)>
#pv_p = affine_map<(b, m, h, e, n) -> (b, h, m, n)>
#pv_v = affine_map<(b, m, h, e, n) -> (b, n, h, e)>
#pv_o = affine_map<(b, m, h, e, n) -> (b, m, h, e)>

func.func @bias(%q: tensor<2x6x4x8xf32>, %k: tensor<2x6x4x8xf32>, %v: tensor<2x6x4x16xf32>, %bias: tensor<6x6xf32>) -> tensor<2x6x4x16xf32> {
  %zero = arith.constant 0.0 : f32
  %low = arith.constant 0xFF800000 : f32
  %es = tensor.empty() : tensor<2x4x6x6xf32>
  %er = tensor.empty() : tensor<2x4x6xf32>
  %z = linalg.fill ins(%zero : f32) outs(%es : tensor<2x4x6x6xf32>) -> tensor<2x4x6x6xf32>
  %s0 = linalg.generic {indexing_maps = [#qk_q, #qk_k, #qk_s], iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction"]}
      ins(%q, %k : tensor<2x6x4x8xf32>, tensor<2x6x4x8xf32>) outs(%z : tensor<2x4x6x6xf32>) {
  ^bb0(%x: f32, %y: f32, %acc: f32):
    %m = arith.mulf %x, %y : f32
    %a = arith.addf %m, %acc : f32
    linalg.yield %a : f32
  } -> tensor<2x4x6x6xf32>
  %s = linalg.generic {indexing_maps = [#id, #keyrow, #id], iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%s0, %bias : tensor<2x4x6x6xf32>, tensor<6x6xf32>) outs(%es : tensor<2x4x6x6xf32>) {
  ^bb0(%x: f32, %b: f32, %out: f32):
    %y = arith.addf %x, %b : f32
    linalg.yield %y : f32
  } -> tensor<2x4x6x6xf32>
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
  // expected-remark @below {{something is added to the scores that is not a mask of row and key position}}
  %o = linalg.generic {indexing_maps = [#pv_p, #pv_v, #pv_o], iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction"]}
      ins(%p, %v : tensor<2x4x6x6xf32>, tensor<2x6x4x16xf32>) outs(%zo : tensor<2x6x4x16xf32>) {
  ^bb0(%x: f32, %y: f32, %acc: f32):
    %m = arith.mulf %y, %x : f32
    %a = arith.addf %acc, %m : f32
    linalg.yield %a : f32
  } -> tensor<2x6x4x16xf32>
  return %o : tensor<2x6x4x16xf32>
}

// -----

#id = affine_map<(b, h, m, n) -> (b, h, m, n)>
#row = affine_map<(b, h, m, n) -> (b, h, m)>
#keyrow = affine_map<(b, h, m, n) -> (m, n)>
#qk_q = affine_map<(b, h, m, n, d) -> (b, m, h, d)>
#qk_k = affine_map<(b, h, m, n, d) -> (b, n, h, d)>
#qk_s = affine_map<(b, h, m, n, d) -> (b, h, m, n)>
#pv_p = affine_map<(b, m, h, e, n) -> (b, h, m, n)>
#pv_v = affine_map<(b, m, h, e, n) -> (b, n, h, e)>
#pv_o = affine_map<(b, m, h, e, n) -> (b, m, h, e)>

func.func @top_left(%q: tensor<2x4x4x8xf32>, %k: tensor<2x6x4x8xf32>, %v: tensor<2x6x4x16xf32>) -> tensor<2x4x4x16xf32> {
  %zero = arith.constant 0.0 : f32
  %low = arith.constant 0xFF800000 : f32
  %es = tensor.empty() : tensor<2x4x4x6xf32>
  %er = tensor.empty() : tensor<2x4x4xf32>
  %z = linalg.fill ins(%zero : f32) outs(%es : tensor<2x4x4x6xf32>) -> tensor<2x4x4x6xf32>
  %s0 = linalg.generic {indexing_maps = [#qk_q, #qk_k, #qk_s], iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction"]}
      ins(%q, %k : tensor<2x4x4x8xf32>, tensor<2x6x4x8xf32>) outs(%z : tensor<2x4x4x6xf32>) {
  ^bb0(%x: f32, %y: f32, %acc: f32):
    %m = arith.mulf %x, %y : f32
    %a = arith.addf %m, %acc : f32
    linalg.yield %a : f32
  } -> tensor<2x4x4x6xf32>
  %s = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%s0 : tensor<2x4x4x6xf32>) outs(%es : tensor<2x4x4x6xf32>) {
  ^bb0(%x: f32, %out: f32):
    %i = linalg.index 2 : index
    %j = linalg.index 3 : index
    %vis = arith.cmpi sge, %i, %j : index
    %fill = arith.constant 0xFF800000 : f32
    %y = arith.select %vis, %x, %fill : f32
    linalg.yield %y : f32
  } -> tensor<2x4x4x6xf32>
  %max0 = linalg.fill ins(%low : f32) outs(%er : tensor<2x4x4xf32>) -> tensor<2x4x4xf32>
  %max = linalg.reduce { arith.maximumf } ins(%s : tensor<2x4x4x6xf32>) outs(%max0 : tensor<2x4x4xf32>) dimensions = [3]
  %exp = linalg.generic {indexing_maps = [#id, #row, #id], iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%s, %max : tensor<2x4x4x6xf32>, tensor<2x4x4xf32>) outs(%es : tensor<2x4x4x6xf32>) {
  ^bb0(%x: f32, %m: f32, %out: f32):
    %c = arith.subf %x, %m : f32
    %e = math.exp %c : f32
    linalg.yield %e : f32
  } -> tensor<2x4x4x6xf32>
  %sum0 = linalg.fill ins(%zero : f32) outs(%er : tensor<2x4x4xf32>) -> tensor<2x4x4xf32>
  %sum = linalg.reduce { arith.addf } ins(%exp : tensor<2x4x4x6xf32>) outs(%sum0 : tensor<2x4x4xf32>) dimensions = [3]
  %p = linalg.generic {indexing_maps = [#id, #row, #id], iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%exp, %sum : tensor<2x4x4x6xf32>, tensor<2x4x4xf32>) outs(%es : tensor<2x4x4x6xf32>) {
  ^bb0(%x: f32, %m: f32, %out: f32):
    %c = arith.divf %x, %m : f32
    linalg.yield %c : f32
  } -> tensor<2x4x4x6xf32>
  %eo = tensor.empty() : tensor<2x4x4x16xf32>
  %zo = linalg.fill ins(%zero : f32) outs(%eo : tensor<2x4x4x16xf32>) -> tensor<2x4x4x16xf32>
  // expected-remark @below {{the mask is not aligned at the bottom right: its right bound would be -2, expected at least 0 relative to row + (keys - rows)}}
  %o = linalg.generic {indexing_maps = [#pv_p, #pv_v, #pv_o], iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction"]}
      ins(%p, %v : tensor<2x4x4x6xf32>, tensor<2x6x4x16xf32>) outs(%zo : tensor<2x4x4x16xf32>) {
  ^bb0(%x: f32, %y: f32, %acc: f32):
    %m = arith.mulf %y, %x : f32
    %a = arith.addf %acc, %m : f32
    linalg.yield %a : f32
  } -> tensor<2x4x4x16xf32>
  return %o : tensor<2x4x4x16xf32>
}

// -----

#id = affine_map<(b, h, m, n) -> (b, h, m, n)>
#row = affine_map<(b, h, m, n) -> (b, h, m)>
#keyrow = affine_map<(b, h, m, n) -> (m, n)>
#qk_q = affine_map<(b, h, m, n, d) -> (b, m, h, d)>
#qk_k = affine_map<(b, h, m, n, d) -> (b, n, h, d)>
#qk_s = affine_map<(b, h, m, n, d) -> (b, h, m, n)>
#pv_p = affine_map<(b, m, h, e, n) -> (b, h, m, n)>
#pv_v = affine_map<(b, m, h, e, n) -> (b, n, h, e)>
#pv_o = affine_map<(b, m, h, e, n) -> (b, m, h, e)>

func.func @strictly_causal(%q: tensor<2x6x4x8xf32>, %k: tensor<2x6x4x8xf32>, %v: tensor<2x6x4x16xf32>) -> tensor<2x6x4x16xf32> {
  %zero = arith.constant 0.0 : f32
  %low = arith.constant 0xFF800000 : f32
  %es = tensor.empty() : tensor<2x4x6x6xf32>
  %er = tensor.empty() : tensor<2x4x6xf32>
  %z = linalg.fill ins(%zero : f32) outs(%es : tensor<2x4x6x6xf32>) -> tensor<2x4x6x6xf32>
  %s0 = linalg.generic {indexing_maps = [#qk_q, #qk_k, #qk_s], iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction"]}
      ins(%q, %k : tensor<2x6x4x8xf32>, tensor<2x6x4x8xf32>) outs(%z : tensor<2x4x6x6xf32>) {
  ^bb0(%x: f32, %y: f32, %acc: f32):
    %m = arith.mulf %x, %y : f32
    %a = arith.addf %m, %acc : f32
    linalg.yield %a : f32
  } -> tensor<2x4x6x6xf32>
  %s = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%s0 : tensor<2x4x6x6xf32>) outs(%es : tensor<2x4x6x6xf32>) {
  ^bb0(%x: f32, %out: f32):
    %i = linalg.index 2 : index
    %j = linalg.index 3 : index
    %vis = arith.cmpi sgt, %i, %j : index
    %fill = arith.constant 0xFF800000 : f32
    %y = arith.select %vis, %x, %fill : f32
    linalg.yield %y : f32
  } -> tensor<2x4x6x6xf32>
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
  // expected-remark @below {{the mask is not aligned at the bottom right: its right bound would be -1}}
  %o = linalg.generic {indexing_maps = [#pv_p, #pv_v, #pv_o], iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction"]}
      ins(%p, %v : tensor<2x4x6x6xf32>, tensor<2x6x4x16xf32>) outs(%zo : tensor<2x6x4x16xf32>) {
  ^bb0(%x: f32, %y: f32, %acc: f32):
    %m = arith.mulf %y, %x : f32
    %a = arith.addf %acc, %m : f32
    linalg.yield %a : f32
  } -> tensor<2x6x4x16xf32>
  return %o : tensor<2x6x4x16xf32>
}

// -----

#id = affine_map<(b, h, m, n) -> (b, h, m, n)>
#row = affine_map<(b, h, m, n) -> (b, h, m)>
#keyrow = affine_map<(b, h, m, n) -> (m, n)>
#qk_q = affine_map<(b, h, m, n, d) -> (b, m, h, d)>
#qk_k = affine_map<(b, h, m, n, d) -> (b, n, h, d)>
#qk_s = affine_map<(b, h, m, n, d) -> (b, h, m, n)>
#pv_p = affine_map<(b, m, h, e, n) -> (b, h, m, n)>
#pv_v = affine_map<(b, m, h, e, n) -> (b, n, h, e)>
#pv_o = affine_map<(b, m, h, e, n) -> (b, m, h, e)>

func.func @hidden_band(%q: tensor<2x6x4x8xf32>, %k: tensor<2x6x4x8xf32>, %v: tensor<2x6x4x16xf32>) -> tensor<2x6x4x16xf32> {
  %zero = arith.constant 0.0 : f32
  %low = arith.constant 0xFF800000 : f32
  %es = tensor.empty() : tensor<2x4x6x6xf32>
  %er = tensor.empty() : tensor<2x4x6xf32>
  %z = linalg.fill ins(%zero : f32) outs(%es : tensor<2x4x6x6xf32>) -> tensor<2x4x6x6xf32>
  %s0 = linalg.generic {indexing_maps = [#qk_q, #qk_k, #qk_s], iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction"]}
      ins(%q, %k : tensor<2x6x4x8xf32>, tensor<2x6x4x8xf32>) outs(%z : tensor<2x4x6x6xf32>) {
  ^bb0(%x: f32, %y: f32, %acc: f32):
    %m = arith.mulf %x, %y : f32
    %a = arith.addf %m, %acc : f32
    linalg.yield %a : f32
  } -> tensor<2x4x6x6xf32>
  %s = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%s0 : tensor<2x4x6x6xf32>) outs(%es : tensor<2x4x6x6xf32>) {
  ^bb0(%x: f32, %out: f32):
    %i = linalg.index 2 : index
    %j = linalg.index 3 : index
    %a = arith.cmpi sgt, %i, %j : index
    %b = arith.cmpi slt, %i, %j : index
    %vis = arith.ori %a, %b : i1
    %fill = arith.constant 0xFF800000 : f32
    %y = arith.select %vis, %x, %fill : f32
    linalg.yield %y : f32
  } -> tensor<2x4x6x6xf32>
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
  // expected-remark @below {{the mask shows keys on either side of a hidden band}}
  %o = linalg.generic {indexing_maps = [#pv_p, #pv_v, #pv_o], iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction"]}
      ins(%p, %v : tensor<2x4x6x6xf32>, tensor<2x6x4x16xf32>) outs(%zo : tensor<2x6x4x16xf32>) {
  ^bb0(%x: f32, %y: f32, %acc: f32):
    %m = arith.mulf %y, %x : f32
    %a = arith.addf %acc, %m : f32
    linalg.yield %a : f32
  } -> tensor<2x6x4x16xf32>
  return %o : tensor<2x6x4x16xf32>
}

// -----

#id = affine_map<(b, h, m, n) -> (b, h, m, n)>
#row = affine_map<(b, h, m, n) -> (b, h, m)>
#keyrow = affine_map<(b, h, m, n) -> (m, n)>
#qk_q = affine_map<(b, h, m, n, d) -> (b, m, h, d)>
#qk_k = affine_map<(b, h, m, n, d) -> (b, n, h, d)>
#qk_s = affine_map<(b, h, m, n, d) -> (b, h, m, n)>
#pv_p = affine_map<(b, m, h, e, n) -> (b, h, m, n)>
#pv_v = affine_map<(b, m, h, e, n) -> (b, n, h, e)>
#pv_o = affine_map<(b, m, h, e, n) -> (b, m, h, e)>

func.func @stretched(%q: tensor<2x6x4x8xf32>, %k: tensor<2x6x4x8xf32>, %v: tensor<2x6x4x16xf32>) -> tensor<2x6x4x16xf32> {
  %zero = arith.constant 0.0 : f32
  %low = arith.constant 0xFF800000 : f32
  %es = tensor.empty() : tensor<2x4x6x6xf32>
  %er = tensor.empty() : tensor<2x4x6xf32>
  %z = linalg.fill ins(%zero : f32) outs(%es : tensor<2x4x6x6xf32>) -> tensor<2x4x6x6xf32>
  %s0 = linalg.generic {indexing_maps = [#qk_q, #qk_k, #qk_s], iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction"]}
      ins(%q, %k : tensor<2x6x4x8xf32>, tensor<2x6x4x8xf32>) outs(%z : tensor<2x4x6x6xf32>) {
  ^bb0(%x: f32, %y: f32, %acc: f32):
    %m = arith.mulf %x, %y : f32
    %a = arith.addf %m, %acc : f32
    linalg.yield %a : f32
  } -> tensor<2x4x6x6xf32>
  %s = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%s0 : tensor<2x4x6x6xf32>) outs(%es : tensor<2x4x6x6xf32>) {
  ^bb0(%x: f32, %out: f32):
    %i = linalg.index 2 : index
    %j = linalg.index 3 : index
    %c2 = arith.constant 2 : index
    %i2 = arith.muli %i, %c2 : index
    %vis = arith.cmpi sge, %i2, %j : index
    %fill = arith.constant 0xFF800000 : f32
    %y = arith.select %vis, %x, %fill : f32
    linalg.yield %y : f32
  } -> tensor<2x4x6x6xf32>
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
  // expected-remark @below {{the mask is not a band of key - row}}
  %o = linalg.generic {indexing_maps = [#pv_p, #pv_v, #pv_o], iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction"]}
      ins(%p, %v : tensor<2x4x6x6xf32>, tensor<2x6x4x16xf32>) outs(%zo : tensor<2x6x4x16xf32>) {
  ^bb0(%x: f32, %y: f32, %acc: f32):
    %m = arith.mulf %y, %x : f32
    %a = arith.addf %acc, %m : f32
    linalg.yield %a : f32
  } -> tensor<2x6x4x16xf32>
  return %o : tensor<2x6x4x16xf32>
}

// -----

#id = affine_map<(b, h, m, n) -> (b, h, m, n)>
#row = affine_map<(b, h, m, n) -> (b, h, m)>
#keyrow = affine_map<(b, h, m, n) -> (m, n)>
#qk_q = affine_map<(b, h, m, n, d) -> (b, m, h, d)>
#qk_k = affine_map<(b, h, m, n, d) -> (b, n, h, d)>
#qk_s = affine_map<(b, h, m, n, d) -> (b, h, m, n)>
#pv_p = affine_map<(b, m, h, e, n) -> (b, h, m, n)>
#pv_v = affine_map<(b, m, h, e, n) -> (b, n, h, e)>
#pv_o = affine_map<(b, m, h, e, n) -> (b, m, h, e)>

func.func @weak_fill(%q: tensor<2x6x4x8xf32>, %k: tensor<2x6x4x8xf32>, %v: tensor<2x6x4x16xf32>) -> tensor<2x6x4x16xf32> {
  %zero = arith.constant 0.0 : f32
  %low = arith.constant 0xFF800000 : f32
  %es = tensor.empty() : tensor<2x4x6x6xf32>
  %er = tensor.empty() : tensor<2x4x6xf32>
  %z = linalg.fill ins(%zero : f32) outs(%es : tensor<2x4x6x6xf32>) -> tensor<2x4x6x6xf32>
  %s0 = linalg.generic {indexing_maps = [#qk_q, #qk_k, #qk_s], iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction"]}
      ins(%q, %k : tensor<2x6x4x8xf32>, tensor<2x6x4x8xf32>) outs(%z : tensor<2x4x6x6xf32>) {
  ^bb0(%x: f32, %y: f32, %acc: f32):
    %m = arith.mulf %x, %y : f32
    %a = arith.addf %m, %acc : f32
    linalg.yield %a : f32
  } -> tensor<2x4x6x6xf32>
  %s = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%s0 : tensor<2x4x6x6xf32>) outs(%es : tensor<2x4x6x6xf32>) {
  ^bb0(%x: f32, %out: f32):
    %i = linalg.index 2 : index
    %j = linalg.index 3 : index
    %vis = arith.cmpi sge, %i, %j : index
    %fill = arith.constant -100.0 : f32
    %y = arith.select %vis, %x, %fill : f32
    linalg.yield %y : f32
  } -> tensor<2x4x6x6xf32>
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
  // expected-remark @below {{hidden scores are set to a number that does not hide them; use -inf or the lowest finite number}}
  %o = linalg.generic {indexing_maps = [#pv_p, #pv_v, #pv_o], iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction"]}
      ins(%p, %v : tensor<2x4x6x6xf32>, tensor<2x6x4x16xf32>) outs(%zo : tensor<2x6x4x16xf32>) {
  ^bb0(%x: f32, %y: f32, %acc: f32):
    %m = arith.mulf %y, %x : f32
    %a = arith.addf %acc, %m : f32
    linalg.yield %a : f32
  } -> tensor<2x6x4x16xf32>
  return %o : tensor<2x6x4x16xf32>
}

// -----

#id = affine_map<(b, h, m, n) -> (b, h, m, n)>
#row = affine_map<(b, h, m, n) -> (b, h, m)>
#keyrow = affine_map<(b, h, m, n) -> (m, n)>
#qk_q = affine_map<(b, h, m, n, d) -> (b, m, h, d)>
#qk_k = affine_map<(b, h, m, n, d) -> (b, n, h, d)>
#qk_s = affine_map<(b, h, m, n, d) -> (b, h, m, n)>
#pv_p = affine_map<(b, m, h, e, n) -> (b, h, m, n)>
#pv_v = affine_map<(b, m, h, e, n) -> (b, n, h, e)>
#pv_o = affine_map<(b, m, h, e, n) -> (b, m, h, e)>

func.func @finite_fill_in_empty_rows(%q: tensor<2x8x4x8xf32>, %k: tensor<2x6x4x8xf32>, %v: tensor<2x6x4x16xf32>) -> tensor<2x8x4x16xf32> {
  %zero = arith.constant 0.0 : f32
  %low = arith.constant 0xFF800000 : f32
  %es = tensor.empty() : tensor<2x4x8x6xf32>
  %er = tensor.empty() : tensor<2x4x8xf32>
  %z = linalg.fill ins(%zero : f32) outs(%es : tensor<2x4x8x6xf32>) -> tensor<2x4x8x6xf32>
  %s0 = linalg.generic {indexing_maps = [#qk_q, #qk_k, #qk_s], iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction"]}
      ins(%q, %k : tensor<2x8x4x8xf32>, tensor<2x6x4x8xf32>) outs(%z : tensor<2x4x8x6xf32>) {
  ^bb0(%x: f32, %y: f32, %acc: f32):
    %m = arith.mulf %x, %y : f32
    %a = arith.addf %m, %acc : f32
    linalg.yield %a : f32
  } -> tensor<2x4x8x6xf32>
  %s = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%s0 : tensor<2x4x8x6xf32>) outs(%es : tensor<2x4x8x6xf32>) {
  ^bb0(%x: f32, %out: f32):
    %i = linalg.index 2 : index
    %j = linalg.index 3 : index
    %c2 = arith.constant 2 : index
    %p = arith.subi %i, %c2 : index
    %vis = arith.cmpi sge, %p, %j : index
    %fill = arith.constant -3.40282347E+38 : f32
    %y = arith.select %vis, %x, %fill : f32
    linalg.yield %y : f32
  } -> tensor<2x4x8x6xf32>
  %max0 = linalg.fill ins(%low : f32) outs(%er : tensor<2x4x8xf32>) -> tensor<2x4x8xf32>
  %max = linalg.reduce { arith.maximumf } ins(%s : tensor<2x4x8x6xf32>) outs(%max0 : tensor<2x4x8xf32>) dimensions = [3]
  %exp = linalg.generic {indexing_maps = [#id, #row, #id], iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%s, %max : tensor<2x4x8x6xf32>, tensor<2x4x8xf32>) outs(%es : tensor<2x4x8x6xf32>) {
  ^bb0(%x: f32, %m: f32, %out: f32):
    %c = arith.subf %x, %m : f32
    %e = math.exp %c : f32
    linalg.yield %e : f32
  } -> tensor<2x4x8x6xf32>
  %sum0 = linalg.fill ins(%zero : f32) outs(%er : tensor<2x4x8xf32>) -> tensor<2x4x8xf32>
  %sum = linalg.reduce { arith.addf } ins(%exp : tensor<2x4x8x6xf32>) outs(%sum0 : tensor<2x4x8xf32>) dimensions = [3]
  %p = linalg.generic {indexing_maps = [#id, #row, #id], iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%exp, %sum : tensor<2x4x8x6xf32>, tensor<2x4x8xf32>) outs(%es : tensor<2x4x8x6xf32>) {
  ^bb0(%x: f32, %m: f32, %out: f32):
    %c = arith.divf %x, %m : f32
    linalg.yield %c : f32
  } -> tensor<2x4x8x6xf32>
  %eo = tensor.empty() : tensor<2x8x4x16xf32>
  %zo = linalg.fill ins(%zero : f32) outs(%eo : tensor<2x8x4x16xf32>) -> tensor<2x8x4x16xf32>
  // expected-remark @below {{rows without a key average the values, as masked scores are finite; mask with -inf}}
  %o = linalg.generic {indexing_maps = [#pv_p, #pv_v, #pv_o], iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction"]}
      ins(%p, %v : tensor<2x4x8x6xf32>, tensor<2x6x4x16xf32>) outs(%zo : tensor<2x8x4x16xf32>) {
  ^bb0(%x: f32, %y: f32, %acc: f32):
    %m = arith.mulf %y, %x : f32
    %a = arith.addf %acc, %m : f32
    linalg.yield %a : f32
  } -> tensor<2x8x4x16xf32>
  return %o : tensor<2x8x4x16xf32>
}

// -----

#id = affine_map<(b, h, m, n) -> (b, h, m, n)>
#row = affine_map<(b, h, m, n) -> (b, h, m)>
#keyrow = affine_map<(b, h, m, n) -> (m, n)>
#qk_q = affine_map<(b, h, m, n, d) -> (b, m, h, d)>
#qk_k = affine_map<(b, h, m, n, d) -> (b, n, h, d)>
#qk_s = affine_map<(b, h, m, n, d) -> (b, h, m, n)>
#pv_p = affine_map<(b, m, h, e, n) -> (b, h, m, n)>
#pv_v = affine_map<(b, m, h, e, n) -> (b, n, h, e)>
#pv_o = affine_map<(b, m, h, e, n) -> (b, m, h, e)>

func.func @other_sum(%q: tensor<2x6x4x8xf32>, %k: tensor<2x6x4x8xf32>, %v: tensor<2x6x4x16xf32>) -> tensor<2x6x4x16xf32> {
  %zero = arith.constant 0.0 : f32
  %low = arith.constant 0xFF800000 : f32
  %es = tensor.empty() : tensor<2x4x6x6xf32>
  %er = tensor.empty() : tensor<2x4x6xf32>
  %z = linalg.fill ins(%zero : f32) outs(%es : tensor<2x4x6x6xf32>) -> tensor<2x4x6x6xf32>
  %s0 = linalg.generic {indexing_maps = [#qk_q, #qk_k, #qk_s], iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction"]}
      ins(%q, %k : tensor<2x6x4x8xf32>, tensor<2x6x4x8xf32>) outs(%z : tensor<2x4x6x6xf32>) {
  ^bb0(%x: f32, %y: f32, %acc: f32):
    %m = arith.mulf %x, %y : f32
    %a = arith.addf %m, %acc : f32
    linalg.yield %a : f32
  } -> tensor<2x4x6x6xf32>
  %s = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%s0 : tensor<2x4x6x6xf32>) outs(%es : tensor<2x4x6x6xf32>) {
  ^bb0(%x: f32, %out: f32):
    %half = arith.constant 0.5 : f32
    %y = arith.mulf %x, %half : f32
    linalg.yield %y : f32
  } -> tensor<2x4x6x6xf32>
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
  %sum = linalg.reduce { arith.addf } ins(%s : tensor<2x4x6x6xf32>) outs(%sum0 : tensor<2x4x6xf32>) dimensions = [3]
  %p = linalg.generic {indexing_maps = [#id, #row, #id], iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%exp, %sum : tensor<2x4x6x6xf32>, tensor<2x4x6xf32>) outs(%es : tensor<2x4x6x6xf32>) {
  ^bb0(%x: f32, %m: f32, %out: f32):
    %c = arith.divf %x, %m : f32
    linalg.yield %c : f32
  } -> tensor<2x4x6x6xf32>
  %eo = tensor.empty() : tensor<2x6x4x16xf32>
  %zo = linalg.fill ins(%zero : f32) outs(%eo : tensor<2x6x4x16xf32>) -> tensor<2x6x4x16xf32>
  // expected-remark @below {{the weights are not divided by their own sum over the keys}}
  %o = linalg.generic {indexing_maps = [#pv_p, #pv_v, #pv_o], iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction"]}
      ins(%p, %v : tensor<2x4x6x6xf32>, tensor<2x6x4x16xf32>) outs(%zo : tensor<2x6x4x16xf32>) {
  ^bb0(%x: f32, %y: f32, %acc: f32):
    %m = arith.mulf %y, %x : f32
    %a = arith.addf %acc, %m : f32
    linalg.yield %a : f32
  } -> tensor<2x6x4x16xf32>
  return %o : tensor<2x6x4x16xf32>
}

// -----

#id = affine_map<(b, h, m, n) -> (b, h, m, n)>
#row = affine_map<(b, h, m, n) -> (b, h, m)>
#keyrow = affine_map<(b, h, m, n) -> (m, n)>
#qk_q = affine_map<(b, h, m, n, d) -> (b, m, h, d)>
#qk_k = affine_map<(b, h, m, n, d) -> (b, n, h, d)>
#qk_s = affine_map<(b, h, m, n, d) -> (b, h, m, n)>
#pv_p = affine_map<(b, m, h, e, n) -> (b, h, m, n)>
#pv_v = affine_map<(b, m, h, e, n) -> (b, n, h, e)>
#pv_o = affine_map<(b, m, h, e, n) -> (b, m, h, e)>

func.func @small_head(%q: tensor<2x6x4x4xf32>, %k: tensor<2x6x4x4xf32>, %v: tensor<2x6x4x16xf32>) -> tensor<2x6x4x16xf32> {
  %zero = arith.constant 0.0 : f32
  %low = arith.constant 0xFF800000 : f32
  %es = tensor.empty() : tensor<2x4x6x6xf32>
  %er = tensor.empty() : tensor<2x4x6xf32>
  %z = linalg.fill ins(%zero : f32) outs(%es : tensor<2x4x6x6xf32>) -> tensor<2x4x6x6xf32>
  %s0 = linalg.generic {indexing_maps = [#qk_q, #qk_k, #qk_s], iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction"]}
      ins(%q, %k : tensor<2x6x4x4xf32>, tensor<2x6x4x4xf32>) outs(%z : tensor<2x4x6x6xf32>) {
  ^bb0(%x: f32, %y: f32, %acc: f32):
    %m = arith.mulf %x, %y : f32
    %a = arith.addf %m, %acc : f32
    linalg.yield %a : f32
  } -> tensor<2x4x6x6xf32>
  %s = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%s0 : tensor<2x4x6x6xf32>) outs(%es : tensor<2x4x6x6xf32>) {
  ^bb0(%x: f32, %out: f32):
    %half = arith.constant 0.5 : f32
    %y = arith.mulf %x, %half : f32
    linalg.yield %y : f32
  } -> tensor<2x4x6x6xf32>
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
  // expected-remark @below {{head dimensions have to be multiples of 8, but are 4 and 16}}
  %o = linalg.generic {indexing_maps = [#pv_p, #pv_v, #pv_o], iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction"]}
      ins(%p, %v : tensor<2x4x6x6xf32>, tensor<2x6x4x16xf32>) outs(%zo : tensor<2x6x4x16xf32>) {
  ^bb0(%x: f32, %y: f32, %acc: f32):
    %m = arith.mulf %y, %x : f32
    %a = arith.addf %acc, %m : f32
    linalg.yield %a : f32
  } -> tensor<2x6x4x16xf32>
  return %o : tensor<2x6x4x16xf32>
}

// -----

#id = affine_map<(b, h, m, n) -> (b, h, m, n)>
#row = affine_map<(b, h, m, n) -> (b, h, m)>
#keyrow = affine_map<(b, h, m, n) -> (m, n)>
#qk_q = affine_map<(b, h, m, n, d) -> (b, m, h, d)>
#qk_k = affine_map<(b, h, m, n, d) -> (b, n, h, d)>
#qk_s = affine_map<(b, h, m, n, d) -> (b, h, m, n)>
#pv_p = affine_map<(b, m, h, e, n) -> (b, h, m, n)>
#pv_v = affine_map<(b, m, h, e, n) -> (b, n, h, e)>
#pv_o = affine_map<(b, m, h, e, n) -> (b, m, h, e)>

func.func @negative_scale(%q: tensor<2x6x4x8xf32>, %k: tensor<2x6x4x8xf32>, %v: tensor<2x6x4x16xf32>) -> tensor<2x6x4x16xf32> {
  %zero = arith.constant 0.0 : f32
  %low = arith.constant 0xFF800000 : f32
  %es = tensor.empty() : tensor<2x4x6x6xf32>
  %er = tensor.empty() : tensor<2x4x6xf32>
  %z = linalg.fill ins(%zero : f32) outs(%es : tensor<2x4x6x6xf32>) -> tensor<2x4x6x6xf32>
  %s0 = linalg.generic {indexing_maps = [#qk_q, #qk_k, #qk_s], iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction"]}
      ins(%q, %k : tensor<2x6x4x8xf32>, tensor<2x6x4x8xf32>) outs(%z : tensor<2x4x6x6xf32>) {
  ^bb0(%x: f32, %y: f32, %acc: f32):
    %m = arith.mulf %x, %y : f32
    %a = arith.addf %m, %acc : f32
    linalg.yield %a : f32
  } -> tensor<2x4x6x6xf32>
  %s = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%s0 : tensor<2x4x6x6xf32>) outs(%es : tensor<2x4x6x6xf32>) {
  ^bb0(%x: f32, %out: f32):
    %half = arith.constant -0.5 : f32
    %y = arith.mulf %x, %half : f32
    linalg.yield %y : f32
  } -> tensor<2x4x6x6xf32>
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
  // expected-remark @below {{scale and softcap have to be finite and greater than 0}}
  %o = linalg.generic {indexing_maps = [#pv_p, #pv_v, #pv_o], iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction"]}
      ins(%p, %v : tensor<2x4x6x6xf32>, tensor<2x6x4x16xf32>) outs(%zo : tensor<2x6x4x16xf32>) {
  ^bb0(%x: f32, %y: f32, %acc: f32):
    %m = arith.mulf %y, %x : f32
    %a = arith.addf %acc, %m : f32
    linalg.yield %a : f32
  } -> tensor<2x6x4x16xf32>
  return %o : tensor<2x6x4x16xf32>
}

// -----

// expected-remark @below {{nothing is fused in a function that asks for the size of a dimension that does not exist, or of a tensor without rank}}
func.func @undefined_size(%a: tensor<?x4xf32>) -> index {
  %c7 = arith.constant 7 : index
  %n = tensor.dim %a, %c7 : tensor<?x4xf32>
  return %n : index
}
