//===- Program.h - A compiled program, loaded and launchable ----*- C++ -*-===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef DIFFATTN_RUNTIME_PROGRAM_H
#define DIFFATTN_RUNTIME_PROGRAM_H

#include "diffattn/Runtime/Manifest.h"
#include "diffattn/Runtime/Runtime.h"

namespace mlir::diffattn::runtime {

class Counters;

/// A strided tensor in device memory; the same structure in C and C++.
using TensorView = ::DiffAttnTensor;

/// A kernel of a loaded image.
struct LoadedKernel {
  cuda::Function function = nullptr;
  /// What the driver made of the image; bytes of local memory are spills.
  int registers = 0, localBytes = 0;
  /// What a launch has at most.
  int maxBlocks = std::numeric_limits<int32_t>::max();
};

/// One entry of a compiled program in one CUDA context, in one or more
/// variants. Immutable after loading, but for counters that are guarded, hence
/// launched by any number of threads at once.
class Program {
public:
  /// Loads the variants that run on the current context's device and then the
  /// fallbacks that their manifests name, or returns
  /// the program that was loaded from the same files into the same context if
  /// it is still in use. Without a current context, the primary context of
  /// device 0 becomes current.
  static Result<std::shared_ptr<const Program>>
  load(const Driver &driver, const std::vector<std::string> &manifests);
  ~Program();
  Program(const Program &) = delete;
  Program &operator=(const Program &) = delete;

  /// Checks the arguments against the variants' preconditions and launches the
  /// kernels of the first variant that accepts them: one driver call a kernel,
  /// and those that describe tensors and find counters, if it takes such. A
  /// kernel without blocks is not launched.
  Status launch(const TensorView *arguments, size_t numArguments,
                cuda::Stream stream) const;

  /// The position, among the manifests given to `load`, of the variant that
  /// `launch` would take, or whose fallback.
  Result<size_t> select(const TensorView *arguments, size_t numArguments) const;

  struct Variant {
    Manifest manifest;
    /// Among the manifests that were given to `load`; of a fallback, that of
    /// the manifest that names it.
    size_t position = 0;
    cuda::Module module = nullptr;
    /// One for each kernel of the manifest.
    std::vector<LoadedKernel> kernels;
  };
  const std::vector<Variant> &getVariants() const { return variants; }

private:
  explicit Program(const Driver &driver);
  static Result<std::shared_ptr<const Program>>
  loadUncached(const Driver &driver, const std::vector<std::string> &manifests);
  Status loadVariant(Variant &variant, const std::string &image,
                     cuda::Device device);
  const Variant *find(const TensorView *arguments, size_t numArguments) const;
  /// Why no variant accepts the arguments.
  Status explain(const TensorView *arguments, size_t numArguments) const;
  Status launchKernel(const Variant &variant, size_t kernel,
                      const TensorView *arguments, cuda::Stream stream) const;

  const Driver &driver;
  std::vector<Variant> variants;
  /// If a kernel takes some.
  std::unique_ptr<Counters> counters;
};

} // namespace mlir::diffattn::runtime

#endif // DIFFATTN_RUNTIME_PROGRAM_H
