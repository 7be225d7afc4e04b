//===- Formats.cpp - floats narrower than 64 bits -------------------------===//
#include "tools/ptx-emulator/num/Formats.h"

#include <cmath>
#include <limits>

namespace ptx {

Exact exactOf(double value) {
  uint64_t bits = std::bit_cast<uint64_t>(value);
  uint64_t fraction = bits & ((uint64_t(1) << 52) - 1);
  int exponent = int(bits >> 52 & 0x7ff);
  if (exponent == 0)
    return {bool(bits >> 63), fraction, -1074};
  return {bool(bits >> 63), fraction | uint64_t(1) << 52, exponent - 1075};
}

/// Whether the magnitude grows by one last bit: `rest` is what was cut off, in
/// units of which `half` are half a last bit; `isMore` says it was a little
/// more.
static bool roundsUp(Rounding rounding, bool isNegative, bool isOdd,
                     uint64_t rest, uint64_t half, bool isMore) {
  switch (rounding) {
  case Rounding::Nearest:
    return rest > half || (rest == half && (isMore || isOdd));
  case Rounding::NearestAway:
    return rest >= half;
  case Rounding::Zero:
    return false;
  case Rounding::Down:
    return isNegative && (rest != 0 || isMore);
  case Rounding::Up:
    return !isNegative && (rest != 0 || isMore);
  }
  return false;
}

uint64_t roundTo(const Format &format, const Exact &value, Rounding rounding,
                 bool saturates) {
  uint64_t sign = uint64_t(value.isNegative)
                  << (format.exponentBits + format.fractionBits);
  auto padded = [&](uint64_t magnitude) {
    return (sign | magnitude) << format.padding;
  };
  if (value.significand == 0)
    return padded(0);
  // The last bit of the result has this exponent: of a normal number its
  // highest bit is fractionBits further up; subnormal ones share the least.
  int highest = value.exponent + 63 - std::countl_zero(value.significand);
  int last = std::max(highest, 1 - format.bias()) - int(format.fractionBits);
  int shift = last - value.exponent;
  uint64_t magnitude, rest = 0, half = 1;
  if (shift <= 0) {
    magnitude = value.significand << -shift;
  } else if (shift < 64) {
    magnitude = value.significand >> shift;
    rest = value.significand & ((uint64_t(1) << shift) - 1);
    half = uint64_t(1) << (shift - 1);
  } else {
    // Below half of the last bit, or of it exactly when the shift is 64.
    magnitude = 0;
    rest = shift == 64 ? value.significand : 1;
    half = uint64_t(1) << 63;
  }
  if (roundsUp(rounding, value.isNegative, magnitude & 1, rest, half,
               value.isInexact))
    ++magnitude;
  // The hidden bit is exponent 1; a carry goes into the exponent by itself.
  uint64_t exponent = uint64_t(last + int(format.fractionBits) + format.bias());
  magnitude += (exponent - 1) << format.fractionBits;
  if (magnitude <= format.largest())
    return padded(magnitude);
  bool isTowardsInfinity = rounding == Rounding::Nearest ||
                           rounding == Rounding::NearestAway ||
                           (rounding == Rounding::Down && value.isNegative) ||
                           (rounding == Rounding::Up && !value.isNegative);
  if (saturates || !isTowardsInfinity)
    return padded(format.largest());
  return padded(format.hasInfinities ? format.infinity() : format.nan());
}

uint64_t narrow(const Format &format, double value, Rounding rounding,
                bool saturates) {
  if (std::isnan(value))
    return format.nan() << format.padding;
  if (!std::isinf(value))
    return roundTo(format, exactOf(value), rounding, saturates);
  uint64_t sign = uint64_t(std::signbit(value))
                  << (format.exponentBits + format.fractionBits);
  uint64_t magnitude = saturates              ? format.largest()
                       : format.hasInfinities ? format.infinity()
                                              : format.nan();
  return (sign | magnitude) << format.padding;
}

double widen(const Format &format, uint64_t bits) {
  bits >>= format.padding;
  bool isNegative = bits >> (format.exponentBits + format.fractionBits) & 1;
  uint64_t fraction = bits & ((uint64_t(1) << format.fractionBits) - 1);
  int exponent =
      int(bits >> format.fractionBits & ((1u << format.exponentBits) - 1));
  int last = (1 << format.exponentBits) - 1;
  bool isNaN = exponent == last &&
               (format.hasInfinities
                    ? fraction != 0
                    : fraction + 1 == uint64_t(1) << format.fractionBits);
  // Its sign counts: .xorsign looks at it.
  if (isNaN)
    return std::copysign(std::numeric_limits<double>::quiet_NaN(),
                         isNegative ? -1 : 1);
  double magnitude;
  if (exponent == 0) {
    magnitude = std::ldexp(double(fraction),
                           1 - format.bias() - int(format.fractionBits));
  } else {
    bool isInfinite = exponent == last && format.hasInfinities;
    uint64_t exponentOfDouble =
        isInfinite ? 2047 : uint64_t(exponent - format.bias() + 1023);
    magnitude = std::bit_cast<double>(exponentOfDouble << 52 |
                                      fraction << (52 - format.fractionBits));
  }
  return isNegative ? -magnitude : magnitude;
}

double addToOdd(double a, double b) {
  double sum = a + b;
  if (!std::isfinite(sum))
    return sum;
  // What rounding lost, exactly (Knuth's TwoSum).
  double fromB = sum - a;
  double lost = (a - (sum - fromB)) + (b - fromB);
  if (lost == 0 || std::bit_cast<uint64_t>(sum) & 1)
    return sum;
  return std::nextafter(sum, lost > 0 ? HUGE_VAL : -HUGE_VAL);
}

} // namespace ptx
