//===- VectorLoops.h - Shared by the vector lowerings -----------*- C++ -*-===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What the lowerings of contractions and of other linalg ops have in common:
// which dimensions become vector lanes, loops around them, and access to
// operands at a lane offset.
//
// *Lanes*: the longest suffix of the output's dimensions that is static,
// contiguous in memory, and for every other operand either a suffix of its
// dimensions too (then it is loaded as vectors) or entirely absent (then a
// scalar is loaded and broadcast). The suffix is treated as one flat dimension:
// (pair, branch, row) of a score tile are simply so many lanes.
//
//===----------------------------------------------------------------------===//

#ifndef DIFFATTN_LIB_CPU_VECTORLOOPS_H
#define DIFFATTN_LIB_CPU_VECTORLOOPS_H

#include "diffattn/Target/TargetDescription.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/IRMapping.h"

namespace mlir::diffattn {

/// One operand of a linalg op on buffers, prepared for access by lanes.
struct LaneOperand {
  /// The buffer, its lane dimensions collapsed to one; or a scalar.
  Value source;
  /// Loop dimensions that index it, without the lane dimensions.
  SmallVector<unsigned> dims;
  bool hasLanes = false;
  bool isScalar = false;
};

/// A linalg op on buffers seen as loops around vector lanes.
struct LaneLoops {
  linalg::LinalgOp op;
  /// Loop dimensions that make up the lanes, outermost first.
  SmallVector<unsigned> laneDims;
  SmallVector<int64_t> laneSizes;
  /// Product of `laneSizes`.
  int64_t numLanes = 1;
  /// Inputs, then outputs.
  SmallVector<LaneOperand> operands;
  /// Trip count of every loop dimension.
  SmallVector<OpFoldResult> sizes;

  bool isLane(unsigned dim) const { return llvm::is_contained(laneDims, dim); }
  LaneOperand &output(unsigned i) { return operands[op.getNumDpsInputs() + i]; }
};

/// Analyses `op`, and on success emits the collapsed views and sizes before it.
FailureOr<LaneLoops> analyzeLanes(linalg::LinalgOp op, OpBuilder &b);

/// The largest power of two up to `maxLanes` that divides `numLanes`.
int64_t getVectorLength(int64_t numLanes, int64_t maxLanes);

/// Runs `body` in loops over `dims` of the given sizes (those of size 1 need
/// none); `ivs` holds an index for every loop dimension seen so far.
void buildLoops(OpBuilder &b, Location loc, ArrayRef<OpFoldResult> sizes,
                ArrayRef<unsigned> dims, SmallVectorImpl<Value> &ivs,
                function_ref<void(OpBuilder &)> body);

/// Indices of `operand` at `ivs`, with `lane` for its lane dimension.
SmallVector<Value> getIndices(const LaneOperand &operand, ArrayRef<Value> ivs,
                              Value lane);

/// Loads `length` lanes of `operand`, or broadcasts its scalar.
Value loadLanes(OpBuilder &b, Location loc, const LaneOperand &operand,
                ArrayRef<Value> ivs, Value lane, int64_t length);

/// Lowers an f32 product-and-sum with one operand along lanes and one without.
LogicalResult lowerContraction(linalg::LinalgOp op, const CPUTarget &target,
                               RewriterBase &rewriter);

/// Lowers a product-and-sum of bf16 pairs to matrix tiles, where the target has
/// them.
LogicalResult lowerPairContraction(linalg::LinalgOp op, const CPUTarget &target,
                                   RewriterBase &rewriter);

/// Makes a function that uses matrix tiles ask the system for them.
void requestTilePermission(func::FuncOp func);

/// Lowers an elementwise op whose output is contiguous along another dimension
/// than an input.
LogicalResult lowerTransposing(linalg::LinalgOp op, const CPUTarget &target,
                               RewriterBase &rewriter);

/// True where every op of the body has a vector form.
bool hasVectorBody(linalg::LinalgOp op);

/// Emits the body of `op` on vectors of `length`. `values` maps block
/// arguments; `emitIndex` gives the vector for linalg.index of a dimension.
/// Returns what is yielded.
SmallVector<Value>
emitVectorBody(OpBuilder &b, linalg::LinalgOp op, IRMapping &values,
               int64_t length,
               function_ref<Value(OpBuilder &, unsigned)> emitIndex);

/// Lowers any other linalg op that has lanes.
LogicalResult lowerElementwise(linalg::LinalgOp op, const CPUTarget &target,
                               RewriterBase &rewriter);

} // namespace mlir::diffattn

#endif // DIFFATTN_LIB_CPU_VECTORLOOPS_H
