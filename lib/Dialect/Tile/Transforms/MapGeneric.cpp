//===- MapGeneric.cpp - linalg.generic on tiles as tile ops ---------------===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

//
// The body of a generic is mapped op by op. Each scalar of the body becomes a
// tile over just those iteration dimensions that it depends on: what depends on
// the row alone stays a tile of rows until it meets what depends on the column.
//
//===----------------------------------------------------------------------===//

#include "MapGeneric.h"

#include "diffattn/Dialect/Tile/IR/Tile.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace mlir::diffattn::tile;

RankedTensorType mlir::diffattn::tile::getTileType(Type tensor) {
  auto type = cast<RankedTensorType>(tensor);
  SmallVector<int64_t> shape;
  for (int64_t size : type.getShape())
    if (size != 1)
      shape.push_back(size);
  return RankedTensorType::get(shape, type.getElementType());
}

Value mlir::diffattn::tile::createSplat(OpBuilder &builder, Location loc,
                                        Value value, RankedTensorType type) {
  Attribute constant;
  if (matchPattern(value, m_Constant(&constant)))
    return arith::ConstantOp::create(builder, loc,
                                     DenseElementsAttr::get(type, constant));
  return SplatOp::create(builder, loc, type, value);
}

namespace {

/// A scalar of the body, as a tile over some iteration dimensions. With none,
/// it is a scalar still.
struct Lifted {
  Value value;
  SmallVector<unsigned> dims;
};

/// A linear function of iteration indices (coefficients) plus a scalar (null
/// for zero).
struct Linear {
  SmallVector<int64_t> coefficients;
  Value scalar;
};

class GenericMapper {
public:
  GenericMapper(linalg::GenericOp generic, OpBuilder &builder,
                IRMapping &mapping)
      : generic(generic), builder(builder), mapping(mapping),
        loc(generic.getLoc()), ranges(generic.getStaticLoopRanges()) {
    orderDims();
  }

  LogicalResult map();

private:
  // Products.
  bool isProduct();
  LogicalResult mapProduct();
  // The rest.
  LogicalResult bindArguments();
  LogicalResult mapBodyOp(Operation &op);
  LogicalResult mapSelect(arith::SelectOp select);
  FailureOr<Value> finish(OpResult result, Value yielded);
  bool isElementwise(AffineMap map);
  Value createTransposed(Value value, AffineMap map);

  /// Tiles list their dimensions in the order of the operand read that has
  /// most.
  void orderDims();
  /// `dims` in that order, each once.
  void sortDims(SmallVectorImpl<unsigned> &dims);

  Lifted lookup(Value value);
  /// `lifted` as a tile over `dims`.
  Value broadcast(const Lifted &lifted, ArrayRef<unsigned> dims);
  RankedTensorType getType(ArrayRef<unsigned> dims, Type element);
  /// The iteration dimensions of size above 1 that `map` lists, if in order.
  FailureOr<SmallVector<unsigned>> getDims(AffineMap map);

  // Masks.
  bool matchLinear(Value value, int64_t sign, Linear &linear);
  LogicalResult matchConstraints(Value condition,
                                 SmallVectorImpl<Linear> &constraints);
  Value combine(Value scalar, Value term, int64_t sign);

  linalg::GenericOp generic;
  OpBuilder &builder;
  IRMapping &mapping;
  Location loc;
  SmallVector<int64_t> ranges;
  /// The iteration dimensions of size above 1, in the order of tiles.
  SmallVector<unsigned> order;
  DenseMap<Value, Lifted> lifted;
};

} // namespace

void GenericMapper::orderDims() {
  auto append = [&](unsigned dim) {
    if (ranges[dim] != 1 && !llvm::is_contained(order, dim))
      order.push_back(dim);
  };
  AffineMap longest;
  for (OpOperand &operand : generic->getOpOperands()) {
    AffineMap map = generic.getMatchingIndexingMap(&operand);
    bool isRead = !generic.getMatchingBlockArgument(&operand).use_empty();
    if (isRead && map.isProjectedPermutation() &&
        (!longest || map.getNumResults() > longest.getNumResults()))
      longest = map;
  }
  for (unsigned i = 0; longest && i < longest.getNumResults(); ++i)
    append(longest.getDimPosition(i));
  for (unsigned dim = 0; dim < ranges.size(); ++dim)
    append(dim);
}

void GenericMapper::sortDims(SmallVectorImpl<unsigned> &dims) {
  llvm::sort(dims, [&](unsigned a, unsigned b) {
    return llvm::find(order, a) < llvm::find(order, b);
  });
  dims.erase(llvm::unique(dims), dims.end());
}

