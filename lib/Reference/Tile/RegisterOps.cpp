//===- RegisterOps.cpp - Arithmetic on tensors and numbers ----------------===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Machine.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Utils/IndexingUtils.h"
#include "llvm/ADT/TypeSwitch.h"
#include <cmath>

using namespace mlir;
using namespace mlir::diffattn;
using namespace mlir::diffattn::reference;

//===----------------------------------------------------------------------===//
// Products
//===----------------------------------------------------------------------===//

/// An operand of a product: a tensor, or all of a buffer.
static FailureOr<Tensor> getOperand(Machine &machine, Operation *op,
                                    Value value) {
  if (!isa<tile::BufferType>(value.getType()))
    return machine.getTensor(value);
  const auto &buffer = std::get<SharedBuffer>(machine.get(value));
  SmallVector<int64_t> zeros(buffer.type.getRank(), 0);
  return readBuffer(machine, op, buffer, zeros, buffer.type.getShape());
}

/// Products of 16-bit numbers are exact, sums in double nearly so: what is left
/// is the one rounding of the result to f32.
Tensor reference::multiply(const Tensor &lhs, const Tensor &rhs,
                           const Tensor &acc, bool transposed) {
  int64_t k = lhs.getShape().back(), n = acc.getShape().back(),
          m = acc.getNumElements() / n;
  // The right operand with k outermost, so that the inner loop runs along rows.
  std::vector<double> right(k * n);
  for (int64_t i = 0; i < k; ++i)
    for (int64_t j = 0; j < n; ++j)
      right[i * n + j] = rhs.doubles()[transposed ? j * k + i : i * n + j];
  Tensor result = acc;
  double *out = result.mutableDoubles();
  for (int64_t row = 0; row < m; ++row)
    for (int64_t i = 0; i < k; ++i) {
      double factor = lhs.doubles()[row * k + i];
      for (int64_t j = 0; j < n; ++j)
        out[row * n + j] += factor * right[i * n + j];
    }
  for (int64_t i = 0; i < m * n; ++i)
    out[i] = roundTo(DType::F32, out[i]);
  return result;
}

static LogicalResult executeDot(Machine &machine, tile::DotOp op) {
  FailureOr<Tensor> lhs = getOperand(machine, op, op.getLhs());
  if (failed(lhs))
    return failure();
  FailureOr<Tensor> rhs = getOperand(machine, op, op.getRhs());
  if (failed(rhs))
    return failure();
  const Tensor &acc = machine.getTensor(op.getAcc());
  return machine.setMemoized(op,
                             [&]() -> FailureOr<Tensor> {
                               return multiply(*lhs, *rhs, acc,
                                               op.getTransposed());
                             },
                             {*lhs, *rhs, acc});
}

//===----------------------------------------------------------------------===//
// Shapes
//===----------------------------------------------------------------------===//

/// Numbers of elements before, along and after a dimension.
static std::array<int64_t, 3> getExtents(ArrayRef<int64_t> shape, int64_t dim) {
  std::array<int64_t, 3> extents = {1, shape[dim], 1};
  for (auto [d, size] : llvm::enumerate(shape))
    if (static_cast<int64_t>(d) != dim)
      extents[static_cast<int64_t>(d) < dim ? 0 : 2] *= size;
  return extents;
}

/// What nothing is combined to.
static double getNeutral(tile::ReduceKind kind) {
  return kind == tile::ReduceKind::Max ? -INFINITY : 0;
}

static Tensor reduce(tile::ReduceOp op, const Tensor &source) {
  auto [before, along, after] = getExtents(source.getShape(), op.getDim());
  Tensor result(op.getResult().getType().getShape());
  double *out = result.mutableDoubles();
  bool isSum = op.getKind() == tile::ReduceKind::Add;
  for (int64_t i = 0; i < before; ++i)
    for (int64_t k = 0; k < after; ++k) {
      double value = getNeutral(op.getKind());
      for (int64_t j = 0; j < along; ++j) {
        double x = source.doubles()[(i * along + j) * after + k];
        value = isSum ? value + x : std::fmax(value, x);
      }
      out[i * after + k] = roundTo(DType::F32, value);
    }
  return result;
}

