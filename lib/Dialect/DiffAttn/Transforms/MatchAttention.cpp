//===- MatchAttention.cpp - Attention spelled out in linalg ---------------===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "MatchAttention.h"

#include "MatchRoles.h"
#include "MatchSoftmax.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Interfaces/ValueBoundsOpInterface.h"
#include <cmath>

using namespace mlir;
using namespace mlir::diffattn;

//===----------------------------------------------------------------------===//
// Sources
//===----------------------------------------------------------------------===//

SmallVector<Source> mlir::diffattn::collectSources(Tracer &tracer, Expr e) {
  SmallVector<Source> sources;
  double scale = 1;
  // An operand that was rounded to a narrow type is read from there on in that
  // type: taking the wider tensor before the rounding would be more exact, and
  // cost twice the bytes the producer asked for.
  unsigned width = ~0u;
  while (e && tracer.spend()) {
    if (e.isTensor()) {
      unsigned own = e.getElementType().isIntOrFloat()
                         ? e.getElementType().getIntOrFloatBitWidth()
                         : ~0u;
      if (own <= width)
        sources.push_back({e.value, e.at, scale});
      width = std::min(width, own);
    }
    if (Expr next = tracer.step(e)) {
      e = next;
      continue;
    }
    if (definedBy<arith::ExtFOp>(e) || definedBy<arith::TruncFOp>(e)) {
      e = tracer.operand(e, 0);
      continue;
    }
    // A constant factor.
    auto mul = matchBinary<arith::MulFOp>(tracer, e);
    auto div = matchBinary<arith::DivFOp>(tracer, e);
    if (mul && tracer.constantFloat(mul->first))
      std::swap(mul->first, mul->second);
    auto &operands = mul ? mul : div;
    std::optional<double> constant =
        operands ? tracer.constantFloat(operands->second) : std::nullopt;
    if (!constant)
      break;
    scale = mul ? scale * *constant : scale / *constant;
    e = operands->first;
  }
  return sources;
}

std::optional<Layout> mlir::diffattn::getLayout(const IndexVars &vars,
                                                const Source &source) {
  Layout layout;
  llvm::SmallDenseSet<unsigned> seen;
  auto type = cast<RankedTensorType>(source.tensor.getType());
  for (auto [index, size] : llvm::zip_equal(source.at, type.getShape())) {
    std::optional<Digits> digits = vars.toDigits(index);
    if (!digits || vars.getExtent(*digits) != size)
      return std::nullopt;
    for (unsigned var : *digits) // a diagonal is not all of the tensor
      if (!seen.insert(var).second)
        return std::nullopt;
    layout.push_back(*digits);
  }
  return layout;
}

//===----------------------------------------------------------------------===//
// The computation
//===----------------------------------------------------------------------===//

namespace {
/// What is computed, before dimensions have got a meaning.
struct Computation {
  AffineExpr key; ///< the variable of the keys
  Expr values;    ///< value at (key, ...)
  Exponential exponential;
  Scores scores;
  /// Conditions under which the producer gives 0.
  SmallVector<Expr> guards;
};
} // namespace

/// Splits the summand of the second product into weights and values.
static bool matchWeights(Tracer &tracer, Expr summand, bool isNormalised,
                         Computation &computation, Expr &rowSum) {
  auto operands =
      matchBinary<arith::MulFOp>(tracer, tracer.resolveCasts(summand));
  if (!operands)
    return false;
  for (auto [weights, values] :
       {*operands, std::pair(operands->second, operands->first)}) {
    SmallVector<Expr> found;
    Expr numerator = isNormalised
                         ? matchNormalised(tracer, weights, found, rowSum)
                         : stripZeroGuard(tracer, weights, found);
    if (!numerator)
      continue;
    auto exponential = matchExponential(tracer, numerator, computation.key);
    if (!exponential)
      continue;
    computation.exponential = *exponential;
    computation.values = values;
    computation.guards.append(found);
    return true;
  }
  return false;
}

/// Matches sum_k (exp / sum) * value, or (sum_k exp * value) / sum.
static std::optional<Computation>
matchComputation(Tracer &tracer, const Expr &output, std::string &reason) {
  Computation computation;
  SmallVector<Expr> &guards = computation.guards;
  Expr rowSum;
  SmallVector<AffineExpr> bound;
  Expr summand =
      matchSum(tracer, stripZeroGuard(tracer, output, guards), bound);
  bool isNormalised = static_cast<bool>(summand);
  if (!summand) {
    guards.clear();
    Expr numerator = matchNormalised(tracer, output, guards, rowSum);
    summand = numerator ? matchSum(tracer, numerator, bound) : Expr();
  }
  if (!summand || bound.size() != 1)
    return std::nullopt;
  computation.key = bound[0];
  if (!matchWeights(tracer, summand, isNormalised, computation, rowSum))
    return std::nullopt;
  if (!isRowSum(tracer, rowSum, computation.exponential, computation.key)) {
    reason = "the weights are not divided by their own sum over the keys";
    return std::nullopt;
  }
  std::optional<Scores> scores =
      matchScores(tracer, computation.exponential, reason);
  if (!scores)
    return std::nullopt;
  computation.scores = *scores;
  return computation;
}

