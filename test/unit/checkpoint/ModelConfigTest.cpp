//===- ModelConfigTest.cpp - config.json: values, defaults, refusals ------===//
#include "lowering/CheckpointToDs/ModelConfig.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

using namespace checkpoint;
using Json = nlohmann::json;

namespace {

Json llama() {
  return {{"architectures", {"LlamaForCausalLM"}},
          {"vocab_size", 97},
          {"hidden_size", 64},
          {"intermediate_size", 128},
          {"num_hidden_layers", 2},
          {"num_attention_heads", 4}};
}

Json deepseek(const char *architecture) {
  Json json = llama();
  json["architectures"] = {architecture};
  json["num_experts_per_tok"] = 6;
  return json;
}

ModelConfig read(const Json &json) {
  std::string error;
  std::optional<ModelConfig> config =
      readModelConfig(json.dump(), "'config.json'", error);
  EXPECT_TRUE(config) << error;
  return config.value_or(ModelConfig());
}

void expectRefused(const std::string &text, const std::string &message) {
  std::string error;
  EXPECT_FALSE(readModelConfig(text, "'config.json'", error)) << message;
  EXPECT_EQ(error.find("'config.json': "), 0u) << error;
  EXPECT_NE(error.find(message), std::string::npos)
      << error << "\nexpected: " << message;
  EXPECT_EQ(error.find('\n'), std::string::npos) << error;
}

/// `json` with `field` changed is refused.
void expectRefused(Json json, const std::string &pointer, const Json &value,
                   const std::string &message) {
  json[Json::json_pointer(pointer)] = value;
  expectRefused(json.dump(), message);
}

TEST(ModelConfig, LlamaDefaults) {
  ModelConfig config = read(llama());
  EXPECT_EQ(config.architecture, Architecture::Llama);
  EXPECT_EQ(config.vocabulary, 97);
  EXPECT_EQ(config.hiddenSize, 64);
  EXPECT_EQ(config.intermediateSize, 128);
  EXPECT_EQ(config.layers, 2);
  EXPECT_EQ(config.heads, 4);
  EXPECT_EQ(config.keyValueHeads, 4);
  EXPECT_EQ(config.headDim, 16);
  EXPECT_EQ(config.maxLength, 2048);
  EXPECT_EQ(config.epsilon, 1e-6);
  EXPECT_EQ(config.ropeTheta, 10000);
  EXPECT_EQ(config.rope.kind, RopeScaling::Kind::None);
  EXPECT_FALSE(config.tieEmbeddings || config.attentionBias || config.mlpBias);
}

TEST(ModelConfig, LlamaValues) {
  Json json = llama();
  json.erase("architectures");
  json.update({{"model_type", "llama"},
               {"num_key_value_heads", 2},
               {"head_dim", 24},
               {"max_position_embeddings", 300},
               {"rms_norm_eps", 1e-5},
               {"rope_theta", 500000},
               {"rope_scaling", {{"type", "linear"}, {"factor", 4}}},
               {"tie_word_embeddings", true},
               {"attention_bias", true},
               {"mlp_bias", true}});
  ModelConfig config = read(json);
  EXPECT_EQ(config.keyValueHeads, 2);
  EXPECT_EQ(config.headDim, 24);
  EXPECT_EQ(config.maxLength, 300);
  EXPECT_EQ(config.epsilon, 1e-5);
  EXPECT_EQ(config.ropeTheta, 500000);
  EXPECT_EQ(config.rope.kind, RopeScaling::Kind::Linear);
  EXPECT_EQ(config.rope.factor, 4);
  EXPECT_TRUE(config.tieEmbeddings && config.attentionBias && config.mlpBias);
}

TEST(ModelConfig, NullIsAbsent) {
  Json json = llama();
  for (const char *field : {"num_key_value_heads", "head_dim", "rope_scaling",
                            "attention_bias", "rope_theta"})
    json[field] = nullptr;
  EXPECT_EQ(read(json).keyValueHeads, 4);
  EXPECT_EQ(read(json).headDim, 16);
}

TEST(ModelConfig, NewSpellingOfRope) {
  Json json = llama();
  json["rope_theta"] = 1; // of no use beside the other
  json["rope_parameters"] = {
      {"rope_theta", 20000}, {"rope_type", "yarn"},
      {"factor", 40},        {"original_max_position_embeddings", 64},
      {"mscale", 0.707},     {"mscale_all_dim", 0}};
  ModelConfig config = read(json);
  EXPECT_EQ(config.ropeTheta, 20000);
  EXPECT_EQ(config.rope.kind, RopeScaling::Kind::Yarn);
  EXPECT_EQ(config.rope.originalLength, 64);
  EXPECT_EQ(config.rope.betaFast, 32);
  EXPECT_EQ(config.rope.betaSlow, 1);
  EXPECT_EQ(config.rope.mscale, 0.707);
  EXPECT_FALSE(config.rope.mscaleAllDim);
  json["rope_parameters"] = {{"rope_theta", 20000}, {"rope_type", "default"}};
  EXPECT_EQ(read(json).rope.kind, RopeScaling::Kind::None);
}

TEST(ModelConfig, DeepseekV2Defaults) {
  DeepseekConfig config = read(deepseek("DeepseekV2ForCausalLM")).deepseek;
  EXPECT_EQ(config.queryRank, 1536);
  EXPECT_EQ(config.latentRank, 512);
  EXPECT_EQ(config.nopeDim, 128);
  EXPECT_EQ(config.ropeDim, 64);
  EXPECT_EQ(config.valueDim, 128);
  EXPECT_TRUE(config.ropeInterleave);
  EXPECT_EQ(config.routedExperts, 64);
  EXPECT_EQ(config.sharedExperts, 2);
  EXPECT_EQ(config.expertSize, 1407);
  EXPECT_EQ(config.isSparse, (std::vector<bool>{true, true}));
  EXPECT_EQ(config.groupScore, GroupScore::None);
  EXPECT_FALSE(config.scoresAreSigmoid || config.normaliseWeights);
  EXPECT_EQ(config.routedScale, 1);
  EXPECT_EQ(config.predictLayers, 0);
  EXPECT_FALSE(config.scaleBlock);
}

TEST(ModelConfig, DeepseekV3Defaults) {
  Json json = deepseek("DeepseekV3ForCausalLM");
  json["num_hidden_layers"] = 5;
  json.erase("num_experts_per_tok");
  ModelConfig whole = read(json);
  EXPECT_EQ(whole.maxLength, 4096);
  DeepseekConfig config = whole.deepseek;
  EXPECT_EQ(config.routedExperts, 256);
  EXPECT_EQ(config.sharedExperts, 1);
  EXPECT_EQ(config.expertsPerToken, 8);
  EXPECT_EQ(config.expertSize, 2048);
  EXPECT_EQ(config.isSparse,
            (std::vector<bool>{false, false, false, true, true}));
  EXPECT_EQ(config.groupScore, GroupScore::TopTwoSum);
  EXPECT_EQ(config.groups, 8);
  EXPECT_EQ(config.groupsKept, 4);
  EXPECT_TRUE(config.scoresAreSigmoid && config.normaliseWeights);
  EXPECT_EQ(config.routedScale, 2.5);
  EXPECT_FALSE(config.predictLayers);
}

TEST(ModelConfig, DeepseekValues) {
  Json json = deepseek("DeepseekV3ForCausalLM");
  json.update({{"num_hidden_layers", 3},
               {"q_lora_rank", nullptr},
               {"n_routed_experts", 8},
               {"n_shared_experts", nullptr},
               {"num_experts_per_tok", 4},
               {"n_group", 4},
               {"topk_group", 2},
               {"mlp_layer_types", {"sparse", "dense", "sparse"}},
               {"num_nextn_predict_layers", 1},
               {"rope_interleave", false},
               {"quantization_config",
                {{"quant_method", "fp8"},
                 {"fmt", "e4m3"},
                 {"activation_scheme", "dynamic"},
                 {"weight_block_size", {128, 64}}}}});
  DeepseekConfig config = read(json).deepseek;
  EXPECT_FALSE(config.queryRank);
  EXPECT_EQ(config.sharedExperts, 0);
  EXPECT_EQ(config.isSparse, (std::vector<bool>{true, false, true}));
  EXPECT_EQ(config.predictLayers, 1);
  EXPECT_FALSE(config.ropeInterleave);
  EXPECT_EQ(config.scaleBlock, (std::vector<int64_t>{128, 64}));
  json.erase("mlp_layer_types");
  json.update({{"first_k_dense_replace", 1}, {"moe_layer_freq", 2}});
  EXPECT_EQ(read(json).deepseek.isSparse,
            (std::vector<bool>{false, false, true}));
  json["n_routed_experts"] = nullptr;
  EXPECT_EQ(read(json).deepseek.isSparse,
            (std::vector<bool>{false, false, false}));
}

TEST(ModelConfig, RefusesWhatItDoesNotKnow) {
  expectRefused("", "bad JSON");
  expectRefused("[]", "a JSON object was expected");
  expectRefused(R"({"a": )" + std::string(100000, '['), "bad JSON");
  expectRefused(R"({"vocab_size": 1, "vocab_size": 2})", "named twice");
  expectRefused("{}", "neither 'architectures' nor 'model_type'");
  expectRefused(llama(), "/architectures", {"GPT2LMHeadModel"},
                "'GPT2LMHeadModel', which is not supported; known: "
                "LlamaForCausalLM, DeepseekV2ForCausalLM, "
                "DeepseekV3ForCausalLM");
  expectRefused(llama(), "/architectures", Json::array(), "no list of names");
  for (const char *field : {"vocab_size", "hidden_size", "intermediate_size",
                            "num_hidden_layers", "num_attention_heads"})
    expectRefused(llama(), std::string("/") + field, nullptr,
                  std::string("'") + field + "' is missing");
  for (const Json &value : Json::array({0, -1, 1.5, "64", 1e30, true}))
    expectRefused(llama(), "/hidden_size", value,
                  "'hidden_size' is no whole number");
  expectRefused(llama(), "/num_hidden_layers", 10001,
                "is no whole number from 1 to 10000");
  expectRefused(llama(), "/num_attention_heads", 5,
                "'hidden_size' (64) is no multiple");
  expectRefused(llama(), "/num_key_value_heads", 3, "does not divide");
  expectRefused(llama(), "/head_dim", 7, "odd width 7");
  expectRefused(llama(), "/rms_norm_eps", 0, "no finite number above 0");
  expectRefused(llama(), "/tie_word_embeddings", 1, "neither true nor false");
  expectRefused(llama(), "/hidden_act", "gelu", "'gelu', which is not");
  expectRefused(llama(), "/rope_scaling", "yarn",
                "'rope_scaling' is no object");
  expectRefused(llama(), "/rope_scaling", {{"type", "su\n"}, {"factor", 2}},
                "'rope_scaling.type' is 'su?', which is not supported; known: "
                "default, linear, dynamic, yarn");
  expectRefused(llama(), "/rope_scaling", {{"rope_type", "linear"}},
                "'rope_scaling.factor' is missing");
  expectRefused(llama(), "/rope_parameters", {{"partial_rotary_factor", 0.5}},
                "partly rotated heads");
  expectRefused(llama(), "/quantization_config", {{"quant_method", "gptq"}},
                "weights are quantised");

  Json v3 = deepseek("DeepseekV3ForCausalLM");
  expectRefused(v3, "/scoring_func", "tanh", "known: softmax, sigmoid");
  expectRefused(v3, "/topk_method", "random",
                "known: greedy, group_limited_greedy, noaux_tc");
  expectRefused(v3, "/n_routed_experts", 10001, "from 1 to 10000");
  expectRefused(v3, "/num_nextn_predict_layers", 10001, "from 0 to 10000");
  expectRefused(v3, "/n_group", 7, "do not fit 'n_routed_experts' (256)");
  expectRefused(v3, "/topk_group", 9, "do not fit");
  expectRefused(v3, "/num_experts_per_tok", 200, "among 128 experts");
  expectRefused(v3, "/qk_rope_head_dim", 63, "is odd");
  expectRefused(v3, "/mlp_layer_types", {"dense"}, "one kind per layer");
  expectRefused(v3, "/mlp_layer_types", {"dense", "odd"}, "holds 'odd'");
  expectRefused(v3, "/quantization_config", {{"quant_method", "awq"}},
                "'awq', which is not supported; known: fp8");
  expectRefused(v3, "/quantization_config", {{"quant_method", "fp8"}},
                "'quantization_config.weight_block_size' is missing");
  Json v2 = deepseek("DeepseekV2ForCausalLM");
  expectRefused(v2, "/num_experts_per_tok", nullptr, "is missing");
}

TEST(ModelConfig, GenerationFacts) {
  GenerationFacts facts;
  std::string error;
  ASSERT_TRUE(readGenerationFacts(
      R"({"max_position_embeddings": 7, "bos_token_id": 1, "eos_token_id": 2})",
      "here", facts, error));
  EXPECT_EQ(facts.maxLength, 7);
  EXPECT_EQ(facts.bosId, 1);
  EXPECT_EQ(facts.eosIds, std::vector<int32_t>{2});
  ASSERT_TRUE(
      readGenerationFacts(R"({"bos_token_id": null, "eos_token_id": [3, 4]})",
                          "here", facts, error));
  EXPECT_EQ(facts.maxLength, 7);
  EXPECT_EQ(facts.bosId, 1);
  EXPECT_EQ(facts.eosIds, (std::vector<int32_t>{3, 4}));
  for (const char *text :
       {"[1]", R"({"eos_token_id": "</s>"})", R"({"bos_token_id": -1})",
        R"({"eos_token_id": [4294967296]})"})
    EXPECT_FALSE(readGenerationFacts(text, "here", facts, error)) << text;
}

} // namespace
