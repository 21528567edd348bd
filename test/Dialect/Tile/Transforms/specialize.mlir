// RUN: diffattn-opt %s --pass-pipeline='builtin.module(gpu.module(gpu.func(diffattn-tile-specialize)),canonicalize,cse)' | FileCheck %s
// RUN: diffattn-opt %s --pass-pipeline='builtin.module(gpu.module(gpu.func(diffattn-tile-specialize,diffattn-tile-specialize)),canonicalize,cse)' | FileCheck %s --check-prefix=TWICE
// RUN: diffattn-opt %s --pass-pipeline='builtin.module(gpu.module(gpu.func(diffattn-tile-specialize{limit=40000})),canonicalize,cse)' | FileCheck %s --check-prefix=SMALL

// One thread copies, three teams compute neighbouring tiles of a causal mask:
// their loops end at different keys.

// TWICE-COUNT-1: diffattn_tile.roles
// TWICE-NOT: diffattn_tile.roles

// The next tile's queries are only on their way where there is room.
// SMALL: diffattn_tile.alloc : <3 x [32x2x64xbf16]

// CHECK-LABEL: gpu.func @causal
// A tensor map of each operand, and where tiles are drawn.
// CHECK-SAME: !diffattn_tile.tensor_map<1x2x8x64xbf16, swizzle = 128> {diffattn_tile.map = {argument = 0 : i64, dims = array<i64: 0, 2, 1, 3>}}
// CHECK-SAME: !diffattn_tile.tensor_map<1x1x16x64xbf16, swizzle = 128> {diffattn_tile.map = {argument = 1 : i64, dims = array<i64: 0, 2, 1, 3>}}
// CHECK-SAME: memref<2xi32> {diffattn_tile.counters}
// Teams times the tile; one producer and three teams.
// CHECK-SAME: diffattn_tile.grid = [{argument = 0 : i64, dim = 0 : i64}, {argument = 0 : i64, dim = 1 : i64, tile = 96 : i64}]
// CHECK-SAME: diffattn_tile.persistent
// CHECK-SAME: diffattn_tile.warps = 16
// Queries: two slots of each team, which it alone empties. Keys: of all teams.
// CHECK: %[[Q:.*]] = diffattn_tile.alloc : <6 x [32x2x64xbf16]
// CHECK: %[[Q_FULL:.*]] = diffattn_tile.barriers arrivals 1 : <6>
// CHECK: %[[Q_EMPTY:.*]] = diffattn_tile.barriers arrivals 1 : <6>
// CHECK: %[[K:.*]] = diffattn_tile.alloc : <2 x [16x64xbf16]
// CHECK: %[[K_FULL:.*]] = diffattn_tile.barriers arrivals 1 : <2>
// CHECK: %[[K_EMPTY:.*]] = diffattn_tile.barriers arrivals 3 : <2>
// CHECK: %[[RING:.*]] = diffattn_tile.alloc : <2 x [2xi32]
// CHECK: diffattn_tile.fence barrier_init
// CHECK: gpu.barrier

// CHECK: role({{.*}}) warpgroups 1 registers 32
// CHECK: diffattn_tile.elected
// CHECK: scf.while
// CHECK: diffattn_tile.write_scalars
// CHECK: scf.condition
// CHECK: diffattn_tile.fetch_add
// CHECK-COUNT-3: diffattn_tile.tensor_copy %{{.*}} dims [2, 1, 3]
// The union of what the teams need, once.
// CHECK: scf.for
// CHECK: diffattn_tile.wait %[[K_EMPTY]]
// CHECK: diffattn_tile.expect %[[K_FULL]][%{{.*}}], 2048
// CHECK: diffattn_tile.tensor_copy %{{.*}} dims [2, 3]
// CHECK-NOT: diffattn_tile.tensor_copy
// The last block resets the counters.
// CHECK: diffattn_tile.fetch_add
// CHECK: scf.if
// CHECK-COUNT-2: memref.store

