//===- GPUCode.cpp - Kernels as text and machine code ---------------------===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "diffattn/Compiler/GPUCode.h"

#include "diffattn/Dialect/Tile/IR/Tile.h"
#include "diffattn/Target/PTXEmission.h"
#include "mlir/Interfaces/ViewLikeInterface.h"
#include "llvm/ADT/ScopeExit.h"
#include <thread>

using namespace mlir;
using namespace mlir::diffattn;

/// What asynchronous copies move at once.
static constexpr int64_t copyBytes = 16;

/// The bytes that one thread accesses at once through `memory` or views of it,
/// at most.
static int64_t getAccessBytes(Value memory, int64_t elementBytes) {
  // 16-bit results are stored in pairs.
  constexpr int64_t registerBytes = 4;
  int64_t bytes = elementBytes;
  for (Operation *user : memory.getUsers()) {
    if (isa<tile::AsyncCopyOp>(user))
      bytes = std::max(bytes, copyBytes);
    else if (isa<tile::StoreOp>(user))
      bytes = std::max(bytes, registerBytes);
    else if (isa<ViewLikeOpInterface>(user))
      bytes = std::max(bytes, getAccessBytes(user->getResult(0), elementBytes));
  }
  return bytes;
}

static std::optional<KernelParameter> getParameter(gpu::GPUFuncOp kernel,
                                                   unsigned number) {
  BlockArgument argument = kernel.getArgument(number);
  auto memref = dyn_cast<MemRefType>(argument.getType());
  std::optional<reference::DType> dtype;
  if (memref)
    dtype = reference::getDType(memref.getElementType());
  if (!dtype)
    return std::nullopt;
  auto access = kernel.getArgAttrOfType<StringAttr>(number, tile::attr::access);
  auto entryResult =
      kernel.getArgAttrOfType<IntegerAttr>(number, tile::attr::result);
  KernelParameter parameter;
  parameter.shape.assign(memref.getShape().begin(), memref.getShape().end());
  parameter.dtype = *dtype;
  int64_t elementBytes = reference::getByteWidth(*dtype);
  parameter.accessBytes = kernel->hasAttr(tile::attr::elementwise)
                              ? elementBytes
                              : getAccessBytes(argument, elementBytes);
  parameter.isWritten = access && access.getValue() != "read";
  if (entryResult)
    parameter.result = entryResult.getInt();
  return parameter;
}

/// The tensor map that is argument `number`, if its attribute describes one of
/// `parameters`.
static std::optional<KernelTensorMap>
getTensorMap(gpu::GPUFuncOp kernel, unsigned number,
             ArrayRef<KernelParameter> parameters) {
  auto type = dyn_cast<tile::TensorMapType>(kernel.getArgumentTypes()[number]);
  auto map = kernel.getArgAttrOfType<DictionaryAttr>(number, tile::attr::map);
  if (!type || !map)
    return std::nullopt;
  auto parameter = map.getAs<IntegerAttr>("argument");
  auto dims = map.getAs<DenseI64ArrayAttr>("dims");
  if (!parameter || !dims || parameter.getInt() < 0 ||
      parameter.getInt() >= static_cast<int64_t>(parameters.size()))
    return std::nullopt;
  KernelTensorMap result{parameter.getInt(), llvm::to_vector(dims.asArrayRef()),
                         llvm::to_vector(type.getBox()), type.getSwizzle()};
  // All dimensions, the contiguous one innermost.
  const KernelParameter &tensor = parameters[result.parameter];
  int64_t rank = tensor.shape.size();
  SmallVector<int64_t> sorted = llvm::to_vector(llvm::seq<int64_t>(0, rank));
  if (static_cast<int64_t>(result.box.size()) != rank || rank == 0 ||
      reference::getDType(type.getElementType()) != tensor.dtype ||
      !std::is_permutation(sorted.begin(), sorted.end(), result.dims.begin(),
                           result.dims.end()) ||
      result.dims.back() != rank - 1)
    return std::nullopt;
  return result;
}

