//===- LowerMemory.cpp - Global memory, for one thread --------------------===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ThreadCode.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "llvm/ADT/SmallBitVector.h"
#include <map>
#include <numeric>

using namespace mlir;
using namespace mlir::diffattn::tile;

//===----------------------------------------------------------------------===//
// Global memory
//===----------------------------------------------------------------------===//

namespace {

/// A strided view of global memory: where it starts, in bytes, and how far it
/// reaches.
struct GlobalView {
  GlobalView(OpBuilder &builder, Location loc, Value memref)
      : type(cast<MemRefType>(memref.getType())),
        metadata(
            memref::ExtractStridedMetadataOp::create(builder, loc, memref)),
        bytes(type.getElementTypeBitWidth() / 8) {
    Value start = memref::ExtractAlignedPointerAsIndexOp::create(
        builder, loc, metadata.getBaseBuffer());
    Value offset = arith::MulIOp::create(builder, loc, metadata.getOffset(),
                                         index(builder, loc, bytes));
    base = arith::AddIOp::create(builder, loc, start, offset);
  }

  /// The byte distance of one step along `dim`.
  Value getStride(OpBuilder &builder, Location loc, unsigned dim) {
    SmallVector<int64_t> strides;
    int64_t offset;
    if (succeeded(type.getStridesAndOffset(strides, offset)) &&
        !ShapedType::isDynamic(strides[dim]))
      return index(builder, loc, strides[dim] * bytes);
    return arith::MulIOp::create(builder, loc, metadata.getStrides()[dim],
                                 index(builder, loc, bytes));
  }

  /// The number of valid positions along `dim`, an i32; null if all `size`.
  Value getExtent(OpBuilder &builder, Location loc, unsigned dim,
                  int64_t size) {
    if (type.getShape()[dim] == size)
      return {};
    return arith::IndexCastOp::create(builder, loc, builder.getI32Type(),
                                      metadata.getSizes()[dim]);
  }

  /// `base` plus the thread's coordinates (i32, null for zero) along each
  /// dimension.
  Value getThreadAddress(OpBuilder &builder, Location loc,
                         ArrayRef<Value> coordinates) {
    Value address = base;
    for (auto [dim, coordinate] : llvm::enumerate(coordinates)) {
      if (!coordinate)
        continue;
      Value position = arith::IndexCastOp::create(
          builder, loc, builder.getIndexType(), coordinate);
      address = arith::AddIOp::create(
          builder, loc, address,
          arith::MulIOp::create(builder, loc, position,
                                getStride(builder, loc, dim)));
    }
    return address;
  }

  static Value index(OpBuilder &builder, Location loc, int64_t value) {
    return arith::ConstantIndexOp::create(builder, loc, value);
  }

  static Value pointer(OpBuilder &builder, Location loc, Value address) {
    Value number =
        arith::IndexCastOp::create(builder, loc, builder.getI64Type(), address);
    return LLVM::IntToPtrOp::create(
        builder, loc, LLVM::LLVMPointerType::get(builder.getContext(), 1),
        number);
  }

