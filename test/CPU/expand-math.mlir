// RUN: diffattn-opt %s --diffattn-cpu-expand-math | FileCheck %s

// Clamp, split x into a whole and a fraction, a polynomial of degree 6, 2^whole
// by the exponent's bits. NaN passes both comparisons and the last product.
// CHECK-LABEL: func @exp2(
// CHECK-SAME:    %[[X:.*]]: f32)
func.func @exp2(%x: f32) -> f32 {
  // CHECK: %[[MIN:.*]] = arith.constant -1.270000e+02 : f32
  // CHECK: %[[BELOW:.*]] = arith.cmpf ogt, %[[MIN]], %[[X]]
  // CHECK: %[[X1:.*]] = arith.select %[[BELOW]], %[[MIN]], %[[X]]
  // CHECK: %[[MAX:.*]] = arith.constant 1.280000e+02 : f32
  // CHECK: %[[ABOVE:.*]] = arith.cmpf olt, %[[MAX]], %[[X1]]
  // CHECK: %[[X2:.*]] = arith.select %[[ABOVE]], %[[MAX]], %[[X1]]
  // CHECK: %[[MAGIC:.*]] = arith.constant 0x4B400000 : f32
  // CHECK: %[[SHIFTED:.*]] = arith.addf %[[X2]], %[[MAGIC]] : f32
  // CHECK: %[[WHOLE:.*]] = arith.subf %[[SHIFTED]], %[[MAGIC]] : f32
  // CHECK: %[[F:.*]] = arith.subf %[[X2]], %[[WHOLE]] : f32
  // CHECK-COUNT-5: arith.mulf %{{.*}}, %[[F]] fastmath<contract>
  // CHECK: arith.mulf %{{.*}}, %[[F]] fastmath<contract>
  // CHECK: %[[P:.*]] = arith.addf %{{.*}}, %{{.*}} fastmath<contract>
  // CHECK: %[[BITS:.*]] = arith.bitcast %[[SHIFTED]] : f32 to i32
  // CHECK: %[[C23:.*]] = arith.constant 23 : i32
  // CHECK: %[[EXPONENT:.*]] = arith.shli %[[BITS]], %[[C23]]
  // CHECK: %[[BIAS:.*]] = arith.constant 1065353216 : i32
  // CHECK: %[[BIASED:.*]] = arith.addi %[[EXPONENT]], %[[BIAS]]
  // CHECK: %[[SCALE:.*]] = arith.bitcast %[[BIASED]] : i32 to f32
  // CHECK: %[[R:.*]] = arith.mulf %[[P]], %[[SCALE]] : f32
  // CHECK: return %[[R]]
  %r = math.exp2 %x : f32
  return %r : f32
}

// CHECK-LABEL: func @exp2_vector(
func.func @exp2_vector(%x: vector<16xf32>) -> vector<16xf32> {
  // CHECK-NOT: math.exp2
  // CHECK: arith.bitcast %{{.*}} : vector<16xf32> to vector<16xi32>
  // CHECK: arith.bitcast %{{.*}} : vector<16xi32> to vector<16xf32>
  // CHECK-NOT: math.exp2
  %r = math.exp2 %x : vector<16xf32>
  return %r : vector<16xf32>
}

// CHECK-LABEL: func @tanh(
func.func @tanh(%x: vector<8xf32>) -> vector<8xf32> {
  // CHECK-NOT: math.tanh
  // CHECK: return
  %r = math.tanh %x : vector<8xf32>
  return %r : vector<8xf32>
}

// The coefficients are for f32.
// CHECK-LABEL: func @other_types(
func.func @other_types(%x: f64, %y: f16) -> (f64, f16) {
  // CHECK: math.exp2 %{{.*}} : f64
  %r = math.exp2 %x : f64
  // CHECK: math.exp2 %{{.*}} : f16
  %s = math.exp2 %y : f16
  return %r, %s : f64, f16
}
