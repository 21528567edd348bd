//===- FinalizeOp.cpp - diffattn.finalize ---------------------------------===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Verifier, shape queries and tiling of the epilogue.
//
//===----------------------------------------------------------------------===//

#include "MappedOps.h"

#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace mlir::diffattn;

SmallVector<MappedOperand> mlir::diffattn::getMappedOperands(FinalizeOp op) {
  using Op = FinalizeOp;
  SmallVector<unsigned> rows = {Op::B, Op::H, Op::P, Op::M};
  SmallVector<unsigned> branches = {Op::B, Op::H, Op::P, Op::R, Op::M};
  SmallVector<unsigned> accs = {Op::B, Op::H, Op::P, Op::R, Op::M, Op::N};
  SmallVector<unsigned> outputs = {Op::B, Op::H, Op::P, Op::M, Op::N};
  return {{"acc", op.getAcc(), accs},
          {"max", op.getMax(), branches},
          {"sum", op.getSum(), branches},
          {"lambda", op.getLambda(), rows},
          {"output", op.getOutputInit(), outputs},
          {"lse", op.getLseInit(), branches},
          {"noise", op.getNoiseInit(), outputs}};
}

MutableOperandRange FinalizeOp::getDpsInitsMutable() {
  unsigned first = getOutputInitMutable().getOperandNumber();
  unsigned count = 1 + (getLseInit() ? 1 : 0) + (getNoiseInit() ? 1 : 0);
  return MutableOperandRange(*this, first, count);
}

SmallVector<AffineMap> FinalizeOp::getMaps() {
  return llvm::to_vector(getIndexingMaps().getAsValueRange<AffineMapAttr>());
}

MaskAttr FinalizeOp::getEffectiveMask() {
  return getMask().value_or(MaskAttr::getNone(getContext()));
}

Value FinalizeOp::getMappedOperand(Operand operand) {
  return getMappedOperands(*this)[operand].value;
}

ArrayAttr FinalizeOp::getDefaultMaps(Builder &b) {
  MLIRContext *context = b.getContext();
  auto map = [&](ArrayRef<unsigned> dims) {
    return getOrderedMap(context, NumDims, dims);
  };
  return b.getAffineMapArrayAttr({map({B, M, H, P, R, N}), map({B, M, H, P, R}),
                                  map({B, M, H, P, R}), map({B, M, H, P}),
                                  map({B, M, H, P, N}), map({B, H, P, R, M}),
                                  map({B, M, H, P, N})});
}

OpFoldResult FinalizeOp::getDimSize(OpBuilder &b, Dim dim) {
  return getMappedDimSize(b, getLoc(), getMappedOperands(*this), getMaps(),
                          dim);
}

LogicalResult
FinalizeOp::inferReturnTypes(MLIRContext *, std::optional<Location>,
                             ValueRange operands, DictionaryAttr attributes,
                             OpaqueProperties properties, RegionRange regions,
                             SmallVectorImpl<Type> &types) {
  Adaptor adaptor(operands, attributes, *properties.as<Properties *>(),
                  regions);
  for (Value init :
       {adaptor.getOutputInit(), adaptor.getLseInit(), adaptor.getNoiseInit()})
    if (init)
      types.push_back(init.getType());
  return success();
}

LogicalResult
FinalizeOp::reifyResultShapes(OpBuilder &b,
                              ReifiedRankedShapedTypeDims &shapes) {
  for (Value init : getDpsInits())
    shapes.push_back(tensor::getMixedSizes(b, getLoc(), init));
  return success();
}

LogicalResult FinalizeOp::verify() {
  for (const MappedOperand &operand : getMappedOperands(*this)) {
    if (!operand.value)
      continue;
    Type element = getElementTypeOrSelf(operand.value);
    bool f32Only = operand.name == "acc" || operand.name == "max" ||
                   operand.name == "sum" || operand.name == "lse";
    if (f32Only ? !element.isF32() : !isSupportedFloat(element))
      return emitOpError() << "expects " << operand.name << " (C1) to hold "
                           << (f32Only ? "f32" : "f16, bf16 or f32")
                           << ", but got " << element;
  }
  static constexpr StringRef dimNames[] = {"batch",  "KV head",   "pair",
                                           "branch", "query row", "value"};
  if (failed(verifyMappedOperands(*this, getMappedOperands(*this),
                                  getIndexingMaps(), NumDims, dimNames, "C2",
                                  "C3")))
    return failure();
  AffineMap accMap = getMap(Acc);
  int64_t branches = getAcc().getType().getDimSize(
      *accMap.getResultPosition(getAffineDimExpr(R, getContext())));
  int64_t expected = getLambda() ? 2 : 1;
  if (branches != expected)
    return emitOpError() << "expects acc's branch dimension (C4) to be "
                         << expected << (getLambda() ? " with" : " without")
                         << " lambda, but got " << getAcc().getType();
  if (getNoiseInit() && !getLambda())
    return emitOpError(
        "expects lambda where noise is asked for (C4): one branch "
        "has no noise");
  return success();
}

//===----------------------------------------------------------------------===//
// Tiling over batch, KV head, pair and query row
//===----------------------------------------------------------------------===//

