//===- TokenizerTest.cpp - ids as the reference tokenizer gives them ------===//
#include "runtime/tokenizer/Tokenizer.h"
#include "runtime/tokenizer/ChatTemplate.h"
#include <fstream>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <sstream>
#include <time.h>

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

double cpuSeconds() {
  timespec time;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return double(time.tv_sec) + double(time.tv_nsec) * 1e-9;
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
  // Of this thread's own time: neighbours do not count.
  double start = cpuSeconds();
  std::vector<int32_t> ids = tokenizer->encode(text, false);
  double cold = cpuSeconds() - start;
  start = cpuSeconds();
  tokenizer->encode(text, false);
  double warm = cpuSeconds() - start;
  std::printf("%s: %.1f MB/s at first, %.1f MB/s once words are known\n",
              GetParam().c_str(), double(text.size()) / cold / 1e6,
              double(text.size()) / warm / 1e6);
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

/// Long pieces of one kind, which no pattern cuts, come back whole.
TEST(Extremes, LongRuns) {
  for (const char *family : {"v1", "v3"}) {
    auto tokenizer = load(family);
    for (std::string unit :
         {"a", " ", "\n", "\t \n", "1", "!", "\xe4\xb8\x80", "\xf0\x9f\x8c\x8d",
          "a ", "<", "'s", "a\xcc\x81"}) {
      std::string text;
      while (text.size() < 100000)
        text += unit;
      EXPECT_EQ(tokenizer->decode(tokenizer->encode(text, false), false), text)
          << family << " " << unit;
    }
  }
}

/// A pattern that needs more stack than its compiled form has, and one that
/// never ends: the right cuts, or an error, never other ids.
TEST(Extremes, PatternsThatBacktrack) {
  auto withPattern = [](const char *pattern) {
    json file = {{"model",
                  {{"type", "BPE"},
                   {"vocab", {{"a", 0}, {"b", 1}, {"aa", 2}}},
                   {"merges", {"a a"}}}},
                 {"pre_tokenizer",
                  {{"type", "Split"},
                   {"pattern", {{"Regex", pattern}}},
                   {"behavior", "Removed"}}}};
    return ds::Tokenizer::load(file.dump(), "");
  };
  std::string text(5000, 'a');
  // What matches is removed: here everything, if the match is found.
  EXPECT_EQ(withPattern("(?:ab?)+")->encode(text, false),
            std::vector<int32_t>());
  EXPECT_EQ(withPattern("(?:ab?)+[cd]")->encode(text, false),
            std::vector<int32_t>(2500, 2));
  EXPECT_THROW(withPattern("(?:a|a)*(?:a|a)*(?:a|a)*[cd]")->encode(text, false),
               std::runtime_error);
}

TEST(Hostile, IsRefusedWithAReason) {
  for (
      const char *text :
      {"", "{", "[]", "{}", R"({"model": {"type": "Unigram"}})",
       R"({"model": {"type": "BPE", "vocab": {"a": -1}, "merges": []}})",
       R"({"model": {"type": "BPE", "vocab": {"a": 99999999999}, "merges": []}})",
       R"({"model": {"type": "BPE", "vocab": {"a": 1e30}, "merges": []}})",
       R"({"model": {"type": "BPE", "vocab": {"a": "0"}, "merges": []}})",
       R"({"model": {"type": "BPE", "vocab": {"a": 0}, "merges": ["a b"]}})",
       R"({"model": {"type": "BPE", "vocab": {}, "merges": []},
            "pre_tokenizer": {"type": "Split", "pattern": {"Regex": "("},
                              "behavior": "Isolated"}})"})
    EXPECT_THROW(ds::Tokenizer::load(text, ""), std::runtime_error) << text;
}

} // namespace
