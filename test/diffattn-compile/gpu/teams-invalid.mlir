// What a schedule with teams cannot be: one sentence, and the nearest legal choice.

// RUN: not diffattn-compile %s --target=sm_90a --emit=ptx -o %t.ptx --teams=4 2>&1 | FileCheck %s --check-prefix=TEAMS
// RUN: not diffattn-compile %s --target=sm_90a --emit=ptx -o %t.ptx --teams=2 --pairs=2 2>&1 | FileCheck %s --check-prefix=PAIRS
// RUN: not diffattn-compile %s --target=sm_90a --emit=ptx -o %t.ptx --teams=2 --query-tile=16 2>&1 | FileCheck %s --check-prefix=ROWS
// RUN: not diffattn-compile %s --target=sm_90a --emit=ptx -o %t.ptx --teams=2 --key-tile=72 2>&1 | FileCheck %s --check-prefix=KEYS
// RUN: not diffattn-compile %s --target=sm_90a --emit=ptx -o %t.ptx --teams=2 --key-tile=272 2>&1 | FileCheck %s --check-prefix=MANY
// RUN: sed 's/mask<causal>$/mask<causal> schedule<query_tile = 32, pairs = 1, key_tile = 64, warps = 8, stages = 2, teams = 2, order = "overlap">/' %s > %t.mlir
// RUN: not diffattn-compile %t.mlir --target=sm_90a --emit=ptx -o %t.ptx 2>&1 | FileCheck %s --check-prefix=WARPS

// TEAMS: expects at most 3 teams on sm_90a, but got teams = 4; the nearest legal one is teams = 3
// PAIRS: expects one pair of heads in a team on sm_90a, but got pairs = 2; the nearest legal one is pairs = 1
// ROWS: expects 64 rows of a team (2 branches) on sm_90a, but got query_tile = 16; the nearest legal one is query_tile = 32
// KEYS: expects at most 256 keys, a multiple of 16, on sm_90a, but got key_tile = 72; the nearest legal one is key_tile = 80
// MANY: expects at most 256 keys, a multiple of 16, on sm_90a, but got key_tile = 272; the nearest legal one is key_tile = 256
// WARPS: expects{{.*}}warps = 4

!q = tensor<?x?x4x64xbf16>
!k = tensor<?x?x1x64xbf16>
!o = tensor<?x?x2x64xbf16>
func.func @layer(%q: !q, %k: !k, %v: !k, %l: tensor<?x?x2xbf16>, %o: !o) -> !o {
  %r = diffattn.attention query(%q : !q) key(%k : !k) value(%v : !k) lambda(%l : tensor<?x?x2xbf16>)
      outs(%o : !o) mask<causal>
  return %r : !o
}
