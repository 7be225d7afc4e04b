//===- MatrixElements.cpp - elements of matrices in registers -------------===//
#include "tools/ptx-emulator/exec/ops/MatrixElements.h"
#include "tools/ptx-emulator/num/Single.h"

#include <algorithm>
#include <charconv>

namespace ptx {

using namespace formats;

ElementType elementType(Type type) {
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

unsigned bitsOf(ElementType type) {
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

double decoded(ElementType type, uint32_t bits) {
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

double readOperand(ElementType type, const Row *rows, unsigned lane,
                   unsigned i) {
  if (type == ElementType::F64)
    return get<double>(rows, lane);
  return decoded(type, rows[0][lane] >> i * bitsOf(type) % 32);
}

double dotProduct(Accumulator d, const double *a, const double *b, unsigned k,
                  double c) {
  if (d == Accumulator::F64) {
    for (unsigned i = 0; i < k; ++i)
      c = std::fma(a[i], b[i], c);
    return c;
  }
  double sum = 0;
  for (unsigned i = 0; i < k; ++i)
    sum += a[i] * b[i];
  return sum + c;
}

Accumulator accumulator(Type type, bool saturates) {
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

double readAccumulator(Accumulator type, const Row *rows, unsigned lane,
                       unsigned half) {
  switch (type) {
  case Accumulator::F16:
    return widen(f16, rows[0][lane] >> 16 * half & 0xffff);
  case Accumulator::F32:
    return get<float>(rows, lane);
  case Accumulator::F64:
    return get<double>(rows, lane);
  default:
    return get<int32_t>(rows, lane);
  }
}

void writeAccumulator(Accumulator type, Row *rows, unsigned lane, unsigned half,
                      double value) {
  switch (type) {
  case Accumulator::F16: {
    uint32_t bits = uint32_t(narrow(f16, value, Rounding::Nearest));
    unsigned shift = 16 * half;
    rows[0][lane] = (rows[0][lane] & ~(0xffffu << shift)) | bits << shift;
    break;
  }
  case Accumulator::F32:
    put(rows, lane, canonical(float(value)));
    break;
  case Accumulator::F64:
    put(rows, lane, value);
    break;
  case Accumulator::S32:
    // A sum of whole numbers wraps; doubles hold it exactly.
    put(rows, lane, uint32_t(int64_t(value)));
    break;
  case Accumulator::SaturatedS32:
    put(rows, lane,
        int32_t(std::clamp(value, double(INT32_MIN), double(INT32_MAX))));
    break;
  }
}

MatrixShape shapeOf(const Modifiers &modifiers) {
  MatrixShape shape;
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

bool allAreHere(Warp &warp) {
  if (!warp.gather())
    return false;
  if (warp.active != allLanes)
    throw Fault(FaultKind::LaunchFailure,
                "lanes of the warp have exited, whose registers are part of "
                "the matrix",
                std::countr_zero(~warp.active));
  return true;
}

} // namespace ptx
