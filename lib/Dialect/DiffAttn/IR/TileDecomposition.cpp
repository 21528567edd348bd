//===- TileDecomposition.cpp - The online form as linalg ------------------===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// AggregatedOpInterface of `online_attention` and `finalize`: the contract that
// every target lowers from. It fixes the arithmetic (f32, base 2, the order of
// operations) and leaves everything else open. A score tile is laid out as
// acc with the key dimension in the place of the value dimension, so a target
// that packs acc through the op's maps gets scores packed alike.
//
// The scale is positive (C4), so it commutes with the maximum: scores stay
// unscaled, and scale * log2(e) is applied once, in the exponent.
//
//===----------------------------------------------------------------------===//

#include "MappedOps.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "llvm/Support/MathExtras.h"
#include <cmath>

using namespace mlir;
using namespace mlir::diffattn;

namespace {
using BodyFn = function_ref<Value(OpBuilder &, Location, ValueRange)>;

/// Builds linalg.generic ops over subsets of an op's iteration dimensions.
struct GenericBuilder {
  OpBuilder &b;
  Location loc;

  Value constant(double value) {
    return arith::ConstantOp::create(b, loc, b.getF32FloatAttr(value));
  }

  Value filled(ArrayRef<OpFoldResult> shape, double value) {
    Value empty = tensor::EmptyOp::create(b, loc, shape, b.getF32Type());
    return linalg::FillOp::create(b, loc, constant(value), empty).getResult(0);
  }

  /// A generic with one output, whose iteration dimensions are those that occur
  /// in `maps`, in order; a dimension missing from the output's map is reduced.
  Value apply(ValueRange ins, Value out, ArrayRef<AffineMap> maps,
              BodyFn body) {
    return apply(ins, ValueRange(out), maps,
                 [&](OpBuilder &b, Location loc, ValueRange args) {
                   return SmallVector<Value>{body(b, loc, args)};
                 })
        .front();
  }

  /// The same with several outputs; the first one decides what is reduced
  /// unless a later one is of higher rank.
  SmallVector<Value>
  apply(ValueRange ins, ValueRange outs, ArrayRef<AffineMap> maps,
        function_ref<SmallVector<Value>(OpBuilder &, Location, ValueRange)>
            body) {
    SmallVector<AffineMap> compressed = llvm::to_vector(maps);
    llvm::SmallBitVector unused = getUnusedDimsBitVector(maps);
    for (AffineMap &map : compressed)
      map = compressDims(map, unused);
    unsigned dims = compressed.front().getNumDims();
    SmallVector<utils::IteratorType> iterators(dims,
                                               utils::IteratorType::parallel);
    for (AffineMap out : ArrayRef(compressed).take_back(outs.size()))
      for (unsigned dim = 0; dim < dims; ++dim)
        if (!out.isFunctionOfDim(dim))
          iterators[dim] = utils::IteratorType::reduction;
    auto generic = linalg::GenericOp::create(
        b, loc, TypeRange(outs), ins, outs, compressed, iterators,
        [&](OpBuilder &b, Location loc, ValueRange args) {
          linalg::YieldOp::create(b, loc, body(b, loc, args));
        });
    return llvm::to_vector_of<Value>(generic.getResults());
  }

  /// The position of iteration dimension `dim` among the used ones of `maps`.
  static unsigned compressedDim(ArrayRef<AffineMap> maps, unsigned dim) {
    llvm::SmallBitVector unused = getUnusedDimsBitVector(maps);
    unsigned position = 0;
    for (unsigned i = 0; i < dim; ++i)
      position += !unused.test(i);
    return position;
  }

  Value toF32(OpBuilder &b, Location loc, Value value) {
    if (value.getType().isF32())
      return value;
    return arith::ExtFOp::create(b, loc, b.getF32Type(), value);
  }

