//===- GPUSchedule.cpp - Legal schedules of a GPU, and the best -----------===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "diffattn/Target/GPUSchedule.h"

#include "diffattn/Target/HopperSchedule.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/MathExtras.h"
#include <algorithm>
#include <cmath>
#include <tuple>

using namespace mlir::diffattn;

/// Rows of one matrix instruction, and keys of one step of the second product.
static constexpr int64_t blockRows = 16;
static constexpr int64_t threadsPerWarp = 32;
/// Bytes of an element: inputs are f16 or bf16.
static constexpr int64_t elementBytes = 2;

/// Bounds of what is chosen unasked. More than 128 rows leave short sequences
/// too few blocks; more than 64 keys waste more of a masked diagonal than they
/// save; a third stage has never paid.
static constexpr int64_t maxRows = 128, maxKeyTile = 64, maxPairs = 8;
static constexpr int64_t maxWarps = 8, maxStages = 2;
/// Likewise: registers of a thread for accumulators and for scores, beyond
/// which ptxas was seen to spill although the sum would fit.
static constexpr int64_t maxAccumulators = 128, maxScores = 64;

using Field = GPUScheduleField;
static constexpr Field queryTileField{"query_tile", &GPUSchedule::queryTile};
static constexpr Field pairsField{"pairs", &GPUSchedule::pairs};
static constexpr Field keyTileField{"key_tile", &GPUSchedule::keyTile};
static constexpr Field warpsField{"warps", &GPUSchedule::warps};
static constexpr Field stagesField{"stages", &GPUSchedule::stages};
static constexpr Field teamsField{"teams", &GPUSchedule::teams};

llvm::ArrayRef<GPUScheduleField> mlir::diffattn::getScheduleFields() {
  static constexpr Field fields[] = {queryTileField, pairsField,  keyTileField,
                                     warpsField,     stagesField, teamsField};
  return fields;
}

bool GPUSchedule::operator==(const GPUSchedule &other) const {
  return order == other.order &&
         llvm::all_of(getScheduleFields(), [&](const Field &field) {
           return this->*field.member == other.*field.member;
         });
}

std::string GPUSchedule::str() const {
  llvm::SmallVector<std::string> parts;
  for (const Field &field : getScheduleFields())
    if (int64_t value = this->*field.member)
      parts.push_back(llvm::formatv("{0} = {1}", field.name, value));
  if (!order.empty())
    parts.push_back("order = \"" + order + "\"");
  return llvm::join(parts, ", ");
}

llvm::ArrayRef<int64_t> mlir::diffattn::getGPUHeadDims() {
  static constexpr int64_t dims[] = {64, 96, 128, 192, 256};
  return dims;
}

//===----------------------------------------------------------------------===//
// Resources
//===----------------------------------------------------------------------===//

static int64_t getRows(const GPUProblem &problem, const GPUSchedule &schedule) {
  return problem.branches * schedule.pairs * schedule.queryTile;
}

/// Registers of a thread for an f32 matrix of `columns` for all rows.
static int64_t getMatrixRegisters(int64_t rows, int64_t columns,
                                  const GPUSchedule &schedule) {
  return llvm::divideCeil(rows * columns, schedule.warps * threadsPerWarp);
}

/// Scores and the fragments of a step of the products are live together with
/// the accumulators; probabilities take the place of the scores.
static int64_t estimateRegisters(const GPUProblem &problem,
                                 const GPUSchedule &schedule, int64_t rows) {
  constexpr int64_t fragments = 24;
  // Without a ring all addresses are constants of the loop, which ptxas keeps;
  // in a ring they follow from the slot. What is free between those numbers and
  // 255 is what ptxas was seen to need (docs/performance.md): 48 keys spill at
  // d = 128 with one stage and fit with two; 64 fit with two if nothing is
  // masked.
  int64_t addresses = schedule.stages == 1 ? 48 : 30;
  int64_t limits = problem.masked ? 4 : 0;
  int64_t accumulators = getMatrixRegisters(rows, problem.valueDim, schedule);
  int64_t scores = getMatrixRegisters(rows, schedule.keyTile, schedule);
  // Maximum and sum of each of the two rows that a thread has of 16.
  int64_t state = 4 * llvm::divideCeil(rows, schedule.warps * blockRows);
  return accumulators + scores + state + fragments + addresses + limits;
}

