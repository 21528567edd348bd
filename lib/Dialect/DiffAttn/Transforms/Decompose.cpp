//===- Decompose.cpp - Attention as plain linalg --------------------------===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The definition of diffattn.attention in ordinary ops: all scores at once, in
// f32. Dimensions are named b (batch), g (KV head), p (head in group), m (query
// row), k (key), d and n (query's and value's head dimension).
//
//===----------------------------------------------------------------------===//

#include "diffattn/Dialect/DiffAttn/IR/DiffAttn.h"
#include "diffattn/Dialect/DiffAttn/Transforms/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include <cmath>

namespace mlir::diffattn {
#define GEN_PASS_DEF_DECOMPOSEPASS
#include "diffattn/Dialect/DiffAttn/Transforms/Passes.h.inc"
} // namespace mlir::diffattn

using namespace mlir;
using namespace mlir::diffattn;

namespace {
/// A tensor and the loops its dimensions follow.
struct Access {
  Value tensor;
  SmallVector<unsigned> loops;
};

/// Computes the element of the result from the elements of the inputs; the last
/// value is the accumulator.
using BodyBuilder = function_ref<Value(ImplicitLocOpBuilder &, ValueRange)>;

class Decomposer {
public:
  Decomposer(RewriterBase &rewriter, AttentionOp op)
      : b(op.getLoc(), rewriter), op(op), mask(op.getEffectiveMask()) {}

  SmallVector<Value> run();

private:
  Value createScores(Value query);
  Value createMasked(Value scores);
  Value createMax(Value scores);
  Value createNormalised(Value weights, Value sum);
  Value createOutput(Value branches);
  Value createLse(Value max, Value sum);
  Value createNoise(Value branches);

  /// linalg.generic over `numLoops` loops, `reduced` of them reductions.
  Value generic(ArrayRef<Access> inputs, const Access &output,
                std::optional<unsigned> reduced, BodyBuilder body);
  Value filled(ArrayRef<OpFoldResult> sizes, double value);
  Value empty(ArrayRef<OpFoldResult> sizes);
  Value constant(double value) {
    return arith::ConstantOp::create(b, b.getF32FloatAttr(value));
  }
  Value constantIndex(int64_t value) {
    return arith::ConstantIndexOp::create(b, value);
  }
  Value toF32(Value value);
  Value fromF32(Value value, Type type);
  /// In a body: `value`, or `other` in rows that see no key. `rowLoop` is the
  /// loop over query rows.
  Value selectEmpty(unsigned rowLoop, double other, Value value);
  Value getVisible(unsigned rowLoop, unsigned keyLoop);
  Value sliceBranch(Value branches, unsigned branch);

  ImplicitLocOpBuilder b;
  AttentionOp op;
  MaskAttr mask;

  OpFoldResult batch, rows, keys, groups, headsPerGroup, valueDim;
  /// Number of keys, and keys - rows, as index values.
  Value numKeys, alignment;
  bool mayBeEmpty = true;
};
} // namespace

//===----------------------------------------------------------------------===//
// Building blocks
//===----------------------------------------------------------------------===//

Value Decomposer::generic(ArrayRef<Access> inputs, const Access &output,
                          std::optional<unsigned> reduced, BodyBuilder body) {
  unsigned numLoops = 0;
  for (const Access &access : inputs)
    for (unsigned loop : access.loops)
      numLoops = std::max(numLoops, loop + 1);
  SmallVector<AffineMap> maps;
  SmallVector<Value> operands;
  auto addMap = [&](const Access &access) {
    maps.push_back(AffineMap::getMultiDimMapWithTargets(numLoops, access.loops,
                                                        b.getContext()));
  };
  for (const Access &input : inputs) {
    addMap(input);
    operands.push_back(input.tensor);
  }
  addMap(output);
  SmallVector<utils::IteratorType> iterators(numLoops,
                                             utils::IteratorType::parallel);
  if (reduced)
    iterators[*reduced] = utils::IteratorType::reduction;
  auto generic = linalg::GenericOp::create(
      b, output.tensor.getType(), operands, output.tensor, maps, iterators,
      [&](OpBuilder &nested, Location loc, ValueRange args) {
        // `body` uses the members' builder, for the time of the body here.
        OpBuilder::InsertionGuard guard(b);
        b.setInsertionPoint(nested.getInsertionBlock(),
                            nested.getInsertionPoint());
        Value result = body(b, args);
        linalg::YieldOp::create(b, result);
      });
  return generic.getResult(0);
}

