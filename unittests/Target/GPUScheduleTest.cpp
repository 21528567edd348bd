//===- GPUScheduleTest.cpp - Legal schedules of GPUs, and the choice ------===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "diffattn/Target/GPUSchedule.h"

#include "llvm/ADT/STLExtras.h"

#include "gtest/gtest.h"

using namespace mlir::diffattn;

static const GPUTarget &getTarget(llvm::StringRef name) {
  llvm::Expected<const GPUTarget *> target = lookupGPUTarget(name);
  if (!target)
    llvm::report_fatal_error(target.takeError());
  return **target;
}

/// Differential attention, lengths unknown.
static GPUProblem getLong(int64_t headDim, int64_t pairsPerGroup = 4) {
  return {/*branches=*/2, pairsPerGroup, headDim,         headDim,
          std::nullopt,   std::nullopt,  /*masked=*/false};
}

static GPUProblem getShort(int64_t queryLength, int64_t pairsPerGroup) {
  GPUProblem problem = getLong(/*headDim=*/128, pairsPerGroup);
  problem.queryLength = queryLength;
  return problem;
}

static GPUScheduleChoice choose(llvm::StringRef target,
                                const GPUProblem &problem,
                                const GPUSchedule &fixed = {}) {
  auto choice = chooseSchedule(getTarget(target), problem, fixed);
  if (!choice)
    llvm::report_fatal_error(choice.takeError());
  return *choice;
}

static std::string getError(llvm::StringRef target, const GPUProblem &problem,
                            const GPUSchedule &fixed) {
  auto choice = chooseSchedule(getTarget(target), problem, fixed);
  return choice ? "legal: " + choice->schedule.str()
                : llvm::toString(choice.takeError());
}

TEST(GPUSchedule, choosesForLongSequences) {
  struct Case {
    llvm::StringRef target;
    int64_t headDim, keyTile, warps, blocksPerSM, stages = 1;
  };
  const Case cases[] = {
      {"sm_80", 64, 64, 4, 2},     {"sm_80", 96, 64, 4, 2},
      {"sm_80", 128, 64, 4, 1, 2}, {"sm_80", 192, 64, 8, 1},
      {"sm_80", 256, 64, 8, 1},    {"sm_89", 64, 64, 4, 2},
      {"sm_89", 128, 32, 4, 2},    {"sm_89", 192, 64, 8, 1},
      {"sm_120", 256, 32, 8, 1},   {"sm_90", 128, 64, 4, 2, 2},
  };
  for (const Case &c : cases) {
    GPUScheduleChoice choice = choose(c.target, getLong(c.headDim));
    EXPECT_EQ(choice.schedule.str(),
              (GPUSchedule{64, 1, c.keyTile, c.warps, c.stages}).str())
        << c.target.str() << " " << c.headDim;
    EXPECT_EQ(choice.resources.blocksPerSM, c.blocksPerSM)
        << c.target.str() << " " << c.headDim;
  }
}

TEST(GPUSchedule, ranksByCost) {
  // The next best, where the assembler finds that the best does not fit.
  const GPUTarget &target = getTarget("sm_80");
  GPUProblem problem = getLong(128);
  std::vector<GPUSchedule> ranked = rankSchedules(target, problem);
  EXPECT_EQ(ranked.size(), enumerateSchedules(target, problem).size());
  const GPUTarget &judge = getTarget("sm_90");
  for (size_t i = 1; i < ranked.size(); ++i)
    EXPECT_LE(getCost(judge, problem, ranked[i - 1]),
              getCost(judge, problem, ranked[i]) + 1e-6);
  auto second = chooseSchedule(target, problem, {}, 1);
  ASSERT_TRUE(bool(second));
  EXPECT_EQ(second->schedule.str(), ranked[1].str());
  EXPECT_EQ(
      llvm::toString(chooseSchedule(target, problem, ranked[0], 1).takeError()),
      "has 1 schedules on sm_80, but number 1 is asked for, counted from "
      "0");
}

