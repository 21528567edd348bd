//===- Phases.h - The named phases of a compilation -------------*- C++ -*-===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A phase names a form of the IR that can be printed, verified, stopped at
// (`--compile-to=`) and resumed from (`--compile-from=`). Targets share the
// first ones.
//
//===----------------------------------------------------------------------===//

#ifndef DIFFATTN_PIPELINES_PHASES_H
#define DIFFATTN_PIPELINES_PHASES_H

#include "diffattn/Target/TargetDescription.h"
#include "llvm/ADT/SmallVector.h"

namespace mlir::diffattn {

/// In the order in which a compilation passes through them.
enum class Phase {
  /// What the user wrote or a framework exported.
  Input,
  /// Differential attention is one `diffattn.attention`.
  Fused,
  /// Static tiles of `diffattn.online_attention` in loops over the grid and
  /// over keys.
  Tiled,
  /// Tiles decomposed to linalg on tensors.
  Linalg,
  /// The same on buffers.
  MemRef,
  /// Loops, vectors and scalars; no linalg left.
  Vector,
  /// The LLVM dialect.
  LLVM,
  /// Kernels in the tile dialect, for GPUs.
  Tile,
  /// Kernels in the LLVM and NVVM dialects.
  NVVM,
};

struct PhaseInfo {
  Phase phase;
  llvm::StringLiteral name;
  /// What the IR looks like after it, for `--help`.
  llvm::StringLiteral summary;
  /// The kind of target that has the phase; absent if each has it.
  std::optional<TargetDescription::Kind> kind;
};

/// All phases; those that targets of one kind have, in order.
llvm::ArrayRef<PhaseInfo> getPhases();
llvm::SmallVector<PhaseInfo> getPhases(TargetDescription::Kind kind);

llvm::StringRef getPhaseName(Phase phase);

} // namespace mlir::diffattn

#endif // DIFFATTN_PIPELINES_PHASES_H
