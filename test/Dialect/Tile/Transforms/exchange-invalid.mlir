// RUN: diffattn-opt %s --split-input-file --verify-diagnostics --pass-pipeline='builtin.module(gpu.module(gpu.func(diffattn-tile-exchange)))'

#a = #diffattn_tile.fragment<register = [], lane = [d0*32], warp = []>
#b = #diffattn_tile.fragment<register = [d0*32], lane = [_*32], warp = []>
gpu.module @kernels {
  gpu.func @bits(%s: tensor<32xi1, #a>) kernel attributes {diffattn_tile.warps = 1 : i64} {
    // expected-error @below {{'diffattn_tile.convert_layout' op expects elements of whole bytes to go through shared memory, but got 'i1'}}
    %t = diffattn_tile.convert_layout %s : tensor<32xi1, #a> -> tensor<32xi1, #b>
    gpu.return
  }
}

// -----

#a = #diffattn_tile.fragment<register = [], lane = [d0*32], warp = []>
#b = #diffattn_tile.fragment<register = [d0*32], lane = [_*32], warp = []>
gpu.module @kernels {
  gpu.func @branch(%s: tensor<32xf32, #a>, %p: tensor<32xi1, #a>) kernel attributes {diffattn_tile.warps = 1 : i64} {
    %any = diffattn_tile.warp_any %p : tensor<32xi1, #a>
    %yes = arith.constant true
    %no = arith.xori %any, %yes : i1
    // expected-note @below {{the branch}}
    scf.if %no {
      scf.if %yes {
        // expected-error @below {{'diffattn_tile.convert_layout' op needs all warps, but stands in a branch that some may not take}}
        %t = diffattn_tile.convert_layout %s : tensor<32xf32, #a> -> tensor<32xf32, #b>
      }
    }
    gpu.return
  }
}

// -----

// Rows of five elements: no digit of a lane's number is a bit of an address.
#a = #diffattn_tile.fragment<register = [d0*5], lane = [d0*32:5], warp = []>
#b = #diffattn_tile.fragment<register = [d0*5:32], lane = [d0*32], warp = []>
gpu.module @kernels {
  gpu.func @fives(%s: tensor<160xf32, #a>) kernel attributes {diffattn_tile.warps = 1 : i64} {
    // expected-error @below {{'diffattn_tile.convert_layout' op expects layouts whose places in a buffer are a base and constants, but got #diffattn_tile.fragment<register = [d0*5], lane = [d0*32:5], warp = []> and}}
    %t = diffattn_tile.convert_layout %s : tensor<160xf32, #a> -> tensor<160xf32, #b>
    gpu.return
  }
}
