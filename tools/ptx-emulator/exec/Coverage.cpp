//===- Coverage.cpp - which instructions were executed --------------------===//
#include "tools/ptx-emulator/exec/Coverage.h"
#include "tools/ptx-emulator/ptx/Opcodes.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <set>
#include <stdexcept>
#include <unistd.h>
#include <utility>

namespace ptx {

Coverage::Coverage(const Kernel &kernel)
    : kernel(kernel), executed(new std::atomic<bool>[kernel.steps.size()]()) {}

/// FNV-1a.
static uint64_t hashOf(std::string_view text) {
  uint64_t hash = 0xcbf29ce484222325;
  for (char each : text)
    hash = (hash ^ uint8_t(each)) * 0x100000001b3;
  return hash;
}

std::string Coverage::text() const {
  // An instruction may be several steps: all of them, if any.
  std::set<const Instruction *> done, left;
  for (uint32_t pc = 0; pc < kernel.steps.size(); ++pc)
    if (const Instruction *source = kernel.steps[pc].source)
      (executed[pc] ? done : left).insert(source);
  std::set<int> lines;
  for (const Instruction *each : left)
    if (!done.contains(each))
      lines.insert(each->line);
  std::set<std::string> texts;
  for (const Instruction *each : done)
    texts.insert(std::to_string(each->form - forms().data()) + " " +
                 textOf(*each));
  size_t all = done.size();
  for (const Instruction *each : left)
    all += !done.contains(each);

  char hash[32];
  std::snprintf(hash, sizeof hash, "%016llx",
                static_cast<unsigned long long>(hashOf(kernel.module->source)));
  std::string result = std::string("{\"module\": \"") + hash +
                       "\", \"kernel\": \"" + kernel.entry->name +
                       "\", \"instructions\": " + std::to_string(all) +
                       ", \"executed\": " + std::to_string(done.size()) +
                       ", \"unexecuted lines\": [";
  const char *separator = "";
  for (int each : lines)
    result += std::exchange(separator, ", ") + std::to_string(each);
  result += "], \"forms\": [";
  separator = "";
  for (const std::string &each : texts)
    result += std::string(std::exchange(separator, ", ")) + "\"" + each + "\"";
  return result + "]}\n";
}

void Coverage::appendTo(const std::string &path) const {
  std::string line = text();
  int file =
      open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666);
  // At once, since several processes may add to it.
  bool isWritten = file >= 0 && write(file, line.data(), line.size()) ==
                                    ssize_t(line.size());
  int error = errno;
  if (file >= 0)
    close(file);
  if (!isWritten)
    throw std::runtime_error("cannot add to '" + path +
                             "': " + std::strerror(error));
}

} // namespace ptx
