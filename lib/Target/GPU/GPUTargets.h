//===- GPUTargets.h - Descriptions of GPU generations -----------*- C++ -*-===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef DIFFATTN_LIB_TARGET_GPU_GPUTARGETS_H
#define DIFFATTN_LIB_TARGET_GPU_GPUTARGETS_H

#include "diffattn/Target/TargetDescription.h"

namespace mlir::diffattn::detail {

GPUTarget getSM80();
GPUTarget getSM86();
GPUTarget getSM89();
GPUTarget getSM90();
GPUTarget getSM90a();
GPUTarget getSM120();

/// What all generations so far share: 64 Ki registers of an SM, at most 255 of
/// a thread, 1024 threads of a block, 1 KiB of each block's shared memory kept
/// by the system. PTX 9.0 is the newest that LLVM 22 writes and ptxas 13.0
/// reads.
inline GPUTarget getCommonFacts() {
  GPUTarget target{};
  target.kind = TargetDescription::Kind::GPU;
  target.matrixInstruction = MatrixInstruction::MMA;
  target.reservedSharedBytes = 1 << 10;
  target.registersPerSM = 1 << 16;
  target.registersPerThread = 255;
  target.registerUnit = 8;
  target.threadsPerBlock = 1024;
  target.llvmFeatures = "+ptx90";
  return target;
}

} // namespace mlir::diffattn::detail

#endif // DIFFATTN_LIB_TARGET_GPU_GPUTARGETS_H
