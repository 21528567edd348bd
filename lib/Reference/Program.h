//===- Program.h - Scalar computations over many lanes ----------*- C++ -*-===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The body of a structured op, compiled once into a list of kernels, each of
// which applies one scalar op to a batch of independent lanes. The cost of
// interpretation is thus paid once a batch and not once an element. A single
// scalar or elementwise tensor op is a program of one kernel.
//
//===----------------------------------------------------------------------===//

#ifndef DIFFATTN_LIB_REFERENCE_PROGRAM_H
#define DIFFATTN_LIB_REFERENCE_PROGRAM_H

#include "Tensor.h"
#include "mlir/IR/AffineMap.h"
#include "mlir/IR/Operation.h"
#include "llvm/ADT/DenseMap.h"
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace mlir::diffattn::reference {

class Program;

/// The registers of one thread that runs a program, and where in the iteration
/// space of a structured op the lanes lie.
class Frame {
public:
  static constexpr int64_t maxLanes = 128;

  explicit Frame(const Program &program);
  Slot *reg(unsigned index) { return &registers[index * maxLanes]; }

  /// Iteration indices of lane 0; along `laneDim` lane i is i further on.
  SmallVector<int64_t> indices;
  int64_t laneDim = -1;

  /// Set by a kernel that met something undefined, e.g. a division by zero.
  void fail(Operation *op, const char *why) {
    failedOp = op;
    failure = why;
  }
  Operation *failedOp = nullptr;
  const char *failure = nullptr;

private:
  std::vector<Slot> registers;
};

/// Applies one op to the first `n` lanes.
using Kernel = std::function<void(Frame &, int64_t n)>;

class Program {
public:
  /// Finds the value of something defined outside of the block.
  using Capture = llvm::function_ref<const Tensor *(Value)>;

  /// Compiles all of `block` but its terminator. The registers of the block's
  /// arguments come first. Returns the op that is not understood on failure.
  static std::optional<Program> compile(Block &block, Capture capture,
                                        Operation *&unsupported);
  /// Compiles one op with one result; its operands are registers 0, 1, ...
  static std::optional<Program> compile(Operation *op);

  void run(Frame &frame, int64_t lanes) const {
    for (const Kernel &kernel : kernels)
      kernel(frame, lanes);
  }
  /// The register that holds `value` after a run.
  unsigned getRegister(Value value) const { return registers.lookup(value); }
  unsigned getNumRegisters() const { return numRegisters; }

private:
  friend class Frame;
  bool addOp(Operation *op);
  bool addOperands(Operation *op, Capture capture);

  llvm::DenseMap<Value, unsigned> registers;
  unsigned numRegisters = 0;
  std::vector<Kernel> kernels;
  /// Registers whose every lane holds the same value all along.
  SmallVector<std::pair<unsigned, Slot>> uniform;
  /// Tensors from outside that tensor.extract reads.
  llvm::DenseMap<Value, Tensor> tensors;
};

/// Registers of the operands and of the result of an op to compile.
struct KernelRegisters {
  SmallVector<unsigned, 4> operands;
  unsigned result;
};

/// The kernel of an op of the arith or math dialect with one result (arith's
/// constant excepted), or null if there is none.
Kernel getScalarKernel(Operation *op, const KernelRegisters &registers);

/// Converts a scalar constant of an integer, index or float type.
std::optional<Slot> getConstantSlot(Attribute attr);

/// The value of `expr`, or nothing for a division by zero or an overflow into
/// undefined territory.
std::optional<int64_t> evaluateAffine(AffineExpr expr, ArrayRef<int64_t> dims,
                                      ArrayRef<int64_t> symbols);

} // namespace mlir::diffattn::reference

#endif // DIFFATTN_LIB_REFERENCE_PROGRAM_H
