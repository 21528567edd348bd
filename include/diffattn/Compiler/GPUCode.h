//===- GPUCode.h - Kernels as text and machine code -------------*- C++ -*-===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What a compilation for a GPU results in: PTX, machine code, and how kernels
// are launched.
//
//===----------------------------------------------------------------------===//

#ifndef DIFFATTN_COMPILER_GPUCODE_H
#define DIFFATTN_COMPILER_GPUCODE_H

#include "diffattn/Reference/Array.h"
#include "diffattn/Target/Ptxas.h"
#include "diffattn/Target/TargetDescription.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include <string>
#include <vector>

namespace mlir::diffattn {

/// A tensor that a kernel takes as a strided memref.
struct KernelParameter {
  SmallVector<int64_t> shape;
  reference::DType dtype;
  bool isWritten;
  /// Bytes of the widest access to it: rows have to begin at multiples of that.
  int64_t accessBytes;
  /// The result of the entry that it is, if it is one.
  std::optional<int64_t> result;
};

/// How tensor copies see one of these tensors.
struct KernelTensorMap {
  /// The number of the parameter.
  int64_t parameter;
  /// Its dimensions and the elements of one copy, outermost first.
  SmallVector<int64_t> dims, box;
  /// Bytes of the swizzle pattern.
  int64_t swizzle;
};

/// How a kernel is launched.
struct GPUKernel {
  std::string name;
  int64_t threads, sharedBytes;
  /// Factors of the number of blocks: an array of dictionaries with either
  /// `constant`, or `argument`, `dim` and `tile`.
  ArrayAttr grid;
  /// Whether it has at most a block for each multiprocessor.
  bool isPersistent;
  /// Blocks that run together.
  int64_t cluster = 1;
  /// What it takes: memrefs, then tensor maps of some of them, then counters.
  std::vector<KernelParameter> parameters;
  std::vector<KernelTensorMap> maps;
  /// Whether counters are its last parameter.
  bool hasCounters;

  /// Reads it off a kernel of the tile phase; nullopt unless that says grid and
  /// warps and has such parameters.
  static std::optional<GPUKernel> get(gpu::GPUFuncOp kernel);
};

/// The assembler, and whether to call it.
struct AssemblerOptions {
  /// Where ptxas is; if empty, it is looked for.
  std::string path;
  /// Without it, PTX is not checked.
  bool use = true;
  /// Whether machine code is asked for: then ptxas has to be there.
  bool needsCubin = false;
};

struct GPUCode {
  std::string ptx;
  /// For the target's own chip. Empty without ptxas, and so are the functions.
  std::string cubin;
  std::vector<FunctionResources> functions;
  /// Why it should not be used; the caller decides what follows.
  std::optional<ResourceFault> fault;
};

/// PTX for the kernels of `module`, assembled for all chips that the target
/// asks for where ptxas is at hand.
FailureOr<GPUCode> emitGPUCode(gpu::GPUModuleOp module, const GPUTarget &target,
                               const AssemblerOptions &assembler);

} // namespace mlir::diffattn

#endif // DIFFATTN_COMPILER_GPUCODE_H
