//===- ds-compile.cpp - a model file becomes a shared library -------------===//
//
// Exit codes: 0 done, 1 the input was refused (stderr says what and where),
// 2 wrong usage.
//
//===----------------------------------------------------------------------===//
#include "dialects/ds/IR/DsDialect.h"
#include "dialects/onnx/IR/OnnxDialect.h"
#include "dialects/onnx/Import/OnnxImport.h"
#include "lowering/CheckpointToDs/CheckpointToDs.h"
#include "lowering/CheckpointToDs/CompareConfig.h"
#include "lowering/CheckpointToDs/ModelConfig.h"
#include "lowering/DraftLayer.h"
#include "lowering/Link/Link.h"
#include "lowering/OnnxToDs/Passes.h"
#include "lowering/Pipelines.h"
#include "tools/StandardOutput.h"
#include "tools/ds-compile/CommandLine.h"
#include "tools/ds-compile/TokenizerCheck.h"

#include "mlir/Parser/Parser.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/JSON.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/ToolOutputFile.h"
#include "llvm/Support/raw_ostream.h"
#include <chrono>
#include <iostream>

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

/// Writes to the output file, or stdout where none is given. Nothing is left of
/// a file that could not be written whole.
static int writeOutput(StringRef path,
                       llvm::function_ref<void(llvm::raw_ostream &)> write) {
  auto error = [&](std::error_code code) {
    tool::reportUnwritable(
        "ds-compile", path.empty() ? "standard output" : "'" + path.str() + "'",
        code);
    return 1;
  };
  std::error_code code;
  llvm::ToolOutputFile file(path.empty() ? "-" : path, code,
                            llvm::sys::fs::OpenFlags::OF_None);
  if (code)
    return error(code);
  write(file.os());
  file.os().flush();
  if (file.os().has_error()) {
    code = file.os().error();
    file.os().clear_error();
    return error(code);
  }
  file.keep();
  return 0;
}

static int listOps() {
  llvm::json::Array ops;
  for (const onnx::SupportedOp &op : onnx::listSupportedOps())
    ops.push_back(llvm::json::Object{
        {"domain", op.domain.empty() ? "ai.onnx" : op.domain},
        {"op", op.name},
        {"min_version", op.minVersion},
        {"max_version", op.maxVersion}});
  return writeOutput("", [&](llvm::raw_ostream &out) {
    out << llvm::json::Value(std::move(ops)) << "\n";
  });
}

static int emitText(ModuleOp module, StringRef path) {
  return writeOutput(path, [&](llvm::raw_ostream &out) {
    module.print(out);
    out << "\n";
  });
}

namespace {
/// Says how long work took when it ends, if that was asked for.
class StageTimer {
public:
  StageTimer(const tool::CompileCommand &command, const Twine &stage)
      : asked(command.timing), stage(stage.str()) {}
  ~StageTimer() {
    std::chrono::duration<double> took =
        std::chrono::steady_clock::now() - start;
    if (asked)
      llvm::errs() << "ds-compile: "
                   << llvm::formatv("{0,8:f2} s  {1}\n", took.count(), stage);
  }

private:
  bool asked;
  std::string stage;
  std::chrono::steady_clock::time_point start =
      std::chrono::steady_clock::now();
};

/// Runs passes stage by stage; with --save-temps writes the IR after each.
struct Stages {
  ModuleOp module;
  const tool::CompileCommand &command;
  unsigned count = 0;
  /// Of file names: which variant.
  std::string suffix = "";

  bool run(StringRef name, llvm::function_ref<void(PassManager &)> add) {
    {
      StageTimer timer(command, name + suffix);
      PassManager pm(module.getContext());
      add(pm);
      if (failed(pm.run(module)))
        return false;
    }
    if (command.saveTemps.empty())
      return true;
    SmallString<128> path(command.saveTemps);
    if (std::error_code code = llvm::sys::fs::create_directories(path)) {
      llvm::errs() << "ds-compile: error: cannot make '" << path
                   << "': " << code.message() << "\n";
      return false;
    }
    llvm::sys::path::append(path,
                            Twine(++count) + "-" + name + suffix + ".mlir");
    return emitText(module, path) == 0;
  }
};
} // namespace

/// Whether the model is a checkpoint folder.
static bool isFolder(StringRef model) {
  return llvm::sys::fs::is_directory(model);
}

