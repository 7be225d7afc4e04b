//===- DsTensorOps.td - the tensor algebra that ONNX graphs are lowered to ---*- tablegen -*-===//
//
// Each description is the op's specification; see the dialect's description for how to read it. Where the description
// names an ONNX operator as its source, it says the same in our words, after the attributes that ONNX resolves (negative
// axes, defaults, versions) are resolved.
//
//===----------------------------------------------------------------------===//
#ifndef DIALECTS_DS_IR_DSTENSOROPS
#define DIALECTS_DS_IR_DSTENSOROPS
include "dialects/ds/IR/DsBase.td"

class Ds_TensorOp<string mnemonic, list<Trait> traits = []> : Ds_Op<mnemonic, !listconcat([Pure], traits)> {
  let hasVerifier = 1;
}

def Ds_ElementwiseOp : Ds_TensorOp<"elementwise", [Ds_InferTypes, Ds_Reify, Ds_Tiling]> {
  let summary = "a scalar function at every index";
  let description = [{
    `result[i] = kind(operands…[i])`. Operands broadcast statically: missing leading dimensions and static 1s repeat; two
    dynamic sizes in one place are equal (undefined otherwise; where a graph cannot promise it, `ds.broadcast` comes first).
    Tiles: over all dimensions.

    * One operand: `neg abs sign exp log sqrt reciprocal sin cos tan asin acos atan sinh cosh tanh asinh acosh atanh erf
      floor ceil roundeven sigmoid isnan isposinf isneginf not`. Two: `add sub mul div floormod truncmod pow max min and or
      xor shl shr eq lt le gt ge`. Three: `select` (condition, then, else).
    * `div` of integers truncates; `floormod` has the divisor's sign, `truncmod` the dividend's. A divisor of 0 gives some
      value, never a trap. Shifts by the width or more give 0. Integer `pow` is exact below 2^53.
    * `max` and `min` propagate NaN; `roundeven` rounds half to even; `sign` of NaN is NaN.
    * `and or xor not` are bitwise on integers and logical on i1; comparisons and `is…` give i1.

    **Constraints**
    * `C1`: the number of operands is that of `kind`.
    * `C2`: every operand has at most the result's rank, and each of its sizes, counted from the last, is 1 or agrees with
      the result's.
    * `C3`: no size of the result comes from nowhere: 1, or in the same place in an operand (the number, or dynamic).
    * `C4`: the operands have one element type (after the condition of `select`, which is i1).
    * `C5`: `kind` is defined on that element type: `and or xor not shl shr` on integers; `exp` and the other functions that
      give fractions, `floor ceil roundeven` on floats; all others on both.
    * `C6`: the result's element type is i1 for comparisons and `is…`, else that of the operands.

    **Source**: the ONNX operators of the same names; IEEE 754 for floats.
  }];
  let arguments = (ins Ds_ElementwiseKindAttr:$kind, Variadic<AnyRankedTensor>:$operands);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = "$kind $operands attr-dict `:` functional-type($operands, $result)";
  let hasFolder = 1;
}

def Ds_CastOp : Ds_TensorOp<"cast", [Ds_Reify, Ds_Tiling]> {
  let summary = "element type conversion, as ONNX Cast";
  let description = [{
    At every index. float → int truncates towards 0 and wraps into narrow types; → i1 is `x != 0` (NaN is true); i1 is 0 or 1;
    float → narrower float rounds to nearest even; float → float8 saturates if `saturate`, else overflows to NaN or infinity
    as the type has; int → int wraps; int → float rounds to nearest even. Tiles: over all dimensions.

    **Constraints**
    * `C1`: the shapes of `input` and result agree.
    * `C2`: both have integer or float elements.

    **Source**: ONNX Cast.
  }];
  let arguments = (ins AnyRankedTensor:$input, DefaultValuedAttr<BoolAttr, "true">:$saturate);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = "$input attr-dict `:` type($input) `to` type($result)";
  let hasFolder = 1;
  let hasCanonicalizer = 1;
}

