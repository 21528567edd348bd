// RUN: diffattn-opt %s --split-input-file --verify-diagnostics

func.func private @mask_kind() attributes {
  // expected-error @below {{expects a mask of none, causal or window, but got 'full'}}
  mask = #diffattn.mask<full>
}

// -----

// FlashAttention's -1 for an open bound is written * here.
func.func private @mask_left_negative() attributes {
  // expected-error @below {{expects a left window bound between 0 and 281474976710656, or * for an open one, but got -1}}
  mask = #diffattn.mask<window -1, 0>
}

// -----

func.func private @mask_right_negative() attributes {
  // expected-error @below {{expects a right window bound between 0 and 281474976710656, or * for an open one, but got -2}}
  mask = #diffattn.mask<window 3, -2>
}

// -----

// Positions plus this bound would overflow.
func.func private @mask_left_absurd() attributes {
  // expected-error @below {{expects a left window bound between 0 and 281474976710656, or * for an open one, but got 9223372036854775807}}
  mask = #diffattn.mask<window 9223372036854775807, 0>
}

// -----

func.func private @mask_window_one_bound() attributes {
  // expected-error @below {{expected ','}}
  mask = #diffattn.mask<window 5>
}

// -----

func.func private @mask_bound_not_integer() attributes {
  // expected-error @below {{expected integer value}}
  mask = #diffattn.mask<window left, 0>
}

// -----

func.func private @mask_trailing() attributes {
  // expected-error @below {{expected '>'}}
  mask = #diffattn.mask<causal 5>
}

// -----

func.func private @schedule_query_tile_zero() attributes {
  // expected-error @below {{expects query_tile between 1 and 65536, but got 0}}
  schedule = #diffattn.schedule<query_tile = 0, pairs = 1, key_tile = 64>
}

// -----

func.func private @schedule_pairs_negative() attributes {
  // expected-error @below {{expects pairs between 1 and 65536, but got -1}}
  schedule = #diffattn.schedule<query_tile = 32, pairs = -1, key_tile = 64>
}

// -----

func.func private @schedule_key_tile_absurd() attributes {
  // expected-error @below {{expects key_tile between 1 and 65536, but got 1000000000000}}
  schedule = #diffattn.schedule<query_tile = 32, pairs = 1, key_tile = 1000000000000>
}

// -----

func.func private @schedule_warps_zero() attributes {
  // expected-error @below {{expects warps between 1 and 32, but got 0}}
  schedule = #diffattn.schedule<query_tile = 32, pairs = 1, key_tile = 64, warps = 0, stages = 1>
}

// -----

func.func private @schedule_stages_missing() attributes {
  // expected-error @below {{expected ','}}
  schedule = #diffattn.schedule<query_tile = 32, pairs = 1, key_tile = 64, warps = 4>
}

// -----

func.func private @schedule_incomplete() attributes {
  // expected-error @below {{expected ','}}
  schedule = #diffattn.schedule<query_tile = 32>
}

// -----

func.func private @schedule_cluster_alone() attributes {
  // expected-error @below {{expected 'teams'}}
  schedule = #diffattn.schedule<query_tile = 32, pairs = 1, key_tile = 64, warps = 4, stages = 2, cluster = 2>
}

// -----

func.func private @schedule_cluster_large() attributes {
  // expected-error @below {{expects a cluster of 1 or 2 blocks, but got 4}}
  schedule = #diffattn.schedule<query_tile = 32, pairs = 1, key_tile = 64, warps = 4, stages = 2, teams = 3, cluster = 4>
}
