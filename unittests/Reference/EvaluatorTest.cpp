//===- EvaluatorTest.cpp - The evaluator's interface ----------------------===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What the ops mean is tested in test/Reference; here is what only the C++
// interface shows.
//
//===----------------------------------------------------------------------===//

#include "diffattn/Reference/Evaluator.h"
#include "diffattn/Dialect/DiffAttn/IR/DiffAttn.h"
#include "diffattn/Reference/Compare.h"
#include "diffattn/Reference/Inputs.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Parser/Parser.h"
#include "gtest/gtest.h"
#include <set>

using namespace mlir;
using namespace mlir::diffattn::reference;

namespace {
class Evaluator : public testing::Test {
protected:
  Evaluator() {
    context.loadDialect<arith::ArithDialect, func::FuncDialect,
                        linalg::LinalgDialect, scf::SCFDialect,
                        tensor::TensorDialect, diffattn::DiffAttnDialect>();
  }
  func::FuncOp parse(StringRef text) {
    module = parseSourceString<ModuleOp>(text, &context);
    EXPECT_TRUE(module);
    return llvm::cantFail(findEntry(*module, ""));
  }
  std::string error(func::FuncOp entry, ArrayRef<Array> args,
                    const EvaluatorOptions &options = {}) {
    auto results = evaluate(entry, args, options);
    return results ? "" : llvm::toString(results.takeError());
  }

  MLIRContext context;
  OwningOpRef<ModuleOp> module;
};
} // namespace

static constexpr StringLiteral attention = R"mlir(
  func.func @f(%q: tensor<2x33x4x8xf32>, %k: tensor<2x40x1x8xf32>,
               %v: tensor<2x40x1x8xf32>, %l: tensor<2x33x2xf32>)
      -> (tensor<2x33x2x8xf32>, tensor<2x4x33xf32>) {
    %o = tensor.empty() : tensor<2x33x2x8xf32>
    %s = tensor.empty() : tensor<2x4x33xf32>
    %r:2 = diffattn.attention query(%q : tensor<2x33x4x8xf32>)
        key(%k : tensor<2x40x1x8xf32>) value(%v : tensor<2x40x1x8xf32>)
        lambda(%l : tensor<2x33x2xf32>) outs(%o : tensor<2x33x2x8xf32>)
        lse(%s : tensor<2x4x33xf32>) mask<causal>
    return %r#0, %r#1 : tensor<2x33x2x8xf32>, tensor<2x4x33xf32>
  })mlir";

TEST_F(Evaluator, RowSampleEvaluatesThoseRowsOnly) {
  func::FuncOp entry = parse(attention);
  ASSERT_TRUE(canSampleRows(entry));
  InputOptions inputs;
  inputs.inputs = {"random:1"};
  auto args = llvm::cantFail(makeInputs(entry.getFunctionType(), inputs));
  auto all = llvm::cantFail(evaluate(entry, args));
  EvaluatorOptions options;
  options.rowSample = RowSample::random(2, 33, 9, /*seed=*/5);
  auto some = llvm::cantFail(evaluate(entry, args, options));
  int64_t perRow[] = {2 * 8, 4};
  for (auto [i, result] : llvm::enumerate(some)) {
    Comparison c = llvm::cantFail(compareArrays(all[i], result));
    EXPECT_EQ(c.numCompared, 9 * perRow[i]);
    EXPECT_EQ(c.numSkipped, (66 - 9) * perRow[i]);
    EXPECT_TRUE(c.passes(0)) << c.str();
  }
}

TEST_F(Evaluator, RowSamplesAreDistinctAndHaveTheEnds) {
  RowSample sample = RowSample::random(3, 100, 17, 1);
  std::set<std::pair<int64_t, int64_t>> rows(sample.rows.begin(),
                                             sample.rows.end());
  EXPECT_EQ(rows.size(), 17u);
  EXPECT_TRUE(rows.count({0, 0}));
  EXPECT_TRUE(rows.count({2, 99}));
  EXPECT_EQ(RowSample::random(2, 3, 100, 1).rows.size(), 6u);
}