TEST(GPUSchedule, ranksTeams) {
  // The rule's choice, then what is the fewest steps away; of those, what takes
  // the fewest registers.
  const GPUTarget &target = getTarget("sm_90a");
  GPUProblem problem = getLong(128);
  std::vector<GPUSchedule> ranked = rankSchedules(target, problem);
  GPUSchedule best{32, 1, 80, 4, 3, 3, "turns"}, second = best;
  second.keyTile = 64;
  ASSERT_GT(ranked.size(), 20u);
  EXPECT_EQ(ranked[0].str(), best.str());
  EXPECT_EQ(ranked[1].str(), second.str());
  // With two teams there are registers for more keys.
  auto two = llvm::find_if(ranked, [](auto &s) { return s.teams == 2; });
  ASSERT_NE(two, ranked.end());
  EXPECT_EQ(two->keyTile, 128);
  for (auto [i, schedule] : llvm::enumerate(ranked)) {
    EXPECT_FALSE(bool(checkSchedule(target, problem, schedule)))
        << schedule.str();
    EXPECT_EQ(llvm::count(ranked, schedule), 1) << schedule.str();
  }
  // What was measured comes before, and once.
  std::vector<GPUSchedule> measured =
      rankSchedules(target, problem, {}, ranked[7]);
  EXPECT_EQ(measured.size(), ranked.size());
  EXPECT_EQ(measured[0].str(), ranked[7].str());
  EXPECT_EQ(measured[1].str(), best.str());
}

TEST(GPUSchedule, completesWhatIsFixedOfTeams) {
  // Three teams have no registers for so many keys.
  GPUSchedule fixed;
  fixed.keyTile = 128;
  GPUSchedule schedule = choose("sm_90a", getLong(128), fixed).schedule;
  EXPECT_EQ(schedule.keyTile, 128);
  EXPECT_EQ(schedule.teams, 2);
  // Beyond what is tried unasked.
  fixed.keyTile = 16;
  EXPECT_EQ(choose("sm_90a", getLong(128), fixed).schedule.keyTile, 16);
  fixed.keyTile = 512;
  EXPECT_EQ(getError("sm_90a", getLong(128), fixed),
            "expects at most 256 keys, a multiple of 16, on sm_90a, but got "
            "key_tile = 512; the nearest legal one is key_tile = 256");
}

TEST(GPUSchedule, masksTakeRegisters) {
  GPUProblem problem = getLong(128);
  problem.masked = true;
  EXPECT_EQ(choose("sm_80", problem).schedule.str(),
            (GPUSchedule{64, 1, 48, 4, 2}).str());
}

TEST(GPUSchedule, packsPairsOfShortQueries) {
  // (query length, pairs of a group) -> (query tile, pairs)
  auto tile = [](int64_t queryLength, int64_t group) {
    GPUSchedule s = choose("sm_80", getShort(queryLength, group)).schedule;
    return std::pair(s.queryTile, s.pairs);
  };
  EXPECT_EQ(tile(1, 1), std::pair(int64_t(8), int64_t(1)));
  EXPECT_EQ(tile(1, 4), std::pair(int64_t(2), int64_t(4)));
  EXPECT_EQ(tile(1, 8), std::pair(int64_t(1), int64_t(8)));
  EXPECT_EQ(tile(1, 24), std::pair(int64_t(1), int64_t(8)));
  EXPECT_EQ(tile(5, 2), std::pair(int64_t(8), int64_t(2)));
  // Enough rows of its own.
  EXPECT_EQ(tile(64, 8), std::pair(int64_t(64), int64_t(1)));
}

TEST(GPUSchedule, everyChoiceIsLegal) {
  for (const GPUTarget &target : getGPUTargets())
    for (int64_t headDim : getGPUHeadDims())
      for (int64_t valueDim : getGPUHeadDims())
        for (int64_t branches : {1, 2})
          for (int64_t group : {1, 3, 4, 12})
            for (int64_t length : {0, 1, 7, 31, 1000}) {
              GPUProblem problem{branches, group,  headDim, valueDim,
                                 length,   length, true};
              auto choice = chooseSchedule(target, problem);
              ASSERT_TRUE(bool(choice)) << llvm::toString(choice.takeError());
              EXPECT_FALSE(
                  bool(checkSchedule(target, problem, choice->schedule)));
              EXPECT_LE(choice->resources.sharedBytes,
                        target.sharedBytesPerBlock);
              EXPECT_GE(choice->resources.blocksPerSM, 1);
            }
}

