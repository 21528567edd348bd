//===- LinalgToTile.cpp - From tiles of tensors to a kernel ---------------===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

//
// The frame: a function becomes a kernel, its arguments global memory, its
// scf.forall the grid, slices of arguments loads and stores. What happens to
// the linalg ops inside stands in MapGeneric.cpp.
//
//===----------------------------------------------------------------------===//

#include "MapGeneric.h"

#include "diffattn/Dialect/DiffAttn/IR/DiffAttn.h"
#include "diffattn/Dialect/Tile/IR/Tile.h"
#include "diffattn/Dialect/Tile/Transforms/Passes.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/IR/IRMapping.h"

namespace mlir::diffattn::tile {
#define GEN_PASS_DEF_LINALGTOTILEPASS
#include "diffattn/Dialect/Tile/Transforms/Passes.h.inc"
} // namespace mlir::diffattn::tile

using namespace mlir;
using namespace mlir::diffattn;
using namespace mlir::diffattn::tile;

/// Global memory of any strides, the last of which is 1.
static MemRefType getGlobalType(RankedTensorType tensor) {
  SmallVector<int64_t> strides(tensor.getRank(), ShapedType::kDynamic);
  if (!strides.empty())
    strides.back() = 1;
  auto layout = StridedLayoutAttr::get(tensor.getContext(),
                                       ShapedType::kDynamic, strides);
  return MemRefType::get(tensor.getShape(), tensor.getElementType(), layout);
}

namespace {

/// Maps one function.
class KernelBuilder {
public:
  KernelBuilder(func::FuncOp function, OpBuilder &builder, bool elementwise)
      : function(function), builder(builder), elementwise(elementwise) {}

  LogicalResult build();

private:
  /// Sizes of arguments are unknown or positive.
  LogicalResult checkSizes();
  LogicalResult findForall();
  /// Creates the kernel; its parameters stand for arguments and results.
  LogicalResult createKernel();
  LogicalResult describeGrid(gpu::GPUFuncOp kernel);
  FailureOr<DictionaryAttr> describeFactor(OpFoldResult bound);

  LogicalResult mapOp(Operation *op);
  LogicalResult mapForall();
  LogicalResult mapFor(scf::ForOp loop);
  LogicalResult mapSlice(tensor::ExtractSliceOp slice);
  LogicalResult mapPad(tensor::PadOp pad);
  LogicalResult mapInsert(tensor::ParallelInsertSliceOp insert);
  LogicalResult mapBlock(Block &block);

  bool isGlobal(Value tensor) {
    return isa_and_present<MemRefType>(
        mapping.lookupOrDefault(tensor).getType());
  }
  /// The part of global memory that a slice names, without the dimensions of
  /// size 1 in `tileShape`.
  Value createSubview(Location loc, Value global,
                      OffsetSizeAndStrideOpInterface slice,
                      ArrayRef<int64_t> tileShape);
  SmallVector<OpFoldResult> remap(ArrayRef<OpFoldResult> values);

  func::FuncOp function;
  OpBuilder &builder;
  bool elementwise;
  scf::ForallOp forall;
  IRMapping mapping;
  /// The destination that each result of the forall is written to.
  SmallVector<Value> destinations;
};

} // namespace

LogicalResult KernelBuilder::checkSizes() {
  for (BlockArgument argument : function.getArguments()) {
    auto type = dyn_cast<ShapedType>(argument.getType());
    if (type && type.hasRank() && llvm::is_contained(type.getShape(), 0))
      return function.emitError("expects static sizes of at least 1 to compile "
                                "for a GPU, but argument ")
             << argument.getArgNumber() << " of function '"
             << function.getSymName() << "' is " << type
             << "; a dynamic size may be 0";
  }
  return success();
}

LogicalResult KernelBuilder::findForall() {
  for (auto found : function.getOps<scf::ForallOp>()) {
    if (forall)
      return found.emitError("a GPU kernel computes one attention, but this is "
                             "the second of function '")
             << function.getSymName() << "'; split the function";
    forall = found;
  }
  if (!forall)
    return function.emitError("expects attention to compile for a GPU, but "
                              "function '")
           << function.getSymName() << "' has none";
  if (!forall.isNormalized())
    return forall.emitError("expects a normalized scf.forall");
  return success();
}

//===----------------------------------------------------------------------===//
// The frame
//===----------------------------------------------------------------------===//

