//===- Support.h - what every part of ds-run needs ------------*- C++ -*-===//
#ifndef TOOLS_DS_RUN_SUPPORT_H
#define TOOLS_DS_RUN_SUPPORT_H

#include "ds/ds_runtime.h"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace tool {

/// Ends the program with `message` and exit code 1.
[[noreturn]] void fail(const std::string &message);
/// Fails with the runtime's message.
void check(ds_result result);

struct Freed {
  void operator()(ds_model_t *model) const { ds_model_free(model); }
  void operator()(ds_session_t *session) const { ds_session_free(session); }
  void operator()(ds_sampler_t *sampler) const { ds_sampler_free(sampler); }
  void operator()(ds_detokenizer_t *d) const { ds_detokenizer_free(d); }
  void operator()(void *memory) const { ds_free(memory); }
};
using Model = std::unique_ptr<ds_model_t, Freed>;
using Session = std::unique_ptr<ds_session_t, Freed>;
using Sampler = std::unique_ptr<ds_sampler_t, Freed>;
using Detokenizer = std::unique_ptr<ds_detokenizer_t, Freed>;

/// Seconds of a clock that only goes forward.
double now();
uint64_t peakResidentBytes();

std::string readFile(const std::string &path);
/// Fails early where writing `path` would fail after the work; nothing if it
/// is empty.
void requireWritable(const std::string &path);
/// Writes to stdout at once; fails if it cannot be written.
void writeText(std::string_view text);

/// Ctrl-C as a flag: a generation ends after the token it is at. With
/// `onlyOnce`, the next one ends the program as usual.
void catchInterrupt(bool onlyOnce);
bool interrupted();
void clearInterrupt();

} // namespace tool

#endif // TOOLS_DS_RUN_SUPPORT_H
