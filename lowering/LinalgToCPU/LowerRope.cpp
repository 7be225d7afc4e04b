//===- LowerRope.cpp - rope in vectors ------------------------------------===//
//
// See Passes.td.
//
//===----------------------------------------------------------------------===//
#include "lowering/LinalgToCPU/RowVectors.h"
#include "lowering/LinalgToCPU/VectorMath.h"

namespace mlir::ds {
#define GEN_PASS_DEF_LOWERROPE
#include "lowering/LinalgToCPU/Passes.h.inc"
} // namespace mlir::ds

using namespace mlir;
using namespace mlir::ds;

namespace {

struct LowerRope : ds::impl::LowerRopeBase<LowerRope> {
  void runOnOperation() override {
    SmallVector<RopeOp> ops;
    getOperation()->walk([&](RopeOp op) {
      auto type = cast<RankedTensorType>(op.getInput().getType());
      auto result = cast<RankedTensorType>(op.getResult().getType());
      auto element = [](Value value) {
        return cast<RankedTensorType>(value.getType()).getElementType();
      };
      int64_t rank = type.getRank();
      if (rank >= 3 && !type.isDynamicDim(rank - 1) &&
          !type.isDynamicDim(rank - 2) &&
          result.getShape().take_back(2) == type.getShape().take_back(2) &&
          type.getShape().back() % 2 == 0 &&
          RowVectors::isSupported(type.getElementType()) &&
          RowVectors::isSupported(result.getElementType()) &&
          RowVectors::isSupported(element(op.getCos())) &&
          RowVectors::isSupported(element(op.getSin())))
        ops.push_back(op);
    });
    for (RopeOp op : ops)
      lower(op);
  }

private:
  /// One row of the parallel loop is all heads of a token.
  static void lower(RopeOp op) {
    OpBuilder builder(op);
    auto type = cast<RankedTensorType>(op.getResult().getType());
    int64_t heads = type.getShape().drop_back().back(),
            half = type.getShape().back() / 2;
    // As many lanes as divide half a head: no tails.
    int64_t lanes = std::min<int64_t>(16, half & -half);
    RowVectors rows{builder, op.getLoc(), lanes};
    Value result = rows.forEachRow(
        type, tensor::getMixedSizes(builder, op.getLoc(), op.getInput()), 2,
        [&](RowVectors &r, ValueRange at, Value row) {
          auto loop = scf::ForOp::create(
              r.b, r.loc, r.index(0), r.index(heads), r.index(1), row,
              [&](OpBuilder &inner, Location loc, Value head,
                  ValueRange carried) {
                RowVectors v{inner, loc, lanes};
                Value tile = carried[0];
                for (int64_t pair = 0; pair < half; pair += lanes)
                  tile = rotate(v, op, at, head, pair, half, tile);
                scf::YieldOp::create(inner, loc, tile);
              });
          return loop.getResult(0);
        });
    op.getResult().replaceAllUsesWith(result);
    op.erase();
  }

  /// Rotates the pairs [pair, pair + lanes) of one head.
  static Value rotate(RowVectors &v, RopeOp op, ValueRange at, Value head,
                      int64_t pair, int64_t half, Value tile) {
    OpBuilder &b = v.b;
    Location loc = v.loc;
    auto element = [&](int64_t i) {
      SmallVector<Value> where(at);
      where.append({head, v.index(i)});
      return where;
    };
    Value x, y;
    if (op.getLayoutIn() == RopeLayout::Halves) {
      x = v.read(op.getInput(), element(pair));
      y = v.read(op.getInput(), element(half + pair));
    } else {
      RowVectors both{b, loc, 2 * v.lanes};
      auto parts = vector::DeinterleaveOp::create(
          b, loc, both.read(op.getInput(), element(2 * pair)));
      x = parts.getRes1();
      y = parts.getRes2();
    }
    SmallVector<Value> angle(at);
    angle.push_back(v.index(pair));
    Value cos = v.read(op.getCos(), angle), sin = v.read(op.getSin(), angle);
    auto [first, second] = rotated(b, loc, x, y, cos, sin);
    if (op.getLayoutOut() == RopeLayout::Halves) {
      tile = v.write(first, tile, {head, v.index(pair)});
      return v.write(second, tile, {head, v.index(half + pair)});
    }
    RowVectors both{b, loc, 2 * v.lanes};
    return both.write(vector::InterleaveOp::create(b, loc, first, second), tile,
                      {head, v.index(2 * pair)});
  }
};

} // namespace
