//===- AsyncCopies.cpp - cp.async -----------------------------------------===//
#include "tools/ptx-emulator/exec/Block.h"
#include "tools/ptx-emulator/exec/CopyQueue.h"
#include "tools/ptx-emulator/exec/ops/BulkCopies.h"
#include "tools/ptx-emulator/exec/ops/Compute.h"
#include "tools/ptx-emulator/exec/ops/Mbarriers.h"

namespace ptx {

/// Setting: whether the fourth operand is a cache policy.
static constexpr uint32_t hasPolicy = 1;

static void copy(Warp &warp, const Step &step) {
  const AddressRef &to = step.addresses[0], &from = step.addresses[1];
  unsigned bytes = unsigned(step.numbers[0]);
  bool isIgnored = step.setting & sourceIsPredicate;
  unsigned optional = step.operandCount - (step.setting & hasPolicy ? 4 : 3);
  const Row *sizes =
      optional && !isIgnored ? warp.source(step.operands[3]) : nullptr;
  uint32_t ignoring = isIgnored ? warp.predicate(step.predicates[2]) : 0;
  forLanes(warp.active, [&](unsigned lane) {
    AsyncCopy copy;
    copy.pc = warp.currentPc();
    copy.bytes = uint8_t(bytes);
    uint32_t size = sizes ? sizes[0][lane] : bytes;
    if (size > bytes)
      throw Fault(FaultKind::IllegalInstruction,
                  "cp.async of " + std::to_string(bytes) + " bytes reads " +
                      std::to_string(size),
                  int(lane));
    copy.read = ignoring >> lane & 1 ? 0 : uint8_t(size);
    copy.to =
        locate(warp, to.space, warp.address(to, lane), bytes, lane, writing);
    uint64_t source = warp.address(from, lane);
    if (source % bytes)
      throw misaligned(from.space, source, bytes, lane, reading);
    // Of what is not read nothing is asked.
    if (copy.read)
      copy.from =
          locatePart(warp, from.space, source, copy.read, lane, reading);
    bool now = warp.block.cluster.operations.movesNow();
    if (!now)
      fillWithGarbage(copy.to.bytes, bytes, warp.block.seed());
    warp.copies(lane).add(copy, now);
  });
  warp.block.hasAsyncCopies = true;
}

/// Setting of the others.
static constexpr uint32_t waitsForAll = 1;

static void wait(Warp &warp, const Step &step) {
  ClusterRaces *races = warp.block.cluster.races.get();
  forLanes(warp.active, [&](unsigned lane) {
    // It is now that the thread has written.
    auto completed = [&](const AsyncCopy &copy) {
      if (races)
        rewriteWords(copy.to, copy.bytes,
                     {.warp = warp.numberInCluster,
                      .lane = lane,
                      .pc = copy.pc,
                      .writes = true},
                     races->clocks);
    };
    CopyQueue &queue = warp.copies(lane);
    if (step.setting & waitsForAll)
      queue.commit();
    queue.wait(step.setting & waitsForAll ? 0 : step.numbers[0], completed);
  });
}

/// An arrival of the thread when all copies that it made are done. Without
/// .noinc (the setting) it is one more than the phase expects.
static void arriveWhenCopied(Warp &warp, const Step &step) {
  const AddressRef &ref = step.addresses[0];
  ClusterRaces *races = warp.block.cluster.races.get();
  forLanes(warp.active, [&](unsigned lane) {
    Located at = barrierAt(warp, ref, warp.address(ref, lane), lane);
    Block *block = at.block;
    uint64_t offset = at.barrier->offset;
    if (!step.setting)
      ++at.barrier->pending;
    // What it copied is known by the barrier, as what an engine wrote.
    CopyQueue copies = std::move(warp.copies(lane));
    warp.copies(lane) = {};
    uint32_t warpNumber = warp.numberInCluster;
    warp.block.cluster.operations.add([=]() mutable {
      Mbarrier *barrier = block->mbarriers.find(offset);
      if (!barrier)
        throw Fault(FaultKind::LaunchFailure,
                    "cp.async arrives at an mbarrier that was made invalid");
      ThreadNumber engine = races ? races->clocks.engineFor(offset) : 0;
      copies.commit();
      copies.wait(0, [&](const AsyncCopy &copy) {
        if (races)
          rewriteWords(copy.to, copy.bytes,
                       {.warp = warpNumber,
                        .lane = lane,
                        .pc = copy.pc,
                        .writes = true,
                        .isAsync = true,
                        .engine = engine},
                       races->clocks);
      });
      if (races)
        races->clocks.engineReleases(engine, barrier->coming);
      block->mbarriers.arrive(*barrier, 1);
    });
  });
}

Selection select_cp(const Modifiers &m) {
  if (m.has("tensor"))
    return tensorSelection(m);
  if (m.has("bulk"))
    return bulkSelection(m);
  if (m.has("mbarrier"))
    return Selection{&arriveWhenCopied, {Type::b64}}.withSetting(
        m.has("noinc"));
  if (m.has("commit_group"))
    return {[](Warp &warp, const Step &) {
              forLanes(warp.active,
                       [&](unsigned lane) { warp.copies(lane).commit(); });
            },
            {Type::b32}};
  if (m.has("wait_group"))
    return {&wait, {Type::b32}};
  if (m.has("wait_all"))
    return Selection{&wait, {Type::b32}}.withSetting(waitsForAll);
  return Selection{&copy, {Type::b32, Type::b64}}.withSetting(
      m.has("L2::cache_hint") ? hasPolicy : 0);
}

} // namespace ptx
