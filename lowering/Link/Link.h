//===- Link.h - LLVM dialect → shared library and weights -----*- C++ -*-===//
//
// The last step: machine code for each CPU variant, the descriptor of
// model_abi.h, the weights file, lld in process.
//
//===----------------------------------------------------------------------===//
#ifndef LOWERING_LINK_LINK_H
#define LOWERING_LINK_LINK_H

#include "lowering/LinalgToCPU/CpuVariant.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"
#include <optional>
#include <string>
#include <vector>

namespace mlir::ds {

struct LinkOptions {
  /// The library to write. Its weights go to NAME.weights.safetensors beside
  /// it.
  std::string output;
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
  int64_t multiplyAddsPerToken = 0, multiplyAddsPerLogits = 0;
};

/// Reads the description off `module`, which is at the level of linalg, before
/// ds-build-entries.
FailureOr<ModelDescription> describeModel(ModuleOp module);

/// The model's code for one kind of processor, in the LLVM dialect.
struct VariantCode {
  CpuVariant variant;
  OwningOpRef<ModuleOp> module;
};

/// Translates the code of all variants, best first, writes weights and library.
/// On failure after an error neither file is there.
LogicalResult linkModel(ArrayRef<VariantCode> code,
                        ModelDescription description,
                        const LinkOptions &options);

// Parts, in files of their own.

/// Writes the parameters to `path` and fills in offsets and checksums.
LogicalResult writeWeights(Location loc, ModelDescription &description,
                           StringRef path, uint64_t &fileBytes);

} // namespace mlir::ds

#endif // LOWERING_LINK_LINK_H
