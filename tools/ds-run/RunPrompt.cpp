//===- RunPrompt.cpp - ds-run with one prompt -----------------------------===//
#include "tools/ds-run/Modes.h"
#include "tools/ds-run/Outputs.h"
#include "tools/ds-run/Prompt.h"

#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>

namespace tool {

static std::vector<int32_t> promptIds(const ds_model_t *model,
                                      const RunCommand &command) {
  if (!command.tokenIds.empty())
    return command.tokenIds;
  if (command.messages.empty())
    return textIds(model,
                   command.hasPrompt ? command.prompt : readFile(command.file));
  std::string where = "'" + command.messages + "'";
  nlohmann::json list;
  try {
    list = nlohmann::json::parse(readFile(command.messages));
  } catch (const nlohmann::json::exception &error) {
    fail(where + " is no JSON: " + error.what());
  }
  return chatIds(model, readMessages(list, where), command.chatTemplate);
}

Stats runPrompt(const ds_model_t *model, const RunCommand &command) {
  requireWritable(command.logitsOut);
  requireWritable(command.statesOut);
  requireWritable(command.saveBias);
  const DsModel &facts = *ds_model_descriptor(model);
  if (!facts.tokenizer_json && !command.printIds && command.logitsOut.empty() &&
      command.statesOut.empty())
    fail("the model carries no tokenizer, so there is no text to show; compile "
         "it with --tokenizer, or give --print-ids");
  std::vector<int32_t> ids = promptIds(model, command);
  if (ids.empty())
    fail("the prompt is empty");
  int64_t prompt = int64_t(ids.size());
  int64_t length = !command.length && command.count >= 0
                       ? prompt + std::max<int64_t>(command.count, 1)
                       : defaultLength(facts, command);
  if (prompt > length)
    fail("the prompt has " + std::to_string(prompt) +
         " tokens and does not fit in a cache of " + std::to_string(length) +
         "; --length makes it longer");
  if (facts.max_length && length > facts.max_length)
    std::fprintf(stderr,
                 "ds-run: warning: %lld tokens are more than the %lld the "
                 "model was made for\n",
                 static_cast<long long>(length),
                 static_cast<long long>(facts.max_length));
  Generator generator(model, command, 1, length);
  Sequence sequence(model, command, std::move(ids), command.count);
  catchInterrupt(/*onlyOnce=*/true);
  generator.run({&sequence, 1}, [&](size_t) {
    std::string text = sequence.takeText();
    if (!command.printIds && !text.empty())
      writeText(text);
  });
  generator.saveBias();
  writeLogits(model, command, {&sequence, 1});
  writeStates(model, command, sequence, generator.session());
  if (command.printIds) {
    std::string line;
    for (int32_t id : sequence.generated())
      line += (line.empty() ? "" : ",") + std::to_string(id);
    writeText(line + "\n");
  }
  return {prompt, int64_t(sequence.generated().size()), generator.timing(),
          generator.drafting(), generator.routing()};
}

} // namespace tool