static constexpr FinalizeOp::Dim tiledDims[] = {FinalizeOp::B, FinalizeOp::H,
                                                FinalizeOp::P, FinalizeOp::M};

SmallVector<utils::IteratorType> FinalizeOp::getLoopIteratorTypes() {
  return SmallVector<utils::IteratorType>(std::size(tiledDims),
                                          utils::IteratorType::parallel);
}

SmallVector<Range> FinalizeOp::getIterationDomain(OpBuilder &b) {
  SmallVector<Range> domain;
  for (Dim dim : tiledDims)
    domain.push_back(
        {b.getIndexAttr(0), getDimSize(b, dim), b.getIndexAttr(1)});
  return domain;
}

/// Spreads a tile over the tiled dimensions to all iteration dimensions.
static void getFullTile(FinalizeOp op, OpBuilder &b,
                        ArrayRef<OpFoldResult> offsets,
                        ArrayRef<OpFoldResult> sizes,
                        SmallVectorImpl<OpFoldResult> &fullOffsets,
                        SmallVectorImpl<OpFoldResult> &fullSizes) {
  for (unsigned dim = 0; dim < FinalizeOp::NumDims; ++dim) {
    fullOffsets.push_back(b.getIndexAttr(0));
    fullSizes.push_back(op.getDimSize(b, static_cast<FinalizeOp::Dim>(dim)));
  }
  for (auto [position, dim] : llvm::enumerate(tiledDims)) {
    fullOffsets[dim] = offsets[position];
    fullSizes[dim] = sizes[position];
  }
}

FailureOr<TilingResult>
FinalizeOp::getTiledImplementation(OpBuilder &b, ArrayRef<OpFoldResult> offsets,
                                   ArrayRef<OpFoldResult> sizes) {
  SmallVector<OpFoldResult> fullOffsets, fullSizes;
  getFullTile(*this, b, offsets, sizes, fullOffsets, fullSizes);
  SmallVector<Value> operands;
  SmallVector<Operation *> slices;
  SmallVector<Type> types;
  for (auto [operand, map] :
       llvm::zip_equal(getMappedOperands(*this), getMaps())) {
    if (!operand.value)
      continue;
    SmallVector<OpFoldResult> sliceOffsets, sliceSizes;
    getMappedSlice(map, fullOffsets, fullSizes, sliceOffsets, sliceSizes);
    operands.push_back(
        extractTile(b, getLoc(), operand.value, sliceOffsets, sliceSizes));
    slices.push_back(operands.back().getDefiningOp());
    if (operand.name == "output" || operand.name == "lse" ||
        operand.name == "noise")
      types.push_back(operands.back().getType());
  }
  OpFoldResult start = addOfr(b, getLoc(), getQueryStart(), fullOffsets[M]);
  operands.push_back(getValueOrCreateConstantIndexOp(b, getLoc(), start));
  operands.append({getQueryLength(), getKeyLength()});
  Operation *tiled = mlir::clone(b, getOperation(), types, operands);
  return TilingResult{{tiled}, SmallVector<Value>(tiled->getResults()), slices};
}

LogicalResult FinalizeOp::getResultTilePosition(
    OpBuilder &b, unsigned resultNumber, ArrayRef<OpFoldResult> offsets,
    ArrayRef<OpFoldResult> sizes, SmallVector<OpFoldResult> &resultOffsets,
    SmallVector<OpFoldResult> &resultSizes) {
  SmallVector<OpFoldResult> fullOffsets, fullSizes;
  getFullTile(*this, b, offsets, sizes, fullOffsets, fullSizes);
  getMappedSlice(
      getMaps()[Output + (resultNumber && !getLseInit() ? Noise - Output
                                                        : resultNumber)],
      fullOffsets, fullSizes, resultOffsets, resultSizes);
  return success();
}

LogicalResult FinalizeOp::getIterationDomainTileFromResultTile(
    OpBuilder &b, unsigned resultNumber, ArrayRef<OpFoldResult> offsets,
    ArrayRef<OpFoldResult> sizes, SmallVectorImpl<OpFoldResult> &domainOffsets,
    SmallVectorImpl<OpFoldResult> &domainSizes) {
  AffineMap map =
      getMaps()[Output + (resultNumber && !getLseInit() ? Noise - Output
                                                        : resultNumber)];
  // Only the four tiled dimensions are in the domain; the others are whole.
  SmallVector<Range> full;
  for (unsigned dim = 0; dim < NumDims; ++dim)
    full.push_back({b.getIndexAttr(0), getDimSize(b, static_cast<Dim>(dim)),
                    b.getIndexAttr(1)});
  SmallVector<OpFoldResult> fullOffsets, fullSizes;
  getIterationTileFromMapped(map, full, offsets, sizes, fullOffsets, fullSizes);
  for (Dim dim : tiledDims) {
    domainOffsets.push_back(fullOffsets[dim]);
    domainSizes.push_back(fullSizes[dim]);
  }
  return success();
}

FailureOr<TilingResult>
FinalizeOp::generateResultTileValue(OpBuilder &b, unsigned resultNumber,
                                    ArrayRef<OpFoldResult> offsets,
                                    ArrayRef<OpFoldResult> sizes) {
  return tileResult(*this, b, resultNumber, offsets, sizes);
}
