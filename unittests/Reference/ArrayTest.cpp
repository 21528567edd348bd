//===- ArrayTest.cpp - Arrays and rounding --------------------------------===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "diffattn/Reference/Array.h"
#include "llvm/ADT/APFloat.h"
#include "gtest/gtest.h"
#include <cmath>

using namespace mlir::diffattn::reference;
using llvm::APFloat;

/// What APFloat makes of `value` in `semantics`: an independent rounding.
static uint16_t roundWithAPFloat(double value,
                                 const llvm::fltSemantics &semantics) {
  APFloat number(value);
  bool losesInfo;
  number.convert(semantics, APFloat::rmNearestTiesToEven, &losesInfo);
  return number.bitcastToAPInt().getZExtValue();
}

TEST(Rounding, EveryHalfPrecisionValueAndMidpoint) {
  for (uint32_t bits = 0; bits < 0x10000; ++bits) {
    APFloat number(APFloat::IEEEhalf(), llvm::APInt(16, bits));
    if (number.isNaN()) {
      EXPECT_TRUE(std::isnan(f16ToDouble(bits)));
      EXPECT_TRUE(std::isnan(f16ToDouble(doubleToF16(f16ToDouble(bits)))));
      continue;
    }
    double value = number.convertToDouble();
    ASSERT_EQ(f16ToDouble(bits), value);
    ASSERT_EQ(std::signbit(f16ToDouble(bits)), std::signbit(value));
    ASSERT_EQ(doubleToF16(value), bits);
    if (std::isinf(value))
      continue;
    // Ties go to even, and the smallest step beside a tie decides it.
    double step = std::ldexp(1.0, std::max(std::ilogb(value), -14) - 11);
    double tie = value + (value == 0 ? 0x1p-25 : step);
    for (double x : {tie, std::nextafter(tie, 0), std::nextafter(tie, 1e9)})
      ASSERT_EQ(doubleToF16(x), roundWithAPFloat(x, APFloat::IEEEhalf())) << x;
  }
}

TEST(Rounding, EveryBFloatValueAndMidpoint) {
  for (uint32_t bits = 0; bits < 0x10000; ++bits) {
    APFloat number(APFloat::BFloat(), llvm::APInt(16, bits));
    if (number.isNaN()) {
      EXPECT_TRUE(std::isnan(bf16ToDouble(doubleToBF16(bf16ToDouble(bits)))));
      continue;
    }
    double value = number.convertToDouble();
    ASSERT_EQ(bf16ToDouble(bits), value);
    ASSERT_EQ(doubleToBF16(value), bits);
    if (std::isinf(value))
      continue;
    double step = std::ldexp(1.0, std::max(std::ilogb(value), -126) - 8);
    double tie = value + (value == 0 ? 0x1p-134 : step);
    for (double x : {tie, std::nextafter(tie, 0), std::nextafter(tie, 1e39)})
      ASSERT_EQ(doubleToBF16(x), roundWithAPFloat(x, APFloat::BFloat())) << x;
  }
}

TEST(Rounding, Extremes) {
  EXPECT_EQ(doubleToF16(65519.99), 0x7bff);
  EXPECT_EQ(doubleToF16(65520.0), 0x7c00);
  EXPECT_EQ(doubleToF16(-1e300), 0xfc00);
  EXPECT_EQ(doubleToF16(0x1p-25), 0x0000);
  EXPECT_EQ(doubleToF16(0x1.8p-25), 0x0001);
  EXPECT_EQ(doubleToF16(-0x1p-1060), 0x8000);
  EXPECT_EQ(doubleToBF16(HUGE_VAL), 0x7f80);
  // Rounding through f32 would give 0x3f82: 1 + 2^-7 + 2^-8 - 2^-40 is below
  // the tie.
  EXPECT_EQ(doubleToBF16(1 + 0x1p-7 + 0x1p-8 - 0x1p-40), 0x3f81);
}

