// A ring of two slots: while a tile is read, the next one is copied. All
// orders of warps give the same bits, and no synchronisation is one too many.
// RUN: diffattn-eval %s --kernel=double --input=random:3 --shape=0:100x64 --result-shape=0:100x64 \
// RUN:   --schedules=8 --mutate-synchronization --compare=%s --entry=reference --tolerance=0 | FileCheck %s
// One tile only, and a ragged one.
// RUN: diffattn-eval %s --kernel=double --input=random:3 --shape=0:7x64 --compare=%s --tolerance=0
//
// CHECK: all 5 mutations of the synchronisation are noticed
// CHECK: result 0 agrees: max error 0

#shared = #diffattn_tile.shared<[d1*64, d0*32], swizzle = 128>
!global = memref<?x64xbf16, strided<[?, 1], offset: ?>>
!ring = !diffattn_tile.buffer<2 x [32x64xbf16], #shared>
!tile = !diffattn_tile.buffer<[32x64xbf16], #shared>

func.func @reference(%in: tensor<?x64xbf16>) -> tensor<?x64xbf16> {
  return %in : tensor<?x64xbf16>
}

gpu.module @kernels {
  gpu.func @double(%in: !global, %out: !global) kernel attributes {
      diffattn_tile.warps = 4 : i64, diffattn_tile.grid = [{constant = 1 : i64}]} {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %c2 = arith.constant 2 : index
    %ring = diffattn_tile.alloc : !ring
    %rows = memref.dim %in, %c0 : !global
    %tiles = affine.apply affine_map<()[s0] -> (s0 ceildiv 32)>()[%rows]
    %first_size = affine.min affine_map<()[s0] -> (32, s0)>()[%rows]
    %first = memref.subview %in[0, 0] [%first_size, 64] [1, 1] : !global to !global
    %slot0 = diffattn_tile.slot %ring[%c0] : !ring
    diffattn_tile.async_copy %first into %slot0 : !global, !tile
    diffattn_tile.async_commit
    scf.for %i = %c0 to %tiles step %c1 {
      diffattn_tile.async_wait 0
      // The tile is there, and nobody reads the other slot any more.
      gpu.barrier
      %next = arith.addi %i, %c1 : index
      %more = arith.cmpi slt, %next, %tiles : index
      scf.if %more {
        %row = affine.apply affine_map<(d0) -> (d0 * 32)>(%next)
        %size = affine.min affine_map<(d0)[s0] -> (32, s0 - d0)>(%row)[%rows]
        %view = memref.subview %in[%row, 0] [%size, 64] [1, 1] : !global to !global
        %index = arith.remui %next, %c2 : index
        %slot = diffattn_tile.slot %ring[%index] : !ring
        diffattn_tile.async_copy %view into %slot : !global, !tile
      }
      diffattn_tile.async_commit
      %index = arith.remui %i, %c2 : index
      %slot = diffattn_tile.slot %ring[%index] : !ring
      %values = diffattn_tile.local_load %slot[0, 0] : !tile -> tensor<32x64xbf16>
      %row = affine.apply affine_map<(d0) -> (d0 * 32)>(%i)
      %size = affine.min affine_map<(d0)[s0] -> (32, s0 - d0)>(%row)[%rows]
      %view = memref.subview %out[%row, 0] [%size, 64] [1, 1] : !global to !global
      diffattn_tile.store %values, %view : tensor<32x64xbf16>, !global
    }
    gpu.return
  }
}
