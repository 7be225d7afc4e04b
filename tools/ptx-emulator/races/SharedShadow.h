//===- SharedShadow.h - who touched shared memory last --------*- C++ -*-===//
//
// 64 bytes for each word of 4: the last write, and the last reads of up to four
// warps since. Of more the earliest are forgotten; what happened before a later
// read of another warp need not be kept, since whoever is ordered behind the
// later one is behind both.
//
//===----------------------------------------------------------------------===//
#ifndef TOOLS_PTX_EMULATOR_RACES_SHAREDSHADOW_H
#define TOOLS_PTX_EMULATOR_RACES_SHAREDSHADOW_H

#include "tools/ptx-emulator/races/Clocks.h"

#include <optional>

namespace ptx {

/// One thread's access to one word.
struct Touch {
  uint32_t warp;
  unsigned lane;
  uint32_t pc;
  uint8_t bytes; // a bit for each of the four
  bool writes;
  /// Atomic, volatile or with an order: two such do not race.
  bool isStrong;
};

/// The other party of a race.
struct Conflict {
  uint32_t block, warp;
  unsigned lane;
  uint32_t pc;
  bool wrote;
};

class SharedShadow {
public:
  explicit SharedShadow(uint64_t bytes) : words((bytes + 3) / 4) {}

  /// Notes an access to a word, unless it races with an earlier one, which it
  /// returns.
  std::optional<Conflict> touch(uint64_t word, const Touch &touch,
                                const Clocks &clocks);
  /// A write that an earlier instruction began is done now.
  void restamp(uint64_t word, const Touch &touch, const Clocks &clocks);

private:
  struct Reads {
    uint32_t time = 0, lanes = 0;
    uint32_t pc : 22 = 0, warp : 5 = 0, bytes : 4 = 0, isStrong : 1 = 0;
  };
  struct Word {
    uint32_t writeTime = 0, writePc = 0;
    ThreadNumber writer = 0;
    uint8_t writtenBytes = 0;
    bool isStrongWrite = false;
    uint32_t readCount = 0;
    Reads reads[4];
  };
  static_assert(sizeof(Word) <= 64);

  std::vector<Word> words;
};

} // namespace ptx

#endif // TOOLS_PTX_EMULATOR_RACES_SHAREDSHADOW_H
