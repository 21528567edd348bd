// DEFINE: %{run} = diffattn-opt --pass-pipeline='builtin.module(gpu.module(gpu.func(diffattn-tile-specialize)),canonicalize,cse)'
// RUN: %{run} %s | FileCheck %s
// RUN: sed 's/%c0 to %queries/%c0 to %row/' %s | not %{run} - 2>&1 | FileCheck %s --check-prefix=CAUSAL
// RUN: sed 's/128x128/72x128/g; s/1, 128, 1, 128/1, 72, 1, 128/; s/32x2x128xf32/32x2x72xf32/g; s/32x128x/32x72x/g; s/1, 32, 1, 128/1, 32, 1, 72/' %s \
// RUN:   | not %{run} - 2>&1 | FileCheck %s --check-prefix=ROWS

// CAUSAL: error: 'gpu.func' op expects the tiles of a cluster to see the same keys, but the bounds of a loop depend on the tile; choose cluster = 1
// ROWS: error: 'diffattn_tile.load' op expects rows in multiples of 16 for a cluster of 2 blocks, but got 72

// CHECK-LABEL: gpu.func @both
// Queries are each block's own; of the keys a copy is half.
// CHECK-SAME: !diffattn_tile.tensor_map<1x2x8x64xbf16, swizzle = 128>
// CHECK-SAME: !diffattn_tile.tensor_map<1x1x64x64xbf16, swizzle = 128>
// Six teams have neighbouring tiles; two blocks for each six.
// CHECK-SAME: diffattn_tile.grid = [{argument = 0 : i64, dim = 0 : i64}, {argument = 0 : i64, dim = 1 : i64, tile = 192 : i64}, {constant = 2 : i64}]
// CHECK: diffattn_tile.alloc : <[128x128xbf16]
// CHECK: %[[FULL:.*]] = diffattn_tile.barriers arrivals 1 : <1>
// CHECK: %[[EMPTY:.*]] = diffattn_tile.barriers arrivals 6 : <1>
// CHECK: %[[RANK:.*]] = diffattn_tile.cluster_rank
// CHECK: diffattn_tile.fence barrier_init
// CHECK-NEXT: diffattn_tile.cluster_barrier
// CHECK-NOT: gpu.barrier
// Both blocks go through the same groups of tiles.
// CHECK: %[[BLOCK:.*]] = gpu.block_id
// CHECK: %[[NUMBER:.*]] = arith.index_cast %[[BLOCK]]
// CHECK: arith.divui %[[NUMBER]], %c2
// CHECK: diffattn_tile.tensor_copy %{{.*}} dims [2, 1, 3]
// CHECK-NOT: ] share
// CHECK: diffattn_tile.wait %[[EMPTY]]
// CHECK: diffattn_tile.expect %[[FULL]][%{{.*}}], 32768
// CHECK: diffattn_tile.tensor_copy %{{.*}} dims [2, 3] into %{{.*}}, %[[FULL]][%{{.*}}] share %[[RANK]] of 2
// CHECK: diffattn_tile.dot
// CHECK: diffattn_tile.arrive %[[EMPTY]][%{{.*}}] cluster 2
// CHECK: diffattn_tile.cluster_barrier
// CHECK-NEXT: gpu.return

!tensor = memref<?x?x4x128xbf16, strided<[?, ?, ?, 1], offset: ?>>
!out = memref<?x?x2x128xbf16, strided<[?, ?, ?, 1], offset: ?>>
!sums = memref<?x?xf32, strided<[?, 1], offset: ?>>
!tile = memref<32x128xbf16, strided<[?, 1], offset: ?>>

gpu.module @kernels {
gpu.func @both(%query: !tensor, %key: !tensor, %signal: !out, %noise: !out, %sum: !sums)
    kernel attributes {
      diffattn_tile.warps = 4 : i64, diffattn_tile.stages = 1 : i64, diffattn_tile.teams = 3 : i64, diffattn_tile.cluster = 2 : i64,
      diffattn_tile.grid = [{argument = 0 : i64, dim = 0 : i64}, {argument = 0 : i64, dim = 1 : i64, tile = 32 : i64}]} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c16 = arith.constant 16 : index
  %c32 = arith.constant 32 : index
  %zeros = arith.constant dense<0.0> : tensor<32x2x128xf32>
  %batches = memref.dim %query, %c0 : !tensor
  %queries = memref.dim %query, %c1 : !tensor
  %tiles = arith.ceildivui %queries, %c32 : index
  %b, %i = diffattn_tile.coordinates in %batches, %tiles
  %row = arith.muli %i, %c32 : index
  %q_view = memref.subview %query[%b, %row, 0, 0] [1, 32, 2, 128] [1, 1, 1, 1] : !tensor to memref<32x2x128xbf16, strided<[?, ?, 1], offset: ?>>
  %q = diffattn_tile.load %q_view : memref<32x2x128xbf16, strided<[?, ?, 1], offset: ?>> -> tensor<32x2x128xbf16>
  %acc = scf.for %k = %c0 to %queries step %c16 iter_args(%old = %zeros) -> (tensor<32x2x128xf32>) {
    %k_view = memref.subview %key[%b, %k, 1, 0] [1, 128, 1, 128] [1, 1, 1, 1] : !tensor to memref<128x128xbf16, strided<[?, 1], offset: ?>>
    %keys = diffattn_tile.load %k_view : memref<128x128xbf16, strided<[?, 1], offset: ?>> -> tensor<128x128xbf16>
    %new = diffattn_tile.dot %q, %keys, %old transposed : tensor<32x2x128xbf16>, tensor<128x128xbf16>, tensor<32x2x128xf32>
    scf.yield %new : tensor<32x2x128xf32>
  }
  %one = diffattn_tile.select %acc at 0 of 1 : tensor<32x2x128xf32> -> tensor<32x128xf32>
  %r1 = arith.truncf %one : tensor<32x128xf32> to tensor<32x128xbf16>
  %v1 = memref.subview %signal[%b, %row, 0, 0] [1, 32, 1, 128] [1, 1, 1, 1] : !out to !tile
  diffattn_tile.store %r1, %v1 : tensor<32x128xbf16>, !tile
  %s = diffattn_tile.reduce add %one along 1 : tensor<32x128xf32> -> tensor<32xf32>
  %v3 = memref.subview %sum[%b, %row] [1, 32] [1, 1] : !sums to memref<32xf32, strided<[1], offset: ?>>
  diffattn_tile.store %s, %v3 : tensor<32xf32>, memref<32xf32, strided<[1], offset: ?>>
  %two = diffattn_tile.select %acc at 1 of 1 : tensor<32x2x128xf32> -> tensor<32x128xf32>
  %r2 = arith.truncf %two : tensor<32x128xf32> to tensor<32x128xbf16>
  %v2 = memref.subview %noise[%b, %row, 0, 0] [1, 32, 1, 128] [1, 1, 1, 1] : !out to !tile
  diffattn_tile.store %r2, %v2 : tensor<32x128xbf16>, !tile
  gpu.return
}
}
