// RUN: diffattn-opt %s --diffattn-cpu-vectorize=target=cpu-avx512 --split-input-file | FileCheck %s
// RUN: diffattn-opt %s --diffattn-cpu-vectorize=target=cpu-avx2 --split-input-file | FileCheck %s --check-prefix=AVX2

#in = affine_map<(n, m) -> (m, n)>
#row = affine_map<(n, m) -> (m)>
#out = affine_map<(n, m) -> (n, m)>

// Computed along the input, turned as 32-bit elements, stored along the output.
// CHECK-LABEL: func @turned(
// CHECK: scf.for {{.*}} step %c16
// CHECK: scf.for {{.*}} step %c16
// CHECK: vector.load %{{.*}} : memref<64x32xf32>, vector<16xf32>
// CHECK: memref.load %{{.*}} : memref<64xf32>
// CHECK: arith.mulf %{{.*}} : vector<16xf32>
// CHECK: arith.truncf %{{.*}} : vector<16xf32> to vector<16xbf16>
// CHECK: arith.extui %{{.*}} : vector<16xi16> to vector<16xi32>
// CHECK-COUNT-64: vector.shuffle {{.*}} : vector<16xi32>, vector<16xi32>
// CHECK-COUNT-16: vector.store %{{.*}} : memref<32x64xbf16>, vector<16xbf16>
// AVX2-LABEL: func @turned(
// AVX2-COUNT-24: vector.shuffle {{.*}} : vector<8xi32>, vector<8xi32>
// AVX2-NOT: vector.shuffle
// AVX2-LABEL: func @adjacent_pairs(
func.func @turned(%x: memref<64x32xf32>, %f: memref<64xf32>, %y: memref<32x64xbf16>) {
  linalg.generic {indexing_maps = [#in, #row, #out],
                  iterator_types = ["parallel", "parallel"]}
      ins(%x, %f : memref<64x32xf32>, memref<64xf32>)
      outs(%y : memref<32x64xbf16>) {
  ^bb0(%a: f32, %b: f32, %c: bf16):
    %p = arith.mulf %a, %b : f32
    %t = arith.truncf %p : f32 to bf16
    linalg.yield %t : bf16
  }
  return
}

// -----

#in = affine_map<(d, m, i) -> (m, d, i)>
#out = affine_map<(d, m, i) -> (d, m, i)>

// Pairs of the input move as one element.
// CHECK-LABEL: func @adjacent_pairs(
// CHECK-NOT: vector.interleave
// CHECK: vector.load %{{.*}} : memref<32x64xbf16>, vector<32xbf16>
// CHECK: vector.bitcast %{{.*}} : vector<32xbf16> to vector<16xi32>
// CHECK-COUNT-64: vector.shuffle {{.*}} : vector<16xi32>, vector<16xi32>
// CHECK-COUNT-16: vector.store %{{.*}} : memref<32x64xbf16>, vector<32xbf16>
func.func @adjacent_pairs(%x: memref<32x32x2xbf16>, %y: memref<32x32x2xbf16>) {
  linalg.generic {indexing_maps = [#in, #out],
                  iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%x : memref<32x32x2xbf16>) outs(%y : memref<32x32x2xbf16>) {
  ^bb0(%a: bf16, %c: bf16):
    linalg.yield %a : bf16
  }
  return
}

// -----

#in = affine_map<(n, k, i) -> (k, i, n)>
#out = affine_map<(n, k, i) -> (n, k, i)>

// Pairs made of neighbouring rows of the input, then turned.
// CHECK-LABEL: func @transposed_pairs(
// CHECK-COUNT-2: vector.load %{{.*}} : memref<16x2x48xbf16>, vector<16xbf16>
// CHECK: vector.interleave %{{.*}} : vector<16xbf16>
// CHECK-COUNT-64: vector.shuffle {{.*}} : vector<16xi32>, vector<16xi32>
// CHECK-COUNT-16: vector.store %{{.*}} : memref<48x32xbf16>, vector<32xbf16>
func.func @transposed_pairs(%x: memref<16x2x48xbf16>, %y: memref<48x16x2xbf16>) {
  linalg.generic {indexing_maps = [#in, #out],
                  iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%x : memref<16x2x48xbf16>) outs(%y : memref<48x16x2xbf16>) {
  ^bb0(%a: bf16, %c: bf16):
    linalg.yield %a : bf16
  }
  return
}

// -----

#in = affine_map<(k, m, i) -> (k, i, m)>
#out = affine_map<(k, m, i) -> (k, m, i)>

// Interleaving alone; two outputs.
// CHECK-LABEL: func @interleaved(
// CHECK-NOT: vector.shuffle
// CHECK: vector.interleave %{{.*}} : vector<16xbf16>
// CHECK: vector.interleave %{{.*}} : vector<16xbf16>
// CHECK-COUNT-2: vector.store %{{.*}} : memref<3x64xbf16>, vector<32xbf16>
// CHECK-NOT: vector.shuffle
func.func @interleaved(%x: memref<3x2x32xf32>, %y: memref<3x32x2xbf16>,
                       %z: memref<3x32x2xbf16>) {
  linalg.generic {indexing_maps = [#in, #out, #out],
                  iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%x : memref<3x2x32xf32>)
      outs(%y, %z : memref<3x32x2xbf16>, memref<3x32x2xbf16>) {
  ^bb0(%a: f32, %c: bf16, %d: bf16):
    %hi = arith.truncf %a : f32 to bf16
    %wide = arith.extf %hi : bf16 to f32
    %rest = arith.subf %a, %wide : f32
    %lo = arith.truncf %rest : f32 to bf16
    linalg.yield %hi, %lo : bf16, bf16
  }
  return
}

// -----

#in = affine_map<(n, m) -> (m, n)>
#out = affine_map<(n, m) -> (n, m)>

// Not whole blocks: left for loops.
// CHECK-LABEL: func @ragged(
// CHECK: linalg.generic
func.func @ragged(%x: memref<60x30xf32>, %y: memref<30x60xf32>) {
  linalg.generic {indexing_maps = [#in, #out],
                  iterator_types = ["parallel", "parallel"]}
      ins(%x : memref<60x30xf32>) outs(%y : memref<30x60xf32>) {
  ^bb0(%a: f32, %c: f32):
    linalg.yield %a : f32
  }
  return
}
