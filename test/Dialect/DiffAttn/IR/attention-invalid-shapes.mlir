// RUN: diffattn-opt %s --split-input-file --verify-diagnostics

// C8 to C16: operands against each other, and attributes. One case for each
// message; the number in a function's name is that of the constraint in
// DiffAttnOps.td. The legal op that all cases deviate from:
//
//   query (1, 32, 4, 64), key and value (1, 48, 1, 64), lambda (1, 32, 2),
//   output and noise (1, 32, 2, 64), lse (1, 4, 32)

func.func @attention_c8_odd_heads(%q: tensor<1x32x3x64xf32>,
    %k: tensor<1x48x1x64xf32>, %v: tensor<1x48x1x64xf32>,
    %l: tensor<1x32x2xf32>, %o: tensor<1x32x2x64xf32>) {
  // expected-error @below {{'diffattn.attention' op expects an even number of query heads (C8), both heads of every pair, but got 3; the nearest legal one is 4}}
  %r = diffattn.attention query(%q : tensor<1x32x3x64xf32>)
      key(%k : tensor<1x48x1x64xf32>) value(%v : tensor<1x48x1x64xf32>)
      lambda(%l : tensor<1x32x2xf32>) outs(%o : tensor<1x32x2x64xf32>)
  return
}

// -----

// Groups of 3 heads: the pair of heads 2 and 3 lies across two of them.
func.func @attention_c9_pairs_straddle(%q: tensor<1x32x12x64xf32>,
    %k: tensor<1x48x4x64xf32>, %v: tensor<1x48x4x64xf32>,
    %l: tensor<1x32x6xf32>, %o: tensor<1x32x2x64xf32>) {
  // expected-error @below {{'diffattn.attention' op expects both heads of a pair in one group (C9): the number of pairs must be divisible by key's head count 4, but got 6 pairs (12 query heads); the nearest legal key head count is 3}}
  %r = diffattn.attention query(%q : tensor<1x32x12x64xf32>)
      key(%k : tensor<1x48x4x64xf32>) value(%v : tensor<1x48x4x64xf32>)
      lambda(%l : tensor<1x32x6xf32>) outs(%o : tensor<1x32x2x64xf32>)
  return
}

// -----

func.func @attention_c9_nearest_above(%q: tensor<1x32x16x64xf32>,
    %k: tensor<1x48x7x64xf32>, %v: tensor<1x48x7x64xf32>,
    %l: tensor<1x32x8xf32>, %o: tensor<1x32x2x64xf32>) {
  // expected-error @below {{'diffattn.attention' op expects both heads of a pair in one group (C9): the number of pairs must be divisible by key's head count 7, but got 8 pairs (16 query heads); the nearest legal key head count is 8}}
  %r = diffattn.attention query(%q : tensor<1x32x16x64xf32>)
      key(%k : tensor<1x48x7x64xf32>) value(%v : tensor<1x48x7x64xf32>)
      lambda(%l : tensor<1x32x8xf32>) outs(%o : tensor<1x32x2x64xf32>)
  return
}

// -----

// One key head per query head: legal for plain attention, but no pair shares one.
func.func @attention_c9_too_many_kv_heads(%q: tensor<1x32x4x64xf32>,
    %k: tensor<1x48x4x64xf32>, %v: tensor<1x48x4x64xf32>,
    %l: tensor<1x32x2xf32>, %o: tensor<1x32x2x64xf32>) {
  // expected-error @below {{'diffattn.attention' op expects both heads of a pair in one group (C9): the number of pairs must be divisible by key's head count 4, but got 2 pairs (4 query heads); the nearest legal key head count is 2}}
  %r = diffattn.attention query(%q : tensor<1x32x4x64xf32>)
      key(%k : tensor<1x48x4x64xf32>) value(%v : tensor<1x48x4x64xf32>)
      lambda(%l : tensor<1x32x2xf32>) outs(%o : tensor<1x32x2x64xf32>)
  return
}

