// What cannot be evaluated ends in one message that names the op and its place.

// RUN: not diffattn-eval %s --entry=unknown 2>&1 | FileCheck %s --check-prefix=UNKNOWN
// RUN: not diffattn-eval %s --entry=unknown_inside 2>&1 | FileCheck %s --check-prefix=INSIDE
// RUN: not diffattn-eval %s --entry=division 2>&1 | FileCheck %s --check-prefix=DIVISION
// RUN: not diffattn-eval %s --entry=assert 2>&1 | FileCheck %s --check-prefix=ASSERT
// RUN: not diffattn-eval %s --entry=slice 2>&1 | FileCheck %s --check-prefix=SLICE
// RUN: not diffattn-eval %s --entry=index 2>&1 | FileCheck %s --check-prefix=INDEX
// RUN: not diffattn-eval %s --entry=gather 2>&1 | FileCheck %s --check-prefix=GATHER
// RUN: not diffattn-eval %s --entry=sizes --input=random:1 --shape=0:3 --shape=1:4 2>&1 | FileCheck %s --check-prefix=SIZES
// RUN: not diffattn-eval %s --entry=sizes --input=random:1 --input=value:two --dynamic-dim=3 2>&1 | FileCheck %s --check-prefix=VALUE
// RUN: not diffattn-eval %s --entry=cast --input=random:1 --dynamic-dim=3 2>&1 | FileCheck %s --check-prefix=CAST
// RUN: not diffattn-eval %s --entry=huge 2>&1 | FileCheck %s --check-prefix=HUGE
// RUN: not diffattn-eval %s --entry=calls_external 2>&1 | FileCheck %s --check-prefix=EXTERNAL
// RUN: not diffattn-eval %s 2>&1 | FileCheck %s --check-prefix=AMBIGUOUS
// RUN: not diffattn-eval %s --entry=external 2>&1 | FileCheck %s --check-prefix=NO-ENTRY
// RUN: not diffattn-eval %s --entry=endless 2>&1 | FileCheck %s --check-prefix=ENDLESS
// RUN: not diffattn-eval %s --entry=attention --input=random:1 --dynamic-dim=3 --shape=1:1x5x2x8 2>&1 | FileCheck %s --check-prefix=ATTENTION
// RUN: not diffattn-eval %s --entry=memory 2>&1 | FileCheck %s --check-prefix=MEMORY
// RUN: not diffattn-eval %s --entry=complex 2>&1 | FileCheck %s --check-prefix=COMPLEX
// RUN: not diffattn-eval %s --entry=wide 2>&1 | FileCheck %s --check-prefix=WIDE
// RUN: not diffattn-eval %s --entry=overflow 2>&1 | FileCheck %s --check-prefix=OVERFLOW
// RUN: not diffattn-eval %s --entry=shifted --input=random:1 2>&1 | FileCheck %s --check-prefix=SHIFTED

// UNKNOWN: diffattn-eval: error: {{.*}}errors.mlir:[[#@LINE+3]]:8: 'vector.broadcast' op is not supported by the reference evaluator
func.func @unknown() -> f32 {
  %x = arith.constant 0.0 : f32
  %v = vector.broadcast %x : f32 to vector<4xf32>
  return %x : f32
}

// INSIDE: errors.mlir:[[#@LINE+5]]:10: 'vector.broadcast' op is not supported by the reference evaluator inside 'linalg.generic'
func.func @unknown_inside() -> tensor<2xf32> {
  %e = tensor.empty() : tensor<2xf32>
  %r = linalg.generic {indexing_maps = [affine_map<(i) -> (i)>], iterator_types = ["parallel"]} outs(%e : tensor<2xf32>) {
  ^bb0(%x: f32):
    %v = vector.broadcast %x : f32 to vector<4xf32>
    linalg.yield %x : f32
  } -> tensor<2xf32>
  return %r : tensor<2xf32>
}

// DIVISION: errors.mlir:[[#@LINE+4]]:8: 'arith.divsi' op divides by zero
func.func @division() -> i32 {
  %x = arith.constant 1 : i32
  %z = arith.constant 0 : i32
  %q = arith.divsi %x, %z : i32
  return %q : i32
}

// ASSERT: 'cf.assert' op failed: sizes differ
func.func @assert() {
  %false = arith.constant false
  cf.assert %false, "sizes differ"
  return
}

// SLICE: 'tensor.extract_slice' op is out of bounds in dimension 0: offset 2, size 3, stride 1 of 4
func.func @slice() -> tensor<?xf32> {
  %e = tensor.empty() : tensor<4xf32>
  %c2 = arith.constant 2 : index
  %c3 = arith.constant 3 : index
  %s = tensor.extract_slice %e[%c2] [%c3] [1] : tensor<4xf32> to tensor<?xf32>
  return %s : tensor<?xf32>
}

