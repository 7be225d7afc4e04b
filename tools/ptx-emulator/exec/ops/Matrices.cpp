//===- Matrices.cpp - mma.sync, ldmatrix, stmatrix, movmatrix -------------===//
#include "tools/ptx-emulator/exec/Access.h"
#include "tools/ptx-emulator/exec/Block.h"
#include "tools/ptx-emulator/exec/ops/Compute.h"
#include "tools/ptx-emulator/exec/ops/Fragments.h"
#include "tools/ptx-emulator/num/Single.h"

#include <algorithm>
#include <charconv>

namespace ptx {

using namespace formats;

/// Whether all 32 lanes execute the instruction. Throws Fault if some have
/// exited: matrices are in the registers of all.
static bool allAreHere(Warp &warp) {
  if (!warp.gather())
    return false;
  if (warp.active != allLanes)
    throw Fault(FaultKind::LaunchFailure,
                "lanes of the warp have exited, whose registers are part of "
                "the matrix",
                std::countr_zero(~warp.active));
  return true;
}

//===-- mma ---------------------------------------------------------------===//

/// What an element is. Whole numbers are exact in double.
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

static unsigned bitsOf(ElementType type) {
  switch (type) {
  case ElementType::F64:
    return 64;
  case ElementType::TF32:
    return 32;
  case ElementType::F16:
  case ElementType::BF16:
    return 16;
  case ElementType::S4:
  case ElementType::U4:
    return 4;
  default:
    return 8;
  }
}

static double decoded(ElementType type, uint32_t bits) {
  switch (type) {
  case ElementType::F16:
    return widen(f16, bits & 0xffff);
  case ElementType::BF16:
    return std::bit_cast<float>(bits << 16);
  case ElementType::TF32:
    // The low 13 bits are not looked at.
    return std::bit_cast<float>(bits & ~uint32_t(0x1fff));
  case ElementType::E4M3:
    return widen(e4m3, bits & 0xff);
  case ElementType::E5M2:
    return widen(e5m2, bits & 0xff);
  case ElementType::S8:
    return int8_t(bits);
  case ElementType::U8:
    return uint8_t(bits);
  case ElementType::S4:
    return int32_t(bits << 28) >> 28;
  case ElementType::U4:
    return bits & 15;
  case ElementType::F64:
    break;
  }
  return 0;
}

/// Of C and D.
enum class Accumulator : uint8_t { F32, F16, F64, S32, SaturatedS32 };

struct MatrixShape {
  unsigned m, n, k;
};

/// Setting: m, k, types of A and B, of C and of D.
static uint32_t packed(const MatrixShape &shape, ElementType a, ElementType b,
                       Accumulator c, Accumulator d) {
  return uint32_t(shape.m / 8) | shape.k / 4 << 2 | uint32_t(a) << 9 |
         uint32_t(b) << 13 | uint32_t(c) << 17 | uint32_t(d) << 20;
}

static double read(ElementType type, const Row *rows, unsigned lane,
                   unsigned i) {
  if (type == ElementType::F64)
    return get<double>(rows, lane);
  return decoded(type, rows[0][lane] >> i * bitsOf(type) % 32);
}

static double readAccumulator(Accumulator type, Warp &warp,
                              const Step::Vector &vector, unsigned lane,
                              unsigned i) {
  auto rows = [&](unsigned number) {
    return warp.source(warp.kernel.refs[vector.first + number]);
  };
  switch (type) {
  case Accumulator::F16:
    return widen(f16, rows(i / 2)[0][lane] >> 16 * (i % 2) & 0xffff);
  case Accumulator::F32:
    return get<float>(rows(i), lane);
  case Accumulator::F64:
    return get<double>(rows(i), lane);
  default:
    return get<int32_t>(rows(i), lane);
  }
}

static void writeAccumulator(Accumulator type, Warp &warp,
                             const Step::Vector &vector, unsigned lane,
                             unsigned i, double value) {
  auto rows = [&](unsigned number) {
    return warp.destination(warp.kernel.refs[vector.first + number]);
  };
  switch (type) {
  case Accumulator::F16: {
    uint32_t bits = uint32_t(narrow(f16, value, Rounding::Nearest));
    uint32_t &word = rows(i / 2)[0][lane];
    unsigned shift = 16 * (i % 2);
    word = (word & ~(0xffffu << shift)) | bits << shift;
    break;
  }
  case Accumulator::F32:
    put(rows(i), lane, canonical(float(value)));
    break;
  case Accumulator::F64:
    put(rows(i), lane, value);
    break;
  case Accumulator::S32:
    // A sum of whole numbers wraps; doubles hold it exactly.
    put(rows(i), lane, uint32_t(int64_t(value)));
    break;
  case Accumulator::SaturatedS32:
    put(rows(i), lane,
        int32_t(std::clamp(value, double(INT32_MIN), double(INT32_MAX))));
    break;
  }
}

/// D = A · B + C. Products are exact; the sum is of doubles, from the first k
/// on, C last, and rounded once. Hardware keeps fewer bits in between.
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
  const Step::Vector &registersA = step.vectors[1],
                     &registersB = step.vectors[2];
  for (unsigned lane = 0; lane < warpSize; ++lane) {
    for (unsigned number = 0; number < registersA.count; ++number)
      for (unsigned i = 0; i < perRegister; ++i) {
        Element at = elementOfA(m, perRegister, lane, number, i);
        a[at.row][at.column] =
            read(typeA, warp.source(refs[registersA.first + number]), lane, i);
      }
    for (unsigned number = 0; number < registersB.count; ++number)
      for (unsigned i = 0; i < perRegister; ++i) {
        Element at = elementOfB(perRegister, lane, number, i);
        b[at.column][at.row] =
            read(typeB, warp.source(refs[registersB.first + number]), lane, i);
      }
    for (unsigned i = 0; i < m / 4; ++i) {
      Element at = elementOfC(m, lane, i);
      c[at.row][at.column] =
          readAccumulator(typeC, warp, step.vectors[3], lane, i);
    }
  }
  for (unsigned row = 0; row < m; ++row)
    for (unsigned column = 0; column < n; ++column) {
      double sum = 0;
      // Of f64 every step rounds, as a chain of fma does.
      if (typeD == Accumulator::F64) {
        sum = c[row][column];
        for (unsigned i = 0; i < k; ++i)
          sum = std::fma(a[row][i], b[column][i], sum);
      } else {
        for (unsigned i = 0; i < k; ++i)
          sum += a[row][i] * b[column][i];
        sum += c[row][column];
      }
      c[row][column] = sum;
    }
  for (unsigned lane = 0; lane < warpSize; ++lane)
    for (unsigned i = 0; i < m / 4; ++i) {
      Element at = elementOfC(m, lane, i);
      writeAccumulator(typeD, warp, step.vectors[0], lane, i,
                       c[at.row][at.column]);
    }
  warp.advance();
}

