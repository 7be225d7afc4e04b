//===- Clusters.cpp - blocks of a cluster ---------------------------------===//
#include "tools/ptx-emulator/exec/Block.h"
#include "tools/ptx-emulator/exec/ops/Barriers.h"
#include "tools/ptx-emulator/exec/ops/Compute.h"
#include "tools/ptx-emulator/mem/DeviceMemory.h"

namespace ptx {

/// Setting of mapa and getctarank: addresses are of shared memory, not generic.
static constexpr uint32_t isOfShared = 1;

/// The same place in the shared memory of the block of a rank.
template <class T> static void mapAddress(Warp &warp, const Step &step) {
  Row *to = warp.destination(step.operands[0]);
  const Row *from = warp.source(step.operands[1]);
  const Row *ranks = warp.source(step.operands[2]);
  size_t blocks = warp.block.cluster.blocks.size();
  forLanes(warp.active, [&](unsigned lane) {
    uint64_t address = get<T>(from, lane);
    uint32_t rank = ranks[0][lane];
    if (rank >= blocks)
      throw Fault(FaultKind::IllegalInstruction,
                  "mapa to block " + std::to_string(rank) +
                      " of a cluster of " + std::to_string(blocks),
                  int(lane));
    uint64_t window = step.setting & isOfShared ? 0 : windows::shared;
    put(to, lane, T(window + clusterAddress(rank, address)));
  });
}

template <class T> static void rankOfAddress(Warp &warp, const Step &step) {
  Row *to = warp.destination(step.operands[0]);
  const Row *from = warp.source(step.operands[1]);
  forLanes(warp.active, [&](unsigned lane) {
    uint64_t rank = get<T>(from, lane) % windows::size >> rankShift;
    put(to, lane, rank ? uint32_t(rank - 1) : warp.block.rank);
  });
}

Selection select_mapa(const Modifiers &m) {
  Type type = m.type();
  return Selection{type == Type::u64 ? &mapAddress<uint64_t>
                                     : &mapAddress<uint32_t>,
                   {type, type, Type::u32}}
      .withSetting(m.has("shared::cluster") ? isOfShared : 0);
}

Selection select_getctarank(const Modifiers &m) {
  Type type = m.type();
  return {type == Type::u64 ? &rankOfAddress<uint64_t>
                            : &rankOfAddress<uint32_t>,
          {Type::u32, type}};
}

static constexpr uint32_t isAligned = 1, releases = 2;

Selection clusterBarrierSelection(const Modifiers &m) {
  uint32_t setting = m.has("aligned") ? isAligned : 0;
  if (m.has("arrive"))
    return Selection{[](Warp &warp, const Step &step) {
                       if (warp.active)
                         warp.block.cluster.barrier.arrive(
                             warp, step.setting & releases,
                             step.setting & isAligned);
                       warp.advance();
                     },
                     {Type::b32}}
        .withSetting(setting | (m.has("relaxed") ? 0 : releases))
        .control();
  return Selection{[](Warp &warp, const Step &step) {
                     if (!warp.active)
                       return warp.advance();
                     warp.block.cluster.barrier.wait(warp,
                                                     step.setting & isAligned);
                   },
                   {Type::b32}}
      .withSetting(setting)
      .control();
}

} // namespace ptx
