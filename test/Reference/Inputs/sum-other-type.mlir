// See ../compare.mlir.
func.func @sum(%a: tensor<?xf32>, %b: tensor<?xf16>) -> tensor<?xf32> {
  return %a : tensor<?xf32>
}
