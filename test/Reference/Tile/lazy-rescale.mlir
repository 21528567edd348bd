// Rescaling when a maximum moves far, and sums that threads exchange after the
// loop: what comes out is the operator. The scale makes maxima grow by more than
// 2^8 on the way, in some warps.
//
// DEFINE: %{eval} = diffattn-eval %t.kernel.mlir --kernel --input=random:1 --shape=0:1x100x2x64 --shape=1:1x330x1x64 --shape=2:1x330x1x64 --shape=3:1x100x1 \
// DEFINE:   --result-shape=0:1x100x1x64 --compare=%s --entry=layer --tolerance=8e-3 --schedules=2
// RUN: diffattn-opt %s --diffattn-to-online --canonicalize --cse --diffattn-tile --canonicalize --cse \
// RUN:   --diffattn-decompose-tiles --canonicalize --cse --diffattn-to-tile --canonicalize --cse \
// RUN:   | diffattn-opt --pass-pipeline="builtin.module(gpu.module(gpu.func(diffattn-tile-distribute,canonicalize,cse,diffattn-tile-lazy-rescale,diffattn-tile-stage,diffattn-tile-pipeline,canonicalize,cse)))" -o %t.pipelined.mlir
//
// Before layouts, when nobody knows what a warp holds.
// RUN: cp %t.pipelined.mlir %t.kernel.mlir
// RUN: %{eval}
// RUN: diffattn-opt %t.pipelined.mlir --pass-pipeline="builtin.module(gpu.module(gpu.func(diffattn-tile-assign-layouts,diffattn-tile-defer-reductions,diffattn-tile-peel-masks,canonicalize,cse,diffattn-tile-select-operands,canonicalize,cse,diffattn-tile-allocate)))" -o %t.kernel.mlir
// RUN: FileCheck %s --input-file=%t.kernel.mlir
// RUN: %{eval}
//
// A warp that leaves out a multiplication that matters is noticed.
// RUN: sed -i "s/diffattn_tile.warp_any %[0-9]* .*/arith.constant false/" %t.kernel.mlir
// RUN: not %{eval}

// The same in the loop without masks and in the one with.
// CHECK-COUNT-2: thread_reduce add
// CHECK:         diffattn_tile.reduce add

!q = tensor<1x?x2x64xbf16>
!k = tensor<1x?x1x64xbf16>
func.func @layer(%q: !q, %k: !k, %v: !k, %l: tensor<1x?x1xbf16>, %o: !k) -> !k {
  %r = diffattn.attention query(%q : !q) key(%k : !k) value(%v : !k) lambda(%l : tensor<1x?x1xbf16>)
      outs(%o : !k) mask<causal> scale(2.0) schedule<query_tile = 64, pairs = 1, key_tile = 32, warps = 4, stages = 1>
  return %r : !k
}