  Value fromF32(OpBuilder &b, Location loc, Value value, Type type) {
    if (type.isF32())
      return value;
    return arith::TruncFOp::create(b, loc, type, value);
  }
};

/// Scalars of a tile against which local row and key indices are compared:
/// key j is visible to row i where j < limit, j - i <= right, j - i >= left.
struct TileMask {
  Value limit, right, left;
};

/// Contraction body: out + ext(lhs) * ext(rhs).
Value buildMulAdd(GenericBuilder &g, OpBuilder &b, Location loc,
                  ValueRange args) {
  Value lhs = g.toF32(b, loc, args[0]), rhs = g.toF32(b, loc, args[1]);
  Value product = arith::MulFOp::create(b, loc, lhs, rhs);
  return arith::AddFOp::create(b, loc, args[2], product);
}

/// The larger of a new value and the running maximum, which is never NaN. As a
/// comparison it is one vmaxps or max.f32, where IEEE's maxnum takes three
/// instructions; a NaN score is passed over here and shows up in its
/// exponential instead.
Value maximum(OpBuilder &b, Location loc, ValueRange args) {
  Value greater = arith::CmpFOp::create(b, loc, arith::CmpFPredicate::OGT,
                                        args[0], args[1]);
  return arith::SelectOp::create(b, loc, greater, args[0], args[1]);
}

/// Decomposition of one online_attention.
struct OnlineDecomposition {
  OnlineAttentionOp op;
  GenericBuilder g;
  SmallVector<AffineMap> maps;
  /// acc's layout with keys in the place of value dimensions.
  AffineMap scoreMap;
  SmallVector<OpFoldResult> scoreShape;

  OnlineDecomposition(OnlineAttentionOp op, OpBuilder &b)
      : op(op), g{b, op.getLoc()}, maps(op.getMaps()) {
    using Op = OnlineAttentionOp;
    MLIRContext *context = op.getContext();
    AffineMap acc = maps[Op::Acc];
    scoreMap = acc.replace(
        {{getAffineDimExpr(Op::N, context), getAffineDimExpr(Op::K, context)}},
        Op::NumDims, 0);
    for (AffineExpr expr : scoreMap.getResults())
      scoreShape.push_back(op.getDimSize(
          b, static_cast<Op::Dim>(cast<AffineDimExpr>(expr).getPosition())));
  }

  Value scores() {
    return g.apply({op.getQuery(), op.getKey()}, g.filled(scoreShape, 0.0),
                   {maps[OnlineAttentionOp::Query],
                    maps[OnlineAttentionOp::Key], scoreMap},
                   [&](OpBuilder &b, Location loc, ValueRange args) {
                     return buildMulAdd(g, b, loc, args);
                   });
  }

  /// softcap * tanh(scale * s / softcap), leaving the scale applied.
  Value capped(Value scores) {
    double cap = op.getSoftcap()->convertToDouble();
    double scale = op.getScale().convertToDouble();
    return g.apply(
        {}, scores, {scoreMap},
        [&](OpBuilder &b, Location loc, ValueRange args) {
          GenericBuilder in{b, loc};
          Value x =
              arith::MulFOp::create(b, loc, args[0], in.constant(scale / cap));
          Value tanh = math::TanhOp::create(b, loc, x);
          return arith::MulFOp::create(b, loc, tanh, in.constant(cap));
        });
  }

  TileMask tileMask() {
    OpBuilder &b = g.b;
    Location loc = g.loc;
    auto sub = [&](Value lhs, Value rhs) -> Value {
      return arith::SubIOp::create(b, loc, lhs, rhs);
    };
    auto addConstant = [&](Value lhs, int64_t rhs) -> Value {
      return arith::AddIOp::create(b, loc, lhs,
                                   arith::ConstantIndexOp::create(b, loc, rhs));
    };
    TileMask mask;
    mask.limit = sub(op.getKeyLength(), op.getKeyStart());
    MaskAttr attr = op.getEffectiveMask();
    if (attr.isNone())
      return mask;
    // Row i of the tile sits at position i + query_start + Nk - Nq, and that is
    // key i + diagonal of the tile.
    Value diagonal = arith::AddIOp::create(
        b, loc, sub(op.getQueryStart(), op.getQueryLength()), mask.limit);
    if (attr.getRight())
      mask.right = addConstant(diagonal, *attr.getRight());
    if (attr.getLeft())
      mask.left = addConstant(diagonal, -*attr.getLeft());
    return mask;
  }

