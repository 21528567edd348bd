// RUN: diffattn-opt %s | FileCheck %s
// RUN: diffattn-opt %s --mlir-print-op-generic | diffattn-opt | FileCheck %s
// RUN: diffattn-opt %s --verify-roundtrip -o /dev/null

// Maps name the dimensions of the iteration space as DiffAttnOps.td does.
#query = affine_map<(b, h, p, r, m, k, d, n) -> (b, m, h, p, r, d)>
#key = affine_map<(b, h, p, r, m, k, d, n) -> (b, k, h, d)>
#value = affine_map<(b, h, p, r, m, k, d, n) -> (b, k, h, n)>
#acc = affine_map<(b, h, p, r, m, k, d, n) -> (b, m, h, p, r, n)>
#row = affine_map<(b, h, p, r, m, k, d, n) -> (b, m, h, p, r)>
// The CPU's layouts: rows innermost.
#query_packed = affine_map<(b, h, p, r, m, k, d, n) -> (b, h, d, p, r, m)>
#acc_packed = affine_map<(b, h, p, r, m, k, d, n) -> (b, h, n, p, r, m)>
#row_packed = affine_map<(b, h, p, r, m, k, d, n) -> (b, h, p, r, m)>

#f_acc = affine_map<(b, h, p, r, m, n) -> (b, m, h, p, r, n)>
#f_row = affine_map<(b, h, p, r, m, n) -> (b, m, h, p, r)>
#f_lambda = affine_map<(b, h, p, r, m, n) -> (b, m, h, p)>
#f_out = affine_map<(b, h, p, r, m, n) -> (b, m, h, p, n)>
#f_lse = affine_map<(b, h, p, r, m, n) -> (b, h, p, r, m)>

// CHECK-DAG: #[[$QUERY:.*]] = affine_map<(d0, d1, d2, d3, d4, d5, d6, d7) -> (d0, d4, d1, d2, d3, d6)>
// CHECK-DAG: #[[$KEY:.*]] = affine_map<(d0, d1, d2, d3, d4, d5, d6, d7) -> (d0, d5, d1, d6)>
// CHECK-DAG: #[[$VALUE:.*]] = affine_map<(d0, d1, d2, d3, d4, d5, d6, d7) -> (d0, d5, d1, d7)>
// CHECK-DAG: #[[$ACC:.*]] = affine_map<(d0, d1, d2, d3, d4, d5, d6, d7) -> (d0, d4, d1, d2, d3, d7)>
// CHECK-DAG: #[[$ROW:.*]] = affine_map<(d0, d1, d2, d3, d4, d5, d6, d7) -> (d0, d4, d1, d2, d3)>
// CHECK-DAG: #[[$QUERY_PACKED:.*]] = affine_map<(d0, d1, d2, d3, d4, d5, d6, d7) -> (d0, d1, d6, d2, d3, d4)>
// CHECK-DAG: #[[$ACC_PACKED:.*]] = affine_map<(d0, d1, d2, d3, d4, d5, d6, d7) -> (d0, d1, d7, d2, d3, d4)>
// CHECK-DAG: #[[$ROW_PACKED:.*]] = affine_map<(d0, d1, d2, d3, d4, d5, d6, d7) -> (d0, d1, d2, d3, d4)>
// CHECK-DAG: #[[$F_ACC:.*]] = affine_map<(d0, d1, d2, d3, d4, d5) -> (d0, d4, d1, d2, d3, d5)>
// CHECK-DAG: #[[$F_ROW:.*]] = affine_map<(d0, d1, d2, d3, d4, d5) -> (d0, d4, d1, d2, d3)>
// CHECK-DAG: #[[$F_LAMBDA:.*]] = affine_map<(d0, d1, d2, d3, d4, d5) -> (d0, d4, d1, d2)>
// CHECK-DAG: #[[$F_OUT:.*]] = affine_map<(d0, d1, d2, d3, d4, d5) -> (d0, d4, d1, d2, d5)>
// CHECK-DAG: #[[$F_LSE:.*]] = affine_map<(d0, d1, d2, d3, d4, d5) -> (d0, d1, d2, d3, d4)>

