// Loops that are left alone, and why.

// RUN: diffattn-opt %s --pass-pipeline='builtin.module(gpu.module(gpu.func(diffattn-tile-pipeline)))' --remarks-filter=diffattn-tile-pipeline -o %t 2>&1 | FileCheck %s
// RUN: diffattn-opt %s | diff %t -

!tile = memref<64x64xbf16, strided<[?, 1], offset: ?>>
!keys = memref<?x64xbf16, strided<[?, 1], offset: ?>>
#shared = #diffattn_tile.shared<[d1*64, d0*64], swizzle = 128>
!buffer = !diffattn_tile.buffer<[64x64xbf16], #shared>

gpu.module @kernels {
  gpu.func @one_buffer(%k: !tile, %n: index, %acc: tensor<64x64xf32>, %p: tensor<64x64xbf16>) kernel
      attributes {diffattn_tile.stages = 1 : i64} {
    %c0 = arith.constant 0 : index
    %c64 = arith.constant 64 : index
    %kb = diffattn_tile.alloc : !buffer
    // CHECK: [[@LINE+1]]:{{[0-9]+}}: remark: [Missed] Pipeline | Category:diffattn-tile-pipeline{{.*}}one buffer of one slot leaves nothing to overlap with
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

  gpu.func @carried_address(%k: !keys, %n: index, %acc: tensor<64x64xf32>, %p: tensor<64x64xbf16>) kernel
      attributes {diffattn_tile.stages = 2 : i64} {
    %c0 = arith.constant 0 : index
    %c64 = arith.constant 64 : index
    %kb = diffattn_tile.alloc : !buffer
    // CHECK: [[@LINE+1]]:{{[0-9]+}}: remark: [Missed] Pipeline | {{.*}}a copy depends on more than the induction variable
    %r:2 = scf.for %i = %c0 to %n step %c64 iter_args(%a = %acc, %j = %c0) -> (tensor<64x64xf32>, index) {
      %kv = memref.subview %k[%j, 0] [64, 64] [1, 1] : !keys to !tile
      gpu.barrier
      diffattn_tile.async_copy %kv into %kb : !tile, !buffer
      diffattn_tile.async_commit
      diffattn_tile.async_wait 0
      gpu.barrier
      %s = diffattn_tile.dot %p, %kb, %a : tensor<64x64xbf16>, !buffer, tensor<64x64xf32>
      %next = arith.addi %j, %i : index
      scf.yield %s, %next : tensor<64x64xf32>, index
    }
    gpu.return
  }

  gpu.func @address_with_effects(%k: !keys, %pages: memref<?xindex>, %n: index, %acc: tensor<64x64xf32>, %p: tensor<64x64xbf16>) kernel
      attributes {diffattn_tile.stages = 2 : i64} {
    %c0 = arith.constant 0 : index
    %c64 = arith.constant 64 : index
    %kb = diffattn_tile.alloc : !buffer
    // CHECK: [[@LINE+1]]:{{[0-9]+}}: remark: [Missed] Pipeline | {{.*}}the address of a copy has side effects
    %r = scf.for %i = %c0 to %n step %c64 iter_args(%a = %acc) -> tensor<64x64xf32> {
      %j = memref.load %pages[%i] : memref<?xindex>
      %kv = memref.subview %k[%j, 0] [64, 64] [1, 1] : !keys to !tile
      gpu.barrier
      diffattn_tile.async_copy %kv into %kb : !tile, !buffer
      diffattn_tile.async_commit
      diffattn_tile.async_wait 0
      gpu.barrier
      %s = diffattn_tile.dot %p, %kb, %a : tensor<64x64xbf16>, !buffer, tensor<64x64xf32>
      scf.yield %s : tensor<64x64xf32>
    }
    gpu.return
  }

  gpu.func @other_wait(%k: !tile, %n: index, %acc: tensor<64x64xf32>, %p: tensor<64x64xbf16>) kernel
      attributes {diffattn_tile.stages = 2 : i64} {
    %c0 = arith.constant 0 : index
    %c64 = arith.constant 64 : index
    %kb = diffattn_tile.alloc : !buffer
    // CHECK: [[@LINE+1]]:{{[0-9]+}}: remark: [Missed] Pipeline | {{.*}}expects each copy between a barrier and commit, wait 0, barrier
    %r = scf.for %i = %c0 to %n step %c64 iter_args(%a = %acc) -> tensor<64x64xf32> {
      gpu.barrier
      diffattn_tile.async_copy %k into %kb : !tile, !buffer
      diffattn_tile.async_commit
      diffattn_tile.async_wait 1
      gpu.barrier
      %s = diffattn_tile.dot %p, %kb, %a : tensor<64x64xbf16>, !buffer, tensor<64x64xf32>
      scf.yield %s : tensor<64x64xf32>
    }
    gpu.return
  }

  gpu.func @late_read(%k: !tile, %v: !tile, %n: index, %acc: tensor<64x64xf32>, %p: tensor<64x64xbf16>) kernel
      attributes {diffattn_tile.stages = 1 : i64} {
    %c0 = arith.constant 0 : index
    %c64 = arith.constant 64 : index
    %kb = diffattn_tile.alloc : !buffer
    %vb = diffattn_tile.alloc : !buffer
    // CHECK: [[@LINE+1]]:{{[0-9]+}}: remark: [Missed] Pipeline | {{.*}}a buffer is read beyond the next buffer's barrier
    %r = scf.for %i = %c0 to %n step %c64 iter_args(%a = %acc) -> tensor<64x64xf32> {
      gpu.barrier
      diffattn_tile.async_copy %k into %kb : !tile, !buffer
      diffattn_tile.async_commit
      diffattn_tile.async_wait 0
      gpu.barrier
      gpu.barrier
      diffattn_tile.async_copy %v into %vb : !tile, !buffer
      diffattn_tile.async_commit
      diffattn_tile.async_wait 0
      gpu.barrier
      %s = diffattn_tile.dot %p, %kb, %a : tensor<64x64xbf16>, !buffer, tensor<64x64xf32>
      %t = diffattn_tile.dot %p, %vb, %s : tensor<64x64xbf16>, !buffer, tensor<64x64xf32>
      scf.yield %t : tensor<64x64xf32>
    }
    gpu.return
  }

  // A loop without copies is nothing to speak of.
  // CHECK-NOT: remark
  gpu.func @no_copies(%n: index, %acc: tensor<64x64xf32>) kernel attributes {diffattn_tile.stages = 2 : i64} {
    %c0 = arith.constant 0 : index
    %c64 = arith.constant 64 : index
    %r = scf.for %i = %c0 to %n step %c64 iter_args(%a = %acc) -> tensor<64x64xf32> {
      %b = math.exp2 %a : tensor<64x64xf32>
      scf.yield %b : tensor<64x64xf32>
    }
    gpu.return
  }
}
