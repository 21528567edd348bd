// RUN: diffattn-opt %s --pass-pipeline='builtin.module(gpu.module(gpu.func(diffattn-tile-lazy-rescale)))' -o %t.lazy.mlir
// RUN: diffattn-opt %t.lazy.mlir --pass-pipeline='builtin.module(gpu.module(gpu.func(diffattn-tile-assume-maxima,canonicalize,cse)))' -o %t.mlir
// RUN: FileCheck %s < %t.mlir
// RUN: diffattn-opt %t.mlir --pass-pipeline='builtin.module(gpu.module(gpu.func(diffattn-tile-assume-maxima)))' | diff %t.mlir -

#acc = #diffattn_tile.fragment<register = [d2*2, d1*2, d2*8:8], lane = [d2*4:2, d0*8], warp = [d0*4:8]>
#row = #diffattn_tile.fragment<register = [d1*2], lane = [_*4, d0*8], warp = [d0*4:8]>
#part = #diffattn_tile.fragment<register = [d1*2], lane = [d2*4, d0*8], warp = [d0*4:8]>
#left = affine_set<(d0, d1, d2)[s0] : (-d2 + s0 >= 0)>
!tile = tensor<32x2x64xf32, #acc>
!weights = tensor<32x2x64xbf16, #acc>
!rows = tensor<32x2xf32, #row>
!bools = tensor<32x2xi1, #row>
!parts = tensor<32x2x4xf32, #part>

