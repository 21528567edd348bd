//===- TileOps.cpp - Verification of the diffattn_tile ops ----------------===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "diffattn/Dialect/Tile/IR/Tile.h"

#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Utils/IndexingUtils.h"
#include "mlir/IR/AffineExprVisitor.h"
#include "mlir/IR/OpImplementation.h"

using namespace mlir;
using namespace mlir::diffattn::tile;

static ParseResult parseReduceKind(OpAsmParser &parser, ReduceKindAttr &kind) {
  StringRef name;
  SMLoc loc = parser.getCurrentLocation();
  if (parser.parseKeyword(&name))
    return failure();
  std::optional<ReduceKind> value = symbolizeReduceKind(name);
  if (!value)
    return parser.emitError(loc)
           << "expects add or max, but got '" << name << "'";
  kind = ReduceKindAttr::get(parser.getContext(), *value);
  return success();
}

static void printReduceKind(OpAsmPrinter &printer, Operation *,
                            ReduceKindAttr kind) {
  printer << stringifyReduceKind(kind.getValue());
}

static ParseResult parseFenceKind(OpAsmParser &parser, FenceKindAttr &kind) {
  StringRef name;
  SMLoc loc = parser.getCurrentLocation();
  if (parser.parseKeyword(&name))
    return failure();
  std::optional<FenceKind> value = symbolizeFenceKind(name);
  if (!value)
    return parser.emitError(loc)
           << "expects barrier_init or async_proxy, but got '" << name << "'";
  kind = FenceKindAttr::get(parser.getContext(), *value);
  return success();
}

static void printFenceKind(OpAsmPrinter &printer, Operation *,
                           FenceKindAttr kind) {
  printer << stringifyFenceKind(kind.getValue());
}

static ParseResult parseFill(OpAsmParser &parser, FloatAttr &fill) {
  return parser.parseAttribute(fill, parser.getBuilder().getF32Type());
}

static void printFill(OpAsmPrinter &printer, Operation *, FloatAttr fill) {
  printer.printAttributeWithoutType(fill);
}

#define GET_OP_CLASSES
#include "diffattn/Dialect/Tile/IR/TileOps.cpp.inc"

//===----------------------------------------------------------------------===//
// Shared checks
//===----------------------------------------------------------------------===//

static ArrayRef<int64_t> getTileShape(Type type) {
  if (auto buffer = dyn_cast<BufferType>(type))
    return buffer.getShape();
  return cast<RankedTensorType>(type).getShape();
}

static Type getTileElementType(Type type) {
  if (auto buffer = dyn_cast<BufferType>(type))
    return buffer.getElementType();
  return cast<RankedTensorType>(type).getElementType();
}

/// Global memory seen through `memref` holds `tile`, up to run-time sizes.
static LogicalResult verifyGlobal(Operation *op, MemRefType memref, Type tile) {
  ArrayRef<int64_t> shape = getTileShape(tile);
  if (memref.getElementType() != getTileElementType(tile))
    return op->emitOpError("expects elements of ")
           << getTileElementType(tile) << " in global memory, but got "
           << memref.getElementType();
  if (memref.getRank() != static_cast<int64_t>(shape.size()))
    return op->emitOpError("expects global memory of rank ")
           << shape.size() << ", but got " << memref.getRank();
  for (auto [dim, size] : llvm::enumerate(shape))
    if (!memref.isDynamicDim(dim) && memref.getDimSize(dim) > size)
      return op->emitOpError("expects global size ? or at most ")
             << size << " in dimension " << dim << ", but got "
             << memref.getDimSize(dim);
  return success();
}

/// One tile, not a ring.
static LogicalResult verifySlot(Operation *op, BufferType buffer) {
  if (buffer.getSlots() != 1)
    return op->emitOpError("expects one slot of a ring, but got ")
           << buffer.getSlots() << "; pick one with diffattn_tile.slot";
  return success();
}

