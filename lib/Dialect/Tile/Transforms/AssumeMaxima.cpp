//===- AssumeMaxima.cpp - Exponents before the maximum of their row -------===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A lazily rescaled softmax still computes the maximum of every row and block
// of keys, to find that nearly none of them has to move. What it needs to know
// is less: whether any exponent exceeds the maximum that the loop carries by
// more than the bound. So exponents are taken relative to the carried maximum,
// at once, and all goes on from them; meanwhile each thread looks at those that
// it holds, and lanes need not exchange anything but a vote. Where the vote
// says so, a branch at the end finds the maxima and does it all again.
//
//===----------------------------------------------------------------------===//

#include "diffattn/Dialect/Tile/IR/Tile.h"
#include "diffattn/Dialect/Tile/Transforms/Passes.h"

#include "mlir/Analysis/SliceAnalysis.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/Matchers.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

namespace mlir::diffattn::tile {
#define GEN_PASS_DEF_ASSUMEMAXIMAPASS
#include "diffattn/Dialect/Tile/Transforms/Passes.h.inc"
} // namespace mlir::diffattn::tile

using namespace mlir;
using namespace mlir::diffattn::tile;

namespace {

/// What `diffattn-tile-lazy-rescale` leaves of a maximum that a loop carries.
struct LazyMaximum {
  WarpAnyOp any;
  /// The maximum so far, and what follows it.
  Value old, kept;
  /// How far a row may get ahead.
  FloatAttr bound;
  /// `old - kept` and `s - kept`, with finite numbers in place of -inf.
  math::Exp2Op factor;
  arith::SubFOp exponents;
  /// Of rows in tiles.
  int64_t dim;
  /// What is computed from the two, in order.
  SmallVector<Operation *> dependents;
};

} // namespace

static FloatAttr getSplat(Value value) {
  SplatElementsAttr splat;
  if (!matchPattern(value, m_Constant(&splat)))
    return {};
  return dyn_cast<FloatAttr>(splat.getSplatValue<Attribute>());
}

/// Whether `rows` holds the maxima of the rows of `tile`, along `dim`: of the
/// tile itself, or of what it is a positive multiple of.
static bool isRowMaximum(Value rows, Value tile, int64_t dim) {
  if (auto reduction = rows.getDefiningOp<ReduceOp>())
    return reduction.getKind() == ReduceKind::Max &&
           static_cast<int64_t>(reduction.getDim()) == dim &&
           reduction.getSource() == tile;
  auto scaledRows = rows.getDefiningOp<arith::MulFOp>();
  auto scaledTile = tile.getDefiningOp<arith::MulFOp>();
  if (!scaledRows || !scaledTile)
    return false;
  FloatAttr factor = getSplat(scaledRows.getRhs());
  return factor && factor == getSplat(scaledTile.getRhs()) &&
         !factor.getValue().isNegative() &&
         isRowMaximum(scaledRows.getLhs(), scaledTile.getLhs(), dim);
}

/// `select(rows == -inf, 0, rows)`, if that is all that reads `rows` but for a
/// terminator.
static arith::SelectOp getGuard(Value rows) {
  arith::SelectOp guard;
  for (Operation *user : rows.getUsers()) {
    if (auto isNone = dyn_cast<arith::CmpFOp>(user)) {
      if (isNone.getPredicate() != arith::CmpFPredicate::OEQ ||
          !matchPattern(isNone.getRhs(), m_NegInfFloat()))
        return {};
      continue;
    }
    if (isa<scf::YieldOp>(user))
      continue;
    auto select = dyn_cast<arith::SelectOp>(user);
    if (!select || guard || select.getFalseValue() != rows ||
        !matchPattern(select.getTrueValue(), m_AnyZeroFloat()))
      return {};
    guard = select;
  }
  return guard;
}

