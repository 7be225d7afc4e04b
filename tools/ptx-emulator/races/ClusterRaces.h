//===- ClusterRaces.h - order of accesses of a cluster --------*- C++ -*-===//
//
// What synchronises by memory: a release in an address, or a fence before a
// strong store to it, hands on what a thread knows; an acquire of the address,
// or a strong load and a fence behind it, takes it.
//
//===----------------------------------------------------------------------===//
#ifndef TOOLS_PTX_EMULATOR_RACES_CLUSTERRACES_H
#define TOOLS_PTX_EMULATOR_RACES_CLUSTERRACES_H

#include "tools/ptx-emulator/races/GlobalShadow.h"

namespace ptx {

/// What releases left at an address, by the cluster that they were of.
using Messages = std::map<uint32_t, std::shared_ptr<const Message>>;

/// Of a launch, or of a thread of the host that executes a part of it.
struct GridRaces {
  explicit GridRaces(GlobalShadow &shadow) : writer(shadow) {}

  ShadowWriter writer;
  std::unordered_map<uint64_t, Messages> messages; // by generic address
};

/// How an instruction orders what its thread does around it.
struct Order {
  bool acquires = false, releases = false;
  /// It reads and writes at once: what others released remains.
  bool isAtomic = false;
};

class ClusterRaces {
public:
  ClusterRaces(GridRaces &grid, uint32_t cluster, uint32_t blocks,
               uint32_t threadsOfBlock)
      : grid(grid), clocks(cluster, blocks, threadsOfBlock),
        lanes(blocks * clocks.warpsOfBlock() * warpSize) {}

  /// Strong accesses to `address`, generic, with the rank of the block in
  /// shared memory: after loads, and before stores.
  void strongRead(uint64_t address, uint32_t warp, unsigned lane, Order order);
  void strongWrite(uint64_t address, uint32_t warp, unsigned lane, Order order);
  void fence(uint32_t warp, uint32_t lanes);

  GridRaces &grid;
  Clocks clocks;

private:
  struct LaneState {
    /// When it last fenced: what it did until then a strong store hands on.
    uint32_t fencedAt = 0;
    /// What strong loads found, for a fence to acquire.
    std::vector<std::shared_ptr<const Message>> found;
  };

  std::vector<LaneState> lanes;
  std::unordered_map<uint64_t, Messages> sharedMessages;
};

} // namespace ptx

#endif // TOOLS_PTX_EMULATOR_RACES_CLUSTERRACES_H