FailureOr<SmallVector<unsigned>> GenericMapper::getDims(AffineMap map) {
  SmallVector<unsigned> dims;
  for (AffineExpr expr : map.getResults()) {
    auto dim = dyn_cast<AffineDimExpr>(expr);
    if (!dim)
      return generic.emitError("expects indexing maps that are projections");
    if (ranges[dim.getPosition()] == 1)
      continue;
    dims.push_back(dim.getPosition());
  }
  SmallVector<unsigned> sorted = dims;
  sortDims(sorted);
  if (sorted != dims)
    return generic.emitError("expects indexing maps that keep the order of "
                             "dimensions");
  return dims;
}

RankedTensorType GenericMapper::getType(ArrayRef<unsigned> dims, Type element) {
  SmallVector<int64_t> shape;
  for (unsigned dim : dims)
    shape.push_back(ranges[dim]);
  return RankedTensorType::get(shape, element);
}

Value GenericMapper::broadcast(const Lifted &from, ArrayRef<unsigned> dims) {
  if (from.dims.empty() && !isa<RankedTensorType>(from.value.getType()))
    return createSplat(builder, loc, from.value,
                       getType(dims, from.value.getType()));
  SmallVector<unsigned> have = from.dims;
  Value value = from.value;
  Type element = cast<RankedTensorType>(value.getType()).getElementType();
  for (auto [position, dim] : llvm::enumerate(dims)) {
    if (position < have.size() && have[position] == dim)
      continue;
    have.insert(have.begin() + position, dim);
    value = BroadcastOp::create(builder, loc, getType(have, element), value,
                                position);
  }
  return value;
}

Lifted GenericMapper::lookup(Value value) {
  auto found = lifted.find(value);
  if (found != lifted.end())
    return found->second;
  return {mapping.lookupOrDefault(value), {}};
}

//===----------------------------------------------------------------------===//
// Products
//===----------------------------------------------------------------------===//

static Value skipExtension(Value value) {
  if (auto extend = value.getDefiningOp<arith::ExtFOp>())
    return extend.getIn();
  return value;
}

/// out + a * b, a and b extended or not, summed over one dimension.
bool GenericMapper::isProduct() {
  if (generic.getNumDpsInputs() != 2 || generic.getNumDpsInits() != 1)
    return false;
  int64_t reductions = 0;
  for (auto [range, type] :
       llvm::zip_equal(ranges, generic.getIteratorTypesArray()))
    reductions += range != 1 && type == utils::IteratorType::reduction;
  auto add = generic.getBody()
                 ->getTerminator()
                 ->getOperand(0)
                 .getDefiningOp<arith::AddFOp>();
  auto multiply =
      add ? add.getRhs().getDefiningOp<arith::MulFOp>() : arith::MulFOp();
  return reductions == 1 && multiply &&
         add.getLhs() == generic.getRegionOutputArgs()[0] &&
         skipExtension(multiply.getLhs()) == generic.getRegionInputArgs()[0] &&
         skipExtension(multiply.getRhs()) == generic.getRegionInputArgs()[1];
}

LogicalResult GenericMapper::mapProduct() {
  // Operands with dimensions as they lie in memory; the product op says which
  // is summed.
  auto getOrder = [&](unsigned operand) {
    SmallVector<unsigned> dims;
    AffineMap map = generic.getIndexingMapsArray()[operand];
    for (unsigned i = 0; i < map.getNumResults(); ++i)
      if (ranges[map.getDimPosition(i)] != 1)
        dims.push_back(map.getDimPosition(i));
    return dims;
  };
  SmallVector<unsigned> lhsDims = getOrder(0), rhsDims = getOrder(1),
                        accDims = getOrder(2);
  Value lhs = mapping.lookup(generic.getDpsInputs()[0]),
        rhs = mapping.lookup(generic.getDpsInputs()[1]),
        acc = mapping.lookup(generic.getDpsInits()[0]);
  auto lhsType = cast<RankedTensorType>(lhs.getType());
  Type element = cast<RankedTensorType>(rhs.getType()).getElementType();
  if (element.isF32())
    return generic.emitError(
        "matrix instructions multiply 16-bit operands, but "
        "this product has f32; use f16 or bf16 queries, "
        "keys and values, or a CPU target");
  if (rhsDims.size() != 2 || lhsDims.size() < 2 ||
      lhsDims.size() != accDims.size() ||
      ArrayRef<unsigned>(lhsDims).drop_back() !=
          ArrayRef<unsigned>(accDims).drop_back())
    return generic.emitError("expects a product of rows x k by a matrix");
  bool transposed = rhsDims[1] == lhsDims.back();
  if (lhsType.getElementType().isF32())
    lhs = arith::TruncFOp::create(builder, loc, lhsType.clone(element), lhs);
  mapping.map(generic.getResult(0), DotOp::create(builder, loc, acc.getType(),
                                                  lhs, rhs, acc, transposed)
                                        .getResult());
  return success();
}

