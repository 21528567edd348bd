//===- MatchSoftmax.cpp - Softmax and scores ------------------------------===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "MatchSoftmax.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include <cmath>

using namespace mlir;
using namespace mlir::diffattn;

//===----------------------------------------------------------------------===//
// Sums, products, quotients
//===----------------------------------------------------------------------===//

static bool isConstant(Tracer &tracer, const Expr &e, double value) {
  std::optional<double> constant = tracer.constantFloat(e);
  return constant && *constant == value;
}

/// Whether a maximum may start from `e`: nothing finite lies below it.
static bool isLowest(Tracer &tracer, const Expr &e) {
  std::optional<double> constant = tracer.constantFloat(e);
  return constant && isMaskFill(*constant, e.getElementType());
}

Expr mlir::diffattn::matchSum(Tracer &tracer, Expr e,
                              SmallVectorImpl<AffineExpr> &bound) {
  std::optional<Reduction> reduction = tracer.openReduction(e, bound);
  if (!reduction || !isa<arith::AddFOp>(reduction->combiner) ||
      !isConstant(tracer, reduction->init, 0))
    return {};
  return reduction->body;
}

Product mlir::diffattn::matchProduct(Tracer &tracer, Expr e) {
  Product product;
  SmallVector<Expr> worklist = {std::move(e)};
  while (!worklist.empty()) {
    Expr factor = tracer.resolveCasts(worklist.pop_back_val());
    if (!tracer.spend())
      product.factors.push_back(factor);
    else if (std::optional<double> constant = tracer.constantFloat(factor)) {
      product.constant *= *constant;
    } else if (auto operands = matchBinary<arith::MulFOp>(tracer, factor)) {
      worklist.push_back(operands->second);
      worklist.push_back(operands->first);
    } else if (definedBy<arith::NegFOp>(factor)) {
      product.constant = -product.constant;
      worklist.push_back(tracer.operand(factor, 0));
    } else if (auto operands = matchBinary<arith::DivFOp>(tracer, factor);
               operands && tracer.constantFloat(operands->second)) {
      product.constant /= *tracer.constantFloat(operands->second);
      worklist.push_back(operands->first);
    } else {
      product.factors.push_back(factor);
    }
  }
  return product;
}

std::optional<std::pair<Expr, Expr>>
mlir::diffattn::matchQuotient(Tracer &tracer, Expr e) {
  e = tracer.resolveCasts(e);
  if (auto operands = matchBinary<arith::DivFOp>(tracer, e))
    return operands;
  auto operands = matchBinary<arith::MulFOp>(tracer, e);
  if (!operands)
    return std::nullopt;
  for (auto [lhs, rhs] :
       {*operands, std::pair(operands->second, operands->first)}) {
    auto reciprocal =
        matchBinary<arith::DivFOp>(tracer, tracer.resolveCasts(rhs));
    if (reciprocal && isConstant(tracer, reciprocal->first, 1))
      return std::make_pair(lhs, reciprocal->second);
  }
  return std::nullopt;
}

//===----------------------------------------------------------------------===//
// Exponentials and their normalisation
//===----------------------------------------------------------------------===//

/// The `x` and the constant of `(x == value) ? constant : x`, where `e` is such
/// a replacement; otherwise `e` and nothing.
static std::pair<Expr, std::optional<double>>
stripReplacement(Tracer &tracer, const Expr &e, double value) {
  if (!definedBy<arith::SelectOp>(e))
    return {e, std::nullopt};
  Expr condition = tracer.resolve(tracer.operand(e, 0));
  auto compare = definedBy<arith::CmpFOp>(condition);
  if (!compare || !isConstant(tracer, tracer.operand(condition, 1), value))
    return {e, std::nullopt};
  Expr a = tracer.operand(e, 1), b = tracer.operand(e, 2);
  switch (compare.getPredicate()) {
  case arith::CmpFPredicate::OEQ:
  case arith::CmpFPredicate::UEQ:
    break;
  case arith::CmpFPredicate::ONE:
  case arith::CmpFPredicate::UNE:
  case arith::CmpFPredicate::OGT:
    std::swap(a, b);
    break;
  default:
    return {e, std::nullopt};
  }
  std::optional<double> constant = tracer.constantFloat(a);
  if (!constant || !tracer.areEqual(tracer.operand(condition, 0), b))
    return {e, std::nullopt};
  return {tracer.resolveCasts(b), constant};
}

