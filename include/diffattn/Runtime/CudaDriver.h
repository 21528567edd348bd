//===- CudaDriver.h - The CUDA driver, found at run time --------*- C++ -*-===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The runtime neither includes CUDA's headers nor links its libraries: one
// build works with and without a GPU. The few driver functions that it needs
// are declared here, under the names that the library exports (with the version
// suffixes that cuda.h hides behind macros), and looked up with dlopen.
//
//===----------------------------------------------------------------------===//

#ifndef DIFFATTN_RUNTIME_CUDADRIVER_H
#define DIFFATTN_RUNTIME_CUDADRIVER_H

#include "diffattn/Runtime/Status.h"
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

namespace mlir::diffattn::runtime {

/// cuda.h's types: handles are opaque pointers, enumerations ints.
namespace cuda {
using Result = int;
using Device = int;
using DevicePtr = uint64_t;
using Context = struct CUctx_st *;
using Module = struct CUmod_st *;
using Function = struct CUfunc_st *;
using Stream = struct CUstream_st *;
using Event = struct CUevent_st *;

/// The values of cuda.h's enumerations that are used.
enum : int {
  Success = 0,
  ErrorOutOfMemory = 2,
  ErrorNoDevice = 100,
  ErrorInvalidContext = 201,
  ErrorNoBinaryForGpu = 209,
  ErrorInvalidPtx = 218,
  ErrorUnsupportedPtxVersion = 222,
  ErrorInvalidHandle = 400,

  JitErrorLogBuffer = 5,
  JitErrorLogBufferSizeBytes = 6,

  FuncAttributeLocalSizeBytes = 3,
  FuncAttributeNumRegs = 4,
  FuncAttributeMaxDynamicSharedSizeBytes = 8,

  DeviceAttributeMultiprocessorCount = 16,
  DeviceAttributeComputeCapabilityMajor = 75,
  DeviceAttributeComputeCapabilityMinor = 76,
  DeviceAttributeMaxSharedMemoryPerBlockOptin = 97,

  StreamNonBlocking = 1,
  StreamPerThread = 2, // a handle
  StreamCaptureNone = 0,
  StreamCaptureActive = 1,
  StreamCaptureModeRelaxed = 2,
  EventDefault = 0,

  TensorMapFloat16 = 6,
  TensorMapFloat32 = 7,
  TensorMapBFloat16 = 9,
  TensorMapL2Promotion256B = 3
};

/// A CUtensorMap: what the tensor memory accelerator copies, opaque.
struct alignas(64) TensorMap {
  uint64_t opaque[16];
};
} // namespace cuda

/// The driver's functions. All take and return what the driver API's
/// documentation says.
struct DriverFunctions {
  cuda::Result (*cuInit)(unsigned flags);
  cuda::Result (*cuGetErrorString)(cuda::Result error, const char **text);

  cuda::Result (*cuDeviceGetCount)(int *count);
  cuda::Result (*cuDeviceGet)(cuda::Device *device, int ordinal);
  cuda::Result (*cuDeviceGetName)(char *name, int length, cuda::Device device);
  cuda::Result (*cuDeviceGetAttribute)(int *value, int attribute,
                                       cuda::Device device);
  cuda::Result (*cuDevicePrimaryCtxRetain)(cuda::Context *context,
                                           cuda::Device device);
  cuda::Result (*cuDevicePrimaryCtxRelease)(cuda::Device device);

  cuda::Result (*cuCtxGetCurrent)(cuda::Context *context);
  cuda::Result (*cuCtxSetCurrent)(cuda::Context context);
  cuda::Result (*cuCtxGetDevice)(cuda::Device *device);
  /// Absent before CUDA 12.
  cuda::Result (*cuCtxGetId)(cuda::Context context, unsigned long long *id);

