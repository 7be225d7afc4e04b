//===- Passes.td - from ds to linalg on tensors -----------------*- tablegen -*-===//
#ifndef LOWERING_DSTOLINALG_PASSES
#define LOWERING_DSTOLINALG_PASSES
include "mlir/Pass/PassBase.td"

def DsToLinalg : Pass<"ds-to-linalg", "ModuleOp"> {
  let summary = "ds ops become linalg, tensor, scf, arith and math on tensors";
  let description = [{
    Every ds op but `ds.parameter` and `ds.load_parameter`. Unsigned element types become signless; the ops they meet were chosen by
    the unsigned type before (`arith.divui`, …), and arguments keep it as `ds.type`. An index outside its tensor is clamped and
    reported by a call of `@ds_report_index`, which the entry turns into DS_STATUS_INDEX: nothing is ever read outside.
  }];
  let dependentDialects = ["::mlir::ds::DsDialect", "::mlir::arith::ArithDialect", "::mlir::func::FuncDialect",
                           "::mlir::linalg::LinalgDialect", "::mlir::math::MathDialect", "::mlir::scf::SCFDialect",
                           "::mlir::tensor::TensorDialect", "::mlir::bufferization::BufferizationDialect"];
}
#endif // LOWERING_DSTOLINALG_PASSES
