//===- Passes.td - Passes of the diffattn_tile dialect ------*- tablegen -*-==//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef DIFFATTN_DIALECT_TILE_TRANSFORMS_PASSES_TD
#define DIFFATTN_DIALECT_TILE_TRANSFORMS_PASSES_TD

include "mlir/Pass/PassBase.td"

class TilePass<string flag, string anchor = "::mlir::gpu::GPUFuncOp">
    : Pass<flag, anchor> {
  let dependentDialects = ["::mlir::diffattn::tile::TileDialect"];
}

def LinalgToTilePass : TilePass<"diffattn-to-tile", "::mlir::ModuleOp"> {
  let summary = "Map tiles of linalg on tensors to a kernel of the tile dialect";
  let description = [{
    Requires: functions whose work is one `scf.forall` over tiles
    (`diffattn-tile`, `diffattn-decompose-tiles`), with reshapes of arguments
    around it.

    Produces: for each function a `gpu.func` kernel in a `gpu.module`, its
    parameters strided memrefs (arguments, then results that are no argument),
    and erases the function. Each op inside is mapped by itself:

    | linalg on tensors | tile dialect |
    |---|---|
    | induction variables of the `scf.forall` | `coordinates` |
    | pad of a slice of an argument | `load` |
    | `linalg.generic`, all parallel | `arith`/`math` on tensors, `broadcast`, `index` |
    | select by comparisons of indices | `mask` |
    | product and sum over one dimension of two tiles | `dot` |
    | addition or maximum over one dimension | `reduce` |
    | slice of a tile | `select` |
    | parallel insert of a slice | `store` |

    Unit dimensions are dropped. The left operand of a product is rounded to the
    type of the right one: matrix instructions multiply 16-bit operands.
    Kernels carry the factors of their grid (`diffattn_tile.grid`), their warps
    and their stages. With `elementwise` they accept arguments that begin
    anywhere and whose rows do (`diffattn_tile.elementwise`): slower, and for
    schedules without teams.
  }];
  let options = [Option<"elementwise", "elementwise", "bool", "false",
                        "Access one element of an argument at a time">];
  let dependentDialects = [
    "::mlir::diffattn::tile::TileDialect", "::mlir::gpu::GPUDialect",
    "::mlir::memref::MemRefDialect", "::mlir::affine::AffineDialect",
    "::mlir::arith::ArithDialect", "::mlir::math::MathDialect",
    "::mlir::scf::SCFDialect"];
}

def DistributePass : TilePass<"diffattn-tile-distribute"> {
  let summary = "Give each thread block one tile";
  let description = [{
    `coordinates` becomes arithmetic on the number of the block, the last
    dimension running fastest and backwards.
  }];
  let dependentDialects = ["::mlir::diffattn::tile::TileDialect",
                           "::mlir::gpu::GPUDialect",
                           "::mlir::arith::ArithDialect"];
}

