// RUN: diffattn-opt %s --diffattn-cpu-pack-pairs=target=cpu-amx --split-input-file | FileCheck %s
// Once packed there is nothing left to do.
// RUN: diffattn-opt %s --diffattn-cpu-pack-pairs=target=cpu-amx --diffattn-cpu-pack-pairs=target=cpu-amx --split-input-file | FileCheck %s
// RUN: diffattn-opt %s --diffattn-cpu-pack-pairs=target=cpu-avx512 --split-input-file | FileCheck %s --check-prefix=OTHER
// RUN: not diffattn-opt %s --diffattn-cpu-pack-pairs=target=cpu-vnni --split-input-file 2>&1 | FileCheck %s --check-prefix=TARGET

// TARGET: error: unknown target 'cpu-vnni'
// OTHER-NOT: expand_shape

// Scores: keys have their pairs by nature, queries are interleaved once, where
// they are defined: before the loop.

#q = affine_map<(k, m, d) -> (m, d)>
#k = affine_map<(k, m, d) -> (k, d)>
#s = affine_map<(k, m, d) -> (k, m)>

// CHECK-DAG: #[[$PACK:.*]] = affine_map<(d0, d1, d2) -> (d1, d0, d2)>
// CHECK-DAG: #[[$ROWS:.*]] = affine_map<(d0, d1, d2, d3) -> (d0, d2, d3)>
// CHECK-DAG: #[[$LANES:.*]] = affine_map<(d0, d1, d2, d3) -> (d2, d1, d3)>
// CHECK-DAG: #[[$OUT:.*]] = affine_map<(d0, d1, d2, d3) -> (d0, d1)>
// CHECK-LABEL: func @scores(
// CHECK-SAME:    %[[Q:.*]]: tensor<32x64xbf16>, %[[K:.*]]: tensor<48x64xbf16>
func.func @scores(%q: tensor<32x64xbf16>, %k: tensor<48x64xbf16>,
                  %s: tensor<48x32xf32>, %n: index) -> tensor<48x32xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  // CHECK: %[[QX:.*]] = tensor.expand_shape %[[Q]] {{\[\[}}0], [1, 2]] {{.*}} into tensor<32x32x2xbf16>
  // CHECK: %[[QP:.*]] = linalg.generic {indexing_maps = [#[[$PACK]],
  // CHECK-SAME: ins(%[[QX]] : {{.*}}) outs(%{{.*}} : tensor<32x32x2xbf16>)
  // CHECK: %[[KX:.*]] = tensor.expand_shape %[[K]] {{\[\[}}0], [1, 2]] {{.*}} into tensor<48x32x2xbf16>
  // CHECK: scf.for
  // CHECK: linalg.generic {indexing_maps = [#[[$ROWS]], #[[$LANES]], #[[$OUT]]], iterator_types = ["parallel", "parallel", "reduction", "reduction"]}
  // CHECK-SAME: ins(%[[KX]], %[[QP]] :
  %r = scf.for %i = %c0 to %n step %c1 iter_args(%sum = %s) -> tensor<48x32xf32> {
    %next = linalg.generic {
        indexing_maps = [#q, #k, #s],
        iterator_types = ["parallel", "parallel", "reduction"]}
        ins(%q, %k : tensor<32x64xbf16>, tensor<48x64xbf16>)
        outs(%sum : tensor<48x32xf32>) {
    ^bb0(%a: bf16, %b: bf16, %c: f32):
      %x = arith.extf %a : bf16 to f32
      %y = arith.extf %b : bf16 to f32
      %p = arith.mulf %x, %y : f32
      %t = arith.addf %c, %p : f32
      linalg.yield %t : f32
    } -> tensor<48x32xf32>
    scf.yield %next : tensor<48x32xf32>
  }
  return %r : tensor<48x32xf32>
}

// -----

// Outputs: values are transposed in pairs; f32 probabilities become hi + lo.

#p = affine_map<(n, m, k) -> (k, m)>
#v = affine_map<(n, m, k) -> (k, n)>
#o = affine_map<(n, m, k) -> (n, m)>

