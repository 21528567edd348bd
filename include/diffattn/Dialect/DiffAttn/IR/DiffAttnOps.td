//===- DiffAttnOps.td - Ops of the diffattn dialect --------*- tablegen -*-===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef DIFFATTN_OPS_TD
#define DIFFATTN_OPS_TD

include "diffattn/Dialect/DiffAttn/IR/DiffAttnAttrs.td"
include "mlir/Dialect/Linalg/IR/LinalgInterfaces.td"
include "mlir/Interfaces/DestinationStyleOpInterface.td"
include "mlir/Interfaces/InferTypeOpInterface.td"
include "mlir/Interfaces/SideEffectInterfaces.td"
include "mlir/Interfaces/TilingInterface.td"

class DiffAttn_Op<string mnemonic, list<Trait> traits = []>
    : Op<DiffAttn_Dialect, mnemonic, !listconcat(traits, [
        Pure, DestinationStyleOpInterface,
        DeclareOpInterfaceMethods<ReifyRankedShapedTypeOpInterface,
                                  ["reifyResultShapes"]>,
        DeclareOpInterfaceMethods<InferTypeOpInterface>])> {
  let hasVerifier = 1;
}

def DiffAttn_AttentionOp : DiffAttn_Op<"attention", [
    AttrSizedOperandSegments,
    DeclareOpInterfaceMethods<TilingInterface, [
        "getIterationDomain", "getLoopIteratorTypes", "getTiledImplementation",
        "getResultTilePosition", "generateResultTileValue",
        "getIterationDomainTileFromResultTile"]>]> {
  let summary = "Differential or plain scaled dot product attention";
  let description = [{
    With `s = scale * <query, key>` (then `softcap * tanh(s / softcap)` where
    given), `P = softmax(s)` over the keys that `mask` shows, and one branch per
    query head, `o_i = P_i value`:

    - with `lambda`: `output_j = o_{2j} - sigmoid(lambda_j) * o_{2j+1}`;
    - without: `output_i = o_i`, plain attention, the same family.

    A query row that sees no key gives 0 whatever lambda is; everywhere else
    NaN and infinity propagate. Rounding to the output's element type happens
    once, after the subtraction.

    Keys and values that the mask hides must be finite: where a tile holds
    visible keys as well, lowerings multiply the hidden ones by zero, as every
    flash attention does, and zero times infinity is NaN.

    Shapes, with `h` pairs, `H = 2h` query heads (`H` heads without lambda):

    | operand | shape | element type |
    |---|---|---|
    | query | (B, Nq, H, d) | f16, bf16 or f32 |
    | key | (B, Nk, h_kv, d) | as query |
    | value | (B, Nk, h_kv, dv) | as query |
    | lambda (logits) | (B, Nq, h) | f16, bf16 or f32 |
    | outs, output | (B, Nq, h, dv), plain (B, Nq, H, dv) | f16, bf16 or f32 |
    | lse (optional) | (B, H, Nq) | f32; natural log, +inf for rows with no key |
    | noise (optional) | (B, Nq, h, dv) | f16, bf16 or f32; `o_{2j+1}`, which training saves |

    B, Nq and Nk may be dynamic. Head counts and head dimensions are static:
    code is specialised on them. The results are the destinations given, in the
    order output, lse, noise.

    Constraints (each with its own diagnostic):
    - (C1) query, key, value, lambda, output, lse, noise have rank 4, 4, 4, 3, 4, 3, 4;
    - (C2) query, key and value have one element type of f16, bf16, f32;
    - (C3) lambda, output and noise have an element type of f16, bf16, f32; lse has f32;
    - (C4) head counts and head dimensions are static and positive;
    - (C5) key's head dimension equals query's;
    - (C6) value's head count equals key's;
    - (C7) d and dv are multiples of 8;
    - (C8) with lambda, the number of query heads is even: it counts both heads of every pair;
    - (C9) both heads of a pair lie in one group: h is divisible by h_kv; without lambda H is;
    - (C10) lambda has one logit per pair: its last dimension is h;
    - (C11) batch sizes agree;
    - (C12) query, lambda, output, lse, noise agree on Nq; key and value on Nk;
    - (C13) output, lse and noise have the shapes of the table;
    - (C14) noise needs lambda: plain attention has no second branch;
    - (C15) scale is finite and greater than zero in f32;
    - (C16) softcap is finite and greater than zero in f32.

    Default `scale`: 1/sqrt(d). Sources: Differential Transformer V2
    (microsoft/unilm); mask and LSE conventions of FlashAttention.

    Example:
    ```mlir
    %out = diffattn.attention
        query(%q : tensor<1x?x16x128xbf16>) key(%k : tensor<1x?x4x128xbf16>)
        value(%v : tensor<1x?x4x128xbf16>) lambda(%lambda : tensor<1x?x8xbf16>)
        outs(%init : tensor<1x?x8x128xbf16>) mask<causal>
    ```
  }];
  let arguments = (ins
    AnyRankedTensor:$query, AnyRankedTensor:$key, AnyRankedTensor:$value,
    Optional<AnyRankedTensor>:$lambda,
    AnyRankedTensor:$output_init, Optional<AnyRankedTensor>:$lse_init,
    Optional<AnyRankedTensor>:$noise_init,
    OptionalAttr<F64Attr>:$scale, OptionalAttr<F64Attr>:$softcap,
    OptionalAttr<DiffAttn_MaskAttr>:$mask,
    OptionalAttr<DiffAttn_ScheduleAttr>:$schedule);
  let results = (outs Variadic<AnyRankedTensor>:$results);
  let assemblyFormat = [{
    `query` `(` $query `:` type($query) `)` `key` `(` $key `:` type($key) `)`
    `value` `(` $value `:` type($value) `)`
    (`lambda` `(` $lambda^ `:` type($lambda) `)`)?
    `outs` `(` $output_init `:` type($output_init) `)`
    (`lse` `(` $lse_init^ `:` type($lse_init) `)`)?
    (`noise` `(` $noise_init^ `:` type($noise_init) `)`)?
    (`mask` `` $mask^)? (`scale` `(` $scale^ `)`)? (`softcap` `(` $softcap^ `)`)?
    (`schedule` `` $schedule^)? attr-dict
  }];
  let builders = [OpBuilder<(ins "Value":$query, "Value":$key, "Value":$value,
    "Value":$lambda, "Value":$outputInit, CArg<"Value", "{}">:$lseInit,
    CArg<"Value", "{}">:$noiseInit, CArg<"MaskAttr", "{}">:$mask,
    CArg<"FloatAttr", "{}">:$scale, CArg<"FloatAttr", "{}">:$softcap,
    CArg<"ScheduleAttr", "{}">:$schedule)>];
  let hasCanonicalizer = 1;
  let extraClassDeclaration = [{
    MutableOperandRange getDpsInitsMutable();
    bool isDifferential() { return static_cast<bool>(getLambda()); }
    /// Branches per output head: 2 with lambda, 1 without.
    int64_t getNumBranches() { return isDifferential() ? 2 : 1; }
    int64_t getNumQueryHeads() { return getQuery().getType().getDimSize(2); }
    int64_t getNumKVHeads() { return getKey().getType().getDimSize(2); }
    int64_t getHeadDim() { return getQuery().getType().getDimSize(3); }
    int64_t getValueDim() { return getValue().getType().getDimSize(3); }
    /// Output heads (pairs, or heads without lambda).
    int64_t getNumPairs() { return getNumQueryHeads() / getNumBranches(); }
    int64_t getPairsPerGroup() { return getNumPairs() / getNumKVHeads(); }
    /// The scale in force: the attribute, or 1/sqrt(d).
    double getEffectiveScale();
    /// The mask in force: the attribute, or none.
    MaskAttr getEffectiveMask();
    Value getOutput() { return getResults()[0]; }
    /// The optional results, null where not asked for.
    Value getLse() { return getLseInit() ? getResults()[1] : Value(); }
    Value getNoise() { return getNoiseInit() ? getResults().back() : Value(); }
  }];
}

