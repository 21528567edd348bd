//===- Pipelines.h - From tensors to the LLVM dialect -----------*- C++ -*-===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// One builder per stage, each leading from one phase to the next, and the
// pipeline that calls them in order. Tools, the C API and Python all go
// through these, so every compilation can be repeated with `diffattn-opt`.
//
//===----------------------------------------------------------------------===//

#ifndef DIFFATTN_PIPELINES_PIPELINES_H
#define DIFFATTN_PIPELINES_PIPELINES_H

#include "diffattn/Pipelines/Phases.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Pass/PassOptions.h"

namespace mlir::diffattn {

/// What the CPU stages may be told.
struct CPUPipelineOptions : public PassPipelineOptions<CPUPipelineOptions> {
  Option<std::string> target{
      *this, "target",
      llvm::cl::desc("Target whose facts decide tile sizes and instructions"),
      llvm::cl::init("cpu")};
  Option<int64_t> queryTile{
      *this, "query-tile",
      llvm::cl::desc("Query rows of a tile; 0 lets the target decide"),
      llvm::cl::init(0)};
  Option<int64_t> pairs{
      *this, "pairs",
      llvm::cl::desc("Head pairs of a tile; 0 lets the target decide"),
      llvm::cl::init(0)};
  Option<int64_t> keyTile{
      *this, "key-tile",
      llvm::cl::desc("Keys of one step; 0 lets the target decide"),
      llvm::cl::init(0)};
};

/// input -> fused: one normal form for what producers write, then fusion.
void buildFuseStage(OpPassManager &pm);
/// fused -> tiled: online form, schedule, loops over tiles.
void buildTileStage(OpPassManager &pm, const CPUPipelineOptions &options);
/// tiled -> linalg: each tile as linalg on tensors.
void buildCPULinalgStage(OpPassManager &pm, const CPUPipelineOptions &options);
/// linalg -> memref: buffers, in place; who frees them is decided here.
void buildBufferizeStage(OpPassManager &pm);
/// memref -> vector: loops and vectors of the target's width.
void buildVectorStage(OpPassManager &pm, const CPUPipelineOptions &options);
/// vector -> llvm: threads, addresses, the LLVM dialect.
void buildLLVMStage(OpPassManager &pm, const CPUPipelineOptions &options);

/// The stage that ends at `phase`; none for `Phase::Input`.
void buildStageTo(Phase phase, OpPassManager &pm,
                  const CPUPipelineOptions &options);

/// All stages.
void buildCPUPipeline(OpPassManager &pm, const CPUPipelineOptions &options);

/// Registers `diffattn-cpu-pipeline` and one pipeline per stage.
void registerPipelines();

} // namespace mlir::diffattn

#endif // DIFFATTN_PIPELINES_PIPELINES_H
