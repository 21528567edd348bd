//===- ControlFlow.cpp - Which op a warp runs next ------------------------===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Each warp takes its own way. Where the warps of a team go different ways
// (after `warp_any`), each computes the whole tensor as if all elements were
// its own; only those are right, and only those are used where warps meet.
//
//===----------------------------------------------------------------------===//

#include "Machine.h"

#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace mlir::diffattn;
using namespace mlir::diffattn::reference;

SmallVector<RuntimeValue> Machine::getAll(ValueRange values) {
  return llvm::map_to_vector(values, [&](Value value) { return get(value); });
}

void Machine::assign(ValueRange targets, ArrayRef<RuntimeValue> values) {
  for (auto [target, value] : llvm::zip_equal(targets, values))
    set(target, value);
}

//===----------------------------------------------------------------------===//
// Into regions
//===----------------------------------------------------------------------===//

void Machine::enterRegion(Region &region) {
  if (!region.empty())
    current->stack.push_back({&region.front(), region.front().begin()});
}

LogicalResult Machine::enterFor(scf::ForOp op) {
  int64_t lower = getInt(op.getLowerBound()),
          upper = getInt(op.getUpperBound()), step = getInt(op.getStep());
  if (step <= 0)
    return fail(op, "expects a positive step, but got " + Twine(step));
  if (lower >= upper) {
    assign(op.getResults(), getAll(op.getInitArgs()));
    return success();
  }
  setInt(op.getInductionVar(), lower);
  assign(op.getRegionIterArgs(), getAll(op.getInitArgs()));
  current->stack.push_back(
      {op.getBody(), op.getBody()->begin(), lower, upper, step});
  return success();
}

void Machine::enterRole(tile::RolesOp op) {
  int64_t team = getTeamNumber();
  for (auto [region, warpgroups] :
       llvm::zip_equal(op.getRoles(), op.getWarpgroups())) {
    if (team < warpgroups) {
      current->isInRole = true;
      setInt(region.getArgument(0), team);
      return enterRegion(region);
    }
    team -= warpgroups;
  }
}

std::optional<LogicalResult> Machine::executeControlFlow(Operation *op) {
  return llvm::TypeSwitch<Operation *, std::optional<LogicalResult>>(op)
      .Case([&](scf::ForOp loop) { return enterFor(loop); })
      .Case([&](scf::IfOp branch) {
        enterRegion(getInt(branch.getCondition()) ? branch.getThenRegion()
                                                  : branch.getElseRegion());
        return success();
      })
      .Case([&](scf::WhileOp loop) {
        assign(loop.getBeforeArguments(), getAll(loop.getInits()));
        enterRegion(loop.getBefore());
        return success();
      })
      .Case([&](tile::RolesOp roles) {
        enterRole(roles);
        return success();
      })
      .Case([&](tile::ElectedOp elected) {
        if (getRank() % tile::teamWarps == elected.getWarp())
          enterRegion(elected.getBody());
        return success();
      })
      .Default(std::nullopt);
}

//===----------------------------------------------------------------------===//
// Out of regions
//===----------------------------------------------------------------------===//

LogicalResult Machine::leaveWhile(scf::WhileOp loop, Operation *terminator) {
  auto condition = dyn_cast<scf::ConditionOp>(terminator);
  auto operands = getAll(condition ? condition.getArgs()
                                   : ValueRange(terminator->getOperands()));
  Region *next = &loop.getBefore();
  ValueRange targets = loop.getBeforeArguments();
  if (condition) {
    next = getInt(condition.getCondition()) ? &loop.getAfter() : nullptr;
    targets = next ? ValueRange(loop.getAfterArguments())
                   : ValueRange(loop.getResults());
  }
  assign(targets, operands);
  current->stack.pop_back();
  if (next)
    enterRegion(*next);
  return success();
}

LogicalResult Machine::leaveBlock() {
  Worker::Frame &frame = current->stack.back();
  Operation *parent = frame.block->getParentOp();
  if (isa<tile::RolesOp, tile::ElectedOp>(parent)) {
    if (isa<tile::RolesOp>(parent))
      current->isInRole = false;
    current->stack.pop_back();
    return success();
  }
  Operation *terminator = frame.block->getTerminator();
  if (parent == kernel) {
    current->stack.clear();
    current->status = Worker::Status::Done;
    return success();
  }
  if (auto loop = dyn_cast<scf::WhileOp>(parent))
    return leaveWhile(loop, terminator);
  auto yielded = getAll(terminator->getOperands());
  auto loop = dyn_cast<scf::ForOp>(parent);
  if (loop && frame.iv < frame.upper - frame.step) {
    frame.iv += frame.step;
    frame.next = frame.block->begin();
    setInt(loop.getInductionVar(), frame.iv);
    assign(loop.getRegionIterArgs(), yielded);
    return success();
  }
  assign(parent->getResults(), yielded);
  current->stack.pop_back();
  return success();
}
