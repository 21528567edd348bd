//===- Specialize.cpp - A producer and teams of consumers -----------------===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The kernel's body becomes the program of the teams, in place. The producer's
// is made of slices of it: the loops that load operands, and the addresses.
//
// Both run through the same tiles in the same order, and each ring through its
// slots: all that passes between them are the two arrays of barriers of a ring.
// Slots are empty at first; a wait for the phase before the first succeeds. So
// a ring's position is a slot and a phase, which the producer starts at (0, 1)
// and the teams at (0, 0).
//
//===----------------------------------------------------------------------===//

#include "Operands.h"
#include "OutputRing.h"
#include "TileQueue.h"

#include "diffattn/Dialect/Tile/Transforms/Passes.h"
#include "diffattn/Target/HopperSchedule.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/PatternMatch.h"
#include "mlir/IR/Remarks.h"
#include "mlir/Transforms/RegionUtils.h"
#include "llvm/Support/MathExtras.h"

namespace mlir::diffattn::tile {
#define GEN_PASS_DEF_SPECIALIZEPASS
#include "diffattn/Dialect/Tile/Transforms/Passes.h.inc"
} // namespace mlir::diffattn::tile

using namespace mlir;
using namespace mlir::diffattn::tile;

namespace {

/// An operand of products, and the ring it passes through.
struct Operand {
  LoadOp load;
  /// The loop that loads it, or null: once for each tile.
  scf::ForOp loop;
  /// Each team has its own, in slots of its own.
  bool isPerTeam = false;
  /// Slots of the ring, those of each team counted apart.
  int64_t depth = 1;
  BufferType buffer;
  TensorMapAccess access;
  /// The copy engine's map, slots and barriers.
  Value map, slots, full, empty;
  /// Blocks that share the copies, or 1.
  int64_t cluster = 1;
};

/// Bounds of a loop over all teams.
struct Bounds {
  Value lower, upper;
};

class Specializer : ScalarBuilder {
public:
  Specializer(OpBuilder &builder, gpu::GPUFuncOp kernel, int64_t teams,
              int64_t stages, int64_t cluster, int64_t limit, bool storesShared)
      : ScalarBuilder(builder, kernel.getLoc()), kernel(kernel), teams(teams),
        stages(stages), cluster(cluster), limit(limit),
        storesShared(storesShared), outputs(builder, kernel, teams) {}

  LogicalResult run();

private:
  LogicalResult collectOperands();
  LogicalResult describeOperand(Operand &operand);
  /// Depths of rings, and where results go, with the shared memory there is.
  void divideMemory();
  void createRings();
  LogicalResult createTileOrder(TileQueue &queue);
  TileLoop createConsumers(Region &region, TileQueue &queue);
  void createProducer(Region &region, TileQueue &queue);
  void createStorer(Region &region, TileQueue &queue);
  void finishAttributes();
  /// The loops that load operands, in order.
  SmallVector<scf::ForOp> getLoops();

  SmallVector<Value> toIndices(ArrayRef<Value> values);
  Value createTeamCoordinate(Value first, Value team);

  // The producer.
  void copyForTeams(Operand &operand, Position &position,
                    ArrayRef<Value> coordinates);
  void createCopyLoop(scf::ForOp loop, SmallVectorImpl<Position> &positions,
                      ArrayRef<Value> coordinates);
  void createCopy(Operand &operand, Value slot, IRMapping &mapping);

  // The teams.
  /// Has products read a slot instead of the load: waits for it before the
  /// first op of the block that uses it, where `createSlot` says which one it
  /// is, and releases it after the last one.
  void readSlot(Operand &operand, Value phase,
                function_ref<Value()> createSlot);
  /// Tells whoever copies to the slot that this team has read it.
  void createRelease(Operand &operand, Value slot);
  void consumeOnce(Operand &operand, Position &position, Value team);
  void consumeInLoop(scf::ForOp loop, SmallVectorImpl<Position> &positions,
                     ArrayRef<Value> coordinates);
  /// Goes past what only other teams need.
  void createPassLoop(scf::ForOp loop, Value lower, Value upper,
                      SmallVectorImpl<Position> &positions);

