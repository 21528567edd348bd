//===- MatchSigmoid.cpp - The logistic function, as written ---------------===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "MatchSigmoid.h"

#include "MatchSoftmax.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;
using namespace mlir::diffattn;

/// The other operand of a commutative OpTy with the constant `value`.
template <typename OpTy>
static Expr matchWithConstant(Tracer &tracer, const Expr &e, double value) {
  auto operands = matchBinary<OpTy>(tracer, tracer.resolveCasts(e));
  if (!operands)
    return {};
  auto isValue = [&](const Expr &operand) {
    std::optional<double> constant = tracer.constantFloat(operand);
    return constant && *constant == value;
  };
  if (isValue(operands->first))
    return operands->second;
  return isValue(operands->second) ? operands->first : Expr();
}

/// The `x` of -x: a negation, 0 - x, or -1 * x.
static Expr matchNegation(Tracer &tracer, Expr e) {
  e = tracer.resolveCasts(e);
  if (definedBy<arith::NegFOp>(e))
    return tracer.operand(e, 0);
  if (auto operands = matchBinary<arith::SubFOp>(tracer, e)) {
    std::optional<double> zero = tracer.constantFloat(operands->first);
    return zero && *zero == 0 ? operands->second : Expr();
  }
  return matchWithConstant<arith::MulFOp>(tracer, e, -1);
}

static Expr matchExp(Tracer &tracer, Expr e) {
  e = tracer.resolveCasts(e);
  return definedBy<math::ExpOp>(e) ? tracer.operand(e, 0) : Expr();
}

Expr mlir::diffattn::matchSigmoidDenominator(Tracer &tracer, Expr e) {
  Expr exp = matchWithConstant<arith::AddFOp>(tracer, e, 1);
  Expr negated = exp ? matchExp(tracer, exp) : Expr();
  return negated ? matchNegation(tracer, negated) : Expr();
}

/// 0.5 * tanh(0.5 * x) + 0.5, or 0.5 * (tanh(0.5 * x) + 1).
static Expr matchTanhForm(Tracer &tracer, const Expr &e) {
  Expr tanh;
  if (Expr scaled = matchWithConstant<arith::AddFOp>(tracer, e, 0.5))
    tanh = matchWithConstant<arith::MulFOp>(tracer, scaled, 0.5);
  else if (Expr shifted = matchWithConstant<arith::MulFOp>(tracer, e, 0.5))
    tanh = matchWithConstant<arith::AddFOp>(tracer, shifted, 1);
  tanh = tracer.resolveCasts(tanh);
  if (!definedBy<math::TanhOp>(tanh))
    return {};
  return matchWithConstant<arith::MulFOp>(tracer, tracer.operand(tanh, 0), 0.5);
}

Expr mlir::diffattn::matchSigmoid(Tracer &tracer, Expr e) {
  e = tracer.resolveCasts(e);
  auto quotient = matchBinary<arith::DivFOp>(tracer, e);
  if (!quotient)
    return matchTanhForm(tracer, e);
  if (tracer.constantFloat(quotient->first).value_or(0) == 1)
    return matchSigmoidDenominator(tracer, quotient->second);
  // exp(x) / (1 + exp(x))
  Expr argument = matchExp(tracer, quotient->first);
  Expr exp = matchWithConstant<arith::AddFOp>(tracer, quotient->second, 1);
  Expr other = exp ? matchExp(tracer, exp) : Expr();
  if (argument && other && tracer.areEqual(argument, other))
    return argument;
  return {};
}
