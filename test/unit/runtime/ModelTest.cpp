//===- ModelTest.cpp - compiled models through the C interface ------------===//
#include "FakeFolder.h"
#include "ds/ds_runtime.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstring>
#include <gtest/gtest.h>
#include <thread>
#include <vector>

namespace {

Model loadModel(const char *name) {
  ds_model_t *model = nullptr;
  std::string path = std::string(DS_TEST_MODELS "/") + name;
  EXPECT_EQ(ds_load(path.c_str(), nullptr, &model), DS_OK) << ds_last_error();
  return Model(model);
}

const std::vector<int32_t> prompt = {0, 17, 4, 33, 8, 61, 2, 2, 90, 15, 7, 41};

/// Logits of the whole prompt and of `count` greedy tokens behind it.
std::vector<float> run(const ds_model_t *model, ds_session_options options,
                       int64_t slot, int count = 8) {
  options.length = 64;
  Session session = makeSession(model, options);
  size_t vocabulary = size_t(ds_model_descriptor(model)->vocabulary);
  std::vector<float> logits(prompt.size() * vocabulary);
  ds_feed feed = {slot, prompt.data(), int64_t(prompt.size()), DS_LOGITS_ALL,
                  0};
  EXPECT_EQ(ds_session_feed(session.get(), &feed, 1, logits.data(),
                            int64_t(logits.size()), nullptr),
            DS_OK)
      << ds_last_error();
  for (int i = 0; i < count; ++i) {
    const float *last = &logits[logits.size() - vocabulary];
    int32_t token = int32_t(std::max_element(last, last + vocabulary) - last);
    feed = {slot, &token, 1, DS_LOGITS_LAST, 0};
    logits.resize(logits.size() + vocabulary);
    EXPECT_EQ(ds_session_feed(session.get(), &feed, 1,
                              &logits[logits.size() - vocabulary],
                              int64_t(vocabulary), nullptr),
              DS_OK);
  }
  return logits;
}

/// Equal bit by bit, and numbers.
bool sameBits(const std::vector<float> &a, const std::vector<float> &b) {
  for (float value : a)
    if (!std::isfinite(value))
      return false;
  return a.size() == b.size() &&
         std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

TEST(Bits, DoNotDependOnChunkThreadsSlotOrWhatIsBeyondTheLength) {
  Model model = loadModel("gqa.so");
  std::vector<float> expected = run(model.get(), {}, 0);
  for (int64_t chunk : {1, 7, 64})
    for (int32_t threads : {1, 2})
      for (int32_t poison : {0, 1})
        EXPECT_TRUE(sameBits(run(model.get(),
                                 {.slots = 3,
                                  .chunk = chunk,
                                  .threads = threads,
                                  .poison_caches = poison},
                                 chunk % 3),
                             expected))
            << chunk << " " << threads << " " << poison;
}

TEST(Bits, DoNotDependOnCompany) {
  Model model = loadModel("gqa.so");
  size_t vocabulary = size_t(ds_model_descriptor(model.get())->vocabulary);
  std::vector<float> expected = run(model.get(), {}, 0, 0);
  Session session =
      makeSession(model.get(), {.slots = 4, .length = 64, .poison_caches = 1});
  const std::vector<int32_t> others[] = {{5}, {1, 2, 3}, {9, 9, 9, 9, 9, 9, 9}};
  std::vector<ds_feed> feeds;
  for (int i = 0; i < 3; ++i)
    feeds.push_back(
        {i, others[i].data(), int64_t(others[i].size()), DS_LOGITS_NONE, 0});
  feeds.insert(feeds.begin() + 1,
               {3, prompt.data(), int64_t(prompt.size()), DS_LOGITS_ALL, 0});
  std::vector<float> logits(prompt.size() * vocabulary);
  ASSERT_EQ(ds_session_feed(session.get(), feeds.data(), 4, logits.data(),
                            int64_t(logits.size()), nullptr),
            DS_OK);
  EXPECT_TRUE(sameBits(logits, expected));
}

TEST(Bits, FormOfLatentAttentionIsThatOfTheText) {
  Model model = loadModel("v3.so");
  const DsModel &facts = *ds_model_descriptor(model.get());
  size_t vocabulary = size_t(facts.vocabulary);
  std::vector<int32_t> text(60);
  for (size_t i = 0; i < text.size(); ++i)
    text[i] = int32_t(i * 37 % vocabulary);
  ASSERT_LE(facts.mla_absorb_below, int64_t(text.size()));
  ASSERT_GT(facts.mla_absorb_below, 16) << "drafts change the form";
  // The text in calls of `each` tokens, beside a token before it and one
  // behind.
  auto run = [&](int64_t each, int64_t chunk, int64_t partOf, bool company) {
    Session session = makeSession(
        model.get(),
        {.slots = 3, .length = 64, .chunk = chunk, .poison_caches = 1});
    std::vector<float> all(text.size() * vocabulary);
    float *next = all.data();
    for (size_t done = 0; done < text.size(); done += size_t(each)) {
      const int32_t token = 5;
      std::vector<ds_feed> feeds{{1, &text[done],
                                  std::min(each, int64_t(text.size() - done)),
                                  DS_LOGITS_ALL, partOf}};
      if (company) {
        feeds.insert(feeds.begin(), {0, &token, 1, DS_LOGITS_NONE, 0});
        feeds.push_back({2, &token, 1, DS_LOGITS_NONE, 0});
      }
      EXPECT_EQ(ds_session_feed(session.get(), feeds.data(),
                                int64_t(feeds.size()), next,
                                all.data() + all.size() - next, nullptr),
                DS_OK)
          << ds_last_error();
      next += size_t(each) * vocabulary;
    }
    return all;
  };
  int64_t whole = int64_t(text.size());
  std::vector<float> expected = run(whole, 0, 0, false);
  for (int64_t each : {whole, int64_t(8), int64_t(1)})
    for (int64_t chunk : {0, 3})
      for (bool company : {false, true})
        EXPECT_TRUE(sameBits(run(each, chunk, whole, company), expected))
            << each << " " << chunk << " " << company;
  EXPECT_FALSE(sameBits(run(8, 0, 0, false), expected)) << "there is one form";
  ds_feed wrong = {0, text.data(), 1, DS_LOGITS_NONE, -1};
  Session session = makeSession(model.get(), {.length = 64});
  EXPECT_EQ(ds_session_feed(session.get(), &wrong, 1, nullptr, 0, nullptr),
            DS_ERROR_ARGUMENT);
}

TEST(Bits, RewoundSessionsForget) {
  Model model = loadModel("gqa.so");
  size_t vocabulary = size_t(ds_model_descriptor(model.get())->vocabulary);
  std::vector<float> expected = run(model.get(), {}, 0, 0);
  Session session = makeSession(model.get(), {.length = 64});
  std::vector<float> logits(prompt.size() * vocabulary);
  const std::vector<int32_t> wrong(20, 77);
  ds_feed feed = {0, prompt.data(), 5, DS_LOGITS_NONE, 0};
  ASSERT_EQ(ds_session_feed(session.get(), &feed, 1, nullptr, 0, nullptr),
            DS_OK);
  feed = {0, wrong.data(), 20, DS_LOGITS_NONE, 0};
  ASSERT_EQ(ds_session_feed(session.get(), &feed, 1, nullptr, 0, nullptr),
            DS_OK);
  ASSERT_EQ(ds_session_rewind(session.get(), 0, 5), DS_OK);
  feed = {0, prompt.data() + 5, int64_t(prompt.size()) - 5, DS_LOGITS_ALL, 0};
  ASSERT_EQ(ds_session_feed(session.get(), &feed, 1, logits.data(),
                            int64_t(logits.size()), nullptr),
            DS_OK);
  logits.resize((prompt.size() - 5) * vocabulary);
  EXPECT_TRUE(sameBits(
      logits, std::vector<float>(expected.begin() + 5 * int64_t(vocabulary),
                                 expected.end())));
}

TEST(Threads, SessionsOverOneModelAreIndependent) {
  Model model = loadModel("gqa.so");
  std::vector<float> expected = run(model.get(), {}, 0);
  std::atomic<int> same = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i)
    threads.emplace_back([&, i] {
      for (int round = 0; round < 3; ++round)
        same += sameBits(
            run(model.get(), {.chunk = i + 1, .threads = i % 2 + 1}, 0),
            expected);
    });
  for (std::thread &thread : threads)
    thread.join();
  EXPECT_EQ(same, 12);
}

TEST(Threads, ErrorsBelongToTheirThread) {
  EXPECT_EQ(ds_model_verify(nullptr), DS_ERROR_ARGUMENT);
  std::thread([] { EXPECT_STREQ(ds_last_error(), ""); }).join();
  EXPECT_STREQ(ds_last_error(), "model is null");
}

//===----------------------------------------------------------------------===//
// Text
//===----------------------------------------------------------------------===//

std::vector<int32_t> tokenize(const ds_model_t *model, const std::string &text,
                              bool addSpecial = false) {
  int32_t *tokens = nullptr;
  int64_t count = 0;
  EXPECT_EQ(
      ds_tokenize(model, text.data(), text.size(), addSpecial, &tokens, &count),
      DS_OK);
  std::unique_ptr<void, Freed> owner(tokens);
  return std::vector<int32_t>(tokens, tokens + count);
}

std::string detokenize(const ds_model_t *model,
                       const std::vector<int32_t> &tokens) {
  char *text = nullptr;
  size_t bytes = 0;
  EXPECT_EQ(ds_detokenize(model, tokens.data(), int64_t(tokens.size()), 1,
                          &text, &bytes),
            DS_OK);
  std::unique_ptr<void, Freed> owner(text);
  EXPECT_EQ(text[bytes], 0);
  return std::string(text, bytes);
}

bool isWholeUtf8(const std::string &text) {
  size_t missing = 0;
  for (char c : text) {
    uint8_t byte = uint8_t(c);
    if (missing ? (byte & 0xc0) != 0x80 : (byte & 0xc0) == 0x80)
      return false;
    missing = missing        ? missing - 1
              : byte >= 0xf0 ? 3
              : byte >= 0xe0 ? 2
              : byte >= 0xc0 ? 1
                             : 0;
  }
  return missing == 0;
}

TEST(Text, BothWaysAndTokenByToken) {
  Model model = loadModel("kjv.so");
  ds_detokenizer_t *created = nullptr;
  ASSERT_EQ(ds_detokenizer_create(model.get(), 1, &created), DS_OK);
  std::unique_ptr<ds_detokenizer_t, Freed> detokenizer(created);
  for (const std::string &text :
       {std::string("In the beginning"),
        std::string("caf\xc3\xa9 \xe2\x82\xac"),
        std::string(
            "\xe5\xa4\xaa\xe5\x88\x9d \xf0\x9f\x8c\x8d\xf0\x9f\x8f\xbd"),
        std::string("a\0b", 3), std::string()}) {
    std::vector<int32_t> ids = tokenize(model.get(), text);
    EXPECT_EQ(detokenize(model.get(), ids), text);
    std::string streamed;
    const char *part;
    size_t bytes;
    for (int32_t id : ids) {
      ASSERT_EQ(ds_detokenizer_next(detokenizer.get(), id, &part, &bytes),
                DS_OK);
      EXPECT_TRUE(isWholeUtf8(std::string(part, bytes)));
      streamed.append(part, bytes);
    }
    ASSERT_EQ(ds_detokenizer_finish(detokenizer.get(), &part, &bytes), DS_OK);
    EXPECT_EQ(bytes, 0u);
    EXPECT_EQ(streamed, text);
  }
  // An unfinished character comes out at the end, and is forgotten then.
  std::vector<int32_t> euro = tokenize(model.get(), "\xe2\x82\xac");
  ASSERT_GT(euro.size(), 1u) << "a character of several tokens";
  const char *part;
  ASSERT_EQ(ds_detokenizer_next(detokenizer.get(), euro[0], &part, nullptr),
            DS_OK);
  EXPECT_STREQ(part, "");
  ASSERT_EQ(ds_detokenizer_finish(detokenizer.get(), &part, nullptr), DS_OK);
  EXPECT_STREQ(part, "\xef\xbf\xbd");
  ASSERT_EQ(ds_detokenizer_finish(detokenizer.get(), &part, nullptr), DS_OK);
  EXPECT_STREQ(part, "");
  // An id of nobody has no text.
  ASSERT_EQ(ds_detokenizer_next(detokenizer.get(), 1 << 20, &part, nullptr),
            DS_OK);
  EXPECT_STREQ(part, "");
  int32_t nobody = int32_t(ds_tokenizer_vocabulary(model.get()));
  char *text = nullptr;
  EXPECT_EQ(ds_detokenize(model.get(), &nobody, 1, 1, &text, nullptr),
            DS_ERROR_INDEX);
}

TEST(Text, SpecialTokensAndChat) {
  Model model = loadModel("kjv.so");
  std::vector<int32_t> bare = tokenize(model.get(), "In"),
                       whole = tokenize(model.get(), "In", true);
  ASSERT_EQ(whole.size(), bare.size() + 1);
  EXPECT_EQ(whole[0], ds_model_descriptor(model.get())->bos_id);
  ds_message messages[] = {{"user", "Hello"}};
  char *text = nullptr;
  ASSERT_EQ(ds_chat_prompt(model.get(), "v2", messages, 1, &text), DS_OK);
  EXPECT_NE(std::string(text).find("User: Hello\n\nAssistant:"),
            std::string::npos);
  ds_free(text);
  EXPECT_EQ(ds_chat_prompt(model.get(), "v9", messages, 1, &text),
            DS_ERROR_ARGUMENT);
  messages[0].role = "king";
  EXPECT_EQ(ds_chat_prompt(model.get(), nullptr, messages, 1, &text),
            DS_ERROR_ARGUMENT);
  messages[0].role = nullptr;
  EXPECT_EQ(ds_chat_prompt(model.get(), nullptr, messages, 1, &text),
            DS_ERROR_ARGUMENT);
}

} // namespace
