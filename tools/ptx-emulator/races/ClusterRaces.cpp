//===- ClusterRaces.cpp - order of accesses of a cluster
//----------------------===//
#include "tools/ptx-emulator/races/ClusterRaces.h"
#include "tools/ptx-emulator/mem/DeviceMemory.h"

#include <algorithm>

namespace ptx {

/// Of more a loop that polls has found them, the last of which say most.
static constexpr size_t mostFound = 256;

static bool isShared(uint64_t address) {
  return address / windows::size == windows::shared / windows::size;
}

void ClusterRaces::strongRead(uint64_t address, uint32_t warp, unsigned lane,
                              Order order) {
  auto &messages = isShared(address) ? sharedMessages : grid.messages;
  auto found = messages.find(address);
  if (found == messages.end())
    return;
  auto &mine = lanes[warp * warpSize + lane].found;
  for (const auto &[cluster, message] : found->second) {
    if (order.acquires)
      clocks.acquire(warp, uint32_t(1) << lane, *message);
    else if (std::ranges::find(mine, message) == mine.end())
      mine.push_back(message);
  }
  if (mine.size() > mostFound)
    mine.erase(mine.begin(), mine.end() - mostFound);
}

void ClusterRaces::strongWrite(uint64_t address, uint32_t warp, unsigned lane,
                               Order order) {
  LaneState &state = lanes[warp * warpSize + lane];
  bool isShared = ptx::isShared(address);
  auto &messages = isShared ? sharedMessages : grid.messages;
  if (!order.releases && !state.fencedAt) {
    // A store that hands nothing on ends what others left.
    if (!order.isAtomic)
      messages.erase(address);
    return;
  }
  Clock clock = order.releases ? clocks.release(warp, uint32_t(1) << lane)
                               : clocks.release(warp, lane, state.fencedAt);
  Messages &at = messages[address];
  if (!order.isAtomic)
    at.clear();
  std::shared_ptr<const Message> &mine = at[clocks.cluster()];
  if (mine)
    clock.join(mine->clock);
  mine = std::make_shared<Message>(clocks.message(std::move(clock)));
}

void ClusterRaces::fence(uint32_t warp, uint32_t active) {
  uint32_t time = clocks.now();
  clocks.tick();
  forLanes(active, [&](unsigned lane) {
    LaneState &state = lanes[warp * warpSize + lane];
    state.fencedAt = time;
    for (const auto &message : state.found)
      clocks.acquire(warp, uint32_t(1) << lane, *message);
    state.found.clear();
  });
}

} // namespace ptx
