// RUN: diffattn-opt %s --pass-pipeline='builtin.module(gpu.module(gpu.func(diffattn-tile-assign-layouts)))' | FileCheck %s
// RUN: diffattn-opt %s --pass-pipeline='builtin.module(gpu.module(gpu.func(diffattn-tile-assign-layouts)))' -o %t
// RUN: diffattn-opt %t --pass-pipeline='builtin.module(gpu.module(gpu.func(diffattn-tile-assign-layouts)))' | diff %t -

#query = #diffattn_tile.shared<[d2*64, d0*64, d1*2], swizzle = 128>
#keys = #diffattn_tile.shared<[d1*64, d0*64], swizzle = 128>
!query = !diffattn_tile.buffer<[64x2x64xbf16], #query>
!rows = !diffattn_tile.buffer<[64x64xbf16], #keys>
!keys = !diffattn_tile.buffer<[64x64xbf16], #keys>

// A dimension that is picked from lies at row + 8 of the matrix instruction, as
// register digit only.
// CHECK-DAG: #[[$PAIR:.*]] = #diffattn_tile.fragment<register = [d2*2, d1*2, d2*8:8, d0*2:8], lane = [d2*4:2, d0*8], warp = [d0*4:16]>
// CHECK-DAG: #[[$PAIR_ROW:.*]] = #diffattn_tile.fragment<register = [d1*2, d0*2:8], lane = [_*4, d0*8], warp = [d0*4:16]>
// CHECK-DAG: #[[$BRANCH:.*]] = #diffattn_tile.fragment<register = [d1*2, d1*8:8, d0*2:8], lane = [d1*4:2, d0*8], warp = [d0*4:16]>
// CHECK-DAG: #[[$BRANCH_ROW:.*]] = #diffattn_tile.fragment<register = [d0*2:8], lane = [_*4, d0*8], warp = [d0*4:16]>
// CHECK-DAG: #[[$TURNED:.*]] = #diffattn_tile.fragment<register = [d0*2, d1*2:8], lane = [_*4, d1*8], warp = [d1*4:16]>
// Without one, rows follow one another.
// CHECK-DAG: #[[$PLAIN:.*]] = #diffattn_tile.fragment<register = [d1*2, d0*2:8, d1*8:8], lane = [d1*4:2, d0*8], warp = [d0*4:16]>

