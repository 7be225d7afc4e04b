//===- Link.h - LLVM dialect → shared library and weights -----*- C++ -*-===//
//
// The last step: machine code for each CPU variant, the descriptor of
// model_abi.h, the weights file, lld in process.
//
//===----------------------------------------------------------------------===//
#ifndef LOWERING_LINK_LINK_H
#define LOWERING_LINK_LINK_H

#include "mlir/IR/BuiltinOps.h"
#include <optional>
#include <string>
#include <vector>

namespace mlir::ds {

struct LinkOptions {
  /// The library to write. Its weights go to NAME.weights.safetensors beside
  /// it.
  std::string output;
  /// "fat", "native", "x86-64-v3" or "x86-64-v4".
  std::string cpu = "fat";
  /// Facts that the graph does not hold; 0, empty or −1 where unknown.
  std::string name;
  int64_t maxLength = 0;
  std::vector<int32_t> eosIds;
  int32_t bosId = -1;
  /// Texts of tokenizer.json and tokenizer_config.json.
  std::string tokenizer, tokenizerConfig;
  /// The options of the compilation, JSON.
  std::string optionsText = "{}";
};

/// One input or output of the graph, one cache, one parameter, as the
/// descriptor lists them: read from the functions before they are lowered.
struct EntryValue {
  std::string name;
  uint32_t type;
  std::vector<int64_t> dims;
  std::vector<std::string> dimNames;
};
struct EntryParameter {
  EntryValue value;
  /// Where the bytes are: ranges of files, or the bytes themselves.
  Attribute source;
  uint64_t bytes = 0, offset = 0, checksum = 0;
};
struct ModelDescription {
  bool isLanguageModel = false;
  std::vector<EntryValue> inputs, outputs, caches;
  std::vector<EntryParameter> parameters;
  int64_t vocabulary = 0, hiddenSize = 0, layers = 0;
};

/// Reads the description off `module`, which is at the level of linalg, before
/// ds-build-entries.
FailureOr<ModelDescription> describeModel(ModuleOp module);

/// Translates `module` (LLVM dialect), writes weights and library. On failure
/// after an error neither file is there.
LogicalResult linkModel(ModuleOp module, ModelDescription description,
                        const LinkOptions &options);

// Parts, in files of their own.

/// A set of CPU features that code is generated for.
struct CpuVariant {
  const char *name, *cpu, *features;
  /// As /proc/cpuinfo spells what the code needs.
  const char *required;
};
std::vector<CpuVariant> variantsFor(StringRef cpu);

/// Writes the parameters to `path` and fills in offsets and checksums.
LogicalResult writeWeights(Location loc, ModelDescription &description,
                           StringRef path, uint64_t &fileBytes);

} // namespace mlir::ds

#endif // LOWERING_LINK_LINK_H
