//===- MachinePeak.h - What this machine can do at most ---------*- C++ -*-===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef DIFFATTN_COMPILER_MACHINEPEAK_H
#define DIFFATTN_COMPILER_MACHINEPEAK_H

#include "llvm/Support/Error.h"

namespace mlir::diffattn {

/// Rates of all threads together, measured now: a shared machine has no other
/// peak than the one it has at the moment.
struct MachinePeak {
  unsigned numThreads;
  /// f32 multiply-adds on full vectors in registers, two operations each.
  double flopsPerSecond;
  /// exp2 on full vectors: range reduction, degree-5 polynomial, exponent.
  double exponentialsPerSecond;
};

/// Takes about a quarter of a second.
llvm::Expected<MachinePeak> measureMachinePeak();

} // namespace mlir::diffattn

#endif // DIFFATTN_COMPILER_MACHINEPEAK_H