gpu.module @kernels {
  // From the products through element-wise ops, reductions, broadcasts, loops
  // and conditions.
  // CHECK-LABEL: gpu.func @pair(
  gpu.func @pair(%n: index, %cond: i1, %l: memref<64xf32>, %out: memref<64x64xf32>, %lse: memref<2x64xf32>) kernel
      attributes {diffattn_tile.warps = 4 : i64} {
    %c0 = arith.constant 0 : index
    %c64 = arith.constant 64 : index
    %q = diffattn_tile.alloc : !query
    %k = diffattn_tile.alloc : !keys
    // One constant serves two users of one layout, another is cloned for each.
    // CHECK-DAG: arith.constant dense<0.000000e+00> : tensor<64x2x64xf32, #[[$PAIR]]>
    // CHECK-DAG: arith.constant dense<0.000000e+00> : tensor<64x2xf32, #[[$PAIR_ROW]]>
    %zero = arith.constant dense<0.0> : tensor<64x2x64xf32>
    %zero_row = arith.constant dense<0.0> : tensor<64x2xf32>
    // CHECK: scf.for {{.*}} -> (tensor<64x2x64xf32, #[[$PAIR]]>, tensor<64x2xf32, #[[$PAIR_ROW]]>)
    %r:2 = scf.for %i = %c0 to %n step %c64 iter_args(%a = %zero, %m = %zero_row) -> (tensor<64x2x64xf32>, tensor<64x2xf32>) {
      // CHECK: diffattn_tile.dot {{.*}} tensor<64x2x64xf32, #[[$PAIR]]>
      // CHECK: diffattn_tile.reduce max %{{.*}} -> tensor<64x2xf32, #[[$PAIR_ROW]]>
      // CHECK: diffattn_tile.broadcast %{{.*}} : tensor<64x2xf32, #[[$PAIR_ROW]]> -> tensor<64x2x64xf32, #[[$PAIR]]>
      // CHECK: arith.truncf %{{.*}} to tensor<64x2x64xbf16, #[[$PAIR]]>
      // CHECK-NOT: diffattn_tile.convert_layout
      // CHECK: scf.if %{{.*}} -> (tensor<64x2x64xf32, #[[$PAIR]]>)
      %s = diffattn_tile.dot %q, %k, %zero transposed : !query, !keys, tensor<64x2x64xf32>
      %max = diffattn_tile.reduce max %s along 2 : tensor<64x2x64xf32> -> tensor<64x2xf32>
      %b = diffattn_tile.broadcast %max along 2 : tensor<64x2xf32> -> tensor<64x2x64xf32>
      %d = arith.subf %s, %b : tensor<64x2x64xf32>
      %p = arith.truncf %d : tensor<64x2x64xf32> to tensor<64x2x64xbf16>
      %t = diffattn_tile.dot %p, %k, %a : tensor<64x2x64xbf16>, !keys, tensor<64x2x64xf32>
      %u = scf.if %cond -> tensor<64x2x64xf32> {
        %e = math.exp2 %t : tensor<64x2x64xf32>
        scf.yield %e : tensor<64x2x64xf32>
      } else {
        scf.yield %t : tensor<64x2x64xf32>
      }
      scf.yield %u, %max : tensor<64x2x64xf32>, tensor<64x2xf32>
    }
    // CHECK: diffattn_tile.select %{{.*}} -> tensor<64x64xf32, #[[$BRANCH]]>
    %first = diffattn_tile.select %r#0 at 0 of 1 : tensor<64x2x64xf32> -> tensor<64x64xf32>
    %second = diffattn_tile.select %r#0 at 1 of 1 : tensor<64x2x64xf32> -> tensor<64x64xf32>
    // A load takes the layout that its user asks for.
    // CHECK: diffattn_tile.load %{{.*}} -> tensor<64xf32, #[[$BRANCH_ROW]]>
    %lambda = diffattn_tile.load %l : memref<64xf32> -> tensor<64xf32>
    %lb = diffattn_tile.broadcast %lambda along 1 : tensor<64xf32> -> tensor<64x64xf32>
    %w = arith.mulf %second, %lb : tensor<64x64xf32>
    %o = arith.subf %first, %w : tensor<64x64xf32>
    diffattn_tile.store %o, %out : tensor<64x64xf32>, memref<64x64xf32>
    // CHECK: diffattn_tile.transpose %{{.*}} -> tensor<2x64xf32, #[[$TURNED]]>
    %x = diffattn_tile.transpose %r#1 [1, 0] : tensor<64x2xf32> -> tensor<2x64xf32>
    diffattn_tile.store %x, %lse : tensor<2x64xf32>, memref<2x64xf32>
    gpu.return
  }

  // CHECK-LABEL: gpu.func @plain(
  // CHECK: arith.constant dense<0.000000e+00> : tensor<64x64xf32, #[[$PLAIN]]>
  // CHECK: diffattn_tile.dot
  // CHECK: diffattn_tile.reduce {{.*}} -> tensor<64xf32, #[[$BRANCH_ROW]]>
  gpu.func @plain(%out: memref<64xf32>) kernel attributes {diffattn_tile.warps = 4 : i64} {
    %q = diffattn_tile.alloc : !rows
    %k = diffattn_tile.alloc : !keys
    %zero = arith.constant dense<0.0> : tensor<64x64xf32>
    %s = diffattn_tile.dot %q, %k, %zero transposed : !rows, !keys, tensor<64x64xf32>
    %max = diffattn_tile.reduce max %s along 1 : tensor<64x64xf32> -> tensor<64xf32>
    diffattn_tile.store %max, %out : tensor<64xf32>, memref<64xf32>
    gpu.return
  }

  // Two products of different rows meet: one use is converted.
  // CHECK-LABEL: gpu.func @meet(
  // CHECK: %[[C:.*]] = diffattn_tile.convert_layout %{{.*}} : tensor<64x64xf32, #{{.*}}> -> tensor<64x64xf32, #{{.*}}>
  // CHECK: arith.addf
  // CHECK-NOT: diffattn_tile.convert_layout
  // CHECK: gpu.return
  gpu.func @meet(%out: memref<64x64xf32>) kernel attributes {diffattn_tile.warps = 4 : i64} {
    %q = diffattn_tile.alloc : !query
    %r = diffattn_tile.alloc : !rows
    %k = diffattn_tile.alloc : !keys
    %zero = arith.constant dense<0.0> : tensor<64x64xf32>
    %zero_pair = arith.constant dense<0.0> : tensor<64x2x64xf32>
    %s = diffattn_tile.dot %q, %k, %zero_pair transposed : !query, !keys, tensor<64x2x64xf32>
    %first = diffattn_tile.select %s at 0 of 1 : tensor<64x2x64xf32> -> tensor<64x64xf32>
    %t = diffattn_tile.dot %r, %k, %zero transposed : !rows, !keys, tensor<64x64xf32>
    %u = arith.addf %first, %t : tensor<64x64xf32>
    diffattn_tile.store %u, %out : tensor<64x64xf32>, memref<64x64xf32>
    gpu.return
  }

  // A kernel without warps is not one of tiles.
  // CHECK-LABEL: gpu.func @no_warps(
  // CHECK-NOT: fragment
  gpu.func @no_warps() kernel {
    %zero = arith.constant dense<0.0> : tensor<64x64xf32>
    gpu.return
  }
}
