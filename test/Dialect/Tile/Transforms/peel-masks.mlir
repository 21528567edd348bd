// RUN: diffattn-opt %s --pass-pipeline='builtin.module(gpu.module(gpu.func(diffattn-tile-peel-masks,canonicalize,cse)))' | FileCheck %s
// Loops that were peeled are not peeled again.
// RUN: diffattn-opt %s --pass-pipeline='builtin.module(gpu.module(gpu.func(diffattn-tile-peel-masks)))' -o %t
// RUN: diffattn-opt %t --pass-pipeline='builtin.module(gpu.module(gpu.func(diffattn-tile-peel-masks)))' | diff %t -

#causal = affine_set<(m, k)[n, diagonal] : (n - k - 1 >= 0, diagonal - k + m >= 0)>
#window = affine_set<(m, k)[n, diagonal, first] : (n - k - 1 >= 0, diagonal - k + m >= 0, k - m + first >= 0)>
#ragged = affine_set<(m, k)[n] : (n - k - 1 >= 0)>

gpu.module @kernels {
  // Constraints that fall with the induction variable: the loop without masks
  // first, up to the smallest bound, then the one with them.
  // CHECK-LABEL: gpu.func @causal(
  // CHECK-SAME:    %[[N:[^:]*]]: index, %[[D:[^:]*]]: index, %[[END:[^:]*]]: index
  gpu.func @causal(%n: index, %d: index, %end: index, %s: tensor<64x64xf32>, %init: tensor<64xf32>, %out: memref<64xf32>) kernel {
    %c0 = arith.constant 0 : index
    %c64 = arith.constant 64 : index
    // n - 63 - 1 - iv >= 0 and d - 63 - iv >= 0
    // CHECK-DAG:  %[[BN:.*]] = arith.addi %[[N]], %c-64
    // CHECK-DAG:  %[[BD:.*]] = arith.addi %[[D]], %c-63
    // CHECK:      %[[B:.*]] = arith.minsi %[[BN]], %[[BD]]
    // CHECK:      arith.divui
    // CHECK:      %[[MIN:.*]] = arith.minsi %{{.*}}, %[[END]]
    // CHECK:      %[[LAST:.*]] = arith.maxsi %[[MIN]], %[[C0:.*]] :
    // CHECK:      %[[UNCUT:.*]] = scf.for %{{.*}} = %[[C0]] to %[[LAST]] {{.*}} iter_args(%[[A:.*]] = %{{.*}})
    // CHECK-NEXT:   diffattn_tile.reduce max
    // CHECK-NOT:    diffattn_tile.mask
    // CHECK:      }
    // CHECK:      %[[CUT:.*]] = scf.for %{{.*}} = %[[LAST]] to %[[END]] {{.*}} iter_args(%{{.*}} = %[[UNCUT]])
    // CHECK:        diffattn_tile.mask
    // CHECK:      }
    // CHECK-NOT:  scf.for
    // CHECK:      diffattn_tile.store %[[CUT]]
    %r = scf.for %i = %c0 to %end step %c64 iter_args(%a = %init) -> tensor<64xf32> {
      %rest = arith.subi %n, %i : index
      %diagonal = arith.subi %d, %i : index
      %t = diffattn_tile.mask %s[%rest, %diagonal] where #causal else 0xFF800000 : tensor<64x64xf32>
      %m = diffattn_tile.reduce max %t along 1 : tensor<64x64xf32> -> tensor<64xf32>
      %b = arith.addf %a, %m : tensor<64xf32>
      scf.yield %b : tensor<64xf32>
    }
    diffattn_tile.store %r, %out : tensor<64xf32>, memref<64xf32>
    gpu.return
  }

  // A constraint that grows bounds the loop without masks from below.
  // CHECK-LABEL: gpu.func @window(
  // CHECK:      %[[BEFORE:.*]] = scf.for %{{.*}} = %{{.*}} to %[[FIRST:[^ ]*]]
  // CHECK:        diffattn_tile.mask
  // CHECK:      %[[WITHIN:.*]] = scf.for %{{.*}} = %[[FIRST]] to %[[LAST:[^ ]*]] {{.*}} iter_args(%{{.*}} = %[[BEFORE]])
  // CHECK-NOT:    diffattn_tile.mask
  // CHECK:      %[[AFTER:.*]] = scf.for %{{.*}} = %[[LAST]] to %{{.*}} iter_args(%{{.*}} = %[[WITHIN]])
  // CHECK:        diffattn_tile.mask
  // CHECK:      diffattn_tile.store %[[AFTER]]
  gpu.func @window(%n: index, %d: index, %w: index, %end: index, %s: tensor<64x64xf32>, %init: tensor<64xf32>, %out: memref<64xf32>) kernel {
    %c0 = arith.constant 0 : index
    %c64 = arith.constant 64 : index
    %r = scf.for %i = %c0 to %end step %c64 iter_args(%a = %init) -> tensor<64xf32> {
      %rest = arith.subi %n, %i : index
      %diagonal = arith.subi %d, %i : index
      %first = arith.addi %w, %i : index
      %t = diffattn_tile.mask %s[%rest, %diagonal, %first] where #window else 0xFF800000 : tensor<64x64xf32>
      %m = diffattn_tile.reduce max %t along 1 : tensor<64x64xf32> -> tensor<64xf32>
      %b = arith.addf %a, %m : tensor<64xf32>
      scf.yield %b : tensor<64xf32>
    }
    diffattn_tile.store %r, %out : tensor<64xf32>, memref<64xf32>
    gpu.return
  }

  // Of two masks one follows the induction variable: the other stays, in all
  // iterations.
  // CHECK-LABEL: gpu.func @partly(
  // CHECK-SAME:    %[[N:[^:]*]]: index, %[[FIXED:[^:]*]]: index
  // CHECK:      scf.for
  // CHECK-COUNT-1: diffattn_tile.mask %{{.*}}[%[[FIXED]]]
  // CHECK-NOT:    diffattn_tile.mask
  // CHECK:      scf.for
  // CHECK-COUNT-2: diffattn_tile.mask
  // CHECK-NOT:  scf.for
  // CHECK:      gpu.return
  gpu.func @partly(%n: index, %fixed: index, %end: index, %s: tensor<64x64xf32>, %init: tensor<64xf32>, %out: memref<64xf32>) kernel {
    %c0 = arith.constant 0 : index
    %c64 = arith.constant 64 : index
    %r = scf.for %i = %c0 to %end step %c64 iter_args(%a = %init) -> tensor<64xf32> {
      %rest = arith.subi %n, %i : index
      %t = diffattn_tile.mask %s[%rest] where #ragged else 0xFF800000 : tensor<64x64xf32>
      %u = diffattn_tile.mask %t[%fixed] where #ragged else 0xFF800000 : tensor<64x64xf32>
      %m = diffattn_tile.reduce max %u along 1 : tensor<64x64xf32> -> tensor<64xf32>
      %b = arith.addf %a, %m : tensor<64xf32>
      scf.yield %b : tensor<64xf32>
    }
    diffattn_tile.store %r, %out : tensor<64xf32>, memref<64xf32>
    gpu.return
  }

  // Symbols that do not move by one with the induction variable, and loops
  // without masks.
  // CHECK-LABEL: gpu.func @left_alone(
  // CHECK-COUNT-3: scf.for
  // CHECK-NOT:   scf.for
  // CHECK:       gpu.return
  gpu.func @left_alone(%n: index, %end: index, %s: tensor<64x64xf32>, %init: tensor<64xf32>, %out: memref<64xf32>) kernel {
    %c0 = arith.constant 0 : index
    %c64 = arith.constant 64 : index
    %r0 = scf.for %i = %c0 to %end step %c64 iter_args(%a = %init) -> tensor<64xf32> {
      %twice = arith.addi %i, %i : index
      %rest = arith.subi %n, %twice : index
      %t = diffattn_tile.mask %s[%rest] where #ragged else 0xFF800000 : tensor<64x64xf32>
      %m = diffattn_tile.reduce max %t along 1 : tensor<64x64xf32> -> tensor<64xf32>
      %b = arith.addf %a, %m : tensor<64xf32>
      scf.yield %b : tensor<64xf32>
    }
    %r1 = scf.for %i = %c0 to %end step %c64 iter_args(%a = %r0) -> tensor<64xf32> {
      %scaled = arith.muli %i, %n : index
      %t = diffattn_tile.mask %s[%scaled] where #ragged else 0xFF800000 : tensor<64x64xf32>
      %m = diffattn_tile.reduce max %t along 1 : tensor<64x64xf32> -> tensor<64xf32>
      %b = arith.addf %a, %m : tensor<64xf32>
      scf.yield %b : tensor<64xf32>
    }
    %r2 = scf.for %i = %c0 to %end step %c64 iter_args(%a = %r1) -> tensor<64xf32> {
      %b = arith.addf %a, %a : tensor<64xf32>
      scf.yield %b : tensor<64xf32>
    }
    diffattn_tile.store %r2, %out : tensor<64xf32>, memref<64xf32>
    gpu.return
  }
}
