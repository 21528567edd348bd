// RUN: diffattn-opt %s | FileCheck %s
// RUN: diffattn-opt %s --mlir-print-op-generic | diffattn-opt | FileCheck %s
// RUN: diffattn-opt %s --verify-roundtrip -o /dev/null

// The operands that every differential attention has, and nothing else.
// CHECK-LABEL: func @minimal(
// CHECK-SAME:    %[[Q:[^:]*]]: tensor<1x32x4x64xf32>, %[[K:[^:]*]]: tensor<1x48x1x64xf32>,
// CHECK-SAME:    %[[V:[^:]*]]: tensor<1x48x1x64xf32>, %[[L:[^:]*]]: tensor<1x32x2xf32>,
// CHECK-SAME:    %[[O:[^:]*]]: tensor<1x32x2x64xf32>)
func.func @minimal(%q: tensor<1x32x4x64xf32>, %k: tensor<1x48x1x64xf32>,
                   %v: tensor<1x48x1x64xf32>, %l: tensor<1x32x2xf32>,
                   %o: tensor<1x32x2x64xf32>) -> tensor<1x32x2x64xf32> {
  // CHECK: %[[R:.*]] = diffattn.attention query(%[[Q]] : tensor<1x32x4x64xf32>)
  // CHECK-SAME: key(%[[K]] : tensor<1x48x1x64xf32>) value(%[[V]] : tensor<1x48x1x64xf32>)
  // CHECK-SAME: lambda(%[[L]] : tensor<1x32x2xf32>) outs(%[[O]] : tensor<1x32x2x64xf32>){{$}}
  %r = diffattn.attention query(%q : tensor<1x32x4x64xf32>)
      key(%k : tensor<1x48x1x64xf32>) value(%v : tensor<1x48x1x64xf32>)
      lambda(%l : tensor<1x32x2xf32>) outs(%o : tensor<1x32x2x64xf32>)
  // CHECK: return %[[R]]
  return %r : tensor<1x32x2x64xf32>
}

// Without lambda every query head is an output head; their number may be odd.
// CHECK-LABEL: func @plain(
func.func @plain(%q: tensor<1x32x3x64xf32>, %k: tensor<1x48x1x64xf32>,
                 %o: tensor<1x32x3x64xf32>) -> tensor<1x32x3x64xf32> {
  // CHECK: diffattn.attention query({{.*}}) key({{.*}}) value(%{{[^)]*}})
  // CHECK-SAME: outs(%{{.*}} : tensor<1x32x3x64xf32>) mask<causal>{{$}}
  %r = diffattn.attention query(%q : tensor<1x32x3x64xf32>)
      key(%k : tensor<1x48x1x64xf32>) value(%k : tensor<1x48x1x64xf32>)
      outs(%o : tensor<1x32x3x64xf32>) mask<causal>
  return %r : tensor<1x32x3x64xf32>
}

// CHECK-LABEL: func @plain_lse(
func.func @plain_lse(%q: tensor<1x32x3x64xf32>, %k: tensor<1x48x1x64xf32>,
                     %o: tensor<1x32x3x64xf32>, %s: tensor<1x3x32xf32>)
    -> (tensor<1x32x3x64xf32>, tensor<1x3x32xf32>) {
  // CHECK: %[[R:.*]]:2 = diffattn.attention
  // CHECK-SAME: outs(%{{.*}} : tensor<1x32x3x64xf32>) lse(%{{.*}} : tensor<1x3x32xf32>){{$}}
  %r:2 = diffattn.attention query(%q : tensor<1x32x3x64xf32>)
      key(%k : tensor<1x48x1x64xf32>) value(%k : tensor<1x48x1x64xf32>)
      outs(%o : tensor<1x32x3x64xf32>) lse(%s : tensor<1x3x32xf32>)
  // CHECK: return %[[R]]#0, %[[R]]#1
  return %r#0, %r#1 : tensor<1x32x3x64xf32>, tensor<1x3x32xf32>
}

// CHECK-LABEL: func @lse(
func.func @lse(%q: tensor<1x32x4x64xf32>, %k: tensor<1x48x1x64xf32>,
               %l: tensor<1x32x2xf32>, %o: tensor<1x32x2x64xf32>,
               %s: tensor<1x4x32xf32>)
    -> (tensor<1x32x2x64xf32>, tensor<1x4x32xf32>) {
  // CHECK: %[[R:.*]]:2 = diffattn.attention
  // CHECK-SAME: lse(%{{.*}} : tensor<1x4x32xf32>){{$}}
  %r:2 = diffattn.attention query(%q : tensor<1x32x4x64xf32>)
      key(%k : tensor<1x48x1x64xf32>) value(%k : tensor<1x48x1x64xf32>)
      lambda(%l : tensor<1x32x2xf32>) outs(%o : tensor<1x32x2x64xf32>)
      lse(%s : tensor<1x4x32xf32>)
  // CHECK: return %[[R]]#0, %[[R]]#1
  return %r#0, %r#1 : tensor<1x32x2x64xf32>, tensor<1x4x32xf32>
}

