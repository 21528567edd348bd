// Stock tools tile the online form over all five loops, keys as a reduction.
//
// RUN: diffattn-opt %s --diffattn-to-online --transform-interpreter=entry-point=keys --canonicalize --cse -o %t.keys.mlir
// RUN: FileCheck %s --check-prefix=KEYS < %t.keys.mlir
// RUN: diffattn-opt %s --diffattn-to-online --transform-interpreter=entry-point=all --canonicalize --cse -o %t.all.mlir
// RUN: FileCheck %s --check-prefix=ALL < %t.all.mlir
// RUN: diffattn-opt %s --diffattn-to-online --transform-interpreter=entry-point=parallel --canonicalize --cse -o %t.parallel.mlir
// RUN: FileCheck %s --check-prefix=PARALLEL < %t.parallel.mlir
// RUN: diffattn-opt %s --diffattn-to-online --transform-interpreter=entry-point=finalize --canonicalize --cse -o %t.finalize.mlir
// RUN: FileCheck %s --check-prefix=FINALIZE < %t.finalize.mlir
// RUN: diffattn-opt %s --diffattn-to-online --diffattn-cpu-layout --transform-interpreter=entry-point=all -o %t.packed.mlir
//
// DEFINE: %{shape} =
// DEFINE: %{compare} = diffattn-eval %s --input=random:5 %{shape}
// DEFINE: %{compare_all} = %{compare} --compare=%t.keys.mlir && %{compare} --compare=%t.all.mlir \
// DEFINE:   && %{compare} --compare=%t.parallel.mlir && %{compare} --compare=%t.finalize.mlir \
// DEFINE:   && %{compare} --compare=%t.packed.mlir
// REDEFINE: %{shape} = --shape=0:2x8x12x16 --shape=1:2x16x2x16 --shape=2:2x8x6
// RUN: %{compare_all}
// Ragged rows and keys, rows without keys, one row.
// REDEFINE: %{shape} = --shape=0:2x7x12x16 --shape=1:2x19x2x16 --shape=2:2x7x6
// RUN: %{compare_all}
// REDEFINE: %{shape} = --shape=0:2x11x12x16 --shape=1:2x5x2x16 --shape=2:2x11x6
// RUN: %{compare_all}
// REDEFINE: %{shape} = --shape=0:2x1x12x16 --shape=1:2x9x2x16 --shape=2:2x1x6
// RUN: %{compare_all}

!q = tensor<2x?x12x16xf32>
!k = tensor<2x?x2x16xf32>
!l = tensor<2x?x6xf32>
!o = tensor<2x?x6x16xf32>
!s = tensor<2x12x?xf32>

