//===- TileHopperOps.td - Roles, barriers, tensor copies ----*- tablegen -*-==//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

// What sm_90a adds. Warps specialise: a `roles` op gives each role its own
// region, warpgroups and registers. Inside a role, the threads of one warpgroup
// are a *team*: layouts speak of the team's four warps, an op that signals
// counts once per team. Memory is handed from team to team by barriers with
// phases, and both copies and products run while the team goes on:
//
//   elected { expect full[i], bytes        wait full[i], phase
//             tensor_copy ... full[i] }    %p = dot_async ... %slot_i
//                                          ...
//   wait empty[i], phase                   %s = dot_wait 0 %p
//                                          arrive empty[i]
//
// The type of a product under way is `pending`, not a tensor: nothing can read
// it before the wait. Which memory a product reads is not in its type; a slot
// may be released only after the wait.

#ifndef DIFFATTN_TILE_HOPPER_OPS_TD
#define DIFFATTN_TILE_HOPPER_OPS_TD

include "diffattn/Dialect/Tile/IR/TileOpBase.td"

/// Ops whose order among each other matters, whatever they touch.
class Tile_OrderedOp<string mnemonic, list<Trait> traits = []>
    : Tile_Op<mnemonic, traits # [MemoryEffects<[MemRead, MemWrite]>]>;

//===----------------------------------------------------------------------===//
// Roles
//===----------------------------------------------------------------------===//

def Tile_RolesOp : Tile_Op<"roles", [
    SingleBlock, NoTerminator, RecursiveMemoryEffects]> {
  let summary = "Let groups of warpgroups do different work";
  let description = [{
    The block's warpgroups, in order, are dealt to the roles. Each warpgroup of
    a role runs its region as one team and gets its number within the role, an
    argument that is the same in all threads of a warp as the compiler sees it.
    `registers` is the budget of each thread, a multiple of 8.

    ```mlir
    diffattn_tile.roles
      role(%w) warpgroups 1 registers 32 { ... },
      role(%w) warpgroups 3 registers 160 { ... }
    ```

    Becomes branches on the warpgroup and `setmaxnreg` (PTX ISA, "setmaxnreg").
  }];
  let arguments = (ins DenseI64ArrayAttr:$warpgroups, DenseI64ArrayAttr:$registers);
  let regions = (region VariadicRegion<SizedRegion<1>>:$roles);
  let hasCustomAssemblyFormat = 1;
  let hasVerifier = 1;
  let extraClassDeclaration = [{
    int64_t getNumWarpgroups();
    /// Registers of each thread before roles divide them.
    int64_t getLaunchRegisters();
  }];
}

def Tile_ElectedOp : Tile_Op<"elected", [
    SingleBlock, NoTerminator, RecursiveMemoryEffects, NoRegionArguments]> {
  let summary = "Work that one thread of the team does";
  let description = [{
    The first thread of the team's warp `warp`. Nothing inside may need the other
    threads: no tensors, no barrier of the team. A role may have several such
    threads, which do not wait for each other.
  }];
  let arguments = (ins ConfinedAttr<DefaultValuedAttr<I64Attr, "0">,
                       [IntNonNegative, IntMaxValue<3>]>:$warp);
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = "(`warp` $warp^)? attr-dict-with-keyword $body";
  let hasVerifier = 1;
}

def Tile_TeamBarrierOp : Tile_OrderedOp<"team_barrier"> {
  let summary = "Wait until all threads of the team are here";
  let description = [{
    Becomes `barrier.sync` with the number of the warpgroup plus one, 128
    threads: teams do not wait for each other.
  }];
  let assemblyFormat = "attr-dict";
}

