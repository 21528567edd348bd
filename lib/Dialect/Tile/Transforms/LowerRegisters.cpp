//===- LowerRegisters.cpp - Tile ops on registers, for one thread ---------===//
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
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/AffineExprVisitor.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace mlir::diffattn::tile;

static Value combine(OpBuilder &builder, Location loc, ReduceKind kind, Value a,
                     Value b) {
  switch (kind) {
  case ReduceKind::Add:
    return arith::AddFOp::create(builder, loc, a, b);
  case ReduceKind::Max:
    return LLVM::MaxNumOp::create(builder, loc, a, b);
  case ReduceKind::MaxZero:
    break;
  }
  // ptxas makes one instruction of two such maxima.
  Type bits = builder.getI32Type();
  auto toBits = [&](Value value) {
    return LLVM::BitcastOp::create(builder, loc, bits, value).getResult();
  };
  Value larger = LLVM::SMaxOp::create(builder, loc, toBits(a), toBits(b));
  return LLVM::BitcastOp::create(builder, loc, a.getType(), larger);
}

SmallVector<Value> mlir::diffattn::tile::combineRegisters(
    OpBuilder &builder, Location loc, ReduceKind kind, ValueRange values,
    ArrayRef<int64_t> target, int64_t results, bool inPairs) {
  SmallVector<Value> sums(results), halves(results);
  if (kind == ReduceKind::MaxZero)
    sums.assign(results, arith::ConstantOp::create(builder, loc,
                                                   builder.getF32FloatAttr(0)));
  for (auto [value, i] : llvm::zip_equal(values, target)) {
    Value &sum = sums[i], &half = halves[i];
    if (!sum) {
      sum = value;
    } else if (!inPairs) {
      sum = combine(builder, loc, kind, sum, value);
    } else if (!half) {
      half = value;
    } else {
      // A chain of the maxima of pairs: half as long.
      Value pair = combine(builder, loc, kind, half, value);
      sum = combine(builder, loc, kind, sum, pair);
      half = Value();
    }
  }
  for (auto [sum, half] : llvm::zip_equal(sums, halves))
    if (half)
      sum = combine(builder, loc, kind, sum, half);
  return sums;
}

//===----------------------------------------------------------------------===//
// Element-wise
//===----------------------------------------------------------------------===//

