// RUN: diffattn-opt %s --canonicalize --cse | FileCheck %s

// mask<none> says what no mask says.
// CHECK-LABEL: func @drop_mask_none(
func.func @drop_mask_none(%q: tensor<1x4x2x16xf32>, %k: tensor<1x4x1x16xf32>,
                          %l: tensor<1x4x1xf32>,
                          %o: tensor<1x4x1x16xf32>) -> tensor<1x4x1x16xf32> {
  // CHECK: diffattn.attention
  // CHECK-SAME: outs(%{{.*}} : tensor<1x4x1x16xf32>){{$}}
  %r = diffattn.attention query(%q : tensor<1x4x2x16xf32>)
      key(%k : tensor<1x4x1x16xf32>) value(%k : tensor<1x4x1x16xf32>)
      lambda(%l : tensor<1x4x1xf32>) outs(%o : tensor<1x4x1x16xf32>) mask<none>
  return %r : tensor<1x4x1x16xf32>
}

// 0.25 is 1/sqrt(16), exactly.
// CHECK-LABEL: func @drop_default_scale(
func.func @drop_default_scale(%q: tensor<1x4x2x16xf32>, %k: tensor<1x4x1x16xf32>,
                              %l: tensor<1x4x1xf32>,
                              %o: tensor<1x4x1x16xf32>) -> tensor<1x4x1x16xf32> {
  // CHECK: diffattn.attention
  // CHECK-SAME: mask<causal>{{$}}
  %r = diffattn.attention query(%q : tensor<1x4x2x16xf32>)
      key(%k : tensor<1x4x1x16xf32>) value(%k : tensor<1x4x1x16xf32>)
      lambda(%l : tensor<1x4x1xf32>) outs(%o : tensor<1x4x1x16xf32>)
      mask<causal> scale(0.25)
  return %r : tensor<1x4x1x16xf32>
}

// Nearly the default is not the default.
// CHECK-LABEL: func @keep_scale(
func.func @keep_scale(%q: tensor<1x4x2x16xf32>, %k: tensor<1x4x1x16xf32>,
                      %l: tensor<1x4x1xf32>,
                      %o: tensor<1x4x1x16xf32>) -> tensor<1x4x1x16xf32> {
  // CHECK: diffattn.attention
  // CHECK-SAME: scale(0.2500001)
  %r = diffattn.attention query(%q : tensor<1x4x2x16xf32>)
      key(%k : tensor<1x4x1x16xf32>) value(%k : tensor<1x4x1x16xf32>)
      lambda(%l : tensor<1x4x1xf32>) outs(%o : tensor<1x4x1x16xf32>) scale(0.2500001)
  return %r : tensor<1x4x1x16xf32>
}

//===----------------------------------------------------------------------===//
// Window bounds that hide nothing: 4 rows, 6 keys
//===----------------------------------------------------------------------===//

// The last row sits at position 5 and sees key 0 from there.
// CHECK-LABEL: func @drop_left_bound(
func.func @drop_left_bound(%q: tensor<1x4x2x16xf32>, %k: tensor<1x6x1x16xf32>,
                           %l: tensor<1x4x1xf32>,
                           %o: tensor<1x4x1x16xf32>) -> tensor<1x4x1x16xf32> {
  // CHECK: diffattn.attention
  // CHECK-SAME: mask<causal>
  %r = diffattn.attention query(%q : tensor<1x4x2x16xf32>)
      key(%k : tensor<1x6x1x16xf32>) value(%k : tensor<1x6x1x16xf32>)
      lambda(%l : tensor<1x4x1xf32>) outs(%o : tensor<1x4x1x16xf32>) mask<window 5, 0>
  return %r : tensor<1x4x1x16xf32>
}

// CHECK-LABEL: func @keep_left_bound(
func.func @keep_left_bound(%q: tensor<1x4x2x16xf32>, %k: tensor<1x6x1x16xf32>,
                           %l: tensor<1x4x1xf32>,
                           %o: tensor<1x4x1x16xf32>) -> tensor<1x4x1x16xf32> {
  // CHECK: diffattn.attention
  // CHECK-SAME: mask<window 4, 0>
  %r = diffattn.attention query(%q : tensor<1x4x2x16xf32>)
      key(%k : tensor<1x6x1x16xf32>) value(%k : tensor<1x6x1x16xf32>)
      lambda(%l : tensor<1x4x1xf32>) outs(%o : tensor<1x4x1x16xf32>) mask<window 4, 0>
  return %r : tensor<1x4x1x16xf32>
}

