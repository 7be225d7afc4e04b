//===- DsModelOps.td - what DeepSeek models are made of -------*- tablegen -*-===//
//
// Each description is the op's specification; see the dialect's description for how to read it.
//
//===----------------------------------------------------------------------===//
#ifndef DIALECTS_DS_IR_DSMODELOPS
#define DIALECTS_DS_IR_DSMODELOPS
include "dialects/ds/IR/DsBase.td"

class Ds_ModelOp<string mnemonic, list<Trait> traits = []> : Ds_Op<mnemonic, !listconcat([Pure], traits)> {
  let hasVerifier = 1;
}

// ----- parameters --------------------------------------------------------------------------------------------------
def Ds_ParameterOp : Ds_Op<"parameter", [Symbol]> {
  let summary = "a weight of the model: a name, a type and where the bytes are";
  let description = [{
    `source` is an array of `#ds.file_range` whose bytes, one after the other, are the tensor (one range for most; the
    experts of a layer are one parameter made of many), an ElementsAttr for values that the graph holds itself, or
    `#ds.computed`: the result of a function on other parameters. Nothing is read before code generation needs it.

    **Constraints**
    * `C1`: `type` is a ranked tensor of fixed shape whose elements are integers or floats.
    * `C2`: `source` is an ElementsAttr, an array of `#ds.file_range`, or `#ds.computed`.
    * `C3`: the ranges hold as many bytes as the tensor: elements · bits / 8, rounded up; i1 takes a byte.
    * `C4`: an ElementsAttr has the type `type`.
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, TypeAttr:$type, AnyAttr:$source);
  let assemblyFormat = "$sym_name `:` $type `=` $source attr-dict";
  let hasVerifier = 1;
}

def Ds_LoadParameterOp : Ds_Op<"load_parameter", [Pure, DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "the value of a ds.parameter (a view of mapped memory: no copy)";
  let description = [{
    **Constraints**
    * `C1`: `parameter` names a `ds.parameter` of the module.
    * `C2`: the result has the parameter's type.
  }];
  let arguments = (ins FlatSymbolRefAttr:$parameter);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = "$parameter attr-dict `:` type($result)";
}

// ----- token-wise ops ----------------------------------------------------------------------------------------------
def Ds_EmbeddingOp : Ds_CheckedOp<"embedding", [Ds_Reify, Ds_Tiling]> {
  let summary = "rows of a table: `result[…, :] = table[ids[…], :]`, widened to the result's type";
  let description = [{
    `ids` […], `table` [V, d], result […, d]. A negative id counts from the end; an id outside the table is an error at run
    time (the entry returns DS_STATUS_INDEX), never a read outside. Each element is converted to the result's type, which
    is exact. Tiles: over the dimensions of `ids` and over d.

    **Constraints**
    * `C1`: `ids` are integers, not i1.
    * `C2`: `table` has rank 2.
    * `C3`: the result's shape agrees with that of `ids` followed by d.
    * `C4`: table and result are floats, and every value of the table's type is one of the result's.

    **Source**: the `embed_tokens` of every DeepSeek generation (torch.nn.Embedding).
  }];
  let arguments = (ins AnyRankedTensor:$ids, AnyRankedTensor:$table);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = "$ids `,` $table attr-dict `:` type($ids) `,` type($table) `to` type($result)";
}

def Ds_RmsNormOp : Ds_ModelOp<"rms_norm", [Ds_Reify, Ds_Tiling]> {
  let summary = "`x · rsqrt(mean(x², last) + epsilon) · weight`";
  let description = [{
    `input` […, d], `weight` [d], result […, d]. For each row x of d elements:

        r = 1 / sqrt((Σ_i x_i²) / d + epsilon)        result_i = round(x_i · r · weight_i)
        with round_before_weight:                     result_i = round(round(x_i · r) · weight_i)

    The sum, the root and the products are f32 (f64 for an f64 input); `round` is to the result's type. Frameworks differ in
    `round_before_weight`: transformers and ONNX RMSNormalization round before, torch.nn.functional.rms_norm and the
    DeepSeek-V3.2 reference after the product; in f32 both are the same. Tiles: over all dimensions but the last.

    **Constraints**
    * `C1`: `input`, `weight` and result are floats, and `input` has at least one dimension.
    * `C2`: `weight` has rank 1 and its size agrees with the input's last.
    * `C3`: the result's shape agrees with the input's.
    * `C4`: `epsilon` is finite and not negative.

    **Source**: Zhang and Sennrich, Root Mean Square Layer Normalization, arXiv:1910.07467.
  }];
  let arguments = (ins AnyRankedTensor:$input, AnyRankedTensor:$weight, F64Attr:$epsilon, UnitAttr:$round_before_weight);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = "$input `,` $weight `epsilon` $epsilon (`round_before_weight` $round_before_weight^)? attr-dict `:` type($input) `,` type($weight) `to` type($result)";
}

def Ds_RopeOp : Ds_ModelOp<"rope", [Ds_Reify, Ds_Tiling]> {
  let summary = "rotary position embedding of the last dimension";
  let description = [{
    `input` […, H, R] with the token dimensions before H; `cos`, `sin` […, R/2] over the same token dimensions: frequencies
    are data, YaRN and linear scaling are only other tables. With a, b the two members of rotation i < R/2,

        a' = a · cos_i − b · sin_i        b' = b · cos_i + a · sin_i

    each product and sum in f32 (f64 for an f64 input), rounded once to the result's type. `layout_in` and `layout_out` say
    where the members of rotation i sit: `halves` (i, i + R/2) or `pairs` (2i, 2i + 1). Tiles: over all dimensions but the
    last.

    **Constraints**
    * `C1`: `input`, `cos`, `sin` and result are floats; `input` has rank 2 at least, and its last size is static and even.
    * `C2`: `cos` and `sin` have one type.
    * `C3`: the shape of `cos` agrees with the input's without H and with half of R.
    * `C4`: the result's shape agrees with the input's.

    **Source**: Su et al., RoFormer, arXiv:2104.09864 (`pairs`); `halves` is the order of the checkpoints of transformers.
  }];
  let arguments = (ins AnyRankedTensor:$input, AnyRankedTensor:$cos, AnyRankedTensor:$sin, Ds_RopeLayoutAttr:$layout_in, Ds_RopeLayoutAttr:$layout_out);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = "$input `,` $cos `,` $sin $layout_in `to` $layout_out attr-dict `:` type($input) `,` type($cos) `,` type($sin) `to` type($result)";
}

def Ds_LinearOp : Ds_ModelOp<"linear", [Ds_Reify, Ds_Tiling]> {
  let summary = "`result[…, n] = Σ_k input[…, k] · weight[n, k]  (+ bias[n])`, accumulated in f32";
  let description = [{
    `input` […, K], `weight` [N, K] as checkpoints store it, `bias` [N], result […, N]. Products and sums are f32 (f64 for an
    f64 input), the bias is added last, then the value is rounded once to the result's type. K = 0 gives 0 (or the bias).
    Tiles: over the dimensions of `input` but the last, and over N; never over K, so that every element is one sum.

    **Constraints**
    * `C1`: all operands and the result are floats; `input` has at least one dimension and `weight` has rank 2.
    * `C2`: the last sizes of `input` and `weight` agree (K).
    * `C3`: `bias` has rank 1 and its size agrees with N.
    * `C4`: the result's shape agrees with the input's, N instead of K.

    **Source**: torch.nn.Linear; the projections of every DeepSeek generation.
  }];
  let arguments = (ins AnyRankedTensor:$input, AnyRankedTensor:$weight, Optional<AnyRankedTensor>:$bias);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = "$input `,` $weight (`bias` $bias^ `:` type($bias))? attr-dict `:` type($input) `,` type($weight) `to` type($result)";
}

def Ds_SwigluOp : Ds_ModelOp<"swiglu", [Ds_InferTypes, Ds_Reify, Ds_Tiling]> {
  let summary = "`gate · sigmoid(gate) · up`, in f32";
  let description = [{
    At every index, `(gate · (1 / (1 + exp(−gate)))) · up` in f32 (f64 for f64), rounded once. Tiles: over all dimensions.

    **Constraints**
    * `C1`: `gate` and `up` are floats of one type, which is the result's.
    * `C2`: the shapes of `gate`, `up` and result agree.

    **Source**: Shazeer, GLU Variants Improve Transformer, arXiv:2002.05202, without biases.
  }];
  let arguments = (ins AnyRankedTensor:$gate, AnyRankedTensor:$up);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = "$gate `,` $up attr-dict `:` type($gate) `,` type($up) `to` type($result)";
}

// ----- attention ---------------------------------------------------------------------------------------------------
def Ds_AttentionOp : Ds_ModelOp<"attention", [Ds_InferTypes, Ds_Reify, Ds_Tiling]> {
  let summary = "softmax(scale · q·kᵀ + mask) · v over dense batches (MHA, GQA, MQA)";
  let description = [{
    `query` [B, S, H, D], `key` [B, Hkv, T, D], `value` [B, Hkv, T, Dv], result [B, S, H, Dv]. Query head h reads kv head
    `h / (H / Hkv)`. With q, k, v of one batch and head,

        score[s, t] = (Σ_d q[s, d] · k[t, d]) · scale (+ mask[s, t])
        result[s]   = Σ_t exp(score[s, t] − max_t score[s, t]) · v[t] / Σ_t exp(score[s, t] − max_t score[s, t])

    over the keys t that row s may attend to. `causal`: row s sees keys `t ≤ s + T − S` (the last rows of query and key are
    one token, so a past is keys before it). `mask`, if given, broadcasts to [B, H, S, T]: i1 (true = may attend) or float
    (added). Scores, softmax and sums are f32 (f64 for f64), rounded once to the result's type. A row that may attend to
    nothing gives zeros. `ds.online_attention` is the form that walks keys in blocks. Tiles: over B, S and Hkv; a causal tile of
    rows has the keys up to the one that its last row sees.

    **Constraints**
    * `C1`: `query`, `key` and `value` have rank 4, and their first sizes agree (B).
    * `C2`: `key` and `value` agree in Hkv and in T.
    * `C3`: H is a multiple of Hkv.
    * `C4`: `query` and `key` agree in D.
    * `C5`: `mask` has i1 or float elements, rank 4 at most, and every size, counted from the last, is 1 or agrees with that
      of [B, H, S, T].
    * `C6`: `query`, `key` and `value` are floats, and the result has the query's element type.
    * `C7`: the result's shape agrees with [B, S, H, Dv].
    * `C8`: `scale` is finite.

    **Source**: Vaswani et al., arXiv:1706.03762; grouped heads: Ainslie et al., arXiv:2305.13245. The guard for rows without
    keys is that of ONNX Attention.
  }];
  let arguments = (ins AnyRankedTensor:$query, AnyRankedTensor:$key, AnyRankedTensor:$value, Optional<AnyRankedTensor>:$mask, F64Attr:$scale, UnitAttr:$causal);
  let results = (outs AnyRankedTensor:$result);
  let hasCanonicalizeMethod = 1;
  let assemblyFormat = [{
    $query `,` $key `,` $value (`mask` $mask^ `:` type($mask))? `scale` $scale (`causal` $causal^)? attr-dict
    `:` type($query) `,` type($key) `,` type($value) `to` type($result)
  }];
}

def Ds_OnlineAttentionOp : Ds_ModelOp<"online_attention",
    [AttrSizedOperandSegments, Ds_InferTypes, Ds_Reify, Ds_Tiling, DestinationStyleOpInterface]> {
  let summary = "ds.attention over one block of keys, carried on from the blocks before";
  let description = [{
    `query` [B, S, H, D], `key` [B, Hkv, T, D], `value` [B, Hkv, T, Dv] as in `ds.attention`, T being the keys of the block;
    `accumulator` [B, S, H, Dv], `maximum` [B, S, H], `sum` [B, S, H] are the destinations and what the blocks before left
    there. For one row and head, with the scores of `ds.attention` over the keys t of the block that the row may attend to
    (−inf for others),

        maximum'     = max(maximum, max_t score[t])
        sum'         = sum · exp(maximum − maximum') + Σ_t exp(score[t] − maximum')
        accumulator' = accumulator · exp(maximum − maximum') + Σ_t exp(score[t] − maximum') · v[t]

    where a maximum' of −inf (nothing seen yet) counts as 0 in the exponents. Starting from 0, −inf and 0, after all blocks
    accumulator / sum is the result of `ds.attention`, 0 where sum is 0. All of it is in the type of `accumulator`. With
    `diagonal`, row s sees the block's keys `t ≤ s + diagonal` (negative: the first rows see none). `mask` as in `ds.attention`,
    over the keys of the block. Tiles: over B, S, Hkv, and over T as a reduction: one tile carries on from the other.

    With `tail` [B, Ht, T, Dt] keys have two parts: the query is D + Dt wide, and Σ_d q[s, D + d] · tail[t, d] is added to the sum of a
    score; a tail of one head serves all. So a block of latent attention is this op in both forms: absorbed, `key` and `value` are the
    latents themselves (a value that is the first part of the key); expanded, they are made of the latents, head by head; the tail is
    the rope key. `ds-tile-latent-attention` writes `ds.mla_absorbed` and `ds.mla` so.

    **Constraints**
    * `C1`: `query`, `key` and `value` have rank 4, and their first sizes agree (B).
    * `C2`: `key` and `value` agree in Hkv and in T.
    * `C3`: H is a multiple of Hkv.
    * `C4`: the query's width is that of `key` (D), or of `key` and `tail` together.
    * `C5`: `mask` has i1 or float elements, rank 4 at most, and every size, counted from the last, is 1 or agrees with that
      of [B, H, S, T].
    * `C6`: `query`, `key` and `value` are floats.
    * `C7`: `accumulator`, `maximum` and `sum` have one element type, f32 or f64.
    * `C8`: their shapes agree with [B, S, H, Dv], [B, S, H] and [B, S, H].
    * `C9`: `scale` is finite.
    * `C10`: `tail` is a float of rank 4, agrees with `key` in B and T, and has one head or those of `key`.

    **Source**: Milakov and Gimelshein, arXiv:1805.02867 (the running maximum and sum); Dao et al., FlashAttention,
    arXiv:2205.14135 (the accumulator). The results have the types of the destinations.
  }];
  let arguments = (ins AnyRankedTensor:$query, AnyRankedTensor:$key, AnyRankedTensor:$value, Optional<AnyRankedTensor>:$tail,
                       Optional<AnyRankedTensor>:$mask, Optional<Index>:$diagonal, AnyRankedTensor:$accumulator, AnyRankedTensor:$maximum, AnyRankedTensor:$sum,
                       F64Attr:$scale);
  let results = (outs AnyRankedTensor:$new_accumulator, AnyRankedTensor:$new_maximum, AnyRankedTensor:$new_sum);
  let hasCanonicalizeMethod = 1;
  let hasFolder = 1;
  let assemblyFormat = [{
    $query `,` $key `,` $value (`tail` $tail^ `:` type($tail))? (`mask` $mask^ `:` type($mask))? (`diagonal` $diagonal^)? `scale` $scale
    `into` $accumulator `,` $maximum `,` $sum attr-dict
    `:` type($query) `,` type($key) `,` type($value) `into` type($accumulator) `,` type($maximum) `,` type($sum)
  }];
  let extraClassDeclaration = [{
    ::mlir::MutableOperandRange getDpsInitsMutable();
  }];
}

// ----- flattened tokens: B sequences end to end --------------------------------------------------------------------
// Sequence b has the tokens row_start[b] … row_start[b + 1] − 1, lies in slot cache_slot[b] of the caches, and has
// past_length[b] tokens there already.
def Ds_TokenPositionsOp : Ds_ModelOp<"token_positions", [Ds_Reify, Ds_Tiling]> {
  let summary = "position of every token in its sequence: `result[row_start[b] + i] = past_length[b] + i`, i32 [N]";
  let description = [{
    `row_start` [B+1], `past_length` [B], `tokens` = N = `row_start[B]`, result [N]. `row_start` ascends from 0; the entry
    checks this before anything runs. Tiles: over N; the part of a sequence before a tile is past there.

    **Constraints**
    * `C1`: `row_start` and `past_length` are i32 of rank 1, and `row_start` has one entry more.
    * `C2`: the result is i32 of rank 1.
  }];
  let arguments = (ins AnyRankedTensor:$row_start, AnyRankedTensor:$past_length, Index:$tokens);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = "$row_start `,` $past_length `,` $tokens attr-dict `:` type($row_start) `,` type($past_length) `to` type($result)";
}

def Ds_CacheAppendOp : Ds_ModelOp<"cache_append", [Ds_InferTypes, Ds_Reify, Ds_Tiling, DestinationStyleOpInterface]> {
  let summary = "new rows of every sequence written behind its past, in place";
  let description = [{
    `rows` [N, Hkv, D], `cache` [slots, Hkv, length, D]:

        result[cache_slot[b], h, past_length[b] + i, :] = rows[row_start[b] + i, h, :]     i < row_start[b+1] − row_start[b]

    and all else is `cache`. Elements are rounded once to the cache's type. Destination style: `cache` is the destination and
    bufferizes in place; slots of different sequences differ and `past_length[b] + i < length`, which the entry checks.
    Tiles: over Hkv and D.

    **Constraints**
    * `C1`: `rows` has rank 3 and `cache` rank 4, both floats.
    * `C2`: `rows` and `cache` agree in Hkv and D.
    * `C3`: `row_start`, `past_length` and `cache_slot` are i32 of rank 1 with B + 1, B and B entries.
    * `C4`: the result has the type of `cache`.
  }];
  let arguments = (ins AnyRankedTensor:$rows, AnyRankedTensor:$cache, AnyRankedTensor:$row_start, AnyRankedTensor:$past_length, AnyRankedTensor:$cache_slot);
  let results = (outs AnyRankedTensor:$result);
  let hasFolder = 1;
  let assemblyFormat = [{
    $rows `into` $cache `at` $row_start `,` $past_length `,` $cache_slot attr-dict
    `:` type($rows) `,` type($cache) `,` type($row_start) `,` type($past_length) `,` type($cache_slot) `to` type($result)
  }];
  let extraClassDeclaration = [{
    ::mlir::MutableOperandRange getDpsInitsMutable() { return getCacheMutable(); }
  }];
}

def Ds_CachedAttentionOp : Ds_ModelOp<"cached_attention", [Ds_InferTypes, Ds_Reify, Ds_Tiling]> {
  let summary = "causal attention of flattened tokens over their sequences' caches";
  let description = [{
    `query` [N, H, D], `key` [slots, Hkv, length, D], `value` [slots, Hkv, length, Dv], result [N, H, Dv]. Token
    `row_start[b] + i` attends to the first `past_length[b] + i + 1` rows of slot `cache_slot[b]` by the formula of
    `ds.attention` and never touches others (they may hold NaN). Keys are walked in blocks anchored at position 0, so the bits
    do not depend on how tokens came in. Scores, softmax and sums are f32, rounded once to the result's type; with query and caches of
    bf16 weights may be rounded to bf16 before they meet values. Tiles: over N (the part of a sequence before a tile is past there) and Hkv.

    **Constraints**
    * `C1`: `query` has rank 3, `key` and `value` have rank 4, all floats.
    * `C2`: `key` and `value` agree in slots, Hkv and length.
    * `C3`: H is a multiple of Hkv.
    * `C4`: `query` and `key` agree in D.
    * `C5`: `row_start`, `past_length` and `cache_slot` are i32 of rank 1 with B + 1, B and B entries.
    * `C6`: the result has the query's element type, and its shape agrees with [N, H, Dv].
    * `C7`: `scale` is finite.

    **Source**: as `ds.attention`; the layout of sequences is that of variable-length attention kernels (Dao et al.,
    arXiv:2205.14135).
  }];
  let arguments = (ins AnyRankedTensor:$query, AnyRankedTensor:$key, AnyRankedTensor:$value,
                       AnyRankedTensor:$row_start, AnyRankedTensor:$past_length, AnyRankedTensor:$cache_slot, F64Attr:$scale);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = [{
    $query `,` $key `,` $value `at` $row_start `,` $past_length `,` $cache_slot `scale` $scale attr-dict
    `:` type($query) `,` type($key) `,` type($value) `,` type($row_start) `,` type($past_length) `,` type($cache_slot) `to` type($result)
  }];
}

#endif // DIALECTS_DS_IR_DSMODELOPS
