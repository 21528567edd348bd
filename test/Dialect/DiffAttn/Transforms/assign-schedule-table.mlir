// What was measured decides, where nobody else has.

// RUN: split-file %s %t
// RUN: diffattn-opt %t/ops.mlir "--diffattn-assign-schedule=target=sm_90a schedule-table=%t/table.json" | FileCheck %s
// RUN: diffattn-opt %t/ops.mlir "--diffattn-assign-schedule=target=sm_90a schedule-table=none" | FileCheck %s --check-prefix=NONE
// RUN: diffattn-opt %t/ops.mlir "--diffattn-assign-schedule=target=sm_90a schedule-table=%t/table.json stages=4" | FileCheck %s --check-prefix=OPTION
// RUN: diffattn-opt %t/ops.mlir "--diffattn-assign-schedule=target=sm_90a schedule-table=%t/table.json rank=1" | FileCheck %s --check-prefix=RANK
// RUN: diffattn-opt %t/ops.mlir "--diffattn-assign-schedule=target=sm_90a schedule-table=%t/table.json" --remarks-filter=diffattn-.* 2>&1 \
// RUN:   | FileCheck %s --check-prefix=REMARK
// RUN: diffattn-opt %t/ops.mlir "--diffattn-assign-schedule=target=sm_80 schedule-table=%t/table.json" | FileCheck %s --check-prefix=OTHER

// REMARK: Category:diffattn-assign-schedule{{.*}}DecidedBy="row 1 of schedule table '{{.*}}table.json': 612.5 TFLOP/s on Test Chip, 2026-01-02"
// REMARK: Category:diffattn-assign-schedule{{.*}}DecidedBy="row 2 of
// REMARK: Category:diffattn-assign-schedule{{.*}}DecidedBy="the ranking"
// REMARK: Category:diffattn-assign-schedule{{.*}}DecidedBy="row 3 of
// REMARK: Category:diffattn-assign-schedule{{.*}}DecidedBy="the ranking"
// REMARK: Category:diffattn-assign-schedule{{.*}}DecidedBy="the attribute"
// REMARK: Category:diffattn-assign-schedule{{.*}}DecidedBy="the ranking"

