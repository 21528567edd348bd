//===- Program.cpp - A compiled program, loaded and launchable ------------===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "diffattn/Runtime/Program.h"
#include "Counters.h"
#include "Preconditions.h"

#include <algorithm>
#include <fstream>
#include <iterator>
#include <mutex>
#include <tuple>

using namespace mlir::diffattn::runtime;

/// A kernel's parameters take at most 4 KiB, and are 64 bits each.
static constexpr size_t maxWords = 512;

/// The words of a memref descriptor: allocated and aligned pointer, offset,
/// sizes, strides.
static constexpr size_t getNumWords(size_t rank) { return 3 + 2 * rank; }

/// A tensor map takes 16 words, so many is more than enough.
static constexpr size_t maxMaps = 8;

//===----------------------------------------------------------------------===//
// Loading
//===----------------------------------------------------------------------===//

/// The current context, or the primary context of device 0, made current: what
/// CUDA's own runtime library does at its first call.
static Result<cuda::Context> ensureContext(const Driver &driver) {
  cuda::Context context = nullptr;
  cuda::Device device = 0;
  cuda::Result result = driver->cuCtxGetCurrent(&context);
  if (result == cuda::Success && !context) {
    result = driver->cuDeviceGet(&device, 0);
    if (result == cuda::Success)
      result = driver->cuDevicePrimaryCtxRetain(&context, device);
    if (result == cuda::Success)
      result = driver->cuCtxSetCurrent(context);
  }
  if (Status status = driver.check(result, "use the GPU"); !status.ok())
    return status;
  return context;
}

static Result<std::string> readImage(const std::string &path) {
  std::ifstream file(path, std::ios::binary);
  std::string bytes((std::istreambuf_iterator<char>(file)), {});
  if (!file || bytes.empty())
    return Status(ErrorKind::BadManifest,
                  "cannot read the image '" + path + "'");
  return bytes;
}

/// PTX errors come as a log of several lines; the first one says enough.
static std::string getFirstLine(const char *log) {
  std::string text(log);
  return text.substr(0, text.find_first_of("\r\n"));
}

static Result<cuda::Module> loadModule(const Driver &driver,
                                       const std::string &path) {
  Result<std::string> image = readImage(path);
  if (!image)
    return image.getStatus();
  // PTX is text and ends with a null character, which std::string adds.
  char log[4096] = {};
  int options[] = {cuda::JitErrorLogBuffer, cuda::JitErrorLogBufferSizeBytes};
  void *values[] = {log, reinterpret_cast<void *>(sizeof(log) - 1)};
  cuda::Module module = nullptr;
  cuda::Result result =
      driver->cuModuleLoadDataEx(&module, image->c_str(), 2, options, values);
  Status status = driver.check(result, "load '" + path + "'");
  if (status.ok())
    return module;
  std::string message = status.getMessage();
  if (*log)
    message += ": " + getFirstLine(log);
  if (result == cuda::ErrorUnsupportedPtxVersion)
    message += "; the driver is older than the PTX, use a cubin";
  return Status(result == cuda::ErrorNoBinaryForGpu ? ErrorKind::WrongChip
                                                    : status.getKind(),
                message);
}

/// Checks what the launch path relies on.
static Status checkKernel(const Driver &driver, const Manifest &manifest,
                          const KernelDescription &kernel) {
  size_t words = 0, maps = 0;
  for (const KernelParameter &parameter : kernel.parameters) {
    if (parameter.map)
      words += sizeof(cuda::TensorMap) / sizeof(uint64_t);
    else
      words += getNumWords(
          parameter.isCounters
              ? 1
              : manifest.parameters[parameter.argument].shape.size());
    maps += parameter.map.has_value();
  }
  if (maps && !driver->cuTensorMapEncodeTiled)
    return Status(ErrorKind::NoDriver,
                  "the CUDA driver is too old: it has no "
                  "'cuTensorMapEncodeTiled', which kernel '" +
                      kernel.name + "' needs");
  if (maps > maxMaps)
    return Status(ErrorKind::BadManifest,
                  "cannot read '" + manifest.path + "': kernel '" +
                      kernel.name + "' has " + std::to_string(maps) +
                      " tensor maps, at most " + std::to_string(maxMaps) +
                      " are possible");
  if (words <= maxWords)
    return Status();
  return Status(ErrorKind::BadManifest,
                "cannot read '" + manifest.path + "': kernel '" + kernel.name +
                    "' has " + std::to_string(8 * words) +
                    " bytes of parameters, at most " +
                    std::to_string(8 * maxWords) + " are possible");
}

