// Elements that go to other threads through shared memory: in a loop, after it in
// place of a buffer that is dead by then, and in teams. Every barrier is needed,
// whatever order warps run in.
//
// RUN: diffattn-opt %s --pass-pipeline='builtin.module(gpu.module(gpu.func(diffattn-tile-exchange,diffattn-tile-allocate)))' -o %t.mlir
// RUN: diffattn-eval %t.mlir --kernel=block --input=random:3 --shape=0:250x64 --result-shape=0:250x64 \
// RUN:   --schedules=8 --mutate-synchronization --compare=%s --entry=both --tolerance=0 | FileCheck %s --check-prefix=BLOCK
// RUN: diffattn-eval %t.mlir --kernel=teams --input=random:3 --shape=0:250x64 --result-shape=0:250x64 \
// RUN:   --schedules=8 --mutate-synchronization --compare=%s --entry=all --tolerance=0 | FileCheck %s --check-prefix=TEAMS
//
// Without the pass, as elements that stay where they are.
// RUN: diffattn-eval %s --kernel=block --input=random:3 --shape=0:250x64 --result-shape=0:250x64 --compare=%s --entry=both --tolerance=0
//
// BLOCK:     all 4 mutations of the synchronisation are noticed
// BLOCK-DAG: result 0 agrees: max error 0
// BLOCK-DAG: result 1 agrees: max error 0
// TEAMS:     all 2 mutations of the synchronisation are noticed
// TEAMS:     result 0 agrees: max error 0

#acc = #diffattn_tile.fragment<register = [d1*2, d0*2:8, d1*8:8], lane = [d1*4:2, d0*8], warp = [d0*4:16]>
#rows = #diffattn_tile.fragment<register = [d1*4, d0*8:8], lane = [d1*16:4, d0*2], warp = [d0*4:2]>
#transposed = #diffattn_tile.fragment<register = [d0*2, d1*2:8, d0*8:8], lane = [d0*4:2, d1*8], warp = [d1*4:16]>
!global = memref<?x64xf32, strided<[?, 1], offset: ?>>
!acc = tensor<64x64xf32, #acc>
!rows = tensor<64x64xf32, #rows>
!transposed = tensor<64x64xf32, #transposed>

func.func @all(%in: tensor<?x64xf32>) -> tensor<?x64xf32> {
  return %in : tensor<?x64xf32>
}

func.func @both(%in: tensor<?x64xf32>) -> (tensor<?x64xf32>, tensor<64x64xf32>) {
  %first = tensor.extract_slice %in[0, 0] [64, 64] [1, 1] : tensor<?x64xf32> to tensor<64x64xf32>
  return %in, %first : tensor<?x64xf32>, tensor<64x64xf32>
}

gpu.module @kernels {
  gpu.func @block(%in: !global, %out: !global, %top: memref<64x64xf32>) kernel attributes {
      diffattn_tile.warps = 4 : i64, diffattn_tile.grid = [{constant = 1 : i64}]} {
    %c0 = arith.constant 0 : index
    %c64 = arith.constant 64 : index
    %rows = memref.dim %in, %c0 : !global
    scf.for %row = %c0 to %rows step %c64 {
      %size = affine.min affine_map<(d0)[s0] -> (64, s0 - d0)>(%row)[%rows]
      %from = memref.subview %in[%row, 0] [%size, 64] [1, 1] : !global to !global
      %to = memref.subview %out[%row, 0] [%size, 64] [1, 1] : !global to !global
      %values = diffattn_tile.load %from : !global -> !acc
      %moved = diffattn_tile.convert_layout %values : !acc -> !rows
      diffattn_tile.store %moved, %to : !rows, !global
    }
    %first = memref.subview %in[0, 0] [64, 64] [1, 1] : !global to memref<64x64xf32, strided<[?, 1], offset: ?>>
    %values = diffattn_tile.load %first : memref<64x64xf32, strided<[?, 1], offset: ?>> -> !rows
    %moved = diffattn_tile.convert_layout %values : !rows -> !transposed
    diffattn_tile.store %moved, %top : !transposed, memref<64x64xf32>
    gpu.return
  }

  // Teams take tiles in turn, and do not wait for each other.
  gpu.func @teams(%in: !global, %out: !global) kernel attributes {
      diffattn_tile.warps = 12 : i64, diffattn_tile.grid = [{constant = 1 : i64}]} {
    %c0 = arith.constant 0 : index
    %c64 = arith.constant 64 : index
    %c128 = arith.constant 128 : index
    %rows = memref.dim %in, %c0 : !global
    diffattn_tile.roles
      role(%w) warpgroups 1 registers 32 {},
      role(%w) warpgroups 2 registers 232 {
        %team = arith.index_cast %w : i32 to index
        %begin = arith.muli %team, %c64 : index
        scf.for %row = %begin to %rows step %c128 {
          %size = affine.min affine_map<(d0)[s0] -> (64, s0 - d0)>(%row)[%rows]
          %from = memref.subview %in[%row, 0] [%size, 64] [1, 1] : !global to !global
          %to = memref.subview %out[%row, 0] [%size, 64] [1, 1] : !global to !global
          %values = diffattn_tile.load %from : !global -> !acc
          %moved = diffattn_tile.convert_layout %values : !acc -> !rows
          diffattn_tile.store %moved, %to : !rows, !global
        }
      }
    gpu.return
  }
}
