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

def Tile_BarriersType : TypeDef<Tile_Dialect, "Barriers"> {
  let mnemonic = "barriers";
  let summary = "An array of barriers with phases, in shared memory";
  let parameters = (ins "int64_t":$count);
  let assemblyFormat = "`<` $count `>`";
  let genVerifyDecl = 1;
  let extraClassDeclaration = [{
    static constexpr int64_t barrierBytes = 8;
    int64_t getTotalBytes() const { return getCount() * barrierBytes; }
  }];
}

def Tile_TensorMapType : TypeDef<Tile_Dialect, "TensorMap"> {
  let mnemonic = "tensor_map";
  let summary = "A description of a global tensor for the copy engine";
  let description = [{
    A parameter of a kernel, 128 bytes that the host encodes
    (`cuTensorMapEncodeTiled`): address, sizes and strides, known at run time,
    and the `box` that one copy moves, outermost dimension first, in the order
    in which a box lies in shared memory. That need not be the order of strides.
  }];
  let parameters = (ins ArrayRefParameter<"int64_t">:$box, "Type":$elementType,
                        "int64_t":$swizzle);
  let hasCustomAssemblyFormat = 1;
  let genVerifyDecl = 1;
}

def Tile_PendingType : TypeDef<Tile_Dialect, "Pending"> {
  let mnemonic = "pending";
  let summary = "A tensor that a product under way will fill";
  let parameters = (ins "RankedTensorType":$tensor);
  let assemblyFormat = "`<` $tensor `>`";
}

#endif // DIFFATTN_TILE_TYPES_TD
