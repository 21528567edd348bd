// RUN: diffattn-opt %s --verify-roundtrip | FileCheck %s --check-prefix=TILE
// RUN: diffattn-opt %s --pass-pipeline='builtin.module(gpu.module(gpu.func(diffattn-tile-allocate{limit=232448}),diffattn-tile-to-nvvm))' | FileCheck %s

// The forward kernel for head dimension 128, full attention, as a schedule for
// sm_90a would leave it: one producer warp, three teams of 32 queries x 2 heads,
// blocks of 80 keys, walked from the last to the first.
//
//   producer   K(n-1) | K(j-1), V(j) ... the next tile's Q on the way ... | V(0)
//   team       QK(n-1) softmax | QK(j) PV(j+1) softmax(j) ... | PV(0) QK' output
//
// QK(j) and PV(j+1) run under softmax(j), and the first QK of the next tile (QK')
// under the output of this one. Rows 0-7 and 8-15 of a matrix instruction are
// the two heads of eight queries, so the difference of heads needs no exchange.

// TILE-COUNT-5: diffattn_tile.dot_async
// TILE-NOT: diffattn_tile.dot_async

// CHECK-LABEL: gpu.func @forward
// CHECK-SAME: !llvm.ptr {{[{].*}}llvm.align = 64 : i64, llvm.dereferenceable = 128 : i64}
// CHECK: nvvm.mbarrier.init
// CHECK: nvvm.fence.mbarrier.init
// CHECK: gpu.barrier
// The role of a warpgroup, known to be the same in all threads of a warp.
// CHECK: nvvm.redux.sync
// CHECK: nvvm.setmaxregister decrease 32
// CHECK: nvvm.cp.async.bulk.tensor.shared.cluster.global
// CHECK: nvvm.setmaxregister increase 160
// The first product, with nothing to add to, then the loop over keys: both
// products are under way when the first is waited for.
// CHECK: mov.b32 z, 0;
// CHECK-SAME: wgmma.mma_async.sync.aligned.m64n80k16.f32.bf16.bf16
// CHECK: scf.while
// CHECK: nvvm.wgmma.wait.group.sync.aligned 0
// CHECK: scf.for
// CHECK: m64n80k16
// CHECK: nvvm.wgmma.commit.group.sync.aligned
// CHECK-NOT: nvvm.wgmma.wait
// CHECK: m64n128k16
// CHECK: nvvm.wgmma.commit.group.sync.aligned
// CHECK: nvvm.wgmma.wait.group.sync.aligned 1
// CHECK: nvvm.vote.sync any
// CHECK: nvvm.wgmma.wait.group.sync.aligned 0

#acc = #diffattn_tile.fragment<register = [d2*2, d1*2, d2*10:8], lane = [d2*4:2, d0*8], warp = [d0*4:8]>
#pv = #diffattn_tile.fragment<register = [d2*2, d1*2, d2*16:8], lane = [d2*4:2, d0*8], warp = [d0*4:8]>
#row = #diffattn_tile.fragment<register = [d1*2], lane = [_*4, d0*8], warp = [d0*4:8]>
#part = #diffattn_tile.fragment<register = [d1*2], lane = [d2*4, d0*8], warp = [d0*4:8]>
#out = #diffattn_tile.fragment<register = [d1*2, d1*16:8], lane = [d1*4:2, d0*8], warp = [d0*4:8]>
#token = #diffattn_tile.fragment<register = [], lane = [_*4, d0*8], warp = [d0*4:8]>
#query = #diffattn_tile.shared<[d2*64, d0*8, d1*2, d0*4:8, d2*2:64], swizzle = 128>
#key = #diffattn_tile.shared<[d1*64, d0*80, d1*2:64], swizzle = 128>
#numbers = #diffattn_tile.shared<[d0*4], swizzle = 0>

#tail = affine_set<(m, r, k)[keys] : (keys - k - 1 >= 0)>

// Arguments are batch x token x head x channel, boxes have the heads first.
#token_rows = {dims = array<i64: 0, 2, 1, 3>}