// CHECK-LABEL: func @online(
// CHECK-SAME:    %[[Q:.*]]: tensor<1x?x2x3x2x64xbf16>, %[[K:.*]]: tensor<1x?x2x64xbf16>, %[[V:.*]]: tensor<1x?x2x32xbf16>,
// CHECK-SAME:    %[[ACC:.*]]: tensor<1x?x2x3x2x32xf32>, %[[MAX:.*]]: tensor<1x?x2x3x2xf32>, %[[SUM:.*]]: tensor<1x?x2x3x2xf32>,
// CHECK-SAME:    %[[M0:.*]]: index, %[[NQ:.*]]: index, %[[K0:.*]]: index, %[[NK:.*]]: index)
func.func @online(%q: tensor<1x?x2x3x2x64xbf16>, %k: tensor<1x?x2x64xbf16>,
                  %v: tensor<1x?x2x32xbf16>, %acc: tensor<1x?x2x3x2x32xf32>,
                  %max: tensor<1x?x2x3x2xf32>, %sum: tensor<1x?x2x3x2xf32>,
                  %m0: index, %nq: index, %k0: index, %nk: index)
    -> (tensor<1x?x2x3x2x32xf32>, tensor<1x?x2x3x2xf32>, tensor<1x?x2x3x2xf32>) {
  // CHECK: diffattn.online_attention query(%[[Q]] : tensor<1x?x2x3x2x64xbf16>)
  // CHECK-SAME: key(%[[K]] : tensor<1x?x2x64xbf16>) value(%[[V]] : tensor<1x?x2x32xbf16>)
  // CHECK-SAME: outs(%[[ACC]], %[[MAX]], %[[SUM]] : tensor<1x?x2x3x2x32xf32>, tensor<1x?x2x3x2xf32>, tensor<1x?x2x3x2xf32>)
  // CHECK-SAME: at(%[[M0]] of %[[NQ]], %[[K0]] of %[[NK]]) scale(1.250000e-01)
  // CHECK-SAME: maps [#[[$QUERY]], #[[$KEY]], #[[$VALUE]], #[[$ACC]], #[[$ROW]], #[[$ROW]]]{{$}}
  %r:3 = diffattn.online_attention query(%q : tensor<1x?x2x3x2x64xbf16>)
      key(%k : tensor<1x?x2x64xbf16>) value(%v : tensor<1x?x2x32xbf16>)
      outs(%acc, %max, %sum : tensor<1x?x2x3x2x32xf32>, tensor<1x?x2x3x2xf32>, tensor<1x?x2x3x2xf32>)
      at(%m0 of %nq, %k0 of %nk) scale(0.125)
      maps [#query, #key, #value, #acc, #row, #row]
  return %r#0, %r#1, %r#2
      : tensor<1x?x2x3x2x32xf32>, tensor<1x?x2x3x2xf32>, tensor<1x?x2x3x2xf32>
}

// Another layout is a change of maps.
// CHECK-LABEL: func @online_packed(
func.func @online_packed(%q: tensor<1x1x64x3x2x16xf32>, %k: tensor<1x8x1x64xf32>,
                         %v: tensor<1x8x1x32xf32>, %acc: tensor<1x1x32x3x2x16xf32>,
                         %row: tensor<1x1x3x2x16xf32>, %i: index)
    -> tensor<1x1x32x3x2x16xf32> {
  // CHECK: diffattn.online_attention query(%{{.*}} : tensor<1x1x64x3x2x16xf32>)
  // CHECK-SAME: maps [#[[$QUERY_PACKED]], #[[$KEY]], #[[$VALUE]], #[[$ACC_PACKED]], #[[$ROW_PACKED]], #[[$ROW_PACKED]]]
  %r:3 = diffattn.online_attention query(%q : tensor<1x1x64x3x2x16xf32>)
      key(%k : tensor<1x8x1x64xf32>) value(%v : tensor<1x8x1x32xf32>)
      outs(%acc, %row, %row : tensor<1x1x32x3x2x16xf32>, tensor<1x1x3x2x16xf32>, tensor<1x1x3x2x16xf32>)
      at(%i of %i, %i of %i) scale(0.125)
      maps [#query_packed, #key, #value, #acc_packed, #row_packed, #row_packed]
  return %r#0 : tensor<1x1x32x3x2x16xf32>
}

// CHECK-LABEL: func @online_attributes(
func.func @online_attributes(%q: tensor<1x4x1x1x1x8xf16>, %k: tensor<1x4x1x8xf16>,
                             %acc: tensor<1x4x1x1x1x8xf32>,
                             %row: tensor<1x4x1x1x1xf32>, %i: index)
    -> tensor<1x4x1x1x1x8xf32> {
  // CHECK: mask<window *, 3> scale(5.000000e-01) softcap(2.000000e+01)
  // CHECK-SAME: schedule<query_tile = 4, pairs = 1, key_tile = 8> maps
  // CHECK-SAME: {note}
  %r:3 = diffattn.online_attention query(%q : tensor<1x4x1x1x1x8xf16>)
      key(%k : tensor<1x4x1x8xf16>) value(%k : tensor<1x4x1x8xf16>)
      outs(%acc, %row, %row : tensor<1x4x1x1x1x8xf32>, tensor<1x4x1x1x1xf32>, tensor<1x4x1x1x1xf32>)
      at(%i of %i, %i of %i) mask<window *, 3> scale(0.5) softcap(20.0)
      schedule<query_tile = 4, pairs = 1, key_tile = 8>
      maps [#query, #key, #value, #acc, #row, #row] {note}
  return %r#0 : tensor<1x4x1x1x1x8xf32>
}

// CHECK-LABEL: func @finalize_everything(
// CHECK-SAME:    %[[ACC:.*]]: tensor<1x?x2x3x2x8xf32>, %[[ROW:.*]]: tensor<1x?x2x3x2xf32>, %[[L:.*]]: tensor<1x?x2x3xf16>,
// CHECK-SAME:    %[[O:.*]]: tensor<1x?x2x3x8xbf16>, %[[S:.*]]: tensor<1x2x3x2x?xf32>, %[[N:.*]]: tensor<1x?x2x3x8xf16>,
// CHECK-SAME:    %[[M0:.*]]: index, %[[NQ:.*]]: index, %[[NK:.*]]: index)
func.func @finalize_everything(%acc: tensor<1x?x2x3x2x8xf32>, %row: tensor<1x?x2x3x2xf32>,
                               %l: tensor<1x?x2x3xf16>, %o: tensor<1x?x2x3x8xbf16>,
                               %s: tensor<1x2x3x2x?xf32>, %n: tensor<1x?x2x3x8xf16>,
                               %m0: index, %nq: index, %nk: index)
    -> (tensor<1x?x2x3x8xbf16>, tensor<1x2x3x2x?xf32>, tensor<1x?x2x3x8xf16>) {
  // CHECK: diffattn.finalize acc(%[[ACC]], %[[ROW]], %[[ROW]] : tensor<1x?x2x3x2x8xf32>, tensor<1x?x2x3x2xf32>, tensor<1x?x2x3x2xf32>)
  // CHECK-SAME: lambda(%[[L]] : tensor<1x?x2x3xf16>) outs(%[[O]] : tensor<1x?x2x3x8xbf16>)
  // CHECK-SAME: lse(%[[S]] : tensor<1x2x3x2x?xf32>) noise(%[[N]] : tensor<1x?x2x3x8xf16>)
  // CHECK-SAME: at(%[[M0]] of %[[NQ]], %[[NK]]) mask<causal> schedule<query_tile = 8, pairs = 3, key_tile = 16>
  // CHECK-SAME: maps [#[[$F_ACC]], #[[$F_ROW]], #[[$F_ROW]], #[[$F_LAMBDA]], #[[$F_OUT]], #[[$F_LSE]], #[[$F_OUT]]] {note}
  %r:3 = diffattn.finalize acc(%acc, %row, %row : tensor<1x?x2x3x2x8xf32>, tensor<1x?x2x3x2xf32>, tensor<1x?x2x3x2xf32>)
      lambda(%l : tensor<1x?x2x3xf16>) outs(%o : tensor<1x?x2x3x8xbf16>)
      lse(%s : tensor<1x2x3x2x?xf32>) noise(%n : tensor<1x?x2x3x8xf16>)
      at(%m0 of %nq, %nk) mask<causal> schedule<query_tile = 8, pairs = 3, key_tile = 16>
      maps [#f_acc, #f_row, #f_row, #f_lambda, #f_out, #f_lse, #f_out] {note}
  return %r#0, %r#1, %r#2
      : tensor<1x?x2x3x8xbf16>, tensor<1x2x3x2x?xf32>, tensor<1x?x2x3x8xf16>
}

// Absent operands keep their maps, so a slot's number never changes.
// CHECK-LABEL: func @finalize_plain(
func.func @finalize_plain(%acc: tensor<1x4x1x3x1x8xf32>, %row: tensor<1x4x1x3x1xf32>,
                          %o: tensor<1x4x1x3x8xf32>, %i: index) -> tensor<1x4x1x3x8xf32> {
  // CHECK: diffattn.finalize acc({{[^)]*}}) outs(%{{.*}} : tensor<1x4x1x3x8xf32>) at(
  // CHECK-SAME: maps [#[[$F_ACC]], #[[$F_ROW]], #[[$F_ROW]], #[[$F_LAMBDA]], #[[$F_OUT]], #[[$F_LSE]], #[[$F_OUT]]]{{$}}
  %r = diffattn.finalize acc(%acc, %row, %row : tensor<1x4x1x3x1x8xf32>, tensor<1x4x1x3x1xf32>, tensor<1x4x1x3x1xf32>)
      outs(%o : tensor<1x4x1x3x8xf32>) at(%i of %i, %i)
      maps [#f_acc, #f_row, #f_row, #f_lambda, #f_out, #f_lse, #f_out]
  return %r : tensor<1x4x1x3x8xf32>
}
