// RUN: diffattn-opt %s --split-input-file --verify-diagnostics --pass-pipeline='builtin.module(gpu.module(diffattn-tile-to-nvvm))'

gpu.module @kernels {
  gpu.func @layout(%in: memref<8xf32>) kernel attributes {diffattn_tile.warps = 1 : i64} {
    // expected-error @below {{'diffattn_tile.load' op expects a layout on its result; run diffattn-tile-assign-layouts}}
    %s = diffattn_tile.load %in : memref<8xf32> -> tensor<8xf32>
    gpu.return
  }
}

// -----

#keys = #diffattn_tile.shared<[d1*64, d0*64], swizzle = 128>
gpu.module @kernels {
  gpu.func @offset(%g: memref<64x64xbf16>) kernel attributes {diffattn_tile.warps = 1 : i64} {
    // expected-error @below {{'diffattn_tile.alloc' op expects an offset; run diffattn-tile-allocate}}
    // expected-error @below {{failed to legalize operation 'diffattn_tile.alloc'}}
    %k = diffattn_tile.alloc : !diffattn_tile.buffer<[64x64xbf16], #keys>
    diffattn_tile.async_copy %g into %k : memref<64x64xbf16>, !diffattn_tile.buffer<[64x64xbf16], #keys>
    gpu.return
  }
}

// -----

#keys = #diffattn_tile.shared<[d1*64, d0*64], swizzle = 128>
gpu.module @kernels {
  gpu.func @threads(%g: memref<64x64xbf16>) kernel attributes {diffattn_tile.warps = 3 : i64} {
    %k = diffattn_tile.alloc {offset = 0 : i64} : !diffattn_tile.buffer<[64x64xbf16], #keys>
    // expected-error @below {{'diffattn_tile.async_copy' op expects a tile whose 512 chunks of 16 bytes divide evenly among 96 threads}}
    // expected-error @below {{failed to legalize operation 'diffattn_tile.async_copy'}}
    diffattn_tile.async_copy %g into %k : memref<64x64xbf16>, !diffattn_tile.buffer<[64x64xbf16], #keys>
    gpu.return
  }
}

// -----

// Lanes three elements apart: no bit of a lane's number is a bit of an address.
#bad = #diffattn_tile.fragment<register = [d0*3], lane = [d0*32:3], warp = []>
!keys = !diffattn_tile.buffer<[96xf32], #diffattn_tile.shared<[d0*96], swizzle = 0>>
gpu.module @kernels {
  gpu.func @threes() kernel attributes {diffattn_tile.warps = 1 : i64} {
    %k = diffattn_tile.alloc {offset = 0 : i64} : !keys
    // expected-error @below {{'diffattn_tile.local_load' op expects addresses that are a base and constants}}
    // expected-error @below {{failed to legalize operation 'diffattn_tile.local_load'}}
    %b = diffattn_tile.local_load %k[0] : !keys -> tensor<96xf32, #bad>
    gpu.return
  }
}

// -----

#bad = #diffattn_tile.fragment<register = [d0*3], lane = [d0*32:3], warp = []>
!keys = !diffattn_tile.buffer<[96xf32], #diffattn_tile.shared<[d0*96], swizzle = 0>>
gpu.module @kernels {
  gpu.func @threes() kernel attributes {diffattn_tile.warps = 1 : i64} {
    %zero = arith.constant dense<0.0> : tensor<96xf32, #bad>
    %k = diffattn_tile.alloc {offset = 0 : i64} : !keys
    // expected-error @below {{'diffattn_tile.local_store' op expects addresses that are a base and constants}}
    // expected-error @below {{failed to legalize operation 'diffattn_tile.local_store'}}
    diffattn_tile.local_store %zero, %k : tensor<96xf32, #bad>, !keys
    gpu.return
  }
}

// -----

