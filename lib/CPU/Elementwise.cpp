//===- Elementwise.cpp - Vector loops for other linalg ops ---------------===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Loops over parallel dimensions, then over blocks of lanes, then over
// reductions. Outputs that are reduced are carried through the innermost loops
// in registers; a block is up to four vectors wide, so that independent chains
// of the body overlap.
//
//===----------------------------------------------------------------------===//

#include "VectorLoops.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace mlir::diffattn;

namespace {
/// Emits vector code for one linalg op.
class ElementwiseEmitter {
public:
  ElementwiseEmitter(LaneLoops &loops, int64_t length, int64_t block)
      : loops(loops), op(loops.op), loc(op.getLoc()), length(length),
        block(block), ivs(op.getNumLoops()) {}

  void run(OpBuilder &b) {
    SmallVector<unsigned> parallel, reductions;
    SmallVector<utils::IteratorType> iterators = op.getIteratorTypesArray();
    for (unsigned dim = 0, e = op.getNumLoops(); dim < e; ++dim)
      if (!loops.isLane(dim))
        (isReduced(dim) ? reductions : parallel).push_back(dim);
    buildLoops(b, loc, loops.sizes, parallel, ivs, [&](OpBuilder &b) {
      Value zero = arith::ConstantIndexOp::create(b, loc, 0);
      Value upper = arith::ConstantIndexOp::create(b, loc, loops.numLanes);
      Value step = arith::ConstantIndexOp::create(b, loc, block * length);
      auto lanes = scf::ForOp::create(b, loc, zero, upper, step);
      OpBuilder::InsertionGuard guard(b);
      b.setInsertionPoint(lanes.getBody()->getTerminator());
      for (int64_t j = 0; j < block; ++j)
        laneOffsets.push_back(arith::AddIOp::create(
            b, loc, lanes.getInductionVar(),
            arith::ConstantIndexOp::create(b, loc, j * length)));
      emitReduction(b, reductions);
      laneOffsets.clear();
    });
  }

private:
  /// True where some output does not depend on `dim`.
  bool isReduced(unsigned dim) {
    return llvm::any_of(llvm::seq<unsigned>(0, op.getNumDpsInits()),
                        [&](unsigned i) {
                          return !llvm::is_contained(loops.output(i).dims, dim);
                        });
  }
  bool isCarried(unsigned i, ArrayRef<unsigned> reductions) {
    return llvm::any_of(reductions, [&](unsigned dim) {
      return !llvm::is_contained(loops.output(i).dims, dim);
    });
  }

  /// The loops over `reductions`, with the carried outputs in registers.
  void emitReduction(OpBuilder &b, ArrayRef<unsigned> reductions) {
    carriedOutputs.clear();
    for (unsigned i = 0, e = op.getNumDpsInits(); i < e; ++i)
      if (isCarried(i, reductions))
        carriedOutputs.push_back(i);
    for (unsigned dim : reductions)
      ivs[dim] = arith::ConstantIndexOp::create(b, loc, 0);
    SmallVector<Value> carried;
    for (unsigned i : carriedOutputs)
      for (Value lane : laneOffsets)
        carried.push_back(
            loadLanes(b, loc, loops.output(i), ivs, lane, length));
    SmallVector<Value> finals = emitReductionLoop(b, reductions, carried);
    for (auto [position, i] : llvm::enumerate(carriedOutputs))
      for (auto [j, lane] : llvm::enumerate(laneOffsets))
        vector::StoreOp::create(b, loc, finals[position * block + j],
                                loops.output(i).source,
                                getIndices(loops.output(i), ivs, lane));
  }

  SmallVector<Value> emitReductionLoop(OpBuilder &b,
                                       ArrayRef<unsigned> reductions,
                                       SmallVector<Value> carried) {
    if (reductions.empty())
      return emitBody(b, carried);
    unsigned dim = reductions.front();
    Value zero = arith::ConstantIndexOp::create(b, loc, 0);
    Value outer = ivs[dim];
    if (isConstantIntValue(loops.sizes[dim], 1)) {
      return emitReductionLoop(b, reductions.drop_front(), carried);
    }
    Value upper = getValueOrCreateConstantIndexOp(b, loc, loops.sizes[dim]);
    Value one = arith::ConstantIndexOp::create(b, loc, 1);
    auto loop = scf::ForOp::create(
        b, loc, zero, upper, one, carried,
        [&](OpBuilder &b, Location loc, Value iv, ValueRange args) {
          ivs[dim] = iv;
          SmallVector<Value> next = emitReductionLoop(
              b, reductions.drop_front(), llvm::to_vector(args));
          scf::YieldOp::create(b, loc, next);
        });
    ivs[dim] = outer;
    return llvm::to_vector_of<Value>(loop.getResults());
  }

