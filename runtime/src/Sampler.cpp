//===- Sampler.cpp - chooses a token from logits --------------------------===//
#include "Sampler.h"
#include "Error.h"

#include <algorithm>
#include <cmath>

namespace dsrt {

Sampler::Sampler(const ds_sampler_options &given)
    : options(given), random(given.seed) {
  auto require = [](bool holds, const char *what) {
    if (!holds)
      throw Error(DS_ERROR_ARGUMENT, what);
  };
  require(std::isfinite(options.temperature) && options.temperature >= 0,
          "the temperature must be 0 or more");
  require(options.top_k >= 0, "top-k must be 0 or more");
  require(options.top_p >= 0 && options.top_p <= 1,
          "top-p must lie between 0 and 1");
  require(options.min_p >= 0 && options.min_p <= 1,
          "min-p must lie between 0 and 1");
  require(std::isfinite(options.repeat_penalty) && options.repeat_penalty >= 0,
          "the repetition penalty must be 0 or more");
  require(options.vocabulary >= 0, "the vocabulary must be 0 or more");
}

int32_t Sampler::sample(std::span<const float> logits,
                        std::span<const int32_t> history) {
  size_t count = logits.size();
  if (options.vocabulary > 0)
    count = std::min(count, size_t(options.vocabulary));
  repeated.assign(count, false);
  bool penalise = options.repeat_penalty != 0 && options.repeat_penalty != 1;
  if (penalise)
    for (int32_t id : history)
      if (id >= 0 && size_t(id) < count)
        repeated[size_t(id)] = true;
  candidates.clear();
  for (size_t i = 0; i < count; ++i) {
    float logit = logits[i];
    if (std::isnan(logit))
      continue;
    if (repeated[i])
      logit = logit > 0 ? logit / options.repeat_penalty
                        : logit * options.repeat_penalty;
    candidates.push_back({logit, int32_t(i)});
  }
  if (candidates.empty())
    throw Error(DS_ERROR_ARGUMENT, "no logit is a number");
  // The first of equals, whatever else is chosen.
  auto better = [](const Candidate &a, const Candidate &b) {
    return a.logit != b.logit ? a.logit > b.logit : a.id < b.id;
  };
  if (options.temperature == 0)
    return std::min_element(candidates.begin(), candidates.end(), better)->id;

  size_t kept = candidates.size();
  if (options.top_k > 0)
    kept = std::min(kept, size_t(options.top_k));
  std::partial_sort(candidates.begin(), candidates.begin() + long(kept),
                    candidates.end(), better);
  weights.clear();
  double sum = 0;
  for (size_t i = 0; i < kept; ++i) {
    weights.push_back(
        std::exp((double(candidates[i].logit) - candidates[0].logit) /
                 options.temperature));
    sum += weights.back();
  }
  if (options.top_p > 0 && options.top_p < 1) {
    double reached = 0;
    size_t i = 0;
    while (i < kept && reached < options.top_p * sum)
      reached += weights[i++];
    kept = std::max<size_t>(i, 1);
  }
  if (options.min_p > 0)
    while (kept > 1 && weights[kept - 1] < options.min_p * weights[0])
      --kept;
  sum = 0;
  for (size_t i = 0; i < kept; ++i)
    sum += weights[i];
  // 53 random bits, the same on every standard library.
  double point = double(random() >> 11) * 0x1p-53 * sum;
  for (size_t i = 0; i < kept; ++i)
    if ((point -= weights[i]) < 0)
      return candidates[i].id;
  return candidates[kept - 1].id;
}

} // namespace dsrt
