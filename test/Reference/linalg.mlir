// Structured ops by their maps and bodies.

// RUN: diffattn-eval %s --entry=matmul | FileCheck %s --check-prefix=MATMUL
// RUN: diffattn-eval %s --entry=products --input=random:1 | FileCheck %s --check-prefix=PRODUCTS
// RUN: diffattn-eval %s --entry=shared_heads | FileCheck %s --check-prefix=SHARED
// RUN: diffattn-eval %s --entry=indices | FileCheck %s --check-prefix=INDICES
// RUN: diffattn-eval %s --entry=row_maximum | FileCheck %s --check-prefix=MAXIMUM
// RUN: diffattn-eval %s --entry=two_results | FileCheck %s --check-prefix=TWO
// RUN: diffattn-eval %s --entry=convolution | FileCheck %s --check-prefix=CONV
// RUN: diffattn-eval %s --entry=named | FileCheck %s --check-prefix=NAMED
// RUN: diffattn-eval %s --entry=gather | FileCheck %s --check-prefix=GATHER
// RUN: diffattn-eval %s --entry=softmax | FileCheck %s --check-prefix=SOFTMAX
// RUN: diffattn-eval %s --entry=poison | FileCheck %s --check-prefix=POISON

// Casts do not round: 1 + 2^-10 has no bf16, and the f32 sum no integer.
// MATMUL: result 0: 2x2xf64
// MATMUL-NEXT: sum
// MATMUL-NEXT: [19, 22, 43, 50]
// MATMUL: result 1: f64
// MATMUL: [1.00098]
func.func @matmul() -> (tensor<2x2xf32>, bf16) {
  %a = arith.constant dense<[[1.0, 2.0], [3.0, 4.0]]> : tensor<2x2xbf16>
  %b = arith.constant dense<[[5.0, 6.0], [7.0, 8.0]]> : tensor<2x2xbf16>
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<2x2xf32>
  %init = linalg.fill ins(%zero : f32) outs(%e : tensor<2x2xf32>) -> tensor<2x2xf32>
  %c = linalg.matmul ins(%a, %b : tensor<2x2xbf16>, tensor<2x2xbf16>)
      outs(%init : tensor<2x2xf32>) -> tensor<2x2xf32>
  %x = arith.constant 1.0009765625 : f32
  %y = arith.truncf %x : f32 to bf16
  return %c, %y : tensor<2x2xf32>, bf16
}

// The fast paths for products (dot, scaled additions) and the general one agree:
// A B^T, (B A^T)^T and A (B^T) with B^T made before, summed in two ways.
// PRODUCTS: result 0: 5x40xf64
// PRODUCTS-NEXT: sum [[SUM:.*]]
// PRODUCTS-NEXT: [[FIRST:\[.*\]]]
// PRODUCTS: result 1: 5x40xf64
// PRODUCTS-NEXT: sum [[SUM]]
// PRODUCTS-NEXT: [[FIRST]]
// PRODUCTS: result 2: 5x40xf64
// PRODUCTS-NEXT: sum [[SUM]]
// PRODUCTS-NEXT: [[FIRST]]
func.func @products(%a: tensor<5x24xf32>, %b: tensor<40x24xf32>)
    -> (tensor<5x40xf32>, tensor<5x40xf32>, tensor<5x40xf32>) {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<5x40xf32>
  %init = linalg.fill ins(%zero : f32) outs(%e : tensor<5x40xf32>) -> tensor<5x40xf32>
  %dot = linalg.generic {
      indexing_maps = [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (n, k)>,
                       affine_map<(m, n, k) -> (m, n)>],
      iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%a, %b : tensor<5x24xf32>, tensor<40x24xf32>) outs(%init : tensor<5x40xf32>) {
  ^bb0(%x: f32, %y: f32, %sum: f32):
    %p = arith.mulf %x, %y : f32
    %s = arith.addf %sum, %p : f32
    linalg.yield %s : f32
  } -> tensor<5x40xf32>
  %et = tensor.empty() : tensor<24x40xf32>
  %bt = linalg.transpose ins(%b : tensor<40x24xf32>) outs(%et : tensor<24x40xf32>) permutation = [1, 0]
  %axpy = linalg.matmul ins(%a, %bt : tensor<5x24xf32>, tensor<24x40xf32>)
      outs(%init : tensor<5x40xf32>) -> tensor<5x40xf32>
  // A body that is no plain product takes the lanes.
  %general = linalg.generic {
      indexing_maps = [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (n, k)>,
                       affine_map<(m, n, k) -> (m, n)>],
      iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%a, %b : tensor<5x24xf32>, tensor<40x24xf32>) outs(%init : tensor<5x40xf32>) {
  ^bb0(%x: f32, %y: f32, %sum: f32):
    %s = math.fma %x, %y, %sum : f32
    linalg.yield %s : f32
  } -> tensor<5x40xf32>
  return %dot, %axpy, %general : tensor<5x40xf32>, tensor<5x40xf32>, tensor<5x40xf32>
}

