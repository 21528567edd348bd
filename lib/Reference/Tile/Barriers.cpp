//===- Barriers.cpp - Barriers with phases --------------------------------===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A barrier tells its users no more than a parity, so who uses it must know by
// other means which phase is current. That is what is checked here, by what a
// warp knows and not by what happens to be:
// - An arrival counts for the phase after the last one that the warp knows to
//   have ended.
// - A wait means that phase or the one before. The phase after the one waited
//   for must not end before whoever ends it knows that the wait is over.
//
//===----------------------------------------------------------------------===//

#include "Barriers.h"

#include "Machine.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace mlir::diffattn;
using namespace mlir::diffattn::reference;

std::string reference::describe(const PhaseBarrier &barrier) {
  std::string text = "barrier " + std::to_string(barrier.index) + " of those";
  tile::BarriersOp op = barrier.op;
  if (auto loc = op.getLoc()->findInstanceOf<FileLineColLoc>())
    text += " in line " + std::to_string(loc.getLine());
  return text;
}

static std::string describePhase(const PhaseBarrier &barrier, int64_t phase) {
  return (phase < 0 ? "the phase before the first"
                    : "phase " + std::to_string(phase)) +
         " of " + describe(barrier);
}

std::string reference::describePhase(const PhaseBarrier &barrier) {
  std::string text = ::describePhase(barrier, barrier.numEnded) + " (" +
                     std::to_string(barrier.numArrived) + " of " +
                     std::to_string(barrier.arrivals) + " arrivals";
  if (barrier.expected || barrier.started)
    text += ", " + std::to_string(barrier.moved) + " of " +
            std::to_string(barrier.expected) + " bytes";
  return text + ")";
}

FailureOr<unsigned> reference::getBarrier(Machine &machine, Operation *op,
                                          Value barriers, Value index) {
  int64_t number = machine.getInt(index),
          count = cast<tile::BarriersType>(barriers.getType()).getCount();
  if (number < 0 || number >= count)
    return machine.fail(op, "uses barrier " + Twine(number) + " of " +
                                Twine(count));
  unsigned first = std::get<BarrierArray>(machine.get(barriers)).first;
  const PhaseBarrier &barrier = machine.barriers()[first + number];
  if (!barrier.initialised || !machine.shared().knowsFenced(
                                  machine.worker().number, *barrier.initialised,
                                  tile::FenceKind::BarrierInit))
    return machine.fail(op, "uses " + describe(barrier) +
                                " without a fence barrier_init and a "
                                "gpu.barrier since they were initialised");
  return first + number;
}

//===----------------------------------------------------------------------===//
// Phases
//===----------------------------------------------------------------------===//

/// Ends the current phase if all is there.
static LogicalResult advance(Machine &machine, PhaseBarrier &barrier) {
  if (barrier.numArrived < barrier.arrivals ||
      barrier.moved != barrier.expected)
    return success();
  for (auto [warp, wait] : llvm::enumerate(barrier.waits)) {
    // A warp that waits for the phase before sees a parity, no number.
    bool isBefore = wait.op && wait.phase == barrier.numEnded - 1;
    if (!isBefore || wait.time < barrier.gathered[warp])
      continue;
    machine.setCurrent(warp);
    return machine.fail(wait.op,
                        "waits for " + describePhase(barrier, wait.phase) +
                            ", but the next phase may end before this is seen");
  }
  if (barrier.started)
    barrier.lastCopied = barrier.numEnded;
  ++barrier.numEnded;
  barrier.ended = std::move(barrier.gathered);
  barrier.gathered.clear();
  barrier.numArrived = barrier.expected = barrier.started = barrier.moved = 0;
  machine.wake(barrier.number);
  return success();
}

static LogicalResult checkBytes(Machine &machine, Operation *op,
                                const PhaseBarrier &barrier) {
  if (barrier.numArrived < barrier.arrivals ||
      barrier.started <= barrier.expected)
    return success();
  return machine.fail(op, "lets " + describePhase(barrier, barrier.numEnded) +
                              " end early: its copies move " +
                              Twine(barrier.started) + " bytes, but " +
                              Twine(barrier.expected) + " are expected");
}

LogicalResult reference::announceCopy(Machine &machine, Operation *op,
                                      unsigned number, int64_t bytes) {
  PhaseBarrier &barrier = machine.barriers()[number];
  barrier.started += bytes;
  return checkBytes(machine, op, barrier);
}

LogicalResult reference::receiveCopy(Machine &machine,
                                     const TensorTransfer &transfer) {
  PhaseBarrier &barrier = machine.barriers()[transfer.barrier];
  SharedMemory &shared = machine.shared();
  shared.endCopy(shared.getBarrier(transfer.barrier), barrier.numEnded,
                 transfer.address, transfer.bytes);
  barrier.moved += transfer.bytes.size();
  return advance(machine, barrier);
}

