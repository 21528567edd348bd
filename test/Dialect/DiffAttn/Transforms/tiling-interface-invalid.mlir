// RUN: diffattn-opt %s --transform-interpreter --split-input-file --verify-diagnostics

// Rows of a window that is open to the right, or ends past the diagonal, see
// keys that a tile of rows cannot be given by cutting keys off.
module attributes {transform.with_named_sequence} {
  func.func @rows_of_window(%q: tensor<1x8x4x16xf32>, %k: tensor<1x8x1x16xf32>,
                            %l: tensor<1x8x2xf32>,
                            %o: tensor<1x8x2x16xf32>) -> tensor<1x8x2x16xf32> {
    // expected-error @below {{faild to tile operation}}
    // expected-error @below {{failed to generate tiling loops}}
    %r = diffattn.attention query(%q : tensor<1x8x4x16xf32>)
        key(%k : tensor<1x8x1x16xf32>) value(%k : tensor<1x8x1x16xf32>)
        lambda(%l : tensor<1x8x2xf32>) outs(%o : tensor<1x8x2x16xf32>)
        mask<window 3, 2>
    return %r : tensor<1x8x2x16xf32>
  }
  transform.named_sequence @__transform_main(%m: !transform.any_op {transform.readonly}) {
    %op = transform.structured.match ops{["diffattn.attention"]} in %m
        : (!transform.any_op) -> !transform.any_op
    %t, %loop = transform.structured.tile_using_for %op tile_sizes [0, 0, 0, 4]
        : (!transform.any_op) -> (!transform.any_op, !transform.any_op)
    transform.yield
  }
}

// -----

// Some pairs of two groups are not one range of heads.
module attributes {transform.with_named_sequence} {
  func.func @pairs_of_two_groups(%q: tensor<1x8x8x16xf32>, %k: tensor<1x8x2x16xf32>,
                                 %l: tensor<1x8x4xf32>,
                                 %o: tensor<1x8x4x16xf32>) -> tensor<1x8x4x16xf32> {
    // expected-error @below {{faild to tile operation}}
    // expected-error @below {{failed to generate tiling loops}}
    %r = diffattn.attention query(%q : tensor<1x8x8x16xf32>)
        key(%k : tensor<1x8x2x16xf32>) value(%k : tensor<1x8x2x16xf32>)
        lambda(%l : tensor<1x8x4xf32>) outs(%o : tensor<1x8x4x16xf32>)
    return %r : tensor<1x8x4x16xf32>
  }
  transform.named_sequence @__transform_main(%m: !transform.any_op {transform.readonly}) {
    %op = transform.structured.match ops{["diffattn.attention"]} in %m
        : (!transform.any_op) -> !transform.any_op
    %t, %loops:2 = transform.structured.tile_using_for %op tile_sizes [0, 2, 1, 0]
        : (!transform.any_op) -> (!transform.any_op, !transform.any_op, !transform.any_op)
    transform.yield
  }
}