module attributes {transform.with_named_sequence} {

// The loop over keys carries the accumulators, and a tile knows its first key.
// KEYS-LABEL: func @attention(
// KEYS:      %[[R:.*]]:3 = scf.for %[[K0:[^ ]*]] = %c0 to %[[NK:[^ ]*]] step %c8 iter_args(%[[ACC:[^ ]*]] = %{{[^,]*}}, %[[MAX:[^ ]*]] = %{{[^,]*}}, %[[SUM:[^ ]*]] =
// KEYS:        %[[T:.*]], %{{.*}}, %{{.*}} = diffattn.online_attention
// KEYS-SAME:     at(%c0 of %{{.*}}, %[[K0]] of %[[NK]])
// KEYS:      diffattn.finalize acc(%[[R]]#0, %[[R]]#1, %[[R]]#2 :

// ALL-LABEL: func @attention(
// ALL-COUNT-5: scf.for %
// ALL:         diffattn.online_attention query(%{{.*}} : tensor<1x?x1x1x2x16xf32>) key(%{{.*}} : tensor<1x?x1x16xf32>)

// A tile knows its first row too: the mask needs no slices of keys.
// PARALLEL-LABEL: func @attention(
// PARALLEL:  scf.forall (%[[B:.*]], %[[H:.*]], %[[I:.*]]) in (2, 2, %{{.*}})
// PARALLEL:    %[[M0:.*]] = affine.apply {{.*}}(%[[I]])
// PARALLEL:    diffattn.online_attention query(%{{.*}} : tensor<1x?x1x3x2x16xf32>)
// PARALLEL-SAME: at(%[[M0]] of %{{.*}}, %c0 of %{{.*}}) mask<window 6, 1>

// FINALIZE-LABEL: func @attention(
// FINALIZE:  scf.forall (%[[B:.*]], %[[H:.*]], %[[P:.*]], %[[I:.*]]) in (2, 2, 3, %{{.*}}) shared_outs(%[[O:[^ ]*]] = %{{[^,]*}}, %[[S:[^ ]*]] =
// FINALIZE:    %[[M0:.*]] = affine.apply {{.*}}(%[[I]])
// FINALIZE:    %[[R:.*]]:3 = diffattn.finalize acc(%{{.*}} : tensor<1x?x1x1x2x16xf32>,
// FINALIZE-SAME: at(%[[M0]] of
// FINALIZE:    tensor.parallel_insert_slice %[[R]]#0 into %[[O]][%[[B]], %[[M0]], %[[H]], %[[P]], 0]
// FINALIZE:    tensor.parallel_insert_slice %[[R]]#1 into %[[S]][%[[B]], %[[H]], %[[P]], 0, %[[M0]]]
func.func @attention(%q: !q, %k: !k, %l: !l) -> (!o, !s, !o) {
  %c1 = arith.constant 1 : index
  %n = tensor.dim %q, %c1 : !q
  %o = tensor.empty(%n) : !o
  %s = tensor.empty(%n) : !s
  %r:3 = diffattn.attention query(%q : !q) key(%k : !k) value(%k : !k) lambda(%l : !l)
      outs(%o : !o) lse(%s : !s) noise(%o : !o) mask<window 6, 1> softcap(3.0)
  return %r#0, %r#1, %r#2 : !o, !s, !o
}

transform.named_sequence @keys(%m: !transform.any_op {transform.readonly}) {
  %op = transform.structured.match ops{["diffattn.online_attention"]} in %m
      : (!transform.any_op) -> !transform.any_op
  %t, %loop = transform.structured.tile_using_for %op tile_sizes [0, 0, 0, 0, 8]
      : (!transform.any_op) -> (!transform.any_op, !transform.any_op)
  transform.yield
}

transform.named_sequence @all(%m: !transform.any_op {transform.readonly}) {
  %op = transform.structured.match ops{["diffattn.online_attention"]} in %m
      : (!transform.any_op) -> !transform.any_op
  %t, %loops:5 = transform.structured.tile_using_for %op tile_sizes [1, 1, 1, 4, 8]
      : (!transform.any_op) -> (!transform.any_op, !transform.any_op, !transform.any_op,
                                !transform.any_op, !transform.any_op, !transform.any_op)
  transform.yield
}

transform.named_sequence @parallel(%m: !transform.any_op {transform.readonly}) {
  %op = transform.structured.match ops{["diffattn.online_attention"]} in %m
      : (!transform.any_op) -> !transform.any_op
  %t, %loop = transform.structured.tile_using_forall %op tile_sizes [1, 1, 0, 4]
      : (!transform.any_op) -> (!transform.any_op, !transform.any_op)
  transform.yield
}

transform.named_sequence @finalize(%m: !transform.any_op {transform.readonly}) {
  %op = transform.structured.match ops{["diffattn.finalize"]} in %m
      : (!transform.any_op) -> !transform.any_op
  %t, %loop = transform.structured.tile_using_forall %op tile_sizes [1, 1, 1, 4]
      : (!transform.any_op) -> (!transform.any_op, !transform.any_op)
  %online = transform.structured.match ops{["diffattn.online_attention"]} in %m
      : (!transform.any_op) -> !transform.any_op
  %f, %new = transform.structured.fuse_into_containing_op %online into %loop
      : (!transform.any_op, !transform.any_op) -> (!transform.any_op, !transform.any_op)
  transform.yield
}

}