  /// -inf for keys that the mask or the valid extent hides.
  Value masked(Value scores) {
    using Op = OnlineAttentionOp;
    TileMask mask = tileMask();
    unsigned keyDim = g.compressedDim({scoreMap}, Op::K);
    unsigned rowDim = g.compressedDim({scoreMap}, Op::M);
    return g.apply(
        {}, scores, {scoreMap},
        [&](OpBuilder &b, Location loc, ValueRange args) {
          GenericBuilder in{b, loc};
          Value key = linalg::IndexOp::create(b, loc, keyDim);
          auto compare = [&](arith::CmpIPredicate predicate, Value lhs,
                             Value rhs) -> Value {
            return arith::CmpIOp::create(b, loc, predicate, lhs, rhs);
          };
          Value visible = compare(arith::CmpIPredicate::slt, key, mask.limit);
          if (mask.right || mask.left) {
            Value row = linalg::IndexOp::create(b, loc, rowDim);
            Value distance = arith::SubIOp::create(b, loc, key, row);
            if (mask.right)
              visible = arith::AndIOp::create(
                  b, loc, visible,
                  compare(arith::CmpIPredicate::sle, distance, mask.right));
            if (mask.left)
              visible = arith::AndIOp::create(
                  b, loc, visible,
                  compare(arith::CmpIPredicate::sge, distance, mask.left));
          }
          return arith::SelectOp::create(b, loc, visible, args[0],
                                         in.constant(-INFINITY));
        });
  }

  /// factor * score - max, as precise as the score. The products are fused with
  /// the sums where the target can, so that large scores lose nothing by the
  /// multiplication, and factor is the sum of two f32 constants: rounded to
  /// one, it would shift every exponent by up to 2^-24 of itself, as much as
  /// all other errors of an f32 attention together. The high part is rounded
  /// towards zero, since a negative low part would turn a hidden score's -inf
  /// into NaN. With 16-bit inputs one constant is precise enough.
  Value exponent(OpBuilder &b, Location loc, Value score, Value max,
                 double factor) {
    GenericBuilder in{b, loc};
    auto contract = arith::FastMathFlags::contract;
    float high = static_cast<float>(factor);
    bool isExact = cast<RankedTensorType>(op.getQuery().getType())
                       .getElementType()
                       .isF32();
    if (isExact && high > factor)
      high = std::nextafter(high, 0.0f);
    float low = static_cast<float>(factor - high);
    Value offset = buildSafeMax(b, loc, max);
    Value scaled =
        arith::MulFOp::create(b, loc, score, in.constant(high), contract);
    if (!isExact || low == 0.0f)
      return arith::SubFOp::create(b, loc, scaled, offset, contract);
    Value rest =
        arith::MulFOp::create(b, loc, score, in.constant(low), contract);
    rest = arith::SubFOp::create(b, loc, rest, offset, contract);
    return arith::AddFOp::create(b, loc, scaled, rest, contract);
  }

  SmallVector<Value> run() {
    using Op = OnlineAttentionOp;
    OpBuilder &b = g.b;
    Location loc = g.loc;
    AffineMap rowMap = maps[Op::Max];
    // What is left to apply to a score in the exponent.
    double factor = llvm::numbers::log2e *
                    (op.getSoftcap() ? 1.0 : op.getScale().convertToDouble());

    Value score = scores();
    if (op.getSoftcap())
      score = capped(score);
    score = masked(score);

    SmallVector<OpFoldResult> rowShape =
        tensor::getMixedSizes(b, loc, op.getMax());
    Value tileMax = g.apply({score}, g.filled(rowShape, -INFINITY),
                            {scoreMap, rowMap}, maximum);
    // The maximum is updated in its own place; what that does to everything
    // summed up so far comes with it.
    SmallVector<Value> updated = g.apply(
        {tileMax},
        {op.getMax(),
         tensor::EmptyOp::create(b, loc, rowShape, b.getF32Type()).getResult()},
        {rowMap, rowMap, rowMap},
        [&](OpBuilder &b, Location loc, ValueRange args) -> SmallVector<Value> {
          GenericBuilder in{b, loc};
          Value scaled =
              arith::MulFOp::create(b, loc, args[0], in.constant(factor));
          Value larger = maximum(b, loc, {scaled, args[1]});
          return {larger, buildRescale(b, loc, args[1], larger)};
        });
    Value newMax = updated[0], rescale = updated[1];
    // p replaces the scores; its row sums come with it.
    SmallVector<Value> exponentials = g.apply(
        {newMax}, {score, g.filled(rowShape, 0.0)}, {rowMap, scoreMap, rowMap},
        [&](OpBuilder &b, Location loc, ValueRange args) -> SmallVector<Value> {
          Value p = math::Exp2Op::create(
              b, loc, exponent(b, loc, args[1], args[0], factor));
          Value sum = arith::AddFOp::create(b, loc, args[2], p);
          return {p, sum};
        });
    Value p = exponentials[0], tileSum = exponentials[1];
    Value sum = g.apply(
        {rescale, tileSum}, op.getSum(), {rowMap, rowMap, maps[Op::Sum]},
        [](OpBuilder &b, Location loc, ValueRange args) {
          Value kept = arith::MulFOp::create(b, loc, args[0], args[2]);
          return arith::AddFOp::create(b, loc, kept, args[1]);
        });
    Value kept =
        g.apply({rescale}, op.getAcc(), {rowMap, maps[Op::Acc]},
                [](OpBuilder &b, Location loc, ValueRange args) {
                  return arith::MulFOp::create(b, loc, args[0], args[1]);
                });
    Value acc = g.apply({p, op.getValue()}, kept,
                        {scoreMap, maps[Op::Value_], maps[Op::Acc]},
                        [&](OpBuilder &b, Location loc, ValueRange args) {
                          return buildMulAdd(g, b, loc, args);
                        });
    return {acc, newMax, sum};
  }
};

/// Decomposition of one finalize.
struct FinalizeDecomposition {
  FinalizeOp op;
  GenericBuilder g;
  SmallVector<AffineMap> maps;

