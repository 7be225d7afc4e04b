//===- ScalarOps.cpp - one element of elementwise ops, casts, sums --------===//
#include "lowering/DsToLinalg/Helpers.h"

using namespace mlir;
using namespace mlir::ds;
using EK = ElementwiseKind;

Type mlir::ds::accumulatorType(Type element) {
  if (isa<FloatType>(element) && element.getIntOrFloatBitWidth() < 32)
    return Float32Type::get(element.getContext());
  return element;
}

/// A narrow float in its accumulator's type.
static Value widen(OpBuilder &b, Location loc, Value value) {
  Type type = value.getType(), wide = accumulatorType(type);
  if (isFloat8(type))
    return extendFloat8(b, loc, value);
  return wide == type ? value
                      : Value(arith::ExtFOp::create(b, loc, wide, value));
}

static Value compareFloat(OpBuilder &b, Location loc, arith::CmpFPredicate p,
                          Value x, Value y) {
  return arith::CmpFOp::create(b, loc, p, x, y);
}

static Value floatOp(OpBuilder &b, Location loc, EK kind, ValueRange args) {
  Type type = args[0].getType();
  auto constant = [&](double value) { return number(b, loc, type, value); };
  switch (kind) {
  case EK::Neg:
    return arith::NegFOp::create(b, loc, args[0]);
  case EK::Abs:
    return math::AbsFOp::create(b, loc, args[0]);
  case EK::Sign: {
    // NaN stays NaN: neither comparison holds and x is returned.
    Value zero = constant(0);
    Value positive =
        compareFloat(b, loc, arith::CmpFPredicate::OGT, args[0], zero);
    Value negative =
        compareFloat(b, loc, arith::CmpFPredicate::OLT, args[0], zero);
    Value below =
        arith::SelectOp::create(b, loc, negative, constant(-1), args[0]);
    return arith::SelectOp::create(b, loc, positive, constant(1), below);
  }
  case EK::Exp:
    return math::ExpOp::create(b, loc, args[0]);
  case EK::Log:
    return math::LogOp::create(b, loc, args[0]);
  case EK::Sqrt:
    return math::SqrtOp::create(b, loc, args[0]);
  case EK::Reciprocal:
    return arith::DivFOp::create(b, loc, constant(1), args[0]);
  case EK::Sin:
    return math::SinOp::create(b, loc, args[0]);
  case EK::Cos:
    return math::CosOp::create(b, loc, args[0]);
  case EK::Tan:
    return math::TanOp::create(b, loc, args[0]);
  case EK::Asin:
    return math::AsinOp::create(b, loc, args[0]);
  case EK::Acos:
    return math::AcosOp::create(b, loc, args[0]);
  case EK::Atan:
    return math::AtanOp::create(b, loc, args[0]);
  case EK::Sinh:
    return math::SinhOp::create(b, loc, args[0]);
  case EK::Cosh:
    return math::CoshOp::create(b, loc, args[0]);
  case EK::Tanh:
    return math::TanhOp::create(b, loc, args[0]);
  case EK::Asinh:
    return math::AsinhOp::create(b, loc, args[0]);
  case EK::Acosh:
    return math::AcoshOp::create(b, loc, args[0]);
  case EK::Atanh:
    return math::AtanhOp::create(b, loc, args[0]);
  case EK::Erf:
    return math::ErfOp::create(b, loc, args[0]);
  case EK::Floor:
    return math::FloorOp::create(b, loc, args[0]);
  case EK::Ceil:
    return math::CeilOp::create(b, loc, args[0]);
  case EK::RoundEven:
    return math::RoundEvenOp::create(b, loc, args[0]);
  case EK::Sigmoid: {
    Value small =
        math::ExpOp::create(b, loc, arith::NegFOp::create(b, loc, args[0]));
    Value one = constant(1);
    return arith::DivFOp::create(b, loc, one,
                                 arith::AddFOp::create(b, loc, one, small));
  }
  case EK::IsNaN:
    return compareFloat(b, loc, arith::CmpFPredicate::UNO, args[0], args[0]);
  case EK::IsPosInf:
  case EK::IsNegInf: {
    double infinity = std::numeric_limits<double>::infinity();
    return compareFloat(b, loc, arith::CmpFPredicate::OEQ, args[0],
                        constant(kind == EK::IsPosInf ? infinity : -infinity));
  }
  case EK::Add:
    return arith::AddFOp::create(b, loc, args[0], args[1]);
  case EK::Sub:
    return arith::SubFOp::create(b, loc, args[0], args[1]);
  case EK::Mul:
    return arith::MulFOp::create(b, loc, args[0], args[1]);
  case EK::Div:
    return arith::DivFOp::create(b, loc, args[0], args[1]);
  case EK::TruncMod:
    return arith::RemFOp::create(b, loc, args[0], args[1]);
  case EK::FloorMod: {
    Value rest = arith::RemFOp::create(b, loc, args[0], args[1]);
    Value zero = constant(0);
    Value isRest = compareFloat(b, loc, arith::CmpFPredicate::UNE, rest, zero);
    Value restSign =
        compareFloat(b, loc, arith::CmpFPredicate::OLT, rest, zero);
    Value bySign =
        compareFloat(b, loc, arith::CmpFPredicate::OLT, args[1], zero);
    Value differ = arith::XOrIOp::create(b, loc, restSign, bySign);
    Value fix = arith::AndIOp::create(b, loc, isRest, differ);
    return arith::SelectOp::create(
        b, loc, fix, arith::AddFOp::create(b, loc, rest, args[1]), rest);
  }
  case EK::Pow:
    return math::PowFOp::create(b, loc, args[0], args[1]);
  case EK::Max:
    return arith::MaximumFOp::create(b, loc, args[0], args[1]);
  case EK::Min:
    return arith::MinimumFOp::create(b, loc, args[0], args[1]);
  case EK::Eq:
    return compareFloat(b, loc, arith::CmpFPredicate::OEQ, args[0], args[1]);
  case EK::Lt:
    return compareFloat(b, loc, arith::CmpFPredicate::OLT, args[0], args[1]);
  case EK::Le:
    return compareFloat(b, loc, arith::CmpFPredicate::OLE, args[0], args[1]);
  case EK::Gt:
    return compareFloat(b, loc, arith::CmpFPredicate::OGT, args[0], args[1]);
  case EK::Ge:
    return compareFloat(b, loc, arith::CmpFPredicate::OGE, args[0], args[1]);
  default:
    return nullptr;
  }
}

