// RUN: diffattn-opt %s --pass-pipeline='builtin.module(func.func(diffattn-fuse{explain=true}))' --split-input-file --verify-diagnostics -o %t
// RUN: FileCheck %s < %t

// Near misses stay as they are; the remark says which condition failed.

// CHECK-NOT: {{ }}lambda(

#id = affine_map<(b, n, h, d) -> (b, n, h, d)>
#pair = affine_map<(b, n, h, d) -> (b, n, h)>
#unit = affine_map<(b, n, h, d) -> (b, n, h, 0)>
#id3 = affine_map<(b, n, h) -> (b, n, h)>

func.func @half_split(%q: tensor<2x6x8x8xf32>, %k: tensor<2x6x2x8xf32>, %v: tensor<2x6x2x8xf32>, %lambda: tensor<2x6x4xf32>) -> tensor<2x6x4x8xf32> {
  %init = tensor.empty() : tensor<2x6x8x8xf32>
  %o = diffattn.attention query(%q : tensor<2x6x8x8xf32>) key(%k : tensor<2x6x2x8xf32>)
      value(%v : tensor<2x6x2x8xf32>) outs(%init : tensor<2x6x8x8xf32>)
  %even = tensor.extract_slice %o[0, 0, 0, 0] [2, 6, 4, 8] [1, 1, 1, 1] : tensor<2x6x8x8xf32> to tensor<2x6x4x8xf32>
  %odd = tensor.extract_slice %o[0, 0, 4, 0] [2, 6, 4, 8] [1, 1, 1, 1] : tensor<2x6x8x8xf32> to tensor<2x6x4x8xf32>
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
    // expected-remark @below {{heads are split in halves (j and j + 4); heads of a pair have to be interleaved, 2j and 2j + 1: slice with stride 2}}
    %d = arith.subf %x, %m : f32
    linalg.yield %d : f32
  } -> tensor<2x6x4x8xf32>
  return %r : tensor<2x6x4x8xf32>
}

// -----

#id = affine_map<(b, n, h, d) -> (b, n, h, d)>
#pair = affine_map<(b, n, h, d) -> (b, n, h)>
#unit = affine_map<(b, n, h, d) -> (b, n, h, 0)>
#id3 = affine_map<(b, n, h) -> (b, n, h)>

func.func @swapped_polarity(%q: tensor<2x6x8x8xf32>, %k: tensor<2x6x2x8xf32>, %v: tensor<2x6x2x8xf32>, %lambda: tensor<2x6x4xf32>) -> tensor<2x6x4x8xf32> {
  %init = tensor.empty() : tensor<2x6x8x8xf32>
  %o = diffattn.attention query(%q : tensor<2x6x8x8xf32>) key(%k : tensor<2x6x2x8xf32>)
      value(%v : tensor<2x6x2x8xf32>) outs(%init : tensor<2x6x8x8xf32>)
  %even = tensor.extract_slice %o[0, 0, 1, 0] [2, 6, 4, 8] [1, 1, 2, 1] : tensor<2x6x8x8xf32> to tensor<2x6x4x8xf32>
  %odd = tensor.extract_slice %o[0, 0, 0, 0] [2, 6, 4, 8] [1, 1, 2, 1] : tensor<2x6x8x8xf32> to tensor<2x6x4x8xf32>
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
    // expected-remark @below {{the polarity is swapped: head 2j is subtracted from head 2j + 1}}
    %d = arith.subf %x, %m : f32
    linalg.yield %d : f32
  } -> tensor<2x6x4x8xf32>
  return %r : tensor<2x6x4x8xf32>
}

// -----

#id = affine_map<(b, n, h, d) -> (b, n, h, d)>
#pair = affine_map<(b, n, h, d) -> (b, n, h)>
#unit = affine_map<(b, n, h, d) -> (b, n, h, 0)>
#id3 = affine_map<(b, n, h) -> (b, n, h)>

