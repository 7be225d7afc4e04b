//===- LowerElementwise.cpp - elementwise, cast, broadcast, dequantize ----===//
#include "lowering/DsToLinalg/Helpers.h"

using namespace mlir;
using namespace mlir::ds;

/// The map of an operand that broadcasts statically to `rank` dimensions.
static AffineMap broadcastMap(OpBuilder &b, RankedTensorType type,
                              RankedTensorType result) {
  int64_t missing = result.getRank() - type.getRank();
  SmallVector<AffineExpr> exprs;
  for (int64_t d = 0; d < type.getRank(); ++d)
    exprs.push_back(type.getDimSize(d) == 1 &&
                            result.getDimSize(d + missing) != 1
                        ? b.getAffineConstantExpr(0)
                        : b.getAffineDimExpr(d + missing));
  return AffineMap::get(result.getRank(), 0, exprs, b.getContext());
}

/// Sizes of a result whose operands broadcast statically.
static Sizes broadcastSizes(OpBuilder &b, Location loc, RankedTensorType result,
                            ValueRange operands) {
  Sizes sizes;
  for (int64_t d = 0; d < result.getRank(); ++d) {
    if (!result.isDynamicDim(d)) {
      sizes.push_back(b.getIndexAttr(result.getDimSize(d)));
      continue;
    }
    for (Value operand : operands) {
      RankedTensorType type = tensorType(operand);
      int64_t own = d - (result.getRank() - type.getRank());
      if (own >= 0 && type.isDynamicDim(own)) {
        sizes.push_back(
            tensor::DimOp::create(b, loc, operand, own).getResult());
        break;
      }
    }
  }
  return sizes;
}

/// Replaces `op`, which gives each element another type, by `convert` of each;
/// by its input where both are the same without their signs.
static void
retype(ConversionPatternRewriter &rewriter, Operation *op, Value input,
       llvm::function_ref<Value(OpBuilder &, Location, Value)> convert) {
  Location loc = op->getLoc();
  Type to = signless(elementOf(op->getResult(0)));
  if (elementOf(input) == to)
    return rewriter.replaceOp(op, input);
  AffineMap map = rewriter.getMultiDimIdentityMap(tensorType(input).getRank());
  rewriter.replaceOp(
      op, mapElements(rewriter, loc,
                      tensor::getMixedSizes(rewriter, loc, input), to, input,
                      map, [&](OpBuilder &b, Location at, ValueRange args) {
                        return convert(b, at, args[0]);
                      }));
}

