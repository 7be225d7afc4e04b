//===- Combination.h - how memory and a value are combined ----*- C++ -*-===//
#ifndef TOOLS_PTX_EMULATOR_NUM_COMBINATION_H
#define TOOLS_PTX_EMULATOR_NUM_COMBINATION_H

#include "tools/ptx-emulator/num/Single.h"

#include <algorithm>
#include <type_traits>

namespace ptx {

/// Of atom, red and their asynchronous kin; Copy replaces what is there.
enum class Combination : uint8_t {
  Copy,
  Add,
  Min,
  Max,
  Inc,
  Dec,
  And,
  Or,
  Xor
};

/// Of whole numbers of 32 or 64 bits; sums wrap.
template <class T> constexpr T combined(Combination operation, T old, T value) {
  static_assert(sizeof(T) >= 4);
  switch (operation) {
  case Combination::Add:
    return T(std::make_unsigned_t<T>(old) + std::make_unsigned_t<T>(value));
  case Combination::Min:
    return std::min(old, value);
  case Combination::Max:
    return std::max(old, value);
  case Combination::Inc:
    return old >= value ? T(0) : T(old + 1);
  case Combination::Dec:
    return old == 0 || old > value ? value : T(old - 1);
  case Combination::And:
    return old & value;
  case Combination::Or:
    return old | value;
  case Combination::Xor:
    return old ^ value;
  case Combination::Copy:
    break;
  }
  return value;
}

/// Of floats as doubles: Add, Min or Max.
inline double combinedFloats(Combination operation, double old, double value) {
  if (operation == Combination::Add)
    return old + value;
  return extremum(operation == Combination::Max, /*takesNaN=*/false, old,
                  value);
}

} // namespace ptx

#endif // TOOLS_PTX_EMULATOR_NUM_COMBINATION_H
