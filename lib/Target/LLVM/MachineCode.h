//===- MachineCode.h - LLVM's optimiser and code generators -----*- C++ -*-===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What emission of objects and of PTX share.
//
//===----------------------------------------------------------------------===//

#ifndef DIFFATTN_LIB_TARGET_LLVM_MACHINECODE_H
#define DIFFATTN_LIB_TARGET_LLVM_MACHINECODE_H

#include "llvm/ADT/SmallVector.h"
#include "llvm/Support/Error.h"
#include "llvm/Target/TargetMachine.h"
#include <memory>

namespace mlir::diffattn::detail {

/// LLVM's code generator for one chip. The target's initialisation functions
/// have been called.
llvm::Expected<std::unique_ptr<llvm::TargetMachine>>
createTargetMachine(const llvm::Triple &triple, llvm::StringRef cpu,
                    llvm::StringRef features,
                    std::optional<llvm::Reloc::Model> relocation);

/// Gives `module` the triple and data layout of `machine`, its functions the
/// chip and features, and runs the O3 pipeline. `vectorize` is for loops and
/// straight-line code that come as scalars.
void optimize(llvm::Module &module, llvm::TargetMachine &machine,
              bool vectorize);

/// Assembly or an object file.
llvm::Expected<llvm::SmallVector<char, 0>>
generateCode(llvm::Module &module, llvm::TargetMachine &machine,
             llvm::CodeGenFileType type);

} // namespace mlir::diffattn::detail

#endif // DIFFATTN_LIB_TARGET_LLVM_MACHINECODE_H
