//===- Machine.cpp - A thread block, one op at a time ---------------------===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Machine.h"

#include "mlir/Dialect/Utils/IndexingUtils.h"
#include "llvm/Support/raw_ostream.h"
#include <cstring>

using namespace mlir;
using namespace mlir::diffattn;
using namespace mlir::diffattn::reference;

Machine::Machine(gpu::GPUFuncOp kernel, const TileInterpreterOptions &options)
    : kernel(kernel), options(options), random(options.seed) {
  // A kernel whose schedule has not been chosen yet runs in four warps.
  numWarps = 4;
  if (auto warps = kernel->getAttrOfType<IntegerAttr>(tile::attr::warps))
    numWarps = warps.getInt();
  else
    kernel.walk([&](Operation *op) {
      for (Value result : op->getResults())
        if (tile::FragmentAttr layout = tile::getLayout(result))
          numWarps = layout.getNumWarps();
    });
}

LogicalResult Machine::fail(Operation *op, const Twine &why) {
  if (!error.empty())
    return failure();
  llvm::raw_string_ostream os(error);
  if (auto loc = op->getLoc()->findInstanceOf<FileLineColLoc>())
    os << loc.getFilename().getValue() << ":" << loc.getLine() << ":"
       << loc.getColumn() << ": ";
  if (current)
    os << "block " << blockId << ", warp " << current->number << ": ";
  os << "'" << op->getName() << "' op " << why;
  return failure();
}

SmallVector<int64_t> Machine::getInts(ArrayRef<OpFoldResult> values) {
  return llvm::map_to_vector(values, [&](OpFoldResult value) {
    if (auto attr = dyn_cast<Attribute>(value))
      return cast<IntegerAttr>(attr).getInt();
    return getInt(cast<Value>(value));
  });
}

//===----------------------------------------------------------------------===//
// Blocks
//===----------------------------------------------------------------------===//

LogicalResult Machine::prepare() {
  constexpr int64_t alignment = 1024, maxBytes = 1 << 20, maxWarps = 32;
  if (numWarps < 1 || numWarps > maxWarps)
    return fail(kernel, "expects between 1 and " + Twine(maxWarps) +
                            " warps, but got " + Twine(numWarps));
  if (kernel.getBody().getNumArguments() != kernel.getNumArguments())
    return fail(kernel, "has memory attributions; the tile dialect has alloc");
  if (auto cluster = kernel->getAttrOfType<IntegerAttr>(tile::attr::cluster);
      cluster && cluster.getInt() != 1)
    return fail(kernel, "runs in clusters of " + Twine(cluster.getInt()) +
                            " blocks, which the interpreter does not model");
  // Placed buffers lie where the pass put them, others behind them.
  SmallVector<tile::AllocOp> unplaced;
  WalkResult walk = kernel.walk([&](tile::AllocOp op) {
    tile::BufferType type = op.getBuffer().getType();
    int64_t bytes = type.getTotalBytes();
    if (!getDType(type.getElementType())) {
      (void)fail(op, "has elements that the interpreter does not know");
      return WalkResult::interrupt();
    }
    if (!op.getOffset()) {
      unplaced.push_back(op);
      return WalkResult::advance();
    }
    int64_t offset = *op.getOffset();
    if (offset < 0 || offset % alignment || offset + bytes > maxBytes) {
      (void)fail(op, "has the offset " + Twine(offset) +
                         ", expected a multiple of 1024 within 1 MiB");
      return WalkResult::interrupt();
    }
    allocs.try_emplace(op, offset, allocs.size());
    sharedBytes = std::max(sharedBytes, offset + bytes);
    return WalkResult::advance();
  });
  if (walk.wasInterrupted())
    return failure();
  if (auto limit = kernel->getAttrOfType<IntegerAttr>(tile::attr::sharedBytes))
    if (sharedBytes > limit.getInt())
      return fail(kernel, "places buffers in " + Twine(sharedBytes) +
                              " bytes of shared memory, but declares " +
                              Twine(limit.getInt()));
  for (tile::AllocOp op : unplaced) {
    allocs.try_emplace(op, sharedBytes, allocs.size());
    sharedBytes += op.getBuffer().getType().getTotalBytes();
    if (sharedBytes > maxBytes)
      return fail(op, "needs more than 1 MiB of shared memory");
  }
  return failure(failed(prepareBarriers()) || failed(prepareTeams()));
}

