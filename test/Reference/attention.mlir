// Queries are zero, so every visible key weighs the same, and the values of key
// j are j + 1: a row's output is the mean of the keys that it sees.

// RUN: diffattn-eval %s --entry=causal_more_keys | FileCheck %s --check-prefix=MORE-KEYS
// RUN: diffattn-eval %s --entry=causal_more_queries | FileCheck %s --check-prefix=MORE-QUERIES
// RUN: diffattn-eval %s --entry=window | FileCheck %s --check-prefix=WINDOW
// RUN: diffattn-eval %s --entry=open_left | FileCheck %s --check-prefix=OPEN-LEFT
// RUN: diffattn-eval %s --entry=huge_window | FileCheck %s --check-prefix=HUGE-WINDOW
// RUN: diffattn-eval %s --entry=no_keys_at_all | FileCheck %s --check-prefix=NO-KEYS
// RUN: diffattn-eval %s --entry=special_lambda | FileCheck %s --check-prefix=LAMBDA
// RUN: diffattn-eval %s --entry=hidden_nan | FileCheck %s --check-prefix=HIDDEN-NAN
// RUN: diffattn-eval %s --entry=softcap | FileCheck %s --check-prefix=SOFTCAP
// RUN: diffattn-eval %s --entry=large_logits | FileCheck %s --check-prefix=LARGE

func.func private @zeros(%n: index) -> tensor<1x?x1x8xf32> {
  %zero = arith.constant 0.0 : f32
  %t = tensor.splat %zero[%n] : tensor<1x?x1x8xf32>
  return %t : tensor<1x?x1x8xf32>
}

func.func private @counting(%n: index) -> tensor<1x?x1x8xf32> {
  %t = tensor.generate %n {
  ^bb0(%b: index, %j: index, %h: index, %d: index):
    %c1 = arith.constant 1 : index
    %next = arith.addi %j, %c1 : index
    %int = arith.index_cast %next : index to i64
    %value = arith.sitofp %int : i64 to f32
    tensor.yield %value : f32
  } : tensor<1x?x1x8xf32>
  return %t : tensor<1x?x1x8xf32>
}

// The mask is aligned at the bottom right: the last row sees all keys.
// MORE-KEYS: result 0: 1x2x1x8xf64
// MORE-KEYS: [2, 2, 2, 2, 2, 2, 2, 2, 2.5, 2.5, 2.5, 2.5, 2.5, 2.5, 2.5, 2.5]
// MORE-KEYS: result 1: 1x1x2xf64
// MORE-KEYS: [1.09861, 1.38629]
func.func @causal_more_keys() -> (tensor<1x?x1x8xf32>, tensor<1x1x?xf32>) {
  %nq = arith.constant 2 : index
  %nk = arith.constant 4 : index
  %q = call @zeros(%nq) : (index) -> tensor<1x?x1x8xf32>
  %k = call @zeros(%nk) : (index) -> tensor<1x?x1x8xf32>
  %v = call @counting(%nk) : (index) -> tensor<1x?x1x8xf32>
  %e = tensor.empty(%nq) : tensor<1x?x1x8xf32>
  %s = tensor.empty(%nq) : tensor<1x1x?xf32>
  %o:2 = diffattn.attention query(%q : tensor<1x?x1x8xf32>) key(%k : tensor<1x?x1x8xf32>)
      value(%v : tensor<1x?x1x8xf32>) outs(%e : tensor<1x?x1x8xf32>)
      lse(%s : tensor<1x1x?xf32>) mask<causal>
  return %o#0, %o#1 : tensor<1x?x1x8xf32>, tensor<1x1x?xf32>
}

