//===- Operands.cpp - What products read from global memory ---------------===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Operands.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"

using namespace mlir;
using namespace mlir::diffattn::tile;

/// The dimension of `acc`'s rows that one thread should hold, or -1: what
/// `select` picks from, in all tensors of these rows.
static int64_t findBranchDim(Operation *dot, RankedTensorType acc) {
  int64_t result = -1;
  dot->getParentOfType<gpu::GPUFuncOp>().walk([&](SelectOp select) {
    auto source = select.getSource().getType();
    if (source.getRank() == acc.getRank() &&
        source.getShape().drop_back() == acc.getShape().drop_back() &&
        select.getDim() < acc.getRank() - 1)
      result = select.getDim();
  });
  return result;
}

FailureOr<Digits> mlir::diffattn::tile::getProductRows(Operation *dot,
                                                       RankedTensorType acc) {
  int64_t last = acc.getRank() - 1, branch = findBranchDim(dot, acc);
  Digits rows;
  for (int64_t dim = 0; dim < last; ++dim)
    if (dim != branch)
      rows.push_back({dim, acc.getDimSize(dim), 1});
  rows = normalize(rows);
  if (branch < 0)
    return rows;
  auto parts = split(rows, 8);
  if (!parts)
    return dot->emitOpError("expects a multiple of 8 rows of each branch, but "
                            "got ")
           << getNumIndices(rows);
  return concat(concat(parts->first, {{branch, acc.getDimSize(branch), 1}}),
                parts->second);
}

bool mlir::diffattn::tile::feedsProducts(LoadOp load) {
  return !load->use_empty() && llvm::all_of(load->getUses(), [](OpOperand &o) {
    return isa<DotOp>(o.getOwner()) && o.getOperandNumber() < 2;
  });
}

//===----------------------------------------------------------------------===//
// Tensor maps
//===----------------------------------------------------------------------===//

/// The box is made of the innermost digits of the layout, one of each dimension
/// of the tile; the rest of a layout repeats boxes.
static Digits getBox(BufferType buffer) {
  Digits box;
  for (const Digit &digit : buffer.getLayout().getDigits()) {
    if (llvm::any_of(box, [&](const Digit &d) { return d.dim == digit.dim; }))
      break;
    box.push_back(digit);
  }
  return box;
}

FailureOr<TensorMapAccess>
mlir::diffattn::tile::getTensorMapAccess(Value memref, BufferType buffer,
                                         std::string &why) {
  auto refuse = [&](const Twine &expected) {
    why = expected.str();
    return failure();
  };
  auto view = memref.getDefiningOp<memref::SubViewOp>();
  if (!view || !view.hasUnitStride())
    return refuse("a view of consecutive elements");
  Value source = view.getSource();
  SmallVector<ReassociationIndices> groups;
  if (auto expand = source.getDefiningOp<memref::ExpandShapeOp>()) {
    source = expand.getSrc();
    groups = expand.getReassociationIndices();
  } else {
    for (int64_t dim = 0; dim < view.getSourceType().getRank(); ++dim)
      groups.push_back({dim});
  }
  auto argument = dyn_cast<BlockArgument>(source);
  if (!argument)
    return refuse("a view of a parameter of the kernel");

  // Of each dimension of the parameter, the dimension of the tile that walks
  // it, and where the tile starts.
  llvm::SmallBitVector dropped = view.getDroppedDims();
  ArrayRef<int64_t> shape = view.getSourceType().getShape();
  SmallVector<int64_t> argumentOfTile;
  SmallVector<SmallVector<TensorMapAccess::Term>> starts(groups.size());
  for (int64_t dim = 0, rank = groups.size(); dim < rank; ++dim) {
    ArrayRef<int64_t> group = groups[dim];
    int64_t scale = 1;
    for (int64_t i : llvm::reverse(group)) {
      if (!dropped.test(i) && scale != 1)
        return refuse("tiles that walk each dimension of parameter " +
                      Twine(argument.getArgNumber()) +
                      " in steps of one, such as pairs = 1");
      starts[dim].push_back({i, scale});
      scale *= ShapedType::isDynamic(shape[i]) ? 1 : shape[i];
    }
    for (int64_t i : group)
      if (!dropped.test(i))
        argumentOfTile.push_back(dim);
  }

  // Walked dimensions in the order of the box, then the others.
  TensorMapAccess access;
  access.argument = argument;
  SmallVector<int64_t> sizes; // innermost first, like `dims` at first
  for (const Digit &digit : getBox(buffer)) {
    access.dims.push_back(argumentOfTile[digit.dim]);
    sizes.push_back(digit.extent);
  }
  if (access.dims.size() != argumentOfTile.size())
    return refuse("a layout with a digit of each dimension in a box");
  for (int64_t dim = groups.size(); dim-- > 0;)
    if (!llvm::is_contained(access.dims, dim)) {
      access.dims.push_back(dim);
      sizes.push_back(1);
    }
  std::reverse(access.dims.begin(), access.dims.end());
  std::reverse(sizes.begin(), sizes.end());
  for (int64_t dim : access.dims)
    access.coordinates.push_back(starts[dim]);
  for (int64_t dim : argumentOfTile)
    access.tileDims.push_back(llvm::find(access.dims, dim) -
                              access.dims.begin());
  access.type =
      TensorMapType::get(memref.getContext(), sizes, buffer.getElementType(),
                         buffer.getLayout().getSwizzle());
  return access;
}

