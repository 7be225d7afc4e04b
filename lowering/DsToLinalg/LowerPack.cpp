//===- LowerPack.cpp - weights into panels --------------------------------===//
#include "lowering/DsToLinalg/Helpers.h"

using namespace mlir;
using namespace mlir::ds;

namespace {

struct LowerPack : OpConversionPattern<PackOp> {
  using OpConversionPattern::OpConversionPattern;
  LogicalResult
  matchAndRewrite(PackOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    Location loc = op.getLoc();
    Value weight = adaptor.getWeight();
    RankedTensorType from = tensorType(weight), to = tensorType(op.getResult());
    int64_t rows = from.getShape().end()[-2], columns = from.getShape().back(),
            p = PackOp::interleaving(to);
    Type element = from.getElementType();
    rewriter.replaceOp(
        op,
        generate(
            rewriter, loc, tensor::getMixedSizes(rewriter, loc, op.getResult()),
            element,
            [&](OpBuilder &b, Location l, ArrayRef<Value> ivs) -> Value {
              auto affine = [&](Value a, int64_t scale, Value x) -> Value {
                return arith::AddIOp::create(
                    b, l, arith::MulIOp::create(b, l, a, index(b, l, scale)),
                    x);
              };
              Value step = index(b, l, p);
              ArrayRef<Value> panel = ivs.take_back(3);
              Value n = affine(panel[0], PackOp::panelRows,
                               arith::DivUIOp::create(b, l, panel[2], step)),
                    k = affine(panel[1], p,
                               arith::RemUIOp::create(b, l, panel[2], step));
              // Beyond the end: any element, then 0 instead.
              auto inside = [&](Value i, int64_t size) -> Value {
                return arith::CmpIOp::create(b, l, arith::CmpIPredicate::ult, i,
                                             index(b, l, size));
              };
              auto clamped = [&](Value i, int64_t size) -> Value {
                return arith::MinUIOp::create(b, l, i, index(b, l, size - 1));
              };
              // Behind the expert, if there is one.
              SmallVector<Value> at(ivs.drop_back(3));
              at.append({clamped(n, rows), clamped(k, columns)});
              Value x = tensor::ExtractOp::create(b, l, weight, at);
              Value zero = arith::ConstantOp::create(b, l, element,
                                                     b.getZeroAttr(element));
              Value exists = arith::AndIOp::create(b, l, inside(n, rows),
                                                   inside(k, columns));
              return arith::SelectOp::create(b, l, exists, x, zero);
            }));
    return success();
  }
};

} // namespace

void mlir::ds::populatePack(RewritePatternSet &patterns, TypeConverter &types) {
  patterns.add<LowerPack>(types, patterns.getContext());
}
