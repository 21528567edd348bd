//===- TileDialect.cpp - Dialect, layouts and types -----------------------===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "diffattn/Dialect/Tile/IR/Tile.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/DialectImplementation.h"
#include "mlir/IR/OpImplementation.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace mlir::diffattn::tile;

#include "diffattn/Dialect/Tile/IR/TileDialect.cpp.inc"
#include "diffattn/Dialect/Tile/IR/TileEnums.cpp.inc"

#define GET_ATTRDEF_CLASSES
#include "diffattn/Dialect/Tile/IR/TileAttrs.cpp.inc"

#define GET_TYPEDEF_CLASSES
#include "diffattn/Dialect/Tile/IR/TileTypes.cpp.inc"

namespace {
/// Layouts are long: print each once, at the top.
struct TileOpAsmInterface : OpAsmDialectInterface {
  using OpAsmDialectInterface::OpAsmDialectInterface;
  AliasResult getAlias(Attribute attr, raw_ostream &os) const final {
    if (isa<FragmentAttr>(attr))
      os << "fragment";
    else if (isa<SharedAttr>(attr))
      os << "shared";
    else
      return AliasResult::NoAlias;
    return AliasResult::OverridableAlias;
  }
};
} // namespace

void TileDialect::initialize() {
  addInterfaces<TileOpAsmInterface>();
  addAttributes<
#define GET_ATTRDEF_LIST
#include "diffattn/Dialect/Tile/IR/TileAttrs.cpp.inc"
      >();
  addTypes<
#define GET_TYPEDEF_LIST
#include "diffattn/Dialect/Tile/IR/TileTypes.cpp.inc"
      >();
  addOperations<
#define GET_OP_LIST
#include "diffattn/Dialect/Tile/IR/TileOps.cpp.inc"
      >();
}

//===----------------------------------------------------------------------===//
// Digits
//===----------------------------------------------------------------------===//

/// digit ::= (`d` dim | `_`) `*` extent (`:` stride)?
static ParseResult parseDigit(AsmParser &parser, Digit &digit) {
  StringRef name;
  SMLoc loc = parser.getCurrentLocation();
  if (parser.parseKeyword(&name))
    return failure();
  digit.dim = Digit::copies;
  if (name != "_" &&
      (!name.consume_front("d") || name.getAsInteger(10, digit.dim)))
    return parser.emitError(loc)
           << "expects a digit d<dimension>*<extent>[:<stride>] or _*<extent>";
  if (parser.parseStar() || parser.parseInteger(digit.extent))
    return failure();
  digit.stride = 1;
  if (succeeded(parser.parseOptionalColon()))
    return parser.parseInteger(digit.stride);
  return success();
}

static ParseResult parseDigits(AsmParser &parser, Digits &digits) {
  return parser.parseCommaSeparatedList(AsmParser::Delimiter::Square, [&] {
    return parseDigit(parser, digits.emplace_back());
  });
}

static void printDigits(AsmPrinter &printer, ArrayRef<Digit> digits) {
  printer << '[';
  llvm::interleaveComma(digits, printer, [&](const Digit &digit) {
    if (digit.dim == Digit::copies)
      printer << '_';
    else
      printer << 'd' << digit.dim;
    printer << '*' << digit.extent;
    if (digit.stride != 1)
      printer << ':' << digit.stride;
  });
  printer << ']';
}

static LogicalResult verifyDigits(function_ref<InFlightDiagnostic()> emitError,
                                  StringRef name, ArrayRef<Digit> digits,
                                  bool allowCopies) {
  // Bounds keep products of extents far from overflow.
  constexpr int64_t bound = 1 << 16, maxIndices = 1 << 20;
  int64_t indices = 1;
  for (const Digit &digit : digits) {
    if (digit.extent < 1 || digit.extent > bound || digit.stride < 1 ||
        digit.stride > bound || digit.dim > 15)
      return emitError() << "expects " << name
                         << " digits with extents and strides between 1 and "
                         << bound << " and dimensions up to 15";
    if (digit.dim == Digit::copies && !allowCopies)
      return emitError() << "expects no copies among the " << name << " digits";
    if ((indices *= digit.extent) > maxIndices)
      return emitError() << "expects " << name << " digits that tell at most "
                         << maxIndices << " indices apart";
  }
  if (digits.size() > 16 || normalize(digits) != Digits(digits))
    return emitError() << "expects " << name
                       << " digits in normal form: no extent of 1, digits that "
                          "continue each other joined";
  return success();
}