GPUResources mlir::diffattn::getResources(const GPUTarget &target,
                                          const GPUProblem &problem,
                                          const GPUSchedule &schedule) {
  if (schedule.teams)
    return getTeamResources(problem, schedule);
  GPUResources resources{};
  int64_t rows = resources.rows = getRows(problem, schedule);
  resources.registers = estimateRegisters(problem, schedule, rows);
  resources.sharedBytes =
      elementBytes *
      (rows * problem.headDim + schedule.stages * schedule.keyTile *
                                    (problem.headDim + problem.valueDim));

  int64_t threads = schedule.warps * threadsPerWarp;
  int64_t registers =
      threads * llvm::alignTo(resources.registers, target.registerUnit);
  std::pair<int64_t, llvm::StringRef> limits[] = {
      {target.sharedBytesPerSM /
           (resources.sharedBytes + target.reservedSharedBytes),
       "shared memory"},
      {target.registersPerSM / registers, "registers"},
      {target.threadsPerSM / threads, "threads"},
      {target.blocksPerSM, "blocks"}};
  std::tie(resources.blocksPerSM, resources.limitedBy) =
      *std::min_element(std::begin(limits), std::end(limits),
                        [](auto a, auto b) { return a.first < b.first; });
  return resources;
}

//===----------------------------------------------------------------------===//
// Legality
//===----------------------------------------------------------------------===//

namespace {
enum class Rule { None, Pairs, KeyTile, QueryTile, Warps, Registers, Shared };
} // namespace

/// The first rule that `schedule` breaks.
static Rule findBrokenRule(const GPUTarget &target, const GPUProblem &problem,
                           const GPUSchedule &schedule) {
  if (problem.pairsPerGroup % schedule.pairs != 0)
    return Rule::Pairs;
  if (schedule.keyTile % blockRows != 0)
    return Rule::KeyTile;
  // The rows of a pair are whole matrix rows or a part of one that divides it.
  int64_t pairRows = problem.branches * schedule.queryTile;
  if (pairRows % blockRows != 0 && blockRows % pairRows != 0)
    return Rule::QueryTile;
  GPUResources resources = getResources(target, problem, schedule);
  if (resources.rows % (schedule.warps * blockRows) != 0 ||
      schedule.warps * threadsPerWarp > target.threadsPerBlock)
    return Rule::Warps;
  int64_t blockRegisters =
      llvm::alignTo(resources.registers, target.registerUnit) * schedule.warps *
      threadsPerWarp;
  if (resources.registers > target.registersPerThread ||
      blockRegisters > target.registersPerSM)
    return Rule::Registers;
  if (resources.sharedBytes > target.sharedBytesPerBlock)
    return Rule::Shared;
  return Rule::None;
}

/// "; the nearest legal one is warps = 8": the smallest change of one of
/// `fields` after which none of the rules up to `rule` is broken.
static std::string suggestNearest(const GPUTarget &target,
                                  const GPUProblem &problem,
                                  const GPUSchedule &schedule, Rule rule,
                                  llvm::ArrayRef<Field> fields) {
  constexpr int64_t limit = 1024;
  for (const Field &field : fields)
    for (int64_t distance = 1; distance < limit; ++distance)
      for (int64_t sign : {-1, 1}) {
        GPUSchedule other = schedule;
        int64_t &value = other.*field.member;
        value += sign * distance;
        if (value < 1 || value > limit)
          continue;
        Rule broken = findBrokenRule(target, problem, other);
        if (broken == Rule::None || broken > rule)
          return llvm::formatv("; the nearest legal one is {0} = {1}",
                               field.name, value);
      }
  return "";
}

