//===- FuseRearrange.cpp - Reshape and transpose by layout ----------------===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "FuseRearrange.h"

#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace mlir::diffattn;

/// Whether `second` directly follows `first` within one dimension of `layout`.
static bool areAdjacent(const Layout &layout, unsigned first, unsigned second) {
  return llvm::any_of(layout, [&](const Digits &digits) {
    const unsigned *it = llvm::find(digits, first);
    return it != digits.end() && std::next(it) != digits.end() &&
           *std::next(it) == second;
  });
}

/// Runs of variables that stay together in both layouts, as one piece each.
/// Pieces are named by their most significant variable.
static Layout mergeRuns(const Layout &layout, const Layout &other) {
  Layout merged;
  for (const Digits &digits : layout) {
    Digits &pieces = merged.emplace_back();
    for (auto [i, var] : llvm::enumerate(digits))
      if (i == 0 || !areAdjacent(other, digits[i - 1], var))
        pieces.push_back(var);
  }
  return merged;
}

/// The reassociation between `layout` and one dimension per piece.
static SmallVector<ReassociationIndices>
getReassociation(const Layout &layout) {
  SmallVector<ReassociationIndices> groups;
  int64_t next = 0;
  for (const Digits &digits : layout) {
    ReassociationIndices &group = groups.emplace_back();
    for (unsigned i = 0; i < digits.size(); ++i)
      group.push_back(next++);
  }
  return groups;
}

namespace {
struct Rearranger {
  OpBuilder &b;
  Location loc;
  const IndexVars &vars;
  Layout from, to; ///< merged

  /// The extent of each piece, by name.
  DenseMap<unsigned, int64_t> extents;
  DenseMap<unsigned, OpFoldResult> sizes;

  void computeSizes(Value tensor, const Layout &original);
  Rearranger(OpBuilder &b, Location loc, const IndexVars &vars, Layout from,
             Layout to)
      : b(b), loc(loc), vars(vars), from(std::move(from)), to(std::move(to)) {}
  Value dropUnits(Value tensor, Layout &layout);
  Value expand(Value tensor);
  Value transpose(Value tensor);
  Value collapse(Value tensor);
  Value addUnits(Value tensor);
};
} // namespace

void Rearranger::computeSizes(Value tensor, const Layout &original) {
  for (auto [dim, pieces] : llvm::enumerate(from)) {
    // A piece is a run of variables, of which only the first may be dynamic.
    unsigned piece = 0;
    for (unsigned var : original[dim]) {
      if (llvm::is_contained(pieces, var)) {
        piece = var;
        extents[piece] = vars.getExtent(var);
      } else if (!ShapedType::isDynamic(extents[piece])) {
        extents[piece] *= vars.getExtent(var);
      }
    }
    int64_t inner = 1;
    for (unsigned piece : pieces)
      if (!ShapedType::isDynamic(extents[piece]))
        inner *= extents[piece];
    for (unsigned piece : pieces) {
      if (!ShapedType::isDynamic(extents[piece])) {
        sizes[piece] = b.getIndexAttr(extents[piece]);
        continue;
      }
      OpFoldResult size = tensor::getMixedSize(b, loc, tensor, dim);
      if (inner != 1) {
        Value divisor = arith::ConstantIndexOp::create(b, loc, inner);
        size =
            arith::DivUIOp::create(
                b, loc, getValueOrCreateConstantIndexOp(b, loc, size), divisor)
                .getResult();
      }
      sizes[piece] = size;
    }
  }
}

/// Reassociation of `layout` (with unit dimensions) to the same without them:
/// a unit dimension joins the next group, or the last one.
static SmallVector<ReassociationIndices>
getUnitReassociation(const Layout &layout) {
  SmallVector<ReassociationIndices> groups;
  ReassociationIndices pending;
  for (auto [dim, digits] : llvm::enumerate(layout)) {
    pending.push_back(dim);
    if (digits.empty())
      continue;
    groups.push_back(pending);
    pending.clear();
  }
  if (!groups.empty())
    llvm::append_range(groups.back(), pending);
  return groups;
}

static Layout withoutUnits(const Layout &layout) {
  Layout result;
  for (const Digits &digits : layout)
    if (!digits.empty())
      result.push_back(digits);
  return result;
}

Value Rearranger::dropUnits(Value tensor, Layout &layout) {
  if (!llvm::any_of(layout, [](auto &digits) { return digits.empty(); }))
    return tensor;
  tensor = tensor::CollapseShapeOp::create(b, loc, tensor,
                                           getUnitReassociation(layout));
  layout = withoutUnits(layout);
  return tensor;
}

Value Rearranger::expand(Value tensor) {
  if (llvm::all_of(from, [](auto &pieces) { return pieces.size() == 1; }))
    return tensor;
  SmallVector<int64_t> shape;
  SmallVector<OpFoldResult> mixed;
  for (const Digits &pieces : from)
    for (unsigned piece : pieces) {
      shape.push_back(extents[piece]);
      mixed.push_back(sizes[piece]);
    }
  auto type = cast<RankedTensorType>(tensor.getType()).clone(shape);
  return tensor::ExpandShapeOp::create(b, loc, type, tensor,
                                       getReassociation(from), mixed);
}

Value Rearranger::transpose(Value tensor) {
  SmallVector<unsigned> source, target;
  for (const Digits &pieces : from)
    llvm::append_range(source, pieces);
  for (const Digits &pieces : to)
    llvm::append_range(target, pieces);
  if (source == target)
    return tensor;
  SmallVector<int64_t> permutation;
  SmallVector<OpFoldResult> mixed;
  for (unsigned piece : target) {
    permutation.push_back(
        std::distance(source.begin(), llvm::find(source, piece)));
    mixed.push_back(sizes[piece]);
  }
  Type element = getElementTypeOrSelf(tensor.getType());
  Value init = tensor::EmptyOp::create(b, loc, mixed, element);
  return linalg::TransposeOp::create(b, loc, tensor, init, permutation)
      .getResult()[0];
}

Value Rearranger::collapse(Value tensor) {
  Layout groups = withoutUnits(to);
  if (llvm::all_of(groups, [](auto &pieces) { return pieces.size() == 1; }))
    return tensor;
  return tensor::CollapseShapeOp::create(b, loc, tensor,
                                         getReassociation(groups));
}

Value Rearranger::addUnits(Value tensor) {
  if (!llvm::any_of(to, [](auto &digits) { return digits.empty(); }))
    return tensor;
  auto type = cast<RankedTensorType>(tensor.getType());
  SmallVector<int64_t> shape;
  SmallVector<OpFoldResult> mixed;
  unsigned next = 0;
  for (const Digits &digits : to) {
    if (digits.empty()) {
      shape.push_back(1);
      mixed.push_back(b.getIndexAttr(1));
      continue;
    }
    shape.push_back(type.getDimSize(next));
    mixed.push_back(tensor::getMixedSize(b, loc, tensor, next));
    ++next;
  }
  return tensor::ExpandShapeOp::create(b, loc, type.clone(shape), tensor,
                                       getUnitReassociation(to), mixed);
}

Value mlir::diffattn::rearrange(OpBuilder &b, Location loc,
                                const IndexVars &vars, Value tensor,
                                const Layout &from, const Layout &to) {
  if (from == to)
    return tensor;
  Rearranger r(b, loc, vars, mergeRuns(from, to), mergeRuns(to, from));
  r.computeSizes(tensor, from);
  tensor = r.dropUnits(tensor, r.from);
  tensor = r.expand(tensor);
  tensor = r.transpose(tensor);
  tensor = r.collapse(tensor);
  return r.addUnits(tensor);
}
