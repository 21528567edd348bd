//===- LayoutTest.cpp - Fragments against brute force ---------------------===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

// The algebra of digits is checked by enumeration of the functions that digits
// stand for; fragments against the formulas of the PTX ISA, written out here.

#include "diffattn/Dialect/Tile/IR/Tile.h"
#include "gtest/gtest.h"
#include <map>
#include <random>
#include <set>

using namespace mlir;
using namespace mlir::diffattn::tile;

namespace {

using Point = SmallVector<int64_t>;

/// Where each index of `digits` leads to in a tensor of `rank`.
std::vector<Point> pointsOf(ArrayRef<Digit> digits, unsigned rank) {
  std::vector<Point> points;
  int64_t count = 1;
  for (const Digit &digit : digits)
    count *= digit.extent;
  for (int64_t index = 0; index < count; ++index) {
    // From the outermost digit down, unlike addCoordinates.
    Point point(rank);
    int64_t rest = index, place = count;
    for (const Digit &digit : llvm::reverse(digits)) {
      place /= digit.extent;
      if (digit.dim != Digit::copies)
        point[digit.dim] += rest / place * digit.stride;
      rest %= place;
    }
    points.push_back(point);
  }
  return points;
}

/// Whether each element of `shape` is reached, and equally often by design:
/// once, apart from digits that do not move.
bool coversByEnumeration(ArrayRef<Digit> digits, ArrayRef<int64_t> shape) {
  std::map<Point, int64_t> hits;
  int64_t copies = 1, elements = 1;
  for (const Digit &digit : digits)
    copies *= digit.dim == Digit::copies ? digit.extent : 1;
  for (int64_t size : shape)
    elements *= size;
  for (const Point &point : pointsOf(digits, shape.size()))
    ++hits[point];
  for (const auto &[point, count] : hits) {
    if (count != copies)
      return false;
    for (auto [x, size] : llvm::zip_equal(point, shape))
      if (x >= size)
        return false;
  }
  return static_cast<int64_t>(hits.size()) == elements;
}

Digits randomDigits(std::mt19937 &rng, unsigned rank) {
  Digits digits;
  for (int64_t i = rng() % 5; i > 0; --i) {
    int64_t dim = static_cast<int64_t>(rng() % (rank + 1)) - 1;
    int64_t extents[] = {1, 2, 3, 4, 5, 8}, strides[] = {1, 2, 3, 4, 6, 8};
    digits.push_back({dim, extents[rng() % 6],
                      dim == Digit::copies ? 1 : strides[rng() % 6]});
  }
  return digits;
}

/// Random digits that cover some shape: a mixed radix system in random order.
Digits randomCover(std::mt19937 &rng, SmallVector<int64_t> &shape) {
  Digits digits;
  shape.assign(1 + rng() % 3, 1);
  for (int64_t i = rng() % 6; i > 0; --i) {
    int64_t dim = rng() % shape.size(), extent = 2 + rng() % 3;
    digits.push_back({dim, extent, shape[dim]});
    shape[dim] *= extent;
  }
  if (rng() % 2)
    digits.push_back({Digit::copies, 2, 1});
  std::shuffle(digits.begin(), digits.end(), rng);
  return digits;
}

bool isNormal(ArrayRef<Digit> digits) {
  for (const Digit &digit : digits)
    if (digit.extent == 1)
      return false;
  for (size_t i = 1; i < digits.size(); ++i)
    if (digits[i].dim == digits[i - 1].dim &&
        (digits[i].dim == Digit::copies ||
         digits[i].stride == digits[i - 1].stride * digits[i - 1].extent))
      return false;
  return true;
}

class FragmentTest : public testing::Test {
protected:
  FragmentTest() { context.loadDialect<TileDialect>(); }