static Result<LoadedKernel> loadKernel(const Driver &driver,
                                       cuda::Module module,
                                       const KernelDescription &kernel,
                                       cuda::Device device) {
  int available = 0;
  cuda::Result result = driver->cuDeviceGetAttribute(
      &available, cuda::DeviceAttributeMaxSharedMemoryPerBlockOptin, device);
  if (result == cuda::Success &&
      kernel.sharedBytes > static_cast<unsigned>(available))
    return Status(ErrorKind::WrongChip,
                  "kernel '" + kernel.name + "' needs " +
                      std::to_string(kernel.sharedBytes) +
                      " bytes of shared memory, but " +
                      driver.getDeviceName(device) + " has " +
                      std::to_string(available) + " for a block");
  LoadedKernel loaded;
  if (result == cuda::Success)
    result = driver->cuModuleGetFunction(&loaded.function, module,
                                         kernel.name.c_str());
  if (result == cuda::Success)
    result = driver->cuFuncSetAttribute(
        loaded.function, cuda::FuncAttributeMaxDynamicSharedSizeBytes,
        static_cast<int>(kernel.sharedBytes));
  if (result == cuda::Success)
    result = driver->cuFuncGetAttribute(
        &loaded.registers, cuda::FuncAttributeNumRegs, loaded.function);
  if (result == cuda::Success)
    result = driver->cuFuncGetAttribute(
        &loaded.localBytes, cuda::FuncAttributeLocalSizeBytes, loaded.function);
  if (result == cuda::Success && kernel.isPersistent)
    result = driver->cuDeviceGetAttribute(
        &loaded.maxBlocks, cuda::DeviceAttributeMultiprocessorCount, device);
  if (Status status = driver.check(result, "load kernel '" + kernel.name + "'");
      !status.ok())
    return status;
  loaded.maxBlocks -= loaded.maxBlocks % static_cast<int>(kernel.cluster);
  return loaded;
}

Status Program::loadVariant(Variant &variant, const std::string &image,
                            cuda::Device device) {
  Result<cuda::Module> module = loadModule(driver, image);
  if (!module)
    return module.getStatus();
  variant.module = *module;
  for (const KernelDescription &kernel : variant.manifest.kernels) {
    if (Status status = checkKernel(driver, variant.manifest, kernel);
        !status.ok())
      return status;
    Result<LoadedKernel> loaded =
        loadKernel(driver, variant.module, kernel, device);
    if (!loaded)
      return loaded.getStatus();
    variant.kernels.push_back(*loaded);
    // The manifest says that they are the last parameter.
    if (counters || kernel.parameters.empty() ||
        !kernel.parameters.back().isCounters)
      continue;
    counters = std::make_unique<Counters>(driver);
    if (Status status = counters->grow(); !status.ok())
      return status;
  }
  return Status();
}

Result<std::shared_ptr<const Program>>
Program::loadUncached(const Driver &driver,
                      const std::vector<std::string> &manifests) {
  cuda::Device device = 0;
  if (Status status = driver.check(driver->cuCtxGetDevice(&device),
                                   "find the context's GPU");
      !status.ok())
    return status;
  Result<ComputeCapability> capability = driver.getComputeCapability(device);
  if (!capability)
    return capability.getStatus();

  std::shared_ptr<Program> program(new Program(driver));
  // Those that were given come first, then their fallbacks.
  std::vector<std::pair<std::string, size_t>> files;
  for (const std::string &file : manifests)
    files.emplace_back(file, files.size());
  // Modules must not move to another vector: the destructor unloads them.
  program->variants.reserve(2 * manifests.size());
  std::string entry, targets;
  for (size_t i = 0; i < files.size(); ++i) {
    auto [file, position] = files[i];
    Result<Manifest> manifest = Manifest::read(file);
    if (!manifest)
      return manifest.getStatus();
    if (i && manifest->entry != entry)
      return Status(ErrorKind::BadManifest,
                    "cannot read '" + file + "': its entry is '" +
                        manifest->entry + "', but the others' is '" + entry +
                        "'");
    entry = manifest->entry;
    const bool isFallback = i >= manifests.size();
    if (!isFallback)
      targets += (i ? ", " : "") + manifest->target;
    std::optional<std::string> image = manifest->selectImage(*capability);
    if (!image)
      continue;
    if (!isFallback && !manifest->fallback.empty())
      files.emplace_back(manifest->fallback, position);
    Variant &variant = program->variants.emplace_back();
    variant.manifest = std::move(*manifest);
    variant.position = position;
    if (Status status = program->loadVariant(variant, *image, device);
        !status.ok())
      return status;
  }
  if (program->variants.empty())
    return Status(ErrorKind::WrongChip, "'" + entry + "' is compiled for " +
                                            targets + ", but " +
                                            driver.getDeviceName(device) +
                                            " is " + capability->getChip());
  return std::shared_ptr<const Program>(std::move(program));
}