  FinalizeDecomposition(FinalizeOp op, OpBuilder &b)
      : op(op), g{b, op.getLoc()}, maps(op.getMaps()) {}

  /// The slice of `source` that belongs to `branch`. It keeps the branch
  /// dimension, with size 1: dropping it would be ambiguous beside other unit
  /// dimensions.
  Value branch(Value source, AffineMap map, int64_t branch) {
    OpBuilder &b = g.b;
    unsigned position = *map.getResultPosition(
        getAffineDimExpr(FinalizeOp::R, op.getContext()));
    SmallVector<OpFoldResult> sizes = tensor::getMixedSizes(b, g.loc, source);
    SmallVector<OpFoldResult> offsets(sizes.size(), b.getIndexAttr(0));
    SmallVector<OpFoldResult> strides(sizes.size(), b.getIndexAttr(1));
    offsets[position] = b.getIndexAttr(branch);
    sizes[position] = b.getIndexAttr(1);
    return tensor::ExtractSliceOp::create(b, g.loc, source, offsets, sizes,
                                          strides);
  }

  /// In a body: whether the row of `rowDim` sees a key, from positions alone.
  Value seesKey(OpBuilder &b, Location loc, unsigned rowDim) {
    Value row = linalg::IndexOp::create(b, loc, rowDim);
    Value zero = arith::ConstantIndexOp::create(b, loc, 0);
    Value one = arith::ConstantIndexOp::create(b, loc, 1);
    Value last = arith::SubIOp::create(b, loc, op.getKeyLength(), one);
    Value position = arith::AddIOp::create(b, loc, row, op.getQueryStart());
    position = arith::AddIOp::create(b, loc, position, op.getKeyLength());
    position = arith::SubIOp::create(b, loc, position, op.getQueryLength());
    Value low = zero, high = last;
    MaskAttr mask = op.getEffectiveMask();
    if (mask.getLeft()) {
      Value left = arith::ConstantIndexOp::create(b, loc, *mask.getLeft());
      low = arith::MaxSIOp::create(
          b, loc, low, arith::SubIOp::create(b, loc, position, left));
    }
    if (mask.getRight()) {
      Value right = arith::ConstantIndexOp::create(b, loc, *mask.getRight());
      high = arith::MinSIOp::create(
          b, loc, high, arith::AddIOp::create(b, loc, position, right));
    }
    return arith::CmpIOp::create(b, loc, arith::CmpIPredicate::sle, low, high);
  }

  /// sigmoid(x) = 1 / (1 + 2^(-log2(e) x)): 0 at -inf, 1 at +inf, NaN at NaN.
  Value sigmoid(OpBuilder &b, Location loc, Value x) {
    GenericBuilder in{b, loc};
    Value exponent =
        arith::MulFOp::create(b, loc, x, in.constant(-llvm::numbers::log2e));
    Value e = math::Exp2Op::create(b, loc, exponent);
    Value one = in.constant(1.0);
    return arith::DivFOp::create(b, loc, one,
                                 arith::AddFOp::create(b, loc, one, e));
  }

