//===- ClusterBarrier.h - barrier.cluster ---------------------*- C++ -*-===//
#ifndef TOOLS_PTX_EMULATOR_EXEC_CLUSTERBARRIER_H
#define TOOLS_PTX_EMULATOR_EXEC_CLUSTERBARRIER_H

#include "tools/ptx-emulator/races/Clocks.h"

namespace ptx {

class Cluster;
class Warp;

/// Complete when every thread of the cluster that has not exited has arrived.
/// Arriving and waiting are apart: what a thread does in between is not
/// ordered.
class ClusterBarrier {
public:
  explicit ClusterBarrier(Cluster &cluster) : cluster(cluster) {}

  /// The active lanes arrive. Throws Fault: one arrives twice.
  void arrive(Warp &warp, bool releases);
  /// They go on when the barrier that they arrived at is complete. Throws
  /// Fault: one has not arrived.
  void wait(Warp &warp);
  void lanesExited();

private:
  void completeIfDone();

  Cluster &cluster;
  uint32_t phase = 0;
  /// By warp of the cluster: lanes that arrived in this phase, and those that
  /// are to wait for one; of which phase, by warp too, since all of a warp are
  /// at most one apart.
  std::vector<uint32_t> arrived, toWait;
  std::vector<std::vector<uint32_t>> phases;
  Clock coming, completed;
};

} // namespace ptx

#endif // TOOLS_PTX_EMULATOR_EXEC_CLUSTERBARRIER_H
