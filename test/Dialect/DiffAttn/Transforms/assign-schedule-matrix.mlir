// RUN: diffattn-opt %s --diffattn-assign-schedule=target=cpu-amx | FileCheck %s --check-prefixes=CHECK,AMX
// RUN: diffattn-opt %s --diffattn-assign-schedule=target=cpu-avx512 | FileCheck %s --check-prefixes=CHECK,AVX512

// Where bf16 has matrix tiles, sixteen registers of rows and 128 keys.
// CHECK-LABEL: func @full(
func.func @full(%q: tensor<1x?x8x64xbf16>, %k: tensor<1x?x2x64xbf16>,
                %l: tensor<1x?x4xbf16>, %o: tensor<1x?x4x64xbf16>) -> tensor<1x?x4x64xbf16> {
  // AMX: schedule<query_tile = 64, pairs = 2, key_tile = 128>
  // AVX512: schedule<query_tile = 16, pairs = 2, key_tile = 64>
  %r = diffattn.attention query(%q : tensor<1x?x8x64xbf16>)
      key(%k : tensor<1x?x2x64xbf16>) value(%k : tensor<1x?x2x64xbf16>)
      lambda(%l : tensor<1x?x4xbf16>) outs(%o : tensor<1x?x4x64xbf16>)
  return %r : tensor<1x?x4x64xbf16>
}

// A mask wastes less on smaller key tiles.
// CHECK-LABEL: func @causal(
func.func @causal(%q: tensor<1x?x8x64xbf16>, %k: tensor<1x?x2x64xbf16>,
                  %l: tensor<1x?x4xbf16>, %o: tensor<1x?x4x64xbf16>) -> tensor<1x?x4x64xbf16> {
  // AMX: schedule<query_tile = 64, pairs = 2, key_tile = 64>
  %r = diffattn.attention query(%q : tensor<1x?x8x64xbf16>)
      key(%k : tensor<1x?x2x64xbf16>) value(%k : tensor<1x?x2x64xbf16>)
      lambda(%l : tensor<1x?x4xbf16>) outs(%o : tensor<1x?x4x64xbf16>) mask<causal>
  return %r : tensor<1x?x4x64xbf16>
}

// Six pairs of a group: 16 rows each, not the 21 that would fit. Short static
// lengths round up to what a matrix tile needs.
// CHECK-LABEL: func @six_pairs(
func.func @six_pairs(%q: tensor<1x?x12x64xbf16>, %k: tensor<1x70x1x64xbf16>,
                     %l: tensor<1x?x6xbf16>, %o: tensor<1x?x6x64xbf16>) -> tensor<1x?x6x64xbf16> {
  // AMX: schedule<query_tile = 16, pairs = 6, key_tile = 96>
  %r = diffattn.attention query(%q : tensor<1x?x12x64xbf16>)
      key(%k : tensor<1x70x1x64xbf16>) value(%k : tensor<1x70x1x64xbf16>)
      lambda(%l : tensor<1x?x6xbf16>) outs(%o : tensor<1x?x6x64xbf16>)
  return %r : tensor<1x?x6x64xbf16>
}

// d = 72 is no multiple of 32, and one row none of 16: as without AMX.
// CHECK-LABEL: func @odd_dim(
func.func @odd_dim(%q: tensor<1x?x8x72xbf16>, %k: tensor<1x?x2x72xbf16>,
                   %l: tensor<1x?x4xbf16>, %o: tensor<1x?x4x72xbf16>) -> tensor<1x?x4x72xbf16> {
  // CHECK: schedule<query_tile = 16, pairs = 2, key_tile = 64>
  %r = diffattn.attention query(%q : tensor<1x?x8x72xbf16>)
      key(%k : tensor<1x?x2x72xbf16>) value(%k : tensor<1x?x2x72xbf16>)
      lambda(%l : tensor<1x?x4xbf16>) outs(%o : tensor<1x?x4x72xbf16>)
  return %r : tensor<1x?x4x72xbf16>
}

// CHECK-LABEL: func @decode(
func.func @decode(%q: tensor<1x1x8x64xbf16>, %k: tensor<1x?x2x64xbf16>,
                  %l: tensor<1x1x4xbf16>, %o: tensor<1x1x4x64xbf16>) -> tensor<1x1x4x64xbf16> {
  // CHECK: schedule<query_tile = 1, pairs = 2, key_tile = 64>
  %r = diffattn.attention query(%q : tensor<1x1x8x64xbf16>)
      key(%k : tensor<1x?x2x64xbf16>) value(%k : tensor<1x?x2x64xbf16>)
      lambda(%l : tensor<1x1x4xbf16>) outs(%o : tensor<1x1x4x64xbf16>)
  return %r : tensor<1x1x4x64xbf16>
}
