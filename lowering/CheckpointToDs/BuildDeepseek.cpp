//===- BuildDeepseek.cpp - DeepseekV2ForCausalLM, DeepseekV3ForCausalLM ---===//
//
// Latent attention and experts; both architectures differ in configuration
// alone.
//
//===----------------------------------------------------------------------===//
#include "lowering/CheckpointToDs/ModelBuilder.h"
#include "lowering/CheckpointToDs/RopeTable.h"

using namespace mlir;
using namespace mlir::ds;

namespace {

class DeepseekBuilder {
public:
  DeepseekBuilder(ModelBuilder &build, const checkpoint::ModelConfig &config)
      : build(build), config(config), deepseek(config.deepseek),
        layout(deepseek.ropeInterleave ? RopeLayout::Pairs
                                       : RopeLayout::Halves) {}

  void buildModel();
  void buildPredictionLayers();

private:
  void addCaches(int64_t layer, SmallVectorImpl<StepCache> &caches) const;
  void buildPredictionLayer(int64_t index);
  Value decoderLayer(Value x, int64_t layer, int64_t cache, bool isSparse);
  Value attention(Value x, const std::string &name, int64_t cache);
  Value rotateEnd(Value x, int64_t kept);

  static std::string nameOf(int64_t layer) {
    return ("model.layers." + Twine(layer)).str();
  }

  /// Norms of latents keep the default of their class in transformers.
  static constexpr double latentEpsilon = 1e-6;

  ModelBuilder &build;
  const checkpoint::ModelConfig &config;
  const checkpoint::DeepseekConfig &deepseek;
  RopeLayout layout;
  ModelBuilder::Rotation rotation;
};

} // namespace

void DeepseekBuilder::addCaches(int64_t layer,
                                SmallVectorImpl<StepCache> &caches) const {
  StringRef rope = layout == RopeLayout::Pairs ? ".k_pe_pairs" : ".k_pe_halves";
  std::string cache = ("cache." + Twine(layer)).str();
  caches.push_back({cache + ".ckv", 1, deepseek.latentRank});
  caches.push_back({cache + rope.str(), 1, deepseek.ropeDim});
}

/// Rotates what is behind the first `kept` elements of every head.
Value DeepseekBuilder::rotateEnd(Value x, int64_t kept) {
  Value rotated =
      build.rope(build.slice(x, 2, kept, deepseek.ropeDim), rotation, layout);
  return build.concat(build.slice(x, 2, 0, kept), rotated);
}

Value DeepseekBuilder::attention(Value x, const std::string &name,
                                 int64_t cache) {
  int64_t heads = config.heads, nope = deepseek.nopeDim,
          latentRank = deepseek.latentRank, values = deepseek.valueDim;
  int64_t queryWidth = heads * (nope + deepseek.ropeDim);
  bool bias = config.attentionBias;
  Value q = x;
  if (deepseek.queryRank) {
    q = build.linear(q, name + ".q_a_proj", *deepseek.queryRank, bias);
    q = build.rmsNorm(q, name + ".q_a_layernorm", latentEpsilon);
    q = build.linear(q, name + ".q_b_proj", queryWidth);
  } else {
    q = build.linear(q, name + ".q_proj", queryWidth);
  }
  q = rotateEnd(build.splitHeads(q, heads), nope);

  // One key for all heads.
  Value kv = build.linear(x, name + ".kv_a_proj_with_mqa",
                          latentRank + deepseek.ropeDim, bias);
  Value latent = build.rmsNorm(build.slice(kv, 1, 0, latentRank),
                               name + ".kv_a_layernorm", latentEpsilon);
  Value key =
      build.splitHeads(build.slice(kv, 1, latentRank, deepseek.ropeDim), 1);
  Value latents = build.append(2 * cache, build.splitHeads(latent, 1)),
        keys = build.append(2 * cache + 1, build.rope(key, rotation, layout));

  // In every head first the rows that make keys, then those of values.
  Value expand = build.reshape(
      build.weight(name + ".kv_b_proj", {heads * (nope + values), latentRank}),
      {heads, nope + values, latentRank});
  Value attended = build.latentAttention(
      q, latents, keys, build.slice(expand, 1, 0, nope),
      build.slice(expand, 1, nope, values), checkpoint::softmaxScale(config));
  return build.linear(build.joinHeads(attended), name + ".o_proj",
                      config.hiddenSize, bias);
}

