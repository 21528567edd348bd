//===- Array.cpp - Dense array of the reference evaluator -----------------===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "diffattn/Reference/Array.h"

#include "mlir/IR/BuiltinTypes.h"
#include "llvm/ADT/bit.h"
#include "llvm/Support/MathExtras.h"
#include "llvm/Support/raw_ostream.h"
#include <cmath>
#include <cstdlib>
#include <cstring>

using namespace mlir;
using namespace mlir::diffattn;
using namespace mlir::diffattn::reference;

//===----------------------------------------------------------------------===//
// Element types and shapes
//===----------------------------------------------------------------------===//

unsigned reference::getByteWidth(DType dtype) {
  switch (dtype) {
  case DType::I1:
  case DType::I8:
    return 1;
  case DType::F16:
  case DType::BF16:
  case DType::I16:
    return 2;
  case DType::F32:
  case DType::I32:
    return 4;
  case DType::F64:
  case DType::I64:
  case DType::Index:
    return 8;
  }
  llvm_unreachable("unknown dtype");
}

bool reference::isFloat(DType dtype) { return dtype <= DType::F64; }

StringRef reference::stringifyDType(DType dtype) {
  static constexpr StringLiteral names[] = {
      "f16", "bf16", "f32", "f64", "i1", "i8", "i16", "i32", "i64", "index"};
  return names[static_cast<unsigned>(dtype)];
}

std::optional<DType> reference::getDType(Type type) {
  if (type.isF16())
    return DType::F16;
  if (type.isBF16())
    return DType::BF16;
  if (type.isF32())
    return DType::F32;
  if (type.isF64())
    return DType::F64;
  if (type.isIndex())
    return DType::Index;
  for (auto [width, dtype] : {std::pair(1, DType::I1),
                              {8, DType::I8},
                              {16, DType::I16},
                              {32, DType::I32},
                              {64, DType::I64}})
    if (type.isSignlessInteger(width))
      return dtype;
  return std::nullopt;
}

std::string reference::stringifyShape(ArrayRef<int64_t> shape) {
  if (shape.empty())
    return "()";
  std::string text;
  llvm::raw_string_ostream os(text);
  llvm::interleave(shape, os, "x");
  return text;
}

llvm::Expected<int64_t> reference::checkedNumElements(ArrayRef<int64_t> shape,
                                                      int64_t maxElements) {
  auto fail = [&](const Twine &why) {
    return llvm::createStringError("array of shape " + stringifyShape(shape) +
                                   " " + why);
  };
  // A zero anywhere makes the product zero, whatever would overflow before it.
  bool isEmpty = llvm::is_contained(shape, 0);
  int64_t count = isEmpty ? 0 : 1;
  for (int64_t size : shape) {
    if (size < 0)
      return fail("has a negative size");
    if (!isEmpty &&
        (llvm::MulOverflow(count, size, count) || count > maxElements))
      return fail("has more than the " + Twine(maxElements) +
                  " elements allowed");
  }
  return count;
}

//===----------------------------------------------------------------------===//
// 16-bit floats
//===----------------------------------------------------------------------===//

/// Rounds to a float of one sign bit, `exponentBits` and `mantissaBits`
/// directly from double: going through f32 would round twice.
template <unsigned exponentBits, unsigned mantissaBits>
static uint16_t roundToSmallFloat(double value) {
  constexpr int bias = (1 << (exponentBits - 1)) - 1;
  constexpr uint64_t infinity = ((uint64_t(1) << exponentBits) - 1)
                                << mantissaBits;
  uint64_t bits = llvm::bit_cast<uint64_t>(value);
  uint64_t sign = (bits >> 63) << (exponentBits + mantissaBits);
  int exponent = (bits >> 52) & 0x7ff;
  uint64_t mantissa = bits & ((uint64_t(1) << 52) - 1);
  if (exponent == 0x7ff) {
    uint64_t quietBit = mantissa ? uint64_t(1) << (mantissaBits - 1) : 0;
    return sign | infinity | quietBit;
  }
  // Doubles that small round to zero in any 16-bit format.
  if (exponent == 0)
    return sign;
  mantissa |= uint64_t(1) << 52;
  int biased = exponent - 1023 + bias;
  // A subnormal result loses one more bit per step below the least exponent.
  int shift = 52 - mantissaBits + (biased <= 0 ? 1 - biased : 0);
  if (shift > 53)
    return sign;
  uint64_t rounded = mantissa >> shift;
  uint64_t rest = mantissa & ((uint64_t(1) << shift) - 1);
  uint64_t half = uint64_t(1) << (shift - 1);
  if (rest > half || (rest == half && (rounded & 1)))
    ++rounded;
  // The mantissa's leading one adds one to the exponent field, and a carry out
  // of rounding one more: that is right for subnormals, too.
  uint64_t base = biased <= 0 ? 0 : uint64_t(biased - 1) << mantissaBits;
  return sign | std::min(base + rounded, infinity);
}