/// What is left when reshapes are looked through.
static Value skipReshapes(Value value) {
  while (Operation *op = value.getDefiningOp()) {
    if (!isa<tensor::ExpandShapeOp, tensor::CollapseShapeOp>(op))
      break;
    value = op->getOperand(0);
  }
  return value;
}

LogicalResult KernelBuilder::createKernel() {
  auto results = cast<func::ReturnOp>(function.getBody().back().back());
  SmallVector<Type> types;
  SmallVector<Value> sources;
  for (BlockArgument argument : function.getArguments()) {
    auto tensor = dyn_cast<RankedTensorType>(argument.getType());
    if (!tensor)
      return function.emitError("expects ranked tensors as arguments of a GPU "
                                "entry, but got ")
             << argument.getType();
    types.push_back(getGlobalType(tensor));
    sources.push_back(argument);
  }
  // Where each result of the forall goes: to the argument that is its
  // destination, or to a parameter of its own.
  SmallVector<std::pair<unsigned, unsigned>> outputs; // parameter, result
  for (auto [i, result] : llvm::enumerate(results.getOperands())) {
    auto source = dyn_cast<OpResult>(skipReshapes(result));
    if (!source || source.getOwner() != forall)
      return results.emitError("expects a result of attention in function '")
             << function.getSymName() << "', but result " << i
             << " is computed otherwise; a GPU kernel computes attention only";
    Value init = forall.getOutputs()[source.getResultNumber()];
    Value root = skipReshapes(init);
    if (auto argument = dyn_cast<BlockArgument>(root)) {
      outputs.emplace_back(argument.getArgNumber(), i);
      continue;
    }
    outputs.emplace_back(types.size(), i);
    types.push_back(getGlobalType(cast<RankedTensorType>(result.getType())));
    sources.push_back(root);
  }
  if (outputs.size() != forall.getNumResults())
    return results.emitError("expects each result of attention to be returned "
                             "once");

  Location loc = function.getLoc();
  auto kernel = gpu::GPUFuncOp::create(
      builder, loc, function.getSymName(),
      FunctionType::get(builder.getContext(), types, {}));
  kernel->setAttr(gpu::GPUDialect::getKernelFuncAttrName(),
                  builder.getUnitAttr());
  for (unsigned i = 0; i < types.size(); ++i) {
    mapping.map(sources[i], kernel.getArgument(i));
    kernel.setArgAttr(i, attr::access, builder.getStringAttr("read"));
  }
  for (auto [parameter, result] : outputs) {
    kernel.setArgAttr(parameter, attr::access, builder.getStringAttr("write"));
    kernel.setArgAttr(parameter, attr::result,
                      builder.getI64IntegerAttr(result));
  }
  if (auto schedule =
          forall->getAttrOfType<ScheduleAttr>(ScheduleAttr::getTileAttrName());
      schedule && schedule.getWarps()) {
    kernel->setAttr(attr::warps,
                    builder.getI64IntegerAttr(*schedule.getWarps()));
    kernel->setAttr(attr::stages,
                    builder.getI64IntegerAttr(*schedule.getStages()));
    if (schedule.getTeams() && elementwise)
      return results.emitError("expects a schedule without teams, whose copies "
                               "move boxes, for a kernel of element-wise "
                               "copies");
    if (schedule.getTeams())
      kernel->setAttr(attr::teams,
                      builder.getI64IntegerAttr(*schedule.getTeams()));
    if (schedule.getOrder())
      kernel->setAttr(attr::order, schedule.getOrder());
    if (schedule.getCluster())
      kernel->setAttr(attr::cluster,
                      builder.getI64IntegerAttr(*schedule.getCluster()));
  }
  if (elementwise)
    kernel->setAttr(attr::elementwise, builder.getUnitAttr());
  if (failed(describeGrid(kernel)))
    return failure();
  builder.setInsertionPointToEnd(&kernel.getBody().front());
  return success();
}

