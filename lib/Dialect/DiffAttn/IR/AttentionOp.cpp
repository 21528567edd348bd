//===- AttentionOp.cpp - diffattn.attention -------------------------------===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Verifier, type inference, shape reification and canonicalisation of the
// fused operator. Each numbered check is the constraint of the same number in
// DiffAttnOps.td, and has a case of its own in test/Dialect/DiffAttn/IR/
// attention-invalid*.mlir.
//
//===----------------------------------------------------------------------===//

#include "OpUtils.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/BuiltinAttributes.h"
#include <cmath>

using namespace mlir;
using namespace mlir::diffattn;

#define GET_OP_CLASSES
#include "diffattn/Dialect/DiffAttn/IR/DiffAttnOps.cpp.inc"

//===----------------------------------------------------------------------===//
// Construction and accessors
//===----------------------------------------------------------------------===//

void AttentionOp::build(OpBuilder &b, OperationState &state, Value query,
                        Value key, Value value, Value lambda, Value outputInit,
                        Value lseInit, Value noiseInit, MaskAttr mask,
                        FloatAttr scale, FloatAttr softcap,
                        ScheduleAttr schedule) {
  SmallVector<Type> types = {outputInit.getType()};
  for (Value init : {lseInit, noiseInit})
    if (init)
      types.push_back(init.getType());
  build(b, state, types, query, key, value, lambda, outputInit, lseInit,
        noiseInit, scale, softcap, mask, schedule);
}

MutableOperandRange AttentionOp::getDpsInitsMutable() {
  unsigned first = getOutputInitMutable().getOperandNumber();
  return MutableOperandRange(*this, first, getNumOperands() - first);
}

double AttentionOp::getEffectiveScale() {
  if (std::optional<APFloat> scale = getScale())
    return scale->convertToDouble();
  return 1.0 / std::sqrt(static_cast<double>(getHeadDim()));
}

MaskAttr AttentionOp::getEffectiveMask() {
  return getMask().value_or(MaskAttr::getNone(getContext()));
}

LogicalResult
AttentionOp::inferReturnTypes(MLIRContext *, std::optional<Location>,
                              ValueRange operands, DictionaryAttr attributes,
                              OpaqueProperties properties, RegionRange regions,
                              SmallVectorImpl<Type> &types) {
  AttentionOpAdaptor adaptor(operands, attributes,
                             *properties.as<Properties *>(), regions);
  for (Value init :
       {adaptor.getOutputInit(), adaptor.getLseInit(), adaptor.getNoiseInit()})
    if (init)
      types.push_back(init.getType());
  return success();
}

LogicalResult
AttentionOp::reifyResultShapes(OpBuilder &b,
                               ReifiedRankedShapedTypeDims &shapes) {
  for (Value init : getDpsInits())
    shapes.push_back(tensor::getMixedSizes(b, getLoc(), init));
  return success();
}

//===----------------------------------------------------------------------===//
// Verifier
//===----------------------------------------------------------------------===//

namespace {
/// The verifier's checks, grouped by what they look at. `check*` return failure
/// after they have emitted one diagnostic.
struct AttentionVerifier {
  AttentionOp op;

  RankedTensorType type(Value value) {
    return cast<RankedTensorType>(value.getType());
  }

  /// Operands in assembly order, with the rank that C1 asks for.
  struct Named {
    StringRef name;
    Value value;
    int64_t rank;
  };
  SmallVector<Named> operands() {
    return {{"query", op.getQuery(), 4},       {"key", op.getKey(), 4},
            {"value", op.getValue(), 4},       {"lambda", op.getLambda(), 3},
            {"output", op.getOutputInit(), 4}, {"lse", op.getLseInit(), 3},
            {"noise", op.getNoiseInit(), 4}};
  }

  LogicalResult checkRanks() {
    for (const Named &operand : operands())
      if (operand.value && type(operand.value).getRank() != operand.rank)
        return op.emitOpError()
               << "expects " << operand.name << " (C1) to have rank "
               << operand.rank << ", but got " << type(operand.value);
    return success();
  }

  LogicalResult checkElementTypes() {
    Type element = type(op.getQuery()).getElementType();
    if (!isSupportedFloat(element))
      return op.emitOpError() << "expects query (C2) to hold f16, bf16 or f32, "
                                 "but got "
                              << element;
    for (auto [name, value] : {std::pair<StringRef, Value>("key", op.getKey()),
                               {"value", op.getValue()}})
      if (type(value).getElementType() != element)
        return op.emitOpError()
               << "expects " << name << " (C2) to hold query's " << element
               << ", but got " << type(value).getElementType();
    for (auto [name, value] :
         {std::pair<StringRef, Value>("lambda", op.getLambda()),
          {"output", op.getOutputInit()},
          {"noise", op.getNoiseInit()}})
      if (value && !isSupportedFloat(type(value).getElementType()))
        return op.emitOpError() << "expects " << name
                                << " (C3) to hold f16, bf16 or f32, but got "
                                << type(value).getElementType();
    if (Value lse = op.getLseInit(); lse && !type(lse).getElementType().isF32())
      return op.emitOpError() << "expects lse (C3) to hold f32, but got "
                              << type(lse).getElementType();
    return success();
  }

