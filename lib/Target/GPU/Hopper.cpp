//===- Hopper.cpp - Facts about sm_90 and sm_90a ------------------------===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "GPUTargets.h"

using namespace mlir::diffattn;

GPUTarget detail::getSM90() {
  GPUTarget target = getCommonFacts();
  target.name = "sm_90";
  target.summary = "NVIDIA Hopper (H100, H200) with the instructions of sm_80";
  target.sharedBytesPerSM = 228 << 10;
  target.sharedBytesPerBlock = 227 << 10;
  target.threadsPerSM = 2048;
  target.blocksPerSM = 32;
  // mma.sync reaches half of what wgmma does.
  target.matrixFlopsPerClock = 2048;
  static constexpr llvm::StringRef assembledFor[] = {"sm_90"};
  target.assembledFor = assembledFor;
  return target;
}

GPUTarget detail::getSM90a() {
  GPUTarget target = getSM90();
  target.name = "sm_90a";
  target.summary = "NVIDIA Hopper (H100, H200) only";
  target.matrixInstruction = MatrixInstruction::WGMMA;
  target.hasTensorCopies = true;
  target.elementwiseTarget = "sm_90";
  target.matrixFlopsPerClock = 4096;
  static constexpr llvm::StringRef assembledFor[] = {"sm_90a"};
  target.assembledFor = assembledFor;
  return target;
}
