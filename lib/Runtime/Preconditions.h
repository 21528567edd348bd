//===- Preconditions.h - Does a variant accept these arguments? -*- C++ -*-===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef DIFFATTN_LIB_RUNTIME_PRECONDITIONS_H
#define DIFFATTN_LIB_RUNTIME_PRECONDITIONS_H

#include "diffattn/Runtime/Program.h"

namespace mlir::diffattn::runtime {

/// The first precondition that does not hold. Plain numbers: the sentence is
/// made only if nothing else accepts the arguments.
struct Mismatch {
  enum class Kind {
    Count,
    DType,
    Rank,
    NegativeSize,
    StaticSize,
    NullPointer,
    Alignment,
    LastStride,
    StrideMultiple,
    WrittenTwice,
    MinSize,
    MaxSize,
    MultipleSize,
    EqualSizes
  };
  Kind kind;
  DimRef where;
  int64_t found = 0, expected = 0;
  /// The other dimension of EqualSizes.
  DimRef other = {};
};

/// Nothing if the arguments meet all preconditions of a manifest.
std::optional<Mismatch> findMismatch(const Manifest &manifest,
                                     const TensorView *arguments,
                                     size_t numArguments);

/// "query has dtype f16, expected bf16".
std::string stringifyMismatch(const Manifest &manifest,
                              const Mismatch &mismatch);

} // namespace mlir::diffattn::runtime

#endif // DIFFATTN_LIB_RUNTIME_PRECONDITIONS_H
