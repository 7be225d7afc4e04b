//===- DsBase.td - the ds dialect: dialect, attributes, enums ---*- tablegen -*-===//
#ifndef DIALECTS_DS_IR_DSBASE
#define DIALECTS_DS_IR_DSBASE

include "mlir/IR/AttrTypeBase.td"
include "mlir/IR/BuiltinAttributeInterfaces.td"
include "mlir/IR/EnumAttr.td"
include "mlir/IR/OpBase.td"
include "mlir/IR/SymbolInterfaces.td"
include "mlir/Interfaces/DestinationStyleOpInterface.td"
include "mlir/Interfaces/InferTypeOpInterface.td"
include "mlir/Interfaces/SideEffectInterfaces.td"
include "mlir/Interfaces/TilingInterface.td"
include "mlir/Interfaces/ViewLikeInterface.td"

def Ds_Dialect : Dialect {
  let name = "ds";
  let cppNamespace = "::mlir::ds";
  let summary = "DeepSeek language models on tensors";
  let description = [{
    Two families. **Model ops** (`ds.rms_norm`, `ds.attention`, …) say what a model means; passes rewrite them.
    **Tensor ops** (`ds.elementwise`, `ds.reduce`, `ds.gather`, …) are the small algebra that any ONNX graph is lowered
    to op by op, and what raising matches.

    Value semantics on ranked tensors; ops that write take a destination. Integers are signless for signed and bool
    (`i1`), `ui8` … for unsigned. Numeric rules common to all ops: f16 and bf16 operands are computed in f32 and rounded
    once at the result; reductions and products of floats accumulate in f32 (f64 for f64), of integers in the result's type,
    modulo 2^n.

    **How to read an op.** Its description is its specification: the formula with shapes, then constraints numbered `C1`,
    `C2`, …: the verifier's message, `test/dialects/ds/invalid.mlir` and the text cite the same number
    (`test/dialects/check_constraints.py` holds them together). `[B, S, ?]` are shapes, `…` any number of dimensions. Two sizes
    **agree** if they are equal or one of them is dynamic; shapes agree if they have one rank and all sizes agree. A
    promise about values that only a run shows (indices in range, dynamic sizes that are equal) stands in the text without a
    number. An error of the call (DS_STATUS_INDEX) belongs to the result of the op that finds it: where nobody reads the
    result the op may go, error and all, but it never runs where the model would not run it. Formulas are those of the
    papers named as source; where frameworks differ in rounding, the op has an attribute.

    An op says over which dimensions it is cut into **tiles** (TilingInterface). One that does not say so has none: what a
    tile needs depends on data (`ds.gather…`, `ds.scatter…`, `ds.topk`, `ds.nonzero`, `ds.route`, `ds.group_tokens`) or is no
    box of the operand (`ds.reshape`, `ds.pad`, `ds.dequantize_blocks`), its elements count from the first (`ds.range`), its
    shape is the layout (`ds.pack`), or it is taken apart before (`ds.quantize`, `ds.dynamic_quantize`, `ds.moe`,
    `ds.mtp_input`).

    Attributes that the dialect puts on foreign ops:
    * on func.func: `ds.entry = "graph" | "step" | "draft"`, the entry point kind of the artefact (each `"draft"` is a layer that
      predicts a token further on, in the order of the layers), `"route_bias"`: the function that moves the bias of a router
      (`ds-export-routers`), or `"parameter"`: a function that computes a parameter from parameters at compile time (`#ds.computed`);
    * on func.func: `ds.candidate`, a copy of the graph that `ds-float-activations` made for `ds-flatten-tokens`;
    * on its arguments and results: `ds.name` (the name in the model), `ds.dims` (array of strings, one per dimension, ""
      where unnamed; equal names are equal sizes, checked by the runtime at each call);
    * on results of a step or draft: `ds.layer`, a number: the loads of the `ds.route` of this layer, behind its weights and
      experts, and `ds.bias`, a symbol: the parameter that is its bias (`ds-export-routers`).

    Constraints of `ds.entry` and its companions:
    * `C1`: `ds.entry` is one of these and stands on a function.
    * `C2`: every tensor that such a function takes or gives has a `ds.name`.
    * `C3`: no two arguments, and no two results, have the same name.
    * `C4`: `ds.dims` is an array of strings, one per dimension of the tensor.
  }];
  let hasCanonicalizer = 1;
  let hasOperationAttrVerify = 1;
  let hasRegionArgAttrVerify = 1;
  let hasRegionResultAttrVerify = 1;
  let useDefaultAttributePrinterParser = 1;
  let dependentDialects = ["::mlir::tensor::TensorDialect", "::mlir::arith::ArithDialect"];
}

