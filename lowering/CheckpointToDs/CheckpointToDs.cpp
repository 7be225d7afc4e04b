//===- CheckpointToDs.cpp - a checkpoint folder as the ds dialect ---------===//
//
// See CheckpointToDs.h.
//
//===----------------------------------------------------------------------===//
#include "lowering/CheckpointToDs/CheckpointToDs.h"
#include "lowering/CheckpointToDs/ModelBuilder.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace mlir::ds;
using checkpoint::Architecture;
using checkpoint::Checkpoint;
using checkpoint::RopeScaling;

/// Takes out what files hold beside the model's tensors.
static void dropOthers(Checkpoint &checkpoint) {
  // Frequencies that old writers stored; computed from the configuration.
  std::erase_if(checkpoint.tensors, [](const auto &tensor) {
    return StringRef(tensor.first).ends_with(".rotary_emb.inv_freq");
  });
  // A copy of what it is tied to.
  if (checkpoint.config.tieEmbeddings)
    checkpoint.tensors.erase("lm_head.weight");
}

OwningOpRef<ModuleOp>
mlir::ds::importCheckpoint(StringRef folder, const CheckpointOptions &options,
                           MLIRContext *context) {
  std::string problem;
  std::optional<Checkpoint> checkpoint =
      Checkpoint::open(folder.str(), options.config, problem);
  if (!checkpoint) {
    emitError(UnknownLoc::get(context)) << problem;
    return nullptr;
  }
  return buildCheckpoint(std::move(*checkpoint), options, context);
}

OwningOpRef<ModuleOp>
mlir::ds::buildCheckpoint(Checkpoint checkpoint,
                          const CheckpointOptions &options,
                          MLIRContext *context) {
  const checkpoint::ModelConfig &config = checkpoint.config;
  if (config.rope.kind == RopeScaling::Kind::Dynamic &&
      options.maxLength > config.maxLength) {
    emitError(FileLineColLoc::get(context, checkpoint.folder, 0, 0))
        << "rope_scaling 'dynamic' rotates by other frequencies in "
           "sequences beyond max_position_embeddings ("
        << config.maxLength
        << "), which is not supported; give a --max-length up to that";
    return nullptr;
  }
  context->loadDialect<DsDialect, func::FuncDialect, arith::ArithDialect,
                       tensor::TensorDialect>();
  dropOthers(checkpoint);
  ModelBuilder builder(checkpoint, options, context);
  switch (config.architecture) {
  case Architecture::Llama:
    buildLlama(builder, config);
    break;
  case Architecture::DeepseekV2:
  case Architecture::DeepseekV3:
    buildDeepseek(builder, config);
    break;
  }
  return builder.finish();
}
