//===- DsPackedOps.td - weights in the layout kernels read ----*- tablegen -*-===//
//
// Scheduled forms of ds.linear. The layout is the shape of the packed tensor, so that two places that disagree about it
// fail verification.
//
//===----------------------------------------------------------------------===//
#ifndef DIALECTS_DS_IR_DSPACKEDOPS
#define DIALECTS_DS_IR_DSPACKEDOPS
include "dialects/ds/IR/DsBase.td"

def Ds_PackOp : Ds_Op<"pack", [Pure, Ds_Reify]> {
  let summary = "a weight matrix in panels of 32 output rows";
  let description = [{
    `weight` [N, K] of any element type becomes [P, Q, 32·p] with P = ceil(N / 32), Q = ceil(K / p):

        result[i, j, l·p + s] = weight[32·i + l, p·j + s],   0 where 32·i + l ≥ N or p·j + s ≥ K

    and weights [E, N, K] of experts become [E, P, Q, 32·p], each as if alone.

    A panel holds 32 outputs for all of K, in the order in which a product adds: one vector load brings p successive k of 16 or
    more outputs. p is 1 where the product is a fused multiply-add per k (f32, f16), 2 for bf16 and FP8 (vdpbf16ps adds pairs), 4
    for bytes (vpdpbusd adds fours). One layout serves every number of input rows.

    **Constraints**
    * `C1`: `weight` has rank 2 or 3 and static sizes.
    * `C2`: the result has the shape above for a p of 1, 2 or 4, and the element type of `weight`.
  }];
  let arguments = (ins AnyRankedTensor:$weight);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = "$weight attr-dict `:` type($weight) `to` type($result)";
  let hasVerifier = 1;
  let extraClassDeclaration = [{
    /// Outputs of one panel.
    static constexpr int64_t panelRows = 32;
    /// Successive k that one output has side by side in `packed`.
    static int64_t interleaving(RankedTensorType packed) {
      return packed.getShape().back() / panelRows;
    }
    /// Outputs that a weight holds for a result of `n` columns; with a SwiGLU epilogue half a panel of results per panel.
    static int64_t weightRows(int64_t n, bool swiglu) {
      return swiglu ? (n + panelRows / 2 - 1) / (panelRows / 2) * panelRows : n;
    }
    /// The type of `weight` [N, K] or [E, N, K] packed with `interleaving`.
    static RankedTensorType packedType(RankedTensorType weight, int64_t interleaving);
  }];
}

