// RUN: diffattn-opt %s --pass-pipeline='builtin.module(gpu.module(gpu.func(diffattn-tile-pipeline,canonicalize)))' | FileCheck %s
// A pipelined loop is none that the staging pass leaves.
// RUN: diffattn-opt %s --pass-pipeline='builtin.module(gpu.module(gpu.func(diffattn-tile-pipeline)))' -o %t
// RUN: diffattn-opt %t --pass-pipeline='builtin.module(gpu.module(gpu.func(diffattn-tile-pipeline)))' | diff %t -

!tile = memref<64x64xbf16, strided<[?, 1], offset: ?>>
!keys = memref<?x64xbf16, strided<[?, 1], offset: ?>>
#shared = #diffattn_tile.shared<[d1*64, d0*64], swizzle = 128>
!buffer = !diffattn_tile.buffer<[64x64xbf16], #shared>

gpu.module @kernels {
  // One slot for each of two buffers: the next keys are copied once this
  // tile's keys have been read, this tile's values while its keys are.
  // CHECK-LABEL: gpu.func @one_stage(
  // CHECK-SAME:    %[[Q:[^:]*]]: memref{{[^%]*}}, %[[K:[^:]*]]: memref{{[^%]*}}, %[[V:[^:]*]]: memref{{[^%]*}}, %[[N:[^:]*]]: index
  gpu.func @one_stage(%q: !tile, %k: !keys, %v: !keys, %n: index, %acc: tensor<64x64xf32>, %p: tensor<64x64xbf16>) kernel
      attributes {diffattn_tile.stages = 1 : i64, diffattn_tile.warps = 4 : i64} {
    %c0 = arith.constant 0 : index
    %c64 = arith.constant 64 : index
    // CHECK: %[[QB:.*]] = diffattn_tile.alloc
    // CHECK: %[[KB:.*]] = diffattn_tile.alloc : <[64x64xbf16]
    // CHECK: %[[VB:.*]] = diffattn_tile.alloc : <[64x64xbf16]
    %qb = diffattn_tile.alloc : !buffer
    %kb = diffattn_tile.alloc : !buffer
    %vb = diffattn_tile.alloc : !buffer
    // The wait for the queries moves behind the first copy of keys.
    // CHECK:      diffattn_tile.async_copy %[[Q]] into %[[QB]]
    // CHECK-NEXT: diffattn_tile.async_commit
    // CHECK-NOT:  diffattn_tile.async_wait
    // CHECK:      %[[ANY:.*]] = arith.cmpi sgt, %[[N]], %{{.*}}
    // CHECK-NEXT: scf.if %[[ANY]] {
    // CHECK:        diffattn_tile.async_copy %{{.*}} into %[[KB]]
    // CHECK-NEXT: }
    // CHECK-NEXT: diffattn_tile.async_commit
    // CHECK-NEXT: diffattn_tile.async_wait 1
    // CHECK-NEXT: gpu.barrier
    // CHECK-NEXT: scf.for %[[I:.*]] = %{{.*}} to %[[N]]
    diffattn_tile.async_copy %q into %qb : !tile, !buffer
    diffattn_tile.async_commit
    diffattn_tile.async_wait 0
    gpu.barrier
    %r = scf.for %i = %c0 to %n step %c64 iter_args(%a = %acc) -> tensor<64x64xf32> {
      // CHECK-NEXT: diffattn_tile.async_wait 0
      // CHECK-NEXT: gpu.barrier
      // The values of this iteration, which exists: without a condition.
      // CHECK-NEXT: memref.subview %[[V]][%[[I]], 0]
      // CHECK-NEXT: diffattn_tile.async_copy %{{.*}} into %[[VB]]
      // CHECK-NEXT: diffattn_tile.async_commit
      // CHECK-NEXT: diffattn_tile.dot %[[QB]], %[[KB]],
      %kv = memref.subview %k[%i, 0] [64, 64] [1, 1] : !keys to !tile
      gpu.barrier
      diffattn_tile.async_copy %kv into %kb : !tile, !buffer
      diffattn_tile.async_commit
      diffattn_tile.async_wait 0
      gpu.barrier
      %s = diffattn_tile.dot %qb, %kb, %a transposed : !buffer, !buffer, tensor<64x64xf32>
      // CHECK-NEXT: diffattn_tile.async_wait 0
      // CHECK-NEXT: gpu.barrier
      // CHECK-NEXT: %[[NEXT:.*]] = arith.addi %[[I]], %{{.*}}
      // CHECK-NEXT: %[[MORE:.*]] = arith.cmpi slt, %[[NEXT]], %[[N]]
      // CHECK-NEXT: scf.if %[[MORE]] {
      // CHECK-NEXT:   memref.subview %[[K]][%[[NEXT]], 0]
      // CHECK-NEXT:   diffattn_tile.async_copy %{{.*}} into %[[KB]]
      // CHECK-NEXT: }
      // CHECK-NEXT: diffattn_tile.async_commit
      // CHECK-NEXT: diffattn_tile.dot %{{.*}}, %[[VB]],
      // CHECK-NEXT: scf.yield
      %vv = memref.subview %v[%i, 0] [64, 64] [1, 1] : !keys to !tile
      gpu.barrier
      diffattn_tile.async_copy %vv into %vb : !tile, !buffer
      diffattn_tile.async_commit
      diffattn_tile.async_wait 0
      gpu.barrier
      %t = diffattn_tile.dot %p, %vb, %s : tensor<64x64xbf16>, !buffer, tensor<64x64xf32>
      scf.yield %t : tensor<64x64xf32>
    }
    gpu.return
  }

  // Rings of two: three copies go before the loop, waits leave two groups
  // pending, and the slot is carried.
  // CHECK-LABEL: gpu.func @two_stages(
  // CHECK-SAME:    %[[Q:[^:]*]]: memref{{[^%]*}}, %[[K:[^:]*]]: memref{{[^%]*}}, %[[V:[^:]*]]: memref
  gpu.func @two_stages(%q: !tile, %k: !keys, %v: !keys, %n: index, %acc: tensor<64x64xf32>, %p: tensor<64x64xbf16>) kernel
      attributes {diffattn_tile.stages = 2 : i64, diffattn_tile.warps = 4 : i64} {
    // CHECK-DAG: %[[C0:.*]] = arith.constant 0 : index
    // CHECK-DAG: %[[C1:.*]] = arith.constant 1 : index
    // CHECK-DAG: %[[C2:.*]] = arith.constant 2 : index
    %c0 = arith.constant 0 : index
    %c64 = arith.constant 64 : index
    // CHECK: %[[KB:.*]] = diffattn_tile.alloc : <2 x [64x64xbf16]
    // CHECK: %[[VB:.*]] = diffattn_tile.alloc : <2 x [64x64xbf16]
    %kb = diffattn_tile.alloc : !buffer
    %vb = diffattn_tile.alloc : !buffer
    // CHECK-DAG: %[[K0:.*]] = diffattn_tile.slot %[[KB]][%[[C0]]]
    // CHECK:     diffattn_tile.async_copy %{{.*}} into %[[K0]]
    // CHECK:     diffattn_tile.async_commit
    // CHECK:     %[[V0:.*]] = diffattn_tile.slot %[[VB]][%[[C0]]]
    // CHECK:     diffattn_tile.async_copy %{{.*}} into %[[V0]]
    // CHECK:     diffattn_tile.async_commit
    // CHECK:     %[[K1:.*]] = diffattn_tile.slot %[[KB]][%[[C1]]]
    // CHECK:     diffattn_tile.async_copy %{{.*}} into %[[K1]]
    // CHECK:     diffattn_tile.async_commit
    // CHECK-NOT: diffattn_tile.async_commit
    // CHECK:     scf.for {{.*}} iter_args(%{{.*}} = %{{.*}}, %[[RING:.*]] = %[[C0]])
    %r = scf.for %i = %c0 to %n step %c64 iter_args(%a = %acc) -> tensor<64x64xf32> {
      // CHECK-NEXT: diffattn_tile.async_wait 2
      // CHECK-NEXT: gpu.barrier
      // CHECK:      %[[VN:.*]] = diffattn_tile.slot %[[VB]]
      // CHECK-NEXT: diffattn_tile.async_copy %{{.*}} into %[[VN]]
      // CHECK:      diffattn_tile.async_commit
      // CHECK:      %[[KI:.*]] = diffattn_tile.slot %[[KB]][%[[RING]]]
      // CHECK-NEXT: diffattn_tile.dot %{{.*}}, %[[KI]], %{{.*}} transposed
      %kv = memref.subview %k[%i, 0] [64, 64] [1, 1] : !keys to !tile
      gpu.barrier
      diffattn_tile.async_copy %kv into %kb : !tile, !buffer
      diffattn_tile.async_commit
      diffattn_tile.async_wait 0
      gpu.barrier
      %s = diffattn_tile.dot %p, %kb, %a transposed : tensor<64x64xbf16>, !buffer, tensor<64x64xf32>
      // CHECK-NEXT: diffattn_tile.async_wait 2
      // CHECK-NEXT: gpu.barrier
      // The keys two tiles ahead overwrite the slot of this one.
      // CHECK:      %[[KN:.*]] = diffattn_tile.slot %[[KB]][%[[RING]]]
      // CHECK-NEXT: diffattn_tile.async_copy %{{.*}} into %[[KN]]
      // CHECK:      diffattn_tile.async_commit
      // CHECK:      %[[VI:.*]] = diffattn_tile.slot %[[VB]][%[[RING]]]
      // CHECK-NEXT: diffattn_tile.dot %{{.*}}, %[[VI]],
      // CHECK:      %[[NEXT:.*]] = arith.addi %[[RING]], %[[C1]]
      // CHECK:      %[[END:.*]] = arith.cmpi eq, %[[NEXT]], %[[C2]]
      // CHECK:      %[[SLOT:.*]] = arith.select %[[END]], %[[C0]], %[[NEXT]]
      // CHECK:      scf.yield %{{.*}}, %[[SLOT]]
      %vv = memref.subview %v[%i, 0] [64, 64] [1, 1] : !keys to !tile
      gpu.barrier
      diffattn_tile.async_copy %vv into %vb : !tile, !buffer
      diffattn_tile.async_commit
      diffattn_tile.async_wait 0
      gpu.barrier
      %t = diffattn_tile.dot %p, %vb, %s : tensor<64x64xbf16>, !buffer, tensor<64x64xf32>
      scf.yield %t : tensor<64x64xf32>
    }
    gpu.return
  }

  // Without stages on the kernel nothing is asked for.
  // CHECK-LABEL: gpu.func @no_stages(
  // CHECK:         scf.for
  // CHECK-NEXT:      gpu.barrier
  // CHECK-NEXT:      diffattn_tile.async_copy
  gpu.func @no_stages(%k: !tile, %n: index, %acc: tensor<64x64xf32>, %p: tensor<64x64xbf16>) kernel {
    %c0 = arith.constant 0 : index
    %c64 = arith.constant 64 : index
    %kb = diffattn_tile.alloc : !buffer
    %r = scf.for %i = %c0 to %n step %c64 iter_args(%a = %acc) -> tensor<64x64xf32> {
      gpu.barrier
      diffattn_tile.async_copy %k into %kb : !tile, !buffer
      diffattn_tile.async_commit
      diffattn_tile.async_wait 0
      gpu.barrier
      %s = diffattn_tile.dot %p, %kb, %a : tensor<64x64xbf16>, !buffer, tensor<64x64xf32>
      scf.yield %s : tensor<64x64xf32>
    }
    gpu.return
  }
}