static Value integerOp(OpBuilder &b, Location loc, EK kind, ValueRange args,
                       bool isUnsigned) {
  Type type = args[0].getType();
  auto constant = [&](double value) { return number(b, loc, type, value); };
  auto compare = [&](arith::CmpIPredicate s, arith::CmpIPredicate u) -> Value {
    return arith::CmpIOp::create(b, loc, isUnsigned ? u : s, args[0], args[1]);
  };
  using P = arith::CmpIPredicate;
  auto divisorIs = [&](double value) -> Value {
    return arith::CmpIOp::create(b, loc, P::eq, args[1], constant(value));
  };
  // Division by zero has no value in ONNX, but must not trap; nor must the
  // lowest number by -1. Both divide by one.
  auto divisor = [&]() -> Value {
    Value unsafe = divisorIs(0);
    if (!isUnsigned)
      unsafe = arith::OrIOp::create(b, loc, unsafe, divisorIs(-1));
    return arith::SelectOp::create(b, loc, unsafe, constant(1), args[1]);
  };
  switch (kind) {
  case EK::Neg:
    return arith::SubIOp::create(b, loc, constant(0), args[0]);
  case EK::Abs:
    return isUnsigned ? args[0] : Value(math::AbsIOp::create(b, loc, args[0]));
  case EK::Sign: {
    Value zero = constant(0);
    Value isZero = arith::CmpIOp::create(b, loc, P::eq, args[0], zero);
    Value negative = arith::CmpIOp::create(b, loc, P::slt, args[0], zero);
    Value sign = isUnsigned ? constant(1)
                            : Value(arith::SelectOp::create(
                                  b, loc, negative, constant(-1), constant(1)));
    return arith::SelectOp::create(b, loc, isZero, zero, sign);
  }
  case EK::Not:
    return arith::XOrIOp::create(b, loc, args[0], constant(-1));
  case EK::Add:
    return arith::AddIOp::create(b, loc, args[0], args[1]);
  case EK::Sub:
    return arith::SubIOp::create(b, loc, args[0], args[1]);
  case EK::Mul:
    return arith::MulIOp::create(b, loc, args[0], args[1]);
  case EK::Div: {
    if (isUnsigned)
      return arith::DivUIOp::create(b, loc, args[0], divisor());
    Value quotient = arith::DivSIOp::create(b, loc, args[0], divisor());
    Value negated = arith::SubIOp::create(b, loc, constant(0), args[0]);
    return arith::SelectOp::create(b, loc, divisorIs(-1), negated, quotient);
  }
  case EK::TruncMod:
    return isUnsigned
               ? Value(arith::RemUIOp::create(b, loc, args[0], divisor()))
               : Value(arith::RemSIOp::create(b, loc, args[0], divisor()));
  case EK::FloorMod: {
    if (isUnsigned)
      return arith::RemUIOp::create(b, loc, args[0], divisor());
    Value by = divisor(), zero = constant(0);
    Value rest = arith::RemSIOp::create(b, loc, args[0], by);
    Value isRest = arith::CmpIOp::create(b, loc, P::ne, rest, zero);
    Value restSign = arith::CmpIOp::create(b, loc, P::slt, rest, zero);
    Value bySign = arith::CmpIOp::create(b, loc, P::slt, by, zero);
    Value fix = arith::AndIOp::create(
        b, loc, isRest, arith::XOrIOp::create(b, loc, restSign, bySign));
    return arith::SelectOp::create(
        b, loc, fix, arith::AddIOp::create(b, loc, rest, by), rest);
  }
  case EK::Pow: {
    // In f64: exact for results below 2^53.
    Type f64 = b.getF64Type();
    auto wide = [&](Value v) -> Value {
      return isUnsigned ? Value(arith::UIToFPOp::create(b, loc, f64, v))
                        : Value(arith::SIToFPOp::create(b, loc, f64, v));
    };
    Value power = math::PowFOp::create(b, loc, wide(args[0]), wide(args[1]));
    return isUnsigned ? Value(arith::FPToUIOp::create(b, loc, type, power))
                      : Value(arith::FPToSIOp::create(b, loc, type, power));
  }
  case EK::Max:
    return isUnsigned ? Value(arith::MaxUIOp::create(b, loc, args[0], args[1]))
                      : Value(arith::MaxSIOp::create(b, loc, args[0], args[1]));
  case EK::Min:
    return isUnsigned ? Value(arith::MinUIOp::create(b, loc, args[0], args[1]))
                      : Value(arith::MinSIOp::create(b, loc, args[0], args[1]));
  case EK::And:
    return arith::AndIOp::create(b, loc, args[0], args[1]);
  case EK::Or:
    return arith::OrIOp::create(b, loc, args[0], args[1]);
  case EK::Xor:
    return arith::XOrIOp::create(b, loc, args[0], args[1]);
  case EK::Shl:
  case EK::Shr: {
    // A shift by the width or more, or to the other side, leaves the sign.
    unsigned bits = type.getIntOrFloatBitWidth();
    Value last = constant(bits - 1);
    Value far = arith::CmpIOp::create(b, loc, P::ugt, args[1], last);
    Value by = arith::SelectOp::create(b, loc, far, last, args[1]);
    if (kind == EK::Shr && !isUnsigned)
      return arith::ShRSIOp::create(b, loc, args[0], by);
    Value shifted = kind == EK::Shl
                        ? Value(arith::ShLIOp::create(b, loc, args[0], by))
                        : Value(arith::ShRUIOp::create(b, loc, args[0], by));
    return arith::SelectOp::create(b, loc, far, constant(0), shifted);
  }
  case EK::Eq:
    return compare(P::eq, P::eq);
  case EK::Lt:
    return compare(P::slt, P::ult);
  case EK::Le:
    return compare(P::sle, P::ule);
  case EK::Gt:
    return compare(P::sgt, P::ugt);
  case EK::Ge:
    return compare(P::sge, P::uge);
  case EK::IsNaN:
  case EK::IsPosInf:
  case EK::IsNegInf:
    return number(b, loc, b.getI1Type(), 0);
  default:
    return nullptr;
  }
}

