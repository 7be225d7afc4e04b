//===- RunChat.cpp - ds-run --chat: a conversation ------------------------===//
#include "tools/ds-run/Generator.h"
#include "tools/ds-run/Modes.h"
#include "tools/ds-run/Prompt.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <unistd.h>

namespace tool {

/// A line of input without its end; nothing at the end of input. Ctrl-C begins
/// the line anew.
static std::optional<std::string> readMessage(bool isTerminal) {
  char *line = nullptr;
  size_t room = 0;
  while (true) {
    if (isTerminal)
      std::fputs("> ", stderr);
    errno = 0;
    ssize_t length = ::getline(&line, &room, stdin);
    bool again = length < 0 && errno == EINTR && interrupted();
    if (again) {
      std::clearerr(stdin);
      clearInterrupt();
      std::fputc('\n', stderr);
      continue;
    }
    std::unique_ptr<char, void (*)(void *)> owner(line, std::free);
    if (length < 0 && std::ferror(stdin))
      fail(std::string("cannot read the input: ") + std::strerror(errno));
    if (length < 0)
      return std::nullopt;
    std::string text(line, size_t(length));
    while (!text.empty() && (text.back() == '\n' || text.back() == '\r'))
      text.pop_back();
    return text;
  }
}

Stats runChat(const ds_model_t *model, const RunCommand &command) {
  const DsModel &facts = *ds_model_descriptor(model);
  if (!facts.tokenizer_json)
    fail("the model carries no tokenizer; compile it with --tokenizer");
  requireWritable(command.saveBias);
  Generator generator(model, command, 1, defaultLength(facts, command));
  bool isTerminal = isatty(STDIN_FILENO);
  if (isTerminal)
    std::fputs("Ctrl-C ends an answer, Ctrl-D the conversation.\n", stderr);
  catchInterrupt(/*onlyOnce=*/false);
  Stats stats;
  std::vector<Message> messages;
  std::vector<int32_t> held; // ids whose states are in the cache
  while (std::optional<std::string> line = readMessage(isTerminal)) {
    if (line->empty())
      continue;
    messages.push_back({"user", *line});
    std::vector<int32_t> ids = chatIds(model, messages, command.chatTemplate);
    if (int64_t(ids.size()) > generator.length())
      fail("the conversation has " + std::to_string(ids.size()) +
           " tokens and no longer fits in the cache of " +
           std::to_string(generator.length()) + "; --length makes it longer");
    // Templates may drop parts of earlier answers: go on from where the texts
    // are still the same. The last token is computed anew for its logits.
    size_t same = size_t(
        std::mismatch(ids.begin(), ids.end() - 1, held.begin(), held.end())
            .first -
        ids.begin());
    Sequence sequence(model, command, std::move(ids), command.count);
    sequence.fed = same;
    std::string answer;
    clearInterrupt();
    generator.run({&sequence, 1}, [&](size_t) {
      std::string text = sequence.takeText();
      answer += text;
      if (!text.empty())
        writeText(text);
    });
    clearInterrupt();
    writeText("\n");
    stats.promptTokens += int64_t(sequence.promptCount - same);
    stats.generatedTokens += int64_t(sequence.generated().size());
    held.assign(sequence.ids.begin(),
                sequence.ids.begin() + long(sequence.fed));
    messages.push_back({"assistant", answer});
  }
  generator.saveBias();
  stats.timing = generator.timing();
  stats.drafting = generator.drafting();
  stats.routing = generator.routing();
  return stats;
}

} // namespace tool
