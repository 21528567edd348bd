//===- Attention.cpp - The diffattn dialect, from its definition ----------===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "DotKernels.h"
#include "Interpreter.h"

#include "diffattn/Dialect/DiffAttn/IR/DiffAttn.h"
#include "llvm/ADT/TypeSwitch.h"
#include <cmath>

using namespace mlir;
using namespace mlir::diffattn;
using namespace mlir::diffattn::reference;

//===----------------------------------------------------------------------===//
// Pieces of the definition
//===----------------------------------------------------------------------===//

namespace {
/// The keys [begin, end) that a query row may see.
struct KeyRange {
  int64_t begin, end;
  bool isEmpty() const { return begin >= end; }
};
} // namespace

static KeyRange getVisibleKeys(MaskAttr mask, int64_t row, int64_t numQueries,
                               int64_t numKeys) {
  int64_t position = row + numKeys - numQueries;
  KeyRange range{0, numKeys};
  // Compared before they are added: a bound may be as large as an int64.
  if (std::optional<int64_t> left = mask.getLeft(); left && *left < position)
    range.begin = position - *left;
  if (std::optional<int64_t> right = mask.getRight();
      right && *right < numKeys - 1 - position)
    range.end = position + *right + 1;
  return range;
}

static double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

/// The larger number, NaN if there is one.
static double maxOrNaN(double x, double y) {
  return std::isnan(x) || x > y ? x : y;
}

static double applyScale(double score, double scale,
                         std::optional<double> softcap) {
  score *= scale;
  return softcap ? *softcap * std::tanh(score / *softcap) : score;
}

static std::optional<double> toDouble(std::optional<APFloat> value) {
  return value ? std::optional(value->convertToDouble()) : std::nullopt;
}

//===----------------------------------------------------------------------===//
// diffattn.attention
//===----------------------------------------------------------------------===//

namespace {
/// One query head of one row: what is summed up over the keys it sees.
struct Branch {
  int64_t row, head;
  KeyRange keys;
  SmallVector<double, 0> scores, output;
  double lse;
};

class AttentionEvaluator {
public:
  AttentionEvaluator(Interpreter &in, AttentionOp op) : in(in), op(op) {}
  LogicalResult run();

private:
  LogicalResult checkShapes();
  void initResults();
  void evaluateRows(int64_t batch, ArrayRef<int64_t> rows, int64_t pair);
  void evaluateBranches(int64_t batch, MutableArrayRef<Branch> branches);
  void softmax(Branch &branch);
  void combine(int64_t batch, int64_t pair, ArrayRef<Branch> branches);

  Interpreter &in;
  AttentionOp op;
  int64_t numBatches, numQueries, numKeys, numHeads, numKVHeads, headDim,
      valueDim;
  double scale;
  std::optional<double> softcap;
  MaskAttr mask;
  const double *query, *key, *value, *lambda = nullptr;
  Tensor output, lse, noise;
  double *outputData, *lseData = nullptr, *noiseData = nullptr;
};
} // namespace

LogicalResult AttentionEvaluator::checkShapes() {
  // Static sizes are verified; dynamic ones are known only here.
  ArrayRef<int64_t> q = in.get(op.getQuery()).getShape();
  ArrayRef<int64_t> k = in.get(op.getKey()).getShape();
  numBatches = q[0], numQueries = q[1], numHeads = q[2], headDim = q[3];
  numKeys = k[1], numKVHeads = k[2], valueDim = op.getValueDim();
  int64_t pairs = op.getNumPairs();
  auto check = [&](StringRef name, Value operand,
                   ArrayRef<int64_t> expected) -> LogicalResult {
    if (!operand || in.get(operand).getShape() == expected)
      return success();
    return in.fail(op, "expects " + name + " of shape " +
                           stringifyShape(expected) + ", but got " +
                           stringifyShape(in.get(operand).getShape()));
  };
  if (failed(check("key", op.getKey(),
                   {numBatches, numKeys, numKVHeads, headDim})) ||
      failed(check("value", op.getValue(),
                   {numBatches, numKeys, numKVHeads, valueDim})) ||
      failed(
          check("lambda", op.getLambda(), {numBatches, numQueries, pairs})) ||
      failed(check("outs", op.getOutputInit(),
                   {numBatches, numQueries, pairs, valueDim})) ||
      failed(
          check("lse", op.getLseInit(), {numBatches, numHeads, numQueries})) ||
      failed(check("noise", op.getNoiseInit(),
                   {numBatches, numQueries, pairs, valueDim})))
    return failure();
  return success();
}

