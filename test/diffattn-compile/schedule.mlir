// The schedule can be given, and remarks say what was chosen.

// RUN: diffattn-compile %s --manifest=- --query-tile=8 --pairs=1 \
// RUN:   --key-tile=16 | FileCheck %s
// RUN: diffattn-compile %s --compile-to=tiled --remarks -o %t 2>&1 \
// RUN:   | FileCheck %s --check-prefix=REMARK
// RUN: not diffattn-compile %s --compile-to=tiled --pairs=3 2>&1 \
// RUN:   | FileCheck %s --check-prefix=PAIRS
// RUN: diffattn-compile %s --run --input=random:0 --query-tile=7 --key-tile=24 \
// RUN:   --check

// CHECK: #diffattn.schedule<query_tile = 8, pairs = 1, key_tile = 16>
// REMARK: remark: {{.*}}schedule
// PAIRS: error: 'diffattn.attention' op expects the schedule's pairs to divide the 2 pairs of a group, but got {{.*}}; the nearest legal one is 2
// PAIRS-NOT: error:

func.func @layer(%q: tensor<1x40x4x16xf32>, %k: tensor<1x40x1x16xf32>,
                 %v: tensor<1x40x1x16xf32>, %l: tensor<1x40x2xf32>)
    -> tensor<1x40x2x16xf32> {
  %init = tensor.empty() : tensor<1x40x2x16xf32>
  %0 = diffattn.attention query(%q : tensor<1x40x4x16xf32>)
      key(%k : tensor<1x40x1x16xf32>) value(%v : tensor<1x40x1x16xf32>)
      lambda(%l : tensor<1x40x2xf32>) outs(%init : tensor<1x40x2x16xf32>)
      mask<causal>
  return %0 : tensor<1x40x2x16xf32>
}
