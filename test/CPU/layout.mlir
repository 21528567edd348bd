// RUN: diffattn-opt %s --diffattn-cpu-layout | FileCheck %s

#query = affine_map<(b, h, p, r, m, k, d, n) -> (b, m, h, p, r, d)>
#key = affine_map<(b, h, p, r, m, k, d, n) -> (b, k, h, d)>
#value = affine_map<(b, h, p, r, m, k, d, n) -> (b, k, h, n)>
#acc = affine_map<(b, h, p, r, m, k, d, n) -> (b, m, h, p, r, n)>
#row = affine_map<(b, h, p, r, m, k, d, n) -> (b, m, h, p, r)>
#f_acc = affine_map<(b, h, p, r, m, n) -> (b, m, h, p, r, n)>
#f_row = affine_map<(b, h, p, r, m, n) -> (b, m, h, p, r)>
#f_lambda = affine_map<(b, h, p, r, m, n) -> (b, m, h, p)>
#f_out = affine_map<(b, h, p, r, m, n) -> (b, m, h, p, n)>
#f_lse = affine_map<(b, h, p, r, m, n) -> (b, h, p, r, m)>

// CHECK-DAG: #[[$QUERY:.*]] = affine_map<(d0, d1, d2, d3, d4, d5, d6, d7) -> (d0, d4, d1, d2, d3, d6)>
// CHECK-DAG: #[[$KEY:.*]] = affine_map<(d0, d1, d2, d3, d4, d5, d6, d7) -> (d0, d5, d1, d6)>
// CHECK-DAG: #[[$VALUE:.*]] = affine_map<(d0, d1, d2, d3, d4, d5, d6, d7) -> (d0, d5, d1, d7)>
// CHECK-DAG: #[[$ACC:.*]] = affine_map<(d0, d1, d2, d3, d4, d5, d6, d7) -> (d0, d1, d7, d2, d3, d4)>
// CHECK-DAG: #[[$ROW:.*]] = affine_map<(d0, d1, d2, d3, d4, d5, d6, d7) -> (d0, d1, d2, d3, d4)>
// CHECK-DAG: #[[$F_ACC:.*]] = affine_map<(d0, d1, d2, d3, d4, d5) -> (d0, d1, d5, d2, d3, d4)>
// CHECK-DAG: #[[$F_ROW:.*]] = affine_map<(d0, d1, d2, d3, d4, d5) -> (d0, d1, d2, d3, d4)>
// CHECK-DAG: #[[$F_LAMBDA:.*]] = affine_map<(d0, d1, d2, d3, d4, d5) -> (d0, d4, d1, d2)>
// CHECK-DAG: #[[$OLD_ACC:.*]] = affine_map<(d0, d1, d2, d3, d4, d5, d6, d7) -> (d0, d4, d1, d2, d3, d7)>

!q = tensor<1x?x1x3x2x16xf32>
!k = tensor<1x?x1x16xf32>
!v = tensor<1x?x1x24xf32>
!acc = tensor<1x?x1x3x2x24xf32>
!row = tensor<1x?x1x3x2xf32>
!l = tensor<1x?x1x3xf32>
!o = tensor<1x?x1x3x24xf32>

