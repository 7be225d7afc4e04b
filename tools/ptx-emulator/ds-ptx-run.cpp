//===- ds-ptx-run.cpp - PTX from the command line -------------------------===//
#include "tools/Exit.h"
#include "tools/ptx-emulator/ptx/Lexer.h"
#include "tools/ptx-emulator/ptx/Opcodes.h"
#include "tools/ptx-emulator/ptx/Parser.h"

#include <CLI/CLI.hpp>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>

namespace {

struct Command {
  std::vector<std::string> check;
  bool listForms = false;
};

/// Prints the functions of a module: what each takes and holds.
void describe(const std::string &path, const ptx::Module &module) {
  std::printf("%s: PTX %u.%u for sm_%u%s\n", path.c_str(), module.major,
              module.minor, module.architecture,
              module.isArchitectureSpecific ? "a" : "");
  for (const ptx::Variable &each : module.variables)
    std::printf("  variable %s: %llu bytes\n", each.name.c_str(),
                static_cast<unsigned long long>(each.size()));
  for (const ptx::Function &each : module.functions) {
    auto bytesIn = [&](ptx::Space space) {
      unsigned long long bytes = 0;
      for (const ptx::Variable &variable : each.variables)
        bytes += variable.space == space ? variable.size() : 0;
      return bytes;
    };
    std::printf("  %s %s: %zu parameters, ",
                each.isEntry ? "entry" : "function", each.name.c_str(),
                each.parameters.size());
    if (!each.hasBody) {
      std::printf("declared\n");
      continue;
    }
    std::printf("%zu instructions, %zu registers, %llu bytes shared, %llu "
                "local\n",
                each.body.size(), each.registers.size(),
                bytesIn(ptx::Space::Shared), bytesIn(ptx::Space::Local));
  }
}

/// Whether the file is a module that the emulator takes; says what is in it, or
/// why not.
bool check(const std::string &path) {
  std::ifstream file(path, std::ios::binary);
  std::string text;
  char block[65536];
  while (file.read(block, sizeof block) || file.gcount() > 0)
    text.append(block, size_t(file.gcount()));
  if (!file.is_open() || file.bad()) {
    std::fprintf(stderr, "ds-ptx-run: error: cannot read '%s': %s\n",
                 path.c_str(), std::strerror(errno));
    return false;
  }
  try {
    describe(path, ptx::parseModule(text));
    return true;
  } catch (const ptx::Error &error) {
    std::fprintf(stderr, "ds-ptx-run: error: %s: %s\n", path.c_str(),
                 error.what());
    return false;
  }
}

void listForms() {
  for (const ptx::Form &form : ptx::forms())
    std::printf("%-14.*s sm_%u%s %u.%u  %-20.*s %.*s\n",
                int(form.opcode.size()), form.opcode.data(), form.target / 10,
                form.target % 10 ? "a" : "", form.version / 10,
                form.version % 10, int(form.operands.size()),
                form.operands.data(), int(form.modifiers.size()),
                form.modifiers.data());
}

} // namespace

int main(int argc, char **argv) {
  Command command;
  CLI::App app{"Reads PTX as the emulator does, which refuses what it does not "
               "know instead of\nignoring it.\n\n"
               "  ds-ptx-run --check kernel.ptx\n\n"
               "Exit codes: 0 done, 1 a file was refused, 2 wrong usage.",
               "ds-ptx-run"};
  app.add_option("--check", command.check,
                 "read these files, and print their functions or the first "
                 "line that is refused and why")
      ->type_name("FILE");
  app.add_flag("--list-forms", command.listForms,
               "print every instruction that is known: opcode, least target "
               "and version, operands, modifiers (opcodes.def says how to read "
               "them)");
  app.require_option(1);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError &error) {
    return tool::exitCode(app, error);
  }
  if (command.listForms)
    listForms();
  bool isFine = true;
  for (const std::string &path : command.check)
    isFine &= check(path);
  return isFine ? 0 : 1;
}