//===----------------------------------------------------------------------===//
// Masks
//===----------------------------------------------------------------------===//

Value GenericMapper::combine(Value scalar, Value term, int64_t sign) {
  if (!scalar && sign == 1)
    return term;
  if (!scalar)
    scalar = arith::ConstantIndexOp::create(builder, loc, 0);
  return sign == 1
             ? arith::AddIOp::create(builder, loc, scalar, term).getResult()
             : arith::SubIOp::create(builder, loc, scalar, term).getResult();
}

/// Adds `sign * value` to `linear`.
bool GenericMapper::matchLinear(Value value, int64_t sign, Linear &linear) {
  if (auto index = value.getDefiningOp<linalg::IndexOp>()) {
    if (ranges[index.getDim()] != 1)
      linear.coefficients[index.getDim()] += sign;
    return true;
  }
  Operation *op = value.getDefiningOp();
  if (!op || op->getBlock() != generic.getBody()) {
    if (isa<BlockArgument>(value) &&
        value.getParentBlock() == generic.getBody())
      return false;
    linear.scalar =
        combine(linear.scalar, mapping.lookupOrDefault(value), sign);
    return true;
  }
  if (auto add = dyn_cast<arith::AddIOp>(op))
    return matchLinear(add.getLhs(), sign, linear) &&
           matchLinear(add.getRhs(), sign, linear);
  if (auto sub = dyn_cast<arith::SubIOp>(op))
    return matchLinear(sub.getLhs(), sign, linear) &&
           matchLinear(sub.getRhs(), -sign, linear);
  return false;
}

/// A conjunction of comparisons as functions that are at least zero.
LogicalResult
GenericMapper::matchConstraints(Value condition,
                                SmallVectorImpl<Linear> &constraints) {
  if (auto conjunction = condition.getDefiningOp<arith::AndIOp>())
    return success(
        succeeded(matchConstraints(conjunction.getLhs(), constraints)) &&
        succeeded(matchConstraints(conjunction.getRhs(), constraints)));
  auto compare = condition.getDefiningOp<arith::CmpIOp>();
  if (!compare)
    return failure();
  Value larger = compare.getRhs(), smaller = compare.getLhs();
  bool strict = false;
  switch (compare.getPredicate()) {
  case arith::CmpIPredicate::sgt:
    strict = true;
    [[fallthrough]];
  case arith::CmpIPredicate::sge:
    std::swap(larger, smaller);
    break;
  case arith::CmpIPredicate::slt:
    strict = true;
    break;
  case arith::CmpIPredicate::sle:
    break;
  default:
    return failure();
  }
  Linear linear;
  linear.coefficients.assign(ranges.size(), 0);
  if (!matchLinear(larger, 1, linear) || !matchLinear(smaller, -1, linear) ||
      llvm::any_of(linear.coefficients,
                   [](int64_t c) { return c < -1 || c > 1; }))
    return failure();
  if (strict)
    linear.scalar = combine(
        linear.scalar, arith::ConstantIndexOp::create(builder, loc, 1), -1);
  constraints.push_back(linear);
  return success();
}

