//===- Program.cpp - Scalar computations over many lanes ------------------===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Program.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace mlir::diffattn;
using namespace mlir::diffattn::reference;

Frame::Frame(const Program &program)
    : registers(program.getNumRegisters() * maxLanes) {
  for (auto [index, value] : program.uniform)
    std::fill_n(reg(index), maxLanes, value);
}

std::optional<Slot> reference::getConstantSlot(Attribute attr) {
  Slot slot;
  if (auto number = dyn_cast<FloatAttr>(attr)) {
    slot.f = number.getValueAsDouble();
    return slot;
  }
  auto number = dyn_cast<IntegerAttr>(attr);
  if (!number || !isSupportedScalar(number.getType()))
    return std::nullopt;
  slot.i = IntegerKind(number.getType()).wrap(number.getValue().getSExtValue());
  return slot;
}

std::optional<int64_t> reference::evaluateAffine(AffineExpr expr,
                                                 ArrayRef<int64_t> dims,
                                                 ArrayRef<int64_t> symbols) {
  if (auto constant = dyn_cast<AffineConstantExpr>(expr))
    return constant.getValue();
  if (auto dim = dyn_cast<AffineDimExpr>(expr))
    return dims[dim.getPosition()];
  if (auto symbol = dyn_cast<AffineSymbolExpr>(expr))
    return symbols[symbol.getPosition()];
  auto pair = cast<AffineBinaryOpExpr>(expr);
  std::optional<int64_t> lhs = evaluateAffine(pair.getLHS(), dims, symbols);
  std::optional<int64_t> rhs = evaluateAffine(pair.getRHS(), dims, symbols);
  if (!lhs || !rhs)
    return std::nullopt;
  int64_t result;
  switch (expr.getKind()) {
  case AffineExprKind::Add:
    if (llvm::AddOverflow(*lhs, *rhs, result))
      return std::nullopt;
    return result;
  case AffineExprKind::Mul:
    if (llvm::MulOverflow(*lhs, *rhs, result))
      return std::nullopt;
    return result;
  default:
    // Affine division and remainder are defined for positive divisors only.
    if (*rhs <= 0)
      return std::nullopt;
    if (expr.getKind() == AffineExprKind::FloorDiv)
      return llvm::divideFloorSigned(*lhs, *rhs);
    if (expr.getKind() == AffineExprKind::CeilDiv)
      return llvm::divideCeilSigned(*lhs, *rhs);
    return llvm::mod(*lhs, *rhs);
  }
}

/// affine.apply, min and max: the best of the map's results by `better`.
template <typename Better>
static Kernel affineKernel(Operation *op, AffineMap map,
                           const KernelRegisters &regs, Better better) {
  return [op, map, regs, better](Frame &frame, int64_t n) {
    SmallVector<int64_t> operands(regs.operands.size());
    ArrayRef<int64_t> all = operands;
    Slot *out = frame.reg(regs.result);
    for (int64_t i = 0; i < n; ++i) {
      for (auto [value, reg] : llvm::zip(operands, regs.operands))
        value = frame.reg(reg)[i].i;
      std::optional<int64_t> best;
      for (AffineExpr expr : map.getResults()) {
        std::optional<int64_t> value =
            evaluateAffine(expr, all.take_front(map.getNumDims()),
                           all.drop_front(map.getNumDims()));
        if (!value)
          return frame.fail(op,
                            "divides by a non-positive number or overflows");
        if (!best || better(*value, *best))
          best = value;
      }
      out[i].i = best.value_or(0);
    }
  };
}

static Kernel getAffineKernel(Operation *op, const KernelRegisters &regs) {
  if (auto apply = dyn_cast<affine::AffineApplyOp>(op))
    return affineKernel(op, apply.getAffineMap(), regs, std::less<int64_t>());
  if (auto min = dyn_cast<affine::AffineMinOp>(op))
    return affineKernel(op, min.getAffineMap(), regs, std::less<int64_t>());
  if (auto max = dyn_cast<affine::AffineMaxOp>(op))
    return affineKernel(op, max.getAffineMap(), regs, std::greater<int64_t>());
  return nullptr;
}

