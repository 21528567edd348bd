// The legal schedules of each attention, what would be chosen first.

// RUN: split-file %s %t
// RUN: diffattn-compile %t/layer.mlir --target=sm_90a --schedule-table=none --emit=schedules | FileCheck %s --check-prefixes=CHECK,RANKED
// RUN: diffattn-compile %t/layer.mlir --target=sm_90a --schedule-table=%t/table.json --emit=schedules | FileCheck %s --check-prefixes=CHECK,TABLE
// RUN: diffattn-compile %t/layer.mlir --target=sm_80 --emit=schedules | FileCheck %s --check-prefix=WARPS
// RUN: not diffattn-compile %t/layer.mlir --target=cpu-avx2 --emit=schedules 2>&1 | FileCheck %s --check-prefix=CPU
// RUN: not diffattn-compile %t/layer.mlir --target=cpu-avx2 --schedule-table=none 2>&1 | FileCheck %s --check-prefix=TABLECPU
// RUN: not diffattn-compile %t/layer.mlir --target=sm_90a --emit=schedules --compile-to=tile 2>&1 | FileCheck %s --check-prefix=PHASE
// RUN: not diffattn-compile %t/layer.mlir --target=sm_90a --emit=schedules --schedule-table=%t/layer.mlir 2>&1 | FileCheck %s --check-prefix=BAD
// RUN: sed -i s/bf16/f32/g %t/layer.mlir
// RUN: not diffattn-compile %t/layer.mlir --target=sm_90a --emit=schedules 2>&1 | FileCheck %s --check-prefix=REFUSED

// CHECK: "target": "sm_90a"
// CHECK-NEXT: "shape": {
// CHECK-NEXT: "branches": 2,
// CHECK-NEXT: "head_dim": 64,
// CHECK-NEXT: "value_dim": 64,
// CHECK-NEXT: "mask": "window",
// CHECK-NEXT: "window": 512,
// CHECK-NEXT: "length": 4096
// CHECK: "schedules": [
// RANKED-NEXT: {
// RANKED-NEXT: "query_tile": 32,
// RANKED-NEXT: "pairs": 1,
// RANKED-NEXT: "key_tile": 96,
// RANKED-NEXT: "warps": 4,
// RANKED-NEXT: "stages": 4,
// RANKED-NEXT: "teams": 3,
// RANKED-NEXT: "order": "turns"
// TABLE: "key_tile": 48
// TABLE: "key_tile": 96
// All counts of teams and orders.
// CHECK-DAG: "teams": 2
// CHECK-DAG: "order": "overlap"
// CHECK-DAG: "order": "sections"

// WARPS: "schedules": [
// WARPS-NOT: "teams"
// WARPS: "stages": 2
// CPU: error: option '--emit=schedules' needs a GPU target, but got 'cpu-avx2'
// TABLECPU: error: option '--schedule-table' needs a GPU target, but got 'cpu-avx2'
// PHASE: error: option '--emit=schedules' needs --compile-to=fused, but got 'tile'
// BAD: error: schedule table '{{.*}}layer.mlir': [1:1, byte=1]: Invalid JSON value
// REFUSED: error: 'diffattn.attention' op expects a query of bf16 or f16
// REFUSED-NOT: error

//--- layer.mlir
!q = tensor<1x4000x4x64xbf16>
!k = tensor<1x4000x1x64xbf16>
!t = tensor<1x4000x2x64xbf16>
func.func @layer(%q: !q, %k: !k, %v: !k, %l: tensor<1x4000x2xbf16>, %o: !t) -> !t {
  %0 = diffattn.attention query(%q : !q) key(%k : !k) value(%v : !k)
      lambda(%l : tensor<1x4000x2xbf16>) outs(%o : !t) mask<window 511, 0>
  return %0 : !t
}
//--- table.json
[{"target": "sm_90a", "branches": 2, "head_dim": 64, "value_dim": 64, "mask": "window", "window": 512,
  "schedule": {"query_tile": 32, "pairs": 1, "key_tile": 48, "warps": 4, "stages": 2, "teams": 2, "order": "overlap"},
  "measured": {"device": "Test Chip", "date": "2026-01-02", "tflops": 500}}]