// Rows before the first key give 0, and +inf as log-sum-exp.
// MORE-QUERIES: [0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, ...]
// MORE-QUERIES: result 1: 1x1x3xf64
// MORE-QUERIES: [inf, 0, 0.693147]
func.func @causal_more_queries() -> (tensor<1x?x1x8xf32>, tensor<1x1x?xf32>) {
  %nq = arith.constant 3 : index
  %nk = arith.constant 2 : index
  %q = call @zeros(%nq) : (index) -> tensor<1x?x1x8xf32>
  %k = call @zeros(%nk) : (index) -> tensor<1x?x1x8xf32>
  %v = call @counting(%nk) : (index) -> tensor<1x?x1x8xf32>
  %e = tensor.empty(%nq) : tensor<1x?x1x8xf32>
  %s = tensor.empty(%nq) : tensor<1x1x?xf32>
  %o:2 = diffattn.attention query(%q : tensor<1x?x1x8xf32>) key(%k : tensor<1x?x1x8xf32>)
      value(%v : tensor<1x?x1x8xf32>) outs(%e : tensor<1x?x1x8xf32>)
      lse(%s : tensor<1x1x?xf32>) mask<causal>
  return %o#0, %o#1 : tensor<1x?x1x8xf32>, tensor<1x1x?xf32>
}

// Row i sits at position i + 1 and sees the keys i to i + 2 of 5: the number of
// keys shows in the log-sum-exp, three and for the last row two.
// WINDOW: [2, 2, 2, 2, 2, 2, 2, 2, 3, 3, 3, 3, 3, 3, 3, 3, ...]
// WINDOW: result 1: 1x1x4xf64
// WINDOW: [1.09861, 1.09861, 1.09861, 0.693147]
func.func @window() -> (tensor<1x?x1x8xf32>, tensor<1x1x?xf32>) {
  %nq = arith.constant 4 : index
  %nk = arith.constant 5 : index
  %q = call @zeros(%nq) : (index) -> tensor<1x?x1x8xf32>
  %k = call @zeros(%nk) : (index) -> tensor<1x?x1x8xf32>
  %v = call @counting(%nk) : (index) -> tensor<1x?x1x8xf32>
  %e = tensor.empty(%nq) : tensor<1x?x1x8xf32>
  %s = tensor.empty(%nq) : tensor<1x1x?xf32>
  %o:2 = diffattn.attention query(%q : tensor<1x?x1x8xf32>) key(%k : tensor<1x?x1x8xf32>)
      value(%v : tensor<1x?x1x8xf32>) outs(%e : tensor<1x?x1x8xf32>)
      lse(%s : tensor<1x1x?xf32>) mask<window 1, 1>
  return %o#0, %o#1 : tensor<1x?x1x8xf32>, tensor<1x1x?xf32>
}

// OPEN-LEFT: result 1: 1x1x3xf64
// OPEN-LEFT: [0.693147, 1.09861, 1.09861]
func.func @open_left() -> (tensor<1x?x1x8xf32>, tensor<1x1x?xf32>) {
  %n = arith.constant 3 : index
  %z = call @zeros(%n) : (index) -> tensor<1x?x1x8xf32>
  %e = tensor.empty(%n) : tensor<1x?x1x8xf32>
  %s = tensor.empty(%n) : tensor<1x1x?xf32>
  %o:2 = diffattn.attention query(%z : tensor<1x?x1x8xf32>) key(%z : tensor<1x?x1x8xf32>)
      value(%z : tensor<1x?x1x8xf32>) outs(%e : tensor<1x?x1x8xf32>)
      lse(%s : tensor<1x1x?xf32>) mask<window *, 1>
  return %o#0, %o#1 : tensor<1x?x1x8xf32>, tensor<1x1x?xf32>
}

// The largest bounds that there are do not overflow.
// HUGE-WINDOW: result 1: 1x1x3xf64
// HUGE-WINDOW: [1.09861, 1.09861, 1.09861]
func.func @huge_window() -> (tensor<1x?x1x8xf32>, tensor<1x1x?xf32>) {
  %n = arith.constant 3 : index
  %z = call @zeros(%n) : (index) -> tensor<1x?x1x8xf32>
  %e = tensor.empty(%n) : tensor<1x?x1x8xf32>
  %s = tensor.empty(%n) : tensor<1x1x?xf32>
  %o:2 = diffattn.attention query(%z : tensor<1x?x1x8xf32>) key(%z : tensor<1x?x1x8xf32>)
      value(%z : tensor<1x?x1x8xf32>) outs(%e : tensor<1x?x1x8xf32>)
      lse(%s : tensor<1x1x?xf32>)
      mask<window 281474976710656, 281474976710656>
  return %o#0, %o#1 : tensor<1x?x1x8xf32>, tensor<1x1x?xf32>
}

