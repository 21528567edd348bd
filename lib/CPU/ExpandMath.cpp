//===- ExpandMath.cpp - exp2 as a polynomial -----------------------------===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "diffattn/CPU/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Math/Transforms/Passes.h"
#include "mlir/IR/PatternMatch.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"
#include <cmath>

namespace mlir::diffattn {
#define GEN_PASS_DEF_CPUEXPANDMATHPASS
#include "diffattn/CPU/Passes.h.inc"
} // namespace mlir::diffattn

using namespace mlir;
using namespace mlir::diffattn;

/// c[i] of 2^f - 1 = f * sum_i c[i] f^i on |f| <= 1/2: a minimax fit of the
/// relative error of 2^f (Lawson iteration), below 2^-28 before rounding.
static constexpr double exp2Coefficients[] = {
    0.6931472028550818,   0.24022647913626435,   0.05550332471100468,
    0.009618437357839866, 0.0013398874422129838, 0.0001535336188202848};

namespace {
/// Builds float and integer ops on the type of one exp2.
struct Emitter {
  OpBuilder &b;
  Location loc;
  Type type, intType;

  Value constant(double value) { return splat(type, b.getF32FloatAttr(value)); }
  Value integer(int32_t value) {
    return splat(intType, b.getI32IntegerAttr(value));
  }
  Value splat(Type type, TypedAttr value) {
    if (auto vector = dyn_cast<VectorType>(type))
      value = DenseElementsAttr::get(vector, cast<Attribute>(value));
    return arith::ConstantOp::create(b, loc, value);
  }
  /// `bound` where it lies beyond `x`, else x; x where x is NaN. One minps or
  /// maxps.
  Value clamp(Value x, double bound, arith::CmpFPredicate predicate) {
    Value limit = constant(bound);
    Value beyond = arith::CmpFOp::create(b, loc, predicate, limit, x);
    return arith::SelectOp::create(b, loc, beyond, limit, x);
  }
  /// lhs * rhs + addend, fused where the target can.
  Value multiplyAdd(Value lhs, Value rhs, Value addend) {
    auto contract = arith::FastMathFlags::contract;
    Value product = arith::MulFOp::create(b, loc, lhs, rhs, contract);
    return arith::AddFOp::create(b, loc, product, addend, contract);
  }
};

struct ExpandExp2 : OpRewritePattern<math::Exp2Op> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(math::Exp2Op op,
                                PatternRewriter &rewriter) const override {
    Type type = op.getType();
    if (!getElementTypeOrSelf(type).isF32())
      return rewriter.notifyMatchFailure(op, "not f32");
    Type intType = rewriter.getI32Type();
    if (auto vector = dyn_cast<VectorType>(type))
      intType = vector.clone(intType);
    Emitter e{rewriter, op.getLoc(), type, intType};
    OpBuilder &b = rewriter;
    Location loc = op.getLoc();

    // At the bounds the scale below is exactly 0 and exactly +inf.
    Value x = e.clamp(op.getOperand(), -127.0, arith::CmpFPredicate::OGT);
    x = e.clamp(x, 128.0, arith::CmpFPredicate::OLT);
    // Adding 1.5 * 2^23 rounds to an integer and leaves it in the low bits.
    Value magic = e.constant(12582912.0);
    Value shifted = arith::AddFOp::create(b, loc, x, magic);
    Value whole = arith::SubFOp::create(b, loc, shifted, magic);
    Value fraction = arith::SubFOp::create(b, loc, x, whole);
    Value p = e.constant(exp2Coefficients[std::size(exp2Coefficients) - 1]);
    for (int i = std::size(exp2Coefficients) - 2; i >= 0; --i)
      p = e.multiplyAdd(p, fraction, e.constant(exp2Coefficients[i]));
    p = e.multiplyAdd(p, fraction, e.constant(1.0));
    // 2^n, from n in the exponent field. A product and not an addition to p's
    // bits, so that NaN stays NaN.
    Value bits = arith::BitcastOp::create(b, loc, intType, shifted);
    Value exponent = arith::ShLIOp::create(b, loc, bits, e.integer(23));
    Value biased =
        arith::AddIOp::create(b, loc, exponent, e.integer(127 << 23));
    Value scale = arith::BitcastOp::create(b, loc, type, biased);
    rewriter.replaceOpWithNewOp<arith::MulFOp>(op, p, scale);
    return success();
  }
};

struct CPUExpandMathPass
    : diffattn::impl::CPUExpandMathPassBase<CPUExpandMathPass> {
  void runOnOperation() override {
    SmallVector<Operation *> ops;
    getOperation().walk([&](Operation *op) {
      if (isa<math::Exp2Op, math::TanhOp>(op))
        ops.push_back(op);
    });
    RewritePatternSet patterns(&getContext());
    patterns.add<ExpandExp2>(&getContext());
    populatePolynomialApproximateTanhPattern(patterns);
    GreedyRewriteConfig config;
    config.setStrictness(GreedyRewriteStrictness::ExistingOps);
    (void)applyOpPatternsGreedily(ops, std::move(patterns), config);
  }
};
} // namespace
