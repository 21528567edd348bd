//===- GenerateIR.h - Attention ops from bytes ------------------*- C++ -*-===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef DIFFATTN_TOOLS_DIFFATTN_FUZZ_GENERATEIR_H
#define DIFFATTN_TOOLS_DIFFATTN_FUZZ_GENERATEIR_H

#include "ByteReader.h"
#include <string>

namespace mlir::diffattn {

/// A function around one op of the dialect. Its text always parses as far as
/// the grammar goes; shapes, types and attributes follow the rules mostly, and
/// break one now and then.
std::string generateIR(ByteReader &bytes);

} // namespace mlir::diffattn

#endif // DIFFATTN_TOOLS_DIFFATTN_FUZZ_GENERATEIR_H
