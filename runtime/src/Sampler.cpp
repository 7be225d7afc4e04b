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

float Sampler::penalised(float logit, size_t id) const {
  if (repeated.empty() || !repeated[id])
    return logit;
  return logit > 0 ? logit / options.repeat_penalty
                   : logit * options.repeat_penalty;
}

int32_t Sampler::sample(std::span<const float> logits,
                        std::span<const int32_t> history) {
  collect(logits, history);
  return draw();
}

void Sampler::collect(std::span<const float> logits,
                      std::span<const int32_t> history) {
  size_t count = logits.size();
  if (options.vocabulary > 0)
    count = std::min(count, size_t(options.vocabulary));
  bool penalise = options.repeat_penalty != 0 && options.repeat_penalty != 1;
  auto mark = [&](bool value) {
    if (penalise)
      for (int32_t id : history)
        if (id >= 0 && size_t(id) < count)
          repeated[size_t(id)] = value;
  };
  if (penalise && repeated.size() < count)
    repeated.resize(count, false);
  mark(true);
  candidates.clear();
  // The first of the largest; NaN is none.
  Candidate best = {0, -1, 0};
  for (size_t i = 0; i < count; ++i) {
    float logit = penalised(logits[i], i);
    if (std::isnan(logit))
      continue;
    if (best.id < 0 || logit > best.logit)
      best = {logit, int32_t(i), 0};
    if (options.temperature != 0)
      candidates.push_back({logit, int32_t(i), 0});
  }
  mark(false);
  if (best.id < 0)
    throw Error(DS_ERROR_ARGUMENT, "no logit is a number");
  // Where the largest is infinite, probabilities are not defined.
  if (options.temperature == 0 || std::isinf(best.logit)) {
    candidates.assign(1, {best.logit, best.id, 1});
    return;
  }
  if (options.top_k > 0 && size_t(options.top_k) < candidates.size())
    keepDownTo(lastOfTopK());
  for (Candidate &candidate : candidates)
    candidate.weight =
        std::exp((candidate.logit - best.logit) / options.temperature);
  if (options.top_p > 0 && options.top_p < 1)
    keepDownTo(lastOfTopP());
  if (options.min_p > 0) // the largest weight is 1
    std::erase_if(candidates, [&](const Candidate &candidate) {
      return candidate.weight < options.min_p;
    });
}

bool Sampler::checkDraft(std::span<const float> logits,
                         std::span<const float> draftLogits,
                         std::span<const int32_t> history, int32_t &token) {
  collect(draftLogits, history);
  drafted.swap(candidates);
  collect(logits, history);
  auto normalise = [](std::vector<Candidate> &all) {
    double sum = 0;
    for (const Candidate &candidate : all)
      sum += candidate.weight;
    for (Candidate &candidate : all)
      candidate.weight /= sum;
  };
  normalise(drafted);
  normalise(candidates);
  auto probability = [&](const std::vector<Candidate> &all) {
    auto found = std::lower_bound(all.begin(), all.end(), token,
                                  [](const Candidate &candidate, int32_t id) {
                                    return candidate.id < id;
                                  });
    return found != all.end() && found->id == token ? found->weight : 0;
  };
  double q = probability(drafted);
  if (q <= 0)
    throw Error(DS_ERROR_ARGUMENT,
                "token " + std::to_string(token) +
                    " cannot have been chosen from these draft logits");
  if (uniform() * q < probability(candidates))
    return true;
  auto other = drafted.begin();
  for (Candidate &candidate : candidates) {
    while (other != drafted.end() && other->id < candidate.id)
      ++other;
    if (other != drafted.end() && other->id == candidate.id)
      candidate.weight = std::max(candidate.weight - other->weight, 0.0);
  }
  token = draw();
  return false;
}

/// Drops all that are less likely than `last`.
void Sampler::keepDownTo(Candidate last) {
  std::erase_if(candidates, [&](const Candidate &candidate) {
    return better(last, candidate);
  });
}

Sampler::Candidate Sampler::lastOfTopK() {
  // A heap of K: nearly all others are compared once and left alone.
  scratch.resize(size_t(options.top_k));
  std::partial_sort_copy(candidates.begin(), candidates.end(), scratch.begin(),
                         scratch.end(), better);
  return scratch.back();
}

/// The last that the most likely need to reach P, by halving: linear in the
/// number of candidates, where sorting a flat distribution takes its time.
Sampler::Candidate Sampler::lastOfTopP() {
  scratch = candidates;
  double missing = 0;
  for (const Candidate &candidate : scratch)
    missing += candidate.weight;
  missing *= options.top_p;
  auto first = scratch.begin(), end = scratch.end();
  while (end - first > 1) {
    auto middle = first + (end - first) / 2;
    std::nth_element(first, middle, end, better);
    double upper = 0;
    for (auto it = first; it != middle; ++it)
      upper += it->weight;
    if (upper >= missing) {
      end = middle;
    } else {
      missing -= upper;
      first = middle;
    }
  }
  return *first;
}

int32_t Sampler::draw() {
  double sum = 0;
  for (const Candidate &candidate : candidates)
    sum += candidate.weight;
  double point = uniform() * sum;
  int32_t last = candidates.back().id;
  for (const Candidate &candidate : candidates) {
    if ((point -= candidate.weight) < 0)
      return candidate.id;
    if (candidate.weight > 0)
      last = candidate.id;
  }
  return last; // sums round
}

} // namespace dsrt
