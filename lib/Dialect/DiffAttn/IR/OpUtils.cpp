//===- OpUtils.cpp - Shared by the ops of the dialect ---------------------===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "OpUtils.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include <cmath>

using namespace mlir;
using namespace mlir::diffattn;

int64_t mlir::diffattn::getNearestDivisor(int64_t n, int64_t value) {
  // 1 and n divide n, so a divisor is met before either end is passed.
  value = std::clamp<int64_t>(value, 1, n);
  for (int64_t distance = 0;; ++distance) {
    if (distance < value && n % (value - distance) == 0)
      return value - distance;
    if (n % (value + distance) == 0)
      return value + distance;
  }
}

bool mlir::diffattn::isSupportedFloat(Type type) {
  return type.isF16() || type.isBF16() || type.isF32();
}

LogicalResult mlir::diffattn::verifyPositive(Operation *op, StringRef rule,
                                             StringRef name, FloatAttr attr) {
  if (!attr)
    return success();
  // All arithmetic is in f32, so that is where the value must make sense.
  APFloat value = attr.getValue();
  bool losesInfo;
  value.convert(APFloat::IEEEsingle(), APFloat::rmNearestTiesToEven,
                &losesInfo);
  if (value.isFinite() && !value.isNegative() && !value.isZero())
    return success();
  SmallString<16> text;
  attr.getValue().toString(text);
  return op->emitOpError()
         << "expects " << name << " (" << rule
         << ") to be finite and greater than zero in f32, but got " << text;
}

LogicalResult mlir::diffattn::verifyMappedOperands(
    Operation *op, ArrayRef<MappedOperand> operands, ArrayAttr maps,
    unsigned numDims, ArrayRef<StringRef> dimNames, StringRef mapRule,
    StringRef sizeRule) {
  if (maps.size() != operands.size())
    return op->emitOpError()
           << "expects " << operands.size() << " indexing maps (" << mapRule
           << "), but got " << maps.size();
  // First operand that fixed a dimension's size, for the message.
  SmallVector<int64_t> sizes(numDims, ShapedType::kDynamic);
  SmallVector<StringRef> owner(numDims);
  for (auto [operand, attr] : llvm::zip_equal(operands, maps)) {
    AffineMap map = cast<AffineMapAttr>(attr).getValue();
    if (map.getNumDims() != numDims || map.getNumSymbols() != 0 ||
        map.getNumResults() != operand.dims.size() ||
        !map.isProjectedPermutation())
      return op->emitOpError()
             << "expects the map of " << operand.name << " (" << mapRule
             << ") to permute " << operand.dims.size() << " of " << numDims
             << " dimensions, but got " << attr;
    for (unsigned dim : operand.dims)
      if (!map.isFunctionOfDim(dim))
        return op->emitOpError()
               << "expects the map of " << operand.name << " (" << mapRule
               << ") to use the " << dimNames[dim] << " dimension (d" << dim
               << "), but got " << attr;
    if (!operand.value)
      continue;
    auto type = cast<RankedTensorType>(operand.value.getType());
    if (type.getRank() != static_cast<int64_t>(map.getNumResults()))
      return op->emitOpError() << "expects " << operand.name << " (" << mapRule
                               << ") to have rank " << map.getNumResults()
                               << ", but got " << type;
    for (auto [position, size] : llvm::enumerate(type.getShape())) {
      unsigned dim = map.getDimPosition(position);
      if (ShapedType::isDynamic(size))
        continue;
      if (ShapedType::isDynamic(sizes[dim])) {
        sizes[dim] = size;
        owner[dim] = operand.name;
      } else if (sizes[dim] != size) {
        return op->emitOpError()
               << "expects " << operand.name << "'s " << dimNames[dim]
               << " dimension (" << sizeRule << ") to be " << sizes[dim]
               << " as in " << owner[dim] << ", but got " << size;
      }
    }
  }
  return success();
}

OpFoldResult mlir::diffattn::getMappedDimSize(OpBuilder &b, Location loc,
                                              ArrayRef<MappedOperand> operands,
                                              ArrayRef<AffineMap> maps,
                                              unsigned dim) {
  // Prefer an operand that knows the size statically.
  OpFoldResult result;
  for (auto [operand, map] : llvm::zip_equal(operands, maps)) {
    if (!operand.value)
      continue;
    std::optional<unsigned> position =
        map.getResultPosition(getAffineDimExpr(dim, map.getContext()));
    if (!position)
      continue;
    auto type = cast<RankedTensorType>(operand.value.getType());
    if (!type.isDynamicDim(*position))
      return b.getIndexAttr(type.getDimSize(*position));
    if (!result)
      result = tensor::getMixedSize(b, loc, operand.value, *position);
  }
  assert(result && "every iteration dimension is in some operand");
  return result;
}

