//===- Layout.cpp - Accumulators with query rows innermost ----------------===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "diffattn/CPU/Passes.h"

#include "diffattn/Dialect/DiffAttn/IR/DiffAttn.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

namespace mlir::diffattn {
#define GEN_PASS_DEF_CPULAYOUTPASS
#include "diffattn/CPU/Passes.h.inc"
} // namespace mlir::diffattn

using namespace mlir;
using namespace mlir::diffattn;

/// The map that lists `dims` of a space of `numDims` dimensions.
static AffineMap getMap(MLIRContext *context, unsigned numDims,
                        ArrayRef<unsigned> dims) {
  SmallVector<AffineExpr> exprs;
  for (unsigned dim : dims)
    exprs.push_back(getAffineDimExpr(dim, context));
  return AffineMap::get(numDims, 0, exprs, context);
}

/// `init`, a fill laid out as `from`, with the layout `to`.
static Value relayout(RewriterBase &b, linalg::FillOp init, AffineMap from,
                      AffineMap to) {
  Location loc = init.getLoc();
  SmallVector<OpFoldResult> sizes =
      tensor::getMixedSizes(b, loc, init.getOutputs()[0]);
  SmallVector<OpFoldResult> shape;
  for (AffineExpr expr : to.getResults())
    shape.push_back(sizes[*from.getResultPosition(expr)]);
  Value empty = tensor::EmptyOp::create(b, loc, shape, b.getF32Type());
  return linalg::FillOp::create(b, loc, init.getInputs()[0], empty)
      .getResult(0);
}

static void changeLayout(OnlineAttentionOp online, FinalizeOp finalize,
                         RewriterBase &b) {
  using Online = OnlineAttentionOp;
  MLIRContext *context = b.getContext();
  AffineMap acc = getMap(
      context, Online::NumDims,
      {Online::B, Online::H, Online::N, Online::P, Online::R, Online::M});
  AffineMap row =
      getMap(context, Online::NumDims,
             {Online::B, Online::H, Online::P, Online::R, Online::M});
  SmallVector<AffineMap> maps = online.getMaps();
  SmallVector<AffineMap> target = {maps[0], maps[1], maps[2], acc, row, row};
  b.setInsertionPoint(online);
  SmallVector<Value> inits;
  for (unsigned slot : {Online::Acc, Online::Max, Online::Sum})
    inits.push_back(
        relayout(b, online->getOperand(slot).getDefiningOp<linalg::FillOp>(),
                 maps[slot], target[slot]));
  auto replacement = OnlineAttentionOp::create(
      b, online.getLoc(), online.getQuery(), online.getKey(), online.getValue(),
      inits[0], inits[1], inits[2], online.getQueryStart(),
      online.getQueryLength(), online.getKeyStart(), online.getKeyLength(),
      online.getScaleAttr(), online.getSoftcapAttr(), online.getMaskAttr(),
      b.getAffineMapArrayAttr(target), online.getScheduleAttr());

  using Fin = FinalizeOp;
  SmallVector<AffineMap> finalMaps = finalize.getMaps();
  finalMaps[Fin::Acc] = getMap(
      context, Fin::NumDims, {Fin::B, Fin::H, Fin::N, Fin::P, Fin::R, Fin::M});
  finalMaps[Fin::Max] = finalMaps[Fin::Sum] =
      getMap(context, Fin::NumDims, {Fin::B, Fin::H, Fin::P, Fin::R, Fin::M});
  b.modifyOpInPlace(finalize, [&] {
    for (auto [slot, result] : llvm::enumerate(replacement.getResults()))
      finalize->setOperand(slot, result);
    finalize.setIndexingMapsAttr(b.getAffineMapArrayAttr(finalMaps));
  });
  b.eraseOp(online);
}

namespace {
struct CPULayoutPass : diffattn::impl::CPULayoutPassBase<CPULayoutPass> {
  void runOnOperation() override {
    IRRewriter rewriter(&getContext());
    SmallVector<FinalizeOp> ops;
    getOperation().walk([&](FinalizeOp op) { ops.push_back(op); });
    for (FinalizeOp op : ops) {
      auto online = op.getAcc().getDefiningOp<OnlineAttentionOp>();
      auto isOwnUser = [&](Operation *user) { return user == op; };
      auto isFill = [](Value init) {
        return static_cast<bool>(init.getDefiningOp<linalg::FillOp>());
      };
      if (online && op.getAcc() == online.getAccResult() &&
          op.getMax() == online.getMaxResult() &&
          op.getSum() == online.getSumResult() &&
          llvm::all_of(online->getUsers(), isOwnUser) &&
          llvm::all_of(online.getDpsInits(), isFill))
        changeLayout(online, op, rewriter);
    }
  }
};
} // namespace
