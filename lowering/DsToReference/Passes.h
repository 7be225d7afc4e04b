//===- Passes.h - the reference lowering of ds ----------------*- C++ -*-===//
#ifndef LOWERING_DSTOREFERENCE_PASSES_H
#define LOWERING_DSTOREFERENCE_PASSES_H

#include "dialects/ds/IR/DsDialect.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Pass/Pass.h"

namespace mlir::ds {
#define GEN_PASS_DECL_DSTOREFERENCE
#define GEN_PASS_REGISTRATION
#include "lowering/DsToReference/Passes.h.inc"
} // namespace mlir::ds

#endif // LOWERING_DSTOREFERENCE_PASSES_H
