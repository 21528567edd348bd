//===- AttentionSummary.cpp - What attention a program does ---------------===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "diffattn/Compiler/AttentionSummary.h"

#include "diffattn/Dialect/DiffAttn/IR/DiffAttn.h"

#include "mlir/Interfaces/ValueBoundsOpInterface.h"
#include "llvm/ADT/MapVector.h"
#include <algorithm>

using namespace mlir;
using namespace mlir::diffattn;

int64_t
SymbolicSize::evaluate(ArrayRef<SmallVector<int64_t>> argumentShapes) const {
  SmallVector<int64_t> values;
  for (auto [argument, dim] : operands)
    values.push_back(argumentShapes[argument][dim]);
  return map.compose(values).front();
}

/// Size `dim` of `value` in terms of the sizes of `entry`'s arguments.
static std::optional<SymbolicSize> getSymbolicSize(FunctionOpInterface entry,
                                                   Value value, int64_t dim) {
  auto isArgument = [&](Value candidate) {
    auto argument = dyn_cast<BlockArgument>(candidate);
    return argument && argument.getOwner() == &entry.getFunctionBody().front();
  };
  AffineMap map;
  ValueDimList operands;
  auto type = cast<ShapedType>(value.getType());
  if (!type.isDynamicDim(dim)) {
    map = AffineMap::getConstantMap(type.getDimSize(dim), value.getContext());
  } else if (failed(ValueBoundsConstraintSet::computeBound(
                 map, operands, presburger::BoundType::EQ, {value, dim},
                 [&](Value candidate, std::optional<int64_t> candidateDim,
                     ValueBoundsConstraintSet &) {
                   return candidateDim && isArgument(candidate);
                 }))) {
    return std::nullopt;
  }
  SymbolicSize size;
  // All operands as dimensions, so that one list of values evaluates the map.
  SmallVector<AffineExpr> symbols;
  for (unsigned i = 0; i < map.getNumSymbols(); ++i)
    symbols.push_back(
        getAffineDimExpr(map.getNumDims() + i, value.getContext()));
  SmallVector<AffineExpr> dims;
  for (unsigned i = 0; i < map.getNumDims(); ++i)
    dims.push_back(getAffineDimExpr(i, value.getContext()));
  size.map = map.replaceDimsAndSymbols(dims, symbols, map.getNumInputs(),
                                       /*numResultSyms=*/0);
  for (auto [operand, operandDim] : operands) {
    if (!operandDim || !isArgument(operand))
      return std::nullopt;
    size.operands.push_back(
        {cast<BlockArgument>(operand).getArgNumber(), unsigned(*operandDim)});
  }
  return size;
}

/// The arguments and results of the entry that operands and results of `op`
/// are, and which of their sizes the op needs to be equal.
static std::vector<SmallVector<BoundaryDim>> getEqualSizes(AttentionOp op) {
  SmallVector<BoundaryDim> batch, queries, keys;
  auto add = [&](Value value, SmallVectorImpl<BoundaryDim> &length,
                 unsigned lengthDim) {
    auto addDims = [&](bool isResult, unsigned index) {
      batch.push_back({isResult, index, 0});
      length.push_back({isResult, index, lengthDim});
    };
    if (!value)
      return;
    if (auto argument = dyn_cast<BlockArgument>(value))
      addDims(/*isResult=*/false, argument.getArgNumber());
    for (OpOperand &use : value.getUses())
      if (isa<OpResult>(value) && isa<func::ReturnOp>(use.getOwner()))
        addDims(/*isResult=*/true, use.getOperandNumber());
  };
  add(op.getQuery(), queries, 1);
  add(op.getLambda(), queries, 1);
  add(op.getOutput(), queries, 1);
  add(op.getOutputInit(), queries, 1);
  add(op.getLse(), queries, 2);
  add(op.getLseInit(), queries, 2);
  add(op.getNoise(), queries, 1);
  add(op.getNoiseInit(), queries, 1);
  add(op.getKey(), keys, 1);
  add(op.getValue(), keys, 1);
  return {batch, queries, keys};
}

