//===- Pipelines.cpp - from a model file to each stage --------------------===//
#include "lowering/Pipelines.h"
#include "lowering/DsToLinalg/Passes.h"
#include "lowering/DsToReference/Passes.h"
#include "lowering/LinalgToCPU/Passes.h"
#include "lowering/OnnxToDs/Passes.h"
#include "mlir/Conversion/Passes.h"
#include "mlir/Dialect/Affine/IR/ValueBoundsOpInterfaceImpl.h"
#include "mlir/Dialect/Arith/IR/ValueBoundsOpInterfaceImpl.h"
#include "mlir/Dialect/Arith/Transforms/BufferDeallocationOpInterfaceImpl.h"
#include "mlir/Dialect/Arith/Transforms/BufferizableOpInterfaceImpl.h"
#include "mlir/Dialect/Arith/Transforms/Passes.h"
#include "mlir/Dialect/Bufferization/Pipelines/Passes.h"
#include "mlir/Dialect/Bufferization/Transforms/FuncBufferizableOpInterfaceImpl.h"
#include "mlir/Dialect/Bufferization/Transforms/Passes.h"
#include "mlir/Dialect/ControlFlow/Transforms/BufferDeallocationOpInterfaceImpl.h"
#include "mlir/Dialect/ControlFlow/Transforms/BufferizableOpInterfaceImpl.h"
#include "mlir/Dialect/Linalg/Passes.h"
#include "mlir/Dialect/Linalg/Transforms/AllInterfaces.h"
#include "mlir/Dialect/MemRef/IR/ValueBoundsOpInterfaceImpl.h"
#include "mlir/Dialect/MemRef/Transforms/AllocationOpInterfaceImpl.h"
#include "mlir/Dialect/MemRef/Transforms/Passes.h"
#include "mlir/Dialect/SCF/IR/ValueBoundsOpInterfaceImpl.h"
#include "mlir/Dialect/SCF/Transforms/BufferDeallocationOpInterfaceImpl.h"
#include "mlir/Dialect/SCF/Transforms/BufferizableOpInterfaceImpl.h"
#include "mlir/Dialect/SCF/Transforms/Passes.h"
#include "mlir/Dialect/Tensor/Transforms/BufferizableOpInterfaceImpl.h"
#include "mlir/Dialect/Vector/Transforms/BufferizableOpInterfaceImpl.h"
#include "mlir/Pass/PassRegistry.h"
#include "mlir/Transforms/Passes.h"
#include "passes/Passes.h"

using namespace mlir;

void ds::buildRaisePipeline(OpPassManager &pm) {
  OpPassManager &function = pm.nest<func::FuncOp>();
  // Casts and views that cancel go before anything is matched.
  function.addPass(createCanonicalizerPass());
  function.addPass(createCSEPass());
  function.addPass(createSimplifyElementwise());
  function.addPass(createForwardGathers());
  function.addPass(createForwardScatters());
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
  pm.addPass(createRaiseMoe());
  // Raising puts transposes where its ops want them; most cancel.
  OpPassManager &raised = pm.nest<func::FuncOp>();
  raised.addPass(createSinkTransposes());
  raised.addPass(createCanonicalizerPass());
  raised.addPass(createCSEPass());
}