#a = #diffattn_tile.fragment<register = [], lane = [d0*32], warp = []>
#b = #diffattn_tile.fragment<register = [d0*32], lane = [_*32], warp = []>
gpu.module @kernels {
  gpu.func @exchange(%in: memref<32xf32>) kernel attributes {diffattn_tile.warps = 1 : i64} {
    %s = diffattn_tile.load %in : memref<32xf32> -> tensor<32xf32, #a>
    // expected-error @below {{'diffattn_tile.convert_layout' op moves elements between threads, from #diffattn_tile.fragment<register = [], lane = [d0*32], warp = []> to #diffattn_tile.fragment<register = [d0*32], lane = [_*32], warp = []>; run diffattn-tile-exchange on conversions}}
    // expected-error @below {{failed to legalize operation 'diffattn_tile.convert_layout'}}
    %t = diffattn_tile.convert_layout %s : tensor<32xf32, #a> -> tensor<32xf32, #b>
    gpu.return
  }
}

// -----

#a = #diffattn_tile.fragment<register = [], lane = [d1*32], warp = [d0*4]>
#r = #diffattn_tile.fragment<register = [], lane = [d0*32], warp = [_*4]>
gpu.module @kernels {
  gpu.func @reduce(%in: memref<4x32xf32>) kernel attributes {diffattn_tile.warps = 4 : i64} {
    %s = diffattn_tile.load %in : memref<4x32xf32> -> tensor<4x32xf32, #a>
    // expected-error @below {{'diffattn_tile.reduce' op expects a reduction within a warp, but its layout is #diffattn_tile.fragment<register = [], lane = [d1*32], warp = [d0*4]>}}
    // expected-error @below {{failed to legalize operation 'diffattn_tile.reduce'}}
    %t = diffattn_tile.reduce add %s along 0 : tensor<4x32xf32, #a> -> tensor<32xf32, #r>
    gpu.return
  }
}

// -----

#acc = #diffattn_tile.fragment<register = [d1*2, d0*2:8, d1*2:8], lane = [d1*4:2, d0*8], warp = []>
#tile = #diffattn_tile.shared<[d1*16, d0*16], swizzle = 32>
gpu.module @kernels {
  gpu.func @dot() kernel attributes {diffattn_tile.warps = 1 : i64} {
    %zero = arith.constant dense<0.0> : tensor<16x16xf32, #acc>
    %k = diffattn_tile.alloc {offset = 0 : i64} : !diffattn_tile.buffer<[16x16xbf16], #tile>
    // expected-error @below {{'diffattn_tile.dot' op expects operands in registers in steps of 16 along k; run diffattn-tile-select-operands}}
    // expected-error @below {{failed to legalize operation 'diffattn_tile.dot'}}
    %s = diffattn_tile.dot %k, %k, %zero : !diffattn_tile.buffer<[16x16xbf16], #tile>, !diffattn_tile.buffer<[16x16xbf16], #tile>, tensor<16x16xf32, #acc>
    gpu.return
  }
}

// -----

#keys = #diffattn_tile.shared<[d1*64, d0*64], swizzle = 128>
gpu.module @kernels {
  gpu.func @elements(%g: memref<64x64xbf16>) kernel attributes {diffattn_tile.warps = 3 : i64, diffattn_tile.elementwise} {
    %k = diffattn_tile.alloc {offset = 0 : i64} : !diffattn_tile.buffer<[64x64xbf16], #keys>
    // expected-error @below {{'diffattn_tile.async_copy' op expects a tile whose 4096 elements divide evenly among 96 threads}}
    // expected-error @below {{failed to legalize operation 'diffattn_tile.async_copy'}}
    diffattn_tile.async_copy %g into %k : memref<64x64xbf16>, !diffattn_tile.buffer<[64x64xbf16], #keys>
    gpu.return
  }
}

// -----

#keys = #diffattn_tile.shared<[d1*64, d0*96], swizzle = 128>
gpu.module @kernels {
  gpu.func @power(%g: memref<96x64xbf16>) kernel attributes {diffattn_tile.warps = 3 : i64} {
    %k = diffattn_tile.alloc {offset = 0 : i64} : !diffattn_tile.buffer<[96x64xbf16], #keys>
    // expected-error @below {{'diffattn_tile.async_copy' op expects a number of threads that is a power of 2}}
    // expected-error @below {{failed to legalize operation 'diffattn_tile.async_copy'}}
    diffattn_tile.async_copy %g into %k : memref<96x64xbf16>, !diffattn_tile.buffer<[96x64xbf16], #keys>
    gpu.return
  }
}
