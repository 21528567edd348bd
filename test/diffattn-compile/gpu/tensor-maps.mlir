// A kernel of sm_90a: tensor maps of its parameters, roles, persistent blocks
// that count tiles.

// RUN: diffattn-compile %s --compile-from=tile --target=sm_90a --emit=ptx --no-ptxas -o %t.ptx --manifest=%t.json
// RUN: FileCheck %s --input-file=%t.json

// A producer and two consumers, whatever the schedule's warps.
// CHECK:      "threads": 384,
// CHECK-NEXT: "shared_bytes": 10248,
// CHECK-NEXT: "grid": [
// CHECK:      ],
// CHECK-NEXT: "persistent": true,
// CHECK-NEXT: "parameters": [
// CHECK-NEXT:   0,
// CHECK-NEXT:   1,
// CHECK-NEXT:   {
// CHECK-NEXT:     "tensor_map": 0,
// CHECK-NEXT:     "dims": [
// CHECK-NEXT:       3,
// CHECK-NEXT:       1,
// CHECK-NEXT:       2,
// CHECK-NEXT:       0
// CHECK-NEXT:     ],
// CHECK-NEXT:     "box": [
// CHECK-NEXT:       64,
// CHECK-NEXT:       80,
// CHECK-NEXT:       1,
// CHECK-NEXT:       1
// CHECK-NEXT:     ],
// CHECK-NEXT:     "swizzle": 128
// CHECK-NEXT:   },
// CHECK-NEXT:   {
// CHECK-NEXT:     "counters": 2
// CHECK-NEXT:   }
// CHECK-NEXT: ]
// What is copied has aligned rows, and is not empty: unless nothing is launched.
// CHECK:      "name": "arg0",
// CHECK:      "alignment": 16,
// CHECK-NEXT: "stride_multiple": 8
// CHECK:      "name": "result0",
// CHECK:      "alignment": 2,
// CHECK-NEXT: "stride_multiple": 1
// CHECK:      "preconditions": [
// CHECK-NEXT:   {
// CHECK-NEXT:     "argument": 0,
// CHECK-NEXT:     "dim": 0,
// CHECK-NEXT:     "max": 536870911
// CHECK-NEXT:   },
// CHECK-NEXT:   {
// CHECK-NEXT:     "argument": 0,
// CHECK-NEXT:     "dim": 1,
// CHECK-NEXT:     "min": 1,
// CHECK-NEXT:     "max": 536870911
// CHECK-NEXT:   }
// CHECK-NEXT: ],

// What the manifest does not describe.
// RUN: sed 's/dims = array<i64: 0, 2, 1, 3>/dims = array<i64: 0, 1, 3, 2>/' %s | not diffattn-compile - --compile-from=tile --target=sm_90a --emit=ptx --no-ptxas -o %t.ptx --manifest=%t.json 2>&1 | FileCheck %s --check-prefix=REFUSED
// RUN: sed 's/memref<2xi32>/memref<3xi32>/' %s | not diffattn-compile - --compile-from=tile --target=sm_90a --emit=ptx --no-ptxas -o %t.ptx --manifest=%t.json 2>&1 | FileCheck %s --check-prefix=REFUSED
// RUN: sed 's/diffattn_tile.persistent,$//' %s | not diffattn-compile - --compile-from=tile --target=sm_90a --emit=ptx --no-ptxas -o %t.ptx --manifest=%t.json 2>&1 | FileCheck %s --check-prefix=REFUSED
// RUN: sed 's/"read"}/"read", diffattn_tile.counters}/' %s | not diffattn-compile - --compile-from=tile --target=sm_90a --emit=ptx --no-ptxas -o %t.ptx --manifest=%t.json 2>&1 | FileCheck %s --check-prefix=REFUSED
// REFUSED: error: a manifest describes one kernel {{.*}} but the program has 0

#key = #diffattn_tile.shared<[d1*64, d0*80], swizzle = 128>
!key_map = !diffattn_tile.tensor_map<1x1x80x64xbf16, swizzle = 128>
!key_ring = !diffattn_tile.buffer<1 x [80x64xbf16], #key>
!key = !diffattn_tile.buffer<[80x64xbf16], #key>
!full = !diffattn_tile.barriers<1>

gpu.module @kernels {
  gpu.func @layer(%key: memref<?x?x2x64xbf16, strided<[?, ?, ?, 1], offset: ?>> {diffattn_tile.access = "read"},
                  %out: memref<?xbf16, strided<[1], offset: ?>> {diffattn_tile.access = "write", diffattn_tile.result = 0 : i64},
                  %map: !key_map {diffattn_tile.map = {argument = 0 : i64, dims = array<i64: 0, 2, 1, 3>}},
                  %counters: memref<2xi32> {diffattn_tile.counters})
      kernel attributes {diffattn_tile.warps = 8 : i64, diffattn_tile.persistent,
                         diffattn_tile.shared_bytes = 10248 : i64,
                         diffattn_tile.grid = [{argument = 0 : i64, dim = 0 : i64, tile = 1 : i64}]} {
    %zero = arith.constant 0 : i32
    %first = arith.constant 0 : index
    %keys = diffattn_tile.alloc {offset = 0 : i64} : !key_ring
    %full = diffattn_tile.barriers arrivals 1 {offset = 10240 : i64} : !full
    diffattn_tile.fence barrier_init
    gpu.barrier
    diffattn_tile.roles
    role(%producer) warpgroups 1 registers 32 {
      diffattn_tile.elected {
        %slot = diffattn_tile.slot %keys[%first] : !key_ring
        diffattn_tile.expect %full[%zero], 10240 : !full
        diffattn_tile.tensor_copy %map[%zero, %zero, %zero, %zero] dims [2, 3] into %slot, %full[%zero] : !key_map, !key, !full
      }
    },
    role(%consumer) warpgroups 2 registers 160 {
      diffattn_tile.wait %full[%zero], %zero : !full
    }
    gpu.return
  }
}
