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

/// What every target has.
struct TargetDescription {
  enum class Kind { CPU, GPU };

  Kind kind;
  /// The name that `--target=` and the passes' `target=` take.
  llvm::StringRef name;
  /// One line for `--help` and diagnostics.
  llvm::StringRef summary;

  bool isGPU() const { return kind == Kind::GPU; }
};

/// One generation of CPUs.
struct CPUTarget : TargetDescription {
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

  static bool classof(const TargetDescription *target) {
    return !target->isGPU();
  }
};

/// The instructions that multiply matrices.
enum class MatrixInstruction {
  /// mma.sync of one warp: m16n8k16, operands and accumulators in registers.
  MMA,
  /// wgmma of four warps: m64, operands in shared memory, asynchronous.
  WGMMA,
};

/// One generation of NVIDIA GPUs. An SM is a streaming multiprocessor.
struct GPUTarget : TargetDescription {
  MatrixInstruction matrixInstruction;
  /// Copies of boxes of tensors by a hardware unit (cp.async.bulk.tensor), and
  /// the barriers in shared memory that they signal.
  bool hasTensorCopies;
  /// Whose code to run on this chip where such copies cannot take an argument;
  /// empty for its own.
  llvm::StringRef elementwiseTarget;

  /// Shared memory, in bytes: of an SM, and what one block may have of it. The
  /// system keeps `reservedSharedBytes` of each resident block.
  int64_t sharedBytesPerSM, sharedBytesPerBlock, reservedSharedBytes;
  /// 32-bit registers of an SM; those of a thread are allocated in units.
  int64_t registersPerSM, registersPerThread, registerUnit;
  int64_t threadsPerSM, threadsPerBlock, blocksPerSM;
  /// Products and sums of 16-bit inputs that an SM starts per clock.
  int64_t matrixFlopsPerClock;

  /// What LLVM is told besides the name: `-mattr`.
  llvm::StringRef llvmFeatures;
  /// The chips that its PTX has to assemble for within the limits, so that
  /// code that is to run on a newer chip is checked there too.
  llvm::ArrayRef<llvm::StringRef> assembledFor;

  static bool classof(const TargetDescription *target) {
    return target->isGPU();
  }
};

/// The target called `name`. `cpu` and `cpu-host` are this machine: the newest
/// generation whose features it has, with its own caches, CPU name and feature
/// string. An unknown name gives an error that lists the known ones and says
/// which is nearest. The pointer stays valid until the program ends.
llvm::Expected<const TargetDescription *> lookupTarget(llvm::StringRef name);

/// The same for code that serves targets of one kind only; the error for a
/// target of the other kind says so.
llvm::Expected<const CPUTarget *> lookupCPUTarget(llvm::StringRef name);
llvm::Expected<const GPUTarget *> lookupGPUTarget(llvm::StringRef name);

/// Succeeds when this machine can run code made for `target`; otherwise the
/// error says which feature is missing.
llvm::Error checkRunsOnHost(const CPUTarget &target);

/// The fixed entries, oldest first (without `cpu` and `cpu-host`).
llvm::ArrayRef<CPUTarget> getCPUTargets();
llvm::ArrayRef<GPUTarget> getGPUTargets();

} // namespace mlir::diffattn

#endif // DIFFATTN_TARGET_TARGETDESCRIPTION_H
