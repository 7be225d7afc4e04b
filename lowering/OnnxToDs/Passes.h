//===- Passes.h - from the onnx dialect to ds -----------------*- C++ -*-===//
#ifndef LOWERING_ONNXTODS_PASSES_H
#define LOWERING_ONNXTODS_PASSES_H

#include "dialects/ds/IR/DsDialect.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Pass/Pass.h"

namespace mlir::onnx {
#define GEN_PASS_DECL
#define GEN_PASS_REGISTRATION
#include "lowering/OnnxToDs/Passes.h.inc"

/// One operator that convert-onnx-to-ds takes.
struct SupportedOp {
  StringRef domain, name;
  int64_t minVersion, maxVersion;
};
/// All of them, by domain and name.
SmallVector<SupportedOp> listSupportedOps();

/// Replaces every call of a model-local function by its body, but for calls of
/// operators that convert-onnx-to-ds knows itself.
LogicalResult inlineFunctions(ModuleOp module);
} // namespace mlir::onnx

#endif // LOWERING_ONNXTODS_PASSES_H
