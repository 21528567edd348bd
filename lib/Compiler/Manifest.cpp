//===- Manifest.cpp - What a compilation produced -------------------------===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "diffattn/Compiler/Manifest.h"

#include "llvm/Support/JSON.h"
#include "llvm/Support/raw_ostream.h"

using namespace mlir;
using namespace mlir::diffattn;

static void printTensors(llvm::json::OStream &json, StringRef name,
                         ArrayRef<BoundaryTensor> tensors) {
  json.attributeArray(name, [&] {
    for (const BoundaryTensor &tensor : tensors)
      json.object([&] {
        json.attributeArray("shape", [&] {
          for (int64_t size : tensor.shape)
            json.value(ShapedType::isDynamic(size) ? llvm::json::Value(nullptr)
                                                   : llvm::json::Value(size));
        });
        json.attribute("dtype", reference::stringifyDType(tensor.dtype));
      });
  });
}

std::string mlir::diffattn::getManifest(const CompilerInvocation &invocation,
                                        const EntrySignature &signature,
                                        StringRef objectFile) {
  std::string text;
  llvm::raw_string_ostream os(text);
  llvm::json::OStream json(os, /*IndentSize=*/2);
  const auto &target = llvm::cast<CPUTarget>(invocation.getTarget());
  json.object([&] {
    json.attribute("entry", signature.name);
    json.attribute("symbol", signature.getSymbol());
    if (!objectFile.empty())
      json.attribute("object", objectFile);
    printTensors(json, "arguments", signature.arguments);
    printTensors(json, "results", signature.results);
    json.attributeObject("target", [&] {
      json.attribute("name", target.name);
      json.attribute("cpu", target.llvmCPU);
      json.attribute("features", target.llvmFeatures);
    });
    json.attributeArray("attention", [&] {
      for (const AttentionSite &site : invocation.getAttention().sites)
        json.value(site.description);
    });
    json.attributeArray("schedules", [&] {
      for (const std::string &schedule : invocation.getSchedules())
        json.value(schedule);
    });
    json.attribute("pipeline", invocation.getPipelineString());
  });
  return text + "\n";
}
