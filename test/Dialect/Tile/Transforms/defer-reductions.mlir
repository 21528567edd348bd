// RUN: diffattn-opt %s --pass-pipeline='builtin.module(gpu.module(gpu.func(diffattn-tile-defer-reductions)))' -o %t
// RUN: FileCheck %s < %t
// RUN: diffattn-opt %t --pass-pipeline='builtin.module(gpu.module(gpu.func(diffattn-tile-defer-reductions)))' | diff %t -

#acc = #diffattn_tile.fragment<register = [d2*2, d1*2, d2*8:8], lane = [d2*4:2, d0*8], warp = [d0*4:8]>
#row = #diffattn_tile.fragment<register = [d1*2], lane = [_*4, d0*8], warp = [d0*4:8]>
!scores = tensor<32x2x64xf32, #acc>
!rows = tensor<32x2xf32, #row>
// The four lanes that share a row.
// CHECK-DAG: #[[$ACC:.*]] = #diffattn_tile.fragment<register = [d2*2, d1*2, d2*8:8], lane = [d2*4:2, d0*8], warp = [d0*4:8]>
// CHECK-DAG: #[[$ROW:.*]] = #diffattn_tile.fragment<register = [d1*2], lane = [_*4, d0*8], warp = [d0*4:8]>
// CHECK-DAG: #[[$PART:.*]] = #diffattn_tile.fragment<register = [d1*2], lane = [d2*4, d0*8], warp = [d0*4:8]>

