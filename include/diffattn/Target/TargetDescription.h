//===- TargetDescription.h - What passes may know of a target ---*- C++ -*-===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The facts about a machine that scheduling and lowering decide on, one entry
// per target generation. Passes take `target=NAME` and look the facts up here;
// none asks the host itself, so that the IR depends on the name alone.
//
// The library depends on LLVM's support library only.
//
//===----------------------------------------------------------------------===//

#ifndef DIFFATTN_TARGET_TARGETDESCRIPTION_H
#define DIFFATTN_TARGET_TARGETDESCRIPTION_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include <cstdint>
#include <string>

namespace mlir::diffattn {

/// One target generation.
struct TargetDescription {
  /// The name that `--target=` and the passes' `target=` take.
  llvm::StringLiteral name;
  /// One line for `--help` and diagnostics.
  llvm::StringLiteral summary;

  /// Width of one vector register, in bits.
  unsigned vectorBits;
  /// Architectural vector registers.
  unsigned numVectorRegisters;
  /// Fused multiply-add on f32 vectors.
  bool hasFMA;
  /// Dot products of bf16 pairs into f32 lanes (vdpbf16ps).
  bool hasAVX512BF16;
  /// bf16 tile products (tdpbf16ps).
  bool hasAMXBF16;
  /// Data cache private to a core, in bytes.
  int64_t l1Bytes;
  int64_t l2Bytes;

  /// What LLVM is told: `-mcpu` and `-mattr`.
  std::string llvmCPU;
  std::string llvmFeatures;

  /// Lanes of one vector register for elements of `bits` bits.
  unsigned getVectorLanes(unsigned bits) const { return vectorBits / bits; }
};

/// The target called `name`. `cpu` and `cpu-host` are this machine: the newest
/// generation whose features it has, with its own caches, CPU name and feature
/// string. An unknown name gives an error that lists the known ones and says
/// which is nearest. The pointer stays valid until the program ends.
llvm::Expected<const TargetDescription *> lookupTarget(llvm::StringRef name);

/// Succeeds when this machine can run code made for `target`; otherwise the
/// error says which feature is missing.
llvm::Error checkRunsOnHost(const TargetDescription &target);

/// The fixed entries, oldest first (without `cpu` and `cpu-host`).
llvm::ArrayRef<TargetDescription> getCPUTargets();

} // namespace mlir::diffattn

#endif // DIFFATTN_TARGET_TARGETDESCRIPTION_H