class Ds_Op<string mnemonic, list<Trait> traits = []> : Op<Ds_Dialect, mnemonic, traits>;

// An op that may end in DS_STATUS_INDEX. Unlike one that is Pure, no pass may move it out of a branch.
class Ds_CheckedOp<string mnemonic, list<Trait> traits = []> : Ds_Op<mnemonic, !listconcat([NoMemoryEffect], traits)> {
  let hasVerifier = 1;
}

// The sizes of the results follow from the operands: `tensor.dim` of a result folds to sizes of operands, and tiling knows
// what to allocate.
defvar Ds_Reify = DeclareOpInterfaceMethods<ReifyRankedShapedTypeOpInterface, ["reifyResultShapes"]>;

// The types of the results follow from the operands; sizes that the operands leave open may be known in the result.
def Ds_InferTypes : InferTypeOpAdaptorBase<[{
  static bool isCompatibleReturnTypes(::mlir::TypeRange inferred, ::mlir::TypeRange actual) {
    return ::mlir::succeeded(::mlir::verifyCompatibleShapes(inferred, actual)) &&
           ::llvm::equal(inferred, actual, [](::mlir::Type a, ::mlir::Type b) {
             return ::mlir::getElementTypeOrSelf(a) == ::mlir::getElementTypeOrSelf(b);
           });
  }
}]>;

// Tiles: parallel loops over dimensions of the result, without those along which elements are computed together. DsTiling.h has
// the methods.
defvar Ds_Tiling = DeclareOpInterfaceMethods<TilingInterface,
    ["getLoopIteratorTypes", "getIterationDomain", "getTiledImplementation", "getResultTilePosition",
     "generateResultTileValue", "getIterationDomainTileFromResultTile"]>;

class Ds_Attr<string name, string m> : AttrDef<Ds_Dialect, name> { let mnemonic = m; }

def Ds_FileRangeAttr : Ds_Attr<"FileRange", "file_range"> {
  let summary = "bytes of a file that hold (a part of) a parameter, never copied into the compiler";
  let description = [{
    `file` as the compiler opens it; `offset`, `length` in bytes. Little endian, row major; 4-bit types two per byte, low
    nibble first.
    * `C1`: `file` is not empty, and the range ends below 2^63.
  }];
  let genVerifyDecl = 1;
  let parameters = (ins StringRefParameter<"path">:$file, "uint64_t":$offset, "uint64_t":$length);
  let assemblyFormat = "`<` $file `,` $offset `,` $length `>`";
}

def Ds_ComputedAttr : Ds_Attr<"Computed", "computed"> {
  let summary = "a parameter that the compiler computes: `function` of other parameters";
  let description = [{
    `function` is a func.func of the module with `ds.entry = "parameter"`, one result and one operand per name in
    `arguments`; these are ds.parameters that are not computed themselves. It runs while the model is compiled.
  }];
  let parameters = (ins "::mlir::FlatSymbolRefAttr":$function, OptionalArrayRefParameter<"::mlir::FlatSymbolRefAttr">:$arguments);
  let assemblyFormat = "`<` $function (`(` $arguments^ `)`)? `>`";
}

