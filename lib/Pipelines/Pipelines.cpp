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
#include "diffattn/Dialect/Tile/Transforms/Passes.h"
#include "diffattn/Pipelines/Normalize.h"
#include "diffattn/Pipelines/Passes.h"
#include "diffattn/Target/TargetDescription.h"

#include "mlir/Conversion/GPUToNVVM/GPUToNVVMPass.h"
#include "mlir/Conversion/NVVMToLLVM/NVVMToLLVM.h"
#include "mlir/Conversion/Passes.h"
#include "mlir/Dialect/Affine/Transforms/Passes.h"
#include "mlir/Dialect/Arith/Transforms/Passes.h"
#include "mlir/Dialect/Bufferization/Pipelines/Passes.h"
#include "mlir/Dialect/Bufferization/Transforms/Passes.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
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

/// The schedule, and the online form that it is carried out on.
static void addOnlineForm(OpPassManager &pm, const PipelineSettings &settings) {
  AssignSchedulePassOptions schedule;
  schedule.target = settings.target;
  schedule.queryTile = settings.queryTile;
  schedule.pairs = settings.pairs;
  schedule.keyTile = settings.keyTile;
  schedule.warps = settings.warps;
  schedule.stages = settings.stages;
  schedule.teams = settings.teams;
  schedule.order = settings.order;
  schedule.cluster = settings.cluster;
  schedule.rank = settings.rank;
  schedule.scheduleTable = settings.scheduleTable;
  pm.addNestedPass<func::FuncOp>(createAssignSchedulePass(schedule));
  pm.addNestedPass<func::FuncOp>(createToOnlinePass());
}

//===----------------------------------------------------------------------===//
// CPU
//===----------------------------------------------------------------------===//

void mlir::diffattn::buildCPUTileStage(OpPassManager &pm,
                                       const PipelineSettings &settings) {
  addOnlineForm(pm, settings);
  pm.addNestedPass<func::FuncOp>(createCPULayoutPass());
  addCleanup(pm);
  pm.addNestedPass<func::FuncOp>(createTilePass());
  // From here to bufferization no CSE: it would make one tensor of two scratch
  // tiles of the same shape, which then have to be copied apart.
  pm.addPass(createCanonicalizerPass());
}

void mlir::diffattn::buildCPULinalgStage(OpPassManager &pm,
                                         const PipelineSettings &settings) {
  CPUPackPassOptions pack;
  pack.target = settings.target;
  pm.addNestedPass<func::FuncOp>(createCPUPackPass(pack));
  pm.addNestedPass<func::FuncOp>(createDecomposeTilesPass());
  pm.addNestedPass<func::FuncOp>(createCPUGuardMasksPass());
  CPUPackPairsPassOptions packPairs;
  packPairs.target = settings.target;
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
                                      const PipelineSettings &settings) {
  CPUVectorizePassOptions vectorize;
  vectorize.target = settings.target;
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
                               const PipelineSettings &settings) {
  pm.addPass(math::createMathExtendToSupportedTypes());
  arith::ArithEmulateUnsupportedFloatsOptions emulation;
  emulation.sourceTypeStrs = {"bf16", "f16"};
  emulation.targetTypeStr = "f32";
  pm.addPass(arith::createArithEmulateUnsupportedFloats(emulation));

  llvm::Expected<const CPUTarget *> target = lookupCPUTarget(settings.target);
  // An unknown target is reported by the first pass that has the option.
  bool hasBF16 = target && (*target)->hasAVX512BF16;
  if (!target)
    llvm::consumeError(target.takeError());
  arith::ArithExpandOpsPassOptions expansion;
  expansion.includeBf16 = !hasBF16;
  pm.addPass(arith::createArithExpandOpsPass(expansion));
}

