//===- LowerStackScopes.cpp - alloca_scope to stack save and restore -----===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "diffattn/CPU/Passes.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/IR/PatternMatch.h"

namespace mlir::diffattn {
#define GEN_PASS_DEF_CPULOWERSTACKSCOPESPASS
#include "diffattn/CPU/Passes.h.inc"
} // namespace mlir::diffattn

using namespace mlir;
using namespace mlir::diffattn;

/// Moves the body of `scope` before it, between a save and a restore of the
/// stack pointer.
static void inlineScope(memref::AllocaScopeOp scope, RewriterBase &b) {
  Location loc = scope.getLoc();
  b.setInsertionPoint(scope);
  Value stack = LLVM::StackSaveOp::create(
      b, loc, LLVM::LLVMPointerType::get(b.getContext()));
  Block *body = &scope.getBodyRegion().front();
  Operation *terminator = body->getTerminator();
  SmallVector<Value> results(terminator->getOperands());
  b.eraseOp(terminator);
  b.inlineBlockBefore(body, scope);
  LLVM::StackRestoreOp::create(b, loc, stack);
  b.replaceOp(scope, results);
}

namespace {
struct CPULowerStackScopesPass
    : diffattn::impl::CPULowerStackScopesPassBase<CPULowerStackScopesPass> {
  void runOnOperation() override {
    IRRewriter rewriter(&getContext());
    SmallVector<memref::AllocaScopeOp> scopes;
    getOperation().walk(
        [&](memref::AllocaScopeOp scope) { scopes.push_back(scope); });
    for (memref::AllocaScopeOp scope : scopes)
      inlineScope(scope, rewriter);
  }
};
} // namespace
