//===- ModelBuilderDeepseek.cpp - latents, experts, prediction ------------===//
//
// See ModelBuilder.h: the pieces that only DeepSeek V2 and V3 have.
//
//===----------------------------------------------------------------------===//
#include "lowering/CheckpointToDs/ModelBuilder.h"

using namespace mlir;
using namespace mlir::ds;

Value ModelBuilder::latentAttention(Value query, Value latent, Value rope,
                                    Value keyWeight, Value valueWeight,
                                    double scale) {
  SmallVector<int64_t> shape(typeOf(query).getShape());
  shape.back() = typeOf(valueWeight).getDimSize(1);
  return MlaOp::create(builder, query.getLoc(), typeOf(query).clone(shape),
                       query, latent, rope, keyWeight, valueWeight,
                       step.rowStart, step.pastLength, step.cacheSlot,
                       builder.getF64FloatAttr(scale));
}

ModelBuilder::Routing ModelBuilder::route(Value x, const Twine &name) {
  const checkpoint::DeepseekConfig &config = checkpoint.config.deepseek;
  bool isV2 =
      checkpoint.config.architecture == checkpoint::Architecture::DeepseekV2;
  int64_t count = *config.routedExperts, k = config.expertsPerToken,
          tokens = typeOf(x).getDimSize(0);
  // An f32 weight, so that no choice of how products are computed rounds the
  // tokens: neighbouring scores decide who computes.
  Value router =
      vector(name + ".weight", {count, checkpoint.config.hiddenSize});
  auto logits = LinearOp::create(
      builder, named(name),
      RankedTensorType::get({tokens, count}, builder.getF32Type()), x, router,
      Value());
  bool hasBias = config.groupScore == checkpoint::GroupScore::TopTwoSum;
  Value bias =
      hasBias ? vector(name + ".e_score_correction_bias", {count}) : Value();
  // V2's own code scales only what it does not normalise, and normalises
  // nothing of one expert.
  bool normalises = config.normaliseWeights && !(isV2 && k == 1);
  double scale = isV2 && normalises ? 1 : config.routedScale;
  auto outputs = [&](Type element) {
    return RankedTensorType::get({tokens, k}, element);
  };
  MLIRContext *context = builder.getContext();
  auto route = RouteOp::create(
      builder, named(name), outputs(builder.getF32Type()),
      outputs(builder.getI32Type()),
      RankedTensorType::get({count}, builder.getI32Type()), logits, bias,
      RouteScoringAttr::get(context, config.scoresAreSigmoid
                                         ? RouteScoring::Sigmoid
                                         : RouteScoring::Softmax),
      builder.getI64IntegerAttr(k), builder.getI64IntegerAttr(config.groups),
      builder.getI64IntegerAttr(config.groupsKept),
      GroupScoreAttr::get(context,
                          hasBias ? GroupScore::Top2Sum : GroupScore::Max),
      RouteFillAttr::get(context,
                         hasBias ? RouteFill::Lowest : RouteFill::Zero),
      normalises ? builder.getF64FloatAttr(1e-20) : FloatAttr(),
      builder.getF64FloatAttr(scale));
  return {route.getWeights(), route.getExperts()};
}

Value ModelBuilder::experts(Value x, Routing routing, const Twine &name) {
  const checkpoint::DeepseekConfig &config = checkpoint.config.deepseek;
  int64_t count = *config.routedExperts, width = config.expertSize,
          hidden = checkpoint.config.hiddenSize;
  Value gate, up, down;
  if (has(name + ".gate_up_proj")) {
    Value both =
        fusedWeight(name + ".gate_up_proj", {count, 2 * width, hidden});
    gate = slice(both, 1, 0, width);
    up = slice(both, 1, width, width);
    down = fusedWeight(name + ".down_proj", {count, hidden, width});
  } else {
    gate = expertWeights(name, count, "gate_proj", {width, hidden});
    up = expertWeights(name, count, "up_proj", {width, hidden});
    down = expertWeights(name, count, "down_proj", {hidden, width});
  }
  return MoeOp::create(builder, named(name), x.getType(), x, routing.weights,
                       routing.experts, gate, up, down);
}

Value ModelBuilder::predictionInput(Value embedding, Value hidden,
                                    const Twine &name, double epsilon) {
  int64_t width = checkpoint.config.hiddenSize;
  Value embeddingNorm = vector(name + ".enorm.weight", {width}),
        hiddenNorm = vector(name + ".hnorm.weight", {width}),
        projection = weight(name + ".eh_proj", {width, 2 * width});
  return MtpInputOp::create(builder, named(name), embedding.getType(),
                            embedding, hidden, embeddingNorm, hiddenNorm,
                            projection, builder.getF64FloatAttr(epsilon));
}
