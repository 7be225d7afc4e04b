//===- SessionTest.cpp - caches, batches, rewinding -----------------------===//
#include "FakeFolder.h"
#include "ds/ds_runtime.h"

#include <gtest/gtest.h>
#include <numeric>
#include <vector>

namespace {

constexpr int64_t vocabulary = 7;

class SessionTest : public testing::Test {
protected:
  std::vector<float> feed(ds_session_t *session, int64_t slot,
                          std::vector<int32_t> tokens,
                          ds_logits which = DS_LOGITS_ALL) {
    size_t rows = which == DS_LOGITS_ALL ? tokens.size() : size_t(which);
    std::vector<float> logits(rows * vocabulary);
    ds_feed one = {slot, tokens.data(), int64_t(tokens.size()), which, 0};
    EXPECT_EQ(ds_session_feed(session, &one, 1, logits.data(),
                              int64_t(logits.size()), nullptr),
              DS_OK)
        << ds_last_error();
    return logits;
  }
  void refused(ds_session_t *session, std::vector<ds_feed> feeds,
               ds_result result, const char *text, int64_t capacity = 1000) {
    std::vector<float> logits(1000, 42.0f);
    EXPECT_EQ(ds_session_feed(session, feeds.data(), int64_t(feeds.size()),
                              logits.data(), capacity, nullptr),
              result);
    EXPECT_NE(std::string(ds_last_error()).find(text), std::string::npos)
        << ds_last_error();
    EXPECT_EQ(logits, std::vector<float>(1000, 42.0f));
  }