  MemRefType type;
  memref::ExtractStridedMetadataOp metadata;
  int64_t bytes;
  Value base;
};

/// `pointer` moved by `bytes` * `stride`, by an instruction that LLVM does not
/// look into: it would share parts of such sums among accesses or carry them
/// around the loop, in two registers each. Strides are read from constant
/// memory by the instruction itself.
static Value createStride(OpBuilder &builder, Location loc, Value pointer,
                          Value bytes, Value stride) {
  auto toI64 = [&](Value value) -> Value {
    return arith::IndexCastOp::create(builder, loc, builder.getI64Type(),
                                      value);
  };
  return LLVM::InlineAsmOp::create(
             builder, loc, pointer.getType(),
             ValueRange{toI64(bytes), toI64(stride), pointer},
             "mad.lo.s64 $0, $1, $2, $3;", "=l,l,l,l",
             /*has_side_effects=*/false, /*is_align_stack=*/false,
             LLVM::TailCallKind::None, LLVM::AsmDialectAttr(), ArrayAttr())
      ->getResult(0);
}

/// Where a thread's part of a view begins that moves along in `loop`: what
/// stays the same is computed before the loop.
static Value createMovingPointer(OpBuilder &builder, Location loc,
                                 memref::SubViewOp view, scf::ForOp loop,
                                 ArrayRef<Value> coordinates) {
  OpBuilder before(loop);
  GlobalView whole(before, loc, view.getSource());
  llvm::SmallBitVector dropped = view.getDroppedDims();
  Value fixed = whole.base;
  auto add = [&](unsigned dim, Value position) {
    fixed = arith::AddIOp::create(
        before, loc, fixed,
        arith::MulIOp::create(before, loc, position,
                              whole.getStride(before, loc, dim)));
  };
  SmallVector<std::pair<unsigned, Value>> moving;
  unsigned resultDim = 0;
  for (auto [dim, offset] : llvm::enumerate(view.getMixedOffsets())) {
    Value coordinate = dropped[dim] ? Value() : coordinates[resultDim++];
    if (coordinate)
      add(dim, arith::IndexCastOp::create(before, loc, before.getIndexType(),
                                          coordinate));
    auto value = dyn_cast<Value>(offset);
    if (value && !loop.isDefinedOutsideOfLoop(value))
      moving.emplace_back(dim, value);
    else
      add(dim, getValueOrCreateConstantIndexOp(before, loc, offset));
  }
  Value pointer = GlobalView::pointer(before, loc, fixed);
  for (auto [dim, position] : moving) {
    Value bytes = arith::MulIOp::create(
        builder, loc, position, GlobalView::index(builder, loc, whole.bytes));
    pointer = createStride(builder, loc, pointer, bytes,
                           whole.metadata.getStrides()[dim]);
  }
  return pointer;
}

/// What a thread needs to reach its registers' elements in global memory.
class GlobalAccess {
public:
  GlobalAccess(OpBuilder &builder, Location loc, Value memref,
               RankedTensorType tile)
      : loc(loc), view(builder, loc, memref), tile(tile),
        layout(getLayout(tile)),
        thread(createThreadCoordinates(builder, loc, layout, tile.getRank())),
        address(view.getThreadAddress(builder, loc, thread)) {
    for (unsigned dim = 0; dim < tile.getRank(); ++dim)
      extents.push_back(
          view.getExtent(builder, loc, dim, tile.getDimSize(dim)));
  }

  SmallVector<int64_t> getPosition(int64_t reg) {
    return layout.getCoordinates(reg, 0, 0, tile.getRank());
  }

  /// The coordinates that decide whether an element is valid.
  SmallVector<int64_t> getGuardKey(ArrayRef<int64_t> position) {
    SmallVector<int64_t> key;
    for (auto [dim, extent] : llvm::enumerate(extents))
      key.push_back(extent ? position[dim] : 0);
    return key;
  }

  /// Whether elements at `position` of this thread are valid; null if always.
  Value createGuard(OpBuilder &builder, ArrayRef<int64_t> position) {
    Value guard;
    for (auto [dim, extent] : llvm::enumerate(extents)) {
      if (!extent)
        continue;
      Value coordinate = createI32(builder, loc, position[dim]);
      if (thread[dim])
        coordinate =
            arith::AddIOp::create(builder, loc, coordinate, thread[dim]);
      Value valid = arith::CmpIOp::create(
          builder, loc, arith::CmpIPredicate::slt, coordinate, extent);
      guard =
          guard ? arith::AndIOp::create(builder, loc, guard, valid).getResult()
                : valid;
    }
    return guard;
  }

