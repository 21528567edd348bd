// RUN: diffattn-opt %s --diffattn-assign-schedule=target=cpu-avx512 | FileCheck %s --check-prefixes=CHECK,NONE
// RUN: diffattn-opt %s "--diffattn-assign-schedule=target=cpu-avx512 query-tile=24 pairs=2 key-tile=40" | FileCheck %s --check-prefixes=CHECK,ALL
// RUN: diffattn-opt %s "--diffattn-assign-schedule=target=cpu-avx512 query-tile=32" | FileCheck %s --check-prefixes=CHECK,ROWS
// RUN: diffattn-opt %s "--diffattn-assign-schedule=target=cpu-avx512 pairs=4" | FileCheck %s --check-prefixes=CHECK,PAIRS
// RUN: diffattn-opt %s "--diffattn-assign-schedule=target=cpu-avx512 key-tile=128" | FileCheck %s --check-prefixes=CHECK,KEYS

// What an option leaves open is chosen to fit it: 64 rows, branches included.
// CHECK-LABEL: func @choose(
func.func @choose(%q: tensor<1x?x8x64xf32>, %k: tensor<1x?x1x64xf32>,
                  %l: tensor<1x?x4xf32>,
                  %o: tensor<1x?x4x64xf32>) -> tensor<1x?x4x64xf32> {
  // NONE: schedule<query_tile = 16, pairs = 2, key_tile = 64>
  // ALL: schedule<query_tile = 24, pairs = 2, key_tile = 40>
  // ROWS: schedule<query_tile = 32, pairs = 1, key_tile = 64>
  // PAIRS: schedule<query_tile = 8, pairs = 4, key_tile = 64>
  // KEYS: schedule<query_tile = 16, pairs = 2, key_tile = 128>
  %r = diffattn.attention query(%q : tensor<1x?x8x64xf32>)
      key(%k : tensor<1x?x1x64xf32>) value(%k : tensor<1x?x1x64xf32>)
      lambda(%l : tensor<1x?x4xf32>) outs(%o : tensor<1x?x4x64xf32>)
  return %r : tensor<1x?x4x64xf32>
}

// A schedule that is there stays, unless an option says otherwise: then nothing
// of it does.
// CHECK-LABEL: func @scheduled(
func.func @scheduled(%q: tensor<1x?x8x64xf32>, %k: tensor<1x?x1x64xf32>,
                     %l: tensor<1x?x4xf32>,
                     %o: tensor<1x?x4x64xf32>) -> tensor<1x?x4x64xf32> {
  // NONE: schedule<query_tile = 5, pairs = 4, key_tile = 7>
  // ALL: schedule<query_tile = 24, pairs = 2, key_tile = 40>
  // ROWS: schedule<query_tile = 32, pairs = 1, key_tile = 64>
  // PAIRS: schedule<query_tile = 8, pairs = 4, key_tile = 64>
  // KEYS: schedule<query_tile = 16, pairs = 2, key_tile = 128>
  %r = diffattn.attention query(%q : tensor<1x?x8x64xf32>)
      key(%k : tensor<1x?x1x64xf32>) value(%k : tensor<1x?x1x64xf32>)
      lambda(%l : tensor<1x?x4xf32>) outs(%o : tensor<1x?x4x64xf32>)
      schedule<query_tile = 5, pairs = 4, key_tile = 7>
  return %r : tensor<1x?x4x64xf32>
}