/// `value` is `whole` without dimension `dim`, in shape, type and layout.
static LogicalResult verifyDropped(Operation *op, RankedTensorType whole,
                                   int64_t dim, RankedTensorType value) {
  if (dim < 0 || dim >= whole.getRank())
    return op->emitOpError("expects a dimension below ")
           << whole.getRank() << ", but got " << dim;
  SmallVector<int64_t> shape(whole.getShape());
  shape.erase(shape.begin() + dim);
  FragmentAttr layout = getLayout(whole);
  auto expected = RankedTensorType::get(shape, whole.getElementType(),
                                        layout ? layout.dropDim(dim) : layout);
  if (value != expected)
    return op->emitOpError("expects the type without dimension ")
           << dim << " to be " << expected << ", but got " << value;
  return success();
}

//===----------------------------------------------------------------------===//
// Memory
//===----------------------------------------------------------------------===//

LogicalResult LoadOp::verify() {
  return verifyGlobal(*this, cast<MemRefType>(getSource().getType()),
                      getResult().getType());
}

LogicalResult StoreOp::verify() {
  return verifyGlobal(*this, cast<MemRefType>(getDest().getType()),
                      getValue().getType());
}

LogicalResult CoordinatesOp::inferReturnTypes(MLIRContext *context,
                                              std::optional<Location>,
                                              ValueRange operands,
                                              DictionaryAttr, OpaqueProperties,
                                              RegionRange,
                                              SmallVectorImpl<Type> &types) {
  types.assign(operands.size(), IndexType::get(context));
  return success();
}

LogicalResult SlotOp::inferReturnTypes(MLIRContext *, std::optional<Location>,
                                       ValueRange operands, DictionaryAttr,
                                       OpaqueProperties, RegionRange,
                                       SmallVectorImpl<Type> &types) {
  types.push_back(cast<BufferType>(operands[0].getType()).getSlotType());
  return success();
}

LogicalResult AsyncCopyOp::verify() {
  auto source = cast<MemRefType>(getSource().getType());
  BufferType dest = getDest().getType();
  if (failed(verifySlot(*this, dest)) ||
      failed(verifyGlobal(*this, source, dest)))
    return failure();
  int64_t last = source.getRank() - 1;
  SmallVector<int64_t> strides;
  int64_t offset;
  if (last < 0 || failed(source.getStridesAndOffset(strides, offset)) ||
      strides[last] != 1 || source.isDynamicDim(last))
    return emitOpError("expects a static last dimension of stride 1, but got ")
           << source;
  int64_t chunk = 16 / dest.getElementBytes();
  ArrayRef<Digit> digits = dest.getLayout().getDigits();
  if (digits.empty() || digits[0].dim != last || digits[0].stride != 1 ||
      digits[0].extent % chunk)
    return emitOpError("expects a buffer whose innermost digit walks the last "
                       "dimension in runs of 16 bytes, but got ")
           << dest.getLayout();
  return success();
}

/// `part` is the part of `whole` at `offsets`.
static LogicalResult verifyPart(Operation *op, Type whole,
                                ArrayRef<int64_t> offsets,
                                RankedTensorType part) {
  ArrayRef<int64_t> shape = getTileShape(whole);
  if (getTileElementType(whole) != part.getElementType() ||
      shape.size() != part.getShape().size() || offsets.size() != shape.size())
    return op->emitOpError("expects a result, and offsets, of the rank and "
                           "element type of ")
           << whole;
  for (auto [dim, size] : llvm::enumerate(shape))
    if (offsets[dim] < 0 || offsets[dim] > size - part.getDimSize(dim))
      return op->emitOpError("reads beyond its source: offset ")
             << offsets[dim] << " and size " << part.getDimSize(dim)
             << " in dimension " << dim << " of " << size;
  return success();
}

LogicalResult LocalLoadOp::verify() {
  if (failed(verifySlot(*this, getSource().getType())))
    return failure();
  return verifyPart(*this, getSource().getType(), getOffsets(),
                    getResult().getType());
}

LogicalResult ReuseOp::verify() {
  BufferType source = getSource().getType(), result = getResult().getType();
  if (failed(verifySlot(*this, source)))
    return failure();
  if (result.getTotalBytes() > source.getTotalBytes())
    return emitOpError("expects a result of at most ")
           << source.getTotalBytes() << " bytes, but " << result << " has "
           << result.getTotalBytes();
  return success();
}

