//===- ds-compile.cpp - a model file becomes a shared library -------------===//
//
// Exit codes: 0 done, 1 the input was refused (stderr says what and where),
// 2 wrong usage.
//
//===----------------------------------------------------------------------===//
#include "dialects/ds/IR/DsDialect.h"
#include "dialects/onnx/IR/OnnxDialect.h"
#include "dialects/onnx/Import/OnnxImport.h"
#include "lowering/DsToLinalg/Passes.h"
#include "lowering/OnnxToDs/Passes.h"
#include "lowering/Pipelines.h"
#include "tools/ds-compile/CommandLine.h"

#include "mlir/Parser/Parser.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/JSON.h"
#include "llvm/Support/ToolOutputFile.h"
#include "llvm/Support/raw_ostream.h"

using namespace mlir;

/// One line a diagnostic: where, what; remarks only if asked for.
static void printDiagnostics(MLIRContext &context, bool remarks) {
  context.getDiagEngine().registerHandler([remarks](Diagnostic &diagnostic) {
    if (diagnostic.getSeverity() == DiagnosticSeverity::Remark && !remarks)
      return success();
    llvm::raw_ostream &err = llvm::errs();
    std::string where;
    if (auto name = dyn_cast<NameLoc>(diagnostic.getLocation()))
      where = name.getName().str();
    else if (auto file = dyn_cast<FileLineColLoc>(diagnostic.getLocation())) {
      where = file.getFilename().str();
      if (file.getLine())
        where += ":" + std::to_string(file.getLine());
    }
    const char *kind =
        diagnostic.getSeverity() == DiagnosticSeverity::Remark    ? "remark"
        : diagnostic.getSeverity() == DiagnosticSeverity::Warning ? "warning"
                                                                  : "error";
    err << "ds-compile: " << kind << ": ";
    if (!where.empty())
      err << where << ": ";
    err << diagnostic << "\n";
    return success();
  });
}

static int listOps() {
  llvm::json::Array ops;
  for (const onnx::SupportedOp &op : onnx::listSupportedOps())
    ops.push_back(llvm::json::Object{
        {"domain", op.domain.empty() ? "ai.onnx" : op.domain},
        {"op", op.name},
        {"min_version", op.minVersion},
        {"max_version", op.maxVersion}});
  llvm::outs() << llvm::json::Value(std::move(ops)) << "\n";
  return 0;
}

/// Prints `module` to the output file, or stdout where none is given.
static int emitText(ModuleOp module, StringRef path) {
  std::error_code code;
  llvm::ToolOutputFile file(path.empty() ? "-" : path, code,
                            llvm::sys::fs::OpenFlags::OF_Text);
  if (code) {
    llvm::errs() << "ds-compile: error: cannot write '" << path
                 << "': " << code.message() << "\n";
    return 1;
  }
  module.print(file.os());
  file.os() << "\n";
  file.os().flush();
  if (file.os().has_error()) {
    llvm::errs() << "ds-compile: error: cannot write '" << path
                 << "': " << file.os().error().message() << "\n";
    file.os().clear_error();
    return 1;
  }
  file.keep();
  return 0;
}

int main(int argc, char **argv) {
  tool::CompileCommand command;
  if (int code = tool::parseCommandLine(argc, argv, command); code >= 0)
    return code;
  if (command.listOps)
    return listOps();

  MLIRContext context;
  printDiagnostics(context, command.remarks);
  DialectRegistry registry;
  registry.insert<ds::DsDialect, onnx::OnnxDialect, func::FuncDialect,
                  tensor::TensorDialect, arith::ArithDialect>();
  context.appendDialectRegistry(registry);

  StringRef model = command.model;
  OwningOpRef<ModuleOp> module =
      model.ends_with(".mlir") ? parseSourceFile<ModuleOp>(model, &context)
                               : onnx::importOnnx(model, &context);
  if (!module)
    return 1;
  if (command.emit == "onnx")
    return emitText(*module, command.output);

  PassManager pm(&context);
  if (command.emit == "ds") {
    pm.addPass(onnx::createConvertOnnxToDs());
  } else {
    ds::RaiseOptions options;
    options.mode = command.mode == "graph" ? ds::Mode::Graph
                   : command.mode == "lm"  ? ds::Mode::LanguageModel
                                           : ds::Mode::Auto;
    ds::buildModelPipeline(pm, options);
    if (command.emit != "ds-opt")
      pm.addPass(ds::createDsToLinalg());
  }
  if (failed(pm.run(*module)))
    return 1;
  return emitText(*module, command.output);
}
