//===- MatchMask.h - Which keys a mask expression shows ---------*- C++ -*-===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Masks are not matched by their syntax. The boolean that guards a score is
// evaluated symbolically, as a formula of affine inequalities over row and key
// (`row - key >= 0` is causal), and the formula is then read as a band. Iota
// tensors, index arithmetic in any integer type, inverted, combined and
// broadcast masks all evaluate to the same inequalities.
//
//===----------------------------------------------------------------------===//

#ifndef DIFFATTN_LIB_TRANSFORMS_MATCHMASK_H
#define DIFFATTN_LIB_TRANSFORMS_MATCHMASK_H

#include "MatchExpr.h"

namespace mlir::diffattn {

/// A conjunction or disjunction of inequalities `atom >= 0`. The empty
/// conjunction is true, the empty disjunction false.
struct Formula {
  bool isAll = true;
  SmallVector<AffineExpr, 2> atoms;

  static Formula constant(bool value) { return {value, {}}; }
  bool isTrue() const { return isAll && atoms.empty(); }
  bool isFalse() const { return !isAll && atoms.empty(); }
  Formula negate() const;
};

/// Evaluates an i1 expression; fails on anything that depends on data.
std::optional<Formula> evaluateFormula(Tracer &tracer, Expr e);

/// Whether `value` hides a score of type `type` completely: -inf, the lowest
/// finite number of a float type, or a number close to that of f32.
bool isMaskFill(double value, Type type);

/// An additive mask, `visible ? 0 : fill`: the formula of visible. `fill` is
/// set to the number added to hidden scores.
std::optional<Formula> matchAdditiveMask(Tracer &tracer, Expr e, double &fill);

/// A band of keys around the diagonal of top-left aligned positions:
/// `row - left <= key <= row + right`. Bounds are affine over symbols; a null
/// one is open.
struct Band {
  AffineExpr left, right;
  /// The variable of the rows; null where no bound mentions it.
  AffineExpr row;
};

/// Reads the conjunction of `masks` as a band over `key` and one other
/// variable. On failure `reason` says what the mask holds that no band has.
std::optional<Band> matchBand(Tracer &tracer, ArrayRef<Formula> masks,
                              AffineExpr key, std::string &reason);

} // namespace mlir::diffattn

#endif // DIFFATTN_LIB_TRANSFORMS_MATCHMASK_H
