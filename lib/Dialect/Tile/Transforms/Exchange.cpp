//===- Exchange.cpp - Elements to other threads through shared memory -----===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ThreadCode.h"

#include "diffattn/Dialect/Tile/Transforms/Passes.h"

#include "mlir/Analysis/SliceAnalysis.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

namespace mlir::diffattn::tile {
#define GEN_PASS_DEF_EXCHANGEPASS
#include "diffattn/Dialect/Tile/Transforms/Passes.h.inc"
} // namespace mlir::diffattn::tile

using namespace mlir;
using namespace mlir::diffattn::tile;

//===----------------------------------------------------------------------===//
// Where elements lie on the way
//===----------------------------------------------------------------------===//

/// Layouts of a tile with one dimension innermost, in panels of at most one
/// line of the banks, under each swizzle.
static SmallVector<BufferType> getCandidates(RankedTensorType tensor) {
  int64_t bytes = tensor.getElementTypeBitWidth() / 8, rank = tensor.getRank();
  MLIRContext *context = tensor.getContext();
  SmallVector<BufferType> candidates;
  auto add = [&](ArrayRef<int64_t> dims, int64_t panel) {
    Digits digits = {{dims.front(), panel, 1}};
    for (int64_t dim : dims.drop_front())
      digits = concat(digits, {{dim, tensor.getDimSize(dim), 1}});
    digits = concat(digits, {{dims.front(),
                              tensor.getDimSize(dims.front()) / panel, panel}});
    for (int64_t swizzle : {0, 32, 64, 128})
      candidates.push_back(BufferType::get(
          context, 1, tensor.getShape(), tensor.getElementType(),
          SharedAttr::get(context, digits, swizzle)));
  };
  SmallVector<int64_t> dims = llvm::to_vector(llvm::seq<int64_t>(rank));
  do {
    int64_t size = rank ? tensor.getDimSize(dims.front()) : 1;
    for (int64_t line : {128, 64, 32, 16})
      if (rank && size * bytes > line && size * bytes % line == 0)
        add(dims, line / bytes);
    if (rank)
      add(dims, size);
  } while (std::next_permutation(dims.begin(), dims.end()));
  return candidates;
}

/// The buffer through which `source` becomes `target` in the fewest wavefronts;
/// null if there is none that threads can address.
static BufferType chooseBuffer(RankedTensorType source,
                               RankedTensorType target) {
  SmallVector<int64_t> start(source.getRank(), 0);
  auto getAccesses = [&](BufferType buffer) -> std::array<SharedAccess, 2> {
    return {getVectorAccess(source, buffer, start),
            getLoadAccess(target, buffer, start)};
  };
  SmallVector<std::pair<int64_t, BufferType>> costs;
  for (BufferType buffer : getCandidates(source)) {
    int64_t cost = 0;
    for (SharedAccess &access : getAccesses(buffer)) {
      // The warps do the same elsewhere.
      access.threads = 32;
      cost += countWavefronts(access);
    }
    costs.emplace_back(cost, buffer);
  }
  llvm::stable_sort(costs, llvm::less_first());
  for (auto &[cost, buffer] : costs) {
    SharedAttr layout = buffer.getLayout();
    if (llvm::all_of(getAccesses(buffer), [&](const SharedAccess &access) {
          return succeeded(ThreadOffsets::fit(access, layout));
        }))
      return buffer;
  }
  return {};
}

//===----------------------------------------------------------------------===//
// Synchronisation
//===----------------------------------------------------------------------===//

/// A branch around `op` that not all warps take; null if there is none.
static Operation *findDivergentBranch(Operation *op) {
  for (auto branch = op->getParentOfType<scf::IfOp>(); branch;
       branch = branch->getParentOfType<scf::IfOp>()) {
    SetVector<Operation *> slice;
    BackwardSliceOptions options;
    options.inclusive = true;
    options.omitBlockArguments = true;
    if (failed(getBackwardSlice(branch.getCondition(), &slice, options)) ||
        llvm::any_of(slice, llvm::IsaPred<WarpAnyOp>))
      return branch;
  }
  return nullptr;
}

