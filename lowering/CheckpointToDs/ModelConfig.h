//===- ModelConfig.h - what config.json says of a model -------------------===//
//
// The facts that a model is built from, each with the field it is read from
// and what an absent field (or null) means: the default of the model's class
// in transformers, which newer writers leave out. Sizes without which nothing
// can be built have no default here.
//
//===----------------------------------------------------------------------===//
#ifndef LOWERING_CHECKPOINTTODS_MODELCONFIG_H
#define LOWERING_CHECKPOINTTODS_MODELCONFIG_H

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace checkpoint {

enum class Architecture { Llama, DeepseekV2, DeepseekV3 };

/// "LlamaForCausalLM" and so on.
std::string_view architectureName(Architecture architecture);

/// `rope_scaling`, or `rope_parameters` of newer writers; null: None.
struct RopeScaling {
  enum class Kind { None, Linear, Dynamic, Yarn };
  /// `rope_type`, in older files `type`: "default", "linear", "dynamic" or
  /// "yarn". "default" is None.
  Kind kind = Kind::None;
  /// `factor`; needed by all kinds but None.
  double factor = 1;
  /// `original_max_position_embeddings`: the length that the model was trained
  /// at before YaRN. Default: max_position_embeddings.
  int64_t originalLength = 0;
  /// `beta_fast`, `beta_slow`: rotations within the original length above
  /// which a frequency stays, below which it is divided. Default 32, 1.
  double betaFast = 32, betaSlow = 1;
  /// `mscale`, `mscale_all_dim`. Absent or 0: not there.
  std::optional<double> mscale, mscaleAllDim;
  /// `attention_factor`: the factor of the tables, if not to be computed.
  std::optional<double> attentionFactor;
};

/// How the value of a group of experts comes from the scores of its members.
enum class GroupScore {
  None,      // `topk_method` "greedy": no groups
  Max,       // "group_limited_greedy"
  TopTwoSum, // "noaux_tc"
};

/// Fields of DeepseekV2ForCausalLM and DeepseekV3ForCausalLM beyond those of
/// Llama. Defaults are written V2 / V3 where they differ.
struct DeepseekConfig {
  /// `q_lora_rank`; null: queries have no latent. Default 1536.
  std::optional<int64_t> queryRank;
  /// `kv_lora_rank`. Default 512.
  int64_t latentRank = 0;
  /// `qk_nope_head_dim`, `qk_rope_head_dim`, `v_head_dim`. Default 128, 64,
  /// 128.
  int64_t nopeDim = 0, ropeDim = 0, valueDim = 0;
  /// `rope_interleave`: the rotated elements of the checkpoint are adjacent
  /// pairs. Default true; V2 has no such field and always pairs.
  bool ropeInterleave = true;

  /// `n_routed_experts`. Default 64 / 256; null: every layer is dense.
  std::optional<int64_t> routedExperts;
  /// `n_shared_experts`. Default 2 / 1; null: 0.
  int64_t sharedExperts = 0;
  /// `num_experts_per_tok`; needed with experts in V2. Default – / 8.
  int64_t expertsPerToken = 0;
  /// `moe_intermediate_size`. Default 1407 / 2048.
  int64_t expertSize = 0;
  /// `mlp_layer_types`, a list of "dense" and "sparse"; else from
  /// `first_k_dense_replace` (default 0 / 3) and `moe_layer_freq` (default 1):
  /// layer i is sparse if i >= the first and divisible by the second.
  std::vector<bool> isSparse;
  /// `topk_method`. Default "greedy" / "noaux_tc".
  GroupScore groupScore = GroupScore::None;
  /// `n_group`, `topk_group`. Default 1, 1 / 8, 4.
  int64_t groups = 1, groupsKept = 1;
  /// `scoring_func`: "softmax" or "sigmoid". Default softmax / sigmoid.
  bool scoresAreSigmoid = false;
  /// `norm_topk_prob`. Default false / true.
  bool normaliseWeights = false;
  /// `routed_scaling_factor`. Default 1 / 2.5.
  double routedScale = 1;

  /// `num_nextn_predict_layers`, V3 only. Absent: as many as the files hold.
  std::optional<int64_t> predictLayers;
  /// `quantization_config.weight_block_size` with `quant_method` "fp8": rows
  /// and columns that share a scale. Absent: weights are not quantised.
  std::optional<std::vector<int64_t>> scaleBlock;
};

struct ModelConfig {
  /// `architectures[0]`; absent: from `model_type`.
  Architecture architecture = Architecture::Llama;
  /// `vocab_size`, `hidden_size`, `intermediate_size`, `num_hidden_layers`,
  /// `num_attention_heads`. Needed.
  int64_t vocabulary = 0, hiddenSize = 0, intermediateSize = 0, layers = 0,
          heads = 0;
  /// `num_key_value_heads`. Default: num_attention_heads.
  int64_t keyValueHeads = 0;
  /// `head_dim`. Default: hidden_size / num_attention_heads, which must then
  /// be a whole number. (Of no use in DeepSeek V2 and V3.)
  int64_t headDim = 0;
  /// `max_position_embeddings`. Default 2048; 4096 in V3.
  int64_t maxLength = 0;
  /// `rms_norm_eps`. Default 1e-6.
  double epsilon = 1e-6;
  /// `rope_theta`, also inside `rope_parameters`. Default 10000.
  double ropeTheta = 10000;
  RopeScaling rope;
  /// `tie_word_embeddings`: the head is the embedding. Default false.
  bool tieEmbeddings = false;
  /// `attention_bias`, `mlp_bias`: projections have a bias. Default false.
  bool attentionBias = false, mlpBias = false;
  DeepseekConfig deepseek;
};

/// Reads config.json. `where` is put in front of messages. Nothing after a
/// failure, with one line in `error`: bad JSON, an architecture or a value that
/// is not supported (named, with those that are), a needed field that is
/// missing, a field of the wrong type or out of range.
std::optional<ModelConfig> readModelConfig(std::string_view text,
                                           const std::string &where,
                                           std::string &error);

/// What generation needs of config.json and generation_config.json.
struct GenerationFacts {
  /// `max_position_embeddings`; 0: not said.
  int64_t maxLength = 0;
  /// `bos_token_id`; -1: none.
  int32_t bosId = -1;
  /// `eos_token_id`, one or a list.
  std::vector<int32_t> eosIds;
};

/// Overwrites the facts that `text` has fields for. False after a failure, with
/// one line in `error`.
bool readGenerationFacts(std::string_view text, const std::string &where,
                         GenerationFacts &facts, std::string &error);

} // namespace checkpoint

#endif // LOWERING_CHECKPOINTTODS_MODELCONFIG_H