/// select(a > b, a, b) is a maximum, a select by positions a mask.
LogicalResult GenericMapper::mapSelect(arith::SelectOp select) {
  Lifted result;
  if (auto compare = select.getCondition().getDefiningOp<arith::CmpFOp>();
      compare && compare.getPredicate() == arith::CmpFPredicate::OGT &&
      compare.getLhs() == select.getTrueValue() &&
      compare.getRhs() == select.getFalseValue()) {
    Lifted lhs = lookup(compare.getLhs()), rhs = lookup(compare.getRhs());
    result.dims = lhs.dims;
    llvm::append_range(result.dims, rhs.dims);
    sortDims(result.dims);
    if (!result.dims.empty()) {
      result.value =
          arith::MaxNumFOp::create(builder, loc, broadcast(lhs, result.dims),
                                   broadcast(rhs, result.dims));
      lifted[select.getResult()] = result;
      return success();
    }
  }

  FloatAttr fill;
  Lifted source = lookup(select.getTrueValue());
  if (!matchPattern(select.getFalseValue(), m_Constant(&fill)) ||
      !fill.getType().isF32() || source.dims.empty())
    return failure();
  SmallVector<Linear> constraints;
  if (failed(matchConstraints(select.getCondition(), constraints)))
    return failure();
  // The tile's dimensions and one symbol a constraint.
  SmallVector<AffineExpr> exprs;
  SmallVector<Value> symbols;
  result.dims = source.dims;
  for (const Linear &linear : constraints)
    for (unsigned dim = 0; dim < ranges.size(); ++dim)
      if (linear.coefficients[dim] && !llvm::is_contained(result.dims, dim))
        return failure();
  for (const Linear &linear : constraints) {
    AffineExpr expr = builder.getAffineConstantExpr(0);
    for (auto [position, dim] : llvm::enumerate(result.dims))
      expr =
          expr + builder.getAffineDimExpr(position) * linear.coefficients[dim];
    if (linear.scalar) {
      expr = expr + builder.getAffineSymbolExpr(symbols.size());
      symbols.push_back(linear.scalar);
    }
    exprs.push_back(expr);
  }
  auto set = IntegerSet::get(result.dims.size(), symbols.size(), exprs,
                             SmallVector<bool>(exprs.size(), false));
  result.value =
      MaskOp::create(builder, loc, source.value.getType(), source.value,
                     symbols, IntegerSetAttr::get(set), fill);
  lifted[select.getResult()] = result;
  return success();
}

//===----------------------------------------------------------------------===//
// Bodies
//===----------------------------------------------------------------------===//

LogicalResult GenericMapper::bindArguments() {
  for (OpOperand &operand : generic->getOpOperands()) {
    BlockArgument argument = generic.getMatchingBlockArgument(&operand);
    Value tile = mapping.lookupOrNull(operand.get());
    if (argument.use_empty())
      continue;
    if (!tile)
      return generic.emitError("reads a tile that nothing has written");
    FailureOr<SmallVector<unsigned>> dims =
        getDims(generic.getMatchingIndexingMap(&operand));
    if (failed(dims))
      return failure();
    lifted[argument] = {tile, *dims};
  }
  return success();
}

LogicalResult GenericMapper::mapBodyOp(Operation &op) {
  if (auto index = dyn_cast<linalg::IndexOp>(op)) {
    unsigned dim = index.getDim();
    if (ranges[dim] == 1)
      lifted[index] = {arith::ConstantIndexOp::create(builder, loc, 0), {}};
    else
      lifted[index] = {IndexOp::create(builder, loc,
                                       getType({dim}, builder.getIndexType()),
                                       uint64_t(0)),
                       {dim}};
    return success();
  }
  if (auto select = dyn_cast<arith::SelectOp>(op))
    if (succeeded(mapSelect(select)))
      return success();
  if (!OpTrait::hasElementwiseMappableTraits(&op) || op.getNumResults() != 1)
    return op.emitError("expects an element-wise operation");

  SmallVector<unsigned> dims;
  SmallVector<Lifted> operands;
  for (Value operand : op.getOperands()) {
    operands.push_back(lookup(operand));
    llvm::append_range(dims, operands.back().dims);
  }
  sortDims(dims);
  if (dims.empty()) {
    IRMapping scalars;
    for (auto [operand, value] : llvm::zip_equal(op.getOperands(), operands))
      scalars.map(operand, value.value);
    lifted[op.getResult(0)] = {builder.clone(op, scalars)->getResult(0), {}};
    return success();
  }
  SmallVector<Value> tiles;
  for (const Lifted &operand : operands)
    tiles.push_back(broadcast(operand, dims));
  Operation *mapped =
      builder.create(loc, op.getName().getIdentifier(), tiles,
                     {getType(dims, op.getResult(0).getType())}, op.getAttrs());
  lifted[op.getResult(0)] = {mapped->getResult(0), dims};
  return success();
}

static bool isSplatOf(Value value, double constant) {
  DenseFPElementsAttr attr;
  return matchPattern(value, m_Constant(&attr)) && attr.isSplat() &&
         attr.getSplatValue<APFloat>().convertToDouble() == constant;
}

