//===- PeelMasks.cpp - Iterations that no mask cuts -----------------------===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "diffattn/Dialect/Tile/IR/Tile.h"
#include "diffattn/Dialect/Tile/Transforms/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/IR/AffineExprVisitor.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/PatternMatch.h"

namespace mlir::diffattn::tile {
#define GEN_PASS_DEF_PEELMASKSPASS
#include "diffattn/Dialect/Tile/Transforms/Passes.h.inc"
} // namespace mlir::diffattn::tile

using namespace mlir;
using namespace mlir::diffattn::tile;

namespace {

/// `base + slope * iv`, base defined outside of the loop (null for zero).
struct LinearInLoop {
  Value base;
  int64_t slope = 0;
};

/// The iterations [begin, end) in which masks keep every element, as bounds on
/// the induction variable: it is at least each of `lower`, at most each of
/// `upper`.
struct UncutRange {
  SmallVector<Value> lower, upper;
};

class MaskPeeler {
public:
  explicit MaskPeeler(scf::ForOp loop) : loop(loop), builder(loop) {}
  bool run();

private:
  /// `value` as a function of the induction variable; arithmetic on the base
  /// is built before the loop.
  bool match(Value value, LinearInLoop &result);
  /// Adds what each constraint of `mask` asks of the induction variable.
  bool collectBounds(MaskOp mask, UncutRange &range);
  scf::ForOp createLoop(Value lower, Value upper, ValueRange inits,
                        ArrayRef<Operation *> masks, bool cut);

  Value createIndex(int64_t value) {
    return arith::ConstantIndexOp::create(builder, loop.getLoc(), value);
  }
  /// lower + step * floor or ceil of the distance, within the loop's bounds.
  Value alignToStep(Value value, bool up);

  scf::ForOp loop;
  OpBuilder builder;
};

} // namespace

bool MaskPeeler::match(Value value, LinearInLoop &result) {
  Location loc = loop.getLoc();
  if (value == loop.getInductionVar()) {
    result = {Value(), 1};
    return true;
  }
  if (loop.isDefinedOutsideOfLoop(value)) {
    result = {value, 0};
    return true;
  }
  Operation *op = value.getDefiningOp();
  if (!op)
    return false;
  // Constants live in the loop as well before they are hoisted.
  if (std::optional<int64_t> constant = getConstantIntValue(value)) {
    result = {createIndex(*constant), 0};
    return true;
  }
  if (!isa<arith::AddIOp, arith::SubIOp>(op))
    return false;
  LinearInLoop lhs, rhs;
  if (!match(op->getOperand(0), lhs) || !match(op->getOperand(1), rhs))
    return false;
  bool subtract = isa<arith::SubIOp>(op);
  result.slope = subtract ? lhs.slope - rhs.slope : lhs.slope + rhs.slope;
  if (!lhs.base)
    lhs.base = createIndex(0);
  if (!rhs.base)
    rhs.base = createIndex(0);
  result.base =
      subtract
          ? arith::SubIOp::create(builder, loc, lhs.base, rhs.base).getResult()
          : arith::AddIOp::create(builder, loc, lhs.base, rhs.base).getResult();
  return true;
}

/// A constraint of a mask: `least + symbol >= 0` where it holds for all
/// elements of the tile.
struct Constraint {
  int64_t least;
  /// Null if there is none.
  Value symbol;
};

static std::optional<Constraint> getConstraint(MaskOp mask, unsigned i) {
  IntegerSet set = mask.getCondition();
  SimpleAffineExprFlattener flattener(set.getNumDims(), set.getNumSymbols());
  if (failed(flattener.walkPostOrder(set.getConstraint(i))))
    return std::nullopt;
  ArrayRef<int64_t> row = flattener.operandExprStack.back();
  // The smallest value over the tile, without the symbol.
  Constraint constraint = {row.back(), Value()};
  for (auto [dim, size] :
       llvm::enumerate(mask.getSource().getType().getShape()))
    if (row[dim] < 0)
      constraint.least += row[dim] * (size - 1);
  for (auto [s, value] : llvm::enumerate(mask.getSymbols()))
    if (row[set.getNumDims() + s])
      constraint.symbol = value;
  return constraint;
}

bool MaskPeeler::collectBounds(MaskOp mask, UncutRange &range) {
  Location loc = loop.getLoc();
  for (unsigned i = 0; i < mask.getCondition().getNumConstraints(); ++i) {
    std::optional<Constraint> constraint = getConstraint(mask, i);
    LinearInLoop symbol;
    if (!constraint ||
        (constraint->symbol && !match(constraint->symbol, symbol)))
      return false;
    int64_t least = constraint->least;
    if (symbol.slope != 1 && symbol.slope != -1)
      return false;
    // least + base + slope * iv >= 0
    Value sum = createIndex(least);
    if (symbol.base)
      sum = arith::AddIOp::create(builder, loc, symbol.base, sum);
    if (symbol.slope == -1)
      range.upper.push_back(sum);
    else
      range.lower.push_back(
          arith::SubIOp::create(builder, loc, createIndex(0), sum));
  }
  return true;
}

Value MaskPeeler::alignToStep(Value value, bool up) {
  Location loc = loop.getLoc();
  Value distance =
      arith::SubIOp::create(builder, loc, value, loop.getLowerBound());
  distance = arith::MaxSIOp::create(builder, loc, distance, createIndex(0));
  if (up) {
    Value rest =
        arith::SubIOp::create(builder, loc, loop.getStep(), createIndex(1));
    distance = arith::AddIOp::create(builder, loc, distance, rest);
  }
  Value steps = arith::DivUIOp::create(builder, loc, distance, loop.getStep());
  Value aligned = arith::MulIOp::create(builder, loc, steps, loop.getStep());
  return arith::AddIOp::create(builder, loc, loop.getLowerBound(), aligned);
}

