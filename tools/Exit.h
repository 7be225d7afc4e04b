//===- Exit.h - the end of a program that is not to run --------*- C++ -*-===//
//
// Help is asked for and written like any other output: a disk that is full must
// be seen.
//
//===----------------------------------------------------------------------===//
#ifndef TOOLS_EXIT_H
#define TOOLS_EXIT_H

#include <CLI/CLI.hpp>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <iostream>

namespace tool {

/// Prints the help or what was wrong with the command line. Returns the exit
/// code: 0, of wrong usage 2, and 1 where the help could not be written.
inline int exitCode(const CLI::App &app, const CLI::ParseError &error) {
  if (app.exit(error) != 0)
    return 2;
  if (std::cout.flush())
    return 0;
  std::fprintf(stderr, "%s: error: cannot write: %s\n", app.get_name().c_str(),
               std::strerror(errno));
  return 1;
}

} // namespace tool

#endif // TOOLS_EXIT_H
