//===- TileHopperOps.cpp - Verification of roles, copies, products --------===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "diffattn/Dialect/Tile/IR/Tile.h"

#include "mlir/IR/OpImplementation.h"

using namespace mlir;
using namespace mlir::diffattn::tile;

/// One tile, not a ring.
static LogicalResult verifySlot(Operation *op, BufferType buffer) {
  if (buffer.getSlots() != 1)
    return op->emitOpError("expects one slot of a ring, but got ")
           << buffer.getSlots() << "; pick one with diffattn_tile.slot";
  return success();
}

//===----------------------------------------------------------------------===//
// Roles
//===----------------------------------------------------------------------===//

/// roles ::= (`role` `(` %team `)` `warpgroups` n `registers` n region)+
ParseResult RolesOp::parse(OpAsmParser &parser, OperationState &result) {
  SmallVector<int64_t> warpgroups, registers;
  do {
    OpAsmParser::Argument team;
    team.type = parser.getBuilder().getI32Type();
    if (parser.parseKeyword("role") || parser.parseLParen() ||
        parser.parseArgument(team) || parser.parseRParen() ||
        parser.parseKeyword("warpgroups") ||
        parser.parseInteger(warpgroups.emplace_back()) ||
        parser.parseKeyword("registers") ||
        parser.parseInteger(registers.emplace_back()) ||
        parser.parseRegion(*result.addRegion(), team))
      return failure();
  } while (succeeded(parser.parseOptionalComma()));
  Builder &builder = parser.getBuilder();
  auto &properties = result.getOrAddProperties<Properties>();
  properties.warpgroups = builder.getDenseI64ArrayAttr(warpgroups);
  properties.registers = builder.getDenseI64ArrayAttr(registers);
  return parser.parseOptionalAttrDictWithKeyword(result.attributes);
}

void RolesOp::print(OpAsmPrinter &printer) {
  for (auto [i, region] : llvm::enumerate(getRoles())) {
    if (i != 0)
      printer << ',';
    printer.printNewline();
    printer << "  role(" << region.getArgument(0) << ") warpgroups "
            << getWarpgroups()[i] << " registers " << getRegisters()[i] << ' ';
    printer.printRegion(region, /*printEntryBlockArgs=*/false);
  }
  printer.printOptionalAttrDictWithKeyword(
      (*this)->getAttrs(), {getWarpgroupsAttrName(), getRegistersAttrName()});
}

int64_t RolesOp::getNumWarpgroups() {
  int64_t count = 0;
  for (int64_t warpgroups : getWarpgroups())
    count += warpgroups;
  return count;
}

int64_t RolesOp::getLaunchRegisters() {
  constexpr int64_t file = 65536, unit = 8;
  return file / (getNumWarpgroups() * 128) / unit * unit;
}

LogicalResult RolesOp::verify() {
  size_t count = getRoles().size();
  if (count == 0 || getWarpgroups().size() != count ||
      getRegisters().size() != count)
    return emitOpError("expects warpgroups and registers for each of ")
           << count << " roles";
  int64_t total = 0;
  for (auto [region, warpgroups, registers] :
       llvm::zip_equal(getRoles(), getWarpgroups(), getRegisters())) {
    if (region.getNumArguments() != 1 ||
        !region.getArgument(0).getType().isInteger(32))
      return emitOpError("expects each role to have one argument, an i32");
    if (warpgroups < 1 || warpgroups > 8)
      return emitOpError("expects 1 to 8 warpgroups in a role, but got ")
             << warpgroups;
    if (registers < 24 || registers > 240 || registers % 8 != 0)
      return emitOpError(
                 "expects a multiple of 8 between 24 and 240 registers, "
                 "but got ")
             << registers;
    total += warpgroups * registers * 128;
  }
  // A block starts with the same number for each thread; what roles take and
  // give back is no more than that. Beyond it a role would wait for ever.
  int64_t share = getLaunchRegisters() * getNumWarpgroups() * 128;
  if (total > share)
    return emitOpError("needs ")
           << total << " registers, but a block of " << getNumWarpgroups()
           << " warpgroups starts with " << share;
  return success();
}

/// Turns are for two to four teams: more have no named barriers.
static LogicalResult verifyTurn(Operation *op) {
  Region *region = op->getParentRegion();
  auto roles = op->getParentOfType<RolesOp>();
  while (roles && region->getParentOp() != roles)
    region = region->getParentRegion();
  int64_t teams = roles ? roles.getWarpgroups()[region->getRegionNumber()] : 1;
  if (teams < 2 || teams > 4)
    return op->emitOpError("expects a role of 2 to 4 teams, but got ") << teams;
  return success();
}

LogicalResult ClusterBarrierOp::verify() {
  if ((*this)->getParentOfType<RolesOp>() ||
      (*this)->getParentOfType<ElectedOp>())
    return emitOpError("is for all threads of the block, but in a role");
  return success();
}

