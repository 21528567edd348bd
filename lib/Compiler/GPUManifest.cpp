//===- GPUManifest.cpp - How to launch what was compiled ------------------===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "diffattn/Compiler/GPUManifest.h"

#include "diffattn/Dialect/Tile/IR/Tile.h"
#include "mlir/IR/Diagnostics.h"
#include "llvm/Support/JSON.h"
#include "llvm/Support/raw_ostream.h"

using namespace mlir;
using namespace mlir::diffattn;
using llvm::json::OStream;

/// The format that the runtime reads.
static constexpr int64_t manifestVersion = 1;

/// Masks are computed on 32-bit positions, with room for sums of a few.
static constexpr int64_t maxLength = (int64_t(1) << 29) - 1;

template <typename T>
static llvm::json::Value getOrNull(std::optional<T> value) {
  return value ? llvm::json::Value(*value) : llvm::json::Value(nullptr);
}

/// The name of a parameter in the source, or one made of its number.
static std::string getName(const CompilerInvocation &invocation, size_t number,
                           const KernelParameter &parameter) {
  func::FuncOp entry = invocation.getInputEntry();
  if (entry && number < entry.getNumArguments()) {
    Location loc = entry.getArgument(number).getLoc();
    if (auto name = dyn_cast<NameLoc>(loc))
      return name.getName().str();
    return "arg" + std::to_string(number);
  }
  return (parameter.result ? "result" : "arg") +
         std::to_string(parameter.result.value_or(number));
}

/// The format wants the innermost dimension first.
static void printReversed(OStream &json, StringRef key,
                          ArrayRef<int64_t> values) {
  json.attributeArray(key, [&] {
    for (int64_t value : llvm::reverse(values))
      json.value(value);
  });
}

static void printKernel(OStream &json, const GPUKernel &kernel,
                        const GPUCode &code) {
  json.object([&] {
    json.attribute("name", kernel.name);
    json.attribute("threads", kernel.threads);
    json.attribute("shared_bytes", kernel.sharedBytes);
    for (const FunctionResources &function : code.functions)
      if (function.name == kernel.name)
        json.attribute("registers", function.registers);
    json.attributeArray("grid", [&] {
      for (auto factor : kernel.grid.getAsRange<DictionaryAttr>())
        json.object([&] {
          for (NamedAttribute entry : factor)
            if (auto value = dyn_cast<IntegerAttr>(entry.getValue()))
              json.attribute(entry.getName().getValue(), value.getInt());
        });
    });
    if (kernel.isPersistent)
      json.attribute("persistent", true);
    if (kernel.cluster != 1)
      json.attribute("cluster", kernel.cluster);
    json.attributeArray("parameters", [&] {
      for (size_t i = 0; i < kernel.parameters.size(); ++i)
        json.value(int64_t(i));
      for (const KernelTensorMap &map : kernel.maps)
        json.object([&] {
          json.attribute("tensor_map", map.parameter);
          printReversed(json, "dims", map.dims);
          printReversed(json, "box", map.box);
          json.attribute("swizzle", map.swizzle);
        });
      if (kernel.hasCounters)
        json.object([&] { json.attribute("counters", 2); });
    });
  });
}

static void printParameter(OStream &json, StringRef name,
                           const KernelParameter &parameter) {
  int64_t elementBytes = reference::getByteWidth(parameter.dtype);
  json.object([&] {
    json.attribute("name", name);
    json.attribute("dtype", reference::stringifyDType(parameter.dtype));
    json.attributeArray("shape", [&] {
      for (int64_t size : parameter.shape)
        json.value(ShapedType::isDynamic(size) ? llvm::json::Value(nullptr)
                                               : llvm::json::Value(size));
    });
    json.attribute("access", parameter.isWritten ? "write" : "read");
    json.attribute("alignment", parameter.accessBytes);
    json.attribute("stride_multiple", parameter.accessBytes / elementBytes);
  });
}

namespace {
/// A dimension of a parameter.
struct ParameterDim {
  int64_t parameter, dim;
  bool operator==(const ParameterDim &other) const {
    return parameter == other.parameter && dim == other.dim;
  }
};
/// Dimensions that have one size.
using EqualDims = SmallVector<ParameterDim>;
} // namespace