  Value createPointer(OpBuilder &builder, ArrayRef<int64_t> position) {
    Value place = address;
    for (auto [dim, coordinate] : llvm::enumerate(position)) {
      if (!coordinate)
        continue;
      Value step =
          arith::MulIOp::create(builder, loc, view.getStride(builder, loc, dim),
                                GlobalView::index(builder, loc, coordinate));
      place = arith::AddIOp::create(builder, loc, place, step);
    }
    return GlobalView::pointer(builder, loc, place);
  }

  /// Of lanes and warps that hold copies, the first; null if none hold copies.
  Value createIsFirstCopy(OpBuilder &builder) {
    Value result;
    Value number = createThreadId(builder, loc);
    int64_t place = 1;
    auto visit = [&](ArrayRef<Digit> digits) {
      for (const Digit &digit : digits) {
        if (digit.dim == Digit::copies) {
          Value copy = arith::DivUIOp::create(builder, loc, number,
                                              createI32(builder, loc, place));
          copy = arith::RemUIOp::create(builder, loc, copy,
                                        createI32(builder, loc, digit.extent));
          Value first =
              arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::eq,
                                    copy, createI32(builder, loc, 0));
          result = result ? arith::AndIOp::create(builder, loc, result, first)
                                .getResult()
                          : first;
        }
        place *= digit.extent;
      }
    };
    visit(layout.getLanes());
    visit(layout.getWarps());
    return result;
  }

  Location loc;
  GlobalView view;
  RankedTensorType tile;
  FragmentAttr layout;
  SmallVector<Value> thread;
  Value address;
  SmallVector<Value> extents;
};

struct LowerLoad : OpConversionPattern<LoadOp> {
  using OpConversionPattern::OpConversionPattern;
  LogicalResult
  matchAndRewrite(LoadOp op, OneToNOpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    Location loc = op.getLoc();
    auto type = op.getResult().getType();
    GlobalAccess access(rewriter, loc, op.getSource(), type);
    Type element = type.getElementType();
    Value zero =
        arith::ConstantOp::create(rewriter, loc, rewriter.getZeroAttr(element));
    SmallVector<Value> registers;
    for (int64_t reg = 0, end = access.layout.getNumRegisters(); reg < end;
         ++reg) {
      SmallVector<int64_t> position = access.getPosition(reg);
      auto load = [&](OpBuilder &builder) -> Value {
        return LLVM::LoadOp::create(builder, loc, element,
                                    access.createPointer(builder, position));
      };
      Value guard = access.createGuard(rewriter, position);
      if (!guard) {
        registers.push_back(load(rewriter));
        continue;
      }
      auto branch = scf::IfOp::create(rewriter, loc, TypeRange{element}, guard,
                                      /*withElseRegion=*/true);
      OpBuilder valid = branch.getThenBodyBuilder();
      scf::YieldOp::create(valid, loc, load(valid));
      OpBuilder beyond = branch.getElseBodyBuilder();
      scf::YieldOp::create(beyond, loc, zero);
      registers.push_back(branch.getResult(0));
    }
    rewriter.replaceOpWithMultiple(
        op, {packRegisters(rewriter, loc, registers, type)});
    return success();
  }
};

/// Registers that share a guard are stored under one branch; neighbours in
/// memory in one store.
struct LowerStore : OpConversionPattern<StoreOp> {
  using OpConversionPattern::OpConversionPattern;
  LogicalResult
  matchAndRewrite(StoreOp op, OneToNOpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    Location loc = op.getLoc();
    auto type = op.getValue().getType();
    GlobalAccess access(rewriter, loc, op.getDest(), type);
    ValueRange values = adaptor.getValue();
    int64_t width = access.layout.getNumRegisters() / values.size();
    bool elementwise =
        op->getParentOfType<gpu::GPUFuncOp>()->hasAttr(attr::elementwise);
    if (width == 2 && (elementwise || !isContiguous(access))) {
      // Not neighbours in memory, or not aligned: take the pairs apart.
      SmallVector<Value> scalars = unpackRegisters(rewriter, loc, values, type);
      storeAll(rewriter, access, scalars, 1);
    } else {
      storeAll(rewriter, access, SmallVector<Value>(values), width);
    }
    rewriter.eraseOp(op);
    return success();
  }

private:
  /// Whether a pair of registers lies side by side in memory.
  static bool isContiguous(GlobalAccess &access) {
    int64_t last = access.tile.getRank() - 1;
    ArrayRef<Digit> digits = access.layout.getRegisters();
    SmallVector<int64_t> strides;
    int64_t offset;
    return !digits.empty() && digits.front().dim == last &&
           digits.front().stride == 1 && digits.front().extent % 2 == 0 &&
           succeeded(access.view.type.getStridesAndOffset(strides, offset)) &&
           strides[last] == 1 && !access.extents[last];
  }