/// What follows from exponents and factor up to the next product, which stays
/// where it is. Branches among it must be those of the vote.
static bool collectDependents(LazyMaximum &maximum, scf::ForOp loop) {
  SetVector<Operation *> slice;
  ForwardSliceOptions options;
  options.filter = [&](Operation *op) {
    return op->getBlock() == loop.getBody() && !isa<DotOp, scf::YieldOp>(op);
  };
  for (Operation *op :
       {maximum.exponents.getOperation(), maximum.factor.getOperation()})
    getForwardSlice(op, &slice, options);
  // Users in branches stand for the branch.
  for (Operation &op : loop.getBody()->without_terminator()) {
    auto branch = dyn_cast<scf::IfOp>(op);
    bool isBranch = branch && branch.getCondition() == maximum.any.getResult();
    if (!isBranch && !slice.contains(&op))
      continue;
    if (!isBranch && (op.getNumRegions() != 0 || !isMemoryEffectFree(&op)))
      return false;
    maximum.dependents.push_back(&op);
  }
  auto isDependent = [&](Operation *op) {
    return llvm::is_contained(maximum.dependents, op);
  };
  if (maximum.dependents.empty() ||
      !llvm::all_of(maximum.any->getUsers(), isDependent))
    return false;
  // What reads the results has to come after the last of them.
  Operation *last = maximum.dependents.back();
  return llvm::all_of(maximum.dependents, [&](Operation *op) {
    return llvm::all_of(op->getUsers(), [&](Operation *user) {
      Operation *ancestor = loop.getBody()->findAncestorOpInBlock(*user);
      return ancestor &&
             (isDependent(ancestor) || last->isBeforeInBlock(ancestor));
    });
  });
}

static std::optional<LazyMaximum> match(WarpAnyOp any) {
  auto moves = any.getSource().getDefiningOp<arith::CmpFOp>();
  if (!moves || moves.getPredicate() != arith::CmpFPredicate::OGT)
    return std::nullopt;
  FloatAttr bound = getSplat(moves.getRhs());
  auto growth = moves.getLhs().getDefiningOp<arith::SubFOp>();
  if (!bound || !growth)
    return std::nullopt;
  LazyMaximum maximum = {any, growth.getRhs(), {}, bound, {}, {}, 0, {}};
  auto next = growth.getLhs().getDefiningOp<arith::MaxNumFOp>();
  auto loop = dyn_cast<scf::ForOp>(any->getParentOp());
  auto carried = dyn_cast<BlockArgument>(maximum.old);
  if (!next || !loop || !carried || carried.getOwner() != loop.getBody())
    return std::nullopt;
  Value rows = next.getLhs() == maximum.old ? next.getRhs() : next.getLhs();
  for (Operation *user : moves->getUsers())
    if (auto select = dyn_cast<arith::SelectOp>(user))
      if (select.getTrueValue() == next && select.getFalseValue() == carried)
        maximum.kept = select;
  arith::SelectOp guard = maximum.kept ? getGuard(maximum.kept) : nullptr;
  if (!guard)
    return std::nullopt;
  // What is relative to the new maximum: the factor of sums, and exponents.
  for (Operation *user : guard->getUsers()) {
    if (auto drop = dyn_cast<arith::SubFOp>(user)) {
      if (drop.getLhs() != carried || !drop->hasOneUse() || maximum.factor)
        return std::nullopt;
      maximum.factor = dyn_cast<math::Exp2Op>(*drop->user_begin());
      continue;
    }
    auto columns = dyn_cast<BroadcastOp>(user);
    if (!columns || !columns->hasOneUse() || maximum.exponents)
      return std::nullopt;
    maximum.exponents = dyn_cast<arith::SubFOp>(*columns->user_begin());
    maximum.dim = columns.getDim();
  }
  if (!maximum.factor || !maximum.exponents ||
      !isRowMaximum(rows, maximum.exponents.getLhs(), maximum.dim))
    return std::nullopt;
  if (!getLayout(maximum.exponents.getType()) ||
      !collectDependents(maximum, loop))
    return std::nullopt;
  return maximum;
}

namespace {

/// Builds ops on rows and tiles of a maximum.
class Rewriter {
public:
  explicit Rewriter(LazyMaximum maximum)
      : maximum(maximum), builder(maximum.exponents),
        loc(maximum.exponents.getLoc()),
        rowType(cast<RankedTensorType>(maximum.old.getType())),
        tileType(cast<RankedTensorType>(maximum.exponents.getType())) {}

