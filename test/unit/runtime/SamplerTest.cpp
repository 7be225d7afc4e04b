//===- SamplerTest.cpp - what each option of sampling promises ------------===//
#include "FakeFolder.h"
#include "ds/ds_runtime.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <gtest/gtest.h>
#include <limits>
#include <map>
#include <random>
#include <set>

namespace {

Sampler make(ds_sampler_options options) {
  ds_sampler_t *sampler = nullptr;
  EXPECT_EQ(ds_sampler_create(&options, &sampler), DS_OK) << ds_last_error();
  return Sampler(sampler);
}

int32_t sample(const Sampler &sampler, const std::vector<float> &logits,
               const std::vector<int32_t> &history = {}) {
  int32_t token = -1;
  EXPECT_EQ(ds_sampler_sample(sampler.get(), logits.data(),
                              int64_t(logits.size()), history.data(),
                              int64_t(history.size()), &token),
            DS_OK)
      << ds_last_error();
  return token;
}

std::map<int32_t, double> frequencies(const Sampler &sampler,
                                      const std::vector<float> &logits,
                                      int count = 20000) {
  std::map<int32_t, double> result;
  for (int i = 0; i < count; ++i)
    result[sample(sampler, logits)] += 1.0 / count;
  return result;
}

const float nan = std::numeric_limits<float>::quiet_NaN();
const float infinity = std::numeric_limits<float>::infinity();

/// Logits whose probabilities at temperature 1 are 0.15, 0.5, 0.05, 0.3.
const std::vector<float> quarters = {std::log(0.15f), std::log(0.5f),
                                     std::log(0.05f), std::log(0.3f)};

TEST(Sampler, Greedy) {
  Sampler greedy = make({});
  EXPECT_EQ(sample(greedy, {1, 3, 2}), 1);
  EXPECT_EQ(sample(greedy, {1, 3, 3}), 1) << "the first of the largest";
  EXPECT_EQ(sample(greedy, {nan, -5, nan, -4}), 3);
  EXPECT_EQ(sample(greedy, {-infinity, -infinity}), 0);
  EXPECT_EQ(sample(greedy, {1, infinity, 2}), 1);
  ds_sampler_t *byDefault = nullptr;
  ASSERT_EQ(ds_sampler_create(nullptr, &byDefault), DS_OK);
  EXPECT_EQ(sample(Sampler(byDefault), {1, 3, 2}), 1);
  int32_t token = 77;
  float none[] = {nan, nan};
  EXPECT_EQ(ds_sampler_sample(greedy.get(), none, 2, nullptr, 0, &token),
            DS_ERROR_ARGUMENT);
  EXPECT_STREQ(ds_last_error(), "no logit is a number");
  EXPECT_EQ(token, 77);
}

TEST(Sampler, InfiniteLogits) {
  Sampler warm = make({.temperature = 1});
  for (int i = 0; i < 100; ++i) {
    EXPECT_EQ(sample(warm, {1, infinity, 2}), 1);
    EXPECT_EQ(sample(warm, {-infinity, 0, -infinity}), 1);
    EXPECT_EQ(sample(warm, {nan, 0, nan}), 1);
  }
}

TEST(Sampler, NeverAboveTheVocabulary) {
  std::vector<float> logits = {0, 0.1f, 0.2f, 100, infinity};
  EXPECT_EQ(sample(make({.vocabulary = 3}), logits), 2);
  for (ds_sampler_options options :
       {ds_sampler_options{.temperature = 5, .vocabulary = 3},
        ds_sampler_options{.temperature = 5, .top_k = 4, .vocabulary = 3},
        ds_sampler_options{
            .temperature = 5, .top_p = 0.999f, .vocabulary = 3}}) {
    std::map<int32_t, double> seen = frequencies(make(options), logits, 500);
    EXPECT_LT(seen.rbegin()->first, 3);
    EXPECT_EQ(seen.size(), 3u);
  }
}

TEST(Sampler, FollowsTheProbabilities) {
  std::map<int32_t, double> seen =
      frequencies(make({.temperature = 1, .seed = 5}), quarters);
  EXPECT_NEAR(seen[0], 0.15, 0.02);
  EXPECT_NEAR(seen[1], 0.5, 0.02);
  EXPECT_NEAR(seen[2], 0.05, 0.02);
  EXPECT_NEAR(seen[3], 0.3, 0.02);
  // Temperature 0.5 squares them: 0.25 / (0.0225 + 0.25 + 0.0025 + 0.09).
  EXPECT_NEAR(frequencies(make({.temperature = 0.5f}), quarters)[1], 0.685,
              0.02);
}

TEST(Sampler, TopK) {
  std::map<int32_t, double> seen =
      frequencies(make({.temperature = 1, .top_k = 2}), quarters);
  EXPECT_EQ(seen.size(), 2u);
  EXPECT_NEAR(seen[1], 0.5 / 0.8, 0.02);
  EXPECT_NEAR(seen[3], 0.3 / 0.8, 0.02);
  EXPECT_EQ(frequencies(make({.temperature = 9, .top_k = 1}), quarters, 100)
                .begin()
                ->first,
            1);
  EXPECT_EQ(frequencies(make({.temperature = 1, .top_k = 99}), quarters).size(),
            4u);
}

TEST(Sampler, TopP) {
  auto kept = [](float p) {
    return frequencies(make({.temperature = 1, .top_p = p}), quarters).size();
  };
  EXPECT_EQ(kept(0.01f), 1u) << "always at least one";
  EXPECT_EQ(kept(0.49f), 1u);
  EXPECT_EQ(kept(0.51f), 2u);
  EXPECT_EQ(kept(0.79f), 2u);
  EXPECT_EQ(kept(0.81f), 3u);
  EXPECT_EQ(kept(0.96f), 4u);
  EXPECT_EQ(kept(1), 4u);
  EXPECT_EQ(kept(0), 4u) << "0 is off";
}

TEST(Sampler, MinP) {
  auto kept = [](float p) {
    return frequencies(make({.temperature = 1, .min_p = p}), quarters).size();
  };
  EXPECT_EQ(kept(0), 4u);
  EXPECT_EQ(kept(0.05f), 4u);
  EXPECT_EQ(kept(0.2f), 3u);
  EXPECT_EQ(kept(0.5f), 2u);
  EXPECT_EQ(kept(1), 1u);
}

/// Top-p keeps exactly the ids that a sort of everything keeps.
TEST(Sampler, TopPOfManyIsTheSortedPrefix) {
  std::mt19937 random(11);
  std::normal_distribution<float> normal(0, 3);
  for (float p : {0.3f, 0.9f, 0.999f}) {
    std::vector<float> logits(3000);
    for (float &logit : logits)
      logit = std::round(normal(random) * 8) / 8; // with many equals
    std::vector<int32_t> order(logits.size());
    for (size_t i = 0; i < order.size(); ++i)
      order[i] = int32_t(i);
    std::sort(order.begin(), order.end(), [&](int32_t a, int32_t b) {
      float left = logits[size_t(a)], right = logits[size_t(b)];
      return left != right ? left > right : a < b;
    });
    double sum = 0, reached = 0;
    for (float logit : logits)
      sum += std::exp(double(logit));
    std::set<int32_t> allowed;
    for (size_t i = 0; i < order.size() && reached < p * sum; ++i) {
      allowed.insert(order[i]);
      reached += std::exp(double(logits[size_t(order[i])]));
    }
    Sampler sampler = make({.temperature = 1, .top_p = p, .seed = 3});
    for (int i = 0; i < 2000; ++i)
      ASSERT_TRUE(allowed.count(sample(sampler, logits))) << p;
  }
}

TEST(Sampler, RepeatPenalty) {
  Sampler sampler = make({.repeat_penalty = 1.2f});
  EXPECT_EQ(sample(sampler, {2.0f, 1.9f}, {0}), 1) << "2 / 1.2 < 1.9";
  EXPECT_EQ(sample(sampler, {2.0f, 1.6f}, {0, 0, 0}), 0) << "once only";
  EXPECT_EQ(sample(sampler, {-1.0f, -1.1f}, {0}), 1) << "-1 * 1.2 < -1.1";
  EXPECT_EQ(sample(sampler, {2.0f, 1.9f}), 0) << "nothing is left behind";
  EXPECT_EQ(sample(sampler, {2.0f, 1.9f}, {-1, 99}), 0);
  EXPECT_EQ(sample(make({.repeat_penalty = 1}), {2.0f, 1.9f}, {0}), 0);
}

TEST(Sampler, SeedsDecide) {
  auto draw = [](uint64_t seed) {
    Sampler sampler = make({.temperature = 1, .seed = seed});
    std::vector<int32_t> ids;
    for (int i = 0; i < 50; ++i)
      ids.push_back(sample(sampler, quarters));
    return ids;
  };
  EXPECT_EQ(draw(1), draw(1));
  EXPECT_NE(draw(1), draw(2));
}

TEST(Sampler, RefusesOptions) {
  for (ds_sampler_options bad :
       {ds_sampler_options{.temperature = -1},
        ds_sampler_options{.temperature = nan},
        ds_sampler_options{.temperature = infinity},
        ds_sampler_options{.top_k = -1}, ds_sampler_options{.top_p = -0.1f},
        ds_sampler_options{.top_p = 1.1f}, ds_sampler_options{.min_p = 2},
        ds_sampler_options{.repeat_penalty = -1},
        ds_sampler_options{.vocabulary = -1}}) {
    ds_sampler_t *sampler = nullptr;
    EXPECT_EQ(ds_sampler_create(&bad, &sampler), DS_ERROR_ARGUMENT);
    EXPECT_EQ(sampler, nullptr);
  }
}

/// For people to look at: a step of a small model takes some milliseconds.
/// Chooses from `draftLogits`, and checks against `logits`: how often each
/// token comes out of it, and how often the draft held.
std::map<int32_t, double>
checkedFrequencies(const Sampler &sampler, const std::vector<float> &logits,
                   const std::vector<float> &draftLogits, double &held,
                   const std::vector<int32_t> &history = {},
                   int count = 20000) {
  std::map<int32_t, double> result;
  held = 0;
  for (int i = 0; i < count; ++i) {
    int32_t token = sample(sampler, draftLogits, history), holds = -1,
            draft = token;
    EXPECT_EQ(ds_sampler_check_draft(sampler.get(), logits.data(),
                                     draftLogits.data(), int64_t(logits.size()),
                                     history.data(), int64_t(history.size()),
                                     &token, &holds),
              DS_OK)
        << ds_last_error();
    EXPECT_TRUE(holds == 0 || (holds == 1 && token == draft));
    result[token] += 1.0 / count;
    held += holds * (1.0 / count);
  }
  return result;
}

/// Chi-square of `count` draws with `frequencies` where `expected` are the
/// probabilities; a token that has none must not have come.
double chiSquare(const std::map<int32_t, double> &frequencies,
                 const std::map<int32_t, double> &expected, int count = 20000) {
  double sum = 0;
  for (const auto &[token, probability] : expected) {
    auto found = frequencies.find(token);
    double had = found == frequencies.end() ? 0 : found->second;
    sum += count * (had - probability) * (had - probability) / probability;
  }
  for (const auto &[token, had] : frequencies)
    EXPECT_TRUE(expected.count(token)) << token;
  return sum;
}

/// Drafts leave the distribution as it is: chi-square with 3 degrees of freedom
/// stays below 16.27 in 999 of 1000 cases. Drafts that are taken as they come
/// do not.
TEST(Sampler, CheckedDraftsFollowTheProbabilities) {
  const std::map<int32_t, double> wanted = {
      {0, 0.15}, {1, 0.5}, {2, 0.05}, {3, 0.3}};
  const std::vector<float> others[] = {
      quarters, // holds always
      {std::log(0.4f), std::log(0.1f), std::log(0.4f), std::log(0.1f)},
      {0, 0, 0, 0},
      {9, 0, 0, 0},
      {-infinity, 0, -infinity, 0}};
  // Sum of min(p, q).
  const double overlap[] = {1, 0.15 + 0.1 + 0.05 + 0.1,
                            0.15 + 0.25 + 0.05 + 0.25, 0.15 + 3.7e-4,
                            0.5 + 0.3};
  for (size_t i = 0; i < std::size(others); ++i) {
    Sampler sampler = make({.temperature = 1, .seed = 5 + i});
    double held = 0;
    EXPECT_LT(chiSquare(checkedFrequencies(sampler, quarters, others[i], held),
                        wanted),
              16.27)
        << i;
    EXPECT_NEAR(held, overlap[i], 0.01) << i;
    if (i > 0)
      EXPECT_GT(chiSquare(frequencies(sampler, others[i]), wanted), 1000) << i;
  }
}

/// Options shape both distributions: top-k drops token 2 and 0 of the model's,
/// the penalty halves the logit of what the history has.
TEST(Sampler, CheckedDraftsUnderOptions) {
  double held = 0;
  Sampler two = make({.temperature = 1, .top_k = 2, .seed = 3});
  EXPECT_LT(chiSquare(checkedFrequencies(two, quarters, {3, 2, 1, 0}, held),
                      {{1, 0.625}, {3, 0.375}}),
            10.83);
  Sampler penalty = make({.temperature = 1, .seed = 4, .repeat_penalty = 2});
  const std::vector<float> logits = {2, 1, 0};
  double a = std::exp(1), b = std::exp(1), c = 1, sum = a + b + c;
  EXPECT_LT(chiSquare(checkedFrequencies(penalty, logits, {0, 1, 2}, held, {0}),
                      {{0, a / sum}, {1, b / sum}, {2, c / sum}}),
            13.82);
}

TEST(Sampler, GreedyDrafts) {
  Sampler greedy = make({});
  const float model[] = {1, 3, 2}, same[] = {0, 5, 1}, other[] = {9, 5, 1};
  int32_t token = 1, holds = -1;
  auto checkDraft = [&](const float *draft) {
    return ds_sampler_check_draft(greedy.get(), model, draft, 3, nullptr, 0,
                                  &token, &holds);
  };
  EXPECT_EQ(checkDraft(same), DS_OK);
  EXPECT_EQ(holds, 1);
  EXPECT_EQ(token, 1);
  token = 0;
  EXPECT_EQ(checkDraft(other), DS_OK);
  EXPECT_EQ(holds, 0);
  EXPECT_EQ(token, 1);
  token = 2;
  EXPECT_EQ(checkDraft(other), DS_ERROR_ARGUMENT);
  EXPECT_STREQ(ds_last_error(),
               "token 2 cannot have been chosen from these draft logits");
  EXPECT_EQ(checkDraft(nullptr), DS_ERROR_ARGUMENT);
  EXPECT_STREQ(ds_last_error(), "draft_logits is null");
}

TEST(Sampler, SpeedAtFullVocabulary) {
  std::mt19937 random(3);
  std::normal_distribution<float> normal(0, 3);
  std::vector<float> logits(129280);
  for (float &logit : logits)
    logit = normal(random);
  std::vector<int32_t> history(4096);
  for (int32_t &id : history)
    id = int32_t(random() % logits.size());
  std::pair<const char *, ds_sampler_options> cases[] = {
      {"greedy", {}},
      {"temperature", {.temperature = 1}},
      {"top-k 40", {.temperature = 1, .top_k = 40}},
      {"top-p 0.9", {.temperature = 1, .top_p = 0.9f}},
      {"all",
       {.temperature = 1,
        .top_k = 1000,
        .top_p = 0.95f,
        .min_p = 0.01f,
        .repeat_penalty = 1.1f}}};
  for (auto &[name, options] : cases) {
    Sampler sampler = make(options);
    sample(sampler, logits, history);
    auto start = std::chrono::steady_clock::now();
    for (int i = 0; i < 20; ++i)
      sample(sampler, logits, history);
    double seconds =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - start)
            .count() /
        20;
    std::printf("vocabulary 129280, %s: %.2f ms\n", name, seconds * 1e3);
  }
}

} // namespace
