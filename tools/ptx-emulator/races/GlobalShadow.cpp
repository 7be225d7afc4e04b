//===- GlobalShadow.cpp - who touched global memory last ------------------===//
#include "tools/ptx-emulator/races/GlobalShadow.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <new>
#include <thread>

namespace ptx {

uint32_t GlobalShadow::Events::add(const Event &event) {
  if (count % chunkSize == 0) {
    // Who reads elsewhere must not see them move.
    if (chunks.size() == chunks.capacity())
      throw std::bad_alloc();
    chunks.push_back(std::make_unique<Event[]>(chunkSize));
  }
  chunks.back()[count % chunkSize] = event;
  return count++;
}

void GlobalShadow::Page::lock() {
  while (isLocked.test_and_set(std::memory_order_acquire))
    std::this_thread::yield();
}

void GlobalShadow::keep(uint64_t page, Page &kept) {
  kept.isKept = true;
  memory->forParts(page * pageBytes, pageBytes,
                   [&](Allocation &each, uint64_t offset, uint64_t bytes) {
                     const uint8_t *data = each.data + offset;
                     Before before = {&each, offset, {data, data + bytes}, {}};
                     if (each.defined)
                       before.defined.assign(each.defined + offset,
                                             each.defined + offset + bytes);
                     kept.before.push_back(std::move(before));
                   });
}

void GlobalShadow::restore() {
  for (const auto &[number, page] : pages)
    for (const Before &each : page->before) {
      std::ranges::copy(each.data, each.of->data + each.offset);
      std::ranges::copy(each.defined, each.of->defined + each.offset);
    }
}

void GlobalShadow::forgetContents() {
  for (const auto &[number, page] : pages)
    page->before = {};
}

static Conflict conflictWith(const auto &event, unsigned lane, bool wrote) {
  return {event.cluster, event.warp, lane, event.pc, wrote};
}

std::optional<Conflict> GlobalShadow::conflict(uint64_t address, uint8_t bytes,
                                               bool writes,
                                               bool isStrong) const {
  auto page = pages.find(address / pageBytes);
  if (page == pages.end())
    return std::nullopt;
  const Word &word = page->second->words[address % pageBytes / 4];
  auto state = std::bit_cast<State>(word.state);
  // Where one of several events had the byte the last one stands for all.
  if (state.everWritten & bytes && !(isStrong && event(word.write).isStrong))
    return conflictWith(event(word.write), state.writeLane, true);
  if (!writes || !(state.everRead & bytes))
    return std::nullopt;
  if (word.read)
    return conflictWith(event(word.read), state.readLane, false);
  // Who read it wrote it, too.
  return conflictWith(event(word.write), state.writeLane, true);
}

//===-- Writers -----------------------------------------------------------===//

ShadowWriter::ShadowWriter(GlobalShadow &shadow)
    : shadow(shadow), number(uint32_t(shadow.writers.size())),
      events(*shadow.writers.emplace_back(
          std::make_unique<GlobalShadow::Events>())) {
  // Number 0 of all is none.
  if (number == 0)
    events.add({});
}

uint32_t ShadowWriter::eventFor(const Touch &touch, bool isBlockScope,
                                const Clocks &clocks) {
  Event event = {clocks.cluster(), clocks.now(),
                 touch.pc,         uint16_t(touch.thread() / warpSize),
                 touch.isStrong,   isBlockScope};
  // The lanes of an instruction, its words, and loops around it without a
  // release are one event.
  if (lastEvents.size() <= touch.pc)
    lastEvents.resize(touch.pc + 1);
  uint32_t &last = lastEvents[touch.pc];
  if (!last || !(shadow.event(last) == event))
    last = number << GlobalShadow::placeBits | events.add(event);
  return last;
}

bool ShadowWriter::isOrdered(const Event &event, unsigned lane,
                             const Touch &touch, bool isBlockScope,
                             const Clocks &clocks) const {
  bool isSameCluster = event.cluster == clocks.cluster();
  // Of different blocks only what is strong for both of them.
  if (event.isStrong && touch.isStrong &&
      (isSameCluster || !(event.isBlockScope || isBlockScope)))
    return true;
  auto thread = ThreadNumber(event.warp * warpSize + lane);
  return isSameCluster
             ? clocks.knows(touch.warp, touch.lane, thread, event.time)
             : clocks.knows(touch.warp, touch.lane, event.cluster, thread,
                            event.time);
}

GlobalShadow::Page &ShadowWriter::pageAt(uint64_t number) {
  if (number == lastNumber)
    return *lastPage;
  Page *&page = pages[number];
  if (!page) {
    std::lock_guard lock(shadow.mutex);
    std::unique_ptr<Page> &shared = shadow.pages[number];
    if (!shared)
      shared = std::make_unique<Page>();
    page = shared.get();
  }
  lastNumber = number;
  lastPage = page;
  return *page;
}

static uint32_t load(uint32_t &word) {
  return std::atomic_ref(word).load(std::memory_order_relaxed);
}
static void store(uint32_t &word, uint32_t value) {
  std::atomic_ref(word).store(value, std::memory_order_relaxed);
}

bool ShadowWriter::isSuspicious(const Word &word, State state,
                                const Touch &touch, uint32_t cluster) const {
  bool isOfAnother =
      state.isWrittenBySeveral ||
      (word.write && shadow.event(word.write).cluster != cluster);
  if (state.everWritten & touch.bytes && isOfAnother)
    return true;
  isOfAnother = state.isReadBySeveral ||
                (word.read && shadow.event(word.read).cluster != cluster);
  return touch.writes && state.everRead & touch.bytes && isOfAnother;
}

std::optional<Conflict> ShadowWriter::touch(uint64_t address,
                                            const Touch &touch,
                                            bool isBlockScope,
                                            const Clocks &clocks) {
  uint64_t number = address / GlobalShadow::pageBytes;
  Page &page = pageAt(number);
  Word &word = page.words[address % GlobalShadow::pageBytes / 4];
  if (!shadow.memory)
    return this->touch(word, touch, isBlockScope, clocks);
  // What several clusters read, and none writes, stays as it is: threads of the
  // host do not wait for each other there. Who writes it is suspicious.
  auto state = std::bit_cast<State>(load(word.state));
  if (!touch.writes && state.isReadBySeveral && !load(word.write) &&
      (touch.bytes & ~state.everRead) == 0)
    return std::nullopt;
  std::lock_guard lock(page);
  if (isSuspicious(word, std::bit_cast<State>(word.state), touch,
                   clocks.cluster()))
    throw Suspicion();
  if (touch.writes && !page.isKept)
    shadow.keep(number, page);
  return this->touch(word, touch, isBlockScope, clocks);
}

std::optional<Conflict> ShadowWriter::touch(Word &word, const Touch &touch,
                                            bool isBlockScope,
                                            const Clocks &clocks) {
  auto state = std::bit_cast<State>(word.state);
  if (word.write && state.writtenBytes & touch.bytes) {
    const Event &event = shadow.event(word.write);
    Conflict conflict = conflictWith(event, state.writeLane, true);
    if (!isOrdered(event, state.writeLane, touch, isBlockScope, clocks))
      return conflict;
    // Across clusters it is not known who fenced.
    auto thread = ThreadNumber(event.warp * warpSize + state.writeLane);
    conflict.lacksProxyFence =
        touch.isAsync && event.cluster == clocks.cluster() &&
        !clocks.knowsFenced(touch.warp, touch.lane, thread, event.time);
    if (conflict.lacksProxyFence)
      return conflict;
  }
  uint32_t bytes = touch.bytes & 15;
  if (!touch.writes) {
    uint32_t before = word.read, read = eventFor(touch, isBlockScope, clocks);
    state.isReadBySeveral |=
        before && shadow.event(before).cluster != clocks.cluster();
    state.everRead |= bytes;
    state.readLane = touch.thread() % warpSize;
    state.readBytes = bytes;
    store(word.read, read);
    store(word.state, std::bit_cast<uint32_t>(state));
    return std::nullopt;
  }
  if (word.read && state.readBytes & bytes) {
    const Event &event = shadow.event(word.read);
    if (!isOrdered(event, state.readLane, touch, isBlockScope, clocks))
      return conflictWith(event, state.readLane, false);
    // By one cluster alone: whether others read must be known further on.
    if ((state.readBytes & ~bytes) == 0 && !shadow.memory)
      word.read = 0;
  }
  state.everWritten |= bytes;
  // An atomic operation does not end what must be ordered behind a store that
  // not all know of.
  const Event *before = word.write ? &shadow.event(word.write) : nullptr;
  if (!before || !touch.isStrong || before->isStrong ||
      before->cluster != clocks.cluster() ||
      clocks.isKnownToAll(before->time)) {
    state.isWrittenBySeveral |= before && before->cluster != clocks.cluster();
    state.writeLane = touch.thread() % warpSize;
    state.writtenBytes = bytes;
    store(word.write, eventFor(touch, isBlockScope, clocks));
  }
  store(word.state, std::bit_cast<uint32_t>(state));
  return std::nullopt;
}

} // namespace ptx