  static void storeAll(OpBuilder &builder, GlobalAccess &access,
                       ArrayRef<Value> values, int64_t width) {
    Location loc = access.loc;
    std::map<SmallVector<int64_t>, SmallVector<int64_t>> groups;
    for (int64_t i = 0, end = values.size(); i < end; ++i)
      groups[access.getGuardKey(access.getPosition(i * width))].push_back(i);
    Value first = access.createIsFirstCopy(builder);
    for (auto &[key, members] : groups) {
      auto store = [&](OpBuilder &body) {
        for (int64_t i : members)
          LLVM::StoreOp::create(
              body, loc, values[i],
              access.createPointer(body, access.getPosition(i * width)),
              /*alignment=*/width * access.view.bytes);
      };
      Value guard = access.createGuard(builder, key);
      if (guard && first)
        guard = arith::AndIOp::create(builder, loc, guard, first);
      else if (first)
        guard = first;
      if (!guard) {
        store(builder);
        continue;
      }
      auto branch = scf::IfOp::create(builder, loc, guard,
                                      /*withElseRegion=*/false);
      OpBuilder body = branch.getThenBodyBuilder();
      store(body);
    }
  }
};

//===----------------------------------------------------------------------===//
// Asynchronous copies
//===----------------------------------------------------------------------===//

/// Coordinates of the first element of a thread's chunk.
static SmallVector<Value>
createChunkCoordinates(OpBuilder &builder, Location loc, ArrayRef<Digit> digits,
                       Value thread, int64_t perChunk, int64_t rank) {
  SmallVector<Value> coordinates(rank);
  int64_t place = 1, total = getNumIndices(digits) / perChunk;
  bool innermost = true;
  for (Digit digit : digits) {
    if (innermost) {
      digit = {digit.dim, digit.extent / perChunk, perChunk};
      innermost = false;
    }
    Value value = thread;
    if (place != 1)
      value = arith::DivUIOp::create(builder, loc, value,
                                     createI32(builder, loc, place));
    place *= digit.extent;
    if (place != total)
      value = arith::RemUIOp::create(builder, loc, value,
                                     createI32(builder, loc, digit.extent));
    value = arith::MulIOp::create(builder, loc, value,
                                  createI32(builder, loc, digit.stride));
    Value &sum = coordinates[digit.dim];
    sum = sum ? arith::AddIOp::create(builder, loc, sum, value).getResult()
              : value;
  }
  return coordinates;
}

