//===- LowerProducts.cpp - Matrix products, for one thread ----------------===//
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

using namespace mlir;
using namespace mlir::diffattn::tile;

namespace {

/// One step of 16 along k: a grid of mma.sync.m16n8k16 (PTX ISA, "Matrix
/// fragments for mma.m16n8k16"). In the layouts that DotOp verifies, block b of
/// 16 rows has the A registers 4b ... 4b+3, block j of 8 columns the B
/// registers 2j, 2j+1, and their product the accumulators 4(j + n/8 b) ... + 3.
struct LowerDot : OpConversionPattern<DotOp> {
  using OpConversionPattern::OpConversionPattern;
  LogicalResult
  matchAndRewrite(DotOp op, OneToNOpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    auto lhsType = dyn_cast<RankedTensorType>(op.getLhs().getType());
    auto rhsType = dyn_cast<RankedTensorType>(op.getRhs().getType());
    if (!lhsType || !rhsType || lhsType.getShape().back() != 16)
      return op.emitOpError(
          "expects operands in registers in steps of 16 along "
          "k; run diffattn-tile-select-operands");
    Location loc = op.getLoc();
    SmallVector<Value> a = toOperands(rewriter, loc, adaptor.getLhs()),
                       b = toOperands(rewriter, loc, adaptor.getRhs()),
                       acc(adaptor.getAcc());
    size_t columns = b.size() / 2, rows = a.size() / 4;
    if (acc.size() != 4 * rows * columns)
      return op.emitOpError("expects registers that agree");
    Type f32 = rewriter.getF32Type();
    auto resultType = LLVM::LLVMStructType::getLiteral(
        rewriter.getContext(), SmallVector<Type>(4, f32));
    for (size_t column = 0; column < columns; ++column) {
      for (size_t row = 0; row < rows; ++row) {
        auto accumulators =
            MutableArrayRef(acc).slice(4 * (column + columns * row), 4);
        Value product = createProduct(rewriter, loc, resultType,
                                      ArrayRef(a).slice(4 * row, 4),
                                      ArrayRef(b).slice(2 * column, 2),
                                      accumulators, lhsType.getElementType());
        for (auto [i, value] : llvm::enumerate(accumulators))
          value = LLVM::ExtractValueOp::create(rewriter, loc, product, i);
      }
    }
    // Operands of later steps are not read before this step's products: ptxas
    // would read them all at once, and spill accumulators for them.
    NVVM::SyncWarpOp::create(rewriter, loc, createI32(rewriter, loc, -1));
    rewriter.replaceOpWithMultiple(op, {acc});
    return success();
  }

private:
  /// bf16 pairs travel as integers.
  static SmallVector<Value> toOperands(OpBuilder &builder, Location loc,
                                       ValueRange pairs) {
    SmallVector<Value> operands;
    for (Value pair : pairs) {
      auto type = cast<VectorType>(pair.getType());
      if (type.getElementType().isBF16())
        pair =
            LLVM::BitcastOp::create(builder, loc, builder.getI32Type(), pair);
      operands.push_back(pair);
    }
    return operands;
  }

  static Value createProduct(OpBuilder &builder, Location loc, Type resultType,
                             ArrayRef<Value> a, ArrayRef<Value> b,
                             ArrayRef<Value> acc, Type element) {
    auto type = element.isBF16() ? NVVM::MMATypes::bf16 : NVVM::MMATypes::f16;
    return NVVM::MmaOp::create(
        builder, loc, resultType, a, b, acc, ArrayRef<int64_t>{16, 8, 16},
        /*b1Op=*/std::nullopt, /*intOverflow=*/std::nullopt,
        std::array<NVVM::MMATypes, 2>{type, type},
        std::array<NVVM::MMALayout, 2>{NVVM::MMALayout::row,
                                       NVVM::MMALayout::col});
  }
};

} // namespace

void mlir::diffattn::tile::populateProductPatterns(
    const TypeConverter &converter, RewritePatternSet &patterns) {
  patterns.add<LowerDot>(converter, patterns.getContext());
}
