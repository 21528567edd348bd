//===- TakeTurns.cpp - One team at a time ---------------------------------===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "diffattn/Dialect/Tile/IR/Tile.h"
#include "diffattn/Dialect/Tile/Transforms/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

namespace mlir::diffattn::tile {
#define GEN_PASS_DEF_TAKETURNSPASS
#include "diffattn/Dialect/Tile/Transforms/Passes.h.inc"
} // namespace mlir::diffattn::tile

using namespace mlir;
using namespace mlir::diffattn::tile;

/// The first exponential of scores.
static Operation *findExponential(Block &body, DotOp scores) {
  for (auto exp : body.getOps<math::Exp2Op>())
    if (exp.getResult().getType() == scores.getResult().getType())
      return exp;
  return nullptr;
}

/// Guards part of an iteration of `loop`.
static void guard(scf::ForOp loop, bool sections) {
  Block &body = *loop.getBody();
  OpBuilder builder(loop);
  Location loc = loop.getLoc();
  auto dots = llvm::to_vector(body.getOps<DotOp>());
  Operation *exponential =
      sections && !dots.empty() ? findExponential(body, dots.front()) : nullptr;
  if (dots.empty()) {
    builder.setInsertionPointToStart(&body);
    TakeTurnOp::create(builder, loc);
    PassTurnOp::create(builder, loc);
    return;
  }
  builder.setInsertionPoint(exponential ? exponential : dots.front());
  TakeTurnOp::create(builder, loc);
  if (exponential)
    builder.setInsertionPoint(dots.back());
  else
    builder.setInsertionPointAfter(dots.back());
  PassTurnOp::create(builder, loc);
}

/// The last team gives the first one its first turn.
static void startTurns(Region &role, int64_t teams) {
  OpBuilder builder = OpBuilder::atBlockBegin(&role.front());
  Location loc = role.getLoc();
  Value last = arith::ConstantIntOp::create(builder, loc, teams - 1, 32);
  Value isLast = arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::eq,
                                       role.getArgument(0), last);
  auto branch = scf::IfOp::create(builder, loc, isLast, /*withElse=*/false);
  builder.setInsertionPointToStart(branch.thenBlock());
  PassTurnOp::create(builder, loc);
}

namespace {
struct TakeTurnsPass : diffattn::tile::impl::TakeTurnsPassBase<TakeTurnsPass> {
  void runOnOperation() override {
    auto order = getOperation()->getAttrOfType<StringAttr>(attr::order);
    if (!order || order == "overlap")
      return;
    getOperation().walk([&](RolesOp roles) {
      for (auto [role, teams] :
           llvm::zip_equal(roles.getRoles(), roles.getWarpgroups())) {
        if (teams < 2)
          continue;
        SmallVector<scf::ForOp> loops;
        role.walk([&](scf::ForOp loop) {
          if (!loop.getBody()->getOps<WaitOp>().empty())
            loops.push_back(loop);
        });
        // A loop over tiles waits as well: only the innermost ones are meant.
        for (scf::ForOp loop : loops)
          if (loop.getBody()->getOps<scf::ForOp>().empty())
            guard(loop, order == "sections");
        startTurns(role, teams);
      }
    });
  }
};
} // namespace
