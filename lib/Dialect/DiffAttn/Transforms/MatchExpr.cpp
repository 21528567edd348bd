//===- MatchExpr.cpp - One element of a tensor, as an expression ----------===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "MatchExpr.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"
#include "mlir/Interfaces/ValueBoundsOpInterface.h"
#include "llvm/ADT/TypeSwitch.h"
#include <cmath>

using namespace mlir;
using namespace mlir::diffattn;

/// Recursion through expressions stops here: real ones are far shallower.
static constexpr unsigned maxDepth = 64;

bool Tracer::spend() {
  if (budget == 0)
    return false;
  --budget;
  return true;
}

Expr Tracer::element(Value tensor) {
  Expr e{tensor, {}};
  for (int64_t extent : cast<RankedTensorType>(tensor.getType()).getShape())
    e.at.push_back(vars.create(extent));
  return e;
}

//===----------------------------------------------------------------------===//
// Steps
//===----------------------------------------------------------------------===//

/// The structured op whose body holds `value` or owns it as an argument.
static linalg::LinalgOp getEnclosingOp(Value value) {
  Operation *parent = value.getParentBlock()->getParentOp();
  return dyn_cast_or_null<linalg::LinalgOp>(parent);
}

/// The loops of `op` under which its result with the map `map` is written at
/// `at`, where that determines all parallel loops; reduction loops are null.
static std::optional<SmallVector<AffineExpr, 4>>
getLoops(linalg::LinalgOp op, AffineMap map, ArrayRef<AffineExpr> at) {
  SmallVector<AffineExpr, 4> loops(op.getNumLoops());
  for (auto [result, index] : llvm::zip_equal(map.getResults(), at)) {
    if (isa<AffineConstantExpr>(result)) // a kept reduction dimension of size 1
      continue;
    auto dim = dyn_cast<AffineDimExpr>(result);
    if (!dim || loops[dim.getPosition()])
      return std::nullopt;
    loops[dim.getPosition()] = index;
  }
  for (auto [loop, kind] : llvm::zip_equal(loops, op.getIteratorTypesArray()))
    if ((kind == utils::IteratorType::parallel) != static_cast<bool>(loop))
      return std::nullopt;
  return loops;
}

/// Whether one step may go from a result of `op` into its body.
static bool isElementwise(linalg::LinalgOp op) {
  return op.hasPureTensorSemantics() && op.getNumReductionLoops() == 0;
}

static Expr accessOperand(const IndexVars &vars, linalg::LinalgOp op,
                          OpOperand &operand, ArrayRef<AffineExpr> loops) {
  if (!isa<RankedTensorType>(operand.get().getType()))
    return {operand.get(), {}};
  Expr e{operand.get(), {}};
  for (AffineExpr index : op.getMatchingIndexingMap(&operand).getResults())
    e.at.push_back(vars.simplify(index.replaceDims(loops)));
  return e;
}

static Expr stepCollapse(const IndexVars &vars, tensor::CollapseShapeOp op,
                         ArrayRef<AffineExpr> at) {
  auto source = cast<RankedTensorType>(op.getSrc().getType());
  Expr e{op.getSrc(), {}};
  e.at.resize(source.getRank());
  for (auto [group, index] :
       llvm::zip_equal(op.getReassociationIndices(), at)) {
    AffineExpr rest = index;
    for (unsigned i = group.size(); i-- > 0;) {
      int64_t dim = group[i], size = source.getDimSize(dim);
      if (i == 0) {
        e.at[dim] = vars.simplify(rest);
        break;
      }
      if (ShapedType::isDynamic(size) || size == 0)
        return {};
      e.at[dim] = vars.simplify(rest % size);
      rest = rest.floorDiv(size);
    }
  }
  // A source of rank more than 0 collapsed to a scalar has only unit dims.
  for (AffineExpr &index : e.at)
    if (!index)
      index = getAffineConstantExpr(0, vars.getContext());
  return e;
}

