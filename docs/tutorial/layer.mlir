// A small DIFF V2 layer after its projections: four pairs of heads in two
// groups, causal. The lengths are known at run time only.
func.func @layer(%query: tensor<1x?x8x64xbf16>, %key: tensor<1x?x2x64xbf16>,
                 %value: tensor<1x?x2x64xbf16>, %lambda: tensor<1x?x4xbf16>)
                 -> tensor<1x?x4x64xbf16> {
  %c1 = arith.constant 1 : index
  %rows = tensor.dim %query, %c1 : tensor<1x?x8x64xbf16>
  %out = tensor.empty(%rows) : tensor<1x?x4x64xbf16>
  %0 = diffattn.attention
      query(%query : tensor<1x?x8x64xbf16>) key(%key : tensor<1x?x2x64xbf16>)
      value(%value : tensor<1x?x2x64xbf16>) lambda(%lambda : tensor<1x?x4xbf16>)
      outs(%out : tensor<1x?x4x64xbf16>) mask<causal>
      schedule<query_tile = 16, pairs = 2, key_tile = 32>
  return %0 : tensor<1x?x4x64xbf16>
}
