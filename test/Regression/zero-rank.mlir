// Ops without dimensions and products that reduce to one number have no lanes,
// and crashed the transposing lowering (found by the fuzzer) and the packing of
// pairs.
// RUN: diffattn-opt %s --diffattn-cpu-pipeline=target=cpu-amx | FileCheck %s

// CHECK: llvm.func @no_dimension
func.func @no_dimension(%a: tensor<f32>, %b: tensor<f32>) -> tensor<f32> {
  %0 = linalg.generic {indexing_maps = [affine_map<() -> ()>, affine_map<() -> ()>],
                       iterator_types = []} ins(%a : tensor<f32>) outs(%b : tensor<f32>) {
  ^bb0(%x: f32, %old: f32):
    %1 = arith.negf %x : f32
    linalg.yield %1 : f32
  } -> tensor<f32>
  return %0 : tensor<f32>
}

// CHECK: llvm.func @dot
func.func @dot(%a: tensor<64xbf16>, %b: tensor<64xbf16>, %c: tensor<f32>) -> tensor<f32> {
  %0 = linalg.generic {indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>, affine_map<(i) -> ()>],
                       iterator_types = ["reduction"]}
      ins(%a, %b : tensor<64xbf16>, tensor<64xbf16>) outs(%c : tensor<f32>) {
  ^bb0(%x: bf16, %y: bf16, %sum: f32):
    %1 = arith.extf %x : bf16 to f32
    %2 = arith.extf %y : bf16 to f32
    %3 = arith.mulf %1, %2 : f32
    %4 = arith.addf %sum, %3 : f32
    linalg.yield %4 : f32
  } -> tensor<f32>
  return %0 : tensor<f32>
}
