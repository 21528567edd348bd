//===- Counters.cpp - Zeroed counters for kernels on the GPU --------------===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Counters.h"

using namespace mlir::diffattn::runtime;

/// A sector of the L2 cache for each launch: atomics on one do not slow down
/// another's.
static constexpr size_t slotBytes = 32;
static constexpr size_t pageBytes = 4096 * slotBytes;

namespace {
/// Lets this thread allocate while it, or another one, captures a stream: what
/// is called on streams that are not captured is then no part of a graph, and
/// does not invalidate it.
class RelaxedCapture {
public:
  explicit RelaxedCapture(const Driver &driver) : driver(driver) { exchange(); }
  ~RelaxedCapture() { exchange(); }
  RelaxedCapture(const RelaxedCapture &) = delete;
  RelaxedCapture &operator=(const RelaxedCapture &) = delete;

private:
  /// If it fails, what follows says why.
  void exchange() { driver->cuThreadExchangeStreamCaptureMode(&mode); }

  const Driver &driver;
  int mode = cuda::StreamCaptureModeRelaxed;
};
} // namespace

Counters::~Counters() {
  RelaxedCapture relaxed(driver);
  // Fails if the context is gone, and the memory with it.
  for (cuda::DevicePtr page : pages)
    driver->cuMemFree(page);
}

Status Counters::grow() {
  RelaxedCapture relaxed(driver);
  cuda::DevicePtr page = 0;
  cuda::Stream stream = nullptr;
  cuda::Result result = driver->cuMemAlloc(&page, pageBytes);
  if (result == cuda::Success) {
    pages.push_back(page);
    // Not the default stream: it would wait for others, and may be captured.
    result = driver->cuStreamCreate(&stream, cuda::StreamNonBlocking);
  }
  if (result == cuda::Success)
    result = driver->cuMemsetD8Async(page, 0, pageBytes, stream);
  if (result == cuda::Success)
    result = driver->cuStreamSynchronize(stream);
  if (stream)
    driver->cuStreamDestroy(stream);
  if (result == cuda::Success) {
    unused = page;
    end = page + pageBytes;
  }
  return driver.check(result, "allocate counters on the GPU");
}

Result<cuda::DevicePtr> Counters::takeUnused() {
  if (unused == end)
    if (Status status = grow(); !status.ok())
      return status;
  cuda::DevicePtr slot = unused;
  unused += slotBytes;
  return slot;
}

/// A number that no other stream has or will have; without the driver's help,
/// none that exists now.
static cuda::Result identify(const Driver &driver, cuda::Stream stream,
                             unsigned long long &id) {
  if (driver->cuStreamGetId)
    return driver->cuStreamGetId(stream, &id);
  // One handle stands for the default streams of all threads.
  static thread_local char thread;
  id = reinterpret_cast<uintptr_t>(stream);
  if (id == cuda::StreamPerThread)
    id = reinterpret_cast<uintptr_t>(&thread);
  return cuda::Success;
}

Result<cuda::DevicePtr> Counters::take(cuda::Stream stream) {
  int capture = cuda::StreamCaptureNone;
  unsigned long long id = 0;
  cuda::Result result = driver->cuStreamIsCapturing(stream, &capture);
  const bool isCaptured = capture == cuda::StreamCaptureActive;
  if (result == cuda::Success && !isCaptured)
    result = identify(driver, stream, id);
  if (result != cuda::Success)
    return driver.check(result, "identify the stream of a launch");

  std::lock_guard<std::mutex> lock(mutex);
  // A graph is launched later, on any stream, beside anything.
  if (isCaptured)
    return takeUnused();
  if (auto it = ofStreams.find(id); it != ofStreams.end())
    return it->second;
  Result<cuda::DevicePtr> slot = takeUnused();
  if (slot)
    ofStreams.emplace(id, *slot);
  return slot;
}