LogicalResult Machine::prepareBarriers() {
  WalkResult walk = kernel.walk([&](tile::BarriersOp op) {
    tile::BarriersType type = op.getBarriers().getType();
    firstBarriers[op] = declaredBarriers.size();
    for (int64_t i = 0; i < type.getCount(); ++i) {
      PhaseBarrier &barrier = declaredBarriers.emplace_back();
      barrier.op = op;
      barrier.index = i;
      barrier.number = declaredBarriers.size() - 1;
      barrier.arrivals = op.getArrivals();
      barrier.waits.resize(numWarps);
    }
    std::optional<int64_t> offset = op.getOffset();
    if (!offset)
      return WalkResult::advance();
    // Barriers live as long as the kernel.
    for (auto [alloc, place] : allocs) {
      int64_t end =
          place.first +
          cast<tile::AllocOp>(alloc).getBuffer().getType().getTotalBytes();
      if (*offset < end && place.first < *offset + type.getTotalBytes()) {
        (void)fail(op, "lies in the memory of " + describe(alloc));
        return WalkResult::interrupt();
      }
    }
    return WalkResult::advance();
  });
  return failure(walk.wasInterrupted());
}

LogicalResult Machine::prepareTeams() {
  WalkResult walk = kernel.walk([&](tile::RolesOp op) {
    if (op.getNumWarpgroups() * tile::teamWarps == numWarps)
      return WalkResult::advance();
    (void)fail(op, "deals out " + Twine(op.getNumWarpgroups()) +
                       " warpgroups, but the kernel has " + Twine(numWarps) +
                       " warps");
    return WalkResult::interrupt();
  });
  if (walk.wasInterrupted())
    return failure();
  bool hasTeams = kernel
                      .walk([](Operation *op) {
                        return isa<tile::DotAsyncOp, tile::RolesOp>(op)
                                   ? WalkResult::interrupt()
                                   : WalkResult::advance();
                      })
                      .wasInterrupted();
  products.resize(hasTeams ? llvm::divideCeil(numWarps, tile::teamWarps) : 0);
  return success();
}

void Machine::startWorkers(ArrayRef<RuntimeValue> arguments) {
  memory = std::make_unique<SharedMemory>(
      sharedBytes, numWarps, products.size(), declaredBarriers.size());
  phaseBarriers = declaredBarriers;
  llvm::fill(products, 0);
  turns.assign(products.size(), Turn());
  workers.assign(numWarps, Worker());
  Block &body = kernel.getBody().front();
  for (auto [i, worker] : llvm::enumerate(workers)) {
    worker.number = i;
    worker.stack.push_back({&body, body.begin()});
    for (auto [argument, value] :
         llvm::zip_equal(body.getArguments(), arguments))
      worker.env[argument] = value;
  }
}

LogicalResult Machine::runBlock(int64_t id, int64_t count,
                                ArrayRef<RuntimeValue> arguments) {
  blockId = id;
  numBlocks = count;
  startWorkers(arguments);
  // Some schedules let one warp run far ahead, others keep all close; in some,
  // copies arrive when everybody waits for them only.
  uint64_t stay = random() % 3 * 40;
  constexpr uint64_t chances[] = {0, 5, 50};
  uint64_t arrive = chances[random() % 3];
  SmallVector<unsigned> running;
  unsigned chosen = 0;
  while (true) {
    running.clear();
    for (Worker &worker : workers)
      if (worker.status == Worker::Status::Running)
        running.push_back(worker.number);
    if (!transfers.empty() && (running.empty() || random() % 100 < arrive)) {
      if (failed(endTransfer()))
        return failure();
      continue;
    }
    if (running.empty()) {
      if (llvm::all_of(workers, [](const Worker &worker) {
            return worker.status == Worker::Status::Done;
          }))
        return checkEnd();
      if (failed(resolveStandstill()))
        return failure();
      continue;
    }
    if (!llvm::is_contained(running, chosen) || random() % 100 >= stay)
      chosen = running[random() % running.size()];
    current = &workers[chosen];
    if (failed(step()))
      return failure();
  }
}

LogicalResult Machine::endTransfer() {
  size_t chosen = random() % transfers.size();
  TensorTransfer transfer = std::move(transfers[chosen]);
  transfers.erase(transfers.begin() + chosen);
  current = nullptr;
  return receiveCopy(*this, transfer);
}

LogicalResult Machine::resolveStandstill() {
  bool isAtPhaseOrTeam = llvm::any_of(workers, [](const Worker &worker) {
    return worker.status == Worker::Status::AtTeam ||
           worker.status == Worker::Status::AtPhase;
  });
  return isAtPhaseOrTeam ? reportDeadlock() : releaseBarrier();
}