  /// From the coordinates in the teams' program to those of team `team`, where
  /// the first one has `coordinates`.
  IRMapping mapToTeam(ArrayRef<Value> coordinates, Value team);
  /// Copies what computes `value` in the teams' program to here.
  Value cloneSlice(Value value, IRMapping &mapping);
  /// The union of the loop's ranges over all teams.
  Bounds createUnion(scf::ForOp loop, ArrayRef<Value> coordinates);

  gpu::GPUFuncOp kernel;
  int64_t teams, stages, cluster, limit;
  bool storesShared;
  CoordinatesOp coordinatesOp;
  /// Of this block in its cluster, or null.
  Value rank;
  std::vector<Operand> operands;
  OutputRing outputs;
  /// Whose slots take the results, or null.
  Operand *reused = nullptr;
  /// The coordinates in the teams' program, and those of the first team there.
  SmallVector<Value> teamCoordinates, firstCoordinates;
  /// The region that slices are cloned from.
  Region *source = nullptr;
};

} // namespace

//===----------------------------------------------------------------------===//
// What there is
//===----------------------------------------------------------------------===//

/// Whether `target` takes part in computing `value`.
static bool dependsOn(Value value, Value target) {
  if (value == target)
    return true;
  Operation *op = value.getDefiningOp();
  return op && !isa<CoordinatesOp>(op) &&
         llvm::any_of(op->getOperands(), [&](Value operand) {
           return dependsOn(operand, target);
         });
}

/// Whether what is loaded starts elsewhere for another `coordinate`. (How much
/// of it is valid is not asked: the copy engine knows where a tensor ends, and
/// masks hide the rest.)
static bool movesWith(LoadOp load, Value coordinate) {
  auto view = load.getSource().getDefiningOp<memref::SubViewOp>();
  return view && llvm::any_of(view.getOffsets(), [&](Value offset) {
           return dependsOn(offset, coordinate);
         });
}

LogicalResult Specializer::collectOperands() {
  Block *body = coordinatesOp->getBlock();
  WalkResult result = kernel.walk([&](LoadOp load) -> WalkResult {
    if (!feedsProducts(load))
      return WalkResult::advance();
    Operand operand;
    operand.load = load;
    if (load->getBlock() != body) {
      operand.loop = dyn_cast<scf::ForOp>(load->getParentOp());
      if (!operand.loop || operand.loop->getBlock() != body)
        return load.emitOpError("expects operands of products to be loaded for "
                                "each tile or in one loop");
    }
    operand.isPerTeam = movesWith(load, coordinatesOp.getCoordinates().back());
    if (operand.isPerTeam == static_cast<bool>(operand.loop))
      return load.emitOpError("expects operands that are loaded in a loop to "
                              "be the same for neighbouring tiles, and only "
                              "those");
    operand.depth = operand.isPerTeam ? 1 : stages;
    operand.cluster = operand.isPerTeam ? 1 : cluster;
    operands.push_back(operand);
    return WalkResult::advance();
  });
  if (result.wasInterrupted())
    return failure();
  for (Operand &operand : operands)
    if (failed(describeOperand(operand)))
      return failure();
  if (storesShared)
    outputs.collect(*body);
  divideMemory();
  return success();
}

void Specializer::divideMemory() {
  // The ring of tiles, and barriers.
  constexpr int64_t reserved = 3072;
  int64_t left = limit - reserved, perTeamBytes = 0;
  for (Operand &operand : operands) {
    int64_t slotBytes = operand.buffer.getTotalBytes();
    if (operand.isPerTeam)
      perTeamBytes += teams * slotBytes;
    else
      left -= operand.depth * slotBytes;
  }
  // The next tile's queries on their way during this one, where there is room.
  int64_t depth = 2 * perTeamBytes <= left ? 2 : 1;
  left -= depth * perTeamBytes;
  for (Operand &operand : operands)
    if (operand.isPerTeam)
      operand.depth = depth;
  if (outputs.empty() || teams * outputs.getBytes() <= left)
    return;
  // Queries have been read when results are there. With one slot only, the next
  // ones would have to wait for the results to leave.
  for (Operand &operand : operands)
    if (depth > 1 && operand.isPerTeam &&
        outputs.getBytes() <= operand.buffer.getTotalBytes())
      reused = &operand;
  if (reused)
    return;
  remark::missed(kernel.getLoc(), remark::RemarkOpts::name("StoreShared")
                                      .category("diffattn-tile-specialize"))
      << remark::reason("results need {0} bytes of shared memory, but {1} are "
                        "left",
                        teams * outputs.getBytes(), left);
  outputs.clear();
}

