// RUN: diffattn-opt %s --split-input-file --pass-pipeline='builtin.module(gpu.module(gpu.func(diffattn-tile-overlap)))' | FileCheck %s
// RUN: diffattn-opt %s --split-input-file --pass-pipeline='builtin.module(gpu.module(gpu.func(diffattn-tile-overlap,diffattn-tile-take-turns)))' | FileCheck %s --check-prefix=TURNS
// RUN: diffattn-opt %s --split-input-file --pass-pipeline='builtin.module(gpu.module(gpu.func(diffattn-tile-overlap,diffattn-tile-overlap)))' | FileCheck %s

#key = #diffattn_tile.shared<[d1*64, d0*16], swizzle = 128>
!ring = !diffattn_tile.buffer<2 x [16x64xbf16], #key>
!scores = tensor<64x16xf32>
!heads = tensor<64x64xf32>

// The second product of an iteration goes with the first one of the next; what
// was accumulated starts from zeros, which need no scaling.

// CHECK-LABEL: gpu.func @chain
// CHECK: %[[ZEROS:.*]] = arith.constant dense<0.000000e+00> : tensor<64x64xf32>
// CHECK: role(
// The first iteration.
// CHECK: %[[S0:.*]] = diffattn_tile.dot %{{.*}} transposed
// CHECK: %[[P0:.*]] = arith.truncf
// CHECK-NOT: diffattn_tile.dot
// CHECK: %[[LOOP:.*]]:4 = scf.for {{.*}} iter_args(%[[ACC:.*]] = %[[ZEROS]], %[[SLOT:.*]] = %{{.*}}, %[[KSLOT:.*]] = %{{.*}}, %[[P:.*]] = %[[P0]])
// CHECK: %[[S:.*]] = diffattn_tile.dot %{{.*}} transposed
// CHECK: diffattn_tile.arrive
// CHECK: diffattn_tile.wait
// CHECK: %[[O:.*]] = diffattn_tile.dot %[[P]], %{{.*}}, %[[ACC]] :
// CHECK: diffattn_tile.arrive
// CHECK: math.exp2 %[[S]]
// CHECK: %[[SCALED:.*]] = arith.mulf %[[O]], %{{.*}} : tensor<64x64xf32>
// CHECK: %[[NEXT:.*]] = arith.truncf
// CHECK: scf.yield %[[SCALED]], %{{.*}}, %{{.*}}, %[[NEXT]]
// The last iteration's second product, after the release of the queries.
// CHECK: diffattn_tile.arrive
// CHECK: diffattn_tile.dot %[[LOOP]]#3, %{{.*}}, %[[LOOP]]#0

// In turn: from the start of one product to that of the other. The last team
// passes the first turn.
// TURNS-LABEL: gpu.func @chain
// TURNS: role(%[[TEAM:.*]]) warpgroups 3
// TURNS: arith.cmpi eq, %[[TEAM]]
// TURNS-NEXT: scf.if
// TURNS-NEXT: diffattn_tile.pass_turn
// TURNS: scf.for
// TURNS: diffattn_tile.wait
// TURNS: diffattn_tile.take_turn
// TURNS-NEXT: diffattn_tile.dot
// TURNS: diffattn_tile.dot
// TURNS-NEXT: diffattn_tile.pass_turn
// TURNS: math.exp2
gpu.module @kernels {
gpu.func @chain(%end: index) kernel attributes {diffattn_tile.order = "turns"} {
  %c0 = arith.constant 0 : index
  %c16 = arith.constant 16 : index
  %one = arith.constant 1 : i32
  %zero = arith.constant 0 : i32
  %no_scores = arith.constant dense<0.0> : !scores
  %zeros = arith.constant dense<0.0> : !heads
  %factor = arith.constant dense<0.5> : !heads
  %q = diffattn_tile.alloc : !diffattn_tile.buffer<[64x64xbf16], #diffattn_tile.shared<[d1*64, d0*64], swizzle = 128>>
  %keys = diffattn_tile.alloc : !ring
  %values = diffattn_tile.alloc : !ring
  %key_full = diffattn_tile.barriers arrivals 1 : <2>
  %key_empty = diffattn_tile.barriers arrivals 3 : <2>
  %value_full = diffattn_tile.barriers arrivals 1 : <2>
  %value_empty = diffattn_tile.barriers arrivals 3 : <2>
  diffattn_tile.roles
    role(%team) warpgroups 3 registers 160 {
    %r:3 = scf.for %k = %c0 to %end step %c16 iter_args(%acc = %zeros, %vs = %zero, %ks = %zero) -> (!heads, i32, i32) {
      diffattn_tile.wait %key_full[%ks], %zero : <2>
      %ki = arith.index_cast %ks : i32 to index
      %key = diffattn_tile.slot %keys[%ki] : !ring
      %s = diffattn_tile.dot %q, %key, %no_scores transposed : !diffattn_tile.buffer<[64x64xbf16], #diffattn_tile.shared<[d1*64, d0*64], swizzle = 128>>, !diffattn_tile.buffer<[16x64xbf16], #key>, !scores
      diffattn_tile.arrive %key_empty[%ks] : <2>
      %k1 = arith.xori %ks, %one : i32
      %p = math.exp2 %s : !scores
      %scaled = arith.mulf %acc, %factor : !heads
      %p16 = arith.truncf %p : !scores to tensor<64x16xbf16>
      diffattn_tile.wait %value_full[%vs], %zero : <2>
      %vi = arith.index_cast %vs : i32 to index
      %value = diffattn_tile.slot %values[%vi] : !ring
      %o = diffattn_tile.dot %p16, %value, %scaled : tensor<64x16xbf16>, !diffattn_tile.buffer<[16x64xbf16], #key>, !heads
      diffattn_tile.arrive %value_empty[%vs] : <2>
      %v1 = arith.xori %vs, %one : i32
      scf.yield %o, %v1, %k1 : !heads, i32, i32
    }
    diffattn_tile.arrive %key_empty[%one] : <2>
    %use = math.exp2 %r#0 : !heads
  }
  gpu.return
}
}

// -----

// One product: nothing to overlap with.

// CHECK-LABEL: gpu.func @single
// CHECK: scf.for
// CHECK: diffattn_tile.dot
// CHECK-NOT: diffattn_tile.dot
// TURNS-LABEL: gpu.func @single
// Without an order no turns.
// TURNS-NOT: _turn
gpu.module @kernels {
gpu.func @single(%end: index, %a: tensor<64x16xbf16>) kernel {
  %c0 = arith.constant 0 : index
  %c16 = arith.constant 16 : index
  %zeros = arith.constant dense<0.0> : tensor<64x64xf32>
  %v = diffattn_tile.alloc : !diffattn_tile.buffer<[16x64xbf16], #diffattn_tile.shared<[d1*64, d0*16], swizzle = 128>>
  diffattn_tile.roles
    role(%team) warpgroups 3 registers 160 {
    %r = scf.for %k = %c0 to %end step %c16 iter_args(%acc = %zeros) -> (tensor<64x64xf32>) {
      %o = diffattn_tile.dot %a, %v, %acc : tensor<64x16xbf16>, !diffattn_tile.buffer<[16x64xbf16], #diffattn_tile.shared<[d1*64, d0*16], swizzle = 128>>, tensor<64x64xf32>
      scf.yield %o : tensor<64x64xf32>
    }
  }
  gpu.return
}
}
