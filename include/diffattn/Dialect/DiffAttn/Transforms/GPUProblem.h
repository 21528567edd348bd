//===- GPUProblem.h - What a schedule of an op is for ---*- C++ -*-===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef DIFFATTN_DIALECT_DIFFATTN_TRANSFORMS_GPUPROBLEM_H
#define DIFFATTN_DIALECT_DIFFATTN_TRANSFORMS_GPUPROBLEM_H

#include "diffattn/Dialect/DiffAttn/IR/DiffAttn.h"
#include "diffattn/Target/GPUSchedule.h"

namespace mlir::diffattn {

/// What a schedule of `op` is chosen for on `target`. Reports element types and
/// head dimensions that the GPU's matrix instructions and our layouts do not
/// cover.
FailureOr<GPUProblem> getGPUProblem(AttentionOp op, const GPUTarget &target);

} // namespace mlir::diffattn

#endif // DIFFATTN_DIALECT_DIFFATTN_TRANSFORMS_GPUPROBLEM_H
