// RUN: diffattn-opt %s --diffattn-to-online --diffattn-tile --canonicalize --cse | FileCheck %s

// 12 query heads on 2 KV heads (3 pairs a group), 8 rows, 16 keys; tiles of 4
// rows and 8 keys. Numbers are checked by test/CPU/tensor-phases-numerics.mlir.

// CHECK-DAG: #[[$ROWS:.*]] = affine_map<(d0) -> (d0 * 4)>
// CHECK-DAG: #[[$GRID:.*]] = affine_map<()[s0] -> (s0 ceildiv 4)>
// CHECK-DAG: #[[$VALID_ROWS:.*]] = affine_map<(d0)[s0] -> (d0 * -4 + s0, 4)>
// CHECK-DAG: #[[$VALID_KEYS:.*]] = affine_map<(d0) -> (-d0 + 16, 8)>
// CHECK-DAG: #[[$ROW_PADDING:.*]] = affine_map<(d0) -> (-d0 + 4)>
// CHECK-DAG: #[[$KEY_PADDING:.*]] = affine_map<(d0) -> (-d0 + 8)>
// The last row of tile i is 4i + 3, at position 4i + 3 + 16 - 8; one more is
// the end of what it sees.
// CHECK-DAG: #[[$CAUSAL_END:.*]] = affine_map<(d0) -> (16, d0 * 4 + 12)>
// CHECK-DAG: #[[$RIGHT_END:.*]] = affine_map<(d0) -> (16, d0 * 4 + 14)>
// The first row of tile i is 4i, at position 4i + 8, and sees 3 keys before.
// CHECK-DAG: #[[$LEFT_START:.*]] = affine_map<(d0) -> (0, d0 * 4 + 5)>
// Of a ragged tile only valid rows count: d0 of them.
// CHECK-DAG: #[[$DYNAMIC_START:.*]] = affine_map<(d0)[s0, s1] -> (0, d0 * 4 - s0 + s1 - 3)>
// CHECK-DAG: #[[$DYNAMIC_END:.*]] = affine_map<(d0, d1)[s0, s1] -> (s1, d0 + d1 * 4 - s0 + s1 + 2)>

!q = tensor<2x8x12x16xf32>
!k = tensor<2x16x2x16xf32>
!l = tensor<2x8x6xf32>
!o = tensor<2x8x6x16xf32>

// The grid is (batch, KV head, tile of pairs, tile of rows).
// CHECK-LABEL: func @no_mask(
// CHECK-SAME:    %[[Q:[^:]*]]: tensor<2x8x12x16xf32>, %[[K:[^:]*]]: tensor<2x16x2x16xf32>,
func.func @no_mask(%q: !q, %k: !k, %l: !l, %o: !o) -> !o {
  // CHECK-DAG: %[[C0:.*]] = arith.constant 0 : index
  // CHECK-DAG: %[[C8:.*]] = arith.constant 8 : index
  // CHECK-DAG: %[[C16:.*]] = arith.constant 16 : index
  // CHECK-DAG: %[[QX:.*]] = tensor.expand_shape %[[Q]]
  // CHECK: scf.forall (%[[B:.*]], %[[H:.*]], %[[P:.*]], %[[I:.*]]) in (2, 2, 3, 2) shared_outs(%[[OUT:.*]] = %{{.*}})
  // CHECK:   %[[M0:.*]] = affine.apply #[[$ROWS]](%[[I]])
  // CHECK:   %[[TILE:.*]] = tensor.extract_slice %[[QX]][%[[B]], %[[M0]], %[[H]], %[[P]], 0, 0] [1, 4, 1, 1, 2, 16]
  // Initial accumulators are made inside the tile.
  // CHECK:   %[[ACC0:.*]] = linalg.fill {{.*}} -> tensor<1x4x1x1x2x16xf32>
  // CHECK:   %[[LOOP:.*]]:3 = scf.for %[[J:[^ ]*]] = %[[C0]] to %[[C16]] step %[[C8]] iter_args(%[[ACC:[^ ]*]] = %[[ACC0]],
  // CHECK:     diffattn.online_attention
  // CHECK-SAME:  query(%[[TILE]] : tensor<1x4x1x1x2x16xf32>) key(%{{.*}} : tensor<1x8x1x16xf32>)
  // CHECK-SAME:  outs(%[[ACC]],
  // CHECK-SAME:  at(%[[M0]] of %[[C8]], %[[J]] of %[[C16]])
  // CHECK:     scf.yield
  // CHECK:   %[[R:.*]] = diffattn.finalize acc(%[[LOOP]]#0, %[[LOOP]]#1, %[[LOOP]]#2 :
  // CHECK-SAME:  at(%[[M0]] of %[[C8]], %[[C16]])
  // CHECK:   tensor.parallel_insert_slice %[[R]] into %[[OUT]][%[[B]], %[[M0]], %[[H]], %[[P]], 0] [1, 4, 1, 1, 16]
  // CHECK-NOT: diffattn.online_attention
  %r = diffattn.attention query(%q : !q) key(%k : !k) value(%k : !k) lambda(%l : !l)
      outs(%o : !o) schedule<query_tile = 4, pairs = 1, key_tile = 8>
  return %r : !o
}