/// Chunks of 16 bytes, dealt out as getCopyAccess says.
struct LowerAsyncCopy : OpConversionPattern<AsyncCopyOp> {
  using OpConversionPattern::OpConversionPattern;
  LogicalResult
  matchAndRewrite(AsyncCopyOp op, OneToNOpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    Location loc = op.getLoc();
    BufferType type = op.getDest().getType();
    int64_t rank = type.getRank(), perChunk = 16 / type.getElementBytes();
    auto kernel = op->getParentOfType<gpu::GPUFuncOp>();
    auto warps = kernel->getAttrOfType<IntegerAttr>(attr::warps);
    if (kernel->hasAttr(attr::elementwise))
      return failure();
    SharedAccess access =
        getCopyAccess(type, warps.getInt(), /*elementwise=*/false);
    int64_t threads = access.threads, passes = access.count,
            chunks = getNumIndices(type.getLayout().getDigits()) / perChunk;
    auto digits = split(type.getLayout().getDigits(), threads * perChunk);
    if (chunks % threads || !digits)
      return op.emitOpError("expects a tile whose ")
             << chunks << " chunks of 16 bytes divide evenly among "
             << warps.getInt() * 32 << " threads";
    auto [byThread, byPass] = *digits;
    auto offsets = ThreadOffsets::fit(access, type.getLayout());
    if (failed(offsets))
      return op.emitOpError("expects a number of threads that is a power of 2");

    auto loop = op->getParentOfType<scf::ForOp>();
    auto source = op.getSource().getDefiningOp<memref::SubViewOp>();
    bool moves = loop && source && source.hasUnitStride() &&
                 loop.isDefinedOutsideOfLoop(source.getSource());
    OpBuilder fixed(moves ? loop.getOperation() : op.getOperation());
    Value thread = createThreadId(fixed, loc);
    // The thread's coordinates, from its digits in units of elements.
    SmallVector<Value> coordinates =
        createChunkCoordinates(fixed, loc, byThread, thread, perChunk, rank);
    GlobalView view(rewriter, loc, op.getSource());
    Value start =
        moves ? createMovingPointer(rewriter, loc, source, loop, coordinates)
              : GlobalView::pointer(
                    rewriter, loc,
                    view.getThreadAddress(rewriter, loc, coordinates));
    SmallVector<Value> extents;
    for (int64_t dim = 0; dim < rank; ++dim)
      extents.push_back(
          view.getExtent(rewriter, loc, dim, type.getShape()[dim]));
    Value base = offsets->createBase(fixed, loc, thread);

    auto emit = [&](OpBuilder &builder) {
      SmallVector<int64_t> last(rank, 0);
      Value pointer = start;
      for (auto &[position, pass] : getPasses(byPass, passes, rank)) {
        pointer = createStep(builder, loc, view, pointer, last, position);
        last = position;
        Value size = createSize(builder, loc, extents, coordinates, position);
        Value target = offsets->createPointer(
            builder, loc, adaptor.getDest().front(), base, pass);
        NVVM::CpAsyncOp::create(builder, loc, target, pointer, /*size=*/16,
                                NVVM::LoadCacheModifierKind::CG, size);
      }
    };
    if (threads == warps.getInt() * 32) {
      emit(rewriter);
    } else {
      Value takesPart =
          arith::CmpIOp::create(rewriter, loc, arith::CmpIPredicate::ult,
                                thread, createI32(rewriter, loc, threads));
      auto branch = scf::IfOp::create(rewriter, loc, takesPart, false);
      OpBuilder body = branch.getThenBodyBuilder();
      emit(body);
    }
    rewriter.eraseOp(op);
    return success();
  }

private:
  /// Each pass with its coordinates, row by row: steps within a row are
  /// constants, and those between rows all the same.
  static SmallVector<std::pair<SmallVector<int64_t>, int64_t>>
  getPasses(ArrayRef<Digit> digits, int64_t passes, int64_t rank) {
    SmallVector<std::pair<SmallVector<int64_t>, int64_t>> result;
    for (int64_t pass = 0; pass < passes; ++pass) {
      SmallVector<int64_t> position(rank, 0);
      addCoordinates(digits, pass, position);
      result.emplace_back(position, pass);
    }
    llvm::sort(result);
    return result;
  }

