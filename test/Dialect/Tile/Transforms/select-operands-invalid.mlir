// RUN: diffattn-opt %s --split-input-file --verify-diagnostics --pass-pipeline='builtin.module(gpu.module(gpu.func(diffattn-tile-select-operands)))'

#shared = #diffattn_tile.shared<[d1*64, d0*64], swizzle = 128>
gpu.module @kernels {
  gpu.func @no_layout(%a: tensor<64x64xbf16>, %acc: tensor<64x64xf32>) kernel {
    %k = diffattn_tile.alloc : !diffattn_tile.buffer<[64x64xbf16], #shared>
    // expected-error @below {{'diffattn_tile.dot' op expects a layout; run diffattn-tile-assign-layouts}}
    %s = diffattn_tile.dot %a, %k, %acc : tensor<64x64xbf16>, !diffattn_tile.buffer<[64x64xbf16], #shared>, tensor<64x64xf32>
    gpu.return
  }
}

// -----

#acc = #diffattn_tile.fragment<register = [d1*2, d0*2:8, d1*4:8], lane = [d1*4:2, d0*8], warp = [d0*4:16]>
#rows = #diffattn_tile.shared<[d1*8, d0*64], swizzle = 0>
#columns = #diffattn_tile.shared<[d1*32, d0*8], swizzle = 64>
gpu.module @kernels {
  gpu.func @depth(%acc: tensor<64x32xf32, #acc>) kernel {
    %a = diffattn_tile.alloc : !diffattn_tile.buffer<[64x8xbf16], #rows>
    %b = diffattn_tile.alloc : !diffattn_tile.buffer<[8x32xbf16], #columns>
    // expected-error @below {{'diffattn_tile.dot' op expects a depth that is a multiple of 16, but got 8}}
    %s = diffattn_tile.dot %a, %b, %acc : !diffattn_tile.buffer<[64x8xbf16], #rows>, !diffattn_tile.buffer<[8x32xbf16], #columns>, tensor<64x32xf32, #acc>
    gpu.return
  }
}