llvm::Error mlir::diffattn::checkSchedule(const GPUTarget &target,
                                          const GPUProblem &problem,
                                          const GPUSchedule &schedule) {
  if (schedule.teams)
    return checkTeamSchedule(target, problem, schedule);
  GPUResources resources = getResources(target, problem, schedule);
  auto makeError = [&](Rule rule, const std::string &message,
                       llvm::ArrayRef<Field> fields) {
    return llvm::createStringError(
        "expects " + message +
        suggestNearest(target, problem, schedule, rule, fields));
  };
  switch (Rule rule = findBrokenRule(target, problem, schedule)) {
  case Rule::None:
    return llvm::Error::success();
  case Rule::Pairs:
    return makeError(rule,
                     llvm::formatv("the schedule's pairs to divide the {0} "
                                   "pairs of a group, but got {1}",
                                   problem.pairsPerGroup, schedule.pairs),
                     pairsField);
  case Rule::KeyTile:
    return makeError(rule,
                     llvm::formatv("key_tile to be a multiple of {0} on {1}, "
                                   "but got {2}",
                                   blockRows, target.name, schedule.keyTile),
                     keyTileField);
  case Rule::QueryTile:
    return makeError(
        rule,
        llvm::formatv("query_tile times {0} branches to divide {1} or to be a "
                      "multiple of it on {2}, but got query_tile = {3}",
                      problem.branches, blockRows, target.name,
                      schedule.queryTile),
        queryTileField);
  case Rule::Warps:
    return makeError(
        rule,
        llvm::formatv("the {0} rows of a tile ({1} branches x {2} pairs x {3} "
                      "query rows) to be a multiple of {4} for each warp on "
                      "{5}, but got {6} warps",
                      resources.rows, problem.branches, schedule.pairs,
                      schedule.queryTile, blockRows, target.name,
                      schedule.warps),
        {warpsField, queryTileField});
  case Rule::Registers:
    return makeError(
        rule,
        llvm::formatv("at most {0} registers of a thread and {1} of a block on "
                      "{2}, but {3} rows and {4} keys on {5} warps need about "
                      "{6}",
                      target.registersPerThread, target.registersPerSM,
                      target.name, resources.rows, schedule.keyTile,
                      schedule.warps, resources.registers),
        {warpsField, keyTileField, queryTileField});
  case Rule::Shared:
    return makeError(
        rule,
        llvm::formatv("at most {0} bytes of shared memory on {1}, but {2} rows "
                      "and {3} stages of {4} keys need {5}",
                      target.sharedBytesPerBlock, target.name, resources.rows,
                      schedule.stages, schedule.keyTile, resources.sharedBytes),
        {stagesField, keyTileField, queryTileField});
  }
  llvm_unreachable("unknown rule");
}

//===----------------------------------------------------------------------===//
// Model
//===----------------------------------------------------------------------===//

bool mlir::diffattn::hasShortQuery(const GPUProblem &problem) {
  return problem.queryLength && *problem.queryLength * problem.branches < 64;
}

/// The part of a tile's rows or keys that exist.
static double getUsefulPart(std::optional<int64_t> length, int64_t tile) {
  if (!length || *length == 0)
    return 1;
  return double(*length) / llvm::alignTo(*length, tile);
}

double mlir::diffattn::getCost(const GPUTarget &target,
                               const GPUProblem &problem,
                               const GPUSchedule &schedule) {
  // Rates of an SM per clock: bytes of shared memory, bytes from L2, lanes of
  // simple arithmetic, exponentials. Clocks from L2 or memory, and of a
  // barrier. Operations of softmax on a score besides the exponential.
  constexpr double sharedBytes = 128, copyBytes = 64, lanes = 128, exps = 16;
  constexpr double latency = 800, barrier = 100, softmax = 10;
  GPUResources resources = getResources(target, problem, schedule);
  double rows = resources.rows, keys = schedule.keyTile;
  double blocks = hasShortQuery(problem) ? 1 : resources.blocksPerSM;
  double depth = problem.headDim + problem.valueDim;

  // Each warp reads all keys and values for its rows, and its queries.
  double products = 2 * depth / target.matrixFlopsPerClock;
  double others = 1 / exps + softmax / lanes + problem.valueDim / keys / lanes +
                  elementBytes *
                      (depth * schedule.warps / rows + problem.headDim / keys) /
                      sharedBytes +
                  elementBytes * depth / rows / copyBytes;
  // Four schedulers: beyond one warp each, one computes products while another
  // does something else.
  double overlap =
      0.8 * std::clamp((schedule.warps * blocks - 4) / 4, 0.0, 1.0);
  double score = products + others - overlap * std::min(products, others);

  // A copy has half a step and the further stages to arrive.
  double step = rows * keys * score * blocks;
  double exposed = std::max(0.0, latency - (schedule.stages - 0.5) * step);
  double cost = score + (exposed + barrier) / (rows * keys * blocks);

  // Without a known length, one where the diagonal still matters.
  if (problem.masked)
    cost *= 1 + (schedule.queryTile + keys) /
                    std::max<double>(problem.keyLength.value_or(2048), keys);
  return cost / (getUsefulPart(problem.queryLength, schedule.queryTile) *
                 getUsefulPart(problem.keyLength, schedule.keyTile));
}

