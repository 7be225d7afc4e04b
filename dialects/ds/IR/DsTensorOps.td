//===- DsTensorOps.td - the tensor algebra that ONNX graphs are lowered to ---*- tablegen -*-===//
#ifndef DIALECTS_DS_IR_DSTENSOROPS
#define DIALECTS_DS_IR_DSTENSOROPS
include "dialects/ds/IR/DsBase.td"

class Ds_TensorOp<string mnemonic, list<Trait> traits = []> : Ds_Op<mnemonic, !listconcat([Pure], traits)>;

def Ds_ElementwiseOp : Ds_TensorOp<"elementwise"> {
  let summary = "a scalar function at every index";
  let description = [{
    `result[i] = kind(operands…[i])`. Operands broadcast statically: missing leading dimensions and static 1s repeat; two
    dynamic sizes in one place are equal (undefined otherwise; where a graph cannot promise it, `ds.broadcast` comes first).
    Comparisons give i1. `div` of integers truncates; `floormod` has the divisor's sign, `truncmod` the dividend's; `max`/`min`
    propagate NaN; `roundeven` rounds half to even; `and or xor not` are bitwise on integers and logical on i1.
  }];
  let arguments = (ins Ds_ElementwiseKindAttr:$kind, Variadic<AnyRankedTensor>:$operands);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = "$kind $operands attr-dict `:` functional-type($operands, $result)";
}

def Ds_CastOp : Ds_TensorOp<"cast"> {
  let summary = "element type conversion, as ONNX Cast";
  let description = [{
    float → int truncates; → i1 is `x != 0` (NaN is true); float → narrower float rounds to nearest even; float → float8
    saturates if `saturate`, else overflows to NaN/inf as the type has; int → int wraps.
  }];
  let arguments = (ins AnyRankedTensor:$input, DefaultValuedAttr<BoolAttr, "true">:$saturate);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = "$input attr-dict `:` type($input) `to` type($result)";
}

