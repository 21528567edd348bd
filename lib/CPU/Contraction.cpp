//===- Contraction.cpp - Register-blocked products -----------------------===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// C[i, lanes] += sum_k A[i, k] * B[k, lanes], A read as scalars, B as vectors.
// A block of `rows` x `vectors` accumulators stays in registers while k runs:
// each step loads `vectors` vectors of B, broadcasts `rows` scalars of A and
// issues rows * vectors multiply-adds. A block starts from zero, runs over some
// 32 terms and is added to C at its end, so that rounding errors grow with the
// square root of the number of blocks and not of the whole sequence: about as a
// library's vectorised dot products do.
//
//===----------------------------------------------------------------------===//

#include "VectorLoops.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace mlir::diffattn;

namespace {
/// The roles of operands and dimensions of a contraction.
struct Contraction {
  LaneLoops loops;
  LaneOperand scalars, vectors, result;
  /// Blocked dimension of scalars and result, and the reduced one.
  unsigned rowDim = 0, reductionDim = 0;
  int64_t numRows = 0, depth = 0;
  /// Parallel dimensions around the blocks.
  SmallVector<unsigned> outerDims;
};

/// Accumulators of a block: scalar rows by vectors.
struct BlockShape {
  int64_t rows = 1, vectors = 1;
};
} // namespace

/// True for the body `out + in0 * in1`, in any operand order.
static bool isMultiplyAdd(linalg::LinalgOp op) {
  Block *body = op.getBlock();
  if (body->getNumArguments() != 3 || !llvm::hasNItems(*body, 3))
    return false;
  auto add =
      body->getTerminator()->getOperand(0).getDefiningOp<arith::AddFOp>();
  if (!add || !add.getType().isF32())
    return false;
  Value out = body->getArgument(2);
  Value other = add.getLhs() == out ? add.getRhs() : add.getLhs();
  auto mul = other.getDefiningOp<arith::MulFOp>();
  if (!mul || (add.getLhs() != out && add.getRhs() != out))
    return false;
  auto isInput = [&](Value v) {
    return v == body->getArgument(0) || v == body->getArgument(1);
  };
  return isInput(mul.getLhs()) && isInput(mul.getRhs()) &&
         mul.getLhs() != mul.getRhs();
}

static FailureOr<Contraction> matchContraction(linalg::LinalgOp op,
                                               OpBuilder &b) {
  if (op.getNumDpsInputs() != 2 || op.getNumDpsInits() != 1 ||
      !isMultiplyAdd(op))
    return failure();
  FailureOr<LaneLoops> loops = analyzeLanes(op, b);
  if (failed(loops) || loops->operands[0].isScalar ||
      loops->operands[1].isScalar)
    return failure();
  Contraction c;
  c.loops = *loops;
  bool firstHasLanes = loops->operands[0].hasLanes;
  if (firstHasLanes == loops->operands[1].hasLanes)
    return failure();
  c.vectors = loops->operands[firstHasLanes ? 0 : 1];
  c.scalars = loops->operands[firstHasLanes ? 1 : 0];
  c.result = loops->operands[2];

  // One reduction and one row dimension larger than 1; the rest goes around.
  std::optional<unsigned> row, reduction;
  SmallVector<utils::IteratorType> iterators = op.getIteratorTypesArray();
  for (unsigned dim = 0, e = op.getNumLoops(); dim < e; ++dim) {
    if (loops->isLane(dim))
      continue;
    std::optional<int64_t> size = getConstantIntValue(loops->sizes[dim]);
    if (iterators[dim] == utils::IteratorType::reduction) {
      if (size == 1) {
        c.outerDims.push_back(dim);
        continue;
      }
      if (!size || reduction)
        return failure();
      reduction = dim;
      c.depth = *size;
    } else if (size && *size > 1 && !row &&
               llvm::is_contained(c.scalars.dims, dim) &&
               !llvm::is_contained(c.vectors.dims, dim)) {
      row = dim;
      c.numRows = *size;
    } else {
      c.outerDims.push_back(dim);
    }
  }
  if (!row || !reduction)
    return failure();
  c.rowDim = *row;
  c.reductionDim = *reduction;
  return c;
}

/// The block with the most multiply-adds per load that fits the registers,
/// among those whose sides divide the problem; enough accumulators to hide the
/// latency of a multiply-add (4 cycles, 2 a cycle) come first.
static BlockShape chooseBlock(int64_t numRows, int64_t numVectors,
                              unsigned registers) {
  BlockShape best;
  double bestScore = 0;
  constexpr int64_t latencyBound = 8;
  for (int64_t vectors = 1; vectors <= std::min<int64_t>(numVectors, 4);
       ++vectors)
    for (int64_t rows = 1; rows <= std::min<int64_t>(numRows, 14); ++rows) {
      int64_t accumulators = rows * vectors;
      if (numVectors % vectors != 0 || numRows % rows != 0 ||
          accumulators + vectors + 1 > registers)
        continue;
      double score = double(accumulators) / (rows + vectors) *
                     std::min(accumulators, latencyBound);
      if (score > bestScore) {
        bestScore = score;
        best = {rows, vectors};
      }
    }
  return best;
}