LogicalResult LocalStoreOp::verify() {
  BufferType dest = getDest().getType();
  if (failed(verifySlot(*this, dest)))
    return failure();
  if (dest.getShape() != getValue().getType().getShape() ||
      dest.getElementType() != getValue().getType().getElementType())
    return emitOpError("expects a value of the shape and element type of ")
           << dest << ", but got " << getValue().getType();
  return success();
}

//===----------------------------------------------------------------------===//
// Dot
//===----------------------------------------------------------------------===//

LogicalResult DotOp::verify() {
  Type lhsType = getLhs().getType(), rhsType = getRhs().getType();
  ArrayRef<int64_t> lhs = getTileShape(lhsType), rhs = getTileShape(rhsType),
                    acc = getAcc().getType().getShape();
  for (Type type : {lhsType, rhsType})
    if (auto buffer = dyn_cast<BufferType>(type))
      if (failed(verifySlot(*this, buffer)))
        return failure();
  Type element = getTileElementType(lhsType);
  if (element != getTileElementType(rhsType) ||
      !isa<Float16Type, BFloat16Type>(element))
    return emitOpError("expects operands of one type of f16, bf16, but got ")
           << element << " and " << getTileElementType(rhsType);
  if (lhs.size() < 2 || rhs.size() != 2 || acc.size() != lhs.size())
    return emitOpError("expects a right operand of rank 2 and an accumulator "
                       "of the left operand's rank, at least 2");
  int64_t k = rhs[getTransposed() ? 1 : 0], n = rhs[getTransposed() ? 0 : 1];
  if (lhs.back() != k || acc.back() != n || lhs.drop_back() != acc.drop_back())
    return emitOpError("expects shapes that agree: left rows x k, right ")
           << (getTransposed() ? "n x k" : "k x n")
           << ", accumulator rows x n, with k = " << k << " and n = " << n;
  FragmentAttr layout = getLayout(getAcc().getType());
  if (!layout)
    return success();
  int64_t column = acc.size() - 1;
  auto rows = matchRowFragment(layout, column, n);
  if (!rows)
    return emitOpError("expects an accumulator laid out for a matrix "
                       "instruction, but got ")
           << layout;
  if (k % 16 && (getLayout(lhsType) || getLayout(rhsType)))
    return emitOpError("expects a depth that is a multiple of 16, but got ")
           << k;
  if (FragmentAttr found = getLayout(lhsType)) {
    FragmentAttr expected =
        getRowFragment(getContext(), rows->rows, column, k, rows->warps);
    if (found != expected)
      return emitOpError("expects the left operand in the layout ")
             << expected << ", but got " << found;
  }
  if (FragmentAttr found = getLayout(rhsType)) {
    int64_t kDim = getTransposed() ? 1 : 0;
    FragmentAttr expected =
        getColumnFragment(getContext(), 1 - kDim, n, kDim, k, rows->warps);
    if (found != expected)
      return emitOpError("expects the right operand in the layout ")
             << expected << ", but got " << found;
  }
  return success();
}

void DotOp::getEffects(
    SmallVectorImpl<SideEffects::EffectInstance<MemoryEffects::Effect>>
        &effects) {
  for (OpOperand *operand : {&getLhsMutable(), &getRhsMutable()})
    if (isa<BufferType>(operand->get().getType()))
      effects.emplace_back(MemoryEffects::Read::get(), operand);
}

//===----------------------------------------------------------------------===//
// Registers
//===----------------------------------------------------------------------===//

LogicalResult ReduceOp::verify() {
  return verifyDropped(*this, getSource().getType(), getDim(),
                       getResult().getType());
}

LogicalResult BroadcastOp::verify() {
  return verifyDropped(*this, getResult().getType(), getDim(),
                       getSource().getType());
}

