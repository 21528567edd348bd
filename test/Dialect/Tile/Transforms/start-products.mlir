// RUN: diffattn-opt %s --pass-pipeline='builtin.module(gpu.module(gpu.func(diffattn-tile-start-products)))' | FileCheck %s
// RUN: diffattn-opt %s --pass-pipeline='builtin.module(gpu.module(gpu.func(diffattn-tile-start-products,diffattn-tile-start-products)))' | FileCheck %s

#acc = #diffattn_tile.fragment<register = [d1*2, d0*8:8, d1*2:8], lane = [d1*4:2, d0*8], warp = [d0*4:16]>
#rows = #diffattn_tile.shared<[d1*64, d0*64], swizzle = 128>
#key = #diffattn_tile.shared<[d1*64, d0*16], swizzle = 128>
!rows = !diffattn_tile.buffer<[64x64xbf16], #rows>
!key = !diffattn_tile.buffer<[16x64xbf16], #key>
!scores = tensor<64x16xf32, #diffattn_tile.fragment<register = [d1*2, d0*2:8, d1*2:8], lane = [d1*4:2, d0*8], warp = [d0*4:16]>>

// Each product is waited for before its first use; the other one may go on. What
// each has read is released then.

// CHECK-LABEL: gpu.func @two
// CHECK: %[[A:.*]] = diffattn_tile.dot_async %{{.*}}, %{{.*}} transposed
// CHECK: %[[B:.*]] = diffattn_tile.dot_async
// CHECK: %[[WA:.*]] = diffattn_tile.dot_wait %[[A]], 1
// CHECK-NEXT: diffattn_tile.arrive %[[E:.*]][%[[ZERO:.*]]]
// CHECK-NEXT: math.exp2 %[[WA]]
// CHECK: %[[WB:.*]] = diffattn_tile.dot_wait %[[B]], 0
// CHECK-NEXT: diffattn_tile.arrive %[[E]][%[[ONE:.*]]]
// CHECK-NEXT: math.exp2 %[[WB]]

// Not kept up by a loop in which teams wait for each other: they might wait for
// what the product reads.
// CHECK: %[[C:.*]] = diffattn_tile.dot_async
// CHECK: %[[WC:.*]] = diffattn_tile.dot_wait %[[C]], 0
// CHECK: scf.for
// CHECK: diffattn_tile.wait
// CHECK: math.exp2 %[[WC]]
gpu.module @kernels {
gpu.func @two(%end: index) kernel {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %zero = arith.constant 0 : i32
  %one = arith.constant 1 : i32
  %zeros = arith.constant dense<0.0> : !scores
  %q = diffattn_tile.alloc : !rows
  %k = diffattn_tile.alloc : !key
  %full = diffattn_tile.barriers arrivals 1 : <2>
  %empty = diffattn_tile.barriers arrivals 2 : <2>
  diffattn_tile.roles
    role(%team) warpgroups 2 registers 160 {
    %a = diffattn_tile.dot %q, %k, %zeros transposed : !rows, !key, !scores
    diffattn_tile.arrive %empty[%zero] : <2>
    %b = diffattn_tile.dot %q, %k, %zeros transposed : !rows, !key, !scores
    diffattn_tile.arrive %empty[%one] : <2>
    %ea = math.exp2 %a : !scores
    %eb = math.exp2 %b : !scores
    %c = diffattn_tile.dot %q, %k, %zeros transposed : !rows, !key, !scores
    scf.for %i = %c0 to %end step %c1 {
      diffattn_tile.wait %full[%zero], %zero : <2>
    }
    %ec = math.exp2 %c : !scores
  }
  gpu.return
}
}
