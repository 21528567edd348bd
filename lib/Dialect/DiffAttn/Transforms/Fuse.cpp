//===- Fuse.cpp - Recognise differential attention ------------------------===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Two steps, each an analysis (Match*.h) and a rewrite (FuseAttention.h):
// attention spelled out in linalg becomes a plain diffattn.attention, then
// gated differences of plain attention results become fused ops.
//
//===----------------------------------------------------------------------===//

#include "FuseAttention.h"

#include "diffattn/Dialect/DiffAttn/Transforms/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/Transforms/Transforms.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/IR/Remarks.h"
#include "mlir/Interfaces/ShapedOpInterfaces.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

namespace mlir::diffattn {
#define GEN_PASS_DEF_FUSEPASS
#include "diffattn/Dialect/DiffAttn/Transforms/Passes.h.inc"
} // namespace mlir::diffattn

using namespace mlir;
using namespace mlir::diffattn;

namespace {
struct FusePass : public diffattn::impl::FusePassBase<FusePass> {
  using FusePassBase::FusePassBase;
  void runOnOperation() override;

private:
  bool raiseAttentions(RewriterBase &rewriter);
  bool fusePairs(RewriterBase &rewriter);
  void reportPassed(Location loc, StringRef name, const Twine &text);
  void reportMissed(Location loc, StringRef name, const Twine &text);
};
} // namespace

//===----------------------------------------------------------------------===//
// Remarks
//===----------------------------------------------------------------------===//

void FusePass::reportPassed(Location loc, StringRef name, const Twine &text) {
  remark::passed(loc, remark::RemarkOpts::name(name).category(getArgument()))
      << text.str();
  if (explain)
    emitRemark(loc) << text;
}

void FusePass::reportMissed(Location loc, StringRef name, const Twine &text) {
  remark::missed(loc, remark::RemarkOpts::name(name).category(getArgument()))
      << text.str();
  if (explain)
    emitRemark(loc) << text;
}

//===----------------------------------------------------------------------===//
// Attention
//===----------------------------------------------------------------------===//

/// The structured op that alone reads `value`, through reshapes.
static linalg::LinalgOp getOnlyReader(Value value) {
  for (unsigned hop = 0; hop < 16 && value.hasOneUse(); ++hop) {
    Operation *user = *value.getUsers().begin();
    if (isa<tensor::ExpandShapeOp, tensor::CollapseShapeOp, tensor::CastOp>(
            user)) {
      value = user->getResult(0);
      continue;
    }
    auto op = dyn_cast<linalg::LinalgOp>(user);
    bool isReader = op && op->getNumResults() == 1 &&
                    op.getNumReductionLoops() == 0 &&
                    op.hasPureTensorSemantics();
    return isReader ? op : linalg::LinalgOp();
  }
  return {};
}

bool FusePass::raiseAttentions(RewriterBase &rewriter) {
  bool changed = false;
  // The second product, or the division after it, and what follows as long as
  // it only moves, converts or guards the result.
  SmallVector<OpResult> candidates;
  getOperation().walk([&](Operation *op) {
    if (isa<linalg::LinalgOp>(op) || isa<arith::DivFOp, arith::MulFOp>(op))
      for (OpResult result : op->getResults())
        if (isa<RankedTensorType>(result.getType()))
          candidates.push_back(result);
  });
  llvm::SmallPtrSet<Operation *, 8> done;
  for (OpResult candidate : candidates) {
    if (candidate.use_empty() || done.contains(candidate.getOwner()))
      continue;
    Value result = candidate;
    auto tracer = std::make_unique<Tracer>(&getContext());
    std::string reason;
    std::optional<AttentionMatch> match =
        matchAttention(*tracer, result, reason);
    if (!match) {
      if (!reason.empty())
        reportMissed(result.getLoc(), "AttentionNotRecognised",
                     "attention is not recognised: " + reason);
      continue;
    }
    while (linalg::LinalgOp reader = getOnlyReader(result)) {
      auto nextTracer = std::make_unique<Tracer>(&getContext());
      std::optional<AttentionMatch> next =
          matchAttention(*nextTracer, reader->getResult(0), reason);
      if (!next)
        break;
      match = std::move(next);
      tracer = std::move(nextTracer);
      result = reader->getResult(0);
      done.insert(reader);
    }
    raiseAttention(rewriter, tracer->vars, result, *match);
    reportPassed(result.getLoc(), "AttentionRaised",
                 "attention is raised to diffattn.attention");
    changed = true;
  }
  return changed;
}

//===----------------------------------------------------------------------===//
// Pairs
//===----------------------------------------------------------------------===//

bool FusePass::fusePairs(RewriterBase &rewriter) {
  bool changed = false;
  SmallVector<Value> candidates;
  getOperation().walk([&](Operation *op) {
    if (isa<arith::SubFOp, arith::AddFOp>(op))
      candidates.push_back(op->getResult(0));
  });
  for (Value difference : candidates) {
    Tracer tracer(&getContext());
    std::string reason;
    std::optional<PairMatch> match = matchPair(tracer, difference, reason);
    if (match) {
      Location loc = difference.getLoc();
      fusePair(rewriter, tracer.vars, *match);
      reportPassed(loc, "PairFused",
                   "the pair is fused into one diffattn.attention");
      changed = true;
    } else if (!reason.empty()) {
      reportMissed(difference.getLoc(), "PairNotFused",
                   "the pair is not fused: " + reason);
    }
  }
  return changed;
}

/// Whether `root` asks for the size of a dimension that does not exist. That
/// verifies, and is undefined; upstream's value bounds analysis, which compares
/// dynamic sizes for the matchers, crashes on it.
static bool hasUndefinedSize(Operation *root) {
  WalkResult result = root->walk([](ShapedDimOpInterface op) {
    auto type = dyn_cast<ShapedType>(op.getShapedValue().getType());
    std::optional<int64_t> dim = getConstantIntValue(op.getDimension());
    bool isDefined = type && type.hasRank() &&
                     (!dim || (*dim >= 0 && *dim < type.getRank()));
    return isDefined ? WalkResult::advance() : WalkResult::interrupt();
  });
  return result.wasInterrupted();
}

void FusePass::runOnOperation() {
  if (hasUndefinedSize(getOperation()))
    return reportMissed(getOperation().getLoc(), "UndefinedSize",
                        "nothing is fused in a function that asks for the size "
                        "of a dimension that does not exist, or of a tensor "
                        "without rank");
  IRRewriter rewriter(&getContext());
  auto cleanUp = [&] {
    // Folds the reshapes around a new op with those of the producer, and
    // removes what became dead: it would count as another use of the branches.
    RewritePatternSet patterns(&getContext());
    linalg::populateEraseUnusedOperandsAndResultsPatterns(patterns);
    tensor::CollapseShapeOp::getCanonicalizationPatterns(patterns,
                                                         &getContext());
    tensor::ExpandShapeOp::getCanonicalizationPatterns(patterns, &getContext());
    (void)applyPatternsGreedily(getOperation(), std::move(patterns));
  };
  if (raiseAttentions(rewriter))
    cleanUp();
  if (fusePairs(rewriter))
    cleanUp();
}
