//===- MatchPair.cpp - Gated difference of two branches -------------------===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "MatchPair.h"

#include "MatchSigmoid.h"
#include "MatchSoftmax.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/Dominance.h"

using namespace mlir;
using namespace mlir::diffattn;

namespace {
/// The two branches and the gate, as expressions.
struct Difference {
  Expr signal, noise; ///< elements of plain attention results
  Expr logit;         ///< argument of the sigmoid
};

struct PairMatcher {
  Tracer &tracer;
  Value difference;
  std::string &reason;

  bool fail(const Twine &why) {
    reason = why.str();
    return false;
  }
  bool matchDifference(const Expr &root, Difference &difference);
  bool matchGate(const Product &product, Difference &difference);
  bool checkHeads(const Difference &difference, PairMatch &match);
  bool checkOneOp(const Difference &difference, PairMatch &match);
  bool checkTwoOps(const Difference &difference, PairMatch &match);
  bool assignLayouts(const Difference &difference, ArrayRef<AffineExpr> loops,
                     PairMatch &match);
  bool assignLambda(const Difference &difference, PairMatch &match);
  void absorbGuard(const Difference &parts, const Expr &root, PairMatch &match);
  bool checkUses(Operation *root, PairMatch &match);
  bool checkUsesInBody(Operation *root,
                       const llvm::SmallPtrSetImpl<Operation *> &branchOps);
};
} // namespace

//===----------------------------------------------------------------------===//
// The computation
//===----------------------------------------------------------------------===//

/// The plain attention op that `e` is an output element of.
static AttentionOp getPlainAttention(const Expr &e) {
  auto op = definedBy<AttentionOp>(e);
  if (!op || op.isDifferential() || e.value != op.getOutput())
    return {};
  return op;
}

/// The factor of `product` that is attention, or null.
static Expr findAttention(Tracer &tracer, const Product &product) {
  for (const Expr &factor : product.factors) {
    if (getPlainAttention(factor))
      return factor;
    auto quotient = matchBinary<arith::DivFOp>(tracer, factor);
    if (!quotient)
      continue;
    for (const Expr &numerator : matchProduct(tracer, quotient->first).factors)
      if (getPlainAttention(numerator))
        return numerator;
  }
  return {};
}

/// noise * sigmoid(logit), or noise / (1 + exp(-logit)).
bool PairMatcher::matchGate(const Product &product, Difference &difference) {
  static constexpr StringRef expected =
      "; expected sigmoid(lambda) * noise, with nothing else in the product";
  if (product.factors.size() == 1) {
    auto quotient = matchBinary<arith::DivFOp>(tracer, product.factors[0]);
    if (!quotient)
      return fail("the subtracted branch has no gate" + expected);
    difference.logit = matchSigmoidDenominator(tracer, quotient->second);
    Product numerator = matchProduct(tracer, quotient->first);
    if (!difference.logit || numerator.factors.size() != 1 ||
        numerator.constant != 1)
      return fail("the gate of the subtracted branch is not a sigmoid" +
                  expected);
    return true;
  }
  if (product.factors.size() != 2)
    return fail("the subtracted branch has more than one factor" + expected);
  unsigned gate = getPlainAttention(product.factors[0]) ? 1 : 0;
  difference.logit = matchSigmoid(tracer, product.factors[gate]);
  if (!difference.logit)
    return fail("the gate of the subtracted branch is not a sigmoid; pass "
                "lambda as a logit and apply sigmoid to it");
  return true;
}

bool PairMatcher::matchDifference(const Expr &root, Difference &difference) {
  bool isSubtraction = definedBy<arith::SubFOp>(root) != nullptr;
  Product lhs = matchProduct(tracer, tracer.operand(root, 0));
  Product rhs = matchProduct(tracer, tracer.operand(root, 1));
  if (isSubtraction)
    rhs.constant = -rhs.constant;
  else if (lhs.constant < 0)
    std::swap(lhs, rhs);
  difference.signal = findAttention(tracer, lhs);
  difference.noise = findAttention(tracer, rhs);
  if (!difference.signal || !difference.noise || rhs.constant > 0)
    return false; // Some other sum.
  if (lhs.factors.size() == 2 && rhs.factors.size() == 1 && rhs.constant == -1)
    return fail("the polarity is swapped: the gated branch is the one "
                "subtracted from; expected signal - sigmoid(lambda) * noise");
  if (lhs.factors.size() != 1 || !getPlainAttention(lhs.factors[0]) ||
      lhs.constant != 1)
    return fail(
        "the signal branch is scaled; expected signal - sigmoid(lambda) "
        "* noise");
  if (rhs.constant != -1)
    return fail("the subtracted branch has a constant factor; expected "
                "sigmoid(lambda) * noise");
  return matchGate(rhs, difference);
}

