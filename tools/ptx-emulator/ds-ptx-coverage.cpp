//===- ds-ptx-coverage.cpp - what launches did not execute ----------------===//
#include "tools/Exit.h"
#include "tools/ptx-emulator/exec/Selection.h"
#include "tools/ptx-emulator/ptx/Opcodes.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

namespace {

using Json = nlohmann::json;

/// A kernel in all of its launches.
struct Launches {
  size_t instructions = 0;
  std::set<int> unexecuted; // lines
};

struct Coverage {
  std::map<std::pair<std::string, std::string>, Launches> kernels;
  /// By their numbers, the modifiers of instructions.
  std::set<std::pair<size_t, std::vector<std::string>>> forms;
};

std::vector<std::string> split(std::string_view text, char separator) {
  std::vector<std::string> parts;
  while (!text.empty()) {
    size_t end = std::min(text.find(separator), text.size());
    parts.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return parts;
}

void add(Coverage &coverage, const Json &line) {
  auto [found, isNew] =
      coverage.kernels.try_emplace({line.at("kernel").get<std::string>(),
                                    line.at("module").get<std::string>()});
  Launches &launches = found->second;
  launches.instructions = line.at("instructions").get<size_t>();
  auto lines = line.at("unexecuted lines").get<std::set<int>>();
  if (isNew)
    launches.unexecuted = lines;
  std::erase_if(launches.unexecuted,
                [&](int each) { return !lines.contains(each); });
  for (const Json &each : line.at("forms")) {
    auto text = each.get<std::string>();
    size_t form = 0;
    const char *end = text.data() + text.size();
    const char *rest = std::from_chars(text.data(), end, form).ptr;
    std::vector<std::string> parts;
    if (rest != text.data() && rest != end)
      parts = split({rest + 1, end}, '.');
    bool isKnown = form < ptx::forms().size() && !parts.empty() &&
                   parts[0] == ptx::forms()[form].opcode;
    if (isKnown)
      parts.erase(parts.begin());
    if (!isKnown || !ptx::haveModifiers(ptx::forms()[form], parts))
      throw std::out_of_range("'" + text + "' is no form of this emulator");
    coverage.forms.emplace(form, std::move(parts));
  }
}

/// False: a file that cannot be read; it says so.
bool read(const std::string &path, Coverage &coverage) {
  auto refuse = [&](const std::string &why) {
    std::fprintf(stderr, "ds-ptx-coverage: error: %s: %s\n", path.c_str(),
                 why.c_str());
    return false;
  };
  errno = 0;
  std::ifstream file(path);
  std::string line;
  size_t number = 0;
  while (std::getline(file, line)) {
    ++number;
    try {
      add(coverage, Json::parse(line));
    } catch (const std::exception &error) {
      return refuse("line " + std::to_string(number) + ": " + error.what());
    }
  }
  if (number)
    return true;
  if (errno)
    return refuse(std::strerror(errno));
  return refuse("nothing is in it; launches with DS_EMU_COVERAGE=" + path +
                " add to it");
}

/// Of mma and wgmma; how many columns chooses no handler.
constexpr std::string_view shapes =
    "m8n8k4|m8n8k16|m8n8k32|m16n8k4|m16n8k8|m16n8k16|m16n8k32|m16n8k64|m64n8k8|"
    "m64n8k16|m64n8k32";

/// What each group of a form's modifiers may have; "" where it may be left out.
/// Hints of caches choose no handler.
std::vector<std::vector<std::string>> choicesOf(const ptx::Form &form) {
  std::vector<std::vector<std::string>> choices;
  for (std::string_view group : split(form.modifiers, ' ')) {
    std::vector<std::string> members;
    if (group.starts_with('?')) {
      members.emplace_back();
      group.remove_prefix(1);
    }
    if (group.starts_with("L1::") || group.starts_with("L2::"))
      continue;
    if (group == "@shape")
      group = shapes;
    for (std::string &each : split(group, '|'))
      members.push_back(std::move(each));
    choices.push_back(std::move(members));
  }
  return choices;
}

/// All handlers that instructions of a form may have, each with one of them.
void addHandlers(const ptx::Form &form,
                 std::map<ptx::Handler, std::string> &handlers) {
  std::vector<std::vector<std::string>> choices = choicesOf(form);
  size_t count = 1;
  for (const auto &each : choices)
    count *= each.size();
  for (size_t number = 0; number < count; ++number) {
    size_t left = number;
    std::vector<std::string> modifiers;
    std::string text(form.opcode);
    for (const auto &each : choices) {
      const std::string &chosen = each[left % each.size()];
      left /= each.size();
      if (chosen.empty())
        continue;
      modifiers.push_back(chosen);
      text += "." + chosen;
    }
    ptx::Modifiers asked(modifiers, form.operands);
    if (ptx::Handler handler = ptx::selectorOf(form)(asked).handler)
      handlers.emplace(handler, text);
  }
}

/// Prints the handlers that nothing executed; returns how many.
size_t printHandlers(const Coverage &coverage) {
  std::map<ptx::Handler, std::string> handlers;
  for (const ptx::Form &each : ptx::forms())
    addHandlers(each, handlers);
  size_t all = handlers.size();
  for (const auto &[number, modifiers] : coverage.forms) {
    const ptx::Form &form = ptx::forms()[number];
    ptx::Modifiers asked(modifiers, form.operands);
    handlers.erase(ptx::selectorOf(form)(asked).handler);
  }
  std::set<std::string> left;
  for (const auto &each : handlers)
    left.insert(each.second);
  for (const std::string &each : left)
    std::printf("never executed: %s\n", each.c_str());
  std::printf("%zu of %zu handlers were executed\n", all - left.size(), all);
  return left.size();
}

void printKernels(const Coverage &coverage) {
  for (const auto &[name, launches] : coverage.kernels) {
    std::printf("%s (module %s): %zu instructions", name.first.c_str(),
                name.second.c_str(), launches.instructions);
    if (!launches.unexecuted.empty())
      std::printf(", none executed of the lines");
    const char *separator = " ";
    for (int each : launches.unexecuted)
      std::printf("%s%d", std::exchange(separator, ", "), each);
    std::printf("\n");
  }
}

} // namespace

int main(int argc, char **argv) {
  CLI::App app{
      "Says what launches on the PTX emulator did not execute.\n\n"
      "  ds-ptx-run scale.ptx --coverage lines.json ...\n"
      "  ds-ptx-coverage lines.json\n\n"
      "Any program adds to a file by DS_EMU_COVERAGE=FILE. Of each kernel, in "
      "all of its launches\ntogether, the lines that have instructions none of "
      "which was executed are printed.\n\n"
      "Exit codes: 0 done, 1 a file cannot be read, or with --handlers not "
      "all were executed,\n2 wrong usage.",
      "ds-ptx-coverage"};
  std::vector<std::string> files;
  app.add_option("FILE", files, "files that launches added to")->required();
  bool ofEmulator = false;
  app.add_flag("--handlers", ofEmulator,
               "print what of the emulator itself was not executed instead");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError &error) {
    return tool::exitCode(app, error);
  }
  Coverage coverage;
  for (const std::string &path : files)
    if (!read(path, coverage))
      return 1;
  if (ofEmulator)
    return printHandlers(coverage) ? 1 : 0;
  printKernels(coverage);
  return 0;
}
