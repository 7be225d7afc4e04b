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
  size_t experts = 0;
  for (std::span<const DsRouter> routers :
       {std::span(m.routers, m.router_count),
        std::span(m.draft_routers, m.draft_router_count)})
    for (const DsRouter &router : routers) {
      all.push_back({&router, experts});
      experts += size_t(router.expert_count);
    }
  modelCount = m.router_count;
  modelLayers = m.layer_count;
  lastCall.resize(experts);
  for (const Router &router : all)
    pointers.push_back(lastCall.data() + router.first);
  counted.resize(experts + 2 * all.size());
  saved = counted;
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
    int64_t *facts = counted.data() + lastCall.size() + 2 * i;
    ++facts[0];
    for (size_t e = first; e < first + size_t(all[i].described->expert_count);
         ++e) {
      counted[e] += lastCall[e];
      facts[1] += lastCall[e] > 0;
    }
  }
}

void Routers::reset() { std::fill(counted.begin(), counted.end(), 0); }

ds_expert_load Routers::load(int64_t number) const {
  if (number < 0 || number >= int64_t(all.size()))
    throw Error(DS_ERROR_INDEX, "there is no router " + std::to_string(number) +
                                    "; the model has " +
                                    std::to_string(all.size()));
  const Router &router = all[size_t(number)];
  const int64_t *facts = counted.data() + lastCall.size() + 2 * number;
  return {router.described->layer, router.described->expert_count,
          counted.data() + router.first, facts[0], facts[1]};
}

} // namespace dsrt
