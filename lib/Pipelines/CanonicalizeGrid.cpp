//===- CanonicalizeGrid.cpp - Canonicalize and keep the grid --------------===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "diffattn/Pipelines/Passes.h"

#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

namespace mlir::diffattn {
#define GEN_PASS_DEF_CANONICALIZEGRIDPASS
#include "diffattn/Pipelines/Passes.h.inc"
} // namespace mlir::diffattn

using namespace mlir;

/// Whether canonicalization would put the body in the place of the loop.
static bool hasOneIteration(scf::ForallOp forall) {
  auto are = [](ArrayRef<OpFoldResult> values, int64_t expected) {
    return llvm::all_of(values, [&](OpFoldResult value) {
      return getConstantIntValue(value) == expected;
    });
  };
  return are(forall.getMixedLowerBound(), 0) &&
         are(forall.getMixedUpperBound(), 1);
}

namespace {
struct CanonicalizeGridPass
    : diffattn::impl::CanonicalizeGridPassBase<CanonicalizeGridPass> {
  void runOnOperation() override {
    MLIRContext *context = &getContext();
    bool keepsForall = false;
    getOperation()->walk(
        [&](scf::ForallOp op) { keepsForall |= hasOneIteration(op); });
    RewritePatternSet patterns(context);
    for (Dialect *dialect : context->getLoadedDialects())
      dialect->getCanonicalizationPatterns(patterns);
    for (RegisteredOperationName op : context->getRegisteredOperations())
      if (!keepsForall ||
          op.getStringRef() != scf::ForallOp::getOperationName())
        op.getCanonicalizationPatterns(patterns, context);
    // Like the canonicalizer, this is best effort.
    (void)applyPatternsGreedily(getOperation(), std::move(patterns));
  }
};
} // namespace
