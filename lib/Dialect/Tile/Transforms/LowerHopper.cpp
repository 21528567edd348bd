//===- LowerHopper.cpp - Roles, barriers, copies, products of sm_90a ------===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What ptxas makes of this code decides its speed, so the rules that it taught:
// loops that wait are one piece of assembly (a branch that it sees serialises
// products), arrivals are predicated for the same reason, ring indices come
// from `redux.sync` or constants so that descriptors stay in uniform registers,
// and the registers of a product pass through empty assembly before its fence
// and after its wait, where LLVM would otherwise move arithmetic across.
//
//===----------------------------------------------------------------------===//

#include "ThreadCode.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/MathExtras.h"
#include "llvm/Support/raw_ostream.h"

using namespace mlir;
using namespace mlir::diffattn::tile;

static constexpr int64_t teamThreads = 128;

namespace {

/// The number of this thread in its team, an i32.
Value createTeamThread(OpBuilder &builder, Location loc) {
  return arith::AndIOp::create(builder, loc, createThreadId(builder, loc),
                               createI32(builder, loc, teamThreads - 1));
}

Value createIsZero(OpBuilder &builder, Location loc, Value number) {
  return arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::eq, number,
                               createI32(builder, loc, 0));
}

/// A value that the assembler sees to be the same in all threads of a warp.
/// `lanes` has a bit for each thread that is here.
Value createUniform(OpBuilder &builder, Location loc, Value value,
                    int64_t lanes = -1) {
  return NVVM::ReduxOp::create(builder, loc, value.getType(), value,
                               NVVM::ReduxKind::OR,
                               createI32(builder, loc, lanes));
}

/// Assembly that must stay where it is. `result` may be null.
LLVM::InlineAsmOp createAsm(OpBuilder &builder, Location loc, Type result,
                            ValueRange operands, const Twine &code,
                            const Twine &constraints) {
  return LLVM::InlineAsmOp::create(
      builder, loc, result ? TypeRange(result) : TypeRange(), operands,
      code.str(), constraints.str(), /*has_side_effects=*/true,
      /*is_align_stack=*/false, LLVM::TailCallKind::None,
      LLVM::AsmDialectAttr::get(builder.getContext(), LLVM::AsmDialect::AD_ATT),
      /*operand_attrs=*/ArrayAttr());
}

/// The address of the barrier that an op names.
template <typename Adaptor>
Value createBarrierAddress(OpBuilder &builder, Location loc, Adaptor adaptor) {
  return createAddress(builder, loc, adaptor.getBarriers().front(),
                       adaptor.getIndex().front(), BarriersType::barrierBytes);
}

//===----------------------------------------------------------------------===//
// Barriers
//===----------------------------------------------------------------------===//

struct LowerBarriers : OpConversionPattern<BarriersOp> {
  using OpConversionPattern::OpConversionPattern;
  LogicalResult
  matchAndRewrite(BarriersOp op, OneToNOpAdaptor,
                  ConversionPatternRewriter &rewriter) const override {
    if (!op.getOffset())
      return op.emitOpError("expects an offset; run diffattn-tile-allocate");
    Location loc = op.getLoc();
    Value first = createSharedAddress(rewriter, loc, op, *op.getOffset());
    Value isFirst = createIsZero(rewriter, loc, createThreadId(rewriter, loc));
    Value arrivals = createI32(rewriter, loc, op.getArrivals());
    for (int64_t i = 0, end = op.getBarriers().getType().getCount(); i < end;
         ++i) {
      Value address =
          createAddress(rewriter, loc, first, createI32(rewriter, loc, i),
                        BarriersType::barrierBytes);
      NVVM::MBarrierInitOp::create(rewriter, loc,
                                   createSharedPointer(rewriter, loc, address),
                                   arrivals, isFirst);
    }
    rewriter.replaceOp(op, first);
    return success();
  }
};

