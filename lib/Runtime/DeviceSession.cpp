//===- DeviceSession.cpp - Memory, launches and timing on one GPU ---------===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "diffattn/Runtime/DeviceSession.h"

#include <algorithm>
#include <cmath>

using namespace mlir::diffattn::runtime;

/// Bytes of one guard band; a multiple of what cuMemAlloc aligns to, so that
/// the tensor between the bands is aligned as well.
static constexpr size_t guardBytes = 512;
static constexpr unsigned char guardByte = 0xa5, poisonByte = 0xff;

//===----------------------------------------------------------------------===//
// DeviceTensor
//===----------------------------------------------------------------------===//

DeviceTensor::DeviceTensor(const Driver &driver, DType dtype,
                           std::vector<int64_t> tensorSizes)
    : driver(&driver), dtype(dtype), sizes(std::move(tensorSizes)),
      strides(sizes.size()) {
  int64_t stride = 1;
  for (size_t dim = sizes.size(); dim-- > 0;) {
    strides[dim] = stride;
    stride *= sizes[dim];
  }
  bytes = static_cast<size_t>(stride) * getByteWidth(dtype);
}

DeviceTensor::DeviceTensor(DeviceTensor &&other) noexcept
    : driver(other.driver), dtype(other.dtype), sizes(std::move(other.sizes)),
      strides(std::move(other.strides)), bytes(other.bytes),
      allocation(std::exchange(other.allocation, 0)) {}

DeviceTensor::~DeviceTensor() {
  if (allocation)
    (*driver)->cuMemFree(allocation);
}

cuda::DevicePtr DeviceTensor::getData() const {
  return allocation + guardBytes;
}

TensorView DeviceTensor::getView() const {
  return TensorView{reinterpret_cast<void *>(getData()), sizes.data(),
                    strides.data(), static_cast<uint32_t>(sizes.size()),
                    static_cast<uint32_t>(dtype)};
}

//===----------------------------------------------------------------------===//
// DeviceSession
//===----------------------------------------------------------------------===//

Result<std::unique_ptr<DeviceSession>>
DeviceSession::create(const Driver &driver, int ordinal) {
  cuda::Device device = 0;
  if (Status status = driver.check(driver->cuDeviceGet(&device, ordinal),
                                   "use GPU " + std::to_string(ordinal));
      !status.ok())
    return Status(ErrorKind::NoDevice, status.getMessage());
  Result<ComputeCapability> capability = driver.getComputeCapability(device);
  if (!capability)
    return capability.getStatus();
  std::unique_ptr<DeviceSession> session(new DeviceSession(driver, device));
  session->capability = *capability;
  cuda::Result result =
      driver->cuDevicePrimaryCtxRetain(&session->context, device);
  if (result == cuda::Success)
    result = driver->cuCtxSetCurrent(session->context);
  if (result == cuda::Success)
    result = driver->cuStreamCreate(&session->stream, cuda::StreamNonBlocking);
  if (result == cuda::Success)
    result = driver->cuEventCreate(&session->start, cuda::EventDefault);
  if (result == cuda::Success)
    result = driver->cuEventCreate(&session->end, cuda::EventDefault);
  if (Status status = driver.check(result, "use " + session->getDeviceName());
      !status.ok())
    return status;
  return session;
}

DeviceSession::~DeviceSession() {
  if (end)
    driver->cuEventDestroy(end);
  if (start)
    driver->cuEventDestroy(start);
  if (stream)
    driver->cuStreamDestroy(stream);
  if (context)
    driver->cuDevicePrimaryCtxRelease(device);
}

Status DeviceSession::synchronize() {
  return driver.check(driver->cuStreamSynchronize(stream), "finish on the GPU");
}

Result<DeviceTensor> DeviceSession::allocate(DType dtype,
                                             std::vector<int64_t> sizes) {
  // Far more than any GPU has, and far from overflow.
  constexpr int64_t maxElements = int64_t(1) << 50;
  int64_t elements = 1;
  bool isEmpty = false;
  for (int64_t size : sizes) {
    if (size < 0)
      return Status(ErrorKind::BadArgument,
                    "a tensor has a negative size, " + std::to_string(size));
    isEmpty |= size == 0;
  }
  for (int64_t size : sizes)
    if (!isEmpty && (__builtin_mul_overflow(elements, size, &elements) ||
                     elements > maxElements))
      return Status(ErrorKind::OutOfMemory,
                    "a tensor has more elements than any GPU can hold");
  DeviceTensor tensor(driver, dtype, std::move(sizes));
  const size_t total = tensor.bytes + 2 * guardBytes;
  Status status = driver.check(driver->cuMemAlloc(&tensor.allocation, total),
                               "allocate " + std::to_string(total) +
                                   " bytes on " + getDeviceName());
  if (status.ok())
    status = driver.check(
        driver->cuMemsetD8Async(tensor.allocation, guardByte, total, stream),
        "fill GPU memory");
  if (status.ok())
    status = poison(tensor);
  if (!status.ok())
    return status;
  return tensor;
}

