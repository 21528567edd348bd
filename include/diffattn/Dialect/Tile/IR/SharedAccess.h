//===- SharedAccess.h - Which banks threads access --------------*- C++ -*-===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

// Shared memory has 32 banks of 4 bytes, consecutive words in consecutive
// banks. A *wavefront* takes one word from each bank, for all lanes that want
// it. It serves the lanes of a warp that together access 128 bytes: all of them
// with 4 bytes each, halves with 8, quarters with 16. Where such lanes want
// different words of one bank, more wavefronts are needed than one for each
// group: *bank conflicts*.
//
// Which addresses an op accesses follows from the layouts in its types. The
// lowering to threads emits the accesses that are described here, so what is
// counted is what runs.

#ifndef DIFFATTN_DIALECT_TILE_IR_SHAREDACCESS_H
#define DIFFATTN_DIALECT_TILE_IR_SHAREDACCESS_H

#include "diffattn/Dialect/Tile/IR/Tile.h"
#include <functional>

namespace mlir::diffattn::tile {

/// What the threads of one op do in a buffer: each of them makes `count`
/// accesses of `bytes` neighbouring bytes, those of a warp at the same time.
struct SharedAccess {
  int64_t threads;
  /// Of each warp, so many lanes give addresses that count: `ldmatrix` takes
  /// those of eight for each matrix.
  int64_t lanes;
  int64_t count, bytes;
  /// Where access i of a thread begins in its buffer.
  std::function<int64_t(int64_t thread, int64_t access)> getOffset;

  /// The access of the buffer's first elements: what accesses to parts of one
  /// buffer have in common.
  static constexpr int64_t origin = -1;
};

/// Wavefronts beyond the least number for one instruction of a warp, whose
/// lanes access `bytes` bytes at `offsets`.
int64_t countBankConflicts(ArrayRef<int64_t> offsets, int64_t bytes);

/// Those of all accesses, of the warp that has the most.
int64_t countBankConflicts(const SharedAccess &access);

/// All wavefronts of that warp.
int64_t countWavefronts(const SharedAccess &access);

/// Whether registers of this tensor are held in pairs.
bool isPacked(RankedTensorType type);

/// `ldmatrix`: each access is of up to four matrices of 8 x 8 16-bit elements,
/// one for each pair of registers. Lane 8i + r names row r of matrix i; lane l
/// receives the pair l % 4 of row l / 4, or with `transposed` of column l / 4.
struct MatrixAccess : SharedAccess {
  bool transposed;
  int64_t matricesPerAccess;
};

/// The part of `buffer` at `offsets` read as `tensor` by ldmatrix; nothing if
/// its pairs of registers are no matrices, or their rows no runs in memory.
std::optional<MatrixAccess> getMatrixAccess(RankedTensorType tensor,
                                            BufferType buffer,
                                            ArrayRef<int64_t> offsets);

/// How `store` writes to a buffer by stmatrix, as ldmatrix reads: what teams
/// write (sm_90), if its pairs of registers are matrices whose rows are runs in
/// memory.
std::optional<MatrixAccess> getStoreMatrixAccess(LocalStoreOp store,
                                                 BufferType buffer);

/// The same by accesses of as many neighbouring registers as are neighbours in
/// memory, up to 16 bytes: access i is of those from i * bytes / element bytes.
SharedAccess getVectorAccess(RankedTensorType tensor, BufferType buffer,
                             ArrayRef<int64_t> offsets);

/// How `local_load` reads it: by ldmatrix where that can.
SharedAccess getLoadAccess(RankedTensorType tensor, BufferType buffer,
                           ArrayRef<int64_t> offsets);

/// What the threads of `warps` warps copy to `buffer` by async_copy: chunks of
/// 16 bytes or, in an element-wise kernel, elements, in the order of the buffer
/// before the swizzle. Thread t of T copies the chunks t, t + T, ... So a
/// warp's chunks lie in whole rows.
SharedAccess getCopyAccess(BufferType buffer, int64_t warps, bool elementwise);

/// How `op` accesses a slot of type `slot`. Nothing for ops whose accesses are
/// not fixed yet, that move whole lines (tensor copies), and for scalars.
std::optional<SharedAccess> getSharedAccess(Operation *op, BufferType slot);

} // namespace mlir::diffattn::tile

#endif // DIFFATTN_DIALECT_TILE_IR_SHAREDACCESS_H
