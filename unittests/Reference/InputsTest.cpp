//===- InputsTest.cpp - Arguments of a function from the command line -----===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "diffattn/Reference/Inputs.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/MLIRContext.h"
#include "gtest/gtest.h"

using namespace mlir;
using namespace mlir::diffattn::reference;

namespace {
class Inputs : public testing::Test {
protected:
  Inputs() : b(&context) {
    constexpr int64_t dyn = ShapedType::kDynamic;
    type =
        b.getFunctionType({RankedTensorType::get({1, dyn, 8}, b.getBF16Type()),
                           RankedTensorType::get({4}, b.getF32Type())},
                          {});
  }
  std::string error(InputOptions options) {
    auto arrays = makeInputs(type, options);
    return arrays ? "" : llvm::toString(arrays.takeError());
  }

  MLIRContext context;
  Builder b;
  FunctionType type;
};
} // namespace

TEST_F(Inputs, RandomForAll) {
  InputOptions options;
  options.inputs = {"random:3"};
  options.dynamicDim = 5;
  auto arrays = llvm::cantFail(makeInputs(type, options));
  ASSERT_EQ(arrays.size(), 2u);
  EXPECT_EQ(arrays[0].getTypeString(), "1x5x8xbf16");
  EXPECT_EQ(arrays[1].getTypeString(), "4xf32");

  options.shapes = {"0:1x7x8"};
  EXPECT_EQ(llvm::cantFail(makeInputs(type, options))[0].getTypeString(),
            "1x7x8xbf16");
}

TEST_F(Inputs, Errors) {
  InputOptions options;
  EXPECT_EQ(error(options), "expected one --input for each of 2 arguments or a "
                            "single --input=random:SEED, but got 0");
  options.inputs = {"random:1"};
  EXPECT_EQ(error(options),
            "argument 0 has type tensor<1x?x8xbf16>, whose dynamic sizes need "
            "--dynamic-dim=N or --shape=ARGUMENT:SIZES");
  options.shapes = {"2:1"};
  EXPECT_EQ(error(options), "--shape=2:1 names argument 2, but there are 2 "
                            "(counted from 0)");
  options.shapes = {"0:1xtwo"};
  EXPECT_EQ(error(options),
            "--shape=0:1xtwo has a size that is not a number: 'two'");
  options.shapes = {"4x4"};
  EXPECT_EQ(error(options),
            "--shape expects ARGUMENT:2x64x8x64, but got '4x4'");
  options.shapes = {"0:2x3x8"};
  EXPECT_EQ(error(options),
            "argument 0 expects tensor<1x?x8xbf16>, but got 2x3x8xbf16");
  options.shapes = {"0:1x99999999999x8"};
  EXPECT_EQ(error(options),
            "argument 0: array of shape 1x99999999999x8 has more "
            "than the 2147483648 elements allowed");
  options.shapes = {};
  options.inputs = {"random:x", "random:1"};
  EXPECT_EQ(error(options),
            "--input=random:SEED expects a number, but got 'x'");
  options.inputs = {"no-such.npy", "random:1"};
  EXPECT_EQ(error(options), "'no-such.npy': No such file or directory");
  options.shapes = {"0:1x1x8"};
  EXPECT_EQ(error(options), "--shape is for random arguments, but argument 0 "
                            "comes from 'no-such.npy'");
}

TEST_F(Inputs, UnsupportedType) {
  type = b.getFunctionType({b.getI32Type(), b.getIntegerType(7)}, {});
  InputOptions options;
  options.inputs = {"random:1"};
  EXPECT_EQ(
      error(options),
      "argument 1 has type i7, expected a scalar or ranked tensor of f16, "
      "bf16, f32, f64, i1, i8, i16, i32, i64 or index");
}
