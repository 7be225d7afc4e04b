//===- CommandLine.h - what ds-compile is asked to do ---------*- C++ -*-===//
//
// An interface that scripts outside this repository call; DESIGN §6 binds it.
//
//===----------------------------------------------------------------------===//
#ifndef TOOLS_DS_COMPILE_COMMANDLINE_H
#define TOOLS_DS_COMPILE_COMMANDLINE_H

#include <string>
#include <vector>

namespace tool {

struct CompileCommand {
  std::string model, output, emit = "so", mode = "auto", cpu = "fat";
  std::string tokenizer, saveTemps, precision = "fast", weightType = "keep",
                                    cacheType;
  std::string config, reference, weights = "file", trust = "graph",
                                 mlaAbsorbBelow = "auto";
  std::vector<std::string> draftLayers;
  long long maxLength = 0;
  bool requireFast = false, remarks = false, timing = false, listOps = false,
       batch = false;
};

/// Fills `command`. Returns the exit code where the program is to end at once
/// (help 0, wrong usage 2), −1 otherwise.
int parseCommandLine(int argc, char **argv, CompileCommand &command);

} // namespace tool

#endif // TOOLS_DS_COMPILE_COMMANDLINE_H
