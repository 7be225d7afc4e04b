//===- RouterTest.cpp - what a session counts of its routers --------------===//
//
// On the fake model, where the token modulo 3 names the expert.
//
//===----------------------------------------------------------------------===//
#include "FakeFolder.h"
#include "ds/ds_runtime.h"

#include <gtest/gtest.h>
#include <vector>

namespace {

using Counts = std::vector<int64_t>;

class RouterTest : public testing::Test {
protected:
  ds_result feed(const Session &session, int64_t slot,
                 const std::vector<int32_t> &tokens) {
    ds_feed one = {slot, tokens.data(), int64_t(tokens.size()), DS_LOGITS_NONE};
    return ds_session_feed(session.get(), &one, 1, nullptr, 0, nullptr);
  }
  ds_expert_load load(const Session &session, int64_t router) {
    ds_expert_load result = {};
    EXPECT_EQ(ds_session_expert_load(session.get(), router, &result), DS_OK)
        << ds_last_error();
    return result;
  }
  Counts counts(const Session &session, int64_t router) {
    ds_expert_load found = load(session, router);
    return Counts(found.load, found.load + found.expert_count);
  }

  FakeFolder folder;
  Model model = folder.load();
};

TEST_F(RouterTest, CountsEveryComputedToken) {
  Session session = makeSession(model.get(), {.slots = 2, .length = 20});
  ASSERT_EQ(ds_session_router_count(session.get()), 2);
  EXPECT_EQ(counts(session, 0), Counts({0, 0, 0}));
  ASSERT_EQ(feed(session, 0, {0, 1, 1, 3}), DS_OK);
  ds_expert_load first = load(session, 0);
  EXPECT_EQ(first.layer, 0);
  EXPECT_EQ(first.steps, 1);
  EXPECT_EQ(first.distinct, 2);
  EXPECT_EQ(counts(session, 0), Counts({2, 2, 0}));
  // What is rewound was computed all the same.
  ASSERT_EQ(ds_session_rewind(session.get(), 0, 1), DS_OK);
  ASSERT_EQ(feed(session, 1, {2}), DS_OK);
  EXPECT_EQ(counts(session, 0), Counts({2, 2, 1}));
  EXPECT_EQ(load(session, 0).steps, 2);
  EXPECT_EQ(load(session, 0).distinct, 3);
  // It has followed.
  EXPECT_EQ(first.load[2], 1);
  ASSERT_EQ(ds_session_reset_expert_load(session.get()), DS_OK);
  EXPECT_EQ(counts(session, 0), Counts({0, 0, 0}));
  EXPECT_EQ(load(session, 0).steps, 0);
  EXPECT_EQ(load(session, 0).distinct, 0);
}

TEST_F(RouterTest, CountsDoNotDependOnChunks) {
  for (int64_t chunk : {1, 2, 5}) {
    Session session =
        makeSession(model.get(), {.length = 20, .chunk = chunk, .threads = 1});
    ASSERT_EQ(feed(session, 0, {0, 1, 2, 3, 4}), DS_OK);
    EXPECT_EQ(counts(session, 0), Counts({2, 2, 1}));
    EXPECT_EQ(load(session, 0).steps, (5 + chunk - 1) / chunk);
    EXPECT_EQ(load(session, 0).distinct, chunk == 5 ? 3 : 5);
  }
}

TEST_F(RouterTest, CountsThePairsOfDrafts) {
  Session session = makeSession(model.get(), {.length = 200, .draft = 1});
  ASSERT_EQ(feed(session, 0, std::vector<int32_t>(60, 4)), DS_OK);
  // All pairs but the last, whose second token is not known.
  EXPECT_EQ(counts(session, 1), Counts({0, 59, 0}));
  EXPECT_EQ(load(session, 1).layer, 1);
  std::vector<float> logits(7);
  ds_draft draft = {0, 5};
  ASSERT_EQ(ds_session_draft(session.get(), &draft, 1, logits.data(), 7),
            DS_OK);
  EXPECT_EQ(counts(session, 1), Counts({0, 59, 1}));
  EXPECT_EQ(counts(session, 0), Counts({0, 60, 0}));
}

TEST_F(RouterTest, AFailedFeedCountsNothing) {
  Session session = makeSession(model.get(), {.length = 20, .chunk = 2});
  ASSERT_EQ(feed(session, 0, {1}), DS_OK);
  ds_expert_load before = load(session, 0);
  folder.global<int64_t>("fake_fails_at") = 2;
  EXPECT_EQ(feed(session, 0, {0, 1, 2}), DS_ERROR_INDEX);
  EXPECT_EQ(counts(session, 0), Counts({0, 1, 0}));
  EXPECT_EQ(load(session, 0).steps, 1);
  EXPECT_EQ(load(session, 0).load, before.load);
}

TEST_F(RouterTest, Refuses) {
  Session session = makeSession(model.get(), {});
  ds_expert_load result;
  for (int64_t router : {-1, 2}) {
    EXPECT_EQ(ds_session_expert_load(session.get(), router, &result),
              DS_ERROR_INDEX);
    EXPECT_EQ(ds_last_error(), "there is no router " + std::to_string(router) +
                                   "; the model has 2");
  }
  EXPECT_EQ(ds_session_expert_load(session.get(), 0, nullptr),
            DS_ERROR_ARGUMENT);
  EXPECT_EQ(ds_session_expert_load(nullptr, 0, &result), DS_ERROR_ARGUMENT);
  EXPECT_EQ(ds_session_reset_expert_load(nullptr), DS_ERROR_ARGUMENT);
}

} // namespace
