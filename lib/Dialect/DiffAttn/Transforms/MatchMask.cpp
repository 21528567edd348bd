//===- MatchMask.cpp - Which keys a mask expression shows -----------------===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "MatchMask.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include <cmath>

using namespace mlir;
using namespace mlir::diffattn;

//===----------------------------------------------------------------------===//
// Formulas
//===----------------------------------------------------------------------===//

Formula Formula::negate() const {
  Formula result{!isAll, {}};
  for (AffineExpr atom : atoms)
    result.atoms.push_back(-atom - 1);
  return result;
}

/// `a and b` (isAll) or `a or b`; fails on a mixture of both.
static std::optional<Formula> combine(const Formula &a, const Formula &b,
                                      bool isAll) {
  for (auto [x, y] : {std::pair(&a, &b), {&b, &a}}) {
    if (isAll ? x->isTrue() : x->isFalse())
      return *y;
    if (isAll ? x->isFalse() : x->isTrue())
      return *x;
  }
  Formula result{isAll, {}};
  for (const Formula *part : {&a, &b}) {
    if (part->isAll != isAll && part->atoms.size() > 1)
      return std::nullopt;
    llvm::append_range(result.atoms, part->atoms);
  }
  return result;
}

/// `lhs predicate rhs` for positions, which are small: unsigned comparisons
/// mean the same as signed ones.
static std::optional<Formula> compare(arith::CmpIPredicate predicate,
                                      AffineExpr lhs, AffineExpr rhs) {
  switch (predicate) {
  case arith::CmpIPredicate::sge:
    return Formula{true, {lhs - rhs}};
  case arith::CmpIPredicate::sgt:
    return Formula{true, {lhs - rhs - 1}};
  case arith::CmpIPredicate::sle:
    return Formula{true, {rhs - lhs}};
  case arith::CmpIPredicate::slt:
    return Formula{true, {rhs - lhs - 1}};
  case arith::CmpIPredicate::eq:
    return Formula{true, {lhs - rhs, rhs - lhs}};
  case arith::CmpIPredicate::ne:
    return Formula{false, {lhs - rhs - 1, rhs - lhs - 1}};
  default:
    return std::nullopt;
  }
}

static std::optional<Formula> evaluate(Tracer &tracer, Expr e, unsigned depth);

static std::optional<Formula> evaluateCompare(Tracer &tracer, const Expr &e,
                                              arith::CmpIOp op,
                                              unsigned depth) {
  Expr lhs = tracer.operand(e, 0), rhs = tracer.operand(e, 1);
  arith::CmpIPredicate predicate = op.getPredicate();
  if (lhs.getElementType().isInteger(1)) { // booleans compared with booleans
    std::optional<Formula> a = evaluate(tracer, lhs, depth + 1);
    std::optional<Formula> b = evaluate(tracer, rhs, depth + 1);
    if (a && b && (a->isTrue() || a->isFalse()))
      std::swap(a, b);
    bool isEquality = predicate == arith::CmpIPredicate::eq;
    if (!a || !b || !(b->isTrue() || b->isFalse()) ||
        !(isEquality || predicate == arith::CmpIPredicate::ne))
      return std::nullopt;
    return b->isTrue() == isEquality ? *a : a->negate();
  }
  std::optional<AffineExpr> a = tracer.affineInt(lhs),
                            b = tracer.affineInt(rhs);
  if (!a || !b)
    return std::nullopt;
  return compare(predicate, *a, *b);
}

/// `condition ? a : b` where a branch is constant.
static std::optional<Formula> evaluateSelect(Tracer &tracer, const Expr &e,
                                             unsigned depth) {
  std::optional<Formula> condition =
      evaluate(tracer, tracer.operand(e, 0), depth + 1);
  std::optional<Formula> a = evaluate(tracer, tracer.operand(e, 1), depth + 1);
  std::optional<Formula> b = evaluate(tracer, tracer.operand(e, 2), depth + 1);
  if (!condition || !a || !b)
    return std::nullopt;
  if (b->isFalse())
    return combine(*condition, *a, /*isAll=*/true);
  if (b->isTrue())
    return combine(condition->negate(), *a, /*isAll=*/false);
  if (a->isFalse())
    return combine(condition->negate(), *b, /*isAll=*/true);
  if (a->isTrue())
    return combine(*condition, *b, /*isAll=*/false);
  return std::nullopt;
}