OpFoldResult TensorMapAccess::getOffset(Value view, Term term) {
  return view.getDefiningOp<memref::SubViewOp>()
      .getMixedOffsets()[term.viewDim];
}

BufferType mlir::diffattn::tile::splitBoxes(BufferType buffer, int64_t parts) {
  Digits digits(buffer.getLayout().getDigits());
  Digit &rows = digits[1];
  if (rows.extent % (8 * parts))
    return {};
  rows.extent /= parts;
  digits.insert(digits.begin() + 2,
                Digit{rows.dim, parts, rows.stride * rows.extent});
  return BufferType::get(buffer.getContext(), buffer.getSlots(),
                         buffer.getShape(), buffer.getElementType(),
                         SharedAttr::get(buffer.getContext(), digits,
                                         buffer.getLayout().getSwizzle()));
}

Value mlir::diffattn::tile::addTensorMap(gpu::GPUFuncOp kernel,
                                         const TensorMapAccess &access) {
  Builder builder(kernel.getContext());
  unsigned number = kernel.getNumArguments();
  (void)kernel.insertArgument(number, access.type, {}, kernel.getLoc());
  kernel.setArgAttr(
      number, attr::map,
      builder.getDictionaryAttr(
          {builder.getNamedAttr(
               "argument",
               builder.getI64IntegerAttr(access.argument.getArgNumber())),
           builder.getNamedAttr("dims",
                                builder.getDenseI64ArrayAttr(access.dims))}));
  return kernel.getArgument(number);
}

SmallVector<Value> mlir::diffattn::tile::createMapCoordinates(
    OpBuilder &builder, Location loc, const TensorMapAccess &access, Value view,
    function_ref<Value(Value)> clone) {
  auto createI32 = [&](int64_t value) -> Value {
    return arith::ConstantIntOp::create(builder, loc, value, 32);
  };
  SmallVector<Value> coordinates;
  for (ArrayRef<TensorMapAccess::Term> sum : access.coordinates) {
    Value coordinate = createI32(0);
    for (const TensorMapAccess::Term &term : sum) {
      OpFoldResult start = TensorMapAccess::getOffset(view, term);
      Value offset;
      if (auto value = dyn_cast<Value>(start))
        offset = arith::IndexCastOp::create(builder, loc, builder.getI32Type(),
                                            clone(value));
      else
        offset = createI32(*getConstantIntValue(start));
      coordinate = arith::AddIOp::create(
          builder, loc, coordinate,
          arith::MulIOp::create(builder, loc, offset, createI32(term.scale)));
    }
    coordinates.push_back(coordinate);
  }
  return coordinates;
}
