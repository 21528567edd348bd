//===- Evaluator.h - Float64 reference evaluator ----------------*- C++ -*-===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Interprets functions on tensors: what the IR means, apart from every
// lowering. Every float is a double and every float cast the identity, so the
// result is the ideal one that any rounding implementation approximates;
// integers wrap at their width. Uninitialised tensors hold NaN, so reading them
// shows.
//
// Understands func, arith, math, tensor, linalg (any structured op), scf,
// affine index arithmetic and diffattn ops, each from its definition. All
// phases down to tiled linalg can thus be compared with the operator they came
// from.
//
//===----------------------------------------------------------------------===//

#ifndef DIFFATTN_REFERENCE_EVALUATOR_H
#define DIFFATTN_REFERENCE_EVALUATOR_H

#include "diffattn/Reference/Array.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace mlir::diffattn::reference {

/// Query rows of `diffattn.attention` to evaluate, as (batch, row).
struct RowSample {
  llvm::SmallVector<std::pair<int64_t, int64_t>> rows;

  /// `count` different rows of `numBatches` x `numRows`, or all if there are
  /// no more; always with the first and the last row, where masks are special.
  static RowSample random(int64_t numBatches, int64_t numRows, int64_t count,
                          uint64_t seed);
};

struct EvaluatorOptions {
  /// Tensors with more elements are an error.
  int64_t maxElements = defaultMaxElements;
  /// Ops that may run before the evaluation is given up (endless loops).
  int64_t maxSteps = int64_t(1) << 30;
  /// Evaluate only these query rows of an attention op that canSampleRows
  /// holds for; the others get the value `getNotEvaluated`, which
  /// compareArrays skips.
  std::optional<RowSample> rowSample;
};

/// The NaN that stands for an element left out by a RowSample.
double getNotEvaluated();
bool isNotEvaluated(double value);

/// True if every result of `entry` comes straight from a `diffattn.attention`,
/// so that a RowSample has an effect and leaves no row half evaluated.
bool canSampleRows(func::FuncOp entry);

/// Calls `entry` with `args`, one per argument (scalars have rank 0), and
/// returns its results: floats as f64, integers in their own type. Fails on a
/// mismatch of arguments, on an op or type it does not know, on a failed
/// cf.assert and on out-of-bounds accesses; the message names op and location.
llvm::Expected<llvm::SmallVector<Array>>
evaluate(func::FuncOp entry, llvm::ArrayRef<Array> args,
         const EvaluatorOptions &options = {});

} // namespace mlir::diffattn::reference

#endif // DIFFATTN_REFERENCE_EVALUATOR_H
