//===- Passes.h - from linalg on tensors to CPU code ----------*- C++ -*-===//
#ifndef LOWERING_LINALGTOCPU_PASSES_H
#define LOWERING_LINALGTOCPU_PASSES_H

#include "dialects/ds/IR/DsDialect.h"
#include "mlir/Dialect/Bufferization/IR/Bufferization.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/OpenMP/OpenMPDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/Dialect/X86Vector/X86VectorDialect.h"
#include "mlir/Pass/Pass.h"

namespace mlir::ds {
#define GEN_PASS_DECL_BUILDENTRIES
#define GEN_PASS_DECL_COUNTSLOWOPS
#define GEN_PASS_DECL_BUILDPARAMETERENTRIES
#define GEN_PASS_DECL_EXPANDMATH
#define GEN_PASS_DECL_FORMTEAMS
#define GEN_PASS_DECL_FUSEELEMENTWISE
#define GEN_PASS_DECL_LINALGTOPARALLELLOOPS
#define GEN_PASS_DECL_LOWERATTENTION
#define GEN_PASS_DECL_LOWERBYTEMATMUL
#define GEN_PASS_DECL_LOWERCOMBINE
#define GEN_PASS_DECL_LOWERCOPIES
#define GEN_PASS_DECL_LOWERCUMULATIVE
#define GEN_PASS_DECL_LOWERDOTBYTES
#define GEN_PASS_DECL_LOWERLINEAR
#define GEN_PASS_DECL_LOWERLOOKUPBYTES
#define GEN_PASS_DECL_LOWERMATMUL
#define GEN_PASS_DECL_LOWERNORM
#define GEN_PASS_DECL_LOWERQUANTIZEDLINEAR
#define GEN_PASS_DECL_LOWERQUANTIZEGROUPS
#define GEN_PASS_DECL_LOWERREDUCE
#define GEN_PASS_DECL_LOWERROPE
#define GEN_PASS_DECL_LOWERROUTE
#define GEN_PASS_DECL_LOWERSOFTMAX
#define GEN_PASS_DECL_MOVEBF16ASBITS
#define GEN_PASS_DECL_OUTLINEKERNELS
#define GEN_PASS_DECL_PLANWORKSPACE
#define GEN_PASS_REGISTRATION
#include "lowering/LinalgToCPU/Passes.h.inc"

/// Names of the functions that ds-build-entries makes.
constexpr StringRef entryPrefix = "ds_entry_",
                    graphEntryName = "ds_entry_graph",
                    stepEntryName = "ds_entry_step",
                    routeBiasEntryName = "ds_entry_route_bias";
/// Of the draft entry that comes at `index` in the module.
inline std::string draftEntryName(unsigned index) {
  return "ds_entry_draft_" + std::to_string(index);
}
/// What says how large a workspace the entry `entry` needs.
inline std::string workspaceName(StringRef entry) {
  return (entry + "_workspace_bytes").str();
}

/// `@name() -> index`: which thread of a parallel loop runs this, below the
/// call's number of threads. ds-outline-kernels replaces the calls.
constexpr StringRef threadIndexName = "ds_thread_index";

/// On `@share_i` of ds-outline-kernels: with fewer iterations than this member
/// 0 takes all.
constexpr StringRef shareAttribute = "ds.share";

/// Arguments that ds-build-entries adds for the passes behind it: how many
/// threads the call may use (i32), the caller's workspace (a memref of bytes;
/// the attribute names the function of (tokens, sequences, logit rows, cache
/// length, threads) that says how many, declared by ds-build-entries and
/// defined by ds-plan-workspace), and the map from the sizes of the call to the
/// argument's dimensions.
constexpr StringRef threadsAttribute = "ds.threads",
                    workspaceAttribute = "ds.workspace",
                    sizesAttribute = "ds.sizes";
} // namespace mlir::ds

#endif // LOWERING_LINALGTOCPU_PASSES_H
