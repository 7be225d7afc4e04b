//===- NarrowFloats.cpp - conversions that no instruction does ------------===//
//
// float8 has no type in LLVM, and the conversions from f64 to 16 bits are calls
// of a library that the compiled model does not link. Both are bit arithmetic
// here; rounding is to nearest, ties to even.
//
//===----------------------------------------------------------------------===//
#include "lowering/DsToLinalg/Helpers.h"

using namespace mlir;
using namespace mlir::ds;
using P = arith::CmpIPredicate;

namespace {
/// Short names for arithmetic on i32 and on f32 bits.
struct Bits {
  OpBuilder &b;
  Location loc;

  Type i32() { return b.getI32Type(); }
  Value constant(int64_t value) {
    return arith::ConstantOp::create(
        b, loc, b.getIntegerAttr(i32(), int32_t(uint32_t(value))));
  }
  Value add(Value x, Value y) { return arith::AddIOp::create(b, loc, x, y); }
  Value sub(Value x, Value y) { return arith::SubIOp::create(b, loc, x, y); }
  Value andI(Value x, int64_t y) {
    return arith::AndIOp::create(b, loc, x, constant(y));
  }
  Value orI(Value x, Value y) { return arith::OrIOp::create(b, loc, x, y); }
  Value right(Value x, int64_t by) {
    return arith::ShRUIOp::create(b, loc, x, constant(by));
  }
  Value left(Value x, int64_t by) {
    return arith::ShLIOp::create(b, loc, x, constant(by));
  }
  Value select(Value c, Value x, Value y) {
    return arith::SelectOp::create(b, loc, c, x, y);
  }
  Value less(Value x, Value y) {
    return arith::CmpIOp::create(b, loc, P::ult, x, y);
  }
  Value of(Value f32) { return arith::BitcastOp::create(b, loc, i32(), f32); }
  Value asFloat(Value bits) {
    return arith::BitcastOp::create(b, loc, b.getF32Type(), bits);
  }
};

/// Exponent and mantissa of an 8-bit type.
struct Float8Format {
  unsigned mantissa;
  int bias;
  /// The largest finite code, what is beyond it, NaN.
  unsigned most, beyond, nan;
};
} // namespace

static Float8Format formatOf(Type type) {
  if (isa<Float8E5M2Type>(type))
    return {2, 15, 0x7b, 0x7c, 0x7e};
  return {3, 7, 0x7e, 0x7f, 0x7f};
}

bool mlir::ds::isFloat8(Type type) {
  return isa<Float8E4M3FNType, Float8E5M2Type>(type);
}

Value mlir::ds::extendFloat8(OpBuilder &b, Location loc, Value value) {
  Float8Format format = formatOf(value.getType());
  Bits bits{b, loc};
  Value code = arith::BitcastOp::create(b, loc, b.getI8Type(), value);
  code = arith::ExtUIOp::create(b, loc, b.getI32Type(), code);
  Value magnitude = bits.andI(code, 0x7f);
  // Read as f32 with the same exponent field, subnormals and all, it is too
  // small by a power of two.
  Value shifted = bits.asFloat(bits.left(magnitude, 23 - format.mantissa));
  Value scale =
      number(b, loc, b.getF32Type(), std::ldexp(1.0, 127 - format.bias));
  Value result = bits.of(arith::MulFOp::create(b, loc, shifted, scale));
  unsigned firstSpecial = format.most + 1;
  Value special = bits.less(bits.constant(firstSpecial - 1), magnitude);
  Value nan = bits.constant(0x7fc00000), infinity = bits.constant(0x7f800000);
  Value isNan = bits.less(bits.constant(format.beyond), magnitude);
  Value odd =
      format.beyond == format.nan ? nan : bits.select(isNan, nan, infinity);
  result = bits.select(special, odd, result);
  return bits.asFloat(bits.orI(result, bits.left(bits.andI(code, 0x80), 24)));
}

Value mlir::ds::truncateToFloat8(OpBuilder &b, Location loc, Value value,
                                 Type to, bool saturate) {
  Float8Format format = formatOf(to);
  Bits bits{b, loc};
  Value raw = bits.of(value);
  Value magnitude = bits.andI(raw, 0x7fffffff);
  unsigned dropped = 23 - format.mantissa;
  // Normal numbers: round away the low bits, then move the exponent's bias.
  Value lowest = bits.andI(bits.right(magnitude, dropped), 1);
  Value rounded = bits.add(
      magnitude, bits.add(lowest, bits.constant((1 << (dropped - 1)) - 1)));
  Value normal =
      bits.sub(bits.right(rounded, dropped),
               bits.constant(int64_t(127 - format.bias) << format.mantissa));
  // Subnormal ones: adding a power of two rounds them to its last place.
  Value magic = number(b, loc, b.getF32Type(),
                       std::ldexp(1.0, 1 - format.bias + int(dropped)));
  Value sum = arith::AddFOp::create(b, loc, bits.asFloat(magnitude), magic);
  Value subnormal = bits.sub(bits.of(sum), bits.of(magic));
  Value isNormal = bits.less(
      bits.constant((int64_t(128 - format.bias) << 23) - 1), magnitude);
  Value code = bits.select(isNormal, normal, subnormal);
  Value tooLarge = bits.less(bits.constant(format.most), code);
  code = bits.select(
      tooLarge, bits.constant(saturate ? format.most : format.beyond), code);
  Value isNan = bits.less(bits.constant(0x7f800000), magnitude);
  code = bits.select(isNan, bits.constant(format.nan), code);
  code = bits.orI(code, bits.andI(bits.right(raw, 24), 0x80));
  Value byte = arith::TruncIOp::create(b, loc, b.getI8Type(), code);
  return arith::BitcastOp::create(b, loc, to, byte);
}

Value mlir::ds::truncateDouble(OpBuilder &b, Location loc, Value value) {
  // Rounded to odd: an f32 that says whether anything was lost, so that the
  // next rounding sees what one rounding of the f64 would see.
  Bits bits{b, loc};
  Value nearest = arith::TruncFOp::create(b, loc, b.getF32Type(), value);
  Value back = arith::ExtFOp::create(b, loc, b.getF64Type(), nearest);
  Value raw = bits.of(nearest);
  auto size = [&](Value v) -> Value { return math::AbsFOp::create(b, loc, v); };
  Value above = arith::CmpFOp::create(b, loc, arith::CmpFPredicate::OGT,
                                      size(back), size(value));
  Value towardsZero = bits.select(above, bits.sub(raw, bits.constant(1)), raw);
  // Infinite and NaN stay what they are.
  Value inexact =
      arith::CmpFOp::create(b, loc, arith::CmpFPredicate::ONE, back, value);
  Value odd = bits.orI(towardsZero, bits.constant(1));
  Value isFinite = arith::CmpFOp::create(
      b, loc, arith::CmpFPredicate::OLT, size(back),
      number(b, loc, b.getF64Type(), std::numeric_limits<double>::infinity()));
  Value adjusted = bits.select(inexact, odd, raw);
  return bits.asFloat(bits.select(isFinite, adjusted, raw));
}
