//===- Integers.cpp - arithmetic of whole numbers -------------------------===//
#include "tools/ptx-emulator/exec/ops/Compute.h"
#include "tools/ptx-emulator/exec/ops/Floats.h"

#include <algorithm>
#include <limits>

namespace ptx {

using Signed128 = __int128;
using Unsigned128 = unsigned __int128;

/// Twice as wide.
template <class T> struct WiderOf;
template <> struct WiderOf<uint16_t> {
  using type = uint32_t;
};
template <> struct WiderOf<int16_t> {
  using type = int32_t;
};
template <> struct WiderOf<uint32_t> {
  using type = uint64_t;
};
template <> struct WiderOf<int32_t> {
  using type = int64_t;
};
template <> struct WiderOf<uint64_t> {
  using type = Unsigned128;
};
template <> struct WiderOf<int64_t> {
  using type = Signed128;
};
template <class T> using Wider = typename WiderOf<T>::type;

static constexpr auto addition = [](auto a, auto b) {
  return decltype(a)(wrapping(a) + wrapping(b));
};
static constexpr auto subtraction = [](auto a, auto b) {
  return decltype(a)(wrapping(a) - wrapping(b));
};
static constexpr auto lowProduct = [](auto a, auto b) {
  return decltype(a)(wrapping(a) * wrapping(b));
};
static constexpr auto highProduct = [](auto a, auto b) {
  using T = decltype(a);
  return T(Wider<T>(a) * b >> 8 * sizeof(T));
};
static constexpr auto wideProduct = [](auto a, auto b) {
  return Wider<decltype(a)>(Wider<decltype(a)>(a) * b);
};
static int32_t saturated(int64_t value) {
  return int32_t(std::clamp<int64_t>(value, INT32_MIN, INT32_MAX));
}

//===-- Pairs of 16 bits --------------------------------------------------===//

/// Applies `apply` to both halves.
template <class T, auto apply>
static uint32_t inHalves(uint32_t a, uint32_t b) {
  uint32_t low = uint16_t(apply(T(a), T(b)));
  uint32_t high = uint16_t(apply(T(a >> 16), T(b >> 16)));
  return low | high << 16;
}

template <auto apply> static Handler pairs(Type type) {
  if (type == Type::u16x2)
    return &compute<&inHalves<uint16_t, apply>, uint32_t, uint32_t>;
  if (type == Type::s16x2)
    return &compute<&inHalves<int16_t, apply>, uint32_t, uint32_t>;
  return nullptr;
}

//===-- Carry -------------------------------------------------------------===//

/// What an instruction does with the carry flag.
enum : uint32_t { takesCarry = 1, setsCarry = 2 };

static uint32_t carrySetting(const Modifiers &m, bool takes) {
  return (takes ? takesCarry : 0) | (m.has("cc") ? setsCarry : 0);
}

/// operands[0] = sum(sources, carry), and its carry out.
template <class T, auto sum, unsigned sources>
static void withCarry(Warp &warp, const Step &step) {
  Row *to = warp.destination(step.operands[0]);
  const Row *from[3];
  for (unsigned i = 0; i < sources; ++i)
    from[i] = warp.source(step.operands[i + 1]);
  bool takes = step.setting & takesCarry;
  uint32_t carryOut = 0;
  forLanes(warp.active, [&](unsigned lane) {
    unsigned carry = takes && (warp.carry >> lane & 1);
    Unsigned128 result;
    if constexpr (sources == 2)
      result = sum(get<T>(from[0], lane), get<T>(from[1], lane), carry);
    else
      result = sum(get<T>(from[0], lane), get<T>(from[1], lane),
                   get<T>(from[2], lane), carry);
    put(to, lane, T(result));
    carryOut |= uint32_t(result >> 8 * sizeof(T) & 1) << lane;
  });
  if (step.setting & setsCarry)
    warp.carry = (warp.carry & ~warp.active) | carryOut;
}

static constexpr auto carriedSum = [](auto a, auto b, unsigned carry) {
  return Unsigned128(a) + b + carry;
};
/// The flag is the borrow.
static constexpr auto carriedDifference = [](auto a, auto b, unsigned borrow) {
  return Unsigned128(a) - b - borrow;
};
static constexpr auto carriedLow = [](auto a, auto b, auto c, unsigned carry) {
  using T = decltype(a);
  return Unsigned128(T(Unsigned128(a) * b)) + c + carry;
};
template <class T>
static constexpr auto carriedHigh = [](auto a, auto b, auto c, unsigned carry) {
  // The flag does not depend on signs, the high half of a product does.
  using U = decltype(a);
  return Unsigned128(U(Wider<T>(T(a)) * T(b) >> 8 * sizeof(T))) + c + carry;
};

template <auto sum> static Handler carried(Type type) {
  return type == Type::u32 || type == Type::s32 ? &withCarry<uint32_t, sum, 2>
                                                : &withCarry<uint64_t, sum, 2>;
}

static Handler carriedMad(Type type, bool isHigh) {
  bool isShort = type == Type::u32 || type == Type::s32;
  if (!isHigh)
    return isShort ? &withCarry<uint32_t, carriedLow, 3>
                   : &withCarry<uint64_t, carriedLow, 3>;
  switch (type) {
  case Type::u32:
    return &withCarry<uint32_t, carriedHigh<uint32_t>, 3>;
  case Type::s32:
    return &withCarry<uint32_t, carriedHigh<int32_t>, 3>;
  case Type::u64:
    return &withCarry<uint64_t, carriedHigh<uint64_t>, 3>;
  default:
    return &withCarry<uint64_t, carriedHigh<int64_t>, 3>;
  }
}

//===-- Selectors ---------------------------------------------------------===//

Selection select_add(const Modifiers &m) {
  Type type = m.type();
  if (isFloat(type))
    return floatSelection(FloatOp::Add, m);
  if (m.has("cc"))
    return Selection{carried<carriedSum>(type), {type}}.withSetting(setsCarry);
  if (m.has("sat"))
    return {
        &compute<[](int32_t a, int32_t b) { return saturated(int64_t(a) + b); },
                 int32_t, int32_t>,
        {type}};
  if (Handler handler = pairs<addition>(type))
    return {handler, {type}};
  return {computeIntegers<addition, 2>(type), {type}};
}

Selection select_addc(const Modifiers &m) {
  return Selection{carried<carriedSum>(m.type()), {m.type()}}.withSetting(
      carrySetting(m, true));
}

Selection select_sub(const Modifiers &m) {
  Type type = m.type();
  if (isFloat(type))
    return floatSelection(FloatOp::Sub, m);
  if (m.has("cc"))
    return Selection{carried<carriedDifference>(type), {type}}.withSetting(
        setsCarry);
  if (m.has("sat"))
    return {
        &compute<[](int32_t a, int32_t b) { return saturated(int64_t(a) - b); },
                 int32_t, int32_t>,
        {type}};
  return {computeIntegers<subtraction, 2>(type), {type}};
}

Selection select_subc(const Modifiers &m) {
  return Selection{carried<carriedDifference>(m.type()), {m.type()}}
      .withSetting(carrySetting(m, true));
}

static Type wider(Type type) {
  switch (type) {
  case Type::u16:
    return Type::u32;
  case Type::s16:
    return Type::s32;
  case Type::u32:
    return Type::u64;
  default:
    return Type::s64;
  }
}

/// Of the four types that have .wide.
template <auto apply, class... More> static Handler computeWide(Type type) {
  switch (type) {
  case Type::u16:
    return &compute<apply, uint16_t, uint16_t, More...>;
  case Type::s16:
    return &compute<apply, int16_t, int16_t, More...>;
  case Type::u32:
    return &compute<apply, uint32_t, uint32_t, More...>;
  default:
    return &compute<apply, int32_t, int32_t, More...>;
  }
}

Selection select_mul(const Modifiers &m) {
  Type type = m.type();
  if (isFloat(type))
    return floatSelection(FloatOp::Mul, m);
  if (m.has("wide"))
    return {computeWide<wideProduct>(type), {wider(type), type}};
  return {m.has("hi") ? computeIntegers<highProduct, 2>(type)
                      : computeIntegers<lowProduct, 2>(type),
          {type}};
}

static constexpr auto wideMad = [](auto a, auto b, auto c) {
  using T = decltype(a);
  return Wider<T>(wrapping(Wider<T>(Wider<T>(a) * b)) + wrapping(c));
};

static Handler wideMadOf(Type type) {
  switch (type) {
  case Type::u16:
    return &compute<wideMad, uint16_t, uint16_t, uint32_t>;
  case Type::s16:
    return &compute<wideMad, int16_t, int16_t, int32_t>;
  case Type::u32:
    return &compute<wideMad, uint32_t, uint32_t, uint64_t>;
  default:
    return &compute<wideMad, int32_t, int32_t, int64_t>;
  }
}

Selection select_mad(const Modifiers &m) {
  Type type = m.type();
  if (isFloat(type))
    return floatSelection(FloatOp::Fma, m);
  if (m.has("wide"))
    return {wideMadOf(type), {wider(type), type, type, wider(type)}};
  if (m.has("cc"))
    return Selection{carriedMad(type, m.has("hi")), {type}}.withSetting(
        setsCarry);
  if (m.has("sat"))
    return {&compute<[](int32_t a, int32_t b, int32_t c) {
              return saturated((int64_t(a) * b >> 32) + c);
            },
                     int32_t, int32_t, int32_t>,
            {type}};
  if (m.has("hi"))
    return {computeIntegers<[](auto a, auto b, auto c) {
              return addition(highProduct(a, b), c);
            },
                            3>(type),
            {type}};
  return {computeIntegers<[](auto a, auto b, auto c) {
            return addition(lowProduct(a, b), c);
          },
                          3>(type),
          {type}};
}

Selection select_madc(const Modifiers &m) {
  return Selection{carriedMad(m.type(), m.has("hi")), {m.type()}}.withSetting(
      carrySetting(m, true));
}

/// Product of the low 24 bits: 48 bits of it, the low or the high 32.
template <bool isHigh>
static constexpr auto product24 = [](auto a, auto b) {
  using T = decltype(a);
  auto low24 = [](T value) { return int64_t(T(wrapping(value) << 8) >> 8); };
  int64_t product = low24(a) * low24(b);
  return T(isHigh ? product >> 16 : product);
};

Selection select_mul24(const Modifiers &m) {
  return {m.has("hi") ? computeIntegers<product24<true>, 2>(m.type())
                      : computeIntegers<product24<false>, 2>(m.type()),
          {m.type()}};
}

Selection select_mad24(const Modifiers &m) {
  Type type = m.type();
  if (m.has("sat"))
    return {&compute<[](int32_t a, int32_t b, int32_t c) {
              return saturated(int64_t(product24<true>(a, b)) + c);
            },
                     int32_t, int32_t, int32_t>,
            {type}};
  if (m.has("hi"))
    return {computeIntegers<[](auto a, auto b, auto c) {
              return addition(product24<true>(a, b), c);
            },
                            3>(type),
            {type}};
  return {computeIntegers<[](auto a, auto b, auto c) {
            return addition(product24<false>(a, b), c);
          },
                          3>(type),
          {type}};
}

Selection select_sad(const Modifiers &m) {
  return {computeIntegers<[](auto a, auto b, auto c) {
            return addition(c, a < b ? subtraction(b, a) : subtraction(a, b));
          },
                          3>(m.type()),
          {m.type()}};
}

/// Quotient or remainder. A divisor of zero is a mistake of the program: what
/// hardware gives is not specified.
template <class T, bool isRemainder>
static void divide(Warp &warp, const Step &step) {
  Row *to = warp.destination(step.operands[0]);
  const Row *a = warp.source(step.operands[1]);
  const Row *b = warp.source(step.operands[2]);
  forLanes(warp.active, [&](unsigned lane) {
    T dividend = get<T>(a, lane), divisor = get<T>(b, lane);
    if (divisor == 0)
      throw Fault(FaultKind::IllegalInstruction,
                  "a whole number is divided by zero", int(lane));
    // The least number has no opposite: it wraps.
    if (std::is_signed_v<T> && divisor == T(-1))
      put(to, lane, isRemainder ? T(0) : subtraction(T(0), dividend));
    else
      put(to, lane, T(isRemainder ? dividend % divisor : dividend / divisor));
  });
}

template <bool isRemainder> static Handler division(Type type) {
  switch (type) {
  case Type::u16:
    return &divide<uint16_t, isRemainder>;
  case Type::s16:
    return &divide<int16_t, isRemainder>;
  case Type::u32:
    return &divide<uint32_t, isRemainder>;
  case Type::s32:
    return &divide<int32_t, isRemainder>;
  case Type::u64:
    return &divide<uint64_t, isRemainder>;
  default:
    return &divide<int64_t, isRemainder>;
  }
}

Selection select_div(const Modifiers &m) {
  if (isFloat(m.type()))
    return floatSelection(FloatOp::Div, m);
  return {division<false>(m.type()), {m.type()}};
}

Selection select_rem(const Modifiers &m) {
  return {division<true>(m.type()), {m.type()}};
}

Selection select_abs(const Modifiers &m) {
  if (isFloat(m.type()))
    return floatSelection(FloatOp::Abs, m);
  return {
      computeIntegers<
          [](auto a) { return a < 0 ? subtraction(decltype(a)(0), a) : a; }, 1>(
          m.type()),
      {m.type()}};
}

Selection select_neg(const Modifiers &m) {
  if (isFloat(m.type()))
    return floatSelection(FloatOp::Neg, m);
  return {
      computeIntegers<[](auto a) { return subtraction(decltype(a)(0), a); }, 1>(
          m.type()),
      {m.type()}};
}

template <auto choose>
static Selection extremum(FloatOp op, const Modifiers &m) {
  Type type = m.type();
  if (isFloat(type))
    return floatSelection(op, m);
  constexpr auto notNegative = [](auto a, auto b) {
    return std::max(choose(a, b), decltype(a)(0));
  };
  if (m.has("relu"))
    return {type == Type::s32 ? &compute<notNegative, int32_t, int32_t>
                              : pairs<notNegative>(type),
            {type}};
  if (Handler handler = pairs<choose>(type))
    return {handler, {type}};
  return {computeIntegers<choose, 2>(type), {type}};
}

Selection select_min(const Modifiers &m) {
  return extremum<[](auto a, auto b) { return std::min(a, b); }>(FloatOp::Min,
                                                                 m);
}

Selection select_max(const Modifiers &m) {
  return extremum<[](auto a, auto b) { return std::max(a, b); }>(FloatOp::Max,
                                                                 m);
}

/// Sum of products of four bytes, or of two 16 bits with two bytes.
template <class A, class B, unsigned count, unsigned firstByte>
static constexpr auto dotProduct = [](uint32_t a, uint32_t b, uint32_t c) {
  for (unsigned i = 0; i < count; ++i) {
    A left = A(a >> 8 * sizeof(A) * i);
    B right = B(b >> 8 * (firstByte + i));
    c += uint32_t(int32_t(left) * int32_t(right));
  }
  return c;
};

template <unsigned count, unsigned firstByte, class U, class S>
static Selection dotSelection(const Modifiers &m) {
  std::vector<Type> types = m.types();
  bool isSignedA = types[0] == Type::s32, isSignedB = types[1] == Type::s32;
  Handler handler;
  if (isSignedA)
    handler = isSignedB ? &compute<dotProduct<S, int8_t, count, firstByte>,
                                   uint32_t, uint32_t, uint32_t>
                        : &compute<dotProduct<S, uint8_t, count, firstByte>,
                                   uint32_t, uint32_t, uint32_t>;
  else
    handler = isSignedB ? &compute<dotProduct<U, int8_t, count, firstByte>,
                                   uint32_t, uint32_t, uint32_t>
                        : &compute<dotProduct<U, uint8_t, count, firstByte>,
                                   uint32_t, uint32_t, uint32_t>;
  return {handler, {Type::b32}};
}

Selection select_dp4a(const Modifiers &m) {
  return dotSelection<4, 0, uint8_t, int8_t>(m);
}

Selection select_dp2a(const Modifiers &m) {
  return m.has("hi") ? dotSelection<2, 2, uint16_t, int16_t>(m)
                     : dotSelection<2, 0, uint16_t, int16_t>(m);
}

} // namespace ptx
