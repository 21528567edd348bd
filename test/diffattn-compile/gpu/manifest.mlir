// The manifest has all that a launch needs.

// RUN: diffattn-compile %s --compile-from=tile --target=sm_80 --emit=ptx --no-ptxas -o %t.ptx --manifest=%t.json
// RUN: FileCheck %s --input-file=%t.json

// CHECK:      "version": 1,
// CHECK-NEXT: "target": "sm_80",
// CHECK-NEXT: "entry": "layer",
// CHECK-NEXT: "kernels": [
// CHECK-NEXT:   {
// CHECK-NEXT:     "name": "layer",
// CHECK-NEXT:     "threads": 128,
// CHECK-NEXT:     "shared_bytes": 65536,
// CHECK-NEXT:     "grid": [
// CHECK-NEXT:       {
// CHECK-NEXT:         "constant": 8
// CHECK-NEXT:       },
// CHECK-NEXT:       {
// CHECK-NEXT:         "argument": 0,
// CHECK-NEXT:         "dim": 1,
// CHECK-NEXT:         "tile": 64
// CHECK-NEXT:       }
// CHECK-NEXT:     ],
// CHECK-NEXT:     "parameters": [
// CHECK-NEXT:       0,
// CHECK-NEXT:       1
// CHECK-NEXT:     ]
// CHECK:      "name": "arg0",
// CHECK-NEXT: "dtype": "bf16",
// CHECK-NEXT: "shape": [
// CHECK-NEXT:   1,
// CHECK-NEXT:   null,
// CHECK-NEXT:   8,
// CHECK-NEXT:   64
// CHECK-NEXT: ],
// CHECK-NEXT: "access": "read",
// CHECK-NEXT: "alignment": 2,
// CHECK-NEXT: "stride_multiple": 1
// CHECK:      "name": "result0",
// CHECK-NEXT: "dtype": "f32",
// CHECK:      "access": "write",
// CHECK-NEXT: "alignment": 4,
// CHECK-NEXT: "stride_multiple": 1
// CHECK:      "preconditions": [],
// CHECK-NEXT: "image": {
// CHECK-NEXT:   "ptx": "{{[^/]*}}.ptx"
// CHECK-NEXT: }
// CHECK:      "pipeline": "builtin.module({{.*}}convert-gpu-to-nvvm

gpu.module @kernels {
  gpu.func @layer(%q: memref<1x?x8x64xbf16, strided<[?, ?, ?, 1], offset: ?>> {diffattn_tile.access = "read"},
                  %lse: memref<1x8x?xf32, strided<[?, ?, 1], offset: ?>> {diffattn_tile.access = "write", diffattn_tile.result = 0 : i64})
      kernel attributes {diffattn_tile.warps = 4 : i64,
                         diffattn_tile.shared_bytes = 65536 : i64,
                         diffattn_tile.grid = [{constant = 8 : i64}, {argument = 0 : i64, dim = 1 : i64, tile = 64 : i64}]} {
    %c0 = arith.constant 0 : index
    %x = gpu.thread_id x
    %v = memref.load %q[%c0, %x, %c0, %c0] : memref<1x?x8x64xbf16, strided<[?, ?, ?, 1], offset: ?>>
    %f = arith.extf %v : bf16 to f32
    memref.store %f, %lse[%c0, %c0, %x] : memref<1x8x?xf32, strided<[?, ?, 1], offset: ?>>
    gpu.return
  }
}
