// What the interpreter finds in teams and among them. Each kernel is wrong in
// one way; all seeds find it.
// DEFINE: %{kernel} =
// DEFINE: %{run} = not diffattn-eval %s --kernel=%{kernel} --input=random:1 --dynamic-dim=64
// REDEFINE: %{kernel} = not_fenced
// RUN: %{run} 2>&1 | FileCheck %s --check-prefix=NOT-FENCED
// RUN: %{run} --seed=1 2>&1 | FileCheck %s --check-prefix=NOT-FENCED
// REDEFINE: %{kernel} = fenced_late
// RUN: %{run} 2>&1 | FileCheck %s --check-prefix=FENCED-LATE
// RUN: %{run} --seed=1 2>&1 | FileCheck %s --check-prefix=FENCED-LATE
// REDEFINE: %{kernel} = no_team_barrier
// RUN: %{run} 2>&1 | FileCheck %s --check-prefix=NO-TEAM-BARRIER
// RUN: %{run} --seed=1 2>&1 | FileCheck %s --check-prefix=NO-TEAM-BARRIER
// REDEFINE: %{kernel} = overtakes
// RUN: %{run} 2>&1 | FileCheck %s --check-prefix=OVERTAKES
// RUN: %{run} --seed=1 2>&1 | FileCheck %s --check-prefix=OVERTAKES
// REDEFINE: %{kernel} = apart
// RUN: %{run} 2>&1 | FileCheck %s --check-prefix=APART
// RUN: %{run} --seed=1 2>&1 | FileCheck %s --check-prefix=APART
// REDEFINE: %{kernel} = no_team
// RUN: %{run} 2>&1 | FileCheck %s --check-prefix=NO-TEAM
// RUN: %{run} --seed=1 2>&1 | FileCheck %s --check-prefix=NO-TEAM
// REDEFINE: %{kernel} = copy_in_role
// RUN: %{run} 2>&1 | FileCheck %s --check-prefix=COPY-IN-ROLE
// RUN: %{run} --seed=1 2>&1 | FileCheck %s --check-prefix=COPY-IN-ROLE
// REDEFINE: %{kernel} = expects_often
// RUN: %{run} 2>&1 | FileCheck %s --check-prefix=EXPECTS-OFTEN
// RUN: %{run} --seed=1 2>&1 | FileCheck %s --check-prefix=EXPECTS-OFTEN
// REDEFINE: %{kernel} = initialised_twice
// RUN: %{run} 2>&1 | FileCheck %s --check-prefix=INITIALISED-TWICE
// RUN: %{run} --seed=1 2>&1 | FileCheck %s --check-prefix=INITIALISED-TWICE
// REDEFINE: %{kernel} = copy_left
// RUN: %{run} 2>&1 | FileCheck %s --check-prefix=COPY-LEFT
// RUN: %{run} --seed=1 2>&1 | FileCheck %s --check-prefix=COPY-LEFT
// REDEFINE: %{kernel} = product_left
// RUN: %{run} 2>&1 | FileCheck %s --check-prefix=PRODUCT-LEFT
// RUN: %{run} --seed=1 2>&1 | FileCheck %s --check-prefix=PRODUCT-LEFT
// REDEFINE: %{kernel} = undefined_source
// RUN: %{run} 2>&1 | FileCheck %s --check-prefix=UNDEFINED-SOURCE
// RUN: %{run} --seed=1 2>&1 | FileCheck %s --check-prefix=UNDEFINED-SOURCE
// REDEFINE: %{kernel} = scalars_early
// RUN: %{run} 2>&1 | FileCheck %s --check-prefix=SCALARS-EARLY
// RUN: %{run} --seed=1 2>&1 | FileCheck %s --check-prefix=SCALARS-EARLY
// REDEFINE: %{kernel} = scalars_of_all
// RUN: %{run} 2>&1 | FileCheck %s --check-prefix=SCALARS-OF-ALL
// RUN: %{run} --seed=1 2>&1 | FileCheck %s --check-prefix=SCALARS-OF-ALL
// REDEFINE: %{kernel} = turn_passed_twice
// RUN: %{run} 2>&1 | FileCheck %s --check-prefix=TURN-PASSED-TWICE
// RUN: %{run} --seed=1 2>&1 | FileCheck %s --check-prefix=TURN-PASSED-TWICE
// REDEFINE: %{kernel} = turn_kept
// RUN: %{run} 2>&1 | FileCheck %s --check-prefix=TURN-KEPT
// RUN: %{run} --seed=1 2>&1 | FileCheck %s --check-prefix=TURN-KEPT
// REDEFINE: %{kernel} = written_differently
// RUN: %{run} 2>&1 | FileCheck %s --check-prefix=WRITTEN-DIFFERENTLY
// RUN: %{run} --seed=1 2>&1 | FileCheck %s --check-prefix=WRITTEN-DIFFERENTLY
// REDEFINE: %{kernel} = store_left
// RUN: %{run} 2>&1 | FileCheck %s --check-prefix=STORE-LEFT
// RUN: %{run} --seed=1 2>&1 | FileCheck %s --check-prefix=STORE-LEFT
// REDEFINE: %{kernel} = store_not_fenced
// RUN: %{run} 2>&1 | FileCheck %s --check-prefix=STORE-NOT-FENCED
// RUN: %{run} --seed=1 2>&1 | FileCheck %s --check-prefix=STORE-NOT-FENCED
// REDEFINE: %{kernel} = store_reads
// RUN: %{run} 2>&1 | FileCheck %s --check-prefix=STORE-READS
// RUN: %{run} --seed=1 2>&1 | FileCheck %s --check-prefix=STORE-READS
// REDEFINE: %{kernel} = reuse_mixes
// RUN: %{run} 2>&1 | FileCheck %s --check-prefix=REUSE-MIXES
// RUN: %{run} --seed=1 2>&1 | FileCheck %s --check-prefix=REUSE-MIXES

