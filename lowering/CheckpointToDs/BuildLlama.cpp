//===- BuildLlama.cpp - LlamaForCausalLM ----------------------------------===//
//
// DeepSeek LLM 7B and 67B (V1), and whatever else has this architecture.
//
//===----------------------------------------------------------------------===//
#include "lowering/CheckpointToDs/ModelBuilder.h"
#include "lowering/CheckpointToDs/RopeTable.h"

using namespace mlir;
using namespace mlir::ds;

void mlir::ds::buildLlama(ModelBuilder &build,
                          const checkpoint::ModelConfig &config) {
  SmallVector<StepCache> caches;
  for (int64_t i = 0; i < config.layers; ++i)
    for (StringRef which : {"k", "v"})
      caches.push_back({("cache." + Twine(i) + "." + which).str(),
                        config.keyValueHeads, config.headDim});
  build.beginStep(caches);

  int64_t queryWidth = config.heads * config.headDim,
          keyWidth = config.keyValueHeads * config.headDim;
  bool bias = config.attentionBias;
  double scale = checkpoint::softmaxScale(config);
  Value x = build.embedding("model.embed_tokens");
  ModelBuilder::Rotation rotation = build.rotation(config.headDim);
  for (int64_t i = 0; i < config.layers && !build.hasFailed(); ++i) {
    std::string layer = ("model.layers." + Twine(i) + ".").str(),
                self = layer + "self_attn.";
    Value a = build.rmsNorm(x, layer + "input_layernorm", config.epsilon);
    Value q = build.splitHeads(
        build.linear(a, self + "q_proj", queryWidth, bias), config.heads);
    Value k = build.splitHeads(build.linear(a, self + "k_proj", keyWidth, bias),
                               config.keyValueHeads);
    Value v = build.splitHeads(build.linear(a, self + "v_proj", keyWidth, bias),
                               config.keyValueHeads);
    q = build.rope(q, rotation, RopeLayout::Halves);
    k = build.rope(k, rotation, RopeLayout::Halves);
    Value attended = build.attention(q, build.append(2 * i, k),
                                     build.append(2 * i + 1, v), scale);
    x = build.add(x, build.linear(build.joinHeads(attended), self + "o_proj",
                                  config.hiddenSize, bias));
    Value b =
        build.rmsNorm(x, layer + "post_attention_layernorm", config.epsilon);
    x = build.add(x,
                  build.feedForward(b, layer + "mlp", config.intermediateSize,
                                    config.mlpBias));
  }
  build.endStep(build.rmsNorm(x, "model.norm", config.epsilon),
                config.tieEmbeddings ? "model.embed_tokens" : "lm_head");
}