void ds::buildOptimisePipeline(OpPassManager &pm,
                               const OptimiseOptions &options) {
  pm.addNestedPass<func::FuncOp>(createSpreadBlockScales());
  DecomposeMoeOptions moe;
  // As many rows of an expert as stay in cache beside a panel.
  moe.tileRows = 64;
  pm.addNestedPass<func::FuncOp>(createDecomposeMoe(moe));
  pm.addNestedPass<func::FuncOp>(createDecomposeMtpInput());
  pm.addNestedPass<func::FuncOp>(createMergeLinears());
  pm.addNestedPass<func::FuncOp>(createCSEPass());
  QuantizeWeightsOptions quantize;
  quantize.weightType = options.weightType;
  quantize.precision = options.precision;
  pm.addNestedPass<func::FuncOp>(createQuantizeWeights(quantize));
  AbsorbMlaWeightsOptions absorb;
  absorb.absorbBelow = options.mlaAbsorbBelow;
  absorb.cacheLength = options.maxLength;
  pm.addPass(createAbsorbMlaWeights(absorb));
  NarrowCachesOptions caches;
  caches.cacheType = options.cacheType;
  if (options.cacheType == "auto" && options.precision == "exact")
    caches.cacheType = "f32";
  pm.addNestedPass<func::FuncOp>(createNarrowCaches(caches));
  if (options.precision == "fast")
    pm.addNestedPass<func::FuncOp>(createNarrowAttention());
  PackQuantizedWeightsOptions packQuantized;
  packQuantized.precision = options.precision;
  pm.addNestedPass<func::FuncOp>(createPackQuantizedWeights(packQuantized));
  PackWeightsOptions pack;
  pack.precision = options.precision;
  pm.addNestedPass<func::FuncOp>(createPackWeights(pack));
  pm.addNestedPass<func::FuncOp>(createFuseEpilogues());
  pm.addNestedPass<func::FuncOp>(createFuseRope());
  // Before parameters are widened in the parameter program.
  pm.addNestedPass<func::FuncOp>(createNarrowMatmuls());
  // Last: no pass sees through a computed parameter.
  pm.addPass(createSplitParameterProgram());
  pm.addPass(createCanonicalizerPass());
  pm.addPass(createCountReads());
  pm.addPass(createExportRouters());
}

/// The end of every front door.
static void finishModel(OpPassManager &pm) {
  pm.addNestedPass<func::FuncOp>(ds::createReportRaised());
  pm.addNestedPass<func::FuncOp>(ds::createExpandQuantize());
  // Parameters that nothing reads any more (tables of positions, say).
  pm.addPass(createCanonicalizerPass());
  pm.addPass(createSymbolDCEPass());
}

void ds::buildModelPipeline(OpPassManager &pm, Mode mode, StringRef part) {
  pm.addPass(onnx::createConvertOnnxToDs());
  if (mode != Mode::Graph) {
    // Views and casts find their places first: integer products are matched
    // as they stand.
    OpPassManager &function = pm.nest<func::FuncOp>();
    function.addPass(createCanonicalizerPass());
    function.addPass(createCSEPass());
    function.addPass(createSinkTransposes());
    pm.addPass(createFloatActivations());
  }
  buildRaisePipeline(pm);
  if (mode != Mode::Graph) {
    FlattenTokensOptions flatten;
    flatten.part = part.str();
    pm.addPass(createFlattenTokens(flatten));
    pm.addPass(createCSEPass());
    pm.addNestedPass<func::FuncOp>(createRaiseMtpInput());
    pm.addNestedPass<func::FuncOp>(createRaiseMla());
    pm.addNestedPass<func::FuncOp>(createUnabsorbMlaWeights());
    pm.addPass(createCanonicalizerPass());
    pm.addPass(createCountWork());
  }
  finishModel(pm);
}

void ds::buildCheckpointPipeline(OpPassManager &pm) {
  pm.addPass(createCanonicalizerPass());
  pm.addPass(createCSEPass());
  pm.addPass(createCountWork());
  finishModel(pm);
}

