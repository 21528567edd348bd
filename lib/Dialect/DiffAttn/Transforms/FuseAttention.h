//===- FuseAttention.h - Rewrites of the fuse pass --------------*- C++ -*-===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef DIFFATTN_LIB_TRANSFORMS_FUSEATTENTION_H
#define DIFFATTN_LIB_TRANSFORMS_FUSEATTENTION_H

#include "MatchPair.h"
#include "mlir/IR/PatternMatch.h"

namespace mlir::diffattn {

/// Replaces `result` by a plain attention op as `match` says.
AttentionOp raiseAttention(RewriterBase &rewriter, const IndexVars &vars,
                           Value result, const AttentionMatch &match);

/// Replaces `match.difference` by the output of a fused attention op.
AttentionOp fusePair(RewriterBase &rewriter, const IndexVars &vars,
                     const PairMatch &match);

} // namespace mlir::diffattn

#endif // DIFFATTN_LIB_TRANSFORMS_FUSEATTENTION_H