// INDEX: 'tensor.extract' op is out of bounds in dimension 0: index 4 of 4
func.func @index() -> f32 {
  %e = tensor.empty() : tensor<4xf32>
  %c4 = arith.constant 4 : index
  %x = tensor.extract %e[%c4] : tensor<4xf32>
  return %x : f32
}

// GATHER: 'tensor.extract' op reads out of bounds
func.func @gather() -> tensor<8xf32> {
  %e = tensor.empty() : tensor<8xf32>
  %table = tensor.empty() : tensor<4xf32>
  %r = linalg.generic {indexing_maps = [affine_map<(i) -> (i)>], iterator_types = ["parallel"]} outs(%e : tensor<8xf32>) {
  ^bb0(%out: f32):
    %i = linalg.index 0 : index
    %x = tensor.extract %table[%i] : tensor<4xf32>
    linalg.yield %x : f32
  } -> tensor<8xf32>
  return %r : tensor<8xf32>
}

// SIZES: 'linalg.add' op has operands that disagree on the size of iteration dimension 0: 3 and 4
func.func @sizes(%a: tensor<?xf32>, %b: tensor<?xf32>) -> tensor<?xf32> {
  %r = linalg.add ins(%a, %b : tensor<?xf32>, tensor<?xf32>) outs(%a : tensor<?xf32>) -> tensor<?xf32>
  return %r : tensor<?xf32>
}

// VALUE: --input=value:NUMBER expects a number, but got 'two'

// CAST: 'tensor.cast' op yields a tensor of shape 3 where its type has shape 4
func.func @cast(%a: tensor<?xf32>) -> tensor<4xf32> {
  %r = tensor.cast %a : tensor<?xf32> to tensor<4xf32>
  return %r : tensor<4xf32>
}

// HUGE: 'tensor.empty' op cannot be evaluated: array of shape 1048576x1048576 has more than the 2147483648 elements allowed
func.func @huge() -> tensor<1048576x1048576xf32> {
  %e = tensor.empty() : tensor<1048576x1048576xf32>
  return %e : tensor<1048576x1048576xf32>
}

// EXTERNAL: 'func.func' op has no body to evaluate
// AMBIGUOUS: expected one public function with a body, or --entry=NAME; public functions: unknown, unknown_inside, division,
// NO-ENTRY: no function 'external' with a body; public functions: unknown,
func.func private @external()
func.func @calls_external() {
  call @external() : () -> ()
  return
}

// ENDLESS: 'func.func' op is called at a depth of more than 64
func.func @endless() {
  call @endless() : () -> ()
  return
}

// ATTENTION: 'diffattn.attention' op expects value of shape 1x5x2x8, but got 1x3x2x8
func.func @attention(%q: tensor<1x?x2x8xf32>, %k: tensor<1x?x2x8xf32>, %v: tensor<1x?x2x8xf32>) -> tensor<1x?x2x8xf32> {
  %o = diffattn.attention query(%q : tensor<1x?x2x8xf32>) key(%k : tensor<1x?x2x8xf32>)
      value(%v : tensor<1x?x2x8xf32>) outs(%q : tensor<1x?x2x8xf32>)
  return %o : tensor<1x?x2x8xf32>
}

// MEMORY: 'memref.alloc' op is not supported by the reference evaluator
func.func @memory() {
  %m = memref.alloc() : memref<4xf32>
  return
}

// COMPLEX: 'tensor.empty' op is not supported by the reference evaluator on values of type 'tensor<2xcomplex<f32>>'
func.func @complex() {
  %e = tensor.empty() : tensor<2xcomplex<f32>>
  return
}

// WIDE: 'arith.constant' op is not supported by the reference evaluator on values of type 'i128'
func.func @wide() {
  %e = arith.constant 1 : i128
  return
}

// OVERFLOW: 'tensor.pad' op has padding that overflows in dimension 0
func.func @overflow() -> tensor<?xf32> {
  %x = arith.constant 0.0 : f32
  %low = arith.constant 9223372036854775807 : index
  %e = tensor.empty() : tensor<4xf32>
  %p = tensor.pad %e low[%low] high[%low] {
  ^bb0(%i: index):
    tensor.yield %x : f32
  } : tensor<4xf32> to tensor<?xf32>
  return %p : tensor<?xf32>
}

// SHIFTED: 'linalg.generic' op accesses an operand out of bounds, a dimension of size 4
func.func @shifted(%x: tensor<4xf32>, %y: tensor<4xf32>) -> tensor<4xf32> {
  %c2 = arith.constant 2 : index
  %s = tensor.extract_slice %x[0] [%c2] [1] : tensor<4xf32> to tensor<?xf32>
  %r = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i)>, affine_map<(i, j) -> (i + j)>, affine_map<(i, j) -> (j)>],
      iterator_types = ["reduction", "parallel"]} ins(%s, %x : tensor<?xf32>, tensor<4xf32>) outs(%y : tensor<4xf32>) {
  ^bb0(%a: f32, %b: f32, %out: f32):
    linalg.yield %b : f32
  } -> tensor<4xf32>
  return %r : tensor<4xf32>
}
