//===- PackPairs.cpp - Products of bf16 in pairs --------------------------===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A 16-bit matrix instruction multiplies pairs: each 32-bit element of its
// operands holds two neighbours along the reduction. For C[row, lane] +=
// sum_k A[row, k] * B[k, lane] it reads
//
//   A as (row, k/2, 2): k innermost, as keys have it by nature;
//   B as (k/2, lane, 2): rows of B interleaved two by two ("VNNI" order).
//
// Scores S[key, row] take A = K (no data moves) and B = Q, packed once per tile
// of query rows. Outputs O[n, row] take A = V, transposed once per tile of
// keys, and B = P, which this pass also makes bf16.
//
// P in plain bf16 would cost 8 bits of the result where two branches nearly
// cancel. So p = hi + lo, hi = bf16(p), lo = bf16(p - hi): the products with
// both are exact, and together keep 16 bits or more of p for one more product.
//
//===----------------------------------------------------------------------===//

#include "diffattn/CPU/Passes.h"

#include "diffattn/Target/TargetOption.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

namespace mlir::diffattn {
#define GEN_PASS_DEF_CPUPACKPAIRSPASS
#include "diffattn/CPU/Passes.h.inc"
} // namespace mlir::diffattn

using namespace mlir;
using namespace mlir::diffattn;

namespace {
/// A contraction to rewrite: positions of its inputs and its dimensions.
struct PairedContraction {
  linalg::GenericOp op;
  /// Input with the rows (A) and input with the lanes (B).
  unsigned rows = 0, lanes = 0;
  unsigned reductionDim = 0;
  /// Innermost dimensions of the output that only B has.
  SmallVector<unsigned> laneDims;
};
} // namespace

/// The block argument that `value` is, up to a widening.
static BlockArgument getExtended(Value value) {
  if (auto extension = value.getDefiningOp<arith::ExtFOp>())
    value = extension.getIn();
  return dyn_cast<BlockArgument>(value);
}

/// True for the body `out + in0 * in1` with any order and widening of operands.
static bool isMultiplyAdd(linalg::GenericOp op) {
  Block *body = op.getBody();
  auto add =
      body->getTerminator()->getOperand(0).getDefiningOp<arith::AddFOp>();
  if (!add || !add.getType().isF32())
    return false;
  BlockArgument out = body->getArgument(2);
  Value other = add.getLhs() == out ? add.getRhs() : add.getLhs();
  auto mul = other.getDefiningOp<arith::MulFOp>();
  if (!mul || (add.getLhs() != out && add.getRhs() != out))
    return false;
  BlockArgument lhs = getExtended(mul.getLhs()),
                rhs = getExtended(mul.getRhs());
  return lhs && rhs && lhs != rhs && lhs != out && rhs != out;
}

static FailureOr<PairedContraction> matchContraction(linalg::GenericOp op) {
  if (!op.hasPureTensorSemantics() || op.getNumDpsInputs() != 2 ||
      op.getNumDpsInits() != 1 || !isMultiplyAdd(op))
    return failure();
  SmallVector<AffineMap> maps = op.getIndexingMapsArray();
  if (!llvm::all_of(maps,
                    [](AffineMap map) { return map.isProjectedPermutation(); }))
    return failure();
  PairedContraction c;
  c.op = op;
  SmallVector<unsigned> reductions;
  op.getReductionDims(reductions);
  if (reductions.size() != 1 ||
      op.getStaticLoopRanges()[reductions[0]] % 2 != 0 ||
      ShapedType::isDynamic(op.getStaticLoopRanges()[reductions[0]]))
    return failure();
  c.reductionDim = reductions[0];
  // The innermost dimension of the output tells which operand has the lanes.
  ArrayRef<AffineExpr> out = maps[2].getResults();
  if (out.empty())
    return failure();
  unsigned innermost = cast<AffineDimExpr>(out.back()).getPosition();
  c.lanes = maps[0].isFunctionOfDim(innermost) ? 0 : 1;
  c.rows = 1 - c.lanes;
  for (AffineExpr expr : llvm::reverse(out)) {
    unsigned dim = cast<AffineDimExpr>(expr).getPosition();
    if (maps[c.rows].isFunctionOfDim(dim) ||
        !maps[c.lanes].isFunctionOfDim(dim))
      break;
    c.laneDims.insert(c.laneDims.begin(), dim);
  }
  Type a = getElementTypeOrSelf(op.getInputs()[c.rows]);
  Type b = getElementTypeOrSelf(op.getInputs()[c.lanes]);
  if (c.laneDims.empty() || !a.isBF16() || !(b.isBF16() || b.isF32()))
    return failure();
  return c;
}