gpu.module @kernels {
  // Weights follow from the old maximum; the sum, the accumulator and what the
  // next product reads are chosen at the end.
  // CHECK-LABEL: gpu.func @forward(
  // CHECK-DAG:   %[[NEGINF:.*]] = arith.constant dense<0xFF800000>
  // CHECK-DAG:   %[[EIGHT:.*]] = arith.constant dense<8.000000e+00>
  // CHECK-DAG:   %[[BELOW:.*]] = arith.constant dense<-1.000000e+00>
  // CHECK:       scf.for {{.*}} iter_args(%[[ACC:.*]] = %{{.*}}, %[[M:.*]] = %{{.*}}, %[[L:.*]] = %{{.*}}, %{{.*}} = %{{[^)]*}})
  // CHECK-NOT:     diffattn_tile.reduce
  // CHECK:         %[[SCALED:.*]] = arith.mulf %[[S:.*]], %{{.*}} : tensor<32x2x64xf32
  // CHECK:         %[[NONE:.*]] = arith.cmpf oeq, %[[M]], %[[NEGINF]]
  // CHECK:         %[[FINITE:.*]] = arith.select %[[NONE]], %{{.*}}, %[[M]]
  // CHECK:         %[[COLUMNS:.*]] = diffattn_tile.broadcast %[[FINITE]] along 2
  // CHECK:         %[[E:.*]] = arith.subf %[[SCALED]], %[[COLUMNS]]
  // CHECK:         %[[LIMIT:.*]] = arith.select %[[NONE]], %[[BELOW]], %[[EIGHT]]
  // CHECK:         %[[TOP:.*]] = diffattn_tile.thread_reduce max_zero %[[E]] along 2
  // CHECK:         %[[LIMITS:.*]] = diffattn_tile.broadcast %[[LIMIT]] along 2
  // CHECK:         %[[EXCEEDS:.*]] = arith.cmpf ogt, %[[TOP]], %[[LIMITS]]
  // CHECK:         %[[ANY:.*]] = diffattn_tile.warp_any %[[EXCEEDS]]
  // CHECK:         %[[P:.*]] = math.exp2 %[[E]]
  // CHECK:         %[[PART:.*]] = diffattn_tile.thread_reduce add %[[P]] along 2
  // CHECK:         %[[SUM:.*]] = arith.addf %[[L]], %[[PART]]
  // CHECK:         %[[W:.*]] = arith.truncf %[[P]]
  // CHECK:         %[[R:.*]]:4 = scf.if %[[ANY]]
  // CHECK:           %[[ROW:.*]] = diffattn_tile.reduce max %[[E]] along 2
  // CHECK:           %[[FAR:.*]] = arith.cmpf ogt, %[[ROW]], %[[EIGHT]]
  // CHECK:           %[[MOVES:.*]] = arith.ori %[[FAR]], %[[NONE]]
  // CHECK:           %[[NEW:.*]] = arith.addf %[[FINITE]], %[[ROW]]
  // CHECK:           %[[KEPT:.*]] = arith.select %[[MOVES]], %[[NEW]], %[[M]]
  // CHECK:           %[[DROP:.*]] = arith.subf %[[M]], %{{.*}}
  // CHECK:           %[[FACTOR:.*]] = math.exp2 %[[DROP]]
  // CHECK:           %[[SHIFTED:.*]] = arith.subf %[[E]], %{{.*}}
  // CHECK:           %[[P2:.*]] = math.exp2 %[[SHIFTED]]
  // CHECK:           %[[PART2:.*]] = diffattn_tile.thread_reduce add %[[P2]]
  // CHECK:           %[[L2:.*]] = arith.mulf %{{.*}}, %[[L]]
  // CHECK:           %[[SUM2:.*]] = arith.addf %[[L2]], %[[PART2]]
  // CHECK:           %[[ACC2:.*]] = arith.mulf %{{.*}}, %[[ACC]]
  // CHECK:           %[[W2:.*]] = arith.truncf %[[P2]]
  // CHECK:           scf.yield %[[SUM2]], %[[ACC2]], %[[W2]], %[[KEPT]]
  // CHECK:         } else {
  // CHECK-NEXT:      scf.yield %[[SUM]], %[[ACC]], %[[W]], %[[M]]
  // CHECK:         scf.yield %{{.*}}, %[[R]]#3, %[[R]]#0, %[[R]]#2
  gpu.func @forward(%n: index, %s: !tile, %v: tensor<64x64xbf16>, %w: !weights, %out: memref<32x2x64xf32>, %lse: memref<32x2xf32>) kernel {
    %c0 = arith.constant 0 : index
    %c64 = arith.constant 64 : index
    %none = arith.constant dense<0xFF800000> : !rows
    %zero = arith.constant dense<0.0> : !rows
    %zeros = arith.constant dense<0.0> : !tile
    %parts = arith.constant dense<0.0> : !parts
    %scale = arith.constant dense<0.125> : !tile
    %row_scale = arith.constant dense<0.125> : !rows
    %r:4 = scf.for %i = %c0 to %n step %c64 iter_args(%acc = %zeros, %m = %none, %l = %parts, %last = %w) -> (!tile, !rows, !parts, !weights) {
      %top = diffattn_tile.reduce max %s along 2 : !tile -> !rows
      %scaled_top = arith.mulf %top, %row_scale : !rows
      %new = arith.maxnumf %scaled_top, %m : !rows
      %is_none = arith.cmpf oeq, %new, %none : !rows
      %finite = arith.select %is_none, %zero, %new : !bools, !rows
      %drop = arith.subf %m, %finite : !rows
      %factor = math.exp2 %drop : !rows
      %scaled = arith.mulf %s, %scale : !tile
      %columns = diffattn_tile.broadcast %finite along 2 : !rows -> !tile
      %e = arith.subf %scaled, %columns : !tile
      %p = math.exp2 %e : !tile
      %part = diffattn_tile.thread_reduce add %p along 2 : !tile -> !parts
      %factors = diffattn_tile.broadcast %factor along 2 : !rows -> !parts
      %scaled_l = arith.mulf %factors, %l : !parts
      %sum = arith.addf %scaled_l, %part : !parts
      %all = diffattn_tile.broadcast %factor along 2 : !rows -> !tile
      %scaled_acc = arith.mulf %all, %acc : !tile
      %next = arith.truncf %p : !tile to !weights
      %pv = diffattn_tile.dot %last, %v, %scaled_acc : !weights, tensor<64x64xbf16>, !tile
      scf.yield %pv, %new, %sum, %next : !tile, !rows, !parts, !weights
    }
    %sum = diffattn_tile.reduce add %r#2 along 2 : !parts -> !rows
    %log = arith.addf %r#1, %sum : !rows
    diffattn_tile.store %log, %lse : !rows, memref<32x2xf32>
    diffattn_tile.store %r#0, %out : !tile, memref<32x2x64xf32>
    gpu.return
  }

  // Masks come last, so that the product and the difference stay one instruction.
  // CHECK-LABEL: gpu.func @masked(
  // CHECK:         %[[SCALED:.*]] = arith.mulf %{{.*}}, %{{.*}} : tensor<32x2x64xf32
  // CHECK:         %[[E:.*]] = arith.subf %[[SCALED]], %{{.*}}
  // CHECK:         %[[MASKED:.*]] = diffattn_tile.mask %[[E]][%{{.*}}] where #{{.*}} else 0xFF800000
  // CHECK:         diffattn_tile.thread_reduce max_zero %[[MASKED]]
  // CHECK:         math.exp2 %[[MASKED]]
  //
  // Exponents of another scale than the maximum: its rows say nothing of them.
  // CHECK-LABEL: gpu.func @other_scale(
  // CHECK:         diffattn_tile.reduce max
  // CHECK-NOT:     max_zero
  gpu.func @masked(%n: index, %s: !tile, %v: tensor<64x64xbf16>, %out: memref<32x2x64xf32>) kernel {
    %c0 = arith.constant 0 : index
    %c64 = arith.constant 64 : index
    %none = arith.constant dense<0xFF800000> : !rows
    %zero = arith.constant dense<0.0> : !rows
    %zeros = arith.constant dense<0.0> : !tile
    %scale = arith.constant dense<0.125> : !tile
    %row_scale = arith.constant dense<0.125> : !rows
    %r:2 = scf.for %i = %c0 to %n step %c64 iter_args(%acc = %zeros, %m = %none) -> (!tile, !rows) {
      %x = diffattn_tile.mask %s[%i] where #left else 0xFF800000 : !tile
      %top = diffattn_tile.reduce max %x along 2 : !tile -> !rows
      %scaled_top = arith.mulf %top, %row_scale : !rows
      %new = arith.maxnumf %scaled_top, %m : !rows
      %is_none = arith.cmpf oeq, %new, %none : !rows
      %finite = arith.select %is_none, %zero, %new : !bools, !rows
      %drop = arith.subf %m, %finite : !rows
      %factor = math.exp2 %drop : !rows
      %scaled = arith.mulf %x, %scale : !tile
      %columns = diffattn_tile.broadcast %finite along 2 : !rows -> !tile
      %e = arith.subf %scaled, %columns : !tile
      %p = math.exp2 %e : !tile
      %all = diffattn_tile.broadcast %factor along 2 : !rows -> !tile
      %scaled_acc = arith.mulf %all, %acc : !tile
      %next = arith.truncf %p : !tile to !weights
      %pv = diffattn_tile.dot %next, %v, %scaled_acc : !weights, tensor<64x64xbf16>, !tile
      scf.yield %pv, %new : !tile, !rows
    }
    diffattn_tile.store %r#0, %out : !tile, memref<32x2x64xf32>
    gpu.return
  }

  gpu.func @other_scale(%n: index, %s: !tile, %v: tensor<64x64xbf16>, %out: memref<32x2x64xf32>) kernel {
    %c0 = arith.constant 0 : index
    %c64 = arith.constant 64 : index
    %none = arith.constant dense<0xFF800000> : !rows
    %zero = arith.constant dense<0.0> : !rows
    %zeros = arith.constant dense<0.0> : !tile
    %scale = arith.constant dense<0.25> : !tile
    %row_scale = arith.constant dense<0.125> : !rows
    %r:2 = scf.for %i = %c0 to %n step %c64 iter_args(%acc = %zeros, %m = %none) -> (!tile, !rows) {
      %top = diffattn_tile.reduce max %s along 2 : !tile -> !rows
      %scaled_top = arith.mulf %top, %row_scale : !rows
      %new = arith.maxnumf %scaled_top, %m : !rows
      %is_none = arith.cmpf oeq, %new, %none : !rows
      %finite = arith.select %is_none, %zero, %new : !bools, !rows
      %drop = arith.subf %m, %finite : !rows
      %factor = math.exp2 %drop : !rows
      %scaled = arith.mulf %s, %scale : !tile
      %columns = diffattn_tile.broadcast %finite along 2 : !rows -> !tile
      %e = arith.subf %scaled, %columns : !tile
      %p = math.exp2 %e : !tile
      %all = diffattn_tile.broadcast %factor along 2 : !rows -> !tile
      %scaled_acc = arith.mulf %all, %acc : !tile
      %next = arith.truncf %p : !tile to !weights
      %pv = diffattn_tile.dot %next, %v, %scaled_acc : !weights, tensor<64x64xbf16>, !tile
      scf.yield %pv, %new : !tile, !rows
    }
    diffattn_tile.store %r#0, %out : !tile, memref<32x2x64xf32>
    gpu.return
  }
}
