// The phases of a GPU target up to kernels, and what is refused.

// RUN: diffattn-compile %s --target=sm_80 --compile-to=fused | FileCheck %s --check-prefix=FUSED
// RUN: diffattn-compile %s --target=sm_80 --compile-to=tiled -o %t.tiled
// RUN: FileCheck %s --check-prefix=TILED --input-file=%t.tiled
// RUN: diffattn-compile %t.tiled --target=sm_80 --compile-from=tiled --compile-to=linalg -o %t.linalg
// RUN: FileCheck %s --check-prefix=LINALG --input-file=%t.linalg
// RUN: diffattn-compile %s --target=sm_80 --compile-to=tiled --query-tile=32 --pairs=1 --key-tile=32 --warps=2 --stages=2 --remarks -o %t 2>&1 | FileCheck %s --check-prefix=REMARK
// RUN: rm -rf %t.dump && diffattn-compile %s --target=sm_80 --compile-to=linalg --dump-dir=%t.dump
// RUN: bash -c 'diffattn-opt %t.dump/00-input.mlir --pass-pipeline="$(cat %t.dump/pipeline.txt)" -o %t.again'
// RUN: diffattn-opt %t.dump/03-linalg.mlir -o %t.dumped
// RUN: diff %t.dumped %t.again

// FUSED: diffattn.attention
// TILED: scf.forall
// TILED: diffattn.online_attention
// LINALG-NOT: diffattn.
// LINALG: linalg.generic
// REMARK: remark: {{.*}}tile of 32 query rows x 1 pairs, 32 keys, on 2 warps with 2 stages

// RUN: not diffattn-compile %s --target=sm_80 --compile-to=vector 2>&1 | FileCheck %s --check-prefix=PHASE
// RUN: not diffattn-compile %s --target=cpu-avx2 --compile-to=tile 2>&1 | FileCheck %s --check-prefix=CPU-PHASE
// RUN: not diffattn-compile %s --target=sm_80 --emit=object -o %t 2>&1 | FileCheck %s --check-prefix=OBJECT
// RUN: not diffattn-compile %s --target=cpu-avx2 --emit=ptx 2>&1 | FileCheck %s --check-prefix=PTX
// RUN: not diffattn-compile %s --target=sm_80 --emit=ptx --compile-to=tile 2>&1 | FileCheck %s --check-prefix=LAST
// RUN: not diffattn-compile %s --target=sm_80 --header=%t.h 2>&1 | FileCheck %s --check-prefix=HEADER
// RUN: not diffattn-compile %s --target=cpu-avx2 --warps=4 2>&1 | FileCheck %s --check-prefix=WARPS
// RUN: not diffattn-compile %s --target=sm_80 --stages=-1 2>&1 | FileCheck %s --check-prefix=STAGES

// PHASE: error: target 'sm_80' has no phase 'vector', expected one of input, fused, tiled, linalg, tile, nvvm
// CPU-PHASE: error: target 'cpu-avx2' has no phase 'tile', expected one of input, fused, tiled, linalg, memref, vector, llvm
// OBJECT: error: option '--emit=object' needs a CPU target, but got 'sm_80'
// PTX: error: option '--emit=ptx' needs a GPU target, but got 'cpu-avx2'
// LAST: error: option '--emit=ptx' needs --compile-to=nvvm, but got 'tile'
// HEADER: error: option '--header' needs a CPU target, but got 'sm_80'
// WARPS: error: option '--warps' needs a GPU target, but got 'cpu-avx2'
// STAGES: error: option '--stages' expects a positive number, but got -1

func.func @layer(%q: tensor<?x?x4x64xbf16>, %k: tensor<?x?x1x64xbf16>,
                 %v: tensor<?x?x1x64xbf16>, %l: tensor<?x?x2xbf16>,
                 %o: tensor<?x?x2x64xbf16>) -> tensor<?x?x2x64xbf16> {
  %0 = diffattn.attention query(%q : tensor<?x?x4x64xbf16>)
      key(%k : tensor<?x?x1x64xbf16>) value(%v : tensor<?x?x1x64xbf16>)
      lambda(%l : tensor<?x?x2xbf16>) outs(%o : tensor<?x?x2x64xbf16>)
      mask<causal>
  return %0 : tensor<?x?x2x64xbf16>
}
