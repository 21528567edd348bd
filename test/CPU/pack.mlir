// RUN: diffattn-opt %s --diffattn-cpu-pack | FileCheck %s

#query = affine_map<(b, h, p, r, m, k, d, n) -> (b, m, h, p, r, d)>
#key = affine_map<(b, h, p, r, m, k, d, n) -> (b, k, h, d)>
#value = affine_map<(b, h, p, r, m, k, d, n) -> (b, k, h, n)>
#acc = affine_map<(b, h, p, r, m, k, d, n) -> (b, h, n, p, r, m)>
#row = affine_map<(b, h, p, r, m, k, d, n) -> (b, h, p, r, m)>

// CHECK-DAG: #[[$ID6:.*]] = affine_map<(d0, d1, d2, d3, d4, d5) -> (d0, d1, d2, d3, d4, d5)>
// CHECK-DAG: #[[$ID4:.*]] = affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, d3)>
// Scratch (b, h, d, p, r, m) holds query (b, m, h, p, r, d).
// CHECK-DAG: #[[$PERMUTE:.*]] = affine_map<(d0, d1, d2, d3, d4, d5) -> (d0, d2, d5, d3, d4, d1)>
// CHECK-DAG: #[[$PACKED:.*]] = affine_map<(d0, d1, d2, d3, d4, d5, d6, d7) -> (d0, d1, d6, d2, d3, d4)>
// CHECK-DAG: #[[$KEY:.*]] = affine_map<(d0, d1, d2, d3, d4, d5, d6, d7) -> (d0, d5, d1, d6)>
// CHECK-DAG: #[[$REST:.*]] = affine_map<()[s0] -> (-s0 + 4)>
// CHECK-DAG: #[[$KEY_REST:.*]] = affine_map<()[s0] -> (-s0 + 8)>

!q = tensor<1x4x1x3x2x16xf32>
!k = tensor<1x8x1x16xf32>
!acc = tensor<1x1x16x3x2x4xf32>
!row = tensor<1x1x3x2x4xf32>

