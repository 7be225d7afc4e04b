//===- Mbarriers.h - barriers that operations arrive at -------*- C++ -*-===//
#ifndef TOOLS_PTX_EMULATOR_EXEC_OPS_MBARRIERS_H
#define TOOLS_PTX_EMULATOR_EXEC_OPS_MBARRIERS_H

#include "tools/ptx-emulator/exec/Access.h"
#include "tools/ptx-emulator/exec/Block.h"

namespace ptx {

struct Located {
  Block *block = nullptr;
  Mbarrier *barrier = nullptr;
};

/// The mbarrier at an address. Throws Fault: there is none, or nothing orders
/// its initialisation before.
Located barrierAt(Warp &warp, const AddressRef &ref, uint64_t address,
                  unsigned lane);

/// Sets the predicate of a wait anew, of lanes whose phase is over.
void testAgain(Warp &warp, const Step &step);

} // namespace ptx

#endif // TOOLS_PTX_EMULATOR_EXEC_OPS_MBARRIERS_H
