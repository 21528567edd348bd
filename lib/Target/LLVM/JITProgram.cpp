//===- JITProgram.cpp - An object file, loaded and callable ---------------===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "diffattn/Target/JITProgram.h"

#include "llvm/ExecutionEngine/Orc/ExecutionUtils.h"
#include "llvm/ExecutionEngine/Orc/LLJIT.h"
#include "llvm/IR/IRBuilder.h"
#include "llvm/IR/Module.h"
#include "llvm/Object/ObjectFile.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/Support/raw_ostream.h"
#include <atomic>
#include <cstdlib>
#include <cstring>
#include <unistd.h>

using namespace mlir::diffattn;

static std::atomic<bool> poisonAllocations{false};

void JITProgram::setPoisonAllocations(bool poison) {
  poisonAllocations = poison;
}

/// The program's `malloc`. Generated code does not check for null, and more
/// memory than the machine has ends in the kernel killing the process, so both
/// end here, with a sentence.
static void *allocateForProgram(size_t size) {
  static const size_t available =
      size_t(sysconf(_SC_PHYS_PAGES)) * size_t(sysconf(_SC_PAGE_SIZE));
  void *memory = size <= available ? std::malloc(size) : nullptr;
  if (!memory) {
    llvm::errs() << "error: the program asked for " << size
                 << " bytes, but this machine has " << available << "\n";
    _exit(1);
  }
  if (poisonAllocations)
    std::memset(memory, 0xff, size);
  return memory;
}

/// Whether the object calls the OpenMP runtime.
static llvm::Expected<bool> usesOpenMP(llvm::MemoryBufferRef object) {
  auto file = llvm::object::ObjectFile::createObjectFile(object);
  if (!file)
    return file.takeError();
  for (const llvm::object::SymbolRef &symbol : (*file)->symbols()) {
    llvm::Expected<llvm::StringRef> name = symbol.getName();
    if (!name)
      return name.takeError();
    if (name->starts_with("__kmpc_"))
      return true;
  }
  return false;
}

/// Makes the OpenMP runtime's symbols visible to `library`.
static llvm::Error addOpenMP(llvm::orc::LLJIT &jit,
                             llvm::orc::JITDylib &library) {
  const char prefix = jit.getDataLayout().getGlobalPrefix();
  for (const char *name : {"libomp.so.5", "libomp.so"}) {
    auto generator =
        llvm::orc::DynamicLibrarySearchGenerator::Load(name, prefix);
    if (generator) {
      library.addGenerator(std::move(*generator));
      return llvm::Error::success();
    }
    llvm::consumeError(generator.takeError());
  }
  return llvm::createStringError(
      "the OpenMP runtime libomp.so.5 was not found, which parallel programs "
      "need; install the package libomp5-22 (or libomp-22-dev)");
}

JITProgram::JITProgram(std::unique_ptr<llvm::orc::LLJIT> jit)
    : jit(std::move(jit)), linkError(std::make_shared<std::string>()) {
  this->jit->getExecutionSession().setErrorReporter(
      [message = linkError](llvm::Error error) {
        *message = llvm::toString(std::move(error));
      });
}
JITProgram::JITProgram(JITProgram &&) = default;
JITProgram::~JITProgram() = default;

llvm::Expected<JITProgram> JITProgram::load(llvm::MemoryBufferRef object) {
  llvm::InitializeNativeTarget();
  llvm::InitializeNativeTargetAsmPrinter();
  auto jit = llvm::orc::LLJITBuilder().create();
  if (!jit)
    return jit.takeError();
  llvm::orc::JITDylib &library = (*jit)->getMainJITDylib();

  llvm::orc::SymbolMap allocation;
  allocation[(*jit)->mangleAndIntern("malloc")] = {
      llvm::orc::ExecutorAddr::fromPtr(&allocateForProgram),
      llvm::JITSymbolFlags::Exported};
  if (llvm::Error error =
          library.define(llvm::orc::absoluteSymbols(std::move(allocation))))
    return std::move(error);

  auto openMP = usesOpenMP(object);
  if (!openMP)
    return openMP.takeError();
  if (*openMP)
    if (llvm::Error error = addOpenMP(**jit, library))
      return std::move(error);

  // The C and maths libraries come from this process.
  auto process = llvm::orc::DynamicLibrarySearchGenerator::GetForCurrentProcess(
      (*jit)->getDataLayout().getGlobalPrefix());
  if (!process)
    return process.takeError();
  library.addGenerator(std::move(*process));

  auto copy = llvm::MemoryBuffer::getMemBufferCopy(
      object.getBuffer(), object.getBufferIdentifier());
  if (llvm::Error error = (*jit)->addObjectFile(std::move(copy)))
    return std::move(error);
  return JITProgram(std::move(*jit));
}

llvm::Expected<void *> JITProgram::lookup(llvm::StringRef symbol) {
  auto address = jit->lookup(symbol);
  if (address)
    return address->toPtr<void *>();
  std::string returned = llvm::toString(address.takeError());
  return llvm::createStringError("cannot link the program: " +
                                 (linkError->empty() ? returned : *linkError));
}

llvm::Expected<JITProgram::Caller>
JITProgram::getCaller(llvm::StringRef symbol, unsigned numParameters) {
  auto context = std::make_unique<llvm::LLVMContext>();
  auto module = std::make_unique<llvm::Module>("caller", *context);
  module->setDataLayout(jit->getDataLayout());
  llvm::IRBuilder<> builder(*context);
  llvm::Type *pointer = builder.getPtrTy();
  llvm::Type *none = builder.getVoidTy();
  llvm::SmallVector<llvm::Type *> parameterTypes(numParameters, pointer);
  llvm::FunctionCallee callee = module->getOrInsertFunction(
      symbol,
      llvm::FunctionType::get(none, parameterTypes, /*isVarArg=*/false));
  std::string name = ("diffattn_call_" + symbol).str();
  auto *caller = llvm::Function::Create(
      llvm::FunctionType::get(none, {pointer}, /*isVarArg=*/false),
      llvm::Function::ExternalLinkage, name, *module);
  builder.SetInsertPoint(llvm::BasicBlock::Create(*context, "", caller));
  llvm::SmallVector<llvm::Value *> arguments;
  for (unsigned i = 0; i < numParameters; ++i)
    arguments.push_back(builder.CreateLoad(
        pointer, builder.CreateConstGEP1_64(pointer, caller->getArg(0), i)));
  builder.CreateCall(callee, arguments);
  builder.CreateRetVoid();
  if (llvm::Error error = jit->addIRModule(
          llvm::orc::ThreadSafeModule(std::move(module), std::move(context))))
    return std::move(error);
  llvm::Expected<void *> address = lookup(name);
  if (!address)
    return address.takeError();
  return reinterpret_cast<Caller>(*address);
}
