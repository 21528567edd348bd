//===- FakeCuda.cpp - A CUDA driver without a GPU -------------------------===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "FakeCuda.h"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <mutex>
#include <sstream>
#include <utility>

namespace {
struct FakeFunction {
  std::string name;
  size_t words;
};
struct FakeModule {
  std::vector<std::unique_ptr<FakeFunction>> functions;
};
struct FakeEvent {
  std::chrono::steady_clock::time_point time;
};
} // namespace

static std::mutex mutex;

/// Of this thread's calls while streams are captured; 2 allows all.
static thread_local int captureMode = 0;

FakeCuda &getFakeCuda() {
  static FakeCuda fake;
  return fake;
}

size_t FakeCuda::count(const std::string &name) const {
  return std::count(calls.begin(), calls.end(), name);
}

/// Records a call; what it shall return unless the function does something.
static int enter(const char *name) {
  std::lock_guard<std::mutex> lock(mutex);
  FakeCuda &fake = getFakeCuda();
  fake.calls.push_back(name);
  auto it = fake.failures.find(name);
  return it == fake.failures.end() ? 0 : it->second;
}

/// Functions of an image: either lines "kernel NAME WORDS", or PTX, where a
/// parameter is a word.
static void addFunctions(FakeModule &module, const std::string &image) {
  auto add = [&](std::string name, size_t words) {
    module.functions.push_back(
        std::make_unique<FakeFunction>(FakeFunction{std::move(name), words}));
  };
  const std::string entry = ".entry ", parameter = ".param ";
  size_t position = image.find(entry);
  if (position == std::string::npos) {
    std::istringstream lines(image);
    std::string word, name;
    size_t words = 0;
    while (lines >> word >> name >> words)
      add(name, words);
    return;
  }
  for (; position != std::string::npos;
       position = image.find(entry, position)) {
    position += entry.size();
    size_t begin = image.find('(', position), end = image.find(')', begin);
    size_t words = 0;
    for (size_t i = begin; (i = image.find(parameter, i)) < end; ++i)
      ++words;
    add(image.substr(position, begin - position), words);
  }
}

/// The result of a call that a capture forbids.
static int checkCapture() {
  return getFakeCuda().captured.empty() || captureMode == 2 ? 0 : 900;
}

#define ENTER()                                                                \
  if (int result = enter(__func__))                                            \
  return result