struct LowerArrive : OpConversionPattern<ArriveOp> {
  using OpConversionPattern::OpConversionPattern;
  LogicalResult
  matchAndRewrite(ArriveOp op, OneToNOpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    Location loc = op.getLoc();
    Value address = createBarrierAddress(rewriter, loc, adaptor);
    if (op.getCluster()) {
      // One thread for each block.
      Value thread = createTeamThread(rewriter, loc);
      createAsm(rewriter, loc, Type(),
                {address, thread, createI32(rewriter, loc, *op.getCluster())},
                "{\n.reg .pred p;\n.reg .b32 a;\nsetp.lt.u32 p, $1, $2;\n"
                "@p mapa.shared::cluster.u32 a, $0, $1;\n"
                "@p mbarrier.arrive.release.cluster.shared::cluster.b64 _, "
                "[a];\n}",
                "r,r,r,~{memory}");
    } else if (op->getParentOfType<ElectedOp>()) {
      createAsm(rewriter, loc, Type(), address,
                "mbarrier.arrive.shared::cta.b64 _, [$0];", "r,~{memory}");
    } else {
      Value thread = createTeamThread(rewriter, loc);
      createAsm(rewriter, loc, Type(), {address, thread},
                "{\n.reg .pred p;\nsetp.eq.s32 p, $1, 0;\n"
                "@p mbarrier.arrive.shared::cta.b64 _, [$0];\n}",
                "r,r,~{memory}");
    }
    rewriter.eraseOp(op);
    return success();
  }
};

struct LowerExpect : OpConversionPattern<ExpectOp> {
  using OpConversionPattern::OpConversionPattern;
  LogicalResult
  matchAndRewrite(ExpectOp op, OneToNOpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    Location loc = op.getLoc();
    Value address = createBarrierAddress(rewriter, loc, adaptor);
    createAsm(rewriter, loc, Type(),
              {address, createI32(rewriter, loc, op.getBytes())},
              "mbarrier.arrive.expect_tx.shared::cta.b64 _, [$0], $1;",
              "r,r,~{memory}");
    rewriter.eraseOp(op);
    return success();
  }
};

struct LowerWait : OpConversionPattern<WaitOp> {
  using OpConversionPattern::OpConversionPattern;
  LogicalResult
  matchAndRewrite(WaitOp op, OneToNOpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    Location loc = op.getLoc();
    Value address = createBarrierAddress(rewriter, loc, adaptor);
    createAsm(rewriter, loc, Type(), {address, adaptor.getPhase().front()},
              "{\n.reg .pred p;\n.reg .b32 n;\nmov.b32 n, 0;\nAGAIN:\n"
              "mbarrier.try_wait.parity.shared::cta.b64 p, [$0], $1;\n"
              "@p bra DONE;\nadd.s32 n, n, 1;\nsetp.gt.u32 p, n, 1048576;\n"
              "@p trap;\nbra AGAIN;\nDONE:\n}",
              "r,r,~{memory}");
    rewriter.eraseOp(op);
    return success();
  }
};

struct LowerFence : OpConversionPattern<FenceOp> {
  using OpConversionPattern::OpConversionPattern;
  LogicalResult
  matchAndRewrite(FenceOp op, OneToNOpAdaptor,
                  ConversionPatternRewriter &rewriter) const override {
    MLIRContext *context = op.getContext();
    if (op.getKind() == FenceKind::BarrierInit)
      rewriter.replaceOpWithNewOp<NVVM::FenceMbarrierInitOp>(op);
    else
      rewriter.replaceOpWithNewOp<NVVM::FenceProxyOp>(
          op, NVVM::ProxyKindAttr::get(context, NVVM::ProxyKind::async_shared),
          NVVM::SharedSpaceAttr::get(context, NVVM::SharedSpace::shared_cta));
    return success();
  }
};

struct LowerClusterRank : OpConversionPattern<ClusterRankOp> {
  using OpConversionPattern::OpConversionPattern;
  LogicalResult
  matchAndRewrite(ClusterRankOp op, OneToNOpAdaptor,
                  ConversionPatternRewriter &rewriter) const override {
    rewriter.replaceOpWithNewOp<NVVM::ClusterId>(op, rewriter.getI32Type());
    return success();
  }
};

struct LowerClusterBarrier : OpConversionPattern<ClusterBarrierOp> {
  using OpConversionPattern::OpConversionPattern;
  LogicalResult
  matchAndRewrite(ClusterBarrierOp op, OneToNOpAdaptor,
                  ConversionPatternRewriter &rewriter) const override {
    NVVM::ClusterArriveOp::create(rewriter, op.getLoc(),
                                  /*aligned=*/UnitAttr());
    rewriter.replaceOpWithNewOp<NVVM::ClusterWaitOp>(op,
                                                     /*aligned=*/UnitAttr());
    return success();
  }
};

