//===- ControlFlow.cpp - Calls, loops and assertions ----------------------===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Interpreter.h"

#include "mlir/Dialect/ControlFlow/IR/ControlFlowOps.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "llvm/ADT/TypeSwitch.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace mlir::diffattn;
using namespace mlir::diffattn::reference;

static LogicalResult evaluateCall(Interpreter &in, func::CallOp op) {
  auto callee = SymbolTable::lookupNearestSymbolFrom<func::FuncOp>(
      op, op.getCalleeAttr());
  if (!callee)
    return in.fail(op, "calls the unknown function '" + op.getCallee() + "'");
  SmallVector<Tensor> results;
  if (failed(in.call(callee, in.takeAll(op.getOperands(), op), results)))
    return failure();
  return in.setAll(op, op.getResults(), results);
}

static LogicalResult evaluateFor(Interpreter &in, scf::ForOp op) {
  int64_t upper = in.getInt(op.getUpperBound());
  int64_t step = in.getInt(op.getStep());
  if (step <= 0)
    return in.fail(op, "expects a positive step, but got " + Twine(step));
  SmallVector<Tensor> carried = in.takeAll(op.getInitArgs(), op);
  Operation *yield = op.getBody()->getTerminator();
  int64_t iv = in.getInt(op.getLowerBound());
  while (iv < upper) {
    if (failed(in.set(op, op.getInductionVar(), Tensor::scalarInt(iv))) ||
        failed(in.setAll(op, op.getRegionIterArgs(), carried)) ||
        failed(in.runBlock(*op.getBody())))
      return failure();
    carried = in.takeAll(yield->getOperands(), yield);
    if (llvm::AddOverflow(iv, step, iv))
      break;
  }
  return in.setAll(op, op.getResults(), carried);
}

static LogicalResult evaluateWhile(Interpreter &in, scf::WhileOp op) {
  SmallVector<Tensor> carried = in.takeAll(op.getInits(), op);
  scf::ConditionOp condition = op.getConditionOp();
  scf::YieldOp yield = op.getYieldOp();
  while (true) {
    if (failed(in.setAll(op, op.getBeforeArguments(), carried)) ||
        failed(in.runBlock(*op.getBeforeBody())))
      return failure();
    bool goesOn = in.getInt(condition.getCondition());
    carried = in.takeAll(condition.getArgs(), condition);
    if (!goesOn)
      return in.setAll(op, op.getResults(), carried);
    if (failed(in.setAll(op, op.getAfterArguments(), carried)) ||
        failed(in.runBlock(*op.getAfterBody())))
      return failure();
    carried = in.takeAll(yield->getOperands(), yield);
  }
}

static LogicalResult evaluateIf(Interpreter &in, scf::IfOp op) {
  Region &region =
      in.getInt(op.getCondition()) ? op.getThenRegion() : op.getElseRegion();
  if (region.empty())
    return success();
  Block &block = region.front();
  if (failed(in.runBlock(block)))
    return failure();
  Operation *yield = block.getTerminator();
  SmallVector<Tensor> values = in.takeAll(yield->getOperands(), yield);
  return in.setAll(op, op.getResults(), values);
}

/// Every iteration sees the shared outputs as they were before the loop and
/// writes into the results, as if all ran at once.
static LogicalResult evaluateForall(Interpreter &in, scf::ForallOp op) {
  SmallVector<int64_t> lower = in.getInts(op.getMixedLowerBound());
  SmallVector<int64_t> upper = in.getInts(op.getMixedUpperBound());
  SmallVector<int64_t> steps = in.getInts(op.getMixedStep());
  SmallVector<int64_t> counts;
  for (auto [lb, ub, step] : llvm::zip_equal(lower, upper, steps)) {
    if (step <= 0)
      return in.fail(op, "expects positive steps, but got " + Twine(step));
    int64_t range = 0;
    if (lb < ub && llvm::SubOverflow(ub, lb, range))
      return in.fail(op, "has bounds that overflow");
    counts.push_back(llvm::divideCeilSigned(range, step));
  }
  SmallVector<Tensor> results = in.takeAll(op.getOutputs(), op);
  if (failed(
          in.setAll(op, op.getRegionIterArgs(), SmallVector<Tensor>(results))))
    return failure();
  if (llvm::is_contained(counts, 0))
    return in.setAll(op, op.getResults(), results);

  SmallVector<int64_t> index(counts.size(), 0);
  do {
    for (auto [d, iv] : llvm::enumerate(op.getInductionVars()))
      if (failed(in.set(op, iv,
                        Tensor::scalarInt(lower[d] + index[d] * steps[d]))))
        return failure();
    if (failed(in.runBlock(*op.getBody())))
      return failure();
    for (Operation &inner : op.getTerminator().getYieldingOps()) {
      auto insert = dyn_cast<tensor::ParallelInsertSliceOp>(inner);
      if (!insert)
        return in.fail(&inner, "is not supported by the reference evaluator");
      auto argument = cast<BlockArgument>(insert.getDest());
      unsigned number = argument.getArgNumber() - op.getRank();
      if (failed(insertSlice(in, insert, results[number])))
        return failure();
    }
  } while (increment(index, counts));
  return in.setAll(op, op.getResults(), results);
}

MaybeResult reference::evaluateControlFlowOp(Interpreter &in, Operation *op) {
  return llvm::TypeSwitch<Operation *, MaybeResult>(op)
      .Case([&](func::CallOp call) { return evaluateCall(in, call); })
      .Case([&](scf::ForOp loop) { return evaluateFor(in, loop); })
      .Case([&](scf::WhileOp loop) { return evaluateWhile(in, loop); })
      .Case([&](scf::IfOp branch) { return evaluateIf(in, branch); })
      .Case([&](scf::ForallOp loop) { return evaluateForall(in, loop); })
      .Case([&](cf::AssertOp check) {
        if (in.getInt(check.getArg()))
          return success();
        return in.fail(op, "failed: " + check.getMsg());
      })
      .Default(std::nullopt);
}
