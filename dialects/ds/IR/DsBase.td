//===- DsBase.td - the ds dialect: dialect, attributes, enums ---*- tablegen -*-===//
#ifndef DIALECTS_DS_IR_DSBASE
#define DIALECTS_DS_IR_DSBASE

include "mlir/IR/AttrTypeBase.td"
include "mlir/IR/BuiltinAttributeInterfaces.td"
include "mlir/IR/EnumAttr.td"
include "mlir/IR/OpBase.td"
include "mlir/IR/SymbolInterfaces.td"
include "mlir/Interfaces/InferTypeOpInterface.td"
include "mlir/Interfaces/SideEffectInterfaces.td"
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

    Attributes that the dialect puts on foreign ops:
    * on func.func: `ds.entry = "graph" | "step"`, the entry point kind of the artefact;
    * on its arguments and results: `ds.name` (the name in the model), `ds.dims` (array of strings, one per dimension, ""
      where unnamed; equal names are equal sizes, checked by the runtime at each call).
  }];
  let useDefaultAttributePrinterParser = 1;
  let dependentDialects = ["::mlir::tensor::TensorDialect", "::mlir::arith::ArithDialect"];
}

class Ds_Op<string mnemonic, list<Trait> traits = []> : Op<Ds_Dialect, mnemonic, traits>;

class Ds_Attr<string name, string m> : AttrDef<Ds_Dialect, name> { let mnemonic = m; }

def Ds_FileRangeAttr : Ds_Attr<"FileRange", "file_range"> {
  let summary = "bytes of a file that hold (a part of) a parameter, never copied into the compiler";
  let description = [{ `file` as the compiler opens it; `offset`, `length` in bytes. Little endian, row major; 4-bit types two per byte, low nibble first. }];
  let parameters = (ins StringRefParameter<"path">:$file, "uint64_t":$offset, "uint64_t":$length);
  let assemblyFormat = "`<` $file `,` $offset `,` $length `>`";
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

#endif // DIALECTS_DS_IR_DSBASE
