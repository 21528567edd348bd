//===- Passes.td - Passes of the diffattn_tile dialect ------*- tablegen -*-==//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef DIFFATTN_DIALECT_TILE_TRANSFORMS_PASSES_TD
#define DIFFATTN_DIALECT_TILE_TRANSFORMS_PASSES_TD

include "mlir/Pass/PassBase.td"

class TilePass<string flag, string anchor = "::mlir::gpu::GPUFuncOp">
    : Pass<flag, anchor> {
  let dependentDialects = ["::mlir::diffattn::tile::TileDialect"];
}

def LinalgToTilePass : TilePass<"diffattn-to-tile", "::mlir::ModuleOp"> {
  let summary = "Map tiles of linalg on tensors to a kernel of the tile dialect";
  let description = [{
    Requires: functions whose work is one `scf.forall` over tiles
    (`diffattn-tile`, `diffattn-decompose-tiles`), with reshapes of arguments
    around it.

    Produces: for each function a `gpu.func` kernel in a `gpu.module`, its
    parameters strided memrefs (arguments, then results that are no argument),
    and erases the function. One thread block runs one iteration of the
    `scf.forall`. Each op inside is mapped by itself:

    | linalg on tensors | tile dialect |
    |---|---|
    | pad of a slice of an argument | `load` |
    | `linalg.generic`, all parallel | `arith`/`math` on tensors, `broadcast`, `index` |
    | select by comparisons of indices | `mask` |
    | product and sum over one dimension of two tiles | `dot` |
    | addition or maximum over one dimension | `reduce` |
    | slice of a tile | `select` |
    | parallel insert of a slice | `store` |

    Unit dimensions are dropped. The left operand of a product is rounded to the
    type of the right one: matrix instructions multiply 16-bit operands.
    Kernels carry the factors of their grid (`diffattn_tile.grid`), their warps
    and their stages.
  }];
  let dependentDialects = [
    "::mlir::diffattn::tile::TileDialect", "::mlir::gpu::GPUDialect",
    "::mlir::memref::MemRefDialect", "::mlir::affine::AffineDialect",
    "::mlir::arith::ArithDialect", "::mlir::math::MathDialect",
    "::mlir::scf::SCFDialect"];
}

#endif // DIFFATTN_DIALECT_TILE_TRANSFORMS_PASSES_TD