!query_map = !diffattn_tile.tensor_map<1x2x8x64xbf16, swizzle = 128>
!key_map = !diffattn_tile.tensor_map<1x1x80x64xbf16, swizzle = 128>
!query_ring = !diffattn_tile.buffer<6 x [32x2x128xbf16], #query>
!query = !diffattn_tile.buffer<[32x2x128xbf16], #query>
!key_ring = !diffattn_tile.buffer<3 x [80x128xbf16], #key>
!key = !diffattn_tile.buffer<[80x128xbf16], #key>
!tile_ring = !diffattn_tile.buffer<2 x [4xi32], #numbers>
!tile = !diffattn_tile.buffer<[4xi32], #numbers>
!per_query = !diffattn_tile.barriers<6>
!per_key = !diffattn_tile.barriers<3>
!scores = tensor<32x2x80xf32, #acc>
!probabilities = tensor<32x2x80xbf16, #acc>
!heads = tensor<32x2x128xf32, #pv>
!rows = tensor<32x2xf32, #row>
!partial = tensor<32x2x4xf32, #part>
!lambdas = tensor<32xbf16, #token>
!tokens = tensor<32xf32, #token>
!outputs = tensor<32x128xf32, #out>
!rounded_outputs = tensor<32x128xbf16, #out>
!lambda = memref<?x?x?xbf16, strided<[?, ?, 1], offset: ?>>
!output = memref<?x?x?x128xbf16, strided<[?, ?, ?, 1], offset: ?>>
!lambda_view = memref<?xbf16, strided<[?], offset: ?>>
!output_view = memref<?x128xbf16, strided<[?, 1], offset: ?>>

