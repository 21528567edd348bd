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
  constexpr auto cpu = TargetDescription::Kind::CPU;
  constexpr auto gpu = TargetDescription::Kind::GPU;
  constexpr std::nullopt_t all = std::nullopt;
  static constexpr PhaseInfo phases[] = {
      {Phase::Input, "input", "what was read", all},
      {Phase::Fused, "fused", "differential attention as one operator", all},
      {Phase::Tiled, "tiled", "online attention on tiles, in loops", all},
      {Phase::Linalg, "linalg", "tiles decomposed to linalg on tensors", all},
      {Phase::MemRef, "memref", "the same on buffers (CPU)", cpu},
      {Phase::Vector, "vector", "loops, vectors and scalars (CPU)", cpu},
      {Phase::LLVM, "llvm", "the LLVM dialect (CPU)", cpu},
      {Phase::Tile, "tile", "kernels in the tile dialect (GPU)", gpu},
      {Phase::NVVM, "nvvm", "kernels in the NVVM dialect (GPU)", gpu},
  };
  return phases;
}

llvm::SmallVector<PhaseInfo>
mlir::diffattn::getPhases(TargetDescription::Kind kind) {
  llvm::SmallVector<PhaseInfo> phases;
  for (const PhaseInfo &info : getPhases())
    if (info.kind.value_or(kind) == kind)
      phases.push_back(info);
  return phases;
}

llvm::StringRef mlir::diffattn::getPhaseName(Phase phase) {
  return getPhases()[static_cast<size_t>(phase)].name;
}
