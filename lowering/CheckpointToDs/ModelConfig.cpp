//===- ModelConfig.cpp - what config.json says of a model -----------------===//
//
// See ModelConfig.h.
//
//===----------------------------------------------------------------------===//
#include "lowering/CheckpointToDs/ModelConfig.h"
#include "files/Error.h"
#include "files/Json.h"

#include <cmath>

using Json = nlohmann::json;

namespace checkpoint {

namespace {

/// Far above any model, and the product of two fits 64 bits.
constexpr int64_t maxSize = 1 << 30;
/// Of layers and of experts, each of which is looked for by name. Far above
/// any model too.
constexpr int64_t maxCount = 10'000;
/// Far above any configuration; nothing that is read nests more than 3 deep.
constexpr int maxDepth = 16;

struct KnownArchitecture {
  Architecture architecture;
  std::string_view name, modelType;
};
constexpr KnownArchitecture knownArchitectures[] = {
    {Architecture::Llama, "LlamaForCausalLM", "llama"},
    {Architecture::DeepseekV2, "DeepseekV2ForCausalLM", "deepseek_v2"},
    {Architecture::DeepseekV3, "DeepseekV3ForCausalLM", "deepseek_v3"},
};

/// The fields of one JSON object; null counts as absent.
class Fields {
public:
  /// `path` is put in front of names of fields: "" or "rope_scaling.".
  Fields(const Json &object, std::string where, std::string path = "")
      : object(object), where(std::move(where)), path(std::move(path)) {}

  [[noreturn]] void fail(const std::string &what) const {
    throw files::Error(files::Fault::Format, where + ": " + what);
  }
  [[noreturn]] void failAt(const char *name, const std::string &what) const {
    fail("field '" + path + name + "' " + what);
  }

  bool contains(const char *name) const { return object.contains(name); }
  const Json *find(const char *name) const {
    auto it = object.find(name);
    return it == object.end() || it->is_null() ? nullptr : &*it;
  }
  const Json &need(const char *name) const {
    const Json *value = find(name);
    if (!value)
      failAt(name, "is missing; the model cannot be built without it");
    return *value;
  }

  int64_t size(const char *name, const Json &value, int64_t least = 1,
               int64_t most = maxSize) const {
    if (!value.is_number_integer() || value < least || value > most)
      failAt(name, "is no whole number from " + std::to_string(least) + " to " +
                       std::to_string(most));
    return value.get<int64_t>();
  }
  /// A number of things that are looked for one by one.
  int64_t count(const char *name, int64_t least = 1) const {
    return size(name, need(name), least, maxCount);
  }
  int64_t size(const char *name) const { return size(name, need(name)); }
  int64_t size(const char *name, int64_t otherwise, int64_t least = 1) const {
    const Json *value = find(name);
    return value ? size(name, *value, least) : otherwise;
  }

  double positive(const char *name, const Json &value) const {
    if (!value.is_number() || !std::isfinite(value.get<double>()) ||
        value.get<double>() <= 0)
      failAt(name, "is no finite number above 0");
    return value.get<double>();
  }
  double positive(const char *name, double otherwise) const {
    const Json *value = find(name);
    return value ? positive(name, *value) : otherwise;
  }
  /// Nothing for 0 too.
  std::optional<double> maybePositive(const char *name) const {
    const Json *value = find(name);
    if (!value || (value->is_number() && *value == 0))
      return std::nullopt;
    return positive(name, *value);
  }

  bool flag(const char *name, bool otherwise) const {
    const Json *value = find(name);
    if (value && !value->is_boolean())
      failAt(name, "is neither true nor false");
    return value ? value->get<bool>() : otherwise;
  }

  std::string text(const char *name, const Json &value) const {
    if (!value.is_string())
      failAt(name, "is no string");
    return value.get<std::string>();
  }

