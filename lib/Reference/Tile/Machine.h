//===- Machine.h - A thread block, one op at a time -------------*- C++ -*-===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef DIFFATTN_LIB_REFERENCE_TILE_MACHINE_H
#define DIFFATTN_LIB_REFERENCE_TILE_MACHINE_H

#include "../Program.h"
#include "Barriers.h"
#include "SharedMemory.h"
#include "Values.h"
#include "diffattn/Reference/TileInterpreter.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include <deque>
#include <random>

namespace mlir::diffattn::reference {

/// What outlives a block: compiled ops, and the last result of each op. All
/// warps of a team compute the same from the same operands; only the first one
/// does the work.
struct OpCache {
  struct Entry {
    SmallVector<Tensor> operands;
    Tensor result;
  };
  /// An op as one team runs it.
  using Key = std::pair<Operation *, unsigned>;

  llvm::DenseMap<Key, Entry> results;
  /// Tensors that ops read from memory lately.
  llvm::DenseMap<Key, SmallVector<Tensor>> read;
  llvm::DenseMap<Operation *, Program> programs;
  /// By type and the number of warps that share the tensor.
  llvm::DenseMap<std::pair<Type, unsigned>, std::vector<uint32_t>> holders;
  llvm::DenseMap<Type, std::vector<int64_t>> byteOffsets;
};

/// Bytes that a copy will write, in runs.
struct PendingCopy {
  int64_t address;
  SmallVector<char, 16> bytes;
};
using CopyGroup = std::vector<PendingCopy>;

/// One warp: what it is doing, and what it knows.
struct Worker {
  /// AtBarrier waits for the block, AtTeam for the team, AtPhase for the end of
  /// the phase of a barrier.
  enum class Status { Running, AtBarrier, AtTeam, AtPhase, Done };

  /// A block of ops being run, and of a loop where it stands.
  struct Frame {
    Block *block;
    Block::iterator next;
    int64_t iv = 0, upper = 0, step = 0;
  };

  unsigned number = 0;
  Status status = Status::Running;
  Operation *waitsAt = nullptr;
  /// AtPhase: the number of the barrier.
  unsigned waitsFor = 0;
  /// Inside of a role, layouts speak of the warps of the team.
  bool isInRole = false;
  SmallVector<Frame> stack;
  llvm::DenseMap<Value, RuntimeValue> env;
  /// Copies that no commit has closed into a group, and groups in order.
  CopyGroup openCopies;
  std::deque<CopyGroup> groups;
  llvm::DenseMap<Operation *, int64_t> numAllocs;
};

/// The turn of a team: who of the team before has passed it, what they knew,
/// and when each warp took the last one, plus one.
struct Turn {
  uint32_t passedBy = 0;
  Clock passed;
  std::array<uint32_t, tile::teamWarps> taken = {};
};

class Machine {
public:
  Machine(gpu::GPUFuncOp kernel, const TileInterpreterOptions &options);

  /// Gives shared memory its layout; fails if buffers have no legal places.
  LogicalResult prepare();
  LogicalResult runBlock(int64_t blockId, int64_t numBlocks,
                         ArrayRef<RuntimeValue> arguments);
  const std::string &getError() const { return error; }

  //===--------------------------------------------------------------------===//
  // For the families of ops
  //===--------------------------------------------------------------------===//

  LogicalResult fail(Operation *op, const Twine &why);

  Worker &worker() { return *current; }
  SharedMemory &shared() { return *memory; }
  int64_t getNumWarps() const { return numWarps; }
  std::vector<PhaseBarrier> &barriers() { return phaseBarriers; }
  unsigned getFirstBarrier(tile::BarriersOp op) const {
    return firstBarriers.find(op)->second;
  }
  /// Where a buffer lies, and its number among those of the kernel.
  int64_t getAddress(tile::AllocOp op) const {
    return allocs.find(op)->second.first;
  }
  int64_t getNumber(tile::AllocOp op) const {
    return allocs.find(op)->second.second;
  }

