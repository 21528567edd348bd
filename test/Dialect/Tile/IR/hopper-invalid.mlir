// RUN: diffattn-opt %s --split-input-file --verify-diagnostics

func.func @roles_registers() {
  // expected-error @+1 {{'diffattn_tile.roles' op needs 90112 registers, but a block of 5 warpgroups starts with 61440}}
  diffattn_tile.roles
  role(%a) warpgroups 1 registers 32 {
  },
  role(%b) warpgroups 4 registers 168 {
  }
  return
}

// -----

func.func @roles_multiple() {
  // expected-error @+1 {{'diffattn_tile.roles' op expects a multiple of 8 between 24 and 240 registers, but got 30}}
  diffattn_tile.roles
  role(%a) warpgroups 1 registers 30 {
  }
  return
}

// -----

func.func @elected() {
  // expected-error @+1 {{'diffattn_tile.elected' op expects work of one thread, but contains 'diffattn_tile.team_barrier'}}
  diffattn_tile.elected {
    diffattn_tile.team_barrier
  }
  return
}

// -----

// expected-error @+1 {{expects between 1 and 64 barriers, but got 0}}
func.func private @no_barriers(!diffattn_tile.barriers<0>)

// -----

// expected-error @+1 {{expects the innermost dimension of a box to be a multiple of 16 bytes within one swizzle span, but it has 256 bytes}}
func.func private @wide_box(!diffattn_tile.tensor_map<1x128xbf16, swizzle = 128>)

// -----

#key = #diffattn_tile.shared<[d1*64, d0*80, d1*2:64], swizzle = 128>
func.func @copy_by_all(%map: !diffattn_tile.tensor_map<80x64xbf16, swizzle = 128>,
                       %k: !diffattn_tile.buffer<[80x128xbf16], #key>,
                       %full: !diffattn_tile.barriers<1>, %i: i32) {
  // expected-error @+1 {{'diffattn_tile.tensor_copy' op expects to be run by one thread, in diffattn_tile.elected}}
  diffattn_tile.tensor_copy %map[%i, %i] dims [0, 1] into %k, %full[%i]
      : !diffattn_tile.tensor_map<80x64xbf16, swizzle = 128>, !diffattn_tile.buffer<[80x128xbf16], #key>, !diffattn_tile.barriers<1>
  return
}

// -----

#key = #diffattn_tile.shared<[d1*64, d0*80, d1*2:64], swizzle = 128>
func.func @copy_digits(%map: !diffattn_tile.tensor_map<64x64xbf16, swizzle = 128>,
                       %k: !diffattn_tile.buffer<[80x128xbf16], #key>,
                       %full: !diffattn_tile.barriers<1>, %i: i32) {
  diffattn_tile.elected {
    // expected-error @+1 {{'diffattn_tile.tensor_copy' op expects a layout whose innermost digits are those of a box}}
    diffattn_tile.tensor_copy %map[%i, %i] dims [0, 1] into %k, %full[%i]
        : !diffattn_tile.tensor_map<64x64xbf16, swizzle = 128>, !diffattn_tile.buffer<[80x128xbf16], #key>, !diffattn_tile.barriers<1>
  }
  return
}

// -----

#acc = #diffattn_tile.fragment<register = [d2*2, d1*2, d2*10:8], lane = [d2*4:2, d0*8], warp = [d0*4:8]>
#query = #diffattn_tile.shared<[d2*64, d0*32, d1*2, d2*2:64], swizzle = 128>
#key = #diffattn_tile.shared<[d1*64, d0*80, d1*2:64], swizzle = 128>
// Rows of the operand in another order than those of the result.
func.func @dot_rows(%q: !diffattn_tile.buffer<[32x2x128xbf16], #query>,
                    %k: !diffattn_tile.buffer<[80x128xbf16], #key>) {
  // expected-error @+1 {{'diffattn_tile.dot_async' op expects a left operand of type}}
  %s = diffattn_tile.dot_async %q, %k transposed : !diffattn_tile.buffer<[32x2x128xbf16], #query>, !diffattn_tile.buffer<[80x128xbf16], #key> -> !diffattn_tile.pending<tensor<32x2x80xf32, #acc>>
  return
}

// -----

#acc = #diffattn_tile.fragment<register = [d1*2, d0*2:8, d1*10:8], lane = [d1*4:2, d0*8], warp = [d0*2:16]>
#query = #diffattn_tile.shared<[d1*64, d0*32, d1*2:64], swizzle = 128>
#key = #diffattn_tile.shared<[d1*64, d0*80, d1*2:64], swizzle = 128>
func.func @dot_warps(%q: !diffattn_tile.buffer<[32x128xbf16], #query>,
                     %k: !diffattn_tile.buffer<[80x128xbf16], #key>) {
  // expected-error @+1 {{'diffattn_tile.dot_async' op expects a result of 64 rows by 80 laid out for a warpgroup's matrix instruction}}
  %s = diffattn_tile.dot_async %q, %k transposed : !diffattn_tile.buffer<[32x128xbf16], #query>, !diffattn_tile.buffer<[80x128xbf16], #key> -> !diffattn_tile.pending<tensor<32x80xf32, #acc>>
  return
}

// -----

#acc = #diffattn_tile.fragment<register = [d2*2, d1*2, d2*10:8], lane = [d2*4:2, d0*8], warp = [d0*4:8]>
func.func @read_early(%s: !diffattn_tile.pending<tensor<32x2x80xf32, #acc>>) {
  // expected-note @-1 {{prior use here}}
  // expected-error @+1 {{use of value '%s' expects different type than prior uses}}
  %t = math.exp2 %s : tensor<32x2x80xf32, #acc>
  return
}

// -----

#row = #diffattn_tile.fragment<register = [d1*2], lane = [_*4, d0*8], warp = [d0*4:8]>
#acc = #diffattn_tile.fragment<register = [d2*2, d1*2, d2*10:8], lane = [d2*4:2, d0*8], warp = [d0*4:8]>
func.func @thread_reduce(%p: tensor<32x2x80xf32, #acc>) {
  // expected-error @+1 {{'diffattn_tile.thread_reduce' op expects a result of type}}
  %sum = diffattn_tile.thread_reduce add %p along 2 : tensor<32x2x80xf32, #acc> -> tensor<32x2xf32, #row>
  return
}

// -----

#numbers = #diffattn_tile.shared<[d0*4], swizzle = 0>
func.func @scalars(%tile: !diffattn_tile.buffer<[4xi32], #numbers>, %x: i32) {
  // expected-error @+1 {{'diffattn_tile.write_scalars' op expects a buffer of as many i32 as there are numbers, 1, 2 or 4, unswizzled}}
  diffattn_tile.write_scalars %x, %x into %tile : !diffattn_tile.buffer<[4xi32], #numbers>
  return
}
