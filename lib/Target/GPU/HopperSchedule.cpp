//===- HopperSchedule.cpp - Schedules of teams of warpgroups --------------===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "diffattn/Target/HopperSchedule.h"

#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/MathExtras.h"
#include <algorithm>

using namespace mlir::diffattn;

/// Rows of wgmma, and the keys and elements of one step.
static constexpr int64_t teamRows = 64, teamThreads = 128, stepKeys = 16;
static constexpr int64_t elementBytes = 2;

bool mlir::diffattn::usesTeams(const GPUTarget &target,
                               const GPUProblem &problem,
                               const GPUSchedule &fixed) {
  if (target.matrixInstruction != MatrixInstruction::WGMMA)
    return false;
  if (fixed.teams)
    return true;
  bool isShort =
      problem.queryLength && *problem.queryLength * problem.branches < teamRows;
  return !isShort && !fixed.warps && fixed.pairs <= 1 &&
         (!fixed.queryTile || fixed.queryTile * problem.branches == teamRows);
}

TeamRegisters mlir::diffattn::getTeamRegisters(int64_t teams) {
  // Registers are dealt in units of 8; the producer needs few, and no thread
  // may have more than 240.
  constexpr int64_t file = 65536, unit = 8, few = 32, many = 40, most = 240;
  int64_t all = file / ((teams + 1) * teamThreads) / unit * unit * (teams + 1);
  int64_t team = std::min((all - few) / teams / unit * unit, most);
  return {std::min(all - team * teams, many), team};
}

static GPUResources getTeamResources(const GPUTarget &target,
                                     const GPUProblem &problem,
                                     const GPUSchedule &schedule) {
  GPUResources resources{};
  resources.rows = teamRows * schedule.teams;
  // Scores, the last block's probabilities in pairs, accumulators; row maximum,
  // sum and lambda; addresses and masks.
  constexpr int64_t others = 28;
  resources.registers = schedule.keyTile / 2 + schedule.keyTile / 4 +
                        problem.valueDim / 2 + others;
  resources.sharedBytes =
      elementBytes * (resources.rows * problem.headDim +
                      schedule.stages * schedule.keyTile *
                          (problem.headDim + problem.valueDim)) +
      1024;
  resources.blocksPerSM = 1;
  resources.limitedBy = "shared memory and registers";
  return resources;
}

llvm::Expected<GPUScheduleChoice>
mlir::diffattn::chooseTeamSchedule(const GPUTarget &target,
                                   const GPUProblem &problem,
                                   const GPUSchedule &fixed) {
  // Three teams hide most of the softmax, where accumulators leave registers
  // for them; keys as many as then fit. Measured: docs/performance.md.
  int64_t dim = std::max(problem.headDim, problem.valueDim);
  GPUSchedule schedule = {teamRows / problem.branches, 1, 80, 4, 2, 2};
  if (dim <= 64)
    schedule = {teamRows / problem.branches, 1, 128, 4, 4, 3};
  else if (dim <= 128)
    schedule = {teamRows / problem.branches, 1, 80, 4, 3, 3};
  // Accumulators of 256 columns leave little else.
  if (dim > 192)
    schedule.keyTile = 64;
  // A few blocks of keys: what the window cuts off of them counts.
  constexpr int64_t narrow = 1024;
  if (problem.window && *problem.window <= narrow && dim > 64)
    schedule.keyTile = 64;
  for (int64_t GPUSchedule::*field :
       {&GPUSchedule::queryTile, &GPUSchedule::pairs, &GPUSchedule::keyTile,
        &GPUSchedule::warps, &GPUSchedule::stages, &GPUSchedule::teams})
    if (fixed.*field)
      schedule.*field = fixed.*field;
  // Limits of masks take registers, two of them more.
  if (problem.masked && dim <= 64)
    schedule.keyTile = problem.window ? 96 : 112;
  schedule.order = "turns";
  if (!fixed.order.empty())
    schedule.order = fixed.order;

  auto makeError = [&](const char *name, int64_t found, int64_t nearest,
                       const std::string &why) {
    return llvm::createStringError(
        llvm::formatv("expects {0} on {1}, but got {2} = {3}; the nearest "
                      "legal one is {2} = {4}",
                      why, target.name, name, found, nearest)
            .str());
  };
  if (schedule.queryTile * problem.branches != teamRows)
    return makeError("query_tile", schedule.queryTile,
                     teamRows / problem.branches,
                     llvm::formatv("{0} rows of a team ({1} branches)",
                                   teamRows, problem.branches));
  if (schedule.pairs != 1)
    return makeError("pairs", schedule.pairs, 1, "one pair of heads in a team");
  if (schedule.warps != 4)
    return makeError("warps", schedule.warps, 4, "four warps of a team");
  if (schedule.teams > 3)
    return makeError("teams", schedule.teams, 3, "at most 3 teams");
  if (schedule.keyTile % stepKeys != 0 || schedule.keyTile > 256)
    return makeError(
        "key_tile", schedule.keyTile,
        std::clamp<int64_t>(llvm::alignTo(schedule.keyTile, stepKeys), 16, 256),
        "at most 256 keys, a multiple of 16,");
  GPUResources resources = getTeamResources(target, problem, schedule);
  int64_t budget = getTeamRegisters(schedule.teams).team;
  int64_t spare = budget - (resources.registers - schedule.keyTile * 3 / 4);
  if (resources.registers > budget)
    return makeError(
        "key_tile", schedule.keyTile,
        std::max<int64_t>(16, spare * 4 / 3 / 16 * 16),
        llvm::formatv("about {0} registers of a thread for {1} teams", budget,
                      schedule.teams));
  auto fits = [&](int64_t stages) {
    GPUSchedule other = schedule;
    other.stages = stages;
    return getTeamResources(target, problem, other).sharedBytes <=
           target.sharedBytesPerBlock;
  };
  int64_t nearest = schedule.stages;
  while (nearest > 1 && !fits(nearest))
    --nearest;
  if (!fits(schedule.stages))
    return makeError("stages", schedule.stages, nearest,
                     llvm::formatv("at most {0} bytes of shared memory",
                                   target.sharedBytesPerBlock));
  GPUScheduleChoice choice{schedule, resources, 0, ""};
  choice.whyNotLarger =
      llvm::formatv("each thread of a team has {0} registers", budget);
  return choice;
}
