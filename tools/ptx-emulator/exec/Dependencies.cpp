//===- Dependencies.cpp - launches that may still run ---------------------===//
#include "tools/ptx-emulator/exec/Dependencies.h"
#include "tools/ptx-emulator/exec/Block.h"

#include <algorithm>

namespace ptx {

/// To the clocks the launches before are one cluster, of which those know that
/// have waited, and whom they tell.
static constexpr uint32_t before = ~uint32_t(0);
/// Launches that are kept: of longer chains the first ones are forgotten.
static constexpr size_t mostHistories = 3;

static bool knowsEnd(const Warp &warp, unsigned lane) {
  return warp.block.cluster.races->clocks.knows(warp.numberInCluster, lane,
                                                before, 0, 1);
}

void Dependencies::wait(Warp &warp) {
  hasWaited = true;
  if (ClusterRaces *races = warp.block.cluster.races.get(); races && areAny())
    races->clocks.acquire(warp.numberInCluster, warp.active,
                          Message{before, /*all=*/1, {}});
}

void Dependencies::launchDependents(Warp &warp) {
  hasTriggered = true;
  if (!warp.block.cluster.races || !areAny())
    return;
  forLanes(warp.active, [&](unsigned lane) {
    if (!knowsEnd(warp, lane))
      triggersEarly = true;
  });
}

void Dependencies::check(Warp &warp, uint64_t address,
                         const Touch &touch) const {
  auto check = [&](const GridHistory &history, const char *missing) {
    std::optional<Conflict> conflict = history.shadow->conflict(
        address, touch.bytes, touch.writes, touch.isStrong);
    if (!conflict)
      return;
    uint32_t warpsOfBlock = history.shape.warpsOfBlock();
    uint32_t rank = conflict->warp / warpsOfBlock;
    std::string other = "an asynchronous operation, ";
    if (rank < history.shape.cluster.count())
      other = "block " +
              textOf(indexOf(history.shape, conflict->cluster, rank)) +
              ", warp " + std::to_string(conflict->warp % warpsOfBlock) +
              " lane " + std::to_string(conflict->lane) + ", ";
    throw Fault(
        FaultKind::LaunchFailure,
        std::string("missing griddepcontrol.wait: ") +
            (touch.writes ? "a write" : "a read") + " of what a launch " +
            (conflict->wrote ? "writes" : "reads") + " that may still run",
        int(touch.lane))
        .with(warp.block.grid.memory.describe(address))
        .with("conflicts with kernel " + history.kernel->entry->name +
              " before, " + other + history.kernel->lineAt(conflict->pc))
        .with(missing);
  };
  for (const auto &each : unwaited)
    check(*each, "missing: griddepcontrol.wait in the launch between the two, "
                 "which may end before the first one does");
  if (!waited.empty() && !knowsEnd(warp, touch.lane))
    for (const auto &each : waited)
      check(*each, "missing: griddepcontrol.wait by this thread, or by one "
                   "that it is ordered behind");
}

std::shared_ptr<Dependencies>
Dependencies::ofNext(const GridHistory &history) const {
  auto next = std::make_shared<Dependencies>();
  auto add = [](Histories &to, const Histories &more) {
    to.insert(to.end(), more.begin(), more.end());
    if (to.size() > mostHistories)
      to.erase(to.begin(), to.end() - mostHistories);
  };
  // What may go on when this one has ended.
  if (!hasWaited)
    add(next->unwaited, waited);
  add(next->unwaited, unwaited);
  // What may go on when this one lets the next begin, and ends with it.
  if (hasTriggered) {
    if (triggersEarly && hasWaited)
      add(next->waited, waited);
    add(next->waited, {std::make_shared<const GridHistory>(history)});
  }
  return next->areAny() ? next : nullptr;
}

} // namespace ptx
