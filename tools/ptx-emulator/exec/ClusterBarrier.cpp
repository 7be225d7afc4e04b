//===- ClusterBarrier.cpp - barrier.cluster -------------------------------===//
#include "tools/ptx-emulator/exec/ClusterBarrier.h"
#include "tools/ptx-emulator/exec/Block.h"

namespace ptx {

ClusterBarrier::OfWarp &ClusterBarrier::of(const Warp &warp) {
  if (warps.size() <= warp.numberInCluster)
    warps.resize(warp.numberInCluster + 1);
  return warps[warp.numberInCluster];
}

/// Other lanes of the warp came at `pc`.
static void checkAligned(const Warp &warp, uint32_t pc) {
  if (pc == warp.currentPc())
    return;
  const std::vector<Step> &steps = warp.kernel.steps;
  throw Fault(FaultKind::LaunchFailure,
              "barrier.cluster: lanes of a warp come by different .aligned "
              "instructions, lines " +
                  std::to_string(steps[pc].line) + " and " +
                  std::to_string(steps[warp.currentPc()].line),
              std::countr_zero(warp.active));
}

void ClusterBarrier::arrive(Warp &warp, bool releases, bool isAligned) {
  OfWarp &mine = of(warp);
  if (uint32_t twice = mine.toWait & warp.active)
    throw Fault(FaultKind::LaunchFailure,
                "a thread arrives at barrier.cluster twice, and has not waited "
                "in between",
                std::countr_zero(twice));
  if (isAligned && mine.arrived)
    checkAligned(warp, mine.arrivePc);
  mine.arrivePc = warp.currentPc();
  mine.arrived |= warp.active;
  mine.toWait |= warp.active;
  forLanes(warp.active, [&](unsigned lane) { mine.phases[lane] = phase; });
  if (cluster.races && releases)
    coming.join(
        cluster.races->clocks.release(warp.numberInCluster, warp.active));
  completeIfDone();
}

void ClusterBarrier::wait(Warp &warp, bool isAligned) {
  OfWarp &mine = of(warp);
  if (uint32_t missing = warp.active & ~mine.toWait)
    throw Fault(FaultKind::LaunchFailure,
                "a thread waits at barrier.cluster and has not arrived",
                std::countr_zero(missing));
  if (isAligned && mine.waited)
    checkAligned(warp, mine.waitPc);
  mine.waitPc = warp.currentPc();
  mine.toWait &= ~warp.active;
  mine.waited = mine.toWait ? mine.waited | warp.active : 0;
  if (mine.phases[unsigned(std::countr_zero(warp.active))] == phase)
    return warp.wait(Wait::Cluster, phase);
  if (cluster.races)
    cluster.races->clocks.acquire(warp.numberInCluster, warp.active, completed);
  warp.advance();
}

void ClusterBarrier::completeIfDone() {
  bool isAny = false;
  for (const auto &block : cluster.blocks)
    for (const auto &warp : block->allWarps()) {
      uint32_t there = of(*warp).arrived;
      if (warp->liveLanes() & ~there)
        return;
      isAny |= there != 0;
    }
  if (!isAny)
    return;
  for (OfWarp &each : warps)
    each.arrived = 0;
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
  if (!warps.empty())
    completeIfDone();
}

} // namespace ptx
