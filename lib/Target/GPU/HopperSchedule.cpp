//===- HopperSchedule.cpp - Schedules of teams of warpgroups --------------===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "diffattn/Target/HopperSchedule.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/MathExtras.h"
#include <algorithm>
#include <tuple>

using namespace mlir::diffattn;

/// Rows of wgmma, and the keys and elements of one step.
static constexpr int64_t teamRows = 64, teamThreads = 128, stepKeys = 16;
static constexpr int64_t elementBytes = 2;
/// A warpgroup more would leave each too few registers; n of wgmma.
static constexpr int64_t maxTeams = 3, maxKeys = 256;

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

GPUResources mlir::diffattn::getTeamResources(const GPUProblem &problem,
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

//===----------------------------------------------------------------------===//
// Legality
//===----------------------------------------------------------------------===//

static bool fitsSharedMemory(const GPUTarget &target, const GPUProblem &problem,
                             const GPUSchedule &schedule) {
  return getTeamResources(problem, schedule).sharedBytes <=
         target.sharedBytesPerBlock;
}

llvm::Error mlir::diffattn::checkTeamSchedule(const GPUTarget &target,
                                              const GPUProblem &problem,
                                              const GPUSchedule &schedule) {
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
  if (schedule.teams > maxTeams)
    return makeError("teams", schedule.teams, maxTeams,
                     llvm::formatv("at most {0} teams", maxTeams));
  if (schedule.keyTile % stepKeys != 0 || schedule.keyTile > maxKeys)
    return makeError(
        "key_tile", schedule.keyTile,
        std::clamp<int64_t>(llvm::alignTo(schedule.keyTile, stepKeys), stepKeys,
                            maxKeys),
        llvm::formatv("at most {0} keys, a multiple of {1},", maxKeys,
                      stepKeys));
  GPUResources resources = getTeamResources(problem, schedule);
  int64_t budget = getTeamRegisters(schedule.teams).team;
  int64_t spare = budget - (resources.registers - schedule.keyTile * 3 / 4);
  if (resources.registers > budget)
    return makeError(
        "key_tile", schedule.keyTile,
        std::max<int64_t>(stepKeys, spare * 4 / 3 / stepKeys * stepKeys),
        llvm::formatv("about {0} registers of a thread for {1} teams", budget,
                      schedule.teams));
  if (fitsSharedMemory(target, problem, schedule))
    return llvm::Error::success();
  GPUSchedule nearest = schedule;
  while (nearest.stages > 1 && !fitsSharedMemory(target, problem, nearest))
    --nearest.stages;
  return makeError("stages", schedule.stages, nearest.stages,
                   llvm::formatv("at most {0} bytes of shared memory",
                                 target.sharedBytesPerBlock));
}

static bool isLegal(const GPUTarget &target, const GPUProblem &problem,
                    const GPUSchedule &schedule) {
  llvm::Error error = checkTeamSchedule(target, problem, schedule);
  bool legal = !error;
  llvm::consumeError(std::move(error));
  return legal;
}

//===----------------------------------------------------------------------===//
// Choice
//===----------------------------------------------------------------------===//

static void overwrite(GPUSchedule &schedule, const GPUSchedule &fixed) {
  for (const GPUScheduleField &field : getScheduleFields())
    if (fixed.*field.member)
      schedule.*field.member = fixed.*field.member;
  if (!fixed.order.empty())
    schedule.order = fixed.order;
}

GPUSchedule mlir::diffattn::completeTeamSchedule(const GPUProblem &problem,
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
  // Limits of masks take registers, two of them more.
  if (problem.masked && dim <= 64)
    schedule.keyTile = problem.window ? 96 : 112;
  schedule.order = "turns";
  overwrite(schedule, fixed);
  return schedule;
}

std::vector<GPUSchedule>
mlir::diffattn::enumerateTeamSchedules(const GPUTarget &target,
                                       const GPUProblem &problem,
                                       const GPUSchedule &fixed) {
  // One team, one stage or few keys leave the matrix unit idle; more stages
  // than these have nothing left to hide.
  constexpr int64_t minTeams = 2, minKeys = 48, minStages = 2, maxStages = 6;
  std::vector<GPUSchedule> schedules;
  GPUSchedule s = {teamRows / problem.branches, 1, 0, 4};
  for (s.teams = minTeams; s.teams <= maxTeams; ++s.teams)
    for (s.keyTile = minKeys; s.keyTile <= maxKeys; s.keyTile += stepKeys)
      for (s.stages = minStages; s.stages <= maxStages; ++s.stages)
        for (const char *order : {"overlap", "turns", "sections"}) {
          s.order = order;
          GPUSchedule completed = s;
          overwrite(completed, fixed);
          if (isLegal(target, problem, completed) &&
              !llvm::is_contained(schedules, completed))
            schedules.push_back(std::move(completed));
        }
  return schedules;
}

/// Steps from `best` to `other`. With as many teams as it has not, one begins
/// at the most keys that their registers allow, up to those that copies and
/// masks are worth.
static int64_t getDistance(const GPUProblem &problem, const GPUSchedule &best,
                           const GPUSchedule &other) {
  int64_t distance =
      std::abs(other.stages - best.stages) + (other.order != best.order);
  int64_t keys = best.keyTile;
  if (other.teams != best.teams) {
    constexpr int64_t worthwhileKeys = 128;
    GPUSchedule widest = other;
    widest.keyTile = 0;
    int64_t spare = getTeamRegisters(other.teams).team -
                    getTeamResources(problem, widest).registers;
    keys = std::min(worthwhileKeys, spare * 4 / 3 / stepKeys * stepKeys);
    distance += 2 * std::abs(other.teams - best.teams);
  }
  return distance + std::abs(other.keyTile - keys) / stepKeys;
}

std::vector<GPUSchedule>
mlir::diffattn::rankTeamSchedules(const GPUTarget &target,
                                  const GPUProblem &problem,
                                  const GPUSchedule &fixed) {
  GPUSchedule best = completeTeamSchedule(problem, fixed);
  std::vector<GPUSchedule> schedules =
      enumerateTeamSchedules(target, problem, fixed);
  // Of two at the same distance, the one that the assembler more likely finds
  // registers for.
  auto getKey = [&](const GPUSchedule &schedule) {
    GPUResources resources = getTeamResources(problem, schedule);
    return std::tuple(schedule != best, getDistance(problem, best, schedule),
                      resources.registers, resources.sharedBytes);
  };
  // The best one may be out of the range of those that are tried unasked.
  if (isLegal(target, problem, best) && !llvm::is_contained(schedules, best))
    schedules.push_back(best);
  llvm::stable_sort(schedules, [&](const auto &a, const auto &b) {
    return getKey(a) < getKey(b);
  });
  return schedules;
}
