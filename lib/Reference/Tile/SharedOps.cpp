//===- SharedOps.cpp - Copies and accesses to shared memory ---------------===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Machine.h"

#include "mlir/Dialect/Utils/IndexingUtils.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace mlir::diffattn;
using namespace mlir::diffattn::reference;

//===----------------------------------------------------------------------===//
// Buffers
//===----------------------------------------------------------------------===//

const SharedBuffer &reference::getBuffer(Machine &machine, Value value) {
  return std::get<SharedBuffer>(machine.get(value));
}

std::string reference::describe(const SharedBuffer &buffer) {
  tile::AllocOp alloc = buffer.alloc;
  std::string text;
  if (alloc.getBuffer().getType().getSlots() > 1)
    text += "slot " + std::to_string(buffer.slot) + " of ";
  text += "the buffer";
  if (auto loc = alloc.getLoc()->findInstanceOf<FileLineColLoc>())
    text += " allocated in line " + std::to_string(loc.getLine());
  return text;
}

static std::string describe(const SharedBuffer &buffer,
                            ArrayRef<int64_t> index) {
  return "element (" + stringifyShape(index) + ") of " + describe(buffer);
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

static LogicalResult executeReuse(Machine &machine, tile::ReuseOp op) {
  SharedBuffer buffer = getBuffer(machine, op.getSource());
  buffer.type = op.getResult().getType();
  buffer.identity = ~buffer.identity;
  machine.set(op.getResult(), buffer);
  return success();
}

//===----------------------------------------------------------------------===//
// Asynchronous copies
//===----------------------------------------------------------------------===//

/// The bytes of the chunk of the source that begins at `index`, zeros where the
/// view has ended.
static FailureOr<SmallVector<char, 16>>
readChunk(Machine &machine, tile::AsyncCopyOp op, const GlobalView &view,
          ArrayRef<int64_t> index, int64_t chunkBytes) {
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
      return machine.fail(op, place() + ", whose address is no multiple of " +
                                  Twine(chunkBytes));
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
  if (machine.worker().isInRole)
    return machine.fail(op, "is for all threads of the block, but in a role");
  const GlobalView &view = std::get<GlobalView>(machine.get(op.getSource()));
  const SharedBuffer &dest = getBuffer(machine, op.getDest());
  int64_t width = dest.type.getElementBytes();
  auto kernel = op->getParentOfType<gpu::GPUFuncOp>();
  int64_t chunk = kernel->hasAttr(tile::attr::elementwise) ? 1 : 16 / width;
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
    auto bytes = readChunk(machine, op, view, element, chunk * width);
    if (failed(bytes))
      return failure();
    int64_t address =
        dest.address + dest.type.getLayout().getByteOffset(element, width);
    if (auto error =
            machine.shared().beginCopy(worker.number, worker.number, address,
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
  uint32_t now = machine.shared().now(worker.number).time;
  while (worker.groups.size() > op.getPending()) {
    for (const PendingCopy &copy : worker.groups.front())
      machine.shared().endCopy(worker.number, now, copy.address, copy.bytes);
    worker.groups.pop_front();
  }
  return success();
}

//===----------------------------------------------------------------------===//
// Reads and writes
//===----------------------------------------------------------------------===//

FailureOr<Tensor> reference::readElements(
    Machine &machine, const SharedBuffer &buffer, ArrayRef<int64_t> offsets,
    ArrayRef<int64_t> shape,
    llvm::function_ref<SharedMemory::Error(int64_t, MutableArrayRef<char>)>
        read,
    std::string &why) {
  DType dtype = *getDType(buffer.type.getElementType());
  SmallVector<int64_t> strides = computeSuffixProduct(buffer.type.getShape());
  ArrayRef<int64_t> places = machine.getByteOffsets(buffer.type);
  int64_t first = linearize(offsets, strides);
  Tensor result(shape);
  Slot *out = result.mutableData();
  char storage[8];
  MutableArrayRef<char> bytes(storage, getByteWidth(dtype));
  if (failed(forEachIndex(shape, [&](ArrayRef<int64_t> index, int64_t number) {
        int64_t place = places[first + linearize(index, strides)];
        if (auto error = read(buffer.address + place, bytes)) {
          SmallVector<int64_t> element(index);
          for (auto [e, offset] : llvm::zip_equal(element, offsets))
            e += offset;
          why = "reads " + ::describe(buffer, element) + ", " + *error;
          return failure();
        }
        out[number] = decode(dtype, storage);
        return success();
      })))
    return failure();
  return result;
}

FailureOr<Tensor> reference::readBuffer(Machine &machine, Operation *op,
                                        const SharedBuffer &buffer,
                                        ArrayRef<int64_t> offsets,
                                        ArrayRef<int64_t> shape) {
  std::string why;
  FailureOr<Tensor> result = readElements(
      machine, buffer, offsets, shape,
      [&](int64_t address, MutableArrayRef<char> bytes) {
        return machine.shared().read(machine.worker().number, address, bytes,
                                     buffer.identity);
      },
      why);
  if (failed(result))
    return machine.fail(op, why);
  return machine.unify(op, std::move(*result));
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
  ArrayRef<uint32_t> holders = machine.getHolders(op.getValue().getType());
  DType dtype = *getDType(dest.type.getElementType());
  int64_t width = getByteWidth(dtype);
  char bytes[8];
  return forEachIndex(
      value.getShape(), [&](ArrayRef<int64_t> index, int64_t number) {
        if (!machine.isOwner(holders[number]))
          return success();
        encode(dtype, value.data()[number], bytes);
        int64_t address =
            dest.address + dest.type.getLayout().getByteOffset(index, width);
        if (auto error =
                machine.shared().write(machine.worker().number, address,
                                       ArrayRef(bytes, width), dest.identity))
          return failAccess(machine, op, "overwrites", dest, index, *error);
        return success();
      });
}

static LogicalResult executeWriteScalars(Machine &machine,
                                         tile::WriteScalarsOp op) {
  const SharedBuffer &dest = getBuffer(machine, op.getDest());
  ArrayRef<int64_t> places = machine.getByteOffsets(dest.type);
  for (auto [i, value] : llvm::enumerate(op.getValues())) {
    char bytes[4];
    encode(DType::I32, *machine.getTensor(value).data(), bytes);
    if (auto error = machine.shared().write(machine.worker().number,
                                            dest.address + places[i], bytes,
                                            dest.identity))
      return failAccess(machine, op, "overwrites", dest,
                        {static_cast<int64_t>(i)}, *error);
  }
  return success();
}

static LogicalResult executeReadScalars(Machine &machine,
                                        tile::ReadScalarsOp op) {
  const SharedBuffer &source = getBuffer(machine, op.getSource());
  FailureOr<Tensor> numbers =
      readBuffer(machine, op, source, {0}, source.type.getShape());
  if (failed(numbers))
    return failure();
  for (auto [i, value] : llvm::enumerate(op.getValues()))
    machine.setInt(value, numbers->data()[i].i);
  return success();
}

MaybeResult reference::executeSharedOp(Machine &machine, Operation *op) {
  return llvm::TypeSwitch<Operation *, MaybeResult>(op)
      .Case([&](tile::AllocOp alloc) { return executeAlloc(machine, alloc); })
      .Case([&](tile::SlotOp slot) { return executeSlot(machine, slot); })
      .Case([&](tile::ReuseOp reuse) { return executeReuse(machine, reuse); })
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
      .Case([&](tile::WriteScalarsOp write) {
        return executeWriteScalars(machine, write);
      })
      .Case([&](tile::ReadScalarsOp read) {
        return executeReadScalars(machine, read);
      })
      .Default(std::nullopt);
}
