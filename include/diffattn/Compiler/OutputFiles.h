//===- OutputFiles.h - All or nothing output --------------------*- C++ -*-===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef DIFFATTN_COMPILER_OUTPUTFILES_H
#define DIFFATTN_COMPILER_OUTPUTFILES_H

#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include "llvm/Support/raw_ostream.h"
#include <functional>

namespace mlir::diffattn {

/// Writes `path` ("-" is standard output) through a temporary file beside it,
/// so that it never holds a part of the contents. The error names the path.
llvm::Error
writeFile(llvm::StringRef path,
          const std::function<llvm::Error(llvm::raw_ostream &)> &write);
llvm::Error writeFile(llvm::StringRef path, llvm::StringRef contents);

} // namespace mlir::diffattn

#endif // DIFFATTN_COMPILER_OUTPUTFILES_H