TEST(GPUSchedule, enumeratesOnlyLegalOnes) {
  GPUProblem problem = getLong(128);
  const GPUTarget &target = getTarget("sm_80");
  std::vector<GPUSchedule> schedules = enumerateSchedules(target, problem);
  EXPECT_GT(schedules.size(), 20u);
  for (const GPUSchedule &schedule : schedules)
    EXPECT_FALSE(bool(checkSchedule(target, problem, schedule)))
        << schedule.str();
}

TEST(GPUSchedule, completesWhatIsFixed) {
  GPUSchedule fixed;
  fixed.keyTile = 128;
  EXPECT_EQ(choose("sm_80", getLong(64), fixed).schedule.keyTile, 128);
  fixed = {};
  fixed.stages = 3;
  GPUScheduleChoice choice = choose("sm_80", getLong(128), fixed);
  EXPECT_EQ(choice.schedule.stages, 3);
  EXPECT_LE(choice.resources.sharedBytes, 163 << 10);
}

TEST(GPUSchedule, resources) {
  GPUResources resources = getResources(getTarget("sm_80"), getLong(128),
                                        {64, 1, 32, /*warps=*/4, /*stages=*/3});
  EXPECT_EQ(resources.rows, 128);
  EXPECT_EQ(resources.registers, 128 + 32 + 8 + 24 + 30);
  EXPECT_EQ(resources.sharedBytes, 81920);
  EXPECT_EQ(resources.blocksPerSM, 2);
  EXPECT_EQ(resources.limitedBy, "shared memory");
}

TEST(GPUSchedule, explainsWhyNotLarger) {
  std::string why = choose("sm_80", getLong(128)).whyNotLarger;
  EXPECT_EQ(why, "twice the rows would need 454 registers of 255; twice the "
                 "keys would need 318 registers of 255; one more stage would "
                 "take 0.637 clocks a score against 0.431");
}

TEST(GPUSchedule, diagnosesEachRule) {
  EXPECT_EQ(getError("sm_80", getLong(128), {0, 3, 0, 0, 0}),
            "expects the schedule's pairs to divide the 4 pairs of a group, "
            "but got 3; the nearest legal one is pairs = 2");
  EXPECT_EQ(getError("sm_80", getLong(128), {0, 0, 40, 0, 0}),
            "expects key_tile to be a multiple of 16 on sm_80, but got 40; the "
            "nearest legal one is key_tile = 32");
  EXPECT_EQ(getError("sm_80", getLong(128), {12, 1, 64, 4, 1}),
            "expects query_tile times 2 branches to divide 16 or to be a "
            "multiple of it on sm_80, but got query_tile = 12; the nearest "
            "legal one is query_tile = 8");
  EXPECT_EQ(getError("sm_80", getLong(64), {48, 1, 64, 4, 1}),
            "expects the 96 rows of a tile (2 branches x 1 pairs x 48 query "
            "rows) to be a multiple of 16 for each warp on sm_80, but got 4 "
            "warps; the nearest legal one is warps = 3");
  EXPECT_EQ(getError("sm_80", getLong(128), {128, 1, 64, 4, 1}),
            "expects at most 255 registers of a thread and 65536 of a block on "
            "sm_80, but 256 rows and 64 keys on 4 warps need about 472; the "
            "nearest legal one is query_tile = 32");
  EXPECT_EQ(getError("sm_86", getLong(256), {64, 1, 64, 8, 1}),
            "expects at most 101376 bytes of shared memory on sm_86, but 128 "
            "rows and 1 stages of 64 keys need 131072; the nearest legal one "
            "is key_tile = 32");
}