struct LowerTeamBarrier : OpConversionPattern<TeamBarrierOp> {
  using OpConversionPattern::OpConversionPattern;
  LogicalResult
  matchAndRewrite(TeamBarrierOp op, OneToNOpAdaptor,
                  ConversionPatternRewriter &rewriter) const override {
    Location loc = op.getLoc();
    Value warpgroup =
        arith::DivUIOp::create(rewriter, loc, createThreadId(rewriter, loc),
                               createI32(rewriter, loc, teamThreads));
    Value number = arith::AddIOp::create(rewriter, loc, warpgroup,
                                         createI32(rewriter, loc, 1));
    createAsm(rewriter, loc, Type(), number,
              "barrier.sync $0, " + Twine(teamThreads) + ";", "r,~{memory}");
    rewriter.eraseOp(op);
    return success();
  }
};

/// Named barriers: 0 is of the block, the next ones of each warpgroup
/// (team_barrier), those from here on of the turn of each team.
constexpr int64_t firstTurnBarrier = 8;

/// The barrier of the turn of this team, or of the one after it. Teams are the
/// last warpgroups of the block.
Value createTurnBarrier(OpBuilder &builder, Operation *op, bool isNext) {
  Location loc = op->getLoc();
  Region *region = op->getParentRegion();
  while (!isa<RolesOp>(region->getParentOp()))
    region = region->getParentRegion();
  auto roles = cast<RolesOp>(region->getParentOp());
  int64_t teams = roles.getWarpgroups()[region->getRegionNumber()];
  Value team = region->getArgument(0);
  if (isNext) {
    Value isLast =
        arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::eq, team,
                              createI32(builder, loc, teams - 1));
    Value next =
        arith::AddIOp::create(builder, loc, team, createI32(builder, loc, 1));
    team = arith::SelectOp::create(builder, loc, isLast,
                                   createI32(builder, loc, 0), next);
  }
  return arith::AddIOp::create(builder, loc, team,
                               createI32(builder, loc, firstTurnBarrier));
}

template <typename Op>
struct LowerTurn : OpConversionPattern<Op> {
  using OpConversionPattern<Op>::OpConversionPattern;
  LogicalResult
  matchAndRewrite(Op op, typename OpConversionPattern<Op>::OneToNOpAdaptor,
                  ConversionPatternRewriter &rewriter) const override {
    // Two teams meet at a barrier: one waits, the other goes on.
    constexpr bool passes = std::is_same_v<Op, PassTurnOp>;
    createAsm(rewriter, op.getLoc(), Type(),
              createTurnBarrier(rewriter, op, /*isNext=*/passes),
              Twine(passes ? "barrier.arrive" : "barrier.sync") + " $0, " +
                  Twine(2 * teamThreads) + ";",
              "r,~{memory}");
    rewriter.eraseOp(op);
    return success();
  }
};

//===----------------------------------------------------------------------===//
// Scalars
//===----------------------------------------------------------------------===//

struct LowerWriteScalars : OpConversionPattern<WriteScalarsOp> {
  using OpConversionPattern::OpConversionPattern;
  LogicalResult
  matchAndRewrite(WriteScalarsOp op, OneToNOpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    Location loc = op.getLoc();
    auto type = VectorType::get({static_cast<int64_t>(op.getValues().size())},
                                rewriter.getI32Type());
    Value vector = LLVM::PoisonOp::create(rewriter, loc, type);
    for (auto [i, value] : llvm::enumerate(adaptor.getValues()))
      vector = LLVM::InsertElementOp::create(
          rewriter, loc, vector, value.front(), createI32(rewriter, loc, i));
    LLVM::StoreOp::create(
        rewriter, loc, vector,
        createSharedPointer(rewriter, loc, adaptor.getDest().front()),
        /*alignment=*/4 * op.getValues().size());
    rewriter.eraseOp(op);
    return success();
  }
};

