//===- LinalgOps.cpp - Structured ops -------------------------------------===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Every structured op is evaluated through its indexing maps, iterator types
// and body; named ops need no code of their own. The body runs over batches of
// lanes along one parallel dimension. Products of floats that sum over
// contiguous memory take a faster path.
//
//===----------------------------------------------------------------------===//

#include "DotKernels.h"
#include "Interpreter.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "llvm/Support/MathExtras.h"
#include <cmath>
#include <mutex>

using namespace mlir;
using namespace mlir::diffattn;
using namespace mlir::diffattn::reference;

namespace {
/// How an operand is read along the iteration space.
struct Access {
  AffineMap map;
  SmallVector<int64_t> shape, strides;
  /// With a linear map: elements by which the position moves per step of each
  /// iteration dimension, and the position of the origin.
  bool isLinear = true;
  SmallVector<int64_t> coefficients;
  int64_t origin = 0;
  const Slot *data = nullptr;

  int64_t getPosition(ArrayRef<int64_t> indices) const {
    int64_t position = origin;
    for (auto [index, coefficient] : llvm::zip(indices, coefficients))
      position += index * coefficient;
    return position;
  }
};

/// Which dimensions run where. Tasks (in parallel) and lanes write different
/// elements; the rest runs in order inside each task.
struct Plan {
  SmallVector<unsigned> taskDims, sequentialDims;
  int64_t innerDim = -1;
};

class StructuredOp {
public:
  StructuredOp(Interpreter &in, linalg::LinalgOp op) : in(in), op(op) {}
  LogicalResult run();

private:
  LogicalResult computeAccesses();
  LogicalResult computeSizes();
  LogicalResult checkBounds(const Access &access);
  bool isTaskDim(unsigned dim);

  Plan makePlan(int64_t innerDim);
  int64_t chooseLaneDim();
  LogicalResult runLanes(Plan plan);
  bool runContraction();

  /// Calls `fn(indices)` for the points of `dims`; other indices stay.
  template <typename Fn>
  void forEachPoint(ArrayRef<unsigned> dims, SmallVector<int64_t> &indices,
                    Fn fn);
  /// Sets the indices of the next task and its range of the inner dimension;
  /// false after the last task of a worker.
  using NextTask = llvm::function_ref<bool(SmallVector<int64_t> &indices,
                                           int64_t &begin, int64_t &end)>;
  /// Shares the tasks of a plan among workers, `innerStep` of the inner
  /// dimension to a task.
  void forEachTask(const Plan &plan, int64_t innerStep,
                   llvm::function_ref<void(NextTask)> worker);
  void load(const Access &access, Frame &frame, unsigned reg, int64_t lanes);
  void store(const Access &access, Slot *out, Frame &frame, unsigned reg,
             int64_t lanes);

  Interpreter &in;
  linalg::LinalgOp op;
  SmallVector<Access> accesses;
  SmallVector<int64_t> sizes;
  SmallVector<Tensor> outputs;
  SmallVector<Slot *> outputData;
};
} // namespace

//===----------------------------------------------------------------------===//
// Shapes and maps
//===----------------------------------------------------------------------===//

/// Adds `scale` * expr to coefficients and constant; false if not linear.
static bool addLinear(AffineExpr expr, int64_t scale,
                      MutableArrayRef<int64_t> coefficients,
                      int64_t &constant) {
  if (auto dim = dyn_cast<AffineDimExpr>(expr)) {
    coefficients[dim.getPosition()] += scale;
    return true;
  }
  if (auto value = dyn_cast<AffineConstantExpr>(expr)) {
    constant += scale * value.getValue();
    return true;
  }
  auto pair = dyn_cast<AffineBinaryOpExpr>(expr);
  if (!pair)
    return false;
  if (pair.getKind() == AffineExprKind::Add)
    return addLinear(pair.getLHS(), scale, coefficients, constant) &&
           addLinear(pair.getRHS(), scale, coefficients, constant);
  auto factor = dyn_cast<AffineConstantExpr>(pair.getRHS());
  return pair.getKind() == AffineExprKind::Mul && factor &&
         addLinear(pair.getLHS(), scale * factor.getValue(), coefficients,
                   constant);
}

LogicalResult StructuredOp::computeAccesses() {
  for (OpOperand &operand : op->getOpOperands()) {
    Access access;
    access.map = op.getMatchingIndexingMap(&operand);
    const Tensor &tensor = in.get(operand.get());
    access.shape.assign(tensor.getShape().begin(), tensor.getShape().end());
    access.strides = tensor.getStrides();
    access.coefficients.assign(op.getNumLoops(), 0);
    for (auto [expr, stride] :
         llvm::zip_equal(access.map.getResults(), access.strides))
      access.isLinear &=
          addLinear(expr, stride, access.coefficients, access.origin);
    access.data = tensor.data();
    accesses.push_back(std::move(access));
  }
  return success();
}

