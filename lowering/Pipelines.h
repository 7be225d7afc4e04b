//===- Pipelines.h - from a model file to each stage ----------*- C++ -*-===//
//
// The order in which passes run, in one place, for ds-compile, ds-opt and
// tests.
//
//===----------------------------------------------------------------------===//
#ifndef LOWERING_PIPELINES_H
#define LOWERING_PIPELINES_H

#include "lowering/LinalgToCPU/CpuVariant.h"
#include "lowering/Link/ParameterProgram.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/Pass/PassManager.h"

namespace mlir::ds {

enum class Mode { Auto, Graph, LanguageModel };

/// ds tensor ops → model ops: `--pass-pipeline="ds-raise"`.
void buildRaisePipeline(OpPassManager &pm);

/// onnx → ds → raised, and flattened to @step as the mode asks. `part`: the
/// option of ds-flatten-tokens.
void buildModelPipeline(OpPassManager &pm, Mode mode, StringRef part = "model");

/// What importCheckpoint() built → the same stage as buildModelPipeline().
void buildCheckpointPipeline(OpPassManager &pm);

struct OptimiseOptions {
  /// "fast" rounds activations to what the dot instruction of the weight's type
  /// wants, "exact" keeps them f32.
  std::string precision = "fast";
  /// What the weights of products become: "keep", "bf16", "int8" or "int4".
  std::string weightType = "keep";
  /// Element type of the caches of a language model: "f32", "bf16", or "auto":
  /// bf16 with "fast" where weights have 16 bits or fewer.
  std::string cacheType = "auto";
  /// New tokens of a sequence from which on latent attention expands keys and
  /// values: "auto", "inf" or a number.
  std::string mlaAbsorbBelow = "auto";
  /// Longest sequence of the model, 0 where it is not known.
  int64_t maxLength = 0;
};

/// Raised or flattened ops → those that are best computed at run time, and a
/// parameter program: `--pass-pipeline="ds-optimise"`.
void buildOptimisePipeline(OpPassManager &pm, const OptimiseOptions &options);

/// ds → linalg on tensors, as `variant` computes it.
/// With `requireFast` an op that no kernel takes is an error.
void buildLinalgPipeline(OpPassManager &pm, const CpuVariant &variant,
                         bool requireFast = false);

/// ds → scalar loops in f64, instead of it.
void buildReferencePipeline(OpPassManager &pm);

/// linalg on tensors → LLVM dialect.
void buildCpuPipeline(OpPassManager &pm, const CpuVariant &variant);

/// Lowers and compiles what takeParameterProgram returned, for this machine.
/// Null for null.
FailureOr<std::unique_ptr<ParameterProgram>>
compileParameterProgram(ModuleOp program);

/// What bufferization and translation need to know of upstream dialects.
void registerLoweringInterfaces(DialectRegistry &registry);

void registerPipelines();

} // namespace mlir::ds

#endif // LOWERING_PIPELINES_H
