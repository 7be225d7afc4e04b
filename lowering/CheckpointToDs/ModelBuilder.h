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
#include "llvm/ADT/StringSet.h"

namespace mlir::ds {

class ModelBuilder {
public:
  ModelBuilder(const checkpoint::Checkpoint &checkpoint,
               const CheckpointOptions &options, MLIRContext *context);

  /// Starts @step; `caches` in the order in which the caller refers to them.
  void beginStep(ArrayRef<StepCache> caches);
  /// Ends @step with the head `head` on the states after the last norm.
  void endStep(Value hidden, const Twine &head);
  /// Starts the entry of a layer that predicts a token further on; the states
  /// that go with its tokens.
  Value beginDraft(int64_t layer, ArrayRef<StepCache> caches);
  /// Ends it as endStep() does.
  void endDraft(Value hidden, const Twine &head);
  /// The module; null after an error if a tensor was not as asked for, or one
  /// was not asked for.
  OwningOpRef<ModuleOp> finish();
  /// Whether a tensor was not as asked for. Building may stop then.
  bool hasFailed() const { return !problem.empty(); }

  /// Whether the checkpoint has a tensor of this name.
  bool has(const Twine &name) const;
  /// The value of tensor `name`, whose shape is to be `shape`, as f32.
  Value vector(const Twine &name, ArrayRef<int64_t> shape);
  /// The weight `name`.weight of a product; with its scales where it is FP8.
  Value weight(const Twine &name, ArrayRef<int64_t> shape);
  /// The weight `name` of a product, a tensor that is named like its module.
  Value fusedWeight(const Twine &name, ArrayRef<int64_t> shape);
  /// The weights of `count` experts, `name`.N.`projection`.weight, as one
  /// tensor [count, shape…].
  Value expertWeights(const Twine &name, int64_t count, StringRef projection,
                      ArrayRef<int64_t> shape);

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
  /// Elements [offset, offset + size) of dimension `dim`; the others whole.
  Value slice(Value x, int64_t dim, int64_t offset, int64_t size);
  /// One behind the other along the last dimension.
  Value concat(Value a, Value b);
  /// `x` of fixed shape under another.
  Value reshape(Value x, ArrayRef<int64_t> shape);

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
  /// Latent attention over caches that append() returned, with W_UK [H, P, C]
  /// and W_UV [H, V, C].
  Value latentAttention(Value query, Value latent, Value rope, Value keyWeight,
                        Value valueWeight, double scale);

  /// Mixing weights and numbers of every token's experts.
  struct Routing {
    Value weights, experts;
  };
  /// The routing that the configuration says, of the tokens `x` by the router
  /// `name`.
  Routing route(Value x, const Twine &name);
  /// What the experts `name` make of the tokens `x`: tensors of their own
  /// (`name`.N.gate_proj.weight …), or one of all of them (`name`.gate_up_proj,
  /// first the rows of gates, and `name`.down_proj).
  Value experts(Value x, Routing routing, const Twine &name);
  /// The input of a layer that predicts a token more: ds.mtp_input with
  /// `name`.enorm, `name`.hnorm and `name`.eh_proj.
  Value predictionInput(Value embedding, Value hidden, const Twine &name,
                        double epsilon);

private:
  /// Ends a step or draft; its logits.
  Value endFunction(Value hidden, const Twine &head);
  /// The value of a parameter of shape `shape` whose bytes are those of tensor
  /// `name`; with `tensors`, those of all of them, one behind the other, and
  /// `shape` is that of each: the parameter has one dimension more.
  Value parameter(const Twine &name, ArrayRef<int64_t> shape,
                  ArrayRef<DsType> types,
                  std::optional<ArrayRef<std::string>> tensors = std::nullopt);
  /// The range of tensor `name`, and its type in `type`, which the first sets.
  FileRangeAttr rangeOf(StringRef name, ArrayRef<int64_t> shape,
                        ArrayRef<DsType> types, std::optional<DsType> &type);
  /// `data` times its scales `name`, or those of `tensors`, if it is FP8.
  Value dequantized(Value data, const Twine &name,
                    std::optional<ArrayRef<std::string>> tensors);
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
  /// Parameters made so far, by name, and the tensors that were asked for.
  llvm::StringMap<ParameterOp> parameters;
  llvm::StringSet<> asked;
  /// The first problem with a tensor, and how many more there are.
  std::string problem;
  unsigned moreProblems = 0;
};

/// Architectures, a file each.
void buildLlama(ModelBuilder &build, const checkpoint::ModelConfig &config);
void buildDeepseek(ModelBuilder &build, const checkpoint::ModelConfig &config);

} // namespace mlir::ds

#endif // LOWERING_CHECKPOINTTODS_MODELBUILDER_H
