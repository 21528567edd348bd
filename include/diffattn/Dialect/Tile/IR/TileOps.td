//===- TileOps.td - Ops of the diffattn_tile dialect --------*- tablegen -*-==//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef DIFFATTN_TILE_OPS_TD
#define DIFFATTN_TILE_OPS_TD

include "diffattn/Dialect/Tile/IR/TileOpBase.td"
include "diffattn/Dialect/Tile/IR/TileHopperOps.td"

//===----------------------------------------------------------------------===//
// The grid
//===----------------------------------------------------------------------===//

def Tile_CoordinatesOp : Tile_Op<"coordinates", [
    DeclareOpInterfaceMethods<InferTypeOpInterface>]> {
  let summary = "Which tile of the grid is computed here";
  let description = [{
    Over a launch of the kernel, each point of the grid of `sizes` is computed
    exactly once. Where and when is for a pass to say: `diffattn-tile-distribute`
    gives each thread block one tile, `diffattn-tile-specialize` gives the teams
    of a block neighbours along the last dimension, and block after block.

    ```mlir
    %b, %i = diffattn_tile.coordinates in %batch, %tiles
    ```
  }];
  let arguments = (ins Variadic<Index>:$sizes);
  let results = (outs Variadic<Index>:$coordinates);
  let assemblyFormat = "`in` $sizes attr-dict";
}

//===----------------------------------------------------------------------===//
// Global memory
//===----------------------------------------------------------------------===//

def Tile_LoadOp : Tile_Op<"load"> {
  let summary = "Read a tile of global memory into registers";
  let description = [{
    Element (i, j, ...) of the result is that of `source`, or zero where
    `source` ends before it. No static size is larger than the tile's.

    ```mlir
    %q = diffattn_tile.load %view : memref<?x2x128xbf16, strided<[?, ?, 1], offset: ?>> -> tensor<64x2x128xbf16>
    ```
  }];
  let arguments = (ins Arg<AnyMemRef, "", [MemRead]>:$source);
  let results = (outs Tile_Tensor:$result);
  let assemblyFormat = "$source attr-dict `:` type($source) `->` type($result)";
  let hasVerifier = 1;
}

def Tile_StoreOp : Tile_Op<"store"> {
  let summary = "Write a tile from registers to global memory";
  let description = [{
    Elements beyond a run-time size of `dest` are not written. Of copies, the
    first lane and warp writes.

    ```mlir
    diffattn_tile.store %out, %view : tensor<64x128xbf16>, memref<?x128xbf16, strided<[?, 1], offset: ?>>
    ```
  }];
  let arguments = (ins Tile_Tensor:$value, Arg<AnyMemRef, "", [MemWrite]>:$dest);
  let assemblyFormat = "$value `,` $dest attr-dict `:` type($value) `,` type($dest)";
  let hasVerifier = 1;
}

//===----------------------------------------------------------------------===//
// Shared memory
//===----------------------------------------------------------------------===//

def Tile_AllocOp : Tile_Op<"alloc"> {
  let summary = "Reserve shared memory for a buffer";
  let description = [{
    The contents are undefined. `diffattn-tile-allocate` writes `offset`, in
    bytes from the start of the block's shared memory, a multiple of 1024.
    Buffers that are never alive together may share memory.
  }];
  let arguments = (ins OptionalAttr<I64Attr>:$offset);
  let results = (outs Res<Tile_BufferType, "", [MemAlloc]>:$buffer);
  let assemblyFormat = "attr-dict `:` type($buffer)";
}

def Tile_SlotOp : Tile_Op<"slot", [
    Pure, DeclareOpInterfaceMethods<InferTypeOpInterface>]> {
  let summary = "One tile of a ring";
  let description = [{
    `index` is taken as it is: it must lie in [0, slots).

    ```mlir
    %k = diffattn_tile.slot %ring[%i] : !diffattn_tile.buffer<2 x [64x128xbf16], #shared>
    ```
  }];
  let arguments = (ins Tile_BufferType:$ring, Index:$index);
  let results = (outs Tile_BufferType:$result);
  let assemblyFormat = "$ring `[` $index `]` attr-dict `:` type($ring)";
}

