//===- LowerIndexing.cpp - gather, scatter, top-k, nonzero ----------------===//
#include "lowering/DsToLinalg/Helpers.h"

using namespace mlir;
using namespace mlir::ds;

namespace {

struct LowerGather : OpConversionPattern<GatherOp> {
  using OpConversionPattern::OpConversionPattern;
  LogicalResult
  matchAndRewrite(GatherOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    Location loc = op.getLoc();
    Value input = adaptor.getInput(), indices = adaptor.getIndices();
    int64_t axis = op.getAxis(), depth = tensorType(indices).getRank();
    Sizes sizes = tensor::getMixedSizes(rewriter, loc, input);
    Value bound = asIndex(rewriter, loc, sizes[axis]);
    Sizes at = tensor::getMixedSizes(rewriter, loc, indices);
    sizes.erase(sizes.begin() + axis);
    sizes.insert(sizes.begin() + axis, at.begin(), at.end());
    rewriter.replaceOp(
        op, generate(rewriter, loc, sizes, tensorType(input).getElementType(),
                     [&](OpBuilder &b, Location l, ArrayRef<Value> ivs) {
                       Value i = tensor::ExtractOp::create(
                           b, l, indices, ivs.slice(axis, depth));
                       SmallVector<Value> source(ivs.take_front(axis));
                       source.push_back(checkedIndex(
                           b, l, i, bound, isUnsigned(op.getIndices())));
                       llvm::append_range(source, ivs.drop_front(axis + depth));
                       return tensor::ExtractOp::create(b, l, input, source);
                     }));
    return success();
  }
};

struct LowerGatherElements : OpConversionPattern<GatherElementsOp> {
  using OpConversionPattern::OpConversionPattern;
  LogicalResult
  matchAndRewrite(GatherElementsOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    Location loc = op.getLoc();
    Value input = adaptor.getInput(), indices = adaptor.getIndices();
    int64_t axis = op.getAxis();
    Value bound = tensor::DimOp::create(rewriter, loc, input, axis);
    rewriter.replaceOp(
        op,
        generate(rewriter, loc, tensor::getMixedSizes(rewriter, loc, indices),
                 tensorType(input).getElementType(),
                 [&](OpBuilder &b, Location l, ArrayRef<Value> ivs) {
                   SmallVector<Value> source(ivs);
                   Value i = tensor::ExtractOp::create(b, l, indices, ivs);
                   source[axis] = checkedIndex(b, l, i, bound);
                   return tensor::ExtractOp::create(b, l, input, source);
                 }));
    return success();
  }
};

/// The tuple of indices at `ivs` (without its last dimension) of ScatterND and
/// GatherND, behind `batch` leading dimensions.
SmallVector<Value> tupleAt(OpBuilder &b, Location loc, Value indices,
                           ArrayRef<Value> ivs, Value data, int64_t batch,
                           int64_t depth) {
  SmallVector<Value> result(ivs.take_front(batch));
  for (int64_t i = 0; i < depth; ++i) {
    SmallVector<Value> where(ivs);
    where.push_back(index(b, loc, i));
    Value raw = tensor::ExtractOp::create(b, loc, indices, where);
    Value bound = tensor::DimOp::create(b, loc, data, batch + i);
    result.push_back(checkedIndex(b, loc, raw, bound));
  }
  return result;
}

struct LowerGatherNd : OpConversionPattern<GatherNdOp> {
  using OpConversionPattern::OpConversionPattern;
  LogicalResult
  matchAndRewrite(GatherNdOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    Location loc = op.getLoc();
    Value input = adaptor.getInput(), indices = adaptor.getIndices();
    int64_t batch = op.getBatchDims();
    int64_t outer = tensorType(indices).getRank() - 1;
    int64_t depth = tensorType(indices).getShape().back();
    Sizes sizes = tensor::getMixedSizes(rewriter, loc, indices);
    sizes.pop_back();
    for (int64_t d = batch + depth; d < tensorType(input).getRank(); ++d)
      sizes.push_back(tensor::getMixedSize(rewriter, loc, input, d));
    rewriter.replaceOp(
        op, generate(rewriter, loc, sizes, tensorType(input).getElementType(),
                     [&](OpBuilder &b, Location l, ArrayRef<Value> ivs) {
                       SmallVector<Value> source =
                           tupleAt(b, l, indices, ivs.take_front(outer), input,
                                   batch, depth);
                       llvm::append_range(source, ivs.drop_front(outer));
                       return tensor::ExtractOp::create(b, l, input, source);
                     }));
    return success();
  }
};

Value scatterOne(OpBuilder &b, Location loc, ScatterKind kind, Value target,
                 Value update, ArrayRef<Value> where, bool isUnsigned) {
  if (kind != ScatterKind::None) {
    Value old = tensor::ExtractOp::create(b, loc, target, where);
    ElementwiseKind scalar = kind == ScatterKind::Add   ? ElementwiseKind::Add
                             : kind == ScatterKind::Mul ? ElementwiseKind::Mul
                             : kind == ScatterKind::Max ? ElementwiseKind::Max
                                                        : ElementwiseKind::Min;
    update = scalarElementwise(b, loc, scalar, {old, update}, isUnsigned);
  }
  return tensor::InsertOp::create(b, loc, update, target, where);
}

struct LowerScatterElements : OpConversionPattern<ScatterElementsOp> {
  using OpConversionPattern::OpConversionPattern;
  LogicalResult
  matchAndRewrite(ScatterElementsOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    Location loc = op.getLoc();
    Value input = adaptor.getInput(), indices = adaptor.getIndices();
    int64_t axis = op.getAxis();
    Value bound = tensor::DimOp::create(rewriter, loc, input, axis);
    auto result = loopNest(
        rewriter, loc, tensor::getMixedSizes(rewriter, loc, indices), input,
        [&](OpBuilder &b, Location l, ArrayRef<Value> ivs,
            ValueRange carried) -> SmallVector<Value> {
          Value i = tensor::ExtractOp::create(b, l, indices, ivs);
          Value update =
              tensor::ExtractOp::create(b, l, adaptor.getUpdates(), ivs);
          SmallVector<Value> where(ivs);
          where[axis] = checkedIndex(b, l, i, bound);
          return {scatterOne(b, l, op.getKind(), carried[0], update, where,
                             isUnsigned(op.getInput()))};
        });
    rewriter.replaceOp(op, result[0]);
    return success();
  }
};

struct LowerScatterNd : OpConversionPattern<ScatterNdOp> {
  using OpConversionPattern::OpConversionPattern;
  LogicalResult
  matchAndRewrite(ScatterNdOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    Location loc = op.getLoc();
    Value indices = adaptor.getIndices(), updates = adaptor.getUpdates();
    int64_t outer = tensorType(indices).getRank() - 1;
    int64_t depth = tensorType(indices).getShape().back();
    if (ShapedType::isDynamic(depth))
      return rewriter.notifyMatchFailure(op, "depth of the indices is dynamic");
    auto result =
        loopNest(rewriter, loc, tensor::getMixedSizes(rewriter, loc, updates),
                 adaptor.getInput(),
                 [&](OpBuilder &b, Location l, ArrayRef<Value> ivs,
                     ValueRange carried) -> SmallVector<Value> {
                   SmallVector<Value> where =
                       tupleAt(b, l, indices, ivs.take_front(outer), carried[0],
                               0, depth);
                   llvm::append_range(where, ivs.drop_front(outer));
                   Value update = tensor::ExtractOp::create(b, l, updates, ivs);
                   return {scatterOne(b, l, op.getKind(), carried[0], update,
                                      where, isUnsigned(op.getInput()))};
                 });
    rewriter.replaceOp(op, result[0]);
    return success();
  }
};

struct LowerTopK : OpConversionPattern<TopKOp> {
  using OpConversionPattern::OpConversionPattern;
  /// k passes; each finds the best element that comes after the one before in
  /// the order (value, then lower index). No memory but the result.
  LogicalResult
  matchAndRewrite(TopKOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    Location loc = op.getLoc();
    Value input = adaptor.getInput();
    int64_t axis = op.getAxis();
    Type element = tensorType(input).getElementType();
    // Carried in f32 where narrower: see LowerArgReduce.
    Type wide = isa<FloatType>(element) ? accumulatorType(element) : element;
    auto convert = [&](OpBuilder &b, Location l, Value x, Type to) {
      return wide == element ? x : scalarCast(b, l, x, x.getType(), to);
    };
    Type i64 = rewriter.getI64Type();
    bool unsignedElements = isUnsigned(op.getInput());
    Sizes sizes = tensor::getMixedSizes(rewriter, loc, input);
    Value length = asIndex(rewriter, loc, sizes[axis]);
    RankedTensorType type = tensorType(op.getValues());
    sizes[axis] =
        type.isDynamicDim(axis)
            ? OpFoldResult(adaptor.getK())
            : OpFoldResult(rewriter.getIndexAttr(type.getDimSize(axis)));
    Value values = empty(rewriter, loc, sizes, element),
          places = empty(rewriter, loc, sizes, i64);
    ElementwiseKind before =
        op.getLargest() ? ElementwiseKind::Gt : ElementwiseKind::Lt;
    Value count = asIndex(rewriter, loc, sizes[axis]);
    Sizes outer(sizes);
    outer[axis] = rewriter.getIndexAttr(1);
    auto result = loopNest(
        rewriter, loc, outer, {values, places},
        [&](OpBuilder &b, Location l, ArrayRef<Value> ivs,
            ValueRange carried) -> SmallVector<Value> {
          Value zero = index(b, l, 0), one = index(b, l, 1),
                none = index(b, l, -1);
          Value blank = number(b, l, wide, 0);
          auto pick = scf::ForOp::create(
              b, l, zero, count, one,
              ValueRange{carried[0], carried[1], blank, none},
              [&](OpBuilder &nb, Location nl, Value j, ValueRange outerState) {
                Value lastValue = outerState[2], lastPlace = outerState[3];
                Value isFirst = arith::CmpIOp::create(
                    nb, nl, arith::CmpIPredicate::eq, lastPlace, none);
                auto scan = scf::ForOp::create(
                    nb, nl, zero, length, one, ValueRange{blank, none},
                    [&](OpBuilder &ib, Location il, Value i, ValueRange best) {
                      SmallVector<Value> where(ivs);
                      where[axis] = i;
                      Value x = tensor::ExtractOp::create(ib, il, input, where);
                      x = convert(ib, il, x, wide);
                      auto compare = [&](ElementwiseKind kind, Value p,
                                         Value q) {
                        return scalarElementwise(ib, il, kind, {p, q},
                                                 unsignedElements);
                      };
                      Value later = compare(before, lastValue, x);
                      Value same = compare(ElementwiseKind::Eq, lastValue, x);
                      Value beyond = arith::CmpIOp::create(
                          ib, il, arith::CmpIPredicate::sgt, i, lastPlace);
                      Value eligible = arith::OrIOp::create(
                          ib, il, isFirst,
                          arith::OrIOp::create(
                              ib, il, later,
                              arith::AndIOp::create(ib, il, same, beyond)));
                      Value noneYet = arith::CmpIOp::create(
                          ib, il, arith::CmpIPredicate::eq, best[1], none);
                      Value wins = arith::AndIOp::create(
                          ib, il, eligible,
                          arith::OrIOp::create(ib, il, noneYet,
                                               compare(before, x, best[0])));
                      scf::YieldOp::create(
                          ib, il,
                          ValueRange{
                              arith::SelectOp::create(ib, il, wins, x, best[0]),
                              arith::SelectOp::create(ib, il, wins, i,
                                                      best[1])});
                    });
                SmallVector<Value> where(ivs);
                where[axis] = j;
                Value best = convert(nb, nl, scan.getResult(0), element);
                Value v = tensor::InsertOp::create(nb, nl, best, outerState[0],
                                                   where);
                Value place =
                    arith::IndexCastOp::create(nb, nl, i64, scan.getResult(1));
                Value p = tensor::InsertOp::create(nb, nl, place, outerState[1],
                                                   where);
                scf::YieldOp::create(
                    nb, nl,
                    ValueRange{v, p, scan.getResult(0), scan.getResult(1)});
              });
          return {pick.getResult(0), pick.getResult(1)};
        });
    rewriter.replaceOp(op, result);
    return success();
  }
};

struct LowerNonZero : OpConversionPattern<NonZeroOp> {
  using OpConversionPattern::OpConversionPattern;
  LogicalResult
  matchAndRewrite(NonZeroOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    Location loc = op.getLoc();
    Value input = adaptor.getInput();
    RankedTensorType type = tensorType(input);
    Type i64 = rewriter.getI64Type();
    Sizes sizes = tensor::getMixedSizes(rewriter, loc, input);
    auto isSet = [&](OpBuilder &b, Location l, ArrayRef<Value> ivs) {
      Value x = tensor::ExtractOp::create(b, l, input, ivs);
      return type.getElementType().isInteger(1)
                 ? x
                 : scalarCast(b, l, x, elementOf(op.getInput()), b.getI1Type());
    };
    Value zero = index(rewriter, loc, 0);
    Value count =
        loopNest(rewriter, loc, sizes, zero,
                 [&](OpBuilder &b, Location l, ArrayRef<Value> ivs,
                     ValueRange carried) -> SmallVector<Value> {
                   Value one = index(b, l, 1);
                   Value next = arith::AddIOp::create(b, l, carried[0], one);
                   return {arith::SelectOp::create(b, l, isSet(b, l, ivs), next,
                                                   carried[0])};
                 })[0];
    Value init =
        empty(rewriter, loc,
              Sizes{rewriter.getIndexAttr(type.getRank()), count}, i64);
    auto result = loopNest(
        rewriter, loc, sizes, {init, zero},
        [&](OpBuilder &b, Location l, ArrayRef<Value> ivs,
            ValueRange carried) -> SmallVector<Value> {
          auto branch = scf::IfOp::create(
              b, l, isSet(b, l, ivs),
              [&](OpBuilder &nb, Location nl) {
                Value target = carried[0];
                for (auto [d, iv] : llvm::enumerate(ivs))
                  target = tensor::InsertOp::create(
                      nb, nl, arith::IndexCastOp::create(nb, nl, i64, iv),
                      target, ValueRange{index(nb, nl, d), carried[1]});
                Value next =
                    arith::AddIOp::create(nb, nl, carried[1], index(nb, nl, 1));
                scf::YieldOp::create(nb, nl, ValueRange{target, next});
              },
              [&](OpBuilder &nb, Location nl) {
                scf::YieldOp::create(nb, nl, carried);
              });
          return SmallVector<Value>(branch.getResults());
        });
    rewriter.replaceOp(op, result[0]);
    return success();
  }
};

} // namespace

void mlir::ds::populateIndexing(RewritePatternSet &patterns,
                                TypeConverter &types) {
  patterns.add<LowerGather, LowerGatherElements, LowerGatherNd,
               LowerScatterElements, LowerScatterNd, LowerTopK, LowerNonZero>(
      types, patterns.getContext());
}