LogicalResult StructuredOp::computeSizes() {
  sizes.assign(op.getNumLoops(), -1);
  for (const Access &access : accesses)
    for (auto [expr, size] :
         llvm::zip_equal(access.map.getResults(), access.shape)) {
      auto dim = dyn_cast<AffineDimExpr>(expr);
      if (!dim)
        continue;
      int64_t &known = sizes[dim.getPosition()];
      if (known >= 0 && known != size)
        return in.fail(op, "has operands that disagree on the size of "
                           "iteration dimension " +
                               Twine(dim.getPosition()) + ": " + Twine(known) +
                               " and " + Twine(size));
      known = size;
    }
  if (llvm::is_contained(sizes, -1))
    return in.fail(op, "has an iteration dimension that no operand gives the "
                       "size of");
  return success();
}

/// Linear maps are checked once, others at every access.
LogicalResult StructuredOp::checkBounds(const Access &access) {
  if (llvm::is_contained(sizes, 0))
    return success();
  for (auto [expr, size] :
       llvm::zip_equal(access.map.getResults(), access.shape)) {
    SmallVector<int64_t> coefficients(sizes.size(), 0);
    int64_t constant = 0;
    if (!addLinear(expr, 1, coefficients, constant))
      continue;
    // In double: no overflow, and exact for every index that is in bounds.
    double least = constant, most = constant;
    for (auto [coefficient, extent] : llvm::zip(coefficients, sizes))
      (coefficient < 0 ? least : most) += double(coefficient) * (extent - 1);
    if (least < 0 || most >= size)
      return in.fail(op, "accesses an operand out of bounds, a dimension of "
                         "size " +
                             Twine(size));
  }
  return success();
}

/// True if different indices along `dim` write different elements.
bool StructuredOp::isTaskDim(unsigned dim) {
  if (op.getIteratorTypesArray()[dim] != utils::IteratorType::parallel)
    return false;
  AffineExpr expr = getAffineDimExpr(dim, op.getContext());
  return llvm::all_of(
      ArrayRef(accesses).take_back(outputs.size()), [&](const Access &access) {
        return access.isLinear &&
               llvm::is_contained(access.map.getResults(), expr);
      });
}

Plan StructuredOp::makePlan(int64_t innerDim) {
  Plan plan;
  plan.innerDim = innerDim;
  for (unsigned dim = 0; dim < sizes.size(); ++dim)
    if (int64_t(dim) != innerDim)
      (isTaskDim(dim) ? plan.taskDims : plan.sequentialDims).push_back(dim);
  return plan;
}

//===----------------------------------------------------------------------===//
// Iteration
//===----------------------------------------------------------------------===//

template <typename Fn>
void StructuredOp::forEachPoint(ArrayRef<unsigned> dims,
                                SmallVector<int64_t> &indices, Fn fn) {
  SmallVector<int64_t> extents, point(dims.size(), 0);
  for (unsigned dim : dims)
    extents.push_back(sizes[dim]);
  do {
    for (auto [dim, index] : llvm::zip(dims, point))
      indices[dim] = index;
    fn();
  } while (increment(point, extents));
}

void StructuredOp::forEachTask(const Plan &plan, int64_t innerStep,
                               llvm::function_ref<void(NextTask)> worker) {
  int64_t innerSize = plan.innerDim < 0 ? 1 : sizes[plan.innerDim];
  int64_t innerTasks = llvm::divideCeilSigned(innerSize, innerStep);
  int64_t tasks = innerTasks;
  double work = 1;
  for (unsigned dim : plan.taskDims)
    tasks *= sizes[dim];
  for (int64_t size : sizes)
    work *= size;
  // A worker sets up its registers once and then takes a share of the tasks.
  int64_t numWorkers = std::min<int64_t>(tasks, 64);
  parallelFor(numWorkers, work, [&](int64_t w) {
    int64_t task = tasks * w / numWorkers;
    int64_t last = tasks * (w + 1) / numWorkers;
    worker([&](SmallVector<int64_t> &indices, int64_t &begin, int64_t &end) {
      if (task == last)
        return false;
      begin = task % innerTasks * innerStep;
      end = std::min(begin + innerStep, innerSize);
      int64_t rest = task++ / innerTasks;
      for (unsigned dim : llvm::reverse(plan.taskDims)) {
        indices[dim] = rest % sizes[dim];
        rest /= sizes[dim];
      }
      return true;
    });
  });
}

//===----------------------------------------------------------------------===//
// Lanes
//===----------------------------------------------------------------------===//

