//===- ds-run.cpp - runs a compiled language model ------------------------===//
//
// On the C interface alone, as any other program would. Exit codes: 0 done,
// 1 the input was refused (stderr says what and where), 2 wrong usage.
//
//===----------------------------------------------------------------------===//
#include "ds/ds_runtime.h"
#include "runtime/tokenizer/ChatTemplate.h"
#include "runtime/tokenizer/Tokenizer.h"
#include "tools/ds-run/CommandLine.h"

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>
#include <sstream>
#include <stdexcept>
#include <sys/resource.h>

using nlohmann::json;

namespace {

volatile std::sig_atomic_t interrupted = 0;

[[noreturn]] void fail(const std::string &message) {
  throw std::runtime_error(message);
}

void check(ds_result result) {
  if (result != DS_OK)
    fail(ds_last_error());
}

double now() {
  return std::chrono::duration<double>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

std::string readFile(const std::string &path) {
  std::ifstream file(path, std::ios::binary);
  if (!file)
    fail("cannot open '" + path + "': " + std::strerror(errno));
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

/// Rows of logits as a safetensors file, in place under its name only when it
/// is whole.
class LogitsFile {
public:
  LogitsFile(const std::string &path, int64_t vocabulary)
      : path(path), vocabulary(size_t(vocabulary)) {}
  void add(const float *rows, size_t count) {
    if (!path.empty())
      data.insert(data.end(), rows, rows + count * vocabulary);
  }
  void write() {
    if (path.empty())
      return;
    size_t rows = data.size() / vocabulary;
    json header = {{"logits",
                    {{"dtype", "F32"},
                     {"shape", {rows, vocabulary}},
                     {"data_offsets", {0, data.size() * sizeof(float)}}}}};
    std::string text = header.dump();
    text.resize((text.size() + 8 + 63) / 64 * 64 - 8, ' ');
    uint64_t length = text.size();
    std::string temporary = path + ".tmp";
    std::FILE *file = std::fopen(temporary.c_str(), "wb");
    bool good = file && std::fwrite(&length, 8, 1, file) == 1 &&
                std::fwrite(text.data(), 1, text.size(), file) == text.size() &&
                std::fwrite(data.data(), sizeof(float), data.size(), file) ==
                    data.size();
    std::string why = std::strerror(errno);
    if (file && std::fclose(file) != 0)
      good = false;
    if (!good || std::rename(temporary.c_str(), path.c_str()) != 0) {
      std::remove(temporary.c_str());
      fail("cannot write '" + path + "': " + why);
    }
  }

private:
  std::string path;
  size_t vocabulary;
  std::vector<float> data;
};

struct Freed {
  void operator()(ds_model_t *model) const { ds_model_free(model); }
  void operator()(ds_session_t *session) const { ds_session_free(session); }
  void operator()(ds_sampler_t *sampler) const { ds_sampler_free(sampler); }
};

std::unique_ptr<ds::Tokenizer> tokenizerOf(const DsModel &m) {
  if (!m.tokenizer_json)
    return nullptr;
  return ds::Tokenizer::load(
      std::string(m.tokenizer_json, m.tokenizer_json_bytes),
      m.tokenizer_config_json
          ? std::string(m.tokenizer_config_json, m.tokenizer_config_json_bytes)
          : std::string());
}

std::vector<int32_t> promptIds(const tool::RunCommand &command,
                               const ds::Tokenizer *tokenizer) {
  if (!command.tokenIds.empty())
    return command.tokenIds;
  if (!tokenizer)
    fail("the model carries no tokenizer; compile it with --tokenizer, or give "
         "--token-ids");
  if (command.messages.empty())
    return tokenizer->encodePrompt(command.hasPrompt ? command.prompt
                                                     : readFile(command.file));
  std::vector<ds::ChatMessage> messages;
  try {
    for (const json &message : json::parse(readFile(command.messages)))
      messages.push_back({message.at("role"), message.at("content")});
  } catch (const json::exception &error) {
    fail("'" + command.messages + "' is no list of messages: " + error.what());
  }
  // DeepSeek's first tokenizer has no tags for the speakers.
  std::string name = command.chatTemplate;
  if (name.empty())
    name = tokenizer->idOf("<\xef\xbd\x9cUser\xef\xbd\x9c>") ? "v3" : "v1";
  return tokenizer->encode(ds::applyChatTemplate(name, messages,
                                                 tokenizer->bosText(),
                                                 tokenizer->eosText()),
                           false);
}

/// Text on its way out: held back where a stop text may be beginning.
class Output {
public:
  explicit Output(const tool::RunCommand &command) : command(command) {}
  /// False once a stop text was seen.
  bool add(const std::string &text) {
    held += text;
    for (const std::string &stop : command.stops)
      if (size_t at = held.find(stop);
          !stop.empty() && at != std::string::npos) {
        held.resize(at);
        return false;
      }
    size_t keep = 0;
    for (const std::string &stop : command.stops)
      for (size_t n = std::min(stop.size(), held.size()); n > keep; --n)
        if (held.compare(held.size() - n, n, stop, 0, n) == 0)
          keep = n;
    put(held.size() - keep);
    return true;
  }
  void finish() { put(held.size()); }

private:
  void put(size_t bytes) {
    if (!command.printIds) {
      std::fwrite(held.data(), 1, bytes, stdout);
      std::fflush(stdout);
    }
    held.erase(0, bytes);
  }
  const tool::RunCommand &command;
  std::string held;
};

void run(const tool::RunCommand &command) {
  double start = now();
  ds_model_t *loaded = nullptr;
  check(ds_load(command.model.c_str(), nullptr, &loaded));
  std::unique_ptr<ds_model_t, Freed> model(loaded);
  const DsModel &m = *ds_model_descriptor(model.get());
  std::unique_ptr<ds::Tokenizer> tokenizer = tokenizerOf(m);
  std::vector<int32_t> ids = promptIds(command, tokenizer.get());
  if (ids.empty())
    fail("the prompt is empty");

  ds_session_options sessionOptions = {};
  sessionOptions.slots = 1;
  sessionOptions.chunk = command.chunk;
  sessionOptions.threads = command.threads;
  sessionOptions.length =
      command.length ? command.length
      : command.count >= 0
          ? int64_t(ids.size()) + std::max<int64_t>(command.count, 1)
          : m.max_length;
  ds_session_t *created = nullptr;
  check(ds_session_create(model.get(), &sessionOptions, &created));
  std::unique_ptr<ds_session_t, Freed> session(created);
  ds_sampler_options samplerOptions = {};
  samplerOptions.temperature = command.temperature;
  samplerOptions.top_k = command.topK;
  samplerOptions.top_p = command.topP;
  samplerOptions.min_p = command.minP;
  samplerOptions.repeat_penalty = command.repeatPenalty;
  samplerOptions.seed = command.seed;
  samplerOptions.vocabulary = int32_t(ds_tokenizer_vocabulary(model.get()));
  ds_sampler_t *sampling = nullptr;
  check(ds_sampler_create(&samplerOptions, &sampling));
  std::unique_ptr<ds_sampler_t, Freed> sampler(sampling);
  double loadSeconds = now() - start;

  size_t promptCount = ids.size();
  size_t rows = command.allLogits ? promptCount : 1;
  std::vector<float> logits(rows * size_t(m.vocabulary));
  LogitsFile logitsFile(command.logitsOut, m.vocabulary);
  start = now();
  ds_feed feed = {0, ids.data(), int64_t(ids.size()),
                  command.allLogits ? DS_LOGITS_ALL : DS_LOGITS_LAST};
  check(ds_session_feed(session.get(), &feed, 1, logits.data(),
                        int64_t(logits.size()), nullptr));
  logitsFile.add(logits.data(), rows);
  double prefillSeconds = now() - start;
  if (rows > 1) // the last row chooses
    logits.erase(logits.begin(), logits.end() - m.vocabulary);

  std::unique_ptr<ds::StreamingDecoder> decoder;
  if (tokenizer)
    decoder = std::make_unique<ds::StreamingDecoder>(*tokenizer, true);
  Output output(command);
  std::signal(SIGINT, [](int) { interrupted = 1; });
  start = now();
  bool going = true;
  int64_t generated = 0;
  while (going && !interrupted && generated != command.count) {
    int32_t id;
    check(ds_sampler_sample(sampler.get(), logits.data(), m.vocabulary,
                            ids.data(), int64_t(ids.size()), &id));
    bool isEnd = std::find(m.eos_ids, m.eos_ids + m.eos_count, id) !=
                 m.eos_ids + m.eos_count;
    if (isEnd && !command.ignoreEos)
      break;
    ids.push_back(id);
    ++generated;
    if (decoder)
      going = output.add(decoder->next(id));
    if (!going || generated == command.count ||
        ds_session_length(session.get(), 0) >= sessionOptions.length)
      break;
    feed = {0, &ids.back(), 1, DS_LOGITS_LAST};
    check(ds_session_feed(session.get(), &feed, 1, logits.data(),
                          int64_t(logits.size()), nullptr));
    logitsFile.add(logits.data(), 1);
  }
  if (decoder && going)
    output.add(decoder->finish());
  output.finish();
  double decodeSeconds = now() - start;
  if (command.printIds) {
    std::string line;
    for (size_t i = promptCount; i < ids.size(); ++i)
      line += (i > promptCount ? "," : "") + std::to_string(ids[i]);
    std::printf("%s\n", line.c_str());
  }
  if (std::fflush(stdout) != 0)
    fail(std::string("cannot write the text: ") + std::strerror(errno));
  logitsFile.write();
  if (command.stats) {
    uint64_t cacheBytes = 0;
    for (uint32_t i = 0; i < m.cache_count; ++i)
      cacheBytes += uint64_t(m.caches[i].heads * m.caches[i].width) *
                    (m.caches[i].type == DS_TYPE_F32 ? 4 : 2);
    rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    json stats = {{"prompt_tokens", promptCount},
                  {"generated_tokens", generated},
                  {"load_s", loadSeconds},
                  {"prefill_s", prefillSeconds},
                  {"decode_s", decodeSeconds},
                  {"cache_bytes_per_token", cacheBytes},
                  {"peak_rss_bytes", uint64_t(usage.ru_maxrss) * 1024}};
    std::fprintf(stderr, "%s\n", stats.dump().c_str());
  }
}

} // namespace

int main(int argc, char **argv) {
  tool::RunCommand command;
  if (int code = tool::parseCommandLine(argc, argv, command); code >= 0)
    return code;
  try {
    run(command);
    return 0;
  } catch (const std::exception &error) {
    std::fflush(stdout);
    std::fprintf(stderr, "ds-run: error: %s\n", error.what());
    return 1;
  }
}