// -----

func.func @attention_c9_plain(%q: tensor<1x32x4x64xf32>,
                              %k: tensor<1x48x3x64xf32>,
                              %v: tensor<1x48x3x64xf32>,
                              %o: tensor<1x32x4x64xf32>) {
  // expected-error @below {{'diffattn.attention' op expects the number of query heads (C9) to be divisible by key's head count 3, but got 4; the nearest legal key head count is 2}}
  %r = diffattn.attention query(%q : tensor<1x32x4x64xf32>)
      key(%k : tensor<1x48x3x64xf32>) value(%v : tensor<1x48x3x64xf32>)
      outs(%o : tensor<1x32x4x64xf32>)
  return
}

// -----

// One logit per query head.
func.func @attention_c10_lambda_per_head(%q: tensor<1x32x4x64xf32>,
    %k: tensor<1x48x1x64xf32>, %v: tensor<1x48x1x64xf32>,
    %l: tensor<1x32x4xf32>, %o: tensor<1x32x2x64xf32>) {
  // expected-error @below {{'diffattn.attention' op expects lambda (C10) to have one logit per pair, a last dimension of 2, but got 'tensor<1x32x4xf32>'}}
  %r = diffattn.attention query(%q : tensor<1x32x4x64xf32>)
      key(%k : tensor<1x48x1x64xf32>) value(%v : tensor<1x48x1x64xf32>)
      lambda(%l : tensor<1x32x4xf32>) outs(%o : tensor<1x32x2x64xf32>)
  return
}

// -----

func.func @attention_c10_lambda_dynamic(%q: tensor<1x32x4x64xf32>,
    %k: tensor<1x48x1x64xf32>, %v: tensor<1x48x1x64xf32>,
    %l: tensor<1x32x?xf32>, %o: tensor<1x32x2x64xf32>) {
  // expected-error @below {{'diffattn.attention' op expects lambda (C10) to have one logit per pair, a last dimension of 2, but got 'tensor<1x32x?xf32>'}}
  %r = diffattn.attention query(%q : tensor<1x32x4x64xf32>)
      key(%k : tensor<1x48x1x64xf32>) value(%v : tensor<1x48x1x64xf32>)
      lambda(%l : tensor<1x32x?xf32>) outs(%o : tensor<1x32x2x64xf32>)
  return
}

// -----

func.func @attention_c11_key_batch(%q: tensor<1x32x4x64xf32>,
    %k: tensor<2x48x1x64xf32>, %v: tensor<1x48x1x64xf32>,
    %l: tensor<1x32x2xf32>, %o: tensor<1x32x2x64xf32>) {
  // expected-error @below {{'diffattn.attention' op expects key's batch size (C11) to be 1, but got 2}}
  %r = diffattn.attention query(%q : tensor<1x32x4x64xf32>)
      key(%k : tensor<2x48x1x64xf32>) value(%v : tensor<1x48x1x64xf32>)
      lambda(%l : tensor<1x32x2xf32>) outs(%o : tensor<1x32x2x64xf32>)
  return
}

// -----

func.func @attention_c11_value_batch(%q: tensor<1x32x4x64xf32>,
    %k: tensor<1x48x1x64xf32>, %v: tensor<2x48x1x64xf32>,
    %l: tensor<1x32x2xf32>, %o: tensor<1x32x2x64xf32>) {
  // expected-error @below {{'diffattn.attention' op expects value's batch size (C11) to be 1, but got 2}}
  %r = diffattn.attention query(%q : tensor<1x32x4x64xf32>)
      key(%k : tensor<1x48x1x64xf32>) value(%v : tensor<2x48x1x64xf32>)
      lambda(%l : tensor<1x32x2xf32>) outs(%o : tensor<1x32x2x64xf32>)
  return
}

// -----