//===----------------------------------------------------------------------===//
// FragmentAttr
//===----------------------------------------------------------------------===//

LogicalResult FragmentAttr::verify(function_ref<InFlightDiagnostic()> emitError,
                                   ArrayRef<Digit> registers,
                                   ArrayRef<Digit> lanes,
                                   ArrayRef<Digit> warps) {
  if (failed(verifyDigits(emitError, "register", registers, false)) ||
      failed(verifyDigits(emitError, "lane", lanes, true)) ||
      failed(verifyDigits(emitError, "warp", warps, true)))
    return failure();
  if (getNumIndices(lanes) != 32)
    return emitError() << "expects lane digits for 32 lanes, but got "
                       << getNumIndices(lanes);
  return success();
}

Attribute FragmentAttr::parse(AsmParser &parser, Type) {
  Digits registers, lanes, warps;
  SMLoc loc = parser.getCurrentLocation();
  if (parser.parseLess() || parser.parseKeyword("register") ||
      parser.parseEqual() || parseDigits(parser, registers) ||
      parser.parseComma() || parser.parseKeyword("lane") ||
      parser.parseEqual() || parseDigits(parser, lanes) ||
      parser.parseComma() || parser.parseKeyword("warp") ||
      parser.parseEqual() || parseDigits(parser, warps) ||
      parser.parseGreater())
    return {};
  return parser.getChecked<FragmentAttr>(
      loc, parser.getContext(), ArrayRef<Digit>(registers),
      ArrayRef<Digit>(lanes), ArrayRef<Digit>(warps));
}

void FragmentAttr::print(AsmPrinter &printer) const {
  printer << "<register = ";
  printDigits(printer, getRegisters());
  printer << ", lane = ";
  printDigits(printer, getLanes());
  printer << ", warp = ";
  printDigits(printer, getWarps());
  printer << ">";
}

LogicalResult FragmentAttr::verifyEncoding(
    ArrayRef<int64_t> shape, Type elementType,
    function_ref<InFlightDiagnostic()> emitError) const {
  Digits all = concat(getRegisters(), getLanes());
  all.append(getWarps().begin(), getWarps().end());
  if (isExactCover(all, shape))
    return success();
  InFlightDiagnostic diagnostic = emitError();
  diagnostic << "expects a fragment that reaches every element of a tensor of "
                "shape ";
  llvm::interleave(shape, diagnostic, "x");
  return diagnostic << " exactly once";
}

int64_t FragmentAttr::getNumRegisters() const {
  return getNumIndices(getRegisters());
}

int64_t FragmentAttr::getNumWarps() const { return getNumIndices(getWarps()); }

SmallVector<int64_t> FragmentAttr::getCoordinates(int64_t reg, int64_t lane,
                                                  int64_t warp,
                                                  unsigned rank) const {
  SmallVector<int64_t> coordinates(rank, 0);
  addCoordinates(getRegisters(), reg, coordinates);
  addCoordinates(getLanes(), lane, coordinates);
  addCoordinates(getWarps(), warp, coordinates);
  return coordinates;
}

FragmentAttr FragmentAttr::dropDim(int64_t dim) const {
  auto drop = [&](ArrayRef<Digit> digits, bool keepCopies) {
    Digits result;
    for (Digit digit : digits) {
      if (digit.dim == dim && !keepCopies)
        continue;
      if (digit.dim == dim)
        digit = {Digit::copies, digit.extent};
      else if (digit.dim > dim)
        --digit.dim;
      result.push_back(digit);
    }
    return normalize(result);
  };
  return FragmentAttr::get(getContext(), drop(getRegisters(), false),
                           drop(getLanes(), true), drop(getWarps(), true));
}

/// `layout` with dimension d called `names[d]`.
static FragmentAttr renameDims(FragmentAttr layout, ArrayRef<int64_t> names) {
  auto rename = [&](ArrayRef<Digit> digits) {
    Digits result(digits);
    for (Digit &digit : result)
      if (digit.dim != Digit::copies)
        digit.dim = names[digit.dim];
    return result;
  };
  return FragmentAttr::get(layout.getContext(), rename(layout.getRegisters()),
                           rename(layout.getLanes()),
                           rename(layout.getWarps()));
}

