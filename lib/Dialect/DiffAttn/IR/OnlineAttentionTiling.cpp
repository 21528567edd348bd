//===- OnlineAttentionTiling.cpp - Tiling of online_attention -------------===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Full tiling: over batch, KV head, pair, query row, and over keys as a
// reduction that carries the accumulators through the loop. Partial tiling:
// keys are split, each split fills accumulators of its own (a new leading
// dimension), and a merge weighs them by 2^(max_split - max). The merge is what
// split-KV decode is made of.
//
//===----------------------------------------------------------------------===//

#include "MappedOps.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "llvm/ADT/SetVector.h"

using namespace mlir;
using namespace mlir::diffattn;

using Dim = OnlineAttentionOp::Dim;

static constexpr Dim tiledDims[] = {Dim::B, Dim::H, Dim::P, Dim::M, Dim::K};
/// Position of the key dimension in the iteration domain.
static constexpr unsigned keyLoop = 4;

SmallVector<utils::IteratorType> OnlineAttentionOp::getLoopIteratorTypes() {
  SmallVector<utils::IteratorType> types(std::size(tiledDims),
                                         utils::IteratorType::parallel);
  types[keyLoop] = utils::IteratorType::reduction;
  return types;
}

SmallVector<Range> OnlineAttentionOp::getIterationDomain(OpBuilder &b) {
  SmallVector<Range> domain;
  for (Dim dim : tiledDims)
    domain.push_back(
        {b.getIndexAttr(0), getDimSize(b, dim), b.getIndexAttr(1)});
  return domain;
}

/// Spreads a tile over the tiled dimensions to all iteration dimensions.
static void getFullTile(OnlineAttentionOp op, OpBuilder &b,
                        ArrayRef<OpFoldResult> offsets,
                        ArrayRef<OpFoldResult> sizes,
                        SmallVectorImpl<OpFoldResult> &fullOffsets,
                        SmallVectorImpl<OpFoldResult> &fullSizes) {
  for (unsigned dim = 0; dim < Dim::NumDims; ++dim) {
    fullOffsets.push_back(b.getIndexAttr(0));
    fullSizes.push_back(op.getDimSize(b, static_cast<Dim>(dim)));
  }
  for (auto [position, dim] : llvm::enumerate(tiledDims)) {
    fullOffsets[dim] = offsets[position];
    fullSizes[dim] = sizes[position];
  }
}

/// Clones `op` on the tile, with `inits` in place of its sliced accumulators
/// where given.
static TilingResult createTile(OnlineAttentionOp op, OpBuilder &b,
                               ArrayRef<OpFoldResult> offsets,
                               ArrayRef<OpFoldResult> sizes, ValueRange inits) {
  Location loc = op.getLoc();
  SmallVector<OpFoldResult> fullOffsets, fullSizes;
  getFullTile(op, b, offsets, sizes, fullOffsets, fullSizes);
  SmallVector<Value> operands;
  SmallVector<Operation *> slices;
  for (auto [index, operand] : llvm::enumerate(getMappedOperands(op))) {
    if (index >= OnlineAttentionOp::Acc && !inits.empty()) {
      operands.push_back(inits[index - OnlineAttentionOp::Acc]);
      continue;
    }
    SmallVector<OpFoldResult> sliceOffsets, sliceSizes;
    getMappedSlice(op.getMaps()[index], fullOffsets, fullSizes, sliceOffsets,
                   sliceSizes);
    operands.push_back(
        extractTile(b, loc, operand.value, sliceOffsets, sliceSizes));
    slices.push_back(operands.back().getDefiningOp());
  }
  SmallVector<Type> types;
  for (Value init : ArrayRef(operands).take_back(3))
    types.push_back(init.getType());
  auto start = [&](Value base, Dim dim) {
    return getValueOrCreateConstantIndexOp(
        b, loc, addOfr(b, loc, base, fullOffsets[dim]));
  };
  operands.append({start(op.getQueryStart(), Dim::M), op.getQueryLength(),
                   start(op.getKeyStart(), Dim::K), op.getKeyLength()});
  Operation *tiled = mlir::clone(b, op.getOperation(), types, operands);
  return TilingResult{{tiled}, SmallVector<Value>(tiled->getResults()), slices};
}