Value Decomposer::empty(ArrayRef<OpFoldResult> sizes) {
  return tensor::EmptyOp::create(b, sizes, b.getF32Type());
}

Value Decomposer::filled(ArrayRef<OpFoldResult> sizes, double value) {
  return linalg::FillOp::create(b, constant(value), empty(sizes)).getResult(0);
}

Value Decomposer::toF32(Value value) {
  return value.getType().isF32()
             ? value
             : arith::ExtFOp::create(b, b.getF32Type(), value).getResult();
}

Value Decomposer::fromF32(Value value, Type type) {
  return type.isF32() ? value
                      : arith::TruncFOp::create(b, type, value).getResult();
}

Value Decomposer::getVisible(unsigned rowLoop, unsigned keyLoop) {
  Value position =
      arith::AddIOp::create(b, linalg::IndexOp::create(b, rowLoop), alignment);
  Value key = linalg::IndexOp::create(b, keyLoop);
  Value visible;
  auto require = [&](Value condition) {
    visible =
        visible ? arith::AndIOp::create(b, visible, condition) : condition;
  };
  if (mask.getLeft())
    require(arith::CmpIOp::create(
        b, arith::CmpIPredicate::sge, key,
        arith::SubIOp::create(b, position, constantIndex(*mask.getLeft()))));
  if (mask.getRight())
    require(arith::CmpIOp::create(
        b, arith::CmpIPredicate::sle, key,
        arith::AddIOp::create(b, position, constantIndex(*mask.getRight()))));
  return visible;
}

/// A row sees no key if its last visible key lies before key 0, or if there are
/// no keys. A left bound never hides all keys: it lies at or before the row.
Value Decomposer::selectEmpty(unsigned rowLoop, double other, Value value) {
  if (!mayBeEmpty)
    return value;
  Value zero = constantIndex(0);
  Value isEmpty =
      arith::CmpIOp::create(b, arith::CmpIPredicate::sle, numKeys, zero);
  if (mask.getRight()) {
    Value position = arith::AddIOp::create(
        b, linalg::IndexOp::create(b, rowLoop), alignment);
    Value last =
        arith::AddIOp::create(b, position, constantIndex(*mask.getRight()));
    isEmpty = arith::OrIOp::create(
        b, isEmpty,
        arith::CmpIOp::create(b, arith::CmpIPredicate::slt, last, zero));
  }
  return arith::SelectOp::create(b, isEmpty, constant(other), value);
}

//===----------------------------------------------------------------------===//
// Scores and softmax
//===----------------------------------------------------------------------===//

/// <query, key> over (b, g, p, m, k).
Value Decomposer::createScores(Value query) {
  enum { B, G, P, M, K, D };
  return generic(
      {{query, {B, M, G, P, D}}, {op.getKey(), {B, K, G, D}}},
      {filled({batch, groups, headsPerGroup, rows, keys}, 0.0),
       {B, G, P, M, K}},
      D, [&](ImplicitLocOpBuilder &, ValueRange args) {
        Value product =
            arith::MulFOp::create(b, toF32(args[0]), toF32(args[1]));
        return arith::AddFOp::create(b, args[2], product).getResult();
      });
}

/// Scaled, capped, and -inf where the mask hides the key.
Value Decomposer::createMasked(Value scores) {
  enum { B, G, P, M, K };
  return generic(
      {{scores, {B, G, P, M, K}}},
      {empty({batch, groups, headsPerGroup, rows, keys}), {B, G, P, M, K}},
      std::nullopt, [&](ImplicitLocOpBuilder &, ValueRange args) {
        Value score = args[0];
        double scale = op.getEffectiveScale();
        if (std::optional<APFloat> softcap = op.getSoftcap()) {
          double cap = softcap->convertToDouble();
          score = arith::MulFOp::create(b, score, constant(scale / cap));
          score = math::TanhOp::create(b, score);
          score = arith::MulFOp::create(b, score, constant(cap));
        } else {
          score = arith::MulFOp::create(b, score, constant(scale));
        }
        if (mask.isNone())
          return score;
        return arith::SelectOp::create(b, getVisible(M, K), score,
                                       constant(-INFINITY))
            .getResult();
      });
}

