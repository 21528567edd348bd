//===- TensorOps.cpp - The tensor dialect ---------------------------------===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Interpreter.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "llvm/ADT/TypeSwitch.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace mlir::diffattn;
using namespace mlir::diffattn::reference;

//===----------------------------------------------------------------------===//
// Slices
//===----------------------------------------------------------------------===//

namespace {
/// A rectangular, strided part of a tensor.
struct Slice {
  SmallVector<int64_t> offsets, sizes, strides;
};
} // namespace

template <typename SliceOp>
static Slice getSlice(Interpreter &in, SliceOp op) {
  return {in.getInts(op.getMixedOffsets()), in.getInts(op.getMixedSizes()),
          in.getInts(op.getMixedStrides())};
}

static LogicalResult checkSlice(Interpreter &in, Operation *op,
                                const Slice &slice, ArrayRef<int64_t> shape) {
  for (auto [d, size] : llvm::enumerate(shape)) {
    int64_t offset = slice.offsets[d], count = slice.sizes[d];
    // Bounded before the product, so that nothing overflows.
    bool isInside =
        offset >= 0 && count >= 0 && count <= size && offset <= size &&
        (count <= 1 || (slice.strides[d] <= size && slice.strides[d] >= -size));
    if (isInside && count > 0) {
      int64_t last = offset + (count - 1) * slice.strides[d];
      isInside = offset < size && last >= 0 && last < size;
    }
    if (!isInside)
      return in.fail(op, "is out of bounds in dimension " + Twine(d) +
                             ": offset " + Twine(offset) + ", size " +
                             Twine(count) + ", stride " +
                             Twine(slice.strides[d]) + " of " + Twine(size));
  }
  return success();
}

/// Copies between a slice of `whole` and the dense `part`, row by row.
template <typename Whole, typename Part, typename CopyRow>
static void copySlice(const Slice &slice, ArrayRef<int64_t> wholeStrides,
                      Whole *whole, Part *part, CopyRow copyRow) {
  if (llvm::is_contained(slice.sizes, 0))
    return;
  unsigned rank = slice.sizes.size();
  int64_t base = 0;
  SmallVector<int64_t> strides;
  for (unsigned d = 0; d < rank; ++d) {
    base += slice.offsets[d] * wholeStrides[d];
    strides.push_back(slice.strides[d] * wholeStrides[d]);
  }
  int64_t rowSize = rank ? slice.sizes.back() : 1;
  int64_t rowStride = rank ? strides.back() : 1;
  ArrayRef<int64_t> outer =
      ArrayRef(slice.sizes).take_front(rank ? rank - 1 : 0);
  SmallVector<int64_t> index(outer.size(), 0);
  do {
    int64_t position = base;
    for (auto [i, stride] : llvm::zip(index, strides))
      position += i * stride;
    copyRow(whole + position, rowStride, part, rowSize);
    part += rowSize;
  } while (increment(index, outer));
}

static LogicalResult extractSlice(Interpreter &in, tensor::ExtractSliceOp op) {
  const Tensor &source = in.get(op.getSource());
  Slice slice = getSlice(in, op);
  if (failed(checkSlice(in, op, slice, source.getShape())))
    return failure();
  Tensor part(slice.sizes);
  copySlice(slice, source.getStrides(), source.data(), part.mutableData(),
            [](const Slot *from, int64_t stride, Slot *to, int64_t n) {
              for (int64_t i = 0; i < n; ++i)
                to[i] = from[i * stride];
            });
  SmallVector<int64_t> shape;
  llvm::SmallBitVector dropped = op.getDroppedDims();
  for (auto [d, size] : llvm::enumerate(slice.sizes))
    if (!dropped[d])
      shape.push_back(size);
  return in.set(op, op.getResult(), part.reshaped(shape));
}