/// Element j along the dimension goes to the part of the thread that holds it.
static Tensor reduceInThreads(tile::ThreadReduceOp op, const Tensor &source) {
  int64_t dim = op.getDim(), rank = source.getRank();
  auto from = tile::getLayout(op.getSource()),
       to = tile::getLayout(op.getResult());
  auto [before, along, after] = getExtents(source.getShape(), dim);
  std::vector<int64_t> place(along);
  for (int64_t warp = 0; warp < from.getNumWarps(); ++warp)
    for (int64_t lane = 0; lane < 32; ++lane) {
      int64_t part = to.getCoordinates(0, lane, warp, rank)[dim];
      for (int64_t reg = 0; reg < from.getNumRegisters(); ++reg)
        place[from.getCoordinates(reg, lane, warp, rank)[dim]] = part;
    }
  Tensor result(op.getResult().getType().getShape());
  int64_t parts = result.getShape()[dim];
  bool isSum = op.getKind() == tile::ReduceKind::Add;
  double *out = result.mutableDoubles();
  std::fill_n(out, result.getNumElements(), getNeutral(op.getKind()));
  for (int64_t i = 0; i < before; ++i)
    for (int64_t j = 0; j < along; ++j)
      for (int64_t k = 0; k < after; ++k) {
        double x = source.doubles()[(i * along + j) * after + k];
        double &sum = out[(i * parts + place[j]) * after + k];
        sum = isSum ? sum + x : std::fmax(sum, x);
      }
  for (int64_t i = 0, e = result.getNumElements(); i < e; ++i)
    out[i] = roundTo(DType::F32, out[i]);
  return result;
}

static Tensor broadcast(tile::BroadcastOp op, const Tensor &source) {
  auto [before, along, after] =
      getExtents(op.getResult().getType().getShape(), op.getDim());
  Tensor result(op.getResult().getType().getShape());
  Slot *out = result.mutableData();
  for (int64_t i = 0; i < before; ++i)
    for (int64_t j = 0; j < along; ++j)
      std::copy_n(source.data() + i * after, after,
                  out + (i * along + j) * after);
  return result;
}

static Tensor select(tile::SelectOp op, const Tensor &source) {
  auto [before, along, after] = getExtents(source.getShape(), op.getDim());
  Tensor result(op.getResult().getType().getShape());
  for (int64_t i = 0; i < before; ++i)
    std::copy_n(source.data() + (i * along + op.getIndex()) * after, after,
                result.mutableData() + i * after);
  return result;
}

static Tensor slice(tile::SliceOp op, const Tensor &source) {
  Tensor result(op.getResult().getType().getShape());
  Slot *out = result.mutableData();
  SmallVector<int64_t> strides = source.getStrides();
  (void)forEachIndex(result.getShape(),
                     [&](ArrayRef<int64_t> index, int64_t number) {
                       int64_t position = 0;
                       for (auto [i, offset, stride] :
                            llvm::zip_equal(index, op.getOffsets(), strides))
                         position += (i + offset) * stride;
                       out[number] = source.data()[position];
                       return success();
                     });
  return result;
}

static Tensor transpose(tile::TransposeOp op, const Tensor &source) {
  SmallVector<int64_t> strides = applyPermutation(
      ArrayRef<int64_t>(source.getStrides()), op.getPermutation());
  Tensor result(op.getResult().getType().getShape());
  Slot *out = result.mutableData();
  (void)forEachIndex(result.getShape(),
                     [&](ArrayRef<int64_t> index, int64_t number) {
                       out[number] = source.data()[linearize(index, strides)];
                       return success();
                     });
  return result;
}

static FailureOr<Tensor> mask(Machine &machine, tile::MaskOp op) {
  SmallVector<int64_t> symbols = llvm::map_to_vector(
      op.getSymbols(), [&](Value value) { return machine.getInt(value); });
  Tensor result = machine.getTensor(op.getSource());
  double *out = result.mutableDoubles();
  double fill = op.getFill().convertToFloat();
  ArrayRef<AffineExpr> constraints = op.getCondition().getConstraints();
  if (failed(forEachIndex(
          result.getShape(), [&](ArrayRef<int64_t> index, int64_t number) {
            for (AffineExpr constraint : constraints) {
              std::optional<int64_t> value =
                  evaluateAffine(constraint, index, symbols);
              if (!value)
                return machine.fail(op, "has a position that overflows");
              if (*value < 0)
                out[number] = fill;
            }
            return success();
          })))
    return failure();
  return result;
}

static Tensor index(tile::IndexOp op) {
  Tensor result(op.getResult().getType().getShape());
  Slot *out = result.mutableData();
  (void)forEachIndex(result.getShape(),
                     [&](ArrayRef<int64_t> index, int64_t number) {
                       out[number].i = index[op.getDim()];
                       return success();
                     });
  return result;
}

//===----------------------------------------------------------------------===//
// arith, math, affine
//===----------------------------------------------------------------------===//

static FailureOr<Tensor> getConstant(Machine &machine, arith::ConstantOp op) {
  if (std::optional<Slot> slot = getConstantSlot(op.getValue())) {
    Tensor result{ArrayRef<int64_t>()};
    *result.mutableData() = *slot;
    return result;
  }
  auto elements = dyn_cast<DenseElementsAttr>(op.getValue());
  if (!elements)
    return machine.fail(op, "holds its elements in an unknown form");
  Tensor result(elements.getType().getShape());
  for (auto [i, element] : llvm::enumerate(elements.getValues<Attribute>()))
    result.mutableData()[i] = *getConstantSlot(element);
  return result;
}

