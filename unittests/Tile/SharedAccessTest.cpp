//===- SharedAccessTest.cpp - Bank conflicts against brute force ----------===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

// Banks are played through wavefront by wavefront; accesses are compared with
// places that are worked out element by element.

#include "diffattn/Dialect/Tile/IR/SharedAccess.h"
#include "mlir/IR/Builders.h"
#include "gtest/gtest.h"
#include <map>
#include <random>
#include <set>

using namespace mlir;
using namespace mlir::diffattn::tile;

namespace {

/// Serves one group of lanes after the other: each wavefront takes a word from
/// each bank, until all words have been seen. The least number is one a group.
int64_t playBanks(ArrayRef<int64_t> offsets, int64_t bytes) {
  size_t group = bytes <= 4 ? 32 : bytes == 8 ? 16 : 8;
  int64_t beyond = 0;
  for (size_t first = 0; first < offsets.size(); first += group) {
    std::set<int64_t> wanted;
    for (size_t i = first; i < std::min(first + group, offsets.size()); ++i)
      for (int64_t byte = 0; byte < bytes; ++byte)
        wanted.insert((offsets[i] + byte) / 4);
    for (int64_t wavefronts = 0; !wanted.empty(); ++wavefronts) {
      std::set<int64_t> busy;
      for (auto it = wanted.begin(); it != wanted.end();)
        it = busy.insert(*it % 32).second ? wanted.erase(it) : std::next(it);
      beyond += wavefronts > 0;
    }
  }
  return beyond;
}

/// The element of a buffer at each of its bytes, from digits and swizzle
/// written out: chunks of 16 bytes, exclusive or with the number of the line.
std::map<int64_t, SmallVector<int64_t>> elementsByByte(BufferType buffer) {
  std::map<int64_t, SmallVector<int64_t>> elements;
  ArrayRef<Digit> digits = buffer.getLayout().getDigits();
  int64_t count = 1;
  for (int64_t size : buffer.getShape())
    count *= size;
  for (int64_t i = 0; i < count; ++i) {
    SmallVector<int64_t> point(buffer.getRank());
    int64_t rest = i;
    for (const Digit &digit : digits) {
      point[digit.dim] += rest % digit.extent * digit.stride;
      rest /= digit.extent;
    }
    int64_t byte = i * buffer.getElementBytes(), line = byte / 128,
            chunk = byte % 128 / 16,
            perSpan =
                std::max<int64_t>(buffer.getLayout().getSwizzle() / 16, 1);
    chunk ^= line % perSpan;
    elements[line * 128 + chunk * 16 + byte % 16] = point;
  }
  return elements;
}

class SharedAccessTest : public testing::Test {
protected:
  SharedAccessTest() { context.loadDialect<TileDialect>(); }

  BufferType getBuffer(ArrayRef<int64_t> shape, Type element, Digits digits,
                       int64_t swizzle) {
    return BufferType::get(
        &context, 1, shape, element,
        SharedAttr::get(&context, normalize(digits), swizzle));
  }

  /// Each register is accessed where its element is, and no access crosses
  /// into something else.
  static void checkVectors(RankedTensorType tensor, BufferType buffer,
                           ArrayRef<int64_t> offsets, int64_t bytes) {
    SharedAccess access = getVectorAccess(tensor, buffer, offsets);
    EXPECT_EQ(access.bytes, bytes);
    FragmentAttr layout = getLayout(tensor);
    auto elements = elementsByByte(buffer);
    int64_t width = bytes / buffer.getElementBytes();
    ASSERT_EQ(access.count * width, layout.getNumRegisters());
    ASSERT_EQ(access.threads, 32 * layout.getNumWarps());
    for (int64_t thread = 0; thread < access.threads; ++thread)
      for (int64_t reg = 0; reg < layout.getNumRegisters(); ++reg) {
        int64_t begin = access.getOffset(thread, reg / width);
        EXPECT_EQ(begin % bytes, 0);
        auto point = layout.getCoordinates(reg, thread % 32, thread / 32,
                                           tensor.getRank());
        for (auto [x, offset] : llvm::zip(point, offsets))
          x += offset;
        EXPECT_EQ(elements[begin + reg % width * buffer.getElementBytes()],
                  point);
      }
  }

