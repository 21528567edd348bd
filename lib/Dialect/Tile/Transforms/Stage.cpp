//===- Stage.cpp - Operands of products to shared memory ------------------===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "diffattn/Dialect/Tile/IR/Tile.h"
#include "diffattn/Dialect/Tile/Transforms/Passes.h"

#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

namespace mlir::diffattn::tile {
#define GEN_PASS_DEF_STAGEPASS
#include "diffattn/Dialect/Tile/Transforms/Passes.h.inc"
} // namespace mlir::diffattn::tile

using namespace mlir;
using namespace mlir::diffattn::tile;

/// The swizzled layout of an operand: its last dimension is contiguous.
static BufferType getBufferType(RankedTensorType tile) {
  int64_t last = tile.getRank() - 1;
  Digits rows;
  for (int64_t dim = last - 1; dim >= 0; --dim)
    rows.push_back({dim, tile.getDimSize(dim), 1});
  // Rows in the order of the first dimension: the branch of a pair outside.
  std::reverse(rows.begin(), rows.end());
  return BufferType::get(tile.getContext(), 1, tile.getShape(),
                         tile.getElementType(),
                         getOperandLayout(tile.getContext(), normalize(rows),
                                          last, tile.getDimSize(last),
                                          tile.getElementTypeBitWidth() / 8));
}

/// Copies what `load` reads to shared memory, just before `user`.
static void stage(LoadOp load, Operation *user) {
  Location loc = load.getLoc();
  auto kernel = load->getParentOfType<gpu::GPUFuncOp>();
  OpBuilder builder = OpBuilder::atBlockBegin(&kernel.getBody().front());
  Value buffer =
      AllocOp::create(builder, loc, getBufferType(load.getResult().getType()),
                      /*offset=*/IntegerAttr());
  builder.setInsertionPoint(user);
  // In a loop, warps may still read what the last iteration copied here.
  if (load->getParentOfType<scf::ForOp>())
    gpu::BarrierOp::create(builder, loc);
  AsyncCopyOp::create(builder, loc, load.getSource(), buffer);
  AsyncCommitOp::create(builder, loc);
  AsyncWaitOp::create(builder, loc, 0);
  gpu::BarrierOp::create(builder, loc);
  for (OpOperand &use : llvm::make_early_inc_range(load->getUses()))
    use.set(buffer);
  load.erase();
}

namespace {
struct StagePass : diffattn::tile::impl::StagePassBase<StagePass> {
  void runOnOperation() override {
    SmallVector<LoadOp> loads;
    getOperation().walk([&](LoadOp load) {
      bool feedsProducts =
          !load->use_empty() &&
          llvm::all_of(load->getUses(), [](OpOperand &use) {
            return isa<DotOp>(use.getOwner()) && use.getOperandNumber() < 2;
          });
      if (feedsProducts)
        loads.push_back(load);
    });
    for (LoadOp load : loads) {
      // The first product in the block of the load; a loop that holds it
      // stands for it.
      Operation *first = nullptr;
      for (Operation *user : load->getUsers()) {
        user = load->getBlock()->findAncestorOpInBlock(*user);
        if (!first || user->isBeforeInBlock(first))
          first = user;
      }
      stage(load, first);
    }
  }
};
} // namespace