  /// Moves `pointer` from one pass to the next. A chain of equal steps keeps
  /// one register per stride, not one per pass.
  static Value createStep(OpBuilder &builder, Location loc, GlobalView &view,
                          Value pointer, ArrayRef<int64_t> from,
                          ArrayRef<int64_t> to) {
    for (auto [dim, pair] : llvm::enumerate(llvm::zip_equal(from, to))) {
      int64_t distance = std::get<1>(pair) - std::get<0>(pair);
      if (!distance)
        continue;
      if (dim + 1 == from.size()) { // contiguous
        pointer = LLVM::GEPOp::create(
            builder, loc, pointer.getType(), builder.getI8Type(), pointer,
            ArrayRef<LLVM::GEPArg>{
                static_cast<int32_t>(distance * view.bytes)});
        continue;
      }
      pointer =
          createStride(builder, loc, pointer,
                       GlobalView::index(builder, loc, distance * view.bytes),
                       view.metadata.getStrides()[dim]);
    }
    return pointer;
  }

  /// Bytes to read, 16 or none; the instruction fills up with zeros. Null for
  /// always 16.
  static Value createSize(OpBuilder &builder, Location loc,
                          ArrayRef<Value> extents, ArrayRef<Value> coordinates,
                          ArrayRef<int64_t> position) {
    Value valid;
    for (auto [dim, extent] : llvm::enumerate(extents)) {
      if (!extent)
        continue;
      // extent - thread's coordinate > pass's coordinate
      Value left = extent;
      if (coordinates[dim])
        left = arith::SubIOp::create(builder, loc, left, coordinates[dim]);
      Value inside =
          arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::sgt, left,
                                createI32(builder, loc, position[dim]));
      valid =
          valid ? arith::AndIOp::create(builder, loc, valid, inside).getResult()
                : inside;
    }
    if (!valid)
      return {};
    return arith::SelectOp::create(builder, loc, valid,
                                   createI32(builder, loc, 16),
                                   createI32(builder, loc, 0));
  }
};

/// Element by element, through registers. A loop: nobody is in a hurry here,
/// and code for each element of a tile would be long.
struct LowerElementCopy : OpConversionPattern<AsyncCopyOp> {
  using OpConversionPattern::OpConversionPattern;
  LogicalResult
  matchAndRewrite(AsyncCopyOp op, OneToNOpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    auto kernel = op->getParentOfType<gpu::GPUFuncOp>();
    auto warps = kernel->getAttrOfType<IntegerAttr>(attr::warps);
    if (!kernel->hasAttr(attr::elementwise))
      return failure();
    Location loc = op.getLoc();
    BufferType type = op.getDest().getType();
    SharedAccess access = getCopyAccess(type, warps.getInt(), true);
    int64_t elements = getNumIndices(type.getLayout().getDigits());
    if (elements % (warps.getInt() * 32))
      return op.emitOpError("expects a tile whose ")
             << elements << " elements divide evenly among "
             << warps.getInt() * 32 << " threads";
    GlobalView view(rewriter, loc, op.getSource());
    SmallVector<Value> extents;
    for (auto [dim, size] : llvm::enumerate(type.getShape()))
      extents.push_back(view.getExtent(rewriter, loc, dim, size));

    // As many loads are under way at a time as there are registers to spare.
    int64_t atATime = std::gcd(access.count, int64_t(4));
    auto index = [&](int64_t value) {
      return GlobalView::index(rewriter, loc, value);
    };
    Value thread = createThreadId(rewriter, loc);
    auto loop = scf::ForOp::create(rewriter, loc, index(0), index(access.count),
                                   index(atATime));
    OpBuilder builder = OpBuilder::atBlockBegin(loop.getBody());
    Value pass = arith::IndexCastOp::create(builder, loc, builder.getI32Type(),
                                            loop.getInductionVar());
    Value first = createAddress(builder, loc, thread, pass, access.threads);
    SmallVector<std::pair<Value, Value>> loaded;
    for (int64_t i = 0; i < atATime; ++i) {
      Value element = arith::AddIOp::create(
          builder, loc, first, createI32(builder, loc, i * access.threads));
      loaded.emplace_back(element, createElementLoad(builder, loc, view,
                                                     extents, type, element));
    }
    for (auto [element, value] : loaded) {
      Value address = arith::AddIOp::create(
          builder, loc, adaptor.getDest().front(),
          createSwizzledOffset(builder, loc, type, element));
      LLVM::StoreOp::create(builder, loc, value,
                            createSharedPointer(builder, loc, address));
    }
    rewriter.eraseOp(op);
    return success();
  }

private:
  /// Number `element` of a tile in the order of the buffer, zero beyond the end
  /// of the view.
  static Value createElementLoad(OpBuilder &builder, Location loc,
                                 GlobalView &view, ArrayRef<Value> extents,
                                 BufferType type, Value element) {
    SmallVector<Value> coordinates =
        createChunkCoordinates(builder, loc, type.getLayout().getDigits(),
                               element, /*perChunk=*/1, type.getRank());
    Value valid;
    for (auto [extent, coordinate] : llvm::zip_equal(extents, coordinates)) {
      if (!extent)
        continue;
      if (!coordinate)
        coordinate = createI32(builder, loc, 0);
      Value inside = arith::CmpIOp::create(
          builder, loc, arith::CmpIPredicate::slt, coordinate, extent);
      valid =
          valid ? arith::AndIOp::create(builder, loc, valid, inside).getResult()
                : inside;
    }
    auto bits = builder.getIntegerType(8 * view.bytes);
    auto load = [&](OpBuilder &at) -> Value {
      Value address = view.getThreadAddress(at, loc, coordinates);
      return LLVM::LoadOp::create(at, loc, bits,
                                  GlobalView::pointer(at, loc, address));
    };
    if (!valid)
      return load(builder);
    auto branch = scf::IfOp::create(builder, loc, TypeRange{bits}, valid,
                                    /*withElseRegion=*/true);
    OpBuilder inside = branch.getThenBodyBuilder();
    scf::YieldOp::create(inside, loc, load(inside));
    OpBuilder beyond = branch.getElseBodyBuilder();
    Value zero =
        arith::ConstantOp::create(beyond, loc, beyond.getIntegerAttr(bits, 0));
    scf::YieldOp::create(beyond, loc, zero);
    return branch.getResult(0);
  }

