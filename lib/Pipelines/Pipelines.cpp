//===- Pipelines.cpp - From tensors to the LLVM dialect -------------------===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Each stage is a short list of passes; the reasons for their order stand
// beside them. A stage leaves alone what it does not know, so that a function
// with other linalg around its attention, or none at all, compiles as well.
//
//===----------------------------------------------------------------------===//

#include "diffattn/Pipelines/Pipelines.h"

#include "diffattn/CPU/Passes.h"
#include "diffattn/Dialect/DiffAttn/Transforms/Passes.h"
#include "diffattn/Pipelines/Normalize.h"
#include "diffattn/Pipelines/Passes.h"
#include "diffattn/Target/TargetDescription.h"

#include "mlir/Conversion/Passes.h"
#include "mlir/Dialect/Arith/Transforms/Passes.h"
#include "mlir/Dialect/Bufferization/Pipelines/Passes.h"
#include "mlir/Dialect/Bufferization/Transforms/Passes.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/Passes.h"
#include "mlir/Dialect/Math/Transforms/Passes.h"
#include "mlir/Dialect/MemRef/Transforms/Passes.h"
#include "mlir/Dialect/SCF/Transforms/Passes.h"
#include "mlir/Pass/PassRegistry.h"
#include "mlir/Transforms/Passes.h"

using namespace mlir;
using namespace mlir::diffattn;

static void addCleanup(OpPassManager &pm) {
  pm.addPass(createCanonicalizerPass());
  pm.addPass(createCSEPass());
}

void mlir::diffattn::buildFuseStage(OpPassManager &pm) {
  buildImportPipeline(pm);
}

void mlir::diffattn::buildTileStage(OpPassManager &pm,
                                    const CPUPipelineOptions &options) {
  AssignSchedulePassOptions schedule;
  schedule.target = options.target;
  schedule.queryTile = options.queryTile;
  schedule.pairs = options.pairs;
  schedule.keyTile = options.keyTile;
  pm.addNestedPass<func::FuncOp>(createAssignSchedulePass(schedule));
  pm.addNestedPass<func::FuncOp>(createToOnlinePass());
  pm.addNestedPass<func::FuncOp>(createCPULayoutPass());
  addCleanup(pm);
  pm.addNestedPass<func::FuncOp>(createTilePass());
  // From here to bufferization no CSE: it would make one tensor of two scratch
  // tiles of the same shape, which then have to be copied apart.
  pm.addPass(createCanonicalizerPass());
}

void mlir::diffattn::buildCPULinalgStage(OpPassManager &pm,
                                         const CPUPipelineOptions &options) {
  CPUPackPassOptions pack;
  pack.target = options.target;
  pm.addNestedPass<func::FuncOp>(createCPUPackPass(pack));
  pm.addNestedPass<func::FuncOp>(createDecomposeTilesPass());
  pm.addNestedPass<func::FuncOp>(createCPUGuardMasksPass());
  CPUPackPairsPassOptions packPairs;
  packPairs.target = options.target;
  pm.addNestedPass<func::FuncOp>(createCPUPackPairsPass(packPairs));
  pm.addPass(createCanonicalizerPass());
}

void mlir::diffattn::buildBufferizeStage(OpPassManager &pm) {
  // Results are then computed in the buffer that they are returned in, not
  // copied there.
  pm.addPass(bufferization::createEmptyTensorEliminationPass());
  pm.addPass(createCPUBufferizePass());
  addCleanup(pm);
  bufferization::buildBufferDeallocationPipeline(pm);
  pm.addNestedPass<func::FuncOp>(createSeparateResultsPass());
  pm.addPass(createConvertBufferizationToMemRefPass());
  addCleanup(pm);
}

void mlir::diffattn::buildVectorStage(OpPassManager &pm,
                                      const CPUPipelineOptions &options) {
  CPUVectorizePassOptions vectorize;
  vectorize.target = options.target;
  pm.addNestedPass<func::FuncOp>(createCPUVectorizePass(vectorize));
  pm.addPass(createExpandCopiesPass());
  pm.addNestedPass<func::FuncOp>(createConvertLinalgToLoopsPass());
  pm.addNestedPass<func::FuncOp>(createCPUExpandMathPass());
  pm.addPass(createForallToParallelLoopPass());
  addCleanup(pm);
  pm.addPass(createLoopInvariantCodeMotionPass());
}