namespace {

struct LowerConstant : OpConversionPattern<arith::ConstantOp> {
  using OpConversionPattern::OpConversionPattern;
  LogicalResult
  matchAndRewrite(arith::ConstantOp op, OneToNOpAdaptor,
                  ConversionPatternRewriter &rewriter) const override {
    auto splat = dyn_cast<SplatElementsAttr>(op.getValue());
    if (!getLayout(op.getType()) || !splat)
      return failure();
    auto type = cast<RankedTensorType>(op.getType());
    auto scalar = cast<TypedAttr>(splat.getSplatValue<Attribute>());
    Attribute value = scalar;
    if (isPacked(type))
      value = DenseElementsAttr::get(
          VectorType::get({2}, type.getElementType()), value);
    Value constant = arith::ConstantOp::create(rewriter, op.getLoc(),
                                               cast<TypedAttr>(value));
    int64_t count =
        getLayout(type).getNumRegisters() / (isPacked(type) ? 2 : 1);
    rewriter.replaceOpWithMultiple(
        op, ArrayRef<SmallVector<Value>>{SmallVector<Value>(count, constant)});
    return success();
  }
};

Value createIntrinsic(OpBuilder &builder, Location loc, StringRef name,
                      ValueRange operands) {
  return LLVM::CallIntrinsicOp::create(builder, loc, builder.getF32Type(),
                                       builder.getStringAttr(name), operands)
      .getResults();
}

/// exp2 and log2 as the one instruction that the hardware has for each: errors
/// about 2^-22, subnormal numbers are zero (PTX ISA, "ex2", "lg2").
Value createExp2(OpBuilder &builder, Location loc, Value x) {
  return createIntrinsic(builder, loc, "llvm.nvvm.ex2.approx.ftz.f", x);
}

/// tanh(x) = 1 - 2 / (exp2(2 log2(e) x) + 1). The instruction tanh.approx has
/// an error of 2^-11, too much below a softcap of 50.
Value createTanh(OpBuilder &builder, Location loc, Value x) {
  auto constant = [&](float value) -> Value {
    return arith::ConstantOp::create(builder, loc,
                                     builder.getF32FloatAttr(value));
  };
  Value one = constant(1);
  Value power = createExp2(
      builder, loc,
      arith::MulFOp::create(builder, loc, x, constant(2.885390082f)));
  Value sum = arith::AddFOp::create(builder, loc, power, one);
  Value inverse =
      NVVM::RcpApproxFtzF32Op::create(builder, loc, builder.getF32Type(), sum);
  Value twice = arith::MulFOp::create(builder, loc, inverse, constant(2));
  return arith::SubFOp::create(builder, loc, one, twice);
}

Value lowerScalar(OpBuilder &builder, Operation *op, ArrayRef<Value> operands) {
  Location loc = op->getLoc();
  auto result = cast<RankedTensorType>(op->getResult(0).getType());
  if (isa<math::Exp2Op>(op) && result.getElementType().isF32())
    return createExp2(builder, loc, operands[0]);
  if (isa<math::TanhOp>(op) && result.getElementType().isF32())
    return createTanh(builder, loc, operands[0]);
  if (isa<math::Log2Op>(op) && result.getElementType().isF32())
    return createIntrinsic(builder, loc, "llvm.nvvm.lg2.approx.ftz.f",
                           operands[0]);
  // Within 2 ulp; the correctly rounded division is a subroutine, around which
  // registers are saved (PTX ISA, "div").
  if (isa<arith::DivFOp>(op) && result.getElementType().isF32())
    return createIntrinsic(builder, loc, "llvm.nvvm.div.full", operands);
  // The upstream lowering of arith.maxnumf calls the device library.
  if (isa<math::FmaOp>(op))
    return LLVM::FMAOp::create(builder, loc, operands[0], operands[1],
                               operands[2]);
  if (isa<arith::MaxNumFOp>(op))
    return LLVM::MaxNumOp::create(builder, loc, operands[0], operands[1]);
  return builder
      .create(loc, op->getName().getIdentifier(), operands,
              {result.getElementType()}, op->getAttrs())
      ->getResult(0);
}

/// Rounds two registers at once.
struct LowerTruncate : OpConversionPattern<arith::TruncFOp> {
  using OpConversionPattern::OpConversionPattern;
  LogicalResult
  matchAndRewrite(arith::TruncFOp op, OneToNOpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    auto type = dyn_cast<RankedTensorType>(op.getType());
    auto source = dyn_cast<RankedTensorType>(op.getIn().getType());
    if (!type || !getLayout(type) || !isPacked(type) ||
        !source.getElementType().isF32())
      return failure();
    Location loc = op.getLoc();
    auto pair = VectorType::get({2}, type.getElementType());
    ValueRange in = adaptor.getIn();
    SmallVector<Value> out;
    auto nearest = NVVM::FPRoundingMode::RN;
    for (size_t i = 0; i < in.size(); i += 2) {
      if (type.getElementType().isBF16())
        out.push_back(NVVM::ConvertF32x2ToBF16x2Op::create(
            rewriter, loc, pair, in[i + 1], in[i], Value(), nearest));
      else
        out.push_back(NVVM::ConvertF32x2ToF16x2Op::create(
            rewriter, loc, pair, in[i + 1], in[i], Value(), nearest));
    }
    rewriter.replaceOpWithMultiple(op, {out});
    return success();
  }
};

/// Any op of the element-wise trait: once per register.
struct LowerElementwise : ConversionPattern {
  LowerElementwise(const TypeConverter &converter, MLIRContext *context)
      : ConversionPattern(converter, MatchAnyOpTypeTag(), /*benefit=*/1,
                          context) {}
  LogicalResult
  matchAndRewrite(Operation *op, ArrayRef<ValueRange> operands,
                  ConversionPatternRewriter &rewriter) const override {
    if (!OpTrait::hasElementwiseMappableTraits(op) ||
        op->getNumResults() != 1 || !getLayout(op->getResult(0).getType()))
      return failure();
    auto type = cast<RankedTensorType>(op->getResult(0).getType());
    SmallVector<SmallVector<Value>> inputs;
    for (auto [operand, values] :
         llvm::zip_equal(op->getOperands(), operands)) {
      auto operandType = dyn_cast<RankedTensorType>(operand.getType());
      if (!operandType)
        return rewriter.notifyMatchFailure(op, "scalar operand");
      inputs.push_back(
          unpackRegisters(rewriter, op->getLoc(), values, operandType));
    }
    SmallVector<Value> results;
    for (int64_t reg = 0, end = getLayout(type).getNumRegisters(); reg < end;
         ++reg) {
      SmallVector<Value> scalars;
      for (ArrayRef<Value> input : inputs)
        scalars.push_back(input[reg]);
      results.push_back(lowerScalar(rewriter, op, scalars));
    }
    rewriter.replaceOpWithMultiple(
        op, {packRegisters(rewriter, op->getLoc(), results, type)});
    return success();
  }
};

struct LowerSplat : OpConversionPattern<SplatOp> {
  using OpConversionPattern::OpConversionPattern;
  LogicalResult
  matchAndRewrite(SplatOp op, OneToNOpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    auto type = op.getResult().getType();
    SmallVector<Value> registers(getLayout(type).getNumRegisters(),
                                 adaptor.getSource().front());
    rewriter.replaceOpWithMultiple(
        op, {packRegisters(rewriter, op.getLoc(), registers, type)});
    return success();
  }
};

struct LowerIndex : OpConversionPattern<IndexOp> {
  using OpConversionPattern::OpConversionPattern;
  LogicalResult
  matchAndRewrite(IndexOp op, OneToNOpAdaptor,
                  ConversionPatternRewriter &rewriter) const override {
    Location loc = op.getLoc();
    auto type = op.getResult().getType();
    FragmentAttr layout = getLayout(type);
    unsigned rank = type.getRank();
    Value thread =
        createThreadCoordinates(rewriter, loc, layout, rank)[op.getDim()];
    if (!thread)
      thread = createI32(rewriter, loc, 0);
    SmallVector<Value> registers;
    for (int64_t reg = 0, end = layout.getNumRegisters(); reg < end; ++reg) {
      Value position = arith::AddIOp::create(
          rewriter, loc, thread,
          createI32(rewriter, loc,
                    layout.getCoordinates(reg, 0, 0, rank)[op.getDim()]));
      registers.push_back(arith::IndexCastOp::create(
          rewriter, loc, rewriter.getIndexType(), position));
    }
    rewriter.replaceOpWithMultiple(op, {registers});
    return success();
  }
};

//===----------------------------------------------------------------------===//
// Masks
//===----------------------------------------------------------------------===//

/// Element (registers + thread) satisfies `constant + symbol + c.position >= 0`
/// if the thread's part, a limit computed once, is at least a number known for
/// the register.
struct LowerMask : OpConversionPattern<MaskOp> {
  using OpConversionPattern::OpConversionPattern;
  LogicalResult
  matchAndRewrite(MaskOp op, OneToNOpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    Location loc = op.getLoc();
    auto type = op.getResult().getType();
    FragmentAttr layout = getLayout(type);
    unsigned rank = type.getRank();
    IntegerSet set = op.getCondition();
    SmallVector<Value> thread =
        createThreadCoordinates(rewriter, loc, layout, rank);
    SmallVector<Value> result(adaptor.getSource());
    // Constraints that need the same of every register share one limit.
    llvm::MapVector<SmallVector<int64_t>, Value> limits;
    for (unsigned i = 0; i < set.getNumConstraints(); ++i) {
      SimpleAffineExprFlattener flattener(rank, set.getNumSymbols());
      if (failed(flattener.walkPostOrder(set.getConstraint(i))))
        return failure();
      ArrayRef<int64_t> row = flattener.operandExprStack.back();
      SmallVector<int64_t> needed;
      for (int64_t reg = 0, end = result.size(); reg < end; ++reg) {
        needed.push_back(0);
        for (auto [coefficient, place] :
             llvm::zip(row, layout.getCoordinates(reg, 0, 0, rank)))
          needed.back() -= coefficient * place;
      }
      Value limit = createLimit(op, adaptor, row, thread, rewriter);
      Value &shared = limits[needed];
      shared =
          shared
              ? arith::MinSIOp::create(rewriter, loc, shared, limit).getResult()
              : limit;
    }
    SmallVector<Value> kept(result.size());
    for (auto &[needed, limit] : limits) {
      for (auto [keep, least] : llvm::zip_equal(kept, needed)) {
        Value holds =
            arith::CmpIOp::create(rewriter, loc, arith::CmpIPredicate::sge,
                                  limit, createI32(rewriter, loc, least));
        keep =
            keep ? arith::AndIOp::create(rewriter, loc, keep, holds).getResult()
                 : holds;
      }
    }
    Value fill = arith::ConstantOp::create(rewriter, loc, op.getFillAttr());
    for (auto [value, keep] : llvm::zip_equal(result, kept))
      if (keep)
        value = arith::SelectOp::create(rewriter, loc, keep, value, fill);
    rewriter.replaceOpWithMultiple(op, {result});
    return success();
  }

private:
  /// The part of a constraint that does not depend on the register, as an i32.
  /// Symbols may be far beyond any tile: they are clamped, which changes no
  /// comparison.
  static Value createLimit(MaskOp op, OneToNOpAdaptor adaptor,
                           ArrayRef<int64_t> row, ArrayRef<Value> thread,
                           ConversionPatternRewriter &rewriter) {
    Location loc = op.getLoc();
    unsigned rank = thread.size();
    Value limit = createI32(rewriter, loc, row.back());
    for (auto [i, values] : llvm::enumerate(adaptor.getSymbols())) {
      if (!row[rank + i])
        continue;
      constexpr int64_t far = 1 << 29;
      auto index = [&](int64_t value) {
        return arith::ConstantIndexOp::create(rewriter, loc, value);
      };
      Value clamped =
          arith::MinSIOp::create(rewriter, loc, values.front(), index(far));
      clamped = arith::MaxSIOp::create(rewriter, loc, clamped, index(-far));
      limit = arith::AddIOp::create(
          rewriter, loc, limit,
          arith::IndexCastOp::create(rewriter, loc, rewriter.getI32Type(),
                                     clamped));
    }
    for (unsigned dim = 0; dim < rank; ++dim) {
      if (!row[dim] || !thread[dim])
        continue;
      limit = row[dim] > 0
                  ? arith::AddIOp::create(rewriter, loc, limit, thread[dim])
                        .getResult()
                  : arith::SubIOp::create(rewriter, loc, limit, thread[dim])
                        .getResult();
    }
    return limit;
  }
};

//===----------------------------------------------------------------------===//
// Reductions
//===----------------------------------------------------------------------===//

struct LowerReduce : OpConversionPattern<ReduceOp> {
  using OpConversionPattern::OpConversionPattern;
  LogicalResult
  matchAndRewrite(ReduceOp op, OneToNOpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    Location loc = op.getLoc();
    auto source = op.getSource().getType();
    auto result = op.getResult().getType();
    FragmentAttr from = getLayout(source), to = getLayout(result);
    int64_t dim = op.getDim();
    for (const Digit &digit : from.getWarps())
      if (digit.dim == dim)
        return op.emitOpError("expects a reduction within a warp, but its "
                              "layout is ")
               << from;
    // First the elements of this thread, then those of other lanes.
    auto target = mapRegisters(from, source.getRank(), to, result.getRank(),
                               [&](SmallVector<int64_t> position) {
                                 position.erase(position.begin() + dim);
                                 return position;
                               });
    if (failed(target))
      return op.emitOpError("expects the layout of the source without the "
                            "dimension");
    SmallVector<Value> sums =
        combineRegisters(rewriter, loc, op.getKind(), adaptor.getSource(),
                         *target, to.getNumRegisters(), /*inPairs=*/false);
    int64_t place = 1;
    for (const Digit &digit : from.getLanes()) {
      if (digit.dim == dim)
        for (int64_t step = 1; step < digit.extent; step *= 2)
          for (Value &sum : sums)
            sum = combine(rewriter, loc, op.getKind(), sum,
                          createShuffle(rewriter, loc, sum, place * step));
      place *= digit.extent;
    }
    rewriter.replaceOpWithMultiple(op, {sums});
    return success();
  }

private:
  /// `value` of the lane whose number differs by `mask`.
  static Value createShuffle(OpBuilder &builder, Location loc, Value value,
                             int64_t mask) {
    return NVVM::ShflOp::create(
        builder, loc, value.getType(), createI32(builder, loc, -1), value,
        createI32(builder, loc, mask), createI32(builder, loc, 31),
        NVVM::ShflKind::bfly, UnitAttr());
  }
};

//===----------------------------------------------------------------------===//
// Renaming of registers
//===----------------------------------------------------------------------===//

/// Ops whose result registers are registers of their source.
template <typename OpTy>
struct LowerRenaming : OpConversionPattern<OpTy> {
  using OpConversionPattern<OpTy>::OpConversionPattern;
  using Adaptor = typename OpConversionPattern<OpTy>::OneToNOpAdaptor;

