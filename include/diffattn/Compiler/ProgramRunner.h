//===- ProgramRunner.h - Calls compiled programs ----------------*- C++ -*-===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef DIFFATTN_COMPILER_PROGRAMRUNNER_H
#define DIFFATTN_COMPILER_PROGRAMRUNNER_H

#include "diffattn/Compiler/EntrySignature.h"
#include "diffattn/Reference/Array.h"
#include "diffattn/Target/JITProgram.h"

namespace mlir::diffattn {

/// An object file in this process, callable with arrays.
class ProgramRunner {
public:
  static llvm::Expected<ProgramRunner> create(llvm::MemoryBufferRef object,
                                              EntrySignature signature);

  /// Calls the entry on memory that is poisoned before the program writes it.
  llvm::Expected<std::vector<reference::Array>>
  run(llvm::MutableArrayRef<reference::Array> arguments);

  /// Calls the entry again and again, for at least half a second and five
  /// times after one warm-up, and returns the seconds of each call, sorted.
  std::vector<double> time(llvm::MutableArrayRef<reference::Array> arguments);

private:
  ProgramRunner(JITProgram program, EntrySignature signature,
                JITProgram::Caller caller);
  /// One call; fills in `results`, the descriptors in a row.
  void call(llvm::MutableArrayRef<reference::Array> arguments,
            std::vector<int64_t> &results) const;
  void freeResults(llvm::ArrayRef<int64_t> results) const;

  JITProgram program;
  EntrySignature signature;
  JITProgram::Caller caller;
};

} // namespace mlir::diffattn

#endif // DIFFATTN_COMPILER_PROGRAMRUNNER_H
