// RUN: split-file %s %t
// RUN: not diffattn-opt %t/d128.mlir --diffattn-assign-schedule=target=sm_81 2>&1 | FileCheck %s --check-prefix=TARGET
// RUN: not diffattn-opt %t/d128.mlir "--diffattn-assign-schedule=target=sm_80 pairs=3" 2>&1 | FileCheck %s --check-prefix=PAIRS
// RUN: not diffattn-opt %t/d128.mlir "--diffattn-assign-schedule=target=sm_80 key-tile=40" 2>&1 | FileCheck %s --check-prefix=KEYS
// RUN: not diffattn-opt %t/d128.mlir "--diffattn-assign-schedule=target=sm_80 query-tile=48 warps=4" 2>&1 | FileCheck %s --check-prefix=WARPS
// RUN: not diffattn-opt %t/d128.mlir "--diffattn-assign-schedule=target=sm_86 query-tile=64 key-tile=64 stages=3" 2>&1 | FileCheck %s --check-prefix=SHARED
// RUN: not diffattn-opt %t/d128.mlir "--diffattn-assign-schedule=target=sm_80 query-tile=128 warps=4 key-tile=64" 2>&1 | FileCheck %s --check-prefix=REGISTERS
// RUN: not diffattn-opt %t/d128.mlir "--diffattn-assign-schedule=target=sm_80 query-tile=64 pairs=1 key-tile=64 warps=8 stages=1 rank=1" 2>&1 | FileCheck %s --check-prefix=RANK
// RUN: not diffattn-opt %t/d128.mlir "--diffattn-assign-schedule=target=cpu-avx2 warps=4" 2>&1 | FileCheck %s --check-prefix=CPU
// RUN: not diffattn-opt %t/d128.mlir "--diffattn-assign-schedule=target=cpu-avx2 schedule-table=none" 2>&1 | FileCheck %s --check-prefix=CPUTABLE
// RUN: not diffattn-opt %t/d128.mlir "--diffattn-assign-schedule=target=sm_80 warps=64" 2>&1 | FileCheck %s --check-prefix=ABSURD
// RUN: not diffattn-opt %t/d128.mlir --diffattn-cpu-vectorize=target=sm_80 2>&1 | FileCheck %s --check-prefix=KIND
// RUN: not diffattn-opt %t/d128.mlir --diffattn-cpu-pack=target=sm_80 2>&1 | FileCheck %s --check-prefix=KIND
// RUN: not diffattn-opt %t/f32.mlir --diffattn-assign-schedule=target=sm_80 2>&1 | FileCheck %s --check-prefix=F32
// RUN: not diffattn-opt %t/d80.mlir --diffattn-assign-schedule=target=sm_80 2>&1 | FileCheck %s --check-prefix=D80

// TARGET: error: unknown target 'sm_81', expected one of cpu, {{.*}}, sm_80, sm_86, sm_89, sm_90, sm_90a, sm_120; did you mean 'sm_80'?
// PAIRS: error: 'diffattn.attention' op expects the schedule's pairs to divide the 4 pairs of a group, but got 3; the nearest legal one is 2
// KEYS: error: 'diffattn.attention' op expects key_tile to be a multiple of 16 on sm_80, but got 40; the nearest legal one is key_tile = 32
// WARPS: error: 'diffattn.attention' op expects the 96 rows of a tile (2 branches x 1 pairs x 48 query rows) to be a multiple of 16 for each warp on sm_80, but got 4 warps; the nearest legal one is warps = 3
// SHARED: error: 'diffattn.attention' op expects at most 101376 bytes of shared memory on sm_86, but 128 rows and 3 stages of 64 keys need 131072; the nearest legal one is stages = 2
// REGISTERS: error: 'diffattn.attention' op expects at most 255 registers of a thread and 65536 of a block on sm_80, but 256 rows and 64 keys on 4 warps need about 454; the nearest legal one is warps = 8
// RANK: error: 'diffattn.attention' op has 1 schedules on sm_80, but number 1 is asked for, counted from 0
// CPU: error: expects option warps of diffattn-assign-schedule for GPU targets only, but got target 'cpu-avx2'
// CPUTABLE: error: expects option schedule-table of diffattn-assign-schedule for GPU targets only, but got target 'cpu-avx2'
// ABSURD: error: 'diffattn.attention' op has a schedule option that expects warps between 1 and 32, but got 64
// KIND: error: expected a CPU target, one of cpu, cpu-host, cpu-baseline, cpu-avx2, cpu-avx512, cpu-amx, but got the GPU target 'sm_80'
// F32: error: 'diffattn.attention' op expects a query of bf16 or f16 on GPU target 'sm_80', but got 'f32'; convert it, or compile for a CPU target
// D80: error: 'diffattn.attention' op expects a head dimension of 64, 96, 128, 192 or 256 on GPU target 'sm_80', but got 80; the nearest legal one is 96

//--- d128.mlir
func.func @f(%q: tensor<1x?x8x128xbf16>, %k: tensor<1x?x1x128xbf16>,
             %l: tensor<1x?x4xbf16>, %o: tensor<1x?x4x128xbf16>) -> tensor<1x?x4x128xbf16> {
  %r = diffattn.attention query(%q : tensor<1x?x8x128xbf16>)
      key(%k : tensor<1x?x1x128xbf16>) value(%k : tensor<1x?x1x128xbf16>)
      lambda(%l : tensor<1x?x4xbf16>) outs(%o : tensor<1x?x4x128xbf16>)
  return %r : tensor<1x?x4x128xbf16>
}
//--- f32.mlir
func.func @f(%q: tensor<1x?x8x128xf32>, %k: tensor<1x?x1x128xf32>,
             %l: tensor<1x?x4xf32>, %o: tensor<1x?x4x128xf32>) -> tensor<1x?x4x128xf32> {
  %r = diffattn.attention query(%q : tensor<1x?x8x128xf32>)
      key(%k : tensor<1x?x1x128xf32>) value(%k : tensor<1x?x1x128xf32>)
      lambda(%l : tensor<1x?x4xf32>) outs(%o : tensor<1x?x4x128xf32>)
  return %r : tensor<1x?x4x128xf32>
}
//--- d80.mlir
func.func @f(%q: tensor<1x?x8x80xbf16>, %k: tensor<1x?x1x80xbf16>,
             %l: tensor<1x?x4xbf16>, %o: tensor<1x?x4x80xbf16>) -> tensor<1x?x4x80xbf16> {
  %r = diffattn.attention query(%q : tensor<1x?x8x80xbf16>)
      key(%k : tensor<1x?x1x80xbf16>) value(%k : tensor<1x?x1x80xbf16>)
      lambda(%l : tensor<1x?x4xbf16>) outs(%o : tensor<1x?x4x80xbf16>)
  return %r : tensor<1x?x4x80xbf16>
}