/// Tokenizer and configuration: those named, else those beside the model.
static bool readModelFiles(const tool::CompileCommand &command,
                           ds::LinkOptions &link) {
  namespace path = llvm::sys::path;
  SmallString<128> folder(path::parent_path(command.model));
  if (isFolder(command.model))
    // The name that "." or a path ending in "/" stands for.
    llvm::sys::fs::real_path(command.model, folder);
  link.name = folder.empty() ? path::stem(command.model).str()
                             : path::filename(folder).str();
  auto beside = [&](StringRef name) {
    SmallString<128> full(folder);
    path::append(full, name);
    return full;
  };
  auto error = [&](const Twine &message) {
    llvm::errs() << "ds-compile: error: " << message << "\n";
    return false;
  };
  auto find = [&](const std::string &named, StringRef otherwise,
                  std::optional<std::string> &text) {
    auto buffer = llvm::MemoryBuffer::getFile(
        named.empty() ? StringRef(beside(otherwise)) : named);
    if (buffer)
      text = (*buffer)->getBuffer().str();
    else if (!named.empty())
      return error("cannot read '" + named +
                   "': " + buffer.getError().message());
    return true;
  };
  std::optional<std::string> tokenizer, tokenizerConfig, config, generation;
  if (!find(command.tokenizer, "tokenizer.json", tokenizer) ||
      !find("", "tokenizer_config.json", tokenizerConfig) ||
      !find(command.config, "config.json", config) ||
      !find("", "generation_config.json", generation))
    return false;
  if (tokenizer) {
    link.tokenizer = *tokenizer;
    link.tokenizerConfig = tokenizerConfig.value_or("");
    std::string problem =
        tool::findTokenizerProblem(link.tokenizer, link.tokenizerConfig);
    if (!problem.empty() && !command.tokenizer.empty())
      return error("ds-run cannot use '" + command.tokenizer + "': " + problem);
    // One that lies there by chance may be of another kind.
    if (!problem.empty()) {
      llvm::errs() << "ds-compile: warning: left out '"
                   << beside("tokenizer.json")
                   << "', which ds-run cannot use: " << problem << "\n";
      link.tokenizer = link.tokenizerConfig = "";
    }
  }
  // The generation's ids win over the configuration's.
  checkpoint::GenerationFacts facts;
  std::string problem;
  auto read = [&](StringRef file, const std::optional<std::string> &text) {
    return !text || checkpoint::readGenerationFacts(
                        *text, "'" + file.str() + "'", facts, problem);
  };
  if (!read(command.config.empty() ? StringRef(beside("config.json"))
                                   : command.config,
            config) ||
      !read(beside("generation_config.json"), generation))
    return error(problem);
  link.maxLength = facts.maxLength;
  link.bosId = facts.bosId;
  link.eosIds = facts.eosIds;
  if (command.maxLength > 0)
    link.maxLength = command.maxLength;
  return true;
}

/// Compares the graph in `module` with its configuration: the one named, or the
/// one beside the model. False after an error.
static bool compareConfig(const tool::CompileCommand &command,
                          ModuleOp module) {
  SmallString<128> path(command.config);
  if (path.empty()) {
    path = llvm::sys::path::parent_path(command.model);
    llvm::sys::path::append(path, "config.json");
  }
  bool trust = command.trust == "config";
  auto error = [&](const Twine &message) {
    llvm::errs() << "ds-compile: error: " << message << "\n";
    return false;
  };
  auto text = llvm::MemoryBuffer::getFile(path);
  if (!text) {
    if (!command.config.empty())
      return error("cannot read '" + path + "': " + text.getError().message());
    return !trust || error("--trust=config, but no config.json lies beside '" +
                           command.model + "'; name it with --config");
  }
  std::string problem;
  std::optional<checkpoint::ModelConfig> config =
      checkpoint::readModelConfig(std::string_view((*text)->getBuffer()),
                                  "'" + path.str().str() + "'", problem);
  if (config) {
    ds::compareWithConfig(module, *config, trust);
    return true;
  }
  if (trust)
    return error(problem);
  llvm::errs() << "ds-compile: warning: the graph was not compared with its "
                  "configuration: "
               << problem << "\n";
  return true;
}

