// RUN: diffattn-opt %s --diffattn-to-online --canonicalize --cse | FileCheck %s

// Default layouts: (b, m, h, p, r) outermost to innermost, then d or n.
// CHECK-DAG: #[[$QUERY:.*]] = affine_map<(d0, d1, d2, d3, d4, d5, d6, d7) -> (d0, d4, d1, d2, d3, d6)>
// CHECK-DAG: #[[$KEY:.*]] = affine_map<(d0, d1, d2, d3, d4, d5, d6, d7) -> (d0, d5, d1, d6)>
// CHECK-DAG: #[[$VALUE:.*]] = affine_map<(d0, d1, d2, d3, d4, d5, d6, d7) -> (d0, d5, d1, d7)>
// CHECK-DAG: #[[$ACC:.*]] = affine_map<(d0, d1, d2, d3, d4, d5, d6, d7) -> (d0, d4, d1, d2, d3, d7)>
// CHECK-DAG: #[[$ROW:.*]] = affine_map<(d0, d1, d2, d3, d4, d5, d6, d7) -> (d0, d4, d1, d2, d3)>
// CHECK-DAG: #[[$F_ACC:.*]] = affine_map<(d0, d1, d2, d3, d4, d5) -> (d0, d4, d1, d2, d3, d5)>
// CHECK-DAG: #[[$F_ROW:.*]] = affine_map<(d0, d1, d2, d3, d4, d5) -> (d0, d4, d1, d2, d3)>
// CHECK-DAG: #[[$F_LAMBDA:.*]] = affine_map<(d0, d1, d2, d3, d4, d5) -> (d0, d4, d1, d2)>
// CHECK-DAG: #[[$F_OUT:.*]] = affine_map<(d0, d1, d2, d3, d4, d5) -> (d0, d4, d1, d2, d5)>
// CHECK-DAG: #[[$F_LSE:.*]] = affine_map<(d0, d1, d2, d3, d4, d5) -> (d0, d1, d2, d3, d4)>

