//===- Clocks.h - what a thread knows of others ---------------*- C++ -*-===//
//
// Happens-before by vector clocks. A block has one time, which goes on with
// each release of one of its threads; an access is stamped with it. A thread
// knows of another one up to a time: what that one did until then happened
// before what this one does. Knowledge is kept by warp; a lane that learns
// something alone keeps it for itself until its warp synchronises.
//
//===----------------------------------------------------------------------===//
#ifndef TOOLS_PTX_EMULATOR_RACES_CLOCKS_H
#define TOOLS_PTX_EMULATOR_RACES_CLOCKS_H

#include "tools/ptx-emulator/exec/Rows.h"

#include <map>
#include <memory>
#include <vector>

namespace ptx {

/// A thread of a block, by its number in it.
using ThreadNumber = uint16_t;

/// What is known of another block: all of it up to `all`, some threads further.
struct OtherBlock {
  uint32_t all = 0;
  std::map<ThreadNumber, uint32_t> threads;
  void join(const OtherBlock &other);
};
using OtherBlocks = std::map<uint32_t, OtherBlock>; // by number

/// What a thread knows, or what a release hands on.
struct Clock {
  /// By thread of the own block, beyond what all know; empty: nothing.
  std::vector<uint32_t> times;
  /// Shared, since many threads know the same. Null: nothing.
  std::shared_ptr<const OtherBlocks> others;

  bool isEmpty() const { return times.empty() && !others; }
  void join(const Clock &other);
  void joinOthers(const std::shared_ptr<const OtherBlocks> &more);
};

/// What a release in one block tells another block.
struct Message {
  uint32_t block;
  uint32_t all; // everyone knew of everyone up to this time
  Clock clock;
};

/// The clocks of one block.
class Clocks {
public:
  Clocks(uint32_t block, uint32_t threads);

  uint32_t block() const { return number; }
  uint32_t now() const { return time; }
  /// Whether all know what all did until then.
  bool isKnownToAll(uint32_t when) const { return when <= all; }

  /// Whether a lane of a warp knows of `thread` up to `when`.
  bool knows(uint32_t warp, unsigned lane, ThreadNumber thread,
             uint32_t when) const;
  /// The same of a thread of another block.
  bool knows(uint32_t warp, unsigned lane, uint32_t otherBlock,
             ThreadNumber thread, uint32_t when) const;

  /// What the lanes know, and did until now. Time goes on. `until`: only what
  /// they did until then.
  Clock release(uint32_t warp, uint32_t lanes);
  Clock release(uint32_t warp, unsigned lane, uint32_t until);
  /// Time goes on: what comes now is later than what was handed on.
  void tick() { ++time; }
  void acquire(uint32_t warp, uint32_t lanes, const Clock &clock);
  /// Lanes of a warp synchronise with each other.
  void synchronise(uint32_t warp, uint32_t lanes);
  /// All threads of the block do.
  void synchroniseAll();

  /// Across blocks.
  Message message(Clock clock) const { return {number, all, std::move(clock)}; }
  void acquire(uint32_t warp, uint32_t lanes, const Message &message);

private:
  struct WarpClock {
    Clock common;
    /// By lane; empty: no lane knows more than the others.
    std::vector<Clock> own;
  };
  const Clock *ownOf(uint32_t warp, unsigned lane) const;
  void raise(Clock &clock, uint32_t warp, uint32_t lanes, uint32_t to) const;

  uint32_t number, threads;
  uint32_t time = 1;
  /// Everyone knows of everyone up to this time.
  uint32_t all = 0;
  std::vector<WarpClock> warps;
};

} // namespace ptx

#endif // TOOLS_PTX_EMULATOR_RACES_CLOCKS_H
