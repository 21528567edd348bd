//===- Blackwell.cpp - Facts about sm_120 -------------------------------===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "GPUTargets.h"

using namespace mlir::diffattn;

GPUTarget detail::getSM120() {
  GPUTarget target = getCommonFacts();
  target.name = "sm_120";
  target.summary = "NVIDIA Blackwell (RTX 50, RTX PRO)";
  target.sharedBytesPerSM = 100 << 10;
  target.sharedBytesPerBlock = 99 << 10;
  target.threadsPerSM = 1536;
  target.blocksPerSM = 24;
  target.matrixFlopsPerClock = 1024;
  static constexpr llvm::StringRef assembledFor[] = {"sm_120"};
  target.assembledFor = assembledFor;
  return target;
}
