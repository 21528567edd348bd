//===- MatchIndex.cpp - Index expressions over loop variables -------------===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "MatchIndex.h"

#include "mlir/IR/BuiltinTypeInterfaces.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/MathExtras.h"
#include <numeric>

using namespace mlir;
using namespace mlir::diffattn;

/// Coefficients and extents past this are no index of a real tensor; keeping
/// below it keeps all arithmetic here free of overflow.
static constexpr int64_t maxMagnitude = int64_t(1) << 40;

static bool isTooLarge(int64_t value) {
  return value > maxMagnitude || value < -maxMagnitude;
}

//===----------------------------------------------------------------------===//
// LinearForm
//===----------------------------------------------------------------------===//

void LinearForm::add(AffineExpr base, int64_t coefficient) {
  auto *it =
      llvm::find_if(terms, [&](auto &term) { return term.first == base; });
  if (it == terms.end()) {
    if (coefficient != 0)
      terms.emplace_back(base, coefficient);
    return;
  }
  it->second += coefficient;
  if (it->second == 0)
    terms.erase(it);
}

static bool collectTerms(AffineExpr expr, int64_t factor, LinearForm &form) {
  if (isTooLarge(factor))
    return false;
  if (auto constant = dyn_cast<AffineConstantExpr>(expr)) {
    int64_t product;
    return !llvm::MulOverflow(factor, constant.getValue(), product) &&
           !llvm::AddOverflow(form.constant, product, form.constant);
  }
  auto binary = dyn_cast<AffineBinaryOpExpr>(expr);
  if (binary && expr.getKind() == AffineExprKind::Add)
    return collectTerms(binary.getLHS(), factor, form) &&
           collectTerms(binary.getRHS(), factor, form);
  if (binary && expr.getKind() == AffineExprKind::Mul) {
    AffineExpr lhs = binary.getLHS(), rhs = binary.getRHS();
    if (isa<AffineConstantExpr>(lhs))
      std::swap(lhs, rhs);
    auto constant = dyn_cast<AffineConstantExpr>(rhs);
    int64_t product;
    if (!constant || llvm::MulOverflow(factor, constant.getValue(), product))
      return false;
    return product == 0 || collectTerms(lhs, product, form);
  }
  form.add(expr, factor);
  return true;
}

std::optional<LinearForm> LinearForm::get(AffineExpr expr) {
  LinearForm form;
  if (!expr || !collectTerms(expr, 1, form))
    return std::nullopt;
  return form;
}

AffineExpr LinearForm::toExpr(MLIRContext *context) const {
  AffineExpr sum = getAffineConstantExpr(0, context);
  for (auto [base, coefficient] : terms)
    sum = sum + base * coefficient;
  return sum + constant;
}

int64_t LinearForm::coefficientOf(AffineExpr base) const {
  for (auto [other, coefficient] : terms)
    if (other == base)
      return coefficient;
  return 0;
}

//===----------------------------------------------------------------------===//
// Ranges and simplification
//===----------------------------------------------------------------------===//

AffineExpr IndexVars::create(int64_t extent) {
  vars.push_back({extent, AffineExpr()});
  return getAffineDimExpr(vars.size() - 1, context);
}

static bool isDivision(AffineExpr expr) {
  return expr.getKind() == AffineExprKind::FloorDiv ||
         expr.getKind() == AffineExprKind::Mod;
}

/// The constant positive divisor of a floordiv or mod, or 0.
static int64_t getDivisor(AffineExpr expr) {
  auto divisor =
      dyn_cast<AffineConstantExpr>(cast<AffineBinaryOpExpr>(expr).getRHS());
  return divisor && divisor.getValue() > 0 ? divisor.getValue() : 0;
}

