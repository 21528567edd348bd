//===- Tensor.h - Values inside the evaluator -------------------*- C++ -*-===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// While it runs, the evaluator holds every element in eight bytes: floats as
// double, integers as int64 in the canonical form of IntegerKind. Scalars are
// tensors of rank 0. Which of the two a slot holds is known from the MLIR type.
//
//===----------------------------------------------------------------------===//

#ifndef DIFFATTN_LIB_REFERENCE_TENSOR_H
#define DIFFATTN_LIB_REFERENCE_TENSOR_H

#include "mlir/IR/BuiltinTypes.h"
#include "llvm/ADT/SmallVector.h"
#include <cstdint>
#include <memory>

namespace mlir::diffattn::reference {

union Slot {
  double f;
  int64_t i;
};

/// True for the scalars that fit a slot: floats, signless integers and indices
/// of at most 64 bits.
inline bool isSupportedScalar(Type type) {
  return type.isIndex() ||
         ((isa<FloatType>(type) || type.isSignlessInteger()) &&
          type.getIntOrFloatBitWidth() <= 64);
}

/// True for those, and ranked tensors of them.
inline bool isSupportedType(Type type) {
  if (auto tensor = dyn_cast<RankedTensorType>(type))
    return isSupportedScalar(tensor.getElementType());
  return isSupportedScalar(type);
}

/// How an integer of some width lies in an int64: sign-extended, except that an
/// i1 is 0 or 1.
struct IntegerKind {
  unsigned width;

  explicit IntegerKind(Type type)
      : width(isa<IndexType>(type) ? 64 : type.getIntOrFloatBitWidth()) {}
  /// The canonical form of the low bits of `value`.
  int64_t wrap(int64_t value) const {
    if (width >= 64)
      return value;
    uint64_t low = static_cast<uint64_t>(value) << (64 - width);
    return width == 1 ? low >> 63 : static_cast<int64_t>(low) >> (64 - width);
  }
  /// A canonical value read as two's complement: only i1 differs.
  int64_t asSigned(int64_t value) const { return width == 1 ? -value : value; }
  uint64_t asUnsigned(int64_t value) const {
    uint64_t bits = value;
    return width >= 64 ? bits : bits & ((uint64_t(1) << width) - 1);
  }
};

/// A dense row-major tensor. Copies share elements until one is written.
class Tensor {
public:
  Tensor() = default;
  /// Uninitialised elements; the caller has checked the size.
  explicit Tensor(ArrayRef<int64_t> shape) : shape(shape.begin(), shape.end()) {
    for (int64_t size : shape)
      numElements *= size;
    slots.reset(new Slot[std::max<int64_t>(numElements, 1)]);
  }
  static Tensor scalar(double value) {
    Tensor result{ArrayRef<int64_t>()};
    result.slots[0].f = value;
    return result;
  }
  static Tensor scalarInt(int64_t value) {
    Tensor result{ArrayRef<int64_t>()};
    result.slots[0].i = value;
    return result;
  }

  static Tensor splat(ArrayRef<int64_t> shape, double value) {
    Tensor result(shape);
    for (int64_t i = 0; i < result.numElements; ++i)
      result.slots[i].f = value;
    return result;
  }

  ArrayRef<int64_t> getShape() const { return shape; }
  int64_t getRank() const { return shape.size(); }
  int64_t getNumElements() const { return numElements; }

  const Slot *data() const { return slots.get(); }
  const double *doubles() const { return &slots[0].f; }
  int64_t getInt() const { return slots[0].i; }
  double getDouble() const { return slots[0].f; }

  /// Elements for writing; copies them first if another tensor shares them.
  Slot *mutableData() {
    if (slots.use_count() != 1) {
      Tensor copy(shape);
      std::copy_n(data(), numElements, copy.slots.get());
      *this = std::move(copy);
    }
    return slots.get();
  }
  double *mutableDoubles() { return &mutableData()->f; }

  /// The same elements in another shape of as many elements.
  Tensor reshaped(ArrayRef<int64_t> newShape) const {
    Tensor result = *this;
    result.shape.assign(newShape.begin(), newShape.end());
    return result;
  }

  /// Distance in elements between neighbours along each dimension.
  SmallVector<int64_t> getStrides() const {
    SmallVector<int64_t> strides(shape.size(), 1);
    for (int64_t d = int64_t(shape.size()) - 2; d >= 0; --d)
      strides[d] = strides[d + 1] * shape[d + 1];
    return strides;
  }

private:
  SmallVector<int64_t> shape;
  int64_t numElements = 1;
  std::shared_ptr<Slot[]> slots;
};

} // namespace mlir::diffattn::reference

#endif // DIFFATTN_LIB_REFERENCE_TENSOR_H