static Expr stepExpand(const IndexVars &vars, tensor::ExpandShapeOp op,
                       ArrayRef<AffineExpr> at) {
  auto result = cast<RankedTensorType>(op.getResult().getType());
  Expr e{op.getSrc(), {}};
  for (const ReassociationIndices &group : op.getReassociationIndices()) {
    AffineExpr index = at[group.front()];
    for (int64_t dim : ArrayRef(group).drop_front()) {
      int64_t size = result.getDimSize(dim);
      if (ShapedType::isDynamic(size))
        return {};
      index = index * size + at[dim];
    }
    e.at.push_back(vars.simplify(index));
  }
  return e;
}

/// Slices shift and stretch the index. A dynamic dimension has to be taken
/// whole: nothing would tell a later check how much of it is covered.
static Expr stepSlice(const IndexVars &vars, tensor::ExtractSliceOp op,
                      ArrayRef<AffineExpr> at) {
  llvm::SmallBitVector dropped = op.getDroppedDims();
  RankedTensorType source = op.getSourceType();
  Expr e{op.getSource(), {}};
  unsigned next = 0;
  for (int64_t dim = 0; dim < source.getRank(); ++dim) {
    int64_t offset = op.getStaticOffsets()[dim];
    int64_t stride = op.getStaticStrides()[dim];
    if (ShapedType::isDynamic(offset) || ShapedType::isDynamic(stride))
      return {};
    AffineExpr index = dropped.test(dim)
                           ? getAffineConstantExpr(0, vars.getContext())
                           : at[next++];
    if (source.isDynamicDim(dim)) {
      FailureOr<bool> isWhole = ValueBoundsConstraintSet::areEqual(
          op.getMixedSizes()[dim],
          ValueBoundsConstraintSet::Variable(op.getSource(), dim));
      if (offset != 0 || stride != 1 || failed(isWhole) || !*isWhole)
        return {};
    }
    e.at.push_back(vars.simplify(index * stride + offset));
  }
  return e;
}

Expr Tracer::stepTensor(const Expr &e, Operation *def) {
  if (auto op = dyn_cast<tensor::CollapseShapeOp>(def))
    return stepCollapse(vars, op, e.at);
  if (auto op = dyn_cast<tensor::ExpandShapeOp>(def))
    return stepExpand(vars, op, e.at);
  if (auto op = dyn_cast<tensor::ExtractSliceOp>(def))
    return stepSlice(vars, op, e.at);
  if (auto op = dyn_cast<tensor::CastOp>(def)) {
    auto source = dyn_cast<RankedTensorType>(op.getSource().getType());
    return source ? Expr{op.getSource(), e.at} : Expr();
  }
  if (auto op = dyn_cast<tensor::SplatOp>(def))
    return {op.getInput(), {}};
  auto op = dyn_cast<linalg::LinalgOp>(def);
  if (!op || !isElementwise(op))
    return {};
  unsigned number = cast<OpResult>(e.value).getResultNumber();
  OpOperand *init = op.getDpsInitOperand(number);
  std::optional<SmallVector<AffineExpr, 4>> loops =
      getLoops(op, op.getMatchingIndexingMap(init), e.at);
  if (!loops)
    return {};
  return {op.getBlock()->getTerminator()->getOperand(number), *loops};
}

Expr Tracer::step(const Expr &e) {
  if (!e || !spend())
    return {};
  Operation *def = e.value.getDefiningOp();
  if (e.isTensor()) {
    Expr next = def ? stepTensor(e, def) : Expr();
    if (next)
      visited.insert(def);
    return next;
  }
  if (auto extract = dyn_cast_or_null<tensor::ExtractOp>(def)) {
    Expr next{extract.getTensor(), {}};
    for (Value index : extract.getIndices()) {
      std::optional<AffineExpr> at = affineInt({index, e.at});
      if (!at)
        return {};
      next.at.push_back(*at);
    }
    return next;
  }
  auto arg = dyn_cast<BlockArgument>(e.value);
  linalg::LinalgOp op = arg ? getEnclosingOp(arg) : nullptr;
  if (!op || llvm::is_contained(e.at, AffineExpr()))
    return {};
  OpOperand *operand = op.getMatchingOpOperand(arg);
  if (op.isDpsInit(operand) && op.getNumReductionLoops() != 0)
    return {};
  return accessOperand(vars, op, *operand, e.at);
}

