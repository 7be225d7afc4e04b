//===- Mbarrier.cpp - barriers in shared memory ---------------------------===//
#include "tools/ptx-emulator/exec/Mbarrier.h"
#include "tools/ptx-emulator/exec/Block.h"

#include <cstring>

namespace ptx {

Mbarrier &Mbarriers::initialise(uint64_t offset, uint32_t count) {
  Mbarrier &barrier = barriers[offset];
  barrier = {};
  barrier.expected = barrier.pending = count;
  barrier.number = nextNumber++;
  barrier.offset = offset;
  std::memset(&block.sharedDefined[offset], isBarrier, 8);
  store(barrier);
  return barrier;
}

void Mbarriers::invalidate(uint64_t offset) {
  barriers.erase(offset);
  std::memset(&block.sharedDefined[offset], neverWritten, 8);
}

Mbarrier *Mbarriers::find(uint64_t offset) {
  auto found = barriers.find(offset);
  return found == barriers.end() ? nullptr : &found->second;
}

const Mbarrier *Mbarriers::numbered(uint32_t number) const {
  for (const auto &[offset, each] : barriers)
    if (each.number == number)
      return &each;
  return nullptr;
}

void Mbarriers::store(const Mbarrier &barrier) {
  uint64_t state = barrier.state();
  std::memcpy(&block.shared[barrier.offset], &state, sizeof state);
}

void Mbarriers::update(Mbarrier &barrier) {
  if (barrier.pending == 0 && barrier.bytes == 0) {
    ++barrier.phase;
    barrier.pending = barrier.expected;
    barrier.completed.join(barrier.coming);
    barrier.coming = {};
    block.grid.noteProgress();
    store(barrier);
    block.phaseEnded(barrier);
    return;
  }
  store(barrier);
}

void Mbarriers::arrive(Mbarrier &barrier, uint32_t count) {
  if (count > barrier.pending)
    throw Fault(FaultKind::LaunchFailure,
                "an mbarrier has more arrivals than it expects: " +
                    std::to_string(count) + " come, " +
                    std::to_string(barrier.pending) + " of " +
                    std::to_string(barrier.expected) + " are pending");
  barrier.pending -= count;
  update(barrier);
}

void Mbarriers::drop(Mbarrier &barrier, uint32_t count) {
  barrier.expected -= std::min(count, barrier.expected);
  arrive(barrier, count);
}

void Mbarriers::expectBytes(Mbarrier &barrier, int64_t bytes) {
  barrier.bytes += bytes;
  if (barrier.bytes > mostBytes || barrier.bytes < -mostBytes)
    throw Fault(FaultKind::LaunchFailure,
                "an mbarrier has " + std::to_string(barrier.bytes) +
                    " bytes pending, a phase has at most " +
                    std::to_string(mostBytes));
  update(barrier);
}

void Mbarriers::makeKnown(uint32_t warp) {
  for (auto &[offset, each] : barriers)
    if (each.initialisedBy == warp)
      each.isKnownToAsync = true;
}

} // namespace ptx