//--- table.json
[
 {"target": "sm_90a", "branches": 2, "head_dim": 128, "value_dim": 128, "mask": "causal",
  "schedule": {"query_tile": 32, "pairs": 1, "key_tile": 128, "warps": 4, "stages": 2, "teams": 2, "order": "turns"},
  "measured": {"device": "Test Chip", "date": "2026-01-02", "tflops": 612.5, "mhz": 1500, "watts": 690,
   "runner_up": {"tflops": 600, "schedule": {"any": "thing"}}, "cases": {}}},
 {"target": "sm_90a", "branches": 2, "head_dim": 128, "value_dim": 128, "mask": "causal", "length": 2048,
  "schedule": {"query_tile": 32, "pairs": 1, "key_tile": 64, "warps": 4, "stages": 3, "teams": 3, "order": "overlap"},
  "measured": {"device": "Test Chip", "date": "2026-01-02", "tflops": 500}},
 {"target": "sm_90a", "branches": 2, "head_dim": 128, "value_dim": 128, "mask": "window", "window": 512,
  "schedule": {"query_tile": 32, "pairs": 1, "key_tile": 48, "warps": 4, "stages": 3, "teams": 3, "order": "sections"},
  "measured": {"device": "Test Chip", "date": "2026-01-02", "tflops": 400}},
 {"target": "sm_89", "branches": 2, "head_dim": 128, "value_dim": 128, "mask": "causal",
  "schedule": {"query_tile": 32, "pairs": 1, "key_tile": 32, "warps": 4, "stages": 1},
  "measured": {"device": "Test Chip", "date": "2026-01-02", "tflops": 90}}
]
//--- ops.mlir
!q = tensor<?x?x8x128xbf16>
!k = tensor<?x?x2x128xbf16>
!l = tensor<?x?x4xbf16>
!o = tensor<?x?x4x128xbf16>
// CHECK-LABEL: func @causal(
// NONE-LABEL: func @causal(
// OPTION-LABEL: func @causal(
// RANK-LABEL: func @causal(
// OTHER-LABEL: func @causal(
func.func @causal(%q: !q, %k: !k, %l: !l, %o: !o) -> !o {
  // CHECK: schedule<query_tile = 32, pairs = 1, key_tile = 128, warps = 4, stages = 2, teams = 2, order = "turns">
  // NONE: schedule<query_tile = 32, pairs = 1, key_tile = 80, warps = 4, stages = 3, teams = 3, order = "turns">
  // OPTION: schedule<query_tile = 32, pairs = 1, key_tile = 80, warps = 4, stages = 4, teams = 3, order = "turns">
  // Behind the table's comes the best of the ranking.
  // RANK: schedule<query_tile = 32, pairs = 1, key_tile = 80, warps = 4, stages = 3, teams = 3, order = "turns">
  // OTHER: schedule<query_tile = 64, pairs = 1, key_tile = 48, warps = 4, stages = 2>
  %r = diffattn.attention query(%q : !q) key(%k : !k) value(%k : !k) lambda(%l : !l) outs(%o : !o) mask<causal>
  return %r : !o
}
// A length that is known has its class of lengths, 1025 to 2048.
// CHECK-LABEL: func @length(
// NONE-LABEL: func @length(
func.func @length(%q: tensor<1x1100x8x128xbf16>, %k: tensor<1x1100x2x128xbf16>, %l: tensor<1x1100x4xbf16>, %o: tensor<1x1100x4x128xbf16>) -> tensor<1x1100x4x128xbf16> {
  // CHECK: schedule<query_tile = 32, pairs = 1, key_tile = 64, warps = 4, stages = 3, teams = 3, order = "overlap">
  // NONE: key_tile = 80
  %r = diffattn.attention query(%q : tensor<1x1100x8x128xbf16>) key(%k : tensor<1x1100x2x128xbf16>) value(%k : tensor<1x1100x2x128xbf16>)
      lambda(%l : tensor<1x1100x4xbf16>) outs(%o : tensor<1x1100x4x128xbf16>) mask<causal>
  return %r : tensor<1x1100x4x128xbf16>
}
// A row that tells no length is none for so few queries that pairs share a tile.
// CHECK-LABEL: func @short(
func.func @short(%q: tensor<1x2x8x128xbf16>, %k: tensor<1x?x2x128xbf16>, %l: tensor<1x2x4xbf16>, %o: tensor<1x2x4x128xbf16>) -> tensor<1x2x4x128xbf16> {
  // CHECK: schedule<
  // CHECK-NOT: teams
  // CHECK: return
  %r = diffattn.attention query(%q : tensor<1x2x8x128xbf16>) key(%k : tensor<1x?x2x128xbf16>) value(%k : tensor<1x?x2x128xbf16>)
      lambda(%l : tensor<1x2x4xbf16>) outs(%o : tensor<1x2x4x128xbf16>) mask<causal>
  return %r : tensor<1x2x4x128xbf16>
}
// Windows of 257 to 512 keys are a class.
// CHECK-LABEL: func @window(
func.func @window(%q: !q, %k: !k, %l: !l, %o: !o) -> !o {
  // CHECK: key_tile = 48, {{.*}} order = "sections"
  %r = diffattn.attention query(%q : !q) key(%k : !k) value(%k : !k) lambda(%l : !l) outs(%o : !o) mask<window 300, 0>
  return %r : !o
}
// CHECK-LABEL: func @wider(
func.func @wider(%q: !q, %k: !k, %l: !l, %o: !o) -> !o {
  // CHECK: key_tile = 64, {{.*}} order = "turns"
  %r = diffattn.attention query(%q : !q) key(%k : !k) value(%k : !k) lambda(%l : !l) outs(%o : !o) mask<window 513, 0>
  return %r : !o
}
// CHECK-LABEL: func @attribute(
func.func @attribute(%q: !q, %k: !k, %l: !l, %o: !o) -> !o {
  // CHECK: schedule<query_tile = 32, pairs = 1, key_tile = 48, warps = 4, stages = 3, teams = 3, order = "turns">
  %r = diffattn.attention query(%q : !q) key(%k : !k) value(%k : !k) lambda(%l : !l) outs(%o : !o) mask<causal>
      schedule<query_tile = 32, pairs = 1, key_tile = 48, warps = 4, stages = 3, teams = 3>
  return %r : !o
}
// CHECK-LABEL: func @unmasked(
func.func @unmasked(%q: !q, %k: !k, %l: !l, %o: !o) -> !o {
  // CHECK: schedule<query_tile = 32, pairs = 1, key_tile = 80, warps = 4, stages = 3, teams = 3, order = "turns">
  %r = diffattn.attention query(%q : !q) key(%k : !k) value(%k : !k) lambda(%l : !l) outs(%o : !o)
  return %r : !o
}