TEST(Array, ElementsByDType) {
  for (DType dtype :
       {DType::F16, DType::BF16, DType::F32, DType::F64, DType::I1, DType::I8,
        DType::I16, DType::I32, DType::I64, DType::Index}) {
    Array array = llvm::cantFail(Array::create(dtype, {2, 3}));
    EXPECT_EQ(array.getNumElements(), 6);
    EXPECT_EQ(array.getNumBytes(), 6 * getByteWidth(dtype));
    EXPECT_EQ(reinterpret_cast<uintptr_t>(array.data()) % 64, 0u);
    array.setDouble(5, 1);
    EXPECT_EQ(array.getDouble(5), 1);
    EXPECT_EQ(array.getInt(5), 1);
    EXPECT_EQ(array.getDouble(4), 0);
    Array copy = array;
    copy.setInt(5, 0);
    EXPECT_EQ(array.getInt(5), 1);
    EXPECT_EQ(array.getTypeString(), "2x3x" + stringifyDType(dtype).str());
  }
}

TEST(Array, IntegersWrap) {
  Array array = llvm::cantFail(Array::create(DType::I8, {1}));
  array.setInt(0, 200);
  EXPECT_EQ(array.getInt(0), -56);
  EXPECT_EQ(array.convertTo(DType::I64).getInt(0), -56);
  EXPECT_EQ(array.convertTo(DType::BF16).getDouble(0), -56);
}

TEST(Array, BulkConversionsMatchElements) {
  for (DType dtype : {DType::F16, DType::BF16, DType::F32, DType::F64}) {
    Array array = llvm::cantFail(Array::create(dtype, {100}));
    fillRandom(array, 1, 0);
    std::vector<double> values(100);
    array.readDoubles(values.data());
    Array other = llvm::cantFail(Array::create(dtype, {100}));
    other.writeDoubles(values.data());
    for (int i = 0; i < 100; ++i) {
      EXPECT_EQ(values[i], array.getDouble(i));
      EXPECT_EQ(values[i], other.getDouble(i));
    }
  }
}

TEST(Array, AbsurdSizesAreErrors) {
  auto message = [](llvm::ArrayRef<int64_t> shape) {
    return llvm::toString(checkedNumElements(shape).takeError());
  };
  EXPECT_EQ(message({int64_t(1) << 40, int64_t(1) << 40}),
            "array of shape 1099511627776x1099511627776 has more than the "
            "2147483648 elements allowed");
  EXPECT_EQ(message({2, -1}), "array of shape 2x-1 has a negative size");
  EXPECT_EQ(llvm::cantFail(checkedNumElements({int64_t(1) << 62, 4, 0})), 0);
  EXPECT_EQ(llvm::cantFail(checkedNumElements({})), 1);
}

TEST(Random, StandardNormalAndReproducible) {
  Array a = llvm::cantFail(Array::create(DType::F64, {100000}));
  fillRandom(a, 7, 0);
  double sum = 0, squares = 0, fourth = 0;
  for (int64_t i = 0; i < a.getNumElements(); ++i) {
    double x = a.getDouble(i);
    sum += x;
    squares += x * x;
    fourth += x * x * x * x;
  }
  EXPECT_NEAR(sum / 1e5, 0, 0.02);
  EXPECT_NEAR(squares / 1e5, 1, 0.02);
  EXPECT_NEAR(fourth / 1e5, 3, 0.2);

  // The same values rounded in every dtype; other streams per seed and index.
  Array half = llvm::cantFail(Array::create(DType::F16, {8}));
  fillRandom(half, 7, 0);
  for (int i = 0; i < 8; ++i)
    EXPECT_EQ(half.getDouble(i), f16ToDouble(doubleToF16(a.getDouble(i))));
  Array b = llvm::cantFail(Array::create(DType::F64, {8})), c = b;
  fillRandom(b, 8, 0);
  fillRandom(c, 7, 1);
  EXPECT_NE(a.getDouble(0), b.getDouble(0));
  EXPECT_NE(a.getDouble(0), c.getDouble(0));
  EXPECT_NE(b.getDouble(0), c.getDouble(0));
}
