//===- ConvertOnnxToDs.cpp - onnx.graph becomes func.func @graph ----------===//
//
// See Passes.td.
//
//===----------------------------------------------------------------------===//
#include "lowering/OnnxToDs/GraphConverter.h"
#include "lowering/OnnxToDs/Passes.h"

namespace mlir::onnx {
#define GEN_PASS_DEF_CONVERTONNXTODS
#include "lowering/OnnxToDs/Passes.h.inc"
} // namespace mlir::onnx

using namespace mlir;

namespace {
struct ConvertOnnxToDs : onnx::impl::ConvertOnnxToDsBase<ConvertOnnxToDs> {
  void runOnOperation() override {
    ModuleOp module = getOperation();
    auto graphs = llvm::to_vector(module.getOps<onnx::GraphOp>());
    if (graphs.empty())
      return;
    if (failed(onnx::inlineFunctions(module)))
      return signalPassFailure();
    for (onnx::GraphOp graph : graphs)
      if (failed(onnx::GraphConverter(module, graph).convert()))
        return signalPassFailure();
    for (StringRef name : {"onnx.ir_version", "onnx.opset_imports",
                           "onnx.producer", "onnx.metadata"})
      module->removeAttr(name);
  }
};
} // namespace
