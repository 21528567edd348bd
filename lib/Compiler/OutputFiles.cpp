//===- OutputFiles.cpp - All or nothing output ----------------------------===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "diffattn/Compiler/OutputFiles.h"

llvm::Error mlir::diffattn::writeFile(
    llvm::StringRef path,
    const std::function<llvm::Error(llvm::raw_ostream &)> &write) {
  llvm::Error error = llvm::writeToOutput(path, write);
  if (!error)
    return error;
  return llvm::createStringError("cannot write '" + path +
                                 "': " + llvm::toString(std::move(error)));
}

llvm::Error mlir::diffattn::writeFile(llvm::StringRef path,
                                      llvm::StringRef contents) {
  return writeFile(path, [&](llvm::raw_ostream &stream) {
    stream << contents;
    return llvm::Error::success();
  });
}
