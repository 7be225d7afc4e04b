//===- RouteBiases.cpp - the routing biases of a session ------------------===//
//
// See RouteBiases.h.
//
//===----------------------------------------------------------------------===//
#include "RouteBiases.h"
#include "Error.h"
#include "files/Safetensors.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <set>

namespace dsrt {

RouteBiases::RouteBiases(std::shared_ptr<const Model> model)
    : owner(std::move(model)) {
  const DsModel &m = owner->descriptor();
  for (std::span<const DsRouter> described :
       {std::span(m.routers, m.router_count),
        std::span(m.draft_routers, m.draft_router_count)})
    for (const DsRouter &router : described)
      routers.push_back(&router);
  pointers.assign(owner->parameters(), owner->parameters() + m.parameter_count);
  // Each on lines of 64 bytes of its own, as parameters lie in their file.
  auto room = [](const DsRouter &router) {
    return router.bias < 0 ? 0 : (size_t(router.expert_count) + 15) / 16 * 16;
  };
  size_t floats = 0;
  for (const DsRouter *router : routers)
    floats += room(*router);
  if (floats == 0) {
    values.resize(routers.size());
    return;
  }
  memory = allocateAligned(floats * sizeof(float), "routing biases");
  float *next = static_cast<float *>(memory.get());
  for (const DsRouter *router : routers) {
    values.push_back({});
    if (router->bias < 0)
      continue;
    values.back() = {next, size_t(router->expert_count)};
    std::memcpy(next, pointers[size_t(router->bias)],
                values.back().size_bytes());
    pointers[size_t(router->bias)] = next;
    next += room(*router);
  }
}

static std::string layerText(const DsRouter &router) {
  return "layer " + std::to_string(router.layer);
}

std::span<float> RouteBiases::find(int64_t router) const {
  if (router < 0 || router >= int64_t(routers.size()))
    throw Error(DS_ERROR_INDEX, "there is no router " + std::to_string(router) +
                                    "; the model has " +
                                    std::to_string(routers.size()));
  std::span<float> found = values[size_t(router)];
  if (found.empty())
    throw Error(DS_ERROR_UNSUPPORTED,
                layerText(*routers[size_t(router)]) +
                    " of the model routes without a bias that could change");
  return found;
}

std::span<const float> RouteBiases::operator[](int64_t router) const {
  return find(router);
}

void RouteBiases::checkNumbers(std::span<const float> numbers,
                               const std::string &where) const {
  for (size_t i = 0; i < numbers.size(); ++i)
    if (!std::isfinite(numbers[i]))
      throw Error(DS_ERROR_ARGUMENT, where + ": the bias of expert " +
                                         std::to_string(i) +
                                         " is no finite number");
}

void RouteBiases::set(int64_t router, std::span<const float> numbers) {
  std::span<float> mine = find(router);
  std::string where = layerText(*routers[size_t(router)]);
  if (numbers.size() != mine.size())
    throw Error(DS_ERROR_SHAPE, where + " has " + std::to_string(mine.size()) +
                                    " experts, not " +
                                    std::to_string(numbers.size()));
  checkNumbers(numbers, where);
  std::copy(numbers.begin(), numbers.end(), mine.begin());
}

void RouteBiases::requireAny() const {
  if (!memory)
    throw Error(DS_ERROR_UNSUPPORTED,
                "'" + owner->path() +
                    "' has no router with a bias (models of DeepSeek-V3's kind "
                    "have), so there is none to load, save or update");
}

void RouteBiases::update(const Routers &measured, float gamma) {
  requireAny();
  if (!std::isfinite(gamma))
    throw Error(DS_ERROR_ARGUMENT, "gamma is no finite number");
  // All of them, or none.
  std::vector<std::vector<float>> moved(routers.size());
  for (size_t i = 0; i < routers.size(); ++i) {
    if (values[i].empty())
      continue;
    ds_expert_load load = measured.load(int64_t(i));
    std::vector<int32_t> loads;
    for (int64_t count : std::span(load.load, values[i].size())) {
      if (count > INT32_MAX)
        throw Error(DS_ERROR_ARGUMENT,
                    layerText(*routers[i]) +
                        ": more than 2^31 - 1 tokens were counted; update "
                        "and reset the load more often");
      loads.push_back(int32_t(count));
    }
    moved[i].resize(values[i].size());
    DsRouteBiasCall call = {.expert_count = load.expert_count,
                            .bias = values[i].data(),
                            .loads = loads.data(),
                            .next = moved[i].data(),
                            .rate = gamma};
    checkStatus(owner->variant().update_route_bias(&call), "model",
                owner->descriptor().name);
  }
  for (size_t i = 0; i < routers.size(); ++i)
    std::copy(moved[i].begin(), moved[i].end(), values[i].begin());
}

//===----------------------------------------------------------------------===//
// Files
//===----------------------------------------------------------------------===//

/// The name that checkpoints of DeepSeek-V3 have for it.
static std::string tensorName(const DsRouter &router) {
  return "model.layers." + std::to_string(router.layer) +
         ".mlp.gate.e_score_correction_bias";
}

void RouteBiases::load(const std::string &path) {
  requireAny();
  files::SafetensorsFile file(path);
  std::set<std::string> known;
  std::vector<std::span<const float>> found(routers.size());
  for (size_t i = 0; i < routers.size(); ++i) {
    if (values[i].empty())
      continue;
    std::string name = tensorName(*routers[i]),
                where = "'" + path + "': tensor '" + name + "'";
    known.insert(name);
    auto fail = [&](const std::string &what) {
      throw Error(DS_ERROR_SHAPE, where + what);
    };
    const files::SafetensorsEntry *entry = file.header().find(name);
    std::vector<int64_t> dims = {int64_t(values[i].size())};
    if (!entry)
      fail(" " + files::shapeText(dims) + " is missing");
    if (entry->type != DS_TYPE_F32)
      fail(" has type " + std::string(files::typeName(entry->type)) +
           ", expected F32");
    if (entry->dims != dims)
      fail(" has shape " + files::shapeText(entry->dims) + ", the layer has " +
           std::to_string(values[i].size()) + " experts");
    found[i] = {static_cast<const float *>(file.data(*entry)),
                values[i].size()};
    checkNumbers(found[i], where);
  }
  for (const files::SafetensorsEntry &entry : file.header().entries)
    if (!known.contains(entry.name))
      throw Error(DS_ERROR_FORMAT, "'" + path + "': tensor '" + entry.name +
                                       "' is no routing bias of this model");
  for (size_t i = 0; i < routers.size(); ++i)
    std::copy(found[i].begin(), found[i].end(), values[i].begin());
}

void RouteBiases::save(const std::string &path) const {
  requireAny();
  std::vector<files::SafetensorsWriter::Spec> specs;
  for (size_t i = 0; i < routers.size(); ++i)
    if (!values[i].empty())
      specs.push_back(
          {tensorName(*routers[i]), DS_TYPE_F32, {int64_t(values[i].size())}});
  files::SafetensorsWriter writer(path, specs);
  for (std::span<const float> each : values)
    writer.write(each.data(), each.size_bytes());
  writer.finish();
}

} // namespace dsrt
