//===- ProductRows.cpp - products on rows ---------------------------------===//
#include "passes/ProductRows.h"
#include "passes/Match.h"

using namespace mlir;
using namespace mlir::ds;

Value mlir::ds::asRows(OpBuilder &b, Location loc, Value x) {
  RankedTensorType type = tensorType(x);
  if (type.getRank() == 2)
    return x;
  SmallVector<int64_t> shape{1, type.getShape().back()};
  SmallVector<Value> dims;
  for (int64_t d = 0; d + 1 < type.getRank(); ++d) {
    if (type.isDynamicDim(d) || ShapedType::isDynamic(shape[0]))
      shape[0] = ShapedType::kDynamic;
    else
      shape[0] *= type.getDimSize(d);
  }
  if (ShapedType::isDynamic(shape[0])) {
    Value rows = tensor::DimOp::create(b, loc, x, 0);
    for (int64_t d = 1; d + 1 < type.getRank(); ++d)
      rows = arith::MulIOp::create(b, loc, rows,
                                   tensor::DimOp::create(b, loc, x, d));
    dims.push_back(rows);
  }
  return ReshapeOp::create(
      b, loc, RankedTensorType::get(shape, type.getElementType()), x, dims);
}

Value mlir::ds::castTo(OpBuilder &b, Location loc, Value value, Type element) {
  RankedTensorType type = tensorType(value);
  if (type.getElementType() == element)
    return value;
  return CastOp::create(b, loc, RankedTensorType::get(type.getShape(), element),
                        value);
}

void mlir::ds::replaceByRows(OpBuilder &b, LinearOp op, Value product) {
  Location loc = op.getLoc();
  RankedTensorType result = tensorType(op);
  product = castTo(b, loc, product, result.getElementType());
  if (result.getRank() != 2) {
    // The input's sizes but the last, which is N and static.
    SmallVector<Value> dims;
    for (int64_t d = 0; d + 1 < result.getRank(); ++d)
      if (result.isDynamicDim(d))
        dims.push_back(tensor::DimOp::create(b, loc, op.getInput(), d));
    product = ReshapeOp::create(b, loc, result, product, dims);
  }
  op.replaceAllUsesWith(product);
  op.erase();
}