FailureOr<TilingResult>
OnlineAttentionOp::getTiledImplementation(OpBuilder &b,
                                          ArrayRef<OpFoldResult> offsets,
                                          ArrayRef<OpFoldResult> sizes) {
  return createTile(*this, b, offsets, sizes, {});
}

LogicalResult OnlineAttentionOp::getResultTilePosition(
    OpBuilder &b, unsigned resultNumber, ArrayRef<OpFoldResult> offsets,
    ArrayRef<OpFoldResult> sizes, SmallVector<OpFoldResult> &resultOffsets,
    SmallVector<OpFoldResult> &resultSizes) {
  SmallVector<OpFoldResult> fullOffsets, fullSizes;
  getFullTile(*this, b, offsets, sizes, fullOffsets, fullSizes);
  getMappedSlice(getMaps()[Acc + resultNumber], fullOffsets, fullSizes,
                 resultOffsets, resultSizes);
  return success();
}

LogicalResult OnlineAttentionOp::getIterationDomainTileFromResultTile(
    OpBuilder &b, unsigned resultNumber, ArrayRef<OpFoldResult> offsets,
    ArrayRef<OpFoldResult> sizes, SmallVectorImpl<OpFoldResult> &domainOffsets,
    SmallVectorImpl<OpFoldResult> &domainSizes) {
  SmallVector<Range> full;
  for (unsigned dim = 0; dim < NumDims; ++dim)
    full.push_back({b.getIndexAttr(0), getDimSize(b, static_cast<Dim>(dim)),
                    b.getIndexAttr(1)});
  SmallVector<OpFoldResult> fullOffsets, fullSizes;
  getIterationTileFromMapped(getMaps()[Acc + resultNumber], full, offsets,
                             sizes, fullOffsets, fullSizes);
  for (Dim dim : tiledDims) {
    domainOffsets.push_back(fullOffsets[dim]);
    domainSizes.push_back(fullSizes[dim]);
  }
  return success();
}

FailureOr<TilingResult>
OnlineAttentionOp::generateResultTileValue(OpBuilder &b, unsigned resultNumber,
                                           ArrayRef<OpFoldResult> offsets,
                                           ArrayRef<OpFoldResult> sizes) {
  return tileResult(*this, b, resultNumber, offsets, sizes);
}

//===----------------------------------------------------------------------===//
// Partial reduction: one set of accumulators per split of the keys
//===----------------------------------------------------------------------===//

/// True where the only tiled reduction is the one over keys.
static bool splitsKeysOnly(const SetVector<unsigned> &reductionDims) {
  return reductionDims.size() == 1 && reductionDims[0] == keyLoop;
}

/// Prepends a dimension to the slice for split `iv`.
static void prependSplit(OpBuilder &b, OpFoldResult iv,
                         SmallVectorImpl<OpFoldResult> &offsets,
                         SmallVectorImpl<OpFoldResult> &sizes) {
  offsets.insert(offsets.begin(), iv);
  sizes.insert(sizes.begin(), b.getIndexAttr(1));
}

FailureOr<SmallVector<Value>>
OnlineAttentionOp::generateInitialTensorForPartialReduction(
    OpBuilder &b, Location loc, ArrayRef<OpFoldResult> tileSizes,
    const SetVector<unsigned> &reductionDims) {
  if (!splitsKeysOnly(reductionDims))
    return failure();
  SmallVector<Value> inits;
  for (auto [init, identity] :
       llvm::zip_equal(getDpsInits(), ArrayRef<double>{0.0, -INFINITY, 0.0})) {
    SmallVector<OpFoldResult> shape = tensor::getMixedSizes(b, loc, init);
    shape.insert(shape.begin(), tileSizes[keyLoop]);
    Value empty = tensor::EmptyOp::create(b, loc, shape, b.getF32Type());
    Value fill = arith::ConstantOp::create(b, loc, b.getF32FloatAttr(identity));
    inits.push_back(linalg::FillOp::create(b, loc, fill, empty).getResult(0));
  }
  return inits;
}

