//===- Passes.td - the reference lowering of ds -----------------*- tablegen -*-===//
#ifndef LOWERING_DSTOREFERENCE_PASSES
#define LOWERING_DSTOREFERENCE_PASSES
include "mlir/Pass/PassBase.td"

def DsToReference : Pass<"ds-to-reference", "ModuleOp"> {
  let summary = "every ds op becomes scalar loops in double precision: the oracle that the fast path is held against";
  let description = [{
    Each op is written out as its documentation states it: loops over the indices of the result, one scalar formula inside, sums by
    ascending index. Nothing is tiled, fused, reordered or vectorised, and no code is shared with `ds-to-linalg`, so that one mistake
    cannot be on both sides of a comparison.

    All floating point is computed **and stored** in f64, whatever the file's types are: float tensors become f64 tensors, constants are
    widened, `ds.cast` between float types does nothing (but to float8, a quantisation, which rounds), and `round_before_weight` rounds nothing.
    Parameters keep their type in memory and are widened where an element is read. The arguments and results of functions with
    `ds.entry` keep their types: they are widened on entry and rounded once, to nearest even, on return. Only the caches of a step
    become f64: rounded after each step they would lose what the rest keeps, and the runtime makes them as the descriptor says.

    Integers wrap modulo 2^n. Division by zero gives 0; an index outside its tensor is reported by a call of `@ds_report_index`, reads as
    0 and is not written to. Unsigned element types become signless, and arguments, results and parameters keep them as `ds.type`,
    as after `ds-to-linalg`: what follows is the same.
  }];
  let dependentDialects = ["::mlir::ds::DsDialect", "::mlir::arith::ArithDialect", "::mlir::func::FuncDialect",
                           "::mlir::math::MathDialect", "::mlir::scf::SCFDialect", "::mlir::tensor::TensorDialect"];
}
#endif // LOWERING_DSTOREFERENCE_PASSES
