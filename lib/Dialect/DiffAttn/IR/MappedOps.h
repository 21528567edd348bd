//===- MappedOps.h - Operand tables of the mapped ops -----------*- C++ -*-===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The tables that drive verification, tiling and decomposition of
// `online_attention` and `finalize`: each operand with the iteration
// dimensions that index it.
//
//===----------------------------------------------------------------------===//

#ifndef DIFFATTN_LIB_DIALECT_DIFFATTN_IR_MAPPEDOPS_H
#define DIFFATTN_LIB_DIALECT_DIFFATTN_IR_MAPPEDOPS_H

#include "OpUtils.h"

namespace mlir::diffattn {

SmallVector<MappedOperand> getMappedOperands(OnlineAttentionOp op);
SmallVector<MappedOperand> getMappedOperands(FinalizeOp op);

} // namespace mlir::diffattn

#endif // DIFFATTN_LIB_DIALECT_DIFFATTN_IR_MAPPEDOPS_H