def DiffAttn_OnlineAttentionOp : DiffAttn_Op<"online_attention", [
    DeclareOpInterfaceMethods<AggregatedOpInterface, ["decomposeOperation"]>,
    DeclareOpInterfaceMethods<TilingInterface, [
        "getIterationDomain", "getLoopIteratorTypes", "getTiledImplementation",
        "getResultTilePosition", "generateResultTileValue",
        "getIterationDomainTileFromResultTile"]>,
    DeclareOpInterfaceMethods<PartialReductionOpInterface, [
        "generateInitialTensorForPartialReduction", "tileToPartialReduction",
        "mergeReductions", "getPartialResultTilePosition"]>]> {
  let summary = "One step of online softmax attention over a block of keys";
  let description = [{
    Folds a block of keys and values into running accumulators, in base 2 (one
    exp2 per score, no change of base in the loop). With
    `t = log2(e) * s`, `s` the scaled, capped and masked score:

    ```
    max'  = max(max, max_k t)
    p     = exp2(t - max')                 (0 where every key so far is hidden)
    alpha = exp2(max - max')
    sum'  = alpha * sum + sum_k p
    acc'  = alpha * acc + p value
    ```

    The step is associative in the keys: blocks may be folded in any order or
    apart and merged (`PartialReductionOpInterface`, used by split-KV decode).
    Start with acc = 0, max = -inf, sum = 0; `diffattn.finalize` ends it.

    The iteration space has eight dimensions, in this order: batch `b`, KV head
    `h`, pair in group `p`, branch `r` (2, or 1 for plain attention), query row
    `m`, key `k`, head dimension `d`, value dimension `n`. `indexing_maps`
    places them in query (b,h,p,r,m,d), key (b,h,k,d), value (b,h,k,n), acc
    (b,h,p,r,m,n), max and sum (b,h,p,r,m): each map is a permutation of just
    those. So packing query rows, or interleaving the two heads of a pair, is a
    change of maps and not another op. The tiling interface exposes b, h, p, m
    (parallel) and k (reduction).

    A tile knows where it lies: row `i` of the tile is query `query_start + i`
    of `query_length`, its key `j` is key `key_start + j` of `key_length`. Keys
    at or past `key_length` are padding and hidden (this is the tile's explicit
    valid extent; padding must hold finite values); rows past `query_length`
    compute values that nobody reads.

    Constraints:
    - (C1) query, key, value are f16, bf16 or f32 with one element type; acc, max, sum are f32;
    - (C2) there are six indexing maps of eight dimensions, each a permutation of its operand's dimensions as listed;
    - (C3) operands agree on the size of every dimension they share;
    - (C4) scale and softcap are finite and greater than zero in f32.

    Example:
    ```mlir
    %acc1, %max1, %sum1 = diffattn.online_attention
        query(%q : tensor<1x32x1x2x2x128xbf16>) key(%k : tensor<1x64x1x128xbf16>)
        value(%v : tensor<1x64x1x128xbf16>)
        outs(%acc, %max, %sum : tensor<1x32x1x2x2x128xf32>,
             tensor<1x32x1x2x2xf32>, tensor<1x32x1x2x2xf32>)
        at(%m0 of %nq, %k0 of %nk) mask<causal> scale(0.088)
    ```
  }];
  let arguments = (ins
    AnyRankedTensor:$query, AnyRankedTensor:$key, AnyRankedTensor:$value,
    AnyRankedTensor:$acc, AnyRankedTensor:$max, AnyRankedTensor:$sum,
    Index:$query_start, Index:$query_length, Index:$key_start, Index:$key_length,
    F64Attr:$scale, OptionalAttr<F64Attr>:$softcap,
    OptionalAttr<DiffAttn_MaskAttr>:$mask,
    AffineMapArrayAttr:$indexing_maps,
    OptionalAttr<DiffAttn_ScheduleAttr>:$schedule);
  let results = (outs AnyRankedTensor:$acc_result, AnyRankedTensor:$max_result,
                      AnyRankedTensor:$sum_result);
  let assemblyFormat = [{
    `query` `(` $query `:` type($query) `)` `key` `(` $key `:` type($key) `)`
    `value` `(` $value `:` type($value) `)`
    `outs` `(` $acc `,` $max `,` $sum `:` type($acc) `,` type($max) `,` type($sum) `)`
    `at` `(` $query_start `of` $query_length `,` $key_start `of` $key_length `)`
    (`mask` `` $mask^)? `scale` `(` $scale `)` (`softcap` `(` $softcap^ `)`)?
    (`schedule` `` $schedule^)? `maps` $indexing_maps attr-dict
  }];
  let extraClassDeclaration = [{
    /// Dimensions of the iteration space, in order.
    enum Dim : unsigned { B, H, P, R, M, K, D, N, NumDims };
    /// Operands that have an indexing map, in order.
    enum Operand : unsigned { Query, Key, Value_, Acc, Max, Sum, NumMapped };
    MutableOperandRange getDpsInitsMutable();
    SmallVector<AffineMap> getMaps();
    AffineMap getMap(Operand operand) { return getMaps()[operand]; }
    MaskAttr getEffectiveMask();
    /// The size of iteration dimension `dim`.
    OpFoldResult getDimSize(OpBuilder &b, Dim dim);
    int64_t getStaticDimSize(Dim dim);
    /// Row-major maps of the layout that `diffattn-to-online` produces.
    static ArrayAttr getDefaultMaps(Builder &b);
  }];
}

