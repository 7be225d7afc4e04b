//===- Functions.cpp - reciprocals, roots and approximate functions -------===//
//
// What the ISA only approximates is computed as closely as the host can: in
// double, then rounded once. Hardware differs in the last bits.
//
//===----------------------------------------------------------------------===//
#include "tools/ptx-emulator/exec/ops/Compute.h"
#include "tools/ptx-emulator/num/Single.h"

namespace ptx {

using namespace formats;

/// Setting: the rounding, and these.
enum : uint32_t { roundingBits = 7, flushes = 1 << 3 };

static uint32_t settingOf(const Modifiers &m) {
  return uint32_t(m.rounding()) | (m.has("ftz") ? flushes : 0);
}

static Selection selected(Handler handler, const Modifiers &m) {
  return Selection{handler, {m.type()}}.withSetting(settingOf(m));
}

/// Rounded as the step says.
template <auto apply, class T>
static void rounded(Warp &warp, const Step &step) {
  RoundingScope scope(Rounding(step.setting & roundingBits));
  compute<[](const Step &step, T value) {
    bool flush = step.setting & flushes;
    T result = apply(flush ? flushed(value) : value);
    return canonical(flush ? flushed(result) : result);
  },
          T>(warp, step);
}

/// A function of doubles, of f32.
template <auto apply> static float approximate(const Step &step, float value) {
  bool flush = step.setting & flushes;
  float result = float(apply(double(flush ? flushed(value) : value)));
  return canonical(flush ? flushed(result) : result);
}

/// The same of 16 bits, of the low half or of both.
template <auto apply, const Format &format>
static uint32_t approximateHalf(const Step &step, uint32_t bits) {
  bool flush = step.setting & flushes;
  auto isSubnormal = [](uint32_t bits) {
    return (bits & format.infinity()) == 0;
  };
  bits &= 0xffff;
  if (flush && isSubnormal(bits))
    bits &= 0x8000;
  uint32_t result =
      uint32_t(narrow(format, apply(widen(format, bits)), Rounding::Nearest));
  return flush && isSubnormal(result) ? result & 0x8000 : result;
}

template <auto apply, const Format &format>
static uint32_t approximateHalves(const Step &step, uint32_t bits) {
  return approximateHalf<apply, format>(step, bits) |
         approximateHalf<apply, format>(step, bits >> 16) << 16;
}

template <auto apply> static Selection approximation(const Modifiers &m) {
  switch (m.type()) {
  case Type::f16:
    return selected(&compute<&approximateHalf<apply, f16>, uint32_t>, m);
  case Type::f16x2:
    return selected(&compute<&approximateHalves<apply, f16>, uint32_t>, m);
  case Type::bf16:
    return selected(&compute<&approximateHalf<apply, bf16>, uint32_t>, m);
  case Type::bf16x2:
    return selected(&compute<&approximateHalves<apply, bf16>, uint32_t>, m);
  default:
    return selected(&compute<&approximate<apply>, float>, m);
  }
}

/// Of f64: coarse functions see and give the high words alone.
template <auto apply> static double coarse(double value) {
  constexpr uint64_t highWord = ~uint64_t(0) << 32;
  auto cut = [](double value) {
    return std::bit_cast<double>(std::bit_cast<uint64_t>(value) & highWord);
  };
  double result = std::isnan(value) ? value : apply(flushed(cut(value)));
  if (std::isnan(result))
    return std::bit_cast<double>(uint64_t(0x7fffffff) << 32);
  return flushed(cut(result));
}

static constexpr auto reciprocal = [](auto value) { return 1 / value; };
static constexpr auto inverseRoot = [](double value) {
  return value < 0 ? std::numeric_limits<double>::quiet_NaN()
                   : 1 / std::sqrt(value);
};

Selection select_rcp(const Modifiers &m) {
  bool isDouble = m.type() == Type::f64;
  if (m.has("approx"))
    return isDouble ? selected(&compute<&coarse<reciprocal>, double>, m)
                    : approximation<reciprocal>(m);
  return selected(
      isDouble ? &rounded<reciprocal, double> : &rounded<reciprocal, float>, m);
}

Selection select_sqrt(const Modifiers &m) {
  constexpr auto root = [](auto value) { return std::sqrt(value); };
  if (m.has("approx"))
    return approximation<root>(m);
  return selected(m.type() == Type::f64 ? &rounded<root, double>
                                        : &rounded<root, float>,
                  m);
}

Selection select_rsqrt(const Modifiers &m) {
  if (m.type() == Type::f32)
    return approximation<inverseRoot>(m);
  return selected(m.has("ftz") ? &compute<&coarse<inverseRoot>, double>
                               : &rounded<inverseRoot, double>,
                  m);
}

Selection select_sin(const Modifiers &m) {
  return approximation<[](double value) { return std::sin(value); }>(m);
}

Selection select_cos(const Modifiers &m) {
  return approximation<[](double value) { return std::cos(value); }>(m);
}

Selection select_lg2(const Modifiers &m) {
  return approximation<[](double value) { return std::log2(value); }>(m);
}

Selection select_ex2(const Modifiers &m) {
  return approximation<[](double value) { return std::exp2(value); }>(m);
}

Selection select_tanh(const Modifiers &m) {
  return approximation<[](double value) { return std::tanh(value); }>(m);
}

} // namespace ptx