TEST_F(Evaluator, NoSampleWhereResultsAreUsed) {
  func::FuncOp entry = parse(R"mlir(
    func.func @f(%q: tensor<1x3x1x8xf32>) -> tensor<1x3x1x8xf32> {
      %e = tensor.empty() : tensor<1x3x1x8xf32>
      %o = diffattn.attention query(%q : tensor<1x3x1x8xf32>)
          key(%q : tensor<1x3x1x8xf32>) value(%q : tensor<1x3x1x8xf32>)
          outs(%e : tensor<1x3x1x8xf32>)
      %n = arith.negf %o : tensor<1x3x1x8xf32>
      return %n : tensor<1x3x1x8xf32>
    })mlir");
  EXPECT_FALSE(canSampleRows(entry));
  Array q = llvm::cantFail(Array::create(DType::F32, {1, 3, 1, 8}));
  EvaluatorOptions options;
  options.rowSample = RowSample{{{0, 1}}};
  auto results = llvm::cantFail(evaluate(entry, q, options));
  EXPECT_EQ(results[0].getDouble(0), 0);
}

TEST_F(Evaluator, ResultTypes) {
  func::FuncOp entry = parse(R"mlir(
    func.func @f(%x: bf16, %i: i8, %n: index) -> (bf16, i8, index, i1) {
      %c = arith.cmpi eq, %n, %n : index
      %y = arith.mulf %x, %x : bf16
      %j = arith.addi %i, %i : i8
      return %y, %j, %n, %c : bf16, i8, index, i1
    })mlir");
  SmallVector<Array> args;
  for (DType dtype : {DType::BF16, DType::I8, DType::Index})
    args.push_back(llvm::cantFail(Array::create(dtype, {})));
  args[0].setDouble(0, 1.0078125);
  args[1].setInt(0, 100);
  args[2].setInt(0, 3);
  auto results = llvm::cantFail(evaluate(entry, args));
  ASSERT_EQ(results.size(), 4u);
  EXPECT_EQ(results[0].getTypeString(), "f64");
  EXPECT_EQ(results[0].getDouble(0), 1.0078125 * 1.0078125);
  EXPECT_EQ(results[1].getTypeString(), "i8");
  EXPECT_EQ(results[1].getInt(0), -56);
  EXPECT_EQ(results[2].getTypeString(), "index");
  EXPECT_EQ(results[3].getInt(0), 1);
}

TEST_F(Evaluator, ArgumentsAreChecked) {
  func::FuncOp entry = parse(R"mlir(
    func.func @f(%x: tensor<2xf32>) -> tensor<2xf32> {
      return %x : tensor<2xf32>
    })mlir");
  EXPECT_EQ(error(entry, {}), "function 'f' expects 1 arguments, but got 0");
  Array three = llvm::cantFail(Array::create(DType::F32, {3}));
  EXPECT_NE(error(entry, three).find("shape 3"), std::string::npos);
  Array ints = llvm::cantFail(Array::create(DType::I32, {2}));
  EXPECT_EQ(error(entry, ints),
            "function 'f' cannot take argument 0 of type 2xi32");
}

TEST_F(Evaluator, Limits) {
  func::FuncOp entry = parse(R"mlir(
    func.func @f(%n: index) -> tensor<?xf32> {
      %e = tensor.empty(%n) : tensor<?xf32>
      return %e : tensor<?xf32>
    })mlir");
  Array n = llvm::cantFail(Array::create(DType::Index, {}));
  n.setInt(0, 1 << 20);
  EvaluatorOptions options;
  options.maxElements = 1000;
  EXPECT_NE(error(entry, n, options)
                .find("'tensor.empty' op cannot be "
                      "evaluated: array of shape 1048576"),
            std::string::npos);
  n.setInt(0, -1);
  EXPECT_NE(error(entry, n).find("negative size"), std::string::npos);

  entry = parse(R"mlir(
    func.func @f() {
      %true = arith.constant true
      scf.while : () -> () {
        scf.condition(%true)
      } do {
        scf.yield
      }
      return
    })mlir");
  options.maxSteps = 1000;
  EXPECT_NE(error(entry, {}, options).find("given up after 1000 steps"),
            std::string::npos);
}