  LogicalResult checkHeadDims() {
    for (auto [name, value] :
         {std::pair<StringRef, Value>("query", op.getQuery()),
          {"key", op.getKey()},
          {"value", op.getValue()}})
      for (auto [dim, what] :
           {std::pair(2, "head count"), {3, "head dimension"}}) {
        int64_t size = type(value).getDimSize(dim);
        if (ShapedType::isDynamic(size))
          return op.emitOpError()
                 << "expects " << name << "'s " << what
                 << " (C4) to be static, but got " << type(value);
        if (size < 1)
          return op.emitOpError() << "expects " << name << "'s " << what
                                  << " (C4) to be positive, but got " << size;
      }
    int64_t d = op.getHeadDim(), keyDim = type(op.getKey()).getDimSize(3);
    if (keyDim != d)
      return op.emitOpError() << "expects key's head dimension (C5) to equal "
                                 "query's "
                              << d << ", but got " << keyDim;
    int64_t valueHeads = type(op.getValue()).getDimSize(2);
    if (valueHeads != op.getNumKVHeads())
      return op.emitOpError()
             << "expects value's head count (C6) to equal key's "
             << op.getNumKVHeads() << ", but got " << valueHeads;
    for (auto [name, dim] :
         {std::pair("query's", d), {"value's", op.getValueDim()}})
      if (dim % 8 != 0)
        return op.emitOpError()
               << "expects " << name
               << " head dimension (C7) to be a multiple of 8, but got " << dim
               << "; the nearest legal one is "
               << std::max<int64_t>(8, llvm::alignDown(dim + 3, 8));
    return success();
  }

  LogicalResult checkPairing() {
    int64_t heads = op.getNumQueryHeads(), kvHeads = op.getNumKVHeads();
    if (op.isDifferential() && heads % 2 != 0)
      return op.emitOpError()
             << "expects an even number of query heads (C8), both heads of "
                "every pair, but got "
             << heads << "; the nearest legal one is " << heads + 1;
    int64_t pairs = op.getNumPairs();
    if (pairs % kvHeads == 0)
      return success();
    int64_t nearest = getNearestDivisor(pairs, kvHeads);
    if (!op.isDifferential())
      return op.emitOpError()
             << "expects the number of query heads (C9) to be divisible by "
                "key's head count "
             << kvHeads << ", but got " << heads
             << "; the nearest legal key head count is " << nearest;
    return op.emitOpError()
           << "expects both heads of a pair in one group (C9): the number of "
              "pairs must be divisible by key's head count "
           << kvHeads << ", but got " << pairs << " pairs (" << heads
           << " query heads); the nearest legal key head count is " << nearest;
  }

  /// Checks one dimension against a size that another operand fixes. Dynamic
  /// sizes are checked at run time, if anywhere.
  LogicalResult checkDim(StringRef name, Value value, unsigned dim,
                         StringRef rule, StringRef what, int64_t expected) {
    int64_t size = type(value).getDimSize(dim);
    if (ShapedType::isDynamic(size) || ShapedType::isDynamic(expected) ||
        size == expected)
      return success();
    return op.emitOpError()
           << "expects " << name << "'s " << what << " (" << rule << ") to be "
           << expected << ", but got " << size;
  }

  LogicalResult checkShapes() {
    if (Value lambda = op.getLambda())
      if (type(lambda).getDimSize(2) != op.getNumPairs())
        return op.emitOpError()
               << "expects lambda (C10) to have one logit per pair, a last "
                  "dimension of "
               << op.getNumPairs() << ", but got " << type(lambda);
    int64_t batch = ShapedType::kDynamic, nq = batch, nk = batch;
    for (const Named &operand : operands()) {
      if (!operand.value)
        continue;
      if (failed(checkDim(operand.name, operand.value, 0, "C11", "batch size",
                          batch)))
        return failure();
      if (ShapedType::isDynamic(batch))
        batch = type(operand.value).getDimSize(0);
      bool isKV = operand.name == "key" || operand.name == "value";
      unsigned tokenDim = operand.name == "lse" ? 2 : 1;
      int64_t &length = isKV ? nk : nq;
      if (failed(checkDim(operand.name, operand.value, tokenDim, "C12",
                          isKV ? "number of keys" : "number of query tokens",
                          length)))
        return failure();
      if (ShapedType::isDynamic(length))
        length = type(operand.value).getDimSize(tokenDim);
    }
    if (op.getNoiseInit() && !op.isDifferential())
      return op.emitOpError(
          "expects lambda where noise is asked for (C14): plain "
          "attention has no second branch");
    for (auto [name, value] :
         {std::pair<StringRef, Value>("output", op.getOutputInit()),
          {"noise", op.getNoiseInit()}}) {
      if (!value)
        continue;
      if (type(value).getDimSize(2) != op.getNumPairs())
        return op.emitOpError()
               << "expects " << name << "'s head count (C13) to be "
               << op.getNumPairs() << ", but got " << type(value);
      if (type(value).getDimSize(3) != op.getValueDim())
        return op.emitOpError()
               << "expects " << name
               << "'s head dimension (C13) to equal value's "
               << op.getValueDim() << ", but got " << type(value);
    }
    if (Value lse = op.getLseInit())
      if (type(lse).getDimSize(1) != op.getNumQueryHeads())
        return op.emitOpError()
               << "expects lse (C13) to be (B, " << op.getNumQueryHeads()
               << ", Nq), one row per query head, but got " << type(lse);
    return success();
  }
};
} // namespace