  /// The field as an index into `known`, whose names a message lists.
  size_t oneOf(const char *name, std::string_view otherwise,
               std::initializer_list<std::string_view> known) const {
    const Json *value = find(name);
    std::string found = value ? text(name, *value) : std::string(otherwise);
    std::string list;
    for (size_t i = 0; i < known.size(); ++i) {
      if (found == known.begin()[i])
        return i;
      list += (list.empty() ? "" : ", ") + std::string(known.begin()[i]);
    }
    failAt(name, "is " + files::shown(found) +
                     ", which is not supported; known: " + list);
  }

  /// A field that is an object.
  std::optional<Fields> nested(const char *name) const {
    const Json *value = find(name);
    if (!value)
      return std::nullopt;
    if (!value->is_object())
      failAt(name, "is no object");
    return Fields(*value, where, path + name + ".");
  }

private:
  const Json &object;
  std::string where, path;
};

Architecture readArchitecture(const Fields &fields) {
  std::string name, known;
  const char *field = "architectures";
  if (const Json *list = fields.find(field)) {
    if (!list->is_array() || list->empty() || !list->front().is_string())
      fields.failAt(field, "is no list of names");
    name = list->front().get<std::string>();
  } else if (const Json *type = fields.find(field = "model_type")) {
    name = fields.text(field, *type);
  } else {
    fields.fail("neither 'architectures' nor 'model_type' says what model this "
                "is");
  }
  for (const KnownArchitecture &each : knownArchitectures) {
    if (name == each.name || name == each.modelType)
      return each.architecture;
    known += (known.empty() ? "" : ", ") + std::string(each.name);
  }
  fields.failAt(field, "is " + files::shown(name) +
                           ", which is not supported; known: " + known);
}

RopeScaling readRope(const Fields &fields, ModelConfig &config) {
  std::optional<Fields> merged = fields.nested("rope_parameters"),
                        old = fields.nested("rope_scaling");
  config.ropeTheta =
      merged ? merged->positive("rope_theta",
                                fields.positive("rope_theta", 10000.0))
             : fields.positive("rope_theta", 10000.0);
  RopeScaling rope;
  const std::optional<Fields> &scaling = merged ? merged : old;
  if (!scaling)
    return rope;
  if (scaling->positive("partial_rotary_factor", 1.0) != 1.0)
    scaling->failAt("partial_rotary_factor",
                    "is not 1: partly rotated heads are not supported");
  rope.kind = RopeScaling::Kind(
      scaling->oneOf(scaling->find("rope_type") ? "rope_type" : "type",
                     "default", {"default", "linear", "dynamic", "yarn"}));
  if (rope.kind == RopeScaling::Kind::None)
    return rope;
  rope.factor = scaling->positive("factor", scaling->need("factor"));
  rope.originalLength =
      scaling->size("original_max_position_embeddings", config.maxLength);
  rope.betaFast = scaling->positive("beta_fast", 32.0);
  rope.betaSlow = scaling->positive("beta_slow", 1.0);
  rope.mscale = scaling->maybePositive("mscale");
  rope.mscaleAllDim = scaling->maybePositive("mscale_all_dim");
  rope.attentionFactor = scaling->maybePositive("attention_factor");
  return rope;
}

std::vector<bool> readSparseLayers(const Fields &fields,
                                   const ModelConfig &config, bool isV3) {
  std::vector<bool> sparse(size_t(config.layers), false);
  int64_t first = fields.size("first_k_dense_replace", isV3 ? 3 : 0, 0),
          every = fields.size("moe_layer_freq", 1);
  const char *name = "mlp_layer_types";
  const Json *kinds = fields.find(name);
  if (kinds && (!kinds->is_array() || kinds->size() != sparse.size()))
    fields.failAt(name, "is no list of one kind per layer");
  for (size_t i = 0; i < sparse.size(); ++i) {
    if (!kinds) {
      sparse[i] = int64_t(i) >= first && int64_t(i) % every == 0;
      continue;
    }
    std::string kind = fields.text(name, (*kinds)[i]);
    if (kind != "dense" && kind != "sparse")
      fields.failAt(name, "holds " + files::shown(kind) +
                              ", which is not supported; known: dense, sparse");
    sparse[i] = kind == "sparse";
  }
  return sparse;
}

/// The block of weights that share a scale.
std::optional<std::vector<int64_t>> readScaleBlock(const Fields &fields) {
  std::optional<Fields> quantised = fields.nested("quantization_config");
  if (!quantised)
    return std::nullopt;
  quantised->need("quant_method");
  quantised->oneOf("quant_method", "", {"fp8"});
  quantised->oneOf("fmt", "e4m3", {"e4m3"});
  const char *name = "weight_block_size";
  const Json &block = quantised->need(name);
  if (!block.is_array() || block.size() != 2)
    quantised->failAt(name, "is no list of two sizes");
  return std::vector<int64_t>{quantised->size(name, block[0]),
                              quantised->size(name, block[1])};
}

void readExperts(const Fields &fields, DeepseekConfig &config, bool isV3) {
  // Only a field that is there and null means none.
  const char *name = "n_routed_experts";
  if (fields.find(name))
    config.routedExperts = fields.count(name);
  else if (!fields.contains(name))
    config.routedExperts = isV3 ? 256 : 64;
  config.sharedExperts = fields.contains("n_shared_experts")
                             ? fields.size("n_shared_experts", 0, 0)
                             : (isV3 ? 1 : 2);
  config.expertSize = fields.size("moe_intermediate_size", isV3 ? 2048 : 1407);
  config.groupScore =
      GroupScore(fields.oneOf("topk_method", isV3 ? "noaux_tc" : "greedy",
                              {"greedy", "group_limited_greedy", "noaux_tc"}));
  config.scoresAreSigmoid =
      fields.oneOf("scoring_func", isV3 ? "sigmoid" : "softmax",
                   {"softmax", "sigmoid"}) == 1;
  config.normaliseWeights = fields.flag("norm_topk_prob", isV3);
  config.routedScale =
      fields.positive("routed_scaling_factor", isV3 ? 2.5 : 1.0);
  if (!config.routedExperts)
    return;
  int64_t experts = *config.routedExperts;
  config.expertsPerToken = isV3 ? fields.size("num_experts_per_tok", 8)
                                : fields.size("num_experts_per_tok");
  if (config.groupScore != GroupScore::None) {
    config.groups = fields.size("n_group", isV3 ? 8 : 1);
    config.groupsKept = fields.size("topk_group", isV3 ? 4 : 1);
  }
  if (experts % config.groups || config.groupsKept > config.groups)
    fields.fail("fields 'n_group' (" + std::to_string(config.groups) +
                ") and 'topk_group' (" + std::to_string(config.groupsKept) +
                ") do not fit 'n_routed_experts' (" + std::to_string(experts) +
                "): the groups are of equal size, and no more are kept than "
                "there are");
  int64_t eligible = experts / config.groups * config.groupsKept;
  if (config.expertsPerToken > eligible)
    fields.failAt("num_experts_per_tok",
                  "is " + std::to_string(config.expertsPerToken) +
                      ", but a token can choose among " +
                      std::to_string(eligible) + " experts");
}

void readDeepseek(const Fields &fields, const ModelConfig &config,
                  DeepseekConfig &deepseek) {
  bool isV3 = config.architecture == Architecture::DeepseekV3;
  const char *rank = "q_lora_rank";
  if (fields.find(rank) || !fields.contains(rank))
    deepseek.queryRank = fields.size(rank, 1536);
  deepseek.latentRank = fields.size("kv_lora_rank", 512);
  deepseek.nopeDim = fields.size("qk_nope_head_dim", 128);
  deepseek.ropeDim = fields.size("qk_rope_head_dim", 64);
  deepseek.valueDim = fields.size("v_head_dim", 128);
  if (deepseek.ropeDim % 2)
    fields.failAt("qk_rope_head_dim", "is odd: its elements rotate in pairs");
  deepseek.ropeInterleave = !isV3 || fields.flag("rope_interleave", true);
  readExperts(fields, deepseek, isV3);
  deepseek.isSparse = deepseek.routedExperts
                          ? readSparseLayers(fields, config, isV3)
                          : std::vector<bool>(size_t(config.layers), false);
  const char *predict = "num_nextn_predict_layers";
  if (!isV3)
    deepseek.predictLayers = 0;
  else if (fields.find(predict))
    deepseek.predictLayers = fields.count(predict, 0);
  deepseek.scaleBlock = readScaleBlock(fields);
}

ModelConfig read(std::string_view text, const std::string &where) {
  Json json = files::parseJsonObject(text, where, maxDepth);
  Fields fields(json, where);
  ModelConfig config;
  config.architecture = readArchitecture(fields);
  bool isLlama = config.architecture == Architecture::Llama;
  config.vocabulary = fields.size("vocab_size");
  config.hiddenSize = fields.size("hidden_size");
  config.intermediateSize = fields.size("intermediate_size");
  config.layers = fields.count("num_hidden_layers");
  config.heads = fields.size("num_attention_heads");
  config.keyValueHeads = fields.size("num_key_value_heads", config.heads);
  config.maxLength = fields.size(
      "max_position_embeddings",
      config.architecture == Architecture::DeepseekV3 ? 4096 : 2048);
  config.epsilon = fields.positive("rms_norm_eps", 1e-6);
  config.rope = readRope(fields, config);
  config.tieEmbeddings = fields.flag("tie_word_embeddings", false);
  config.attentionBias = fields.flag("attention_bias", false);
  fields.oneOf("hidden_act", "silu", {"silu"});
  if (!isLlama) {
    readDeepseek(fields, config, config.deepseek);
    return config;
  }
  config.mlpBias = fields.flag("mlp_bias", false);
  if (!fields.find("head_dim") && config.hiddenSize % config.heads)
    fields.fail("field 'hidden_size' (" + std::to_string(config.hiddenSize) +
                ") is no multiple of 'num_attention_heads' (" +
                std::to_string(config.heads) + "), and there is no 'head_dim'");
  config.headDim = fields.size("head_dim", config.hiddenSize / config.heads);
  if (config.headDim % 2)
    fields.fail("heads of odd width " + std::to_string(config.headDim) +
                " ('head_dim') cannot be rotated");
  if (config.heads % config.keyValueHeads)
    fields.failAt("num_key_value_heads",
                  "is " + std::to_string(config.keyValueHeads) +
                      ", which does not divide 'num_attention_heads' (" +
                      std::to_string(config.heads) + ")");
  if (std::optional<Fields> quantised = fields.nested("quantization_config"))
    fields.failAt("quantization_config",
                  "says that the weights are quantised, which is not supported "
                  "for LlamaForCausalLM; give the original checkpoint");
  return config;
}

int32_t tokenId(const Fields &fields, const char *name, const Json &value) {
  return int32_t(fields.size(name, value, 0));
}

void readFacts(std::string_view text, const std::string &where,
               GenerationFacts &facts) {
  Json json = files::parseJsonObject(text, where, maxDepth);
  Fields fields(json, where);
  facts.maxLength = fields.size("max_position_embeddings", facts.maxLength);
  if (const Json *bos = fields.find("bos_token_id"))
    facts.bosId = tokenId(fields, "bos_token_id", *bos);
  const char *name = "eos_token_id";
  if (const Json *eos = fields.find(name)) {
    facts.eosIds.clear();
    for (const Json &id : eos->is_array() ? *eos : Json::array({*eos}))
      facts.eosIds.push_back(tokenId(fields, name, id));
  }
}

} // namespace

std::string_view architectureName(Architecture architecture) {
  for (const KnownArchitecture &each : knownArchitectures)
    if (each.architecture == architecture)
      return each.name;
  return "";
}

std::optional<ModelConfig> readModelConfig(std::string_view text,
                                           const std::string &where,
                                           std::string &error) {
  try {
    return read(text, where);
  } catch (const files::Error &e) {
    error = e.what();
    return std::nullopt;
  }
}

bool readGenerationFacts(std::string_view text, const std::string &where,
                         GenerationFacts &facts, std::string &error) {
  try {
    readFacts(text, where, facts);
    return true;
  } catch (const files::Error &e) {
    error = e.what();
    return false;
  }
}

} // namespace checkpoint
