//===- DsLatentOps.td - latent attention and token prediction --*- tablegen -*-===//
//
// What DeepSeek-V2 and V3 have beside experts: attention over a cache of latents in its two forms, and the input of a layer
// that predicts a token more. Each description is the op's specification; see the dialect's description for how to read it.
//
//===----------------------------------------------------------------------===//
#ifndef DIALECTS_DS_IR_DSLATENTOPS
#define DIALECTS_DS_IR_DSLATENTOPS
include "dialects/ds/IR/DsModelOps.td"

// ----- latent attention ----------------------------------------------------------------------------------------------
// The cache of a layer is two tensors that ds.cache_append writes: latents (normalised) and rope keys (rotated), one head
// each, shared by all heads of the query: C + R numbers a token. Sequences are those of flattened tokens (DsModelOps.td).
def Ds_MlaOp : Ds_ModelOp<"mla", [Ds_InferTypes, Ds_Reify, Ds_Tiling]> {
  let summary = "latent attention, expanded: keys and values of every head are made of the cached latents";
  let description = [{
    `query` [N, H, P + R], in a head first P numbers without position, then R rotated; `latent` [slots, 1, length, C], `rope`
    [slots, 1, length, R]; `key_weight` (W_UK) [H, P, C], `value_weight` (W_UV) [H, V, C]; result [N, H, V]. Token
    n = `row_start[b] + i` attends to the first `past_length[b] + i + 1` rows t of slot `cache_slot[b]`; with c_t and r_t their latent
    and rope key,

        score[n, h, t] = (Σ_p query[n, h, p] · (Σ_c key_weight[h, p, c] · c_t[c]) + Σ_r query[n, h, P + r] · r_t[r]) · scale
        result[n, h]   = Σ_t softmax_t(score[n, h, t]) · (Σ_c value_weight[h, :, c] · c_t[c])

    Rows that a token does not attend to are never touched (they may hold NaN). Keys, values, scores, softmax and sums are f32
    (f64 for f64), rounded once to the result's type; with query and caches of bf16 keys, values and weights may be rounded to bf16 before they are multiplied. The cost is that of expanding every key that a sequence sees once a call; `ds.mla_absorbed` is
    the form for few tokens. `scale` is (P + R)^(−1/2) times what YaRN asks for. Tiles: over N (the part of a sequence before a tile
    is past there) and H.

    **Constraints**
    * `C1`: `query`, `key_weight` and `value_weight` have rank 3, `latent` and `rope` rank 4; all are floats.
    * `C2`: `latent` and `rope` have one head and agree in slots and length.
    * `C3`: `key_weight` and `value_weight` agree with the query in H and with `latent` in C.
    * `C4`: the query's width is that of `key_weight` and that of `rope` together (P + R).
    * `C5`: `row_start`, `past_length` and `cache_slot` are i32 of rank 1 with B + 1, B and B entries.
    * `C6`: the result has the query's element type, and its shape agrees with [N, H, V].
    * `C7`: `scale` is finite.

    **Source**: DeepSeek-AI, DeepSeek-V2, arXiv:2405.04434 §2.1.
  }];
  let arguments = (ins AnyRankedTensor:$query, AnyRankedTensor:$latent, AnyRankedTensor:$rope, AnyRankedTensor:$key_weight,
                       AnyRankedTensor:$value_weight, AnyRankedTensor:$row_start, AnyRankedTensor:$past_length,
                       AnyRankedTensor:$cache_slot, F64Attr:$scale);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = [{
    $query `,` $latent `,` $rope `expand` $key_weight `,` $value_weight `at` $row_start `,` $past_length `,` $cache_slot `scale` $scale attr-dict
    `:` type($query) `,` type($latent) `,` type($rope) `,` type($key_weight) `,` type($value_weight) `,` type($row_start) `,`
    type($past_length) `,` type($cache_slot) `to` type($result)
  }];
}

