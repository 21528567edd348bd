//===- Values.h - What tile IR computes with --------------------*- C++ -*-===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef DIFFATTN_LIB_REFERENCE_TILE_VALUES_H
#define DIFFATTN_LIB_REFERENCE_TILE_VALUES_H

#include "../Tensor.h"
#include "diffattn/Dialect/Tile/IR/Tile.h"
#include "diffattn/Reference/Array.h"
#include <variant>
#include <vector>

namespace mlir::diffattn::reference {

/// A parameter of the kernel in global memory.
struct GlobalArray {
  unsigned number;
  DType dtype;
  SmallVector<int64_t> shape, strides;
  std::vector<char> bytes;
  /// Per element: whether its value is defined, and which warp of which block
  /// wrote it (counted from 1).
  std::vector<bool> isDefined;
  std::vector<int64_t> writer;

  int64_t getNumElements() const { return isDefined.size(); }
};

/// A memref: part of a parameter.
struct GlobalView {
  GlobalArray *array = nullptr;
  int64_t offset = 0;
  SmallVector<int64_t> sizes, strides;

  /// The place of an element in the array.
  int64_t getPosition(ArrayRef<int64_t> index) const {
    int64_t position = offset;
    for (auto [i, stride] : llvm::zip_equal(index, strides))
      position += i * stride;
    return position;
  }
};

/// A buffer in shared memory, or one slot of a ring.
struct SharedBuffer {
  tile::AllocOp alloc;
  tile::BufferType type;
  /// Of the first byte.
  int64_t address = 0;
  int64_t slot = 0;
  /// Tells buffers apart, and those that one alloc makes in a loop.
  int64_t identity = 0;
};

/// Barriers with phases; the first one's number among those of the kernel.
struct BarrierArray {
  unsigned first = 0;
};

/// A tensor that is not defined, and why. Nothing but control flow may use it.
struct Poison {
  std::string why;
};

/// A product under way, the `number`-th of its team.
struct PendingProduct {
  uint32_t number = 0;
  std::variant<Tensor, Poison> result;
};

using RuntimeValue = std::variant<Tensor, GlobalView, SharedBuffer,
                                  BarrierArray, PendingProduct, Poison>;

/// One element in memory, as a slot and back; floats are rounded.
Slot decode(DType dtype, const char *bytes);
void encode(DType dtype, Slot value, char *bytes);
/// The nearest value of the type.
double roundTo(DType dtype, double value);
/// Rounds all elements if the type is a float.
void roundAll(Type elementType, MutableArrayRef<Slot> elements);

} // namespace mlir::diffattn::reference

#endif // DIFFATTN_LIB_REFERENCE_TILE_VALUES_H
