// RUN: diffattn-opt %s --transform-interpreter --canonicalize --cse -o %t.mlir
// RUN: FileCheck %s < %t.mlir
//
// Numbers: full and ragged tiles, fewer keys than rows, one row.
// DEFINE: %{entry} =
// DEFINE: %{compare} = diffattn-eval %s --entry=%{entry} --compare=%t.mlir --input=random:5
// DEFINE: %{rows_keys} = --shape=0:2x8x12x16 --shape=1:2x16x2x16 --shape=2:2x8x6
// DEFINE: %{ragged} = --shape=0:2x7x12x16 --shape=1:2x11x2x16 --shape=2:2x7x6
// DEFINE: %{few_keys} = --shape=0:2x9x12x16 --shape=1:2x3x2x16 --shape=2:2x9x6
// DEFINE: %{one_row} = --shape=0:2x1x12x16 --shape=1:2x5x2x16 --shape=2:2x1x6
// DEFINE: %{compare_all} = %{compare} %{rows_keys} && %{compare} %{ragged} \
// DEFINE:   && %{compare} %{few_keys} && %{compare} %{one_row}
// REDEFINE: %{entry} = all_dimensions
// RUN: %{compare_all}
// REDEFINE: %{entry} = groups
// RUN: %{compare_all}
// REDEFINE: %{entry} = window_heads
// RUN: %{compare_all}
// REDEFINE: %{entry} = causal_rows
// RUN: %{compare_all}
// REDEFINE: %{entry} = window_rows
// RUN: %{compare_all}
// REDEFINE: %{entry} = consumer
// RUN: %{compare_all}

!q = tensor<2x?x12x16xf32>
!k = tensor<2x?x2x16xf32>
!l = tensor<2x?x6xf32>
!o = tensor<2x?x6x16xf32>
!s = tensor<2x12x?xf32>

// The keys up to the diagonal of a tile's last row, m0 + size + Nk - Nq of them.
// CHECK-DAG: #[[$VISIBLE:.*]] = affine_map<(d0, d1)[s0, s1] -> (0, d0 + d1 + s0 - s1)>
// The head of a tile is 3 * (KV head) + pair; query heads are twice that.
// CHECK-DAG: #[[$PAIR:.*]] = affine_map<(d0, d1) -> (d0 + d1 * 3)>
// CHECK-DAG: #[[$HEAD:.*]] = affine_map<(d0, d1) -> (d0 * 2 + d1 * 6)>

