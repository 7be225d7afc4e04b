//===- DraftLayer.h - a layer that drafts joins its model -----*- C++ -*-===//
#ifndef LOWERING_DRAFTLAYER_H
#define LOWERING_DRAFTLAYER_H

#include "mlir/IR/BuiltinOps.h"

namespace mlir::ds {

/// Moves @draft_0 of `layer` into `model` as the next of its draft entries,
/// with the parameters it reads. A parameter whose bytes the model has too
/// (embedding and head, mostly) is the model's. Both went through
/// buildModelPipeline(), parts "main" and "draft". Failure after an error where
/// they do not fit: hidden size, vocabulary, more than one attention.
LogicalResult addDraftLayer(ModuleOp model, ModuleOp layer);

} // namespace mlir::ds

#endif // LOWERING_DRAFTLAYER_H
