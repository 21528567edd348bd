//===- MatchExpr.h - One element of a tensor, as an expression --*- C++ -*-===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Producers write the same computation in many shapes: one fused
// linalg.generic or ten, named ops, reshapes and transposes in between. Read
// element by element the difference disappears: an `Expr` is a value together
// with the indices it is taken at, and `Tracer::step` walks from the element of
// a tensor to the scalar that defines it, through bodies of structured ops,
// reshapes, slices and broadcasts. Matchers see only the scalar operations, and
// so need no normalised input.
//
//===----------------------------------------------------------------------===//

#ifndef DIFFATTN_LIB_TRANSFORMS_MATCHEXPR_H
#define DIFFATTN_LIB_TRANSFORMS_MATCHEXPR_H

#include "MatchIndex.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/IR/Value.h"
#include "llvm/ADT/SetVector.h"

namespace mlir::diffattn {

/// A scalar: element `at` of a tensor, or a value inside the body of a
/// structured op at the point `at` of its loops, or (`at` unused) a plain
/// scalar value. Null where something did not match.
struct Expr {
  Value value;
  SmallVector<AffineExpr, 4> at;

  explicit operator bool() const { return static_cast<bool>(value); }
  bool isTensor() const { return isa<RankedTensorType>(value.getType()); }
  Type getElementType() const { return getElementTypeOrSelf(value.getType()); }
};

/// A reduction: `combiner` over the elements `body` for all values of the
/// reduced variables, starting from `init`.
struct Reduction {
  Operation *combiner = nullptr;
  Expr body, init;
};

class Tracer {
public:
  explicit Tracer(MLIRContext *context) : vars(context) {}

  IndexVars vars;
  /// Every operation that a step went through: what a match may replace.
  llvm::SetVector<Operation *> visited;

  /// Takes one unit of work; false if there is none left, and the match fails.
  /// Expressions are trees, values DAGs (or, in unreachable code, cyclic):
  /// every loop and recursion over them pays.
  bool spend();

  /// The element of `tensor` at fresh variables, one per dimension.
  Expr element(Value tensor);

  /// Walks one op towards the definition of `e`. Null where `e` is defined by a
  /// scalar operation, a reduction, a constant or nothing that is understood.
  Expr step(const Expr &e);
  /// Steps as far as possible.
  Expr resolve(Expr e);
  /// As `resolve`, and through conversions between float types too: a match
  /// computes in f32 or better whatever the producer rounded to in between.
  Expr resolveCasts(Expr e);

  /// The operand `index` of the operation that defines the resolved `e`, which
  /// is a scalar operation, or an elementwise operation on tensors.
  Expr operand(const Expr &e, unsigned index);

  /// Opens the reduction that defines the resolved `e`. It reduces over
  /// `bound`, or, where that is empty, over fresh variables put there.
  std::optional<Reduction> openReduction(const Expr &e,
                                         SmallVectorImpl<AffineExpr> &bound);

  /// Whether two elements are computed alike from the same values, up to float
  /// conversions.
  bool areEqual(Expr a, Expr b);

  /// The value of a constant expression.
  std::optional<double> constantFloat(Expr e);
  /// The value of an integer or index expression as a function of the
  /// variables; values that are unknown but the same for every element (the
  /// size of a dynamic dimension) become symbols.
  std::optional<AffineExpr> affineInt(Expr e);
  /// The size of a dimension of `tensor` as such an expression: a constant, or
  /// a symbol that has provably its value. Null if unknown.
  AffineExpr getSizeExpr(Value tensor, int64_t dim);

private:
  Expr stepTensor(const Expr &e, Operation *def);
  bool areEqualImpl(Expr a, Expr b, unsigned depth);
  std::optional<double> constantFloatImpl(Expr e, unsigned depth);
  std::optional<AffineExpr> affineIntImpl(Expr e, unsigned depth);

  llvm::SetVector<Value> symbols;
  unsigned budget = 1 << 16;
};

/// The operation of type OpTy that defines the resolved `e`, if any.
template <typename OpTy>
OpTy definedBy(const Expr &e) {
  return e ? e.value.getDefiningOp<OpTy>() : OpTy();
}

/// If the resolved `e` is a binary OpTy, its operands.
template <typename OpTy>
std::optional<std::pair<Expr, Expr>> matchBinary(Tracer &tracer,
                                                 const Expr &e) {
  if (!definedBy<OpTy>(e))
    return std::nullopt;
  return std::make_pair(tracer.operand(e, 0), tracer.operand(e, 1));
}

} // namespace mlir::diffattn

#endif // DIFFATTN_LIB_TRANSFORMS_MATCHEXPR_H
