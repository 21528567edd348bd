//===- Transpose.cpp - Elementwise ops that transpose ---------------------===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// An op whose inputs are contiguous along x and whose output along y has no
// common lanes. Square blocks do: load `side` vectors along x, one for each y,
// compute on them, turn the block in registers, store `side` vectors along y.
// Blocks are turned as 32-bit elements.
//
// The output may end in a dimension of size 2, the two 16-bit halves of a pair
// (diffattn-cpu-pack-pairs). A pair is then one 32-bit element: already
// adjacent in the input, or interleaved from two vectors of it; and if the
// pairs are along x in the output too, interleaving is all there is to do.
//
//===----------------------------------------------------------------------===//

#include "VectorLoops.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace mlir::diffattn;

namespace {
struct Transposition {
  linalg::LinalgOp op;
  /// Inputs, then outputs; where the pair is innermost, collapsed into the
  /// dimension before it.
  SmallVector<Value> operands;
  SmallVector<SmallVector<unsigned>> dims;
  /// Contiguous dimension of inputs and of outputs.
  unsigned x = 0, y = 0;
  /// Outputs end in pairs; so does the input.
  std::optional<unsigned> pair;
  bool pairsInInput = false;
  SmallVector<unsigned> outerDims;
};
} // namespace

static SmallVector<unsigned> getDims(AffineMap map) {
  SmallVector<unsigned> dims;
  for (AffineExpr expr : map.getResults())
    dims.push_back(cast<AffineDimExpr>(expr).getPosition());
  return dims;
}

/// True for ops that write every element of their outputs once, all outputs
/// alike and none read, with bodies that vectors can compute.
static bool isCopyLike(linalg::LinalgOp op) {
  SmallVector<AffineMap> maps = op.getIndexingMapsArray();
  auto isOutputRead = [&](OpOperand &init) {
    return !op.getMatchingBlockArgument(&init).use_empty() ||
           op.getMatchingIndexingMap(&init) != maps.back();
  };
  // A vector packs bits that a buffer holds a byte each for.
  auto hasBytes = [](Value operand) {
    Type type = getElementTypeOrSelf(operand);
    return type.isIntOrFloat() && type.getIntOrFloatBitWidth() % 8 == 0;
  };
  return op.hasPureBufferSemantics() && op.getNumDpsInputs() > 0 &&
         op.getNumLoops() > 0 && llvm::all_of(op->getOperands(), hasBytes) &&
         op.getNumLoops() == op.getNumParallelLoops() && hasVectorBody(op) &&
         llvm::all_of(
             maps,
             [](AffineMap map) { return map.isProjectedPermutation(); }) &&
         maps.back().isPermutation() &&
         llvm::none_of(op.getDpsInitsMutable(), isOutputRead);
}

/// Finds x, y and the pair; fails where a dimension does not fit whole blocks.
static FailureOr<Transposition> matchTransposition(linalg::LinalgOp op,
                                                   int64_t side) {
  if (!isCopyLike(op))
    return failure();
  Transposition t;
  t.op = op;
  SmallVector<int64_t> sizes = op.getStaticLoopRanges();
  for (OpOperand &operand : op->getOpOperands()) {
    t.operands.push_back(operand.get());
    t.dims.push_back(getDims(op.getMatchingIndexingMap(&operand)));
  }
  auto getBits = [](Value v) {
    return getElementTypeOrSelf(v).getIntOrFloatBitWidth();
  };
  SmallVector<unsigned> out = t.dims.back();
  unsigned numInputs = op.getNumDpsInputs();
  auto outputs = ArrayRef(t.operands).drop_front(numInputs);
  if (out.size() > 1 && sizes[out.back()] == 2 &&
      getBits(outputs.front()) == 16) {
    t.pair = out.back();
    out.pop_back();
  }
  // The first input that has all dimensions tells x.
  auto whole = llvm::find_if(
      ArrayRef(t.dims).take_front(numInputs),
      [&](ArrayRef<unsigned> dims) { return dims.size() == op.getNumLoops(); });
  if (whole == ArrayRef(t.dims).take_front(numInputs).end())
    return failure();
  t.pairsInInput = t.pair && whole->back() == *t.pair;
  t.x = t.pairsInInput ? (*whole)[whole->size() - 2] : whole->back();
  t.y = out.back();
  auto fits = [&](unsigned dim) {
    return !ShapedType::isDynamic(sizes[dim]) && sizes[dim] % side == 0;
  };
  if (!fits(t.x) || !fits(t.y) || (t.x == t.y && (!t.pair || t.pairsInInput)) ||
      (t.pairsInInput && (numInputs != 1 || getBits(t.operands[0]) != 16)))
    return failure();
  for (auto [i, value] : llvm::enumerate(t.operands)) {
    auto type = dyn_cast<MemRefType>(value.getType());
    bool isOutput = i >= numInputs;
    unsigned bits = getBits(value);
    if ((isOutput && (t.pair ? bits != 16 : bits != 16 && bits != 32)))
      return failure();
    bool alongX = llvm::is_contained(t.dims[i], t.x);
    if (!isOutput && !alongX)
      continue; // a scalar
    unsigned contiguous =
        (isOutput ? t.pair.has_value() : t.pairsInInput) ? 2 : 1;
    unsigned last = t.dims[i][t.dims[i].size() - contiguous];
    if (!type || !type.areTrailingDimsContiguous(contiguous) ||
        last != (isOutput ? t.y : t.x))
      return failure();
  }
  for (unsigned dim : t.dims.back())
    if (dim != t.x && dim != t.y && dim != t.pair)
      t.outerDims.push_back(dim);
  return t;
}