/// The maximum over `key` of `scores`, perhaps with another -inf taken along,
/// or with the -inf of an empty row replaced by a finite number: softmax does
/// not depend on the number subtracted, as long as it is one for the row.
static bool isRowMax(Tracer &tracer, Expr e, const Expr &scores,
                     AffineExpr key) {
  auto [max, constant] =
      stripReplacement(tracer, tracer.resolveCasts(e), -INFINITY);
  if (constant && !std::isfinite(*constant))
    return false;
  while (tracer.spend()) {
    auto operands = matchBinary<arith::MaximumFOp>(tracer, max);
    if (!operands)
      operands = matchBinary<arith::MaxNumFOp>(tracer, max);
    if (!operands)
      break;
    auto [a, b] = *operands;
    if (!isLowest(tracer, a))
      std::swap(a, b);
    if (!isLowest(tracer, a))
      return false;
    max = tracer.resolveCasts(b);
  }
  SmallVector<AffineExpr> bound = {key};
  std::optional<Reduction> reduction = tracer.openReduction(max, bound);
  return reduction &&
         isa<arith::MaximumFOp, arith::MaxNumFOp>(reduction->combiner) &&
         isLowest(tracer, reduction->init) &&
         tracer.areEqual(reduction->body, scores);
}

std::optional<Exponential>
mlir::diffattn::matchExponential(Tracer &tracer, Expr e, AffineExpr key) {
  Exponential result;
  result.value = e = tracer.resolveCasts(e);
  result.isBaseTwo = definedBy<math::Exp2Op>(e) != nullptr;
  if (!result.isBaseTwo && !definedBy<math::ExpOp>(e))
    return std::nullopt;
  Expr exponent = tracer.resolveCasts(tracer.operand(e, 0));
  auto difference = matchBinary<arith::SubFOp>(tracer, exponent);
  if (!difference ||
      !isRowMax(tracer, difference->second, difference->first, key))
    return std::nullopt;
  result.scores = difference->first;
  return result;
}

Expr mlir::diffattn::stripZeroGuard(Tracer &tracer, Expr e,
                                    SmallVectorImpl<Expr> &guards) {
  e = tracer.resolveCasts(e);
  while (tracer.spend() && definedBy<arith::SelectOp>(e) &&
         isConstant(tracer, tracer.operand(e, 1), 0)) {
    guards.push_back(tracer.operand(e, 0));
    e = tracer.resolveCasts(tracer.operand(e, 2));
  }
  return e;
}

Expr mlir::diffattn::matchNormalised(Tracer &tracer, Expr e,
                                     SmallVectorImpl<Expr> &guards,
                                     Expr &rowSum) {
  auto quotient = matchQuotient(tracer, stripZeroGuard(tracer, e, guards));
  if (!quotient)
    return {};
  rowSum = quotient->second;
  return stripZeroGuard(tracer, quotient->first, guards);
}

bool mlir::diffattn::isRowSum(Tracer &tracer, Expr e,
                              const Exponential &exponential, AffineExpr key) {
  // A sum of 0 is sometimes replaced by a number one can divide by; the row is
  // then empty and its numerator 0.
  auto [sum, constant] = stripReplacement(tracer, tracer.resolveCasts(e), 0);
  if (constant && !(*constant > 0))
    return false;
  SmallVector<AffineExpr> bound = {key};
  Expr summand = matchSum(tracer, sum, bound);
  return summand && tracer.areEqual(summand, exponential.value);
}

//===----------------------------------------------------------------------===//
// Scores
//===----------------------------------------------------------------------===//

namespace {
/// Peels the layers between the exponential and the dot product.
struct ScoreMatcher {
  Tracer &tracer;
  std::string &reason;
  Scores scores;
  /// Product of the constants seen so far. At the tanh it is the cap; what is
  /// multiplied inside of it makes it scale again.
  double factor = 1;