struct LowerFetchAdd : OpConversionPattern<FetchAddOp> {
  using OpConversionPattern::OpConversionPattern;
  LogicalResult
  matchAndRewrite(FetchAddOp op, OneToNOpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    Location loc = op.getLoc();
    auto metadata =
        memref::ExtractStridedMetadataOp::create(rewriter, loc, op.getMemory());
    Value start = memref::ExtractAlignedPointerAsIndexOp::create(
        rewriter, loc, metadata.getBaseBuffer());
    // (offset + index * stride) * 4 bytes
    Value step = arith::MulIOp::create(
        rewriter, loc, adaptor.getIndex().front(), metadata.getStrides()[0]);
    step = arith::AddIOp::create(rewriter, loc, step, metadata.getOffset());
    step = arith::MulIOp::create(
        rewriter, loc, step, arith::ConstantIndexOp::create(rewriter, loc, 4));
    Value address = arith::IndexCastOp::create(
        rewriter, loc, rewriter.getI64Type(),
        arith::AddIOp::create(rewriter, loc, start, step));
    Value pointer = LLVM::IntToPtrOp::create(
        rewriter, loc, LLVM::LLVMPointerType::get(op.getContext(), 1), address);
    rewriter.replaceOp(op, LLVM::AtomicRMWOp::create(
                               rewriter, loc, LLVM::AtomicBinOp::add, pointer,
                               adaptor.getValue().front(),
                               LLVM::AtomicOrdering::monotonic, "device"));
    return success();
  }
};

struct LowerReadScalars : OpConversionPattern<ReadScalarsOp> {
  using OpConversionPattern::OpConversionPattern;
  LogicalResult
  matchAndRewrite(ReadScalarsOp op, OneToNOpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    Location loc = op.getLoc();
    int64_t count = op.getValues().size();
    auto type = VectorType::get({count}, rewriter.getI32Type());
    Value vector = LLVM::LoadOp::create(
        rewriter, loc, type,
        createSharedPointer(rewriter, loc, adaptor.getSource().front()),
        /*alignment=*/4 * count);
    SmallVector<Value> values;
    for (int64_t i = 0; i < count; ++i)
      values.push_back(LLVM::ExtractElementOp::create(
          rewriter, loc, vector, createI32(rewriter, loc, i)));
    rewriter.replaceOp(op, values);
    return success();
  }
};

//===----------------------------------------------------------------------===//
// Products
//===----------------------------------------------------------------------===//

/// Passes registers through empty assembly: nothing that reads or writes them
/// crosses it.
SmallVector<Value> pin(OpBuilder &builder, Location loc, ValueRange values) {
  SmallVector<Value> results;
  for (Value value : values) {
    bool isFloat = value.getType().isF32();
    results.push_back(createAsm(builder, loc, value.getType(), value, "",
                                isFloat ? "=f,0,~{memory}" : "=r,0,~{memory}")
                          .getRes());
  }
  return results;
}

/// A matrix in shared memory as wgmma sees it (PTX ISA, "Matrix descriptor"):
/// panels as wide as the swizzle, `panelBytes` apart, in groups of eight rows.
Value createDescriptor(OpBuilder &builder, Location loc, Value address,
                       BufferType buffer, int64_t panelBytes) {
  int64_t swizzle = buffer.getLayout().getSwizzle();
  int64_t groupBytes = 8 * swizzle;
  // 1 is for 128 bytes, 2 for 64, 3 for 32.
  uint64_t mode = 1 + llvm::Log2_64(128 / swizzle);
  int64_t fixed = panelBytes / 16 << 16 | groupBytes / 16 << 32 |
                  static_cast<int64_t>(mode << 62);
  Value start =
      arith::ShRUIOp::create(builder, loc, address, createI32(builder, loc, 4));
  start = arith::AndIOp::create(builder, loc, start,
                                createI32(builder, loc, 0x3FFF));
  Type i64 = builder.getI64Type();
  return arith::OrIOp::create(
      builder, loc, arith::ExtUIOp::create(builder, loc, i64, start),
      arith::ConstantIntOp::create(builder, loc, fixed, 64));
}