/// Everything that refers to a buffer or to a slot of it lies before `op`.
static bool isDead(Value buffer, Operation *op) {
  Block *body = op->getBlock();
  return llvm::all_of(buffer.getUsers(), [&](Operation *user) {
    if (auto slot = dyn_cast<SlotOp>(user);
        slot && !isDead(slot.getResult(), op))
      return false;
    Operation *ancestor = body->findAncestorOpInBlock(*user);
    return ancestor && ancestor->isBeforeInBlock(op);
  });
}

/// Whether others may still read what is written before `op`: in a loop what
/// the last iteration wrote, elsewhere a buffer whose place this one can take.
static bool needsBarrierBefore(ConvertLayoutOp op, gpu::GPUFuncOp kernel) {
  if (op->getParentOfType<LoopLikeOpInterface>())
    return true;
  if (op->getBlock() != &kernel.getBody().front())
    return false;
  bool found = false;
  kernel.walk([&](AllocOp alloc) {
    found |= !alloc->use_empty() && isDead(alloc.getBuffer(), op);
  });
  return found;
}

//===----------------------------------------------------------------------===//
// The pass
//===----------------------------------------------------------------------===//

static LogicalResult exchange(ConvertLayoutOp op, gpu::GPUFuncOp kernel) {
  RankedTensorType source = op.getSource().getType(),
                   target = op.getResult().getType();
  Type element = source.getElementType();
  if (!element.isIntOrFloat() || element.getIntOrFloatBitWidth() % 8)
    return op.emitOpError("expects elements of whole bytes to go through "
                          "shared memory, but got ")
           << element;
  if (Operation *branch = findDivergentBranch(op)) {
    InFlightDiagnostic error =
        op.emitOpError("needs all warps, but stands in a branch that some may "
                       "not take");
    error.attachNote(branch->getLoc()) << "the branch";
    return error;
  }
  BufferType buffer = chooseBuffer(source, target);
  if (!buffer)
    return op.emitOpError("expects layouts whose places in a buffer are a base "
                          "and constants, but got ")
           << getLayout(source) << " and " << getLayout(target);

  Location loc = op.getLoc();
  OpBuilder builder = OpBuilder::atBlockBegin(&kernel.getBody().front());
  Region *role = nullptr;
  if (auto roles = op->getParentOfType<RolesOp>())
    role = roles->getRegions()
               .drop_while([&](Region &region) {
                 return !region.isAncestor(op->getParentRegion());
               })
               .begin();
  // Each team of a role has a part of its own.
  int64_t slots = role ? cast<RolesOp>(role->getParentOp())
                             .getWarpgroups()[role->getRegionNumber()]
                       : 1;
  Value memory = AllocOp::create(
      builder, loc,
      BufferType::get(op.getContext(), slots, buffer.getShape(),
                      buffer.getElementType(), buffer.getLayout()),
      /*offset=*/IntegerAttr());
  builder.setInsertionPoint(op);
  auto createBarrier = [&] {
    if (role)
      TeamBarrierOp::create(builder, loc);
    else
      gpu::BarrierOp::create(builder, loc);
  };
  if (slots > 1) {
    Value team = arith::IndexCastOp::create(
        builder, loc, builder.getIndexType(), role->getArgument(0));
    memory = SlotOp::create(builder, loc, memory, team);
  }
  if (needsBarrierBefore(op, kernel))
    createBarrier();
  LocalStoreOp::create(builder, loc, op.getSource(), memory);
  createBarrier();
  Value result = LocalLoadOp::create(builder, loc, target, memory,
                                     SmallVector<int64_t>(source.getRank(), 0));
  op.getResult().replaceAllUsesWith(result);
  op.erase();
  return success();
}

namespace {
struct ExchangePass : diffattn::tile::impl::ExchangePassBase<ExchangePass> {
  void runOnOperation() override {
    SmallVector<ConvertLayoutOp> conversions;
    getOperation().walk([&](ConvertLayoutOp op) {
      FragmentAttr from = getLayout(op.getSource()),
                   to = getLayout(op.getResult());
      if (from && to &&
          (from.getLanes() != to.getLanes() ||
           from.getWarps() != to.getWarps()))
        conversions.push_back(op);
    });
    for (ConvertLayoutOp op : conversions)
      if (failed(exchange(op, getOperation())))
        return signalPassFailure();
  }
};
} // namespace