def Ds_BitcastOp : Ds_TensorOp<"bitcast", [Ds_Reify, Ds_Tiling]> {
  let summary = "the same bits as another element type of the same width";
  let description = [{
    Tiles: over all dimensions.

    **Constraints**
    * `C1`: the shapes of `input` and result agree.
    * `C2`: their element types are integers or floats of one width, more than one bit wide.

    **Source**: ONNX BitCast.
  }];
  let arguments = (ins AnyRankedTensor:$input);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = "$input attr-dict `:` type($input) `to` type($result)";
}

def Ds_RequireOp : Ds_CheckedOp<"require"> {
  let summary = "a size that stands under a condition which only the call can decide";
  let description = [{
    `size` where `condition` holds; elsewhere 0, and the entry returns DS_STATUS_INDEX. So a tensor whose shape the call gives
    wrongly is empty rather than read outside.

    **Constraints**
    * `C1`: a constant `size` is not negative.
  }];
  let arguments = (ins I1:$condition, Index:$size);
  let results = (outs Index:$result);
  let assemblyFormat = "$condition `,` $size attr-dict";
}

// ----- views -------------------------------------------------------------------------------------------------------
// Ops whose result sizes are operands: `dims` are the dynamic sizes in order, static ones stand in the result type.
def Ds_ReshapeOp : Ds_TensorOp<"reshape", [Ds_Reify]> {
  let summary = "the same elements in row-major order under another shape";
  let description = [{
    `dims` are the result's dynamic sizes in order. Both shapes have equally many elements (undefined otherwise).

    **Constraints**
    * `C1`: `dims` has one operand per dynamic size of the result.
    * `C2`: `input` and result have one element type.
    * `C3`: static shapes have equally many elements.
  }];
  let arguments = (ins AnyRankedTensor:$input, Variadic<Index>:$dims);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = "$input (`[` $dims^ `]`)? attr-dict `:` type($input) `to` type($result)";
  let hasFolder = 1;
  let hasCanonicalizer = 1;
}

def Ds_BroadcastOp : Ds_TensorOp<"broadcast", [Ds_Reify, Ds_Tiling]> {
  let summary = "numpy broadcast to the result's shape; a size that is 1 at run time repeats";
  let description = [{
    `dims` are the result's dynamic sizes in order. Dimensions are matched from the last; each size of `input` is 1 or the
    result's, and a dynamic one may turn out to be either at run time. Tiles: over all dimensions.

    **Constraints**
    * `C1`: `dims` has one operand per dynamic size of the result.
    * `C2`: `input` and result have one element type.
    * `C3`: `input` has at most the result's rank, and each of its sizes, counted from the last, is 1 or agrees with the
      result's.

    **Source**: ONNX Expand.
  }];
  let arguments = (ins AnyRankedTensor:$input, Variadic<Index>:$dims);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = "$input (`[` $dims^ `]`)? attr-dict `:` type($input) `to` type($result)";
  let hasFolder = 1;
}

def Ds_TransposeOp : Ds_TensorOp<"transpose", [Ds_InferTypes, Ds_Reify, Ds_Tiling]> {
  let summary = "`result[i[perm]] = input[i]`: result dimension j is input dimension perm[j]";
  let description = [{
    Tiles: over all dimensions.

    **Constraints**
    * `C1`: `perm` is a permutation of the input's dimensions.
    * `C2`: the result has the input's element type, and its shape agrees with the permuted one.

    **Source**: ONNX Transpose.
  }];
  let arguments = (ins AnyRankedTensor:$input, DenseI64ArrayAttr:$perm);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = "$input $perm attr-dict `:` type($input) `to` type($result)";
  let hasFolder = 1;
  let hasCanonicalizer = 1;
}

