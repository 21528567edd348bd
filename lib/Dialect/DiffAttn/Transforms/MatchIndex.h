//===- MatchIndex.h - Index expressions over loop variables -----*- C++ -*-===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The matchers of this directory look at one element of a tensor at a time:
// "the element at (d0, d1, d2) is exp of the element of S at (d0 floordiv 8,
// d0 mod 8, d1, d2)". The indices are affine expressions over *variables*, and
// this file is their algebra: ranges, simplification under ranges, splitting a
// flattened variable (batch and heads in one) into its parts, and reading an
// expression as a mixed radix number of variables.
//
//===----------------------------------------------------------------------===//

#ifndef DIFFATTN_LIB_TRANSFORMS_MATCHINDEX_H
#define DIFFATTN_LIB_TRANSFORMS_MATCHINDEX_H

#include "mlir/IR/AffineExpr.h"
#include "llvm/ADT/SmallVector.h"
#include <optional>
#include <utility>

namespace mlir::diffattn {

/// Variables in row-major order, most significant first: `[g, p]` is the index
/// `g * extent(p) + p`. The empty list is index 0 of a dimension of size 1.
using Digits = SmallVector<unsigned, 2>;

/// An affine expression as a sum: terms (base, coefficient), each base a
/// variable, symbol, floordiv or mod and of nonzero coefficient, and a
/// constant.
struct LinearForm {
  SmallVector<std::pair<AffineExpr, int64_t>, 4> terms;
  int64_t constant = 0;

  static std::optional<LinearForm> get(AffineExpr expr);
  void add(AffineExpr base, int64_t coefficient);
  AffineExpr toExpr(MLIRContext *context) const;
  int64_t coefficientOf(AffineExpr base) const;
};

/// The variables that index expressions range over. Variable `i` is
/// `AffineDimExpr` i and runs over [0, extent(i)).
class IndexVars {
public:
  explicit IndexVars(MLIRContext *context) : context(context) {}

  MLIRContext *getContext() const { return context; }
  unsigned size() const { return vars.size(); }

  /// Adds a variable; `extent` may be ShapedType::kDynamic.
  AffineExpr create(int64_t extent);
  int64_t getExtent(unsigned var) const { return vars[var].extent; }

  /// The smallest and largest value of `expr`; a missing side is unbounded.
  struct Range {
    std::optional<int64_t> min, max;
  };
  Range getRange(AffineExpr expr) const;

  /// Rewrites `expr` into a normal form: split variables are replaced by their
  /// parts, variables of extent 1 by 0, and divisions are resolved where the
  /// ranges allow it. Equal expressions over the same variables differ by 0.
  AffineExpr simplify(AffineExpr expr) const;
  bool areEqual(AffineExpr a, AffineExpr b) const;

  /// Splits variables until no (simplified) expression divides a variable.
  /// Fails if a division does not split its variable evenly.
  bool splitDivided(ArrayRef<AffineExpr> exprs);

  /// Reads `expr` as a mixed radix number of variables.
  std::optional<Digits> toDigits(AffineExpr expr) const;
  AffineExpr fromDigits(ArrayRef<unsigned> digits) const;
  /// The number of values that `digits` take, or kDynamic.
  int64_t getExtent(const Digits &digits) const;

private:
  /// A variable, or (with `definition`) one that was split into others.
  struct Var {
    int64_t extent;
    AffineExpr definition;
  };
  AffineExpr simplifyDivision(AffineExpr lhs, int64_t divisor,
                              bool isMod) const;

  MLIRContext *context;
  SmallVector<Var> vars;
};

} // namespace mlir::diffattn

#endif // DIFFATTN_LIB_TRANSFORMS_MATCHINDEX_H
