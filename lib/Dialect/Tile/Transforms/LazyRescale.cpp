//===- LazyRescale.cpp - Accumulators rescaled when it matters ------------===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

//
// Online softmax multiplies its accumulators by exp2(m - new) for every block
// of keys, the largest share of its arithmetic beside exponentials. But the
// number that is subtracted from exponents cancels in the end; it only has to
// be near the maximum, so that nothing overflows. So the carried maximum stays
// while the true one grows by less than 2^8: the factor is 1, and the
// multiplication a branch that is rarely taken. After the first blocks of keys
// maxima hardly grow. (FlashAttention-4 does the same.)
//
//===----------------------------------------------------------------------===//

#include "diffattn/Dialect/Tile/IR/Tile.h"
#include "diffattn/Dialect/Tile/Transforms/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/Matchers.h"
#include "mlir/IR/Remarks.h"

namespace mlir::diffattn::tile {
#define GEN_PASS_DEF_LAZYRESCALEPASS
#include "diffattn/Dialect/Tile/Transforms/Passes.h.inc"
} // namespace mlir::diffattn::tile

using namespace mlir;
using namespace mlir::diffattn::tile;

/// How far the true maximum may get ahead, as a power of two: weights stay
/// below 256, far from the largest f16, and sums of them from the largest f32.
static constexpr float maxGrowth = 8;

namespace {
/// A maximum that a loop carries, and what is scaled when it moves.
struct CarriedMaximum {
  BlockArgument old;
  arith::MaxNumFOp next;
  /// Products of an accumulator and the broadcast factor.
  SmallVector<arith::MulFOp> scalings;
};
} // namespace

/// Whether `value` is `next`, or `next` with a finite number in place of -inf,
/// for rows that have seen no key.
static bool isOrGuards(Value value, Value next) {
  if (value == next)
    return true;
  auto select = value.getDefiningOp<arith::SelectOp>();
  auto isNone = select ? select.getCondition().getDefiningOp<arith::CmpFOp>()
                       : arith::CmpFOp();
  return isNone && isNone.getPredicate() == arith::CmpFPredicate::OEQ &&
         isNone.getLhs() == next &&
         matchPattern(isNone.getRhs(), m_NegInfFloat()) &&
         select.getFalseValue() == next;
}

/// The broadcast factor among the operands of a product.
static BroadcastOp getFactor(arith::MulFOp scaling) {
  auto factor = scaling.getLhs().getDefiningOp<BroadcastOp>();
  return factor ? factor : scaling.getRhs().getDefiningOp<BroadcastOp>();
}

static Value getScaled(arith::MulFOp scaling) {
  return scaling.getLhs() == getFactor(scaling).getResult() ? scaling.getRhs()
                                                            : scaling.getLhs();
}

/// An accumulator goes into a product, or comes out of one when the loop is a
/// pipeline.
static bool isAccumulator(arith::MulFOp scaling) {
  return getScaled(scaling).getDefiningOp<DotOp>() ||
         llvm::any_of(scaling.getResult().getUses(), [](OpOperand &use) {
           auto dot = dyn_cast<DotOp>(use.getOwner());
           return dot && use.get() == dot.getAcc();
         });
}

/// Collects the accumulators that are scaled by exp2(old - next).
static void collectScalings(CarriedMaximum &maximum) {
  for (Operation *user : maximum.old.getUsers()) {
    auto drop = dyn_cast<arith::SubFOp>(user);
    if (!drop || drop.getLhs() != maximum.old ||
        !isOrGuards(drop.getRhs(), maximum.next.getResult()))
      continue;
    for (Operation *factor : drop->getUsers()) {
      if (!isa<math::Exp2Op>(factor))
        continue;
      for (Operation *user : factor->getUsers()) {
        auto columns = dyn_cast<BroadcastOp>(user);
        if (!columns || columns.getDim() + 1 !=
                            columns.getResult().getType().getShape().size())
          continue;
        for (Operation *product : columns->getUsers())
          if (auto scaling = dyn_cast<arith::MulFOp>(product))
            if (isAccumulator(scaling))
              maximum.scalings.push_back(scaling);
      }
    }
  }
}

