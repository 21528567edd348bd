// The hand-written kernel runs like those of the compiler: it computes what the
// operator says, whatever the order of teams and copies, and each synchronisation
// in it is needed.
// DEFINE: %{batches} =
// DEFINE: %{queries} =
// DEFINE: %{keys} =
// DEFINE: %{scale} = 0.127517432
// DEFINE: %{entry} = reference
// DEFINE: %{kernel} = %S/../../Dialect/Tile/Hopper/causal-d128.mlir
// DEFINE: %{run} = diffattn-eval %{kernel} --kernel --compare=%s --entry=%{entry} --tolerance=8e-3 \
// DEFINE:   --input=random:1 --input=random:1 --input=random:1 --input=random:1 --input=value:0 \
// DEFINE:   --input=value:%{keys} --input=value:2 --input=value:%{scale} --input=value:1 \
// DEFINE:   --shape=0:%{batches}x%{queries}x4x128 --shape=1:%{batches}x%{keys}x1x128 --shape=2:%{batches}x%{keys}x1x128 \
// DEFINE:   --shape=3:%{batches}x%{queries}x2 --result-shape=0:%{batches}x%{queries}x2x128
//
// Ragged tiles of queries and keys, several tiles for each block.
// REDEFINE: %{batches} = 2
// REDEFINE: %{queries} = 130
// REDEFINE: %{keys} = 250
// RUN: %{run} --blocks=3 --schedules=4
// Queries that see no key.
// REDEFINE: %{keys} = 70
// RUN: %{run} --blocks=2
// Maxima that move, of some warps.
// REDEFINE: %{scale} = 1.44269504
// REDEFINE: %{entry} = steep
// REDEFINE: %{keys} = 250
// REDEFINE: %{batches} = 1
// RUN: %{run} --blocks=1 --schedules=2
// REDEFINE: %{scale} = 0.127517432
// REDEFINE: %{entry} = reference
//
// One block of keys for each tile.
// REDEFINE: %{queries} = 250
// REDEFINE: %{keys} = 70
// RUN: %{run} --blocks=1 --mutate-synchronization | FileCheck %s --check-prefix=SHORT
// SHORT: all 25 mutations of the synchronisation are noticed, 22 ops are not reached
//
// As in hopper-forward.mlir.
// REDEFINE: %{keys} = 400
// RUN: not %{run} --blocks=1 --mutate-synchronization 2>&1 | FileCheck %s --check-prefix=LONG --implicit-check-not=unnoticed
// LONG: causal-d128.mlir":[[#]]:15): error: can be removed unnoticed
// LONG: 1 of 42 mutations of the synchronisation go unnoticed

!q = tensor<?x?x4x128xbf16>
!k = tensor<?x?x1x128xbf16>
!o = tensor<?x?x2x128xbf16>
!l = tensor<?x?x2xbf16>

func.func @reference(%q: !q, %k: !k, %v: !k, %l: !l, %o: !o, %c: tensor<2xi32>, %num_keys: i32, %pairs: i32, %scale: f32, %t: i32) -> !o {
  %r = diffattn.attention query(%q : !q) key(%k : !k) value(%v : !k) lambda(%l : !l) outs(%o : !o) mask<causal>
  return %r : !o
}
func.func @steep(%q: !q, %k: !k, %v: !k, %l: !l, %o: !o, %c: tensor<2xi32>, %num_keys: i32, %pairs: i32, %scale: f32, %t: i32) -> !o {
  %r = diffattn.attention query(%q : !q) key(%k : !k) value(%v : !k) lambda(%l : !l) outs(%o : !o) mask<causal> scale(1.0)
  return %r : !o
}
