// RUN: diffattn-opt %s --diffattn-to-tile --split-input-file --verify-diagnostics

// expected-error @below {{expects attention to compile for a GPU, but function 'none' has none}}
func.func @none(%x: tensor<4xf32>) -> tensor<4xf32> {
  return %x : tensor<4xf32>
}

// -----

func.func @two(%x: tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>) {
  %0 = scf.forall (%i) in (4) shared_outs(%o = %x) -> (tensor<4xf32>) {
  }
  // expected-error @below {{a GPU kernel computes one attention, but this is the second of function 'two'; split the function}}
  %1 = scf.forall (%i) in (4) shared_outs(%o = %x) -> (tensor<4xf32>) {
  }
  return %0, %1 : tensor<4xf32>, tensor<4xf32>
}

// -----

func.func @not_normalized(%x: tensor<4xf32>) -> tensor<4xf32> {
  // expected-error @below {{expects a normalized scf.forall}}
  %0 = scf.forall (%i) = (1) to (4) step (1) shared_outs(%o = %x) -> (tensor<4xf32>) {
  }
  return %0 : tensor<4xf32>
}

// -----

// expected-error @below {{expects ranked tensors as arguments of a GPU entry, but got 'f32'}}
func.func @scalar(%x: tensor<4xf32>, %s: f32) -> tensor<4xf32> {
  %0 = scf.forall (%i) in (4) shared_outs(%o = %x) -> (tensor<4xf32>) {
  }
  return %0 : tensor<4xf32>
}

// -----

func.func @other_result(%x: tensor<4xf32>, %y: tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>) {
  %0 = scf.forall (%i) in (4) shared_outs(%o = %x) -> (tensor<4xf32>) {
  }
  // expected-error @below {{expects a result of attention in function 'other_result', but result 1 is computed otherwise; a GPU kernel computes attention only}}
  return %0, %y : tensor<4xf32>, tensor<4xf32>
}

// -----

func.func @result_dropped(%x: tensor<4xf32>, %y: tensor<4xf32>) -> tensor<4xf32> {
  %0:2 = scf.forall (%i) in (4) shared_outs(%o = %x, %p = %y) -> (tensor<4xf32>, tensor<4xf32>) {
  }
  // expected-error @below {{expects each result of attention to be returned once}}
  return %0#0 : tensor<4xf32>
}

// -----

func.func @grid(%x: tensor<4x?xf32>) -> tensor<4x?xf32> {
  %c1 = arith.constant 1 : index
  %n = tensor.dim %x, %c1 : tensor<4x?xf32>
  %twice = arith.addi %n, %n : index
  // expected-error @below {{expects grid sizes that are sizes of arguments, or their number of tiles}}
  %0 = scf.forall (%i) in (%twice) shared_outs(%o = %x) -> (tensor<4x?xf32>) {
  }
  return %0 : tensor<4x?xf32>
}

// -----

func.func @other_op(%x: tensor<4xf32>, %y: tensor<4xf32>) -> tensor<4xf32> {
  // expected-error @below {{a GPU kernel computes attention only, but function 'other_op' contains linalg.add; compile it for a CPU target, or move it out of the function}}
  %0 = linalg.add ins(%x, %x : tensor<4xf32>, tensor<4xf32>) outs(%y : tensor<4xf32>) -> tensor<4xf32>
  %1 = scf.forall (%i) in (4) shared_outs(%o = %y) -> (tensor<4xf32>) {
  }
  return %1 : tensor<4xf32>
}

// -----

func.func @dynamic_slice(%x: tensor<?xf32>, %y: tensor<16xf32>) -> tensor<16xf32> {
  %c0 = arith.constant 0 : index
  %n = tensor.dim %x, %c0 : tensor<?xf32>
  %0 = scf.forall (%i) in (4) shared_outs(%o = %y) -> (tensor<16xf32>) {
    // expected-error @below {{expects a slice of static size or a pad}}
    %s = tensor.extract_slice %x[%i] [%n] [1] : tensor<?xf32> to tensor<?xf32>
    scf.forall.in_parallel {
      tensor.parallel_insert_slice %s into %o[0] [%n] [1] : tensor<?xf32> into tensor<16xf32>
    }
  }
  return %0 : tensor<16xf32>
}