func.func @noise_minus_signal(%q: tensor<2x6x8x8xf32>, %k: tensor<2x6x2x8xf32>, %v: tensor<2x6x2x8xf32>, %lambda: tensor<2x6x4xf32>) -> tensor<2x6x4x8xf32> {
  %init = tensor.empty() : tensor<2x6x8x8xf32>
  %o = diffattn.attention query(%q : tensor<2x6x8x8xf32>) key(%k : tensor<2x6x2x8xf32>)
      value(%v : tensor<2x6x2x8xf32>) outs(%init : tensor<2x6x8x8xf32>)
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
    // expected-remark @below {{the polarity is swapped: the gated branch is the one subtracted from}}
    %d = arith.subf %m, %x : f32
    linalg.yield %d : f32
  } -> tensor<2x6x4x8xf32>
  return %r : tensor<2x6x4x8xf32>
}

// -----

#id = affine_map<(b, n, h, d) -> (b, n, h, d)>
#pair = affine_map<(b, n, h, d) -> (b, n, h)>
#unit = affine_map<(b, n, h, d) -> (b, n, h, 0)>
#id3 = affine_map<(b, n, h) -> (b, n, h)>

func.func @other_stride(%q: tensor<2x6x8x8xf32>, %k: tensor<2x6x2x8xf32>, %v: tensor<2x6x2x8xf32>, %lambda: tensor<2x6x4xf32>) -> tensor<2x6x4x8xf32> {
  %init = tensor.empty() : tensor<2x6x8x8xf32>
  %o = diffattn.attention query(%q : tensor<2x6x8x8xf32>) key(%k : tensor<2x6x2x8xf32>)
      value(%v : tensor<2x6x2x8xf32>) outs(%init : tensor<2x6x8x8xf32>)
  %even = tensor.extract_slice %o[0, 0, 0, 0] [2, 6, 4, 8] [1, 1, 2, 1] : tensor<2x6x8x8xf32> to tensor<2x6x4x8xf32>
  %odd = tensor.extract_slice %o[0, 0, 3, 0] [2, 6, 4, 8] [1, 1, 1, 1] : tensor<2x6x8x8xf32> to tensor<2x6x4x8xf32>
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
    // expected-remark @below {{the branches are heads}}
    %d = arith.subf %x, %m : f32
    linalg.yield %d : f32
  } -> tensor<2x6x4x8xf32>
  return %r : tensor<2x6x4x8xf32>
}

// -----

#id = affine_map<(b, n, h, d) -> (b, n, h, d)>
#pair = affine_map<(b, n, h, d) -> (b, n, h)>
#unit = affine_map<(b, n, h, d) -> (b, n, h, 0)>
#id3 = affine_map<(b, n, h) -> (b, n, h)>