scf::ForOp MaskPeeler::createLoop(Value lower, Value upper, ValueRange inits,
                                  ArrayRef<Operation *> masks, bool cut) {
  IRMapping mapping;
  auto copy = cast<scf::ForOp>(builder.clone(*loop, mapping));
  copy.setLowerBound(lower);
  copy.setUpperBound(upper);
  copy.getInitArgsMutable().assign(inits);
  if (cut) {
    copy->setAttr(attr::cut, builder.getUnitAttr());
    return copy;
  }
  for (Operation *op : masks) {
    auto mask = cast<MaskOp>(mapping.lookup(op));
    mask.getResult().replaceAllUsesWith(mask.getSource());
    mask.erase();
  }
  return copy;
}

/// Erases the ops between `before` (null for the beginning) and `end`: of an
/// attempt that failed, used by nothing else.
static void eraseBetween(Operation *before, Operation *end) {
  while (Operation *op = end->getPrevNode()) {
    if (op == before)
      return;
    op->erase();
  }
}

bool MaskPeeler::run() {
  if (loop->hasAttr(attr::cut))
    return false;
  SmallVector<Operation *> masks;
  UncutRange range;
  for (auto mask : loop.getBody()->getOps<MaskOp>()) {
    UncutRange bounds;
    Operation *before = loop->getPrevNode();
    if (!collectBounds(mask, bounds)) {
      eraseBetween(before, loop);
      continue;
    }
    masks.push_back(mask);
    llvm::append_range(range.lower, bounds.lower);
    llvm::append_range(range.upper, bounds.upper);
  }
  if (masks.empty())
    return false;
  Location loc = loop.getLoc();
  Value begin = loop.getLowerBound(), end = loop.getUpperBound();
  // First iteration at or after all lower bounds; first one after an upper
  // bound is exceeded.
  if (!range.lower.empty()) {
    Value bound = range.lower.front();
    for (Value other : ArrayRef(range.lower).drop_front())
      bound = arith::MaxSIOp::create(builder, loc, bound, other);
    begin = arith::MinSIOp::create(builder, loc, alignToStep(bound, true), end);
  }
  Value last = end;
  if (!range.upper.empty()) {
    Value bound = range.upper.front();
    for (Value other : ArrayRef(range.upper).drop_front())
      bound = arith::MinSIOp::create(builder, loc, bound, other);
    bound = arith::AddIOp::create(builder, loc, bound, createIndex(1));
    last = arith::MinSIOp::create(builder, loc, alignToStep(bound, true), end);
  }
  last = arith::MaxSIOp::create(builder, loc, last, begin);

  ValueRange carried = loop.getInitArgs();
  scf::ForOp current;
  if (!range.lower.empty()) {
    current = createLoop(loop.getLowerBound(), begin, carried, masks, true);
    carried = current.getResults();
  }
  current = createLoop(begin, last, carried, masks, false);
  carried = current.getResults();
  if (!range.upper.empty()) {
    current = createLoop(last, end, carried, masks, true);
    carried = current.getResults();
  }
  loop.replaceAllUsesWith(carried);
  loop.erase();
  return true;
}

/// A mask outside of a loop, as of an iteration that was taken out of one,
/// applies on the condition that it cuts something.
static void applyIfCut(MaskOp mask) {
  OpBuilder builder(mask);
  Location loc = mask.getLoc();
  Value isCut;
  for (unsigned i = 0; i < mask.getCondition().getNumConstraints(); ++i) {
    std::optional<Constraint> constraint = getConstraint(mask, i);
    if (!constraint || !constraint->symbol)
      return;
    Value bound =
        arith::ConstantIndexOp::create(builder, loc, -constraint->least);
    Value cuts = arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::slt,
                                       constraint->symbol, bound);
    isCut = isCut ? arith::OrIOp::create(builder, loc, isCut, cuts).getResult()
                  : cuts;
  }
  if (!isCut)
    return;
  auto branch = scf::IfOp::create(builder, loc, mask.getResult().getType(),
                                  isCut, /*withElseRegion=*/true);
  mask.getResult().replaceAllUsesWith(branch.getResult(0));
  builder.setInsertionPointToEnd(branch.elseBlock());
  scf::YieldOp::create(builder, loc, mask.getSource());
  builder.setInsertionPointToEnd(branch.thenBlock());
  auto yield = scf::YieldOp::create(builder, loc, mask.getResult());
  mask->moveBefore(yield);
}

namespace {
struct PeelMasksPass : diffattn::tile::impl::PeelMasksPassBase<PeelMasksPass> {
  void runOnOperation() override {
    SmallVector<scf::ForOp> loops;
    getOperation().walk([&](scf::ForOp loop) { loops.push_back(loop); });
    for (scf::ForOp loop : loops)
      MaskPeeler(loop).run();
    // Where a block computes one tile, its masks are met once.
    SmallVector<MaskOp> masks;
    getOperation().walk([&](MaskOp mask) {
      if (isa<scf::WhileOp>(mask->getParentOp()))
        masks.push_back(mask);
    });
    for (MaskOp mask : masks)
      applyIfCut(mask);
  }
};
} // namespace
