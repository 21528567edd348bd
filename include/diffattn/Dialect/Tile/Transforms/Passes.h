//===- Passes.h - Passes of the diffattn_tile dialect -----------*- C++ -*-===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef DIFFATTN_DIALECT_TILE_TRANSFORMS_PASSES_H
#define DIFFATTN_DIALECT_TILE_TRANSFORMS_PASSES_H

#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/Pass/Pass.h"

namespace mlir::diffattn::tile {

#define GEN_PASS_DECL
#include "diffattn/Dialect/Tile/Transforms/Passes.h.inc"

#define GEN_PASS_REGISTRATION
#include "diffattn/Dialect/Tile/Transforms/Passes.h.inc"

} // namespace mlir::diffattn::tile

#endif // DIFFATTN_DIALECT_TILE_TRANSFORMS_PASSES_H
