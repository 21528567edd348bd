//===- Vectorize.cpp - linalg on buffers to vector loops -----------------===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "VectorLoops.h"

#include "diffattn/CPU/Passes.h"
#include "diffattn/Target/TargetOption.h"
#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

namespace mlir::diffattn {
#define GEN_PASS_DEF_CPUVECTORIZEPASS
#include "diffattn/CPU/Passes.h.inc"
} // namespace mlir::diffattn

using namespace mlir;
using namespace mlir::diffattn;

//===----------------------------------------------------------------------===//
// Lanes
//===----------------------------------------------------------------------===//

/// True where the last `count` dimensions of `type` are static and contiguous.
static bool hasContiguousSuffix(MemRefType type, unsigned count) {
  SmallVector<int64_t> strides;
  int64_t offset;
  if (failed(type.getStridesAndOffset(strides, offset)))
    return false;
  int64_t expected = 1;
  for (int64_t i = type.getRank() - 1, e = type.getRank() - count; i >= e;
       --i) {
    if (type.isDynamicDim(i) ||
        (strides[i] != expected && type.getDimSize(i) != 1))
      return false;
    expected *= type.getDimSize(i);
  }
  return true;
}

/// The dimensions that `map` ends with, `count` of them.
static SmallVector<unsigned> getSuffix(AffineMap map, unsigned count) {
  SmallVector<unsigned> dims;
  for (unsigned i = map.getNumResults() - count; i < map.getNumResults(); ++i)
    dims.push_back(map.getDimPosition(i));
  return dims;
}

/// True where `dims` can be the lanes of `operand` (see VectorLoops.h).
static bool fitsLanes(OpOperand &operand, AffineMap map,
                      ArrayRef<unsigned> dims) {
  if (llvm::none_of(dims,
                    [&](unsigned dim) { return map.isFunctionOfDim(dim); }))
    return true;
  return map.getNumResults() >= dims.size() &&
         getSuffix(map, dims.size()) == SmallVector<unsigned>(dims) &&
         hasContiguousSuffix(cast<MemRefType>(operand.get().getType()),
                             dims.size());
}

/// `source` with its last `count` dimensions collapsed to one.
static Value collapseSuffix(OpBuilder &b, Location loc, Value source,
                            unsigned count) {
  if (count == 1)
    return source;
  int64_t rank = cast<MemRefType>(source.getType()).getRank();
  SmallVector<ReassociationIndices> groups;
  for (int64_t i = 0; i < rank - count; ++i)
    groups.push_back({i});
  groups.push_back(llvm::to_vector<2>(llvm::seq<int64_t>(rank - count, rank)));
  return memref::CollapseShapeOp::create(b, loc, source, groups);
}

FailureOr<LaneLoops> mlir::diffattn::analyzeLanes(linalg::LinalgOp op,
                                                  OpBuilder &b) {
  if (!op.hasPureBufferSemantics())
    return failure();
  for (Value operand : op->getOperands()) {
    Type element = getElementTypeOrSelf(operand);
    if (!VectorType::isValidElementType(element))
      return failure();
    // A buffer holds a byte or more for every element, a vector of i1 or i4
    // packs its bits: loading one as the other reads the wrong elements.
    if (isa<MemRefType>(operand.getType()) && element.isIntOrFloat() &&
        element.getIntOrFloatBitWidth() % 8 != 0)
      return failure();
  }
  SmallVector<AffineMap> maps = op.getIndexingMapsArray();
  for (AffineMap map : maps)
    if (!map.isProjectedPermutation())
      return failure();
  AffineMap outMap = op.getMatchingIndexingMap(op.getDpsInitOperand(0));
  LaneLoops loops;
  loops.op = op;
  for (unsigned count = outMap.getNumResults(); count > 0; --count) {
    SmallVector<unsigned> dims = getSuffix(outMap, count);
    bool fits = llvm::all_of(op->getOpOperands(), [&](OpOperand &operand) {
      return fitsLanes(operand, op.getMatchingIndexingMap(&operand), dims);
    });
    if (fits) {
      loops.laneDims = dims;
      break;
    }
  }
  if (loops.laneDims.empty())
    return failure();
  SmallVector<int64_t> ranges = op.getStaticLoopRanges();
  for (unsigned dim : loops.laneDims) {
    loops.laneSizes.push_back(ranges[dim]);
    loops.numLanes *= ranges[dim];
  }

  Location loc = op.getLoc();
  loops.sizes.resize(op.getNumLoops());
  for (OpOperand &operand : op->getOpOperands()) {
    AffineMap map = op.getMatchingIndexingMap(&operand);
    LaneOperand lane;
    lane.source = operand.get();
    lane.isScalar = !isa<MemRefType>(operand.get().getType());
    for (unsigned i = 0; i < map.getNumResults(); ++i) {
      unsigned dim = map.getDimPosition(i);
      if (!loops.sizes[dim])
        loops.sizes[dim] = memref::getMixedSize(b, loc, operand.get(), i);
      if (loops.isLane(dim))
        lane.hasLanes = true;
      else
        lane.dims.push_back(dim);
    }
    if (lane.hasLanes)
      lane.source = collapseSuffix(b, loc, lane.source, loops.laneDims.size());
    loops.operands.push_back(lane);
  }
  return loops;
}

