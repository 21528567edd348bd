// RUN: diffattn-opt %s --pass-pipeline='builtin.module(gpu.module(gpu.func(diffattn-tile-allocate)))' --remarks-filter=diffattn-tile-allocate -o %t 2>&1 \
// RUN:   | FileCheck %s

#keys = #diffattn_tile.fragment<register = [d1*2, d1*2:8, d0*8:8], lane = [d1*4:2, d0*8], warp = [_*4]>
#rows = #diffattn_tile.fragment<register = [d1*2, d0*2:8, d1*8:8], lane = [d1*4:2, d0*8], warp = [d0*4:16]>
#line = #diffattn_tile.fragment<register = [d1*4], lane = [d0*32], warp = []>
#column = #diffattn_tile.fragment<register = [d1*8:4], lane = [d0*32], warp = [d1*4]>
!rows = !diffattn_tile.buffer<[32x32xf32], #diffattn_tile.shared<[d1*32, d0*32], swizzle = 128>>
!tile = memref<64x64xbf16, strided<[?, 1], offset: ?>>
!ring = !diffattn_tile.buffer<2 x [64x64xbf16], #diffattn_tile.shared<[d1*64, d0*64], swizzle = 128>>
!slot = !diffattn_tile.buffer<[64x64xbf16], #diffattn_tile.shared<[d1*64, d0*64], swizzle = 128>>

gpu.module @kernels {
  // A copy of 512 chunks by 128 threads, 4 ldmatrix of four matrices each, and
  // the same load twice. What has no layout is not counted.
  // CHECK: [Passed] banks | Category:diffattn-tile-allocate | Remark="no bank conflicts in 12 accesses of a warp to !diffattn_tile.buffer<2 x [64x64xbf16]
  gpu.func @free(%g: !tile, %i: index) kernel attributes {diffattn_tile.warps = 4 : i64} {
    %ring = diffattn_tile.alloc : !ring
    %k = diffattn_tile.slot %ring[%i] : !ring
    diffattn_tile.async_copy %g into %k : !tile, !slot
    %a = diffattn_tile.local_load %k[0, 16] : !slot -> tensor<64x16xbf16, #keys>
    %b = diffattn_tile.local_load %k[0, 16] : !slot -> tensor<64x16xbf16, #keys>
    %c = diffattn_tile.local_load %k[0, 0] : !slot -> tensor<64x64xbf16>
    gpu.return
  }

  // Products that read by descriptor, eight rows of a chunk at a time.
  // CHECK: [Passed] banks | {{.*}}Remark="no bank conflicts in 64 accesses of a warp to
  gpu.func @descriptor(%p: tensor<64x64xbf16, #rows>) kernel attributes {diffattn_tile.warps = 4 : i64} {
    %v = diffattn_tile.alloc : !slot
    %s = diffattn_tile.dot_async %p, %v : tensor<64x64xbf16, #rows>, !slot -> !diffattn_tile.pending<tensor<64x64xf32, #rows>>
    %r = diffattn_tile.dot_wait %s, 0 : !diffattn_tile.pending<tensor<64x64xf32, #rows>>
    gpu.return
  }

  // A thread for each row of 16 bytes.
  // CHECK: [Passed] banks | {{.*}}Remark="no bank conflicts in 1 accesses of a warp to
  gpu.func @lines(%s: tensor<32x4xf32, #line>) kernel attributes {diffattn_tile.warps = 1 : i64} {
    %b = diffattn_tile.alloc : !diffattn_tile.buffer<[32x4xf32], #diffattn_tile.shared<[d1*4, d0*32], swizzle = 0>>
    diffattn_tile.local_store %s, %b : tensor<32x4xf32, #line>, !diffattn_tile.buffer<[32x4xf32], #diffattn_tile.shared<[d1*4, d0*32], swizzle = 0>>
    gpu.return
  }

  // Four bytes of each of 32 rows of 128: swizzles move them to eight places.
  // CHECK: [Missed] banks | Category:diffattn-tile-allocate | Reason="no swizzle of this layout is free of them", Remark="24 bank conflicts in 8 accesses of a warp to
  gpu.func @columns(%s: tensor<32x32xf32, #column>) kernel attributes {diffattn_tile.warps = 4 : i64} {
    %b = diffattn_tile.alloc : !rows
    diffattn_tile.local_store %s, %b : tensor<32x32xf32, #column>, !rows
    gpu.return
  }
}
