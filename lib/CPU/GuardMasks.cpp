//===- GuardMasks.cpp - Skip masks that hide nothing ----------------------===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "diffattn/CPU/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

namespace mlir::diffattn {
#define GEN_PASS_DEF_CPUGUARDMASKSPASS
#include "diffattn/CPU/Passes.h.inc"
} // namespace mlir::diffattn

using namespace mlir;
using namespace mlir::diffattn;

namespace {
/// Smallest and largest value of an index expression over the op's loops.
struct Interval {
  int64_t low, high;
};
} // namespace

/// The interval of `value`, built from linalg.index by additions and
/// subtractions, over the static loops of `op`.
static std::optional<Interval> getInterval(Value value,
                                           ArrayRef<int64_t> loops) {
  Operation *def = value.getDefiningOp();
  if (!def)
    return std::nullopt;
  if (auto index = dyn_cast<linalg::IndexOp>(def)) {
    int64_t size = loops[index.getDim()];
    if (ShapedType::isDynamic(size))
      return std::nullopt;
    return Interval{0, size - 1};
  }
  if (!isa<arith::AddIOp, arith::SubIOp>(def))
    return std::nullopt;
  std::optional<Interval> lhs = getInterval(def->getOperand(0), loops);
  std::optional<Interval> rhs = getInterval(def->getOperand(1), loops);
  if (!lhs || !rhs)
    return std::nullopt;
  if (isa<arith::AddIOp>(def))
    return Interval{lhs->low + rhs->low, lhs->high + rhs->high};
  return Interval{lhs->low - rhs->high, lhs->high - rhs->low};
}

/// Emits before `op` a condition that implies `predicate` at every iteration,
/// or returns null where none can be read off.
static Value buildAlwaysTrue(Value predicate, linalg::GenericOp op,
                             ArrayRef<int64_t> loops, OpBuilder &b) {
  Location loc = op.getLoc();
  if (auto both = predicate.getDefiningOp<arith::AndIOp>()) {
    Value lhs = buildAlwaysTrue(both.getLhs(), op, loops, b);
    Value rhs = lhs ? buildAlwaysTrue(both.getRhs(), op, loops, b) : Value();
    return rhs ? arith::AndIOp::create(b, loc, lhs, rhs).getResult() : Value();
  }
  auto compare = predicate.getDefiningOp<arith::CmpIOp>();
  if (!compare || op.getRegion().isAncestor(compare.getRhs().getParentRegion()))
    return {};
  std::optional<Interval> interval = getInterval(compare.getLhs(), loops);
  if (!interval)
    return {};
  // The corner of the iteration space where the comparison is hardest to meet.
  int64_t corner;
  switch (compare.getPredicate()) {
  case arith::CmpIPredicate::slt:
  case arith::CmpIPredicate::sle:
    corner = interval->high;
    break;
  case arith::CmpIPredicate::sgt:
  case arith::CmpIPredicate::sge:
    corner = interval->low;
    break;
  default:
    return {};
  }
  Value bound = arith::ConstantIndexOp::create(b, loc, corner);
  return arith::CmpIOp::create(b, loc, compare.getPredicate(), bound,
                               compare.getRhs());
}

/// Wraps `op` in an scf.if where it is a mask: one output, overwritten by
/// `select(predicate, output, constant)`.
static void guardMask(linalg::GenericOp op, RewriterBase &b) {
  if (op.getNumDpsInputs() != 0 || op.getNumDpsInits() != 1 ||
      op.getNumResults() != 1)
    return;
  Block *body = op.getBody();
  auto select =
      body->getTerminator()->getOperand(0).getDefiningOp<arith::SelectOp>();
  if (!select || select.getTrueValue() != body->getArgument(0))
    return;
  b.setInsertionPoint(op);
  Value allVisible =
      buildAlwaysTrue(select.getCondition(), op, op.getStaticLoopRanges(), b);
  if (!allVisible)
    return;
  auto branch =
      scf::IfOp::create(b, op.getLoc(), op->getResultTypes(), allVisible,
                        /*withElseRegion=*/true);
  b.setInsertionPointToStart(branch.thenBlock());
  scf::YieldOp::create(b, op.getLoc(), op.getDpsInits());
  b.replaceAllUsesWith(op.getResults(), branch.getResults());
  b.setInsertionPointToStart(branch.elseBlock());
  auto yield = scf::YieldOp::create(b, op.getLoc(), op.getResults());
  b.moveOpBefore(op, yield);
}

namespace {
struct CPUGuardMasksPass
    : diffattn::impl::CPUGuardMasksPassBase<CPUGuardMasksPass> {
  void runOnOperation() override {
    IRRewriter rewriter(&getContext());
    SmallVector<linalg::GenericOp> ops;
    getOperation().walk([&](linalg::GenericOp op) { ops.push_back(op); });
    for (linalg::GenericOp op : ops)
      guardMask(op, rewriter);
  }
};
} // namespace
