//===- Values.cpp - What tile IR computes with ----------------------------===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Values.h"

#include <cstring>

using namespace mlir;
using namespace mlir::diffattn;
using namespace mlir::diffattn::reference;

namespace {
template <typename T>
T readAs(const char *bytes) {
  T value;
  std::memcpy(&value, bytes, sizeof(T));
  return value;
}
template <typename T>
void writeAs(char *bytes, T value) {
  std::memcpy(bytes, &value, sizeof(T));
}
} // namespace

Slot reference::decode(DType dtype, const char *bytes) {
  Slot slot;
  switch (dtype) {
  case DType::F16:
    slot.f = f16ToDouble(readAs<uint16_t>(bytes));
    return slot;
  case DType::BF16:
    slot.f = bf16ToDouble(readAs<uint16_t>(bytes));
    return slot;
  case DType::F32:
    slot.f = readAs<float>(bytes);
    return slot;
  case DType::F64:
    slot.f = readAs<double>(bytes);
    return slot;
  case DType::I1:
  case DType::I8:
    slot.i = readAs<int8_t>(bytes);
    return slot;
  case DType::I16:
    slot.i = readAs<int16_t>(bytes);
    return slot;
  case DType::I32:
    slot.i = readAs<int32_t>(bytes);
    return slot;
  case DType::I64:
  case DType::Index:
    slot.i = readAs<int64_t>(bytes);
    return slot;
  }
  llvm_unreachable("all element types are covered");
}

void reference::encode(DType dtype, Slot value, char *bytes) {
  switch (dtype) {
  case DType::F16:
    return writeAs(bytes, doubleToF16(value.f));
  case DType::BF16:
    return writeAs(bytes, doubleToBF16(value.f));
  case DType::F32:
    return writeAs(bytes, static_cast<float>(value.f));
  case DType::F64:
    return writeAs(bytes, value.f);
  case DType::I1:
  case DType::I8:
    return writeAs(bytes, static_cast<int8_t>(value.i));
  case DType::I16:
    return writeAs(bytes, static_cast<int16_t>(value.i));
  case DType::I32:
    return writeAs(bytes, static_cast<int32_t>(value.i));
  case DType::I64:
  case DType::Index:
    return writeAs(bytes, value.i);
  }
}

double reference::roundTo(DType dtype, double value) {
  switch (dtype) {
  case DType::F16:
    return f16ToDouble(doubleToF16(value));
  case DType::BF16:
    return bf16ToDouble(doubleToBF16(value));
  case DType::F32:
    return static_cast<float>(value);
  default:
    return value;
  }
}

void reference::roundAll(Type elementType, MutableArrayRef<Slot> elements) {
  if (!isa<FloatType>(elementType))
    return;
  DType dtype = *getDType(elementType);
  for (Slot &slot : elements)
    slot.f = roundTo(dtype, slot.f);
}
