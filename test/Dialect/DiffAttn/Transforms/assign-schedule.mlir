// RUN: diffattn-opt %s --diffattn-assign-schedule=target=cpu-baseline | FileCheck %s --check-prefixes=CHECK,SSE
// RUN: diffattn-opt %s --diffattn-assign-schedule=target=cpu-avx2 | FileCheck %s --check-prefixes=CHECK,AVX2
// RUN: diffattn-opt %s --diffattn-assign-schedule=target=cpu-avx512 | FileCheck %s --check-prefixes=CHECK,AVX512
// RUN: diffattn-opt %s --diffattn-assign-schedule=target=cpu-amx | FileCheck %s --check-prefixes=CHECK,AVX512
// RUN: diffattn-opt %s --diffattn-assign-schedule=target=cpu-avx512 --remarks-filter=diffattn-.* 2>&1 | FileCheck %s --check-prefix=REMARK
// The host is some target; which one is not for a test to say.
// RUN: diffattn-opt %s --diffattn-assign-schedule | FileCheck %s --check-prefix=HOST

// Four registers of rows, branches included.
// REMARK: remark: [Passed] schedule | Category:diffattn-assign-schedule
// REMARK-SAME: Reason="64 rows, branches included, are 4.0 vector registers of cpu-avx512"
// REMARK-SAME: Remark="tile of 16 query rows x 2 pairs, 64 keys"
// CHECK-LABEL: func @dynamic(
// HOST-LABEL: func @dynamic(
func.func @dynamic(%q: tensor<1x?x8x64xf32>, %k: tensor<1x?x1x64xf32>,
                   %l: tensor<1x?x4xf32>,
                   %o: tensor<1x?x4x64xf32>) -> tensor<1x?x4x64xf32> {
  // SSE: schedule<query_tile = 8, pairs = 1, key_tile = 64>
  // AVX2: schedule<query_tile = 16, pairs = 1, key_tile = 64>
  // AVX512: schedule<query_tile = 16, pairs = 2, key_tile = 64>
  // HOST: schedule<query_tile = {{[0-9]+}}, pairs = {{[0-9]+}}, key_tile = 64>
  %r = diffattn.attention query(%q : tensor<1x?x8x64xf32>)
      key(%k : tensor<1x?x1x64xf32>) value(%k : tensor<1x?x1x64xf32>)
      lambda(%l : tensor<1x?x4xf32>) outs(%o : tensor<1x?x4x64xf32>)
  return %r : tensor<1x?x4x64xf32>
}

// Decode: one row, and so all pairs of the group in one tile.
// CHECK-LABEL: func @one_row(
func.func @one_row(%q: tensor<1x1x16x64xf32>, %k: tensor<1x?x1x64xf32>,
                   %l: tensor<1x1x8xf32>,
                   %o: tensor<1x1x8x64xf32>) -> tensor<1x1x8x64xf32> {
  // CHECK: schedule<query_tile = 1, pairs = 8, key_tile = 64>
  %r = diffattn.attention query(%q : tensor<1x1x16x64xf32>)
      key(%k : tensor<1x?x1x64xf32>) value(%k : tensor<1x?x1x64xf32>)
      lambda(%l : tensor<1x1x8xf32>) outs(%o : tensor<1x1x8x64xf32>)
  return %r : tensor<1x1x8x64xf32>
}

// Fewer keys than a tile: a multiple of 8 that holds them.
// CHECK-LABEL: func @few_keys(
func.func @few_keys(%q: tensor<1x?x8x64xf32>, %k: tensor<1x17x1x64xf32>,
                    %l: tensor<1x?x4xf32>,
                    %o: tensor<1x?x4x64xf32>) -> tensor<1x?x4x64xf32> {
  // CHECK: key_tile = 24>
  %r = diffattn.attention query(%q : tensor<1x?x8x64xf32>)
      key(%k : tensor<1x17x1x64xf32>) value(%k : tensor<1x17x1x64xf32>)
      lambda(%l : tensor<1x?x4xf32>) outs(%o : tensor<1x?x4x64xf32>)
  return %r : tensor<1x?x4x64xf32>
}

// No rows and no keys: the smallest legal sizes.
// CHECK-LABEL: func @empty(
func.func @empty(%q: tensor<1x0x2x64xf32>, %k: tensor<1x0x1x64xf32>,
                 %l: tensor<1x0x1xf32>,
                 %o: tensor<1x0x1x64xf32>) -> tensor<1x0x1x64xf32> {
  // CHECK: schedule<query_tile = 1, pairs = 1, key_tile = 8>
  %r = diffattn.attention query(%q : tensor<1x0x2x64xf32>)
      key(%k : tensor<1x0x1x64xf32>) value(%k : tensor<1x0x1x64xf32>)
      lambda(%l : tensor<1x0x1xf32>) outs(%o : tensor<1x0x1x64xf32>)
  return %r : tensor<1x0x1x64xf32>
}

// Groups of 3 pairs: 2 would fit, but do not divide them.
// CHECK-LABEL: func @three_pairs(
func.func @three_pairs(%q: tensor<1x?x6x64xf32>, %k: tensor<1x?x1x64xf32>,
                       %l: tensor<1x?x3xf32>,
                       %o: tensor<1x?x3x64xf32>) -> tensor<1x?x3x64xf32> {
  // AVX512: schedule<query_tile = 32, pairs = 1, key_tile = 64>
  %r = diffattn.attention query(%q : tensor<1x?x6x64xf32>)
      key(%k : tensor<1x?x1x64xf32>) value(%k : tensor<1x?x1x64xf32>)
      lambda(%l : tensor<1x?x3xf32>) outs(%o : tensor<1x?x3x64xf32>)
  return %r : tensor<1x?x3x64xf32>
}

// Plain attention has one branch: twice the rows or pairs.
// CHECK-LABEL: func @plain(
func.func @plain(%q: tensor<1x?x4x64xf32>, %k: tensor<1x?x1x64xf32>,
                 %o: tensor<1x?x4x64xf32>) -> tensor<1x?x4x64xf32> {
  // SSE: schedule<query_tile = 16, pairs = 1, key_tile = 64>
  // AVX2: schedule<query_tile = 16, pairs = 2, key_tile = 64>
  // AVX512: schedule<query_tile = 16, pairs = 4, key_tile = 64>
  %r = diffattn.attention query(%q : tensor<1x?x4x64xf32>)
      key(%k : tensor<1x?x1x64xf32>) value(%k : tensor<1x?x1x64xf32>)
      outs(%o : tensor<1x?x4x64xf32>)
  return %r : tensor<1x?x4x64xf32>
}
