//===- Checkpoint.h - a Hugging Face checkpoint folder --------------------===//
//
// config.json, and where the bytes of every tensor are: in model.safetensors,
// else in the shards that model.safetensors.index.json names. Only headers are
// read; weights stay where they are. This library knows neither models' graphs
// nor LLVM.
//
//===----------------------------------------------------------------------===//
#ifndef LOWERING_CHECKPOINTTODS_CHECKPOINT_H
#define LOWERING_CHECKPOINTTODS_CHECKPOINT_H

#include "ds/model_abi.h"
#include "lowering/CheckpointToDs/ModelConfig.h"

#include <map>
#include <span>
#include <string>
#include <vector>

namespace checkpoint {

struct Tensor {
  DsType type;
  std::vector<int64_t> dims;
  /// Path of the file, and the range of its bytes.
  std::string file;
  uint64_t offset, bytes;
};

using Tensors = std::map<std::string, Tensor, std::less<>>;

struct Checkpoint {
  std::string folder;
  ModelConfig config;
  Tensors tensors;

  /// Opens a folder. Nothing after a failure, with one line in `error` that
  /// names the file: one that is missing or cannot be read, what
  /// readModelConfig() and readIndex() refuse, a damaged safetensors file, a
  /// tensor that the index looks for where it is not. A folder may be made of
  /// links (that of the Hugging Face cache is). `config`: the file to read
  /// instead of the folder's config.json, if not empty.
  static std::optional<Checkpoint> open(const std::string &folder,
                                        const std::string &config,
                                        std::string &error);
};

/// Reads model.safetensors.index.json: names of tensors to names of files,
/// which are plain names in the same folder. Nothing after a failure, with one
/// line in `error`.
std::optional<std::map<std::string, std::string>>
readIndex(std::string_view text, const std::string &where, std::string &error);

/// Where the tensors of one safetensors file lie, whose bytes are `bytes`.
/// False after a failure, with one line in `error`.
bool readTensors(std::span<const uint8_t> bytes, const std::string &file,
                 Tensors &tensors, std::string &error);

} // namespace checkpoint

#endif // LOWERING_CHECKPOINTTODS_CHECKPOINT_H
