// RUN: diffattn-opt %s --diffattn-cpu-vectorize=target=cpu-baseline --canonicalize --cse | FileCheck %s --check-prefixes=CHECK,SSE
// RUN: diffattn-opt %s --diffattn-cpu-vectorize=target=cpu-avx2 --canonicalize --cse | FileCheck %s --check-prefixes=CHECK,AVX2
// RUN: diffattn-opt %s --diffattn-cpu-vectorize=target=cpu-avx512 --canonicalize --cse | FileCheck %s --check-prefixes=CHECK,AVX512

#a = affine_map<(i, j, k) -> (i, k)>
#b = affine_map<(i, j, k) -> (k, j)>
#c = affine_map<(i, j, k) -> (i, j)>

// A block of accumulators starts from zero, stays in registers for the whole
// reduction and is added to the result at its end. With 16 registers the block
// is 4 rows by 2 vectors of 4 or 8 lanes; with 32 it is 8 by 2 of 16 lanes, all
// of the result here.
// CHECK-LABEL: func @blocks(
// CHECK-SAME:    %[[A:[^:]*]]: memref<8x24xf32>, %[[B:[^:]*]]: memref<24x32xf32>, %[[C:[^:]*]]: memref<8x32xf32>)
func.func @blocks(%a: memref<8x24xf32>, %b: memref<24x32xf32>, %c: memref<8x32xf32>) {
  // CHECK-DAG: %[[C0:.*]] = arith.constant 0 : index
  // CHECK-DAG: %[[C1:.*]] = arith.constant 1 : index
  // CHECK-DAG: %[[C24:.*]] = arith.constant 24 : index
  // SSE-DAG: %[[ZERO:.*]] = arith.constant dense<0.0{{.*}}> : vector<4xf32>
  // AVX2-DAG: %[[ZERO:.*]] = arith.constant dense<0.0{{.*}}> : vector<8xf32>
  // AVX512-DAG: %[[ZERO:.*]] = arith.constant dense<0.0{{.*}}> : vector<16xf32>
  // SSE: scf.for %[[J:.*]] = %[[C0]] to %c32 step %c8
  // SSE:   scf.for %[[I:.*]] = %[[C0]] to %c8 step %c4
  // AVX2: scf.for %[[J:.*]] = %[[C0]] to %c32 step %c16
  // AVX2:  scf.for %[[I:.*]] = %[[C0]] to %c8 step %c4
  // SSE:   %[[SUMS:.*]]:8 = scf.for %[[K:[^ ]*]] = %[[C0]] to %[[C24]] step %[[C1]] iter_args(%[[SUM:[^ ]*]] = %[[ZERO]],
  // AVX2:  %[[SUMS:.*]]:8 = scf.for %[[K:[^ ]*]] = %[[C0]] to %[[C24]] step %[[C1]] iter_args(%[[SUM:[^ ]*]] = %[[ZERO]],
  // AVX512: %[[SUMS:.*]]:16 = scf.for %[[K:[^ ]*]] = %[[C0]] to %[[C24]] step %[[C1]] iter_args(%[[SUM:[^ ]*]] = %[[ZERO]],
  // Two vectors of b, then a scalar of a for each row.
  // CHECK:   %[[V:.*]] = vector.load %[[B]][%[[K]],
  // CHECK:   vector.load %[[B]][%[[K]],
  // CHECK:   %[[S:.*]] = memref.load %[[A]][{{.*}}, %[[K]]]
  // CHECK:   %[[SV:.*]] = vector.broadcast %[[S]]
  // Without fused multiply-add two instructions do; never a library call.
  // SSE:     %[[PRODUCT:.*]] = arith.mulf %[[SV]], %[[V]] : vector<4xf32>
  // SSE:     arith.addf %[[SUM]], %[[PRODUCT]] : vector<4xf32>
  // SSE-NOT: vector.fma
  // AVX2:    vector.fma %[[SV]], %[[V]], %[[SUM]] : vector<8xf32>
  // AVX512:  vector.fma %[[SV]], %[[V]], %[[SUM]] : vector<16xf32>
  // CHECK:   scf.yield
  // CHECK: %[[BEFORE:.*]] = vector.load %[[C]]
  // CHECK: %[[AFTER:.*]] = arith.addf %[[BEFORE]], %[[SUMS]]#0
  // CHECK: vector.store %[[AFTER]], %[[C]]
  // CHECK-NOT: linalg
  linalg.generic {indexing_maps = [#a, #b, #c], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%a, %b : memref<8x24xf32>, memref<24x32xf32>) outs(%c : memref<8x32xf32>) {
  ^bb0(%x: f32, %y: f32, %z: f32):
    %p = arith.mulf %x, %y : f32
    %s = arith.addf %z, %p : f32
    linalg.yield %s : f32
  }
  return
}

// Fewer lanes than a register has: the largest power of two that divides them.
// CHECK-LABEL: func @narrow(
func.func @narrow(%a: memref<8x24xf32>, %b: memref<24x12xf32>, %c: memref<8x12xf32>) {
  // CHECK: vector.load {{.*}} vector<4xf32>
  // CHECK-NOT: vector<8xf32>
  // CHECK-NOT: vector<16xf32>
  linalg.generic {indexing_maps = [#a, #b, #c], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%a, %b : memref<8x24xf32>, memref<24x12xf32>) outs(%c : memref<8x12xf32>) {
  ^bb0(%x: f32, %y: f32, %z: f32):
    %p = arith.mulf %y, %x : f32
    %s = arith.addf %p, %z : f32
    linalg.yield %s : f32
  }
  return
}

// (pair, branch, row) of a score tile are so many lanes: the buffers are seen
// with these dimensions collapsed.
// CHECK-LABEL: func @lanes_of_several_dimensions(
// CHECK-SAME:    %[[A:[^:]*]]: memref<8x24xf32>, %[[B:[^:]*]]: memref<24x3x2x8xf32>, %[[C:[^:]*]]: memref<8x3x2x8xf32>)
func.func @lanes_of_several_dimensions(%a: memref<8x24xf32>, %b: memref<24x3x2x8xf32>,
                                       %c: memref<8x3x2x8xf32>) {
  // CHECK-DAG: %[[BL:.*]] = memref.collapse_shape %[[B]] {{\[}}[0], [1, 2, 3]] {{.*}} into memref<24x48xf32>
  // CHECK-DAG: %[[CL:.*]] = memref.collapse_shape %[[C]] {{\[}}[0], [1, 2, 3]] {{.*}} into memref<8x48xf32>
  // CHECK: vector.load %[[BL]]
  // CHECK: vector.store %{{.*}}, %[[CL]]
  linalg.generic {
      indexing_maps = [affine_map<(i, p, r, m, k) -> (i, k)>,
                       affine_map<(i, p, r, m, k) -> (k, p, r, m)>,
                       affine_map<(i, p, r, m, k) -> (i, p, r, m)>],
      iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction"]}
      ins(%a, %b : memref<8x24xf32>, memref<24x3x2x8xf32>) outs(%c : memref<8x3x2x8xf32>) {
  ^bb0(%x: f32, %y: f32, %z: f32):
    %p = arith.mulf %x, %y : f32
    %s = arith.addf %z, %p : f32
    linalg.yield %s : f32
  }
  return
}

// Rows of unknown number cannot be blocked: the general path takes over, which
// has no accumulators from zero.
// CHECK-LABEL: func @dynamic_rows(
func.func @dynamic_rows(%a: memref<?x24xf32>, %b: memref<24x32xf32>, %c: memref<?x32xf32>) {
  // CHECK-NOT: dense<0.0
  // CHECK: vector.load
  // CHECK-NOT: linalg
  linalg.generic {indexing_maps = [#a, #b, #c], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%a, %b : memref<?x24xf32>, memref<24x32xf32>) outs(%c : memref<?x32xf32>) {
  ^bb0(%x: f32, %y: f32, %z: f32):
    %p = arith.mulf %x, %y : f32
    %s = arith.addf %z, %p : f32
    linalg.yield %s : f32
  }
  return
}

// Products of which both operands lie along the reduction have no lanes.
// CHECK-LABEL: func @no_lanes(
func.func @no_lanes(%a: memref<8x24xf32>, %b: memref<32x24xf32>, %c: memref<8x32xf32>) {
  // CHECK: linalg.generic
  linalg.generic {indexing_maps = [#a, affine_map<(i, j, k) -> (j, k)>, #c],
                  iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%a, %b : memref<8x24xf32>, memref<32x24xf32>) outs(%c : memref<8x32xf32>) {
  ^bb0(%x: f32, %y: f32, %z: f32):
    %p = arith.mulf %x, %y : f32
    %s = arith.addf %z, %p : f32
    linalg.yield %s : f32
  }
  return
}
