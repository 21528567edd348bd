// RUN: diffattn-opt %s --diffattn-cpu-guard-masks --split-input-file | FileCheck %s

#id = affine_map<(d0, d1) -> (d0, d1)>

// The last key is the hardest to meet: index 7 of 8.
// CHECK-LABEL: func @less(
// CHECK-SAME:    %[[T:[^:]*]]: tensor<4x8xf32>, %[[LIMIT:[^:]*]]: index)
func.func @less(%t: tensor<4x8xf32>, %limit: index) -> tensor<4x8xf32> {
  %low = arith.constant 0xFF800000 : f32
  // CHECK: %[[CORNER:.*]] = arith.constant 7 : index
  // CHECK: %[[ALL:.*]] = arith.cmpi slt, %[[CORNER]], %[[LIMIT]]
  // CHECK: %[[R:.*]] = scf.if %[[ALL]]
  // CHECK:   scf.yield %[[T]]
  // CHECK: } else {
  // CHECK:   %[[MASKED:.*]] = linalg.generic
  // CHECK:   scf.yield %[[MASKED]]
  // CHECK: return %[[R]]
  %r = linalg.generic {indexing_maps = [#id], iterator_types = ["parallel", "parallel"]}
      outs(%t : tensor<4x8xf32>) {
  ^bb0(%x: f32):
    %j = linalg.index 1 : index
    %visible = arith.cmpi slt, %j, %limit : index
    %y = arith.select %visible, %x, %low : f32
    linalg.yield %y : f32
  } -> tensor<4x8xf32>
  return %r : tensor<4x8xf32>
}

// -----

#id = affine_map<(d0, d1) -> (d0, d1)>

// Causal: last key against first row, 7 - 0.
// CHECK-LABEL: func @less_equal_of_difference(
func.func @less_equal_of_difference(%t: tensor<4x8xf32>, %right: index) -> tensor<4x8xf32> {
  %low = arith.constant 0xFF800000 : f32
  // CHECK: %[[CORNER:.*]] = arith.constant 7 : index
  // CHECK: arith.cmpi sle, %[[CORNER]], %{{.*}}
  // CHECK: scf.if
  %r = linalg.generic {indexing_maps = [#id], iterator_types = ["parallel", "parallel"]}
      outs(%t : tensor<4x8xf32>) {
  ^bb0(%x: f32):
    %i = linalg.index 0 : index
    %j = linalg.index 1 : index
    %d = arith.subi %j, %i : index
    %visible = arith.cmpi sle, %d, %right : index
    %y = arith.select %visible, %x, %low : f32
    linalg.yield %y : f32
  } -> tensor<4x8xf32>
  return %r : tensor<4x8xf32>
}

// -----

#id = affine_map<(d0, d1) -> (d0, d1)>

// Left bound: first key against last row, 0 - 3.
// CHECK-LABEL: func @greater_equal_of_difference(
func.func @greater_equal_of_difference(%t: tensor<4x8xf32>, %left: index) -> tensor<4x8xf32> {
  %low = arith.constant 0xFF800000 : f32
  // CHECK: %[[CORNER:.*]] = arith.constant -3 : index
  // CHECK: arith.cmpi sge, %[[CORNER]], %{{.*}}
  // CHECK: scf.if
  %r = linalg.generic {indexing_maps = [#id], iterator_types = ["parallel", "parallel"]}
      outs(%t : tensor<4x8xf32>) {
  ^bb0(%x: f32):
    %i = linalg.index 0 : index
    %j = linalg.index 1 : index
    %d = arith.subi %j, %i : index
    %visible = arith.cmpi sge, %d, %left : index
    %y = arith.select %visible, %x, %low : f32
    linalg.yield %y : f32
  } -> tensor<4x8xf32>
  return %r : tensor<4x8xf32>
}

// -----

#id = affine_map<(d0, d1) -> (d0, d1)>

// Sums have their corner at both ends; here the low one.
// CHECK-LABEL: func @greater_of_sum(
func.func @greater_of_sum(%t: tensor<4x8xf32>, %bound: index) -> tensor<4x8xf32> {
  %low = arith.constant 0xFF800000 : f32
  // CHECK: %[[CORNER:.*]] = arith.constant 0 : index
  // CHECK: arith.cmpi sgt, %[[CORNER]], %{{.*}}
  // CHECK: scf.if
  %r = linalg.generic {indexing_maps = [#id], iterator_types = ["parallel", "parallel"]}
      outs(%t : tensor<4x8xf32>) {
  ^bb0(%x: f32):
    %i = linalg.index 0 : index
    %j = linalg.index 1 : index
    %s = arith.addi %j, %i : index
    %visible = arith.cmpi sgt, %s, %bound : index
    %y = arith.select %visible, %x, %low : f32
    linalg.yield %y : f32
  } -> tensor<4x8xf32>
  return %r : tensor<4x8xf32>
}

// -----

#id = affine_map<(d0, d1) -> (d0, d1)>

// All conditions must hold at their corners.
// CHECK-LABEL: func @conjunction(
// CHECK-SAME:    %{{.*}}: tensor<4x8xf32>, %[[LIMIT:[^:]*]]: index, %[[RIGHT:[^:]*]]: index, %[[LEFT:[^:]*]]: index)
func.func @conjunction(%t: tensor<4x8xf32>, %limit: index, %right: index,
                       %left: index) -> tensor<4x8xf32> {
  %low = arith.constant 0xFF800000 : f32
  // CHECK: %[[A:.*]] = arith.cmpi slt, %{{.*}}, %[[LIMIT]]
  // CHECK: %[[B:.*]] = arith.cmpi sle, %{{.*}}, %[[RIGHT]]
  // CHECK: %[[AB:.*]] = arith.andi %[[A]], %[[B]]
  // CHECK: %[[C:.*]] = arith.cmpi sge, %{{.*}}, %[[LEFT]]
  // CHECK: %[[ABC:.*]] = arith.andi %[[AB]], %[[C]]
  // CHECK: scf.if %[[ABC]]
  %r = linalg.generic {indexing_maps = [#id], iterator_types = ["parallel", "parallel"]}
      outs(%t : tensor<4x8xf32>) {
  ^bb0(%x: f32):
    %i = linalg.index 0 : index
    %j = linalg.index 1 : index
    %d = arith.subi %j, %i : index
    %a = arith.cmpi slt, %j, %limit : index
    %b = arith.cmpi sle, %d, %right : index
    %ab = arith.andi %a, %b : i1
    %c = arith.cmpi sge, %d, %left : index
    %visible = arith.andi %ab, %c : i1
    %y = arith.select %visible, %x, %low : f32
    linalg.yield %y : f32
  } -> tensor<4x8xf32>
  return %r : tensor<4x8xf32>
}

// -----

#id = affine_map<(d0, d1) -> (d0, d1)>

// How far the loop goes is not known.
// CHECK-LABEL: func @dynamic_loop(
func.func @dynamic_loop(%t: tensor<4x?xf32>, %limit: index) -> tensor<4x?xf32> {
  %low = arith.constant 0xFF800000 : f32
  // CHECK-NOT: scf.if
  // CHECK: return
  %r = linalg.generic {indexing_maps = [#id], iterator_types = ["parallel", "parallel"]}
      outs(%t : tensor<4x?xf32>) {
  ^bb0(%x: f32):
    %j = linalg.index 1 : index
    %visible = arith.cmpi slt, %j, %limit : index
    %y = arith.select %visible, %x, %low : f32
    linalg.yield %y : f32
  } -> tensor<4x?xf32>
  return %r : tensor<4x?xf32>
}

// -----

#id = affine_map<(d0, d1) -> (d0, d1)>

// An equality holds at no corner for all.
// CHECK-LABEL: func @other_predicate(
func.func @other_predicate(%t: tensor<4x8xf32>, %limit: index) -> tensor<4x8xf32> {
  %low = arith.constant 0xFF800000 : f32
  // CHECK-NOT: scf.if
  // CHECK: return
  %r = linalg.generic {indexing_maps = [#id], iterator_types = ["parallel", "parallel"]}
      outs(%t : tensor<4x8xf32>) {
  ^bb0(%x: f32):
    %j = linalg.index 1 : index
    %visible = arith.cmpi ne, %j, %limit : index
    %y = arith.select %visible, %x, %low : f32
    linalg.yield %y : f32
  } -> tensor<4x8xf32>
  return %r : tensor<4x8xf32>
}

// -----

#id = affine_map<(d0, d1) -> (d0, d1)>

// The bound changes from element to element.
// CHECK-LABEL: func @variant_bound(
func.func @variant_bound(%t: tensor<4x8xf32>) -> tensor<4x8xf32> {
  %low = arith.constant 0xFF800000 : f32
  // CHECK-NOT: scf.if
  // CHECK: return
  %r = linalg.generic {indexing_maps = [#id], iterator_types = ["parallel", "parallel"]}
      outs(%t : tensor<4x8xf32>) {
  ^bb0(%x: f32):
    %i = linalg.index 0 : index
    %j = linalg.index 1 : index
    %visible = arith.cmpi sle, %j, %i : index
    %y = arith.select %visible, %x, %low : f32
    linalg.yield %y : f32
  } -> tensor<4x8xf32>
  return %r : tensor<4x8xf32>
}

// -----

#id = affine_map<(d0, d1) -> (d0, d1)>

// What is visible is changed as well: not a mask.
// CHECK-LABEL: func @not_a_mask(
func.func @not_a_mask(%t: tensor<4x8xf32>, %limit: index) -> tensor<4x8xf32> {
  %low = arith.constant 0xFF800000 : f32
  // CHECK-NOT: scf.if
  // CHECK: return
  %r = linalg.generic {indexing_maps = [#id], iterator_types = ["parallel", "parallel"]}
      outs(%t : tensor<4x8xf32>) {
  ^bb0(%x: f32):
    %j = linalg.index 1 : index
    %visible = arith.cmpi slt, %j, %limit : index
    %z = arith.negf %x : f32
    %y = arith.select %visible, %z, %low : f32
    linalg.yield %y : f32
  } -> tensor<4x8xf32>
  return %r : tensor<4x8xf32>
}

// -----

#id = affine_map<(d0, d1) -> (d0, d1)>

// Hidden where the condition holds: the other way round.
// CHECK-LABEL: func @inverted(
func.func @inverted(%t: tensor<4x8xf32>, %limit: index) -> tensor<4x8xf32> {
  %low = arith.constant 0xFF800000 : f32
  // CHECK-NOT: scf.if
  // CHECK: return
  %r = linalg.generic {indexing_maps = [#id], iterator_types = ["parallel", "parallel"]}
      outs(%t : tensor<4x8xf32>) {
  ^bb0(%x: f32):
    %j = linalg.index 1 : index
    %hidden = arith.cmpi sge, %j, %limit : index
    %y = arith.select %hidden, %low, %x : f32
    linalg.yield %y : f32
  } -> tensor<4x8xf32>
  return %r : tensor<4x8xf32>
}