/// Whether the last parameter is `diffattn_tile.counters`; nullopt if another
/// one claims to be, or it is not what the runtime gives.
static std::optional<bool> findCounters(gpu::GPUFuncOp kernel) {
  unsigned end = kernel.getNumArguments();
  for (unsigned i = 0; i < end; ++i) {
    if (!kernel.getArgAttr(i, tile::attr::counters))
      continue;
    auto i32 = IntegerType::get(kernel.getContext(), 32);
    if (i + 1 != end || !kernel->hasAttr(tile::attr::persistent) ||
        kernel.getArgumentTypes()[i] != MemRefType::get({2}, i32))
      return std::nullopt;
    return true;
  }
  return false;
}

std::optional<GPUKernel> GPUKernel::get(gpu::GPUFuncOp kernel) {
  GPUKernel result;
  result.name = kernel.getName().str();
  auto shared = kernel->getAttrOfType<IntegerAttr>(tile::attr::sharedBytes);
  result.sharedBytes = shared ? shared.getInt() : 0;
  result.grid = kernel->getAttrOfType<ArrayAttr>(tile::attr::grid);
  auto warps = kernel->getAttrOfType<IntegerAttr>(tile::attr::warps);
  if (!result.grid || !warps)
    return std::nullopt;
  constexpr int64_t threadsPerWarp = 32, threadsPerWarpgroup = 128;
  result.threads = threadsPerWarp * warps.getInt();
  kernel.walk([&](tile::RolesOp roles) {
    result.threads = threadsPerWarpgroup * roles.getNumWarpgroups();
  });
  result.isPersistent = kernel->hasAttr(tile::attr::persistent);
  if (auto cluster = kernel->getAttrOfType<IntegerAttr>(tile::attr::cluster))
    result.cluster = cluster.getInt();

  std::optional<bool> counters = findCounters(kernel);
  if (!counters)
    return std::nullopt;
  result.hasCounters = *counters;

  unsigned i = 0, end = kernel.getNumArguments() - *counters;
  for (; i < end && isa<MemRefType>(kernel.getArgumentTypes()[i]); ++i) {
    std::optional<KernelParameter> parameter = getParameter(kernel, i);
    if (!parameter)
      return std::nullopt;
    result.parameters.push_back(std::move(*parameter));
  }
  for (; i < end; ++i) {
    std::optional<KernelTensorMap> map =
        getTensorMap(kernel, i, result.parameters);
    if (!map)
      return std::nullopt;
    // What the copy engine wants of addresses and strides.
    int64_t &bytes = result.parameters[map->parameter].accessBytes;
    bytes = std::max(bytes, copyBytes);
    result.maps.push_back(std::move(*map));
  }
  return result;
}

FailureOr<GPUCode>
mlir::diffattn::emitGPUCode(gpu::GPUModuleOp module, const GPUTarget &target,
                            const AssemblerOptions &assembler) {
  GPUCode code;
  FailureOr<std::string> ptx = emitPTX(module, target);
  if (failed(ptx))
    return failure();
  code.ptx = std::move(*ptx);
  if (!assembler.use && !assembler.needsCubin)
    return code;

  llvm::Expected<std::string> ptxas = findPtxas(assembler.path);
  if (!ptxas) {
    // PTX needs no assembler, unless one was named.
    if (assembler.needsCubin || !assembler.path.empty())
      return module.emitError(llvm::toString(ptxas.takeError()));
    llvm::consumeError(ptxas.takeError());
    return code;
  }
  // All chips at once: each takes seconds in a process of its own.
  std::vector<std::optional<llvm::Expected<AssembledCode>>> all(
      target.assembledFor.size());
  std::vector<std::thread> threads;
  for (auto [chip, result] : llvm::zip_equal(target.assembledFor, all))
    threads.emplace_back([&, chip = chip, &result = result] {
      result.emplace(assemble(*ptxas, code.ptx, chip));
    });
  for (std::thread &thread : threads)
    thread.join();
  // An error is one, whatever the other chips say.
  llvm::scope_exit dropOthers([&] {
    for (auto &result : all)
      if (result && !*result)
        llvm::consumeError(result->takeError());
  });
  for (auto [chip, result] : llvm::zip_equal(target.assembledFor, all)) {
    llvm::Expected<AssembledCode> &assembled = *result;
    if (!assembled)
      return module.emitError(llvm::toString(assembled.takeError()));
    if (!code.fault)
      code.fault = findFault(assembled->functions, chip);
    if (chip == target.name) {
      code.cubin = std::move(assembled->cubin);
      code.functions = std::move(assembled->functions);
    }
  }
  return code;
}