/// tensor.insert_slice and tensor.parallel_insert_slice. The source may leave
/// out dimensions of size 1.
template <typename InsertOp>
static LogicalResult insertInto(Interpreter &in, InsertOp op, Tensor &dest) {
  const Tensor &source = in.get(op.getSource());
  Slice slice = getSlice(in, op);
  if (failed(checkSlice(in, op, slice, dest.getShape())))
    return failure();
  int64_t count = 1;
  for (int64_t size : slice.sizes)
    count *= size;
  if (count != source.getNumElements())
    return in.fail(
        op, "inserts a tensor of shape " + stringifyShape(source.getShape()) +
                " into a slice of shape " + stringifyShape(slice.sizes));
  copySlice(slice, dest.getStrides(), dest.mutableData(), source.data(),
            [](Slot *to, int64_t stride, const Slot *from, int64_t n) {
              for (int64_t i = 0; i < n; ++i)
                to[i * stride] = from[i];
            });
  return success();
}

LogicalResult reference::insertSlice(Interpreter &in,
                                     tensor::ParallelInsertSliceOp op,
                                     Tensor &dest) {
  return insertInto(in, op, dest);
}

//===----------------------------------------------------------------------===//
// Elements
//===----------------------------------------------------------------------===//

/// The position of an element, or a failure if it is out of bounds.
static FailureOr<int64_t> getPosition(Interpreter &in, Operation *op,
                                      const Tensor &tensor,
                                      ValueRange indices) {
  int64_t position = 0;
  for (auto [d, value] : llvm::enumerate(indices)) {
    int64_t index = in.getInt(value), size = tensor.getShape()[d];
    if (index < 0 || index >= size)
      return in.fail(op, "is out of bounds in dimension " + Twine(d) +
                             ": index " + Twine(index) + " of " + Twine(size));
    position = position * size + index;
  }
  return position;
}

static LogicalResult extractElement(Interpreter &in, tensor::ExtractOp op) {
  const Tensor &tensor = in.get(op.getTensor());
  FailureOr<int64_t> position = getPosition(in, op, tensor, op.getIndices());
  if (failed(position))
    return failure();
  Tensor element{ArrayRef<int64_t>()};
  *element.mutableData() = tensor.data()[*position];
  return in.set(op, op, std::move(element));
}

static LogicalResult insertElement(Interpreter &in, tensor::InsertOp op) {
  Slot scalar = *in.get(op.getScalar()).data();
  FailureOr<int64_t> position =
      getPosition(in, op, in.get(op.getDest()), op.getIndices());
  if (failed(position))
    return failure();
  Tensor tensor = in.take(op.getDest(), op);
  tensor.mutableData()[*position] = scalar;
  return in.set(op, op, std::move(tensor));
}

//===----------------------------------------------------------------------===//
// New tensors
//===----------------------------------------------------------------------===//

static LogicalResult setFilled(Interpreter &in, Operation *op,
                               ArrayRef<int64_t> shape, Slot value) {
  FailureOr<Tensor> tensor = in.allocate(op, shape);
  if (failed(tensor))
    return failure();
  std::fill_n(tensor->mutableData(), tensor->getNumElements(), value);
  return in.set(op, op->getResult(0), std::move(*tensor));
}

/// Sizes of the result, dynamic ones from `sizes`.
static SmallVector<int64_t> getShape(Interpreter &in, RankedTensorType type,
                                     ValueRange sizes) {
  SmallVector<int64_t> shape(type.getShape());
  for (int64_t &size : shape)
    if (ShapedType::isDynamic(size)) {
      size = in.getInt(sizes.front());
      sizes = sizes.drop_front();
    }
  return shape;
}

