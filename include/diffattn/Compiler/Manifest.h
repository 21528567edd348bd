//===- Manifest.h - What a compilation produced -----------------*- C++ -*-===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef DIFFATTN_COMPILER_MANIFEST_H
#define DIFFATTN_COMPILER_MANIFEST_H

#include "diffattn/Compiler/CompilerInvocation.h"

namespace mlir::diffattn {

/// A JSON object for programs that load an object file for a CPU: entry and
/// symbol, shapes (null where dynamic) and element types, target, schedules,
/// pipeline.
std::string getManifest(const CompilerInvocation &invocation,
                        const EntrySignature &signature, StringRef objectFile);

} // namespace mlir::diffattn

#endif // DIFFATTN_COMPILER_MANIFEST_H