LogicalResult TakeTurnOp::verify() { return verifyTurn(*this); }
LogicalResult PassTurnOp::verify() { return verifyTurn(*this); }

LogicalResult ElectedOp::verify() {
  // Several threads would be needed to hold a tensor or to meet.
  WalkResult result = getBody().walk([&](Operation *op) {
    auto isTensor = [](Type type) { return isa<RankedTensorType>(type); };
    if (isa<TeamBarrierOp, ElectedOp, RolesOp>(op) ||
        llvm::any_of(op->getOperandTypes(), isTensor) ||
        llvm::any_of(op->getResultTypes(), isTensor)) {
      emitOpError("expects work of one thread, but contains '")
          << op->getName() << "'";
      return WalkResult::interrupt();
    }
    return WalkResult::advance();
  });
  return failure(result.wasInterrupted());
}

//===----------------------------------------------------------------------===//
// Tensor copies
//===----------------------------------------------------------------------===//

/// A box of `map` after the other makes up `buffer`, as `dims` says.
static LogicalResult verifyBoxes(Operation *op, TensorMapType map,
                                 ValueRange coordinates, ArrayRef<int64_t> dims,
                                 BufferType buffer) {
  int64_t rank = map.getBox().size();
  if (failed(verifySlot(op, buffer)))
    return failure();
  if (!op->getParentOfType<ElectedOp>())
    return op->emitOpError("expects to be run by one thread, in "
                           "diffattn_tile.elected");
  if (static_cast<int64_t>(coordinates.size()) != rank)
    return op->emitOpError("expects ")
           << rank << " coordinates, but got " << coordinates.size();
  if (buffer.getElementType() != map.getElementType() ||
      buffer.getLayout().getSwizzle() != map.getSwizzle())
    return op->emitOpError("expects the element type and swizzle of ")
           << map << ", but got " << buffer;
  // Digits of one box in memory, innermost first.
  Digits box;
  SmallVector<int64_t> seen(rank, 0);
  if (dims.size() != buffer.getShape().size())
    return op->emitOpError("expects dims for ")
           << buffer.getRank() << " dimensions, but got " << dims.size();
  for (int64_t dim : dims)
    if (dim < 0 || dim >= rank || seen[dim]++)
      return op->emitOpError("expects dims to be different dimensions of the "
                             "map, but got ")
             << dim;
  for (int64_t dim = rank - 1; dim >= 0; --dim) {
    auto it = llvm::find(dims, dim);
    if (it != dims.end())
      box.push_back({it - dims.begin(), map.getBox()[dim], 1});
    else if (map.getBox()[dim] != 1)
      return op->emitOpError("expects a box of size 1 along dimension ")
             << dim << " of the map, which the buffer does not have";
  }
  auto parts = split(buffer.getLayout().getDigits(), getNumIndices(box));
  if (!parts || parts->first != normalize(box))
    return op->emitOpError("expects a layout whose innermost digits are those "
                           "of a box of ")
           << map << ", but got " << buffer.getLayout();
  return success();
}

LogicalResult TensorCopyOp::verify() {
  if (failed(verifyBoxes(*this, getSource().getType(), getCoordinates(),
                         getDims(), getDest().getType())))
    return failure();
  if (static_cast<bool>(getRank()) != getCluster().has_value())
    return emitOpError("expects rank and cluster together or neither");
  if (!getCluster())
    return success();
  int64_t elements = 1;
  for (int64_t size : getSource().getType().getBox())
    elements *= size;
  Digits boxes =
      split(getDest().getType().getLayout().getDigits(), elements)->second;
  if (boxes.empty() || *getCluster() < 1 ||
      boxes.front().extent % *getCluster())
    return emitOpError("expects boxes in groups of ")
           << *getCluster() << " along one dimension";
  return success();
}

LogicalResult TensorStoreOp::verify() {
  return verifyBoxes(*this, getDest().getType(), getCoordinates(), getDims(),
                     getSource().getType());
}

LogicalResult StoreWaitOp::verify() {
  if (!(*this)->getParentOfType<ElectedOp>())
    return emitOpError("expects to be run by one thread, in "
                       "diffattn_tile.elected");
  return success();
}

//===----------------------------------------------------------------------===//
// Asynchronous products
//===----------------------------------------------------------------------===//

