//===- CheckpointFuzz.cpp - any bytes as a checkpoint folder --------------===//
//
// The input is config.json, NUL, an index, NUL, a safetensors file. What the
// readers refuse they must refuse with one line; a model that is built of what
// they accept must verify and print, or be refused with one error.
//
//===----------------------------------------------------------------------===//
#include "lowering/CheckpointToDs/CheckpointToDs.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/IR/Verifier.h"
#include "llvm/Support/raw_ostream.h"

#include <cstdlib>
#include <memory>

using namespace mlir;

/// See ImporterFuzz.cpp, as for the next two.
extern "C" const char *__asan_default_options();
extern "C" const char *__asan_default_options() {
  return "allow_user_poisoning=0";
}

static constexpr unsigned runsPerContext = 256;

static MLIRContext &currentContext() {
  static std::unique_ptr<MLIRContext> context;
  static unsigned runs = 0;
  if (runs++ % runsPerContext == 0)
    context = std::make_unique<MLIRContext>(MLIRContext::Threading::DISABLED);
  return *context;
}

static void check(bool holds) {
  if (!holds)
    std::abort();
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  auto [config, rest] =
      StringRef(reinterpret_cast<const char *>(data), size).split('\0');
  auto [indexText, file] = rest.split('\0');
  std::string error;
  auto index = checkpoint::readIndex(indexText, "index", error);
  check(index.has_value() == error.empty() && !StringRef(error).contains('\n'));
  if (index)
    for (const auto &[tensor, name] : *index)
      check(!name.empty() && !StringRef(name).contains('/'));
  error.clear();
  checkpoint::GenerationFacts facts;
  check(checkpoint::readGenerationFacts(config, "config", facts, error) ==
        error.empty());
  error.clear();
  auto read = checkpoint::readModelConfig(config, "config", error);
  check(read.has_value() == error.empty() && !StringRef(error).contains('\n'));
  if (!read)
    return 0;

  checkpoint::Checkpoint model;
  model.folder = "folder";
  model.config = *read;
  if (!checkpoint::readTensors({file.bytes_begin(), file.size()}, "file",
                               model.tensors, error))
    return 0;
  MLIRContext &context = currentContext();
  unsigned errors = 0;
  ScopedDiagnosticHandler handler(&context, [&](Diagnostic &diagnostic) {
    errors += diagnostic.getSeverity() == DiagnosticSeverity::Error;
    return success();
  });
  OwningOpRef<ModuleOp> module = ds::buildCheckpoint(model, {}, &context);
  check(errors == (module ? 0u : 1u));
  if (!module)
    return 0;
  check(succeeded(verify(*module)));
  std::string text;
  llvm::raw_string_ostream stream(text);
  module->print(stream);
  return 0;
}
