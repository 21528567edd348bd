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

/// What stages may be told. 0 lets the target decide.
struct PipelineSettings {
  /// The target whose facts decide tile sizes and instructions.
  std::string target = "cpu";
  int64_t queryTile = 0, pairs = 0, keyTile = 0;
  /// For GPUs only.
  int64_t warps = 0, stages = 0, teams = 0;
  /// "overlap", "turns", "sections", or empty.
  std::string order = {};
  /// How many better schedules are passed over.
  int64_t rank = 0;
  /// Whether threads access one element of an argument at a time, so that it
  /// may lie anywhere.
  bool elementwise = false;
  /// How teams store results: "registers", "shared", or empty.
  std::string store = {};
  /// Blocks that copy keys and values to each other.
  int64_t cluster = 0;
  /// A file of measured schedules, "none", or empty for the one that comes with
  /// the compiler.
  std::string scheduleTable = {};
};

/// The settings as options of a pipeline, beginning with those of every target.
template <typename DerivedT>
struct TilingPipelineOptions : public PassPipelineOptions<DerivedT> {
  template <typename T>
  using Opt = typename PassPipelineOptions<DerivedT>::template Option<T>;

  explicit TilingPipelineOptions(StringRef defaultTarget)
      : target{*this, "target",
               llvm::cl::desc(
                   "Target whose facts decide tile sizes and instructions"),
               llvm::cl::init(defaultTarget.str())} {}

  Opt<std::string> target;
  Opt<int64_t> queryTile{
      *this, "query-tile",
      llvm::cl::desc("Query rows of a tile; 0 lets the target decide"),
      llvm::cl::init(0)};
  Opt<int64_t> pairs{
      *this, "pairs",
      llvm::cl::desc("Head pairs of a tile; 0 lets the target decide"),
      llvm::cl::init(0)};
  Opt<int64_t> keyTile{
      *this, "key-tile",
      llvm::cl::desc("Keys of one step; 0 lets the target decide"),
      llvm::cl::init(0)};
};

struct CPUPipelineOptions : public TilingPipelineOptions<CPUPipelineOptions> {
  CPUPipelineOptions() : TilingPipelineOptions("cpu") {}

  PipelineSettings getSettings() const {
    return {target, queryTile, pairs, keyTile};
  }
};

struct GPUPipelineOptions : public TilingPipelineOptions<GPUPipelineOptions> {
  GPUPipelineOptions() : TilingPipelineOptions("sm_80") {}

  Option<int64_t> warps{
      *this, "warps",
      llvm::cl::desc("Warps that compute a tile; 0 lets the target decide"),
      llvm::cl::init(0)};
  Option<int64_t> stages{
      *this, "stages",
      llvm::cl::desc(
          "Key tiles in shared memory at a time; 0 lets the target decide"),
      llvm::cl::init(0)};

  Option<int64_t> teams{
      *this, "teams",
      llvm::cl::desc("Tiles of a block, with a warpgroup for each, on targets "
                     "with wgmma; 0 lets the target decide"),
      llvm::cl::init(0)};
  Option<std::string> order{
      *this, "order",
      llvm::cl::desc("How teams share the matrix unit: overlap, turns or "
                     "sections; empty lets the target decide"),
      llvm::cl::init("")};
  Option<std::string> store{
      *this, "store",
      llvm::cl::desc("How teams store results: from registers or through "
                     "shared memory (shared); empty is shared"),
      llvm::cl::init("")};
  Option<int64_t> cluster{
      *this, "cluster",
      llvm::cl::desc("Blocks that copy keys and values to each other, with "
                     "teams, 1 or 2; 0 is 1"),
      llvm::cl::init(0)};

  Option<bool> elementwise{
      *this, "elementwise",
      llvm::cl::desc("Access one element of an argument at a time"),
      llvm::cl::init(false)};

  Option<std::string> scheduleTable{
      *this, "schedule-table",
      llvm::cl::desc("File of measured schedules; empty: the one that comes "
                     "with the compiler; none: no table"),
      llvm::cl::init("")};

  PipelineSettings getSettings() const {
    PipelineSettings settings = {target, queryTile, pairs, keyTile,
                                 warps,  stages,    teams, order};
    settings.elementwise = elementwise;
    settings.store = store;
    settings.cluster = cluster;
    settings.scheduleTable = scheduleTable;
    return settings;
  }
};

//===----------------------------------------------------------------------===//
// Stages
//===----------------------------------------------------------------------===//

/// input -> fused: one normal form for what producers write, then fusion.
void buildFuseStage(OpPassManager &pm);

/// fused -> tiled: online form, schedule, loops over tiles.
void buildCPUTileStage(OpPassManager &pm, const PipelineSettings &settings);
/// tiled -> linalg: each tile as linalg on tensors.
void buildCPULinalgStage(OpPassManager &pm, const PipelineSettings &settings);
/// linalg -> memref: buffers, in place; who frees them is decided here.
void buildBufferizeStage(OpPassManager &pm);
/// memref -> vector: loops and vectors of the target's width.
void buildVectorStage(OpPassManager &pm, const PipelineSettings &settings);
/// vector -> llvm: threads, addresses, the LLVM dialect.
void buildLLVMStage(OpPassManager &pm, const PipelineSettings &settings);

/// fused -> tiled, as for the CPU but for the layout in memory.
void buildGPUTileStage(OpPassManager &pm, const PipelineSettings &settings);
/// tiled -> linalg.
void buildGPULinalgStage(OpPassManager &pm);
/// linalg -> tile: kernels; where values live and when they move.
void buildGPUKernelStage(OpPassManager &pm, const PipelineSettings &settings);
/// tile -> nvvm: what one thread does.
void buildNVVMStage(OpPassManager &pm);

/// The stage of one kind of targets that ends at `phase`; none for
/// `Phase::Input`.
void buildStageTo(TargetDescription::Kind kind, Phase phase, OpPassManager &pm,
                  const PipelineSettings &settings);

/// All stages.
void buildPipeline(TargetDescription::Kind kind, OpPassManager &pm,
                   const PipelineSettings &settings);

/// Registers `diffattn-cpu-pipeline`, `diffattn-gpu-pipeline` and one pipeline
/// per stage of each.
void registerPipelines();

} // namespace mlir::diffattn

#endif // DIFFATTN_PIPELINES_PIPELINES_H
