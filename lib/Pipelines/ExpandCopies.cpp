//===- ExpandCopies.cpp - Strided memref.copy to linalg.copy --------------===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "diffattn/Pipelines/Passes.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/IR/Builders.h"

namespace mlir::diffattn {
#define GEN_PASS_DEF_EXPANDCOPIESPASS
#include "diffattn/Pipelines/Passes.h.inc"
} // namespace mlir::diffattn

using namespace mlir;

/// Whether the buffer is known to be one row-major run of memory.
static bool isContiguous(Value buffer) {
  auto type = dyn_cast<MemRefType>(buffer.getType());
  return type && type.areTrailingDimsContiguous(type.getRank());
}

namespace {
struct ExpandCopiesPass
    : diffattn::impl::ExpandCopiesPassBase<ExpandCopiesPass> {
  void runOnOperation() override {
    getOperation()->walk([](memref::CopyOp copy) {
      Value source = copy.getSource(), target = copy.getTarget();
      if ((isContiguous(source) && isContiguous(target)) ||
          !isa<MemRefType>(source.getType()) ||
          !isa<MemRefType>(target.getType()))
        return;
      OpBuilder builder(copy);
      linalg::CopyOp::create(builder, copy.getLoc(), source, target);
      copy.erase();
    });
  }
};
} // namespace