  MLIRContext context;
  Builder builder{&context};
};

} // namespace

//===----------------------------------------------------------------------===//
// Banks
//===----------------------------------------------------------------------===//

TEST_F(SharedAccessTest, ConflictsByPlay) {
  std::mt19937 rng(1);
  for (int round = 0; round < 3000; ++round) {
    int64_t bytes = int64_t(1) << rng() % 5, stride = 1 + rng() % 40,
            lanes = 8 << rng() % 3;
    bool isRandom = rng() % 2;
    SmallVector<int64_t> offsets;
    for (int64_t lane = 0; lane < lanes; ++lane)
      offsets.push_back(bytes * (isRandom ? rng() % 256 : lane * stride));
    EXPECT_EQ(countBankConflicts(offsets, bytes), playBanks(offsets, bytes));
  }
}

TEST_F(SharedAccessTest, ConflictsThatAreKnown) {
  SmallVector<int64_t> rows, columns, same(32, 256);
  for (int64_t lane = 0; lane < 32; ++lane) {
    rows.push_back(4 * lane);
    columns.push_back(128 * lane);
  }
  EXPECT_EQ(countBankConflicts(rows, 4), 0);
  EXPECT_EQ(countBankConflicts(columns, 4), 31);
  EXPECT_EQ(countBankConflicts(same, 4), 0);
  // Four groups of eight lanes, each of which wants eight words of a bank.
  EXPECT_EQ(countBankConflicts(columns, 16), 4 * 7);
}

//===----------------------------------------------------------------------===//
// Matrices
//===----------------------------------------------------------------------===//

/// PTX ISA, "ldmatrix": matrix m of an access is at the addresses of lanes 8m
/// to 8m + 7; lane l receives elements 2 (l % 4) and the next of row l / 4, or
/// with .trans those two rows of column l / 4.
TEST_F(SharedAccessTest, MatricesAreWhereRegistersWantThem) {
  Type bf16 = builder.getBF16Type();
  for (int64_t columns : {64, 96, 128}) {
    SharedAttr layout = getOperandLayout(&context, {{0, 80, 1}}, 1, columns, 2);
    auto buffer = BufferType::get(&context, 1, {80, columns}, bf16, layout);
    auto elements = elementsByByte(buffer);
    for (bool transposed : {false, true}) {
      // Keys as n x k, values as k x n.
      int64_t nDim = transposed ? 1 : 0, kDim = 1 - nDim;
      SmallVector<int64_t> shape = {80, columns}, offsets = {0, 0};
      shape[kDim] = 16;
      offsets[kDim] = 32;
      auto tensor = RankedTensorType::get(
          shape, bf16,
          getColumnFragment(&context, nDim, shape[nDim], kDim, 16, 2));
      auto access = getMatrixAccess(tensor, buffer, offsets);
      ASSERT_TRUE(access);
      EXPECT_EQ(access->transposed, transposed);
      EXPECT_EQ(countBankConflicts(*access), 0);
      FragmentAttr fragment = getLayout(tensor);
      for (int64_t thread = 0; thread < access->threads; ++thread)
        for (int64_t reg = 0; reg < fragment.getNumRegisters(); ++reg) {
          int64_t lane = thread % 32, matrix = reg / 2,
                  row = transposed ? lane % 4 * 2 + reg % 2 : lane / 4,
                  column = transposed ? lane / 4 : lane % 4 * 2 + reg % 2;
          int64_t from =
              thread / 32 * 32 + 8 * (matrix % access->matricesPerAccess) + row;
          int64_t byte =
              access->getOffset(from, matrix / access->matricesPerAccess) +
              2 * column;
          auto point = fragment.getCoordinates(reg, lane, thread / 32, 2);
          point[kDim] += 32;
          EXPECT_EQ(elements[byte], point);
        }
    }
  }
}

