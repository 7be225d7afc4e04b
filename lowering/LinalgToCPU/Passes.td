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

def PlanWorkspace : Pass<"ds-plan-workspace", "ModuleOp"> {
  let summary = "buffers of @step become parts of the caller's workspace";
  let description = [{
    Every `memref.alloc` of the function that has an argument `ds.workspace` becomes a view of that argument; buffers whose lifetimes do
    not meet share memory. Sizes may depend on tokens, sequences, logit rows, cache length and threads (`ds.sizes` on the arguments
    says how); `@ds_planned_bytes` gets its body, which says how much a call needs. A buffer made inside a parallel loop exists once per
    thread, on its stack where it is small. A buffer that outlives the iteration that makes it, or whose size only the step's data
    tell, is an error.
    Does nothing without such a function: graph mode allocates. Run after bufferization, before deallocation.
  }];
  let dependentDialects = ["::mlir::memref::MemRefDialect", "::mlir::arith::ArithDialect", "::mlir::affine::AffineDialect",
                           "::mlir::func::FuncDialect"];
}

def ParallelToOpenMP : Pass<"ds-parallel-to-openmp", "ModuleOp"> {
  let summary = "parallel loops become kernels that OpenMP threads share";
  let description = [{
    The outermost `scf.forall` and `scf.parallel` of a function become calls: `@parallel_i(threads, count, …)` divides the
    iterations among threads in consecutive parts of equal length (`omp.parallel`), `@kernel_i(first, end, thread, …)` runs one
    part. Loops that are equal but for the values they read share a kernel: a model of many layers is compiled once per kind of
    loop, not once per layer. Work too small to be worth waking threads runs in the caller. Parallel loops inside become `scf.for`.
    The number of threads is the function's argument `ds.threads`; without one all runs in the caller.
    Run after bufferization and deallocation, before scf goes to cf. Loops must have no results.
  }];
  let dependentDialects = ["::mlir::omp::OpenMPDialect", "::mlir::memref::MemRefDialect", "::mlir::arith::ArithDialect",
                           "::mlir::scf::SCFDialect", "::mlir::func::FuncDialect", "::mlir::LLVM::LLVMDialect"];
}
#endif // LOWERING_LINALGTOCPU_PASSES
