//===- GPUTargets.cpp - Generations of NVIDIA GPUs ------------------------===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// All generations of GPUs, oldest first. The facts of each stand in a file of
// its own; a new generation is one file and one line here.
//
//===----------------------------------------------------------------------===//

#include "GPUTargets.h"

using namespace mlir::diffattn;

llvm::ArrayRef<GPUTarget> mlir::diffattn::getGPUTargets() {
  static const GPUTarget targets[] = {
      detail::getSM80(), detail::getSM86(),  detail::getSM89(),
      detail::getSM90(), detail::getSM90a(), detail::getSM120(),
  };
  return targets;
}