  LogicalResult
  matchAndRewrite(OpTy op, Adaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    auto source = op.getSource().getType(), result = op.getResult().getType();
    FragmentAttr from = getLayout(source), to = getLayout(result);
    auto origin = mapRegisters(to, result.getRank(), from, source.getRank(),
                               [&](SmallVector<int64_t> position) {
                                 return getOrigin(op, std::move(position));
                               });
    if (failed(origin) || !sameThreads(op, from, to))
      return op.emitOpError("moves elements between threads, from ")
             << from << " to " << to
             << "; run diffattn-tile-exchange on conversions";
    SmallVector<Value> registers =
        unpackRegisters(rewriter, op.getLoc(), adaptor.getSource(), source);
    SmallVector<Value> results;
    for (int64_t reg : *origin)
      results.push_back(registers[reg]);
    rewriter.replaceOpWithMultiple(
        op, {packRegisters(rewriter, op.getLoc(), results, result)});
    return success();
  }

private:
  static SmallVector<int64_t> getOrigin(BroadcastOp op,
                                        SmallVector<int64_t> position) {
    position.erase(position.begin() + op.getDim());
    return position;
  }
  static SmallVector<int64_t> getOrigin(diffattn::tile::SelectOp op,
                                        SmallVector<int64_t> position) {
    position.insert(position.begin() + op.getDim(), op.getIndex());
    return position;
  }
  static SmallVector<int64_t> getOrigin(TransposeOp op,
                                        SmallVector<int64_t> position) {
    SmallVector<int64_t> origin(position.size());
    for (auto [result, source] : llvm::enumerate(op.getPermutation()))
      origin[source] = position[result];
    return origin;
  }
  static SmallVector<int64_t> getOrigin(SliceOp op,
                                        SmallVector<int64_t> position) {
    for (auto [value, offset] : llvm::zip_equal(position, op.getOffsets()))
      value += offset;
    return position;
  }
  static SmallVector<int64_t> getOrigin(ConvertLayoutOp op,
                                        SmallVector<int64_t> position) {
    return position;
  }

