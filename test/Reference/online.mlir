// online_attention and finalize from their definitions, on tiles whose last key
// is padding, in two layouts.

// RUN: diffattn-eval %s --entry=one_step | FileCheck %s --check-prefix=STEP
// RUN: diffattn-eval %s --entry=no_visible_key | FileCheck %s --check-prefix=HIDDEN
// RUN: diffattn-eval %s --entry=poisoned_padding | FileCheck %s --check-prefix=PADDING
// RUN: diffattn-eval %s --entry=layouts --input=random:1 | FileCheck %s --check-prefix=LAYOUTS

#q = affine_map<(b, h, p, r, m, k, d, n) -> (b, m, h, p, r, d)>
#k = affine_map<(b, h, p, r, m, k, d, n) -> (b, k, h, d)>
#v = affine_map<(b, h, p, r, m, k, d, n) -> (b, k, h, n)>
#acc = affine_map<(b, h, p, r, m, k, d, n) -> (b, m, h, p, r, n)>
#row = affine_map<(b, h, p, r, m, k, d, n) -> (b, m, h, p, r)>
// Query rows innermost, branches before them.
#q_packed = affine_map<(b, h, p, r, m, k, d, n) -> (b, h, p, d, r, m)>
#acc_packed = affine_map<(b, h, p, r, m, k, d, n) -> (n, b, h, p, r, m)>
#row_packed = affine_map<(b, h, p, r, m, k, d, n) -> (b, h, p, r, m)>