//===----------------------------------------------------------------------===//
// Ops
//===----------------------------------------------------------------------===//

static LogicalResult executeBarriers(Machine &machine, tile::BarriersOp op) {
  unsigned first = machine.getFirstBarrier(op);
  machine.set(op.getBarriers(), BarrierArray{first});
  // One thread of the block initialises them.
  if (machine.worker().number != 0)
    return success();
  for (int64_t i = 0; i < op.getBarriers().getType().getCount(); ++i) {
    PhaseBarrier &barrier = machine.barriers()[first + i];
    if (barrier.initialised)
      return machine.fail(op, "initialises its barriers a second time");
    barrier.initialised = machine.shared().now(0);
  }
  return success();
}

/// An arrival at a barrier that announces `bytes`.
static LogicalResult countArrival(Machine &machine, Operation *op,
                                  Value barriers, Value index, int64_t bytes) {
  FailureOr<unsigned> number = getBarrier(machine, op, barriers, index);
  if (failed(number))
    return failure();
  PhaseBarrier &barrier = machine.barriers()[*number];
  SharedMemory &shared = machine.shared();
  unsigned warp = machine.worker().number, agent = shared.getBarrier(*number);
  if (shared.getKnown(warp, agent) != barrier.numEnded)
    return machine.fail(
        op, "may count for a wrong phase: the warp does not know that " +
                describePhase(barrier, barrier.numEnded - 1) + " has ended");
  if (barrier.numArrived == barrier.arrivals)
    return machine.fail(op,
                        "is one arrival too many in " + describePhase(barrier));
  ++barrier.numArrived;
  barrier.expected += bytes;
  SharedMemory::join(barrier.gathered, shared.release(warp));
  // Who alone ends a phase knows that it has ended.
  if (barrier.arrivals == 1 && barrier.expected == 0)
    shared.learn(warp, agent, barrier.numEnded);
  if (failed(checkBytes(machine, op, barrier)))
    return failure();
  return advance(machine, barrier);
}

static LogicalResult executeArrive(Machine &machine, tile::ArriveOp op) {
  // Once for the team, by its first thread.
  if (!op->getParentOfType<tile::ElectedOp>() &&
      machine.getRank() % tile::teamWarps != 0)
    return success();
  return countArrival(machine, op, op.getBarriers(), op.getIndex(), 0);
}

static LogicalResult executeExpect(Machine &machine, tile::ExpectOp op) {
  if (!op->getParentOfType<tile::ElectedOp>())
    return machine.fail(op, "is for one thread, expected in "
                            "diffattn_tile.elected");
  return countArrival(machine, op, op.getBarriers(), op.getIndex(),
                      op.getBytes());
}

static LogicalResult executeWait(Machine &machine, tile::WaitOp op) {
  FailureOr<unsigned> number =
      getBarrier(machine, op, op.getBarriers(), op.getIndex());
  if (failed(number))
    return failure();
  PhaseBarrier &barrier = machine.barriers()[*number];
  SharedMemory &shared = machine.shared();
  unsigned warp = machine.worker().number, agent = shared.getBarrier(*number);
  int64_t parity = machine.getInt(op.getPhase()),
          known = shared.getKnown(warp, agent);
  if (parity != 0 && parity != 1)
    return machine.fail(op, "waits for the parity " + Twine(parity) +
                                ", expected 0 or 1");
  // The next phase that may end, or the one before.
  int64_t phase = known % 2 == parity ? known : known - 1;
  if (barrier.numEnded > phase + 1)
    return machine.fail(op, "waits for " + describePhase(barrier, phase) +
                                ", but the next phase has ended, too, which "
                                "the wait cannot tell");
  if (barrier.numEnded <= phase) {
    machine.waitForPhase(op, *number);
    return success();
  }
  if (phase == known) {
    shared.acquire(warp, barrier.ended);
    shared.learn(warp, agent, phase);
  }
  barrier.waits[warp] = {op, phase, shared.getKnown(warp, warp)};
  barrier.lastWaited = std::max(barrier.lastWaited, phase);
  return success();
}

MaybeResult reference::executeBarrierOp(Machine &machine, Operation *op) {
  return llvm::TypeSwitch<Operation *, MaybeResult>(op)
      .Case([&](tile::BarriersOp barriers) {
        return executeBarriers(machine, barriers);
      })
      .Case(
          [&](tile::ArriveOp arrive) { return executeArrive(machine, arrive); })
      .Case(
          [&](tile::ExpectOp expect) { return executeExpect(machine, expect); })
      .Case([&](tile::WaitOp wait) { return executeWait(machine, wait); })
      .Case([&](tile::FenceOp fence) {
        machine.shared().fence(machine.worker().number, fence.getKind());
        return success();
      })
      .Default(std::nullopt);
}
