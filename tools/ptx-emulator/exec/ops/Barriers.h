//===- Barriers.h - selectors that bar shares -----------------*- C++ -*-===//
#ifndef TOOLS_PTX_EMULATOR_EXEC_OPS_BARRIERS_H
#define TOOLS_PTX_EMULATOR_EXEC_OPS_BARRIERS_H

#include "tools/ptx-emulator/exec/Selection.h"

namespace ptx {

/// bar.warp.sync.
Selection warpBarrierSelection();
/// barrier.cluster.
Selection clusterBarrierSelection(const Modifiers &modifiers);

} // namespace ptx

#endif // TOOLS_PTX_EMULATOR_EXEC_OPS_BARRIERS_H
