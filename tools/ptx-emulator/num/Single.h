//===- Single.h - rules of f32 and f64 arithmetic -------------*- C++ -*-===//
#ifndef TOOLS_PTX_EMULATOR_NUM_SINGLE_H
#define TOOLS_PTX_EMULATOR_NUM_SINGLE_H

#include "tools/ptx-emulator/num/Formats.h"

#include <cfenv>
#include <cmath>
#include <limits>

namespace ptx {

/// Rounds as it says while it lives. What computes under it is compiled with
/// -frounding-math.
class RoundingScope {
public:
  explicit RoundingScope(Rounding rounding) : changes(false) {
    int mode = rounding == Rounding::Zero   ? FE_TOWARDZERO
               : rounding == Rounding::Down ? FE_DOWNWARD
               : rounding == Rounding::Up   ? FE_UPWARD
                                            : FE_TONEAREST;
    changes = mode != FE_TONEAREST;
    if (changes)
      std::fesetround(mode);
  }
  ~RoundingScope() {
    if (changes)
      std::fesetround(FE_TONEAREST);
  }
  RoundingScope(const RoundingScope &) = delete;

private:
  bool changes;
};

/// .ftz: subnormal numbers are zeros of their sign.
template <class T> T flushed(T value) {
  return std::fabs(value) < std::numeric_limits<T>::min()
             ? std::copysign(T(0), value)
             : value;
}

/// .sat: to 0 ... 1; NaN is +0.
template <class T> T clampedToOne(T value) {
  return !(value > 0) ? T(0) : value > 1 ? T(1) : value;
}

/// min or max: of a number and a NaN the number, unless .NaN; -0 is below +0.
template <class T> T extremum(bool isMax, bool takesNaN, T a, T b) {
  if (std::isnan(a) || std::isnan(b))
    return std::isnan(a) == takesNaN || (std::isnan(a) && std::isnan(b)) ? a
                                                                         : b;
  if (a == b)
    return std::signbit(a) != isMax ? a : b;
  return (a < b) != isMax ? a : b;
}

/// Arithmetic of f32 makes one NaN.
inline float canonical(float value) {
  return std::isnan(value) ? std::bit_cast<float>(0x7fffffffu) : value;
}
inline double canonical(double value) { return value; }

} // namespace ptx

#endif // TOOLS_PTX_EMULATOR_NUM_SINGLE_H
