//===- StartProducts.cpp - Products that run while the team goes on -------===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "diffattn/Dialect/Tile/IR/Tile.h"
#include "diffattn/Dialect/Tile/Transforms/Passes.h"

#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/IR/Matchers.h"

namespace mlir::diffattn::tile {
#define GEN_PASS_DEF_STARTPRODUCTSPASS
#include "diffattn/Dialect/Tile/Transforms/Passes.h.inc"
} // namespace mlir::diffattn::tile

using namespace mlir;
using namespace mlir::diffattn::tile;

/// Whether teams hand over memory in a region of `op`. A product that went on
/// meanwhile would keep the memory that it reads from the others.
static bool handsOver(Operation *op) {
  return op->getNumRegions() != 0 && op->walk([](Operation *inner) {
                                         return isa<WaitOp, ArriveOp>(inner)
                                                    ? WalkResult::interrupt()
                                                    : WalkResult::advance();
                                       }).wasInterrupted();
}

/// Whether `op` makes what the next product like `dot` will read from
/// registers: it will be given the same ones, which `dot` reads until it has
/// finished.
static bool takesRegistersOf(Operation *op, DotOp dot) {
  Type type = dot.getLhs().getType();
  return isa<RankedTensorType>(type) &&
         llvm::is_contained(op->getResultTypes(), type);
}

/// The first op of the block of `op` that uses its result, itself or in a
/// region, or that may not run before the product has finished; the terminator
/// if there is none.
static Operation *findFirstUse(DotOp op) {
  Block *block = op->getBlock();
  Operation *first = nullptr;
  for (Operation *user : op->getUsers()) {
    Operation *ancestor = block->findAncestorOpInBlock(*user);
    if (ancestor && (!first || ancestor->isBeforeInBlock(first)))
      first = ancestor;
  }
  if (!first)
    first = block->getTerminator();
  for (Operation *next = op->getNextNode(); next != first;
       next = next->getNextNode())
    if (handsOver(next) || takesRegistersOf(next, op))
      return next;
  return first;
}

/// Starts `dot` where it stands and waits before the first use.
static void start(DotOp dot) {
  OpBuilder builder(dot);
  Location loc = dot.getLoc();
  auto type = dot.getResult().getType();
  // A product that adds to zeros overwrites: there is nothing to clear.
  Value acc =
      matchPattern(dot.getAcc(), m_AnyZeroFloat()) ? Value() : dot.getAcc();
  Operation *use = findFirstUse(dot);
  auto product = DotAsyncOp::create(
      builder, loc, PendingType::get(builder.getContext(), type), dot.getLhs(),
      cast<TypedValue<BufferType>>(dot.getRhs()), acc, dot.getTransposed());
  // Products finish in order: those that start in between may go on. Ops with
  // regions would hide some; none that waits has any.
  int64_t later = 0;
  SmallVector<Operation *> releases;
  for (Operation *op = dot->getNextNode(); op != use; op = op->getNextNode()) {
    later += isa<DotOp, DotAsyncOp>(op);
    if (isa<ArriveOp>(op))
      releases.push_back(op);
  }
  builder.setInsertionPoint(use);
  auto wait = DotWaitOp::create(builder, loc, type, product.getResult(),
                                builder.getI64IntegerAttr(later));
  dot.getResult().replaceAllUsesWith(wait.getResult());
  dot.erase();
  Operation *last = wait;
  for (Operation *release : releases) {
    release->moveAfter(last);
    last = release;
  }
}

namespace {
struct StartProductsPass
    : diffattn::tile::impl::StartProductsPassBase<StartProductsPass> {
  void runOnOperation() override {
    SmallVector<DotOp> dots;
    getOperation().walk([&](DotOp dot) {
      if (dot->getParentOfType<RolesOp>() &&
          isa<BufferType>(dot.getRhs().getType()))
        dots.push_back(dot);
    });
    // The last first: a release that has moved behind the wait for one product
    // is not moved again for a product that starts after it.
    for (DotOp dot : llvm::reverse(dots))
      start(dot);
  }
};
} // namespace
