//===- SharedOps.cpp - Copies and accesses to shared memory ---------------===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Machine.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace mlir::diffattn;
using namespace mlir::diffattn::reference;

//===----------------------------------------------------------------------===//
// Buffers
//===----------------------------------------------------------------------===//

static const SharedBuffer &getBuffer(Machine &machine, Value value) {
  return std::get<SharedBuffer>(machine.get(value));
}

/// "element 3x8 of slot 1 of the buffer allocated at f.mlir:12:3".
static std::string describe(const SharedBuffer &buffer,
                            ArrayRef<int64_t> index) {
  tile::AllocOp alloc = buffer.alloc;
  std::string text = "element (" + stringifyShape(index) + ") of ";
  if (alloc.getBuffer().getType().getSlots() > 1)
    text += "slot " + std::to_string(buffer.slot) + " of ";
  text += "the buffer";
  if (auto loc = alloc.getLoc()->findInstanceOf<FileLineColLoc>())
    text += " allocated in line " + std::to_string(loc.getLine());
  return text;
}

static LogicalResult failAccess(Machine &machine, Operation *op, StringRef verb,
                                const SharedBuffer &buffer,
                                ArrayRef<int64_t> index, StringRef why) {
  return machine.fail(op, verb + " " + describe(buffer, index) + ", " + why);
}

static LogicalResult executeAlloc(Machine &machine, tile::AllocOp op) {
  // What an alloc in a loop gives is undefined each time.
  constexpr int64_t maxTimes = int64_t(1) << 32;
  int64_t address = machine.getAddress(op);
  int64_t &times = machine.worker().numAllocs[op];
  unsigned number = machine.getNumber(op);
  machine.set(op.getBuffer(),
              SharedBuffer{op, op.getBuffer().getType(), address, 0,
                           number * maxTimes + times++});
  return success();
}

static LogicalResult executeSlot(Machine &machine, tile::SlotOp op) {
  SharedBuffer buffer = getBuffer(machine, op.getRing());
  int64_t index = machine.getInt(op.getIndex());
  if (index < 0 || index >= buffer.type.getSlots())
    return machine.fail(op, "picks slot " + Twine(index) + " of a ring of " +
                                Twine(buffer.type.getSlots()));
  buffer.address += index * buffer.type.getSlotBytes();
  buffer.slot = index;
  buffer.type = buffer.type.getSlotType();
  machine.set(op.getResult(), buffer);
  return success();
}

//===----------------------------------------------------------------------===//
// Asynchronous copies
//===----------------------------------------------------------------------===//

/// The bytes of the 16-byte chunk of the source that begins at `index`, zeros
/// where the view has ended.
static FailureOr<SmallVector<char, 16>> readChunk(Machine &machine,
                                                  tile::AsyncCopyOp op,
                                                  const GlobalView &view,
                                                  ArrayRef<int64_t> index) {
  constexpr int64_t chunkBytes = 16;
  SmallVector<char, 16> bytes(chunkBytes, 0);
  int64_t width = getByteWidth(view.array->dtype);
  SmallVector<int64_t> element(index);
  for (int64_t i = 0; i < chunkBytes / width; ++i, ++element.back()) {
    bool isWithin =
        llvm::all_of(llvm::zip_equal(element, view.sizes), [](auto pair) {
          return std::get<0>(pair) < std::get<1>(pair);
        });
    if (!isWithin)
      continue;
    int64_t position = view.getPosition(element);
    auto place = [&] {
      return "copies element (" + stringifyShape(element) +
             ") of a view of parameter " + std::to_string(view.array->number);
    };
    if (i == 0 && position * width % chunkBytes)
      return machine.fail(op, place() + ", whose address is no multiple of 16");
    if (position < 0 || position >= view.array->getNumElements())
      return machine.fail(op, place() + ", which is out of bounds");
    if (!view.array->isDefined[position])
      return machine.fail(op, place() + ", which is undefined");
    std::copy_n(view.array->bytes.data() + position * width, width,
                bytes.data() + i * width);
  }
  return bytes;
}

