//===- Fragments.h - matrices in the registers of a warp ------*- C++ -*-===//
//
// Lane = 4 · group + thread. Of A a register of a lane holds elements that are
// next to each other in a row, of B in a column, as many as fit in 32 bits (one
// of f64); the four threads of a group together hold 4 times as many, a block
// of k. PTX ISA, matrix fragments for mma.
//
//===----------------------------------------------------------------------===//
#ifndef TOOLS_PTX_EMULATOR_EXEC_OPS_FRAGMENTS_H
#define TOOLS_PTX_EMULATOR_EXEC_OPS_FRAGMENTS_H

namespace ptx {

struct Element {
  unsigned row, column;
};

/// Element `i` (from the low bits) of register `number` of A, m × k with m 8 or
/// 16 rows.
constexpr Element elementOfA(unsigned m, unsigned perRegister, unsigned lane,
                             unsigned number, unsigned i) {
  unsigned halves = m / 8;
  return {lane / 4 + 8 * (number % halves),
          number / halves * 4 * perRegister + lane % 4 * perRegister + i};
}

/// The same of B, k × 8: the row is the k.
constexpr Element elementOfB(unsigned perRegister, unsigned lane,
                             unsigned number, unsigned i) {
  return {number * 4 * perRegister + lane % 4 * perRegister + i, lane / 4};
}

/// Element `i` of a lane's C and D, of n columns: two next to each other in a
/// row, then those 8 rows further down, then 8 columns further right.
constexpr Element elementOfC(unsigned m, unsigned lane, unsigned i) {
  unsigned halves = m / 8;
  return {lane / 4 + 8 * (i / 2 % halves),
          i / 2 / halves * 8 + lane % 4 * 2 + i % 2};
}

} // namespace ptx

#endif // TOOLS_PTX_EMULATOR_EXEC_OPS_FRAGMENTS_H
