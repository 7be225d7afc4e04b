//===- LowerReductions.cpp - reductions, running sums, softmax, matmul ----===//
#include "lowering/DsToLinalg/Helpers.h"

using namespace mlir;
using namespace mlir::ds;
using utils::IteratorType;

/// Reduces `input` along `axes` in the accumulator's type; the axes go.
static Value
reduceAlong(OpBuilder &b, Location loc, ReduceKind kind, Value input,
            ArrayRef<int64_t> axes, Type element, bool isUnsigned,
            llvm::function_ref<Value(OpBuilder &, Location, Value)> transform =
                nullptr) {
  RankedTensorType type = tensorType(input);
  Sizes all = tensor::getMixedSizes(b, loc, input), kept;
  SmallVector<AffineExpr> exprs;
  SmallVector<IteratorType> iterators;
  for (int64_t d = 0; d < type.getRank(); ++d) {
    bool reduced = llvm::is_contained(axes, d);
    iterators.push_back(reduced ? IteratorType::reduction
                                : IteratorType::parallel);
    if (reduced)
      continue;
    kept.push_back(all[d]);
    exprs.push_back(b.getAffineDimExpr(d));
  }
  Type wide = accumulatorType(signless(element));
  Value init = filled(b, loc, kept, neutral(b, loc, kind, wide, isUnsigned));
  SmallVector<AffineMap> maps{
      b.getMultiDimIdentityMap(type.getRank()),
      AffineMap::get(type.getRank(), 0, exprs, b.getContext())};
  return linalg::GenericOp::create(
             b, loc, TypeRange{init.getType()}, ValueRange{input},
             ValueRange{init}, maps, iterators,
             [&](OpBuilder &nested, Location at, ValueRange args) {
               Value x = scalarCast(nested, at, args[0], element,
                                    isa<FloatType>(element) ? wide : element);
               if (transform)
                 x = transform(nested, at, x);
               linalg::YieldOp::create(
                   nested, at,
                   combine(nested, at, kind, args[1], x, isUnsigned));
             })
      .getResult(0);
}

/// Elementwise cast of a whole tensor.
static Value castTensor(OpBuilder &b, Location loc, Value value, Type to) {
  Type from = tensorType(value).getElementType();
  if (from == to)
    return value;
  AffineMap map = b.getMultiDimIdentityMap(tensorType(value).getRank());
  return mapElements(b, loc, tensor::getMixedSizes(b, loc, value), to, value,
                     map, [&](OpBuilder &nested, Location at, ValueRange args) {
                       return scalarCast(nested, at, args[0], from, to);
                     });
}

/// `value` with unit dimensions put back where `axes` were.
static Value restoreDims(OpBuilder &b, Location loc, Value value,
                         ArrayRef<int64_t> axes, RankedTensorType result) {
  Sizes sizes;
  auto type = RankedTensorType::get(result.getShape(),
                                    tensorType(value).getElementType());
  if (tensorType(value).getRank() == 0)
    return tensor::ExpandShapeOp::create(b, loc, type, value,
                                         ArrayRef<ReassociationIndices>());
  SmallVector<ReassociationIndices> groups(tensorType(value).getRank());
  int64_t source = 0;
  for (int64_t d = 0; d < result.getRank(); ++d) {
    bool unit = llvm::is_contained(axes, d);
    // Leading units join the first group, others the one before.
    int64_t group = unit ? std::max<int64_t>(source - 1, 0) : source++;
    groups[group].push_back(d);
    sizes.push_back(unit ? OpFoldResult(b.getIndexAttr(1))
                         : tensor::getMixedSize(b, loc, value, source - 1));
  }
  return tensor::ExpandShapeOp::create(b, loc, type, value, groups, sizes);
}