func.func @attention_c11_lambda_batch(%q: tensor<1x32x4x64xf32>,
    %k: tensor<1x48x1x64xf32>, %v: tensor<1x48x1x64xf32>,
    %l: tensor<2x32x2xf32>, %o: tensor<1x32x2x64xf32>) {
  // expected-error @below {{'diffattn.attention' op expects lambda's batch size (C11) to be 1, but got 2}}
  %r = diffattn.attention query(%q : tensor<1x32x4x64xf32>)
      key(%k : tensor<1x48x1x64xf32>) value(%v : tensor<1x48x1x64xf32>)
      lambda(%l : tensor<2x32x2xf32>) outs(%o : tensor<1x32x2x64xf32>)
  return
}

// -----

// The first static size counts, wherever it is.
func.func @attention_c11_output_batch(%q: tensor<?x32x4x64xf32>,
    %k: tensor<?x48x1x64xf32>, %v: tensor<?x48x1x64xf32>,
    %l: tensor<3x32x2xf32>, %o: tensor<1x32x2x64xf32>) {
  // expected-error @below {{'diffattn.attention' op expects output's batch size (C11) to be 3, but got 1}}
  %r = diffattn.attention query(%q : tensor<?x32x4x64xf32>)
      key(%k : tensor<?x48x1x64xf32>) value(%v : tensor<?x48x1x64xf32>)
      lambda(%l : tensor<3x32x2xf32>) outs(%o : tensor<1x32x2x64xf32>)
  return
}

// -----

func.func @attention_c11_lse_batch(%q: tensor<1x32x4x64xf32>,
    %k: tensor<1x48x1x64xf32>, %v: tensor<1x48x1x64xf32>,
    %l: tensor<1x32x2xf32>, %o: tensor<1x32x2x64xf32>, %s: tensor<2x4x32xf32>) {
  // expected-error @below {{'diffattn.attention' op expects lse's batch size (C11) to be 1, but got 2}}
  %r:2 = diffattn.attention query(%q : tensor<1x32x4x64xf32>)
      key(%k : tensor<1x48x1x64xf32>) value(%v : tensor<1x48x1x64xf32>)
      lambda(%l : tensor<1x32x2xf32>) outs(%o : tensor<1x32x2x64xf32>)
      lse(%s : tensor<2x4x32xf32>)
  return
}

// -----

func.func @attention_c11_noise_batch(%q: tensor<1x32x4x64xf32>,
    %k: tensor<1x48x1x64xf32>, %v: tensor<1x48x1x64xf32>,
    %l: tensor<1x32x2xf32>, %o: tensor<1x32x2x64xf32>,
    %n: tensor<2x32x2x64xf32>) {
  // expected-error @below {{'diffattn.attention' op expects noise's batch size (C11) to be 1, but got 2}}
  %r:2 = diffattn.attention query(%q : tensor<1x32x4x64xf32>)
      key(%k : tensor<1x48x1x64xf32>) value(%v : tensor<1x48x1x64xf32>)
      lambda(%l : tensor<1x32x2xf32>) outs(%o : tensor<1x32x2x64xf32>)
      noise(%n : tensor<2x32x2x64xf32>)
  return
}

// -----

// One lambda for all tokens is not broadcast.
func.func @attention_c12_lambda_rows(%q: tensor<1x32x4x64xf32>,
    %k: tensor<1x48x1x64xf32>, %v: tensor<1x48x1x64xf32>, %l: tensor<1x1x2xf32>,
    %o: tensor<1x32x2x64xf32>) {
  // expected-error @below {{'diffattn.attention' op expects lambda's number of query tokens (C12) to be 32, but got 1}}
  %r = diffattn.attention query(%q : tensor<1x32x4x64xf32>)
      key(%k : tensor<1x48x1x64xf32>) value(%v : tensor<1x48x1x64xf32>)
      lambda(%l : tensor<1x1x2xf32>) outs(%o : tensor<1x32x2x64xf32>)
  return
}