/// Emits one block of accumulators at `ivs` and `lane`, over `depth` steps of
/// the reduction from `ivs` on.
static void emitBlock(OpBuilder &b, Location loc, const Contraction &c,
                      BlockShape block, SmallVector<Value> ivs, Value lane,
                      int64_t length, int64_t depth, bool fma) {
  auto type = VectorType::get({length}, b.getF32Type());
  Value zero = arith::ConstantOp::create(b, loc, b.getZeroAttr(type));
  SmallVector<Value> accumulators(block.rows * block.vectors, zero);
  auto offset = [&](Value base, int64_t by) -> Value {
    if (by == 0)
      return base;
    return arith::AddIOp::create(b, loc, base,
                                 arith::ConstantIndexOp::create(b, loc, by));
  };
  SmallVector<Value> rows, lanes;
  for (int64_t i = 0; i < block.rows; ++i)
    rows.push_back(offset(ivs[c.rowDim], i));
  for (int64_t j = 0; j < block.vectors; ++j)
    lanes.push_back(offset(lane, j * length));

  Value lower = ivs[c.reductionDim];
  Value upper = offset(lower, depth);
  Value step = arith::ConstantIndexOp::create(b, loc, 1);
  auto loop = scf::ForOp::create(
      b, loc, lower, upper, step, accumulators,
      [&](OpBuilder &b, Location loc, Value k, ValueRange carried) {
        SmallVector<Value> at = ivs, sums = llvm::to_vector(carried);
        at[c.reductionDim] = k;
        SmallVector<Value> loaded;
        for (Value laneIndex : lanes)
          loaded.push_back(loadLanes(b, loc, c.vectors, at, laneIndex, length));
        for (int64_t i = 0; i < block.rows; ++i) {
          at[c.rowDim] = rows[i];
          Value scalar = loadLanes(b, loc, c.scalars, at, {}, length);
          for (int64_t j = 0; j < block.vectors; ++j) {
            Value &sum = sums[i * block.vectors + j];
            if (fma)
              sum = vector::FMAOp::create(b, loc, scalar, loaded[j], sum);
            else
              sum = arith::AddFOp::create(
                  b, loc, sum,
                  arith::MulFOp::create(b, loc, scalar, loaded[j]));
          }
        }
        scf::YieldOp::create(b, loc, sums);
      });
  for (int64_t i = 0; i < block.rows; ++i)
    for (int64_t j = 0; j < block.vectors; ++j) {
      ivs[c.rowDim] = rows[i];
      Value before = loadLanes(b, loc, c.result, ivs, lanes[j], length);
      Value after = arith::AddFOp::create(
          b, loc, before, loop.getResult(i * block.vectors + j));
      vector::StoreOp::create(b, loc, after, c.result.source,
                              getIndices(c.result, ivs, lanes[j]));
    }
}

LogicalResult mlir::diffattn::lowerContraction(linalg::LinalgOp op,
                                               const CPUTarget &target,
                                               RewriterBase &rewriter) {
  FailureOr<Contraction> matched = matchContraction(op, rewriter);
  if (failed(matched))
    return failure();
  const Contraction &c = *matched;
  Location loc = op.getLoc();
  int64_t length =
      getVectorLength(c.loops.numLanes, target.getVectorLanes(/*bits=*/32));
  int64_t numVectors = c.loops.numLanes / length;
  BlockShape block =
      chooseBlock(c.numRows, numVectors, target.numVectorRegisters);

  // Partial sums of this many terms: see the top of the file.
  constexpr int64_t maxDepth = 32;
  int64_t depth = c.depth;
  for (int64_t part = maxDepth; depth > maxDepth && part >= maxDepth / 2;
       --part)
    if (c.depth % part == 0)
      depth = part;

  SmallVector<Value> ivs(op.getNumLoops());
  buildLoops(rewriter, loc, c.loops.sizes, c.outerDims, ivs, [&](OpBuilder &b) {
    auto constant = [&](int64_t value) -> Value {
      return arith::ConstantIndexOp::create(b, loc, value);
    };
    // Lanes outside: the vectors of one block of lanes stay in the L1 cache
    // while all rows pass.
    auto lanes =
        scf::ForOp::create(b, loc, constant(0), constant(c.loops.numLanes),
                           constant(block.vectors * length));
    b.setInsertionPoint(lanes.getBody()->getTerminator());
    auto rows = scf::ForOp::create(b, loc, constant(0), constant(c.numRows),
                                   constant(block.rows));
    b.setInsertionPoint(rows.getBody()->getTerminator());
    ivs[c.rowDim] = rows.getInductionVar();
    ivs[c.reductionDim] = constant(0);
    if (depth != c.depth) {
      auto parts = scf::ForOp::create(b, loc, constant(0), constant(c.depth),
                                      constant(depth));
      b.setInsertionPoint(parts.getBody()->getTerminator());
      ivs[c.reductionDim] = parts.getInductionVar();
    }
    emitBlock(b, loc, c, block, ivs, lanes.getInductionVar(), length, depth,
              target.hasFMA);
    b.setInsertionPointAfter(lanes);
  });
  rewriter.eraseOp(op);
  return success();
}