// 12 query heads on 2 KV heads: groups of 3 pairs.
// CHECK-LABEL: func @static(
// CHECK-SAME:    %[[Q:[^:]*]]: tensor<1x8x12x16xbf16>, %[[K:[^:]*]]: tensor<1x9x2x16xbf16>,
// CHECK-SAME:    %[[V:[^:]*]]: tensor<1x9x2x24xbf16>, %[[L:[^:]*]]: tensor<1x8x6xf32>, %[[O:[^:]*]]: tensor<1x8x6x24xbf16>)
func.func @static(%q: tensor<1x8x12x16xbf16>, %k: tensor<1x9x2x16xbf16>,
                  %v: tensor<1x9x2x24xbf16>, %l: tensor<1x8x6xf32>,
                  %o: tensor<1x8x6x24xbf16>) -> tensor<1x8x6x24xbf16> {
  // CHECK-DAG: %[[C0:.*]] = arith.constant 0 : index
  // CHECK-DAG: %[[NQ:.*]] = arith.constant 8 : index
  // CHECK-DAG: %[[NK:.*]] = arith.constant 9 : index
  // CHECK-DAG: %[[ZERO:.*]] = arith.constant 0.0{{.*}} : f32
  // CHECK-DAG: %[[LOWEST:.*]] = arith.constant 0xFF800000 : f32
  // CHECK-DAG: %[[QX:.*]] = tensor.expand_shape %[[Q]] {{\[}}[0], [1], [2, 3, 4], [5]] {{.*}} into tensor<1x8x2x3x2x16xbf16>
  // CHECK-DAG: %[[ACC0:.*]] = linalg.fill ins(%[[ZERO]] : f32) outs(%{{.*}} : tensor<1x8x2x3x2x24xf32>)
  // CHECK-DAG: %[[MAX0:.*]] = linalg.fill ins(%[[LOWEST]] : f32) outs(%{{.*}} : tensor<1x8x2x3x2xf32>)
  // CHECK-DAG: %[[SUM0:.*]] = linalg.fill ins(%[[ZERO]] : f32) outs(%{{.*}} : tensor<1x8x2x3x2xf32>)
  // CHECK: %[[ACC:.*]], %[[MAX:.*]], %[[SUM:.*]] = diffattn.online_attention
  // CHECK-SAME: query(%[[QX]] : {{[^)]*}}) key(%[[K]] : {{[^)]*}}) value(%[[V]] : {{[^)]*}}) outs(%[[ACC0]], %[[MAX0]], %[[SUM0]] :
  // CHECK-SAME: at(%[[C0]] of %[[NQ]], %[[C0]] of %[[NK]]) scale(2.500000e-01)
  // CHECK-SAME: maps [#[[$QUERY]], #[[$KEY]], #[[$VALUE]], #[[$ACC]], #[[$ROW]], #[[$ROW]]]
  // CHECK-DAG: %[[OX:.*]] = tensor.expand_shape %[[O]] {{\[}}[0], [1], [2, 3], [4]] {{.*}} into tensor<1x8x2x3x24xbf16>
  // CHECK-DAG: %[[LX:.*]] = tensor.expand_shape %[[L]] {{\[}}[0], [1], [2, 3]] {{.*}} into tensor<1x8x2x3xf32>
  // CHECK: %[[RX:.*]] = diffattn.finalize acc(%[[ACC]], %[[MAX]], %[[SUM]] : {{[^)]*}})
  // CHECK-SAME: lambda(%[[LX]] : {{[^)]*}}) outs(%[[OX]] : {{[^)]*}}) at(%[[C0]] of %[[NQ]], %[[NK]])
  // CHECK-SAME: maps [#[[$F_ACC]], #[[$F_ROW]], #[[$F_ROW]], #[[$F_LAMBDA]], #[[$F_OUT]], #[[$F_LSE]], #[[$F_OUT]]]
  // CHECK: %[[R:.*]] = tensor.collapse_shape %[[RX]] {{\[}}[0], [1], [2, 3], [4]] : {{.*}} into tensor<1x8x6x24xbf16>
  // CHECK: return %[[R]]
  %r = diffattn.attention query(%q : tensor<1x8x12x16xbf16>)
      key(%k : tensor<1x9x2x16xbf16>) value(%v : tensor<1x9x2x24xbf16>)
      lambda(%l : tensor<1x8x6xf32>) outs(%o : tensor<1x8x6x24xbf16>)
  return %r : tensor<1x8x6x24xbf16>
}

// Lengths that are only known at run time are read off query and key.
// CHECK-LABEL: func @dynamic(
// CHECK-SAME:    %[[Q:[^:]*]]: tensor<?x?x2x16xf32>, %[[K:[^:]*]]: tensor<?x?x1x16xf32>,
func.func @dynamic(%q: tensor<?x?x2x16xf32>, %k: tensor<?x?x1x16xf32>,
                   %l: tensor<?x?x1xf32>,
                   %o: tensor<?x?x1x16xf32>) -> tensor<?x?x1x16xf32> {
  // CHECK-DAG: %[[C1:.*]] = arith.constant 1 : index
  // CHECK-DAG: %[[NQ:.*]] = tensor.dim %[[Q]], %[[C1]]
  // CHECK-DAG: %[[NK:.*]] = tensor.dim %[[K]], %[[C1]]
  // CHECK: diffattn.online_attention {{.*}} at(%{{.*}} of %[[NQ]], %{{.*}} of %[[NK]])
  // CHECK: diffattn.finalize {{.*}} at(%{{.*}} of %[[NQ]], %[[NK]])
  %r = diffattn.attention query(%q : tensor<?x?x2x16xf32>)
      key(%k : tensor<?x?x1x16xf32>) value(%k : tensor<?x?x1x16xf32>)
      lambda(%l : tensor<?x?x1xf32>) outs(%o : tensor<?x?x1x16xf32>)
  return %r : tensor<?x?x1x16xf32>
}