#acc = #diffattn_tile.fragment<register = [d1*2, d0*2:8, d1*8:8], lane = [d1*4:2, d0*8], warp = [d0*4:16]>
#rows = #diffattn_tile.shared<[d1*64, d0*64], swizzle = 128>
#numbers = #diffattn_tile.shared<[d0*2], swizzle = 0>
!map = !diffattn_tile.tensor_map<64x64xbf16, swizzle = 128>
!tile = !diffattn_tile.buffer<[64x64xbf16], #rows>
!number = !diffattn_tile.buffer<[2xi32], #numbers>
!barrier = !diffattn_tile.barriers<1>
!in = memref<64x64xbf16, strided<[?, 1], offset: ?>>
!values = tensor<64x64xbf16, #acc>
!acc = tensor<64x64xf32, #acc>
!out = memref<64x64xf32, strided<[?, 1], offset: ?>>

gpu.module @kernels {
  // NOT-FENCED: which reads element (0x0) of the buffer allocated in line {{[0-9]+}}, which warp 0 wrote without a fence async_proxy since
  gpu.func @not_fenced(%in: !in, %out: !out) kernel attributes {
      diffattn_tile.warps = 4 : i64, diffattn_tile.grid = [{constant = 1 : i64}]} {
    %b = diffattn_tile.alloc : !tile
    %v = diffattn_tile.load %in : !in -> !values
    diffattn_tile.local_store %v, %b : !values, !tile
    gpu.barrier
    %p = diffattn_tile.dot_async %b, %b transposed : !tile, !tile -> !diffattn_tile.pending<!acc>
    %r = diffattn_tile.dot_wait %p, 0 : !diffattn_tile.pending<!acc>
    diffattn_tile.store %r, %out : !acc, !out
    gpu.return
  }

  // FENCED-LATE: which warp {{[0-3]}} wrote without a fence async_proxy since
  gpu.func @fenced_late(%in: !in, %out: !out) kernel attributes {
      diffattn_tile.warps = 4 : i64, diffattn_tile.grid = [{constant = 1 : i64}]} {
    %b = diffattn_tile.alloc : !tile
    %v = diffattn_tile.load %in : !in -> !values
    diffattn_tile.local_store %v, %b : !values, !tile
    gpu.barrier
    diffattn_tile.fence async_proxy
    %p = diffattn_tile.dot_async %b, %b transposed : !tile, !tile -> !diffattn_tile.pending<!acc>
    %r = diffattn_tile.dot_wait %p, 0 : !diffattn_tile.pending<!acc>
    diffattn_tile.store %r, %out : !acc, !out
    gpu.return
  }

  // NO-TEAM-BARRIER: which warp {{[0-3]}} wrote without a barrier in between
  gpu.func @no_team_barrier(%in: !in, %out: !out) kernel attributes {
      diffattn_tile.warps = 4 : i64, diffattn_tile.grid = [{constant = 1 : i64}]} {
    %b = diffattn_tile.alloc : !tile
    %v = diffattn_tile.load %in : !in -> !values
    diffattn_tile.local_store %v, %b : !values, !tile
    diffattn_tile.fence async_proxy
    %p = diffattn_tile.dot_async %b, %b transposed : !tile, !tile -> !diffattn_tile.pending<!acc>
    %r = diffattn_tile.dot_wait %p, 0 : !diffattn_tile.pending<!acc>
    diffattn_tile.store %r, %out : !acc, !out
    gpu.return
  }

  // The arrival of the first warp does not say that the others have passed the
  // wait.
  // OVERTAKES: 'diffattn_tile.wait' op waits for phase {{[0-9]+}} of barrier 0 of those in line {{[0-9]+}}, but the next phase {{may end before this is seen|has ended, too, which the wait cannot tell}}
  gpu.func @overtakes(%out: !out) kernel attributes {
      diffattn_tile.warps = 8 : i64, diffattn_tile.grid = [{constant = 1 : i64}]} {
    %c0 = arith.constant 0 : i32
    %c1 = arith.constant 1 : i32
    %c4 = arith.constant 4 : i32
    %full = diffattn_tile.barriers arrivals 1 : !barrier
    %empty = diffattn_tile.barriers arrivals 1 : !barrier
    diffattn_tile.fence barrier_init
    gpu.barrier
    diffattn_tile.roles
    role(%a) warpgroups 1 registers 128 {
      scf.for %i = %c0 to %c4 step %c1 : i32 {
        %phase = arith.andi %i, %c1 : i32
        %before = arith.xori %phase, %c1 : i32
        diffattn_tile.wait %empty[%c0], %before : !barrier
        diffattn_tile.team_barrier
        diffattn_tile.arrive %full[%c0] : !barrier
      }
    },
    role(%b) warpgroups 1 registers 128 {
      scf.for %i = %c0 to %c4 step %c1 : i32 {
        %phase = arith.andi %i, %c1 : i32
        diffattn_tile.wait %full[%c0], %phase : !barrier
        diffattn_tile.arrive %empty[%c0] : !barrier
      }
      %zero = arith.constant dense<0.0> : !acc
      diffattn_tile.store %zero, %out : !acc, !out
    }
    gpu.return
  }

  // APART: 'diffattn_tile.team_barrier' op is where warp {{[0-3]}} of the team is not: it is at 'diffattn_tile.team_barrier' in line
  gpu.func @apart(%out: !out) kernel attributes {
      diffattn_tile.warps = 4 : i64, diffattn_tile.grid = [{constant = 1 : i64}]} {
    %index = diffattn_tile.index 0 : tensor<64x64xindex, #acc>
    %c16 = arith.constant dense<16> : tensor<64x64xindex, #acc>
    %late = arith.cmpi sge, %index, %c16 : tensor<64x64xindex, #acc>
    %any = diffattn_tile.warp_any %late : tensor<64x64xi1, #acc>
    scf.if %any {
      diffattn_tile.team_barrier
    } else {
      diffattn_tile.team_barrier
    }
    gpu.return
  }

  // NO-TEAM: 'diffattn_tile.team_barrier' op is for a team, expected in a role or a block of 4 warps
  gpu.func @no_team(%out: !out) kernel attributes {
      diffattn_tile.warps = 8 : i64, diffattn_tile.grid = [{constant = 1 : i64}]} {
    diffattn_tile.team_barrier
    gpu.return
  }

  // COPY-IN-ROLE: 'diffattn_tile.async_copy' op is for all threads of the block, but in a role
  gpu.func @copy_in_role(%in: !in, %out: !out) kernel attributes {
      diffattn_tile.warps = 4 : i64, diffattn_tile.grid = [{constant = 1 : i64}]} {
    %b = diffattn_tile.alloc : !tile
    diffattn_tile.roles
    role(%a) warpgroups 1 registers 128 {
      diffattn_tile.async_copy %in into %b : !in, !tile
    }
    gpu.return
  }

  // EXPECTS-OFTEN: 'diffattn_tile.expect' op is for one thread, expected in diffattn_tile.elected
  gpu.func @expects_often(%out: !out) kernel attributes {
      diffattn_tile.warps = 4 : i64, diffattn_tile.grid = [{constant = 1 : i64}]} {
    %c0 = arith.constant 0 : i32
    %full = diffattn_tile.barriers arrivals 1 : !barrier
    diffattn_tile.fence barrier_init
    gpu.barrier
    diffattn_tile.expect %full[%c0], 128 : !barrier
    gpu.return
  }

  // INITIALISED-TWICE: 'diffattn_tile.barriers' op initialises its barriers a second time
  gpu.func @initialised_twice(%out: !out) kernel attributes {
      diffattn_tile.warps = 4 : i64, diffattn_tile.grid = [{constant = 1 : i64}]} {
    %c0 = arith.constant 0 : i32
    %c1 = arith.constant 1 : i32
    %c2 = arith.constant 2 : i32
    scf.for %i = %c0 to %c2 step %c1 : i32 {
      %full = diffattn_tile.barriers arrivals 1 : !barrier
    }
    gpu.return
  }

  // COPY-LEFT: 'gpu.func' op ends with tensor copies that nobody has waited for at barrier 0 of those in line
  gpu.func @copy_left(%map: !map, %out: !out) kernel attributes {
      diffattn_tile.warps = 4 : i64, diffattn_tile.grid = [{constant = 1 : i64}]} {
    %c0 = arith.constant 0 : i32
    %full = diffattn_tile.barriers arrivals 1 : !barrier
    %b = diffattn_tile.alloc : !tile
    diffattn_tile.fence barrier_init
    gpu.barrier
    diffattn_tile.elected {
      diffattn_tile.expect %full[%c0], 8192 : !barrier
      diffattn_tile.tensor_copy %map[%c0, %c0] dims [0, 1] into %b, %full[%c0] : !map, !tile, !barrier
    }
    gpu.return
  }

  // PRODUCT-LEFT: 'gpu.func' op ends with products under way
  gpu.func @product_left(%in: !in, %out: !out) kernel attributes {
      diffattn_tile.warps = 4 : i64, diffattn_tile.grid = [{constant = 1 : i64}]} {
    %b = diffattn_tile.alloc : !tile
    %p = diffattn_tile.dot_async %b, %b transposed : !tile, !tile -> !diffattn_tile.pending<!acc>
    gpu.return
  }

  // UNDEFINED-SOURCE: 'diffattn_tile.tensor_copy' op copies element (0x0) of parameter 0, which is undefined
  gpu.func @undefined_source(%in: !out {diffattn_tile.access = "write"}, %map: !diffattn_tile.tensor_map<64x32xf32, swizzle = 128> {diffattn_tile.map = {argument = 0 : i64}}) kernel attributes {
      diffattn_tile.warps = 4 : i64, diffattn_tile.grid = [{constant = 1 : i64}]} {
    %c0 = arith.constant 0 : i32
    %full = diffattn_tile.barriers arrivals 1 : !barrier
    %b = diffattn_tile.alloc : !diffattn_tile.buffer<[64x32xf32], #diffattn_tile.shared<[d1*32, d0*64], swizzle = 128>>
    diffattn_tile.fence barrier_init
    gpu.barrier
    diffattn_tile.elected {
      diffattn_tile.expect %full[%c0], 8192 : !barrier
      diffattn_tile.tensor_copy %map[%c0, %c0] dims [0, 1] into %b, %full[%c0] : !diffattn_tile.tensor_map<64x32xf32, swizzle = 128>, !diffattn_tile.buffer<[64x32xf32], #diffattn_tile.shared<[d1*32, d0*64], swizzle = 128>>, !barrier
    }
    gpu.return
  }

  // SCALARS-EARLY: 'diffattn_tile.read_scalars' op reads element (0) of the buffer allocated in line {{[0-9]+}}, which {{nobody has written|warp 0 wrote without a barrier in between}}
  gpu.func @scalars_early(%out: !out) kernel attributes {
      diffattn_tile.warps = 8 : i64, diffattn_tile.grid = [{constant = 1 : i64}]} {
    %c0 = arith.constant 0 : i32
    %b = diffattn_tile.alloc : !number
    diffattn_tile.roles
    role(%x) warpgroups 1 registers 128 {
      diffattn_tile.elected {
        diffattn_tile.write_scalars %c0, %c0 into %b : !number
      }
    },
    role(%y) warpgroups 1 registers 128 {
      %n:2 = diffattn_tile.read_scalars %b : !number -> i32, i32
    }
    gpu.return
  }

  // SCALARS-OF-ALL: 'diffattn_tile.write_scalars' op overwrites element (0) of the buffer allocated in line {{[0-9]+}}, which warp {{[0-3]}} wrote without a barrier in between
  gpu.func @scalars_of_all(%out: !out) kernel attributes {
      diffattn_tile.warps = 4 : i64, diffattn_tile.grid = [{constant = 1 : i64}]} {
    %c0 = arith.constant 0 : i32
    %b = diffattn_tile.alloc : !number
    diffattn_tile.write_scalars %c0, %c0 into %b : !number
    gpu.return
  }

  // TURN-PASSED-TWICE: 'diffattn_tile.pass_turn' op may come before team 1 has taken the turn before
  gpu.func @turn_passed_twice(%out: !out) kernel attributes {
      diffattn_tile.warps = 8 : i64, diffattn_tile.grid = [{constant = 1 : i64}]} {
    %c0 = arith.constant 0 : i32
    diffattn_tile.roles
    role(%team) warpgroups 2 registers 128 {
      %is_first = arith.cmpi eq, %team, %c0 : i32
      scf.if %is_first {
        diffattn_tile.pass_turn
        diffattn_tile.pass_turn
      } else {
        diffattn_tile.take_turn
        diffattn_tile.take_turn
      }
    }
    gpu.return
  }

  // TURN-KEPT: 'diffattn_tile.take_turn' op waits forever
  gpu.func @turn_kept(%out: !out) kernel attributes {
      diffattn_tile.warps = 8 : i64, diffattn_tile.grid = [{constant = 1 : i64}]} {
    diffattn_tile.roles
    role(%team) warpgroups 2 registers 128 {
      diffattn_tile.take_turn
      diffattn_tile.pass_turn
    }
    gpu.return
  }

  // WRITTEN-DIFFERENTLY: 'diffattn_tile.store' op writes element ({{[0-9]+}}x0) of a view of parameter 0, which warp {{[0-7]}} of block 0 has written, too
  gpu.func @written_differently(%out: !out) kernel attributes {
      diffattn_tile.warps = 8 : i64, diffattn_tile.grid = [{constant = 1 : i64}]} {
    diffattn_tile.roles
    role(%team) warpgroups 2 registers 128 {
      %number = arith.sitofp %team : i32 to f32
      %values = diffattn_tile.splat %number : f32 -> !acc
      diffattn_tile.store %values, %out : !acc, !out
    }
    gpu.return
  }

  // STORE-LEFT: 'gpu.func' op ends with tensor stores that no store_wait follows
  gpu.func @store_left(%in: !in, %map: !map) kernel attributes {
      diffattn_tile.warps = 4 : i64, diffattn_tile.grid = [{constant = 1 : i64}]} {
    %c0 = arith.constant 0 : i32
    %b = diffattn_tile.alloc : !tile
    %v = diffattn_tile.load %in : !in -> !values
    diffattn_tile.local_store %v, %b : !values, !tile
    diffattn_tile.fence async_proxy
    diffattn_tile.team_barrier
    diffattn_tile.elected {
      diffattn_tile.tensor_store %b into %map[%c0, %c0] dims [0, 1] : !tile, !map
    }
    gpu.return
  }

  // STORE-NOT-FENCED: 'diffattn_tile.tensor_store' op reads element ({{[0-9]+x[0-9]+}}) of the buffer allocated in line {{[0-9]+}}, which warp 0 wrote without a fence async_proxy since
  gpu.func @store_not_fenced(%in: !in, %map: !map) kernel attributes {
      diffattn_tile.warps = 4 : i64, diffattn_tile.grid = [{constant = 1 : i64}]} {
    %c0 = arith.constant 0 : i32
    %b = diffattn_tile.alloc : !tile
    %v = diffattn_tile.load %in : !in -> !values
    diffattn_tile.local_store %v, %b : !values, !tile
    diffattn_tile.team_barrier
    diffattn_tile.elected {
      diffattn_tile.tensor_store %b into %map[%c0, %c0] dims [0, 1] : !tile, !map
      diffattn_tile.store_wait 0
    }
    gpu.return
  }

  // The barrier comes before the wait.
  // STORE-READS: 'diffattn_tile.local_store' op overwrites element ({{[0-9]+x[0-9]+}}) of the buffer allocated in line {{[0-9]+}}, which {{a tensor store of warp 0 may still be reading: no store_wait since|warp 0 may still be reading: no barrier since}}
  gpu.func @store_reads(%in: !in, %map: !map) kernel attributes {
      diffattn_tile.warps = 4 : i64, diffattn_tile.grid = [{constant = 1 : i64}]} {
    %c0 = arith.constant 0 : i32
    %b = diffattn_tile.alloc : !tile
    %v = diffattn_tile.load %in : !in -> !values
    diffattn_tile.local_store %v, %b : !values, !tile
    diffattn_tile.fence async_proxy
    diffattn_tile.team_barrier
    diffattn_tile.elected {
      diffattn_tile.tensor_store %b into %map[%c0, %c0] dims [0, 1] : !tile, !map
    }
    diffattn_tile.team_barrier
    diffattn_tile.elected {
      diffattn_tile.store_wait 0
    }
    diffattn_tile.local_store %v, %b : !values, !tile
    gpu.return
  }

  // REUSE-MIXES: 'diffattn_tile.tensor_store' op reads element (0x0) of the buffer allocated in line {{[0-9]+}}, where another buffer has been written since
  gpu.func @reuse_mixes(%in: !in, %map: !map) kernel attributes {
      diffattn_tile.warps = 4 : i64, diffattn_tile.grid = [{constant = 1 : i64}]} {
    %c0 = arith.constant 0 : i32
    %b = diffattn_tile.alloc : !tile
    %other = diffattn_tile.reuse %b : !tile -> !tile
    %v = diffattn_tile.load %in : !in -> !values
    diffattn_tile.local_store %v, %b : !values, !tile
    diffattn_tile.fence async_proxy
    diffattn_tile.team_barrier
    diffattn_tile.elected {
      diffattn_tile.tensor_store %other into %map[%c0, %c0] dims [0, 1] : !tile, !map
      diffattn_tile.store_wait 0
    }
    gpu.return
  }
}
