// RUN: diffattn-opt %s --split-input-file --verify-diagnostics

// One case for each message; the number in a function's name is that of the
// constraint in DiffAttnOps.td. Deviations from acc (1, 4, 1, 3, 2, 8), max and
// sum (1, 4, 1, 3, 2), lambda (1, 4, 1, 3), output and noise (1, 4, 1, 3, 8), lse
// (1, 1, 3, 2, 4).

#acc = affine_map<(b, h, p, r, m, n) -> (b, m, h, p, r, n)>
#row = affine_map<(b, h, p, r, m, n) -> (b, m, h, p, r)>
#lambda = affine_map<(b, h, p, r, m, n) -> (b, m, h, p)>
#out = affine_map<(b, h, p, r, m, n) -> (b, m, h, p, n)>
#lse = affine_map<(b, h, p, r, m, n) -> (b, h, p, r, m)>
func.func @finalize_c1_acc_type(%acc: tensor<1x4x1x3x2x8xf16>,
    %max: tensor<1x4x1x3x2xf32>, %sum: tensor<1x4x1x3x2xf32>,
    %l: tensor<1x4x1x3xf32>, %o: tensor<1x4x1x3x8xf32>, %i: index) {
  // expected-error @below {{'diffattn.finalize' op expects acc (C1) to hold f32, but got 'f16'}}
  %r = diffattn.finalize
      acc(%acc, %max, %sum : tensor<1x4x1x3x2x8xf16>, tensor<1x4x1x3x2xf32>, tensor<1x4x1x3x2xf32>)
      lambda(%l : tensor<1x4x1x3xf32>) outs(%o : tensor<1x4x1x3x8xf32>)
      at(%i of %i, %i)
      maps [#acc, #row, #row, #lambda, #out, #lse, #out]
  return
}

// -----

#acc = affine_map<(b, h, p, r, m, n) -> (b, m, h, p, r, n)>
#row = affine_map<(b, h, p, r, m, n) -> (b, m, h, p, r)>
#lambda = affine_map<(b, h, p, r, m, n) -> (b, m, h, p)>
#out = affine_map<(b, h, p, r, m, n) -> (b, m, h, p, n)>
#lse = affine_map<(b, h, p, r, m, n) -> (b, h, p, r, m)>
func.func @finalize_c1_max_type(%acc: tensor<1x4x1x3x2x8xf32>,
    %max: tensor<1x4x1x3x2xbf16>, %sum: tensor<1x4x1x3x2xf32>,
    %l: tensor<1x4x1x3xf32>, %o: tensor<1x4x1x3x8xf32>, %i: index) {
  // expected-error @below {{'diffattn.finalize' op expects max (C1) to hold f32, but got 'bf16'}}
  %r = diffattn.finalize
      acc(%acc, %max, %sum : tensor<1x4x1x3x2x8xf32>, tensor<1x4x1x3x2xbf16>, tensor<1x4x1x3x2xf32>)
      lambda(%l : tensor<1x4x1x3xf32>) outs(%o : tensor<1x4x1x3x8xf32>)
      at(%i of %i, %i)
      maps [#acc, #row, #row, #lambda, #out, #lse, #out]
  return
}

// -----

#acc = affine_map<(b, h, p, r, m, n) -> (b, m, h, p, r, n)>
#row = affine_map<(b, h, p, r, m, n) -> (b, m, h, p, r)>
#lambda = affine_map<(b, h, p, r, m, n) -> (b, m, h, p)>
#out = affine_map<(b, h, p, r, m, n) -> (b, m, h, p, n)>
#lse = affine_map<(b, h, p, r, m, n) -> (b, h, p, r, m)>
func.func @finalize_c1_sum_type(%acc: tensor<1x4x1x3x2x8xf32>,
    %max: tensor<1x4x1x3x2xf32>, %sum: tensor<1x4x1x3x2xf64>,
    %l: tensor<1x4x1x3xf32>, %o: tensor<1x4x1x3x8xf32>, %i: index) {
  // expected-error @below {{'diffattn.finalize' op expects sum (C1) to hold f32, but got 'f64'}}
  %r = diffattn.finalize
      acc(%acc, %max, %sum : tensor<1x4x1x3x2x8xf32>, tensor<1x4x1x3x2xf32>, tensor<1x4x1x3x2xf64>)
      lambda(%l : tensor<1x4x1x3xf32>) outs(%o : tensor<1x4x1x3x8xf32>)
      at(%i of %i, %i)
      maps [#acc, #row, #row, #lambda, #out, #lse, #out]
  return
}

// -----

#acc = affine_map<(b, h, p, r, m, n) -> (b, m, h, p, r, n)>
#row = affine_map<(b, h, p, r, m, n) -> (b, m, h, p, r)>
#lambda = affine_map<(b, h, p, r, m, n) -> (b, m, h, p)>
#out = affine_map<(b, h, p, r, m, n) -> (b, m, h, p, n)>
#lse = affine_map<(b, h, p, r, m, n) -> (b, h, p, r, m)>
func.func @finalize_c1_lambda_type(%acc: tensor<1x4x1x3x2x8xf32>,
    %max: tensor<1x4x1x3x2xf32>, %sum: tensor<1x4x1x3x2xf32>,
    %l: tensor<1x4x1x3xf64>, %o: tensor<1x4x1x3x8xf32>, %i: index) {
  // expected-error @below {{'diffattn.finalize' op expects lambda (C1) to hold f16, bf16 or f32, but got 'f64'}}
  %r = diffattn.finalize
      acc(%acc, %max, %sum : tensor<1x4x1x3x2x8xf32>, tensor<1x4x1x3x2xf32>, tensor<1x4x1x3x2xf32>)
      lambda(%l : tensor<1x4x1x3xf64>) outs(%o : tensor<1x4x1x3x8xf32>)
      at(%i of %i, %i)
      maps [#acc, #row, #row, #lambda, #out, #lse, #out]
  return
}

// -----

#acc = affine_map<(b, h, p, r, m, n) -> (b, m, h, p, r, n)>
#row = affine_map<(b, h, p, r, m, n) -> (b, m, h, p, r)>
#lambda = affine_map<(b, h, p, r, m, n) -> (b, m, h, p)>
#out = affine_map<(b, h, p, r, m, n) -> (b, m, h, p, n)>
#lse = affine_map<(b, h, p, r, m, n) -> (b, h, p, r, m)>
func.func @finalize_c1_output_type(%acc: tensor<1x4x1x3x2x8xf32>,
    %max: tensor<1x4x1x3x2xf32>, %sum: tensor<1x4x1x3x2xf32>,
    %l: tensor<1x4x1x3xf32>, %o: tensor<1x4x1x3x8xi8>, %i: index) {
  // expected-error @below {{'diffattn.finalize' op expects output (C1) to hold f16, bf16 or f32, but got 'i8'}}
  %r = diffattn.finalize
      acc(%acc, %max, %sum : tensor<1x4x1x3x2x8xf32>, tensor<1x4x1x3x2xf32>, tensor<1x4x1x3x2xf32>)
      lambda(%l : tensor<1x4x1x3xf32>) outs(%o : tensor<1x4x1x3x8xi8>)
      at(%i of %i, %i)
      maps [#acc, #row, #row, #lambda, #out, #lse, #out]
  return
}

// -----

#acc = affine_map<(b, h, p, r, m, n) -> (b, m, h, p, r, n)>
#row = affine_map<(b, h, p, r, m, n) -> (b, m, h, p, r)>
#lambda = affine_map<(b, h, p, r, m, n) -> (b, m, h, p)>
#out = affine_map<(b, h, p, r, m, n) -> (b, m, h, p, n)>
#lse = affine_map<(b, h, p, r, m, n) -> (b, h, p, r, m)>
func.func @finalize_c1_lse_type(%acc: tensor<1x4x1x3x2x8xf32>,
    %max: tensor<1x4x1x3x2xf32>, %sum: tensor<1x4x1x3x2xf32>,
    %l: tensor<1x4x1x3xf32>, %o: tensor<1x4x1x3x8xf32>,
    %s: tensor<1x1x3x2x4xf16>, %i: index) {
  // expected-error @below {{'diffattn.finalize' op expects lse (C1) to hold f32, but got 'f16'}}
  %r:2 = diffattn.finalize
      acc(%acc, %max, %sum : tensor<1x4x1x3x2x8xf32>, tensor<1x4x1x3x2xf32>, tensor<1x4x1x3x2xf32>)
      lambda(%l : tensor<1x4x1x3xf32>) outs(%o : tensor<1x4x1x3x8xf32>)
      lse(%s : tensor<1x1x3x2x4xf16>) at(%i of %i, %i)
      maps [#acc, #row, #row, #lambda, #out, #lse, #out]
  return
}

// -----

#acc = affine_map<(b, h, p, r, m, n) -> (b, m, h, p, r, n)>
#row = affine_map<(b, h, p, r, m, n) -> (b, m, h, p, r)>
#lambda = affine_map<(b, h, p, r, m, n) -> (b, m, h, p)>
#out = affine_map<(b, h, p, r, m, n) -> (b, m, h, p, n)>
#lse = affine_map<(b, h, p, r, m, n) -> (b, h, p, r, m)>
func.func @finalize_c1_noise_type(%acc: tensor<1x4x1x3x2x8xf32>,
    %max: tensor<1x4x1x3x2xf32>, %sum: tensor<1x4x1x3x2xf32>,
    %l: tensor<1x4x1x3xf32>, %o: tensor<1x4x1x3x8xf32>,
    %n: tensor<1x4x1x3x8xf64>, %i: index) {
  // expected-error @below {{'diffattn.finalize' op expects noise (C1) to hold f16, bf16 or f32, but got 'f64'}}
  %r:2 = diffattn.finalize
      acc(%acc, %max, %sum : tensor<1x4x1x3x2x8xf32>, tensor<1x4x1x3x2xf32>, tensor<1x4x1x3x2xf32>)
      lambda(%l : tensor<1x4x1x3xf32>) outs(%o : tensor<1x4x1x3x8xf32>)
      noise(%n : tensor<1x4x1x3x8xf64>) at(%i of %i, %i)
      maps [#acc, #row, #row, #lambda, #out, #lse, #out]
  return
}

// -----

#acc = affine_map<(b, h, p, r, m, n) -> (b, m, h, p, r, n)>
#row = affine_map<(b, h, p, r, m, n) -> (b, m, h, p, r)>
#lambda = affine_map<(b, h, p, r, m, n) -> (b, m, h, p)>
#out = affine_map<(b, h, p, r, m, n) -> (b, m, h, p, n)>
#lse = affine_map<(b, h, p, r, m, n) -> (b, h, p, r, m)>
// Absent operands have maps too.
func.func @finalize_c2_six_maps(%acc: tensor<1x4x1x3x2x8xf32>,
    %max: tensor<1x4x1x3x2xf32>, %sum: tensor<1x4x1x3x2xf32>,
    %l: tensor<1x4x1x3xf32>, %o: tensor<1x4x1x3x8xf32>, %i: index) {
  // expected-error @below {{'diffattn.finalize' op expects 7 indexing maps (C2), but got 6}}
  %r = diffattn.finalize
      acc(%acc, %max, %sum : tensor<1x4x1x3x2x8xf32>, tensor<1x4x1x3x2xf32>, tensor<1x4x1x3x2xf32>)
      lambda(%l : tensor<1x4x1x3xf32>) outs(%o : tensor<1x4x1x3x8xf32>)
      at(%i of %i, %i)
      maps [#acc, #row, #row, #lambda, #out, #lse]
  return
}

// -----

#acc = affine_map<(b, h, p, r, m, n) -> (b, m, h, p, r, n)>
#row = affine_map<(b, h, p, r, m, n) -> (b, m, h, p, r)>
#lambda = affine_map<(b, h, p, r, m, n) -> (b, m, h, p)>
#out = affine_map<(b, h, p, r, m, n) -> (b, m, h, p, n)>
#lse = affine_map<(b, h, p, r, m, n) -> (b, h, p, r, m)>
// An output has no branch dimension.
func.func @finalize_c2_output_branch(%acc: tensor<1x4x1x3x2x8xf32>,
    %max: tensor<1x4x1x3x2xf32>, %sum: tensor<1x4x1x3x2xf32>,
    %l: tensor<1x4x1x3xf32>, %o: tensor<1x4x1x3x8xf32>, %i: index) {
  // expected-error @below {{'diffattn.finalize' op expects the map of output (C2) to permute 5 of 6 dimensions, but got affine_map<(d0, d1, d2, d3, d4, d5) -> (d0, d4, d1, d2, d3, d5)>}}
  %r = diffattn.finalize
      acc(%acc, %max, %sum : tensor<1x4x1x3x2x8xf32>, tensor<1x4x1x3x2xf32>, tensor<1x4x1x3x2xf32>)
      lambda(%l : tensor<1x4x1x3xf32>) outs(%o : tensor<1x4x1x3x8xf32>)
      at(%i of %i, %i)
      maps [#acc, #row, #row, #lambda, #acc, #lse, #out]
  return
}

// -----

#acc = affine_map<(b, h, p, r, m, n) -> (b, m, h, p, r, n)>
#row = affine_map<(b, h, p, r, m, n) -> (b, m, h, p, r)>
#lambda = affine_map<(b, h, p, r, m, n) -> (b, m, h, r)>
#out = affine_map<(b, h, p, r, m, n) -> (b, m, h, p, n)>
#lse = affine_map<(b, h, p, r, m, n) -> (b, h, p, r, m)>
func.func @finalize_c2_lambda_dimension(%acc: tensor<1x4x1x3x2x8xf32>,
    %max: tensor<1x4x1x3x2xf32>, %sum: tensor<1x4x1x3x2xf32>,
    %l: tensor<1x4x1x3xf32>, %o: tensor<1x4x1x3x8xf32>, %i: index) {
  // expected-error @below {{'diffattn.finalize' op expects the map of lambda (C2) to use the pair dimension (d2), but got affine_map<(d0, d1, d2, d3, d4, d5) -> (d0, d4, d1, d3)>}}
  %r = diffattn.finalize
      acc(%acc, %max, %sum : tensor<1x4x1x3x2x8xf32>, tensor<1x4x1x3x2xf32>, tensor<1x4x1x3x2xf32>)
      lambda(%l : tensor<1x4x1x3xf32>) outs(%o : tensor<1x4x1x3x8xf32>)
      at(%i of %i, %i)
      maps [#acc, #row, #row, #lambda, #out, #lse, #out]
  return
}

// -----

#acc = affine_map<(b, h, p, r, m, n) -> (b, m, h, p, r, n)>
#row = affine_map<(b, h, p, r, m, n) -> (b, m, h, p, r)>
#lambda = affine_map<(b, h, p, r, m, n) -> (b, m, h, p)>
#out = affine_map<(b, h, p, r, m, n) -> (b, m, h, p, n)>
#lse = affine_map<(b, h, p, r, m, n) -> (b, h, p, r, m)>
// The map of an absent operand is checked as well.
func.func @finalize_c2_absent_operand(%acc: tensor<1x4x1x3x2x8xf32>,
    %max: tensor<1x4x1x3x2xf32>, %sum: tensor<1x4x1x3x2xf32>,
    %l: tensor<1x4x1x3xf32>, %o: tensor<1x4x1x3x8xf32>, %i: index) {
  // expected-error @below {{'diffattn.finalize' op expects the map of noise (C2) to use the value dimension (d5), but got affine_map<(d0, d1, d2, d3, d4, d5) -> (d0, d4, d1, d2, d3)>}}
  %r = diffattn.finalize
      acc(%acc, %max, %sum : tensor<1x4x1x3x2x8xf32>, tensor<1x4x1x3x2xf32>, tensor<1x4x1x3x2xf32>)
      lambda(%l : tensor<1x4x1x3xf32>) outs(%o : tensor<1x4x1x3x8xf32>)
      at(%i of %i, %i)
      maps [#acc, #row, #row, #lambda, #out, #lse, #row]
  return
}

// -----

#acc = affine_map<(b, h, p, r, m, n) -> (b, m, h, p, r, n)>
#row = affine_map<(b, h, p, r, m, n) -> (b, m, h, p, r)>
#lambda = affine_map<(b, h, p, r, m, n) -> (b, m, h, p)>
#out = affine_map<(b, h, p, r, m, n) -> (b, m, h, p, n)>
#lse = affine_map<(b, h, p, r, m, n) -> (b, h, p, r, m)>
// Heads not split into group, pair and branch.
func.func @finalize_c2_lse_rank(%acc: tensor<1x4x1x3x2x8xf32>,
    %max: tensor<1x4x1x3x2xf32>, %sum: tensor<1x4x1x3x2xf32>,
    %l: tensor<1x4x1x3xf32>, %o: tensor<1x4x1x3x8xf32>, %s: tensor<1x6x4xf32>,
    %i: index) {
  // expected-error @below {{'diffattn.finalize' op expects lse (C2) to have rank 5, but got 'tensor<1x6x4xf32>'}}
  %r:2 = diffattn.finalize
      acc(%acc, %max, %sum : tensor<1x4x1x3x2x8xf32>, tensor<1x4x1x3x2xf32>, tensor<1x4x1x3x2xf32>)
      lambda(%l : tensor<1x4x1x3xf32>) outs(%o : tensor<1x4x1x3x8xf32>)
      lse(%s : tensor<1x6x4xf32>) at(%i of %i, %i)
      maps [#acc, #row, #row, #lambda, #out, #lse, #out]
  return
}

// -----

#acc = affine_map<(b, h, p, r, m, n) -> (b, m, h, p, r, n)>
#row = affine_map<(b, h, p, r, m, n) -> (b, m, h, p, r)>
#lambda = affine_map<(b, h, p, r, m, n) -> (b, m, h, p)>
#out = affine_map<(b, h, p, r, m, n) -> (b, m, h, p, n)>
#lse = affine_map<(b, h, p, r, m, n) -> (b, h, p, r, m)>
func.func @finalize_c3_max_rows(%acc: tensor<1x4x1x3x2x8xf32>,
    %max: tensor<1x5x1x3x2xf32>, %sum: tensor<1x4x1x3x2xf32>,
    %l: tensor<1x4x1x3xf32>, %o: tensor<1x4x1x3x8xf32>, %i: index) {
  // expected-error @below {{'diffattn.finalize' op expects max's query row dimension (C3) to be 4 as in acc, but got 5}}
  %r = diffattn.finalize
      acc(%acc, %max, %sum : tensor<1x4x1x3x2x8xf32>, tensor<1x5x1x3x2xf32>, tensor<1x4x1x3x2xf32>)
      lambda(%l : tensor<1x4x1x3xf32>) outs(%o : tensor<1x4x1x3x8xf32>)
      at(%i of %i, %i)
      maps [#acc, #row, #row, #lambda, #out, #lse, #out]
  return
}

// -----

#acc = affine_map<(b, h, p, r, m, n) -> (b, m, h, p, r, n)>
#row = affine_map<(b, h, p, r, m, n) -> (b, m, h, p, r)>
#lambda = affine_map<(b, h, p, r, m, n) -> (b, m, h, p)>
#out = affine_map<(b, h, p, r, m, n) -> (b, m, h, p, n)>
#lse = affine_map<(b, h, p, r, m, n) -> (b, h, p, r, m)>
func.func @finalize_c3_lambda_pairs(%acc: tensor<1x4x1x3x2x8xf32>,
    %max: tensor<1x4x1x3x2xf32>, %sum: tensor<1x4x1x3x2xf32>,
    %l: tensor<1x4x1x6xf32>, %o: tensor<1x4x1x3x8xf32>, %i: index) {
  // expected-error @below {{'diffattn.finalize' op expects lambda's pair dimension (C3) to be 3 as in acc, but got 6}}
  %r = diffattn.finalize
      acc(%acc, %max, %sum : tensor<1x4x1x3x2x8xf32>, tensor<1x4x1x3x2xf32>, tensor<1x4x1x3x2xf32>)
      lambda(%l : tensor<1x4x1x6xf32>) outs(%o : tensor<1x4x1x3x8xf32>)
      at(%i of %i, %i)
      maps [#acc, #row, #row, #lambda, #out, #lse, #out]
  return
}

// -----

#acc = affine_map<(b, h, p, r, m, n) -> (b, m, h, p, r, n)>
#row = affine_map<(b, h, p, r, m, n) -> (b, m, h, p, r)>
#lambda = affine_map<(b, h, p, r, m, n) -> (b, m, h, p)>
#out = affine_map<(b, h, p, r, m, n) -> (b, m, h, p, n)>
#lse = affine_map<(b, h, p, r, m, n) -> (b, h, p, r, m)>
func.func @finalize_c3_output_dim(%acc: tensor<1x4x1x3x2x8xf32>,
    %max: tensor<1x4x1x3x2xf32>, %sum: tensor<1x4x1x3x2xf32>,
    %l: tensor<1x4x1x3xf32>, %o: tensor<1x4x1x3x16xf32>, %i: index) {
  // expected-error @below {{'diffattn.finalize' op expects output's value dimension (C3) to be 8 as in acc, but got 16}}
  %r = diffattn.finalize
      acc(%acc, %max, %sum : tensor<1x4x1x3x2x8xf32>, tensor<1x4x1x3x2xf32>, tensor<1x4x1x3x2xf32>)
      lambda(%l : tensor<1x4x1x3xf32>) outs(%o : tensor<1x4x1x3x16xf32>)
      at(%i of %i, %i)
      maps [#acc, #row, #row, #lambda, #out, #lse, #out]
  return
}

// -----

#acc = affine_map<(b, h, p, r, m, n) -> (b, m, h, p, r, n)>
#row = affine_map<(b, h, p, r, m, n) -> (b, m, h, p, r)>
#lambda = affine_map<(b, h, p, r, m, n) -> (b, m, h, p)>
#out = affine_map<(b, h, p, r, m, n) -> (b, m, h, p, n)>
#lse = affine_map<(b, h, p, r, m, n) -> (b, h, p, r, m)>
func.func @finalize_c4_lambda_one_branch(%acc: tensor<1x4x1x3x1x8xf32>,
    %max: tensor<1x4x1x3x1xf32>, %sum: tensor<1x4x1x3x1xf32>,
    %l: tensor<1x4x1x3xf32>, %o: tensor<1x4x1x3x8xf32>, %i: index) {
  // expected-error @below {{'diffattn.finalize' op expects acc's branch dimension (C4) to be 2 with lambda, but got 'tensor<1x4x1x3x1x8xf32>'}}
  %r = diffattn.finalize
      acc(%acc, %max, %sum : tensor<1x4x1x3x1x8xf32>, tensor<1x4x1x3x1xf32>, tensor<1x4x1x3x1xf32>)
      lambda(%l : tensor<1x4x1x3xf32>) outs(%o : tensor<1x4x1x3x8xf32>)
      at(%i of %i, %i)
      maps [#acc, #row, #row, #lambda, #out, #lse, #out]
  return
}

// -----

#acc = affine_map<(b, h, p, r, m, n) -> (b, m, h, p, r, n)>
#row = affine_map<(b, h, p, r, m, n) -> (b, m, h, p, r)>
#lambda = affine_map<(b, h, p, r, m, n) -> (b, m, h, p)>
#out = affine_map<(b, h, p, r, m, n) -> (b, m, h, p, n)>
#lse = affine_map<(b, h, p, r, m, n) -> (b, h, p, r, m)>
func.func @finalize_c4_plain_two_branches(%acc: tensor<1x4x1x3x2x8xf32>,
    %max: tensor<1x4x1x3x2xf32>, %sum: tensor<1x4x1x3x2xf32>,
    %o: tensor<1x4x1x3x8xf32>, %i: index) {
  // expected-error @below {{'diffattn.finalize' op expects acc's branch dimension (C4) to be 1 without lambda, but got 'tensor<1x4x1x3x2x8xf32>'}}
  %r = diffattn.finalize
      acc(%acc, %max, %sum : tensor<1x4x1x3x2x8xf32>, tensor<1x4x1x3x2xf32>, tensor<1x4x1x3x2xf32>)
      outs(%o : tensor<1x4x1x3x8xf32>) at(%i of %i, %i)
      maps [#acc, #row, #row, #lambda, #out, #lse, #out]
  return
}

// -----

#acc = affine_map<(b, h, p, r, m, n) -> (b, m, h, p, r, n)>
#row = affine_map<(b, h, p, r, m, n) -> (b, m, h, p, r)>
#lambda = affine_map<(b, h, p, r, m, n) -> (b, m, h, p)>
#out = affine_map<(b, h, p, r, m, n) -> (b, m, h, p, n)>
#lse = affine_map<(b, h, p, r, m, n) -> (b, h, p, r, m)>
func.func @finalize_c4_branch_dynamic(%acc: tensor<1x4x1x3x?x8xf32>,
    %max: tensor<1x4x1x3x2xf32>, %sum: tensor<1x4x1x3x2xf32>,
    %l: tensor<1x4x1x3xf32>, %o: tensor<1x4x1x3x8xf32>, %i: index) {
  // expected-error @below {{'diffattn.finalize' op expects acc's branch dimension (C4) to be 2 with lambda, but got 'tensor<1x4x1x3x?x8xf32>'}}
  %r = diffattn.finalize
      acc(%acc, %max, %sum : tensor<1x4x1x3x?x8xf32>, tensor<1x4x1x3x2xf32>, tensor<1x4x1x3x2xf32>)
      lambda(%l : tensor<1x4x1x3xf32>) outs(%o : tensor<1x4x1x3x8xf32>)
      at(%i of %i, %i)
      maps [#acc, #row, #row, #lambda, #out, #lse, #out]
  return
}

// -----

#acc = affine_map<(b, h, p, r, m, n) -> (b, m, h, p, r, n)>
#row = affine_map<(b, h, p, r, m, n) -> (b, m, h, p, r)>
#lambda = affine_map<(b, h, p, r, m, n) -> (b, m, h, p)>
#out = affine_map<(b, h, p, r, m, n) -> (b, m, h, p, n)>
#lse = affine_map<(b, h, p, r, m, n) -> (b, h, p, r, m)>
func.func @finalize_c4_noise_of_plain(%acc: tensor<1x4x1x3x1x8xf32>,
    %max: tensor<1x4x1x3x1xf32>, %sum: tensor<1x4x1x3x1xf32>,
    %o: tensor<1x4x1x3x8xf32>, %n: tensor<1x4x1x3x8xf32>, %i: index) {
  // expected-error @below {{'diffattn.finalize' op expects lambda where noise is asked for (C4): one branch has no noise}}
  %r:2 = diffattn.finalize
      acc(%acc, %max, %sum : tensor<1x4x1x3x1x8xf32>, tensor<1x4x1x3x1xf32>, tensor<1x4x1x3x1xf32>)
      outs(%o : tensor<1x4x1x3x8xf32>) noise(%n : tensor<1x4x1x3x8xf32>)
      at(%i of %i, %i)
      maps [#acc, #row, #row, #lambda, #out, #lse, #out]
  return
}
