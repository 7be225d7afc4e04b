//===- Formats.h - floats narrower than 64 bits ---------------*- C++ -*-===//
//
// Every conversion rounds once, in whole-number arithmetic, so that neither
// the host's compiler nor its floating-point environment matters.
//
//===----------------------------------------------------------------------===//
#ifndef TOOLS_PTX_EMULATOR_NUM_FORMATS_H
#define TOOLS_PTX_EMULATOR_NUM_FORMATS_H

#include <bit>
#include <cstdint>

namespace ptx {

/// .rn, .rz, .rm, .rp, .rna (ties away from zero).
enum class Rounding : uint8_t {
  Nearest,
  Zero,
  Down,
  Up,
  NearestAway,
};

/// A binary format: its bits are sign, exponent, fraction.
struct Format {
  unsigned exponentBits, fractionBits;
  /// e4m3 has no infinities, and one NaN of each sign.
  bool hasInfinities = true;
  /// Bits below the fraction that are zero: tf32 is 19 bits in 32.
  unsigned padding = 0;

  constexpr int bias() const { return (1 << (exponentBits - 1)) - 1; }
  constexpr unsigned bits() const { return 1 + exponentBits + fractionBits; }
  constexpr uint64_t infinity() const {
    return ((uint64_t(1) << exponentBits) - 1) << fractionBits;
  }
  /// Of the largest finite number.
  constexpr uint64_t largest() const {
    return hasInfinities ? infinity() - 1
                         : (uint64_t(1) << (exponentBits + fractionBits)) - 2;
  }
  /// The NaN that instructions make.
  constexpr uint64_t nan() const {
    return (uint64_t(1) << (exponentBits + fractionBits)) - 1;
  }
};

namespace formats {
inline constexpr Format f16{5, 10}, bf16{8, 7}, tf32{8, 10, true, 13},
    f32{8, 23}, f64{11, 52}, e4m3{4, 3, false}, e5m2{5, 2};
} // namespace formats

/// (-1)^isNegative × significand × 2^exponent; `isInexact`: and a little more,
/// less than the last bit.
struct Exact {
  bool isNegative = false;
  uint64_t significand = 0;
  int exponent = 0;
  bool isInexact = false;
};

/// A finite number.
Exact exactOf(double value);

/// Bits of the number of `format` that `value` rounds to. Overflow gives an
/// infinity or the largest number, as the rounding says, or always the largest
/// if `saturates`. e4m3, which has no infinities, gives NaN instead of one.
uint64_t roundTo(const Format &format, const Exact &value, Rounding rounding,
                 bool saturates = false);

/// As above, of any double; NaN gives the format's NaN, without sign.
uint64_t narrow(const Format &format, double value, Rounding rounding,
                bool saturates = false);

/// The number that `bits` of `format` are.
double widen(const Format &format, uint64_t bits);

/// a + b rounded to odd: a second rounding to 51 bits or fewer is then as if it
/// were the first.
double addToOdd(double a, double b);

} // namespace ptx

#endif // TOOLS_PTX_EMULATOR_NUM_FORMATS_H
