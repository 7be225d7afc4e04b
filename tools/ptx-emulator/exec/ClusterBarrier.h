//===- ClusterBarrier.h - barrier.cluster ---------------------*- C++ -*-===//
#ifndef TOOLS_PTX_EMULATOR_EXEC_CLUSTERBARRIER_H
#define TOOLS_PTX_EMULATOR_EXEC_CLUSTERBARRIER_H

#include "tools/ptx-emulator/races/Clocks.h"

#include <array>

namespace ptx {

class Cluster;
class Warp;

/// Complete when every thread of the cluster that has not exited has arrived.
/// Arriving and waiting are apart: what a thread does in between is not
/// ordered.
class ClusterBarrier {
public:
  explicit ClusterBarrier(Cluster &cluster) : cluster(cluster) {}

  /// The active lanes arrive. Throws Fault: one arrives twice, or others of the
  /// warp came by another instruction that is `isAligned`.
  void arrive(Warp &warp, bool releases, bool isAligned);
  /// They go on when the barrier that they arrived at is complete. Throws
  /// Fault: one has not arrived, or as above.
  void wait(Warp &warp, bool isAligned);
  void lanesExited();

private:
  void completeIfDone();

  Cluster &cluster;
  uint32_t phase = 0;
  struct OfWarp {
    /// Lanes that arrived in this phase, that are to wait for one, and that do
    /// or did while others of the warp are still to.
    uint32_t arrived = 0, toWait = 0, waited = 0;
    /// Where they did.
    uint32_t arrivePc = 0, waitPc = 0;
    /// By lane: of which phase the barrier is that it arrived at.
    std::array<uint32_t, warpSize> phases = {};
  };
  OfWarp &of(const Warp &warp);
  std::vector<OfWarp> warps; // by number in the cluster
  Clock coming, completed;
};

} // namespace ptx

#endif // TOOLS_PTX_EMULATOR_EXEC_CLUSTERBARRIER_H
