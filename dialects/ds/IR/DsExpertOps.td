//===- DsExpertOps.td - routed experts -------------------------*- tablegen -*-===//
//
// Which experts a token takes, and what they make of it. Each description is the op's specification; see the dialect's
// description for how to read it. N tokens, E experts, k experts a token, d the width of the model, I that of an expert.
//
//===----------------------------------------------------------------------===//
#ifndef DIALECTS_DS_IR_DSEXPERTOPS
#define DIALECTS_DS_IR_DSEXPERTOPS
include "dialects/ds/IR/DsModelOps.td"

// ----- the choice --------------------------------------------------------------------------------------------------
def Ds_RouteOp : Ds_ModelOp<"route", [Ds_Reify]> {
  let summary = "the k experts of every token, their mixing weights, and how many tokens each expert has";
  let description = [{
    `logits` [N, E], `bias` [E]; G = `groups` groups of E / G neighbouring experts, of which `kept_groups` stay. For token n:

        s[e] = exp(logits[n, e] − m) / Σ_j exp(logits[n, j] − m),  m = max_j logits[n, j]     with scoring `softmax`
        s[e] = 1 / (1 + exp(−logits[n, e]))                                                  with scoring `sigmoid`
        t[e] = s[e] (+ bias[e])
        g[i] = the largest t of group i                                                      with group score `max`
        g[i] = the sum of its two largest t (its only t, where groups have one)              with group score `top2sum`
        u[e] = t[e] where the group of e is one of the `kept_groups` with the largest g, else 0 (fill `zero`) or −inf (`lowest`)

    The experts of the token are the `top_k` = k with the largest u. Of equals the one with the lower number is the larger, here
    and among groups. Slots ascend by expert: experts[n, 0] < … < experts[n, k − 1], and with e_j = experts[n, j],

        weights[n, j] = scale · s[e_j]                                                       without `normalize`
        weights[n, j] = scale · (s[e_j] / (Σ_i s[e_i] + normalize))                          with it (0.0: the sum alone)
        loads[e]      = how many tokens have e among their experts

    All of it is f32; the sum of the chosen scores ascends. The bias decides, it never weighs. A NaN is larger than every number, so a token
    with a NaN among its logits has one among its weights; experts are k different numbers of [0, E) in any case. With sigmoids
    that all round to 0, `normalize` 0.0 gives NaN and any other gives 0. One group is kept whole: score and fill are without effect.

    Frameworks differ in group score, fill, normalisation and its epsilon: DeepSeek-V2 has softmax, `max`, `zero`, no
    normalisation; DeepSeek-V3 sigmoid, a bias, `top2sum`, `lowest` (`zero` in older transformers), normalize 1e-20 (0.0 in
    DeepSeek's own code).

    **Constraints**
    * `C1`: `logits` is f32 of rank 2 and E is static, 1 at least.
    * `C2`: `bias` is f32 of rank 1 and its size agrees with E.
    * `C3`: `top_k` is one of 1 … E.
    * `C4`: `groups` is positive and divides E; `kept_groups` is one of 1 … `groups`.
    * `C5`: `normalize` is finite and not negative, `scale` is finite.
    * `C6`: `weights` is f32 and `experts` i32, their shapes agree with [N, k]; `loads` is i32 and its shape agrees with [E].

    **Source**: DeepSeek-AI, DeepSeek-V2, arXiv:2405.04434 §2.2 (device-limited routing); DeepSeek-V3, arXiv:2412.19437 §2.1.2 (the
    bias); `MoEGate` of both models' code.
  }];
  let arguments = (ins AnyRankedTensor:$logits, Optional<AnyRankedTensor>:$bias, Ds_RouteScoringAttr:$scoring, I64Attr:$top_k,
                       I64Attr:$groups, I64Attr:$kept_groups, Ds_GroupScoreAttr:$group_score, Ds_RouteFillAttr:$fill,
                       OptionalAttr<F64Attr>:$normalize, F64Attr:$scale);
  let results = (outs AnyRankedTensor:$weights, AnyRankedTensor:$experts, AnyRankedTensor:$loads);
  let assemblyFormat = [{
    $logits (`bias` $bias^ `:` type($bias))? $scoring `top` $top_k `groups` $groups `keep` $kept_groups `by` $group_score `fill` $fill
    (`normalize` $normalize^)? `scale` $scale attr-dict `:` type($logits) `to` type($weights) `,` type($experts) `,` type($loads)
  }];
}

def Ds_UpdateRouteBiasOp : Ds_ModelOp<"update_route_bias", [Ds_InferTypes, Ds_Reify]> {
  let summary = "`bias + rate · sign(mean load − load)`: experts with much to do are chosen less";
  let description = [{
    `bias` [E], `loads` [E] of `ds.route`, `rate` a number, result [E]:

        result[e] = bias[e] + rate · sign(Σ_j loads[j] − E · loads[e])

    The comparison with the mean is one of whole numbers (i64), so it is exact; sign is −1, 0 or 1, product and sum are f32. At
    the mean the bias stays as it is, bit for bit.

    **Constraints**
    * `C1`: `bias` and result are f32 of rank 1, and their sizes agree (E).
    * `C2`: `loads` is i32 of rank 1 and its size agrees with E.
    * `C3`: `rate` is f32 of rank 0.

    **Source**: DeepSeek-AI, DeepSeek-V3, arXiv:2412.19437 §2.1.2 (auxiliary-loss-free load balancing).
  }];
  let arguments = (ins AnyRankedTensor:$bias, AnyRankedTensor:$loads, AnyRankedTensor:$rate);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = "$bias `,` $loads `rate` $rate attr-dict `:` type($bias) `,` type($loads) `,` type($rate) `to` type($result)";
}

// ----- the experts -------------------------------------------------------------------------------------------------
def Ds_MoeOp : Ds_ModelOp<"moe", [Ds_InferTypes, Ds_Reify]> {
  let summary = "the mixture of what every token's experts make of it";
  let description = [{
    `input` [N, d], `weights` and `experts` [N, k] as of `ds.route`, `gate` and `up` [E, I, d], `down` [E, d, I], result [N, d]:

        a(n, e)   = swiglu(Σ_i input[n, i] · gate[e, :, i], Σ_i input[n, i] · up[e, :, i])            I numbers
        result[n] = Σ_j weights[n, j] · Σ_i a(n, experts[n, j])[i] · down[experts[n, j], :, i]       j ascends

    in f32 (f64 for an f64 input), rounded once to the result's type. A negative expert counts from the end; one outside is an
    error at run time (the entry returns DS_STATUS_INDEX). Experts that no token has are not touched, so what they would make of
    a token (infinity · 0) is in no result. Shared experts are no part of it: they are plain `ds.linear` and `ds.swiglu`, added after.

    `ds-decompose-moe` writes it as `ds.group_tokens`, `ds.grouped_linear` and `ds.combine`; no lowering but the reference knows the op.

    **Constraints**
    * `C1`: `input` has rank 2; it and the result are floats of one type.
    * `C2`: `weights` is f32 and `experts` are integers, not i1; both have rank 2, and they agree with N and with each other in k.
    * `C3`: `gate`, `up` and `down` are floats of rank 3, and their shapes agree with [E, I, d], [E, I, d] and [E, d, I]; E is
      static, 1 at least.
    * `C4`: the result's shape agrees with [N, d].

    **Source**: DeepSeek-AI, DeepSeek-V2, arXiv:2405.04434 §2.2.
  }];
  let arguments = (ins AnyRankedTensor:$input, AnyRankedTensor:$weights, AnyRankedTensor:$experts, AnyRankedTensor:$gate,
                       AnyRankedTensor:$up, AnyRankedTensor:$down);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = [{
    $input `weights` $weights `experts` $experts `gate` $gate `up` $up `down` $down attr-dict
    `:` type($input) `,` type($weights) `,` type($experts) `,` type($gate) `,` type($up) `,` type($down) `to` type($result)
  }];
}

def Ds_GroupTokensOp : Ds_ModelOp<"group_tokens", [Ds_Reify]> {
  let summary = "the rows of all tokens' experts in the order of the experts, cut into tiles of one expert each";
  let description = [{
    `experts` [N, k]. Its N·k entries, row-major, sorted by expert, entries of one expert in their order, are the **grouped
    rows** r = 0 … N·k − 1:

        tokens[r]    = the token n of row r                                             [N·k]
        places[n, j] = the row of entry (n, j)                                          [N, k]
        offsets[e]   = how many rows have an expert below e, so expert e has the rows offsets[e] … offsets[e + 1] − 1     [E + 1]
        tiles[i]     = (expert, first row, rows) for i < count, (0, 0, 0) behind       [ceil(N·k / M) + E, 3]
        count        = how many tiles there are

    with E = `num_experts` and M = `tile_rows`. The tiles of an expert are its rows cut from the first on into M each, the last
    one shorter; experts without rows have none; tiles ascend by row. So no tile crosses experts, a loop over `count` tiles costs
    what the tokens' experts cost, and a loop over all of them is correct too. A negative expert counts from the end; one
    outside [−E, E) is an error at run time (DS_STATUS_INDEX) and counts as the nearest there is. N·k is below 2^31.

    **Constraints**
    * `C1`: `experts` are integers, not i1, of rank 2, and k is static.
    * `C2`: `num_experts` and `tile_rows` are positive.
    * `C3`: the results are i32 and their shapes agree with [N·k], [N, k], [E + 1], [ceil(N·k / M) + E, 3] and [].

    **Source**: a counting sort; the list of tiles is that of grouped products (Gale et al., MegaBlocks, arXiv:2211.15841).
  }];
  let arguments = (ins AnyRankedTensor:$experts, I64Attr:$num_experts, I64Attr:$tile_rows);
  let results = (outs AnyRankedTensor:$tokens, AnyRankedTensor:$places, AnyRankedTensor:$offsets, AnyRankedTensor:$tiles,
                      AnyRankedTensor:$count);
  let assemblyFormat = [{
    $experts `of` $num_experts `tiles` $tile_rows attr-dict `:` type($experts) `to` type($tokens) `,` type($places) `,` type($offsets) `,`
    type($tiles) `,` type($count)
  }];
  let builders = [OpBuilder<(ins "Value":$experts, "int64_t":$num_experts, "int64_t":$tile_rows)>];
}

def Ds_GroupedLinearOp : Ds_ModelOp<"grouped_linear", [Ds_Reify, Ds_Tiling]> {
  let summary = "ds.linear of rows that are grouped by expert, each with its expert's weight";
  let description = [{
    `weight` [E, N, K]; `tiles` [T, 3] and `count` of `ds.group_tokens`. With e(r) the expert of the tile that holds row r and
    x(r) = input[rows[r]] where `rows` [R] is given (`input` [any, K]: the tokens, which are not copied for their experts), else
    x(r) = input[r] (`input` [R, K]),

        result[r, n] = Σ_k x(r)[k] · weight[e(r), n, k]

    summed and rounded as `ds.linear` does. An expert without a tile is not read, nor is anything multiplied for it. Rows that no tile
    holds are undefined. Numbers of experts and rows in `tiles` and `rows` lie in their tensors. Tiles: over N.

    **Constraints**
    * `C1`: `input`, `weight` and result are floats; `input` has rank 2 and `weight` rank 3.
    * `C2`: the last sizes of `input` and `weight` agree (K).
    * `C3`: `rows` is i32 of rank 1.
    * `C4`: `tiles` is i32 and its shape agrees with [T, 3]; `count` is i32 of rank 0.
    * `C5`: the result's shape agrees with [R, N].

    **Source**: as `ds.linear`; experts of DeepSeek-V2 and later.
  }];
  let arguments = (ins AnyRankedTensor:$input, Optional<AnyRankedTensor>:$rows, AnyRankedTensor:$weight, AnyRankedTensor:$tiles,
                       AnyRankedTensor:$count);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = [{
    $input (`rows` $rows^ `:` type($rows))? `,` $weight `in` $tiles `,` $count attr-dict
    `:` type($input) `,` type($weight) `,` type($tiles) `,` type($count) `to` type($result)
  }];
}

def Ds_CombineOp : Ds_ModelOp<"combine", [Ds_Reify, Ds_Tiling]> {
  let summary = "`result[n, :] = Σ_j weights[n, j] · values[places[n, j], :]`, j ascending";
  let description = [{
    `values` [R, d], `places` of `ds.group_tokens` and `weights` of `ds.route` [N, k], result [N, d]. Products and sums are f32
    (f64 for f64 values), from 0 on in the order of the slots, whatever the order of the rows; then one rounding to the result's
    type. `places` are rows of `values`. Tiles: over N and d.

    **Constraints**
    * `C1`: `values` and result are floats, and `values` has rank 2.
    * `C2`: `places` is i32 and `weights` f32, both of rank 2, and their shapes agree.
    * `C3`: the result's shape agrees with [N, d].

    **Source**: DeepSeek-AI, DeepSeek-V2, arXiv:2405.04434 §2.2.
  }];
  let arguments = (ins AnyRankedTensor:$values, AnyRankedTensor:$places, AnyRankedTensor:$weights);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = "$values `at` $places `weights` $weights attr-dict `:` type($values) `,` type($places) `,` type($weights) `to` type($result)";
}

#endif // DIALECTS_DS_IR_DSEXPERTOPS
