//===- ByteReader.h - Fuzzer input as a source of choices -------*- C++ -*-===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef DIFFATTN_TOOLS_DIFFATTN_FUZZ_BYTEREADER_H
#define DIFFATTN_TOOLS_DIFFATTN_FUZZ_BYTEREADER_H

#include "llvm/ADT/ArrayRef.h"
#include <cstdint>

namespace mlir::diffattn {

/// Bytes as choices, one each; zeros, the plainest choice, when they run out.
class ByteReader {
public:
  explicit ByteReader(llvm::ArrayRef<uint8_t> bytes) : bytes(bytes) {}

  uint8_t next() {
    if (bytes.empty())
      return 0;
    uint8_t byte = bytes.front();
    bytes = bytes.drop_front();
    return byte;
  }

  /// True for one byte value in `n`, never for the plainest choice.
  bool oneIn(unsigned n) { return next() % n == n - 1; }

  template <typename T>
  T pick(llvm::ArrayRef<T> choices) {
    return choices[next() % choices.size()];
  }

private:
  llvm::ArrayRef<uint8_t> bytes;
};

} // namespace mlir::diffattn

#endif // DIFFATTN_TOOLS_DIFFATTN_FUZZ_BYTEREADER_H
