//===- FuseAttention.cpp - Rewrites of the fuse pass ----------------------===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "FuseAttention.h"

#include "FuseRearrange.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Interfaces/ValueBoundsOpInterface.h"

using namespace mlir;
using namespace mlir::diffattn;

//===----------------------------------------------------------------------===//
// Plain attention
//===----------------------------------------------------------------------===//

AttentionOp mlir::diffattn::raiseAttention(RewriterBase &rewriter,
                                           const IndexVars &vars, Value result,
                                           const AttentionMatch &match) {
  OpBuilder::InsertionGuard guard(rewriter);
  rewriter.setInsertionPoint(result.getDefiningOp());
  Location loc = result.getLoc();
  auto bring = [&](Value tensor, const Layout &from, const Layout &to) {
    return rearrange(rewriter, loc, vars, tensor, from, to);
  };
  Value query = bring(match.query, match.queryLayout, match.queryTarget);
  Value key = bring(match.key, match.keyLayout, match.keyTarget);
  Value value = bring(match.value, match.valueLayout, match.valueTarget);

  SmallVector<OpFoldResult> shape = tensor::getMixedSizes(rewriter, loc, query);
  shape[3] = tensor::getMixedSize(rewriter, loc, value, 3);
  Value init = tensor::EmptyOp::create(rewriter, loc, shape,
                                       getElementTypeOrSelf(result.getType()));
  FloatAttr scale, softcap;
  if (match.scale)
    scale = rewriter.getF64FloatAttr(*match.scale);
  if (match.softcap)
    softcap = rewriter.getF64FloatAttr(*match.softcap);
  auto attention = AttentionOp::create(
      rewriter, loc, query, key, value, /*lambda=*/Value(), init, Value(),
      Value(), match.mask.isNone() ? MaskAttr() : match.mask, scale, softcap);
  Value replacement =
      bring(attention.getOutput(), match.outputTarget, match.resultLayout);
  if (replacement.getType() != result.getType())
    replacement =
        tensor::CastOp::create(rewriter, loc, result.getType(), replacement);
  rewriter.replaceAllUsesWith(result, replacement);
  return attention;
}

//===----------------------------------------------------------------------===//
// Pairs
//===----------------------------------------------------------------------===//

/// The tensor of which `query` is every second head, from head `branch` on.
static Value getInterleavedSource(Value query, int64_t branch) {
  auto slice = query.getDefiningOp<tensor::ExtractSliceOp>();
  if (!slice || slice.getSourceType().getRank() != 4)
    return {};
  int64_t numHeads = cast<RankedTensorType>(query.getType()).getDimSize(2);
  ArrayRef<int64_t> source = slice.getSourceType().getShape();
  bool isHalf =
      slice.getStaticOffsets() == ArrayRef<int64_t>{0, 0, branch, 0} &&
      slice.getStaticStrides() == ArrayRef<int64_t>{1, 1, 2, 1} &&
      source[2] == 2 * numHeads;
  for (int64_t dim : {0, 1, 3}) {
    FailureOr<bool> isWhole = ValueBoundsConstraintSet::areEqual(
        slice.getMixedSizes()[dim],
        ValueBoundsConstraintSet::Variable(slice.getSource(), dim));
    isHalf &= succeeded(isWhole) && *isWhole;
  }
  return isHalf ? slice.getSource() : Value();
}

/// The query of both branches, interleaved: from two tensors if need be.
static Value getPairedQuery(OpBuilder &b, Location loc,
                            const PairMatch &match) {
  AttentionOp attention = match.attention, noise = match.noise;
  if (!noise)
    return attention.getQuery();
  Value source = getInterleavedSource(attention.getQuery(), 0);
  if (source && source == getInterleavedSource(noise.getQuery(), 1))
    return source;
  SmallVector<OpFoldResult> sizes =
      tensor::getMixedSizes(b, loc, attention.getQuery());
  SmallVector<OpFoldResult> paired = sizes;
  paired[2] = b.getIndexAttr(2 * attention.getNumQueryHeads());
  SmallVector<OpFoldResult> offsets(4, b.getIndexAttr(0));
  SmallVector<OpFoldResult> strides(4, b.getIndexAttr(1));
  strides[2] = b.getIndexAttr(2);
  Value query = tensor::EmptyOp::create(
      b, loc, paired, getElementTypeOrSelf(attention.getQuery().getType()));
  for (auto [branch, op] : {std::pair(0, attention), {1, noise}}) {
    offsets[2] = b.getIndexAttr(branch);
    query = tensor::InsertSliceOp::create(b, loc, op.getQuery(), query, offsets,
                                          sizes, strides);
  }
  return query;
}

