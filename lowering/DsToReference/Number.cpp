//===- Number.cpp - operators of scalars ----------------------------------===//
//
// See Emitter.h.
//
//===----------------------------------------------------------------------===//
#include "lowering/DsToReference/Emitter.h"

namespace mlir::ds::reference {

using I = arith::CmpIPredicate;
using F = arith::CmpFPredicate;

/// The same arithmetic operation on floats and on integers.
template <typename Real, typename Integer> static Num binary(Num a, Num b) {
  OpBuilder &build = a.at->b;
  Location loc = a.at->loc;
  Value result = a.isReal()
                     ? Value(Real::create(build, loc, a.value, b.value))
                     : Value(Integer::create(build, loc, a.value, b.value));
  return {a.at, result, a.isUnsigned};
}

static Num compare(Num a, Num b, F real, I isSigned, I isUnsigned) {
  OpBuilder &build = a.at->b;
  Location loc = a.at->loc;
  Value result = a.isReal()
                     ? Value(arith::CmpFOp::create(build, loc, real, a, b))
                     : Value(arith::CmpIOp::create(
                           build, loc, a.isUnsigned ? isUnsigned : isSigned,
                           a.value, b.value));
  return {a.at, result, true};
}

Num Num::like(double x) const {
  return at->number(value.getType(), x, isUnsigned);
}

Num operator+(Num a, Num b) {
  return binary<arith::AddFOp, arith::AddIOp>(a, b);
}
Num operator-(Num a, Num b) {
  return binary<arith::SubFOp, arith::SubIOp>(a, b);
}
Num operator*(Num a, Num b) {
  return binary<arith::MulFOp, arith::MulIOp>(a, b);
}

Num operator-(Num a) {
  return a.isReal()
             ? Num{a.at, arith::NegFOp::create(a.at->b, a.at->loc, a.value)}
             : a.like(0) - a;
}

Num operator/(Num a, Num b) {
  if (a.isReal())
    return binary<arith::DivFOp, arith::DivSIOp>(a, b);
  // Neither 0 nor the one overflow, lowest / -1, may reach the processor.
  Num isZero = b == 0;
  if (a.isUnsigned) {
    Num safe = select(isZero, b.like(1), b);
    return select(isZero, a.like(0),
                  binary<arith::DivFOp, arith::DivUIOp>(a, safe));
  }
  Num isMinusOne = b == -1;
  Num safe = select(isZero | isMinusOne, b.like(1), b);
  Num quotient = binary<arith::DivFOp, arith::DivSIOp>(a, safe);
  return select(isZero, a.like(0), select(isMinusOne, -a, quotient));
}

Num operator%(Num a, Num b) {
  if (a.isReal())
    return binary<arith::RemFOp, arith::RemSIOp>(a, b);
  return select(b == 0, a.like(0), a - a / b * b);
}

Num operator<(Num a, Num b) { return compare(a, b, F::OLT, I::slt, I::ult); }
Num operator<=(Num a, Num b) { return compare(a, b, F::OLE, I::sle, I::ule); }
Num operator==(Num a, Num b) { return compare(a, b, F::OEQ, I::eq, I::eq); }
Num operator!=(Num a, Num b) { return compare(a, b, F::UNE, I::ne, I::ne); }

Num operator&(Num a, Num b) {
  return {a.at, arith::AndIOp::create(a.at->b, a.at->loc, a.value, b.value),
          a.isUnsigned};
}
Num operator|(Num a, Num b) {
  return {a.at, arith::OrIOp::create(a.at->b, a.at->loc, a.value, b.value),
          a.isUnsigned};
}
Num operator^(Num a, Num b) {
  return {a.at, arith::XOrIOp::create(a.at->b, a.at->loc, a.value, b.value),
          a.isUnsigned};
}
Num operator~(Num a) { return a ^ a.like(-1); }

Num select(Num condition, Num yes, Num no) {
  return {yes.at,
          arith::SelectOp::create(yes.at->b, yes.at->loc, condition.value,
                                  yes.value, no.value),
          yes.isUnsigned};
}

Num maximum(Num a, Num b) {
  if (a.isReal())
    return binary<arith::MaximumFOp, arith::MaxSIOp>(a, b);
  return select(a < b, b, a);
}
Num minimum(Num a, Num b) {
  if (a.isReal())
    return binary<arith::MinimumFOp, arith::MinSIOp>(a, b);
  return select(b < a, b, a);
}

Num exp(Num x) {
  return {x.at, math::ExpOp::create(x.at->b, x.at->loc, x.value)};
}
Num log(Num x) {
  return {x.at, math::LogOp::create(x.at->b, x.at->loc, x.value)};
}
Num sqrt(Num x) {
  return {x.at, math::SqrtOp::create(x.at->b, x.at->loc, x.value)};
}

/// float → integer: truncated; what 64 bits cannot hold goes to the nearest
/// end (NaN to the lowest), and narrow types keep the low bits of that.
static Num realToInteger(Num x, Type to, bool toUnsigned) {
  Emitter &e = *x.at;
  unsigned width = to.getIntOrFloatBitWidth();
  bool wideUnsigned = toUnsigned && width == 64;
  double low = wideUnsigned ? 0 : -std::ldexp(1.0, 63);
  double end = std::ldexp(1.0, wideUnsigned ? 64 : 63);
  Type i64 = e.b.getI64Type();
  auto bits = [&](uint64_t value) {
    return Num{&e,
               arith::ConstantOp::create(
                   e.b, e.loc, e.b.getIntegerAttr(i64, int64_t(value))),
               wideUnsigned};
  };
  Num isInside = (x >= low) & (x < end);
  Num safe = select(isInside, x, e.real(0));
  Num inside{&e,
             wideUnsigned
                 ? Value(arith::FPToUIOp::create(e.b, e.loc, i64, safe.value))
                 : Value(arith::FPToSIOp::create(e.b, e.loc, i64, safe.value)),
             wideUnsigned};
  Num lowest = bits(wideUnsigned ? 0 : uint64_t(1) << 63),
      highest = bits(wideUnsigned ? ~uint64_t(0) : ~uint64_t(0) >> 1);
  Num wide = select(isInside, inside, select(x >= end, highest, lowest));
  if (width < 64)
    wide.value = arith::TruncIOp::create(e.b, e.loc, to, wide.value);
  wide.isUnsigned = toUnsigned;
  return wide;
}

Num convert(Num x, Type to, bool toUnsigned) {
  Emitter &e = *x.at;
  if (to.isInteger(1))
    return x.value.getType() == to ? x : x != 0;
  if (x.isReal())
    return isa<FloatType>(to) ? x : realToInteger(x, to, toUnsigned);
  if (isa<FloatType>(to))
    return e.toReal(x);
  unsigned from = x.value.getType().getIntOrFloatBitWidth(),
           width = to.getIntOrFloatBitWidth();
  Value result = x.value;
  if (width < from)
    result = arith::TruncIOp::create(e.b, e.loc, to, x.value);
  else if (width > from)
    result = x.isUnsigned
                 ? Value(arith::ExtUIOp::create(e.b, e.loc, to, x.value))
                 : Value(arith::ExtSIOp::create(e.b, e.loc, to, x.value));
  return {&e, result, toUnsigned};
}

} // namespace mlir::ds::reference
