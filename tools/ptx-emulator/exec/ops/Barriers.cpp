//===- Barriers.cpp - bar and barrier -------------------------------------===//
#include "tools/ptx-emulator/exec/ops/Barriers.h"
#include "tools/ptx-emulator/exec/Block.h"
#include "tools/ptx-emulator/exec/ops/Compute.h"

namespace ptx {

/// Setting: what is reduced, and these.
enum : uint32_t { reductionBits = 3, waits = 4, isAligned = 8 };

/// What all active lanes have in an operand. Throws Fault if they differ.
static uint32_t uniform(Warp &warp, Ref ref, const char *what) {
  const Row *rows = warp.source(ref);
  uint32_t value = rows[0][std::countr_zero(warp.active)];
  forLanes(warp.active, [&](unsigned lane) {
    if (rows[0][lane] != value)
      throw Fault(FaultKind::LaunchFailure,
                  std::string("lanes of a warp differ in ") + what, int(lane));
  });
  return value;
}

static void arrive(Warp &warp, const Step &step) {
  if (!warp.active)
    return warp.advance();
  Arrival arrival = {};
  arrival.reduction = Reduction(step.setting & reductionBits);
  arrival.waits = step.setting & waits;
  arrival.isAligned = step.setting & isAligned;
  // A reduction has its destination first and its predicate last.
  bool reduces = arrival.reduction != Reduction::None;
  unsigned first = reduces ? 1 : 0;
  unsigned operands = step.operandCount - (reduces ? 2 : 0);
  arrival.barrier =
      uniform(warp, step.operands[first], "the number of a barrier");
  if (operands > 1)
    arrival.threads = uniform(warp, step.operands[first + 1],
                              "the number of threads of a barrier");
  if (reduces)
    arrival.predicate = warp.predicate(step.predicates[2]);
  if (operands > 1 && arrival.threads == 0)
    throw Fault(FaultKind::LaunchFailure, "a barrier of 0 threads");
  warp.block.arrive(warp, arrival);
}

static Selection barrierSelection(const Modifiers &m, bool aligned) {
  Reduction reduction = m.has("popc")  ? Reduction::Count
                        : m.has("and") ? Reduction::And
                        : m.has("or")  ? Reduction::Or
                                       : Reduction::None;
  Selection result = {&arrive, {Type::b32}};
  result.setting = uint32_t(reduction) | (m.has("arrive") ? 0 : waits) |
                   (aligned ? isAligned : 0);
  result.isControl = true;
  return result;
}

Selection select_bar(const Modifiers &m) {
  if (m.has("warp"))
    return warpBarrierSelection();
  return barrierSelection(m, true);
}

Selection select_barrier(const Modifiers &m) {
  if (m.has("cluster"))
    return clusterBarrierSelection(m);
  return barrierSelection(m, m.has("aligned"));
}

} // namespace ptx
