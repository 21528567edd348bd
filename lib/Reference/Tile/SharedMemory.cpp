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

SharedMemory::SharedMemory(int64_t numBytes, unsigned numWarps,
                           unsigned numTeams, unsigned numBarriers)
    : numWarps(numWarps), numActors(numWarps + numTeams), memory(numBytes),
      cells(numBytes), reads(numBytes * numActors, never),
      clocks(numWarps, Clock(numActors + numBarriers, 0)) {}

std::string SharedMemory::name(unsigned agent) const {
  if (agent < numWarps)
    return ("warp " + Twine(agent)).str();
  if (agent < numActors)
    return ("a product of team " + Twine(agent - numWarps)).str();
  return "a tensor copy";
}

//===----------------------------------------------------------------------===//
// Order
//===----------------------------------------------------------------------===//

Clock SharedMemory::release(unsigned warp) {
  ++clocks[warp][warp];
  return clocks[warp];
}

void SharedMemory::join(Clock &into, const Clock &clock) {
  if (into.size() < clock.size())
    into.resize(clock.size(), 0);
  for (auto [mine, theirs] : llvm::zip(into, clock))
    mine = std::max(mine, theirs);
}

void SharedMemory::acquire(unsigned warp, const Clock &clock) {
  join(clocks[warp], clock);
}

void SharedMemory::learn(unsigned warp, unsigned agent, uint32_t time) {
  clocks[warp][agent] = std::max(clocks[warp][agent], time + 1);
}

void SharedMemory::fence(unsigned warp, tile::FenceKind kind) {
  ++numFences;
  fences[static_cast<unsigned>(kind)].push_back(now(warp));
}

bool SharedMemory::knowsFenced(unsigned warp, Moment then,
                               tile::FenceKind kind) const {
  for (const Moment &fence : fences[static_cast<unsigned>(kind)])
    if (fence.warp == then.warp && fence.fences > then.fences)
      return knows(warp, fence.warp, fence.time);
  return false;
}

//===----------------------------------------------------------------------===//
// Accesses
//===----------------------------------------------------------------------===//

std::string SharedMemory::explainWriting(const Cell &cell) const {
  return "which " + std::string(cell.writer < numWarps ? "a copy of " : "") +
         name(cell.writer) + " is still writing";
}

std::string SharedMemory::explainWritten(const Cell &cell) const {
  return "which " + name(cell.writer) +
         (cell.writer < numWarps
              ? " wrote without a barrier in between"
              : " wrote without a wait for its barrier in between");
}

SharedMemory::Error SharedMemory::checkRead(unsigned warp, int64_t address,
                                            int64_t size, int64_t owner) const {
  for (const Cell &cell : ArrayRef(cells).slice(address, size)) {
    if (cell.state == State::Copying)
      return explainWriting(cell);
    if (cell.state == State::Undefined)
      return std::string("which nobody has written");
    if (cell.owner != owner)
      return std::string("where another buffer has been written since");
    // The data of a warp is spread over its lanes: even the warp itself needs
    // the barrier.
    if (!knows(warp, cell.writer, cell.time))
      return explainWritten(cell);
  }
  return std::nullopt;
}

SharedMemory::Error SharedMemory::checkFenced(unsigned warp, int64_t address,
                                              int64_t size) const {
  for (const Cell &cell : ArrayRef(cells).slice(address, size))
    if (cell.writer < numWarps &&
        !knowsFenced(warp, {cell.writer, cell.time, cell.fences},
                     tile::FenceKind::AsyncProxy))
      return "which " + name(cell.writer) +
             " wrote without a fence async_proxy since";
  return std::nullopt;
}

