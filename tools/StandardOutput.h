//===- StandardOutput.h - standard output that cannot be written -*- C++
//-*-===//
//
// LLVM's own drivers print help, version and lists, and some end the program
// there; a stream with an error on it then aborts.
//
//===----------------------------------------------------------------------===//
#ifndef TOOLS_STANDARDOUTPUT_H
#define TOOLS_STANDARDOUTPUT_H

#include "llvm/Support/raw_ostream.h"
#include <cstdlib>
#include <system_error>
#include <unistd.h>

namespace tool {

/// The line about an output, "standard output" or a quoted path, of `tool`.
inline void reportUnwritable(llvm::StringRef tool, const llvm::Twine &output,
                             std::error_code code) {
  llvm::errs() << tool << ": error: cannot write " << output << ": "
               << code.message() << "\n";
}

/// From here on, however the program ends: what it could not write to standard
/// output is a line on stderr and exit code 1.
inline void checkStandardOutputAtExit(const char *tool) {
  static const char *const name = tool;
  // Made first, the stream is destroyed after this has looked at it.
  llvm::outs();
  std::atexit([] {
    llvm::raw_fd_ostream &out = llvm::outs();
    out.flush();
    if (!out.has_error())
      return;
    reportUnwritable(name, "standard output", out.error());
    out.clear_error();
    _exit(1);
  });
}

} // namespace tool

#endif // TOOLS_STANDARDOUTPUT_H
