//===- SharedMemory.h - Bytes that know who may touch them ------*- C++ -*-===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef DIFFATTN_LIB_REFERENCE_TILE_SHAREDMEMORY_H
#define DIFFATTN_LIB_REFERENCE_TILE_SHAREDMEMORY_H

#include "diffattn/Dialect/Tile/IR/Tile.h"
#include "mlir/Support/LLVM.h"
#include "llvm/ADT/SmallVector.h"
#include <cstdint>
#include <string>
#include <vector>

namespace mlir::diffattn::reference {

/// What an agent knows to have happened: of agent a everything before time
/// `clock[a]`. The agents are
///   - warps, which count their time in signals that they gave,
///   - the matrix unit of each team, in products,
///   - barriers, in phases: the copies of a phase are what a barrier does.
using Clock = SmallVector<uint32_t, 16>;

/// When a warp did something. `fences` counts those of all warps before.
struct Moment {
  unsigned warp = 0;
  uint32_t time = 0, fences = 0;
};

class SharedMemory {
public:
  SharedMemory(int64_t numBytes, unsigned numWarps, unsigned numTeams,
               unsigned numBarriers);

  unsigned getMatrixUnit(unsigned team) const { return numWarps + team; }
  unsigned getBarrier(unsigned number) const { return numActors + number; }

  //===--------------------------------------------------------------------===//
  // Order
  //===--------------------------------------------------------------------===//

  /// What a warp passes on with a signal. What it does later is not known to
  /// those who got it.
  Clock release(unsigned warp);
  void acquire(unsigned warp, const Clock &clock);
  static void join(Clock &into, const Clock &clock);
  /// The warp hears that an agent has done all of `time`.
  void learn(unsigned warp, unsigned agent, uint32_t time);

  /// Up to which time, exclusive, `warp` knows what `agent` has done.
  uint32_t getKnown(unsigned warp, unsigned agent) const {
    return clocks[warp][agent];
  }
  bool knows(unsigned warp, unsigned agent, uint32_t time) const {
    return time < getKnown(warp, agent);
  }

  void fence(unsigned warp, tile::FenceKind kind);
  Moment now(unsigned warp) const {
    return {warp, clocks[warp][warp], numFences};
  }
  /// Whether a fence followed what happened then, and `warp` knows of both.
  bool knowsFenced(unsigned warp, Moment then, tile::FenceKind kind) const;

  //===--------------------------------------------------------------------===//
  // Accesses; `owner` is the buffer that the bytes are accessed as. A message
  // says what is wrong.
  //===--------------------------------------------------------------------===//

  using Error = std::optional<std::string>;

  Error read(unsigned warp, int64_t address, MutableArrayRef<char> bytes,
             int64_t owner);
  /// A matrix unit reads at `time` what `warps`, which all take part, may.
  Error readAsync(ArrayRef<unsigned> warps, unsigned unit, uint32_t time,
                  int64_t address, MutableArrayRef<char> bytes, int64_t owner);
  Error write(unsigned warp, int64_t address, ArrayRef<char> bytes,
              int64_t owner);
  /// `warp` begins a copy into the bytes, as an action of `agent`; nobody may
  /// touch them until it has ended.
  Error beginCopy(unsigned warp, unsigned agent, int64_t address, int64_t size,
                  int64_t owner);
  void endCopy(unsigned agent, uint32_t time, int64_t address,
               ArrayRef<char> bytes);

  //===--------------------------------------------------------------------===//
  // Tensor stores: they read until the warp that started them has waited.
  //===--------------------------------------------------------------------===//

  /// What a store of `warp` finds.
  Error readForStore(unsigned warp, int64_t address,
                     MutableArrayRef<char> bytes, int64_t owner) const;
  void beginStore(unsigned warp, int64_t address, int64_t size) {
    stores.push_back({warp, address, size});
  }
  /// All but the last `pending` stores of the warp have read.
  void endStores(unsigned warp, int64_t pending);
  int64_t getNumStores(unsigned warp) const;

private:
  enum class State : uint8_t { Undefined, Copying, Written };
  struct Cell {
    State state = State::Undefined;
    uint16_t writer = 0;
    uint32_t time = 0, fences = 0;
    int64_t owner = -1;
  };
  static constexpr uint32_t never = 0;

  /// When an actor (a warp or a matrix unit) last read the byte, plus one.
  uint32_t &lastRead(int64_t address, unsigned actor) {
    return reads[address * numActors + actor];
  }
  Error checkRead(unsigned warp, int64_t address, int64_t size,
                  int64_t owner) const;
  Error checkFenced(unsigned warp, int64_t address, int64_t size) const;
  Error checkWrite(unsigned warp, int64_t address, int64_t size);
  void finishRead(unsigned actor, uint32_t time, int64_t address,
                  MutableArrayRef<char> bytes);
  std::string name(unsigned agent) const;
  std::string explainWriting(const Cell &cell) const;
  std::string explainWritten(const Cell &cell) const;

  unsigned numWarps, numActors;
  std::vector<char> memory;
  std::vector<Cell> cells;
  std::vector<uint32_t> reads;
  std::vector<Clock> clocks;
  /// Stores under way.
  struct StoreRead {
    unsigned warp;
    int64_t address, size;
  };
  std::vector<StoreRead> stores;
  /// By kind and warp.
  std::vector<Moment> fences[2];
  uint32_t numFences = 0;
};

} // namespace mlir::diffattn::reference

#endif // DIFFATTN_LIB_REFERENCE_TILE_SHAREDMEMORY_H
