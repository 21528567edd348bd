//===- LowerTensorCopies.cpp - Copies and stores of the copy engine -------===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ThreadCode.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"

using namespace mlir;
using namespace mlir::diffattn::tile;

namespace {

SmallVector<Value> getFirst(ArrayRef<ValueRange> ranges) {
  return llvm::map_to_vector(ranges,
                             [](ValueRange range) { return range.front(); });
}

/// Calls `fn` with the address of each box of `buffer`, which begins at
/// `address`, and its coordinates in the order of the instruction: from the
/// innermost dimension. Of each `step` boxes the first: `address` and `start`
/// say which.
LogicalResult
forEachBox(OpBuilder &builder, Location loc, TensorMapType map,
           BufferType buffer, Value address, ArrayRef<int64_t> dims,
           ArrayRef<Value> start, int64_t step,
           function_ref<void(Value address, ArrayRef<Value> coordinates)> fn) {
  int64_t elements = 1;
  for (int64_t size : map.getBox())
    elements *= size;
  auto digits = split(buffer.getLayout().getDigits(), elements);
  if (!digits)
    return failure();
  for (int64_t box = 0, end = getNumIndices(digits->second); box < end;
       box += step) {
    SmallVector<int64_t> position(buffer.getRank(), 0);
    addCoordinates(digits->second, box, position);
    SmallVector<Value> coordinates(start);
    for (auto [dim, distance] : llvm::zip_equal(dims, position))
      if (distance)
        coordinates[dim] = arith::AddIOp::create(
            builder, loc, coordinates[dim], createI32(builder, loc, distance));
    Value place = address;
    if (box)
      place = arith::AddIOp::create(
          builder, loc, place,
          createI32(builder, loc, box * elements * buffer.getElementBytes()));
    std::reverse(coordinates.begin(), coordinates.end());
    fn(place, coordinates);
  }
  return success();
}

struct LowerTensorCopy : OpConversionPattern<TensorCopyOp> {
  using OpConversionPattern::OpConversionPattern;
  LogicalResult
  matchAndRewrite(TensorCopyOp op, OneToNOpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    Location loc = op.getLoc();
    Value barrier = createSharedPointer(
        rewriter, loc,
        createAddress(rewriter, loc, adaptor.getBarriers().front(),
                      adaptor.getIndex().front(), BarriersType::barrierBytes));
    SmallVector<Value> start = getFirst(adaptor.getCoordinates());
    Value dest = adaptor.getDest().front(), mask;
    int64_t cluster = op.getCluster().value_or(1);
    if (op.getRank()) {
      mask =
          arith::ConstantIntOp::create(rewriter, loc, (1 << cluster) - 1, 16);
      moveToShare(rewriter, op, adaptor.getRank().front(), dest, start);
    }
    auto copy = [&](Value target, ArrayRef<Value> coordinates) {
      NVVM::CpAsyncBulkTensorGlobalToSharedClusterOp::create(
          rewriter, loc, createClusterPointer(rewriter, loc, target),
          adaptor.getSource().front(), coordinates, barrier,
          /*im2colOffsets=*/ValueRange(), mask,
          /*l2CacheHint=*/Value(), NVVM::TMALoadMode::TILE,
          /*isCTAOnly=*/false, /*group=*/NVVM::CTAGroupKindAttr(),
          /*predicate=*/Value());
    };
    if (failed(forEachBox(rewriter, loc, op.getSource().getType(),
                          op.getDest().getType(), dest, op.getDims(), start,
                          cluster, copy)))
      return failure();
    rewriter.eraseOp(op);
    return success();
  }

private:
  /// From the first box to that of block `rank`, along the digit of boxes that
  /// the blocks share.
  static void moveToShare(OpBuilder &builder, TensorCopyOp op, Value rank,
                          Value &dest, SmallVectorImpl<Value> &start) {
    Location loc = op.getLoc();
    BufferType buffer = op.getDest().getType();
    int64_t elements = 1;
    for (int64_t size : op.getSource().getType().getBox())
      elements *= size;
    Digit digit = split(buffer.getLayout().getDigits(), elements)->second[0];
    auto move = [&](Value value, int64_t distance) -> Value {
      Value offset = arith::MulIOp::create(builder, loc, rank,
                                           createI32(builder, loc, distance));
      return arith::AddIOp::create(builder, loc, value, offset);
    };
    dest = move(dest, elements * buffer.getElementBytes());
    Value &coordinate = start[op.getDims()[digit.dim]];
    coordinate = move(coordinate, digit.stride);
  }

  /// A shared address is that of this block in its cluster.
  static Value createClusterPointer(OpBuilder &builder, Location loc,
                                    Value address) {
    auto type = LLVM::LLVMPointerType::get(builder.getContext(), 7);
    return LLVM::AddrSpaceCastOp::create(
        builder, loc, type, createSharedPointer(builder, loc, address));
  }
};

struct LowerTensorStore : OpConversionPattern<TensorStoreOp> {
  using OpConversionPattern::OpConversionPattern;
  LogicalResult
  matchAndRewrite(TensorStoreOp op, OneToNOpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    Location loc = op.getLoc();
    auto store = [&](Value source, ArrayRef<Value> coordinates) {
      NVVM::CpAsyncBulkTensorSharedCTAToGlobalOp::create(
          rewriter, loc, adaptor.getDest().front(),
          createSharedPointer(rewriter, loc, source), coordinates,
          /*l2CacheHint=*/Value(), NVVM::TMAStoreMode::TILE,
          /*predicate=*/Value());
    };
    if (failed(forEachBox(rewriter, loc, op.getDest().getType(),
                          op.getSource().getType(), adaptor.getSource().front(),
                          op.getDims(), getFirst(adaptor.getCoordinates()),
                          /*step=*/1, store)))
      return failure();
    NVVM::CpAsyncBulkCommitGroupOp::create(rewriter, loc);
    rewriter.eraseOp(op);
    return success();
  }
};

struct LowerStoreWait : OpConversionPattern<StoreWaitOp> {
  using OpConversionPattern::OpConversionPattern;
  LogicalResult
  matchAndRewrite(StoreWaitOp op, OneToNOpAdaptor,
                  ConversionPatternRewriter &rewriter) const override {
    rewriter.replaceOpWithNewOp<NVVM::CpAsyncBulkWaitGroupOp>(
        op, rewriter.getI32IntegerAttr(op.getPending()),
        /*read=*/rewriter.getUnitAttr());
    return success();
  }
};

} // namespace

void mlir::diffattn::tile::populateTensorCopyPatterns(
    const TypeConverter &converter, RewritePatternSet &patterns) {
  patterns.add<LowerTensorCopy, LowerTensorStore, LowerStoreWait>(
      converter, patterns.getContext());
}
