//===- CommandLine.cpp - what ds-run is asked to do -----------------------===//
#include "tools/ds-run/CommandLine.h"
#include "tools/Exit.h"
#include <CLI/CLI.hpp>

static void addInputs(CLI::App &app, tool::RunCommand &command) {
  auto *input = app.add_option_group("What to run", "one of");
  input->add_option("-p", command.prompt, "the prompt")->type_name("TEXT");
  input->add_option("-f", command.file, "a file with the prompt")
      ->type_name("FILE");
  input
      ->add_option("--messages", command.messages,
                   "a conversation to answer, JSON: [{\"role\": …, "
                   "\"content\": …}, …]")
      ->type_name("FILE");
  input->add_flag("--chat", command.chat,
                  "talk: a line of input is a message, Ctrl-C ends an answer, "
                  "end of input the conversation");
  input
      ->add_option("--token-ids", command.tokenIds,
                   "the prompt as ids, taken as they are")
      ->delimiter(',')
      ->type_name("1,2,3");
  input
      ->add_option("--batch", command.batch,
                   "a JSON object a line: \"prompt\", \"token_ids\" or "
                   "\"messages\", and \"n\"; all run together, answers are "
                   "JSON lines in the same order")
      ->type_name("FILE");
  input
      ->add_option("--inputs", command.inputs,
                   "a graph's inputs, safetensors by name")
      ->type_name("FILE");
  input->require_option(1);
}

static void addSampling(CLI::App &app, tool::RunCommand &command) {
  auto *group = app.add_option_group("Choosing tokens");
  group
      ->add_option("--temperature", command.temperature,
                   "0 (default): always the most likely token")
      ->check(CLI::NonNegativeNumber)
      ->type_name("T");
  group->add_option("--top-k", command.topK, "choose among the K most likely")
      ->check(CLI::NonNegativeNumber)
      ->type_name("K");
  group
      ->add_option("--top-p", command.topP,
                   "then among the fewest that reach probability P")
      ->check(CLI::Range(0.0, 1.0))
      ->type_name("P");
  group
      ->add_option("--min-p", command.minP,
                   "then among those P times as likely as the first")
      ->check(CLI::Range(0.0, 1.0))
      ->type_name("P");
  group
      ->add_option("--repeat-penalty", command.repeatPenalty,
                   "makes tokens of the text so far less likely; 1 is off")
      ->check(CLI::NonNegativeNumber)
      ->type_name("R");
  group->add_option("--seed", command.seed, "same seed, same text")
      ->type_name("S");
}

static void addGeneration(CLI::App &app, tool::RunCommand &command) {
  app.add_option("-n", command.count,
                 "tokens to generate (default: to the end of text or of the "
                 "cache)")
      ->check(CLI::NonNegativeNumber)
      ->type_name("N");
  app.add_option("--length", command.length,
                 "tokens that the cache of a sequence holds (default: prompt "
                 "and -n, or the model's longest)")
      ->check(CLI::Range(int64_t(1), int64_t(INT32_MAX)))
      ->type_name("N");
  app.add_option("--stop", command.stops, "end before this text; repeatable")
      ->type_name("TEXT");
  app.add_option("--chat-template", command.chatTemplate,
                 "how messages become a prompt (default: the model's)")
      ->check(CLI::IsMember({"v1", "v2", "v3", "r1"}));
  app.add_flag("--ignore-eos", command.ignoreEos,
               "do not stop at the end-of-text token");
  app.add_option("--threads", command.threads,
                 "default: all processors; results do not depend on it")
      ->check(CLI::Range(0, 1 << 16))
      ->type_name("N");
  app.add_option_function<std::string>(
         "--draft",
         [&command](const std::string &text) {
           command.draftsAuto = text == "auto";
           command.drafts = command.draftsAuto ? 1 : std::stoi(text);
         },
         "tokens that a step guesses and checks together (multi-token "
         "prediction): the same text, faster where guesses hold; auto: one, "
         "while that pays")
      ->check(CLI::Range(1, 30) | CLI::IsMember({"auto"}))
      ->type_name("K");
  app.add_option("--device", command.device, "where to compute")
      ->check(CLI::IsMember({"cpu"}));
  app.add_option("--chunk", command.chunk,
                 "most tokens computed at once; results do not depend on it")
      ->check(CLI::Range(int64_t(1), int64_t(INT32_MAX)))
      ->type_name("N");
}

