// Buffers of i1 were loaded as packed vectors of bits, which reads the wrong
// elements; masks of unfused programs came out wrong. Such ops are left to
// scalar loops.
// RUN: diffattn-opt %s --diffattn-cpu-vectorize=target=cpu-avx2 | FileCheck %s

// CHECK-LABEL: func.func @select_by_mask
// CHECK-NOT: vector.load
// CHECK: linalg.generic
func.func @select_by_mask(%mask: memref<64xi1>, %x: memref<64xf32>, %out: memref<64xf32>) {
  %zero = arith.constant 0.0 : f32
  linalg.generic {indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>, affine_map<(i) -> (i)>],
                  iterator_types = ["parallel"]}
      ins(%mask, %x : memref<64xi1>, memref<64xf32>) outs(%out : memref<64xf32>) {
  ^bb0(%m: i1, %in: f32, %old: f32):
    %selected = arith.select %m, %in, %zero : f32
    linalg.yield %selected : f32
  }
  return
}
