// --check compares the compiled program with the float64 evaluator run on the
// input; what nobody wrote is NaN on both sides of an honest comparison, so it is
// found.

// RUN: split-file %s %t
// RUN: diffattn-compile %t/square.mlir --run --input=random:0 --check \
// RUN:   | FileCheck %s --check-prefix=PASS
// RUN: not diffattn-compile %t/square.mlir --run --input=random:0 --check \
// RUN:   --tolerance=1e-12 2>&1 | FileCheck %s --check-prefix=FAIL
// RUN: diffattn-compile %t/square.mlir --run --input=random:0 --check \
// RUN:   --tolerance=1e-6 | FileCheck %s --check-prefix=OPTION
// RUN: diffattn-compile %t/unwritten.mlir --run --input=random:0 \
// RUN:   --output=%t/unwritten.npy
// RUN: %python -c "import sys; sys.exit(open(sys.argv[1], 'rb').read()[-16:] != b'\xff' * 16)" \
// RUN:   %t/unwritten.npy

// PASS: check: result 0: max error {{.*}}, tolerance {{.*}}: ok
// FAIL: check: result 0: max error {{.*}}, tolerance 1e-12: FAILED
// FAIL: error: result 0 differs from the reference evaluator by more than the tolerance
// OPTION: tolerance 1e-06: ok

//--- square.mlir
func.func @square(%x: tensor<4x4xf32>) -> tensor<4x4xf32> {
  %zero = arith.constant 0.0 : f32
  %empty = tensor.empty() : tensor<4x4xf32>
  %init = linalg.fill ins(%zero : f32) outs(%empty : tensor<4x4xf32>)
      -> tensor<4x4xf32>
  %0 = linalg.matmul ins(%x, %x : tensor<4x4xf32>, tensor<4x4xf32>)
      outs(%init : tensor<4x4xf32>) -> tensor<4x4xf32>
  return %0 : tensor<4x4xf32>
}

//--- unwritten.mlir
func.func @unwritten(%x: tensor<4xf32>) -> tensor<8xf32> {
  %empty = tensor.empty() : tensor<8xf32>
  %0 = tensor.insert_slice %x into %empty[0] [4] [1]
      : tensor<4xf32> into tensor<8xf32>
  return %0 : tensor<8xf32>
}
