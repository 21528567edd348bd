// Layouts: one spelling each, printed once at the top.
// RUN: diffattn-opt %s --split-input-file | FileCheck %s
// RUN: diffattn-opt %s --split-input-file | diffattn-opt --split-input-file | FileCheck %s
// RUN: diffattn-opt %s --split-input-file --mlir-print-op-generic | diffattn-opt --split-input-file | FileCheck %s

// The accumulator of a pair: rows 0-7 one branch, 8-15 the other.
// CHECK: #[[$ACC:.*]] = #diffattn_tile.fragment<register = [d2*2, d1*2, d2*8:8, d0*2:8], lane = [d2*4:2, d0*8], warp = [d0*4:16]>
#acc = #diffattn_tile.fragment<register = [d2*2, d1*2, d2*8:8, d0*2:8], lane = [d2*4:2, d0*8], warp = [d0*4:16]>
// CHECK-LABEL: @accumulator(
// CHECK-SAME: tensor<64x2x64xf32, #[[$ACC]]>
func.func private @accumulator(tensor<64x2x64xf32, #acc>)

// -----

// Without a column each quad keeps copies.
// CHECK: #[[$ROW:.*]] = #diffattn_tile.fragment<register = [d1*2, d0*2:8], lane = [_*4, d0*8], warp = [d0*4:16]>
#row = #diffattn_tile.fragment<register = [d1*2:1, d0*2:8], lane = [_*4, d0*8], warp = [d0*4:16]>
// CHECK-LABEL: @rows(
// CHECK-SAME: tensor<64x2xf32, #[[$ROW]]>
func.func private @rows(tensor<64x2xf32, #row>)

// -----

// One warp, no register digits, a size that is no power of two.
// CHECK: #[[$ONE:.*]] = #diffattn_tile.fragment<register = [], lane = [d0*32], warp = []>
// CHECK: #[[$MANY:.*]] = #diffattn_tile.fragment<register = [d0*5], lane = [d0*32:5], warp = [_*3]>
#one = #diffattn_tile.fragment<register = [], lane = [d0*32], warp = []>
#many = #diffattn_tile.fragment<register = [d0*5], lane = [d0*32:5], warp = [_*3]>
// CHECK-LABEL: @sizes(
// CHECK-SAME: tensor<32xf32, #[[$ONE]]>, tensor<160xf32, #[[$MANY]]>
func.func private @sizes(tensor<32xf32, #one>, tensor<160xf32, #many>)

// -----

// CHECK: #[[$PANELS:.*]] = #diffattn_tile.shared<[d1*64, d0*64, d1*2:64], swizzle = 128>
// CHECK: #[[$NARROW:.*]] = #diffattn_tile.shared<[d1*32, d0*80, d1*3:32], swizzle = 64>
// CHECK: #[[$PLAIN:.*]] = #diffattn_tile.shared<[d0*64], swizzle = 0>
#panels = #diffattn_tile.shared<[d1*64, d0*64, d1*2:64], swizzle = 128>
#narrow = #diffattn_tile.shared<[d1*32, d0*80, d1*3:32], swizzle = 64>
#plain = #diffattn_tile.shared<[d0*64], swizzle = 0>
// CHECK-LABEL: @buffers(
// CHECK-SAME: !diffattn_tile.buffer<[64x128xbf16], #[[$PANELS]]>
// CHECK-SAME: !diffattn_tile.buffer<3 x [80x96xf16], #[[$NARROW]]>
// CHECK-SAME: !diffattn_tile.buffer<[64xf32], #[[$PLAIN]]>
// CHECK-SAME: !diffattn_tile.buffer<[64xf32], #[[$PLAIN]]>
func.func private @buffers(!diffattn_tile.buffer<[64x128xbf16], #panels>, !diffattn_tile.buffer<3 x [80x96xf16], #narrow>, !diffattn_tile.buffer<[64xf32], #plain>, !diffattn_tile.buffer<1 x [64xf32], #plain>)
