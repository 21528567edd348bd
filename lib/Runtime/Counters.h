//===- Counters.h - Zeroed counters for kernels on the GPU ------*- C++ -*-===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef DIFFATTN_LIB_RUNTIME_COUNTERS_H
#define DIFFATTN_LIB_RUNTIME_COUNTERS_H

#include "diffattn/Runtime/CudaDriver.h"
#include <mutex>
#include <unordered_map>
#include <vector>

namespace mlir::diffattn::runtime {

/// The memory of kernels whose blocks take the next tile off a counter. It is
/// zero when a launch starts, because it was once, and every launch leaves it
/// so. Launches that may run at the same time have counters of their own; those
/// of one stream never do.
class Counters {
public:
  explicit Counters(const Driver &driver) : driver(driver) {}
  ~Counters();
  Counters(const Counters &) = delete;
  Counters &operator=(const Counters &) = delete;

  /// Allocates room for many streams and captured launches, and zeroes it.
  Status grow();
  /// The counters for a launch on this stream: the stream's own, or, for a
  /// launch that is captured, counters that nothing else gets. Allocates only
  /// when all room is taken.
  Result<cuda::DevicePtr> take(cuda::Stream stream);

private:
  Result<cuda::DevicePtr> takeUnused();

  const Driver &driver;
  std::mutex mutex;
  /// By the stream's identity.
  std::unordered_map<uint64_t, cuda::DevicePtr> ofStreams;
  std::vector<cuda::DevicePtr> pages;
  /// The rest of the last page.
  cuda::DevicePtr unused = 0, end = 0;
};

} // namespace mlir::diffattn::runtime

#endif // DIFFATTN_LIB_RUNTIME_COUNTERS_H
