//===- DiffAttnDialect.cpp - Dialect and attributes -----------------------===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "diffattn/Dialect/DiffAttn/IR/DiffAttn.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/DialectImplementation.h"
#include "mlir/Transforms/InliningUtils.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace mlir::diffattn;

/// Each left out or given, in this order:
/// (`, order =` "name")? (`, cluster =` n)?
static ParseResult parseOfTeams(AsmParser &parser, StringAttr &order,
                                std::optional<int64_t> &cluster) {
  while (succeeded(parser.parseOptionalComma())) {
    if (!order && !cluster && succeeded(parser.parseOptionalKeyword("order"))) {
      if (parser.parseEqual() || parser.parseAttribute(order))
        return failure();
      continue;
    }
    if (cluster)
      return parser.emitError(parser.getCurrentLocation(), "expected '>'");
    if (parser.parseKeyword("cluster") || parser.parseEqual() ||
        parser.parseInteger(cluster.emplace()))
      return failure();
  }
  return success();
}

static void printOfTeams(AsmPrinter &printer, StringAttr order,
                         std::optional<int64_t> cluster) {
  if (order)
    printer << ", order = " << order;
  if (cluster)
    printer << ", cluster = " << *cluster;
}

#include "diffattn/Dialect/DiffAttn/IR/DiffAttnDialect.cpp.inc"

#define GET_ATTRDEF_CLASSES
#include "diffattn/Dialect/DiffAttn/IR/DiffAttnAttrs.cpp.inc"

namespace {
/// The ops are pure functions of their operands: they inline anywhere.
struct DiffAttnInlinerInterface : DialectInlinerInterface {
  using DialectInlinerInterface::DialectInlinerInterface;
  bool isLegalToInline(Operation *, Region *, bool, IRMapping &) const final {
    return true;
  }
};
} // namespace

void DiffAttnDialect::initialize() {
  addInterfaces<DiffAttnInlinerInterface>();
  addAttributes<
#define GET_ATTRDEF_LIST
#include "diffattn/Dialect/DiffAttn/IR/DiffAttnAttrs.cpp.inc"
      >();
  addOperations<
#define GET_OP_LIST
#include "diffattn/Dialect/DiffAttn/IR/DiffAttnOps.cpp.inc"
      >();
}

//===----------------------------------------------------------------------===//
// MaskAttr
//===----------------------------------------------------------------------===//

LogicalResult MaskAttr::verify(function_ref<InFlightDiagnostic()> emitError,
                               std::optional<int64_t> left,
                               std::optional<int64_t> right) {
  // Far beyond any length, and far from where sums of positions overflow.
  constexpr int64_t maxBound = int64_t(1) << 48;
  for (auto [name, bound] : {std::pair("left", left), {"right", right}})
    if (bound && (*bound < 0 || *bound > maxBound))
      return emitError() << "expects a " << name
                         << " window bound between 0 and " << maxBound
                         << ", or * for an open one, but got " << *bound;
  return success();
}

/// One bound of a window: an integer, or `*` for none.
static ParseResult parseBound(AsmParser &parser,
                              std::optional<int64_t> &bound) {
  if (succeeded(parser.parseOptionalStar()))
    return success();
  return parser.parseInteger(bound.emplace());
}

Attribute MaskAttr::parse(AsmParser &parser, Type) {
  SMLoc loc = parser.getCurrentLocation();
  std::optional<int64_t> left, right;
  StringRef kind;
  if (parser.parseLess() || parser.parseKeyword(&kind))
    return {};
  if (kind == "causal") {
    right = 0;
  } else if (kind == "window") {
    if (parseBound(parser, left) || parser.parseComma() ||
        parseBound(parser, right))
      return {};
  } else if (kind != "none") {
    parser.emitError(loc)
        << "expects a mask of none, causal or window, but got '" << kind << "'";
    return {};
  }
  if (parser.parseGreater())
    return {};
  return parser.getChecked<MaskAttr>(loc, parser.getContext(), left, right);
}

void MaskAttr::print(AsmPrinter &printer) const {
  if (isNone()) {
    printer << "<none>";
    return;
  }
  if (isCausal()) {
    printer << "<causal>";
    return;
  }
  auto printBound = [&](std::optional<int64_t> bound) {
    if (bound)
      printer << *bound;
    else
      printer << "*";
  };
  printer << "<window ";
  printBound(getLeft());
  printer << ", ";
  printBound(getRight());
  printer << ">";
}

//===----------------------------------------------------------------------===//
// ScheduleAttr
//===----------------------------------------------------------------------===//

LogicalResult ScheduleAttr::verify(
    function_ref<InFlightDiagnostic()> emitError, int64_t queryTile,
    int64_t pairs, int64_t keyTile, std::optional<int64_t> warps,
    std::optional<int64_t> stages, std::optional<int64_t> teams,
    StringAttr order, std::optional<int64_t> cluster) {
  // Tiles are buffers; a bound keeps absurd sizes from reaching an allocator.
  constexpr int64_t maxTile = 1 << 16;
  // A block has at most 1024 threads on every GPU so far.
  constexpr int64_t maxWarps = 32, maxTeams = 7;
  for (auto [name, size, limit] :
       {std::tuple<StringRef, std::optional<int64_t>, int64_t>(
            "query_tile", queryTile, maxTile),
        {"pairs", pairs, maxTile},
        {"key_tile", keyTile, maxTile},
        {"warps", warps, maxWarps},
        {"stages", stages, maxWarps},
        {"teams", teams, maxTeams}})
    if (size && (*size < 1 || *size > limit))
      return emitError() << "expects " << name << " between 1 and " << limit
                         << ", but got " << *size;
  if (warps.has_value() != stages.has_value())
    return emitError() << "expects warps and stages together or neither";
  if (teams && warps != 4)
    return emitError() << "expects warps = 4 with teams, each a warpgroup";
  if (order && !teams)
    return emitError() << "expects teams with an order";
  if (order && order != "overlap" && order != "turns" && order != "sections")
    return emitError() << "expects order to be \"overlap\", \"turns\" or "
                          "\"sections\", but got "
                       << order;
  if (cluster && !teams)
    return emitError() << "expects teams with a cluster";
  if (cluster && *cluster != 1 && *cluster != 2)
    return emitError() << "expects a cluster of 1 or 2 blocks, but got "
                       << *cluster;
  return success();
}
