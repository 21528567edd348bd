// Keys are split, each split has accumulators of its own, and a merge weighs
// them by 2^(max_split - max).
//
// RUN: diffattn-opt %s --diffattn-to-online --transform-interpreter --canonicalize --cse -o %t.split.mlir
// RUN: FileCheck %s < %t.split.mlir
// RUN: diffattn-opt %s --diffattn-to-online --diffattn-cpu-layout --transform-interpreter -o %t.packed.mlir
// RUN: diffattn-opt %t.split.mlir --diffattn-decompose-tiles -o %t.decomposed.mlir
//
// DEFINE: %{shape} =
// DEFINE: %{compare} = diffattn-eval %s --input=random:5 %{shape} --tolerance=1e-6
// DEFINE: %{compare_all} = %{compare} --compare=%t.split.mlir \
// DEFINE:   && %{compare} --compare=%t.packed.mlir && %{compare} --compare=%t.decomposed.mlir
//
// Full splits; for the first rows the last split is hidden altogether.
// REDEFINE: %{shape} = --shape=0:2x8x12x16 --shape=1:2x16x2x16 --shape=2:2x8x6
// RUN: %{compare_all}
// A ragged last split.
// REDEFINE: %{shape} = --shape=0:2x7x12x16 --shape=1:2x19x2x16 --shape=2:2x7x6
// RUN: %{compare_all}
// Rows that see no key in any split: maxima of -inf must not become NaN.
// REDEFINE: %{shape} = --shape=0:2x11x12x16 --shape=1:2x9x2x16 --shape=2:2x11x6
// RUN: %{compare_all}
// Decode.
// REDEFINE: %{shape} = --shape=0:2x1x12x16 --shape=1:2x33x2x16 --shape=2:2x1x6
// RUN: %{compare_all}

// CHECK-DAG: #[[$SPLIT:.*]] = affine_map<()[s0] -> (s0 floordiv 8)>
// CHECK-DAG: #[[$SPLITS:.*]] = affine_map<()[s0] -> (s0 ceildiv 8)>

!q = tensor<2x?x12x16xf32>
!k = tensor<2x?x2x16xf32>
!l = tensor<2x?x6xf32>
!o = tensor<2x?x6x16xf32>
!s = tensor<2x12x?xf32>

module attributes {transform.with_named_sequence} {

// CHECK-LABEL: func @attention(
// CHECK-SAME:    %{{.*}}: tensor<2x?x12x16xf32>, %[[K:[^:]*]]: tensor<2x?x2x16xf32>,
func.func @attention(%q: !q, %k: !k, %l: !l) -> (!o, !s, !o) {
  %c1 = arith.constant 1 : index
  %n = tensor.dim %q, %c1 : !q
  %o = tensor.empty(%n) : !o
  %s = tensor.empty(%n) : !s
  // CHECK-DAG: %[[ZERO:.*]] = arith.constant 0.0{{.*}} : f32
  // CHECK-DAG: %[[LOWEST:.*]] = arith.constant 0xFF800000 : f32
  // One set of accumulators a split, each at its neutral value.
  // CHECK-DAG: %[[N:.*]] = affine.apply #[[$SPLITS]]()[%[[NK:.*]]]
  // CHECK-DAG: %[[ACC0:.*]] = linalg.fill ins(%[[ZERO]] : f32) outs(%{{.*}} : tensor<?x2x?x2x3x2x16xf32>)
  // CHECK-DAG: %[[MAX0:.*]] = linalg.fill ins(%[[LOWEST]] : f32) outs(%{{.*}} : tensor<?x2x?x2x3x2xf32>)
  // CHECK-DAG: %[[SUM0:.*]] = linalg.fill ins(%[[ZERO]] : f32) outs(%{{.*}} : tensor<?x2x?x2x3x2xf32>)
  // CHECK: %[[PARTS:.*]]:3 = scf.forall (%[[K0:.*]]) = (0) to (%[[NK]]) step (8)
  // CHECK-SAME: shared_outs(%[[ACCS:.*]] = %[[ACC0]], %[[MAXS:.*]] = %[[MAX0]], %[[SUMS:.*]] = %[[SUM0]])
  // CHECK:   %[[I:.*]] = affine.apply #[[$SPLIT]]()[%[[K0]]]
  // CHECK:   %[[ACC:.*]] = tensor.extract_slice %[[ACCS]][%[[I]], 0, 0, 0, 0, 0, 0]
  // CHECK:   %[[KEYS:.*]] = tensor.extract_slice %[[K]][0, %[[K0]], 0, 0]
  // CHECK:   diffattn.online_attention {{.*}} key(%[[KEYS]] : {{.*}} outs(%[[ACC]],
  // CHECK-SAME: at(%{{.*}} of %{{.*}}, %[[K0]] of %[[NK]])
  // The merge: the overall maximum, then for acc and sum the initial value and
  // the splits, weighed.
  // CHECK: %[[MAX:.*]] = linalg.generic {{.*}} ins(%[[PARTS]]#1 :
  // CHECK:   arith.maxnumf
  // CHECK: linalg.generic
  // CHECK: %[[ACC1:.*]] = linalg.generic {{.*}} ins(%[[PARTS]]#0, %[[PARTS]]#1, %[[MAX]] :
  // CHECK:   math.exp2
  // CHECK:   arith.mulf
  // CHECK:   arith.addf
  // CHECK: linalg.generic
  // CHECK: %[[SUM1:.*]] = linalg.generic {{.*}} ins(%[[PARTS]]#2, %[[PARTS]]#1, %[[MAX]] :
  // CHECK: diffattn.finalize acc(%[[ACC1]], %[[MAX]], %[[SUM1]] :
  %r:3 = diffattn.attention query(%q : !q) key(%k : !k) value(%k : !k) lambda(%l : !l)
      outs(%o : !o) lse(%s : !s) noise(%o : !o) mask<window 6, 1>
  return %r#0, %r#1, %r#2 : !o, !s, !o
}

transform.named_sequence @__transform_main(%m: !transform.any_op {transform.readonly}) {
  %op = transform.structured.match ops{["diffattn.online_attention"]} in %m
      : (!transform.any_op) -> !transform.any_op
  // Three fills, the split, five ops of the merge, the loop.
  %r:10 = transform.structured.tile_reduction_using_forall %op by tile_sizes = [0, 0, 0, 0, 8]
      : (!transform.any_op) -> (!transform.any_op, !transform.any_op, !transform.any_op,
                                !transform.any_op, !transform.any_op, !transform.any_op,
                                !transform.any_op, !transform.any_op, !transform.any_op,
                                !transform.any_op)
  transform.yield
}

}
