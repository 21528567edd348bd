// RUN: diffattn-opt %s --diffattn-to-online --diffattn-cpu-layout --canonicalize --cse \
// RUN:   --diffattn-tile --canonicalize --diffattn-cpu-pack --diffattn-decompose-tiles \
// RUN:   --diffattn-cpu-guard-masks --canonicalize --eliminate-empty-tensors \
// RUN:   --diffattn-cpu-bufferize --canonicalize --cse --canonicalize | FileCheck %s

// The only copies of a tile are of operands into its scratch and of the result
// out of it: bf16 operands are converted on the way, so keys and values need
// none. Accumulators, maxima, sums and scores are updated in place.
// CHECK-LABEL: func @attention(
// CHECK: memref.alloc(
// CHECK: scf.forall
// CHECK-COUNT-14: memref.alloca()
// CHECK-NOT: memref.alloc
// CHECK-NOT: memref.copy
// CHECK: scf.for
// CHECK-NOT: memref.alloc
// CHECK-NOT: memref.copy
// CHECK: math.exp2
// CHECK-NOT: memref.alloc
// CHECK-NOT: memref.copy
// CHECK: linalg.map
// CHECK-COUNT-2: memref.copy
// CHECK-NOT: memref.copy
// CHECK: return
func.func @attention(%q: tensor<1x?x12x16xbf16>, %k: tensor<1x?x2x16xbf16>,
                     %v: tensor<1x?x2x24xbf16>,
                     %l: tensor<1x?x6xf32>) -> tensor<1x?x6x24xf32> {
  %c1 = arith.constant 1 : index
  %n = tensor.dim %q, %c1 : tensor<1x?x12x16xbf16>
  %o = tensor.empty(%n) : tensor<1x?x6x24xf32>
  %r = diffattn.attention query(%q : tensor<1x?x12x16xbf16>)
      key(%k : tensor<1x?x2x16xbf16>) value(%v : tensor<1x?x2x24xbf16>)
      lambda(%l : tensor<1x?x6xf32>) outs(%o : tensor<1x?x6x24xf32>)
      mask<causal> schedule<query_tile = 4, pairs = 3, key_tile = 8>
  return %r : tensor<1x?x6x24xf32>
}
