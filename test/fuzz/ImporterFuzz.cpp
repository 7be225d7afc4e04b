//===- ImporterFuzz.cpp - any bytes as an ONNX file -----------------------===//
//
// What the importer refuses it must refuse with one error; what it accepts must
// be a module that verifies and prints, for the passes after it rely on that.
//
//===----------------------------------------------------------------------===//
#include "dialects/onnx/IR/OnnxDialect.h"
#include "dialects/onnx/Import/OnnxImport.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/IR/Verifier.h"
#include "llvm/Support/raw_ostream.h"

#include <cstdlib>
#include <memory>

using namespace mlir;

/// LLVM's bump allocator poisons its slabs where it is compiled with the
/// sanitizer and hands them out unaware of that in Debian's library: no error.
extern "C" const char *__asan_default_options();
extern "C" const char *__asan_default_options() {
  return "allow_user_poisoning=0";
}

/// Making a context costs more than an import, and a context keeps every type
/// and attribute it ever saw: each serves so many imports.
static constexpr unsigned runsPerContext = 256;

static MLIRContext &currentContext() {
  static std::unique_ptr<MLIRContext> context;
  static unsigned runs = 0;
  if (runs++ % runsPerContext == 0)
    context = std::make_unique<MLIRContext>(MLIRContext::Threading::DISABLED);
  return *context;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  MLIRContext &context = currentContext();
  unsigned errors = 0;
  ScopedDiagnosticHandler handler(&context, [&](Diagnostic &diagnostic) {
    errors += diagnostic.getSeverity() == DiagnosticSeverity::Error;
    return success();
  });
  // External data is looked for in a folder that does not exist.
  OwningOpRef<ModuleOp> module = onnx::importOnnxBytes(
      StringRef(reinterpret_cast<const char *>(data), size),
      "no-such-folder/model.onnx", &context);
  if (errors != (module ? 0u : 1u))
    std::abort();
  if (!module)
    return 0;
  if (failed(verify(*module)))
    std::abort();
  std::string text;
  llvm::raw_string_ostream stream(text);
  module->print(stream);
  return 0;
}