namespace {

struct LowerReduce : OpConversionPattern<ReduceOp> {
  using OpConversionPattern::OpConversionPattern;
  LogicalResult
  matchAndRewrite(ReduceOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    Location loc = op.getLoc();
    Value result = reduceAlong(rewriter, loc, op.getKind(), adaptor.getInput(),
                               op.getAxes(), elementOf(op.getInput()),
                               isUnsigned(op.getInput()));
    result =
        castTensor(rewriter, loc, result, signless(elementOf(op.getResult())));
    if (op.getKeepdims())
      result = restoreDims(rewriter, loc, result, op.getAxes(),
                           tensorType(op.getResult()));
    rewriter.replaceOp(op, result);
    return success();
  }
};

struct LowerArgReduce : OpConversionPattern<ArgReduceOp> {
  using OpConversionPattern::OpConversionPattern;
  LogicalResult
  matchAndRewrite(ArgReduceOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    Location loc = op.getLoc();
    Value input = adaptor.getInput();
    int64_t axis = op.getAxis();
    Sizes sizes = tensor::getMixedSizes(rewriter, loc, input);
    sizes[axis] = rewriter.getIndexAttr(1);
    Value length = tensor::DimOp::create(rewriter, loc, input, axis);
    ElementwiseKind better =
        op.getKind() == ReduceKind::Max
            ? (op.getSelectLast() ? ElementwiseKind::Ge : ElementwiseKind::Gt)
            : (op.getSelectLast() ? ElementwiseKind::Le : ElementwiseKind::Lt);
    rewriter.replaceOp(
        op,
        generate(
            rewriter, loc, sizes, rewriter.getI64Type(),
            [&](OpBuilder &b, Location at, ArrayRef<Value> ivs) -> Value {
              SmallVector<Value> where(ivs);
              Value zero = index(b, at, 0), one = index(b, at, 1);
              where[axis] = zero;
              // Carried in f32 where narrower: a bf16 that lives across a
              // loop is a call of a library to older processors.
              auto element = [&](OpBuilder &inner, Location l) {
                Value x = tensor::ExtractOp::create(inner, l, input, where);
                Type type = x.getType();
                return isa<FloatType>(type) ? scalarCast(inner, l, x, type,
                                                         accumulatorType(type))
                                            : x;
              };
              Value first = element(b, at);
              auto loop = scf::ForOp::create(
                  b, at, one, length, one, ValueRange{first, zero},
                  [&](OpBuilder &nested, Location l, Value i,
                      ValueRange carried) {
                    where[axis] = i;
                    Value x = element(nested, l);
                    Value wins =
                        scalarElementwise(nested, l, better, {x, carried[0]},
                                          isUnsigned(op.getInput()));
                    scf::YieldOp::create(
                        nested, l,
                        ValueRange{arith::SelectOp::create(nested, l, wins, x,
                                                           carried[0]),
                                   arith::SelectOp::create(nested, l, wins, i,
                                                           carried[1])});
                  });
              return arith::IndexCastOp::create(b, at, b.getI64Type(),
                                                loop.getResult(1));
            }));
    return success();
  }
};

struct LowerCumulative : OpConversionPattern<CumulativeOp> {
  using OpConversionPattern::OpConversionPattern;
  LogicalResult
  matchAndRewrite(CumulativeOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    Location loc = op.getLoc();
    Value input = adaptor.getInput();
    int64_t axis = op.getAxis();
    Type element = tensorType(input).getElementType(),
         wide = accumulatorType(element);
    Sizes outer = tensor::getMixedSizes(rewriter, loc, input);
    Value init = empty(rewriter, loc, outer, element);
    Value length = asIndex(rewriter, loc, outer[axis]);
    outer[axis] = rewriter.getIndexAttr(1);
    Value start =
        neutral(rewriter, loc, op.getKind(), wide, isUnsigned(op.getInput()));
    auto result = loopNest(
        rewriter, loc, outer, init,
        [&](OpBuilder &b, Location at, ArrayRef<Value> ivs,
            ValueRange carried) -> SmallVector<Value> {
          Value zero = index(b, at, 0), one = index(b, at, 1);
          auto loop = scf::ForOp::create(
              b, at, zero, length, one, ValueRange{carried[0], start},
              [&](OpBuilder &nested, Location l, Value i, ValueRange inner) {
                SmallVector<Value> where(ivs);
                where[axis] = i;
                if (op.getReverse()) {
                  Value last = arith::SubIOp::create(nested, l, length, one);
                  where[axis] = arith::SubIOp::create(nested, l, last, i);
                }
                Value x = tensor::ExtractOp::create(nested, l, input, where);
                x = scalarCast(nested, l, x, element, wide);
                Value sum = combine(nested, l, op.getKind(), inner[1], x,
                                    isUnsigned(op.getInput()));
                Value written = op.getExclusive() ? inner[1] : sum;
                written = scalarCast(nested, l, written, wide, element);
                Value next = tensor::InsertOp::create(nested, l, written,
                                                      inner[0], where);
                scf::YieldOp::create(nested, l, ValueRange{next, sum});
              });
          return {loop.getResult(0)};
        });
    rewriter.replaceOp(op, result[0]);
    return success();
  }
};

struct LowerMatmul : OpConversionPattern<MatmulOp> {
  using OpConversionPattern::OpConversionPattern;
  LogicalResult
  matchAndRewrite(MatmulOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    Location loc = op.getLoc();
    Value lhs = adaptor.getLhs(), rhs = adaptor.getRhs();
    RankedTensorType l = tensorType(lhs), r = tensorType(rhs),
                     result = tensorType(op.getResult());
    int64_t rank = result.getRank();
    Type element = signless(result.getElementType()),
         wide = accumulatorType(element);
    // Loops: batch…, m, n, k.
    Sizes sizes;
    for (int64_t d = 0; d < rank; ++d) {
      if (!result.isDynamicDim(d)) {
        sizes.push_back(rewriter.getIndexAttr(result.getDimSize(d)));
        continue;
      }
      int64_t own = d - (rank - l.getRank());
      if (d != rank - 1 && own >= 0 && l.isDynamicDim(own))
        sizes.push_back(tensor::getMixedSize(rewriter, loc, lhs, own));
      else
        sizes.push_back(
            tensor::getMixedSize(rewriter, loc, rhs, d - (rank - r.getRank())));
    }
    auto mapOf = [&](RankedTensorType type, AffineExpr row, AffineExpr column) {
      SmallVector<AffineExpr> exprs;
      int64_t missing = rank - type.getRank();
      for (int64_t d = 0; d + 2 < type.getRank(); ++d)
        exprs.push_back(type.getDimSize(d) == 1 &&
                                result.getDimSize(d + missing) != 1
                            ? rewriter.getAffineConstantExpr(0)
                            : rewriter.getAffineDimExpr(d + missing));
      exprs.push_back(row);
      exprs.push_back(column);
      return AffineMap::get(rank + 1, 0, exprs, rewriter.getContext());
    };
    AffineExpr m = rewriter.getAffineDimExpr(rank - 2),
               n = rewriter.getAffineDimExpr(rank - 1),
               k = rewriter.getAffineDimExpr(rank);
    SmallVector<AffineExpr> out;
    for (int64_t d = 0; d < rank; ++d)
      out.push_back(rewriter.getAffineDimExpr(d));
    SmallVector<AffineMap> maps{
        mapOf(l, m, k), mapOf(r, k, n),
        AffineMap::get(rank + 1, 0, out, rewriter.getContext())};
    SmallVector<IteratorType> iterators(rank, IteratorType::parallel);
    iterators.push_back(IteratorType::reduction);
    Type lhsType = elementOf(op.getLhs()), rhsType = elementOf(op.getRhs());
    Value init = filled(rewriter, loc, sizes, number(rewriter, loc, wide, 0));
    Value product = linalg::GenericOp::create(
                        rewriter, loc, TypeRange{init.getType()},
                        ValueRange{lhs, rhs}, ValueRange{init}, maps, iterators,
                        [&](OpBuilder &b, Location at, ValueRange args) {
                          Value x = scalarCast(b, at, args[0], lhsType, wide),
                                y = scalarCast(b, at, args[1], rhsType, wide);
                          Value term = scalarElementwise(
                              b, at, ElementwiseKind::Mul, {x, y}, false);
                          linalg::YieldOp::create(
                              b, at,
                              scalarElementwise(b, at, ElementwiseKind::Add,
                                                {args[2], term}, false));
                        })
                        .getResult(0);
    rewriter.replaceOp(op, castTensor(rewriter, loc, product, element));
    return success();
  }
};

struct LowerSoftmax : OpConversionPattern<SoftmaxOp> {
  using OpConversionPattern::OpConversionPattern;
  LogicalResult
  matchAndRewrite(SoftmaxOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    Location loc = op.getLoc();
    Value input = adaptor.getInput();
    int64_t axis = op.getAxis(), rank = tensorType(input).getRank();
    Type element = tensorType(input).getElementType(),
         wide = accumulatorType(element);
    Sizes sizes = tensor::getMixedSizes(rewriter, loc, input);
    SmallVector<AffineExpr> exprs;
    for (int64_t d = 0; d < rank; ++d)
      if (d != axis)
        exprs.push_back(rewriter.getAffineDimExpr(d));
    AffineMap all = rewriter.getMultiDimIdentityMap(rank),
              row = AffineMap::get(rank, 0, exprs, rewriter.getContext());
    Value top = reduceAlong(rewriter, loc, ReduceKind::Max, input, axis,
                            element, false);
    Value shifted =
        mapElements(rewriter, loc, sizes, wide, {input, top}, {all, row},
                    [&](OpBuilder &b, Location at, ValueRange args) -> Value {
                      Value x = scalarCast(b, at, args[0], element, wide);
                      return arith::SubFOp::create(b, at, x, args[1]);
                    });
    auto exponential = [](OpBuilder &b, Location at, Value x) -> Value {
      return math::ExpOp::create(b, at, x);
    };
    Value result;
    if (op.getLog()) {
      Value sum = reduceAlong(rewriter, loc, ReduceKind::Sum, shifted, axis,
                              wide, false, exponential);
      result =
          mapElements(rewriter, loc, sizes, element, {shifted, sum}, {all, row},
                      [&](OpBuilder &b, Location at, ValueRange args) -> Value {
                        Value log = math::LogOp::create(b, at, args[1]);
                        Value y = arith::SubFOp::create(b, at, args[0], log);
                        return scalarCast(b, at, y, wide, element);
                      });
    } else {
      Value powers =
          mapElements(rewriter, loc, sizes, wide, shifted, all,
                      [&](OpBuilder &b, Location at, ValueRange args) {
                        return exponential(b, at, args[0]);
                      });
      Value sum = reduceAlong(rewriter, loc, ReduceKind::Sum, powers, axis,
                              wide, false);
      result =
          mapElements(rewriter, loc, sizes, element, {powers, sum}, {all, row},
                      [&](OpBuilder &b, Location at, ValueRange args) -> Value {
                        Value y =
                            arith::DivFOp::create(b, at, args[0], args[1]);
                        return scalarCast(b, at, y, wide, element);
                      });
    }
    rewriter.replaceOp(op, result);
    return success();
  }
};

} // namespace

void mlir::ds::populateReductions(RewritePatternSet &patterns,
                                  TypeConverter &types) {
  patterns.add<LowerReduce, LowerArgReduce, LowerCumulative, LowerMatmul,
               LowerSoftmax>(types, patterns.getContext());
}