def Tile_ReuseOp : Tile_Op<"reuse", [Pure]> {
  let summary = "Another buffer in the memory of this one";
  let description = [{
    The result begins where `source`, one slot, begins, and is no larger. What
    either holds is undefined once the other has been written.

    ```mlir
    %o = diffattn_tile.reuse %q : !diffattn_tile.buffer<[32x2x128xbf16], #query> -> !diffattn_tile.buffer<2 x [32x128xbf16], #out>
    ```
  }];
  let arguments = (ins Tile_BufferType:$source);
  let results = (outs Tile_BufferType:$result);
  let assemblyFormat = "$source attr-dict `:` type($source) `->` type($result)";
  let hasVerifier = 1;
}

def Tile_AsyncCopyOp : Tile_Op<"async_copy"> {
  let summary = "Start copying a tile from global to shared memory";
  let description = [{
    Elements beyond a run-time size of `source` become zero. All threads of the
    block take part. The copy joins the group that the next `async_commit`
    closes; until the group has been waited for, `dest` may be neither read nor
    written. The innermost dimension of `source` is contiguous, and 16 bytes
    are moved at a time: addresses and strides are multiples of 16 bytes.

    Becomes `cp.async.cg.shared.global` (PTX ISA, "cp.async"); in a kernel with
    `diffattn_tile.elementwise`, whose addresses and strides are those of
    elements, loads and stores.
  }];
  let arguments = (ins Arg<AnyMemRef, "", [MemRead]>:$source,
                       Arg<Tile_BufferType, "", [MemWrite]>:$dest);
  let assemblyFormat = "$source `into` $dest attr-dict `:` type($source) `,` type($dest)";
  let hasVerifier = 1;
}

def Tile_AsyncCommitOp : Tile_Op<"async_commit", [MemoryEffects<[MemWrite]>]> {
  let summary = "Close the group of the copies started since the last commit";
  let assemblyFormat = "attr-dict";
}

def Tile_AsyncWaitOp : Tile_Op<"async_wait", [MemoryEffects<[MemWrite]>]> {
  let summary = "Wait until at most `pending` groups of copies are unfinished";
  let description = [{
    Groups finish in the order of their commits. A thread waits for its own
    copies: others see the data after a `gpu.barrier` that follows the wait.
  }];
  let arguments = (ins ConfinedAttr<I64Attr, [IntNonNegative]>:$pending);
  let assemblyFormat = "$pending attr-dict";
}

def Tile_LocalLoadOp : Tile_Op<"local_load"> {
  let summary = "Read part of a shared memory buffer into registers";
  let description = [{
    The result is the part of `source` that starts at the static `offsets`.
    16-bit tiles laid out as matrix operands become `ldmatrix`, transposed where
    the pairs of a register run across memory (PTX ISA, "ldmatrix").

    ```mlir
    %b = diffattn_tile.local_load %keys[0, 16] : !diffattn_tile.buffer<64x128xbf16, #shared> -> tensor<64x16xbf16, #b>
    ```
  }];
  let arguments = (ins Arg<Tile_BufferType, "", [MemRead]>:$source,
                       DenseI64ArrayAttr:$offsets);
  let results = (outs Tile_Tensor:$result);
  let assemblyFormat = "$source `` $offsets attr-dict `:` type($source) `->` type($result)";
  let hasVerifier = 1;
}

def Tile_LocalStoreOp : Tile_Op<"local_store"> {
  let summary = "Write a tile from registers to shared memory";
  let description = [{
    16-bit tiles whose rows of 8 elements are contiguous in `dest` become `stmatrix`
    (sm_90; PTX ISA, "stmatrix").

    ```mlir
    diffattn_tile.local_store %out, %buffer : tensor<32x128xbf16, #acc>, !diffattn_tile.buffer<[32x128xbf16], #shared>
    ```
  }];
  let arguments = (ins Tile_Tensor:$value,
                       Arg<Tile_BufferType, "", [MemWrite]>:$dest);
  let assemblyFormat = "$value `,` $dest attr-dict `:` type($value) `,` type($dest)";
  let hasVerifier = 1;
}

