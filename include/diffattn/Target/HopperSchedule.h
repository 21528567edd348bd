//===- HopperSchedule.h - Schedules of teams of warpgroups ------*- C++ -*-===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Where matrix instructions are asynchronous and belong to a warpgroup, a block
// holds teams: each computes a tile of 64 rows, one instruction high, against
// keys and values that a further warp copies for all of them.
//
//===----------------------------------------------------------------------===//

#ifndef DIFFATTN_TARGET_HOPPERSCHEDULE_H
#define DIFFATTN_TARGET_HOPPERSCHEDULE_H

#include "diffattn/Target/GPUSchedule.h"

namespace mlir::diffattn {

/// Registers of each thread of the producer and of the teams: no more in all
/// than a block starts with.
struct TeamRegisters {
  int64_t producer, team;
};
TeamRegisters getTeamRegisters(int64_t teams);

/// Whether a problem is computed by teams. Not where query rows are so few that
/// a tile takes several pairs, nor where warps are asked for without teams.
bool usesTeams(const GPUTarget &target, const GPUProblem &problem,
               const GPUSchedule &fixed);

/// As the functions of GPUSchedule.h, for schedules with teams.
GPUResources getTeamResources(const GPUProblem &problem,
                              const GPUSchedule &schedule);
llvm::Error checkTeamSchedule(const GPUTarget &target,
                              const GPUProblem &problem,
                              const GPUSchedule &schedule);
std::vector<GPUSchedule> enumerateTeamSchedules(const GPUTarget &target,
                                                const GPUProblem &problem,
                                                const GPUSchedule &fixed);

/// `fixed`, completed by what was measured to be best: legal, unless `fixed`
/// demands otherwise.
GPUSchedule completeTeamSchedule(const GPUProblem &problem,
                                 const GPUSchedule &fixed);

/// The legal schedules by their distance from the completed one.
std::vector<GPUSchedule> rankTeamSchedules(const GPUTarget &target,
                                           const GPUProblem &problem,
                                           const GPUSchedule &fixed);

} // namespace mlir::diffattn

#endif // DIFFATTN_TARGET_HOPPERSCHEDULE_H