/// Blames a warp that waits for a phase, if there is one, and lists where the
/// others are.
LogicalResult Machine::reportDeadlock() {
  current = &*llvm::max_element(workers, [](const Worker &a, const Worker &b) {
    return (a.status == Worker::Status::AtPhase) <
           (b.status == Worker::Status::AtPhase);
  });
  if (current->status != Worker::Status::AtPhase)
    current = &*llvm::find_if(workers, [](const Worker &worker) {
      return worker.status == Worker::Status::AtTeam;
    });
  std::string why = "waits forever";
  if (current->status == Worker::Status::AtPhase)
    why += " for the end of " + describePhase(phaseBarriers[current->waitsFor]);
  SmallVector<Operation *> seen = {current->waitsAt};
  for (Worker &worker : workers) {
    if (worker.status == Worker::Status::Done ||
        llvm::is_contained(seen, worker.waitsAt))
      continue;
    seen.push_back(worker.waitsAt);
    why += "; warp " + std::to_string(worker.number) + " is at " +
           describe(worker.waitsAt);
    if (worker.status == Worker::Status::AtPhase)
      why += " for " + describePhase(phaseBarriers[worker.waitsFor]);
  }
  return fail(current->waitsAt, why);
}

/// All warps wait or have ended: those that wait go on, if all do at one place.
LogicalResult Machine::releaseBarrier() {
  Worker *first = &*llvm::find_if(workers, [](const Worker &worker) {
    return worker.status == Worker::Status::AtBarrier;
  });
  Clock joined;
  for (Worker &worker : workers) {
    current = first;
    if (worker.status == Worker::Status::Done)
      return fail(first->waitsAt,
                  "waits forever: warp " + Twine(worker.number) + " has ended");
    if (worker.waitsAt != first->waitsAt)
      return fail(first->waitsAt, "meets another barrier: warp " +
                                      Twine(worker.number) +
                                      " waits elsewhere");
    SharedMemory::join(joined, memory->release(worker.number));
  }
  for (Worker &worker : workers) {
    memory->acquire(worker.number, joined);
    worker.status = Worker::Status::Running;
  }
  return success();
}

LogicalResult Machine::checkEnd() {
  for (Worker &worker : workers) {
    current = &worker;
    if (!worker.openCopies.empty())
      return fail(kernel, "ends with copies that no async_commit follows");
    if (llvm::any_of(worker.groups,
                     [](const CopyGroup &group) { return !group.empty(); }))
      return fail(kernel, "ends with copies under way");
    if (memory->getNumStores(worker.number))
      return fail(kernel, "ends with tensor stores that no store_wait follows");
    for (auto [team, count] : llvm::enumerate(products))
      if (worker.number / tile::teamWarps == team &&
          memory->getKnown(worker.number, memory->getMatrixUnit(team)) < count)
        return fail(kernel, "ends with products under way");
  }
  current = nullptr;
  for (const PhaseBarrier &barrier : phaseBarriers)
    if (barrier.lastCopied > barrier.lastWaited || barrier.started)
      return fail(kernel, "ends with tensor copies that nobody has waited for "
                          "at " +
                              describe(barrier));
  return success();
}

//===----------------------------------------------------------------------===//
// Ops
//===----------------------------------------------------------------------===//

LogicalResult Machine::step() {
  Worker::Frame &frame = current->stack.back();
  if (frame.next == frame.block->end())
    return leaveBlock();
  Operation *op = &*frame.next;
  if (++steps > options.maxSteps)
    return fail(op, "is given up after " + Twine(options.maxSteps) + " steps");
  if (options.reached)
    options.reached->insert(op);
  if (op->hasTrait<OpTrait::IsTerminator>())
    return leaveBlock();
  ++frame.next;
  return execute(op);
}

/// Where no pass has dealt out the tiles yet, each block takes one.
LogicalResult Machine::executeCoordinates(tile::CoordinatesOp op) {
  int64_t rest = blockId, count = 1;
  for (auto [size, coordinate] :
       llvm::reverse(llvm::zip_equal(op.getSizes(), op.getCoordinates()))) {
    int64_t extent = std::max<int64_t>(1, getInt(size));
    setInt(coordinate, rest % extent);
    rest /= extent;
    count *= getInt(size);
  }
  if (count == numBlocks)
    return success();
  return fail(op, "has " + Twine(count) + " tiles, but there are " +
                      Twine(numBlocks) + " blocks");
}

LogicalResult Machine::execute(Operation *op) {
  if (std::optional<LogicalResult> result = executeControlFlow(op))
    return *result;
  for (Value operand : op->getOperands())
    if (auto *poison = std::get_if<Poison>(&get(operand)))
      return fail(op, "uses " + poison->why);
  if (isa<gpu::BarrierOp>(op)) {
    current->status = Worker::Status::AtBarrier;
    current->waitsAt = op;
    return success();
  }
  if (auto id = dyn_cast<gpu::BlockIdOp>(op)) {
    setInt(id, id.getDimension() == gpu::Dimension::x ? blockId : 0);
    return success();
  }
  if (auto coordinates = dyn_cast<tile::CoordinatesOp>(op))
    return executeCoordinates(coordinates);
  if (auto dim = dyn_cast<gpu::GridDimOp>(op)) {
    setInt(dim, dim.getDimension() == gpu::Dimension::x ? numBlocks : 1);
    return success();
  }
  for (auto *family : {executeGlobalOp, executeSharedOp, executeBarrierOp,
                       executeTeamOp, executeTensorCopyOp, executeRegisterOp})
    if (MaybeResult result = family(*this, op))
      return *result;
  return fail(op, "is not supported by the interpreter of tile IR");
}

