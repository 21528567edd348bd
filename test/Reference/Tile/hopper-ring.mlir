// A producer sends tiles through a ring of two slots to a team that multiplies
// them. All orders give the same bits, and no synchronisation is one too many.
//
// DEFINE: %{run} = diffattn-eval - --kernel --input=random:1
// DEFINE: %{fails} = not %{run} 2>&1 | FileCheck %s --check-prefix
//
// RUN: diffattn-eval %s --kernel --input=random:1 --schedules=8 --mutate-synchronization \
// RUN:   --compare=%s --entry=reference --tolerance=1e-6 | FileCheck %s
// CHECK: all 8 mutations of the synchronisation are noticed
// CHECK: result 0 agrees
//
// What is said of each mistake.
//
// RUN: sed '/fence barrier_init/d' %s | %{fails}=NO-FENCE
// RUN: sed '/gpu.barrier/d' %s | %{fails}=NO-FENCE
// NO-FENCE: uses barrier {{[01]}} of those in line {{[0-9]+}} without a fence barrier_init and a gpu.barrier since they were initialised
//
// RUN: sed '/wait %%empty/d' %s | %{fails}=SENT-EARLY
// SENT-EARLY: 'diffattn_tile.expect' op {{may count for a wrong phase: the warp does not know that phase 0|is one arrival too many in phase 0}} of barrier 0 of those in line
// RUN: sed '/^ .*arrive %%empty/d; s/^ .*dot_wait/diffattn_tile.arrive %%empty[%%slot] : !barriers\n&/' %s | %{fails}=RELEASED
// RELEASED: 'diffattn_tile.tensor_copy' op overwrites slot 0 of the buffer allocated in line {{[0-9]+}}, which a product of team 1 may still be reading: no barrier since
//
// RUN: sed '/wait %%full/d; /arrive %%empty/d' %s | %{fails}=NOT-WAITED
// NOT-WAITED: uses the result of 'diffattn_tile.dot_async' in line {{[0-9]+}}, which reads element (0x0) of slot 0 of the buffer allocated in line {{[0-9]+}}, which {{nobody has written|a tensor copy is still writing|a tensor copy wrote without a wait for its barrier in between}}
// RUN: sed '/wait %%full/d' %s | %{fails}=TOO-SOON
// RUN: sed '/wait %%full/s/%%phase/%%before/' %s | %{fails}=TOO-SOON
// TOO-SOON: waits for the phase before the first of barrier 0 of those in line {{[0-9]+}}, but the next phase {{may end before this is seen|has ended, too, which the wait cannot tell}}
//
// RUN: sed '/arrive %%empty/d' %s | %{fails}=NO-ARRIVAL
// NO-ARRIVAL: 'diffattn_tile.wait' op waits forever for the end of phase 0 of barrier {{[01]}} of those in line {{[0-9]+}} (0 of 1 arrivals); warp {{[0-9]+}} is at 'diffattn_tile.wait' in line {{[0-9]+}} for phase 1 of barrier 0 of those in line {{[0-9]+}} (0 of 1 arrivals)
// RUN: sed '/expect %%full/d' %s | %{fails}=NO-EXPECT
// NO-EXPECT: for phase 0 of barrier 0 of those in line {{[0-9]+}} (0 of 1 arrivals, 8192 of 0 bytes)
// RUN: sed 's/, 8192/, 16384/' %s | %{fails}=TOO-MANY-BYTES
// TOO-MANY-BYTES: for phase 0 of barrier 0 of those in line {{[0-9]+}} (1 of 1 arrivals, 8192 of 16384 bytes)
// RUN: sed 's/, 8192/, 4096/' %s | %{fails}=TOO-FEW-BYTES
// TOO-FEW-BYTES: 'diffattn_tile.tensor_copy' op lets phase 0 of barrier 0 of those in line {{[0-9]+}} end early: its copies move 8192 bytes, but 4096 are expected
//
// RUN: sed 's/arrivals 1/arrivals 2/' %s | %{fails}=TOO-MANY-ARRIVALS
// TOO-MANY-ARRIVALS: for phase 0 of barrier 0 of those in line {{[0-9]+}} (1 of 2 arrivals, 8192 of 8192 bytes)
// RUN: sed 's/.*arrive %%empty.*/&\n&\n&/' %s | %{fails}=ARRIVES-AGAIN
// ARRIVES-AGAIN: waits for phase 0 of barrier 0 of those in line {{[0-9]+}}, but the next phase has ended, too, which the wait cannot tell
// RUN: sed 's/.*expect %%full.*/&\ndiffattn_tile.arrive %%full[%%slot] : !barriers/' %s | %{fails}=ONE-TOO-MANY
// ONE-TOO-MANY: 'diffattn_tile.arrive' op is one arrival too many in phase 0 of barrier 0 of those in line {{[0-9]+}} (1 of 1 arrivals, 0 of 8192 bytes)
//
// RUN: sed 's/dot_wait %%product, 0/dot_wait %%product, 1/' %s | %{fails}=UNDER-WAY
// UNDER-WAY: 'diffattn_tile.dot_wait' op leaves its own product under way: 0 were started after it, and 1 may go on
// RUN: sed '/wait %%full/s/%%phase/%%c3/' %s | %{fails}=PARITY
// PARITY: waits for the parity 3, expected 0 or 1
// RUN: sed '/wait %%full/s/%%slot/%%c3/' %s | %{fails}=INDEX
// INDEX: uses barrier 3 of 2
// RUN: sed 's/warps = 8/warps = 12/' %s | %{fails}=WARPS
// WARPS: 'diffattn_tile.roles' op deals out 2 warpgroups, but the kernel has 12 warps
// RUN: sed 's/arrivals 1/& {offset = 16380 : i64}/; s/alloc/& {offset = 0 : i64}/' %s | %{fails}=OVERLAP
// OVERLAP: 'diffattn_tile.barriers' op lies in the memory of 'diffattn_tile.alloc' in line {{[0-9]+}}
// RUN: sed 's/dims = array<i64: 0, 1>/dims = array<i64: 1, 0>/' %s | %{fails}=COLUMNS
// COLUMNS: tensor map 2 of kernel 'ring' has an innermost dimension whose elements are no neighbours
// RUN: sed 's/dims = array<i64: 0, 1>/dims = array<i64: 0, 2>/' %s | %{fails}=MALFORMED
// MALFORMED: parameter 2 of kernel 'ring' has a malformed diffattn_tile.map
// RUN: sed 's/argument = 0/argument = 1/' %s | %{fails}=MALFORMED

