//===- DiffAttnAttrs.td - Attributes of the diffattn dialect *- tablegen -*-==//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef DIFFATTN_ATTRS_TD
#define DIFFATTN_ATTRS_TD

include "diffattn/Dialect/DiffAttn/IR/DiffAttnDialect.td"
include "mlir/IR/AttrTypeBase.td"

class DiffAttn_Attr<string name, string attrMnemonic>
    : AttrDef<DiffAttn_Dialect, name> {
  let mnemonic = attrMnemonic;
}

def DiffAttn_MaskAttr : DiffAttn_Attr<"Mask", "mask"> {
  let summary = "Which keys a query row may see";
  let description = [{
    A band of keys around the diagonal, both bounds inclusive. Query row `i` of
    `Nq` and key `j` of `Nk` are aligned at the bottom right, as in
    FlashAttention 2.1 and later: row `i` sits at position `p = i + Nk - Nq`
    and sees the keys `p - left <= j <= p + right`. A missing bound is open; a
    bound is at most 2^48, so that sums of positions cannot overflow.

    | written | left | right |
    |---|---|---|
    | `<none>` | open | open |
    | `<causal>` | open | 0 |
    | `<window 511, 0>` | 511 | 0 |
    | `<window *, 16>` | open | 16 |

    A window of W keys ending at the diagonal is `<window W-1, 0>`.
  }];
  let parameters = (ins "std::optional<int64_t>":$left,
                        "std::optional<int64_t>":$right);
  let hasCustomAssemblyFormat = 1;
  let genVerifyDecl = 1;
  let builders = [AttrBuilder<(ins), [{
    return $_get($_ctxt, std::nullopt, std::nullopt);
  }]>];
  let extraClassDeclaration = [{
    static MaskAttr getNone(::mlir::MLIRContext *context) {
      return get(context, std::nullopt, std::nullopt);
    }
    static MaskAttr getCausal(::mlir::MLIRContext *context) {
      return get(context, std::nullopt, int64_t(0));
    }
    bool isNone() const { return !getLeft() && !getRight(); }
    bool isCausal() const { return !getLeft() && getRight() == int64_t(0); }
  }];
}

def DiffAttn_ScheduleAttr : DiffAttn_Attr<"Schedule", "schedule"> {
  let summary = "How an attention op is blocked for a target";
  let description = [{
    Written by `diffattn-assign-schedule` from a target description, by an
    autotuner or by hand, and read by the tiling passes. Sizes in elements:

    - `query_tile`: query rows of a tile, the same for each head in it;
    - `pairs`: head pairs (for plain attention, heads) of one group that a tile
      holds, so that keys and values are read once for `2 * pairs` heads;
    - `key_tile`: keys of one step of the key/value loop;
    - `warps`, on GPUs: warps of the block that computes a tile, which divide
      its rows among them;
    - `stages`, on GPUs: key tiles that shared memory holds at a time. Warps and
      stages are given together or not at all;
    - `teams`, on GPUs with asynchronous matrix instructions: neighbouring tiles
      that one block computes, each by a warpgroup of its own, while another
      warp copies the keys and values that they share;
    - `order`, with teams: how they share the matrix unit. `"overlap"` (if left
      out): each keeps two products under way; `"turns"`: and starts them in
      turn; `"sections"`: one product at a time, exponentials in turn;
    - `cluster`, with teams: how many blocks, 1 (if left out) or 2, compute
      neighbouring tiles and copy parts of the keys and values to each other.
      All their tiles see the same keys: not with causal masks or windows.

    Examples: `#diffattn.schedule<query_tile = 32, pairs = 2, key_tile = 64>`,
    `#diffattn.schedule<query_tile = 64, pairs = 1, key_tile = 64, warps = 4,
    stages = 1>`
    `#diffattn.schedule<query_tile = 32, pairs = 1, key_tile = 80, warps = 4,
    stages = 3, teams = 3>`
  }];
  let parameters = (ins "int64_t":$queryTile, "int64_t":$pairs,
                        "int64_t":$keyTile,
                        OptionalParameter<"std::optional<int64_t>">:$warps,
                        OptionalParameter<"std::optional<int64_t>">:$stages,
                        OptionalParameter<"std::optional<int64_t>">:$teams,
                        OptionalParameter<"::mlir::StringAttr">:$order,
                        OptionalParameter<"std::optional<int64_t>">:$cluster);
  let assemblyFormat = [{
    `<` `query_tile` `=` $queryTile `,` `pairs` `=` $pairs `,`
        `key_tile` `=` $keyTile
        (`,` `warps` `=` $warps^ `,` `stages` `=` $stages)?
        (`,` `teams` `=` $teams^ `` custom<OfTeams>($order, $cluster))? `>`
  }];
  let builders = [AttrBuilder<(ins "int64_t":$queryTile, "int64_t":$pairs,
                                   "int64_t":$keyTile), [{
    return $_get($_ctxt, queryTile, pairs, keyTile, std::nullopt, std::nullopt,
                 std::nullopt, ::mlir::StringAttr(), std::nullopt);
  }]>];
  let genVerifyDecl = 1;
  let extraClassDeclaration = [{
    /// Where `diffattn-tile` leaves the schedule of a GPU, on the `scf.forall`.
    static constexpr ::llvm::StringLiteral getTileAttrName() {
      return "diffattn.schedule";
    }
  }];
}

#endif // DIFFATTN_ATTRS_TD
