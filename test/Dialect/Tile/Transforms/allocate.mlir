// RUN: diffattn-opt %s --pass-pipeline='builtin.module(gpu.module(gpu.func(diffattn-tile-allocate)))' | FileCheck %s
// RUN: diffattn-opt %s --pass-pipeline='builtin.module(gpu.module(gpu.func(diffattn-tile-allocate)))' -o %t
// RUN: diffattn-opt %t --pass-pipeline='builtin.module(gpu.module(gpu.func(diffattn-tile-allocate)))' | diff %t -
// RUN: diffattn-opt %s --pass-pipeline='builtin.module(gpu.module(gpu.func(diffattn-tile-allocate{limit=24576})))' -o /dev/null
// RUN: not diffattn-opt %s --pass-pipeline='builtin.module(gpu.module(gpu.func(diffattn-tile-allocate{limit=24575})))' 2>&1 | FileCheck %s --check-prefix=LIMIT

// LIMIT: error: 'gpu.func' op needs 24576 bytes of shared memory, but a thread block has 24575; choose smaller tiles or fewer stages
// LIMIT: note: 16384 bytes: '!diffattn_tile.buffer<2 x [64x64xbf16]
// LIMIT: note: 8192 bytes: '!diffattn_tile.buffer<[64x64xbf16]

!tile = memref<64x64xbf16, strided<[?, 1], offset: ?>>
#shared = #diffattn_tile.shared<[d1*64, d0*64], swizzle = 128>
!buffer = !diffattn_tile.buffer<[64x64xbf16], #shared>
!ring = !diffattn_tile.buffer<2 x [64x64xbf16], #shared>

gpu.module @kernels {
  // Buffers alive together lie side by side, large ones first. One that nothing
  // touches goes; slots count as their ring.
  // CHECK-LABEL: gpu.func @together(
  // CHECK-SAME:    diffattn_tile.shared_bytes = 24576 : i64
  // CHECK:      diffattn_tile.alloc {offset = 16384 : i64} : <[64x64xbf16]
  // CHECK-NEXT: diffattn_tile.alloc {offset = 0 : i64} : <2 x [64x64xbf16]
  // CHECK-NOT:  diffattn_tile.alloc
  gpu.func @together(%g: !tile, %i: index, %p: tensor<64x64xbf16>, %acc: tensor<64x64xf32>) kernel {
    %a = diffattn_tile.alloc : !buffer
    %b = diffattn_tile.alloc : !ring
    %unused = diffattn_tile.alloc : !buffer
    diffattn_tile.async_copy %g into %a : !tile, !buffer
    %slot = diffattn_tile.slot %b[%i] : !ring
    diffattn_tile.async_copy %g into %slot : !tile, !buffer
    diffattn_tile.async_commit
    diffattn_tile.async_wait 0
    gpu.barrier
    %s = diffattn_tile.dot %p, %slot, %acc : tensor<64x64xbf16>, !buffer, tensor<64x64xf32>
    %t = diffattn_tile.dot %p, %a, %s : tensor<64x64xbf16>, !buffer, tensor<64x64xf32>
    gpu.return
  }

  // With a barrier between the last read of one and the first write of the
  // next, they share memory.
  // CHECK-LABEL: gpu.func @one_after_the_other(
  // CHECK-SAME:    diffattn_tile.shared_bytes = 8192 : i64
  // CHECK-COUNT-2: diffattn_tile.alloc {offset = 0 : i64}
  gpu.func @one_after_the_other(%v: tensor<64x64xbf16>, %p: tensor<64x64xbf16>, %acc: tensor<64x64xf32>) kernel {
    %a = diffattn_tile.alloc : !buffer
    %b = diffattn_tile.alloc : !buffer
    diffattn_tile.local_store %v, %a : tensor<64x64xbf16>, !buffer
    gpu.barrier
    %s = diffattn_tile.dot %p, %a, %acc : tensor<64x64xbf16>, !buffer, tensor<64x64xf32>
    gpu.barrier
    diffattn_tile.local_store %v, %b : tensor<64x64xbf16>, !buffer
    gpu.barrier
    %t = diffattn_tile.dot %p, %b, %s : tensor<64x64xbf16>, !buffer, tensor<64x64xf32>
    gpu.return
  }

  // Without that barrier a slow warp would still read what a fast one
  // overwrites.
  // CHECK-LABEL: gpu.func @no_barrier(
  // CHECK-SAME:    diffattn_tile.shared_bytes = 16384 : i64
  // CHECK-DAG: diffattn_tile.alloc {offset = 0 : i64}
  // CHECK-DAG: diffattn_tile.alloc {offset = 8192 : i64}
  gpu.func @no_barrier(%v: tensor<64x64xbf16>, %p: tensor<64x64xbf16>, %acc: tensor<64x64xf32>) kernel {
    %a = diffattn_tile.alloc : !buffer
    %b = diffattn_tile.alloc : !buffer
    diffattn_tile.local_store %v, %a : tensor<64x64xbf16>, !buffer
    gpu.barrier
    %s = diffattn_tile.dot %p, %a, %acc : tensor<64x64xbf16>, !buffer, tensor<64x64xf32>
    diffattn_tile.local_store %v, %b : tensor<64x64xbf16>, !buffer
    gpu.barrier
    %t = diffattn_tile.dot %p, %b, %s : tensor<64x64xbf16>, !buffer, tensor<64x64xf32>
    gpu.return
  }

  // A use in a loop lasts as long as the loop: barriers in it separate nothing.
  // CHECK-LABEL: gpu.func @loop(
  // CHECK-SAME:    diffattn_tile.shared_bytes = 16384 : i64
  gpu.func @loop(%v: tensor<64x64xbf16>, %n: index, %p: tensor<64x64xbf16>, %acc: tensor<64x64xf32>) kernel {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %a = diffattn_tile.alloc : !buffer
    %b = diffattn_tile.alloc : !buffer
    %r = scf.for %i = %c0 to %n step %c1 iter_args(%x = %acc) -> tensor<64x64xf32> {
      diffattn_tile.local_store %v, %a : tensor<64x64xbf16>, !buffer
      gpu.barrier
      %s = diffattn_tile.dot %p, %a, %x : tensor<64x64xbf16>, !buffer, tensor<64x64xf32>
      gpu.barrier
      diffattn_tile.local_store %v, %b : tensor<64x64xbf16>, !buffer
      gpu.barrier
      %t = diffattn_tile.dot %p, %b, %s : tensor<64x64xbf16>, !buffer, tensor<64x64xf32>
      scf.yield %t : tensor<64x64xf32>
    }
    gpu.return
  }

  // CHECK-LABEL: gpu.func @nothing(
  // CHECK-SAME:    diffattn_tile.shared_bytes = 0 : i64
  gpu.func @nothing() kernel {
    gpu.return
  }
}
