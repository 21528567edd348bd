// RUN: diffattn-opt %s --split-input-file --verify-diagnostics

// C1 to C7: operands, one at a time. One case for each message; the number in a
// function's name is that of the constraint in DiffAttnOps.td. The legal op that all cases deviate from:
//
//   query (1, 32, 4, 64), key and value (1, 48, 1, 64), lambda (1, 32, 2),
//   output and noise (1, 32, 2, 64), lse (1, 4, 32)

func.func @attention_c1_query_rank(%q: tensor<32x4x64xf32>,
    %k: tensor<1x48x1x64xf32>, %v: tensor<1x48x1x64xf32>,
    %l: tensor<1x32x2xf32>, %o: tensor<1x32x2x64xf32>) {
  // expected-error @below {{'diffattn.attention' op expects query (C1) to have rank 4, but got 'tensor<32x4x64xf32>'}}
  %r = diffattn.attention query(%q : tensor<32x4x64xf32>)
      key(%k : tensor<1x48x1x64xf32>) value(%v : tensor<1x48x1x64xf32>)
      lambda(%l : tensor<1x32x2xf32>) outs(%o : tensor<1x32x2x64xf32>)
  return
}

// -----

func.func @attention_c1_key_rank(%q: tensor<1x32x4x64xf32>,
                                 %k: tensor<48x64xf32>,
                                 %v: tensor<1x48x1x64xf32>,
                                 %l: tensor<1x32x2xf32>,
                                 %o: tensor<1x32x2x64xf32>) {
  // expected-error @below {{'diffattn.attention' op expects key (C1) to have rank 4, but got 'tensor<48x64xf32>'}}
  %r = diffattn.attention query(%q : tensor<1x32x4x64xf32>)
      key(%k : tensor<48x64xf32>) value(%v : tensor<1x48x1x64xf32>)
      lambda(%l : tensor<1x32x2xf32>) outs(%o : tensor<1x32x2x64xf32>)
  return
}

// -----

func.func @attention_c1_value_rank(%q: tensor<1x32x4x64xf32>,
    %k: tensor<1x48x1x64xf32>, %v: tensor<48x1x64xf32>, %l: tensor<1x32x2xf32>,
    %o: tensor<1x32x2x64xf32>) {
  // expected-error @below {{'diffattn.attention' op expects value (C1) to have rank 4, but got 'tensor<48x1x64xf32>'}}
  %r = diffattn.attention query(%q : tensor<1x32x4x64xf32>)
      key(%k : tensor<1x48x1x64xf32>) value(%v : tensor<48x1x64xf32>)
      lambda(%l : tensor<1x32x2xf32>) outs(%o : tensor<1x32x2x64xf32>)
  return
}

// -----

// A trailing dimension of 1, as a linear layer may leave it.
func.func @attention_c1_lambda_rank(%q: tensor<1x32x4x64xf32>,
    %k: tensor<1x48x1x64xf32>, %v: tensor<1x48x1x64xf32>,
    %l: tensor<1x32x2x1xf32>, %o: tensor<1x32x2x64xf32>) {
  // expected-error @below {{'diffattn.attention' op expects lambda (C1) to have rank 3, but got 'tensor<1x32x2x1xf32>'}}
  %r = diffattn.attention query(%q : tensor<1x32x4x64xf32>)
      key(%k : tensor<1x48x1x64xf32>) value(%v : tensor<1x48x1x64xf32>)
      lambda(%l : tensor<1x32x2x1xf32>) outs(%o : tensor<1x32x2x64xf32>)
  return
}

// -----

// Heads already merged for the output projection.
func.func @attention_c1_output_rank(%q: tensor<1x32x4x64xf32>,
    %k: tensor<1x48x1x64xf32>, %v: tensor<1x48x1x64xf32>,
    %l: tensor<1x32x2xf32>, %o: tensor<1x32x128xf32>) {
  // expected-error @below {{'diffattn.attention' op expects output (C1) to have rank 4, but got 'tensor<1x32x128xf32>'}}
  %r = diffattn.attention query(%q : tensor<1x32x4x64xf32>)
      key(%k : tensor<1x48x1x64xf32>) value(%v : tensor<1x48x1x64xf32>)
      lambda(%l : tensor<1x32x2xf32>) outs(%o : tensor<1x32x128xf32>)
  return
}