// The first row sits at position 2 and sees key 5 from there.
// CHECK-LABEL: func @drop_right_bound(
func.func @drop_right_bound(%q: tensor<1x4x2x16xf32>, %k: tensor<1x6x1x16xf32>,
                            %l: tensor<1x4x1xf32>,
                            %o: tensor<1x4x1x16xf32>) -> tensor<1x4x1x16xf32> {
  // CHECK: diffattn.attention
  // CHECK-SAME: mask<window 1, *>
  %r = diffattn.attention query(%q : tensor<1x4x2x16xf32>)
      key(%k : tensor<1x6x1x16xf32>) value(%k : tensor<1x6x1x16xf32>)
      lambda(%l : tensor<1x4x1xf32>) outs(%o : tensor<1x4x1x16xf32>) mask<window 1, 3>
  return %r : tensor<1x4x1x16xf32>
}

// CHECK-LABEL: func @keep_right_bound(
func.func @keep_right_bound(%q: tensor<1x4x2x16xf32>, %k: tensor<1x6x1x16xf32>,
                            %l: tensor<1x4x1xf32>,
                            %o: tensor<1x4x1x16xf32>) -> tensor<1x4x1x16xf32> {
  // CHECK: diffattn.attention
  // CHECK-SAME: mask<window 1, 2>
  %r = diffattn.attention query(%q : tensor<1x4x2x16xf32>)
      key(%k : tensor<1x6x1x16xf32>) value(%k : tensor<1x6x1x16xf32>)
      lambda(%l : tensor<1x4x1xf32>) outs(%o : tensor<1x4x1x16xf32>) mask<window 1, 2>
  return %r : tensor<1x4x1x16xf32>
}

// One row is causal whatever is written: decode needs no mask.
// CHECK-LABEL: func @drop_causal_of_one_row(
func.func @drop_causal_of_one_row(%q: tensor<1x1x2x16xf32>, %k: tensor<1x?x1x16xf32>,
                                  %l: tensor<1x1x1xf32>,
                                  %o: tensor<1x1x1x16xf32>) -> tensor<1x1x1x16xf32> {
  // CHECK: diffattn.attention
  // CHECK-SAME: outs(%{{.*}} : tensor<1x1x1x16xf32>){{$}}
  %r = diffattn.attention query(%q : tensor<1x1x2x16xf32>)
      key(%k : tensor<1x?x1x16xf32>) value(%k : tensor<1x?x1x16xf32>)
      lambda(%l : tensor<1x1x1xf32>) outs(%o : tensor<1x1x1x16xf32>) mask<causal>
  return %r : tensor<1x1x1x16xf32>
}

// CHECK-LABEL: func @keep_bounds_of_dynamic_lengths(
func.func @keep_bounds_of_dynamic_lengths(%q: tensor<1x?x2x16xf32>,
    %k: tensor<1x?x1x16xf32>, %l: tensor<1x?x1xf32>,
    %o: tensor<1x?x1x16xf32>) -> tensor<1x?x1x16xf32> {
  // CHECK: diffattn.attention
  // CHECK-SAME: mask<window 1000000, 1000000>
  %r = diffattn.attention query(%q : tensor<1x?x2x16xf32>)
      key(%k : tensor<1x?x1x16xf32>) value(%k : tensor<1x?x1x16xf32>)
      lambda(%l : tensor<1x?x1xf32>) outs(%o : tensor<1x?x1x16xf32>)
      mask<window 1000000, 1000000>
  return %r : tensor<1x?x1x16xf32>
}

//===----------------------------------------------------------------------===//
// Optional results
//===----------------------------------------------------------------------===//

// CHECK-LABEL: func @drop_unused_lse(
// CHECK-SAME:    %[[N:[^:]*]]: tensor<1x4x1x16xf16>)
func.func @drop_unused_lse(%q: tensor<1x4x2x16xf32>, %k: tensor<1x4x1x16xf32>,
                           %l: tensor<1x4x1xf32>, %o: tensor<1x4x1x16xf32>,
                           %s: tensor<1x2x4xf32>, %n: tensor<1x4x1x16xf16>)
    -> (tensor<1x4x1x16xf32>, tensor<1x4x1x16xf16>) {
  // CHECK: %[[R:.*]]:2 = diffattn.attention
  // CHECK-NOT: lse
  // CHECK-SAME: noise(%[[N]] : {{.*}}) softcap(3.000000e+01) schedule<{{.*}}> {note}
  %r:3 = diffattn.attention query(%q : tensor<1x4x2x16xf32>)
      key(%k : tensor<1x4x1x16xf32>) value(%k : tensor<1x4x1x16xf32>)
      lambda(%l : tensor<1x4x1xf32>) outs(%o : tensor<1x4x1x16xf32>)
      lse(%s : tensor<1x2x4xf32>) noise(%n : tensor<1x4x1x16xf16>) softcap(30.0)
      schedule<query_tile = 4, pairs = 1, key_tile = 8> {note}
  // CHECK: return %[[R]]#0, %[[R]]#1
  return %r#0, %r#2 : tensor<1x4x1x16xf32>, tensor<1x4x1x16xf16>
}

