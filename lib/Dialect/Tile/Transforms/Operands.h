//===- Operands.h - What products read from global memory -------*- C++ -*-===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef DIFFATTN_LIB_DIALECT_TILE_TRANSFORMS_OPERANDS_H
#define DIFFATTN_LIB_DIALECT_TILE_TRANSFORMS_OPERANDS_H

#include "diffattn/Dialect/Tile/IR/Tile.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"

namespace mlir::diffattn::tile {

/// The digits of the row number of a product with accumulators `acc`: the first
/// eight rows of an instruction's block run along the innermost row dimension,
/// and a dimension that `select` picks from comes next, so that one thread
/// holds all of it (both branches of a pair). Reports an error at `dot`.
FailureOr<Digits> getProductRows(Operation *dot, RankedTensorType acc);

/// Whether `load` is read by products only, as their left or right operand.
bool feedsProducts(LoadOp load);

/// A view of a parameter as the copy engine sees it: a box at coordinates.
struct TensorMapAccess {
  /// The parameter of the kernel.
  BlockArgument argument;
  /// Dimensions of the parameter in the order of the box, outermost first.
  SmallVector<int64_t> dims;
  /// For each dimension of the tile, its place in `dims`.
  SmallVector<int64_t> tileDims;
  TensorMapType type;
  /// Where the tile starts: for each dimension of the box the sum of offsets of
  /// the view, times constants.
  struct Term {
    int64_t viewDim, scale;
  };
  SmallVector<SmallVector<Term>> coordinates;

  static OpFoldResult getOffset(Value view, Term term);
};

/// How to copy between `view` and a buffer of type `buffer`. Where the copy
/// engine cannot, `why` says what it expects.
FailureOr<TensorMapAccess> getTensorMapAccess(Value view, BufferType buffer,
                                              std::string &why);

/// The same elements of a matrix in the same places, but boxes of 1 / `parts`
/// of the rows. Null if swizzles would begin within one.
BufferType splitBoxes(BufferType buffer, int64_t parts);

/// A further parameter of the kernel, the map of `access`.
Value addTensorMap(gpu::GPUFuncOp kernel, const TensorMapAccess &access);

/// Where `view` starts in the map of `access`, each an i32. `clone` gives the
/// value of an offset at the builder's place.
SmallVector<Value> createMapCoordinates(OpBuilder &builder, Location loc,
                                        const TensorMapAccess &access,
                                        Value view,
                                        function_ref<Value(Value)> clone);

} // namespace mlir::diffattn::tile

#endif // DIFFATTN_LIB_DIALECT_TILE_TRANSFORMS_OPERANDS_H
