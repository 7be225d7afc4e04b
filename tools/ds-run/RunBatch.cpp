//===- RunBatch.cpp - ds-run --batch: many prompts at once ----------------===//
#include "tools/ds-run/Modes.h"
#include "tools/ds-run/Outputs.h"
#include "tools/ds-run/Prompt.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <sstream>

using nlohmann::json;

namespace tool {

namespace {
struct Request {
  std::vector<int32_t> ids;
  int64_t limit;
};
} // namespace

static Request readLine(const ds_model_t *model, const RunCommand &command,
                        const std::string &text, const std::string &where) {
  json line;
  try {
    line = json::parse(text);
  } catch (const json::exception &error) {
    fail(where + " is no JSON: " + error.what());
  }
  if (!line.is_object())
    fail(where + " is no JSON object");
  Request request{{}, command.count};
  int prompts = 0;
  for (const auto &[key, value] : line.items()) {
    auto require = [&](bool holds, const char *what) {
      if (!holds)
        fail(where + ": \"" + key + "\" must be " + what);
    };
    if (key == "prompt") {
      require(value.is_string(), "a text");
      request.ids = textIds(model, value.get<std::string>());
      ++prompts;
    } else if (key == "messages") {
      request.ids =
          chatIds(model, readMessages(value, where), command.chatTemplate);
      ++prompts;
    } else if (key == "token_ids") {
      require(value.is_array(), "a list of ids");
      for (const json &id : value) {
        require(id.is_number_integer() && id.get<int64_t>() >= 0 &&
                    id.get<int64_t>() <= INT32_MAX,
                "a list of ids");
        request.ids.push_back(id.get<int32_t>());
      }
      ++prompts;
    } else if (key == "n") {
      require(value.is_number_unsigned() && value.get<uint64_t>() <= INT32_MAX,
              "a count of tokens");
      request.limit = value.get<int64_t>();
    } else {
      fail(where + ": \"" + key +
           "\" is not known; \"prompt\", \"token_ids\", \"messages\" and "
           "\"n\" are");
    }
  }
  if (prompts != 1)
    fail(where + " needs one of \"prompt\", \"token_ids\" and \"messages\"");
  if (request.ids.empty())
    fail(where + ": the prompt is empty");
  return request;
}

static std::vector<Request> readRequests(const ds_model_t *model,
                                         const RunCommand &command) {
  std::istringstream lines(readFile(command.batch));
  std::vector<Request> requests;
  std::string text;
  for (size_t number = 1; std::getline(lines, text); ++number)
    if (text.find_first_not_of(" \t\r") != std::string::npos)
      requests.push_back(
          readLine(model, command, text,
                   "'" + command.batch + "' line " + std::to_string(number)));
  return requests;
}

/// Refuses what would fail in the middle.
static void checkRequests(const ds_model_t *model, const RunCommand &command,
                          const std::vector<Request> &requests,
                          int64_t length) {
  int64_t vocabulary = ds_model_descriptor(model)->vocabulary;
  for (size_t i = 0; i < requests.size(); ++i) {
    std::string where =
        "'" + command.batch + "' prompt " + std::to_string(i + 1) + ": ";
    if (int64_t(requests[i].ids.size()) > length)
      fail(where + std::to_string(requests[i].ids.size()) +
           " tokens do not fit in a cache of " + std::to_string(length));
    for (int32_t id : requests[i].ids)
      if (id >= vocabulary)
        fail(where + "token " + std::to_string(id) +
             ", the vocabulary ends at " + std::to_string(vocabulary - 1));
  }
}

static std::string answerOf(Sequence &sequence, bool hasText) {
  nlohmann::ordered_json answer;
  if (hasText)
    answer["text"] = sequence.takeText();
  answer["token_ids"] = sequence.generated();
  answer["prompt_tokens"] = sequence.promptCount;
  answer["finish"] = sequence.finish;
  return answer.dump() + "\n";
}

Stats runBatch(const ds_model_t *model, const RunCommand &command) {
  requireWritable(command.logitsOut);
  requireWritable(command.saveBias);
  const DsModel &facts = *ds_model_descriptor(model);
  std::vector<Request> requests = readRequests(model, command);
  int64_t length = command.length;
  if (!length)
    for (const Request &request : requests)
      length = std::max(length, request.limit < 0
                                    ? defaultLength(facts, command)
                                    : int64_t(request.ids.size()) +
                                          std::max<int64_t>(request.limit, 1));
  checkRequests(model, command, requests, length);
  // Caches are reserved for all slots: more lines than this wait their turn.
  constexpr size_t mostSlots = 64;
  Stats stats;
  std::vector<Sequence> sequences;
  sequences.reserve(requests.size());
  for (Request &request : requests) {
    stats.promptTokens += int64_t(request.ids.size());
    sequences.emplace_back(model, command, std::move(request.ids),
                           request.limit);
  }
  if (sequences.empty() && !command.saveBias.empty())
    fail("'" + command.batch +
         "' has no prompts, so there is nothing to make "
         "--save-bias of");
  if (sequences.empty())
    return stats;
  Generator generator(model, command,
                      int64_t(std::min(sequences.size(), mostSlots)), length);
  catchInterrupt(/*onlyOnce=*/true);
  size_t written = 0;
  bool hasText = facts.tokenizer_json && !command.printIds;
  generator.run(sequences, [&](size_t) {
    for (; written < sequences.size() && sequences[written].done(); ++written)
      writeText(answerOf(sequences[written], hasText));
  });
  generator.saveBias();
  writeLogits(model, command, sequences);
  for (const Sequence &sequence : sequences)
    stats.generatedTokens += int64_t(sequence.generated().size());
  stats.timing = generator.timing();
  stats.drafting = generator.drafting();
  stats.routing = generator.routing();
  return stats;
}

} // namespace tool
