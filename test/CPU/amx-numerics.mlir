// REQUIRES: amx
//
// Programs with matrix tiles against the float64 evaluator.
//
// DEFINE: %{entry} =
// DEFINE: %{shape} =
// DEFINE: %{run} = diffattn-compile %s --entry=%{entry} --target=cpu-amx --run --input=random:5 %{shape} --check
//
// REDEFINE: %{entry} = masks
// Whole tiles of rows and keys.
// REDEFINE: %{shape} = --shape=0:2x128x12x64 --shape=1:2x128x2x64 --shape=2:2x128x2x48 --shape=3:2x128x6
// RUN: %{run}
// Both edges ragged, and more keys than rows.
// REDEFINE: %{shape} = --shape=0:1x77x12x64 --shape=1:1x205x2x64 --shape=2:1x205x2x48 --shape=3:1x77x6
// RUN: %{run}
// Rows without keys.
// REDEFINE: %{shape} = --shape=0:1x90x12x64 --shape=1:1x35x2x64 --shape=2:1x35x2x48 --shape=3:1x90x6
// RUN: %{run}
// One row; no keys.
// REDEFINE: %{shape} = --shape=0:1x1x12x64 --shape=1:1x70x2x64 --shape=2:1x70x2x48 --shape=3:1x1x6
// RUN: %{run}
// REDEFINE: %{shape} = --shape=0:1x5x12x64 --shape=1:1x0x2x64 --shape=2:1x0x2x48 --shape=3:1x5x6
// RUN: %{run}
//
// REDEFINE: %{entry} = results
// REDEFINE: %{shape} = --dynamic-dim=100
// RUN: %{run}
//
// REDEFINE: %{entry} = plain
// REDEFINE: %{shape} = --dynamic-dim=150
// RUN: %{run}
//
// REDEFINE: %{entry} = static_shape
// REDEFINE: %{shape} =
// RUN: %{run}

!q = tensor<?x?x12x64xbf16>
!k = tensor<?x?x2x64xbf16>
!v = tensor<?x?x2x48xbf16>
!l = tensor<?x?x6xbf16>
!o = tensor<?x?x6x48xbf16>

func.func @masks(%q: !q, %k: !k, %v: !v, %l: !l) -> (!o, !o, !o, !o) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %b = tensor.dim %q, %c0 : !q
  %n = tensor.dim %q, %c1 : !q
  %o = tensor.empty(%b, %n) : !o
  %none = diffattn.attention query(%q : !q) key(%k : !k) value(%v : !v) lambda(%l : !l)
      outs(%o : !o)
  %causal = diffattn.attention query(%q : !q) key(%k : !k) value(%v : !v) lambda(%l : !l)
      outs(%o : !o) mask<causal>
  %window = diffattn.attention query(%q : !q) key(%k : !k) value(%v : !v) lambda(%l : !l)
      outs(%o : !o) mask<window 50, 20> schedule<query_tile = 16, pairs = 1, key_tile = 32>
  // Rows of a tile that are no multiple of the matrix unit's, and so vectors.
  %odd = diffattn.attention query(%q : !q) key(%k : !k) value(%v : !v) lambda(%l : !l)
      outs(%o : !o) mask<causal> schedule<query_tile = 20, pairs = 1, key_tile = 32>
  return %none, %causal, %window, %odd : !o, !o, !o, !o
}

!rq = tensor<1x?x4x96xbf16>
!rk = tensor<1x?x2x96xbf16>
!rl = tensor<1x?x2xbf16>
!ro = tensor<1x?x2x96xbf16>
!lse = tensor<1x4x?xf32>

func.func @results(%q: !rq, %k: !rk, %v: !rk, %l: !rl) -> (!ro, !lse, !ro) {
  %c1 = arith.constant 1 : index
  %n = tensor.dim %q, %c1 : !rq
  %o = tensor.empty(%n) : !ro
  %s = tensor.empty(%n) : !lse
  %r:3 = diffattn.attention query(%q : !rq) key(%k : !rk) value(%v : !rk) lambda(%l : !rl)
      outs(%o : !ro) lse(%s : !lse) noise(%o : !ro) mask<causal> softcap(5.0)
  return %r#0, %r#1, %r#2 : !ro, !lse, !ro
}

!pq = tensor<1x?x3x32xbf16>
!pk = tensor<1x?x1x32xbf16>

func.func @plain(%q: !pq, %k: !pk, %v: !pk) -> !pq {
  %c1 = arith.constant 1 : index
  %n = tensor.dim %q, %c1 : !pq
  %o = tensor.empty(%n) : !pq
  %r = diffattn.attention query(%q : !pq) key(%k : !pk) value(%v : !pk) outs(%o : !pq)
  return %r : !pq
}

!sq = tensor<1x40x2x256xbf16>
!sk = tensor<1x72x1x256xbf16>
!sl = tensor<1x40x1xf32>
!so = tensor<1x40x1x256xbf16>

func.func @static_shape(%q: !sq, %k: !sk, %v: !sk, %l: !sl) -> !so {
  %o = tensor.empty() : !so
  %r = diffattn.attention query(%q : !sq) key(%k : !sk) value(%v : !sk) lambda(%l : !sl)
      outs(%o : !so) mask<causal>
  return %r : !so
}