// -----

func.func @attention_c12_output_rows(%q: tensor<1x32x4x64xf32>,
    %k: tensor<1x48x1x64xf32>, %v: tensor<1x48x1x64xf32>,
    %l: tensor<1x32x2xf32>, %o: tensor<1x48x2x64xf32>) {
  // expected-error @below {{'diffattn.attention' op expects output's number of query tokens (C12) to be 32, but got 48}}
  %r = diffattn.attention query(%q : tensor<1x32x4x64xf32>)
      key(%k : tensor<1x48x1x64xf32>) value(%v : tensor<1x48x1x64xf32>)
      lambda(%l : tensor<1x32x2xf32>) outs(%o : tensor<1x48x2x64xf32>)
  return
}

// -----

func.func @attention_c12_lse_rows(%q: tensor<1x32x4x64xf32>,
    %k: tensor<1x48x1x64xf32>, %v: tensor<1x48x1x64xf32>,
    %l: tensor<1x32x2xf32>, %o: tensor<1x32x2x64xf32>, %s: tensor<1x4x31xf32>) {
  // expected-error @below {{'diffattn.attention' op expects lse's number of query tokens (C12) to be 32, but got 31}}
  %r:2 = diffattn.attention query(%q : tensor<1x32x4x64xf32>)
      key(%k : tensor<1x48x1x64xf32>) value(%v : tensor<1x48x1x64xf32>)
      lambda(%l : tensor<1x32x2xf32>) outs(%o : tensor<1x32x2x64xf32>)
      lse(%s : tensor<1x4x31xf32>)
  return
}

// -----

func.func @attention_c12_noise_rows(%q: tensor<1x32x4x64xf32>,
    %k: tensor<1x48x1x64xf32>, %v: tensor<1x48x1x64xf32>,
    %l: tensor<1x32x2xf32>, %o: tensor<1x32x2x64xf32>,
    %n: tensor<1x31x2x64xf32>) {
  // expected-error @below {{'diffattn.attention' op expects noise's number of query tokens (C12) to be 32, but got 31}}
  %r:2 = diffattn.attention query(%q : tensor<1x32x4x64xf32>)
      key(%k : tensor<1x48x1x64xf32>) value(%v : tensor<1x48x1x64xf32>)
      lambda(%l : tensor<1x32x2xf32>) outs(%o : tensor<1x32x2x64xf32>)
      noise(%n : tensor<1x31x2x64xf32>)
  return
}

// -----

func.func @attention_c12_value_keys(%q: tensor<1x32x4x64xf32>,
    %k: tensor<1x48x1x64xf32>, %v: tensor<1x47x1x64xf32>,
    %l: tensor<1x32x2xf32>, %o: tensor<1x32x2x64xf32>) {
  // expected-error @below {{'diffattn.attention' op expects value's number of keys (C12) to be 48, but got 47}}
  %r = diffattn.attention query(%q : tensor<1x32x4x64xf32>)
      key(%k : tensor<1x48x1x64xf32>) value(%v : tensor<1x47x1x64xf32>)
      lambda(%l : tensor<1x32x2xf32>) outs(%o : tensor<1x32x2x64xf32>)
  return
}

// -----

func.func @attention_c13_output_heads(%q: tensor<1x32x4x64xf32>,
    %k: tensor<1x48x1x64xf32>, %v: tensor<1x48x1x64xf32>,
    %l: tensor<1x32x2xf32>, %o: tensor<1x32x4x64xf32>) {
  // expected-error @below {{'diffattn.attention' op expects output's head count (C13) to be 2, but got 'tensor<1x32x4x64xf32>'}}
  %r = diffattn.attention query(%q : tensor<1x32x4x64xf32>)
      key(%k : tensor<1x48x1x64xf32>) value(%v : tensor<1x48x1x64xf32>)
      lambda(%l : tensor<1x32x2xf32>) outs(%o : tensor<1x32x4x64xf32>)
  return
}

