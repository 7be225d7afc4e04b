//===- Clocks.cpp - what a thread knows of others -------------------------===//
#include "tools/ptx-emulator/races/Clocks.h"

#include <algorithm>

namespace ptx {

void OtherBlock::join(const OtherBlock &other) {
  all = std::max(all, other.all);
  for (auto [thread, when] : other.threads) {
    uint32_t &known = threads[thread];
    known = std::max(known, when);
  }
  std::erase_if(threads, [&](const auto &each) { return each.second <= all; });
}

void Clock::joinOthers(const std::shared_ptr<const OtherBlocks> &more) {
  if (!more || more == others)
    return;
  if (!others) {
    others = more;
    return;
  }
  auto joined = std::make_shared<OtherBlocks>(*others);
  for (const auto &[block, each] : *more)
    (*joined)[block].join(each);
  others = std::move(joined);
}

void Clock::join(const Clock &other) {
  if (times.empty())
    times = other.times;
  else
    for (size_t i = 0; i < other.times.size(); ++i)
      times[i] = std::max(times[i], other.times[i]);
  joinOthers(other.others);
}

Clocks::Clocks(uint32_t block, uint32_t threads)
    : number(block), threads(threads),
      warps((threads + warpSize - 1) / warpSize) {}

const Clock *Clocks::ownOf(uint32_t warp, unsigned lane) const {
  const std::vector<Clock> &own = warps[warp].own;
  return own.empty() ? nullptr : &own[lane];
}

static bool isKnown(const Clock &clock, ThreadNumber thread, uint32_t when) {
  return !clock.times.empty() && clock.times[thread] >= when;
}

bool Clocks::knows(uint32_t warp, unsigned lane, ThreadNumber thread,
                   uint32_t when) const {
  if (when <= all || thread == warp * warpSize + lane ||
      isKnown(warps[warp].common, thread, when))
    return true;
  const Clock *own = ownOf(warp, lane);
  return own && isKnown(*own, thread, when);
}

static bool isKnown(const Clock &clock, uint32_t block, ThreadNumber thread,
                    uint32_t when) {
  if (!clock.others)
    return false;
  auto found = clock.others->find(block);
  if (found == clock.others->end())
    return false;
  if (when <= found->second.all)
    return true;
  auto known = found->second.threads.find(thread);
  return known != found->second.threads.end() && when <= known->second;
}

bool Clocks::knows(uint32_t warp, unsigned lane, uint32_t otherBlock,
                   ThreadNumber thread, uint32_t when) const {
  if (isKnown(warps[warp].common, otherBlock, thread, when))
    return true;
  const Clock *own = ownOf(warp, lane);
  return own && isKnown(*own, otherBlock, thread, when);
}

void Clocks::raise(Clock &clock, uint32_t warp, uint32_t lanes,
                   uint32_t to) const {
  clock.times.resize(threads);
  forLanes(lanes, [&](unsigned lane) {
    size_t thread = warp * warpSize + lane;
    if (thread < threads)
      clock.times[thread] = std::max(clock.times[thread], to);
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
  uint32_t count = std::min(threads - warp * warpSize, warpSize);
  if (lanes == allLanes >> (warpSize - count)) {
    mine.common.join(clock);
    return;
  }
  mine.own.resize(warpSize);
  forLanes(lanes, [&](unsigned lane) { mine.own[lane].join(clock); });
}

void Clocks::synchronise(uint32_t warp, uint32_t lanes) {
  acquire(warp, lanes, release(warp, lanes));
  uint32_t count = std::min(threads - warp * warpSize, warpSize);
  // All lanes know the same now.
  if (lanes == allLanes >> (warpSize - count))
    warps[warp].own.clear();
}

void Clocks::synchroniseAll() {
  Clock together;
  for (WarpClock &each : warps) {
    together.joinOthers(each.common.others);
    for (const Clock &own : each.own)
      together.joinOthers(own.others);
  }
  all = time++;
  for (WarpClock &each : warps) {
    each.own.clear();
    each.common.times.clear();
    each.common.others = together.others;
  }
}

void Clocks::acquire(uint32_t warp, uint32_t lanes, const Message &message) {
  if (message.block == number)
    return acquire(warp, lanes, message.clock);
  auto others = std::make_shared<OtherBlocks>();
  if (message.clock.others)
    *others = *message.clock.others;
  others->erase(number);
  OtherBlock &sender = (*others)[message.block];
  sender.all = std::max(sender.all, message.all);
  for (size_t i = 0; i < message.clock.times.size(); ++i)
    if (message.clock.times[i] > sender.all)
      sender.threads[ThreadNumber(i)] = message.clock.times[i];
  Clock clock;
  clock.others = std::move(others);
  acquire(warp, lanes, clock);
}

} // namespace ptx
