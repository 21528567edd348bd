// The schedules of sm_90a compute what the operator says, whatever the order of
// teams and copies. Masks leave tiles without keys, with whole tiles of keys and
// with ragged ones.
//
// DEFINE: %{mask} =
// DEFINE: %{queries} = 130
// DEFINE: %{keys} = 250
// DEFINE: %{options} = --blocks=2
// DEFINE: %{order} =
// DEFINE: %{make} = sed 's/MASK/%{mask}/' %s > %t.operator.mlir \
// DEFINE:   && diffattn-compile %t.operator.mlir --target=sm_90a --schedule-table=none %{order} --compile-to=tile -o %t.kernel.mlir
// DEFINE: %{run} = diffattn-eval %t.kernel.mlir --kernel --input=random:1 --compare=%t.operator.mlir --tolerance=8e-3 \
// DEFINE:   --shape=0:1x%{queries}x4x128 --shape=1:1x%{keys}x1x128 --shape=2:1x%{keys}x1x128 --shape=3:1x%{queries}x2 \
// DEFINE:   --result-shape=0:1x%{queries}x2x128 %{options}
//
// RUN: %{make}
// RUN: %{run} --schedules=3
// RUN: FileCheck %s --input-file=%t.kernel.mlir
// REDEFINE: %{mask} = mask<window 70, 0>
// RUN: %{make}
// RUN: %{run} --schedules=3
// REDEFINE: %{mask} = mask<causal>
// RUN: %{make}
// RUN: %{run} --schedules=3
// Queries that see no key.
// REDEFINE: %{keys} = 70
// RUN: %{run} --schedules=3
//
// The other orders.
// REDEFINE: %{keys} = 250
// REDEFINE: %{order} = --order=overlap
// RUN: %{make}
// RUN: %{run} --schedules=3
// REDEFINE: %{order} = --order=sections
// RUN: %{make}
// RUN: %{run} --schedules=3
// Results through the slots of queries.
// REDEFINE: %{order} = --order=overlap --store=shared
// RUN: %{make}
// RUN: %{run} --schedules=3
// RUN: FileCheck %s --check-prefix=SHARED --input-file=%t.kernel.mlir
// SHARED: diffattn_tile.tensor_store
// SHARED: diffattn_tile.reuse
// REDEFINE: %{keys} = 70
// RUN: %{make}
// RUN: %{run} --blocks=1 --mutate-synchronization | FileCheck %s --check-prefix=SHORT
// REDEFINE: %{keys} = 250
// Maxima that move so far, of some warps, that what was computed before anyone
// looked is infinite; a warp that overlooks it is noticed.
// REDEFINE: %{mask} = mask<causal> scale(32.0)
// REDEFINE: %{order} =
// RUN: %{make}
// RUN: %{run}
// RUN: sed -i "s/diffattn_tile.warp_any %[0-9]* .*/arith.constant false/" %t.kernel.mlir
// RUN: not %{run}
// REDEFINE: %{mask} = mask<causal>
// REDEFINE: %{keys} = 70
// REDEFINE: %{order} = --order=overlap
// RUN: %{make}
//
// One block of keys for each tile: every synchronisation that is reached is
// needed. With more, the wait for a free slot of queries follows from the keys
// that have been sent.
// REDEFINE: %{options} = --blocks=1 --mutate-synchronization
// RUN: %{run} | FileCheck %s --check-prefix=SHORT
// SHORT: mutations of the synchronisation are noticed
//
// CHECK: diffattn_tile.persistent
// CHECK: diffattn_tile.roles
// CHECK: diffattn_tile.tensor_copy
// CHECK: diffattn_tile.dot_async

!q = tensor<?x?x4x128xbf16>
!k = tensor<?x?x1x128xbf16>
!o = tensor<?x?x2x128xbf16>
!l = tensor<?x?x2xbf16>

func.func @layer(%q: !q, %k: !k, %v: !k, %l: !l, %o: !o) -> !o {
  %r = diffattn.attention query(%q : !q) key(%k : !k) value(%v : !k) lambda(%l : !l) outs(%o : !o) MASK
  return %r : !o
}
