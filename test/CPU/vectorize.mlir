// RUN: diffattn-opt %s --diffattn-cpu-vectorize=target=cpu-avx2 --canonicalize --cse | FileCheck %s

// The lanes are the trailing dimensions that all operands share contiguously;
// what has none of them is loaded once and broadcast.
// CHECK-LABEL: func @elementwise(
// CHECK-SAME:    %[[X:[^:]*]]: memref<4x3x8xf32>, %[[Y:[^:]*]]: memref<3x8xf32>, %[[W:[^:]*]]: memref<4xf32>, %[[S:[^:]*]]: f32)
func.func @elementwise(%x: memref<4x3x8xf32>, %y: memref<3x8xf32>, %w: memref<4xf32>, %s: f32) {
  // CHECK-DAG: %[[YL:.*]] = memref.collapse_shape %[[Y]] {{\[}}[0, 1]] : {{.*}} into memref<24xf32>
  // CHECK-DAG: %[[XL:.*]] = memref.collapse_shape %[[X]] {{\[}}[0], [1, 2]] : {{.*}} into memref<4x24xf32>
  // CHECK: scf.for %[[I:.*]] = %c0 to %c4 step %c1
  // CHECK:   scf.for %[[LANE:.*]] = %c0 to %c24 step %c8
  // CHECK-DAG: %[[A:.*]] = vector.load %[[YL]][%[[LANE]]] : memref<24xf32>, vector<8xf32>
  // CHECK-DAG: %[[WI:.*]] = memref.load %[[W]][%[[I]]]
  // CHECK-DAG: %[[B:.*]] = vector.broadcast %[[WI]] : f32 to vector<8xf32>
  // CHECK-DAG: %[[C:.*]] = vector.broadcast %[[S]] : f32 to vector<8xf32>
  // CHECK-DAG: %[[D:.*]] = vector.load %[[XL]][%[[I]], %[[LANE]]]
  // CHECK:     vector.store %{{.*}}, %[[XL]][%[[I]], %[[LANE]]]
  linalg.generic {
      indexing_maps = [affine_map<(i, j, k) -> (j, k)>, affine_map<(i, j, k) -> (i)>,
                       affine_map<(i, j, k) -> ()>, affine_map<(i, j, k) -> (i, j, k)>],
      iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%y, %w, %s : memref<3x8xf32>, memref<4xf32>, f32) outs(%x : memref<4x3x8xf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32, %d: f32):
    %0 = arith.mulf %a, %d : f32
    %1 = arith.addf %0, %b : f32
    %2 = arith.addf %1, %c : f32
    linalg.yield %2 : f32
  }
  return
}

// Rows that are padded in memory are lanes on their own.
// CHECK-LABEL: func @padded_rows(
func.func @padded_rows(%x: memref<4x3x8xf32, strided<[32, 10, 1]>>) {
  // CHECK-NOT: memref.collapse_shape
  // CHECK: vector.load %{{.*}}[%{{.*}}, %{{.*}}, %{{.*}}] : memref<4x3x8xf32, strided<[32, 10, 1]>>, vector<8xf32>
  %c = arith.constant 2.0 : f32
  linalg.generic {indexing_maps = [affine_map<(i, j, k) -> (i, j, k)>],
                  iterator_types = ["parallel", "parallel", "parallel"]}
      outs(%x : memref<4x3x8xf32, strided<[32, 10, 1]>>) {
  ^bb0(%a: f32):
    %0 = arith.mulf %a, %c : f32
    linalg.yield %0 : f32
  }
  return
}

// Up to four vectors at once, so that independent chains overlap.
// CHECK-LABEL: func @four_vectors(
func.func @four_vectors(%x: memref<64xf32>) {
  // CHECK: scf.for %{{.*}} = %c0 to %c64 step %c32
  // CHECK-COUNT-4: math.exp2 %{{.*}} : vector<8xf32>
  // CHECK-NOT: math.exp2
  linalg.generic {indexing_maps = [affine_map<(i) -> (i)>], iterator_types = ["parallel"]}
      outs(%x : memref<64xf32>) {
  ^bb0(%a: f32):
    %0 = math.exp2 %a : f32
    linalg.yield %0 : f32
  }
  return
}