/// "m16n8k16".
static MatrixShape shapeOf(const Modifiers &modifiers) {
  MatrixShape shape = {0, 0, 0};
  for (const std::string &each : modifiers.all()) {
    if (each[0] != 'm' || each.find('n') == std::string::npos)
      continue;
    const char *end = each.data() + each.size();
    const char *at = std::from_chars(each.data() + 1, end, shape.m).ptr;
    at = std::from_chars(at + 1, end, shape.n).ptr;
    std::from_chars(at + 1, end, shape.k);
  }
  return shape;
}

static ElementType elementType(Type type) {
  switch (type) {
  case Type::f16:
    return ElementType::F16;
  case Type::bf16:
    return ElementType::BF16;
  case Type::tf32:
    return ElementType::TF32;
  case Type::e4m3:
    return ElementType::E4M3;
  case Type::e5m2:
    return ElementType::E5M2;
  case Type::s8:
    return ElementType::S8;
  case Type::u8:
    return ElementType::U8;
  case Type::s4:
    return ElementType::S4;
  case Type::u4:
    return ElementType::U4;
  default:
    return ElementType::F64;
  }
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

static Accumulator accumulator(Type type, bool saturates) {
  switch (type) {
  case Type::f16:
    return Accumulator::F16;
  case Type::f64:
    return Accumulator::F64;
  case Type::s32:
    return saturates ? Accumulator::SaturatedS32 : Accumulator::S32;
  default:
    return Accumulator::F32;
  }
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
  const Row *base = warp.source(ref.base);
  const Step::Vector &to = step.vectors[0];
  uint16_t matrices[4][8][8];
  // Row r of matrix i is where lane 8i + r says.
  for (unsigned lane = 0; lane < 8 * to.count; ++lane) {
    uint64_t address = warp.address(ref, base, lane);
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
  const Row *base = warp.source(ref.base);
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
    uint64_t address = warp.address(ref, base, lane);
    Cell cell = locate(warp, ref.space, address, 16, lane, writing);
    std::memcpy(cell.bytes, matrices[lane / 8][lane % 8], 16);
    markDefined(cell, 16);
  }
  warp.block.grid.progressAt = warp.block.grid.executed;
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