// CHECK-LABEL: func @outputs(
// CHECK-SAME:    %[[P:.*]]: tensor<64x32xf32>, %[[V:.*]]: tensor<64x48xbf16>
func.func @outputs(%p: tensor<64x32xf32>, %v: tensor<64x48xbf16>,
                   %o: tensor<48x32xf32>) -> tensor<48x32xf32> {
  // CHECK: %[[PX:.*]] = tensor.expand_shape %[[P]] {{\[\[}}0, 1], [2]] {{.*}} into tensor<32x2x32xf32>
  // CHECK: %[[PP:.*]]:2 = linalg.generic {{.*}} ins(%[[PX]] : {{.*}}) outs(%{{.*}}, %{{.*}} : tensor<32x32x2xbf16>, tensor<32x32x2xbf16>)
  // CHECK-NEXT: ^bb0(%[[A:.*]]: f32, %{{.*}}: bf16, %{{.*}}: bf16):
  // CHECK-NEXT:   %[[HI:.*]] = arith.truncf %[[A]] : f32 to bf16
  // CHECK-NEXT:   %[[WIDE:.*]] = arith.extf %[[HI]]
  // CHECK-NEXT:   %[[REST:.*]] = arith.subf %[[A]], %[[WIDE]]
  // CHECK-NEXT:   %[[LO:.*]] = arith.truncf %[[REST]] : f32 to bf16
  // CHECK-NEXT:   linalg.yield %[[HI]], %[[LO]]
  // CHECK: %[[VX:.*]] = tensor.expand_shape %[[V]] {{\[\[}}0, 1], [2]] {{.*}} into tensor<32x2x48xbf16>
  // CHECK: %[[VP:.*]] = linalg.generic {{.*}} ins(%[[VX]] : {{.*}}) outs(%{{.*}} : tensor<48x32x2xbf16>)
  // CHECK: linalg.generic {{.*}} ins(%[[VP]], %[[PP]]#0, %[[PP]]#1 :
  %r = linalg.generic {
      indexing_maps = [#p, #v, #o],
      iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%p, %v : tensor<64x32xf32>, tensor<64x48xbf16>)
      outs(%o : tensor<48x32xf32>) {
  ^bb0(%a: f32, %b: bf16, %c: f32):
    %y = arith.extf %b : bf16 to f32
    %t = arith.mulf %a, %y : f32
    %u = arith.addf %c, %t : f32
    linalg.yield %u : f32
  } -> tensor<48x32xf32>
  return %r : tensor<48x32xf32>
}

// -----

// An odd reduction has no pairs.

#a = affine_map<(n, m, k) -> (k, m)>
#b = affine_map<(n, m, k) -> (k, n)>
#c = affine_map<(n, m, k) -> (n, m)>

// CHECK-LABEL: func @odd(
// CHECK-NOT: expand_shape
func.func @odd(%p: tensor<63x32xbf16>, %v: tensor<63x48xbf16>,
               %o: tensor<48x32xf32>) -> tensor<48x32xf32> {
  %r = linalg.generic {
      indexing_maps = [#a, #b, #c],
      iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%p, %v : tensor<63x32xbf16>, tensor<63x48xbf16>)
      outs(%o : tensor<48x32xf32>) {
  ^bb0(%a: bf16, %b: bf16, %c: f32):
    %x = arith.extf %a : bf16 to f32
    %y = arith.extf %b : bf16 to f32
    %t = arith.mulf %x, %y : f32
    %u = arith.addf %c, %t : f32
    linalg.yield %u : f32
  } -> tensor<48x32xf32>
  return %r : tensor<48x32xf32>
}

// -----

// f32 operands alone are not for bf16 tiles.

#a = affine_map<(n, m, k) -> (k, m)>
#b = affine_map<(n, m, k) -> (k, n)>
#c = affine_map<(n, m, k) -> (n, m)>

// CHECK-LABEL: func @f32(
// CHECK-NOT: expand_shape
func.func @f32(%p: tensor<64x32xf32>, %v: tensor<64x48xf32>,
               %o: tensor<48x32xf32>) -> tensor<48x32xf32> {
  %r = linalg.generic {
      indexing_maps = [#a, #b, #c],
      iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%p, %v : tensor<64x32xf32>, tensor<64x48xf32>)
      outs(%o : tensor<48x32xf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32):
    %t = arith.mulf %a, %b : f32
    %u = arith.addf %c, %t : f32
    linalg.yield %u : f32
  } -> tensor<48x32xf32>
  return %r : tensor<48x32xf32>
}