FragmentAttr FragmentAttr::transpose(ArrayRef<int64_t> permutation) const {
  SmallVector<int64_t> names(permutation.size());
  for (auto [result, source] : llvm::enumerate(permutation))
    names[source] = result;
  return renameDims(*this, names);
}

FragmentAttr FragmentAttr::undoTranspose(ArrayRef<int64_t> permutation) const {
  return renameDims(*this, permutation);
}

bool FragmentAttr::isThreadLocal(int64_t dim) const {
  auto moves = [&](const Digit &digit) { return digit.dim == dim; };
  return llvm::none_of(getLanes(), moves) && llvm::none_of(getWarps(), moves);
}

//===----------------------------------------------------------------------===//
// SharedAttr
//===----------------------------------------------------------------------===//

LogicalResult SharedAttr::verify(function_ref<InFlightDiagnostic()> emitError,
                                 ArrayRef<Digit> digits, int64_t swizzle) {
  if (failed(verifyDigits(emitError, "offset", digits, false)))
    return failure();
  if (swizzle != 0 && swizzle != 32 && swizzle != 64 && swizzle != 128)
    return emitError() << "expects a swizzle span of 0, 32, 64 or 128 bytes, "
                          "but got "
                       << swizzle;
  return success();
}

Attribute SharedAttr::parse(AsmParser &parser, Type) {
  Digits digits;
  int64_t swizzle;
  SMLoc loc = parser.getCurrentLocation();
  if (parser.parseLess() || parseDigits(parser, digits) ||
      parser.parseComma() || parser.parseKeyword("swizzle") ||
      parser.parseEqual() || parser.parseInteger(swizzle) ||
      parser.parseGreater())
    return {};
  return parser.getChecked<SharedAttr>(loc, parser.getContext(),
                                       ArrayRef<Digit>(digits), swizzle);
}

void SharedAttr::print(AsmPrinter &printer) const {
  printer << "<";
  printDigits(printer, getDigits());
  printer << ", swizzle = " << getSwizzle() << ">";
}

int64_t SharedAttr::applySwizzle(int64_t byteOffset) const {
  return byteOffset ^ (byteOffset >> 3 & getSwizzleMask());
}

int64_t SharedAttr::getByteOffset(ArrayRef<int64_t> coordinates,
                                  int64_t elementBytes) const {
  int64_t offset = 0, place = 1;
  for (const Digit &digit : getDigits()) {
    offset += coordinates[digit.dim] / digit.stride % digit.extent * place;
    place *= digit.extent;
  }
  return applySwizzle(offset * elementBytes);
}

int64_t SharedAttr::getContiguousDim() const {
  return getDigits().empty() ? 0 : getDigits().front().dim;
}

LogicalResult
SharedAttr::verifyShape(ArrayRef<int64_t> shape,
                        function_ref<InFlightDiagnostic()> emitError) const {
  if (isExactCover(getDigits(), shape))
    return success();
  InFlightDiagnostic diagnostic = emitError();
  diagnostic << "expects a layout that places every element of a tile of "
                "shape ";
  llvm::interleave(shape, diagnostic, "x");
  return diagnostic << " exactly once";
}

//===----------------------------------------------------------------------===//
// BufferType
//===----------------------------------------------------------------------===//

LogicalResult BufferType::verify(function_ref<InFlightDiagnostic()> emitError,
                                 int64_t slots, ArrayRef<int64_t> shape,
                                 Type elementType, SharedAttr layout) {
  if (slots < 1 || slots > 64)
    return emitError() << "expects between 1 and 64 slots, but got " << slots;
  constexpr unsigned widths[] = {8, 16, 32, 64};
  if (!elementType.isIntOrFloat() ||
      !llvm::is_contained(widths, elementType.getIntOrFloatBitWidth()))
    return emitError() << "expects elements of 1, 2, 4 or 8 bytes, but got "
                       << elementType;
  int64_t elements = 1;
  constexpr int64_t maxElements = 1 << 20;
  for (int64_t size : shape)
    if (size < 1 || size > maxElements || (elements *= size) > maxElements)
      return emitError() << "expects a static tile of at most 2^20 elements";
  return layout.verifyShape(shape, emitError);
}

