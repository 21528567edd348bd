//===- FakeCuda.h - A CUDA driver without a GPU -----------------*- C++ -*-===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Exports what the runtime looks up in libcuda.so.1. Device memory is host
// memory, an image is a text of lines "kernel NAME PARAMETERS", and every call
// is recorded.
//
//===----------------------------------------------------------------------===//

#ifndef DIFFATTN_UNITTESTS_RUNTIME_FAKECUDA_H
#define DIFFATTN_UNITTESTS_RUNTIME_FAKECUDA_H

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

/// What a test sets and sees. Not guarded against races by itself.
struct FakeCuda {
  struct Launch {
    std::string kernel;
    unsigned blocks, threads, sharedBytes;
    void *stream;
    /// The first 64 bits of each parameter.
    std::vector<uint64_t> words;
  };

  int deviceCount = 1, major = 9, minor = 0, sharedLimit = 232448,
      multiprocessors = 132;
  /// Results of functions that fail, by name.
  std::map<std::string, int> failures;
  /// The log of a failing cuModuleLoadDataEx.
  std::string jitLog;
  /// What a kernel does.
  std::function<void(const Launch &)> execute;

  /// Names of called functions, in order.
  std::vector<std::string> calls;
  std::vector<Launch> launches;
  /// Images that were loaded, as text.
  std::vector<std::string> images;
  /// Tensor maps: address, data type, swizzle, sizes, strides but the first,
  /// box. The n-th one starts with the word 1000 + n.
  std::vector<std::vector<uint64_t>> maps;
  /// By cuFuncSetAttribute: (kernel, attribute) to value.
  std::map<std::pair<std::string, int>, int> attributes;
  /// The context that is current, a small number.
  uintptr_t context = 1;
  int64_t allocations = 0, modules = 0;
  /// Streams that are being captured: where calls that are not about streams
  /// fail, unless the thread relaxed that.
  std::set<void *> captured;
  /// Identities of streams, where they are not their handles.
  std::map<void *, unsigned long long> streamIds;

  /// Calls of one function.
  size_t count(const std::string &name) const;
};

/// The one fake driver of the process.
FakeCuda &getFakeCuda();

#endif // DIFFATTN_UNITTESTS_RUNTIME_FAKECUDA_H
