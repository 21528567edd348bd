// A table that is wrong is told by file and row.

// DEFINE: %{target} = sm_90a
// DEFINE: %{shape} = "target": "sm_90a", "branches": 2, "head_dim": 128, "value_dim": 128, "mask": "none"
// DEFINE: %{schedule} = "schedule": {"query_tile": 32, "pairs": 1, "key_tile": 80, "warps": 4, "stages": 3, "teams": 3, "order": "turns"}
// DEFINE: %{measured} = "measured": {"device": "Test Chip", "date": "2026-01-02", "tflops": 1}
// DEFINE: %{text} =
// DEFINE: %{check} =
// DEFINE: %{run} = echo '%{text}' > %t.json && not diffattn-opt %s "--diffattn-assign-schedule=target=%{target} schedule-table=%t.json" 2>&1 | FileCheck %s --check-prefix=%{check}

// RUN: not diffattn-opt %s "--diffattn-assign-schedule=target=sm_90a schedule-table=%t.none" 2>&1 | FileCheck %s --check-prefix=FILE
// FILE: error: cannot read schedule table '{{.*}}.none': No such file or directory

// REDEFINE: %{text} = [{]
// REDEFINE: %{check} = JSON
// RUN: %{run}
// JSON: error: schedule table '{{.*}}.json': [1:3, byte=3]: Expected object key

// REDEFINE: %{text} = {}
// REDEFINE: %{check} = ARRAY
// RUN: %{run}
// ARRAY: error: schedule table '{{.*}}.json': expects an array of rows

// REDEFINE: %{text} = [{%{shape}, %{schedule}, %{measured}}, 7]
// REDEFINE: %{check} = OBJECT
// RUN: %{run}
// OBJECT: error: row 2 of schedule table '{{.*}}.json': expects an object

// REDEFINE: %{text} = [{%{shape}, %{schedule}, %{measured}, "lenght": 2048}]
// REDEFINE: %{check} = UNKNOWN
// RUN: %{run}
// UNKNOWN: error: row 1 of schedule table '{{.*}}.json': has unknown 'lenght'

// REDEFINE: %{text} = [{%{shape}, %{schedule}, %{measured}, "length": 2000}]
// REDEFINE: %{check} = POWER
// RUN: %{run}
// POWER: error: row 1 of schedule table '{{.*}}.json': expects a power of two as 'length'

// REDEFINE: %{text} = [{%{shape}, %{schedule}, %{measured}, "window": 512}]
// REDEFINE: %{check} = WINDOW
// RUN: %{run}
// WINDOW: error: row 1 of schedule table '{{.*}}.json': has a 'window' without mask "window"

// REDEFINE: %{text} = [{"target": "sm_90a", "branches": 2, "head_dim": 80, "value_dim": 128, "mask": "none", %{schedule}, %{measured}}]
// REDEFINE: %{check} = DIM
// RUN: %{run}
// DIM: error: row 1 of schedule table '{{.*}}.json': expects 64, 96, 128, 192 or 256 as 'head_dim'

// REDEFINE: %{text} = [{"target": "sm_90b", "branches": 2, "head_dim": 128, "value_dim": 128, "mask": "none", %{schedule}, %{measured}}]
// REDEFINE: %{check} = TARGET
// RUN: %{run}
// TARGET: error: row 1 of schedule table '{{.*}}.json': has unknown target 'sm_90b', expected one of

// REDEFINE: %{text} = [{%{shape}, %{schedule}}]
// REDEFINE: %{check} = MEASURED
// RUN: %{run}
// MEASURED: error: row 1 of schedule table '{{.*}}.json': expects an object as 'measured'

// REDEFINE: %{text} = [{%{shape}, %{schedule}, "measured": {"device": "Test Chip", "date": "2026-01-02", "tflops": "1"}}]
// REDEFINE: %{check} = RATE
// RUN: %{run}
// RATE: error: row 1 of schedule table '{{.*}}.json': expects a number as 'measured.tflops'

// REDEFINE: %{text} = [{%{shape}, %{measured}, "schedule": {"query_tile": 32, "pairs": 1, "key_tile": -80}}]
// REDEFINE: %{check} = SIZE
// RUN: %{run}
// SIZE: error: row 1 of schedule table '{{.*}}.json': expects a positive integer as 'schedule.key_tile'

// REDEFINE: %{text} = [{%{shape}, %{measured}, "schedule": {"query_tile": 32, "pairs": 1, "key_tile": 80}}]
// REDEFINE: %{check} = WHOLE
// RUN: %{run}
// WHOLE: error: row 1 of schedule table '{{.*}}.json': expects a whole schedule, such as query_tile = 32, pairs = 1, key_tile = 80, warps = 4, stages = 3, teams = 3, order = "turns"

// REDEFINE: %{text} = [{%{shape}, %{measured}, "schedule": {"query_tile": 32, "pairs": 1, "key_tile": 96, "warps": 4, "stages": 3, "teams": 3, "order": "turns"}}]
// REDEFINE: %{check} = ILLEGAL
// RUN: %{run}
// ILLEGAL: error: row 1 of schedule table '{{.*}}.json': expects about 160 registers of a thread for 3 teams on sm_90a, but got key_tile = 96; the nearest legal one is key_tile = 80

// REDEFINE: %{text} = [{%{shape}, %{measured}, "schedule": {"query_tile": 32, "pairs": 1, "key_tile": 80, "warps": 4, "stages": 3, "teams": 3, "order": "both"}}]
// REDEFINE: %{check} = ORDER
// RUN: %{run}
// ORDER: error: row 1 of schedule table '{{.*}}.json': expects "overlap", "turns" or "sections" as 'schedule.order'

// REDEFINE: %{text} = [{%{shape}, %{schedule}, %{measured}}, {%{shape}, %{schedule}, %{measured}}]
// REDEFINE: %{check} = TWICE
// RUN: %{run}
// TWICE: error: row 2 of schedule table '{{.*}}.json': is for the same as row 1 of schedule table '{{.*}}.json'

// Pairs of a row have to divide the group of an op.
// REDEFINE: %{target} = sm_80
// REDEFINE: %{text} = [{"target": "sm_80", "branches": 2, "head_dim": 128, "value_dim": 128, "mask": "none", %{measured}, "schedule": {"query_tile": 16, "pairs": 3, "key_tile": 32, "warps": 6, "stages": 1}}]
// REDEFINE: %{check} = PAIRS
// RUN: %{run}
// PAIRS: error: 'diffattn.attention' op expects the schedule's pairs to divide the 2 pairs of a group, but got 3; the nearest legal one is pairs = 2, by row 1 of schedule table '{{.*}}.json'

func.func @attention(%q: tensor<?x?x8x128xbf16>, %k: tensor<?x?x2x128xbf16>, %l: tensor<?x?x4xbf16>, %o: tensor<?x?x4x128xbf16>) -> tensor<?x?x4x128xbf16> {
  %r = diffattn.attention query(%q : tensor<?x?x8x128xbf16>) key(%k : tensor<?x?x2x128xbf16>) value(%k : tensor<?x?x2x128xbf16>)
      lambda(%l : tensor<?x?x4xbf16>) outs(%o : tensor<?x?x4x128xbf16>)
  return %r : tensor<?x?x4x128xbf16>
}