TEST_F(SharedAccessTest, SwizzlesAreWhatKeepsMatricesFree) {
  // Rows of 128 bytes: without a swizzle all eight rows of a matrix want the
  // same banks, and a narrower swizzle moves only some of them apart.
  auto tensor =
      RankedTensorType::get({64, 16}, builder.getF16Type(),
                            getColumnFragment(&context, 0, 64, 1, 16, 1));
  const std::pair<int64_t, int64_t> perMatrix[] = {
      {0, 7}, {32, 3}, {64, 1}, {128, 0}};
  for (auto [swizzle, conflicts] : perMatrix) {
    BufferType buffer = getBuffer({64, 64}, builder.getF16Type(),
                                  {{1, 64, 1}, {0, 64, 1}}, swizzle);
    auto access = getMatrixAccess(tensor, buffer, {0, 0});
    ASSERT_TRUE(access);
    EXPECT_EQ(countBankConflicts(*access), 16 * conflicts);
  }
}

//===----------------------------------------------------------------------===//
// Vectors and copies
//===----------------------------------------------------------------------===//

TEST_F(SharedAccessTest, VectorsAreAsWideAsNeighboursGo) {
  Type f32 = builder.getF32Type(), bf16 = builder.getBF16Type();
  FragmentAttr acc = getRowFragment(&context, {{0, 64, 1}}, 1, 32, 4);
  // Two neighbours in a row; in a column, none.
  checkVectors(RankedTensorType::get({64, 32}, f32, acc),
               getBuffer({64, 32}, f32, {{1, 32, 1}, {0, 64, 1}}, 128), {0, 0},
               8);
  checkVectors(RankedTensorType::get({64, 32}, f32, acc),
               getBuffer({64, 32}, f32, {{0, 64, 1}, {1, 32, 1}}, 32), {0, 0},
               4);
  checkVectors(RankedTensorType::get({64, 32}, bf16, acc),
               getBuffer({64, 32}, bf16, {{1, 32, 1}, {0, 64, 1}}, 64), {0, 0},
               4);
  checkVectors(RankedTensorType::get({64, 32}, bf16, acc),
               getBuffer({64, 32}, bf16, {{0, 64, 1}, {1, 32, 1}}, 0), {0, 0},
               2);
  // A thread with eight in a row: 16 bytes at a time, unless they begin in
  // between.
  auto rows = FragmentAttr::get(&context, {{1, 8, 1}}, {{1, 2, 8}, {0, 16, 1}},
                                {{0, 2, 16}});
  auto buffer = getBuffer({40, 32}, f32, {{1, 32, 1}, {0, 40, 1}}, 128);
  checkVectors(RankedTensorType::get({32, 16}, f32, rows), buffer, {8, 16}, 16);
  checkVectors(RankedTensorType::get({32, 16}, f32, rows), buffer, {8, 2}, 8);
  checkVectors(RankedTensorType::get({32, 16}, f32, rows), buffer, {3, 3}, 4);
}

TEST_F(SharedAccessTest, CopiesFillTheBufferOnce) {
  for (auto [columns, swizzle] :
       {std::pair<int64_t, int64_t>{64, 128}, {32, 64}, {16, 32}})
    for (bool elementwise : {false, true}) {
      BufferType buffer = getBuffer({32, columns}, builder.getBF16Type(),
                                    {{1, columns, 1}, {0, 32, 1}}, swizzle);
      SharedAccess access = getCopyAccess(buffer, 2, elementwise);
      int64_t bytes = elementwise ? 2 : 16;
      EXPECT_EQ(access.bytes, bytes);
      std::set<int64_t> places;
      for (int64_t thread = 0; thread < access.threads; ++thread)
        for (int64_t i = 0; i < access.count; ++i)
          places.insert(access.getOffset(thread, i));
      EXPECT_EQ(static_cast<int64_t>(places.size()), 32 * columns * 2 / bytes);
      EXPECT_EQ(*places.rbegin(), 32 * columns * 2 - bytes);
      EXPECT_EQ(countBankConflicts(access), 0);
    }
}