Expr Tracer::resolve(Expr e) {
  while (Expr next = step(e))
    e = std::move(next);
  return e;
}

Expr Tracer::resolveCasts(Expr e) {
  e = resolve(std::move(e));
  while (
      e && spend() &&
      isa_and_nonnull<arith::ExtFOp, arith::TruncFOp>(e.value.getDefiningOp()))
    e = resolve(operand(e, 0));
  return e;
}

Expr Tracer::operand(const Expr &e, unsigned index) {
  Operation *def = e.value.getDefiningOp();
  visited.insert(def);
  Value value = def->getOperand(index);
  // A tensor operand of an op on tensors, a scalar in a body, or (the scalar
  // of a select on tensors) neither.
  if (e.isTensor() && !isa<RankedTensorType>(value.getType()))
    return {value, {}};
  return {value, e.at};
}

//===----------------------------------------------------------------------===//
// Reductions
//===----------------------------------------------------------------------===//

/// The value that the body of `op` combines with init number `number`.
static Value getReducedValue(linalg::LinalgOp op, unsigned number,
                             Operation *&combiner) {
  Value accumulator = op.getMatchingBlockArgument(op.getDpsInitOperand(number));
  combiner = op.getBlock()->getTerminator()->getOperand(number).getDefiningOp();
  if (!combiner || combiner->getNumOperands() != 2 ||
      combiner->getNumResults() != 1 ||
      combiner->getBlock() != accumulator.getParentBlock())
    return {};
  if (combiner->getOperand(0) == accumulator)
    return combiner->getOperand(1);
  if (combiner->getOperand(1) == accumulator)
    return combiner->getOperand(0);
  return {};
}

std::optional<Reduction>
Tracer::openReduction(const Expr &unresolved,
                      SmallVectorImpl<AffineExpr> &bound) {
  Expr e = resolveCasts(unresolved);
  auto op = definedBy<linalg::LinalgOp>(e);
  if (!op || !e.isTensor() || !op.hasPureTensorSemantics() || !spend())
    return std::nullopt;
  unsigned number = cast<OpResult>(e.value).getResultNumber();
  OpOperand *init = op.getDpsInitOperand(number);
  auto loops = getLoops(op, op.getMatchingIndexingMap(init), e.at);
  Reduction reduction;
  Value reduced = getReducedValue(op, number, reduction.combiner);
  if (!loops || !reduced || op.getNumReductionLoops() == 0)
    return std::nullopt;

  SmallVector<unsigned> dims;
  op.getReductionDims(dims);
  SmallVector<int64_t> ranges = op.getStaticLoopRanges();
  if (bound.empty())
    for (unsigned dim : dims)
      bound.push_back(vars.create(ranges[dim]));
  if (bound.size() != dims.size())
    return std::nullopt;
  for (auto [dim, var] : llvm::zip_equal(dims, bound)) {
    // A variable of another range would be another sum.
    if (vars.getExtent(cast<AffineDimExpr>(var).getPosition()) != ranges[dim])
      return std::nullopt;
    (*loops)[dim] = var;
  }
  visited.insert(op);
  reduction.body = {reduced, *loops};
  reduction.init = {init->get(), e.at};
  return reduction;
}

//===----------------------------------------------------------------------===//
// Equality
//===----------------------------------------------------------------------===//

bool Tracer::areEqual(Expr a, Expr b) { return areEqualImpl(a, b, 0); }

