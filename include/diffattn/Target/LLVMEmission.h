//===- LLVMEmission.h - From the LLVM dialect to objects --------*- C++ -*-===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// LLVM IR, optimisation and object files for a target description.
//
//===----------------------------------------------------------------------===//

#ifndef DIFFATTN_TARGET_LLVMEMISSION_H
#define DIFFATTN_TARGET_LLVMEMISSION_H

#include "diffattn/Target/TargetDescription.h"
#include "mlir/Support/LLVM.h"
#include "llvm/IR/Module.h"
#include "llvm/Support/MemoryBuffer.h"
#include <memory>

namespace mlir {
class DialectRegistry;
class ModuleOp;

namespace diffattn {

/// Translations to LLVM IR, for CPUs and GPUs.
void registerLLVMTranslations(DialectRegistry &registry);

/// Translates a module in the LLVM dialect and optimises it for `target`.
/// Where it has C entry points (`_mlir_ciface_*`), nothing else is visible
/// outside. Failures are reported on the module.
FailureOr<std::unique_ptr<llvm::Module>>
translateToLLVMIR(ModuleOp module, llvm::LLVMContext &context,
                  const CPUTarget &target);

/// Gives `module` the data layout and features of `target` and runs LLVM's O3
/// pipeline on it.
llvm::Error optimizeLLVMIR(llvm::Module &module, const CPUTarget &target);

/// Position-independent native code of an optimised module, as the bytes of an
/// object file.
llvm::Expected<std::unique_ptr<llvm::MemoryBuffer>>
emitObject(llvm::Module &module, const CPUTarget &target);

} // namespace diffattn
} // namespace mlir

#endif // DIFFATTN_TARGET_LLVMEMISSION_H