// ----- enums -------------------------------------------------------------------------------------------------------
class Ds_Enum<string name, string summary, list<string> names>
    : I32EnumAttr<name, summary,
        !foldl([]<I32EnumAttrCase>, !range(!size(names)), acc, i,
               !listconcat(acc, [I32EnumAttrCase<names[i], i, !tolower(names[i])>]))> {
  let cppNamespace = "::mlir::ds";
  let genSpecializedAttr = 0;
}

def Ds_ElementwiseKind : Ds_Enum<"ElementwiseKind", "scalar function of an elementwise op", [
  // unary
  "Neg", "Abs", "Sign", "Exp", "Log", "Sqrt", "Reciprocal", "Sin", "Cos", "Tan", "Asin", "Acos", "Atan", "Sinh", "Cosh",
  "Tanh", "Asinh", "Acosh", "Atanh", "Erf", "Floor", "Ceil", "RoundEven", "Sigmoid", "IsNaN", "IsPosInf", "IsNegInf", "Not",
  // binary
  "Add", "Sub", "Mul", "Div", "FloorMod", "TruncMod", "Pow", "Max", "Min", "And", "Or", "Xor", "Shl", "Shr",
  "Eq", "Lt", "Le", "Gt", "Ge",
  // ternary: condition, then, else
  "Select"]>;
def Ds_ElementwiseKindAttr : EnumAttr<Ds_Dialect, Ds_ElementwiseKind, "elementwise_kind"> { let assemblyFormat = "$value"; }
def Ds_ReduceKind : Ds_Enum<"ReduceKind", "how a reduction combines", ["Sum", "Prod", "Max", "Min"]>;
def Ds_ReduceKindAttr : EnumAttr<Ds_Dialect, Ds_ReduceKind, "reduce_kind"> { let assemblyFormat = "$value"; }
def Ds_ScatterKind : Ds_Enum<"ScatterKind", "how scatter combines with what is there", ["None", "Add", "Mul", "Max", "Min"]>;
def Ds_ScatterKindAttr : EnumAttr<Ds_Dialect, Ds_ScatterKind, "scatter_kind"> { let assemblyFormat = "$value"; }
def Ds_PadMode : Ds_Enum<"PadMode", "what padding repeats", ["Constant", "Edge", "Reflect", "Wrap"]>;
def Ds_PadModeAttr : EnumAttr<Ds_Dialect, Ds_PadMode, "pad_mode"> { let assemblyFormat = "$value"; }
def Ds_RopeLayout : Ds_Enum<"RopeLayout", "which elements rotate together: (i, i+R/2) or (2i, 2i+1)", ["Halves", "Pairs"]>;
def Ds_RopeLayoutAttr : EnumAttr<Ds_Dialect, Ds_RopeLayout, "rope_layout"> { let assemblyFormat = "$value"; }
def Ds_RouteScoring : Ds_Enum<"RouteScoring", "how logits of a router become scores", ["Softmax", "Sigmoid"]>;
def Ds_RouteScoringAttr : EnumAttr<Ds_Dialect, Ds_RouteScoring, "route_scoring"> { let assemblyFormat = "$value"; }
def Ds_GroupScore : Ds_Enum<"GroupScore", "what a group of experts counts for", ["Max", "Top2Sum"]>;
def Ds_GroupScoreAttr : EnumAttr<Ds_Dialect, Ds_GroupScore, "group_score"> { let assemblyFormat = "$value"; }
def Ds_RouteFill : Ds_Enum<"RouteFill", "what experts of other groups count for: 0 or minus infinity", ["Zero", "Lowest"]>;
def Ds_RouteFillAttr : EnumAttr<Ds_Dialect, Ds_RouteFill, "route_fill"> { let assemblyFormat = "$value"; }

#endif // DIALECTS_DS_IR_DSBASE
