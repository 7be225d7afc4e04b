//===- Memory.cpp - loads and stores --------------------------------------===//
#include "tools/ptx-emulator/exec/Access.h"
#include "tools/ptx-emulator/exec/ops/BulkCopies.h"
#include "tools/ptx-emulator/exec/ops/Compute.h"
#include "tools/ptx-emulator/exec/ops/Order.h"

namespace ptx {

/// Elements of T, as many as vectors[0] has registers. A register wider than
/// the type is filled by the type's sign, or with zeros.
template <class T> static void load(Warp &warp, const Step &step) {
  const AddressRef &ref = step.addresses[0];
  const Step::Vector &to = step.vectors[0];
  forLanes(warp.active, [&](unsigned lane) {
    uint64_t address = warp.address(ref, lane);
    unsigned bytes = unsigned(sizeof(T)) * to.count;
    Cell cell =
        locate(warp, ref.space, address, bytes, lane, useOf(step, false));
    checkDefined(warp, cell, address, bytes, lane);
    synchroniseBy(warp, step, cell, address, lane, true, false);
    for (uint32_t i = 0; i < to.count; ++i) {
      Row *rows = warp.destination(warp.kernel.refs[to.first + i]);
      const uint8_t *from = cell.bytes + i * sizeof(T);
      if constexpr (sizeof(T) == 16) {
        put(rows, lane,
            Wide{loadAtomically<uint64_t>(from),
                 loadAtomically<uint64_t>(from + 8)});
      } else {
        T value = loadAtomically<T>(from);
        put(rows, lane, value);
        if (sizeof(T) <= 4 && step.rows == 2)
          put(rows + 1, lane,
              std::is_signed_v<T> && value < T(0) ? allLanes : uint32_t(0));
      }
    }
  });
}

template <class T> static void store(Warp &warp, const Step &step) {
  const AddressRef &ref = step.addresses[0];
  const Step::Vector &from = step.vectors[1];
  forLanes(warp.active, [&](unsigned lane) {
    uint64_t address = warp.address(ref, lane);
    unsigned bytes = unsigned(sizeof(T)) * from.count;
    T values[4];
    for (uint32_t i = 0; i < from.count; ++i)
      values[i] = get<T>(warp.source(warp.kernel.refs[from.first + i]), lane);
    Use use = useOf(step, true);
    use.value = values;
    Cell cell = locate(warp, ref.space, address, bytes, lane, use);
    synchroniseBy(warp, step, cell, address, lane, false, true);
    for (uint32_t i = 0; i < from.count; ++i) {
      uint8_t *to = cell.bytes + i * sizeof(T);
      if constexpr (sizeof(T) == 16) {
        storeAtomically(to, values[i].low);
        storeAtomically(to + 8, values[i].high);
      } else {
        storeAtomically(to, values[i]);
      }
    }
    markDefined(cell, bytes);
  });
  warp.block.grid.noteProgress();
}

/// Loads keep the sign of a type, for registers that are wider.
static Handler loadOf(Type type) {
  switch (type) {
  case Type::b8:
  case Type::u8:
    return &load<uint8_t>;
  case Type::s8:
    return &load<int8_t>;
  case Type::b16:
  case Type::u16:
    return &load<uint16_t>;
  case Type::s16:
    return &load<int16_t>;
  case Type::s32:
    return &load<int32_t>;
  case Type::b64:
  case Type::u64:
  case Type::s64:
  case Type::f64:
    return &load<uint64_t>;
  case Type::b128:
    return &load<Wide>;
  default:
    return &load<uint32_t>;
  }
}

static Handler storeOf(Type type) {
  switch (bitsOf(type)) {
  case 8:
    return &store<uint8_t>;
  case 16:
    return &store<uint16_t>;
  case 32:
    return &store<uint32_t>;
  case 64:
    return &store<uint64_t>;
  default:
    return &store<Wide>;
  }
}

static Selection memorySelection(Handler handler, const Modifiers &m) {
  Type type = m.type();
  // What follows is a cache policy.
  return Selection{handler, {type, Type::b64}}
      .wider()
      .withBytes(bitsOf(type) / 8)
      .withSetting(orderOf(m, false))
      .withCounts({m.vectorSize()});
}

Selection select_ld(const Modifiers &m) {
  return memorySelection(loadOf(m.type()), m);
}

Selection select_ldu(const Modifiers &m) {
  return memorySelection(loadOf(m.type()), m);
}

Selection select_st(const Modifiers &m) {
  if (m.has("async"))
    return asyncStoreSelection(m);
  return memorySelection(storeOf(m.type()), m);
}

/// What means nothing here: hints to caches, fences of proxies that there are
/// none of.
static void nothing(Warp &, const Step &) {}

Selection select_prefetch(const Modifiers &) { return {&nothing, {Type::b64}}; }
Selection select_prefetchu(const Modifiers &) {
  return {&nothing, {Type::b64}};
}
Selection select_applypriority(const Modifiers &) {
  return {&nothing, {Type::b64}};
}

/// The bytes of a line are no longer defined.
Selection select_discard(const Modifiers &) {
  return {[](Warp &warp, const Step &step) {
            const AddressRef &ref = step.addresses[0];
            unsigned bytes = unsigned(step.numbers[0]);
            forLanes(warp.active, [&](unsigned lane) {
              uint64_t address = warp.address(ref, lane);
              Cell cell =
                  locate(warp, ref.space, address, bytes, lane, writing);
              if (cell.defined)
                std::memset(cell.defined, neverWritten, bytes);
            });
          },
          {Type::b64}};
}

/// A policy is opaque: any number will do.
Selection select_createpolicy(const Modifiers &) {
  return {[](Warp &warp, const Step &step) {
            Row *to = warp.destination(step.operands[0]);
            forLanes(warp.active,
                     [&](unsigned lane) { put(to, lane, uint64_t(0)); });
          },
          {Type::b64, Type::f32}};
}

/// Memory is in order here; what a fence means is what it lets threads rely on.
static void fence(Warp &warp, const Step &) {
  __atomic_thread_fence(__ATOMIC_SEQ_CST);
  if (ClusterRaces *races = warp.block.cluster.races.get())
    races->fence(warp.numberInCluster, warp.active);
}

/// fence.mbarrier_init and fence.proxy.async: what the lanes know is known to
/// asynchronous operations from now on.
static void fenceProxy(Warp &warp, const Step &step) {
  for (const auto &block : warp.block.cluster.blocks)
    block->mbarriers.makeKnown(warp.numberInCluster);
  ClusterRaces *races = warp.block.cluster.races.get();
  if (races && step.setting)
    races->clocks.fenceProxy(warp.numberInCluster, warp.active);
}

Selection select_membar(const Modifiers &) { return {&fence, {Type::b32}}; }
Selection select_fence(const Modifiers &m) {
  if (m.has("mbarrier_init"))
    return {&fenceProxy, {Type::b32}};
  if (m.has("proxy") && m.has("async"))
    return Selection{&fenceProxy, {Type::b32}}.withSetting(1);
  if (m.has("proxy"))
    return {&nothing, {Type::b64}};
  return {&fence, {Type::b32}};
}

} // namespace ptx
