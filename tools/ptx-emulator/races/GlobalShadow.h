//===- GlobalShadow.h - who touched global memory last --------*- C++ -*-===//
//
// 12 bytes for each word of 4, in pages that a launch makes when it touches
// them: the last write and a read since. Accesses are numbers of events, which
// say cluster, warp, instruction and time once for all words that they touched.
//
// Threads of the host that execute clusters side by side share one shadow. Each
// goes to it by a ShadowWriter of its own; pages are locked. Since nothing
// orders their clusters, whatever one touches of what another one wrote, or
// writes of what it touched, throws Suspicion: then the launch begins anew, in
// order. For that pages keep the memory that was there before them.
//
//===----------------------------------------------------------------------===//
#ifndef TOOLS_PTX_EMULATOR_RACES_GLOBALSHADOW_H
#define TOOLS_PTX_EMULATOR_RACES_GLOBALSHADOW_H

#include "tools/ptx-emulator/mem/DeviceMemory.h"
#include "tools/ptx-emulator/races/SharedShadow.h"

#include <array>
#include <atomic>
#include <mutex>
#include <unordered_map>

namespace ptx {

/// Clusters that run side by side may have touched the same memory.
struct Suspicion {};

class GlobalShadow {
  /// Of an event's number: bits for its place among those of its writer.
  static constexpr unsigned placeBits = 26;

public:
  static constexpr uint32_t mostWriters = 1 << (32 - placeBits);

  /// `memory`: what is touched; null: clusters do not run side by side.
  explicit GlobalShadow(DeviceMemory *memory = nullptr) : memory(memory) {}

  /// An access of the launch that has one of the bytes of the word at an
  /// address and that one by somebody else, who `writes` or reads, is in
  /// conflict with.
  std::optional<Conflict> conflict(uint64_t address, uint8_t bytes, bool writes,
                                   bool isStrong) const;
  /// Gives memory back what it had before the launch, or forgets what that was.
  void restore();
  void forgetContents();

private:
  friend class ShadowWriter;

  struct Event {
    uint32_t cluster, time, pc;
    uint16_t warp;
    bool isStrong, isBlockScope;
    bool operator==(const Event &) const = default;
  };
  /// The events of one writer: they stay where they are while others come.
  class Events {
  public:
    Events() { chunks.reserve((uint32_t(1) << placeBits) / chunkSize); }
    uint32_t add(const Event &event);
    const Event &operator[](uint32_t i) const {
      return chunks[i / chunkSize][i % chunkSize];
    }

  private:
    static constexpr uint32_t chunkSize = 4096;
    std::vector<std::unique_ptr<Event[]>> chunks;
    uint32_t count = 0;
  };
  struct State {
    uint32_t writeLane : 5 = 0, readLane : 5 = 0;
    uint32_t writtenBytes : 4 = 0, readBytes : 4 = 0;
    /// In the whole launch.
    uint32_t everWritten : 4 = 0, everRead : 4 = 0;
    /// By more than one cluster.
    uint32_t isWrittenBySeveral : 1 = 0, isReadBySeveral : 1 = 0;
    uint32_t unused : 4 = 0;
  };
  struct Word {
    uint32_t write = 0, read = 0; // numbers of events; 0: none
    uint32_t state = 0;           // State
  };
  static_assert(sizeof(State) == 4 && sizeof(Word) == 12);
  static constexpr uint64_t pageBytes = 4096;

  /// A part of an allocation that had these contents.
  struct Before {
    Allocation *of;
    uint64_t offset;
    std::vector<uint8_t> data, defined;
  };
  struct Page {
    void lock();
    void unlock() { isLocked.clear(std::memory_order_release); }

    std::atomic_flag isLocked;
    bool isKept = false;
    std::vector<Before> before;
    std::array<Word, pageBytes / 4> words;
  };

  const Event &event(uint32_t number) const {
    return writers[number >> placeBits]->operator[](
        number & ((uint32_t(1) << placeBits) - 1));
  }
  /// Keeps what a page of memory holds, before it is written.
  void keep(uint64_t page, Page &kept);

  DeviceMemory *memory;
  std::vector<std::unique_ptr<Events>> writers;
  mutable std::mutex mutex;                                  // of what follows
  std::unordered_map<uint64_t, std::unique_ptr<Page>> pages; // by number
};

/// The way of one thread of the host to a shadow.
class ShadowWriter {
public:
  /// Not while others write.
  explicit ShadowWriter(GlobalShadow &shadow);

  /// As SharedShadow::touch, of the word at a global address. Throws Suspicion.
  std::optional<Conflict> touch(uint64_t address, const Touch &touch,
                                bool isBlockScope, const Clocks &clocks);

private:
  using Event = GlobalShadow::Event;
  using State = GlobalShadow::State;
  using Word = GlobalShadow::Word;
  using Page = GlobalShadow::Page;

  Page &pageAt(uint64_t number);
  uint32_t eventFor(const Touch &touch, bool isBlockScope,
                    const Clocks &clocks);
  bool isOrdered(const Event &event, unsigned lane, const Touch &touch,
                 bool isBlockScope, const Clocks &clocks) const;
  /// Whether another cluster did what is in conflict, if none is in order.
  bool isSuspicious(const Word &word, State state, const Touch &touch,
                    uint32_t cluster) const;
  std::optional<Conflict> touch(Word &word, const Touch &touch,
                                bool isBlockScope, const Clocks &clocks);

  GlobalShadow &shadow;
  const uint32_t number; // of this writer
  GlobalShadow::Events &events;
  /// The last event of each instruction.
  std::vector<uint32_t> lastEvents;
  /// Those that it came by.
  std::unordered_map<uint64_t, Page *> pages;
  uint64_t lastNumber = ~uint64_t(0);
  Page *lastPage = nullptr;
};

} // namespace ptx

#endif // TOOLS_PTX_EMULATOR_RACES_GLOBALSHADOW_H
