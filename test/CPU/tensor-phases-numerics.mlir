// Every phase of the CPU pipeline that is still on tensors computes what the
// operator says, by the float64 evaluator. Constants of the lowering are f32,
// hence the tolerance.
//
// DEFINE: %{entry} =
// DEFINE: %{shape} =
// DEFINE: %{compare} = diffattn-eval %s --entry=%{entry} --input=random:7 %{shape} --tolerance=1e-6
// DEFINE: %{compare_all} = %{compare} --compare=%t.online.mlir \
// DEFINE:   && %{compare} --compare=%t.layout.mlir \
// DEFINE:   && %{compare} --compare=%t.tiled.mlir \
// DEFINE:   && %{compare} --compare=%t.packed.mlir \
// DEFINE:   && %{compare} --compare=%t.decomposed.mlir \
// DEFINE:   && %{compare} --compare=%t.guarded.mlir
//
// RUN: diffattn-opt %s --diffattn-to-online -o %t.online.mlir
// RUN: diffattn-opt %t.online.mlir --diffattn-cpu-layout -o %t.layout.mlir
// RUN: diffattn-opt %t.layout.mlir --diffattn-tile -o %t.tiled.mlir
// RUN: diffattn-opt %t.tiled.mlir --canonicalize --diffattn-cpu-pack -o %t.packed.mlir
// RUN: diffattn-opt %t.packed.mlir --diffattn-decompose-tiles -o %t.decomposed.mlir
// RUN: diffattn-opt %t.decomposed.mlir --canonicalize --diffattn-cpu-guard-masks -o %t.guarded.mlir
//
// REDEFINE: %{entry} = masks
// Tiles of 4 rows and 8 keys, all full.
// REDEFINE: %{shape} = --shape=0:2x8x12x16 --shape=1:2x16x2x16 --shape=2:2x16x2x24 --shape=3:2x8x6
// RUN: %{compare_all}
// Both edges ragged, keys longer than rows.
// REDEFINE: %{shape} = --shape=0:2x7x12x16 --shape=1:2x19x2x16 --shape=2:2x19x2x24 --shape=3:2x7x6
// RUN: %{compare_all}
// More rows than keys: the first tile of rows sees none at all, the next one
// holds rows with and without keys.
// REDEFINE: %{shape} = --shape=0:2x11x12x16 --shape=1:2x5x2x16 --shape=2:2x5x2x24 --shape=3:2x11x6
// RUN: %{compare_all}
// Decode: one row.
// REDEFINE: %{shape} = --shape=0:2x1x12x16 --shape=1:2x13x2x16 --shape=2:2x13x2x24 --shape=3:2x1x6
// RUN: %{compare_all}
// No keys: 0 everywhere, +inf for the log-sum-exp.
// REDEFINE: %{shape} = --shape=0:1x5x12x16 --shape=1:1x0x2x16 --shape=2:1x0x2x24 --shape=3:1x5x6
// RUN: %{compare_all}
//
// REDEFINE: %{entry} = attributes
// REDEFINE: %{shape} = --shape=0:2x7x12x16 --shape=1:2x10x2x16 --shape=2:2x10x2x24 --shape=3:2x7x6
// RUN: %{compare_all}
//
// REDEFINE: %{entry} = plain
// REDEFINE: %{shape} = --shape=0:2x7x6x16 --shape=1:2x10x2x16 --shape=2:2x10x2x24
// RUN: %{compare_all}
//
// REDEFINE: %{entry} = extreme_lambda
// REDEFINE: %{shape} = --shape=0:1x7x2x8 --shape=1:1x5x1x8
// RUN: %{compare_all}
//
// REDEFINE: %{entry} = static_shape
// REDEFINE: %{shape} =
// RUN: %{compare_all}

!q = tensor<?x?x12x16xf32>
!k = tensor<?x?x2x16xf32>
!v = tensor<?x?x2x24xf32>
!l = tensor<?x?x6xf32>
!o = tensor<?x?x6x24xf32>
!lse = tensor<?x12x?xf32>