uint16_t reference::doubleToF16(double value) {
  return roundToSmallFloat<5, 10>(value);
}

uint16_t reference::doubleToBF16(double value) {
  return roundToSmallFloat<8, 7>(value);
}

double reference::bf16ToDouble(uint16_t bits) {
  return llvm::bit_cast<float>(uint32_t(bits) << 16);
}

double reference::f16ToDouble(uint16_t bits) {
  uint32_t sign = uint32_t(bits & 0x8000) << 16;
  uint32_t rest = uint32_t(bits & 0x7fff) << 13;
  if ((bits & 0x7c00) == 0x7c00)
    return llvm::bit_cast<float>(sign | 0x7f800000 | rest);
  // Read with f32's exponent bias, the value is off by 2^(127-15) exactly, and
  // subnormals come out normalised.
  float magnitude = llvm::bit_cast<float>(rest) * 0x1p112f;
  return llvm::bit_cast<uint32_t>(magnitude) == 0 && sign ? -0.0
         : sign                                           ? -magnitude
                                                          : magnitude;
}

//===----------------------------------------------------------------------===//
// Array
//===----------------------------------------------------------------------===//

void Array::Free::operator()(char *pointer) const { std::free(pointer); }

/// Zeroed bytes at a 64-byte boundary (vector code may rely on it), or null.
static char *allocateBytes(size_t numBytes) {
  size_t rounded = llvm::alignTo(std::max<size_t>(numBytes, 1), 64);
  void *pointer = std::aligned_alloc(64, rounded);
  if (pointer)
    std::memset(pointer, 0, rounded);
  return static_cast<char *>(pointer);
}

llvm::Expected<Array> Array::create(DType dtype, ArrayRef<int64_t> shape,
                                    int64_t maxElements) {
  llvm::Expected<int64_t> count = checkedNumElements(shape, maxElements);
  if (!count)
    return count.takeError();
  Array array;
  array.shape.assign(shape.begin(), shape.end());
  array.numElements = *count;
  array.dtype = dtype;
  array.storage.reset(allocateBytes(array.getNumBytes()));
  if (!array.storage)
    return llvm::createStringError("out of memory for an array of type " +
                                   array.getTypeString());
  return array;
}

Array::Array(const Array &other) { *this = other; }

Array &Array::operator=(const Array &other) {
  if (this == &other)
    return *this;
  shape = other.shape;
  numElements = other.numElements;
  dtype = other.dtype;
  storage.reset();
  if (!other.storage)
    return *this;
  storage.reset(allocateBytes(getNumBytes()));
  if (!storage)
    llvm::report_bad_alloc_error("copy of an array");
  std::memcpy(storage.get(), other.storage.get(), getNumBytes());
  return *this;
}

double Array::getDouble(int64_t position) const {
  switch (dtype) {
  case DType::F16:
    return f16ToDouble(dataAs<uint16_t>()[position]);
  case DType::BF16:
    return bf16ToDouble(dataAs<uint16_t>()[position]);
  case DType::F32:
    return dataAs<float>()[position];
  case DType::F64:
    return dataAs<double>()[position];
  default:
    return static_cast<double>(getInt(position));
  }
}

void Array::setDouble(int64_t position, double value) {
  switch (dtype) {
  case DType::F16:
    dataAs<uint16_t>()[position] = doubleToF16(value);
    return;
  case DType::BF16:
    dataAs<uint16_t>()[position] = doubleToBF16(value);
    return;
  case DType::F32:
    dataAs<float>()[position] = static_cast<float>(value);
    return;
  case DType::F64:
    dataAs<double>()[position] = value;
    return;
  default:
    setInt(position, static_cast<int64_t>(value));
  }
}

