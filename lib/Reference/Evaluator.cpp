//===- Evaluator.cpp - Float64 reference evaluator ------------------------===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "diffattn/Reference/Evaluator.h"

#include "Interpreter.h"
#include "diffattn/Dialect/DiffAttn/IR/DiffAttn.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace mlir::diffattn;
using namespace mlir::diffattn::reference;

//===----------------------------------------------------------------------===//
// Elements left out
//===----------------------------------------------------------------------===//

/// A quiet NaN with a payload of its own: arithmetic makes the default one.
static constexpr uint64_t notEvaluatedBits = 0x7ff8'6e6f'745f'6576;

double reference::getNotEvaluated() {
  return llvm::bit_cast<double>(notEvaluatedBits);
}

bool reference::isNotEvaluated(double value) {
  return llvm::bit_cast<uint64_t>(value) == notEvaluatedBits;
}

//===----------------------------------------------------------------------===//
// Row samples
//===----------------------------------------------------------------------===//

RowSample RowSample::random(int64_t numBatches, int64_t numRows, int64_t count,
                            uint64_t seed) {
  RowSample sample;
  int64_t total = numBatches * numRows;
  auto add = [&](int64_t position) {
    sample.rows.push_back({position / numRows, position % numRows});
  };
  if (count >= total) {
    for (int64_t position = 0; position < total; ++position)
      add(position);
    return sample;
  }
  // One row from each of `count` equal strata, the first and last at the ends.
  uint64_t state = seed * 0x9e3779b97f4a7c15 + 1;
  for (int64_t k = 0; k < count; ++k) {
    int64_t begin = total * k / count, end = total * (k + 1) / count;
    state = state * 6364136223846793005 + 1442695040888963407;
    if (k == 0)
      add(begin);
    else if (k == count - 1)
      add(end - 1);
    else
      add(begin + (state >> 33) % (end - begin));
  }
  return sample;
}

/// True if results of `op` go nowhere but into a return.
static bool isOnlyReturned(Operation *op) {
  return llvm::all_of(op->getUsers(), [](Operation *user) {
    return isa<func::ReturnOp, tensor::DimOp>(user) ||
           (isa<tensor::CastOp>(user) && isOnlyReturned(user));
  });
}

bool reference::canSampleRows(func::FuncOp entry) {
  if (entry.isExternal() || !entry.getBody().hasOneBlock())
    return false;
  Operation *terminator = entry.front().getTerminator();
  return llvm::all_of(terminator->getOperands(), [](Value value) {
    while (auto cast = value.getDefiningOp<tensor::CastOp>())
      value = cast.getSource();
    auto attention = value.getDefiningOp<AttentionOp>();
    return attention && isOnlyReturned(attention);
  });
}

const RowSample *Interpreter::getRowSample(Operation *op) const {
  if (!sampledEntry || !options.rowSample ||
      op->getParentOp() != sampledEntry || !isOnlyReturned(op))
    return nullptr;
  return &*options.rowSample;
}

//===----------------------------------------------------------------------===//
// Entry
//===----------------------------------------------------------------------===//

static Tensor toTensor(const Array &array) {
  Tensor tensor(array.getShape());
  if (isFloat(array.getDType())) {
    array.readDoubles(tensor.mutableDoubles());
    return tensor;
  }
  Slot *out = tensor.mutableData();
  for (int64_t i = 0, e = array.getNumElements(); i < e; ++i)
    out[i].i = array.getInt(i);
  return tensor;
}

static llvm::Expected<Array> toArray(const Tensor &tensor, DType dtype,
                                     int64_t maxElements) {
  DType stored = isFloat(dtype) ? DType::F64 : dtype;
  llvm::Expected<Array> array =
      Array::create(stored, tensor.getShape(), maxElements);
  if (!array)
    return array.takeError();
  if (isFloat(dtype)) {
    array->writeDoubles(tensor.doubles());
    return array;
  }
  for (int64_t i = 0, e = tensor.getNumElements(); i < e; ++i)
    array->setInt(i, tensor.data()[i].i);
  return array;
}

llvm::Expected<SmallVector<Array>>
reference::evaluate(func::FuncOp entry, ArrayRef<Array> args,
                    const EvaluatorOptions &options) {
  FunctionType type = entry.getFunctionType();
  auto fail = [&](const Twine &why) {
    return llvm::createStringError("function '" + entry.getName() + "' " + why);
  };
  if (args.size() != type.getNumInputs())
    return fail("expects " + Twine(type.getNumInputs()) +
                " arguments, but got " + Twine(args.size()));
  SmallVector<Tensor> values;
  for (auto [i, array] : llvm::enumerate(args)) {
    Type argType = type.getInput(i);
    std::optional<DType> dtype = getDType(getElementTypeOrSelf(argType));
    if (!dtype || !isSupportedType(argType) ||
        isFloat(*dtype) != isFloat(array.getDType()))
      return fail("cannot take argument " + Twine(i) + " of type " +
                  array.getTypeString());
    if (!isa<ShapedType>(argType) && array.getRank() != 0)
      return fail("expects a scalar for argument " + Twine(i) + ", but got " +
                  array.getTypeString());
    values.push_back(toTensor(array));
  }

  Interpreter interpreter(options);
  if (canSampleRows(entry))
    interpreter.setSampledEntry(entry);
  SmallVector<Tensor> results;
  if (failed(interpreter.call(entry, std::move(values), results)))
    return llvm::createStringError(interpreter.getError());
  SmallVector<Array> arrays;
  for (auto [i, result] : llvm::enumerate(results)) {
    std::optional<DType> dtype =
        getDType(getElementTypeOrSelf(type.getResult(i)));
    if (!dtype)
      return fail("has a result of a type that cannot be stored");
    llvm::Expected<Array> array = toArray(result, *dtype, options.maxElements);
    if (!array)
      return array.takeError();
    arrays.push_back(std::move(*array));
  }
  return arrays;
}
