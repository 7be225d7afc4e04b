//===- MatrixElements.h - elements of matrices in registers ---*- C++ -*-===//
#ifndef TOOLS_PTX_EMULATOR_EXEC_OPS_MATRIXELEMENTS_H
#define TOOLS_PTX_EMULATOR_EXEC_OPS_MATRIXELEMENTS_H

#include "tools/ptx-emulator/exec/Selection.h"
#include "tools/ptx-emulator/exec/Warp.h"

namespace ptx {

/// Of A and B. All are exact in double.
enum class ElementType : uint8_t {
  F16,
  BF16,
  TF32,
  E4M3,
  E5M2,
  F64,
  S8,
  U8,
  S4,
  U4
};
ElementType elementType(Type type);
unsigned bitsOf(ElementType type);
/// Of the low bits; not of F64.
double decoded(ElementType type, uint32_t bits);

/// Element `i` of a register of A or B.
double readOperand(ElementType type, const Row *rows, unsigned lane,
                   unsigned i);

/// Of C and D.
enum class Accumulator : uint8_t { F32, F16, F64, S32, SaturatedS32 };
Accumulator accumulator(Type type, bool saturates);
/// Of one register; those of f16 hold two.
double readAccumulator(Accumulator type, const Row *rows, unsigned lane,
                       unsigned half);
void writeAccumulator(Accumulator type, Row *rows, unsigned lane, unsigned half,
                      double value);
/// Element `i` of a lane, of the registers whose rows rowsOf(number) gives.
template <class RowsOf>
double readElement(Accumulator type, RowsOf rowsOf, unsigned lane, unsigned i) {
  unsigned perRegister = type == Accumulator::F16 ? 2 : 1;
  return readAccumulator(type, rowsOf(i / perRegister), lane, i % perRegister);
}
template <class RowsOf>
void writeElement(Accumulator type, RowsOf rowsOf, unsigned lane, unsigned i,
                  double value) {
  unsigned perRegister = type == Accumulator::F16 ? 2 : 1;
  writeAccumulator(type, rowsOf(i / perRegister), lane, i % perRegister, value);
}

/// Of a row of A, a column of B and an element of C, for one of D. Products are
/// exact; the sum is of doubles, from the first k on, c last, and rounded once.
/// Hardware keeps fewer bits in between. Of f64 every step rounds, as a chain
/// of fma does.
double dotProduct(Accumulator d, const double *a, const double *b, unsigned k,
                  double c);

struct MatrixShape {
  unsigned m = 0, n = 0, k = 0;
};
/// Of a modifier like m16n8k16.
MatrixShape shapeOf(const Modifiers &modifiers);

/// Whether all 32 lanes execute the instruction; if not, those that do wait for
/// the others. Throws Fault if some have exited: matrices are in the registers
/// of all.
bool allAreHere(Warp &warp);

} // namespace ptx

#endif // TOOLS_PTX_EMULATOR_EXEC_OPS_MATRIXELEMENTS_H
