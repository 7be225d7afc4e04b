//===- Wmma.cpp - wmma.load, wmma.store, wmma.mma -------------------------===//
//
// Which lane holds which elements of a fragment the ISA leaves open. Here the
// elements of a matrix, row by row, are spread over the lanes in order; where
// registers have room for more, a lane holds its elements several times.
//
//===----------------------------------------------------------------------===//
#include "tools/ptx-emulator/exec/Access.h"
#include "tools/ptx-emulator/exec/Block.h"
#include "tools/ptx-emulator/exec/ops/Compute.h"
#include "tools/ptx-emulator/exec/ops/MatrixElements.h"

#include <algorithm>
#include <bit>

namespace ptx {

/// Setting of loads and stores: rows and columns, log2 of the bits of an
/// element, and whether columns are contiguous in memory.
static uint32_t packed(unsigned rows, unsigned columns, unsigned bits,
                       bool isColumnMajor) {
  return rows | columns << 6 | uint32_t(std::bit_width(bits) - 1) << 12 |
         uint32_t(isColumnMajor) << 16;
}

namespace {
struct Fragment {
  unsigned rows, columns, bits;
  bool isColumnMajor;

  explicit Fragment(uint32_t setting)
      : rows(setting & 63), columns(setting >> 6 & 63),
        bits(1u << (setting >> 12 & 15)), isColumnMajor(setting >> 16 & 1) {}

