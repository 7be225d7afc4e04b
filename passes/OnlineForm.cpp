//===- OnlineForm.cpp - before the first and after the last block ---------===//
//
// See OnlineForm.h.
//
//===----------------------------------------------------------------------===//
#include "passes/OnlineForm.h"
#include "passes/Match.h"

using namespace mlir;
using namespace mlir::ds;

using Sizes = SmallVector<OpFoldResult>;

/// A tensor of `sizes` that is `number` everywhere.
static Value filled(OpBuilder &b, Location loc, ArrayRef<OpFoldResult> sizes,
                    FloatType element, double number) {
  Value scalar = arith::ConstantOp::create(
      b, loc,
      DenseElementsAttr::get(RankedTensorType::get({}, element),
                             Attribute(b.getFloatAttr(element, number))));
  SmallVector<Value> dims;
  SmallVector<int64_t> shape;
  dispatchIndexOpFoldResults(sizes, dims, shape);
  return BroadcastOp::create(b, loc, RankedTensorType::get(shape, element),
                             scalar, dims);
}

FloatType mlir::ds::wideType(Value query) {
  auto element = cast<FloatType>(tensorType(query).getElementType());
  return element.isF64() ? element
                         : FloatType(Float32Type::get(query.getContext()));
}

OnlineState mlir::ds::nothingSeen(OpBuilder &b, Location loc,
                                  ArrayRef<OpFoldResult> rows,
                                  OpFoldResult width, FloatType wide) {
  Sizes outputs(rows);
  outputs.push_back(width);
  double infinity = std::numeric_limits<double>::infinity();
  return {filled(b, loc, outputs, wide, 0),
          filled(b, loc, rows, wide, -infinity), filled(b, loc, rows, wide, 0)};
}

Value mlir::ds::mixture(OpBuilder &b, Location loc, Value accumulator,
                        Value sum, RankedTensorType type) {
  FloatType wide = cast<FloatType>(tensorType(sum).getElementType());
  auto elementwise = [&](ElementwiseKind kind, ValueRange operands) -> Value {
    return ElementwiseOp::create(b, loc, kind, operands);
  };
  Value blind =
      elementwise(ElementwiseKind::Eq, {sum, filled(b, loc, {}, wide, 0)});
  Value divisor = elementwise(ElementwiseKind::Select,
                              {blind, filled(b, loc, {}, wide, 1), sum});
  Sizes sizes = tensor::getMixedSizes(b, loc, divisor);
  sizes.push_back(b.getIndexAttr(1));
  SmallVector<Value> dims;
  SmallVector<int64_t> shape;
  dispatchIndexOpFoldResults(sizes, dims, shape);
  Value column = ReshapeOp::create(b, loc, RankedTensorType::get(shape, wide),
                                   divisor, dims);
  Value result = elementwise(ElementwiseKind::Div, {accumulator, column});
  if (result.getType() != type)
    result = CastOp::create(b, loc, type, result);
  return result;
}
