//===- Barriers.h - Barriers with phases ------------------------*- C++ -*-===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef DIFFATTN_LIB_REFERENCE_TILE_BARRIERS_H
#define DIFFATTN_LIB_REFERENCE_TILE_BARRIERS_H

#include "SharedMemory.h"

namespace mlir::diffattn::reference {

class Machine;

/// One barrier (PTX ISA, "mbarrier"). Phases are counted from 0; that a phase
/// has ended is an event which some warps know of and others do not.
struct PhaseBarrier {
  tile::BarriersOp op;
  /// Its number among those of `op`, and among all.
  int64_t index = 0;
  unsigned number = 0;
  int64_t arrivals = 1;
  std::optional<Moment> initialised;

  /// Phases that ended; the current one has this number.
  int64_t numEnded = 0;
  /// Of the current phase: arrivals, and bytes announced, of copies that have
  /// been started, and of those that have arrived.
  int64_t numArrived = 0, expected = 0, started = 0, moved = 0;
  /// What those who arrived knew, in this phase and in the last.
  Clock gathered, ended;

  /// The last wait of a warp.
  struct Wait {
    Operation *op = nullptr;
    int64_t phase = -1;
    uint32_t time = 0;
  };
  SmallVector<Wait, 16> waits;
  /// The last phase with copies, and the last that somebody has waited for.
  int64_t lastCopied = -1, lastWaited = -1;
};

/// Bytes on their way to shared memory, which count for the phase that was
/// current when they left.
struct TensorTransfer {
  unsigned barrier;
  int64_t address;
  std::vector<char> bytes;
};

/// "barrier 2 of those in line 12".
std::string describe(const PhaseBarrier &barrier);
/// "phase 3 of barrier 0 of those in line 12 (1 of 3 arrivals)".
std::string describePhase(const PhaseBarrier &barrier);

/// The barrier that `op` is about, if the current warp may use it.
FailureOr<unsigned> getBarrier(Machine &machine, Operation *op, Value barriers,
                               Value index);
/// A copy of `bytes` starts that counts for the barrier.
LogicalResult announceCopy(Machine &machine, Operation *op, unsigned barrier,
                           int64_t bytes);
/// It arrives.
LogicalResult receiveCopy(Machine &machine, const TensorTransfer &transfer);

} // namespace mlir::diffattn::reference

#endif // DIFFATTN_LIB_REFERENCE_TILE_BARRIERS_H
