//===- Float8Vectors.cpp - FP8 weights widened in registers ---------------===//
//
// See Float8Vectors.h.
//
//===----------------------------------------------------------------------===//
#include "lowering/LinalgToCPU/Float8Vectors.h"
#include "dialects/ds/IR/DsDialect.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include <cmath>

using namespace mlir;
using namespace mlir::ds;

/// Byte `byte` of the bf16 of every e4m3 number without a sign.
static SmallVector<int8_t> bytesOfBf16(unsigned byte) {
  SmallVector<int8_t> table;
  for (unsigned code = 0; code < 128; ++code) {
    APFloat number(APFloat::Float8E4M3FN(), APInt(8, code));
    bool losesInfo = false;
    number.convert(APFloat::BFloat(), APFloat::rmNearestTiesToEven, &losesInfo);
    uint64_t bits = number.bitcastToAPInt().getZExtValue();
    table.push_back(int8_t(bits >> (8 * byte)));
  }
  return table;
}

Value Float8Vectors::splat(VectorType type, int64_t value) {
  return arith::ConstantOp::create(
      b, loc,
      DenseElementsAttr::get(
          type, APInt(type.getElementTypeBitWidth(), uint64_t(value))));
}

std::pair<Value, Value> Float8Vectors::bf16(Value bytes) {
  auto type = VectorType::get({64}, b.getI8Type()),
       halves = VectorType::get({32}, b.getBF16Type());
  auto lookup = [&](unsigned byte) -> Value {
    SmallVector<int8_t> table = bytesOfBf16(byte);
    auto part = [&](size_t first) -> Value {
      return arith::ConstantOp::create(
          b, loc,
          DenseElementsAttr::get(type, ArrayRef(table).slice(first, 64)));
    };
    Value low = part(0), high = part(64);
    return LookupBytesOp::create(b, loc, type, low, bytes, high);
  };
  Value sign = arith::AndIOp::create(b, loc, bytes, splat(type, 0x80));
  Value low = lookup(0), high = lookup(1);
  high = arith::OrIOp::create(b, loc, high, sign);
  auto join = [&](int64_t first) -> Value {
    SmallVector<int64_t> mask;
    for (int64_t lane = 0; lane < 64; lane += 16)
      for (int64_t i = lane + first; i < lane + first + 8; ++i)
        mask.append({i, 64 + i});
    Value joined = vector::ShuffleOp::create(b, loc, low, high, mask);
    return vector::BitCastOp::create(b, loc, halves, joined);
  };
  Value first = join(0), second = join(8);
  return {first, second};
}

Value Float8Vectors::f32(Value words, int64_t s) {
  auto type = cast<VectorType>(words.getType());
  auto floats = type.clone(b.getF32Type());
  // The byte in the uppermost eight bits; then sign, exponent and mantissa
  // where f32 has them. Copies of the sign stand between and are cleared.
  Value bits = arith::ShLIOp::create(b, loc, words, splat(type, 24 - 8 * s));
  bits = arith::ShRSIOp::create(b, loc, bits, splat(type, 4));
  bits = arith::AndIOp::create(b, loc, bits, splat(type, 0x87f00000));
  // Read as f32, subnormals too, it is too small by the difference of biases.
  Value factor = arith::ConstantOp::create(
      b, loc, DenseElementsAttr::get(floats, float(std::ldexp(1.0, 127 - 7))));
  Value value = arith::MulFOp::create(
      b, loc, vector::BitCastOp::create(b, loc, floats, bits), factor);
  // All ones are no number.
  Value magnitude = splat(type, 0x07f00000);
  Value isNan = arith::CmpIOp::create(
      b, loc, arith::CmpIPredicate::eq,
      arith::AndIOp::create(b, loc, bits, magnitude), magnitude);
  Value nan = arith::ConstantOp::create(
      b, loc,
      DenseElementsAttr::get(floats, std::numeric_limits<float>::quiet_NaN()));
  return arith::SelectOp::create(b, loc, isNan, nan, value);
}