//===----------------------------------------------------------------------===//
// Waiting
//===----------------------------------------------------------------------===//

void Machine::waitForPhase(Operation *op, unsigned barrier) {
  current->status = Worker::Status::AtPhase;
  current->waitsAt = op;
  current->waitsFor = barrier;
  current->stack.back().next = Block::iterator(op);
}

void Machine::wake(unsigned barrier) {
  for (Worker &worker : workers)
    if (worker.status == Worker::Status::AtPhase && worker.waitsFor == barrier)
      worker.status = Worker::Status::Running;
}

//===----------------------------------------------------------------------===//
// Shared among families
//===----------------------------------------------------------------------===//

std::string reference::describe(Operation *op) {
  std::string text = "'" + op->getName().getStringRef().str() + "'";
  if (auto loc = op->getLoc()->findInstanceOf<FileLineColLoc>())
    text += " in line " + std::to_string(loc.getLine());
  return text;
}

/// The same elements, without a look at them if they are in one place.
static bool isSame(const Tensor &a, const Tensor &b) {
  if (a.data() == b.data())
    return true;
  return a.getRank() == 0 && b.getRank() == 0 && a.data()->i == b.data()->i;
}

LogicalResult
Machine::setMemoized(Operation *op,
                     llvm::function_ref<FailureOr<Tensor>()> compute,
                     ArrayRef<Tensor> operands) {
  OpCache::Key key = getKey(op);
  auto it = cache.results.find(key);
  if (it == cache.results.end() ||
      !llvm::equal(it->second.operands, operands, isSame)) {
    FailureOr<Tensor> result = compute();
    if (failed(result))
      return failure();
    cache.results[key] = {SmallVector<Tensor>(operands), *result};
    it = cache.results.find(key);
  }
  set(op->getResult(0), it->second.result);
  return success();
}

Tensor Machine::unify(Operation *op, Tensor tensor) {
  SmallVector<Tensor> &lately = cache.read[getKey(op)];
  for (const Tensor &known : lately)
    if (known.getShape() == tensor.getShape() &&
        std::memcmp(known.data(), tensor.data(),
                    tensor.getNumElements() * sizeof(Slot)) == 0)
      return known;
  // An op may read two buffers, and warps may be one iteration apart.
  constexpr unsigned maxKnown = 4;
  if (lately.size() == maxKnown)
    lately.erase(lately.begin());
  lately.push_back(tensor);
  return tensor;
}

ArrayRef<uint32_t> Machine::getHolders(RankedTensorType type) {
  std::vector<uint32_t> &holders = cache.holders[{type, getNumSharing()}];
  if (!holders.empty())
    return holders;
  int64_t count = type.getNumElements();
  holders.resize(count);
  auto layout = dyn_cast_if_present<tile::FragmentAttr>(type.getEncoding());
  if (!layout) {
    for (int64_t i = 0; i < count; ++i)
      holders[i] = uint32_t(1) << (i * getNumSharing() / count);
    return holders;
  }
  SmallVector<int64_t> strides = computeSuffixProduct(type.getShape());
  for (int64_t warp = 0; warp < layout.getNumWarps(); ++warp)
    for (int64_t lane = 0; lane < 32; ++lane)
      for (int64_t reg = 0; reg < layout.getNumRegisters(); ++reg)
        holders[linearize(
            layout.getCoordinates(reg, lane, warp, type.getRank()), strides)] |=
            uint32_t(1) << warp;
  return holders;
}

ArrayRef<int64_t> Machine::getByteOffsets(tile::BufferType type) {
  std::vector<int64_t> &offsets = cache.byteOffsets[type];
  if (!offsets.empty())
    return offsets;
  (void)forEachIndex(type.getShape(), [&](ArrayRef<int64_t> index, int64_t) {
    offsets.push_back(
        type.getLayout().getByteOffset(index, type.getElementBytes()));
    return success();
  });
  return offsets;
}

LogicalResult reference::forEachIndex(
    ArrayRef<int64_t> shape,
    llvm::function_ref<LogicalResult(ArrayRef<int64_t>, int64_t)> fn) {
  if (llvm::is_contained(shape, 0))
    return success();
  SmallVector<int64_t> index(shape.size(), 0);
  for (int64_t number = 0;; ++number) {
    if (failed(fn(index, number)))
      return failure();
    int64_t d = shape.size();
    while (--d >= 0 && ++index[d] == shape[d])
      index[d] = 0;
    if (d < 0)
      return success();
  }
}
