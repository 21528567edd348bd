//===- Ptxas.h - NVIDIA's assembler, and what it says -----------*- C++ -*-===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// ptxas makes machine code of PTX and allocates registers. A kernel that
// spills, needs a stack or whose matrix instructions it serialises is several
// times slower than it should be, and nothing else would show it: such kernels
// do not compile.
//
//===----------------------------------------------------------------------===//

#ifndef DIFFATTN_TARGET_PTXAS_H
#define DIFFATTN_TARGET_PTXAS_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include <optional>
#include <string>
#include <vector>

namespace mlir::diffattn {

/// What `ptxas -v` says about a function.
struct FunctionResources {
  std::string name;
  unsigned registers = 0;
  unsigned stackBytes = 0, spillStoreBytes = 0, spillLoadBytes = 0;
  /// Shared memory that is known statically.
  unsigned sharedBytes = 0;
  /// Messages C7500 to C7599 about its matrix instructions, as written.
  std::vector<std::string> matrixWarnings;
};

/// The functions that `report`, the output of `ptxas -v`, tells of.
std::vector<FunctionResources> parsePtxasReport(llvm::StringRef report);

/// Why a function is not fit for use: it works, but far below what it could do.
struct ResourceFault {
  enum class Kind { Spills, Stack, WaitingProducts };
  Kind kind;
  std::string function, chip;
  /// Registers used; bytes of a thread that are spilled or on the stack.
  unsigned registers = 0, bytes = 0;
  /// What ptxas says of products that wait.
  std::string warning;

  /// One sentence that names function, chip and `schedule`.
  std::string describe(llvm::StringRef schedule) const;
};

/// The first fault: a function that spills, has a stack or a warning about
/// matrix instructions.
std::optional<ResourceFault>
findFault(llvm::ArrayRef<FunctionResources> functions, llvm::StringRef chip);

/// The path of ptxas: `path` if not empty, else the first one of $PATH, of
/// $CUDA_HOME/bin and of $CUDA_PATH/bin.
llvm::Expected<std::string> findPtxas(llvm::StringRef path = "");

struct AssembledCode {
  std::string cubin;
  std::vector<FunctionResources> functions;
};

/// Runs `ptxas`, a path from findPtxas, on the text `ptx`. The error has the
/// first message of ptxas.
llvm::Expected<AssembledCode>
assemble(llvm::StringRef ptxas, llvm::StringRef ptx, llvm::StringRef chip);

} // namespace mlir::diffattn

#endif // DIFFATTN_TARGET_PTXAS_H
