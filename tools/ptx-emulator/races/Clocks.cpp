//===- Clocks.cpp - what a thread knows of others -------------------------===//
#include "tools/ptx-emulator/races/Clocks.h"

#include <algorithm>

namespace ptx {

void OtherCluster::join(const OtherCluster &other) {
  all = std::max(all, other.all);
  for (auto [thread, when] : other.threads) {
    uint32_t &known = threads[thread];
    known = std::max(known, when);
  }
  std::erase_if(threads, [&](const auto &each) { return each.second <= all; });
}

void Clock::joinOthers(const std::shared_ptr<const OtherClusters> &more) {
  if (!more || more == others)
    return;
  if (!others) {
    others = more;
    return;
  }
  auto joined = std::make_shared<OtherClusters>(*others);
  for (const auto &[cluster, each] : *more)
    (*joined)[cluster].join(each);
  others = std::move(joined);
}

static void join(std::vector<uint32_t> &to, const std::vector<uint32_t> &from) {
  if (to.empty()) {
    to = from;
    return;
  }
  for (size_t i = 0; i < from.size(); ++i)
    to[i] = std::max(to[i], from[i]);
}

void Clock::join(const Clock &other) {
  ptx::join(times, other.times);
  ptx::join(fenced, other.fenced);
  joinOthers(other.others);
}

Clocks::Clocks(uint32_t cluster, uint32_t blocks, uint32_t threadsOfBlock)
    : number(cluster), threadsOfBlock(threadsOfBlock),
      warpsPerBlock((threadsOfBlock + warpSize - 1) / warpSize),
      threads(blocks * warpsPerBlock * warpSize + engineCount),
      allOfBlock(blocks), warps(blocks * warpsPerBlock) {}

bool Clocks::isWhole(uint32_t warp, uint32_t lanes) const {
  uint32_t first = warp % warpsPerBlock * warpSize;
  uint32_t count = std::min(threadsOfBlock - first, warpSize);
  return lanes == allLanes >> (warpSize - count);
}

const Clock *Clocks::ownOf(uint32_t warp, unsigned lane) const {
  const std::vector<Clock> &own = warps[warp].own;
  return own.empty() ? nullptr : &own[lane];
}

static bool isKnown(const std::vector<uint32_t> &times, ThreadNumber thread,
                    uint32_t when) {
  return !times.empty() && times[thread] >= when;
}

bool Clocks::knows(uint32_t warp, unsigned lane, ThreadNumber thread,
                   uint32_t when) const {
  // Of an engine only those know who waited for it.
  uint32_t other = thread / warpSize;
  bool isEngine = other >= warps.size();
  if (!isEngine && (when <= all || thread == warp * warpSize + lane))
    return true;
  if (!isEngine && rankOf(other) == rankOf(warp) &&
      when <= allOfBlock[rankOf(warp)])
    return true;
  if (isKnown(warps[warp].common.times, thread, when))
    return true;
  const Clock *own = ownOf(warp, lane);
  return own && isKnown(own->times, thread, when);
}

bool Clocks::knowsFenced(uint32_t warp, unsigned lane, ThreadNumber thread,
                         uint32_t when) const {
  if (thread / warpSize >= warps.size() ||
      isKnown(warps[warp].common.fenced, thread, when))
    return true;
  const Clock *own = ownOf(warp, lane);
  return own && isKnown(own->fenced, thread, when);
}

bool Clocks::knowsBegun(uint32_t warp, uint32_t rank) const {
  if (all || rank == rankOf(warp))
    return true;
  auto knowsOne = [&](const Clock &clock) {
    size_t first = rank * warpsPerBlock * warpSize;
    for (size_t i = 0; i < warpsPerBlock * warpSize; ++i)
      if (!clock.times.empty() && clock.times[first + i])
        return true;
    return false;
  };
  const WarpClock &mine = warps[warp];
  return knowsOne(mine.common) || std::ranges::any_of(mine.own, knowsOne);
}

static bool isKnown(const Clock &clock, uint32_t cluster, ThreadNumber thread,
                    uint32_t when) {
  if (!clock.others)
    return false;
  auto found = clock.others->find(cluster);
  if (found == clock.others->end())
    return false;
  if (when <= found->second.all)
    return true;
  auto known = found->second.threads.find(thread);
  return known != found->second.threads.end() && when <= known->second;
}

bool Clocks::knows(uint32_t warp, unsigned lane, uint32_t otherCluster,
                   ThreadNumber thread, uint32_t when) const {
  if (isKnown(warps[warp].common, otherCluster, thread, when))
    return true;
  const Clock *own = ownOf(warp, lane);
  return own && isKnown(*own, otherCluster, thread, when);
}

void Clocks::raise(Clock &clock, uint32_t warp, uint32_t lanes,
                   uint32_t to) const {
  clock.times.resize(threads);
  // What all of a block know is said to other blocks, which do not.
  uint32_t rank = rankOf(warp);
  if (allOfBlock.size() > 1 && allOfBlock[rank] > all)
    for (size_t i = 0; i < warpsPerBlock * warpSize; ++i) {
      uint32_t &known = clock.times[rank * warpsPerBlock * warpSize + i];
      known = std::max(known, allOfBlock[rank]);
    }
  forLanes(lanes, [&](unsigned lane) {
    uint32_t &known = clock.times[warp * warpSize + lane];
    known = std::max(known, to);
  });
}

Clock Clocks::release(uint32_t warp, uint32_t lanes) {
  Clock clock = warps[warp].common;
  forLanes(lanes, [&](unsigned lane) {
    if (const Clock *own = ownOf(warp, lane))
      clock.join(*own);
  });
  raise(clock, warp, lanes, time);
  ++time;
  return clock;
}

Clock Clocks::release(uint32_t warp, unsigned lane, uint32_t until) {
  Clock clock = warps[warp].common;
  if (const Clock *own = ownOf(warp, lane))
    clock.join(*own);
  raise(clock, warp, uint32_t(1) << lane, until);
  return clock;
}

void Clocks::acquire(uint32_t warp, uint32_t lanes, const Clock &clock) {
  WarpClock &mine = warps[warp];
  if (isWhole(warp, lanes)) {
    mine.common.join(clock);
    return;
  }
  mine.own.resize(warpSize);
  forLanes(lanes, [&](unsigned lane) { mine.own[lane].join(clock); });
}

void Clocks::synchronise(uint32_t warp, uint32_t lanes) {
  acquire(warp, lanes, release(warp, lanes));
  // All lanes know the same now.
  if (isWhole(warp, lanes))
    warps[warp].own.clear();
}

void Clocks::synchroniseBlock(uint32_t rank) {
  Clock together;
  uint32_t first = rank * warpsPerBlock;
  bool isAlone = allOfBlock.size() == 1;
  auto add = [&](const Clock &clock) {
    together.joinOthers(clock.others);
    ptx::join(together.fenced, clock.fenced);
    ptx::join(together.times, clock.times);
  };
  for (uint32_t i = first; i < first + warpsPerBlock; ++i) {
    add(warps[i].common);
    for (const Clock &own : warps[i].own)
      add(own);
  }
  allOfBlock[rank] = time;
  if (isAlone)
    all = time;
  ++time;
  // Engines, and threads of other blocks, are known as before.
  bool knowsMore = false;
  for (size_t i = 0; i < together.times.size(); ++i) {
    bool isMine =
        i / warpSize / warpsPerBlock == rank && i / warpSize < warps.size();
    if (isMine)
      together.times[i] = 0;
    knowsMore |= together.times[i] != 0;
  }
  if (!knowsMore)
    together.times.clear();
  for (uint32_t i = first; i < first + warpsPerBlock; ++i) {
    warps[i].own.clear();
    warps[i].common = together;
  }
}

void Clocks::synchroniseAll() {
  for (uint32_t rank = 0; rank < allOfBlock.size(); ++rank)
    synchroniseBlock(rank);
  // Each block has its own now; what others of the cluster know joins it.
  Clock together;
  for (const WarpClock &each : warps)
    together.join(each.common);
  all = time++;
  std::ranges::fill(allOfBlock, all);
  for (WarpClock &each : warps)
    each.common = together;
}

void Clocks::fenceProxy(uint32_t warp, uint32_t lanes) {
  Clock clock = release(warp, lanes);
  // What all know counts, too.
  clock.fenced = clock.times;
  uint32_t known = std::max(all, allOfBlock[rankOf(warp)]);
  size_t first = rankOf(warp) * warpsPerBlock * warpSize;
  for (size_t i = 0; i < clock.fenced.size(); ++i) {
    bool isMine = i >= first && i < first + warpsPerBlock * warpSize;
    clock.fenced[i] = std::max(clock.fenced[i], isMine ? known : all);
  }
  acquire(warp, lanes, clock);
}

ThreadNumber Clocks::engineFor(uint64_t address) const {
  // mbarriers of stages stand side by side, 8 bytes each.
  return ThreadNumber(warps.size() * warpSize +
                      address / 8 % (engineCount / 2));
}

ThreadNumber Clocks::engineOfWarp(uint32_t warp) const {
  return ThreadNumber(warps.size() * warpSize + engineCount / 2 +
                      warp % (engineCount / 4));
}

ThreadNumber Clocks::writerOfWarp(uint32_t warp) const {
  return ThreadNumber(engineOfWarp(warp) + engineCount / 4);
}

void Clocks::engineReleases(ThreadNumber engine, Clock &clock) {
  clock.times.resize(threads);
  clock.times[engine] = std::max(clock.times[engine], time);
  ++time;
}

void Clocks::acquire(uint32_t warp, uint32_t lanes, const Message &message) {
  if (message.cluster == number)
    return acquire(warp, lanes, message.clock);
  auto others = std::make_shared<OtherClusters>();
  if (message.clock.others)
    *others = *message.clock.others;
  others->erase(number);
  OtherCluster &sender = (*others)[message.cluster];
  sender.all = std::max(sender.all, message.all);
  for (size_t i = 0; i < message.clock.times.size(); ++i)
    if (message.clock.times[i] > sender.all)
      sender.threads[ThreadNumber(i)] = message.clock.times[i];
  Clock clock;
  clock.others = std::move(others);
  acquire(warp, lanes, clock);
}

} // namespace ptx
