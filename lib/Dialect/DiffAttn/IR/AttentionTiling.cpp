//===- AttentionTiling.cpp - Tiling of diffattn.attention -----------------===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// TilingInterface of the fused operator, over (batch, KV head, pair in group,
// query row). It lets stock tools partition the operator by slicing; keys are
// tiled later, on `online_attention`.
//
// The tile is again a `diffattn.attention`, so a tile of query rows must keep
// the bottom-right alignment of its mask. It does by taking just the keys up to
// its last row's diagonal: rows [m0, m0 + t) with the first m0 + t + Nk - Nq
// keys are aligned exactly as they were in the whole. That works for masks
// that end on the diagonal (causal, windows with a right bound of 0) and for no
// mask; other windows see keys past the diagonal and cannot be row-tiled here.
//
//===----------------------------------------------------------------------===//

#include "OpUtils.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"

using namespace mlir;
using namespace mlir::diffattn;

namespace {
/// Dimensions of the iteration domain.
enum TileDim : unsigned { TileB, TileH, TileP, TileM, NumTileDims };

/// A contiguous range of heads.
struct HeadRange {
  OpFoldResult offset;
  int64_t size;
};
} // namespace

SmallVector<utils::IteratorType> AttentionOp::getLoopIteratorTypes() {
  return SmallVector<utils::IteratorType>(NumTileDims,
                                          utils::IteratorType::parallel);
}

SmallVector<Range> AttentionOp::getIterationDomain(OpBuilder &b) {
  OpFoldResult zero = b.getIndexAttr(0), one = b.getIndexAttr(1);
  OpFoldResult batch = tensor::getMixedSize(b, getLoc(), getQuery(), 0);
  OpFoldResult rows = tensor::getMixedSize(b, getLoc(), getQuery(), 1);
  return {{zero, batch, one},
          {zero, b.getIndexAttr(getNumKVHeads()), one},
          {zero, b.getIndexAttr(getPairsPerGroup()), one},
          {zero, rows, one}};
}

/// The output heads of a tile, or failure where they are not one static
/// contiguous range: either whole groups, or pairs of a single group.
static FailureOr<HeadRange> getHeadRange(AttentionOp op, OpBuilder &b,
                                         ArrayRef<OpFoldResult> offsets,
                                         ArrayRef<OpFoldResult> sizes) {
  std::optional<int64_t> groups = getConstantIntValue(sizes[TileH]);
  std::optional<int64_t> pairs = getConstantIntValue(sizes[TileP]);
  int64_t pairsPerGroup = op.getPairsPerGroup();
  if (!groups || !pairs || (*pairs != pairsPerGroup && *groups != 1))
    return failure();
  OpFoldResult offset = addOfr(
      b, op.getLoc(), mulOfr(b, op.getLoc(), offsets[TileH], pairsPerGroup),
      offsets[TileP]);
  return HeadRange{offset, *groups * *pairs};
}

/// True where `size` is all of dimension `dim` of `source`; a dynamic one shows
/// as a tensor.dim of it, as getIterationDomain makes it.
static bool isWholeDim(OpFoldResult size, Value source, int64_t dim) {
  if (std::optional<int64_t> constant = getConstantIntValue(size))
    return cast<RankedTensorType>(source.getType()).getDimSize(dim) ==
           *constant;
  auto dimOp = cast<Value>(size).getDefiningOp<tensor::DimOp>();
  return dimOp && dimOp.getSource() == source &&
         dimOp.getConstantIndex() == dim;
}

