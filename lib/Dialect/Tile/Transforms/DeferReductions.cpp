//===- DeferReductions.cpp - Sums across threads after the loop -----------===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
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
#define GEN_PASS_DEF_DEFERREDUCTIONSPASS
#include "diffattn/Dialect/Tile/Transforms/Passes.h.inc"
} // namespace mlir::diffattn::tile

using namespace mlir;
using namespace mlir::diffattn::tile;

namespace {
/// A sum that a loop carries: `sum` is `factor * carried + reduction`.
struct CarriedSum {
  unsigned index;
  ReduceOp reduction;
  /// `mulf` and `addf`, or one op of the two.
  SmallVector<Operation *, 2> update;
  /// Null if there is none.
  Value factor;
};
} // namespace

/// What `thread_reduce` makes of `source` along `dim`. Null without a layout,
/// or if a thread holds all along the dimension: then nothing is left to defer.
static RankedTensorType getPartialType(RankedTensorType source, int64_t dim) {
  FragmentAttr layout = getLayout(source);
  if (!layout || layout.isThreadLocal(dim))
    return {};
  return ThreadReduceOp::getResultType(source, dim);
}

/// The reduction if `value` is a sum across threads, made in `block`.
static ReduceOp getReduction(Value value, Block *block) {
  auto reduction = value.getDefiningOp<ReduceOp>();
  return reduction && reduction.getKind() == ReduceKind::Add &&
                 reduction->getBlock() == block
             ? reduction
             : ReduceOp();
}

/// The other one of two operands; null if neither is `value`.
static Value getOther(Value a, Value b, Value value) {
  return a == value ? b : b == value ? a : Value();
}

/// Matches what becomes of carried value `index`: nothing else may read it.
static std::optional<CarriedSum> matchSum(scf::ForOp loop, unsigned index) {
  Value carried = loop.getRegionIterArgs()[index];
  Value yielded = loop.getYieldedValues()[index];
  Operation *last = yielded.getDefiningOp();
  if (!last || !yielded.hasOneUse() || !carried.hasOneUse() ||
      last->getBlock() != loop.getBody())
    return std::nullopt;
  CarriedSum sum = {index, {}, {last}, {}};
  if (auto fma = dyn_cast<math::FmaOp>(last)) {
    sum.factor = getOther(fma.getA(), fma.getB(), carried);
    sum.reduction = getReduction(fma.getC(), loop.getBody());
    if (!sum.factor)
      return std::nullopt;
  } else if (auto add = dyn_cast<arith::AddFOp>(last)) {
    Value other = add.getLhs();
    sum.reduction = getReduction(add.getRhs(), loop.getBody());
    if (!sum.reduction) {
      other = add.getRhs();
      sum.reduction = getReduction(add.getLhs(), loop.getBody());
    }
    if (auto scaled = other.getDefiningOp<arith::MulFOp>()) {
      sum.factor = getOther(scaled.getLhs(), scaled.getRhs(), carried);
      sum.update = {scaled, last};
      if (!sum.factor || !scaled->hasOneUse())
        return std::nullopt;
    } else if (other != carried) {
      return std::nullopt;
    }
  }
  if (!sum.reduction || sum.factor == carried)
    return std::nullopt;
  return sum;
}