/// Applies an op element by element; numbers serve all elements.
static FailureOr<Tensor> applyElementwise(Machine &machine, Operation *op,
                                          ArrayRef<Tensor> operands) {
  auto it = machine.cache.programs.find(op);
  if (it == machine.cache.programs.end()) {
    std::optional<Program> program = Program::compile(op);
    if (!program)
      return machine.fail(op, "is not supported by the interpreter of tile IR");
    it = machine.cache.programs.try_emplace(op, std::move(*program)).first;
  }
  const Program &program = it->second;
  ArrayRef<int64_t> shape;
  if (auto type = dyn_cast<RankedTensorType>(op->getResult(0).getType()))
    shape = type.getShape();
  Tensor result(shape);
  Slot *out = result.mutableData();
  Frame frame(program);
  for (int64_t i = 0, e = result.getNumElements(); i < e;
       i += Frame::maxLanes) {
    int64_t lanes = std::min(e - i, Frame::maxLanes);
    for (auto [reg, operand] : llvm::enumerate(op->getOperands())) {
      if (isa<ShapedType>(operand.getType()))
        std::copy_n(operands[reg].data() + i, lanes, frame.reg(reg));
      else
        std::fill_n(frame.reg(reg), lanes, *operands[reg].data());
    }
    program.run(frame, lanes);
    std::copy_n(frame.reg(program.getRegister(op->getResult(0))), lanes,
                out + i);
  }
  if (frame.failure)
    return machine.fail(frame.failedOp, frame.failure);
  roundAll(getElementTypeOrSelf(op->getResult(0).getType()),
           MutableArrayRef(out, result.getNumElements()));
  return result;
}

static LogicalResult executeDelinearize(Machine &machine,
                                        affine::AffineDelinearizeIndexOp op) {
  int64_t rest = machine.getInt(op.getLinearIndex());
  SmallVector<int64_t> basis = machine.getInts(op.getMixedBasis());
  // Without an outer bound the first result takes what is left.
  if (!op.hasOuterBound())
    basis.insert(basis.begin(), std::numeric_limits<int64_t>::max());
  for (int64_t d = op->getNumResults() - 1; d >= 0; --d) {
    if (basis[d] <= 0)
      return machine.fail(op, "has the basis " + Twine(basis[d]));
    machine.setInt(op->getResult(d), d == 0 ? rest : rest % basis[d]);
    rest /= basis[d];
  }
  return success();
}

MaybeResult reference::executeRegisterOp(Machine &machine, Operation *op) {
  if (auto dot = dyn_cast<tile::DotOp>(op))
    return executeDot(machine, dot);
  if (auto delinearize = dyn_cast<affine::AffineDelinearizeIndexOp>(op))
    return executeDelinearize(machine, delinearize);
  // The others compute tensors from tensors, and have no effects.
  if (op->getNumResults() != 1 || op->getNumRegions() != 0 ||
      !isSupportedType(op->getResult(0).getType()) ||
      !llvm::all_of(op->getOperandTypes(), isSupportedType))
    return std::nullopt;
  if (!getDType(getElementTypeOrSelf(op->getResult(0).getType())))
    return machine.fail(op, "has elements that the interpreter does not know");
  if (auto convert = dyn_cast<tile::ConvertLayoutOp>(op)) {
    machine.set(convert.getResult(),
                RuntimeValue(machine.get(convert.getSource())));
    return success();
  }
  SmallVector<Tensor> operands = llvm::map_to_vector(
      op->getOperands(), [&](Value v) { return machine.getTensor(v); });
  auto compute = [&]() -> FailureOr<Tensor> {
    using Result = FailureOr<Tensor>;
    return llvm::TypeSwitch<Operation *, Result>(op)
        .Case([&](tile::ReduceOp op) { return reduce(op, operands[0]); })
        .Case([&](tile::ThreadReduceOp op) {
          return reduceInThreads(op, operands[0]);
        })
        .Case([&](tile::BroadcastOp op) { return broadcast(op, operands[0]); })
        .Case([&](tile::SelectOp op) { return select(op, operands[0]); })
        .Case([&](tile::TransposeOp op) { return transpose(op, operands[0]); })
        .Case([&](tile::SliceOp op) { return slice(op, operands[0]); })
        .Case([&](tile::MaskOp op) { return mask(machine, op); })
        .Case([&](tile::IndexOp op) { return index(op); })
        .Case([&](tile::SplatOp op) {
          Tensor result(op.getResult().getType().getShape());
          std::fill_n(result.mutableData(), result.getNumElements(),
                      *operands[0].data());
          return result;
        })
        .Case([&](arith::ConstantOp op) { return getConstant(machine, op); })
        .Default([&](Operation *) {
          return applyElementwise(machine, op, operands);
        });
  };
  return machine.setMemoized(op, compute, operands);
}