// Ops whose result sizes are operands: `dims` are the dynamic sizes in order, static ones stand in the result type.
def Ds_ReshapeOp : Ds_TensorOp<"reshape"> {
  let summary = "the same elements in row-major order under another shape";
  let arguments = (ins AnyRankedTensor:$input, Variadic<Index>:$dims);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = "$input (`[` $dims^ `]`)? attr-dict `:` type($input) `to` type($result)";
}
def Ds_BroadcastOp : Ds_TensorOp<"broadcast"> {
  let summary = "numpy broadcast to the result's shape; a size that is 1 at run time repeats";
  let arguments = (ins AnyRankedTensor:$input, Variadic<Index>:$dims);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = "$input (`[` $dims^ `]`)? attr-dict `:` type($input) `to` type($result)";
}
def Ds_TransposeOp : Ds_TensorOp<"transpose"> {
  let summary = "`result[i[perm]] = input[i]`: result dimension j is input dimension perm[j]";
  let arguments = (ins AnyRankedTensor:$input, DenseI64ArrayAttr:$perm);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = "$input $perm attr-dict `:` type($input) `to` type($result)";
}
def Ds_SliceOp : Ds_TensorOp<"slice", [AttrSizedOperandSegments]> {
  let summary = "`result[i] = input[offset + i · stride]` along every dimension; strides may be negative";
  let description = [{
    One offset, size and stride per dimension; a dynamic one (kDynamic in the static array) is the next operand of its list.
    Offsets, sizes and strides are in range: who builds the op clamps, as ONNX Slice says.
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
  let hasVerifier = 1;
  let builders = [OpBuilder<(ins "::mlir::Value":$input, "::llvm::ArrayRef<::mlir::OpFoldResult>":$offsets,
      "::llvm::ArrayRef<::mlir::OpFoldResult>":$sizes, "::llvm::ArrayRef<::mlir::OpFoldResult>":$strides)>];
}
def Ds_ConcatOp : Ds_TensorOp<"concat"> {
  let summary = "inputs one after the other along `axis`; zero-sized inputs are legal";
  let arguments = (ins I64Attr:$axis, Variadic<AnyRankedTensor>:$inputs);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = "$axis $inputs attr-dict `:` functional-type($inputs, $result)";
}
def Ds_PadOp : Ds_TensorOp<"pad", [AttrSizedOperandSegments]> {
  let summary = "padding before and after each dimension";
  let description = [{ `low`/`high`: one index operand per dimension, ≥ 0 (cropping is a slice). `value` is rank 0, used by mode constant. }];
  let arguments = (ins AnyRankedTensor:$input, AnyRankedTensor:$value, Variadic<Index>:$low, Variadic<Index>:$high, Ds_PadModeAttr:$mode);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = "$mode $input `value` $value `low` $low `high` $high attr-dict `:` type($input) `,` type($value) `to` type($result)";
}
def Ds_RangeOp : Ds_TensorOp<"range", [AllTypesMatch<["start", "delta"]>]> {
  let summary = "`result[i] = start + i · delta`, rank 1; start and delta are rank 0 tensors of the element type";
  let arguments = (ins AnyRankedTensor:$start, AnyRankedTensor:$delta, Optional<Index>:$size);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = "$start `,` $delta (`[` $size^ `]`)? attr-dict `:` type($start) `to` type($result)";
}
def Ds_ReduceOp : Ds_TensorOp<"reduce"> {
  let summary = "combine along `axes`; the result drops them, or keeps them as 1 with `keepdims`";
  let description = [{ Empty reductions give 0, 1, lowest (−inf), highest (+inf). max/min propagate NaN. Order: ascending index. }];
  let arguments = (ins Ds_ReduceKindAttr:$kind, AnyRankedTensor:$input, DenseI64ArrayAttr:$axes, UnitAttr:$keepdims);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = "$kind $input $axes (`keepdims` $keepdims^)? attr-dict `:` type($input) `to` type($result)";
}
def Ds_ArgReduceOp : Ds_TensorOp<"arg_reduce"> {
  let summary = "index (i64) of the largest/smallest element along `axis`, kept as size 1";
  let arguments = (ins Ds_ReduceKindAttr:$kind, AnyRankedTensor:$input, I64Attr:$axis, UnitAttr:$select_last);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = "$kind $input $axis (`last` $select_last^)? attr-dict `:` type($input) `to` type($result)";
}
def Ds_CumulativeOp : Ds_TensorOp<"cumulative"> {
  let summary = "running sum or product along `axis`";
  let arguments = (ins Ds_ReduceKindAttr:$kind, AnyRankedTensor:$input, I64Attr:$axis, UnitAttr:$exclusive, UnitAttr:$reverse);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = "$kind $input $axis (`exclusive` $exclusive^)? (`reverse` $reverse^)? attr-dict `:` type($input) `to` type($result)";
}
def Ds_MatmulOp : Ds_TensorOp<"matmul"> {
  let summary = "batched matrix product `[…, M, K] · […, K, N]`, batch dimensions broadcast as in ds.elementwise";
  let description = [{ Both operands have rank ≥ 2. Integer operands are widened to the result's type (i32) first. K = 0 gives 0. }];
  let arguments = (ins AnyRankedTensor:$lhs, AnyRankedTensor:$rhs);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = "$lhs `,` $rhs attr-dict `:` type($lhs) `,` type($rhs) `to` type($result)";
}
def Ds_SoftmaxOp : Ds_TensorOp<"softmax"> {
  let summary = "`exp(x − max) / Σ exp(x − max)` along `axis`, in f32 (f64 for f64); `log` gives its logarithm";
  let arguments = (ins AnyRankedTensor:$input, I64Attr:$axis, UnitAttr:$log);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = "$input $axis (`log` $log^)? attr-dict `:` type($input) `to` type($result)";
}
def Ds_GatherOp : Ds_TensorOp<"gather"> {
  let summary = "`input` with dimension `axis` replaced by the dimensions of `indices`";
  let description = [{ `result[a…, i…, b…] = input[a…, indices[i…], b…]`. A negative index counts from the end. An index out of range is an error at run time (the entry returns DS_STATUS_INDEX), never a read outside. }];
  let arguments = (ins AnyRankedTensor:$input, AnyRankedTensor:$indices, I64Attr:$axis);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = "$input `,` $indices $axis attr-dict `:` type($input) `,` type($indices) `to` type($result)";
}
def Ds_GatherElementsOp : Ds_TensorOp<"gather_elements"> {
  let summary = "ONNX GatherElements";
  let arguments = (ins AnyRankedTensor:$input, AnyRankedTensor:$indices, I64Attr:$axis);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = "$input `,` $indices $axis attr-dict `:` type($input) `,` type($indices) `to` type($result)";
}
def Ds_GatherNdOp : Ds_TensorOp<"gather_nd"> {
  let summary = "ONNX GatherND";
  let arguments = (ins AnyRankedTensor:$input, AnyRankedTensor:$indices, DefaultValuedAttr<I64Attr, "0">:$batch_dims);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = "$input `,` $indices attr-dict `:` type($input) `,` type($indices) `to` type($result)";
}
def Ds_ScatterElementsOp : Ds_TensorOp<"scatter_elements"> {
  let summary = "ONNX ScatterElements";
  let arguments = (ins Ds_ScatterKindAttr:$kind, AnyRankedTensor:$input, AnyRankedTensor:$indices, AnyRankedTensor:$updates, I64Attr:$axis);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = "$kind $input `,` $indices `,` $updates $axis attr-dict `:` type($input) `,` type($indices) `,` type($updates) `to` type($result)";
}
def Ds_ScatterNdOp : Ds_TensorOp<"scatter_nd"> {
  let summary = "ONNX ScatterND";
  let arguments = (ins Ds_ScatterKindAttr:$kind, AnyRankedTensor:$input, AnyRankedTensor:$indices, AnyRankedTensor:$updates);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = "$kind $input `,` $indices `,` $updates attr-dict `:` type($input) `,` type($indices) `,` type($updates) `to` type($result)";
}
def Ds_TopKOp : Ds_TensorOp<"topk"> {
  let summary = "the `k` largest (smallest) along `axis` in order, ties to the lower index; values and i64 indices";
  let arguments = (ins AnyRankedTensor:$input, Index:$k, I64Attr:$axis, DefaultValuedAttr<BoolAttr, "true">:$largest);
  let results = (outs AnyRankedTensor:$values, AnyRankedTensor:$indices);
  let assemblyFormat = "$input `,` $k $axis attr-dict `:` type($input) `to` type($values) `,` type($indices)";
}
def Ds_NonZeroOp : Ds_TensorOp<"nonzero"> {
  let summary = "indices of elements that are not zero, [rank, count], i64, row-major order";
  let arguments = (ins AnyRankedTensor:$input);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = "$input attr-dict `:` type($input) `to` type($result)";
}
def Ds_DequantizeOp : Ds_TensorOp<"dequantize"> {
  let summary = "`(x − zero_point) · scale`, in f32, rounded once to the result's type";
  let description = [{
    `scale` and `zero_point` (same shape; absent = 0) are rank 0 (per tensor), rank 1 along `axis` (per axis), or of
    `x`'s rank with `ceil(size / block_size)` along `axis` and the same sizes elsewhere (blocked; `block_size` > 0).
  }];
  let arguments = (ins AnyRankedTensor:$input, AnyRankedTensor:$scale, Optional<AnyRankedTensor>:$zero_point,
                       DefaultValuedAttr<I64Attr, "0">:$axis, DefaultValuedAttr<I64Attr, "0">:$block_size);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = "$input `scale` $scale `:` type($scale) (`zero_point` $zero_point^ `:` type($zero_point))? attr-dict `:` type($input) `to` type($result)";
}

#endif // DIALECTS_DS_IR_DSTENSOROPS