Value mlir::ds::scalarElementwise(OpBuilder &b, Location loc, EK kind,
                                  ValueRange args, bool isUnsigned) {
  if (kind == EK::Select)
    return arith::SelectOp::create(b, loc, args[0], args[1], args[2]);
  Type type = args[0].getType();
  if (!isa<FloatType>(type))
    return integerOp(b, loc, kind, args, isUnsigned);
  Type wide = accumulatorType(type);
  if (wide == type)
    return floatOp(b, loc, kind, args);
  SmallVector<Value> widened;
  for (Value arg : args)
    widened.push_back(widen(b, loc, arg));
  Value result = floatOp(b, loc, kind, widened);
  if (result && result.getType() == wide)
    result = scalarCast(b, loc, result, wide, type);
  return result;
}

/// float → integer, saturating: the conversion of a value outside the range is
/// undefined otherwise.
static Value floatToInteger(OpBuilder &b, Location loc, Value value, Type to,
                            bool isUnsigned) {
  unsigned width = to.getIntOrFloatBitWidth();
  Type from = value.getType();
  double top = std::ldexp(1.0, isUnsigned ? width : width - 1);
  double bottom = isUnsigned ? 0 : -top;
  Value high = number(b, loc, from, top), low = number(b, loc, from, bottom);
  APInt most =
      isUnsigned ? APInt::getMaxValue(width) : APInt::getSignedMaxValue(width);
  APInt least = isUnsigned ? APInt(width, 0) : APInt::getSignedMinValue(width);
  Value mostValue =
      arith::ConstantOp::create(b, loc, b.getIntegerAttr(to, most));
  Value leastValue =
      arith::ConstantOp::create(b, loc, b.getIntegerAttr(to, least));
  // Narrow types wrap as a conversion through i64 would (ONNX leaves it open,
  // its reference wraps); only what i64 cannot hold is clamped.
  if (width < 64) {
    Type i64 = b.getI64Type();
    Value wide = floatToInteger(b, loc, value, i64, false);
    return arith::TruncIOp::create(b, loc, to, wide);
  }
  Value tooHigh = compareFloat(b, loc, arith::CmpFPredicate::OGE, value, high);
  Value tooLow = compareFloat(b, loc, arith::CmpFPredicate::ULT, value, low);
  Value outside = arith::OrIOp::create(b, loc, tooHigh, tooLow);
  Value safe =
      arith::SelectOp::create(b, loc, outside, number(b, loc, from, 0), value);
  Value inside = isUnsigned ? Value(arith::FPToUIOp::create(b, loc, to, safe))
                            : Value(arith::FPToSIOp::create(b, loc, to, safe));
  Value upper = arith::SelectOp::create(b, loc, tooHigh, mostValue, inside);
  return arith::SelectOp::create(b, loc, tooLow, leastValue, upper);
}