/// Whether a result with this map has an element for each iteration.
bool GenericMapper::isElementwise(AffineMap map) {
  int64_t reached = 0;
  for (AffineExpr expr : map.getResults())
    if (auto dim = dyn_cast<AffineDimExpr>(expr))
      reached += ranges[dim.getPosition()] != 1;
  return reached == static_cast<int64_t>(order.size());
}

/// `value`, whose dimensions are in the order of tiles, in that of `map`.
Value GenericMapper::createTransposed(Value value, AffineMap map) {
  SmallVector<int64_t> permutation;
  SmallVector<unsigned> dims;
  for (unsigned i = 0; i < map.getNumResults(); ++i)
    if (unsigned dim = map.getDimPosition(i); ranges[dim] != 1) {
      permutation.push_back(llvm::find(order, dim) - order.begin());
      dims.push_back(dim);
    }
  if (llvm::is_sorted(permutation))
    return value;
  Type element = cast<RankedTensorType>(value.getType()).getElementType();
  return TransposeOp::create(builder, loc, getType(dims, element), value,
                             permutation);
}

/// The tile of a result: over the dimensions of its map, the others reduced.
FailureOr<Value> GenericMapper::finish(OpResult result, Value yielded) {
  OpOperand *init = generic.getDpsInitOperand(result.getResultNumber());
  AffineMap map = generic.getMatchingIndexingMap(init);
  ArrayRef<unsigned> all = order;
  if (isElementwise(map))
    return createTransposed(broadcast(lookup(yielded), all), map);
  FailureOr<SmallVector<unsigned>> dims = getDims(map);
  if (failed(dims))
    return failure();

  // One reduction: combine(out, x) or a maximum of both.
  BlockArgument out = generic.getMatchingBlockArgument(init);
  Operation *op = yielded.getDefiningOp();
  ReduceKind kind = ReduceKind::Add;
  Value term;
  if (auto add = dyn_cast_or_null<arith::AddFOp>(op)) {
    term = add.getLhs() == out ? add.getRhs() : add.getLhs();
  } else if (auto select = dyn_cast_or_null<arith::SelectOp>(op)) {
    kind = ReduceKind::Max;
    term = select.getTrueValue() == out ? select.getFalseValue()
                                        : select.getTrueValue();
  }
  if (!term || dims->size() + 1 != all.size())
    return generic.emitError("expects a sum or maximum over one dimension");
  unsigned reduced = 0;
  while (reduced < dims->size() && (*dims)[reduced] == all[reduced])
    ++reduced;
  Value source = broadcast(lookup(term), all);
  Value value = ReduceOp::create(
      builder, loc,
      getType(*dims, cast<RankedTensorType>(source.getType()).getElementType()),
      kind, source, reduced);
  Value start = mapping.lookup(init->get());
  if (kind == ReduceKind::Add)
    return isSplatOf(start, 0)
               ? value
               : arith::AddFOp::create(builder, loc, start, value).getResult();
  return isSplatOf(start, -INFINITY)
             ? value
             : arith::MaxNumFOp::create(builder, loc, start, value).getResult();
}

LogicalResult GenericMapper::map() {
  if (!generic.hasPureTensorSemantics() ||
      llvm::any_of(ranges, ShapedType::isDynamic))
    return generic.emitError("expects tiles of static size");
  if (isProduct())
    return mapProduct();
  if (failed(bindArguments()))
    return failure();
  // What combines with the running value of a reduction is no element-wise op.
  Operation *yield = generic.getBody()->getTerminator();
  DenseSet<Operation *> combiners;
  for (OpOperand &operand : yield->getOpOperands()) {
    OpOperand *init = generic.getDpsInitOperand(operand.getOperandNumber());
    BlockArgument out = generic.getMatchingBlockArgument(init);
    if (isElementwise(generic.getMatchingIndexingMap(init)))
      continue;
    combiners.insert(out.getUsers().begin(), out.getUsers().end());
    if (Operation *op = operand.get().getDefiningOp())
      combiners.insert(op);
  }
  for (Operation &op : generic.getBody()->without_terminator())
    if (!combiners.contains(&op) && failed(mapBodyOp(op)))
      return failure();
  for (auto [result, yielded] :
       llvm::zip_equal(generic.getResults(), yield->getOperands())) {
    FailureOr<Value> value = finish(cast<OpResult>(result), yielded);
    if (failed(value))
      return failure();
    mapping.map(result, *value);
  }
  return success();
}

LogicalResult mlir::diffattn::tile::mapGeneric(linalg::GenericOp generic,
                                               OpBuilder &builder,
                                               IRMapping &mapping) {
  return GenericMapper(generic, builder, mapping).map();
}