/// Turns a square block: element j of vector i becomes element i of vector j.
/// Step s exchanges the off-diagonal s x s corners of each 2s x 2s block.
static void transposeBlock(OpBuilder &b, Location loc,
                           SmallVectorImpl<Value> &rows) {
  int64_t side = rows.size();
  for (int64_t s = 1; s < side; s *= 2)
    for (int64_t i = 0; i < side; ++i) {
      if (i & s)
        continue;
      SmallVector<int64_t> low, high;
      for (int64_t j = 0; j < side; ++j) {
        low.push_back(j & s ? side + j - s : j);
        high.push_back(j & s ? side + j : j + s);
      }
      Value upper = rows[i], lower = rows[i + s];
      rows[i] = vector::ShuffleOp::create(b, loc, upper, lower, low);
      rows[i + s] = vector::ShuffleOp::create(b, loc, upper, lower, high);
    }
}

namespace {
class TransposeEmitter {
public:
  TransposeEmitter(Transposition &t, int64_t side)
      : t(t), op(t.op), loc(op.getLoc()), side(side), ivs(op.getNumLoops()) {}

  void run(OpBuilder &b) {
    SmallVector<OpFoldResult> sizes;
    for (unsigned dim = 0, e = op.getNumLoops(); dim < e; ++dim) {
      unsigned position =
          llvm::find(t.dims.back(), dim) - t.dims.back().begin();
      sizes.push_back(
          memref::getMixedSize(b, loc, t.operands.back(), position));
    }
    collapsePairs(b);
    buildLoops(b, loc, sizes, t.outerDims, ivs, [&](OpBuilder &b) {
      auto loopOver = [&](unsigned dim) {
        Value upper = getValueOrCreateConstantIndexOp(b, loc, sizes[dim]);
        auto loop = scf::ForOp::create(b, loc, constant(b, 0), upper,
                                       constant(b, side));
        ivs[dim] = loop.getInductionVar();
        b.setInsertionPoint(loop.getBody()->getTerminator());
        return loop;
      };
      scf::ForOp outermost = loopOver(t.x);
      if (t.y != t.x)
        loopOver(t.y);
      emitBlock(b);
      b.setInsertionPointAfter(outermost);
    });
  }

private:
  Value constant(OpBuilder &b, int64_t value) {
    return arith::ConstantIndexOp::create(b, loc, value);
  }

  /// Drops an innermost pair dimension from operands and their dimensions.
  void collapsePairs(OpBuilder &b) {
    for (auto [value, dims] : llvm::zip_equal(t.operands, t.dims)) {
      if (!t.pair || dims.empty() || dims.back() != *t.pair)
        continue;
      SmallVector<ReassociationIndices> groups;
      for (int64_t i = 0, e = dims.size() - 1; i < e; ++i)
        groups.push_back({i});
      groups.back().push_back(dims.size() - 1);
      value = memref::CollapseShapeOp::create(b, loc, value, groups);
      dims.pop_back();
    }
  }

  SmallVector<Value> getIndices(unsigned operand, ArrayRef<Value> at) {
    SmallVector<Value> indices;
    for (unsigned dim : t.dims[operand])
      indices.push_back(at[dim]);
    return indices;
  }

