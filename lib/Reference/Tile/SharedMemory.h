//===- SharedMemory.h - Bytes that know who may touch them ------*- C++ -*-===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef DIFFATTN_LIB_REFERENCE_TILE_SHAREDMEMORY_H
#define DIFFATTN_LIB_REFERENCE_TILE_SHAREDMEMORY_H

#include "mlir/Support/LLVM.h"
#include "llvm/ADT/SmallVector.h"
#include <cstdint>
#include <string>
#include <vector>

namespace mlir::diffattn::reference {

/// What a worker (a warp) knows to have happened: of worker a everything before
/// time `clock[a]`. Workers count their own time in signals that they gave.
using Clock = SmallVector<uint32_t, 8>;

class SharedMemory {
public:
  SharedMemory(int64_t numBytes, unsigned numWorkers, StringRef workerName);

  //===--------------------------------------------------------------------===//
  // Order
  //===--------------------------------------------------------------------===//

  /// What a worker passes on with a signal. What it does later is not known to
  /// those who got it.
  Clock release(unsigned worker);
  void acquire(unsigned worker, const Clock &clock);
  static void join(Clock &into, const Clock &clock);

  //===--------------------------------------------------------------------===//
  // Accesses; `owner` is the buffer that the bytes are accessed as. A message
  // says what is wrong.
  //===--------------------------------------------------------------------===//

  using Error = std::optional<std::string>;

  Error read(unsigned worker, int64_t address, MutableArrayRef<char> bytes,
             int64_t owner);
  Error write(unsigned worker, int64_t address, ArrayRef<char> bytes,
              int64_t owner);
  /// A copy into the bytes begins; nobody may touch them until it has ended.
  Error beginCopy(unsigned worker, int64_t address, int64_t size,
                  int64_t owner);
  /// It ends, as an action of `worker`.
  void endCopy(unsigned worker, int64_t address, ArrayRef<char> bytes);

private:
  enum class State : uint8_t { Undefined, Copying, Written };
  struct Cell {
    State state = State::Undefined;
    uint8_t writer = 0;
    uint32_t time = 0;
    int64_t owner = -1;
  };
  static constexpr uint32_t never = 0;

  bool knows(unsigned worker, unsigned other, uint32_t time) const {
    return time < clocks[worker][other];
  }
  /// When `worker` last read the byte, plus one.
  uint32_t &lastRead(int64_t address, unsigned worker) {
    return reads[address * numWorkers + worker];
  }
  Error checkRead(unsigned worker, int64_t address, int64_t size,
                  int64_t owner) const;
  Error checkWrite(unsigned worker, int64_t address, int64_t size);
  std::string name(unsigned worker) const;

  unsigned numWorkers;
  std::string workerName;
  std::vector<char> memory;
  std::vector<Cell> cells;
  std::vector<uint32_t> reads;
  std::vector<Clock> clocks;
};

} // namespace mlir::diffattn::reference

#endif // DIFFATTN_LIB_REFERENCE_TILE_SHAREDMEMORY_H