IndexVars::Range IndexVars::getRange(AffineExpr expr) const {
  if (auto dim = dyn_cast<AffineDimExpr>(expr)) {
    int64_t extent = vars[dim.getPosition()].extent;
    if (ShapedType::isDynamic(extent))
      return {0, std::nullopt};
    return {0, extent - 1};
  }
  if (isDivision(expr)) {
    int64_t divisor = getDivisor(expr);
    if (divisor == 0)
      return {};
    if (expr.getKind() == AffineExprKind::Mod)
      return {0, divisor - 1};
    Range range = getRange(cast<AffineBinaryOpExpr>(expr).getLHS());
    for (std::optional<int64_t> *side : {&range.min, &range.max})
      if (*side)
        *side = llvm::divideFloorSigned(**side, divisor);
    return range;
  }
  std::optional<LinearForm> form = LinearForm::get(expr);
  if (!form || (form->terms.size() == 1 && form->terms[0].first == expr))
    return {};
  Range sum{form->constant, form->constant};
  for (auto [base, coefficient] : form->terms) {
    Range range = getRange(base);
    if (coefficient < 0)
      std::swap(range.min, range.max);
    auto accumulate = [&,
                       coefficient = coefficient](std::optional<int64_t> &total,
                                                  std::optional<int64_t> side) {
      int64_t product, result;
      if (!total || !side || llvm::MulOverflow(*side, coefficient, product) ||
          llvm::AddOverflow(*total, product, result))
        total = std::nullopt;
      else
        total = result;
    };
    accumulate(sum.min, range.min);
    accumulate(sum.max, range.max);
  }
  return sum;
}

/// Folds `(x floordiv c) * c * k + (x mod c) * k` into `x * k`.
static bool foldQuotientAndRemainder(LinearForm &form) {
  for (auto [mod, coefficient] : form.terms) {
    if (mod.getKind() != AffineExprKind::Mod)
      continue;
    int64_t divisor = getDivisor(mod), whole;
    AffineExpr lhs = cast<AffineBinaryOpExpr>(mod).getLHS();
    if (divisor == 0 || llvm::MulOverflow(coefficient, divisor, whole))
      continue;
    AffineExpr quotient =
        getAffineBinaryOpExpr(AffineExprKind::FloorDiv, lhs,
                              getAffineConstantExpr(divisor, lhs.getContext()));
    if (form.coefficientOf(quotient) != whole)
      continue;
    int64_t factor = coefficient;
    AffineExpr remainder = mod;
    form.add(quotient, -whole);
    form.add(remainder, -factor);
    return collectTerms(lhs, factor, form);
  }
  return false;
}

AffineExpr IndexVars::simplifyDivision(AffineExpr lhs, int64_t divisor,
                                       bool isMod) const {
  AffineExprKind kind = isMod ? AffineExprKind::Mod : AffineExprKind::FloorDiv;
  AffineExpr divisorExpr = getAffineConstantExpr(divisor, context);
  AffineExpr unchanged = getAffineBinaryOpExpr(kind, lhs, divisorExpr);
  std::optional<LinearForm> form = LinearForm::get(lhs);
  if (!form)
    return unchanged;
  // lhs = divisor * multiple + rest.
  LinearForm multiple, rest;
  int64_t gcd = divisor;
  for (auto [base, coefficient] : form->terms) {
    if (coefficient % divisor == 0) {
      multiple.add(base, coefficient / divisor);
      continue;
    }
    rest.add(base, coefficient);
    gcd = std::gcd(gcd, std::abs(coefficient));
  }
  multiple.constant = llvm::divideFloorSigned(form->constant, divisor);
  rest.constant = form->constant - multiple.constant * divisor;

  AffineExpr restExpr = rest.toExpr(context);
  Range range = getRange(restExpr);
  if (range.min && range.max && *range.min >= 0 && *range.max < divisor)
    return isMod ? restExpr : multiple.toExpr(context);
  // rest = gcd * reduced + low, with 0 <= low < gcd.
  LinearForm reduced;
  for (auto [base, coefficient] : rest.terms)
    reduced.add(base, coefficient / gcd);
  reduced.constant = rest.constant / gcd;
  int64_t low = rest.constant % gcd;
  AffineExpr inner =
      getAffineBinaryOpExpr(kind, reduced.toExpr(context),
                            getAffineConstantExpr(divisor / gcd, context));
  return isMod ? inner * gcd + low : multiple.toExpr(context) + inner;
}