  /// Peels one layer off `e`; false if there is none.
  bool peelMask(Expr &e);
  bool peelScale(Expr &e);
  bool peelSoftcap(Expr &e);
  bool addMask(Expr &e, std::optional<Formula> mask, double fill,
               const Expr &inner);
};
} // namespace

bool ScoreMatcher::addMask(Expr &e, std::optional<Formula> mask, double fill,
                           const Expr &inner) {
  if (!mask)
    return false;
  // tanh would make -1 of a hidden score, a negative factor +inf: no masks.
  if (scores.softcap || !(factor > 0))
    return false;
  scores.masks.push_back(*mask);
  if (std::isfinite(fill))
    scores.finiteFill = fill;
  e = tracer.resolveCasts(inner);
  return true;
}

bool ScoreMatcher::peelMask(Expr &e) {
  Type type = e.getElementType();
  if (definedBy<arith::SelectOp>(e)) {
    Expr condition = tracer.operand(e, 0);
    Expr a = tracer.operand(e, 1), b = tracer.operand(e, 2);
    std::optional<double> fillA = tracer.constantFloat(a);
    std::optional<double> fillB = tracer.constantFloat(b);
    std::optional<Formula> shown = evaluateFormula(tracer, condition);
    if (!shown) {
      if (fillA || fillB)
        reason = "the mask depends on data; only masks that are a function of "
                 "row and key position are understood";
      return false;
    }
    if (fillB && isMaskFill(*fillB, type))
      return addMask(e, shown, *fillB, a);
    if (fillA && isMaskFill(*fillA, type))
      return addMask(e, shown->negate(), *fillA, b);
    if (fillA || fillB)
      reason = "hidden scores are set to a number that does not hide them; use "
               "-inf or the lowest finite number";
    return false;
  }
  auto operands = matchBinary<arith::AddFOp>(tracer, e);
  if (!operands)
    return false;
  for (auto [mask, other] :
       {*operands, std::pair(operands->second, operands->first)}) {
    double fill = 0;
    std::optional<Formula> shown = matchAdditiveMask(tracer, mask, fill);
    if (shown)
      return addMask(e, shown, fill, other);
  }
  reason = "something is added to the scores that is not a mask of row and key "
           "position (a bias, or a mask that depends on data)";
  return false;
}

bool ScoreMatcher::peelScale(Expr &e) {
  if (!definedBy<arith::MulFOp>(e) && !definedBy<arith::DivFOp>(e))
    return false;
  Product product = matchProduct(tracer, e);
  if (product.factors.size() != 1)
    return false;
  factor *= product.constant;
  e = product.factors[0];
  return true;
}

bool ScoreMatcher::peelSoftcap(Expr &e) {
  if (!definedBy<math::TanhOp>(e) || scores.softcap)
    return false;
  scores.softcap = factor;
  e = tracer.resolveCasts(tracer.operand(e, 0));
  return true;
}

std::optional<Scores>
mlir::diffattn::matchScores(Tracer &tracer, const Exponential &exponential,
                            std::string &reason) {
  ScoreMatcher matcher{tracer, reason, {}, 1};
  if (exponential.isBaseTwo)
    matcher.factor = std::log(2.0);
  Expr e = tracer.resolveCasts(exponential.scores);
  while (tracer.spend() && (matcher.peelMask(e) || matcher.peelSoftcap(e) ||
                            matcher.peelScale(e))) {
  }
  if (!reason.empty())
    return std::nullopt;
  Scores &scores = matcher.scores;
  SmallVector<AffineExpr> bound;
  Expr summand = matchSum(tracer, e, bound);
  if (!summand || bound.size() != 1) {
    reason = "the scores are not a dot product over one dimension, scaled and "
             "masked";
    return std::nullopt;
  }
  scores.headDim = bound[0];
  Expr resolved = tracer.resolveCasts(summand);
  auto operands = matchBinary<arith::MulFOp>(tracer, resolved);
  if (!operands) {
    reason = "the scores are not a sum of products of query and key";
    return std::nullopt;
  }
  std::tie(scores.lhs, scores.rhs) = *operands;
  scores.scale = matcher.factor;
  return scores;
}

