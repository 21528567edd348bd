//===- Overlap.cpp - Two products under way at a time ---------------------===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// With S(i) the first product of iteration i, f(i) what is made of it and O(i)
// the second product, a loop
//
//   S(0) f(0) O(0) | S(1) f(1) O(1) | S(2) f(2) O(2)
//
// becomes
//
//   S(0) f(0) | S(1) O(0) f(1) | S(2) O(1) f(2) | O(2)
//
// Both products of an iteration can be under way at a time, O(i - 1) while f(i)
// is computed. What O(i) reads, f(i)'s result and the accumulator, is carried
// to the next iteration.
//
//===----------------------------------------------------------------------===//

#include "diffattn/Dialect/Tile/IR/Tile.h"
#include "diffattn/Dialect/Tile/Transforms/Passes.h"

#include "mlir/Analysis/SliceAnalysis.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/Matchers.h"

namespace mlir::diffattn::tile {
#define GEN_PASS_DEF_OVERLAPPASS
#include "diffattn/Dialect/Tile/Transforms/Passes.h.inc"
} // namespace mlir::diffattn::tile

using namespace mlir;
using namespace mlir::diffattn::tile;

namespace {

class ProductOverlap {
public:
  explicit ProductOverlap(scf::ForOp loop) : loop(loop), builder(loop) {}

  /// Leaves a loop of another form alone.
  void run();

private:
  bool findProducts();
  bool collectDelayed();
  /// Copies `ops` with the arguments of the loop mapped.
  void clone(ArrayRef<Operation *> ops, IRMapping &mapping) {
    for (Operation *op : ops)
      builder.clone(*op, mapping);
  }

  scf::ForOp loop;
  OpBuilder builder;
  DotOp first, second;
  /// The carried value that the second product is the next of.
  unsigned accumulator = 0;
  /// The second product and what moves the ring of its operand.
  SetVector<Operation *> delayed;
  /// The rest, up to the first product with its release, and after.
  SmallVector<Operation *> before, after;
};

} // namespace

/// Whether `value` is `source` times something, perhaps on a condition: zero
/// where that is zero.
static bool isScaled(Value value, Value source) {
  Operation *op = value.getDefiningOp();
  if (value == source)
    return true;
  if (isa_and_present<arith::MulFOp>(op))
    return llvm::is_contained(op->getOperands(), source);
  auto branch = dyn_cast_if_present<scf::IfOp>(op);
  if (!branch)
    return false;
  unsigned i = cast<OpResult>(value).getResultNumber();
  return llvm::all_of(branch->getRegions(), [&](Region &region) {
    return isScaled(region.front().getTerminator()->getOperand(i), source);
  });
}

bool ProductOverlap::findProducts() {
  auto dots = llvm::to_vector(loop.getBody()->getOps<DotOp>());
  if (dots.size() != 2 || !isa<BufferType>(dots[1].getRhs().getType()))
    return false;
  first = dots[0];
  second = dots[1];
  SetVector<Operation *> slice;
  BackwardSliceOptions options;
  options.inclusive = false;
  options.filter = [&](Operation *op) { return loop->isProperAncestor(op); };
  (void)getBackwardSlice(second.getLhs(), &slice, options);
  if (!slice.contains(first) || !second->hasOneUse())
    return false;
  for (auto [i, value] : llvm::enumerate(loop.getYieldedValues()))
    if (value == second.getResult()) {
      accumulator = i;
      return true;
    }
  return false;
}

/// The wait, the release and the next position of the second product's ring:
/// all that follows from the position, which nothing else does.
bool ProductOverlap::collectDelayed() {
  auto slot = second.getRhs().getDefiningOp<SlotOp>();
  if (!slot || !loop->isProperAncestor(slot))
    return false;
  Value position = slot.getIndex();
  while (Operation *op = position.getDefiningOp()) {
    if (op->getNumOperands() != 1)
      return false;
    position = op->getOperand(0);
  }
  auto argument = dyn_cast<BlockArgument>(position);
  if (!argument || argument.getOwner() != loop.getBody())
    return false;
  SetVector<Operation *> slice;
  ForwardSliceOptions options;
  options.filter = [&](Operation *op) {
    return op->getBlock() == loop.getBody() && !isa<scf::YieldOp>(op) &&
           op != second;
  };
  getForwardSlice(Value(argument), &slice, options);
  slice.insert(second);
  for (Operation &op : loop.getBody()->without_terminator())
    if (slice.contains(&op))
      delayed.insert(&op);
  // What goes may not need what stays, but for the operands that are carried.
  for (Operation *op : delayed)
    for (Value operand : op->getOperands()) {
      bool isCarried = op == second && operand != second.getRhs();
      Operation *source = operand.getDefiningOp();
      if (!isCarried && source && loop->isProperAncestor(source) &&
          !delayed.contains(source))
        return false;
    }
  // And the other way round.
  for (Operation *op : delayed)
    if (op != second)
      for (Operation *user : op->getUsers())
        if (!delayed.contains(user) && !isa<scf::YieldOp>(user))
          return false;
  return true;
}

