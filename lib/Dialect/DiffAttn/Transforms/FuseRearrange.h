//===- FuseRearrange.h - Reshape and transpose by layout --------*- C++ -*-===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef DIFFATTN_LIB_TRANSFORMS_FUSEREARRANGE_H
#define DIFFATTN_LIB_TRANSFORMS_FUSEREARRANGE_H

#include "MatchAttention.h"

namespace mlir::diffattn {

/// Brings `tensor`, whose dimensions are `from`, into the order `to` of the
/// same variables: tensor.expand_shape, linalg.transpose and
/// tensor.collapse_shape, each only where needed, and nothing at all if the
/// layouts agree. (einops' rearrange.)
Value rearrange(OpBuilder &b, Location loc, const IndexVars &vars, Value tensor,
                const Layout &from, const Layout &to);

} // namespace mlir::diffattn

#endif // DIFFATTN_LIB_TRANSFORMS_FUSEREARRANGE_H