def SpecializePass : TilePass<"diffattn-tile-specialize"> {
  let summary = "Divide the work between a producer and teams of consumers";
  let description = [{
    Requires: a kernel with `diffattn_tile.teams` and `diffattn_tile.stages`,
    as `diffattn-to-tile` leaves it: `coordinates`, loads that feed products
    (*operands*), loops over keys in which further operands are loaded.

    Produces a persistent kernel with two roles. The producer is one thread that
    copies the operands of every tile into rings of slots; a ring is handed over
    by two arrays of barriers, `full` and `empty`. The teams run the body of the
    kernel, each on its own tile: neighbours along the last dimension of the
    grid. Operands that depend on that coordinate (queries) are copied once for
    each team; the others (keys, values) once for all, over the union of the
    teams' loops: a team passes over the iterations that only others need.

    Each operand becomes a tensor map, a further parameter of the kernel, of the
    argument that it is loaded from (`diffattn_tile.map`).

    A team runs each loop at least once. That is right where masks hide what
    lies beyond the bounds of a loop, as those of attention do: what is hidden
    changes neither sums nor maxima.

    With `diffattn_tile.cluster` of two, teams of two blocks compute neighbours,
    and operands that they share come once for both: each producer copies half of
    every slot to the shared memory of both blocks, when the teams of both have
    released it. The loops must be the same for all tiles.

    With `store=shared`, results leave through shared memory. A team writes them
    there, swizzled, and goes on; another thread of the producer's warpgroup has
    the copy engine store them and releases the memory: a slot of the team's own
    where there is room, otherwise the slot of its queries, which it no longer
    needs, if the next ones have another. A store must be of a 16-bit matrix to a
    view of a parameter that ends early only where the parameter ends. Others
    (log-sum-exp), and all of them where there is no room, stay with the
    registers, with a remark.
  }];
  let options = [
    Option<"limit", "limit", "int64_t", /*default=*/"232448",
           "Shared memory of a thread block, in bytes">,
    Option<"store", "store", "std::string", /*default=*/"\"registers\"",
           "How results leave: from registers, or through shared memory">];
  let dependentDialects = ["::mlir::diffattn::tile::TileDialect",
                           "::mlir::gpu::GPUDialect",
                           "::mlir::arith::ArithDialect",
                           "::mlir::scf::SCFDialect"];
}

def LazyRescalePass : TilePass<"diffattn-tile-lazy-rescale"> {
  let summary = "Rescale accumulators only when a maximum moves far";
  let description = [{
    Requires: loops that carry a running maximum `m` of logarithms to base 2
    (`new = maxnumf(x, m)`, yielded in its place) and scale accumulators of
    `dot` by `exp2(m - new)`, broadcast along the columns, as
    `diffattn-to-tile` leaves them. Where `m` is -inf, the accumulators are zero.
    In what order products and scaling stand in the loop does not matter, so
    this also runs after software pipelining.

    Produces: `m` moves only if `new` exceeds it by more than 8. Then the factor
    is 1 for most blocks of keys, and scaling is skipped where it is for all rows
    of a warp.

    Why exact: a softmax may subtract any number from its exponents, if the same
    one is subtracted everywhere; the division by the row sum takes it out again.
    The true maximum is only there against overflow: `m` within 8 of it leaves
    weights below 2^8, and rounding is relative. What else the loop computes from
    `new` (weights, sums, what log-sum-exp is made of) follows `m`. This is the
    conditional rescaling of FlashAttention-4 (Dao et al.).

    Left alone: an iteration outside of a loop, whose maximum is no carried
    value; sums without an accumulator beside them, with a remark.

    ```mlir
    %new = arith.maxnumf %x, %m : tensor<64x2xf32>
    %drop = arith.subf %m, %new : tensor<64x2xf32>
    %factor = math.exp2 %drop : tensor<64x2xf32>
    %all = diffattn_tile.broadcast %factor along 2 : tensor<64x2xf32> -> tensor<64x2x128xf32>
    %scaled = arith.mulf %all, %acc : tensor<64x2x128xf32>
    ```
    becomes
    ```mlir
    %growth = arith.subf %new, %m : tensor<64x2xf32>
    %moves = arith.cmpf ogt, %growth, %eight : tensor<64x2xf32>
    %kept = arith.select %moves, %new, %m : tensor<64x2xi1>, tensor<64x2xf32>
    %any = diffattn_tile.warp_any %moves : tensor<64x2xi1>
    %drop = arith.subf %m, %kept : tensor<64x2xf32>
    %factor = math.exp2 %drop : tensor<64x2xf32>
    %scaled = scf.if %any -> (tensor<64x2x128xf32>) {
      %all = diffattn_tile.broadcast %factor along 2 : tensor<64x2xf32> -> tensor<64x2x128xf32>
      %product = arith.mulf %all, %acc : tensor<64x2x128xf32>
      scf.yield %product : tensor<64x2x128xf32>
    } else {
      scf.yield %acc : tensor<64x2x128xf32>
    }
    ```
  }];
  let dependentDialects = ["::mlir::diffattn::tile::TileDialect",
                           "::mlir::arith::ArithDialect",
                           "::mlir::scf::SCFDialect"];
  let options = [
    Option<"skipMasked", "skip-masked", "bool", "false",
           "Leave loops with masks alone: after peeling, those are short">];
}

