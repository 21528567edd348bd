//===- MatchRoles.cpp - What the dimensions of attention mean -------------===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "MatchRoles.h"

#include "llvm/ADT/DenseSet.h"

using namespace mlir;
using namespace mlir::diffattn;

namespace {
using VarSet = llvm::SmallDenseSet<unsigned, 8>;

/// The state of one attempt.
struct RoleAssigner {
  IndexVars &vars;
  AttentionMatch &match;
  unsigned key, headDim;
  std::optional<Digits> knownRow = std::nullopt;

  VarSet inQuery = {}, inKey = {}, inValue = {};
  Digits valueDim = {};
  /// Query's dimensions but for the head dimension.
  SmallVector<Digits> dims = {};

  bool collectOccurrences();
  unsigned getPreferredRowDim() const;
  bool isShared(unsigned var) const {
    return inQuery.contains(var) && inKey.contains(var) &&
           inValue.contains(var);
  }
  bool isQueryOnly(unsigned var) const {
    return inQuery.contains(var) && !inKey.contains(var) &&
           !inValue.contains(var);
  }
  bool tryAssign(std::optional<unsigned> batchDim,
                 std::optional<unsigned> rowDim);
  bool assign();
};
} // namespace

static VarSet getVars(const Layout &layout) {
  VarSet set;
  for (const Digits &digits : layout)
    set.insert(digits.begin(), digits.end());
  return set;
}

bool RoleAssigner::collectOccurrences() {
  inQuery = getVars(match.queryLayout);
  inKey = getVars(match.keyLayout);
  inValue = getVars(match.valueLayout);
  for (const Digits &digits : match.queryLayout)
    if (digits != Digits{headDim})
      dims.push_back(digits);
  bool hasHeadDim = dims.size() + 1 == match.queryLayout.size() &&
                    llvm::is_contained(match.keyLayout, Digits{headDim});
  if (!hasHeadDim || !llvm::is_contained(match.keyLayout, Digits{key}) ||
      !llvm::is_contained(match.valueLayout, Digits{key}) ||
      inValue.contains(headDim))
    return false;
  // One dimension of value varies with nothing else.
  for (const Digits &digits : match.valueLayout) {
    bool isOwn = !digits.empty() && llvm::all_of(digits, [&](unsigned var) {
      return var != key && !inQuery.contains(var) && !inKey.contains(var);
    });
    if (!isOwn)
      continue;
    if (!valueDim.empty())
      return false;
    valueDim = digits;
  }
  return !valueDim.empty();
}

/// Queries are laid out as the keys are, most of the time: tokens after the
/// batch, or tokens last.
unsigned RoleAssigner::getPreferredRowDim() const {
  unsigned position = 0, numDims = 0;
  for (const Digits &digits : match.keyLayout) {
    if (digits == Digits{headDim})
      continue;
    if (digits == Digits{key})
      position = numDims;
    ++numDims;
  }
  return position + 1 == numDims ? dims.size() - 1 : position;
}

bool RoleAssigner::tryAssign(std::optional<unsigned> batchDim,
                             std::optional<unsigned> rowDim) {
  Digits batch = batchDim ? dims[*batchDim] : Digits();
  Digits row = rowDim ? dims[*rowDim] : Digits();
  Digits heads;
  for (auto [i, digits] : llvm::enumerate(dims))
    if (batchDim != i && rowDim != i)
      llvm::append_range(heads, digits);
  if (!llvm::all_of(batch, [&](unsigned var) { return isShared(var); }) ||
      !llvm::all_of(row, [&](unsigned var) { return isQueryOnly(var); }) ||
      row.size() > 1 || (knownRow && row != *knownRow))
    return false;
  // KV heads come first, then the heads of a group.
  auto isKV = [&](unsigned var) { return isShared(var); };
  Digits kvHeads(heads.begin(), llvm::find_if_not(heads, isKV));
  if (!llvm::all_of(ArrayRef(heads).drop_front(kvHeads.size()),
                    [&](unsigned var) { return isQueryOnly(var); }))
    return false;

  match.queryTarget = {batch, row, heads, {headDim}};
  match.keyTarget = {batch, {key}, kvHeads, {headDim}};
  match.valueTarget = {batch, {key}, kvHeads, valueDim};
  match.outputTarget = {batch, row, heads, valueDim};
  return getVars(match.keyLayout) == getVars(match.keyTarget) &&
         getVars(match.valueLayout) == getVars(match.valueTarget) &&
         getVars(match.resultLayout) == getVars(match.outputTarget);
}

