// RUN: diffattn-opt %s --diffattn-to-tile --canonicalize --split-input-file | FileCheck %s
// RUN: diffattn-opt %s --diffattn-to-tile=elementwise --split-input-file | FileCheck %s --check-prefix=ELEMENTS

// ELEMENTS: gpu.func @frame({{.*}} kernel attributes {diffattn_tile.elementwise, diffattn_tile.grid

// The frame: arguments and results that are none become parameters, the forall
// the grid, the schedule warps and stages.

#ceil = affine_map<()[s0] -> (s0 ceildiv 16)>
#start = affine_map<(d0) -> (d0 * 16)>
#size = affine_map<(d0)[s0] -> (d0 * -16 + s0, 16)>
#rest = affine_map<(d0) -> (-d0 + 16)>
#id = affine_map<(d0, d1, d2) -> (d0, d1, d2)>
#row = affine_map<(d0, d1, d2) -> (d0, d1)>

// CHECK-NOT: func.func
// CHECK:     gpu.module @kernels {
// CHECK:     gpu.func @frame(
// CHECK-SAME:    %[[X:[^:]*]]: memref<4x?x64xf32, strided<[?, ?, 1], offset: ?>> {diffattn_tile.access = "read"}
// CHECK-SAME:    %[[Y:[^:]*]]: memref<4x?x64xf32, strided<[?, ?, 1], offset: ?>> {diffattn_tile.access = "write", diffattn_tile.result = 0 : i64}
// CHECK-SAME:    %[[Z:[^:]*]]: memref<4x?xf32, strided<[?, 1], offset: ?>> {diffattn_tile.access = "write", diffattn_tile.result = 1 : i64}
// CHECK-SAME:    kernel attributes {diffattn_tile.grid = [{constant = 4 : i64}, {argument = 0 : i64, dim = 1 : i64, tile = 16 : i64}], diffattn_tile.stages = 2 : i64, diffattn_tile.warps = 1 : i64}
func.func @frame(%x: tensor<4x?x64xf32>, %y: tensor<4x?x64xf32>) -> (tensor<4x?x64xf32>, tensor<4x?xf32>) {
  %c1 = arith.constant 1 : index
  %zero = arith.constant 0.0 : f32
  %n = tensor.dim %x, %c1 : tensor<4x?x64xf32>
  %tiles = affine.apply #ceil()[%n]
  %z = tensor.empty(%n) : tensor<4x?xf32>
  // Which block computes a tile is for another pass to say.
  // CHECK:     %[[ID:.*]]:2 = diffattn_tile.coordinates in %{{.*}}, %{{.*}}
  // CHECK:     %[[START:.*]] = affine.apply
  // CHECK:     %[[SIZE:.*]] = affine.min
  // CHECK:     %[[VIEW:.*]] = memref.subview %[[X]][%[[ID]]#0, %[[START]], 0] [1, %[[SIZE]], 64] [1, 1, 1]
  // CHECK-SAME:  to memref<?x64xf32, strided<[?, 1], offset: ?>>
  // Units are dropped, the pad is what lies beyond the run-time size.
  // CHECK:     %[[T:.*]] = diffattn_tile.load %[[VIEW]] : {{.*}} -> tensor<16x64xf32>
  %r:2 = scf.forall (%b, %i) in (4, %tiles) shared_outs(%out = %y, %sums = %z) -> (tensor<4x?x64xf32>, tensor<4x?xf32>) {
    %start = affine.apply #start(%i)
    %size = affine.min #size(%i)[%n]
    %rest = affine.apply #rest(%size)
    %slice = tensor.extract_slice %x[%b, %start, 0] [1, %size, 64] [1, 1, 1] : tensor<4x?x64xf32> to tensor<1x?x64xf32>
    %t = tensor.pad %slice low[0, 0, 0] high[0, %rest, 0] {
    ^bb0(%i0: index, %i1: index, %i2: index):
      tensor.yield %zero : f32
    } : tensor<1x?x64xf32> to tensor<1x16x64xf32>
    %e = tensor.empty() : tensor<1x16x64xf32>
    %e_row = tensor.empty() : tensor<1x16xf32>
    %zeros = linalg.fill ins(%zero : f32) outs(%e_row : tensor<1x16xf32>) -> tensor<1x16xf32>
    // CHECK:     %[[U:.*]] = math.exp2 %[[T]] : tensor<16x64xf32>
    %u = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel", "parallel"]}
        ins(%t : tensor<1x16x64xf32>) outs(%e : tensor<1x16x64xf32>) {
    ^bb0(%in: f32, %o: f32):
      %0 = math.exp2 %in : f32
      linalg.yield %0 : f32
    } -> tensor<1x16x64xf32>
    // CHECK:     %[[S:.*]] = diffattn_tile.reduce add %[[U]] along 1 : tensor<16x64xf32> -> tensor<16xf32>
    %s = linalg.generic {indexing_maps = [#id, #row], iterator_types = ["parallel", "parallel", "reduction"]}
        ins(%u : tensor<1x16x64xf32>) outs(%zeros : tensor<1x16xf32>) {
    ^bb0(%in: f32, %o: f32):
      %0 = arith.addf %o, %in : f32
      linalg.yield %0 : f32
    } -> tensor<1x16xf32>
    // CHECK:     %[[OUT:.*]] = memref.subview %[[Y]][%[[ID]]#0, %[[START]], 0] [1, %[[SIZE]], 64]
    // CHECK:     diffattn_tile.store %[[U]], %[[OUT]] : tensor<16x64xf32>, memref<?x64xf32
    // CHECK:     %[[SUMS:.*]] = memref.subview %[[Z]][%[[ID]]#0, %[[START]]] [1, %[[SIZE]]]
    // CHECK:     diffattn_tile.store %[[S]], %[[SUMS]] : tensor<16xf32>, memref<?xf32
    // CHECK:     gpu.return
    %cut = tensor.extract_slice %u[0, 0, 0] [1, %size, 64] [1, 1, 1] : tensor<1x16x64xf32> to tensor<1x?x64xf32>
    %cut_s = tensor.extract_slice %s[0, 0] [1, %size] [1, 1] : tensor<1x16xf32> to tensor<1x?xf32>
    scf.forall.in_parallel {
      tensor.parallel_insert_slice %cut into %out[%b, %start, 0] [1, %size, 64] [1, 1, 1] : tensor<1x?x64xf32> into tensor<4x?x64xf32>
      tensor.parallel_insert_slice %cut_s into %sums[%b, %start] [1, %size] [1, 1] : tensor<1x?xf32> into tensor<4x?xf32>
    }
  } {diffattn.schedule = #diffattn.schedule<query_tile = 16, pairs = 1, key_tile = 16, warps = 1, stages = 2>}
  return %r#0, %r#1 : tensor<4x?x64xf32>, tensor<4x?xf32>
}

// -----

// One op after the other, on static tiles.

#q = affine_map<(m, r, k, d) -> (m, r, d)>
#k = affine_map<(m, r, k, d) -> (k, d)>
#v = affine_map<(m, r, k, d) -> (d, k)>
#s = affine_map<(m, r, k, d) -> (m, r, k)>
#id = affine_map<(m, r, k) -> (m, r, k)>
#row = affine_map<(m, r, k) -> (m, r)>
#two = affine_map<(m, k) -> (m, k)>
#turned = affine_map<(m, k) -> (k, m)>

// CHECK-DAG: #[[$SET:.*]] = affine_set<(d0, d1, d2)[s0, s1] : (-d2 + s0 >= 0, d0 - d2 + s1 >= 0)>

// CHECK-LABEL: gpu.func @ops(
func.func @ops(%q: tensor<2x16x2x32xbf16>, %k: tensor<32x32xbf16>, %n: tensor<?xf32>,
               %o: tensor<2x32x16xf32>) -> tensor<2x32x16xf32> {
  %c0 = arith.constant 0 : index
  %zero = arith.constant 0.0 : f32
  %minf = arith.constant 0xFF800000 : f32
  %limit = tensor.dim %n, %c0 : tensor<?xf32>
  // CHECK-DAG: %[[LIMIT:.*]] = memref.dim
  %r = scf.forall (%i) in (2) shared_outs(%out = %o) -> (tensor<2x32x16xf32>) {
    // CHECK: %[[Q:.*]] = diffattn_tile.load %{{.*}} -> tensor<16x2x32xbf16>
    // CHECK: %[[K:.*]] = diffattn_tile.load %{{.*}} -> tensor<32x32xbf16>
    %tq = tensor.extract_slice %q[%i, 0, 0, 0] [1, 16, 2, 32] [1, 1, 1, 1] : tensor<2x16x2x32xbf16> to tensor<16x2x32xbf16>
    %tk = tensor.extract_slice %k[0, 0] [32, 32] [1, 1] : tensor<32x32xbf16> to tensor<32x32xbf16>
    %e = tensor.empty() : tensor<16x2x32xf32>
    %e_row = tensor.empty() : tensor<16x2xf32>
    %acc = linalg.fill ins(%zero : f32) outs(%e : tensor<16x2x32xf32>) -> tensor<16x2x32xf32>
    %low = linalg.fill ins(%minf : f32) outs(%e_row : tensor<16x2xf32>) -> tensor<16x2xf32>
    // CHECK: %[[S:.*]] = diffattn_tile.dot %[[Q]], %[[K]], %{{.*}} transposed
    %s = linalg.generic {indexing_maps = [#q, #k, #s], iterator_types = ["parallel", "parallel", "parallel", "reduction"]}
        ins(%tq, %tk : tensor<16x2x32xbf16>, tensor<32x32xbf16>) outs(%acc : tensor<16x2x32xf32>) {
    ^bb0(%a: bf16, %b: bf16, %c: f32):
      %0 = arith.extf %a : bf16 to f32
      %1 = arith.extf %b : bf16 to f32
      %2 = arith.mulf %0, %1 : f32
      %3 = arith.addf %c, %2 : f32
      linalg.yield %3 : f32
    } -> tensor<16x2x32xf32>
    // Strict comparisons have the one in their symbol.
    // CHECK: %[[LAST:.*]] = arith.subi %[[LIMIT]], %c1
    // CHECK: %[[M:.*]] = diffattn_tile.mask %[[S]][%[[LAST]], %[[LIMIT]]] where #[[$SET]] else 0xFF800000
    %m = linalg.generic {indexing_maps = [#id], iterator_types = ["parallel", "parallel", "parallel"]} outs(%s : tensor<16x2x32xf32>) {
    ^bb0(%x: f32):
      %key = linalg.index 2 : index
      %query = linalg.index 0 : index
      %0 = arith.cmpi slt, %key, %limit : index
      %1 = arith.subi %key, %query : index
      %2 = arith.cmpi sle, %1, %limit : index
      %3 = arith.andi %0, %2 : i1
      %4 = arith.select %3, %x, %minf : f32
      linalg.yield %4 : f32
    } -> tensor<16x2x32xf32>
    // CHECK: %[[MAX:.*]] = diffattn_tile.reduce max %[[M]] along 2
    %max = linalg.generic {indexing_maps = [#id, #row], iterator_types = ["parallel", "parallel", "reduction"]}
        ins(%m : tensor<16x2x32xf32>) outs(%low : tensor<16x2xf32>) {
    ^bb0(%x: f32, %y: f32):
      %0 = arith.cmpf ogt, %x, %y : f32
      %1 = arith.select %0, %x, %y : f32
      linalg.yield %1 : f32
    } -> tensor<16x2xf32>
    // CHECK: %[[B:.*]] = diffattn_tile.broadcast %[[MAX]] along 2
    // CHECK: %[[P:.*]] = arith.subf %[[M]], %[[B]]
    %p = linalg.generic {indexing_maps = [#id, #row, #id], iterator_types = ["parallel", "parallel", "parallel"]}
        ins(%m, %max : tensor<16x2x32xf32>, tensor<16x2xf32>) outs(%e : tensor<16x2x32xf32>) {
    ^bb0(%x: f32, %y: f32, %z: f32):
      %0 = arith.subf %x, %y : f32
      linalg.yield %0 : f32
    } -> tensor<16x2x32xf32>
    // The left operand is rounded to the type of the right one.
    // CHECK: %[[R:.*]] = arith.truncf %[[P]] : tensor<16x2x32xf32> to tensor<16x2x32xbf16>
    // CHECK: %[[T:.*]] = diffattn_tile.dot %[[R]], %[[K]], %[[S]] : tensor<16x2x32xbf16>, tensor<32x32xbf16>
    %t = linalg.generic {indexing_maps = [#q, #v, #s], iterator_types = ["parallel", "parallel", "parallel", "reduction"]}
        ins(%p, %tk : tensor<16x2x32xf32>, tensor<32x32xbf16>) outs(%s : tensor<16x2x32xf32>) {
    ^bb0(%a: f32, %b: bf16, %c: f32):
      %0 = arith.extf %b : bf16 to f32
      %1 = arith.mulf %a, %0 : f32
      %2 = arith.addf %c, %1 : f32
      linalg.yield %2 : f32
    } -> tensor<16x2x32xf32>
    // CHECK: %[[SECOND:.*]] = diffattn_tile.select %[[T]] at 1 of 1 : tensor<16x2x32xf32> -> tensor<16x32xf32>
    %second = tensor.extract_slice %t[0, 1, 0] [16, 1, 32] [1, 1, 1] : tensor<16x2x32xf32> to tensor<16x32xf32>
    // CHECK: %[[E:.*]] = math.exp2 %[[SECOND]]
    // CHECK: diffattn_tile.transpose %[[E]] [1, 0]
    %e_turned = tensor.empty() : tensor<32x16xf32>
    %u = linalg.generic {indexing_maps = [#two, #turned], iterator_types = ["parallel", "parallel"]}
        ins(%second : tensor<16x32xf32>) outs(%e_turned : tensor<32x16xf32>) {
    ^bb0(%x: f32, %y: f32):
      %0 = math.exp2 %x : f32
      linalg.yield %0 : f32
    } -> tensor<32x16xf32>
    scf.forall.in_parallel {
      tensor.parallel_insert_slice %u into %out[%i, 0, 0] [1, 32, 16] [1, 1, 1] : tensor<32x16xf32> into tensor<2x32x16xf32>
    }
  }
  return %r : tensor<2x32x16xf32>
}

// -----

// Without functions there is no kernel to hold.
// CHECK-LABEL: module
// CHECK-NOT:   gpu.module
module {}