// -----

func.func @attention_c1_lse_rank(%q: tensor<1x32x4x64xf32>,
                                 %k: tensor<1x48x1x64xf32>,
                                 %v: tensor<1x48x1x64xf32>,
                                 %l: tensor<1x32x2xf32>,
                                 %o: tensor<1x32x2x64xf32>,
                                 %s: tensor<1x4x32x1xf32>) {
  // expected-error @below {{'diffattn.attention' op expects lse (C1) to have rank 3, but got 'tensor<1x4x32x1xf32>'}}
  %r:2 = diffattn.attention query(%q : tensor<1x32x4x64xf32>)
      key(%k : tensor<1x48x1x64xf32>) value(%v : tensor<1x48x1x64xf32>)
      lambda(%l : tensor<1x32x2xf32>) outs(%o : tensor<1x32x2x64xf32>)
      lse(%s : tensor<1x4x32x1xf32>)
  return
}

// -----

func.func @attention_c1_noise_rank(%q: tensor<1x32x4x64xf32>,
    %k: tensor<1x48x1x64xf32>, %v: tensor<1x48x1x64xf32>,
    %l: tensor<1x32x2xf32>, %o: tensor<1x32x2x64xf32>,
    %n: tensor<32x2x64xf32>) {
  // expected-error @below {{'diffattn.attention' op expects noise (C1) to have rank 4, but got 'tensor<32x2x64xf32>'}}
  %r:2 = diffattn.attention query(%q : tensor<1x32x4x64xf32>)
      key(%k : tensor<1x48x1x64xf32>) value(%v : tensor<1x48x1x64xf32>)
      lambda(%l : tensor<1x32x2xf32>) outs(%o : tensor<1x32x2x64xf32>)
      noise(%n : tensor<32x2x64xf32>)
  return
}

// -----

func.func @attention_c2_query_type(%q: tensor<1x32x4x64xf64>,
    %k: tensor<1x48x1x64xf64>, %v: tensor<1x48x1x64xf64>,
    %l: tensor<1x32x2xf32>, %o: tensor<1x32x2x64xf32>) {
  // expected-error @below {{'diffattn.attention' op expects query (C2) to hold f16, bf16 or f32, but got 'f64'}}
  %r = diffattn.attention query(%q : tensor<1x32x4x64xf64>)
      key(%k : tensor<1x48x1x64xf64>) value(%v : tensor<1x48x1x64xf64>)
      lambda(%l : tensor<1x32x2xf32>) outs(%o : tensor<1x32x2x64xf32>)
  return
}

// -----

func.func @attention_c2_query_integer(%q: tensor<1x32x4x64xi8>,
    %k: tensor<1x48x1x64xf32>, %v: tensor<1x48x1x64xf32>,
    %l: tensor<1x32x2xf32>, %o: tensor<1x32x2x64xf32>) {
  // expected-error @below {{'diffattn.attention' op expects query (C2) to hold f16, bf16 or f32, but got 'i8'}}
  %r = diffattn.attention query(%q : tensor<1x32x4x64xi8>)
      key(%k : tensor<1x48x1x64xf32>) value(%v : tensor<1x48x1x64xf32>)
      lambda(%l : tensor<1x32x2xf32>) outs(%o : tensor<1x32x2x64xf32>)
  return
}

// -----

func.func @attention_c2_key_type(%q: tensor<1x32x4x64xf32>,
                                 %k: tensor<1x48x1x64xbf16>,
                                 %v: tensor<1x48x1x64xf32>,
                                 %l: tensor<1x32x2xf32>,
                                 %o: tensor<1x32x2x64xf32>) {
  // expected-error @below {{'diffattn.attention' op expects key (C2) to hold query's 'f32', but got 'bf16'}}
  %r = diffattn.attention query(%q : tensor<1x32x4x64xf32>)
      key(%k : tensor<1x48x1x64xbf16>) value(%v : tensor<1x48x1x64xf32>)
      lambda(%l : tensor<1x32x2xf32>) outs(%o : tensor<1x32x2x64xf32>)
  return
}

// -----

