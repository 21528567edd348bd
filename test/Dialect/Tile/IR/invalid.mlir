// One case for each message of the verifiers.
// RUN: diffattn-opt %s --split-input-file --verify-diagnostics

// Layouts.
// expected-error@+1 {{expects a digit d<dimension>*<extent>[:<stride>] or _*<extent>}}
#a = #diffattn_tile.shared<[x*4], swizzle = 0>

// -----

// expected-error@+1 {{expects register digits with extents and strides between 1 and 65536 and dimensions up to 15}}
#a = #diffattn_tile.fragment<register = [d0*0], lane = [d0*32], warp = []>

// -----

// expected-error@+1 {{expects lane digits with extents and strides between 1 and 65536 and dimensions up to 15}}
#a = #diffattn_tile.fragment<register = [], lane = [d16*32], warp = []>

// -----

// expected-error@+1 {{expects no copies among the register digits}}
#a = #diffattn_tile.fragment<register = [_*2], lane = [d0*32], warp = []>

// -----

// expected-error@+1 {{expects no copies among the offset digits}}
#a = #diffattn_tile.shared<[_*2], swizzle = 0>

// -----

// expected-error@+1 {{expects warp digits in normal form: no extent of 1, digits that continue each other joined}}
#a = #diffattn_tile.fragment<register = [], lane = [d0*32], warp = [d0*1:32]>

// -----

// expected-error@+1 {{expects lane digits in normal form}}
#a = #diffattn_tile.fragment<register = [], lane = [d0*8, d0*4:8], warp = []>

// -----

// expected-error@+1 {{expects offset digits that tell at most 1048576 indices apart}}
#a = #diffattn_tile.shared<[d0*65536, d1*65536, d2*65536, d3*65536, d4*65536], swizzle = 0>

// -----

// expected-error@+1 {{expects lane digits for 32 lanes, but got 16}}
#a = #diffattn_tile.fragment<register = [], lane = [d0*16], warp = []>

// -----

// expected-error@+1 {{expects a swizzle span of 0, 32, 64 or 128 bytes, but got 48}}
#a = #diffattn_tile.shared<[d0*64], swizzle = 48>

// -----

