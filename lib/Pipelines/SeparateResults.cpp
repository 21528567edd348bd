//===- SeparateResults.cpp - Return a buffer once -------------------------===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "diffattn/Pipelines/Passes.h"

#include "mlir/Dialect/Bufferization/Transforms/BufferViewFlowAnalysis.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/IR/Builders.h"

namespace mlir::diffattn {
#define GEN_PASS_DEF_SEPARATERESULTSPASS
#include "diffattn/Pipelines/Passes.h.inc"
} // namespace mlir::diffattn

using namespace mlir;

/// A row-major copy of `buffer` in new memory, of the same type.
static Value copyBuffer(OpBuilder &builder, Location loc, Value buffer) {
  auto type = cast<MemRefType>(buffer.getType());
  SmallVector<Value> sizes;
  for (int64_t dim = 0; dim < type.getRank(); ++dim)
    if (type.isDynamicDim(dim))
      sizes.push_back(memref::DimOp::create(builder, loc, buffer, dim));
  auto contiguous = MemRefType::get(type.getShape(), type.getElementType());
  Value copy = memref::AllocOp::create(builder, loc, contiguous, sizes);
  memref::CopyOp::create(builder, loc, buffer, copy);
  if (contiguous == type)
    return copy;
  if (memref::CastOp::areCastCompatible(contiguous, type))
    return memref::CastOp::create(builder, loc, type, copy);
  return Value();
}

namespace {
struct SeparateResultsPass
    : diffattn::impl::SeparateResultsPassBase<SeparateResultsPass> {
  void runOnOperation() override {
    func::FuncOp function = getOperation();
    if (!function.isPublic() || function.isExternal())
      return;
    BufferViewFlowAnalysis aliases(function);
    function.walk([&](func::ReturnOp op) {
      OpBuilder builder(op);
      llvm::SmallPtrSet<Value, 8> returned;
      for (OpOperand &operand : op->getOpOperands()) {
        if (!isa<MemRefType>(operand.get().getType()))
          continue;
        auto sources = aliases.resolveReverse(operand.get());
        bool shared = llvm::any_of(
            sources, [&](Value source) { return returned.contains(source); });
        returned.insert(sources.begin(), sources.end());
        if (!shared)
          continue;
        Value copy = copyBuffer(builder, op.getLoc(), operand.get());
        if (!copy) {
          op.emitError("returns a buffer twice, the second time with a static "
                       "layout that a copy cannot have");
          return signalPassFailure();
        }
        operand.set(copy);
      }
    });
  }
};
} // namespace
