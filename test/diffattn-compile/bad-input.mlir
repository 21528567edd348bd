// Bad input of any sort: one diagnostic, exit status 1, no output file.

// RUN: split-file %s %t
// RUN: not diffattn-compile %t/missing.mlir -o %t/out 2>&1 \
// RUN:   | FileCheck %s --check-prefix=MISSING
// RUN: not diffattn-compile %t/syntax.mlir -o %t/out 2>&1 \
// RUN:   | FileCheck %s --check-prefix=SYNTAX
// RUN: not diffattn-compile %t/unverified.mlir -o %t/out 2>&1 \
// RUN:   | FileCheck %s --check-prefix=UNVERIFIED
// RUN: not diffattn-compile %t/attention.mlir -o %t/out 2>&1 \
// RUN:   | FileCheck %s --check-prefix=ATTENTION
// RUN: not diffattn-compile %t/dialect.mlir -o %t/out 2>&1 \
// RUN:   | FileCheck %s --check-prefix=DIALECT
// RUN: not diffattn-compile %t/phase.mlir --compile-from=vector --emit=llvm \
// RUN:   -o %t/out 2>&1 | FileCheck %s --check-prefix=PHASE
// RUN: not diffattn-compile %t/unlinked.mlir --run --input=random:0 2>&1 \
// RUN:   | FileCheck %s --check-prefix=UNLINKED
// RUN: not ls %t/out

// MISSING: diffattn-compile: error: cannot read '{{.*}}missing.mlir': No such file or directory
// SYNTAX: syntax.mlir:2:{{[0-9]+}}: error: use of undeclared SSA value name
// SYNTAX-NOT: error
// UNVERIFIED: unverified.mlir:2:{{[0-9]+}}: error: type of return operand 0 ('tensor<4xf32>') doesn't match function result type ('tensor<5xf32>') in function @f
// UNVERIFIED-NOT: error
// ATTENTION: attention.mlir:{{[0-9]+}}:{{[0-9]+}}: error: 'diffattn.attention' op
// ATTENTION-NOT: error:
// DIALECT: error: {{.*}}unregistered
// PHASE: phase.mlir:1:{{[0-9]+}}: error: cannot be converted to LLVM IR
// UNLINKED: error: cannot link the program: Symbols not found: [ elsewhere ]
// UNLINKED-NOT: error

//--- syntax.mlir
func.func @f(%x: tensor<4xf32>) -> tensor<4xf32> {
  return %y : tensor<4xf32>
}

//--- unverified.mlir
func.func @f(%x: tensor<4xf32>) -> tensor<5xf32> {
  return %x : tensor<4xf32>
}

//--- attention.mlir
func.func @f(%q: tensor<1x8x3x8xf32>, %k: tensor<1x8x1x8xf32>,
             %l: tensor<1x8x1xf32>, %o: tensor<1x8x1x8xf32>)
    -> tensor<1x8x1x8xf32> {
  %0 = diffattn.attention query(%q : tensor<1x8x3x8xf32>)
      key(%k : tensor<1x8x1x8xf32>) value(%k : tensor<1x8x1x8xf32>)
      lambda(%l : tensor<1x8x1xf32>) outs(%o : tensor<1x8x1x8xf32>)
  return %0 : tensor<1x8x1x8xf32>
}

//--- dialect.mlir
func.func @f(%x: tensor<4xf32>) -> tensor<4xf32> {
  %0 = "tosa.abs"(%x) : (tensor<4xf32>) -> tensor<4xf32>
  return %0 : tensor<4xf32>
}

//--- phase.mlir
func.func @f(%x: tensor<4xf32>) -> tensor<4xf32> {
  return %x : tensor<4xf32>
}

//--- unlinked.mlir
func.func private @elsewhere(tensor<4xf32>) -> tensor<4xf32>
func.func @f(%x: tensor<4xf32>) -> tensor<4xf32> {
  %0 = call @elsewhere(%x) : (tensor<4xf32>) -> tensor<4xf32>
  return %0 : tensor<4xf32>
}
