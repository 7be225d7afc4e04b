//===- Passes.td - from linalg on tensors to CPU code ---------*- tablegen -*-===//
#ifndef LOWERING_LINALGTOCPU_PASSES
#define LOWERING_LINALGTOCPU_PASSES
include "mlir/Pass/PassBase.td"

def BuildEntries : Pass<"ds-build-entries", "ModuleOp"> {
  let summary = "functions of model_abi.h around @graph and @step";
  let description = [{
    `@graph` gets buffers for its arguments and returns fresh buffers; `@step` writes its results into buffers that it is given, caches in
    place. Around each stands `@ds_entry_…(call) -> status`, which checks sizes, ids, rows, slots and lengths before anything is
    touched. `ds.load_parameter` becomes a view of the caller's memory; parameter i, in the order of the
    `ds.parameter` ops, is entry i of the `parameters` array, and the ops go.
    Run on signless tensors, before bufferization.
  }];
  let dependentDialects = ["::mlir::LLVM::LLVMDialect", "::mlir::bufferization::BufferizationDialect", "::mlir::memref::MemRefDialect",
                           "::mlir::scf::SCFDialect", "::mlir::arith::ArithDialect", "::mlir::func::FuncDialect"];
}

def LowerCopies : Pass<"ds-lower-copies"> {
  let summary = "copies between strided buffers become linalg.copy";
  let description = [{
    Upstream would call a library function that is not in libc. Copies between contiguous buffers stay: they become memcpy.
    Run after bufferization.
  }];
  let dependentDialects = ["::mlir::linalg::LinalgDialect"];
}
#endif // LOWERING_LINALGTOCPU_PASSES
