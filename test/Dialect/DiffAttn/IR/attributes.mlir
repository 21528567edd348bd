// RUN: diffattn-opt %s | FileCheck %s
// RUN: diffattn-opt %s --verify-roundtrip -o /dev/null

// Each mask is printed by its shortest name.
// CHECK-LABEL: func private @masks()
func.func private @masks() attributes {
  // CHECK-SAME: a_none = #diffattn.mask<none>
  a_none = #diffattn.mask<none>,
  // CHECK-SAME: b_open = #diffattn.mask<none>
  b_open = #diffattn.mask<window *, *>,
  // CHECK-SAME: c_causal = #diffattn.mask<causal>
  c_causal = #diffattn.mask<causal>,
  // CHECK-SAME: d_half_open = #diffattn.mask<causal>
  d_half_open = #diffattn.mask<window *, 0>,
  // CHECK-SAME: e_diagonal = #diffattn.mask<window 0, 0>
  e_diagonal = #diffattn.mask<window 0, 0>,
  // CHECK-SAME: f_left = #diffattn.mask<window 511, *>
  f_left = #diffattn.mask<window 511, *>,
  // CHECK-SAME: g_right = #diffattn.mask<window *, 16>
  g_right = #diffattn.mask<window *, 16>,
  // CHECK-SAME: h_both = #diffattn.mask<window 3, 7>
  h_both = #diffattn.mask<window 3, 7>
}

// The smallest and the largest tile sizes.
// CHECK-LABEL: func private @schedules()
func.func private @schedules() attributes {
  // CHECK-SAME: a_small = #diffattn.schedule<query_tile = 1, pairs = 1, key_tile = 1>
  a_small = #diffattn.schedule<query_tile = 1, pairs = 1, key_tile = 1>,
  // CHECK-SAME: b_large = #diffattn.schedule<query_tile = 65536, pairs = 65536, key_tile = 65536>
  b_large = #diffattn.schedule<query_tile = 65536, pairs = 65536, key_tile = 65536>,
  // CHECK-SAME: c_gpu = #diffattn.schedule<query_tile = 64, pairs = 1, key_tile = 64, warps = 4, stages = 2>
  c_gpu = #diffattn.schedule<query_tile = 64, pairs = 1, key_tile = 64, warps = 4, stages = 2>,
  // CHECK-SAME: d_cluster = #diffattn.schedule<query_tile = 32, pairs = 1, key_tile = 80, warps = 4, stages = 3, teams = 3, order = "overlap", cluster = 2>
  d_cluster = #diffattn.schedule<query_tile = 32, pairs = 1, key_tile = 80, warps = 4, stages = 3, teams = 3, order = "overlap", cluster = 2>,
  // CHECK-SAME: e_cluster = #diffattn.schedule<query_tile = 32, pairs = 1, key_tile = 80, warps = 4, stages = 3, teams = 3, cluster = 1>
  e_cluster = #diffattn.schedule<query_tile = 32, pairs = 1, key_tile = 80, warps = 4, stages = 3, teams = 3, cluster = 1>
}