void AttentionEvaluator::initResults() {
  auto init = [&](Value operand, Tensor &tensor) -> double * {
    if (!operand)
      return nullptr;
    tensor = Tensor(in.get(operand).getShape());
    double *data = tensor.mutableDoubles();
    std::fill_n(data, tensor.getNumElements(), getNotEvaluated());
    return data;
  };
  outputData = init(op.getOutputInit(), output);
  lseData = init(op.getLseInit(), lse);
  noiseData = init(op.getNoiseInit(), noise);
}

/// Turns scores into probabilities and their log-sum-exp. Where every score is
/// -inf the sum is 0: the output is 0/0, NaN, and the log-sum-exp is -inf.
void AttentionEvaluator::softmax(Branch &branch) {
  double maximum = -INFINITY, sum = 0;
  for (double &score : branch.scores) {
    score = applyScale(score, scale, softcap);
    maximum = maxOrNaN(score, maximum);
  }
  for (double &score : branch.scores) {
    score = maximum == -INFINITY ? 0 : std::exp(score - maximum);
    sum += score;
  }
  for (double &score : branch.scores)
    score /= sum;
  branch.lse = maximum + std::log(sum);
}

/// Evaluates branches that share keys and values, block by block of keys so
/// that these come from the cache for all but the first branch.
void AttentionEvaluator::evaluateBranches(int64_t batch,
                                          MutableArrayRef<Branch> branches) {
  constexpr int64_t block = 32;
  int64_t kvHead = branches.front().head / (numHeads / numKVHeads);
  int64_t first = batch * numKeys * numKVHeads + kvHead;
  KeyRange all{numKeys, 0};
  for (Branch &branch : branches) {
    all.begin = std::min(all.begin, branch.keys.begin);
    all.end = std::max(all.end, branch.keys.end);
    branch.scores.resize(branch.keys.end - branch.keys.begin);
    branch.output.assign(valueDim, 0);
  }
  auto forEachBlock = [&](auto fn) {
    for (int64_t begin = all.begin; begin < all.end; begin += block)
      for (Branch &branch : branches) {
        int64_t from = std::max(begin, branch.keys.begin);
        int64_t to = std::min(begin + block, branch.keys.end);
        if (from < to)
          fn(branch, from, to - from, from - branch.keys.begin);
      }
  };
  int64_t keyStride = numKVHeads * headDim, valueStride = numKVHeads * valueDim;
  forEachBlock([&](Branch &branch, int64_t from, int64_t count, int64_t at) {
    const double *row =
        query +
        ((batch * numQueries + branch.row) * numHeads + branch.head) * headDim;
    dotRows(row, key + first * headDim + from * keyStride, keyStride, count,
            headDim, &branch.scores[at]);
  });
  for (Branch &branch : branches)
    softmax(branch);
  forEachBlock([&](Branch &branch, int64_t from, int64_t count, int64_t at) {
    accumulateRows(&branch.scores[at],
                   value + first * valueDim + from * valueStride, valueStride,
                   count, valueDim, branch.output.data());
  });
}

/// Stores the results of one output head of one row.
void AttentionEvaluator::combine(int64_t batch, int64_t pair,
                                 ArrayRef<Branch> branches) {
  const Branch &signal = branches.front(), &second = branches.back();
  int64_t rowAndPair =
      (batch * numQueries + signal.row) * op.getNumPairs() + pair;
  double *out = outputData + rowAndPair * valueDim;
  double *noiseOut = noiseData ? noiseData + rowAndPair * valueDim : nullptr;
  for (const Branch &branch : branches)
    if (lseData)
      lseData[(batch * numHeads + branch.head) * numQueries + branch.row] =
          signal.keys.isEmpty() ? INFINITY : branch.lse;
  double gate = lambda ? sigmoid(lambda[rowAndPair]) : 0;
  for (int64_t n = 0; n < valueDim; ++n) {
    if (signal.keys.isEmpty())
      out[n] = 0;
    else if (lambda)
      out[n] = signal.output[n] - gate * second.output[n];
    else
      out[n] = signal.output[n];
    if (noiseOut)
      noiseOut[n] = signal.keys.isEmpty() ? 0 : second.output[n];
  }
}

