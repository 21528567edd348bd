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

// -----

func.func @role_argument() {
  // expected-error @+1 {{'diffattn_tile.roles' op expects each role to have one argument, an i32}}
  "diffattn_tile.roles"() <{warpgroups = array<i64: 1>, registers = array<i64: 32>}> ({
  ^bb0(%w: index):
  }) : () -> ()
  return
}

// -----

func.func @role_counts() {
  // expected-error @+1 {{'diffattn_tile.roles' op expects warpgroups and registers for each of 1 roles}}
  "diffattn_tile.roles"() <{warpgroups = array<i64: 1, 1>, registers = array<i64: 32>}> ({
  ^bb0(%w: i32):
  }) : () -> ()
  return
}

// -----

func.func @role_warpgroups() {
  // expected-error @+1 {{'diffattn_tile.roles' op expects 1 to 8 warpgroups in a role, but got 9}}
  diffattn_tile.roles
  role(%a) warpgroups 9 registers 24 {
  }
  return
}

// -----

func.func @turn_alone() {
  diffattn_tile.roles
  role(%a) warpgroups 1 registers 32 {
    // expected-error @+1 {{'diffattn_tile.take_turn' op expects a role of 2 to 4 teams, but got 1}}
    diffattn_tile.take_turn
  }
  return
}

// -----

func.func @turn_outside() {
  // expected-error @+1 {{'diffattn_tile.pass_turn' op expects a role of 2 to 4 teams, but got 1}}
  diffattn_tile.pass_turn
  return
}

// -----

// expected-error @+1 {{expects elements of whole bytes, but got 'i1'}}
func.func private @bits(!diffattn_tile.tensor_map<8x64xi1, swizzle = 128>)

// -----

// expected-error @+1 {{expects a box of 1 to 5 dimensions of 1 to 256}}
func.func private @large_box(!diffattn_tile.tensor_map<257x64xbf16, swizzle = 128>)

// -----

// expected-error @+1 {{expects a swizzle of 0, 32, 64 or 128, but got 48}}
func.func private @odd_swizzle(!diffattn_tile.tensor_map<8x64xbf16, swizzle = 48>)

// -----

// expected-error @+2 {{expects barrier_init or async_proxy, but got 'all'}}
func.func @fence() {
  diffattn_tile.fence all
  return
}

// -----

#key = #diffattn_tile.shared<[d1*64, d0*80], swizzle = 128>
!map = !diffattn_tile.tensor_map<80x64xbf16, swizzle = 128>
!key = !diffattn_tile.buffer<[80x64xbf16], #key>
func.func @copy_coordinates(%map: !map, %k: !key, %full: !diffattn_tile.barriers<1>, %i: i32) {
  diffattn_tile.elected {
    // expected-error @+1 {{'diffattn_tile.tensor_copy' op expects 2 coordinates, but got 1}}
    diffattn_tile.tensor_copy %map[%i] dims [0, 1] into %k, %full[%i] : !map, !key, !diffattn_tile.barriers<1>
  }
  return
}

// -----

#key = #diffattn_tile.shared<[d1*64, d0*80], swizzle = 128>
!map = !diffattn_tile.tensor_map<80x64xf16, swizzle = 128>
!key = !diffattn_tile.buffer<[80x64xbf16], #key>
func.func @copy_elements(%map: !map, %k: !key, %full: !diffattn_tile.barriers<1>, %i: i32) {
  diffattn_tile.elected {
    // expected-error @+1 {{'diffattn_tile.tensor_copy' op expects the element type and swizzle of '!diffattn_tile.tensor_map<80x64xf16, swizzle = 128>', but got}}
    diffattn_tile.tensor_copy %map[%i, %i] dims [0, 1] into %k, %full[%i] : !map, !key, !diffattn_tile.barriers<1>
  }
  return
}

// -----

