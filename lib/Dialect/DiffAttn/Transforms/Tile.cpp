//===- Tile.cpp - Static tiles and one key/value loop ---------------------===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Blocks `finalize(online_attention(...))` as its schedule says. The grid is
// parallel over (batch, KV head, pairs of a group, query rows); inside lies one
// loop over key tiles. Every tile has a static shape: a ragged edge is a slice
// of the valid part, padded with zeros, so nothing is read out of bounds and
// the compute below never sees a dynamic size.
//
// The loop's bounds are the mask's. A row at position p sees the keys
// [p - left, p + right]; the rows of a tile have positions
// [first, last] = m0 + Nk - Nq + [0, valid - 1], so the tile sees
// [max(0, first - left), min(Nk, last + right + 1)) and skips the rest.
//
//===----------------------------------------------------------------------===//

#include "diffattn/Dialect/DiffAttn/Transforms/Passes.h"

#include "diffattn/Dialect/DiffAttn/IR/DiffAttn.h"
#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/IR/Matchers.h"
#include <cmath>

namespace mlir::diffattn {
#define GEN_PASS_DEF_TILEPASS
#include "diffattn/Dialect/DiffAttn/Transforms/Passes.h.inc"
} // namespace mlir::diffattn

using namespace mlir;
using namespace mlir::diffattn;

namespace {
/// The part of an iteration space that a tile covers: where it starts, how much
/// of it is valid, and its static extent.
struct TileExtent {
  SmallVector<OpFoldResult> offsets;
  SmallVector<OpFoldResult> valid;
  SmallVector<int64_t> shape;
};

/// Blocks one `finalize` and the `online_attention` that feeds it.
class AttentionTiler {
public:
  AttentionTiler(FinalizeOp finalize, OnlineAttentionOp online, RewriterBase &b)
      : finalize(finalize), online(online), b(b), loc(finalize.getLoc()),
        schedule(*finalize.getSchedule()) {}

  void run() {
    b.setInsertionPoint(finalize);
    SmallVector<Value> outputs = finalize.getDpsInits();
    OpFoldResult rows = online.getDimSize(b, Online::M);
    int64_t pairs = online.getStaticDimSize(Online::P);
    SmallVector<OpFoldResult> grid = {
        online.getDimSize(b, Online::B), online.getDimSize(b, Online::H),
        b.getIndexAttr(pairs / schedule.getPairs()),
        affine::makeComposedFoldedAffineApply(
            b, loc,
            getAffineDimExpr(0, b.getContext())
                .ceilDiv(schedule.getQueryTile()),
            {rows})};
    auto forall = scf::ForallOp::create(b, loc, grid, outputs, std::nullopt);
    // Warps and stages are for those who map the tiles to a GPU.
    if (schedule.getWarps())
      forall->setAttr(ScheduleAttr::getTileAttrName(), schedule);
    b.setInsertionPointToStart(forall.getBody());
    computeRowTile(forall.getInductionVars(), rows);
    Value acc, max, sum;
    std::tie(acc, max, sum) = emitKeyLoop();
    emitEpilogue(forall, acc, max, sum);
    b.replaceOp(finalize, forall.getResults());
    b.eraseOp(online);
  }

private:
  using Online = OnlineAttentionOp;

  OpFoldResult apply(AffineExpr expr, ArrayRef<OpFoldResult> operands) {
    return affine::makeComposedFoldedAffineApply(b, loc, expr, operands);
  }
  AffineExpr dim(unsigned i) { return getAffineDimExpr(i, b.getContext()); }
  Value index(OpFoldResult value) {
    return getValueOrCreateConstantIndexOp(b, loc, value);
  }

