//===- AssignSchedule.cpp - Tile sizes from a target description ----------===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The one place where a schedule is chosen. Measurements behind the numbers are
// in docs/performance.md.
//
//===----------------------------------------------------------------------===//

#include "diffattn/Dialect/DiffAttn/Transforms/Passes.h"

#include "diffattn/Dialect/DiffAttn/IR/DiffAttn.h"
#include "diffattn/Dialect/DiffAttn/Transforms/GPUProblem.h"
#include "diffattn/Target/ScheduleTable.h"
#include "diffattn/Target/TargetOption.h"
#include "mlir/IR/Remarks.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/MathExtras.h"

namespace mlir::diffattn {
#define GEN_PASS_DEF_ASSIGNSCHEDULEPASS
#include "diffattn/Dialect/DiffAttn/Transforms/Passes.h.inc"
} // namespace mlir::diffattn

using namespace mlir;
using namespace mlir::diffattn;

/// The category of remarks.
static constexpr StringLiteral passName = "diffattn-assign-schedule";

//===----------------------------------------------------------------------===//
// CPU
//===----------------------------------------------------------------------===//

namespace {
/// What a schedule is chosen for. Lengths may be dynamic.
struct Problem {
  int64_t branches, pairsPerGroup, queryLength, keyLength;
  bool masked;
  /// Whether the products can be those of bf16 matrix tiles.
  bool matrixTiles;
};
} // namespace

/// The largest divisor of `n` that is at most `limit` (at least 1).
static int64_t getDivisor(int64_t n, int64_t limit) {
  int64_t divisor = std::max<int64_t>(1, std::min(n, limit));
  while (n % divisor != 0)
    --divisor;
  return divisor;
}

/// Rows and lanes of a matrix tile, and twice as many steps of a reduction.
static constexpr int64_t matrixSide = 16;

/// Whether operands and head dimensions of `op` suit the matrix tiles of
/// `target`. Fewer query rows than a tile has are not worth its padding.
static bool suitsMatrixTiles(AttentionOp op, const CPUTarget &target) {
  auto isBF16 = [](Value v) { return getElementTypeOrSelf(v).isBF16(); };
  int64_t queryLength = op.getQuery().getType().getDimSize(1);
  return target.hasAMXBF16 && isBF16(op.getQuery()) && isBF16(op.getKey()) &&
         isBF16(op.getValue()) &&
         op.getQuery().getType().getDimSize(3) % (2 * matrixSide) == 0 &&
         op.getValue().getType().getDimSize(3) % matrixSide == 0 &&
         (ShapedType::isDynamic(queryLength) || queryLength >= matrixSide);
}

/// Chooses what is left open (0).
static ScheduleAttr chooseSchedule(MLIRContext *context, const Problem &problem,
                                   const CPUTarget &target, int64_t queryTile,
                                   int64_t pairs, int64_t keyTile) {
  // Registers full of rows, and keys: see the pass description.
  int64_t lanes =
      (problem.matrixTiles ? 16 : 4) * target.getVectorLanes(/*bits=*/32);
  int64_t keys = problem.matrixTiles && !problem.masked ? 128 : 64;
  int64_t rowUnit = problem.matrixTiles ? matrixSide : 1;
  int64_t keyUnit = problem.matrixTiles ? 2 * matrixSide : 8;
  bool shortQuery =
      !ShapedType::isDynamic(problem.queryLength) && problem.queryLength < 16;
  int64_t minRows = shortQuery ? std::max<int64_t>(1, problem.queryLength) : 16;
  if (!pairs)
    pairs = getDivisor(
        problem.pairsPerGroup,
        lanes / (problem.branches * (queryTile ? queryTile : minRows)));
  if (!queryTile) {
    int64_t rows = lanes / (problem.branches * pairs);
    queryTile = std::max(rowUnit, rows / rowUnit * rowUnit);
    if (!ShapedType::isDynamic(problem.queryLength))
      queryTile = std::min<int64_t>(
          queryTile,
          std::max<int64_t>(1, llvm::alignTo(problem.queryLength, rowUnit)));
  }
  if (!keyTile) {
    keyTile = keys;
    if (!ShapedType::isDynamic(problem.keyLength))
      keyTile = std::min<int64_t>(
          keyTile, std::max<int64_t>(
                       keyUnit, llvm::alignTo(problem.keyLength, keyUnit)));
  }
  return ScheduleAttr::get(context, queryTile, pairs, keyTile);
}

