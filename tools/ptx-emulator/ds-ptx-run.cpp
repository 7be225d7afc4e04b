//===- ds-ptx-run.cpp - PTX from the command line -------------------------===//
#include "tools/Exit.h"
#include "tools/ptx-emulator/ptx/Lexer.h"
#include "tools/ptx-emulator/ptx/Opcodes.h"
#include "tools/ptx-emulator/ptx/Parser.h"
#include "tools/ptx-emulator/run/Launch.h"

#include <CLI/CLI.hpp>
#include <charconv>
#include <cstdio>

namespace {

struct Command {
  ptx::LaunchRequest launch;
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
  try {
    describe(path, ptx::parseModule(ptx::readText(path)));
    return true;
  } catch (const ptx::Error &error) {
    std::fprintf(stderr, "ds-ptx-run: error: %s: %s\n", path.c_str(),
                 error.what());
  } catch (const std::runtime_error &error) {
    std::fprintf(stderr, "ds-ptx-run: error: %s\n", error.what());
  }
  return false;
}

/// Whether the kernel ran to its end.
bool run(const ptx::LaunchRequest &request) {
  try {
    ptx::launch(request);
    return true;
  } catch (const ptx::Report &report) {
    std::fprintf(stderr, "DS-EMU error: %s\n", report.what());
  } catch (const std::bad_alloc &) {
    std::fprintf(stderr, "ds-ptx-run: error: not enough memory\n");
  } catch (const std::runtime_error &error) {
    std::fprintf(stderr, "ds-ptx-run: error: %s\n", error.what());
  }
  return false;
}

/// "2", "2,3" or "2,3,4".
std::string parseDimensions(const std::string &text, ptx::Dimensions &result) {
  uint32_t *to[] = {&result.x, &result.y, &result.z};
  const char *at = text.data(), *end = at + text.size();
  for (size_t i = 0; i < 3; ++i) {
    auto [next, error] = std::from_chars(at, end, *to[i]);
    if (error != std::errc())
      break;
    if (next == end)
      return "";
    if (*next != ',')
      break;
    at = next + 1;
  }
  return "'" + text + "' is not 1 to 3 numbers, as in 4 or 4,2,1";
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
  CLI::App app{
      "Runs a kernel of a PTX file without a GPU, and reports what it does "
      "wrong: races, missing\nfences, reads of memory that nobody wrote, "
      "accesses out of bounds, waits that never end.\n\n"
      "  ds-ptx-run scale.ptx --grid 4 --block 64 --arg f32[256]=iota --arg "
      "f32=0.5 --arg u32=256 --dump 0\n\n"
      "The entry's parameters are given in their order. TYPE=VALUE is a "
      "number, TYPE[COUNT] a buffer\nwhose address is the argument: without "
      "contents, or with =iota (0, 1, 2, ...), =VALUE for all\nelements, "
      "=V0,V1,... or =@FILE for the bytes of a file. Types are u8 to u64, s8 "
      "to s64, b8 to b64,\nf16, bf16, f32, f64, e4m3 and e5m2; 0x... are the "
      "bits of any of them. tma(N; TYPE; dims=...;\nbox=...) is the map of a "
      "tensor in the buffer of argument N (bN: of --buffer), the innermost\n"
      "dimension first; swizzle=32|64|128, strides=... (bytes), steps=..., nan "
      "as cuTensorMapEncodeTiled\ntakes them.\n\n"
      "Exit codes: 0 done, 1 a file was refused or a kernel stopped, 2 wrong "
      "usage.",
      "ds-ptx-run"};
  app.add_option("FILE", command.launch.file, "PTX file to run an entry of");
  app.add_option("--entry", command.launch.entry,
                 "the entry to run (default: the only one of the file)")
      ->type_name("NAME");
  std::string grid = "1", block = "1", cluster = "1";
  auto dimensions = [](ptx::Dimensions &result) {
    return [&result](const std::string &text) {
      return parseDimensions(text, result);
    };
  };
  ptx::LaunchShape &shape = command.launch.shape;
  app.add_option("--grid", grid, "blocks of the grid (default: 1)")
      ->type_name("X[,Y[,Z]]")
      ->check(dimensions(shape.grid));
  app.add_option("--block", block, "threads of a block (default: 1)")
      ->type_name("X[,Y[,Z]]")
      ->check(dimensions(shape.block));
  app.add_option("--cluster", cluster,
                 "blocks of a cluster (default: what the entry requires, or 1)")
      ->type_name("X[,Y[,Z]]")
      ->check(dimensions(shape.cluster));
  app.add_option("--smem", shape.dynamicShared,
                 "bytes of dynamic shared memory (default: 0)")
      ->type_name("BYTES");
  app.add_flag("--cooperative", shape.isCooperative,
               "all blocks are on the device at once and may wait for each "
               "other");
  app.add_option("--arg", command.launch.arguments,
                 "an argument; once for each parameter")
      ->type_name("TYPE=VALUE|TYPE[COUNT][=CONTENTS]|tma(...)")
      ->allow_extra_args(false);
  app.add_option("--buffer", command.launch.buffers,
                 "a buffer that is no argument itself, b0, b1, ... in maps of "
                 "tensors and --dump")
      ->type_name("TYPE[COUNT][=CONTENTS]")
      ->allow_extra_args(false);
  app.add_option("--dump", command.launch.dumps,
                 "print the buffer of argument N (from 0) when the kernel has "
                 "ended, or write its bytes to a file; elements that nobody "
                 "wrote are printed as ?")
      ->type_name("N|bN[=FILE]")
      ->allow_extra_args(false);
  app.add_option("--seed", command.launch.options.seed,
                 "order of blocks and warps, and contents of memory that "
                 "nobody wrote; the same seed gives the same bits and the "
                 "same report (default: 0)")
      ->type_name("N");
  std::string asynchrony = "early";
  app.add_option("--async", asynchrony,
                 "when bytes of asynchronous copies move: early, late, or each "
                 "by chance of the seed, random (default: early)")
      ->type_name("MODE")
      ->check(CLI::IsMember({"early", "late", "random"}));
  app.add_option("--limit", command.launch.options.limit,
                 "give up after so many warp instructions without a store or "
                 "a barrier (default: 100000000)")
      ->type_name("N");
  app.add_option("--threads", command.launch.options.threads,
                 "threads of this machine that blocks run on where their order "
                 "does not matter (default: all processors)")
      ->type_name("N");
  app.add_flag("--speed", command.launch.printsSpeed,
               "say how many instructions were executed, and how fast");
  app.add_option("--coverage", command.launch.options.coverage,
                 "add a line of JSON to this file: which instructions were "
                 "executed, and the lines of those that were not "
                 "(ds-ptx-coverage reads it)")
      ->type_name("FILE")
      ->envname("DS_EMU_COVERAGE");
  bool allowsUndefined = false;
  app.add_flag("--allow-undefined", allowsUndefined,
               "do not stop at reads of memory that nobody wrote");
  bool allowsRaces = false;
  app.add_flag("--allow-races", allowsRaces,
               "do not look for accesses that nothing orders");
  app.add_option("--driver", command.launch.driver,
                 "run it on the CUDA driver of this library instead, as "
                 "libcuda.so.1 of a GPU; of the options that say how the "
                 "emulator runs only its own driver takes notice, and buffers "
                 "have no ?")
      ->type_name("LIBRARY");
  app.add_option("--check", command.check,
                 "read these files instead, and print their functions or the "
                 "first line that is refused and why")
      ->type_name("FILE");
  app.add_flag("--list-forms", command.listForms,
               "print every instruction that is known instead: opcode, least "
               "target and version, operands, modifiers (opcodes.def says how "
               "to read them)");
  try {
    app.parse(argc, argv);
    if (command.launch.file.empty() && command.check.empty() &&
        !command.listForms)
      throw CLI::RequiredError("FILE, --check or --list-forms");
  } catch (const CLI::ParseError &error) {
    return tool::exitCode(app, error);
  }
  command.launch.options.asynchrony =
      asynchrony == "early"  ? ptx::Asynchrony::Early
      : asynchrony == "late" ? ptx::Asynchrony::Late
                             : ptx::Asynchrony::Random;
  command.launch.options.checksDefined = !allowsUndefined;
  command.launch.options.checksRaces = !allowsRaces;
  command.launch.options.print = [](std::string_view text) {
    std::fwrite(text.data(), 1, text.size(), stdout);
  };
  if (command.listForms)
    listForms();
  bool isFine = true;
  for (const std::string &path : command.check)
    isFine &= check(path);
  if (!command.launch.file.empty())
    isFine &= run(command.launch);
  return isFine ? 0 : 1;
}
