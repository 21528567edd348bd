//===- Passes.td - Passes of the CPU target ----------------*- tablegen -*-===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The key idea of the CPU target: vector lanes run over query rows. Scores and
// accumulators are held with rows innermost, (key, row) and (value dim, row), so
// both products read keys and values as broadcast scalars in their natural
// order, and the whole softmax is vertical: no horizontal maximum, no
// horizontal sum, no transposed K.
//
//===----------------------------------------------------------------------===//

#ifndef DIFFATTN_CPU_PASSES_TD
#define DIFFATTN_CPU_PASSES_TD

include "mlir/Pass/PassBase.td"

def CPULayoutPass : Pass<"diffattn-cpu-layout", "func::FuncOp"> {
  let summary = "Lay accumulators out with query rows innermost";
  let description = [{
    Requires: the output of `diffattn-to-online`, not yet tiled.

    Produces: the same ops with the maps of acc, max and sum changed to
    (b, h, n, p, r, m) and (b, h, p, r, m), and fills of the new shapes. Nothing
    is moved at run time: accumulators live between the two ops only. Ops whose
    initial accumulators are not fills are left alone.
  }];
  let dependentDialects = ["::mlir::linalg::LinalgDialect",
                           "::mlir::tensor::TensorDialect"];
}

def CPUPackPass : Pass<"diffattn-cpu-pack", "func::FuncOp"> {
  let summary = "Copy query, key and value tiles to contiguous scratch";
  let description = [{
    Requires: tiles of `diffattn.online_attention` with static shapes.

    Produces: query tiles transposed to (b, h, d, p, r, m) once per tile of
    rows, and key and value tiles in their own order; all converted to f32. The
    zero padding of a ragged tile becomes a fill of the tail of the scratch.

    Where the target multiplies bf16 in matrix tiles (AMX), query, key and value
    are bf16, and the tile's sizes fit (rows, branches included, and dv multiples
    of 16; keys and d of 32), all stay bf16 and in their own order, the query as
    (b, h, p, r, m, d): `diffattn-cpu-pack-pairs` takes it from there.

    Why: the copy is one load and store per vector against at least four fused
    multiply-adds per element, and it takes conversions, ragged edges and
    power-of-two strides out of the products.
  }];
  let options = [Option<"target", "target", "std::string", "\"cpu\"",
                        "Target description that says which products there are">];
  let dependentDialects = ["::mlir::arith::ArithDialect",
                           "::mlir::linalg::LinalgDialect",
                           "::mlir::tensor::TensorDialect"];
}

def CPUPackPairsPass : Pass<"diffattn-cpu-pack-pairs", "func::FuncOp"> {
  let summary = "Pack operands of bf16 products in pairs along the reduction";
  let description = [{
    Requires: `linalg.generic` contractions `out + a * b` on tensors, summed in
    f32, with one reduction dimension of static even size and a bf16 operand.

    Produces, on targets with bf16 matrix tiles: the same contraction over two
    reduction dimensions, the inner one of size 2 and innermost in both operands,
    as matrix instructions read them: a as (row, pair, 2), b as (pair, lane, 2),
    lanes being the innermost dimensions of the output that only b has. An
    operand already in that order is a view; another is packed by a
    `linalg.generic` right after its definition, which for a loop-invariant one
    is outside the loop. On other targets nothing changes.

    An f32 operand b (the probabilities) is split as hi + lo, two bf16 numbers
    with a relative error of 2^-17, and the body becomes `out + a * (hi + lo)`.

    ```mlir
    linalg.generic ins(%p, %v : tensor<64x256xf32>, tensor<64x128xbf16>)
                   outs(%acc : tensor<128x256xf32>)
    // becomes
    %hi, %lo = linalg.generic ... -> tensor<32x256x2xbf16>, tensor<32x256x2xbf16>
    %t = linalg.generic ...       -> tensor<128x32x2xbf16>
    linalg.generic ins(%t, %hi, %lo) outs(%acc) { acc + t * (hi + lo) }
    ```
  }];
  let options = [Option<"target", "target", "std::string", "\"cpu\"",
                        "Target description that says which products there are">];
  let dependentDialects = ["::mlir::arith::ArithDialect",
                           "::mlir::linalg::LinalgDialect",
                           "::mlir::tensor::TensorDialect"];
}

