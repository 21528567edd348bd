//===- DiffAttn.h - The diffattn dialect ------------------------*- C++ -*-===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Umbrella header: dialect, attributes and ops. What the ops mean is said in
// DiffAttnOps.td and docs/reference; why they look like this in
// docs/rationale.md.
//
//===----------------------------------------------------------------------===//

#ifndef DIFFATTN_DIALECT_DIFFATTN_IR_DIFFATTN_H
#define DIFFATTN_DIALECT_DIFFATTN_IR_DIFFATTN_H

#include "mlir/Dialect/Linalg/IR/LinalgInterfaces.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Dialect.h"
#include "mlir/IR/OpDefinition.h"
#include "mlir/Interfaces/DestinationStyleOpInterface.h"
#include "mlir/Interfaces/InferTypeOpInterface.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "mlir/Interfaces/TilingInterface.h"
#include <optional>

#include "diffattn/Dialect/DiffAttn/IR/DiffAttnDialect.h.inc"

#define GET_ATTRDEF_CLASSES
#include "diffattn/Dialect/DiffAttn/IR/DiffAttnAttrs.h.inc"

#define GET_OP_CLASSES
#include "diffattn/Dialect/DiffAttn/IR/DiffAttnOps.h.inc"

namespace mlir::diffattn {

/// The divisor of `n` nearest to `value`, the smaller one of two at the same
/// distance: the suggestion in messages about sizes that must divide `n`.
int64_t getNearestDivisor(int64_t n, int64_t value);

} // namespace mlir::diffattn

#endif // DIFFATTN_DIALECT_DIFFATTN_IR_DIFFATTN_H
