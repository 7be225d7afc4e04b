//===- ModelBuilder.h - the pieces that models are built of -----*- C++ -*-===//
//
// Private to lowering/CheckpointToDs. A function per piece, so that the file of
// an architecture reads like the model's definition. Tensors are asked for by
// name and shape; what is wrong with one is kept and told at the end, so that
// the definition need not look.
//
//===----------------------------------------------------------------------===//
#ifndef LOWERING_CHECKPOINTTODS_MODELBUILDER_H
#define LOWERING_CHECKPOINTTODS_MODELBUILDER_H

#include "lowering/CheckpointToDs/Checkpoint.h"
#include "lowering/CheckpointToDs/CheckpointToDs.h"
#include "passes/StepFunction.h"
#include "llvm/ADT/StringMap.h"

namespace mlir::ds {

class ModelBuilder {
public:
  ModelBuilder(const checkpoint::Checkpoint &checkpoint,
               const CheckpointOptions &options, MLIRContext *context);

  /// Starts @step; `caches` in the order in which the caller refers to them.
  void beginStep(ArrayRef<StepCache> caches);
  /// Ends @step with the head `head` on the states after the last norm.
  void endStep(Value hidden, const Twine &head);
  /// The module; null after an error if a tensor was not as asked for, or one
  /// was not asked for.
  OwningOpRef<ModuleOp> finish();
  /// Whether a tensor was not as asked for. Building may stop then.
  bool hasFailed() const { return !problem.empty(); }

  /// Rows of the table `name`.weight [vocabulary, d] for all tokens, [N, d].
  Value embedding(const Twine &name);
  /// x · weightᵀ (+ bias): `name`.weight [outputs, x's last size].
  Value linear(Value x, const Twine &name, int64_t outputs,
               bool hasBias = false);
  /// RMSNorm over the last dimension with `name`.weight.
  Value rmsNorm(Value x, const Twine &name, double epsilon);
  /// down(swiglu(gate(x), up(x))) with the projections `name`.gate_proj etc.
  Value feedForward(Value x, const Twine &name, int64_t width, bool hasBias);
  Value add(Value a, Value b);
  /// [N, heads · width] as [N, heads, width], and back.
  Value splitHeads(Value x, int64_t heads);
  Value joinHeads(Value x);

  /// Cosines and sines of all tokens, [N, width / 2], for heads of which
  /// `width` elements rotate.
  struct Rotation {
    Value cos, sin;
  };
  Rotation rotation(int64_t width);
  Value rope(Value x, Rotation rotation, RopeLayout layout);

  /// Appends `rows` [N, heads, width] to cache `index`, whose new value it
  /// returns.
  Value append(unsigned index, Value rows);
  /// Causal attention over caches that append() returned.
  Value attention(Value query, Value key, Value value, double scale);

private:
  /// The value of tensor `name`, whose shape is to be `shape`.
  Value parameter(const Twine &name, ArrayRef<int64_t> shape);
  /// `x` as f32 where it is narrower.
  Value widened(Value x);
  RankedTensorType typeOf(Value x) {
    return cast<RankedTensorType>(x.getType());
  }
  Location named(const Twine &name);
  void fail(const Twine &what);

  const checkpoint::Checkpoint &checkpoint;
  const CheckpointOptions &options;
  OpBuilder builder;
  Location loc;
  OwningOpRef<ModuleOp> module;
  StepFunction step;
  SmallVector<Value> caches;
  /// Parameters made so far, by the name of their tensor.
  llvm::StringMap<ParameterOp> parameters;
  /// The first problem with a tensor, and how many more there are.
  std::string problem;
  unsigned moreProblems = 0;
};

/// Architectures, a file each.
void buildLlama(ModelBuilder &build, const checkpoint::ModelConfig &config);

} // namespace mlir::ds

#endif // LOWERING_CHECKPOINTTODS_MODELBUILDER_H
