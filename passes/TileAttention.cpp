//===- TileAttention.cpp - attention walks its keys in blocks -------------===//
//
// See Passes.td.
//
//===----------------------------------------------------------------------===//
#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/SCF/Transforms/TileUsingInterface.h"
#include "passes/Match.h"
#include "passes/OnlineForm.h"
#include "passes/Passes.h"

namespace mlir::ds {
#define GEN_PASS_DEF_TILEATTENTION
#include "passes/Passes.h.inc"
} // namespace mlir::ds

using namespace mlir;
using namespace mlir::ds;

using Sizes = SmallVector<OpFoldResult>;

/// The op before `op`, over all keys at once, that makes accumulator, maximum
/// and sum for it.
static OnlineAttentionOp onlineForm(OpBuilder &b, AttentionOp op) {
  Location loc = op.getLoc();
  Value query = op.getQuery(), key = op.getKey(), value = op.getValue();
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
  OnlineState start = nothingSeen(
      b, loc, rows, tensor::getMixedSize(b, loc, value, 3), wideType(query));
  return OnlineAttentionOp::create(b, loc, query, key, value, /*tail=*/Value(),
                                   op.getMask(), diagonal, start.accumulator,
                                   start.maximum, start.sum, op.getScaleAttr());
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
  b.replaceOp(op, mixture(b, op.getLoc(), tiled->replacements[0],
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
