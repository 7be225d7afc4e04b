//===- Builders.cpp - pieces of ds IR that several passes write -----------===//
//
// See Builders.h.
//
//===----------------------------------------------------------------------===//
#include "passes/Builders.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "passes/Match.h"

using namespace mlir;
using namespace mlir::ds;

Value mlir::ds::sliceAlong(OpBuilder &b, Location loc, Value value, int64_t dim,
                           OpFoldResult first, OpFoldResult count) {
  int64_t rank = tensorType(value).getRank();
  SmallVector<OpFoldResult> offsets(rank, b.getIndexAttr(0)),
      sizes = tensor::getMixedSizes(b, loc, value),
      strides(rank, b.getIndexAttr(1));
  offsets[dim] = first;
  sizes[dim] = count;
  return SliceOp::create(b, loc, value, offsets, sizes, strides);
}

Value mlir::ds::sliceAlong(OpBuilder &b, Location loc, Value value, int64_t dim,
                           int64_t first, int64_t count) {
  return sliceAlong(b, loc, value, dim, b.getIndexAttr(first),
                    b.getIndexAttr(count));
}

/// [A, B, ..] as [B, A, ..]: of tokens and heads.
static Value swapped(OpBuilder &b, Location loc, Value x) {
  return TransposeOp::create(b, loc, x, ArrayRef<int64_t>{1, 0, 2});
}

Value mlir::ds::timesOfHeads(OpBuilder &b, Location loc, Value x, Value weights,
                             Type element) {
  Value heads = swapped(b, loc, x);
  SmallVector<int64_t> shape(tensorType(heads).getShape());
  shape.back() = tensorType(weights).getDimSize(2);
  auto type = RankedTensorType::get(shape, element);
  return swapped(b, loc, MatmulOp::create(b, loc, type, heads, weights));
}