def Ds_SliceOp : Ds_TensorOp<"slice", [AttrSizedOperandSegments, Ds_Reify, Ds_Tiling]> {
  let summary = "`result[i] = input[offset + i · stride]` along every dimension; strides may be negative";
  let description = [{
    One offset, size and stride per dimension; a dynamic one (kDynamic in the static array) is the next operand of its list.
    Every element lies inside `input`: who builds the op clamps, as ONNX Slice says. With a negative stride the offset is the
    highest index. Tiles: over all dimensions.

    **Constraints**
    * `C1`: there is one offset, size and stride per dimension of `input`, and one operand per dynamic one.
    * `C2`: the result has the input's element type and the sizes `sizes`.
    * `C3`: no stride is 0 and no size negative.
    * `C4`: where offset, size, stride and the input's size are static, first and last element lie inside.

    **Source**: ONNX Slice, Split.
  }];
  let arguments = (ins AnyRankedTensor:$input, Variadic<Index>:$offsets, Variadic<Index>:$sizes, Variadic<Index>:$strides,
                       DenseI64ArrayAttr:$static_offsets, DenseI64ArrayAttr:$static_sizes, DenseI64ArrayAttr:$static_strides);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = [{
    $input custom<DynamicIndexList>($offsets, $static_offsets) custom<DynamicIndexList>($sizes, $static_sizes)
    custom<DynamicIndexList>($strides, $static_strides) attr-dict `:` type($input) `to` type($result)
  }];
  let extraClassDeclaration = [{
    ::llvm::SmallVector<::mlir::OpFoldResult> getMixedOffsets();
    ::llvm::SmallVector<::mlir::OpFoldResult> getMixedSizes();
    ::llvm::SmallVector<::mlir::OpFoldResult> getMixedStrides();
  }];
  let extraClassDefinition = [{
    ::llvm::SmallVector<::mlir::OpFoldResult> $cppClass::getMixedOffsets() {
      return ::mlir::getMixedValues(getStaticOffsets(), getOffsets(), getContext());
    }
    ::llvm::SmallVector<::mlir::OpFoldResult> $cppClass::getMixedSizes() {
      return ::mlir::getMixedValues(getStaticSizes(), getSizes(), getContext());
    }
    ::llvm::SmallVector<::mlir::OpFoldResult> $cppClass::getMixedStrides() {
      return ::mlir::getMixedValues(getStaticStrides(), getStrides(), getContext());
    }
  }];
  let builders = [OpBuilder<(ins "::mlir::Value":$input, "::llvm::ArrayRef<::mlir::OpFoldResult>":$offsets,
      "::llvm::ArrayRef<::mlir::OpFoldResult>":$sizes, "::llvm::ArrayRef<::mlir::OpFoldResult>":$strides)>];
  let hasFolder = 1;
  let hasCanonicalizer = 1;
}

def Ds_ConcatOp : Ds_TensorOp<"concat", [Ds_InferTypes, Ds_Reify, Ds_Tiling]> {
  let summary = "inputs one after the other along `axis`; zero-sized inputs are legal";
  let description = [{
    Sizes other than along `axis` are equal (undefined otherwise). Tiles: over all dimensions but `axis`.

    **Constraints**
    * `C1`: there is an input, and `axis` is one of its dimensions.
    * `C2`: all inputs and the result have one rank and one element type.
    * `C3`: the sizes of all inputs and of the result agree but along `axis`.
    * `C4`: the result's size along `axis` agrees with the sum of the inputs'.

    **Source**: ONNX Concat.
  }];
  let arguments = (ins I64Attr:$axis, Variadic<AnyRankedTensor>:$inputs);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = "$axis $inputs attr-dict `:` functional-type($inputs, $result)";
  let hasFolder = 1;
  let hasCanonicalizer = 1;
}

