//===- GlobalOps.cpp - Views, loads and stores ----------------------------===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Machine.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace mlir::diffattn;
using namespace mlir::diffattn::reference;

//===----------------------------------------------------------------------===//
// Views
//===----------------------------------------------------------------------===//

static const GlobalView &getView(Machine &machine, Value value) {
  return std::get<GlobalView>(machine.get(value));
}

/// Binds a view after comparing its sizes with what the type promises.
static LogicalResult setView(Machine &machine, Operation *op, Value result,
                             GlobalView view) {
  auto type = cast<MemRefType>(result.getType());
  if (failed(verifyCompatibleShape(view.sizes, type.getShape())))
    return machine.fail(
        op, "yields a view of shape " + stringifyShape(view.sizes) +
                " where its type has shape " + stringifyShape(type.getShape()));
  machine.set(result, std::move(view));
  return success();
}

static LogicalResult executeSubview(Machine &machine, memref::SubViewOp op) {
  const GlobalView &source = getView(machine, op.getSource());
  SmallVector<int64_t> offsets = machine.getInts(op.getMixedOffsets()),
                       sizes = machine.getInts(op.getMixedSizes()),
                       strides = machine.getInts(op.getMixedStrides());
  llvm::SmallBitVector dropped = op.getDroppedDims();
  GlobalView view = {source.array, source.offset, {}, {}};
  for (size_t d = 0; d < sizes.size(); ++d) {
    // A team whose tile lies behind the end has a view of less than nothing.
    int64_t last = offsets[d] + (sizes[d] - 1) * strides[d];
    if (sizes[d] > 0 && (offsets[d] < 0 || last >= source.sizes[d]))
      return machine.fail(op, "takes " + Twine(sizes[d]) + " elements from " +
                                  Twine(offsets[d]) + " on in dimension " +
                                  Twine(d) + ", which has " +
                                  Twine(source.sizes[d]));
    view.offset += offsets[d] * source.strides[d];
    if (dropped.test(d))
      continue;
    view.sizes.push_back(sizes[d]);
    view.strides.push_back(strides[d] * source.strides[d]);
  }
  return setView(machine, op, op.getResult(), std::move(view));
}

static LogicalResult executeExpand(Machine &machine, memref::ExpandShapeOp op) {
  const GlobalView &source = getView(machine, op.getSrc());
  GlobalView view = {source.array,
                     source.offset,
                     machine.getInts(op.getMixedOutputShape()),
                     {}};
  view.strides.resize(view.sizes.size());
  for (auto [d, group] : llvm::enumerate(op.getReassociationIndices())) {
    int64_t stride = source.strides[d], size = 1;
    for (int64_t inner : llvm::reverse(group)) {
      view.strides[inner] = stride * size;
      size *= view.sizes[inner];
    }
    if (size != source.sizes[d])
      return machine.fail(op, "splits dimension " + Twine(d) + " of size " +
                                  Twine(source.sizes[d]) + " into " +
                                  Twine(size));
  }
  return setView(machine, op, op.getResult(), std::move(view));
}

static LogicalResult executeCollapse(Machine &machine,
                                     memref::CollapseShapeOp op) {
  const GlobalView &source = getView(machine, op.getSrc());
  GlobalView view = {source.array, source.offset, {}, {}};
  for (ArrayRef<int64_t> group : op.getReassociationIndices()) {
    int64_t size = 1, stride = 1;
    for (int64_t d : llvm::reverse(group)) {
      if (source.sizes[d] == 1)
        continue;
      if (size == 1)
        stride = source.strides[d];
      else if (source.strides[d] != stride * size)
        return machine.fail(op, "joins dimensions that are not contiguous");
      size *= source.sizes[d];
    }
    view.sizes.push_back(size);
    view.strides.push_back(stride);
  }
  return setView(machine, op, op.getResult(), std::move(view));
}

static LogicalResult executeDim(Machine &machine, memref::DimOp op) {
  const GlobalView &view = getView(machine, op.getSource());
  int64_t dim = machine.getInt(op.getIndex());
  if (dim < 0 || dim >= static_cast<int64_t>(view.sizes.size()))
    return machine.fail(op, "asks for dimension " + Twine(dim));
  machine.setInt(op.getResult(), view.sizes[dim]);
  return success();
}