namespace {
/// Programs in use, by driver, context and files. A context is known by its
/// number where the driver has one, because addresses are used again.
struct ProgramCache {
  using Key = std::tuple<const Driver *, uint64_t, std::vector<std::string>>;
  std::mutex mutex;
  std::map<Key, std::weak_ptr<const Program>> programs;
};
} // namespace

Result<std::shared_ptr<const Program>>
Program::load(const Driver &driver, const std::vector<std::string> &manifests) {
  if (manifests.empty())
    return Status(ErrorKind::BadManifest, "a program needs a manifest");
  Result<cuda::Context> context = ensureContext(driver);
  if (!context)
    return context.getStatus();
  unsigned long long id = reinterpret_cast<uintptr_t>(*context);
  if (driver->cuCtxGetId)
    if (Status status = driver.check(driver->cuCtxGetId(*context, &id),
                                     "identify the context");
        !status.ok())
      return status;

  // Never destroyed: programs may be released while the process ends.
  static auto *cache = new ProgramCache;
  std::lock_guard<std::mutex> lock(cache->mutex);
  std::weak_ptr<const Program> &entry =
      cache->programs[{&driver, id, manifests}];
  if (std::shared_ptr<const Program> program = entry.lock())
    return program;
  Result<std::shared_ptr<const Program>> program =
      loadUncached(driver, manifests);
  if (program)
    entry = *program;
  return program;
}

Program::Program(const Driver &driver) : driver(driver) {}

Program::~Program() {
  // Fails if the context is gone, and the module with it: nothing to be done.
  for (const Variant &variant : variants)
    if (variant.module)
      driver->cuModuleUnload(variant.module);
}

//===----------------------------------------------------------------------===//
// Launching
//===----------------------------------------------------------------------===//

const Program::Variant *Program::find(const TensorView *arguments,
                                      size_t numArguments) const {
  for (const Variant &variant : variants)
    if (!findMismatch(variant.manifest, arguments, numArguments))
      return &variant;
  return nullptr;
}

Status Program::explain(const TensorView *arguments,
                        size_t numArguments) const {
  const std::string &entry = variants.front().manifest.entry;
  std::string reasons;
  for (const Variant &variant : variants) {
    std::optional<Mismatch> mismatch =
        findMismatch(variant.manifest, arguments, numArguments);
    if (!mismatch) // the caller changed the arguments meanwhile
      continue;
    std::string reason = stringifyMismatch(variant.manifest, *mismatch);
    if (variants.size() == 1)
      return Status(ErrorKind::BadArgument,
                    "'" + entry + "' does not accept the arguments: " + reason);
    reasons +=
        (reasons.empty() ? "" : "; ") + variant.manifest.path + ": " + reason;
  }
  return Status(ErrorKind::BadArgument,
                "no variant of '" + entry +
                    "' accepts the arguments: " + reasons);
}

Result<size_t> Program::select(const TensorView *arguments,
                               size_t numArguments) const {
  if (const Variant *variant = find(arguments, numArguments))
    return variant->position;
  return explain(arguments, numArguments);
}

/// The number of blocks, or -1 if it is more than a launch takes.
static int64_t getNumBlocks(const KernelDescription &kernel,
                            const TensorView *arguments) {
  constexpr int64_t maxBlocks = std::numeric_limits<int32_t>::max();
  int64_t blocks = 1;
  bool tooMany = false;
  for (const GridFactor &factor : kernel.grid) {
    int64_t count = factor.constant;
    if (factor.size) {
      int64_t size = arguments[factor.size->argument].sizes[factor.size->dim];
      count = size / factor.tile + (size % factor.tile != 0);
    }
    // A later factor may still be zero.
    if (count == 0)
      return 0;
    tooMany |=
        __builtin_mul_overflow(blocks, count, &blocks) || blocks > maxBlocks;
  }
  return tooMany ? -1 : blocks;
}

