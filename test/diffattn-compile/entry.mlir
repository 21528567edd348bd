// Which function is called from outside, and what happens to the others.

// RUN: not diffattn-compile %s 2>&1 | FileCheck %s --check-prefix=AMBIGUOUS
// RUN: not diffattn-compile %s --entry=missing 2>&1 \
// RUN:   | FileCheck %s --check-prefix=MISSING
// RUN: not diffattn-compile %s --entry=declared 2>&1 \
// RUN:   | FileCheck %s --check-prefix=DECLARED
// RUN: diffattn-compile %s --entry=first --emit=llvm | FileCheck %s
// RUN: diffattn-compile %s --compile-to=fused \
// RUN:   | FileCheck %s --check-prefix=LIBRARY
// RUN: not diffattn-compile /dev/null 2>&1 | FileCheck %s --check-prefix=EMPTY

// AMBIGUOUS: error: expected one public function with a body, or --entry=NAME; public functions: first, second
// MISSING: error: no function 'missing' with a body; public functions: first, second
// DECLARED: error: no function 'declared' with a body; public functions: first, second
// EMPTY: error: expected one public function with a body

// Only the entry point is visible: the function itself may be called `main`,
// and the other functions are not compiled at all.
// CHECK: define void @_mlir_ciface_first(
// CHECK-NOT: second
// CHECK-NOT: define {{.*}}@first

// Before the LLVM phase nothing is called from outside, so there is no entry.
// LIBRARY: func.func @first
// LIBRARY: func.func @second

func.func private @declared(tensor<4xf32>)

func.func @first(%x: tensor<4xf32>) -> tensor<4xf32> {
  return %x : tensor<4xf32>
}

func.func @second(%x: tensor<4xf32>) -> tensor<4xf32> {
  return %x : tensor<4xf32>
}
