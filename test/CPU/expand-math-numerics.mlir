// The polynomial of exp2 on the host, against the float64 evaluator: less than
// one unit in the last place (1.2e-7) over the range that is in use, and exact
// at its ends.
//
// RUN: diffattn-compile %s --entry=range --run --check 2>&1 | FileCheck %s --check-prefix=RANGE
// RUN: diffattn-compile %s --entry=specials --run --check 2>&1 | FileCheck %s --check-prefix=SPECIALS

#id = affine_map<(i) -> (i)>

// Each value is scaled to the size of 1, so that a relative error counts the
// same everywhere.
// RANGE: check: result 0: max error {{.*}} (relative {{[0-9.]+}}e-{{(0[89]|[1-9][0-9])}})
// RANGE-SAME: : ok
func.func @range() -> tensor<16xf32> {
  %x = arith.constant dense<[-126.0, -125.63, -100.5, -64.25, -24.0, -10.499, -1.0, -0.5,
                             -0.001, 0.0, 0.001, 0.499, 0.501, 1.0, 64.75, 126.99]> : tensor<16xf32>
  %s = arith.constant dense<[126.0, 125.0, 100.0, 64.0, 24.0, 10.0, 1.0, 0.0,
                             0.0, 0.0, 0.0, 0.0, 0.0, -1.0, -64.0, -126.0]> : tensor<16xf32>
  %o = tensor.empty() : tensor<16xf32>
  %r = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel"]}
      ins(%x, %s : tensor<16xf32>, tensor<16xf32>) outs(%o : tensor<16xf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32):
    %0 = math.exp2 %a : f32
    %1 = math.exp2 %b : f32
    %2 = arith.mulf %0, %1 : f32
    linalg.yield %2 : f32
  } -> tensor<16xf32>
  return %r : tensor<16xf32>
}

// -inf and far below the range give 0, NaN stays NaN, +inf stays +inf.
// The error is that of 2^-150, flushed to 0.
// SPECIALS: check: result 0: max error 7.006e-46
// SPECIALS-SAME: : ok
func.func @specials() -> tensor<8xf32> {
  %x = arith.constant dense<[0xFF800000, -150.0, -1.0e30, 0x7FC00000, 0x7F800000, 1.0, 2.0, 3.0]> : tensor<8xf32>
  %o = tensor.empty() : tensor<8xf32>
  %r = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]}
      ins(%x : tensor<8xf32>) outs(%o : tensor<8xf32>) {
  ^bb0(%a: f32, %b: f32):
    %0 = math.exp2 %a : f32
    linalg.yield %0 : f32
  } -> tensor<8xf32>
  return %r : tensor<8xf32>
}