// -----

func.func @attention_c13_output_dim(%q: tensor<1x32x4x64xf32>,
    %k: tensor<1x48x1x64xf32>, %v: tensor<1x48x1x128xf32>,
    %l: tensor<1x32x2xf32>, %o: tensor<1x32x2x64xf32>) {
  // expected-error @below {{'diffattn.attention' op expects output's head dimension (C13) to equal value's 128, but got 'tensor<1x32x2x64xf32>'}}
  %r = diffattn.attention query(%q : tensor<1x32x4x64xf32>)
      key(%k : tensor<1x48x1x64xf32>) value(%v : tensor<1x48x1x128xf32>)
      lambda(%l : tensor<1x32x2xf32>) outs(%o : tensor<1x32x2x64xf32>)
  return
}

// -----

func.func @attention_c13_noise_heads(%q: tensor<1x32x4x64xf32>,
    %k: tensor<1x48x1x64xf32>, %v: tensor<1x48x1x64xf32>,
    %l: tensor<1x32x2xf32>, %o: tensor<1x32x2x64xf32>,
    %n: tensor<1x32x1x64xf32>) {
  // expected-error @below {{'diffattn.attention' op expects noise's head count (C13) to be 2, but got 'tensor<1x32x1x64xf32>'}}
  %r:2 = diffattn.attention query(%q : tensor<1x32x4x64xf32>)
      key(%k : tensor<1x48x1x64xf32>) value(%v : tensor<1x48x1x64xf32>)
      lambda(%l : tensor<1x32x2xf32>) outs(%o : tensor<1x32x2x64xf32>)
      noise(%n : tensor<1x32x1x64xf32>)
  return
}

// -----

func.func @attention_c13_noise_dim(%q: tensor<1x32x4x64xf32>,
    %k: tensor<1x48x1x64xf32>, %v: tensor<1x48x1x64xf32>,
    %l: tensor<1x32x2xf32>, %o: tensor<1x32x2x64xf32>,
    %n: tensor<1x32x2x32xf32>) {
  // expected-error @below {{'diffattn.attention' op expects noise's head dimension (C13) to equal value's 64, but got 'tensor<1x32x2x32xf32>'}}
  %r:2 = diffattn.attention query(%q : tensor<1x32x4x64xf32>)
      key(%k : tensor<1x48x1x64xf32>) value(%v : tensor<1x48x1x64xf32>)
      lambda(%l : tensor<1x32x2xf32>) outs(%o : tensor<1x32x2x64xf32>)
      noise(%n : tensor<1x32x2x32xf32>)
  return
}

// -----

func.func @attention_c13_output_heads_dynamic(%q: tensor<1x32x4x64xf32>,
    %k: tensor<1x48x1x64xf32>, %v: tensor<1x48x1x64xf32>,
    %l: tensor<1x32x2xf32>, %o: tensor<1x32x?x64xf32>) {
  // expected-error @below {{'diffattn.attention' op expects output's head count (C13) to be 2, but got 'tensor<1x32x?x64xf32>'}}
  %r = diffattn.attention query(%q : tensor<1x32x4x64xf32>)
      key(%k : tensor<1x48x1x64xf32>) value(%v : tensor<1x48x1x64xf32>)
      lambda(%l : tensor<1x32x2xf32>) outs(%o : tensor<1x32x?x64xf32>)
  return
}

// -----