def AssumeMaximaPass : TilePass<"diffattn-tile-assume-maxima"> {
  let summary = "Compute a block as if no maximum moved, and again if one did";
  let description = [{
    Requires: loops that `diffattn-tile-lazy-rescale` has rewritten, with layouts:
    a carried maximum `m` that moves when a row's maximum exceeds it by more than
    a bound, and exponents `s - new`.

    Produces: exponents `e = s - m`, before anything is known of the maxima of
    this block of keys, and from them weights, sums and what the next product
    reads. Whether one of them exceeds the bound, each thread finds out for
    itself, with `thread_reduce max_zero`, and a vote tells the warp. Only if one
    does, or if a row has no maximum yet, a branch at the end of the block
    computes maxima of rows, moves `m`, subtracts from `e` what `m` has moved and
    computes the rest again; accumulators are scaled in the same branch.

    Why: nearly always no row moves. Then all that was computed to find the
    maximum of a row, the exchange between lanes above all, was for nothing,
    while exponentials waited for it. Now nothing waits for the vote, all of the
    block up to the branch can be interleaved, and a maximum that only matters
    where it is positive can be one of integers, three at a time.

    Why exact: as for `diffattn-tile-lazy-rescale`, any number may be subtracted.
    Weights computed too early may be infinite, but then nobody reads them.
    `s - m - (new - m)` instead of `s - new` has one more rounding.

    Costs: exponents stay in registers up to the branch.

    Left alone: maxima of other form; a loop where what depends on exponents is
    not free of side effects up to the product that reads it.

    ```mlir
    %row = diffattn_tile.reduce max %s along 2 : tensor<32x2x80xf32, #s> -> tensor<32x2xf32, #row>
    %new = arith.maxnumf %row, %m : tensor<32x2xf32, #row>
    %growth = arith.subf %new, %m : tensor<32x2xf32, #row>
    %moves = arith.cmpf ogt, %growth, %eight : tensor<32x2xf32, #row>
    %kept = arith.select %moves, %new, %m : tensor<32x2xi1, #row>, tensor<32x2xf32, #row>
    %any = diffattn_tile.warp_any %moves : tensor<32x2xi1, #row>
    ```
    becomes
    ```mlir
    %top = diffattn_tile.thread_reduce max_zero %e along 2 : tensor<32x2x80xf32, #s> -> tensor<32x2x4xf32, #part>
    %exceeds = arith.cmpf ogt, %top, %limit : tensor<32x2x4xf32, #part>
    %any = diffattn_tile.warp_any %exceeds : tensor<32x2x4xi1, #part>
    %p = math.exp2 %e : tensor<32x2x80xf32, #s>
    %weights, %kept = scf.if %any -> (tensor<32x2x80xf32, #s>, tensor<32x2xf32, #row>) {
      %row = diffattn_tile.reduce max %e along 2 : tensor<32x2x80xf32, #s> -> tensor<32x2xf32, #row>
      ...
    } else {
      scf.yield %p, %m : tensor<32x2x80xf32, #s>, tensor<32x2xf32, #row>
    }
    ```
  }];
  let dependentDialects = ["::mlir::diffattn::tile::TileDialect",
                           "::mlir::arith::ArithDialect",
                           "::mlir::math::MathDialect",
                           "::mlir::scf::SCFDialect"];
}

