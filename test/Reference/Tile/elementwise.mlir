// A kernel that accesses one element of its arguments at a time: rows begin
// anywhere, in steps of two bytes, and what comes out is the operator.
//
// DEFINE: %{tile} = diffattn-opt %s --diffattn-gpu-to-tiled=target=sm_80 --diffattn-gpu-to-linalg=target=sm_80
// DEFINE: %{eval} = diffattn-eval %t.mlir --kernel --input=random:1 --shape=0:1x100x2x64 --shape=1:1x130x1x64 --shape=2:1x130x1x64 --shape=3:1x100x1 \
// DEFINE:   --result-shape=0:1x100x1x64 --compare=%s --entry=layer --tolerance=8e-3 --schedules=3
// RUN: %{tile} --diffattn-gpu-to-tile='target=sm_80 elementwise=true' -o %t.mlir
// RUN: FileCheck %s --input-file=%t.mlir
// RUN: %{eval}
//
// CHECK: gpu.func @layer({{.*}} kernel attributes {diffattn_tile.elementwise
// CHECK: async_copy

!q = tensor<1x?x2x64xbf16>
!k = tensor<1x?x1x64xbf16>
func.func @layer(%q: !q, %k: !k, %v: !k, %l: tensor<1x?x1xbf16>, %o: !k) -> !k {
  %r = diffattn.attention query(%q : !q) key(%k : !k) value(%v : !k) lambda(%l : tensor<1x?x1xbf16>)
      outs(%o : !k) mask<causal> schedule<query_tile = 32, pairs = 1, key_tile = 32, warps = 4, stages = 1>
  return %r : !k
}
