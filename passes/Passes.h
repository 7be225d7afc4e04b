//===- Passes.h - rewrites on the ds dialect ------------------*- C++ -*-===//
//
// Declares the passes of Passes.td. A pass here knows DeepSeek models; a
// change of level belongs into lowering/.
//
//===----------------------------------------------------------------------===//
#ifndef PASSES_PASSES_H
#define PASSES_PASSES_H

#include "dialects/ds/IR/DsDialect.h"
#include "mlir/Pass/Pass.h"

namespace mlir::ds {
#define GEN_PASS_DECL
#define GEN_PASS_REGISTRATION
#include "passes/Passes.h.inc"
} // namespace mlir::ds

#endif // PASSES_PASSES_H