func.func @attention_c2_value_type(%q: tensor<1x32x4x64xbf16>,
    %k: tensor<1x48x1x64xbf16>, %v: tensor<1x48x1x64xf16>,
    %l: tensor<1x32x2xf32>, %o: tensor<1x32x2x64xf32>) {
  // expected-error @below {{'diffattn.attention' op expects value (C2) to hold query's 'bf16', but got 'f16'}}
  %r = diffattn.attention query(%q : tensor<1x32x4x64xbf16>)
      key(%k : tensor<1x48x1x64xbf16>) value(%v : tensor<1x48x1x64xf16>)
      lambda(%l : tensor<1x32x2xf32>) outs(%o : tensor<1x32x2x64xf32>)
  return
}

// -----

func.func @attention_c3_lambda_type(%q: tensor<1x32x4x64xf32>,
    %k: tensor<1x48x1x64xf32>, %v: tensor<1x48x1x64xf32>,
    %l: tensor<1x32x2xf64>, %o: tensor<1x32x2x64xf32>) {
  // expected-error @below {{'diffattn.attention' op expects lambda (C3) to hold f16, bf16 or f32, but got 'f64'}}
  %r = diffattn.attention query(%q : tensor<1x32x4x64xf32>)
      key(%k : tensor<1x48x1x64xf32>) value(%v : tensor<1x48x1x64xf32>)
      lambda(%l : tensor<1x32x2xf64>) outs(%o : tensor<1x32x2x64xf32>)
  return
}

// -----

func.func @attention_c3_output_type(%q: tensor<1x32x4x64xf32>,
    %k: tensor<1x48x1x64xf32>, %v: tensor<1x48x1x64xf32>,
    %l: tensor<1x32x2xf32>, %o: tensor<1x32x2x64xf8E4M3FN>) {
  // expected-error @below {{'diffattn.attention' op expects output (C3) to hold f16, bf16 or f32, but got 'f8E4M3FN'}}
  %r = diffattn.attention query(%q : tensor<1x32x4x64xf32>)
      key(%k : tensor<1x48x1x64xf32>) value(%v : tensor<1x48x1x64xf32>)
      lambda(%l : tensor<1x32x2xf32>) outs(%o : tensor<1x32x2x64xf8E4M3FN>)
  return
}

// -----

func.func @attention_c3_noise_type(%q: tensor<1x32x4x64xf32>,
    %k: tensor<1x48x1x64xf32>, %v: tensor<1x48x1x64xf32>,
    %l: tensor<1x32x2xf32>, %o: tensor<1x32x2x64xf32>,
    %n: tensor<1x32x2x64xf64>) {
  // expected-error @below {{'diffattn.attention' op expects noise (C3) to hold f16, bf16 or f32, but got 'f64'}}
  %r:2 = diffattn.attention query(%q : tensor<1x32x4x64xf32>)
      key(%k : tensor<1x48x1x64xf32>) value(%v : tensor<1x48x1x64xf32>)
      lambda(%l : tensor<1x32x2xf32>) outs(%o : tensor<1x32x2x64xf32>)
      noise(%n : tensor<1x32x2x64xf64>)
  return
}

// -----

// A log-sum-exp in 16 bits would spoil the gradient.
func.func @attention_c3_lse_type(%q: tensor<1x32x4x64xf32>,
                                 %k: tensor<1x48x1x64xf32>,
                                 %v: tensor<1x48x1x64xf32>,
                                 %l: tensor<1x32x2xf32>,
                                 %o: tensor<1x32x2x64xf32>,
                                 %s: tensor<1x4x32xbf16>) {
  // expected-error @below {{'diffattn.attention' op expects lse (C3) to hold f32, but got 'bf16'}}
  %r:2 = diffattn.attention query(%q : tensor<1x32x4x64xf32>)
      key(%k : tensor<1x48x1x64xf32>) value(%v : tensor<1x48x1x64xf32>)
      lambda(%l : tensor<1x32x2xf32>) outs(%o : tensor<1x32x2x64xf32>)
      lse(%s : tensor<1x4x32xbf16>)
  return
}

// -----

func.func @attention_c4_query_heads_dynamic(%q: tensor<1x32x?x64xf32>,
    %k: tensor<1x48x1x64xf32>, %v: tensor<1x48x1x64xf32>,
    %l: tensor<1x32x2xf32>, %o: tensor<1x32x2x64xf32>) {
  // expected-error @below {{'diffattn.attention' op expects query's head count (C4) to be static, but got 'tensor<1x32x?x64xf32>'}}
  %r = diffattn.attention query(%q : tensor<1x32x?x64xf32>)
      key(%k : tensor<1x48x1x64xf32>) value(%v : tensor<1x48x1x64xf32>)
      lambda(%l : tensor<1x32x2xf32>) outs(%o : tensor<1x32x2x64xf32>)
  return
}