FailureOr<TilingResult> OnlineAttentionOp::tileToPartialReduction(
    OpBuilder &b, Location loc, ReductionTilingStrategy strategy,
    ValueRange init, ArrayRef<OpFoldResult> offsets,
    ArrayRef<OpFoldResult> sizes, const SetVector<unsigned> &reductionDims,
    ArrayRef<OpFoldResult> splitReductionIvs) {
  // A split is a contiguous run of keys. The outer-reduction strategy would
  // give every key of a tile accumulators of its own: of no use here.
  if (!splitsKeysOnly(reductionDims) ||
      strategy != ReductionTilingStrategy::PartialReductionOuterParallel)
    return failure();
  SmallVector<Value> inits;
  SmallVector<Operation *> slices;
  for (auto [index, partial] : llvm::enumerate(init)) {
    SmallVector<OpFoldResult> sliceOffsets, sliceSizes;
    if (failed(getPartialResultTilePosition(b, index, strategy, offsets, sizes,
                                            reductionDims, splitReductionIvs,
                                            sliceOffsets, sliceSizes)))
      return failure();
    // `init` is the slice for this split, or all of them.
    auto type = cast<RankedTensorType>(partial.getType());
    SmallVector<int64_t> tileShape;
    SmallVector<Value> ignored;
    dispatchIndexOpFoldResults(ArrayRef(sliceSizes).drop_front(), ignored,
                               tileShape);
    auto tileType = RankedTensorType::get(tileShape, type.getElementType());
    SmallVector<OpFoldResult> strides(sliceOffsets.size(), b.getIndexAttr(1));
    auto slice = tensor::ExtractSliceOp::create(
        b, loc, tileType, partial, sliceOffsets, sliceSizes, strides);
    inits.push_back(slice);
    slices.push_back(slice);
  }
  TilingResult tile = createTile(*this, b, offsets, sizes, inits);
  tile.generatedSlices.append(slices);
  return tile;
}

LogicalResult OnlineAttentionOp::getPartialResultTilePosition(
    OpBuilder &b, unsigned resultNumber, ReductionTilingStrategy strategy,
    ArrayRef<OpFoldResult> offsets, ArrayRef<OpFoldResult> sizes,
    const SetVector<unsigned> &reductionDims,
    ArrayRef<OpFoldResult> splitReductionIvs,
    SmallVector<OpFoldResult> &resultOffsets,
    SmallVector<OpFoldResult> &resultSizes) {
  if (!splitsKeysOnly(reductionDims) ||
      failed(getResultTilePosition(b, resultNumber, offsets, sizes,
                                   resultOffsets, resultSizes)))
    return failure();
  prependSplit(b, splitReductionIvs.front(), resultOffsets, resultSizes);
  return success();
}

/// Emits a linalg.generic over the dimensions of `iterators`.
static linalg::GenericOp
createGeneric(OpBuilder &b, Location loc, ValueRange ins, ValueRange outs,
              ArrayRef<AffineMap> maps, ArrayRef<utils::IteratorType> iterators,
              function_ref<void(OpBuilder &, Location, ValueRange)> body) {
  return linalg::GenericOp::create(b, loc, TypeRange(outs), ins, outs, maps,
                                   iterators, body);
}

