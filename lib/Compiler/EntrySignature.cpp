//===- EntrySignature.cpp - How compiled code is called -------------------===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "diffattn/Compiler/EntrySignature.h"

#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Diagnostics.h"
#include "llvm/Support/raw_ostream.h"

using namespace mlir;
using namespace mlir::diffattn;

std::string BoundaryTensor::str() const {
  std::string text;
  for (int64_t size : shape)
    text += (ShapedType::isDynamic(size) ? "?" : std::to_string(size)) + "x";
  return text + reference::stringifyDType(dtype).str();
}

/// `type` at the boundary, or a diagnostic that calls it `what`.
static FailureOr<BoundaryTensor>
getBoundaryTensor(FunctionOpInterface function, Type type, const Twine &what) {
  auto shaped = dyn_cast<ShapedType>(type);
  std::optional<reference::DType> dtype;
  if (shaped && shaped.hasRank() && isa<TensorType, MemRefType>(type))
    dtype = reference::getDType(shaped.getElementType());
  if (!dtype)
    return function.emitError("entry '")
           << function.getName() << "' has " << what << " of type " << type
           << ", but a function called from outside takes and returns ranked "
              "tensors of f16, bf16, f32, f64, i1, i8, i16, i32, i64 or index";
  return BoundaryTensor{SmallVector<int64_t>(shaped.getShape()), *dtype};
}

FailureOr<EntrySignature> EntrySignature::get(FunctionOpInterface function) {
  EntrySignature signature;
  signature.name = function.getName().str();
  for (auto [i, type] : llvm::enumerate(function.getArgumentTypes())) {
    auto tensor = getBoundaryTensor(function, type, "argument " + Twine(i));
    if (failed(tensor))
      return failure();
    signature.arguments.push_back(*tensor);
  }
  for (auto [i, type] : llvm::enumerate(function.getResultTypes())) {
    auto tensor = getBoundaryTensor(function, type, "result " + Twine(i));
    if (failed(tensor))
      return failure();
    signature.results.push_back(*tensor);
  }
  return signature;
}