//===----------------------------------------------------------------------===//
// Mask
//===----------------------------------------------------------------------===//

/// Where a length can be read: a dimension of a tensor.
static std::optional<ValueBoundsConstraintSet::Variable>
findDim(Value tensor, const Layout &layout, unsigned var) {
  const Digits *dim = llvm::find(layout, Digits{var});
  if (dim == layout.end())
    return std::nullopt;
  return ValueBoundsConstraintSet::Variable(tensor,
                                            std::distance(layout.begin(), dim));
}

/// The number of values of `var` as an expression over symbols, null if
/// unknown.
static AffineExpr getLength(Tracer &tracer, Value tensor, const Layout &layout,
                            unsigned var) {
  const Digits *dim = llvm::find(layout, Digits{var});
  return dim == layout.end()
             ? AffineExpr()
             : tracer.getSizeExpr(tensor, std::distance(layout.begin(), dim));
}

/// Nk - Nq as an expression over symbols, null if unknown.
static AffineExpr getAlignment(Tracer &tracer, const Roles &roles,
                               const AttentionMatch &match) {
  MLIRContext *context = tracer.vars.getContext();
  AffineExpr numKeys = getLength(tracer, match.key, match.keyLayout, roles.key);
  AffineExpr numRows = getAffineConstantExpr(1, context);
  if (roles.row)
    numRows = getLength(tracer, match.query, match.queryLayout, *roles.row);
  if (numKeys && numRows)
    return numKeys - numRows;
  if (!roles.row)
    return {};
  auto rowDim = findDim(match.query, match.queryLayout, *roles.row);
  auto keyDim = findDim(match.key, match.keyLayout, roles.key);
  if (!rowDim || !keyDim)
    return {};
  FailureOr<bool> areEqual =
      ValueBoundsConstraintSet::areEqual(*rowDim, *keyDim);
  if (failed(areEqual) || !*areEqual)
    return {};
  return getAffineConstantExpr(0, context);
}

/// Translates a band of top-left aligned positions to the bottom-right aligned
/// mask of the operator.
static bool translateMask(Tracer &tracer, const Band &band, const Roles &roles,
                          const Scores &scores, AttentionMatch &match,
                          std::string &reason) {
  MLIRContext *context = tracer.vars.getContext();
  match.mask = MaskAttr::getNone(context);
  if (!band.left && !band.right)
    return true;
  AffineExpr alignment = getAlignment(tracer, roles, match);
  if (!alignment) {
    reason = "the mask is aligned to the first row and key, which is the "
             "operator's bottom-right alignment only if there are as many rows "
             "as keys: make both lengths static or the same dimension";
    return false;
  }
  // Position p = row + alignment: key <= p + (right - alignment), and
  // key >= p - (left + alignment).
  std::optional<int64_t> left, right;
  for (auto [bound, isLeft, result] :
       {std::tuple(band.left, true, &left), {band.right, false, &right}}) {
    if (!bound)
      continue;
    AffineExpr shifted =
        tracer.vars.simplify(isLeft ? bound + alignment : bound - alignment);
    auto constant = dyn_cast<AffineConstantExpr>(shifted);
    if (!constant || constant.getValue() < 0) {
      reason = "the mask is not aligned at the bottom right: its ";
      reason += isLeft ? "left" : "right";
      reason += constant
                    ? " bound would be " + std::to_string(constant.getValue())
                    : " bound depends on the lengths";
      reason += ", expected at least 0 relative to row + (keys - rows)";
      return false;
    }
    *result = constant.getValue();
  }
  match.mask = MaskAttr::get(context, left, right);
  // Rows without a key give 0 here; with a finite fill the producer gave them
  // the mean of the values.
  auto offset = dyn_cast<AffineConstantExpr>(tracer.vars.simplify(alignment));
  if (scores.finiteFill && right &&
      (!offset || offset.getValue() + *right < 0)) {
    reason = "rows without a key average the values, as masked scores are "
             "finite; mask with -inf";
    return false;
  }
  return true;
}

//===----------------------------------------------------------------------===//
// The whole
//===----------------------------------------------------------------------===//

/// What the op's verifier would reject.
static bool checkShapes(const IndexVars &vars, AttentionMatch &match,
                        std::string &reason) {
  auto extent = [&](const Layout &target, unsigned dim) {
    return vars.getExtent(target[dim]);
  };
  int64_t heads = extent(match.queryTarget, 2);
  int64_t kvHeads = extent(match.keyTarget, 2);
  int64_t d = extent(match.queryTarget, 3), dv = extent(match.valueTarget, 3);
  for (int64_t size : {heads, kvHeads, d, dv})
    if (ShapedType::isDynamic(size) || size == 0) {
      reason = "head counts and head dimensions have to be static";
      return false;
    }
  if (d % 8 != 0 || dv % 8 != 0) {
    reason = "head dimensions have to be multiples of 8, but are " +
             std::to_string(d) + " and " + std::to_string(dv);
    return false;
  }
  if (heads % kvHeads != 0) {
    reason = "query heads do not divide evenly into key/value heads";
    return false;
  }
  return true;
}