// -----

func.func @attention_c4_query_dim_dynamic(%q: tensor<1x32x4x?xf32>,
    %k: tensor<1x48x1x64xf32>, %v: tensor<1x48x1x64xf32>,
    %l: tensor<1x32x2xf32>, %o: tensor<1x32x2x64xf32>) {
  // expected-error @below {{'diffattn.attention' op expects query's head dimension (C4) to be static, but got 'tensor<1x32x4x?xf32>'}}
  %r = diffattn.attention query(%q : tensor<1x32x4x?xf32>)
      key(%k : tensor<1x48x1x64xf32>) value(%v : tensor<1x48x1x64xf32>)
      lambda(%l : tensor<1x32x2xf32>) outs(%o : tensor<1x32x2x64xf32>)
  return
}

// -----

func.func @attention_c4_key_heads_dynamic(%q: tensor<1x32x4x64xf32>,
    %k: tensor<1x48x?x64xf32>, %v: tensor<1x48x1x64xf32>,
    %l: tensor<1x32x2xf32>, %o: tensor<1x32x2x64xf32>) {
  // expected-error @below {{'diffattn.attention' op expects key's head count (C4) to be static, but got 'tensor<1x48x?x64xf32>'}}
  %r = diffattn.attention query(%q : tensor<1x32x4x64xf32>)
      key(%k : tensor<1x48x?x64xf32>) value(%v : tensor<1x48x1x64xf32>)
      lambda(%l : tensor<1x32x2xf32>) outs(%o : tensor<1x32x2x64xf32>)
  return
}

// -----

func.func @attention_c4_value_dim_dynamic(%q: tensor<1x32x4x64xf32>,
    %k: tensor<1x48x1x64xf32>, %v: tensor<1x48x1x?xf32>, %l: tensor<1x32x2xf32>,
    %o: tensor<1x32x2x64xf32>) {
  // expected-error @below {{'diffattn.attention' op expects value's head dimension (C4) to be static, but got 'tensor<1x48x1x?xf32>'}}
  %r = diffattn.attention query(%q : tensor<1x32x4x64xf32>)
      key(%k : tensor<1x48x1x64xf32>) value(%v : tensor<1x48x1x?xf32>)
      lambda(%l : tensor<1x32x2xf32>) outs(%o : tensor<1x32x2x64xf32>)
  return
}

// -----

func.func @attention_c4_query_no_heads(%q: tensor<1x32x0x64xf32>,
    %k: tensor<1x48x1x64xf32>, %v: tensor<1x48x1x64xf32>,
    %l: tensor<1x32x2xf32>, %o: tensor<1x32x2x64xf32>) {
  // expected-error @below {{'diffattn.attention' op expects query's head count (C4) to be positive, but got 0}}
  %r = diffattn.attention query(%q : tensor<1x32x0x64xf32>)
      key(%k : tensor<1x48x1x64xf32>) value(%v : tensor<1x48x1x64xf32>)
      lambda(%l : tensor<1x32x2xf32>) outs(%o : tensor<1x32x2x64xf32>)
  return
}

// -----

func.func @attention_c4_key_no_heads(%q: tensor<1x32x4x64xf32>,
    %k: tensor<1x48x0x64xf32>, %v: tensor<1x48x1x64xf32>,
    %l: tensor<1x32x2xf32>, %o: tensor<1x32x2x64xf32>) {
  // expected-error @below {{'diffattn.attention' op expects key's head count (C4) to be positive, but got 0}}
  %r = diffattn.attention query(%q : tensor<1x32x4x64xf32>)
      key(%k : tensor<1x48x0x64xf32>) value(%v : tensor<1x48x1x64xf32>)
      lambda(%l : tensor<1x32x2xf32>) outs(%o : tensor<1x32x2x64xf32>)
  return
}

// -----

