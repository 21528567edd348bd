//===- GPUProblem.cpp - What a schedule of an op is for ------------------===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "diffattn/Dialect/DiffAttn/Transforms/GPUProblem.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace mlir::diffattn;

static LogicalResult checkSupported(AttentionOp op, const GPUTarget &target) {
  for (auto [name, operand] :
       {std::pair<StringRef, Value>("query", op.getQuery()),
        {"key", op.getKey()},
        {"value", op.getValue()}}) {
    Type type = getElementTypeOrSelf(operand);
    if (!type.isBF16() && !type.isF16())
      return op.emitOpError()
             << "expects a " << name << " of bf16 or f16 on GPU target '"
             << target.name << "', but got " << type
             << "; convert it, or compile for a CPU target";
  }
  for (auto [name, size] :
       {std::pair<StringRef, int64_t>("head dimension",
                                      op.getQuery().getType().getDimSize(3)),
        {"value dimension", op.getValue().getType().getDimSize(3)}}) {
    ArrayRef<int64_t> legal = getGPUHeadDims();
    if (llvm::is_contained(legal, size))
      continue;
    // One can pad a dimension, not shorten it.
    const int64_t *larger = llvm::lower_bound(legal, size);
    return op.emitOpError()
           << "expects a " << name << " of 64, 96, 128, 192 or 256 on GPU "
           << "target '" << target.name << "', but got " << size
           << "; the nearest legal one is "
           << (larger == legal.end() ? legal.back() : *larger);
  }
  return success();
}

static std::optional<int64_t> getStaticSize(TypedValue<RankedTensorType> value,
                                            int64_t dim) {
  if (value.getType().isDynamicDim(dim))
    return std::nullopt;
  return value.getType().getDimSize(dim);
}

FailureOr<GPUProblem> mlir::diffattn::getGPUProblem(AttentionOp op,
                                                    const GPUTarget &target) {
  if (failed(checkSupported(op, target)))
    return failure();
  GPUProblem problem{op.getNumBranches(),
                     op.getPairsPerGroup(),
                     op.getQuery().getType().getDimSize(3),
                     op.getValue().getType().getDimSize(3),
                     getStaticSize(op.getQuery(), 1),
                     getStaticSize(op.getKey(), 1),
                     !op.getEffectiveMask().isNone()};
  if (MaskAttr mask = op.getEffectiveMask(); mask.getLeft() && mask.getRight())
    if (int64_t size;
        !llvm::AddOverflow(*mask.getLeft(), *mask.getRight(), size))
      problem.window = std::max<int64_t>(size, 0);
  return problem;
}
