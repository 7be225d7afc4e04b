//===- CommandLine.cpp - what ds-run is asked to do -----------------------===//
#include "tools/ds-run/CommandLine.h"
#include <CLI/CLI.hpp>

int tool::parseCommandLine(int argc, char **argv, RunCommand &command) {
  CLI::App app{"Runs a compiled language model.\n\n"
               "  ds-run model.so -p 'Once upon a time' -n 100\n"
               "  ds-run model.so --messages=chat.json --temperature=0.7\n\n"
               "Text goes to stdout as it is made, everything else to stderr.",
               "ds-run"};
  app.add_option("MODEL", command.model, "model.so, as ds-compile made it")
      ->required();
  auto *input = app.add_option_group("prompt", "one of");
  auto *prompt =
      input->add_option("-p", command.prompt, "the prompt")->type_name("TEXT");
  input->add_option("-f", command.file, "a file with the prompt")
      ->type_name("FILE");
  input
      ->add_option("--messages", command.messages,
                   "JSON: [{\"role\": …, \"content\": …}, …]")
      ->type_name("FILE");
  input
      ->add_option("--token-ids", command.tokenIds,
                   "the prompt as ids, taken as they are")
      ->delimiter(',')
      ->type_name("1,2,3");
  input->require_option(1);
  app.add_option("-n", command.count,
                 "tokens to generate (default: to the end of text or of the "
                 "cache)")
      ->check(CLI::NonNegativeNumber);
  app.add_option("--length", command.length,
                 "tokens that the cache holds (default: prompt and -n, or the "
                 "model's longest)")
      ->check(CLI::PositiveNumber);
  app.add_option("--temperature", command.temperature,
                 "0 (default): always the most likely token")
      ->check(CLI::NonNegativeNumber);
  app.add_option("--top-k", command.topK, "choose among the K most likely")
      ->check(CLI::NonNegativeNumber);
  app.add_option("--top-p", command.topP,
                 "then among the fewest that reach probability P")
      ->check(CLI::Range(0.0, 1.0));
  app.add_option("--min-p", command.minP,
                 "then among those P times as likely as the first")
      ->check(CLI::Range(0.0, 1.0));
  app.add_option("--repeat-penalty", command.repeatPenalty,
                 "makes tokens of the text so far less likely; 1 is off")
      ->check(CLI::NonNegativeNumber);
  app.add_option("--seed", command.seed, "same seed, same text");
  app.add_option("--stop", command.stops, "end before this text; repeatable")
      ->type_name("TEXT");
  app.add_option("--chat-template", command.chatTemplate,
                 "how messages become a prompt")
      ->check(CLI::IsMember({"v1", "v2", "v3", "r1"}));
  app.add_flag("--ignore-eos", command.ignoreEos,
               "do not stop at the end-of-text token");
  app.add_option("--threads", command.threads, "default: all processors")
      ->check(CLI::NonNegativeNumber);
  app.add_option("--chunk", command.chunk,
                 "most prompt tokens computed at once; results do not depend "
                 "on it")
      ->check(CLI::PositiveNumber);
  app.add_flag("--print-ids", command.printIds,
               "print the generated ids, comma separated, instead of text");
  app.add_option("--logits-out", command.logitsOut,
                 "safetensors: \"logits\" f32 [n, vocabulary], the rows that "
                 "chose the tokens")
      ->type_name("FILE");
  app.add_flag("--all-logits", command.allLogits,
               "with --logits-out: the rows of the prompt too");
  app.add_flag("--stats", command.stats, "one JSON line on stderr");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError &error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  command.hasPrompt = prompt->count() > 0;
  return -1;
}
