// RUN: diffattn-opt %s --split-input-file --verify-diagnostics --pass-pipeline='builtin.module(gpu.module(gpu.func(diffattn-tile-specialize)))'

gpu.module @kernels {
  // expected-error @below {{'gpu.func' op expects one diffattn_tile.coordinates, but has 2}}
  gpu.func @two(%n: index) kernel attributes {diffattn_tile.teams = 2 : i64, diffattn_tile.stages = 2 : i64, diffattn_tile.warps = 4 : i64, diffattn_tile.grid = []} {
    %a = diffattn_tile.coordinates in %n
    %b = diffattn_tile.coordinates in %n
    gpu.return
  }
}

// -----

gpu.module @kernels {
  gpu.func @rank(%n: index) kernel attributes {diffattn_tile.teams = 2 : i64, diffattn_tile.stages = 2 : i64, diffattn_tile.warps = 4 : i64, diffattn_tile.grid = []} {
    // expected-error @below {{'diffattn_tile.coordinates' op expects a grid of rank 4 at most, but got 5}}
    %a:5 = diffattn_tile.coordinates in %n, %n, %n, %n, %n
    gpu.return
  }
}

// -----

// Keys, the same for all tiles, but not in a loop.
gpu.module @kernels {
  gpu.func @shared(%in: memref<64x64xbf16>, %n: index, %p: tensor<64x64xbf16>, %acc: tensor<64x64xf32>) kernel
      attributes {diffattn_tile.teams = 2 : i64, diffattn_tile.stages = 2 : i64, diffattn_tile.warps = 4 : i64, diffattn_tile.grid = []} {
    %a = diffattn_tile.coordinates in %n
    // expected-error @below {{'diffattn_tile.load' op expects operands that are loaded in a loop to be the same for neighbouring tiles, and only those}}
    %k = diffattn_tile.load %in : memref<64x64xbf16> -> tensor<64x64xbf16>
    %s = diffattn_tile.dot %p, %k, %acc : tensor<64x64xbf16>, tensor<64x64xbf16>, tensor<64x64xf32>
    gpu.return
  }
}

// -----

gpu.module @kernels {
  gpu.func @nested(%in: memref<64x64xbf16>, %n: index, %c: i1, %p: tensor<64x64xbf16>, %acc: tensor<64x64xf32>) kernel
      attributes {diffattn_tile.teams = 2 : i64, diffattn_tile.stages = 2 : i64, diffattn_tile.warps = 4 : i64, diffattn_tile.grid = []} {
    %a = diffattn_tile.coordinates in %n
    scf.if %c {
      // expected-error @below {{'diffattn_tile.load' op expects operands of products to be loaded for each tile or in one loop}}
      %k = diffattn_tile.load %in : memref<64x64xbf16> -> tensor<64x64xbf16>
      %s = diffattn_tile.dot %p, %k, %acc : tensor<64x64xbf16>, tensor<64x64xbf16>, tensor<64x64xf32>
    }
    gpu.return
  }
}

// -----

// A parameter is described to the copy engine, not what was loaded elsewhere.
!view = memref<64x64xbf16, strided<[?, 1], offset: ?>>
gpu.module @kernels {
  gpu.func @no_view(%in: !view, %n: index, %p: tensor<64x64xbf16>, %acc: tensor<64x64xf32>) kernel
      attributes {diffattn_tile.teams = 2 : i64, diffattn_tile.stages = 2 : i64, diffattn_tile.warps = 4 : i64, diffattn_tile.grid = []} {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %a = diffattn_tile.coordinates in %n
    scf.for %i = %c0 to %n step %c1 {
      // expected-error @below {{'diffattn_tile.load' op cannot be a tensor copy: expects a view of consecutive elements}}
      %k = diffattn_tile.load %in : !view -> tensor<64x64xbf16>
      %s = diffattn_tile.dot %p, %k, %acc : tensor<64x64xbf16>, tensor<64x64xbf16>, tensor<64x64xf32>
    }
    gpu.return
  }
}

// -----

!view = memref<64x64xbf16, strided<[?, 1], offset: ?>>
gpu.module @kernels {
  gpu.func @no_parameter(%in: !view, %n: index, %p: tensor<64x64xbf16>, %acc: tensor<64x64xf32>) kernel
      attributes {diffattn_tile.teams = 2 : i64, diffattn_tile.stages = 2 : i64, diffattn_tile.warps = 4 : i64, diffattn_tile.grid = []} {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %a = diffattn_tile.coordinates in %n
    scf.for %i = %c0 to %n step %c1 {
      %first = memref.subview %in[0, 0] [64, 64] [1, 1] : !view to !view
      %second = memref.subview %first[0, 0] [64, 64] [1, 1] : !view to !view
      // expected-error @below {{'diffattn_tile.load' op cannot be a tensor copy: expects a view of a parameter of the kernel}}
      %k = diffattn_tile.load %second : !view -> tensor<64x64xbf16>
      %s = diffattn_tile.dot %p, %k, %acc : tensor<64x64xbf16>, tensor<64x64xbf16>, tensor<64x64xf32>
    }
    gpu.return
  }
}