// Both branches have a log-sum-exp of their own.
func.func @attention_c13_lse_pairs(%q: tensor<1x32x4x64xf32>,
    %k: tensor<1x48x1x64xf32>, %v: tensor<1x48x1x64xf32>,
    %l: tensor<1x32x2xf32>, %o: tensor<1x32x2x64xf32>, %s: tensor<1x2x32xf32>) {
  // expected-error @below {{'diffattn.attention' op expects lse (C13) to be (B, 4, Nq), one row per query head, but got 'tensor<1x2x32xf32>'}}
  %r:2 = diffattn.attention query(%q : tensor<1x32x4x64xf32>)
      key(%k : tensor<1x48x1x64xf32>) value(%v : tensor<1x48x1x64xf32>)
      lambda(%l : tensor<1x32x2xf32>) outs(%o : tensor<1x32x2x64xf32>)
      lse(%s : tensor<1x2x32xf32>)
  return
}

// -----

func.func @attention_c14_noise_of_plain(%q: tensor<1x32x4x64xf32>,
    %k: tensor<1x48x1x64xf32>, %v: tensor<1x48x1x64xf32>,
    %o: tensor<1x32x4x64xf32>, %n: tensor<1x32x4x64xf32>) {
  // expected-error @below {{'diffattn.attention' op expects lambda where noise is asked for (C14): plain attention has no second branch}}
  %r:2 = diffattn.attention query(%q : tensor<1x32x4x64xf32>)
      key(%k : tensor<1x48x1x64xf32>) value(%v : tensor<1x48x1x64xf32>)
      outs(%o : tensor<1x32x4x64xf32>) noise(%n : tensor<1x32x4x64xf32>)
  return
}

// -----

func.func @attention_c15_scale_zero(%q: tensor<1x32x4x64xf32>,
    %k: tensor<1x48x1x64xf32>, %v: tensor<1x48x1x64xf32>,
    %l: tensor<1x32x2xf32>, %o: tensor<1x32x2x64xf32>) {
  // expected-error @below {{'diffattn.attention' op expects scale (C15) to be finite and greater than zero in f32, but got 0}}
  %r = diffattn.attention query(%q : tensor<1x32x4x64xf32>)
      key(%k : tensor<1x48x1x64xf32>) value(%v : tensor<1x48x1x64xf32>)
      lambda(%l : tensor<1x32x2xf32>) outs(%o : tensor<1x32x2x64xf32>)
      scale(0.0)
  return
}

// -----

func.func @attention_c15_scale_negative(%q: tensor<1x32x4x64xf32>,
    %k: tensor<1x48x1x64xf32>, %v: tensor<1x48x1x64xf32>,
    %l: tensor<1x32x2xf32>, %o: tensor<1x32x2x64xf32>) {
  // expected-error @below {{'diffattn.attention' op expects scale (C15) to be finite and greater than zero in f32, but got -0.125}}
  %r = diffattn.attention query(%q : tensor<1x32x4x64xf32>)
      key(%k : tensor<1x48x1x64xf32>) value(%v : tensor<1x48x1x64xf32>)
      lambda(%l : tensor<1x32x2xf32>) outs(%o : tensor<1x32x2x64xf32>)
      scale(-0.125)
  return
}

// -----

func.func @attention_c15_scale_nan(%q: tensor<1x32x4x64xf32>,
    %k: tensor<1x48x1x64xf32>, %v: tensor<1x48x1x64xf32>,
    %l: tensor<1x32x2xf32>, %o: tensor<1x32x2x64xf32>) {
  // expected-error @below {{'diffattn.attention' op expects scale (C15) to be finite and greater than zero in f32, but got NaN}}
  %r = diffattn.attention query(%q : tensor<1x32x4x64xf32>)
      key(%k : tensor<1x48x1x64xf32>) value(%v : tensor<1x48x1x64xf32>)
      lambda(%l : tensor<1x32x2xf32>) outs(%o : tensor<1x32x2x64xf32>)
      scale(0x7FF8000000000000)
  return
}

// -----