// A map that is not linear: query head h reads KV head h floordiv 2.
// SHARED: [10, 10, 20, 20]
func.func @shared_heads() -> tensor<4xf32> {
  %kv = arith.constant dense<[10.0, 20.0]> : tensor<2xf32>
  %e = tensor.empty() : tensor<4xf32>
  %q = linalg.generic {
      indexing_maps = [affine_map<(h) -> (h floordiv 2)>, affine_map<(h) -> (h)>],
      iterator_types = ["parallel"]} ins(%kv : tensor<2xf32>) outs(%e : tensor<4xf32>) {
  ^bb0(%x: f32, %out: f32):
    linalg.yield %x : f32
  } -> tensor<4xf32>
  return %q : tensor<4xf32>
}

// More columns than lanes of a batch: element (1, 200) is the 401st.
// INDICES: result 0: 2x200xi64
// INDICES: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, ...]
// INDICES: result 1: i64
// INDICES: [1199]
func.func @indices() -> (tensor<2x200xi64>, i64) {
  %c1 = arith.constant 1 : index
  %c199 = arith.constant 199 : index
  %offset = arith.constant 800 : i64
  %e = tensor.empty() : tensor<2x200xi64>
  %t = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>],
      iterator_types = ["parallel", "parallel"]} outs(%e : tensor<2x200xi64>) {
  ^bb0(%out: i64):
    %i = linalg.index 0 : index
    %j = linalg.index 1 : index
    %flat = affine.apply affine_map<(i, j) -> (1000 * i + j)>(%i, %j)
    %x = arith.index_cast %flat : index to i64
    linalg.yield %x : i64
  } -> tensor<2x200xi64>
  %last = tensor.extract %t[%c1, %c199] : tensor<2x200xi64>
  return %t, %last : tensor<2x200xi64>, i64
}

// MAXIMUM: [3, nan]
func.func @row_maximum() -> tensor<2xf32> {
  %x = arith.constant dense<[[1.0, 3.0, 2.0], [4.0, 0x7FC00000, 5.0]]> : tensor<2x3xf32>
  %init = arith.constant dense<0xFF800000> : tensor<2xf32>
  %max = linalg.reduce { arith.maximumf } ins(%x : tensor<2x3xf32>)
      outs(%init : tensor<2xf32>) dimensions = [1]
  return %max : tensor<2xf32>
}

// TWO: result 0: 2xi64
// TWO: [6, 15]
// TWO: result 1: 2x3xi64
// TWO: [2, 4, 6, 8, 10, 12]
func.func @two_results() -> (tensor<2xi64>, tensor<2x3xi64>) {
  %x = arith.constant dense<[[1, 2, 3], [4, 5, 6]]> : tensor<2x3xi64>
  %zero = arith.constant dense<0> : tensor<2xi64>
  %e = tensor.empty() : tensor<2x3xi64>
  %r:2 = linalg.generic {
      indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i)>,
                       affine_map<(i, j) -> (i, j)>],
      iterator_types = ["parallel", "reduction"]}
      ins(%x : tensor<2x3xi64>) outs(%zero, %e : tensor<2xi64>, tensor<2x3xi64>) {
  ^bb0(%in: i64, %sum: i64, %out: i64):
    %s = arith.addi %sum, %in : i64
    %d = arith.addi %in, %in : i64
    linalg.yield %s, %d : i64, i64
  } -> (tensor<2xi64>, tensor<2x3xi64>)
  return %r#0, %r#1 : tensor<2xi64>, tensor<2x3xi64>
}