#key = #diffattn_tile.shared<[d1*64, d0*80], swizzle = 128>
!map = !diffattn_tile.tensor_map<80x64xbf16, swizzle = 128>
!key = !diffattn_tile.buffer<[80x64xbf16], #key>
func.func @copy_dims(%map: !map, %k: !key, %full: !diffattn_tile.barriers<1>, %i: i32) {
  diffattn_tile.elected {
    // expected-error @+1 {{'diffattn_tile.tensor_copy' op expects dims to be different dimensions of the map, but got 1}}
    diffattn_tile.tensor_copy %map[%i, %i] dims [1, 1] into %k, %full[%i] : !map, !key, !diffattn_tile.barriers<1>
  }
  return
}

// -----

#key = #diffattn_tile.shared<[d1*64, d0*80], swizzle = 128>
!map = !diffattn_tile.tensor_map<2x80x64xbf16, swizzle = 128>
!key = !diffattn_tile.buffer<[80x64xbf16], #key>
func.func @copy_box(%map: !map, %k: !key, %full: !diffattn_tile.barriers<1>, %i: i32) {
  diffattn_tile.elected {
    // expected-error @+1 {{'diffattn_tile.tensor_copy' op expects a box of size 1 along dimension 0 of the map, which the buffer does not have}}
    diffattn_tile.tensor_copy %map[%i, %i, %i] dims [1, 2] into %k, %full[%i] : !map, !key, !diffattn_tile.barriers<1>
  }
  return
}

// -----

#acc = #diffattn_tile.fragment<register = [d1*2, d0*2:8, d1*8:8], lane = [d1*4:2, d0*8], warp = [d0*4:16]>
#value = #diffattn_tile.shared<[d1*64, d0*64], swizzle = 128>
!value = !diffattn_tile.buffer<[64x64xbf16], #value>
func.func @dot_accumulator(%p: tensor<64x64xbf16, #acc>, %v: !value, %acc: tensor<64x64xf32, #acc>) {
  // expected-error @+1 {{'diffattn_tile.dot_async' op expects a result of f32 with a layout and a right operand of rank 2}}
  %s = diffattn_tile.dot_async %p, %v : tensor<64x64xbf16, #acc>, !value -> !diffattn_tile.pending<tensor<64x64xf32>>
  return
}

// -----

#acc = #diffattn_tile.fragment<register = [d1*2, d0*2:8, d1*8:8], lane = [d1*4:2, d0*8], warp = [d0*4:16]>
#value = #diffattn_tile.shared<[d1*64, d0*64], swizzle = 64>
!value = !diffattn_tile.buffer<[64x64xbf16], #value>
func.func @dot_layout(%p: tensor<64x64xbf16, #acc>, %v: !value) {
  // expected-error @+1 {{'diffattn_tile.dot_async' op expects a right operand with layout #diffattn_tile.shared<[d1*64, d0*64], swizzle = 128>, but got #diffattn_tile.shared<[d1*64, d0*64], swizzle = 64>}}
  %s = diffattn_tile.dot_async %p, %v : tensor<64x64xbf16, #acc>, !value -> !diffattn_tile.pending<tensor<64x64xf32, #acc>>
  return
}

// -----

#acc = #diffattn_tile.fragment<register = [d1*2, d0*2:8, d1*8:8], lane = [d1*4:2, d0*8], warp = [d0*4:16]>
#value = #diffattn_tile.shared<[d1*64, d0*64], swizzle = 128>
!value = !diffattn_tile.buffer<[64x64xi16], #value>
func.func @dot_elements(%p: tensor<64x64xi16, #acc>, %v: !value) {
  // expected-error @+1 {{'diffattn_tile.dot_async' op expects operands of f16 or bf16, but got 'i16'}}
  %s = diffattn_tile.dot_async %p, %v : tensor<64x64xi16, #acc>, !value -> !diffattn_tile.pending<tensor<64x64xf32, #acc>>
  return
}

// -----

func.func @thread_reduce_layout(%p: tensor<32x80xf32>) {
  // expected-error @+1 {{'diffattn_tile.thread_reduce' op expects a dimension below 2 and a source with a layout, but got 1}}
  %sum = diffattn_tile.thread_reduce add %p along 1 : tensor<32x80xf32> -> tensor<32x4xf32>
  return
}

// -----

