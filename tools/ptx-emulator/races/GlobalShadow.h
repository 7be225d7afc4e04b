//===- GlobalShadow.h - who touched global memory last --------*- C++ -*-===//
//
// 12 bytes for each word of 4, in pages that a launch makes when it touches
// them: the last write and a read since. Accesses are numbers of events, which
// say cluster, warp, instruction and time once for all words that they touched.
//
//===----------------------------------------------------------------------===//
#ifndef TOOLS_PTX_EMULATOR_RACES_GLOBALSHADOW_H
#define TOOLS_PTX_EMULATOR_RACES_GLOBALSHADOW_H

#include "tools/ptx-emulator/races/SharedShadow.h"

#include <unordered_map>

namespace ptx {

class GlobalShadow {
public:
  /// As SharedShadow::touch, of the word at a global address.
  std::optional<Conflict> touch(uint64_t address, const Touch &touch,
                                bool isBlockScope, const Clocks &clocks);

private:
  struct Event {
    uint32_t cluster, time, pc;
    uint16_t warp;
    bool isStrong, isBlockScope;
    bool operator==(const Event &) const = default;
  };
  struct Word {
    uint32_t write = 0, read = 0; // numbers of events; 0: none
    uint8_t writeLane = 0, readLane = 0;
    uint8_t writtenBytes = 0, readBytes = 0;
  };
  static_assert(sizeof(Word) == 12);
  static constexpr uint64_t pageBytes = 4096;
  using Page = std::vector<Word>;

  uint32_t eventFor(const Touch &touch, bool isBlockScope,
                    const Clocks &clocks);
  bool isOrdered(const Event &event, unsigned lane, const Touch &touch,
                 bool isBlockScope, const Clocks &clocks) const;
  Conflict conflict(const Event &event, unsigned lane, bool wrote) const;

  std::vector<Event> events = {{}};
  /// The last event of each instruction.
  std::vector<uint32_t> lastEvents;
  std::unordered_map<uint64_t, Page> pages; // by address / pageBytes
  uint64_t lastNumber = ~uint64_t(0);
  Page *lastPage = nullptr;
};

} // namespace ptx

#endif // TOOLS_PTX_EMULATOR_RACES_GLOBALSHADOW_H