Value Decomposer::createMax(Value scores) {
  enum { B, G, P, M, K };
  return generic(
      {{scores, {B, G, P, M, K}}},
      {filled({batch, groups, headsPerGroup, rows}, -INFINITY), {B, G, P, M}},
      K, [&](ImplicitLocOpBuilder &, ValueRange args) {
        return arith::MaximumFOp::create(b, args[0], args[1]).getResult();
      });
}

/// The branches' outputs over (b, m, g, p, n): weights * value / sum.
Value Decomposer::createNormalised(Value weights, Value sum) {
  SmallVector<OpFoldResult> shape = {batch, rows, groups, headsPerGroup,
                                     valueDim};
  Value product;
  {
    enum { B, G, P, M, K, N };
    product =
        generic({{weights, {B, G, P, M, K}}, {op.getValue(), {B, K, G, N}}},
                {filled(shape, 0.0), {B, M, G, P, N}}, K,
                [&](ImplicitLocOpBuilder &, ValueRange args) {
                  Value term =
                      arith::MulFOp::create(b, args[0], toF32(args[1]));
                  return arith::AddFOp::create(b, args[2], term).getResult();
                });
  }
  enum { B, M, G, P, N };
  Value result = generic({{product, {B, M, G, P, N}}, {sum, {B, G, P, M}}},
                         {empty(shape), {B, M, G, P, N}}, std::nullopt,
                         [&](ImplicitLocOpBuilder &, ValueRange args) {
                           Value quotient =
                               arith::DivFOp::create(b, args[0], args[1]);
                           return selectEmpty(M, 0.0, quotient);
                         });
  SmallVector<ReassociationIndices> heads = {{0}, {1}, {2, 3}, {4}};
  return tensor::CollapseShapeOp::create(b, result, heads);
}

//===----------------------------------------------------------------------===//
// Results
//===----------------------------------------------------------------------===//

/// Every second head, from head `branch` on.
Value Decomposer::sliceBranch(Value branches, unsigned branch) {
  SmallVector<OpFoldResult> sizes = {
      batch, rows, b.getIndexAttr(op.getNumPairs()), valueDim};
  SmallVector<OpFoldResult> offsets(4, b.getIndexAttr(0));
  SmallVector<OpFoldResult> strides(4, b.getIndexAttr(1));
  offsets[2] = b.getIndexAttr(branch);
  strides[2] = b.getIndexAttr(2);
  return tensor::ExtractSliceOp::create(b, branches, offsets, sizes, strides);
}

Value Decomposer::createOutput(Value branches) {
  enum { B, M, H, N };
  Access output{op.getOutputInit(), {B, M, H, N}};
  Type element = getElementTypeOrSelf(op.getOutputInit().getType());
  if (!op.isDifferential())
    return generic({{branches, {B, M, H, N}}}, output, std::nullopt,
                   [&](ImplicitLocOpBuilder &, ValueRange args) {
                     return fromF32(args[0], element);
                   });
  return generic(
      {{sliceBranch(branches, 0), {B, M, H, N}},
       {sliceBranch(branches, 1), {B, M, H, N}},
       {op.getLambda(), {B, M, H}}},
      output, std::nullopt, [&](ImplicitLocOpBuilder &, ValueRange args) {
        Value negated = arith::NegFOp::create(b, toF32(args[2]));
        Value one = constant(1.0);
        Value gate = arith::DivFOp::create(
            b, one,
            arith::AddFOp::create(b, one, math::ExpOp::create(b, negated)));
        Value gated = arith::MulFOp::create(b, gate, args[1]);
        Value difference = arith::SubFOp::create(b, args[0], gated);
        return fromF32(selectEmpty(M, 0.0, difference), element);
      });
}

Value Decomposer::createLse(Value max, Value sum) {
  Value lse;
  {
    enum { B, G, P, M };
    lse = generic({{max, {B, G, P, M}}, {sum, {B, G, P, M}}},
                  {empty({batch, groups, headsPerGroup, rows}), {B, G, P, M}},
                  std::nullopt, [&](ImplicitLocOpBuilder &, ValueRange args) {
                    Value logSum = math::LogOp::create(b, args[1]);
                    return selectEmpty(
                        M, INFINITY, arith::AddFOp::create(b, args[0], logSum));
                  });
  }
  SmallVector<ReassociationIndices> heads = {{0}, {1, 2}, {3}};
  Value collapsed = tensor::CollapseShapeOp::create(b, lse, heads);
  if (collapsed.getType() == op.getLse().getType())
    return collapsed;
  return tensor::CastOp::create(b, op.getLse().getType(), collapsed);
}

