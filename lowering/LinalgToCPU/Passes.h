//===- Passes.h - from linalg on tensors to CPU code ----------*- C++ -*-===//
#ifndef LOWERING_LINALGTOCPU_PASSES_H
#define LOWERING_LINALGTOCPU_PASSES_H

#include "dialects/ds/IR/DsDialect.h"
#include "mlir/Dialect/Bufferization/IR/Bufferization.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Pass/Pass.h"

namespace mlir::ds {
#define GEN_PASS_DECL_BUILDENTRIES
#define GEN_PASS_DECL_LOWERCOPIES
#define GEN_PASS_REGISTRATION
#include "lowering/LinalgToCPU/Passes.h.inc"

/// Names of the functions that ds-build-entries makes.
constexpr StringRef graphEntryName = "ds_entry_graph",
                    stepEntryName = "ds_entry_step";
} // namespace mlir::ds

#endif // LOWERING_LINALGTOCPU_PASSES_H
