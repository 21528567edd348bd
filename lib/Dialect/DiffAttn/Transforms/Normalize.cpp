//===- Normalize.cpp - From a producer's IR to fused ops ------------------===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "diffattn/Pipelines/Normalize.h"

#include "diffattn/Dialect/DiffAttn/Transforms/Passes.h"

#include "mlir/Pass/PassManager.h"
#include "mlir/Pass/PassRegistry.h"
#include "mlir/Transforms/Passes.h"

using namespace mlir;

void diffattn::buildNormalizePipeline(OpPassManager &pm) {
  pm.addPass(createInlinerPass());
  pm.addPass(createSymbolDCEPass());
  pm.addPass(createCanonicalizerPass());
  pm.addPass(createCSEPass());
}

void diffattn::buildImportPipeline(OpPassManager &pm) {
  buildNormalizePipeline(pm);
  pm.addNestedPass<func::FuncOp>(createFusePass());
  pm.addPass(createCanonicalizerPass());
  pm.addPass(createCSEPass());
}

void diffattn::registerImportPipeline() {
  PassPipelineRegistration<>(
      "diffattn-import-pipeline",
      "Inline, simplify and recognise differential attention",
      buildImportPipeline);
}