struct LowerDotAsync : OpConversionPattern<DotAsyncOp> {
  using OpConversionPattern::OpConversionPattern;
  LogicalResult
  matchAndRewrite(DotAsyncOp op, OneToNOpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    Location loc = op.getLoc();
    BufferType rhs = op.getRhs().getType();
    auto lhs = dyn_cast<BufferType>(op.getLhs().getType());
    RankedTensorType result = op.getResult().getType().getTensor();
    auto layout = cast<FragmentAttr>(result.getEncoding());

    SmallVector<Value> acc;
    if (op.getAcc()) {
      acc = pin(rewriter, loc, adaptor.getAcc());
    } else {
      // Never read, but it ends what was in these registers.
      Value zero =
          arith::ConstantOp::create(rewriter, loc, rewriter.getF32FloatAttr(0));
      acc.assign(layout.getNumRegisters(), zero);
    }
    int64_t panel = rhs.getShape()[0] * rhs.getLayout().getSwizzle();
    Value b = createDescriptor(rewriter, loc, adaptor.getRhs().front(), rhs,
                               op.getTransposed() ? 16 : panel);
    SmallVector<Value> a;
    if (lhs)
      a.push_back(
          createDescriptor(rewriter, loc, adaptor.getLhs().front(), lhs, 16));
    else
      a = pin(rewriter, loc, toIntegers(rewriter, loc, adaptor.getLhs()));

    NVVM::WgmmaFenceAlignedOp::create(rewriter, loc);
    SmallVector<Value> operands(acc);
    operands.append(a);
    operands.push_back(b);
    std::string constraints =
        getConstraints(acc.size(), lhs ? 0 : a.size(), static_cast<bool>(lhs));
    auto structType = LLVM::LLVMStructType::getLiteral(
        op.getContext(), SmallVector<Type>(acc.size(), rewriter.getF32Type()));
    Value product =
        createAsm(rewriter, loc, structType, operands,
                  getCode(op, lhs, rhs, acc.size(), a.size()), constraints)
            .getRes();
    NVVM::WgmmaGroupSyncAlignedOp::create(rewriter, loc);
    SmallVector<Value> registers;
    for (size_t i = 0; i < acc.size(); ++i)
      registers.push_back(
          LLVM::ExtractValueOp::create(rewriter, loc, product, i));
    rewriter.replaceOpWithMultiple(op, {registers});
    return success();
  }

private:
  static SmallVector<Value> toIntegers(OpBuilder &builder, Location loc,
                                       ValueRange pairs) {
    SmallVector<Value> integers;
    for (Value pair : pairs)
      integers.push_back(
          LLVM::BitcastOp::create(builder, loc, builder.getI32Type(), pair));
    return integers;
  }

  static std::string getConstraints(size_t acc, size_t registersA, bool lhs) {
    std::string text;
    llvm::raw_string_ostream os(text);
    for (size_t i = 0; i < acc; ++i)
      os << "=f,";
    for (size_t i = 0; i < acc; ++i)
      os << i << ',';
    for (size_t i = 0; i < registersA; ++i)
      os << "r,";
    os << (lhs ? "l,l" : "l") << ",~{memory}";
    return text;
  }

  /// All instructions of the product, as one piece.
  static std::string getCode(DotAsyncOp op, BufferType lhs, BufferType rhs,
                             size_t acc, size_t registersA) {
    bool transposed = op.getTransposed();
    int64_t k = rhs.getShape()[transposed ? 1 : 0],
            n = rhs.getShape()[transposed ? 0 : 1];
    StringRef type = rhs.getElementType().isBF16() ? "bf16" : "f16";
    size_t firstA = 2 * acc, b = firstA + registersA;
    std::string text;
    llvm::raw_string_ostream os(text);
    os << "{\n.reg .pred p;\n.reg .b32 z;\n.reg .b64 a, b;\nmov.b32 z, "
       << (op.getAcc() ? 1 : 0) << ";\nsetp.ne.b32 p, z, 0;\n";
    for (int64_t step = 0; step < k / 16; ++step) {
      int64_t along = step * 16;
      SmallVector<int64_t> position = {transposed ? 0 : along,
                                       transposed ? along : 0};
      os << "add.s64 b, $" << b << ", "
         << rhs.getLayout().getByteOffset(position, 2) / 16 << ";\n";
      if (lhs) {
        SmallVector<int64_t> row(lhs.getRank(), 0);
        row.back() = along;
        os << "add.s64 a, $" << firstA << ", "
           << lhs.getLayout().getByteOffset(row, 2) / 16 << ";\n";
      }
      os << "wgmma.mma_async.sync.aligned.m64n" << n << "k16.f32." << type
         << '.' << type << " {";
      for (size_t i = 0; i < acc; ++i)
        os << (i ? ", $" : "$") << i;
      os << "}, ";
      if (lhs) {
        os << 'a';
      } else {
        os << '{';
        for (size_t i = 0; i < 4; ++i)
          os << (i ? ", $" : "$") << firstA + 4 * step + i;
        os << '}';
      }
      os << ", b, " << (step ? "1" : "p") << ", 1, 1" << (lhs ? ", 0" : "")
         << (transposed ? ", 0" : ", 1") << ";\n";
    }
    os << "}";
    return text;
  }
};