// All pairs of a group in a tile: keys and values are read once for 6 heads.
// CHECK-LABEL: func @all_pairs(
func.func @all_pairs(%q: !q, %k: !k, %l: !l, %o: !o) -> !o {
  // CHECK: scf.forall (%{{.*}}, %{{.*}}, %{{.*}}) in (2, 2, 2)
  // CHECK: diffattn.online_attention query(%{{.*}} : tensor<1x4x1x3x2x16xf32>)
  %r = diffattn.attention query(%q : !q) key(%k : !k) value(%k : !k) lambda(%l : !l)
      outs(%o : !o) schedule<query_tile = 4, pairs = 3, key_tile = 8>
  return %r : !o
}

// CHECK-LABEL: func @causal(
func.func @causal(%q: !q, %k: !k, %l: !l, %o: !o) -> !o {
  // CHECK: %[[C0:.*]] = arith.constant 0 : index
  // CHECK: scf.forall ({{.*}}, %[[I:.*]]) in (2, 2, 2)
  // CHECK: %[[END:.*]] = affine.min #[[$CAUSAL_END]](%[[I]])
  // CHECK: scf.for %{{.*}} = %[[C0]] to %[[END]] step
  %r = diffattn.attention query(%q : !q) key(%k : !k) value(%k : !k) lambda(%l : !l)
      outs(%o : !o) mask<causal> schedule<query_tile = 4, pairs = 3, key_tile = 8>
  return %r : !o
}

// CHECK-LABEL: func @window(
func.func @window(%q: !q, %k: !k, %l: !l, %o: !o) -> !o {
  // CHECK: scf.forall ({{.*}}, %[[I:.*]]) in (2, 2, 2)
  // CHECK: %[[START:.*]] = affine.max #[[$LEFT_START]](%[[I]])
  // CHECK: %[[END:.*]] = affine.min #[[$RIGHT_END]](%[[I]])
  // CHECK: scf.for %{{.*}} = %[[START]] to %[[END]] step
  %r = diffattn.attention query(%q : !q) key(%k : !k) value(%k : !k) lambda(%l : !l)
      outs(%o : !o) mask<window 3, 2> schedule<query_tile = 4, pairs = 3, key_tile = 8>
  return %r : !o
}

// CHECK-LABEL: func @window_right_only(
func.func @window_right_only(%q: !q, %k: !k, %l: !l, %o: !o) -> !o {
  // CHECK: %[[C0:.*]] = arith.constant 0 : index
  // CHECK: scf.for %{{.*}} = %[[C0]] to %{{.*}} step
  %r = diffattn.attention query(%q : !q) key(%k : !k) value(%k : !k) lambda(%l : !l)
      outs(%o : !o) mask<window *, 2> schedule<query_tile = 4, pairs = 3, key_tile = 8>
  return %r : !o
}

