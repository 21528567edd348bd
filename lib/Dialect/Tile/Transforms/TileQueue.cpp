//===- TileQueue.cpp - Tiles from the producer to the teams ---------------===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "TileQueue.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "llvm/Support/MathExtras.h"
#include <limits>

using namespace mlir;
using namespace mlir::diffattn::tile;

SmallVector<Position> mlir::diffattn::tile::getPositions(ValueRange values) {
  SmallVector<Position> positions;
  for (size_t i = 0; i < values.size(); i += 2)
    positions.push_back({values[i], values[i + 1]});
  return positions;
}

SmallVector<Value>
mlir::diffattn::tile::getValues(ArrayRef<Position> positions) {
  SmallVector<Value> values;
  for (Position position : positions)
    values.append({position.slot, position.phase});
  return values;
}

Position mlir::diffattn::tile::advance(OpBuilder &builder, Location loc,
                                       int64_t depth, Position position) {
  auto createI32 = [&](int64_t value) -> Value {
    return arith::ConstantIntOp::create(builder, loc, value, 32);
  };
  if (depth == 1)
    return {position.slot,
            arith::XOrIOp::create(builder, loc, position.phase, createI32(1))};
  Value next = arith::AddIOp::create(builder, loc, position.slot, createI32(1));
  Value wraps = arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::eq,
                                      next, createI32(depth));
  Value turn =
      arith::ExtUIOp::create(builder, loc, builder.getI32Type(), wraps);
  return {arith::SelectOp::create(builder, loc, wraps, createI32(0), next),
          arith::XOrIOp::create(builder, loc, position.phase, turn)};
}

//===----------------------------------------------------------------------===//
// Order
//===----------------------------------------------------------------------===//

TileQueue::TileQueue(OpBuilder &builder, gpu::GPUFuncOp kernel,
                     ValueRange sizes, int64_t teams, Value rank,
                     int64_t cluster)
    : ScalarBuilder(builder, kernel.getLoc()), kernel(kernel), teams(teams),
      cluster(cluster), rank(rank) {
  int64_t together = teams * cluster;
  for (Value size : sizes)
    blockSizes.push_back(toI32(size));
  Value teamTiles = blockSizes.back();
  Value up = create<arith::AddIOp>(teamTiles, createI32(together - 1));
  blockSizes.back() = create<arith::DivUIOp>(up, createI32(together));
  spare = create<arith::SubIOp>(
      create<arith::MulIOp>(blockSizes.back(), createI32(together)), teamTiles);
  numColumns = createI32(1);
  for (Value size : ArrayRef(blockSizes).drop_back())
    numColumns = create<arith::MulIOp>(numColumns, size);
  numTiles = create<arith::MulIOp>(numColumns, blockSizes.back());
}

void TileQueue::createSections(Value columnBytes, size_t sharing) {
  constexpr int64_t cacheBytes = 24 << 20;
  Value fitting =
      toI32(create<arith::DivUIOp>(createIndex(cacheBytes), columnBytes));
  section = create<arith::MaxSIOp>(fitting, createI32(1));
  for (Value size : ArrayRef(blockSizes).drop_back().take_back(sharing))
    section = create<arith::MulIOp>(section, size);
  section = create<arith::MinSIOp>(section, numColumns);
  unsigned number = kernel.getNumArguments();
  (void)kernel.insertArgument(
      number, MemRefType::get({2}, builder.getI32Type()), {}, loc);
  kernel.setArgAttr(number, attr::counters, builder.getUnitAttr());
  counters = kernel.getArgument(number);
}

