//===- AssignLayouts.cpp - A layout for every tensor ----------------------===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

//
// Products fix layouts; everything else follows its neighbours. A value that no
// neighbour has reached yet takes the layout of the first that does; where a
// second one asks for another, that use is converted.
//
//===----------------------------------------------------------------------===//

#include "Operands.h"

#include "diffattn/Dialect/Tile/Transforms/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/Matchers.h"

namespace mlir::diffattn::tile {
#define GEN_PASS_DEF_ASSIGNLAYOUTSPASS
#include "diffattn/Dialect/Tile/Transforms/Passes.h.inc"
} // namespace mlir::diffattn::tile

using namespace mlir;
using namespace mlir::diffattn::tile;

static RankedTensorType getTensor(Value value) {
  return dyn_cast<RankedTensorType>(value.getType());
}

namespace {

class LayoutAssignment {
public:
  LayoutAssignment(gpu::GPUFuncOp kernel, int64_t warps)
      : kernel(kernel), warps(warps) {}

  LogicalResult run();

private:
  void separateConstants();
  LogicalResult assignProduct(DotOp dot);

  void assign(Value value, FragmentAttr layout);
  /// Spreads the layout of `value` to the other side of `op`.
  void spread(Operation *op, Value value);
  void spreadThroughLoop(scf::ForOp loop, unsigned index, FragmentAttr layout);

  /// The layout that `op` needs of an operand, given those of its results.
  FragmentAttr getNeeded(OpOperand &operand);
  void settleResults();
  LogicalResult apply();

  gpu::GPUFuncOp kernel;
  int64_t warps;
  DenseMap<Value, FragmentAttr> layouts;
  SmallVector<Value> worklist;
};

} // namespace

/// One constant per use, so that each can follow its user.
void LayoutAssignment::separateConstants() {
  SmallVector<Operation *> constants;
  kernel.walk([&](Operation *op) {
    if (op->getNumResults() == 1 && getTensor(op->getResult(0)) &&
        (op->hasTrait<OpTrait::ConstantLike>() || isa<SplatOp, IndexOp>(op)))
      constants.push_back(op);
  });
  for (Operation *op : constants)
    for (OpOperand &use : llvm::make_early_inc_range(op->getUses())) {
      if (op->hasOneUse())
        break;
      OpBuilder builder(op);
      use.set(builder.clone(*op)->getResult(0));
    }
}

LogicalResult LayoutAssignment::assignProduct(DotOp dot) {
  auto acc = dot.getAcc().getType();
  FailureOr<Digits> digits = getProductRows(dot, acc);
  if (failed(digits))
    return failure();
  const Digits &rows = *digits;
  int64_t last = acc.getRank() - 1;
  // The teams of a role work each for itself.
  int64_t warps = dot->getParentOfType<RolesOp>() ? teamWarps : this->warps;
  MLIRContext *context = dot.getContext();
  FragmentAttr layout =
      getRowFragment(context, rows, last, acc.getDimSize(last), warps);
  if (!layout)
    return dot.emitOpError("expects rows in multiples of 16 for each of ")
           << warps << " warps, and columns in multiples of 8, but got "
           << getNumIndices(rows) << " rows and " << acc.getDimSize(last)
           << " columns";
  assign(dot.getResult(), layout);
  assign(dot.getAcc(), layout);
  if (RankedTensorType lhs = getTensor(dot.getLhs()))
    assign(dot.getLhs(),
           getRowFragment(context, rows, last, lhs.getShape().back(), warps));
  return success();
}

void LayoutAssignment::assign(Value value, FragmentAttr layout) {
  if (layouts.try_emplace(value, layout).second)
    worklist.push_back(value);
}

void LayoutAssignment::spreadThroughLoop(scf::ForOp loop, unsigned index,
                                         FragmentAttr layout) {
  assign(loop.getInitArgs()[index], layout);
  assign(loop.getRegionIterArgs()[index], layout);
  assign(loop.getYieldedValues()[index], layout);
  assign(loop.getResult(index), layout);
}