AffineExpr IndexVars::simplify(AffineExpr expr) const {
  if (auto dim = dyn_cast<AffineDimExpr>(expr)) {
    const Var &var = vars[dim.getPosition()];
    if (var.definition)
      return simplify(var.definition);
    return var.extent == 1 ? getAffineConstantExpr(0, context) : expr;
  }
  auto binary = dyn_cast<AffineBinaryOpExpr>(expr);
  if (!binary)
    return expr;
  AffineExpr lhs = simplify(binary.getLHS());
  if (isDivision(expr)) {
    int64_t divisor = getDivisor(expr);
    if (divisor == 0)
      return expr;
    return simplifyDivision(lhs, divisor,
                            expr.getKind() == AffineExprKind::Mod);
  }
  expr = getAffineBinaryOpExpr(expr.getKind(), lhs, simplify(binary.getRHS()));
  std::optional<LinearForm> form = LinearForm::get(expr);
  if (!form)
    return expr;
  while (foldQuotientAndRemainder(*form)) {
  }
  return form->toExpr(context);
}

bool IndexVars::areEqual(AffineExpr a, AffineExpr b) const {
  if (a == b)
    return true;
  auto difference = dyn_cast<AffineConstantExpr>(simplify(a - b));
  return difference && difference.getValue() == 0;
}

//===----------------------------------------------------------------------===//
// Splitting and mixed radix numbers
//===----------------------------------------------------------------------===//

bool IndexVars::splitDivided(ArrayRef<AffineExpr> exprs) {
  // Every round replaces one variable by two of smaller extent.
  for (unsigned round = 0; round < 32; ++round) {
    std::optional<std::pair<unsigned, int64_t>> split;
    bool isSplittable = true;
    for (AffineExpr expr : exprs)
      simplify(expr).walk([&](AffineExpr sub) {
        if (!isDivision(sub) || split)
          return;
        auto dim =
            dyn_cast<AffineDimExpr>(cast<AffineBinaryOpExpr>(sub).getLHS());
        if (!dim) // A division inside of it, if any, has been seen before.
          isSplittable = false;
        else
          split = {dim.getPosition(), getDivisor(sub)};
      });
    if (!split)
      return isSplittable;
    auto [var, inner] = *split;
    int64_t extent = vars[var].extent;
    if (inner == 0 || (!ShapedType::isDynamic(extent) && extent % inner != 0))
      return false;
    int64_t outer =
        ShapedType::isDynamic(extent) ? ShapedType::kDynamic : extent / inner;
    AffineExpr outerVar = create(outer), innerVar = create(inner);
    vars[var].definition = outerVar * inner + innerVar;
  }
  return false;
}

std::optional<Digits> IndexVars::toDigits(AffineExpr expr) const {
  std::optional<LinearForm> form = LinearForm::get(simplify(expr));
  if (!form || form->constant != 0)
    return std::nullopt;
  llvm::sort(form->terms, [](auto &a, auto &b) { return a.second < b.second; });
  Digits digits;
  int64_t radix = 1;
  for (auto [base, coefficient] : form->terms) {
    auto dim = dyn_cast<AffineDimExpr>(base);
    if (!dim || coefficient != radix)
      return std::nullopt;
    digits.insert(digits.begin(), dim.getPosition());
    int64_t extent = getExtent(dim.getPosition());
    // Nothing can be more significant than a variable of unknown extent.
    if (ShapedType::isDynamic(extent))
      radix = -1;
    else if (llvm::MulOverflow(radix, extent, radix))
      return std::nullopt;
  }
  return digits;
}

AffineExpr IndexVars::fromDigits(ArrayRef<unsigned> digits) const {
  AffineExpr expr = getAffineConstantExpr(0, context);
  for (unsigned var : digits)
    expr = expr * getExtent(var) + getAffineDimExpr(var, context);
  return expr;
}

int64_t IndexVars::getExtent(const Digits &digits) const {
  int64_t product = 1;
  for (unsigned var : digits) {
    if (ShapedType::isDynamic(getExtent(var)))
      return ShapedType::kDynamic;
    if (llvm::MulOverflow(product, getExtent(var), product))
      return ShapedType::kDynamic;
  }
  return product;
}
