//===- SharedShadow.h - who touched shared memory last --------*- C++ -*-===//
//
// 60 bytes for each word of 4: the last writes, weak and strong, and the last
// reads of three warps. Of more the earliest are forgotten; what happened
// before a later read of another warp need not be kept, since whoever is
// ordered behind the later one is behind both.
//
//===----------------------------------------------------------------------===//
#ifndef TOOLS_PTX_EMULATOR_RACES_SHAREDSHADOW_H
#define TOOLS_PTX_EMULATOR_RACES_SHAREDSHADOW_H

#include "tools/ptx-emulator/races/Clocks.h"

#include <optional>

namespace ptx {

/// One thread's access to one word.
struct Touch {
  uint32_t warp; // of the cluster (ThreadNumber)
  unsigned lane;
  uint32_t pc;
  uint8_t bytes = 15; // a bit for each of the four
  bool writes;
  /// Atomic, volatile or with an order: two such do not race.
  bool isStrong = false;
  /// By an asynchronous operation that the lane began: it must be behind a
  /// proxy fence of what other threads wrote, and counts as done by an engine.
  bool isAsync = false;
  ThreadNumber engine = 0;

  ThreadNumber thread() const {
    return isAsync ? engine : ThreadNumber(warp * warpSize + lane);
  }
};

/// The other party of a race.
struct Conflict {
  uint32_t cluster, warp; // as in Touch
  unsigned lane;
  uint32_t pc;
  bool wrote;
  /// It is in order, but for the fence of the proxy.
  bool lacksProxyFence = false;
};

class SharedShadow {
public:
  explicit SharedShadow(uint64_t bytes) : words((bytes + 3) / 4) {}

  /// Notes an access to a word, unless it races with an earlier one, which it
  /// returns.
  std::optional<Conflict> touch(uint64_t word, const Touch &touch,
                                const Clocks &clocks);
  /// A write that an earlier instruction began is done now.
  void rewrite(uint64_t word, const Touch &touch, const Clocks &clocks);

private:
  struct Write {
    uint32_t time = 0, pc = 0;
    ThreadNumber thread = 0;
    uint8_t bytes = 0;
  };
  /// Of no bytes: none.
  struct Reads {
    uint32_t time = 0, lanes = 0;
    uint32_t pc : 17 = 0, warp : 10 = 0, bytes : 4 = 0, isStrong : 1 = 0;
  };
  struct Word {
    /// An atomic operation does not end what must be ordered behind the store
    /// before it: both are kept.
    Write weak, strong;
    Reads reads[3]; // those that are some come first
  };
  static_assert(sizeof(Word) == 60);

  std::vector<Word> words;
};

} // namespace ptx

#endif // TOOLS_PTX_EMULATOR_RACES_SHAREDSHADOW_H
