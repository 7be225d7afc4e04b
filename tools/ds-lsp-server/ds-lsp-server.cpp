//===- ds-lsp-server.cpp - the project's IR in an editor ------------------===//
//
// A language server for .mlir files: diagnostics as one types, definitions,
// uses and types under the cursor. Editors find it as "MLIR server path".
//
//===----------------------------------------------------------------------===//
#include "dialects/ds/IR/DsDialect.h"
#include "dialects/onnx/IR/OnnxDialect.h"
#include "tools/StandardOutput.h"

#include "mlir/InitAllDialects.h"
#include "mlir/InitAllExtensions.h"
#include "mlir/Tools/mlir-lsp-server/MlirLspServerMain.h"

int main(int argc, char **argv) {
  tool::checkStandardOutputAtExit("ds-lsp-server");
  mlir::DialectRegistry registry;
  mlir::registerAllDialects(registry);
  mlir::registerAllExtensions(registry);
  registry.insert<mlir::ds::DsDialect, mlir::onnx::OnnxDialect>();
  return mlir::failed(mlir::MlirLspServerMain(argc, argv, registry));
}
