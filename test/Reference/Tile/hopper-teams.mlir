// Kernels of teams that are right: what they compute, and that they synchronise
// no more than they have to.
// DEFINE: %{kernel} =
// DEFINE: %{options} =
// DEFINE: %{run} = diffattn-eval %s --kernel=%{kernel} --input=random:1 %{options} --schedules=4 --mutate-synchronization \
// DEFINE:   --compare=%s --entry=%{kernel}_reference --tolerance=1e-6
// REDEFINE: %{kernel} = square
// RUN: %{run} | FileCheck %s --check-prefix=SQUARE
// REDEFINE: %{kernel} = outside
// REDEFINE: %{options} = --shape=0:64x64
// RUN: %{run} | FileCheck %s --check-prefix=OUTSIDE
// REDEFINE: %{options} =
// REDEFINE: %{kernel} = unused
// RUN: %{run} | FileCheck %s --check-prefix=UNUSED
// REDEFINE: %{kernel} = by_warp
// RUN: %{run} | FileCheck %s --check-prefix=BY-WARP
// REDEFINE: %{kernel} = turns
// RUN: %{run} | FileCheck %s --check-prefix=TURNS
// REDEFINE: %{kernel} = drawn
// RUN: %{run} --blocks=3 | FileCheck %s --check-prefix=DRAWN
// RUN: sed 's/memref.store/\/\/ &/' %s | not diffattn-eval - --kernel=drawn --result-shape=0:64x64 2>&1 | FileCheck %s --check-prefix=LEFT
// RUN: diffattn-eval %s --kernel=persistent --result-shape=0:100x64 --blocks=3 | FileCheck %s --check-prefix=THREE
// RUN: diffattn-eval %s --kernel=persistent --result-shape=0:100x64 --blocks=9 | FileCheck %s --check-prefix=SEVEN
// RUN: diffattn-eval %s --kernel=persistent --result-shape=0:100x64 | FileCheck %s --check-prefix=SEVEN

#acc = #diffattn_tile.fragment<register = [d1*2, d0*2:8, d1*8:8], lane = [d1*4:2, d0*8], warp = [d0*4:16]>
#rows = #diffattn_tile.shared<[d1*64, d0*64], swizzle = 128>
!map = !diffattn_tile.tensor_map<64x64xbf16, swizzle = 128>
!tile = !diffattn_tile.buffer<[64x64xbf16], #rows>
!barrier = !diffattn_tile.barriers<1>
!in = memref<64x64xbf16, strided<[?, 1], offset: ?>>
!values = tensor<64x64xbf16, #acc>
!acc = tensor<64x64xf32, #acc>
!out = memref<64x64xf32, strided<[?, 1], offset: ?>>
!t = tensor<64x64xbf16>
!f = tensor<64x64xf32>

func.func @square_reference(%in: !t, %out: !f) -> !f {
  %zero = arith.constant 0.0 : f32
  %init = linalg.fill ins(%zero : f32) outs(%out : !f) -> !f
  %r = linalg.generic {
      indexing_maps = [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (n, k)>, affine_map<(m, n, k) -> (m, n)>],
      iterator_types = ["parallel", "parallel", "reduction"]} ins(%in, %in : !t, !t) outs(%init : !f) {
  ^bb0(%a: bf16, %b: bf16, %c: f32):
    %a32 = arith.extf %a : bf16 to f32
    %b32 = arith.extf %b : bf16 to f32
    %ab = arith.mulf %a32, %b32 : f32
    %s = arith.addf %c, %ab : f32
    linalg.yield %s : f32
  } -> !f
  return %r : !f
}

func.func @outside_reference(%in: !t, %out: !t) -> !t {
  %zero = arith.constant 0.0 : bf16
  %part = tensor.extract_slice %in[0, 0] [48, 64] [1, 1] : !t to tensor<48x64xbf16>
  %r = tensor.pad %part low[16, 0] high[0, 0] {
  ^bb0(%i: index, %j: index):
    tensor.yield %zero : bf16
  } : tensor<48x64xbf16> to !t
  return %r : !t
}

func.func @unused_reference(%in: !t, %out: !t) -> !t {
  return %in : !t
}

func.func @by_warp_reference(%in: !f, %out: !f) -> !f {
  %two = arith.constant dense<2.0> : tensor<48x64xf32>
  %part = tensor.extract_slice %in[16, 0] [48, 64] [1, 1] : !f to tensor<48x64xf32>
  %doubled = arith.mulf %part, %two : tensor<48x64xf32>
  %r = tensor.insert_slice %doubled into %in[16, 0] [48, 64] [1, 1] : tensor<48x64xf32> into !f
  return %r : !f
}