//===----------------------------------------------------------------------===//
// Registers
//===----------------------------------------------------------------------===//

def Tile_DotOp : Tile_Op<"dot", [
    AllTypesMatch<["acc", "result"]>,
    DeclareOpInterfaceMethods<MemoryEffectsOpInterface>]> {
  let summary = "Matrix product with f32 accumulation";
  let description = [{
    `result[m..., n] = acc[m..., n] + sum_k lhs[m..., k] * rhs[k, n]`, or
    `rhs[n, k]` with `transposed`. The rows `m...` are all dimensions of `lhs`
    but the last. Operands are 16-bit tiles, in registers or in shared memory;
    `diffattn-tile-select-operands` turns the products that the target's matrix
    instruction takes from registers into steps along `k`.

    Becomes `mma.sync.m16n8k16` (PTX ISA, "mma").

    ```mlir
    %s = diffattn_tile.dot %q, %k, %zero transposed
        : tensor<64x2x128xbf16>, !diffattn_tile.buffer<64x128xbf16, #shared>, tensor<64x2x64xf32>
    ```
  }];
  let arguments = (ins Tile_Operand:$lhs, Tile_Operand:$rhs,
                       StaticShapeTensorOf<[F32]>:$acc, UnitAttr:$transposed);
  let results = (outs StaticShapeTensorOf<[F32]>:$result);
  let assemblyFormat = "$lhs `,` $rhs `,` $acc (`transposed` $transposed^)? attr-dict `:` type($lhs) `,` type($rhs) `,` type($acc)";
  let hasVerifier = 1;
}

def Tile_ReduceOp : Tile_Op<"reduce", [Pure]> {
  let summary = "Combine the elements along a dimension";
  let description = [{
    The order of additions is fixed by the layout. `max` ignores NaN where the
    other side is a number. `max_zero` is the largest element, or zero if none is
    positive: positive floating-point numbers are ordered like the integers of
    the same bits, and GPUs have an instruction for the larger of three integers
    (of a NaN only its sign counts then).

    ```mlir
    %max = diffattn_tile.reduce max %s along 2 : tensor<64x2x64xf32> -> tensor<64x2xf32>
    ```
  }];
  let arguments = (ins Tile_ReduceKindAttr:$kind, StaticShapeTensorOf<[F32]>:$source,
                       I64Attr:$dim);
  let results = (outs StaticShapeTensorOf<[F32]>:$result);
  let assemblyFormat = "custom<ReduceKind>($kind) $source `along` $dim attr-dict `:` type($source) `->` type($result)";
  let hasVerifier = 1;
}

def Tile_BroadcastOp : Tile_Op<"broadcast", [Pure]> {
  let summary = "Repeat a tensor along a new dimension";
  let description = [{
    `dim` numbers the new dimension in the result.

    ```mlir
    %m = diffattn_tile.broadcast %max along 2 : tensor<64x2xf32> -> tensor<64x2x64xf32>
    ```
  }];
  let arguments = (ins Tile_Tensor:$source, I64Attr:$dim);
  let results = (outs Tile_Tensor:$result);
  let assemblyFormat = "$source `along` $dim attr-dict `:` type($source) `->` type($result)";
  let hasVerifier = 1;
}

def Tile_SelectOp : Tile_Op<"select", [Pure]> {
  let summary = "The part of a tensor at one index of a dimension";
  let description = [{
    With the dimension thread-local, a renaming of registers: so one branch of a
    pair is picked.

    ```mlir
    %signal = diffattn_tile.select %acc at 0 of 1 : tensor<64x2x128xf32> -> tensor<64x128xf32>
    ```
  }];
  let arguments = (ins Tile_Tensor:$source, I64Attr:$index, I64Attr:$dim);
  let results = (outs Tile_Tensor:$result);
  let assemblyFormat = "$source `at` $index `of` $dim attr-dict `:` type($source) `->` type($result)";
  let hasVerifier = 1;
}

