//===- SharedShadow.cpp - who touched shared memory last ------------------===//
#include "tools/ptx-emulator/races/SharedShadow.h"

#include <algorithm>
#include <bit>

namespace ptx {

std::optional<Conflict> SharedShadow::touch(uint64_t number, const Touch &touch,
                                            const Clocks &clocks) {
  Word &word = words[number];
  // Two strong accesses do not race, whatever they do.
  for (const Write *each : {&word.weak, &word.strong}) {
    if (!(each->bytes & touch.bytes) ||
        (each == &word.strong && touch.isStrong))
      continue;
    bool isOrdered =
        clocks.knows(touch.warp, touch.lane, each->thread, each->time);
    if (isOrdered &&
        (!touch.isAsync ||
         clocks.knowsFenced(touch.warp, touch.lane, each->thread, each->time)))
      continue;
    return Conflict{clocks.cluster(),
                    each->thread / warpSize,
                    each->thread % warpSize,
                    each->pc,
                    true,
                    isOrdered};
  }
  uint32_t warp = touch.thread() / warpSize, lane = touch.thread() % warpSize;
  uint32_t time = clocks.now();
  if (!touch.writes) {
    Reads *mine = nullptr;
    for (Reads &each : word.reads) {
      if (!each.bytes)
        break;
      if (each.warp == warp && each.time == time &&
          each.pc == (touch.pc & 0x1ffff) && each.bytes == touch.bytes) {
        each.lanes |= uint32_t(1) << lane;
        return std::nullopt;
      }
      // Which of the known ones this read makes needless.
      bool isNeedless = (each.bytes & ~touch.bytes) == 0 &&
                        (each.isStrong || !touch.isStrong);
      for (uint32_t lanes = each.lanes; isNeedless && lanes; lanes &= lanes - 1)
        isNeedless =
            clocks.knows(touch.warp, touch.lane,
                         ThreadNumber(each.warp * warpSize +
                                      uint32_t(std::countr_zero(lanes))),
                         each.time);
      if (isNeedless)
        mine = &each;
    }
    // Of more the first is forgotten.
    if (!mine)
      mine = std::ranges::find_if(
          word.reads, [](const Reads &each) { return !each.bytes; });
    if (mine == std::end(word.reads)) {
      std::rotate(word.reads, word.reads + 1, std::end(word.reads));
      --mine;
    }
    mine->time = time;
    mine->lanes = uint32_t(1) << lane;
    mine->pc = touch.pc & 0x1ffff;
    mine->warp = warp & 1023;
    mine->bytes = touch.bytes & 15;
    mine->isStrong = touch.isStrong;
    return std::nullopt;
  }
  for (const Reads &each : word.reads) {
    if (!each.bytes)
      break;
    if (!(each.bytes & touch.bytes) || (each.isStrong && touch.isStrong))
      continue;
    for (uint32_t lanes = each.lanes; lanes; lanes &= lanes - 1) {
      unsigned lane = unsigned(std::countr_zero(lanes));
      if (!clocks.knows(touch.warp, touch.lane,
                        ThreadNumber(each.warp * warpSize + lane), each.time))
        return Conflict{clocks.cluster(), each.warp, lane, each.pc, false};
    }
  }
  // Reads of bytes that were not written remain.
  auto isOver = [&](const Reads &each) { return !(each.bytes & ~touch.bytes); };
  if (word.reads[0].bytes)
    std::ranges::fill(std::ranges::remove_if(word.reads, isOver), Reads());
  rewrite(number, touch, clocks);
  return std::nullopt;
}

void SharedShadow::rewrite(uint64_t number, const Touch &touch,
                           const Clocks &clocks) {
  Word &word = words[number];
  Write write = {clocks.now(), touch.pc, touch.thread(), touch.bytes};
  if (touch.isStrong) {
    word.strong = write;
    return;
  }
  word.weak = write;
  word.strong.bytes &= uint8_t(~touch.bytes);
}

} // namespace ptx
