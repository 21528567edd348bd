//===- Bufferize.cpp - Tensors to strided buffers ------------------------===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "diffattn/CPU/Passes.h"

#include "mlir/Dialect/Bufferization/IR/Bufferization.h"
#include "mlir/Dialect/Bufferization/Transforms/Bufferize.h"
#include "mlir/Dialect/Bufferization/Transforms/OneShotAnalysis.h"
#include "mlir/Dialect/Bufferization/Transforms/OneShotModuleBufferize.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

namespace mlir::diffattn {
#define GEN_PASS_DEF_CPUBUFFERIZEPASS
#include "diffattn/CPU/Passes.h.inc"
} // namespace mlir::diffattn

using namespace mlir;
using namespace mlir::diffattn;

/// Arguments: any strides, but a contiguous last dimension, so that it can be
/// read as vectors.
static BaseMemRefType getArgumentType(TensorType type, Attribute memorySpace) {
  auto ranked = dyn_cast<RankedTensorType>(type);
  if (!ranked || ranked.getRank() == 0)
    return bufferization::getMemRefTypeWithStaticIdentityLayout(type,
                                                                memorySpace);
  SmallVector<int64_t> strides(ranked.getRank(), ShapedType::kDynamic);
  strides.back() = 1;
  auto layout =
      StridedLayoutAttr::get(type.getContext(), ShapedType::kDynamic, strides);
  return MemRefType::get(ranked.getShape(), ranked.getElementType(), layout,
                         memorySpace);
}

/// Scratch of static size that a grid point allocates becomes stack memory of
/// that grid point, allocated before its loops. It cannot leave: scf.forall has
/// no results on buffers, and a loop-carried buffer is allocated outside the
/// loop.
static void hoistScratch(scf::ForallOp forall) {
  SmallVector<memref::AllocOp> allocs;
  forall.walk([&](memref::AllocOp alloc) {
    if (alloc.getType().hasStaticShape() &&
        alloc->getParentOfType<scf::ForallOp>() == forall)
      allocs.push_back(alloc);
  });
  OpBuilder b(forall.getContext());
  constexpr int64_t cacheLine = 64;
  Operation *last = nullptr;
  for (memref::AllocOp alloc : allocs) {
    bool carried = llvm::any_of(alloc->getUsers(), [](Operation *user) {
      return isa<scf::YieldOp>(user) && isa<scf::ForOp>(user->getParentOp());
    });
    if (carried)
      continue;
    // Set anew each time: what follows may be the allocation erased below.
    if (last)
      b.setInsertionPointAfter(last);
    else
      b.setInsertionPointToStart(forall.getBody());
    auto scratch = memref::AllocaOp::create(b, alloc.getLoc(), alloc.getType(),
                                            b.getI64IntegerAttr(cacheLine));
    alloc.replaceAllUsesWith(scratch.getResult());
    alloc.erase();
    last = scratch;
  }
}

namespace {
struct CPUBufferizePass
    : diffattn::impl::CPUBufferizePassBase<CPUBufferizePass> {
  void runOnOperation() override {
    bufferization::OneShotBufferizationOptions options;
    options.bufferizeFunctionBoundaries = true;
    options.setFunctionBoundaryTypeConversion(
        bufferization::LayoutMapOption::IdentityLayoutMap);
    options.functionArgTypeConverterFn =
        [](bufferization::TensorLikeType type, Attribute memorySpace,
           func::FuncOp, const bufferization::BufferizationOptions &) {
          return cast<bufferization::BufferLikeType>(
              getArgumentType(cast<TensorType>(type), memorySpace));
        };
    bufferization::BufferizationState state;
    if (failed(bufferization::runOneShotModuleBufferize(getOperation(), options,
                                                        state)))
      return signalPassFailure();
    getOperation().walk([](scf::ForallOp forall) { hoistScratch(forall); });
  }
};
} // namespace