/// A factor is a constant, a size of a parameter, or the number of tiles in
/// such a size.
FailureOr<DictionaryAttr> KernelBuilder::describeFactor(OpFoldResult bound) {
  auto entry = [&](StringRef name, int64_t value) {
    return builder.getNamedAttr(name, builder.getI64IntegerAttr(value));
  };
  if (std::optional<int64_t> constant = getConstantIntValue(bound))
    return builder.getDictionaryAttr(entry("constant", *constant));
  Value value = cast<Value>(bound);
  int64_t tile = 1;
  if (auto apply = value.getDefiningOp<affine::AffineApplyOp>()) {
    auto binary =
        dyn_cast<AffineBinaryOpExpr>(apply.getAffineMap().getResult(0));
    auto divisor = binary ? dyn_cast<AffineConstantExpr>(binary.getRHS())
                          : AffineConstantExpr();
    if (!divisor || binary.getKind() != AffineExprKind::CeilDiv ||
        apply.getNumOperands() != 1)
      return failure();
    tile = divisor.getValue();
    value = apply.getOperand(0);
  }
  auto dim = value.getDefiningOp<tensor::DimOp>();
  std::optional<int64_t> index = dim ? dim.getConstantIndex() : std::nullopt;
  if (!index)
    return failure();
  Value source = dim.getSource();
  while (auto expand = source.getDefiningOp<tensor::ExpandShapeOp>()) {
    auto groups = expand.getReassociationIndices();
    auto group = llvm::find_if(groups, [&](ArrayRef<int64_t> dims) {
      return llvm::is_contained(dims, *index);
    });
    if (group == groups.end() || group->size() != 1)
      return failure();
    index = group - groups.begin();
    source = expand.getSrc();
  }
  auto parameter =
      dyn_cast_or_null<BlockArgument>(mapping.lookupOrNull(source));
  if (!parameter)
    return failure();
  return builder.getDictionaryAttr({entry("argument", parameter.getArgNumber()),
                                    entry("dim", *index), entry("tile", tile)});
}

LogicalResult KernelBuilder::describeGrid(gpu::GPUFuncOp kernel) {
  SmallVector<Attribute> factors;
  for (OpFoldResult bound : forall.getMixedUpperBound()) {
    FailureOr<DictionaryAttr> factor = describeFactor(bound);
    if (failed(factor))
      return forall.emitError("expects grid sizes that are sizes of arguments, "
                              "or their number of tiles");
    factors.push_back(*factor);
  }
  kernel->setAttr(attr::grid, builder.getArrayAttr(factors));
  return success();
}

LogicalResult KernelBuilder::build() {
  OpBuilder::InsertionGuard guard(builder);
  if (failed(checkSizes()) || failed(findForall()) || failed(createKernel()))
    return failure();
  for (Operation &op : function.getBody().front()) {
    if (&op == forall) {
      if (failed(mapForall()))
        return failure();
      break;
    }
    if (failed(mapOp(&op)))
      return failure();
  }
  gpu::ReturnOp::create(builder, function.getLoc());
  return success();
}

LogicalResult KernelBuilder::mapForall() {
  Location loc = forall.getLoc();
  SmallVector<OpFoldResult> bounds = remap(forall.getMixedUpperBound());
  SmallVector<Value> sizes;
  for (OpFoldResult bound : bounds)
    sizes.push_back(getValueOrCreateConstantIndexOp(builder, loc, bound));
  mapping.map(forall.getInductionVars(),
              CoordinatesOp::create(builder, loc, sizes).getCoordinates());

  for (auto [argument, output] :
       llvm::zip_equal(forall.getRegionIterArgs(), forall.getOutputs()))
    mapping.map(argument, mapping.lookup(output));
  if (failed(mapBlock(*forall.getBody())))
    return failure();
  for (Operation &op : forall.getTerminator().getYieldingOps()) {
    auto insert = dyn_cast<tensor::ParallelInsertSliceOp>(op);
    if (!insert)
      return op.emitError("expects tensor.parallel_insert_slice");
    if (failed(mapInsert(insert)))
      return failure();
  }
  return success();
}

LogicalResult KernelBuilder::mapBlock(Block &block) {
  for (Operation &op : block.without_terminator())
    if (failed(mapOp(&op)))
      return failure();
  return success();
}

//===----------------------------------------------------------------------===//
// Ops on tensors
//===----------------------------------------------------------------------===//

