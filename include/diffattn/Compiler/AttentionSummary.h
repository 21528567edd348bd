//===- AttentionSummary.h - What attention a program does -------*- C++ -*-===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Taken from the fused form, where each attention is one op: a sentence for
// the user, and the work to divide a running time by.
//
//===----------------------------------------------------------------------===//

#ifndef DIFFATTN_COMPILER_ATTENTIONSUMMARY_H
#define DIFFATTN_COMPILER_ATTENTIONSUMMARY_H

#include "mlir/IR/AffineMap.h"
#include "mlir/Interfaces/FunctionInterfaces.h"
#include <optional>
#include <string>
#include <vector>

namespace mlir::diffattn {
class AttentionOp;

/// Work of attention: both products, and one exponential per visible score.
struct AttentionWork {
  double flops = 0;
  double exponentials = 0;
};

/// A size, as a function of the sizes of the entry's arguments.
struct SymbolicSize {
  AffineMap map;
  /// Argument and dimension that each of the map's inputs stands for.
  SmallVector<std::pair<unsigned, unsigned>> operands;

  int64_t evaluate(ArrayRef<SmallVector<int64_t>> argumentShapes) const;
};

/// A dimension of an argument or a result of the entry.
struct BoundaryDim {
  bool isResult;
  unsigned index, dim;
};

/// One attention op of the entry.
struct AttentionSite {
  bool isDifferential;
  /// "differential attention (causal, 16 heads / 4 kv heads, d=128)"
  std::string description;
  int64_t numQueryHeads, numKVHeads, headDim, valueDim;
  std::optional<int64_t> maskLeft, maskRight;
  double scale;
  std::optional<double> softcap;
  /// Dimensions of arguments and results that are one size: batch, queries and
  /// keys.
  std::vector<SmallVector<BoundaryDim>> equalSizes;
  /// Batch, queries, keys; absent where they are no function of the arguments.
  std::optional<SymbolicSize> batch, queries, keys;
};

struct AttentionSummary {
  std::vector<AttentionSite> sites;

  static AttentionSummary get(FunctionOpInterface entry);

  unsigned getNumDifferential() const;
  /// The descriptions, equal ones counted: "2 differential attentions (…)".
  std::string describe(bool differentialOnly) const;
  /// The work for arguments of these shapes; nullopt if there is no attention
  /// or a size is unknown.
  std::optional<AttentionWork>
  getWork(ArrayRef<SmallVector<int64_t>> argumentShapes) const;
};

/// The number of (query, key) pairs that a mask shows.
int64_t countVisible(int64_t queries, int64_t keys, std::optional<int64_t> left,
                     std::optional<int64_t> right);

} // namespace mlir::diffattn

#endif // DIFFATTN_COMPILER_ATTENTIONSUMMARY_H
