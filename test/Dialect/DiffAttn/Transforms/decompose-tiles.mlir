// RUN: diffattn-opt %s --diffattn-decompose-tiles | FileCheck %s

#query = affine_map<(b, h, p, r, m, k, d, n) -> (b, m, h, p, r, d)>
#key = affine_map<(b, h, p, r, m, k, d, n) -> (b, k, h, d)>
#value = affine_map<(b, h, p, r, m, k, d, n) -> (b, k, h, n)>
#acc = affine_map<(b, h, p, r, m, k, d, n) -> (b, m, h, p, r, n)>
#row = affine_map<(b, h, p, r, m, k, d, n) -> (b, m, h, p, r)>
#query_packed = affine_map<(b, h, p, r, m, k, d, n) -> (b, h, d, p, r, m)>
#acc_packed = affine_map<(b, h, p, r, m, k, d, n) -> (b, h, n, p, r, m)>
#row_packed = affine_map<(b, h, p, r, m, k, d, n) -> (b, h, p, r, m)>
#f_acc = affine_map<(b, h, p, r, m, n) -> (b, m, h, p, r, n)>
#f_row = affine_map<(b, h, p, r, m, n) -> (b, m, h, p, r)>
#f_lambda = affine_map<(b, h, p, r, m, n) -> (b, m, h, p)>
#f_out = affine_map<(b, h, p, r, m, n) -> (b, m, h, p, n)>
#f_lse = affine_map<(b, h, p, r, m, n) -> (b, h, p, r, m)>

!q = tensor<1x4x1x3x2x16xf32>
!k = tensor<1x8x1x16xf32>
!v = tensor<1x8x1x24xf32>
!acc = tensor<1x4x1x3x2x24xf32>
!row = tensor<1x4x1x3x2xf32>

// The steps of the online softmax, in order. Iteration dimensions of a generic
// are those of the op that its operands have, (b, h, p, r, m, k, d, n) in order.
// CHECK-DAG: #[[$QK_QUERY:.*]] = affine_map<(d0, d1, d2, d3, d4, d5, d6) -> (d0, d4, d1, d2, d3, d6)>
// CHECK-DAG: #[[$QK_KEY:.*]] = affine_map<(d0, d1, d2, d3, d4, d5, d6) -> (d0, d5, d1, d6)>
// CHECK-DAG: #[[$QK_SCORE:.*]] = affine_map<(d0, d1, d2, d3, d4, d5, d6) -> (d0, d4, d1, d2, d3, d5)>
// CHECK-DAG: #[[$SCORE:.*]] = affine_map<(d0, d1, d2, d3, d4, d5) -> (d0, d4, d1, d2, d3, d5)>
// CHECK-DAG: #[[$SCORE_ROW:.*]] = affine_map<(d0, d1, d2, d3, d4, d5) -> (d0, d4, d1, d2, d3)>
// CHECK-DAG: #[[$ROW:.*]] = affine_map<(d0, d1, d2, d3, d4) -> (d0, d4, d1, d2, d3)>
// CHECK-DAG: #[[$PACKED_SCORE:.*]] = affine_map<(d0, d1, d2, d3, d4, d5) -> (d0, d1, d5, d2, d3, d4)>