bool Tracer::areEqualImpl(Expr a, Expr b, unsigned depth) {
  if (!a || !b || depth > maxDepth || !spend())
    return false;
  a = resolveCasts(a);
  b = resolveCasts(b);
  bool isSamePoint = a.at.size() == b.at.size() &&
                     llvm::all_of(llvm::zip_equal(a.at, b.at), [&](auto pair) {
                       auto [x, y] = pair;
                       return x == y || (x && y && vars.areEqual(x, y));
                     });
  bool isPlainScalar = !a.isTensor() && !getEnclosingOp(a.value);
  if (a.value == b.value && (isSamePoint || isPlainScalar))
    return true;
  Operation *opA = a.value.getDefiningOp(), *opB = b.value.getDefiningOp();
  if (!opA || !opB || opA->getName() != opB->getName())
    return false;
  if (auto constantA = constantFloat(a)) {
    auto constantB = constantFloat(b);
    return constantB && *constantA == *constantB;
  }
  if (auto index = dyn_cast<linalg::IndexOp>(opA))
    return vars.areEqual(a.at[index.getDim()],
                         b.at[cast<linalg::IndexOp>(opB).getDim()]);
  if (isa<linalg::LinalgOp>(opA)) {
    SmallVector<AffineExpr> bound;
    std::optional<Reduction> reductionA = openReduction(a, bound);
    if (!reductionA)
      return false;
    std::optional<Reduction> reductionB = openReduction(b, bound);
    return reductionB &&
           reductionA->combiner->getName() == reductionB->combiner->getName() &&
           areEqualImpl(reductionA->init, reductionB->init, depth + 1) &&
           areEqualImpl(reductionA->body, reductionB->body, depth + 1);
  }
  if (opA->getNumRegions() != 0 || opA->getNumOperands() == 0 ||
      opA->getNumOperands() != opB->getNumOperands() ||
      opA->getAttr("predicate") != opB->getAttr("predicate") || !isPure(opA) ||
      !isa<arith::ArithDialect, math::MathDialect>(opA->getDialect()))
    return false;
  for (unsigned i = 0; i < opA->getNumOperands(); ++i)
    if (!areEqualImpl(operand(a, i), operand(b, i), depth + 1))
      return false;
  return true;
}

//===----------------------------------------------------------------------===//
// Constants and integers
//===----------------------------------------------------------------------===//

std::optional<double> Tracer::constantFloat(Expr e) {
  return constantFloatImpl(std::move(e), 0);
}

/// The attribute of a constant: the scalar, or the element of a splat.
static Attribute getConstantElement(const Expr &e) {
  Attribute attr;
  if (!matchPattern(e.value, m_Constant(&attr)))
    return {};
  if (auto splat = dyn_cast<SplatElementsAttr>(attr))
    return splat.getSplatValue<Attribute>();
  return attr;
}

std::optional<double> Tracer::constantFloatImpl(Expr e, unsigned depth) {
  if (depth > maxDepth || !spend())
    return std::nullopt;
  e = resolve(e);
  if (!e || !isa<FloatType>(e.getElementType()))
    return std::nullopt;
  Operation *def = e.value.getDefiningOp();
  if (!def)
    return std::nullopt;
  if (auto attr = dyn_cast_or_null<FloatAttr>(getConstantElement(e)))
    return attr.getValueAsDouble();
  auto fold = [&](auto function) -> std::optional<double> {
    std::optional<double> lhs = constantFloatImpl(operand(e, 0), depth + 1);
    if (!lhs)
      return std::nullopt;
    if (def->getNumOperands() == 1)
      return function(*lhs, 0.0);
    std::optional<double> rhs = constantFloatImpl(operand(e, 1), depth + 1);
    return rhs ? std::optional<double>(function(*lhs, *rhs)) : std::nullopt;
  };
  return TypeSwitch<Operation *, std::optional<double>>(def)
      .Case<arith::ExtFOp, arith::TruncFOp>(
          [&](auto) { return fold([](double x, double) { return x; }); })
      .Case([&](arith::NegFOp) {
        return fold([](double x, double) { return -x; });
      })
      .Case([&](arith::MulFOp) {
        return fold([](double x, double y) { return x * y; });
      })
      .Case([&](arith::DivFOp) {
        return fold([](double x, double y) { return x / y; });
      })
      .Case([&](math::SqrtOp) {
        return fold([](double x, double) { return std::sqrt(x); });
      })
      .Case([&](math::RsqrtOp) {
        return fold([](double x, double) { return 1.0 / std::sqrt(x); });
      })
      .Default([](Operation *) { return std::nullopt; });
}

