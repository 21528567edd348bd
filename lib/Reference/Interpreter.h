//===- Interpreter.h - State of an evaluation -------------------*- C++ -*-===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The environment of one evaluation, and the families of ops it hands over to,
// one file each.
//
//===----------------------------------------------------------------------===//

#ifndef DIFFATTN_LIB_REFERENCE_INTERPRETER_H
#define DIFFATTN_LIB_REFERENCE_INTERPRETER_H

#include "Program.h"
#include "Tensor.h"
#include "diffattn/Reference/Evaluator.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/OpDefinition.h"

namespace mlir::diffattn::reference {

class Interpreter {
public:
  explicit Interpreter(const EvaluatorOptions &options) : options(options) {}

  /// Runs `function` in an environment of its own.
  LogicalResult call(func::FuncOp function, SmallVector<Tensor> args,
                     SmallVector<Tensor> &results);
  /// Runs all ops of `block` but its terminator.
  LogicalResult runBlock(Block &block);

  /// Records why the evaluation ends, the first time.
  LogicalResult fail(Operation *op, const Twine &why);
  const std::string &getError() const { return error; }

  const Tensor &get(Value value) const { return env.find(value)->second; }
  const Tensor *lookup(Value value) const {
    auto it = env.find(value);
    return it == env.end() ? nullptr : &it->second;
  }
  /// The value of an operand of `user`, moved out of the environment if nobody
  /// reads it again: what is then written in place would else be copied.
  Tensor take(Value value, Operation *user);
  SmallVector<Tensor> takeAll(OperandRange values, Operation *user);

  int64_t getInt(Value value) const { return get(value).getInt(); }
  int64_t getInt(OpFoldResult value) const;
  SmallVector<int64_t> getInts(ArrayRef<OpFoldResult> values) const;

  /// Binds a value, after comparing its shape with what the type promises.
  LogicalResult set(Operation *op, Value value, Tensor tensor);
  LogicalResult setAll(Operation *op, ValueRange values,
                       MutableArrayRef<Tensor> tensors);

  /// A new uninitialised tensor, or a failure if the shape is absurd.
  FailureOr<Tensor> allocate(Operation *op, ArrayRef<int64_t> shape);

  /// Compiles a body of `op` with the present values of what it captures.
  FailureOr<Program> compileBody(Operation *op, Block &block);
  /// Reports what went wrong in a frame, if anything did.
  LogicalResult checkFrame(const Frame &frame);

  const EvaluatorOptions &getOptions() const { return options; }
  /// The rows to evaluate of `op`, or null for all.
  const RowSample *getRowSample(Operation *op) const;
  void setSampledEntry(func::FuncOp entry) { sampledEntry = entry; }

private:
  LogicalResult countStep(Operation *op);
  LogicalResult failUnsupported(Operation *op, Type type);
  LogicalResult runOp(Operation *op);
  LogicalResult runScalarOp(Operation *op);
  FailureOr<Tensor> makeConstant(arith::ConstantOp op);
  LogicalResult runElementwise(Operation *op, const Program &program);

  const EvaluatorOptions &options;
  func::FuncOp sampledEntry;
  llvm::DenseMap<Value, Tensor> env;
  llvm::DenseMap<Operation *, Program> scalarPrograms;
  std::string error;
  int64_t steps = 0;
  unsigned callDepth = 0;
};

/// The outcome of an op, or nothing if the family does not know the op.
using MaybeResult = std::optional<LogicalResult>;

/// func.call, scf, cf.assert.
MaybeResult evaluateControlFlowOp(Interpreter &interpreter, Operation *op);
MaybeResult evaluateTensorOp(Interpreter &interpreter, Operation *op);
MaybeResult evaluateLinalgOp(Interpreter &interpreter, Operation *op);
MaybeResult evaluateAttentionOp(Interpreter &interpreter, Operation *op);

/// Writes the op's source into its slice of `dest`.
LogicalResult insertSlice(Interpreter &interpreter,
                          tensor::ParallelInsertSliceOp op, Tensor &dest);

/// The NaN (or odd integer) that uninitialised elements of `type` hold.
Slot getPoison(Type type);

/// Calls `fn(i)` for 0 <= i < count, in several threads if `work` (elementary
/// operations in all) is worth them.
void parallelFor(int64_t count, double work,
                 llvm::function_ref<void(int64_t)> fn);

/// Steps `index` through the row-major box `sizes`; false after the last one.
bool increment(MutableArrayRef<int64_t> index, ArrayRef<int64_t> sizes);

} // namespace mlir::diffattn::reference

#endif // DIFFATTN_LIB_REFERENCE_INTERPRETER_H
