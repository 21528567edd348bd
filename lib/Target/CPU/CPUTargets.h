//===- CPUTargets.h - Generations of x86-64, and the host -------*- C++ -*-===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef DIFFATTN_LIB_TARGET_CPU_CPUTARGETS_H
#define DIFFATTN_LIB_TARGET_CPU_CPUTARGETS_H

#include "diffattn/Target/TargetDescription.h"

namespace mlir::diffattn::detail {

/// This machine, looked at once.
llvm::Expected<const CPUTarget *> getHostTarget();

} // namespace mlir::diffattn::detail

#endif // DIFFATTN_LIB_TARGET_CPU_CPUTARGETS_H
