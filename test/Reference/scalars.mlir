// Integers wrap at their width and floats are never rounded.

// RUN: diffattn-eval %s --entry=integers | FileCheck %s --check-prefix=INTEGERS
// RUN: diffattn-eval %s --entry=booleans | FileCheck %s --check-prefix=BOOLEANS
// RUN: diffattn-eval %s --entry=casts | FileCheck %s --check-prefix=CASTS
// RUN: diffattn-eval %s --entry=floats | FileCheck %s --check-prefix=FLOATS
// RUN: diffattn-eval %s --entry=affine | FileCheck %s --check-prefix=AFFINE
// RUN: diffattn-eval %s --entry=values --input=value:-3 --input=value:0.1 --dynamic-dim=2 | FileCheck %s --check-prefix=VALUES

// INTEGERS: result 0: 9xi8
// INTEGERS-NEXT: sum
// INTEGERS-NEXT: [-56, 16, -3, -4, -3, 1, -4, 60, 127]
func.func @integers() -> tensor<9xi8> {
  %a = arith.constant 100 : i8
  %b = arith.constant -7 : i8
  %two = arith.constant 2 : i8
  %four = arith.constant 4 : i8
  %m16 = arith.constant -16 : i8
  %sum = arith.addi %a, %a : i8
  %sixteen = arith.shli %two, %four : i8
  %c1 = arith.constant 1 : i8
  %shift = arith.shrsi %sixteen, %c1 : i8
  %div = arith.divsi %b, %two : i8
  %floor = arith.floordivsi %b, %two : i8
  %ceil = arith.ceildivsi %b, %two : i8
  %c3 = arith.constant 3 : i8
  %rem = arith.remsi %a, %c3 : i8
  %sra = arith.shrsi %m16, %two : i8
  %srl = arith.shrui %m16, %two : i8
  %c127 = arith.constant 127 : i8
  %max = arith.maxui %c127, %two : i8
  %t = tensor.from_elements %sum, %shift, %div, %floor, %ceil, %rem, %sra, %srl, %max : tensor<9xi8>
  return %t : tensor<9xi8>
}

// BOOLEANS: [0, 1, 1, 1]
// BOOLEANS: [-1, 1]
func.func @booleans() -> (tensor<4xi1>, tensor<2xi32>) {
  %true = arith.constant true
  %false = arith.constant false
  %m1 = arith.constant -1 : i32
  %one = arith.constant 1 : i32
  // As signed numbers, true is -1.
  %slt = arith.cmpi slt, %false, %true : i1
  %ult = arith.cmpi ult, %false, %true : i1
  %unsigned = arith.cmpi ugt, %m1, %one : i32
  %xor = arith.xori %true, %false : i1
  %t = tensor.from_elements %slt, %ult, %unsigned, %xor : tensor<4xi1>
  %s = arith.extsi %true : i1 to i32
  %z = arith.extui %true : i1 to i32
  %u = tensor.from_elements %s, %z : tensor<2xi32>
  return %t, %u : tensor<4xi1>, tensor<2xi32>
}

// CASTS: [-2, 254, 44]
// CASTS: [-3, 253, 1.00001]
func.func @casts() -> (tensor<3xi32>, tensor<3xf32>) {
  %m2 = arith.constant -2 : i8
  %m3 = arith.constant -3 : i8
  %c300 = arith.constant 300 : i32
  %s = arith.extsi %m2 : i8 to i32
  %z = arith.extui %m2 : i8 to i32
  %t8 = arith.trunci %c300 : i32 to i8
  %t = arith.extsi %t8 : i8 to i32
  %ints = tensor.from_elements %s, %z, %t : tensor<3xi32>
  %fs = arith.sitofp %m3 : i8 to f32
  %fu = arith.uitofp %m3 : i8 to f32
  %x = arith.constant 1.00001 : f32
  %h = arith.truncf %x : f32 to f16
  %w = arith.extf %h : f16 to f32
  %floats = tensor.from_elements %fs, %fu, %w : tensor<3xf32>
  return %ints, %floats : tensor<3xi32>, tensor<3xf32>
}

// FLOATS: [nan, 2, nan, 0.5, 3, 8, 0.5, 0.761594]
// FLOATS: [0, 1, 1, 0]
func.func @floats() -> (tensor<8xf32>, tensor<4xi1>) {
  %nan = arith.constant 0x7FC00000 : f32
  %two = arith.constant 2.0 : f32
  %one = arith.constant 1.0 : f32
  %three = arith.constant 3.0 : f32
  %four = arith.constant 4.0 : f32
  %maximum = arith.maximumf %nan, %two : f32
  %maxnum = arith.maxnumf %nan, %two : f32
  %minimum = arith.minimumf %two, %nan : f32
  %rsqrt = math.rsqrt %four : f32
  %c8 = arith.constant 8.0 : f32
  %log = math.log2 %c8 : f32
  %exp2 = math.exp2 %three : f32
  %half = arith.divf %one, %two : f32
  %tanh = math.tanh %one : f32
  %t = tensor.from_elements %maximum, %maxnum, %minimum, %rsqrt, %log, %exp2, %half, %tanh : tensor<8xf32>
  %oeq = arith.cmpf oeq, %nan, %nan : f32
  %une = arith.cmpf une, %nan, %nan : f32
  %uno = arith.cmpf uno, %nan, %two : f32
  %olt = arith.cmpf olt, %nan, %two : f32
  %c = tensor.from_elements %oeq, %une, %uno, %olt : tensor<4xi1>
  return %t, %c : tensor<8xf32>, tensor<4xi1>
}

// AFFINE: [-3, 2, -2, 4, 5]
func.func @affine() -> tensor<5xindex> {
  %m7 = arith.constant -7 : index
  %c9 = arith.constant 9 : index
  %floor = affine.apply affine_map<(d0) -> (d0 floordiv 3)>(%m7)
  %mod = affine.apply affine_map<(d0) -> (d0 mod 3)>(%m7)
  %ceil = affine.apply affine_map<(d0) -> (d0 ceildiv 3)>(%m7)
  %min = affine.min affine_map<(d0)[s0] -> (4, s0 - d0)>(%m7)[%c9]
  %max = affine.max affine_map<()[s0] -> (5, s0 - 20)>()[%c9]
  %t = tensor.from_elements %floor, %mod, %ceil, %min, %max : tensor<5xindex>
  return %t : tensor<5xindex>
}

// VALUES: [-3, -3]
// VALUES: [0.1]
func.func @values(%a: tensor<?xi32>, %b: f64) -> (tensor<?xi32>, f64) {
  return %a, %b : tensor<?xi32>, f64
}