struct LowerDotWait : OpConversionPattern<DotWaitOp> {
  using OpConversionPattern::OpConversionPattern;
  LogicalResult
  matchAndRewrite(DotWaitOp op, OneToNOpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    Location loc = op.getLoc();
    NVVM::WgmmaWaitGroupSyncOp::create(rewriter, loc, op.getCount());
    rewriter.replaceOpWithMultiple(op,
                                   {pin(rewriter, loc, adaptor.getSource())});
    return success();
  }
};

//===----------------------------------------------------------------------===//
// Values
//===----------------------------------------------------------------------===//

struct LowerUniform : OpConversionPattern<UniformOp> {
  using OpConversionPattern::OpConversionPattern;
  LogicalResult
  matchAndRewrite(UniformOp op, OneToNOpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    // The elected thread is the first of its warp.
    int64_t lanes = op->getParentOfType<ElectedOp>() ? 1 : -1;
    rewriter.replaceOp(op, createUniform(rewriter, op.getLoc(),
                                         adaptor.getSource().front(), lanes));
    return success();
  }
};

struct LowerThreadReduce : OpConversionPattern<ThreadReduceOp> {
  using OpConversionPattern::OpConversionPattern;
  LogicalResult
  matchAndRewrite(ThreadReduceOp op, OneToNOpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    auto source = op.getSource().getType(), result = op.getResult().getType();
    auto from = cast<FragmentAttr>(source.getEncoding()),
         to = cast<FragmentAttr>(result.getEncoding());
    auto target = mapRegisters(from, source.getRank(), to, result.getRank(),
                               [&](SmallVector<int64_t> position) {
                                 position[op.getDim()] = 0;
                                 return position;
                               });
    if (failed(target))
      return failure();
    rewriter.replaceOpWithMultiple(
        op,
        {combineRegisters(rewriter, op.getLoc(), op.getKind(),
                          adaptor.getSource(), *target, to.getNumRegisters(),
                          op.getKind() != ReduceKind::Add)});
    return success();
  }
};

struct LowerWarpAny : OpConversionPattern<WarpAnyOp> {
  using OpConversionPattern::OpConversionPattern;
  LogicalResult
  matchAndRewrite(WarpAnyOp op, OneToNOpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    Location loc = op.getLoc();
    Value any;
    for (Value value : adaptor.getSource())
      any = any ? arith::OrIOp::create(rewriter, loc, any, value).getResult()
                : value;
    rewriter.replaceOp(
        op, NVVM::VoteSyncOp::create(rewriter, loc, rewriter.getI1Type(),
                                     createI32(rewriter, loc, -1), any,
                                     NVVM::VoteSyncKind::any));
    return success();
  }
};

} // namespace

//===----------------------------------------------------------------------===//
// Roles
//===----------------------------------------------------------------------===//

/// Moves the body of `region`, which has no terminator, to the end of `block`
/// before its terminator.
static void moveBody(Region &region, Block &block, ValueRange arguments) {
  Block &body = region.front();
  for (auto [argument, value] : llvm::zip_equal(body.getArguments(), arguments))
    argument.replaceAllUsesWith(value);
  Operation *end = block.getTerminator();
  block.getOperations().splice(end->getIterator(), body.getOperations());
}

static void expandElected(ElectedOp op) {
  OpBuilder builder(op);
  Location loc = op.getLoc();
  Value isFirst = arith::CmpIOp::create(
      builder, loc, arith::CmpIPredicate::eq, createTeamThread(builder, loc),
      createI32(builder, loc, 32 * op.getWarp()));
  auto branch = scf::IfOp::create(builder, loc, isFirst, false);
  moveBody(op.getBody(), *branch.thenBlock(), {});
  op.erase();
}

/// setmaxnreg for a role of a kernel that starts with an even share.
static void createRegisterBudget(OpBuilder &builder, Location loc,
                                 int64_t registers, int64_t share) {
  if (registers == share)
    return;
  NVVM::SetMaxRegisterOp::create(builder, loc, registers,
                                 registers > share
                                     ? NVVM::SetMaxRegisterAction::increase
                                     : NVVM::SetMaxRegisterAction::decrease);
}