module attributes {transform.with_named_sequence} {

// A tile is again an attention op, on slices; lse is sliced by query heads.
// CHECK-LABEL: func @all_dimensions(
// CHECK-SAME:    %[[Q:[^:]*]]: tensor<2x?x12x16xf32>, %[[K:[^:]*]]: tensor<2x?x2x16xf32>, %[[L:[^:]*]]: tensor<2x?x6xf32>)
func.func @all_dimensions(%q: !q, %k: !k, %l: !l) -> (!o, !s, !o) {
  %c1 = arith.constant 1 : index
  %n = tensor.dim %q, %c1 : !q
  %o = tensor.empty(%n) : !o
  %s = tensor.empty(%n) : !s
  // CHECK: scf.forall (%[[B:.*]], %[[H:.*]], %[[P:.*]], %[[I:.*]]) in (2, 2, 3, %{{.*}}) shared_outs(%[[O:.*]] = %{{.*}}, %[[S:.*]] = %{{.*}}, %[[N:.*]] = %{{.*}})
  // CHECK:   %[[M0:.*]] = affine.apply
  // CHECK:   %[[ROWS:.*]] = affine.min
  // CHECK:   %[[PAIR:.*]] = affine.apply #[[$PAIR]](%[[P]], %[[H]])
  // CHECK:   %[[HEAD:.*]] = affine.apply #[[$HEAD]](%[[P]], %[[H]])
  // CHECK:   %[[QT:.*]] = tensor.extract_slice %[[Q]][%[[B]], %[[M0]], %[[HEAD]], 0] [1, %[[ROWS]], 2, 16]
  // CHECK:   %[[KT:.*]] = tensor.extract_slice %[[K]][%[[B]], 0, %[[H]], 0] [1, %{{.*}}, 1, 16]
  // CHECK:   %[[LT:.*]] = tensor.extract_slice %[[L]][%[[B]], %[[M0]], %[[PAIR]]] [1, %[[ROWS]], 1]
  // CHECK:   diffattn.attention query(%[[QT]] : tensor<1x?x2x16xf32>) key(%[[KT]] : tensor<1x?x1x16xf32>)
  // CHECK-SAME: lambda(%[[LT]] : tensor<1x?x1xf32>)
  // CHECK:   tensor.parallel_insert_slice {{.*}} into %[[O]][%[[B]], %[[M0]], %[[PAIR]], 0] [1, %[[ROWS]], 1, 16]
  // CHECK:   tensor.parallel_insert_slice {{.*}} into %[[S]][%[[B]], %[[HEAD]], %[[M0]]] [1, 2, %[[ROWS]]]
  // CHECK:   tensor.parallel_insert_slice {{.*}} into %[[N]][%[[B]], %[[M0]], %[[PAIR]], 0] [1, %[[ROWS]], 1, 16]
  %r:3 = diffattn.attention query(%q : !q) key(%k : !k) value(%k : !k) lambda(%l : !l)
      outs(%o : !o) lse(%s : !s) noise(%o : !o) {tile_all}
  return %r#0, %r#1, %r#2 : !o, !s, !o
}

// Whole groups: pairs stay together, and there may be several KV heads in a tile.
// CHECK-LABEL: func @groups(
func.func @groups(%q: !q, %k: !k, %l: !l) -> !o {
  %c1 = arith.constant 1 : index
  %n = tensor.dim %q, %c1 : !q
  %o = tensor.empty(%n) : !o
  // CHECK: scf.for %[[H:[^ ]*]] = %c0 to %c2 step %c1
  // CHECK:   diffattn.attention query(%{{.*}} : tensor<2x?x6x16xf32>) key(%{{.*}} : tensor<2x?x1x16xf32>)
  %r = diffattn.attention query(%q : !q) key(%k : !k) value(%k : !k) lambda(%l : !l)
      outs(%o : !o) mask<causal> {tile_groups}
  return %r : !o
}

// Heads only, of unknown lengths: no key is cut off, so any mask will do.
// CHECK-LABEL: func @window_heads(
// CHECK-SAME:    %[[Q:[^:]*]]: tensor<2x?x12x16xf32>, %[[K:[^:]*]]: tensor<2x?x2x16xf32>,
func.func @window_heads(%q: !q, %k: !k, %l: !l) -> !o {
  %c1 = arith.constant 1 : index
  %n = tensor.dim %q, %c1 : !q
  %o = tensor.empty(%n) : !o
  // CHECK: scf.forall (%[[H:.*]], %[[P:.*]]) in (2, 3)
  // CHECK:   %[[NK:.*]] = tensor.dim %[[K]], %c1
  // CHECK:   tensor.extract_slice %[[K]][0, 0, %[[H]], 0] [2, %[[NK]], 1, 16]
  // CHECK:   diffattn.attention
  // CHECK-SAME: mask<window 3, 2>
  %r = diffattn.attention query(%q : !q) key(%k : !k) value(%k : !k) lambda(%l : !l)
      outs(%o : !o) mask<window 3, 2> {tile_heads}
  return %r : !o
}

// Bottom-right alignment: a tile of rows takes the keys up to its own diagonal.
// CHECK-LABEL: func @causal_rows(
// CHECK-SAME:    %[[Q:[^:]*]]: tensor<2x?x12x16xf32>, %[[K:[^:]*]]: tensor<2x?x2x16xf32>,
func.func @causal_rows(%q: !q, %k: !k, %l: !l) -> (!o, !s) {
  %c1 = arith.constant 1 : index
  %n = tensor.dim %q, %c1 : !q
  %o = tensor.empty(%n) : !o
  %s = tensor.empty(%n) : !s
  // CHECK: scf.for %[[M0:[^ ]*]] =
  // CHECK:   %[[ROWS:.*]] = affine.min
  // CHECK:   %[[VISIBLE:.*]] = affine.max #[[$VISIBLE]](%[[M0]], %[[ROWS]])[
  // CHECK:   tensor.extract_slice %[[K]][0, 0, 0, 0] [2, %[[VISIBLE]], 2, 16]
  // CHECK:   diffattn.attention
  // CHECK-SAME: mask<causal>
  %r:2 = diffattn.attention query(%q : !q) key(%k : !k) value(%k : !k) lambda(%l : !l)
      outs(%o : !o) lse(%s : !s) mask<causal> {tile_rows}
  return %r#0, %r#1 : !o, !s
}

// A window that ends on the diagonal is aligned the same way.
// CHECK-LABEL: func @window_rows(
func.func @window_rows(%q: !q, %k: !k, %l: !l) -> !o {
  %c1 = arith.constant 1 : index
  %n = tensor.dim %q, %c1 : !q
  %o = tensor.empty(%n) : !o
  // CHECK: affine.max #[[$VISIBLE]]
  // CHECK: diffattn.attention
  // CHECK-SAME: mask<window 3, 0> scale(7.500000e-01) softcap(2.000000e+00)
  %r = diffattn.attention query(%q : !q) key(%k : !k) value(%k : !k) lambda(%l : !l)
      outs(%o : !o) mask<window 3, 0> scale(0.75) softcap(2.0) {tile_rows}
  return %r : !o
}

// Fused into a tiled consumer: the consumer's rows become the tile's.
// CHECK-LABEL: func @consumer(
func.func @consumer(%q: !q, %k: !k, %l: !l) -> !o {
  %c1 = arith.constant 1 : index
  %n = tensor.dim %q, %c1 : !q
  %o = tensor.empty(%n) : !o
  // CHECK-NOT: diffattn.attention
  // CHECK: scf.forall (%[[B:.*]], %[[I:.*]]) in (2, %{{.*}})
  // CHECK:   %[[T:.*]] = diffattn.attention
  // CHECK:   linalg.negf ins(%[[T]] :
  // CHECK: return
  %r = diffattn.attention query(%q : !q) key(%k : !k) value(%k : !k) lambda(%l : !l)
      outs(%o : !o) mask<causal> {fuse}
  %neg = linalg.negf ins(%r : !o) outs(%o : !o) -> !o
  return %neg : !o
}

transform.named_sequence @__transform_main(%m: !transform.any_op {transform.readonly}) {
  %all = transform.structured.match ops{["diffattn.attention"]} attributes{tile_all} in %m
      : (!transform.any_op) -> !transform.any_op
  %a0, %a1 = transform.structured.tile_using_forall %all tile_sizes [1, 1, 1, 4]
      : (!transform.any_op) -> (!transform.any_op, !transform.any_op)
  %groups = transform.structured.match ops{["diffattn.attention"]} attributes{tile_groups} in %m
      : (!transform.any_op) -> !transform.any_op
  %g0, %g1 = transform.structured.tile_using_for %groups tile_sizes [0, 1]
      : (!transform.any_op) -> (!transform.any_op, !transform.any_op)
  %heads = transform.structured.match ops{["diffattn.attention"]} attributes{tile_heads} in %m
      : (!transform.any_op) -> !transform.any_op
  %h0, %h1 = transform.structured.tile_using_forall %heads tile_sizes [0, 1, 1]
      : (!transform.any_op) -> (!transform.any_op, !transform.any_op)
  %rows = transform.structured.match ops{["diffattn.attention"]} attributes{tile_rows} in %m
      : (!transform.any_op) -> !transform.any_op
  %r0, %r1 = transform.structured.tile_using_for %rows tile_sizes [0, 0, 0, 4]
      : (!transform.any_op) -> (!transform.any_op, !transform.any_op)
  %neg = transform.structured.match ops{["linalg.negf"]} in %m
      : (!transform.any_op) -> !transform.any_op
  %n0, %loop = transform.structured.tile_using_forall %neg tile_sizes [1, 4]
      : (!transform.any_op) -> (!transform.any_op, !transform.any_op)
  %fuse = transform.structured.match ops{["diffattn.attention"]} attributes{fuse} in %m
      : (!transform.any_op) -> !transform.any_op
  %f0, %f1 = transform.structured.fuse_into_containing_op %fuse into %loop
      : (!transform.any_op, !transform.any_op) -> (!transform.any_op, !transform.any_op)
  transform.yield
}

}