// CHECK-LABEL: func @window_left_only(
func.func @window_left_only(%q: !q, %k: !k, %l: !l, %o: !o) -> !o {
  // CHECK: %[[C16:.*]] = arith.constant 16 : index
  // CHECK: scf.forall ({{.*}}, %[[I:.*]]) in (2, 2, 2)
  // CHECK: %[[START:.*]] = affine.max #[[$LEFT_START]](%[[I]])
  // CHECK: scf.for %{{.*}} = %[[START]] to %[[C16]] step
  %r = diffattn.attention query(%q : !q) key(%k : !k) value(%k : !k) lambda(%l : !l)
      outs(%o : !o) mask<window 3, *> schedule<query_tile = 4, pairs = 3, key_tile = 8>
  return %r : !o
}

// A loop that starts at an arbitrary key ends in a ragged tile of keys even
// where the number of keys is a multiple of the tile.
// CHECK-LABEL: func @ragged_keys(
// CHECK-SAME:    %{{.*}}: tensor<2x8x12x16xf32>, %[[K:[^:]*]]: tensor<2x16x2x16xf32>,
func.func @ragged_keys(%q: !q, %k: !k, %l: !l, %o: !o) -> !o {
  // CHECK: scf.forall (%[[B:.*]], %[[H:.*]], %{{.*}}) in (2, 2, 2)
  // CHECK: scf.for %[[J:[^ ]*]] =
  // CHECK:   %[[VALID:.*]] = affine.min #[[$VALID_KEYS]](%[[J]])
  // CHECK:   %[[PADDING:.*]] = affine.apply #[[$KEY_PADDING]](%[[VALID]])
  // CHECK:   %[[KEYS:.*]] = tensor.extract_slice %[[K]][%[[B]], %[[J]], %[[H]], 0] [1, %[[VALID]], 1, 16]
  // CHECK:   tensor.pad %[[KEYS]] low[0, 0, 0, 0] high[0, %[[PADDING]], 0, 0]
  %r = diffattn.attention query(%q : !q) key(%k : !k) value(%k : !k) lambda(%l : !l)
      outs(%o : !o) mask<window 3, *> schedule<query_tile = 4, pairs = 3, key_tile = 8>
  return %r : !o
}

