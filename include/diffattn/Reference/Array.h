//===- Array.h - Dense array of the reference evaluator ---------*- C++ -*-===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What goes into and comes out of the evaluator, compiled programs and .npy
// files: a shape, an element type and contiguous row-major bytes. Conversions
// round to nearest, ties to even, as every IEEE unit does.
//
//===----------------------------------------------------------------------===//

#ifndef DIFFATTN_REFERENCE_ARRAY_H
#define DIFFATTN_REFERENCE_ARRAY_H

#include "mlir/IR/Types.h"
#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

namespace mlir::diffattn::reference {

/// Element types, named as MLIR spells them. An i1 and an i8 take one byte, an
/// index eight.
enum class DType : uint8_t {
  F16,
  BF16,
  F32,
  F64,
  I1,
  I8,
  I16,
  I32,
  I64,
  Index
};

/// Bytes of one element.
unsigned getByteWidth(DType dtype);
/// True for f16, bf16, f32 and f64.
bool isFloat(DType dtype);
/// "bf16", "i32", ...
llvm::StringRef stringifyDType(DType dtype);
/// The dtype of a scalar MLIR type, if it is one of the above.
std::optional<DType> getDType(Type type);

/// Arrays with more elements than this are refused unless the caller says
/// otherwise: a typing error in a shape must not exhaust the machine.
constexpr int64_t defaultMaxElements = int64_t(1) << 31;

/// The number of elements of `shape`, or an error if a size is negative, the
/// product overflows or exceeds `maxElements`.
llvm::Expected<int64_t>
checkedNumElements(llvm::ArrayRef<int64_t> shape,
                   int64_t maxElements = defaultMaxElements);

/// "2x64x8", or "()" for a scalar.
std::string stringifyShape(llvm::ArrayRef<int64_t> shape);

/// A dense array. Rank 0 holds one element. Copies are deep; data is aligned to
/// 64 bytes.
class Array {
public:
  /// An empty array of shape (0).
  Array() : shape({0}) {}
  /// A zero-filled array, or an error for an absurd or unavailable size.
  static llvm::Expected<Array> create(DType dtype,
                                      llvm::ArrayRef<int64_t> shape,
                                      int64_t maxElements = defaultMaxElements);
  Array(const Array &other);
  Array(Array &&) = default;
  Array &operator=(const Array &other);
  Array &operator=(Array &&) = default;

  DType getDType() const { return dtype; }
  llvm::ArrayRef<int64_t> getShape() const { return shape; }
  int64_t getRank() const { return shape.size(); }
  int64_t getNumElements() const { return numElements; }
  size_t getNumBytes() const { return numElements * getByteWidth(dtype); }

  char *data() { return storage.get(); }
  const char *data() const { return storage.get(); }
  template <typename T>
  T *dataAs() {
    return reinterpret_cast<T *>(storage.get());
  }
  template <typename T>
  const T *dataAs() const {
    return reinterpret_cast<const T *>(storage.get());
  }

  /// One element by its row-major position. Doubles are rounded to the dtype,
  /// integers wrap to its width; an i1 reads as 0 or 1.
  double getDouble(int64_t position) const;
  void setDouble(int64_t position, double value);
  int64_t getInt(int64_t position) const;
  void setInt(int64_t position, int64_t value);

  /// Bulk access: all elements as doubles, and back.
  void readDoubles(double *out) const;
  void writeDoubles(const double *in);

  /// The same values in another element type.
  Array convertTo(DType to) const;

  /// "2x64x8xbf16".
  std::string getTypeString() const;

private:
  struct Free {
    void operator()(char *pointer) const;
  };
  llvm::SmallVector<int64_t> shape;
  int64_t numElements = 0;
  DType dtype = DType::F64;
  std::unique_ptr<char[], Free> storage;
};

/// Fills `array` with standard normal values rounded to its dtype (integers:
/// uniform in [0, 8), i1 in [0, 2)). The same on every platform for the same
/// `seed`; `index` gives the arguments of one call different streams.
void fillRandom(Array &array, uint64_t seed, uint64_t index);

/// Bit patterns of 16-bit floats, rounded to nearest even; NaN stays NaN.
uint16_t doubleToF16(double value);
uint16_t doubleToBF16(double value);
double f16ToDouble(uint16_t bits);
double bf16ToDouble(uint16_t bits);

} // namespace mlir::diffattn::reference

#endif // DIFFATTN_REFERENCE_ARRAY_H