  /// Who holds `point`, as (register, lane, warp).
  static std::set<std::array<int64_t, 3>> holders(FragmentAttr layout,
                                                  const Point &point) {
    std::set<std::array<int64_t, 3>> result;
    for (int64_t warp = 0; warp < layout.getNumWarps(); ++warp)
      for (int64_t lane = 0; lane < 32; ++lane)
        for (int64_t reg = 0; reg < layout.getNumRegisters(); ++reg)
          if (llvm::equal(layout.getCoordinates(reg, lane, warp, point.size()),
                          point))
            result.insert({reg, lane, warp});
    return result;
  }

  MLIRContext context;
};

} // namespace

//===----------------------------------------------------------------------===//
// Digits
//===----------------------------------------------------------------------===//

TEST(Digits, AddCoordinatesIsMixedRadix) {
  std::mt19937 rng(1);
  for (int round = 0; round < 300; ++round) {
    Digits digits = randomDigits(rng, 3);
    std::vector<Point> points = pointsOf(digits, 3);
    ASSERT_EQ(getNumIndices(digits), static_cast<int64_t>(points.size()));
    for (auto [index, point] : llvm::enumerate(points)) {
      Point found = {10, 20, 30};
      addCoordinates(digits, index, found);
      for (int d = 0; d < 3; ++d)
        ASSERT_EQ(found[d], point[d] + 10 * (d + 1));
    }
  }
}

TEST(Digits, NormalizeKeepsTheFunction) {
  std::mt19937 rng(2);
  for (int round = 0; round < 500; ++round) {
    Digits digits = randomDigits(rng, 2), normal = normalize(digits);
    EXPECT_TRUE(isNormal(normal));
    EXPECT_EQ(pointsOf(digits, 2), pointsOf(normal, 2));
    EXPECT_EQ(normalize(normal), normal);
  }
}

TEST(Digits, NormalFormsOfEqualFunctionsAreEqual) {
  // Distinct normal forms of covers are distinct functions.
  std::mt19937 rng(3);
  std::map<std::vector<Point>, Digits> seen;
  for (int round = 0; round < 3000; ++round) {
    SmallVector<int64_t> shape;
    Digits normal = normalize(randomCover(rng, shape));
    std::vector<Point> points = pointsOf(normal, 3);
    auto [it, isNew] = seen.try_emplace(points, normal);
    if (!isNew) {
      EXPECT_EQ(it->second, normal);
    }
  }
}

TEST(Digits, SplitIsTheInverseOfConcat) {
  std::mt19937 rng(4);
  int numSplit = 0;
  for (int round = 0; round < 500; ++round) {
    Digits digits = randomDigits(rng, 2);
    int64_t count = 1 + rng() % 12;
    auto parts = split(digits, count);
    if (!parts)
      continue;
    ++numSplit;
    EXPECT_EQ(getNumIndices(parts->first), count);
    EXPECT_EQ(concat(parts->first, parts->second), normalize(digits));
    EXPECT_TRUE(isNormal(parts->first));
    EXPECT_TRUE(isNormal(parts->second));
  }
  EXPECT_GT(numSplit, 100);
}

TEST(Digits, SplitGoesThroughADigit) {
  auto parts = split({{0, 8, 2}, {1, 4, 1}}, 4);
  ASSERT_TRUE(parts);
  EXPECT_EQ(parts->first, (Digits{{0, 4, 2}}));
  EXPECT_EQ(parts->second, (Digits{{0, 2, 8}, {1, 4, 1}}));
  EXPECT_FALSE(split({{0, 8, 1}}, 3));
  EXPECT_FALSE(split({{0, 3, 1}, {1, 8, 1}}, 4));
  EXPECT_FALSE(split({{0, 8, 1}}, 16));
  EXPECT_TRUE(split({}, 1));
}