def Ds_MlaAbsorbedOp : Ds_ModelOp<"mla_absorbed", [Ds_InferTypes, Ds_Reify, Ds_Tiling]> {
  let summary = "latent attention, absorbed: the latents themselves are key and value of all heads";
  let description = [{
    `query` [N, H, C + R], `latent` [slots, 1, length, C], `rope` [slots, 1, length, R], result [N, H, C]. Over the rows t that
    `ds.mla` says, with c_t and r_t their latent and rope key,

        score[n, h, t] = (Σ_c query[n, h, c] · c_t[c] + Σ_r query[n, h, C + r] · r_t[r]) · scale
        result[n, h]   = Σ_t softmax_t(score[n, h, t]) · c_t

    so it is `ds.cached_attention` with one kv head whose key is [c_t ; r_t] and whose value is the first C columns of the key. `ds.mla` of
    (q, W_UK, W_UV) is the result with the query [q[:P] · W_UK ; q[P:]], multiplied by W_UVᵀ, head by head; the scale is that of
    `ds.mla`, not (C + R)^(−1/2). Rows that a token does not attend to are never touched. Scores, softmax and sums are f32 (f64
    for f64), rounded once to the result's type; with query and caches of bf16 weights may be rounded to bf16 before they meet values. Tiles: over N (the part of a sequence before a tile is past there) and H.

    **Constraints**
    * `C1`: `query` has rank 3, `latent` and `rope` rank 4; all are floats.
    * `C2`: `latent` and `rope` have one head and agree in slots and length.
    * `C3`: the query's width is that of `latent` and that of `rope` together (C + R).
    * `C4`: `row_start`, `past_length` and `cache_slot` are i32 of rank 1 with B + 1, B and B entries.
    * `C5`: the result has the query's element type, and its shape agrees with [N, H, C].
    * `C6`: `scale` is finite.

    **Source**: DeepSeek-AI, DeepSeek-V2, arXiv:2405.04434 §2.1.2 and appendix C (absorbed matrices).
  }];
  let arguments = (ins AnyRankedTensor:$query, AnyRankedTensor:$latent, AnyRankedTensor:$rope, AnyRankedTensor:$row_start,
                       AnyRankedTensor:$past_length, AnyRankedTensor:$cache_slot, F64Attr:$scale);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = [{
    $query `,` $latent `,` $rope `at` $row_start `,` $past_length `,` $cache_slot `scale` $scale attr-dict
    `:` type($query) `,` type($latent) `,` type($rope) `,` type($row_start) `,` type($past_length) `,` type($cache_slot) `to` type($result)
  }];
}

// ----- multi-token prediction ----------------------------------------------------------------------------------------
def Ds_MtpInputOp : Ds_ModelOp<"mtp_input", [Ds_Reify]> {
  let summary = "what a layer of multi-token prediction starts from: `[rms_norm(embedding) ; rms_norm(hidden)] · weightᵀ`";
  let description = [{
    `embedding` […, d] of token i + 1, `hidden` […, d] of position i after the model's final norm (or, for a further draft, after
    the layer's own), `embedding_norm` (enorm) and `hidden_norm` (hnorm) [d], `weight` (eh_proj) [D, 2·d], result […, D]:

        z      = [rms_norm(embedding, embedding_norm, epsilon) ; rms_norm(hidden, hidden_norm, epsilon)]       2·d numbers
        result = Σ_i z[i] · weight[:, i]

    The embedding is the first half. Norms and sums are f32 (f64 for f64), rounded once to the result's type.
    `ds-decompose-mtp-input` writes it as `ds.rms_norm`, `ds.concat` and `ds.linear`; no lowering but the reference knows the op.

    **Constraints**
    * `C1`: operands and result are floats; `embedding` has at least one dimension, and the shape of `hidden` agrees with its.
    * `C2`: `embedding_norm` and `hidden_norm` have rank 1 and their sizes agree with d.
    * `C3`: `weight` has rank 2 and its last size is 2·d.
    * `C4`: the result's shape agrees with the embedding's, D instead of d.
    * `C5`: `epsilon` is finite and not negative.

    **Source**: DeepSeek-AI, DeepSeek-V3, arXiv:2412.19437 §2.2; the order of the halves is that of the released weights.
  }];
  let arguments = (ins AnyRankedTensor:$embedding, AnyRankedTensor:$hidden, AnyRankedTensor:$embedding_norm,
                       AnyRankedTensor:$hidden_norm, AnyRankedTensor:$weight, F64Attr:$epsilon);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = [{
    $embedding `,` $hidden `norms` $embedding_norm `,` $hidden_norm `weight` $weight `epsilon` $epsilon attr-dict
    `:` type($embedding) `,` type($hidden) `,` type($embedding_norm) `,` type($hidden_norm) `,` type($weight) `to` type($result)
  }];
}

#endif // DIALECTS_DS_IR_DSLATENTOPS
