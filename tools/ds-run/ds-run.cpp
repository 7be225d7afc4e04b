//===- ds-run.cpp - runs a compiled model ---------------------------------===//
//
// On the C interface, as any other program would. Exit codes: 0 done, 1 the
// input was refused (stderr says what and where), 2 wrong usage.
//
//===----------------------------------------------------------------------===//
#include "tools/ds-run/Modes.h"

#include <cstdio>
#include <exception>
#include <nlohmann/json.hpp>

using namespace tool;

static void printStats(const ds_model_t *model, const RunCommand &command,
                       const Stats &stats, double loadSeconds) {
  nlohmann::ordered_json line = {
      {"prompt_tokens", stats.promptTokens},
      {"generated_tokens", stats.generatedTokens},
      {"load_s", loadSeconds},
      {"prefill_s", stats.timing.prefill},
      {"decode_s", stats.timing.decode},
      {"weight_bytes_per_token", ds_model_weight_bytes_per_token(model)},
      {"cache_bytes_per_token", ds_model_cache_bytes_per_token(model)},
      {"draft_cache_bytes_per_token",
       command.drafts ? ds_model_draft_cache_bytes_per_token(model) : 0},
      {"drafted", stats.drafting.drafted},
      {"accepted", stats.drafting.accepted},
      {"tokens_per_step", stats.drafting.tokensPerStep()},
      // Of each router, and the layers that they are in.
      {"expert_load", stats.routing.loads},
      {"expert_load_layers", stats.routing.layers},
      {"distinct_experts_per_step", stats.routing.distinctPerStep()},
      {"peak_rss_bytes", peakResidentBytes()}};
  std::fprintf(stderr, "%s\n", line.dump().c_str());
}

static void run(const RunCommand &command) {
  double start = now();
  ds_model_t *loaded = nullptr;
  check(ds_load(command.model.c_str(), nullptr, &loaded));
  Model model(loaded);
  double loadSeconds = now() - start;
  bool isGraph = ds_model_descriptor(loaded)->mode == DS_MODE_GRAPH;
  if (isGraph && command.inputs.empty())
    fail("'" + command.model +
         "' was compiled as a graph: run it with --inputs and --outputs, or "
         "compile it with --mode=lm to see why it is no language model");
  Stats stats = !command.inputs.empty()  ? runGraph(loaded, command)
                : command.chat           ? runChat(loaded, command)
                : !command.batch.empty() ? runBatch(loaded, command)
                                         : runPrompt(loaded, command);
  if (command.draftsAuto)
    std::fprintf(stderr, "ds-run: --draft=auto: %s\n",
                 stats.drafting.gauge.report().c_str());
  if (command.stats)
    printStats(loaded, command, stats, loadSeconds);
}

int main(int argc, char **argv) {
  RunCommand command;
  if (int code = parseCommandLine(argc, argv, command); code >= 0)
    return code;
  try {
    run(command);
    return 0;
  } catch (const std::exception &error) {
    std::fprintf(stderr, "ds-run: error: %s\n", error.what());
    return 1;
  }
}
