//===- MatchRoles.h - What the dimensions of attention mean -----*- C++ -*-===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef DIFFATTN_LIB_TRANSFORMS_MATCHROLES_H
#define DIFFATTN_LIB_TRANSFORMS_MATCHROLES_H

#include "MatchAttention.h"

namespace mlir::diffattn {

/// The variables with a role of their own. `row` is absent for a single row.
struct Roles {
  unsigned key, headDim;
  std::optional<unsigned> row;
};

struct OperandSources {
  const Source *query, *key, *value;
};

/// Variables whose role the computation has already determined; `row`, known
/// from the mask, may be null.
struct KnownVars {
  AffineExpr key, headDim, row;
};

/// Gives every dimension of the sources a role and fills in `match`'s operands
/// and layouts. Variables are told apart by where they occur (batch and KV
/// heads in all of query, key and value; rows and heads of a group in query
/// alone; value dimensions in value alone) and, where that leaves a choice, by
/// the two usual orders, tokens before heads and heads before tokens.
std::optional<Roles> assignRoles(IndexVars &vars, const OperandSources &sources,
                                 ArrayRef<AffineExpr> output,
                                 const KnownVars &known, AttentionMatch &match);

} // namespace mlir::diffattn

#endif // DIFFATTN_LIB_TRANSFORMS_MATCHROLES_H
