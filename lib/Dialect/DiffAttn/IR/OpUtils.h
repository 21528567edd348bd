//===- OpUtils.h - Shared by the ops of the dialect -------------*- C++ -*-===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Verification and tiling that `online_attention` and `finalize` share. Both
// describe their operands by permutation maps over one iteration space, so one
// implementation, given a table of operands, serves both.
//
//===----------------------------------------------------------------------===//

#ifndef DIFFATTN_LIB_DIALECT_DIFFATTN_IR_OPUTILS_H
#define DIFFATTN_LIB_DIALECT_DIFFATTN_IR_OPUTILS_H

#include "diffattn/Dialect/DiffAttn/IR/DiffAttn.h"

namespace mlir::diffattn {

/// One operand of an op with indexing maps: its name in messages, its value
/// (null if absent) and the iteration dimensions it must be indexed by.
struct MappedOperand {
  StringRef name;
  Value value;
  SmallVector<unsigned> dims;
};

/// True for f16, bf16 and f32: what query, key, value and outputs may hold.
bool isSupportedFloat(Type type);

/// Checks that `attr` is finite and positive, if it is there.
LogicalResult verifyPositive(Operation *op, StringRef rule, StringRef name,
                             FloatAttr attr);

/// Checks the maps (rule `mapRule`) and that operands agree on the size of
/// every dimension they share (rule `sizeRule`).
LogicalResult verifyMappedOperands(Operation *op,
                                   ArrayRef<MappedOperand> operands,
                                   ArrayAttr maps, unsigned numDims,
                                   ArrayRef<StringRef> dimNames,
                                   StringRef mapRule, StringRef sizeRule);

/// The size of iteration dimension `dim`, read off the first operand that has
/// it.
OpFoldResult getMappedDimSize(OpBuilder &b, Location loc,
                              ArrayRef<MappedOperand> operands,
                              ArrayRef<AffineMap> maps, unsigned dim);

/// Offsets and sizes of the slice of an operand with `map` that a tile
/// (`offsets`, `sizes` over all iteration dimensions) touches.
void getMappedSlice(AffineMap map, ArrayRef<OpFoldResult> offsets,
                    ArrayRef<OpFoldResult> sizes,
                    SmallVectorImpl<OpFoldResult> &sliceOffsets,
                    SmallVectorImpl<OpFoldResult> &sliceSizes);

/// tensor.extract_slice with unit strides.
Value extractTile(OpBuilder &b, Location loc, Value source,
                  ArrayRef<OpFoldResult> offsets, ArrayRef<OpFoldResult> sizes);

/// The inverse of getMappedSlice for a result tile: fills the iteration tile
/// from the domain `domain` and the result's own tile.
void getIterationTileFromMapped(AffineMap map, ArrayRef<Range> domain,
                                ArrayRef<OpFoldResult> resultOffsets,
                                ArrayRef<OpFoldResult> resultSizes,
                                SmallVectorImpl<OpFoldResult> &offsets,
                                SmallVectorImpl<OpFoldResult> &sizes);

/// The tile of `op` that computes the given tile of its result `resultNumber`,
/// with that result alone: `generateResultTileValue` of every op here.
FailureOr<TilingResult> tileResult(TilingInterface op, OpBuilder &b,
                                   unsigned resultNumber,
                                   ArrayRef<OpFoldResult> offsets,
                                   ArrayRef<OpFoldResult> sizes);

/// Sum and difference of index values, folded where possible.
OpFoldResult addOfr(OpBuilder &b, Location loc, OpFoldResult lhs,
                    OpFoldResult rhs);
OpFoldResult subOfr(OpBuilder &b, Location loc, OpFoldResult lhs,
                    OpFoldResult rhs);
OpFoldResult mulOfr(OpBuilder &b, Location loc, OpFoldResult lhs,
                    int64_t factor);

/// In a linalg body: 2^(from - to), the factor that takes a value relative to
/// the running maximum `from` to the maximum `to >= from`. While no key was
/// seen both are -inf; the factor is 0 then, not NaN.
Value buildRescale(OpBuilder &b, Location loc, Value from, Value to);

/// `max`, or 0 where it is -inf: safe to subtract from a hidden score's -inf.
Value buildSafeMax(OpBuilder &b, Location loc, Value max);

/// Row-major map: the identity restricted to `dims`, in their order.
AffineMap getOrderedMap(MLIRContext *context, unsigned numDims,
                        ArrayRef<unsigned> dims);

} // namespace mlir::diffattn

#endif // DIFFATTN_LIB_DIALECT_DIFFATTN_IR_OPUTILS_H
