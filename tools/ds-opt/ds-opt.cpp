//===- ds-opt.cpp - runs any pass and pipeline of the project on MLIR text ===//
//
// MLIR's own driver around the project's dialects and passes, but for the end:
// what cannot be written is an error line, where LLVM's streams abort.
//
//===----------------------------------------------------------------------===//
#include "dialects/ds/IR/DsDialect.h"
#include "dialects/onnx/IR/OnnxDialect.h"

#include "lowering/OnnxToDs/Passes.h"
#include "lowering/Pipelines.h"
#include "passes/Passes.h"
#include "tools/StandardOutput.h"

#include "mlir/InitAllDialects.h"
#include "mlir/InitAllExtensions.h"
#include "mlir/InitAllPasses.h"
#include "mlir/Support/FileUtilities.h"
#include "mlir/Tools/mlir-opt/MlirOptMain.h"
#include "llvm/Support/InitLLVM.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/ToolOutputFile.h"

/// Reads, runs, writes.
static mlir::LogicalResult transform(llvm::StringRef input,
                                     llvm::StringRef output,
                                     mlir::DialectRegistry &registry) {
  std::string message;
  std::unique_ptr<llvm::MemoryBuffer> source =
      mlir::openInputFile(input, &message);
  std::unique_ptr<llvm::ToolOutputFile> file;
  if (source)
    file = mlir::openOutputFile(output, &message);
  if (!file) {
    llvm::errs() << "ds-opt: error: " << message << "\n";
    return mlir::failure();
  }
  mlir::LogicalResult result =
      mlir::MlirOptMain(file->os(), std::move(source), registry,
                        mlir::MlirOptMainConfig::createFromCLOptions());
  file->os().flush();
  if (file->os().has_error()) {
    tool::reportUnwritable(
        "ds-opt", output == "-" ? "standard output" : "'" + output.str() + "'",
        file->os().error());
    file->os().clear_error();
    return mlir::failure();
  }
  if (succeeded(result))
    file->keep();
  return result;
}

int main(int argc, char **argv) {
  llvm::InitLLVM init(argc, argv);
  tool::checkStandardOutputAtExit("ds-opt");
  mlir::DialectRegistry registry;
  mlir::registerAllDialects(registry);
  mlir::registerAllExtensions(registry);
  registry.insert<mlir::ds::DsDialect, mlir::onnx::OnnxDialect>();
  mlir::registerAllPasses();
  mlir::ds::registerDsPasses();
  mlir::onnx::registerOnnxToDsPasses();
  mlir::ds::registerPipelines();
  auto [input, output] = mlir::registerAndParseCLIOptions(
      argc, argv, "ds-mlir optimizer driver\n", registry);
  mlir::MlirOptMainConfig config =
      mlir::MlirOptMainConfig::createFromCLOptions();
  bool onlyLists = config.shouldShowDialects() || config.shouldListPasses();
  return mlir::asMainReturnCode(
      onlyLists ? mlir::MlirOptMain(argc, argv, input, output, registry)
                : transform(input, output, registry));
}
