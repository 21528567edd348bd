//===- TileAttrs.td - Layouts of the diffattn_tile dialect --*- tablegen -*-==//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef DIFFATTN_TILE_ATTRS_TD
#define DIFFATTN_TILE_ATTRS_TD

include "diffattn/Dialect/Tile/IR/TileDialect.td"
include "mlir/IR/AttrTypeBase.td"
include "mlir/IR/BuiltinTypeInterfaces.td"
include "mlir/IR/TensorEncoding.td"

class Tile_Attr<string name, string attrMnemonic, list<Trait> traits = []>
    : AttrDef<Tile_Dialect, name, traits> {
  let mnemonic = attrMnemonic;
}

def Tile_FragmentAttr : Tile_Attr<"Fragment", "fragment", [
    DeclareAttrInterfaceMethods<VerifiableTensorEncoding>]> {
  let summary = "Which thread holds which element of a tensor, in which register";
  let description = [{
    Three lists of *digits* (see Layout.h), innermost first, one for the index of
    a register in its thread, one for the lane in its warp, one for the warp. A
    digit `d1*8:2` says: the next 8 values of this index step along tensor
    dimension 1 by 2 each (`:1` is left out). A digit `_*4` does not move: the 4
    hold copies.

    The accumulator of `mma.m16n8k16` for a 64 x 2 x 64 tensor (query row,
    branch, key) in four warps, MMA rows 0-7 one branch and 8-15 the other:

    ```mlir
    #diffattn_tile.fragment<register = [d2*2, d1*2, d2*8:8, d0*2:8],
                            lane = [d2*4:2, d0*8], warp = [d0*4:16]>
    ```

    Dimension 1 occurs among the register digits only: one thread holds both
    branches of a pair, so what combines them needs no exchange. Every element
    is held by exactly one (register, lane, warp), copies apart; this is
    verified against the tensor's shape.
  }];
  let parameters = (ins ArrayRefParameter<"Digit">:$registers,
                        ArrayRefParameter<"Digit">:$lanes,
                        ArrayRefParameter<"Digit">:$warps);
  let hasCustomAssemblyFormat = 1;
  let genVerifyDecl = 1;
  let extraClassDeclaration = [{
    int64_t getNumRegisters() const;
    int64_t getNumWarps() const;
    /// Coordinates of register `reg` of (`lane`, `warp`) in a tensor of `rank`.
    SmallVector<int64_t> getCoordinates(int64_t reg, int64_t lane, int64_t warp,
                                        unsigned rank) const;
    /// The layout of a value that does not vary along `dim`, for tensors
    /// without that dimension: every holder of a slice keeps a copy.
    FragmentAttr dropDim(int64_t dim) const;
    /// The layout of a transposed tensor, whose dimension i was
    /// `permutation[i]`; and back.
    FragmentAttr transpose(ArrayRef<int64_t> permutation) const;
    FragmentAttr undoTranspose(ArrayRef<int64_t> permutation) const;
    /// The layout of what is left when each thread has combined its elements
    /// along `dim`, one for each lane and warp that shares the dimension.
    FragmentAttr reduceInThread(int64_t dim) const;
    /// Whether a thread that holds an element holds all others that differ
    /// from it along `dim` only.
    bool isThreadLocal(int64_t dim) const;
  }];
}

def Tile_SharedAttr : Tile_Attr<"Shared", "shared"> {
  let summary = "Where each element of a tile lies in shared memory";
  let description = [{
    Digits of the element offset, innermost first, as in `fragment`; then the
    16-byte chunks of each span of `swizzle` bytes (32, 64 or 128; 0 for none)
    are permuted by exclusive or with the number of the span, as the tensor
    copy engine and `wgmma` do: byte bits 4-6 with bits 7-9 for 128, 4-5 with 7-8 for 64, 4 with
    7 for 32 (PTX ISA, "Swizzling modes"). Eight rows of one chunk column then
    lie in different banks.

    A 64 x 128 tile of 16-bit keys as two panels of 64 columns:
    ```mlir
    #diffattn_tile.shared<[d1*64, d0*64, d1*2:64], swizzle = 128>
    ```
  }];
  let parameters = (ins ArrayRefParameter<"Digit">:$digits, "int64_t":$swizzle);
  let hasCustomAssemblyFormat = 1;
  let genVerifyDecl = 1;
  let extraClassDeclaration = [{
    /// The byte offset of an element of `elementBytes` bytes, swizzled.
    int64_t getByteOffset(ArrayRef<int64_t> coordinates,
                          int64_t elementBytes) const;
    /// The permutation of chunks, applied to a byte offset.
    int64_t applySwizzle(int64_t byteOffset) const;
    /// Bits of the byte offset that `applySwizzle` changes.
    int64_t getSwizzleMask() const {
      return getSwizzle() ? getSwizzle() - 16 : 0;
    }
    /// The dimension whose neighbours are neighbours in memory.
    int64_t getContiguousDim() const;
    LogicalResult verifyShape(ArrayRef<int64_t> shape,
        function_ref<InFlightDiagnostic()> emitError) const;
  }];
}

#endif // DIFFATTN_TILE_ATTRS_TD
