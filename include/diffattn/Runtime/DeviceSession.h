//===- DeviceSession.h - Memory, launches and timing on one GPU -*- C++ -*-===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What a program needs that has arrays on the host and no CUDA runtime library:
// diffattn-compile --run. Frameworks have their own memory and streams and use
// Program alone.
//
//===----------------------------------------------------------------------===//

#ifndef DIFFATTN_RUNTIME_DEVICESESSION_H
#define DIFFATTN_RUNTIME_DEVICESESSION_H

#include "diffattn/Runtime/Program.h"

namespace mlir::diffattn::runtime {

/// A dense row-major tensor in device memory between two guard bands. Must not
/// outlive its session.
class DeviceTensor {
public:
  DeviceTensor(DeviceTensor &&other) noexcept;
  DeviceTensor &operator=(DeviceTensor &&) = delete;
  ~DeviceTensor();

  size_t getNumBytes() const { return bytes; }
  /// Valid as long as the tensor is not moved.
  TensorView getView() const;

private:
  friend class DeviceSession;
  DeviceTensor(const Driver &driver, DType dtype, std::vector<int64_t> sizes);
  cuda::DevicePtr getData() const;

  const Driver *driver;
  DType dtype;
  std::vector<int64_t> sizes, strides;
  size_t bytes = 0;
  cuda::DevicePtr allocation = 0;
};

/// The primary context of one GPU and a stream of its own, for one thread.
class DeviceSession {
public:
  /// Makes the GPU's primary context current for the calling thread.
  static Result<std::unique_ptr<DeviceSession>> create(const Driver &driver,
                                                       int ordinal = 0);
  ~DeviceSession();
  DeviceSession(const DeviceSession &) = delete;
  DeviceSession &operator=(const DeviceSession &) = delete;

  const Driver &getDriver() const { return driver; }
  std::string getDeviceName() const { return driver.getDeviceName(device); }
  ComputeCapability getComputeCapability() const { return capability; }
  cuda::Stream getStream() const { return stream; }

  /// A tensor full of bytes 0xff, NaN in every floating-point type, so that
  /// what a kernel does not write shows.
  Result<DeviceTensor> allocate(DType dtype, std::vector<int64_t> sizes);
  /// Fills a tensor with bytes 0xff.
  Status poison(DeviceTensor &tensor);
  /// Copies `getNumBytes` bytes.
  Status upload(DeviceTensor &tensor, const void *data);
  Status download(const DeviceTensor &tensor, void *data);
  /// Fails if something was written next to the tensor.
  Status checkGuards(const DeviceTensor &tensor);

  /// Launches the program and waits for it.
  Status run(const Program &program, const std::vector<TensorView> &arguments);
  /// Launches the program for at least `minSeconds` after a warm-up, and
  /// returns the seconds of one launch as a sorted list of samples. A sample is
  /// the mean over as many launches in a row as take about two milliseconds,
  /// measured by events on the stream.
  Result<std::vector<double>> time(const Program &program,
                                   const std::vector<TensorView> &arguments,
                                   double minSeconds = 0.5);

private:
  DeviceSession(const Driver &driver, cuda::Device device)
      : driver(driver), device(device) {}
  Status synchronize();
  /// Seconds that `numLaunches` launches in a row take.
  Result<double> timeBatch(const Program &program,
                           const std::vector<TensorView> &arguments,
                           int64_t numLaunches);

  const Driver &driver;
  cuda::Device device;
  ComputeCapability capability;
  cuda::Context context = nullptr;
  cuda::Stream stream = nullptr;
  cuda::Event start = nullptr, end = nullptr;
};

} // namespace mlir::diffattn::runtime

#endif // DIFFATTN_RUNTIME_DEVICESESSION_H
