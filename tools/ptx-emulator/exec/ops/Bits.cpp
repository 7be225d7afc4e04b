//===- Bits.cpp - logic, shifts and fields of bits ------------------------===//
#include "tools/ptx-emulator/exec/ops/Compute.h"

#include <algorithm>
#include <array>

namespace ptx {

//===-- Logic -------------------------------------------------------------===//

/// Of predicates, whole masks at once, or of bits.
template <auto apply> static Selection logic(const Modifiers &m) {
  if (m.type() == Type::pred)
    return {[](Warp &warp, const Step &step) {
              warp.setPredicate(step.predicates[0],
                                apply(warp.predicate(step.predicates[2]),
                                      warp.predicate(step.predicates[3])));
            },
            {Type::pred}};
  return {computeIntegers<apply, 2>(m.type()), {m.type()}};
}

Selection select_and(const Modifiers &m) {
  return logic<[](auto a, auto b) { return decltype(a)(a & b); }>(m);
}

Selection select_or(const Modifiers &m) {
  return logic<[](auto a, auto b) { return decltype(a)(a | b); }>(m);
}

Selection select_xor(const Modifiers &m) {
  return logic<[](auto a, auto b) { return decltype(a)(a ^ b); }>(m);
}

Selection select_not(const Modifiers &m) {
  if (m.type() == Type::pred)
    return {[](Warp &warp, const Step &step) {
              warp.setPredicate(step.predicates[0],
                                ~warp.predicate(step.predicates[2]));
            },
            {Type::pred}};
  return {computeIntegers<[](auto a) { return decltype(a)(~a); }, 1>(m.type()),
          {m.type()}};
}

Selection select_cnot(const Modifiers &m) {
  return {
      computeIntegers<[](auto a) { return decltype(a)(a == 0); }, 1>(m.type()),
      {m.type()}};
}

/// Bit i is the table's bit that bits i of a, b and c choose.
static uint32_t lookUp(const Step &step, uint32_t a, uint32_t b, uint32_t c) {
  uint32_t result = 0;
  for (unsigned i = 0; i < 8; ++i)
    if (step.numbers[0] >> i & 1)
      result |= (i & 4 ? a : ~a) & (i & 2 ? b : ~b) & (i & 1 ? c : ~c);
  return result;
}

/// lop3.BoolOp: p = (d != 0) BoolOp q.
static void lookUpAndTest(Warp &warp, const Step &step) {
  uint32_t isNotZero = 0;
  const Row *from[] = {warp.source(step.operands[1]),
                       warp.source(step.operands[2]),
                       warp.source(step.operands[3])};
  Row *to = warp.destination(step.operands[0]);
  forLanes(warp.active, [&](unsigned lane) {
    uint32_t value =
        lookUp(step, from[0][0][lane], from[1][0][lane], from[2][0][lane]);
    put(to, lane, value);
    isNotZero |= uint32_t(value != 0) << lane;
  });
  uint32_t other = warp.predicate(step.predicates[2]);
  uint32_t result = step.setting == 0   ? isNotZero & other
                    : step.setting == 1 ? isNotZero | other
                                        : isNotZero ^ other;
  warp.setPredicate(step.predicates[0], result);
}

Selection select_lop3(const Modifiers &m) {
  if (m.has("and") || m.has("or"))
    return Selection{&lookUpAndTest, {Type::b32}}.withSetting(m.has("or") ? 1u
                                                                          : 0u);
  return {&compute<&lookUp, uint32_t, uint32_t, uint32_t>, {Type::b32}};
}

//===-- Shifts ------------------------------------------------------------===//

/// A shift by the width or more leaves nothing, or the sign.
static constexpr auto shiftLeft = [](auto a, uint32_t count) {
  using T = decltype(a);
  return count < 8 * sizeof(T) ? T(wrapping(a) << count) : T(0);
};
static constexpr auto shiftRight = [](auto a, uint32_t count) {
  using T = decltype(a);
  constexpr uint32_t width = 8 * sizeof(T);
  if constexpr (std::is_signed_v<T>)
    return T(a >> std::min(count, width - 1));
  else
    return count < width ? T(a >> count) : T(0);
};

template <auto apply> static Handler shift(Type type) {
  switch (type) {
  case Type::b16:
  case Type::u16:
    return &compute<apply, uint16_t, uint32_t>;
  case Type::s16:
    return &compute<apply, int16_t, uint32_t>;
  case Type::b32:
  case Type::u32:
    return &compute<apply, uint32_t, uint32_t>;
  case Type::s32:
    return &compute<apply, int32_t, uint32_t>;
  case Type::b64:
  case Type::u64:
    return &compute<apply, uint64_t, uint32_t>;
  default:
    return &compute<apply, int64_t, uint32_t>;
  }
}

Selection select_shl(const Modifiers &m) {
  return {shift<shiftLeft>(m.type()), {m.type(), m.type(), Type::u32}};
}

Selection select_shr(const Modifiers &m) {
  return {shift<shiftRight>(m.type()), {m.type(), m.type(), Type::u32}};
}

/// The high half of {b, a} << n, or the low half of {b, a} >> n.
template <bool isLeft, bool clamps>
static constexpr auto funnel = [](uint32_t a, uint32_t b, uint32_t count) {
  uint32_t n = clamps ? std::min(count, 32u) : count & 31;
  uint64_t both = uint64_t(b) << 32 | a;
  // At most 32: nothing of 64 bits is shifted out that is wanted.
  return uint32_t(isLeft ? both << n >> 32 : both >> n);
};

Selection select_shf(const Modifiers &m) {
  bool isLeft = m.has("l"), clamps = m.has("clamp");
  Handler handler;
  if (isLeft)
    handler = clamps
                  ? &compute<funnel<true, true>, uint32_t, uint32_t, uint32_t>
                  : &compute<funnel<true, false>, uint32_t, uint32_t, uint32_t>;
  else
    handler =
        clamps ? &compute<funnel<false, true>, uint32_t, uint32_t, uint32_t>
               : &compute<funnel<false, false>, uint32_t, uint32_t, uint32_t>;
  return {handler, {Type::b32}};
}

//===-- Bytes -------------------------------------------------------------===//

/// Selectors of the modes of prmt but the first, by the low two bits of c.
enum : uint32_t { AnyBytes, F4e, B4e, Rc8, Ecl, Ecr, Rc16 };
static constexpr uint16_t permutations[][4] = {
    {},
    {0x3210, 0x4321, 0x5432, 0x6543}, // f4e
    {0x5670, 0x6701, 0x7012, 0x0123}, // b4e
    {0x0000, 0x1111, 0x2222, 0x3333}, // rc8
    {0x3210, 0x3211, 0x3222, 0x3333}, // ecl
    {0x0000, 0x1110, 0x2210, 0x3210}, // ecr
    {0x1010, 0x3232, 0x1010, 0x3232}, // rc16
};

/// Byte i is the byte of {b, a} that nibble i names; with its highest bit set
/// the sign of that byte, eight times.
static uint32_t permute(const Step &step, uint32_t a, uint32_t b, uint32_t c) {
  if (step.setting != AnyBytes)
    c = permutations[step.setting][c & 3];
  uint64_t bytes = uint64_t(b) << 32 | a;
  uint32_t result = 0;
  for (unsigned i = 0; i < 4; ++i) {
    uint32_t choice = c >> 4 * i & 15;
    uint32_t byte = uint32_t(bytes >> 8 * (choice & 7)) & 255;
    if (choice & 8)
      byte = byte & 128 ? 255 : 0;
    result |= byte << 8 * i;
  }
  return result;
}

Selection select_prmt(const Modifiers &m) {
  constexpr std::string_view modes[] = {"",    "f4e", "b4e", "rc8",
                                        "ecl", "ecr", "rc16"};
  auto mode = std::ranges::find(
      modes, m.oneOf({"f4e", "b4e", "rc8", "ecl", "ecr", "rc16"}));
  return Selection{&compute<&permute, uint32_t, uint32_t, uint32_t>,
                   {Type::b32}}
      .withSetting(uint32_t(mode - std::begin(modes)));
}

//===-- Counts and fields -------------------------------------------------===//

template <auto apply> static Selection counting(const Modifiers &m) {
  return {m.type() == Type::b64 ? &compute<apply, uint64_t>
                                : &compute<apply, uint32_t>,
          {Type::u32, m.type()}};
}

Selection select_popc(const Modifiers &m) {
  return counting<[](auto a) { return uint32_t(std::popcount(a)); }>(m);
}

Selection select_clz(const Modifiers &m) {
  return counting<[](auto a) { return uint32_t(std::countl_zero(a)); }>(m);
}

/// Place of the highest bit that is not the sign; all ones: there is none.
static constexpr auto highestBit = [](const Step &step, auto a) {
  constexpr uint32_t top = 8 * sizeof(a) - 1;
  auto bits = std::make_unsigned_t<decltype(a)>(a < 0 ? ~a : a);
  if (bits == 0)
    return ~uint32_t(0);
  uint32_t place = top - uint32_t(std::countl_zero(bits));
  return step.setting ? top - place : place;
};

Selection select_bfind(const Modifiers &m) {
  return Selection{computeIntegers<highestBit, 1>(m.type()),
                   {Type::u32, m.type()}}
      .withSetting(m.has("shiftamt"));
}

/// The place of the |offset|-th set bit of a mask, from `base` on upward or
/// downward; all ones: there is none.
static uint32_t findSet(uint32_t mask, uint32_t base, int32_t offset) {
  auto isSet = [&](int64_t at) { return mask >> at & 1; };
  if (offset == 0)
    return base < 32 && isSet(base) ? base : ~uint32_t(0);
  int64_t left = std::abs(int64_t(offset));
  for (int64_t at = base; at >= 0 && at < 32; at += offset > 0 ? 1 : -1)
    if (isSet(at) && --left == 0)
      return uint32_t(at);
  return ~uint32_t(0);
}

Selection select_fns(const Modifiers &) {
  return {&compute<&findSet, uint32_t, uint32_t, int32_t>, {Type::b32}};
}

Selection select_brev(const Modifiers &m) {
  constexpr auto reverse = [](auto a) {
    decltype(a) result = 0;
    for (size_t i = 0; i < 8 * sizeof(a); ++i)
      result = decltype(a)(result << 1 | (a >> i & 1));
    return result;
  };
  return {computeIntegers<reverse, 1>(m.type()), {m.type()}};
}

/// `length` bits from `position` on. Those past the top are zero, or as the
/// highest bit of the field that there is.
static constexpr auto extract = [](auto a, uint32_t position, uint32_t length) {
  using T = decltype(a);
  constexpr uint32_t width = 8 * sizeof(T);
  position &= 255;
  length &= 255;
  if (length == 0)
    return T(0);
  // Shifted there and back the field is extended by itself.
  uint32_t highest = std::min(position + length - 1, width - 1);
  if (position >= width) {
    if constexpr (std::is_signed_v<T>)
      return T(a >> (width - 1));
    else
      return T(0);
  }
  T atTop = T(wrapping(a) << (width - 1 - highest));
  return T(atTop >> (width - 1 - highest + position));
};

Selection select_bfe(const Modifiers &m) {
  Type type = m.type();
  Handler handler =
      type == Type::u32   ? &compute<extract, uint32_t, uint32_t, uint32_t>
      : type == Type::s32 ? &compute<extract, int32_t, uint32_t, uint32_t>
      : type == Type::u64 ? &compute<extract, uint64_t, uint32_t, uint32_t>
                          : &compute<extract, int64_t, uint32_t, uint32_t>;
  return {handler, {type, type, Type::u32, Type::u32}};
}

/// b with `length` bits of a in it, from `position` on.
static constexpr auto insert = [](auto a, auto b, uint32_t position,
                                  uint32_t length) {
  using T = decltype(a);
  constexpr uint32_t width = 8 * sizeof(T);
  position &= 255;
  length &= 255;
  if (position >= width || length == 0)
    return b;
  T field = length >= width ? T(~T(0)) : T((T(1) << length) - 1);
  T mask = T(field << position);
  return T((b & ~mask) | (T(a << position) & mask));
};

Selection select_bfi(const Modifiers &m) {
  return {m.type() == Type::b64
              ? &compute<insert, uint64_t, uint64_t, uint32_t, uint32_t>
              : &compute<insert, uint32_t, uint32_t, uint32_t, uint32_t>,
          {m.type(), m.type(), m.type(), Type::u32, Type::u32}};
}

/// The low bits of a, extended by their sign or by zeros. `setting`: .clamp.
static constexpr auto extend = [](const Step &step, auto a, uint32_t count) {
  using T = decltype(a);
  bool isTooLarge = step.setting && count >= 32;
  uint32_t width = count & 31;
  if (isTooLarge)
    return a;
  uint32_t low = uint32_t(a) & ~(allLanes << width);
  bool isNegative =
      std::is_signed_v<T> && width > 0 && (low >> (width - 1) & 1);
  return T(isNegative ? low | allLanes << width : low);
};

Selection select_szext(const Modifiers &m) {
  return Selection{m.type() == Type::s32 ? &compute<extend, int32_t, uint32_t>
                                         : &compute<extend, uint32_t, uint32_t>,
                   {m.type(), m.type(), Type::u32}}
      .withSetting(m.has("clamp"));
}

/// `width` ones from `position` on. `setting`: .clamp.
static uint32_t bitMask(const Step &step, uint32_t position, uint32_t width) {
  bool clamps = step.setting;
  if (clamps && position >= 32)
    return 0;
  uint64_t ones =
      clamps && width >= 32 ? ~uint64_t(0) : (uint64_t(1) << (width & 31)) - 1;
  return uint32_t(ones << (position & 31));
}

Selection select_bmsk(const Modifiers &m) {
  return Selection{&compute<&bitMask, uint32_t, uint32_t>, {Type::b32}}
      .withSetting(m.has("clamp"));
}

} // namespace ptx
