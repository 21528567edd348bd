// RUN: diffattn-opt %s --resolve-ranked-shaped-type-result-dims --canonicalize | FileCheck %s

// Every dynamic size of a result is that of its destination.
// CHECK-LABEL: func @attention(
// CHECK-SAME:    %[[O:[^ ]*]]: tensor<?x?x1x16xf32>, %[[S:[^ ]*]]: tensor<?x2x?xf32>, %[[N:[^ ]*]]: tensor<?x?x1x16xf32>)
func.func @attention(%q: tensor<?x?x2x16xf32>, %k: tensor<?x?x1x16xf32>,
                     %l: tensor<?x?x1xf32>, %o: tensor<?x?x1x16xf32>,
                     %s: tensor<?x2x?xf32>, %n: tensor<?x?x1x16xf32>)
    -> (index, index, index, index) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c2 = arith.constant 2 : index
  // CHECK-DAG: %[[C0:.*]] = arith.constant 0 : index
  // CHECK-DAG: %[[C1:.*]] = arith.constant 1 : index
  // CHECK-DAG: %[[C2:.*]] = arith.constant 2 : index
  // CHECK-DAG: %[[BATCH:.*]] = tensor.dim %[[O]], %[[C0]]
  // CHECK-DAG: %[[ROWS:.*]] = tensor.dim %[[O]], %[[C1]]
  // CHECK-DAG: %[[LSE_ROWS:.*]] = tensor.dim %[[S]], %[[C2]]
  // CHECK-DAG: %[[NOISE_ROWS:.*]] = tensor.dim %[[N]], %[[C1]]
  %r:3 = diffattn.attention query(%q : tensor<?x?x2x16xf32>)
      key(%k : tensor<?x?x1x16xf32>) value(%k : tensor<?x?x1x16xf32>)
      lambda(%l : tensor<?x?x1xf32>) outs(%o : tensor<?x?x1x16xf32>)
      lse(%s : tensor<?x2x?xf32>) noise(%n : tensor<?x?x1x16xf32>)
  %batch = tensor.dim %r#0, %c0 : tensor<?x?x1x16xf32>
  %rows = tensor.dim %r#0, %c1 : tensor<?x?x1x16xf32>
  %lse_rows = tensor.dim %r#1, %c2 : tensor<?x2x?xf32>
  %noise_rows = tensor.dim %r#2, %c1 : tensor<?x?x1x16xf32>
  // CHECK: return %[[BATCH]], %[[ROWS]], %[[LSE_ROWS]], %[[NOISE_ROWS]]
  return %batch, %rows, %lse_rows, %noise_rows : index, index, index, index
}

#query = affine_map<(b, h, p, r, m, k, d, n) -> (b, m, h, p, r, d)>
#key = affine_map<(b, h, p, r, m, k, d, n) -> (b, k, h, d)>
#value = affine_map<(b, h, p, r, m, k, d, n) -> (b, k, h, n)>
#acc = affine_map<(b, h, p, r, m, k, d, n) -> (b, m, h, p, r, n)>
#row = affine_map<(b, h, p, r, m, k, d, n) -> (b, m, h, p, r)>

// CHECK-LABEL: func @online(
// CHECK-SAME:    %[[ACC:[^ ]*]]: tensor<1x?x1x1x2x8xf32>, %[[MAX:[^ ]*]]: tensor<1x?x1x1x2xf32>, %[[SUM:[^ ]*]]: tensor<1x?x1x1x2xf32>,
func.func @online(%q: tensor<1x?x1x1x2x8xf32>, %k: tensor<1x?x1x8xf32>,
                  %acc: tensor<1x?x1x1x2x8xf32>, %max: tensor<1x?x1x1x2xf32>,
                  %sum: tensor<1x?x1x1x2xf32>, %i: index) -> (index, index, index) {
  %c1 = arith.constant 1 : index
  // CHECK: %[[C1:.*]] = arith.constant 1 : index
  // CHECK-DAG: %[[D0:.*]] = tensor.dim %[[ACC]], %[[C1]]
  // CHECK-DAG: %[[D1:.*]] = tensor.dim %[[MAX]], %[[C1]]
  // CHECK-DAG: %[[D2:.*]] = tensor.dim %[[SUM]], %[[C1]]
  %r:3 = diffattn.online_attention query(%q : tensor<1x?x1x1x2x8xf32>)
      key(%k : tensor<1x?x1x8xf32>) value(%k : tensor<1x?x1x8xf32>)
      outs(%acc, %max, %sum : tensor<1x?x1x1x2x8xf32>, tensor<1x?x1x1x2xf32>, tensor<1x?x1x1x2xf32>)
      at(%i of %i, %i of %i) scale(0.5) maps [#query, #key, #value, #acc, #row, #row]
  %0 = tensor.dim %r#0, %c1 : tensor<1x?x1x1x2x8xf32>
  %1 = tensor.dim %r#1, %c1 : tensor<1x?x1x1x2xf32>
  %2 = tensor.dim %r#2, %c1 : tensor<1x?x1x1x2xf32>
  // CHECK: return %[[D0]], %[[D1]], %[[D2]]
  return %0, %1, %2 : index, index, index
}

#f_acc = affine_map<(b, h, p, r, m, n) -> (b, m, h, p, r, n)>
#f_row = affine_map<(b, h, p, r, m, n) -> (b, m, h, p, r)>
#f_lambda = affine_map<(b, h, p, r, m, n) -> (b, m, h, p)>
#f_out = affine_map<(b, h, p, r, m, n) -> (b, m, h, p, n)>
#f_lse = affine_map<(b, h, p, r, m, n) -> (b, h, p, r, m)>

// CHECK-LABEL: func @finalize(
// CHECK-SAME:    %[[O:[^ ]*]]: tensor<1x?x1x1x8xf32>, %[[S:[^ ]*]]: tensor<1x1x1x2x?xf32>,
func.func @finalize(%acc: tensor<1x?x1x1x2x8xf32>, %row: tensor<1x?x1x1x2xf32>,
                    %l: tensor<1x?x1x1xf32>, %o: tensor<1x?x1x1x8xf32>,
                    %s: tensor<1x1x1x2x?xf32>, %i: index) -> (index, index) {
  %c1 = arith.constant 1 : index
  %c4 = arith.constant 4 : index
  // CHECK-DAG: %[[C1:.*]] = arith.constant 1 : index
  // CHECK-DAG: %[[C4:.*]] = arith.constant 4 : index
  // CHECK-DAG: %[[D0:.*]] = tensor.dim %[[O]], %[[C1]]
  // CHECK-DAG: %[[D1:.*]] = tensor.dim %[[S]], %[[C4]]
  %r:2 = diffattn.finalize acc(%acc, %row, %row : tensor<1x?x1x1x2x8xf32>, tensor<1x?x1x1x2xf32>, tensor<1x?x1x1x2xf32>)
      lambda(%l : tensor<1x?x1x1xf32>) outs(%o : tensor<1x?x1x1x8xf32>)
      lse(%s : tensor<1x1x1x2x?xf32>) at(%i of %i, %i)
      maps [#f_acc, #f_row, #f_row, #f_lambda, #f_out, #f_lse, #f_out]
  %0 = tensor.dim %r#0, %c1 : tensor<1x?x1x1x8xf32>
  %1 = tensor.dim %r#1, %c4 : tensor<1x1x1x2x?xf32>
  // CHECK: return %[[D0]], %[[D1]]
  return %0, %1 : index, index
}
