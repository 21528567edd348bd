//===- MatchPair.h - Gated difference of two branches -----------*- C++ -*-===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef DIFFATTN_LIB_TRANSFORMS_MATCHPAIR_H
#define DIFFATTN_LIB_TRANSFORMS_MATCHPAIR_H

#include "MatchAttention.h"

namespace mlir::diffattn {

/// `signal - sigmoid(lambda) * noise`, both branches plain attention.
struct PairMatch {
  /// What the fused op computes: the difference, or `no key ? 0 : difference`.
  Value difference;
  /// The op of both branches; or the signal's, with `noise` the other one's.
  AttentionOp attention, noise;
  Value lambda;
  Layout lambdaLayout, lambdaTarget, outputTarget;
  /// The layout of the loops around the subtraction.
  Layout resultLayout;
};

/// Matches `difference`, the result of an addition or subtraction in the body
/// of a structured op or on tensors. On failure `reason` is empty if it is not
/// between two attention results, and otherwise names the first condition that
/// does not hold, with a way to mend it.
std::optional<PairMatch> matchPair(Tracer &tracer, Value difference,
                                   std::string &reason);

} // namespace mlir::diffattn

#endif // DIFFATTN_LIB_TRANSFORMS_MATCHPAIR_H
