//===- NarrowMatmuls.cpp - integer products of bytes, as such -------------===//
//
// See Passes.td.
//
//===----------------------------------------------------------------------===//
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "passes/Match.h"
#include "passes/Passes.h"

namespace mlir::ds {
#define GEN_PASS_DEF_NARROWMATMULS
#include "passes/Passes.h.inc"
} // namespace mlir::ds

using namespace mlir;
using namespace mlir::ds;
using EK = ElementwiseKind;

namespace {

/// An operand as bytes, from which `zero` (i32; null: nothing) is subtracted.
struct Bytes {
  Value bytes, zero;

  bool isUnsigned() const {
    return getElementTypeOrSelf(bytes.getType()).isUnsignedInteger();
  }
};

/// `value` as bytes whose zero point is one number along k, the dimension
/// `fromLast` places from the end.
std::optional<Bytes> matchBytes(Value value, int64_t fromLast) {
  auto isBytes = [](Value x) {
    Type element = tensorType(x).getElementType();
    return element.isSignlessInteger(8) || element.isUnsignedInteger(8);
  };
  if (isBytes(value))
    return Bytes{value, {}};
  Value zero;
  if (ElementwiseOp sub = matchElementwise(value, EK::Sub)) {
    zero = sub.getOperands()[1];
    ArrayRef<int64_t> shape = tensorType(zero).getShape();
    if (int64_t(shape.size()) >= fromLast &&
        shape[shape.size() - fromLast] != 1)
      return std::nullopt;
    if (sub.getOperands()[0].getType() != value.getType())
      return std::nullopt;
    value = sub.getOperands()[0];
  }
  auto cast = value.getDefiningOp<CastOp>();
  if (!cast || !isBytes(cast.getInput()))
    return std::nullopt;
  return Bytes{cast.getInput(), zero};
}

/// Builds the product of one op from bytes.
class Narrower {
public:
  explicit Narrower(MatmulOp op) : b(op), loc(op.getLoc()), op(op) {}

  bool run() {
    std::optional<Bytes> lhs = matchBytes(op.getLhs(), 1),
                         rhs = matchBytes(op.getRhs(), 2);
    if (!lhs || !rhs)
      return false;
    // As they already are what kernels take.
    if (lhs->bytes == op.getLhs() && rhs->bytes == op.getRhs() &&
        lhs->isUnsigned() && !rhs->isUnsigned())
      return false;
    Value wideLhs = widened(op.getLhs());
    if (!lhs->isUnsigned())
      *lhs = {flipped(lhs->bytes, b.getIntegerType(8, /*isSigned=*/false)),
              moved(lhs->zero, 128)};
    if (rhs->isUnsigned())
      *rhs = {flipped(rhs->bytes, b.getI8Type()), moved(rhs->zero, -128)};
    Value result =
        MatmulOp::create(b, loc, op.getType(), lhs->bytes, rhs->bytes);
    if (lhs->zero)
      result = minus(result, lhs->zero,
                     sumOver(widened(rhs->bytes), /*fromLast=*/2));
    if (rhs->zero)
      result = minus(result, rhs->zero, sumOver(wideLhs, /*fromLast=*/1));
    op.getResult().replaceAllUsesWith(result);
    return true;
  }

private:
  Value scalar(Type element, int64_t value) {
    return arith::ConstantOp::create(
        b, loc,
        DenseElementsAttr::get(RankedTensorType::get({}, element),
                               b.getIntegerAttr(element, value)));
  }
  Value widened(Value value) {
    auto type =
        RankedTensorType::get(tensorType(value).getShape(), b.getI32Type());
    return value.getType() == type ? value
                                   : CastOp::create(b, loc, type, value);
  }
  /// Bytes 128 further on, or back, in the other signedness.
  Value flipped(Value bytes, Type element) {
    ArrayRef<int64_t> shape = tensorType(bytes).getShape();
    auto asType = [&](Value value, Type to) -> Value {
      return tensorType(value).getElementType() == to
                 ? value
                 : BitcastOp::create(b, loc, RankedTensorType::get(shape, to),
                                     value);
    };
    Value plain = asType(bytes, b.getI8Type());
    Value other =
        ElementwiseOp::create(b, loc, plain.getType(), EK::Xor,
                              ValueRange{plain, scalar(b.getI8Type(), -128)});
    return asType(other, element);
  }
  Value moved(Value zero, int64_t by) {
    Value distance = scalar(b.getI32Type(), by);
    return zero ? ElementwiseOp::create(b, loc, zero.getType(), EK::Add,
                                        ValueRange{zero, distance})
                : distance;
  }
  Value sumOver(Value value, int64_t fromLast) {
    return ReduceOp::create(b, loc, ReduceKind::Sum, value,
                            tensorType(value).getRank() - fromLast,
                            /*keepdims=*/true);
  }
  Value minus(Value product, Value zero, Value sum) {
    Value term = ElementwiseOp::create(b, loc, EK::Mul, ValueRange{sum, zero});
    return ElementwiseOp::create(b, loc, product.getType(), EK::Sub,
                                 ValueRange{product, term});
  }

  OpBuilder b;
  Location loc;
  MatmulOp op;
};

struct NarrowMatmuls : ds::impl::NarrowMatmulsBase<NarrowMatmuls> {
  void runOnOperation() override {
    SmallVector<MatmulOp> ops;
    getOperation()->walk([&](MatmulOp op) {
      if (tensorType(op.getResult()).getElementType().isSignlessInteger(32))
        ops.push_back(op);
    });
    for (MatmulOp op : ops)
      if (Narrower(op).run())
        op.erase();
  }
};

} // namespace
