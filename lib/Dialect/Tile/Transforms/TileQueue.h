//===- TileQueue.h - Tiles from the producer to the teams -------*- C++ -*-===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef DIFFATTN_LIB_DIALECT_TILE_TRANSFORMS_TILEQUEUE_H
#define DIFFATTN_LIB_DIALECT_TILE_TRANSFORMS_TILEQUEUE_H

#include "diffattn/Dialect/Tile/IR/Tile.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

namespace mlir::diffattn::tile {

/// Arithmetic on numbers of tiles, slots and elements.
class ScalarBuilder {
protected:
  ScalarBuilder(OpBuilder &builder, Location loc)
      : builder(builder), loc(loc) {}

  Value createI32(int64_t value) {
    return arith::ConstantIntOp::create(builder, loc, value, 32);
  }
  Value createIndex(int64_t value) {
    return arith::ConstantIndexOp::create(builder, loc, value);
  }
  Value toI32(Value value) {
    return arith::IndexCastOp::create(builder, loc, builder.getI32Type(),
                                      value);
  }
  Value toIndex(Value value) {
    return arith::IndexCastOp::create(builder, loc, builder.getIndexType(),
                                      value);
  }
  template <typename Op>
  Value create(Value lhs, Value rhs) {
    return Op::create(builder, loc, lhs, rhs);
  }
  template <typename Op, typename... Args>
  Value create(arith::CmpIPredicate predicate, Value lhs, Value rhs) {
    return Op::create(builder, loc, predicate, lhs, rhs);
  }

  OpBuilder &builder;
  Location loc;
};

/// Where one role is in a ring: two i32.
struct Position {
  Value slot, phase;
};

SmallVector<Position> getPositions(ValueRange values);
SmallVector<Value> getValues(ArrayRef<Position> positions);
/// The next position in a ring of `depth` slots.
Position advance(OpBuilder &builder, Location loc, int64_t depth,
                 Position position);

/// A loop over the tiles of a block.
struct TileLoop {
  /// Without its terminator at first.
  Block *body;
  /// i32: of the first team's tile.
  SmallVector<Value> coordinates;
  /// In the queue, and in the operands' rings.
  Position place;
  SmallVector<Position> positions;
};

/// Which tiles a block computes, and in what order: decided by the producer,
/// which leaves the coordinates of each tile in a ring for the teams.
class TileQueue : ScalarBuilder {
public:
  /// What is created now and by create* goes before the roles. `cluster` blocks
  /// compute neighbouring tiles at the same time; `rank` is this one's number
  /// among them, null if it is alone.
  TileQueue(OpBuilder &builder, gpu::GPUFuncOp kernel, ValueRange sizes,
            int64_t teams, Value rank, int64_t cluster);

  /// For tiles whose work depends on the last coordinate (a mask): the longest
  /// go first, and blocks draw the next one when they are ready. Side by side
  /// go as many columns of the grid (what differs in the last coordinate only)
  /// as have their shared operands in the L2 cache together: `columnBytes`
  /// each, which the last `sharing` other coordinates have in common.
  void createSections(Value columnBytes, size_t sharing);
  /// `readers` take each tile: the teams, and who works for them.
  void createRing(int64_t readers);

  /// The producer's loop, for `rings` operands.
  TileLoop createGivingLoop(size_t rings);
  /// Its terminator and what follows the loop.
  void finishGivingLoop(TileLoop &tiles);
  /// The loop of a team, or of one thread.
  TileLoop createTakingLoop(size_t rings, bool isTeam);

private:
  /// How many clusters `value` blocks are.
  Value perCluster(Value value);
  scf::WhileOp createWhile(ArrayRef<Value> inits, TypeRange bodyTypes);
  /// Coordinates of the first team's tile, each an i32.
  SmallVector<Value> createCoordinates(Value tile);

  gpu::GPUFuncOp kernel;
  int64_t teams, cluster;
  Value rank;
  /// i32: sizes of the grid of clusters, and their product.
  SmallVector<Value> blockSizes;
  Value numTiles;
  /// i32: how many teams of a column have no tile of their own.
  Value spare;
  /// i32: columns in all, and of a section. No section: one after the other.
  Value numColumns, section;
  /// Coordinates of tiles on their way to the teams.
  Value ring, full, empty;
  /// Where blocks draw tiles, and the last draw. Null where each takes every so
  /// many.
  Value counters, drawn;
};

} // namespace mlir::diffattn::tile

#endif // DIFFATTN_LIB_DIALECT_TILE_TRANSFORMS_TILEQUEUE_H