/// Makes 16-bit floating point computable on `target`: arithmetic happens in
/// f32, and where the CPU has no instruction for it, conversion from and to
/// bf16 is integer arithmetic (LLVM would call a function that the C runtime
/// of GCC 12 lacks).
static void addFloat16Lowering(OpPassManager &pm,
                               const CPUPipelineOptions &options) {
  pm.addPass(math::createMathExtendToSupportedTypes());
  arith::ArithEmulateUnsupportedFloatsOptions emulation;
  emulation.sourceTypeStrs = {"bf16", "f16"};
  emulation.targetTypeStr = "f32";
  pm.addPass(arith::createArithEmulateUnsupportedFloats(emulation));

  llvm::Expected<const CPUTarget *> target = lookupCPUTarget(options.target);
  // An unknown target is reported by the first pass that has the option.
  bool hasBF16 = target && (*target)->hasAVX512BF16;
  if (!target)
    llvm::consumeError(target.takeError());
  arith::ArithExpandOpsPassOptions expansion;
  expansion.includeBf16 = !hasBF16;
  pm.addPass(arith::createArithExpandOpsPass(expansion));
}

void mlir::diffattn::buildLLVMStage(OpPassManager &pm,
                                    const CPUPipelineOptions &options) {
  pm.addPass(createConvertVectorToSCFPass());
  pm.addPass(createConvertSCFToOpenMPPass());
  pm.addNestedPass<func::FuncOp>(createCPUBalanceLoopsPass());
  pm.addNestedPass<func::FuncOp>(createCPULowerStackScopesPass());
  pm.addPass(memref::createExpandStridedMetadataPass());
  pm.addPass(createLowerAffinePass());
  addFloat16Lowering(pm, options);
  addCleanup(pm);
  pm.addPass(createSCFToControlFlowPass());
  pm.addPass(createConvertVectorToLLVMPass());
  pm.addPass(createConvertToLLVMPass());
  pm.addPass(createReconcileUnrealizedCastsPass());
  addCleanup(pm);
}

void mlir::diffattn::buildStageTo(Phase phase, OpPassManager &pm,
                                  const CPUPipelineOptions &options) {
  switch (phase) {
  case Phase::Input:
    return;
  case Phase::Fused:
    return buildFuseStage(pm);
  case Phase::Tiled:
    return buildTileStage(pm, options);
  case Phase::Linalg:
    return buildCPULinalgStage(pm, options);
  case Phase::MemRef:
    return buildBufferizeStage(pm);
  case Phase::Vector:
    return buildVectorStage(pm, options);
  case Phase::LLVM:
    return buildLLVMStage(pm, options);
  }
}

void mlir::diffattn::buildCPUPipeline(OpPassManager &pm,
                                      const CPUPipelineOptions &options) {
  for (const PhaseInfo &info : getPhases())
    buildStageTo(info.phase, pm, options);
}

void mlir::diffattn::registerPipelines() {
  registerImportPipeline();
  PassPipelineRegistration<CPUPipelineOptions>(
      "diffattn-cpu-pipeline", "Compile tensors to the LLVM dialect for a CPU",
      buildCPUPipeline);
  struct Stage {
    StringLiteral name;
    StringLiteral summary;
    Phase to;
  };
  static constexpr Stage stages[] = {
      {"diffattn-cpu-to-fused", "Stage input -> fused", Phase::Fused},
      {"diffattn-cpu-to-tiled", "Stage fused -> tiled", Phase::Tiled},
      {"diffattn-cpu-to-linalg", "Stage tiled -> linalg", Phase::Linalg},
      {"diffattn-cpu-to-memref", "Stage linalg -> memref", Phase::MemRef},
      {"diffattn-cpu-to-vector", "Stage memref -> vector", Phase::Vector},
      {"diffattn-cpu-to-llvm", "Stage vector -> llvm", Phase::LLVM},
  };
  for (const Stage &stage : stages)
    PassPipelineRegistration<CPUPipelineOptions>(
        stage.name, stage.summary,
        [to = stage.to](OpPassManager &pm, const CPUPipelineOptions &options) {
          buildStageTo(to, pm, options);
        });
}