int64_t Array::getInt(int64_t position) const {
  switch (dtype) {
  case DType::I1:
    return dataAs<uint8_t>()[position] & 1;
  case DType::I8:
    return dataAs<int8_t>()[position];
  case DType::I16:
    return dataAs<int16_t>()[position];
  case DType::I32:
    return dataAs<int32_t>()[position];
  case DType::I64:
  case DType::Index:
    return dataAs<int64_t>()[position];
  default:
    return static_cast<int64_t>(getDouble(position));
  }
}

void Array::setInt(int64_t position, int64_t value) {
  switch (dtype) {
  case DType::I1:
    dataAs<uint8_t>()[position] = value & 1;
    return;
  case DType::I8:
    dataAs<int8_t>()[position] = static_cast<int8_t>(value);
    return;
  case DType::I16:
    dataAs<int16_t>()[position] = static_cast<int16_t>(value);
    return;
  case DType::I32:
    dataAs<int32_t>()[position] = static_cast<int32_t>(value);
    return;
  case DType::I64:
  case DType::Index:
    dataAs<int64_t>()[position] = value;
    return;
  default:
    setDouble(position, static_cast<double>(value));
  }
}

void Array::readDoubles(double *out) const {
  // One switch for all elements where it matters, so that the loops vectorise.
  if (dtype == DType::F32)
    std::copy_n(dataAs<float>(), numElements, out);
  else if (dtype == DType::F64)
    std::copy_n(dataAs<double>(), numElements, out);
  else
    for (int64_t i = 0; i < numElements; ++i)
      out[i] = getDouble(i);
}

void Array::writeDoubles(const double *in) {
  if (dtype == DType::F32)
    std::transform(in, in + numElements, dataAs<float>(),
                   [](double value) { return static_cast<float>(value); });
  else if (dtype == DType::F64)
    std::copy_n(in, numElements, dataAs<double>());
  else
    for (int64_t i = 0; i < numElements; ++i)
      setDouble(i, in[i]);
}

Array Array::convertTo(DType to) const {
  if (to == dtype)
    return *this;
  Array result = llvm::cantFail(
      create(to, shape, std::max<int64_t>(numElements, defaultMaxElements)));
  bool viaInt = !isFloat(to) && !isFloat(dtype);
  for (int64_t i = 0; i < numElements; ++i)
    viaInt ? result.setInt(i, getInt(i)) : result.setDouble(i, getDouble(i));
  return result;
}

std::string Array::getTypeString() const {
  std::string text = shape.empty() ? "" : stringifyShape(shape) + "x";
  return text + stringifyDType(dtype).str();
}

//===----------------------------------------------------------------------===//
// Random values
//===----------------------------------------------------------------------===//

/// The finaliser of SplitMix64: a bijection whose outputs of consecutive inputs
/// pass for independent.
static uint64_t mix(uint64_t x) {
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
  x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
  return x ^ (x >> 31);
}

/// The sum of twelve uniforms, less its mean: variance one, normal for every
/// purpose here, and exact in integers where a Box-Muller transform would
/// differ in the last bit between mathematical libraries.
static double standardNormal(uint64_t stream, uint64_t position) {
  uint64_t sum = 0;
  for (uint64_t k = 0; k < 6; ++k) {
    uint64_t word = mix(stream + (6 * position + k + 1) * 0x9e3779b97f4a7c15);
    sum += (word >> 32) + (word & 0xffffffff);
  }
  return static_cast<double>(static_cast<int64_t>(sum - (uint64_t(6) << 32))) *
         0x1p-32;
}

void reference::fillRandom(Array &array, uint64_t seed, uint64_t index) {
  uint64_t stream = mix(mix(seed) + index * 0x9e3779b97f4a7c15 + 1);
  bool isFloating = isFloat(array.getDType());
  for (int64_t i = 0, e = array.getNumElements(); i < e; ++i) {
    if (isFloating)
      array.setDouble(i, standardNormal(stream, i));
    else
      array.setInt(i, mix(stream + i) >> 61);
  }
}
