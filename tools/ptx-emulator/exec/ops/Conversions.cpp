//===- Conversions.cpp - cvt ----------------------------------------------===//
#include "tools/ptx-emulator/exec/ops/Compute.h"
#include "tools/ptx-emulator/num/Single.h"

#include <algorithm>

namespace ptx {

using namespace formats;

/// Setting: the rounding in the low bits, and these.
enum : uint32_t {
  roundingBits = 7,
  flushesSource = 1 << 3,
  flushesResult = 1 << 4,
  clamps = 1 << 5,        // .sat
  saturates = 1 << 6,     // .satfinite
  dropsNegative = 1 << 7, // .relu
  toInteger = 1 << 8      // .rni and its like
};

//===-- Types -------------------------------------------------------------===//

/// Whole numbers as they are; floats by their format, as doubles.
template <class T> struct Whole {
  static constexpr bool isFloat = false;
  using Value = T;
};
template <const Format &f> struct Float {
  static constexpr bool isFloat = true;
  static constexpr const Format &format = f;
  using Value = double;
};

template <const Format &format>
static double readFloat(const Row *rows, unsigned lane) {
  if constexpr (&format == &f64)
    return get<double>(rows, lane);
  else if constexpr (&format == &f32)
    return get<float>(rows, lane);
  else
    return widen(format, rows[0][lane]);
}

/// Extends a value to the rows of a wider register.
template <class T>
static void putWide(Row *to, unsigned lane, T value, const Step &step) {
  put(to, lane, value);
  if constexpr (sizeof(T) <= 4)
    if (step.rows == 2)
      put(to + 1, lane, std::is_signed_v<T> && value < T(0) ? allLanes : 0);
}

static double toWhole(double value, Rounding rounding) {
  switch (rounding) {
  case Rounding::Zero:
    return std::trunc(value);
  case Rounding::Down:
    return std::floor(value);
  case Rounding::Up:
    return std::ceil(value);
  default:
    return std::nearbyint(value);
  }
}

/// Below this a float is subnormal.
template <const Format &format> static double leastNormal() {
  return std::ldexp(1.0, 1 - format.bias());
}

//===-- From and to each --------------------------------------------------===//

/// Beyond the type's numbers the nearest of them. NaN is zero between types of
/// at most 32 bits, otherwise the highest bit alone.
template <class T, const Format &from> static T integerOf(double value) {
  if (std::isnan(value))
    return &from == &f64 || sizeof(T) == 8
               ? T(uint64_t(1) << (8 * sizeof(T) - 1))
               : T(0);
  // Both bounds are powers of two, so doubles.
  constexpr double beyond =
      std::is_signed_v<T> ? -double(std::numeric_limits<T>::min())
                          : 2.0 * double(uint64_t(1) << (8 * sizeof(T) - 1));
  if (value >= beyond)
    return std::numeric_limits<T>::max();
  if (value < double(std::numeric_limits<T>::min()))
    return std::numeric_limits<T>::min();
  return T(value);
}

template <const Format &to>
static uint64_t toFloat(const Step &step, double v) {
  Rounding rounding = Rounding(step.setting & roundingBits);
  if (step.setting & toInteger)
    v = toWhole(v, rounding);
  if (step.setting & clamps)
    v = clampedToOne(v);
  if ((step.setting & dropsNegative) && !std::isnan(v) && !(v > 0))
    v = 0;
  uint64_t bits = narrow(to, v, rounding, step.setting & saturates);
  if ((step.setting & flushesResult) && (bits & to.infinity()) == 0)
    bits &= uint64_t(1) << (to.bits() - 1);
  return bits;
}

template <class To, class From>
static void convert(Warp &warp, const Step &step) {
  Row *to = warp.destination(step.operands[0]);
  const Row *from = warp.source(step.operands[1]);
  forLanes(warp.active, [&](unsigned lane) {
    if constexpr (From::isFloat) {
      double value = readFloat<From::format>(from, lane);
      if ((step.setting & flushesSource) &&
          std::fabs(value) < leastNormal<From::format>())
        value = std::copysign(0.0, value);
      if constexpr (To::isFloat) {
        uint64_t bits = toFloat<To::format>(step, value);
        if constexpr (To::format.bits() == 64)
          put(to, lane, bits);
        else
          putWide(to, lane, uint32_t(bits), step);
      } else {
        Rounding rounding = Rounding(step.setting & roundingBits);
        using T = typename To::Value;
        T result = integerOf<T, From::format>(toWhole(value, rounding));
        putWide(to, lane, result, step);
      }
    } else {
      using S = typename From::Value;
      S value = get<S>(from, lane);
      if constexpr (To::isFloat) {
        Exact exact;
        exact.isNegative = value < S(0);
        exact.significand = exact.isNegative ? 0 - uint64_t(value) : value;
        uint64_t bits =
            roundTo(To::format, exact, Rounding(step.setting & roundingBits));
        if (step.setting & clamps)
          bits = narrow(To::format, clampedToOne(widen(To::format, bits)),
                        Rounding::Nearest);
        if constexpr (To::format.bits() == 64)
          put(to, lane, bits);
        else
          putWide(to, lane, uint32_t(bits), step);
      } else {
        using T = typename To::Value;
        T result = T(value);
        if (step.setting & clamps) {
          if (std::cmp_greater(value, std::numeric_limits<T>::max()))
            result = std::numeric_limits<T>::max();
          if (std::cmp_less(value, std::numeric_limits<T>::min()))
            result = std::numeric_limits<T>::min();
        }
        putWide(to, lane, result, step);
      }
    }
  });
}

/// visit<Whole<..> or Float<..>>() of a type.
template <class Visit> static Handler withType(Type type, Visit visit) {
  switch (type) {
  case Type::u8:
    return visit.template operator()<Whole<uint8_t>>();
  case Type::s8:
    return visit.template operator()<Whole<int8_t>>();
  case Type::u16:
    return visit.template operator()<Whole<uint16_t>>();
  case Type::s16:
    return visit.template operator()<Whole<int16_t>>();
  case Type::u32:
    return visit.template operator()<Whole<uint32_t>>();
  case Type::s32:
    return visit.template operator()<Whole<int32_t>>();
  case Type::u64:
    return visit.template operator()<Whole<uint64_t>>();
  case Type::s64:
    return visit.template operator()<Whole<int64_t>>();
  case Type::f16:
    return visit.template operator()<Float<f16>>();
  case Type::bf16:
    return visit.template operator()<Float<bf16>>();
  case Type::f32:
    return visit.template operator()<Float<f32>>();
  case Type::f64:
    return visit.template operator()<Float<f64>>();
  case Type::tf32:
    return visit.template operator()<Float<tf32>>();
  default:
    return nullptr;
  }
}

//===-- Pairs -------------------------------------------------------------===//

/// {a, b} of f32 in the high and low half of a pair.
template <const Format &to> static Handler packing() {
  return &compute<[](const Step &step, float a, float b) {
    uint32_t high = uint32_t(toFloat<to>(step, a));
    uint32_t low = uint32_t(toFloat<to>(step, b));
    return Unsigned<2 * to.bits() / 8>(high << to.bits() | low);
  },
                  float, float>;
}

/// Both halves of a pair.
template <const Format &to, const Format &from> static Handler pairToPair() {
  using In = Unsigned<2 * from.bits() / 8>;
  return &compute<[](const Step &step, In in) {
    constexpr uint32_t mask = (1u << from.bits()) - 1;
    uint32_t low = uint32_t(toFloat<to>(step, widen(from, in & mask)));
    uint32_t high =
        uint32_t(toFloat<to>(step, widen(from, in >> from.bits() & mask)));
    return Unsigned<2 * to.bits() / 8>(high << to.bits() | low);
  },
                  In>;
}

static Handler pairHandler(Type to, Type from) {
  if (from == Type::f32)
    switch (to) {
    case Type::f16x2:
      return packing<f16>();
    case Type::bf16x2:
      return packing<bf16>();
    case Type::e4m3x2:
      return packing<e4m3>();
    case Type::e5m2x2:
      return packing<e5m2>();
    default:
      return nullptr;
    }
  if (to == Type::f16x2)
    return from == Type::e4m3x2 ? pairToPair<f16, e4m3>()
                                : pairToPair<f16, e5m2>();
  if (from == Type::f16x2)
    return to == Type::e4m3x2 ? pairToPair<e4m3, f16>()
                              : pairToPair<e5m2, f16>();
  return nullptr;
}

//===-- cvt.pack ----------------------------------------------------------===//

/// Whole numbers clamped to `width` bits and put together, a above b, c above
/// both. Setting: the width, and bit 8 if they are signed.
static uint32_t packIntegers(const Step &step, int32_t a, int32_t b,
                             uint32_t c) {
  uint32_t width = step.setting & 255;
  bool isSigned = step.setting & 256;
  int64_t most = (int64_t(1) << (width - isSigned)) - 1;
  int64_t least = isSigned ? -most - 1 : 0;
  uint32_t mask = uint32_t((uint64_t(1) << width) - 1);
  auto clamped = [&](int64_t value) {
    return uint32_t(std::clamp(value, least, most)) & mask;
  };
  return c << 2 * width % 32 | clamped(a) << width | clamped(b);
}

static Selection packSelection(const Modifiers &m) {
  std::vector<Type> types = m.types();
  Type to = types[0];
  uint32_t isSigned =
      to == Type::s16 || to == Type::s8 || to == Type::s4 ? 256 : 0;
  if (types.size() == 2)
    return Selection{&compute<[](const Step &step, int32_t a, int32_t b) {
                       return packIntegers(step, a, b, 0);
                     },
                              int32_t, int32_t>,
                     {Type::b32}}
        .withSetting(bitsOf(to) | isSigned);
  return Selection{&compute<&packIntegers, int32_t, int32_t, uint32_t>,
                   {Type::b32}}
      .withSetting(bitsOf(to) | isSigned);
}

//===-- Selection ---------------------------------------------------------===//

Selection select_cvt(const Modifiers &m) {
  if (m.has("pack"))
    return packSelection(m);
  std::vector<Type> types = m.types();
  Type to = types[0], from = types[1];
  uint32_t setting = uint32_t(m.rounding());
  // Subnormal numbers are flushed where they are f32.
  if (m.has("ftz"))
    setting |= (from == Type::f32 ? flushesSource : 0) |
               (to == Type::f32 ? flushesResult : 0);
  if (m.has("sat"))
    setting |= clamps;
  if (m.has("satfinite"))
    setting |= saturates;
  if (m.has("relu"))
    setting |= dropsNegative;
  if (m.roundsToInteger())
    setting |= toInteger;
  if (Handler handler = pairHandler(to, from))
    return Selection{handler, {to, from}}.withSetting(setting);
  Handler handler = withType(to, [&]<class To>() {
    return withType(from,
                    []<class From>() -> Handler { return &convert<To, From>; });
  });
  return Selection{handler, {to, from}}.withSetting(setting).wider();
}

} // namespace ptx