// Index computations of a body become vectors; lane l is (i, j, k) with
// i = l / 24 and k = l mod 8.
// CHECK-LABEL: func @index(
func.func @index(%x: memref<4x3x8xf32>, %limit: index) {
  // CHECK-DAG: %[[C8:.*]] = arith.constant dense<8> : vector<8xindex>
  // CHECK-DAG: %[[C24:.*]] = arith.constant dense<24> : vector<8xindex>
  // CHECK: scf.for %[[LANE:.*]] = %c0 to %c96
  // CHECK-DAG: %[[STEP:.*]] = vector.step : vector<8xindex>
  // CHECK-DAG: %[[FIRST:.*]] = vector.broadcast %[[LANE]] : index to vector<8xindex>
  // CHECK: %[[FLAT:.*]] = arith.addi %[[FIRST]], %[[STEP]]
  // CHECK-DAG: %[[I:.*]] = arith.divui %[[FLAT]], %[[C24]]
  // CHECK-DAG: %[[K:.*]] = arith.remui %[[FLAT]], %[[C8]]
  // CHECK: %[[D:.*]] = arith.subi %[[K]], %[[I]]
  // CHECK: %[[M:.*]] = arith.cmpi slt, %[[D]], %{{.*}} : vector<8xindex>
  // CHECK: arith.select %[[M]], %{{.*}} : vector<8xi1>, vector<8xf32>
  %low = arith.constant 0xFF800000 : f32
  linalg.generic {indexing_maps = [affine_map<(i, j, k) -> (i, j, k)>],
                  iterator_types = ["parallel", "parallel", "parallel"]}
      outs(%x : memref<4x3x8xf32>) {
  ^bb0(%a: f32):
    %i = linalg.index 0 : index
    %k = linalg.index 2 : index
    %d = arith.subi %k, %i : index
    %v = arith.cmpi slt, %d, %limit : index
    %0 = arith.select %v, %a, %low : f32
    linalg.yield %0 : f32
  }
  return
}

//===----------------------------------------------------------------------===//
// Reductions
//===----------------------------------------------------------------------===//

// The output is carried in registers, stored once. A maximum is a comparison.
// CHECK-LABEL: func @reduction(
// CHECK-SAME:    %[[X:[^:]*]]: memref<6x16xf32>, %[[M:[^:]*]]: memref<16xf32>)
func.func @reduction(%x: memref<6x16xf32>, %m: memref<16xf32>) {
  // CHECK: %[[M0:.*]] = vector.load %[[M]][%c0]
  // CHECK: %[[M1:.*]] = vector.load %[[M]][%c8]
  // CHECK: %[[R:.*]]:2 = scf.for %[[I:[^ ]*]] = %c0 to %c6 step %c1 iter_args(%[[A:[^ ]*]] = %[[M0]], %[[B:[^ ]*]] = %[[M1]])
  // CHECK:   %[[E:.*]] = vector.load %[[X]][%[[I]], %c0]
  // CHECK:   %[[GREATER:.*]] = arith.cmpf ogt, %[[E]], %[[A]]
  // CHECK:   arith.select %[[GREATER]], %[[E]], %[[A]]
  // CHECK-NOT: vector.store
  // CHECK: }
  // CHECK: vector.store %[[R]]#0, %[[M]][%c0]
  // CHECK: vector.store %[[R]]#1, %[[M]][%c8]
  linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (j)>],
                  iterator_types = ["reduction", "parallel"]}
      ins(%x : memref<6x16xf32>) outs(%m : memref<16xf32>) {
  ^bb0(%a: f32, %b: f32):
    %greater = arith.cmpf ogt, %a, %b : f32
    %0 = arith.select %greater, %a, %b : f32
    linalg.yield %0 : f32
  }
  return
}

// p and its row sums: one output stored in every step, one carried.
// CHECK-LABEL: func @stored_and_carried(
// CHECK-SAME:    %[[X:[^:]*]]: memref<6x8xf32>, %[[S:[^:]*]]: memref<8xf32>)
func.func @stored_and_carried(%x: memref<6x8xf32>, %s: memref<8xf32>) {
  // CHECK: %[[S0:.*]] = vector.load %[[S]]
  // CHECK: %[[R:.*]] = scf.for %[[I:[^ ]*]] = {{.*}} iter_args(%[[SUM:.*]] = %[[S0]])
  // CHECK:   %[[P:.*]] = math.exp2
  // CHECK:   %[[NEXT:.*]] = arith.addf %[[SUM]], %[[P]]
  // CHECK:   vector.store %[[P]], %[[X]][%[[I]], %c0]
  // CHECK:   scf.yield %[[NEXT]]
  // CHECK: vector.store %[[R]], %[[S]]
  linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (j)>],
                  iterator_types = ["reduction", "parallel"]}
      outs(%x, %s : memref<6x8xf32>, memref<8xf32>) {
  ^bb0(%a: f32, %b: f32):
    %0 = math.exp2 %a : f32
    %1 = arith.addf %b, %0 : f32
    linalg.yield %0, %1 : f32, f32
  }
  return
}