def Ds_PadOp : Ds_TensorOp<"pad", [AttrSizedOperandSegments, Ds_Reify]> {
  let summary = "padding before and after each dimension";
  let description = [{
    `low`, `high`: one index operand per dimension, not negative (cropping is a slice). What lies outside `input` is `value`
    (`constant`), the nearest element (`edge`), or the input mirrored without its border (`reflect`) or repeated (`wrap`), as
    often as needed. An empty dimension has no element to repeat: `value` stands there in every mode.

    **Constraints**
    * `C1`: there is one `low` and one `high` per dimension.
    * `C2`: `value` has rank 0; `input`, `value` and result have one element type.
    * `C3`: the result has the input's rank, and no static size of it is below the input's.

    **Source**: ONNX Pad.
  }];
  let arguments = (ins AnyRankedTensor:$input, AnyRankedTensor:$value, Variadic<Index>:$low, Variadic<Index>:$high, Ds_PadModeAttr:$mode);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = "$mode $input `value` $value `low` $low `high` $high attr-dict `:` type($input) `,` type($value) `to` type($result)";
}

def Ds_RangeOp : Ds_TensorOp<"range", [AllTypesMatch<["start", "delta"]>, Ds_Reify]> {
  let summary = "`result[i] = start + i · delta`, rank 1";
  let description = [{
    i is converted to the element type; product and sum are rounded as `ds.elementwise` rounds them.

    **Constraints**
    * `C1`: `start` and `delta` have one type of rank 0, the result has rank 1 and their element type.
    * `C2`: `size` is there if the result's size is dynamic, and only then.

    **Source**: ONNX Range.
  }];
  let arguments = (ins AnyRankedTensor:$start, AnyRankedTensor:$delta, Optional<Index>:$size);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = "$start `,` $delta (`[` $size^ `]`)? attr-dict `:` type($start) `to` type($result)";
}

// ----- reductions and products -------------------------------------------------------------------------------------
def Ds_ReduceOp : Ds_TensorOp<"reduce", [Ds_InferTypes, Ds_Reify, Ds_Tiling]> {
  let summary = "combine along `axes`; the result drops them, or keeps them as 1 with `keepdims`";
  let description = [{
    `result[a] = kind over all b of input[a, b]`, in ascending order of the index. Floats are combined in f32 (f64 for f64) and
    rounded once. Empty reductions give 0, 1, lowest (−inf), highest (+inf). `max` and `min` propagate NaN. Tiles: over the
    dimensions that stay; a sum that tiles carried on would be rounded at each.

    **Constraints**
    * `C1`: `axes` are distinct dimensions of `input`.
    * `C2`: the result's shape agrees with the input's without (with `keepdims`: with 1 for) the axes.
    * `C3`: the result has the input's element type.

    **Source**: ONNX ReduceSum, ReduceProd, ReduceMax, ReduceMin.
  }];
  let arguments = (ins Ds_ReduceKindAttr:$kind, AnyRankedTensor:$input, DenseI64ArrayAttr:$axes, UnitAttr:$keepdims);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = "$kind $input $axes (`keepdims` $keepdims^)? attr-dict `:` type($input) `to` type($result)";
  let hasFolder = 1;
}

def Ds_ArgReduceOp : Ds_TensorOp<"arg_reduce", [Ds_InferTypes, Ds_Reify, Ds_Tiling]> {
  let summary = "index (i64) of the largest or smallest element along `axis`, kept as size 1";
  let description = [{
    Of equal elements the first counts, the last with `select_last`. NaN never wins over what came before. The axis is not
    empty. Tiles: over all dimensions but `axis`.

    **Constraints**
    * `C1`: `axis` is a dimension of `input`.
    * `C2`: `kind` is `max` or `min`.
    * `C3`: the result's elements are i64, and its shape agrees with the input's, 1 along `axis`.

    **Source**: ONNX ArgMax, ArgMin.
  }];
  let arguments = (ins Ds_ReduceKindAttr:$kind, AnyRankedTensor:$input, I64Attr:$axis, UnitAttr:$select_last);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = "$kind $input $axis (`last` $select_last^)? attr-dict `:` type($input) `to` type($result)";
}

