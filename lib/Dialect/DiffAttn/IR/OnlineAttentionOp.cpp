//===- OnlineAttentionOp.cpp - diffattn.online_attention ------------------===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Verifier and shape queries of the online form. Its tiling is in
// OnlineAttentionTiling.cpp, its meaning as linalg in TileDecomposition.cpp.
//
//===----------------------------------------------------------------------===//

#include "MappedOps.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace mlir::diffattn;

SmallVector<MappedOperand>
mlir::diffattn::getMappedOperands(OnlineAttentionOp op) {
  using Op = OnlineAttentionOp;
  return {{"query", op.getQuery(), {Op::B, Op::M, Op::H, Op::P, Op::R, Op::D}},
          {"key", op.getKey(), {Op::B, Op::K, Op::H, Op::D}},
          {"value", op.getValue(), {Op::B, Op::K, Op::H, Op::N}},
          {"acc", op.getAcc(), {Op::B, Op::M, Op::H, Op::P, Op::R, Op::N}},
          {"max", op.getMax(), {Op::B, Op::M, Op::H, Op::P, Op::R}},
          {"sum", op.getSum(), {Op::B, Op::M, Op::H, Op::P, Op::R}}};
}

MutableOperandRange OnlineAttentionOp::getDpsInitsMutable() {
  return MutableOperandRange(*this, getAccMutable().getOperandNumber(), 3);
}

SmallVector<AffineMap> OnlineAttentionOp::getMaps() {
  return llvm::to_vector(getIndexingMaps().getAsValueRange<AffineMapAttr>());
}

MaskAttr OnlineAttentionOp::getEffectiveMask() {
  return getMask().value_or(MaskAttr::getNone(getContext()));
}

ArrayAttr OnlineAttentionOp::getDefaultMaps(Builder &b) {
  MLIRContext *context = b.getContext();
  auto map = [&](ArrayRef<unsigned> dims) {
    return getOrderedMap(context, NumDims, dims);
  };
  return b.getAffineMapArrayAttr({map({B, M, H, P, R, D}), map({B, K, H, D}),
                                  map({B, K, H, N}), map({B, M, H, P, R, N}),
                                  map({B, M, H, P, R}), map({B, M, H, P, R})});
}

OpFoldResult OnlineAttentionOp::getDimSize(OpBuilder &b, Dim dim) {
  return getMappedDimSize(b, getLoc(), getMappedOperands(*this), getMaps(),
                          dim);
}

int64_t OnlineAttentionOp::getStaticDimSize(Dim dim) {
  for (auto [operand, map] :
       llvm::zip_equal(getMappedOperands(*this), getMaps()))
    if (std::optional<unsigned> position =
            map.getResultPosition(getAffineDimExpr(dim, getContext())))
      if (int64_t size = cast<RankedTensorType>(operand.value.getType())
                             .getDimSize(*position);
          !ShapedType::isDynamic(size))
        return size;
  return ShapedType::kDynamic;
}

LogicalResult OnlineAttentionOp::inferReturnTypes(
    MLIRContext *, std::optional<Location>, ValueRange operands,
    DictionaryAttr attributes, OpaqueProperties properties, RegionRange regions,
    SmallVectorImpl<Type> &types) {
  Adaptor adaptor(operands, attributes, *properties.as<Properties *>(),
                  regions);
  types.assign({adaptor.getAcc().getType(), adaptor.getMax().getType(),
                adaptor.getSum().getType()});
  return success();
}

LogicalResult
OnlineAttentionOp::reifyResultShapes(OpBuilder &b,
                                     ReifiedRankedShapedTypeDims &shapes) {
  for (Value init : getDpsInits())
    shapes.push_back(tensor::getMixedSizes(b, getLoc(), init));
  return success();
}

LogicalResult OnlineAttentionOp::verify() {
  Type element = getQuery().getType().getElementType();
  if (!isSupportedFloat(element))
    return emitOpError()
           << "expects query (C1) to hold f16, bf16 or f32, but got "
           << element;
  for (auto [name, value] :
       {std::pair<StringRef, Value>("key", getKey()), {"value", getValue()}})
    if (getElementTypeOrSelf(value) != element)
      return emitOpError() << "expects " << name << " (C1) to hold query's "
                           << element << ", but got "
                           << getElementTypeOrSelf(value);
  for (auto [name, value] : {std::pair<StringRef, Value>("acc", getAcc()),
                             {"max", getMax()},
                             {"sum", getSum()}})
    if (!getElementTypeOrSelf(value).isF32())
      return emitOpError() << "expects " << name
                           << " (C1) to hold f32, but got "
                           << getElementTypeOrSelf(value);
  static constexpr StringRef dimNames[] = {"batch",  "KV head",   "pair",
                                           "branch", "query row", "key",
                                           "head",   "value"};
  if (failed(verifyMappedOperands(*this, getMappedOperands(*this),
                                  getIndexingMaps(), NumDims, dimNames, "C2",
                                  "C3")))
    return failure();
  if (failed(verifyPositive(*this, "C4", "scale", getScaleAttr())))
    return failure();
  return verifyPositive(*this, "C4", "softcap", getSoftcapAttr());
}
