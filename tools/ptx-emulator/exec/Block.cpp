//===- Block.cpp - threads that share memory and barriers -----------------===//
#include "tools/ptx-emulator/exec/Block.h"
#include "tools/ptx-emulator/exec/ops/Mbarriers.h"

#include <algorithm>

namespace ptx {

Block::Block(Cluster &cluster, Dimensions index, uint32_t rank)
    : cluster(cluster), grid(cluster.grid), index(index), rank(rank) {
  const Kernel &kernel = grid.kernel;
  uint64_t bytes = kernel.dynamicBegin + grid.shape.dynamicShared;
  shared.resize(bytes);
  sharedDefined.resize(bytes);
  std::fill_n(sharedDefined.begin(), kernel.dynamicBegin, uint8_t(isOutside));
  for (const Kernel::SharedVariable &each : kernel.shared)
    std::fill_n(sharedDefined.begin() + int64_t(each.address - sharedBase),
                each.size, uint8_t(neverWritten));
  fillWithGarbage(shared.data(), bytes, grid.options.seed);
  uint32_t threads = uint32_t(grid.shape.block.count());
  if (cluster.races)
    shadow = std::make_unique<SharedShadow>(bytes);
  for (uint32_t first = 0; first < threads; first += warpSize) {
    uint32_t count = std::min(threads - first, warpSize);
    warps.push_back(std::make_unique<Warp>(*this, kernel, first / warpSize,
                                           allLanes >> (warpSize - count)));
  }
  for (Barrier &each : barriers) {
    each.lanes.resize(warps.size());
    each.pcs.resize(warps.size());
  }
}

uint64_t Block::run(uint64_t quantum) {
  uint64_t executed = 0;
  // A seed begins with another warp each time.
  size_t first = seed() ? grid.random() % warps.size() : 0;
  for (size_t i = 0; i < warps.size(); ++i) {
    Warp &warp = *warps[(first + i) % warps.size()];
    if (!warp.canRun())
      continue;
    grid.running = &warp;
    uint64_t budget = seed() ? 1 + grid.random() % 200 : quantum;
    uint64_t done = warp.run(budget);
    grid.executed += done;
    executed += done;
  }
  return executed;
}

bool Block::hasExited() const {
  return std::ranges::all_of(
      warps, [](const auto &warp) { return warp->hasExited(); });
}

uint32_t Block::liveThreads() const {
  uint32_t threads = 0;
  for (const auto &warp : warps)
    threads += warp->hasExited() ? 0 : warpSize;
  return threads;
}

void Block::arrive(Warp &warp, const Arrival &arrival) {
  uint32_t number = arrival.barrier;
  auto wrong = [&](const std::string &what) {
    return Fault(FaultKind::LaunchFailure,
                 "barrier " + std::to_string(number) + ": " + what,
                 std::countr_zero(warp.active));
  };
  if (number >= barrierCount)
    throw wrong("a block has barriers 0 to 15");
  if (arrival.threads % warpSize)
    throw wrong(std::to_string(arrival.threads) +
                " threads are no whole warps");
  Barrier &barrier = barriers[number];
  if (!barrier.isUsed) {
    barrier.isUsed = true;
    barrier.wantsAll = arrival.threads == 0;
    barrier.threads = arrival.threads;
    barrier.reduction = arrival.reduction;
  } else if (barrier.wantsAll != (arrival.threads == 0) ||
             barrier.threads != arrival.threads) {
    throw wrong("it waits for " +
                (barrier.wantsAll ? "all" : std::to_string(barrier.threads)) +
                " threads, and is now to wait for " +
                (arrival.threads ? std::to_string(arrival.threads) : "all"));
  } else if (barrier.reduction != arrival.reduction) {
    throw wrong("threads that reduce meet threads that do not, or reduce "
                "otherwise");
  }
  uint32_t &lanes = barrier.lanes[warp.index];
  uint32_t pc = warp.current().pc;
  if (lanes & warp.active)
    throw wrong("a thread comes for the second time before its warp came");
  if (lanes && arrival.isAligned && barrier.pcs[warp.index] != pc)
    throw wrong(
        "lanes of a warp come by different .aligned instructions, "
        "lines " +
        std::to_string(grid.kernel.steps[barrier.pcs[warp.index]].line) +
        " and " + std::to_string(grid.kernel.steps[pc].line));
  barrier.pcs[warp.index] = pc;
  lanes |= warp.active;
  barrier.trues += uint32_t(std::popcount(arrival.predicate & warp.active));
  barrier.falses += uint32_t(std::popcount(~arrival.predicate & warp.active));
  // A barrier of all needs no clocks: when it is complete all know all.
  ClusterRaces *races = cluster.races.get();
  if (races && !barrier.wantsAll)
    barrier.clock.join(
        races->clocks.release(warp.numberInCluster, warp.active));
  if (arrival.waits)
    warp.wait(Wait::Barrier, number);
  else
    warp.advance();
  countWarp(barrier, number, warp);
}

void Block::countWarp(Barrier &barrier, uint32_t number, Warp &warp) {
  uint32_t &lanes = barrier.lanes[warp.index];
  if (!lanes || (warp.liveLanes() & ~lanes))
    return;
  // Threads are counted by whole warps.
  lanes = 0;
  barrier.arrived += warpSize;
  completeIfDone(barrier, number);
}

void Block::completeIfDone(Barrier &barrier, uint32_t number) {
  if (!barrier.isUsed || barrier.arrived == 0)
    return;
  uint32_t wanted = barrier.wantsAll ? liveThreads() : barrier.threads;
  if (barrier.arrived < wanted)
    return;
  if (barrier.arrived > wanted && !barrier.wantsAll)
    throw Fault(FaultKind::LaunchFailure, "barrier " + std::to_string(number) +
                                              ": " +
                                              std::to_string(barrier.arrived) +
                                              " threads came, it is "
                                              "complete with " +
                                              std::to_string(wanted));
  Barrier done = barrier;
  barrier.isUsed = false;
  barrier.clock = {};
  ClusterRaces *races = cluster.races.get();
  if (races && done.wantsAll)
    races->clocks.synchroniseBlock(rank);
  barrier.arrived = barrier.trues = barrier.falses = 0;
  grid.noteProgress();
  uint32_t result = 0;
  switch (done.reduction) {
  case Reduction::None:
    break;
  case Reduction::Count:
    result = done.trues;
    break;
  case Reduction::And:
    result = done.falses == 0;
    break;
  case Reduction::Or:
    result = done.trues != 0;
    break;
  }
  for (const auto &warp : warps)
    warp->wake(Wait::Barrier, number, [&](Warp &each, const Step &step) {
      if (races && !done.wantsAll)
        races->clocks.acquire(each.numberInCluster, each.active, done.clock);
      if (done.reduction == Reduction::Count)
        forLanes(each.active, [&](unsigned lane) {
          put(each.destination(step.operands[0]), lane, result);
        });
      else if (done.reduction != Reduction::None)
        each.setPredicate(step.predicates[0], result ? allLanes : 0);
    });
}

void Block::lanesExited(Warp &warp) {
  for (uint32_t i = 0; i < barrierCount; ++i) {
    if (!warp.hasExited())
      countWarp(barriers[i], i, warp);
    else
      barriers[i].lanes[warp.index] = 0;
    completeIfDone(barriers[i], i);
  }
  cluster.barrier.lanesExited();
}

uint32_t Block::registersAtStart() const {
  constexpr uint32_t ofMultiprocessor = 65536, mostOfThread = 255;
  if (uint32_t given = grid.kernel.entry->maxRegisters)
    return given;
  uint32_t threads = uint32_t(grid.shape.block.count());
  return std::min(ofMultiprocessor / threads, mostOfThread) / 8 * 8;
}

void Block::setRegisters(Warp &warp, uint32_t count, bool increases) {
  auto wrong = [&](const char *what) {
    return Fault(FaultKind::IllegalInstruction,
                 std::string("setmaxnreg: ") + what + " " +
                     std::to_string(count) + " registers, the warp has " +
                     std::to_string(warp.registers));
  };
  if (count % 8 || count < 24 || count > 256)
    throw wrong("24 to 256 in steps of 8 are possible, not");
  if (increases ? count < warp.registers : count > warp.registers)
    throw wrong(increases ? "an increase to" : "a decrease to");
  uint32_t change =
      (increases ? count - warp.registers : warp.registers - count) * warpSize;
  if (increases && change > freeRegisters)
    return warp.waitToTry(Wait::Registers);
  freeRegisters = increases ? freeRegisters - change : freeRegisters + change;
  warp.registers = count;
  warp.advance();
  if (!increases)
    for (const auto &each : warps)
      each->wake(Wait::Registers, 0);
}

void Block::phaseEnded(const Mbarrier &barrier) {
  for (const auto &warp : warps)
    warp->wake(Wait::Mbarrier, barrier.number, testAgain);
}

std::vector<std::string> Block::whatWaits() const {
  std::vector<std::string> result;
  for (const auto &warp : warps)
    for (const Group &each : warp->allGroups()) {
      // All but lanes that wait for others stand behind the instruction.
      uint32_t pc = each.pc - !triesAgain(each.wait);
      char lanes[16];
      std::snprintf(lanes, sizeof lanes, "0x%08x", each.lanes);
      std::string text = "warp " + std::to_string(warp->index) + " lanes " +
                         lanes + ", PTX line " +
                         std::to_string(grid.kernel.steps[pc].line) + ": ";
      if (each.wait == Wait::Barrier) {
        const Barrier &barrier = barriers[each.waitsFor];
        text +=
            "waits at barrier " + std::to_string(each.waitsFor) + ", " +
            std::to_string(barrier.arrived) + " of " +
            std::to_string(barrier.wantsAll ? liveThreads() : barrier.threads) +
            " threads came";
      } else if (each.wait == Wait::Mbarrier) {
        text += "waits for an mbarrier";
        if (const Mbarrier *barrier = mbarriers.numbered(each.waitsFor))
          text += " at shared + " + std::to_string(barrier->offset) +
                  ", phase " + std::to_string(barrier->phase) + ", " +
                  std::to_string(barrier->pending) + " of " +
                  std::to_string(barrier->expected) + " arrivals and " +
                  std::to_string(barrier->bytes) + " bytes pending";
      } else if (each.wait == Wait::Registers) {
        text += "waits for registers: it has " +
                std::to_string(warp->registers) + " a thread, " +
                std::to_string(freeRegisters) + " are free for all";
      } else if (each.wait == Wait::Cluster) {
        text += "waits at barrier.cluster";
      } else {
        text += "waits for other lanes of its warp";
      }
      result.push_back(text);
    }
  return result;
}

} // namespace ptx