func.func @turns_reference(%out: !f) -> !f {
  %four = arith.constant dense<4.0> : !f
  return %four : !f
}

func.func @drawn_reference(%out: !f) -> !f {
  %one = arith.constant dense<1.0> : !f
  return %one : !f
}

gpu.module @kernels {
  // What warps write to shared memory, the matrix unit reads after a fence and a
  // barrier of the team.
  // SQUARE: all 3 mutations of the synchronisation are noticed
  gpu.func @square(%in: !in, %out: !out) kernel attributes {
      diffattn_tile.warps = 4 : i64, diffattn_tile.grid = [{constant = 1 : i64}]} {
    %b = diffattn_tile.alloc : !tile
    diffattn_tile.roles
    role(%team) warpgroups 1 registers 128 {
      %v = diffattn_tile.load %in : !in -> !values
      diffattn_tile.local_store %v, %b : !values, !tile
      diffattn_tile.fence async_proxy
      diffattn_tile.team_barrier
      %p = diffattn_tile.dot_async %b, %b transposed : !tile, !tile -> !diffattn_tile.pending<!acc>
      %r = diffattn_tile.dot_wait %p, 0 : !diffattn_tile.pending<!acc>
      diffattn_tile.store %r, %out : !acc, !out
    }
    gpu.return
  }

  // A copy that starts before the tensor reads zeros there.
  // OUTSIDE: all 5 mutations of the synchronisation are noticed
  gpu.func @outside(%map: !map, %out: !in) kernel attributes {
      diffattn_tile.warps = 4 : i64, diffattn_tile.grid = [{constant = 1 : i64}]} {
    %c0 = arith.constant 0 : i32
    %before = arith.constant -16 : i32
    %full = diffattn_tile.barriers arrivals 1 : !barrier
    %b = diffattn_tile.alloc : !tile
    diffattn_tile.fence barrier_init
    gpu.barrier
    diffattn_tile.elected {
      diffattn_tile.expect %full[%c0], 8192 : !barrier
      diffattn_tile.tensor_copy %map[%before, %c0] dims [0, 1] into %b, %full[%c0] : !map, !tile, !barrier
    }
    diffattn_tile.wait %full[%c0], %c0 : !barrier
    %v = diffattn_tile.local_load %b[0, 0] : !tile -> !values
    diffattn_tile.store %v, %out : !values, !in
    gpu.return
  }

  // A product of anything is harmless until somebody uses it.
  // UNUSED: all 1 mutations of the synchronisation are noticed
  gpu.func @unused(%in: !in, %out: !in) kernel attributes {
      diffattn_tile.warps = 4 : i64, diffattn_tile.grid = [{constant = 1 : i64}]} {
    %b = diffattn_tile.alloc : !tile
    %p = diffattn_tile.dot_async %b, %b transposed : !tile, !tile -> !diffattn_tile.pending<!acc>
    %v = diffattn_tile.load %in : !in -> !values
    diffattn_tile.store %v, %out : !values, !in
    %r = diffattn_tile.dot_wait %p, 0 : !diffattn_tile.pending<!acc>
    gpu.return
  }

  // The first warp, rows 0 to 15, takes another way than the others, and so does
  // what the team multiplies afterwards.
  // BY-WARP: all 3 mutations of the synchronisation are noticed
  gpu.func @by_warp(%in: !out, %out: !out) kernel attributes {
      diffattn_tile.warps = 4 : i64, diffattn_tile.grid = [{constant = 1 : i64}]} {
    %zero = arith.constant dense<0.0> : !values
    %b = diffattn_tile.alloc : !tile
    diffattn_tile.local_store %zero, %b : !values, !tile
    diffattn_tile.fence async_proxy
    diffattn_tile.team_barrier
    %v = diffattn_tile.load %in : !out -> !acc
    %index = diffattn_tile.index 0 : tensor<64x64xindex, #acc>
    %c16 = arith.constant dense<16> : tensor<64x64xindex, #acc>
    %late = arith.cmpi sge, %index, %c16 : tensor<64x64xindex, #acc>
    %any = diffattn_tile.warp_any %late : tensor<64x64xi1, #acc>
    %w = scf.if %any -> (!acc) {
      %sum = arith.addf %v, %v : !acc
      scf.yield %sum : !acc
    } else {
      scf.yield %v : !acc
    }
    %p = diffattn_tile.dot_async %b, %b, %w transposed : !tile, !tile -> !diffattn_tile.pending<!acc>
    %r = diffattn_tile.dot_wait %p, 0 : !diffattn_tile.pending<!acc>
    diffattn_tile.store %r, %out : !acc, !out
    gpu.return
  }

  // One team after the other adds to a tile in shared memory.
  // TURNS: all 5 mutations of the synchronisation are noticed
  gpu.func @turns(%out: !out) kernel attributes {
      diffattn_tile.warps = 8 : i64, diffattn_tile.grid = [{constant = 1 : i64}]} {
    %c0 = arith.constant 0 : i32
    %c1 = arith.constant 1 : i32
    %c2 = arith.constant 2 : i32
    %b = diffattn_tile.alloc : !tile
    diffattn_tile.roles
    role(%team) warpgroups 2 registers 128 {
      %zero = arith.constant dense<0.0> : !values
      %one = arith.constant dense<1.0> : !values
      %is_last = arith.cmpi eq, %team, %c1 : i32
      scf.if %is_last {
        diffattn_tile.local_store %zero, %b : !values, !tile
        diffattn_tile.pass_turn
      }
      scf.for %i = %c0 to %c2 step %c1 : i32 {
        diffattn_tile.take_turn
        %v = diffattn_tile.local_load %b[0, 0] : !tile -> !values
        %next = arith.addf %v, %one : !values
        diffattn_tile.team_barrier
        diffattn_tile.local_store %next, %b : !values, !tile
        diffattn_tile.pass_turn
      }
      scf.if %is_last {
        diffattn_tile.team_barrier
        %v = diffattn_tile.local_load %b[0, 0] : !tile -> !values
        %wide = arith.extf %v : !values to !acc
        diffattn_tile.store %wide, %out : !acc, !out
      }
    }
    gpu.return
  }

  // Rows dealt out by a counter, which is zero in the end.
  // DRAWN: all 0 mutations of the synchronisation are noticed
  // LEFT: kernel 'drawn' leaves {{[0-9]+}} in counter 0
  gpu.func @drawn(%out: !out, %counters: memref<2xi32> {diffattn_tile.counters}) kernel attributes {
      diffattn_tile.warps = 1 : i64, diffattn_tile.grid = [{constant = 4 : i64}]} {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %one = arith.constant 1 : i32
    %zero = arith.constant 0 : i32
    %rows = arith.constant 64 : i32
    %ones = arith.constant dense<1.0> : tensor<1x64xf32>
    scf.while : () -> i32 {
      %row = diffattn_tile.fetch_add %counters[%c0], %one : memref<2xi32>
      %more = arith.cmpi slt, %row, %rows : i32
      scf.condition(%more) %row : i32
    } do {
    ^bb0(%row: i32):
      %index = arith.index_cast %row : i32 to index
      %dest = memref.subview %out[%index, 0] [1, 64] [1, 1] : !out to memref<1x64xf32, strided<[?, 1], offset: ?>>
      diffattn_tile.store %ones, %dest : tensor<1x64xf32>, memref<1x64xf32, strided<[?, 1], offset: ?>>
      scf.yield
    }
    %grid = gpu.grid_dim x
    %blocks = arith.index_cast %grid : index to i32
    %before = diffattn_tile.fetch_add %counters[%c1], %one : memref<2xi32>
    %finished = arith.addi %before, %one : i32
    %is_last = arith.cmpi eq, %finished, %blocks : i32
    scf.if %is_last {
      memref.store %zero, %counters[%c0] : memref<2xi32>
      memref.store %zero, %counters[%c1] : memref<2xi32>
    }
    gpu.return
  }

  // As many blocks as asked for, but not more than there are tiles.
  // THREE: [3, 3,
  // SEVEN: [7, 7,
  gpu.func @persistent(%out: memref<?x64xf32, strided<[?, 1], offset: ?>>)
      kernel attributes {diffattn_tile.warps = 4 : i64, diffattn_tile.persistent,
                         diffattn_tile.grid = [{argument = 0 : i64, dim = 0 : i64, tile = 16 : i64}]} {
    %c0 = arith.constant 0 : index
    %c16 = arith.constant 16 : index
    %rows = memref.dim %out, %c0 : memref<?x64xf32, strided<[?, 1], offset: ?>>
    %tiles = arith.ceildivui %rows, %c16 : index
    %block = gpu.block_id x
    %grid = gpu.grid_dim x
    %number = arith.index_cast %grid : index to i32
    %value = arith.sitofp %number : i32 to f32
    %values = diffattn_tile.splat %value : f32 -> tensor<16x64xf32>
    scf.for %tile = %block to %tiles step %grid {
      %row = arith.muli %tile, %c16 : index
      %left = arith.subi %rows, %row : index
      %dest = memref.subview %out[%row, 0] [%left, 64] [1, 1] : memref<?x64xf32, strided<[?, 1], offset: ?>> to memref<?x64xf32, strided<[?, 1], offset: ?>>
      diffattn_tile.store %values, %dest : tensor<16x64xf32>, memref<?x64xf32, strided<[?, 1], offset: ?>>
    }
    gpu.return
  }
}
