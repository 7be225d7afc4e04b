//===- Mbarriers.cpp - mbarrier -------------------------------------------===//
#include "tools/ptx-emulator/exec/ops/Mbarriers.h"
#include "tools/ptx-emulator/exec/CopyQueue.h"
#include "tools/ptx-emulator/exec/ops/Order.h"

namespace ptx {

/// Setting, beside that of Order.h.
enum : uint32_t {
  expectsBytes = 1 << 4,
  completesBytes = 1 << 5,
  drops = 1 << 6,
  mustNotComplete = 1 << 7,
  byParity = 1 << 8,
  waits = 1 << 9,
  arrives = 1 << 10,
  hasToken = 1 << 11
};

/// Ordered or not, threads touch a barrier as an atomic operation.
static constexpr Use atomically = {true, true, false, nullptr, true};

Located barrierAt(Warp &warp, const AddressRef &ref, uint64_t address,
                  unsigned lane) {
  Located result;
  Cell cell = locate(warp, ref.space, address, 8, lane, atomically);
  result.block = cell.block;
  result.barrier = cell.block ? cell.block->mbarriers.find(uint64_t(
                                    cell.bytes - cell.block->shared.data()))
                              : nullptr;
  if (!result.barrier)
    throw Fault(FaultKind::LaunchFailure, "no mbarrier is at this address",
                int(lane))
        .with("missing: mbarrier.init");
  return result;
}

static void initialise(Warp &warp, const Step &step) {
  const AddressRef &ref = step.addresses[0];
  const Row *counts = warp.source(step.operands[1]);
  forLanes(warp.active, [&](unsigned lane) {
    uint64_t address = warp.address(ref, lane);
    Cell cell = locate(warp, ref.space, address, 8, lane, writing);
    uint32_t count = counts[0][lane];
    if (!cell.block)
      throw Fault(FaultKind::InvalidAddressSpace,
                  "an mbarrier is in shared memory", int(lane));
    if (count == 0 || count > mostArrivals)
      throw Fault(FaultKind::IllegalInstruction,
                  "an mbarrier of " + std::to_string(count) +
                      " arrivals, 1 to " + std::to_string(mostArrivals) +
                      " are possible",
                  int(lane));
    uint64_t offset = uint64_t(cell.bytes - cell.block->shared.data());
    cell.block->mbarriers.initialise(offset, count).initialisedBy =
        warp.numberInCluster;
  });
}

static void invalidate(Warp &warp, const Step &step) {
  const AddressRef &ref = step.addresses[0];
  forLanes(warp.active, [&](unsigned lane) {
    Located at = barrierAt(warp, ref, warp.address(ref, lane), lane);
    at.block->mbarriers.invalidate(at.barrier->offset);
  });
}

/// arrive, arrive_drop, expect_tx, complete_tx.
static void arrive(Warp &warp, const Step &step) {
  const AddressRef &ref = step.addresses[0];
  ClusterRaces *races = warp.block.cluster.races.get();
  bool returns = step.setting & hasToken;
  unsigned countOperand = returns ? 2 : 1;
  bool hasOperand = step.operandCount > countOperand;
  const Row *operand =
      hasOperand ? warp.source(step.operands[countOperand]) : nullptr;
  forLanes(warp.active, [&](unsigned lane) {
    Located at = barrierAt(warp, ref, warp.address(ref, lane), lane);
    Mbarrier &barrier = *at.barrier;
    Mbarriers &all = at.block->mbarriers;
    uint64_t token = barrier.state();
    if (races && (step.setting & releases))
      barrier.coming.join(
          races->clocks.release(warp.numberInCluster, uint32_t(1) << lane));
    uint32_t number = operand ? operand[0][lane] : 1, count = 1;
    if (step.setting & (expectsBytes | completesBytes)) {
      int64_t bytes = step.setting & expectsBytes ? number : -int64_t(number);
      // Arriving after it in one: the phase cannot end in between.
      if (!(step.setting & arrives)) {
        all.expectBytes(barrier, bytes);
        return;
      }
      barrier.bytes += bytes;
    } else {
      count = number;
    }
    uint64_t phase = barrier.phase;
    if (step.setting & drops)
      all.drop(barrier, count);
    else
      all.arrive(barrier, count);
    if ((step.setting & mustNotComplete) && barrier.phase != phase)
      throw Fault(FaultKind::LaunchFailure,
                  "mbarrier.arrive.noComplete completed the phase", int(lane));
    if (returns)
      put(warp.destination(step.operands[0]), lane, token);
  });
}

/// Whether the phase that a lane asks about is over.
static bool isOver(const Step &step, const Mbarrier &barrier, const Row *rows,
                   unsigned lane) {
  if (step.setting & byParity)
    return (barrier.phase & 1) != (get<uint32_t>(rows, lane) & 1);
  return (get<uint64_t>(rows, lane) >> 40) != (barrier.phase & 0x7fffff);
}

/// Tests for the active lanes and sets the predicate; returns the lanes for
/// which the phase is not over.
static uint32_t test(Warp &warp, const Step &step, uint32_t &barrierNumber) {
  const AddressRef &ref = step.addresses[0];
  const Row *asked = warp.source(step.operands[2]);
  ClusterRaces *races = warp.block.cluster.races.get();
  uint32_t over = 0;
  bool isOne = true, isFirst = true;
  // Lanes that wait for one barrier learn the same: together.
  const Clock *learned = nullptr;
  uint32_t learners = 0;
  auto learn = [&] {
    if (races && learned && (step.setting & acquires))
      races->clocks.acquire(warp.numberInCluster, learners, *learned);
    learners = 0;
  };
  forLanes(warp.active, [&](unsigned lane) {
    Located at = barrierAt(warp, ref, warp.address(ref, lane), lane);
    if (at.block != &warp.block)
      throw Fault(FaultKind::InvalidAddressSpace,
                  "a wait for an mbarrier of another block", int(lane));
    isOne &= isFirst || at.barrier->number == barrierNumber;
    barrierNumber = at.barrier->number;
    isFirst = false;
    if (!isOver(step, *at.barrier, asked, lane))
      return;
    over |= uint32_t(1) << lane;
    if (learned != &at.barrier->completed)
      learn();
    learned = &at.barrier->completed;
    learners |= uint32_t(1) << lane;
  });
  learn();
  warp.setPredicate(step.predicates[0], over);
  if (!isOne)
    barrierNumber = ~uint32_t(0);
  return warp.active & ~over;
}

/// Both: a try that fails waits, if all lanes wait for the same.
static void wait(Warp &warp, const Step &step) {
  if (!warp.active)
    return warp.advance();
  uint32_t number = 0;
  uint32_t waiting = test(warp, step, number);
  if (!waiting)
    return warp.advance();
  Grid &grid = warp.block.grid;
  bool isTry = step.setting & waits;
  // A try may fail at any time.
  bool givesUp =
      grid.options.asynchrony == Asynchrony::Random && grid.random() % 4 == 0;
  if (isTry && !givesUp && waiting == warp.active && number != ~uint32_t(0))
    return warp.wait(Wait::Mbarrier, number);
  // Who polls sees others get on.
  warp.block.cluster.polled();
  warp.advance();
  warp.yield();
}

void testAgain(Warp &warp, const Step &step) {
  uint32_t number = 0;
  test(warp, step, number);
}

Selection select_mbarrier(const Modifiers &m) {
  uint32_t order = isStrong;
  if (!m.has("relaxed"))
    order |= m.has("test_wait") || m.has("try_wait") ? acquires : releases;
  if (m.has("init"))
    return {&initialise, {Type::u32}};
  if (m.has("inval"))
    return {&invalidate, {Type::u32}};
  if (m.has("pending_count"))
    return {[](Warp &warp, const Step &step) {
              Row *to = warp.destination(step.operands[0]);
              const Row *from = warp.source(step.operands[1]);
              forLanes(warp.active, [&](unsigned lane) {
                put(to, lane, uint32_t(get<uint64_t>(from, lane) & 0xfffff));
              });
            },
            {Type::u32, Type::b64}};
  if (m.has("test_wait") || m.has("try_wait")) {
    uint32_t setting = order | (m.has("parity") ? byParity : 0) |
                       (m.has("try_wait") ? waits : 0);
    return Selection{&wait,
                     {m.has("parity") ? Type::u32 : Type::b64, Type::u32}}
        .withSetting(setting)
        .control();
  }
  bool isArrival = m.has("arrive") || m.has("arrive_drop");
  uint32_t setting = order | (m.has("expect_tx") ? expectsBytes : 0) |
                     (m.has("complete_tx") ? completesBytes : 0) |
                     (m.has("arrive_drop") ? drops : 0) |
                     (m.has("noComplete") ? mustNotComplete : 0) |
                     (isArrival ? arrives : 0) |
                     (m.operands().starts_with('D') ? hasToken : 0);
  if (!isArrival)
    return Selection{&arrive, {Type::u32}}.withSetting(setting &
                                                       ~uint32_t(releases));
  std::vector<Type> types = {Type::u32};
  if (setting & hasToken)
    types.insert(types.begin(), Type::b64);
  return Selection{&arrive, types}.withSetting(setting);
}

} // namespace ptx
