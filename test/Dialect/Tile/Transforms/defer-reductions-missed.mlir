// A sum that starts from a number nobody knows the parts of.

// RUN: diffattn-opt %s --pass-pipeline='builtin.module(gpu.module(gpu.func(diffattn-tile-defer-reductions)))' --remarks-filter=diffattn-tile-defer-reductions -o %t 2>&1 | FileCheck %s
// RUN: diffattn-opt %s | diff %t -

#acc = #diffattn_tile.fragment<register = [d2*2, d1*2, d2*8:8], lane = [d2*4:2, d0*8], warp = [d0*4:8]>
#row = #diffattn_tile.fragment<register = [d1*2], lane = [_*4, d0*8], warp = [d0*4:8]>
!scores = tensor<32x2x64xf32, #acc>
!rows = tensor<32x2xf32, #row>

gpu.module @kernels {
  gpu.func @unknown(%n: index, %p: !scores, %init: !rows, %out: memref<32x2xf32>) kernel {
    %c0 = arith.constant 0 : index
    %c64 = arith.constant 64 : index
    // CHECK: [[@LINE+1]]:{{[0-9]+}}: remark: [Missed] DeferReductions | Category:diffattn-tile-defer-reductions{{.*}}a carried sum starts neither from zero nor from a sum along the same dimension
    %r = scf.for %i = %c0 to %n step %c64 iter_args(%l = %init) -> !rows {
      %sum = diffattn_tile.reduce add %p along 2 : !scores -> !rows
      %new = arith.addf %l, %sum : !rows
      scf.yield %new : !rows
    }
    diffattn_tile.store %r, %out : !rows, memref<32x2xf32>
    gpu.return
  }
}