  FakeFolder folder;
  Model model = folder.load();
};

TEST_F(SessionTest, RefusesBeforeItComputes) {
  Session session = makeSession(model.get(), {.slots = 2, .length = 5});
  feed(session.get(), 0, {1, 2});
  int64_t steps = folder.global<int64_t>("fake_steps");
  const int32_t good[] = {1, 2, 3, 4, 5, 6}, above[] = {1, 7},
                below[] = {1, -1};
  ds_feed fine = {1, good, 2, DS_LOGITS_ALL, 0};
  refused(session.get(), {fine, {2, good, 1, 0, 0}}, DS_ERROR_INDEX,
          "slot 2: the session has 2");
  refused(session.get(), {fine, {-1, good, 1, 0, 0}}, DS_ERROR_INDEX,
          "slot -1: the session has 2");
  refused(session.get(), {fine, fine}, DS_ERROR_INDEX,
          "slot 1: fed twice in one call");
  refused(session.get(), {fine, {0, above, 2, 0, 0}}, DS_ERROR_INDEX,
          "slot 0: token 1 is 7, the vocabulary ends at 6");
  refused(session.get(), {fine, {0, below, 2, 0, 0}}, DS_ERROR_INDEX,
          "slot 0: token 1 is -1");
  refused(session.get(), {fine, {0, good, 4, 0, 0}}, DS_ERROR_CAPACITY,
          "slot 0: 4 tokens do not fit behind 2 in a cache of 5");
  refused(session.get(), {fine, {0, good, 0, 0, 0}}, DS_ERROR_ARGUMENT,
          "no tokens");
  refused(session.get(), {fine, {0, nullptr, 1, 0, 0}}, DS_ERROR_ARGUMENT,
          "no tokens");
  refused(session.get(), {fine, {0, good, 1, 3, 0}}, DS_ERROR_ARGUMENT,
          "no such choice of logits");
  refused(session.get(), {fine}, DS_ERROR_ARGUMENT,
          "2 rows of logits need room for 14 floats", 13);
  EXPECT_EQ(folder.global<int64_t>("fake_steps"), steps);
  EXPECT_EQ(ds_session_length(session.get(), 0), 2);
  EXPECT_EQ(ds_session_length(session.get(), 1), 0);
  EXPECT_EQ(ds_session_length(session.get(), 2), -1);
}

TEST_F(SessionTest, RefusesOptions) {
  auto create = [&](ds_session_options options) {
    ds_session_t *session = nullptr;
    ds_result result = ds_session_create(model.get(), &options, &session);
    ds_session_free(session);
    return result;
  };
  EXPECT_EQ(create({.slots = -1}), DS_ERROR_ARGUMENT);
  EXPECT_EQ(create({.length = -1}), DS_ERROR_ARGUMENT);
  EXPECT_EQ(create({.chunk = -1}), DS_ERROR_ARGUMENT);
  EXPECT_EQ(create({.threads = -1}), DS_ERROR_ARGUMENT);
  EXPECT_EQ(create({.slots = INT64_MAX}), DS_ERROR_ARGUMENT);
  EXPECT_EQ(create({.slots = 1 << 20, .length = INT32_MAX}), DS_ERROR_MEMORY);
  EXPECT_EQ(create({}), DS_OK);
  folder.setFault("unknown length");
  model = folder.load();
  EXPECT_EQ(create({}), DS_ERROR_ARGUMENT);
  EXPECT_STREQ(ds_last_error(),
               "the model states no longest sequence; give a length");
  EXPECT_EQ(create({.length = 4}), DS_OK);
}

TEST_F(SessionTest, LengthMayExceedTheModels) {
  Session session = makeSession(model.get(), {.length = 100});
  feed(session.get(), 0, std::vector<int32_t>(100, 3));
  EXPECT_EQ(ds_session_length(session.get(), 0), 100);
}

TEST_F(SessionTest, RewindForgets) {
  Session session = makeSession(model.get(), {.poison_caches = 1});
  std::vector<float> first = feed(session.get(), 0, {1, 2, 3, 4});
  std::vector<float> other = feed(session.get(), 0, {5, 5});
  ASSERT_EQ(ds_session_rewind(session.get(), 0, 2), DS_OK);
  EXPECT_EQ(ds_session_length(session.get(), 0), 2);
  std::vector<float> again = feed(session.get(), 0, {3, 4});
  EXPECT_EQ(again,
            std::vector<float>(first.begin() + 2 * vocabulary, first.end()));
  EXPECT_EQ(feed(session.get(), 0, {5, 5}), other);
  ASSERT_EQ(ds_session_rewind(session.get(), 0, 0), DS_OK);
  EXPECT_EQ(feed(session.get(), 0, {1, 2, 3, 4}), first);
  EXPECT_EQ(ds_session_rewind(session.get(), 0, 5), DS_ERROR_ARGUMENT);
  EXPECT_STREQ(ds_last_error(), "slot 0 holds 4 tokens, not 5");
  EXPECT_EQ(ds_session_rewind(session.get(), 0, -1), DS_ERROR_ARGUMENT);
  EXPECT_EQ(ds_session_rewind(session.get(), 1, 0), DS_ERROR_INDEX);
  EXPECT_EQ(ds_session_length(session.get(), 0), 4);
}

TEST_F(SessionTest, BatchesAndChunks) {
  const std::vector<std::vector<int32_t>> texts = {
      {1, 2, 3, 4, 5, 6, 1}, {6}, {2, 2, 2, 5}};
  std::vector<float> alone, aloneHidden;
  for (const std::vector<int32_t> &text : texts) {
    Session session = makeSession(model.get(), {});
    std::vector<float> one = feed(session.get(), 0, text);
    alone.insert(alone.end(), one.begin(), one.end());
    for (size_t i = 0; i < text.size(); ++i) {
      aloneHidden.push_back(float(text[i]));
      aloneHidden.push_back(float(i));
    }
  }
  for (int64_t chunk : {1, 2, 3, 5, 7, 12, 100}) {
    Session session = makeSession(
        model.get(),
        {.slots = 3, .chunk = chunk, .threads = 2, .poison_caches = 1});
    folder.global<int64_t>("fake_most_tokens") = 0;
    std::vector<ds_feed> feeds;
    for (size_t i = 0; i < texts.size(); ++i)
      feeds.push_back({int64_t(2 - i), texts[i].data(),
                       int64_t(texts[i].size()), DS_LOGITS_ALL, 0});
    std::vector<float> logits(alone.size()), hidden(aloneHidden.size());
    ASSERT_EQ(ds_session_feed(session.get(), feeds.data(), 3, logits.data(),
                              int64_t(logits.size()), hidden.data()),
              DS_OK);
    EXPECT_EQ(logits, alone) << chunk;
    EXPECT_EQ(hidden, aloneHidden) << chunk;
    EXPECT_LE(folder.global<int64_t>("fake_most_tokens"), chunk);
    EXPECT_EQ(folder.global<int32_t>("fake_threads"), 2);
    // The caches hold what the tokens left, slot by slot.
    std::vector<float> values(14);
    ASSERT_EQ(ds_session_read_cache(session.get(), 2, 0, values.data(), 14),
              DS_OK);
    EXPECT_EQ(values, std::vector<float>(aloneHidden.begin(),
                                         aloneHidden.begin() + 14));
    EXPECT_EQ(ds_session_read_cache(session.get(), 2, 0, values.data(), 13),
              DS_ERROR_ARGUMENT);
    EXPECT_EQ(ds_session_read_cache(session.get(), 3, 0, values.data(), 14),
              DS_ERROR_INDEX);
    EXPECT_EQ(ds_session_read_cache(session.get(), 2, 1, values.data(), 14),
              DS_ERROR_INDEX);
  }
}

TEST_F(SessionTest, AFailedStepLeavesTheLengths) {
  Session session = makeSession(model.get(), {.slots = 2, .chunk = 2});
  std::vector<float> first = feed(session.get(), 0, {1, 2});
  const int32_t tokens[] = {3, 4, 5, 6, 1};
  ds_feed feeds[] = {{1, tokens, 3, DS_LOGITS_NONE, 0},
                     {0, tokens, 5, DS_LOGITS_NONE, 0}};
  folder.global<int64_t>("fake_fails_at") = 3;
  EXPECT_EQ(ds_session_feed(session.get(), feeds, 2, nullptr, 0, nullptr),
            DS_ERROR_INDEX);
  EXPECT_NE(std::string(ds_last_error()).find("model 'fake': an index"),
            std::string::npos);
  EXPECT_EQ(ds_session_length(session.get(), 0), 2);
  EXPECT_EQ(ds_session_length(session.get(), 1), 0);
  // The same again, and as if nothing had been.
  EXPECT_EQ(ds_session_feed(session.get(), feeds, 2, nullptr, 0, nullptr),
            DS_OK);
  ASSERT_EQ(ds_session_rewind(session.get(), 0, 0), DS_OK);
  EXPECT_EQ(feed(session.get(), 0, {1, 2}), first);
}

TEST_F(SessionTest, LogitsOfSomeRows) {
  Session session = makeSession(model.get(), {.slots = 3, .chunk = 2});
  const int32_t a[] = {1, 2, 3}, b[] = {4, 5}, c[] = {6};
  ds_feed feeds[] = {{0, a, 3, DS_LOGITS_LAST, 0},
                     {1, b, 2, DS_LOGITS_NONE, 0},
                     {2, c, 1, DS_LOGITS_ALL, 0}};
  std::vector<float> logits(2 * vocabulary);
  ASSERT_EQ(ds_session_feed(session.get(), feeds, 3, logits.data(),
                            int64_t(logits.size()), nullptr),
            DS_OK);
  Session other = makeSession(model.get(), {.slots = 2});
  std::vector<float> expected = feed(other.get(), 0, {1, 2, 3}, DS_LOGITS_LAST);
  std::vector<float> last = feed(other.get(), 1, {6});
  expected.insert(expected.end(), last.begin(), last.end());
  EXPECT_EQ(logits, expected);
  // None at all.
  feeds[0] = {0, a, 3, DS_LOGITS_NONE, 0};
  EXPECT_EQ(ds_session_feed(session.get(), feeds, 1, nullptr, 0, nullptr),
            DS_OK);
  EXPECT_EQ(ds_session_feed(session.get(), nullptr, 0, nullptr, 0, nullptr),
            DS_OK);
}

TEST_F(SessionTest, OutlivesTheModel) {
  Session session = makeSession(model.get(), {});
  model.reset();
  feed(session.get(), 0, {1, 2, 3});
  EXPECT_EQ(ds_session_length(session.get(), 0), 3);
}

TEST_F(SessionTest, Costs) {
  EXPECT_EQ(ds_model_cache_bytes_per_token(model.get()), 8u);
  EXPECT_EQ(ds_model_weight_bytes_per_token(model.get()), 12u);
  EXPECT_EQ(ds_model_cache_bytes_per_token(nullptr), 0u);
  EXPECT_EQ(ds_model_draft_cache_bytes_per_token(model.get()), 8u);
  EXPECT_EQ(ds_model_draft_cache_bytes_per_token(nullptr), 0u);
}

} // namespace