// -----

func.func @pad(%x: tensor<?xf32>, %y: tensor<16xf32>) -> tensor<16xf32> {
  %c0 = arith.constant 0 : index
  %one = arith.constant 1.0 : f32
  %n = tensor.dim %x, %c0 : tensor<?xf32>
  %0 = scf.forall (%i) in (4) shared_outs(%o = %y) -> (tensor<16xf32>) {
    %s = tensor.extract_slice %x[%i] [%n] [1] : tensor<?xf32> to tensor<?xf32>
    // expected-error @below {{expects a slice of an argument, padded with zeros at its end to a static size}}
    %p = tensor.pad %s low[0] high[%n] {
    ^bb0(%j: index):
      tensor.yield %one : f32
    } : tensor<?xf32> to tensor<16xf32>
    scf.forall.in_parallel {
      tensor.parallel_insert_slice %p into %o[0] [16] [1] : tensor<16xf32> into tensor<16xf32>
    }
  }
  return %0 : tensor<16xf32>
}

// -----

func.func @part_of_tile(%x: tensor<16xf32>, %y: tensor<4xf32>) -> tensor<4xf32> {
  %0 = scf.forall (%i) in (4) shared_outs(%o = %y) -> (tensor<4xf32>) {
    %t = tensor.extract_slice %x[0] [16] [1] : tensor<16xf32> to tensor<16xf32>
    // expected-error @below {{expects a slice of one index of a tile}}
    %s = tensor.extract_slice %t[4] [4] [1] : tensor<16xf32> to tensor<4xf32>
    %e = tensor.empty() : tensor<4xf32>
    %u = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>], iterator_types = ["parallel"]}
        ins(%s : tensor<4xf32>) outs(%e : tensor<4xf32>) {
    ^bb0(%a: f32, %b: f32):
      linalg.yield %a : f32
    } -> tensor<4xf32>
    scf.forall.in_parallel {
      tensor.parallel_insert_slice %u into %o[0] [4] [1] : tensor<4xf32> into tensor<4xf32>
    }
  }
  return %0 : tensor<4xf32>
}

// -----

#mk = affine_map<(m, n, k) -> (m, k)>
#nk = affine_map<(m, n, k) -> (n, k)>
#mn = affine_map<(m, n, k) -> (m, n)>
func.func @f32(%x: tensor<16x16xf32>, %y: tensor<16x16xf32>) -> tensor<16x16xf32> {
  %zero = arith.constant 0.0 : f32
  %0 = scf.forall (%i) in (4) shared_outs(%o = %y) -> (tensor<16x16xf32>) {
    %t = tensor.extract_slice %x[0, 0] [16, 16] [1, 1] : tensor<16x16xf32> to tensor<16x16xf32>
    %e = tensor.empty() : tensor<16x16xf32>
    %acc = linalg.fill ins(%zero : f32) outs(%e : tensor<16x16xf32>) -> tensor<16x16xf32>
    // expected-error @below {{matrix instructions multiply 16-bit operands, but this product has f32; use f16 or bf16 queries, keys and values, or a CPU target}}
    %s = linalg.generic {indexing_maps = [#mk, #nk, #mn], iterator_types = ["parallel", "parallel", "reduction"]}
        ins(%t, %t : tensor<16x16xf32>, tensor<16x16xf32>) outs(%acc : tensor<16x16xf32>) {
    ^bb0(%a: f32, %b: f32, %c: f32):
      %1 = arith.mulf %a, %b : f32
      %2 = arith.addf %c, %1 : f32
      linalg.yield %2 : f32
    } -> tensor<16x16xf32>
    scf.forall.in_parallel {
      tensor.parallel_insert_slice %s into %o[0, 0] [16, 16] [1, 1] : tensor<16x16xf32> into tensor<16x16xf32>
    }
  }
  return %0 : tensor<16x16xf32>
}

// -----

#id = affine_map<(d0) -> (d0)>
func.func @unwritten(%y: tensor<16xf32>) -> tensor<16xf32> {
  %0 = scf.forall (%i) in (4) shared_outs(%o = %y) -> (tensor<16xf32>) {
    %e = tensor.empty() : tensor<16xf32>
    // expected-error @below {{reads a tile that nothing has written}}
    %s = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]}
        ins(%e : tensor<16xf32>) outs(%e : tensor<16xf32>) {
    ^bb0(%a: f32, %b: f32):
      %1 = arith.addf %a, %a : f32
      linalg.yield %1 : f32
    } -> tensor<16xf32>
    scf.forall.in_parallel {
      tensor.parallel_insert_slice %s into %o[0] [16] [1] : tensor<16xf32> into tensor<16xf32>
    }
  }
  return %0 : tensor<16xf32>
}

