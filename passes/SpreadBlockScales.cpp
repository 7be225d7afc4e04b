//===- SpreadBlockScales.cpp - a scale of a block for each of its rows ----===//
//
// See Passes.td.
//
//===----------------------------------------------------------------------===//
#include "passes/Builders.h"
#include "passes/Match.h"
#include "passes/Passes.h"

namespace mlir::ds {
#define GEN_PASS_DEF_SPREADBLOCKSCALES
#include "passes/Passes.h.inc"
} // namespace mlir::ds

using namespace mlir;
using namespace mlir::ds;

/// `scale` […, ceil(R / p), G] with every row p times: […, R, G].
static Value repeatRows(OpBuilder &b, Location loc, Value scale, int64_t times,
                        int64_t rows) {
  RankedTensorType type = tensorType(scale);
  int64_t dim = type.getRank() - 2, blocks = type.getDimSize(dim);
  SmallVector<int64_t> shape(type.getShape());
  auto reshape = [&] {
    scale = ReshapeOp::create(b, loc, type.clone(shape), scale, ValueRange());
  };
  shape.insert(shape.begin() + dim + 1, 1);
  reshape();
  shape[dim + 1] = times;
  scale = BroadcastOp::create(b, loc, type.clone(shape), scale, ValueRange());
  shape.erase(shape.begin() + dim + 1);
  shape[dim] = blocks * times;
  reshape();
  return blocks * times == rows ? scale
                                : sliceAlong(b, loc, scale, dim, 0, rows);
}

namespace {
struct SpreadBlockScales : ds::impl::SpreadBlockScalesBase<SpreadBlockScales> {
  void runOnOperation() override {
    SmallVector<DequantizeBlocksOp> ops;
    getOperation()->walk([&](DequantizeBlocksOp op) {
      if (isParameterValue(op.getResult()) &&
          tensorType(op.getInput()).hasStaticShape() &&
          tensorType(op.getScale()).hasStaticShape())
        ops.push_back(op);
    });
    for (DequantizeBlocksOp op : ops) {
      OpBuilder b(op);
      RankedTensorType type = tensorType(op.getInput());
      int64_t columns = type.getRank() - 1, rows = type.getDimSize(columns - 1);
      Value scale =
          repeatRows(b, op.getLoc(), op.getScale(), op.getBlock()[0], rows);
      op.replaceAllUsesWith(
          DequantizeOp::create(b, op.getLoc(), op.getType(), op.getInput(),
                               scale, Value(), b.getI64IntegerAttr(columns),
                               b.getI64IntegerAttr(op.getBlock()[1]))
              .getResult());
      op.erase();
    }
  }
};
} // namespace
