// DEFINE: %{options} = store=shared
// DEFINE: %{run} = diffattn-opt %s --pass-pipeline='builtin.module(gpu.module(gpu.func(diffattn-tile-specialize{%{options}})),canonicalize,cse)'
// RUN: %{run} | FileCheck %s --check-prefixes=CHECK,OWN
// REDEFINE: %{options} = store=shared limit=150000
// RUN: %{run} | FileCheck %s --check-prefixes=CHECK,REUSE
// REDEFINE: %{options} = store=shared limit=100000
// RUN: %{run} | FileCheck %s --check-prefix=NONE
// RUN: %{run} --remarks-filter='.*' 2>&1 | FileCheck %s --check-prefix=REMARK
// REDEFINE: %{options} = store=registers
// RUN: %{run} | FileCheck %s --check-prefix=NONE
// REDEFINE: %{options} = store=memory
// RUN: not %{run} 2>&1 | FileCheck %s --check-prefix=NEITHER

// NEITHER: error: 'gpu.func' op expects the option store to be registers or shared, but got memory

// Results leave from registers.
// NONE-LABEL: gpu.func @both
// NONE-NOT: diffattn_tile.local_store
// NONE-COUNT-3: diffattn_tile.store %
// REMARK: a result is no matrix of 16-bit elements, or another than the first
// REMARK: results need 49152 bytes of shared memory, but 1{{[0-9]*}} are left

// Two results of 8192 bytes for each of three teams, beside rings of queries and
// keys. The sums stay with the registers.
// CHECK-LABEL: gpu.func @both
// CHECK-SAME: %[[MAP:[a-z0-9]+]]: !diffattn_tile.tensor_map<1x1x32x64xbf16, swizzle = 128> {diffattn_tile.map = {argument = 2 : i64, dims = array<i64: 0, 2, 1, 3>}}
// CHECK-SAME: !diffattn_tile.tensor_map<1x1x32x64xbf16, swizzle = 128> {diffattn_tile.map = {argument = 3 : i64, dims = array<i64: 0, 2, 1, 3>}}
// OWN: %[[Q:.*]] = diffattn_tile.alloc : <6 x [32x2x128xbf16]
// OWN: diffattn_tile.barriers arrivals 1 : <6>
// OWN: diffattn_tile.barriers arrivals 1 : <6>
// REUSE: %[[Q:.*]] = diffattn_tile.alloc : <6 x [32x2x128xbf16]
// REUSE: diffattn_tile.barriers arrivals 1 : <6>
// REUSE: %[[EMPTY:.*]] = diffattn_tile.barriers arrivals 1 : <6>
// OWN: %[[FULL:.*]] = diffattn_tile.barriers arrivals 1 : <3>
// OWN: %[[OUT:.*]] = diffattn_tile.alloc : <6 x [32x128xbf16], #[[$LAYOUT:.+]]>
// OWN: %[[EMPTY:.*]] = diffattn_tile.barriers arrivals 1 : <3>
// A slot of queries has a phase of its own: a team may be two tiles ahead.
// REUSE: %[[FULL:.*]] = diffattn_tile.barriers arrivals 1 : <6>
// The one that stores takes tiles from the ring as well.
// CHECK: diffattn_tile.alloc : <2 x [2xi32]
// CHECK: diffattn_tile.barriers arrivals 1 : <2>
// CHECK: diffattn_tile.barriers arrivals 4 : <2>

// CHECK: role({{.*}}) warpgroups 1
// CHECK: diffattn_tile.elected {
// CHECK: diffattn_tile.elected warp 1 {
// CHECK: diffattn_tile.read_scalars
// CHECK-NOT: diffattn_tile.team_barrier
// Team after team.
// CHECK: scf.for
// CHECK: diffattn_tile.wait %[[FULL]][%[[S:.*]]], %[[PHASE:.*]] :
// OWN: %[[O:.*]] = diffattn_tile.slot %[[OUT]]
// REUSE: %[[WHOLE:.*]] = diffattn_tile.slot %[[Q]]
// REUSE: %[[PARTS:.*]] = diffattn_tile.reuse %[[WHOLE]] : <[32x2x128xbf16], {{.*}}> -> <2 x [32x128xbf16], #[[$LAYOUT:.+]]>
// REUSE: %[[O:.*]] = diffattn_tile.slot %[[PARTS]]
// CHECK: diffattn_tile.tensor_store %[[O]] into %[[MAP]][%{{.*}}, %{{.*}}, %{{.*}}, %{{.*}}] dims [2, 3]
// CHECK: diffattn_tile.tensor_store
// CHECK: diffattn_tile.store_wait 0
// CHECK: diffattn_tile.arrive %[[EMPTY]][%[[S]]]
// CHECK-NOT: diffattn_tile.tensor_store

// CHECK: role({{.*}}) warpgroups 3
// CHECK: diffattn_tile.dot
// The slot of the queries is kept.
// REUSE-NOT: diffattn_tile.arrive %[[EMPTY]]
// OWN: diffattn_tile.wait %[[EMPTY]][%[[T:.*]]], %{{.*}} :
// CHECK: diffattn_tile.local_store %{{.*}}, %{{.*}} : tensor<32x128xbf16>, <[32x128xbf16], #[[$LAYOUT]]>
// CHECK: diffattn_tile.store %{{.*}} : tensor<32xf32>
// CHECK: diffattn_tile.local_store
// CHECK-NEXT: diffattn_tile.fence async_proxy
// CHECK-NEXT: diffattn_tile.team_barrier
// CHECK-NEXT: diffattn_tile.arrive %[[FULL]]
// REUSE-NOT: diffattn_tile.arrive %[[EMPTY]]
// CHECK-NOT: diffattn_tile.store %

!tensor = memref<?x?x4x128xbf16, strided<[?, ?, ?, 1], offset: ?>>
!out = memref<?x?x2x128xbf16, strided<[?, ?, ?, 1], offset: ?>>
!sums = memref<?x?xf32, strided<[?, 1], offset: ?>>
!tile = memref<32x128xbf16, strided<[?, 1], offset: ?>>

gpu.module @kernels {
gpu.func @both(%query: !tensor, %key: !tensor, %signal: !out, %noise: !out, %sum: !sums)
    kernel attributes {
      diffattn_tile.warps = 4 : i64, diffattn_tile.stages = 1 : i64, diffattn_tile.teams = 3 : i64,
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
