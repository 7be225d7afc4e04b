//===- Float8.cpp - 8-bit floats by the definition of their formats -------===//
//
// LLVM has no arithmetic on them: they are bytes, taken apart and put together
// with integers and exact operations of f64.
//
//===----------------------------------------------------------------------===//
#include "lowering/DsToReference/Emitter.h"

namespace mlir::ds::reference {

namespace {
/// sign, exponent, `mantissa` bits; an exponent e counts as e − bias.
struct Format {
  int mantissa, bias;
  double largest;
  /// Whether the highest exponent is kept for infinity and NaN; else NaN is the
  /// one pattern of all ones.
  bool hasInfinity;
};
} // namespace

static Format formatOf(Type type) {
  return isa<Float8E5M2Type>(type) ? Format{2, 15, 57344, true}
                                   : Format{3, 7, 448, false};
}

bool isFloat8(Type type) { return isa<Float8E4M3FNType, Float8E5M2Type>(type); }

static Num bitsOf(Num x) {
  Emitter &e = *x.at;
  return {&e, arith::BitcastOp::create(e.b, e.loc, e.b.getI64Type(), x.value)};
}

/// 2^k of a whole k that f64 has as a normal number.
static Num powerOfTwo(Num k) {
  Emitter &e = *k.at;
  Num bits = (k + 1023) * std::ldexp(1.0, 52);
  return {&e,
          arith::BitcastOp::create(e.b, e.loc, e.b.getF64Type(), bits.value)};
}

static Num absolute(Num x) {
  return {x.at, math::AbsFOp::create(x.at->b, x.at->loc, x.value)};
}

/// The exponent that the format gives x ≥ 0: of subnormal numbers the lowest.
static Num exponentOf(Num x, const Format &format) {
  Num exponent = bitsOf(x) / std::ldexp(1.0, 52) - 1023;
  return maximum(exponent, exponent.like(1 - format.bias));
}

Num fromFloat8(Num x) {
  Emitter &e = *x.at;
  Format format = formatOf(x.value.getType());
  Value byte = arith::BitcastOp::create(e.b, e.loc, e.b.getI8Type(), x.value);
  Num bits{&e, arith::ExtUIOp::create(e.b, e.loc, e.b.getI64Type(), byte)};
  int64_t steps = 1 << format.mantissa;
  Num rest = bits % 128, exponent = rest / steps, mantissa = rest % steps;
  Num fraction = e.toReal(mantissa) / double(steps);
  Num normal = (fraction + 1) * powerOfTwo(exponent - format.bias),
      subnormal = fraction * std::ldexp(1.0, 1 - format.bias);
  Num value = select(exponent == 0, subnormal, normal);
  Num nan = e.real(std::numeric_limits<double>::quiet_NaN()),
      infinity = e.real(std::numeric_limits<double>::infinity());
  if (format.hasInfinity)
    value = select(exponent == 31, select(mantissa == 0, infinity, nan), value);
  else
    value = select(rest == 127, nan, value);
  return select(bits >= 128, -value, value);
}

Num roundToFloat8(Num x, Type to, bool saturate) {
  Emitter &e = *x.at;
  Format format = formatOf(to);
  Num size = absolute(x);
  Num step = powerOfTwo(exponentOf(size, format) - format.mantissa);
  Num steps = size / step;
  Num whole{&e, math::RoundEvenOp::create(e.b, e.loc, steps.value)};
  Num result = whole * step;
  double beyond = saturate ? format.largest
                  : format.hasInfinity
                      ? std::numeric_limits<double>::infinity()
                      : std::numeric_limits<double>::quiet_NaN();
  result = select(result > format.largest, e.real(beyond), result);
  return {&e, math::CopySignOp::create(e.b, e.loc, result.value, x.value)};
}

Value toFloat8(Num x, Type to) {
  Emitter &e = *x.at;
  Format format = formatOf(to);
  // A cast has saturated before. An infinity that is here was one in the format
  // and is only moved.
  Num rounded = roundToFloat8(x, to, /*saturate=*/false);
  Num isNaN = rounded != rounded,
      isInfinite = absolute(rounded) > format.largest,
      size = select(isNaN, e.real(0),
                    select(isInfinite, e.real(0), absolute(rounded)));
  Num exponent = exponentOf(size, format);
  Num count = size / powerOfTwo(exponent - format.mantissa);
  Num steps{&e,
            arith::FPToSIOp::create(e.b, e.loc, e.b.getI64Type(), count.value)};
  int64_t normal = 1 << format.mantissa;
  Num bits = select(steps < normal, steps,
                    (exponent + format.bias - 1) * normal + steps);
  // The highest exponent without a mantissa; of E4M3FN nothing is infinite.
  bits = select(isInfinite, bits.like(31 * normal), bits);
  bits = select(isNaN, bits.like(127), bits);
  bits = select(bitsOf(x) < 0, bits + 128, bits);
  Value byte = arith::TruncIOp::create(e.b, e.loc, e.b.getI8Type(), bits.value);
  return arith::BitcastOp::create(e.b, e.loc, to, byte);
}

} // namespace mlir::ds::reference
