// Loops, branches and calls.

// RUN: diffattn-eval %s --entry=for | FileCheck %s --check-prefix=FOR
// RUN: diffattn-eval %s --entry=while | FileCheck %s --check-prefix=WHILE
// RUN: diffattn-eval %s --entry=if | FileCheck %s --check-prefix=IF
// RUN: diffattn-eval %s --entry=forall | FileCheck %s --check-prefix=FORALL
// RUN: diffattn-eval %s --entry=forall_reads_init | FileCheck %s --check-prefix=INIT
// RUN: diffattn-eval %s --entry=recursion | FileCheck %s --check-prefix=RECURSION

// 0 + 3 + 6 + 9; the loop that does not run gives its init.
// FOR: result 0: i32
// FOR: [18]
// FOR: [7]
func.func @for() -> (i32, i32) {
  %c0 = arith.constant 0 : index
  %c3 = arith.constant 3 : index
  %c10 = arith.constant 10 : index
  %zero = arith.constant 0 : i32
  %seven = arith.constant 7 : i32
  %sum = scf.for %i = %c0 to %c10 step %c3 iter_args(%acc = %zero) -> (i32) {
    %x = arith.index_cast %i : index to i32
    %next = arith.addi %acc, %x : i32
    scf.yield %next : i32
  }
  %none = scf.for %i = %c10 to %c0 step %c3 iter_args(%acc = %seven) -> (i32) {
    scf.yield %zero : i32
  }
  return %sum, %none : i32, i32
}

// WHILE: [16]
func.func @while() -> i32 {
  %one = arith.constant 1 : i32
  %limit = arith.constant 10 : i32
  %r = scf.while (%x = %one) : (i32) -> i32 {
    %go = arith.cmpi slt, %x, %limit : i32
    scf.condition(%go) %x : i32
  } do {
  ^bb0(%x: i32):
    %next = arith.addi %x, %x : i32
    scf.yield %next : i32
  }
  return %r : i32
}

// IF: [1]
// IF: [2]
func.func @if() -> (i32, i32) {
  %true = arith.constant true
  %false = arith.constant false
  %one = arith.constant 1 : i32
  %two = arith.constant 2 : i32
  %a = scf.if %true -> (i32) {
    scf.yield %one : i32
  } else {
    scf.yield %two : i32
  }
  %b = scf.if %false -> (i32) {
    scf.yield %one : i32
  } else {
    scf.yield %two : i32
  }
  scf.if %false {
    cf.assert %false, "not here"
  }
  return %a, %b : i32, i32
}

// Tiles of 1 x 2 of a 3 x 4 tensor.
// FORALL: [0, 1, 10, 11, 100, 101, 110, 111, 200, 201, 210, 211]
func.func @forall() -> tensor<3x4xf32> {
  %e = tensor.empty() : tensor<3x4xf32>
  %r = scf.forall (%i, %j) = (0, 0) to (3, 4) step (1, 2) shared_outs(%out = %e) -> (tensor<3x4xf32>) {
    %t = tensor.empty() : tensor<2xf32>
    %tile = linalg.generic {indexing_maps = [affine_map<(d) -> (d)>],
        iterator_types = ["parallel"]} outs(%t : tensor<2xf32>) {
    ^bb0(%x: f32):
      %d = linalg.index 0 : index
      %n = affine.apply affine_map<(i, j, d) -> (100 * i + 5 * j + d)>(%i, %j, %d)
      %int = arith.index_cast %n : index to i64
      %f = arith.sitofp %int : i64 to f32
      linalg.yield %f : f32
    } -> tensor<2xf32>
    scf.forall.in_parallel {
      tensor.parallel_insert_slice %tile into %out[%i, %j] [1, 2] [1, 1] : tensor<2xf32> into tensor<3x4xf32>
    }
  }
  return %r : tensor<3x4xf32>
}

// Iterations see the shared output as it was before the loop: each one adds one
// to the element on its left.
// INIT: [1, 11, 21, 31]
func.func @forall_reads_init() -> tensor<4xf32> {
  %init = arith.constant dense<[0.0, 10.0, 20.0, 30.0]> : tensor<4xf32>
  %one = arith.constant 1.0 : f32
  %r = scf.forall (%i) in (4) shared_outs(%out = %init) -> (tensor<4xf32>) {
    %x = tensor.extract %out[%i] : tensor<4xf32>
    %y = arith.addf %x, %one : f32
    %t = tensor.from_elements %y : tensor<1xf32>
    scf.forall.in_parallel {
      tensor.parallel_insert_slice %t into %out[%i] [1] [1] : tensor<1xf32> into tensor<4xf32>
    }
  }
  return %r : tensor<4xf32>
}

// A call has an environment of its own.
// RECURSION: [120]
func.func private @factorial(%n: i64) -> i64 {
  %one = arith.constant 1 : i64
  %is_base = arith.cmpi sle, %n, %one : i64
  %r = scf.if %is_base -> (i64) {
    scf.yield %one : i64
  } else {
    %m = arith.subi %n, %one : i64
    %f = func.call @factorial(%m) : (i64) -> i64
    %p = arith.muli %f, %n : i64
    scf.yield %p : i64
  }
  return %r : i64
}

func.func @recursion() -> i64 {
  %five = arith.constant 5 : i64
  %r = call @factorial(%five) : (i64) -> i64
  return %r : i64
}
