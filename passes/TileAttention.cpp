//===- TileAttention.cpp - attention walks its keys in blocks -------------===//
//
// See Passes.td.
//
//===----------------------------------------------------------------------===//
#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/SCF/Transforms/TileUsingInterface.h"
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

/// The op before `op`, over all keys at once, that makes accumulator, maximum
/// and sum for it.
static OnlineAttentionOp onlineForm(OpBuilder &b, AttentionOp op) {
  Location loc = op.getLoc();
  Value query = op.getQuery(), key = op.getKey(), value = op.getValue();
  FloatType wide = tensorType(query).getElementType().isF64()
                       ? FloatType(b.getF64Type())
                       : FloatType(b.getF32Type());
  // Row s sees keys t ≤ s + (T − S).
  Value diagonal;
  auto size = [&](Value tensor, int64_t dim) {
    return getValueOrCreateConstantIndexOp(
        b, loc, tensor::getMixedSize(b, loc, tensor, dim));
  };
  if (op.getCausal())
    diagonal = arith::SubIOp::create(b, loc, size(key, 2), size(query, 1));
  Sizes rows = tensor::getMixedSizes(b, loc, query);
  rows.pop_back();
  Sizes outputs(rows);
  outputs.push_back(tensor::getMixedSize(b, loc, value, 3));
  double infinity = std::numeric_limits<double>::infinity();
  Value accumulator = filled(b, loc, outputs, wide, 0),
        maximum = filled(b, loc, rows, wide, -infinity),
        sum = filled(b, loc, rows, wide, 0);
  return OnlineAttentionOp::create(b, loc, query, key, value, op.getMask(),
                                   diagonal, accumulator, maximum, sum,
                                   op.getScaleAttr());
}

/// accumulator / sum as `type`. A row without keys has the sum 0, and the
/// accumulator 0 for a result.
static Value quotient(OpBuilder &b, Location loc, Value accumulator, Value sum,
                      RankedTensorType type) {
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

static LogicalResult tileKeys(AttentionOp op, int64_t block) {
  IRRewriter b(op);
  OnlineAttentionOp online = onlineForm(b, op);
  scf::SCFTilingOptions options;
  OpFoldResult none = b.getIndexAttr(0);
  options.setTileSizes({none, none, none, b.getIndexAttr(block)});
  b.setInsertionPoint(online);
  FailureOr<scf::SCFTilingResult> tiled = scf::tileUsingSCF(
      b, cast<TilingInterface>(online.getOperation()), options);
  if (failed(tiled))
    return op.emitOpError("cannot be tiled over keys");
  b.replaceOp(online, tiled->replacements);
  b.setInsertionPoint(op);
  b.replaceOp(op, quotient(b, op.getLoc(), tiled->replacements[0],
                           tiled->replacements[2], tensorType(op.getResult())));
  return success();
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
      if (failed(tileKeys(op, block)))
        return signalPassFailure();
  }
};
} // namespace
