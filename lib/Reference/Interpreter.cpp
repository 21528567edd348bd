//===- Interpreter.cpp - Environment and scalar ops -----------------------===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Interpreter.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "llvm/Support/Parallel.h"
#include "llvm/Support/Process.h"
#include "llvm/Support/raw_ostream.h"
#include <unistd.h>

using namespace mlir;
using namespace mlir::diffattn;
using namespace mlir::diffattn::reference;

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

static int64_t getPhysicalMemory() {
  int64_t pages = sysconf(_SC_PHYS_PAGES);
  return pages > 0 ? pages * llvm::sys::Process::getPageSizeEstimate()
                   : std::numeric_limits<int64_t>::max();
}

FailureOr<Tensor> Interpreter::allocate(Operation *op,
                                        ArrayRef<int64_t> shape) {
  llvm::Expected<int64_t> count =
      checkedNumElements(shape, options.maxElements);
  if (!count)
    return fail(op, "cannot be evaluated: " + toString(count.takeError()));
  // An allocation that the system overcommits would end the process later.
  static const int64_t memoryBytes = getPhysicalMemory();
  if (*count > memoryBytes / int64_t(sizeof(Slot)))
    return fail(op, "needs a tensor of shape " + stringifyShape(shape) +
                        ", more than the memory of this machine");
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

/// The value of a constant, of a type that fits slots.
FailureOr<Tensor> Interpreter::makeConstant(arith::ConstantOp op) {
  if (std::optional<Slot> slot = getConstantSlot(op.getValue())) {
    Tensor result{ArrayRef<int64_t>()};
    *result.mutableData() = *slot;
    return result;
  }
  auto elements = dyn_cast<DenseElementsAttr>(op.getValue());
  if (!elements)
    return fail(op, "holds its elements in a form that the reference evaluator "
                    "does not read");
  FailureOr<Tensor> result = allocate(op, elements.getType().getShape());
  if (failed(result))
    return failure();
  Slot *out = result->mutableData();
  if (elements.isSplat()) {
    std::fill_n(out, result->getNumElements(),
                *getConstantSlot(elements.getSplatValue<Attribute>()));
  } else if (isa<FloatType>(elements.getElementType())) {
    for (auto [i, element] : llvm::enumerate(elements.getValues<APFloat>()))
      out[i].f = FloatAttr::getValueAsDouble(element);
  } else {
    IntegerKind kind(elements.getElementType());
    for (auto [i, element] : llvm::enumerate(elements.getValues<APInt>()))
      out[i].i = kind.wrap(element.getSExtValue());
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
    FailureOr<Tensor> value = makeConstant(constant);
    return failed(value) ? failure() : set(op, constant, std::move(*value));
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

LogicalResult Interpreter::failUnsupported(Operation *op, Type type) {
  std::string name;
  llvm::raw_string_ostream(name) << type;
  return fail(op, "is not supported by the reference evaluator on values of "
                  "type '" +
                      name + "'");
}

LogicalResult Interpreter::countStep(Operation *op) {
  if (++steps > options.maxSteps)
    return fail(op, "is given up after " + Twine(options.maxSteps) + " steps");
  return success();
}

LogicalResult Interpreter::runOp(Operation *op) {
  for (Type type : op->getResultTypes())
    if (!isSupportedType(type))
      return failUnsupported(op, type);
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

Slot reference::getPoison(Type type) {
  // Not the NaN of arithmetic, to be told from it in a debugger.
  constexpr uint64_t poisonBits = 0x7ff8'706f'6973'6f6e;
  Slot slot;
  if (isa<FloatType>(type))
    slot.f = llvm::bit_cast<double>(poisonBits);
  else
    slot.i = IntegerKind(type).wrap(0x5a5a5a5a5a5a5a5a);
  return slot;
}
