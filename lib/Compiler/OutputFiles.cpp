//===- OutputFiles.cpp - All or nothing output ----------------------------===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "diffattn/Compiler/OutputFiles.h"

#include "llvm/Support/FileSystem.h"
#include "llvm/Support/raw_ostream.h"

using namespace mlir::diffattn;
namespace fs = llvm::sys::fs;

static llvm::Error cannotWrite(llvm::StringRef path, llvm::Error cause) {
  return llvm::createStringError("cannot write '" + path +
                                 "': " + llvm::toString(std::move(cause)));
}

/// `contents` in a new file beside `path`.
static llvm::Expected<fs::TempFile> writeTemporary(llvm::StringRef path,
                                                   llvm::StringRef contents) {
  llvm::Expected<fs::TempFile> file =
      fs::TempFile::create(path + ".tmp-%%%%%%", fs::all_read | fs::all_write);
  if (!file)
    return file.takeError();
  llvm::raw_fd_ostream stream(file->FD, /*shouldClose=*/false);
  stream << contents;
  stream.flush();
  if (std::error_code error = stream.error()) {
    stream.clear_error();
    return llvm::joinErrors(llvm::errorCodeToError(error), file->discard());
  }
  return file;
}

bool mlir::diffattn::isStream(llvm::StringRef path) {
  fs::file_status status;
  return path == "-" || (!fs::status(path, status) &&
                         status.type() != fs::file_type::regular_file &&
                         status.type() != fs::file_type::directory_file);
}

llvm::Error OutputFiles::commit() {
  std::vector<std::pair<llvm::StringRef, fs::TempFile>> temporaries;
  llvm::Error failure = llvm::Error::success();
  for (const File &file : files) {
    if (isStream(file.path))
      continue;
    llvm::Expected<fs::TempFile> temporary =
        fs::is_directory(file.path) ? llvm::createStringError("is a directory")
                                    : writeTemporary(file.path, file.contents);
    if (!temporary) {
      failure = cannotWrite(file.path, temporary.takeError());
      break;
    }
    temporaries.emplace_back(file.path, std::move(*temporary));
  }
  for (auto &[path, temporary] : temporaries) {
    if (failure)
      llvm::consumeError(temporary.discard());
    else if (llvm::Error error = temporary.keep(path))
      failure = cannotWrite(path, std::move(error));
  }
  if (failure)
    return failure;
  for (const File &file : files) {
    if (!isStream(file.path))
      continue;
    std::error_code error;
    llvm::raw_fd_ostream stream(file.path, error);
    if (!error)
      stream << file.contents;
    if (error)
      return cannotWrite(file.path, llvm::errorCodeToError(error));
  }
  return llvm::Error::success();
}

llvm::Error mlir::diffattn::writeFile(llvm::StringRef path,
                                      std::string contents) {
  OutputFiles files;
  files.add(path.str(), std::move(contents));
  return files.commit();
}