func.func @raw_lambda(%q: tensor<2x6x8x8xf32>, %k: tensor<2x6x2x8xf32>, %v: tensor<2x6x2x8xf32>, %lambda: tensor<2x6x4xf32>) -> tensor<2x6x4x8xf32> {
  %init = tensor.empty() : tensor<2x6x8x8xf32>
  %o = diffattn.attention query(%q : tensor<2x6x8x8xf32>) key(%k : tensor<2x6x2x8xf32>)
      value(%v : tensor<2x6x2x8xf32>) outs(%init : tensor<2x6x8x8xf32>)
  %even = tensor.extract_slice %o[0, 0, 0, 0] [2, 6, 4, 8] [1, 1, 2, 1] : tensor<2x6x8x8xf32> to tensor<2x6x4x8xf32>
  %odd = tensor.extract_slice %o[0, 0, 1, 0] [2, 6, 4, 8] [1, 1, 2, 1] : tensor<2x6x8x8xf32> to tensor<2x6x4x8xf32>
  %e4 = tensor.empty() : tensor<2x6x4x8xf32>
  %r = linalg.generic {indexing_maps = [#id, #id, #pair, #id], iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%even, %odd, %lambda : tensor<2x6x4x8xf32>, tensor<2x6x4x8xf32>, tensor<2x6x4xf32>) outs(%e4 : tensor<2x6x4x8xf32>) {
  ^bb0(%x: f32, %y: f32, %g: f32, %out: f32):
    %m = arith.mulf %g, %y : f32
    // expected-remark @below {{the gate of the subtracted branch is not a sigmoid; pass lambda as a logit}}
    %d = arith.subf %x, %m : f32
    linalg.yield %d : f32
  } -> tensor<2x6x4x8xf32>
  return %r : tensor<2x6x4x8xf32>
}

// -----

#id = affine_map<(b, n, h, d) -> (b, n, h, d)>
#pair = affine_map<(b, n, h, d) -> (b, n, h)>
#unit = affine_map<(b, n, h, d) -> (b, n, h, 0)>
#id3 = affine_map<(b, n, h) -> (b, n, h)>

func.func @no_gate(%q: tensor<2x6x8x8xf32>, %k: tensor<2x6x2x8xf32>, %v: tensor<2x6x2x8xf32>, %lambda: tensor<2x6x4xf32>) -> tensor<2x6x4x8xf32> {
  %init = tensor.empty() : tensor<2x6x8x8xf32>
  %o = diffattn.attention query(%q : tensor<2x6x8x8xf32>) key(%k : tensor<2x6x2x8xf32>)
      value(%v : tensor<2x6x2x8xf32>) outs(%init : tensor<2x6x8x8xf32>)
  %even = tensor.extract_slice %o[0, 0, 0, 0] [2, 6, 4, 8] [1, 1, 2, 1] : tensor<2x6x8x8xf32> to tensor<2x6x4x8xf32>
  %odd = tensor.extract_slice %o[0, 0, 1, 0] [2, 6, 4, 8] [1, 1, 2, 1] : tensor<2x6x8x8xf32> to tensor<2x6x4x8xf32>
  // expected-remark @below {{the subtracted branch has no gate}}
  %r = arith.subf %even, %odd : tensor<2x6x4x8xf32>
  return %r : tensor<2x6x4x8xf32>
}

// -----

#id = affine_map<(b, n, h, d) -> (b, n, h, d)>
#pair = affine_map<(b, n, h, d) -> (b, n, h)>
#unit = affine_map<(b, n, h, d) -> (b, n, h, 0)>
#id3 = affine_map<(b, n, h) -> (b, n, h)>

func.func @constant_gate(%q: tensor<2x6x8x8xf32>, %k: tensor<2x6x2x8xf32>, %v: tensor<2x6x2x8xf32>, %lambda: tensor<2x6x4xf32>) -> tensor<2x6x4x8xf32> {
  %init = tensor.empty() : tensor<2x6x8x8xf32>
  %o = diffattn.attention query(%q : tensor<2x6x8x8xf32>) key(%k : tensor<2x6x2x8xf32>)
      value(%v : tensor<2x6x2x8xf32>) outs(%init : tensor<2x6x8x8xf32>)
  %even = tensor.extract_slice %o[0, 0, 0, 0] [2, 6, 4, 8] [1, 1, 2, 1] : tensor<2x6x8x8xf32> to tensor<2x6x4x8xf32>
  %odd = tensor.extract_slice %o[0, 0, 1, 0] [2, 6, 4, 8] [1, 1, 2, 1] : tensor<2x6x8x8xf32> to tensor<2x6x4x8xf32>
  %c = arith.constant dense<0.5> : tensor<2x6x4x8xf32>
  %m = arith.mulf %c, %odd : tensor<2x6x4x8xf32>
  // expected-remark @below {{the subtracted branch has a constant factor}}
  %r = arith.subf %even, %m : tensor<2x6x4x8xf32>
  return %r : tensor<2x6x4x8xf32>
}

// -----

#id = affine_map<(b, n, h, d) -> (b, n, h, d)>
#pair = affine_map<(b, n, h, d) -> (b, n, h)>
#unit = affine_map<(b, n, h, d) -> (b, n, h, 0)>
#id3 = affine_map<(b, n, h) -> (b, n, h)>

func.func @two_gates(%q: tensor<2x6x8x8xf32>, %k: tensor<2x6x2x8xf32>, %v: tensor<2x6x2x8xf32>, %lambda: tensor<2x6x4xf32>) -> tensor<2x6x4x8xf32> {
  %init = tensor.empty() : tensor<2x6x8x8xf32>
  %o = diffattn.attention query(%q : tensor<2x6x8x8xf32>) key(%k : tensor<2x6x2x8xf32>)
      value(%v : tensor<2x6x2x8xf32>) outs(%init : tensor<2x6x8x8xf32>)
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
    %g2 = arith.mulf %g, %g : f32
    %m = arith.mulf %g2, %y : f32
    // expected-remark @below {{the subtracted branch has more than one factor}}
    %d = arith.subf %x, %m : f32
    linalg.yield %d : f32
  } -> tensor<2x6x4x8xf32>
  return %r : tensor<2x6x4x8xf32>
}

