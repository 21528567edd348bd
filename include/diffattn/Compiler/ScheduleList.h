//===- ScheduleList.h - The schedules one may choose from -------*- C++ -*-===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef DIFFATTN_COMPILER_SCHEDULELIST_H
#define DIFFATTN_COMPILER_SCHEDULELIST_H

#include "diffattn/Target/TargetDescription.h"
#include "mlir/IR/BuiltinOps.h"
#include <string>

namespace mlir::diffattn {

/// JSON: for each attention op of `module`, target, class of its shape, and the
/// legal schedules, beginning with the one that would be chosen. The table is
/// that of ScheduleTable::load(). Failures are reported.
FailureOr<std::string> listSchedules(ModuleOp module, const GPUTarget &target,
                                     StringRef scheduleTable);

} // namespace mlir::diffattn

#endif // DIFFATTN_COMPILER_SCHEDULELIST_H