def DiffAttn_FinalizeOp : DiffAttn_Op<"finalize", [
    AttrSizedOperandSegments,
    DeclareOpInterfaceMethods<AggregatedOpInterface, ["decomposeOperation"]>,
    DeclareOpInterfaceMethods<TilingInterface, [
        "getIterationDomain", "getLoopIteratorTypes", "getTiledImplementation",
        "getResultTilePosition", "generateResultTileValue",
        "getIterationDomainTileFromResultTile"]>]> {
  let summary = "Normalise the branches, gate, subtract and round once";
  let description = [{
    Ends an online attention: `o_r = acc_r / sum_r`, then
    `output = o_0 - sigmoid(lambda) * o_1` (`o_0` without lambda), all in f32,
    then the one rounding. Also, where asked for, `lse_r = ln(2) * (max_r +
    log2(sum_r))` and the noise branch `o_1`. Rows that see no key by `mask`
    and lengths give 0, 0 and +inf whatever the data hold.

    The iteration space is (b, h, p, r, m, n) of `online_attention`.
    `indexing_maps` places acc (b,h,p,r,m,n), max, sum (b,h,p,r,m), lambda
    (b,h,p,m), output (b,h,p,m,n), lse (b,h,p,r,m) and noise (b,h,p,m,n), in
    this order, absent operands included. The tiling interface exposes
    b, h, p, m.

    Constraints:
    - (C1) acc, max, sum and lse are f32; lambda, output, noise f16, bf16 or f32;
    - (C2) there are seven indexing maps of six dimensions, each a permutation of its operand's dimensions as listed;
    - (C3) operands agree on the size of every dimension they share;
    - (C4) the branch dimension is 2 with lambda and 1 without; noise needs lambda.
  }];
  let arguments = (ins
    AnyRankedTensor:$acc, AnyRankedTensor:$max, AnyRankedTensor:$sum,
    Optional<AnyRankedTensor>:$lambda,
    AnyRankedTensor:$output_init, Optional<AnyRankedTensor>:$lse_init,
    Optional<AnyRankedTensor>:$noise_init,
    Index:$query_start, Index:$query_length, Index:$key_length,
    OptionalAttr<DiffAttn_MaskAttr>:$mask,
    AffineMapArrayAttr:$indexing_maps,
    OptionalAttr<DiffAttn_ScheduleAttr>:$schedule);
  let results = (outs Variadic<AnyRankedTensor>:$results);
  let assemblyFormat = [{
    `acc` `(` $acc `,` $max `,` $sum `:` type($acc) `,` type($max) `,` type($sum) `)`
    (`lambda` `(` $lambda^ `:` type($lambda) `)`)?
    `outs` `(` $output_init `:` type($output_init) `)`
    (`lse` `(` $lse_init^ `:` type($lse_init) `)`)?
    (`noise` `(` $noise_init^ `:` type($noise_init) `)`)?
    `at` `(` $query_start `of` $query_length `,` $key_length `)`
    (`mask` `` $mask^)? (`schedule` `` $schedule^)? `maps` $indexing_maps attr-dict
  }];
  let extraClassDeclaration = [{
    enum Dim : unsigned { B, H, P, R, M, N, NumDims };
    enum Operand : unsigned { Acc, Max, Sum, Lambda, Output, Lse, Noise, NumMapped };
    MutableOperandRange getDpsInitsMutable();
    SmallVector<AffineMap> getMaps();
    AffineMap getMap(Operand operand) { return getMaps()[operand]; }
    MaskAttr getEffectiveMask();
    /// The operand in slot `operand`, null where absent.
    Value getMappedOperand(Operand operand);
    OpFoldResult getDimSize(OpBuilder &b, Dim dim);
    static ArrayAttr getDefaultMaps(Builder &b);
    Value getOutput() { return getResults()[0]; }
    Value getLse() { return getLseInit() ? getResults()[1] : Value(); }
    Value getNoise() { return getNoiseInit() ? getResults().back() : Value(); }
  }];
}

#endif // DIFFATTN_OPS_TD