static LogicalResult executeAsyncCopy(Machine &machine, tile::AsyncCopyOp op) {
  const GlobalView &view = std::get<GlobalView>(machine.get(op.getSource()));
  const SharedBuffer &dest = getBuffer(machine, op.getDest());
  int64_t width = dest.type.getElementBytes(), chunk = 16 / width;
  SmallVector<int64_t> shape(dest.type.getShape());
  shape.back() /= chunk;
  int64_t threads = 32 * machine.getNumWarps();
  Worker &worker = machine.worker();
  return forEachIndex(shape, [&](ArrayRef<int64_t> index, int64_t number) {
    // Chunk by chunk to the threads in turn; only those of this warp.
    if (number % threads / 32 != worker.number)
      return success();
    SmallVector<int64_t> element(index);
    element.back() *= chunk;
    auto bytes = readChunk(machine, op, view, element);
    if (failed(bytes))
      return failure();
    int64_t address =
        dest.address + dest.type.getLayout().getByteOffset(element, width);
    if (auto error = machine.shared().beginCopy(worker.number, address,
                                                bytes->size(), dest.identity))
      return failAccess(machine, op, "overwrites", dest, element, *error);
    worker.openCopies.push_back({address, *bytes});
    return success();
  });
}

static LogicalResult executeCommit(Machine &machine) {
  Worker &worker = machine.worker();
  worker.groups.push_back(std::move(worker.openCopies));
  worker.openCopies.clear();
  return success();
}

static LogicalResult executeWait(Machine &machine, tile::AsyncWaitOp op) {
  Worker &worker = machine.worker();
  while (worker.groups.size() > op.getPending()) {
    for (const PendingCopy &copy : worker.groups.front())
      machine.shared().endCopy(worker.number, copy.address, copy.bytes);
    worker.groups.pop_front();
  }
  return success();
}

//===----------------------------------------------------------------------===//
// Reads and writes
//===----------------------------------------------------------------------===//

FailureOr<Tensor> reference::readBuffer(Machine &machine, Operation *op,
                                        const SharedBuffer &buffer,
                                        ArrayRef<int64_t> offsets,
                                        ArrayRef<int64_t> shape) {
  DType dtype = *getDType(buffer.type.getElementType());
  int64_t width = getByteWidth(dtype);
  Tensor result(shape);
  Slot *out = result.mutableData();
  SmallVector<int64_t> element(shape.size());
  char bytes[8];
  if (failed(forEachIndex(shape, [&](ArrayRef<int64_t> index, int64_t number) {
        for (auto [e, i, offset] : llvm::zip_equal(element, index, offsets))
          e = i + offset;
        int64_t address = buffer.address +
                          buffer.type.getLayout().getByteOffset(element, width);
        if (auto error = machine.shared().read(machine.worker().number, address,
                                               MutableArrayRef(bytes, width),
                                               buffer.identity))
          return failAccess(machine, op, "reads", buffer, element, *error);
        out[number] = decode(dtype, bytes);
        return success();
      })))
    return failure();
  return machine.unify(op, std::move(result));
}

static LogicalResult executeLocalLoad(Machine &machine, tile::LocalLoadOp op) {
  FailureOr<Tensor> result =
      readBuffer(machine, op, getBuffer(machine, op.getSource()),
                 op.getOffsets(), op.getResult().getType().getShape());
  if (failed(result))
    return failure();
  machine.set(op.getResult(), *result);
  return success();
}

static LogicalResult executeLocalStore(Machine &machine,
                                       tile::LocalStoreOp op) {
  const SharedBuffer &dest = getBuffer(machine, op.getDest());
  const Tensor &value = machine.getTensor(op.getValue());
  ArrayRef<unsigned> owners = machine.getOwners(op.getValue().getType());
  DType dtype = *getDType(dest.type.getElementType());
  int64_t width = getByteWidth(dtype);
  unsigned self = machine.worker().number;
  char bytes[8];
  return forEachIndex(
      value.getShape(), [&](ArrayRef<int64_t> index, int64_t number) {
        if (owners[number] != self)
          return success();
        encode(dtype, value.data()[number], bytes);
        int64_t address =
            dest.address + dest.type.getLayout().getByteOffset(index, width);
        if (auto error = machine.shared().write(
                self, address, ArrayRef(bytes, width), dest.identity))
          return failAccess(machine, op, "overwrites", dest, index, *error);
        return success();
      });
}

MaybeResult reference::executeSharedOp(Machine &machine, Operation *op) {
  return llvm::TypeSwitch<Operation *, MaybeResult>(op)
      .Case([&](tile::AllocOp alloc) { return executeAlloc(machine, alloc); })
      .Case([&](tile::SlotOp slot) { return executeSlot(machine, slot); })
      .Case([&](tile::AsyncCopyOp copy) {
        return executeAsyncCopy(machine, copy);
      })
      .Case([&](tile::AsyncCommitOp) { return executeCommit(machine); })
      .Case([&](tile::AsyncWaitOp wait) { return executeWait(machine, wait); })
      .Case([&](tile::LocalLoadOp load) {
        return executeLocalLoad(machine, load);
      })
      .Case([&](tile::LocalStoreOp store) {
        return executeLocalStore(machine, store);
      })
      .Default(std::nullopt);
}
