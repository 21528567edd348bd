// See ../compare.mlir.
func.func @sum(%a: tensor<?xf32>, %b: tensor<?xf32>) -> tensor<?xf32> {
  %x = arith.addf %a, %a : tensor<?xf32>
  %y = arith.addf %b, %x : tensor<?xf32>
  return %y : tensor<?xf32>
}
