//===- CommandLine.cpp - what ds-compile is asked to do -------------------===//
#include "tools/ds-compile/CommandLine.h"
#include "tools/Exit.h"
#include <CLI/CLI.hpp>

int tool::parseCommandLine(int argc, char **argv, CompileCommand &command) {
  CLI::App app{
      "Compiles a DeepSeek language model to one shared library.\n\n"
      "  ds-compile model.onnx -o model.so     writes model.so and "
      "model.weights.safetensors\n"
      "  ds-compile FOLDER -o model.so         the same from a Hugging Face "
      "checkpoint\n"
      "  ds-run model.so -p 'Once upon'        runs it\n\n"
      "The tokenizer and the configuration beside the model are found by "
      "themselves.",
      "ds-compile"};
  app.option_defaults()->always_capture_default();
  app.add_option("MODEL", command.model,
                 "x.onnx, x.mlir, or a folder with config.json and "
                 "model.safetensors (or its shards and their index)")
      ->type_name("PATH");
  app.add_option("-o", command.output,
                 "the library to write; its weights go beside it")
      ->type_name("FILE");
  app.add_option("--mode", command.mode,
                 "lm: a language model with a cache, an error if it cannot be "
                 "proven to be one; graph: the graph's inputs and outputs as "
                 "they are; auto: lm if proven, else graph")
      ->check(CLI::IsMember({"auto", "graph", "lm"}));
  app.add_option("--cpu", command.cpu,
                 "code for these processors; fat: variants for all of them, "
                 "chosen at load")
      ->check(CLI::IsMember({"fat", "native", "x86-64-v3", "x86-64-v4"}));
  app.add_option("--weights", command.weights,
                 "file: NAME.weights.safetensors beside the library; embed: "
                 "in the library, for small models")
      ->check(CLI::IsMember({"file", "embed"}));
  app.add_option(
         "--emit", command.emit,
         "stop after this stage and print it, or write it to -o. "
         "linalg and llvm: of the best processor of --cpu; asm and obj: "
         "the machine code for one, which --cpu must name")
      ->check(CLI::IsMember(
          {"onnx", "ds", "ds-opt", "linalg", "llvm", "asm", "obj", "so"}));
  app.add_option(
         "--precision", command.precision,
         "fast: activations are rounded to what the dot instruction of "
         "the weight's type wants (bf16 with bf16 weights, whole numbers with "
         "int8 and int4 weights), and so are queries and softmax weights "
         "where keys and values are cached in bf16; exact: they stay f32. "
         "Sums and norms are f32 in both")
      ->check(CLI::IsMember({"fast", "exact"}));
  app.add_option(
         "--weight-type", command.weightType,
         "what the weights of products become: bf16; int8 or int4 with a scale "
         "per group of inputs (64, 32); keep: as the file has them, FP8 too. "
         "Embeddings, norms, biases and routers of experts keep their types")
      ->check(CLI::IsMember({"keep", "bf16", "int8", "int4"}));
  auto *cacheType =
      app.add_option("--cache-type", command.cacheType,
                     "type of a language model's caches; they are rounded to "
                     "bf16 on writing (default: bf16 with --precision=fast if "
                     "the weights of all products but routers have 16 bits or "
                     "fewer, else f32)")
          ->check(CLI::IsMember({"f32", "bf16"}));
  auto *absorbBelow =
      app.add_option(
             "--mla-absorb-below", command.mlaAbsorbBelow,
             "of latent attention (MLA): sequences with fewer new tokens "
             "in a call attend to latents as they are cached, others "
             "expand them to keys and values; 0: never absorbed, inf: "
             "always, auto: what takes fewer products (--remarks says)")
          ->type_name("N")
          ->check([](const std::string &text) -> std::string {
            int64_t number;
            if (text == "auto" || text == "inf" ||
                (CLI::detail::lexical_cast(text, number) && number >= 0))
              return "";
            return "'" + text + "' is neither auto, inf nor a number of tokens";
          })
          ->capture_default_str();
  app.add_option("--tokenizer", command.tokenizer,
                 "tokenizer.json to put into the library")
      ->type_name("FILE");
  app.add_option("--config", command.config,
                 "config.json with the facts of the model; an ONNX graph that "
                 "computes anything else is warned of")
      ->type_name("FILE");
  app.add_option("--trust", command.trust,
                 "where the constants of an ONNX graph and its configuration "
                 "differ (softmax scale, RoPE, epsilon of norms, scale of "
                 "experts), compile what this one says")
      ->check(CLI::IsMember({"graph", "config"}))
      ->capture_default_str();
  auto *mtp =
      app.add_option("--mtp", command.draftLayers,
                     "a layer that drafts (multi-token prediction), exported "
                     "apart from MODEL, an ONNX graph that gives its states; "
                     "again for each further layer")
          ->type_name("FILE")
          ->allow_extra_args(false)
          ->default_str("");
  app.add_option("--max-length", command.maxLength,
                 "longest sequence, tokens (default: the configuration's)")
      ->check(CLI::PositiveNumber);
  app.add_option("--ds-reference", command.reference,
                 "compile to plain scalar loops, everything computed and kept "
                 "in double precision (caches too): slow, to check against")
      ->check(CLI::IsMember({"f64"}))
      ->excludes(cacheType)
      ->excludes(absorbBelow);
  app.add_option("--save-temps", command.saveTemps,
                 "write the IR after each stage into this folder")
      ->type_name("DIR");
  app.add_flag("--require-fast", command.requireFast,
               "an op without a vector kernel, which would go through plain "
               "loops, is an error (their number is in ds-info either way)");
  app.add_flag("--remarks", command.remarks,
               "say what was recognised, and why a near miss was not");
  app.add_flag("--timing", command.timing,
               "print how long each stage took, as it ends");
  app.add_flag("--list-ops", command.listOps,
               "print the ONNX operators that are supported, as JSON");
  app.add_flag("--batch", command.batch,
               "compile many models: lines MODEL<tab>OUTPUT on standard input, "
               "each answered by its exit code")
      ->excludes(mtp);
  try {
    app.parse(argc, argv);
    if (command.listOps || command.batch)
      return -1;
    if (command.model.empty())
      throw CLI::RequiredError("MODEL");
    if (!command.draftLayers.empty() &&
        (command.emit == "onnx" || command.emit == "ds"))
      throw CLI::ValidationError(
          "--emit=" + command.emit,
          "is one file as it stands; print MODEL and the layer of --mtp one by "
          "one");
    bool isCode = command.emit == "asm" || command.emit == "obj";
    if ((command.emit == "so" || command.emit == "obj") &&
        command.output.empty())
      throw CLI::RequiredError("-o");
    if (isCode && command.cpu == "fat")
      throw CLI::ValidationError(
          "--emit=" + command.emit,
          "is the code for one kind of processor; name it: --cpu=native, "
          "x86-64-v4 or x86-64-v3");
  } catch (const CLI::ParseError &error) {
    return tool::exitCode(app, error);
  }
  return -1;
}
