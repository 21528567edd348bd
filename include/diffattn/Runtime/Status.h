//===- Status.h - Errors of the GPU runtime as values -----------*- C++ -*-===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef DIFFATTN_RUNTIME_STATUS_H
#define DIFFATTN_RUNTIME_STATUS_H

#include <cassert>
#include <string>
#include <utility>
#include <variant>

namespace mlir::diffattn::runtime {

/// What went wrong, for callers that act on it; the sentence is for people. The
/// numbers are those of DiffAttnStatus in Runtime.h.
enum class ErrorKind {
  None = 0,
  /// No CUDA driver library, or one that is too old.
  NoDriver = 1,
  /// A driver, but no GPU that it can use.
  NoDevice = 2,
  /// The GPU cannot execute any image of the program.
  WrongChip = 3,
  OutOfMemory = 4,
  /// A manifest or an image file is missing or says something wrong.
  BadManifest = 5,
  /// Arguments that no variant of the program accepts.
  BadArgument = 6,
  /// The driver refused a call.
  DriverFailure = 7
};

/// Success, or a kind and one sentence (lower-case, no final period).
class [[nodiscard]] Status {
public:
  Status() = default;
  Status(ErrorKind kind, std::string message)
      : kind(kind), message(std::move(message)) {
    assert(kind != ErrorKind::None && "a failure has a kind");
  }

  bool ok() const { return kind == ErrorKind::None; }
  ErrorKind getKind() const { return kind; }
  const std::string &getMessage() const { return message; }

private:
  ErrorKind kind = ErrorKind::None;
  std::string message;
};

/// A value or a failure.
template <typename T>
class [[nodiscard]] Result {
public:
  Result(T value) : content(std::in_place_index<0>, std::move(value)) {}
  Result(Status status) : content(std::in_place_index<1>, std::move(status)) {
    assert(!std::get<1>(content).ok() && "success needs a value");
  }

  explicit operator bool() const { return content.index() == 0; }
  T &operator*() { return std::get<0>(content); }
  const T &operator*() const { return std::get<0>(content); }
  T *operator->() { return &std::get<0>(content); }
  const T *operator->() const { return &std::get<0>(content); }
  /// The failure; success if there is a value.
  Status getStatus() const {
    return content.index() == 0 ? Status() : std::get<1>(content);
  }

private:
  std::variant<T, Status> content;
};

} // namespace mlir::diffattn::runtime

#endif // DIFFATTN_RUNTIME_STATUS_H