  /// Extents of the query-row tile of this grid point, over the iteration
  /// dimensions of `online_attention` other than keys.
  void computeRowTile(ValueRange ids, OpFoldResult rows) {
    int64_t queryTile = schedule.getQueryTile(), pairs = schedule.getPairs();
    OpFoldResult zero = b.getIndexAttr(0), one = b.getIndexAttr(1);
    rowStart = apply(dim(0) * queryTile, {ids[3]});
    // A static number of rows that the tile divides is valid throughout.
    std::optional<int64_t> staticRows = getConstantIntValue(rows);
    if (staticRows && *staticRows % queryTile == 0)
      validRows = b.getIndexAttr(queryTile);
    else
      validRows = affine::makeComposedFoldedAffineMin(
          b, loc,
          AffineMap::get(2, 0,
                         {getAffineConstantExpr(queryTile, b.getContext()),
                          dim(1) - dim(0)},
                         b.getContext()),
          {rowStart, rows});
    extent.offsets = {ids[0], ids[1],   apply(dim(0) * pairs, {ids[2]}),
                      zero,   rowStart, zero,
                      zero,   zero};
    int64_t branches = online.getStaticDimSize(Online::R);
    int64_t headDim = online.getStaticDimSize(Online::D);
    int64_t valueDim = online.getStaticDimSize(Online::N);
    extent.valid = {one,
                    one,
                    b.getIndexAttr(pairs),
                    b.getIndexAttr(branches),
                    validRows,
                    b.getIndexAttr(schedule.getKeyTile()),
                    b.getIndexAttr(headDim),
                    b.getIndexAttr(valueDim)};
    extent.shape = {1,        1,         pairs,
                    branches, queryTile, schedule.getKeyTile(),
                    headDim,  valueDim};
  }

  SmallVector<int64_t> staticShape(AffineMap map) {
    SmallVector<int64_t> shape;
    for (unsigned i = 0; i < map.getNumResults(); ++i)
      shape.push_back(extent.shape[map.getDimPosition(i)]);
    return shape;
  }

  /// The valid part of `source`, padded with zeros to the static tile.
  Value loadTile(Value source, AffineMap map) {
    SmallVector<OpFoldResult> offsets, valid, strides, low, high;
    SmallVector<int64_t> shape = staticShape(map);
    bool ragged = false;
    for (auto [i, size] : llvm::enumerate(shape)) {
      unsigned d = map.getDimPosition(i);
      offsets.push_back(extent.offsets[d]);
      valid.push_back(extent.valid[d]);
      strides.push_back(b.getIndexAttr(1));
      low.push_back(b.getIndexAttr(0));
      high.push_back(apply(size - dim(0), {extent.valid[d]}));
      ragged |= !isConstantIntValue(high.back(), 0);
    }
    Value slice =
        tensor::ExtractSliceOp::create(b, loc, source, offsets, valid, strides);
    if (!ragged)
      return slice;
    Type element = getElementTypeOrSelf(source);
    Value zero = arith::ConstantOp::create(b, loc, b.getZeroAttr(element));
    return tensor::PadOp::create(b, loc, RankedTensorType::get(shape, element),
                                 slice, low, high, zero);
  }

  Value filledTile(AffineMap map, double value) {
    Value empty =
        tensor::EmptyOp::create(b, loc, staticShape(map), b.getF32Type());
    Value scalar = arith::ConstantOp::create(b, loc, b.getF32FloatAttr(value));
    return linalg::FillOp::create(b, loc, scalar, empty).getResult(0);
  }

  /// First and one-past-last key that any row of the tile sees.
  std::pair<Value, Value> keyRange() {
    MaskAttr mask = online.getEffectiveMask();
    Value keyLength = online.getKeyLength();
    OpFoldResult nq = online.getQueryLength(), nk = keyLength;
    OpFoldResult low = b.getIndexAttr(0), high = nk;
    AffineExpr zero = getAffineConstantExpr(0, b.getContext());
    if (mask.getLeft())
      low = affine::makeComposedFoldedAffineMax(
          b, loc,
          AffineMap::get(3, 0,
                         {dim(0) + dim(2) - dim(1) - *mask.getLeft(), zero},
                         b.getContext()),
          {rowStart, nq, nk});
    if (mask.getRight())
      high = affine::makeComposedFoldedAffineMin(
          b, loc,
          AffineMap::get(
              4, 0,
              {dim(0) + dim(3) + dim(2) - dim(1) + *mask.getRight(), dim(2)},
              b.getContext()),
          {rowStart, nq, nk, validRows});
    return {index(low), index(high)};
  }