void LayoutAssignment::spread(Operation *op, Value value) {
  FragmentAttr layout = layouts[value];
  if (auto reduce = dyn_cast<ReduceOp>(op)) {
    if (value == reduce.getSource())
      assign(reduce.getResult(), layout.dropDim(reduce.getDim()));
  } else if (auto broadcast = dyn_cast<BroadcastOp>(op)) {
    if (value == broadcast.getResult())
      assign(broadcast.getSource(), layout.dropDim(broadcast.getDim()));
  } else if (auto select = dyn_cast<diffattn::tile::SelectOp>(op)) {
    if (value == select.getSource())
      assign(select.getResult(), layout.dropDim(select.getDim()));
  } else if (auto transpose = dyn_cast<TransposeOp>(op)) {
    ArrayRef<int64_t> permutation = transpose.getPermutation();
    if (value == transpose.getSource())
      assign(transpose.getResult(), layout.transpose(permutation));
    else
      assign(transpose.getSource(), layout.undoTranspose(permutation));
  } else if (isa<MaskOp>(op) || OpTrait::hasElementwiseMappableTraits(op)) {
    for (Value operand : op->getOperands())
      if (getTensor(operand))
        assign(operand, layout);
    for (Value result : op->getResults())
      assign(result, layout);
  } else if (auto loop = dyn_cast<scf::ForOp>(op)) {
    for (unsigned i = 0; i < loop.getNumResults(); ++i)
      if (loop.getInitArgs()[i] == value || loop.getResult(i) == value)
        spreadThroughLoop(loop, i, layout);
  } else if (auto yield = dyn_cast<scf::YieldOp>(op)) {
    auto loop = dyn_cast<scf::ForOp>(op->getParentOp());
    for (unsigned i = 0; loop && i < yield.getNumOperands(); ++i)
      if (yield.getOperand(i) == value)
        spreadThroughLoop(loop, i, layout);
    if (auto branch = dyn_cast<scf::IfOp>(op->getParentOp()))
      for (unsigned i = 0; i < yield.getNumOperands(); ++i)
        if (yield.getOperand(i) == value) {
          assign(branch.getResult(i), layout);
          assign(branch.thenYield().getOperand(i), layout);
          assign(branch.elseYield().getOperand(i), layout);
        }
  } else if (auto branch = dyn_cast<scf::IfOp>(op)) {
    for (unsigned i = 0; i < branch.getNumResults(); ++i)
      if (branch.getResult(i) == value) {
        assign(branch.thenYield().getOperand(i), layout);
        assign(branch.elseYield().getOperand(i), layout);
      }
  }
}

FragmentAttr LayoutAssignment::getNeeded(OpOperand &operand) {
  Operation *op = operand.getOwner();
  auto ofResult = [&](unsigned i) { return layouts.lookup(op->getResult(i)); };
  if (auto dot = dyn_cast<DotOp>(op)) {
    FragmentAttr acc = ofResult(0);
    if (operand.get() == dot.getAcc() || !acc)
      return acc;
    auto type = dot.getAcc().getType();
    int64_t last = type.getRank() - 1;
    auto rows = matchRowFragment(acc, last, type.getDimSize(last));
    if (operand.getOperandNumber() == 0 && rows)
      return getRowFragment(op->getContext(), rows->rows, last,
                            getTensor(operand.get()).getShape().back(),
                            rows->warps);
    return {};
  }
  if (auto broadcast = dyn_cast<BroadcastOp>(op))
    return ofResult(0) ? ofResult(0).dropDim(broadcast.getDim())
                       : FragmentAttr();
  if (auto transpose = dyn_cast<TransposeOp>(op))
    return ofResult(0) ? ofResult(0).undoTranspose(transpose.getPermutation())
                       : FragmentAttr();
  if (isa<MaskOp>(op) || OpTrait::hasElementwiseMappableTraits(op))
    return ofResult(0);
  if (auto loop = dyn_cast<scf::ForOp>(op))
    return ofResult(operand.getOperandNumber() - loop.getNumControlOperands());
  if (isa<scf::YieldOp>(op))
    return layouts.lookup(
        op->getParentOp()->getResult(operand.getOperandNumber()));
  return layouts.lookup(operand.get());
}