/// Describes a tensor to the tensor memory accelerator. Runs on the host.
static cuda::Result encodeMap(const Driver &driver, const Parameter &parameter,
                              const TensorMapDescription &description,
                              const TensorView &tensor, cuda::TensorMap &map) {
  constexpr unsigned maxRank = 5;
  constexpr uint64_t granule = 16; // bytes, of strides
  uint64_t sizes[maxRank], strides[maxRank];
  uint32_t elementStrides[maxRank];
  const uint64_t width = getByteWidth(parameter.dtype);
  for (unsigned i = 0; i < tensor.rank; ++i) {
    unsigned dim = description.dims[i];
    sizes[i] = static_cast<uint64_t>(tensor.sizes[dim]);
    strides[i] = static_cast<uint64_t>(tensor.strides[dim]) * width;
    elementStrides[i] = 1;
    if (sizes[i] == 0) { // nothing will be copied, and a map cannot say so
      map = {};
      return cuda::Success;
    }
    // The stride of a dimension of size 1 may be anything, but not in a map.
    if (sizes[i] == 1)
      strides[i] = granule;
  }
  const int dataType = parameter.dtype == DType::F16 ? cuda::TensorMapFloat16
                       : parameter.dtype == DType::BF16
                           ? cuda::TensorMapBFloat16
                           : cuda::TensorMapFloat32;
  const int swizzle = description.swizzle == 0    ? 0
                      : description.swizzle == 32 ? 1
                      : description.swizzle == 64 ? 2
                                                  : 3;
  // The innermost stride is not given: it is one element.
  return driver->cuTensorMapEncodeTiled(
      &map, dataType, tensor.rank, tensor.data, sizes, strides + 1,
      description.box.data(), elementStrides, /*interleave=*/0, swizzle,
      cuda::TensorMapL2Promotion256B, /*fill=*/0);
}

Status Program::launchKernel(const Variant &variant, size_t index,
                             const TensorView *arguments,
                             cuda::Stream stream) const {
  const KernelDescription &kernel = variant.manifest.kernels[index];
  int64_t blocks = getNumBlocks(kernel, arguments);
  if (blocks == 0)
    return Status();
  if (blocks < 0)
    return Status(ErrorKind::BadArgument,
                  "kernel '" + kernel.name +
                      "' would need more blocks than a launch can have");

  uint64_t words[maxWords];
  void *pointers[maxWords];
  cuda::TensorMap maps[maxMaps];
  size_t numWords = 0, numPointers = 0, numMaps = 0;
  auto push = [&](uint64_t word) {
    words[numWords] = word;
    pointers[numPointers++] = &words[numWords++];
  };
  for (const KernelParameter &parameter : kernel.parameters) {
    if (parameter.isCounters) {
      Result<cuda::DevicePtr> address = counters->take(stream);
      if (!address)
        return address.getStatus();
      for (uint64_t word : {*address, *address, uint64_t(/*offset=*/0),
                            uint64_t(numCounters), uint64_t(/*stride=*/1)})
        push(word);
      continue;
    }
    const TensorView &tensor = arguments[parameter.argument];
    if (parameter.map) {
      const Parameter &argument =
          variant.manifest.parameters[parameter.argument];
      cuda::Result result =
          encodeMap(driver, argument, *parameter.map, tensor, maps[numMaps]);
      if (result != cuda::Success)
        return driver.check(result, "describe " + argument.name +
                                        " to the tensor memory accelerator");
      pointers[numPointers++] = &maps[numMaps++];
      continue;
    }
    uint64_t address = reinterpret_cast<uintptr_t>(tensor.data);
    push(address);
    push(address);
    push(/*offset=*/0);
    for (unsigned dim = 0; dim < tensor.rank; ++dim)
      push(static_cast<uint64_t>(tensor.sizes[dim]));
    for (unsigned dim = 0; dim < tensor.rank; ++dim)
      push(static_cast<uint64_t>(tensor.strides[dim]));
  }
  const LoadedKernel &loaded = variant.kernels[index];
  blocks = std::min<int64_t>(blocks, loaded.maxBlocks);
  cuda::Result result = driver->cuLaunchKernel(
      loaded.function, static_cast<unsigned>(blocks), 1, 1, kernel.threads, 1,
      1, kernel.sharedBytes, stream, pointers, /*extra=*/nullptr);
  if (result == cuda::Success)
    return Status();
  Status status = driver.check(result, "launch kernel '" + kernel.name + "'");
  if (result != cuda::ErrorInvalidContext && result != cuda::ErrorInvalidHandle)
    return status;
  return Status(status.getKind(), status.getMessage() +
                                      "; the program was loaded into another "
                                      "context than the current one");
}

Status Program::launch(const TensorView *arguments, size_t numArguments,
                       cuda::Stream stream) const {
  const Variant *variant = find(arguments, numArguments);
  if (!variant)
    return explain(arguments, numArguments);
  for (size_t i = 0, e = variant->kernels.size(); i < e; ++i)
    if (Status status = launchKernel(*variant, i, arguments, stream);
        !status.ok())
      return status;
  return Status();
}
