//===- Wgmma.cpp - products of a warpgroup --------------------------------===//
//
// Each of the four warps of a group computes 16 of the 64 rows by itself: they
// share nothing but what they read.
//
//===----------------------------------------------------------------------===//
#include "tools/ptx-emulator/exec/Block.h"
#include "tools/ptx-emulator/exec/MatrixQueue.h"
#include "tools/ptx-emulator/exec/ops/Compute.h"
#include "tools/ptx-emulator/exec/ops/Fragments.h"
#include "tools/ptx-emulator/exec/ops/MatrixElements.h"
#include "tools/ptx-emulator/mem/Swizzle.h"

namespace ptx {

static constexpr unsigned warpsOfGroup = 4, rowsOfWarp = 16, bytesOfK = 32;

/// Setting: n / 8, types of A and B and of the accumulators, and these.
enum : uint32_t { hasScales = 1 << 24, canTranspose = 1 << 25 };

static uint32_t packed(unsigned n, ElementType a, ElementType b,
                       Accumulator d) {
  return n / 8 | uint32_t(a) << 6 | uint32_t(b) << 10 | uint32_t(d) << 14;
}

/// Where a matrix is in shared memory. PTX ISA, matrix descriptor.
struct MatrixPlace {
  uint64_t start;           // address
  uint64_t leading, stride; // byte offsets
  unsigned swizzle;         // bytes: 0, 32, 64, 128
};

static MatrixPlace decodeDescriptor(uint64_t bits) {
  constexpr uint64_t unused = uint64_t(0x3ff) << 52 | uint64_t(7) << 46 |
                              uint64_t(3) << 30 | uint64_t(3) << 14;
  if (bits >> 49 & 7)
    throw Fault(FaultKind::IllegalInstruction,
                "wgmma: a descriptor with a base offset, which is not known");
  if (bits & unused)
    throw Fault(FaultKind::IllegalInstruction,
                "wgmma: a descriptor whose unused bits are not zero");
  constexpr unsigned swizzles[] = {0, 128, 64, 32};
  return {(bits & 0x3fff) << 4, (bits >> 16 & 0x3fff) << 4,
          (bits >> 32 & 0x3fff) << 4, swizzles[bits >> 62]};
}

/// Address of the 16 bytes that hold elements of row or column `mn` from the
/// byte `k` of it on (K-major), or of k the elements from `mn` on (MN-major, 16
/// bits).
static uint64_t addressOf(const MatrixPlace &place, bool isTransposed,
                          unsigned mn, unsigned k) {
  uint64_t width = place.swizzle, address = place.start;
  if (!isTransposed) {
    if (!width)
      return address + mn / 8 * place.stride + k / 16 * place.leading +
             mn % 8 * 16;
    address += mn / 8 * place.stride + mn % 8 * width + k;
  } else {
    uint64_t bytes = mn * 2;
    if (!width)
      return address + bytes / 16 * place.stride + k / 8 * place.leading +
             k % 8 * 16;
    address += bytes / width * place.leading + k / 8 * place.stride +
               k % 8 * width + bytes % width;
  }
  return swizzled(address, unsigned(width));
}

/// A matrix of `rows` rows or columns that a product reads from shared memory.
struct SharedMatrix {
  ElementType type;
  unsigned rows, k; // elements
  bool isTransposed;
  /// By row and 16 bytes of k; transposed by k and 8 rows.
  std::vector<Cell> pieces;