  unsigned perLane() const { return rows * columns / warpSize; }
  unsigned perRegister() const { return std::max(32 / bits, 1u); }
  /// The place in memory, in elements, of what a lane holds at `slot`.
  uint64_t placeOf(unsigned lane, unsigned slot, uint64_t stride) const {
    unsigned element = lane * perLane() + slot % perLane();
    unsigned row = element / columns, column = element % columns;
    return isColumnMajor ? column * stride + row : row * stride + column;
  }
};
} // namespace

namespace {
/// Where a lane finds an element in memory: from a bit of a cell on.
struct Found {
  Cell cell;
  unsigned bytes, shift;
};
} // namespace

static Found find(Warp &warp, const Step &step, const Fragment &fragment,
                  unsigned lane, unsigned slot, Use use) {
  const AddressRef &ref = step.addresses[0];
  uint64_t stride = fragment.isColumnMajor ? fragment.rows : fragment.columns;
  if (step.operandCount > 2)
    stride = uint64_t(get<int32_t>(warp.source(step.operands[2]), lane));
  uint64_t bit = fragment.placeOf(lane, slot, stride) * fragment.bits;
  uint64_t address = warp.address(ref, lane) + bit / 8;
  unsigned bytes = std::max(fragment.bits / 8, 1u);
  Cell cell = locate(warp, ref.space, address, bytes, lane, use);
  if (!use.writes)
    checkDefined(warp, cell, address, bytes, lane);
  return {cell, bytes, unsigned(bit % 8)};
}

static void load(Warp &warp, const Step &step) {
  if (!allAreHere(warp))
    return;
  Fragment fragment(step.setting);
  const Step::Vector &registers = step.vectors[0];
  unsigned perRegister = fragment.perRegister();
  uint64_t mask = ~uint64_t(0) >> (64 - fragment.bits);
  forLanes(allLanes, [&](unsigned lane) {
    // The address may be in registers that the load overwrites.
    std::array<uint64_t, 8> values = {};
    for (unsigned slot = 0; slot < registers.count * perRegister; ++slot) {
      Found found = find(warp, step, fragment, lane, slot, reading);
      uint64_t value = 0;
      std::memcpy(&value, found.cell.bytes, found.bytes);
      values[slot / perRegister] |= (value >> found.shift & mask)
                                    << slot % perRegister * fragment.bits;
    }
    for (unsigned i = 0; i < registers.count; ++i) {
      Row *rows = warp.destination(warp.kernel.refs[registers.first + i]);
      if (fragment.bits == 64)
        put(rows, lane, values[i]);
      else
        put(rows, lane, uint32_t(values[i]));
    }
  });
  warp.advance();
}

static void store(Warp &warp, const Step &step) {
  if (!allAreHere(warp))
    return;
  Fragment fragment(step.setting);
  const Step::Vector &registers = step.vectors[1];
  unsigned perRegister = fragment.perRegister();
  forLanes(allLanes, [&](unsigned lane) {
    for (unsigned slot = 0; slot < fragment.perLane(); ++slot) {
      const Row *rows =
          warp.source(warp.kernel.refs[registers.first + slot / perRegister]);
      uint64_t value =
          fragment.bits == 64
              ? get<uint64_t>(rows, lane)
              : rows[0][lane] >> slot % perRegister * fragment.bits;
      Found found = find(warp, step, fragment, lane, slot, writing);
      std::memcpy(found.cell.bytes, &value, found.bytes);
      markDefined(found.cell, found.bytes);
    }
  });
  warp.block.grid.noteProgress();
  warp.advance();
}

/// Setting of wmma.mma: m, n, k, types of A and B, of C and of D.
static uint32_t packed(const MatrixShape &shape, ElementType a, ElementType b,
                       Accumulator c, Accumulator d) {
  return uint32_t(shape.m / 8) | uint32_t(shape.n / 8) << 3 |
         uint32_t(shape.k / 4) << 6 | uint32_t(a) << 10 | uint32_t(b) << 14 |
         uint32_t(c) << 18 | uint32_t(d) << 21;
}

static void multiply(Warp &warp, const Step &step) {
  if (!allAreHere(warp))
    return;
  unsigned m = 8 * (step.setting & 7), n = 8 * (step.setting >> 3 & 7),
           k = 4 * (step.setting >> 6 & 15);
  auto typeA = ElementType(step.setting >> 10 & 15);
  auto typeB = ElementType(step.setting >> 14 & 15);
  auto typeC = Accumulator(step.setting >> 18 & 7);
  auto typeD = Accumulator(step.setting >> 21 & 7);
  const std::vector<Ref> &refs = warp.kernel.refs;
  constexpr unsigned most = 32;
  double a[most][most], b[most][most], c[most][most];
  auto rowsOf = [&](const Step::Vector &vector) {
    // Sources may be constants; destinations never are.
    return [&](unsigned number) {
      return const_cast<Row *>(warp.source(refs[vector.first + number]));
    };
  };
  /// Calls visit(row, column, lane, slot) for each element.
  auto forMatrix = [](unsigned rows, unsigned columns, auto visit) {
    unsigned perLane = rows * columns / warpSize;
    for (unsigned i = 0; i < rows * columns; ++i)
      visit(i / columns, i % columns, i / perLane, i % perLane);
  };
  auto operand = [&](ElementType type, const Step::Vector &vector,
                     unsigned lane, unsigned slot) {
    unsigned perRegister = std::max(32 / bitsOf(type), 1u);
    return readOperand(type, rowsOf(vector)(slot / perRegister), lane,
                       slot % perRegister);
  };
  forMatrix(m, k,
            [&](unsigned row, unsigned column, unsigned lane, unsigned slot) {
              a[row][column] = operand(typeA, step.vectors[1], lane, slot);
            });
  forMatrix(k, n,
            [&](unsigned row, unsigned column, unsigned lane, unsigned slot) {
              b[column][row] = operand(typeB, step.vectors[2], lane, slot);
            });
  forMatrix(m, n,
            [&](unsigned row, unsigned column, unsigned lane, unsigned slot) {
              c[row][column] =
                  readElement(typeC, rowsOf(step.vectors[3]), lane, slot);
            });
  forMatrix(
      m, n, [&](unsigned row, unsigned column, unsigned lane, unsigned slot) {
        writeElement(typeD, rowsOf(step.vectors[0]), lane, slot,
                     dotProduct(typeD, a[row], b[column], k, c[row][column]));
      });
  warp.advance();
}

static unsigned elementBits(Type type) {
  if (type == Type::f32 || type == Type::s32)
    return 32;
  return bitsOf(elementType(type));
}

/// Of a fragment. Those of f16 are the same for all shapes.
static unsigned registersOf(Type type, unsigned elements, bool isOperand) {
  if (type == Type::f16 && isOperand)
    return 8;
  unsigned bits = elementBits(type);
  return elements * bits / std::max(bits, 32u) / warpSize;
}

Selection select_wmma(const Modifiers &m) {
  MatrixShape shape = shapeOf(m);
  std::vector<Type> types = m.types();
  auto registerType = [](Type type) {
    return type == Type::f64 ? Type::f64 : Type::b32;
  };
  if (m.has("mma")) {
    // Of D, A, B, C; those of f16 name D and C alone.
    Type d = types.front(), c = types.back();
    Type a = types.size() == 2 ? Type::f16 : types[1];
    Type b = types.size() == 2 ? Type::f16 : types[2];
    return Selection{
        &multiply,
        {registerType(d), registerType(a), registerType(b), registerType(c)}}
        .withCounts({registersOf(d, shape.m * shape.n, false),
                     registersOf(a, shape.m * shape.k, true),
                     registersOf(b, shape.k * shape.n, true),
                     registersOf(c, shape.m * shape.n, false)})
        .withSetting(packed(shape, elementType(a), elementType(b),
                            accumulator(c, false),
                            accumulator(d, m.has("satfinite"))))
        .control();
  }
  bool isA = m.has("a"), isB = m.has("b");
  unsigned rows = isB ? shape.k : shape.m, columns = isA ? shape.k : shape.n;
  Type type = types.front();
  unsigned bits = elementBits(type);
  return Selection{m.has("load") ? &load : &store,
                   {registerType(type), Type::s32}}
      .withCounts({registersOf(type, rows * columns, isA || isB), 1})
      .withSetting(packed(rows, columns, bits, m.has("col")))
      .control();
}

} // namespace ptx