/// A long dimension, contiguous in the output if there is one.
int64_t StructuredOp::chooseLaneDim() {
  constexpr int64_t enoughLanes = 16;
  int64_t best = -1;
  for (unsigned dim = 0; dim < sizes.size(); ++dim) {
    if (!isTaskDim(dim))
      continue;
    if (sizes[dim] >= enoughLanes && accesses.back().coefficients[dim] == 1)
      return dim;
    if (best < 0 || sizes[dim] > sizes[best])
      best = dim;
  }
  return best;
}

void StructuredOp::load(const Access &access, Frame &frame, unsigned reg,
                        int64_t lanes) {
  Slot *out = frame.reg(reg);
  if (access.isLinear) {
    const Slot *from = access.data + access.getPosition(frame.indices);
    int64_t stride = frame.laneDim < 0 ? 0 : access.coefficients[frame.laneDim];
    for (int64_t i = 0; i < lanes; ++i)
      out[i] = from[i * stride];
    return;
  }
  SmallVector<int64_t> indices = frame.indices;
  for (int64_t i = 0; i < lanes; ++i) {
    if (frame.laneDim >= 0)
      indices[frame.laneDim] = frame.indices[frame.laneDim] + i;
    int64_t position = 0;
    for (auto [expr, size] :
         llvm::zip_equal(access.map.getResults(), access.shape)) {
      std::optional<int64_t> index = evaluateAffine(expr, indices, {});
      if (!index || *index < 0 || *index >= size)
        return frame.fail(op, "accesses an operand out of bounds");
      position = position * size + *index;
    }
    out[i] = access.data[position];
  }
}

void StructuredOp::store(const Access &access, Slot *out, Frame &frame,
                         unsigned reg, int64_t lanes) {
  const Slot *from = frame.reg(reg);
  Slot *to = out + access.getPosition(frame.indices);
  int64_t stride = frame.laneDim < 0 ? 0 : access.coefficients[frame.laneDim];
  for (int64_t i = 0; i < lanes; ++i)
    to[i * stride] = from[i];
}

LogicalResult StructuredOp::runLanes(Plan plan) {
  Block &body = *op.getBlock();
  FailureOr<Program> program = in.compileBody(op, body);
  if (failed(program))
    return failure();
  SmallVector<unsigned> yielded;
  for (Value value : body.getTerminator()->getOperands())
    yielded.push_back(program->getRegister(value));
  ArrayRef<Access> outputAccesses =
      ArrayRef(accesses).take_back(outputs.size());

  std::mutex mutex;
  LogicalResult result = success();
  forEachTask(plan, Frame::maxLanes, [&](NextTask nextTask) {
    Frame frame(*program);
    frame.laneDim = plan.innerDim;
    frame.indices.assign(sizes.size(), 0);
    int64_t begin, end;
    while (!frame.failure && nextTask(frame.indices, begin, end)) {
      if (plan.innerDim >= 0)
        frame.indices[plan.innerDim] = begin;
      int64_t lanes = end - begin;
      forEachPoint(plan.sequentialDims, frame.indices, [&] {
        for (auto [i, access] : llvm::enumerate(accesses))
          if (!body.getArgument(i).use_empty())
            load(access, frame, i, lanes);
        program->run(frame, lanes);
        for (auto [i, access] : llvm::enumerate(outputAccesses))
          store(access, outputData[i], frame, yielded[i], lanes);
      });
    }
    std::lock_guard<std::mutex> lock(mutex);
    if (failed(in.checkFrame(frame)))
      result = failure();
  });
  return result;
}

//===----------------------------------------------------------------------===//
// Products
//===----------------------------------------------------------------------===//

static Value skipFloatCasts(Value value) {
  while (Operation *cast = value.getDefiningOp()) {
    if (!isa<arith::ExtFOp, arith::TruncFOp>(cast))
      break;
    value = cast->getOperand(0);
  }
  return value;
}

/// True if the body is out + lhs * rhs on floats, whatever their order.
static bool isProductBody(Block &body) {
  if (body.getNumArguments() != 3)
    return false;
  Value yielded = skipFloatCasts(body.getTerminator()->getOperand(0));
  auto add = yielded.getDefiningOp<arith::AddFOp>();
  if (!add)
    return false;
  auto isProduct = [&](Value sum, Value product) {
    auto mul = skipFloatCasts(product).getDefiningOp<arith::MulFOp>();
    if (!mul || skipFloatCasts(sum) != body.getArgument(2))
      return false;
    Value lhs = skipFloatCasts(mul.getLhs()),
          rhs = skipFloatCasts(mul.getRhs());
    Value a = body.getArgument(0), b = body.getArgument(1);
    return (lhs == a && rhs == b) || (lhs == b && rhs == a);
  };
  return isProduct(add.getLhs(), add.getRhs()) ||
         isProduct(add.getRhs(), add.getLhs());
}