FailureOr<MergeResult>
OnlineAttentionOp::mergeReductions(OpBuilder &b, Location loc,
                                   ValueRange partialReduce,
                                   const SetVector<unsigned> &reductionDims) {
  if (!splitsKeysOnly(reductionDims))
    return failure();
  MLIRContext *context = b.getContext();
  unsigned rank = getMax().getType().getRank();
  MergeResult merge;

  // Iteration (split, rows...): the overall maximum.
  AffineMap splitRows = b.getMultiDimIdentityMap(rank + 1);
  AffineMap rows = splitRows.getMinorSubMap(rank);
  SmallVector<utils::IteratorType> iterators(rank + 1,
                                             utils::IteratorType::parallel);
  iterators[0] = utils::IteratorType::reduction;
  auto max =
      createGeneric(b, loc, partialReduce[1], getMax(), {splitRows, rows},
                    iterators, [](OpBuilder &b, Location loc, ValueRange args) {
                      Value larger =
                          arith::MaxNumFOp::create(b, loc, args[0], args[1]);
                      linalg::YieldOp::create(b, loc, larger);
                    });

  auto mergeOne = [&](Value partial, Value partialMax, Value init,
                      Value initMax, AffineMap layout, AffineMap maxLayout) {
    // `layout` and `maxLayout` index over the result's own dimensions.
    unsigned dims = layout.getNumResults();
    AffineMap identity = b.getMultiDimIdentityMap(dims);
    SmallVector<AffineExpr> maxExprs;
    for (unsigned i = 0; i < maxLayout.getNumResults(); ++i)
      maxExprs.push_back(getAffineDimExpr(
          *layout.getResultPosition(maxLayout.getResult(i)), context));
    AffineMap maxMap = AffineMap::get(dims, 0, maxExprs, context);
    SmallVector<utils::IteratorType> parallel(dims,
                                              utils::IteratorType::parallel);
    auto scaled = createGeneric(
        b, loc, {initMax, max.getResult(0)}, init, {maxMap, maxMap, identity},
        parallel, [&](OpBuilder &b, Location loc, ValueRange args) {
          Value weight = buildRescale(b, loc, args[0], args[1]);
          Value product = arith::MulFOp::create(b, loc, weight, args[2]);
          linalg::YieldOp::create(b, loc, product);
        });
    AffineMap splitAll = b.getMultiDimIdentityMap(dims + 1);
    AffineMap all = splitAll.getMinorSubMap(dims);
    AffineMap shiftedMax = maxMap.shiftDims(1);
    SmallVector<AffineExpr> splitMaxExprs = {getAffineDimExpr(0, context)};
    llvm::append_range(splitMaxExprs, shiftedMax.getResults());
    AffineMap splitMax = AffineMap::get(dims + 1, 0, splitMaxExprs, context);
    SmallVector<utils::IteratorType> reduce(dims + 1,
                                            utils::IteratorType::parallel);
    reduce[0] = utils::IteratorType::reduction;
    auto merged = createGeneric(
        b, loc, {partial, partialMax, max.getResult(0)}, scaled.getResult(0),
        {splitAll, splitMax, shiftedMax, all}, reduce,
        [&](OpBuilder &b, Location loc, ValueRange args) {
          Value weight = buildRescale(b, loc, args[1], args[2]);
          Value product = arith::MulFOp::create(b, loc, weight, args[0]);
          Value total = arith::AddFOp::create(b, loc, args[3], product);
          linalg::YieldOp::create(b, loc, total);
        });
    merge.mergeOps.append({scaled, merged});
    return merged.getResult(0);
  };
  SmallVector<AffineMap> maps = getMaps();
  merge.mergeOps.push_back(max);
  Value acc = mergeOne(partialReduce[0], partialReduce[1], getAcc(), getMax(),
                       maps[Acc], maps[Max]);
  Value sum = mergeOne(partialReduce[2], partialReduce[1], getSum(), getMax(),
                       maps[Sum], maps[Max]);
  merge.replacements = {acc, max.getResult(0), sum};
  return merge;
}
