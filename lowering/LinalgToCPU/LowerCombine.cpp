//===- LowerCombine.cpp - mixtures of experts' rows, in vectors -----------===//
//
// See Passes.td.
//
//===----------------------------------------------------------------------===//
#include "lowering/LinalgToCPU/RowVectors.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

namespace mlir::ds {
#define GEN_PASS_DEF_LOWERCOMBINE
#include "lowering/LinalgToCPU/Passes.h.inc"
} // namespace mlir::ds

using namespace mlir;
using namespace mlir::ds;

namespace {

/// Vectors of a panel: a place and a weight are read for so many.
constexpr int64_t panelParts = 4;

struct LowerCombine : ds::impl::LowerCombineBase<LowerCombine> {
  void runOnOperation() override {
    SmallVector<CombineOp> ops;
    getOperation()->walk([&](CombineOp op) {
      if (RowVectors::isSupported(getElementTypeOrSelf(op.getValues())) &&
          RowVectors::isSupported(getElementTypeOrSelf(op.getResult())))
        ops.push_back(op);
    });
    for (CombineOp op : ops)
      lower(op);
  }

private:
  static void lower(CombineOp op) {
    OpBuilder b(op);
    Location loc = op.getLoc();
    auto type = cast<RankedTensorType>(op.getResult().getType());
    SmallVector<OpFoldResult> sizes{
        tensor::getMixedSize(b, loc, op.getPlaces(), 0),
        tensor::getMixedSize(b, loc, op.getValues(), 1)};
    Value slots = tensor::DimOp::create(b, loc, op.getPlaces(), 1);
    RowVectors rows{b, loc};
    Value result = rows.forEachPanel(
        type, sizes, 1, panelParts * rows.lanes,
        [&](RowVectors &v, ValueRange at, Value column, bool partial,
            Value tile) {
          SmallVector<Value> sums(panelParts, v.splat(0));
          sums = v.nest(OpFoldResult(slots), sums,
                        [&](RowVectors &in, ValueRange slot, ValueRange now) {
                          return addRow(in, op, {at[0], slot[0]}, column,
                                        partial, now);
                        });
          for (auto [part, sum] : llvm::enumerate(sums))
            tile = v.write(sum, tile, v.index(part * v.lanes), partial);
          return tile;
        });
    op.replaceAllUsesWith(result);
    op.erase();
  }

  /// `sums` with the row of the token and slot `at`.
  static SmallVector<Value> addRow(RowVectors &v, CombineOp op, ValueRange at,
                                   Value column, bool partial,
                                   ValueRange sums) {
    auto element = [&](Value tensor) {
      return tensor::ExtractOp::create(v.b, v.loc, tensor, at);
    };
    Value row = arith::IndexCastOp::create(v.b, v.loc, v.b.getIndexType(),
                                           element(op.getPlaces()));
    Value weight = v.broadcast(element(op.getWeights()));
    SmallVector<Value> next;
    for (auto [part, sum] : llvm::enumerate(sums)) {
      Value value =
          v.read(op.getValues(), {row, v.after(column, part)}, partial);
      next.push_back(vector::FMAOp::create(v.b, v.loc, weight, value, sum));
    }
    return next;
  }
};

} // namespace