#acc = #diffattn_tile.fragment<register = [d1*2, d0*2:8, d1*8:8], lane = [d1*4:2, d0*8], warp = [d0*4:16]>
#rows = #diffattn_tile.shared<[d1*64, d0*64], swizzle = 128>
!map = !diffattn_tile.tensor_map<64x64xbf16, swizzle = 128>
!ring = !diffattn_tile.buffer<2 x [64x64xbf16], #rows>
!tile = !diffattn_tile.buffer<[64x64xbf16], #rows>
!barriers = !diffattn_tile.barriers<2>
!acc = tensor<64x64xf32, #acc>
!out = memref<64x64xf32, strided<[?, 1], offset: ?>>

func.func @reference(%in: tensor<384x64xbf16>, %out: tensor<64x64xf32>) -> tensor<64x64xf32> {
  %zero = arith.constant 0.0 : f32
  %init = linalg.fill ins(%zero : f32) outs(%out : tensor<64x64xf32>) -> tensor<64x64xf32>
  %tiles = tensor.expand_shape %in [[0, 1], [2]] output_shape [6, 64, 64] : tensor<384x64xbf16> into tensor<6x64x64xbf16>
  %sum = linalg.generic {
      indexing_maps = [affine_map<(m, n, t, k) -> (t, m, k)>, affine_map<(m, n, t, k) -> (t, n, k)>, affine_map<(m, n, t, k) -> (m, n)>],
      iterator_types = ["parallel", "parallel", "reduction", "reduction"]}
      ins(%tiles, %tiles : tensor<6x64x64xbf16>, tensor<6x64x64xbf16>) outs(%init : tensor<64x64xf32>) {
  ^bb0(%a: bf16, %b: bf16, %c: f32):
    %a32 = arith.extf %a : bf16 to f32
    %b32 = arith.extf %b : bf16 to f32
    %ab = arith.mulf %a32, %b32 : f32
    %s = arith.addf %c, %ab : f32
    linalg.yield %s : f32
  } -> tensor<64x64xf32>
  return %sum : tensor<64x64xf32>
}

gpu.module @kernels {
  gpu.func @ring(%in: memref<384x64xbf16, strided<[?, 1], offset: ?>>, %out: !out, %map: !map {diffattn_tile.map = {argument = 0 : i64, dims = array<i64: 0, 1>}})
      kernel attributes {diffattn_tile.warps = 8 : i64, diffattn_tile.grid = [{constant = 1 : i64}]} {
    %c0 = arith.constant 0 : i32
    %c1 = arith.constant 1 : i32
    %c3 = arith.constant 3 : i32
    %c6 = arith.constant 6 : i32
    %c64 = arith.constant 64 : i32
    %full = diffattn_tile.barriers arrivals 1 : !barriers
    %empty = diffattn_tile.barriers arrivals 1 : !barriers
    %tiles = diffattn_tile.alloc : !ring
    diffattn_tile.fence barrier_init
    gpu.barrier
    diffattn_tile.roles
    role(%producer) warpgroups 1 registers 32 {
      diffattn_tile.elected {
        scf.for %number = %c0 to %c6 step %c1 : i32 {
          %slot = arith.andi %number, %c1 : i32
          %turn = arith.shrui %number, %c1 : i32
          %phase = arith.andi %turn, %c1 : i32
          %before = arith.xori %phase, %c1 : i32
          %index = arith.index_cast %slot : i32 to index
          %tile = diffattn_tile.slot %tiles[%index] : !ring
          %row = arith.muli %number, %c64 : i32
          diffattn_tile.wait %empty[%slot], %before : !barriers
          diffattn_tile.expect %full[%slot], 8192 : !barriers
          diffattn_tile.tensor_copy %map[%row, %c0] dims [0, 1] into %tile, %full[%slot] : !map, !tile, !barriers
        }
      }
    },
    role(%team) warpgroups 1 registers 128 {
      %zero = arith.constant dense<0.0> : !acc
      %sum = scf.for %number = %c0 to %c6 step %c1 iter_args(%acc = %zero) -> (!acc) : i32 {
        %slot = arith.andi %number, %c1 : i32
        %turn = arith.shrui %number, %c1 : i32
        %phase = arith.andi %turn, %c1 : i32
        %before = arith.xori %phase, %c1 : i32
        %index = arith.index_cast %slot : i32 to index
        %tile = diffattn_tile.slot %tiles[%index] : !ring
        diffattn_tile.wait %full[%slot], %phase : !barriers
        %product = diffattn_tile.dot_async %tile, %tile, %acc transposed : !tile, !tile -> !diffattn_tile.pending<!acc>
        %next = diffattn_tile.dot_wait %product, 0 : !diffattn_tile.pending<!acc>
        diffattn_tile.arrive %empty[%slot] : !barriers
        scf.yield %next : !acc
      }
      diffattn_tile.store %sum, %out : !acc, !out
    }
    gpu.return
  }
}