static LogicalResult executeMetadata(Machine &machine,
                                     memref::ExtractStridedMetadataOp op) {
  GlobalView view = getView(machine, op.getSource());
  for (auto [value, size] : llvm::zip_equal(op.getSizes(), view.sizes))
    machine.setInt(value, size);
  for (auto [value, stride] : llvm::zip_equal(op.getStrides(), view.strides))
    machine.setInt(value, stride);
  machine.setInt(op.getOffset(), view.offset);
  machine.set(op.getBaseBuffer(), GlobalView{view.array, 0, {}, {}});
  return success();
}

static LogicalResult executeReinterpret(Machine &machine,
                                        memref::ReinterpretCastOp op) {
  const GlobalView &source = getView(machine, op.getSource());
  return setView(machine, op, op.getResult(),
                 {source.array, machine.getInts(op.getMixedOffsets()).front(),
                  machine.getInts(op.getMixedSizes()),
                  machine.getInts(op.getMixedStrides())});
}

//===----------------------------------------------------------------------===//
// Accesses
//===----------------------------------------------------------------------===//

static std::string describeElement(const GlobalView &view,
                                   ArrayRef<int64_t> index) {
  return "element (" + stringifyShape(index) + ") of a view of parameter " +
         std::to_string(view.array->number);
}

/// Where an element of a view, within its sizes, lies in the parameter. `verb`
/// is for the message if that is nowhere.
static FailureOr<int64_t> getPlace(Machine &machine, Operation *op,
                                   StringRef verb, const GlobalView &view,
                                   ArrayRef<int64_t> index) {
  int64_t position = view.getPosition(index);
  if (position < 0 || position >= view.array->getNumElements())
    return machine.fail(op, verb + " " + describeElement(view, index) +
                                ", which is out of bounds");
  return position;
}

static LogicalResult readElement(Machine &machine, Operation *op,
                                 const GlobalView &view,
                                 ArrayRef<int64_t> index, Slot &out) {
  FailureOr<int64_t> position = getPlace(machine, op, "reads", view, index);
  if (failed(position))
    return failure();
  GlobalArray &array = *view.array;
  if (!array.isDefined[*position])
    return machine.fail(op, "reads " + describeElement(view, index) +
                                ", which is undefined");
  out = decode(array.dtype,
               array.bytes.data() + *position * getByteWidth(array.dtype));
  return success();
}

LogicalResult reference::writeElement(Machine &machine, Operation *op,
                                      const GlobalView &view,
                                      ArrayRef<int64_t> index, Slot value) {
  FailureOr<int64_t> position = getPlace(machine, op, "writes", view, index);
  if (failed(position))
    return failure();
  GlobalArray &array = *view.array;
  int64_t &writer = array.writer[*position];
  if (writer < 0)
    return machine.fail(op, "writes " + describeElement(view, index) +
                                ", which lies between rows");
  int64_t self =
      machine.blockId * machine.getNumWarps() + machine.worker().number + 1;
  int64_t width = getByteWidth(array.dtype);
  char *place = array.bytes.data() + *position * width;
  char bytes[8];
  encode(array.dtype, value, bytes);
  if (writer != 0 && writer != self) {
    int64_t block = (writer - 1) / machine.getNumWarps(),
            warp = (writer - 1) % machine.getNumWarps();
    // Teams without a tile of their own may do what another one does.
    if (block == machine.blockId && std::equal(bytes, bytes + width, place))
      return success();
    return machine.fail(op, "writes " + describeElement(view, index) +
                                ", which warp " + Twine(warp) + " of block " +
                                Twine(block) + " has written, too");
  }
  writer = self;
  array.isDefined[*position] = true;
  std::copy_n(bytes, width, place);
  return success();
}

static bool isWithin(ArrayRef<int64_t> index, ArrayRef<int64_t> sizes) {
  for (auto [i, size] : llvm::zip_equal(index, sizes))
    if (i >= size)
      return false;
  return true;
}

static LogicalResult executeLoad(Machine &machine, tile::LoadOp op) {
  const GlobalView &view = getView(machine, op.getSource());
  RankedTensorType type = op.getResult().getType();
  Tensor result(type.getShape());
  Slot *out = result.mutableData();
  Slot zero;
  zero.i = 0;
  if (failed(forEachIndex(
          type.getShape(), [&](ArrayRef<int64_t> index, int64_t number) {
            out[number] = zero;
            return isWithin(index, view.sizes)
                       ? readElement(machine, op, view, index, out[number])
                       : success();
          })))
    return failure();
  machine.set(op.getResult(), machine.unify(op, std::move(result)));
  return success();
}

