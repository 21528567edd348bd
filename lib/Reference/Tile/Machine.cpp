//===- Machine.cpp - A thread block, one op at a time ---------------------===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Machine.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"
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
  return success();
}

LogicalResult Machine::runBlock(int64_t id, int64_t count,
                                MutableArrayRef<GlobalArray> parameters) {
  blockId = id;
  numBlocks = count;
  memory = std::make_unique<SharedMemory>(sharedBytes, numWarps, "warp");
  workers.assign(numWarps, Worker());
  Block &body = kernel.getBody().front();
  for (auto [i, worker] : llvm::enumerate(workers)) {
    worker.number = i;
    worker.stack.push_back({&body, body.begin()});
    for (auto [argument, array] :
         llvm::zip_equal(body.getArguments(), parameters)) {
      if (!isa<MemRefType>(argument.getType())) {
        Tensor scalar{ArrayRef<int64_t>()};
        *scalar.mutableData() = decode(array.dtype, array.bytes.data());
        worker.env[argument] = scalar;
        continue;
      }
      worker.env[argument] = GlobalView{&array, 0, array.shape, array.strides};
    }
  }
  // Some schedules let one warp run far ahead, others keep all close.
  uint64_t stay = random() % 3 * 40;
  SmallVector<unsigned> running;
  unsigned chosen = 0;
  while (true) {
    running.clear();
    for (Worker &worker : workers)
      if (worker.status == Worker::Status::Running)
        running.push_back(worker.number);
    if (running.empty()) {
      if (llvm::all_of(workers, [](const Worker &worker) {
            return worker.status == Worker::Status::Done;
          }))
        return checkEnd();
      if (failed(releaseBarrier()))
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
  }
  current = nullptr;
  return success();
}

//===----------------------------------------------------------------------===//
// Ops
//===----------------------------------------------------------------------===//

LogicalResult Machine::enterFor(scf::ForOp op) {
  int64_t lower = getInt(op.getLowerBound()),
          upper = getInt(op.getUpperBound()), step = getInt(op.getStep());
  if (step <= 0)
    return fail(op, "expects a positive step, but got " + Twine(step));
  if (lower >= upper) {
    for (auto [result, init] :
         llvm::zip_equal(op.getResults(), op.getInitArgs()))
      set(result, RuntimeValue(get(init)));
    return success();
  }
  setInt(op.getInductionVar(), lower);
  for (auto [argument, init] :
       llvm::zip_equal(op.getRegionIterArgs(), op.getInitArgs()))
    set(argument, RuntimeValue(get(init)));
  current->stack.push_back(
      {op.getBody(), op.getBody()->begin(), lower, upper, step});
  return success();
}

void Machine::enterIf(scf::IfOp op) {
  Region &region =
      getInt(op.getCondition()) ? op.getThenRegion() : op.getElseRegion();
  if (!region.empty())
    current->stack.push_back({&region.front(), region.front().begin()});
}

/// At the terminator of a block.
LogicalResult Machine::leaveBlock() {
  Worker::Frame &frame = current->stack.back();
  Operation *terminator = frame.block->getTerminator();
  Operation *parent = frame.block->getParentOp();
  auto yielded = llvm::map_to_vector(terminator->getOperands(),
                                     [&](Value value) { return get(value); });
  if (parent == kernel) {
    current->stack.clear();
    current->status = Worker::Status::Done;
    return success();
  }
  auto loop = dyn_cast<scf::ForOp>(parent);
  if (loop && frame.iv < frame.upper - frame.step) {
    frame.iv += frame.step;
    frame.next = frame.block->begin();
    setInt(loop.getInductionVar(), frame.iv);
    for (auto [argument, value] :
         llvm::zip_equal(loop.getRegionIterArgs(), yielded))
      set(argument, value);
    return success();
  }
  for (auto [result, value] : llvm::zip_equal(parent->getResults(), yielded))
    set(result, value);
  current->stack.pop_back();
  return success();
}

LogicalResult Machine::step() {
  Worker::Frame &frame = current->stack.back();
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

LogicalResult Machine::execute(Operation *op) {
  if (auto loop = dyn_cast<scf::ForOp>(op))
    return enterFor(loop);
  if (auto branch = dyn_cast<scf::IfOp>(op)) {
    enterIf(branch);
    return success();
  }
  if (isa<gpu::BarrierOp>(op)) {
    current->status = Worker::Status::AtBarrier;
    current->waitsAt = op;
    return success();
  }
  if (auto id = dyn_cast<gpu::BlockIdOp>(op)) {
    setInt(id, id.getDimension() == gpu::Dimension::x ? blockId : 0);
    return success();
  }
  if (auto dim = dyn_cast<gpu::GridDimOp>(op)) {
    setInt(dim, dim.getDimension() == gpu::Dimension::x ? numBlocks : 1);
    return success();
  }
  for (auto *family : {executeGlobalOp, executeSharedOp, executeRegisterOp})
    if (MaybeResult result = family(*this, op))
      return *result;
  return fail(op, "is not supported by the interpreter of tile IR");
}

//===----------------------------------------------------------------------===//
// Shared among families
//===----------------------------------------------------------------------===//

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
  auto it = cache.results.find(op);
  if (it == cache.results.end() ||
      !llvm::equal(it->second.operands, operands, isSame)) {
    FailureOr<Tensor> result = compute();
    if (failed(result))
      return failure();
    cache.results[op] = {SmallVector<Tensor>(operands), *result};
    it = cache.results.find(op);
  }
  set(op->getResult(0), it->second.result);
  return success();
}

Tensor Machine::unify(Operation *op, Tensor tensor) {
  SmallVector<Tensor> &lately = cache.read[op];
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

ArrayRef<unsigned> Machine::getOwners(RankedTensorType type) {
  std::vector<unsigned> &owners = cache.owners[type];
  if (!owners.empty())
    return owners;
  int64_t count = type.getNumElements();
  owners.resize(count);
  auto layout = dyn_cast_if_present<tile::FragmentAttr>(type.getEncoding());
  if (!layout) {
    for (int64_t i = 0; i < count; ++i)
      owners[i] = i * numWarps / count;
    return owners;
  }
  SmallVector<int64_t> strides(type.getRank(), 1);
  for (int64_t d = type.getRank() - 2; d >= 0; --d)
    strides[d] = strides[d + 1] * type.getDimSize(d + 1);
  for (int64_t warp = layout.getNumWarps() - 1; warp >= 0; --warp)
    for (int64_t lane = 0; lane < 32; ++lane)
      for (int64_t reg = 0; reg < layout.getNumRegisters(); ++reg) {
        int64_t position = 0;
        for (auto [x, stride] : llvm::zip_equal(
                 layout.getCoordinates(reg, lane, warp, type.getRank()),
                 strides))
          position += x * stride;
        owners[position] = warp;
      }
  return owners;
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