def Ds_CumulativeOp : Ds_TensorOp<"cumulative", [Ds_InferTypes, Ds_Reify, Ds_Tiling]> {
  let summary = "running sum or product along `axis`";
  let description = [{
    `result[i] = kind of input[j] for j ≤ i` (`exclusive`: j < i), from the other end with `reverse`. Kept in f32 (f64 for f64)
    and rounded at each result. Tiles: over all dimensions but `axis`.

    **Constraints**
    * `C1`: `axis` is a dimension of `input`.
    * `C2`: `kind` is `sum` or `prod`.
    * `C3`: the result has the input's element type, and its shape agrees with the input's.

    **Source**: ONNX CumSum, CumProd.
  }];
  let arguments = (ins Ds_ReduceKindAttr:$kind, AnyRankedTensor:$input, I64Attr:$axis, UnitAttr:$exclusive, UnitAttr:$reverse);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = "$kind $input $axis (`exclusive` $exclusive^)? (`reverse` $reverse^)? attr-dict `:` type($input) `to` type($result)";
}

def Ds_MatmulOp : Ds_TensorOp<"matmul", [Ds_Reify, Ds_Tiling]> {
  let summary = "batched matrix product `[…, M, K] · […, K, N]`, batch dimensions broadcast as in ds.elementwise";
  let description = [{
    `result[…, m, n] = Σ_k lhs[…, m, k] · rhs[…, k, n]`, in ascending order of k. Floats: products and sums in f32 (f64 for an
    f64 result), rounded once. Integers are widened to the result's type (i32) first. K = 0 gives 0. Tiles: over all
    dimensions of the result; K is whole.

    **Constraints**
    * `C1`: both operands have rank 2 at least.
    * `C2`: they agree in K.
    * `C3`: the result has the higher of their ranks, each batch size of an operand, counted from the last, is 1 or agrees
      with the result's, and no batch size of the result comes from nowhere.
    * `C4`: the last sizes of the result agree with M and N.
    * `C5`: operands and result are all floats or all integers.

    **Source**: ONNX MatMul, MatMulInteger.
  }];
  let arguments = (ins AnyRankedTensor:$lhs, AnyRankedTensor:$rhs);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = "$lhs `,` $rhs attr-dict `:` type($lhs) `,` type($rhs) `to` type($result)";
}

def Ds_SoftmaxOp : Ds_TensorOp<"softmax", [Ds_InferTypes, Ds_Reify, Ds_Tiling]> {
  let summary = "`exp(x − max) / Σ exp(x − max)` along `axis`, in f32 (f64 for f64); `log` gives its logarithm";
  let description = [{
    The maximum, exponentials, their sum in ascending order and the quotient are f32 (f64 for f64), rounded once.
    `log`: `(x − max) − log(Σ exp(x − max))`. A row of −inf gives NaN. Tiles: over all dimensions but `axis`.

    **Constraints**
    * `C1`: `axis` is a dimension of `input`.
    * `C2`: `input` has float elements.
    * `C3`: the result has the input's element type, and its shape agrees with the input's.

    **Source**: ONNX Softmax and LogSoftmax of opset 13.
  }];
  let arguments = (ins AnyRankedTensor:$input, I64Attr:$axis, UnitAttr:$log);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = "$input $axis (`log` $log^)? attr-dict `:` type($input) `to` type($result)";
}

// ----- indexing ----------------------------------------------------------------------------------------------------
// Indices: a negative one counts from the end. One outside its tensor is an error at run time (the entry returns
// DS_STATUS_INDEX), never a read or write outside.
def Ds_GatherOp : Ds_CheckedOp<"gather", [Ds_InferTypes, Ds_Reify]> {
  let summary = "`input` with dimension `axis` replaced by the dimensions of `indices`";
  let description = [{
    `result[a…, i…, b…] = input[a…, indices[i…], b…]`. A negative index counts from the end. An index out of range is an error
    at run time (the entry returns DS_STATUS_INDEX), never a read outside.

    **Constraints**
    * `C1`: `axis` is a dimension of `input`.
    * `C2`: `indices` are integers, not i1.
    * `C3`: the result has the input's element type, and its shape agrees with the input's, the sizes of `indices` instead of
      the size along `axis`.

    **Source**: ONNX Gather.
  }];
  let arguments = (ins AnyRankedTensor:$input, AnyRankedTensor:$indices, I64Attr:$axis);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = "$input `,` $indices $axis attr-dict `:` type($input) `,` type($indices) `to` type($result)";
}

