// RUN: diffattn-opt %s --pass-pipeline='builtin.module(func.func(diffattn-assign-schedule{target=sm_90a schedule-table=none}))' | FileCheck %s
// RUN: diffattn-opt %s --pass-pipeline='builtin.module(func.func(diffattn-assign-schedule{target=sm_90a order=sections key-tile=64 teams=2}))' | FileCheck %s --check-prefix=ASKED
// RUN: diffattn-opt %s --pass-pipeline='builtin.module(func.func(diffattn-assign-schedule{target=sm_90a warps=4}))' | FileCheck %s --check-prefix=MMA
// RUN: not diffattn-opt %s --pass-pipeline='builtin.module(func.func(diffattn-assign-schedule{target=sm_90a teams=4}))' 2>&1 | FileCheck %s --check-prefix=TEAMS
// RUN: not diffattn-opt %s --pass-pipeline='builtin.module(func.func(diffattn-assign-schedule{target=sm_90a teams=3 key-tile=128}))' 2>&1 | FileCheck %s --check-prefix=KEYS
// RUN: not diffattn-opt %s --pass-pipeline='builtin.module(func.func(diffattn-assign-schedule{target=sm_90a teams=3 stages=9}))' 2>&1 | FileCheck %s --check-prefix=STAGES
// RUN: not diffattn-opt %s --pass-pipeline='builtin.module(func.func(diffattn-assign-schedule{target=sm_90a teams=3 query-tile=64}))' 2>&1 | FileCheck %s --check-prefix=ROWS
// RUN: not diffattn-opt %s --pass-pipeline='builtin.module(func.func(diffattn-assign-schedule{target=sm_90a order=both}))' 2>&1 | FileCheck %s --check-prefix=ORDER
// RUN: diffattn-opt %s --pass-pipeline='builtin.module(func.func(diffattn-assign-schedule{target=sm_90a cluster=2},diffattn-assign-schedule{target=sm_90a}))' | FileCheck %s --check-prefix=CLUSTER
// RUN: diffattn-opt %s --pass-pipeline='builtin.module(func.func(diffattn-assign-schedule{target=sm_90a cluster=2},diffattn-assign-schedule{target=sm_90a teams=2}))' | FileCheck %s --check-prefix=OTHER
// RUN: not diffattn-opt %s --pass-pipeline='builtin.module(func.func(diffattn-assign-schedule{target=sm_90a cluster=3}))' 2>&1 | FileCheck %s --check-prefix=THREE
// RUN: not diffattn-opt %s --pass-pipeline='builtin.module(func.func(diffattn-assign-schedule{target=sm_80 cluster=2}))' 2>&1 | FileCheck %s --check-prefix=NO-TEAMS
// RUN: not diffattn-opt %s --pass-pipeline='builtin.module(func.func(diffattn-assign-schedule{target=cpu cluster=2}))' 2>&1 | FileCheck %s --check-prefix=NO-GPU

// Teams of warpgroups where the matrix instruction is theirs. Warps without
// teams ask for mma.sync.

// CHECK: schedule<query_tile = 32, pairs = 1, key_tile = 80, warps = 4, stages = 3, teams = 3, order = "turns">
// ASKED: schedule<query_tile = 32, pairs = 1, key_tile = 64, warps = 4, stages = 3, teams = 2, order = "sections">
// MMA: warps = 4
// MMA-NOT: teams
// TEAMS: error: {{.*}} expects at most 3 teams on sm_90a, but got teams = 4; the nearest legal one is teams = 3
// KEYS: error: {{.*}} expects about 160 registers of a thread for 3 teams on sm_90a, but got key_tile = 128; the nearest legal one is key_tile = 80
// STAGES: error: {{.*}} expects at most 232448 bytes of shared memory on sm_90a, but got stages = 9; the nearest legal one is stages = 4
// ROWS: error: {{.*}} expects 64 rows of a team (2 branches) on sm_90a, but got query_tile = 64; the nearest legal one is query_tile = 32
// A schedule that is there keeps its cluster, one of other options has none of it.
// OTHER: teams = 2, order = "{{[a-z]*}}">
// CLUSTER: teams = 3, order = "{{.*}}", cluster = 2>
// THREE: error: {{.*}}expects a cluster of 1 or 2 blocks, but got 3
// NO-TEAMS: error: {{.*}}expects a schedule with teams for a cluster of 2 blocks, which GPU target 'sm_80' does not have here
// NO-GPU: error: {{.*}}expects option cluster of diffattn-assign-schedule for GPU targets only
// ORDER: error: {{.*}}order to be "overlap", "turns" or "sections", but got "both"
func.func @attention(%q: tensor<?x?x8x128xbf16>, %k: tensor<?x?x2x128xbf16>, %v: tensor<?x?x2x128xbf16>, %l: tensor<?x?x4xbf16>, %o: tensor<?x?x4x128xbf16>) -> tensor<?x?x4x128xbf16> {
  %r = diffattn.attention query(%q : tensor<?x?x8x128xbf16>) key(%k : tensor<?x?x2x128xbf16>) value(%v : tensor<?x?x2x128xbf16>)
      lambda(%l : tensor<?x?x4xbf16>) outs(%o : tensor<?x?x4x128xbf16>)
  return %r : tensor<?x?x4x128xbf16>
}