module attributes {gpu.container_module} {
gpu.module @kernels {
gpu.func @forward(
    %query_map: !query_map {diffattn_tile.map = #token_rows},
    %key_map: !key_map {diffattn_tile.map = #token_rows},
    %value_map: !key_map {diffattn_tile.map = #token_rows},
    %lambda: !lambda, %output: !output,
    %num_keys: i32, %pairs_per_kv: i32, %scale: f32)
    kernel attributes {diffattn_tile.warps = 16 : i64} {
  %c0 = arith.constant 0 : i32
  %c1 = arith.constant 1 : i32
  %c2 = arith.constant 2 : i32
  %c3 = arith.constant 3 : i32
  %c4 = arith.constant 4 : i32
  %c32 = arith.constant 32 : i32
  %c79 = arith.constant 79 : i32
  %c80 = arith.constant 80 : i32
  %c95 = arith.constant 95 : i32
  %c96 = arith.constant 96 : i32
  %i1 = arith.constant 1 : index
  %i2 = arith.constant 2 : index

  %tiles = diffattn_tile.alloc : !tile_ring
  %query_full = diffattn_tile.barriers arrivals 1 : !per_query
  %query_empty = diffattn_tile.barriers arrivals 1 : !per_query
  %key_full = diffattn_tile.barriers arrivals 1 : !per_key
  %key_empty = diffattn_tile.barriers arrivals 3 : !per_key
  %value_full = diffattn_tile.barriers arrivals 1 : !per_key
  %value_empty = diffattn_tile.barriers arrivals 3 : !per_key
  %queries = diffattn_tile.alloc : !query_ring
  %keys = diffattn_tile.alloc : !key_ring
  %values = diffattn_tile.alloc : !key_ring
  diffattn_tile.fence barrier_init
  gpu.barrier

  %i0 = arith.constant 0 : index
  %batch_size = memref.dim %output, %i0 : !output
  %query_size = memref.dim %output, %i1 : !output
  %pair_size = memref.dim %output, %i2 : !output
  %num_batches = arith.index_cast %batch_size : index to i32
  %num_queries = arith.index_cast %query_size : index to i32
  %num_pairs = arith.index_cast %pair_size : index to i32
  %query_up = arith.addi %num_queries, %c95 : i32
  %tiles_per_pair = arith.divui %query_up, %c96 : i32
  %all_pairs = arith.muli %num_pairs, %num_batches : i32
  %num_tiles = arith.muli %tiles_per_pair, %all_pairs : i32
  %keys_up = arith.addi %num_keys, %c79 : i32
  %num_blocks = arith.divui %keys_up, %c80 : i32

  diffattn_tile.roles
  role(%role) warpgroups 1 registers 32 {
    diffattn_tile.elected {
      %block = gpu.block_id x
      %grid = gpu.grid_dim x
      %first = arith.index_cast %block : index to i32
      %stride = arith.index_cast %grid : index to i32
      // Each iteration sends the keys of one tile and, on the way, the queries
      // of the next. It starts with a tile of no keys.
      scf.while (%tile = %first, %pair = %c0, %batch = %c0, %blocks = %c0,
                 %ks = %c0, %kp = %c1, %vs = %c0, %vp = %c1, %qs = %c0, %qp = %c1)
          : (i32, i32, i32, i32, i32, i32, i32, i32, i32, i32)
         -> (i32, i32, i32, i32, i32, i32, i32, i32, i32, i32) {
        %kv_head = arith.divui %pair, %pairs_per_kv : i32
        // By then every team is in this tile, and its queries' slot is free.
        %late = arith.subi %blocks, %c4 : i32
        %send_at = arith.maxsi %late, %c0 : i32
        %steps = arith.addi %blocks, %c1 : i32
        %next:9 = scf.for %i = %c0 to %steps step %c1 iter_args(
            %ks0 = %ks, %kp0 = %kp, %vs0 = %vs, %vp0 = %vp, %qs0 = %qs, %qp0 = %qp,
            %pair0 = %c0, %batch0 = %c0, %blocks0 = %c0)
            -> (i32, i32, i32, i32, i32, i32, i32, i32, i32) : i32 {
          %j = arith.subi %blocks, %i : i32
          %has_key = arith.cmpi ne, %j, %c0 : i32
          %k:2 = scf.if %has_key -> (i32, i32) {
            %slot_index = arith.index_cast %ks0 : i32 to index
            %slot = diffattn_tile.slot %keys[%slot_index] : !key_ring
            %before = arith.subi %j, %c1 : i32
            %key = arith.muli %before, %c80 : i32
            diffattn_tile.wait %key_empty[%ks0], %kp0 : !per_key
            diffattn_tile.expect %key_full[%ks0], 20480 : !per_key
            diffattn_tile.tensor_copy %key_map[%batch, %kv_head, %key, %c0] dims [2, 3] into %slot, %key_full[%ks0] : !key_map, !key, !per_key
            %up = arith.addi %ks0, %c1 : i32
            %wrap = arith.cmpi eq, %up, %c3 : i32
            %turn = arith.extui %wrap : i1 to i32
            %ks1 = arith.select %wrap, %c0, %up : i32
            %kp1 = arith.xori %kp0, %turn : i32
            scf.yield %ks1, %kp1 : i32, i32
          } else {
            scf.yield %ks0, %kp0 : i32, i32
          }
          %has_value = arith.cmpi ne, %i, %c0 : i32
          %v:2 = scf.if %has_value -> (i32, i32) {
            %slot_index = arith.index_cast %vs0 : i32 to index
            %slot = diffattn_tile.slot %values[%slot_index] : !key_ring
            %key = arith.muli %j, %c80 : i32
            diffattn_tile.wait %value_empty[%vs0], %vp0 : !per_key
            diffattn_tile.expect %value_full[%vs0], 20480 : !per_key
            diffattn_tile.tensor_copy %value_map[%batch, %kv_head, %key, %c0] dims [2, 3] into %slot, %value_full[%vs0] : !key_map, !key, !per_key
            %up = arith.addi %vs0, %c1 : i32
            %wrap = arith.cmpi eq, %up, %c3 : i32
            %turn = arith.extui %wrap : i1 to i32
            %vs1 = arith.select %wrap, %c0, %up : i32
            %vp1 = arith.xori %vp0, %turn : i32
            scf.yield %vs1, %vp1 : i32, i32
          } else {
            scf.yield %vs0, %vp0 : i32, i32
          }
          %send = arith.cmpi eq, %j, %send_at : i32
          %q:5 = scf.if %send -> (i32, i32, i32, i32, i32) {
            %more = arith.cmpi slt, %tile, %num_tiles : i32
            %flat_pair = arith.divui %tile, %tiles_per_pair : i32
            %query_tile = arith.remui %tile, %tiles_per_pair : i32
            %query = arith.muli %query_tile, %c96 : i32
            %some_batch = arith.divui %flat_pair, %num_pairs : i32
            %some_pair = arith.remui %flat_pair, %num_pairs : i32
            // No more: a tile at the origin without keys.
            %next_batch = arith.select %more, %some_batch, %c0 : i32
            %next_pair = arith.select %more, %some_pair, %c0 : i32
            %next_blocks = arith.select %more, %num_blocks, %c0 : i32
            %head = arith.muli %next_pair, %c2 : i32
            %base = arith.muli %qs0, %c3 : i32
            scf.for %team = %c0 to %c3 step %c1 : i32 {
              %q = arith.addi %base, %team : i32
              diffattn_tile.wait %query_empty[%q], %qp0 : !per_query
            }
            %tile_index = arith.index_cast %qs0 : i32 to index
            %tile_slot = diffattn_tile.slot %tiles[%tile_index] : !tile_ring
            diffattn_tile.write_scalars %query, %next_pair, %next_batch, %next_blocks into %tile_slot : !tile
            scf.for %team = %c0 to %c3 step %c1 : i32 {
              %q = arith.addi %base, %team : i32
              scf.if %more {
                %q_index = arith.index_cast %q : i32 to index
                %slot = diffattn_tile.slot %queries[%q_index] : !query_ring
                %ahead = arith.muli %team, %c32 : i32
                %token = arith.addi %query, %ahead : i32
                diffattn_tile.expect %query_full[%q], 16384 : !per_query
                diffattn_tile.tensor_copy %query_map[%next_batch, %head, %token, %c0] dims [2, 1, 3] into %slot, %query_full[%q] : !query_map, !query, !per_query
              } else {
                diffattn_tile.arrive %query_full[%q] : !per_query
              }
            }
            %qs1 = arith.xori %qs0, %c1 : i32
            %qp1 = arith.xori %qp0, %qs0 : i32
            scf.yield %qs1, %qp1, %next_pair, %next_batch, %next_blocks : i32, i32, i32, i32, i32
          } else {
            scf.yield %qs0, %qp0, %pair0, %batch0, %blocks0 : i32, i32, i32, i32, i32
          }
          scf.yield %k#0, %k#1, %v#0, %v#1, %q#0, %q#1, %q#2, %q#3, %q#4 : i32, i32, i32, i32, i32, i32, i32, i32, i32
        }
        %tile1 = arith.addi %tile, %stride : i32
        %go = arith.cmpi ne, %next#8, %c0 : i32
        scf.condition(%go) %tile1, %next#6, %next#7, %next#8, %next#0, %next#1, %next#2, %next#3, %next#4, %next#5 : i32, i32, i32, i32, i32, i32, i32, i32, i32, i32
      } do {
      ^bb0(%a0: i32, %a1: i32, %a2: i32, %a3: i32, %a4: i32, %a5: i32, %a6: i32, %a7: i32, %a8: i32, %a9: i32):
        scf.yield %a0, %a1, %a2, %a3, %a4, %a5, %a6, %a7, %a8, %a9 : i32, i32, i32, i32, i32, i32, i32, i32, i32, i32
      }
    }
  },
  role(%team) warpgroups 3 registers 160 {
    %zeros = arith.constant dense<0.0> : !heads
    %token_ones = arith.constant dense<1.0> : !tokens
    %minus_log2e = arith.constant dense<-1.44269504> : !tokens
    %threshold = arith.constant dense<8.0> : !rows
    %scale_row = diffattn_tile.splat %scale : f32 -> !rows
    %minus_scale = arith.negf %scale_row : !rows
    %scale_scores = diffattn_tile.splat %scale : f32 -> !scores
    %ahead = arith.muli %team, %c32 : i32

    // The first tile: wait for its queries and its last keys, start QK.
    diffattn_tile.wait %query_full[%team], %c0 : !per_query
    %tile_slot0 = diffattn_tile.slot %tiles[%i0] : !tile_ring
    %tile0:4 = diffattn_tile.read_scalars %tile_slot0 : !tile -> i32, i32, i32, i32
    %query0 = diffattn_tile.uniform %tile0#0 : i32
    %blocks0 = diffattn_tile.uniform %tile0#3 : i32
    %token0 = arith.addi %query0, %ahead : i32
    %batch_index0 = arith.index_cast %tile0#2 : i32 to index
    %token_index0 = arith.index_cast %token0 : i32 to index
    %pair_index0 = arith.index_cast %tile0#1 : i32 to index
    %left0 = arith.subi %query_size, %token_index0 : index
    %lambda_view0 = memref.subview %lambda[%batch_index0, %token_index0, %pair_index0] [1, %left0, 1] [1, 1, 1] : !lambda to !lambda_view
    %lambda0 = diffattn_tile.load %lambda_view0 : !lambda_view -> !lambdas
    diffattn_tile.wait %key_full[%c0], %c0 : !per_key
    %team_index = arith.index_cast %team : i32 to index
    %q0 = diffattn_tile.slot %queries[%team_index] : !query_ring
    %k0 = diffattn_tile.slot %keys[%i0] : !key_ring
    %qk0 = diffattn_tile.dot_async %q0, %k0 transposed : !query, !key -> !diffattn_tile.pending<!scores>

    %end:10 = scf.while (%st = %c0, %ph = %c0, %qs = %c0, %qp = %c0, %query = %query0,
                         %pair = %tile0#1, %batch = %tile0#2, %blocks = %blocks0,
                         %lambdas = %lambda0, %qk = %qk0)
        : (i32, i32, i32, i32, i32, i32, i32, i32, !lambdas, !diffattn_tile.pending<!scores>)
       -> (i32, i32, i32, i32, i32, i32, i32, i32, !lambdas, !diffattn_tile.pending<!scores>) {
      // The last keys, which the end of the sequence may cut.
      %scores0 = diffattn_tile.dot_wait %qk, 0 : !diffattn_tile.pending<!scores>
      diffattn_tile.arrive %key_empty[%st] : !per_key
      %last = arith.subi %blocks, %c1 : i32
      %passed = arith.muli %last, %c80 : i32
      %rest = arith.subi %num_keys, %passed : i32
      %rest_index = arith.index_cast %rest : i32 to index
      %masked0 = diffattn_tile.mask %scores0[%rest_index] where #tail else 0xFF800000 : !scores
      %max0 = diffattn_tile.reduce max %masked0 along 2 : !scores -> !rows
      %shift0 = arith.mulf %max0, %minus_scale : !rows
      %shift_all0 = diffattn_tile.broadcast %shift0 along 2 : !rows -> !scores
      %exponent0 = math.fma %masked0, %scale_scores, %shift_all0 : !scores
      %p0 = math.exp2 %exponent0 : !scores
      %sum0 = diffattn_tile.thread_reduce add %p0 along 2 : !scores -> !partial
      %p16_0 = arith.truncf %p0 : !scores to !probabilities
      %q_base = arith.muli %qs, %c3 : i32
      %q_number = arith.addi %q_base, %team : i32
      %q_index = arith.index_cast %q_number : i32 to index
      %q = diffattn_tile.slot %queries[%q_index] : !query_ring

      %acc:6 = scf.for %i = %c1 to %blocks step %c1 iter_args(
          %vst = %st, %vph = %ph, %max = %max0, %sum = %sum0, %p16 = %p16_0, %o = %zeros)
          -> (i32, i32, !rows, !partial, !probabilities, !heads) : i32 {
        %up = arith.addi %vst, %c1 : i32
        %wrap = arith.cmpi eq, %up, %c3 : i32
        %turn = arith.extui %wrap : i1 to i32
        %kst = arith.select %wrap, %c0, %up : i32
        %kph = arith.xori %vph, %turn : i32
        %k_index = arith.index_cast %kst : i32 to index
        %v_index = arith.index_cast %vst : i32 to index
        %k = diffattn_tile.slot %keys[%k_index] : !key_ring
        %v = diffattn_tile.slot %values[%v_index] : !key_ring
        diffattn_tile.wait %key_full[%kst], %kph : !per_key
        %qk_next = diffattn_tile.dot_async %q, %k transposed : !query, !key -> !diffattn_tile.pending<!scores>
        diffattn_tile.wait %value_full[%vst], %vph : !per_key
        %pv = diffattn_tile.dot_async %p16, %v, %o : !probabilities, !key -> !diffattn_tile.pending<!heads>
        %scores = diffattn_tile.dot_wait %qk_next, 1 : !diffattn_tile.pending<!scores>
        diffattn_tile.arrive %key_empty[%kst] : !per_key

        // The maximum moves only if a score exceeds it by 2^8.
        %block_max = diffattn_tile.reduce max %scores along 2 : !scores -> !rows
        %new_max = arith.maxnumf %max, %block_max : !rows
        %growth = arith.subf %new_max, %max : !rows
        %exponent = arith.mulf %growth, %scale_row : !rows
        %moves = arith.cmpf ogt, %exponent, %threshold : !rows
        %kept_max = arith.select %moves, %new_max, %max : tensor<32x2xi1, #row>, !rows
        %rescale = diffattn_tile.warp_any %moves : tensor<32x2xi1, #row>
        %drop = arith.subf %max, %kept_max : !rows
        %drop_scaled = arith.mulf %drop, %scale_row : !rows
        %factor = math.exp2 %drop_scaled : !rows

        %shift = arith.mulf %kept_max, %minus_scale : !rows
        %shift_all = diffattn_tile.broadcast %shift along 2 : !rows -> !scores
        %exponents = math.fma %scores, %scale_scores, %shift_all : !scores
        %p = math.exp2 %exponents : !scores
        %block_sum = diffattn_tile.thread_reduce add %p along 2 : !scores -> !partial
        %factor_part = diffattn_tile.broadcast %factor along 2 : !rows -> !partial
        %new_sum = math.fma %sum, %factor_part, %block_sum : !partial

        %o_old = diffattn_tile.dot_wait %pv, 0 : !diffattn_tile.pending<!heads>
        diffattn_tile.arrive %value_empty[%vst] : !per_key
        %new_p16 = arith.truncf %p : !scores to !probabilities
        %new_o = scf.if %rescale -> (!heads) {
          %factor_all = diffattn_tile.broadcast %factor along 2 : !rows -> !heads
          %scaled = arith.mulf %o_old, %factor_all : !heads
          scf.yield %scaled : !heads
        } else {
          scf.yield %o_old : !heads
        }
        scf.yield %kst, %kph, %kept_max, %new_sum, %new_p16, %new_o : i32, i32, !rows, !partial, !probabilities, !heads
      }

      // The last product, then the next tile's first.
      diffattn_tile.arrive %query_empty[%q_number] : !per_query
      %v_last_index = arith.index_cast %acc#0 : i32 to index
      %v_last = diffattn_tile.slot %values[%v_last_index] : !key_ring
      diffattn_tile.wait %value_full[%acc#0], %acc#1 : !per_key
      %pv_last = diffattn_tile.dot_async %acc#4, %v_last, %acc#5 : !probabilities, !key -> !diffattn_tile.pending<!heads>

      %up = arith.addi %acc#0, %c1 : i32
      %wrap = arith.cmpi eq, %up, %c3 : i32
      %turn = arith.extui %wrap : i1 to i32
      %st1 = arith.select %wrap, %c0, %up : i32
      %ph1 = arith.xori %acc#1, %turn : i32
      %qs1 = arith.xori %qs, %c1 : i32
      %qp1 = arith.xori %qp, %qs : i32
      %q_base1 = arith.muli %qs1, %c3 : i32
      %q_number1 = arith.addi %q_base1, %team : i32
      diffattn_tile.wait %query_full[%q_number1], %qp1 : !per_query
      %tile_index = arith.index_cast %qs1 : i32 to index
      %tile_slot = diffattn_tile.slot %tiles[%tile_index] : !tile_ring
      %tile:4 = diffattn_tile.read_scalars %tile_slot : !tile -> i32, i32, i32, i32
      %query1 = diffattn_tile.uniform %tile#0 : i32
      %blocks1 = diffattn_tile.uniform %tile#3 : i32
      %more = arith.cmpi ne, %blocks1, %c0 : i32
      %token1 = arith.addi %query1, %ahead : i32
      %batch_index1 = arith.index_cast %tile#2 : i32 to index
      %token_index1 = arith.index_cast %token1 : i32 to index
      %pair_index1 = arith.index_cast %tile#1 : i32 to index
      %left1 = arith.subi %query_size, %token_index1 : index
      %lambda_view = memref.subview %lambda[%batch_index1, %token_index1, %pair_index1] [1, %left1, 1] [1, 1, 1] : !lambda to !lambda_view
      %lambdas1 = diffattn_tile.load %lambda_view : !lambda_view -> !lambdas
      scf.if %more {
        diffattn_tile.wait %key_full[%st1], %ph1 : !per_key
      }
      // After the last tile: of old memory, never used.
      %q_index1 = arith.index_cast %q_number1 : i32 to index
      %q_next = diffattn_tile.slot %queries[%q_index1] : !query_ring
      %k_index1 = arith.index_cast %st1 : i32 to index
      %k_next = diffattn_tile.slot %keys[%k_index1] : !key_ring
      %qk1 = diffattn_tile.dot_async %q_next, %k_next transposed : !query, !key -> !diffattn_tile.pending<!scores>

      // out = o0 / l0 - sigmoid(lambda) o1 / l1
      %sums = diffattn_tile.reduce add %acc#3 along 2 : !partial -> !rows
      %sum_a = diffattn_tile.select %sums at 0 of 1 : !rows -> !tokens
      %sum_b = diffattn_tile.select %sums at 1 of 1 : !rows -> !tokens
      %lambda32 = arith.extf %lambdas : !lambdas to !tokens
      %lambda_log2 = arith.mulf %lambda32, %minus_log2e : !tokens
      %lambda_exp = math.exp2 %lambda_log2 : !tokens
      %lambda_den = arith.addf %lambda_exp, %token_ones : !tokens
      %den_b = arith.mulf %sum_b, %lambda_den : !tokens
      %inverse_a = arith.divf %token_ones, %sum_a fastmath<afn> : !tokens
      %inverse_b = arith.divf %token_ones, %den_b fastmath<afn> : !tokens
      %factor_a = diffattn_tile.broadcast %inverse_a along 1 : !tokens -> !outputs
      %factor_b = diffattn_tile.broadcast %inverse_b along 1 : !tokens -> !outputs
      %heads = diffattn_tile.dot_wait %pv_last, 1 : !diffattn_tile.pending<!heads>
      diffattn_tile.arrive %value_empty[%acc#0] : !per_key
      %head_a = diffattn_tile.select %heads at 0 of 1 : !heads -> !outputs
      %head_b = diffattn_tile.select %heads at 1 of 1 : !heads -> !outputs
      %term_a = arith.mulf %head_a, %factor_a : !outputs
      %term_b = arith.mulf %head_b, %factor_b : !outputs
      %difference = arith.subf %term_a, %term_b fastmath<contract> : !outputs
      %rounded = arith.truncf %difference : !outputs to !rounded_outputs
      %token = arith.addi %query, %ahead : i32
      %batch_index = arith.index_cast %batch : i32 to index
      %token_index = arith.index_cast %token : i32 to index
      %pair_index = arith.index_cast %pair : i32 to index
      %left = arith.subi %query_size, %token_index : index
      %output_view = memref.subview %output[%batch_index, %token_index, %pair_index, 0] [1, %left, 1, 128] [1, 1, 1, 1] : !output to !output_view
      diffattn_tile.store %rounded, %output_view : !rounded_outputs, !output_view
      scf.condition(%more) %st1, %ph1, %qs1, %qp1, %query1, %tile#1, %tile#2, %blocks1, %lambdas1, %qk1 : i32, i32, i32, i32, i32, i32, i32, i32, !lambdas, !diffattn_tile.pending<!scores>
    } do {
    ^bb0(%a0: i32, %a1: i32, %a2: i32, %a3: i32, %a4: i32, %a5: i32, %a6: i32, %a7: i32, %a8: !lambdas, %a9: !diffattn_tile.pending<!scores>):
      scf.yield %a0, %a1, %a2, %a3, %a4, %a5, %a6, %a7, %a8, %a9 : i32, i32, i32, i32, i32, i32, i32, i32, !lambdas, !diffattn_tile.pending<!scores>
    }
    %unused = diffattn_tile.dot_wait %end#9, 0 : !diffattn_tile.pending<!scores>
  }
  gpu.return
}
}
}
