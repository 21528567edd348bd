// RUN: diffattn-opt %s --diffattn-cpu-bufferize --canonicalize | FileCheck %s

// Arguments may have any strides but a contiguous last dimension.
// CHECK-LABEL: func @arguments(
// CHECK-SAME:    %{{.*}}: memref<4x?x8xf32, strided<[?, ?, 1], offset: ?>>,
// CHECK-SAME:    %{{.*}}: memref<8xbf16, strided<[1], offset: ?>>, %{{.*}}: memref<f32>, %{{.*}}: index)
func.func @arguments(%a: tensor<4x?x8xf32>, %b: tensor<8xbf16>, %c: tensor<f32>,
                     %d: index) {
  return
}

// A destination argument is written in its place.
// CHECK-LABEL: func @in_place(
// CHECK-SAME:    %[[A:[^:]*]]: memref<4x8xf32, {{.*}}>, %[[O:[^:]*]]: memref<4x8xf32, {{.*}}>)
func.func @in_place(%a: tensor<4x8xf32>, %o: tensor<4x8xf32>) -> tensor<4x8xf32> {
  // CHECK-NOT: memref.alloc
  // CHECK-NOT: memref.copy
  // CHECK: linalg.exp ins(%[[A]] : {{.*}}) outs(%[[O]] :
  // CHECK: return %[[O]]
  %r = linalg.exp ins(%a : tensor<4x8xf32>) outs(%o : tensor<4x8xf32>) -> tensor<4x8xf32>
  return %r : tensor<4x8xf32>
}

// Scratch of a grid point is on its stack, a cache line aligned, and allocated
// once, outside the loops of the grid point.
// CHECK-LABEL: func @scratch(
// CHECK-SAME:    %[[O:[^:]*]]: memref<16xf32,
func.func @scratch(%o: tensor<16xf32>, %x: f32, %n: index) -> tensor<16xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  // CHECK: scf.forall
  // CHECK-NEXT: %[[ACC:.*]] = memref.alloca() {alignment = 64 : i64} : memref<4xf32>
  // CHECK-NEXT: %[[TMP:.*]] = memref.alloca() {alignment = 64 : i64} : memref<4xf32>
  // CHECK-NOT: memref.alloc
  // CHECK: linalg.fill ins(%{{.*}}) outs(%[[ACC]] :
  // CHECK: scf.for
  // CHECK:   linalg.exp ins(%[[ACC]] : {{.*}}) outs(%[[TMP]] :
  // CHECK:   linalg.add ins(%[[ACC]], %[[TMP]] : {{.*}}) outs(%[[ACC]] :
  // CHECK: memref.copy %[[ACC]], %{{.*}} : memref<4xf32> to memref<4xf32, strided<[1], offset: ?>>
  %r = scf.forall (%i) in (4) shared_outs(%s = %o) -> tensor<16xf32> {
    %e0 = tensor.empty() : tensor<4xf32>
    %acc = linalg.fill ins(%x : f32) outs(%e0 : tensor<4xf32>) -> tensor<4xf32>
    %sum = scf.for %k = %c0 to %n step %c1 iter_args(%t = %acc) -> tensor<4xf32> {
      %e1 = tensor.empty() : tensor<4xf32>
      %u = linalg.exp ins(%t : tensor<4xf32>) outs(%e1 : tensor<4xf32>) -> tensor<4xf32>
      %v = linalg.add ins(%t, %u : tensor<4xf32>, tensor<4xf32>) outs(%t : tensor<4xf32>) -> tensor<4xf32>
      scf.yield %v : tensor<4xf32>
    }
    %at = affine.apply affine_map<(d0) -> (d0 * 4)>(%i)
    scf.forall.in_parallel {
      tensor.parallel_insert_slice %sum into %s[%at] [4] [1] : tensor<4xf32> into tensor<16xf32>
    }
  }
  return %r : tensor<16xf32>
}

// A stack of unknown size would be a stack overflow.
// CHECK-LABEL: func @dynamic_scratch(
func.func @dynamic_scratch(%o: tensor<?xf32>, %n: index, %x: f32) -> tensor<?xf32> {
  // CHECK-NOT: memref.alloca
  // CHECK: scf.forall
  // CHECK: memref.alloc(
  %r = scf.forall (%i) in (4) shared_outs(%s = %o) -> tensor<?xf32> {
    %e0 = tensor.empty(%n) : tensor<?xf32>
    %acc = linalg.fill ins(%x : f32) outs(%e0 : tensor<?xf32>) -> tensor<?xf32>
    %sum = linalg.exp ins(%acc : tensor<?xf32>) outs(%acc : tensor<?xf32>) -> tensor<?xf32>
    %at = arith.muli %i, %n : index
    scf.forall.in_parallel {
      tensor.parallel_insert_slice %sum into %s[%at] [%n] [1] : tensor<?xf32> into tensor<?xf32>
    }
  }
  return %r : tensor<?xf32>
}

// Outside of a grid the heap will do: results may be returned.
// CHECK-LABEL: func @result(
func.func @result(%x: f32) -> tensor<4xf32> {
  // CHECK: memref.alloc()
  %e = tensor.empty() : tensor<4xf32>
  %r = linalg.fill ins(%x : f32) outs(%e : tensor<4xf32>) -> tensor<4xf32>
  return %r : tensor<4xf32>
}
