//===- RouterTest.cpp - loads and biases of a session's routers -----------===//
//
// On the fake model, where the token modulo 3 names the expert and the token is
// its weight.
//
//===----------------------------------------------------------------------===//
#include "FakeFolder.h"
#include "ds/ds_runtime.h"
#include "files/Safetensors.h"

#include <cmath>
#include <gtest/gtest.h>
#include <vector>

namespace {

using Counts = std::vector<int64_t>;

class RouterTest : public testing::Test {
protected:
  ds_result feed(const Session &session, int64_t slot,
                 const std::vector<int32_t> &tokens) {
    ds_feed one = {slot, tokens.data(), int64_t(tokens.size()), DS_LOGITS_NONE,
                   0};
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

  std::vector<float> bias(const Session &session, int64_t router = 0) {
    std::vector<float> values(3);
    EXPECT_EQ(ds_session_route_bias(session.get(), router, values.data(), 3),
              DS_OK)
        << ds_last_error();
    return values;
  }
  /// The first logit, of which the bias of expert 0 is a part.
  float logit(const Session &session) {
    std::vector<float> logits(7);
    int32_t token = 5;
    ds_feed feed = {0, &token, 1, DS_LOGITS_LAST, 0};
    EXPECT_EQ(ds_session_rewind(session.get(), 0, 0), DS_OK);
    EXPECT_EQ(
        ds_session_feed(session.get(), &feed, 1, logits.data(), 7, nullptr),
        DS_OK);
    return logits[0];
  }
  void write(const std::string &name, const std::string &tensor, DsType type,
             std::vector<int64_t> dims, std::vector<float> values) {
    files::SafetensorsWriter writer(name, {{tensor, type, dims}});
    writer.write(values.data(), values.size() * sizeof(float));
    writer.finish();
  }
  void refused(ds_result got, ds_result want, const std::string &text) {
    EXPECT_EQ(got, want);
    EXPECT_NE(std::string(ds_last_error()).find(text), std::string::npos)
        << ds_last_error();
  }

  FakeFolder folder;
  Model model = folder.load();
};

using Bias = std::vector<float>;

TEST_F(RouterTest, ABiasIsTheSessionsOwn) {
  Session session = makeSession(model.get(), {}),
          other = makeSession(model.get(), {});
  EXPECT_EQ(bias(session), Bias({0.25f, 1, 2}));
  EXPECT_EQ(logit(session), 0.25f);
  Bias changed = {-3, 0, 7};
  ASSERT_EQ(ds_session_set_route_bias(session.get(), 0, changed.data(), 3),
            DS_OK);
  EXPECT_EQ(bias(session), changed);
  EXPECT_EQ(logit(session), -3);
  EXPECT_EQ(bias(other), Bias({0.25f, 1, 2}));
  EXPECT_EQ(logit(other), 0.25f);
  EXPECT_EQ(logit(makeSession(model.get(), {})), 0.25f);
}

TEST_F(RouterTest, UpdatesByTheLoad) {
  Session session = makeSession(model.get(), {});
  // Nothing counted, nothing moved.
  ASSERT_EQ(ds_update_route_bias(session.get(), 0.5f), DS_OK);
  EXPECT_EQ(bias(session), Bias({0.25f, 1, 2}));
  ASSERT_EQ(feed(session, 0, {0, 1, 1, 2, 1, 2}), DS_OK);
  ASSERT_EQ(ds_update_route_bias(session.get(), 0.5f), DS_OK);
  EXPECT_EQ(bias(session), Bias({0.75f, 0.5f, 2}));
  EXPECT_EQ(counts(session, 0), Counts({1, 3, 2}));
  ASSERT_EQ(ds_update_route_bias(session.get(), -0.25f), DS_OK);
  EXPECT_EQ(bias(session), Bias({0.5f, 0.75f, 2}));
}

TEST_F(RouterTest, SavesAndLoads) {
  Session session = makeSession(model.get(), {});
  Bias changed = {-3, 0, 7};
  ASSERT_EQ(ds_session_set_route_bias(session.get(), 0, changed.data(), 3),
            DS_OK);
  std::string path = folder.library() + ".bias";
  ASSERT_EQ(ds_session_save_route_bias(session.get(), path.c_str()), DS_OK)
      << ds_last_error();
  Session other = makeSession(model.get(), {});
  ASSERT_EQ(ds_session_load_route_bias(other.get(), path.c_str()), DS_OK)
      << ds_last_error();
  EXPECT_EQ(bias(other), changed);
  EXPECT_EQ(logit(other), -3);
}

TEST_F(RouterTest, RefusesFilesOfOtherModels) {
  Session session = makeSession(model.get(), {});
  std::string path = folder.library() + ".bias",
              name = "model.layers.0.mlp.gate.e_score_correction_bias";
  auto load = [&] {
    return ds_session_load_route_bias(session.get(), path.c_str());
  };
  refused(load(), DS_ERROR_FILE, path);
  write(path, "model.layers.1.mlp.gate.e_score_correction_bias", DS_TYPE_F32,
        {3}, {1, 2, 3});
  refused(load(), DS_ERROR_SHAPE, "tensor '" + name + "' [3] is missing");
  write(path, name, DS_TYPE_F32, {2}, {1, 2});
  refused(load(), DS_ERROR_SHAPE,
          "tensor '" + name + "' has shape [2], the layer has 3 experts");
  write(path, name, DS_TYPE_I32, {3}, {1, 2, 3});
  refused(load(), DS_ERROR_SHAPE, "has type I32, expected F32");
  write(path, name, DS_TYPE_F32, {3}, {1, NAN, 3});
  refused(load(), DS_ERROR_ARGUMENT,
          "the bias of expert 1 is no finite number");
  {
    files::SafetensorsWriter writer(
        path, {{name, DS_TYPE_F32, {3}}, {"x", DS_TYPE_F32, {1}}});
    writer.write(std::vector<float>(4).data(), 16);
    writer.finish();
  }
  refused(load(), DS_ERROR_FORMAT,
          "tensor 'x' is no routing bias of this model");
  EXPECT_EQ(bias(session), Bias({0.25f, 1, 2}));
}

TEST_F(RouterTest, RefusesBiases) {
  Session session = makeSession(model.get(), {});
  Bias values = {1, 2, INFINITY};
  auto set = [&](int64_t router, int64_t count) {
    return ds_session_set_route_bias(session.get(), router, values.data(),
                                     count);
  };
  refused(set(0, 3), DS_ERROR_ARGUMENT,
          "layer 0: the bias of expert 2 is no finite number");
  refused(set(0, 2), DS_ERROR_SHAPE, "layer 0 has 3 experts, not 2");
  refused(set(1, 3), DS_ERROR_UNSUPPORTED,
          "layer 1 of the model routes without a bias that could change");
  refused(set(2, 3), DS_ERROR_INDEX, "there is no router 2; the model has 2");
  refused(ds_session_route_bias(session.get(), 0, values.data(), 2),
          DS_ERROR_ARGUMENT, "the bias needs room for 3 floats");
  refused(ds_update_route_bias(session.get(), NAN), DS_ERROR_ARGUMENT,
          "gamma is no finite number");
  refused(ds_update_route_bias(nullptr, 1), DS_ERROR_ARGUMENT,
          "session is null");
}

TEST_F(RouterTest, NeedsABias) {
  model.reset();
  folder.setFault("no bias");
  model = folder.load();
  Session session = makeSession(model.get(), {});
  std::string path = folder.library() + ".bias";
  for (ds_result result :
       {ds_update_route_bias(session.get(), 1),
        ds_session_save_route_bias(session.get(), path.c_str()),
        ds_session_load_route_bias(session.get(), path.c_str())})
    refused(result, DS_ERROR_UNSUPPORTED, "has no router with a bias");
  EXPECT_EQ(logit(session), 0.25f);
}

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

TEST_F(RouterTest, KeepsWhatWasChosen) {
  for (int64_t chunk : {1, 2, 9}) {
    Session session = makeSession(model.get(), {.slots = 3,
                                                .length = 20,
                                                .chunk = chunk,
                                                .draft = 1,
                                                .keep_routes = 1});
    auto route = [&](int64_t slot) {
      size_t length = size_t(ds_session_length(session.get(), slot));
      std::vector<int32_t> experts(length);
      std::vector<float> weights(length);
      EXPECT_EQ(ds_session_read_route(session.get(), slot, 0, experts.data(),
                                      weights.data(), int64_t(length)),
                DS_OK)
          << ds_last_error();
      for (size_t i = 0; i < length; ++i)
        EXPECT_EQ(experts[i], int32_t(weights[i]) % 3);
      return weights;
    };
    std::vector<int32_t> one = {1, 2, 3, 4, 5}, two = {6, 6};
    ds_feed feeds[] = {{2, one.data(), 5, DS_LOGITS_NONE, 0},
                       {0, two.data(), 2, DS_LOGITS_NONE, 0}};
    ASSERT_EQ(ds_session_feed(session.get(), feeds, 2, nullptr, 0, nullptr),
              DS_OK);
    EXPECT_EQ(route(2), std::vector<float>({1, 2, 3, 4, 5}));
    EXPECT_EQ(route(0), std::vector<float>({6, 6}));
    EXPECT_EQ(route(1), std::vector<float>());
    // Drafts choose, too, but not for the text.
    std::vector<float> logits(7);
    ds_draft draft = {2, 6};
    ASSERT_EQ(ds_session_draft(session.get(), &draft, 1, logits.data(), 7),
              DS_OK);
    EXPECT_EQ(route(2), std::vector<float>({1, 2, 3, 4, 5}));
    ASSERT_EQ(ds_session_rewind(session.get(), 2, 2), DS_OK);
    ASSERT_EQ(feed(session, 2, {0, 6}), DS_OK);
    EXPECT_EQ(route(2), std::vector<float>({1, 2, 0, 6}));
  }
}

TEST_F(RouterTest, RefusesToReadRoutes) {
  Session kept = makeSession(model.get(), {.keep_routes = 1}),
          other = makeSession(model.get(), {});
  ASSERT_EQ(feed(kept, 0, {1, 2}), DS_OK);
  ASSERT_EQ(feed(other, 0, {1, 2}), DS_OK);
  int32_t experts[2];
  float weights[2];
  auto read = [&](const Session &session, int64_t slot, int64_t router,
                  int64_t capacity) {
    return ds_session_read_route(session.get(), slot, router, experts, weights,
                                 capacity);
  };
  EXPECT_EQ(read(kept, 0, 0, 2), DS_OK);
  refused(read(other, 0, 0, 2), DS_ERROR_UNSUPPORTED,
          "the session keeps no routes; set ds_session_options.keep_routes");
  refused(read(kept, 0, 1, 2), DS_ERROR_UNSUPPORTED,
          "what routers of drafts chose is not kept");
  refused(read(kept, 1, 0, 2), DS_ERROR_INDEX, "there is no slot 1");
  refused(read(kept, 0, 2, 2), DS_ERROR_INDEX,
          "there is no router 2; the model has 2");
  refused(read(kept, 0, 0, 1), DS_ERROR_ARGUMENT,
          "router 0 needs room for 2 choices");
  refused(read(kept, 0, 0, -1), DS_ERROR_ARGUMENT, "the capacity is negative");
  refused(ds_session_read_route(kept.get(), 0, 0, nullptr, weights, 2),
          DS_ERROR_ARGUMENT, "experts");
  refused(ds_session_read_route(nullptr, 0, 0, experts, weights, 2),
          DS_ERROR_ARGUMENT, "session");
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
