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
#include "SharedMemory.h"
#include "Values.h"
#include "diffattn/Reference/TileInterpreter.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include <deque>
#include <random>

namespace mlir::diffattn::reference {

/// What outlives a block: compiled ops, and the last result of each op. All
/// warps of a block compute the same from the same operands; only the first
/// one does the work.
struct OpCache {
  struct Entry {
    SmallVector<Tensor> operands;
    Tensor result;
  };
  llvm::DenseMap<Operation *, Entry> results;
  /// Tensors that ops read from memory lately.
  llvm::DenseMap<Operation *, SmallVector<Tensor>> read;
  llvm::DenseMap<Operation *, Program> programs;
  llvm::DenseMap<Type, std::vector<unsigned>> owners;
};

/// Bytes that a copy will write, in runs.
struct PendingCopy {
  int64_t address;
  SmallVector<char, 16> bytes;
};
using CopyGroup = std::vector<PendingCopy>;

/// One warp: what it is doing, and what it knows.
struct Worker {
  enum class Status { Running, AtBarrier, Done };

  /// A block of ops being run, and of a loop where it stands.
  struct Frame {
    Block *block;
    Block::iterator next;
    int64_t iv = 0, upper = 0, step = 0;
  };

  unsigned number = 0;
  Status status = Status::Running;
  Operation *waitsAt = nullptr;
  SmallVector<Frame> stack;
  llvm::DenseMap<Value, RuntimeValue> env;
  /// Copies that no commit has closed into a group, and groups in order.
  CopyGroup openCopies;
  std::deque<CopyGroup> groups;
  llvm::DenseMap<Operation *, int64_t> numAllocs;
};

class Machine {
public:
  Machine(gpu::GPUFuncOp kernel, const TileInterpreterOptions &options);

  /// Gives shared memory its layout; fails if buffers have no legal places.
  LogicalResult prepare();
  LogicalResult runBlock(int64_t blockId, int64_t numBlocks,
                         MutableArrayRef<GlobalArray> parameters);
  const std::string &getError() const { return error; }

  //===--------------------------------------------------------------------===//
  // For the families of ops
  //===--------------------------------------------------------------------===//

  LogicalResult fail(Operation *op, const Twine &why);

  Worker &worker() { return *current; }
  SharedMemory &shared() { return *memory; }
  int64_t getNumWarps() const { return numWarps; }
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

  /// The warp that stores each element of a tensor: the first that holds it.
  ArrayRef<unsigned> getOwners(RankedTensorType type);

  int64_t blockId = 0, numBlocks = 1;
  OpCache cache;

private:
  /// Runs the next op of the current worker.
  LogicalResult step();
  LogicalResult leaveBlock();
  LogicalResult enterFor(scf::ForOp op);
  void enterIf(scf::IfOp op);
  LogicalResult execute(Operation *op);
  LogicalResult releaseBarrier();
  LogicalResult checkEnd();

  gpu::GPUFuncOp kernel;
  const TileInterpreterOptions &options;
  std::mt19937_64 random;
  int64_t numWarps = 1, sharedBytes = 0, steps = 0;
  llvm::DenseMap<Operation *, std::pair<int64_t, int64_t>> allocs;

  std::vector<Worker> workers;
  Worker *current = nullptr;
  std::unique_ptr<SharedMemory> memory;
  std::string error;
};

/// The outcome of an op, or nothing if the family does not know the op.
using MaybeResult = std::optional<LogicalResult>;

/// memref views and scalar accesses, load, store.
MaybeResult executeGlobalOp(Machine &machine, Operation *op);
/// alloc, slot, copies, local_load, local_store.
MaybeResult executeSharedOp(Machine &machine, Operation *op);
/// dot, reduce and their like; arith, math, affine.
MaybeResult executeRegisterOp(Machine &machine, Operation *op);

/// The part of a buffer that starts at `offsets`, as a tensor of `shape`.
FailureOr<Tensor> readBuffer(Machine &machine, Operation *op,
                             const SharedBuffer &buffer,
                             ArrayRef<int64_t> offsets,
                             ArrayRef<int64_t> shape);

/// Calls `fn(index, number)` for each index of a row-major box; stops when it
/// fails.
LogicalResult
forEachIndex(ArrayRef<int64_t> shape,
             llvm::function_ref<LogicalResult(ArrayRef<int64_t>, int64_t)> fn);

} // namespace mlir::diffattn::reference

#endif // DIFFATTN_LIB_REFERENCE_TILE_MACHINE_H
