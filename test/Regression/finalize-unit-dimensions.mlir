// A rank-reducing slice could not tell the branch dimension from other unit
// dimensions of a strided buffer, and the vector lowering crashed on the result.
// RUN: diffattn-opt %s --diffattn-cpu-pipeline=target=cpu-avx2 | FileCheck %s

// CHECK: llvm.func @unit_dimensions
func.func @unit_dimensions(%acc: tensor<1x?x1x1x1x64xf32>, %max: tensor<1x?x1x1x1xf32>, %sum: tensor<1x?x1x1x1xf32>, %out: tensor<1x?x1x1x64xf32>, %m0: index, %nq: index, %k0: index, %nk: index) -> (tensor<1x?x1x1x64xf32>) {
  %r:1 = diffattn.finalize acc(%acc, %max, %sum : tensor<1x?x1x1x1x64xf32>, tensor<1x?x1x1x1xf32>, tensor<1x?x1x1x1xf32>) outs(%out : tensor<1x?x1x1x64xf32>) at(%m0 of %nq, %nk) maps [affine_map<(a, b, c, d, e, f) -> (a, e, b, c, d, f)>, affine_map<(a, b, c, d, e, f) -> (a, e, b, c, d)>, affine_map<(a, b, c, d, e, f) -> (a, e, b, c, d)>, affine_map<(a, b, c, d, e, f) -> (a, e, b, c)>, affine_map<(a, b, c, d, e, f) -> (a, e, b, c, f)>, affine_map<(a, b, c, d, e, f) -> (a, b, c, d, e)>, affine_map<(a, b, c, d, e, f) -> (a, e, b, c, f)>]
  return %r#0 : tensor<1x?x1x1x64xf32>
}