// NO-KEYS: [0, 0, 0, 0, 0, 0, 0, 0]
// NO-KEYS: result 1: 1x1x1xf64
// NO-KEYS: [inf]
func.func @no_keys_at_all() -> (tensor<1x?x1x8xf32>, tensor<1x1x?xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %q = call @zeros(%c1) : (index) -> tensor<1x?x1x8xf32>
  %k = call @zeros(%c0) : (index) -> tensor<1x?x1x8xf32>
  %e = tensor.empty(%c1) : tensor<1x?x1x8xf32>
  %s = tensor.empty(%c1) : tensor<1x1x?xf32>
  %o:2 = diffattn.attention query(%q : tensor<1x?x1x8xf32>) key(%k : tensor<1x?x1x8xf32>)
      value(%k : tensor<1x?x1x8xf32>) outs(%e : tensor<1x?x1x8xf32>)
      lse(%s : tensor<1x1x?xf32>)
  return %o#0, %o#1 : tensor<1x?x1x8xf32>, tensor<1x1x?xf32>
}

// Both branches are the mean m of the values, so output is m (1 - sigmoid):
// rows 0 and 1 see nothing, whatever lambda is; then lambda is 0, +inf, -inf,
// NaN. The noise branch is m itself.
// LAMBDA: result 0: 1x6x1xf64
// LAMBDA: sum
// LAMBDA: [0, 0, 0.5, 0, 2, nan]
// LAMBDA: result 1
// LAMBDA: [0, 0, 1, 1.5, 2, 2.5]
// LAMBDA: result 2: 1x2x6xf64
// LAMBDA: [inf, inf, 0, 0.693147, 1.09861, 1.38629, inf, inf, 0, 0.693147, 1.09861, 1.38629]
func.func @special_lambda() -> (tensor<1x6x1xf32>, tensor<1x6x1xf32>, tensor<1x2x6xf32>) {
  %zero = arith.constant 0.0 : f32
  %c4 = arith.constant 4 : index
  %q = tensor.splat %zero : tensor<1x6x2x8xf32>
  %k = tensor.splat %zero : tensor<1x4x1x8xf32>
  %dynamic = call @counting(%c4) : (index) -> tensor<1x?x1x8xf32>
  %v = tensor.cast %dynamic : tensor<1x?x1x8xf32> to tensor<1x4x1x8xf32>
  %lambda = arith.constant dense<[[[0x7FC00000], [1.0], [0.0], [0x7F800000], [0xFF800000], [0x7FC00000]]]> : tensor<1x6x1xf32>
  %e = tensor.empty() : tensor<1x6x1x8xf32>
  %s = tensor.empty() : tensor<1x2x6xf32>
  %o:3 = diffattn.attention query(%q : tensor<1x6x2x8xf32>) key(%k : tensor<1x4x1x8xf32>)
      value(%v : tensor<1x4x1x8xf32>) lambda(%lambda : tensor<1x6x1xf32>)
      outs(%e : tensor<1x6x1x8xf32>) lse(%s : tensor<1x2x6xf32>)
      noise(%e : tensor<1x6x1x8xf32>) mask<causal>
  %column = tensor.extract_slice %o#0[0, 0, 0, 3] [1, 6, 1, 1] [1, 1, 1, 1] : tensor<1x6x1x8xf32> to tensor<1x6x1xf32>
  %noise = tensor.extract_slice %o#2[0, 0, 0, 3] [1, 6, 1, 1] [1, 1, 1, 1] : tensor<1x6x1x8xf32> to tensor<1x6x1xf32>
  return %column, %noise, %o#1 : tensor<1x6x1xf32>, tensor<1x6x1xf32>, tensor<1x2x6xf32>
}