// All kinds of masks; with 3 pairs a group, tiles of 1 and of 3 pairs.
func.func @masks(%q: !q, %k: !k, %v: !v, %l: !l) -> (!o, !o, !o, !o, !o, !o) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %b = tensor.dim %q, %c0 : !q
  %n = tensor.dim %q, %c1 : !q
  %o = tensor.empty(%b, %n) : !o
  %none = diffattn.attention query(%q : !q) key(%k : !k) value(%v : !v) lambda(%l : !l)
      outs(%o : !o) schedule<query_tile = 4, pairs = 1, key_tile = 8>
  %causal = diffattn.attention query(%q : !q) key(%k : !k) value(%v : !v) lambda(%l : !l)
      outs(%o : !o) mask<causal> schedule<query_tile = 4, pairs = 3, key_tile = 8>
  %left = diffattn.attention query(%q : !q) key(%k : !k) value(%v : !v) lambda(%l : !l)
      outs(%o : !o) mask<window 5, 0> schedule<query_tile = 4, pairs = 3, key_tile = 8>
  %both = diffattn.attention query(%q : !q) key(%k : !k) value(%v : !v) lambda(%l : !l)
      outs(%o : !o) mask<window 3, 7> schedule<query_tile = 4, pairs = 1, key_tile = 8>
  %right_only = diffattn.attention query(%q : !q) key(%k : !k) value(%v : !v) lambda(%l : !l)
      outs(%o : !o) mask<window *, 4> schedule<query_tile = 4, pairs = 1, key_tile = 8>
  %left_only = diffattn.attention query(%q : !q) key(%k : !k) value(%v : !v) lambda(%l : !l)
      outs(%o : !o) mask<window 2, *> schedule<query_tile = 4, pairs = 3, key_tile = 8>
  return %none, %causal, %left, %both, %right_only, %left_only : !o, !o, !o, !o, !o, !o
}

// Softcap, scale, and the optional results, together and apart.
func.func @attributes(%q: !q, %k: !k, %v: !v, %l: !l)
    -> (!o, !o, !lse, !o, !o, !o, !o, !lse) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %b = tensor.dim %q, %c0 : !q
  %n = tensor.dim %q, %c1 : !q
  %o = tensor.empty(%b, %n) : !o
  %s = tensor.empty(%b, %n) : !lse
  %softcap = diffattn.attention query(%q : !q) key(%k : !k) value(%v : !v) lambda(%l : !l)
      outs(%o : !o) mask<causal> softcap(0.75) schedule<query_tile = 4, pairs = 3, key_tile = 8>
  %all:3 = diffattn.attention query(%q : !q) key(%k : !k) value(%v : !v) lambda(%l : !l)
      outs(%o : !o) lse(%s : !lse) noise(%o : !o) mask<window 1, 0> scale(1.5)
      softcap(3.0) schedule<query_tile = 4, pairs = 3, key_tile = 8>
  %noise:2 = diffattn.attention query(%q : !q) key(%k : !k) value(%v : !v) lambda(%l : !l)
      outs(%o : !o) noise(%o : !o) mask<causal> schedule<query_tile = 4, pairs = 1, key_tile = 8>
  %lse:2 = diffattn.attention query(%q : !q) key(%k : !k) value(%v : !v) lambda(%l : !l)
      outs(%o : !o) lse(%s : !lse) mask<causal> scale(2.0)
      schedule<query_tile = 4, pairs = 1, key_tile = 8>
  return %softcap, %all#0, %all#1, %all#2, %noise#0, %noise#1, %lse#0, %lse#1
      : !o, !o, !lse, !o, !o, !o, !o, !lse
}

!plain = tensor<?x?x6x16xf32>
!plain_lse = tensor<?x6x?xf32>

