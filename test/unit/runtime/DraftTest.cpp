//===- DraftTest.cpp - the cache of drafts follows the text ---------------===//
//
// On the fake model, whose drafts are a hash of every pair in their cache: the
// same text gives the same drafts, however it came about.
//
//===----------------------------------------------------------------------===//
#include "FakeFolder.h"
#include "ds/ds_runtime.h"

#include <gtest/gtest.h>
#include <random>
#include <vector>

namespace {

constexpr int64_t vocabulary = 7;
using Text = std::vector<int32_t>;

class DraftTest : public testing::Test {
protected:
  void feed(const Session &session, int64_t slot, const Text &tokens) {
    ds_feed one = {slot, tokens.data(), int64_t(tokens.size()), DS_LOGITS_NONE,
                   0};
    ASSERT_EQ(ds_session_feed(session.get(), &one, 1, nullptr, 0, nullptr),
              DS_OK)
        << ds_last_error();
  }
  std::vector<float> draft(const Session &session,
                           std::vector<ds_draft> drafts) {
    std::vector<float> logits(drafts.size() * vocabulary, -1);
    EXPECT_EQ(ds_session_draft(session.get(), drafts.data(),
                               int64_t(drafts.size()), logits.data(),
                               int64_t(logits.size())),
              DS_OK)
        << ds_last_error();
    return logits;
  }
  /// What is drafted behind `text` and each of `tokens`, from a session that
  /// has seen nothing else.
  std::vector<float> expected(const Text &text, const Text &tokens) {
    Session fresh = makeSession(model.get(), {.length = 200, .draft = 1});
    feed(fresh, 0, text);
    std::vector<float> result;
    for (int32_t token : tokens) {
      std::vector<float> row = draft(fresh, {{0, token}});
      result.insert(result.end(), row.begin(), row.end());
    }
    return result;
  }
  void refused(const Session &session, std::vector<ds_draft> drafts,
               ds_result result, const std::string &text,
               int64_t capacity = 100) {
    std::vector<float> logits(100, 42.0f);
    EXPECT_EQ(ds_session_draft(session.get(), drafts.data(),
                               int64_t(drafts.size()), logits.data(), capacity),
              result);
    EXPECT_EQ(ds_last_error(), text);
    EXPECT_EQ(logits, std::vector<float>(100, 42.0f));
  }