Value mlir::ds::scalarCast(OpBuilder &b, Location loc, Value value, Type from,
                           Type to, bool saturate) {
  Type target = signless(to);
  bool fromUnsigned = from.isUnsignedInteger() || from.isInteger(1);
  if (isa<FloatType>(from)) {
    if (to.isInteger(1))
      return compareFloat(b, loc, arith::CmpFPredicate::UNE,
                          widen(b, loc, value),
                          number(b, loc, accumulatorType(from), 0));
    if (isa<FloatType>(to)) {
      if (from == to)
        return value;
      unsigned a = from.getIntOrFloatBitWidth(), z = to.getIntOrFloatBitWidth();
      // 8 bits, and f16 ↔ bf16, go through f32.
      if (z < 32 && (a <= z || isFloat8(to) || from.isF64()) && !from.isF32())
        return scalarCast(b, loc,
                          from.isF64() ? truncateDouble(b, loc, value)
                                       : widen(b, loc, value),
                          b.getF32Type(), to, saturate);
      if (isFloat8(from)) {
        Value single = extendFloat8(b, loc, value);
        return to.isF32() ? single
                          : Value(arith::ExtFOp::create(b, loc, to, single));
      }
      if (isFloat8(to))
        return truncateToFloat8(b, loc, value, to, saturate);
      if (z > a)
        return arith::ExtFOp::create(b, loc, to, value);
      return arith::TruncFOp::create(b, loc, to, value);
    }
    return floatToInteger(b, loc, widen(b, loc, value), target,
                          to.isUnsignedInteger());
  }
  if (auto toFloat = dyn_cast<FloatType>(to)) {
    // Narrow floats through f32: one rounding each way is what ONNX does too.
    Type wide = accumulatorType(toFloat);
    Value result = fromUnsigned
                       ? Value(arith::UIToFPOp::create(b, loc, wide, value))
                       : Value(arith::SIToFPOp::create(b, loc, wide, value));
    return wide == to ? result : scalarCast(b, loc, result, wide, to, saturate);
  }
  if (to.isInteger(1))
    return arith::CmpIOp::create(b, loc, arith::CmpIPredicate::ne, value,
                                 number(b, loc, value.getType(), 0));
  unsigned a = from.getIntOrFloatBitWidth(), z = to.getIntOrFloatBitWidth();
  if (z > a)
    return fromUnsigned ? Value(arith::ExtUIOp::create(b, loc, target, value))
                        : Value(arith::ExtSIOp::create(b, loc, target, value));
  if (z < a)
    return arith::TruncIOp::create(b, loc, target, value);
  return value;
}

