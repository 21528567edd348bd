//===- TensorCopies.cpp - Copies of the copy engine -----------------------===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A copy leaves at once, arrives when the machine pleases, and is there for
// those who know that the phase it counts for has ended. A store reads at once,
// but nobody may write there before it has been waited for.
//
//===----------------------------------------------------------------------===//

#include "Machine.h"

#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace mlir::diffattn;
using namespace mlir::diffattn::reference;

/// Calls `fn(element, number)` for the elements of a buffer of `shape` that lie
/// within the tensor of a map, by their place there and in the buffer.
static LogicalResult forEachInside(
    Machine &machine, const GlobalView &view, ValueRange coordinates,
    ArrayRef<int64_t> dims, ArrayRef<int64_t> shape,
    llvm::function_ref<LogicalResult(ArrayRef<int64_t>, int64_t)> fn) {
  SmallVector<int64_t> start = llvm::map_to_vector(
      coordinates, [&](Value value) { return machine.getInt(value); });
  return forEachIndex(shape, [&](ArrayRef<int64_t> index, int64_t number) {
    SmallVector<int64_t> element(start);
    for (auto [i, dim] : llvm::zip_equal(index, dims))
      element[dim] += i;
    for (auto [i, size] : llvm::zip_equal(element, view.sizes))
      if (i < 0 || i >= size)
        return success();
    return fn(element, number);
  });
}

/// The bytes that arrive in the buffer, zeros for what lies outside.
static FailureOr<std::vector<char>> readBoxes(Machine &machine,
                                              tile::TensorCopyOp op) {
  const GlobalView &view = std::get<GlobalView>(machine.get(op.getSource()));
  tile::BufferType type = op.getDest().getType();
  ArrayRef<int64_t> places = machine.getByteOffsets(type);
  int64_t width = type.getElementBytes();
  std::vector<char> bytes(places.size() * width, 0);
  auto copy = [&](ArrayRef<int64_t> element, int64_t number) {
    int64_t position = view.getPosition(element);
    if (!view.array->isDefined[position])
      return machine.fail(
          op, "copies element (" + stringifyShape(element) + ") of parameter " +
                  Twine(view.array->number) + ", which is undefined");
    std::copy_n(view.array->bytes.data() + position * width, width,
                bytes.data() + places[number]);
    return success();
  };
  if (failed(forEachInside(machine, view, op.getCoordinates(), op.getDims(),
                           type.getShape(), copy)))
    return failure();
  return bytes;
}

static LogicalResult executeTensorCopy(Machine &machine,
                                       tile::TensorCopyOp op) {
  FailureOr<unsigned> barrier =
      getBarrier(machine, op, op.getBarriers(), op.getIndex());
  if (failed(barrier))
    return failure();
  FailureOr<std::vector<char>> bytes = readBoxes(machine, op);
  if (failed(bytes))
    return failure();
  const SharedBuffer &dest = getBuffer(machine, op.getDest());
  SharedMemory &shared = machine.shared();
  if (auto error =
          shared.beginCopy(machine.worker().number, shared.getBarrier(*barrier),
                           dest.address, bytes->size(), dest.identity))
    return machine.fail(op, "overwrites " + describe(dest) + ", " + *error);
  if (failed(announceCopy(machine, op, *barrier, bytes->size())))
    return failure();
  machine.startTransfer({*barrier, dest.address, std::move(*bytes)});
  return success();
}

static LogicalResult executeTensorStore(Machine &machine,
                                        tile::TensorStoreOp op) {
  const SharedBuffer &source = getBuffer(machine, op.getSource());
  SharedMemory &shared = machine.shared();
  unsigned warp = machine.worker().number;
  ArrayRef<int64_t> shape = source.type.getShape();
  std::string why;
  FailureOr<Tensor> tile = readElements(
      machine, source, SmallVector<int64_t>(shape.size(), 0), shape,
      [&](int64_t address, MutableArrayRef<char> bytes) {
        return shared.readForStore(warp, address, bytes, source.identity);
      },
      why);
  if (failed(tile))
    return machine.fail(op, why);
  shared.beginStore(warp, source.address, source.type.getTotalBytes());
  const GlobalView &view = std::get<GlobalView>(machine.get(op.getDest()));
  return forEachInside(machine, view, op.getCoordinates(), op.getDims(), shape,
                       [&](ArrayRef<int64_t> element, int64_t number) {
                         return writeElement(machine, op, view, element,
                                             tile->data()[number]);
                       });
}

MaybeResult reference::executeTensorCopyOp(Machine &machine, Operation *op) {
  return llvm::TypeSwitch<Operation *, MaybeResult>(op)
      .Case([&](tile::TensorCopyOp copy) {
        return executeTensorCopy(machine, copy);
      })
      .Case([&](tile::TensorStoreOp store) {
        return executeTensorStore(machine, store);
      })
      .Case([&](tile::StoreWaitOp wait) {
        machine.shared().endStores(machine.worker().number, wait.getPending());
        return success();
      })
      .Default(std::nullopt);
}
