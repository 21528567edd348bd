//===- MatchAttention.h - Attention spelled out in linalg -------*- C++ -*-===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Recognises scaled dot product attention in ordinary ops. Analysis only: the
// result says which tensors are query, key and value, how their dimensions map
// to batch, tokens and heads, and what softmax is taken; FuseAttention.cpp
// builds the op.
//
//===----------------------------------------------------------------------===//

#ifndef DIFFATTN_LIB_TRANSFORMS_MATCHATTENTION_H
#define DIFFATTN_LIB_TRANSFORMS_MATCHATTENTION_H

#include "MatchExpr.h"
#include "diffattn/Dialect/DiffAttn/IR/DiffAttn.h"

namespace mlir::diffattn {

/// The layout of a tensor: the variables of each of its dimensions.
using Layout = SmallVector<Digits, 4>;

/// A tensor that holds an operand, and the indices it is read at.
struct Source {
  Value tensor;
  SmallVector<AffineExpr, 4> at;
  /// Constant factor between the tensor and the operand.
  double scale = 1;
};

/// All tensors from which `e` is only a view, a float conversion and a constant
/// factor away, the one nearest to the producer last.
SmallVector<Source> collectSources(Tracer &tracer, Expr e);

/// `source`'s dimensions as variables, if the indices run over all of it.
std::optional<Layout> getLayout(const IndexVars &vars, const Source &source);

struct AttentionMatch {
  Value query, key, value;
  Layout queryLayout, keyLayout, valueLayout;
  /// The same in the operator's order: (batch, tokens, heads, head dimension).
  Layout queryTarget, keyTarget, valueTarget, outputTarget;
  /// The layout of the value that is replaced.
  Layout resultLayout;
  std::optional<double> scale; ///< empty for 1/sqrt(head dimension)
  std::optional<double> softcap;
  MaskAttr mask;
};

/// Matches `result`, a value of a structured op, as the output of attention.
/// On failure `reason` is empty if it looks nothing like one, and otherwise
/// names the first condition that does not hold.
std::optional<AttentionMatch> matchAttention(Tracer &tracer, Value result,
                                             std::string &reason);

} // namespace mlir::diffattn

#endif // DIFFATTN_LIB_TRANSFORMS_MATCHATTENTION_H