/// Evaluates a product as dot products along a reduction that is contiguous in
/// both operands, or as scaled additions along a parallel dimension that is
/// contiguous in one operand and the output; false if there is neither.
bool StructuredOp::runContraction() {
  if (accesses.size() != 3 || outputs.size() != 1 ||
      !isProductBody(*op.getBlock()) ||
      !llvm::all_of(accesses, [](const Access &a) { return a.isLinear; }))
    return false;
  Access lhs = accesses[0], rhs = accesses[1];
  const Access &out = accesses[2];
  int64_t innerDim = -1;
  bool isDot = false;
  for (unsigned dim = 0; dim < sizes.size(); ++dim) {
    int64_t l = lhs.coefficients[dim], r = rhs.coefficients[dim];
    int64_t o = out.coefficients[dim];
    bool dimIsDot = l == 1 && r == 1 && o == 0;
    bool dimIsAxpy = l + r == 1 && l * r == 0 && o == 1 && isTaskDim(dim);
    if ((dimIsDot || dimIsAxpy) &&
        (innerDim < 0 || sizes[dim] > sizes[innerDim])) {
      innerDim = dim;
      isDot = dimIsDot;
    }
  }
  if (innerDim < 0)
    return false;
  if (!isDot && lhs.coefficients[innerDim] == 1)
    std::swap(lhs, rhs);

  double *result = &outputData[0]->f;
  auto lhsData = reinterpret_cast<const double *>(lhs.data);
  auto rhsData = reinterpret_cast<const double *>(rhs.data);
  Plan plan = makePlan(innerDim);
  forEachTask(plan, sizes[innerDim], [&](NextTask nextTask) {
    SmallVector<int64_t> indices(sizes.size(), 0);
    int64_t begin, end;
    while (nextTask(indices, begin, end)) {
      indices[innerDim] = begin;
      forEachPoint(plan.sequentialDims, indices, [&] {
        const double *a = lhsData + lhs.getPosition(indices);
        const double *b = rhsData + rhs.getPosition(indices);
        double *c = result + out.getPosition(indices);
        if (isDot)
          *c += dot(a, b, end - begin);
        else
          axpy(*a, b, c, end - begin);
      });
    }
  });
  return true;
}

//===----------------------------------------------------------------------===//
// Entry points
//===----------------------------------------------------------------------===//

LogicalResult StructuredOp::run() {
  if (!op.hasPureTensorSemantics())
    return in.fail(op, "works on memory, expected tensors");
  // Read the inputs' addresses before an output moves out of the environment,
  // and the outputs' after it is theirs alone.
  if (failed(computeAccesses()) || failed(computeSizes()))
    return failure();
  for (Value init : op.getDpsInits())
    outputs.push_back(in.take(init, op));
  for (auto [i, tensor] : llvm::enumerate(outputs)) {
    outputData.push_back(tensor.mutableData());
    accesses[op.getNumDpsInputs() + i].data = outputData.back();
  }
  for (const Access &access : accesses)
    if (failed(checkBounds(access)))
      return failure();
  for (const Access &access : ArrayRef(accesses).take_back(outputs.size()))
    if (!access.isLinear)
      return in.fail(op, "has an output map that the reference evaluator does "
                         "not support");
  if (!llvm::is_contained(sizes, 0) && !runContraction() &&
      failed(runLanes(makePlan(chooseLaneDim()))))
    return failure();
  return in.setAll(op, op->getResults(), outputs);
}

static LogicalResult evaluateSoftmax(Interpreter &in, linalg::SoftmaxOp op) {
  const Tensor &source = in.get(op.getInput());
  uint64_t dim = op.getDimension();
  if (in.get(op.getOutput()).getShape() != source.getShape())
    return in.fail(op, "has an input and an output of different shapes");
  int64_t size = source.getShape()[dim], stride = source.getStrides()[dim];
  Tensor result(source.getShape());
  const double *from = source.doubles();
  double *to = result.mutableDoubles();
  for (int64_t i = 0, e = source.getNumElements(); i < e; ++i) {
    // Start at the first element of every line along the dimension.
    if (i / stride % size != 0)
      continue;
    double maximum = -INFINITY, sum = 0;
    for (int64_t k = 0; k < size; ++k)
      maximum = std::fmax(maximum, from[i + k * stride]);
    for (int64_t k = 0; k < size; ++k)
      sum += to[i + k * stride] = std::exp(from[i + k * stride] - maximum);
    for (int64_t k = 0; k < size; ++k)
      to[i + k * stride] /= sum;
  }
  return in.setAll(op, op->getResults(), result);
}

MaybeResult reference::evaluateLinalgOp(Interpreter &in, Operation *op) {
  if (auto softmax = dyn_cast<linalg::SoftmaxOp>(op))
    return evaluateSoftmax(in, softmax);
  if (auto structured = dyn_cast<linalg::LinalgOp>(op))
    return StructuredOp(in, structured).run();
  return std::nullopt;
}
