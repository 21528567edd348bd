// Every op, without and with layouts.
// RUN: diffattn-opt %s | FileCheck %s
// RUN: diffattn-opt %s | diffattn-opt | FileCheck %s
// RUN: diffattn-opt %s --mlir-print-op-generic | diffattn-opt | FileCheck %s

#shared = #diffattn_tile.shared<[d1*64, d0*64], swizzle = 128>
#pairs = #diffattn_tile.shared<[d2*64, d0*64, d1*2], swizzle = 128>
#acc = #diffattn_tile.fragment<register = [d2*2, d1*2, d2*8:8, d0*2:8], lane = [d2*4:2, d0*8], warp = [d0*4:16]>
#row = #diffattn_tile.fragment<register = [d1*2, d0*2:8], lane = [_*4, d0*8], warp = [d0*4:16]>
#out = #diffattn_tile.fragment<register = [d1*2, d1*8:8, d0*2:8], lane = [d1*4:2, d0*8], warp = [d0*4:16]>
#b = #diffattn_tile.fragment<register = [d0*2, d0*2:8, d1*8:8], lane = [d0*4:2, d1*8], warp = [_*4]>
#k16 = #diffattn_tile.fragment<register = [d2*2, d1*2, d2*2:8, d0*2:8], lane = [d2*4:2, d0*8], warp = [d0*4:16]>
#band = affine_set<(m, r, k)[n, diagonal] : (n - k - 1 >= 0, diagonal - k + m >= 0)>
!keys = memref<?x64xbf16, strided<[?, 1], offset: ?>>
!queries = memref<?x2x64xbf16, strided<[?, ?, 1], offset: ?>>

// CHECK-DAG: #[[$BAND:.*]] = affine_set<(d0, d1, d2)[s0, s1] : (-d2 + s0 - 1 >= 0, -d2 + s1 + d0 >= 0)>
// CHECK-DAG: #[[$SHARED:.*]] = #diffattn_tile.shared<[d1*64, d0*64], swizzle = 128>
// CHECK-DAG: #[[$ACC:.*]] = #diffattn_tile.fragment<register = [d2*2, d1*2, d2*8:8, d0*2:8]
// CHECK-DAG: #[[$ROW:.*]] = #diffattn_tile.fragment<register = [d1*2, d0*2:8]
// CHECK-DAG: #[[$RHS:.*]] = #diffattn_tile.fragment<register = [d0*2, d0*2:8, d1*8:8]
// CHECK-DAG: #[[$K16:.*]] = #diffattn_tile.fragment<register = [d2*2, d1*2, d2*2:8, d0*2:8]

// CHECK-LABEL: @memory(
func.func @memory(%global: !keys, %i: index) {
  // CHECK: %[[TILE:.*]] = diffattn_tile.load %{{.*}} : memref<?x64xbf16, strided<[?, 1], offset: ?>> -> tensor<64x64xbf16>
  %tile = diffattn_tile.load %global : !keys -> tensor<64x64xbf16>
  // CHECK: diffattn_tile.store %[[TILE]], %{{.*}} : tensor<64x64xbf16>, memref<?x64xbf16, strided<[?, 1], offset: ?>>
  diffattn_tile.store %tile, %global : tensor<64x64xbf16>, !keys
  // CHECK: %[[RING:.*]] = diffattn_tile.alloc : {{.*}}<2 x [64x64xbf16], #[[$SHARED]]>
  %ring = diffattn_tile.alloc : !diffattn_tile.buffer<2 x [64x64xbf16], #shared>
  // CHECK: diffattn_tile.alloc {offset = 16384 : i64} : {{.*}}<[64x64xbf16], #[[$SHARED]]>
  %placed = diffattn_tile.alloc {offset = 16384 : i64} : !diffattn_tile.buffer<[64x64xbf16], #shared>
  // CHECK: %[[SLOT:.*]] = diffattn_tile.slot %[[RING]][%{{.*}}] : {{.*}}<2 x [64x64xbf16], #[[$SHARED]]>
  %slot = diffattn_tile.slot %ring[%i] : !diffattn_tile.buffer<2 x [64x64xbf16], #shared>
  // CHECK: diffattn_tile.async_copy %{{.*}} into %[[SLOT]] : memref<?x64xbf16, strided<[?, 1], offset: ?>>, {{.*}}<[64x64xbf16], #[[$SHARED]]>
  diffattn_tile.async_copy %global into %slot : !keys, !diffattn_tile.buffer<[64x64xbf16], #shared>
  // CHECK-NEXT: diffattn_tile.async_commit
  diffattn_tile.async_commit
  // CHECK-NEXT: diffattn_tile.async_wait 0
  diffattn_tile.async_wait 0
  // CHECK-NEXT: diffattn_tile.local_load %[[SLOT]][0, 16] : {{.*}}<[64x64xbf16], #[[$SHARED]]> -> tensor<64x16xbf16>
  %part = diffattn_tile.local_load %slot[0, 16] : !diffattn_tile.buffer<[64x64xbf16], #shared> -> tensor<64x16xbf16>
  // CHECK: diffattn_tile.local_store %[[TILE]], %{{.*}} : tensor<64x64xbf16>, {{.*}}<[64x64xbf16], #[[$SHARED]]>
  diffattn_tile.local_store %tile, %placed : tensor<64x64xbf16>, !diffattn_tile.buffer<[64x64xbf16], #shared>
  return
}