namespace {

struct LowerElementwise : OpConversionPattern<ElementwiseOp> {
  using OpConversionPattern::OpConversionPattern;
  LogicalResult
  matchAndRewrite(ElementwiseOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    RankedTensorType result = tensorType(op.getResult());
    Sizes sizes =
        broadcastSizes(rewriter, op.getLoc(), result, adaptor.getOperands());
    if (int64_t(sizes.size()) != result.getRank())
      return rewriter.notifyMatchFailure(op, "a size comes from nowhere");
    SmallVector<AffineMap> maps;
    for (Value operand : adaptor.getOperands())
      maps.push_back(broadcastMap(rewriter, tensorType(operand), result));
    Value signOf = op.getOperands().front();
    if (op.getKind() == ElementwiseKind::Select)
      signOf = op.getOperands()[1];
    rewriter.replaceOp(
        op,
        mapElements(rewriter, op.getLoc(), sizes,
                    signless(result.getElementType()), adaptor.getOperands(),
                    maps, [&](OpBuilder &b, Location loc, ValueRange args) {
                      return scalarElementwise(b, loc, op.getKind(), args,
                                               isUnsigned(signOf));
                    }));
    return success();
  }
};

struct LowerCast : OpConversionPattern<CastOp> {
  using OpConversionPattern::OpConversionPattern;
  LogicalResult
  matchAndRewrite(CastOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    Type from = elementOf(op.getInput()), to = elementOf(op.getResult());
    retype(rewriter, op, adaptor.getInput(),
           [&](OpBuilder &b, Location loc, Value x) {
             return scalarCast(b, loc, x, from, to, op.getSaturate());
           });
    return success();
  }
};

struct LowerBitcast : OpConversionPattern<BitcastOp> {
  using OpConversionPattern::OpConversionPattern;
  LogicalResult
  matchAndRewrite(BitcastOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    Type to = signless(elementOf(op.getResult()));
    if (to == tensorType(adaptor.getInput()).getElementType()) {
      rewriter.replaceOp(op, adaptor.getInput());
      return success();
    }
    retype(rewriter, op, adaptor.getInput(),
           [&](OpBuilder &b, Location loc, Value x) -> Value {
             return arith::BitcastOp::create(b, loc, to, x);
           });
    return success();
  }
};

struct LowerRequire : OpConversionPattern<RequireOp> {
  using OpConversionPattern::OpConversionPattern;
  LogicalResult
  matchAndRewrite(RequireOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    Location loc = op.getLoc();
    Value holds = adaptor.getCondition();
    Value fails = arith::XOrIOp::create(
        rewriter, loc, holds, number(rewriter, loc, rewriter.getI1Type(), 1));
    reportIndex(rewriter, loc, fails);
    rewriter.replaceOpWithNewOp<arith::SelectOp>(op, holds, adaptor.getSize(),
                                                 index(rewriter, loc, 0));
    return success();
  }
};

struct LowerBroadcast : OpConversionPattern<BroadcastOp> {
  using OpConversionPattern::OpConversionPattern;
  LogicalResult
  matchAndRewrite(BroadcastOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    RankedTensorType result = tensorType(op.getResult());
    Value input = adaptor.getInput();
    RankedTensorType type = tensorType(input);
    Location loc = op.getLoc();
    Sizes sizes = sizesFrom(rewriter, result, adaptor.getDims());
    if (type.hasStaticShape()) {
      rewriter.replaceOp(
          op, mapElements(rewriter, loc, sizes, type.getElementType(), input,
                          broadcastMap(rewriter, type, result),
                          [](OpBuilder &, Location, ValueRange args) {
                            return args[0];
                          }));
      return success();
    }
    // A size known only at run time may be 1 there.
    int64_t missing = result.getRank() - type.getRank();
    SmallVector<Value> repeats(type.getRank());
    Value one = index(rewriter, loc, 1);
    for (int64_t d = 0; d < type.getRank(); ++d)
      if (type.isDynamicDim(d))
        repeats[d] = arith::CmpIOp::create(
            rewriter, loc, arith::CmpIPredicate::eq,
            tensor::DimOp::create(rewriter, loc, input, d), one);
    rewriter.replaceOp(
        op, generate(rewriter, loc, sizes, type.getElementType(),
                     [&](OpBuilder &b, Location at, ArrayRef<Value> ivs) {
                       Value zero = index(b, at, 0);
                       SmallVector<Value> source;
                       for (int64_t d = 0; d < type.getRank(); ++d) {
                         Value iv = ivs[d + missing];
                         if (type.getDimSize(d) == 1)
                           iv = zero;
                         else if (repeats[d])
                           iv = arith::SelectOp::create(b, at, repeats[d], zero,
                                                        iv);
                         source.push_back(iv);
                       }
                       return tensor::ExtractOp::create(b, at, input, source);
                     }));
    return success();
  }
};

struct LowerDequantize : OpConversionPattern<DequantizeOp> {
  using OpConversionPattern::OpConversionPattern;
  LogicalResult
  matchAndRewrite(DequantizeOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    Location loc = op.getLoc();
    Type from = elementOf(op.getInput()), to = elementOf(op.getResult());
    Type scaleType = elementOf(op.getScale());
    Type f32 = rewriter.getF32Type();
    int64_t scaleRank = tensorType(adaptor.getScale()).getRank();
    int64_t axis = op.getAxis(), block = op.getBlockSize();
    bool integers = isa<IntegerType>(from);
    Sizes sizes = tensor::getMixedSizes(rewriter, loc, adaptor.getInput());
    rewriter.replaceOp(
        op,
        generate(rewriter, loc, sizes, to,
                 [&](OpBuilder &b, Location at, ArrayRef<Value> ivs) -> Value {
                   SmallVector<Value> where;
                   if (block > 0 && scaleRank > 0) {
                     where.assign(ivs.begin(), ivs.end());
                     where[axis] = arith::DivUIOp::create(b, at, ivs[axis],
                                                          index(b, at, block));
                   } else if (scaleRank == 1) {
                     where.push_back(ivs[axis]);
                   }
                   Value x = tensor::ExtractOp::create(b, at,
                                                       adaptor.getInput(), ivs);
                   // The difference of integers is exact in i32.
                   Type wide = integers ? Type(b.getI32Type()) : f32;
                   x = scalarCast(b, at, x, from, wide);
                   if (adaptor.getZeroPoint()) {
                     Value zero = tensor::ExtractOp::create(
                         b, at, adaptor.getZeroPoint(), where);
                     zero = scalarCast(b, at, zero,
                                       elementOf(op.getZeroPoint()), wide);
                     x = scalarElementwise(b, at, ElementwiseKind::Sub,
                                           {x, zero}, false);
                   }
                   x = scalarCast(b, at, x, wide, f32);
                   Value scale = tensor::ExtractOp::create(
                       b, at, adaptor.getScale(), where);
                   scale = scalarCast(b, at, scale, scaleType, f32);
                   Value product = arith::MulFOp::create(b, at, x, scale);
                   return scalarCast(b, at, product, f32, to);
                 }));
    return success();
  }
};

struct LowerDequantizeBlocks : OpConversionPattern<DequantizeBlocksOp> {
  using OpConversionPattern::OpConversionPattern;
  LogicalResult
  matchAndRewrite(DequantizeBlocksOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    Location loc = op.getLoc();
    Type from = elementOf(op.getInput()), to = elementOf(op.getResult()),
         scaleType = elementOf(op.getScale()), f32 = rewriter.getF32Type();
    Sizes sizes = tensor::getMixedSizes(rewriter, loc, adaptor.getInput());
    rewriter.replaceOp(
        op,
        generate(rewriter, loc, sizes, to,
                 [&](OpBuilder &b, Location at, ArrayRef<Value> ivs) -> Value {
                   SmallVector<Value> block(ivs);
                   for (auto [i, step] : llvm::zip_equal(
                            MutableArrayRef<Value>(block).take_back(2),
                            op.getBlock()))
                     i = arith::DivUIOp::create(b, at, i, index(b, at, step));
                   Value x = tensor::ExtractOp::create(b, at,
                                                       adaptor.getInput(), ivs);
                   Value scale = tensor::ExtractOp::create(
                       b, at, adaptor.getScale(), block);
                   x = scalarCast(b, at, x, from, f32);
                   scale = scalarCast(b, at, scale, scaleType, f32);
                   Value product = arith::MulFOp::create(b, at, x, scale);
                   return scalarCast(b, at, product, f32, to);
                 }));
    return success();
  }
};

} // namespace

void mlir::ds::populateElementwise(RewritePatternSet &patterns,
                                   TypeConverter &types) {
  patterns.add<LowerElementwise, LowerCast, LowerBitcast, LowerRequire,
               LowerBroadcast, LowerDequantize, LowerDequantizeBlocks>(
      types, patterns.getContext());
}
