//===- Floats.cpp - arithmetic of floats ----------------------------------===//
#include "tools/ptx-emulator/exec/ops/Floats.h"
#include "tools/ptx-emulator/exec/ops/Compute.h"
#include "tools/ptx-emulator/num/Single.h"

namespace ptx {

using namespace formats;

/// Setting of all handlers here: the rounding in the low bits, and these.
enum : uint32_t {
  roundingBits = 7,
  flushes = 1 << 3,
  saturates = 1 << 4,
  dropsNegative = 1 << 5, // .relu
  keepsNaN = 1 << 6,      // .NaN
  signByXor = 1 << 7      // .xorsign.abs
};

static uint32_t settingOf(const Modifiers &m) {
  uint32_t result = uint32_t(m.rounding());
  constexpr std::pair<std::string_view, uint32_t> known[] = {
      {"ftz", flushes},
      {"sat", saturates},
      {"relu", dropsNegative},
      {"NaN", keepsNaN},
      {"xorsign", signByXor}};
  for (auto [name, bit] : known)
    if (m.has(name))
      result |= bit;
  return result;
}

//===-- f32 and f64 -------------------------------------------------------===//

template <class T> static T prepared(const Step &step, T value) {
  return step.setting & flushes ? flushed(value) : value;
}

template <class T> static T finished(const Step &step, T value) {
  if (step.setting & flushes)
    value = flushed(value);
  if (step.setting & saturates)
    return clampedToOne(value);
  return canonical(value);
}

/// Under the rounding of the step.
template <auto apply, class... T>
static void rounded(Warp &warp, const Step &step) {
  RoundingScope scope(Rounding(step.setting & roundingBits));
  compute<[](const Step &step, T... in) {
    return finished(step, apply(prepared(step, in)...));
  },
          T...>(warp, step);
}

template <auto apply, unsigned count> static Handler roundedSame(Type type) {
  if constexpr (count == 1)
    return type == Type::f64 ? &rounded<apply, double> : &rounded<apply, float>;
  else if constexpr (count == 2)
    return type == Type::f64 ? &rounded<apply, double, double>
                             : &rounded<apply, float, float>;
  else
    return type == Type::f64 ? &rounded<apply, double, double, double>
                             : &rounded<apply, float, float, float>;
}

/// With the signs of .xorsign.abs.
template <bool isMax, class T>
static T signedExtremum(const Step &step, T a, T b) {
  bool takesNaN = step.setting & keepsNaN;
  if (!(step.setting & signByXor))
    return extremum(isMax, takesNaN, a, b);
  bool isNegative = std::signbit(a) != std::signbit(b);
  T result = extremum(isMax, takesNaN, std::fabs(a), std::fabs(b));
  return isNegative ? -result : result;
}

template <bool isMax, class T>
static T singleExtremum(const Step &step, T a, T b) {
  return finished(
      step, signedExtremum<isMax>(step, prepared(step, a), prepared(step, b)));
}

/// abs and neg change the sign alone, of a NaN too.
template <bool isAbs, class T> static T withSign(const Step &step, T value) {
  value = prepared(step, value);
  return isAbs ? std::fabs(value) : -value;
}

//===-- 16 bits -----------------------------------------------------------===//

/// A value of 16 bits as a double, which holds sums and products of two
/// exactly or closely enough that rounding once more to 8 or 11 bits is as if
/// it were the first rounding.
template <const Format &format>
static double read(const Step &step, uint32_t bits) {
  double value = widen(format, bits & 0xffff);
  constexpr double leastNormal = format.exponentBits == 5 ? 0x1p-14 : 0x1p-126;
  if ((step.setting & flushes) && std::fabs(value) < leastNormal)
    return std::copysign(0.0, value);
  return value;
}

template <const Format &format>
static uint32_t write(const Step &step, double value) {
  if (step.setting & saturates)
    value = clampedToOne(value);
  if ((step.setting & dropsNegative) && !(value > 0) && !std::isnan(value))
    value = 0;
  uint32_t bits = uint32_t(narrow(format, value, Rounding::Nearest));
  // What rounds to a subnormal number is flushed; NaN stays.
  bool isSubnormal = (bits & format.infinity()) == 0;
  if ((step.setting & flushes) && isSubnormal)
    bits &= 0x8000;
  return bits;
}

/// apply(step, doubles) of the low half, or of both.
template <const Format &format, bool isPair, auto apply, class... Bits>
static uint32_t inHalves(const Step &step, Bits... in) {
  uint32_t low = write<format>(step, apply(step, read<format>(step, in)...));
  if constexpr (!isPair)
    return low;
  return low | write<format>(step, apply(step, read<format>(step, in >> 16)...))
                   << 16;
}

template <class> using Bits32 = uint32_t;

template <const Format &format, bool isPair, auto apply, size_t... i>
static constexpr Handler halvesHandler(std::index_sequence<i...>) {
  return &compute<&inHalves<format, isPair, apply,
                            Bits32<std::integral_constant<size_t, i>>...>,
                  Bits32<std::integral_constant<size_t, i>>...>;
}

template <auto apply, unsigned count> static Handler halves(Type type) {
  constexpr auto sources = std::make_index_sequence<count>{};
  switch (type) {
  case Type::f16:
    return halvesHandler<f16, false, apply>(sources);
  case Type::f16x2:
    return halvesHandler<f16, true, apply>(sources);
  case Type::bf16:
    return halvesHandler<bf16, false, apply>(sources);
  default:
    return halvesHandler<bf16, true, apply>(sources);
  }
}

/// Of bits, so that NaNs keep theirs.
template <const Format &format, bool isPair, bool isAbs>
static uint32_t signOfHalves(const Step &step, uint32_t bits) {
  constexpr uint32_t signs = isPair ? 0x80008000 : 0x8000;
  if (step.setting & flushes)
    for (unsigned shift : {0, 16})
      if ((bits >> shift & format.infinity()) == 0)
        bits &= ~(0x7fffu << shift);
  return isAbs ? bits & ~signs : bits ^ signs;
}

template <bool isAbs> static Handler signOfHalves(Type type) {
  switch (type) {
  case Type::f16:
    return &compute<&signOfHalves<f16, false, isAbs>, uint32_t>;
  case Type::f16x2:
    return &compute<&signOfHalves<f16, true, isAbs>, uint32_t>;
  case Type::bf16:
    return &compute<&signOfHalves<bf16, false, isAbs>, uint32_t>;
  default:
    return &compute<&signOfHalves<bf16, true, isAbs>, uint32_t>;
  }
}

//===-- Selection ---------------------------------------------------------===//

static constexpr auto sum = [](auto a, auto b) { return a + b; };
static constexpr auto difference = [](auto a, auto b) { return a - b; };
static constexpr auto product = [](auto a, auto b) { return a * b; };
static constexpr auto quotient = [](auto a, auto b) { return a / b; };
static constexpr auto fused = [](auto a, auto b, auto c) {
  return std::fma(a, b, c);
};

static Handler halvesOf(FloatOp op, Type type) {
  switch (op) {
  case FloatOp::Add:
    return halves<[](const Step &, double a, double b) { return a + b; }, 2>(
        type);
  case FloatOp::Sub:
    return halves<[](const Step &, double a, double b) { return a - b; }, 2>(
        type);
  case FloatOp::Mul:
    return halves<[](const Step &, double a, double b) { return a * b; }, 2>(
        type);
  case FloatOp::Fma:
    // The product is exact; the sum is rounded such that the next rounding
    // is the only one.
    return halves<[](const Step &, double a, double b, double c) {
      return addToOdd(a * b, c);
    },
                  3>(type);
  case FloatOp::Min:
    return halves<&signedExtremum<false, double>, 2>(type);
  case FloatOp::Max:
    return halves<&signedExtremum<true, double>, 2>(type);
  case FloatOp::Abs:
    return signOfHalves<true>(type);
  case FloatOp::Neg:
    return signOfHalves<false>(type);
  case FloatOp::Div:
    break;
  }
  return nullptr;
}

/// a * (1/b): beyond 2^126 the reciprocal is zero (PTX ISA, div.approx).
static float approximateQuotient(const Step &step, float a, float b) {
  a = prepared(step, a);
  b = prepared(step, b);
  if (std::fabs(b) > 0x1p126f && !std::isinf(b))
    return finished(step, a * std::copysign(0.0f, b));
  return finished(step, a / b);
}

static Handler wholeOf(FloatOp op, const Modifiers &m) {
  Type type = m.type();
  switch (op) {
  case FloatOp::Add:
    return roundedSame<sum, 2>(type);
  case FloatOp::Sub:
    return roundedSame<difference, 2>(type);
  case FloatOp::Mul:
    return roundedSame<product, 2>(type);
  case FloatOp::Fma:
    return roundedSame<fused, 3>(type);
  case FloatOp::Div:
    return m.has("approx") ? &compute<&approximateQuotient, float, float>
                           : roundedSame<quotient, 2>(type);
  case FloatOp::Min:
    return type == Type::f64
               ? &compute<&singleExtremum<false, double>, double, double>
               : &compute<&singleExtremum<false, float>, float, float>;
  case FloatOp::Max:
    return type == Type::f64
               ? &compute<&singleExtremum<true, double>, double, double>
               : &compute<&singleExtremum<true, float>, float, float>;
  case FloatOp::Abs:
    return type == Type::f64 ? &compute<&withSign<true, double>, double>
                             : &compute<&withSign<true, float>, float>;
  case FloatOp::Neg:
    return type == Type::f64 ? &compute<&withSign<false, double>, double>
                             : &compute<&withSign<false, float>, float>;
  }
  return nullptr;
}

Selection floatSelection(FloatOp op, const Modifiers &m) {
  Type type = m.type();
  bool isWhole = type == Type::f32 || type == Type::f64;
  return Selection{isWhole ? wholeOf(op, m) : halvesOf(op, type), {type}}
      .withSetting(settingOf(m));
}

Selection select_fma(const Modifiers &m) {
  return floatSelection(FloatOp::Fma, m);
}

Selection select_copysign(const Modifiers &m) {
  // The sign of a, all else of b.
  constexpr auto apply = [](auto a, auto b) { return std::copysign(b, a); };
  return {m.type() == Type::f64 ? &compute<apply, double, double>
                                : &compute<apply, float, float>,
          {m.type()}};
}

} // namespace ptx
