// The lowering of attention down to tiled linalg keeps its meaning, for sizes
// that no tile divides. The decomposed form has constants rounded to f32.

// RUN: diffattn-opt --diffattn-to-online %s -o %t.online.mlir
// RUN: diffattn-opt --diffattn-to-online --diffattn-tile %s -o %t.tiled.mlir
// RUN: diffattn-opt --diffattn-to-online --diffattn-tile --diffattn-decompose-tiles %s -o %t.linalg.mlir

// More keys than queries, fewer, and a single query.
// RUN: diffattn-eval %s --compare=%t.online.mlir --input=random:1 --dynamic-dim=37 --shape=0:2x21x8x16 --shape=3:2x21x4
// RUN: diffattn-eval %s --compare=%t.online.mlir --input=random:1 --dynamic-dim=19 --shape=0:2x43x8x16 --shape=3:2x43x4
// RUN: diffattn-eval %s --compare=%t.tiled.mlir --input=random:1 --dynamic-dim=37 --shape=0:2x21x8x16 --shape=3:2x21x4
// RUN: diffattn-eval %s --compare=%t.tiled.mlir --input=random:1 --dynamic-dim=19 --shape=0:2x43x8x16 --shape=3:2x43x4
// RUN: diffattn-eval %s --compare=%t.tiled.mlir --input=random:1 --dynamic-dim=37 --shape=0:2x1x8x16 --shape=3:2x1x4
// RUN: diffattn-eval %s --compare=%t.linalg.mlir --tolerance=1e-6 --input=random:1 --dynamic-dim=37 --shape=0:2x21x8x16 --shape=3:2x21x4
// RUN: diffattn-eval %s --compare=%t.linalg.mlir --tolerance=1e-6 --input=random:1 --dynamic-dim=19 --shape=0:2x43x8x16 --shape=3:2x43x4
// RUN: diffattn-eval %s --compare=%t.linalg.mlir --tolerance=1e-6 --input=random:1 --dynamic-dim=37 --shape=0:2x1x8x16 --shape=3:2x1x4

func.func @main(%q: tensor<2x?x8x16xf32>, %k: tensor<2x?x2x16xf32>, %v: tensor<2x?x2x24xf32>, %l: tensor<2x?x4xf32>)
    -> (tensor<2x?x4x24xf32>, tensor<2x8x?xf32>, tensor<2x?x4x24xf32>,
        tensor<2x?x4x24xf32>, tensor<2x?x8x24xf32>) {
  %c1 = arith.constant 1 : index
  %n = tensor.dim %q, %c1 : tensor<2x?x8x16xf32>
  %e = tensor.empty(%n) : tensor<2x?x4x24xf32>
  %p = tensor.empty(%n) : tensor<2x?x8x24xf32>
  %s = tensor.empty(%n) : tensor<2x8x?xf32>
  %causal:3 = diffattn.attention query(%q : tensor<2x?x8x16xf32>) key(%k : tensor<2x?x2x16xf32>)
      value(%v : tensor<2x?x2x24xf32>) lambda(%l : tensor<2x?x4xf32>)
      outs(%e : tensor<2x?x4x24xf32>) lse(%s : tensor<2x8x?xf32>) noise(%e : tensor<2x?x4x24xf32>)
      mask<causal> softcap(2.5) schedule<query_tile = 8, pairs = 2, key_tile = 12>
  %window = diffattn.attention query(%q : tensor<2x?x8x16xf32>) key(%k : tensor<2x?x2x16xf32>)
      value(%v : tensor<2x?x2x24xf32>) lambda(%l : tensor<2x?x4xf32>)
      outs(%e : tensor<2x?x4x24xf32>) mask<window 5, 2> scale(0.7)
      schedule<query_tile = 8, pairs = 1, key_tile = 12>
  %plain = diffattn.attention query(%q : tensor<2x?x8x16xf32>) key(%k : tensor<2x?x2x16xf32>)
      value(%v : tensor<2x?x2x24xf32>) outs(%p : tensor<2x?x8x24xf32>)
      schedule<query_tile = 16, pairs = 4, key_tile = 8>
  return %causal#0, %causal#1, %causal#2, %window, %plain
      : tensor<2x?x4x24xf32>, tensor<2x8x?xf32>, tensor<2x?x4x24xf32>,
        tensor<2x?x4x24xf32>, tensor<2x?x8x24xf32>
}
