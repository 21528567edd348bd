// What the interpreter of tile kernels finds. Each kernel is wrong in one way; all
// seeds find it.
// DEFINE: %{kernel} =
// DEFINE: %{run} = not diffattn-eval %s --kernel=%{kernel} --input=random:1
// REDEFINE: %{kernel} = undefined
// RUN: %{run} 2>&1 | FileCheck %s --check-prefix=UNDEFINED
// RUN: %{run} --seed=1 2>&1 | FileCheck %s --check-prefix=UNDEFINED
// REDEFINE: %{kernel} = not_committed
// RUN: %{run} 2>&1 | FileCheck %s --check-prefix=NOT-COMMITTED
// RUN: %{run} --seed=1 2>&1 | FileCheck %s --check-prefix=NOT-COMMITTED
// REDEFINE: %{kernel} = not_waited
// RUN: %{run} 2>&1 | FileCheck %s --check-prefix=NOT-WAITED
// RUN: %{run} --seed=1 2>&1 | FileCheck %s --check-prefix=NOT-WAITED
// REDEFINE: %{kernel} = not_visible
// RUN: %{run} 2>&1 | FileCheck %s --check-prefix=NOT-VISIBLE
// RUN: %{run} --seed=1 2>&1 | FileCheck %s --check-prefix=NOT-VISIBLE
// REDEFINE: %{kernel} = overwritten_early
// RUN: %{run} 2>&1 | FileCheck %s --check-prefix=OVERWRITTEN-EARLY
// RUN: %{run} --seed=1 2>&1 | FileCheck %s --check-prefix=OVERWRITTEN-EARLY
// REDEFINE: %{kernel} = overwritten_while_copied
// RUN: %{run} 2>&1 | FileCheck %s --check-prefix=OVERWRITTEN-WHILE-COPIED
// RUN: %{run} --seed=1 2>&1 | FileCheck %s --check-prefix=OVERWRITTEN-WHILE-COPIED
// REDEFINE: %{kernel} = left_under_way
// RUN: %{run} 2>&1 | FileCheck %s --check-prefix=LEFT-UNDER-WAY
// RUN: %{run} --seed=1 2>&1 | FileCheck %s --check-prefix=LEFT-UNDER-WAY
// REDEFINE: %{kernel} = left_open
// RUN: %{run} 2>&1 | FileCheck %s --check-prefix=LEFT-OPEN
// RUN: %{run} --seed=1 2>&1 | FileCheck %s --check-prefix=LEFT-OPEN
// REDEFINE: %{kernel} = stores_race
// RUN: %{run} 2>&1 | FileCheck %s --check-prefix=STORES-RACE
// RUN: %{run} --seed=1 2>&1 | FileCheck %s --check-prefix=STORES-RACE
// REDEFINE: %{kernel} = other_buffer
// RUN: %{run} 2>&1 | FileCheck %s --check-prefix=OTHER-BUFFER
// RUN: %{run} --seed=1 2>&1 | FileCheck %s --check-prefix=OTHER-BUFFER
// REDEFINE: %{kernel} = no_such_slot
// RUN: %{run} 2>&1 | FileCheck %s --check-prefix=NO-SUCH-SLOT
// RUN: %{run} --seed=1 2>&1 | FileCheck %s --check-prefix=NO-SUCH-SLOT
// REDEFINE: %{kernel} = beyond_the_end
// RUN: %{run} 2>&1 | FileCheck %s --check-prefix=BEYOND-THE-END
// RUN: %{run} --seed=1 2>&1 | FileCheck %s --check-prefix=BEYOND-THE-END
// REDEFINE: %{kernel} = unaligned
// RUN: %{run} 2>&1 | FileCheck %s --check-prefix=UNALIGNED
// RUN: %{run} --seed=1 2>&1 | FileCheck %s --check-prefix=UNALIGNED
// REDEFINE: %{kernel} = written_twice
// RUN: %{run} 2>&1 | FileCheck %s --check-prefix=WRITTEN-TWICE
// RUN: %{run} --seed=1 2>&1 | FileCheck %s --check-prefix=WRITTEN-TWICE
// REDEFINE: %{kernel} = not_written
// RUN: %{run} 2>&1 | FileCheck %s --check-prefix=NOT-WRITTEN
// RUN: %{run} --seed=1 2>&1 | FileCheck %s --check-prefix=NOT-WRITTEN
// REDEFINE: %{kernel} = misplaced
// RUN: %{run} 2>&1 | FileCheck %s --check-prefix=MISPLACED
// RUN: %{run} --seed=1 2>&1 | FileCheck %s --check-prefix=MISPLACED
// REDEFINE: %{kernel} = unknown
// RUN: %{run} 2>&1 | FileCheck %s --check-prefix=UNKNOWN
// RUN: %{run} --seed=1 2>&1 | FileCheck %s --check-prefix=UNKNOWN