// The query is transposed to rows innermost; keys and values keep their order.
// CHECK-LABEL: func @full(
// CHECK-SAME:    %[[Q:[^:]*]]: tensor<1x4x1x3x2x16xf32>, %[[K:[^:]*]]: tensor<1x8x1x16xf32>, %[[V:[^:]*]]: tensor<1x8x1x16xf32>,
func.func @full(%q: !q, %k: !k, %v: !k, %acc: !acc, %row: !row, %i: index) -> !acc {
  // CHECK-DAG: %[[QS:.*]] = linalg.generic {indexing_maps = [#[[$ID6]], #[[$PERMUTE]]], {{.*}} ins(%[[Q]] : {{[^)]*}}) outs(%{{.*}} : tensor<1x1x16x3x2x4xf32>)
  // CHECK-DAG: %[[QP:.*]] = tensor.insert_slice %[[QS]]
  // CHECK-DAG: %[[KS:.*]] = linalg.generic {indexing_maps = [#[[$ID4]], #[[$ID4]]], {{.*}} ins(%[[K]] : {{[^)]*}}) outs(%{{.*}} : tensor<1x8x1x16xf32>)
  // CHECK-DAG: %[[KP:.*]] = tensor.insert_slice %[[KS]]
  // CHECK-DAG: %[[VS:.*]] = linalg.generic {indexing_maps = [#[[$ID4]], #[[$ID4]]], {{.*}} ins(%[[V]] :
  // CHECK-DAG: %[[VP:.*]] = tensor.insert_slice %[[VS]]
  // CHECK-NOT: arith.extf
  // CHECK-NOT: linalg.fill
  // CHECK: diffattn.online_attention query(%[[QP]] : tensor<1x1x16x3x2x4xf32>) key(%[[KP]] : {{[^)]*}}) value(%[[VP]] :
  // CHECK-SAME: maps [#[[$PACKED]], #[[$KEY]],
  %r:3 = diffattn.online_attention query(%q : !q) key(%k : !k) value(%v : !k)
      outs(%acc, %row, %row : !acc, !row, !row) at(%i of %i, %i of %i) scale(0.5)
      maps [#query, #key, #value, #acc, #row, #row]
  return %r#0 : !acc
}

// 16-bit operands are widened by the copy.
// CHECK-LABEL: func @bf16(
func.func @bf16(%q: tensor<1x4x1x3x2x16xbf16>, %k: tensor<1x8x1x16xbf16>,
                %acc: !acc, %row: !row, %i: index) -> !acc {
  // CHECK-COUNT-3: arith.extf %{{.*}} : bf16 to f32
  // CHECK: diffattn.online_attention query(%{{.*}} : tensor<1x1x16x3x2x4xf32>)
  // CHECK-SAME: key(%{{.*}} : tensor<1x8x1x16xf32>) value(%{{.*}} : tensor<1x8x1x16xf32>)
  %r:3 = diffattn.online_attention query(%q : tensor<1x4x1x3x2x16xbf16>)
      key(%k : tensor<1x8x1x16xbf16>) value(%k : tensor<1x8x1x16xbf16>)
      outs(%acc, %row, %row : !acc, !row, !row) at(%i of %i, %i of %i) scale(0.5)
      maps [#query, #key, #value, #acc, #row, #row]
  return %r#0 : !acc
}

// The valid rows are copied, the rest of the scratch is filled with zeros. The
// padded tensor is left without a use.
// CHECK-LABEL: func @ragged_rows(
// CHECK-SAME:    %[[Q:[^:]*]]: tensor<1x?x1x3x2x16xf32>,
func.func @ragged_rows(%q: tensor<1x?x1x3x2x16xf32>, %k: !k, %acc: !acc, %row: !row,
                       %i: index, %pad: index) -> !acc {
  %zero = arith.constant 0.0 : f32
  %tile = tensor.pad %q low[0, 0, 0, 0, 0, 0] high[0, %pad, 0, 0, 0, 0] {
  ^bb0(%i0: index, %i1: index, %i2: index, %i3: index, %i4: index, %i5: index):
    tensor.yield %zero : f32
  } : tensor<1x?x1x3x2x16xf32> to !q
  // CHECK: %[[VALID:.*]] = tensor.dim %[[Q]], %c1
  // CHECK: %[[SCRATCH:.*]] = tensor.empty() : tensor<1x1x16x3x2x4xf32>
  // CHECK: %[[PART:.*]] = tensor.extract_slice %[[SCRATCH]][0, 0, 0, 0, 0, 0] [1, 1, 16, 3, 2, %[[VALID]]]
  // CHECK: %[[COPY:.*]] = linalg.generic {{.*}} ins(%[[Q]] : {{[^)]*}}) outs(%[[PART]] :
  // CHECK: %[[HEAD:.*]] = tensor.insert_slice %[[COPY]] into %[[SCRATCH]]
  // CHECK: %[[REST:.*]] = affine.apply #[[$REST]]()[%[[VALID]]]
  // CHECK: %[[TAIL:.*]] = tensor.extract_slice %[[HEAD]][0, 0, 0, 0, 0, %[[VALID]]] [1, 1, 16, 3, 2, %[[REST]]]
  // CHECK: %[[FILL:.*]] = linalg.fill ins(%{{.*}}) outs(%[[TAIL]] :
  // CHECK: %[[PACKED:.*]] = tensor.insert_slice %[[FILL]] into %[[HEAD]]
  // CHECK: diffattn.online_attention query(%[[PACKED]] :
  %r:3 = diffattn.online_attention query(%tile : !q) key(%k : !k) value(%k : !k)
      outs(%acc, %row, %row : !acc, !row, !row) at(%i of %i, %i of %i) scale(0.5)
      maps [#query, #key, #value, #acc, #row, #row]
  return %r#0 : !acc
}

// The padding of keys is widened with them.
// CHECK-LABEL: func @ragged_keys_bf16(
// CHECK-SAME:    %[[Q:[^:]*]]: tensor<1x4x1x3x2x16xbf16>, %[[K:[^:]*]]: tensor<1x?x1x16xbf16>,
func.func @ragged_keys_bf16(%q: tensor<1x4x1x3x2x16xbf16>, %k: tensor<1x?x1x16xbf16>,
                            %v: tensor<1x8x1x16xbf16>, %acc: !acc, %row: !row,
                            %i: index, %pad: index) -> !acc {
  %zero = arith.constant 0.0 : bf16
  %tile = tensor.pad %k low[0, 0, 0, 0] high[0, %pad, 0, 0] {
  ^bb0(%i0: index, %i1: index, %i2: index, %i3: index):
    tensor.yield %zero : bf16
  } : tensor<1x?x1x16xbf16> to tensor<1x8x1x16xbf16>
  // CHECK: %[[VALID:.*]] = tensor.dim %[[K]], %c1
  // CHECK: linalg.generic {{.*}} ins(%[[K]] :
  // CHECK:   arith.extf
  // CHECK: %[[REST:.*]] = affine.apply #[[$KEY_REST]]()[%[[VALID]]]
  // CHECK: linalg.fill {{.*}} -> tensor<1x?x1x16xf32>
  // CHECK: diffattn.online_attention {{.*}} key(%{{[^ ]*}} : tensor<1x8x1x16xf32>)
  %r:3 = diffattn.online_attention query(%q : tensor<1x4x1x3x2x16xbf16>)
      key(%tile : tensor<1x8x1x16xbf16>) value(%v : tensor<1x8x1x16xbf16>)
      outs(%acc, %row, %row : !acc, !row, !row) at(%i of %i, %i of %i) scale(0.5)
      maps [#query, #key, #value, #acc, #row, #row]
  return %r#0 : !acc
}

// Not a tile yet.
// CHECK-LABEL: func @dynamic(
func.func @dynamic(%q: tensor<1x?x1x3x2x16xf32>, %k: !k, %acc: tensor<1x1x16x3x2x?xf32>,
                   %row: tensor<1x1x3x2x?xf32>, %i: index) -> tensor<1x1x16x3x2x?xf32> {
  // CHECK-NOT: linalg.generic
  // CHECK: return
  %r:3 = diffattn.online_attention query(%q : tensor<1x?x1x3x2x16xf32>)
      key(%k : !k) value(%k : !k)
      outs(%acc, %row, %row : tensor<1x1x16x3x2x?xf32>, tensor<1x1x3x2x?xf32>, tensor<1x1x3x2x?xf32>)
      at(%i of %i, %i of %i) scale(0.5) maps [#query, #key, #value, #acc, #row, #row]
  return %r#0 : tensor<1x1x16x3x2x?xf32>
}