int64_t mlir::diffattn::getVectorLength(int64_t numLanes, int64_t maxLanes) {
  int64_t length = maxLanes;
  while (numLanes % length != 0)
    length /= 2;
  return length;
}

//===----------------------------------------------------------------------===//
// Loops and accesses
//===----------------------------------------------------------------------===//

void mlir::diffattn::buildLoops(OpBuilder &b, Location loc,
                                ArrayRef<OpFoldResult> sizes,
                                ArrayRef<unsigned> dims,
                                SmallVectorImpl<Value> &ivs,
                                function_ref<void(OpBuilder &)> body) {
  if (dims.empty())
    return body(b);
  unsigned dim = dims.front();
  Value zero = arith::ConstantIndexOp::create(b, loc, 0);
  if (isConstantIntValue(sizes[dim], 1)) {
    ivs[dim] = zero;
    return buildLoops(b, loc, sizes, dims.drop_front(), ivs, body);
  }
  Value upper = getValueOrCreateConstantIndexOp(b, loc, sizes[dim]);
  Value one = arith::ConstantIndexOp::create(b, loc, 1);
  auto loop = scf::ForOp::create(b, loc, zero, upper, one);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPoint(loop.getBody()->getTerminator());
  ivs[dim] = loop.getInductionVar();
  buildLoops(b, loc, sizes, dims.drop_front(), ivs, body);
}

SmallVector<Value> mlir::diffattn::getIndices(const LaneOperand &operand,
                                              ArrayRef<Value> ivs, Value lane) {
  SmallVector<Value> indices;
  for (unsigned dim : operand.dims)
    indices.push_back(ivs[dim]);
  if (operand.hasLanes)
    indices.push_back(lane);
  return indices;
}

Value mlir::diffattn::loadLanes(OpBuilder &b, Location loc,
                                const LaneOperand &operand, ArrayRef<Value> ivs,
                                Value lane, int64_t length) {
  auto vectorOf = [&](Type element) {
    return VectorType::get({length}, element);
  };
  if (operand.isScalar)
    return vector::BroadcastOp::create(
        b, loc, vectorOf(operand.source.getType()), operand.source);
  Type element = cast<MemRefType>(operand.source.getType()).getElementType();
  SmallVector<Value> indices = getIndices(operand, ivs, lane);
  if (operand.hasLanes)
    return vector::LoadOp::create(b, loc, vectorOf(element), operand.source,
                                  indices);
  Value scalar = memref::LoadOp::create(b, loc, operand.source, indices);
  return vector::BroadcastOp::create(b, loc, vectorOf(element), scalar);
}

//===----------------------------------------------------------------------===//
// Pass
//===----------------------------------------------------------------------===//

namespace {
struct CPUVectorizePass
    : diffattn::impl::CPUVectorizePassBase<CPUVectorizePass> {
  using CPUVectorizePassBase::CPUVectorizePassBase;

  void runOnOperation() override {
    FailureOr<const CPUTarget *> description =
        reportTargetError(getOperation(), lookupCPUTarget(target));
    if (failed(description))
      return signalPassFailure();
    IRRewriter rewriter(&getContext());
    // Copies are linalg too, so that they become vector loops and not calls.
    getOperation().walk([&](memref::CopyOp copy) {
      if (!isa<MemRefType>(copy.getSource().getType()) ||
          !isa<MemRefType>(copy.getTarget().getType()))
        return;
      rewriter.setInsertionPoint(copy);
      linalg::CopyOp::create(rewriter, copy.getLoc(), copy.getSource(),
                             copy.getTarget());
      rewriter.eraseOp(copy);
    });
    auto lowerAll = [&](function_ref<bool(linalg::LinalgOp)> lower) {
      SmallVector<linalg::LinalgOp> ops;
      getOperation().walk([&](linalg::LinalgOp op) { ops.push_back(op); });
      for (linalg::LinalgOp op : ops) {
        rewriter.setInsertionPoint(op);
        (void)lower(op);
      }
    };
    // Products first: one may do away with the fill before it.
    lowerAll([&](linalg::LinalgOp op) {
      return succeeded(lowerPairContraction(op, **description, rewriter));
    });
    lowerAll([&](linalg::LinalgOp op) {
      return succeeded(lowerContraction(op, **description, rewriter)) ||
             succeeded(lowerTransposing(op, **description, rewriter)) ||
             succeeded(lowerElementwise(op, **description, rewriter));
    });
    requestTilePermission(getOperation());
  }
};
} // namespace
