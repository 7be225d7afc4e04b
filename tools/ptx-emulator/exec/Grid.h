//===- Grid.h - one launch of a kernel ------------------------*- C++ -*-===//
#ifndef TOOLS_PTX_EMULATOR_EXEC_GRID_H
#define TOOLS_PTX_EMULATOR_EXEC_GRID_H

#include "tools/ptx-emulator/diag/Fault.h"
#include "tools/ptx-emulator/exec/AsyncOperations.h"
#include "tools/ptx-emulator/exec/Coverage.h"
#include "tools/ptx-emulator/exec/Dependencies.h"
#include "tools/ptx-emulator/exec/Limits.h"
#include "tools/ptx-emulator/mem/DeviceMemory.h"

#include <functional>
#include <memory>
#include <optional>
#include <random>
#include <span>
#include <vector>

namespace ptx {

class Cluster;
class Warp;
struct GridRaces;

/// How a launch is executed and what is checked.
struct Options {
  /// Another one: another order of warps and other contents of memory and
  /// registers that nobody wrote. The same one: the same bits.
  uint64_t seed = 0;
  Asynchrony asynchrony = Asynchrony::Early;
  /// Instructions of warps without progress until a launch is given up.
  uint64_t limit = 100'000'000;
  /// The same in all, with progress or without.
  uint64_t mostExecuted = ~uint64_t(0);
  /// Reading bytes that nobody wrote is a fault.
  bool checksDefined = true;
  /// Accesses to shared and global memory that nothing orders are faults.
  bool checksRaces = true;
  /// Threads of the host; 0: as many as there are processors. Blocks run on
  /// several where their order does not matter.
  unsigned threads = 0;
  /// A file that each launch adds to what it executed (Coverage.h); empty:
  /// none.
  std::string coverage;
  /// Takes reports of such reads, which then do not stop the kernel; each byte
  /// is reported once. Null: they stop it.
  std::function<void(const std::string &)> warn;
  /// Takes what kernels print.
  std::function<void(std::string_view)> print;
};

class Grid {
public:
  /// `parameters`: the bytes of the entry's, as Kernel::parameterOffsets says.
  Grid(const Kernel &kernel, const LaunchShape &shape,
       std::span<const uint8_t> parameters, DeviceMemory &memory,
       const DeviceLimits &limits, const Options &options);
  ~Grid();

  /// Gives a fault that does not stop the kernel to Options::warn.
  void warn(const Fault &fault) const;

  /// A thread got further: it stored something, or came through a barrier.
  void noteProgress() { progressAt = executed; }

  /// Executes all blocks. Throws Report for what stops the kernel, and
  /// std::runtime_error if Options::coverage cannot be written.
  void run();

  const Kernel &kernel;
  const LaunchShape shape;
  const std::vector<uint8_t> parameters;
  DeviceMemory &memory;
  const DeviceLimits &limits;
  const Options &options;
  /// Warp instructions up to now, which clocks count.
  uint64_t executed = 0;
  /// The same by lanes that executed them.
  uint64_t lanesExecuted = 0;
  std::mt19937_64 random;
  /// Null: races are not looked for.
  std::unique_ptr<GridRaces> races;
  /// Who touched what; null before run(), and where races are not looked for.
  std::shared_ptr<GlobalShadow> shadow;
  /// Null: nobody asks for it.
  std::shared_ptr<Coverage> coverage;
  /// On launches before.
  std::shared_ptr<Dependencies> dependencies = std::make_shared<Dependencies>();
  /// The warp that executes, for reports.
  Warp *running = nullptr;

private:
  void runAll();
  /// Executes the clusters that `next` gives, one after the other, until it
  /// gives none or `isStopped`. Throws Report.
  using Next = std::function<std::optional<uint32_t>()>;
  void runClusters(const Next &next, const std::function<bool()> &isStopped);
  /// The order of clusters: the i-th that begins.
  using Order = std::function<uint32_t(uint64_t)>;
  void runInOrder(uint64_t clusters, const Order &order);
  /// False: races are looked for, and there is something to report, which
  /// runInOrder() does. Memory is as before then.
  bool runOnThreads(uint64_t clusters, const Order &order, unsigned threads);
  /// A fault and where the warp that executes is.
  std::string placed(const Fault &fault) const;
  [[noreturn]] void reportDeadlock() const;
  /// How to get the same report again.
  std::string replay() const;

  /// It executes clusters beside other threads, and looks for races.
  bool isSpeculative = false;
  std::vector<std::unique_ptr<Cluster>> resident;
  /// What a launch without end is known by: `executed` at the last progress.
  uint64_t progressAt = 0;
};

} // namespace ptx

#endif // TOOLS_PTX_EMULATOR_EXEC_GRID_H
