//===- Npy.h - NumPy array files --------------------------------*- C++ -*-===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Reads and writes .npy files of format 1.0 and 2.0: little-endian, C order.
// NumPy has no bf16: such arrays are stored as <u2 and read from <u2 or |V2.
//
//===----------------------------------------------------------------------===//

#ifndef DIFFATTN_REFERENCE_NPY_H
#define DIFFATTN_REFERENCE_NPY_H

#include "diffattn/Reference/Array.h"

namespace mlir::diffattn::reference {

/// Reads `path`. With `expected`, a file of another element type is an error
/// (two-byte unsigned or void data counts as bf16, <i8 as i64 or index).
llvm::Expected<Array> readNpy(llvm::StringRef path,
                              std::optional<DType> expected = std::nullopt,
                              int64_t maxElements = defaultMaxElements);

/// Writes `array` to `path` through a temporary file beside it, so that the
/// path never holds a part of an array.
llvm::Error writeNpy(llvm::StringRef path, const Array &array);

} // namespace mlir::diffattn::reference

#endif // DIFFATTN_REFERENCE_NPY_H