def Tile_TakeTurnOp : Tile_OrderedOp<"take_turn"> {
  let summary = "Wait until the team before has passed the turn";
  let description = [{
    The teams of a role take turns in the order of their numbers, round after
    round: what stands between `take_turn` and `pass_turn` is done by one team
    at a time. Each team takes and passes the turn equally often.

    Becomes `barrier.sync` of the team before and this one (PTX ISA, "barrier").
  }];
  let assemblyFormat = "attr-dict";
  let hasVerifier = 1;
}

def Tile_PassTurnOp : Tile_OrderedOp<"pass_turn"> {
  let summary = "Pass the turn to the next team";
  let description = [{
    The first turn is to be passed by the last team, before any is taken.
    Becomes `barrier.arrive`: the team does not wait.
  }];
  let assemblyFormat = "attr-dict";
  let hasVerifier = 1;
}

def Tile_UniformOp : Tile_Op<"uniform", [Pure, SameOperandsAndResultType]> {
  let summary = "Assert that a value is the same in all threads of a warp";
  let description = [{
    Loop bounds, ring indices and addresses that come from memory are the same
    in all threads, but the assembler cannot know. `redux.sync` makes it know,
    and what follows stays in uniform registers: 12% of a whole kernel. In an
    elected thread it keeps what goes to the copy engine out of the few
    registers of a small role.
  }];
  let arguments = (ins I32:$source);
  let results = (outs I32:$result);
  let assemblyFormat = "$source attr-dict `:` type($source)";
}

//===----------------------------------------------------------------------===//
// Clusters
//===----------------------------------------------------------------------===//

def Tile_ClusterRankOp : Tile_Op<"cluster_rank", [Pure]> {
  let summary = "The number of this block in its cluster";
  let description = [{
    Blocks of a kernel with `diffattn_tile.cluster` run in clusters, at the same
    time; each can signal the others' barriers and copy to their shared memory.
  }];
  let results = (outs I32:$result);
  let assemblyFormat = "attr-dict";
}

def Tile_ClusterBarrierOp : Tile_OrderedOp<"cluster_barrier"> {
  let summary = "Wait until all threads of the cluster are here";
  let description = [{
    Before others use this block's barriers, and before a block ends whose memory
    others may still use. Becomes `barrier.cluster`.
  }];
  let assemblyFormat = "attr-dict";
  let hasVerifier = 1;
}

//===----------------------------------------------------------------------===//
// Barriers with phases
//===----------------------------------------------------------------------===//

def Tile_BarriersOp : Tile_OrderedOp<"barriers"> {
  let summary = "Reserve and initialise an array of barriers";
  let description = [{
    A phase of a barrier ends after `arrivals` arrivals and the bytes that
    `expect` announced. Other threads and copies may use it after
    `fence barrier_init` and a `gpu.barrier`. `offset` as in `alloc`, a multiple
    of 8.

    ```mlir
    %full = diffattn_tile.barriers arrivals 1 : !diffattn_tile.barriers<3>
    ```

    Becomes `mbarrier.init` (PTX ISA, "mbarrier").
  }];
  let arguments = (ins ConfinedAttr<I64Attr, [IntPositive]>:$arrivals,
                       OptionalAttr<I64Attr>:$offset);
  let results = (outs Tile_BarriersType:$barriers);
  let assemblyFormat = "`arrivals` $arrivals attr-dict `:` type($barriers)";
}

class Tile_BarrierOp<string mnemonic> : Tile_OrderedOp<mnemonic> {
  dag barrier = (ins Tile_BarriersType:$barriers, I32:$index);
}

def Tile_ArriveOp : Tile_BarrierOp<"arrive"> {
  let summary = "Count one arrival of the team";
  let description = [{
    What the team did to shared memory before is done when the phase ends, with
    two exceptions: products under way need `dot_wait` first, and writes that a
    copy engine or a matrix instruction is to read need `fence async_proxy`.

    With `cluster`, at the same barrier of each of so many blocks.

    Becomes a predicated `mbarrier.arrive`: no branch between products.
  }];
  let arguments = !con(barrier, (ins OptionalAttr<I64Attr>:$cluster));
  let assemblyFormat = "$barriers `[` $index `]` (`cluster` $cluster^)? attr-dict `:` type($barriers)";
  let builders = [OpBuilder<(ins "::mlir::Value":$barriers, "::mlir::Value":$index), [{
    build($_builder, $_state, barriers, index, ::mlir::IntegerAttr());
  }]>];
}

