// The comparison of two files, and results and inputs in files.

// RUN: rm -rf %t && mkdir %t
// RUN: diffattn-eval %s --entry=sum --compare=%S/Inputs/sum-reordered.mlir --input=random:1 --dynamic-dim=20 | FileCheck %s --check-prefix=SAME
// RUN: not diffattn-eval %s --entry=sum --compare=%S/Inputs/sum-wrong.mlir --input=random:1 --dynamic-dim=20 2>&1 | FileCheck %s --check-prefix=WRONG
// RUN: diffattn-eval %s --entry=sum --compare=%S/Inputs/sum-wrong.mlir --input=random:1 --dynamic-dim=20 --tolerance=10
// RUN: not diffattn-eval %s --entry=sum --compare=%S/Inputs/sum-other-type.mlir --input=random:1 --dynamic-dim=20 2>&1 | FileCheck %s --check-prefix=TYPE
// RUN: not diffattn-eval %s --entry=sum --compare=%S/Inputs/no-such.mlir --input=random:1 --dynamic-dim=20 2>&1 | FileCheck %s --check-prefix=MISSING

// SAME: result 0 agrees: max error {{.*}} over 20 elements
// WRONG: diffattn-eval: error: result 0 differs: max error {{.*}} worst at [{{[0-9]+}}]
// TYPE: diffattn-eval: error: argument 1 expects tensor<?xf16>, but got 20xf32
// MISSING: diffattn-eval: error: cannot open input file '{{.*}}no-such.mlir': No such file or directory

// A result, as f64, is an argument again; bf16 and index round-trip, too.
// RUN: diffattn-eval %s --entry=store --input=random:7 --output=%t/a.npy --output=%t/b.npy
// RUN: diffattn-eval %s --entry=load --input=%t/a.npy --input=%t/b.npy | FileCheck %s --check-prefix=LOAD
// RUN: not diffattn-eval %s --entry=load --input=%t/b.npy --input=%t/a.npy 2>&1 | FileCheck %s --check-prefix=SWAPPED
// RUN: not diffattn-eval %s --entry=store --input=random:7 --output=%t/c.npy 2>&1 | FileCheck %s --check-prefix=COUNT
// RUN: not diffattn-eval %s --entry=store --input=random:7 --output=%t/c.npy --output=%t/no/d.npy
// RUN: not ls %t/no

// LOAD: result 0: 2x3xf64
// LOAD-NEXT: sum 0, absolute 0
// SWAPPED: diffattn-eval: error: '{{.*}}b.npy': expected element type f64 ('<f8'), but found '<i8'
// COUNT: diffattn-eval: error: expected one --output for each of 2 results, but got 1

func.func @sum(%a: tensor<?xf32>, %b: tensor<?xf32>) -> tensor<?xf32> {
  %x = arith.addf %a, %b : tensor<?xf32>
  %y = arith.addf %x, %a : tensor<?xf32>
  return %y : tensor<?xf32>
}

func.func @store(%a: tensor<2x3xbf16>) -> (tensor<2x3xbf16>, index) {
  %c5 = arith.constant 5 : index
  return %a, %c5 : tensor<2x3xbf16>, index
}

func.func @load(%a: tensor<2x3xf64>, %i: index) -> tensor<2x3xf64> {
  %x = arith.subf %a, %a : tensor<2x3xf64>
  return %x : tensor<2x3xf64>
}
