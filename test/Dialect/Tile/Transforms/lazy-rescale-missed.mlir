// A maximum that nothing is scaled by.

// RUN: diffattn-opt %s --pass-pipeline='builtin.module(gpu.module(gpu.func(diffattn-tile-lazy-rescale)))' --remarks-filter=diffattn-tile-lazy-rescale -o %t 2>&1 | FileCheck %s
// RUN: diffattn-opt %s | diff %t -

gpu.module @kernels {
  gpu.func @maximum(%n: index, %s: tensor<64x64xf32>, %init: tensor<64xf32>, %out: memref<64xf32>) kernel {
    %c0 = arith.constant 0 : index
    %c64 = arith.constant 64 : index
    %r = scf.for %i = %c0 to %n step %c64 iter_args(%m = %init) -> tensor<64xf32> {
      %max = diffattn_tile.reduce max %s along 1 : tensor<64x64xf32> -> tensor<64xf32>
      // CHECK: [[@LINE+1]]:{{[0-9]+}}: remark: [Missed] LazyRescale | Category:diffattn-tile-lazy-rescale{{.*}}no accumulator is scaled by what this maximum grows
      %new = arith.maxnumf %max, %m : tensor<64xf32>
      scf.yield %new : tensor<64xf32>
    }
    diffattn_tile.store %r, %out : tensor<64xf32>, memref<64xf32>
    gpu.return
  }
}