  /// Whether lanes and warps hold the same part on both sides.
  static bool sameThreads(BroadcastOp op, FragmentAttr from, FragmentAttr to) {
    return to.dropDim(op.getDim()) == from;
  }
  static bool sameThreads(diffattn::tile::SelectOp op, FragmentAttr from,
                          FragmentAttr to) {
    return from.dropDim(op.getDim()) == to;
  }
  static bool sameThreads(TransposeOp op, FragmentAttr from, FragmentAttr to) {
    return from.transpose(op.getPermutation()) == to;
  }
  static bool sameThreads(Operation *, FragmentAttr from, FragmentAttr to) {
    return from.getLanes() == to.getLanes() && from.getWarps() == to.getWarps();
  }
};

} // namespace

void mlir::diffattn::tile::populateRegisterPatterns(
    const TypeConverter &converter, RewritePatternSet &patterns) {
  MLIRContext *context = patterns.getContext();
  patterns.add<LowerConstant, LowerSplat, LowerIndex, LowerMask, LowerReduce,
               LowerRenaming<BroadcastOp>,
               LowerRenaming<diffattn::tile::SelectOp>, LowerRenaming<SliceOp>,
               LowerRenaming<TransposeOp>, LowerRenaming<ConvertLayoutOp>>(
      converter, context);
  patterns.add<LowerTruncate>(converter, context, /*benefit=*/2);
  patterns.add<LowerElementwise>(converter, context);
}