def Ds_GatherElementsOp : Ds_CheckedOp<"gather_elements", [Ds_InferTypes, Ds_Reify]> {
  let summary = "one element of `input` per index: `result[i] = input[i, but indices[i] along axis]`";
  let description = [{
    `result[a…, i, b…] = input[a…, indices[a…, i, b…], b…]`. Indices as in `ds.gather`.

    **Constraints**
    * `C1`: `axis` is a dimension of `input`.
    * `C2`: `indices` are integers, not i1, of the input's rank, and no size of them is above the input's but along `axis`.
    * `C3`: the result has the input's element type, and its shape agrees with that of `indices`.

    **Source**: ONNX GatherElements.
  }];
  let arguments = (ins AnyRankedTensor:$input, AnyRankedTensor:$indices, I64Attr:$axis);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = "$input `,` $indices $axis attr-dict `:` type($input) `,` type($indices) `to` type($result)";
}

def Ds_GatherNdOp : Ds_CheckedOp<"gather_nd", [Ds_InferTypes, Ds_Reify]> {
  let summary = "slices of `input` at tuples of indices";
  let description = [{
    With `batch_dims` = p and depth = the last size of `indices`,
    `result[a…, i…, b…] = input[a…, indices[a…, i…, 0], …, indices[a…, i…, depth − 1], b…]`, a… being p dimensions. Indices as in
    `ds.gather`; the batch sizes are equal.

    **Constraints**
    * `C1`: `indices` are integers, not i1, of rank 1 at least, and their last size is static.
    * `C2`: `batch_dims` is not negative and below the rank of `indices`, and `batch_dims` + depth is at most the input's rank.
    * `C3`: `input` and `indices` agree in their first `batch_dims` sizes.
    * `C4`: the result has the input's element type, and its shape agrees with that of `indices` without the last, followed by
      the input's sizes from `batch_dims` + depth on.

    **Source**: ONNX GatherND.
  }];
  let arguments = (ins AnyRankedTensor:$input, AnyRankedTensor:$indices, DefaultValuedAttr<I64Attr, "0">:$batch_dims);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = "$input `,` $indices attr-dict `:` type($input) `,` type($indices) `to` type($result)";
}

def Ds_ScatterElementsOp : Ds_CheckedOp<"scatter_elements", [Ds_InferTypes, Ds_Reify]> {
  let summary = "`input` with one element replaced (or combined) per update";
  let description = [{
    result = input; then, in row-major order of i,
    `result[a…, indices[a…, i, b…], b…] = updates[a…, i, b…]`, or by `kind` the sum, product, maximum or minimum of it and what is
    there, rounded at each step. Indices as in `ds.gather`.

    **Constraints**
    * `C1`: `axis` is a dimension of `input`.
    * `C2`: `indices` are integers, not i1, of the input's rank, and no size of them is above the input's but along `axis`.
    * `C3`: the shapes of `indices` and `updates` agree.
    * `C4`: `updates` has the input's element type, and the result has the input's element type and a shape that agrees.

    **Source**: ONNX ScatterElements.
  }];
  let arguments = (ins Ds_ScatterKindAttr:$kind, AnyRankedTensor:$input, AnyRankedTensor:$indices, AnyRankedTensor:$updates, I64Attr:$axis);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = "$kind $input `,` $indices `,` $updates $axis attr-dict `:` type($input) `,` type($indices) `,` type($updates) `to` type($result)";
}