def Tile_TransposeOp : Tile_Op<"transpose", [Pure]> {
  let summary = "The same elements with dimensions in another order";
  let description = [{
    Dimension `i` of the result is dimension `permutation[i]` of the source. A
    renaming: every element stays in its register.

    ```mlir
    %t = diffattn_tile.transpose %lse [1, 0] : tensor<64x2xf32> -> tensor<2x64xf32>
    ```
  }];
  let arguments = (ins Tile_Tensor:$source, DenseI64ArrayAttr:$permutation);
  let results = (outs Tile_Tensor:$result);
  let assemblyFormat = "$source $permutation attr-dict `:` type($source) `->` type($result)";
  let hasVerifier = 1;
}

def Tile_SliceOp : Tile_Op<"slice", [Pure]> {
  let summary = "Part of a tensor";
  let description = [{
    The part of the result's shape that starts at the static `offsets`. With the
    cut dimensions thread-local, a renaming of registers.

    ```mlir
    %step = diffattn_tile.slice %p[0, 0, 16] : tensor<64x2x64xbf16> -> tensor<64x2x16xbf16>
    ```
  }];
  let arguments = (ins Tile_Tensor:$source, DenseI64ArrayAttr:$offsets);
  let results = (outs Tile_Tensor:$result);
  let assemblyFormat = "$source `` $offsets attr-dict `:` type($source) `->` type($result)";
  let hasVerifier = 1;
}

def Tile_MaskOp : Tile_Op<"mask", [Pure, AllTypesMatch<["source", "result"]>]> {
  let summary = "Replace the elements outside a set of positions";
  let description = [{
    Keeps the elements whose position lies in `condition`, an integer set whose
    dimensions are those of the tensor and whose symbols are `symbols`, and
    gives `fill` elsewhere. Each constraint is an inequality, linear with coefficients of -1, 0 or 1
    in the dimensions and of one symbol: an affine band is a comparison of a
    register number with one limit a thread.

    ```mlir
    // key < %n and key - row <= %diagonal
    %t = diffattn_tile.mask %s[%n, %diagonal] where
        affine_set<(m, r, k)[n, diagonal] : (n - k - 1 >= 0, diagonal - k + m >= 0)>
        else 0xFF800000 : tensor<64x2x64xf32>
    ```
  }];
  let arguments = (ins StaticShapeTensorOf<[F32]>:$source, Variadic<Index>:$symbols,
                       IntegerSetAttr:$condition, F32Attr:$fill);
  let results = (outs StaticShapeTensorOf<[F32]>:$result);
  let assemblyFormat = "$source `[` $symbols `]` `where` $condition `else` custom<Fill>($fill) attr-dict `:` type($source)";
  let hasVerifier = 1;
}

def Tile_IndexOp : Tile_Op<"index", [Pure]> {
  let summary = "The position of each element along a dimension";
  let arguments = (ins I64Attr:$dim);
  let results = (outs StaticShapeTensorOf<[Index]>:$result);
  let assemblyFormat = "$dim attr-dict `:` type($result)";
  let hasVerifier = 1;
}

def Tile_SplatOp : Tile_Op<"splat", [Pure]> {
  let summary = "A tensor of one value";
  let arguments = (ins AnyTypeOf<[AnyFloat, AnyInteger, Index]>:$source);
  let results = (outs Tile_Tensor:$result);
  let assemblyFormat = "$source attr-dict `:` type($source) `->` type($result)";
}

def Tile_ConvertLayoutOp : Tile_Op<"convert_layout", [Pure]> {
  let summary = "The same tensor in other registers";
  let description = [{
    A renaming where every thread holds the same elements on both sides;
    otherwise an exchange through shared memory (`diffattn-tile-exchange`).
  }];
  let arguments = (ins Tile_Tensor:$source);
  let results = (outs Tile_Tensor:$result);
  let assemblyFormat = "$source attr-dict `:` type($source) `->` type($result)";
  let hasVerifier = 1;
  let hasFolder = 1;
}

#endif // DIFFATTN_TILE_OPS_TD