LogicalResult KernelBuilder::mapOp(Operation *op) {
  Location loc = op->getLoc();
  if (auto generic = dyn_cast<linalg::GenericOp>(op))
    return mapGeneric(generic, builder, mapping);
  if (auto fill = dyn_cast<linalg::FillOp>(op)) {
    mapping.map(fill.getResult(0),
                createSplat(builder, loc, mapping.lookupOrDefault(fill.value()),
                            getTileType(fill.getResult(0).getType())));
    return success();
  }
  if (auto loop = dyn_cast<scf::ForOp>(op))
    return mapFor(loop);
  if (auto slice = dyn_cast<tensor::ExtractSliceOp>(op))
    return mapSlice(slice);
  if (auto pad = dyn_cast<tensor::PadOp>(op))
    return mapPad(pad);
  if (isa<tensor::EmptyOp>(op)) {
    // Outside of the forall, a result's memory.
    return success();
  }
  if (auto expand = dyn_cast<tensor::ExpandShapeOp>(op)) {
    Value source = mapping.lookup(expand.getSrc());
    SmallVector<OpFoldResult> shape = remap(getMixedValues(
        expand.getStaticOutputShape(), expand.getOutputShape(), builder));
    mapping.map(expand.getResult(),
                memref::ExpandShapeOp::create(
                    builder, loc, expand.getResultType().getShape(), source,
                    expand.getReassociationIndices(), shape)
                    .getResult());
    return success();
  }
  if (auto dim = dyn_cast<tensor::DimOp>(op)) {
    // The size of a result's memory is that of the parameter.
    mapping.map(dim.getResult(),
                memref::DimOp::create(builder, loc,
                                      mapping.lookup(dim.getSource()),
                                      mapping.lookup(dim.getIndex()))
                    .getResult());
    return success();
  }
  if (isa<affine::AffineDialect, arith::ArithDialect, math::MathDialect>(
          op->getDialect()) &&
      op->getNumRegions() == 0) {
    builder.clone(*op, mapping);
    return success();
  }
  return op->emitError("a GPU kernel computes attention only, but function '")
         << function.getSymName() << "' contains " << op->getName()
         << "; compile it for a CPU target, or move it out of the function";
}

LogicalResult KernelBuilder::mapFor(scf::ForOp loop) {
  SmallVector<Value> inits;
  for (Value init : loop.getInitArgs())
    inits.push_back(mapping.lookup(init));
  auto mapped = scf::ForOp::create(
      builder, loop.getLoc(), mapping.lookupOrDefault(loop.getLowerBound()),
      mapping.lookupOrDefault(loop.getUpperBound()),
      mapping.lookupOrDefault(loop.getStep()), inits);
  mapping.map(loop.getInductionVar(), mapped.getInductionVar());
  mapping.map(loop.getRegionIterArgs(), mapped.getRegionIterArgs());
  mapping.map(loop.getResults(), mapped.getResults());
  OpBuilder::InsertionGuard guard(builder);
  // With no carried values the builder has added a terminator.
  if (inits.empty())
    builder.setInsertionPoint(mapped.getBody()->getTerminator());
  else
    builder.setInsertionPointToEnd(mapped.getBody());
  if (failed(mapBlock(*loop.getBody())))
    return failure();
  if (inits.empty())
    return success();
  SmallVector<Value> yielded;
  for (Value value : loop.getBody()->getTerminator()->getOperands())
    yielded.push_back(mapping.lookup(value));
  scf::YieldOp::create(builder, loop.getLoc(), yielded);
  return success();
}

SmallVector<OpFoldResult> KernelBuilder::remap(ArrayRef<OpFoldResult> values) {
  SmallVector<OpFoldResult> result(values);
  for (OpFoldResult &value : result)
    if (auto dynamic = dyn_cast<Value>(value))
      value = mapping.lookupOrDefault(dynamic);
  return result;
}

/// The shape of a tile with the dimensions of size 1 that its slice drops.
static SmallVector<int64_t> getFullShape(ArrayRef<int64_t> shape,
                                         const llvm::SmallBitVector &dropped) {
  SmallVector<int64_t> full;
  for (unsigned dim = 0; dim < dropped.size(); ++dim) {
    full.push_back(dropped.test(dim) ? 1 : shape.front());
    if (!dropped.test(dim))
      shape = shape.drop_front();
  }
  return full;
}

Value KernelBuilder::createSubview(Location loc, Value global,
                                   OffsetSizeAndStrideOpInterface slice,
                                   ArrayRef<int64_t> tileShape) {
  SmallVector<OpFoldResult> offsets = remap(slice.getMixedOffsets()),
                            sizes = remap(slice.getMixedSizes()),
                            strides = remap(slice.getMixedStrides());
  SmallVector<int64_t> shape;
  for (auto [size, tile] : llvm::zip_equal(sizes, tileShape))
    if (tile != 1)
      shape.push_back(getConstantIntValue(size).value_or(ShapedType::kDynamic));
  auto type = memref::SubViewOp::inferRankReducedResultType(
      shape, cast<MemRefType>(global.getType()), offsets, sizes, strides);
  return memref::SubViewOp::create(builder, loc, type, global, offsets, sizes,
                                   strides);
}

