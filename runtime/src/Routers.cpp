//===- Routers.cpp - what a session knows of a model's routers ------------===//
//
// See Routers.h.
//
//===----------------------------------------------------------------------===//
#include "Routers.h"
#include "Error.h"

#include <algorithm>

namespace dsrt {

Routers::Routers(const Model &model) {
  const DsModel &m = model.descriptor();
  for (std::span<const DsRouter> routers :
       {std::span(m.routers, m.router_count),
        std::span(m.draft_routers, m.draft_router_count)})
    for (const DsRouter &router : routers) {
      all.push_back({&router, loads.size()});
      loads.resize(loads.size() + size_t(router.expert_count));
    }
  modelCount = m.router_count;
  modelLayers = m.layer_count;
  for (const Router &router : all)
    lastCall.push_back({nullptr, nullptr, loads.data() + router.first});
  counted.resize(loads.size() + 2 * all.size());
  saved = counted;
}

void Routers::reserve(int64_t rows) {
  std::vector<size_t> first;
  size_t end = 0, most = 0;
  for (size_t i = 0; i < all.size(); ++i) {
    first.push_back(i == modelCount ? 0 : end);
    end = first.back() + size_t(rows * all[i].described->experts_per_token);
    most = std::max(most, end);
  }
  if (most <= experts.size())
    return;
  experts.resize(most);
  weights.resize(most);
  for (size_t i = 0; i < all.size(); ++i) {
    lastCall[i].weights = weights.data() + first[i];
    lastCall[i].experts = experts.data() + first[i];
  }
}

void Routers::keepRoutes(int64_t slots, int64_t length) {
  keptLength = length;
  for (Router &router : std::span(all).first(modelCount)) {
    size_t room = size_t(slots * length * router.described->experts_per_token);
    router.experts.resize(room);
    router.weights.resize(room);
  }
}

void Routers::keep(const StepBatch &batch) {
  if (!keptLength)
    return;
  for (size_t i = 0; i < modelCount; ++i) {
    int64_t k = all[i].described->experts_per_token;
    for (size_t j = 0; j < batch.slots.size(); ++j) {
      int64_t from = batch.rowStart[j] * k, count = batch.length(j) * k,
              to = (batch.slots[j] * keptLength + batch.past[j]) * k;
      std::copy_n(lastCall[i].experts + from, count,
                  all[i].experts.begin() + to);
      std::copy_n(lastCall[i].weights + from, count,
                  all[i].weights.begin() + to);
    }
  }
}

Routers::Range Routers::ofDrafts(size_t layer) const {
  auto drafts = std::span(all).subspan(modelCount);
  auto found = std::ranges::equal_range(
      drafts, uint64_t(modelLayers) + layer, {},
      [](const Router &router) { return uint64_t(router.described->layer); });
  size_t begin = modelCount + size_t(found.begin() - drafts.begin());
  return {begin, begin + found.size()};
}

void Routers::count(Range range) {
  for (size_t i = range.begin; i < range.end; ++i) {
    size_t first = all[i].first;
    int64_t *facts = counted.data() + loads.size() + 2 * i;
    ++facts[0];
    for (size_t e = first; e < first + size_t(all[i].described->expert_count);
         ++e) {
      counted[e] += loads[e];
      facts[1] += loads[e] > 0;
    }
  }
}

void Routers::reset() { std::fill(counted.begin(), counted.end(), 0); }

const Routers::Router &Routers::find(int64_t router) const {
  if (router < 0 || router >= int64_t(all.size()))
    throw Error(DS_ERROR_INDEX, "there is no router " + std::to_string(router) +
                                    "; the model has " +
                                    std::to_string(all.size()));
  return all[size_t(router)];
}

ds_expert_load Routers::load(int64_t number) const {
  const Router &router = find(number);
  const int64_t *facts = counted.data() + loads.size() + 2 * number;
  return {router.described->layer, router.described->expert_count,
          counted.data() + router.first, facts[0], facts[1]};
}

void Routers::read(int64_t slot, int64_t number, int64_t count,
                   std::span<int32_t> expertsOut,
                   std::span<float> weightsOut) const {
  const Router &router = find(number);
  if (!keptLength || size_t(number) >= modelCount)
    throw Error(DS_ERROR_UNSUPPORTED,
                keptLength ? "what routers of drafts chose is not kept"
                           : "the session keeps no routes; set "
                             "ds_session_options.keep_routes");
  int64_t k = router.described->experts_per_token, from = slot * keptLength * k;
  size_t values = size_t(count * k);
  if (expertsOut.size() < values || weightsOut.size() < values)
    throw Error(DS_ERROR_ARGUMENT, "router " + std::to_string(number) +
                                       " needs room for " +
                                       std::to_string(values) + " choices");
  std::copy_n(router.experts.begin() + from, values, expertsOut.begin());
  std::copy_n(router.weights.begin() + from, values, weightsOut.begin());
}

} // namespace dsrt
