// See ../compare.mlir.
func.func @sum(%a: tensor<?xf32>, %b: tensor<?xf32>) -> tensor<?xf32> {
  %x = arith.addf %a, %b : tensor<?xf32>
  return %x : tensor<?xf32>
}