  std::tuple<Value, Value, Value> emitKeyLoop() {
    SmallVector<AffineMap> maps = online.getMaps();
    Value query = loadTile(online.getQuery(), maps[Online::Query]);
    SmallVector<Value> inits = {filledTile(maps[Online::Acc], 0.0),
                                filledTile(maps[Online::Max], -INFINITY),
                                filledTile(maps[Online::Sum], 0.0)};
    auto [low, high] = keyRange();
    Value step = arith::ConstantIndexOp::create(b, loc, schedule.getKeyTile());
    auto loop = scf::ForOp::create(b, loc, low, high, step, inits);
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(loop.getBody());
    Value keyStart = loop.getInductionVar();
    extent.offsets[Online::K] = keyStart;
    extent.valid[Online::K] = affine::makeComposedFoldedAffineMin(
        b, loc,
        AffineMap::get(
            2, 0,
            {getAffineConstantExpr(schedule.getKeyTile(), b.getContext()),
             dim(1) - dim(0)},
            b.getContext()),
        {OpFoldResult(keyStart), OpFoldResult(high)});
    auto tile = OnlineAttentionOp::create(
        b, loc, query, loadTile(online.getKey(), maps[Online::Key]),
        loadTile(online.getValue(), maps[Online::Value_]),
        loop.getRegionIterArg(0), loop.getRegionIterArg(1),
        loop.getRegionIterArg(2), index(rowStart), online.getQueryLength(),
        keyStart, online.getKeyLength(), online.getScaleAttr(),
        online.getSoftcapAttr(), online.getMaskAttr(),
        online.getIndexingMapsAttr(), ScheduleAttr());
    scf::YieldOp::create(b, loc, tile.getResults());
    return {loop.getResult(0), loop.getResult(1), loop.getResult(2)};
  }

  void emitEpilogue(scf::ForallOp forall, Value acc, Value max, Value sum) {
    using Op = FinalizeOp;
    // From here on the extents are those of finalize's dimensions.
    static constexpr unsigned fromOnline[] = {Online::B, Online::H, Online::P,
                                              Online::R, Online::M, Online::N};
    TileExtent epilogue;
    for (unsigned d : fromOnline) {
      epilogue.offsets.push_back(extent.offsets[d]);
      epilogue.valid.push_back(extent.valid[d]);
      epilogue.shape.push_back(extent.shape[d]);
    }
    extent = epilogue;
    SmallVector<AffineMap> maps = finalize.getMaps();
    Value lambda;
    if (finalize.getLambda())
      lambda = loadTile(finalize.getLambda(), maps[Op::Lambda]);
    // The results there are, as slots of the map table.
    SmallVector<unsigned> slots = {Op::Output};
    if (finalize.getLseInit())
      slots.push_back(Op::Lse);
    if (finalize.getNoiseInit())
      slots.push_back(Op::Noise);
    SmallVector<Value> inits(3);
    SmallVector<Type> types;
    for (auto [whole, slot] : llvm::zip_equal(finalize.getDpsInits(), slots)) {
      Value init = tensor::EmptyOp::create(b, loc, staticShape(maps[slot]),
                                           getElementTypeOrSelf(whole));
      inits[slot - Op::Output] = init;
      types.push_back(init.getType());
    }
    auto tile = FinalizeOp::create(
        b, loc, types, acc, max, sum, lambda, inits[0], inits[1], inits[2],
        index(rowStart), finalize.getQueryLength(), finalize.getKeyLength(),
        finalize.getMaskAttr(), finalize.getIndexingMapsAttr(), ScheduleAttr());
    for (auto [result, shared, slot] :
         llvm::zip_equal(tile.getResults(), forall.getRegionIterArgs(), slots))
      storeTile(forall, result, shared, maps[slot]);
  }

  /// Writes the valid part of `tile` to its place in `shared`.
  void storeTile(scf::ForallOp forall, Value tile, Value shared,
                 AffineMap map) {
    unsigned rank = map.getNumResults();
    SmallVector<OpFoldResult> offsets, valid;
    SmallVector<OpFoldResult> zeros(rank, b.getIndexAttr(0));
    SmallVector<OpFoldResult> strides(rank, b.getIndexAttr(1));
    for (unsigned i = 0; i < rank; ++i) {
      offsets.push_back(extent.offsets[map.getDimPosition(i)]);
      valid.push_back(extent.valid[map.getDimPosition(i)]);
    }
    Value rows =
        tensor::ExtractSliceOp::create(b, loc, tile, zeros, valid, strides);
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToEnd(forall.getTerminator().getBody());
    tensor::ParallelInsertSliceOp::create(b, loc, rows, shared, offsets, valid,
                                          strides);
  }