def CPUGuardMasksPass : Pass<"diffattn-cpu-guard-masks", "func::FuncOp"> {
  let summary = "Skip masks on tiles that they do not cut";
  let description = [{
    Requires: `linalg.generic` ops that overwrite their output where a conjunction
    of comparisons between loop indices and loop-invariant values fails, as
    `diffattn-decompose-tiles` makes for masks.

    Produces: an `scf.if` around each; its condition is the conjunction at the
    corner of the tile where it is hardest to meet. Interior tiles skip the op.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect",
                           "::mlir::scf::SCFDialect"];
}

def CPUBufferizePass : Pass<"diffattn-cpu-bufferize", "ModuleOp"> {
  let summary = "Bufferize in place, with strided arguments";
  let description = [{
    Requires: tensors, and functions that own their control flow (no recursion).

    Produces: memrefs. Arguments may be strided in every dimension but the last,
    which is contiguous (the convention of FlashAttention); results are
    contiguous. Scratch of a tile is allocated once per tile, outside its loops.
    Based on One-Shot Bufferize.
  }];
  let dependentDialects = ["::mlir::bufferization::BufferizationDialect",
                           "::mlir::memref::MemRefDialect"];
}

def CPUVectorizePass : Pass<"diffattn-cpu-vectorize", "func::FuncOp"> {
  let summary = "Lower linalg on buffers to register-blocked vector loops";
  let description = [{
    Requires: linalg ops and copies on buffers.

    Produces: for contractions with f32 operands, loops over register blocks
    whose accumulators stay in vector registers for the whole reduction, one
    operand loaded as vectors and the other broadcast; for contractions of bf16
    pairs (`diffattn-cpu-pack-pairs`), the same with matrix tiles; for copies and
    other elementwise ops that transpose, square blocks turned in registers; for
    other ops, loops that vectorise the trailing dimensions that all operands
    share contiguously, with reductions carried in registers. Vector width, register count and fused
    multiply-add come from the target description. Ops without such dimensions
    are left for `convert-linalg-to-loops`.
  }];
  let options = [Option<"target", "target", "std::string", "\"cpu\"",
                        "Target description to take vector facts from">];
  let dependentDialects = ["::mlir::amx::AMXDialect",
                           "::mlir::arith::ArithDialect",
                           "::mlir::affine::AffineDialect",
                           "::mlir::linalg::LinalgDialect",
                           "::mlir::LLVM::LLVMDialect",
                           "::mlir::memref::MemRefDialect",
                           "::mlir::scf::SCFDialect",
                           "::mlir::vector::VectorDialect"];
}

def CPUExpandMathPass : Pass<"diffattn-cpu-expand-math", "func::FuncOp"> {
  let summary = "Expand f32 exp2 and tanh to polynomials";
  let description = [{
    Requires: `math.exp2` on f32 scalars or vectors.

    Produces: `2^x = 2^n * p(x - n)` with n the integer nearest to x, found and
    applied by adding to the float's bits, and p a polynomial of degree 6 with a
    relative error below 1 ulp of f32. Exactly 0 below -126 and exact at -inf; NaN propagates; meant
    for x <= 127 (the softmax never exceeds 0; above it saturates to +inf).
    `math.tanh` (softcap) becomes upstream's rational approximation.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect",
                           "::mlir::math::MathDialect",
                           "::mlir::vector::VectorDialect"];
}

def CPUBalanceLoopsPass : Pass<"diffattn-cpu-balance-loops", "func::FuncOp"> {
  let summary = "Hand grid points to threads one by one";
  let description = [{
    Requires: OpenMP worksharing loops (`convert-scf-to-openmp`).

    Produces: the same loops with `schedule(dynamic)` where they had none.

    Why: under a causal mask the last tile of rows has many times the work of
    the first; equal shares of the grid would leave threads waiting.
  }];
}

def CPULowerStackScopesPass : Pass<"diffattn-cpu-lower-stack-scopes", "func::FuncOp"> {
  let summary = "Lower memref.alloca_scope to a save and restore of the stack";
  let description = [{
    Requires: `memref.alloca_scope`, as `convert-scf-to-openmp` puts around the
    body of a parallel loop, and structured control flow in it.

    Produces: `llvm.intr.stacksave`, the body, `llvm.intr.stackrestore`.

    Why: upstream lowers the scope and the loops in it in different passes, and
    the scope may not hold more than one block in between.
  }];
  let dependentDialects = ["::mlir::LLVM::LLVMDialect"];
}

#endif // DIFFATTN_CPU_PASSES_TD