// Rows of unknown number: the last tile is padded on the way in, and only its
// valid rows are written. Nothing is read or written out of bounds.
// CHECK-LABEL: func @ragged_rows(
// CHECK-SAME:    %[[Q:[^:]*]]: tensor<1x?x2x16xf32>, %[[K:[^:]*]]: tensor<1x?x1x16xf32>,
func.func @ragged_rows(%q: tensor<1x?x2x16xf32>, %k: tensor<1x?x1x16xf32>,
                       %l: tensor<1x?x1xf32>,
                       %o: tensor<1x?x1x16xf32>) -> tensor<1x?x1x16xf32> {
  // CHECK-DAG: %[[C1:.*]] = arith.constant 1 : index
  // CHECK-DAG: %[[NQ:.*]] = tensor.dim %[[Q]], %[[C1]]
  // CHECK-DAG: %[[NK:.*]] = tensor.dim %[[K]], %[[C1]]
  // CHECK-DAG: %[[QX:.*]] = tensor.expand_shape %[[Q]]
  // CHECK: %[[GRID:.*]] = affine.apply #[[$GRID]]()
  // CHECK: scf.forall (%[[I:.*]]) in (%[[GRID]]) shared_outs(%[[OUT:.*]] = %{{.*}})
  // CHECK:   %[[M0:.*]] = affine.apply #[[$ROWS]](%[[I]])
  // CHECK:   %[[VALID:.*]] = affine.min #[[$VALID_ROWS]](%[[I]])
  // CHECK:   %[[PADDING:.*]] = affine.apply #[[$ROW_PADDING]](%[[VALID]])
  // CHECK:   %[[ROWS:.*]] = tensor.extract_slice %[[QX]][0, %[[M0]], 0, 0, 0, 0] [1, %[[VALID]], 1, 1, 2, 16]
  // CHECK:   %[[TILE:.*]] = tensor.pad %[[ROWS]] low[0, 0, 0, 0, 0, 0] high[0, %[[PADDING]], 0, 0, 0, 0]
  // CHECK:   %[[START:.*]] = affine.max #[[$DYNAMIC_START]](%[[I]])[%[[NQ]], %[[NK]]]
  // CHECK:   %[[END:.*]] = affine.min #[[$DYNAMIC_END]](%[[VALID]], %[[I]])[%[[NQ]], %[[NK]]]
  // CHECK:   scf.for %[[J:[^ ]*]] = %[[START]] to %[[END]] step
  // CHECK:     diffattn.online_attention query(%[[TILE]] : tensor<1x4x1x1x2x16xf32>)
  // CHECK:   %[[R:.*]] = diffattn.finalize
  // CHECK:   %[[RV:.*]] = tensor.extract_slice %[[R]][0, 0, 0, 0, 0] [1, %[[VALID]], 1, 1, 16]
  // CHECK:   tensor.parallel_insert_slice %[[RV]] into %[[OUT]][0, %[[M0]], 0, 0, 0] [1, %[[VALID]], 1, 1, 16]
  %r = diffattn.attention query(%q : tensor<1x?x2x16xf32>)
      key(%k : tensor<1x?x1x16xf32>) value(%k : tensor<1x?x1x16xf32>)
      lambda(%l : tensor<1x?x1xf32>) outs(%o : tensor<1x?x1x16xf32>)
      mask<window 3, 2> schedule<query_tile = 4, pairs = 1, key_tile = 8>
  return %r : tensor<1x?x1x16xf32>
}

// Optional results are written where they lie, lse with rows innermost.
// CHECK-LABEL: func @results(
func.func @results(%q: !q, %k: !k, %l: !l, %o: !o, %s: tensor<2x12x8xf32>, %n: !o)
    -> (!o, tensor<2x12x8xf32>, !o) {
  // CHECK: scf.forall (%[[B:.*]], %[[H:.*]], %[[I:.*]]) in (2, 2, 2) shared_outs(%[[O:.*]] = %{{.*}}, %[[S:.*]] = %{{.*}}, %[[N:.*]] = %{{.*}})
  // CHECK:   %[[M0:.*]] = affine.apply #[[$ROWS]](%[[I]])
  // CHECK:   %[[R:.*]]:3 = diffattn.finalize
  // CHECK:   tensor.parallel_insert_slice %[[R]]#0 into %[[O]][%[[B]], %[[M0]], %[[H]], 0, 0] [1, 4, 1, 3, 16]
  // CHECK:   tensor.parallel_insert_slice %[[R]]#1 into %[[S]][%[[B]], %[[H]], 0, 0, %[[M0]]] [1, 1, 3, 2, 4]
  // CHECK:   tensor.parallel_insert_slice %[[R]]#2 into %[[N]][%[[B]], %[[M0]], %[[H]], 0, 0] [1, 4, 1, 3, 16]
  %r:3 = diffattn.attention query(%q : !q) key(%k : !k) value(%k : !k) lambda(%l : !l)
      outs(%o : !o) lse(%s : tensor<2x12x8xf32>) noise(%n : !o)
      schedule<query_tile = 4, pairs = 3, key_tile = 8>
  return %r#0, %r#1, %r#2 : !o, tensor<2x12x8xf32>, !o
}

// CHECK-LABEL: func @no_schedule(
func.func @no_schedule(%q: !q, %k: !k, %l: !l, %o: !o) -> !o {
  // CHECK-NOT: scf
  // CHECK: diffattn.online_attention
  // CHECK-NOT: scf
  // CHECK: diffattn.finalize
  %r = diffattn.attention query(%q : !q) key(%k : !k) value(%k : !k) lambda(%l : !l)
      outs(%o : !o)
  return %r : !o
}