/// Whether a slice only cuts off what lies beyond the valid extent, before it
/// is inserted in the result.
static bool isCutBeforeInsertion(tensor::ExtractSliceOp slice) {
  return !slice->use_empty() &&
         llvm::all_of(slice->getUsers(), [](Operation *user) {
           return isa<tensor::ParallelInsertSliceOp>(user);
         });
}

LogicalResult KernelBuilder::mapSlice(tensor::ExtractSliceOp slice) {
  Location loc = slice.getLoc();
  RankedTensorType type = slice.getType();
  if (isGlobal(slice.getSource())) {
    // A slice that is padded becomes a load with the pad.
    if (llvm::all_of(slice->getUsers(),
                     [](Operation *user) { return isa<tensor::PadOp>(user); }))
      return success();
    if (!type.hasStaticShape())
      return slice.emitError("expects a slice of static size or a pad");
    Value view =
        createSubview(loc, mapping.lookup(slice.getSource()), slice,
                      getFullShape(type.getShape(), slice.getDroppedDims()));
    mapping.map(slice.getResult(),
                LoadOp::create(builder, loc, getTileType(type), view));
    return success();
  }
  Value tile = mapping.lookup(slice.getSource());
  if (isCutBeforeInsertion(slice)) {
    mapping.map(slice.getResult(), tile);
    return success();
  }
  // One index of a dimension is picked; unit dimensions are not there.
  int64_t dim = 0;
  for (auto [i, size] : llvm::enumerate(slice.getSourceType().getShape())) {
    if (size == 1)
      continue;
    std::optional<int64_t> taken =
                               getConstantIntValue(slice.getMixedSizes()[i]),
                           offset =
                               getConstantIntValue(slice.getMixedOffsets()[i]);
    if (taken == size) {
      ++dim;
      continue;
    }
    if (taken != 1 || !offset)
      return slice.emitError("expects a slice of one index of a tile");
    auto source = cast<RankedTensorType>(tile.getType());
    SmallVector<int64_t> shape(source.getShape());
    shape.erase(shape.begin() + dim);
    tile = tile::SelectOp::create(builder, loc, source.clone(shape), tile,
                                  *offset, dim);
  }
  mapping.map(slice.getResult(), tile);
  return success();
}

LogicalResult KernelBuilder::mapPad(tensor::PadOp pad) {
  auto slice = pad.getSource().getDefiningOp<tensor::ExtractSliceOp>();
  Value fill = pad.getConstantPaddingValue();
  if (!slice || !isGlobal(slice.getSource()) || !fill ||
      !matchPattern(fill, m_AnyZeroFloat()) || !pad.hasZeroLowPad() ||
      !pad.getResultType().hasStaticShape())
    return pad.emitError("expects a slice of an argument, padded with zeros at "
                         "its end to a static size");
  Value view = createSubview(
      pad.getLoc(), mapping.lookup(slice.getSource()), slice,
      getFullShape(pad.getResultType().getShape(), slice.getDroppedDims()));
  mapping.map(pad.getResult(),
              LoadOp::create(builder, pad.getLoc(),
                             getTileType(pad.getResultType()), view));
  return success();
}

LogicalResult KernelBuilder::mapInsert(tensor::ParallelInsertSliceOp insert) {
  Value source = insert.getSource();
  Value tile = mapping.lookup(source);
  if (auto cut = source.getDefiningOp<tensor::ExtractSliceOp>())
    source = cut.getSource();
  Value view = createSubview(
      insert.getLoc(), mapping.lookup(insert.getDest()), insert,
      getFullShape(cast<RankedTensorType>(source.getType()).getShape(),
                   insert.getDroppedDims()));
  StoreOp::create(builder, insert.getLoc(), tile, view);
  return success();
}

//===----------------------------------------------------------------------===//
// The pass
//===----------------------------------------------------------------------===//

namespace {
struct LinalgToTilePass : tile::impl::LinalgToTilePassBase<LinalgToTilePass> {
  using LinalgToTilePassBase::LinalgToTilePassBase;

  void runOnOperation() override {
    ModuleOp module = getOperation();
    OpBuilder builder = OpBuilder::atBlockEnd(module.getBody());
    auto functions = llvm::to_vector(module.getOps<func::FuncOp>());
    if (functions.empty())
      return;
    auto kernels =
        gpu::GPUModuleOp::create(builder, module.getLoc(), "kernels");
    for (func::FuncOp function : functions) {
      builder.setInsertionPointToEnd(kernels.getBody());
      if (failed(KernelBuilder(function, builder, elementwise).build()))
        return signalPassFailure();
      function.erase();
    }
  }
};
} // namespace
