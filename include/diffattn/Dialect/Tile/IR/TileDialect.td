//===- TileDialect.td - The diffattn_tile dialect -----------*- tablegen -*-==//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef DIFFATTN_TILE_DIALECT_TD
#define DIFFATTN_TILE_DIALECT_TD

include "mlir/IR/OpBase.td"

def Tile_Dialect : Dialect {
  let name = "diffattn_tile";
  let cppNamespace = "::mlir::diffattn::tile";
  let summary = "Where values of a thread block live and when they move";
  let description = [{
    One GPU thread block at a time: the only layer that knows warps, layouts and
    asynchrony. It lives inside a `gpu.func`; control flow is `scf`, element-wise
    arithmetic is `arith` and `math` on tensors.

    **Values** are tensors spread over the block's registers. Their encoding, a
    `#diffattn_tile.fragment`, says which thread holds which element. Before
    `diffattn-tile-assign-layouts` tensors have no encoding.

    **Buffers**, `!diffattn_tile.buffer`, are shared memory with an explicit
    (swizzled) layout, `#diffattn_tile.shared`.

    **Global memory** is a strided memref. Its run-time sizes are the valid
    extents: what a tile reads beyond them is zero, what it writes there is
    dropped. So ragged ends need no op of their own.

    **Asynchrony** is explicit: a copy completes at a wait, other threads may
    read what it wrote after a barrier, a buffer may be overwritten after the
    barrier that follows its last read. No pass adds missing synchronisation.
  }];
  let useDefaultAttributePrinterParser = 1;
  let useDefaultTypePrinterParser = 1;
  let dependentDialects = [
    "::mlir::arith::ArithDialect", "::mlir::gpu::GPUDialect",
    "::mlir::memref::MemRefDialect", "::mlir::scf::SCFDialect"
  ];
}

#endif // DIFFATTN_TILE_DIALECT_TD