SmallVector<scf::ForOp> Specializer::getLoops() {
  SmallVector<scf::ForOp> loops;
  for (Operand &operand : operands)
    if (operand.loop && !llvm::is_contained(loops, operand.loop))
      loops.push_back(operand.loop);
  return loops;
}

LogicalResult Specializer::describeOperand(Operand &operand) {
  LoadOp load = operand.load;
  auto dot = cast<DotOp>(*load->user_begin());
  auto tile = load.getResult().getType();
  int64_t last = tile.getRank() - 1;
  // Rows in the order in which the matrix instruction numbers them.
  Digits rows;
  if (dot.getLhs() == load.getResult()) {
    FailureOr<Digits> digits = getProductRows(dot, dot.getAcc().getType());
    if (failed(digits))
      return failure();
    rows = *digits;
  } else {
    rows.push_back({0, tile.getDimSize(0), 1});
  }
  MLIRContext *context = kernel.getContext();
  operand.buffer = BufferType::get(
      context, 1, tile.getShape(), tile.getElementType(),
      getOperandLayout(context, rows, last, tile.getDimSize(last),
                       tile.getElementTypeBitWidth() / 8));
  std::string why;
  BufferType boxes = operand.buffer;
  if (operand.cluster > 1 && !(boxes = splitBoxes(boxes, operand.cluster)))
    return load.emitOpError("expects rows in multiples of ")
           << 8 * operand.cluster << " for a cluster of " << operand.cluster
           << " blocks, but got " << tile.getDimSize(0);
  auto access = getTensorMapAccess(load.getSource(), boxes, why);
  if (failed(access))
    return load.emitOpError("cannot be a tensor copy: expects ") << why;
  operand.access = *access;
  return success();
}

//===----------------------------------------------------------------------===//
// What both roles share
//===----------------------------------------------------------------------===//

void Specializer::createRings() {
  for (Operand &operand : operands) {
    operand.map = addTensorMap(kernel, operand.access);
    int64_t count = operand.depth * (operand.isPerTeam ? teams : 1);
    BufferType slot = operand.buffer;
    operand.slots = AllocOp::create(
        builder, loc,
        BufferType::get(builder.getContext(), count, slot.getShape(),
                        slot.getElementType(), slot.getLayout()),
        /*offset=*/IntegerAttr());
    auto createBarriers = [&](int64_t arrivals) -> Value {
      return BarriersOp::create(builder, loc,
                                BarriersType::get(builder.getContext(), count),
                                arrivals, /*offset=*/IntegerAttr());
    };
    operand.full = createBarriers(1);
    operand.empty =
        createBarriers(operand.isPerTeam ? 1 : teams * operand.cluster);
  }
  if (reused)
    outputs.createRingIn(reused->slots, reused->empty, reused->depth);
  else if (!outputs.empty())
    outputs.createRing();
}

/// Where tiles differ in their work, their order matters.
LogicalResult Specializer::createTileOrder(TileQueue &queue) {
  Value last = coordinatesOp.getCoordinates().back();
  auto columns = coordinatesOp.getCoordinates().drop_back();
  bool varies = false;
  Value bytes = createIndex(1);
  size_t sharing = 0;
  for (Operand &operand : operands) {
    if (!operand.loop)
      continue;
    varies |= dependsOn(operand.loop.getLowerBound(), last) ||
              dependsOn(operand.loop.getUpperBound(), last);
    // Rows along the first dimension of the tile.
    BlockArgument argument = operand.access.argument;
    int64_t dim = operand.access.dims[operand.access.tileDims.front()];
    Value rows = memref::DimOp::create(builder, loc, argument, dim);
    int64_t rowBytes = operand.buffer.getElementBytes();
    for (int64_t size : operand.buffer.getShape().drop_front())
      rowBytes *= size;
    bytes = create<arith::AddIOp>(
        bytes, create<arith::MulIOp>(rows, createIndex(rowBytes)));
    sharing = 0;
    while (sharing < columns.size() &&
           !movesWith(operand.load, columns[columns.size() - 1 - sharing]))
      ++sharing;
  }
  if (varies && cluster > 1)
    return kernel.emitOpError("expects the tiles of a cluster to see the same "
                              "keys, but the bounds of a loop depend on the "
                              "tile; choose cluster = 1");
  if (varies)
    queue.createSections(bytes, sharing);
  return success();
}