func.func @fetch_add(%counters: memref<2x2xi32>, %i: index, %x: i32) {
  // expected-error @+1 {{'diffattn_tile.fetch_add' op expects memory of rank 1, but got 'memref<2x2xi32>'}}
  %t = diffattn_tile.fetch_add %counters[%i], %x : memref<2x2xi32>
  return
}

// -----

func.func @elected_warp() {
  // expected-error @+1 {{'diffattn_tile.elected' op attribute 'warp' failed to satisfy constraint}}
  diffattn_tile.elected warp 4 {
  }
  return
}

// -----

#out = #diffattn_tile.shared<[d1*64, d0*32], swizzle = 128>
func.func @store_by_all(%map: !diffattn_tile.tensor_map<32x64xbf16, swizzle = 128>,
                        %o: !diffattn_tile.buffer<[32x64xbf16], #out>, %i: i32) {
  // expected-error @+1 {{'diffattn_tile.tensor_store' op expects to be run by one thread, in diffattn_tile.elected}}
  diffattn_tile.tensor_store %o into %map[%i, %i] dims [0, 1]
      : !diffattn_tile.buffer<[32x64xbf16], #out>, !diffattn_tile.tensor_map<32x64xbf16, swizzle = 128>
  return
}

// -----

#out = #diffattn_tile.shared<[d1*64, d0*32], swizzle = 128>
func.func @store_swizzle(%map: !diffattn_tile.tensor_map<32x32xbf16, swizzle = 64>,
                         %o: !diffattn_tile.buffer<[32x64xbf16], #out>, %i: i32) {
  diffattn_tile.elected {
    // expected-error @+1 {{'diffattn_tile.tensor_store' op expects the element type and swizzle of '!diffattn_tile.tensor_map<32x32xbf16, swizzle = 64>'}}
    diffattn_tile.tensor_store %o into %map[%i, %i] dims [0, 1]
        : !diffattn_tile.buffer<[32x64xbf16], #out>, !diffattn_tile.tensor_map<32x32xbf16, swizzle = 64>
  }
  return
}

// -----

func.func @wait_by_all() {
  // expected-error @+1 {{'diffattn_tile.store_wait' op expects to be run by one thread, in diffattn_tile.elected}}
  diffattn_tile.store_wait 0
  return
}

// -----

#out = #diffattn_tile.shared<[d1*64, d0*32], swizzle = 128>
func.func @reuse_larger(%o: !diffattn_tile.buffer<[32x64xbf16], #out>) {
  // expected-error @+1 {{'diffattn_tile.reuse' op expects a result of at most 4096 bytes, but '!diffattn_tile.buffer<2 x [32x64xbf16], #diffattn_tile.shared<[d1*64, d0*32], swizzle = 128>>' has 8192}}
  %r = diffattn_tile.reuse %o : !diffattn_tile.buffer<[32x64xbf16], #out> -> !diffattn_tile.buffer<2 x [32x64xbf16], #out>
  return
}

// -----

func.func @cluster_barrier() {
  diffattn_tile.roles
  role(%a) warpgroups 1 registers 32 {
    // expected-error @+1 {{'diffattn_tile.cluster_barrier' op is for all threads of the block, but in a role}}
    diffattn_tile.cluster_barrier
  }
  return
}

// -----

#key = #diffattn_tile.shared<[d1*64, d0*80], swizzle = 128>
func.func @share(%map: !diffattn_tile.tensor_map<80x64xbf16, swizzle = 128>,
                 %k: !diffattn_tile.buffer<[80x64xbf16], #key>,
                 %full: !diffattn_tile.barriers<1>, %i: i32) {
  diffattn_tile.elected {
    // expected-error @+1 {{'diffattn_tile.tensor_copy' op expects boxes in groups of 2 along one dimension}}
    diffattn_tile.tensor_copy %map[%i, %i] dims [0, 1] into %k, %full[%i] share %i of 2
        : !diffattn_tile.tensor_map<80x64xbf16, swizzle = 128>, !diffattn_tile.buffer<[80x64xbf16], #key>, !diffattn_tile.barriers<1>
  }
  return
}
