//===- Ampere.cpp - Facts about sm_80 and sm_86 -------------------------===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "GPUTargets.h"

using namespace mlir::diffattn;

GPUTarget detail::getSM80() {
  GPUTarget target = getCommonFacts();
  target.name = "sm_80";
  target.summary = "NVIDIA Ampere (A100) and everything later";
  target.sharedBytesPerSM = 164 << 10;
  target.sharedBytesPerBlock = 163 << 10;
  target.threadsPerSM = 2048;
  target.blocksPerSM = 32;
  target.matrixFlopsPerClock = 2048;
  // What runs on Hopper as well has to fit the registers there.
  static constexpr llvm::StringRef assembledFor[] = {"sm_80", "sm_90"};
  target.assembledFor = assembledFor;
  return target;
}

GPUTarget detail::getSM86() {
  GPUTarget target = getCommonFacts();
  target.name = "sm_86";
  target.summary = "NVIDIA Ampere (RTX 30, A10, A40)";
  target.sharedBytesPerSM = 100 << 10;
  target.sharedBytesPerBlock = 99 << 10;
  target.threadsPerSM = 1536;
  target.blocksPerSM = 16;
  target.matrixFlopsPerClock = 1024;
  static constexpr llvm::StringRef assembledFor[] = {"sm_86"};
  target.assembledFor = assembledFor;
  return target;
}
