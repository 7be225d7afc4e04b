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

namespace llvm {
class Module;
class TargetMachine;
} // namespace llvm

namespace mlir::ds {

struct LinkOptions {
  /// The library to write. Its weights go to NAME.weights.safetensors beside
  /// it.
  std::string output;
  /// The weights go into the library instead.
  bool embedWeights = false;
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
  /// Read by draft entries alone.
  bool draftOnly = false;
  /// Where the bytes are: ranges of files, the bytes themselves, or how they
  /// are computed.
  Attribute source;
  uint64_t bytes = 0, offset = 0, checksum = 0;
};
/// What sends tokens to experts.
struct EntryRouter {
  int64_t layer, experts, expertsPerToken;
  /// The parameter that is its bias; empty if there is none.
  std::string bias;
};
/// The layer of a draft entry.
struct EntryDraft {
  std::vector<EntryValue> caches;
  std::vector<EntryRouter> routers;
};
struct ModelDescription {
  bool isLanguageModel = false;
  std::vector<EntryValue> inputs, outputs, caches;
  std::vector<EntryRouter> routers;
  std::vector<EntryDraft> drafts;
  bool hasRouteBias = false;
  std::vector<EntryParameter> parameters;
  int64_t vocabulary = 0, hiddenSize = 0, layers = 0, slowOps = 0;
  int64_t mlaAbsorbBelow = 0;
  int64_t multiplyAddsPerToken = 0, multiplyAddsPerLogits = 0,
          weightBytesPerToken = 0;
};

/// Reads the description off `module`, which is at the level of linalg, before
/// ds-build-entries.
FailureOr<ModelDescription> describeModel(ModuleOp module);

/// The parameters of `module` alone.
FailureOr<std::vector<EntryParameter>> describeParameters(ModuleOp module);

/// The model's code for one kind of processor, in the LLVM dialect.
struct VariantCode {
  CpuVariant variant;
  OwningOpRef<ModuleOp> module;
};

/// Computes the parameters that are expressions of others; ParameterProgram.h.
class ParameterProgram;

/// Translates the code of all variants, best first, writes weights and library.
/// `program` may be null if no parameter is computed. On failure after an error
/// neither file is there.
LogicalResult linkModel(ArrayRef<VariantCode> code,
                        ModelDescription description,
                        const ParameterProgram *program,
                        const LinkOptions &options);

/// The model's code for one kind of processor alone, as assembly or as an
/// object file: what the library is linked from, without descriptor and
/// weights.
LogicalResult emitMachineCode(const VariantCode &code, bool assembly,
                              SmallVectorImpl<char> &bytes);

/// Warns of every tensor in files, whose bytes the parameters of `module` are,
/// that holds a NaN. Reads them all. Fails after an error if one cannot be
/// read.
LogicalResult warnOfNan(ModuleOp module);

// Parts, in files of their own.

/// What LLVM needs to know before it makes code.
void initialiseTargets();
/// LLVM's own passes over `module`, as for a release build.
void optimise(llvm::Module &module, llvm::TargetMachine &machine);

/// Writes the parameters to `path` and fills in offsets and checksums.
LogicalResult writeWeights(Location loc, ModelDescription &description,
                           const ParameterProgram *program,
                           const std::string &path, uint64_t &fileBytes);

} // namespace mlir::ds

#endif // LOWERING_LINK_LINK_H