/// Where layouts of two products meet, a result may have been reached from its
/// users first. Those of these ops follow from their operands: what the users
/// ask for is converted.
void LayoutAssignment::settleResults() {
  auto settle = [&](Value result, FragmentAttr layout) {
    if (layout)
      layouts[result] = layout;
  };
  kernel.walk([&](Operation *op) {
    if (auto reduce = dyn_cast<ReduceOp>(op)) {
      if (FragmentAttr layout = layouts.lookup(reduce.getSource()))
        settle(reduce.getResult(), layout.dropDim(reduce.getDim()));
    } else if (auto select = dyn_cast<diffattn::tile::SelectOp>(op)) {
      if (FragmentAttr layout = layouts.lookup(select.getSource()))
        settle(select.getResult(), layout.dropDim(select.getDim()));
    } else if (auto loop = dyn_cast<scf::ForOp>(op)) {
      for (auto [argument, result] :
           llvm::zip_equal(loop.getRegionIterArgs(), loop.getResults()))
        settle(result, layouts.lookup(argument));
    }
  });
}

LogicalResult LayoutAssignment::apply() {
  settleResults();
  // Types first, then conversions where a use needs another.
  WalkResult complete = kernel.walk([&](Operation *op) -> WalkResult {
    for (Value result : op->getResults())
      if (getTensor(result) && !layouts.contains(result))
        return op->emitOpError("has a result that no product gives a layout");
    return WalkResult::advance();
  });
  if (complete.wasInterrupted())
    return failure();
  for (auto [value, layout] : layouts)
    value.setType(getTensor(value).cloneWithEncoding(layout));
  kernel.walk([&](arith::ConstantOp op) {
    if (auto type = getTensor(op.getResult()))
      op.setValueAttr(cast<TypedAttr>(
          cast<DenseElementsAttr>(op.getValue()).reshape(type)));
  });
  SmallVector<OpOperand *> conversions;
  kernel.walk([&](Operation *op) {
    for (OpOperand &operand : op->getOpOperands())
      if (RankedTensorType type = getTensor(operand.get()))
        if (FragmentAttr needed = getNeeded(operand);
            needed && needed != type.getEncoding())
          conversions.push_back(&operand);
  });
  for (OpOperand *operand : conversions) {
    OpBuilder builder(operand->getOwner());
    auto type = getTensor(operand->get());
    operand->set(ConvertLayoutOp::create(
        builder, operand->getOwner()->getLoc(),
        type.cloneWithEncoding(getNeeded(*operand)), operand->get()));
  }
  return success();
}

LogicalResult LayoutAssignment::run() {
  separateConstants();
  WalkResult products =
      kernel.walk([&](DotOp dot) -> WalkResult { return assignProduct(dot); });
  if (products.wasInterrupted())
    return failure();
  while (!worklist.empty()) {
    Value value = worklist.pop_back_val();
    if (Operation *op = value.getDefiningOp())
      spread(op, value);
    else if (auto loop =
                 dyn_cast<scf::ForOp>(value.getParentBlock()->getParentOp()))
      spreadThroughLoop(loop,
                        cast<BlockArgument>(value).getArgNumber() -
                            loop.getNumInductionVars(),
                        layouts[value]);
    for (Operation *user : value.getUsers())
      spread(user, value);
  }
  return apply();
}

namespace {
struct AssignLayoutsPass
    : diffattn::tile::impl::AssignLayoutsPassBase<AssignLayoutsPass> {
  void runOnOperation() override {
    auto warps = getOperation()->getAttrOfType<IntegerAttr>(attr::warps);
    if (!warps)
      return;
    if (failed(LayoutAssignment(getOperation(), warps.getInt()).run()))
      signalPassFailure();
  }
};
} // namespace