  void emitBlock(OpBuilder &b) {
    unsigned numOutputs = op.getNumDpsInits();
    // rows[output][y]
    SmallVector<SmallVector<Value>> rows(numOutputs);
    bool turned = t.x != t.y;
    for (int64_t i = 0; i < (turned ? side : 1); ++i) {
      SmallVector<Value> at = ivs;
      if (turned)
        at[t.y] = arith::AddIOp::create(b, loc, ivs[t.y], constant(b, i));
      for (auto [output, row] : llvm::enumerate(computeRow(b, at)))
        rows[output].push_back(row);
    }
    for (unsigned output = 0; output < numOutputs; ++output) {
      SmallVector<Value> &block = rows[output];
      auto type = cast<VectorType>(block.front().getType());
      if (turned) {
        for (Value &row : block)
          row = toCarrier(b, row);
        transposeBlock(b, loc, block);
      }
      for (auto [i, row] : llvm::enumerate(block)) {
        if (turned)
          row = fromCarrier(b, row, type);
        store(b, row, output, i);
      }
    }
  }

  /// The vectors along x of all outputs, pairs interleaved.
  SmallVector<Value> computeRow(OpBuilder &b, SmallVector<Value> at) {
    if (!t.pair)
      return compute(b, at, side);
    if (t.pairsInInput) {
      at[t.x] = arith::MulIOp::create(b, loc, at[t.x], constant(b, 2));
      return compute(b, at, 2 * side);
    }
    at[*t.pair] = constant(b, 0);
    SmallVector<Value> low = compute(b, at, side);
    at[*t.pair] = constant(b, 1);
    SmallVector<Value> high = compute(b, at, side);
    for (auto [first, second] : llvm::zip_equal(low, high))
      first = vector::InterleaveOp::create(b, loc, first, second);
    return low;
  }

  SmallVector<Value> compute(OpBuilder &b, ArrayRef<Value> at, int64_t length) {
    IRMapping values;
    for (unsigned i = 0, e = op.getNumDpsInputs(); i < e; ++i) {
      Value source = t.operands[i], loaded;
      auto type = VectorType::get({length}, getElementTypeOrSelf(source));
      if (!isa<MemRefType>(source.getType())) {
        loaded = vector::BroadcastOp::create(b, loc, type, source);
      } else if (llvm::is_contained(t.dims[i], t.x)) {
        loaded =
            vector::LoadOp::create(b, loc, type, source, getIndices(i, at));
      } else {
        Value scalar =
            memref::LoadOp::create(b, loc, source, getIndices(i, at));
        loaded = vector::BroadcastOp::create(b, loc, type, scalar);
      }
      values.map(op.getBlock()->getArgument(i), loaded);
    }
    return emitVectorBody(
        b, op, values, length, [&](OpBuilder &b, unsigned dim) -> Value {
          auto type = VectorType::get({length}, b.getIndexType());
          Value index = vector::BroadcastOp::create(b, loc, type, at[dim]);
          if (dim != t.x)
            return index;
          return arith::AddIOp::create(b, loc, index,
                                       vector::StepOp::create(b, loc, type));
        });
  }

  /// The vector as `side` elements of 32 bits, and back.
  Value toCarrier(OpBuilder &b, Value row) {
    auto type = cast<VectorType>(row.getType());
    auto carrier = VectorType::get({side}, b.getI32Type());
    if (t.pair || type.getElementTypeBitWidth() == 32)
      return vector::BitCastOp::create(b, loc, carrier, row);
    auto bits = VectorType::get({side}, b.getI16Type());
    return arith::ExtUIOp::create(b, loc, carrier,
                                  vector::BitCastOp::create(b, loc, bits, row));
  }
  Value fromCarrier(OpBuilder &b, Value row, VectorType type) {
    if (!t.pair && type.getElementTypeBitWidth() == 16)
      row = arith::TruncIOp::create(
          b, loc, VectorType::get({side}, b.getI16Type()), row);
    return vector::BitCastOp::create(b, loc, type, row);
  }

  /// Stores vector `i` of the turned block.
  void store(OpBuilder &b, Value row, unsigned output, int64_t i) {
    SmallVector<Value> at = ivs;
    at[t.x] = arith::AddIOp::create(b, loc, ivs[t.x], constant(b, i));
    if (t.pair)
      at[t.y] = arith::MulIOp::create(b, loc, at[t.y], constant(b, 2));
    unsigned operand = op.getNumDpsInputs() + output;
    vector::StoreOp::create(b, loc, row, t.operands[operand],
                            getIndices(operand, at));
  }

  Transposition &t;
  linalg::LinalgOp op;
  Location loc;
  int64_t side;
  SmallVector<Value> ivs;
};
} // namespace

LogicalResult mlir::diffattn::lowerTransposing(linalg::LinalgOp op,
                                               const CPUTarget &target,
                                               RewriterBase &rewriter) {
  int64_t side = target.getVectorLanes(/*bits=*/32);
  FailureOr<Transposition> matched = matchTransposition(op, side);
  if (failed(matched))
    return failure();
  TransposeEmitter(*matched, side).run(rewriter);
  rewriter.eraseOp(op);
  return success();
}