TEST(Digits, ExactCoverByEnumeration) {
  std::mt19937 rng(5);
  for (int round = 0; round < 1000; ++round) {
    SmallVector<int64_t> shape;
    Digits digits = randomCover(rng, shape);
    EXPECT_TRUE(isExactCover(digits, shape));
    EXPECT_TRUE(coversByEnumeration(digits, shape));
    // Anything that claims to cover does.
    Digits random = randomDigits(rng, shape.size());
    if (isExactCover(random, shape)) {
      EXPECT_TRUE(coversByEnumeration(random, shape));
    }
    shape[0] += 1;
    EXPECT_FALSE(isExactCover(digits, shape));
  }
  EXPECT_FALSE(isExactCover({{0, 4, 1}, {0, 4, 1}}, {4}));
  EXPECT_FALSE(isExactCover({{0, 4, 2}}, {4}));
  EXPECT_FALSE(isExactCover({{1, 4, 1}}, {4}));
  EXPECT_TRUE(isExactCover({}, {1, 1}));
}

//===----------------------------------------------------------------------===//
// Matrix instructions, from the PTX ISA
//===----------------------------------------------------------------------===//

// "Matrix Fragments for mma.m16n8k16 with floating point type": element i of a
// lane's fragment lies at
//   groupID = lane / 4, threadID_in_group = lane % 4
//   A: row = groupID for i in {0,1,4,5}, else groupID + 8
//      col = threadID_in_group * 2 + (i & 1), + 8 for i >= 4
//   B: row (k) = threadID_in_group * 2 + (i & 1), + 8 for i >= 2
//      col (n) = groupID
//   C: row = groupID for i < 2, else groupID + 8
//      col = threadID_in_group * 2 + (i & 1)
static Point ptxA(int64_t lane, int64_t i) {
  bool low = i == 0 || i == 1 || i == 4 || i == 5;
  return {low ? lane / 4 : lane / 4 + 8,
          lane % 4 * 2 + (i & 1) + (i >= 4 ? 8 : 0)};
}
static Point ptxB(int64_t lane, int64_t i) {
  return {lane % 4 * 2 + (i & 1) + (i >= 2 ? 8 : 0), lane / 4};
}
static Point ptxC(int64_t lane, int64_t i) {
  return {i < 2 ? lane / 4 : lane / 4 + 8, lane % 4 * 2 + (i & 1)};
}

TEST_F(FragmentTest, AccumulatorIsC) {
  for (int64_t warps : {1, 2, 4})
    for (int64_t blocks : {1, 2, 3})
      for (int64_t columns : {8, 64, 80, 96}) {
        int64_t rows = 16 * blocks * warps;
        FragmentAttr layout =
            getRowFragment(&context, {{0, rows, 1}}, 1, columns, warps);
        ASSERT_TRUE(layout);
        ASSERT_EQ(layout.getNumWarps(), warps);
        ASSERT_EQ(layout.getNumRegisters(), blocks * columns / 2);
        for (int64_t warp = 0; warp < warps; ++warp)
          for (int64_t lane = 0; lane < 32; ++lane)
            for (int64_t reg = 0; reg < layout.getNumRegisters(); ++reg) {
              int64_t tile = reg / 4, step = tile % (columns / 8),
                      block = tile / (columns / 8);
              Point point = ptxC(lane, reg % 4);
              point[0] += 16 * (block + blocks * warp);
              point[1] += 8 * step;
              EXPECT_EQ(Point(layout.getCoordinates(reg, lane, warp, 2)),
                        point);
            }
      }
}

TEST_F(FragmentTest, LeftOperandIsA) {
  for (int64_t k : {16, 64, 80, 96, 128}) {
    FragmentAttr layout = getRowFragment(&context, {{0, 64, 1}}, 1, k, 4);
    for (int64_t warp = 0; warp < 4; ++warp)
      for (int64_t lane = 0; lane < 32; ++lane)
        for (int64_t reg = 0; reg < layout.getNumRegisters(); ++reg) {
          Point point = ptxA(lane, reg % 8);
          point[0] += 16 * warp;
          point[1] += 16 * (reg / 8);
          EXPECT_EQ(Point(layout.getCoordinates(reg, lane, warp, 2)), point);
        }
  }
}

