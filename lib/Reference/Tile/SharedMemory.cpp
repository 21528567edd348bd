//===- SharedMemory.cpp - Bytes that know who may touch them --------------===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "SharedMemory.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/Twine.h"

using namespace mlir;
using namespace mlir::diffattn::reference;

SharedMemory::SharedMemory(int64_t numBytes, unsigned numWorkers,
                           StringRef workerName)
    : numWorkers(numWorkers), workerName(workerName), memory(numBytes),
      cells(numBytes), reads(numBytes * numWorkers, never),
      clocks(numWorkers, Clock(numWorkers, 0)) {}

std::string SharedMemory::name(unsigned worker) const {
  return (workerName + " " + Twine(worker)).str();
}

//===----------------------------------------------------------------------===//
// Order
//===----------------------------------------------------------------------===//

Clock SharedMemory::release(unsigned worker) {
  ++clocks[worker][worker];
  return clocks[worker];
}

void SharedMemory::join(Clock &into, const Clock &clock) {
  if (into.size() < clock.size())
    into.resize(clock.size(), 0);
  for (auto [mine, theirs] : llvm::zip(into, clock))
    mine = std::max(mine, theirs);
}

void SharedMemory::acquire(unsigned worker, const Clock &clock) {
  join(clocks[worker], clock);
}

//===----------------------------------------------------------------------===//
// Accesses
//===----------------------------------------------------------------------===//

SharedMemory::Error SharedMemory::checkRead(unsigned worker, int64_t address,
                                            int64_t size, int64_t owner) const {
  for (const Cell &cell : ArrayRef(cells).slice(address, size)) {
    if (cell.state == State::Copying)
      return "which a copy of " + name(cell.writer) + " is still writing";
    if (cell.state == State::Undefined)
      return std::string("which nobody has written");
    if (cell.owner != owner)
      return std::string("where another buffer has been written since");
    // The data of a warp is spread over its lanes: even the warp itself needs
    // the barrier.
    if (!knows(worker, cell.writer, cell.time))
      return "which " + name(cell.writer) +
             " wrote without a barrier in between";
  }
  return std::nullopt;
}

SharedMemory::Error SharedMemory::checkWrite(unsigned worker, int64_t address,
                                             int64_t size) {
  for (int64_t i = address; i < address + size; ++i) {
    const Cell &cell = cells[i];
    if (cell.state == State::Copying)
      return "which a copy of " + name(cell.writer) + " is still writing";
    if (cell.state == State::Written && cell.writer != worker &&
        !knows(worker, cell.writer, cell.time))
      return "which " + name(cell.writer) +
             " wrote without a barrier in between";
    for (unsigned other = 0; other < numWorkers; ++other) {
      uint32_t time = lastRead(i, other);
      if (time != never && !knows(worker, other, time - 1))
        return "which " + name(other) +
               " may still be reading: no barrier since";
    }
  }
  return std::nullopt;
}

SharedMemory::Error SharedMemory::read(unsigned worker, int64_t address,
                                       MutableArrayRef<char> bytes,
                                       int64_t owner) {
  if (Error error = checkRead(worker, address, bytes.size(), owner))
    return error;
  uint32_t now = clocks[worker][worker] + 1;
  for (auto [i, byte] : llvm::enumerate(bytes)) {
    byte = memory[address + i];
    uint32_t &last = lastRead(address + i, worker);
    last = std::max(last, now);
  }
  return std::nullopt;
}

SharedMemory::Error SharedMemory::write(unsigned worker, int64_t address,
                                        ArrayRef<char> bytes, int64_t owner) {
  if (Error error = checkWrite(worker, address, bytes.size()))
    return error;
  for (auto [i, byte] : llvm::enumerate(bytes)) {
    memory[address + i] = byte;
    cells[address + i] = {State::Written, uint8_t(worker),
                          clocks[worker][worker], owner};
  }
  return std::nullopt;
}

SharedMemory::Error SharedMemory::beginCopy(unsigned worker, int64_t address,
                                            int64_t size, int64_t owner) {
  if (Error error = checkWrite(worker, address, size))
    return error;
  for (Cell &cell : MutableArrayRef(cells).slice(address, size))
    cell = {State::Copying, uint8_t(worker), 0, owner};
  return std::nullopt;
}

void SharedMemory::endCopy(unsigned worker, int64_t address,
                           ArrayRef<char> bytes) {
  for (auto [i, byte] : llvm::enumerate(bytes)) {
    memory[address + i] = byte;
    Cell &cell = cells[address + i];
    cell = {State::Written, uint8_t(worker), clocks[worker][worker],
            cell.owner};
  }
}
