//===- Model.cpp - a loaded model -----------------------------------------===//

#include "Model.h"
#include "Cpu.h"
#include "ElfCheck.h"
#include "Error.h"

#include <nlohmann/json.hpp>

#include <cstdlib>
#include <dlfcn.h>
#include <filesystem>

namespace dsrt {

TensorList::~TensorList() {
  for (DsTensor &tensor : tensors)
    std::free(tensor.data);
}

void checkStatus(int32_t status, const char *what, const char *name) {
  if (status == DS_STATUS_OK)
    return;
  std::string where = std::string(what) + " '" + name + "'";
  switch (status) {
  case DS_STATUS_SHAPE:
    throw Error(DS_ERROR_SHAPE,
                where + ": sizes of the arguments do not fit the model or each "
                        "other");
  case DS_STATUS_INDEX:
    throw Error(DS_ERROR_INDEX,
                where + ": an index is outside its range, such as a position "
                        "behind the end of the model's tables");
  case DS_STATUS_CAPACITY:
    throw Error(DS_ERROR_CAPACITY,
                where + ": more tokens than the cache holds");
  case DS_STATUS_WORKSPACE:
    throw Error(DS_ERROR_MEMORY, where + ": the workspace is too small");
  case DS_STATUS_MEMORY:
    throw Error(DS_ERROR_MEMORY, where + ": out of memory");
  default:
    throw Error(DS_ERROR_ABI, where + ": unknown status " +
                                  std::to_string(status) + " from the model");
  }
}

//===----------------------------------------------------------------------===//
// Loading
//===----------------------------------------------------------------------===//

std::shared_ptr<const Model> Model::load(const std::string &path,
                                         const LoadOptions &options) {
  std::shared_ptr<Model> result(new Model);
  result->open(path);
  result->checkDescriptor();
  std::string cpu = options.cpu;
  if (cpu.empty())
    if (const char *environment = std::getenv("DS_CPU"))
      cpu = environment;
  result->chooseVariant(cpu);
  std::string folder =
      std::filesystem::path(result->libraryPath).parent_path().string();
  result->weights = Weights(*result->model, folder);
  if (options.verify)
    result->verify();
  return result;
}

Model::~Model() {
  if (library)
    dlclose(library);
}

void Model::open(const std::string &path) {
  std::error_code code;
  std::filesystem::path real = std::filesystem::canonical(path, code);
  if (code)
    throw Error(DS_ERROR_FILE, "'" + path + "': " + code.message());
  libraryPath = real.string();
  checkElfFile(libraryPath);
  library = dlopen(libraryPath.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!library)
    throw Error(DS_ERROR_FILE, std::string("cannot load: ") + dlerror());
  auto entry =
      reinterpret_cast<const DsModel *(*)()>(dlsym(library, DS_MODEL_SYMBOL));
  if (!entry)
    throw Error(DS_ERROR_ABI,
                "'" + path +
                    "': a shared library, but not a compiled model "
                    "(no symbol " DS_MODEL_SYMBOL ")");
  model = entry();
  if (!model || model->magic != DS_MAGIC)
    throw Error(DS_ERROR_ABI, "'" + path +
                                  "': not a compiled model (its "
                                  "descriptor has a wrong magic)");
  if (model->abi_version != DS_ABI_VERSION)
    throw Error(DS_ERROR_ABI, "'" + path + "': compiled for ABI version " +
                                  std::to_string(model->abi_version) +
                                  ", this runtime has version " +
                                  std::to_string(DS_ABI_VERSION) +
                                  "; compile the model again");
}

/// What the compiler promises about its descriptor. A model is code and could
/// do anything, but an unfinished or damaged file should say so here.
void Model::checkDescriptor() const {
  auto require = [&](bool holds, const std::string &what) {
    if (!holds)
      throw Error(DS_ERROR_ABI, "'" + libraryPath + "': descriptor: " + what);
  };
  const DsModel &m = *model;
  require(m.mode == DS_MODE_GRAPH || m.mode == DS_MODE_LANGUAGE_MODEL,
          "unknown mode " + std::to_string(m.mode));
  require(m.name && m.compiler && m.options, "a text is missing");
  require(m.variant_count && m.variants, "no code variant");
  require((m.inputs || !m.input_count) && (m.outputs || !m.output_count) &&
              (m.parameters || !m.parameter_count) &&
              (m.caches || !m.cache_count) &&
              (m.draft_caches || !m.draft_cache_count) &&
              (m.routers || !m.router_count) &&
              (m.draft_routers || !m.draft_router_count) &&
              (m.eos_ids || !m.eos_count),
          "a table is missing");
  for (uint32_t i = 0; i < m.variant_count; ++i) {
    const DsVariant &v = m.variants[i];
    require(v.name && v.features, "a variant without name or features");
    bool complete = m.mode == DS_MODE_GRAPH ? v.graph != nullptr
                                            : v.step && v.workspace_bytes;
    for (uint32_t k = 0; k < m.draft_count; ++k)
      complete = complete && v.drafts && v.drafts[k].draft &&
                 v.drafts[k].workspace_bytes;
    require(complete, std::string("variant '") + v.name + "' lacks an entry");
  }
  auto checkValue = [&](const DsValueInfo &value, const char *what) {
    require(value.name, std::string(what) + " without a name");
    require(files::typeBits(value.type) && value.rank <= DS_MAX_RANK,
            std::string(what) + " '" + value.name + "': bad type or rank");
    for (uint32_t d = 0; d < value.rank; ++d)
      require(value.dims[d] >= -1,
              std::string(what) + " '" + value.name + "': bad size");
  };
  for (uint32_t i = 0; i < m.input_count; ++i)
    checkValue(m.inputs[i], "input");
  for (uint32_t i = 0; i < m.output_count; ++i)
    checkValue(m.outputs[i], "output");
  for (uint32_t i = 0; i < m.parameter_count; ++i) {
    const DsParameter &p = m.parameters[i];
    require(p.name, "a parameter without a name");
    require(p.rank <= DS_MAX_RANK &&
                files::fileBytes(p.type, {p.dims, p.rank}) == p.bytes,
            std::string("parameter '") + p.name +
                "': its bytes do not fit its type and shape");
  }
  if (m.mode == DS_MODE_GRAPH)
    return;
  require(m.vocabulary > 0 && m.vocabulary <= INT32_MAX && m.hidden_size > 0 &&
              m.layer_count >= 0 && m.max_length >= 0 &&
              m.max_length <= INT32_MAX && m.mla_absorb_below >= 0,
          "facts of the language model are out of range");
  for (std::span<const DsCache> caches :
       {std::span(m.caches, m.cache_count),
        std::span(m.draft_caches, m.draft_cache_count)})
    for (const DsCache &c : caches)
      require(c.name && files::typeBits(c.type) >= 8 && c.heads > 0 &&
                  c.width > 0 &&
                  files::memoryBytes(c.type, std::to_array({c.heads, c.width})),
              "a cache has no name, type or size");
  bool hasBias = false;
  for (std::span<const DsRouter> routers :
       {std::span(m.routers, m.router_count),
        std::span(m.draft_routers, m.draft_router_count)})
    for (const DsRouter &router : routers) {
      require(router.expert_count > 0 && router.expert_count <= INT32_MAX,
              "a router has no experts");
      require(router.experts_per_token > 0 &&
                  router.experts_per_token <= router.expert_count,
              "a router chooses no experts, or more than it has");
      if (router.bias < 0)
        continue;
      hasBias = true;
      bool fits = router.bias < m.parameter_count &&
                  m.parameters[router.bias].type == DS_TYPE_F32 &&
                  m.parameters[router.bias].bytes ==
                      uint64_t(router.expert_count) * sizeof(float);
      require(fits, "the bias of a router is no parameter of its size");
    }
  for (uint32_t i = 0; i < m.variant_count; ++i)
    require(!hasBias || m.variants[i].update_route_bias,
            std::string("variant '") + m.variants[i].name +
                "' cannot move the biases of its routers");
}

void Model::chooseVariant(const std::string &cpu) {
  std::string all;
  for (uint32_t i = 0; i < model->variant_count; ++i) {
    const DsVariant &variant = model->variants[i];
    std::string missing = missingCpuFeatures(variant.features);
    if (cpu == variant.name || (cpu.empty() && missing.empty())) {
      if (!missing.empty())
        throw Error(DS_ERROR_CPU, "DS_CPU names variant '" + cpu +
                                      "', but this processor lacks " + missing);
      chosen = &variant;
      return;
    }
    all += std::string(all.empty() ? "" : "; ") + variant.name +
           (missing.empty() ? "" : " (needs " + missing + ")");
  }
  throw Error(DS_ERROR_CPU,
              "'" + libraryPath + "': " +
                  (cpu.empty()
                       ? "no code variant runs on this processor; it has: "
                       : "DS_CPU names variant '" + cpu +
                             "', which this model lacks; it has: ") +
                  all);
}

//===----------------------------------------------------------------------===//
// Description
//===----------------------------------------------------------------------===//

std::string Model::describe() const {
  using Json = nlohmann::ordered_json;
  const DsModel &m = *model;
  auto value = [](const DsValueInfo &v) {
    Json dims = Json::array();
    for (uint32_t d = 0; d < v.rank; ++d) {
      const char *name = v.dim_names[d];
      if (v.dims[d] >= 0)
        dims.push_back(v.dims[d]);
      else
        dims.push_back(name && *name ? name : "?");
    }
    return Json{
        {"name", v.name}, {"type", files::typeName(v.type)}, {"dims", dims}};
  };
  Json json;
  json["name"] = m.name;
  json["mode"] = isLanguageModel() ? "lm" : "graph";
  json["compiler"] = m.compiler;
  json["abi_version"] = m.abi_version;
  Json options = Json::parse(m.options, nullptr, /*allow_exceptions=*/false);
  json["options"] = options.is_discarded() ? Json(m.options) : options;
  json["slow_op_count"] = m.slow_op_count;
  json["variant"] = chosen->name;
  json["variants"] = Json::array();
  for (uint32_t i = 0; i < m.variant_count; ++i)
    json["variants"].push_back(
        {{"name", m.variants[i].name},
         {"features", m.variants[i].features},
         {"missing_here", missingCpuFeatures(m.variants[i].features)}});
  if (isLanguageModel()) {
    json["vocabulary"] = m.vocabulary;
    json["hidden_size"] = m.hidden_size;
    json["layer_count"] = m.layer_count;
    json["max_length"] = m.max_length;
    json["mla_absorb_below"] = m.mla_absorb_below;
    json["bos_id"] = m.bos_id < 0 ? Json(nullptr) : Json(m.bos_id);
    json["eos_ids"] = std::vector<int32_t>(m.eos_ids, m.eos_ids + m.eos_count);
    json["tokenizer"] = m.tokenizer_json != nullptr;
    json["draft_layers"] = m.draft_count;
    auto caches = [](std::span<const DsCache> described) {
      Json list = Json::array();
      for (const DsCache &cache : described)
        list.push_back({{"name", cache.name},
                        {"type", files::typeName(cache.type)},
                        {"layer", cache.layer},
                        {"heads", cache.heads},
                        {"width", cache.width}});
      return list;
    };
    json["caches"] = caches({m.caches, m.cache_count});
    json["draft_caches"] = caches({m.draft_caches, m.draft_cache_count});
    json["cache_bytes_per_token"] = cacheBytesPerToken();
    json["draft_cache_bytes_per_token"] = draftCacheBytesPerToken();
    auto routers = [](std::span<const DsRouter> described) {
      Json list = Json::array();
      for (const DsRouter &router : described)
        list.push_back({{"layer", router.layer},
                        {"experts", router.expert_count},
                        {"experts_per_token", router.experts_per_token}});
      return list;
    };
    json["routers"] = routers({m.routers, m.router_count});
    json["draft_routers"] = routers({m.draft_routers, m.draft_router_count});
  } else {
    json["inputs"] = Json::array();
    for (uint32_t i = 0; i < m.input_count; ++i)
      json["inputs"].push_back(value(m.inputs[i]));
    json["outputs"] = Json::array();
    for (uint32_t i = 0; i < m.output_count; ++i)
      json["outputs"].push_back(value(m.outputs[i]));
  }
  json["weights_file"] = m.weights_file ? Json(m.weights_file) : Json(nullptr);
  json["weights_embedded"] = m.embedded_weights != nullptr;
  json["weights_bytes"] = m.weights_bytes;
  json["parameters"] = Json::array();
  for (uint32_t i = 0; i < m.parameter_count; ++i) {
    const DsParameter &p = m.parameters[i];
    char checksum[17];
    std::snprintf(checksum, sizeof checksum, "%016llx",
                  static_cast<unsigned long long>(p.checksum));
    json["parameters"].push_back(
        {{"name", p.name},
         {"type", files::typeName(p.type)},
         {"dims", std::vector<int64_t>(p.dims, p.dims + p.rank)},
         {"offset", p.offset},
         {"bytes", p.bytes},
         {"xxh3", checksum}});
  }
  return json.dump(1, ' ', false, Json::error_handler_t::replace);
}

static uint64_t bytesPerToken(std::span<const DsCache> caches) {
  uint64_t bytes = 0;
  for (const DsCache &cache : caches)
    bytes += uint64_t(cache.heads) * uint64_t(cache.width) *
             files::typeBytesInMemory(cache.type);
  return bytes;
}

uint64_t Model::cacheBytesPerToken() const {
  return bytesPerToken({model->caches, model->cache_count});
}

uint64_t Model::draftCacheBytesPerToken() const {
  return bytesPerToken({model->draft_caches, model->draft_cache_count});
}

std::span<const DsCache> Model::draftCaches(size_t layer) const {
  std::span all(model->draft_caches, model->draft_cache_count);
  auto [begin, end] = std::ranges::equal_range(
      all, uint64_t(model->layer_count) + layer, {},
      [](const DsCache &cache) { return uint64_t(cache.layer); });
  return {begin, end};
}

//===----------------------------------------------------------------------===//
// Graph mode
//===----------------------------------------------------------------------===//

void Model::checkInputs(std::span<const DsTensor> inputs) const {
  const DsModel &m = *model;
  if (inputs.size() != m.input_count)
    throw Error(DS_ERROR_ARGUMENT,
                "the graph has " + std::to_string(m.input_count) + " inputs, " +
                    std::to_string(inputs.size()) + " were given");
  std::vector<std::pair<std::string_view, std::pair<int64_t, const char *>>>
      named;
  for (uint32_t i = 0; i < m.input_count; ++i) {
    const DsValueInfo &want = m.inputs[i];
    const DsTensor &got = inputs[i];
    auto fail = [&](const std::string &what) {
      throw Error(DS_ERROR_SHAPE,
                  std::string("input '") + want.name + "': " + what);
    };
    if (got.type != want.type)
      fail("the model takes " + std::string(files::typeName(want.type)) +
           ", this is " + std::string(files::typeName(got.type)));
    std::string expected = files::shapeText({want.dims, want.rank});
    if (got.rank != want.rank)
      fail("the model takes shape " + expected + ", this has rank " +
           std::to_string(got.rank));
    std::span<const int64_t> dims(got.dims, got.rank);
    std::optional<uint64_t> bytes = files::memoryBytes(got.type, dims);
    if (!bytes)
      fail("shape " + files::shapeText(dims) + " has no size");
    if (*bytes && !got.data)
      fail("no data");
    for (uint32_t d = 0; d < want.rank; ++d) {
      if (want.dims[d] >= 0 && want.dims[d] != got.dims[d])
        fail("the model takes shape " + expected + ", this is " +
             files::shapeText(dims));
      const char *name = want.dim_names[d];
      if (want.dims[d] >= 0 || !name || !*name)
        continue;
      bool known = false;
      for (auto &[other, size] : named) {
        if (other != name)
          continue;
        known = true;
        if (size.first != got.dims[d])
          fail(std::string("dimension '") + name + "' is " +
               std::to_string(got.dims[d]) + ", input '" + size.second +
               "' has " + std::to_string(size.first));
      }
      if (!known)
        named.push_back({name, {got.dims[d], want.name}});
    }
  }
}

TensorList Model::call(std::span<const DsTensor> inputs, int threads) const {
  if (isLanguageModel())
    throw Error(DS_ERROR_UNSUPPORTED, "'" + libraryPath +
                                          "' was compiled as a language model; "
                                          "--mode=graph makes a graph");
  checkInputs(inputs);
  TensorList outputs(model->output_count);
  DsGraphCall call = {parameters(), inputs.data(), outputs.data(), threads};
  int32_t status = chosen->graph(&call);
  if (status != DS_STATUS_OK)
    // The model has freed them.
    for (size_t i = 0; i < outputs.size(); ++i)
      outputs[i].data = nullptr;
  checkStatus(status, "graph", model->name);
  return outputs;
}

} // namespace dsrt
