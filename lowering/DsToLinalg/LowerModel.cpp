//===- LowerModel.cpp - embedding, norm, RoPE, linear, SwiGLU, positions --===//
#include "lowering/DsToLinalg/Helpers.h"

using namespace mlir;
using namespace mlir::ds;
using utils::IteratorType;

namespace {

struct LowerEmbedding : OpConversionPattern<EmbeddingOp> {
  using OpConversionPattern::OpConversionPattern;
  LogicalResult
  matchAndRewrite(EmbeddingOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    Location loc = op.getLoc();
    Value ids = adaptor.getIds(), table = adaptor.getTable();
    Sizes sizes = tensor::getMixedSizes(rewriter, loc, ids);
    sizes.push_back(tensor::getMixedSize(rewriter, loc, table, 1));
    Value bound = tensor::DimOp::create(rewriter, loc, table, 0);
    Type from = elementOf(op.getTable()), to = elementOf(op.getResult());
    // One check an id, not one an element.
    Value checked =
        mapElements(rewriter, loc, ArrayRef<OpFoldResult>(sizes).drop_back(),
                    rewriter.getIndexType(), ids,
                    rewriter.getMultiDimIdentityMap(tensorType(ids).getRank()),
                    [&](OpBuilder &b, Location l, ValueRange args) {
                      return checkedIndex(b, l, args[0], bound);
                    });
    rewriter.replaceOp(
        op, generate(rewriter, loc, sizes, to,
                     [&](OpBuilder &b, Location l, ArrayRef<Value> ivs) {
                       Value row = tensor::ExtractOp::create(b, l, checked,
                                                             ivs.drop_back());
                       Value x = tensor::ExtractOp::create(
                           b, l, table, ValueRange{row, ivs.back()});
                       return scalarCast(b, l, x, from, to);
                     }));
    return success();
  }
};

struct LowerRmsNorm : OpConversionPattern<RmsNormOp> {
  using OpConversionPattern::OpConversionPattern;
  LogicalResult
  matchAndRewrite(RmsNormOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    Location loc = op.getLoc();
    Value input = adaptor.getInput(), weight = adaptor.getWeight();
    RankedTensorType type = tensorType(input);
    int64_t rank = type.getRank();
    Type f32 = rewriter.getF32Type();
    Type from = type.getElementType(), to = elementOf(op.getResult()),
         weightType = elementOf(op.getWeight());
    Type wide = from.isF64() ? from : f32;
    Sizes sizes = tensor::getMixedSizes(rewriter, loc, input);
    AffineMap all = rewriter.getMultiDimIdentityMap(rank),
              row = all.dropResult(rank - 1),
              column =
                  AffineMap::get(rank, 0, rewriter.getAffineDimExpr(rank - 1));
    SmallVector<IteratorType> iterators(rank, IteratorType::parallel);
    iterators.back() = IteratorType::reduction;
    Value init =
        filled(rewriter, loc, ArrayRef<OpFoldResult>(sizes).drop_back(),
               number(rewriter, loc, wide, 0));
    Value sum = linalg::GenericOp::create(
                    rewriter, loc, TypeRange{init.getType()}, ValueRange{input},
                    ValueRange{init}, ArrayRef<AffineMap>{all, row}, iterators,
                    [&](OpBuilder &b, Location l, ValueRange args) {
                      Value x = scalarCast(b, l, args[0], from, wide);
                      Value square = arith::MulFOp::create(b, l, x, x);
                      Value next = arith::AddFOp::create(b, l, args[1], square);
                      linalg::YieldOp::create(b, l, next);
                    })
                    .getResult(0);
    Value count =
        arith::IndexCastOp::create(rewriter, loc, rewriter.getI64Type(),
                                   asIndex(rewriter, loc, sizes.back()));
    count = arith::SIToFPOp::create(rewriter, loc, wide, count);
    Value epsilon =
        number(rewriter, loc, wide, op.getEpsilon().convertToDouble());
    Value one = number(rewriter, loc, wide, 1);
    // One root a row, not one an element.
    Value scale =
        mapElements(rewriter, loc, ArrayRef<OpFoldResult>(sizes).drop_back(),
                    wide, sum, rewriter.getMultiDimIdentityMap(rank - 1),
                    [&](OpBuilder &b, Location l, ValueRange args) -> Value {
                      Value mean = arith::DivFOp::create(b, l, args[0], count);
                      Value root = math::SqrtOp::create(
                          b, l, arith::AddFOp::create(b, l, mean, epsilon));
                      return arith::DivFOp::create(b, l, one, root);
                    });
    rewriter.replaceOp(
        op,
        mapElements(rewriter, loc, sizes, to, {input, scale, weight},
                    {all, row, column},
                    [&](OpBuilder &b, Location l, ValueRange args) -> Value {
                      Value x = scalarCast(b, l, args[0], from, wide);
                      Value normal = arith::MulFOp::create(b, l, x, args[1]);
                      if (op.getRoundBeforeWeight()) {
                        normal = scalarCast(b, l, normal, wide, to);
                        normal = scalarCast(b, l, normal, to, wide);
                      }
                      Value w = scalarCast(b, l, args[2], weightType, wide);
                      Value y = arith::MulFOp::create(b, l, normal, w);
                      return scalarCast(b, l, y, wide, to);
                    }));
    return success();
  }
};

struct LowerRope : OpConversionPattern<RopeOp> {
  using OpConversionPattern::OpConversionPattern;
  LogicalResult
  matchAndRewrite(RopeOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    Location loc = op.getLoc();
    Value input = adaptor.getInput();
    RankedTensorType type = tensorType(input);
    int64_t rank = type.getRank(), width = type.getShape().back();
    if (ShapedType::isDynamic(width))
      return rewriter.notifyMatchFailure(op, "the rotary width is dynamic");
    Type from = type.getElementType(), to = elementOf(op.getResult());
    Type wide = from.isF64() ? from : Type(rewriter.getF32Type());
    Type tableType = elementOf(op.getCos());
    using P = arith::CmpIPredicate;
    rewriter.replaceOp(
        op,
        generate(
            rewriter, loc, tensor::getMixedSizes(rewriter, loc, input), to,
            [&](OpBuilder &b, Location l, ArrayRef<Value> ivs) -> Value {
              Value i = ivs.back(), half = index(b, l, width / 2),
                    two = index(b, l, 2);
              // Which rotation and which member this element is.
              Value pair, isSecond;
              if (op.getLayoutOut() == RopeLayout::Halves) {
                isSecond = arith::CmpIOp::create(b, l, P::uge, i, half);
                pair = arith::SelectOp::create(
                    b, l, isSecond, arith::SubIOp::create(b, l, i, half), i);
              } else {
                Value rest = arith::RemUIOp::create(b, l, i, two);
                isSecond =
                    arith::CmpIOp::create(b, l, P::ne, rest, index(b, l, 0));
                pair = arith::DivUIOp::create(b, l, i, two);
              }
              Value first, second;
              if (op.getLayoutIn() == RopeLayout::Halves) {
                first = pair;
                second = arith::AddIOp::create(b, l, pair, half);
              } else {
                first = arith::MulIOp::create(b, l, pair, two);
                second = arith::AddIOp::create(b, l, first, index(b, l, 1));
              }
              auto element = [&](Value at) {
                SmallVector<Value> where(ivs.drop_back());
                where.push_back(at);
                Value x = tensor::ExtractOp::create(b, l, input, where);
                return scalarCast(b, l, x, from, wide);
              };
              auto table = [&](Value values) {
                // No head dimension.
                SmallVector<Value> where(ivs.take_front(rank - 2));
                where.push_back(pair);
                Value x = tensor::ExtractOp::create(b, l, values, where);
                return scalarCast(b, l, x, tableType, wide);
              };
              Value x = element(first), y = element(second);
              Value cos = table(adaptor.getCos()),
                    sin = table(adaptor.getSin());
              auto mul = [&](Value p, Value q) -> Value {
                return arith::MulFOp::create(b, l, p, q);
              };
              Value low = arith::SubFOp::create(b, l, mul(x, cos), mul(y, sin)),
                    high =
                        arith::AddFOp::create(b, l, mul(y, cos), mul(x, sin));
              Value result = arith::SelectOp::create(b, l, isSecond, high, low);
              return scalarCast(b, l, result, wide, to);
            }));
    return success();
  }
};

struct LowerLinear : OpConversionPattern<LinearOp> {
  using OpConversionPattern::OpConversionPattern;
  LogicalResult
  matchAndRewrite(LinearOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    Location loc = op.getLoc();
    Value input = adaptor.getInput(), weight = adaptor.getWeight();
    RankedTensorType type = tensorType(input);
    int64_t rank = type.getRank();
    Type from = type.getElementType(), to = elementOf(op.getResult()),
         weightType = elementOf(op.getWeight());
    Type wide = accumulatorType(from);
    Sizes sizes = tensor::getMixedSizes(rewriter, loc, input);
    sizes.back() = tensor::getMixedSize(rewriter, loc, weight, 0);
    // Loops: rows…, n, k.
    SmallVector<AffineExpr> x, y;
    for (int64_t d = 0; d + 1 < rank; ++d) {
      x.push_back(rewriter.getAffineDimExpr(d));
      y.push_back(rewriter.getAffineDimExpr(d));
    }
    AffineExpr n = rewriter.getAffineDimExpr(rank - 1),
               k = rewriter.getAffineDimExpr(rank);
    x.push_back(k);
    y.push_back(n);
    MLIRContext *context = rewriter.getContext();
    SmallVector<AffineMap> maps{
        AffineMap::get(rank + 1, 0, x, context),
        AffineMap::get(rank + 1, 0, ArrayRef<AffineExpr>{n, k}, context),
        AffineMap::get(rank + 1, 0, y, context)};
    SmallVector<IteratorType> iterators(rank, IteratorType::parallel);
    iterators.push_back(IteratorType::reduction);
    Value init = filled(rewriter, loc, sizes, number(rewriter, loc, wide, 0));
    Value product =
        linalg::GenericOp::create(
            rewriter, loc, TypeRange{init.getType()}, ValueRange{input, weight},
            ValueRange{init}, maps, iterators,
            [&](OpBuilder &b, Location l, ValueRange args) {
              Value p = scalarCast(b, l, args[0], from, wide),
                    q = scalarCast(b, l, args[1], weightType, wide);
              Value sum = arith::AddFOp::create(
                  b, l, args[2], arith::MulFOp::create(b, l, p, q));
              linalg::YieldOp::create(b, l, sum);
            })
            .getResult(0);
    AffineMap all = rewriter.getMultiDimIdentityMap(rank),
              column =
                  AffineMap::get(rank, 0, rewriter.getAffineDimExpr(rank - 1));
    if (adaptor.getBias()) {
      Type biasType = elementOf(op.getBias());
      product = mapElements(
          rewriter, loc, sizes, to, {product, adaptor.getBias()}, {all, column},
          [&](OpBuilder &b, Location l, ValueRange args) -> Value {
            Value bias = scalarCast(b, l, args[1], biasType, wide);
            Value sum = arith::AddFOp::create(b, l, args[0], bias);
            return scalarCast(b, l, sum, wide, to);
          });
    } else if (wide != to) {
      product = mapElements(rewriter, loc, sizes, to, product, all,
                            [&](OpBuilder &b, Location l, ValueRange args) {
                              return scalarCast(b, l, args[0], wide, to);
                            });
    }
    rewriter.replaceOp(op, product);
    return success();
  }
};

struct LowerSwiglu : OpConversionPattern<SwigluOp> {
  using OpConversionPattern::OpConversionPattern;
  LogicalResult
  matchAndRewrite(SwigluOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    Location loc = op.getLoc();
    Value gate = adaptor.getGate();
    Type element = tensorType(gate).getElementType(),
         wide = accumulatorType(element);
    AffineMap all = rewriter.getMultiDimIdentityMap(tensorType(gate).getRank());
    rewriter.replaceOp(
        op,
        mapElements(rewriter, loc, tensor::getMixedSizes(rewriter, loc, gate),
                    element, {gate, adaptor.getUp()}, {all, all},
                    [&](OpBuilder &b, Location l, ValueRange args) -> Value {
                      Value g = scalarCast(b, l, args[0], element, wide),
                            u = scalarCast(b, l, args[1], element, wide);
                      Value s = scalarElementwise(
                          b, l, ElementwiseKind::Sigmoid, g, false);
                      Value y = arith::MulFOp::create(
                          b, l, arith::MulFOp::create(b, l, g, s), u);
                      return scalarCast(b, l, y, wide, element);
                    }));
    return success();
  }
};

} // namespace

void mlir::ds::populateModel(RewritePatternSet &patterns,
                             TypeConverter &types) {
  patterns
      .add<LowerEmbedding, LowerRmsNorm, LowerRope, LowerLinear, LowerSwiglu>(
          types, patterns.getContext());
}
