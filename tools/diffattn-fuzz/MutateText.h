//===- MutateText.h - Changes to IR text ------------------------*- C++ -*-===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef DIFFATTN_TOOLS_DIFFATTN_FUZZ_MUTATETEXT_H
#define DIFFATTN_TOOLS_DIFFATTN_FUZZ_MUTATETEXT_H

#include "llvm/ADT/StringRef.h"
#include <random>
#include <string>

namespace mlir::diffattn {

/// `text` with one change that keeps most of it valid: a line or a word left
/// out, doubled or exchanged, a number or a type replaced everywhere or once.
std::string mutateText(llvm::StringRef text, std::minstd_rand &random);

} // namespace mlir::diffattn

#endif // DIFFATTN_TOOLS_DIFFATTN_FUZZ_MUTATETEXT_H