// The mask goes to both ops: finalize finds rows that see no key by it.
// CHECK-LABEL: func @attributes(
func.func @attributes(%q: tensor<1x8x2x16xf32>, %k: tensor<1x9x1x16xf32>,
                      %l: tensor<1x8x1xf32>,
                      %o: tensor<1x8x1x16xf32>) -> tensor<1x8x1x16xf32> {
  // CHECK: diffattn.online_attention
  // CHECK-SAME: mask<window 3, 2> scale(5.000000e-01) softcap(3.000000e+01)
  // CHECK-SAME: schedule<query_tile = 4, pairs = 1, key_tile = 8>
  // CHECK: diffattn.finalize
  // CHECK-SAME: mask<window 3, 2> schedule<query_tile = 4, pairs = 1, key_tile = 8>
  %r = diffattn.attention query(%q : tensor<1x8x2x16xf32>)
      key(%k : tensor<1x9x1x16xf32>) value(%k : tensor<1x9x1x16xf32>)
      lambda(%l : tensor<1x8x1xf32>) outs(%o : tensor<1x8x1x16xf32>)
      mask<window 3, 2> scale(0.5) softcap(30.0)
      schedule<query_tile = 4, pairs = 1, key_tile = 8>
  return %r : tensor<1x8x1x16xf32>
}

// Heads of lse count both branches, those of noise pairs.
// CHECK-LABEL: func @results(
// CHECK-SAME:    %[[O:[^:]*]]: tensor<1x8x6x16xf32>, %[[S:[^:]*]]: tensor<1x12x8xf32>, %[[N:[^:]*]]: tensor<1x8x6x16xf16>)
func.func @results(%q: tensor<1x8x12x16xf32>, %k: tensor<1x9x2x16xf32>,
                   %l: tensor<1x8x6xf32>, %o: tensor<1x8x6x16xf32>,
                   %s: tensor<1x12x8xf32>, %n: tensor<1x8x6x16xf16>)
    -> (tensor<1x8x6x16xf32>, tensor<1x12x8xf32>, tensor<1x8x6x16xf16>) {
  // CHECK-DAG: %[[SX:.*]] = tensor.expand_shape %[[S]] {{\[}}[0], [1, 2, 3], [4]] {{.*}} into tensor<1x2x3x2x8xf32>
  // CHECK-DAG: %[[NX:.*]] = tensor.expand_shape %[[N]] {{\[}}[0], [1], [2, 3], [4]] {{.*}} into tensor<1x8x2x3x16xf16>
  // CHECK: %[[R:.*]]:3 = diffattn.finalize {{.*}} lse(%[[SX]] : {{[^)]*}}) noise(%[[NX]] : {{[^)]*}})
  // CHECK-DAG: %[[LSE:.*]] = tensor.collapse_shape %[[R]]#1 {{\[}}[0], [1, 2, 3], [4]]
  // CHECK-DAG: %[[NOISE:.*]] = tensor.collapse_shape %[[R]]#2 {{\[}}[0], [1], [2, 3], [4]]
  // CHECK: return %{{.*}}, %[[LSE]], %[[NOISE]]
  %r:3 = diffattn.attention query(%q : tensor<1x8x12x16xf32>)
      key(%k : tensor<1x9x2x16xf32>) value(%k : tensor<1x9x2x16xf32>)
      lambda(%l : tensor<1x8x6xf32>) outs(%o : tensor<1x8x6x16xf32>)
      lse(%s : tensor<1x12x8xf32>) noise(%n : tensor<1x8x6x16xf16>)
  return %r#0, %r#1, %r#2
      : tensor<1x8x6x16xf32>, tensor<1x12x8xf32>, tensor<1x8x6x16xf16>
}

// Plain attention has a branch dimension of 1 and no gate.
// CHECK-LABEL: func @plain(
func.func @plain(%q: tensor<1x8x6x16xf32>, %k: tensor<1x9x2x16xf32>,
                 %o: tensor<1x8x6x16xf32>) -> tensor<1x8x6x16xf32> {
  // CHECK: diffattn.online_attention query(%{{.*}} : tensor<1x8x2x3x1x16xf32>)
  // CHECK: diffattn.finalize
  // CHECK-NOT: lambda
  // CHECK-SAME: outs(%{{.*}} : tensor<1x8x2x3x16xf32>)
  %r = diffattn.attention query(%q : tensor<1x8x6x16xf32>)
      key(%k : tensor<1x9x2x16xf32>) value(%k : tensor<1x9x2x16xf32>)
      outs(%o : tensor<1x8x6x16xf32>)
  return %r : tensor<1x8x6x16xf32>
}
