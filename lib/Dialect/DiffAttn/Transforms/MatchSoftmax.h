//===- MatchSoftmax.h - Softmax and scores ----------------------*- C++ -*-===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The middle of an attention: weights that are a softmax over the keys, and the
// scores under it. Each matcher takes apart one layer and hands on what lies
// below; constants that scale are multiplied together wherever they stand.
//
//===----------------------------------------------------------------------===//

#ifndef DIFFATTN_LIB_TRANSFORMS_MATCHSOFTMAX_H
#define DIFFATTN_LIB_TRANSFORMS_MATCHSOFTMAX_H

#include "MatchExpr.h"
#include "MatchMask.h"

namespace mlir::diffattn {

/// `e` as a sum over fresh or given variables, from 0; null if it is not one.
Expr matchSum(Tracer &tracer, Expr e, SmallVectorImpl<AffineExpr> &bound);

/// The factors of a product, constants multiplied together apart.
struct Product {
  SmallVector<Expr, 2> factors;
  double constant = 1;
};
Product matchProduct(Tracer &tracer, Expr e);

/// `numerator / denominator`, also written as a product with a reciprocal.
std::optional<std::pair<Expr, Expr>> matchQuotient(Tracer &tracer, Expr e);

/// exp(score - max of the scores), the weight of a key before normalisation.
struct Exponential {
  Expr value, scores;
  /// Whether it is 2^x: the scores then carry a factor log2(e).
  bool isBaseTwo = false;
};
std::optional<Exponential> matchExponential(Tracer &tracer, Expr e,
                                            AffineExpr key);

/// Takes `rowIsEmpty ? 0 : x` apart into the guard and `x`; without a guard,
/// `x` is `e`. `isRowEmpty` decides later, when the scores are known, whether
/// the guard is what it has to be.
Expr stripZeroGuard(Tracer &tracer, Expr e, SmallVectorImpl<Expr> &guards);

/// `numerator / row sum`, where numerator is the exponential itself or a sum of
/// its products. Collects guards; null unless the division is of this kind.
Expr matchNormalised(Tracer &tracer, Expr e, SmallVectorImpl<Expr> &guards,
                     Expr &rowSum);

/// Whether `e` is the sum over `key` of `exponential`.
bool isRowSum(Tracer &tracer, Expr e, const Exponential &exponential,
              AffineExpr key);

/// softcap * tanh(scale * dot / softcap), hidden where a mask says so.
struct Scores {
  double scale = 1;
  std::optional<double> softcap;
  SmallVector<Formula, 2> masks;
  /// The finite number hidden scores are set to, if it is not -inf.
  std::optional<double> finiteFill;
  /// The two factors of the dot product over `headDim`.
  Expr lhs, rhs;
  AffineExpr headDim;
};
/// Fails with `reason` set to what is in the way.
std::optional<Scores> matchScores(Tracer &tracer,
                                  const Exponential &exponential,
                                  std::string &reason);

/// Whether `guard` holds only for rows without a key: all of the row's `scores`
/// are -inf, or its position lies before key 0. `numKeys` may be null.
bool isRowEmpty(Tracer &tracer, Expr guard, const Exponential &exponential,
                const Scores &scores, AffineExpr key, AffineExpr numKeys);

} // namespace mlir::diffattn

#endif // DIFFATTN_LIB_TRANSFORMS_MATCHSOFTMAX_H