bool RoleAssigner::assign() {
  if (!collectOccurrences() || dims.size() > 4)
    return false;
  SmallVector<std::optional<unsigned>> rowDims, batchDims;
  auto addRow = [&](unsigned dim) {
    if (dim < dims.size() && !llvm::is_contained(rowDims, std::optional(dim)))
      rowDims.push_back(dim);
  };
  addRow(getPreferredRowDim());
  for (bool isUnit : {false, true})
    for (unsigned dim : {1u, 2u, 3u, 0u})
      if (dim < dims.size() && dims[dim].empty() == isUnit)
        addRow(dim);
  rowDims.push_back(std::nullopt);
  // With two dimensions besides the head dimension there is no batch, usually.
  if (dims.size() <= 2)
    batchDims.push_back(std::nullopt);
  for (unsigned dim = 0; dim < dims.size(); ++dim)
    batchDims.push_back(dim);
  if (dims.size() > 2)
    batchDims.push_back(std::nullopt);
  for (std::optional<unsigned> row : rowDims)
    for (std::optional<unsigned> batch : batchDims)
      if ((!row || row != batch) && tryAssign(batch, row))
        return true;
  return false;
}

std::optional<Roles> mlir::diffattn::assignRoles(IndexVars &vars,
                                                 const OperandSources &sources,
                                                 ArrayRef<AffineExpr> output,
                                                 const KnownVars &known,
                                                 AttentionMatch &match) {
  SmallVector<AffineExpr> indices(output);
  for (const Source *source : {sources.query, sources.key, sources.value})
    llvm::append_range(indices, source->at);
  if (!vars.splitDivided(indices))
    return std::nullopt;
  std::optional<Layout> query = getLayout(vars, *sources.query);
  std::optional<Layout> key = getLayout(vars, *sources.key);
  std::optional<Layout> value = getLayout(vars, *sources.value);
  std::optional<Digits> keyVar = vars.toDigits(known.key);
  std::optional<Digits> headDim = vars.toDigits(known.headDim);
  Type element = getElementTypeOrSelf(sources.query->tensor.getType());
  if (!query || !key || !value || !keyVar || !headDim || keyVar->size() != 1 ||
      headDim->size() != 1 ||
      !isa<Float32Type, Float16Type, BFloat16Type>(element) ||
      element != getElementTypeOrSelf(sources.key->tensor.getType()) ||
      element != getElementTypeOrSelf(sources.value->tensor.getType()))
    return std::nullopt;

  match.query = sources.query->tensor;
  match.key = sources.key->tensor;
  match.value = sources.value->tensor;
  match.queryLayout = *query;
  match.keyLayout = *key;
  match.valueLayout = *value;
  match.resultLayout.clear();
  for (AffineExpr index : output) {
    std::optional<Digits> digits = vars.toDigits(index);
    if (!digits)
      return std::nullopt;
    match.resultLayout.push_back(*digits);
  }
  RoleAssigner assigner{vars, match, keyVar->front(), headDim->front()};
  if (known.row) {
    assigner.knownRow = vars.toDigits(known.row);
    if (!assigner.knownRow)
      return std::nullopt;
  }
  if (!assigner.assign())
    return std::nullopt;
  Roles roles{keyVar->front(), headDim->front(), std::nullopt};
  if (!match.queryTarget[1].empty())
    roles.row = match.queryTarget[1].front();
  return roles;
}
