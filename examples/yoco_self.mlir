// Self attention of a YOCO model with DIFF V2: 48 query heads (24 pairs), 4
// key/value heads, head dimension 128, bf16. Every query sees itself and the 512
// keys before it, a window of 513 keys. Lengths are dynamic: one compiled program
// serves all of them, a short prompt and a full-size one alike:
//
//   diffattn-compile yoco_self.mlir --run --input=random:1 --dynamic-dim=640 \
//     --check --time
//   diffattn-compile yoco_self.mlir --run --input=random:1 --dynamic-dim=16384 \
//     --check --time

func.func @yoco_self(
    %query: tensor<1x?x48x128xbf16>, %key: tensor<1x?x4x128xbf16>,
    %value: tensor<1x?x4x128xbf16>, %lambda: tensor<1x?x24xbf16>)
    -> tensor<1x?x24x128xbf16> {
  %c1 = arith.constant 1 : index
  %tokens = tensor.dim %query, %c1 : tensor<1x?x48x128xbf16>
  %init = tensor.empty(%tokens) : tensor<1x?x24x128xbf16>
  %out = diffattn.attention
      query(%query : tensor<1x?x48x128xbf16>)
      key(%key : tensor<1x?x4x128xbf16>)
      value(%value : tensor<1x?x4x128xbf16>)
      lambda(%lambda : tensor<1x?x24xbf16>)
      outs(%init : tensor<1x?x24x128xbf16>) mask<window 512, 0>
  return %out : tensor<1x?x24x128xbf16>
}
