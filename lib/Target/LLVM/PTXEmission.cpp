//===- PTXEmission.cpp - From the NVVM dialect to PTX ---------------------===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "diffattn/Target/PTXEmission.h"

#include "MachineCode.h"

#include "mlir/Target/LLVMIR/Export.h"
#include "llvm/Analysis/LoopInfo.h"
#include "llvm/IR/CallingConv.h"
#include "llvm/IR/Dominators.h"
#include "llvm/IR/Instructions.h"
#include "llvm/IR/IntrinsicInst.h"
#include "llvm/IR/Module.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/Support/raw_ostream.h"
#include "llvm/Transforms/IPO/Internalize.h"

using namespace mlir;
using namespace mlir::diffattn;

static llvm::Expected<std::unique_ptr<llvm::TargetMachine>>
createNVPTXMachine(const GPUTarget &target) {
  static const bool initialized = [] {
    LLVMInitializeNVPTXTargetInfo();
    LLVMInitializeNVPTXTarget();
    LLVMInitializeNVPTXTargetMC();
    LLVMInitializeNVPTXAsmPrinter();
    return true;
  }();
  (void)initialized;
  return diffattn::detail::createTargetMachine(
      llvm::Triple("nvptx64-nvidia-cuda"), target.name, target.llvmFeatures,
      /*relocation=*/std::nullopt);
}

static bool isKernel(const llvm::GlobalValue &value) {
  auto *function = dyn_cast<llvm::Function>(&value);
  return function &&
         function->getCallingConv() == llvm::CallingConv::PTX_Kernel;
}

/// The name of a function that is called and that nothing defines: PTX with it
/// would assemble and then fail to load.
static std::optional<StringRef> findUndefined(const llvm::Module &module) {
  for (const llvm::Function &function : module)
    if (function.isDeclaration() && !function.isIntrinsic() &&
        !function.use_empty())
      return function.getName();
  return std::nullopt;
}

/// Moves constant distances from shared memory pointers to the instructions
/// that use them, which take them as immediates. Loop-invariant code motion has
/// put each sum in front of the loop: dozens of registers, one per `ldmatrix`,
/// where a few bases do. (Instruction selection looks at one block at a time,
/// and CodeGenPrepare sinks the addresses of loads and stores, not of
/// intrinsics.)
static void sinkSharedAddresses(llvm::Module &module) {
  constexpr unsigned sharedMemory = 3;
  SmallVector<llvm::Use *> addresses;
  for (llvm::Function &function : module)
    for (llvm::BasicBlock &block : function)
      for (llvm::Instruction &instruction : block)
        if (auto *call = dyn_cast<llvm::IntrinsicInst>(&instruction))
          for (llvm::Use &argument : call->args()) {
            auto *address = dyn_cast<llvm::GetElementPtrInst>(argument.get());
            if (address && address->hasAllConstantIndices() &&
                address->getAddressSpace() == sharedMemory &&
                address->getParent() != &block)
              addresses.push_back(&argument);
          }
  for (llvm::Use *use : addresses) {
    auto *address = cast<llvm::GetElementPtrInst>(use->get());
    llvm::Instruction *copy = address->clone();
    copy->insertBefore(cast<llvm::Instruction>(use->getUser())->getIterator());
    use->set(copy);
    if (address->use_empty())
      address->eraseFromParent();
  }
}

/// Asks ptxas, too, to leave loops as they are (`.pragma "nounroll"`): kernels
/// unroll what they want unrolled, and two copies of a loop whose accumulators
/// take half of the registers spill.
static void forbidUnrolling(llvm::Module &module) {
  for (llvm::Function &function : module) {
    if (function.isDeclaration())
      continue;
    llvm::DominatorTree dominators(function);
    llvm::LoopInfo loops(dominators);
    for (llvm::Loop *loop : loops.getLoopsInPreorder())
      loop->setLoopAlreadyUnrolled();
  }
}

/// Translates and optimises `module` for `machine`.
static FailureOr<std::unique_ptr<llvm::Module>>
translate(gpu::GPUModuleOp module, llvm::LLVMContext &context,
          llvm::TargetMachine &machine) {
  std::unique_ptr<llvm::Module> llvmModule =
      translateModuleToLLVMIR(module, context, module.getName());
  if (!llvmModule)
    return failure();
  if (llvm::none_of(*llvmModule, isKernel))
    return module.emitOpError(
        "expects a kernel to write PTX for, but has none");
  llvm::internalizeModule(*llvmModule, isKernel);
  // The tile dialect chooses what is a vector; SLP would pair registers that
  // matrix instructions take one by one.
  diffattn::detail::optimize(*llvmModule, machine, /*vectorize=*/false);
  sinkSharedAddresses(*llvmModule);
  forbidUnrolling(*llvmModule);
  if (std::optional<StringRef> name = findUndefined(*llvmModule))
    return module.emitOpError("calls '")
           << *name << "', which is not defined; only functions of the module "
           << "and intrinsics can be called";
  return llvmModule;
}

FailureOr<std::string> mlir::diffattn::emitPTX(gpu::GPUModuleOp module,
                                               const GPUTarget &target) {
  auto machine = createNVPTXMachine(target);
  if (!machine)
    return module.emitOpError(llvm::toString(machine.takeError()));
  llvm::LLVMContext context;
  auto llvmModule = translate(module, context, **machine);
  if (failed(llvmModule))
    return failure();
  auto text = diffattn::detail::generateCode(
      **llvmModule, **machine, llvm::CodeGenFileType::AssemblyFile);
  if (!text)
    return module.emitOpError(llvm::toString(text.takeError()));
  return std::string(text->begin(), text->end());
}

FailureOr<std::string>
mlir::diffattn::emitDeviceLLVMIR(gpu::GPUModuleOp module,
                                 const GPUTarget &target) {
  auto machine = createNVPTXMachine(target);
  if (!machine)
    return module.emitOpError(llvm::toString(machine.takeError()));
  llvm::LLVMContext context;
  auto llvmModule = translate(module, context, **machine);
  if (failed(llvmModule))
    return failure();
  std::string text;
  llvm::raw_string_ostream stream(text);
  (*llvmModule)->print(stream, /*AAW=*/nullptr);
  return text;
}
