//===- SharedLayoutTest.cpp - Swizzles against the tensor copy engine -----===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "diffattn/Dialect/Tile/IR/Tile.h"
#include "gtest/gtest.h"
#include <set>

using namespace mlir;
using namespace mlir::diffattn::tile;

namespace {

class SharedLayoutTest : public testing::Test {
protected:
  SharedLayoutTest() { context.loadDialect<TileDialect>(); }
  MLIRContext context;
};

/// The tables of the PTX ISA, "Swizzling modes": rows of 128 bytes are eight
/// chunks of 16 bytes. In the n-th 128-byte row of a pattern, chunk c lies at
///   128B: c ^ n,  patterns of 8 rows;
///   64B:  c ^ n within each half row of 4 chunks, patterns of 4 rows;
///   32B:  c ^ n within each quarter row of 2 chunks, patterns of 2 rows.
int64_t swizzleByTable(int64_t byte, int64_t span) {
  int64_t chunksOfSpan = span / 16, row = byte / 128, chunk = byte % 128 / 16;
  int64_t first = chunk / chunksOfSpan * chunksOfSpan;
  int64_t moved = (chunk - first) ^ (row % chunksOfSpan);
  return row * 128 + (first + moved) * 16 + byte % 16;
}

} // namespace

TEST_F(SharedLayoutTest, SwizzleByTable) {
  for (int64_t span : {32, 64, 128}) {
    auto layout = SharedAttr::get(&context, {{0, 4096, 1}}, span);
    std::set<int64_t> image;
    for (int64_t byte = 0; byte < 4096; ++byte) {
      int64_t moved = layout.applySwizzle(byte);
      EXPECT_EQ(moved, swizzleByTable(byte, span));
      EXPECT_EQ(layout.applySwizzle(moved), byte);
      EXPECT_EQ(moved & ~layout.getSwizzleMask(),
                byte & ~layout.getSwizzleMask());
      image.insert(moved);
    }
    EXPECT_EQ(image.size(), 4096u);
  }
  auto plain = SharedAttr::get(&context, {{0, 64, 1}}, 0);
  EXPECT_EQ(plain.applySwizzle(1234), 1234);
}

TEST_F(SharedLayoutTest, OperandLayoutIsPanelsOfRows) {
  // A panel has the columns of one span; rows follow each other in it.
  struct Case {
    int64_t columns, span;
  };
  for (Case c :
       {Case{128, 128}, Case{64, 128}, Case{256, 128}, Case{192, 128},
        Case{96, 64}, Case{32, 64}, Case{80, 32}, Case{16, 32}, Case{24, 0}})
    for (int64_t rows : {16, 64, 80}) {
      SharedAttr layout =
          getOperandLayout(&context, {{0, rows, 1}}, 1, c.columns, 2);
      ASSERT_EQ(layout.getSwizzle(), c.span);
      EXPECT_EQ(layout.getContiguousDim(), 1);
      int64_t panel = c.span ? c.span / 2 : c.columns;
      std::set<int64_t> bytes;
      for (int64_t row = 0; row < rows; ++row)
        for (int64_t column = 0; column < c.columns; ++column) {
          int64_t element =
              (column / panel * rows + row) * panel + column % panel;
          int64_t expected =
              c.span ? swizzleByTable(2 * element, c.span) : 2 * element;
          EXPECT_EQ(layout.getByteOffset({row, column}, 2), expected);
          bytes.insert(expected);
        }
      EXPECT_EQ(static_cast<int64_t>(bytes.size()), rows * c.columns);
    }
}

TEST_F(SharedLayoutTest, RowsOfAChunkColumnLieInDifferentBanks) {
  // ldmatrix reads eight 16-byte rows at a time: without conflicts they are the
  // eight quads of banks. So do the eight chunks that a group of 8 lanes writes
  // of one row.
  for (int64_t columns : {16, 32, 64, 80, 96, 128, 192, 256})
    for (bool paired : {false, true}) {
      Digits rows = {{0, 64, 1}};
      if (paired)
        rows = {{0, 8, 1}, {1, 2, 1}, {0, 4, 8}};
      SharedAttr layout = getOperandLayout(&context, rows, 2, columns, 2);
      int64_t numRows = getNumIndices(rows);
      for (int64_t chunk = 0; chunk < columns / 8; ++chunk)
        for (int64_t first = 0; first < numRows; first += 8) {
          std::set<int64_t> quads;
          for (int64_t row = first; row < first + 8; ++row) {
            SmallVector<int64_t> point = {0, 0, 8 * chunk};
            addCoordinates(rows, row, point);
            quads.insert(layout.getByteOffset(point, 2) / 16 % 8);
          }
          EXPECT_EQ(quads.size(), 8u);
        }
    }
}

TEST_F(SharedLayoutTest, ChunksStayWhole) {
  SharedAttr layout = getOperandLayout(&context, {{0, 64, 1}}, 1, 96, 2);
  for (int64_t row = 0; row < 64; ++row)
    for (int64_t column = 0; column < 96; ++column)
      EXPECT_EQ(layout.getByteOffset({row, column}, 2),
                layout.getByteOffset({row, column / 8 * 8}, 2) +
                    column % 8 * 2);
}

TEST_F(SharedLayoutTest, BufferSizes) {
  SharedAttr layout = getOperandLayout(&context, {{0, 80, 1}}, 1, 96, 2);
  auto type = BufferType::get(&context, 3, {80, 96},
                              BFloat16Type::get(&context), layout);
  EXPECT_EQ(type.getElementBytes(), 2);
  EXPECT_EQ(type.getSlotBytes(), 15360);
  EXPECT_EQ(type.getTotalBytes(), 3 * 15360);
  EXPECT_EQ(type.getSlotType().getSlots(), 1);
  auto odd = BufferType::get(&context, 2, {9, 16}, BFloat16Type::get(&context),
                             getOperandLayout(&context, {{0, 9, 1}}, 1, 16, 2));
  EXPECT_EQ(odd.getSlotBytes(), 1024);
}
