//===- TileInterpreter.h - Adversarial runs of tile kernels -----*- C++ -*-===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

//
// Runs a gpu.func of the tile dialect on the CPU, at any stage between
// diffattn-to-tile and the lowering to threads, as a hostile machine would:
//
// - The warps of a block run one op at a time, interleaved by a seed.
// - Shared memory remembers of each byte who wrote it for which buffer, which
//   copy into it is under way, and who has read it since. Reading what is
//   undefined, under way, of another buffer or not made visible by a barrier is
//   an error; so is overwriting what somebody may still be reading. Whether an
//   access is ordered is decided by vector clocks and not by who happened to be
//   first, so one run finds a race whatever the seed.
// - Global memory has random strides with undefined elements between rows.
//   Results are undefined until written, and written by one warp of one block;
//   others of that block may only write the same once more.
// - A block that cannot go on, accesses out of bounds and unaligned copies are
//   errors, copies under way at the end, too.
//
// - Barriers with phases, tensor copies and asynchronous products may go wrong
//   in ways of their own: Barriers.cpp, TensorCopies.cpp, Teams.cpp.
//
// Layouts of tensors do not change what is computed; of stores they decide
// which warp writes.
//
// The memory of a tensor map is that of the parameter it describes
// (`diffattn_tile.map`) or, without one, an argument of its own. Counters are
// zero before and after.
//
//===----------------------------------------------------------------------===//

#ifndef DIFFATTN_REFERENCE_TILEINTERPRETER_H
#define DIFFATTN_REFERENCE_TILEINTERPRETER_H

#include "diffattn/Reference/Array.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/BuiltinTypes.h"
#include "llvm/ADT/DenseSet.h"

namespace mlir::diffattn::reference {

struct TileInterpreterOptions {
  /// Receives the ops that ran.
  llvm::DenseSet<Operation *> *reached = nullptr;

  /// Order of blocks and warps, strides of parameters.
  uint64_t seed = 0;
  /// Ops of all warps that may run before the kernel is given up.
  int64_t maxSteps = int64_t(1) << 24;
  /// Number of blocks; by default the product of `diffattn_tile.grid`, which
  /// those of a persistent kernel do not exceed.
  std::optional<int64_t> numBlocks;
};

/// The kernel named `name`, or the only one.
llvm::Expected<gpu::GPUFuncOp> findKernel(ModuleOp module,
                                          llvm::StringRef name);

/// Whether whoever launches the kernel makes up the parameter: tensor maps of
/// other parameters, counters.
bool isImplicit(gpu::GPUFuncOp kernel, unsigned parameter);

/// Whether the kernel writes its parameter.
bool isWritten(gpu::GPUFuncOp kernel, unsigned parameter);

/// The types of parameters that are read, or of those that are written, as
/// tensors; of results in their order.
SmallVector<Type> getParameterTypes(gpu::GPUFuncOp kernel, bool written);

/// Runs `kernel` on `inputs`, one per parameter that it reads and that is not
/// implicit. `results` give
/// the shapes and element types of those it writes, and receive the values. A
/// message names op, place and rule.
llvm::Error runKernel(gpu::GPUFuncOp kernel, ArrayRef<Array> inputs,
                      MutableArrayRef<Array> results,
                      const TileInterpreterOptions &options = {});

/// One synchronisation that could be left out or weakened without an error.
struct SurvivingMutation {
  Operation *op;
  std::string change;
};

struct MutationReport {
  unsigned numMutations = 0;
  /// Ops that the inputs do not lead to, so that nothing can be said of them.
  unsigned numUnreached = 0;
  SmallVector<SurvivingMutation> survivors;
};

/// Removes each op that synchronises in turn; weakens each wait that counts by
/// one, each phase by an arrival or half of its bytes. Each change must make
/// the run fail: if one does not, the schedule waits more often than it has to.
/// The kernel itself must run.
llvm::Expected<MutationReport>
mutateSynchronization(gpu::GPUFuncOp kernel, ArrayRef<Array> inputs,
                      ArrayRef<Array> results,
                      const TileInterpreterOptions &options = {});

} // namespace mlir::diffattn::reference

#endif // DIFFATTN_REFERENCE_TILEINTERPRETER_H