static void assignForCPU(AttentionOp op, const CPUTarget &target,
                         int64_t queryTile, int64_t pairs, int64_t keyTile) {
  Problem problem{op.getNumBranches(),
                  op.getPairsPerGroup(),
                  op.getQuery().getType().getDimSize(1),
                  op.getKey().getType().getDimSize(1),
                  !op.getEffectiveMask().isNone(),
                  suitsMatrixTiles(op, target)};
  ScheduleAttr schedule = chooseSchedule(op.getContext(), problem, target,
                                         queryTile, pairs, keyTile);
  op.setScheduleAttr(schedule);
  int64_t rows =
      problem.branches * schedule.getPairs() * schedule.getQueryTile();
  remark::passed(op.getLoc(),
                 remark::RemarkOpts::name("schedule").category(passName))
      << remark::add("tile of {0} query rows x {1} pairs, {2} keys",
                     schedule.getQueryTile(), schedule.getPairs(),
                     schedule.getKeyTile())
      << remark::reason("{0} rows, branches included, are {1:f1} vector "
                        "registers of {2}",
                        rows, double(rows) / target.getVectorLanes(32),
                        target.name);
}

//===----------------------------------------------------------------------===//
// GPU
//===----------------------------------------------------------------------===//

namespace {
/// A choice of schedules, narrowed down.
struct Decision {
  /// What is asked for; the rest is chosen.
  GPUSchedule fixed;
  /// The measured one.
  std::optional<GPUSchedule> first;
  std::string origin;
};
} // namespace

static GPUSchedule getFixed(ScheduleAttr attr) {
  return {attr.getQueryTile(),
          attr.getPairs(),
          attr.getKeyTile(),
          attr.getWarps().value_or(0),
          attr.getStages().value_or(0),
          attr.getTeams().value_or(0),
          attr.getOrder() ? attr.getOrder().str() : ""};
}

/// By the row of the table for `problem`, if there is one.
static FailureOr<Decision> decideByTable(AttentionOp op,
                                         const GPUTarget &target,
                                         const GPUProblem &problem,
                                         const ScheduleTable &table) {
  const ScheduleRow *row = table.find(target, problem);
  if (!row)
    return Decision{{}, std::nullopt, "the ranking"};
  // Of the class it is legal, but pairs have to divide a group.
  if (llvm::Error error = checkSchedule(target, problem, row->schedule))
    return op.emitOpError()
           << llvm::toString(std::move(error)) << ", by " << row->where;
  return Decision{{},
                  row->schedule,
                  llvm::formatv("{0}: {1:f1} TFLOP/s on {2}, {3}", row->where,
                                row->tflops, row->device, row->date)};
}

static LogicalResult assignForGPU(AttentionOp op, const GPUTarget &target,
                                  const GPUProblem &problem,
                                  const Decision &decision, int64_t rank,
                                  std::optional<int64_t> cluster) {
  llvm::Expected<GPUScheduleChoice> choice =
      chooseSchedule(target, problem, decision.fixed, rank, decision.first);
  if (!choice)
    return op.emitOpError() << llvm::toString(choice.takeError());
  const GPUSchedule &schedule = choice->schedule;
  if (cluster && !schedule.teams)
    return op.emitOpError("expects a schedule with teams for a cluster of ")
           << *cluster << " blocks, which GPU target '" << target.name
           << "' does not have here";
  op.setScheduleAttr(ScheduleAttr::get(
      op.getContext(), schedule.queryTile, schedule.pairs, schedule.keyTile,
      schedule.warps, schedule.stages,
      schedule.teams ? std::optional(schedule.teams) : std::nullopt,
      schedule.order.empty() ? StringAttr()
                             : StringAttr::get(op.getContext(), schedule.order),
      cluster));
  const GPUResources &resources = choice->resources;
  remark::passed(op.getLoc(),
                 remark::RemarkOpts::name("schedule").category(passName))
      << remark::add(
             "tile of {0} query rows x {1} pairs, {2} keys, on {3} "
             "warps with {4} stages{5}",
             schedule.queryTile, schedule.pairs, schedule.keyTile,
             schedule.warps, schedule.stages,
             schedule.teams
                 ? llvm::formatv(", {0} tiles of a block", schedule.teams).str()
                 : std::string())
      << remark::reason(
             "about {0} registers of a thread and {1} bytes of "
             "shared memory: {2} allow {3} blocks per SM of {4}; {5}",
             resources.registers, resources.sharedBytes, resources.limitedBy,
             resources.blocksPerSM, target.name, choice->whyNotLarger)
      << remark::metric("DecidedBy", rank == 0 ? decision.origin
                                               : std::string("the ranking"));
  return success();
}

