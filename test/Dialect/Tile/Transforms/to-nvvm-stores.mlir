// RUN: diffattn-opt %s --pass-pipeline='builtin.module(gpu.module(diffattn-tile-to-nvvm,gpu.func(canonicalize,cse)))' | FileCheck %s

// A team's result leaves through shared memory.
#acc = #diffattn_tile.fragment<register = [d1*2, d1*16:8], lane = [d1*4:2, d0*8], warp = [d0*4:8]>
#out = #diffattn_tile.shared<[d1*64, d0*32, d1*2:64], swizzle = 128>
!map = !diffattn_tile.tensor_map<1x32x64xbf16, swizzle = 128>
!buffer = !diffattn_tile.buffer<[32x128xbf16], #out>

// CHECK-LABEL: gpu.func @store
// 16 matrices of 8 by 8, four at a time.
// CHECK-COUNT-4: nvvm.stmatrix %{{.*}}, %{{.*}}, %{{.*}}, %{{.*}}, %{{.*}} {{{.*}}layout = #nvvm.mma_layout<row>
// CHECK-NOT: nvvm.stmatrix
// CHECK: nvvm.fence.proxy {kind = #nvvm.proxy_kind<async.shared>, space = #nvvm.shared_space<cta>}
// The first thread of the second warp.
// CHECK: %[[THREAD:.*]] = arith.andi %{{.*}}, %c127
// CHECK: %[[IS:.*]] = arith.cmpi eq, %[[THREAD]], %c32
// CHECK: scf.if %[[IS]]
// Panels of 64 columns; the innermost coordinate first.
// CHECK: nvvm.cp.async.bulk.tensor.global.shared.cta %{{.*}}, %{{.*}}, box[%[[COLUMN:.*]], %[[ROW:.*]], %[[BATCH:.*]]]
// CHECK: %[[NEXT:.*]] = arith.addi %[[COLUMN]], %c64
// CHECK: nvvm.cp.async.bulk.tensor.global.shared.cta %{{.*}}, %{{.*}}, box[%[[NEXT]], %[[ROW]], %[[BATCH]]]
// CHECK-NEXT: nvvm.cp.async.bulk.commit.group
// CHECK-NEXT: nvvm.cp.async.bulk.wait_group 0 {read}
gpu.module @kernels {
gpu.func @store(%map: !map, %source: memref<32x128xbf16>, %batch: i32, %row: i32, %column: i32)
    kernel attributes {diffattn_tile.warps = 4 : i64} {
  %whole = diffattn_tile.alloc {offset = 0 : i64} : !diffattn_tile.buffer<[64x128xbf16], #diffattn_tile.shared<[d1*64, d0*64, d1*2:64], swizzle = 128>>
  %b = diffattn_tile.reuse %whole : !diffattn_tile.buffer<[64x128xbf16], #diffattn_tile.shared<[d1*64, d0*64, d1*2:64], swizzle = 128>> -> !buffer
  diffattn_tile.roles
  role(%team) warpgroups 1 registers 240 {
  %v = diffattn_tile.load %source : memref<32x128xbf16> -> tensor<32x128xbf16, #acc>
  diffattn_tile.local_store %v, %b : tensor<32x128xbf16, #acc>, !buffer
  diffattn_tile.fence async_proxy
  diffattn_tile.team_barrier
  diffattn_tile.elected warp 1 {
    diffattn_tile.tensor_store %b into %map[%batch, %row, %column] dims [1, 2] : !buffer, !map
    diffattn_tile.store_wait 0
  }
  }
  gpu.return
}
}