std::optional<AffineExpr> Tracer::affineInt(Expr e) {
  return affineIntImpl(std::move(e), 0);
}

/// Sums of products with constants: all that positions in a mask are made of.
std::optional<AffineExpr> Tracer::affineIntImpl(Expr e, unsigned depth) {
  if (depth > maxDepth || !spend())
    return std::nullopt;
  e = resolve(e);
  if (!e || !e.getElementType().isIntOrIndex())
    return std::nullopt;
  if (auto attr = dyn_cast_or_null<IntegerAttr>(getConstantElement(e))) {
    // No position of a real mask is anywhere near 2^40.
    if (attr.getValue().getSignificantBits() > 40)
      return std::nullopt;
    return getAffineConstantExpr(attr.getValue().getSExtValue(),
                                 vars.getContext());
  }
  Operation *def = e.value.getDefiningOp();
  if (auto index = dyn_cast_or_null<linalg::IndexOp>(def))
    return e.at[index.getDim()];
  // A plain scalar that is no sum itself is opaque, but the same everywhere.
  bool isSum =
      isa_and_nonnull<arith::IndexCastOp, arith::ExtSIOp, arith::TruncIOp,
                      arith::AddIOp, arith::SubIOp, arith::MulIOp>(def);
  if (!isSum && !e.isTensor() && !getEnclosingOp(e.value)) {
    symbols.insert(e.value);
    return getAffineSymbolExpr(
        std::distance(symbols.begin(), llvm::find(symbols, e.value)),
        vars.getContext());
  }
  if (!isSum)
    return std::nullopt;
  auto fold = [&](auto function) -> std::optional<AffineExpr> {
    std::optional<AffineExpr> lhs = affineIntImpl(operand(e, 0), depth + 1);
    if (!lhs || def->getNumOperands() == 1)
      return lhs;
    std::optional<AffineExpr> rhs = affineIntImpl(operand(e, 1), depth + 1);
    if (!rhs)
      return std::nullopt;
    AffineExpr result = function(*lhs, *rhs);
    return result ? std::optional<AffineExpr>(vars.simplify(result))
                  : std::nullopt;
  };
  return TypeSwitch<Operation *, std::optional<AffineExpr>>(def)
      .Case<arith::IndexCastOp, arith::ExtSIOp, arith::TruncIOp>([&](auto) {
        return fold([](AffineExpr x, AffineExpr) { return x; });
      })
      .Case([&](arith::AddIOp) {
        return fold([](AffineExpr x, AffineExpr y) { return x + y; });
      })
      .Case([&](arith::SubIOp) {
        return fold([](AffineExpr x, AffineExpr y) { return x - y; });
      })
      .Case([&](arith::MulIOp) {
        return fold([](AffineExpr x, AffineExpr y) {
          bool isLinear =
              isa<AffineConstantExpr>(x) || isa<AffineConstantExpr>(y);
          return isLinear ? x * y : AffineExpr();
        });
      })
      .Default([](Operation *) { return std::nullopt; });
}

AffineExpr Tracer::getSizeExpr(Value tensor, int64_t dim) {
  int64_t size = cast<RankedTensorType>(tensor.getType()).getDimSize(dim);
  if (!ShapedType::isDynamic(size))
    return getAffineConstantExpr(size, vars.getContext());
  for (auto [number, symbol] : llvm::enumerate(symbols)) {
    if (!symbol.getType().isIndex())
      continue;
    FailureOr<bool> isSize = ValueBoundsConstraintSet::areEqual(
        symbol, ValueBoundsConstraintSet::Variable(tensor, dim));
    if (succeeded(isSize) && *isSize)
      return getAffineSymbolExpr(number, vars.getContext());
  }
  return {};
}
