//===- Coverage.h - which instructions were executed ----------*- C++ -*-===//
#ifndef TOOLS_PTX_EMULATOR_EXEC_COVERAGE_H
#define TOOLS_PTX_EMULATOR_EXEC_COVERAGE_H

#include "tools/ptx-emulator/exec/Kernel.h"

#include <atomic>
#include <memory>

namespace ptx {

/// Of one launch. Several threads of the host may execute it.
class Coverage {
public:
  explicit Coverage(const Kernel &kernel);

  /// A lane executed a step.
  void mark(uint32_t pc) {
    if (!executed[pc].load(std::memory_order_relaxed))
      executed[pc].store(true, std::memory_order_relaxed);
  }

  /// A line of JSON: the module's hash, the kernel, how many instructions it
  /// has and how many were executed, the lines of the others, and, of those
  /// that were executed, the forms (number in opcodes.def) and their text.
  std::string text() const;
  /// Adds text() to a file. Throws std::runtime_error.
  void appendTo(const std::string &path) const;

private:
  const Kernel &kernel;
  std::unique_ptr<std::atomic<bool>[]> executed; // by pc
};

} // namespace ptx

#endif // TOOLS_PTX_EMULATOR_EXEC_COVERAGE_H