//===----------------------------------------------------------------------===//
// The pairing
//===----------------------------------------------------------------------===//

static std::string toString(AffineExpr expr) {
  std::string text;
  llvm::raw_string_ostream(text) << expr;
  return text;
}

bool PairMatcher::checkOneOp(const Difference &difference, PairMatch &match) {
  IndexVars &vars = tracer.vars;
  AffineExpr signal = vars.simplify(difference.signal.at[2]);
  AffineExpr noise = vars.simplify(difference.noise.at[2]);
  int64_t numHeads = match.attention.getNumQueryHeads();
  auto distance = dyn_cast<AffineConstantExpr>(vars.simplify(noise - signal));
  auto isEven = [&](AffineExpr expr) {
    auto rest = dyn_cast<AffineConstantExpr>(vars.simplify(expr % 2));
    return rest && rest.getValue() == 0;
  };
  if (distance && distance.getValue() == 1 && isEven(signal))
    return true;
  if (distance && distance.getValue() == -1 && isEven(noise))
    return fail("the polarity is swapped: head 2j is subtracted from head 2j + "
                "1; expected head 2j as signal and head 2j + 1 as noise");
  if (distance && 2 * std::abs(distance.getValue()) == numHeads)
    return fail("heads are split in halves (j and j + " + Twine(numHeads / 2) +
                "); heads of a pair have to be interleaved, 2j and 2j + 1: "
                "slice with stride 2");
  return fail("the branches are heads " + toString(signal) + " and " +
              toString(noise) + "; expected 2j and 2j + 1 for pair j");
}

bool PairMatcher::checkTwoOps(const Difference &difference, PairMatch &match) {
  AttentionOp a = match.attention, b = match.noise;
  if (a.getKey() != b.getKey() || a.getValue() != b.getValue())
    return fail("the branches are two attention ops over different keys or "
                "values; both heads of a pair have to share them");
  if (a.getEffectiveMask() != b.getEffectiveMask() ||
      a.getEffectiveScale() != b.getEffectiveScale() ||
      a.getSoftcap() != b.getSoftcap())
    return fail(
        "the branches are two attention ops of different mask, scale or "
        "softcap");
  if (a.getQuery().getType() != b.getQuery().getType())
    return fail("the branches are two attention ops of different query types");
  if (a.getLse() || b.getLse())
    return fail("the branches are two attention ops with a log-sum-exp result; "
                "its layout would change");
  if (!tracer.vars.areEqual(difference.signal.at[2], difference.noise.at[2]))
    return fail(
        "the branches are different heads of two attention ops; expected "
        "head j of both");
  return true;
}

bool PairMatcher::checkHeads(const Difference &difference, PairMatch &match) {
  match.attention = getPlainAttention(difference.signal);
  match.noise = getPlainAttention(difference.noise);
  for (unsigned dim : {0, 1, 3})
    if (!tracer.vars.areEqual(difference.signal.at[dim],
                              difference.noise.at[dim]))
      return fail("the branches are taken at different batches, tokens or "
                  "features");
  bool isOneOp = match.noise == match.attention;
  if (!(isOneOp ? checkOneOp(difference, match)
                : checkTwoOps(difference, match)))
    return false;
  int64_t numPairs = match.attention.getNumQueryHeads() / (isOneOp ? 2 : 1);
  int64_t numKVHeads = match.attention.getNumKVHeads();
  if ((isOneOp && match.attention.getNumQueryHeads() % 2 != 0) ||
      numPairs % numKVHeads != 0)
    return fail("pairs lie across key/value groups: " + Twine(numPairs) +
                " pairs are not divisible by " + Twine(numKVHeads) +
                " key/value heads");
  if (isOneOp)
    match.noise = {};
  return true;
}

