//===- Phases.cpp - The named phases of a compilation ---------------------===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "diffattn/Pipelines/Phases.h"

using namespace mlir::diffattn;

llvm::ArrayRef<PhaseInfo> mlir::diffattn::getPhases() {
  static constexpr PhaseInfo phases[] = {
      {Phase::Input, "input", "what was read"},
      {Phase::Fused, "fused", "differential attention as one operator"},
      {Phase::Tiled, "tiled", "online attention on tiles, in loops"},
      {Phase::Linalg, "linalg", "tiles decomposed to linalg on tensors"},
      {Phase::MemRef, "memref", "the same on buffers"},
      {Phase::Vector, "vector", "loops, vectors and scalars"},
      {Phase::LLVM, "llvm", "the LLVM dialect"},
  };
  return phases;
}

llvm::StringRef mlir::diffattn::getPhaseName(Phase phase) {
  return getPhases()[static_cast<size_t>(phase)].name;
}
