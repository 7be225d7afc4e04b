//===- DsQuantizedOps.td - products of whole numbers with scales --*- tablegen -*-===//
//
// Scheduled forms of ds.linear whose weight has 8 or 4 bits an element and a scale per group of k. Data, scales and zero
// points are operands side by side: a slice of one tensor never loses the scales of another.
//
//===----------------------------------------------------------------------===//
#ifndef DIALECTS_DS_IR_DSQUANTIZEDOPS
#define DIALECTS_DS_IR_DSQUANTIZEDOPS
include "dialects/ds/IR/DsBase.td"

def Ds_QuantizeGroupsOp : Ds_Op<"quantize_groups", [Pure, Ds_Reify, Ds_Tiling]> {
  let summary = "rows as whole numbers with a scale per group of columns";
  let description = [{
    With q = 2^(bits − 1) − 1 and a group g the columns [g·group, (g + 1)·group) of `input` [M, K] that exist:

        m[i, g]     = max |input[i, k]| over k in g
        scale[i, g] = m[i, g] / q
        data[i, k]  = roundeven(input[i, k] · (q / m[i, g])),   0 for k ≥ K
        sum[i, g]   = Σ data[i, k] over k in g

    in f32. Where q / m is not finite (all zeros, or numbers below 10⁻³⁶) the data are 0. A NaN or infinity in a group makes its scale
    NaN or infinite and the data of that element 0, so that a product with it is NaN.

    Activations are rounded so under `--precision=fast` when the weight has 8 or 4 bits, weights under `--weight-type=int8` and `int4`.
    Tiles: over M.

    **Constraints**
    * `C1`: `input` is f32 of rank 2 with a static K.
    * `C2`: `bits` is 8 or 4; `group` is a positive multiple of 8.
    * `C3`: `data` is i8 [M, 4·ceil(K / 4)], `scale` f32 and `sum` i32 [M, ceil(K / group)].
  }];
  let arguments = (ins AnyRankedTensor:$input, I64Attr:$group, DefaultValuedAttr<I64Attr, "8">:$bits);
  let results = (outs AnyRankedTensor:$data, AnyRankedTensor:$scale, AnyRankedTensor:$sum);
  let assemblyFormat = "$input `group` $group (`bits` $bits^)? attr-dict `:` type($input) `to` type($data) `,` type($scale) `,` type($sum)";
  let hasVerifier = 1;
  let builders = [OpBuilder<(ins "Value":$input, "int64_t":$group, CArg<"int64_t", "8">:$bits)>];
}