def Ds_PackedLinearOp : Ds_Op<"packed_linear", [Pure, AttrSizedOperandSegments, Ds_Reify, Ds_Tiling]> {
  let summary = "ds.linear with a packed weight";
  let description = [{
    `y[m, n] = Σ_k input[m, k] · weight(n, k)  (+ bias[n])` with `weight(n, k)` the element that `ds.pack` stored. K is the last
    size of `input`.

    The type of `input` says what the product rounds: bf16 with a bf16 weight multiplies pairs of bf16 and adds them in f32
    (`--precision=fast`); f32 multiplies f32 by the widened weight. Sums are f32, over ascending k, in an order that depends on
    neither the number of rows nor on threads. Tiles: over M.

    What follows a product joins it (`ds-fuse-epilogues`, `ds-fuse-rope`). With y the sums above, `swiglu` and `residual`:

        z[m, 16·j + i] = swiglu(y[m, 32·j + i], y[m, 32·j + 16 + i]),  i < 16    with `swiglu`: panels hold 16 gates and their 16 ups
        z[m, n]        = y[m, n]                                                without
        result[m, n]   = z[m, n] (+ residual[m, n])

    in f32 as `ds.swiglu` and `ds.elementwise add` compute it, rounded to the result's type. N is the last size of the result; the weight
    has `weightRows()` outputs, which with `swiglu` are 32·ceil(N / 16).

    With `rope` the first `columns` outputs are heads of R = 2·C columns, C the last size of `cos` and `sin`; their panels hold the first
    members of 16 rotations and the 16 second ones. Rotation i of head h is of a = y[m, R·h + 32·⌊i / 16⌋ + i mod 16] and the b that is 16
    further. a' and b' are those of `ds.rope` with row m of the tables, and stand where `rope_layout` says:

        result[m, R·h + i], result[m, R·h + C + i] = a', b'        `halves`
        result[m, R·h + 2·i], result[m, R·h + 2·i + 1] = a', b'    `pairs`

    With `tiles` and `count` of `ds.group_tokens` the product is grouped, as `ds.grouped_linear`: `weight` [E, P, Q, 32·p] holds the weights of E
    experts, row r of the result is of `input` row `rows[r]` (without `rows`: r) and the weight of the expert whose tile holds r. Experts
    without a tile are not read; rows that no tile holds are undefined. Then there are no tiles over M.

    **Constraints**
    * `C1`: `input` is f32, or bf16 with a bf16 weight; `weight` is f32, bf16 or f16, rank 3, or 4 where grouped; `bias` and
      `residual` are f32, the result is f32 or bf16.
    * `C2`: `weight` has the shape of `ds.pack` for [`weightRows()`, K].
    * `C3`: `input` and result have rank 2, static K and N, and agree in M; `bias` is [`weightRows()`]; `residual` has the shape of the result.
    * `C4`: `cos` and `sin` are f32 [M, C] with C a positive multiple of 16; `rope_columns` is a positive multiple of 2·C, at most N; N is a multiple
      of 32; neither `swiglu` nor `residual` is there. Without `cos` and `sin`, `rope_columns` is 0.
    * `C5`: `tiles` is i32 [T, 3] and `count` i32 [], both or neither; `rows` is i32 of rank 1 and there only with them; then M is the size of
      `rows`, if there, and there is no `bias`, `residual` or `rope`.
  }];
  let arguments = (ins AnyRankedTensor:$input, Optional<AnyRankedTensor>:$rows, AnyRankedTensor:$weight,
                       Optional<AnyRankedTensor>:$tiles, Optional<AnyRankedTensor>:$count, Optional<AnyRankedTensor>:$bias,
                       Optional<AnyRankedTensor>:$residual, Optional<AnyRankedTensor>:$cos, Optional<AnyRankedTensor>:$sin,
                       UnitAttr:$swiglu, DefaultValuedAttr<I64Attr, "0">:$rope_columns,
                       DefaultValuedAttr<Ds_RopeLayoutAttr, "RopeLayout::Halves">:$rope_layout);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = [{
    $input (`rows` $rows^)? `,` $weight (`in` $tiles^ `,` $count)? (`bias` $bias^)? (`swiglu` $swiglu^)? (`residual` $residual^)?
    (`rope` $cos^ `,` $sin `columns` $rope_columns $rope_layout)? attr-dict `:` type($input) (`rows` type($rows)^)? `,` type($weight)
    (`in` type($tiles)^ `,` type($count))? (`bias` type($bias)^)? (`residual` type($residual)^)? (`rope` type($cos)^ `,` type($sin))? `to` type($result)
  }];
  let hasVerifier = 1;
  let builders = [
    /// The sums alone.
    OpBuilder<(ins "Type":$result, "Value":$input, "Value":$weight, "Value":$bias), [{
      build($_builder, $_state, result, input, /*rows=*/Value(), weight, /*tiles=*/Value(), /*count=*/Value(), bias, /*residual=*/Value(),
            /*cos=*/Value(), /*sin=*/Value());
    }]>,
    /// The sums alone, grouped. `rows` may be null.
    OpBuilder<(ins "Type":$result, "Value":$input, "Value":$rows, "Value":$weight, "Value":$tiles, "Value":$count), [{
      build($_builder, $_state, result, input, rows, weight, tiles, count, /*bias=*/Value(), /*residual=*/Value(), /*cos=*/Value(),
            /*sin=*/Value());
    }]>];
  let extraClassDeclaration = [{
    /// Outputs that the weight holds.
    int64_t weightRows() { return PackOp::weightRows(getType().getShape().back(), getSwiglu()); }
  }];
}

#endif // DIALECTS_DS_IR_DSPACKEDOPS