void ProductOverlap::run() {
  if (!findProducts() || !collectDelayed())
    return;
  ValueRange arguments = loop.getRegionIterArgs();
  bool passed = false;
  for (Operation &op : loop.getBody()->without_terminator()) {
    if (delayed.contains(&op))
      continue;
    // What was accumulated so far is not there yet.
    if (!passed && llvm::is_contained(op.getOperands(), arguments[accumulator]))
      return;
    // The first product's release goes with it.
    bool stays = passed && !isa<ArriveOp>(op);
    (stays ? after : before).push_back(&op);
    passed |= &op == first;
  }
  Location loc = loop.getLoc();
  Operation *yield = loop.getBody()->getTerminator();
  auto isDelayed = [&](Value value) {
    Operation *op = value.getDefiningOp();
    return op && delayed.contains(op);
  };

  // The first iteration, without its second product.
  IRMapping start;
  start.map(loop.getInductionVar(), loop.getLowerBound());
  start.map(arguments, loop.getInitArgs());
  clone(before, start);
  clone(after, start);
  SmallVector<Value> inits;
  Value init = loop.getInitArgs()[accumulator];
  if (!matchPattern(init, m_AnyZeroFloat()) ||
      !isScaled(second.getAcc(), arguments[accumulator]))
    init = start.lookupOrDefault(second.getAcc());
  for (auto [i, value] : llvm::enumerate(yield->getOperands()))
    inits.push_back(i == accumulator   ? init
                    : isDelayed(value) ? loop.getInitArgs()[i]
                                       : start.lookupOrDefault(value));
  inits.push_back(start.lookupOrDefault(second.getLhs()));

  Value lower =
      arith::AddIOp::create(builder, loc, loop.getLowerBound(), loop.getStep());
  auto overlapped = scf::ForOp::create(
      builder, loc, lower, loop.getUpperBound(), loop.getStep(), inits);
  ValueRange carried = overlapped.getRegionIterArgs();
  builder.setInsertionPointToEnd(overlapped.getBody());
  // This iteration's first product, the last one's second, and the rest.
  IRMapping now, last;
  now.map(loop.getInductionVar(), overlapped.getInductionVar());
  now.map(arguments, carried.drop_back());
  last.map(arguments, carried.drop_back());
  last.map(second.getLhs(), carried.back());
  last.map(second.getAcc(), carried[accumulator]);
  clone(before, now);
  clone(delayed.getArrayRef(), last);
  now.map(arguments[accumulator], last.lookup(second.getResult()));
  clone(after, now);
  SmallVector<Value> yielded;
  for (auto [i, value] : llvm::enumerate(yield->getOperands()))
    yielded.push_back(i == accumulator   ? now.lookupOrDefault(second.getAcc())
                      : isDelayed(value) ? last.lookup(value)
                                         : now.lookupOrDefault(value));
  yielded.push_back(now.lookupOrDefault(second.getLhs()));
  scf::YieldOp::create(builder, loc, yielded);

  // The last second product, after the release of what the loop alone reads.
  builder.setInsertionPointAfter(loop);
  auto usesLoop = [&](Operation &op) {
    return llvm::any_of(op.getOperands(), [&](Value operand) {
      return operand.getDefiningOp() == loop;
    });
  };
  while (isa<ArriveOp>(&*builder.getInsertionPoint()) &&
         !usesLoop(*builder.getInsertionPoint()))
    builder.setInsertionPointAfter(&*builder.getInsertionPoint());
  ValueRange results = overlapped.getResults();
  IRMapping end;
  end.map(arguments, results.drop_back());
  end.map(second.getLhs(), results.back());
  end.map(second.getAcc(), results[accumulator]);
  clone(delayed.getArrayRef(), end);
  for (auto [i, value] : llvm::enumerate(yield->getOperands()))
    loop.getResult(i).replaceAllUsesWith(
        i == accumulator || isDelayed(value) ? end.lookup(value) : results[i]);
  loop.erase();
}

namespace {
struct OverlapPass : diffattn::tile::impl::OverlapPassBase<OverlapPass> {
  void runOnOperation() override {
    auto order = getOperation()->getAttrOfType<StringAttr>(attr::order);
    if (order && order == "sections")
      return;
    SmallVector<scf::ForOp> loops;
    getOperation().walk([&](scf::ForOp loop) {
      if (loop->getParentOfType<RolesOp>())
        loops.push_back(loop);
    });
    for (scf::ForOp loop : loops)
      ProductOverlap(loop).run();
  }
};
} // namespace
