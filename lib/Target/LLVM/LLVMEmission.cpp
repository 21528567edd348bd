//===- LLVMEmission.cpp - From the LLVM dialect to objects ----------------===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "diffattn/Target/LLVMEmission.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/Target/LLVMIR/Dialect/Builtin/BuiltinToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/LLVMIR/LLVMToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/OpenMP/OpenMPToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Export.h"
#include "llvm/IR/LegacyPassManager.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Passes/PassBuilder.h"
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
}

static llvm::Expected<std::unique_ptr<llvm::TargetMachine>>
createTargetMachine(const CPUTarget &target) {
  static const bool initialized = [] {
    llvm::InitializeNativeTarget();
    llvm::InitializeNativeTargetAsmPrinter();
    // For inline assembly, as in functions that use AMX.
    llvm::InitializeNativeTargetAsmParser();
    return true;
  }();
  (void)initialized;

  llvm::Triple triple(llvm::sys::getProcessTriple());
  std::string message;
  const llvm::Target *llvmTarget =
      llvm::TargetRegistry::lookupTarget(triple, message);
  if (!llvmTarget)
    return llvm::createStringError(message);
  return std::unique_ptr<llvm::TargetMachine>(llvmTarget->createTargetMachine(
      triple, target.llvmCPU, target.llvmFeatures, llvm::TargetOptions(),
      llvm::Reloc::PIC_, /*CM=*/std::nullopt,
      llvm::CodeGenOptLevel::Aggressive));
}

llvm::Error mlir::diffattn::optimizeLLVMIR(llvm::Module &module,
                                           const CPUTarget &target) {
  auto machine = createTargetMachine(target);
  if (!machine)
    return machine.takeError();
  module.setTargetTriple((*machine)->getTargetTriple());
  module.setDataLayout((*machine)->createDataLayout());
  // Functions carry the target, so that `--emit=llvm` can be fed to llc and
  // opt as it is, and inlining between them stays legal.
  for (llvm::Function &function : module) {
    if (function.isDeclaration())
      continue;
    function.addFnAttr("target-cpu", target.llvmCPU);
    function.addFnAttr("target-features", target.llvmFeatures);
  }

  llvm::PipelineTuningOptions tuning;
  tuning.LoopVectorization = true;
  tuning.SLPVectorization = true;
  // Blocks of registers are unrolled where the pipeline makes them. Unrolling
  // the loops around them brings little and doubles the compile time.
  tuning.LoopUnrolling = false;
  llvm::LoopAnalysisManager loops;
  llvm::FunctionAnalysisManager functions;
  llvm::CGSCCAnalysisManager callGraph;
  llvm::ModuleAnalysisManager modules;
  llvm::PassBuilder builder(machine->get(), tuning);
  builder.registerModuleAnalyses(modules);
  builder.registerCGSCCAnalyses(callGraph);
  builder.registerFunctionAnalyses(functions);
  builder.registerLoopAnalyses(loops);
  builder.crossRegisterProxies(loops, functions, callGraph, modules);
  builder.buildPerModuleDefaultPipeline(llvm::OptimizationLevel::O3)
      .run(module, modules);
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
  auto machine = createTargetMachine(target);
  if (!machine)
    return machine.takeError();
  llvm::SmallVector<char, 0> bytes;
  llvm::raw_svector_ostream stream(bytes);
  llvm::legacy::PassManager codegen;
  if ((*machine)->addPassesToEmitFile(codegen, stream, /*DwoOut=*/nullptr,
                                      llvm::CodeGenFileType::ObjectFile))
    return llvm::createStringError(
        "LLVM cannot write object files for target '" + target.name + "'");
  codegen.run(module);
  return std::make_unique<llvm::SmallVectorMemoryBuffer>(
      std::move(bytes), "diffattn.o", /*RequiresNullTerminator=*/false);
}