def Ds_ScatterNdOp : Ds_CheckedOp<"scatter_nd", [Ds_InferTypes, Ds_Reify]> {
  let summary = "`input` with slices replaced (or combined) at tuples of indices";
  let description = [{
    result = input; then, in row-major order, with depth = the last size of `indices`,
    `result[indices[i…, 0], …, indices[i…, depth − 1], b…] = updates[i…, b…]`, or by `kind` the sum, product, maximum or minimum of it
    and what is there, rounded at each step. Indices as in `ds.gather`.

    **Constraints**
    * `C1`: `indices` are integers, not i1, of rank 1 at least, and their last size is static and at most the input's rank.
    * `C2`: the shape of `updates` agrees with that of `indices` without the last, followed by the input's sizes from depth on.
    * `C3`: `updates` has the input's element type, and the result has the input's element type and a shape that agrees.

    **Source**: ONNX ScatterND.
  }];
  let arguments = (ins Ds_ScatterKindAttr:$kind, AnyRankedTensor:$input, AnyRankedTensor:$indices, AnyRankedTensor:$updates);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = "$kind $input `,` $indices `,` $updates attr-dict `:` type($input) `,` type($indices) `,` type($updates) `to` type($result)";
}

def Ds_TopKOp : Ds_TensorOp<"topk", [Ds_Reify]> {
  let summary = "the `k` largest (smallest) along `axis` in order, ties to the lower index; values and i64 indices";
  let description = [{
    `k` is at most the size along `axis` (undefined otherwise).

    **Constraints**
    * `C1`: `axis` is a dimension of `input`.
    * `C2`: `values` has the input's element type, `indices` is i64.
    * `C3`: the shapes of `values` and `indices` agree with the input's but along `axis`, and with each other there.

    **Source**: ONNX TopK.
  }];
  let arguments = (ins AnyRankedTensor:$input, Index:$k, I64Attr:$axis, DefaultValuedAttr<BoolAttr, "true">:$largest);
  let results = (outs AnyRankedTensor:$values, AnyRankedTensor:$indices);
  let assemblyFormat = "$input `,` $k $axis attr-dict `:` type($input) `to` type($values) `,` type($indices)";
}

def Ds_NonZeroOp : Ds_TensorOp<"nonzero"> {
  let summary = "indices of elements that are not zero, [rank, count], i64, row-major order";
  let description = [{
    NaN is not zero. How many there are is known only afterwards, so the second size is dynamic.

    **Constraints**
    * `C1`: the result is i64 of shape [rank of `input`, ?].

    **Source**: ONNX NonZero.
  }];
  let arguments = (ins AnyRankedTensor:$input);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = "$input attr-dict `:` type($input) `to` type($result)";
}

// ----- quantised values --------------------------------------------------------------------------------------------
def Ds_DequantizeOp : Ds_TensorOp<"dequantize", [Ds_Reify, Ds_Tiling]> {
  let summary = "`(x − zero_point) · scale`, in f32, rounded once to the result's type";
  let description = [{
    `scale` and `zero_point` (same shape; absent = 0) are rank 0 (per tensor), rank 1 along `axis` (per axis), or of
    `x`'s rank with `ceil(size / block_size)` along `axis` and the same sizes elsewhere (blocked; `block_size` > 0). The
    difference of integers is exact in i32; it is converted to f32 and multiplied there. Tiles: over all dimensions, but
    `axis` of blocked scales.

    **Constraints**
    * `C1`: `scale` and result are floats; `input` has integer or float elements, and `zero_point` has the same type of element.
    * `C2`: `block_size` is not negative, and `axis` is a dimension of `input` unless `scale` has rank 0.
    * `C3`: `scale` has rank 0, or the shape that per-axis (`block_size` = 0) or blocked quantisation has.
    * `C4`: the shapes of `scale` and `zero_point` agree.
    * `C5`: the shapes of `input` and result agree.

    **Source**: ONNX DequantizeLinear; com.microsoft MatMulNBits.
  }];
  let arguments = (ins AnyRankedTensor:$input, AnyRankedTensor:$scale, Optional<AnyRankedTensor>:$zero_point,
                       DefaultValuedAttr<I64Attr, "0">:$axis, DefaultValuedAttr<I64Attr, "0">:$block_size);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = "$input `scale` $scale `:` type($scale) (`zero_point` $zero_point^ `:` type($zero_point))? attr-dict `:` type($input) `to` type($result)";
}