void ds::buildLinalgPipeline(OpPassManager &pm, const CpuVariant &variant,
                             bool requireFast) {
  pm.addNestedPass<func::FuncOp>(createDecomposeOnlineAttention());
  LowerLinearOptions linear;
  linear.vectorLanes = variant.lanes;
  linear.bf16Dot = variant.hasBf16Dot;
  pm.addNestedPass<func::FuncOp>(createLowerLinear(linear));
  LowerQuantizedLinearOptions quantized;
  quantized.vectorLanes = variant.lanes;
  quantized.byteDot = variant.hasByteDot;
  quantized.bf16Dot = variant.hasBf16Dot && variant.hasByteLookup;
  pm.addNestedPass<func::FuncOp>(createLowerQuantizedLinear(quantized));
  pm.addNestedPass<func::FuncOp>(createLowerQuantizeGroups());
  LowerMatmulOptions matmul;
  matmul.vectorLanes = variant.lanes;
  pm.addNestedPass<func::FuncOp>(createLowerMatmul(matmul));
  LowerByteMatmulOptions bytes;
  bytes.vectorLanes = variant.lanes;
  bytes.byteDot = variant.hasByteDot;
  pm.addNestedPass<func::FuncOp>(createLowerByteMatmul(bytes));
  LowerAttentionOptions attention;
  attention.vectorLanes = variant.lanes;
  attention.bf16Dot = variant.hasBf16Dot;
  pm.addNestedPass<func::FuncOp>(createLowerAttention(attention));
  pm.addNestedPass<func::FuncOp>(createLowerNorm());
  pm.addNestedPass<func::FuncOp>(createLowerRope());
  pm.addNestedPass<func::FuncOp>(createLowerRoute());
  pm.addNestedPass<func::FuncOp>(createLowerCombine());
  LowerReduceOptions reduce;
  reduce.vectorLanes = variant.lanes;
  pm.addNestedPass<func::FuncOp>(createLowerReduce(reduce));
  LowerSoftmaxOptions softmax;
  softmax.vectorLanes = variant.lanes;
  pm.addNestedPass<func::FuncOp>(createLowerSoftmax(softmax));
  LowerCumulativeOptions cumulative;
  cumulative.vectorLanes = variant.lanes;
  pm.addNestedPass<func::FuncOp>(createLowerCumulative(cumulative));
  CountSlowOpsOptions count;
  count.requireFast = requireFast;
  pm.addPass(createCountSlowOps(count));
  pm.addPass(createDsToLinalg());
}

void ds::buildReferencePipeline(OpPassManager &pm) {
  pm.addPass(createCountReads());
  pm.addPass(createExportRouters());
  pm.addNestedPass<func::FuncOp>(createDecomposeOnlineAttention());
  pm.addPass(createCountSlowOps());
  pm.addPass(createDsToReference());
}

void ds::buildCpuPipeline(OpPassManager &pm, const CpuVariant &variant) {
  pm.addPass(createBuildParameterEntries());
  pm.addPass(createBuildEntries());
  pm.addPass(createCanonicalizerPass());
  pm.addPass(createCSEPass());
  pm.addNestedPass<func::FuncOp>(createFuseElementwise());
  pm.addPass(createCSEPass());
  pm.addPass(bufferization::createEmptyTensorEliminationPass());

  bufferization::OneShotBufferizePassOptions bufferize;
  bufferize.bufferizeFunctionBoundaries = true;
  // A tensor that a model's loop carries may change its size on the way.
  bufferize.allowReturnAllocsFromLoops = true;
  bufferize.functionBoundaryTypeConversion =
      bufferization::LayoutMapOption::IdentityLayoutMap;
  // Outputs are freed by their address: malloc's own alignment it is.
  bufferize.bufferAlignment = 0;
  pm.addPass(bufferization::createOneShotBufferizePass(bufferize));
  pm.addPass(createPlanWorkspace());
  bufferization::buildBufferDeallocationPipeline(pm);
  pm.addPass(createConvertBufferizationToMemRefPass());
  // CSE before the canonicaliser: a copy of a buffer to itself folds only once
  // both subviews are one value.
  pm.addPass(createCSEPass());
  pm.addPass(createCanonicalizerPass());

  pm.addNestedPass<func::FuncOp>(createLowerCopies());
  pm.addNestedPass<func::FuncOp>(createLinalgToParallelLoops());
  pm.addNestedPass<func::FuncOp>(createConvertVectorToSCFPass());
  pm.addPass(createCanonicalizerPass());
  pm.addPass(createCSEPass());
  pm.addPass(createOutlineKernels());
  pm.addPass(createCSEPass());
  pm.addPass(createFormTeams());
  pm.addPass(memref::createExpandStridedMetadataPass());
  pm.addPass(createLowerAffinePass());
  pm.addPass(createSCFToControlFlowPass());
  pm.addPass(createCanonicalizerPass());
  pm.addPass(createCSEPass());
  pm.addNestedPass<func::FuncOp>(createExpandMath());
  LowerDotBytesOptions dots;
  dots.vectorLanes = variant.lanes;
  dots.byteDot = variant.hasByteDot;
  pm.addPass(createLowerDotBytes(dots));
  pm.addPass(createLowerLookupBytes());
  // What LLVM has no intrinsic for becomes a call of libm.
  pm.addPass(createConvertMathToLLVMPass());
  pm.addPass(createConvertMathToLibmPass());
  // Without an instruction for it LLVM would call a function of libgcc.
  arith::ArithExpandOpsPassOptions expand;
  expand.includeBf16 = !variant.hasBf16Dot;
  pm.addPass(arith::createArithExpandOpsPass(expand));
  ConvertVectorToLLVMPassOptions vectors;
  vectors.x86Vector = true;
  pm.addPass(createConvertVectorToLLVMPass(vectors));
  pm.addPass(createFinalizeMemRefToLLVMConversionPass());
  pm.addPass(createConvertFuncToLLVMPass());
  pm.addPass(createArithToLLVMConversionPass());
  pm.addPass(createConvertControlFlowToLLVMPass());
  pm.addPass(createConvertIndexToLLVMPass());
  pm.addPass(createReconcileUnrealizedCastsPass());
  pm.addPass(createMoveBf16AsBits());
  pm.addPass(createCanonicalizerPass());
  pm.addPass(createCSEPass());
}

