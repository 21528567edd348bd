//===- TileToNVVM.cpp - Tiles to the code of one thread -------------------===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ThreadCode.h"

#include "diffattn/Dialect/Tile/Transforms/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/SCF/Transforms/Patterns.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

namespace mlir::diffattn::tile {
#define GEN_PASS_DEF_TILETONVVMPASS
#include "diffattn/Dialect/Tile/Transforms/Passes.h.inc"
} // namespace mlir::diffattn::tile

using namespace mlir;
using namespace mlir::diffattn::tile;

namespace {
struct TileToNVVMPass
    : diffattn::tile::impl::TileToNVVMPassBase<TileToNVVMPass> {
  void runOnOperation() override {
    for (auto kernel : getOperation().getOps<gpu::GPUFuncOp>())
      if (failed(lower(kernel)))
        return signalPassFailure();
  }

private:
  LogicalResult lower(gpu::GPUFuncOp kernel) {
    MLIRContext *context = &getContext();
    auto warps = kernel->getAttrOfType<IntegerAttr>(attr::warps);
    if (!warps)
      return success();
    WalkResult complete = kernel.walk([](Operation *op) -> WalkResult {
      for (Type type : op->getResultTypes())
        if (auto tensor = dyn_cast<RankedTensorType>(type))
          if (!getLayout(tensor))
            return op->emitOpError("expects a layout on its result; run "
                                   "diffattn-tile-assign-layouts");
      return WalkResult::advance();
    });
    if (complete.wasInterrupted())
      return failure();

    convertTensorMaps(kernel);
    ThreadTypeConverter converter(context);
    RewritePatternSet patterns(context);
    ConversionTarget target(*context);
    target.markUnknownOpDynamicallyLegal([&](Operation *op) {
      return converter.isLegal(op->getOperandTypes()) &&
             converter.isLegal(op->getResultTypes());
    });
    target.addIllegalDialect<TileDialect>();
    target.addLegalOp<RolesOp, ElectedOp, UnrealizedConversionCastOp>();
    populateRegisterPatterns(converter, patterns);
    populateMemoryPatterns(converter, patterns);
    populateSharedPatterns(converter, patterns);
    populateProductPatterns(converter, patterns);
    populateHopperPatterns(converter, patterns);
    populateTensorCopyPatterns(converter, patterns);
    scf::populateSCFStructuralTypeConversionsAndLegality(converter, patterns,
                                                         target);
    ConversionConfig config;
    // Thousands of ops per kernel, and no pattern here fails half way.
    config.allowPatternRollback = false;
    if (failed(applyPartialConversion(kernel, target, std::move(patterns),
                                      config)))
      return failure();
    expandRoles(kernel);
    kernel.setKnownBlockSizeAttr(DenseI32ArrayAttr::get(
        context, {static_cast<int32_t>(warps.getInt() * 32), 1, 1}));
    return success();
  }
};
} // namespace
