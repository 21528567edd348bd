// RUN: diffattn-opt %s --pass-pipeline='builtin.module(gpu.module(gpu.func(diffattn-tile-select-operands)))' | FileCheck %s
// RUN: diffattn-opt %s --pass-pipeline='builtin.module(gpu.module(gpu.func(diffattn-tile-select-operands)))' -o %t
// RUN: diffattn-opt %t --pass-pipeline='builtin.module(gpu.module(gpu.func(diffattn-tile-select-operands)))' | diff %t -

#acc = #diffattn_tile.fragment<register = [d2*2, d1*2, d2*4:8, d0*2:8], lane = [d2*4:2, d0*8], warp = [d0*4:16]>
#query = #diffattn_tile.shared<[d2*32, d0*64, d1*2], swizzle = 64>
#keys = #diffattn_tile.shared<[d1*32, d0*32], swizzle = 64>

// Slices of the left operand hold both branches in one thread; every warp has a
// copy of the right one, whose pairs run along k in either orientation.
// CHECK-DAG: #[[$ACC:.*]] = #diffattn_tile.fragment<register = [d2*2, d1*2, d2*4:8, d0*2:8], lane = [d2*4:2, d0*8], warp = [d0*4:16]>
// CHECK-DAG: #[[$A:.*]] = #diffattn_tile.fragment<register = [d2*2, d1*2, d2*2:8, d0*2:8], lane = [d2*4:2, d0*8], warp = [d0*4:16]>
// CHECK-DAG: #[[$KT:.*]] = #diffattn_tile.fragment<register = [d1*2, d1*2:8, d0*4:8], lane = [d1*4:2, d0*8], warp = [_*4]>
// CHECK-DAG: #[[$V:.*]] = #diffattn_tile.fragment<register = [d0*2, d0*2:8, d1*4:8], lane = [d0*4:2, d1*8], warp = [_*4]>

gpu.module @kernels {
  // CHECK-LABEL: gpu.func @buffers(
  gpu.func @buffers(%zero: tensor<64x2x32xf32, #acc>, %out: memref<64x2x32xf32>) kernel {
    // CHECK: %[[Q:.*]] = diffattn_tile.alloc : <[64x2x32xbf16]
    // CHECK: %[[K:.*]] = diffattn_tile.alloc : <[32x32xbf16]
    %q = diffattn_tile.alloc : !diffattn_tile.buffer<[64x2x32xbf16], #query>
    %k = diffattn_tile.alloc : !diffattn_tile.buffer<[32x32xbf16], #keys>
    // CHECK:      %[[A0:.*]] = diffattn_tile.local_load %[[Q]][0, 0, 0] : {{.*}} -> tensor<64x2x16xbf16, #[[$A]]>
    // CHECK-NEXT: %[[B0:.*]] = diffattn_tile.local_load %[[K]][0, 0] : {{.*}} -> tensor<32x16xbf16, #[[$KT]]>
    // CHECK-NEXT: %[[S0:.*]] = diffattn_tile.dot %[[A0]], %[[B0]], %{{.*}} transposed
    // CHECK-NEXT: %[[A1:.*]] = diffattn_tile.local_load %[[Q]][0, 0, 16]
    // CHECK-NEXT: %[[B1:.*]] = diffattn_tile.local_load %[[K]][0, 16]
    // CHECK-NEXT: %[[S:.*]] = diffattn_tile.dot %[[A1]], %[[B1]], %[[S0]] transposed
    %s = diffattn_tile.dot %q, %k, %zero transposed
        : !diffattn_tile.buffer<[64x2x32xbf16], #query>, !diffattn_tile.buffer<[32x32xbf16], #keys>, tensor<64x2x32xf32, #acc>
    // The left operand is in registers already: slices of it, the right one
    // along its first dimension.
    // CHECK:      %[[P:.*]] = arith.truncf %[[S]]
    // CHECK-NEXT: %[[P0:.*]] = diffattn_tile.slice %[[P]][0, 0, 0] : {{.*}} -> tensor<64x2x16xbf16, #[[$A]]>
    // CHECK-NEXT: %[[V0:.*]] = diffattn_tile.local_load %[[K]][0, 0] : {{.*}} -> tensor<16x32xbf16, #[[$V]]>
    // CHECK-NEXT: %[[T0:.*]] = diffattn_tile.dot %[[P0]], %[[V0]], %{{.*}} : tensor<64x2x16xbf16, #[[$A]]>
    // CHECK-NEXT: %[[P1:.*]] = diffattn_tile.slice %[[P]][0, 0, 16]
    // CHECK-NEXT: %[[V1:.*]] = diffattn_tile.local_load %[[K]][16, 0]
    // CHECK-NEXT: %[[T:.*]] = diffattn_tile.dot %[[P1]], %[[V1]], %[[T0]] :
    // CHECK-NEXT: diffattn_tile.store %[[T]]
    %p = arith.truncf %s : tensor<64x2x32xf32, #acc> to tensor<64x2x32xbf16, #acc>
    %t = diffattn_tile.dot %p, %k, %zero
        : tensor<64x2x32xbf16, #acc>, !diffattn_tile.buffer<[32x32xbf16], #keys>, tensor<64x2x32xf32, #acc>
    diffattn_tile.store %t, %out : tensor<64x2x32xf32, #acc>, memref<64x2x32xf32>
    gpu.return
  }
}
