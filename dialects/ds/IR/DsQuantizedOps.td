//===- DsQuantizedOps.td - products of whole numbers with scales --*- tablegen -*-===//
//
// Scheduled forms of ds.linear whose weight has 8 or 4 bits an element, whole numbers or FP8, and a scale per group of k. Data, scales and zero
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
    the sum of its group, and the inner sum is exact), and 1 where it is f32 or bf16. zero(n, g) is the element of `zero_points` or,
    without these, `zero`.

    A `weight` of f8E4M3FN holds floats: q(n, k) is the number, there is no zero, and both sums are f32. As in `ds.packed_linear` the type
    of `input` says what is rounded: bf16 multiplies pairs of bf16, which FP8 becomes without an error, f32 the widened weight.

    `weight` is what `ds.pack` makes with p = 4 of the bytes [N, K] (8 bits), or of the bytes [N, K / 2] of which number
    4·j + s holds k = 8·j + s in its low and k = 8·j + 4 + s in its high half (4 bits); of f8E4M3FN with p = 2. `weight_scale` and
    `zero_points` are packed with p = 1: [P, G, 32], or [P, 1, 32] where one scale serves all of K. Tiles: over M.

    `swiglu`, `residual`, `rope` and the type of the result make the result of y as they do in `ds.packed_linear`. So do `tiles`,
    `count` and `rows`: the product is grouped, and weight, scales and zero points have the dimension of E experts in front.

    **Constraints**
    * `C1`: `input` is f32, or i8 with `input_scale` f32 and `input_sum` i32, or bf16; `weight` and `zero_points` are i8 (read as unsigned),
      or `weight` is f8E4M3FN and the input a float, bf16 with no other weight; scales, `bias` and `residual` are f32, the result is
      f32 or bf16.
    * `C2`: `bits` is 8 or 4, `group` a positive multiple of 8, `zero` an unsigned number of `bits` bits. A weight of f8E4M3FN has 8 bits, no
      `zero_points` and a `zero` of 0.
    * `C3`: input and result have rank 2, static K and N, and agree in M, K is a multiple of 8 for 4 bits and of 4 for an i8 input; `weight` has the shape
      above.
    * `C4`: `weight_scale` and `zero_points` have one shape of [P, G, 32] and [P, 1, 32] each; `input_scale` and `input_sum` are [M, G];
      `bias` is [`weightRows()`]; `residual` has the shape of the result.
    * `C5`: `rope` as in `C4` of `ds.packed_linear`.
    * `C6`: `tiles`, `count` and `rows` as in `C5` of `ds.packed_linear`.
  }];
  let arguments = (ins AnyRankedTensor:$input, Optional<AnyRankedTensor>:$input_scale, Optional<AnyRankedTensor>:$input_sum,
                       Optional<AnyRankedTensor>:$rows, AnyRankedTensor:$weight, AnyRankedTensor:$weight_scale,
                       Optional<AnyRankedTensor>:$zero_points, Optional<AnyRankedTensor>:$tiles, Optional<AnyRankedTensor>:$count,
                       Optional<AnyRankedTensor>:$bias, Optional<AnyRankedTensor>:$residual, Optional<AnyRankedTensor>:$cos,
                       Optional<AnyRankedTensor>:$sin, I64Attr:$bits, I64Attr:$group, DefaultValuedAttr<I64Attr, "0">:$zero,
                       UnitAttr:$swiglu, DefaultValuedAttr<I64Attr, "0">:$rope_columns,
                       DefaultValuedAttr<Ds_RopeLayoutAttr, "RopeLayout::Halves">:$rope_layout);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = [{
    $input (`scale` $input_scale^ `sum` $input_sum)? (`rows` $rows^)? `,` $weight `scale` $weight_scale (`zero_points` $zero_points^)?
    (`in` $tiles^ `,` $count)? (`bias` $bias^)? (`swiglu` $swiglu^)? (`residual` $residual^)?
    (`rope` $cos^ `,` $sin `columns` $rope_columns $rope_layout)? attr-dict `:` type($input)
    (`scale` type($input_scale)^ `sum` type($input_sum))? (`rows` type($rows)^)? `,` type($weight) `scale` type($weight_scale)
    (`zero_points` type($zero_points)^)? (`in` type($tiles)^ `,` type($count))? (`bias` type($bias)^)? (`residual` type($residual)^)?
    (`rope` type($cos)^ `,` type($sin))? `to` type($result)
  }];
  let hasVerifier = 1;
  let builders = [
    /// The sums alone. What a product has not is null; `zero` is for those without zero points.
    OpBuilder<(ins "Type":$result, "Value":$input, "Value":$input_scale, "Value":$input_sum, "Value":$rows, "Value":$weight,
                   "Value":$weight_scale, "Value":$zero_points, "Value":$tiles, "Value":$count, "Value":$bias, "int64_t":$bits,
                   "int64_t":$group, "int64_t":$zero), [{
      build($_builder, $_state, result, input, input_scale, input_sum, rows, weight, weight_scale, zero_points, tiles, count, bias,
            /*residual=*/Value(), /*cos=*/Value(), /*sin=*/Value(), bits, group, zero);
    }]>];
  let extraClassDeclaration = [{
    /// Outputs that the weight holds.
    int64_t weightRows() { return PackOp::weightRows(getType().getShape().back(), getSwiglu()); }
    /// Whether the weight holds floats.
    bool hasFloatWeight() { return ::llvm::isa<FloatType>(getWeight().getType().getElementType()); }
    /// Bytes of the weight that one output has side by side.
    int64_t stepBytes() { return hasFloatWeight() ? 2 : 4; }
    /// k that one step of a panel holds for each output.
    int64_t stepColumns() { return stepBytes() * 8 / int64_t(getBits()); }
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

def Ds_LookupBytesOp : Ds_Op<"lookup_bytes", [Pure, AllTypesMatch<["low", "indices", "high", "result"]>]> {
  let summary = "vpermi2b: bytes of a table of 128, by number";
  let description = [{
    With t the 64 bytes of `low` and the 64 of `high` behind them, `result[i] = t[indices[i] mod 128]`.
    A vector operation of a kernel. `ds-lower-lookup-bytes` makes the instruction of it, for the reasons of `ds.dot_bytes`; kernels use it where
    the processor has AVX512-VBMI.

    **Source**: Intel 64 and IA-32 Architectures Software Developer's Manual, VPERMI2B.
  }];
  let arguments = (ins VectorOfLengthAndType<[64], [I8]>:$low, VectorOfLengthAndType<[64], [I8]>:$indices,
                       VectorOfLengthAndType<[64], [I8]>:$high);
  let results = (outs VectorOfLengthAndType<[64], [I8]>:$result);
  let assemblyFormat = "$indices `in` $low `,` $high attr-dict `:` type($result)";
}

#endif // DIALECTS_DS_IR_DSQUANTIZEDOPS
