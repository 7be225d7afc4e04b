//===- CommandLine.h - what ds-run is asked to do -------------*- C++ -*-===//
//
// An interface that scripts outside this repository call; DESIGN §6 binds it.
//
//===----------------------------------------------------------------------===//
#ifndef TOOLS_DS_RUN_COMMANDLINE_H
#define TOOLS_DS_RUN_COMMANDLINE_H

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace tool {

struct RunCommand {
  std::string model;
  // One of these says what to do.
  std::string prompt, file, messages, batch, inputs;
  std::vector<int32_t> tokenIds;
  bool hasPrompt = false, chat = false;

  std::string outputs, logitsOut, statesOut, chatTemplate, device = "cpu";
  std::vector<std::string> stops;
  int64_t count = -1, length = 0, chunk = 0;
  int threads = 0, topK = 0;
  int drafts = 0;          // a step; 0: none
  bool draftsAuto = false; // only while it pays
  float temperature = 0, topP = 0, minP = 0, repeatPenalty = 0;
  uint64_t seed = 0;
  std::string bias, saveBias;
  std::optional<float> updateBias; // gamma
  bool ignoreEos = false, printIds = false, allLogits = false, stats = false;
};

/// Fills `command`. Returns the exit code where the program is to end at once
/// (help 0, wrong usage 2), −1 otherwise.
int parseCommandLine(int argc, char **argv, RunCommand &command);

} // namespace tool

#endif // TOOLS_DS_RUN_COMMANDLINE_H
