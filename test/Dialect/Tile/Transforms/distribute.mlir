// RUN: diffattn-opt %s --pass-pipeline='builtin.module(gpu.module(gpu.func(diffattn-tile-distribute)))' | FileCheck %s
// RUN: diffattn-opt %s --pass-pipeline='builtin.module(gpu.module(gpu.func(diffattn-tile-distribute,diffattn-tile-distribute)))' | FileCheck %s

// The number of the block is taken apart in 32 bits, and the last tiles start
// first.

// CHECK-LABEL: gpu.func @tiles
// CHECK-SAME: %[[N:.*]]: index, %[[M:.*]]: index,
// CHECK: %[[BLOCK:.*]] = gpu.block_id x
// CHECK: %[[NUMBER:.*]] = arith.index_castui %[[BLOCK]] : index to i32
// CHECK: %[[TILES:.*]] = arith.index_castui %[[M]] : index to i32
// CHECK: %[[REST:.*]] = arith.remui %[[NUMBER]], %[[TILES]]
// CHECK: %[[COLUMN:.*]] = arith.divui %[[NUMBER]], %[[TILES]]
// CHECK: %[[LAST:.*]] = arith.subi %[[TILES]], %{{.*}}
// CHECK: arith.subi %[[LAST]], %[[REST]]
// CHECK-NOT: diffattn_tile.coordinates

// CHECK-LABEL: gpu.func @none
// CHECK-NEXT: gpu.return
gpu.module @kernels {
  gpu.func @tiles(%n: index, %m: index, %out: memref<?x?xindex>) kernel {
    %i, %j = diffattn_tile.coordinates in %n, %m
    memref.store %i, %out[%i, %j] : memref<?x?xindex>
    gpu.return
  }
  gpu.func @none() kernel {
    gpu.return
  }
}