Status DeviceSession::poison(DeviceTensor &tensor) {
  if (!tensor.bytes)
    return Status();
  return driver.check(driver->cuMemsetD8Async(tensor.getData(), poisonByte,
                                              tensor.bytes, stream),
                      "fill GPU memory");
}

Status DeviceSession::upload(DeviceTensor &tensor, const void *data) {
  if (!tensor.bytes)
    return Status();
  Status status = driver.check(
      driver->cuMemcpyHtoDAsync(tensor.getData(), data, tensor.bytes, stream),
      "copy to the GPU");
  return status.ok() ? synchronize() : status;
}

Status DeviceSession::download(const DeviceTensor &tensor, void *data) {
  if (!tensor.bytes)
    return Status();
  Status status = driver.check(
      driver->cuMemcpyDtoHAsync(data, tensor.getData(), tensor.bytes, stream),
      "copy from the GPU");
  return status.ok() ? synchronize() : status;
}

Status DeviceSession::checkGuards(const DeviceTensor &tensor) {
  std::vector<unsigned char> bands(2 * guardBytes);
  cuda::Result result = driver->cuMemcpyDtoHAsync(
      bands.data(), tensor.allocation, guardBytes, stream);
  if (result == cuda::Success)
    result = driver->cuMemcpyDtoHAsync(bands.data() + guardBytes,
                                       tensor.getData() + tensor.bytes,
                                       guardBytes, stream);
  if (result == cuda::Success)
    result = driver->cuStreamSynchronize(stream);
  if (Status status = driver.check(result, "copy from the GPU"); !status.ok())
    return status;
  for (size_t i = 0; i < bands.size(); ++i)
    if (bands[i] != guardByte)
      return Status(ErrorKind::DriverFailure,
                    i < guardBytes ? "the program wrote " +
                                         std::to_string(guardBytes - i) +
                                         " bytes before the start of a tensor"
                                   : "the program wrote " +
                                         std::to_string(i - guardBytes) +
                                         " bytes past the end of a tensor");
  return Status();
}

Status DeviceSession::run(const Program &program,
                          const std::vector<TensorView> &arguments) {
  Status status = program.launch(arguments.data(), arguments.size(), stream);
  return status.ok() ? synchronize() : status;
}

Result<double>
DeviceSession::timeBatch(const Program &program,
                         const std::vector<TensorView> &arguments,
                         int64_t numLaunches) {
  cuda::Result result = driver->cuEventRecord(start, stream);
  for (int64_t i = 0; i < numLaunches && result == cuda::Success; ++i)
    if (Status status =
            program.launch(arguments.data(), arguments.size(), stream);
        !status.ok())
      return status;
  if (result == cuda::Success)
    result = driver->cuEventRecord(end, stream);
  if (result == cuda::Success)
    result = driver->cuEventSynchronize(end);
  float milliseconds = 0;
  if (result == cuda::Success)
    result = driver->cuEventElapsedTime(&milliseconds, start, end);
  if (Status status = driver.check(result, "measure time on the GPU");
      !status.ok())
    return status;
  return static_cast<double>(milliseconds) / 1e3;
}

Result<std::vector<double>>
DeviceSession::time(const Program &program,
                    const std::vector<TensorView> &arguments,
                    double minSeconds) {
  constexpr double sampleSeconds = 2e-3;
  constexpr int64_t maxLaunches = 1000;
  constexpr size_t minSamples = 5, maxSamples = 100000;
  // The first launch may load code; the second one says how many fit a sample.
  Result<double> once = timeBatch(program, arguments, 1);
  if (once)
    once = timeBatch(program, arguments, 1);
  if (!once)
    return once.getStatus();
  const int64_t launches = std::clamp(
      static_cast<int64_t>(std::ceil(sampleSeconds / std::max(*once, 1e-7))),
      int64_t(1), maxLaunches);
  std::vector<double> samples;
  double total = 0;
  while (samples.size() < minSamples ||
         (total < minSeconds && samples.size() < maxSamples)) {
    Result<double> seconds = timeBatch(program, arguments, launches);
    if (!seconds)
      return seconds.getStatus();
    total += *seconds;
    samples.push_back(*seconds / static_cast<double>(launches));
  }
  std::sort(samples.begin(), samples.end());
  return samples;
}
