//===- TensorCopies.cpp - Copies of the copy engine -----------------------===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A copy leaves at once, arrives when the machine pleases, and is there for
// those who know that the phase it counts for has ended.
//
//===----------------------------------------------------------------------===//

#include "Machine.h"

using namespace mlir;
using namespace mlir::diffattn;
using namespace mlir::diffattn::reference;

/// The bytes that arrive in the buffer, zeros for what lies outside.
static FailureOr<std::vector<char>> readBoxes(Machine &machine,
                                              tile::TensorCopyOp op) {
  const GlobalView &view = std::get<GlobalView>(machine.get(op.getSource()));
  tile::BufferType type = op.getDest().getType();
  ArrayRef<int64_t> places = machine.getByteOffsets(type);
  int64_t width = type.getElementBytes();
  std::vector<char> bytes(places.size() * width, 0);
  SmallVector<int64_t> start = llvm::map_to_vector(
      op.getCoordinates(), [&](Value value) { return machine.getInt(value); });
  if (failed(forEachIndex(type.getShape(), [&](ArrayRef<int64_t> index,
                                               int64_t number) {
        SmallVector<int64_t> element(start);
        for (auto [i, dim] : llvm::zip_equal(index, op.getDims()))
          element[dim] += i;
        for (auto [i, size] : llvm::zip_equal(element, view.sizes))
          if (i < 0 || i >= size)
            return success();
        int64_t position = view.getPosition(element);
        if (!view.array->isDefined[position])
          return machine.fail(op, "copies element (" + stringifyShape(element) +
                                      ") of parameter " +
                                      Twine(view.array->number) +
                                      ", which is undefined");
        std::copy_n(view.array->bytes.data() + position * width, width,
                    bytes.data() + places[number]);
        return success();
      })))
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

MaybeResult reference::executeTensorCopyOp(Machine &machine, Operation *op) {
  if (auto copy = dyn_cast<tile::TensorCopyOp>(op))
    return executeTensorCopy(machine, copy);
  return std::nullopt;
}