/// A model file as IR; null after an error.
static OwningOpRef<ModuleOp> importFile(StringRef path, MLIRContext *context) {
  return path.ends_with(".mlir") ? parseSourceFile<ModuleOp>(path, context)
                                 : onnx::importOnnx(path, context);
}

/// Puts the layers of --mtp into the model of `stages`. False after an error.
static bool addDraftLayers(const tool::CompileCommand &command,
                           Stages &stages) {
  for (auto [k, path] : llvm::enumerate(command.draftLayers)) {
    OwningOpRef<ModuleOp> layer = importFile(path, stages.module.getContext());
    if (!layer)
      return false;
    Stages own{*layer, command, stages.count, "-mtp-" + std::to_string(k)};
    if (!own.run("raised",
                 [](PassManager &pm) {
                   ds::buildModelPipeline(pm, ds::Mode::LanguageModel, "draft");
                 }) ||
        failed(ds::addDraftLayer(stages.module, *layer)))
      return false;
  }
  return command.draftLayers.empty() ||
         stages.run("drafts", [](PassManager &) {});
}

static int compileModel(const tool::CompileCommand &command) {
  MLIRContext context;
  printDiagnostics(context, command.remarks);
  DialectRegistry registry;
  registry.insert<ds::DsDialect, onnx::OnnxDialect, func::FuncDialect,
                  tensor::TensorDialect, arith::ArithDialect>();
  ds::registerLoweringInterfaces(registry);
  context.appendDialectRegistry(registry);

  // First, so that what is amiss with them is said before the long work.
  ds::LinkOptions link;
  if (command.emit != "onnx" && command.emit != "ds" &&
      !readModelFiles(command, link))
    return 1;
  StringRef model = command.model;
  ds::Mode mode = command.mode == "graph" ? ds::Mode::Graph
                  : command.mode == "lm"  ? ds::Mode::LanguageModel
                                          : ds::Mode::Auto;
  bool reference = !command.reference.empty();
  bool folder = isFolder(model);
  if (folder && (mode == ds::Mode::Graph || command.emit == "onnx")) {
    llvm::errs() << "ds-compile: error: " << model
                 << ": a checkpoint folder is a language model and no ONNX "
                    "graph; "
                 << (command.emit == "onnx" ? "--emit=ds shows what it becomes"
                                            : "leave --mode=graph out")
                 << "\n";
    return 1;
  }
  bool drafts = !command.draftLayers.empty();
  if (drafts && (folder || mode == ds::Mode::Graph)) {
    llvm::errs() << "ds-compile: error: " << model
                 << (folder ? ": a checkpoint folder has its layers that draft "
                              "in it; leave --mtp out"
                            : ": a graph has no use for a layer that drafts; "
                              "leave --mtp or --mode=graph out")
                 << "\n";
    return 1;
  }
  OwningOpRef<ModuleOp> module;
  {
    StageTimer timer(command, "import");
    module = folder ? ds::importCheckpoint(
                          model, {reference, command.maxLength, command.config},
                          &context)
                    : importFile(model, &context);
  }
  if (!module)
    return 1;
  if (command.emit == "onnx")
    return emitText(*module, command.output);

  Stages stages{*module, command};
  if (command.emit == "ds")
    return stages.run("ds",
                      [&](PassManager &pm) {
                        if (!folder)
                          pm.addPass(onnx::createConvertOnnxToDs());
                      })
               ? emitText(*module, command.output)
               : 1;
  if (!stages.run("raised", [&](PassManager &pm) {
        if (folder)
          ds::buildCheckpointPipeline(pm);
        else
          ds::buildModelPipeline(pm, mode, drafts ? "main" : "model");
      }))
    return 1;
  bool isStep = module->lookupSymbol("step");
  if (mode == ds::Mode::LanguageModel && !isStep) {
    llvm::errs() << "ds-compile: error: " << model
                 << ": --mode=lm, but the graph could not be proven to be one "
                    "causal language model with a cache; --remarks says why\n";
    return 1;
  }
  if (!addDraftLayers(command, stages))
    return 1;
  if (folder ? command.trust != "graph" : !compareConfig(command, *module)) {
    if (folder)
      llvm::errs() << "ds-compile: error: --trust is of an ONNX graph; a "
                      "checkpoint folder has nothing but its configuration\n";
    return 1;
  }
  if (!command.cacheType.empty() && !isStep) {
    llvm::errs() << "ds-compile: error: " << model
                 << ": --cache-type is of a language model, but this is "
                    "compiled as a graph, whose caches are as the file has "
                    "them; leave the option out\n";
    return 1;
  }
  if (command.emit == "so" && failed(ds::warnOfNan(*module)))
    return 1;
  // The reference computes what the model says, when it says it.
  ds::OptimiseOptions optimise;
  optimise.precision = command.precision;
  optimise.weightType = command.weightType;
  if (!command.cacheType.empty())
    optimise.cacheType = command.cacheType;
  optimise.mlaAbsorbBelow = command.mlaAbsorbBelow;
  if (command.mlaAbsorbBelow != "auto" &&
      !module->walk([](ds::MlaOp) { return WalkResult::interrupt(); })
           .wasInterrupted())
    llvm::errs() << "ds-compile: warning: " << model
                 << ": --mla-absorb-below changes nothing: the model has no "
                    "latent attention whose form could be chosen\n";
  optimise.maxLength = link.maxLength;
  if (!reference && !stages.run("ds-opt", [&](PassManager &pm) {
        ds::buildOptimisePipeline(pm, optimise);
      }))
    return 1;
  if (command.emit == "ds-opt")
    return emitText(*module, command.output);
  OwningOpRef<ModuleOp> program = ds::takeParameterProgram(*module);
  std::vector<ds::VariantCode> code;
  std::optional<ds::ModelDescription> description;
  for (const ds::CpuVariant &variant : ds::variantsFor(command.cpu)) {
    code.push_back({variant, OwningOpRef<ModuleOp>(module->clone())});
    Stages lowering{*code.back().module, command, stages.count,
                    "-" + std::string(variant.name)};
    if (!lowering.run("linalg", [&](PassManager &pm) {
          if (reference)
            ds::buildReferencePipeline(pm);
          else
            ds::buildLinalgPipeline(pm, variant, command.requireFast);
        }))
      return 1;
    // Text is of the best variant.
    if (command.emit == "linalg")
      return emitText(*code.back().module, command.output);
    if (!description) {
      FailureOr<ds::ModelDescription> described =
          ds::describeModel(*code.back().module);
      if (failed(described))
        return 1;
      description = *described;
    }
    if (!lowering.run("llvm", [&](PassManager &pm) {
          ds::buildCpuPipeline(pm, variant);
        }))
      return 1;
    if (command.emit == "llvm")
      return emitText(*code.back().module, command.output);
    if (command.emit == "asm" || command.emit == "obj") {
      SmallString<0> bytes;
      if (failed(
              ds::emitMachineCode(code.back(), command.emit == "asm", bytes)))
        return 1;
      return writeOutput(command.output,
                         [&](llvm::raw_ostream &out) { out << bytes; });
    }
  }
  link.output = command.output;
  link.embedWeights = command.weights == "embed";
  link.optionsText =
      llvm::formatv("{0}", llvm::json::Value(llvm::json::Object{
                               {"cpu", command.cpu},
                               {"mode", command.mode},
                               {"precision", command.precision},
                               {"weight_type", command.weightType},
                               {"mla_absorb_below", command.mlaAbsorbBelow},
                               {"reference", command.reference},
                           }))
          .str();
  StageTimer timer(command, "machine code, weights and library");
  FailureOr<std::unique_ptr<ds::ParameterProgram>> parameters =
      ds::compileParameterProgram(program.get());
  if (failed(parameters))
    return 1;
  return failed(ds::linkModel(code, *description, parameters->get(), link)) ? 1
                                                                            : 0;
}

/// Many models in one process, for the tests: lines "MODEL<tab>OUTPUT" on
/// stdin, each answered by its exit code on stdout.
static int compileBatch(tool::CompileCommand command) {
  std::string line;
  while (std::getline(std::cin, line)) {
    auto [model, output] = StringRef(line).split('\t');
    command.model = model.str();
    command.output = output.str();
    int result = compileModel(command);
    if (writeOutput("", [&](llvm::raw_ostream &out) { out << result << "\n"; }))
      return 1;
  }
  return 0;
}

int main(int argc, char **argv) {
  tool::CompileCommand command;
  if (int code = tool::parseCommandLine(argc, argv, command); code >= 0)
    return code;
  if (command.listOps)
    return listOps();
  return command.batch ? compileBatch(command) : compileModel(command);
}
