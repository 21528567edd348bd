//===- ProgramRunner.h - Calls compiled programs ----------------*- C++ -*-===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef DIFFATTN_COMPILER_PROGRAMRUNNER_H
#define DIFFATTN_COMPILER_PROGRAMRUNNER_H

#include "diffattn/Compiler/CompilerInvocation.h"
#include "diffattn/Reference/Array.h"

namespace mlir::diffattn {

/// A compiled entry on the machine that it was compiled for, callable with
/// arrays of the host.
class ProgramRunner {
public:
  virtual ~ProgramRunner() = default;

  /// Calls the entry on memory that is poisoned before the program writes it.
  virtual llvm::Expected<std::vector<reference::Array>>
  run(llvm::MutableArrayRef<reference::Array> arguments) = 0;

  /// Calls the entry again and again, for at least half a second after a
  /// warm-up, and returns the seconds of each call, sorted.
  virtual llvm::Expected<std::vector<double>>
  time(llvm::MutableArrayRef<reference::Array> arguments) = 0;

  /// One line that relates a running time to what the machine can do.
  virtual llvm::Expected<std::string>
  compareToMachine(const AttentionWork &work, double seconds) = 0;
};

/// An object file, linked into this process.
llvm::Expected<std::unique_ptr<ProgramRunner>>
createCPURunner(const CPUTarget &target, llvm::MemoryBufferRef object,
                const EntrySignature &signature);

/// Kernels on the first GPU, through the runtime and files in a temporary
/// directory.
llvm::Expected<std::unique_ptr<ProgramRunner>>
createGPURunner(const CompilerInvocation &invocation, const GPUCode &code,
                const EntrySignature &signature);

} // namespace mlir::diffattn

#endif // DIFFATTN_COMPILER_PROGRAMRUNNER_H