//===----------------------------------------------------------------------===//
// Guards
//===----------------------------------------------------------------------===//

/// The comparison `x == y` (or its negation) between floats.
static std::optional<std::pair<Expr, Expr>>
matchFloatCompare(Tracer &tracer, Expr e, bool isEqual) {
  e = tracer.resolve(e);
  auto op = definedBy<arith::CmpFOp>(e);
  if (!op)
    return std::nullopt;
  auto predicate = op.getPredicate();
  bool matches = isEqual ? predicate == arith::CmpFPredicate::OEQ ||
                               predicate == arith::CmpFPredicate::UEQ
                         : predicate == arith::CmpFPredicate::ONE ||
                               predicate == arith::CmpFPredicate::UNE;
  if (!matches)
    return std::nullopt;
  return std::make_pair(tracer.operand(e, 0), tracer.operand(e, 1));
}

static bool isMinusInfinity(Tracer &tracer, const Expr &e) {
  std::optional<double> constant = tracer.constantFloat(e);
  return constant && std::isinf(*constant) && *constant < 0;
}

/// "All scores of the row are -inf", as an and-reduction, a negated
/// or-reduction, or a test of the row maximum.
static bool isAllHidden(Tracer &tracer, Expr guard,
                        const Exponential &exponential, AffineExpr key) {
  guard = tracer.resolve(guard);
  bool isNegated = false;
  if (auto operands = matchBinary<arith::XOrIOp>(tracer, guard)) {
    std::optional<Formula> one = evaluateFormula(tracer, operands->second);
    if (!one || !one->isTrue())
      return false;
    isNegated = true;
    guard = tracer.resolve(operands->first);
  }
  if (auto compare = matchFloatCompare(tracer, guard, !isNegated))
    return isMinusInfinity(tracer, compare->second) &&
           isRowMax(tracer, compare->first, exponential.scores, key);
  SmallVector<AffineExpr> bound = {key};
  std::optional<Reduction> reduction = tracer.openReduction(guard, bound);
  if (!reduction || (isNegated ? !isa<arith::OrIOp>(reduction->combiner)
                               : !isa<arith::AndIOp>(reduction->combiner)))
    return false;
  std::optional<Formula> init = evaluateFormula(tracer, reduction->init);
  if (!init || !(isNegated ? init->isFalse() : init->isTrue()))
    return false;
  auto compare = matchFloatCompare(tracer, reduction->body, !isNegated);
  return compare && isMinusInfinity(tracer, compare->second) &&
         tracer.areEqual(compare->first, exponential.scores);
}

bool mlir::diffattn::isRowEmpty(Tracer &tracer, Expr guard,
                                const Exponential &exponential,
                                const Scores &scores, AffineExpr key,
                                AffineExpr numKeys) {
  if (isAllHidden(tracer, guard, exponential, key))
    return true;
  std::optional<Formula> formula = evaluateFormula(tracer, guard);
  if (!formula || (formula->isAll && formula->atoms.size() != 1))
    return false;
  // Each alternative has to hide key 0 by an upper bound on the key (then it
  // hides all keys), or say that there are no keys.
  AffineExpr zero = getAffineConstantExpr(0, key.getContext());
  return llvm::all_of(formula->atoms, [&](AffineExpr atom) {
    if (numKeys && tracer.vars.areEqual(atom, -numKeys))
      return true;
    for (const Formula &mask : scores.masks) {
      if (!mask.isAll && mask.atoms.size() != 1)
        continue;
      for (AffineExpr shown : mask.atoms) {
        AffineExpr simplified = tracer.vars.simplify(shown);
        std::optional<LinearForm> form = LinearForm::get(simplified);
        if (form && form->coefficientOf(key) < 0 &&
            tracer.vars.areEqual(atom, -simplified.replace(key, zero) - 1))
          return true;
      }
    }
    return false;
  });
}