namespace {
/// Rewrites one contraction. Dimensions are those of the op, with the reduction
/// standing for pairs and a new last one, `inner`, for the two of a pair.
class PairPacker {
public:
  PairPacker(PairedContraction &c, RewriterBase &b)
      : c(c), op(c.op), b(b), loc(op.getLoc()), inner(op.getNumLoops()) {}

  void run() {
    SmallVector<unsigned> rowOrder, laneOrder;
    for (unsigned dim : getDims(c.rows))
      if (dim != c.reductionDim)
        rowOrder.push_back(dim);
    rowOrder.append({c.reductionDim, inner});
    for (unsigned dim : getDims(c.lanes))
      if (dim != c.reductionDim && !llvm::is_contained(c.laneDims, dim))
        laneOrder.push_back(dim);
    laneOrder.push_back(c.reductionDim);
    laneOrder.append(c.laneDims);
    laneOrder.push_back(inner);

    SmallVector<Value> inputs = pack(c.rows, rowOrder);
    inputs.append(pack(c.lanes, laneOrder));
    SmallVector<AffineMap> maps(inputs.size(), getMap(laneOrder));
    maps.front() = getMap(rowOrder);
    AffineMap out = op.getMatchingIndexingMap(op.getDpsInitOperand(0));
    maps.push_back(
        AffineMap::get(inner + 1, 0, out.getResults(), b.getContext()));
    SmallVector<utils::IteratorType> iterators = op.getIteratorTypesArray();
    iterators.push_back(utils::IteratorType::reduction);
    b.setInsertionPoint(op);
    b.replaceOpWithNewOp<linalg::GenericOp>(
        op, op->getResultTypes(), inputs, op.getDpsInits(), maps, iterators,
        [](OpBuilder &b, Location loc, ValueRange args) {
          auto extend = [&](Value v) -> Value {
            return arith::ExtFOp::create(b, loc, b.getF32Type(), v);
          };
          Value factor = extend(args[1]);
          if (args.size() == 4)
            factor = arith::AddFOp::create(b, loc, factor, extend(args[2]));
          Value product =
              arith::MulFOp::create(b, loc, extend(args[0]), factor);
          Value sum = arith::AddFOp::create(b, loc, args.back(), product);
          linalg::YieldOp::create(b, loc, sum);
        });
  }

private:
  SmallVector<unsigned> getDims(unsigned input) {
    SmallVector<unsigned> dims;
    for (AffineExpr expr : op.getIndexingMapsArray()[input].getResults())
      dims.push_back(cast<AffineDimExpr>(expr).getPosition());
    return dims;
  }

  AffineMap getMap(ArrayRef<unsigned> dims) {
    SmallVector<AffineExpr> exprs;
    for (unsigned dim : dims)
      exprs.push_back(getAffineDimExpr(dim, b.getContext()));
    return AffineMap::get(inner + 1, 0, exprs, b.getContext());
  }

