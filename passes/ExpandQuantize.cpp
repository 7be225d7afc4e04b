//===- ExpandQuantize.cpp - quantise ops as elementwise arithmetic --------===//
//
// See Passes.td.
//
//===----------------------------------------------------------------------===//
#include "passes/Match.h"
#include "passes/Passes.h"

namespace mlir::ds {
#define GEN_PASS_DEF_EXPANDQUANTIZE
#include "passes/Passes.h.inc"
} // namespace mlir::ds

using namespace mlir;
using namespace mlir::ds;

namespace {

/// Short names for what quantising is made of, all in f32.
struct Arithmetic {
  OpBuilder &builder;
  Location loc;

  Value number(double value) {
    auto type = RankedTensorType::get({}, builder.getF32Type());
    return arith::ConstantOp::create(
        builder, loc, DenseElementsAttr::get(type, float(value)));
  }
  /// Elementwise; all operands but the first are rank 0.
  Value apply(ElementwiseKind kind, Value a, Value b = {}) {
    SmallVector<Value> operands{a};
    if (b)
      operands.push_back(b);
    return ElementwiseOp::create(builder, loc, a.getType(), kind, operands);
  }
  Value cast(Value value, Type element) {
    RankedTensorType type = tensorType(value);
    if (type.getElementType() == element)
      return value;
    return CastOp::create(builder, loc,
                          RankedTensorType::get(type.getShape(), element),
                          value, true);
  }
  Value f32(Value value) { return cast(value, builder.getF32Type()); }
  Value clamp(Value value, double low, double high) {
    return apply(ElementwiseKind::Min,
                 apply(ElementwiseKind::Max, value, number(low)), number(high));
  }
  Value reduce(ReduceKind kind, Value value) {
    auto axes =
        llvm::to_vector(llvm::seq<int64_t>(0, tensorType(value).getRank()));
    return ReduceOp::create(builder, loc,
                            RankedTensorType::get({}, builder.getF32Type()),
                            kind, value, axes, false);
  }
};

struct ExpandQuantize : ds::impl::ExpandQuantizeBase<ExpandQuantize> {
  void runOnOperation() override {
    getOperation()->walk([](Operation *op) {
      OpBuilder builder(op);
      Arithmetic a{builder, op->getLoc()};
      if (auto quantize = dyn_cast<QuantizeOp>(op))
        expand(quantize, a);
      else if (auto dynamic = dyn_cast<DynamicQuantizeOp>(op))
        expand(dynamic, a);
    });
  }

private:
  static void expand(QuantizeOp op, Arithmetic &a) {
    auto type = cast<IntegerType>(op.getType().getElementType());
    double high = type.isUnsigned() ? std::ldexp(1.0, type.getWidth()) - 1
                                    : std::ldexp(1.0, type.getWidth() - 1) - 1;
    double low = type.isUnsigned() ? 0 : -std::ldexp(1.0, type.getWidth() - 1);
    Value quotient = a.apply(ElementwiseKind::Div, a.f32(op.getInput()),
                             a.f32(op.getScale()));
    Value rounded = a.apply(ElementwiseKind::RoundEven, quotient);
    if (op.getZeroPoint())
      rounded =
          a.apply(ElementwiseKind::Add, rounded, a.f32(op.getZeroPoint()));
    op.replaceAllUsesWith(a.cast(a.clamp(rounded, low, high), type));
    op.erase();
  }

  static void expand(DynamicQuantizeOp op, Arithmetic &a) {
    Value x = a.f32(op.getInput()), zero = a.number(0);
    Value high =
              a.apply(ElementwiseKind::Max, a.reduce(ReduceKind::Max, x), zero),
          low =
              a.apply(ElementwiseKind::Min, a.reduce(ReduceKind::Min, x), zero);
    Value scale =
        a.apply(ElementwiseKind::Div, a.apply(ElementwiseKind::Sub, high, low),
                a.number(255));
    // All zeros: the scale is 0 and the quotients below would be NaN.
    auto bit = RankedTensorType::get({}, a.builder.getI1Type());
    Value isZero = ElementwiseOp::create(
        a.builder, a.loc, bit, ElementwiseKind::Eq, ValueRange{scale, zero});
    Value divisor = ElementwiseOp::create(
        a.builder, a.loc, scale.getType(), ElementwiseKind::Select,
        ValueRange{isZero, a.number(1), scale});
    Value point =
        a.apply(ElementwiseKind::RoundEven,
                a.clamp(a.apply(ElementwiseKind::Sub, zero,
                                a.apply(ElementwiseKind::Div, low, divisor)),
                        0, 255));
    Value rounded = a.apply(ElementwiseKind::RoundEven,
                            a.apply(ElementwiseKind::Div, x, divisor));
    Value result =
        a.clamp(a.apply(ElementwiseKind::Add, rounded, point), 0, 255);
    op.getResult().replaceAllUsesWith(
        a.cast(result, tensorType(op.getResult()).getElementType()));
    op.getScale().replaceAllUsesWith(scale);
    op.getZeroPoint().replaceAllUsesWith(
        a.cast(point, tensorType(op.getZeroPoint()).getElementType()));
    op.erase();
  }
};

} // namespace
