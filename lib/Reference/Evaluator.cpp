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
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "llvm/Support/Parallel.h"
#include "llvm/Support/raw_ostream.h"
#include <numeric>

using namespace mlir;
using namespace mlir::diffattn;
using namespace mlir::diffattn::reference;

//===----------------------------------------------------------------------===//
// Special values
//===----------------------------------------------------------------------===//

/// Quiet NaNs with payloads of their own: arithmetic makes the default one.
static constexpr uint64_t notEvaluatedBits = 0x7ff8'6e6f'745f'6576;
static constexpr uint64_t poisonBits = 0x7ff8'706f'6973'6f6e;

double reference::getNotEvaluated() {
  return llvm::bit_cast<double>(notEvaluatedBits);
}

bool reference::isNotEvaluated(double value) {
  return llvm::bit_cast<uint64_t>(value) == notEvaluatedBits;
}

Slot reference::getPoison(Type type) {
  Slot slot;
  if (isa<FloatType>(type))
    slot.f = llvm::bit_cast<double>(poisonBits);
  else
    slot.i = IntegerKind(type).wrap(0x5a5a5a5a5a5a5a5a);
  return slot;
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
// Environment
//===----------------------------------------------------------------------===//

LogicalResult Interpreter::fail(Operation *op, const Twine &why) {
  if (!error.empty())
    return failure();
  llvm::raw_string_ostream os(error);
  if (auto loc = op->getLoc()->findInstanceOf<FileLineColLoc>())
    os << loc.getFilename().getValue() << ":" << loc.getLine() << ":"
       << loc.getColumn() << ": ";
  os << "'" << op->getName() << "' op " << why;
  return failure();
}

Tensor Interpreter::take(Value value, Operation *user) {
  Tensor &tensor = env.find(value)->second;
  // A block is left and entered again as a whole, so within one block the only
  // use is the last one.
  if (value.hasOneUse() && value.getParentBlock() == user->getBlock())
    return std::move(tensor);
  return tensor;
}

SmallVector<Tensor> Interpreter::takeAll(OperandRange values, Operation *user) {
  return llvm::map_to_vector(values, [&](Value v) { return take(v, user); });
}

int64_t Interpreter::getInt(OpFoldResult value) const {
  if (auto attr = dyn_cast<Attribute>(value))
    return cast<IntegerAttr>(attr).getInt();
  return getInt(cast<Value>(value));
}

SmallVector<int64_t> Interpreter::getInts(ArrayRef<OpFoldResult> values) const {
  return llvm::map_to_vector(values, [&](OpFoldResult v) { return getInt(v); });
}

LogicalResult Interpreter::set(Operation *op, Value value, Tensor tensor) {
  if (auto type = dyn_cast<ShapedType>(value.getType()))
    if (failed(verifyCompatibleShape(tensor.getShape(), type.getShape())))
      return fail(op, "yields a tensor of shape " +
                          stringifyShape(tensor.getShape()) +
                          " where its type has shape " +
                          stringifyShape(type.getShape()));
  env[value] = std::move(tensor);
  return success();
}

LogicalResult Interpreter::setAll(Operation *op, ValueRange values,
                                  MutableArrayRef<Tensor> tensors) {
  for (auto [value, tensor] : llvm::zip_equal(values, tensors))
    if (failed(set(op, value, std::move(tensor))))
      return failure();
  return success();
}

FailureOr<Tensor> Interpreter::allocate(Operation *op,
                                        ArrayRef<int64_t> shape) {
  llvm::Expected<int64_t> count =
      checkedNumElements(shape, options.maxElements);
  if (!count)
    return fail(op, "cannot be evaluated: " + toString(count.takeError()));
  return Tensor(shape);
}

FailureOr<Program> Interpreter::compileBody(Operation *op, Block &block) {
  Operation *unsupported = nullptr;
  std::optional<Program> program = Program::compile(
      block, [&](Value value) { return lookup(value); }, unsupported);
  if (!program)
    return fail(unsupported, "is not supported by the reference evaluator "
                             "inside '" +
                                 op->getName().getStringRef() + "'");
  return std::move(*program);
}

LogicalResult Interpreter::checkFrame(const Frame &frame) {
  return frame.failure ? fail(frame.failedOp, frame.failure) : success();
}

//===----------------------------------------------------------------------===//
// Scalar and elementwise ops
//===----------------------------------------------------------------------===//

static std::optional<Tensor> evaluateConstant(TypedAttr attr) {
  if (std::optional<Slot> slot = getConstantSlot(attr)) {
    Tensor result{ArrayRef<int64_t>()};
    *result.mutableData() = *slot;
    return result;
  }
  auto elements = dyn_cast<DenseElementsAttr>(attr);
  if (!elements || !elements.getElementType().isIntOrIndexOrFloat())
    return std::nullopt;
  Tensor result(elements.getType().getShape());
  Slot *out = result.mutableData();
  if (elements.isSplat()) {
    std::optional<Slot> slot =
        getConstantSlot(elements.getSplatValue<Attribute>());
    if (!slot)
      return std::nullopt;
    std::fill_n(out, result.getNumElements(), *slot);
    return result;
  }
  for (auto [i, element] : llvm::enumerate(elements.getValues<Attribute>())) {
    std::optional<Slot> slot = getConstantSlot(element);
    if (!slot)
      return std::nullopt;
    out[i] = *slot;
  }
  return result;
}

/// Applies a program of one op to tensors of one shape; scalars (the condition
/// of a select) serve all elements.
LogicalResult Interpreter::runElementwise(Operation *op,
                                          const Program &program) {
  ArrayRef<int64_t> shape;
  for (Value operand : op->getOperands()) {
    ArrayRef<int64_t> operandShape = get(operand).getShape();
    if (!isa<ShapedType>(operand.getType()))
      continue;
    if (!shape.empty() && shape != operandShape)
      return fail(op, "has operands of shapes " + stringifyShape(shape) +
                          " and " + stringifyShape(operandShape));
    shape = operandShape;
  }
  Tensor result(shape);
  Slot *out = result.mutableData();
  Frame frame(program);
  for (int64_t i = 0, e = result.getNumElements(); i < e;
       i += Frame::maxLanes) {
    int64_t lanes = std::min(e - i, Frame::maxLanes);
    for (auto [reg, operand] : llvm::enumerate(op->getOperands())) {
      const Tensor &tensor = get(operand);
      if (isa<ShapedType>(operand.getType()))
        std::copy_n(tensor.data() + i, lanes, frame.reg(reg));
      else
        std::fill_n(frame.reg(reg), lanes, *tensor.data());
    }
    program.run(frame, lanes);
    std::copy_n(frame.reg(program.getRegister(op->getResult(0))), lanes,
                out + i);
  }
  if (failed(checkFrame(frame)))
    return failure();
  return set(op, op->getResult(0), std::move(result));
}

LogicalResult Interpreter::runScalarOp(Operation *op) {
  if (auto constant = dyn_cast<arith::ConstantOp>(op)) {
    if (std::optional<Tensor> value = evaluateConstant(constant.getValue()))
      return set(op, constant, std::move(*value));
    return fail(op, "is of a type that the reference evaluator does not "
                    "support");
  }
  auto it = scalarPrograms.find(op);
  if (it == scalarPrograms.end()) {
    std::optional<Program> program = Program::compile(op);
    if (!program)
      return fail(op, "is not supported by the reference evaluator");
    it = scalarPrograms.try_emplace(op, std::move(*program)).first;
  }
  return runElementwise(op, it->second);
}

//===----------------------------------------------------------------------===//
// Running
//===----------------------------------------------------------------------===//

LogicalResult Interpreter::countStep(Operation *op) {
  if (++steps > options.maxSteps)
    return fail(op, "is given up after " + Twine(options.maxSteps) + " steps");
  return success();
}

LogicalResult Interpreter::runOp(Operation *op) {
  for (auto *family : {evaluateControlFlowOp, evaluateTensorOp,
                       evaluateLinalgOp, evaluateAttentionOp})
    if (MaybeResult result = family(*this, op))
      return *result;
  return runScalarOp(op);
}

LogicalResult Interpreter::runBlock(Block &block) {
  // The block itself is a step, too: its loop may be endless and empty.
  if (failed(countStep(block.getParentOp())))
    return failure();
  for (Operation &op : block.without_terminator())
    if (failed(countStep(&op)) || failed(runOp(&op)))
      return failure();
  return success();
}

LogicalResult Interpreter::call(func::FuncOp function, SmallVector<Tensor> args,
                                SmallVector<Tensor> &results) {
  constexpr unsigned maxCallDepth = 64;
  if (function.isExternal())
    return fail(function, "has no body to evaluate");
  if (!function.getBody().hasOneBlock())
    return fail(function, "has several blocks, expected structured control "
                          "flow (scf)");
  if (callDepth == maxCallDepth)
    return fail(function,
                "is called at a depth of more than " + Twine(maxCallDepth));
  Block &body = function.front();
  Operation *terminator = body.getTerminator();
  llvm::DenseMap<Value, Tensor> callerEnv;
  std::swap(env, callerEnv);
  ++callDepth;
  LogicalResult result = setAll(function, body.getArguments(), args);
  if (succeeded(result))
    result = runBlock(body);
  if (succeeded(result))
    results = takeAll(terminator->getOperands(), terminator);
  --callDepth;
  std::swap(env, callerEnv);
  return result;
}

void reference::parallelFor(int64_t count, double work,
                            llvm::function_ref<void(int64_t)> fn) {
  // Below this a thread costs more to wake than it saves.
  constexpr int64_t minWork = 1 << 15;
  if (count > 1 && work >= minWork) {
    llvm::parallelFor(0, count, fn);
    return;
  }
  for (int64_t i = 0; i < count; ++i)
    fn(i);
}

bool reference::increment(MutableArrayRef<int64_t> index,
                          ArrayRef<int64_t> sizes) {
  for (int64_t d = int64_t(index.size()) - 1; d >= 0; --d) {
    if (++index[d] < sizes[d])
      return true;
    index[d] = 0;
  }
  return false;
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
    if (!dtype || isFloat(*dtype) != isFloat(array.getDType()))
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