SharedMemory::Error SharedMemory::checkWrite(unsigned warp, int64_t address,
                                             int64_t size) {
  for (const StoreRead &store : stores)
    if (address < store.address + store.size && store.address < address + size)
      return "which a tensor store of " + name(store.warp) +
             " may still be reading: no store_wait since";
  for (int64_t i = address; i < address + size; ++i) {
    const Cell &cell = cells[i];
    if (cell.state == State::Copying)
      return explainWriting(cell);
    if (cell.state == State::Written && cell.writer != warp &&
        !knows(warp, cell.writer, cell.time))
      return explainWritten(cell);
    for (unsigned actor = 0; actor < numActors; ++actor) {
      uint32_t time = lastRead(i, actor);
      if (time != never && !knows(warp, actor, time - 1))
        return "which " + name(actor) +
               " may still be reading: no barrier since";
    }
  }
  return std::nullopt;
}

void SharedMemory::finishRead(unsigned actor, uint32_t time, int64_t address,
                              MutableArrayRef<char> bytes) {
  for (auto [i, byte] : llvm::enumerate(bytes)) {
    byte = memory[address + i];
    uint32_t &last = lastRead(address + i, actor);
    last = std::max(last, time + 1);
  }
}

SharedMemory::Error SharedMemory::read(unsigned warp, int64_t address,
                                       MutableArrayRef<char> bytes,
                                       int64_t owner) {
  if (Error error = checkRead(warp, address, bytes.size(), owner))
    return error;
  finishRead(warp, clocks[warp][warp], address, bytes);
  return std::nullopt;
}

SharedMemory::Error SharedMemory::readAsync(ArrayRef<unsigned> warps,
                                            unsigned unit, uint32_t time,
                                            int64_t address,
                                            MutableArrayRef<char> bytes,
                                            int64_t owner) {
  for (unsigned warp : warps) {
    if (Error error = checkRead(warp, address, bytes.size(), owner))
      return error;
    if (Error error = checkFenced(warp, address, bytes.size()))
      return error;
  }
  finishRead(unit, time, address, bytes);
  return std::nullopt;
}

SharedMemory::Error SharedMemory::write(unsigned warp, int64_t address,
                                        ArrayRef<char> bytes, int64_t owner) {
  if (Error error = checkWrite(warp, address, bytes.size()))
    return error;
  for (auto [i, byte] : llvm::enumerate(bytes)) {
    memory[address + i] = byte;
    cells[address + i] = {State::Written, uint16_t(warp), clocks[warp][warp],
                          numFences, owner};
  }
  return std::nullopt;
}

SharedMemory::Error SharedMemory::beginCopy(unsigned warp, unsigned agent,
                                            int64_t address, int64_t size,
                                            int64_t owner) {
  if (Error error = checkWrite(warp, address, size))
    return error;
  for (Cell &cell : MutableArrayRef(cells).slice(address, size))
    cell = {State::Copying, uint16_t(agent), 0, numFences, owner};
  return std::nullopt;
}

void SharedMemory::endCopy(unsigned agent, uint32_t time, int64_t address,
                           ArrayRef<char> bytes) {
  for (auto [i, byte] : llvm::enumerate(bytes)) {
    memory[address + i] = byte;
    Cell &cell = cells[address + i];
    cell = {State::Written, uint16_t(agent), time, numFences, cell.owner};
  }
}

SharedMemory::Error SharedMemory::readForStore(unsigned warp, int64_t address,
                                               MutableArrayRef<char> bytes,
                                               int64_t owner) const {
  if (Error error = checkRead(warp, address, bytes.size(), owner))
    return error;
  if (Error error = checkFenced(warp, address, bytes.size()))
    return error;
  // Nobody may write there meanwhile: it might as well have been read now.
  llvm::copy(ArrayRef(memory).slice(address, bytes.size()), bytes.begin());
  return std::nullopt;
}

int64_t SharedMemory::getNumStores(unsigned warp) const {
  return llvm::count_if(
      stores, [&](const StoreRead &store) { return store.warp == warp; });
}

void SharedMemory::endStores(unsigned warp, int64_t pending) {
  int64_t count = getNumStores(warp) - pending;
  for (auto it = stores.begin(); count > 0;) {
    if (it->warp != warp) {
      ++it;
      continue;
    }
    for (int64_t i = it->address; i < it->address + it->size; ++i)
      lastRead(i, warp) = clocks[warp][warp] + 1;
    it = stores.erase(it);
    --count;
  }
}
