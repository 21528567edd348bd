//===- TileTypes.td - Types of the diffattn_tile dialect ----*- tablegen -*-==//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef DIFFATTN_TILE_TYPES_TD
#define DIFFATTN_TILE_TYPES_TD

include "diffattn/Dialect/Tile/IR/TileAttrs.td"

def Tile_BufferType : TypeDef<Tile_Dialect, "Buffer"> {
  let mnemonic = "buffer";
  let summary = "A tile in shared memory, or a ring of them";
  let description = [{
    `layout` places the elements of one tile. `slots` greater than one makes a
    ring of tiles of this shape, one after the other, of which `slot` picks one:
    `!diffattn_tile.buffer<3 x [64x128xbf16], #layout>`.
  }];
  let parameters = (ins "int64_t":$slots, ArrayRefParameter<"int64_t">:$shape,
                        "Type":$elementType, "SharedAttr":$layout);
  let hasCustomAssemblyFormat = 1;
  let genVerifyDecl = 1;
  let extraClassDeclaration = [{
    int64_t getRank() const { return getShape().size(); }
    int64_t getElementBytes() const;
    /// Bytes of one tile, and of all slots. A slot starts at a multiple of 1024
    /// bytes, where every swizzle repeats.
    int64_t getSlotBytes() const;
    int64_t getTotalBytes() const;
    /// The type of one tile of the ring.
    BufferType getSlotType() const;
  }];
}

#endif // DIFFATTN_TILE_TYPES_TD
