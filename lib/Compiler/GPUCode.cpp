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

/// The bytes that one thread accesses at once through `memory` or views of it,
/// at most.
static int64_t getAccessBytes(Value memory, int64_t elementBytes) {
  // An asynchronous copy moves 16 bytes; 16-bit results are stored in pairs.
  constexpr int64_t copyBytes = 16, registerBytes = 4;
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

std::optional<GPUKernel> GPUKernel::get(gpu::GPUFuncOp kernel) {
  GPUKernel result;
  result.name = kernel.getName().str();
  auto shared = kernel->getAttrOfType<IntegerAttr>(tile::attr::sharedBytes);
  result.sharedBytes = shared ? shared.getInt() : 0;
  result.grid = kernel->getAttrOfType<ArrayAttr>(tile::attr::grid);
  auto warps = kernel->getAttrOfType<IntegerAttr>(tile::attr::warps);
  if (!result.grid || !warps)
    return std::nullopt;
  constexpr int64_t threadsPerWarp = 32;
  result.threads = threadsPerWarp * warps.getInt();
  for (auto [i, type] : llvm::enumerate(kernel.getArgumentTypes())) {
    auto memref = dyn_cast<MemRefType>(type);
    std::optional<reference::DType> dtype;
    if (memref)
      dtype = reference::getDType(memref.getElementType());
    if (!dtype)
      return std::nullopt;
    auto access = kernel.getArgAttrOfType<StringAttr>(i, tile::attr::access);
    auto entryResult =
        kernel.getArgAttrOfType<IntegerAttr>(i, tile::attr::result);
    KernelParameter parameter;
    parameter.shape.assign(memref.getShape().begin(), memref.getShape().end());
    parameter.dtype = *dtype;
    parameter.accessBytes =
        getAccessBytes(kernel.getArgument(i), reference::getByteWidth(*dtype));
    parameter.isWritten = access && access.getValue() != "read";
    if (entryResult)
      parameter.result = entryResult.getInt();
    result.parameters.push_back(std::move(parameter));
  }
  return result;
}

FailureOr<GPUCode>
mlir::diffattn::emitGPUCode(gpu::GPUModuleOp module, const GPUTarget &target,
                            StringRef schedule,
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
    if (llvm::Error error =
            checkResources(assembled->functions, chip, schedule))
      return module.emitError(llvm::toString(std::move(error)));
    if (chip == target.name) {
      code.cubin = std::move(assembled->cubin);
      code.functions = std::move(assembled->functions);
    }
  }
  return code;
}