Value DeepseekBuilder::decoderLayer(Value x, int64_t layer, int64_t cache,
                                    bool isSparse) {
  std::string name = nameOf(layer), mlp = name + ".mlp";
  Value a = build.rmsNorm(x, name + ".input_layernorm", config.epsilon);
  x = build.add(x, attention(a, name + ".self_attn", cache));
  Value b =
      build.rmsNorm(x, name + ".post_attention_layernorm", config.epsilon);
  if (!isSparse)
    return build.add(x,
                     build.feedForward(b, mlp, config.intermediateSize, false));
  Value y = build.experts(b, build.route(b, mlp + ".gate"), mlp + ".experts");
  if (deepseek.sharedExperts > 0)
    y = build.add(y, build.feedForward(
                         b, mlp + ".shared_experts",
                         deepseek.sharedExperts * deepseek.expertSize, false));
  return build.add(x, y);
}

void DeepseekBuilder::buildModel() {
  SmallVector<StepCache> caches;
  for (int64_t i = 0; i < config.layers; ++i)
    addCaches(i, caches);
  build.beginStep(caches);
  rotation = build.rotation(deepseek.ropeDim);
  Value x = build.embedding("model.embed_tokens");
  for (int64_t i = 0; i < config.layers && !build.hasFailed(); ++i)
    x = decoderLayer(x, i, i, deepseek.isSparse[size_t(i)]);
  build.endStep(build.rmsNorm(x, "model.norm", config.epsilon),
                config.tieEmbeddings ? "model.embed_tokens" : "lm_head");
}

/// Layer `index` of those that predict a token further on: from the state of a
/// token and the token behind it, the one behind that. Embedding and head are
/// left out of files where they are those of the model.
void DeepseekBuilder::buildPredictionLayer(int64_t index) {
  int64_t layer = config.layers + index;
  std::string name = nameOf(layer);
  auto own = [&](const char *part, const char *otherwise) {
    std::string tensor = name + part;
    return build.has(tensor + ".weight") ? tensor : otherwise;
  };
  SmallVector<StepCache> caches;
  addCaches(layer, caches);
  Value states = build.beginDraft(index, caches);
  rotation = build.rotation(deepseek.ropeDim);
  Value embedding = build.embedding(own(".embed_tokens", "model.embed_tokens"));
  Value x = build.predictionInput(embedding, states, name, config.epsilon);
  x = decoderLayer(x, layer, 0, deepseek.routedExperts.has_value());
  build.endDraft(build.rmsNorm(x, name + ".shared_head.norm", config.epsilon),
                 own(".shared_head.head",
                     config.tieEmbeddings ? "model.embed_tokens" : "lm_head"));
}

void DeepseekBuilder::buildPredictionLayers() {
  // Where the configuration does not say how many there are, the files do.
  auto exists = [&](int64_t i) {
    return deepseek.predictLayers
               ? i < *deepseek.predictLayers
               : build.has(nameOf(config.layers + i) + ".eh_proj.weight");
  };
  for (int64_t i = 0; exists(i) && !build.hasFailed(); ++i)
    buildPredictionLayer(i);
}

void mlir::ds::buildDeepseek(ModelBuilder &build,
                             const checkpoint::ModelConfig &config) {
  DeepseekBuilder deepseek(build, config);
  deepseek.buildModel();
  deepseek.buildPredictionLayers();
}