/// The parts that `init`, an initial value, is the sum of; null if unknown.
static Value createParts(OpBuilder &builder, Value init, int64_t dim,
                         RankedTensorType type) {
  Location loc = init.getLoc();
  if (init.getDefiningOp())
    builder.setInsertionPoint(init.getDefiningOp());
  if (matchPattern(init, m_AnyZeroFloat()))
    return arith::ConstantOp::create(builder, loc, builder.getZeroAttr(type));
  // Of an iteration that was taken out of the loop.
  if (auto add = init.getDefiningOp<arith::AddFOp>()) {
    Value lhs = createParts(builder, add.getLhs(), dim, type);
    Value rhs = lhs ? createParts(builder, add.getRhs(), dim, type) : Value();
    if (!rhs)
      return {};
    builder.setInsertionPoint(add);
    return arith::AddFOp::create(builder, loc, lhs, rhs);
  }
  if (auto mul = init.getDefiningOp<arith::MulFOp>()) {
    Value factor = mul.getLhs(), sum = mul.getRhs();
    Value parts = createParts(builder, sum, dim, type);
    if (!parts) {
      std::swap(factor, sum);
      parts = createParts(builder, sum, dim, type);
    }
    if (!parts)
      return {};
    builder.setInsertionPoint(mul);
    Value all = BroadcastOp::create(builder, loc, type, factor, dim);
    return arith::MulFOp::create(builder, loc, all, parts);
  }
  auto reduction = init.getDefiningOp<ReduceOp>();
  if (!reduction || reduction.getKind() != ReduceKind::Add ||
      static_cast<int64_t>(reduction.getDim()) != dim)
    return {};
  // Of a loop before, whose sum was deferred.
  if (reduction.getSource().getType() == type)
    return reduction.getSource();
  if (getPartialType(reduction.getSource().getType(), dim) != type)
    return {};
  builder.setInsertionPoint(reduction);
  return ThreadReduceOp::create(builder, loc, type, ReduceKind::Add,
                                reduction.getSource(), dim);
}

static void defer(scf::ForOp loop, CarriedSum sum) {
  ReduceOp reduction = sum.reduction;
  Location loc = reduction.getLoc();
  int64_t dim = reduction.getDim();
  RankedTensorType rows = reduction.getResult().getType();
  RankedTensorType type = getPartialType(reduction.getSource().getType(), dim);
  if (!type)
    return;
  OpBuilder builder(loop);
  Value init = loop.getInitArgs()[sum.index];
  Value parts = createParts(builder, init, dim, type);
  if (!parts) {
    remark::missed(loop.getLoc(),
                   remark::RemarkOpts::name("DeferReductions")
                       .category("diffattn-tile-defer-reductions"))
        << remark::reason("a carried sum starts neither from zero nor from a "
                          "sum along the same dimension");
    return;
  }

  builder.setInsertionPoint(reduction);
  Value part = ThreadReduceOp::create(builder, loc, type, ReduceKind::Add,
                                      reduction.getSource(), dim);
  Value factor = sum.factor;
  if (factor) {
    builder.setInsertionPoint(sum.update.front());
    factor = BroadcastOp::create(builder, loc, type, factor, dim);
  }
  for (Operation *op : sum.update) {
    op->replaceUsesOfWith(reduction.getResult(), part);
    if (factor && op == sum.update.front())
      op->replaceUsesOfWith(sum.factor, factor);
    op->getResult(0).setType(type);
  }
  loop.getInitArgsMutable()[sum.index].set(parts);
  loop.getRegionIterArgs()[sum.index].setType(type);
  Value result = loop.getResult(sum.index);
  result.setType(type);
  builder.setInsertionPointAfter(loop);
  auto total =
      ReduceOp::create(builder, loc, rows, ReduceKind::Add, result, dim);
  result.replaceAllUsesExcept(total.getResult(), total);

  // What the sums of threads have taken the place of.
  if (reduction->use_empty())
    reduction.erase();
  if (Operation *op = init.getDefiningOp(); op && isOpTriviallyDead(op))
    op->erase();
}

namespace {
struct DeferReductionsPass
    : diffattn::tile::impl::DeferReductionsPassBase<DeferReductionsPass> {
  void runOnOperation() override {
    SmallVector<scf::ForOp> loops;
    getOperation().walk([&](scf::ForOp loop) { loops.push_back(loop); });
    for (scf::ForOp loop : loops)
      for (unsigned i = 0; i < loop.getNumResults(); ++i)
        if (auto sum = matchSum(loop, i))
          defer(loop, *sum);
  }
};
} // namespace