void mlir::diffattn::buildLLVMStage(OpPassManager &pm,
                                    const PipelineSettings &settings) {
  pm.addPass(createConvertVectorToSCFPass());
  pm.addPass(createConvertSCFToOpenMPPass());
  pm.addNestedPass<func::FuncOp>(createCPUBalanceLoopsPass());
  pm.addNestedPass<func::FuncOp>(createCPULowerStackScopesPass());
  pm.addPass(memref::createExpandStridedMetadataPass());
  pm.addPass(createLowerAffinePass());
  addFloat16Lowering(pm, settings);
  addCleanup(pm);
  pm.addPass(createSCFToControlFlowPass());
  pm.addPass(createConvertVectorToLLVMPass());
  pm.addPass(createConvertToLLVMPass());
  pm.addPass(createReconcileUnrealizedCastsPass());
  addCleanup(pm);
}

//===----------------------------------------------------------------------===//
// GPU
//===----------------------------------------------------------------------===//

/// While tiles are iterations of scf.forall.
static void addGridCleanup(OpPassManager &pm) {
  pm.addPass(createCanonicalizeGridPass());
  pm.addPass(createCSEPass());
}

void mlir::diffattn::buildGPUTileStage(OpPassManager &pm,
                                       const PipelineSettings &settings) {
  addOnlineForm(pm, settings);
  addCleanup(pm);
  pm.addNestedPass<func::FuncOp>(createTilePass());
  addGridCleanup(pm);
}

void mlir::diffattn::buildGPULinalgStage(OpPassManager &pm) {
  pm.addNestedPass<func::FuncOp>(createDecomposeTilesPass());
  addGridCleanup(pm);
}

void mlir::diffattn::buildGPUKernelStage(OpPassManager &pm,
                                         const PipelineSettings &settings) {
  tile::AllocatePassOptions allocate;
  tile::SpecializePassOptions specialize;
  specialize.store = settings.store.empty() ? "shared" : settings.store;
  bool overlaps = false;
  if (auto target = lookupGPUTarget(settings.target)) {
    specialize.limit = allocate.limit = (*target)->sharedBytesPerBlock;
    overlaps = (*target)->matrixInstruction == MatrixInstruction::WGMMA;
  } else { // Reported by the first pass that has the option.
    llvm::consumeError(target.takeError());
  }
  tile::LinalgToTilePassOptions map;
  map.elementwise = settings.elementwise;
  pm.addPass(tile::createLinalgToTilePass(map));
  addCleanup(pm);
  OpPassManager &modules = pm.nest<gpu::GPUModuleOp>();
  OpPassManager &kernels = modules.nest<gpu::GPUFuncOp>();
  // Who computes what. One pass or the other has something to do.
  kernels.addPass(tile::createSpecializePass(specialize));
  kernels.addPass(tile::createDistributePass());
  addCleanup(kernels);
  // Asynchrony first, while a tile is one value and a loop a page of IR; masks
  // are peeled off a loop that is already a pipeline.
  kernels.addPass(tile::createStagePass());
  kernels.addPass(tile::createPipelinePass());
  if (overlaps)
    kernels.addPass(tile::createLazyRescalePass());
  kernels.addPass(tile::createOverlapPass());
  kernels.addPass(tile::createTakeTurnsPass());
  addCleanup(kernels);
  // Layouts, and what they tell: which sums a thread can keep to itself.
  kernels.addPass(tile::createAssignLayoutsPass());
  kernels.addPass(tile::createDeferReductionsPass());
  kernels.addPass(tile::createPeelMasksPass());
  // Elsewhere a branch in loops with masks, short as they are now, costs
  // registers and wins nothing.
  tile::LazyRescalePassOptions lazy;
  lazy.skipMasked = true;
  kernels.addPass(tile::createLazyRescalePass(lazy));
  if (overlaps)
    kernels.addPass(tile::createAssumeMaximaPass());
  addCleanup(kernels);
  // Products as the instruction wants them.
  kernels.addPass(tile::createStartProductsPass());
  kernels.addPass(tile::createSelectOperandsPass());
  addCleanup(kernels);
  kernels.addPass(tile::createExchangePass());
  kernels.addPass(tile::createAllocatePass(allocate));
}

