// RUN: diffattn-opt %s --split-input-file --verify-diagnostics

// One case for each message; the number in a function's name is that of the
// constraint in DiffAttnOps.td. Deviations from query (1, 4, 1, 3, 2, 8), key
// (1, 6, 1, 8), value (1, 6, 1, 16), acc (1, 4, 1, 3, 2, 16), max and sum
// (1, 4, 1, 3, 2).

#query = affine_map<(b, h, p, r, m, k, d, n) -> (b, m, h, p, r, d)>
#key = affine_map<(b, h, p, r, m, k, d, n) -> (b, k, h, d)>
#value = affine_map<(b, h, p, r, m, k, d, n) -> (b, k, h, n)>
#acc = affine_map<(b, h, p, r, m, k, d, n) -> (b, m, h, p, r, n)>
#max = affine_map<(b, h, p, r, m, k, d, n) -> (b, m, h, p, r)>
#sum = affine_map<(b, h, p, r, m, k, d, n) -> (b, m, h, p, r)>
func.func @online_c1_query_type(%q: tensor<1x4x1x3x2x8xf64>,
    %k: tensor<1x6x1x8xf32>, %v: tensor<1x6x1x16xf32>,
    %acc: tensor<1x4x1x3x2x16xf32>, %max: tensor<1x4x1x3x2xf32>,
    %sum: tensor<1x4x1x3x2xf32>, %i: index) {
  // expected-error @below {{'diffattn.online_attention' op expects query (C1) to hold f16, bf16 or f32, but got 'f64'}}
  %r:3 = diffattn.online_attention query(%q : tensor<1x4x1x3x2x8xf64>)
      key(%k : tensor<1x6x1x8xf32>) value(%v : tensor<1x6x1x16xf32>)
      outs(%acc, %max, %sum : tensor<1x4x1x3x2x16xf32>, tensor<1x4x1x3x2xf32>, tensor<1x4x1x3x2xf32>)
      at(%i of %i, %i of %i) scale(0.5)
      maps [#query, #key, #value, #acc, #max, #sum]
  return
}

// -----

#query = affine_map<(b, h, p, r, m, k, d, n) -> (b, m, h, p, r, d)>
#key = affine_map<(b, h, p, r, m, k, d, n) -> (b, k, h, d)>
#value = affine_map<(b, h, p, r, m, k, d, n) -> (b, k, h, n)>
#acc = affine_map<(b, h, p, r, m, k, d, n) -> (b, m, h, p, r, n)>
#max = affine_map<(b, h, p, r, m, k, d, n) -> (b, m, h, p, r)>
#sum = affine_map<(b, h, p, r, m, k, d, n) -> (b, m, h, p, r)>
func.func @online_c1_key_type(%q: tensor<1x4x1x3x2x8xf32>,
    %k: tensor<1x6x1x8xbf16>, %v: tensor<1x6x1x16xf32>,
    %acc: tensor<1x4x1x3x2x16xf32>, %max: tensor<1x4x1x3x2xf32>,
    %sum: tensor<1x4x1x3x2xf32>, %i: index) {
  // expected-error @below {{'diffattn.online_attention' op expects key (C1) to hold query's 'f32', but got 'bf16'}}
  %r:3 = diffattn.online_attention query(%q : tensor<1x4x1x3x2x8xf32>)
      key(%k : tensor<1x6x1x8xbf16>) value(%v : tensor<1x6x1x16xf32>)
      outs(%acc, %max, %sum : tensor<1x4x1x3x2x16xf32>, tensor<1x4x1x3x2xf32>, tensor<1x4x1x3x2xf32>)
      at(%i of %i, %i of %i) scale(0.5)
      maps [#query, #key, #value, #acc, #max, #sum]
  return
}

// -----

#query = affine_map<(b, h, p, r, m, k, d, n) -> (b, m, h, p, r, d)>
#key = affine_map<(b, h, p, r, m, k, d, n) -> (b, k, h, d)>
#value = affine_map<(b, h, p, r, m, k, d, n) -> (b, k, h, n)>
#acc = affine_map<(b, h, p, r, m, k, d, n) -> (b, m, h, p, r, n)>
#max = affine_map<(b, h, p, r, m, k, d, n) -> (b, m, h, p, r)>
#sum = affine_map<(b, h, p, r, m, k, d, n) -> (b, m, h, p, r)>
func.func @online_c1_value_type(%q: tensor<1x4x1x3x2x8xf32>,
    %k: tensor<1x6x1x8xf32>, %v: tensor<1x6x1x16xf16>,
    %acc: tensor<1x4x1x3x2x16xf32>, %max: tensor<1x4x1x3x2xf32>,
    %sum: tensor<1x4x1x3x2xf32>, %i: index) {
  // expected-error @below {{'diffattn.online_attention' op expects value (C1) to hold query's 'f32', but got 'f16'}}
  %r:3 = diffattn.online_attention query(%q : tensor<1x4x1x3x2x8xf32>)
      key(%k : tensor<1x6x1x8xf32>) value(%v : tensor<1x6x1x16xf16>)
      outs(%acc, %max, %sum : tensor<1x4x1x3x2x16xf32>, tensor<1x4x1x3x2xf32>, tensor<1x4x1x3x2xf32>)
      at(%i of %i, %i of %i) scale(0.5)
      maps [#query, #key, #value, #acc, #max, #sum]
  return
}

// -----

#query = affine_map<(b, h, p, r, m, k, d, n) -> (b, m, h, p, r, d)>
#key = affine_map<(b, h, p, r, m, k, d, n) -> (b, k, h, d)>
#value = affine_map<(b, h, p, r, m, k, d, n) -> (b, k, h, n)>
#acc = affine_map<(b, h, p, r, m, k, d, n) -> (b, m, h, p, r, n)>
#max = affine_map<(b, h, p, r, m, k, d, n) -> (b, m, h, p, r)>
#sum = affine_map<(b, h, p, r, m, k, d, n) -> (b, m, h, p, r)>
// Accumulators are never rounded between blocks.
func.func @online_c1_acc_type(%q: tensor<1x4x1x3x2x8xf32>,
    %k: tensor<1x6x1x8xf32>, %v: tensor<1x6x1x16xf32>,
    %acc: tensor<1x4x1x3x2x16xbf16>, %max: tensor<1x4x1x3x2xf32>,
    %sum: tensor<1x4x1x3x2xf32>, %i: index) {
  // expected-error @below {{'diffattn.online_attention' op expects acc (C1) to hold f32, but got 'bf16'}}
  %r:3 = diffattn.online_attention query(%q : tensor<1x4x1x3x2x8xf32>)
      key(%k : tensor<1x6x1x8xf32>) value(%v : tensor<1x6x1x16xf32>)
      outs(%acc, %max, %sum : tensor<1x4x1x3x2x16xbf16>, tensor<1x4x1x3x2xf32>, tensor<1x4x1x3x2xf32>)
      at(%i of %i, %i of %i) scale(0.5)
      maps [#query, #key, #value, #acc, #max, #sum]
  return
}

// -----

#query = affine_map<(b, h, p, r, m, k, d, n) -> (b, m, h, p, r, d)>
#key = affine_map<(b, h, p, r, m, k, d, n) -> (b, k, h, d)>
#value = affine_map<(b, h, p, r, m, k, d, n) -> (b, k, h, n)>
#acc = affine_map<(b, h, p, r, m, k, d, n) -> (b, m, h, p, r, n)>
#max = affine_map<(b, h, p, r, m, k, d, n) -> (b, m, h, p, r)>
#sum = affine_map<(b, h, p, r, m, k, d, n) -> (b, m, h, p, r)>
func.func @online_c1_max_type(%q: tensor<1x4x1x3x2x8xf32>,
    %k: tensor<1x6x1x8xf32>, %v: tensor<1x6x1x16xf32>,
    %acc: tensor<1x4x1x3x2x16xf32>, %max: tensor<1x4x1x3x2xf16>,
    %sum: tensor<1x4x1x3x2xf32>, %i: index) {
  // expected-error @below {{'diffattn.online_attention' op expects max (C1) to hold f32, but got 'f16'}}
  %r:3 = diffattn.online_attention query(%q : tensor<1x4x1x3x2x8xf32>)
      key(%k : tensor<1x6x1x8xf32>) value(%v : tensor<1x6x1x16xf32>)
      outs(%acc, %max, %sum : tensor<1x4x1x3x2x16xf32>, tensor<1x4x1x3x2xf16>, tensor<1x4x1x3x2xf32>)
      at(%i of %i, %i of %i) scale(0.5)
      maps [#query, #key, #value, #acc, #max, #sum]
  return
}

// -----

#query = affine_map<(b, h, p, r, m, k, d, n) -> (b, m, h, p, r, d)>
#key = affine_map<(b, h, p, r, m, k, d, n) -> (b, k, h, d)>
#value = affine_map<(b, h, p, r, m, k, d, n) -> (b, k, h, n)>
#acc = affine_map<(b, h, p, r, m, k, d, n) -> (b, m, h, p, r, n)>
#max = affine_map<(b, h, p, r, m, k, d, n) -> (b, m, h, p, r)>
#sum = affine_map<(b, h, p, r, m, k, d, n) -> (b, m, h, p, r)>
func.func @online_c1_sum_type(%q: tensor<1x4x1x3x2x8xf32>,
    %k: tensor<1x6x1x8xf32>, %v: tensor<1x6x1x16xf32>,
    %acc: tensor<1x4x1x3x2x16xf32>, %max: tensor<1x4x1x3x2xf32>,
    %sum: tensor<1x4x1x3x2xf64>, %i: index) {
  // expected-error @below {{'diffattn.online_attention' op expects sum (C1) to hold f32, but got 'f64'}}
  %r:3 = diffattn.online_attention query(%q : tensor<1x4x1x3x2x8xf32>)
      key(%k : tensor<1x6x1x8xf32>) value(%v : tensor<1x6x1x16xf32>)
      outs(%acc, %max, %sum : tensor<1x4x1x3x2x16xf32>, tensor<1x4x1x3x2xf32>, tensor<1x4x1x3x2xf64>)
      at(%i of %i, %i of %i) scale(0.5)
      maps [#query, #key, #value, #acc, #max, #sum]
  return
}

// -----

#query = affine_map<(b, h, p, r, m, k, d, n) -> (b, m, h, p, r, d)>
#key = affine_map<(b, h, p, r, m, k, d, n) -> (b, k, h, d)>
#value = affine_map<(b, h, p, r, m, k, d, n) -> (b, k, h, n)>
#acc = affine_map<(b, h, p, r, m, k, d, n) -> (b, m, h, p, r, n)>
#max = affine_map<(b, h, p, r, m, k, d, n) -> (b, m, h, p, r)>
#sum = affine_map<(b, h, p, r, m, k, d, n) -> (b, m, h, p, r)>
func.func @online_c2_five_maps(%q: tensor<1x4x1x3x2x8xf32>,
    %k: tensor<1x6x1x8xf32>, %v: tensor<1x6x1x16xf32>,
    %acc: tensor<1x4x1x3x2x16xf32>, %max: tensor<1x4x1x3x2xf32>,
    %sum: tensor<1x4x1x3x2xf32>, %i: index) {
  // expected-error @below {{'diffattn.online_attention' op expects 6 indexing maps (C2), but got 5}}
  %r:3 = diffattn.online_attention query(%q : tensor<1x4x1x3x2x8xf32>)
      key(%k : tensor<1x6x1x8xf32>) value(%v : tensor<1x6x1x16xf32>)
      outs(%acc, %max, %sum : tensor<1x4x1x3x2x16xf32>, tensor<1x4x1x3x2xf32>, tensor<1x4x1x3x2xf32>)
      at(%i of %i, %i of %i) scale(0.5)
      maps [#query, #key, #value, #acc, #max]
  return
}

// -----

#query = affine_map<(b, m, h, p, r, d) -> (b, m, h, p, r, d)>
#key = affine_map<(b, h, p, r, m, k, d, n) -> (b, k, h, d)>
#value = affine_map<(b, h, p, r, m, k, d, n) -> (b, k, h, n)>
#acc = affine_map<(b, h, p, r, m, k, d, n) -> (b, m, h, p, r, n)>
#max = affine_map<(b, h, p, r, m, k, d, n) -> (b, m, h, p, r)>
#sum = affine_map<(b, h, p, r, m, k, d, n) -> (b, m, h, p, r)>
func.func @online_c2_dimensions(%q: tensor<1x4x1x3x2x8xf32>,
    %k: tensor<1x6x1x8xf32>, %v: tensor<1x6x1x16xf32>,
    %acc: tensor<1x4x1x3x2x16xf32>, %max: tensor<1x4x1x3x2xf32>,
    %sum: tensor<1x4x1x3x2xf32>, %i: index) {
  // expected-error @below {{'diffattn.online_attention' op expects the map of query (C2) to permute 6 of 8 dimensions, but got affine_map<(d0, d1, d2, d3, d4, d5) -> (d0, d1, d2, d3, d4, d5)>}}
  %r:3 = diffattn.online_attention query(%q : tensor<1x4x1x3x2x8xf32>)
      key(%k : tensor<1x6x1x8xf32>) value(%v : tensor<1x6x1x16xf32>)
      outs(%acc, %max, %sum : tensor<1x4x1x3x2x16xf32>, tensor<1x4x1x3x2xf32>, tensor<1x4x1x3x2xf32>)
      at(%i of %i, %i of %i) scale(0.5)
      maps [#query, #key, #value, #acc, #max, #sum]
  return
}

// -----

#query = affine_map<(b, h, p, r, m, k, d, n) -> (b, m, h, p, r, d)>
#key = affine_map<(b, h, p, r, m, k, d, n)[s] -> (b, k, h, d)>
#value = affine_map<(b, h, p, r, m, k, d, n) -> (b, k, h, n)>
#acc = affine_map<(b, h, p, r, m, k, d, n) -> (b, m, h, p, r, n)>
#max = affine_map<(b, h, p, r, m, k, d, n) -> (b, m, h, p, r)>
#sum = affine_map<(b, h, p, r, m, k, d, n) -> (b, m, h, p, r)>
func.func @online_c2_symbol(%q: tensor<1x4x1x3x2x8xf32>,
    %k: tensor<1x6x1x8xf32>, %v: tensor<1x6x1x16xf32>,
    %acc: tensor<1x4x1x3x2x16xf32>, %max: tensor<1x4x1x3x2xf32>,
    %sum: tensor<1x4x1x3x2xf32>, %i: index) {
  // expected-error @below {{'diffattn.online_attention' op expects the map of key (C2) to permute 4 of 8 dimensions, but got affine_map<(d0, d1, d2, d3, d4, d5, d6, d7)[s0] -> (d0, d5, d1, d6)>}}
  %r:3 = diffattn.online_attention query(%q : tensor<1x4x1x3x2x8xf32>)
      key(%k : tensor<1x6x1x8xf32>) value(%v : tensor<1x6x1x16xf32>)
      outs(%acc, %max, %sum : tensor<1x4x1x3x2x16xf32>, tensor<1x4x1x3x2xf32>, tensor<1x4x1x3x2xf32>)
      at(%i of %i, %i of %i) scale(0.5)
      maps [#query, #key, #value, #acc, #max, #sum]
  return
}

// -----

#query = affine_map<(b, h, p, r, m, k, d, n) -> (b, m, h, p, r, d)>
#key = affine_map<(b, h, p, r, m, k, d, n) -> (b, k + 1, h, d)>
#value = affine_map<(b, h, p, r, m, k, d, n) -> (b, k, h, n)>
#acc = affine_map<(b, h, p, r, m, k, d, n) -> (b, m, h, p, r, n)>
#max = affine_map<(b, h, p, r, m, k, d, n) -> (b, m, h, p, r)>
#sum = affine_map<(b, h, p, r, m, k, d, n) -> (b, m, h, p, r)>
func.func @online_c2_not_a_permutation(%q: tensor<1x4x1x3x2x8xf32>,
    %k: tensor<1x6x1x8xf32>, %v: tensor<1x6x1x16xf32>,
    %acc: tensor<1x4x1x3x2x16xf32>, %max: tensor<1x4x1x3x2xf32>,
    %sum: tensor<1x4x1x3x2xf32>, %i: index) {
  // expected-error @below {{'diffattn.online_attention' op expects the map of key (C2) to permute 4 of 8 dimensions, but got affine_map<(d0, d1, d2, d3, d4, d5, d6, d7) -> (d0, d5 + 1, d1, d6)>}}
  %r:3 = diffattn.online_attention query(%q : tensor<1x4x1x3x2x8xf32>)
      key(%k : tensor<1x6x1x8xf32>) value(%v : tensor<1x6x1x16xf32>)
      outs(%acc, %max, %sum : tensor<1x4x1x3x2x16xf32>, tensor<1x4x1x3x2xf32>, tensor<1x4x1x3x2xf32>)
      at(%i of %i, %i of %i) scale(0.5)
      maps [#query, #key, #value, #acc, #max, #sum]
  return
}

// -----

#query = affine_map<(b, h, p, r, m, k, d, n) -> (b, m, h, p, r, d)>
#key = affine_map<(b, h, p, r, m, k, d, n) -> (b, k, b, d)>
#value = affine_map<(b, h, p, r, m, k, d, n) -> (b, k, h, n)>
#acc = affine_map<(b, h, p, r, m, k, d, n) -> (b, m, h, p, r, n)>
#max = affine_map<(b, h, p, r, m, k, d, n) -> (b, m, h, p, r)>
#sum = affine_map<(b, h, p, r, m, k, d, n) -> (b, m, h, p, r)>
func.func @online_c2_repeated(%q: tensor<1x4x1x3x2x8xf32>,
    %k: tensor<1x6x1x8xf32>, %v: tensor<1x6x1x16xf32>,
    %acc: tensor<1x4x1x3x2x16xf32>, %max: tensor<1x4x1x3x2xf32>,
    %sum: tensor<1x4x1x3x2xf32>, %i: index) {
  // expected-error @below {{'diffattn.online_attention' op expects the map of key (C2) to permute 4 of 8 dimensions, but got affine_map<(d0, d1, d2, d3, d4, d5, d6, d7) -> (d0, d5, d0, d6)>}}
  %r:3 = diffattn.online_attention query(%q : tensor<1x4x1x3x2x8xf32>)
      key(%k : tensor<1x6x1x8xf32>) value(%v : tensor<1x6x1x16xf32>)
      outs(%acc, %max, %sum : tensor<1x4x1x3x2x16xf32>, tensor<1x4x1x3x2xf32>, tensor<1x4x1x3x2xf32>)
      at(%i of %i, %i of %i) scale(0.5)
      maps [#query, #key, #value, #acc, #max, #sum]
  return
}

// -----

#query = affine_map<(b, h, p, r, m, k, d, n) -> (b, m, h, p, r, d)>
#key = affine_map<(b, h, p, r, m, k, d, n) -> (b, k, h, d)>
#value = affine_map<(b, h, p, r, m, k, d, n) -> (b, k, n)>
#acc = affine_map<(b, h, p, r, m, k, d, n) -> (b, m, h, p, r, n)>
#max = affine_map<(b, h, p, r, m, k, d, n) -> (b, m, h, p, r)>
#sum = affine_map<(b, h, p, r, m, k, d, n) -> (b, m, h, p, r)>
func.func @online_c2_missing_result(%q: tensor<1x4x1x3x2x8xf32>,
    %k: tensor<1x6x1x8xf32>, %v: tensor<1x6x1x16xf32>,
    %acc: tensor<1x4x1x3x2x16xf32>, %max: tensor<1x4x1x3x2xf32>,
    %sum: tensor<1x4x1x3x2xf32>, %i: index) {
  // expected-error @below {{'diffattn.online_attention' op expects the map of value (C2) to permute 4 of 8 dimensions, but got affine_map<(d0, d1, d2, d3, d4, d5, d6, d7) -> (d0, d5, d7)>}}
  %r:3 = diffattn.online_attention query(%q : tensor<1x4x1x3x2x8xf32>)
      key(%k : tensor<1x6x1x8xf32>) value(%v : tensor<1x6x1x16xf32>)
      outs(%acc, %max, %sum : tensor<1x4x1x3x2x16xf32>, tensor<1x4x1x3x2xf32>, tensor<1x4x1x3x2xf32>)
      at(%i of %i, %i of %i) scale(0.5)
      maps [#query, #key, #value, #acc, #max, #sum]
  return
}

// -----

#query = affine_map<(b, h, p, r, m, k, d, n) -> (b, m, h, p, r, d)>
#key = affine_map<(b, h, p, r, m, k, d, n) -> (b, k, h, d)>
#value = affine_map<(b, h, p, r, m, k, d, n) -> (b, k, h, d)>
#acc = affine_map<(b, h, p, r, m, k, d, n) -> (b, m, h, p, r, n)>
#max = affine_map<(b, h, p, r, m, k, d, n) -> (b, m, h, p, r)>
#sum = affine_map<(b, h, p, r, m, k, d, n) -> (b, m, h, p, r)>
// The head dimension of the keys in place of that of the values.
func.func @online_c2_wrong_dimension(%q: tensor<1x4x1x3x2x8xf32>,
    %k: tensor<1x6x1x8xf32>, %v: tensor<1x6x1x16xf32>,
    %acc: tensor<1x4x1x3x2x16xf32>, %max: tensor<1x4x1x3x2xf32>,
    %sum: tensor<1x4x1x3x2xf32>, %i: index) {
  // expected-error @below {{'diffattn.online_attention' op expects the map of value (C2) to use the value dimension (d7), but got affine_map<(d0, d1, d2, d3, d4, d5, d6, d7) -> (d0, d5, d1, d6)>}}
  %r:3 = diffattn.online_attention query(%q : tensor<1x4x1x3x2x8xf32>)
      key(%k : tensor<1x6x1x8xf32>) value(%v : tensor<1x6x1x16xf32>)
      outs(%acc, %max, %sum : tensor<1x4x1x3x2x16xf32>, tensor<1x4x1x3x2xf32>, tensor<1x4x1x3x2xf32>)
      at(%i of %i, %i of %i) scale(0.5)
      maps [#query, #key, #value, #acc, #max, #sum]
  return
}

// -----

#query = affine_map<(b, h, p, r, m, k, d, n) -> (b, m, h, p, r, d)>
#key = affine_map<(b, h, p, r, m, k, d, n) -> (b, k, h, d)>
#value = affine_map<(b, h, p, r, m, k, d, n) -> (b, k, h, n)>
#acc = affine_map<(b, h, p, r, m, k, d, n) -> (b, m, h, p, r, n)>
#max = affine_map<(b, h, p, r, m, k, d, n) -> (b, m, h, p, r)>
#sum = affine_map<(b, h, p, r, m, k, d, n) -> (b, m, h, p, r)>
func.func @online_c2_rank(%q: tensor<1x4x1x3x2x8xf32>, %k: tensor<6x8xf32>,
    %v: tensor<1x6x1x16xf32>, %acc: tensor<1x4x1x3x2x16xf32>,
    %max: tensor<1x4x1x3x2xf32>, %sum: tensor<1x4x1x3x2xf32>, %i: index) {
  // expected-error @below {{'diffattn.online_attention' op expects key (C2) to have rank 4, but got 'tensor<6x8xf32>'}}
  %r:3 = diffattn.online_attention query(%q : tensor<1x4x1x3x2x8xf32>)
      key(%k : tensor<6x8xf32>) value(%v : tensor<1x6x1x16xf32>)
      outs(%acc, %max, %sum : tensor<1x4x1x3x2x16xf32>, tensor<1x4x1x3x2xf32>, tensor<1x4x1x3x2xf32>)
      at(%i of %i, %i of %i) scale(0.5)
      maps [#query, #key, #value, #acc, #max, #sum]
  return
}

// -----

#query = affine_map<(b, h, p, r, m, k, d, n) -> (b, m, h, p, r, d)>
#key = affine_map<(b, h, p, r, m, k, d, n) -> (b, k, h, d)>
#value = affine_map<(b, h, p, r, m, k, d, n) -> (b, k, h, n)>
#acc = affine_map<(b, h, p, r, m, k, d, n) -> (b, m, h, p, r, n)>
#max = affine_map<(b, h, p, r, m, k, d, n) -> (b, m, h, p, r)>
#sum = affine_map<(b, h, p, r, m, k, d, n) -> (b, m, h, p, r)>
func.func @online_c3_head_dimension(%q: tensor<1x4x1x3x2x8xf32>,
    %k: tensor<1x6x1x16xf32>, %v: tensor<1x6x1x16xf32>,
    %acc: tensor<1x4x1x3x2x16xf32>, %max: tensor<1x4x1x3x2xf32>,
    %sum: tensor<1x4x1x3x2xf32>, %i: index) {
  // expected-error @below {{'diffattn.online_attention' op expects key's head dimension (C3) to be 8 as in query, but got 16}}
  %r:3 = diffattn.online_attention query(%q : tensor<1x4x1x3x2x8xf32>)
      key(%k : tensor<1x6x1x16xf32>) value(%v : tensor<1x6x1x16xf32>)
      outs(%acc, %max, %sum : tensor<1x4x1x3x2x16xf32>, tensor<1x4x1x3x2xf32>, tensor<1x4x1x3x2xf32>)
      at(%i of %i, %i of %i) scale(0.5)
      maps [#query, #key, #value, #acc, #max, #sum]
  return
}

// -----

#query = affine_map<(b, h, p, r, m, k, d, n) -> (b, m, h, p, r, d)>
#key = affine_map<(b, h, p, r, m, k, d, n) -> (b, k, h, d)>
#value = affine_map<(b, h, p, r, m, k, d, n) -> (b, k, h, n)>
#acc = affine_map<(b, h, p, r, m, k, d, n) -> (b, m, h, p, r, n)>
#max = affine_map<(b, h, p, r, m, k, d, n) -> (b, m, h, p, r)>
#sum = affine_map<(b, h, p, r, m, k, d, n) -> (b, m, h, p, r)>
func.func @online_c3_keys(%q: tensor<1x4x1x3x2x8xf32>, %k: tensor<1x6x1x8xf32>,
    %v: tensor<1x7x1x16xf32>, %acc: tensor<1x4x1x3x2x16xf32>,
    %max: tensor<1x4x1x3x2xf32>, %sum: tensor<1x4x1x3x2xf32>, %i: index) {
  // expected-error @below {{'diffattn.online_attention' op expects value's key dimension (C3) to be 6 as in key, but got 7}}
  %r:3 = diffattn.online_attention query(%q : tensor<1x4x1x3x2x8xf32>)
      key(%k : tensor<1x6x1x8xf32>) value(%v : tensor<1x7x1x16xf32>)
      outs(%acc, %max, %sum : tensor<1x4x1x3x2x16xf32>, tensor<1x4x1x3x2xf32>, tensor<1x4x1x3x2xf32>)
      at(%i of %i, %i of %i) scale(0.5)
      maps [#query, #key, #value, #acc, #max, #sum]
  return
}

// -----

#query = affine_map<(b, h, p, r, m, k, d, n) -> (b, m, h, p, r, d)>
#key = affine_map<(b, h, p, r, m, k, d, n) -> (b, k, h, d)>
#value = affine_map<(b, h, p, r, m, k, d, n) -> (b, k, h, n)>
#acc = affine_map<(b, h, p, r, m, k, d, n) -> (b, m, h, p, r, n)>
#max = affine_map<(b, h, p, r, m, k, d, n) -> (b, m, h, p, r)>
#sum = affine_map<(b, h, p, r, m, k, d, n) -> (b, m, h, p, r)>
func.func @online_c3_rows(%q: tensor<1x4x1x3x2x8xf32>, %k: tensor<1x6x1x8xf32>,
    %v: tensor<1x6x1x16xf32>, %acc: tensor<1x4x1x3x2x16xf32>,
    %max: tensor<1x5x1x3x2xf32>, %sum: tensor<1x4x1x3x2xf32>, %i: index) {
  // expected-error @below {{'diffattn.online_attention' op expects max's query row dimension (C3) to be 4 as in query, but got 5}}
  %r:3 = diffattn.online_attention query(%q : tensor<1x4x1x3x2x8xf32>)
      key(%k : tensor<1x6x1x8xf32>) value(%v : tensor<1x6x1x16xf32>)
      outs(%acc, %max, %sum : tensor<1x4x1x3x2x16xf32>, tensor<1x5x1x3x2xf32>, tensor<1x4x1x3x2xf32>)
      at(%i of %i, %i of %i) scale(0.5)
      maps [#query, #key, #value, #acc, #max, #sum]
  return
}

// -----

#query = affine_map<(b, h, p, r, m, k, d, n) -> (b, m, h, p, r, d)>
#key = affine_map<(b, h, p, r, m, k, d, n) -> (b, k, h, d)>
#value = affine_map<(b, h, p, r, m, k, d, n) -> (b, k, h, n)>
#acc = affine_map<(b, h, p, r, m, k, d, n) -> (b, m, h, p, r, n)>
#max = affine_map<(b, h, p, r, m, k, d, n) -> (b, m, h, p, r)>
#sum = affine_map<(b, h, p, r, m, k, d, n) -> (b, m, h, p, r)>
func.func @online_c3_value_dimension(%q: tensor<1x4x1x3x2x8xf32>,
    %k: tensor<1x6x1x8xf32>, %v: tensor<1x6x1x16xf32>,
    %acc: tensor<1x4x1x3x2x8xf32>, %max: tensor<1x4x1x3x2xf32>,
    %sum: tensor<1x4x1x3x2xf32>, %i: index) {
  // expected-error @below {{'diffattn.online_attention' op expects acc's value dimension (C3) to be 16 as in value, but got 8}}
  %r:3 = diffattn.online_attention query(%q : tensor<1x4x1x3x2x8xf32>)
      key(%k : tensor<1x6x1x8xf32>) value(%v : tensor<1x6x1x16xf32>)
      outs(%acc, %max, %sum : tensor<1x4x1x3x2x8xf32>, tensor<1x4x1x3x2xf32>, tensor<1x4x1x3x2xf32>)
      at(%i of %i, %i of %i) scale(0.5)
      maps [#query, #key, #value, #acc, #max, #sum]
  return
}

// -----

#query = affine_map<(b, h, p, r, m, k, d, n) -> (b, m, h, p, r, d)>
#key = affine_map<(b, h, p, r, m, k, d, n) -> (b, k, h, d)>
#value = affine_map<(b, h, p, r, m, k, d, n) -> (b, k, h, n)>
#acc = affine_map<(b, h, p, r, m, k, d, n) -> (b, n, h, p, r, m)>
#max = affine_map<(b, h, p, r, m, k, d, n) -> (b, m, h, p, r)>
#sum = affine_map<(b, h, p, r, m, k, d, n) -> (b, m, h, p, r)>
// A new map without the tensor of that layout.
func.func @online_c3_permuted(%q: tensor<1x4x1x3x2x8xf32>,
    %k: tensor<1x6x1x8xf32>, %v: tensor<1x6x1x16xf32>,
    %acc: tensor<1x4x1x3x2x16xf32>, %max: tensor<1x4x1x3x2xf32>,
    %sum: tensor<1x4x1x3x2xf32>, %i: index) {
  // expected-error @below {{'diffattn.online_attention' op expects acc's value dimension (C3) to be 16 as in value, but got 4}}
  %r:3 = diffattn.online_attention query(%q : tensor<1x4x1x3x2x8xf32>)
      key(%k : tensor<1x6x1x8xf32>) value(%v : tensor<1x6x1x16xf32>)
      outs(%acc, %max, %sum : tensor<1x4x1x3x2x16xf32>, tensor<1x4x1x3x2xf32>, tensor<1x4x1x3x2xf32>)
      at(%i of %i, %i of %i) scale(0.5)
      maps [#query, #key, #value, #acc, #max, #sum]
  return
}

// -----

#query = affine_map<(b, h, p, r, m, k, d, n) -> (b, m, h, p, r, d)>
#key = affine_map<(b, h, p, r, m, k, d, n) -> (b, k, h, d)>
#value = affine_map<(b, h, p, r, m, k, d, n) -> (b, k, h, n)>
#acc = affine_map<(b, h, p, r, m, k, d, n) -> (b, m, h, p, r, n)>
#max = affine_map<(b, h, p, r, m, k, d, n) -> (b, m, h, p, r)>
#sum = affine_map<(b, h, p, r, m, k, d, n) -> (b, m, h, p, r)>
func.func @online_c4_scale(%q: tensor<1x4x1x3x2x8xf32>, %k: tensor<1x6x1x8xf32>,
    %v: tensor<1x6x1x16xf32>, %acc: tensor<1x4x1x3x2x16xf32>,
    %max: tensor<1x4x1x3x2xf32>, %sum: tensor<1x4x1x3x2xf32>, %i: index) {
  // expected-error @below {{'diffattn.online_attention' op expects scale (C4) to be finite and greater than zero in f32, but got 0}}
  %r:3 = diffattn.online_attention query(%q : tensor<1x4x1x3x2x8xf32>)
      key(%k : tensor<1x6x1x8xf32>) value(%v : tensor<1x6x1x16xf32>)
      outs(%acc, %max, %sum : tensor<1x4x1x3x2x16xf32>, tensor<1x4x1x3x2xf32>, tensor<1x4x1x3x2xf32>)
      at(%i of %i, %i of %i) scale(0.0)
      maps [#query, #key, #value, #acc, #max, #sum]
  return
}

// -----

#query = affine_map<(b, h, p, r, m, k, d, n) -> (b, m, h, p, r, d)>
#key = affine_map<(b, h, p, r, m, k, d, n) -> (b, k, h, d)>
#value = affine_map<(b, h, p, r, m, k, d, n) -> (b, k, h, n)>
#acc = affine_map<(b, h, p, r, m, k, d, n) -> (b, m, h, p, r, n)>
#max = affine_map<(b, h, p, r, m, k, d, n) -> (b, m, h, p, r)>
#sum = affine_map<(b, h, p, r, m, k, d, n) -> (b, m, h, p, r)>
func.func @online_c4_softcap(%q: tensor<1x4x1x3x2x8xf32>,
    %k: tensor<1x6x1x8xf32>, %v: tensor<1x6x1x16xf32>,
    %acc: tensor<1x4x1x3x2x16xf32>, %max: tensor<1x4x1x3x2xf32>,
    %sum: tensor<1x4x1x3x2xf32>, %i: index) {
  // expected-error @below {{'diffattn.online_attention' op expects softcap (C4) to be finite and greater than zero in f32, but got NaN}}
  %r:3 = diffattn.online_attention query(%q : tensor<1x4x1x3x2x8xf32>)
      key(%k : tensor<1x6x1x8xf32>) value(%v : tensor<1x6x1x16xf32>)
      outs(%acc, %max, %sum : tensor<1x4x1x3x2x16xf32>, tensor<1x4x1x3x2xf32>, tensor<1x4x1x3x2xf32>)
      at(%i of %i, %i of %i) scale(0.5) softcap(0x7FF8000000000000)
      maps [#query, #key, #value, #acc, #max, #sum]
  return
}
