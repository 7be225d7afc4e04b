//===- Order.h - what loads, stores and atomics order ---------*- C++ -*-===//
#ifndef TOOLS_PTX_EMULATOR_EXEC_OPS_ORDER_H
#define TOOLS_PTX_EMULATOR_EXEC_OPS_ORDER_H

#include "tools/ptx-emulator/exec/Access.h"
#include "tools/ptx-emulator/exec/Block.h"
#include "tools/ptx-emulator/exec/Selection.h"

namespace ptx {

/// Bits of Step::setting.
enum : uint32_t {
  isStrong = 1,
  isBlockScope = 2,
  acquires = 4,
  releases = 8,
};

/// Of ld, st, atom and red: volatile is as relaxed, and what is atomic is
/// relaxed if it says nothing (PTX ISA, memory consistency model).
inline uint32_t orderOf(const Modifiers &m, bool isAtomic) {
  uint32_t result = 0;
  if (isAtomic ||
      !m.oneOf({"relaxed", "acquire", "release", "acq_rel", "volatile", "mmio"})
           .empty())
    result |= isStrong;
  if (m.has("cta"))
    result |= isBlockScope;
  if (m.has("acquire") || m.has("acq_rel"))
    result |= acquires;
  if (m.has("release") || m.has("acq_rel"))
    result |= releases;
  return result;
}

inline Use useOf(const Step &step, bool writes) {
  return {writes, bool(step.setting & isStrong),
          bool(step.setting & isBlockScope), nullptr};
}

/// Synchronises by an address: a load after it was done, a store before.
inline void synchroniseBy(Warp &warp, const Step &step, const Cell &cell,
                          uint64_t address, unsigned lane, bool reads,
                          bool writes) {
  ClusterRaces *races = warp.block.cluster.races.get();
  bool isCommon = cell.space == Space::Shared || cell.space == Space::Global;
  if (!races || !isCommon || !(step.setting & isStrong))
    return;
  if (cell.space == Space::Shared)
    address = windows::shared + clusterAddress(cell.block->rank, address);
  Order order = {bool(step.setting & acquires), bool(step.setting & releases),
                 reads && writes};
  if (reads)
    races->strongRead(address, warp.numberInCluster, lane, order);
  if (writes)
    races->strongWrite(address, warp.numberInCluster, lane, order);
}

} // namespace ptx

#endif // TOOLS_PTX_EMULATOR_EXEC_OPS_ORDER_H