static std::optional<Formula> evaluate(Tracer &tracer, Expr e, unsigned depth) {
  if (depth > 64 || !tracer.spend())
    return std::nullopt;
  e = tracer.resolve(e);
  if (!e || !e.getElementType().isInteger(1))
    return std::nullopt;
  if (auto op = definedBy<arith::CmpIOp>(e))
    return evaluateCompare(tracer, e, op, depth);
  if (definedBy<arith::SelectOp>(e))
    return evaluateSelect(tracer, e, depth);
  bool isAnd = definedBy<arith::AndIOp>(e) != nullptr;
  bool isOr = definedBy<arith::OrIOp>(e) != nullptr;
  if (isAnd || isOr || definedBy<arith::XOrIOp>(e)) {
    std::optional<Formula> a =
        evaluate(tracer, tracer.operand(e, 0), depth + 1);
    std::optional<Formula> b =
        evaluate(tracer, tracer.operand(e, 1), depth + 1);
    if (!a || !b)
      return std::nullopt;
    if (isAnd || isOr)
      return combine(*a, *b, isAnd);
    if (a->isTrue() || a->isFalse())
      std::swap(a, b);
    if (b->isTrue())
      return a->negate();
    return b->isFalse() ? a : std::nullopt;
  }
  std::optional<AffineExpr> value = tracer.affineInt(e);
  auto constant =
      value ? dyn_cast<AffineConstantExpr>(*value) : AffineConstantExpr();
  if (!constant)
    return std::nullopt;
  return Formula::constant(constant.getValue() != 0);
}

std::optional<Formula> mlir::diffattn::evaluateFormula(Tracer &tracer, Expr e) {
  return evaluate(tracer, std::move(e), 0);
}

//===----------------------------------------------------------------------===//
// Masks on scores
//===----------------------------------------------------------------------===//

bool mlir::diffattn::isMaskFill(double value, Type type) {
  auto floatType = dyn_cast<FloatType>(type);
  if (!floatType || !(value < 0))
    return false;
  if (std::isinf(value) || value <= -1.0e38)
    return true;
  APFloat lowest =
      APFloat::getLargest(floatType.getFloatSemantics(), /*Negative=*/true);
  bool losesInfo;
  lowest.convert(APFloat::IEEEdouble(), APFloat::rmNearestTiesToEven,
                 &losesInfo);
  return value <= lowest.convertToDouble();
}

std::optional<Formula> mlir::diffattn::matchAdditiveMask(Tracer &tracer, Expr e,
                                                         double &fill) {
  Type type = e.getElementType();
  e = tracer.resolveCasts(e);
  if (!definedBy<arith::SelectOp>(e))
    return std::nullopt;
  std::optional<double> a = tracer.constantFloat(tracer.operand(e, 1));
  std::optional<double> b = tracer.constantFloat(tracer.operand(e, 2));
  std::optional<Formula> condition =
      evaluateFormula(tracer, tracer.operand(e, 0));
  if (!a || !b || !condition)
    return std::nullopt;
  if (*a == 0 && isMaskFill(*b, type)) {
    fill = *b;
    return condition;
  }
  if (*b == 0 && isMaskFill(*a, type)) {
    fill = *a;
    return condition->negate();
  }
  return std::nullopt;
}

//===----------------------------------------------------------------------===//
// Bands
//===----------------------------------------------------------------------===//

/// Narrows `bound` to `other`; fails where their difference is not constant.
static bool narrow(const IndexVars &vars, AffineExpr &bound, AffineExpr other) {
  if (!bound) {
    bound = other;
    return true;
  }
  auto difference = dyn_cast<AffineConstantExpr>(vars.simplify(other - bound));
  if (!difference)
    return false;
  if (difference.getValue() < 0)
    bound = other;
  return true;
}

std::optional<Band> mlir::diffattn::matchBand(Tracer &tracer,
                                              ArrayRef<Formula> masks,
                                              AffineExpr key,
                                              std::string &reason) {
  const IndexVars &vars = tracer.vars;
  Band band;
  auto fail = [&](StringRef why) {
    reason = why.str();
    return std::nullopt;
  };
  for (const Formula &mask : masks) {
    if (!mask.isAll && mask.atoms.size() != 1)
      return fail("the mask shows keys on either side of a hidden band");
    for (AffineExpr unsimplified : mask.atoms) {
      AffineExpr atom = vars.simplify(unsimplified);
      if (vars.getRange(atom).min.value_or(-1) >= 0)
        continue; // always true
      std::optional<LinearForm> form = LinearForm::get(atom);
      int64_t keyFactor = form ? form->coefficientOf(key) : 0;
      // atom = +-(key - row) + rest, rest over symbols only.
      LinearForm rest;
      AffineExpr row;
      if (form)
        rest.constant = form->constant;
      bool isBand = keyFactor == 1 || keyFactor == -1;
      for (auto [base, factor] : form ? form->terms : LinearForm().terms) {
        if (base == key)
          continue;
        if (isa<AffineSymbolExpr>(base))
          rest.add(base, factor);
        else if (!row && isa<AffineDimExpr>(base) && factor == -keyFactor)
          row = base;
        else
          isBand = false;
      }
      if (!isBand || !row || (band.row && band.row != row))
        return fail("the mask is not a band of key - row");
      band.row = row;
      // key <= row + rest, or key >= row - rest.
      if (!narrow(vars, keyFactor < 0 ? band.right : band.left,
                  rest.toExpr(vars.getContext())))
        return fail("the mask has two bounds of unknown order on one side");
    }
  }
  return band;
}