SmallVector<Value> TileQueue::createCoordinates(Value tile) {
  Value tilesPerColumn = blockSizes.back(), column, fromEnd;
  if (section) {
    Value sectionTiles = create<arith::MulIOp>(section, tilesPerColumn);
    Value number = create<arith::DivUIOp>(tile, sectionTiles);
    Value within = create<arith::RemUIOp>(tile, sectionTiles);
    Value first = create<arith::MulIOp>(number, section);
    // The last section may be smaller.
    Value width = create<arith::MinSIOp>(
        section, create<arith::SubIOp>(numColumns, first));
    fromEnd = create<arith::DivUIOp>(within, width);
    column =
        create<arith::AddIOp>(first, create<arith::RemUIOp>(within, width));
  } else {
    column = create<arith::DivUIOp>(tile, tilesPerColumn);
    fromEnd = create<arith::RemUIOp>(tile, tilesPerColumn);
  }
  SmallVector<Value> coordinates(blockSizes.size());
  Value last = create<arith::SubIOp>(
      create<arith::SubIOp>(tilesPerColumn, createI32(1)), fromEnd);
  // Where the teams do not divide the tiles, the first block has some to spare,
  // not the last one, whose tiles are longest under a causal mask.
  coordinates.back() = create<arith::SubIOp>(
      create<arith::MulIOp>(last, createI32(teams * cluster)), spare);
  if (rank)
    coordinates.back() = create<arith::AddIOp>(
        coordinates.back(), create<arith::MulIOp>(rank, createI32(teams)));
  for (size_t dim = blockSizes.size() - 1; dim-- > 0;) {
    coordinates[dim] =
        dim ? create<arith::RemUIOp>(column, blockSizes[dim]) : column;
    if (dim)
      column = create<arith::DivUIOp>(column, blockSizes[dim]);
  }
  return coordinates;
}

//===----------------------------------------------------------------------===//
// Loops over tiles
//===----------------------------------------------------------------------===//

/// Tiles on their way: the one being computed and the next.
static constexpr int64_t ringDepth = 2;

void TileQueue::createRing(int64_t readers) {
  MLIRContext *context = kernel.getContext();
  // One access is of 1, 2 or 4 numbers.
  int64_t numbers = llvm::PowerOf2Ceil(blockSizes.size());
  auto layout = SharedAttr::get(context, {Digit{0, numbers}}, /*swizzle=*/0);
  ring = AllocOp::create(builder, loc,
                         BufferType::get(context, ringDepth, {numbers},
                                         builder.getI32Type(), layout),
                         /*offset=*/IntegerAttr());
  auto type = BarriersType::get(context, ringDepth);
  full = BarriersOp::create(builder, loc, type, 1, IntegerAttr());
  empty = BarriersOp::create(builder, loc, type, readers, IntegerAttr());
}

scf::WhileOp TileQueue::createWhile(ArrayRef<Value> inits,
                                    TypeRange bodyTypes) {
  auto loop = scf::WhileOp::create(builder, loc, bodyTypes, inits);
  OpBuilder::InsertionGuard guard(builder);
  TypeRange types = ValueRange(inits).getTypes();
  builder.createBlock(&loop.getBefore(), {}, types,
                      SmallVector<Location>(types.size(), loc));
  builder.createBlock(&loop.getAfter(), {}, bodyTypes,
                      SmallVector<Location>(bodyTypes.size(), loc));
  return loop;
}

/// The last coordinate where there is no further tile.
static constexpr int64_t noTile = std::numeric_limits<int32_t>::min();

Value TileQueue::perCluster(Value value) {
  return cluster > 1 ? create<arith::DivUIOp>(value, createI32(cluster))
                     : value;
}

TileLoop TileQueue::createGivingLoop(size_t rings) {
  // The number of the tile, then positions.
  SmallVector<Value> inits = {perCluster(
      toI32(gpu::BlockIdOp::create(builder, loc, gpu::Dimension::x)))};
  SmallVector<Position> start(rings + 1, {createI32(0), createI32(1)});
  llvm::append_range(inits, getValues(start));
  size_t rank = blockSizes.size();
  SmallVector<Type> types(inits.size() + rank, builder.getI32Type());
  scf::WhileOp loop = createWhile(inits, types);
  builder.setInsertionPointToStart(loop.getBeforeBody());
  SmallVector<Value> carried(loop.getBeforeArguments());
  Value tile = carried[0];
  Position place = {carried[1], carried[2]};
  Value more = create<arith::CmpIOp>(arith::CmpIPredicate::slt, tile, numTiles);
  Value some = arith::SelectOp::create(builder, loc, more, tile, createI32(0));
  SmallVector<Value> coordinates = createCoordinates(some);
  coordinates.back() = arith::SelectOp::create(
      builder, loc, more, coordinates.back(), createI32(noTile));
  // The teams are told of the end, too.
  WaitOp::create(builder, loc, empty, place.slot, place.phase);
  Value slot = SlotOp::create(builder, loc, ring, toIndex(place.slot));
  SmallVector<Value> numbers = coordinates;
  numbers.resize(llvm::PowerOf2Ceil(rank), createI32(0));
  WriteScalarsOp::create(builder, loc, numbers, slot);
  ArriveOp::create(builder, loc, full, place.slot);
  place = advance(builder, loc, ringDepth, place);
  carried[1] = place.slot;
  carried[2] = place.phase;
  llvm::append_range(carried, coordinates);
  scf::ConditionOp::create(builder, loc, more, carried);

  builder.setInsertionPointToStart(loop.getAfterBody());
  // On its way while this tile is being copied.
  if (counters)
    drawn = FetchAddOp::create(builder, loc, counters, createIndex(0),
                               createI32(1));
  ValueRange arguments = loop.getAfterArguments();
  return {loop.getAfterBody(),
          SmallVector<Value>(arguments.take_back(rank)),
          {arguments[1], arguments[2]},
          getPositions(arguments.drop_back(rank).drop_front(3))};
}

