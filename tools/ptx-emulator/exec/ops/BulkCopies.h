//===- BulkCopies.h - what bulk copies of both kinds share ----*- C++ -*-===//
#ifndef TOOLS_PTX_EMULATOR_EXEC_OPS_BULKCOPIES_H
#define TOOLS_PTX_EMULATOR_EXEC_OPS_BULKCOPIES_H

#include "tools/ptx-emulator/exec/Block.h"
#include "tools/ptx-emulator/exec/BulkTransfer.h"
#include "tools/ptx-emulator/exec/Selection.h"

namespace ptx {

/// Setting: the combination, and the type's number above it, and these.
enum : uint32_t { isMulticast = 1 << 16, combinationBits = 15 };
uint32_t combinationSetting(const Modifiers &modifiers);

/// A transfer that a lane makes now.
BulkTransfer transferOf(Warp &warp, const Step &step, unsigned lane);
/// The mbarrier that a lane names. Throws Fault if asynchronous operations may
/// not know of it.
BytesAt barrierFor(Warp &warp, const AddressRef &ref, unsigned lane,
                   int64_t bytes);
/// Blocks that get a copy: those of the mask of a multicast, or the one that
/// the address is in.
std::vector<uint32_t> receivers(Warp &warp, const Step &step, unsigned lane,
                                uint64_t address, unsigned maskOperand);

/// cp.async.bulk.tensor and cp.reduce.async.bulk.tensor.
Selection tensorSelection(const Modifiers &modifiers);
/// st.async and red.async.
Selection asyncStoreSelection(const Modifiers &modifiers);
/// cp.async.bulk and cp.reduce.async.bulk, and their groups.
Selection bulkSelection(const Modifiers &modifiers);

} // namespace ptx

#endif // TOOLS_PTX_EMULATOR_EXEC_OPS_BULKCOPIES_H
