// RUN: diffattn-opt %s --pass-pipeline='builtin.module(gpu.module(diffattn-tile-to-nvvm,gpu.func(canonicalize,cse)))' | FileCheck %s
// RUN: diffattn-opt %s --pass-pipeline='builtin.module(gpu.module(diffattn-tile-to-nvvm))' -o %t
// RUN: diffattn-opt %t --pass-pipeline='builtin.module(gpu.module(diffattn-tile-to-nvvm))' | diff %t -

// One warp: 8 queries x 2 branches by 16 keys.
#acc = #diffattn_tile.fragment<register = [d2*2, d1*2, d2*2:8], lane = [d2*4:2, d0*8], warp = []>
#row = #diffattn_tile.fragment<register = [d1*2], lane = [_*4, d0*8], warp = []>
#branch = #diffattn_tile.fragment<register = [], lane = [_*4, d0*8], warp = []>
#lhs = #diffattn_tile.fragment<register = [d2*2, d1*2, d2*2:8], lane = [d2*4:2, d0*8], warp = []>
#transposed = #diffattn_tile.fragment<register = [d1*2, d1*2:8, d0*2:8], lane = [d1*4:2, d0*8], warp = []>
#straight = #diffattn_tile.fragment<register = [d0*2, d0*2:8, d1*2:8], lane = [d0*4:2, d1*8], warp = []>
#query = #diffattn_tile.shared<[d2*16, d0*8, d1*2], swizzle = 32>
#keys = #diffattn_tile.shared<[d1*16, d0*16], swizzle = 32>
#columns = #diffattn_tile.shared<[d0*16, d1*16], swizzle = 32>
#square = #diffattn_tile.fragment<register = [d1*2, d0*2:8, d1*2:8], lane = [d1*4:2, d0*8], warp = []>
#runs = #diffattn_tile.fragment<register = [d1*8], lane = [d0*16, d1*2:8], warp = []>
#set = affine_set<(m, r, k)[n] : (n - k - 1 >= 0)>

!acc = tensor<8x2x16xf32, #acc>
!row = tensor<8x2xf32, #row>
!query = !diffattn_tile.buffer<[8x2x16xbf16], #query>
!keys = !diffattn_tile.buffer<[16x16xbf16], #keys>
!global = memref<?x16xbf16, strided<[?, 1], offset: ?>>

