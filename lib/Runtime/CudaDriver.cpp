//===- CudaDriver.cpp - The CUDA driver, found at run time ----------------===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "diffattn/Runtime/CudaDriver.h"

#include <dlfcn.h>

using namespace mlir::diffattn::runtime;

std::string ComputeCapability::getChip() const {
  return "sm_" + std::to_string(major * 10 + minor);
}

/// Sets `function` to the library's `symbol`, and `missing` to the first symbol
/// that it does not have.
template <typename Function>
static void resolve(void *library, const char *symbol, Function &function,
                    const char *&missing) {
  function = reinterpret_cast<Function>(dlsym(library, symbol));
  if (!function && !missing)
    missing = symbol;
}

/// Fills in all functions; returns the name of a missing one, if any.
static const char *resolveAll(void *library, DriverFunctions &f) {
  const char *missing = nullptr;
  auto find = [&](const char *symbol, auto &function) {
    resolve(library, symbol, function, missing);
  };
  find("cuInit", f.cuInit);
  find("cuGetErrorString", f.cuGetErrorString);
  find("cuDeviceGetCount", f.cuDeviceGetCount);
  find("cuDeviceGet", f.cuDeviceGet);
  find("cuDeviceGetName", f.cuDeviceGetName);
  find("cuDeviceGetAttribute", f.cuDeviceGetAttribute);
  find("cuDevicePrimaryCtxRetain", f.cuDevicePrimaryCtxRetain);
  find("cuDevicePrimaryCtxRelease_v2", f.cuDevicePrimaryCtxRelease);
  find("cuCtxGetCurrent", f.cuCtxGetCurrent);
  find("cuCtxSetCurrent", f.cuCtxSetCurrent);
  find("cuCtxGetDevice", f.cuCtxGetDevice);
  find("cuModuleLoadDataEx", f.cuModuleLoadDataEx);
  find("cuModuleUnload", f.cuModuleUnload);
  find("cuModuleGetFunction", f.cuModuleGetFunction);
  find("cuFuncSetAttribute", f.cuFuncSetAttribute);
  find("cuFuncGetAttribute", f.cuFuncGetAttribute);
  find("cuLaunchKernel", f.cuLaunchKernel);
  find("cuMemAlloc_v2", f.cuMemAlloc);
  find("cuMemFree_v2", f.cuMemFree);
  find("cuMemcpyHtoDAsync_v2", f.cuMemcpyHtoDAsync);
  find("cuMemcpyDtoHAsync_v2", f.cuMemcpyDtoHAsync);
  find("cuMemsetD8Async", f.cuMemsetD8Async);
  find("cuStreamCreate", f.cuStreamCreate);
  find("cuStreamSynchronize", f.cuStreamSynchronize);
  find("cuStreamDestroy_v2", f.cuStreamDestroy);
  find("cuStreamIsCapturing", f.cuStreamIsCapturing);
  find("cuThreadExchangeStreamCaptureMode",
       f.cuThreadExchangeStreamCaptureMode);
  find("cuEventCreate", f.cuEventCreate);
  find("cuEventRecord", f.cuEventRecord);
  find("cuEventSynchronize", f.cuEventSynchronize);
  find("cuEventElapsedTime", f.cuEventElapsedTime);
  find("cuEventDestroy_v2", f.cuEventDestroy);
  const char *optional = nullptr;
  resolve(library, "cuCtxGetId", f.cuCtxGetId, optional);
  resolve(library, "cuStreamGetId", f.cuStreamGetId, optional);
  resolve(library, "cuTensorMapEncodeTiled", f.cuTensorMapEncodeTiled,
          optional);
  return missing;
}

Driver::~Driver() {
  if (handle)
    dlclose(handle);
}

Result<std::unique_ptr<Driver>> Driver::load(const std::string &library) {
  std::unique_ptr<Driver> driver(new Driver());
  driver->handle = dlopen(library.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!driver->handle)
    return Status(ErrorKind::NoDriver,
                  "there is no CUDA driver on this machine: " +
                      std::string(dlerror()));
  if (const char *missing = resolveAll(driver->handle, driver->functions))
    return Status(ErrorKind::NoDriver, "the CUDA driver '" + library +
                                           "' is too old: it has no '" +
                                           missing + "'");
  cuda::Result result = driver->functions.cuInit(0);
  int count = 0;
  if (result == cuda::Success)
    result = driver->functions.cuDeviceGetCount(&count);
  if (result == cuda::ErrorNoDevice || (result == cuda::Success && count == 0))
    return Status(ErrorKind::NoDevice,
                  "there is a CUDA driver on this machine, but no GPU");
  if (Status status = driver->check(result, "initialise the CUDA driver");
      !status.ok())
    return status;
  return driver;
}

Result<const Driver *> Driver::get() {
  static const auto *driver =
      new Result<std::unique_ptr<Driver>>(load("libcuda.so.1"));
  if (!*driver)
    return driver->getStatus();
  return static_cast<const Driver *>((*driver)->get());
}

Status Driver::check(cuda::Result result, const std::string &what) const {
  if (result == cuda::Success)
    return Status();
  const char *text = nullptr;
  functions.cuGetErrorString(result, &text);
  ErrorKind kind = result == cuda::ErrorOutOfMemory ? ErrorKind::OutOfMemory
                                                    : ErrorKind::DriverFailure;
  return Status(kind, "cannot " + what + ": " + (text ? text : "unknown") +
                          " (CUDA error " + std::to_string(result) + ")");
}

Result<ComputeCapability>
Driver::getComputeCapability(cuda::Device device) const {
  ComputeCapability capability;
  cuda::Result result = functions.cuDeviceGetAttribute(
      &capability.major, cuda::DeviceAttributeComputeCapabilityMajor, device);
  if (result == cuda::Success)
    result = functions.cuDeviceGetAttribute(
        &capability.minor, cuda::DeviceAttributeComputeCapabilityMinor, device);
  if (Status status = check(result, "read the GPU's compute capability");
      !status.ok())
    return status;
  return capability;
}

std::string Driver::getDeviceName(cuda::Device device) const {
  char name[256] = {};
  if (functions.cuDeviceGetName(name, sizeof(name) - 1, device) !=
      cuda::Success)
    return "GPU";
  return name;
}
