//===- Dependencies.h - launches that may still run -----------*- C++ -*-===//
//
// A launch with leave for it (programmatic dependent launch) may begin when the
// one before executes griddepcontrol.launch_dependents, and must execute
// griddepcontrol.wait before it touches what that one touched. Here it begins
// when that one has ended; what that one touched is kept, and touching it
// without having waited is a fault.
//
//===----------------------------------------------------------------------===//
#ifndef TOOLS_PTX_EMULATOR_EXEC_DEPENDENCIES_H
#define TOOLS_PTX_EMULATOR_EXEC_DEPENDENCIES_H

#include "tools/ptx-emulator/exec/Limits.h"
#include "tools/ptx-emulator/races/GlobalShadow.h"

#include <atomic>

namespace ptx {

class Warp;

/// What a launch did.
struct GridHistory {
  /// Keeps `kernel`.
  std::shared_ptr<const void> module;
  const Kernel *kernel;
  LaunchShape shape;
  std::shared_ptr<const GlobalShadow> shadow;
};

class Dependencies {
public:
  /// Of a launch that begins when all before it have ended.
  Dependencies() = default;

  bool areAny() const { return !waited.empty() || !unwaited.empty(); }

  /// griddepcontrol of the active lanes.
  void wait(Warp &warp);
  void launchDependents(Warp &warp);

  /// Throws Fault: a launch before, which may still run, reads or writes the
  /// word at a global address.
  void check(Warp &warp, uint64_t address, const Touch &touch) const;

  /// Of a launch that may begin early behind the one that these are of, which
  /// has ended. Null: none.
  std::shared_ptr<Dependencies> ofNext(const GridHistory &history) const;

private:
  using Histories = std::vector<std::shared_ptr<const GridHistory>>;

  /// Launches that end before a wait does, and those that may go on even then,
  /// since what the wait waits for did not wait for them.
  Histories waited, unwaited;
  /// By any thread; several threads of the host execute them.
  std::atomic<bool> hasWaited = false, hasTriggered = false;
  /// A thread let the next launch begin that did not know of a wait.
  std::atomic<bool> triggersEarly = false;
};

} // namespace ptx

#endif // TOOLS_PTX_EMULATOR_EXEC_DEPENDENCIES_H
