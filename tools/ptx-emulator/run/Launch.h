//===- Launch.h - a kernel run from the command line ----------*- C++ -*-===//
#ifndef TOOLS_PTX_EMULATOR_RUN_LAUNCH_H
#define TOOLS_PTX_EMULATOR_RUN_LAUNCH_H

#include "tools/ptx-emulator/exec/Grid.h"

#include <string>
#include <vector>

namespace ptx {

struct LaunchRequest {
  std::string file, entry; // empty: the only one of the file
  LaunchShape shape;
  std::vector<std::string> arguments; // Arguments.h
  /// Buffers that are no arguments themselves, for maps of tensors.
  std::vector<std::string> buffers;
  /// "2": prints the third argument's elements; "2=out.bin": writes its bytes;
  /// "b0": of the first extra buffer.
  std::vector<std::string> dumps;
  Options options;
  /// Says on the error output how many instructions there were, and how fast.
  bool printsSpeed = false;
  /// Library of a driver that runs it; empty: the emulator that is built in.
  std::string driver;
};

/// Runs it and prints what it is asked for to the standard output. Throws
/// std::runtime_error: what is wrong with the request or the file; Report: what
/// the kernel did.
void launch(const LaunchRequest &request);

/// A whole file. Throws std::runtime_error.
std::string readText(const std::string &path);

} // namespace ptx

#endif // TOOLS_PTX_EMULATOR_RUN_LAUNCH_H