Value Decomposer::createNoise(Value branches) {
  enum { B, M, H, N };
  Type element = getElementTypeOrSelf(op.getNoiseInit().getType());
  return generic({{sliceBranch(branches, 1), {B, M, H, N}}},
                 {op.getNoiseInit(), {B, M, H, N}}, std::nullopt,
                 [&](ImplicitLocOpBuilder &, ValueRange args) {
                   return fromF32(args[0], element);
                 });
}

SmallVector<Value> Decomposer::run() {
  batch = tensor::getMixedSize(b, op.getLoc(), op.getQuery(), 0);
  rows = tensor::getMixedSize(b, op.getLoc(), op.getQuery(), 1);
  keys = tensor::getMixedSize(b, op.getLoc(), op.getKey(), 1);
  groups = b.getIndexAttr(op.getNumKVHeads());
  headsPerGroup = b.getIndexAttr(op.getNumQueryHeads() / op.getNumKVHeads());
  valueDim = b.getIndexAttr(op.getValueDim());
  std::optional<int64_t> staticRows = getConstantIntValue(rows);
  std::optional<int64_t> staticKeys = getConstantIntValue(keys);
  bool needsLengths = !mask.isNone() || !staticKeys || *staticKeys == 0;
  if (needsLengths) {
    numKeys = getValueOrCreateConstantIndexOp(b, op.getLoc(), keys);
    alignment = staticRows && staticKeys
                    ? constantIndex(*staticKeys - *staticRows)
                    : arith::SubIOp::create(
                          b, numKeys,
                          getValueOrCreateConstantIndexOp(b, op.getLoc(), rows))
                          .getResult();
  }
  mayBeEmpty =
      !staticKeys || *staticKeys == 0 ||
      (mask.getRight() &&
       (!staticRows || *staticKeys - *staticRows + *mask.getRight() < 0));

  SmallVector<OpFoldResult> shape =
      tensor::getMixedSizes(b, op.getLoc(), op.getQuery());
  SmallVector<OpFoldResult> grouped = {shape[0], shape[1], groups,
                                       headsPerGroup, shape[3]};
  SmallVector<int64_t> staticGrouped;
  SmallVector<Value> ignored;
  dispatchIndexOpFoldResults(grouped, ignored, staticGrouped);
  Value query = tensor::ExpandShapeOp::create(
      b, cast<RankedTensorType>(op.getQuery().getType()).clone(staticGrouped),
      op.getQuery(), SmallVector<ReassociationIndices>{{0}, {1}, {2, 3}, {4}},
      grouped);

  Value scores = createMasked(createScores(query));
  Value max = createMax(scores);
  enum { B, G, P, M, K };
  Value weights = generic(
      {{scores, {B, G, P, M, K}}, {max, {B, G, P, M}}},
      {empty({batch, groups, headsPerGroup, rows, keys}), {B, G, P, M, K}},
      std::nullopt, [&](ImplicitLocOpBuilder &, ValueRange args) {
        Value shifted = arith::SubFOp::create(b, args[0], args[1]);
        return math::ExpOp::create(b, shifted).getResult();
      });
  Value sum =
      generic({{weights, {B, G, P, M, K}}},
              {filled({batch, groups, headsPerGroup, rows}, 0.0), {B, G, P, M}},
              K, [&](ImplicitLocOpBuilder &, ValueRange args) {
                return arith::AddFOp::create(b, args[0], args[1]).getResult();
              });
  Value branches = createNormalised(weights, sum);
  SmallVector<Value> results = {createOutput(branches)};
  if (op.getLse())
    results.push_back(createLse(max, sum));
  if (op.getNoise())
    results.push_back(createNoise(branches));
  return results;
}

//===----------------------------------------------------------------------===//
// Pass
//===----------------------------------------------------------------------===//

namespace {
struct DecomposePass : public diffattn::impl::DecomposePassBase<DecomposePass> {
  void runOnOperation() override {
    SmallVector<AttentionOp> ops;
    getOperation().walk([&](AttentionOp op) { ops.push_back(op); });
    IRRewriter rewriter(&getContext());
    for (AttentionOp op : ops) {
      rewriter.setInsertionPoint(op);
      rewriter.replaceOp(op, Decomposer(rewriter, op).run());
    }
  }
};
} // namespace
