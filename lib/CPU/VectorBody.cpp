//===- VectorBody.cpp - Bodies of linalg ops on vectors -------------------===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "VectorLoops.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace mlir::diffattn;

bool mlir::diffattn::hasVectorBody(linalg::LinalgOp op) {
  return llvm::all_of(
      op.getBlock()->without_terminator(), [](Operation &nested) {
        return isa<linalg::IndexOp, arith::ConstantOp>(nested) ||
               OpTrait::hasElementwiseMappableTraits(&nested);
      });
}

/// The vector that stands for `value`: mapped, or a broadcast of a value from
/// outside the body.
static Value asVector(OpBuilder &b, Location loc, Value value,
                      IRMapping &values, int64_t length) {
  if (Value mapped = values.lookupOrNull(value))
    return mapped;
  Value broadcast = vector::BroadcastOp::create(
      b, loc, VectorType::get({length}, value.getType()), value);
  values.map(value, broadcast);
  return broadcast;
}

/// Emits `nested`, which is neither an index nor a constant.
static void emitOp(OpBuilder &b, Location loc, Operation &nested,
                   IRMapping &values, int64_t length) {
  SmallVector<Value> operands;
  for (Value operand : nested.getOperands())
    operands.push_back(asVector(b, loc, operand, values, length));
  SmallVector<Type> types;
  for (Type type : nested.getResultTypes())
    types.push_back(VectorType::get({length}, type));
  OperationState state(loc, nested.getName(), operands, types,
                       nested.getAttrs());
  values.map(nested.getResults(), b.create(state)->getResults());
}

SmallVector<Value> mlir::diffattn::emitVectorBody(
    OpBuilder &b, linalg::LinalgOp op, IRMapping &values, int64_t length,
    function_ref<Value(OpBuilder &, unsigned)> emitIndex) {
  Location loc = op.getLoc();
  for (Operation &nested : op.getBlock()->without_terminator()) {
    if (auto index = dyn_cast<linalg::IndexOp>(nested)) {
      values.map(index.getResult(), emitIndex(b, index.getDim()));
    } else if (auto constant = dyn_cast<arith::ConstantOp>(nested)) {
      auto type = VectorType::get({length}, constant.getType());
      values.map(
          constant.getResult(),
          arith::ConstantOp::create(
              b, loc, DenseElementsAttr::get(type, constant.getValue())));
    } else {
      emitOp(b, loc, nested, values, length);
    }
  }
  SmallVector<Value> results;
  for (Value yielded : op.getBlock()->getTerminator()->getOperands())
    results.push_back(asVector(b, loc, yielded, values, length));
  return results;
}
