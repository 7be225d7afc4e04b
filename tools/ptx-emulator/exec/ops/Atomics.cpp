//===- Atomics.cpp - atom and red -----------------------------------------===//
#include "tools/ptx-emulator/exec/ops/BulkCopies.h"
#include "tools/ptx-emulator/exec/ops/Compute.h"
#include "tools/ptx-emulator/exec/ops/Order.h"
#include "tools/ptx-emulator/num/Combination.h"

#include <algorithm>

namespace ptx {

using namespace formats;

/// The value at an address becomes apply(old, b, c); returns the old one. T is
/// the type in memory.
template <class T, auto apply>
static T exchanged(Warp &warp, const Step &step, unsigned lane,
                   uint64_t address, T b, T c, bool &hasChanged) {
  const AddressRef &ref = step.addresses[0];
  Cell cell =
      locate(warp, ref.space, address, sizeof(T), lane, useOf(step, true));
  checkDefined(warp, cell, address, sizeof(T), lane);
  synchroniseBy(warp, step, cell, address, lane, true, true);
  T old, value;
  if constexpr (sizeof(T) == 16) {
    // No host instruction that every machine has: blocks that have such
    // ones run after each other.
    std::memcpy(&old, cell.bytes, sizeof old);
    value = apply(old, b, c);
    std::memcpy(cell.bytes, &value, sizeof value);
  } else {
    using Bits = Unsigned<sizeof(T)>;
    auto *at = reinterpret_cast<Bits *>(cell.bytes);
    Bits before = __atomic_load_n(at, __ATOMIC_RELAXED), after;
    do {
      old = std::bit_cast<T>(before);
      if constexpr (requires { apply(cell.space, old, b, c); })
        value = apply(cell.space, old, b, c);
      else
        value = apply(old, b, c);
      after = std::bit_cast<Bits>(value);
    } while (!__atomic_compare_exchange_n(at, &before, after, false,
                                          __ATOMIC_SEQ_CST, __ATOMIC_RELAXED));
  }
  hasChanged |= !(old == value);
  return old;
}

/// One lane after the other, which gets the old value. `isReduction`: there is
/// no destination, and operands begin one earlier.
template <class T, auto apply, bool isReduction>
static void atomically(Warp &warp, const Step &step) {
  constexpr unsigned first = isReduction ? 1 : 2;
  const AddressRef &ref = step.addresses[0];
  const Row *b = warp.source(step.operands[first]);
  const Row *c = warp.source(step.operands[first + 1]);
  bool hasChanged = false;
  forLanes(warp.active, [&](unsigned lane) {
    T old = exchanged<T, apply>(warp, step, lane, warp.address(ref, lane),
                                get<T>(b, lane), get<T>(c, lane), hasChanged);
    if constexpr (!isReduction)
      put(warp.destination(step.operands[0]), lane, old);
  });
  if (hasChanged)
    warp.block.grid.noteProgress();
}

/// The same of the elements of a vector, each of which is atomic by itself.
template <class T, auto apply, bool isReduction>
static void ofEach(Warp &warp, const Step &step) {
  const AddressRef &ref = step.addresses[0];
  const Step::Vector &values = step.vectors[isReduction ? 1 : 2];
  const Ref *refs = warp.kernel.refs.data();
  bool hasChanged = false;
  forLanes(warp.active, [&](unsigned lane) {
    uint64_t address = warp.address(ref, lane);
    if (address % (values.count * sizeof(T)))
      throw misaligned(ref.space, address, values.count * sizeof(T), lane,
                       writing);
    // Values may be in registers that get old ones.
    std::array<T, 8> old;
    for (uint32_t i = 0; i < values.count; ++i) {
      T value = get<T>(warp.source(refs[values.first + i]), lane);
      old[i] = exchanged<T, apply>(warp, step, lane, address + i * sizeof(T),
                                   value, value, hasChanged);
    }
    if constexpr (!isReduction)
      for (uint32_t i = 0; i < values.count; ++i)
        put(warp.destination(refs[step.vectors[0].first + i]), lane, old[i]);
  });
  if (hasChanged)
    warp.block.grid.noteProgress();
}

//===-- Operations --------------------------------------------------------===//

static constexpr auto exchange = [](auto, auto b, auto) { return b; };
static constexpr auto compareAndSwap = [](auto old, auto b, auto c) {
  return old == b ? c : old;
};
/// Of whole numbers.
template <Combination operation>
static constexpr auto combination =
    [](auto old, auto b, auto) { return combined(operation, old, b); };
/// In global memory subnormal numbers are flushed, in shared memory they are
/// not (PTX ISA, atom).
static constexpr auto singleSum = [](Space space, float old, float b, float) {
  return space == Space::Shared ? canonical(old + b)
                                : canonical(flushed(flushed(old) + flushed(b)));
};
static constexpr auto doubleSum = [](double old, double b, double) {
  return old + b;
};
template <const Format &format>
static constexpr auto halfSum = [](uint16_t old, uint16_t b, uint16_t) {
  return uint16_t(
      narrow(format, widen(format, old) + widen(format, b), Rounding::Nearest));
};
template <const Format &format, bool isMax>
static constexpr auto halfExtremum = [](uint16_t old, uint16_t b, uint16_t) {
  return uint16_t(narrow(
      format,
      extremum(isMax, /*takesNaN=*/false, widen(format, old), widen(format, b)),
      Rounding::Nearest));
};
/// Of the halves of a pair, each of which is atomic by itself.
template <auto apply>
static constexpr auto ofPair = [](uint32_t old, uint32_t b, uint32_t) {
  uint32_t low = apply(uint16_t(old), uint16_t(b), 0);
  uint32_t high = apply(uint16_t(old >> 16), uint16_t(b >> 16), 0);
  return low | high << 16;
};

template <auto apply, bool isReduction> static Handler ofWidth(Type type) {
  switch (bitsOf(type)) {
  case 16:
    return &atomically<uint16_t, apply, isReduction>;
  case 32:
    return &atomically<uint32_t, apply, isReduction>;
  case 64:
    return &atomically<uint64_t, apply, isReduction>;
  default:
    return &atomically<Wide, apply, isReduction>;
  }
}

template <auto apply, bool isReduction> static Handler ofBits(Type type) {
  return bitsOf(type) == 64 ? &atomically<uint64_t, apply, isReduction>
                            : &atomically<uint32_t, apply, isReduction>;
}

template <auto apply, bool isReduction> static Handler ofIntegers(Type type) {
  switch (type) {
  case Type::s32:
    return &atomically<int32_t, apply, isReduction>;
  case Type::s64:
    return &atomically<int64_t, apply, isReduction>;
  default:
    return ofBits<apply, isReduction>(type);
  }
}

template <bool isReduction> static Handler sum(const Modifiers &m) {
  switch (m.type()) {
  case Type::f32:
    return &atomically<float, singleSum, isReduction>;
  case Type::f64:
    return &atomically<double, doubleSum, isReduction>;
  case Type::f16:
    return &atomically<uint16_t, halfSum<f16>, isReduction>;
  case Type::bf16:
    return &atomically<uint16_t, halfSum<bf16>, isReduction>;
  case Type::f16x2:
    return &atomically<uint32_t, ofPair<halfSum<f16>>, isReduction>;
  case Type::bf16x2:
    return &atomically<uint32_t, ofPair<halfSum<bf16>>, isReduction>;
  default:
    return ofBits<combination<Combination::Add>, isReduction>(m.type());
  }
}

template <const Format &format, bool isReduction>
static Handler ofHalves(const Modifiers &m, bool isPair) {
  auto choose = [&]<auto apply>() -> Handler {
    return isPair ? &ofEach<uint32_t, ofPair<apply>, isReduction>
                  : &ofEach<uint16_t, apply, isReduction>;
  };
  return m.has("add") ? choose.template operator()<halfSum<format>>()
         : m.has("min")
             ? choose.template operator()<halfExtremum<format, false>>()
             : choose.template operator()<halfExtremum<format, true>>();
}

/// Of vectors.
template <bool isReduction> static Handler vectorOperation(const Modifiers &m) {
  switch (m.type()) {
  case Type::f32:
    return &ofEach<float, singleSum, isReduction>;
  case Type::f16:
  case Type::f16x2:
    return ofHalves<f16, isReduction>(m, m.type() == Type::f16x2);
  default:
    return ofHalves<bf16, isReduction>(m, m.type() == Type::bf16x2);
  }
}

/// Null: the type has no such operation.
template <bool isReduction> static Handler operation(const Modifiers &m) {
  Type type = m.type();
  if (m.vectorSize() > 1)
    return vectorOperation<isReduction>(m);
  bool isInteger = !isFloat(type) && type != Type::b128;
  if (m.has("add"))
    return isInteger || isFloat(type) ? sum<isReduction>(m) : nullptr;
  if (m.has("exch"))
    return ofWidth<exchange, isReduction>(type);
  if (m.has("cas"))
    return ofWidth<compareAndSwap, isReduction>(type);
  if (!isInteger)
    return nullptr;
  if (m.has("and"))
    return ofBits<combination<Combination::And>, isReduction>(type);
  if (m.has("or"))
    return ofBits<combination<Combination::Or>, isReduction>(type);
  if (m.has("xor"))
    return ofBits<combination<Combination::Xor>, isReduction>(type);
  if (m.has("min"))
    return ofIntegers<combination<Combination::Min>, isReduction>(type);
  if (m.has("max"))
    return ofIntegers<combination<Combination::Max>, isReduction>(type);
  if (m.has("inc"))
    return ofBits<combination<Combination::Inc>, isReduction>(type);
  return ofBits<combination<Combination::Dec>, isReduction>(type);
}

Selection select_atom(const Modifiers &m) {
  Type type = m.type();
  std::vector<Type> types = {type, type, type};
  if (!m.has("cas"))
    types = {type, type, Type::b64}; // a cache policy
  else
    types.push_back(Type::b64);
  return Selection{operation<false>(m), types}
      .withBytes(bitsOf(type) / 8)
      .withSetting(orderOf(m, true))
      .withCounts({m.vectorSize(), m.vectorSize(), 1});
}

Selection select_red(const Modifiers &m) {
  if (m.has("async"))
    return asyncStoreSelection(m);
  return Selection{operation<true>(m), {m.type(), Type::b64}}
      .withBytes(bitsOf(m.type()) / 8)
      .withSetting(orderOf(m, true))
      .withCounts({m.vectorSize(), 1});
}

} // namespace ptx
