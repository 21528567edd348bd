//===- Layout.h - Digits: how an index walks through a tensor ---*- C++ -*-===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

// A layout maps an index (of a register, a lane, a warp, a place in memory) to
// the coordinates of a tensor element. Every layout that matrix instructions,
// `ldmatrix`, copy engines and wide accesses ask for has the same form: written
// in mixed radix, each digit of the index steps along one dimension with one
// stride. So a layout is a list of digits, innermost (fastest) first:
//
//   index = i0 + n0 * (i1 + n1 * (i2 + ...)),   0 <= ik < nk
//   coordinate[dim_k] += ik * stride_k
//
// The A operand of mma.m16n8k16 has, per thread, registers [d1*2, d0*2:8,
// d1*2:8] and lanes [d1*4:2, d0*8]:
//
//            k 0 1 | 2 3 | 4 5 | 6 7 || 8 9 | ...
//   row 0    L0    | L1  | L2  | L3  || L0  | ...     register: k%2 + 2*(row/8)
//   row 1    L4    | L5  | L6  | L7  || L4  | ...                   + 4*(k/8)
//   ...
//   row 8    L0    | L1  | ...
//
// What passes ask of layouts is then arithmetic on short lists: two layouts are
// equal if their normal forms are (so that the accumulator of one product is
// seen to be the operand of the next), a dimension is thread-local if no lane
// or warp digit moves along it, a reduction drops the digits of a dimension.
// (CuTe's layouts and Triton's linear layouts answer the same questions; digits
// allow sizes that are no power of two, such as 80 keys.)

#ifndef DIFFATTN_DIALECT_TILE_IR_LAYOUT_H
#define DIFFATTN_DIALECT_TILE_IR_LAYOUT_H

#include "mlir/Support/LLVM.h"
#include "llvm/ADT/Hashing.h"
#include "llvm/ADT/SmallVector.h"
#include <cstdint>
#include <optional>

namespace mlir::diffattn::tile {

class FragmentAttr;
class SharedAttr;

/// `extent` steps of `stride` along dimension `dim`.
struct Digit {
  /// In place of a dimension: the digit moves along none.
  static constexpr int64_t copies = -1;

  int64_t dim, extent, stride = 1;

  bool operator==(const Digit &other) const {
    return dim == other.dim && extent == other.extent && stride == other.stride;
  }
};
inline llvm::hash_code hash_value(const Digit &digit) {
  return llvm::hash_combine(digit.dim, digit.extent, digit.stride);
}
using Digits = SmallVector<Digit, 6>;

/// How many index values the digits tell apart.
int64_t getNumIndices(ArrayRef<Digit> digits);

/// Adds the coordinates of `index` to `coordinates`.
void addCoordinates(ArrayRef<Digit> digits, int64_t index,
                    MutableArrayRef<int64_t> coordinates);

/// The same function without digits of extent 1 and with neighbours that
/// continue each other joined.
Digits normalize(ArrayRef<Digit> digits);

/// Cuts `digits` into those of the lowest `count` indices and the rest, through
/// a digit if need be. Nothing if `count` does not divide the extents passed.
std::optional<std::pair<Digits, Digits>> split(ArrayRef<Digit> digits,
                                               int64_t count);

/// `outer` placed above `inner`.
Digits concat(ArrayRef<Digit> inner, ArrayRef<Digit> outer);

/// Whether the digits reach every coordinate of `shape` exactly once, copies
/// apart.
bool isExactCover(ArrayRef<Digit> digits, ArrayRef<int64_t> shape);

/// The layout of rows by columns in MMA accumulators and A operands (they
/// agree): `rows` are the digits of the row number, `columns` extent of
/// dimension `columnDim`, rows spread over `warps` in runs. Nothing if the rows
/// are no multiple of 16 * `warps` or their digits do not split there, or the
/// columns are no multiple of 8.
FragmentAttr getRowFragment(MLIRContext *context, ArrayRef<Digit> rows,
                            int64_t columnDim, int64_t columns, int64_t warps);

/// The rows and warps that a layout made by getRowFragment was made of, or
/// nothing if it is no such layout.
struct RowFragment {
  Digits rows;
  int64_t warps;
};
std::optional<RowFragment> matchRowFragment(FragmentAttr layout,
                                            int64_t columnDim, int64_t columns);

/// The layout of a B operand: `n` by `k` elements along `nDim` and `kDim`, with
/// a copy in every warp.
FragmentAttr getColumnFragment(MLIRContext *context, int64_t nDim, int64_t n,
                               int64_t kDim, int64_t k, int64_t warps);

/// Shared memory for 16-bit matrix operands: rows (digits) of `columns`
/// elements in panels of one swizzle span, the widest that divides a row.
SharedAttr getOperandLayout(MLIRContext *context, ArrayRef<Digit> rows,
                            int64_t columnDim, int64_t columns,
                            int64_t elementBytes);

} // namespace mlir::diffattn::tile

#endif // DIFFATTN_DIALECT_TILE_IR_LAYOUT_H