def OverlapPass : TilePass<"diffattn-tile-overlap"> {
  let summary = "Start the first product of an iteration before the second of "
                "the last";
  let description = [{
    Requires: a loop that runs at least once, with a product whose result is
    carried and that depends on another product of the same iteration: queries
    by keys, then probabilities by values.

    The second product, and what moves the ring of its operand, goes to the next
    iteration, right after the first product there; the first iteration's first
    product goes before the loop, the last one's second product after it. So the
    softmax of one block of keys runs while the values of the block before are
    being multiplied (FlashAttention-3, "intra-warpgroup overlap").
  }];
  let dependentDialects = ["::mlir::diffattn::tile::TileDialect",
                           "::mlir::arith::ArithDialect"];
}

def TakeTurnsPass : TilePass<"diffattn-tile-take-turns"> {
  let summary = "Let teams take turns in part of an iteration";
  let description = [{
    Requires: a kernel with `roles`, each of whose teams goes through the same
    number of iterations, as `diffattn-tile-specialize` and
    `diffattn-tile-overlap` leave it; `diffattn_tile.order` on the kernel.

    | order | one team at a time |
    |---|---|
    | `overlap` | nothing |
    | `turns` | starts the products of an iteration: the softmax of one team runs under the products of the others (FlashAttention-3, "pingpong") |
    | `sections` | computes exponentials, of a loop whose products do not overlap (cuDNN's order) |

    Iterations that a team passes over pass the turn on.
  }];
  let dependentDialects = ["::mlir::diffattn::tile::TileDialect",
                           "::mlir::arith::ArithDialect",
                           "::mlir::scf::SCFDialect"];
}

def StartProductsPass : TilePass<"diffattn-tile-start-products"> {
  let summary = "Let the team go on while the matrix unit works";
  let description = [{
    Each `dot` of a buffer inside of `roles` becomes `dot_async`, and `dot_wait`
    before the first use of its result. An `arrive` between the two moves behind
    the wait: what it releases is read until then.
  }];
}

def StagePass : TilePass<"diffattn-tile-stage"> {
  let summary = "Bring operands of products to shared memory";
  let description = [{
    A `load` used as an operand of `dot` becomes an `alloc` of a swizzled
    buffer, an `async_copy` into it, a wait and a barrier, and `dot` reads the
    buffer. Correct and slow: nothing overlaps yet.
  }];
  let dependentDialects = ["::mlir::diffattn::tile::TileDialect",
                           "::mlir::gpu::GPUDialect"];
}

def PipelinePass : TilePass<"diffattn-tile-pipeline"> {
  let summary = "Overlap copies with the products of earlier tiles";
  let description = [{
    Requires: loops as `diffattn-tile-stage` leaves them: each buffer written by
    one `async_copy` per iteration, then commit, wait and barrier, then read.

    Each buffer gets a ring of `diffattn_tile.stages` slots. The copy for `stages` iterations ahead
    is issued right after the first barrier that follows the last read of the
    slot it overwrites, waits count the groups committed since, and the
    first copies of each ring go before the loop. With one stage the copy of the
    next keys runs under this tile's softmax and second product, that of the
    values under the first product and the softmax.

    Left alone, with a remark: loops whose copies depend on more than the
    induction variable.
  }];
  let dependentDialects = ["::mlir::diffattn::tile::TileDialect",
                           "::mlir::gpu::GPUDialect",
                           "::mlir::arith::ArithDialect",
                           "::mlir::scf::SCFDialect"];
}

def PeelMasksPass : TilePass<"diffattn-tile-peel-masks"> {
  let summary = "Run the iterations that no mask cuts in a loop without masks";
  let description = [{
    A loop with `mask` ops becomes up to three loops over consecutive ranges:
    iterations before, within and after the range in which all constraints
    hold for every element, the middle one without its masks and what only
    they need, the others marked with `diffattn_tile.cut`, so that they are not
    peeled again. Constraints whose symbol grows with the induction variable bound
    the range from below, those whose symbol falls bound it from above. Masks
    with other symbols stay.

    The loops share their carried values, so a pipeline runs on across them. In
    a loop over tiles (`scf.while`), a mask outside of the loops over keys is
    applied on the condition that it cuts something.
  }];
}

def AssignLayoutsPass : TilePass<"diffattn-tile-assign-layouts"> {
  let summary = "Give every tensor a layout";
  let description = [{
    Requires: tensors without encodings; `diffattn_tile.warps` on the kernel.

    Accumulators and left operands of `dot` get the layout of the matrix
    instruction (`getRowFragment`): the first eight rows of an instruction's
    block run along the innermost row dimension, and a dimension that
    `select` picks from lies between row r and row r + 8, so that one thread
    holds all of it. From there layouts spread through element-wise ops,
    reductions, broadcasts and loops. Where two meet that differ, a
    `convert_layout` is inserted; equal normal forms need none.

    Produces: every tensor has a `fragment` encoding.
  }];
}

def DeferReductionsPass : TilePass<"diffattn-tile-defer-reductions"> {
  let summary = "Sum across threads once, after the loop";
  let description = [{
    Requires: layouts (`diffattn-tile-assign-layouts`).

    A loop that carries a sum `l = f * l + reduce add P`, with or without the
    factor, as `mulf` and `addf` or as `fma`, carries the part of each thread
    instead: `thread_reduce` in the loop, the exchange between threads, a
    `reduce`, after it. Sums of positive numbers: what changes is the order of
    additions. An initial value of zero, or itself a `reduce add`
    along that dimension (a peeled iteration, a loop before), is taken apart
    likewise.

    Left alone: sums that the loop reads otherwise, those that no two threads
    share, and, with a remark, other initial values.

    ```mlir
    %l = scf.for ... iter_args(%old = %zero) -> (tensor<64x2xf32, #row>) {
      %sum = diffattn_tile.reduce add %p along 2 : tensor<64x2x64xf32, #acc> -> tensor<64x2xf32, #row>
      %scaled = arith.mulf %f, %old : tensor<64x2xf32, #row>
      %new = arith.addf %scaled, %sum : tensor<64x2xf32, #row>
      scf.yield %new : tensor<64x2xf32, #row>
    }
    ```
    becomes
    ```mlir
    %part = scf.for ... iter_args(%old = %zeros) -> (tensor<64x2x4xf32, #part>) {
      %sum = diffattn_tile.thread_reduce add %p along 2 : tensor<64x2x64xf32, #acc> -> tensor<64x2x4xf32, #part>
      %factor = diffattn_tile.broadcast %f along 2 : tensor<64x2xf32, #row> -> tensor<64x2x4xf32, #part>
      %scaled = arith.mulf %factor, %old : tensor<64x2x4xf32, #part>
      %new = arith.addf %scaled, %sum : tensor<64x2x4xf32, #part>
      scf.yield %new : tensor<64x2x4xf32, #part>
    }
    %l = diffattn_tile.reduce add %part along 2 : tensor<64x2x4xf32, #part> -> tensor<64x2xf32, #row>
    ```
  }];
  let dependentDialects = ["::mlir::diffattn::tile::TileDialect",
                           "::mlir::arith::ArithDialect"];
}

def SelectOperandsPass : TilePass<"diffattn-tile-select-operands"> {
  let summary = "Feed matrix instructions from registers";
  let description = [{
    A `dot` on shared memory becomes steps of 16 along `k`, each a `local_load` of one
    slice of its operands and a `dot` on registers: what `mma.sync` takes.
  }];
}

def ExchangePass : TilePass<"diffattn-tile-exchange"> {
  let summary = "Move elements between threads through shared memory";
  let description = [{
    Requires: layouts (`diffattn-tile-assign-layouts`).

    A `convert_layout` that moves elements to other lanes or warps becomes a
    `local_store` to a buffer of its own, a barrier and a `local_load`. The
    buffer's layout is that with the fewest wavefronts for both: any dimension
    innermost, in panels of up to 128 bytes, under any swizzle.

    In a loop another barrier goes before the store: others may still read what
    the last iteration stored. Elsewhere one does only if a buffer is dead
    there, whose place `diffattn-tile-allocate` then gives to this one. In
    `roles` each team has a slot, and the barriers are those of the team.

    Left alone: conversions that rename registers.

    ```mlir
    %t = diffattn_tile.convert_layout %s : tensor<64x64xf32, #acc> -> tensor<64x64xf32, #rows>
    ```
    becomes
    ```mlir
    diffattn_tile.local_store %s, %buffer : tensor<64x64xf32, #acc>, !diffattn_tile.buffer<[64x64xf32], #shared>
    gpu.barrier
    %t = diffattn_tile.local_load %buffer[0, 0] : !diffattn_tile.buffer<[64x64xf32], #shared> -> tensor<64x64xf32, #rows>
    ```
  }];
  let dependentDialects = ["::mlir::diffattn::tile::TileDialect",
                           "::mlir::gpu::GPUDialect",
                           "::mlir::arith::ArithDialect"];
}

def AllocatePass : TilePass<"diffattn-tile-allocate"> {
  let summary = "Place buffers in shared memory";
  let description = [{
    Gives each `alloc` and `barriers` an offset; buffers whose lifetimes do not overlap may
    share bytes. Writes `diffattn_tile.shared_bytes`. Fails if `limit` bytes do
    not suffice, naming the buffers.

    Counts the bank conflicts of all accesses to each buffer (SharedAccess.h):
    loads and stores of registers, copies, products that read by descriptor. A
    remark says how many there are. Swizzles are chosen where buffers are made
    (`diffattn-tile-stage`, `diffattn-tile-specialize`,
    `diffattn-tile-exchange`), because tensor maps and descriptors have to
    agree; here it is too late for another one. So a buffer with conflicts that
    another swizzle of its layout would avoid is an error, which names that
    swizzle. Where none would, the remark says so.
  }];
  let options = [Option<"limit", "limit", "int64_t", /*default=*/"166912",
                        "Shared memory of a thread block, in bytes">];
}

def TileToNVVMPass : TilePass<"diffattn-tile-to-nvvm",
                              "::mlir::gpu::GPUModuleOp"> {
  let summary = "Lower tiles to the code of one thread";
  let description = [{
    Requires: layouts assigned, buffers placed, products on registers.

    Each tensor becomes one scalar per register of its layout (16-bit floats in
    pairs), each op its instruction: `ldmatrix`, `mma.sync`, `cp.async`,
    shuffles, `ex2.approx`. Buffers become addresses in one symbol of the module,
    its shared memory (why this is a pass on the module). What is left
    is `arith`, `scf`, `memref`, `gpu` and `nvvm`.
  }];
  let dependentDialects = [
    "::mlir::LLVM::LLVMDialect", "::mlir::NVVM::NVVMDialect",
    "::mlir::gpu::GPUDialect", "::mlir::memref::MemRefDialect",
    "::mlir::arith::ArithDialect", "::mlir::scf::SCFDialect",
    "::mlir::vector::VectorDialect"];
}

def FinishKernelsPass : TilePass<"diffattn-tile-finish-kernels",
                                 "::mlir::gpu::GPUModuleOp"> {
  let summary = "Say what upstream's conversion of kernels cannot";
  let description = [{
    After `convert-gpu-to-nvvm`: pointers to tensor maps (128 bytes,
    dereferenceable, aligned to 64) become parameters by value that are never
    copied (`llvm.byval`, `nvvm.grid_constant`). Kernels that move registers
    between roles launch with exactly their number of threads, one block per
    multiprocessor: `ptxas` ignores `setmaxnreg` otherwise (C7508).
  }];
  let dependentDialects = ["::mlir::LLVM::LLVMDialect",
                           "::mlir::NVVM::NVVMDialect"];
}

#endif // DIFFATTN_DIALECT_TILE_TRANSFORMS_PASSES_TD