// A NaN in a value reaches the rows that see it, and no other.
// HIDDEN-NAN: [1, 1, 1, 1, 1, 1, 1, 1, nan, nan, nan, nan, nan, nan, nan, nan]
func.func @hidden_nan() -> tensor<1x2x1x8xf32> {
  %zero = arith.constant 0.0 : f32
  %one = arith.constant 1.0 : f32
  %nan = arith.constant 0x7FC00000 : f32
  %q = tensor.splat %zero : tensor<1x2x1x8xf32>
  %v0 = tensor.splat %one : tensor<1x1x1x8xf32>
  %v1 = tensor.splat %nan : tensor<1x1x1x8xf32>
  %v = tensor.concat dim(1) %v0, %v1 : (tensor<1x1x1x8xf32>, tensor<1x1x1x8xf32>) -> tensor<1x2x1x8xf32>
  %e = tensor.empty() : tensor<1x2x1x8xf32>
  %o = diffattn.attention query(%q : tensor<1x2x1x8xf32>) key(%q : tensor<1x2x1x8xf32>)
      value(%v : tensor<1x2x1x8xf32>) outs(%e : tensor<1x2x1x8xf32>) mask<causal>
  return %o : tensor<1x2x1x8xf32>
}

// One key of score 8 * 0.25 = 2: the log-sum-exp is 2 tanh(2 / 2).
// SOFTCAP: result 1
// SOFTCAP: [1.52319]
func.func @softcap() -> (tensor<1x1x1x8xf32>, tensor<1x1x1xf32>) {
  %one = arith.constant 1.0 : f32
  %quarter = arith.constant 0.25 : f32
  %q = tensor.splat %one : tensor<1x1x1x8xf32>
  %k = tensor.splat %quarter : tensor<1x1x1x8xf32>
  %e = tensor.empty() : tensor<1x1x1x8xf32>
  %s = tensor.empty() : tensor<1x1x1xf32>
  %o:2 = diffattn.attention query(%q : tensor<1x1x1x8xf32>) key(%k : tensor<1x1x1x8xf32>)
      value(%q : tensor<1x1x1x8xf32>) outs(%e : tensor<1x1x1x8xf32>)
      lse(%s : tensor<1x1x1xf32>) scale(1.0) softcap(2.0)
  return %o#0, %o#1 : tensor<1x1x1x8xf32>, tensor<1x1x1xf32>
}

// Scores of +-8e5 neither overflow nor underflow to 0/0. Default scale.
// LARGE: [2, 2, 2, 2, 2, 2, 2, 2]
// LARGE: [282843]
func.func @large_logits() -> (tensor<1x1x1x8xf32>, tensor<1x1x1xf32>) {
  %one = arith.constant 1.0 : f32
  %q = tensor.splat %one : tensor<1x1x1x8xf32>
  %low = arith.constant dense<-1.0e5> : tensor<1x1x1x8xf32>
  %high = arith.constant dense<1.0e5> : tensor<1x1x1x8xf32>
  %k = tensor.concat dim(1) %low, %high : (tensor<1x1x1x8xf32>, tensor<1x1x1x8xf32>) -> tensor<1x2x1x8xf32>
  %c2 = arith.constant 2 : index
  %dynamic = call @counting(%c2) : (index) -> tensor<1x?x1x8xf32>
  %v = tensor.cast %dynamic : tensor<1x?x1x8xf32> to tensor<1x2x1x8xf32>
  %e = tensor.empty() : tensor<1x1x1x8xf32>
  %s = tensor.empty() : tensor<1x1x1xf32>
  %o:2 = diffattn.attention query(%q : tensor<1x1x1x8xf32>) key(%k : tensor<1x2x1x8xf32>)
      value(%v : tensor<1x2x1x8xf32>) outs(%e : tensor<1x1x1x8xf32>)
      lse(%s : tensor<1x1x1xf32>)
  return %o#0, %o#1 : tensor<1x1x1x8xf32>, tensor<1x1x1xf32>
}
