// The tensor dialect.

// RUN: diffattn-eval %s --entry=slices | FileCheck %s --check-prefix=SLICES
// RUN: diffattn-eval %s --entry=pad | FileCheck %s --check-prefix=PAD
// RUN: diffattn-eval %s --entry=reshapes | FileCheck %s --check-prefix=RESHAPES
// RUN: diffattn-eval %s --entry=elements | FileCheck %s --check-prefix=ELEMENTS
// RUN: diffattn-eval %s --entry=values_stay | FileCheck %s --check-prefix=STAY

// Every second column, rank-reduced, and put back in reverse places.
// SLICES: result 0: 2xi32
// SLICES: [4, 6]
// SLICES: result 1: 2x4xi32
// SLICES: [4, 1, 6, 3, 4, 5, 6, 7]
func.func @slices() -> (tensor<2xi32>, tensor<2x4xi32>) {
  %x = arith.constant dense<[[0, 1, 2, 3], [4, 5, 6, 7]]> : tensor<2x4xi32>
  %row = tensor.extract_slice %x[1, 0] [1, 2] [1, 2] : tensor<2x4xi32> to tensor<2xi32>
  %y = tensor.insert_slice %row into %x[0, 0] [1, 2] [1, 2] : tensor<2xi32> into tensor<2x4xi32>
  return %row, %y : tensor<2xi32>, tensor<2x4xi32>
}

// PAD: result 0: 3x3xi32
// PAD: [0, 1, 2, 1, 5, 6, 2, 3, 4]
func.func @pad() -> tensor<?x3xi32> {
  %c1 = arith.constant 1 : index
  %x = arith.constant dense<[[5, 6]]> : tensor<1x2xi32>
  %p = tensor.pad %x low[%c1, 1] high[1, 0] {
  ^bb0(%i: index, %j: index):
    %s = arith.addi %i, %j : index
    %v = arith.index_cast %s : index to i32
    tensor.yield %v : i32
  } : tensor<1x2xi32> to tensor<?x3xi32>
  return %p : tensor<?x3xi32>
}

// RESHAPES: result 0: 6xi32
// RESHAPES: [0, 1, 2, 3, 4, 5]
// RESHAPES: result 1: 3x2xi32
// RESHAPES: result 2: 1x6x1xi32
// RESHAPES: result 3: index
// RESHAPES: [2]
func.func @reshapes() -> (tensor<6xi32>, tensor<?x2xi32>, tensor<1x?x1xi32>, index) {
  %x = arith.constant dense<[[0, 1, 2], [3, 4, 5]]> : tensor<2x3xi32>
  %flat = tensor.collapse_shape %x [[0, 1]] : tensor<2x3xi32> into tensor<6xi32>
  %dynamic = tensor.cast %flat : tensor<6xi32> to tensor<?xi32>
  %c3 = arith.constant 3 : index
  %c1 = arith.constant 1 : index
  %two = tensor.expand_shape %dynamic [[0, 1]] output_shape [%c3, 2] : tensor<?xi32> into tensor<?x2xi32>
  %sizes = arith.constant dense<[1, 6, 1]> : tensor<3xi32>
  %three = tensor.reshape %two(%sizes) : (tensor<?x2xi32>, tensor<3xi32>) -> tensor<1x?x1xi32>
  %size = tensor.dim %two, %c1 : tensor<?x2xi32>
  return %flat, %two, %three, %size : tensor<6xi32>, tensor<?x2xi32>, tensor<1x?x1xi32>, index
}

// ELEMENTS: [7, 9]
// ELEMENTS: [7, 9, 8, 8]
func.func @elements() -> (tensor<2xi32>, tensor<4xi32>) {
  %seven = arith.constant 7 : i32
  %eight = arith.constant 8 : i32
  %two = arith.constant 2 : i32
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %t = tensor.from_elements %seven, %seven : tensor<2xi32>
  %x = tensor.extract %t[%c0] : tensor<2xi32>
  %y = arith.addi %x, %two : i32
  %u = tensor.insert %y into %t[%c1] : tensor<2xi32>
  %s = tensor.splat %eight : tensor<2xi32>
  %c = tensor.concat dim(0) %u, %s : (tensor<2xi32>, tensor<2xi32>) -> tensor<4xi32>
  return %u, %c : tensor<2xi32>, tensor<4xi32>
}

// Writing into a copy leaves the original alone, in loops, too.
// STAY: [0, 0, 0]
// STAY: [5, 5, 5]
func.func @values_stay() -> (tensor<3xi32>, tensor<3xi32>) {
  %zero = arith.constant dense<0> : tensor<3xi32>
  %five = arith.constant 5 : i32
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c3 = arith.constant 3 : index
  %r = scf.for %i = %c0 to %c3 step %c1 iter_args(%t = %zero) -> (tensor<3xi32>) {
    %u = tensor.insert %five into %t[%i] : tensor<3xi32>
    scf.yield %u : tensor<3xi32>
  }
  return %zero, %r : tensor<3xi32>, tensor<3xi32>
}