  const RuntimeValue &get(Value value) {
    return current->env.find(value)->second;
  }
  const Tensor &getTensor(Value value) { return std::get<Tensor>(get(value)); }
  int64_t getInt(Value value) { return getTensor(value).getInt(); }
  SmallVector<int64_t> getInts(ArrayRef<OpFoldResult> values);
  void set(Value value, RuntimeValue runtime) {
    current->env[value] = std::move(runtime);
  }
  void setInt(Value value, int64_t number) {
    set(value, Tensor::scalarInt(number));
  }

  /// The result of a pure op of tensors: that of the last time if the operands
  /// are the same, else what `compute` makes of them.
  LogicalResult setMemoized(Operation *op,
                            llvm::function_ref<FailureOr<Tensor>()> compute,
                            ArrayRef<Tensor> operands);
  /// A tensor read from memory: the very tensor of the last time if equal.
  Tensor unify(Operation *op, Tensor tensor);

  /// Which of the warps that share a tensor hold each element, as bits. The
  /// first one stores it.
  ArrayRef<uint32_t> getHolders(RankedTensorType type);
  bool isOwner(uint32_t holders) const {
    return llvm::countr_zero(holders) == static_cast<int>(getRank());
  }
  /// Where each element of a buffer lies in it, in row-major order.
  ArrayRef<int64_t> getByteOffsets(tile::BufferType type);

  //===--------------------------------------------------------------------===//
  // Teams (Teams.cpp)
  //===--------------------------------------------------------------------===//

  unsigned getTeamNumber() const { return current->number / tile::teamWarps; }
  MutableArrayRef<Worker> getTeam() {
    return MutableArrayRef(workers).slice(getTeamNumber() * tile::teamWarps,
                                          tile::teamWarps);
  }
  /// The place of the current warp among those that share its tensors.
  unsigned getRank() const {
    return current->isInRole ? current->number % tile::teamWarps
                             : current->number;
  }
  int64_t getNumSharing() const {
    return current->isInRole ? tile::teamWarps : numWarps;
  }
  /// The current warp comes to where its team meets; whether all have come.
  FailureOr<bool> comeToTeam(Operation *op);
  /// All know what all knew, and `known`.
  void letTeamGo(Clock known);
  /// When all have come, `together` is run once, and they go on.
  LogicalResult meetTeam(Operation *op,
                         llvm::function_ref<LogicalResult()> together);
  Turn &getTurn(unsigned team) { return turns[team]; }
  uint32_t &numProducts(unsigned team) { return products[team]; }

  //===--------------------------------------------------------------------===//
  // Waiting
  //===--------------------------------------------------------------------===//

  /// The current warp tries `op` again when a phase of the barrier has ended.
  void waitForPhase(Operation *op, unsigned barrier);
  void wake(unsigned barrier);
  void startTransfer(TensorTransfer transfer) {
    transfers.push_back(std::move(transfer));
  }
  /// For messages about what another warp will find.
  void setCurrent(unsigned warp) { current = &workers[warp]; }

  int64_t blockId = 0, numBlocks = 1;
  OpCache cache;

private:
  /// Deals out the numbers of barriers.
  LogicalResult prepareBarriers();
  LogicalResult prepareTeams();
  void startWorkers(ArrayRef<RuntimeValue> arguments);
  /// A transfer chosen at random arrives.
  LogicalResult endTransfer();
  /// All warps wait.
  LogicalResult resolveStandstill();
  LogicalResult reportDeadlock();
  OpCache::Key getKey(Operation *op) const {
    return {op, current->isInRole ? 1 + getTeamNumber() : 0};
  }

  /// Runs the next op of the current worker.
  LogicalResult step();
  LogicalResult execute(Operation *op);
  LogicalResult executeCoordinates(tile::CoordinatesOp op);
  LogicalResult releaseBarrier();
  LogicalResult checkEnd();