//===----------------------------------------------------------------------===//
// Choice
//===----------------------------------------------------------------------===//

/// Values of one field to try: the fixed one, or those of `candidates` within
/// `limit`.
static llvm::SmallVector<int64_t>
getValues(int64_t fixed, llvm::ArrayRef<int64_t> candidates, int64_t limit) {
  if (fixed)
    return {fixed};
  llvm::SmallVector<int64_t> values;
  llvm::copy_if(candidates, std::back_inserter(values),
                [&](int64_t value) { return value <= limit; });
  return values;
}

/// Bounds that only hold for what nobody asked for.
static bool isWithinBounds(const GPUProblem &problem,
                           const GPUSchedule &schedule,
                           const GPUSchedule &fixed) {
  int64_t rows = getRows(problem, schedule);
  bool rowsFixed = fixed.queryTile && fixed.pairs;
  return (rowsFixed || rows <= maxRows) &&
         (fixed.warps || getMatrixRegisters(rows, problem.valueDim, schedule) <=
                             maxAccumulators) &&
         (fixed.warps || fixed.keyTile ||
          getMatrixRegisters(rows, schedule.keyTile, schedule) <= maxScores);
}

std::vector<GPUSchedule>
mlir::diffattn::enumerateSchedules(const GPUTarget &target,
                                   const GPUProblem &problem,
                                   const GPUSchedule &fixed) {
  if (usesTeams(target, problem, fixed))
    return enumerateTeamSchedules(target, problem, fixed);
  constexpr int64_t queryTiles[] = {1, 2, 4, 8, 16, 32, 64, 128};
  constexpr int64_t keyTiles[] = {16, 32, 48, 64};
  constexpr int64_t counts[] = {1, 2, 3, 4, 5, 6, 7, 8};
  int64_t pairLimit = hasShortQuery(problem) || fixed.queryTile ? maxPairs : 1;
  // A row of keys or queries is as long as a cache line or more: fewer than 8
  // query rows only where there are not more.
  int64_t minQueryTile = hasShortQuery(problem) ? 1 : 8;

  std::vector<GPUSchedule> schedules;
  GPUSchedule s;
  for (int64_t pairs : getValues(fixed.pairs, counts, pairLimit))
    for (int64_t queryTile : getValues(fixed.queryTile, queryTiles, maxRows))
      for (int64_t keyTile : getValues(fixed.keyTile, keyTiles, maxKeyTile))
        for (int64_t warps : getValues(fixed.warps, counts, maxWarps))
          for (int64_t stages : getValues(fixed.stages, counts, maxStages)) {
            s = {queryTile, pairs, keyTile, warps, stages};
            if ((fixed.queryTile || queryTile >= minQueryTile) &&
                isWithinBounds(problem, s, fixed) &&
                findBrokenRule(target, problem, s) == Rule::None)
              schedules.push_back(s);
          }
  return schedules;
}

/// The chip that schedules for `target` are compared on: code that later chips
/// run as well is judged on the last of them.
static const GPUTarget &getJudge(const GPUTarget &target) {
  auto judge = lookupGPUTarget(target.assembledFor.back());
  if (judge)
    return **judge;
  llvm::consumeError(judge.takeError());
  return target;
}

/// Why the schedule is not the same with `field` doubled.
static std::string explainBound(const GPUTarget &target,
                                const GPUProblem &problem,
                                const GPUScheduleChoice &choice,
                                const GPUSchedule &larger,
                                llvm::StringRef what) {
  GPUResources resources = getResources(target, problem, larger);
  const char *format = nullptr;
  switch (findBrokenRule(target, problem, larger)) {
  case Rule::Registers:
    format = "{0} would need {1} registers of {2}";
    return llvm::formatv(format, what, resources.registers,
                         target.registersPerThread);
  case Rule::Shared:
    format = "{0} would need {1} bytes of shared memory of {2}";
    return llvm::formatv(format, what, resources.sharedBytes,
                         target.sharedBytesPerBlock);
  case Rule::None:
    break;
  default:
    return (what + " would not be legal").str();
  }
  if (resources.blocksPerSM < choice.resources.blocksPerSM)
    return llvm::formatv("{0} would leave {1} blocks per SM ({2})", what,
                         resources.blocksPerSM, resources.limitedBy);
  double cost = getCost(getJudge(target), problem, larger);
  if (cost < choice.cost)
    return (what + " is left to those who ask for it").str();
  return llvm::formatv("{0} would take {1:f3} clocks a score against {2:f3}",
                       what, cost, choice.cost);
}

