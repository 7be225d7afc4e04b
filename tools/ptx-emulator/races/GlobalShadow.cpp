//===- GlobalShadow.cpp - who touched global memory last ------------------===//
#include "tools/ptx-emulator/races/GlobalShadow.h"

namespace ptx {

uint32_t GlobalShadow::eventFor(const Touch &touch, bool isBlockScope,
                                const Clocks &clocks) {
  Event event = {clocks.cluster(),     clocks.now(),   touch.pc,
                 uint16_t(touch.warp), touch.isStrong, isBlockScope};
  // The lanes of an instruction, its words, and loops around it without a
  // release are one event.
  if (lastEvents.size() <= touch.pc)
    lastEvents.resize(touch.pc + 1);
  uint32_t &last = lastEvents[touch.pc];
  if (!last || !(events[last] == event)) {
    last = uint32_t(events.size());
    events.push_back(event);
  }
  return last;
}

bool GlobalShadow::isOrdered(const Event &event, unsigned lane,
                             const Touch &touch, bool isBlockScope,
                             const Clocks &clocks) const {
  bool isSameCluster = event.cluster == clocks.cluster();
  // Of different blocks only what is strong for both of them.
  if (event.isStrong && touch.isStrong &&
      (isSameCluster || !(event.isBlockScope || isBlockScope)))
    return true;
  auto thread = ThreadNumber(event.warp * warpSize + lane);
  return isSameCluster
             ? clocks.knows(touch.warp, touch.lane, thread, event.time)
             : clocks.knows(touch.warp, touch.lane, event.cluster, thread,
                            event.time);
}

Conflict GlobalShadow::conflict(const Event &event, unsigned lane,
                                bool wrote) const {
  return {event.cluster, event.warp, lane, event.pc, wrote};
}

std::optional<Conflict> GlobalShadow::touch(uint64_t address,
                                            const Touch &touch,
                                            bool isBlockScope,
                                            const Clocks &clocks) {
  uint64_t number = address / pageBytes;
  if (number != lastNumber) {
    lastPage = &pages[number];
    lastPage->resize(pageBytes / 4);
    lastNumber = number;
  }
  Word &word = (*lastPage)[address % pageBytes / 4];
  if (word.write && word.writtenBytes & touch.bytes) {
    const Event &event = events[word.write];
    if (!isOrdered(event, word.writeLane, touch, isBlockScope, clocks))
      return conflict(event, word.writeLane, true);
  }
  if (!touch.writes) {
    word.read = eventFor(touch, isBlockScope, clocks);
    word.readLane = uint8_t(touch.lane);
    word.readBytes = touch.bytes;
    return std::nullopt;
  }
  if (word.read && word.readBytes & touch.bytes) {
    const Event &event = events[word.read];
    if (!isOrdered(event, word.readLane, touch, isBlockScope, clocks))
      return conflict(event, word.readLane, false);
    if ((word.readBytes & ~touch.bytes) == 0)
      word.read = 0;
  }
  // An atomic operation does not end what must be ordered behind a store that
  // not all know of.
  const Event &before = events[word.write];
  if (word.write && touch.isStrong && !before.isStrong &&
      before.cluster == clocks.cluster() && !clocks.isKnownToAll(before.time))
    return std::nullopt;
  word.write = eventFor(touch, isBlockScope, clocks);
  word.writeLane = uint8_t(touch.lane);
  word.writtenBytes = touch.bytes;
  return std::nullopt;
}

} // namespace ptx
