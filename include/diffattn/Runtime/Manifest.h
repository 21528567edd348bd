//===- Manifest.h - What the runtime knows of a compiled program -*- C++
//-*-===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A manifest is the JSON file that the compiler writes beside PTX or a cubin;
// docs/runtime.md lists its fields. It is all that is needed to check a call
// and to launch it.
//
//===----------------------------------------------------------------------===//

#ifndef DIFFATTN_RUNTIME_MANIFEST_H
#define DIFFATTN_RUNTIME_MANIFEST_H

#include "diffattn/Runtime/CudaDriver.h"
#include <limits>
#include <map>
#include <optional>
#include <string_view>
#include <vector>

namespace mlir::diffattn::runtime {

/// Element types. The numbers are those of DiffAttnDType in Runtime.h.
enum class DType : uint32_t { F16, BF16, F32, F64, I1, I8, I16, I32, I64 };

/// Bytes of one element.
unsigned getByteWidth(DType dtype);
/// "bf16", "i32", ...
const char *stringifyDType(DType dtype);
std::optional<DType> parseDType(std::string_view text);

/// Stands for a size that is known at run time only.
constexpr int64_t dynamicSize = -1;

/// One argument of the entry, a strided tensor.
struct Parameter {
  std::string name;
  DType dtype = DType::F32;
  /// Sizes, or dynamicSize.
  std::vector<int64_t> shape;
  bool isWritten = false;
  /// In bytes, of the first element's address.
  int64_t alignment = 1;
  /// In elements, of every stride but the last, which is 1.
  int64_t strideMultiple = 1;
};

/// A dimension of an argument.
struct DimRef {
  unsigned argument = 0, dim = 0;
};

/// One factor of the number of blocks: ceil(size / tile).
struct GridFactor {
  /// Without it, `constant` is the factor.
  std::optional<DimRef> size;
  int64_t constant = 1;
  int64_t tile = 1;
};

/// How a kernel's tensor copies see an argument, the innermost dimension first.
struct TensorMapDescription {
  /// Dimensions of the argument in the map's order; the first one is its last.
  std::vector<unsigned> dims;
  /// Elements of one copy.
  std::vector<uint32_t> box;
  /// Bytes of the swizzle pattern: 0, 32, 64 or 128.
  unsigned swizzle = 0;
};

/// A kernel's parameter: a memref descriptor, or a tensor map, of an argument.
struct KernelParameter {
  unsigned argument = 0;
  std::optional<TensorMapDescription> map;
  /// Of no argument: a memref descriptor of the runtime's counters.
  bool isCounters = false;
};

/// The counters of a kernel, of 32 bits each.
constexpr unsigned numCounters = 2;

/// One kernel of the program, launched with a one-dimensional grid.
struct KernelDescription {
  std::string name;
  unsigned threads = 0;
  unsigned sharedBytes = 0;
  std::vector<GridFactor> grid;
  /// Launched with at most one block for each multiprocessor.
  bool isPersistent = false;
  /// Blocks run in groups of so many, by what the image says.
  unsigned cluster = 1;
  /// In the order in which the kernel takes them.
  std::vector<KernelParameter> parameters;
};

/// The size of a dimension is in [min, max] and a multiple of `multiple`.
struct SizePrecondition {
  DimRef size;
  int64_t min = 0;
  int64_t max = std::numeric_limits<int64_t>::max();
  int64_t multiple = 1;
};

/// The contents of a manifest, checked: every reference is in range.
struct Manifest {
  /// The manifest's own file name, for messages.
  std::string path;
  /// "sm_80", "sm_90a", ...
  std::string target;
  std::string entry;
  std::vector<KernelDescription> kernels;
  std::vector<Parameter> parameters;
  std::vector<SizePrecondition> sizes;
  /// Each list's dimensions have the same size.
  std::vector<std::vector<DimRef>> equal;
  /// Files, or empty.
  std::string ptx;
  /// Chip to file.
  std::map<std::string, std::string> cubins;
  /// The manifest of a program for arguments that this one refuses, or empty.
  std::string fallback;

  static Result<Manifest> read(const std::string &path);
  /// Parses text as if it had been read from `path`.
  static Result<Manifest> parse(const std::string &text,
                                const std::string &path);

  /// Completes shapes: `shapes[i]` is the shape of parameter i, or empty if it
  /// is not known yet. Unknown sizes follow from static sizes and from
  /// preconditions that say which sizes are equal.
  Status inferShapes(std::vector<std::vector<int64_t>> &shapes) const;

  /// The file to load on such a device: a cubin that runs there, else the PTX
  /// if it can be compiled for it, else none.
  std::optional<std::string> selectImage(ComputeCapability device) const;
};

} // namespace mlir::diffattn::runtime

#endif // DIFFATTN_RUNTIME_MANIFEST_H
