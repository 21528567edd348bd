// RUN: diffattn-opt %s --pass-pipeline='builtin.module(gpu.module(gpu.func(diffattn-tile-stage)))' | FileCheck %s
// RUN: diffattn-opt %s --pass-pipeline='builtin.module(gpu.module(gpu.func(diffattn-tile-stage)))' -o %t
// RUN: diffattn-opt %t --pass-pipeline='builtin.module(gpu.module(gpu.func(diffattn-tile-stage)))' | diff %t -

!rows = memref<?x2x64xbf16, strided<[?, ?, 1], offset: ?>>
!keys = memref<?x128xbf16, strided<[?, 1], offset: ?>>
!half = memref<?x64xbf16, strided<[?, 1], offset: ?>>
!narrow = memref<?x32xbf16, strided<[?, 1], offset: ?>>
!vector = memref<?xbf16, strided<[?], offset: ?>>

// Rows wider than the widest swizzle span are cut into panels; the branch of a
// pair lies outside of the rows.
// CHECK-DAG: #[[$KEYS:.*]] = #diffattn_tile.shared<[d1*64, d0*64, d1*2:64], swizzle = 128>
// CHECK-DAG: #[[$ROWS:.*]] = #diffattn_tile.shared<[d2*64, d0*64, d1*2], swizzle = 128>
// CHECK-DAG: #[[$NARROW:.*]] = #diffattn_tile.shared<[d1*32, d0*64], swizzle = 64>

gpu.module @kernels {
  // CHECK-LABEL: gpu.func @loop(
  // CHECK-SAME: %[[Q:[^:]*]]: memref{{.*}}, %[[K:[^:]*]]: memref
  gpu.func @loop(%q: !rows, %k: !half, %n: index, %acc: tensor<64x2x64xf32>) kernel {
    %c0 = arith.constant 0 : index
    %c64 = arith.constant 64 : index
    // CHECK-DAG: %[[QB:.*]] = diffattn_tile.alloc : <[64x2x64xbf16], #[[$ROWS]]>
    // CHECK-DAG: %[[KB:.*]] = diffattn_tile.alloc : <[64x64xbf16],
    // The load outside is staged before the loop that reads it, without a
    // barrier in front: nothing has been read yet.
    // CHECK-NOT:  gpu.barrier
    // CHECK:      diffattn_tile.async_copy %[[Q]] into %[[QB]]
    // CHECK-NEXT: diffattn_tile.async_commit
    // CHECK-NEXT: diffattn_tile.async_wait 0
    // CHECK-NEXT: gpu.barrier
    // CHECK-NEXT: scf.for
    %tq = diffattn_tile.load %q : !rows -> tensor<64x2x64xbf16>
    %r = scf.for %i = %c0 to %n step %c64 iter_args(%a = %acc) -> tensor<64x2x64xf32> {
      // CHECK-NOT:  diffattn_tile.load
      // CHECK:      math.exp2
      // CHECK-NEXT: gpu.barrier
      // CHECK-NEXT: diffattn_tile.async_copy %[[K]] into %[[KB]]
      // CHECK-NEXT: diffattn_tile.async_commit
      // CHECK-NEXT: diffattn_tile.async_wait 0
      // CHECK-NEXT: gpu.barrier
      // CHECK-NEXT: diffattn_tile.dot %[[QB]], %[[KB]], %{{.*}} transposed
      // CHECK-NEXT: diffattn_tile.dot %[[QB]], %[[KB]],
      // CHECK-NEXT: scf.yield
      %tk = diffattn_tile.load %k : !half -> tensor<64x64xbf16>
      %b = math.exp2 %a : tensor<64x2x64xf32>
      %s = diffattn_tile.dot %tq, %tk, %b transposed : tensor<64x2x64xbf16>, tensor<64x64xbf16>, tensor<64x2x64xf32>
      %t = diffattn_tile.dot %tq, %tk, %s : tensor<64x2x64xbf16>, tensor<64x64xbf16>, tensor<64x2x64xf32>
      scf.yield %t : tensor<64x2x64xf32>
    }
    gpu.return
  }

  // CHECK-LABEL: gpu.func @layouts(
  // CHECK-DAG: diffattn_tile.alloc : <[64x128xbf16], #[[$KEYS]]>
  // CHECK-DAG: diffattn_tile.alloc : <[64x32xbf16], #[[$NARROW]]>
  gpu.func @layouts(%k: !keys, %v: !narrow, %p: tensor<64x128xbf16>, %w: tensor<64x64xbf16>,
                    %a: tensor<64x64xf32>, %b: tensor<64x32xf32>) kernel {
    %tk = diffattn_tile.load %k : !keys -> tensor<64x128xbf16>
    %tv = diffattn_tile.load %v : !narrow -> tensor<64x32xbf16>
    %s = diffattn_tile.dot %p, %tk, %a transposed : tensor<64x128xbf16>, tensor<64x128xbf16>, tensor<64x64xf32>
    %t = diffattn_tile.dot %w, %tv, %b : tensor<64x64xbf16>, tensor<64x32xbf16>, tensor<64x32xf32>
    gpu.return
  }

  // What is read by other ops as well, or by no product, stays in registers.
  // CHECK-LABEL: gpu.func @not_staged(
  // CHECK-NOT: diffattn_tile.alloc
  // CHECK-COUNT-3: diffattn_tile.load
  // CHECK-NOT: diffattn_tile.async_copy
  gpu.func @not_staged(%k: !half, %l: !vector, %p: tensor<64x64xbf16>, %a: tensor<64x64xf32>) kernel {
    %tk = diffattn_tile.load %k : !half -> tensor<64x64xbf16>
    %lambda = diffattn_tile.load %l : !vector -> tensor<64xbf16>
    %unused = diffattn_tile.load %k : !half -> tensor<64x64xbf16>
    %e = arith.extf %tk : tensor<64x64xbf16> to tensor<64x64xf32>
    %s = diffattn_tile.dot %p, %tk, %e transposed : tensor<64x64xbf16>, tensor<64x64xbf16>, tensor<64x64xf32>
    %f = arith.extf %lambda : tensor<64xbf16> to tensor<64xf32>
    gpu.return
  }
}
