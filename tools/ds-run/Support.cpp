//===- Support.cpp - what every part of ds-run needs ----------------------===//
#include "tools/ds-run/Support.h"

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <sys/resource.h>
#include <unistd.h>

namespace tool {

void fail(const std::string &message) { throw std::runtime_error(message); }

void check(ds_result result) {
  if (result != DS_OK)
    fail(ds_last_error());
}

double now() {
  return std::chrono::duration<double>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

uint64_t peakResidentBytes() {
  rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return uint64_t(usage.ru_maxrss) * 1024;
}

std::string readFile(const std::string &path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  // A folder can be opened but not read.
  if (!file || (file.peek() != EOF && !(text << file.rdbuf())) || file.bad())
    fail("cannot read '" + path + "': " + std::strerror(errno));
  return text.str();
}

void requireWritable(const std::string &path) {
  if (path.empty())
    return;
  std::error_code code;
  std::filesystem::path folder = std::filesystem::path(path).parent_path();
  bool exists = std::filesystem::exists(path, code);
  bool special = exists && !std::filesystem::is_regular_file(path, code);
  if (special && std::filesystem::is_directory(path, code))
    fail("cannot write '" + path + "': Is a directory");
  // A regular file is replaced, which takes the right to write its folder.
  std::string target = special          ? path
                       : folder.empty() ? std::string(".")
                                        : folder.string();
  if (::access(target.c_str(), W_OK) != 0)
    fail("cannot write '" + path + "': " + std::strerror(errno));
}

void writeText(std::string_view text) {
  if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size() ||
      std::fflush(stdout) != 0)
    fail(std::string("cannot write the text: ") + std::strerror(errno));
}

static volatile std::sig_atomic_t interruptCount = 0;

void catchInterrupt(bool onlyOnce) {
  struct sigaction action = {};
  action.sa_handler = [](int) { interruptCount = 1; };
  // Without SA_RESTART: reading a line ends, too.
  action.sa_flags = onlyOnce ? int(SA_RESETHAND) : 0;
  sigaction(SIGINT, &action, nullptr);
}
bool interrupted() { return interruptCount != 0; }
void clearInterrupt() { interruptCount = 0; }

} // namespace tool
