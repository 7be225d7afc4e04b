//===- LowerNorm.cpp - rms_norm in vectors --------------------------------===//
//
// See Passes.td.
//
//===----------------------------------------------------------------------===//
#include "lowering/LinalgToCPU/RowVectors.h"
#include "lowering/LinalgToCPU/VectorMath.h"
#include "mlir/Dialect/Math/IR/Math.h"

namespace mlir::ds {
#define GEN_PASS_DEF_LOWERNORM
#include "lowering/LinalgToCPU/Passes.h.inc"
} // namespace mlir::ds

using namespace mlir;
using namespace mlir::ds;

namespace {

struct LowerNorm : ds::impl::LowerNormBase<LowerNorm> {
  void runOnOperation() override {
    SmallVector<RmsNormOp> ops;
    getOperation()->walk([&](RmsNormOp op) {
      auto type = llvm::cast<RankedTensorType>(op.getInput().getType());
      Type weight =
          cast<RankedTensorType>(op.getWeight().getType()).getElementType();
      auto result = cast<RankedTensorType>(op.getResult().getType());
      if (RowVectors::isSupported(type.getElementType()) &&
          RowVectors::isSupported(weight) &&
          RowVectors::isSupported(result.getElementType()))
        ops.push_back(op);
    });
    for (RmsNormOp op : ops)
      lower(op);
  }

private:
  static void lower(RmsNormOp op) {
    OpBuilder builder(op);
    RowVectors rows{builder, op.getLoc()};
    Value input = op.getInput();
    Value output = op.getResult();
    Type element =
        llvm::cast<RankedTensorType>(output.getType()).getElementType();
    // A cast of nothing but this norm is written at once.
    CastOp cast;
    if (output.hasOneUse())
      cast = dyn_cast<CastOp>(*output.user_begin());
    if (cast && element.isF32() &&
        RowVectors::isSupported(getElementTypeOrSelf(cast.getType())))
      output = cast.getResult();
    auto type = llvm::cast<RankedTensorType>(output.getType());
    SmallVector<OpFoldResult> sizes =
        tensor::getMixedSizes(builder, op.getLoc(), input);
    OpFoldResult length = sizes.back();
    Value result = rows.forEachRow(
        type, sizes, 1, [&](RowVectors &r, ValueRange at, Value row) {
          auto here = [&](Value offset) {
            SmallVector<Value> where(at);
            where.push_back(offset);
            return where;
          };
          Value scale = scaleOf(r, op, length, here);
          return r
              .along(length, row,
                     [&](RowVectors &v, Value offset, bool partial,
                         ValueRange carried) -> SmallVector<Value> {
                       Value x = v.read(input, here(offset), partial);
                       x = arith::MulFOp::create(v.b, v.loc, x, scale);
                       if (op.getRoundBeforeWeight())
                         x = v.rounded(x, element);
                       Value w = v.read(op.getWeight(), offset, partial);
                       x = arith::MulFOp::create(v.b, v.loc, x, w);
                       return {v.write(x, carried[0], offset, partial)};
                     })
              .front();
        });
    output.replaceAllUsesWith(result);
    if (output != op.getResult())
      cast.erase();
    op.erase();
  }

  /// 1 / sqrt(mean of squares + ε), in every lane.
  static Value scaleOf(RowVectors &r, RmsNormOp op, OpFoldResult length,
                       llvm::function_ref<SmallVector<Value>(Value)> here) {
    OpBuilder &b = r.b;
    Location loc = r.loc;
    Value total =
        r.fold(
             length, r.splat(0),
             [&](RowVectors &v, ValueRange sum, ValueRange at, bool partial,
                 MutableArrayRef<Value>) -> SmallVector<Value> {
               Value x = v.read(op.getInput(), here(at[0]), partial);
               return {vector::FMAOp::create(v.b, v.loc, x, x, sum[0])};
             },
             [&](ValueRange x, ValueRange y) -> SmallVector<Value> {
               return {arith::AddFOp::create(b, loc, x[0], y[0])};
             })
            .front();
    Value count = getValueOrCreateConstantIndexOp(b, loc, length);
    count = arith::IndexCastUIOp::create(b, loc, b.getI64Type(), count);
    count = arith::UIToFPOp::create(b, loc, b.getF32Type(), count);
    auto number = [&](double value) -> Value {
      return arith::ConstantOp::create(b, loc, b.getF32FloatAttr(float(value)));
    };
    Value mean = arith::DivFOp::create(b, loc, r.first(total), count);
    Value root = math::SqrtOp::create(
        b, loc,
        arith::AddFOp::create(b, loc, mean,
                              number(op.getEpsilon().convertToDouble())));
    return r.broadcast(arith::DivFOp::create(b, loc, number(1), root));
  }
};

} // namespace