void mlir::diffattn::getMappedSlice(AffineMap map,
                                    ArrayRef<OpFoldResult> offsets,
                                    ArrayRef<OpFoldResult> sizes,
                                    SmallVectorImpl<OpFoldResult> &sliceOffsets,
                                    SmallVectorImpl<OpFoldResult> &sliceSizes) {
  sliceOffsets.clear();
  sliceSizes.clear();
  for (unsigned i = 0, e = map.getNumResults(); i < e; ++i) {
    sliceOffsets.push_back(offsets[map.getDimPosition(i)]);
    sliceSizes.push_back(sizes[map.getDimPosition(i)]);
  }
}

Value mlir::diffattn::extractTile(OpBuilder &b, Location loc, Value source,
                                  ArrayRef<OpFoldResult> offsets,
                                  ArrayRef<OpFoldResult> sizes) {
  SmallVector<OpFoldResult> strides(offsets.size(), b.getIndexAttr(1));
  return tensor::ExtractSliceOp::create(b, loc, source, offsets, sizes,
                                        strides);
}

void mlir::diffattn::getIterationTileFromMapped(
    AffineMap map, ArrayRef<Range> domain, ArrayRef<OpFoldResult> resultOffsets,
    ArrayRef<OpFoldResult> resultSizes, SmallVectorImpl<OpFoldResult> &offsets,
    SmallVectorImpl<OpFoldResult> &sizes) {
  offsets.clear();
  sizes.clear();
  for (const Range &range : domain) {
    offsets.push_back(range.offset);
    sizes.push_back(range.size);
  }
  for (unsigned i = 0, e = map.getNumResults(); i < e; ++i) {
    unsigned dim = map.getDimPosition(i);
    if (dim >= offsets.size())
      continue;
    offsets[dim] = resultOffsets[i];
    sizes[dim] = resultSizes[i];
  }
}

FailureOr<TilingResult> mlir::diffattn::tileResult(
    TilingInterface op, OpBuilder &b, unsigned resultNumber,
    ArrayRef<OpFoldResult> offsets, ArrayRef<OpFoldResult> sizes) {
  SmallVector<OpFoldResult> domainOffsets, domainSizes;
  if (failed(op.getIterationDomainTileFromResultTile(
          b, resultNumber, offsets, sizes, domainOffsets, domainSizes)))
    return failure();
  FailureOr<TilingResult> tiled =
      op.getTiledImplementation(b, domainOffsets, domainSizes);
  if (failed(tiled))
    return failure();
  tiled->tiledValues = {tiled->tiledValues[resultNumber]};
  return tiled;
}

OpFoldResult mlir::diffattn::addOfr(OpBuilder &b, Location loc,
                                    OpFoldResult lhs, OpFoldResult rhs) {
  AffineExpr d0, d1;
  bindDims(b.getContext(), d0, d1);
  return affine::makeComposedFoldedAffineApply(b, loc, d0 + d1, {lhs, rhs});
}

OpFoldResult mlir::diffattn::subOfr(OpBuilder &b, Location loc,
                                    OpFoldResult lhs, OpFoldResult rhs) {
  AffineExpr d0, d1;
  bindDims(b.getContext(), d0, d1);
  return affine::makeComposedFoldedAffineApply(b, loc, d0 - d1, {lhs, rhs});
}

OpFoldResult mlir::diffattn::mulOfr(OpBuilder &b, Location loc,
                                    OpFoldResult lhs, int64_t factor) {
  AffineExpr d0;
  bindDims(b.getContext(), d0);
  return affine::makeComposedFoldedAffineApply(b, loc, d0 * factor, {lhs});
}

AffineMap mlir::diffattn::getOrderedMap(MLIRContext *context, unsigned numDims,
                                        ArrayRef<unsigned> dims) {
  SmallVector<AffineExpr> exprs;
  for (unsigned dim : dims)
    exprs.push_back(getAffineDimExpr(dim, context));
  return AffineMap::get(numDims, 0, exprs, context);
}

Value mlir::diffattn::buildSafeMax(OpBuilder &b, Location loc, Value max) {
  Value lowest =
      arith::ConstantOp::create(b, loc, b.getF32FloatAttr(-INFINITY));
  Value zero = arith::ConstantOp::create(b, loc, b.getF32FloatAttr(0.0f));
  Value nothing =
      arith::CmpFOp::create(b, loc, arith::CmpFPredicate::OEQ, max, lowest);
  return arith::SelectOp::create(b, loc, nothing, zero, max);
}

Value mlir::diffattn::buildRescale(OpBuilder &b, Location loc, Value from,
                                   Value to) {
  Value difference =
      arith::SubFOp::create(b, loc, from, buildSafeMax(b, loc, to));
  return math::Exp2Op::create(b, loc, difference);
}