def Ds_PackedQuantizedLinearOp : Ds_Op<"packed_quantized_linear", [Pure, AttrSizedOperandSegments, Ds_Reify, Ds_Tiling]> {
  let summary = "ds.linear with a packed weight of 8 or 4 bits";
  let description = [{
    With q(n, k) the unsigned number of `bits` bits that is stored for an output and an input element,

        y[m, n] = Σ_g weight_scale(n, g) · x_scale[m, g] · Σ_{k in g} input[m, k] · (q(n, k) − zero(n, g))   (+ bias[n])

    g runs over groups of `group` successive k, both sums ascend. x_scale is `input_scale` where the input is i8 (then `input_sum` is
    the sum of its group, and the inner sum is exact), and 1 where it is f32. zero(n, g) is the element of `zero_points` or,
    without these, `zero`.

    `weight` is what `ds.pack` makes with p = 4 of the bytes [N, K] (8 bits), or of the bytes [N, K / 2] of which number
    4·j + s holds k = 8·j + s in its low and k = 8·j + 4 + s in its high half (4 bits). `weight_scale` and `zero_points` are packed with
    p = 1: [P, G, 32], or [P, 1, 32] where one scale serves all of K. Tiles: over M.

    `swiglu`, `residual`, `rope` and the type of the result make the result of y as they do in `ds.packed_linear`.

    **Constraints**
    * `C1`: `input` is f32, or i8 with `input_scale` f32 and `input_sum` i32; `weight` and `zero_points` are i8 (read as unsigned);
      scales, `bias` and `residual` are f32, the result is f32 or bf16.
    * `C2`: `bits` is 8 or 4, `group` a positive multiple of 8, `zero` an unsigned number of `bits` bits.
    * `C3`: input and result have rank 2, static K and N, and agree in M, K is a multiple of 8 for 4 bits and of 4 for an i8 input; `weight` has the shape
      above.
    * `C4`: `weight_scale` and `zero_points` have one shape of [P, G, 32] and [P, 1, 32] each; `input_scale` and `input_sum` are [M, G];
      `bias` is [`weightRows()`]; `residual` has the shape of the result.
    * `C5`: `rope` as in `C4` of `ds.packed_linear`.
  }];
  let arguments = (ins AnyRankedTensor:$input, Optional<AnyRankedTensor>:$input_scale, Optional<AnyRankedTensor>:$input_sum,
                       AnyRankedTensor:$weight, AnyRankedTensor:$weight_scale, Optional<AnyRankedTensor>:$zero_points,
                       Optional<AnyRankedTensor>:$bias, Optional<AnyRankedTensor>:$residual, Optional<AnyRankedTensor>:$cos,
                       Optional<AnyRankedTensor>:$sin, I64Attr:$bits, I64Attr:$group, DefaultValuedAttr<I64Attr, "0">:$zero,
                       UnitAttr:$swiglu, DefaultValuedAttr<I64Attr, "0">:$rope_columns,
                       DefaultValuedAttr<Ds_RopeLayoutAttr, "RopeLayout::Halves">:$rope_layout);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = [{
    $input (`scale` $input_scale^ `sum` $input_sum)? `,` $weight `scale` $weight_scale (`zero_points` $zero_points^)? (`bias` $bias^)?
    (`swiglu` $swiglu^)? (`residual` $residual^)? (`rope` $cos^ `,` $sin `columns` $rope_columns $rope_layout)? attr-dict `:` type($input)
    (`scale` type($input_scale)^ `sum` type($input_sum))? `,` type($weight) `scale` type($weight_scale)
    (`zero_points` type($zero_points)^)? (`bias` type($bias)^)? (`residual` type($residual)^)? (`rope` type($cos)^ `,` type($sin))? `to` type($result)
  }];
  let hasVerifier = 1;
  let builders = [
    /// The sums alone. `zero` is for products without zero points.
    OpBuilder<(ins "Type":$result, "Value":$input, "Value":$input_scale, "Value":$input_sum, "Value":$weight, "Value":$weight_scale,
                   "Value":$zero_points, "Value":$bias, "int64_t":$bits, "int64_t":$group, "int64_t":$zero), [{
      build($_builder, $_state, result, input, input_scale, input_sum, weight, weight_scale, zero_points, bias, /*residual=*/Value(),
            /*cos=*/Value(), /*sin=*/Value(), bits, group, zero);
    }]>];
  let extraClassDeclaration = [{
    /// Outputs that the weight holds.
    int64_t weightRows() { return PackOp::weightRows(getType().getShape().back(), getSwiglu()); }
    /// k that one step of a panel holds for each output.
    int64_t stepColumns() { return 32 / int64_t(getBits()); }
  }];
}

def Ds_DotBytesOp : Ds_Op<"dot_bytes", [Pure, AllTypesMatch<["accumulator", "result"]>, AllTypesMatch<["unsigned_bytes", "signed_bytes"]>]> {
  let summary = "vpdpbusd: products of four unsigned and signed bytes added to each i32 lane";
  let description = [{
    `result[i] = accumulator[i] + Σ_s zext(unsigned_bytes[4·i + s]) · sext(signed_bytes[4·i + s])` for s in 0 … 3, wrapping.
    A vector operation of a kernel. `ds-lower-dot-bytes` makes the instruction of it, which upstream dialects do not have and whose intrinsic
    call bufferization takes for one with side effects.

    **Source**: Intel 64 and IA-32 Architectures Software Developer's Manual, VPDPBUSD.
  }];
  let arguments = (ins VectorOfLengthAndType<[16], [I32]>:$accumulator, VectorOfLengthAndType<[64], [I8]>:$unsigned_bytes,
                       VectorOfLengthAndType<[64], [I8]>:$signed_bytes);
  let results = (outs VectorOfLengthAndType<[16], [I32]>:$result);
  let assemblyFormat = "$accumulator `,` $unsigned_bytes `,` $signed_bytes attr-dict `:` type($result) `,` type($unsigned_bytes)";
}

#endif // DIALECTS_DS_IR_DSQUANTIZEDOPS
