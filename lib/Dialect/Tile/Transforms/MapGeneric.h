//===- MapGeneric.h - linalg.generic on tiles as tile ops -------*- C++ -*-===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef DIFFATTN_LIB_DIALECT_TILE_TRANSFORMS_MAPGENERIC_H
#define DIFFATTN_LIB_DIALECT_TILE_TRANSFORMS_MAPGENERIC_H

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/IR/IRMapping.h"

namespace mlir::diffattn::tile {

/// The tile that stands for a tensor: without its unit dimensions.
RankedTensorType getTileType(Type tensor);

/// A tile of one value, a constant if the value is.
Value createSplat(OpBuilder &builder, Location loc, Value value,
                  RankedTensorType type);

/// Builds tile ops that compute what `generic` does from the tiles that
/// `mapping` holds for its operands, and maps its results.
LogicalResult mapGeneric(linalg::GenericOp generic, OpBuilder &builder,
                         IRMapping &mapping);

} // namespace mlir::diffattn::tile

#endif // DIFFATTN_LIB_DIALECT_TILE_TRANSFORMS_MAPGENERIC_H