LogicalResult AttentionOp::verify() {
  AttentionVerifier verifier{*this};
  if (failed(verifier.checkRanks()) || failed(verifier.checkElementTypes()) ||
      failed(verifier.checkHeadDims()) || failed(verifier.checkPairing()) ||
      failed(verifier.checkShapes()))
    return failure();
  if (failed(verifyPositive(*this, "C15", "scale", getScaleAttr())))
    return failure();
  return verifyPositive(*this, "C16", "softcap", getSoftcapAttr());
}

//===----------------------------------------------------------------------===//
// Canonicalisation
//===----------------------------------------------------------------------===//

namespace {
/// Drops attributes that say what their absence says, so that equal ops are
/// equal for CSE: `mask<none>`, and a scale of exactly 1/sqrt(d).
struct DropDefaults : OpRewritePattern<AttentionOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(AttentionOp op,
                                PatternRewriter &rewriter) const override {
    bool dropMask = op.getMask() && op.getMask()->isNone();
    bool dropScale = op.getScale() &&
                     op.getScale()->convertToDouble() ==
                         1.0 / std::sqrt(static_cast<double>(op.getHeadDim()));
    if (!dropMask && !dropScale)
      return failure();
    rewriter.modifyOpInPlace(op, [&] {
      if (dropMask)
        op.removeMaskAttr();
      if (dropScale)
        op.removeScaleAttr();
    });
    return success();
  }
};

/// Drops the bounds of a window that hide nothing for static lengths: a left
/// bound of Nk - 1 or more, a right bound of Nq - 1 or more.
struct DropWideBounds : OpRewritePattern<AttentionOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(AttentionOp op,
                                PatternRewriter &rewriter) const override {
    MaskAttr mask = op.getEffectiveMask();
    int64_t nq = op.getQuery().getType().getDimSize(1);
    int64_t nk = op.getKey().getType().getDimSize(1);
    // Row Nq - 1 sits at position Nk - 1 and row 0 at Nk - Nq.
    bool dropLeft = mask.getLeft() && !ShapedType::isDynamic(nk) &&
                    *mask.getLeft() >= nk - 1;
    bool dropRight = mask.getRight() && !ShapedType::isDynamic(nq) &&
                     *mask.getRight() >= nq - 1;
    if (!dropLeft && !dropRight)
      return failure();
    rewriter.modifyOpInPlace(op, [&] {
      op.setMaskAttr(MaskAttr::get(op.getContext(),
                                   dropLeft ? std::nullopt : mask.getLeft(),
                                   dropRight ? std::nullopt : mask.getRight()));
    });
    return success();
  }
};

/// Drops optional results that nobody reads; they cost memory traffic.
struct DropUnusedResults : OpRewritePattern<AttentionOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(AttentionOp op,
                                PatternRewriter &rewriter) const override {
    bool dropLse = op.getLse() && op.getLse().use_empty();
    bool dropNoise = op.getNoise() && op.getNoise().use_empty();
    if (!dropLse && !dropNoise)
      return failure();
    auto narrowed = AttentionOp::create(
        rewriter, op.getLoc(), op.getQuery(), op.getKey(), op.getValue(),
        op.getLambda(), op.getOutputInit(), dropLse ? Value() : op.getLseInit(),
        dropNoise ? Value() : op.getNoiseInit(), op.getMaskAttr(),
        op.getScaleAttr(), op.getSoftcapAttr(), op.getScheduleAttr());
    narrowed->setDiscardableAttrs(op->getDiscardableAttrDictionary());
    SmallVector<Value> results = {narrowed.getOutput()};
    if (op.getLse())
      results.push_back(narrowed.getLse());
    if (op.getNoise())
      results.push_back(narrowed.getNoise());
    // Dropped results are unused, so any value will do for them.
    for (Value &result : results)
      if (!result)
        result = op.getOutputInit();
    for (auto [from, to] : llvm::zip_equal(op.getResults(), results))
      if (!from.use_empty())
        rewriter.replaceAllUsesWith(from, to);
    rewriter.eraseOp(op);
    return success();
  }
};
} // namespace

void AttentionOp::getCanonicalizationPatterns(RewritePatternSet &patterns,
                                              MLIRContext *context) {
  patterns.add<DropDefaults, DropUnusedResults, DropWideBounds>(context);
}
