//===- Pack.cpp - Tiles to contiguous scratch -----------------------------===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "diffattn/CPU/Passes.h"

#include "diffattn/Dialect/DiffAttn/IR/DiffAttn.h"
#include "diffattn/Target/TargetOption.h"
#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"

namespace mlir::diffattn {
#define GEN_PASS_DEF_CPUPACKPASS
#include "diffattn/CPU/Passes.h.inc"
} // namespace mlir::diffattn

using namespace mlir;
using namespace mlir::diffattn;

/// Copies `tile`, indexed by `from`, to scratch of `element` indexed by `to`.
/// Where the tile is padded, the valid part is copied and the rest filled with
/// zeros.
static Value packTile(RewriterBase &b, Value tile, AffineMap from, AffineMap to,
                      FloatType element) {
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointAfterValue(tile);
  Location loc = tile.getLoc();
  auto pad = tile.getDefiningOp<tensor::PadOp>();
  Value source = pad ? Value(pad.getSource()) : tile;
  auto type = cast<RankedTensorType>(tile.getType());
  SmallVector<OpFoldResult> valid = tensor::getMixedSizes(b, loc, source);

  // Scratch position i holds the source's position permutation[i].
  SmallVector<int64_t> shape;
  SmallVector<OpFoldResult> packedValid;
  SmallVector<AffineExpr> exprs;
  for (AffineExpr expr : to.getResults()) {
    unsigned position = *from.getResultPosition(expr);
    shape.push_back(type.getDimSize(position));
    packedValid.push_back(valid[position]);
    exprs.push_back(getAffineDimExpr(position, b.getContext()));
  }
  unsigned rank = shape.size();
  SmallVector<OpFoldResult> zeros(rank, b.getIndexAttr(0));
  SmallVector<OpFoldResult> strides(rank, b.getIndexAttr(1));
  Value scratch = tensor::EmptyOp::create(b, loc, shape, element);

  Value part = tensor::ExtractSliceOp::create(b, loc, scratch, zeros,
                                              packedValid, strides);
  SmallVector<AffineMap> maps = {
      b.getMultiDimIdentityMap(rank),
      AffineMap::get(rank, 0, exprs, b.getContext())};
  SmallVector<utils::IteratorType> iterators(rank,
                                             utils::IteratorType::parallel);
  Value copied = linalg::GenericOp::create(
                     b, loc, part.getType(), source, part, maps, iterators,
                     [&](OpBuilder &b, Location loc, ValueRange args) {
                       Value copy = args[0];
                       if (copy.getType() != element)
                         copy = arith::ExtFOp::create(b, loc, element, copy);
                       linalg::YieldOp::create(b, loc, copy);
                     })
                     .getResult(0);
  scratch = tensor::InsertSliceOp::create(b, loc, copied, scratch, zeros,
                                          packedValid, strides);
  // A tile is ragged in one dimension at most (rows or keys).
  for (unsigned i = 0; i < rank; ++i) {
    if (isConstantIntValue(packedValid[i], shape[i]))
      continue;
    SmallVector<OpFoldResult> offsets = zeros, sizes;
    for (int64_t size : shape)
      sizes.push_back(b.getIndexAttr(size));
    offsets[i] = packedValid[i];
    sizes[i] = affine::makeComposedFoldedAffineApply(
        b, loc, shape[i] - getAffineDimExpr(0, b.getContext()),
        {packedValid[i]});
    Value tail = tensor::ExtractSliceOp::create(b, loc, scratch, offsets, sizes,
                                                strides);
    Value zero = arith::ConstantOp::create(b, loc, b.getZeroAttr(element));
    Value filled = linalg::FillOp::create(b, loc, zero, tail).getResult(0);
    scratch = tensor::InsertSliceOp::create(b, loc, filled, scratch, offsets,
                                            sizes, strides);
  }
  return scratch;
}

/// Whether both products of `op` fit the target's bf16 matrix tiles: 16 rows by
/// 16 lanes, and a reduction in steps of 32.
static bool fitsMatrixTiles(OnlineAttentionOp op, const CPUTarget &target) {
  using Op = OnlineAttentionOp;
  constexpr int64_t side = 16, depth = 32;
  auto isBF16 = [](Value v) { return getElementTypeOrSelf(v).isBF16(); };
  if (!target.hasAMXBF16 || !isBF16(op.getQuery()) || !isBF16(op.getKey()) ||
      !isBF16(op.getValue()))
    return false;
  int64_t rows = op.getStaticDimSize(Op::P) * op.getStaticDimSize(Op::R) *
                 op.getStaticDimSize(Op::M);
  return rows % side == 0 && op.getStaticDimSize(Op::N) % side == 0 &&
         op.getStaticDimSize(Op::K) % depth == 0 &&
         op.getStaticDimSize(Op::D) % depth == 0;
}

static void packOperands(OnlineAttentionOp op, const CPUTarget &target,
                         RewriterBase &b) {
  using Op = OnlineAttentionOp;
  SmallVector<AffineMap> maps = op.getMaps();
  bool tiles = fitsMatrixTiles(op, target);
  auto getMap = [&](ArrayRef<unsigned> dims) {
    SmallVector<AffineExpr> exprs;
    for (unsigned dim : dims)
      exprs.push_back(getAffineDimExpr(dim, b.getContext()));
    return AffineMap::get(Op::NumDims, 0, exprs, b.getContext());
  };
  AffineMap queryMap = tiles
                           ? getMap({Op::B, Op::H, Op::P, Op::R, Op::M, Op::D})
                           : getMap({Op::B, Op::H, Op::D, Op::P, Op::R, Op::M});
  FloatType element = tiles ? FloatType(b.getBF16Type()) : b.getF32Type();
  Value query = packTile(b, op.getQuery(), maps[Op::Query], queryMap, element);
  Value key = packTile(b, op.getKey(), maps[Op::Key], maps[Op::Key], element);
  Value value =
      packTile(b, op.getValue(), maps[Op::Value_], maps[Op::Value_], element);
  maps[Op::Query] = queryMap;
  b.modifyOpInPlace(op, [&] {
    op.getQueryMutable().assign(query);
    op.getKeyMutable().assign(key);
    op.getValueMutable().assign(value);
    op.setIndexingMapsAttr(b.getAffineMapArrayAttr(maps));
  });
}

namespace {
struct CPUPackPass : diffattn::impl::CPUPackPassBase<CPUPackPass> {
  using CPUPackPassBase::CPUPackPassBase;

  void runOnOperation() override {
    FailureOr<const CPUTarget *> description =
        reportTargetError(getOperation(), lookupCPUTarget(target));
    if (failed(description))
      return signalPassFailure();
    IRRewriter rewriter(&getContext());
    getOperation().walk([&](OnlineAttentionOp op) {
      if (op.getQuery().getType().hasStaticShape() &&
          op.getKey().getType().hasStaticShape() &&
          op.getValue().getType().hasStaticShape())
        packOperands(op, **description, rewriter);
    });
  }
};
} // namespace
