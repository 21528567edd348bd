//===- Distribute.cpp - One thread block for each tile --------------------===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "diffattn/Dialect/Tile/IR/Tile.h"
#include "diffattn/Dialect/Tile/Transforms/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"

namespace mlir::diffattn::tile {
#define GEN_PASS_DEF_DISTRIBUTEPASS
#include "diffattn/Dialect/Tile/Transforms/Passes.h.inc"
} // namespace mlir::diffattn::tile

using namespace mlir;
using namespace mlir::diffattn::tile;

/// The point of the grid that this block computes, from its number.
static SmallVector<Value> createCoordinates(OpBuilder &builder, Location loc,
                                            ValueRange sizes) {
  // Numbers of blocks fit in 32 bits; wider ones would be held in pairs of
  // registers all through the kernel.
  Type i32 = builder.getI32Type();
  auto narrow = [&](Value value) -> Value {
    return arith::IndexCastUIOp::create(builder, loc, i32, value);
  };
  Value rest = narrow(gpu::BlockIdOp::create(builder, loc, gpu::Dimension::x));
  SmallVector<Value> coordinates(sizes.size());
  for (size_t dim = sizes.size(); dim-- > 0;) {
    Value size = narrow(sizes[dim]);
    Value number = rest;
    if (dim != 0) {
      number = arith::RemUIOp::create(builder, loc, rest, size);
      rest = arith::DivUIOp::create(builder, loc, rest, size);
    }
    // Blocks start in the order of their numbers. Under a causal mask later
    // rows see more keys: start with the last tile, so that the short ones fill
    // the gaps at the end.
    if (dim + 1 == sizes.size()) {
      Value one = arith::ConstantIntOp::create(builder, loc, 1, 32);
      Value last = arith::SubIOp::create(builder, loc, size, one);
      number = arith::SubIOp::create(builder, loc, last, number);
    }
    coordinates[dim] = arith::IndexCastUIOp::create(
        builder, loc, builder.getIndexType(), number);
  }
  return coordinates;
}

namespace {
struct DistributePass
    : diffattn::tile::impl::DistributePassBase<DistributePass> {
  void runOnOperation() override {
    getOperation().walk([](CoordinatesOp op) {
      OpBuilder builder(op);
      op->replaceAllUsesWith(
          createCoordinates(builder, op.getLoc(), op.getSizes()));
      op.erase();
    });
  }
};
} // namespace