static LogicalResult executeStore(Machine &machine, tile::StoreOp op) {
  const GlobalView &view = getView(machine, op.getDest());
  const Tensor &value = machine.getTensor(op.getValue());
  ArrayRef<uint32_t> holders = machine.getHolders(op.getValue().getType());
  return forEachIndex(
      value.getShape(), [&](ArrayRef<int64_t> index, int64_t number) {
        if (!machine.isOwner(holders[number]) || !isWithin(index, view.sizes))
          return success();
        return writeElement(machine, op, view, index, value.data()[number]);
      });
}

//===----------------------------------------------------------------------===//
// Numbers
//===----------------------------------------------------------------------===//

/// The values of `indices`, if they lie within the view.
static FailureOr<SmallVector<int64_t>> getIndex(Machine &machine, Operation *op,
                                                const GlobalView &view,
                                                ValueRange indices) {
  SmallVector<int64_t> index = llvm::map_to_vector(
      indices, [&](Value value) { return machine.getInt(value); });
  for (auto [i, size] : llvm::zip_equal(index, view.sizes))
    if (i < 0 || i >= size)
      return machine.fail(op, "accesses element (" + stringifyShape(index) +
                                  ") of a view of shape " +
                                  stringifyShape(view.sizes));
  return index;
}

static LogicalResult executeScalarLoad(Machine &machine, memref::LoadOp op) {
  const GlobalView &view = getView(machine, op.getMemRef());
  auto index = getIndex(machine, op, view, op.getIndices());
  if (failed(index))
    return failure();
  Tensor result{ArrayRef<int64_t>()};
  if (failed(readElement(machine, op, view, *index, *result.mutableData())))
    return failure();
  machine.set(op.getResult(), std::move(result));
  return success();
}

static LogicalResult executeScalarStore(Machine &machine, memref::StoreOp op) {
  const GlobalView &view = getView(machine, op.getMemRef());
  auto index = getIndex(machine, op, view, op.getIndices());
  if (failed(index))
    return failure();
  return writeElement(machine, op, view, *index,
                      *machine.getTensor(op.getValue()).data());
}

/// Atomic, so that any warp of any block may be the next.
static LogicalResult executeFetchAdd(Machine &machine, tile::FetchAddOp op) {
  const GlobalView &view = getView(machine, op.getMemory());
  auto index = getIndex(machine, op, view, op.getIndex());
  Slot number;
  if (failed(index) || failed(readElement(machine, op, view, *index, number)))
    return failure();
  machine.setInt(op.getResult(), number.i);
  number.i += machine.getInt(op.getValue());
  encode(DType::I32, number,
         view.array->bytes.data() +
             view.getPosition(*index) * getByteWidth(DType::I32));
  return success();
}

MaybeResult reference::executeGlobalOp(Machine &machine, Operation *op) {
  return llvm::TypeSwitch<Operation *, MaybeResult>(op)
      .Case(
          [&](memref::SubViewOp view) { return executeSubview(machine, view); })
      .Case([&](memref::ExpandShapeOp view) {
        return executeExpand(machine, view);
      })
      .Case([&](memref::CollapseShapeOp view) {
        return executeCollapse(machine, view);
      })
      .Case([&](memref::CastOp view) {
        return setView(machine, op, view.getResult(),
                       getView(machine, view.getSource()));
      })
      .Case([&](memref::DimOp dim) { return executeDim(machine, dim); })
      .Case([&](memref::ExtractStridedMetadataOp metadata) {
        return executeMetadata(machine, metadata);
      })
      .Case([&](memref::ReinterpretCastOp view) {
        return executeReinterpret(machine, view);
      })
      .Case(
          [&](memref::LoadOp load) { return executeScalarLoad(machine, load); })
      .Case([&](memref::StoreOp store) {
        return executeScalarStore(machine, store);
      })
      .Case([&](tile::FetchAddOp add) { return executeFetchAdd(machine, add); })
      .Case([&](tile::LoadOp load) { return executeLoad(machine, load); })
      .Case([&](tile::StoreOp store) { return executeStore(machine, store); })
      .Default(std::nullopt);
}