  void run();

private:
  Value createSplat(double value) {
    return arith::ConstantOp::create(
        builder, loc,
        DenseElementsAttr::get(
            rowType, builder.getFloatAttr(rowType.getElementType(), value)));
  }
  Value createIsNone(Value rows) {
    double none = -std::numeric_limits<double>::infinity();
    return arith::CmpFOp::create(builder, loc, arith::CmpFPredicate::OEQ, rows,
                                 createSplat(none));
  }
  Value createSelect(Value condition, Value a, Value b) {
    return arith::SelectOp::create(builder, loc, condition, a, b);
  }
  Value createColumns(Value rows, RankedTensorType type) {
    return BroadcastOp::create(builder, loc, type, rows, maximum.dim);
  }
  /// Scores, as powers of two, relative to `subtrahend`.
  Value createExponents(Value subtrahend);
  /// Moves maxima that `exponents`, relative to `guarded`, exceed, and computes
  /// again what depends on them: `results`, and the maxima.
  void createOtherwise(Value exponents, Value guarded, Value isNone,
                       ArrayRef<Value> results);
  /// Takes `exponents` for granted.
  void assume(Value exponents);

  LazyMaximum maximum;
  OpBuilder builder;
  Location loc;
  RankedTensorType rowType, tileType;
};

} // namespace

void Rewriter::createOtherwise(Value exponents, Value guarded, Value isNone,
                               ArrayRef<Value> results) {
  Value rows = ReduceOp::create(builder, loc, rowType, ReduceKind::Max,
                                exponents, maximum.dim);
  Value bound = createSplat(maximum.bound.getValueAsDouble());
  Value isFar = arith::CmpFOp::create(builder, loc, arith::CmpFPredicate::OGT,
                                      rows, bound);
  Value moves = arith::OrIOp::create(builder, loc, isFar, isNone);
  // A row without keys in this block either keeps its -inf: 0 + -inf.
  Value top = arith::AddFOp::create(builder, loc, guarded, rows);
  Value kept = createSelect(moves, top, maximum.old);
  Value finite = createSelect(createIsNone(kept), createSplat(0), kept);
  Value drop = arith::SubFOp::create(builder, loc, maximum.old, finite);
  Value factor = math::Exp2Op::create(builder, loc, drop);
  Value shift = arith::SubFOp::create(builder, loc, finite, guarded);
  Value shifted = arith::SubFOp::create(builder, loc, exponents,
                                        createColumns(shift, tileType));
  IRMapping mapping;
  mapping.map(maximum.exponents.getResult(), shifted);
  mapping.map(maximum.factor.getResult(), factor);
  for (Operation *op : maximum.dependents) {
    auto branch = dyn_cast<scf::IfOp>(op);
    if (!branch) {
      builder.clone(*op, mapping);
      continue;
    }
    for (Operation &inner : branch.thenBlock()->without_terminator())
      builder.clone(inner, mapping);
    for (auto [result, value] :
         llvm::zip_equal(branch.getResults(), branch.thenYield().getOperands()))
      mapping.map(result, mapping.lookupOrDefault(value));
  }
  SmallVector<Value> yielded;
  for (Value result : results)
    yielded.push_back(mapping.lookup(result));
  yielded.push_back(kept);
  scf::YieldOp::create(builder, loc, yielded);
}

void Rewriter::assume(Value exponents) {
  maximum.exponents.getResult().replaceAllUsesWith(exponents);
  // The factor is 1.
  for (Operation *user :
       llvm::make_early_inc_range(maximum.factor->getUsers())) {
    auto columns = dyn_cast<BroadcastOp>(user);
    if (!columns)
      continue;
    for (Operation *product : llvm::make_early_inc_range(columns->getUsers()))
      if (auto scaling = dyn_cast<arith::MulFOp>(product))
        scaling.getResult().replaceAllUsesWith(
            scaling.getLhs() == columns.getResult() ? scaling.getRhs()
                                                    : scaling.getLhs());
  }
  builder.setInsertionPoint(maximum.dependents.front());
  maximum.factor.getResult().replaceAllUsesWith(createSplat(1));
}