SmallVector<Value> Specializer::toIndices(ArrayRef<Value> values) {
  SmallVector<Value> indices;
  for (Value value : values)
    indices.push_back(toIndex(value));
  return indices;
}

/// Teams to spare compute the first tile as well: the same values, written to
/// the same place.
Value Specializer::createTeamCoordinate(Value first, Value team) {
  return create<arith::MaxSIOp>(create<arith::AddIOp>(first, team),
                                createIndex(0));
}

//===----------------------------------------------------------------------===//
// Slices
//===----------------------------------------------------------------------===//

IRMapping Specializer::mapToTeam(ArrayRef<Value> coordinates, Value team) {
  IRMapping mapping;
  mapping.map(teamCoordinates, coordinates);
  mapping.map(teamCoordinates.back(),
              createTeamCoordinate(coordinates.back(), team));
  return mapping;
}

Value Specializer::cloneSlice(Value value, IRMapping &mapping) {
  if (Value mapped = mapping.lookupOrNull(value))
    return mapped;
  Operation *op = value.getDefiningOp();
  if (!op || !source->isAncestor(op->getParentRegion()))
    return value;
  for (Value operand : op->getOperands())
    mapping.map(operand, cloneSlice(operand, mapping));
  builder.clone(*op, mapping);
  return mapping.lookup(value);
}

Bounds Specializer::createUnion(scf::ForOp loop, ArrayRef<Value> coordinates) {
  Bounds all;
  for (int64_t team = 0; team < teams; ++team) {
    IRMapping mapping = mapToTeam(coordinates, createIndex(team));
    Value lower = cloneSlice(loop.getLowerBound(), mapping);
    Value upper = cloneSlice(loop.getUpperBound(), mapping);
    all.lower = all.lower ? create<arith::MinSIOp>(all.lower, lower) : lower;
    all.upper = all.upper ? create<arith::MaxSIOp>(all.upper, upper) : upper;
  }
  // At least one iteration.
  all.upper = create<arith::MaxSIOp>(
      all.upper, create<arith::AddIOp>(all.lower, createIndex(1)));
  return all;
}

//===----------------------------------------------------------------------===//
// The producer
//===----------------------------------------------------------------------===//

void Specializer::createCopy(Operand &operand, Value slot, IRMapping &mapping) {
  SmallVector<Value> coordinates = createMapCoordinates(
      builder, loc, operand.access, operand.load.getSource(),
      [&](Value offset) { return cloneSlice(offset, mapping); });
  Value dest = SlotOp::create(builder, loc, operand.slots, toIndex(slot));
  ExpectOp::create(builder, loc, operand.full, slot,
                   operand.buffer.getTotalBytes());
  bool isShared = operand.cluster > 1;
  TensorCopyOp::create(
      builder, loc, operand.map, coordinates, operand.access.tileDims, dest,
      operand.full, slot, isShared ? rank : Value(),
      isShared ? builder.getI64IntegerAttr(operand.cluster) : IntegerAttr());
}

void Specializer::copyForTeams(Operand &operand, Position &position,
                               ArrayRef<Value> coordinates) {
  Value first = create<arith::MulIOp>(position.slot, createI32(teams));
  for (int64_t team = 0; team < teams; ++team) {
    IRMapping mapping = mapToTeam(coordinates, createIndex(team));
    Value slot = create<arith::AddIOp>(first, createI32(team));
    WaitOp::create(builder, loc, operand.empty, slot, position.phase);
    createCopy(operand, slot, mapping);
  }
  position = advance(builder, loc, operand.depth, position);
}

