// RUN: diffattn-opt %s --diffattn-assign-schedule=target=sm_80 | FileCheck %s --check-prefixes=CHECK,SM80
// RUN: diffattn-opt %s --diffattn-assign-schedule=target=sm_89 | FileCheck %s --check-prefixes=CHECK,SM89
// RUN: diffattn-opt %s "--diffattn-assign-schedule=target=sm_80 stages=2" | FileCheck %s --check-prefix=STAGES
// RUN: diffattn-opt %s "--diffattn-assign-schedule=target=sm_80 rank=1" | FileCheck %s --check-prefix=RANK
// RUN: diffattn-opt %s --diffattn-assign-schedule=target=sm_80 --remarks-filter=diffattn-.* 2>&1 | FileCheck %s --check-prefix=REMARK
// RUN: diffattn-opt %s --diffattn-assign-schedule=target=sm_80 \
// RUN:   | diffattn-opt --diffattn-assign-schedule=target=sm_80 | FileCheck %s --check-prefixes=CHECK,SM80

// 128 rows, branches included; on Hopper, which runs the same code, two blocks
// share an SM.
// REMARK: remark: [Passed] schedule | Category:diffattn-assign-schedule
// REMARK-SAME: Reason="about 254 registers of a thread and 98304 bytes of shared memory: shared memory allow 1 blocks per SM of sm_80; twice the rows would need 454 registers of 255; twice the keys would need 318 registers of 255; one more stage would take {{[0-9.]+}} clocks a score against {{[0-9.]+}}"
// REMARK-SAME: Remark="tile of 64 query rows x 1 pairs, 64 keys, on 4 warps with 2 stages"
// CHECK-LABEL: func @d128(
// STAGES-LABEL: func @d128(
// RANK-LABEL: func @d128(
func.func @d128(%q: tensor<?x?x32x128xbf16>, %k: tensor<?x?x8x128xbf16>,
                %l: tensor<?x?x16xbf16>, %o: tensor<?x?x16x128xbf16>) -> tensor<?x?x16x128xbf16> {
  // SM80: schedule<query_tile = 64, pairs = 1, key_tile = 64, warps = 4, stages = 2>
  // SM89: schedule<query_tile = 64, pairs = 1, key_tile = 32, warps = 4, stages = 1>
  // RANK: schedule<query_tile = 64, pairs = 1, key_tile = 48, warps = 4, stages = 2>
  // STAGES: schedule<query_tile = {{[0-9]+}}, pairs = 1, key_tile = {{[0-9]+}}, warps = {{[0-9]+}}, stages = 2>
  %r = diffattn.attention query(%q : tensor<?x?x32x128xbf16>)
      key(%k : tensor<?x?x8x128xbf16>) value(%k : tensor<?x?x8x128xbf16>)
      lambda(%l : tensor<?x?x16xbf16>) outs(%o : tensor<?x?x16x128xbf16>)
  return %r : tensor<?x?x16x128xbf16>
}

// Accumulators of 32 rows a warp would not fit: 16 on each of 8 warps.
// CHECK-LABEL: func @d256(
func.func @d256(%q: tensor<?x?x4x256xf16>, %k: tensor<?x?x2x256xf16>,
                %l: tensor<?x?x2xf16>, %o: tensor<?x?x2x256xf16>) -> tensor<?x?x2x256xf16> {
  // SM80: schedule<query_tile = 64, pairs = 1, key_tile = 64, warps = 8, stages = 1>
  // SM89: schedule<query_tile = 64, pairs = 1, key_tile = 32, warps = 8, stages = 1>
  %r = diffattn.attention query(%q : tensor<?x?x4x256xf16>)
      key(%k : tensor<?x?x2x256xf16>) value(%k : tensor<?x?x2x256xf16>)
      lambda(%l : tensor<?x?x2xf16>) outs(%o : tensor<?x?x2x256xf16>)
  return %r : tensor<?x?x2x256xf16>
}

// Values may have another dimension than queries and keys.
// CHECK-LABEL: func @value_dim(
func.func @value_dim(%q: tensor<?x?x4x192xf16>, %k: tensor<?x?x2x192xf16>, %v: tensor<?x?x2x128xf16>,
                     %l: tensor<?x?x2xf16>, %o: tensor<?x?x2x128xf16>) -> tensor<?x?x2x128xf16> {
  // SM80: schedule<query_tile = 64, pairs = 1, key_tile = 48, warps = 4, stages = 2>
  %r = diffattn.attention query(%q : tensor<?x?x4x192xf16>)
      key(%k : tensor<?x?x2x192xf16>) value(%v : tensor<?x?x2x128xf16>)
      lambda(%l : tensor<?x?x2xf16>) outs(%o : tensor<?x?x2x128xf16>)
  return %r : tensor<?x?x2x128xf16>
}

// Decode: the rows of a matrix instruction are heads, not queries.
// CHECK-LABEL: func @one_row(
func.func @one_row(%q: tensor<1x1x16x64xbf16>, %k: tensor<1x?x1x64xbf16>,
                   %l: tensor<1x1x8xbf16>, %o: tensor<1x1x8x64xbf16>) -> tensor<1x1x8x64xbf16> {
  // CHECK: schedule<query_tile = 1, pairs = 8, key_tile = 64, warps = 1, stages = 2>
  %r = diffattn.attention query(%q : tensor<1x1x16x64xbf16>)
      key(%k : tensor<1x?x1x64xbf16>) value(%k : tensor<1x?x1x64xbf16>)
      lambda(%l : tensor<1x1x8xbf16>) outs(%o : tensor<1x1x8x64xbf16>)
  return %r : tensor<1x1x8x64xbf16>
}

// A schedule that is there is completed.
// CHECK-LABEL: func @scheduled(
func.func @scheduled(%q: tensor<?x?x4x64xf16>, %k: tensor<?x?x2x64xf16>,
                     %l: tensor<?x?x2xf16>, %o: tensor<?x?x2x64xf16>) -> tensor<?x?x2x64xf16> {
  // SM80: schedule<query_tile = 32, pairs = 1, key_tile = 128, warps = {{[0-9]}}, stages = {{[0-9]}}>
  %r = diffattn.attention query(%q : tensor<?x?x4x64xf16>)
      key(%k : tensor<?x?x2x64xf16>) value(%k : tensor<?x?x2x64xf16>)
      lambda(%l : tensor<?x?x2xf16>) outs(%o : tensor<?x?x2x64xf16>)
      schedule<query_tile = 32, pairs = 1, key_tile = 128>
  return %r : tensor<?x?x2x64xf16>
}