def Tile_ExpectOp : Tile_BarrierOp<"expect"> {
  let summary = "Count one arrival and announce bytes of copies";
  let arguments = !con(barrier, (ins ConfinedAttr<I64Attr, [IntPositive]>:$bytes));
  let assemblyFormat = "$barriers `[` $index `]` `,` $bytes attr-dict `:` type($barriers)";
}

def Tile_WaitOp : Tile_BarrierOp<"wait"> {
  let summary = "Wait for the end of a phase";
  let description = [{
    Waits until the phase of parity `phase` has ended. Phases alternate, the
    first is 0; of a fresh barrier the one before, 1, counts as ended.

    Becomes a loop of `mbarrier.try_wait.parity` that traps after some seconds: a wrong
    schedule ends in an error, not in a hung device.
  }];
  let arguments = !con(barrier, (ins I32:$phase));
  let assemblyFormat = "$barriers `[` $index `]` `,` $phase attr-dict `:` type($barriers)";
}

def Tile_FenceKind : I32EnumAttr<"FenceKind", "what is ordered", [
    I32EnumAttrCase<"BarrierInit", 0, "barrier_init">,
    I32EnumAttrCase<"AsyncProxy", 1, "async_proxy">]> {
  let cppNamespace = "::mlir::diffattn::tile";
  let genSpecializedAttr = 0;
}
def Tile_FenceKindAttr : EnumAttr<Tile_Dialect, Tile_FenceKind, "fence_kind">;

def Tile_FenceOp : Tile_OrderedOp<"fence"> {
  let summary = "Order this thread's writes before what another engine does";
  let description = [{
    `barrier_init`: initialised barriers before copies that complete on them.
    `async_proxy`: writes to shared memory before copies and matrix instructions
    that read them.
  }];
  let arguments = (ins Tile_FenceKindAttr:$kind);
  let assemblyFormat = "custom<FenceKind>($kind) attr-dict";
}

//===----------------------------------------------------------------------===//
// Tensor copies
//===----------------------------------------------------------------------===//

def Tile_TensorCopyOp : Tile_OrderedOp<"tensor_copy", [AttrSizedOperandSegments]> {
  let summary = "Start copying a tile of a global tensor to shared memory";
  let description = [{
    `source` is a tensor map, a parameter of the kernel; `coordinates` name the
    first element, one per dimension of the map, and may lie outside: what is
    outside reads as zero. `dims` says which dimension of the map each dimension
    of `dest` walks. One copy moves one box; the boxes that make up `dest` are
    read off its layout, whose innermost digits are those of a box. The bytes
    count towards the phase of the barrier.

    Pairs of heads, packed eight tokens at a time:
    ```mlir
    diffattn_tile.tensor_copy %map[%batch, %head, %token, %zero] dims [2, 1, 3] into %q, %full[%i]
        : !diffattn_tile.tensor_map<1x2x8x64xbf16, swizzle = 128>, !diffattn_tile.buffer<[32x2x128xbf16], #shared>, !diffattn_tile.barriers<3>
    ```

    With `share`, the blocks of a cluster copy the same tile together: block
    `rank` of `cluster` copies each box whose number is `rank` modulo `cluster` to
    the same place in all of them, and its bytes count at the barrier of each.

    Becomes `cp.async.bulk.tensor` (PTX ISA, "cp.async.bulk.tensor").
  }];
  let arguments = (ins Tile_TensorMapType:$source, Variadic<I32>:$coordinates,
                       DenseI64ArrayAttr:$dims, Tile_BufferType:$dest,
                       Tile_BarriersType:$barriers, I32:$index,
                       Optional<I32>:$rank, OptionalAttr<I64Attr>:$cluster);
  let assemblyFormat = [{
    $source `[` $coordinates `]` `dims` $dims `into` $dest `,` $barriers `[` $index `]`
    (`share` $rank^ `of` $cluster)? attr-dict `:` type($source) `,` type($dest) `,` type($barriers)
  }];
  let hasVerifier = 1;
}

