//===- ds-opt.cpp - runs any pass and pipeline of the project on MLIR text ===//
#include "dialects/ds/IR/DsDialect.h"
#include "dialects/onnx/IR/OnnxDialect.h"

#include "lowering/OnnxToDs/Passes.h"
#include "lowering/Pipelines.h"
#include "passes/Passes.h"

#include "mlir/InitAllDialects.h"
#include "mlir/InitAllExtensions.h"
#include "mlir/InitAllPasses.h"
#include "mlir/Tools/mlir-opt/MlirOptMain.h"

int main(int argc, char **argv) {
  mlir::DialectRegistry registry;
  mlir::registerAllDialects(registry);
  mlir::registerAllExtensions(registry);
  registry.insert<mlir::ds::DsDialect, mlir::onnx::OnnxDialect>();
  mlir::registerAllPasses();
  mlir::ds::registerDsPasses();
  mlir::onnx::registerOnnxToDsPasses();
  mlir::ds::registerPipelines();
  return mlir::asMainReturnCode(
      mlir::MlirOptMain(argc, argv, "ds-mlir optimizer driver\n", registry));
}
