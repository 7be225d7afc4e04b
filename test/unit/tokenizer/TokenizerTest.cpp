//===- TokenizerTest.cpp - ids as the reference tokenizer gives them ------===//
#include "runtime/tokenizer/Tokenizer.h"
#include "runtime/tokenizer/ChatTemplate.h"
#include <chrono>
#include <fstream>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <sstream>

using nlohmann::json;

namespace {

std::string readFile(const std::string &name) {
  std::ifstream file(std::string(DS_TEST_DATA "/") + name, std::ios::binary);
  EXPECT_TRUE(file.good()) << name;
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

std::unique_ptr<ds::Tokenizer> load(const std::string &family) {
  return ds::Tokenizer::load(readFile(family + "/tokenizer.json"),
                             readFile(family + "/tokenizer_config.json"));
}

class Family : public testing::TestWithParam<std::string> {};

TEST_P(Family, CasesBothWays) {
  auto tokenizer = load(GetParam());
  std::istringstream lines(readFile(GetParam() + "/cases.jsonl"));
  std::string line;
  unsigned count = 0;
  while (std::getline(lines, line)) {
    json item = json::parse(line);
    std::string text = item["text"];
    auto ids = item["ids"].get<std::vector<int32_t>>(),
         special = item["ids_special"].get<std::vector<int32_t>>();
    ASSERT_EQ(tokenizer->encode(text, false), ids) << line;
    ASSERT_EQ(tokenizer->encode(text, true), special) << line;
    ASSERT_EQ(tokenizer->decode(special, false),
              item["decoded"].get<std::string>())
        << line;
    ASSERT_EQ(tokenizer->decode(special, true),
              item["decoded_skip_special"].get<std::string>())
        << line;
    // Token by token the text is the same.
    ds::StreamingDecoder decoder(*tokenizer, true);
    std::string streamed, part;
    for (int32_t id : special) {
      decoder.next(id, part);
      streamed += part;
    }
    decoder.finish(part);
    streamed += part;
    ASSERT_EQ(streamed, item["decoded_skip_special"].get<std::string>())
        << line;
    ++count;
  }
  EXPECT_GT(count, 100u);
}

TEST_P(Family, LongTextAndSpeed) {
  auto tokenizer = load(GetParam());
  std::string text = readFile("mixed.txt"),
              raw = readFile(GetParam() + "/mixed.ids.u32");
  std::vector<int32_t> expected(raw.size() / 4);
  std::memcpy(expected.data(), raw.data(), raw.size());
  auto start = std::chrono::steady_clock::now();
  std::vector<int32_t> ids = tokenizer->encode(text, false);
  double seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start)
          .count();
  std::printf("%s: %.1f MB/s cold\n", GetParam().c_str(),
              double(text.size()) / seconds / 1e6);
  ASSERT_EQ(ids.size(), expected.size());
  EXPECT_EQ(ids, expected);
}

INSTANTIATE_TEST_SUITE_P(All, Family, testing::Values("v1", "v3"),
                         [](const auto &info) { return info.param; });

TEST(Chat, EveryCase) {
  json cases = json::parse(readFile("chat.json"))["cases"];
  const std::string bos = "<｜begin▁of▁sentence｜>",
                    eos = "<｜end▁of▁sentence｜>";
  unsigned count = 0;
  for (const json &item : cases) {
    std::string name = item["template"];
    if (name != "v1" && name != "v2" && name != "v3" && name != "r1")
      continue;
    std::vector<ds::ChatMessage> messages;
    for (const json &message : item["messages"])
      messages.push_back({message["role"], message["content"]});
    EXPECT_EQ(ds::applyChatTemplate(name, messages, bos, eos,
                                    item["add_generation_prompt"]),
              item["expected"].get<std::string>())
        << item;
    ++count;
  }
  EXPECT_GT(count, 10u);
}

TEST(Prompt, BosOnce) {
  auto v1 = load("v1");
  std::vector<int32_t> ids = v1->encodePrompt("In the beginning");
  ASSERT_TRUE(v1->idOf(v1->bosText()));
  EXPECT_EQ(ids[0], *v1->idOf(v1->bosText()));
  EXPECT_NE(ids[1], ids[0]);
  EXPECT_EQ(v1->encodePrompt(v1->bosText() + "In the beginning"), ids);
}

TEST(Hostile, IsRefusedWithAReason) {
  for (
      const char *text :
      {"", "{", "[]", "{}", R"({"model": {"type": "Unigram"}})",
       R"({"model": {"type": "BPE", "vocab": {"a": -1}, "merges": []}})",
       R"({"model": {"type": "BPE", "vocab": {"a": 99999999999}, "merges": []}})",
       R"({"model": {"type": "BPE", "vocab": {"a": 0}, "merges": ["a b"]}})",
       R"({"model": {"type": "BPE", "vocab": {}, "merges": []},
            "pre_tokenizer": {"type": "Split", "pattern": {"Regex": "("},
                              "behavior": "Isolated"}})"})
    EXPECT_THROW(ds::Tokenizer::load(text, ""), std::runtime_error) << text;
}

} // namespace