//===----------------------------------------------------------------------===//
// Pass
//===----------------------------------------------------------------------===//

namespace {
struct AssignSchedulePass
    : diffattn::impl::AssignSchedulePassBase<AssignSchedulePass> {
  using AssignSchedulePassBase::AssignSchedulePassBase;

  LogicalResult initialize(MLIRContext *context) override {
    llvm::Expected<ScheduleTable> loaded = ScheduleTable::load(scheduleTable);
    if (!loaded)
      return emitError(UnknownLoc::get(context))
             << llvm::toString(loaded.takeError());
    table = std::move(*loaded);
    return success();
  }

  void runOnOperation() override {
    FailureOr<const TargetDescription *> description =
        reportTargetError(getOperation(), lookupTarget(target));
    if (failed(description) || failed(checkOptions(**description)))
      return signalPassFailure();
    bool failed = false;
    getOperation().walk(
        [&](AttentionOp op) { failed |= assign(op, **description).failed(); });
    if (failed)
      signalPassFailure();
  }

private:
  LogicalResult checkOptions(const TargetDescription &description) {
    for (auto [name, value] :
         {std::pair<StringRef, int64_t>("query-tile", queryTile),
          {"pairs", pairs},
          {"key-tile", keyTile},
          {"warps", warps},
          {"stages", stages},
          {"teams", teams},
          {"cluster", cluster},
          {"rank", rank}})
      if (value < 0)
        return getOperation().emitError()
               << "expects option " << name
               << " of diffattn-assign-schedule to be positive, or 0 to have "
                  "it chosen, but got "
               << value;
    for (auto [name, given] : {std::pair<StringRef, bool>("warps", warps != 0),
                               {"stages", stages != 0},
                               {"teams", teams != 0},
                               {"cluster", cluster != 0},
                               {"rank", rank != 0},
                               {"schedule-table", !scheduleTable.empty()}})
      if (given && !description.isGPU())
        return getOperation().emitError()
               << "expects option " << name
               << " of diffattn-assign-schedule for GPU targets only, but got "
                  "target '"
               << description.name << "'";
    return success();
  }

  LogicalResult assign(AttentionOp op, const TargetDescription &description) {
    bool overridden = queryTile || pairs || keyTile || warps || stages ||
                      teams || !order.empty();
    auto *gpu = llvm::dyn_cast<GPUTarget>(&description);
    std::optional<ScheduleAttr> present = op.getSchedule();
    if (present && !overridden && !gpu)
      return success();
    if (pairs && op.getPairsPerGroup() % pairs != 0)
      return op.emitOpError()
             << "expects the schedule's pairs to divide the "
             << op.getPairsPerGroup() << " pairs of a group, but got "
             << int64_t(pairs) << "; the nearest legal one is "
             << getNearestDivisor(op.getPairsPerGroup(), pairs);
    auto checked = [&] {
      return op.emitOpError("has a schedule option that ");
    };
    auto orOne = [](int64_t size) { return size ? size : 1; };
    // An order and a cluster are of teams, and those have four warps.
    bool hasTeams = teams || !order.empty() || cluster;
    std::optional<int64_t> clusterSize;
    if (cluster)
      clusterSize = cluster;
    StringAttr orderAttr =
        order.empty() ? StringAttr() : StringAttr::get(op.getContext(), order);
    if (failed(ScheduleAttr::verify(
            checked, orOne(queryTile), orOne(pairs), orOne(keyTile),
            hasTeams && !warps ? 4 : orOne(warps), orOne(stages),
            hasTeams ? std::optional(orOne(teams)) : std::nullopt, orderAttr,
            clusterSize)))
      return failure();
    if (gpu) {
      FailureOr<GPUProblem> problem = getGPUProblem(op, *gpu);
      if (failed(problem))
        return failure();
      FailureOr<Decision> decision;
      if (overridden)
        decision =
            Decision{{queryTile, pairs, keyTile, warps, stages, teams, order},
                     std::nullopt,
                     "options"};
      else if (present)
        decision = Decision{getFixed(*present), std::nullopt, "the attribute"};
      else
        decision = decideByTable(op, *gpu, *problem, table);
      if (failed(decision))
        return failure();
      if (present && !overridden && !cluster)
        clusterSize = present->getCluster();
      return assignForGPU(op, *gpu, *problem, *decision, rank, clusterSize);
    }
    assignForCPU(op, llvm::cast<CPUTarget>(description), queryTile, pairs,
                 keyTile);
    return success();
  }

  ScheduleTable table;
};
} // namespace