/// The sizes that are known at run time only, each with all that have it: what
/// the attentions say, and what only tensor maps show.
static SmallVector<EqualDims> getSizes(ArrayRef<AttentionSite> sites,
                                       const GPUKernel &kernel) {
  auto isDynamic = [&](ParameterDim dim) {
    return ShapedType::isDynamic(
        kernel.parameters[dim.parameter].shape[dim.dim]);
  };
  SmallVector<EqualDims> sizes;
  for (const AttentionSite &site : sites)
    for (ArrayRef<BoundaryDim> dims : site.equalSizes) {
      // A result is a parameter too.
      EqualDims equal;
      for (const BoundaryDim &dim : dims)
        for (auto [i, parameter] : llvm::enumerate(kernel.parameters)) {
          bool matches =
              dim.isResult ? parameter.result == dim.index : i == dim.index;
          ParameterDim entry{int64_t(i), dim.dim};
          if (matches && !llvm::is_contained(equal, entry))
            equal.push_back(entry);
        }
      if (llvm::any_of(equal, isDynamic))
        sizes.push_back(std::move(equal));
    }
  for (const KernelTensorMap &map : kernel.maps)
    for (int64_t dim : map.dims) {
      ParameterDim entry{map.parameter, dim};
      if (isDynamic(entry) && llvm::none_of(sizes, [&](const EqualDims &equal) {
            return llvm::is_contained(equal, entry);
          }))
        sizes.push_back({entry});
    }
  return sizes;
}

/// Whether these dimensions may not be empty: a tensor map has no size 0. Where
/// the grid has this factor, an empty one leaves nothing to launch.
static bool needsElements(const EqualDims &equal, const GPUKernel &kernel) {
  for (auto factor : kernel.grid.getAsRange<DictionaryAttr>()) {
    auto argument = factor.getAs<IntegerAttr>("argument");
    auto dim = factor.getAs<IntegerAttr>("dim");
    if (argument && dim &&
        llvm::is_contained(equal,
                           ParameterDim{argument.getInt(), dim.getInt()}))
      return false;
  }
  return llvm::any_of(equal, [&](const ParameterDim &dim) {
    return llvm::any_of(kernel.maps, [&](const KernelTensorMap &map) {
      return map.parameter == dim.parameter;
    });
  });
}

/// How small and how large sizes may be, and which ones are equal.
static void printSizes(OStream &json, ArrayRef<AttentionSite> sites,
                       const GPUKernel &kernel) {
  for (const EqualDims &equal : getSizes(sites, kernel)) {
    json.object([&] {
      json.attribute("argument", equal.front().parameter);
      json.attribute("dim", equal.front().dim);
      if (needsElements(equal, kernel))
        json.attribute("min", 1);
      json.attribute("max", maxLength);
    });
    if (equal.size() == 1)
      continue;
    json.object([&] {
      json.attributeArray("equal", [&] {
        for (const ParameterDim &dim : equal)
          json.array([&] {
            json.value(dim.parameter);
            json.value(dim.dim);
          });
      });
    });
  }
}

static void printAttention(OStream &json, const AttentionSite &site) {
  json.attribute("mask_left", getOrNull(site.maskLeft));
  json.attribute("mask_right", getOrNull(site.maskRight));
  json.attribute("softcap", getOrNull(site.softcap));
  json.attribute("scale", site.scale);
  json.attribute("query_heads", site.numQueryHeads);
  json.attribute("kv_heads", site.numKVHeads);
  json.attribute("head_dim", site.headDim);
  json.attribute("value_dim", site.valueDim);
  json.attribute("differential", site.isDifferential);
}

FailureOr<std::string>
mlir::diffattn::getGPUManifest(const CompilerInvocation &invocation,
                               const GPUCode &code, const ImageFiles &files) {
  ArrayRef<GPUKernel> kernels = invocation.getKernels();
  if (kernels.size() != 1)
    return emitError(UnknownLoc::get(invocation.getContext()))
           << "a manifest describes one kernel that has, in phase 'tile', "
              "grid and warps and takes memrefs, then tensor maps with '"
           << tile::attr::map
           << "', then, if it is persistent, a memref<2xi32> with '"
           << tile::attr::counters << "', but the program has "
           << kernels.size();
  const GPUKernel &kernel = kernels.front();
  std::string text;
  llvm::raw_string_ostream os(text);
  OStream json(os, /*IndentSize=*/2);
  json.object([&] {
    json.attribute("version", manifestVersion);
    json.attribute("target", invocation.getTarget().name);
    json.attribute("entry", kernel.name);
    json.attributeArray("kernels", [&] { printKernel(json, kernel, code); });
    json.attributeArray("parameters", [&] {
      for (auto [i, parameter] : llvm::enumerate(kernel.parameters))
        printParameter(json, getName(invocation, i, parameter), parameter);
    });
    ArrayRef<AttentionSite> sites = invocation.getAttention().sites;
    json.attributeArray("preconditions",
                        [&] { printSizes(json, sites, kernel); });
    json.attributeObject("image", [&] {
      if (!files.ptx.empty())
        json.attribute("ptx", files.ptx);
      if (!files.cubin.empty())
        json.attribute("cubin", files.cubin);
    });
    if (!files.fallback.empty())
      json.attribute("fallback", files.fallback);
    if (sites.size() == 1)
      json.attributeObject("attention",
                           [&] { printAttention(json, sites.front()); });
    json.attributeArray("schedules", [&] {
      for (const std::string &schedule : invocation.getSchedules())
        json.value(schedule);
    });
    json.attribute("pipeline", invocation.getPipelineString());
  });
  return text + "\n";
}