def Tile_TensorStoreOp : Tile_OrderedOp<"tensor_store"> {
  let summary = "Start copying a tile of shared memory to a global tensor";
  let description = [{
    The reverse of `tensor_copy`: what lies outside of `dest` is not written. What
    threads wrote to `source` needs `fence async_proxy`. The copy is a group of its
    own; until a `store_wait` of this thread covers it, `source` may not be
    written.

    ```mlir
    diffattn_tile.tensor_store %o into %map[%batch, %token, %head, %zero] dims [1, 3]
        : !diffattn_tile.buffer<[32x128xbf16], #shared>, !diffattn_tile.tensor_map<1x1x32x64xbf16, swizzle = 128>
    ```

    Becomes `cp.async.bulk.tensor` and `cp.async.bulk.commit_group` (PTX ISA,
    "cp.async.bulk.tensor").
  }];
  let arguments = (ins Tile_BufferType:$source, Tile_TensorMapType:$dest,
                       Variadic<I32>:$coordinates, DenseI64ArrayAttr:$dims);
  let assemblyFormat = [{
    $source `into` $dest `[` $coordinates `]` `dims` $dims attr-dict
    `:` type($source) `,` type($dest)
  }];
  let hasVerifier = 1;
}

def Tile_StoreWaitOp : Tile_OrderedOp<"store_wait"> {
  let summary = "Wait until at most `pending` stores may still read their source";
  let description = [{
    Of the stores that this thread has started; they finish in the order of their
    start. That their data has arrived is not said: the end of the kernel is.

    Becomes `cp.async.bulk.wait_group.read`.
  }];
  let arguments = (ins ConfinedAttr<I64Attr, [IntNonNegative]>:$pending);
  let assemblyFormat = "$pending attr-dict";
  let hasVerifier = 1;
}

//===----------------------------------------------------------------------===//
// Asynchronous products
//===----------------------------------------------------------------------===//

def Tile_DotAsyncOp : Tile_OrderedOp<"dot_async", [
    OptionalTypesMatchWith<"the accumulator is of the result's type", "result",
                           "acc", "::llvm::cast<PendingType>($_self).getTensor()">]> {
  let summary = "Start a matrix product of the team";
  let description = [{
    As `dot`, without an accumulator if `acc` is left out. `rhs` is a buffer,
    `lhs` a buffer or a tensor. The product is a group of its own; groups finish
    in the order of their start. Until it has been waited for, its operands in
    shared memory may not be written.

    Becomes `wgmma.fence`, one `wgmma.mma_async.m64nNk16` per 16 of `k`,
    `wgmma.commit_group` (PTX ISA, "wgmma").
  }];
  let arguments = (ins Tile_Operand:$lhs, Tile_BufferType:$rhs,
                       Optional<StaticShapeTensorOf<[F32]>>:$acc, UnitAttr:$transposed);
  let results = (outs Tile_PendingType:$result);
  let assemblyFormat = "$lhs `,` $rhs (`,` $acc^)? (`transposed` $transposed^)? attr-dict `:` type($lhs) `,` type($rhs) `->` type($result)";
  let hasVerifier = 1;
}

