//===- RunProgram.h - The --run of diffattn-compile -------------*- C++ -*-===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef DIFFATTN_TOOLS_DIFFATTN_COMPILE_RUNPROGRAM_H
#define DIFFATTN_TOOLS_DIFFATTN_COMPILE_RUNPROGRAM_H

#include "Options.h"

#include "diffattn/Compiler/ProgramRunner.h"

namespace mlir::diffattn {

/// Runs `program` as the options say, printing one line per result
/// to standard output. Returns the exit status; failures have been reported.
int runProgram(const CompilerInvocation &invocation,
               const EntrySignature &signature, ProgramRunner &program,
               const ToolOptions &options);

} // namespace mlir::diffattn

#endif // DIFFATTN_TOOLS_DIFFATTN_COMPILE_RUNPROGRAM_H