static SmallVector<CarriedMaximum> findMaxima(scf::ForOp loop) {
  SmallVector<CarriedMaximum> maxima;
  for (auto [old, yielded] :
       llvm::zip_equal(loop.getRegionIterArgs(), loop.getYieldedValues())) {
    auto next = yielded.getDefiningOp<arith::MaxNumFOp>();
    if (!next || next->getBlock() != loop.getBody() ||
        !isa<RankedTensorType>(next.getType()) ||
        (next.getLhs() != old && next.getRhs() != old))
      continue;
    CarriedMaximum maximum = {old, next, {}};
    collectScalings(maximum);
    if (!maximum.scalings.empty())
      maxima.push_back(std::move(maximum));
    else
      remark::missed(next.getLoc(), remark::RemarkOpts::name("LazyRescale")
                                        .category("diffattn-tile-lazy-rescale"))
          << remark::reason("no accumulator is scaled by what this maximum "
                            "grows");
  }
  return maxima;
}

/// The accumulator times the factor in warps where a row moves, as it is
/// elsewhere: there the factor is 1 for all rows, or 0 for rows that have seen
/// no key and whose accumulators are 0.
static void makeConditional(arith::MulFOp scaling, Value moves) {
  OpBuilder builder(scaling);
  Location loc = scaling.getLoc();
  BroadcastOp columns = getFactor(scaling);
  Value scaled = getScaled(scaling);
  auto branch = scf::IfOp::create(builder, loc, scaling.getType(), moves,
                                  /*addThenBlock=*/true, /*addElseBlock=*/true);
  scaling.getResult().replaceAllUsesWith(branch.getResult(0));
  builder.setInsertionPointToEnd(branch.thenBlock());
  auto factor = cast<BroadcastOp>(builder.clone(*columns));
  scaling->moveAfter(factor);
  scaling->replaceUsesOfWith(columns.getResult(), factor.getResult());
  scf::YieldOp::create(builder, loc, scaling.getResult());
  builder.setInsertionPointToEnd(branch.elseBlock());
  scf::YieldOp::create(builder, loc, scaled);
  if (columns->use_empty())
    columns.erase();
}

static void rescaleLazily(CarriedMaximum &maximum) {
  Value next = maximum.next.getResult();
  Location loc = maximum.next.getLoc();
  OpBuilder builder(maximum.next->getContext());
  builder.setInsertionPointAfter(maximum.next);
  auto type = cast<RankedTensorType>(next.getType());
  auto bound = arith::ConstantOp::create(
      builder, loc,
      DenseElementsAttr::get(
          type, builder.getFloatAttr(type.getElementType(), maxGrowth)));
  // From -inf to a number the growth is infinite, from -inf to -inf not a
  // number: neither more than the bound nor anything to scale.
  auto growth = arith::SubFOp::create(builder, loc, next, maximum.old);
  auto moves = arith::CmpFOp::create(builder, loc, arith::CmpFPredicate::OGT,
                                     growth, bound);
  auto kept = arith::SelectOp::create(builder, loc, moves, next, maximum.old);
  maximum.next.getResult().replaceUsesWithIf(
      kept.getResult(), [&](OpOperand &use) {
        return use.getOwner() != growth && use.getOwner() != kept;
      });
  Value any = WarpAnyOp::create(builder, loc, builder.getI1Type(), moves);
  for (arith::MulFOp scaling : maximum.scalings)
    makeConditional(scaling, any);
}

namespace {
struct LazyRescalePass
    : diffattn::tile::impl::LazyRescalePassBase<LazyRescalePass> {
  using LazyRescalePassBase::LazyRescalePassBase;

  void runOnOperation() override {
    getOperation().walk([&](scf::ForOp loop) {
      if (skipMasked && !loop.getBody()->getOps<MaskOp>().empty())
        return;
      for (CarriedMaximum &maximum : findMaxima(loop))
        rescaleLazily(maximum);
    });
  }
};
} // namespace
