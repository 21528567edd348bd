// RUN: diffattn-opt %s --allow-unregistered-dialect --diffattn-cpu-lower-stack-scopes | FileCheck %s

// CHECK-LABEL: func @loop_in_scope(
func.func @loop_in_scope(%n: index, %x: f32) -> f32 {
  // CHECK-NOT: memref.alloca_scope
  // CHECK: %[[STACK:.*]] = llvm.intr.stacksave : !llvm.ptr
  // CHECK: memref.alloca()
  // CHECK: scf.for
  // CHECK: %[[R:.*]] = memref.load
  // CHECK: llvm.intr.stackrestore %[[STACK]] : !llvm.ptr
  // CHECK: return %[[R]]
  %r = memref.alloca_scope -> f32 {
    %scratch = memref.alloca() : memref<4xf32>
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    scf.for %i = %c0 to %n step %c1 {
      memref.store %x, %scratch[%i] : memref<4xf32>
    }
    %y = memref.load %scratch[%c0] : memref<4xf32>
    memref.alloca_scope.return %y : f32
  }
  return %r : f32
}

// The inner scope is restored before the outer one.
// CHECK-LABEL: func @nested(
func.func @nested() {
  // CHECK: %[[OUTER:.*]] = llvm.intr.stacksave
  // CHECK: memref.alloca() : memref<4xf32>
  // CHECK: %[[INNER:.*]] = llvm.intr.stacksave
  // CHECK: memref.alloca() : memref<8xf32>
  // CHECK: llvm.intr.stackrestore %[[INNER]]
  // CHECK: llvm.intr.stackrestore %[[OUTER]]
  memref.alloca_scope {
    %a = memref.alloca() : memref<4xf32>
    memref.alloca_scope {
      %b = memref.alloca() : memref<8xf32>
      "test.use"(%a, %b) : (memref<4xf32>, memref<8xf32>) -> ()
    }
  }
  return
}