/// "differential attention (causal, 16 heads / 4 kv heads, d=128)"
static std::string describeOp(AttentionOp op) {
  std::string text =
      op.isDifferential() ? "differential attention (" : "plain attention (";
  llvm::raw_string_ostream os(text);
  MaskAttr mask = op.getEffectiveMask();
  auto printBound = [&](std::optional<int64_t> bound) {
    if (bound)
      os << *bound;
    else
      os << "*";
  };
  if (mask.isNone()) {
    os << "full";
  } else if (mask.isCausal()) {
    os << "causal";
  } else {
    os << "window ";
    printBound(mask.getLeft());
    os << ", ";
    printBound(mask.getRight());
  }
  os << ", " << op.getNumQueryHeads() << " heads / " << op.getNumKVHeads()
     << " kv heads, d=" << op.getHeadDim();
  if (op.getValueDim() != op.getHeadDim())
    os << ", dv=" << op.getValueDim();
  os << ")";
  return text;
}

AttentionSummary AttentionSummary::get(FunctionOpInterface entry) {
  AttentionSummary summary;
  entry.walk([&](AttentionOp op) {
    MaskAttr mask = op.getEffectiveMask();
    AttentionSite site;
    site.isDifferential = op.isDifferential();
    site.description = describeOp(op);
    site.numQueryHeads = op.getNumQueryHeads();
    site.numKVHeads = op.getNumKVHeads();
    site.headDim = op.getHeadDim();
    site.valueDim = op.getValueDim();
    site.maskLeft = mask.getLeft();
    site.maskRight = mask.getRight();
    site.scale = op.getEffectiveScale();
    if (std::optional<APFloat> softcap = op.getSoftcap())
      site.softcap = softcap->convertToDouble();
    site.equalSizes = getEqualSizes(op);
    site.batch = getSymbolicSize(entry, op.getQuery(), 0);
    site.queries = getSymbolicSize(entry, op.getQuery(), 1);
    site.keys = getSymbolicSize(entry, op.getKey(), 1);
    summary.sites.push_back(std::move(site));
  });
  return summary;
}

unsigned AttentionSummary::getNumDifferential() const {
  return llvm::count_if(
      sites, [](const AttentionSite &site) { return site.isDifferential; });
}

std::string AttentionSummary::describe(bool differentialOnly) const {
  llvm::MapVector<StringRef, unsigned> counts;
  for (const AttentionSite &site : sites)
    if (site.isDifferential || !differentialOnly)
      ++counts[site.description];
  std::string text;
  for (auto [description, count] : counts) {
    auto [kind, details] = description.split(" (");
    text += (text.empty() ? "" : ", ") + std::to_string(count) + " " +
            kind.str() + (count > 1 ? "s (" : " (") + details.str();
  }
  return text;
}

int64_t mlir::diffattn::countVisible(int64_t queries, int64_t keys,
                                     std::optional<int64_t> left,
                                     std::optional<int64_t> right) {
  int64_t visible = 0;
  for (int64_t i = 0; i < queries; ++i) {
    int64_t position = i + keys - queries;
    int64_t first = left ? std::max<int64_t>(0, position - *left) : 0;
    int64_t end = right ? std::min(keys, position + *right + 1) : keys;
    visible += std::max<int64_t>(0, end - first);
  }
  return visible;
}

std::optional<AttentionWork>
AttentionSummary::getWork(ArrayRef<SmallVector<int64_t>> argumentShapes) const {
  if (sites.empty())
    return std::nullopt;
  AttentionWork work;
  for (const AttentionSite &site : sites) {
    if (!site.batch || !site.queries || !site.keys)
      return std::nullopt;
    double scores = double(site.batch->evaluate(argumentShapes)) *
                    site.numQueryHeads *
                    countVisible(site.queries->evaluate(argumentShapes),
                                 site.keys->evaluate(argumentShapes),
                                 site.maskLeft, site.maskRight);
    work.flops += 2 * scores * (site.headDim + site.valueDim);
    work.exponentials += scores;
  }
  return work;
}