gpu.module @kernels {
  // CHECK-LABEL: gpu.func @sum(
  // CHECK-SAME:    %{{[^:]*}}: index, %[[P:[^:]*]]: tensor<32x2x64xf32, #[[$ACC]]>, %[[F:[^:]*]]: tensor
  // CHECK:       %[[ZEROS:.*]] = arith.constant dense<0.000000e+00> : tensor<32x2x4xf32, #[[$PART]]>
  // CHECK-NEXT:  %[[L:.*]] = scf.for {{.*}} iter_args(%[[OLD:.*]] = %[[ZEROS]])
  // CHECK-NEXT:    %[[ADDEND:.*]] = diffattn_tile.thread_reduce add %[[P]] along 2
  // CHECK-NEXT:    %[[FS:.*]] = diffattn_tile.broadcast %[[F]] along 2 : tensor<32x2xf32, #[[$ROW]]> -> tensor<32x2x4xf32, #[[$PART]]>
  // CHECK-NEXT:    %[[SCALED:.*]] = arith.mulf %[[FS]], %[[OLD]]
  // CHECK-NEXT:    %[[NEW:.*]] = arith.addf %[[SCALED]], %[[ADDEND]]
  // CHECK-NEXT:    scf.yield %[[NEW]]
  // CHECK-NEXT:  }
  // CHECK-NEXT:  %[[SUM:.*]] = diffattn_tile.reduce add %[[L]] along 2 : tensor<32x2x4xf32, #[[$PART]]> -> tensor<32x2xf32, #[[$ROW]]>
  // CHECK-NEXT:  diffattn_tile.store %[[SUM]]
  gpu.func @sum(%n: index, %p: !scores, %f: !rows, %out: memref<32x2xf32>) kernel {
    %c0 = arith.constant 0 : index
    %c64 = arith.constant 64 : index
    %zero = arith.constant dense<0.0> : !rows
    %r = scf.for %i = %c0 to %n step %c64 iter_args(%l = %zero) -> !rows {
      %sum = diffattn_tile.reduce add %p along 2 : !scores -> !rows
      %scaled = arith.mulf %f, %l : !rows
      %new = arith.addf %scaled, %sum : !rows
      scf.yield %new : !rows
    }
    diffattn_tile.store %r, %out : !rows, memref<32x2xf32>
    gpu.return
  }

  // Other forms of the same: one op of the two, operands the other way round, no
  // factor. What else reads the sum of a block keeps it.
  // CHECK-LABEL: gpu.func @forms(
  // CHECK:       %[[L:.*]]:3 = scf.for {{.*}} iter_args(%[[L0:.*]] = %{{.*}}, %[[L1:.*]] = %{{.*}}, %[[L2:.*]] = %{{[^)]*}})
  // CHECK-DAG:     %[[FACTOR:.*]] = diffattn_tile.broadcast %{{.*}} along 2
  // CHECK-DAG:     math.fma %[[L0]], %[[FACTOR]], %{{.*}} : tensor<32x2x4xf32
  // CHECK-DAG:     arith.addf %{{.*}}, %[[L1]] : tensor<32x2x4xf32
  // CHECK-DAG:     %[[SUM:.*]] = diffattn_tile.reduce add %{{.*}} along 2 : tensor<32x2x64xf32
  // CHECK-DAG:     %[[SCALED:.*]] = arith.mulf %[[L2]], %{{.*}} : tensor<32x2x4xf32
  // CHECK-DAG:     arith.addf %{{.*}}, %[[SCALED]] : tensor<32x2x4xf32
  // CHECK:         diffattn_tile.store %[[SUM]]
  // CHECK:       }
  // CHECK-COUNT-3: diffattn_tile.reduce add %[[L]]
  gpu.func @forms(%n: index, %p: !scores, %f: !rows, %out: memref<32x2xf32>) kernel {
    %c0 = arith.constant 0 : index
    %c64 = arith.constant 64 : index
    %zero = arith.constant dense<0.0> : !rows
    %r:3 = scf.for %i = %c0 to %n step %c64 iter_args(%l0 = %zero, %l1 = %zero, %l2 = %zero) -> (!rows, !rows, !rows) {
      %sum0 = diffattn_tile.reduce add %p along 2 : !scores -> !rows
      %new0 = math.fma %l0, %f, %sum0 : !rows
      %sum1 = diffattn_tile.reduce add %p along 2 : !scores -> !rows
      %new1 = arith.addf %sum1, %l1 : !rows
      %sum2 = diffattn_tile.reduce add %p along 2 : !scores -> !rows
      %scaled2 = arith.mulf %l2, %f : !rows
      %new2 = arith.addf %sum2, %scaled2 : !rows
      diffattn_tile.store %sum2, %out : !rows, memref<32x2xf32>
      scf.yield %new0, %new1, %new2 : !rows, !rows, !rows
    }
    diffattn_tile.store %r#0, %out : !rows, memref<32x2xf32>
    diffattn_tile.store %r#1, %out : !rows, memref<32x2xf32>
    diffattn_tile.store %r#2, %out : !rows, memref<32x2xf32>
    gpu.return
  }

  // A peeled iteration and two loops: one exchange at the end.
  // CHECK-LABEL: gpu.func @chain(
  // CHECK-NOT:   diffattn_tile.reduce
  // CHECK:       %[[FIRST:.*]] = diffattn_tile.thread_reduce add
  // CHECK-NEXT:  %[[SECOND:.*]] = scf.for {{.*}} iter_args(%{{.*}} = %[[FIRST]])
  // CHECK:       %[[THIRD:.*]] = scf.for {{.*}} iter_args(%{{.*}} = %[[SECOND]])
  // CHECK:       %[[SUM:.*]] = diffattn_tile.reduce add %[[THIRD]]
  // CHECK-NEXT:  diffattn_tile.store %[[SUM]]
  gpu.func @chain(%n: index, %p: !scores, %f: !rows, %out: memref<32x2xf32>) kernel {
    %c0 = arith.constant 0 : index
    %c64 = arith.constant 64 : index
    %first = diffattn_tile.reduce add %p along 2 : !scores -> !rows
    %r0 = scf.for %i = %c0 to %n step %c64 iter_args(%l = %first) -> !rows {
      %sum = diffattn_tile.reduce add %p along 2 : !scores -> !rows
      %new = arith.addf %l, %sum : !rows
      scf.yield %new : !rows
    }
    %r1 = scf.for %i = %c0 to %n step %c64 iter_args(%l = %r0) -> !rows {
      %sum = diffattn_tile.reduce add %p along 2 : !scores -> !rows
      %new = math.fma %f, %l, %sum : !rows
      scf.yield %new : !rows
    }
    diffattn_tile.store %r1, %out : !rows, memref<32x2xf32>
    gpu.return
  }

  // A maximum, a sum that is read on the way, a factor that depends on the sum,
  // another dimension than the threads share.
  // CHECK-LABEL: gpu.func @left_alone(
  // CHECK-NOT:   diffattn_tile.thread_reduce
  // CHECK:       gpu.return
  gpu.func @left_alone(%n: index, %p: !scores, %q: tensor<32x2xf32, #row>, %out: memref<32x2xf32>,
                       %tokens: memref<32xf32>) kernel {
    %c0 = arith.constant 0 : index
    %c64 = arith.constant 64 : index
    %zero = arith.constant dense<0.0> : !rows
    %none = arith.constant dense<0xFF800000> : !rows
    %zero_token = arith.constant dense<0.0> : tensor<32xf32, #diffattn_tile.fragment<register = [], lane = [_*4, d0*8], warp = [d0*4:8]>>
    %r:3 = scf.for %i = %c0 to %n step %c64 iter_args(%m = %none, %l = %zero, %k = %zero) -> (!rows, !rows, !rows) {
      %max = diffattn_tile.reduce max %p along 2 : !scores -> !rows
      %new_max = arith.maxnumf %max, %m : !rows
      %sum = diffattn_tile.reduce add %p along 2 : !scores -> !rows
      %new = arith.addf %l, %sum : !rows
      diffattn_tile.store %new, %out : !rows, memref<32x2xf32>
      %square = arith.mulf %k, %k : !rows
      %new_k = arith.addf %square, %sum : !rows
      scf.yield %new_max, %new, %new_k : !rows, !rows, !rows
    }
    %s = scf.for %i = %c0 to %n step %c64 iter_args(%l = %zero_token) -> tensor<32xf32, #diffattn_tile.fragment<register = [], lane = [_*4, d0*8], warp = [d0*4:8]>> {
      %sum = diffattn_tile.reduce add %q along 1 : !rows -> tensor<32xf32, #diffattn_tile.fragment<register = [], lane = [_*4, d0*8], warp = [d0*4:8]>>
      %new = arith.addf %l, %sum : tensor<32xf32, #diffattn_tile.fragment<register = [], lane = [_*4, d0*8], warp = [d0*4:8]>>
      scf.yield %new : tensor<32xf32, #diffattn_tile.fragment<register = [], lane = [_*4, d0*8], warp = [d0*4:8]>>
    }
    diffattn_tile.store %r#0, %out : !rows, memref<32x2xf32>
    diffattn_tile.store %r#1, %out : !rows, memref<32x2xf32>
    diffattn_tile.store %r#2, %out : !rows, memref<32x2xf32>
    diffattn_tile.store %s, %tokens : tensor<32xf32, #diffattn_tile.fragment<register = [], lane = [_*4, d0*8], warp = [d0*4:8]>>, memref<32xf32>
    gpu.return
  }
}
