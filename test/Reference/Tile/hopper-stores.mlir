// Results leave through slots of their own (d = 64), or those of queries (d = 128,
// two results in one slot), whatever the order of teams, copies and stores. The
// last tile of tokens is ragged.
//
// DEFINE: %{d} = 64
// DEFINE: %{options} = --blocks=2 --schedules=3
// DEFINE: %{make} = sed 's/DIM/%{d}/g' %s > %t.operator.mlir \
// DEFINE:   && diffattn-compile %t.operator.mlir --target=sm_90a --order=overlap --store=shared --compile-to=tile -o %t.kernel.mlir
// DEFINE: %{run} = diffattn-eval %t.kernel.mlir --kernel --input=random:1 --compare=%t.operator.mlir --tolerance=8e-3 \
// DEFINE:   --shape=0:1x200x4x%{d} --shape=1:1x70x1x%{d} --shape=2:1x70x1x%{d} --shape=3:1x200x2 \
// DEFINE:   --result-shape=0:1x200x2x%{d} --result-shape=1:1x4x200 --result-shape=2:1x200x2x%{d} %{options}
//
// RUN: %{make}
// RUN: FileCheck %s --check-prefix=OWN --implicit-check-not=diffattn_tile.reuse --input-file=%t.kernel.mlir
// RUN: %{run}
// REDEFINE: %{d} = 128
// RUN: %{make}
// RUN: FileCheck %s --check-prefix=REUSE --input-file=%t.kernel.mlir
// RUN: %{run}
// One block of keys for each tile: every synchronisation that is reached is needed.
// REDEFINE: %{options} = --blocks=1 --mutate-synchronization
// RUN: %{run} | FileCheck %s
// REDEFINE: %{d} = 64
// RUN: %{make}
// RUN: %{run} | FileCheck %s
//
// CHECK: mutations of the synchronisation are noticed
// OWN: diffattn_tile.tensor_store
// REUSE: diffattn_tile.reuse %{{.*}} -> <2 x [32x128xf16]

!q = tensor<?x?x4xDIMxf16>
!k = tensor<?x?x1xDIMxf16>
!o = tensor<?x?x2xDIMxf16>
!l = tensor<?x?x2xf16>
!s = tensor<?x4x?xf32>

func.func @layer(%q: !q, %k: !k, %v: !k, %l: !l, %o: !o, %s: !s, %n: !o) -> (!o, !s, !o) {
  %r:3 = diffattn.attention query(%q : !q) key(%k : !k) value(%v : !k) lambda(%l : !l) outs(%o : !o) lse(%s : !s) noise(%n : !o) mask<causal>
  return %r#0, %r#1, %r#2 : !o, !s, !o
}
