// RUN: diffattn-opt %s --diffattn-cpu-vectorize=target=cpu-amx --split-input-file | FileCheck %s
// RUN: diffattn-opt %s --diffattn-cpu-vectorize=target=cpu-avx512 --split-input-file | FileCheck %s --check-prefix=OTHER

// OTHER-NOT: amx.

#k = affine_map<(k, m, d, i) -> (k, d, i)>
#q = affine_map<(k, m, d, i) -> (d, m, i)>
#s = affine_map<(k, m, d, i) -> (k, m)>

// A block of 2 x 2 tiles; the reduction of 64 takes two steps. What is zero
// before is overwritten, and the fill is gone. The function asks the system for
// the tile registers.
// CHECK-LABEL: func @scores(
// CHECK-DAG: %[[CALL:.*]] = llvm.mlir.constant(158 : i64)
// CHECK-DAG: %[[REQUEST:.*]] = llvm.mlir.constant(4131 : i64)
// CHECK-DAG: %[[TILES:.*]] = llvm.mlir.constant(18 : i64)
// CHECK: llvm.inline_asm has_side_effects {{.*}} "syscall"{{.*}} %[[CALL]], %[[REQUEST]], %[[TILES]]
// CHECK-NOT: vector.store
// CHECK: scf.for %[[LANE:.*]] = %{{.*}} to %{{.*}} step
// CHECK: scf.for %[[ROW:.*]] = %{{.*}} to %{{.*}} step
// CHECK-COUNT-4: amx.tile_zero : !amx.tile<16x16xf32>
// CHECK: amx.tile_load %{{.*}} : memref<64x64xbf16> into !amx.tile<16x32xbf16>
// CHECK: amx.tile_load %{{.*}} : memref<64x64xbf16> into !amx.tile<16x32xbf16>
// CHECK: amx.tile_load %{{.*}} : memref<32x64xbf16> into !amx.tile<16x32xbf16>
// CHECK-COUNT-2: amx.tile_mulf
// CHECK: amx.tile_load
// CHECK-COUNT-2: amx.tile_mulf
// CHECK-COUNT-3: amx.tile_load
// CHECK-COUNT-2: amx.tile_mulf
// CHECK: amx.tile_load
// CHECK-COUNT-2: amx.tile_mulf
// CHECK-COUNT-4: amx.tile_store %{{.*}} : memref<64x32xf32>, !amx.tile<16x16xf32>
// CHECK-NOT: amx
func.func @scores(%k: memref<64x32x2xbf16>, %q: memref<32x32x2xbf16>,
                  %s: memref<64x32xf32>) {
  %zero = arith.constant 0.0 : f32
  linalg.fill ins(%zero : f32) outs(%s : memref<64x32xf32>)
  linalg.generic {
      indexing_maps = [#k, #q, #s],
      iterator_types = ["parallel", "parallel", "reduction", "reduction"]}
      ins(%k, %q : memref<64x32x2xbf16>, memref<32x32x2xbf16>)
      outs(%s : memref<64x32xf32>) {
  ^bb0(%a: bf16, %b: bf16, %c: f32):
    %x = arith.extf %a : bf16 to f32
    %y = arith.extf %b : bf16 to f32
    %p = arith.mulf %x, %y : f32
    %t = arith.addf %c, %p : f32
    linalg.yield %t : f32
  }
  return
}

// -----

#v = affine_map<(n, m, k, i) -> (n, k, i)>
#p = affine_map<(n, m, k, i) -> (k, m, i)>
#o = affine_map<(n, m, k, i) -> (n, m)>
#f = affine_map<(n, m) -> (m)>
#id = affine_map<(n, m) -> (n, m)>

// hi and lo are multiplied with the same tiles of V, and added up in one
// tile. The rescaling right before happens when the block is added.
// CHECK-LABEL: func @rescaled(
// CHECK: %[[SCRATCH:.*]] = memref.alloca() {alignment = 64 : i64} : memref<32x32xf32>
// CHECK-COUNT-4: amx.tile_zero
// CHECK-COUNT-3: amx.tile_load
// CHECK-COUNT-2: amx.tile_mulf
// CHECK: amx.tile_load
// CHECK-COUNT-2: amx.tile_mulf
// CHECK: amx.tile_load
// CHECK-COUNT-2: amx.tile_mulf
// CHECK: amx.tile_load
// CHECK-COUNT-2: amx.tile_mulf
// CHECK-COUNT-4: amx.tile_store %[[SCRATCH]]
// CHECK: %[[F0:.*]] = vector.load %{{.*}} : memref<32xf32>, vector<16xf32>
// CHECK: %[[F1:.*]] = vector.load %{{.*}} : memref<32xf32>, vector<16xf32>
// CHECK: scf.for
// CHECK:   %[[OLD:.*]] = vector.load
// CHECK:   %[[SUM:.*]] = vector.load %[[SCRATCH]]
// CHECK:   %[[NEW:.*]] = vector.fma %[[OLD]], %[[F0]], %[[SUM]] : vector<16xf32>
// CHECK:   vector.store %[[NEW]]
// CHECK:   vector.fma %{{.*}}, %[[F1]], %{{.*}}
// CHECK-NOT: arith.mulf
func.func @rescaled(%v: memref<64x16x2xbf16>, %hi: memref<16x32x2xbf16>,
                    %lo: memref<16x32x2xbf16>, %o: memref<64x32xf32>,
                    %f: memref<32xf32>) {
  linalg.generic {indexing_maps = [#f, #id],
                  iterator_types = ["parallel", "parallel"]}
      ins(%f : memref<32xf32>) outs(%o : memref<64x32xf32>) {
  ^bb0(%a: f32, %c: f32):
    %r = arith.mulf %a, %c : f32
    linalg.yield %r : f32
  }
  linalg.generic {
      indexing_maps = [#v, #p, #p, #o],
      iterator_types = ["parallel", "parallel", "reduction", "reduction"]}
      ins(%v, %hi, %lo : memref<64x16x2xbf16>, memref<16x32x2xbf16>, memref<16x32x2xbf16>)
      outs(%o : memref<64x32xf32>) {
  ^bb0(%a: bf16, %b0: bf16, %b1: bf16, %c: f32):
    %y0 = arith.extf %b0 : bf16 to f32
    %y1 = arith.extf %b1 : bf16 to f32
    %y = arith.addf %y0, %y1 : f32
    %x = arith.extf %a : bf16 to f32
    %p = arith.mulf %x, %y : f32
    %t = arith.addf %c, %p : f32
    linalg.yield %t : f32
  }
  return
}

// -----

#a = affine_map<(n, m, k, i) -> (n, k, i)>
#b = affine_map<(n, m, k, i) -> (k, m, i)>
#c = affine_map<(n, m, k, i) -> (n, m)>

// 24 rows are not whole tiles.
// CHECK-LABEL: func @ragged(
// CHECK-NOT: amx.
func.func @ragged(%v: memref<24x16x2xbf16>, %p: memref<16x32x2xbf16>,
                  %o: memref<24x32xf32>) {
  linalg.generic {
      indexing_maps = [#a, #b, #c],
      iterator_types = ["parallel", "parallel", "reduction", "reduction"]}
      ins(%v, %p : memref<24x16x2xbf16>, memref<16x32x2xbf16>)
      outs(%o : memref<24x32xf32>) {
  ^bb0(%a: bf16, %b: bf16, %c: f32):
    %x = arith.extf %a : bf16 to f32
    %y = arith.extf %b : bf16 to f32
    %p1 = arith.mulf %x, %y : f32
    %t = arith.addf %c, %p1 : f32
    linalg.yield %t : f32
  }
  return
}
