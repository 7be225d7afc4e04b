//===- TileAttention.cpp - attention walks its keys in blocks -------------===//
//
// See Passes.td.
//
//===----------------------------------------------------------------------===//
#include "passes/Match.h"
#include "passes/Passes.h"

namespace mlir::ds {
#define GEN_PASS_DEF_TILEATTENTION
#include "passes/Passes.h.inc"
} // namespace mlir::ds

using namespace mlir;
using namespace mlir::ds;

using Sizes = SmallVector<OpFoldResult>;

/// A tensor of `sizes` that is `number` everywhere.
static Value filled(OpBuilder &b, Location loc, ArrayRef<OpFoldResult> sizes,
                    FloatType element, double number) {
  APFloat value(number);
  bool lost;
  value.convert(element.getFloatSemantics(), APFloat::rmNearestTiesToEven,
                &lost);
  Value scalar = arith::ConstantOp::create(
      b, loc,
      DenseElementsAttr::get(RankedTensorType::get({}, element), value));
  SmallVector<Value> dims;
  SmallVector<int64_t> shape;
  dispatchIndexOpFoldResults(sizes, dims, shape);
  return BroadcastOp::create(b, loc, RankedTensorType::get(shape, element),
                             scalar, dims);
}

/// Elements [at, at + count) of dimension `dim`, all of the others.
static Value sliceAlong(OpBuilder &b, Location loc, Value value, int64_t dim,
                        OpFoldResult at, OpFoldResult count) {
  Sizes sizes = tensor::getMixedSizes(b, loc, value);
  Sizes offsets(sizes.size(), b.getIndexAttr(0)),
      strides(sizes.size(), b.getIndexAttr(1));
  offsets[dim] = at;
  sizes[dim] = count;
  return SliceOp::create(b, loc, value, offsets, sizes, strides);
}

/// The mask with every key in its last dimension, or with a static 1 there.
static Value keyMask(OpBuilder &b, AttentionOp op, OpFoldResult keys) {
  Value mask = op.getMask();
  RankedTensorType type = mask ? tensorType(mask) : RankedTensorType();
  if (!mask || type.getRank() == 0 || !type.isDynamicDim(type.getRank() - 1))
    return mask;
  // The size may be 1 at run time.
  Sizes sizes = tensor::getMixedSizes(b, op.getLoc(), mask);
  sizes.back() = keys;
  SmallVector<Value> dims;
  SmallVector<int64_t> shape;
  dispatchIndexOpFoldResults(sizes, dims, shape);
  return BroadcastOp::create(
      b, op.getLoc(), RankedTensorType::get(shape, type.getElementType()), mask,
      dims);
}

static void tileKeys(AttentionOp op, int64_t block) {
  OpBuilder b(op);
  Location loc = op.getLoc();
  Value query = op.getQuery(), key = op.getKey(), value = op.getValue();
  FloatType wide = tensorType(query).getElementType().isF64()
                       ? FloatType(b.getF64Type())
                       : FloatType(b.getF32Type());
  OpFoldResult keys = tensor::getMixedSize(b, loc, key, 2);
  Value total = getValueOrCreateConstantIndexOp(b, loc, keys);
  Value mask = keyMask(b, op, keys);
  bool cutMask = mask && tensorType(mask).getRank() > 0 &&
                 tensorType(mask).getShape().back() != 1;
  // Row s sees keys t ≤ s + (T − S).
  Value diagonal;
  if (op.getCausal())
    diagonal = arith::SubIOp::create(
        b, loc, total,
        getValueOrCreateConstantIndexOp(
            b, loc, tensor::getMixedSize(b, loc, query, 1)));

  Sizes rows = tensor::getMixedSizes(b, loc, query);
  rows.pop_back();
  Sizes outputs(rows);
  outputs.push_back(tensor::getMixedSize(b, loc, value, 3));
  double infinity = std::numeric_limits<double>::infinity();
  SmallVector<Value> start{filled(b, loc, outputs, wide, 0),
                           filled(b, loc, rows, wide, -infinity),
                           filled(b, loc, rows, wide, 0)};

  Value zero = arith::ConstantIndexOp::create(b, loc, 0),
        step = arith::ConstantIndexOp::create(b, loc, block);
  std::optional<int64_t> count = getConstantIntValue(keys);
  auto loop = scf::ForOp::create(
      b, loc, zero, total, step, start,
      [&](OpBuilder &nb, Location l, Value at, ValueRange carried) {
        OpFoldResult size = nb.getIndexAttr(block);
        if (!count || *count % block != 0)
          size = arith::MinSIOp::create(nb, l, step,
                                        arith::SubIOp::create(nb, l, total, at))
                     .getResult();
        Value keyBlock = sliceAlong(nb, l, key, 2, at, size),
              valueBlock = sliceAlong(nb, l, value, 2, at, size);
        Value maskBlock =
            cutMask ? sliceAlong(nb, l, mask, tensorType(mask).getRank() - 1,
                                 at, size)
                    : mask;
        Value below = diagonal
                          ? Value(arith::SubIOp::create(nb, l, diagonal, at))
                          : Value();
        auto online = OnlineAttentionOp::create(
            nb, l, query, keyBlock, valueBlock, maskBlock, below, carried[0],
            carried[1], carried[2], op.getScaleAttr());
        scf::YieldOp::create(nb, l, online.getResults());
      });

  // A row without keys has the sum 0, and the accumulator 0 for a result.
  Value sum = loop.getResult(2);
  Value nothing = filled(b, loc, {}, wide, 0),
        one = filled(b, loc, {}, wide, 1);
  auto elementwise = [&](ElementwiseKind kind, ValueRange operands) -> Value {
    return ElementwiseOp::create(b, loc, kind, operands);
  };
  Value blind = elementwise(ElementwiseKind::Eq, {sum, nothing});
  Value divisor = elementwise(ElementwiseKind::Select, {blind, one, sum});
  SmallVector<int64_t> columnShape(tensorType(divisor).getShape());
  columnShape.push_back(1);
  SmallVector<Value> columnDims;
  for (auto [d, dim] : llvm::enumerate(rows))
    if (tensorType(divisor).isDynamicDim(d))
      columnDims.push_back(cast<Value>(dim));
  Value column = ReshapeOp::create(
      b, loc, RankedTensorType::get(columnShape, wide), divisor, columnDims);
  Value result = elementwise(ElementwiseKind::Div, {loop.getResult(0), column});
  RankedTensorType type = tensorType(op.getResult());
  if (result.getType() != type)
    result = CastOp::create(b, loc, type, result);
  op.replaceAllUsesWith(result);
  op.erase();
}

namespace {
struct TileAttention : ds::impl::TileAttentionBase<TileAttention> {
  using TileAttentionBase::TileAttentionBase;
  void runOnOperation() override {
    if (block < 1) {
      getOperation()->emitError()
          << "ds-tile-attention: block is 1 or more, not " << block.getValue();
      return signalPassFailure();
    }
    SmallVector<AttentionOp> ops;
    getOperation()->walk([&](AttentionOp op) {
      int64_t keys = tensorType(op.getKey()).getDimSize(2);
      if (ShapedType::isDynamic(keys) || keys > block)
        ops.push_back(op);
    });
    for (AttentionOp op : ops)
      tileKeys(op, block);
  }
};
} // namespace