void AttentionEvaluator::evaluateRows(int64_t batch, ArrayRef<int64_t> rows,
                                      int64_t pair) {
  int64_t numBranches = op.getNumBranches();
  SmallVector<Branch> visible;
  for (int64_t row : rows) {
    KeyRange keys = getVisibleKeys(mask, row, numQueries, numKeys);
    SmallVector<Branch, 2> branches;
    for (int64_t r = 0; r < numBranches; ++r)
      branches.push_back({row, pair * numBranches + r, keys, {}, {}, 0});
    if (keys.isEmpty())
      combine(batch, pair, branches);
    else
      llvm::append_range(visible, branches);
  }
  if (visible.empty())
    return;
  evaluateBranches(batch, visible);
  for (size_t i = 0; i < visible.size(); i += numBranches)
    combine(batch, pair, ArrayRef(visible).slice(i, numBranches));
}

LogicalResult AttentionEvaluator::run() {
  scale = op.getEffectiveScale();
  softcap = toDouble(op.getSoftcap());
  mask = op.getEffectiveMask();
  if (failed(checkShapes()))
    return failure();
  query = in.get(op.getQuery()).doubles();
  key = in.get(op.getKey()).doubles();
  value = in.get(op.getValue()).doubles();
  if (op.getLambda())
    lambda = in.get(op.getLambda()).doubles();
  initResults();

  // Tasks are some rows of a batch times a pair.
  constexpr size_t rowsPerTask = 4;
  SmallVector<std::pair<int64_t, SmallVector<int64_t, rowsPerTask>>> groups;
  auto addRow = [&](int64_t batch, int64_t row) {
    if (groups.empty() || groups.back().first != batch ||
        groups.back().second.size() == rowsPerTask)
      groups.push_back({batch, {}});
    groups.back().second.push_back(row);
  };
  if (const RowSample *sample = in.getRowSample(op)) {
    for (auto [batch, row] : sample->rows)
      if (batch >= 0 && batch < numBatches && row >= 0 && row < numQueries)
        addRow(batch, row);
  } else {
    for (int64_t batch = 0; batch < numBatches; ++batch)
      for (int64_t row = 0; row < numQueries; ++row)
        addRow(batch, row);
  }
  int64_t pairs = op.getNumPairs(), tasks = groups.size() * pairs;
  parallelFor(tasks, double(tasks) * numKeys * headDim, [&](int64_t task) {
    // Neighbouring tasks share a KV head.
    const auto &[batch, rows] = groups[task % groups.size()];
    evaluateRows(batch, rows, task / groups.size());
  });
  SmallVector<Tensor> results = {std::move(output)};
  if (op.getLseInit())
    results.push_back(std::move(lse));
  if (op.getNoiseInit())
    results.push_back(std::move(noise));
  return in.setAll(op, op.getResults(), results);
}

//===----------------------------------------------------------------------===//
// Operands with permutation maps
//===----------------------------------------------------------------------===//

/// Copies between the layout of a permutation map and the one that has the
/// iteration dimensions in their order.
static Tensor permute(const Tensor &tensor, AffineMap map, bool toOrdered) {
  unsigned rank = map.getNumResults();
  SmallVector<unsigned> order = llvm::to_vector(llvm::seq(0u, rank));
  llvm::sort(order, [&](unsigned a, unsigned b) {
    return map.getDimPosition(a) < map.getDimPosition(b);
  });
  // order[i]: the operand dimension that comes i-th in the ordered layout.
  SmallVector<int64_t> shape(rank), steps(rank),
      fromStrides = tensor.getStrides();
  for (unsigned i = 0; i < rank; ++i) {
    unsigned to = toOrdered ? i : order[i], from = toOrdered ? order[i] : i;
    shape[to] = tensor.getShape()[from];
    steps[to] = fromStrides[from];
  }
  Tensor result(shape);
  if (result.getNumElements() == 0)
    return result;
  Slot *out = result.mutableData();
  SmallVector<int64_t> index(rank, 0);
  do {
    int64_t position = 0;
    for (auto [i, step] : llvm::zip(index, steps))
      position += i * step;
    *out++ = tensor.data()[position];
  } while (increment(index, shape));
  return result;
}

