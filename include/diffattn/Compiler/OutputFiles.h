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
#include <string>
#include <vector>

namespace mlir::diffattn {

/// Files that appear together and whole, or not at all.
class OutputFiles {
public:
  /// "-" is standard output.
  void add(std::string path, std::string contents) {
    files.push_back({std::move(path), std::move(contents)});
  }

  /// Writes each file beside its final place, then moves all of them there. The
  /// error names the path that cannot be written.
  llvm::Error commit();

private:
  struct File {
    std::string path, contents;
  };
  std::vector<File> files;
};

/// Whether `path` is written to and not replaced: standard output, a pipe,
/// /dev/null.
bool isStream(llvm::StringRef path);

/// One file.
llvm::Error writeFile(llvm::StringRef path, std::string contents);

} // namespace mlir::diffattn

#endif // DIFFATTN_COMPILER_OUTPUTFILES_H
