// RUN: diffattn-opt %s --pass-pipeline='builtin.module(gpu.module(gpu.func(diffattn-tile-lazy-rescale)))' -o %t
// RUN: FileCheck %s < %t
// RUN: diffattn-opt %t --pass-pipeline='builtin.module(gpu.module(gpu.func(diffattn-tile-lazy-rescale)))' | diff %t -

// With skip-masked, only loops without masks.
// RUN: diffattn-opt %s --pass-pipeline='builtin.module(gpu.module(gpu.func(diffattn-tile-lazy-rescale{skip-masked})))' | FileCheck %s --check-prefix=SKIP
// SKIP-LABEL:  gpu.func @forward(
// SKIP-COUNT-1: diffattn_tile.warp_any
// SKIP-LABEL:  gpu.func @masked(
// SKIP-NOT:    diffattn_tile.warp_any

!rows = tensor<32x2xf32>
!scores = tensor<32x2x64xf32>
!acc = tensor<32x2x128xf32>
!weights = tensor<32x2x64xbf16>
!values = tensor<64x128xbf16>

gpu.module @kernels {
  // As to-tile leaves it, with a guard for rows that have seen no key. All that
  // was computed from the new maximum is computed from the kept one, and that is
  // carried; the sum is scaled in any case.
  // CHECK-LABEL: gpu.func @forward(
  // CHECK:       %[[FOR:.*]]:3 = scf.for {{.*}} iter_args(%[[ACC:.*]] = %{{.*}}, %[[M:.*]] = %{{.*}}, %[[L:.*]] = %{{[^)]*}})
  // CHECK:         %[[NEW:.*]] = arith.maxnumf %{{.*}}, %[[M]]
  // CHECK-DAG:     %[[BOUND:.*]] = arith.constant dense<8.000000e+00> : tensor<32x2xf32>
  // CHECK-DAG:     %[[GROWTH:.*]] = arith.subf %[[NEW]], %[[M]]
  // CHECK:         %[[MOVES:.*]] = arith.cmpf ogt, %[[GROWTH]], %[[BOUND]]
  // CHECK:         %[[KEPT:.*]] = arith.select %[[MOVES]], %[[NEW]], %[[M]]
  // CHECK:         %[[ANY:.*]] = diffattn_tile.warp_any %[[MOVES]] : tensor<32x2xi1>
  // CHECK:         %[[NONE:.*]] = arith.cmpf oeq, %[[KEPT]]
  // CHECK:         %[[FINITE:.*]] = arith.select %[[NONE]], %{{.*}}, %[[KEPT]]
  // CHECK:         %[[DROP:.*]] = arith.subf %[[M]], %[[FINITE]]
  // CHECK:         %[[FACTOR:.*]] = math.exp2 %[[DROP]]
  // CHECK:         diffattn_tile.broadcast %[[FINITE]] along 2
  // CHECK:         arith.mulf %[[FACTOR]], %[[L]]
  // CHECK:         %[[SCALED:.*]] = scf.if %[[ANY]] -> (tensor<32x2x128xf32>) {
  // CHECK-NEXT:      %[[ALL:.*]] = diffattn_tile.broadcast %[[FACTOR]] along 2
  // CHECK-NEXT:      %[[PRODUCT:.*]] = arith.mulf %[[ALL]], %[[ACC]]
  // CHECK-NEXT:      scf.yield %[[PRODUCT]]
  // CHECK-NEXT:    } else {
  // CHECK-NEXT:      scf.yield %[[ACC]]
  // CHECK-NEXT:    }
  // CHECK:         %[[PV:.*]] = diffattn_tile.dot %{{.*}}, %{{.*}}, %[[SCALED]]
  // CHECK:         scf.yield %[[PV]], %[[KEPT]],
  gpu.func @forward(%n: index, %s: !scores, %v: !values, %lse: memref<32x2xf32>, %out: memref<32x2x128xf32>) kernel {
    %c0 = arith.constant 0 : index
    %c64 = arith.constant 64 : index
    %none = arith.constant dense<0xFF800000> : !rows
    %zero = arith.constant dense<0.0> : !rows
    %zeros = arith.constant dense<0.0> : !acc
    %r:3 = scf.for %i = %c0 to %n step %c64 iter_args(%acc = %zeros, %m = %none, %l = %zero) -> (!acc, !rows, !rows) {
      %max = diffattn_tile.reduce max %s along 2 : !scores -> !rows
      %new = arith.maxnumf %max, %m : !rows
      %is_none = arith.cmpf oeq, %new, %none : !rows
      %finite = arith.select %is_none, %zero, %new : tensor<32x2xi1>, !rows
      %drop = arith.subf %m, %finite : !rows
      %factor = math.exp2 %drop : !rows
      %shift = diffattn_tile.broadcast %finite along 2 : !rows -> !scores
      %exponents = arith.subf %s, %shift : !scores
      %p = math.exp2 %exponents : !scores
      %sum = diffattn_tile.reduce add %p along 2 : !scores -> !rows
      %old_sum = arith.mulf %factor, %l : !rows
      %new_sum = arith.addf %old_sum, %sum : !rows
      %factors = diffattn_tile.broadcast %factor along 2 : !rows -> !acc
      %scaled = arith.mulf %factors, %acc : !acc
      %p16 = arith.truncf %p : !scores to !weights
      %pv = diffattn_tile.dot %p16, %v, %scaled : !weights, !values, !acc
      scf.yield %pv, %new, %new_sum : !acc, !rows, !rows
    }
    diffattn_tile.store %r#0, %out : !acc, memref<32x2x128xf32>
    diffattn_tile.store %r#1, %lse : !rows, memref<32x2xf32>
    gpu.return
  }

  // A pipeline: the first block outside of the loop stays as it is; in the loop
  // the product with the weights of the iteration before comes first, and what is
  // scaled is carried. No guard, operands the other way round.
  // CHECK-LABEL: gpu.func @pipelined(
  // CHECK:       arith.maxnumf
  // CHECK-NOT:   diffattn_tile.warp_any
  // CHECK:       scf.for {{.*}} iter_args(%[[ACC:.*]] = %{{.*}}, %[[M:.*]] = %{{.*}}, %[[P:.*]] = %{{[^)]*}})
  // CHECK:         %[[PV:.*]] = diffattn_tile.dot %[[P]], %{{.*}}, %[[ACC]]
  // CHECK:         %[[NEW:.*]] = arith.maxnumf %[[M]], %{{.*}}
  // CHECK:         %[[KEPT:.*]] = arith.select %{{.*}}, %[[NEW]], %[[M]]
  // CHECK:         %[[ANY:.*]] = diffattn_tile.warp_any
  // CHECK:         arith.subf %[[M]], %[[KEPT]]
  // CHECK:         %[[SCALED:.*]] = scf.if %[[ANY]]
  // CHECK:           arith.mulf %[[PV]]
  // CHECK:         } else {
  // CHECK-NEXT:      scf.yield %[[PV]]
  // CHECK:         scf.yield %[[SCALED]], %[[KEPT]],
  gpu.func @pipelined(%n: index, %s: !scores, %v: !values, %out: memref<32x2x128xf32>) kernel {
    %c0 = arith.constant 0 : index
    %c64 = arith.constant 64 : index
    %none = arith.constant dense<0xFF800000> : !rows
    %zeros = arith.constant dense<0.0> : !acc
    %max0 = diffattn_tile.reduce max %s along 2 : !scores -> !rows
    %m0 = arith.maxnumf %max0, %none : !rows
    %shift0 = diffattn_tile.broadcast %m0 along 2 : !rows -> !scores
    %exponents0 = arith.subf %s, %shift0 : !scores
    %p0 = math.exp2 %exponents0 : !scores
    %p16_0 = arith.truncf %p0 : !scores to !weights
    %r:3 = scf.for %i = %c64 to %n step %c64 iter_args(%acc = %zeros, %m = %m0, %p16 = %p16_0) -> (!acc, !rows, !weights) {
      %pv = diffattn_tile.dot %p16, %v, %acc : !weights, !values, !acc
      %max = diffattn_tile.reduce max %s along 2 : !scores -> !rows
      %new = arith.maxnumf %m, %max : !rows
      %drop = arith.subf %m, %new : !rows
      %factor = math.exp2 %drop : !rows
      %shift = diffattn_tile.broadcast %new along 2 : !rows -> !scores
      %exponents = arith.subf %s, %shift : !scores
      %p = math.exp2 %exponents : !scores
      %new_p16 = arith.truncf %p : !scores to !weights
      %factors = diffattn_tile.broadcast %factor along 2 : !rows -> !acc
      %scaled = arith.mulf %pv, %factors : !acc
      scf.yield %scaled, %new, %new_p16 : !acc, !rows, !weights
    }
    %last = diffattn_tile.dot %r#2, %v, %r#0 : !weights, !values, !acc
    diffattn_tile.store %last, %out : !acc, memref<32x2x128xf32>
    gpu.return
  }

  // Of what the factor scales, one is an accumulator; what is no accumulator
  // keeps its multiplication and its broadcast.
  // CHECK-LABEL: gpu.func @partly(
  // CHECK:       scf.for {{.*}} iter_args(%[[ACC:.*]] = %{{.*}}, %[[OTHER:.*]] = %{{.*}}, %[[M:.*]] = %{{[^)]*}})
  // CHECK:         %[[FACTOR:.*]] = math.exp2
  // CHECK-NEXT:    %[[ALL:.*]] = diffattn_tile.broadcast %[[FACTOR]] along 2
  // CHECK-NEXT:    scf.if
  // CHECK:           arith.mulf %{{.*}}, %[[ACC]]
  // CHECK:         }
  // CHECK:         arith.mulf %[[ALL]], %[[OTHER]]
  // CHECK-NOT:     scf.if
  // CHECK:       gpu.return
  gpu.func @partly(%n: index, %max: !rows, %p16: !weights, %v: !values, %out: memref<32x2x128xf32>) kernel {
    %c0 = arith.constant 0 : index
    %c64 = arith.constant 64 : index
    %none = arith.constant dense<0xFF800000> : !rows
    %zeros = arith.constant dense<0.0> : !acc
    %r:3 = scf.for %i = %c0 to %n step %c64 iter_args(%acc = %zeros, %other = %zeros, %m = %none) -> (!acc, !acc, !rows) {
      %new = arith.maxnumf %max, %m : !rows
      %drop = arith.subf %m, %new : !rows
      %factor = math.exp2 %drop : !rows
      %factors = diffattn_tile.broadcast %factor along 2 : !rows -> !acc
      %scaled = arith.mulf %factors, %acc : !acc
      %pv = diffattn_tile.dot %p16, %v, %scaled : !weights, !values, !acc
      %other_scaled = arith.mulf %factors, %other : !acc
      scf.yield %pv, %other_scaled, %new : !acc, !acc, !rows
    }
    diffattn_tile.store %r#0, %out : !acc, memref<32x2x128xf32>
    diffattn_tile.store %r#1, %out : !acc, memref<32x2x128xf32>
    gpu.return
  }

  // A number other than the maximum in the exponent, natural exponentials, a
  // factor along rows: not understood.
  // CHECK-LABEL: gpu.func @left_alone(
  // CHECK-NOT:   diffattn_tile.warp_any
  // CHECK:       gpu.return
  gpu.func @left_alone(%n: index, %max: !rows, %square: tensor<2x2xf32>, %p16: !weights, %v: !values,
                       %a16: tensor<2x2x16xbf16>, %b16: tensor<16x8xbf16>, %out: memref<32x2x128xf32>) kernel {
    %c0 = arith.constant 0 : index
    %c64 = arith.constant 64 : index
    %none = arith.constant dense<0xFF800000> : !rows
    %small_none = arith.constant dense<0xFF800000> : tensor<2x2xf32>
    %zeros = arith.constant dense<0.0> : !acc
    %small_zeros = arith.constant dense<0.0> : tensor<2x2x8xf32>
    %r0:2 = scf.for %i = %c0 to %n step %c64 iter_args(%acc = %zeros, %m = %none) -> (!acc, !rows) {
      %new = arith.maxnumf %max, %m : !rows
      %drop = arith.subf %m, %max : !rows
      %factor = math.exp2 %drop : !rows
      %factors = diffattn_tile.broadcast %factor along 2 : !rows -> !acc
      %scaled = arith.mulf %factors, %acc : !acc
      %pv = diffattn_tile.dot %p16, %v, %scaled : !weights, !values, !acc
      scf.yield %pv, %new : !acc, !rows
    }
    %r1:2 = scf.for %i = %c0 to %n step %c64 iter_args(%acc = %r0#0, %m = %r0#1) -> (!acc, !rows) {
      %new = arith.maxnumf %max, %m : !rows
      %drop = arith.subf %m, %new : !rows
      %factor = math.exp %drop : !rows
      %factors = diffattn_tile.broadcast %factor along 2 : !rows -> !acc
      %scaled = arith.mulf %factors, %acc : !acc
      %pv = diffattn_tile.dot %p16, %v, %scaled : !weights, !values, !acc
      scf.yield %pv, %new : !acc, !rows
    }
    %r2:2 = scf.for %i = %c0 to %n step %c64 iter_args(%acc = %small_zeros, %m = %small_none) -> (tensor<2x2x8xf32>, tensor<2x2xf32>) {
      %new = arith.maxnumf %square, %m : tensor<2x2xf32>
      %drop = arith.subf %m, %new : tensor<2x2xf32>
      %factor = math.exp2 %drop : tensor<2x2xf32>
      %some = diffattn_tile.select %factor at 0 of 1 : tensor<2x2xf32> -> tensor<2xf32>
      %more = diffattn_tile.broadcast %some along 0 : tensor<2xf32> -> tensor<2x2xf32>
      %factors = diffattn_tile.broadcast %more along 2 : tensor<2x2xf32> -> tensor<2x2x8xf32>
      %scaled = arith.mulf %factors, %acc : tensor<2x2x8xf32>
      %pv = diffattn_tile.dot %a16, %b16, %scaled : tensor<2x2x16xbf16>, tensor<16x8xbf16>, tensor<2x2x8xf32>
      scf.yield %pv, %new : tensor<2x2x8xf32>, tensor<2x2xf32>
    }
    diffattn_tile.store %r1#0, %out : !acc, memref<32x2x128xf32>
    gpu.return
  }

  // CHECK-LABEL: gpu.func @masked(
  // CHECK:       diffattn_tile.warp_any
  gpu.func @masked(%n: index, %s: !scores, %p16: !weights, %v: !values, %out: memref<32x2x128xf32>) kernel {
    %c0 = arith.constant 0 : index
    %c64 = arith.constant 64 : index
    %none = arith.constant dense<0xFF800000> : !rows
    %zeros = arith.constant dense<0.0> : !acc
    %r:2 = scf.for %i = %c0 to %n step %c64 iter_args(%acc = %zeros, %m = %none) -> (!acc, !rows) {
      %rest = arith.subi %n, %i : index
      %t = diffattn_tile.mask %s[%rest] where affine_set<(m, r, k)[n] : (n - k - 1 >= 0)> else 0xFF800000 : !scores
      %max = diffattn_tile.reduce max %t along 2 : !scores -> !rows
      %new = arith.maxnumf %max, %m : !rows
      %drop = arith.subf %m, %new : !rows
      %factor = math.exp2 %drop : !rows
      %factors = diffattn_tile.broadcast %factor along 2 : !rows -> !acc
      %scaled = arith.mulf %factors, %acc : !acc
      %pv = diffattn_tile.dot %p16, %v, %scaled : !weights, !values, !acc
      scf.yield %pv, %new : !acc, !rows
    }
    diffattn_tile.store %r#0, %out : !acc, memref<32x2x128xf32>
    gpu.return
  }
}
