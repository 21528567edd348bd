//===- Mutations.cpp - Kernels that synchronise too little ----------------===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "diffattn/Reference/TileInterpreter.h"

#include "diffattn/Dialect/Tile/IR/Tile.h"
#include "mlir/IR/IRMapping.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace mlir::diffattn;
using namespace mlir::diffattn::reference;

namespace {
/// One way to make an op synchronise less.
struct Change {
  StringRef name;
  std::function<void(Operation *)> apply;
};
} // namespace

/// None for an op that does not synchronise.
static SmallVector<Change> getChanges(Operation *op) {
  Change removed = {"removed", [](Operation *op) { op->erase(); }};
  auto weakened = [](auto apply) {
    return Change{"weakened", [apply](Operation *op) { apply(op); }};
  };
  using Changes = SmallVector<Change>;
  return llvm::TypeSwitch<Operation *, Changes>(op)
      .Case<gpu::BarrierOp, tile::AsyncCommitOp, tile::TeamBarrierOp,
            tile::TakeTurnOp, tile::PassTurnOp, tile::ArriveOp, tile::WaitOp,
            tile::FenceOp>([&](Operation *) { return Changes{removed}; })
      .Case([&](tile::AsyncWaitOp wait) {
        return Changes{removed, weakened([](Operation *op) {
                         auto wait = cast<tile::AsyncWaitOp>(op);
                         wait.setPending(wait.getPending() + 1);
                       })};
      })
      .Case([&](tile::StoreWaitOp) {
        return Changes{removed, weakened([](Operation *op) {
                         auto wait = cast<tile::StoreWaitOp>(op);
                         wait.setPending(wait.getPending() + 1);
                       })};
      })
      // Half of the bytes: the phase ends while copies are under way.
      .Case([&](tile::ExpectOp) {
        return Changes{removed, weakened([](Operation *op) {
                         auto expect = cast<tile::ExpectOp>(op);
                         expect.setBytes(expect.getBytes() / 2);
                       })};
      })
      // Without the last to arrive.
      .Case([&](tile::BarriersOp barriers) {
        if (barriers.getArrivals() == 1)
          return Changes();
        return Changes{weakened([](Operation *op) {
          auto barriers = cast<tile::BarriersOp>(op);
          barriers.setArrivals(barriers.getArrivals() - 1);
        })};
      })
      // Others need its result.
      .Case([&](tile::DotWaitOp wait) {
        if (wait.use_empty())
          return Changes{removed};
        return Changes{weakened([](Operation *op) {
          auto wait = cast<tile::DotWaitOp>(op);
          wait.setCount(wait.getCount() + 1);
        })};
      })
      .Default(Changes());
}

llvm::Expected<MutationReport>
reference::mutateSynchronization(gpu::GPUFuncOp kernel, ArrayRef<Array> inputs,
                                 ArrayRef<Array> results,
                                 const TileInterpreterOptions &options) {
  llvm::DenseSet<Operation *> reached;
  TileInterpreterOptions settings = options;
  settings.reached = &reached;
  auto run = [&](gpu::GPUFuncOp changed) {
    SmallVector<Array> outputs(results);
    return runKernel(changed, inputs, outputs, settings);
  };
  if (llvm::Error error = run(kernel))
    return error;
  settings.reached = nullptr;
  MutationReport report;
  auto tryChange = [&](Operation *op, const Change &change) {
    IRMapping mapping;
    OwningOpRef<Operation *> clone = kernel->clone(mapping);
    change.apply(mapping.lookup(op));
    ++report.numMutations;
    if (llvm::Error error = run(cast<gpu::GPUFuncOp>(*clone)))
      llvm::consumeError(std::move(error));
    else
      report.survivors.push_back({op, change.name.str()});
  };
  SmallVector<Operation *> ops;
  kernel.walk([&](Operation *op) {
    if (getChanges(op).empty())
      return;
    if (reached.contains(op))
      ops.push_back(op);
    else
      ++report.numUnreached;
  });
  for (Operation *op : ops)
    for (Change &change : getChanges(op))
      tryChange(op, change);
  return report;
}