/// Sizes of the iteration dimensions; fails where operands disagree.
template <typename OpTy>
static LogicalResult getDimSizes(Interpreter &in, OpTy op,
                                 ArrayRef<std::pair<Value, AffineMap>> operands,
                                 MutableArrayRef<int64_t> sizes) {
  llvm::fill(sizes, -1);
  for (auto [operand, map] : operands) {
    if (!operand)
      continue;
    for (auto [i, size] : llvm::enumerate(in.get(operand).getShape())) {
      int64_t &known = sizes[map.getDimPosition(i)];
      if (known >= 0 && known != size)
        return in.fail(op, "has operands that disagree on the size of "
                           "iteration dimension " +
                               Twine(map.getDimPosition(i)) + ": " +
                               Twine(known) + " and " + Twine(size));
      known = size;
    }
  }
  return success();
}

//===----------------------------------------------------------------------===//
// diffattn.online_attention
//===----------------------------------------------------------------------===//

/// Folds `numKeys` keys into the accumulators of one row of one branch; `t` are
/// its scores in base 2, -inf where hidden. A hidden key has the weight 0, and
/// still multiplies its value: padding has to be finite.
static void foldKeys(ArrayRef<double> t, KeyRange visible, const double *values,
                     int64_t valueDim, double *acc, double &max, double &sum) {
  double newMax = max;
  for (double score : t)
    newMax = maxOrNaN(score, newMax);
  double alpha = newMax == -INFINITY ? 1 : std::exp2(max - newMax);
  sum *= alpha;
  for (int64_t n = 0; n < valueDim; ++n)
    acc[n] *= alpha;
  for (auto [k, score] : llvm::enumerate(t)) {
    bool isHidden = int64_t(k) < visible.begin || int64_t(k) >= visible.end;
    double p = isHidden || newMax == -INFINITY ? 0 : std::exp2(score - newMax);
    sum += p;
    axpy(p, values + k * valueDim, acc, valueDim);
  }
  max = newMax;
}

static LogicalResult evaluateOnline(Interpreter &in, OnlineAttentionOp op) {
  using Op = OnlineAttentionOp;
  SmallVector<std::pair<Value, AffineMap>> operands;
  for (auto [i, map] : llvm::enumerate(op.getMaps()))
    operands.push_back({op->getOperand(i), map});
  int64_t sizes[Op::NumDims];
  if (failed(getDimSizes(in, op, operands, sizes)))
    return failure();
  auto ordered = [&](Op::Operand operand) {
    auto [value, map] = operands[operand];
    return permute(in.get(value), map, /*toOrdered=*/true);
  };
  Tensor query = ordered(Op::Query), key = ordered(Op::Key),
         value = ordered(Op::Value_);
  Tensor acc = ordered(Op::Acc), max = ordered(Op::Max), sum = ordered(Op::Sum);
  double *accData = acc.mutableDoubles(), *maxData = max.mutableDoubles(),
         *sumData = sum.mutableDoubles();
  int64_t queryStart = in.getInt(op.getQueryStart());
  int64_t queryLength = in.getInt(op.getQueryLength());
  int64_t keyStart = in.getInt(op.getKeyStart());
  int64_t keyLength = in.getInt(op.getKeyLength());
  double scale = op.getScale().convertToDouble();
  std::optional<double> softcap = toDouble(op.getSoftcap());
  MaskAttr mask = op.getEffectiveMask();

  int64_t numKeys = sizes[Op::K], d = sizes[Op::D], n = sizes[Op::N];
  int64_t rowsPerHead = sizes[Op::P] * sizes[Op::R] * sizes[Op::M];
  int64_t numRows = sizes[Op::B] * sizes[Op::H] * rowsPerHead;
  parallelFor(numRows, double(numRows) * numKeys * (d + n), [&](int64_t row) {
    int64_t head = row / rowsPerHead;
    int64_t position = queryStart + row % sizes[Op::M];
    KeyRange keys = getVisibleKeys(mask, position, queryLength, keyLength);
    KeyRange inTile{keys.begin - keyStart, keys.end - keyStart};
    SmallVector<double> t(numKeys);
    dotRows(query.doubles() + row * d, key.doubles() + head * numKeys * d, d,
            numKeys, d, t.data());
    for (auto [k, score] : llvm::enumerate(t)) {
      bool isVisible = int64_t(k) >= inTile.begin && int64_t(k) < inTile.end;
      score = isVisible ? applyScale(score, scale, softcap) / M_LN2 : -INFINITY;
    }
    foldKeys(t, inTile, value.doubles() + head * numKeys * n, n,
             accData + row * n, maxData[row], sumData[row]);
  });
  SmallVector<Tensor> results;
  for (auto [tensor, operand] :
       {std::pair(acc, Op::Acc), {max, Op::Max}, {sum, Op::Sum}})
    results.push_back(
        permute(tensor, operands[operand].second, /*toOrdered=*/false));
  return in.setAll(op, op->getResults(), results);
}