void mlir::diffattn::buildNVVMStage(OpPassManager &pm) {
  OpPassManager &kernels = pm.nest<gpu::GPUModuleOp>();
  kernels.addPass(tile::createTileToNVVMPass());
  // No canonicalizer while loops are scf.for: a thread carries hundreds of
  // values round, and the patterns for carried values compare all pairs of them
  // whenever something in the loop changes.
  kernels.addPass(memref::createExpandStridedMetadataPass());
  kernels.addPass(affine::createAffineExpandIndexOpsPass());
  kernels.addPass(createLowerAffinePass());
  kernels.addPass(createSCFToControlFlowPass());
  kernels.addPass(createConvertGpuOpsToNVVMOps());
  kernels.addPass(tile::createFinishKernelsPass());
  // Instructions that LLVM has no intrinsic for become inline assembly.
  kernels.addPass(createConvertNVVMToLLVMPass());
  kernels.addPass(createReconcileUnrealizedCastsPass());
  addCleanup(kernels);
}

//===----------------------------------------------------------------------===//
// Pipelines
//===----------------------------------------------------------------------===//

void mlir::diffattn::buildStageTo(TargetDescription::Kind kind, Phase phase,
                                  OpPassManager &pm,
                                  const PipelineSettings &settings) {
  const bool isGPU = kind == TargetDescription::Kind::GPU;
  switch (phase) {
  case Phase::Input:
    return;
  case Phase::Fused:
    return buildFuseStage(pm);
  case Phase::Tiled:
    return isGPU ? buildGPUTileStage(pm, settings)
                 : buildCPUTileStage(pm, settings);
  case Phase::Linalg:
    return isGPU ? buildGPULinalgStage(pm) : buildCPULinalgStage(pm, settings);
  case Phase::MemRef:
    return buildBufferizeStage(pm);
  case Phase::Vector:
    return buildVectorStage(pm, settings);
  case Phase::LLVM:
    return buildLLVMStage(pm, settings);
  case Phase::Tile:
    return buildGPUKernelStage(pm, settings);
  case Phase::NVVM:
    return buildNVVMStage(pm);
  }
}

void mlir::diffattn::buildPipeline(TargetDescription::Kind kind,
                                   OpPassManager &pm,
                                   const PipelineSettings &settings) {
  for (const PhaseInfo &info : getPhases(kind))
    buildStageTo(kind, info.phase, pm, settings);
}

/// Registers "PREFIX-pipeline" and "PREFIX-to-PHASE" for each phase.
template <typename Options>
static void registerPipelinesOf(TargetDescription::Kind kind, StringRef prefix,
                                StringRef summary) {
  PassPipelineRegistration<Options>(
      (prefix + "-pipeline").str(), summary,
      [kind](OpPassManager &pm, const Options &options) {
        buildPipeline(kind, pm, options.getSettings());
      });
  StringRef previous;
  for (const PhaseInfo &info : getPhases(kind)) {
    if (info.phase != Phase::Input)
      PassPipelineRegistration<Options>(
          (prefix + "-to-" + info.name).str(),
          ("Stage " + previous + " -> " + info.name).str(),
          [kind, to = info.phase](OpPassManager &pm, const Options &options) {
            buildStageTo(kind, to, pm, options.getSettings());
          });
    previous = info.name;
  }
}

void mlir::diffattn::registerPipelines() {
  registerImportPipeline();
  registerPipelinesOf<CPUPipelineOptions>(
      TargetDescription::Kind::CPU, "diffattn-cpu",
      "Compile tensors to the LLVM dialect for a CPU");
  registerPipelinesOf<GPUPipelineOptions>(
      TargetDescription::Kind::GPU, "diffattn-gpu",
      "Compile tensors to kernels in the NVVM dialect for a GPU");
}