  FinalizeOp finalize;
  OnlineAttentionOp online;
  RewriterBase &b;
  Location loc;
  ScheduleAttr schedule;
  TileExtent extent;
  OpFoldResult rowStart, validRows;
};
} // namespace

/// True where `value` is a tensor filled with zeros, or with -infinity.
static bool isFilledWith(Value value, bool negativeInfinity) {
  auto fill = value.getDefiningOp<linalg::FillOp>();
  APFloat scalar(0.0f);
  if (!fill || !matchPattern(fill.getInputs()[0], m_ConstantFloat(&scalar)))
    return false;
  return negativeInfinity ? scalar.isInfinity() && scalar.isNegative()
                          : scalar.isZero();
}

/// Checks that `online` and `finalize` are what `diffattn-to-online` makes of
/// an operator: everything from row 0 and key 0, not a part of it.
static LogicalResult verifyUntiled(FinalizeOp finalize,
                                   OnlineAttentionOp online) {
  using Online = OnlineAttentionOp;
  for (Value start :
       {online.getQueryStart(), online.getKeyStart(), finalize.getQueryStart()})
    if (!isConstantIntValue(start, 0))
      return finalize.emitOpError(
          "expects rows and keys that start at 0: it has "
          "been tiled already");
  if (!isFilledWith(online.getAcc(), /*negativeInfinity=*/false) ||
      !isFilledWith(online.getMax(), /*negativeInfinity=*/true) ||
      !isFilledWith(online.getSum(), /*negativeInfinity=*/false))
    return finalize.emitOpError(
        "expects accumulators that start filled with 0, "
        "-infinity and 0");
  for (auto [dim, name] : {std::pair(Online::P, "pair"),
                           {Online::R, "branch"},
                           {Online::D, "head"},
                           {Online::N, "value"}})
    if (ShapedType::isDynamic(online.getStaticDimSize(dim)))
      return finalize.emitOpError()
             << "expects a static " << name << " dimension";
  return success();
}

/// The online op that feeds `finalize` alone, or null with a diagnostic.
static OnlineAttentionOp getProducer(FinalizeOp finalize) {
  auto online = finalize.getAcc().getDefiningOp<OnlineAttentionOp>();
  if (!online || finalize.getAcc() != online.getAccResult() ||
      finalize.getMax() != online.getMaxResult() ||
      finalize.getSum() != online.getSumResult() ||
      !llvm::all_of(online->getUsers(),
                    [&](Operation *user) { return user == finalize; })) {
    finalize.emitOpError(
        "expects accumulators from one diffattn.online_attention "
        "that nothing else uses; run diffattn-to-online");
    return {};
  }
  if (failed(verifyUntiled(finalize, online)))
    return {};
  int64_t pairs = online.getStaticDimSize(OnlineAttentionOp::P);
  int64_t scheduled = finalize.getSchedule()->getPairs();
  if (pairs % scheduled == 0)
    return online;
  finalize.emitOpError() << "expects the schedule's pairs to divide the "
                         << pairs << " pairs of a group, but got " << scheduled
                         << "; the nearest legal one is "
                         << getNearestDivisor(pairs, scheduled);
  return {};
}

namespace {
struct TilePass : diffattn::impl::TilePassBase<TilePass> {
  void runOnOperation() override {
    SmallVector<FinalizeOp> ops;
    getOperation().walk([&](FinalizeOp op) {
      if (op.getSchedule())
        ops.push_back(op);
    });
    IRRewriter rewriter(&getContext());
    for (FinalizeOp op : ops) {
      OnlineAttentionOp online = getProducer(op);
      if (!online)
        return signalPassFailure();
      AttentionTiler(op, online, rewriter).run();
    }
  }
};
} // namespace
