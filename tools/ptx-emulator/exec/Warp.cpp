//===- Warp.cpp - 32 threads that execute together ------------------------===//
#include "tools/ptx-emulator/exec/Warp.h"
#include "tools/ptx-emulator/exec/Block.h"
#include "tools/ptx-emulator/exec/BulkTransfer.h"
#include "tools/ptx-emulator/exec/CopyQueue.h"
#include "tools/ptx-emulator/exec/Exchange.h"
#include "tools/ptx-emulator/exec/MatrixQueue.h"
#include "tools/ptx-emulator/exec/Specials.h"
#include "tools/ptx-emulator/mem/DeviceMemory.h"

#include <algorithm>

namespace ptx {

/// A thread's local memory, bytes, and calls that have not returned.
static constexpr uint64_t mostLocal = 512 << 10;
static constexpr uint32_t deepestCall = 4096;

/// Backward branches until others run in between.
static constexpr uint32_t patienceOfLoops = 256;

Warp::Warp(Block &block, const Kernel &kernel, uint32_t index, uint32_t lanes)
    : block(block), kernel(kernel), index(index),
      numberInCluster(block.rank * block.grid.shape.warpsOfBlock() + index),
      registers(block.registersAtStart()), patience(patienceOfLoops) {
  locals.resize(warpSize);
  auto frame = std::make_shared<Frame>();
  growFor(*frame);
  clearLocal(*frame, lanes);
  groups.push_back({kernel.codes[0].first, lanes, std::move(frame)});
  fillSpecials();
  // Constants are only read: the type of bases is that of destinations.
  bases[Ref::Constants] = reinterpret_cast<Row *>(
      const_cast<std::array<uint32_t, warpSize> *>(kernel.constants.data()));
  bases[Ref::Specials] = reinterpret_cast<Row *>(specials.data());
}

Warp::~Warp() = default;

CopyQueue &Warp::copies(unsigned lane) {
  if (queues.empty())
    queues.resize(warpSize);
  return queues[lane];
}

BulkQueue &Warp::bulk(unsigned lane) {
  if (bulkQueues.empty())
    bulkQueues.resize(warpSize);
  return bulkQueues[lane];
}

MatrixQueue &Warp::matrices() {
  if (!products)
    products = std::make_unique<MatrixQueue>(*this);
  return *products;
}

void Warp::fillSpecials() {
  specials.resize(kernel.specialRows);
  uint32_t row = 0;
  for (Special each : kernel.specials) {
    readSpecial(each, *this, reinterpret_cast<Row *>(specials.data() + row));
    row += rowsOf(each);
  }
}

uint32_t Warp::liveLanes() const {
  uint32_t lanes = 0;
  for (const Group &each : groups)
    lanes |= each.lanes;
  return lanes;
}

bool Warp::canRun() const {
  return std::ranges::any_of(
      groups, [](const Group &each) { return each.wait == Wait::None; });
}

uint64_t Warp::run(uint64_t budget) {
  uint64_t done = 0, lanes = 0;
  Coverage *coverage = block.grid.coverage.get();
  while (done < budget && choose()) {
    mustChoose = false;
    do {
      const Group &group = groups[running];
      pc = group.pc;
      const Step &step = kernel.steps[pc];
      active = group.lanes & predicate(step.guard);
      lanes += uint64_t(std::popcount(active));
      if (coverage && active)
        coverage->mark(pc);
      if (products && products->isBusy())
        products->check(step);
      if (step.isControl) {
        step.handler(*this, step);
      } else {
        if (active)
          step.handler(*this, step);
        advance();
      }
      ++done;
    } while (done < budget && !mustChoose && groups[running].pc < limit);
  }
  block.grid.lanesExecuted += lanes;
  return done;
}

/// Whether `a` runs before `b`.
static bool isBefore(const Group &a, const Group &b) {
  if (a.frame->depth != b.frame->depth)
    return a.frame->depth > b.frame->depth;
  return a.pc < b.pc;
}

bool Warp::choose() {
  bool isFair = patience == 0;
  size_t best = groups.size();
  for (size_t i = 0; i < groups.size(); ++i) {
    if (groups[i].wait != Wait::None)
      continue;
    if (best == groups.size() ||
        (isFair ? groups[i].lastRun < groups[best].lastRun
                : isBefore(groups[i], groups[best])))
      best = i;
  }
  if (best == groups.size())
    return false;
  patience = patienceOfLoops;
  limit = ~uint32_t(0);
  for (size_t i = 0; i < groups.size();) {
    const Group &each = groups[i];
    bool isOther = i != best && each.wait == Wait::None &&
                   each.frame == groups[best].frame;
    if (isOther && each.pc == groups[best].pc) {
      groups[best].lanes |= each.lanes;
      groups.erase(groups.begin() + ptrdiff_t(i));
      best -= i < best;
      continue;
    }
    if (isOther && !isFair && each.pc > groups[best].pc)
      limit = std::min(limit, each.pc);
    ++i;
  }
  running = best;
  groups[running].lastRun = ++ticks;
  useFrame(*groups[running].frame);
  return true;
}

void Warp::useFrame(const Frame &frame) {
  bases[Ref::Frame] = reinterpret_cast<Row *>(rows.data() + frame.rows);
  framePredicates = predicateWords.data() + frame.predicates;
}

void Warp::splitOff() {
  Group &group = groups[running];
  if (active == group.lanes)
    return;
  Group mine = group;
  mine.lanes = active;
  group.lanes &= ~active;
  // The others have executed nothing, and go on behind it.
  ++group.pc;
  groups.push_back(std::move(mine));
  running = groups.size() - 1;
  mustChoose = true;
}

void Warp::branch(uint32_t target) {
  if (!active)
    return advance();
  splitOff();
  Group &group = groups[running];
  bool isBackward = target <= group.pc;
  group.pc = target;
  if (isBackward && groups.size() > 1 && --patience == 0)
    mustChoose = true;
}

void Warp::branch(const std::vector<uint32_t> &targets, const Row *indices) {
  if (!active)
    return advance();
  uint32_t lanes = active;
  forLanes(lanes, [&](unsigned lane) {
    if (indices[0][lane] >= targets.size())
      throw Fault(FaultKind::IllegalInstruction,
                  "index " + std::to_string(indices[0][lane]) +
                      " of a list of " + std::to_string(targets.size()) +
                      " labels",
                  int(lane));
  });
  splitOff();
  Group origin = groups[running];
  groups.erase(groups.begin() + ptrdiff_t(running));
  for (uint32_t left = lanes; left;) {
    uint32_t index = indices[0][std::countr_zero(left)], same = 0;
    forLanes(left, [&](unsigned lane) {
      same |= uint32_t(indices[0][lane] == index) << lane;
    });
    left &= ~same;
    Group each = origin;
    each.pc = targets[index];
    each.lanes = same;
    groups.push_back(std::move(each));
  }
  running = groups.size() - 1;
  mustChoose = true;
}

std::shared_ptr<const Frame> Warp::frameFor(uint32_t call, uint32_t returnPc) {
  const std::shared_ptr<const Frame> &caller = groups[running].frame;
  // Lanes that made the same call before share its frame, so that they can be
  // one group again.
  for (const Group &each : groups) {
    std::shared_ptr<const Frame> frame = each.frame;
    while (frame && frame->depth > caller->depth + 1)
      frame = frame->caller;
    if (frame && frame->caller == caller && frame->returnPc == returnPc)
      return frame;
  }
  if (caller->depth + 1 == deepestCall)
    throw Fault(FaultKind::IllegalAddress,
                "the stack is full: " + std::to_string(deepestCall) +
                    " calls that have not returned");
  const Code &code = kernel.codes[caller->code];
  auto frame = std::make_shared<Frame>();
  frame->caller = caller;
  frame->code = kernel.calls[call].callee;
  frame->call = call;
  frame->returnPc = returnPc;
  frame->depth = caller->depth + 1;
  frame->rows = caller->rows + code.rows;
  frame->predicates = caller->predicates + code.predicateCount;
  frame->local = caller->local + code.localBytes;
  growFor(*frame);
  return frame;
}

void Warp::growFor(const Frame &frame) {
  const Code &code = kernel.codes[frame.code];
  uint64_t seed = block.seed();
  if (size_t most = frame.rows + code.rows; rows.size() < most) {
    std::array<uint32_t, warpSize> garbage;
    garbage.fill(garbageWord(seed));
    rows.resize(most, garbage);
  }
  if (size_t most = frame.predicates + code.predicateCount;
      predicateWords.size() < most)
    predicateWords.resize(most, seed % 2 ? allLanes : 0);
  predicateWords[frame.predicates + neverPredicate] = 0;
  predicateWords[frame.predicates + alwaysPredicate] = allLanes;
  uint64_t most = frame.local + code.localBytes;
  if (most > mostLocal)
    throw Fault(FaultKind::IllegalAddress,
                "local memory is full: " + std::to_string(most) +
                    " bytes, a thread has " + std::to_string(mostLocal));
  for (Local &each : locals)
    if (each.bytes.size() < most) {
      size_t before = each.bytes.size();
      each.bytes.resize(most);
      each.defined.resize(most);
      fillWithGarbage(each.bytes.data() + before, most - before, seed);
    }
}

void Warp::clearLocal(const Frame &frame, uint32_t lanes) {
  const Code &code = kernel.codes[frame.code];
  if (!code.localBytes)
    return;
  forLanes(lanes, [&](unsigned lane) {
    auto defined = locals[lane].defined.begin() + ptrdiff_t(frame.local);
    std::fill_n(defined, code.localBytes, uint8_t(isOutside));
    for (const Code::LocalVariable &each : code.locals)
      std::fill_n(defined + ptrdiff_t(each.place), each.size,
                  uint8_t(neverWritten));
  });
}

void Warp::transfer(const std::vector<Transfer> &list, uint64_t from,
                    uint64_t to) {
  forLanes(active, [&](unsigned lane) {
    Local &memory = locals[lane];
    for (const Transfer &each : list)
      for (std::vector<uint8_t> *bytes : {&memory.bytes, &memory.defined})
        std::copy_n(bytes->begin() + ptrdiff_t(from + each.from), each.bytes,
                    bytes->begin() + ptrdiff_t(to + each.to));
  });
}

void Warp::call(const Step &step) {
  if (!active)
    return advance();
  splitOff();
  uint32_t returnPc = groups[running].pc + 1;
  std::shared_ptr<const Frame> frame = frameFor(step.target, returnPc);
  const Code &callee = kernel.codes[frame->code];
  clearLocal(*frame, active);
  transfer(kernel.calls[step.target].arguments, groups[running].frame->local,
           frame->local);
  Group &group = groups[running];
  group.pc = callee.first;
  group.frame = std::move(frame);
  useFrame(*group.frame);
  mustChoose |= groups.size() > 1;
}

void Warp::leave() {
  if (!active)
    return advance();
  std::shared_ptr<const Frame> frame = groups[running].frame;
  if (!frame->caller)
    return exit();
  splitOff();
  transfer(kernel.calls[frame->call].results, frame->local,
           frame->caller->local);
  Group &group = groups[running];
  group.pc = frame->returnPc;
  group.frame = frame->caller;
  useFrame(*group.frame);
  mustChoose |= groups.size() > 1;
}

void Warp::exit() {
  if (!active)
    return advance();
  if (!bulkQueues.empty())
    forLanes(active, [&](unsigned lane) { bulkQueues[lane].exit(lane); });
  splitOff();
  groups.erase(groups.begin() + ptrdiff_t(running));
  running = 0;
  mustChoose = true;
  // Who waited for these lanes waits no longer.
  completeMeetings();
  block.lanesExited(*this);
}

void Warp::wait(Wait reason, uint32_t number) {
  splitOff();
  Group &group = groups[running];
  ++group.pc;
  group.wait = reason;
  group.waitsFor = number;
  mustChoose = true;
}

void Warp::waitToTry(Wait reason) {
  splitOff();
  Group &group = groups[running];
  group.wait = reason;
  group.waitsFor = 0;
  mustChoose = true;
}

template <class Each>
void Warp::forWaiting(Wait reason, uint32_t number, Each visit) {
  size_t runningBefore = running;
  uint32_t activeBefore = active;
  for (running = 0; running < groups.size(); ++running) {
    Group &group = groups[running];
    if (group.wait != reason || group.waitsFor != number)
      continue;
    active = group.lanes;
    useFrame(*group.frame);
    visit(group);
  }
  running = runningBefore;
  active = activeBefore;
  if (running < groups.size())
    useFrame(*groups[running].frame);
}

void Warp::wake(Wait reason, uint32_t number, const Visit &visit) {
  forWaiting(reason, number, [&](Group &group) {
    if (visit)
      visit(*this, kernel.steps[group.pc - !triesAgain(reason)]);
    group.wait = Wait::None;
  });
  mustChoose = true;
}

void Warp::yield() {
  if (groups.size() > 1) {
    patience = 0;
    mustChoose = true;
  }
}

void Warp::complete(size_t meeting) {
  Meeting met = meetings[meeting];
  meetings.erase(meetings.begin() + ptrdiff_t(meeting));
  mustChoose = true;
  if (!met.kind)
    return forWaiting(Wait::Lanes, met.number,
                      [](Group &group) { group.wait = Wait::None; });
  ExchangeValues values;
  values.lanes = met.lanes;
  const Step *step = nullptr;
  forWaiting(Wait::Lanes, met.number, [&](Group &group) {
    step = &kernel.steps[group.pc];
    met.kind->bring(*this, *step, values);
  });
  met.kind->compute(values);
  if (met.kind->ordersMemory && block.cluster.races)
    block.cluster.races->clocks.synchronise(numberInCluster, values.lanes);
  forWaiting(Wait::Lanes, met.number, [&](Group &group) {
    met.kind->take(*this, kernel.steps[group.pc], values);
    ++group.pc;
    group.wait = Wait::None;
  });
}

void Warp::completeMeetings() {
  for (size_t i = 0; i < meetings.size();) {
    if (meetings[i].mask & liveLanes() & ~meetings[i].lanes)
      ++i;
    else
      complete(i);
  }
}

void Warp::join(const Exchange *kind, uint32_t mask) {
  uint32_t pc = kind ? 0 : groups[running].pc;
  const Frame *frame = kind ? nullptr : groups[running].frame.get();
  auto meeting = std::ranges::find_if(meetings, [&](const Meeting &each) {
    return each.kind == kind && each.pc == pc && each.frame == frame &&
           (!kind || each.mask == mask);
  });
  if (meeting == meetings.end())
    meeting = meetings.insert(meetings.end(),
                              {kind, pc, frame, mask, 0, nextMeeting++});
  meeting->lanes |= active;
  Group waiting = groups[running];
  waiting.lanes = active;
  waiting.wait = Wait::Lanes;
  waiting.waitsFor = meeting->number;
  groups[running].lanes &= ~active;
  groups.push_back(std::move(waiting));
  completeMeetings();
}

void Warp::exchange(const Step &step, const Row *masks, const Exchange &kind) {
  uint32_t left = active;
  while (left) {
    uint32_t live = liveLanes();
    uint32_t mask = masks ? masks[0][std::countr_zero(left)] : live;
    active = 0;
    forLanes(left, [&](unsigned lane) {
      active |= uint32_t(!masks || masks[0][lane] == mask) << lane;
    });
    left &= ~active;
    if (uint32_t outside = active & ~mask)
      throw Fault(FaultKind::LaunchFailure,
                  "a lane executes what its own mask leaves it out of",
                  std::countr_zero(outside));
    if (mask & live & ~active) {
      join(&kind, mask);
      continue;
    }
    // All are here: the common case.
    ExchangeValues values;
    values.lanes = active;
    kind.bring(*this, step, values);
    kind.compute(values);
    kind.take(*this, step, values);
    if (kind.ordersMemory && block.cluster.races)
      block.cluster.races->clocks.synchronise(numberInCluster, values.lanes);
  }
  if (groups[running].lanes)
    return advance();
  groups.erase(groups.begin() + ptrdiff_t(running));
  running = 0;
  mustChoose = true;
}

bool Warp::gather() {
  uint32_t live = liveLanes();
  if (active == live)
    return true;
  if (!active) {
    advance();
    return false;
  }
  splitOff();
  // Waiting groups of one pc are one group when they go on.
  join(nullptr, live);
  groups.erase(groups.begin() + ptrdiff_t(running));
  running = 0;
  mustChoose = true;
  return false;
}

} // namespace ptx
