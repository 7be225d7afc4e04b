//===- LowerNorm.cpp - rms_norm in vectors --------------------------------===//
//
// See Passes.td. A row's sum of squares is kept in 4 vectors of 16 lanes,
// added as a tree at the end: one order for every machine and company.
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

constexpr int64_t sums = 4;

struct LowerNorm : ds::impl::LowerNormBase<LowerNorm> {
  void runOnOperation() override {
    SmallVector<RmsNormOp> ops;
    getOperation()->walk([&](RmsNormOp op) {
      auto type = llvm::cast<RankedTensorType>(op.getInput().getType());
      Type weight =
          cast<RankedTensorType>(op.getWeight().getType()).getElementType();
      auto result = cast<RankedTensorType>(op.getResult().getType());
      if (type.getRank() >= 2 && !type.isDynamicDim(type.getRank() - 1) &&
          result.getShape().back() == type.getShape().back() &&
          RowVectors::isSupported(type.getElementType()) &&
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
    int64_t length = type.getShape().back();
    Value result = rows.forEachRow(
        type, input, 1, [&](RowVectors &r, ValueRange at, Value row) {
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
  static Value scaleOf(RowVectors &r, RmsNormOp op, int64_t length,
                       llvm::function_ref<SmallVector<Value>(Value)> here) {
    OpBuilder &b = r.b;
    Location loc = r.loc;
    auto addSquare = [&](RowVectors &v, Value sum, Value offset, bool partial) {
      Value x = v.read(op.getInput(), here(offset), partial);
      return vector::FMAOp::create(v.b, v.loc, x, x, sum).getResult();
    };
    SmallVector<Value> parts(sums, r.splat(0));
    int64_t block = sums * r.lanes, whole = length / block * block;
    if (whole > 0) {
      auto loop = scf::ForOp::create(
          b, loc, r.index(0), r.index(whole), r.index(block), parts,
          [&](OpBuilder &inner, Location l, Value offset, ValueRange carried) {
            RowVectors v{inner, l, r.lanes};
            SmallVector<Value> next;
            for (int64_t i = 0; i < sums; ++i) {
              Value at =
                  arith::AddIOp::create(inner, l, offset, v.index(i * r.lanes));
              next.push_back(addSquare(v, carried[i], at, false));
            }
            scf::YieldOp::create(inner, l, next);
          });
      parts.assign(loop.result_begin(), loop.result_end());
    }
    for (int64_t i = 0; whole + i * r.lanes < length; ++i) {
      int64_t at = whole + i * r.lanes;
      parts[i] = addSquare(r, parts[i], r.index(at),
                           /*partial=*/at + r.lanes > length);
    }
    for (int64_t half = sums / 2; half >= 1; half /= 2)
      for (int64_t i = 0; i < half; ++i)
        parts[i] = arith::AddFOp::create(b, loc, parts[i], parts[half + i]);
    Value total = vector::ExtractOp::create(
        b, loc, sumOfLanes(b, loc, parts[0]), ArrayRef<int64_t>{0});
    auto number = [&](double value) -> Value {
      return arith::ConstantOp::create(b, loc, b.getF32FloatAttr(float(value)));
    };
    Value mean = arith::DivFOp::create(b, loc, total, number(length));
    Value root = math::SqrtOp::create(
        b, loc,
        arith::AddFOp::create(b, loc, mean,
                              number(op.getEpsilon().convertToDouble())));
    return r.broadcast(arith::DivFOp::create(b, loc, number(1), root));
  }
};

} // namespace