  FakeFolder folder;
  Model model = folder.load();
};

/// With one layer for drafts, two, and three.
class DraftLayersTest : public DraftTest,
                        public testing::WithParamInterface<int> {
protected:
  DraftLayersTest() {
    if (layers == 1)
      return;
    model.reset();
    folder.setFault(layers == 2 ? "two draft layers" : "three draft layers");
    model = folder.load();
  }
  /// What is drafted behind `text` and each of `guesses`, by what a layer is:
  /// layer k has, of every token i of the text, the state that layer k - 1 gave
  /// of it with token i + k + 1; the last goes on by its own states.
  std::vector<float> defined(Text text, const Text &guesses) {
    size_t length = text.size(), drafted = 0;
    text.insert(text.end(), guesses.begin(), guesses.end());
    std::vector<float> logits;
    Text states(text.begin(), text.begin() + long(length));
    for (int k = 0; k < layers && drafted < guesses.size(); ++k) {
      uint32_t hash = 2166136261u + uint32_t(k);
      auto pair = [&](int32_t state, int32_t token) {
        hash = (hash ^ uint32_t(state)) * 16777619u;
        hash = (hash ^ uint32_t(token)) * 16777619u;
        return int32_t(hash & 0xffff);
      };
      auto row = [&] {
        for (int v = 0; v < vocabulary; ++v)
          logits.push_back(float(hash >> (4 * v) & 15));
        ++drafted;
      };
      for (size_t i = 0; i < length; ++i)
        states[i] = pair(states[i], text[i + size_t(k) + 1]);
      row();
      int32_t state = states.back();
      while (k + 1 == layers && drafted < guesses.size()) {
        state = pair(state, guesses[drafted]);
        row();
      }
    }
    return logits;
  }
  int layers = GetParam();
};
INSTANTIATE_TEST_SUITE_P(Layers, DraftLayersTest, testing::Values(1, 2, 3));

TEST_F(DraftTest, EveryPairCounts) {
  EXPECT_NE(expected({1, 2, 3}, {4}), expected({2, 2, 3}, {4}));
  EXPECT_NE(expected({1, 2, 3}, {4}), expected({1, 2, 3}, {5}));
  EXPECT_NE(expected({1, 2, 3}, {4, 5}), expected({1, 2, 3}, {4, 6}));
}

TEST_P(DraftLayersTest, DraftsAreThoseOfTheText) {
  std::mt19937 random(1);
  auto below = [&](size_t end) { return size_t(random() % end); };
  auto some = [&](size_t most) {
    Text tokens(1 + below(most));
    for (int32_t &token : tokens)
      token = int32_t(below(size_t(vocabulary)));
    return tokens;
  };
  for (int64_t chunk : {1, 5, 200}) {
    Session session = makeSession(model.get(), {.slots = 2,
                                                .length = 200,
                                                .chunk = chunk,
                                                .poison_caches = 1,
                                                .draft = 1});
    Text texts[2];
    for (int round = 0; round < 300; ++round) {
      int64_t slot = int64_t(below(2));
      Text &text = texts[slot];
      if (!text.empty() && below(3) == 0) {
        size_t length =
            below(3) ? text.size() - below(std::min(text.size(), size_t(6)))
                     : below(text.size() + 1);
        ASSERT_EQ(ds_session_rewind(session.get(), slot, int64_t(length)),
                  DS_OK);
        text.resize(length);
      }
      Text guesses = some(5);
      if (!text.empty()) {
        std::vector<float> want = defined(text, guesses), got;
        for (int32_t token : guesses) {
          std::vector<float> row = draft(session, {{slot, token}});
          got.insert(got.end(), row.begin(), row.end());
        }
        ASSERT_EQ(got, want) << "round " << round << ", chunk " << chunk;
      }
      // Now and then the guess comes true.
      Text more = some(below(4) ? 4 : 60);
      if (below(2))
        more.insert(more.begin(), guesses.begin(), guesses.end());
      if (text.size() + more.size() > 190) {
        ASSERT_EQ(ds_session_rewind(session.get(), slot, 0), DS_OK);
        text.clear();
      }
      feed(session, slot, more);
      text.insert(text.end(), more.begin(), more.end());
      ASSERT_EQ(ds_session_length(session.get(), slot), int64_t(text.size()));
    }
  }
}

TEST_P(DraftLayersTest, SlotsTogether) {
  Session session =
      makeSession(model.get(), {.slots = 3, .length = 200, .draft = 1});
  const Text texts[] = {{1, 2, 3}, {4}, Text(50, 5)};
  for (int64_t slot = 0; slot < 3; ++slot)
    feed(session, slot, texts[slot]);
  std::vector<float> first = draft(session, {{2, 1}, {0, 2}, {1, 3}}),
                     second = draft(session, {{1, 4}, {2, 5}});
  auto row = [](const std::vector<float> &rows, size_t i) {
    auto begin = rows.begin() + long(i) * vocabulary;
    return std::vector<float>(begin, begin + vocabulary);
  };
  EXPECT_EQ(row(first, 1), expected(texts[0], {2}));
  EXPECT_EQ(row(first, 0), row(expected(texts[2], {1, 5}), 0));
  EXPECT_EQ(row(second, 1), row(expected(texts[2], {1, 5}), 1));
  EXPECT_EQ(row(second, 0), row(expected(texts[1], {3, 4}), 1));
}

/// Sequences that are at different layers share a call.
TEST_P(DraftLayersTest, SlotsAtDifferentDrafts) {
  Session session =
      makeSession(model.get(), {.slots = 3, .length = 200, .draft = 1});
  const Text texts[] = {{1, 2, 3}, {4}, Text(50, 5)};
  const Text guesses[] = {{1, 2, 3, 4}, {5, 6, 0, 1}, {2, 4, 6, 1}};
  std::vector<float> got[3];
  for (int64_t slot = 0; slot < 3; ++slot)
    feed(session, slot, texts[slot]);
  for (int64_t call = 0; call < 6; ++call) {
    std::vector<ds_draft> drafts;
    for (int64_t slot = 0; slot < 3; ++slot)
      if (call >= slot && call < slot + 4)
        drafts.push_back({slot, guesses[slot][size_t(call - slot)]});
    std::vector<float> rows = draft(session, drafts);
    for (size_t i = 0; i < drafts.size(); ++i)
      got[drafts[i].slot].insert(got[drafts[i].slot].end(),
                                 rows.begin() + long(i) * vocabulary,
                                 rows.begin() + long(i + 1) * vocabulary);
  }
  for (size_t slot = 0; slot < 3; ++slot)
    EXPECT_EQ(got[slot], defined(texts[slot], guesses[slot]));
}

/// While nothing is rewound far back, no token is computed twice, and the pair
/// that a draft was made of is not computed again.
TEST_F(DraftTest, CostsOneCallADraft) {
  Session session = makeSession(model.get(), {.length = 200, .draft = 1});
  feed(session, 0, Text(20, 1));
  int64_t &steps = folder.global<int64_t>("fake_steps"),
          &drafts = folder.global<int64_t>("fake_drafts");
  steps = drafts = 0;
  for (int64_t round = 0; round < 10; ++round) {
    draft(session, {{0, 2}});
    draft(session, {{0, 3}});
    feed(session, 0, {2, 3, 4});
    ASSERT_EQ(ds_session_rewind(session.get(), 0, 20 + 2 * (round + 1)), DS_OK);
  }
  EXPECT_EQ(steps, 10);
  EXPECT_EQ(drafts, 20);
}

TEST_F(DraftTest, AFailureChangesNothing) {
  Session session = makeSession(model.get(), {.length = 200, .draft = 1});
  feed(session, 0, {1, 2, 3});
  folder.global<int64_t>("fake_draft_fails_at") = 1;
  std::vector<float> logits(vocabulary);
  ds_draft one = {0, 4};
  EXPECT_EQ(ds_session_draft(session.get(), &one, 1, logits.data(), vocabulary),
            DS_ERROR_INDEX);
  EXPECT_EQ(draft(session, {one}), expected({1, 2, 3}, {4}));
  // In the middle of a feed, once in the layer of drafts, once in the model.
  for (const char *which : {"fake_draft_fails_at", "fake_fails_at"}) {
    folder.global<int64_t>(which) = 1;
    Text more(60, 5);
    ds_feed feeds = {0, more.data(), 60, DS_LOGITS_NONE, 0};
    EXPECT_EQ(ds_session_feed(session.get(), &feeds, 1, nullptr, 0, nullptr),
              DS_ERROR_INDEX);
    EXPECT_EQ(ds_session_length(session.get(), 0), 3);
    EXPECT_EQ(draft(session, {one}), expected({1, 2, 3}, {4}));
  }
}

TEST_F(DraftTest, Refuses) {
  Session session =
      makeSession(model.get(), {.slots = 2, .length = 4, .draft = 1});
  feed(session, 0, {1, 2, 3});
  refused(session, {{2, 1}}, DS_ERROR_INDEX, "slot 2: the session has 2");
  refused(session, {{0, 1}, {0, 1}}, DS_ERROR_INDEX,
          "slot 0: drafted twice in one call");
  refused(session, {{0, 1}, {1, 1}}, DS_ERROR_ARGUMENT,
          "slot 1: holds no tokens to draft from");
  refused(session, {{0, 7}}, DS_ERROR_INDEX,
          "slot 0: token 7, the vocabulary ends at 6");
  refused(session, {{0, 1}}, DS_ERROR_ARGUMENT,
          "1 rows of logits need room for 7 floats", 6);
  draft(session, {{0, 1}});
  draft(session, {{0, 1}});
  refused(session, {{0, 1}}, DS_ERROR_CAPACITY,
          "slot 0: no draft fits in a cache of 4");
  refused(makeSession(model.get(), {}), {{0, 1}}, DS_ERROR_UNSUPPORTED,
          "the session was created without drafts; set "
          "ds_session_options.draft");
}

TEST_F(DraftTest, NeedsALayer) {
  model.reset();
  folder.setFault("no drafts");
  model = folder.load();
  ds_session_options options = {.draft = 1};
  ds_session_t *session = nullptr;
  EXPECT_EQ(ds_session_create(model.get(), &options, &session),
            DS_ERROR_UNSUPPORTED);
  EXPECT_NE(std::string(ds_last_error())
                .find("has no layer that predicts tokens further on (MTP)"),
            std::string::npos)
      << ds_last_error();
}

} // namespace