// Accumulators get rows innermost; operands and outputs stay as they are.
// CHECK-LABEL: func @rows_innermost(
// CHECK-SAME:    %[[Q:[^:]*]]: tensor<1x?x1x3x2x16xf32>,
func.func @rows_innermost(%q: !q, %k: !k, %v: !v, %l: !l, %o: !o, %nq: index,
                          %nk: index) -> !o {
  %c0 = arith.constant 0 : index
  %zero = arith.constant 0.0 : f32
  %lowest = arith.constant 0xFF800000 : f32
  %e0 = tensor.empty(%nq) : !acc
  %e1 = tensor.empty(%nq) : !row
  %acc = linalg.fill ins(%zero : f32) outs(%e0 : !acc) -> !acc
  %max = linalg.fill ins(%lowest : f32) outs(%e1 : !row) -> !row
  %sum = linalg.fill ins(%zero : f32) outs(%e1 : !row) -> !row
  // CHECK-DAG: %[[ZERO:.*]] = arith.constant 0.0{{.*}} : f32
  // CHECK-DAG: %[[LOWEST:.*]] = arith.constant 0xFF800000 : f32
  // CHECK-DAG: %[[ACC0:.*]] = linalg.fill ins(%[[ZERO]] : f32) outs(%{{.*}} : tensor<1x1x24x3x2x?xf32>)
  // CHECK-DAG: %[[MAX0:.*]] = linalg.fill ins(%[[LOWEST]] : f32) outs(%{{.*}} : tensor<1x1x3x2x?xf32>)
  // CHECK-DAG: %[[SUM0:.*]] = linalg.fill ins(%[[ZERO]] : f32) outs(%{{.*}} : tensor<1x1x3x2x?xf32>)
  // CHECK: %[[ACC:.*]], %[[MAX:.*]], %[[SUM:.*]] = diffattn.online_attention query(%[[Q]] :
  // CHECK-SAME: outs(%[[ACC0]], %[[MAX0]], %[[SUM0]] :
  // CHECK-SAME: mask<causal> scale(5.000000e-01) softcap(2.000000e+01) schedule<query_tile = 4, pairs = 3, key_tile = 8>
  // CHECK-SAME: maps [#[[$QUERY]], #[[$KEY]], #[[$VALUE]], #[[$ACC]], #[[$ROW]], #[[$ROW]]]
  %r:3 = diffattn.online_attention query(%q : !q) key(%k : !k) value(%v : !v)
      outs(%acc, %max, %sum : !acc, !row, !row) at(%c0 of %nq, %c0 of %nk)
      mask<causal> scale(0.5) softcap(20.0) schedule<query_tile = 4, pairs = 3, key_tile = 8>
      maps [#query, #key, #value, #acc, #row, #row]
  // CHECK: diffattn.finalize acc(%[[ACC]], %[[MAX]], %[[SUM]] :
  // CHECK-SAME: maps [#[[$F_ACC]], #[[$F_ROW]], #[[$F_ROW]], #[[$F_LAMBDA]],
  %f = diffattn.finalize acc(%r#0, %r#1, %r#2 : !acc, !row, !row) lambda(%l : !l)
      outs(%o : !o) at(%c0 of %nq, %nk) mask<causal>
      maps [#f_acc, #f_row, #f_row, #f_lambda, #f_out, #f_lse, #f_out]
  return %f : !o
}

// Accumulators that hold earlier keys would have to be moved.
// CHECK-LABEL: func @not_filled(
func.func @not_filled(%q: !q, %k: !k, %v: !v, %acc: !acc, %row: !row, %l: !l,
                      %o: !o, %i: index) -> !o {
  // CHECK: diffattn.online_attention
  // CHECK-SAME: #[[$OLD_ACC]]
  %r:3 = diffattn.online_attention query(%q : !q) key(%k : !k) value(%v : !v)
      outs(%acc, %row, %row : !acc, !row, !row) at(%i of %i, %i of %i)
      scale(0.5) maps [#query, #key, #value, #acc, #row, #row]
  %f = diffattn.finalize acc(%r#0, %r#1, %r#2 : !acc, !row, !row) lambda(%l : !l)
      outs(%o : !o) at(%i of %i, %i)
      maps [#f_acc, #f_row, #f_row, #f_lambda, #f_out, #f_lse, #f_out]
  return %f : !o
}

// Somebody else reads the accumulators as they lie.
// CHECK-LABEL: func @other_user(
func.func @other_user(%q: !q, %k: !k, %v: !v, %l: !l, %o: !o, %i: index)
    -> (!o, !acc) {
  %zero = arith.constant 0.0 : f32
  %e0 = tensor.empty(%i) : !acc
  %e1 = tensor.empty(%i) : !row
  %acc = linalg.fill ins(%zero : f32) outs(%e0 : !acc) -> !acc
  %row = linalg.fill ins(%zero : f32) outs(%e1 : !row) -> !row
  // CHECK: diffattn.online_attention
  // CHECK-SAME: #[[$OLD_ACC]]
  %r:3 = diffattn.online_attention query(%q : !q) key(%k : !k) value(%v : !v)
      outs(%acc, %row, %row : !acc, !row, !row) at(%i of %i, %i of %i)
      scale(0.5) maps [#query, #key, #value, #acc, #row, #row]
  %f = diffattn.finalize acc(%r#0, %r#1, %r#2 : !acc, !row, !row) lambda(%l : !l)
      outs(%o : !o) at(%i of %i, %i)
      maps [#f_acc, #f_row, #f_row, #f_lambda, #f_out, #f_lse, #f_out]
  return %f, %r#0 : !o, !acc
}

// max and sum exchanged: the pass must not put them right.
// CHECK-LABEL: func @results_exchanged(
func.func @results_exchanged(%q: !q, %k: !k, %v: !v, %l: !l, %o: !o, %i: index) -> !o {
  %zero = arith.constant 0.0 : f32
  %e0 = tensor.empty(%i) : !acc
  %e1 = tensor.empty(%i) : !row
  %acc = linalg.fill ins(%zero : f32) outs(%e0 : !acc) -> !acc
  %row = linalg.fill ins(%zero : f32) outs(%e1 : !row) -> !row
  // CHECK: %[[ACC:.*]], %[[MAX:.*]], %[[SUM:.*]] = diffattn.online_attention
  // CHECK: diffattn.finalize acc(%[[ACC]], %[[SUM]], %[[MAX]] :
  %r:3 = diffattn.online_attention query(%q : !q) key(%k : !k) value(%v : !v)
      outs(%acc, %row, %row : !acc, !row, !row) at(%i of %i, %i of %i)
      scale(0.5) maps [#query, #key, #value, #acc, #row, #row]
  %f = diffattn.finalize acc(%r#0, %r#2, %r#1 : !acc, !row, !row) lambda(%l : !l)
      outs(%o : !o) at(%i of %i, %i)
      maps [#f_acc, #f_row, #f_row, #f_lambda, #f_out, #f_lse, #f_out]
  return %f : !o
}
