//===- RowVectors.cpp - rows of tensors, vector by vector -----------------===//
#include "lowering/LinalgToCPU/RowVectors.h"

using namespace mlir;
using namespace mlir::ds;

Value RowVectors::index(int64_t value) {
  return arith::ConstantIndexOp::create(b, loc, value);
}

Value RowVectors::splat(double value) {
  return arith::ConstantOp::create(b, loc,
                                   DenseElementsAttr::get(f32(), float(value)));
}

Value RowVectors::broadcast(Value f32Scalar) {
  return vector::BroadcastOp::create(b, loc, f32(), f32Scalar);
}

Value RowVectors::read(Value tensor, ValueRange at, bool partial) {
  Type element = cast<RankedTensorType>(tensor.getType()).getElementType();
  Value padding = arith::ConstantOp::create(b, loc, b.getFloatAttr(element, 0));
  Value result = vector::TransferReadOp::create(
      b, loc, VectorType::get({lanes}, element), tensor, at, padding,
      ArrayRef<bool>{!partial});
  if (!element.isF32())
    result = arith::ExtFOp::create(b, loc, f32(), result);
  return result;
}

Value RowVectors::write(Value vector, Value tensor, ValueRange at,
                        bool partial) {
  Type element = cast<RankedTensorType>(tensor.getType()).getElementType();
  if (!element.isF32())
    vector = arith::TruncFOp::create(b, loc, VectorType::get({lanes}, element),
                                     vector);
  return vector::TransferWriteOp::create(b, loc, vector, tensor, at,
                                         ArrayRef<bool>{!partial})
      .getResult();
}

Value RowVectors::rounded(Value vector, Type element) {
  if (element.isF32())
    return vector;
  Value narrow = arith::TruncFOp::create(
      b, loc, VectorType::get({lanes}, element), vector);
  return arith::ExtFOp::create(b, loc, f32(), narrow);
}

SmallVector<Value> RowVectors::along(int64_t length, ValueRange carried,
                                     Body body) {
  int64_t whole = length / lanes * lanes;
  SmallVector<Value> values(carried);
  if (whole > 0) {
    auto loop = scf::ForOp::create(
        b, loc, index(0), index(whole), index(lanes), values,
        [&](OpBuilder &inner, Location at, Value offset, ValueRange args) {
          RowVectors nested{inner, at, lanes};
          scf::YieldOp::create(inner, at, body(nested, offset, false, args));
        });
    values.assign(loop.result_begin(), loop.result_end());
  }
  if (whole < length)
    values = body(*this, index(whole), true, values);
  return values;
}

Value RowVectors::forEachRow(RankedTensorType type, Value like, int64_t inner,
                             RowBody body) {
  int64_t rank = type.getRank();
  SmallVector<OpFoldResult> sizes = tensor::getMixedSizes(b, loc, like);
  Value init = tensor::EmptyOp::create(b, loc, sizes, type.getElementType());
  auto loop = scf::ForallOp::create(
      b, loc, ArrayRef(sizes).drop_back(inner), init, std::nullopt,
      [&](OpBuilder &nb, Location at, ValueRange args) {
        RowVectors nested{nb, at, lanes};
        ValueRange ivs = args.drop_back();
        SmallVector<OpFoldResult> offsets(ivs), extent(sizes);
        offsets.append(inner, nb.getIndexAttr(0));
        for (int64_t d = 0; d + inner < rank; ++d)
          extent[d] = nb.getIndexAttr(1);
        SmallVector<OpFoldResult> strides(rank, nb.getIndexAttr(1));
        auto rowType = RankedTensorType::get(type.getShape().take_back(inner),
                                             type.getElementType());
        Value row = tensor::ExtractSliceOp::create(nb, at, rowType, args.back(),
                                                   offsets, extent, strides);
        row = body(nested, ivs, row);
        auto terminator = scf::InParallelOp::create(nb, at);
        nb.setInsertionPointToStart(terminator.getBody());
        tensor::ParallelInsertSliceOp::create(nb, at, row, args.back(), offsets,
                                              extent, strides);
      });
  return loop.getResult(0);
}