  /// The given input in pairs, indexed by `order`; an f32 one as two.
  SmallVector<Value> pack(unsigned input, ArrayRef<unsigned> order) {
    Value source = op.getInputs()[input];
    b.setInsertionPointAfterValue(source);
    // Split the reduction in its place: (k) becomes (k/2, 2).
    auto type = cast<RankedTensorType>(source.getType());
    SmallVector<unsigned> dims;
    SmallVector<int64_t> shape;
    SmallVector<ReassociationIndices> groups;
    for (auto [position, dim] : llvm::enumerate(getDims(input))) {
      groups.push_back({int64_t(dims.size())});
      dims.push_back(dim);
      shape.push_back(type.getDimSize(position));
      if (dim != c.reductionDim)
        continue;
      groups.back().push_back(dims.size());
      dims.push_back(inner);
      shape.back() /= 2;
      shape.push_back(2);
    }
    Value pairs = tensor::ExpandShapeOp::create(
        b, loc, RankedTensorType::get(shape, type.getElementType()), source,
        groups);
    bool split = type.getElementType().isF32();
    if (!split && ArrayRef(dims) == order)
      return {pairs};
    SmallVector<int64_t> packedShape;
    for (unsigned dim : order)
      packedShape.push_back(shape[llvm::find(dims, dim) - dims.begin()]);
    return copy(pairs, dims, packedShape, order, split);
  }

  /// `source`, indexed by `from`, rearranged to `to`: as it is, or as hi and
  /// lo.
  SmallVector<Value> copy(Value source, ArrayRef<unsigned> from,
                          ArrayRef<int64_t> shape, ArrayRef<unsigned> to,
                          bool split) {
    Value empty = tensor::EmptyOp::create(b, loc, shape, b.getBF16Type());
    SmallVector<Value> outs = {empty};
    if (split)
      outs.push_back(tensor::EmptyOp::create(b, loc, shape, b.getBF16Type()));
    // Iterate in the order of the copy.
    unsigned rank = to.size();
    SmallVector<AffineExpr> exprs;
    for (unsigned dim : from)
      exprs.push_back(
          getAffineDimExpr(llvm::find(to, dim) - to.begin(), b.getContext()));
    SmallVector<AffineMap> maps(1 + outs.size(),
                                b.getMultiDimIdentityMap(rank));
    maps.front() = AffineMap::get(rank, 0, exprs, b.getContext());
    SmallVector<utils::IteratorType> iterators(rank,
                                               utils::IteratorType::parallel);
    auto generic = linalg::GenericOp::create(
        b, loc, TypeRange(ValueRange(outs)), source, outs, maps, iterators,
        [&](OpBuilder &b, Location loc, ValueRange args) {
          if (!split) {
            linalg::YieldOp::create(b, loc, args[0]);
            return;
          }
          Value hi = arith::TruncFOp::create(b, loc, b.getBF16Type(), args[0]);
          Value wide = arith::ExtFOp::create(b, loc, b.getF32Type(), hi);
          Value rest = arith::SubFOp::create(b, loc, args[0], wide);
          Value lo = arith::TruncFOp::create(b, loc, b.getBF16Type(), rest);
          linalg::YieldOp::create(b, loc, ValueRange{hi, lo});
        });
    return llvm::to_vector_of<Value>(generic.getResults());
  }

  PairedContraction &c;
  linalg::GenericOp op;
  RewriterBase &b;
  Location loc;
  unsigned inner;
};

struct CPUPackPairsPass
    : diffattn::impl::CPUPackPairsPassBase<CPUPackPairsPass> {
  using CPUPackPairsPassBase::CPUPackPairsPassBase;

  void runOnOperation() override {
    FailureOr<const CPUTarget *> description =
        reportTargetError(getOperation(), lookupCPUTarget(target));
    if (failed(description))
      return signalPassFailure();
    if (!(*description)->hasAMXBF16)
      return;
    IRRewriter rewriter(&getContext());
    SmallVector<linalg::GenericOp> ops;
    getOperation().walk([&](linalg::GenericOp op) { ops.push_back(op); });
    for (linalg::GenericOp op : ops) {
      FailureOr<PairedContraction> matched = matchContraction(op);
      if (succeeded(matched))
        PairPacker(*matched, rewriter).run();
    }
  }
};
} // namespace