def Tile_DotWaitOp : Tile_OrderedOp<"dot_wait", [
    TypesMatchWith<"result is the tensor under way", "source", "result",
                   "::llvm::cast<PendingType>($_self).getTensor()">]> {
  let summary = "Wait until at most `count` later products are under way";
  let description = [{
    `source` is finished then: `count` is the number of products started after
    it that may go on.

    ```mlir
    %s = diffattn_tile.dot_wait %pending, 1 : !diffattn_tile.pending<tensor<32x2x80xf32, #acc>>
    ```
  }];
  let arguments = (ins Tile_PendingType:$source,
                       ConfinedAttr<I64Attr, [IntNonNegative, IntMaxValue<7>]>:$count);
  let results = (outs StaticShapeTensorOf<[F32]>:$result);
  let assemblyFormat = "$source `,` $count attr-dict `:` type($source)";
}

//===----------------------------------------------------------------------===//
// Values
//===----------------------------------------------------------------------===//

def Tile_ThreadReduceOp : Tile_Op<"thread_reduce", [Pure]> {
  let summary = "Combine what each thread holds along a dimension";
  let description = [{
    The dimension shrinks to the threads that share it: what is left to do for
    `reduce` is the exchange between them. A loop that only adds up can leave
    the exchange to its end.

    ```mlir
    %part = diffattn_tile.thread_reduce add %p along 2 : tensor<32x2x80xf32, #acc> -> tensor<32x2x4xf32, #part>
    ```
  }];
  let arguments = (ins Tile_ReduceKindAttr:$kind, StaticShapeTensorOf<[F32]>:$source,
                       I64Attr:$dim);
  let results = (outs StaticShapeTensorOf<[F32]>:$result);
  let assemblyFormat = "custom<ReduceKind>($kind) $source `along` $dim attr-dict `:` type($source) `->` type($result)";
  let hasVerifier = 1;
  let extraClassDeclaration = [{
    /// What becomes of a tensor that has a layout.
    static RankedTensorType getResultType(RankedTensorType source, int64_t dim);
  }];
}

def Tile_WarpAnyOp : Tile_Op<"warp_any", [Pure]> {
  let summary = "Whether an element that the warp holds is true";
  let description = [{
    Each warp gets its own answer, the same in all its threads: a condition for
    `scf.if` around work that is harmless where it is not needed.
  }];
  let arguments = (ins StaticShapeTensorOf<[I1]>:$source);
  let results = (outs I1:$result);
  let assemblyFormat = "$source attr-dict `:` type($source)";
}

def Tile_WriteScalarsOp : Tile_OrderedOp<"write_scalars"> {
  let summary = "Leave numbers for other teams in shared memory";
  let description = [{
    Up to four 32-bit numbers, in one access. They are visible to a team that
    waits for a barrier on which this one arrives afterwards.
  }];
  let arguments = (ins Variadic<I32>:$values, Tile_BufferType:$dest);
  let assemblyFormat = "$values `into` $dest attr-dict `:` type($dest)";
  let hasVerifier = 1;
}

def Tile_ReadScalarsOp : Tile_OrderedOp<"read_scalars"> {
  let summary = "Read numbers that another team left";
  let arguments = (ins Tile_BufferType:$source);
  let results = (outs Variadic<I32>:$values);
  let assemblyFormat = "$source attr-dict `:` type($source) `->` type($values)";
  let hasVerifier = 1;
}

def Tile_FetchAddOp : Tile_OrderedOp<"fetch_add"> {
  let summary = "Add to a number in global memory, and get what was there";
  let description = [{
    Atomic on the device, without order among other accesses: enough to deal out
    tiles.

    ```mlir
    %ticket = diffattn_tile.fetch_add %counters[%i], %one : memref<2xi32>
    ```
  }];
  let arguments = (ins MemRefOf<[I32]>:$memory, Index:$index, I32:$value);
  let results = (outs I32:$result);
  let assemblyFormat = "$memory `[` $index `]` `,` $value attr-dict `:` type($memory)";
  let hasVerifier = 1;
}

#endif // DIFFATTN_TILE_HOPPER_OPS_TD