/// Picks the tensors to read, nearest to the producers first, and the meaning
/// of their dimensions.
static std::optional<Roles> assignSources(Tracer &tracer,
                                          const Computation &computation,
                                          const Band &band, Expr output,
                                          AttentionMatch &match, double &scale,
                                          std::string &reason) {
  IndexVars &vars = tracer.vars;
  Expr query = computation.scores.lhs, key = computation.scores.rhs;
  SmallVector<Source> candidates[3] = {
      collectSources(tracer, query), collectSources(tracer, key),
      collectSources(tracer, computation.values)};
  // Of the two factors, the keys are the one that varies with the key.
  auto varies = [&](const Source &source) {
    return llvm::any_of(source.at, [&](AffineExpr index) {
      return vars.simplify(index).isFunctionOfDim(
          cast<AffineDimExpr>(computation.key).getPosition());
    });
  };
  if (llvm::any_of(candidates, [](auto &list) { return list.empty(); })) {
    reason = "query, key or value is computed inside of the product; store it "
             "in a tensor";
    return std::nullopt;
  }
  if (varies(candidates[0].front()))
    std::swap(candidates[0], candidates[1]);
  if (varies(candidates[0].front()) || !varies(candidates[1].front())) {
    reason = "exactly one factor of the scores has to vary with the key";
    return std::nullopt;
  }
  reason = "query, key and value are not tensors over batch, tokens, heads and "
           "head dimension";
  // Combinations, the nearest to the producers first.
  SmallVector<std::array<unsigned, 3>> order;
  for (unsigned q = 0; q < candidates[0].size(); ++q)
    for (unsigned k = 0; k < candidates[1].size(); ++k)
      for (unsigned v = 0; v < candidates[2].size(); ++v)
        order.push_back({q, k, v});
  if (order.size() > 4096)
    return std::nullopt;
  llvm::sort(order, [](auto &a, auto &b) {
    return std::make_pair(a[0] + a[1] + a[2], a) >
           std::make_pair(b[0] + b[1] + b[2], b);
  });
  for (std::array<unsigned, 3> pick : order) {
    const Source *sources[3];
    for (unsigned i = 0; i < 3; ++i)
      sources[i] = &candidates[i][pick[i]];
    std::optional<Roles> roles = assignRoles(
        vars, {sources[0], sources[1], sources[2]}, output.at,
        {computation.key, computation.scores.headDim, band.row}, match);
    if (!roles)
      continue;
    scale = computation.scores.scale * sources[0]->scale * sources[1]->scale;
    if (sources[2]->scale != 1)
      continue;
    reason.clear();
    return roles;
  }
  return std::nullopt;
}

std::optional<AttentionMatch>
mlir::diffattn::matchAttention(Tracer &tracer, Value result,
                               std::string &reason) {
  auto type = dyn_cast<RankedTensorType>(result.getType());
  if (!type ||
      !isa<Float32Type, Float16Type, BFloat16Type>(type.getElementType()))
    return std::nullopt;
  Expr output = tracer.element(result);
  std::optional<Computation> computation =
      matchComputation(tracer, output, reason);
  if (!computation)
    return std::nullopt;
  std::optional<Band> band =
      matchBand(tracer, computation->scores.masks, computation->key, reason);
  if (!band)
    return std::nullopt;

  AttentionMatch match;
  double scale = 1;
  std::optional<Roles> roles =
      assignSources(tracer, *computation, *band, output, match, scale, reason);
  if (!roles || !checkShapes(tracer.vars, match, reason) ||
      !translateMask(tracer, *band, *roles, computation->scores, match, reason))
    return std::nullopt;
  for (const Expr &guard : computation->guards)
    if (!isRowEmpty(
            tracer, guard, computation->exponential, computation->scores,
            computation->key,
            getLength(tracer, match.key, match.keyLayout, roles->key))) {
      reason =
          "results are set to 0 under a condition other than a row without "
          "a key";
      return std::nullopt;
    }
  match.softcap = computation->scores.softcap;
  if (!(scale > 0) || !std::isfinite(scale) ||
      (match.softcap && !(*match.softcap > 0))) {
    reason = "scale and softcap have to be finite and greater than 0";
    return std::nullopt;
  }
  double usual =
      1.0 / std::sqrt(double(tracer.vars.getExtent(match.queryTarget[3])));
  if (std::abs(scale - usual) > 1e-6 * usual)
    match.scale = scale;
  return match;
}
