//===- Passes.td - Passes of the diffattn dialect ----------*- tablegen -*-===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef DIFFATTN_DIALECT_DIFFATTN_TRANSFORMS_PASSES_TD
#define DIFFATTN_DIALECT_DIFFATTN_TRANSFORMS_PASSES_TD

include "mlir/Pass/PassBase.td"

//===----------------------------------------------------------------------===//
// Recognising and taking apart the operator
//===----------------------------------------------------------------------===//

def FusePass : Pass<"diffattn-fuse", "func::FuncOp"> {
  let summary = "Recognise differential attention in ordinary ops";
  let description = [{
    Requires: linalg on tensors, in whatever form the producer left it: named
    ops or generics, fused or not, reshapes and transposes anywhere. Calls have
    to be inlined (`diffattn-import-pipeline` does). Plain `diffattn.attention`
    is input too.

    Produces, in two steps:

    1. scaled dot product attention spelled out (product, scale, softcap, mask,
       stable softmax, product; grouped or repeated keys and values) becomes a
       plain `diffattn.attention`;
    2. `signal - sigmoid(lambda) * noise` over its heads 2j and 2j + 1 becomes
       one `diffattn.attention` with lambda.

    Transposes are inserted where an operand is not laid out as (batch, tokens,
    heads, head dimension). Intermediate roundings of the producer go away, and
    rows without a key give 0.

    What does not match is left alone: it computes what it computed. A remark of
    category `diffattn-fuse` names the first condition that failed and how to
    mend it; so does a diagnostic with `explain`.

    ```mlir
    %o = diffattn.attention query(%q : tensor<1x64x8x64xf32>) ... outs(%init0 ...)
    %even = tensor.extract_slice %o[0, 0, 0, 0] [1, 64, 4, 64] [1, 1, 2, 1] ...
    %odd = tensor.extract_slice %o[0, 0, 1, 0] [1, 64, 4, 64] [1, 1, 2, 1] ...
    %out = linalg.generic ... ins(%even, %odd, %lambda) { even - sigmoid(lambda) * odd }
    // becomes
    %out = diffattn.attention query(%q : tensor<1x64x8x64xf32>) ...
        lambda(%lambda : tensor<1x64x4xf32>) outs(%init ...)
    ```
  }];
  let options = [
    Option<"explain", "explain", "bool", /*default=*/"false",
           "Emit the remarks as diagnostics too">
  ];
  let dependentDialects = ["::mlir::diffattn::DiffAttnDialect",
                           "::mlir::arith::ArithDialect",
                           "::mlir::linalg::LinalgDialect",
                           "::mlir::tensor::TensorDialect"];
}

