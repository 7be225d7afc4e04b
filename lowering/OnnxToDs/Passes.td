//===- Passes.td - from the onnx dialect to ds ------------------*- tablegen -*-===//
#ifndef LOWERING_ONNXTODS_PASSES
#define LOWERING_ONNXTODS_PASSES
include "mlir/Pass/PassBase.td"

def ConvertOnnxToDs : Pass<"convert-onnx-to-ds", "ModuleOp"> {
  let summary = "onnx.graph becomes func.func @graph of ds tensor ops";
  let description = [{
    Op by op, in order, with partial evaluation of shape arithmetic: a value that is a constant or whose elements are sizes is
    kept as such, so that `Shape → Gather → Concat → Reshape` becomes one `ds.reshape`, and equal sizes are one SSA value.
    Model-local functions are inlined first, unless the op is known itself.

    Operators that are not supported are collected over the whole model and reported in one error, before anything is
    generated.
  }];
  let dependentDialects = ["::mlir::ds::DsDialect", "::mlir::func::FuncDialect", "::mlir::tensor::TensorDialect",
                           "::mlir::arith::ArithDialect", "::mlir::scf::SCFDialect"];
}
#endif // LOWERING_ONNXTODS_PASSES