// CHECK-LABEL: @registers(
func.func @registers(%s: tensor<64x2x64xf32>, %n: index, %diagonal: index, %x: f32) {
  // CHECK: diffattn_tile.mask %{{.*}}[%{{.*}}, %{{.*}}] where #[[$BAND]] else 0xFF800000 : tensor<64x2x64xf32>
  %masked = diffattn_tile.mask %s[%n, %diagonal] where #band else 0xFF800000 : tensor<64x2x64xf32>
  // CHECK: %[[MAX:.*]] = diffattn_tile.reduce max %{{.*}} along 2 : tensor<64x2x64xf32> -> tensor<64x2xf32>
  %max = diffattn_tile.reduce max %masked along 2 : tensor<64x2x64xf32> -> tensor<64x2xf32>
  // CHECK: diffattn_tile.reduce add
  %sum = diffattn_tile.reduce add %masked along 2 : tensor<64x2x64xf32> -> tensor<64x2xf32>
  // CHECK: diffattn_tile.broadcast %[[MAX]] along 2 : tensor<64x2xf32> -> tensor<64x2x64xf32>
  %all = diffattn_tile.broadcast %max along 2 : tensor<64x2xf32> -> tensor<64x2x64xf32>
  // CHECK: diffattn_tile.select %{{.*}} at 1 of 1 : tensor<64x2x64xf32> -> tensor<64x64xf32>
  %noise = diffattn_tile.select %all at 1 of 1 : tensor<64x2x64xf32> -> tensor<64x64xf32>
  // CHECK: diffattn_tile.slice %{{.*}}[0, 0, 16] : tensor<64x2x64xf32> -> tensor<64x2x16xf32>
  %step = diffattn_tile.slice %all[0, 0, 16] : tensor<64x2x64xf32> -> tensor<64x2x16xf32>
  // CHECK: diffattn_tile.index 2 : tensor<64x2x64xindex>
  %key = diffattn_tile.index 2 : tensor<64x2x64xindex>
  // CHECK: diffattn_tile.splat %{{.*}} : f32 -> tensor<64x2xf32>
  %splat = diffattn_tile.splat %x : f32 -> tensor<64x2xf32>
  return
}

// CHECK-LABEL: @products(
func.func @products(%q: !diffattn_tile.buffer<[64x2x64xbf16], #pairs>, %k: !diffattn_tile.buffer<[64x64xbf16], #shared>, %p: tensor<64x2x64xbf16>, %zero: tensor<64x2x64xf32>) {
  // CHECK: diffattn_tile.dot %{{.*}}, %{{.*}}, %{{.*}} transposed : {{.*}}<[64x2x64xbf16], #{{.*}}>, {{.*}}<[64x64xbf16], #{{.*}}>, tensor<64x2x64xf32>
  %s = diffattn_tile.dot %q, %k, %zero transposed : !diffattn_tile.buffer<[64x2x64xbf16], #pairs>, !diffattn_tile.buffer<[64x64xbf16], #shared>, tensor<64x2x64xf32>
  // CHECK: diffattn_tile.dot %{{.*}}, %{{.*}}, %{{.*}} : tensor<64x2x64xbf16>, {{.*}}<[64x64xbf16], #{{.*}}>, tensor<64x2x64xf32>
  %o = diffattn_tile.dot %p, %k, %zero : tensor<64x2x64xbf16>, !diffattn_tile.buffer<[64x64xbf16], #shared>, tensor<64x2x64xf32>
  return
}

// CHECK-LABEL: @with_layouts(
func.func @with_layouts(%a: tensor<64x2x16xbf16, #k16>, %v: !diffattn_tile.buffer<[64x64xbf16], #shared>, %acc: tensor<64x2x64xf32, #acc>) -> tensor<64x64xf32, #out> {
  // CHECK: %[[V:.*]] = diffattn_tile.local_load %{{.*}}[16, 0] : {{.*}} -> tensor<16x64xbf16, #[[$RHS]]>
  %b = diffattn_tile.local_load %v[16, 0] : !diffattn_tile.buffer<[64x64xbf16], #shared> -> tensor<16x64xbf16, #b>
  // CHECK: diffattn_tile.dot %{{.*}}, %[[V]], %{{.*}} : tensor<64x2x16xbf16, #[[$K16]]>, tensor<16x64xbf16, #[[$RHS]]>, tensor<64x2x64xf32, #[[$ACC]]>
  %o = diffattn_tile.dot %a, %b, %acc : tensor<64x2x16xbf16, #k16>, tensor<16x64xbf16, #b>, tensor<64x2x64xf32, #acc>
  // CHECK: diffattn_tile.reduce add %{{.*}} along 2 : tensor<64x2x64xf32, #[[$ACC]]> -> tensor<64x2xf32, #[[$ROW]]>
  %sum = diffattn_tile.reduce add %o along 2 : tensor<64x2x64xf32, #acc> -> tensor<64x2xf32, #row>
  %all = diffattn_tile.broadcast %sum along 2 : tensor<64x2xf32, #row> -> tensor<64x2x64xf32, #acc>
  %quotient = arith.divf %o, %all : tensor<64x2x64xf32, #acc>
  %signal = diffattn_tile.select %quotient at 0 of 1 : tensor<64x2x64xf32, #acc> -> tensor<64x64xf32, #out>
  // CHECK: diffattn_tile.convert_layout %{{.*}} : tensor<64x64xf32, #{{.*}}> -> tensor<64x64xf32>
  %plain = diffattn_tile.convert_layout %signal : tensor<64x64xf32, #out> -> tensor<64x64xf32>
  return %signal : tensor<64x64xf32, #out>
}
