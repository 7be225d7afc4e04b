//===- Checkpoint.cpp - a Hugging Face checkpoint folder ------------------===//
//
// See Checkpoint.h.
//
//===----------------------------------------------------------------------===//
#include "lowering/CheckpointToDs/Checkpoint.h"
#include "files/Error.h"
#include "files/Json.h"
#include "files/MappedFile.h"
#include "files/Safetensors.h"

#include <filesystem>

namespace checkpoint {

namespace {

using Json = nlohmann::json;
using Index = std::map<std::string, std::string>;

[[noreturn]] void fail(const std::string &what) {
  throw files::Error(files::Fault::Format, what);
}

Index parseIndex(std::string_view text, const std::string &where) {
  Json json = files::parseJsonObject(text, where, 4);
  auto names = json.find("weight_map");
  if (names == json.end() || !names->is_object())
    fail(where + ": 'weight_map' is missing or no object");
  Index index;
  for (const auto &[tensor, file] : names->items()) {
    std::string name = file.is_string() ? file.get<std::string>() : "";
    // A name only: an index cannot make us read elsewhere.
    if (name.empty() || name == "." || name == ".." ||
        name.find_first_of(std::string_view("/\\\0", 3)) != std::string::npos)
      fail(where + ": tensor " + files::shown(tensor) + " lies in " +
           files::shown(name) +
           ", which is not the plain name of a file in the same folder");
    index[tensor] = name;
  }
  return index;
}

std::string readText(const std::string &path) {
  files::MappedFile file(path);
  return {reinterpret_cast<const char *>(file.bytes().data()),
          file.bytes().size()};
}

Tensors parseTensors(std::span<const uint8_t> bytes, const std::string &path) {
  Tensors tensors;
  for (const files::SafetensorsEntry &entry :
       files::parseSafetensors(bytes, "'" + path + "'").entries)
    tensors[entry.name] = {entry.type, entry.dims, path, entry.offset,
                           entry.bytes};
  return tensors;
}

Tensors tensorsOf(const std::string &path) {
  return parseTensors(files::MappedFile(path).bytes(), path);
}

Checkpoint openFolder(const std::string &folder,
                      const std::string &configFile) {
  Checkpoint checkpoint;
  checkpoint.folder = folder;
  auto in = [&](const std::string &name) {
    return (std::filesystem::path(folder) / name).string();
  };
  std::string error;
  std::string config = configFile.empty() ? in("config.json") : configFile;
  std::optional<ModelConfig> read =
      readModelConfig(readText(config), "'" + config + "'", error);
  if (!read)
    fail(error);
  checkpoint.config = *read;

  // As transformers looks for them: one file first.
  std::string single = in("model.safetensors"),
              sharded = in("model.safetensors.index.json");
  std::error_code ignored;
  if (std::filesystem::exists(single, ignored)) {
    checkpoint.tensors = tensorsOf(single);
    return checkpoint;
  }
  if (!std::filesystem::exists(sharded, ignored))
    fail("'" + folder +
         "': neither model.safetensors nor model.safetensors.index.json is "
         "there; other formats of weights are not read");
  std::string where = "'" + sharded + "'";
  std::map<std::string, Tensors> shards;
  for (const auto &[name, file] : parseIndex(readText(sharded), where)) {
    auto shard = shards.find(file);
    if (shard == shards.end()) {
      if (!std::filesystem::exists(in(file), ignored))
        fail(where + ": tensor " + files::shown(name) + " lies in " +
             files::shown(file) + ", which is not in the folder");
      shard = shards.emplace(file, tensorsOf(in(file))).first;
    }
    auto tensor = shard->second.find(name);
    if (tensor == shard->second.end())
      fail(where + ": tensor " + files::shown(name) + " is not in " +
           files::shown(file) + ", where the index says it lies");
    checkpoint.tensors.emplace(name, tensor->second);
  }
  return checkpoint;
}

} // namespace

std::optional<Index> readIndex(std::string_view text, const std::string &where,
                               std::string &error) {
  try {
    return parseIndex(text, where);
  } catch (const files::Error &e) {
    error = e.what();
    return std::nullopt;
  }
}

bool readTensors(std::span<const uint8_t> bytes, const std::string &file,
                 Tensors &tensors, std::string &error) {
  try {
    tensors = parseTensors(bytes, file);
    return true;
  } catch (const files::Error &e) {
    error = e.what();
    return false;
  }
}

std::optional<Checkpoint> Checkpoint::open(const std::string &folder,
                                           const std::string &config,
                                           std::string &error) {
  try {
    return openFolder(folder, config);
  } catch (const files::Error &e) {
    error = e.what();
    return std::nullopt;
  }
}

} // namespace checkpoint
