//===- Tile.h - The diffattn_tile dialect -----------------------*- C++ -*-===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

// Umbrella header: dialect, layouts, types and ops. docs/tile-dialect.md
// teaches the ideas, docs/reference says what each op means.

#ifndef DIFFATTN_DIALECT_TILE_IR_TILE_H
#define DIFFATTN_DIALECT_TILE_IR_TILE_H

#include "diffattn/Dialect/Tile/IR/Layout.h"

#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Dialect.h"
#include "mlir/IR/IntegerSet.h"
#include "mlir/IR/OpDefinition.h"
#include "mlir/IR/TensorEncoding.h"
#include "mlir/Interfaces/InferTypeOpInterface.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

#include "diffattn/Dialect/Tile/IR/TileDialect.h.inc"

#include "diffattn/Dialect/Tile/IR/TileEnums.h.inc"

#define GET_ATTRDEF_CLASSES
#include "diffattn/Dialect/Tile/IR/TileAttrs.h.inc"

#define GET_TYPEDEF_CLASSES
#include "diffattn/Dialect/Tile/IR/TileTypes.h.inc"

#define GET_OP_CLASSES
#include "diffattn/Dialect/Tile/IR/TileOps.h.inc"

namespace mlir::diffattn::tile {

/// A team is a warpgroup.
inline constexpr int64_t teamWarps = 4;

/// The layout of a tensor, null before layouts are assigned, and for what is no
/// tensor.
inline FragmentAttr getLayout(Type type) {
  auto tensor = dyn_cast<RankedTensorType>(type);
  return tensor ? dyn_cast_if_present<FragmentAttr>(tensor.getEncoding())
                : FragmentAttr();
}
inline FragmentAttr getLayout(Value value) {
  return getLayout(value.getType());
}

/// Discardable attributes of the kernel, a gpu.func.
namespace attr {
/// Bytes of shared memory, an i64 written by diffattn-tile-allocate.
inline constexpr llvm::StringLiteral sharedBytes = "diffattn_tile.shared_bytes";
/// Factors of the number of thread blocks, an array of dictionaries as in the
/// manifest.
inline constexpr llvm::StringLiteral grid = "diffattn_tile.grid";
/// Number of warps, an i64 of the schedule.
inline constexpr llvm::StringLiteral warps = "diffattn_tile.warps";
/// Teams of a thread block that compute neighbouring tiles with keys and values
/// in common, an i64 of the schedule.
inline constexpr llvm::StringLiteral teams = "diffattn_tile.teams";
/// Blocks that copy keys and values to each other, an i64 of the schedule; one
/// if left out.
inline constexpr llvm::StringLiteral cluster = "diffattn_tile.cluster";
/// In which order teams compute, a string of the schedule: "overlap", "turns"
/// or "sections" (diffattn-tile-take-turns).
inline constexpr llvm::StringLiteral order = "diffattn_tile.order";
/// Unit attribute: launched with at most one wave of blocks, which go through
/// the tiles of the grid themselves.
inline constexpr llvm::StringLiteral persistent = "diffattn_tile.persistent";
/// Of a tensor map: a dictionary of `argument`, the number of the parameter
/// that it describes, and `dims`, the dimensions of that parameter in the order
/// of the map's box.
inline constexpr llvm::StringLiteral map = "diffattn_tile.map";
/// Unit attribute of the last parameter, a memref<2xi32>: zero when the kernel
/// starts and when it has ended. How many tiles have been drawn, and how many
/// blocks have finished.
inline constexpr llvm::StringLiteral counters = "diffattn_tile.counters";
/// Slots of each ring of staged operands, an i64 of the schedule.
inline constexpr llvm::StringLiteral stages = "diffattn_tile.stages";
/// Unit attribute of a loop over the iterations that masks cut
/// (diffattn-tile-peel-masks).
inline constexpr llvm::StringLiteral cut = "diffattn_tile.cut";
/// Unit attribute of a kernel whose parameters may begin anywhere, and their
/// rows too: threads access one element of them at a time.
inline constexpr llvm::StringLiteral elementwise = "diffattn_tile.elementwise";
/// Of a parameter: "read" or "write".
inline constexpr llvm::StringLiteral access = "diffattn_tile.access";
/// Of a written parameter: the number of the function result, an i64.
inline constexpr llvm::StringLiteral result = "diffattn_tile.result";
} // namespace attr

} // namespace mlir::diffattn::tile

#endif // DIFFATTN_DIALECT_TILE_IR_TILE_H
