// The attention of a DIFF V2 layer in the shape of the paper: 16 query heads
// (8 pairs), 4 key/value heads, head dimension 128, causal, bf16, 2048 tokens.
//
//   diffattn-compile diff_v2_layer.mlir --run --input=random:1 --check --time

func.func @diff_v2_layer(
    %query: tensor<1x2048x16x128xbf16>, %key: tensor<1x2048x4x128xbf16>,
    %value: tensor<1x2048x4x128xbf16>, %lambda: tensor<1x2048x8xbf16>)
    -> tensor<1x2048x8x128xbf16> {
  %init = tensor.empty() : tensor<1x2048x8x128xbf16>
  %out = diffattn.attention
      query(%query : tensor<1x2048x16x128xbf16>)
      key(%key : tensor<1x2048x4x128xbf16>)
      value(%value : tensor<1x2048x4x128xbf16>)
      lambda(%lambda : tensor<1x2048x8xbf16>)
      outs(%init : tensor<1x2048x8x128xbf16>) mask<causal>
  return %out : tensor<1x2048x8x128xbf16>
}