#shared = #diffattn_tile.shared<[d1*64, d0*32], swizzle = 128>
!global = memref<32x64xbf16, strided<[?, 1], offset: ?>>
!tile = !diffattn_tile.buffer<[32x64xbf16], #shared>
!ring = !diffattn_tile.buffer<2 x [32x64xbf16], #shared>

gpu.module @kernels {
  // UNDEFINED: reads element (0x0) of the buffer allocated in line {{[0-9]+}}, which nobody has written
  gpu.func @undefined(%in: !global, %out: !global) kernel attributes {
      diffattn_tile.warps = 4 : i64, diffattn_tile.grid = [{constant = 1 : i64}]} {
    %b = diffattn_tile.alloc : !tile
    %t = diffattn_tile.local_load %b[0, 0] : !tile -> tensor<32x64xbf16>
    diffattn_tile.store %t, %out : tensor<32x64xbf16>, !global
    gpu.return
  }

  // NOT-COMMITTED: which a copy of warp {{[0-3]}} is still writing
  gpu.func @not_committed(%in: !global, %out: !global) kernel attributes {
      diffattn_tile.warps = 4 : i64, diffattn_tile.grid = [{constant = 1 : i64}]} {
    %b = diffattn_tile.alloc : !tile
    diffattn_tile.async_copy %in into %b : !global, !tile
    diffattn_tile.async_wait 0
    gpu.barrier
    %t = diffattn_tile.local_load %b[0, 0] : !tile -> tensor<32x64xbf16>
    diffattn_tile.store %t, %out : tensor<32x64xbf16>, !global
    diffattn_tile.async_commit
    diffattn_tile.async_wait 0
    gpu.return
  }

  // NOT-WAITED: which a copy of warp {{[0-3]}} is still writing
  gpu.func @not_waited(%in: !global, %out: !global) kernel attributes {
      diffattn_tile.warps = 4 : i64, diffattn_tile.grid = [{constant = 1 : i64}]} {
    %b = diffattn_tile.alloc : !tile
    diffattn_tile.async_copy %in into %b : !global, !tile
    diffattn_tile.async_commit
    gpu.barrier
    %t = diffattn_tile.local_load %b[0, 0] : !tile -> tensor<32x64xbf16>
    diffattn_tile.store %t, %out : tensor<32x64xbf16>, !global
    diffattn_tile.async_wait 0
    gpu.return
  }

  // NOT-VISIBLE: which {{a copy of warp [0-3] is still writing|warp [0-3] wrote without a barrier in between}}
  gpu.func @not_visible(%in: !global, %out: !global) kernel attributes {
      diffattn_tile.warps = 4 : i64, diffattn_tile.grid = [{constant = 1 : i64}]} {
    %b = diffattn_tile.alloc : !tile
    diffattn_tile.async_copy %in into %b : !global, !tile
    diffattn_tile.async_commit
    diffattn_tile.async_wait 0
    %t = diffattn_tile.local_load %b[0, 0] : !tile -> tensor<32x64xbf16>
    diffattn_tile.store %t, %out : tensor<32x64xbf16>, !global
    gpu.return
  }

  // OVERWRITTEN-EARLY: which {{a copy of warp [0-3] is still writing|warp [0-3] wrote without a barrier in between|warp [0-3] may still be reading: no barrier since}}
  gpu.func @overwritten_early(%in: !global, %out: !global) kernel attributes {
      diffattn_tile.warps = 4 : i64, diffattn_tile.grid = [{constant = 1 : i64}]} {
    %b = diffattn_tile.alloc : !tile
    diffattn_tile.async_copy %in into %b : !global, !tile
    diffattn_tile.async_commit
    diffattn_tile.async_wait 0
    gpu.barrier
    %t = diffattn_tile.local_load %b[0, 0] : !tile -> tensor<32x64xbf16>
    diffattn_tile.store %t, %out : tensor<32x64xbf16>, !global
    diffattn_tile.async_copy %in into %b : !global, !tile
    diffattn_tile.async_commit
    diffattn_tile.async_wait 0
    gpu.return
  }

  // OVERWRITTEN-WHILE-COPIED: which a copy of warp {{[0-3]}} is still writing
  gpu.func @overwritten_while_copied(%in: !global, %out: !global) kernel attributes {
      diffattn_tile.warps = 4 : i64, diffattn_tile.grid = [{constant = 1 : i64}]} {
    %b = diffattn_tile.alloc : !tile
    diffattn_tile.async_copy %in into %b : !global, !tile
    diffattn_tile.async_commit
    diffattn_tile.async_copy %in into %b : !global, !tile
    diffattn_tile.async_commit
    diffattn_tile.async_wait 0
    gpu.barrier
    %t = diffattn_tile.local_load %b[0, 0] : !tile -> tensor<32x64xbf16>
    diffattn_tile.store %t, %out : tensor<32x64xbf16>, !global
    gpu.return
  }

  // LEFT-UNDER-WAY: 'gpu.func' op ends with copies under way
  gpu.func @left_under_way(%in: !global, %out: !global) kernel attributes {
      diffattn_tile.warps = 4 : i64, diffattn_tile.grid = [{constant = 1 : i64}]} {
    %b = diffattn_tile.alloc : !tile
    diffattn_tile.async_copy %in into %b : !global, !tile
    diffattn_tile.async_commit
    diffattn_tile.async_wait 0
    gpu.barrier
    %t = diffattn_tile.local_load %b[0, 0] : !tile -> tensor<32x64xbf16>
    diffattn_tile.store %t, %out : tensor<32x64xbf16>, !global
    gpu.barrier
    diffattn_tile.async_copy %in into %b : !global, !tile
    diffattn_tile.async_commit
    gpu.return
  }

  // LEFT-OPEN: 'gpu.func' op ends with copies that no async_commit follows
  gpu.func @left_open(%in: !global, %out: !global) kernel attributes {
      diffattn_tile.warps = 4 : i64, diffattn_tile.grid = [{constant = 1 : i64}]} {
    %b = diffattn_tile.alloc : !tile
    diffattn_tile.async_copy %in into %b : !global, !tile
    diffattn_tile.async_commit
    diffattn_tile.async_wait 0
    gpu.barrier
    %t = diffattn_tile.local_load %b[0, 0] : !tile -> tensor<32x64xbf16>
    diffattn_tile.store %t, %out : tensor<32x64xbf16>, !global
    gpu.barrier
    diffattn_tile.async_copy %in into %b : !global, !tile
    gpu.return
  }

  // STORES-RACE: which {{warp [0-3] wrote without a barrier in between|warp [0-3] may still be reading: no barrier since}}
  gpu.func @stores_race(%in: !global, %out: !global) kernel attributes {
      diffattn_tile.warps = 4 : i64, diffattn_tile.grid = [{constant = 1 : i64}]} {
    %b = diffattn_tile.alloc : !tile
    %v = diffattn_tile.load %in : !global -> tensor<32x64xbf16>
    diffattn_tile.local_store %v, %b : tensor<32x64xbf16>, !tile
    gpu.barrier
    %t = diffattn_tile.local_load %b[0, 0] : !tile -> tensor<32x64xbf16>
    diffattn_tile.local_store %t, %b : tensor<32x64xbf16>, !tile
    diffattn_tile.store %t, %out : tensor<32x64xbf16>, !global
    gpu.return
  }

  // OTHER-BUFFER: reads element (8x0) of the buffer allocated in line {{[0-9]+}}, where another buffer has been written since
  gpu.func @other_buffer(%in: !global, %out: !global) kernel attributes {
      diffattn_tile.warps = 4 : i64, diffattn_tile.grid = [{constant = 1 : i64}]} {
    %a = diffattn_tile.alloc {offset = 1024 : i64} : !tile
    %b = diffattn_tile.alloc {offset = 0 : i64} : !tile
    diffattn_tile.async_copy %in into %b : !global, !tile
    diffattn_tile.async_commit
    diffattn_tile.async_wait 0
    gpu.barrier
    diffattn_tile.async_copy %in into %a : !global, !tile
    diffattn_tile.async_commit
    diffattn_tile.async_wait 0
    gpu.barrier
    %u = diffattn_tile.local_load %b[8, 0] : !tile -> tensor<8x64xbf16>
    %t = diffattn_tile.local_load %a[0, 0] : !tile -> tensor<32x64xbf16>
    diffattn_tile.store %t, %out : tensor<32x64xbf16>, !global
    gpu.return
  }

  // NO-SUCH-SLOT: picks slot 2 of a ring of 2
  gpu.func @no_such_slot(%in: !global, %out: !global) kernel attributes {
      diffattn_tile.warps = 4 : i64, diffattn_tile.grid = [{constant = 1 : i64}]} {
    %ring = diffattn_tile.alloc : !ring
    %c2 = arith.constant 2 : index
    %b = diffattn_tile.slot %ring[%c2] : !ring
    diffattn_tile.async_copy %in into %b : !global, !tile
    diffattn_tile.async_commit
    diffattn_tile.async_wait 0
    gpu.barrier
    %t = diffattn_tile.local_load %b[0, 0] : !tile -> tensor<32x64xbf16>
    diffattn_tile.store %t, %out : tensor<32x64xbf16>, !global
    gpu.return
  }

  // BEYOND-THE-END: 'memref.subview' op takes 32 elements from 1 on in dimension 0, which has 32
  gpu.func @beyond_the_end(%in: !global, %out: !global) kernel attributes {
      diffattn_tile.warps = 4 : i64, diffattn_tile.grid = [{constant = 1 : i64}]} {
    %c1 = arith.constant 1 : index
    %v = memref.subview %in[%c1, 0] [32, 64] [1, 1] : !global to !global
    %t = diffattn_tile.load %v : !global -> tensor<32x64xbf16>
    diffattn_tile.store %t, %out : tensor<32x64xbf16>, !global
    gpu.return
  }

  // UNALIGNED: copies element ({{[0-9]+}}x0) of a view of parameter 0, whose address is no multiple of 16
  gpu.func @unaligned(%in: !global, %out: !global) kernel attributes {
      diffattn_tile.warps = 4 : i64, diffattn_tile.grid = [{constant = 1 : i64}]} {
    %c0 = arith.constant 0 : index
    %v = memref.subview %in[0, 1] [32, 56] [1, 1] : !global to memref<32x56xbf16, strided<[?, 1], offset: ?>>
    %b = diffattn_tile.alloc : !tile
    diffattn_tile.async_copy %v into %b : memref<32x56xbf16, strided<[?, 1], offset: ?>>, !tile
    diffattn_tile.async_commit
    diffattn_tile.async_wait 0
    gpu.barrier
    %t = diffattn_tile.local_load %b[0, 0] : !tile -> tensor<32x64xbf16>
    diffattn_tile.store %t, %out : tensor<32x64xbf16>, !global
    gpu.return
  }

  // WRITTEN-TWICE: writes element ({{.*}}) of a view of parameter 1, which warp {{[0-3]}} of block {{[01]}} has written, too
  gpu.func @written_twice(%in: !global, %out: !global) kernel attributes {
      diffattn_tile.warps = 4 : i64, diffattn_tile.grid = [{constant = 2 : i64}]} {
    %t = diffattn_tile.load %in : !global -> tensor<32x64xbf16>
    diffattn_tile.store %t, %out : tensor<32x64xbf16>, !global
    gpu.return
  }

  // NOT-WRITTEN: kernel 'not_written' does not write element (8x0) of parameter 1
  gpu.func @not_written(%in: !global, %out: !global) kernel attributes {
      diffattn_tile.warps = 4 : i64, diffattn_tile.grid = [{constant = 1 : i64}]} {
    %v = memref.subview %in[0, 0] [8, 64] [1, 1] : !global to memref<8x64xbf16, strided<[?, 1], offset: ?>>
    %t = diffattn_tile.load %v : memref<8x64xbf16, strided<[?, 1], offset: ?>> -> tensor<8x64xbf16>
    %o = memref.subview %out[0, 0] [8, 64] [1, 1] : !global to memref<8x64xbf16, strided<[?, 1], offset: ?>>
    diffattn_tile.store %t, %o : tensor<8x64xbf16>, memref<8x64xbf16, strided<[?, 1], offset: ?>>
    gpu.return
  }

  // MISPLACED: 'diffattn_tile.alloc' op has the offset 512, expected a multiple of 1024 within 1 MiB
  gpu.func @misplaced(%in: !global, %out: !global) kernel attributes {
      diffattn_tile.warps = 4 : i64, diffattn_tile.grid = [{constant = 1 : i64}]} {
    %b = diffattn_tile.alloc {offset = 512 : i64} : !tile
    diffattn_tile.async_copy %in into %b : !global, !tile
    diffattn_tile.async_commit
    diffattn_tile.async_wait 0
    gpu.barrier
    %t = diffattn_tile.local_load %b[0, 0] : !tile -> tensor<32x64xbf16>
    diffattn_tile.store %t, %out : tensor<32x64xbf16>, !global
    gpu.return
  }

  // UNKNOWN: 'gpu.thread_id' op is not supported by the interpreter of tile IR
  gpu.func @unknown(%in: !global, %out: !global) kernel attributes {
      diffattn_tile.warps = 4 : i64, diffattn_tile.grid = [{constant = 1 : i64}]} {
    %id = gpu.thread_id x
    %t = diffattn_tile.load %in : !global -> tensor<32x64xbf16>
    diffattn_tile.store %t, %out : tensor<32x64xbf16>, !global
    gpu.return
  }
}