void Specializer::createCopyLoop(scf::ForOp loop,
                                 SmallVectorImpl<Position> &positions,
                                 ArrayRef<Value> coordinates) {
  Bounds bounds = createUnion(loop, coordinates);
  IRMapping outside;
  outside.map(teamCoordinates, coordinates);
  Value step = cloneSlice(loop.getStep(), outside);
  auto copies = scf::ForOp::create(builder, loc, bounds.lower, bounds.upper,
                                   step, getValues(positions));
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToEnd(copies.getBody());
  positions = getPositions(copies.getRegionIterArgs());
  for (auto [operand, position] : llvm::zip_equal(operands, positions)) {
    if (operand.loop != loop)
      continue;
    IRMapping mapping;
    mapping.map(teamCoordinates, coordinates);
    mapping.map(loop.getInductionVar(), copies.getInductionVar());
    WaitOp::create(builder, loc, operand.empty, position.slot, position.phase);
    createCopy(operand, position.slot, mapping);
    position = advance(builder, loc, operand.depth, position);
  }
  scf::YieldOp::create(builder, loc, getValues(positions));
  positions = getPositions(copies.getResults());
}

void Specializer::createProducer(Region &region, TileQueue &queue) {
  builder.setInsertionPointToStart(&region.front());
  auto elected = ElectedOp::create(builder, loc);
  elected.getBody().emplaceBlock();
  builder.setInsertionPointToStart(&elected.getBody().front());
  TileLoop tiles = queue.createGivingLoop(operands.size());
  SmallVector<Value> coordinates = toIndices(tiles.coordinates);
  for (auto [operand, position] : llvm::zip_equal(operands, tiles.positions))
    if (!operand.loop)
      copyForTeams(operand, position, coordinates);
  for (scf::ForOp loop : getLoops())
    createCopyLoop(loop, tiles.positions, coordinates);
  queue.finishGivingLoop(tiles);
}

/// One thread beside the producer has the copy engine store what the teams
/// leave, tile after tile: neither the teams nor the producer wait for it.
void Specializer::createStorer(Region &region, TileQueue &queue) {
  builder.setInsertionPointToEnd(&region.front());
  auto elected = ElectedOp::create(builder, loc, /*warp=*/1);
  elected.getBody().emplaceBlock();
  builder.setInsertionPointToStart(&elected.getBody().front());
  TileLoop tiles = queue.createTakingLoop(/*rings=*/1, /*isTeam=*/false);
  SmallVector<Value> coordinates = toIndices(tiles.coordinates);
  Position position = tiles.positions.front();
  auto perTeam = scf::ForOp::create(builder, loc, createIndex(0),
                                    createIndex(teams), createIndex(1));
  builder.setInsertionPointToStart(perTeam.getBody());
  Value team = perTeam.getInductionVar();
  IRMapping mapping = mapToTeam(coordinates, team);
  outputs.store(position, toI32(team),
                [&](Value offset) { return cloneSlice(offset, mapping); });
  builder.setInsertionPointAfter(perTeam);
  position = advance(builder, loc, outputs.getDepth(), position);
  scf::YieldOp::create(builder, loc, getValues({tiles.place, position}));
}

//===----------------------------------------------------------------------===//
// The teams
//===----------------------------------------------------------------------===//

void Specializer::createRelease(Operand &operand, Value slot) {
  ArriveOp::create(builder, loc, operand.empty, slot,
                   operand.cluster > 1
                       ? builder.getI64IntegerAttr(operand.cluster)
                       : IntegerAttr());
}

void Specializer::readSlot(Operand &operand, Value phase,
                           function_ref<Value()> createSlot) {
  Block *body = operand.load->getBlock();
  Operation *first = nullptr, *last = nullptr;
  for (Operation *user : operand.load->getUsers()) {
    Operation *op = body->findAncestorOpInBlock(*user);
    first = !first || op->isBeforeInBlock(first) ? op : first;
    last = !last || last->isBeforeInBlock(op) ? op : last;
  }
  builder.setInsertionPoint(first);
  Value slot = createSlot();
  WaitOp::create(builder, loc, operand.full, slot, phase);
  Value buffer = SlotOp::create(builder, loc, operand.slots, toIndex(slot));
  operand.load.getResult().replaceAllUsesWith(buffer);
  operand.load.erase();
  // Otherwise released when the results have left.
  builder.setInsertionPointAfter(last);
  if (&operand != reused)
    createRelease(operand, slot);
}

