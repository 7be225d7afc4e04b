//===- Matrices.cpp - mma.sync, ldmatrix, stmatrix, movmatrix -------------===//
#include "tools/ptx-emulator/exec/Access.h"
#include "tools/ptx-emulator/exec/Block.h"
#include "tools/ptx-emulator/exec/ops/Compute.h"
#include "tools/ptx-emulator/exec/ops/Fragments.h"
#include "tools/ptx-emulator/exec/ops/MatrixElements.h"
#include "tools/ptx-emulator/num/Single.h"

#include <algorithm>

namespace ptx {

using namespace formats;

//===-- mma ---------------------------------------------------------------===//

/// Setting: m, k, types of A and B, of C and of D.
static uint32_t packed(const MatrixShape &shape, ElementType a, ElementType b,
                       Accumulator c, Accumulator d) {
  return uint32_t(shape.m / 8) | shape.k / 4 << 2 | uint32_t(a) << 9 |
         uint32_t(b) << 13 | uint32_t(c) << 17 | uint32_t(d) << 20;
}

/// D = A · B + C.
static void multiply(Warp &warp, const Step &step) {
  if (!allAreHere(warp))
    return;
  unsigned m = 8 * (step.setting & 3), k = 4 * (step.setting >> 2 & 127);
  auto typeA = ElementType(step.setting >> 9 & 15);
  auto typeB = ElementType(step.setting >> 13 & 15);
  auto typeC = Accumulator(step.setting >> 17 & 7);
  auto typeD = Accumulator(step.setting >> 20 & 7);
  unsigned perRegister = std::max(32 / bitsOf(typeA), 1u);
  constexpr unsigned n = 8, mostK = 64;
  // By columns of k, so that a dot product walks both.
  double a[16][mostK], b[n][mostK], c[16][n];
  const std::vector<Ref> &refs = warp.kernel.refs;
  auto rowsOf = [&](const Step::Vector &vector) {
    // Sources may be constants; destinations never are.
    return [&](unsigned number) {
      return const_cast<Row *>(warp.source(refs[vector.first + number]));
    };
  };
  const Step::Vector &registersA = step.vectors[1],
                     &registersB = step.vectors[2];
  for (unsigned lane = 0; lane < warpSize; ++lane) {
    for (unsigned number = 0; number < registersA.count; ++number)
      for (unsigned i = 0; i < perRegister; ++i) {
        Element at = elementOfA(m, perRegister, lane, number, i);
        a[at.row][at.column] = readOperand(
            typeA, warp.source(refs[registersA.first + number]), lane, i);
      }
    for (unsigned number = 0; number < registersB.count; ++number)
      for (unsigned i = 0; i < perRegister; ++i) {
        Element at = elementOfB(perRegister, lane, number, i);
        b[at.column][at.row] = readOperand(
            typeB, warp.source(refs[registersB.first + number]), lane, i);
      }
    for (unsigned i = 0; i < m / 4; ++i) {
      Element at = elementOfC(m, lane, i);
      c[at.row][at.column] =
          readElement(typeC, rowsOf(step.vectors[3]), lane, i);
    }
  }
  for (unsigned row = 0; row < m; ++row)
    for (unsigned column = 0; column < n; ++column)
      c[row][column] = dotProduct(typeD, a[row], b[column], k, c[row][column]);
  for (unsigned lane = 0; lane < warpSize; ++lane)
    for (unsigned i = 0; i < m / 4; ++i) {
      Element at = elementOfC(m, lane, i);
      writeElement(typeD, rowsOf(step.vectors[0]), lane, i,
                   c[at.row][at.column]);
    }
  warp.advance();
}

/// Whether the ISA has mma of this shape; m8n8k4 of f16, which is of older
/// hardware, is left out.
static bool isKnown(const MatrixShape &shape, ElementType type) {
  struct Known {
    unsigned bits, m, k;
  };
  constexpr Known known[] = {
      {64, 8, 4},  {64, 16, 4}, {64, 16, 8},  {64, 16, 16}, {32, 16, 4},
      {32, 16, 8}, {16, 16, 8}, {16, 16, 16}, {8, 8, 16},   {8, 16, 16},
      {8, 16, 32}, {4, 8, 32},  {4, 16, 32},  {4, 16, 64}};
  return shape.n == 8 && std::ranges::any_of(known, [&](const Known &each) {
           return each.bits == bitsOf(type) && each.m == shape.m &&
                  each.k == shape.k;
         });
}

Selection select_mma(const Modifiers &m) {
  std::vector<Type> types = m.types(); // of D, A, B, C
  MatrixShape shape = shapeOf(m);
  ElementType a = elementType(types[1]), b = elementType(types[2]);
  if (!isKnown(shape, a))
    return {};
  auto registerType = [](Type type) {
    return type == Type::f64 ? Type::f64 : Type::b32;
  };
  // Bits of a matrix over those of all lanes' registers.
  unsigned bits = bitsOf(a), width = bits == 64 ? 64 : 32;
  auto results = [&](Type type) {
    return shape.m * 8 / warpSize / (type == Type::f16 ? 2 : 1);
  };
  bool saturates = m.has("satfinite");
  return Selection{&multiply,
                   {registerType(types[0]), registerType(types[1]),
                    registerType(types[2]), registerType(types[3])}}
      .withCounts({results(types[0]), shape.m * shape.k * bits / width / 32,
                   8 * shape.k * bits / width / 32, results(types[3])})
      .withSetting(packed(shape, a, b, accumulator(types[3], false),
                          accumulator(types[0], saturates)))
      .control();
}

//===-- Moving 8 × 8 matrices of 16 bits ----------------------------------===//

/// Where a lane holds the elements of a matrix: row lane / 4, two columns from
/// 2 · (lane % 4) on; transposed the other way around.
struct Pair {
  unsigned row[2], column[2];
};
static Pair pairOf(unsigned lane, bool isTransposed) {
  unsigned group = lane / 4, first = lane % 4 * 2;
  if (isTransposed)
    return {{first, first + 1}, {group, group}};
  return {{group, group}, {first, first + 1}};
}

/// Setting: whether matrices are transposed.
static void loadMatrices(Warp &warp, const Step &step) {
  if (!allAreHere(warp))
    return;
  const AddressRef &ref = step.addresses[0];
  const Step::Vector &to = step.vectors[0];
  uint16_t matrices[4][8][8];
  // Row r of matrix i is where lane 8i + r says.
  for (unsigned lane = 0; lane < 8 * to.count; ++lane) {
    uint64_t address = warp.address(ref, lane);
    Cell cell = locate(warp, ref.space, address, 16, lane, reading);
    checkDefined(warp, cell, address, 16, lane);
    std::memcpy(matrices[lane / 8][lane % 8], cell.bytes, 16);
  }
  for (uint32_t i = 0; i < to.count; ++i) {
    Row *rows = warp.destination(warp.kernel.refs[to.first + i]);
    for (unsigned lane = 0; lane < warpSize; ++lane) {
      Pair at = pairOf(lane, step.setting);
      rows[0][lane] = matrices[i][at.row[0]][at.column[0]] |
                      uint32_t(matrices[i][at.row[1]][at.column[1]]) << 16;
    }
  }
  warp.advance();
}

static void storeMatrices(Warp &warp, const Step &step) {
  if (!allAreHere(warp))
    return;
  const AddressRef &ref = step.addresses[0];
  const Step::Vector &from = step.vectors[1];
  uint16_t matrices[4][8][8];
  for (uint32_t i = 0; i < from.count; ++i) {
    const Row *rows = warp.source(warp.kernel.refs[from.first + i]);
    for (unsigned lane = 0; lane < warpSize; ++lane) {
      Pair at = pairOf(lane, step.setting);
      matrices[i][at.row[0]][at.column[0]] = uint16_t(rows[0][lane]);
      matrices[i][at.row[1]][at.column[1]] = uint16_t(rows[0][lane] >> 16);
    }
  }
  for (unsigned lane = 0; lane < 8 * from.count; ++lane) {
    uint64_t address = warp.address(ref, lane);
    Cell cell = locate(warp, ref.space, address, 16, lane, writing);
    std::memcpy(cell.bytes, matrices[lane / 8][lane % 8], 16);
    markDefined(cell, 16);
  }
  warp.block.grid.noteProgress();
  warp.advance();
}

static unsigned matrixCount(const Modifiers &m) {
  return m.has("x1") ? 1 : m.has("x2") ? 2 : 4;
}

Selection select_ldmatrix(const Modifiers &m) {
  return Selection{&loadMatrices, {Type::b32}}
      .withCounts({matrixCount(m)})
      .withSetting(m.has("trans"))
      .control();
}

Selection select_stmatrix(const Modifiers &m) {
  return Selection{&storeMatrices, {Type::b32}}
      .withCounts({matrixCount(m)})
      .withSetting(m.has("trans"))
      .control();
}

/// The transpose of a matrix in the registers.
static void transpose(Warp &warp, const Step &step) {
  if (!allAreHere(warp))
    return;
  const Row *from = warp.source(step.operands[1]);
  Row *to = warp.destination(step.operands[0]);
  uint16_t matrix[8][8];
  for (unsigned lane = 0; lane < warpSize; ++lane) {
    Pair at = pairOf(lane, false);
    matrix[at.row[0]][at.column[0]] = uint16_t(from[0][lane]);
    matrix[at.row[1]][at.column[1]] = uint16_t(from[0][lane] >> 16);
  }
  for (unsigned lane = 0; lane < warpSize; ++lane) {
    Pair at = pairOf(lane, true);
    to[0][lane] = matrix[at.row[0]][at.column[0]] |
                  uint32_t(matrix[at.row[1]][at.column[1]]) << 16;
  }
  warp.advance();
}

Selection select_movmatrix(const Modifiers &) {
  return Selection{&transpose, {Type::b32}}.control();
}

} // namespace ptx