def DecomposePass : Pass<"diffattn-decompose", "func::FuncOp"> {
  let summary = "Rewrite attention as linalg that materialises the scores";
  let description = [{
    Requires: `diffattn.attention` on tensors.

    Produces: linalg, arith and math on tensors that compute what the op means,
    in f32 with one rounding at the end: products, scale and softcap, a mask
    over positions (aligned at the bottom right, lengths static or dynamic),
    stable softmax, product, division, gate and subtraction. Keys and values are
    not repeated for the heads of a group. Rows without a key, known from their
    position, give 0 and a log-sum-exp of +inf.

    Why: a definition any other compiler can run. It needs memory for all scores
    (B * H * Nq * Nk); the tiled path (`diffattn-to-online`) does not.
    `diffattn-fuse` recognises the result again.

    ```mlir
    %out = diffattn.attention query(%q ...) key(%k ...) value(%v ...) lambda(%l ...) outs(%init ...)
    // becomes
    %s = linalg.generic ... ins(%qx, %k) { extf, mulf, addf }
    ...
    %out = linalg.generic ... ins(%even, %odd, %l) outs(%init) { even - sigmoid(l) * odd }
    ```
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect",
                           "::mlir::linalg::LinalgDialect",
                           "::mlir::math::MathDialect",
                           "::mlir::tensor::TensorDialect"];
}

//===----------------------------------------------------------------------===//
// Online form and tiling
//===----------------------------------------------------------------------===//

def ToOnlinePass : Pass<"diffattn-to-online", "func::FuncOp"> {
  let summary = "Rewrite attention in the online softmax form";
  let description = [{
    Requires: `diffattn.attention` on tensors.

    Produces: `diffattn.online_attention` over all keys, on views of query and
    outputs whose head dimension is split into (KV head, pair, branch), started
    with acc = 0, max = -inf, sum = 0, and `diffattn.finalize`. Nothing is
    blocked yet; a schedule on the op moves along.

    Why: the online step is associative in the keys, so what follows may tile
    it over keys as well as over rows.

    ```mlir
    %out = diffattn.attention query(%q ...) ... outs(%init ...) mask<causal>
    // becomes
    %qx = tensor.expand_shape %q [[0], [1], [2, 3, 4], [5]] ...
    %o:3 = diffattn.online_attention query(%qx ...) ... outs(%zero, %low, %zero ...)
    %fx = diffattn.finalize acc(%o#0, %o#1, %o#2 ...) ... outs(%initx ...)
    %out = tensor.collapse_shape %fx ...
    ```
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect",
                           "::mlir::linalg::LinalgDialect",
                           "::mlir::tensor::TensorDialect"];
}

def AssignSchedulePass : Pass<"diffattn-assign-schedule", "func::FuncOp"> {
  let summary = "Choose tile sizes from a target description";
  let description = [{
    Requires: `diffattn.attention` or the online form.

    Produces: a `schedule` attribute on every such op that has none. A value
    given as an option is taken as it is; the others are chosen to fit it. An op
    that already has a schedule keeps it, unless an option is given.

    Rows of a tile (branches * pairs * query rows) fill four vector registers of
    the target, so that each broadcast key or value feeds four multiply-adds,
    and as many pairs as divide a group share them before more query rows do:
    a lower tile wastes less work on a diagonal. Key tiles are 64, fewer for
    short static lengths.

    Where the target multiplies bf16 in matrix tiles (AMX) and q, k and v fit
    them (bf16, d a multiple of 32, dv of 16), rows fill sixteen registers, in
    multiples of 16 query rows, and key tiles are 128, or 64 under a mask: the
    products are so cheap there that copies and the passes over the accumulators,
    once per tile, have to be spread over more of them.

    For a GPU, legal schedules are enumerated from its description (registers of
    a thread, shared memory of a block) and ranked: by a model of an SM, the
    cheapest first; with teams, by the distance from what was measured to be best.
    The first is taken, or with `rank` the one after so many: an assembler may find
    that better ones do not fit. Where the schedule table has a row for target and
    shape, the row's schedule comes before all others. Values given by options or by
    a schedule that is there are completed and have to be legal; then the table is
    not asked. The order of precedence is: options, the attribute, the table, the
    ranking. Inputs have to be f16 or bf16 and head dimensions 64, 96, 128, 192 or
    256.

    A remark (category `diffattn-assign-schedule`) says what was chosen, why, and
    by what.
  }];
  let options = [
    Option<"target", "target", "std::string", "\"cpu\"",
           "Target description to choose for">,
    Option<"queryTile", "query-tile", "int64_t", "0",
           "Query rows of a tile; 0: choose">,
    Option<"pairs", "pairs", "int64_t", "0",
           "Pairs of a group in a tile; 0: choose">,
    Option<"keyTile", "key-tile", "int64_t", "0", "Keys of a tile; 0: choose">,
    Option<"warps", "warps", "int64_t", "0",
           "Warps that compute a tile, on GPUs; 0: choose">,
    Option<"stages", "stages", "int64_t", "0",
           "Key tiles in shared memory at a time, on GPUs; 0: choose">,
    Option<"teams", "teams", "int64_t", "0",
           "Tiles of a block with a warpgroup for each, on GPUs with wgmma; "
           "0: choose">,
    Option<"order", "order", "std::string", "\"\"",
           "How teams share the matrix unit: overlap, turns or sections; "
           "empty: choose">,
    Option<"cluster", "cluster", "int64_t", "0",
           "Blocks that copy keys and values to each other, with teams; 0: one">,
    Option<"rank", "rank", "int64_t", "0",
           "How many better schedules to pass over, on GPUs">,
    Option<"scheduleTable", "schedule-table", "std::string", "\"\"",
           "File of measured schedules, on GPUs; empty: the one that comes with "
           "the compiler; none: no table">];
}

def TilePass : Pass<"diffattn-tile", "func::FuncOp"> {
  let summary = "Block the online form into static tiles and one key loop";
  let description = [{
    Requires: `diffattn.finalize` with a schedule, fed by one
    `diffattn.online_attention` (`diffattn-to-online`, `diffattn-assign-schedule`).
    Ops without a schedule are left alone.

    Produces: an `scf.forall` over (batch, KV head, pairs, query rows); in it one
    `scf.for` over key tiles whose bounds are the mask's range for the tile, and
    static tiles of `online_attention` and `finalize` that know their position.
    A ragged edge is a `tensor.pad` of the valid slice with zeros; only valid
    rows are written back. Initial accumulators are made inside the tile.

    Why static tiles: targets below compute on fixed shapes; the valid extent is
    in the op's position operands and in the slices.

    Errors: the schedule's `pairs` must divide the pairs of a group.

    ```mlir
    scf.forall (%b, %h, %p, %m) in (...) shared_outs(%out = ...) {
      %q = tensor.pad (tensor.extract_slice %query ...) ...
      %o:3 = scf.for %k = %low to %high step %tile iter_args(...) {
        diffattn.online_attention query(%q ...) ... at(%m0 of %nq, %k of %nk)
      }
      %f = diffattn.finalize ...
      scf.forall.in_parallel { tensor.parallel_insert_slice ... }
    }
    ```
  }];
  let dependentDialects = ["::mlir::affine::AffineDialect",
                           "::mlir::arith::ArithDialect",
                           "::mlir::linalg::LinalgDialect",
                           "::mlir::scf::SCFDialect",
                           "::mlir::tensor::TensorDialect"];
}

def DecomposeTilesPass : Pass<"diffattn-decompose-tiles", "func::FuncOp"> {
  let summary = "Rewrite online steps and epilogues as linalg";
  let description = [{
    Requires: `diffattn.online_attention` or `diffattn.finalize`, tiled or not.

    Produces: for each, the linalg ops of its `AggregatedOpInterface`, in f32 and
    base 2: products, mask, row maximum, exponentials with their row sum,
    rescaling, and at the end normalisation, gate, subtraction and the one
    rounding. Scores are laid out as acc, with keys for value dimensions.

    Why: this is the contract between the tiled form and every target.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect",
                           "::mlir::linalg::LinalgDialect",
                           "::mlir::math::MathDialect",
                           "::mlir::tensor::TensorDialect"];
}

#endif // DIFFATTN_DIALECT_DIFFATTN_TRANSFORMS_PASSES_TD