/// The result that `difference`, a value of a body, is yielded as, if it is
/// yielded and nothing else, up to float conversions.
static Value getYieldedResult(Value difference) {
  Value value = difference;
  while (value.hasOneUse()) {
    OpOperand &use = *value.getUses().begin();
    if (isa<arith::TruncFOp, arith::ExtFOp>(use.getOwner())) {
      value = use.getOwner()->getResult(0);
      continue;
    }
    if (!isa<linalg::YieldOp>(use.getOwner()))
      return {};
    return use.getOwner()->getParentOp()->getResult(use.getOperandNumber());
  }
  return {};
}

/// The loops' layout as seen by `result`.
static Layout permuteLoops(Value result, const Layout &loops) {
  auto op = result.getDefiningOp<linalg::LinalgOp>();
  unsigned number = cast<OpResult>(result).getResultNumber();
  Layout layout;
  for (AffineExpr index :
       op.getMatchingIndexingMap(op.getDpsInitOperand(number)).getResults())
    layout.push_back(loops[cast<AffineDimExpr>(index).getPosition()]);
  return layout;
}

/// As early as the operands of the fused op allow, so that it dominates the
/// users of the log-sum-exp.
static void setInsertionPoint(RewriterBase &rewriter, Operation *root,
                              const PairMatch &match) {
  AttentionOp attention = match.attention, noise = match.noise;
  Operation *latest = attention;
  for (Operation *def : {noise.getOperation(), match.lambda.getDefiningOp()}) {
    if (!def)
      continue;
    if (def->getBlock() != latest->getBlock()) {
      rewriter.setInsertionPoint(root);
      return;
    }
    if (latest->isBeforeInBlock(def))
      latest = def;
  }
  rewriter.setInsertionPointAfter(latest);
}

/// Feeds `tensor`, indexed by all loops of the structured op around
/// `difference`, into its body in place of `difference`.
static void replaceInBody(RewriterBase &rewriter, Value difference,
                          Value tensor) {
  auto op = cast<linalg::GenericOp>(difference.getDefiningOp()->getParentOp());
  SmallVector<Value> inputs(op.getInputs());
  SmallVector<AffineMap> maps = op.getIndexingMapsArray();
  maps.insert(maps.begin() + inputs.size(),
              rewriter.getMultiDimIdentityMap(op.getNumLoops()));
  unsigned number = inputs.size();
  inputs.push_back(tensor);
  auto generic = linalg::GenericOp::create(
      rewriter, op.getLoc(), op.getResultTypes(), inputs, op.getOutputs(), maps,
      op.getIteratorTypesArray());
  rewriter.inlineRegionBefore(op.getRegion(), generic.getRegion(),
                              generic.getRegion().begin());
  BlockArgument argument = generic.getBody()->insertArgument(
      number, difference.getType(), difference.getLoc());
  rewriter.replaceAllUsesWith(difference, argument);
  rewriter.replaceOp(op, generic);
}

AttentionOp mlir::diffattn::fusePair(RewriterBase &rewriter,
                                     const IndexVars &vars,
                                     const PairMatch &match) {
  OpBuilder::InsertionGuard guard(rewriter);
  AttentionOp plain = match.attention;
  Value difference = match.difference;
  Location loc = difference.getLoc();
  bool isInBody = !isa<RankedTensorType>(difference.getType());
  Operation *root = difference.getDefiningOp();
  if (isInBody)
    root = root->getParentOp();
  setInsertionPoint(rewriter, root, match);
  Value result = isInBody ? getYieldedResult(difference) : difference;

  Value query = getPairedQuery(rewriter, loc, match);
  Value lambda = rearrange(rewriter, loc, vars, match.lambda,
                           match.lambdaLayout, match.lambdaTarget);
  SmallVector<OpFoldResult> shape = tensor::getMixedSizes(rewriter, loc, query);
  int64_t numHeads = plain.getNumQueryHeads();
  shape[2] = rewriter.getIndexAttr(match.noise ? numHeads : numHeads / 2);
  shape[3] = rewriter.getIndexAttr(plain.getValueDim());
  Type element =
      getElementTypeOrSelf(result ? result.getType() : difference.getType());
  Value init = tensor::EmptyOp::create(rewriter, loc, shape, element);
  auto fused = AttentionOp::create(
      rewriter, loc, query, plain.getKey(), plain.getValue(), lambda, init,
      plain.getLseInit(), Value(), plain.getMaskAttr(), plain.getScaleAttr(),
      plain.getSoftcapAttr(), plain.getScheduleAttr());
  if (Value lse = plain.getLse())
    rewriter.replaceAllUsesWith(lse, fused.getLse());

  Layout layout = match.resultLayout;
  if (isInBody && result)
    layout = permuteLoops(result, layout);
  rewriter.setInsertionPoint(root);
  Value output = rearrange(rewriter, loc, vars, fused.getOutput(),
                           match.outputTarget, layout);
  if (!result) {
    replaceInBody(rewriter, difference, output);
    return fused;
  }
  if (output.getType() != result.getType())
    output = tensor::CastOp::create(rewriter, loc, result.getType(), output);
  rewriter.replaceAllUsesWith(result, output);
  return fused;
}