// CHECK-LABEL: func @online(
// CHECK-SAME:    %[[Q:[^:]*]]: tensor<1x4x1x3x2x16xf32>, %[[K:[^:]*]]: tensor<1x8x1x16xf32>, %[[V:[^:]*]]: tensor<1x8x1x24xf32>,
// CHECK-SAME:    %[[ACC:[^:]*]]: tensor<1x4x1x3x2x24xf32>, %[[MAX:[^:]*]]: tensor<1x4x1x3x2xf32>, %[[SUM:[^:]*]]: tensor<1x4x1x3x2xf32>,
// CHECK-SAME:    %[[K0:[^:]*]]: index, %[[NK:[^:]*]]: index)
func.func @online(%q: !q, %k: !k, %v: !v, %acc: !acc, %max: !row, %sum: !row,
                  %k0: index, %nk: index) -> (!acc, !row, !row) {
  // Scores lie as acc does, with keys in the place of value dimensions.
  // CHECK: %[[S:.*]] = linalg.generic {indexing_maps = [#[[$QK_QUERY]], #[[$QK_KEY]], #[[$QK_SCORE]]]
  // CHECK-SAME: ins(%[[Q]], %[[K]] : {{.*}}) outs(%{{.*}} : tensor<1x4x1x3x2x8xf32>)
  // CHECK:   arith.mulf
  // CHECK:   arith.addf
  // Without a mask only the valid extent hides keys.
  // CHECK: %[[LIMIT:.*]] = arith.subi %[[NK]], %[[K0]]
  // CHECK: %[[MASKED:.*]] = linalg.generic {indexing_maps = [#[[$SCORE]]]
  // CHECK-SAME: outs(%[[S]] :
  // CHECK:   %[[KEY:.*]] = linalg.index 5
  // CHECK:   %[[VISIBLE:.*]] = arith.cmpi slt, %[[KEY]], %[[LIMIT]]
  // CHECK:   arith.select %[[VISIBLE]]
  // CHECK: %[[TILE_MAX:.*]] = linalg.generic {indexing_maps = [#[[$SCORE]], #[[$SCORE_ROW]]]
  // CHECK-SAME: ins(%[[MASKED]] :
  // CHECK:   arith.cmpf ogt
  // CHECK:   arith.select
  // CHECK: %[[NEW:.*]]:2 = linalg.generic {indexing_maps = [#[[$ROW]], #[[$ROW]], #[[$ROW]]]
  // CHECK-SAME: ins(%[[TILE_MAX]] : {{.*}}) outs(%[[MAX]],
  // CHECK:   arith.cmpf ogt
  // CHECK:   arith.select
  // CHECK:   math.exp2
  // CHECK: %[[P:.*]]:2 = linalg.generic {indexing_maps = [#[[$SCORE_ROW]], #[[$SCORE]], #[[$SCORE_ROW]]]
  // CHECK-SAME: ins(%[[NEW]]#0 : {{.*}}) outs(%[[MASKED]],
  // CHECK:   math.exp2
  // CHECK: %[[NEW_SUM:.*]] = linalg.generic
  // CHECK-SAME: ins(%[[NEW]]#1, %[[P]]#1 : {{.*}}) outs(%[[SUM]] :
  // CHECK: %[[KEPT:.*]] = linalg.generic
  // CHECK-SAME: ins(%[[NEW]]#1 : {{.*}}) outs(%[[ACC]] :
  // CHECK: %[[NEW_ACC:.*]] = linalg.generic
  // CHECK-SAME: ins(%[[P]]#0, %[[V]] : {{.*}}) outs(%[[KEPT]] :
  // CHECK: return %[[NEW_ACC]], %[[NEW]]#0, %[[NEW_SUM]]
  %r:3 = diffattn.online_attention query(%q : !q) key(%k : !k) value(%v : !v)
      outs(%acc, %max, %sum : !acc, !row, !row) at(%k0 of %nk, %k0 of %nk) scale(0.5)
      maps [#query, #key, #value, #acc, #row, #row]
  return %r#0, %r#1, %r#2 : !acc, !row, !row
}

// Row i and key j of a tile are on the diagonal where j - i is (m0 - Nq) + (Nk - k0).
// CHECK-LABEL: func @causal(
// CHECK-SAME:    %[[M0:[^:]*]]: index, %[[NQ:[^:]*]]: index, %[[K0:[^:]*]]: index, %[[NK:[^:]*]]: index)
func.func @causal(%q: !q, %k: !k, %v: !v, %acc: !acc, %row: !row,
                  %m0: index, %nq: index, %k0: index, %nk: index) -> !acc {
  // CHECK: %[[LIMIT:.*]] = arith.subi %[[NK]], %[[K0]]
  // CHECK: %[[UP:.*]] = arith.subi %[[M0]], %[[NQ]]
  // CHECK: %[[DIAGONAL:.*]] = arith.addi %[[UP]], %[[LIMIT]]
  // CHECK: %[[RIGHT:.*]] = arith.addi %[[DIAGONAL]], %c0
  // CHECK:   %[[KEY:.*]] = linalg.index 5
  // CHECK:   arith.cmpi slt, %[[KEY]], %[[LIMIT]]
  // CHECK:   %[[ROW:.*]] = linalg.index 4
  // CHECK:   %[[DISTANCE:.*]] = arith.subi %[[KEY]], %[[ROW]]
  // CHECK:   arith.cmpi sle, %[[DISTANCE]], %[[RIGHT]]
  // CHECK-NOT: arith.cmpi sge
  // CHECK:   arith.select
  %r:3 = diffattn.online_attention query(%q : !q) key(%k : !k) value(%v : !v)
      outs(%acc, %row, %row : !acc, !row, !row) at(%m0 of %nq, %k0 of %nk)
      mask<causal> scale(0.5) maps [#query, #key, #value, #acc, #row, #row]
  return %r#0 : !acc
}

// CHECK-LABEL: func @window_left_only(
func.func @window_left_only(%q: !q, %k: !k, %v: !v, %acc: !acc, %row: !row,
                            %m0: index, %nq: index) -> !acc {
  // CHECK: %[[BACK:.*]] = arith.constant -3 : index
  // CHECK: %[[LEFT:.*]] = arith.addi %{{.*}}, %[[BACK]]
  // CHECK-NOT: arith.cmpi sle
  // CHECK: arith.cmpi sge, %{{.*}}, %[[LEFT]]
  // CHECK: arith.select
  %r:3 = diffattn.online_attention query(%q : !q) key(%k : !k) value(%v : !v)
      outs(%acc, %row, %row : !acc, !row, !row) at(%m0 of %nq, %m0 of %nq)
      mask<window 3, *> scale(0.5) maps [#query, #key, #value, #acc, #row, #row]
  return %r#0 : !acc
}

// The cap comes before the mask: -inf must stay -inf.
// CHECK-LABEL: func @softcap(
func.func @softcap(%q: !q, %k: !k, %v: !v, %acc: !acc, %row: !row,
                   %i: index) -> !acc {
  // CHECK: linalg.generic
  // CHECK-SAME: "reduction"
  // CHECK: linalg.generic
  // CHECK:   math.tanh
  // CHECK: linalg.generic
  // CHECK:   arith.select
  %r:3 = diffattn.online_attention query(%q : !q) key(%k : !k) value(%v : !v)
      outs(%acc, %row, %row : !acc, !row, !row) at(%i of %i, %i of %i)
      scale(0.5) softcap(20.0) maps [#query, #key, #value, #acc, #row, #row]
  return %r#0 : !acc
}

// 16-bit operands are widened inside the products; scores and p are f32.
// CHECK-LABEL: func @bf16(
func.func @bf16(%q: tensor<1x4x1x3x2x16xbf16>, %k: tensor<1x8x1x16xbf16>,
                %v: tensor<1x8x1x24xbf16>, %acc: !acc, %row: !row, %i: index) -> !acc {
  // CHECK: linalg.generic
  // CHECK:   %[[A:.*]] = arith.extf %{{.*}} : bf16 to f32
  // CHECK:   %[[B:.*]] = arith.extf %{{.*}} : bf16 to f32
  // CHECK:   arith.mulf %[[A]], %[[B]]
  // CHECK-NOT: truncf
  // CHECK: return
  %r:3 = diffattn.online_attention query(%q : tensor<1x4x1x3x2x16xbf16>)
      key(%k : tensor<1x8x1x16xbf16>) value(%v : tensor<1x8x1x24xbf16>)
      outs(%acc, %row, %row : !acc, !row, !row) at(%i of %i, %i of %i) scale(0.5)
      maps [#query, #key, #value, #acc, #row, #row]
  return %r#0 : !acc
}

// Rows innermost in acc gives rows innermost in the scores.
// CHECK-LABEL: func @packed(
func.func @packed(%q: tensor<1x1x16x3x2x4xf32>, %k: !k, %v: !v,
                  %acc: tensor<1x1x24x3x2x4xf32>, %row: tensor<1x1x3x2x4xf32>,
                  %i: index) -> tensor<1x1x24x3x2x4xf32> {
  // CHECK: linalg.generic {{.*}} outs(%{{.*}} : tensor<1x1x8x3x2x4xf32>)
  // CHECK: linalg.generic {indexing_maps = [#[[$PACKED_SCORE]]]
  %r:3 = diffattn.online_attention query(%q : tensor<1x1x16x3x2x4xf32>)
      key(%k : !k) value(%v : !v)
      outs(%acc, %row, %row : tensor<1x1x24x3x2x4xf32>, tensor<1x1x3x2x4xf32>, tensor<1x1x3x2x4xf32>)
      at(%i of %i, %i of %i) scale(0.5)
      maps [#query_packed, #key, #value, #acc_packed, #row_packed, #row_packed]
  return %r#0 : tensor<1x1x24x3x2x4xf32>
}

//===----------------------------------------------------------------------===//
// finalize
//===----------------------------------------------------------------------===//

// CHECK-LABEL: func @finalize(
// CHECK-SAME:    %[[ACC:[^:]*]]: tensor<1x4x1x3x2x24xf32>, %{{.*}}: tensor<1x4x1x3x2xf32>, %[[SUM:[^:]*]]: tensor<1x4x1x3x2xf32>,
// CHECK-SAME:    %[[L:[^:]*]]: tensor<1x4x1x3xf16>, %[[O:[^:]*]]: tensor<1x4x1x3x24xbf16>,
func.func @finalize(%acc: !acc, %max: !row, %sum: !row, %l: tensor<1x4x1x3xf16>,
                    %o: tensor<1x4x1x3x24xbf16>, %i: index) -> tensor<1x4x1x3x24xbf16> {
  // CHECK: %[[ACC0:.*]] = tensor.extract_slice %[[ACC]][0, 0, 0, 0, 0, 0] [1, 4, 1, 3, 1, 24]
  // CHECK: %[[SUM0:.*]] = tensor.extract_slice %[[SUM]][0, 0, 0, 0, 0] [1, 4, 1, 3, 1]
  // CHECK: %[[W0:.*]] = linalg.generic {{.*}} ins(%[[SUM0]] :
  // CHECK:   arith.divf
  // CHECK: %[[ACC1:.*]] = tensor.extract_slice %[[ACC]][0, 0, 0, 0, 1, 0] [1, 4, 1, 3, 1, 24]
  // CHECK: %[[SUM1:.*]] = tensor.extract_slice %[[SUM]][0, 0, 0, 0, 1] [1, 4, 1, 3, 1]
  // The gate: 1 / (1 + 2^(-log2(e) lambda)), in f32, over the sum.
  // CHECK: %[[W1:.*]] = linalg.generic {{.*}} ins(%[[SUM1]], %[[L]] :
  // CHECK:   arith.extf %{{.*}} : f16 to f32
  // CHECK:   math.exp2
  // CHECK:   arith.divf
  // CHECK:   arith.divf
  // One rounding, after the subtraction.
  // CHECK: %[[R:.*]] = linalg.generic {{.*}} ins(%[[ACC0]], %[[W0]], %[[ACC1]], %[[W1]] : {{.*}}) outs(%[[O]] :
  // CHECK:   arith.subf {{.*}} : f32
  // CHECK:   %[[GUARDED:.*]] = arith.select
  // CHECK:   %[[ROUNDED:.*]] = arith.truncf %[[GUARDED]] : f32 to bf16
  // CHECK:   linalg.yield %[[ROUNDED]]
  // CHECK: return %[[R]]
  %r = diffattn.finalize acc(%acc, %max, %sum : !acc, !row, !row)
      lambda(%l : tensor<1x4x1x3xf16>) outs(%o : tensor<1x4x1x3x24xbf16>) at(%i of %i, %i)
      maps [#f_acc, #f_row, #f_row, #f_lambda, #f_out, #f_lse, #f_out]
  return %r : tensor<1x4x1x3x24xbf16>
}

// CHECK-LABEL: func @finalize_plain(
func.func @finalize_plain(%acc: tensor<1x4x1x3x1x24xf32>, %row: tensor<1x4x1x3x1xf32>,
                          %o: tensor<1x4x1x3x24xf32>, %i: index) -> tensor<1x4x1x3x24xf32> {
  // CHECK-NOT: math.exp2
  // CHECK-NOT: arith.subf
  // CHECK: return
  %r = diffattn.finalize acc(%acc, %row, %row : tensor<1x4x1x3x1x24xf32>, tensor<1x4x1x3x1xf32>, tensor<1x4x1x3x1xf32>)
      outs(%o : tensor<1x4x1x3x24xf32>) at(%i of %i, %i)
      maps [#f_acc, #f_row, #f_row, #f_lambda, #f_out, #f_lse, #f_out]
  return %r : tensor<1x4x1x3x24xf32>
}

// Rows that see no key are told from positions, so no NaN can leak: +inf in
// lse, 0 in output and noise.
// CHECK-LABEL: func @finalize_results(
func.func @finalize_results(%acc: !acc, %row: !row, %l: tensor<1x4x1x3xf32>,
                            %o: tensor<1x4x1x3x24xf32>, %s: tensor<1x1x3x2x4xf32>,
                            %i: index)
    -> (tensor<1x4x1x3x24xf32>, tensor<1x1x3x2x4xf32>, tensor<1x4x1x3x24xf32>) {
  // CHECK: %[[OUT:.*]] = linalg.generic {{.*}} outs(%{{.*}} : tensor<1x4x1x3x24xf32>)
  // CHECK: %[[LSE:.*]] = linalg.generic
  // CHECK:   %[[LN2:.*]] = arith.constant 0.693147
  // CHECK:   arith.mulf %{{.*}}, %[[LN2]]
  // CHECK:   %[[SEES:.*]] = arith.cmpi sle
  // CHECK:   arith.select %[[SEES]]
  // CHECK:   linalg.yield
  // CHECK-NEXT: } -> tensor<1x1x3x2x4xf32>
  // CHECK: %[[NOISE:.*]] = linalg.generic {{.*}}outs(%{{.*}} : tensor<1x4x1x3x24xf32>)
  // CHECK: return %[[OUT]], %[[LSE]], %[[NOISE]]
  %r:3 = diffattn.finalize acc(%acc, %row, %row : !acc, !row, !row)
      lambda(%l : tensor<1x4x1x3xf32>) outs(%o : tensor<1x4x1x3x24xf32>)
      lse(%s : tensor<1x1x3x2x4xf32>) noise(%o : tensor<1x4x1x3x24xf32>)
      at(%i of %i, %i) mask<causal>
      maps [#f_acc, #f_row, #f_row, #f_lambda, #f_out, #f_lse, #f_out]
  return %r#0, %r#1, %r#2
      : tensor<1x4x1x3x24xf32>, tensor<1x1x3x2x4xf32>, tensor<1x4x1x3x24xf32>
}
