//===- LowerShared.cpp - Shared memory, for one thread --------------------===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ThreadCode.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"

using namespace mlir;
using namespace mlir::diffattn::tile;

/// The module's dynamic shared memory, one array for all kernels.
static LLVM::GlobalOp getSharedMemory(gpu::GPUModuleOp module,
                                      OpBuilder &builder) {
  constexpr StringLiteral name = "diffattn_shared";
  if (auto found = module.lookupSymbol<LLVM::GlobalOp>(name))
    return found;
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(module.getBody());
  auto type = LLVM::LLVMArrayType::get(builder.getI8Type(), 0);
  return LLVM::GlobalOp::create(builder, module.getLoc(), type,
                                /*isConstant=*/false, LLVM::Linkage::External,
                                name, Attribute(), /*alignment=*/1024,
                                /*addrSpace=*/3);
}

Value mlir::diffattn::tile::createSharedAddress(OpBuilder &builder,
                                                Location loc, Operation *user,
                                                int64_t offset) {
  LLVM::GlobalOp memory =
      getSharedMemory(user->getParentOfType<gpu::GPUModuleOp>(), builder);
  Value start = LLVM::AddressOfOp::create(builder, loc, memory);
  Value address =
      LLVM::PtrToIntOp::create(builder, loc, builder.getI32Type(), start);
  if (offset)
    address = arith::AddIOp::create(builder, loc, address,
                                    createI32(builder, loc, offset));
  return address;
}

//===----------------------------------------------------------------------===//
// Buffers
//===----------------------------------------------------------------------===//

