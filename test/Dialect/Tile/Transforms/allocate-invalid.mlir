// RUN: diffattn-opt %s --verify-diagnostics --pass-pipeline='builtin.module(gpu.module(gpu.func(diffattn-tile-allocate)))'

// Rows of 128 bytes of which a swizzle of 64 moves half apart: the four matrices
// of 8 rows take two wavefronts each.
#keys = #diffattn_tile.fragment<register = [d1*2, d1*2:8, d0*8:8], lane = [d1*4:2, d0*8], warp = [_*4]>
!slot = !diffattn_tile.buffer<[64x64xbf16], #diffattn_tile.shared<[d1*64, d0*64], swizzle = 64>>
gpu.module @kernels {
  gpu.func @half() kernel attributes {diffattn_tile.warps = 4 : i64} {
    // expected-note @below {{the buffer is allocated here}}
    %k = diffattn_tile.alloc : !slot
    // expected-error @below {{'diffattn_tile.local_load' op has bank conflicts: 16 in 4 accesses of a warp to '!diffattn_tile.buffer<[64x64xbf16], #diffattn_tile.shared<[d1*64, d0*64], swizzle = 64>>'; the nearest swizzle without any is 128}}
    %a = diffattn_tile.local_load %k[0, 16] : !slot -> tensor<64x16xbf16, #keys>
    gpu.return
  }
}