LogicalResult SelectOp::verify() {
  RankedTensorType source = getSource().getType();
  if (failed(verifyDropped(*this, source, getDim(), getResult().getType())))
    return failure();
  if (getIndex() >= static_cast<uint64_t>(source.getDimSize(getDim())))
    return emitOpError("expects an index below ")
           << source.getDimSize(getDim()) << ", but got " << getIndex();
  FragmentAttr layout = getLayout(source);
  if (layout && !layout.isThreadLocal(getDim()))
    return emitOpError("expects dimension ")
           << getDim() << " to lie within a thread, but its layout is "
           << layout;
  return success();
}

LogicalResult TransposeOp::verify() {
  RankedTensorType source = getSource().getType();
  if (static_cast<int64_t>(getPermutation().size()) != source.getRank() ||
      !isPermutationVector(getPermutation()))
    return emitOpError("expects a permutation of ")
           << source.getRank() << " dimensions";
  SmallVector<int64_t> shape;
  for (int64_t dim : getPermutation())
    shape.push_back(source.getDimSize(dim));
  FragmentAttr layout = getLayout(source);
  auto expected = RankedTensorType::get(
      shape, source.getElementType(),
      layout ? layout.transpose(getPermutation()) : layout);
  if (getResult().getType() != expected)
    return emitOpError("expects a result of type ")
           << expected << ", but got " << getResult().getType();
  return success();
}

LogicalResult SliceOp::verify() {
  RankedTensorType source = getSource().getType();
  if (failed(verifyPart(*this, source, getOffsets(), getResult().getType())))
    return failure();
  FragmentAttr layout = getLayout(source);
  for (auto [dim, size] : llvm::enumerate(source.getShape()))
    if (layout && size != getResult().getType().getDimSize(dim) &&
        getOffsets()[dim] % 8)
      return emitOpError("expects offsets that are multiples of 8, but got ")
             << getOffsets()[dim] << " in dimension " << dim;
  return success();
}

LogicalResult MaskOp::verify() {
  IntegerSet set = getCondition();
  if (set.getNumDims() != getSource().getType().getRank() ||
      set.getNumSymbols() != getSymbols().size())
    return emitOpError("expects a set of ")
           << getSource().getType().getRank() << " dimensions and "
           << getSymbols().size() << " symbols, but got " << set.getNumDims()
           << " and " << set.getNumSymbols();
  for (unsigned i = 0; i < set.getNumConstraints(); ++i) {
    SmallVector<int64_t> coefficients;
    SimpleAffineExprFlattener flattener(set.getNumDims(), set.getNumSymbols());
    if (set.isEq(i) || failed(flattener.walkPostOrder(set.getConstraint(i))) ||
        flattener.numLocals != 0)
      return emitOpError(
                 "expects inequalities that are linear, but constraint ")
             << i << " is not";
    ArrayRef<int64_t> row = flattener.operandExprStack.back();
    auto symbols =
        row.drop_front(set.getNumDims()).take_front(set.getNumSymbols());
    if (llvm::any_of(row.take_front(set.getNumDims()),
                     [](int64_t c) { return c < -1 || c > 1; }) ||
        llvm::count_if(symbols, [](int64_t c) { return c != 0; }) > 1 ||
        llvm::any_of(symbols, [](int64_t c) { return c != 0 && c != 1; }))
      return emitOpError("expects dimensions with coefficients -1, 0 or 1 and "
                         "one symbol with coefficient 1 in constraint ")
             << i;
  }
  return success();
}

LogicalResult IndexOp::verify() {
  if (getDim() >= static_cast<uint64_t>(getResult().getType().getRank()))
    return emitOpError("expects a dimension below ")
           << getResult().getType().getRank() << ", but got " << getDim();
  return success();
}

LogicalResult ConvertLayoutOp::verify() {
  if (getSource().getType().cloneWithEncoding({}) !=
      getResult().getType().cloneWithEncoding({}))
    return emitOpError("expects tensors that differ in layout only, but got ")
           << getSource().getType() << " and " << getResult().getType();
  return success();
}

OpFoldResult ConvertLayoutOp::fold(FoldAdaptor) {
  if (getSource().getType() == getResult().getType())
    return getSource();
  return {};
}
