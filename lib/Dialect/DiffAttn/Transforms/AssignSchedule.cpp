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
#include "diffattn/Target/TargetDescription.h"
#include "mlir/IR/Remarks.h"
#include "llvm/Support/MathExtras.h"

namespace mlir::diffattn {
#define GEN_PASS_DEF_ASSIGNSCHEDULEPASS
#include "diffattn/Dialect/DiffAttn/Transforms/Passes.h.inc"
} // namespace mlir::diffattn

using namespace mlir;
using namespace mlir::diffattn;

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
static bool suitsMatrixTiles(AttentionOp op, const TargetDescription &target) {
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
                                   const TargetDescription &target,
                                   int64_t queryTile, int64_t pairs,
                                   int64_t keyTile) {
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

namespace {
struct AssignSchedulePass
    : diffattn::impl::AssignSchedulePassBase<AssignSchedulePass> {
  using AssignSchedulePassBase::AssignSchedulePassBase;

  void runOnOperation() override {
    llvm::Expected<const TargetDescription *> description =
        lookupTarget(target);
    if (!description) {
      getOperation().emitError() << llvm::toString(description.takeError());
      return signalPassFailure();
    }
    for (auto [name, value] :
         {std::pair<StringRef, int64_t>("query-tile", queryTile),
          {"pairs", pairs},
          {"key-tile", keyTile}})
      if (value < 0) {
        getOperation().emitError()
            << "expects option " << name
            << " of diffattn-assign-schedule to be positive, or 0 to have it "
               "chosen, but got "
            << value;
        return signalPassFailure();
      }
    bool failed = false;
    getOperation().walk(
        [&](AttentionOp op) { failed |= !assign(op, **description); });
    if (failed)
      signalPassFailure();
  }

private:
  bool assign(AttentionOp op, const TargetDescription &description) {
    bool overridden = queryTile || pairs || keyTile;
    if (op.getSchedule() && !overridden)
      return true;
    Problem problem{op.getNumBranches(),
                    op.getPairsPerGroup(),
                    op.getQuery().getType().getDimSize(1),
                    op.getKey().getType().getDimSize(1),
                    !op.getEffectiveMask().isNone(),
                    suitsMatrixTiles(op, description)};
    if (pairs && problem.pairsPerGroup % pairs != 0) {
      op.emitOpError() << "expects the schedule's pairs to divide the "
                       << problem.pairsPerGroup << " pairs of a group, but got "
                       << int64_t(pairs) << "; the nearest legal one is "
                       << getNearestDivisor(problem.pairsPerGroup, pairs);
      return false;
    }
    auto checked = [&] {
      return op.emitOpError("has a schedule option that ");
    };
    if (failed(ScheduleAttr::verify(checked, queryTile ? queryTile : 1,
                                    pairs ? pairs : 1, keyTile ? keyTile : 1)))
      return false;
    ScheduleAttr schedule = chooseSchedule(&getContext(), problem, description,
                                           queryTile, pairs, keyTile);
    op.setScheduleAttr(schedule);
    int64_t rows =
        problem.branches * schedule.getPairs() * schedule.getQueryTile();
    remark::passed(op.getLoc(),
                   remark::RemarkOpts::name("schedule").category(getArgument()))
        << remark::add("tile of {0} query rows x {1} pairs, {2} keys",
                       schedule.getQueryTile(), schedule.getPairs(),
                       schedule.getKeyTile())
        << remark::reason(
               "{0} rows, branches included, are {1:f1} vector registers "
               "of {2}",
               rows, double(rows) / description.getVectorLanes(32),
               description.name);
    return true;
  }
};
} // namespace
