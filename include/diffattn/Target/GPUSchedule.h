//===- GPUSchedule.h - Legal schedules of a GPU, and the best ---*- C++ -*-===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Which tiles a GPU can compute follows from its description: registers of a
// thread and shared memory of a block. Which of them is best is judged by a
// small model of an SM. Nothing here looks at IR.
//
// A block computes a tile of rows (query rows x pairs x branches) against all
// keys, `keyTile` at a time. Its warps divide the rows: each holds its scores,
// probabilities and accumulators in registers, and reads queries, keys and
// values from shared memory.
//
//===----------------------------------------------------------------------===//

#ifndef DIFFATTN_TARGET_GPUSCHEDULE_H
#define DIFFATTN_TARGET_GPUSCHEDULE_H

#include "diffattn/Target/TargetDescription.h"
#include <optional>
#include <string>
#include <vector>

namespace mlir::diffattn {

/// The attention that a schedule is for. Lengths that are known are used.
struct GPUProblem {
  int64_t branches, pairsPerGroup, headDim, valueDim;
  std::optional<int64_t> queryLength, keyLength;
  bool masked;
  /// Keys that a row sees besides its own at most, where the mask is a window.
  std::optional<int64_t> window = std::nullopt;
};

/// What `#diffattn.schedule` says for a GPU; 0 leaves a choice open.
struct GPUSchedule {
  int64_t queryTile = 0, pairs = 0, keyTile = 0, warps = 0, stages = 0;
  /// Tiles of a block, each with a warpgroup of its own (HopperSchedule.h).
  /// None where warps of a block divide one tile.
  int64_t teams = 0;
  /// How teams share the matrix unit: "overlap", "turns", "sections"; empty
  /// leaves it open.
  std::string order = {};

  bool operator==(const GPUSchedule &other) const;
  bool operator!=(const GPUSchedule &other) const { return !(*this == other); }
  /// "query_tile = 64, pairs = 1, ...": what is not left open.
  std::string str() const;
};

/// A number of a schedule, by its name in `#diffattn.schedule`.
struct GPUScheduleField {
  llvm::StringLiteral name;
  int64_t GPUSchedule::*member;
};
/// All numbers of a schedule.
llvm::ArrayRef<GPUScheduleField> getScheduleFields();

/// What a complete schedule takes.
struct GPUResources {
  /// Rows of a tile: branches, pairs and query rows.
  int64_t rows;
  /// Estimated registers of a thread.
  int64_t registers;
  int64_t sharedBytes;
  /// Blocks that an SM holds at a time, and what allows no more.
  int64_t blocksPerSM;
  llvm::StringRef limitedBy;
};

GPUResources getResources(const GPUTarget &target, const GPUProblem &problem,
                          const GPUSchedule &schedule);

/// Succeeds where `schedule`, which is complete, can be compiled. The error
/// names one rule, what was expected and found, and the nearest legal value.
llvm::Error checkSchedule(const GPUTarget &target, const GPUProblem &problem,
                          const GPUSchedule &schedule);

/// Query rows so few that a tile takes several pairs to fill matrix rows, and
/// the grid is too small for blocks to share an SM.
bool hasShortQuery(const GPUProblem &problem);

/// The legal schedules that are considered: `fixed` completed.
std::vector<GPUSchedule> enumerateSchedules(const GPUTarget &target,
                                            const GPUProblem &problem,
                                            const GPUSchedule &fixed = {});

/// The clocks that an SM takes for a score, products and softmax included, by
/// the model. Without teams.
double getCost(const GPUTarget &target, const GPUProblem &problem,
               const GPUSchedule &schedule);

struct GPUScheduleChoice {
  GPUSchedule schedule;
  GPUResources resources;
  double cost;
  /// What speaks against larger tiles and more stages.
  std::string whyNotLarger;
};

/// The legal schedules, the best first: `first`, if there is one; then, with
/// teams, by the distance from what was measured to be best; else the cheapest
/// by the costs on the last of the chips that code for `target` is assembled
/// for.
std::vector<GPUSchedule>
rankSchedules(const GPUTarget &target, const GPUProblem &problem,
              const GPUSchedule &fixed = {},
              const std::optional<GPUSchedule> &first = std::nullopt);

/// Number `rank` of the ranked schedules. Where `fixed` allows none, the error
/// is that of checkSchedule.
llvm::Expected<GPUScheduleChoice>
chooseSchedule(const GPUTarget &target, const GPUProblem &problem,
               const GPUSchedule &fixed = {}, int64_t rank = 0,
               const std::optional<GPUSchedule> &first = std::nullopt);

/// Head dimensions that GPU code exists for, ascending.
llvm::ArrayRef<int64_t> getGPUHeadDims();

} // namespace mlir::diffattn

#endif // DIFFATTN_TARGET_GPUSCHEDULE_H
