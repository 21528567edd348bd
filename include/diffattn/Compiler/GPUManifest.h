//===- GPUManifest.h - How to launch what was compiled ----------*- C++ -*-===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef DIFFATTN_COMPILER_GPUMANIFEST_H
#define DIFFATTN_COMPILER_GPUMANIFEST_H

#include "diffattn/Compiler/CompilerInvocation.h"

namespace mlir::diffattn {

/// Files beside the manifest; empty where none was written.
struct ImageFiles {
  std::string ptx, cubin;
  /// The manifest of a program for what this one refuses.
  std::string fallback;
};

/// A JSON object that is all the runtime needs: kernels with their grid,
/// parameters with what the code relies on, sizes that have to be equal, and
/// the attention that is computed.
FailureOr<std::string> getGPUManifest(const CompilerInvocation &invocation,
                                      const GPUCode &code,
                                      const ImageFiles &files);

} // namespace mlir::diffattn

#endif // DIFFATTN_COMPILER_GPUMANIFEST_H