extern "C" {
int cuInit(unsigned) {
  ENTER();
  return 0;
}

int cuGetErrorString(int error, const char **text) {
  *text = error == 2 ? "out of memory" : "something is wrong";
  return 0;
}

int cuDeviceGetCount(int *count) {
  ENTER();
  *count = getFakeCuda().deviceCount;
  return 0;
}

int cuDeviceGet(int *device, int ordinal) {
  ENTER();
  *device = ordinal;
  return ordinal < getFakeCuda().deviceCount ? 0 : 101;
}

int cuDeviceGetName(char *name, int length, int) {
  ENTER();
  std::strncpy(name, "Fake GPU", length);
  return 0;
}

int cuDeviceGetAttribute(int *value, int attribute, int) {
  ENTER();
  *value = attribute == 75   ? getFakeCuda().major
           : attribute == 76 ? getFakeCuda().minor
           : attribute == 16 ? getFakeCuda().multiprocessors
                             : getFakeCuda().sharedLimit;
  return 0;
}

int cuDevicePrimaryCtxRetain(void **context, int device) {
  ENTER();
  *context = reinterpret_cast<void *>(uintptr_t(100 + device));
  return 0;
}

int cuDevicePrimaryCtxRelease_v2(int) {
  ENTER();
  return 0;
}

int cuCtxGetCurrent(void **context) {
  ENTER();
  *context = reinterpret_cast<void *>(getFakeCuda().context);
  return 0;
}

int cuCtxSetCurrent(void *context) {
  ENTER();
  getFakeCuda().context = reinterpret_cast<uintptr_t>(context);
  return 0;
}

int cuCtxGetDevice(int *device) {
  ENTER();
  *device = 0;
  return 0;
}

int cuCtxGetId(void *context, unsigned long long *id) {
  ENTER();
  *id = reinterpret_cast<uintptr_t>(context);
  return 0;
}

int cuModuleLoadDataEx(FakeModule **module, const void *image, unsigned count,
                       int *options, void **values) {
  FakeCuda &fake = getFakeCuda();
  if (int result = enter(__func__)) {
    for (unsigned i = 0; i < count; ++i)
      if (options[i] == 5)
        std::strcpy(static_cast<char *>(values[i]), fake.jitLog.c_str());
    return result;
  }
  fake.images.emplace_back(static_cast<const char *>(image));
  *module = new FakeModule;
  addFunctions(**module, fake.images.back());
  ++fake.modules;
  return 0;
}

int cuModuleUnload(FakeModule *module) {
  ENTER();
  delete module;
  --getFakeCuda().modules;
  return 0;
}

int cuModuleGetFunction(FakeFunction **function, FakeModule *module,
                        const char *name) {
  ENTER();
  for (const std::unique_ptr<FakeFunction> &candidate : module->functions) {
    if (candidate->name == name) {
      *function = candidate.get();
      return 0;
    }
  }
  return 500;
}

int cuFuncSetAttribute(FakeFunction *function, int attribute, int value) {
  ENTER();
  getFakeCuda().attributes[{function->name, attribute}] = value;
  return 0;
}

int cuFuncGetAttribute(int *value, int attribute, FakeFunction *) {
  ENTER();
  *value = attribute == 4 ? 168 : 0;
  return 0;
}

int cuLaunchKernel(FakeFunction *function, unsigned gridX, unsigned gridY,
                   unsigned gridZ, unsigned blockX, unsigned blockY,
                   unsigned blockZ, unsigned sharedBytes, void *stream,
                   void **parameters, void **extra) {
  ENTER();
  if (gridY != 1 || gridZ != 1 || blockY != 1 || blockZ != 1 || extra)
    return 1;
  FakeCuda::Launch launch{function->name, gridX,  blockX,
                          sharedBytes,    stream, {}};
  for (size_t i = 0; i < function->words; ++i)
    launch.words.push_back(*static_cast<uint64_t *>(parameters[i]));
  if (getFakeCuda().execute)
    getFakeCuda().execute(launch);
  std::lock_guard<std::mutex> lock(mutex);
  getFakeCuda().launches.push_back(std::move(launch));
  return 0;
}

int cuTensorMapEncodeTiled(uint64_t *map, int dataType, unsigned rank,
                           void *address, const uint64_t *sizes,
                           const uint64_t *strides, const uint32_t *box,
                           const uint32_t *elementStrides, int interleave,
                           int swizzle, int, int fill) {
  ENTER();
  if (interleave || fill || elementStrides[0] != 1)
    return 1;
  std::vector<uint64_t> &words = getFakeCuda().maps.emplace_back();
  words = {reinterpret_cast<uintptr_t>(address), uint64_t(dataType),
           uint64_t(swizzle)};
  words.insert(words.end(), sizes, sizes + rank);
  words.insert(words.end(), strides, strides + rank - 1);
  words.insert(words.end(), box, box + rank);
  map[0] = 1000 + getFakeCuda().maps.size();
  return 0;
}

int cuMemAlloc_v2(uint64_t *pointer, size_t bytes) {
  ENTER();
  if (int result = checkCapture())
    return result;
  void *memory = std::aligned_alloc(256, (bytes + 255) / 256 * 256);
  std::memset(memory, 0xcd, bytes); // nobody says that it is zero
  *pointer = reinterpret_cast<uintptr_t>(memory);
  ++getFakeCuda().allocations;
  return 0;
}

int cuMemFree_v2(uint64_t pointer) {
  ENTER();
  if (int result = checkCapture())
    return result;
  std::free(reinterpret_cast<void *>(pointer));
  --getFakeCuda().allocations;
  return 0;
}

int cuMemcpyHtoDAsync_v2(uint64_t to, const void *from, size_t bytes, void *) {
  ENTER();
  std::memcpy(reinterpret_cast<void *>(to), from, bytes);
  return 0;
}

int cuMemcpyDtoHAsync_v2(void *to, uint64_t from, size_t bytes, void *) {
  ENTER();
  std::memcpy(to, reinterpret_cast<void *>(from), bytes);
  return 0;
}

int cuMemsetD8Async(uint64_t to, unsigned char value, size_t bytes, void *) {
  ENTER();
  std::memset(reinterpret_cast<void *>(to), value, bytes);
  return 0;
}

int cuStreamCreate(void **stream, unsigned) {
  ENTER();
  *stream = &mutex;
  return 0;
}

int cuStreamSynchronize(void *) {
  ENTER();
  return 0;
}

int cuStreamDestroy_v2(void *) {
  ENTER();
  return 0;
}

int cuStreamIsCapturing(void *stream, int *status) {
  ENTER();
  *status = getFakeCuda().captured.count(stream);
  return 0;
}

int cuStreamGetId(void *stream, unsigned long long *id) {
  ENTER();
  auto it = getFakeCuda().streamIds.find(stream);
  *id = it == getFakeCuda().streamIds.end()
            ? reinterpret_cast<uintptr_t>(stream)
            : it->second;
  return 0;
}

int cuThreadExchangeStreamCaptureMode(int *mode) {
  ENTER();
  std::swap(*mode, captureMode);
  return 0;
}

int cuEventCreate(FakeEvent **event, unsigned) {
  ENTER();
  *event = new FakeEvent;
  return 0;
}

int cuEventRecord(FakeEvent *event, void *) {
  ENTER();
  event->time = std::chrono::steady_clock::now();
  return 0;
}

int cuEventSynchronize(FakeEvent *) {
  ENTER();
  return 0;
}

int cuEventElapsedTime(float *milliseconds, FakeEvent *start, FakeEvent *end) {
  ENTER();
  *milliseconds =
      std::chrono::duration<float, std::milli>(end->time - start->time).count();
  return 0;
}

int cuEventDestroy_v2(FakeEvent *event) {
  ENTER();
  delete event;
  return 0;
}
} // extern "C"