namespace {

struct LowerAlloc : OpConversionPattern<AllocOp> {
  using OpConversionPattern::OpConversionPattern;
  LogicalResult
  matchAndRewrite(AllocOp op, OneToNOpAdaptor,
                  ConversionPatternRewriter &rewriter) const override {
    if (!op.getOffset())
      return op.emitOpError("expects an offset; run diffattn-tile-allocate");
    rewriter.replaceOp(
        op, createSharedAddress(rewriter, op.getLoc(), op, *op.getOffset()));
    return success();
  }
};

struct LowerSlot : OpConversionPattern<SlotOp> {
  using OpConversionPattern::OpConversionPattern;
  LogicalResult
  matchAndRewrite(SlotOp op, OneToNOpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    Location loc = op.getLoc();
    Value index = arith::IndexCastOp::create(
        rewriter, loc, rewriter.getI32Type(), adaptor.getIndex().front());
    rewriter.replaceOp(
        op, createAddress(rewriter, loc, adaptor.getRing().front(), index,
                          op.getRing().getType().getSlotBytes()));
    return success();
  }
};

struct LowerReuse : OpConversionPattern<ReuseOp> {
  using OpConversionPattern::OpConversionPattern;
  LogicalResult
  matchAndRewrite(ReuseOp op, OneToNOpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    rewriter.replaceOp(op, adaptor.getSource().front());
    return success();
  }
};

//===----------------------------------------------------------------------===//
// Matrices
//===----------------------------------------------------------------------===//

/// Matrix operands by ldmatrix.
struct LowerMatrixLoad : OpConversionPattern<LocalLoadOp> {
  using OpConversionPattern::OpConversionPattern;
  LogicalResult
  matchAndRewrite(LocalLoadOp op, OneToNOpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    Location loc = op.getLoc();
    auto type = op.getResult().getType();
    BufferType source = op.getSource().getType();
    auto access = getMatrixAccess(type, source, op.getOffsets());
    if (!access)
      return rewriter.notifyMatchFailure(op, "no matrix operand");
    auto offsets = ThreadOffsets::fit(*access, source.getLayout());
    if (failed(offsets))
      return rewriter.notifyMatchFailure(op, "addresses of another form");

    Value base =
        offsets->createBase(rewriter, loc, createThreadId(rewriter, loc));
    auto pair = VectorType::get({2}, type.getElementType());
    SmallVector<Value> registers;
    for (int64_t load = 0; load < access->count; ++load) {
      Value pointer = offsets->createPointer(
          rewriter, loc, adaptor.getSource().front(), base, load);
      for (Value value :
           createLoad(rewriter, loc, pointer, access->matricesPerAccess,
                      access->transposed))
        registers.push_back(
            LLVM::BitcastOp::create(rewriter, loc, pair, value));
    }
    rewriter.replaceOpWithMultiple(op, {registers});
    return success();
  }

private:
  static SmallVector<Value> createLoad(OpBuilder &builder, Location loc,
                                       Value pointer, int64_t count,
                                       bool transposed) {
    MLIRContext *context = builder.getContext();
    Type i32 = builder.getI32Type();
    Type type = i32;
    if (count > 1)
      type = LLVM::LLVMStructType::getLiteral(context,
                                              SmallVector<Type>(count, i32));
    Value loaded = NVVM::LdMatrixOp::create(
        builder, loc, type, pointer, count,
        transposed ? NVVM::MMALayout::col : NVVM::MMALayout::row,
        NVVM::LdStMatrixShapeAttr::get(context, 8, 8),
        NVVM::LdStMatrixEltType::B16);
    if (count == 1)
      return {loaded};
    SmallVector<Value> values;
    for (int64_t i = 0; i < count; ++i)
      values.push_back(LLVM::ExtractValueOp::create(builder, loc, loaded, i));
    return values;
  }
};

/// Accumulators by stmatrix.
struct LowerMatrixStore : OpConversionPattern<LocalStoreOp> {
  using OpConversionPattern::OpConversionPattern;
  LogicalResult
  matchAndRewrite(LocalStoreOp op, OneToNOpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    Location loc = op.getLoc();
    auto type = op.getValue().getType();
    BufferType dest = op.getDest().getType();
    auto access = getStoreMatrixAccess(op, dest);
    if (!access)
      return rewriter.notifyMatchFailure(op, "no matrices");
    auto offsets = ThreadOffsets::fit(*access, dest.getLayout());
    if (failed(offsets))
      return rewriter.notifyMatchFailure(op, "addresses of another form");
    Value thread = arith::RemUIOp::create(
        rewriter, loc, pin(rewriter, loc, createThreadId(rewriter, loc)),
        createI32(rewriter, loc, getLayout(type).getNumWarps() * 32));
    Value base = offsets->createBase(rewriter, loc, thread);
    ValueRange pairs = adaptor.getValue();
    for (int64_t store = 0; store < access->count; ++store) {
      SmallVector<Value> sources;
      for (Value pair : pairs.slice(store * access->matricesPerAccess,
                                    access->matricesPerAccess))
        sources.push_back(LLVM::BitcastOp::create(rewriter, loc,
                                                  rewriter.getI32Type(), pair));
      NVVM::StMatrixOp::create(
          rewriter, loc,
          offsets->createPointer(rewriter, loc, adaptor.getDest().front(), base,
                                 store),
          sources, NVVM::MMALayout::row,
          NVVM::LdStMatrixShapeAttr::get(op.getContext(), 8, 8),
          NVVM::LdStMatrixEltType::B16);
    }
    rewriter.eraseOp(op);
    return success();
  }

private:
  /// Addresses that follow from `value` are computed here: LLVM would have them
  /// ready before the loop over tiles, in registers that products need.
  static Value pin(OpBuilder &builder, Location loc, Value value) {
    return LLVM::InlineAsmOp::create(
               builder, loc, value.getType(), value, "", "=r,0",
               /*has_side_effects=*/true, /*is_align_stack=*/false,
               LLVM::TailCallKind::None, LLVM::AsmDialectAttr(), ArrayAttr())
        ->getResult(0);
  }
};

//===----------------------------------------------------------------------===//
// Runs of registers
//===----------------------------------------------------------------------===//

/// The number of this thread among those of a tensor: in a role, of its team.
Value createTensorThread(OpBuilder &builder, Operation *op,
                         RankedTensorType tensor) {
  Location loc = op->getLoc();
  Value thread = createThreadId(builder, loc);
  if (!op->getParentOfType<RolesOp>())
    return thread;
  return arith::RemUIOp::create(
      builder, loc, thread,
      createI32(builder, loc, getLayout(tensor).getNumWarps() * 32));
}

/// What one access of a vector access moves: the values that a tensor is held
/// in (pairs of 16-bit elements are one), as integers of their size.
struct VectorUnit {
  VectorUnit(RankedTensorType tensor, const SharedAccess &access)
      : bytes(access.bytes) {
    int64_t elementBits = tensor.getElementTypeBitWidth();
    isSplit = isPacked(tensor) && access.bytes * 8 == elementBits;
    value = isPacked(tensor) && !isSplit
                ? VectorType::get({2}, tensor.getElementType())
                : tensor.getElementType();
    int64_t bits = isPacked(tensor) && !isSplit ? 32 : elementBits;
    integer = IntegerType::get(tensor.getContext(), bits);
    count = access.bytes * 8 / bits;
    memory = count == 1 ? Type(integer) : VectorType::get({count}, integer);
  }