  /// Per-row factor of a branch: 1 / sum, times sigmoid(lambda) for noise.
  Value weight(Value sum, AffineMap sumMap, Value lambda, AffineMap lambdaMap) {
    SmallVector<Value> ins = {sum};
    SmallVector<AffineMap> all = {sumMap};
    if (lambda) {
      ins.push_back(lambda);
      all.push_back(lambdaMap);
    }
    all.push_back(sumMap);
    Value empty = tensor::EmptyOp::create(
        g.b, g.loc, tensor::getMixedSizes(g.b, g.loc, sum), g.b.getF32Type());
    return g.apply(
        ins, empty, all, [&](OpBuilder &b, Location loc, ValueRange args) {
          GenericBuilder in{b, loc};
          Value numerator = lambda ? sigmoid(b, loc, g.toF32(b, loc, args[1]))
                                   : in.constant(1.0);
          return arith::DivFOp::create(b, loc, numerator, args[0]);
        });
  }

  /// `select(seesKey, value, otherwise)` in a body whose generic has `all`
  /// maps.
  Value guarded(OpBuilder &b, Location loc, ArrayRef<AffineMap> all,
                Value value, double otherwise) {
    unsigned rowDim = GenericBuilder::compressedDim(all, FinalizeOp::M);
    GenericBuilder in{b, loc};
    return arith::SelectOp::create(b, loc, seesKey(b, loc, rowDim), value,
                                   in.constant(otherwise));
  }

  Value output() {
    using Op = FinalizeOp;
    AffineMap accMap = maps[Op::Acc], sumMap = maps[Op::Sum];
    Value acc0 = branch(op.getAcc(), accMap, 0);
    Value sum0 = branch(op.getSum(), sumMap, 0);
    SmallVector<Value> ins = {acc0, weight(sum0, sumMap, {}, {})};
    SmallVector<AffineMap> all = {accMap, sumMap};
    if (op.getLambda()) {
      Value acc1 = branch(op.getAcc(), accMap, 1);
      Value sum1 = branch(op.getSum(), sumMap, 1);
      ins.append(
          {acc1, weight(sum1, sumMap, op.getLambda(), maps[Op::Lambda])});
      all.append({accMap, sumMap});
    }
    all.push_back(maps[Op::Output]);
    Type type = getElementTypeOrSelf(op.getOutputInit());
    return g.apply(ins, op.getOutputInit(), all,
                   [&](OpBuilder &b, Location loc, ValueRange args) {
                     Value result =
                         arith::MulFOp::create(b, loc, args[0], args[1]);
                     if (op.getLambda())
                       result = arith::SubFOp::create(
                           b, loc, result,
                           arith::MulFOp::create(b, loc, args[2], args[3]));
                     result = guarded(b, loc, all, result, 0.0);
                     return g.fromF32(b, loc, result, type);
                   });
  }

  Value noise() {
    using Op = FinalizeOp;
    AffineMap accMap = maps[Op::Acc], sumMap = maps[Op::Sum];
    Value acc1 = branch(op.getAcc(), accMap, 1);
    Value sum1 = branch(op.getSum(), sumMap, 1);
    SmallVector<AffineMap> all = {accMap, sumMap, maps[Op::Noise]};
    Type type = getElementTypeOrSelf(op.getNoiseInit());
    return g.apply({acc1, weight(sum1, sumMap, {}, {})}, op.getNoiseInit(), all,
                   [&](OpBuilder &b, Location loc, ValueRange args) {
                     Value result =
                         arith::MulFOp::create(b, loc, args[0], args[1]);
                     result = guarded(b, loc, all, result, 0.0);
                     return g.fromF32(b, loc, result, type);
                   });
  }

  Value lse() {
    using Op = FinalizeOp;
    SmallVector<AffineMap> all = {maps[Op::Max], maps[Op::Sum], maps[Op::Lse]};
    return g.apply({op.getMax(), op.getSum()}, op.getLseInit(), all,
                   [&](OpBuilder &b, Location loc, ValueRange args) {
                     GenericBuilder in{b, loc};
                     Value log = math::Log2Op::create(b, loc, args[1]);
                     Value total = arith::AddFOp::create(b, loc, args[0], log);
                     Value natural = arith::MulFOp::create(
                         b, loc, total, in.constant(llvm::numbers::ln2));
                     return guarded(b, loc, all, natural, INFINITY);
                   });
  }
};
} // namespace

FailureOr<SmallVector<Value>>
OnlineAttentionOp::decomposeOperation(OpBuilder &b) {
  return OnlineDecomposition(*this, b).run();
}

FailureOr<SmallVector<Value>> FinalizeOp::decomposeOperation(OpBuilder &b) {
  FinalizeDecomposition decomposition(*this, b);
  SmallVector<Value> results = {decomposition.output()};
  if (getLseInit())
    results.push_back(decomposition.lse());
  if (getNoiseInit())
    results.push_back(decomposition.noise());
  return results;
}