static void addBiases(CLI::App &app, tool::RunCommand &command) {
  auto *group = app.add_option_group(
      "Routing biases", "of models of DeepSeek-V3's kind; safetensors with the "
                        "names that checkpoints have");
  group->add_option("--bias", command.bias, "use these instead of the model's")
      ->type_name("FILE");
  group
      ->add_option("--update-bias", command.updateBias,
                   "at the end move each by GAMMA towards balanced experts, by "
                   "the load that was measured; needs --save-bias")
      ->type_name("GAMMA");
  group->add_option("--save-bias", command.saveBias, "write them at the end")
      ->type_name("FILE");
}

static void addOutputs(CLI::App &app, tool::RunCommand &command) {
  app.add_flag("--print-ids", command.printIds,
               "print the generated ids, comma separated, instead of text");
  app.add_option("--logits-out", command.logitsOut,
                 "safetensors: \"logits\" f32 [n, vocabulary], the rows that "
                 "chose the tokens; of a batch those of all lines in order, "
                 "line i from \"row_start\"[i]; with --draft also "
                 "\"draft_logits\" and \"draft_position\", the place of each "
                 "draft in its text (of a batch from \"draft_start\"[i])")
      ->type_name("FILE");
  app.add_flag("--all-logits", command.allLogits,
               "with --logits-out: the rows of the prompt too");
  app.add_option("--states-out", command.statesOut,
                 "safetensors over the prompt: \"single.hidden\", the caches "
                 "as the model names them, \"cache.{layer}.k\" and so on, and "
                 "of experts \"single.load.{layer}\", how many tokens each "
                 "has, \"single.route.{layer}.experts\", those of each token, "
                 "and \"single.route.{layer}.weight\", how much each counts")
      ->type_name("FILE");
  app.add_option("--outputs", command.outputs,
                 "with --inputs: the graph's outputs, safetensors by name")
      ->type_name("FILE");
  app.add_flag("--stats", command.stats, "one JSON line on stderr at the end");
}

/// What CLI11 has no words for.
static void checkTogether(const tool::RunCommand &command) {
  auto require = [](bool holds, const char *what) {
    if (!holds)
      throw CLI::ValidationError(what);
  };
  bool graph = !command.inputs.empty();
  require(graph == !command.outputs.empty(),
          "--inputs and --outputs go together");
  require(!graph || (!command.printIds && command.logitsOut.empty() &&
                     command.statesOut.empty() && command.count < 0 &&
                     !command.drafts && command.bias.empty() &&
                     command.saveBias.empty()),
          "--inputs runs a graph: it makes --outputs, no tokens");
  require(!command.updateBias || !command.saveBias.empty(),
          "--update-bias needs --save-bias");
  require(!command.allLogits || !command.logitsOut.empty(),
          "--all-logits needs --logits-out");
  require(!command.chat || (!command.printIds && command.logitsOut.empty() &&
                            command.statesOut.empty()),
          "--chat writes text only, no ids, logits or states");
  require(command.batch.empty() || command.statesOut.empty(),
          "--states-out is about one prompt, not a --batch");
  require(command.chatTemplate.empty() || command.chat ||
              !command.messages.empty() || !command.batch.empty(),
          "--chat-template needs --messages, --chat or --batch");
}

int tool::parseCommandLine(int argc, char **argv, RunCommand &command) {
  CLI::App app{"Runs a compiled model.\n\n"
               "  ds-run model.so -p 'Once upon a time' -n 100\n"
               "  ds-run model.so --chat --temperature=0.7\n"
               "  ds-run model.so --batch=prompts.jsonl -n 50 > answers.jsonl\n"
               "  ds-run graph.so --inputs=in.safetensors "
               "--outputs=out.safetensors\n\n"
               "Text goes to stdout as it is made, everything else to stderr. "
               "Exit codes: 0 done, 1 the input was refused, 2 wrong usage.",
               "ds-run"};
  app.add_option("MODEL", command.model, "model.so, as ds-compile made it")
      ->required();
  addInputs(app, command);
  addSampling(app, command);
  addGeneration(app, command);
  addBiases(app, command);
  addOutputs(app, command);
  try {
    app.parse(argc, argv);
    command.hasPrompt = app.get_option("-p")->count() > 0;
    checkTogether(command);
  } catch (const CLI::ParseError &error) {
    return tool::exitCode(app, error);
  }
  return -1;
}