void Specializer::consumeOnce(Operand &operand, Position &position,
                              Value team) {
  Block *body = operand.load->getBlock();
  readSlot(operand, position.phase, [&]() -> Value {
    return create<arith::AddIOp>(
        create<arith::MulIOp>(position.slot, createI32(teams)), team);
  });
  builder.setInsertionPointToStart(body);
  position = advance(builder, loc, operand.depth, position);
}

void Specializer::createPassLoop(scf::ForOp loop, Value lower, Value upper,
                                 SmallVectorImpl<Position> &positions) {
  auto pass = scf::ForOp::create(builder, loc, lower, upper, loop.getStep(),
                                 getValues(positions));
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToEnd(pass.getBody());
  positions = getPositions(pass.getRegionIterArgs());
  for (auto [operand, position] : llvm::zip_equal(operands, positions))
    if (operand.loop == loop)
      WaitOp::create(builder, loc, operand.full, position.slot, position.phase);
  // The arrival of one thread must not overtake the wait of another.
  TeamBarrierOp::create(builder, loc);
  for (auto [operand, position] : llvm::zip_equal(operands, positions)) {
    if (operand.loop != loop)
      continue;
    createRelease(operand, position.slot);
    position = advance(builder, loc, operand.depth, position);
  }
  scf::YieldOp::create(builder, loc, getValues(positions));
  positions = getPositions(pass.getResults());
}

void Specializer::consumeInLoop(scf::ForOp loop,
                                SmallVectorImpl<Position> &positions,
                                ArrayRef<Value> coordinates) {
  builder.setInsertionPoint(loop);
  Value lower = loop.getLowerBound(), upper = loop.getUpperBound(),
        step = loop.getStep();
  Value one = createIndex(1);
  bool lowerVaries = dependsOn(lower, teamCoordinates.back()),
       upperVaries = dependsOn(upper, teamCoordinates.back());
  Bounds all;
  if (lowerVaries || upperVaries)
    all = createUnion(loop, coordinates);
  if (lowerVaries) {
    // Within the union, and a whole number of steps from its beginning.
    Value last = create<arith::SubIOp>(all.upper, one);
    Value within = create<arith::MinSIOp>(lower, last);
    Value distance = create<arith::SubIOp>(within, all.lower);
    Value steps = create<arith::DivUIOp>(distance, step);
    lower =
        create<arith::AddIOp>(all.lower, create<arith::MulIOp>(steps, step));
    loop.setLowerBound(lower);
    createPassLoop(loop, all.lower, lower, positions);
  }
  upper = create<arith::MaxSIOp>(upper, create<arith::AddIOp>(lower, one));
  loop.setUpperBound(upper);

  // Products read the slots; what a team has read it releases.
  SmallVector<Value> inits = getValues(positions);
  IRRewriter rewriter(builder);
  auto yields = [&](OpBuilder &, Location, ArrayRef<BlockArgument> arguments) {
    SmallVector<Value> values(arguments.begin(), arguments.end());
    SmallVector<Position> inside = getPositions(values);
    OpBuilder::InsertionGuard guard(builder);
    for (auto [operand, position] : llvm::zip_equal(operands, inside)) {
      if (operand.loop != loop)
        continue;
      Value slot = position.slot;
      readSlot(operand, position.phase, [&] { return slot; });
      position = advance(builder, loc, operand.depth, position);
    }
    return getValues(inside);
  };
  size_t carried = loop.getNumResults();
  auto replaced = loop.replaceWithAdditionalYields(
      rewriter, inits, /*replaceInitOperandUsesInLoop=*/false, yields);
  auto newLoop = cast<scf::ForOp>(*replaced);
  for (Operand &operand : operands)
    if (operand.loop == loop)
      operand.loop = newLoop;
  positions = getPositions(newLoop.getResults().drop_front(carried));
  if (!upperVaries && !lowerVaries)
    return;
  builder.setInsertionPointAfter(newLoop);
  // After the release of what this loop alone has used.
  while (isa<ArriveOp>(&*builder.getInsertionPoint()))
    builder.setInsertionPointAfter(&*builder.getInsertionPoint());
  Value distance = create<arith::SubIOp>(upper, lower);
  Value up = create<arith::SubIOp>(create<arith::AddIOp>(distance, step), one);
  Value steps = create<arith::DivUIOp>(up, step);
  Value end = create<arith::AddIOp>(lower, create<arith::MulIOp>(steps, step));
  createPassLoop(newLoop, end, all.upper, positions);
}