//===----------------------------------------------------------------------===//
// Layouts
//===----------------------------------------------------------------------===//

static SmallVector<unsigned> getSortedVars(const Layout &layout) {
  SmallVector<unsigned> all;
  for (const Digits &digits : layout)
    llvm::append_range(all, digits);
  llvm::sort(all);
  return all;
}

bool PairMatcher::assignLayouts(const Difference &difference,
                                ArrayRef<AffineExpr> loops, PairMatch &match) {
  IndexVars &vars = tracer.vars;
  bool isOneOp = !match.noise;
  auto output = llvm::to_vector(difference.signal.at);
  SmallVector<int64_t> shape(
      cast<RankedTensorType>(match.attention.getOutput().getType()).getShape());
  if (isOneOp) {
    output[2] = vars.simplify(output[2]).floorDiv(2);
    shape[2] /= 2;
  }
  SmallVector<AffineExpr> all(loops);
  llvm::append_range(all, output);
  for (const Source &source : collectSources(tracer, difference.logit))
    llvm::append_range(all, source.at);
  if (!vars.splitDivided(all))
    return fail("the results are reshaped in a way that mixes dimensions");
  for (auto [index, size] : llvm::zip_equal(output, shape)) {
    std::optional<Digits> digits = vars.toDigits(index);
    if (!digits || vars.getExtent(*digits) != size)
      return fail(
          "the subtraction covers only a part of the attention's result, "
          "or mixes its dimensions; subtract whole results and slice "
          "afterwards");
    match.outputTarget.push_back(*digits);
  }
  for (AffineExpr loop : loops) {
    std::optional<Digits> digits = vars.toDigits(loop);
    if (!digits)
      return fail("the results are reshaped in a way that mixes dimensions");
    match.resultLayout.push_back(*digits);
  }
  // A loop that no index uses would repeat the result.
  if (getSortedVars(match.resultLayout) != getSortedVars(match.outputTarget))
    return fail("the difference is broadcast to more dimensions than the "
                "attention has");
  return assignLambda(difference, match);
}

bool PairMatcher::assignLambda(const Difference &difference, PairMatch &match) {
  IndexVars &vars = tracer.vars;
  match.lambdaTarget = {match.outputTarget[0], match.outputTarget[1],
                        match.outputTarget[2]};
  SmallVector<Source> sources = collectSources(tracer, difference.logit);
  if (sources.empty())
    return fail("lambda is computed in the same body as its sigmoid; store the "
                "logits in a tensor");
  for (const Source &source : llvm::reverse(sources)) {
    std::optional<Layout> layout = getLayout(vars, source);
    Type element = getElementTypeOrSelf(source.tensor.getType());
    if (!layout || source.scale != 1 ||
        getSortedVars(*layout) != getSortedVars(match.lambdaTarget) ||
        !isa<Float32Type, Float16Type, BFloat16Type>(element))
      continue;
    match.lambda = source.tensor;
    match.lambdaLayout = *layout;
    return true;
  }
  std::string type;
  llvm::raw_string_ostream(type) << sources.front().tensor.getType();
  return fail("lambda is not one logit per batch, token and pair: it is read "
              "from " +
              type + "; broadcast it to (B, N, h) if it is shared");
}

//===----------------------------------------------------------------------===//
// Uses
//===----------------------------------------------------------------------===//

/// The operator gives 0 in rows without a key itself, so a producer's own
/// selection of 0 there is part of it.
void PairMatcher::absorbGuard(const Difference &parts, const Expr &root,
                              PairMatch &match) {
  auto select = difference.hasOneUse()
                    ? dyn_cast<arith::SelectOp>(*difference.getUsers().begin())
                    : arith::SelectOp();
  if (!select || select.getFalseValue() != difference ||
      tracer.constantFloat({select.getTrueValue(), root.at}).value_or(1) != 0)
    return;
  Expr condition{select.getCondition(), root.at};
  if (!isa<RankedTensorType>(condition.value.getType()) && root.isTensor())
    condition.at.clear();
  std::optional<Formula> formula = evaluateFormula(tracer, condition);
  if (!formula || (formula->isAll && formula->atoms.size() != 1))
    return;
  AffineExpr numRows = tracer.getSizeExpr(match.attention.getQuery(), 1);
  AffineExpr numKeys = tracer.getSizeExpr(match.attention.getKey(), 1);
  if (!numRows || !numKeys)
    return;
  std::optional<int64_t> right = match.attention.getEffectiveMask().getRight();
  AffineExpr position = parts.signal.at[1] + numKeys - numRows;
  for (AffineExpr atom : formula->atoms)
    if (!tracer.vars.areEqual(atom, -numKeys) &&
        !(right && tracer.vars.areEqual(atom, -(position + *right) - 1)))
      return;
  match.difference = select.getResult();
}

