//===- CompareTest.cpp - Error of an array against a reference ------------===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "diffattn/Reference/Compare.h"
#include "diffattn/Reference/Evaluator.h"
#include "gtest/gtest.h"
#include <cmath>

using namespace mlir::diffattn::reference;

static Array makeArray(DType dtype, llvm::ArrayRef<int64_t> shape,
                       llvm::ArrayRef<double> values) {
  Array array = llvm::cantFail(Array::create(dtype, shape));
  for (auto [i, value] : llvm::enumerate(values))
    array.setDouble(i, value);
  return array;
}

static Comparison compare(llvm::ArrayRef<double> actual,
                          llvm::ArrayRef<double> reference) {
  int64_t size = actual.size();
  return llvm::cantFail(
      compareArrays(makeArray(DType::F64, {1, size}, actual),
                    makeArray(DType::F64, {1, size}, reference)));
}

TEST(Compare, Errors) {
  Comparison c = compare({1, 2, -4.5}, {1, 2.25, -4});
  EXPECT_EQ(c.numCompared, 3);
  EXPECT_DOUBLE_EQ(c.maxAbsError, 0.5);
  EXPECT_DOUBLE_EQ(c.maxRelError, 0.125);
  EXPECT_DOUBLE_EQ(c.rmsRelError,
                   std::sqrt(0.0625 + 0.25) / std::sqrt(1 + 5.0625 + 16));
  EXPECT_EQ(c.worstIndex, (llvm::SmallVector<int64_t>{0, 2}));
  EXPECT_EQ(c.worstActual, -4.5);
  EXPECT_EQ(c.worstReference, -4);
  EXPECT_TRUE(c.passes(0.125));
  EXPECT_FALSE(c.passes(0.12));
}

TEST(Compare, SpecialValues) {
  double nan = NAN, inf = INFINITY;
  EXPECT_TRUE(compare({nan, inf, -inf, 0}, {-nan, inf, -inf, 0}).passes(0));
  Comparison c = compare({nan, inf, 0, 5, 1e9}, {0, -inf, inf, nan, 0});
  EXPECT_EQ(c.numClassMismatches, 4);
  EXPECT_EQ(c.worstIndex, (llvm::SmallVector<int64_t>{0, 0}));
  EXPECT_FALSE(c.passes(1e300));
  // Any error against zeros is infinite.
  EXPECT_FALSE(compare({1e-30}, {0}).passes(1e300));
}

TEST(Compare, NotEvaluatedIsSkipped) {
  Comparison c = compare({7, 2, 1}, {getNotEvaluated(), 2, 1});
  EXPECT_EQ(c.numSkipped, 1);
  EXPECT_EQ(c.numCompared, 2);
  EXPECT_TRUE(c.passes(0));
  EXPECT_FALSE(isNotEvaluated(NAN));
}

TEST(Compare, ShapesMustAgree) {
  llvm::Expected<Comparison> c = compareArrays(
      makeArray(DType::F32, {2, 1}, {}), makeArray(DType::F64, {1, 2}, {}));
  EXPECT_EQ(llvm::toString(c.takeError()),
            "expected shape 1x2 to compare, but found 2x1");
}

TEST(Compare, DefaultTolerancesOrdered) {
  EXPECT_LT(getDefaultTolerance(DType::F64), getDefaultTolerance(DType::F32));
  EXPECT_LT(getDefaultTolerance(DType::F32), getDefaultTolerance(DType::F16));
  EXPECT_LT(getDefaultTolerance(DType::F16), getDefaultTolerance(DType::BF16));
}