  // ControlFlow.cpp
  /// Enters a region of `op` or passes by; nothing if it has none.
  std::optional<LogicalResult> executeControlFlow(Operation *op);
  LogicalResult enterFor(scf::ForOp op);
  void enterRegion(Region &region);
  void enterRole(tile::RolesOp op);
  void assign(ValueRange targets, ArrayRef<RuntimeValue> values);
  SmallVector<RuntimeValue> getAll(ValueRange values);
  /// At the end of a block.
  LogicalResult leaveBlock();
  LogicalResult leaveWhile(scf::WhileOp loop, Operation *terminator);

  gpu::GPUFuncOp kernel;
  const TileInterpreterOptions &options;
  std::mt19937_64 random;
  int64_t numWarps = 1, sharedBytes = 0, steps = 0;
  llvm::DenseMap<Operation *, std::pair<int64_t, int64_t>> allocs;

  llvm::DenseMap<Operation *, unsigned> firstBarriers;
  std::vector<PhaseBarrier> declaredBarriers;

  std::vector<Worker> workers;
  Worker *current = nullptr;
  std::unique_ptr<SharedMemory> memory;
  std::vector<PhaseBarrier> phaseBarriers;
  std::vector<TensorTransfer> transfers;
  /// Of each team; none in a kernel without teams.
  std::vector<uint32_t> products;
  std::vector<Turn> turns;
  std::string error;
};

/// The outcome of an op, or nothing if the family does not know the op.
using MaybeResult = std::optional<LogicalResult>;

/// memref views and scalar accesses, load, store.
MaybeResult executeGlobalOp(Machine &machine, Operation *op);
/// alloc, slot, copies, local_load, local_store, scalars.
MaybeResult executeSharedOp(Machine &machine, Operation *op);
/// dot, reduce and their like; arith, math, affine.
MaybeResult executeRegisterOp(Machine &machine, Operation *op);
/// barriers, arrive, expect, wait, fence.
MaybeResult executeBarrierOp(Machine &machine, Operation *op);
/// team_barrier, dot_async, dot_wait, warp_any.
MaybeResult executeTeamOp(Machine &machine, Operation *op);
/// tensor_copy, tensor_store, store_wait.
MaybeResult executeTensorCopyOp(Machine &machine, Operation *op);

/// "'diffattn_tile.wait' in line 12".
std::string describe(Operation *op);

const SharedBuffer &getBuffer(Machine &machine, Value value);
/// "slot 1 of the buffer allocated in line 12".
std::string describe(const SharedBuffer &buffer);

/// The part of a buffer that starts at `offsets`, as a tensor of `shape`.
/// `read` fetches the bytes of an element; `why` says what was wrong.
FailureOr<Tensor> readElements(
    Machine &machine, const SharedBuffer &buffer, ArrayRef<int64_t> offsets,
    ArrayRef<int64_t> shape,
    llvm::function_ref<SharedMemory::Error(int64_t, MutableArrayRef<char>)>
        read,
    std::string &why);
/// The same as an access of the current warp.
FailureOr<Tensor> readBuffer(Machine &machine, Operation *op,
                             const SharedBuffer &buffer,
                             ArrayRef<int64_t> offsets,
                             ArrayRef<int64_t> shape);

/// Writes one element; the index lies within the view.
LogicalResult writeElement(Machine &machine, Operation *op,
                           const GlobalView &view, ArrayRef<int64_t> index,
                           Slot value);

/// lhs * rhs + acc, rounded to f32.
Tensor multiply(const Tensor &lhs, const Tensor &rhs, const Tensor &acc,
                bool transposed);

/// Calls `fn(index, number)` for each index of a row-major box; stops when it
/// fails.
LogicalResult
forEachIndex(ArrayRef<int64_t> shape,
             llvm::function_ref<LogicalResult(ArrayRef<int64_t>, int64_t)> fn);

} // namespace mlir::diffattn::reference

#endif // DIFFATTN_LIB_REFERENCE_TILE_MACHINE_H