// Sums over rows and over columns cannot both be carried by one nest of loops.
// CHECK-LABEL: func @reductions_disagree(
func.func @reductions_disagree(%x: memref<4x3x8xf32>, %a: memref<4x8xf32>, %b: memref<3x8xf32>) {
  // CHECK: linalg.generic
  linalg.generic {
      indexing_maps = [affine_map<(i, j, k) -> (i, j, k)>, affine_map<(i, j, k) -> (i, k)>,
                       affine_map<(i, j, k) -> (j, k)>],
      iterator_types = ["reduction", "reduction", "parallel"]}
      ins(%x : memref<4x3x8xf32>) outs(%a, %b : memref<4x8xf32>, memref<3x8xf32>) {
  ^bb0(%e: f32, %s: f32, %t: f32):
    %0 = arith.addf %s, %e : f32
    %1 = arith.addf %t, %e : f32
    linalg.yield %0, %1 : f32, f32
  }
  return
}

//===----------------------------------------------------------------------===//
// Copies and named ops
//===----------------------------------------------------------------------===//

// A copy becomes vector loops, not a call. A dimension of one element does not
// interrupt lanes, whatever its stride.
// CHECK-LABEL: func @copy(
func.func @copy(%x: memref<4x1x8xf32, strided<[100, 50, 1]>>, %y: memref<4x1x8xf32>) {
  // CHECK-NOT: memref.copy
  // CHECK: vector.load {{.*}} vector<8xf32>
  // CHECK: vector.store
  // CHECK-NOT: memref.copy
  memref.copy %x, %y : memref<4x1x8xf32, strided<[100, 50, 1]>> to memref<4x1x8xf32>
  return
}

// CHECK-LABEL: func @fill(
func.func @fill(%x: memref<4x8xf32>, %c: f32) {
  // CHECK: %[[V:.*]] = vector.broadcast %{{.*}} : f32 to vector<8xf32>
  // CHECK: vector.store %[[V]]
  linalg.fill ins(%c : f32) outs(%x : memref<4x8xf32>)
  return
}

// Conversions go lane by lane as well.
// CHECK-LABEL: func @convert(
func.func @convert(%x: memref<16xbf16>, %y: memref<16xf32>) {
  // CHECK: arith.extf %{{.*}} : vector<8xbf16> to vector<8xf32>
  linalg.generic {indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>],
                  iterator_types = ["parallel"]}
      ins(%x : memref<16xbf16>) outs(%y : memref<16xf32>) {
  ^bb0(%a: bf16, %b: f32):
    %0 = arith.extf %a : bf16 to f32
    linalg.yield %0 : f32
  }
  return
}

//===----------------------------------------------------------------------===//
// Left for convert-linalg-to-loops
//===----------------------------------------------------------------------===//

// CHECK-LABEL: func @transpose(
func.func @transpose(%x: memref<4x8xf32>, %y: memref<8x4xf32>) {
  // CHECK: linalg.transpose
  linalg.transpose ins(%x : memref<4x8xf32>) outs(%y : memref<8x4xf32>) permutation = [1, 0]
  return
}

// CHECK-LABEL: func @dynamic_lanes(
func.func @dynamic_lanes(%x: memref<4x?xf32>) {
  // CHECK: linalg.exp
  linalg.exp ins(%x : memref<4x?xf32>) outs(%x : memref<4x?xf32>)
  return
}

// A sum over the lanes themselves.
// CHECK-LABEL: func @reduced_lanes(
func.func @reduced_lanes(%x: memref<4x8xf32>, %s: memref<4xf32>) {
  // CHECK: linalg.generic
  linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i)>],
                  iterator_types = ["parallel", "reduction"]}
      ins(%x : memref<4x8xf32>) outs(%s : memref<4xf32>) {
  ^bb0(%a: f32, %b: f32):
    %0 = arith.addf %a, %b : f32
    linalg.yield %0 : f32
  }
  return
}

// No lanes in a scalar, no vectors of complex numbers, no rank to look at.
// CHECK-LABEL: func @no_vectors(
func.func @no_vectors(%a: memref<f32>, %b: memref<f32>, %c: memref<8xcomplex<f32>>,
                      %d: memref<8xcomplex<f32>>, %e: memref<*xf32>,
                      %f: memref<*xf32>) {
  // CHECK: linalg.copy ins(%{{.*}} : memref<f32>)
  memref.copy %a, %b : memref<f32> to memref<f32>
  // CHECK: linalg.copy ins(%{{.*}} : memref<8xcomplex<f32>>)
  memref.copy %c, %d : memref<8xcomplex<f32>> to memref<8xcomplex<f32>>
  // CHECK: memref.copy %{{.*}} : memref<*xf32> to memref<*xf32>
  memref.copy %e, %f : memref<*xf32> to memref<*xf32>
  return
}
