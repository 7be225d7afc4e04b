//===- ds-bench.cpp - how fast a model is, and how fast it could be -------===//
//
// Tokens a second of prefill and decode, beside what this machine reads and
// multiplies at most. Decoding is paired with the reads of its own round: what
// else goes on in the memory then disturbs both. Medians over the rounds are
// printed.
//
//===----------------------------------------------------------------------===//
#include "ds/ds_runtime.h"
#include "tools/ds-bench/Machine.h"

#include "tools/Exit.h"
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <map>
#include <nlohmann/json.hpp>
#include <thread>

using nlohmann::ordered_json;

namespace {

struct Command {
  std::string model;
  bool json = false;
  int threads = 0;
  int64_t prompt = 512, decode = 64;
  double seconds = 20;
  int64_t megabytes = 1024;
};

/// One round. Tokens per second: `behind` is decoding behind the prompt,
/// `first` from position 0 on. `read` is the best of the plain reads before,
/// between and behind them, bytes per second; `peak` multiply-adds per second.
struct Round {
  double peak, prefill, behind, first, read;
};

double now() {
  return std::chrono::duration<double>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

double median(std::vector<double> values) {
  if (values.empty())
    return 0;
  auto middle = values.begin() + long(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

void check(ds_result result) {
  if (result != DS_OK)
    throw std::runtime_error(ds_last_error());
}

nlohmann::json describe(const ds_model_t *model) {
  char *text = nullptr;
  check(ds_model_describe(model, &text));
  nlohmann::json description = nlohmann::json::parse(text);
  ds_free(text);
  return description;
}

/// The instruction that the products of this model can use at best: the type
/// that most of its weights have, and the variant in use.
bench::Instruction instructionOf(const DsModel &facts,
                                 const nlohmann::json &description) {
  std::string variant = description.at("variant");
  const nlohmann::json &options = description.at("options");
  bool exact = options.is_object() && options.value("precision", "") == "exact";
  std::map<uint32_t, uint64_t> bytes;
  for (uint32_t i = 0; i < facts.parameter_count; ++i)
    bytes[facts.parameters[i].type] += facts.parameters[i].bytes;
  uint32_t most = DS_TYPE_F32;
  for (auto [type, count] : bytes)
    if (count > bytes[most])
      most = type;
  bench::Instruction fma = variant == "x86-64-v3" ? bench::Instruction::Fma256
                                                  : bench::Instruction::Fma512;
  if (exact || variant == "x86-64-v3")
    return fma;
  switch (most) {
  case DS_TYPE_BF16:
  // Becomes bf16 in registers.
  case DS_TYPE_F8_E4M3:
    return variant == "x86-64-v4-bf16" ? bench::Instruction::Bf16Dot : fma;
  case DS_TYPE_I8:
  case DS_TYPE_U8:
  case DS_TYPE_I4:
  case DS_TYPE_U4:
    return bench::Instruction::Int8Dot;
  default:
    return fma;
  }
}

class Runner {
public:
  Runner(const ds_model_t *model, const Command &command)
      : command(command), facts(*ds_model_descriptor(model)) {
    ds_session_options options = {};
    options.length = command.prompt + command.decode;
    options.threads = command.threads;
    check(ds_session_create(model, &options, &session));
    logits.resize(size_t(facts.vocabulary));
    // Any ids do: the work does not depend on them.
    for (int64_t i = 0; i < command.prompt + command.decode; ++i)
      ids.push_back(int32_t((i * 7919 + 13) % facts.vocabulary));
  }
  ~Runner() { ds_session_free(session); }

  /// Tokens per second.
  double prefill() {
    check(ds_session_rewind(session, 0, 0));
    double start = now();
    feed(0, command.prompt);
    return double(command.prompt) / (now() - start);
  }
  double decodeFrom(int64_t position) {
    check(ds_session_rewind(session, 0, position));
    double start = now();
    for (int64_t i = 0; i < command.decode; ++i)
      feed(position + i, 1);
    return double(command.decode) / (now() - start);
  }

private:
  void feed(int64_t first, int64_t count) {
    ds_feed one = {0, &ids[size_t(first)], count, DS_LOGITS_LAST, 0};
    check(ds_session_feed(session, &one, 1, logits.data(),
                          int64_t(logits.size()), nullptr));
  }

  const Command &command;
  const DsModel &facts;
  ds_session_t *session = nullptr;
  std::vector<float> logits;
  std::vector<int32_t> ids;
};

ordered_json report(const ds_model_t *model, const Command &command,
                    const std::string &variant, unsigned threads,
                    bench::Instruction instruction,
                    const std::vector<Round> &rounds) {
  const DsModel &facts = *ds_model_descriptor(model);
  auto over = [&](auto figure) {
    std::vector<double> values;
    for (const Round &round : rounds)
      values.push_back(figure(round));
    return median(std::move(values));
  };
  double weightBytes = double(ds_model_weight_bytes_per_token(model)),
         // The longest text has `prompt` + `decode` tokens, the mean of them.
      cacheBytes = double(ds_model_cache_bytes_per_token(model)) *
                   (double(command.prompt) + double(command.decode + 1) / 2);
  // Logits are computed for the last token of a prompt only.
  double prefillWork =
      double(facts.multiply_adds_per_token) +
      double(facts.multiply_adds_per_logits) / double(command.prompt);
  double decodeWork = double(facts.multiply_adds_per_token) +
                      double(facts.multiply_adds_per_logits);
  double peak = over([](const Round &r) { return r.peak; }),
         prefill = over([](const Round &r) { return r.prefill; }),
         behind = over([](const Round &r) { return r.behind; }),
         first = over([](const Round &r) { return r.first; }),
         read = over([](const Round &r) { return r.read; });
  ordered_json each = ordered_json::array();
  for (const Round &r : rounds)
    each.push_back({{"prefill_tokens_per_s", r.prefill},
                    {"decode_from_start_tokens_per_s", r.first},
                    {"decode_tokens_per_s", r.behind},
                    {"read_bytes_per_s", r.read},
                    {"peak_multiply_adds_per_s", r.peak}});
  return {{"model", command.model},
          {"variant", variant},
          {"threads", threads},
          {"rounds", std::move(each)},
          {"prompt_tokens", command.prompt},
          {"decode_tokens", command.decode},
          {"prefill_tokens_per_s", prefill},
          {"decode_tokens_per_s", behind},
          {"decode_from_start_tokens_per_s", first},
          {"read_bytes_per_s", read},
          {"weight_bytes_per_token", ds_model_weight_bytes_per_token(model)},
          {"cache_bytes_per_token", ds_model_cache_bytes_per_token(model)},
          {"cache_bytes_read_per_token", cacheBytes},
          {"decode_from_start_share_of_bandwidth", over([&](const Round &r) {
             return weightBytes * r.first / r.read;
           })},
          {"decode_share_of_bandwidth", over([&](const Round &r) {
             return (weightBytes + cacheBytes) * r.behind / r.read;
           })},
          {"instruction", bench::instructionName(instruction)},
          {"peak_multiply_adds_per_s", peak},
          {"multiply_adds_per_token", facts.multiply_adds_per_token},
          {"multiply_adds_per_logits", facts.multiply_adds_per_logits},
          // Arithmetic is not shared with others as memory is: of the medians.
          {"prefill_share_of_peak", prefillWork * prefill / peak},
          {"decode_share_of_peak", decodeWork * behind / peak}};
}

void print(const ordered_json &r) {
  auto number = [&](const char *key) { return r.at(key).get<double>(); };
  auto text = [&](const char *key) { return r.at(key).get<std::string>(); };
  std::printf("%s, variant %s, %.0f threads, median of %zu rounds\n",
              text("model").c_str(), text("variant").c_str(), number("threads"),
              r.at("rounds").size());
  auto line = [](const std::string &what, double speed, double share) {
    std::printf("%-38s %8.1f tokens/s   %5.1f %% of ", what.c_str(), speed,
                100 * share);
  };
  std::string prompt = std::to_string(r.at("prompt_tokens").get<int64_t>()),
              decode = std::to_string(r.at("decode_tokens").get<int64_t>());
  line("prefill of " + prompt + " tokens", number("prefill_tokens_per_s"),
       number("prefill_share_of_peak"));
  std::printf("peak (%s, %.1f G multiply-adds/s)\n",
              text("instruction").c_str(),
              number("peak_multiply_adds_per_s") / 1e9);
  line("decode of " + decode + " tokens from position 0",
       number("decode_from_start_tokens_per_s"),
       number("decode_from_start_share_of_bandwidth"));
  std::printf("bandwidth (%.1f GB/s; %.1f MB of weights a token)\n",
              number("read_bytes_per_s") / 1e9,
              number("weight_bytes_per_token") / 1e6);
  line("decode of " + decode + " tokens behind the prompt",
       number("decode_tokens_per_s"), number("decode_share_of_bandwidth"));
  std::printf("bandwidth (and %.1f MB of cache a token)\n",
              number("cache_bytes_read_per_token") / 1e6);
}

void run(const Command &command) {
  ds_model_t *model = nullptr;
  check(ds_load(command.model.c_str(), nullptr, &model));
  std::unique_ptr<ds_model_t, void (*)(ds_model_t *)> owner(model,
                                                            ds_model_free);
  const DsModel &facts = *ds_model_descriptor(model);
  if (facts.mode != DS_MODE_LANGUAGE_MODEL)
    throw std::runtime_error("'" + command.model +
                             "' was compiled as a graph; ds-bench measures "
                             "language models");
  nlohmann::json description = describe(model);
  bench::Instruction instruction = instructionOf(facts, description);
  unsigned threads = command.threads ? unsigned(command.threads)
                                     : std::thread::hardware_concurrency();
  bench::ReadBuffer buffer(size_t(command.megabytes) << 20, threads);
  Runner runner(model, command);
  runner.prefill(); // pages of the weights, threads, clocks
  runner.decodeFrom(command.prompt);
  std::vector<Round> rounds;
  double start = now();
  while (rounds.size() < 3 || now() - start < command.seconds) {
    Round round = {};
    auto read = [&] {
      for (unsigned streams : bench::readStreams)
        round.read = std::max(round.read, buffer.measure(streams));
    };
    round.peak = bench::measurePeak(instruction, threads);
    round.prefill = runner.prefill();
    read();
    round.behind = runner.decodeFrom(command.prompt);
    read();
    round.first = runner.decodeFrom(0);
    read();
    rounds.push_back(round);
  }
  ordered_json result = report(model, command, description.at("variant"),
                               threads, instruction, rounds);
  if (command.json)
    std::printf("%s\n", result.dump(1).c_str());
  else
    print(result);
  if (std::fflush(stdout) != 0)
    throw std::runtime_error(std::string("cannot write the figures: ") +
                             std::strerror(errno));
}

int parse(int argc, char **argv, Command &command) {
  CLI::App app{
      "Measures a language model: tokens a second, and the share of what this "
      "machine reads and multiplies at most, measured in the same run.\n\n"
      "  ds-bench model.so --threads=2\n"
      "  ds-bench model.so --prompt=128 --seconds=60 --json\n\n"
      "Decoding one text reads every weight once a token: its wall is memory. "
      "Prefill reads them once for all tokens: its wall is arithmetic.",
      "ds-bench"};
  app.option_defaults()->always_capture_default();
  app.add_option("MODEL", command.model, "model.so, as ds-compile made it")
      ->required();
  app.add_flag("--json", command.json, "all figures as JSON");
  app.add_option("--threads", command.threads, "0: all processors")
      ->check(CLI::Range(0, 1024));
  app.add_option("--prompt", command.prompt, "tokens of the prompt")
      ->check(CLI::Range(int64_t(1), int64_t(1) << 24));
  app.add_option("--decode", command.decode,
                 "tokens generated behind it, and from position 0 on")
      ->check(CLI::Range(int64_t(1), int64_t(1) << 24));
  app.add_option("--seconds", command.seconds,
                 "measure for so long, three rounds at least")
      ->check(CLI::Range(0.0, 1e6));
  app.add_option("--buffer-mb", command.megabytes,
                 "size of the buffer that the bandwidth is measured with")
      ->check(CLI::Range(int64_t(1), int64_t(1) << 20));
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError &error) {
    return tool::exitCode(app, error);
  }
  return -1;
}

} // namespace

int main(int argc, char **argv) {
  Command command;
  if (int code = parse(argc, argv, command); code >= 0)
    return code;
  try {
    run(command);
    return 0;
  } catch (const std::exception &error) {
    std::fprintf(stderr, "ds-bench: error: %s\n", error.what());
    return 1;
  }
}
