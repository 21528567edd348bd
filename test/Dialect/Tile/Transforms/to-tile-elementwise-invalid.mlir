// RUN: diffattn-opt %s --diffattn-to-tile=elementwise --verify-diagnostics

func.func @teams(%x: tensor<4xf32>) -> tensor<4xf32> {
  %0 = scf.forall (%i) in (4) shared_outs(%o = %x) -> (tensor<4xf32>) {
  } {diffattn.schedule = #diffattn.schedule<query_tile = 32, pairs = 1, key_tile = 80, warps = 4, stages = 2, teams = 2>}
  // expected-error @below {{expects a schedule without teams, whose copies move boxes, for a kernel of element-wise copies}}
  return %0 : tensor<4xf32>
}