/// Within the body of `root`, operands that `branchOps` define must serve
/// nothing but the difference.
bool PairMatcher::checkUsesInBody(
    Operation *root, const llvm::SmallPtrSetImpl<Operation *> &branchOps) {
  auto op = dyn_cast<linalg::LinalgOp>(root);
  if (!op)
    return true;
  llvm::SmallPtrSet<Operation *, 8> slice = {difference.getDefiningOp()};
  SmallVector<Operation *> worklist = {difference.getDefiningOp()};
  while (!worklist.empty())
    for (Value operand : worklist.pop_back_val()->getOperands())
      if (Operation *def = operand.getDefiningOp();
          def && def->getBlock() == op.getBlock() && slice.insert(def).second)
        worklist.push_back(def);
  for (OpOperand *input : op.getDpsInputOperands()) {
    if (!branchOps.contains(input->get().getDefiningOp()))
      continue;
    for (Operation *user : op.getMatchingBlockArgument(input).getUsers())
      if (!slice.contains(user))
        return fail("a branch is used for more than the difference");
  }
  return true;
}

/// The branches must reach nothing but `root`: fusing would otherwise compute
/// attention twice.
bool PairMatcher::checkUses(Operation *root, PairMatch &match) {
  if (Value lse = match.attention.getLse()) {
    DominanceInfo dominance;
    for (Operation *user : lse.getUsers())
      if (!dominance.properlyDominates(match.lambda, user))
        return fail(
            "the log-sum-exp is used before lambda is computed; compute "
            "lambda first");
  }
  SmallVector<Value> worklist = {match.attention.getOutput()};
  if (match.noise)
    worklist.push_back(match.noise.getOutput());
  llvm::SmallPtrSet<Operation *, 16> seen;
  while (!worklist.empty()) {
    for (Operation *user : worklist.pop_back_val().getUsers()) {
      if (user == root || !seen.insert(user).second || isOpTriviallyDead(user))
        continue;
      if (!tracer.visited.contains(user))
        return fail("the attention's result has another use ('" +
                    user->getName().getStringRef() +
                    "'), which needs the separate branches");
      llvm::append_range(worklist, user->getResults());
    }
  }
  seen.insert(match.attention);
  if (match.noise)
    seen.insert(match.noise);
  return checkUsesInBody(root, seen);
}

std::optional<PairMatch> mlir::diffattn::matchPair(Tracer &tracer,
                                                   Value difference,
                                                   std::string &reason) {
  Expr root;
  Operation *rootOp = difference.getDefiningOp();
  if (isa<RankedTensorType>(difference.getType())) {
    root = tracer.element(difference);
  } else {
    auto op = dyn_cast<linalg::LinalgOp>(rootOp->getParentOp());
    if (!op || !op.hasPureTensorSemantics() || op.getNumReductionLoops() != 0)
      return std::nullopt;
    rootOp = op;
    root.value = difference;
    for (int64_t extent : op.getStaticLoopRanges())
      root.at.push_back(tracer.vars.create(extent));
  }
  PairMatcher matcher{tracer, difference, reason};
  Difference parts;
  PairMatch match;
  if (!matcher.matchDifference(root, parts) ||
      !matcher.checkHeads(parts, match) ||
      !matcher.assignLayouts(parts, root.at, match) ||
      !matcher.checkUses(rootOp, match))
    return std::nullopt;
  match.difference = difference;
  matcher.absorbGuard(parts, root, match);
  return match;
}
