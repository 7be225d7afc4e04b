//===- CheckpointToDs.h - a checkpoint folder as the ds dialect -*- C++ -*-===//
#ifndef LOWERING_CHECKPOINTTODS_CHECKPOINTTODS_H
#define LOWERING_CHECKPOINTTODS_CHECKPOINTTODS_H

#include "lowering/CheckpointToDs/Checkpoint.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"

namespace mlir::ds {

struct CheckpointOptions {
  /// Angles of rotary embeddings are computed in f64 instead of f32, from
  /// frequencies of that precision: for the reference.
  bool anglesInDouble = false;
  /// Longest sequence that the model is to be used with; 0: that of the
  /// configuration.
  int64_t maxLength = 0;
  /// What to read instead of the folder's config.json, if not empty.
  std::string config;
};

/// Builds @step of the model in `folder`, a Hugging Face checkpoint (see
/// Checkpoint.h), whose weights stay where they are. Null after an error: what
/// Checkpoint::open() refuses, and tensors that are missing, of another shape
/// or type than the configuration asks for, or no part of the model.
OwningOpRef<ModuleOp> importCheckpoint(StringRef folder,
                                       const CheckpointOptions &options,
                                       MLIRContext *context);

/// The same of a folder that is open already.
OwningOpRef<ModuleOp> buildCheckpoint(checkpoint::Checkpoint checkpoint,
                                      const CheckpointOptions &options,
                                      MLIRContext *context);

} // namespace mlir::ds

#endif // LOWERING_CHECKPOINTTODS_CHECKPOINTTODS_H