  /// SharedAttr::applySwizzle at run time.
  static Value createSwizzledOffset(OpBuilder &builder, Location loc,
                                    BufferType type, Value element) {
    Value offset = arith::MulIOp::create(
        builder, loc, element, createI32(builder, loc, type.getElementBytes()));
    int64_t mask = type.getLayout().getSwizzleMask();
    if (!mask)
      return offset;
    Value line = arith::ShRUIOp::create(builder, loc, offset,
                                        createI32(builder, loc, 3));
    line = arith::AndIOp::create(builder, loc, line,
                                 createI32(builder, loc, mask));
    return arith::XOrIOp::create(builder, loc, offset, line);
  }
};

struct LowerAsyncCommit : OpConversionPattern<AsyncCommitOp> {
  using OpConversionPattern::OpConversionPattern;
  LogicalResult
  matchAndRewrite(AsyncCommitOp op, OneToNOpAdaptor,
                  ConversionPatternRewriter &rewriter) const override {
    rewriter.replaceOpWithNewOp<NVVM::CpAsyncCommitGroupOp>(op);
    return success();
  }
};

struct LowerAsyncWait : OpConversionPattern<AsyncWaitOp> {
  using OpConversionPattern::OpConversionPattern;
  LogicalResult
  matchAndRewrite(AsyncWaitOp op, OneToNOpAdaptor,
                  ConversionPatternRewriter &rewriter) const override {
    rewriter.replaceOpWithNewOp<NVVM::CpAsyncWaitGroupOp>(op, op.getPending());
    return success();
  }
};

} // namespace

void mlir::diffattn::tile::populateMemoryPatterns(
    const TypeConverter &converter, RewritePatternSet &patterns) {
  patterns.add<LowerLoad, LowerStore, LowerAsyncCopy, LowerAsyncCommit,
               LowerElementCopy, LowerAsyncWait>(converter,
                                                 patterns.getContext());
}
