//===- LLVMEmission.cpp - From the LLVM dialect to objects ----------------===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "diffattn/Target/LLVMEmission.h"

#include "MachineCode.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/Target/LLVMIR/Dialect/Builtin/BuiltinToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/GPU/GPUToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/LLVMIR/LLVMToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/NVVM/NVVMToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/OpenMP/OpenMPToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Export.h"
#include "llvm/Support/SmallVectorMemoryBuffer.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/Target/TargetMachine.h"
#include "llvm/TargetParser/Host.h"
#include "llvm/Transforms/IPO/Internalize.h"

using namespace mlir;
using namespace mlir::diffattn;

void mlir::diffattn::registerLLVMTranslations(DialectRegistry &registry) {
  registerBuiltinDialectTranslation(registry);
  registerLLVMDialectTranslation(registry);
  registerOpenMPDialectTranslation(registry);
  registerGPUDialectTranslation(registry);
  registerNVVMDialectTranslation(registry);
}

static llvm::Expected<std::unique_ptr<llvm::TargetMachine>>
createHostMachine(const CPUTarget &target) {
  static const bool initialized = [] {
    llvm::InitializeNativeTarget();
    llvm::InitializeNativeTargetAsmPrinter();
    // For inline assembly, as in functions that use AMX.
    llvm::InitializeNativeTargetAsmParser();
    return true;
  }();
  (void)initialized;
  return diffattn::detail::createTargetMachine(
      llvm::Triple(llvm::sys::getProcessTriple()), target.llvmCPU,
      target.llvmFeatures, llvm::Reloc::PIC_);
}

llvm::Error mlir::diffattn::optimizeLLVMIR(llvm::Module &module,
                                           const CPUTarget &target) {
  auto machine = createHostMachine(target);
  if (!machine)
    return machine.takeError();
  diffattn::detail::optimize(module, **machine, /*vectorize=*/true);
  return llvm::Error::success();
}

/// Hides all but the C entry points, if there are any: the functions behind
/// them may be called `main`, and unused ones need no code.
static void hideInternals(llvm::Module &module) {
  auto isEntryPoint = [](const llvm::GlobalValue &value) {
    return value.getName().starts_with("_mlir_ciface_");
  };
  if (llvm::any_of(module, [&](const llvm::Function &function) {
        return !function.isDeclaration() && isEntryPoint(function);
      }))
    llvm::internalizeModule(module, isEntryPoint);
}

FailureOr<std::unique_ptr<llvm::Module>>
mlir::diffattn::translateToLLVMIR(ModuleOp module, llvm::LLVMContext &context,
                                  const CPUTarget &target) {
  std::unique_ptr<llvm::Module> llvmModule =
      translateModuleToLLVMIR(module, context);
  if (!llvmModule)
    return failure();
  hideInternals(*llvmModule);
  if (llvm::Error error = optimizeLLVMIR(*llvmModule, target))
    return module.emitError(llvm::toString(std::move(error)));
  return llvmModule;
}

llvm::Expected<std::unique_ptr<llvm::MemoryBuffer>>
mlir::diffattn::emitObject(llvm::Module &module, const CPUTarget &target) {
  auto machine = createHostMachine(target);
  if (!machine)
    return machine.takeError();
  auto bytes = diffattn::detail::generateCode(
      module, **machine, llvm::CodeGenFileType::ObjectFile);
  if (!bytes)
    return bytes.takeError();
  return std::make_unique<llvm::SmallVectorMemoryBuffer>(
      std::move(*bytes), "diffattn.o", /*RequiresNullTerminator=*/false);
}
