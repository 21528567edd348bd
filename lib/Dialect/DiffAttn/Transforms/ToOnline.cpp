//===- ToOnline.cpp - attention to online_attention + finalize ------------===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The head dimension of query, lambda and outputs is split into (KV head, pair
// in group, branch), views that cost nothing, and the operator becomes one
// online step over all keys and one epilogue.
//
//===----------------------------------------------------------------------===//

#include "diffattn/Dialect/DiffAttn/Transforms/Passes.h"

#include "diffattn/Dialect/DiffAttn/IR/DiffAttn.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include <cmath>

namespace mlir::diffattn {
#define GEN_PASS_DEF_TOONLINEPASS
#include "diffattn/Dialect/DiffAttn/Transforms/Passes.h.inc"
} // namespace mlir::diffattn

using namespace mlir;
using namespace mlir::diffattn;

namespace {
/// Splits dimension `dim` of a tensor into `parts` (all static).
struct HeadView {
  unsigned dim;
  SmallVector<int64_t> parts;

  SmallVector<ReassociationIndices> reassociation(int64_t rank) const {
    SmallVector<ReassociationIndices> groups;
    int64_t next = 0;
    for (int64_t i = 0; i < rank; ++i) {
      ReassociationIndices group;
      for (int64_t j = 0, e = i == dim ? parts.size() : 1; j < e; ++j)
        group.push_back(next++);
      groups.push_back(group);
    }
    return groups;
  }

  Value expand(OpBuilder &b, Location loc, Value source) const {
    if (!source)
      return {};
    auto type = cast<RankedTensorType>(source.getType());
    SmallVector<int64_t> shape;
    SmallVector<OpFoldResult> sizes;
    for (int64_t i = 0; i < type.getRank(); ++i) {
      if (i != dim) {
        shape.push_back(type.getDimSize(i));
        sizes.push_back(tensor::getMixedSize(b, loc, source, i));
        continue;
      }
      for (int64_t part : parts) {
        shape.push_back(part);
        sizes.push_back(b.getIndexAttr(part));
      }
    }
    return tensor::ExpandShapeOp::create(
        b, loc, RankedTensorType::get(shape, type.getElementType()), source,
        reassociation(type.getRank()), sizes);
  }

  Value collapse(OpBuilder &b, Location loc, Value view, Type type) const {
    return tensor::CollapseShapeOp::create(
        b, loc, type, view,
        reassociation(cast<RankedTensorType>(type).getRank()));
  }
};
} // namespace

/// A tensor of `shape` filled with `value`.
static Value createFilled(OpBuilder &b, Location loc,
                          ArrayRef<OpFoldResult> shape, double value) {
  Value empty = tensor::EmptyOp::create(b, loc, shape, b.getF32Type());
  Value scalar = arith::ConstantOp::create(b, loc, b.getF32FloatAttr(value));
  return linalg::FillOp::create(b, loc, scalar, empty).getResult(0);
}

static void convert(AttentionOp op, RewriterBase &rewriter) {
  Location loc = op.getLoc();
  rewriter.setInsertionPoint(op);
  int64_t groups = op.getNumKVHeads(), pairs = op.getPairsPerGroup();
  HeadView queryHeads{2, {groups, pairs, op.getNumBranches()}};
  HeadView outputHeads{2, {groups, pairs}};
  HeadView lseHeads{1, {groups, pairs, op.getNumBranches()}};

  Value query = queryHeads.expand(rewriter, loc, op.getQuery());
  SmallVector<OpFoldResult> rowShape =
      tensor::getMixedSizes(rewriter, loc, query);
  SmallVector<OpFoldResult> accShape = rowShape;
  accShape.back() = rewriter.getIndexAttr(op.getValueDim());
  rowShape.pop_back();
  SmallVector<Value> inits = {createFilled(rewriter, loc, accShape, 0.0),
                              createFilled(rewriter, loc, rowShape, -INFINITY),
                              createFilled(rewriter, loc, rowShape, 0.0)};

  Value zero = arith::ConstantIndexOp::create(rewriter, loc, 0);
  auto length = [&](Value source) {
    return getValueOrCreateConstantIndexOp(
        rewriter, loc, tensor::getMixedSize(rewriter, loc, source, 1));
  };
  Value queryLength = length(op.getQuery()), keyLength = length(op.getKey());
  auto online = OnlineAttentionOp::create(
      rewriter, loc, query, op.getKey(), op.getValue(), inits[0], inits[1],
      inits[2], zero, queryLength, zero, keyLength,
      rewriter.getF64FloatAttr(op.getEffectiveScale()), op.getSoftcapAttr(),
      op.getMaskAttr(), OnlineAttentionOp::getDefaultMaps(rewriter),
      op.getScheduleAttr());

  Value output = outputHeads.expand(rewriter, loc, op.getOutputInit());
  Value lse = lseHeads.expand(rewriter, loc, op.getLseInit());
  Value noise = outputHeads.expand(rewriter, loc, op.getNoiseInit());
  SmallVector<Type> types;
  for (Value init : {output, lse, noise})
    if (init)
      types.push_back(init.getType());
  auto finalize = FinalizeOp::create(
      rewriter, loc, types, online.getAccResult(), online.getMaxResult(),
      online.getSumResult(), outputHeads.expand(rewriter, loc, op.getLambda()),
      output, lse, noise, zero, queryLength, keyLength, op.getMaskAttr(),
      FinalizeOp::getDefaultMaps(rewriter), op.getScheduleAttr());

  SmallVector<Value> results;
  for (auto [from, to] :
       llvm::zip_equal(op.getResults(), finalize.getResults())) {
    const HeadView &view = from == op.getLse() ? lseHeads : outputHeads;
    results.push_back(view.collapse(rewriter, loc, to, from.getType()));
  }
  rewriter.replaceOp(op, results);
}

namespace {
struct ToOnlinePass : diffattn::impl::ToOnlinePassBase<ToOnlinePass> {
  void runOnOperation() override {
    SmallVector<AttentionOp> ops;
    getOperation().walk([&](AttentionOp op) { ops.push_back(op); });
    IRRewriter rewriter(&getContext());
    for (AttentionOp op : ops)
      convert(op, rewriter);
  }
};
} // namespace
