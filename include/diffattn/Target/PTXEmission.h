//===- PTXEmission.h - From the NVVM dialect to PTX -------------*- C++ -*-===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef DIFFATTN_TARGET_PTXEMISSION_H
#define DIFFATTN_TARGET_PTXEMISSION_H

#include "diffattn/Target/TargetDescription.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"

namespace mlir::diffattn {

/// PTX for the kernels of `module`, whose functions are in the LLVM and NVVM
/// dialects. Runs in this process and needs no CUDA. Failures are reported on
/// the module. registerLLVMTranslations() has been called on the context.
FailureOr<std::string> emitPTX(gpu::GPUModuleOp module,
                               const GPUTarget &target);

/// The optimised LLVM IR that PTX is generated from, as text.
FailureOr<std::string> emitDeviceLLVMIR(gpu::GPUModuleOp module,
                                        const GPUTarget &target);

} // namespace mlir::diffattn

#endif // DIFFATTN_TARGET_PTXEMISSION_H