//===----------------------------------------------------------------------===//
// diffattn.finalize
//===----------------------------------------------------------------------===//

static LogicalResult evaluateFinalize(Interpreter &in, FinalizeOp op) {
  using Op = FinalizeOp;
  SmallVector<std::pair<Value, AffineMap>> operands;
  for (auto [i, map] : llvm::enumerate(op.getMaps()))
    operands.push_back({op.getMappedOperand(Op::Operand(i)), map});
  int64_t sizes[Op::NumDims];
  if (failed(getDimSizes(in, op, operands, sizes)))
    return failure();
  auto ordered = [&](Op::Operand operand) {
    auto [value, map] = operands[operand];
    return value ? permute(in.get(value), map, /*toOrdered=*/true) : Tensor();
  };
  Tensor acc = ordered(Op::Acc), max = ordered(Op::Max), sum = ordered(Op::Sum);
  Tensor lambda = ordered(Op::Lambda), output = ordered(Op::Output);
  Tensor lse = ordered(Op::Lse), noise = ordered(Op::Noise);
  bool hasLambda = bool(op.getLambda());
  double *outputData = output.mutableDoubles();
  double *lseData = op.getLseInit() ? lse.mutableDoubles() : nullptr;
  double *noiseData = op.getNoiseInit() ? noise.mutableDoubles() : nullptr;
  int64_t queryStart = in.getInt(op.getQueryStart());
  int64_t queryLength = in.getInt(op.getQueryLength());
  int64_t keyLength = in.getInt(op.getKeyLength());
  MaskAttr mask = op.getEffectiveMask();

  int64_t numRows = sizes[Op::M], numBranches = sizes[Op::R], n = sizes[Op::N];
  int64_t numPairs = sizes[Op::B] * sizes[Op::H] * sizes[Op::P];
  parallelFor(
      numPairs * numRows, double(numPairs) * numRows * n, [&](int64_t i) {
        int64_t pair = i / numRows, m = i % numRows;
        bool seesKeys =
            !getVisibleKeys(mask, queryStart + m, queryLength, keyLength)
                 .isEmpty();
        int64_t rows[2] = {pair * numBranches * numRows + m,
                           (pair * numBranches + numBranches - 1) * numRows +
                               m};
        for (int64_t row : ArrayRef(rows, numBranches))
          if (lseData)
            lseData[row] = seesKeys ? M_LN2 * (max.doubles()[row] +
                                               std::log2(sum.doubles()[row]))
                                    : INFINITY;
        auto branch = [&](int64_t row, int64_t j) {
          return seesKeys ? acc.doubles()[row * n + j] / sum.doubles()[row] : 0;
        };
        double gate = hasLambda && seesKeys ? sigmoid(lambda.doubles()[i]) : 0;
        for (int64_t j = 0; j < n; ++j) {
          double value = branch(rows[0], j);
          outputData[i * n + j] =
              hasLambda ? value - gate * branch(rows[1], j) : value;
          if (noiseData)
            noiseData[i * n + j] = branch(rows[1], j);
        }
      });
  SmallVector<Tensor> results = {
      permute(output, operands[Op::Output].second, /*toOrdered=*/false)};
  if (lseData)
    results.push_back(
        permute(lse, operands[Op::Lse].second, /*toOrdered=*/false));
  if (noiseData)
    results.push_back(
        permute(noise, operands[Op::Noise].second, /*toOrdered=*/false));
  return in.setAll(op, op->getResults(), results);
}

MaybeResult reference::evaluateAttentionOp(Interpreter &in, Operation *op) {
  return llvm::TypeSwitch<Operation *, MaybeResult>(op)
      .Case([&](AttentionOp op) { return AttentionEvaluator(in, op).run(); })
      .Case([&](OnlineAttentionOp op) { return evaluateOnline(in, op); })
      .Case([&](FinalizeOp op) { return evaluateFinalize(in, op); })
      .Default(std::nullopt);
}