// CHECK-LABEL: gpu.module @kernels
gpu.module @kernels {
  // Rows beyond a run-time size are filled with zeros: the copied size is
  // chosen, the address never leaves the tensor.
  // CHECK-LABEL: gpu.func @copies(
  // CHECK-SAME:    known_block_size = array<i32: 32, 1, 1>
  // CHECK:         nvvm.cp.async.shared.global %{{.*}}, 16, cache = cg, %{{.*}}
  // CHECK:         nvvm.cp.async.commit.group
  // CHECK:         nvvm.cp.async.wait.group 1
  // CHECK-NOT:     diffattn_tile.async
  gpu.func @copies(%g: !global) kernel attributes {diffattn_tile.warps = 1 : i64} {
    %k = diffattn_tile.alloc {offset = 1024 : i64} : !keys
    diffattn_tile.async_copy %g into %k : !global, !keys
    diffattn_tile.async_commit
    diffattn_tile.async_wait 1
    gpu.return
  }

  // Both orientations of the right operand, the second by a transposing load;
  // two blocks of 8 columns make two instructions.
  // CHECK-LABEL: gpu.func @products(
  // CHECK-COUNT-2: nvvm.ldmatrix {{.*}}layout = #nvvm.mma_layout<row>, {{.*}}num = 4
  // CHECK-COUNT-2: nvvm.mma.sync
  // CHECK-NOT:     nvvm.mma.sync
  // CHECK:         nvvm.ldmatrix {{.*}}layout = #nvvm.mma_layout<col>, {{.*}}num = 4
  // CHECK-COUNT-2: nvvm.mma.sync
  // CHECK-NOT:     nvvm.mma.sync
  // CHECK:         gpu.return
  gpu.func @products(%acc: memref<8x2x16xf32>) kernel attributes {diffattn_tile.warps = 1 : i64} {
    %q = diffattn_tile.alloc {offset = 0 : i64} : !query
    %k = diffattn_tile.alloc {offset = 1024 : i64} : !keys
    %zero = arith.constant dense<0.0> : !acc
    %a = diffattn_tile.local_load %q[0, 0, 0] : !query -> tensor<8x2x16xbf16, #lhs>
    %b = diffattn_tile.local_load %k[0, 0] : !keys -> tensor<16x16xbf16, #transposed>
    %s = diffattn_tile.dot %a, %b, %zero transposed : tensor<8x2x16xbf16, #lhs>, tensor<16x16xbf16, #transposed>, !acc
    %c = diffattn_tile.local_load %k[0, 0] : !keys -> tensor<16x16xbf16, #straight>
    %t = diffattn_tile.dot %a, %c, %s : tensor<8x2x16xbf16, #lhs>, tensor<16x16xbf16, #straight>, !acc
    diffattn_tile.store %t, %acc : !acc, memref<8x2x16xf32>
    gpu.return
  }

  // Of 16 keys a thread holds four: two steps in registers, two exchanges with
  // the lanes of the same row. The branch is picked without any.
  // CHECK-LABEL: gpu.func @rows(
  // CHECK-COUNT-6: llvm.intr.maxnum
  // CHECK-COUNT-2: nvvm.shfl.sync bfly
  // CHECK:         llvm.call_intrinsic "llvm.nvvm.ex2.approx.ftz.f"
  // CHECK-NOT:     math.exp2
  // CHECK:         gpu.return
  gpu.func @rows(%in: memref<8x2x16xf32>, %out: memref<8xf32>) kernel attributes {diffattn_tile.warps = 1 : i64} {
    %s = diffattn_tile.load %in : memref<8x2x16xf32> -> !acc
    %max = diffattn_tile.reduce max %s along 2 : !acc -> !row
    %e = math.exp2 %max : !row
    %first = diffattn_tile.select %e at 0 of 1 : !row -> tensor<8xf32, #branch>
    %second = diffattn_tile.select %e at 1 of 1 : !row -> tensor<8xf32, #branch>
    %d = arith.subf %first, %second : tensor<8xf32, #branch>
    diffattn_tile.store %d, %out : tensor<8xf32, #branch>, memref<8xf32>
    gpu.return
  }

  // One limit for a thread, compared with the number of each register's key.
  // CHECK-LABEL: gpu.func @mask(
  // CHECK-COUNT-4: arith.cmpi
  // CHECK-NOT:     arith.cmpi
  // CHECK:         arith.select
  // CHECK:         gpu.return
  gpu.func @mask(%in: memref<8x2x16xf32>, %n: index) kernel attributes {diffattn_tile.warps = 1 : i64} {
    %s = diffattn_tile.load %in : memref<8x2x16xf32> -> !acc
    %t = diffattn_tile.mask %s[%n] where #set else 0xFF800000 : !acc
    diffattn_tile.store %t, %in : !acc, memref<8x2x16xf32>
    gpu.return
  }

  // Carried tensors are as many carried scalars.
  // CHECK-LABEL: gpu.func @loop(
  // CHECK: scf.for {{.*}} -> (f32, f32)
  gpu.func @loop(%n: index, %out: memref<8x2xf32>) kernel attributes {diffattn_tile.warps = 1 : i64} {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %zero = arith.constant dense<1.0> : !row
    %r = scf.for %i = %c0 to %n step %c1 iter_args(%a = %zero) -> !row {
      %b = math.exp2 %a : !row
      scf.yield %b : !row
    }
    diffattn_tile.store %r, %out : !row, memref<8x2xf32>
    gpu.return
  }

  // CHECK-LABEL: gpu.func @no_tiles(
  // CHECK-NOT:     known_block_size
  // CHECK:         memref.store
  gpu.func @no_tiles(%out: memref<1xf32>, %x: f32) kernel {
    %c0 = arith.constant 0 : index
    memref.store %x, %out[%c0] : memref<1xf32>
    gpu.return
  }

  // Registers to and from shared memory: as many neighbours at a time as there
  // are, pairs taken apart where they are none.
  // CHECK-LABEL: gpu.func @vectors(
  // CHECK-COUNT-4: llvm.store %{{.*}}, %{{.*}} {alignment = 8 : i64} : vector<2xi32>, !llvm.ptr<3>
  // CHECK-NOT:     llvm.store {{.*}} vector
  // CHECK-COUNT-2: llvm.load %{{.*}} {alignment = 16 : i64} : !llvm.ptr<3> -> vector<4xi32>
  // CHECK-NOT:     llvm.load {{.*}} vector
  // CHECK-COUNT-4: llvm.store %{{.*}}, %{{.*}} {alignment = 4 : i64} : i32, !llvm.ptr<3>
  // CHECK-COUNT-8: llvm.store %{{.*}}, %{{.*}} {alignment = 2 : i64} : i16, !llvm.ptr<3>
  // CHECK-NOT:     llvm.store
  // CHECK-COUNT-1: llvm.load %{{.*}} {alignment = 16 : i64} : !llvm.ptr<3> -> vector<4xi32>
  gpu.func @vectors(%in: memref<16x16xf32>, %out: memref<16x16xf32>, %half: memref<16x16xbf16>, %rest: memref<16x16xbf16>) kernel
      attributes {diffattn_tile.warps = 1 : i64} {
    %f = diffattn_tile.alloc {offset = 0 : i64} : !diffattn_tile.buffer<[16x16xf32], #keys>
    %s = diffattn_tile.load %in : memref<16x16xf32> -> tensor<16x16xf32, #square>
    diffattn_tile.local_store %s, %f : tensor<16x16xf32, #square>, !diffattn_tile.buffer<[16x16xf32], #keys>
    %t = diffattn_tile.local_load %f[0, 0] : !diffattn_tile.buffer<[16x16xf32], #keys> -> tensor<16x16xf32, #runs>
    diffattn_tile.store %t, %out : tensor<16x16xf32, #runs>, memref<16x16xf32>
    %rows = diffattn_tile.alloc {offset = 1024 : i64} : !keys
    %columns = diffattn_tile.alloc {offset = 2048 : i64} : !diffattn_tile.buffer<[16x16xbf16], #columns>
    %h = diffattn_tile.load %half : memref<16x16xbf16> -> tensor<16x16xbf16, #square>
    diffattn_tile.local_store %h, %rows : tensor<16x16xbf16, #square>, !keys
    diffattn_tile.local_store %h, %columns : tensor<16x16xbf16, #square>, !diffattn_tile.buffer<[16x16xbf16], #columns>
    %u = diffattn_tile.local_load %rows[0, 0] : !keys -> tensor<16x16xbf16, #runs>
    diffattn_tile.store %u, %rest : tensor<16x16xbf16, #runs>, memref<16x16xbf16>
    gpu.return
  }

  // Arguments that begin anywhere: a loop over eight elements of a thread, four
  // at a time, each under a guard, and their places by the swizzle. Results one
  // by one.
  // CHECK-LABEL: gpu.func @elements(
  // CHECK-NOT:     nvvm.cp.async.shared.global
  // CHECK:         scf.for %{{.*}} = %c0{{.*}} to %c8{{.*}} step %c4
  // CHECK-COUNT-4:   llvm.load %{{.*}} : !llvm.ptr<1> -> i16
  // CHECK:           arith.shrui
  // CHECK:           arith.andi
  // CHECK:           arith.xori
  // CHECK-COUNT-4:   llvm.store %{{.*}}, %{{.*}} : i16, !llvm.ptr<3>
  // CHECK-NOT:       llvm.store
  // CHECK:         nvvm.cp.async.commit.group
  // CHECK-COUNT-8: llvm.store %{{.*}} {alignment = 2 : i64} : bf16, !llvm.ptr<1>
  // CHECK-NOT:     llvm.store
  gpu.func @elements(%in: !global, %out: memref<16x16xbf16>) kernel
      attributes {diffattn_tile.warps = 1 : i64, diffattn_tile.elementwise} {
    %k = diffattn_tile.alloc {offset = 0 : i64} : !keys
    diffattn_tile.async_copy %in into %k : !global, !keys
    diffattn_tile.async_commit
    diffattn_tile.async_wait 0
    gpu.barrier
    %t = diffattn_tile.local_load %k[0, 0] : !keys -> tensor<16x16xbf16, #transposed>
    diffattn_tile.store %t, %out : tensor<16x16xbf16, #transposed>, memref<16x16xbf16>
    gpu.return
  }
}