// CONV: [12, 23, 34]
func.func @convolution() -> tensor<3xf32> {
  %x = arith.constant dense<[1.0, 2.0, 3.0, 4.0]> : tensor<4xf32>
  %w = arith.constant dense<[10.0, 1.0]> : tensor<2xf32>
  %init = arith.constant dense<0.0> : tensor<3xf32>
  %y = linalg.conv_1d ins(%x, %w : tensor<4xf32>, tensor<2xf32>)
      outs(%init : tensor<3xf32>) -> tensor<3xf32>
  return %y : tensor<3xf32>
}

// NAMED: [3, 9, 2, 9]
func.func @named() -> tensor<2x2xf32> {
  %x = arith.constant dense<[[1.0, 3.0], [5.0, 5.0]]> : tensor<2x2xf32>
  %bias = arith.constant dense<[2.0, 4.0]> : tensor<2xf32>
  %e = tensor.empty() : tensor<2x2xf32>
  %b = linalg.broadcast ins(%bias : tensor<2xf32>) outs(%e : tensor<2x2xf32>) dimensions = [0]
  %t = linalg.transpose ins(%x : tensor<2x2xf32>) outs(%e : tensor<2x2xf32>) permutation = [1, 0]
  %s = linalg.add ins(%b, %t : tensor<2x2xf32>, tensor<2x2xf32>) outs(%e : tensor<2x2xf32>) -> tensor<2x2xf32>
  %m = linalg.map { arith.maximumf } ins(%s, %t : tensor<2x2xf32>, tensor<2x2xf32>) outs(%e : tensor<2x2xf32>)
  %u = linalg.transpose ins(%x : tensor<2x2xf32>) outs(%e : tensor<2x2xf32>) permutation = [1, 0]
  %r = linalg.generic {
      indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (j, i)>, affine_map<(i, j) -> (i, j)>],
      iterator_types = ["parallel", "parallel"]}
      ins(%m, %u : tensor<2x2xf32>, tensor<2x2xf32>) outs(%e : tensor<2x2xf32>) {
  ^bb0(%a: f32, %c: f32, %out: f32):
    %two = arith.constant 2.0 : f32
    %is_same = arith.cmpf oeq, %a, %c : f32
    %other = arith.select %is_same, %two, %a : f32
    linalg.yield %other : f32
  } -> tensor<2x2xf32>
  return %r : tensor<2x2xf32>
}

// GATHER: [30, 10, 20]
func.func @gather() -> tensor<3xf32> {
  %table = arith.constant dense<[10.0, 20.0, 30.0]> : tensor<3xf32>
  %ids = arith.constant dense<[2, 0, 1]> : tensor<3xi32>
  %e = tensor.empty() : tensor<3xf32>
  %r = linalg.generic {
      indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>],
      iterator_types = ["parallel"]} ins(%ids : tensor<3xi32>) outs(%e : tensor<3xf32>) {
  ^bb0(%id: i32, %out: f32):
    %i = arith.index_cast %id : i32 to index
    %x = tensor.extract %table[%i] : tensor<3xf32>
    linalg.yield %x : f32
  } -> tensor<3xf32>
  return %r : tensor<3xf32>
}

// SOFTMAX: [0.25, 0.75, 0.5, 0.5]
func.func @softmax() -> tensor<2x2xf32> {
  %x = arith.constant dense<[[1.0, 3.0], [7.0, 7.0]]> : tensor<2x2xf32>
  %e = tensor.empty() : tensor<2x2xf32>
  %log = linalg.log ins(%x : tensor<2x2xf32>) outs(%e : tensor<2x2xf32>) -> tensor<2x2xf32>
  %s = linalg.softmax dimension(1) ins(%log : tensor<2x2xf32>) outs(%e : tensor<2x2xf32>) -> tensor<2x2xf32>
  return %s : tensor<2x2xf32>
}

// Reading what was never written shows.
// POISON: [nan, nan]
func.func @poison() -> tensor<2xf32> {
  %e = tensor.empty() : tensor<2xf32>
  %x = arith.addf %e, %e : tensor<2xf32>
  return %x : tensor<2xf32>
}