Value Rewriter::createExponents(Value subtrahend) {
  Value scores = maximum.exponents.getLhs();
  auto fastmath = maximum.exponents.getFastmathAttr();
  auto scaled = scores.getDefiningOp<arith::MulFOp>();
  // Masked at last: product and difference are one instruction.
  SmallVector<MaskOp> masks;
  for (Value source = scaled ? scaled.getLhs() : Value(); source;) {
    auto mask = source.getDefiningOp<MaskOp>();
    if (!mask || !mask.getFill().isInfinity() || !mask.getFill().isNegative())
      break;
    masks.push_back(mask);
    source = mask.getSource();
  }
  if (!masks.empty())
    scores = arith::MulFOp::create(builder, loc, masks.back().getSource(),
                                   scaled.getRhs(), scaled.getFastmathAttr());
  Value exponents =
      arith::SubFOp::create(builder, loc, scores, subtrahend, fastmath);
  for (MaskOp mask : llvm::reverse(masks)) {
    IRMapping mapping;
    mapping.map(mask.getSource(), exponents);
    exponents = builder.clone(*mask, mapping)->getResult(0);
  }
  return exponents;
}

void Rewriter::run() {
  Value isNone = createIsNone(maximum.old);
  Value guarded = createSelect(isNone, createSplat(0), maximum.old);
  Value exponents = createExponents(createColumns(guarded, tileType));
  // All exceed the limit of a row that has no maximum.
  Value bound = createSplat(maximum.bound.getValueAsDouble());
  Value limit = createSelect(isNone, createSplat(-1), bound);
  RankedTensorType partType =
      ThreadReduceOp::getResultType(tileType, maximum.dim);
  Value part = ThreadReduceOp::create(
      builder, loc, partType, ReduceKind::MaxZero, exponents, maximum.dim);
  Value exceeds = arith::CmpFOp::create(builder, loc, arith::CmpFPredicate::OGT,
                                        part, createColumns(limit, partType));
  Value any = WarpAnyOp::create(builder, loc, builder.getI1Type(), exceeds);

  // What others read of all that depends on the exponents.
  SmallVector<Value> results;
  auto isOutside = [&](OpOperand &use) {
    Operation *op =
        maximum.any->getBlock()->findAncestorOpInBlock(*use.getOwner());
    return !llvm::is_contained(maximum.dependents, op);
  };
  for (Operation *op : maximum.dependents)
    for (Value result : op->getResults())
      if (llvm::any_of(result.getUses(), isOutside))
        results.push_back(result);
  SmallVector<Type> types(ValueRange(results).getTypes());
  types.push_back(rowType);
  builder.setInsertionPointAfter(maximum.dependents.back());
  auto branch = scf::IfOp::create(builder, loc, types, any,
                                  /*addThenBlock=*/true, /*addElseBlock=*/true);
  builder.setInsertionPointToEnd(branch.thenBlock());
  createOtherwise(exponents, guarded, isNone, results);
  for (auto [result, checked] :
       llvm::zip_equal(results, branch.getResults().drop_back()))
    result.replaceUsesWithIf(checked, [&](OpOperand &use) {
      return isOutside(use) && use.getOwner()->getParentOp() != branch;
    });
  maximum.kept.replaceUsesWithIf(
      branch.getResults().back(),
      [&](OpOperand &use) { return isa<scf::YieldOp>(use.getOwner()); });
  builder.setInsertionPointToEnd(branch.elseBlock());
  SmallVector<Value> yielded(results);
  yielded.push_back(maximum.old);
  scf::YieldOp::create(builder, loc, yielded);

  assume(exponents);
  for (Operation *op : maximum.dependents)
    if (auto unmoved = dyn_cast<scf::IfOp>(op))
      for (auto [result, value] : llvm::zip_equal(
               unmoved.getResults(), unmoved.elseYield().getOperands()))
        result.replaceAllUsesWith(value);
}

namespace {
struct AssumeMaximaPass
    : diffattn::tile::impl::AssumeMaximaPassBase<AssumeMaximaPass> {
  void runOnOperation() override {
    SmallVector<WarpAnyOp> votes;
    getOperation().walk([&](WarpAnyOp any) { votes.push_back(any); });
    for (WarpAnyOp any : votes)
      if (std::optional<LazyMaximum> maximum = match(any))
        Rewriter(*maximum).run();
  }
};
} // namespace
