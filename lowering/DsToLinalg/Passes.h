//===- Passes.h - from ds to linalg on tensors ----------------*- C++ -*-===//
#ifndef LOWERING_DSTOLINALG_PASSES_H
#define LOWERING_DSTOLINALG_PASSES_H

#include "dialects/ds/IR/DsDialect.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Pass/Pass.h"

namespace mlir::ds {
#define GEN_PASS_DECL_DSTOLINALG
#define GEN_PASS_REGISTRATION
#include "lowering/DsToLinalg/Passes.h.inc"

/// Called where an index lies outside its tensor: `func.func
/// @ds_report_index()`.
constexpr StringRef reportIndexFunction = "ds_report_index";
} // namespace mlir::ds

#endif // LOWERING_DSTOLINALG_PASSES_H