TileLoop Specializer::createConsumers(Region &region, TileQueue &queue) {
  Value team = region.getArgument(0);
  builder.setInsertionPointToStart(&region.front());
  TileLoop tiles =
      queue.createTakingLoop(operands.size() + outputs.hasOwnSlots(),
                             /*isTeam=*/true);
  teamCoordinates = toIndices(tiles.coordinates);
  firstCoordinates = teamCoordinates;
  teamCoordinates.back() =
      createTeamCoordinate(teamCoordinates.back(), toIndex(team));
  source = tiles.body->getParent();
  Block *old = coordinatesOp->getBlock();
  auto roles = cast<RolesOp>(region.getParentOp());
  tiles.body->getOperations().splice(tiles.body->end(), old->getOperations(),
                                     std::next(roles->getIterator()),
                                     old->getTerminator()->getIterator());
  coordinatesOp->replaceAllUsesWith(teamCoordinates);
  coordinatesOp.erase();
  builder.setInsertionPointToEnd(tiles.body);
  SmallVector<Position> positions = {tiles.place};
  llvm::append_range(positions, tiles.positions);
  scf::YieldOp::create(builder, loc, getValues(positions));
  return tiles;
}

/// What the end of a tile reads from global memory is on its way during the
/// loops.
static void hoistLoads(Block &body) {
  Operation *place = nullptr;
  for (Operation &op : llvm::make_early_inc_range(body)) {
    if (isa<scf::ForOp>(op) && !place)
      place = &op;
    if (!place || !isa<LoadOp>(op))
      continue;
    IRRewriter rewriter(op.getContext());
    if (succeeded(moveOperationDependencies(rewriter, &op, place)))
      op.moveBefore(place);
  }
}

void Specializer::finishAttributes() {
  kernel->setAttr(attr::warps,
                  builder.getI64IntegerAttr((teams + 1) * teamWarps));
  kernel->setAttr(attr::persistent, builder.getUnitAttr());
  auto grid = kernel->getAttrOfType<ArrayAttr>(attr::grid);
  SmallVector<Attribute> factors(grid.begin(), grid.end());
  SmallVector<NamedAttribute> last;
  for (NamedAttribute entry : cast<DictionaryAttr>(factors.back())) {
    auto value = dyn_cast<IntegerAttr>(entry.getValue());
    if (entry.getName() == "tile")
      entry.setValue(
          builder.getI64IntegerAttr(value.getInt() * teams * cluster));
    else if (entry.getName() == "constant")
      entry.setValue(builder.getI64IntegerAttr(
          llvm::divideCeil(value.getInt(), teams * cluster)));
    last.push_back(entry);
  }
  factors.back() = builder.getDictionaryAttr(last);
  if (cluster > 1)
    factors.push_back(builder.getDictionaryAttr(
        builder.getNamedAttr("constant", builder.getI64IntegerAttr(cluster))));
  kernel->setAttr(attr::grid, builder.getArrayAttr(factors));
}

//===----------------------------------------------------------------------===//
// The pass
//===----------------------------------------------------------------------===//