// CHECK: role(%[[TEAM:.*]]) warpgroups 3 registers 160
// CHECK: scf.while
// CHECK: diffattn_tile.read_scalars
// CHECK: diffattn_tile.uniform
// CHECK: diffattn_tile.team_barrier
// CHECK: diffattn_tile.arrive
// What the tile's end needs is loaded before the loop.
// CHECK: diffattn_tile.load {{.*}} -> tensor<32xbf16>
// CHECK: diffattn_tile.wait %[[Q_FULL]]
// CHECK: %[[QUERY:.*]] = diffattn_tile.slot %[[Q]]
// CHECK: scf.for
// CHECK: diffattn_tile.wait %[[K_FULL]]
// CHECK: %[[KEY:.*]] = diffattn_tile.slot %[[K]]
// CHECK: diffattn_tile.dot %[[QUERY]], %[[KEY]]
// CHECK: diffattn_tile.arrive %[[K_EMPTY]]
// CHECK: diffattn_tile.arrive %[[Q_EMPTY]]
// Blocks that only other teams see.
// CHECK: scf.for
// CHECK: diffattn_tile.wait %[[K_FULL]]
// CHECK: diffattn_tile.team_barrier
// CHECK: diffattn_tile.arrive %[[K_EMPTY]]

!tensor = memref<?x?x4x64xbf16, strided<[?, ?, ?, 1], offset: ?>>
!rows = memref<?x?xbf16, strided<[?, 1], offset: ?>>
!out = memref<?x?x2x16xf32, strided<[?, ?, ?, 1], offset: ?>>

gpu.module @kernels {
gpu.func @causal(%query: !tensor, %key: !tensor, %lambda: !rows, %out: !out)
    kernel attributes {
      diffattn_tile.warps = 4 : i64, diffattn_tile.stages = 2 : i64, diffattn_tile.teams = 3 : i64,
      diffattn_tile.grid = [{argument = 0 : i64, dim = 0 : i64}, {argument = 0 : i64, dim = 1 : i64, tile = 32 : i64}]} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c16 = arith.constant 16 : index
  %c32 = arith.constant 32 : index
  %zeros = arith.constant dense<0.0> : tensor<32x2x16xf32>
  %batches = memref.dim %query, %c0 : !tensor
  %queries = memref.dim %query, %c1 : !tensor
  %tiles = arith.ceildivui %queries, %c32 : index
  %b, %i = diffattn_tile.coordinates in %batches, %tiles
  %row = arith.muli %i, %c32 : index
  %q_view = memref.subview %query[%b, %row, 0, 0] [1, 32, 2, 64] [1, 1, 1, 1] : !tensor to memref<32x2x64xbf16, strided<[?, ?, 1], offset: ?>>
  %q = diffattn_tile.load %q_view : memref<32x2x64xbf16, strided<[?, ?, 1], offset: ?>> -> tensor<32x2x64xbf16>
  %end = arith.addi %row, %c32 : index
  %sum = scf.for %k = %c0 to %end step %c16 iter_args(%acc = %zeros) -> (tensor<32x2x16xf32>) {
    %k_view = memref.subview %key[%b, %k, 1, 0] [1, 16, 1, 64] [1, 1, 1, 1] : !tensor to memref<16x64xbf16, strided<[?, 1], offset: ?>>
    %keys = diffattn_tile.load %k_view : memref<16x64xbf16, strided<[?, 1], offset: ?>> -> tensor<16x64xbf16>
    %s = diffattn_tile.dot %q, %keys, %acc transposed : tensor<32x2x64xbf16>, tensor<16x64xbf16>, tensor<32x2x16xf32>
    scf.yield %s : tensor<32x2x16xf32>
  }
  %l_view = memref.subview %lambda[%b, %row] [1, 32] [1, 1] : !rows to memref<32xbf16, strided<[1], offset: ?>>
  %l = diffattn_tile.load %l_view : memref<32xbf16, strided<[1], offset: ?>> -> tensor<32xbf16>
  %one = diffattn_tile.select %sum at 0 of 1 : tensor<32x2x16xf32> -> tensor<32x16xf32>
  %wide = arith.extf %l : tensor<32xbf16> to tensor<32xf32>
  %all = diffattn_tile.broadcast %wide along 1 : tensor<32xf32> -> tensor<32x16xf32>
  %result = arith.mulf %one, %all : tensor<32x16xf32>
  %o_view = memref.subview %out[%b, %row, 0, 0] [1, 32, 1, 16] [1, 1, 1, 1] : !out to memref<32x16xf32, strided<[?, 1], offset: ?>>
  diffattn_tile.store %result, %o_view : tensor<32x16xf32>, memref<32x16xf32, strided<[?, 1], offset: ?>>
  gpu.return
}
}