// Scores are 0: of three keys, one is past the end and weighs nothing.
// STEP: result 0: 1x1x1x1x1x8xf64
// STEP: [4, 4, 4, 4, 4, 4, 4, 4]
// STEP: result 1: 1x1x1x1x1xf64
// STEP: [0]
// STEP: result 2: 1x1x1x1x1xf64
// STEP: [2]
func.func @one_step() -> (tensor<1x1x1x1x1x8xf32>, tensor<1x1x1x1x1xf32>, tensor<1x1x1x1x1xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c4 = arith.constant 4 : index
  %c6 = arith.constant 6 : index
  %q = arith.constant dense<0.0> : tensor<1x1x1x1x1x8xf32>
  %k = arith.constant dense<1.0> : tensor<1x3x1x8xf32>
  %v = arith.constant dense<2.0> : tensor<1x3x1x8xf32>
  %minus_infinity = arith.constant dense<0xFF800000> : tensor<1x1x1x1x1xf32>
  %sum = arith.constant dense<0.0> : tensor<1x1x1x1x1xf32>
  %r:3 = diffattn.online_attention query(%q : tensor<1x1x1x1x1x8xf32>)
      key(%k : tensor<1x3x1x8xf32>) value(%v : tensor<1x3x1x8xf32>)
      outs(%q, %minus_infinity, %sum : tensor<1x1x1x1x1x8xf32>, tensor<1x1x1x1x1xf32>, tensor<1x1x1x1x1xf32>)
      at(%c0 of %c1, %c4 of %c6) mask<causal> scale(1.0) maps [#q, #k, #v, #acc, #row, #row]
  return %r#0, %r#1, %r#2 : tensor<1x1x1x1x1x8xf32>, tensor<1x1x1x1x1xf32>, tensor<1x1x1x1x1xf32>
}

// A block that is hidden as a whole changes nothing, not even -inf.
// HIDDEN: [7, 7, 7, 7, 7, 7, 7, 7]
// HIDDEN: [-inf]
// HIDDEN: [3]
func.func @no_visible_key() -> (tensor<1x1x1x1x1x8xf32>, tensor<1x1x1x1x1xf32>, tensor<1x1x1x1x1xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c4 = arith.constant 4 : index
  %q = arith.constant dense<7.0> : tensor<1x1x1x1x1x8xf32>
  %k = arith.constant dense<1.0> : tensor<1x3x1x8xf32>
  %minus_infinity = arith.constant dense<0xFF800000> : tensor<1x1x1x1x1xf32>
  %sum = arith.constant dense<3.0> : tensor<1x1x1x1x1xf32>
  %r:3 = diffattn.online_attention query(%q : tensor<1x1x1x1x1x8xf32>)
      key(%k : tensor<1x3x1x8xf32>) value(%k : tensor<1x3x1x8xf32>)
      outs(%q, %minus_infinity, %sum : tensor<1x1x1x1x1x8xf32>, tensor<1x1x1x1x1xf32>, tensor<1x1x1x1x1xf32>)
      at(%c0 of %c1, %c4 of %c4) scale(1.0) maps [#q, #k, #v, #acc, #row, #row]
  return %r#0, %r#1, %r#2 : tensor<1x1x1x1x1x8xf32>, tensor<1x1x1x1x1xf32>, tensor<1x1x1x1x1xf32>
}

// Padding must be finite: uninitialised values there show.
// PADDING: [nan, nan, nan, nan, nan, nan, nan, nan]
func.func @poisoned_padding() -> tensor<1x1x1x1x1x8xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %zero = arith.constant dense<0.0> : tensor<1x1x1x1x1x8xf32>
  %k = arith.constant dense<1.0> : tensor<1x1x1x8xf32>
  %e = tensor.empty() : tensor<1x3x1x8xf32>
  %v = tensor.insert_slice %k into %e[0, 0, 0, 0] [1, 1, 1, 8] [1, 1, 1, 1] : tensor<1x1x1x8xf32> into tensor<1x3x1x8xf32>
  %minus_infinity = arith.constant dense<0xFF800000> : tensor<1x1x1x1x1xf32>
  %sum = arith.constant dense<0.0> : tensor<1x1x1x1x1xf32>
  %r:3 = diffattn.online_attention query(%zero : tensor<1x1x1x1x1x8xf32>)
      key(%v : tensor<1x3x1x8xf32>) value(%v : tensor<1x3x1x8xf32>)
      outs(%zero, %minus_infinity, %sum : tensor<1x1x1x1x1x8xf32>, tensor<1x1x1x1x1xf32>, tensor<1x1x1x1x1xf32>)
      at(%c0 of %c1, %c0 of %c1) scale(1.0) maps [#q, #k, #v, #acc, #row, #row]
  return %r#0 : tensor<1x1x1x1x1x8xf32>
}

// The same accumulators, packed: the difference is zero and not NaN.
// LAYOUTS: result 0: 8x1x1x1x2x3xf64
// LAYOUTS-NEXT: sum 0, absolute 0{{$}}
// LAYOUTS: result 1: 1x1x1x2x3xf64
// LAYOUTS-NEXT: sum 0, absolute 0{{$}}
func.func @layouts(%q: tensor<1x3x1x1x2x16xf32>, %k: tensor<1x5x1x16xf32>, %v: tensor<1x5x1x8xf32>)
    -> (tensor<8x1x1x1x2x3xf32>, tensor<1x1x1x2x3xf32>) {
  %c0 = arith.constant 0 : index
  %c3 = arith.constant 3 : index
  %c5 = arith.constant 5 : index
  %acc = arith.constant dense<0.0> : tensor<1x3x1x1x2x8xf32>
  %max = arith.constant dense<0xFF800000> : tensor<1x3x1x1x2xf32>
  %sum = arith.constant dense<0.0> : tensor<1x3x1x1x2xf32>
  %r:3 = diffattn.online_attention query(%q : tensor<1x3x1x1x2x16xf32>)
      key(%k : tensor<1x5x1x16xf32>) value(%v : tensor<1x5x1x8xf32>)
      outs(%acc, %max, %sum : tensor<1x3x1x1x2x8xf32>, tensor<1x3x1x1x2xf32>, tensor<1x3x1x1x2xf32>)
      at(%c0 of %c3, %c0 of %c5) mask<causal> scale(0.5) maps [#q, #k, #v, #acc, #row, #row]
  %qe = tensor.empty() : tensor<1x1x1x16x2x3xf32>
  %qp = linalg.transpose ins(%q : tensor<1x3x1x1x2x16xf32>) outs(%qe : tensor<1x1x1x16x2x3xf32>) permutation = [0, 2, 3, 5, 4, 1]
  %accp = arith.constant dense<0.0> : tensor<8x1x1x1x2x3xf32>
  %maxp = arith.constant dense<0xFF800000> : tensor<1x1x1x2x3xf32>
  %sump = arith.constant dense<0.0> : tensor<1x1x1x2x3xf32>
  %s:3 = diffattn.online_attention query(%qp : tensor<1x1x1x16x2x3xf32>)
      key(%k : tensor<1x5x1x16xf32>) value(%v : tensor<1x5x1x8xf32>)
      outs(%accp, %maxp, %sump : tensor<8x1x1x1x2x3xf32>, tensor<1x1x1x2x3xf32>, tensor<1x1x1x2x3xf32>)
      at(%c0 of %c3, %c0 of %c5) mask<causal> scale(0.5)
      maps [#q_packed, #k, #v, #acc_packed, #row_packed, #row_packed]
  %acct = linalg.transpose ins(%r#0 : tensor<1x3x1x1x2x8xf32>) outs(%accp : tensor<8x1x1x1x2x3xf32>) permutation = [5, 0, 2, 3, 4, 1]
  %sumt = linalg.transpose ins(%r#2 : tensor<1x3x1x1x2xf32>) outs(%sump : tensor<1x1x1x2x3xf32>) permutation = [0, 2, 3, 4, 1]
  %d0 = arith.subf %s#0, %acct : tensor<8x1x1x1x2x3xf32>
  %d1 = arith.subf %s#2, %sumt : tensor<1x1x1x2x3xf32>
  return %d0, %d1 : tensor<8x1x1x1x2x3xf32>, tensor<1x1x1x2x3xf32>
}