func.func @plain(%q: !plain, %k: !k, %v: !v) -> (!o, !o, !plain_lse) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %b = tensor.dim %q, %c0 : !plain
  %n = tensor.dim %q, %c1 : !plain
  %o = tensor.empty(%b, %n) : !o
  %s = tensor.empty(%b, %n) : !plain_lse
  %none = diffattn.attention query(%q : !plain) key(%k : !k) value(%v : !v)
      outs(%o : !o) schedule<query_tile = 4, pairs = 3, key_tile = 8>
  %causal:2 = diffattn.attention query(%q : !plain) key(%k : !k) value(%v : !v)
      outs(%o : !o) lse(%s : !plain_lse) mask<causal>
      schedule<query_tile = 4, pairs = 1, key_tile = 8>
  return %none, %causal#0, %causal#1 : !o, !o, !plain_lse
}

// A NaN gate shows in every row but those that see no key (7 rows, 5 keys); an
// infinite one is 0 or 1.
func.func @extreme_lambda(%q: tensor<1x?x2x8xf32>, %k: tensor<1x?x1x8xf32>)
    -> (tensor<1x?x1x8xf32>, tensor<1x?x1x8xf32>, tensor<1x?x1x8xf32>) {
  %c1 = arith.constant 1 : index
  %n = tensor.dim %q, %c1 : tensor<1x?x2x8xf32>
  %o = tensor.empty(%n) : tensor<1x?x1x8xf32>
  %l = tensor.empty(%n) : tensor<1x?x1xf32>
  %nan = arith.constant 0x7FC00000 : f32
  %inf = arith.constant 0x7F800000 : f32
  %low = arith.constant 0xFF800000 : f32
  %l0 = linalg.fill ins(%nan : f32) outs(%l : tensor<1x?x1xf32>) -> tensor<1x?x1xf32>
  %l1 = linalg.fill ins(%inf : f32) outs(%l : tensor<1x?x1xf32>) -> tensor<1x?x1xf32>
  %l2 = linalg.fill ins(%low : f32) outs(%l : tensor<1x?x1xf32>) -> tensor<1x?x1xf32>
  %0 = diffattn.attention query(%q : tensor<1x?x2x8xf32>)
      key(%k : tensor<1x?x1x8xf32>) value(%k : tensor<1x?x1x8xf32>)
      lambda(%l0 : tensor<1x?x1xf32>) outs(%o : tensor<1x?x1x8xf32>) mask<causal>
      schedule<query_tile = 4, pairs = 1, key_tile = 8>
  %1 = diffattn.attention query(%q : tensor<1x?x2x8xf32>)
      key(%k : tensor<1x?x1x8xf32>) value(%k : tensor<1x?x1x8xf32>)
      lambda(%l1 : tensor<1x?x1xf32>) outs(%o : tensor<1x?x1x8xf32>) mask<causal>
      schedule<query_tile = 4, pairs = 1, key_tile = 8>
  %2 = diffattn.attention query(%q : tensor<1x?x2x8xf32>)
      key(%k : tensor<1x?x1x8xf32>) value(%k : tensor<1x?x1x8xf32>)
      lambda(%l2 : tensor<1x?x1xf32>) outs(%o : tensor<1x?x1x8xf32>) mask<causal>
      schedule<query_tile = 4, pairs = 1, key_tile = 8>
  return %0, %1, %2 : tensor<1x?x1x8xf32>, tensor<1x?x1x8xf32>, tensor<1x?x1x8xf32>
}

// Static lengths, tiles larger than them, 16-bit operands.
func.func @static_shape(%q: tensor<1x5x4x8xbf16>, %k: tensor<1x3x1x8xbf16>,
                        %l: tensor<1x5x2xf16>) -> tensor<1x5x2x8xf32> {
  %o = tensor.empty() : tensor<1x5x2x8xf32>
  %r = diffattn.attention query(%q : tensor<1x5x4x8xbf16>)
      key(%k : tensor<1x3x1x8xbf16>) value(%k : tensor<1x3x1x8xbf16>)
      lambda(%l : tensor<1x5x2xf16>) outs(%o : tensor<1x5x2x8xf32>)
      mask<window 1, 1> schedule<query_tile = 16, pairs = 2, key_tile = 16>
  return %r : tensor<1x5x2x8xf32>
}