/// Sets every element to what `block` yields for its indices.
static LogicalResult fillByIndex(Interpreter &in, Operation *op, Block &block,
                                 Tensor &tensor) {
  FailureOr<Program> program = in.compileBody(op, block);
  if (failed(program))
    return failure();
  if (tensor.getNumElements() == 0)
    return success();
  unsigned yielded = program->getRegister(block.getTerminator()->getOperand(0));
  Frame frame(*program);
  SmallVector<int64_t> index(tensor.getRank(), 0);
  Slot *out = tensor.mutableData();
  do {
    for (auto [d, i] : llvm::enumerate(index))
      frame.reg(d)->i = i;
    program->run(frame, 1);
    *out++ = *frame.reg(yielded);
  } while (!frame.failure && increment(index, tensor.getShape()));
  return in.checkFrame(frame);
}

static LogicalResult generate(Interpreter &in, tensor::GenerateOp op) {
  FailureOr<Tensor> tensor =
      in.allocate(op, getShape(in, op.getType(), op.getDynamicExtents()));
  if (failed(tensor) ||
      failed(fillByIndex(in, op, op.getBody().front(), *tensor)))
    return failure();
  return in.set(op, op, std::move(*tensor));
}

static LogicalResult pad(Interpreter &in, tensor::PadOp op) {
  const Tensor &source = in.get(op.getSource());
  SmallVector<int64_t> low = in.getInts(op.getMixedLowPad());
  SmallVector<int64_t> high = in.getInts(op.getMixedHighPad());
  SmallVector<int64_t> shape;
  for (auto [d, size] : llvm::enumerate(source.getShape())) {
    if (low[d] < 0 || high[d] < 0)
      return in.fail(op, "has negative padding in dimension " + Twine(d));
    int64_t padded;
    if (llvm::AddOverflow(size, low[d], padded) ||
        llvm::AddOverflow(padded, high[d], padded))
      return in.fail(op, "has padding that overflows in dimension " + Twine(d));
    shape.push_back(padded);
  }
  FailureOr<Tensor> result = in.allocate(op, shape);
  if (failed(result) ||
      failed(fillByIndex(in, op, op.getRegion().front(), *result)))
    return failure();
  Slice inner{low, SmallVector<int64_t>(source.getShape()),
              SmallVector<int64_t>(low.size(), 1)};
  copySlice(inner, result->getStrides(), result->mutableData(), source.data(),
            [](Slot *to, int64_t, const Slot *from, int64_t n) {
              std::copy_n(from, n, to);
            });
  return in.set(op, op.getResult(), std::move(*result));
}

static LogicalResult fromElements(Interpreter &in, tensor::FromElementsOp op) {
  Tensor result(op.getType().getShape());
  Slot *out = result.mutableData();
  for (Value element : op.getElements())
    *out++ = *in.get(element).data();
  return in.set(op, op, std::move(result));
}

static LogicalResult concat(Interpreter &in, tensor::ConcatOp op) {
  uint64_t dim = op.getDim();
  SmallVector<int64_t> shape(in.get(op.getInputs().front()).getShape());
  shape[dim] = 0;
  for (Value input : op.getInputs())
    shape[dim] += in.get(input).getShape()[dim];
  FailureOr<Tensor> result = in.allocate(op, shape);
  if (failed(result))
    return failure();
  Slice slice{SmallVector<int64_t>(shape.size(), 0), shape,
              SmallVector<int64_t>(shape.size(), 1)};
  for (Value input : op.getInputs()) {
    const Tensor &tensor = in.get(input);
    slice.sizes.assign(tensor.getShape().begin(), tensor.getShape().end());
    if (failed(checkSlice(in, op, slice, shape)))
      return failure();
    copySlice(slice, result->getStrides(), result->mutableData(), tensor.data(),
              [](Slot *to, int64_t, const Slot *from, int64_t n) {
                std::copy_n(from, n, to);
              });
    slice.offsets[dim] += slice.sizes[dim];
  }
  return in.set(op, op, std::move(*result));
}

//===----------------------------------------------------------------------===//
// Shapes
//===----------------------------------------------------------------------===//