Value mlir::ds::neutral(OpBuilder &b, Location loc, ReduceKind kind, Type type,
                        bool isUnsigned) {
  bool isFloat = isa<FloatType>(type);
  double infinity = std::numeric_limits<double>::infinity();
  switch (kind) {
  case ReduceKind::Sum:
    return number(b, loc, type, 0);
  case ReduceKind::Prod:
    return number(b, loc, type, 1);
  case ReduceKind::Max:
  case ReduceKind::Min: {
    bool isMax = kind == ReduceKind::Max;
    if (isFloat)
      return number(b, loc, type, isMax ? -infinity : infinity);
    unsigned width = type.getIntOrFloatBitWidth();
    APInt value = isMax ? (isUnsigned ? APInt::getMinValue(width)
                                      : APInt::getSignedMinValue(width))
                        : (isUnsigned ? APInt::getMaxValue(width)
                                      : APInt::getSignedMaxValue(width));
    return arith::ConstantOp::create(b, loc, b.getIntegerAttr(type, value));
  }
  }
  llvm_unreachable("all kinds are handled");
}

Value mlir::ds::combine(OpBuilder &b, Location loc, ReduceKind kind, Value a,
                        Value x, bool isUnsigned) {
  EK scalar = kind == ReduceKind::Sum    ? EK::Add
              : kind == ReduceKind::Prod ? EK::Mul
              : kind == ReduceKind::Max  ? EK::Max
                                         : EK::Min;
  return scalarElementwise(b, loc, scalar, {a, x}, isUnsigned);
}
