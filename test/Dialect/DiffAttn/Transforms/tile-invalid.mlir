// RUN: diffattn-opt %s --diffattn-tile --split-input-file --verify-diagnostics

#query = affine_map<(b, h, p, r, m, k, d, n) -> (b, m, h, p, r, d)>
#key = affine_map<(b, h, p, r, m, k, d, n) -> (b, k, h, d)>
#value = affine_map<(b, h, p, r, m, k, d, n) -> (b, k, h, n)>
#acc = affine_map<(b, h, p, r, m, k, d, n) -> (b, m, h, p, r, n)>
#row = affine_map<(b, h, p, r, m, k, d, n) -> (b, m, h, p, r)>
#f_acc = affine_map<(b, h, p, r, m, n) -> (b, m, h, p, r, n)>
#f_row = affine_map<(b, h, p, r, m, n) -> (b, m, h, p, r)>
#f_lambda = affine_map<(b, h, p, r, m, n) -> (b, m, h, p)>
#f_out = affine_map<(b, h, p, r, m, n) -> (b, m, h, p, n)>
#f_lse = affine_map<(b, h, p, r, m, n) -> (b, h, p, r, m)>
!q = tensor<1x8x1x6x1x8xf32>
!k = tensor<1x8x1x8xf32>
!row = tensor<1x8x1x6x1xf32>
!o = tensor<1x8x1x6x8xf32>
func.func @pairs_do_not_divide(%q: !q, %k: !k, %o: !o) -> !o {
  %c0 = arith.constant 0 : index
  %c8 = arith.constant 8 : index
  %zero = arith.constant 0.0 : f32
  %lowest = arith.constant 0xFF800000 : f32
  %e0 = tensor.empty() : !q
  %e1 = tensor.empty() : !row
  %acc = linalg.fill ins(%zero : f32) outs(%e0 : !q) -> !q
  %max = linalg.fill ins(%lowest : f32) outs(%e1 : !row) -> !row
  %sum = linalg.fill ins(%zero : f32) outs(%e1 : !row) -> !row
  %r:3 = diffattn.online_attention query(%q : !q) key(%k : !k) value(%k : !k)
      outs(%acc, %max, %sum : !q, !row, !row) at(%c0 of %c8, %c0 of %c8) scale(0.5)
      maps [#query, #key, #value, #acc, #row, #row]
  // expected-error @below {{'diffattn.finalize' op expects the schedule's pairs to divide the 6 pairs of a group, but got 5; the nearest legal one is 6}}
  %f = diffattn.finalize acc(%r#0, %r#1, %r#2 : !q, !row, !row) outs(%o : !o)
      at(%c0 of %c8, %c8) schedule<query_tile = 4, pairs = 5, key_tile = 8>
      maps [#f_acc, #f_row, #f_row, #f_lambda, #f_out, #f_lse, #f_out]
  return %f : !o
}

// -----

#f_acc = affine_map<(b, h, p, r, m, n) -> (b, m, h, p, r, n)>
#f_row = affine_map<(b, h, p, r, m, n) -> (b, m, h, p, r)>
#f_lambda = affine_map<(b, h, p, r, m, n) -> (b, m, h, p)>
#f_out = affine_map<(b, h, p, r, m, n) -> (b, m, h, p, n)>
#f_lse = affine_map<(b, h, p, r, m, n) -> (b, h, p, r, m)>
!q = tensor<1x8x1x1x1x8xf32>
!row = tensor<1x8x1x1x1xf32>
!o = tensor<1x8x1x1x8xf32>
// Accumulators from elsewhere, such as the merge of splits.
func.func @no_producer(%acc: !q, %row: !row, %o: !o) -> !o {
  %c0 = arith.constant 0 : index
  %c8 = arith.constant 8 : index
  // expected-error @below {{'diffattn.finalize' op expects accumulators from one diffattn.online_attention that nothing else uses; run diffattn-to-online}}
  %f = diffattn.finalize acc(%acc, %row, %row : !q, !row, !row) outs(%o : !o)
      at(%c0 of %c8, %c8) schedule<query_tile = 4, pairs = 1, key_tile = 8>
      maps [#f_acc, #f_row, #f_row, #f_lambda, #f_out, #f_lse, #f_out]
  return %f : !o
}

// -----

#query = affine_map<(b, h, p, r, m, k, d, n) -> (b, m, h, p, r, d)>
#key = affine_map<(b, h, p, r, m, k, d, n) -> (b, k, h, d)>
#value = affine_map<(b, h, p, r, m, k, d, n) -> (b, k, h, n)>
#acc = affine_map<(b, h, p, r, m, k, d, n) -> (b, m, h, p, r, n)>
#row = affine_map<(b, h, p, r, m, k, d, n) -> (b, m, h, p, r)>
#f_acc = affine_map<(b, h, p, r, m, n) -> (b, m, h, p, r, n)>
#f_row = affine_map<(b, h, p, r, m, n) -> (b, m, h, p, r)>
#f_lambda = affine_map<(b, h, p, r, m, n) -> (b, m, h, p)>
#f_out = affine_map<(b, h, p, r, m, n) -> (b, m, h, p, n)>
#f_lse = affine_map<(b, h, p, r, m, n) -> (b, h, p, r, m)>
!q = tensor<1x8x1x1x1x8xf32>
!k = tensor<1x8x1x8xf32>
!row = tensor<1x8x1x1x1xf32>
!o = tensor<1x8x1x1x8xf32>
// max and sum exchanged: tiling must not put them right.
func.func @results_exchanged(%q: !q, %k: !k, %acc: !q, %row: !row, %o: !o) -> !o {
  %c0 = arith.constant 0 : index
  %c8 = arith.constant 8 : index
  %r:3 = diffattn.online_attention query(%q : !q) key(%k : !k) value(%k : !k)
      outs(%acc, %row, %row : !q, !row, !row) at(%c0 of %c8, %c0 of %c8) scale(0.5)
      maps [#query, #key, #value, #acc, #row, #row]
  // expected-error @below {{'diffattn.finalize' op expects accumulators from one diffattn.online_attention that nothing else uses}}
  %f = diffattn.finalize acc(%r#0, %r#2, %r#1 : !q, !row, !row) outs(%o : !o)
      at(%c0 of %c8, %c8) schedule<query_tile = 4, pairs = 1, key_tile = 8>
      maps [#f_acc, #f_row, #f_row, #f_lambda, #f_out, #f_lse, #f_out]
  return %f : !o
}

// -----

#query = affine_map<(b, h, p, r, m, k, d, n) -> (b, m, h, p, r, d)>
#key = affine_map<(b, h, p, r, m, k, d, n) -> (b, k, h, d)>
#value = affine_map<(b, h, p, r, m, k, d, n) -> (b, k, h, n)>
#acc = affine_map<(b, h, p, r, m, k, d, n) -> (b, m, h, p, r, n)>
#row = affine_map<(b, h, p, r, m, k, d, n) -> (b, m, h, p, r)>
#f_acc = affine_map<(b, h, p, r, m, n) -> (b, m, h, p, r, n)>
#f_row = affine_map<(b, h, p, r, m, n) -> (b, m, h, p, r)>
#f_lambda = affine_map<(b, h, p, r, m, n) -> (b, m, h, p)>
#f_out = affine_map<(b, h, p, r, m, n) -> (b, m, h, p, n)>
#f_lse = affine_map<(b, h, p, r, m, n) -> (b, h, p, r, m)>
!q = tensor<1x8x1x1x1x8xf32>
!k = tensor<1x8x1x8xf32>
!row = tensor<1x8x1x1x1xf32>
!o = tensor<1x8x1x1x8xf32>
// Accumulators that already hold earlier keys would be lost.
func.func @continued(%q: !q, %k: !k, %acc: !q, %row: !row, %o: !o) -> !o {
  %c0 = arith.constant 0 : index
  %c8 = arith.constant 8 : index
  %r:3 = diffattn.online_attention query(%q : !q) key(%k : !k) value(%k : !k)
      outs(%acc, %row, %row : !q, !row, !row) at(%c0 of %c8, %c0 of %c8) scale(0.5)
      maps [#query, #key, #value, #acc, #row, #row]
  // expected-error @below {{'diffattn.finalize' op expects accumulators that start filled with 0, -infinity and 0}}
  %f = diffattn.finalize acc(%r#0, %r#1, %r#2 : !q, !row, !row) outs(%o : !o)
      at(%c0 of %c8, %c8) schedule<query_tile = 4, pairs = 1, key_tile = 8>
      maps [#f_acc, #f_row, #f_row, #f_lambda, #f_out, #f_lse, #f_out]
  return %f : !o
}

// -----

#query = affine_map<(b, h, p, r, m, k, d, n) -> (b, m, h, p, r, d)>
#key = affine_map<(b, h, p, r, m, k, d, n) -> (b, k, h, d)>
#value = affine_map<(b, h, p, r, m, k, d, n) -> (b, k, h, n)>
#acc = affine_map<(b, h, p, r, m, k, d, n) -> (b, m, h, p, r, n)>
#row = affine_map<(b, h, p, r, m, k, d, n) -> (b, m, h, p, r)>
#f_acc = affine_map<(b, h, p, r, m, n) -> (b, m, h, p, r, n)>
#f_row = affine_map<(b, h, p, r, m, n) -> (b, m, h, p, r)>
#f_lambda = affine_map<(b, h, p, r, m, n) -> (b, m, h, p)>
#f_out = affine_map<(b, h, p, r, m, n) -> (b, m, h, p, n)>
#f_lse = affine_map<(b, h, p, r, m, n) -> (b, h, p, r, m)>
!q = tensor<1x8x1x1x1x8xf32>
!k = tensor<1x8x1x8xf32>
!row = tensor<1x8x1x1x1xf32>
!o = tensor<1x8x1x1x8xf32>
// Half of the rows of an operator, as tiling through the interface leaves it.
func.func @tiled_already(%q: !q, %k: !k, %o: !o) -> !o {
  %c0 = arith.constant 0 : index
  %c8 = arith.constant 8 : index
  %c16 = arith.constant 16 : index
  %zero = arith.constant 0.0 : f32
  %lowest = arith.constant 0xFF800000 : f32
  %e0 = tensor.empty() : !q
  %e1 = tensor.empty() : !row
  %acc = linalg.fill ins(%zero : f32) outs(%e0 : !q) -> !q
  %max = linalg.fill ins(%lowest : f32) outs(%e1 : !row) -> !row
  %sum = linalg.fill ins(%zero : f32) outs(%e1 : !row) -> !row
  %r:3 = diffattn.online_attention query(%q : !q) key(%k : !k) value(%k : !k)
      outs(%acc, %max, %sum : !q, !row, !row) at(%c8 of %c16, %c0 of %c8) scale(0.5)
      maps [#query, #key, #value, #acc, #row, #row]
  // expected-error @below {{'diffattn.finalize' op expects rows and keys that start at 0: it has been tiled already}}
  %f = diffattn.finalize acc(%r#0, %r#1, %r#2 : !q, !row, !row) outs(%o : !o)
      at(%c8 of %c16, %c8) schedule<query_tile = 4, pairs = 1, key_tile = 8>
      maps [#f_acc, #f_row, #f_row, #f_lambda, #f_out, #f_lse, #f_out]
  return %f : !o
}

// -----

#query = affine_map<(b, h, p, r, m, k, d, n) -> (b, m, h, p, r, d)>
#key = affine_map<(b, h, p, r, m, k, d, n) -> (b, k, h, d)>
#value = affine_map<(b, h, p, r, m, k, d, n) -> (b, k, h, n)>
#acc = affine_map<(b, h, p, r, m, k, d, n) -> (b, m, h, p, r, n)>
#row = affine_map<(b, h, p, r, m, k, d, n) -> (b, m, h, p, r)>
#f_acc = affine_map<(b, h, p, r, m, n) -> (b, m, h, p, r, n)>
#f_row = affine_map<(b, h, p, r, m, n) -> (b, m, h, p, r)>
#f_lambda = affine_map<(b, h, p, r, m, n) -> (b, m, h, p)>
#f_out = affine_map<(b, h, p, r, m, n) -> (b, m, h, p, n)>
#f_lse = affine_map<(b, h, p, r, m, n) -> (b, h, p, r, m)>
!q = tensor<1x8x1x?x1x8xf32>
!k = tensor<1x8x1x8xf32>
!row = tensor<1x8x1x?x1xf32>
!o = tensor<1x8x1x?x8xf32>
func.func @dynamic_pairs(%q: !q, %k: !k, %o: !o, %pairs: index) -> !o {
  %c0 = arith.constant 0 : index
  %c8 = arith.constant 8 : index
  %zero = arith.constant 0.0 : f32
  %lowest = arith.constant 0xFF800000 : f32
  %e0 = tensor.empty(%pairs) : !q
  %e1 = tensor.empty(%pairs) : !row
  %acc = linalg.fill ins(%zero : f32) outs(%e0 : !q) -> !q
  %max = linalg.fill ins(%lowest : f32) outs(%e1 : !row) -> !row
  %sum = linalg.fill ins(%zero : f32) outs(%e1 : !row) -> !row
  %r:3 = diffattn.online_attention query(%q : !q) key(%k : !k) value(%k : !k)
      outs(%acc, %max, %sum : !q, !row, !row) at(%c0 of %c8, %c0 of %c8) scale(0.5)
      maps [#query, #key, #value, #acc, #row, #row]
  // expected-error @below {{'diffattn.finalize' op expects a static pair dimension}}
  %f = diffattn.finalize acc(%r#0, %r#1, %r#2 : !q, !row, !row) outs(%o : !o)
      at(%c0 of %c8, %c8) schedule<query_tile = 4, pairs = 2, key_tile = 8>
      maps [#f_acc, #f_row, #f_row, #f_lambda, #f_out, #f_lse, #f_out]
  return %f : !o
}