static Kernel getIndexKernel(linalg::IndexOp op, unsigned result) {
  return [dim = int64_t(op.getDim()), result](Frame &frame, int64_t n) {
    Slot *out = frame.reg(result);
    int64_t step = dim == frame.laneDim;
    for (int64_t i = 0; i < n; ++i)
      out[i].i = frame.indices[dim] + i * step;
  };
}

/// Reads `tensor`, which the program keeps alive, at indices in registers.
static Kernel getExtractKernel(Operation *op, Tensor tensor,
                               ArrayRef<unsigned> indices, unsigned result) {
  return [op, tensor, strides = tensor.getStrides(),
          indices = SmallVector<unsigned>(indices),
          result](Frame &frame, int64_t n) {
    Slot *out = frame.reg(result);
    for (int64_t i = 0; i < n; ++i) {
      int64_t position = 0;
      for (auto [reg, stride, size] :
           llvm::zip(indices, strides, tensor.getShape())) {
        int64_t index = frame.reg(reg)[i].i;
        if (index < 0 || index >= size)
          return frame.fail(op, "reads out of bounds");
        position += index * stride;
      }
      out[i] = tensor.data()[position];
    }
  };
}

bool Program::addOp(Operation *op) {
  if (op->getNumResults() != 1 ||
      !isSupportedScalar(op->getResult(0).getType()))
    return false;
  if (auto constant = dyn_cast<arith::ConstantOp>(op)) {
    std::optional<Slot> slot = getConstantSlot(constant.getValue());
    if (slot)
      uniform.push_back({registers[op->getResult(0)] = numRegisters++, *slot});
    return slot.has_value();
  }
  KernelRegisters regs;
  for (Value operand : op->getOperands())
    regs.operands.push_back(registers.lookup(operand));
  regs.result = registers[op->getResult(0)] = numRegisters++;

  Kernel kernel;
  if (auto index = dyn_cast<linalg::IndexOp>(op))
    kernel = getIndexKernel(index, regs.result);
  else if (auto extract = dyn_cast<tensor::ExtractOp>(op))
    kernel =
        getExtractKernel(op, tensors.lookup(extract.getTensor()),
                         ArrayRef(regs.operands).drop_front(), regs.result);
  else if (!(kernel = getAffineKernel(op, regs)))
    kernel = getScalarKernel(op, regs);
  if (!kernel)
    return false;
  kernels.push_back(std::move(kernel));
  return true;
}

/// Makes values from outside of the block available: scalars as uniform
/// registers, tensors by name.
bool Program::addOperands(Operation *op, Capture capture) {
  for (Value operand : op->getOperands()) {
    if (registers.count(operand) || tensors.count(operand))
      continue;
    const Tensor *tensor = capture(operand);
    if (!tensor)
      return false;
    if (isa<ShapedType>(operand.getType()))
      tensors[operand] = *tensor;
    else
      uniform.push_back({registers[operand] = numRegisters++, *tensor->data()});
  }
  return true;
}

std::optional<Program> Program::compile(Block &block, Capture capture,
                                        Operation *&unsupported) {
  Program program;
  for (BlockArgument argument : block.getArguments())
    program.registers[argument] = program.numRegisters++;
  for (Operation &op : block) {
    bool isLast = op.hasTrait<OpTrait::IsTerminator>();
    if (!program.addOperands(&op, capture) ||
        (!isLast && !program.addOp(&op))) {
      unsupported = &op;
      return std::nullopt;
    }
  }
  return program;
}

std::optional<Program> Program::compile(Operation *op) {
  // Operands get registers by position: one value may be passed twice.
  Program program;
  KernelRegisters regs;
  for (unsigned i = 0, e = op->getNumOperands(); i < e; ++i)
    regs.operands.push_back(program.numRegisters++);
  regs.result = program.numRegisters++;
  Kernel kernel = getAffineKernel(op, regs);
  if (!kernel)
    kernel = getScalarKernel(op, regs);
  if (!kernel)
    return std::nullopt;
  for (Value result : op->getResults())
    program.registers[result] = regs.result;
  program.kernels.push_back(std::move(kernel));
  return program;
}