FailureOr<std::unique_ptr<ds::ParameterProgram>>
ds::compileParameterProgram(ModuleOp program) {
  if (!program)
    return std::unique_ptr<ParameterProgram>();
  FailureOr<std::vector<EntryParameter>> sources = describeParameters(program);
  // The functions get their addresses; no code knows them by name.
  for (auto parameter :
       llvm::make_early_inc_range(program.getOps<ParameterOp>()))
    parameter.erase();
  CpuVariant host = variantsFor("native").front();
  PassManager pm(program.getContext());
  buildLinalgPipeline(pm, host);
  buildCpuPipeline(pm, host);
  if (failed(sources) || failed(pm.run(program)))
    return failure();
  return ParameterProgram::create(program, std::move(*sources));
}

void ds::registerLoweringInterfaces(DialectRegistry &registry) {
  arith::registerBufferizableOpInterfaceExternalModels(registry);
  arith::registerBufferDeallocationOpInterfaceExternalModels(registry);
  bufferization::func_ext::registerBufferizableOpInterfaceExternalModels(
      registry);
  cf::registerBufferizableOpInterfaceExternalModels(registry);
  cf::registerBufferDeallocationOpInterfaceExternalModels(registry);
  linalg::registerAllDialectInterfaceImplementations(registry);
  scf::registerBufferizableOpInterfaceExternalModels(registry);
  scf::registerBufferDeallocationOpInterfaceExternalModels(registry);
  vector::registerBufferizableOpInterfaceExternalModels(registry);
  tensor::registerBufferizableOpInterfaceExternalModels(registry);
  memref::registerAllocationOpInterfaceExternalModels(registry);
  affine::registerValueBoundsOpInterfaceExternalModels(registry);
  arith::registerValueBoundsOpInterfaceExternalModels(registry);
  memref::registerValueBoundsOpInterfaceExternalModels(registry);
  scf::registerValueBoundsOpInterfaceExternalModels(registry);
}

namespace {
struct CpuPipelineOptions : PassPipelineOptions<CpuPipelineOptions> {
  Option<std::string> cpu{
      *this, "cpu", llvm::cl::init("x86-64-v3"),
      llvm::cl::desc("native, x86-64-v3 or x86-64-v4: the best variant of it")};
};
} // namespace

void ds::registerPipelines() {
  registerLinalgToCPUPasses();
  PassPipelineRegistration<CpuPipelineOptions>(
      "ds-cpu", "linalg on tensors to LLVM",
      [](OpPassManager &pm, const CpuPipelineOptions &options) {
        buildCpuPipeline(pm, variantsFor(options.cpu).front());
      });
  registerDsToLinalgPasses();
  registerDsToReferencePasses();
  PassPipelineRegistration<>("ds-raise",
                             "tensor ops to the ops that models are made of",
                             buildRaisePipeline);
  PassPipelineRegistration<>(
      "ds-optimise", "raised model ops to what is best computed at run time",
      [](OpPassManager &pm) { buildOptimisePipeline(pm, {}); });
}