func.func @attention_c15_scale_infinite(%q: tensor<1x32x4x64xf32>,
    %k: tensor<1x48x1x64xf32>, %v: tensor<1x48x1x64xf32>,
    %l: tensor<1x32x2xf32>, %o: tensor<1x32x2x64xf32>) {
  // expected-error @below {{'diffattn.attention' op expects scale (C15) to be finite and greater than zero in f32, but got +Inf}}
  %r = diffattn.attention query(%q : tensor<1x32x4x64xf32>)
      key(%k : tensor<1x48x1x64xf32>) value(%v : tensor<1x48x1x64xf32>)
      lambda(%l : tensor<1x32x2xf32>) outs(%o : tensor<1x32x2x64xf32>)
      scale(0x7FF0000000000000)
  return
}

// -----

// Frontends write 0 for no cap; here that is no attribute.
func.func @attention_c16_softcap_zero(%q: tensor<1x32x4x64xf32>,
    %k: tensor<1x48x1x64xf32>, %v: tensor<1x48x1x64xf32>,
    %l: tensor<1x32x2xf32>, %o: tensor<1x32x2x64xf32>) {
  // expected-error @below {{'diffattn.attention' op expects softcap (C16) to be finite and greater than zero in f32, but got 0}}
  %r = diffattn.attention query(%q : tensor<1x32x4x64xf32>)
      key(%k : tensor<1x48x1x64xf32>) value(%v : tensor<1x48x1x64xf32>)
      lambda(%l : tensor<1x32x2xf32>) outs(%o : tensor<1x32x2x64xf32>)
      softcap(0.0)
  return
}

// -----

func.func @attention_c16_softcap_negative(%q: tensor<1x32x4x64xf32>,
    %k: tensor<1x48x1x64xf32>, %v: tensor<1x48x1x64xf32>,
    %l: tensor<1x32x2xf32>, %o: tensor<1x32x2x64xf32>) {
  // expected-error @below {{'diffattn.attention' op expects softcap (C16) to be finite and greater than zero in f32, but got -50}}
  %r = diffattn.attention query(%q : tensor<1x32x4x64xf32>)
      key(%k : tensor<1x48x1x64xf32>) value(%v : tensor<1x48x1x64xf32>)
      lambda(%l : tensor<1x32x2xf32>) outs(%o : tensor<1x32x2x64xf32>)
      softcap(-50.0)
  return
}

// -----

func.func @attention_c16_softcap_infinite(%q: tensor<1x32x4x64xf32>,
    %k: tensor<1x48x1x64xf32>, %v: tensor<1x48x1x64xf32>,
    %l: tensor<1x32x2xf32>, %o: tensor<1x32x2x64xf32>) {
  // expected-error @below {{'diffattn.attention' op expects softcap (C16) to be finite and greater than zero in f32, but got +Inf}}
  %r = diffattn.attention query(%q : tensor<1x32x4x64xf32>)
      key(%k : tensor<1x48x1x64xf32>) value(%v : tensor<1x48x1x64xf32>)
      lambda(%l : tensor<1x32x2xf32>) outs(%o : tensor<1x32x2x64xf32>)
      softcap(0x7FF0000000000000)
  return
}

// -----

// Result types are those of the destinations.
func.func @attention_result_type(%q: tensor<1x32x4x64xf32>, %k: tensor<1x48x1x64xf32>,
                                 %l: tensor<1x32x2xf32>, %o: tensor<1x32x2x64xf32>) {
  // expected-error @below {{'diffattn.attention' op expected type of operand #4 ('tensor<1x32x2x64xf32>') to match type of corresponding result ('tensor<1x32x2x64xbf16>')}}
  %r = "diffattn.attention"(%q, %k, %k, %l, %o)
      <{operandSegmentSizes = array<i32: 1, 1, 1, 1, 1, 0, 0>}>
      : (tensor<1x32x4x64xf32>, tensor<1x48x1x64xf32>, tensor<1x48x1x64xf32>,
         tensor<1x32x2xf32>, tensor<1x32x2x64xf32>) -> tensor<1x32x2x64xbf16>
  return
}
