//===- OnnxOps.td - the onnx dialect ----------------------*- tablegen -*-===//
//
// A faithful copy of an ONNX graph as IR. One generic op, onnx.node, carries every operator of every domain and version:
// the importer never refuses a file because of an operator; lowering/OnnxToDs does, with the full list of what is missing.
//
//===----------------------------------------------------------------------===//
#ifndef DIALECTS_ONNX_IR_ONNXOPS
#define DIALECTS_ONNX_IR_ONNXOPS

include "mlir/IR/AttrTypeBase.td"
include "mlir/IR/BuiltinAttributes.td"
include "mlir/IR/BuiltinAttributeInterfaces.td"
include "mlir/IR/OpBase.td"
include "mlir/IR/RegionKindInterface.td"
include "mlir/IR/SymbolInterfaces.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

def Onnx_Dialect : Dialect {
  let name = "onnx";
  let cppNamespace = "::mlir::onnx";
  let summary = "An ONNX model as it stands in the file";
  let description = [{
    The builtin.module that holds an imported model carries these attributes:
    * `onnx.ir_version` : i64
    * `onnx.opset_imports` : dictionary from domain to version, `{ai.onnx = 20 : i64, com.microsoft = 1 : i64}`
    * `onnx.producer` : string, optional
    * `onnx.metadata` : dictionary of strings, optional (metadata_props)

    Element types. Signed integers and bool are signless (`i64`, `i1`); unsigned ones are `ui8` … `ui64`, `ui4`, `ui2`;
    `f8E4M3FN`, `f8E4M3FNUZ`, `f8E5M2`, `f8E5M2FNUZ`, `f8E8M0FNU`, `f4E2M1FN`, `bf16`, `f16`, `f32`, `f64`,
    `complex<f32>`, `complex<f64>`, `!onnx.string`. A value whose type the file does not state is `!onnx.unknown`.
    A tensor without a shape is unranked. A dimension given by name is dynamic; its name stands in `onnx.graph`.
  }];
  let useDefaultTypePrinterParser = 1;
  let useDefaultAttributePrinterParser = 1;
}

class Onnx_Type<string name, string m> : TypeDef<Onnx_Dialect, name> { let mnemonic = m; }
def Onnx_UnknownType : Onnx_Type<"Unknown", "unknown"> {
  let summary = "the file does not say";
}
def Onnx_StringType : Onnx_Type<"String", "string"> {
  let summary = "element type of string tensors";
  let extraClassDeclaration = "";
}
def Onnx_SequenceType : Onnx_Type<"Sequence", "sequence"> {
  let summary = "sequence(T)";
  let parameters = (ins "::mlir::Type":$elementType);
  let assemblyFormat = "`<` $elementType `>`";
}
def Onnx_OptionalType : Onnx_Type<"Optional", "optional"> {
  let summary = "optional(T)";
  let parameters = (ins "::mlir::Type":$elementType);
  let assemblyFormat = "`<` $elementType `>`";
}
def Onnx_MapType : Onnx_Type<"Map", "map"> {
  let summary = "map(K, V)";
  let parameters = (ins "::mlir::Type":$keyType, "::mlir::Type":$valueType);
  let assemblyFormat = "`<` $keyType `,` $valueType `>`";
}
def Onnx_SparseTensorType : Onnx_Type<"SparseTensor", "sparse_tensor"> {
  let summary = "sparse_tensor(T)";
  let parameters = (ins "::mlir::Type":$tensorType);
  let assemblyFormat = "`<` $tensorType `>`";
}

class Onnx_Attr<string name, string m> : AttrDef<Onnx_Dialect, name> { let mnemonic = m; }
def Onnx_FileRangeAttr : Onnx_Attr<"FileRange", "file_range"> {
  let summary = "bytes of a file that hold a tensor, never copied";
  let description = [{
    `file` is relative to the folder of the model file (the model file itself for embedded data), inside that folder;
    `offset` and `length` are bytes. The data is what ONNX calls raw_data: little endian, row major, 4-bit types two per
    byte with the low nibble first.
    * `C1`: `file` is relative, not empty, and has no `..`.
    * `C2`: the range ends below 2^63.
  }];
  let parameters = (ins StringRefParameter<"path relative to the model's folder">:$file, "uint64_t":$offset, "uint64_t":$length);
  let assemblyFormat = "`<` $file `,` $offset `,` $length `>`";
  let genVerifyDecl = 1;
}
def Onnx_RefAttr : Onnx_Attr<"Ref", "ref"> {
  let summary = "inside a function: the value of the caller's attribute of this name (ref_attr_name)";
  let parameters = (ins StringRefParameter<"name of the function's attribute">:$name, StringRefParameter<"ONNX attribute type, e.g. INT">:$kind);
  let assemblyFormat = "`<` $name `,` $kind `>`";
}
def Onnx_GraphRefAttr : Onnx_Attr<"GraphRef", "graph"> {
  let summary = "an attribute of type GRAPH: the index of the region that holds it";
  let parameters = (ins "unsigned":$region);
  let assemblyFormat = "`<` $region `>`";
}

class Onnx_Op<string mnemonic, list<Trait> traits = []> : Op<Onnx_Dialect, mnemonic, traits>;