/// buffer ::= `<` (slots `x`)? shape-and-type `,` layout `>`, the tile in
/// brackets.
Type BufferType::parse(AsmParser &parser) {
  int64_t slots = 1;
  SmallVector<int64_t> shape;
  Type elementType;
  SharedAttr layout;
  SMLoc loc = parser.getCurrentLocation();
  if (parser.parseLess())
    return {};
  OptionalParseResult ring = parser.parseOptionalInteger(slots);
  if (ring.has_value() && (failed(*ring) || parser.parseKeyword("x")))
    return {};
  if (parser.parseLSquare() ||
      parser.parseDimensionList(shape, /*allowDynamic=*/false) ||
      parser.parseType(elementType) || parser.parseRSquare() ||
      parser.parseComma() || parser.parseAttribute(layout) ||
      parser.parseGreater())
    return {};
  return parser.getChecked<BufferType>(loc, parser.getContext(), slots,
                                       ArrayRef<int64_t>(shape), elementType,
                                       layout);
}

void BufferType::print(AsmPrinter &printer) const {
  printer << "<";
  if (getSlots() != 1)
    printer << getSlots() << " x ";
  printer << "[";
  for (int64_t size : getShape())
    printer << size << "x";
  printer << getElementType() << "], " << getLayout() << ">";
}

int64_t BufferType::getElementBytes() const {
  return getElementType().getIntOrFloatBitWidth() / 8;
}

int64_t BufferType::getSlotBytes() const {
  constexpr int64_t alignment = 1024;
  int64_t bytes = getElementBytes();
  for (int64_t size : getShape())
    bytes *= size;
  return (bytes + alignment - 1) / alignment * alignment;
}

int64_t BufferType::getTotalBytes() const {
  return getSlots() * getSlotBytes();
}

BufferType BufferType::getSlotType() const {
  return get(getContext(), 1, getShape(), getElementType(), getLayout());
}

//===----------------------------------------------------------------------===//
// BarriersType, TensorMapType
//===----------------------------------------------------------------------===//

LogicalResult BarriersType::verify(function_ref<InFlightDiagnostic()> emitError,
                                   int64_t count) {
  if (count < 1 || count > 64)
    return emitError() << "expects between 1 and 64 barriers, but got "
                       << count;
  return success();
}

LogicalResult
TensorMapType::verify(function_ref<InFlightDiagnostic()> emitError,
                      ArrayRef<int64_t> box, Type elementType,
                      int64_t swizzle) {
  if (!elementType.isIntOrFloat() ||
      elementType.getIntOrFloatBitWidth() % 8 != 0)
    return emitError() << "expects elements of whole bytes, but got "
                       << elementType;
  if (box.empty() || box.size() > 5 ||
      llvm::any_of(box, [](int64_t size) { return size < 1 || size > 256; }))
    return emitError() << "expects a box of 1 to 5 dimensions of 1 to 256";
  if (!llvm::is_contained({0, 32, 64, 128}, swizzle))
    return emitError() << "expects a swizzle of 0, 32, 64 or 128, but got "
                       << swizzle;
  int64_t bytes = box.back() * elementType.getIntOrFloatBitWidth() / 8;
  if (bytes % 16 != 0 || (swizzle && bytes > swizzle))
    return emitError() << "expects the innermost dimension of a box to be a "
                          "multiple of 16 bytes within one swizzle span, but "
                          "it has "
                       << bytes << " bytes";
  return success();
}

/// tensor-map ::= `<` dimension-list type `,` `swizzle` `=` integer `>`
Type TensorMapType::parse(AsmParser &parser) {
  SmallVector<int64_t> box;
  Type elementType;
  int64_t swizzle;
  SMLoc loc = parser.getCurrentLocation();
  if (parser.parseLess() ||
      parser.parseDimensionList(box, /*allowDynamic=*/false) ||
      parser.parseType(elementType) || parser.parseComma() ||
      parser.parseKeyword("swizzle") || parser.parseEqual() ||
      parser.parseInteger(swizzle) || parser.parseGreater())
    return {};
  return parser.getChecked<TensorMapType>(
      loc, parser.getContext(), ArrayRef<int64_t>(box), elementType, swizzle);
}

void TensorMapType::print(AsmPrinter &printer) const {
  printer << "<";
  for (int64_t size : getBox())
    printer << size << "x";
  printer << getElementType() << ", swizzle = " << getSwizzle() << ">";
}
