//===- SelectOperands.cpp - Products in steps of the matrix instruction ---===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "diffattn/Dialect/Tile/IR/Tile.h"
#include "diffattn/Dialect/Tile/Transforms/Passes.h"

namespace mlir::diffattn::tile {
#define GEN_PASS_DEF_SELECTOPERANDSPASS
#include "diffattn/Dialect/Tile/Transforms/Passes.h.inc"
} // namespace mlir::diffattn::tile

using namespace mlir;
using namespace mlir::diffattn::tile;

/// The depth of mma.sync.m16n8k16.
static constexpr int64_t depth = 16;

/// The part of `operand` from `offset` along `dim`, in registers laid out as
/// `layout`.
static Value createPart(OpBuilder &builder, Location loc, Value operand,
                        int64_t dim, int64_t offset, FragmentAttr layout) {
  auto buffer = dyn_cast<BufferType>(operand.getType());
  SmallVector<int64_t> shape(
      buffer ? buffer.getShape()
             : cast<RankedTensorType>(operand.getType()).getShape());
  SmallVector<int64_t> offsets(shape.size(), 0);
  Type element =
      buffer ? buffer.getElementType()
             : cast<RankedTensorType>(operand.getType()).getElementType();
  shape[dim] = depth;
  offsets[dim] = offset;
  auto type = RankedTensorType::get(shape, element, layout);
  if (buffer)
    return LocalLoadOp::create(builder, loc, type, operand, offsets);
  return SliceOp::create(builder, loc, type, operand, offsets);
}

static LogicalResult selectOperands(DotOp dot) {
  auto acc = dot.getAcc().getType();
  FragmentAttr layout = getLayout(acc);
  int64_t last = acc.getRank() - 1, n = acc.getDimSize(last);
  auto rows = layout ? matchRowFragment(layout, last, n) : std::nullopt;
  if (!rows)
    return dot.emitOpError(
        "expects a layout; run diffattn-tile-assign-layouts");
  MLIRContext *context = dot.getContext();
  int64_t kDim = dot.getTransposed() ? 1 : 0;
  auto buffer = dyn_cast<BufferType>(dot.getRhs().getType());
  int64_t k =
      buffer ? buffer.getShape()[kDim]
             : cast<RankedTensorType>(dot.getRhs().getType()).getDimSize(kDim);
  if (k % depth)
    return dot.emitOpError("expects a depth that is a multiple of ")
           << depth << ", but got " << k;
  FragmentAttr lhsLayout =
      getRowFragment(context, rows->rows, last, depth, rows->warps);
  FragmentAttr rhsLayout =
      getColumnFragment(context, 1 - kDim, n, kDim, depth, rows->warps);
  OpBuilder builder(dot);
  Location loc = dot.getLoc();
  Value sum = dot.getAcc();
  for (int64_t offset = 0; offset < k; offset += depth) {
    Value lhs = createPart(builder, loc, dot.getLhs(), last, offset, lhsLayout);
    Value rhs = createPart(builder, loc, dot.getRhs(), kDim, offset, rhsLayout);
    sum = DotOp::create(builder, loc, acc, lhs, rhs, sum, dot.getTransposed());
  }
  dot.getResult().replaceAllUsesWith(sum);
  dot.erase();
  return success();
}

namespace {
struct SelectOperandsPass
    : diffattn::tile::impl::SelectOperandsPassBase<SelectOperandsPass> {
  void runOnOperation() override {
    SmallVector<DotOp> dots;
    getOperation().walk([&](DotOp dot) {
      auto lhs = dyn_cast<RankedTensorType>(dot.getLhs().getType());
      bool done = lhs && lhs.getShape().back() == depth &&
                  isa<RankedTensorType>(dot.getRhs().getType());
      if (!done)
        dots.push_back(dot);
    });
    for (DotOp dot : dots)
      if (failed(selectOperands(dot)))
        return signalPassFailure();
  }
};
} // namespace