// -----

#two = affine_map<(d0, d1) -> (d0, d1)>
#turned = affine_map<(d0, d1) -> (d1, d0)>
func.func @order(%x: tensor<16x16xf32>, %y: tensor<16x16xf32>) -> tensor<16x16xf32> {
  %0 = scf.forall (%i) in (4) shared_outs(%o = %y) -> (tensor<16x16xf32>) {
    %t = tensor.extract_slice %x[0, 0] [16, 16] [1, 1] : tensor<16x16xf32> to tensor<16x16xf32>
    %e = tensor.empty() : tensor<16x16xf32>
    // expected-error @below {{expects indexing maps that keep the order of dimensions}}
    %s = linalg.generic {indexing_maps = [#two, #turned, #two], iterator_types = ["parallel", "parallel"]}
        ins(%t, %t : tensor<16x16xf32>, tensor<16x16xf32>) outs(%e : tensor<16x16xf32>) {
    ^bb0(%a: f32, %b: f32, %c: f32):
      %1 = arith.addf %a, %b : f32
      linalg.yield %1 : f32
    } -> tensor<16x16xf32>
    scf.forall.in_parallel {
      tensor.parallel_insert_slice %s into %o[0, 0] [16, 16] [1, 1] : tensor<16x16xf32> into tensor<16x16xf32>
    }
  }
  return %0 : tensor<16x16xf32>
}

// -----

#two = affine_map<(d0, d1) -> (d0, d1)>
#row = affine_map<(d0, d1) -> (d0)>
func.func @reduction(%x: tensor<16x16xf32>, %y: tensor<16xf32>) -> tensor<16xf32> {
  %one = arith.constant 1.0 : f32
  %0 = scf.forall (%i) in (4) shared_outs(%o = %y) -> (tensor<16xf32>) {
    %t = tensor.extract_slice %x[0, 0] [16, 16] [1, 1] : tensor<16x16xf32> to tensor<16x16xf32>
    %e = tensor.empty() : tensor<16xf32>
    %ones = linalg.fill ins(%one : f32) outs(%e : tensor<16xf32>) -> tensor<16xf32>
    // expected-error @below {{expects a sum or maximum over one dimension}}
    %s = linalg.generic {indexing_maps = [#two, #row], iterator_types = ["parallel", "reduction"]}
        ins(%t : tensor<16x16xf32>) outs(%ones : tensor<16xf32>) {
    ^bb0(%a: f32, %b: f32):
      %1 = arith.mulf %a, %b : f32
      linalg.yield %1 : f32
    } -> tensor<16xf32>
    scf.forall.in_parallel {
      tensor.parallel_insert_slice %s into %o[0] [16] [1] : tensor<16xf32> into tensor<16xf32>
    }
  }
  return %0 : tensor<16xf32>
}

// -----

#lhs = affine_map<(b, m, n, k) -> (b, m, k)>
#rhs = affine_map<(b, m, n, k) -> (b, n, k)>
#acc = affine_map<(b, m, n, k) -> (b, m, n)>
func.func @batch(%x: tensor<2x16x16xbf16>, %y: tensor<2x16x16xf32>) -> tensor<2x16x16xf32> {
  %zero = arith.constant 0.0 : f32
  %0 = scf.forall (%i) in (4) shared_outs(%o = %y) -> (tensor<2x16x16xf32>) {
    %t = tensor.extract_slice %x[0, 0, 0] [2, 16, 16] [1, 1, 1] : tensor<2x16x16xbf16> to tensor<2x16x16xbf16>
    %e = tensor.empty() : tensor<2x16x16xf32>
    %acc = linalg.fill ins(%zero : f32) outs(%e : tensor<2x16x16xf32>) -> tensor<2x16x16xf32>
    // expected-error @below {{expects a product of rows x k by a matrix}}
    %s = linalg.generic {indexing_maps = [#lhs, #rhs, #acc], iterator_types = ["parallel", "parallel", "parallel", "reduction"]}
        ins(%t, %t : tensor<2x16x16xbf16>, tensor<2x16x16xbf16>) outs(%acc : tensor<2x16x16xf32>) {
    ^bb0(%a: bf16, %b: bf16, %c: f32):
      %1 = arith.extf %a : bf16 to f32
      %2 = arith.extf %b : bf16 to f32
      %3 = arith.mulf %1, %2 : f32
      %4 = arith.addf %c, %3 : f32
      linalg.yield %4 : f32
    } -> tensor<2x16x16xf32>
    scf.forall.in_parallel {
      tensor.parallel_insert_slice %s into %o[0, 0, 0] [2, 16, 16] [1, 1, 1] : tensor<2x16x16xf32> into tensor<2x16x16xf32>
    }
  }
  return %0 : tensor<2x16x16xf32>
}

// -----

#id = affine_map<(d0) -> (d0)>
#first = affine_map<(d0) -> (0)>
func.func @constant_map(%x: tensor<1xf32>, %y: tensor<16xf32>) -> tensor<16xf32> {
  %0 = scf.forall (%i) in (4) shared_outs(%o = %y) -> (tensor<16xf32>) {
    %t = tensor.extract_slice %x[0] [1] [1] : tensor<1xf32> to tensor<1xf32>
    %e = tensor.empty() : tensor<16xf32>
    // expected-error @below {{expects indexing maps that are projections}}
    %s = linalg.generic {indexing_maps = [#first, #id], iterator_types = ["parallel"]}
        ins(%t : tensor<1xf32>) outs(%e : tensor<16xf32>) {
    ^bb0(%a: f32, %b: f32):
      %1 = arith.addf %a, %a : f32
      linalg.yield %1 : f32
    } -> tensor<16xf32>
    scf.forall.in_parallel {
      tensor.parallel_insert_slice %s into %o[0] [16] [1] : tensor<16xf32> into tensor<16xf32>
    }
  }
  return %0 : tensor<16xf32>
}

// -----

#id = affine_map<(d0) -> (d0)>
func.func @branch(%x: tensor<16xf32>, %y: tensor<16xf32>) -> tensor<16xf32> {
  %yes = arith.constant true
  %0 = scf.forall (%i) in (4) shared_outs(%o = %y) -> (tensor<16xf32>) {
    %t = tensor.extract_slice %x[0] [16] [1] : tensor<16xf32> to tensor<16xf32>
    %e = tensor.empty() : tensor<16xf32>
    %s = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]}
        ins(%t : tensor<16xf32>) outs(%e : tensor<16xf32>) {
    ^bb0(%a: f32, %b: f32):
      // expected-error @below {{expects an element-wise operation}}
      %1 = scf.if %yes -> f32 {
        scf.yield %a : f32
      } else {
        %2 = arith.negf %a : f32
        scf.yield %2 : f32
      }
      linalg.yield %1 : f32
    } -> tensor<16xf32>
    scf.forall.in_parallel {
      tensor.parallel_insert_slice %s into %o[0] [16] [1] : tensor<16xf32> into tensor<16xf32>
    }
  }
  return %0 : tensor<16xf32>
}
