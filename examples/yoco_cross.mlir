// Cross attention of a YOCO model with DIFF V2: 96 query heads (48 pairs) over the
// 4 key/value heads that all cross layers share, head dimension 128, bf16, every
// key up to the diagonal. Lengths are dynamic, and queries are aligned with the
// last keys, so a prompt can be computed in chunks. Short, full size, and the last
// 64 tokens of 4096:
//
//   diffattn-compile yoco_cross.mlir --run --input=random:1 --dynamic-dim=256 \
//     --check --time
//   diffattn-compile yoco_cross.mlir --run --input=random:1 --dynamic-dim=4096 \
//     --check --time
//   diffattn-compile yoco_cross.mlir --run --input=random:1 --dynamic-dim=4096 \
//     --shape=0:1x64x96x128 --shape=3:1x64x48 --check --time

func.func @yoco_cross(
    %query: tensor<1x?x96x128xbf16>, %key: tensor<1x?x4x128xbf16>,
    %value: tensor<1x?x4x128xbf16>, %lambda: tensor<1x?x48xbf16>)
    -> tensor<1x?x48x128xbf16> {
  %c1 = arith.constant 1 : index
  %tokens = tensor.dim %query, %c1 : tensor<1x?x96x128xbf16>
  %init = tensor.empty(%tokens) : tensor<1x?x48x128xbf16>
  %out = diffattn.attention
      query(%query : tensor<1x?x96x128xbf16>)
      key(%key : tensor<1x?x4x128xbf16>)
      value(%value : tensor<1x?x4x128xbf16>)
      lambda(%lambda : tensor<1x?x48xbf16>)
      outs(%init : tensor<1x?x48x128xbf16>) mask<causal>
  return %out : tensor<1x?x48x128xbf16>
}