static std::string explainBounds(const GPUTarget &target,
                                 const GPUProblem &problem,
                                 const GPUScheduleChoice &choice) {
  GPUSchedule rows = choice.schedule, keys = rows, stages = rows;
  rows.queryTile *= 2;
  keys.keyTile *= 2;
  stages.stages += 1;
  return explainBound(target, problem, choice, rows, "twice the rows") + "; " +
         explainBound(target, problem, choice, keys, "twice the keys") + "; " +
         explainBound(target, problem, choice, stages, "one more stage");
}

/// The enumerated schedules, the cheapest first.
static std::vector<GPUSchedule> rankByCost(const GPUTarget &target,
                                           const GPUProblem &problem,
                                           const GPUSchedule &fixed) {
  const GPUTarget &judge = getJudge(target);
  // Costs that differ by nothing are equal: then what takes less shared memory.
  constexpr double resolution = 1e-6;
  using Key = std::pair<double, int64_t>;
  std::vector<std::pair<Key, GPUSchedule>> ranked;
  for (const GPUSchedule &schedule : enumerateSchedules(target, problem, fixed))
    ranked.push_back(
        {{std::round(getCost(judge, problem, schedule) / resolution),
          getResources(target, problem, schedule).sharedBytes},
         schedule});
  llvm::stable_sort(ranked, llvm::less_first());
  std::vector<GPUSchedule> schedules;
  for (auto &[key, schedule] : ranked)
    schedules.push_back(schedule);
  return schedules;
}

std::vector<GPUSchedule> mlir::diffattn::rankSchedules(
    const GPUTarget &target, const GPUProblem &problem,
    const GPUSchedule &fixed, const std::optional<GPUSchedule> &first) {
  std::vector<GPUSchedule> schedules =
      usesTeams(target, problem, fixed)
          ? rankTeamSchedules(target, problem, fixed)
          : rankByCost(target, problem, fixed);
  if (first) {
    llvm::erase(schedules, *first);
    schedules.insert(schedules.begin(), *first);
  }
  return schedules;
}

/// `schedule` with what it takes and why it is not larger.
static GPUScheduleChoice explainChoice(const GPUTarget &target,
                                       const GPUProblem &problem,
                                       const GPUSchedule &schedule) {
  GPUScheduleChoice choice{schedule, getResources(target, problem, schedule), 0,
                           ""};
  if (schedule.teams) {
    choice.whyNotLarger =
        llvm::formatv("each thread of a team has {0} registers",
                      getTeamRegisters(schedule.teams).team);
    return choice;
  }
  choice.cost = getCost(getJudge(target), problem, schedule);
  choice.whyNotLarger = explainBounds(target, problem, choice);
  return choice;
}

llvm::Expected<GPUScheduleChoice>
mlir::diffattn::chooseSchedule(const GPUTarget &target,
                               const GPUProblem &problem,
                               const GPUSchedule &fixed, int64_t rank,
                               const std::optional<GPUSchedule> &first) {
  std::vector<GPUSchedule> ranked =
      rankSchedules(target, problem, fixed, first);
  int64_t count = ranked.size();
  if (rank < count)
    return explainChoice(target, problem, ranked[rank]);
  if (count > 0)
    return llvm::createStringError(
        "has " + llvm::Twine(count) + " schedules on " + target.name +
        ", but number " + llvm::Twine(rank) + " is asked for, counted from 0");

  // What was fixed is illegal with the best of the rest, and says why.
  if (usesTeams(target, problem, fixed))
    return checkTeamSchedule(target, problem,
                             completeTeamSchedule(problem, fixed));
  GPUSchedule schedule = fixed;
  GPUSchedule other{/*queryTile=*/64, 1, 64, 4, 1};
  if (fixed != GPUSchedule())
    if (auto choice = chooseSchedule(target, problem))
      other = choice->schedule;
  for (const Field &field :
       {queryTileField, pairsField, keyTileField, warpsField, stagesField})
    if (!(schedule.*field.member))
      schedule.*field.member = other.*field.member;
  if (llvm::Error error = checkSchedule(target, problem, schedule))
    return std::move(error);
  return llvm::createStringError("expects a schedule within the bounds of " +
                                 target.name + ", but got " + schedule.str());
}