  cuda::Result (*cuModuleLoadDataEx)(cuda::Module *module, const void *image,
                                     unsigned numOptions, int *options,
                                     void **values);
  cuda::Result (*cuModuleUnload)(cuda::Module module);
  cuda::Result (*cuModuleGetFunction)(cuda::Function *function,
                                      cuda::Module module, const char *name);
  cuda::Result (*cuFuncSetAttribute)(cuda::Function function, int attribute,
                                     int value);
  cuda::Result (*cuFuncGetAttribute)(int *value, int attribute,
                                     cuda::Function function);
  cuda::Result (*cuLaunchKernel)(cuda::Function function, unsigned gridX,
                                 unsigned gridY, unsigned gridZ,
                                 unsigned blockX, unsigned blockY,
                                 unsigned blockZ, unsigned sharedBytes,
                                 cuda::Stream stream, void **parameters,
                                 void **extra);

  /// Runs on the host only. Absent before CUDA 12.
  cuda::Result (*cuTensorMapEncodeTiled)(
      cuda::TensorMap *map, int dataType, unsigned rank, void *address,
      const uint64_t *sizes, const uint64_t *strides, const uint32_t *box,
      const uint32_t *elementStrides, int interleave, int swizzle,
      int l2Promotion, int fill);

  cuda::Result (*cuMemAlloc)(cuda::DevicePtr *pointer, size_t bytes);
  cuda::Result (*cuMemFree)(cuda::DevicePtr pointer);
  cuda::Result (*cuMemcpyHtoDAsync)(cuda::DevicePtr to, const void *from,
                                    size_t bytes, cuda::Stream stream);
  cuda::Result (*cuMemcpyDtoHAsync)(void *to, cuda::DevicePtr from,
                                    size_t bytes, cuda::Stream stream);
  cuda::Result (*cuMemsetD8Async)(cuda::DevicePtr to, unsigned char value,
                                  size_t bytes, cuda::Stream stream);

  cuda::Result (*cuStreamCreate)(cuda::Stream *stream, unsigned flags);
  cuda::Result (*cuStreamSynchronize)(cuda::Stream stream);
  cuda::Result (*cuStreamDestroy)(cuda::Stream stream);
  cuda::Result (*cuStreamIsCapturing)(cuda::Stream stream, int *status);
  /// Absent before CUDA 12.
  cuda::Result (*cuStreamGetId)(cuda::Stream stream, unsigned long long *id);
  cuda::Result (*cuThreadExchangeStreamCaptureMode)(int *mode);
  cuda::Result (*cuEventCreate)(cuda::Event *event, unsigned flags);
  cuda::Result (*cuEventRecord)(cuda::Event event, cuda::Stream stream);
  cuda::Result (*cuEventSynchronize)(cuda::Event event);
  cuda::Result (*cuEventElapsedTime)(float *milliseconds, cuda::Event start,
                                     cuda::Event end);
  cuda::Result (*cuEventDestroy)(cuda::Event event);
};

/// A compute capability such as 9.0.
struct ComputeCapability {
  int major = 0, minor = 0;
  /// "sm_90".
  std::string getChip() const;
};

/// A loaded and initialised driver. Immutable, hence usable by many threads.
class Driver {
public:
  /// The machine's driver, libcuda.so.1. Loaded once and kept until the process
  /// ends: a driver does not survive being unloaded.
  static Result<const Driver *> get();
  /// The driver in a named file, in the manner of dlopen.
  static Result<std::unique_ptr<Driver>> load(const std::string &library);
  ~Driver();
  Driver(const Driver &) = delete;
  Driver &operator=(const Driver &) = delete;

  const DriverFunctions *operator->() const { return &functions; }

  /// Success, or a failure that says "cannot WHAT: the driver's reason".
  Status check(cuda::Result result, const std::string &what) const;

  Result<ComputeCapability> getComputeCapability(cuda::Device device) const;
  std::string getDeviceName(cuda::Device device) const;

private:
  Driver() = default;

  DriverFunctions functions = {};
  void *handle = nullptr;
};

} // namespace mlir::diffattn::runtime

#endif // DIFFATTN_RUNTIME_CUDADRIVER_H
