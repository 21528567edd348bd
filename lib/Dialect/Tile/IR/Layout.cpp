//===- Layout.cpp - Digits: how an index walks through a tensor -----------===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "diffattn/Dialect/Tile/IR/Tile.h"

#include "llvm/ADT/STLExtras.h"

using namespace mlir;
using namespace mlir::diffattn::tile;

int64_t mlir::diffattn::tile::getNumIndices(ArrayRef<Digit> digits) {
  int64_t count = 1;
  for (const Digit &digit : digits)
    count *= digit.extent;
  return count;
}

void mlir::diffattn::tile::addCoordinates(
    ArrayRef<Digit> digits, int64_t index,
    MutableArrayRef<int64_t> coordinates) {
  for (const Digit &digit : digits) {
    if (digit.dim != Digit::copies)
      coordinates[digit.dim] += index % digit.extent * digit.stride;
    index /= digit.extent;
  }
}

/// Whether `outer` goes on where `inner` ends.
static bool continues(const Digit &inner, const Digit &outer) {
  return inner.dim == outer.dim &&
         (inner.dim == Digit::copies ||
          outer.stride == inner.stride * inner.extent);
}

Digits mlir::diffattn::tile::normalize(ArrayRef<Digit> digits) {
  Digits result;
  for (Digit digit : digits) {
    if (digit.extent == 1)
      continue;
    if (digit.dim == Digit::copies)
      digit.stride = 1;
    if (!result.empty() && continues(result.back(), digit))
      result.back().extent *= digit.extent;
    else
      result.push_back(digit);
  }
  return result;
}

std::optional<std::pair<Digits, Digits>>
mlir::diffattn::tile::split(ArrayRef<Digit> digits, int64_t count) {
  Digits inner, outer;
  for (const Digit &digit : digits) {
    if (count == 1) {
      outer.push_back(digit);
    } else if (digit.extent <= count) {
      if (count % digit.extent)
        return std::nullopt;
      inner.push_back(digit);
      count /= digit.extent;
    } else {
      if (digit.extent % count)
        return std::nullopt;
      inner.push_back({digit.dim, count, digit.stride});
      outer.push_back({digit.dim, digit.extent / count, digit.stride * count});
      count = 1;
    }
  }
  if (count != 1)
    return std::nullopt;
  return std::pair(normalize(inner), normalize(outer));
}

Digits mlir::diffattn::tile::concat(ArrayRef<Digit> inner,
                                    ArrayRef<Digit> outer) {
  Digits result(inner);
  llvm::append_range(result, outer);
  return normalize(result);
}

bool mlir::diffattn::tile::isExactCover(ArrayRef<Digit> digits,
                                        ArrayRef<int64_t> shape) {
  // In a mixed radix system every digit's stride is the product of the extents
  // below it.
  Digits sorted = normalize(digits);
  llvm::stable_sort(sorted, [](const Digit &a, const Digit &b) {
    return a.stride < b.stride;
  });
  SmallVector<int64_t> reached(shape.size(), 1);
  for (const Digit &digit : sorted) {
    if (digit.dim == Digit::copies)
      continue;
    if (digit.dim >= static_cast<int64_t>(shape.size()) ||
        digit.stride != reached[digit.dim])
      return false;
    reached[digit.dim] *= digit.extent;
  }
  return ArrayRef<int64_t>(reached) == shape;
}

//===----------------------------------------------------------------------===//
// The layouts that matrix instructions ask for
//===----------------------------------------------------------------------===//

FragmentAttr mlir::diffattn::tile::getRowFragment(MLIRContext *context,
                                                  ArrayRef<Digit> rows,
                                                  int64_t columnDim,
                                                  int64_t columns,
                                                  int64_t warps) {
  int64_t blocks = getNumIndices(rows) / 16;
  if (getNumIndices(rows) % (16 * warps) || columns % 8)
    return {};
  // A row number is lane / 4 within a half block of 8 rows, then the half (the
  // second pair of accumulator registers), then the block, then the warp.
  auto lane = split(rows, 8);
  auto half = lane ? split(lane->second, 2) : std::nullopt;
  auto block = half ? split(half->second, blocks / warps) : std::nullopt;
  if (!block)
    return {};
  Digits registers = concat({{columnDim, 2, 1}}, half->first);
  registers = concat(registers, {{columnDim, columns / 8, 8}});
  return FragmentAttr::get(context, concat(registers, block->first),
                           concat({{columnDim, 4, 2}}, lane->first),
                           block->second);
}

std::optional<RowFragment>
mlir::diffattn::tile::matchRowFragment(FragmentAttr layout, int64_t columnDim,
                                       int64_t columns) {
  auto pair = split(layout.getRegisters(), 2);
  auto half = pair ? split(pair->second, 2) : std::nullopt;
  auto step = half && columns % 8 == 0 ? split(half->second, columns / 8)
                                       : std::nullopt;
  auto lane = split(layout.getLanes(), 4);
  if (!step || !lane)
    return std::nullopt;
  Digits rows = concat(concat(lane->second, half->first),
                       concat(step->second, layout.getWarps()));
  RowFragment result = {rows, layout.getNumWarps()};
  if (getRowFragment(layout.getContext(), rows, columnDim, columns,
                     result.warps) != layout)
    return std::nullopt;
  return result;
}

FragmentAttr mlir::diffattn::tile::getColumnFragment(MLIRContext *context,
                                                     int64_t nDim, int64_t n,
                                                     int64_t kDim, int64_t k,
                                                     int64_t warps) {
  if (n % 8 || k % 16)
    return {};
  return FragmentAttr::get(
      context,
      normalize(
          {{kDim, 2, 1}, {kDim, 2, 8}, {nDim, n / 8, 8}, {kDim, k / 16, 16}}),
      normalize({{kDim, 4, 2}, {nDim, 8, 1}}),
      normalize({{Digit::copies, warps, 1}}));
}

SharedAttr mlir::diffattn::tile::getOperandLayout(MLIRContext *context,
                                                  ArrayRef<Digit> rows,
                                                  int64_t columnDim,
                                                  int64_t columns,
                                                  int64_t elementBytes) {
  for (int64_t span : {128, 64, 32}) {
    int64_t panel = span / elementBytes;
    if (columns % panel)
      continue;
    Digits digits = concat(concat({{columnDim, panel, 1}}, rows),
                           {{columnDim, columns / panel, panel}});
    return SharedAttr::get(context, digits, span);
  }
  return SharedAttr::get(context, concat({{columnDim, columns, 1}}, rows), 0);
}