LogicalResult DotAsyncOp::verify() {
  RankedTensorType result = getResult().getType().getTensor();
  BufferType rhs = getRhs().getType();
  if (getAcc() && getAcc().getType() != result)
    return emitOpError("expects an accumulator of type ")
           << result << ", but got " << getAcc().getType();
  if (failed(verifySlot(*this, rhs)))
    return failure();
  FragmentAttr layout = getLayout(result);
  int64_t rank = result.getRank(), column = rank - 1;
  if (!result.getElementType().isF32() || !layout || rank < 2 ||
      rhs.getRank() != 2)
    return emitOpError("expects a result of f32 with a layout and a right "
                       "operand of rank 2");
  int64_t k = rhs.getShape()[getTransposed() ? 1 : 0],
          n = rhs.getShape()[getTransposed() ? 0 : 1];
  auto rows = matchRowFragment(layout, column, n);
  if (result.getShape().back() != n || n > 256 || k % 16 != 0 || !rows ||
      rows->warps != 4 || getNumIndices(rows->rows) != 64)
    return emitOpError("expects a result of 64 rows by ")
           << n
           << " laid out for a warpgroup's matrix instruction, k a multiple "
           << "of 16, but got " << result << " and k = " << k;
  SharedAttr rhsLayout = getOperandLayout(
      getContext(), {{0, rhs.getShape()[0], 1}}, 1, rhs.getShape()[1], 2);
  if (rhs.getLayout() != rhsLayout)
    return emitOpError("expects a right operand with layout ")
           << rhsLayout << ", but got " << rhs.getLayout();
  SmallVector<int64_t> lhsShape(result.getShape());
  lhsShape.back() = k;
  Type element = rhs.getElementType();
  if (!isa<Float16Type, BFloat16Type>(element))
    return emitOpError("expects operands of f16 or bf16, but got ") << element;
  Type expected;
  if (auto lhs = dyn_cast<BufferType>(getLhs().getType())) {
    if (failed(verifySlot(*this, lhs)))
      return failure();
    expected = BufferType::get(
        getContext(), 1, lhsShape, element,
        getOperandLayout(getContext(), rows->rows, column, k, 2));
  } else {
    expected = RankedTensorType::get(
        lhsShape, element,
        getRowFragment(getContext(), rows->rows, column, k, rows->warps));
  }
  if (getLhs().getType() != expected)
    return emitOpError("expects a left operand of type ")
           << expected << ", but got " << getLhs().getType();
  return success();
}

//===----------------------------------------------------------------------===//
// Values
//===----------------------------------------------------------------------===//

FragmentAttr FragmentAttr::reduceInThread(int64_t dim) const {
  // What lanes and warps tell apart along the dimension moves close together.
  int64_t stride = 1;
  auto compress = [&](ArrayRef<Digit> digits, bool keep) {
    Digits result;
    for (Digit digit : digits) {
      if (digit.dim == dim) {
        if (!keep)
          continue;
        digit.stride = stride;
        stride *= digit.extent;
      }
      result.push_back(digit);
    }
    return normalize(result);
  };
  Digits registers = compress(getRegisters(), false);
  Digits lanes = compress(getLanes(), true);
  return FragmentAttr::get(getContext(), registers, lanes,
                           compress(getWarps(), true));
}

RankedTensorType ThreadReduceOp::getResultType(RankedTensorType source,
                                               int64_t dim) {
  FragmentAttr layout = getLayout(source).reduceInThread(dim);
  SmallVector<int64_t> shape(source.getShape());
  shape[dim] = 1;
  for (ArrayRef<Digit> digits : {layout.getLanes(), layout.getWarps()})
    for (const Digit &digit : digits)
      if (digit.dim == dim)
        shape[dim] *= digit.extent;
  return RankedTensorType::get(shape, source.getElementType(), layout);
}

LogicalResult ThreadReduceOp::verify() {
  RankedTensorType source = getSource().getType();
  int64_t dim = getDim();
  if (dim < 0 || dim >= source.getRank() || !getLayout(source))
    return emitOpError("expects a dimension below ")
           << source.getRank() << " and a source with a layout, but got "
           << dim;
  RankedTensorType type = getResultType(source, dim);
  if (getResult().getType() != type)
    return emitOpError("expects a result of type ")
           << type << ", but got " << getResult().getType();
  return success();
}

static LogicalResult verifyScalars(Operation *op, BufferType buffer,
                                   int64_t count) {
  if (failed(verifySlot(op, buffer)))
    return failure();
  if (buffer.getRank() != 1 || !buffer.getElementType().isInteger(32) ||
      buffer.getShape()[0] != count || !llvm::is_contained({1, 2, 4}, count) ||
      buffer.getLayout().getSwizzle() != 0)
    return op->emitOpError("expects a buffer of as many i32 as there are "
                           "numbers, 1, 2 or 4, unswizzled, but got ")
           << buffer << " and " << count << " numbers";
  return success();
}

LogicalResult WriteScalarsOp::verify() {
  return verifyScalars(*this, getDest().getType(), getValues().size());
}

LogicalResult ReadScalarsOp::verify() {
  return verifyScalars(*this, getSource().getType(), getValues().size());
}

LogicalResult FetchAddOp::verify() {
  if (getMemory().getType().getRank() != 1)
    return emitOpError("expects memory of rank 1, but got ")
           << getMemory().getType();
  return success();
}
