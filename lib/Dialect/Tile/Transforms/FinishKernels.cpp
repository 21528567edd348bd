//===- FinishKernels.cpp - Attributes of kernels in the LLVM dialect ------===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ThreadCode.h"

#include "diffattn/Dialect/Tile/Transforms/Passes.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"

namespace mlir::diffattn::tile {
#define GEN_PASS_DEF_FINISHKERNELSPASS
#include "diffattn/Dialect/Tile/Transforms/Passes.h.inc"
} // namespace mlir::diffattn::tile

using namespace mlir;
using namespace mlir::diffattn::tile;

static bool isTensorMap(LLVM::LLVMFuncOp kernel, unsigned argument) {
  auto has = [&](StringRef name, int64_t value) {
    auto attr = kernel.getArgAttrOfType<IntegerAttr>(argument, name);
    return attr && attr.getInt() == value;
  };
  return has(LLVM::LLVMDialect::getAlignAttrName(), tensorMapAlignment) &&
         has(LLVM::LLVMDialect::getDereferenceableAttrName(), tensorMapBytes);
}

static void finishParameters(LLVM::LLVMFuncOp kernel) {
  MLIRContext *context = kernel.getContext();
  auto bytes =
      LLVM::LLVMArrayType::get(IntegerType::get(context, 8), tensorMapBytes);
  for (unsigned i = 0, end = kernel.getNumArguments(); i < end; ++i) {
    if (!isTensorMap(kernel, i))
      continue;
    kernel.removeArgAttr(i, LLVM::LLVMDialect::getDereferenceableAttrName());
    kernel.setArgAttr(i, LLVM::LLVMDialect::getByValAttrName(),
                      TypeAttr::get(bytes));
    kernel.setArgAttr(i, NVVM::NVVMDialect::getGridConstantAttrName(),
                      UnitAttr::get(context));
  }
}

/// Registers at the start of the kernel have to be known where they move.
static void fixLaunch(LLVM::LLVMFuncOp kernel) {
  WalkResult moves = kernel.walk(
      [](NVVM::SetMaxRegisterOp) { return WalkResult::interrupt(); });
  if (!moves.wasInterrupted())
    return;
  StringRef most = NVVM::NVVMDialect::getMaxntidAttrName();
  if (Attribute threads = kernel->getAttr(most)) {
    kernel->removeAttr(most);
    kernel->setAttr(NVVM::NVVMDialect::getReqntidAttrName(), threads);
  }
  kernel->setAttr(
      NVVM::NVVMDialect::getMinctasmAttrName(),
      IntegerAttr::get(IntegerType::get(kernel.getContext(), 32), 1));
}

/// A launch needs no attribute then: its grid is a multiple of a cluster.
static void fixCluster(LLVM::LLVMFuncOp kernel) {
  auto cluster = kernel->getAttrOfType<IntegerAttr>(attr::cluster);
  if (!cluster || cluster.getInt() == 1)
    return;
  kernel->setAttr(
      NVVM::NVVMDialect::getClusterDimAttrName(),
      DenseI32ArrayAttr::get(kernel.getContext(),
                             {static_cast<int32_t>(cluster.getInt()), 1, 1}));
}

namespace {
struct FinishKernelsPass
    : diffattn::tile::impl::FinishKernelsPassBase<FinishKernelsPass> {
  void runOnOperation() override {
    for (auto kernel : getOperation().getOps<LLVM::LLVMFuncOp>()) {
      if (!kernel->hasAttr(NVVM::NVVMDialect::getKernelFuncAttrName()))
        continue;
      finishParameters(kernel);
      fixLaunch(kernel);
      fixCluster(kernel);
    }
  }
};
} // namespace