TEST_F(FragmentTest, RightOperandIsB) {
  // Registers run over the n blocks of one k step, then over the k steps.
  for (int64_t n : {8, 64, 80})
    for (int64_t k : {16, 96, 128}) {
      FragmentAttr layout = getColumnFragment(&context, 1, n, 0, k, 4);
      ASSERT_TRUE(layout);
      for (int64_t warp = 0; warp < 4; ++warp)
        for (int64_t lane = 0; lane < 32; ++lane)
          for (int64_t reg = 0; reg < layout.getNumRegisters(); ++reg) {
            int64_t block = reg / 4 % (n / 8), step = reg / 4 / (n / 8);
            Point point = ptxB(lane, reg % 4);
            point[0] += 16 * step;
            point[1] += 8 * block;
            EXPECT_EQ(Point(layout.getCoordinates(reg, lane, warp, 2)), point);
          }
    }
  EXPECT_FALSE(getColumnFragment(&context, 1, 12, 0, 16, 1));
  EXPECT_FALSE(getColumnFragment(&context, 1, 8, 0, 24, 1));
}

/// Rows of a pair: eight queries of branch 0, then the same of branch 1.
static Digits getPairRows(int64_t queries) {
  return normalize({{0, 8, 1}, {1, 2, 1}, {0, queries / 8, 8}});
}

TEST_F(FragmentTest, ScoresAreTheOperandOfTheSecondProduct) {
  // The accumulator of the first product, keys as columns, and the left operand
  // of the second one, keys as its k, come from one function; so check what
  // both must be in one thread: A's registers of a k step are C's of two
  // neighbouring n blocks.
  for (int64_t keys : {16, 64, 80, 96}) {
    FragmentAttr scores = getRowFragment(&context, getPairRows(64), 2, keys, 4);
    for (int64_t lane = 0; lane < 32; ++lane)
      for (int64_t reg = 0; reg < keys / 2; ++reg) {
        Point a = ptxA(lane, reg % 8), c = ptxC(lane, reg % 4);
        a[1] += 16 * (reg / 8);
        c[1] += 8 * (reg / 4);
        EXPECT_EQ(a, c);
        auto found = scores.getCoordinates(reg, lane, 0, 3);
        EXPECT_EQ(found[0] + 8 * found[1], a[0]);
        EXPECT_EQ(found[2], a[1]);
      }
  }
}

TEST_F(FragmentTest, APairLiesInOneThread) {
  FragmentAttr layout = getRowFragment(&context, getPairRows(64), 2, 64, 4);
  EXPECT_TRUE(layout.isThreadLocal(1));
  EXPECT_FALSE(layout.isThreadLocal(0));
  EXPECT_FALSE(layout.isThreadLocal(2));
  for (Point point : {Point{0, 0, 0}, Point{13, 0, 5}, Point{63, 0, 63}}) {
    auto signal = holders(layout, point);
    point[1] = 1;
    auto noise = holders(layout, point);
    ASSERT_EQ(signal.size(), 1u);
    ASSERT_EQ(noise.size(), 1u);
    EXPECT_EQ((*signal.begin())[1], (*noise.begin())[1]);
    EXPECT_EQ((*signal.begin())[2], (*noise.begin())[2]);
    EXPECT_EQ((*signal.begin())[0] + 2, (*noise.begin())[0]);
  }
}

TEST_F(FragmentTest, MatchIsTheInverseOfGet) {
  for (int64_t warps : {1, 2, 4, 8})
    for (int64_t columns : {8, 16, 80, 96, 128})
      for (const Digits &rows :
           {Digits{{0, 128, 1}}, getPairRows(64), getPairRows(128),
            Digits{{0, 4, 1}, {1, 4, 1}, {0, 8, 4}}}) {
        FragmentAttr layout = getRowFragment(&context, rows, 2, columns, warps);
        if (!layout)
          continue;
        auto match = matchRowFragment(layout, 2, columns);
        ASSERT_TRUE(match);
        EXPECT_EQ(match->rows, normalize(rows));
        EXPECT_EQ(match->warps, warps);
      }
}

