//===- Ada.cpp - Facts about sm_89 --------------------------------------===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "GPUTargets.h"

using namespace mlir::diffattn;

GPUTarget detail::getSM89() {
  GPUTarget target = getCommonFacts();
  target.name = "sm_89";
  target.summary = "NVIDIA Ada (RTX 40, L4, L40)";
  target.sharedBytesPerSM = 100 << 10;
  target.sharedBytesPerBlock = 99 << 10;
  target.threadsPerSM = 1536;
  target.blocksPerSM = 24;
  target.matrixFlopsPerClock = 1024;
  static constexpr llvm::StringRef assembledFor[] = {"sm_89"};
  target.assembledFor = assembledFor;
  return target;
}