// Noise without lse is the second result, not the third.
// CHECK-LABEL: func @noise(
func.func @noise(%q: tensor<1x32x4x64xf32>, %k: tensor<1x48x1x64xf32>,
                 %l: tensor<1x32x2xf32>, %o: tensor<1x32x2x64xf32>,
                 %n: tensor<1x32x2x64xf16>)
    -> (tensor<1x32x2x64xf32>, tensor<1x32x2x64xf16>) {
  // CHECK: %[[R:.*]]:2 = diffattn.attention
  // CHECK-SAME: noise(%{{.*}} : tensor<1x32x2x64xf16>){{$}}
  %r:2 = diffattn.attention query(%q : tensor<1x32x4x64xf32>)
      key(%k : tensor<1x48x1x64xf32>) value(%k : tensor<1x48x1x64xf32>)
      lambda(%l : tensor<1x32x2xf32>) outs(%o : tensor<1x32x2x64xf32>)
      noise(%n : tensor<1x32x2x64xf16>)
  // CHECK: return %[[R]]#0, %[[R]]#1
  return %r#0, %r#1 : tensor<1x32x2x64xf32>, tensor<1x32x2x64xf16>
}

// All operands and attributes; dv != d, and outputs of types of their own.
// CHECK-LABEL: func @everything(
func.func @everything(%q: tensor<?x?x12x192xbf16>, %k: tensor<?x?x3x192xbf16>,
                      %v: tensor<?x?x3x128xbf16>, %l: tensor<?x?x6xf16>,
                      %o: tensor<?x?x6x128xf32>, %s: tensor<?x12x?xf32>,
                      %n: tensor<?x?x6x128xbf16>)
    -> (tensor<?x?x6x128xf32>, tensor<?x12x?xf32>, tensor<?x?x6x128xbf16>) {
  // CHECK: %[[R:.*]]:3 = diffattn.attention query(%{{.*}} : tensor<?x?x12x192xbf16>)
  // CHECK-SAME: key(%{{.*}} : tensor<?x?x3x192xbf16>) value(%{{.*}} : tensor<?x?x3x128xbf16>)
  // CHECK-SAME: lambda(%{{.*}} : tensor<?x?x6xf16>) outs(%{{.*}} : tensor<?x?x6x128xf32>)
  // CHECK-SAME: lse(%{{.*}} : tensor<?x12x?xf32>) noise(%{{.*}} : tensor<?x?x6x128xbf16>)
  // CHECK-SAME: mask<window 511, 0> scale(1.250000e-01) softcap(3.000000e+01)
  // CHECK-SAME: schedule<query_tile = 32, pairs = 2, key_tile = 64> {note = "kept"}
  %r:3 = diffattn.attention query(%q : tensor<?x?x12x192xbf16>)
      key(%k : tensor<?x?x3x192xbf16>) value(%v : tensor<?x?x3x128xbf16>)
      lambda(%l : tensor<?x?x6xf16>) outs(%o : tensor<?x?x6x128xf32>)
      lse(%s : tensor<?x12x?xf32>) noise(%n : tensor<?x?x6x128xbf16>)
      mask<window 511, 0> scale(0.125) softcap(30.0)
      schedule<query_tile = 32, pairs = 2, key_tile = 64> {note = "kept"}
  // CHECK: return %[[R]]#0, %[[R]]#1, %[[R]]#2
  return %r#0, %r#1, %r#2
      : tensor<?x?x6x128xf32>, tensor<?x12x?xf32>, tensor<?x?x6x128xbf16>
}

// A length may be static on one operand and dynamic on another.
// CHECK-LABEL: func @mixed_lengths(
func.func @mixed_lengths(%q: tensor<2x?x2x8xf16>, %k: tensor<?x7x1x8xf16>,
                         %v: tensor<2x?x1x8xf16>, %l: tensor<?x?x1xbf16>,
                         %o: tensor<?x5x1x8xf16>) -> tensor<?x5x1x8xf16> {
  // CHECK: diffattn.attention query(%{{.*}} : tensor<2x?x2x8xf16>) key(%{{.*}} : tensor<?x7x1x8xf16>)
  %r = diffattn.attention query(%q : tensor<2x?x2x8xf16>)
      key(%k : tensor<?x7x1x8xf16>) value(%v : tensor<2x?x1x8xf16>)
      lambda(%l : tensor<?x?x1xbf16>) outs(%o : tensor<?x5x1x8xf16>)
  return %r : tensor<?x5x1x8xf16>
}

// An empty batch, no rows and no keys are legal: there is nothing to do.
// CHECK-LABEL: func @empty(
func.func @empty(%q: tensor<0x0x2x8xf32>, %k: tensor<0x0x1x8xf32>,
                 %l: tensor<0x0x1xf32>,
                 %o: tensor<0x0x1x8xf32>) -> tensor<0x0x1x8xf32> {
  // CHECK: diffattn.attention query(%{{.*}} : tensor<0x0x2x8xf32>)
  %r = diffattn.attention query(%q : tensor<0x0x2x8xf32>)
      key(%k : tensor<0x0x1x8xf32>) value(%k : tensor<0x0x1x8xf32>)
      lambda(%l : tensor<0x0x1xf32>) outs(%o : tensor<0x0x1x8xf32>)
  return %r : tensor<0x0x1x8xf32>
}