TEST_F(FragmentTest, OthersDoNotMatch) {
  EXPECT_FALSE(
      matchRowFragment(getColumnFragment(&context, 1, 64, 0, 64, 4), 1, 64));
  // One row after the other: no matrix instruction's.
  auto rowMajor =
      FragmentAttr::get(&context, {{1, 8, 1}}, {{1, 4, 8}, {0, 8, 1}}, {});
  EXPECT_FALSE(matchRowFragment(rowMajor, 1, 32));
  FragmentAttr scores = getRowFragment(&context, {{0, 64, 1}}, 1, 64, 4);
  EXPECT_FALSE(matchRowFragment(scores, 0, 64));
  EXPECT_FALSE(getRowFragment(&context, {{0, 64, 1}}, 1, 12, 4));
  EXPECT_FALSE(getRowFragment(&context, {{0, 24, 1}}, 1, 8, 1));
  EXPECT_FALSE(getRowFragment(&context, {{0, 64, 1}}, 1, 8, 8));
  // Twelve heads of a group times 4 queries: halves of eight do not split 12.
  EXPECT_FALSE(getRowFragment(&context, {{1, 12, 1}, {0, 4, 1}}, 2, 64, 3));
}

//===----------------------------------------------------------------------===//
// Dropping a dimension
//===----------------------------------------------------------------------===//

TEST_F(FragmentTest, DropDimKeepsWhoHoldsASlice) {
  for (const Digits &rows : {Digits{{0, 64, 1}}, getPairRows(32)})
    for (int64_t dim : {0, 1, 2}) {
      FragmentAttr layout = getRowFragment(&context, rows, 2, 80, 4);
      FragmentAttr dropped = layout.dropDim(dim);
      SmallVector<int64_t> shape = {64, 1, 80};
      if (rows.size() > 1)
        shape = {32, 2, 80};
      // Whoever holds some element of a slice holds its value, in one register.
      std::map<Point, std::set<std::pair<int64_t, int64_t>>> whole, slices;
      for (int64_t warp = 0; warp < 4; ++warp)
        for (int64_t lane = 0; lane < 32; ++lane) {
          for (int64_t r = 0; r < layout.getNumRegisters(); ++r) {
            auto point = layout.getCoordinates(r, lane, warp, 3);
            point.erase(point.begin() + dim);
            whole[Point(point)].insert({lane, warp});
          }
          std::set<Point> once;
          for (int64_t r = 0; r < dropped.getNumRegisters(); ++r) {
            Point point(dropped.getCoordinates(r, lane, warp, 2));
            EXPECT_TRUE(once.insert(point).second);
            slices[point].insert({lane, warp});
          }
        }
      EXPECT_EQ(whole, slices);
      shape.erase(shape.begin() + dim);
      Digits all = concat(dropped.getRegisters(), dropped.getLanes());
      EXPECT_TRUE(isExactCover(concat(all, dropped.getWarps()), shape));
    }
}

TEST_F(FragmentTest, ThreadLocalByEnumeration) {
  for (const Digits &rows :
       {Digits{{0, 64, 1}}, getPairRows(32), Digits{{1, 2, 1}, {0, 32, 1}},
        Digits{{0, 16, 1}, {1, 2, 1}, {0, 2, 16}}}) {
    FragmentAttr layout = getRowFragment(&context, rows, 2, 16, 4);
    ASSERT_TRUE(layout);
    for (int64_t dim : {0, 1, 2}) {
      // Threads that hold part of a line along `dim`.
      std::map<Point, std::set<std::pair<int64_t, int64_t>>> owners;
      for (int64_t warp = 0; warp < 4; ++warp)
        for (int64_t lane = 0; lane < 32; ++lane)
          for (int64_t r = 0; r < layout.getNumRegisters(); ++r) {
            auto point = layout.getCoordinates(r, lane, warp, 3);
            point[dim] = 0;
            owners[Point(point)].insert({lane, warp});
          }
      bool local = llvm::all_of(
          owners, [](const auto &owner) { return owner.second.size() == 1; });
      EXPECT_EQ(layout.isThreadLocal(dim), local);
    }
  }
}