  double at(unsigned row, unsigned column) const {
    unsigned perPiece = 128 / bitsOf(type);
    const Cell &cell = isTransposed ? pieces[column * (rows / 8) + row / 8]
                                    : pieces[row * 2 + column / perPiece];
    unsigned i = isTransposed ? row % 8 : column % perPiece;
    uint32_t bits = 0;
    unsigned bytes = bitsOf(type) / 8;
    std::memcpy(&bits, cell.bytes + i * bytes, bytes);
    return decoded(type, bits);
  }
};

/// Finds the pieces of a matrix from row `first` on, of which an engine reads
/// each.
static SharedMatrix findMatrix(Warp &warp, uint64_t descriptor,
                               ElementType type, unsigned first, unsigned rows,
                               bool isTransposed) {
  MatrixPlace place = decodeDescriptor(descriptor);
  unsigned k = bytesOfK * 8 / bitsOf(type);
  SharedMatrix matrix = {type, rows, k, isTransposed, {}};
  Use use = asyncUseOfWarp(warp, false);
  auto add = [&](unsigned mn, unsigned at) {
    uint64_t address = addressOf(place, isTransposed, mn, at);
    Cell cell = locate(warp, Space::Shared, address, 16, 0, use);
    checkDefined(warp, cell, address, 16, 0);
    matrix.pieces.push_back(cell);
  };
  if (isTransposed)
    for (unsigned i = 0; i < k; ++i)
      for (unsigned mn = first; mn < first + rows; mn += 8)
        add(mn, i);
  else
    for (unsigned mn = first; mn < first + rows; ++mn)
      for (unsigned at = 0; at < bytesOfK; at += 16)
        add(mn, at);
  return matrix;
}

/// What all lanes have in a source.
static uint64_t uniform(Warp &warp, Ref ref) {
  const Row *rows = warp.source(ref);
  uint64_t value = get<uint64_t>(rows, 0);
  for (unsigned lane = 1; lane < warpSize; ++lane)
    if (get<uint64_t>(rows, lane) != value)
      throw Fault(FaultKind::IllegalInstruction,
                  "wgmma: lanes of a warp have different descriptors",
                  int(lane));
  return value;
}

static void multiply(Warp &warp, const Step &step) {
  if (!allAreHere(warp))
    return;
  unsigned n = 8 * (step.setting & 63);
  auto typeA = ElementType(step.setting >> 6 & 15);
  auto typeB = ElementType(step.setting >> 10 & 15);
  auto typeD = Accumulator(step.setting >> 14 & 7);
  unsigned k = bytesOfK * 8 / bitsOf(typeA);
  bool isFromRegisters = step.vectors[1].count == 4;
  if (!isFromRegisters && step.vectors[1].count != 1)
    throw Fault(FaultKind::IllegalInstruction,
                "wgmma: A is a descriptor or 4 registers");
  // Numbers: the signs of A and B, then whether each is transposed.
  auto number = [&](unsigned i) { return int32_t(step.numbers[i]); };
  bool hasSigns = step.setting & hasScales;
  double signA = hasSigns && number(0) == -1 ? -1 : 1;
  double signB = hasSigns && number(1) == -1 ? -1 : 1;
  bool transposesA =
      (step.setting & canTranspose) && !isFromRegisters && number(2) == 1;
  bool transposesB =
      (step.setting & canTranspose) && number(isFromRegisters ? 2 : 3) == 1;
  uint32_t accumulates = warp.predicate(step.predicates[2]);
  if (accumulates != 0 && accumulates != allLanes)
    throw Fault(FaultKind::IllegalInstruction,
                "wgmma: lanes of a warp differ in scale-d");

  MatrixProduct product;
  product.pc = warp.currentPc();
  const std::vector<Ref> &refs = warp.kernel.refs;
  auto numbersOf = [&](const Step::Vector &vector) {
    std::vector<uint32_t> numbers;
    for (uint32_t i = 0; i < vector.count; ++i)
      numbers.push_back(warp.numberOf(refs[vector.first + i]));
    return numbers;
  };
  product.accumulators = numbersOf(step.vectors[0]);
  if (isFromRegisters)
    product.registersOfA = numbersOf(step.vectors[1]);
  unsigned first = warp.index % warpsOfGroup * rowsOfWarp;
  SharedMatrix a = {typeA, 0, k, false, {}};
  if (!isFromRegisters)
    a = findMatrix(warp, uniform(warp, step.operands[1]), typeA, first,
                   rowsOfWarp, transposesA);
  SharedMatrix b = findMatrix(warp, uniform(warp, step.operands[2]), typeB, 0,
                              n, transposesB);
  product.pieces = a.pieces;
  product.pieces.insert(product.pieces.end(), b.pieces.begin(), b.pieces.end());

  std::vector<uint32_t> rowsA = product.registersOfA,
                        rowsD = product.accumulators;
  product.compute = [=, &warp, a = std::move(a), b = std::move(b)] {
    double left[rowsOfWarp][bytesOfK];
    if (isFromRegisters) {
      unsigned perRegister = std::max(32 / bitsOf(typeA), 1u);
      for (unsigned lane = 0; lane < warpSize; ++lane)
        for (unsigned number = 0; number < rowsA.size(); ++number)
          for (unsigned i = 0; i < perRegister; ++i) {
            Element at = elementOfA(16, perRegister, lane, number, i);
            uint32_t word = warp.rowsAt(rowsA[number])[0][lane];
            left[at.row][at.column] =
                signA * decoded(typeA, word >> i * bitsOf(typeA) % 32);
          }
    } else {
      for (unsigned row = 0; row < rowsOfWarp; ++row)
        for (unsigned i = 0; i < k; ++i)
          left[row][i] = signA * a.at(row, i);
    }
    std::vector<double> right(n * k);
    for (unsigned column = 0; column < n; ++column)
      for (unsigned i = 0; i < k; ++i)
        right[column * k + i] = signB * b.at(column, i);
    auto rowsOf = [&](unsigned number) { return warp.rowsAt(rowsD[number]); };
    // Products are exact, the sum is of doubles and rounded once.
    for (unsigned lane = 0; lane < warpSize; ++lane)
      for (unsigned i = 0; i < n / 2; ++i) {
        Element at = elementOfC(16, lane, i);
        double sum = 0;
        for (unsigned j = 0; j < k; ++j)
          sum += left[at.row][j] * right[at.column * k + j];
        if (accumulates)
          sum += readElement(typeD, rowsOf, lane, i);
        writeElement(typeD, rowsOf, lane, i, sum);
      }
  };
  warp.matrices().add(std::move(product),
                      warp.block.cluster.operations.movesNow());
  warp.advance();
}

/// Setting of wait: groups that may be pending are numbers[0].
template <auto apply> static void whenAllAreHere(Warp &warp, const Step &step) {
  if (!allAreHere(warp))
    return;
  apply(warp, step);
  warp.advance();
}

Selection select_wgmma(const Modifiers &m) {
  if (m.has("fence"))
    return Selection{&whenAllAreHere<[](Warp &warp, const Step &) {
                       warp.matrices().fence();
                     }>,
                     {Type::b32}}
        .control();
  if (m.has("commit_group"))
    return Selection{&whenAllAreHere<[](Warp &warp, const Step &) {
                       warp.matrices().commit();
                     }>,
                     {Type::b32}}
        .control();
  if (m.has("wait_group"))
    return Selection{&whenAllAreHere<[](Warp &warp, const Step &step) {
                       warp.matrices().wait(step.numbers[0]);
                     }>,
                     {Type::b32}}
        .control();
  std::vector<Type> types = m.types(); // of D, A, B
  MatrixShape shape = shapeOf(m);
  ElementType a = elementType(types[1]), b = elementType(types[2]);
  bool isOfBytes = a == ElementType::S8 || a == ElementType::U8;
  // Of whole numbers n goes by 16 from 32 on.
  bool isKnown = shape.m == 64 && shape.n >= 8 && shape.n <= 256 &&
                 shape.n % (isOfBytes && shape.n > 32 ? 16 : 8) == 0 &&
                 shape.k == bytesOfK * 8 / bitsOf(a);
  if (!isKnown)
    return {};
  bool isOf16Bits = bitsOf(a) == 16;
  unsigned registers = shape.n / (types[0] == Type::f16 ? 4 : 2);
  return Selection{&multiply, {Type::b32, Type::b64, Type::b64}}
      .withVectorsOf(Type::b32)
      .withCounts({registers, anyCount, 1})
      .withSetting(
          packed(shape.n, a, b, accumulator(types[0], m.has("satfinite"))) |
          (isOfBytes ? 0 : hasScales) | (isOf16Bits ? canTranspose : 0))
      .control();
}

} // namespace ptx