func.func @attention_c4_value_empty(%q: tensor<1x32x4x64xf32>,
    %k: tensor<1x48x1x64xf32>, %v: tensor<1x48x1x0xf32>, %l: tensor<1x32x2xf32>,
    %o: tensor<1x32x2x64xf32>) {
  // expected-error @below {{'diffattn.attention' op expects value's head dimension (C4) to be positive, but got 0}}
  %r = diffattn.attention query(%q : tensor<1x32x4x64xf32>)
      key(%k : tensor<1x48x1x64xf32>) value(%v : tensor<1x48x1x0xf32>)
      lambda(%l : tensor<1x32x2xf32>) outs(%o : tensor<1x32x2x64xf32>)
  return
}

// -----

func.func @attention_c5_head_dims_differ(%q: tensor<1x32x4x64xf32>,
    %k: tensor<1x48x1x128xf32>, %v: tensor<1x48x1x64xf32>,
    %l: tensor<1x32x2xf32>, %o: tensor<1x32x2x64xf32>) {
  // expected-error @below {{'diffattn.attention' op expects key's head dimension (C5) to equal query's 64, but got 128}}
  %r = diffattn.attention query(%q : tensor<1x32x4x64xf32>)
      key(%k : tensor<1x48x1x128xf32>) value(%v : tensor<1x48x1x64xf32>)
      lambda(%l : tensor<1x32x2xf32>) outs(%o : tensor<1x32x2x64xf32>)
  return
}

// -----

func.func @attention_c6_value_heads(%q: tensor<1x32x4x64xf32>,
    %k: tensor<1x48x1x64xf32>, %v: tensor<1x48x2x64xf32>,
    %l: tensor<1x32x2xf32>, %o: tensor<1x32x2x64xf32>) {
  // expected-error @below {{'diffattn.attention' op expects value's head count (C6) to equal key's 1, but got 2}}
  %r = diffattn.attention query(%q : tensor<1x32x4x64xf32>)
      key(%k : tensor<1x48x1x64xf32>) value(%v : tensor<1x48x2x64xf32>)
      lambda(%l : tensor<1x32x2xf32>) outs(%o : tensor<1x32x2x64xf32>)
  return
}

// -----

// As near to 56 as to 64.
func.func @attention_c7_query_dim(%q: tensor<1x32x4x60xf32>,
    %k: tensor<1x48x1x60xf32>, %v: tensor<1x48x1x64xf32>,
    %l: tensor<1x32x2xf32>, %o: tensor<1x32x2x64xf32>) {
  // expected-error @below {{'diffattn.attention' op expects query's head dimension (C7) to be a multiple of 8, but got 60; the nearest legal one is 56}}
  %r = diffattn.attention query(%q : tensor<1x32x4x60xf32>)
      key(%k : tensor<1x48x1x60xf32>) value(%v : tensor<1x48x1x64xf32>)
      lambda(%l : tensor<1x32x2xf32>) outs(%o : tensor<1x32x2x64xf32>)
  return
}

// -----

// 0 is nearer, but no head dimension.
func.func @attention_c7_query_dim_small(%q: tensor<1x32x4x1xf32>,
    %k: tensor<1x48x1x1xf32>, %v: tensor<1x48x1x64xf32>, %l: tensor<1x32x2xf32>,
    %o: tensor<1x32x2x64xf32>) {
  // expected-error @below {{'diffattn.attention' op expects query's head dimension (C7) to be a multiple of 8, but got 1; the nearest legal one is 8}}
  %r = diffattn.attention query(%q : tensor<1x32x4x1xf32>)
      key(%k : tensor<1x48x1x1xf32>) value(%v : tensor<1x48x1x64xf32>)
      lambda(%l : tensor<1x32x2xf32>) outs(%o : tensor<1x32x2x64xf32>)
  return
}

// -----

func.func @attention_c7_value_dim(%q: tensor<1x32x4x64xf32>,
    %k: tensor<1x48x1x64xf32>, %v: tensor<1x48x1x63xf32>,
    %l: tensor<1x32x2xf32>, %o: tensor<1x32x2x64xf32>) {
  // expected-error @below {{'diffattn.attention' op expects value's head dimension (C7) to be a multiple of 8, but got 63; the nearest legal one is 64}}
  %r = diffattn.attention query(%q : tensor<1x32x4x64xf32>)
      key(%k : tensor<1x48x1x64xf32>) value(%v : tensor<1x48x1x63xf32>)
      lambda(%l : tensor<1x32x2xf32>) outs(%o : tensor<1x32x2x64xf32>)
  return
}