  static Value cast(OpBuilder &builder, Location loc, Value value, Type type) {
    if (value.getType() == type)
      return value;
    return LLVM::BitcastOp::create(builder, loc, type, value);
  }

  int64_t bytes, count;
  /// Whether pairs are taken apart: their elements are no neighbours.
  bool isSplit;
  Type value, integer, memory;
};

struct LowerVectorLoad : OpConversionPattern<LocalLoadOp> {
  using OpConversionPattern::OpConversionPattern;
  LogicalResult
  matchAndRewrite(LocalLoadOp op, OneToNOpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    Location loc = op.getLoc();
    auto type = op.getResult().getType();
    BufferType source = op.getSource().getType();
    SharedAccess access = getVectorAccess(type, source, op.getOffsets());
    auto offsets = ThreadOffsets::fit(access, source.getLayout());
    if (failed(offsets))
      return op.emitOpError("expects addresses that are a base and constants");
    VectorUnit unit(type, access);
    Value base = offsets->createBase(rewriter, loc,
                                     createTensorThread(rewriter, op, type));
    SmallVector<Value> values;
    for (int64_t i = 0; i < access.count; ++i) {
      Value pointer = offsets->createPointer(
          rewriter, loc, adaptor.getSource().front(), base, i);
      Value loaded = LLVM::LoadOp::create(rewriter, loc, unit.memory, pointer,
                                          /*alignment=*/unit.bytes);
      for (int64_t j = 0; j < unit.count; ++j) {
        Value part = loaded;
        if (unit.count > 1)
          part = LLVM::ExtractElementOp::create(rewriter, loc, loaded,
                                                createI32(rewriter, loc, j));
        values.push_back(VectorUnit::cast(rewriter, loc, part, unit.value));
      }
    }
    if (unit.isSplit)
      values = packRegisters(rewriter, loc, values, type);
    rewriter.replaceOpWithMultiple(op, {values});
    return success();
  }
};

struct LowerVectorStore : OpConversionPattern<LocalStoreOp> {
  using OpConversionPattern::OpConversionPattern;
  LogicalResult
  matchAndRewrite(LocalStoreOp op, OneToNOpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    Location loc = op.getLoc();
    auto type = op.getValue().getType();
    BufferType dest = op.getDest().getType();
    SharedAccess access = getVectorAccess(type, dest, {});
    auto offsets = ThreadOffsets::fit(access, dest.getLayout());
    if (failed(offsets))
      return op.emitOpError("expects addresses that are a base and constants");
    VectorUnit unit(type, access);
    SmallVector<Value> values(adaptor.getValue());
    if (unit.isSplit)
      values = unpackRegisters(rewriter, loc, values, type);
    Value base = offsets->createBase(rewriter, loc,
                                     createTensorThread(rewriter, op, type));
    for (int64_t i = 0; i < access.count; ++i) {
      Value stored;
      if (unit.count > 1)
        stored = LLVM::PoisonOp::create(rewriter, loc, unit.memory);
      for (int64_t j = 0; j < unit.count; ++j) {
        Value part = VectorUnit::cast(rewriter, loc, values[i * unit.count + j],
                                      unit.integer);
        stored =
            unit.count == 1
                ? part
                : LLVM::InsertElementOp::create(rewriter, loc, stored, part,
                                                createI32(rewriter, loc, j))
                      .getResult();
      }
      Value pointer = offsets->createPointer(
          rewriter, loc, adaptor.getDest().front(), base, i);
      LLVM::StoreOp::create(rewriter, loc, stored, pointer,
                            /*alignment=*/unit.bytes);
    }
    rewriter.eraseOp(op);
    return success();
  }
};

} // namespace

void mlir::diffattn::tile::populateSharedPatterns(
    const TypeConverter &converter, RewritePatternSet &patterns) {
  MLIRContext *context = patterns.getContext();
  patterns.add<LowerAlloc, LowerSlot, LowerReuse, LowerVectorLoad,
               LowerVectorStore>(converter, context);
  patterns.add<LowerMatrixLoad, LowerMatrixStore>(converter, context,
                                                  /*benefit=*/2);
}