static LogicalResult reshape(Interpreter &in, Operation *op,
                             ArrayRef<int64_t> shape) {
  const Tensor &source = in.get(op->getOperand(0));
  llvm::Expected<int64_t> count = checkedNumElements(shape);
  if (!count || *count != source.getNumElements()) {
    llvm::consumeError(count.takeError());
    return in.fail(op, "cannot reshape " + stringifyShape(source.getShape()) +
                           " to " + stringifyShape(shape));
  }
  return in.set(op, op->getResult(0), source.reshaped(shape));
}

static LogicalResult collapse(Interpreter &in, tensor::CollapseShapeOp op) {
  ArrayRef<int64_t> source = in.get(op.getSrc()).getShape();
  SmallVector<int64_t> shape;
  for (const ReassociationIndices &group : op.getReassociationIndices()) {
    shape.push_back(1);
    for (int64_t d : group)
      shape.back() *= source[d];
  }
  return reshape(in, op, shape);
}

static LogicalResult reshapeByTensor(Interpreter &in, tensor::ReshapeOp op) {
  const Tensor &sizes = in.get(op.getShape());
  SmallVector<int64_t> shape;
  for (int64_t i = 0; i < sizes.getNumElements(); ++i)
    shape.push_back(sizes.data()[i].i);
  return reshape(in, op, shape);
}

static LogicalResult dim(Interpreter &in, tensor::DimOp op) {
  ArrayRef<int64_t> shape = in.get(op.getSource()).getShape();
  int64_t index = in.getInt(op.getIndex());
  if (index < 0 || index >= int64_t(shape.size()))
    return in.fail(op, "asks for dimension " + Twine(index) +
                           " of a tensor of rank " + Twine(shape.size()));
  return in.set(op, op, Tensor::scalarInt(shape[index]));
}

MaybeResult reference::evaluateTensorOp(Interpreter &in, Operation *op) {
  return llvm::TypeSwitch<Operation *, MaybeResult>(op)
      .Case([&](tensor::EmptyOp empty) {
        return setFilled(in, op,
                         getShape(in, empty.getType(), empty.getDynamicSizes()),
                         getPoison(empty.getType().getElementType()));
      })
      .Case([&](tensor::SplatOp splat) {
        return setFilled(in, op,
                         getShape(in, splat.getType(), splat.getDynamicSizes()),
                         *in.get(splat.getInput()).data());
      })
      .Case([&](tensor::ExtractOp op) { return extractElement(in, op); })
      .Case([&](tensor::InsertOp op) { return insertElement(in, op); })
      .Case([&](tensor::ExtractSliceOp op) { return extractSlice(in, op); })
      .Case([&](tensor::InsertSliceOp op) -> LogicalResult {
        Tensor dest = in.take(op.getDest(), op);
        if (failed(insertInto(in, op, dest)))
          return failure();
        return in.set(op, op, std::move(dest));
      })
      .Case([&](tensor::GenerateOp op) { return generate(in, op); })
      .Case([&](tensor::PadOp op) { return pad(in, op); })
      .Case([&](tensor::FromElementsOp op) { return fromElements(in, op); })
      .Case([&](tensor::ConcatOp op) { return concat(in, op); })
      .Case([&](tensor::CastOp cast) {
        return in.set(op, cast, in.take(cast.getSource(), op));
      })
      .Case([&](tensor::DimOp op) { return dim(in, op); })
      .Case([&](tensor::RankOp rank) {
        return in.set(op, rank,
                      Tensor::scalarInt(in.get(rank.getTensor()).getRank()));
      })
      .Case([&](tensor::ExpandShapeOp op) {
        return reshape(in, op, in.getInts(op.getMixedOutputShape()));
      })
      .Case([&](tensor::CollapseShapeOp op) { return collapse(in, op); })
      .Case([&](tensor::ReshapeOp op) { return reshapeByTensor(in, op); })
      .Default(std::nullopt);
}
