// RUN: diffattn-opt %s --pass-pipeline='builtin.module(gpu.module(diffattn-tile-to-nvvm,gpu.func(canonicalize,cse)))' | FileCheck %s

// Two blocks copy half of the keys each, to both.
#key = #diffattn_tile.shared<[d1*64, d0*80, d1*2:64], swizzle = 128>

// CHECK-LABEL: gpu.func @share
// CHECK-DAG: %[[MASK:.*]] = arith.constant 3 : i16
// CHECK: nvvm.cluster.arrive
// CHECK: nvvm.cluster.wait
// CHECK: %[[RANK:.*]] = nvvm.read.ptx.sreg.cluster.ctarank
// Forty rows of 128 bytes further for the second one.
// CHECK: %[[BYTES:.*]] = arith.muli %[[RANK]], %c5120
// CHECK: %[[ROWS:.*]] = arith.muli %[[RANK]], %c40
// CHECK: %[[ROW:.*]] = arith.addi %{{.*}}, %[[ROWS]]
// CHECK: nvvm.cp.async.bulk.tensor.shared.cluster.global %{{.*}}, %{{.*}}, %{{.*}}, box[%[[COLUMN:.*]], %[[ROW]]] multicast_mask = %[[MASK]]
// The second panel of both.
// CHECK: %[[NEXT:.*]] = arith.addi %[[COLUMN]], %c64
// CHECK: nvvm.cp.async.bulk.tensor.shared.cluster.global %{{.*}}, %{{.*}}, %{{.*}}, box[%[[NEXT]], %[[ROW]]] multicast_mask = %[[MASK]]
// CHECK-NOT: nvvm.cp.async.bulk.tensor
// One thread for each block.
// CHECK: llvm.inline_asm{{.*}}mapa.shared::cluster.u32 {{.*}}mbarrier.arrive.release.cluster.shared::cluster.b64
gpu.module @kernels {
gpu.func @share(%map: !diffattn_tile.tensor_map<40x64xbf16, swizzle = 128>, %row: i32, %column: i32)
    kernel attributes {diffattn_tile.warps = 4 : i64} {
  %c0 = arith.constant 0 : i32
  %k = diffattn_tile.alloc {offset = 0 : i64} : !diffattn_tile.buffer<[80x128xbf16], #key>
  %full = diffattn_tile.barriers arrivals 1 {offset = 20480 : i64} : !diffattn_tile.barriers<1>
  diffattn_tile.cluster_barrier
  %rank = diffattn_tile.cluster_rank
  diffattn_tile.elected {
    diffattn_tile.tensor_copy %map[%row, %column] dims [0, 1] into %k, %full[%c0] share %rank of 2
        : !diffattn_tile.tensor_map<40x64xbf16, swizzle = 128>, !diffattn_tile.buffer<[80x128xbf16], #key>, !diffattn_tile.barriers<1>
  }
  diffattn_tile.arrive %full[%c0] cluster 2 : !diffattn_tile.barriers<1>
  gpu.return
}
}