static void expandRoles(RolesOp op) {
  OpBuilder builder(op);
  Location loc = op.getLoc();
  Value number =
      arith::DivUIOp::create(builder, loc, createThreadId(builder, loc),
                             createI32(builder, loc, teamThreads));
  number = createUniform(builder, loc, number);
  int64_t threads = op.getNumWarpgroups() * teamThreads, first = 0;
  for (auto [region, warpgroups, registers] :
       llvm::zip_equal(op.getRoles(), op.getWarpgroups(), op.getRegisters())) {
    int64_t end = first + warpgroups;
    Block *block = builder.getInsertionBlock();
    scf::IfOp branch;
    if (end * teamThreads != threads) {
      Value isMember =
          arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::ult, number,
                                createI32(builder, loc, end));
      branch = scf::IfOp::create(builder, loc, isMember, true);
      block = branch.thenBlock();
      builder.setInsertionPointToStart(block);
    }
    Value team = number;
    if (first)
      team = arith::SubIOp::create(builder, loc, number,
                                   createI32(builder, loc, first));
    createRegisterBudget(builder, loc, registers, op.getLaunchRegisters());
    if (branch) {
      moveBody(region, *block, team);
      builder.setInsertionPointToStart(branch.elseBlock());
    } else {
      Block &body = region.front();
      body.getArgument(0).replaceAllUsesWith(team);
      block->getOperations().splice(builder.getInsertionPoint(),
                                    body.getOperations());
    }
    first = end;
  }
  op.erase();
}

void mlir::diffattn::tile::expandRoles(gpu::GPUFuncOp kernel) {
  kernel.walk([](ElectedOp op) { expandElected(op); });
  kernel.walk([](RolesOp op) { ::expandRoles(op); });
}

void mlir::diffattn::tile::convertTensorMaps(gpu::GPUFuncOp kernel) {
  MLIRContext *context = kernel.getContext();
  OpBuilder builder = OpBuilder::atBlockBegin(&kernel.getBody().front());
  auto pointer = LLVM::LLVMPointerType::get(context);
  SmallVector<Type> inputs(kernel.getArgumentTypes());
  for (auto [i, argument] : llvm::enumerate(kernel.getArguments())) {
    Type type = argument.getType();
    if (!isa<TensorMapType>(type))
      continue;
    inputs[i] = pointer;
    argument.setType(pointer);
    auto cast = UnrealizedConversionCastOp::create(builder, kernel.getLoc(),
                                                   type, argument);
    argument.replaceAllUsesExcept(cast.getResult(0), cast);
    // Marks that survive convert-gpu-to-nvvm, for diffattn-tile-finish-kernels.
    kernel.setArgAttr(i, LLVM::LLVMDialect::getAlignAttrName(),
                      builder.getI64IntegerAttr(tensorMapAlignment));
    kernel.setArgAttr(i, LLVM::LLVMDialect::getDereferenceableAttrName(),
                      builder.getI64IntegerAttr(tensorMapBytes));
  }
  kernel.setFunctionType(FunctionType::get(
      context, inputs, kernel.getFunctionType().getResults()));
}

void mlir::diffattn::tile::addHopperTypes(TypeConverter &converter) {
  converter.addConversion([](BarriersType type) -> Type {
    return IntegerType::get(type.getContext(), 32);
  });
  converter.addConversion([](TensorMapType type) -> Type {
    return LLVM::LLVMPointerType::get(type.getContext());
  });
  converter.addConversion(
      [&converter](PendingType type, SmallVectorImpl<Type> &types) {
        return converter.convertType(type.getTensor(), types);
      });
}

void mlir::diffattn::tile::populateHopperPatterns(
    const TypeConverter &converter, RewritePatternSet &patterns) {
  patterns.add<LowerBarriers, LowerArrive, LowerExpect, LowerWait, LowerFence,
               LowerTeamBarrier, LowerTurn<TakeTurnOp>, LowerTurn<PassTurnOp>,
               LowerClusterRank, LowerClusterBarrier, LowerWriteScalars,
               LowerReadScalars, LowerFetchAdd, LowerDotAsync, LowerDotWait,
               LowerUniform, LowerThreadReduce, LowerWarpAny>(
      converter, patterns.getContext());
}