def Ds_DequantizeBlocksOp : Ds_TensorOp<"dequantize_blocks", [Ds_Reify]> {
  let summary = "`x · scale` of its block of rows and columns, in f32, rounded once to the result's type";
  let description = [{
    `input` […, R, C], `scale` […, ceil(R / p), ceil(C / q)] with [p, q] = `block`:

        result[…, i, j] = input[…, i, j] · scale[…, i / p, j / q]

    The last blocks may be cut off by the end of the tensor. Both factors are converted to f32 and multiplied there. FP8 weights
    of DeepSeek-V3 are f8E4M3FN with an f32 scale per 128 × 128; `weight_scale_inv` of the checkpoint is what multiplies, despite
    its name. It is an op of its own, not a form of `ds.dequantize`, because every pass that keeps weights quantised relies on the scales
    of one row being no other row's.

    **Constraints**
    * `C1`: `input` has integer or float elements and rank 2 at least; `scale` and result are floats.
    * `C2`: `block` is two positive numbers.
    * `C3`: the shape of `scale` agrees with […, ceil(R / p), ceil(C / q)].
    * `C4`: the shapes of `input` and result agree.

    **Source**: `weight_dequant` of DeepSeek-V3's own code.
  }];
  let arguments = (ins AnyRankedTensor:$input, AnyRankedTensor:$scale, DenseI64ArrayAttr:$block);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = "$input `scale` $scale `blocks` $block attr-dict `:` type($input) `,` type($scale) `to` type($result)";
}
def Ds_QuantizeOp : Ds_TensorOp<"quantize"> {
  let summary = "`clamp(roundeven(x / scale) + zero_point)` to the range of the result's integer type, in f32";
  let description = [{
    One scale for the whole tensor, as activations are quantised; `zero_point` absent = 0. `ds-expand-quantize` takes the op
    apart before lowering.

    **Constraints**
    * `C1`: `input` and `scale` are floats, the result has integer elements, and `zero_point` has the same type of element.
    * `C2`: `scale` and `zero_point` have rank 0.
    * `C3`: the shapes of `input` and result agree.

    **Source**: ONNX QuantizeLinear.
  }];
  let arguments = (ins AnyRankedTensor:$input, AnyRankedTensor:$scale, Optional<AnyRankedTensor>:$zero_point);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = "$input `scale` $scale `:` type($scale) (`zero_point` $zero_point^ `:` type($zero_point))? attr-dict `:` type($input) `to` type($result)";
}
def Ds_DynamicQuantizeOp : Ds_TensorOp<"dynamic_quantize"> {
  let summary = "ONNX DynamicQuantizeLinear: quantised to ui8 with the scale and zero point of the whole tensor's range";
  let description = [{
    `scale = (max(0, max x) − min(0, min x)) / 255`, `zero_point = clamp(roundeven(−min(0, min x) / scale))`, both rank 0;
    `result = clamp(roundeven(x / scale) + zero_point)`. All zeros: scale 0, everything else as if it were 1.
    `ds-expand-quantize` takes the op apart before lowering.

    **Constraints**
    * `C1`: `input` is float; result and `zero_point` are ui8, `scale` is f32.
    * `C2`: `scale` and `zero_point` have rank 0.
    * `C3`: the shapes of `input` and result agree.

    **Source**: ONNX DynamicQuantizeLinear.
  }];
  let arguments = (ins AnyRankedTensor:$input);
  let results = (outs AnyRankedTensor:$result, AnyRankedTensor:$scale, AnyRankedTensor:$zero_point);
  let assemblyFormat = "$input attr-dict `:` type($input) `to` type($result) `,` type($scale) `,` type($zero_point)";
}

#endif // DIALECTS_DS_IR_DSTENSOROPS