def Onnx_GraphOp : Onnx_Op<"graph", [IsolatedFromAbove, Symbol, SingleBlock]> {
  let summary = "the main graph";
  let description = [{
    One block; its arguments are the graph's inputs without those that an initializer gives (IR < 4 lists both), its
    terminator `onnx.return` gives the outputs. `input_names`/`output_names` are ONNX value names in order.
    `input_dims`/`output_dims`: per value an array with one string per dimension: the dim_param, "" where the dimension
    has a number or no name. A dim_param made of digits (the HF exporter writes those) is imported as a number.

    **Constraints**
    * `C1`: `input_names` has one name per argument of the body.
    * `C2`: the body ends with `onnx.return`, and `output_names` has one name per value that it returns.
    * `C3`: `input_dims` has one array of strings per argument, as long as its rank where that is known.
    * `C4`: `output_dims` has one entry per output.
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, StrArrayAttr:$input_names, StrArrayAttr:$output_names,
                       ArrayAttr:$input_dims, ArrayAttr:$output_dims);
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = "$sym_name `inputs` $input_names $input_dims `outputs` $output_names $output_dims attr-dict-with-keyword $body";
  let hasVerifier = 1;
}

def Onnx_FunctionOp : Onnx_Op<"function", [IsolatedFromAbove, SingleBlock]> {
  let summary = "a model-local function (FunctionProto)";
  let description = [{
    A node whose domain, op_type and overload are this function's is a call. Values inside are `!onnx.unknown`.
    `defaults` holds attribute_proto (attributes with a default).

    **Constraints**
    * `C1`: `input_names` has one name per argument of the body.
    * `C2`: the body ends with `onnx.return`, and `output_names` has one name per value that it returns.
  }];
  let arguments = (ins StrAttr:$domain, StrAttr:$name, StrAttr:$overload, StrArrayAttr:$input_names, StrArrayAttr:$output_names,
                       StrArrayAttr:$attr_names, DictionaryAttr:$defaults, DictionaryAttr:$opset_imports);
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = "attr-dict-with-keyword $body";
  let hasVerifier = 1;
}

def Onnx_InitializerOp : Onnx_Op<"initializer", [Pure]> {
  let summary = "a constant tensor of the graph";
  let description = [{
    `value` is an ElementsAttr for small tensors and for data that the file encodes otherwise than raw, else
    `#onnx.file_range`. `name` is the ONNX name of the initializer.

    **Constraints**
    * `C1`: the result is a ranked tensor of fixed shape.
    * `C2`: `value` is an ElementsAttr or `#onnx.file_range`; strings are no range of a file.
    * `C3`: an ElementsAttr has the result's type.
    * `C4`: a range holds as many bytes as the tensor: elements · bits / 8, rounded up; bool takes a byte.
  }];
  let arguments = (ins StrAttr:$name, AnyAttr:$value);
  let results = (outs AnyType:$result);
  let assemblyFormat = "$name `=` $value attr-dict `to` type($result)";
  let hasVerifier = 1;
}

def Onnx_AbsentOp : Onnx_Op<"absent", [Pure]> {
  let summary = "an optional input that is left out (the empty name)";
  let description = [{ Its result has type none. }];
  let results = (outs NoneType:$result);
  let assemblyFormat = "attr-dict";
}

def Onnx_NodeOp : Onnx_Op<"node"> {
  let summary = "one node of the graph";
  let description = [{
    `version` is the opset version that the model (or the enclosing function) imports for `domain`.
    `attrs` maps names to: INT → i64 integer, FLOAT → f32 float, STRING → string (any bytes), TENSOR → ElementsAttr or
    `#onnx.file_range` wrapped as an array [type, range], INTS → `array<i64: …>`, FLOATS → `array<f32: …>`,
    STRINGS → array of strings, TYPE_PROTO → type, GRAPH → `#onnx.graph<region>`, GRAPHS → array of them,
    a reference inside a function → `#onnx.ref`.
    Regions may use values of enclosing regions (ONNX outer scope). A left-out trailing input is simply not there; one in
    the middle is `onnx.absent`. A left-out output is a result of type none.

    **Constraints**
    * `C1`: `version` is 1 or more.
    * `C2`: `#onnx.graph<i>` names one of the regions, and every region is named by exactly one attribute.
    * `C3`: every region ends with `onnx.return`.
  }];
  let arguments = (ins StrAttr:$op_type, DefaultValuedStrAttr<StrAttr, "">:$domain, I64Attr:$version,
                       DefaultValuedStrAttr<StrAttr, "">:$node_name, DefaultValuedStrAttr<StrAttr, "">:$overload,
                       DictionaryAttr:$attrs, Variadic<AnyType>:$inputs);
  let results = (outs Variadic<AnyType>:$outputs);
  let regions = (region VariadicRegion<SizedRegion<1>>:$bodies);
  let assemblyFormat = [{
    $op_type `(` $inputs `)` `version` $version $attrs attr-dict `:` functional-type($inputs, $outputs) $bodies
  }];
  let hasVerifier = 1;
}

def Onnx_ReturnOp : Onnx_Op<"return", [Terminator, ParentOneOf<["GraphOp", "FunctionOp", "NodeOp"]>]> {
  let summary = "outputs of the enclosing graph or function";
  let description = [{ Ends the body of a graph, of a function, or of a graph that is an attribute of a node. }];
  let arguments = (ins Variadic<AnyType>:$values);
  let assemblyFormat = "($values^ `:` type($values))? attr-dict";
}

#endif // DIALECTS_ONNX_IR_ONNXOPS
