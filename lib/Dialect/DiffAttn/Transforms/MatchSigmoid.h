//===- MatchSigmoid.h - The logistic function, as written -------*- C++ -*-===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef DIFFATTN_LIB_TRANSFORMS_MATCHSIGMOID_H
#define DIFFATTN_LIB_TRANSFORMS_MATCHSIGMOID_H

#include "MatchExpr.h"

namespace mlir::diffattn {

/// The `x` of sigmoid(x), null if `e` is none. Understands 1 / (1 + exp(-x)),
/// exp(x) / (1 + exp(x)) and (1 + tanh(x / 2)) / 2, in any operand order.
Expr matchSigmoid(Tracer &tracer, Expr e);

/// The `x` of 1 + exp(-x), the denominator of a sigmoid.
Expr matchSigmoidDenominator(Tracer &tracer, Expr e);

} // namespace mlir::diffattn

#endif // DIFFATTN_LIB_TRANSFORMS_MATCHSIGMOID_H