#a = #diffattn_tile.fragment<register = [d0*2], lane = [d0*32:2], warp = []>
// expected-error@+1 {{expects a fragment that reaches every element of a tensor of shape 63 exactly once}}
func.func private @f(tensor<63xf32, #a>)

// -----

// Two digits walk the same elements.
#a = #diffattn_tile.fragment<register = [d0*2], lane = [d0*32], warp = []>
// expected-error@+1 {{expects a fragment that reaches every element of a tensor of shape 64 exactly once}}
func.func private @f(tensor<64xf32, #a>)

// -----

// Types.
#a = #diffattn_tile.shared<[d0*64], swizzle = 0>
// expected-error@+1 {{expects between 1 and 64 slots, but got 65}}
func.func private @f(!diffattn_tile.buffer<65 x [64xbf16], #a>)

// -----

#a = #diffattn_tile.shared<[d0*64], swizzle = 0>
// expected-error@+1 {{expects elements of 1, 2, 4 or 8 bytes, but got 'i1'}}
func.func private @f(!diffattn_tile.buffer<[64xi1], #a>)

// -----

#a = #diffattn_tile.shared<[d0*64], swizzle = 0>
// expected-error@+1 {{expects elements of 1, 2, 4 or 8 bytes, but got 'i256'}}
func.func private @f(!diffattn_tile.buffer<[64xi256], #a>)

// -----

#a = #diffattn_tile.shared<[d0*64], swizzle = 0>
// expected-error@+1 {{expects a static tile of at most 2^20 elements}}
func.func private @f(!diffattn_tile.buffer<[1024x4611686018427387904xbf16], #a>)

// -----

#a = #diffattn_tile.shared<[d0*64], swizzle = 0>
// expected-error@+1 {{expects a layout that places every element of a tile of shape 64x2 exactly once}}
func.func private @f(!diffattn_tile.buffer<[64x2xbf16], #a>)

// -----

// Global memory.
func.func @f(%m: memref<?x64xf16>) {
  // expected-error@+1 {{expects elements of 'bf16' in global memory, but got 'f16'}}
  %t = diffattn_tile.load %m : memref<?x64xf16> -> tensor<8x64xbf16>
  return
}

// -----

func.func @f(%m: memref<?x64xf16>) {
  // expected-error@+1 {{expects global memory of rank 1, but got 2}}
  %t = diffattn_tile.load %m : memref<?x64xf16> -> tensor<64xf16>
  return
}

// -----

func.func @f(%m: memref<?x64xf16>, %t: tensor<8x32xf16>) {
  // expected-error@+1 {{expects global size ? or at most 32 in dimension 1, but got 64}}
  diffattn_tile.store %t, %m : tensor<8x32xf16>, memref<?x64xf16>
  return
}

// -----

// Shared memory.
#shared = #diffattn_tile.shared<[d1*64, d0*64], swizzle = 128>
func.func @f(%m: memref<?x64xbf16>, %ring: !diffattn_tile.buffer<2 x [64x64xbf16], #shared>) {
  // expected-error@+1 {{expects one slot of a ring, but got 2; pick one with diffattn_tile.slot}}
  diffattn_tile.async_copy %m into %ring : memref<?x64xbf16>, !diffattn_tile.buffer<2 x [64x64xbf16], #shared>
  return
}

// -----

#shared = #diffattn_tile.shared<[d1*64, d0*64], swizzle = 128>
func.func @f(%m: memref<?x64xbf16, strided<[?, 2]>>, %b: !diffattn_tile.buffer<[64x64xbf16], #shared>) {
  // expected-error@+1 {{expects a static last dimension of stride 1, but got}}
  diffattn_tile.async_copy %m into %b : memref<?x64xbf16, strided<[?, 2]>>, !diffattn_tile.buffer<[64x64xbf16], #shared>
  return
}

// -----

#shared = #diffattn_tile.shared<[d1*64, d0*64], swizzle = 128>
func.func @f(%m: memref<?x?xbf16>, %b: !diffattn_tile.buffer<[64x64xbf16], #shared>) {
  // expected-error@+1 {{expects a static last dimension of stride 1, but got}}
  diffattn_tile.async_copy %m into %b : memref<?x?xbf16>, !diffattn_tile.buffer<[64x64xbf16], #shared>
  return
}

// -----

#columns = #diffattn_tile.shared<[d0*64, d1*64], swizzle = 128>
func.func @f(%m: memref<?x64xbf16>, %b: !diffattn_tile.buffer<[64x64xbf16], #columns>) {
  // expected-error@+1 {{expects a buffer whose innermost digit walks the last dimension in runs of 16 bytes, but got}}
  diffattn_tile.async_copy %m into %b : memref<?x64xbf16>, !diffattn_tile.buffer<[64x64xbf16], #columns>
  return
}

// -----

#one = #diffattn_tile.shared<[], swizzle = 0>
func.func @f(%m: memref<1xbf16>, %b: !diffattn_tile.buffer<[1xbf16], #one>) {
  // expected-error@+1 {{expects a buffer whose innermost digit walks the last dimension in runs of 16 bytes, but got}}
  diffattn_tile.async_copy %m into %b : memref<1xbf16>, !diffattn_tile.buffer<[1xbf16], #one>
  return
}

// -----

#one = #diffattn_tile.shared<[], swizzle = 0>
func.func @f(%m: memref<bf16>, %b: !diffattn_tile.buffer<[bf16], #one>) {
  // expected-error@+1 {{expects a static last dimension of stride 1, but got}}
  diffattn_tile.async_copy %m into %b : memref<bf16>, !diffattn_tile.buffer<[bf16], #one>
  return
}

// -----

#shared = #diffattn_tile.shared<[d1*64, d0*64], swizzle = 128>
func.func @f(%b: !diffattn_tile.buffer<[64x64xbf16], #shared>) {
  // expected-error@+1 {{expects a result, and offsets, of the rank and element type of}}
  %t = diffattn_tile.local_load %b[0, 0] : !diffattn_tile.buffer<[64x64xbf16], #shared> -> tensor<64x64xf16>
  return
}

// -----

#shared = #diffattn_tile.shared<[d1*64, d0*64], swizzle = 128>
func.func @f(%b: !diffattn_tile.buffer<[64x64xbf16], #shared>) {
  // expected-error@+1 {{reads beyond its source: offset 56 and size 16 in dimension 1 of 64}}
  %t = diffattn_tile.local_load %b[0, 56] : !diffattn_tile.buffer<[64x64xbf16], #shared> -> tensor<64x16xbf16>
  return
}

// -----

#shared = #diffattn_tile.shared<[d1*64, d0*64], swizzle = 128>
func.func @f(%b: !diffattn_tile.buffer<[64x64xbf16], #shared>) {
  // expected-error@+1 {{reads beyond its source: offset 9223372036854775807 and size 64 in dimension 0 of 64}}
  %t = diffattn_tile.local_load %b[9223372036854775807, 0] : !diffattn_tile.buffer<[64x64xbf16], #shared> -> tensor<64x64xbf16>
  return
}

// -----

#shared = #diffattn_tile.shared<[d1*64, d0*64], swizzle = 128>
func.func @f(%b: !diffattn_tile.buffer<[64x64xbf16], #shared>, %t: tensor<64x32xbf16>) {
  // expected-error@+1 {{expects a value of the shape and element type of}}
  diffattn_tile.local_store %t, %b : tensor<64x32xbf16>, !diffattn_tile.buffer<[64x64xbf16], #shared>
  return
}

// -----

// Products.
func.func @f(%a: tensor<16x16xf16>, %b: tensor<16x8xbf16>, %c: tensor<16x8xf32>) {
  // expected-error@+1 {{expects operands of one type of f16, bf16, but got 'f16' and 'bf16'}}
  %d = diffattn_tile.dot %a, %b, %c : tensor<16x16xf16>, tensor<16x8xbf16>, tensor<16x8xf32>
  return
}

// -----

func.func @f(%a: tensor<16x16xf16>, %b: tensor<1x16x8xf16>, %c: tensor<16x8xf32>) {
  // expected-error@+1 {{expects a right operand of rank 2 and an accumulator of the left operand's rank, at least 2}}
  %d = diffattn_tile.dot %a, %b, %c : tensor<16x16xf16>, tensor<1x16x8xf16>, tensor<16x8xf32>
  return
}

// -----

func.func @f(%a: tensor<16x16xf16>, %b: tensor<16x8xf16>, %c: tensor<16x8xf32>) {
  // expected-error@+1 {{expects shapes that agree: left rows x k, right n x k, accumulator rows x n, with k = 8 and n = 16}}
  %d = diffattn_tile.dot %a, %b, %c transposed : tensor<16x16xf16>, tensor<16x8xf16>, tensor<16x8xf32>
  return
}

// -----

#bad = #diffattn_tile.fragment<register = [d1*8], lane = [d0*16, d1*2:8], warp = []>
func.func @f(%a: tensor<16x16xf16>, %b: tensor<16x16xf16>, %c: tensor<16x16xf32, #bad>) {
  // expected-error@+1 {{expects an accumulator laid out for a matrix instruction, but got}}
  %d = diffattn_tile.dot %a, %b, %c : tensor<16x16xf16>, tensor<16x16xf16>, tensor<16x16xf32, #bad>
  return
}

// -----

#c = #diffattn_tile.fragment<register = [d1*2, d0*2:8, d1*2:8], lane = [d1*4:2, d0*8], warp = []>
#bad = #diffattn_tile.fragment<register = [d1*8], lane = [d0*16, d1*2:8], warp = []>
func.func @f(%a: tensor<16x16xf16, #bad>, %b: tensor<16x16xf16>, %c: tensor<16x16xf32, #c>) {
  // expected-error@+1 {{expects the left operand in the layout}}
  %d = diffattn_tile.dot %a, %b, %c : tensor<16x16xf16, #bad>, tensor<16x16xf16>, tensor<16x16xf32, #c>
  return
}

// -----

#c = #diffattn_tile.fragment<register = [d1*2, d0*2:8, d1*2:8], lane = [d1*4:2, d0*8], warp = []>
func.func @f(%a: tensor<16x16xf16, #c>, %b: tensor<16x16xf16, #c>, %c: tensor<16x16xf32, #c>) {
  // expected-error@+1 {{expects the right operand in the layout}}
  %d = diffattn_tile.dot %a, %b, %c : tensor<16x16xf16, #c>, tensor<16x16xf16, #c>, tensor<16x16xf32, #c>
  return
}

// -----

// A matrix instruction has a depth of 16.
#c = #diffattn_tile.fragment<register = [d1*2, d0*2:8, d1*2:8], lane = [d1*4:2, d0*8], warp = []>
#a = #diffattn_tile.fragment<register = [d1*2, d0*2:8], lane = [d1*4:2, d0*8], warp = []>
func.func @f(%a: tensor<16x8xf16, #a>, %b: tensor<8x16xf16>, %c: tensor<16x16xf32, #c>) {
  // expected-error@+1 {{expects a depth that is a multiple of 16, but got 8}}
  %d = diffattn_tile.dot %a, %b, %c : tensor<16x8xf16, #a>, tensor<8x16xf16>, tensor<16x16xf32, #c>
  return
}

// -----

// Registers.
func.func @f(%s: tensor<16x8xf32>) {
  // expected-error@+1 {{expects a dimension below 2, but got 2}}
  %t = diffattn_tile.reduce add %s along 2 : tensor<16x8xf32> -> tensor<16xf32>
  return
}

// -----

func.func @f(%s: tensor<16x8xf32>) {
  // expected-error@+1 {{expects the type without dimension 1 to be 'tensor<16xf32>', but got 'tensor<8xf32>'}}
  %t = diffattn_tile.reduce max %s along 1 : tensor<16x8xf32> -> tensor<8xf32>
  return
}

// -----

// The layout of a sum follows from that of its terms.
#c = #diffattn_tile.fragment<register = [d1*2, d0*2:8, d1*2:8], lane = [d1*4:2, d0*8], warp = []>
#bad = #diffattn_tile.fragment<register = [], lane = [_*2, d0*16], warp = []>
func.func @f(%s: tensor<16x16xf32, #c>) {
  // expected-error@+1 {{expects the type without dimension 1 to be}}
  %t = diffattn_tile.reduce add %s along 1 : tensor<16x16xf32, #c> -> tensor<16xf32, #bad>
  return
}

// -----

func.func @f(%s: tensor<16x8xf32>) {
  // expected-error@+1 {{expects add or max, but got 'mul'}}
  %t = diffattn_tile.reduce mul %s along 1 : tensor<16x8xf32> -> tensor<16xf32>
  return
}

// -----

func.func @f(%s: tensor<16xf32>) {
  // expected-error@+1 {{expects the type without dimension 0 to be 'tensor<8xf32>', but got 'tensor<16xf32>'}}
  %t = diffattn_tile.broadcast %s along 0 : tensor<16xf32> -> tensor<16x8xf32>
  return
}

// -----

func.func @f(%s: tensor<16x2xf32>) {
  // expected-error@+1 {{expects an index below 2, but got 2}}
  %t = diffattn_tile.select %s at 2 of 1 : tensor<16x2xf32> -> tensor<16xf32>
  return
}

// -----

#c = #diffattn_tile.fragment<register = [d1*2], lane = [d0*16, d1*2:2], warp = []>
#r = #diffattn_tile.fragment<register = [], lane = [d0*16, _*2], warp = []>
func.func @f(%s: tensor<16x4xf32, #c>) {
  // expected-error@+1 {{expects dimension 1 to lie within a thread, but its layout is}}
  %t = diffattn_tile.select %s at 0 of 1 : tensor<16x4xf32, #c> -> tensor<16xf32, #r>
  return
}

// -----

func.func @f(%s: tensor<16x8xf32>, %n: index) {
  // expected-error@+1 {{expects a set of 2 dimensions and 1 symbols, but got 1 and 1}}
  %t = diffattn_tile.mask %s[%n] where affine_set<(m)[n] : (n - m >= 0)> else 0.0 : tensor<16x8xf32>
  return
}

// -----

func.func @f(%s: tensor<16x8xf32>, %n: index) {
  // expected-error@+1 {{expects inequalities that are linear, but constraint 0 is not}}
  %t = diffattn_tile.mask %s[%n] where affine_set<(m, k)[n] : (n - m == 0)> else 0.0 : tensor<16x8xf32>
  return
}

// -----

func.func @f(%s: tensor<16x8xf32>, %n: index) {
  // expected-error@+1 {{expects inequalities that are linear, but constraint 0 is not}}
  %t = diffattn_tile.mask %s[%n] where affine_set<(m, k)[n] : (n - (m mod 2) >= 0)> else 0.0 : tensor<16x8xf32>
  return
}

// -----

func.func @f(%s: tensor<16x8xf32>, %n: index) {
  // expected-error@+1 {{expects inequalities that are linear, but constraint 0 is not}}
  %t = diffattn_tile.mask %s[%n] where affine_set<(m, k)[n] : (n - m * n >= 0)> else 0.0 : tensor<16x8xf32>
  return
}

// -----

func.func @f(%s: tensor<16x8xf32>, %n: index) {
  // expected-error@+1 {{expects dimensions with coefficients -1, 0 or 1 and one symbol with coefficient 1 in constraint 1}}
  %t = diffattn_tile.mask %s[%n] where affine_set<(m, k)[n] : (n - m >= 0, n - 2 * m >= 0)> else 0.0 : tensor<16x8xf32>
  return
}

// -----

func.func @f(%s: tensor<16x8xf32>, %n: index) {
  // expected-error@+1 {{expects dimensions with coefficients -1, 0 or 1 and one symbol with coefficient 1 in constraint 0}}
  %t = diffattn_tile.mask %s[%n] where affine_set<(m, k)[n] : (m - n >= 0)> else 0.0 : tensor<16x8xf32>
  return
}

// -----

func.func @f() {
  // expected-error@+1 {{expects a dimension below 2, but got 2}}
  %t = diffattn_tile.index 2 : tensor<16x8xindex>
  return
}

// -----

func.func @f(%s: tensor<16x8xf32>) {
  // expected-error@+1 {{expects tensors that differ in layout only, but got 'tensor<16x8xf32>' and 'tensor<8x16xf32>'}}
  %t = diffattn_tile.convert_layout %s : tensor<16x8xf32> -> tensor<8x16xf32>
  return
}

// -----

func.func @f(%s: tensor<16x8xf32>) {
  // expected-error@+1 {{reads beyond its source: offset 8 and size 16 in dimension 0 of 16}}
  %t = diffattn_tile.slice %s[8, 0] : tensor<16x8xf32> -> tensor<16x8xf32>
  return
}

// -----

#c = #diffattn_tile.fragment<register = [d1*2, d0*2:8, d1*2:8], lane = [d1*4:2, d0*8], warp = []>
#h = #diffattn_tile.fragment<register = [d1*2, d0*2:8], lane = [d1*4:2, d0*8], warp = []>
func.func @f(%s: tensor<16x16xf32, #c>) {
  // expected-error@+1 {{expects offsets that are multiples of 8, but got 4 in dimension 1}}
  %t = diffattn_tile.slice %s[0, 4] : tensor<16x16xf32, #c> -> tensor<16x8xf32, #h>
  return
}

// -----

func.func @f(%s: tensor<16x8xf32>) {
  // expected-error@+1 {{expects a permutation of 2 dimensions}}
  %t = diffattn_tile.transpose %s [0, 0] : tensor<16x8xf32> -> tensor<16x8xf32>
  return
}
