//===- ScheduleTableTest.cpp - The table in the source tree ---------------===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "diffattn/Target/ScheduleTable.h"

#include "gtest/gtest.h"

using namespace mlir::diffattn;

TEST(ScheduleTable, builtinIsWellFormed) {
  auto table = ScheduleTable::load("");
  EXPECT_TRUE(bool(table)) << llvm::toString(table.takeError());
}

TEST(ScheduleTable, noneHasNoRows) {
  auto table = ScheduleTable::load("none");
  ASSERT_TRUE(bool(table));
  EXPECT_TRUE(table->getRows().empty());
}

TEST(ScheduleTable, classesOfShapes) {
  GPUProblem problem{
      /*branches=*/2, /*pairsPerGroup=*/4, 128, 64, std::nullopt,
      std::nullopt,   /*masked=*/false};
  auto shape = [&] { return getShapeClass(problem); };
  EXPECT_EQ(shape(), (GPUShapeClass{2, 128, 64, "none"}));
  problem.masked = true;
  EXPECT_EQ(shape(), (GPUShapeClass{2, 128, 64, "causal"}));
  problem.window = 511;
  EXPECT_EQ(shape(), (GPUShapeClass{2, 128, 64, "window", 512}));
  problem.window = 0;
  EXPECT_EQ(shape(), (GPUShapeClass{2, 128, 64, "window", 1}));
  problem.window = 513;
  problem.queryLength = 1024;
  EXPECT_EQ(shape(), (GPUShapeClass{2, 128, 64, "window", 1024, 1024}));
  problem.window = (int64_t(1) << 49) + 1;
  EXPECT_EQ(shape().window, int64_t(1) << 50);
}
