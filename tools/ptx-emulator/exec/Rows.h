//===- Rows.h - registers of a warp ---------------------------*- C++ -*-===//
//
// A register is rows of 32 lanes of 32 bits: one row up to 32 bits, two of
// 64, four of 128, the low bits first. Whoever reads fewer bits than a register
// has reads its low bits, so registers need no types. Bits of a row above those
// of a narrower register mean nothing.
//
//===----------------------------------------------------------------------===//
#ifndef TOOLS_PTX_EMULATOR_EXEC_ROWS_H
#define TOOLS_PTX_EMULATOR_EXEC_ROWS_H

#include <bit>
#include <cstdint>
#include <type_traits>

namespace ptx {

constexpr unsigned warpSize = 32;
constexpr uint32_t allLanes = ~uint32_t(0);

using Row = uint32_t[warpSize];

/// 128 bits.
struct Wide {
  uint64_t low, high;
  bool operator==(const Wide &) const = default;
};

template <unsigned bytes>
using Unsigned = std::conditional_t<
    bytes == 1, uint8_t,
    std::conditional_t<bytes == 2, uint16_t,
                       std::conditional_t<bytes == 4, uint32_t, uint64_t>>>;

template <class T> T get(const Row *rows, unsigned lane) {
  if constexpr (sizeof(T) <= 4)
    return std::bit_cast<T>(Unsigned<sizeof(T)>(rows[0][lane]));
  else if constexpr (sizeof(T) == 8)
    return std::bit_cast<T>(rows[0][lane] | uint64_t(rows[1][lane]) << 32);
  else
    return {get<uint64_t>(rows, lane), get<uint64_t>(rows + 2, lane)};
}

/// Narrow values are extended to the row by their sign, if they have one.
template <class T> void put(Row *rows, unsigned lane, T value) {
  if constexpr (std::is_same_v<T, Wide>) {
    put(rows, lane, value.low);
    put(rows + 2, lane, value.high);
  } else if constexpr (std::is_integral_v<T> && sizeof(T) <= 4) {
    rows[0][lane] = uint32_t(value);
  } else if constexpr (sizeof(T) == 4) {
    rows[0][lane] = std::bit_cast<uint32_t>(value);
  } else {
    static_assert(sizeof(T) == 8);
    uint64_t bits = std::bit_cast<uint64_t>(value);
    rows[0][lane] = uint32_t(bits);
    rows[1][lane] = uint32_t(bits >> 32);
  }
}

/// Calls visit(lane) for every lane of `lanes`, the lowest first.
template <class Visit> void forLanes(uint32_t lanes, Visit &&visit) {
  if (lanes == allLanes) {
    for (unsigned lane = 0; lane < warpSize; ++lane)
      visit(lane);
    return;
  }
  for (; lanes; lanes &= lanes - 1)
    visit(unsigned(std::countr_zero(lanes)));
}

} // namespace ptx

#endif // TOOLS_PTX_EMULATOR_EXEC_ROWS_H