LogicalResult Specializer::run() {
  auto ops = llvm::to_vector(kernel.getOps<CoordinatesOp>());
  if (ops.empty()) // Tiles are distributed already.
    return success();
  if (ops.size() != 1)
    return kernel.emitOpError("expects one diffattn_tile.coordinates, but has ")
           << ops.size();
  coordinatesOp = ops.front();
  // They are handed to the teams in one access.
  constexpr size_t maxRank = 4;
  if (coordinatesOp.getSizes().size() > maxRank)
    return coordinatesOp.emitOpError(
               "expects a grid of rank 4 at most, but got ")
           << coordinatesOp.getSizes().size();
  if (failed(collectOperands()))
    return failure();

  builder.setInsertionPoint(coordinatesOp);
  createRings();
  if (cluster > 1)
    rank = ClusterRankOp::create(builder, loc, builder.getI32Type());
  TileQueue queue(builder, kernel, coordinatesOp.getSizes(), teams, rank,
                  cluster);
  if (failed(createTileOrder(queue)))
    return failure();
  queue.createRing(/*readers=*/teams + !outputs.empty());
  FenceOp::create(builder, loc, FenceKind::BarrierInit);
  if (cluster > 1)
    ClusterBarrierOp::create(builder, loc);
  else
    gpu::BarrierOp::create(builder, loc);
  diffattn::TeamRegisters registers = diffattn::getTeamRegisters(teams);
  OperationState state(loc, RolesOp::getOperationName());
  auto &properties = state.getOrAddProperties<RolesOp::Properties>();
  properties.warpgroups = builder.getDenseI64ArrayAttr({1, teams});
  properties.registers =
      builder.getDenseI64ArrayAttr({registers.producer, registers.team});
  for (int i = 0; i < 2; ++i)
    state.addRegion()->emplaceBlock().addArgument(builder.getI32Type(), loc);
  builder.setInsertionPointAfter(coordinatesOp);
  auto roles = cast<RolesOp>(builder.create(state));

  Region &consumers = roles.getRoles()[1];
  TileLoop tiles = createConsumers(consumers, queue);
  hoistLoads(*tiles.body);
  createProducer(roles.getRoles()[0], queue);
  if (!outputs.empty())
    createStorer(roles.getRoles()[0], queue);

  // Only now: the other programs were made of the loads and stores.
  Value team = consumers.getArgument(0);
  SmallVector<Position> ownRing;
  if (outputs.hasOwnSlots()) {
    Position position = tiles.positions.pop_back_val();
    outputs.write(position, team);
    ownRing.push_back(advance(builder, loc, outputs.getDepth(), position));
  } else if (reused) {
    outputs.write(tiles.positions[reused - operands.data()], team);
  }
  for (auto [operand, position] : llvm::zip_equal(operands, tiles.positions))
    if (!operand.loop)
      consumeOnce(operand, position, team);
  for (scf::ForOp loop : getLoops())
    consumeInLoop(loop, tiles.positions, firstCoordinates);
  SmallVector<Position> positions = {tiles.place};
  llvm::append_range(positions, tiles.positions);
  llvm::append_range(positions, ownRing);
  tiles.body->getTerminator()->setOperands(getValues(positions));
  // No block ends while another one may still signal its barriers.
  builder.setInsertionPointAfter(roles);
  if (cluster > 1)
    ClusterBarrierOp::create(builder, loc);
  finishAttributes();
  return success();
}

namespace {
struct SpecializePass
    : diffattn::tile::impl::SpecializePassBase<SpecializePass> {
  using SpecializePassBase::SpecializePassBase;

  void runOnOperation() override {
    gpu::GPUFuncOp kernel = getOperation();
    auto teams = kernel->getAttrOfType<IntegerAttr>(attr::teams);
    auto stages = kernel->getAttrOfType<IntegerAttr>(attr::stages);
    if (!teams || !stages)
      return;
    if (store != "registers" && store != "shared") {
      kernel.emitOpError("expects the option store to be registers or shared, "
                         "but got ")
          << store.getValue();
      return signalPassFailure();
    }
    auto cluster = kernel->getAttrOfType<IntegerAttr>(attr::cluster);
    OpBuilder builder(kernel);
    Specializer specializer(builder, kernel, teams.getInt(), stages.getInt(),
                            cluster ? cluster.getInt() : 1, limit,
                            store == "shared");
    if (failed(specializer.run()))
      signalPassFailure();
  }
};
} // namespace