FailureOr<TilingResult>
AttentionOp::getTiledImplementation(OpBuilder &b,
                                    ArrayRef<OpFoldResult> offsets,
                                    ArrayRef<OpFoldResult> sizes) {
  Location loc = getLoc();
  FailureOr<HeadRange> heads = getHeadRange(*this, b, offsets, sizes);
  if (failed(heads))
    return failure();
  OpFoldResult zero = b.getIndexAttr(0);
  OpFoldResult queryLength = tensor::getMixedSize(b, loc, getQuery(), 1);
  OpFoldResult keyLength = tensor::getMixedSize(b, loc, getKey(), 1);
  MaskAttr mask = getEffectiveMask();
  bool allRows =
      isZeroInteger(offsets[TileM]) && isWholeDim(sizes[TileM], getQuery(), 1);
  if (!allRows && !mask.isNone()) {
    if (mask.getRight() != int64_t(0))
      return failure();
    AffineExpr m0, t, nk, nq;
    bindDims(b.getContext(), m0, t, nk, nq);
    AffineMap visible = AffineMap::get(
        4, 0, {m0 + t + nk - nq, getAffineConstantExpr(0, b.getContext())},
        b.getContext());
    keyLength = affine::makeComposedFoldedAffineMax(
        b, loc, visible,
        {offsets[TileM], sizes[TileM], keyLength, queryLength});
  }

  SmallVector<Operation *> slices;
  auto slice = [&](Value source, ArrayRef<OpFoldResult> sliceOffsets,
                   ArrayRef<OpFoldResult> sliceSizes) -> Value {
    if (!source)
      return {};
    Value tile = extractTile(b, loc, source, sliceOffsets, sliceSizes);
    slices.push_back(tile.getDefiningOp());
    return tile;
  };
  OpFoldResult b0 = offsets[TileB], bs = sizes[TileB];
  OpFoldResult m0 = offsets[TileM], ms = sizes[TileM];
  OpFoldResult h0 = heads->offset, hs = b.getIndexAttr(heads->size);
  int64_t branches = getNumBranches();
  OpFoldResult q0 = mulOfr(b, loc, h0, branches);
  OpFoldResult qs = b.getIndexAttr(heads->size * branches);
  OpFoldResult dim = b.getIndexAttr(getHeadDim());
  OpFoldResult valueDim = b.getIndexAttr(getValueDim());
  OpFoldResult g0 = offsets[TileH], gs = sizes[TileH];

  Value query = slice(getQuery(), {b0, m0, q0, zero}, {bs, ms, qs, dim});
  Value key = slice(getKey(), {b0, zero, g0, zero}, {bs, keyLength, gs, dim});
  Value value =
      slice(getValue(), {b0, zero, g0, zero}, {bs, keyLength, gs, valueDim});
  Value lambda = slice(getLambda(), {b0, m0, h0}, {bs, ms, hs});
  Value output =
      slice(getOutputInit(), {b0, m0, h0, zero}, {bs, ms, hs, valueDim});
  Value lse = slice(getLseInit(), {b0, q0, m0}, {bs, qs, ms});
  Value noise =
      slice(getNoiseInit(), {b0, m0, h0, zero}, {bs, ms, hs, valueDim});
  auto tiled =
      AttentionOp::create(b, loc, query, key, value, lambda, output, lse, noise,
                          getMaskAttr(), b.getF64FloatAttr(getEffectiveScale()),
                          getSoftcapAttr(), getScheduleAttr());
  return TilingResult{{tiled}, SmallVector<Value>(tiled.getResults()), slices};
}

LogicalResult AttentionOp::getResultTilePosition(
    OpBuilder &b, unsigned resultNumber, ArrayRef<OpFoldResult> offsets,
    ArrayRef<OpFoldResult> sizes, SmallVector<OpFoldResult> &resultOffsets,
    SmallVector<OpFoldResult> &resultSizes) {
  FailureOr<HeadRange> heads = getHeadRange(*this, b, offsets, sizes);
  if (failed(heads))
    return failure();
  bool isLse = getLse() && getResults()[resultNumber] == getLse();
  if (isLse) {
    int64_t branches = getNumBranches();
    resultOffsets = {offsets[TileB],
                     mulOfr(b, getLoc(), heads->offset, branches),
                     offsets[TileM]};
    resultSizes = {sizes[TileB], b.getIndexAttr(heads->size * branches),
                   sizes[TileM]};
    return success();
  }
  resultOffsets = {offsets[TileB], offsets[TileM], heads->offset,
                   b.getIndexAttr(0)};
  resultSizes = {sizes[TileB], sizes[TileM], b.getIndexAttr(heads->size),
                 b.getIndexAttr(getValueDim())};
  return success();
}

LogicalResult AttentionOp::getIterationDomainTileFromResultTile(
    OpBuilder &b, unsigned resultNumber, ArrayRef<OpFoldResult> offsets,
    ArrayRef<OpFoldResult> sizes, SmallVectorImpl<OpFoldResult> &domainOffsets,
    SmallVectorImpl<OpFoldResult> &domainSizes) {
  // A slice in the head dimension splits into groups and pairs only where that
  // is known at compile time: all heads, or whole groups at a constant offset.
  bool isLse = getLse() && getResults()[resultNumber] == getLse();
  unsigned headDim = isLse ? 1 : 2, rowDim = isLse ? 2 : 1;
  int64_t headsPerGroup = getPairsPerGroup() * (isLse ? getNumBranches() : 1);
  std::optional<int64_t> offset = getConstantIntValue(offsets[headDim]);
  std::optional<int64_t> size = getConstantIntValue(sizes[headDim]);
  if (!offset || !size || *offset % headsPerGroup || *size % headsPerGroup)
    return failure();
  if (!isLse && !isConstantIntValue(sizes[3], getValueDim()))
    return failure();
  domainOffsets.assign({offsets[0], b.getIndexAttr(*offset / headsPerGroup),
                        b.getIndexAttr(0), offsets[rowDim]});
  domainSizes.assign({sizes[0], b.getIndexAttr(*size / headsPerGroup),
                      b.getIndexAttr(getPairsPerGroup()), sizes[rowDim]});
  return success();
}

FailureOr<TilingResult>
AttentionOp::generateResultTileValue(OpBuilder &b, unsigned resultNumber,
                                     ArrayRef<OpFoldResult> offsets,
                                     ArrayRef<OpFoldResult> sizes) {
  return tileResult(*this, b, resultNumber, offsets, sizes);
}
