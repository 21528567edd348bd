// RUN: not diffattn-opt %s --diffattn-assign-schedule=target=cpu-avx3 2>&1 | FileCheck %s --check-prefix=TARGET
// RUN: not diffattn-opt %s --diffattn-assign-schedule=pairs=3 2>&1 | FileCheck %s --check-prefix=PAIRS
// RUN: not diffattn-opt %s --diffattn-assign-schedule=pairs=7 2>&1 | FileCheck %s --check-prefix=ABOVE
// RUN: not diffattn-opt %s --diffattn-assign-schedule=key-tile=-1 2>&1 | FileCheck %s --check-prefix=NEGATIVE
// RUN: not diffattn-opt %s --diffattn-assign-schedule=query-tile=100000 2>&1 | FileCheck %s --check-prefix=ABSURD
// RUN: not diffattn-opt %s --diffattn-assign-schedule=query-tile=many 2>&1 | FileCheck %s --check-prefix=TEXT

// TARGET: error: unknown target 'cpu-avx3', expected one of cpu, cpu-host, cpu-baseline, cpu-avx2, cpu-avx512, cpu-amx, sm_80, sm_86, sm_89, sm_90, sm_90a, sm_120; did you mean 'cpu-avx2'?
// PAIRS: error: 'diffattn.attention' op expects the schedule's pairs to divide the 8 pairs of a group, but got 3; the nearest legal one is 2
// ABOVE: error: 'diffattn.attention' op expects the schedule's pairs to divide the 8 pairs of a group, but got 7; the nearest legal one is 8
// NEGATIVE: error: expects option key-tile of diffattn-assign-schedule to be positive, or 0 to have it chosen, but got -1
// ABSURD: error: 'diffattn.attention' op has a schedule option that expects query_tile between 1 and 65536, but got 100000
// TEXT: 'many' value invalid
func.func @eight_pairs(%q: tensor<1x?x16x64xf32>, %k: tensor<1x?x1x64xf32>,
                       %l: tensor<1x?x8xf32>,
                       %o: tensor<1x?x8x64xf32>) -> tensor<1x?x8x64xf32> {
  %r = diffattn.attention query(%q : tensor<1x?x16x64xf32>)
      key(%k : tensor<1x?x1x64xf32>) value(%k : tensor<1x?x1x64xf32>)
      lambda(%l : tensor<1x?x8xf32>) outs(%o : tensor<1x?x8x64xf32>)
  return %r : tensor<1x?x8x64xf32>
}
