//===- Pipelines.cpp - from a model file to each stage --------------------===//
#include "lowering/Pipelines.h"
#include "lowering/DsToLinalg/Passes.h"
#include "lowering/OnnxToDs/Passes.h"
#include "mlir/Pass/PassRegistry.h"
#include "mlir/Transforms/Passes.h"
#include "passes/Passes.h"

using namespace mlir;

void ds::buildRaisePipeline(OpPassManager &pm) {
  OpPassManager &function = pm.nest<func::FuncOp>();
  function.addPass(createCSEPass());
  // Transposes first: every pattern below expects them in one place.
  function.addPass(createSinkTransposes());
  function.addPass(createCSEPass());
  function.addPass(createRaiseLinear());
  function.addPass(createRaiseRmsNorm());
  function.addPass(createRaiseSwiglu());
  function.addPass(createRaiseRope());
  // After RoPE: a lookup of a cosine table is no embedding.
  function.addPass(createRaiseEmbedding());
  function.addPass(createRaiseAttention());
  // Raising puts transposes where its ops want them; most cancel.
  function.addPass(createSinkTransposes());
  function.addPass(createCanonicalizerPass());
  function.addPass(createCSEPass());
}

void ds::buildModelPipeline(OpPassManager &pm, const RaiseOptions &options) {
  pm.addPass(onnx::createConvertOnnxToDs());
  buildRaisePipeline(pm);
  if (options.mode != Mode::Graph) {
    FlattenTokensOptions flatten;
    flatten.cacheType = options.cacheType;
    pm.addPass(createFlattenTokens(flatten));
    pm.addPass(createCSEPass());
  }
  // Parameters that nothing reads any more (tables of positions, say).
  pm.addPass(createCanonicalizerPass());
  pm.addPass(createSymbolDCEPass());
}

void ds::registerPipelines() {
  registerDsToLinalgPasses();
  PassPipelineRegistration<>("ds-raise",
                             "tensor ops to the ops that models are made of",
                             buildRaisePipeline);
}