// CHECK-LABEL: func @drop_unused_noise(
// CHECK-SAME:    %[[S:[^:]*]]: tensor<1x2x4xf32>,
func.func @drop_unused_noise(%q: tensor<1x4x2x16xf32>, %k: tensor<1x4x1x16xf32>,
                             %l: tensor<1x4x1xf32>, %o: tensor<1x4x1x16xf32>,
                             %s: tensor<1x2x4xf32>, %n: tensor<1x4x1x16xf16>)
    -> (tensor<1x4x1x16xf32>, tensor<1x2x4xf32>) {
  // CHECK: %[[R:.*]]:2 = diffattn.attention
  // CHECK-SAME: lse(%[[S]] : tensor<1x2x4xf32>){{$}}
  %r:3 = diffattn.attention query(%q : tensor<1x4x2x16xf32>)
      key(%k : tensor<1x4x1x16xf32>) value(%k : tensor<1x4x1x16xf32>)
      lambda(%l : tensor<1x4x1xf32>) outs(%o : tensor<1x4x1x16xf32>)
      lse(%s : tensor<1x2x4xf32>) noise(%n : tensor<1x4x1x16xf16>)
  // CHECK: return %[[R]]#0, %[[R]]#1
  return %r#0, %r#1 : tensor<1x4x1x16xf32>, tensor<1x2x4xf32>
}

// The output cannot be dropped: it is what lse is a by-product of.
// CHECK-LABEL: func @keep_unused_output(
func.func @keep_unused_output(%q: tensor<1x4x2x16xf32>, %k: tensor<1x4x1x16xf32>,
                              %l: tensor<1x4x1xf32>, %o: tensor<1x4x1x16xf32>,
                              %s: tensor<1x2x4xf32>) -> tensor<1x2x4xf32> {
  // CHECK: %[[R:.*]]:2 = diffattn.attention
  // CHECK: return %[[R]]#1
  %r:2 = diffattn.attention query(%q : tensor<1x4x2x16xf32>)
      key(%k : tensor<1x4x1x16xf32>) value(%k : tensor<1x4x1x16xf32>)
      lambda(%l : tensor<1x4x1xf32>) outs(%o : tensor<1x4x1x16xf32>)
      lse(%s : tensor<1x2x4xf32>)
  return %r#1 : tensor<1x2x4xf32>
}

//===----------------------------------------------------------------------===//
// No side effects
//===----------------------------------------------------------------------===//

// Three spellings of one op become one.
// CHECK-LABEL: func @equal_ops(
func.func @equal_ops(%q: tensor<1x4x2x16xf32>, %k: tensor<1x4x1x16xf32>,
                     %l: tensor<1x4x1xf32>, %o: tensor<1x4x1x16xf32>)
    -> (tensor<1x4x1x16xf32>, tensor<1x4x1x16xf32>, tensor<1x4x1x16xf32>) {
  // CHECK: %[[R:.*]] = diffattn.attention
  // CHECK-NOT: diffattn.attention
  %0 = diffattn.attention query(%q : tensor<1x4x2x16xf32>)
      key(%k : tensor<1x4x1x16xf32>) value(%k : tensor<1x4x1x16xf32>)
      lambda(%l : tensor<1x4x1xf32>) outs(%o : tensor<1x4x1x16xf32>)
  %1 = diffattn.attention query(%q : tensor<1x4x2x16xf32>)
      key(%k : tensor<1x4x1x16xf32>) value(%k : tensor<1x4x1x16xf32>)
      lambda(%l : tensor<1x4x1xf32>) outs(%o : tensor<1x4x1x16xf32>)
      mask<none> scale(0.25)
  %2 = diffattn.attention query(%q : tensor<1x4x2x16xf32>)
      key(%k : tensor<1x4x1x16xf32>) value(%k : tensor<1x4x1x16xf32>)
      lambda(%l : tensor<1x4x1xf32>) outs(%o : tensor<1x4x1x16xf32>)
      mask<window 3, 3>
  // CHECK: return %[[R]], %[[R]], %[[R]]
  return %0, %1, %2
      : tensor<1x4x1x16xf32>, tensor<1x4x1x16xf32>, tensor<1x4x1x16xf32>
}

// CHECK-LABEL: func @unused_op(
func.func @unused_op(%q: tensor<1x4x2x16xf32>, %k: tensor<1x4x1x16xf32>,
                     %l: tensor<1x4x1xf32>, %o: tensor<1x4x1x16xf32>) {
  // CHECK-NOT: diffattn
  %r = diffattn.attention query(%q : tensor<1x4x2x16xf32>)
      key(%k : tensor<1x4x1x16xf32>) value(%k : tensor<1x4x1x16xf32>)
      lambda(%l : tensor<1x4x1xf32>) outs(%o : tensor<1x4x1x16xf32>)
  return
}
