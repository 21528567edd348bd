//===- Options.h - Command line of diffattn-compile -------------*- C++ -*-===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef DIFFATTN_TOOLS_DIFFATTN_COMPILE_OPTIONS_H
#define DIFFATTN_TOOLS_DIFFATTN_COMPILE_OPTIONS_H

#include "diffattn/Compiler/CompilerInvocation.h"
#include <optional>
#include <string>
#include <vector>

namespace mlir::diffattn {

enum class EmitKind { MLIR, LLVM, Object, PTX, Cubin, Schedules };

struct ToolOptions {
  CompilerOptions compiler;
  std::string inputFile;
  /// Absent if no output was asked for; "-" is standard output.
  std::optional<std::string> outputFile;
  EmitKind emit = EmitKind::MLIR;
  std::string manifestFile, headerFile;
  AssemblerOptions assembler;
  bool remarks = false;
  /// Whether a GPU program with a manifest gets a second one for arguments that
  /// it refuses.
  bool fallback = true;

  bool run = false;
  std::vector<std::string> inputs, shapes, outputs;
  int64_t dynamicDim = 0;
  bool check = false, time = false;
  std::optional<double> tolerance;
};

/// Parses the command line; prints help and version, and exits on unknown or
/// malformed options. Combinations that make no sense are errors.
llvm::Expected<ToolOptions> parseOptions(int argc, char **argv);

} // namespace mlir::diffattn

#endif // DIFFATTN_TOOLS_DIFFATTN_COMPILE_OPTIONS_H