// -----

#id2 = affine_map<(b, n) -> (b, n)>
#token = affine_map<(b, n, h, d) -> (b, n)>
#id = affine_map<(b, n, h, d) -> (b, n, h, d)>
#pair = affine_map<(b, n, h, d) -> (b, n, h)>
#unit = affine_map<(b, n, h, d) -> (b, n, h, 0)>
#id3 = affine_map<(b, n, h) -> (b, n, h)>

func.func @lambda_per_token(%q: tensor<2x6x8x8xf32>, %k: tensor<2x6x2x8xf32>, %v: tensor<2x6x2x8xf32>, %lambda: tensor<2x6xf32>) -> tensor<2x6x4x8xf32> {
  %init = tensor.empty() : tensor<2x6x8x8xf32>
  %o = diffattn.attention query(%q : tensor<2x6x8x8xf32>) key(%k : tensor<2x6x2x8xf32>)
      value(%v : tensor<2x6x2x8xf32>) outs(%init : tensor<2x6x8x8xf32>)
  %even = tensor.extract_slice %o[0, 0, 0, 0] [2, 6, 4, 8] [1, 1, 2, 1] : tensor<2x6x8x8xf32> to tensor<2x6x4x8xf32>
  %odd = tensor.extract_slice %o[0, 0, 1, 0] [2, 6, 4, 8] [1, 1, 2, 1] : tensor<2x6x8x8xf32> to tensor<2x6x4x8xf32>
  %e2 = tensor.empty() : tensor<2x6xf32>
  %gate = linalg.generic {indexing_maps = [#id2, #id2], iterator_types = ["parallel", "parallel"]}
      ins(%lambda : tensor<2x6xf32>) outs(%e2 : tensor<2x6xf32>) {
  ^bb0(%x: f32, %y: f32):
    %one = arith.constant 1.0 : f32
    %neg = arith.negf %x : f32
    %exp = math.exp %neg : f32
    %sum = arith.addf %exp, %one : f32
    %res = arith.divf %one, %sum : f32
    linalg.yield %res : f32
  } -> tensor<2x6xf32>
  %e4 = tensor.empty() : tensor<2x6x4x8xf32>
  %r = linalg.generic {indexing_maps = [#id, #id, #token, #id], iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%even, %odd, %gate : tensor<2x6x4x8xf32>, tensor<2x6x4x8xf32>, tensor<2x6xf32>) outs(%e4 : tensor<2x6x4x8xf32>) {
  ^bb0(%x: f32, %y: f32, %g: f32, %out: f32):
    %m = arith.mulf %g, %y : f32
    // expected-remark @below {{lambda is not one logit per batch, token and pair: it is read from tensor<2x6xf32>}}
    %d = arith.subf %x, %m : f32
    linalg.yield %d : f32
  } -> tensor<2x6x4x8xf32>
  return %r : tensor<2x6x4x8xf32>
}

// -----

#id = affine_map<(b, n, h, d) -> (b, n, h, d)>
#pair = affine_map<(b, n, h, d) -> (b, n, h)>
#unit = affine_map<(b, n, h, d) -> (b, n, h, 0)>
#id3 = affine_map<(b, n, h) -> (b, n, h)>

func.func @features_in_lambda(%q: tensor<2x6x8x8xf32>, %k: tensor<2x6x2x8xf32>, %v: tensor<2x6x2x8xf32>, %lambda: tensor<2x6x4x8xf32>) -> tensor<2x6x4x8xf32> {
  %init = tensor.empty() : tensor<2x6x8x8xf32>
  %o = diffattn.attention query(%q : tensor<2x6x8x8xf32>) key(%k : tensor<2x6x2x8xf32>)
      value(%v : tensor<2x6x2x8xf32>) outs(%init : tensor<2x6x8x8xf32>)
  %even = tensor.extract_slice %o[0, 0, 0, 0] [2, 6, 4, 8] [1, 1, 2, 1] : tensor<2x6x8x8xf32> to tensor<2x6x4x8xf32>
  %odd = tensor.extract_slice %o[0, 0, 1, 0] [2, 6, 4, 8] [1, 1, 2, 1] : tensor<2x6x8x8xf32> to tensor<2x6x4x8xf32>
  %e4 = tensor.empty() : tensor<2x6x4x8xf32>
  %r = linalg.generic {indexing_maps = [#id, #id, #id, #id], iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%even, %odd, %lambda : tensor<2x6x4x8xf32>, tensor<2x6x4x8xf32>, tensor<2x6x4x8xf32>) outs(%e4 : tensor<2x6x4x8xf32>) {
  ^bb0(%x: f32, %y: f32, %g: f32, %out: f32):
    %one = arith.constant 1.0 : f32
    %neg = arith.negf %g : f32
    %exp = math.exp %neg : f32
    %sum = arith.addf %one, %exp : f32
    %s = arith.divf %one, %sum : f32
    %m = arith.mulf %s, %y : f32
    // expected-remark @below {{lambda is not one logit per batch, token and pair: it is read from tensor<2x6x4x8xf32>}}
    %d = arith.subf %x, %m : f32
    linalg.yield %d : f32
  } -> tensor<2x6x4x8xf32>
  return %r : tensor<2x6x4x8xf32>
}

// -----

#id = affine_map<(b, n, h, d) -> (b, n, h, d)>
#pair = affine_map<(b, n, h, d) -> (b, n, h)>
#unit = affine_map<(b, n, h, d) -> (b, n, h, 0)>
#id3 = affine_map<(b, n, h) -> (b, n, h)>

func.func @other_use(%q: tensor<2x6x8x8xf32>, %k: tensor<2x6x2x8xf32>, %v: tensor<2x6x2x8xf32>, %lambda: tensor<2x6x4xf32>) -> (tensor<2x6x4x8xf32>, tensor<2x6x4x8xf32>) {
  %init = tensor.empty() : tensor<2x6x8x8xf32>
  %o = diffattn.attention query(%q : tensor<2x6x8x8xf32>) key(%k : tensor<2x6x2x8xf32>)
      value(%v : tensor<2x6x2x8xf32>) outs(%init : tensor<2x6x8x8xf32>)
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
    // expected-remark @below {{the attention's result has another use ('func.return')}}
    %d = arith.subf %x, %m : f32
    linalg.yield %d : f32
  } -> tensor<2x6x4x8xf32>
  return %r, %odd : tensor<2x6x4x8xf32>, tensor<2x6x4x8xf32>
}

// -----

#id = affine_map<(b, n, h, d) -> (b, n, h, d)>
#pair = affine_map<(b, n, h, d) -> (b, n, h)>
#unit = affine_map<(b, n, h, d) -> (b, n, h, 0)>
#id3 = affine_map<(b, n, h) -> (b, n, h)>

func.func @other_use_in_body(%q: tensor<2x6x8x8xf32>, %k: tensor<2x6x2x8xf32>, %v: tensor<2x6x2x8xf32>, %lambda: tensor<2x6x4xf32>) -> tensor<2x6x4x8xf32> {
  %init = tensor.empty() : tensor<2x6x8x8xf32>
  %o = diffattn.attention query(%q : tensor<2x6x8x8xf32>) key(%k : tensor<2x6x2x8xf32>)
      value(%v : tensor<2x6x2x8xf32>) outs(%init : tensor<2x6x8x8xf32>)
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
    // expected-remark @below {{a branch is used for more than the difference}}
    %d = arith.subf %x, %m : f32
    %p = arith.mulf %d, %x : f32
    linalg.yield %p : f32
  } -> tensor<2x6x4x8xf32>
  return %r : tensor<2x6x4x8xf32>
}

// -----

#id = affine_map<(b, n, h, d) -> (b, n, h, d)>
#pair = affine_map<(b, n, h, d) -> (b, n, h)>
#unit = affine_map<(b, n, h, d) -> (b, n, h, 0)>
#id3 = affine_map<(b, n, h) -> (b, n, h)>

func.func @some_tokens(%q: tensor<2x6x8x8xf32>, %k: tensor<2x6x2x8xf32>, %v: tensor<2x6x2x8xf32>, %lambda: tensor<2x3x4xf32>) -> tensor<2x3x4x8xf32> {
  %init = tensor.empty() : tensor<2x6x8x8xf32>
  %o = diffattn.attention query(%q : tensor<2x6x8x8xf32>) key(%k : tensor<2x6x2x8xf32>)
      value(%v : tensor<2x6x2x8xf32>) outs(%init : tensor<2x6x8x8xf32>)
  %even = tensor.extract_slice %o[0, 0, 0, 0] [2, 3, 4, 8] [1, 1, 2, 1] : tensor<2x6x8x8xf32> to tensor<2x3x4x8xf32>
  %odd = tensor.extract_slice %o[0, 0, 1, 0] [2, 3, 4, 8] [1, 1, 2, 1] : tensor<2x6x8x8xf32> to tensor<2x3x4x8xf32>
  %e3 = tensor.empty() : tensor<2x3x4xf32>
  %gate = linalg.generic {indexing_maps = [#id3, #id3], iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%lambda : tensor<2x3x4xf32>) outs(%e3 : tensor<2x3x4xf32>) {
  ^bb0(%x: f32, %y: f32):
    %one = arith.constant 1.0 : f32
    %neg = arith.negf %x : f32
    %exp = math.exp %neg : f32
    %sum = arith.addf %exp, %one : f32
    %res = arith.divf %one, %sum : f32
    linalg.yield %res : f32
  } -> tensor<2x3x4xf32>
  %e4 = tensor.empty() : tensor<2x3x4x8xf32>
  %r = linalg.generic {indexing_maps = [#id, #id, #pair, #id], iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%even, %odd, %gate : tensor<2x3x4x8xf32>, tensor<2x3x4x8xf32>, tensor<2x3x4xf32>) outs(%e4 : tensor<2x3x4x8xf32>) {
  ^bb0(%x: f32, %y: f32, %g: f32, %out: f32):
    %m = arith.mulf %g, %y : f32
    // expected-remark @below {{the subtraction covers only a part of the attention's result}}
    %d = arith.subf %x, %m : f32
    linalg.yield %d : f32
  } -> tensor<2x3x4x8xf32>
  return %r : tensor<2x3x4x8xf32>
}

// -----

#id = affine_map<(b, n, h, d) -> (b, n, h, d)>
#pair = affine_map<(b, n, h, d) -> (b, n, h)>
#unit = affine_map<(b, n, h, d) -> (b, n, h, 0)>
#id3 = affine_map<(b, n, h) -> (b, n, h)>

func.func @other_tokens(%q: tensor<2x6x8x8xf32>, %k: tensor<2x6x2x8xf32>, %v: tensor<2x6x2x8xf32>, %lambda: tensor<2x3x4xf32>) -> tensor<2x3x4x8xf32> {
  %init = tensor.empty() : tensor<2x6x8x8xf32>
  %o = diffattn.attention query(%q : tensor<2x6x8x8xf32>) key(%k : tensor<2x6x2x8xf32>)
      value(%v : tensor<2x6x2x8xf32>) outs(%init : tensor<2x6x8x8xf32>)
  %even = tensor.extract_slice %o[0, 0, 0, 0] [2, 3, 4, 8] [1, 1, 2, 1] : tensor<2x6x8x8xf32> to tensor<2x3x4x8xf32>
  %odd = tensor.extract_slice %o[0, 3, 1, 0] [2, 3, 4, 8] [1, 1, 2, 1] : tensor<2x6x8x8xf32> to tensor<2x3x4x8xf32>
  %e3 = tensor.empty() : tensor<2x3x4xf32>
  %gate = linalg.generic {indexing_maps = [#id3, #id3], iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%lambda : tensor<2x3x4xf32>) outs(%e3 : tensor<2x3x4xf32>) {
  ^bb0(%x: f32, %y: f32):
    %one = arith.constant 1.0 : f32
    %neg = arith.negf %x : f32
    %exp = math.exp %neg : f32
    %sum = arith.addf %exp, %one : f32
    %res = arith.divf %one, %sum : f32
    linalg.yield %res : f32
  } -> tensor<2x3x4xf32>
  %e4 = tensor.empty() : tensor<2x3x4x8xf32>
  %r = linalg.generic {indexing_maps = [#id, #id, #pair, #id], iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%even, %odd, %gate : tensor<2x3x4x8xf32>, tensor<2x3x4x8xf32>, tensor<2x3x4xf32>) outs(%e4 : tensor<2x3x4x8xf32>) {
  ^bb0(%x: f32, %y: f32, %g: f32, %out: f32):
    %m = arith.mulf %g, %y : f32
    // expected-remark @below {{the branches are taken at different batches, tokens or features}}
    %d = arith.subf %x, %m : f32
    linalg.yield %d : f32
  } -> tensor<2x3x4x8xf32>
  return %r : tensor<2x3x4x8xf32>
}

// -----

#id = affine_map<(b, n, h, d) -> (b, n, h, d)>
#pair = affine_map<(b, n, h, d) -> (b, n, h)>
#unit = affine_map<(b, n, h, d) -> (b, n, h, 0)>
#id3 = affine_map<(b, n, h) -> (b, n, h)>

func.func @across_groups(%q: tensor<2x6x8x8xf32>, %k: tensor<2x6x8x8xf32>, %v: tensor<2x6x8x8xf32>, %lambda: tensor<2x6x4xf32>) -> tensor<2x6x4x8xf32> {
  %init = tensor.empty() : tensor<2x6x8x8xf32>
  %o = diffattn.attention query(%q : tensor<2x6x8x8xf32>) key(%k : tensor<2x6x8x8xf32>)
      value(%v : tensor<2x6x8x8xf32>) outs(%init : tensor<2x6x8x8xf32>)
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
    // expected-remark @below {{pairs lie across key/value groups: 4 pairs are not divisible by 8 key/value heads}}
    %d = arith.subf %x, %m : f32
    linalg.yield %d : f32
  } -> tensor<2x6x4x8xf32>
  return %r : tensor<2x6x4x8xf32>
}

// -----

#id = affine_map<(b, n, h, d) -> (b, n, h, d)>
#pair = affine_map<(b, n, h, d) -> (b, n, h)>
#unit = affine_map<(b, n, h, d) -> (b, n, h, 0)>
#id3 = affine_map<(b, n, h) -> (b, n, h)>

func.func @two_ops_masks(%q: tensor<2x6x8x8xf32>, %k: tensor<2x6x2x8xf32>, %v: tensor<2x6x2x8xf32>, %lambda: tensor<2x6x4xf32>) -> tensor<2x6x4x8xf32> {
  %q1 = tensor.extract_slice %q[0, 0, 0, 0] [2, 6, 4, 8] [1, 1, 2, 1] : tensor<2x6x8x8xf32> to tensor<2x6x4x8xf32>
  %q2 = tensor.extract_slice %q[0, 0, 1, 0] [2, 6, 4, 8] [1, 1, 2, 1] : tensor<2x6x8x8xf32> to tensor<2x6x4x8xf32>
  %init = tensor.empty() : tensor<2x6x4x8xf32>
  %even = diffattn.attention query(%q1 : tensor<2x6x4x8xf32>) key(%k : tensor<2x6x2x8xf32>)
      value(%v : tensor<2x6x2x8xf32>) outs(%init : tensor<2x6x4x8xf32>)
  %odd = diffattn.attention query(%q2 : tensor<2x6x4x8xf32>) key(%k : tensor<2x6x2x8xf32>)
      value(%v : tensor<2x6x2x8xf32>) outs(%init : tensor<2x6x4x8xf32>) mask<causal>
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
    // expected-remark @below {{the branches are two attention ops of different mask, scale or softcap}}
    %d = arith.subf %x, %m : f32
    linalg.yield %d : f32
  } -> tensor<2x6x4x8xf32>
  return %r : tensor<2x6x4x8xf32>
}

// -----

#id = affine_map<(b, n, h, d) -> (b, n, h, d)>
#pair = affine_map<(b, n, h, d) -> (b, n, h)>
#unit = affine_map<(b, n, h, d) -> (b, n, h, 0)>
#id3 = affine_map<(b, n, h) -> (b, n, h)>

func.func @two_ops_keys(%q: tensor<2x6x8x8xf32>, %k: tensor<2x6x2x8xf32>, %v: tensor<2x6x2x8xf32>, %lambda: tensor<2x6x4xf32>) -> tensor<2x6x4x8xf32> {
  %q1 = tensor.extract_slice %q[0, 0, 0, 0] [2, 6, 4, 8] [1, 1, 2, 1] : tensor<2x6x8x8xf32> to tensor<2x6x4x8xf32>
  %q2 = tensor.extract_slice %q[0, 0, 1, 0] [2, 6, 4, 8] [1, 1, 2, 1] : tensor<2x6x8x8xf32> to tensor<2x6x4x8xf32>
  %init = tensor.empty() : tensor<2x6x4x8xf32>
  %even = diffattn.attention query(%q1 : tensor<2x6x4x8xf32>) key(%k : tensor<2x6x2x8xf32>)
      value(%v : tensor<2x6x2x8xf32>) outs(%init : tensor<2x6x4x8xf32>)
  %odd = diffattn.attention query(%q2 : tensor<2x6x4x8xf32>) key(%v : tensor<2x6x2x8xf32>)
      value(%v : tensor<2x6x2x8xf32>) outs(%init : tensor<2x6x4x8xf32>)
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
    // expected-remark @below {{the branches are two attention ops over different keys or values; both heads of a pair have to share them}}
    %d = arith.subf %x, %m : f32
    linalg.yield %d : f32
  } -> tensor<2x6x4x8xf32>
  return %r : tensor<2x6x4x8xf32>
}
