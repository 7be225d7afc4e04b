//===- DsModelOps.td - what DeepSeek models are made of -------*- tablegen -*-===//
#ifndef DIALECTS_DS_IR_DSMODELOPS
#define DIALECTS_DS_IR_DSMODELOPS
include "dialects/ds/IR/DsBase.td"

def Ds_ParameterOp : Ds_Op<"parameter", [Symbol]> {
  let summary = "a weight of the model: a name, a type and where the bytes are";
  let description = [{
    `source` is an array of `#ds.file_range` whose bytes, one after the other, are the tensor (one range for most; the
    experts of a layer are one parameter made of many), or an ElementsAttr for small values. Nothing is read before code
    generation needs it.
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, TypeAttr:$type, AnyAttr:$source);
  let assemblyFormat = "$sym_name `:` $type `=` $source attr-dict";
}
def Ds_LoadParameterOp : Ds_Op<"load_parameter", [Pure]> {
  let summary = "the value of a ds.parameter (a view of mapped memory: no copy)";
  let arguments = (ins FlatSymbolRefAttr:$parameter);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = "$parameter attr-dict `:` type($result)";
}
def Ds_EmbeddingOp : Ds_Op<"embedding", [Pure]> {
  let summary = "rows of a table: `result[…, :] = table[ids[…], :]`, widened to the result's type";
  let arguments = (ins AnyRankedTensor:$ids, AnyRankedTensor:$table);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = "$ids `,` $table attr-dict `:` type($ids) `,` type($table) `to` type($result)";
}
def Ds_RmsNormOp : Ds_Op<"rms_norm", [Pure]> {
  let summary = "`x · rsqrt(mean(x², last) + epsilon) · weight`";
  let description = [{ Mean, epsilon and rsqrt in f32; the normalised value is rounded to the result's type before the product with `weight` if `round_before_weight`. }];
  let arguments = (ins AnyRankedTensor:$input, AnyRankedTensor:$weight, F64Attr:$epsilon, UnitAttr:$round_before_weight);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = "$input `,` $weight `epsilon` $epsilon (`round_before_weight` $round_before_weight^)? attr-dict `:` type($input) `,` type($weight) `to` type($result)";
}
def Ds_RopeOp : Ds_Op<"rope", [Pure]> {
  let summary = "rotary position embedding of the last dimension";
  let description = [{
    `input` is `[…, H, R]` with the token dimensions before H; `cos`, `sin` are `[…, R/2]` over the same token dimensions
    (frequencies are data: YaRN and linear scaling are only other tables). With a, b the two members of rotation i,
    `a' = a·cos_i − b·sin_i`, `b' = b·cos_i + a·sin_i`, in f32. `layout_in` and `layout_out` say where members sit:
    `halves` (i, i+R/2) or `pairs` (2i, 2i+1).
  }];
  let arguments = (ins AnyRankedTensor:$input, AnyRankedTensor:$cos, AnyRankedTensor:$sin, Ds_RopeLayoutAttr:$layout_in, Ds_RopeLayoutAttr:$layout_out);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = "$input `,` $cos `,` $sin $layout_in `to` $layout_out attr-dict `:` type($input) `,` type($cos) `,` type($sin) `to` type($result)";
}
def Ds_LinearOp : Ds_Op<"linear", [Pure]> {
  let summary = "`result[…, n] = Σ_k input[…, k] · weight[n, k]  (+ bias[n])`, accumulated in f32";
  let description = [{ `weight` is `[N, K]` as checkpoints store it, of any float type, or packed: see `#ds.packed`. }];
  let arguments = (ins AnyRankedTensor:$input, AnyRankedTensor:$weight, Optional<AnyRankedTensor>:$bias);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = "$input `,` $weight (`bias` $bias^ `:` type($bias))? attr-dict `:` type($input) `,` type($weight) `to` type($result)";
}
def Ds_SwigluOp : Ds_Op<"swiglu", [Pure]> {
  let summary = "`gate · sigmoid(gate) · up`, in f32";
  let arguments = (ins AnyRankedTensor:$gate, AnyRankedTensor:$up);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = "$gate `,` $up attr-dict `:` type($gate) `,` type($up) `to` type($result)";
}
def Ds_AttentionOp : Ds_Op<"attention", [Pure]> {
  let summary = "softmax(scale · q·kᵀ + mask) · v over dense batches (MHA, GQA, MQA)";
  let description = [{
    `query` [B, S, H, D], `key` [B, Hkv, T, D], `value` [B, Hkv, T, Dv], result [B, S, H, Dv]. Query head h reads kv head
    `h / (H / Hkv)`. `causal`: query row s sees keys `j ≤ s + T − S`. `mask`, if given, broadcasts to [B, H, S, T]: i1 (true =
    may attend) or float (added). Scores, softmax and the sums are f32. A row that may attend to nothing gives zeros.
  }];
  let arguments = (ins AnyRankedTensor:$query, AnyRankedTensor:$key, AnyRankedTensor:$value, Optional<AnyRankedTensor>:$mask, F64Attr:$scale, UnitAttr:$causal);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = [{
    $query `,` $key `,` $value (`mask` $mask^ `:` type($mask))? `scale` $scale (`causal` $causal^)? attr-dict
    `:` type($query) `,` type($key) `,` type($value) `to` type($result)
  }];
}

// ----- flattened tokens: B sequences end to end --------------------------------------------------------------------
def Ds_TokenPositionsOp : Ds_Op<"token_positions", [Pure]> {
  let summary = "position of every token in its sequence: `result[row_start[b] + i] = past_length[b] + i`, i32 [N]";
  let arguments = (ins AnyRankedTensor:$row_start, AnyRankedTensor:$past_length, Index:$tokens);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = "$row_start `,` $past_length `,` $tokens attr-dict `:` type($row_start) `,` type($past_length) `to` type($result)";
}
def Ds_CacheAppendOp : Ds_Op<"cache_append", [Pure]> {
  let summary = "new rows of every sequence written behind its past, in place";
  let description = [{
    `rows` [N, Hkv, D], `cache` [slots, Hkv, length, D]:
    `result[cache_slot[b], h, past_length[b] + i, :] = rows[row_start[b] + i, h, :]`, all else is `cache`. Destination style:
    `cache` is the destination and bufferizes in place.
  }];
  let arguments = (ins AnyRankedTensor:$rows, AnyRankedTensor:$cache, AnyRankedTensor:$row_start, AnyRankedTensor:$past_length, AnyRankedTensor:$cache_slot);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = [{
    $rows `into` $cache `at` $row_start `,` $past_length `,` $cache_slot attr-dict
    `:` type($rows) `,` type($cache) `,` type($row_start) `,` type($past_length) `,` type($cache_slot) `to` type($result)
  }];
}
def Ds_CachedAttentionOp : Ds_Op<"cached_attention", [Pure]> {
  let summary = "causal attention of flattened tokens over their sequences' caches";
  let description = [{
    `query` [N, H, D], `key` [slots, Hkv, length, D], `value` [slots, Hkv, length, Dv], result [N, H, Dv]. Token
    `row_start[b] + i` attends to the first `past_length[b] + i + 1` rows of slot `cache_slot[b]` and never touches others (they
    may hold NaN). Keys are walked in blocks anchored at position 0, so the bits do not depend on how tokens came in.
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
