// RUN: diffattn-opt %s --split-input-file --verify-diagnostics --pass-pipeline='builtin.module(gpu.module(gpu.func(diffattn-tile-assign-layouts)))'

#keys = #diffattn_tile.shared<[d1*64, d0*64], swizzle = 128>
#few = #diffattn_tile.shared<[d1*64, d0*32], swizzle = 128>
gpu.module @kernels {
  gpu.func @rows() kernel attributes {diffattn_tile.warps = 4 : i64} {
    %q = diffattn_tile.alloc : !diffattn_tile.buffer<[32x64xbf16], #few>
    %k = diffattn_tile.alloc : !diffattn_tile.buffer<[64x64xbf16], #keys>
    %zero = arith.constant dense<0.0> : tensor<32x64xf32>
    // expected-error @below {{'diffattn_tile.dot' op expects rows in multiples of 16 for each of 4 warps, and columns in multiples of 8, but got 32 rows and 64 columns}}
    %s = diffattn_tile.dot %q, %k, %zero transposed : !diffattn_tile.buffer<[32x64xbf16], #few>, !diffattn_tile.buffer<[64x64xbf16], #keys>, tensor<32x64xf32>
    gpu.return
  }
}

// -----

#query = #diffattn_tile.shared<[d2*64, d0*12, d1*2], swizzle = 128>
#keys = #diffattn_tile.shared<[d1*64, d0*64], swizzle = 128>
gpu.module @kernels {
  gpu.func @branches() kernel attributes {diffattn_tile.warps = 1 : i64} {
    %q = diffattn_tile.alloc : !diffattn_tile.buffer<[12x2x64xbf16], #query>
    %k = diffattn_tile.alloc : !diffattn_tile.buffer<[64x64xbf16], #keys>
    %zero = arith.constant dense<0.0> : tensor<12x2x64xf32>
    // expected-error @below {{'diffattn_tile.dot' op expects a multiple of 8 rows of each branch, but got 12}}
    %s = diffattn_tile.dot %q, %k, %zero transposed : !diffattn_tile.buffer<[12x2x64xbf16], #query>, !diffattn_tile.buffer<[64x64xbf16], #keys>, tensor<12x2x64xf32>
    %first = diffattn_tile.select %s at 0 of 1 : tensor<12x2x64xf32> -> tensor<12x64xf32>
    gpu.return
  }
}

// -----

gpu.module @kernels {
  gpu.func @no_product(%l: memref<64xf32>, %out: memref<64xf32>) kernel attributes {diffattn_tile.warps = 4 : i64} {
    // expected-error @below {{'diffattn_tile.load' op has a result that no product gives a layout}}
    %t = diffattn_tile.load %l : memref<64xf32> -> tensor<64xf32>
    diffattn_tile.store %t, %out : tensor<64xf32>, memref<64xf32>
    gpu.return
  }
}
