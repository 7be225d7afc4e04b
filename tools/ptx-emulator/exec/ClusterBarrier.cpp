//===- ClusterBarrier.cpp - barrier.cluster -------------------------------===//
#include "tools/ptx-emulator/exec/ClusterBarrier.h"
#include "tools/ptx-emulator/exec/Block.h"

namespace ptx {

void ClusterBarrier::arrive(Warp &warp, bool releases) {
  uint32_t number = warp.numberInCluster;
  if (arrived.size() <= number) {
    arrived.resize(number + 1);
    toWait.resize(number + 1);
    phases.resize(number + 1);
  }
  phases[number].resize(warpSize);
  if (uint32_t twice = toWait[number] & warp.active)
    throw Fault(FaultKind::LaunchFailure,
                "a thread arrives at barrier.cluster twice, and has not waited "
                "in between",
                std::countr_zero(twice));
  arrived[number] |= warp.active;
  toWait[number] |= warp.active;
  forLanes(warp.active, [&](unsigned lane) { phases[number][lane] = phase; });
  if (cluster.races && releases)
    coming.join(cluster.races->clocks.release(number, warp.active));
  completeIfDone();
}

void ClusterBarrier::wait(Warp &warp) {
  uint32_t number = warp.numberInCluster;
  uint32_t known = number < toWait.size() ? toWait[number] : 0;
  if (uint32_t missing = warp.active & ~known)
    throw Fault(FaultKind::LaunchFailure,
                "a thread waits at barrier.cluster and has not arrived",
                std::countr_zero(missing));
  toWait[number] &= ~warp.active;
  uint32_t mine = phases[number][unsigned(std::countr_zero(warp.active))];
  if (mine == phase)
    return warp.wait(Wait::Cluster, phase);
  if (cluster.races)
    cluster.races->clocks.acquire(number, warp.active, completed);
  warp.advance();
}

void ClusterBarrier::completeIfDone() {
  bool isAny = false;
  for (const auto &block : cluster.blocks)
    for (const auto &warp : block->allWarps()) {
      uint32_t number = warp->numberInCluster;
      uint32_t there = number < arrived.size() ? arrived[number] : 0;
      if (warp->liveLanes() & ~there)
        return;
      isAny |= there != 0;
    }
  if (!isAny)
    return;
  arrived.assign(arrived.size(), 0);
  completed = coming;
  coming = {};
  cluster.grid.noteProgress();
  uint32_t over = phase++;
  for (const auto &block : cluster.blocks)
    for (const auto &warp : block->allWarps())
      warp->wake(Wait::Cluster, over, [&](Warp &each, const Step &) {
        if (cluster.races)
          cluster.races->clocks.acquire(each.numberInCluster, each.active,
                                        completed);
      });
}

void ClusterBarrier::lanesExited() {
  if (!arrived.empty())
    completeIfDone();
}

} // namespace ptx