void TileQueue::finishGivingLoop(TileLoop &tiles) {
  Value tile = tiles.body->getArgument(0);
  Value stride = perCluster(
      toI32(gpu::GridDimOp::create(builder, loc, gpu::Dimension::x)));
  // The first tile of each block was its number.
  Value before =
      drawn ? UniformOp::create(builder, loc, drawn).getResult() : tile;
  SmallVector<Value> values = {create<arith::AddIOp>(before, stride),
                               tiles.place.slot, tiles.place.phase};
  llvm::append_range(values, getValues(tiles.positions));
  scf::YieldOp::create(builder, loc, values);
  if (!drawn)
    return;

  // The last block puts the counters back for the next launch.
  builder.setInsertionPointAfter(tiles.body->getParentOp());
  Value one = createI32(1), zero = createI32(0);
  Value others =
      FetchAddOp::create(builder, loc, counters, createIndex(1), one);
  Value finished = create<arith::AddIOp>(others, one);
  Value blocks = toI32(gpu::GridDimOp::create(builder, loc, gpu::Dimension::x));
  Value isLast = arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::eq,
                                       finished, blocks);
  auto branch = scf::IfOp::create(builder, loc, isLast, /*withElse=*/false);
  builder.setInsertionPointToStart(branch.thenBlock());
  for (int64_t i = 0; i < 2; ++i)
    memref::StoreOp::create(builder, loc, zero, counters, createIndex(i));
}

TileLoop TileQueue::createTakingLoop(size_t rings, bool isTeam) {
  SmallVector<Position> start(rings + 1, {createI32(0), createI32(0)});
  SmallVector<Value> inits = getValues(start);
  size_t rank = blockSizes.size();
  SmallVector<Type> types(inits.size() + rank, builder.getI32Type());
  scf::WhileOp loop = createWhile(inits, types);
  builder.setInsertionPointToStart(loop.getBeforeBody());
  SmallVector<Value> carried(loop.getBeforeArguments());
  Position place = {carried[0], carried[1]};
  WaitOp::create(builder, loc, full, place.slot, place.phase);
  Value slot = SlotOp::create(builder, loc, ring, toIndex(place.slot));
  SmallVector<Type> numbers(llvm::PowerOf2Ceil(rank), builder.getI32Type());
  auto read = ReadScalarsOp::create(builder, loc, numbers, slot);
  SmallVector<Value> coordinates(read.getValues().take_front(rank));
  // Bounds of loops follow from it: the assembler must see that it is the same
  // in a warp.
  coordinates.back() = UniformOp::create(builder, loc, coordinates.back());
  // The arrival of one thread must not overtake another one's reading.
  if (isTeam)
    TeamBarrierOp::create(builder, loc);
  ArriveOp::create(builder, loc, empty, place.slot);
  place = advance(builder, loc, ringDepth, place);
  carried[0] = place.slot;
  carried[1] = place.phase;
  llvm::append_range(carried, coordinates);
  Value more = arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::ne,
                                     coordinates.back(), createI32(noTile));
  scf::ConditionOp::create(builder, loc, more, carried);

  builder.setInsertionPointToStart(loop.getAfterBody());
  ValueRange arguments = loop.getAfterArguments();
  return {loop.getAfterBody(),
          SmallVector<Value>(arguments.take_back(rank)),
          {arguments[0], arguments[1]},
          getPositions(arguments.drop_back(rank).drop_front(2))};
}
