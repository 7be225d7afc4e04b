//===- Elementwise.cpp - elementwise, cast, dequantize --------------------===//
//
// See Passes.td.
//
//===----------------------------------------------------------------------===//
#include "lowering/DsToReference/Emitter.h"

namespace mlir::ds::reference {

using EK = ElementwiseKind;

/// A function of libm.
template <typename Op> static Num function(Num x) {
  return {x.at, Op::create(x.at->b, x.at->loc, x.value)};
}

/// xⁿ modulo 2^n of the type; of a negative power what is left of 1/xⁿ.
static Num integerPower(Emitter &e, Num x, Num n) {
  Num one = x.like(1), zero = x.like(0);
  Num isOdd = n % 2 != 0;
  Num inverse = select(x == 1, one, zero);
  if (!x.isUnsigned)
    inverse = select(x == -1, select(isOdd, x, one), inverse);
  Num isNegative = n.isUnsigned ? e.boolean(false) : n < 0;
  // Powers of x repeat modulo 2^n, but exponents are small: count them.
  Num count = e.toIndex(select(isNegative, n.like(0), n));
  Num power = e.fold({count}, one, [&](Nums, Num acc) { return acc * x; });
  return select(isNegative, inverse, power);
}

Num elementwise(Emitter &e, ElementwiseKind kind, ArrayRef<Num> args) {
  Num x = args[0];
  auto y = [&] { return args[1]; };
  double infinity = std::numeric_limits<double>::infinity();
  switch (kind) {
  case EK::Neg:
    return -x;
  case EK::Abs:
    if (x.isReal())
      return function<math::AbsFOp>(x);
    return x.isUnsigned ? x : select(x < 0, -x, x);
  case EK::Sign: {
    // NaN stays NaN.
    Num sign = select(x > 0, x.like(1), x);
    return x.isUnsigned ? sign : select(x < 0, x.like(-1), sign);
  }
  case EK::Exp:
    return exp(x);
  case EK::Log:
    return log(x);
  case EK::Sqrt:
    return sqrt(x);
  case EK::Reciprocal:
    return x.like(1) / x;
  case EK::Sin:
    return function<math::SinOp>(x);
  case EK::Cos:
    return function<math::CosOp>(x);
  case EK::Tan:
    return function<math::TanOp>(x);
  case EK::Asin:
    return function<math::AsinOp>(x);
  case EK::Acos:
    return function<math::AcosOp>(x);
  case EK::Atan:
    return function<math::AtanOp>(x);
  case EK::Sinh:
    return function<math::SinhOp>(x);
  case EK::Cosh:
    return function<math::CoshOp>(x);
  case EK::Tanh:
    return function<math::TanhOp>(x);
  case EK::Asinh:
    return function<math::AsinhOp>(x);
  case EK::Acosh:
    return function<math::AcoshOp>(x);
  case EK::Atanh:
    return function<math::AtanhOp>(x);
  case EK::Erf:
    return function<math::ErfOp>(x);
  case EK::Floor:
    return function<math::FloorOp>(x);
  case EK::Ceil:
    return function<math::CeilOp>(x);
  case EK::RoundEven:
    return function<math::RoundEvenOp>(x);
  case EK::Sigmoid:
    return x.like(1) / (exp(-x) + 1);
  case EK::IsNaN:
    return x.isReal() ? x != x : e.boolean(false);
  case EK::IsPosInf:
    return x.isReal() ? x == infinity : e.boolean(false);
  case EK::IsNegInf:
    return x.isReal() ? x == -infinity : e.boolean(false);
  case EK::Not:
    return ~x;
  case EK::Add:
    return x + y();
  case EK::Sub:
    return x - y();
  case EK::Mul:
    return x * y();
  case EK::Div:
    return x / y();
  case EK::TruncMod:
    return x % y();
  case EK::FloorMod: {
    Num rest = x % y();
    if (x.isUnsigned)
      return rest;
    Num otherSign = (rest < 0) ^ (y() < 0);
    return select((rest != 0) & otherSign, rest + y(), rest);
  }
  case EK::Pow:
    if (x.isReal())
      return {&e, math::PowFOp::create(e.b, e.loc, x, y())};
    return integerPower(e, x, y());
  case EK::Max:
    return maximum(x, y());
  case EK::Min:
    return minimum(x, y());
  case EK::And:
    return x & y();
  case EK::Or:
    return x | y();
  case EK::Xor:
    return x ^ y();
  case EK::Shl:
  case EK::Shr: {
    // By the width or more, nothing is left but the sign that comes in.
    int64_t width = x.value.getType().getIntOrFloatBitWidth();
    Num by = y();
    by.isUnsigned = true;
    Num isFar = by >= width;
    if (kind == EK::Shr && !x.isUnsigned) {
      Num safe = select(isFar, by.like(width - 1), by);
      return {&e, arith::ShRSIOp::create(e.b, e.loc, x, safe)};
    }
    Num safe = select(isFar, by.like(0), by);
    Num shifted{&e,
                kind == EK::Shl
                    ? Value(arith::ShLIOp::create(e.b, e.loc, x, safe))
                    : Value(arith::ShRUIOp::create(e.b, e.loc, x, safe)),
                x.isUnsigned};
    return select(isFar, x.like(0), shifted);
  }
  case EK::Eq:
    return x == y();
  case EK::Lt:
    return x < y();
  case EK::Le:
    return x <= y();
  case EK::Gt:
    return x > y();
  case EK::Ge:
    return x >= y();
  case EK::Select:
    return select(x, args[1], args[2]);
  }
  llvm_unreachable("all kinds are handled");
}

Nums broadcastIndex(Emitter &e, RankedTensorType operand, ArrayRef<Num> at) {
  Nums result;
  int64_t missing = at.size() - operand.getRank();
  for (int64_t d = 0; d < operand.getRank(); ++d)
    result.push_back(operand.getDimSize(d) == 1 ? e.index(0) : at[d + missing]);
  return result;
}

static SmallVector<Value> lower(Emitter &e, ElementwiseOp op,
                                ElementwiseOp::Adaptor adaptor,
                                RankedTensorType type) {
  ValueRange operands = adaptor.getOperands();
  Nums sizes;
  for (int64_t d = 0; d < type.getRank(); ++d) {
    Num size = e.index(type.isDynamicDim(d) ? 1 : type.getDimSize(d));
    for (Value operand : operands) {
      int64_t own = d - (type.getRank() - tensorType(operand).getRank());
      if (type.isDynamicDim(d) && own >= 0 &&
          tensorType(operand).isDynamicDim(own))
        size = e.size(operand, own);
    }
    sizes.push_back(size);
  }
  return {e.generate(type, sizes, [&](Nums at) {
    Nums args;
    for (auto [before, operand] : llvm::zip_equal(op.getOperands(), operands))
      args.push_back(e.read(operand, broadcastIndex(e, tensorType(operand), at),
                            isUnsigned(before)));
    return elementwise(e, op.getKind(), args);
  })};
}

static SmallVector<Value> lower(Emitter &e, CastOp op, CastOp::Adaptor adaptor,
                                RankedTensorType type) {
  Value input = adaptor.getInput();
  Type to = elementOf(op.getResult());
  return {e.generate(type, e.sizes(input), [&](Nums at) {
    Num x = convert(e.read(input, at, isUnsigned(op.getInput())),
                    type.getElementType(), isUnsigned(op.getResult()));
    // A quantisation, which is what the model says, not a way to store floats.
    return isFloat8(to) && elementOf(op.getInput()) != to
               ? roundToFloat8(x, to, op.getSaturate())
               : x;
  })};
}

static SmallVector<Value> lower(Emitter &e, BitcastOp op,
                                BitcastOp::Adaptor adaptor,
                                RankedTensorType type) {
  Type from = elementOf(op.getInput()), to = elementOf(op.getResult());
  return {e.generate(type, e.sizes(adaptor.getInput()), [&](Nums at) -> Num {
    Value bits = e.read(adaptor.getInput(), at).value;
    unsigned width = from.getIntOrFloatBitWidth();
    // What memory holds is a value of the narrow type: cutting it is exact.
    if (isa<FloatType>(from)) {
      if (width < 64)
        bits = arith::TruncFOp::create(e.b, e.loc, e.b.getF32Type(), bits);
      if (width < 32)
        bits = arith::TruncFOp::create(e.b, e.loc, from, bits);
      bits =
          arith::BitcastOp::create(e.b, e.loc, e.b.getIntegerType(width), bits);
    }
    if (!isa<FloatType>(to))
      return {&e, bits, to.isUnsignedInteger()};
    return e.toReal({&e, arith::BitcastOp::create(e.b, e.loc, to, bits)});
  })};
}

/// Its result is no tensor, so it is no rule.
struct LowerRequire : OpConversionPattern<RequireOp> {
  LowerRequire(TypeConverter &types, MLIRContext *context, Known &known)
      : OpConversionPattern(types, context), known(known) {}
  LogicalResult
  matchAndRewrite(RequireOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    Emitter e(rewriter, op.getLoc(), known);
    Num holds{&e, adaptor.getCondition()}, size{&e, adaptor.getSize()};
    // An index outside its range is what is reported.
    e.checked(select(holds, e.index(0), e.index(1)), e.index(1));
    rewriter.replaceOp(op, select(holds, size, e.index(0)).value);
    return success();
  }
  Known &known;
};

static SmallVector<Value> lower(Emitter &e, DequantizeOp op,
                                DequantizeOp::Adaptor adaptor,
                                RankedTensorType type) {
  Value input = adaptor.getInput(), scale = adaptor.getScale(),
        zeroPoint = adaptor.getZeroPoint();
  int64_t axis = op.getAxis(), scaleRank = tensorType(scale).getRank();
  return {e.generate(type, e.sizes(input), [&](Nums at) {
    Nums where;
    if (op.getBlockSize() > 0 && scaleRank == tensorType(input).getRank())
      where = replaced(at, axis, at[axis] / op.getBlockSize());
    else if (scaleRank == 1)
      where = {at[axis]};
    Num x = e.toReal(e.read(input, at, isUnsigned(op.getInput())));
    Num zero = e.real(0);
    if (zeroPoint)
      zero = e.toReal(e.read(zeroPoint, where, isUnsigned(op.getZeroPoint())));
    return (x - zero) * e.read(scale, where);
  })};
}

static SmallVector<Value> lower(Emitter &e, DequantizeBlocksOp op,
                                DequantizeBlocksOp::Adaptor adaptor,
                                RankedTensorType type) {
  Value input = adaptor.getInput(), scale = adaptor.getScale();
  int64_t column = type.getRank() - 1, row = column - 1;
  return {e.generate(type, e.sizes(input), [&](Nums at) {
    Nums block = replaced(at, column, at[column] / op.getBlock()[1]);
    block[row] = at[row] / op.getBlock()[0];
    return e.toReal(e.read(input, at, isUnsigned(op.getInput()))) *
           e.read(scale, block);
  })};
}

void addElementwise(Rules &rules) {
  rules.add<ElementwiseOp>(lower);
  rules.add<CastOp>(lower);
  rules.add<BitcastOp>(lower);
  rules.patterns.add<LowerRequire>(rules.types, rules.patterns.getContext(),
                                   rules.known);
  rules.add<DequantizeOp>(lower);
  rules.add<DequantizeBlocksOp>(lower);
}

} // namespace mlir::ds::reference
