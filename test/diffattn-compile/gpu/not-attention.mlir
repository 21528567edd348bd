// A GPU kernel computes one attention and nothing else: one diagnostic.

// RUN: split-file %s %t
// RUN: not diffattn-compile %t/none.mlir --target=sm_80 --emit=ptx 2>&1 | FileCheck %s --check-prefix=NONE --implicit-check-not=error:
// RUN: not diffattn-compile %t/two.mlir --target=sm_80 --emit=ptx 2>&1 | FileCheck %s --check-prefix=TWO --implicit-check-not=error:
// RUN: not diffattn-compile %t/before.mlir --target=sm_80 --emit=ptx 2>&1 | FileCheck %s --check-prefix=BEFORE --implicit-check-not=error:
// RUN: not diffattn-compile %t/after.mlir --target=sm_80 --emit=ptx 2>&1 | FileCheck %s --check-prefix=AFTER --implicit-check-not=error:

// NONE: error: expects attention to compile for a GPU, but function 'none' has none
// TWO: error: a GPU kernel computes one attention, but this is the second of function 'two'; split the function
// BEFORE: error: a GPU kernel computes attention only, but function 'before' contains
// AFTER: error: expects a result of attention in function 'after', but result 0 is computed otherwise; a GPU kernel computes attention only

//--- none.mlir
func.func @none(%x: tensor<4xf32>) -> tensor<4xf32> {
  return %x : tensor<4xf32>
}

//--- two.mlir
func.func @two(%q: tensor<1x?x4x64xf16>, %k: tensor<1x?x2x64xf16>,
               %v: tensor<1x?x2x64xf16>, %a: tensor<1x?x4x64xf16>,
               %b: tensor<1x?x4x64xf16>)
    -> (tensor<1x?x4x64xf16>, tensor<1x?x4x64xf16>) {
  %r = diffattn.attention
      query(%q : tensor<1x?x4x64xf16>) key(%k : tensor<1x?x2x64xf16>)
      value(%v : tensor<1x?x2x64xf16>) outs(%a : tensor<1x?x4x64xf16>)
  %s = diffattn.attention
      query(%q : tensor<1x?x4x64xf16>) key(%k : tensor<1x?x2x64xf16>)
      value(%v : tensor<1x?x2x64xf16>) outs(%b : tensor<1x?x4x64xf16>)
      mask<causal>
  return %r, %s : tensor<1x?x4x64xf16>, tensor<1x?x4x64xf16>
}

//--- before.mlir
func.func @before(%q: tensor<1x64x4x64xf16>, %k: tensor<1x?x2x64xf16>,
                  %v: tensor<1x?x2x64xf16>, %a: tensor<1x64x4x64xf16>)
    -> tensor<1x64x4x64xf16> {
  %empty = tensor.empty() : tensor<1x64x4x64xf16>
  %twice = linalg.add ins(%q, %q : tensor<1x64x4x64xf16>, tensor<1x64x4x64xf16>)
      outs(%empty : tensor<1x64x4x64xf16>) -> tensor<1x64x4x64xf16>
  %r = diffattn.attention
      query(%twice : tensor<1x64x4x64xf16>) key(%k : tensor<1x?x2x64xf16>)
      value(%v : tensor<1x?x2x64xf16>) outs(%a : tensor<1x64x4x64xf16>)
  return %r : tensor<1x64x4x64xf16>
}

//--- after.mlir
func.func @after(%q: tensor<1x64x4x64xf16>, %k: tensor<1x?x2x64xf16>,
                 %v: tensor<1x?x2x64xf16>, %a: tensor<1x64x4x64xf16>)
    -> tensor<1x64x4x64xf16> {
  %r = diffattn.attention
      query(%q : tensor<1x64x4x64xf16>) key(%k : tensor<1x?x2x64xf16>)
      value(%v : tensor<1x?x2x64xf16>) outs(%a : tensor<1x64x4x64xf16>)
  %empty = tensor.empty() : tensor<1x64x4x64xf16>
  %twice = linalg.add ins(%r, %r : tensor<1x64x4x64xf16>, tensor<1x64x4x64xf16>)
      outs(%empty : tensor<1x64x4x64xf16>) -> tensor<1x64x4x64xf16>
  return %twice : tensor<1x64x4x64xf16>
}