  /// The body once for each vector of the block. Takes and returns the carried
  /// outputs; stores the others.
  SmallVector<Value> emitBody(OpBuilder &b, ArrayRef<Value> carried) {
    SmallVector<Value> next(carried.size());
    for (auto [j, lane] : llvm::enumerate(laneOffsets)) {
      IRMapping values;
      for (auto [position, operand] : llvm::enumerate(loops.operands)) {
        BlockArgument argument = op.getBlock()->getArgument(position);
        if (argument.use_empty())
          continue;
        int64_t output = int64_t(position) - op.getNumDpsInputs();
        auto found = output < 0 ? carriedOutputs.end()
                                : llvm::find(carriedOutputs, output);
        values.map(argument,
                   found != carriedOutputs.end()
                       ? carried[(found - carriedOutputs.begin()) * block + j]
                       : loadLanes(b, loc, operand, ivs, lane, length));
      }
      Value first = lane;
      SmallVector<Value> results = emitVectorBody(
          b, op, values, length,
          [&](OpBuilder &b, unsigned dim) { return emitIndex(b, dim, first); });
      for (auto [i, result] : llvm::enumerate(results)) {
        auto found = llvm::find(carriedOutputs, i);
        if (found != carriedOutputs.end()) {
          next[(found - carriedOutputs.begin()) * block + j] = result;
          continue;
        }
        vector::StoreOp::create(b, loc, result, loops.output(i).source,
                                getIndices(loops.output(i), ivs, lane));
      }
    }
    return next;
  }

  /// linalg.index as a vector: the loop's index, or for a lane dimension what
  /// the flat lane number decomposes to.
  Value emitIndex(OpBuilder &b, unsigned dim, Value lane) {
    auto type = VectorType::get({length}, b.getIndexType());
    if (!loops.isLane(dim))
      return vector::BroadcastOp::create(b, loc, type, ivs[dim]);
    Value step = vector::StepOp::create(b, loc, type);
    Value first = vector::BroadcastOp::create(b, loc, type, lane);
    Value flat = arith::AddIOp::create(b, loc, first, step);
    int64_t inner = 1;
    unsigned position = loops.laneDims.size() - 1;
    for (; loops.laneDims[position] != dim; --position)
      inner *= loops.laneSizes[position];
    auto splat = [&](int64_t value) -> Value {
      return arith::ConstantOp::create(
          b, loc, DenseElementsAttr::get(type, b.getIndexAttr(value)));
    };
    if (inner != 1)
      flat = arith::DivUIOp::create(b, loc, flat, splat(inner));
    if (position != 0)
      flat = arith::RemUIOp::create(b, loc, flat,
                                    splat(loops.laneSizes[position]));
    return flat;
  }

  LaneLoops &loops;
  linalg::LinalgOp op;
  Location loc;
  int64_t length, block;
  SmallVector<Value> ivs;
  SmallVector<Value> laneOffsets;
  SmallVector<unsigned> carriedOutputs;
};
} // namespace

/// True where all outputs have the lanes; a reduction over lanes has not.
static bool outputsHaveLanes(LaneLoops &loops) {
  return llvm::all_of(llvm::seq<unsigned>(0, loops.op.getNumDpsInits()),
                      [&](unsigned i) { return loops.output(i).hasLanes; });
}

/// True where every output is reduced over all of the reduced dimensions or
/// over none: what is carried through their loops has one place in memory.
static bool reductionsAgree(LaneLoops &loops) {
  unsigned numOutputs = loops.op.getNumDpsInits();
  auto uses = [&](unsigned output, unsigned dim) {
    return llvm::is_contained(loops.output(output).dims, dim);
  };
  SmallVector<unsigned> reduced;
  for (unsigned dim = 0, e = loops.op.getNumLoops(); dim < e; ++dim)
    for (unsigned i = 0; i < numOutputs && !loops.isLane(dim); ++i)
      if (!uses(i, dim)) {
        reduced.push_back(dim);
        break;
      }
  return llvm::all_of(llvm::seq<unsigned>(0, numOutputs), [&](unsigned i) {
    auto isUsed = [&](unsigned dim) { return uses(i, dim); };
    return llvm::all_of(reduced, isUsed) || llvm::none_of(reduced, isUsed);
  });
}

LogicalResult mlir::diffattn::lowerElementwise(linalg::LinalgOp op,
                                               const CPUTarget &target,
                                               RewriterBase &rewriter) {
  if (!hasVectorBody(op))
    return failure();
  FailureOr<LaneLoops> loops = analyzeLanes(op, rewriter);
  if (failed(loops) || !outputsHaveLanes(*loops) || !reductionsAgree(*loops))
    return failure();
  int64_t length =
      getVectorLength(loops->numLanes, target.getVectorLanes(/*bits=*/32));
  int64_t numVectors = loops->numLanes / length;
  int64_t block = numVectors % 4 == 0 ? 4 : numVectors % 2 == 0 ? 2 : 1;
  ElementwiseEmitter(*loops, length, block).run(rewriter);
  rewriter.eraseOp(op);
  return success();
}
