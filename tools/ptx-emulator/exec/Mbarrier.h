//===- Mbarrier.h - barriers in shared memory -----------------*- C++ -*-===//
//
// A phase is over when all expected arrivals have come and all expected bytes
// were transferred; then the next begins. PTX ISA, mbarrier.
//
//===----------------------------------------------------------------------===//
#ifndef TOOLS_PTX_EMULATOR_EXEC_MBARRIER_H
#define TOOLS_PTX_EMULATOR_EXEC_MBARRIER_H

#include "tools/ptx-emulator/races/Clocks.h"

#include <unordered_map>

namespace ptx {

class Block;
class Warp;

struct Mbarrier {
  uint32_t expected = 0, pending = 0; // arrivals
  int64_t bytes = 0; // still to be transferred; below zero: ahead of expect_tx
  uint64_t phase = 0;
  uint32_t number = 0; // among those of its block, for who waits
  uint64_t offset = 0; // in the block's shared memory
  /// A fence made it known to asynchronous operations.
  bool isKnownToAsync = false;
  uint32_t initialisedBy = 0; // warp
  /// Of those that came in this phase, and in all that are over.
  Clock coming, completed;

  /// What arrive gives, and what is in memory.
  uint64_t state() const {
    return pending | uint64_t(expected) << 20 | (phase & 0x7fffff) << 40;
  }
};

/// Arrivals and bytes of one phase at most.
constexpr uint32_t mostArrivals = (1 << 20) - 1;
constexpr int64_t mostBytes = (1 << 20) - 1;

/// The barriers of a block by their offsets in shared memory.
class Mbarriers {
public:
  explicit Mbarriers(Block &block) : block(block) {}

  Mbarrier &initialise(uint64_t offset, uint32_t count);
  void invalidate(uint64_t offset);
  /// Null: there is none.
  Mbarrier *find(uint64_t offset);
  const Mbarrier *numbered(uint32_t number) const;

  // Each ends the phase if that completes it. They throw Fault: more arrivals
  // than the phase expects, more bytes than it can have.

  void arrive(Mbarrier &barrier, uint32_t count);
  void expectBytes(Mbarrier &barrier, int64_t bytes);
  /// Leaves `count` arrivals out of all later phases, too.
  void drop(Mbarrier &barrier, uint32_t count);

  /// A fence of a warp makes the barriers that it initialised known.
  void makeKnown(uint32_t warp);
  bool areAny() const { return !barriers.empty(); }

private:
  void update(Mbarrier &barrier);
  void store(const Mbarrier &barrier);

  Block &block;
  std::unordered_map<uint64_t, Mbarrier> barriers;
  uint32_t nextNumber = 0;
};

} // namespace ptx

#endif // TOOLS_PTX_EMULATOR_EXEC_MBARRIER_H
