//===- Settings.cpp - what the environment says ---------------------------===//
#include "tools/ptx-emulator/api/Settings.h"
#include "tools/ptx-emulator/api/Handles.h"

#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <initializer_list>

namespace cuda {

[[noreturn]] static void refuse(const char *name, const char *value,
                                const std::string &expected) {
  throw Failure{CUDA_ERROR_INVALID_VALUE, std::string(name) + " is '" + value +
                                              "': expected " + expected};
}

/// Which of the known values a variable has; without it the first.
static size_t choice(const char *name,
                     std::initializer_list<const char *> known) {
  const char *value = std::getenv(name);
  if (!value)
    return 0;
  std::string all;
  size_t i = 0;
  for (const char *each : known) {
    if (std::strcmp(each, value) == 0)
      return i;
    all += (i++ ? (i == known.size() ? " or " : ", ") : "") + std::string(each);
  }
  refuse(name, value, all);
}

static uint64_t number(const char *name, uint64_t otherwise, uint64_t least,
                       uint64_t most) {
  const char *value = std::getenv(name);
  if (!value)
    return otherwise;
  uint64_t result = 0;
  const char *end = value + std::strlen(value);
  auto [at, error] = std::from_chars(value, end, result);
  if (error != std::errc() || at != end || result < least || result > most)
    refuse(name, value,
           "a number from " + std::to_string(least) + " to " +
               std::to_string(most));
  return result;
}

Settings readSettings() {
  constexpr uint64_t any = ~uint64_t(0);
  Settings result;
  result.architecture = choice("DS_EMU_ARCH", {"sm_90a", "sm_80"}) ? 80 : 90;
  result.devices = int(number("DS_EMU_DEVICES", 1, 0, 64));
  result.hasLazyStreams = choice("DS_EMU_STREAMS", {"immediate", "lazy"});
  ptx::Options &options = result.options;
  options.seed = number("DS_EMU_SEED", 0, 0, any);
  options.limit = number("DS_EMU_LIMIT", options.limit, 1, any);
  options.asynchrony =
      ptx::Asynchrony(choice("DS_EMU_ASYNC", {"early", "late", "random"}));
  if (const char *coverage = std::getenv("DS_EMU_COVERAGE"))
    options.coverage = coverage;
  options.checksRaces = choice("DS_EMU_RACE", {"1", "0"}) == 0;
  if (choice("DS_EMU_UNINIT", {"error", "warn"}) == 1)
    options.warn = [](const std::string &report) {
      std::fprintf(stderr, "DS-EMU warning: %s\n", report.c_str());
    };
  options.print = [](std::string_view text) {
    std::fwrite(text.data(), 1, text.size(), stdout);
    std::fflush(stdout);
  };
  return result;
}

} // namespace cuda
