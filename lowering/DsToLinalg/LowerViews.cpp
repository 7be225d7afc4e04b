//===- LowerViews.cpp - reshape, transpose, slice, concat, pad, range -----===//
#include "lowering/DsToLinalg/Helpers.h"

using namespace mlir;
using namespace mlir::ds;

/// Whether the type says that there are no elements.
static bool isEmpty(RankedTensorType type) {
  return llvm::is_contained(type.getShape(), 0);
}

namespace {

struct LowerReshape : OpConversionPattern<ReshapeOp> {
  using OpConversionPattern::OpConversionPattern;
  LogicalResult
  matchAndRewrite(ReshapeOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    Value input = adaptor.getInput();
    RankedTensorType from = tensorType(input);
    RankedTensorType to = RankedTensorType::get(
        tensorType(op.getResult()).getShape(), from.getElementType());
    // Scalars have no shape operand to give.
    if (to.getRank() == 0) {
      rewriter.replaceOpWithNewOp<tensor::CollapseShapeOp>(
          op, to, staticOnes(rewriter, op.getLoc(), input),
          ArrayRef<ReassociationIndices>());
      return success();
    }
    if (from.getRank() == 0) {
      auto ones = RankedTensorType::get(SmallVector<int64_t>(to.getRank(), 1),
                                        to.getElementType());
      Value expanded = tensor::ExpandShapeOp::create(
          rewriter, op.getLoc(), ones, input, ArrayRef<ReassociationIndices>());
      rewriter.replaceOpWithNewOp<tensor::CastOp>(op, to, expanded);
      return success();
    }
    Sizes sizes = sizesFrom(rewriter, to, adaptor.getDims());
    if (auto groups = getReassociationIndicesForReshape(from, to)) {
      if (to.getRank() > from.getRank() && onlyOneDynamic(*groups, to)) {
        rewriter.replaceOpWithNewOp<tensor::ExpandShapeOp>(op, to, input,
                                                           *groups, sizes);
        return success();
      }
      // Bufferization takes a group of 0 and a dynamic size for a static 0,
      // which memref.collapse_shape then refuses.
      bool isSure = !isEmpty(from) || from.hasStaticShape();
      if (to.getRank() < from.getRank() && isSure) {
        rewriter.replaceOpWithNewOp<tensor::CollapseShapeOp>(op, to, input,
                                                             *groups);
        return success();
      }
    }
    SmallVector<Value> dims;
    for (OpFoldResult size : sizes)
      dims.push_back(asIndex(rewriter, op.getLoc(), size));
    Value shape = tensor::FromElementsOp::create(rewriter, op.getLoc(), dims);
    rewriter.replaceOpWithNewOp<tensor::ReshapeOp>(op, to, input, shape);
    return success();
  }

private:
  static bool onlyOneDynamic(ArrayRef<ReassociationIndices> groups,
                             RankedTensorType type) {
    return llvm::all_of(groups, [&](const ReassociationIndices &group) {
      return llvm::count_if(
                 group, [&](int64_t d) { return type.isDynamicDim(d); }) <= 1;
    });
  }
  /// A tensor of one element with a static shape.
  static Value staticOnes(OpBuilder &b, Location loc, Value value) {
    RankedTensorType type = tensorType(value);
    auto ones = RankedTensorType::get(SmallVector<int64_t>(type.getRank(), 1),
                                      type.getElementType());
    return ones == type ? value
                        : Value(tensor::CastOp::create(b, loc, ones, value));
  }
};

struct LowerTranspose : OpConversionPattern<TransposeOp> {
  using OpConversionPattern::OpConversionPattern;
  LogicalResult
  matchAndRewrite(TransposeOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    Value input = adaptor.getInput();
    Sizes from = tensor::getMixedSizes(rewriter, op.getLoc(), input), sizes;
    for (int64_t d : op.getPerm())
      sizes.push_back(from[d]);
    Value init =
        empty(rewriter, op.getLoc(), sizes, tensorType(input).getElementType());
    Value result = linalg::TransposeOp::create(rewriter, op.getLoc(), input,
                                               init, op.getPerm())
                       .getResults()[0];
    rewriter.replaceOp(op, result);
    return success();
  }
};

struct LowerSlice : OpConversionPattern<SliceOp> {
  using OpConversionPattern::OpConversionPattern;
  LogicalResult
  matchAndRewrite(SliceOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    Location loc = op.getLoc();
    Sizes offsets = getMixedValues(op.getStaticOffsets(), adaptor.getOffsets(),
                                   rewriter),
          sizes =
              getMixedValues(op.getStaticSizes(), adaptor.getSizes(), rewriter),
          strides = getMixedValues(op.getStaticStrides(), adaptor.getStrides(),
                                   rewriter);
    Value input = adaptor.getInput();
    // Nothing is taken: an offset at the end would be no subset.
    if (isEmpty(tensorType(op.getResult())) || isEmpty(tensorType(input))) {
      Value none =
          empty(rewriter, loc, sizes, tensorType(input).getElementType());
      rewriter.replaceOp(op, none);
      return success();
    }
    bool forward = llvm::all_of(op.getStaticStrides(),
                                [](int64_t stride) { return stride > 0; });
    if (forward) {
      auto type = RankedTensorType::get(tensorType(op.getResult()).getShape(),
                                        tensorType(input).getElementType());
      rewriter.replaceOpWithNewOp<tensor::ExtractSliceOp>(
          op, type, input, offsets, sizes, strides);
      return success();
    }
    rewriter.replaceOp(
        op,
        generate(
            rewriter, loc, sizes, tensorType(input).getElementType(),
            [&](OpBuilder &b, Location at, ArrayRef<Value> ivs) -> Value {
              SmallVector<Value> source;
              for (auto [iv, offset, stride] :
                   llvm::zip_equal(ivs, offsets, strides))
                source.push_back(arith::AddIOp::create(
                    b, at, asIndex(b, at, offset),
                    arith::MulIOp::create(b, at, iv, asIndex(b, at, stride))));
              return tensor::ExtractOp::create(b, at, input, source);
            }));
    return success();
  }
};

struct LowerConcat : OpConversionPattern<ConcatOp> {
  using OpConversionPattern::OpConversionPattern;
  LogicalResult
  matchAndRewrite(ConcatOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    Location loc = op.getLoc();
    int64_t axis = op.getAxis();
    ValueRange inputs = adaptor.getInputs();
    Sizes total = tensor::getMixedSizes(rewriter, loc, inputs[0]);
    SmallVector<Sizes> parts{total};
    for (Value input : inputs.drop_front()) {
      parts.push_back(tensor::getMixedSizes(rewriter, loc, input));
      total[axis] = affine::makeComposedFoldedAffineApply(
          rewriter, loc,
          rewriter.getAffineSymbolExpr(0) + rewriter.getAffineSymbolExpr(1),
          {total[axis], parts.back()[axis]});
    }
    // The result type may know sizes that the parts do not.
    RankedTensorType result = tensorType(op.getResult());
    for (int64_t d = 0; d < result.getRank(); ++d)
      if (!result.isDynamicDim(d))
        total[d] = rewriter.getIndexAttr(result.getDimSize(d));
    Value value =
        empty(rewriter, loc, total, tensorType(inputs[0]).getElementType());
    Sizes offsets(result.getRank(), rewriter.getIndexAttr(0)),
        strides(result.getRank(), rewriter.getIndexAttr(1));
    for (auto [input, sizes] : llvm::zip_equal(inputs, parts)) {
      // Nothing to insert, at an offset that may be no place of the result.
      if (isEmpty(tensorType(input)))
        continue;
      value = tensor::InsertSliceOp::create(rewriter, loc, input, value,
                                            offsets, sizes, strides);
      offsets[axis] = affine::makeComposedFoldedAffineApply(
          rewriter, loc,
          rewriter.getAffineSymbolExpr(0) + rewriter.getAffineSymbolExpr(1),
          {offsets[axis], sizes[axis]});
    }
    rewriter.replaceOp(op, value);
    return success();
  }
};

struct LowerPad : OpConversionPattern<PadOp> {
  using OpConversionPattern::OpConversionPattern;
  LogicalResult
  matchAndRewrite(PadOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    Location loc = op.getLoc();
    Value input = adaptor.getInput();
    int64_t rank = tensorType(input).getRank();
    Sizes sizes;
    SmallVector<Value> dims;
    for (int64_t d = 0; d < rank; ++d) {
      dims.push_back(tensor::DimOp::create(rewriter, loc, input, d));
      Value sum = arith::AddIOp::create(rewriter, loc, adaptor.getLow()[d],
                                        adaptor.getHigh()[d]);
      sizes.push_back(
          arith::AddIOp::create(rewriter, loc, sum, dims[d]).getResult());
    }
    Value fill = tensor::ExtractOp::create(rewriter, loc, adaptor.getValue());
    using P = arith::CmpIPredicate;
    Value result = generate(
        rewriter, loc, sizes, tensorType(input).getElementType(),
        [&](OpBuilder &b, Location at, ArrayRef<Value> ivs) -> Value {
          Value zero = index(b, at, 0), one = index(b, at, 1);
          Value inside = number(b, at, b.getI1Type(), 1);
          SmallVector<Value> source;
          for (int64_t d = 0; d < rank; ++d) {
            Value i = arith::SubIOp::create(b, at, ivs[d], adaptor.getLow()[d]);
            Value last = arith::SubIOp::create(b, at, dims[d], one);
            Value clamped = arith::MaxSIOp::create(
                b, at, arith::MinSIOp::create(b, at, i, last), zero);
            switch (op.getMode()) {
            case PadMode::Constant: {
              Value here = arith::CmpIOp::create(b, at, P::ult, i, dims[d]);
              inside = arith::AndIOp::create(b, at, inside, here);
              i = clamped;
              break;
            }
            case PadMode::Edge:
              i = clamped;
              break;
            case PadMode::Reflect: {
              // Back and forth with period 2·(size − 1).
              Value period = arith::MaxSIOp::create(
                  b, at, arith::MulIOp::create(b, at, last, index(b, at, 2)),
                  one);
              Value m = arith::RemSIOp::create(b, at, i, period);
              Value negative = arith::CmpIOp::create(b, at, P::slt, m, zero);
              m = arith::SelectOp::create(
                  b, at, negative, arith::AddIOp::create(b, at, m, period), m);
              Value mirrored = arith::SubIOp::create(b, at, period, m);
              Value beyond = arith::CmpIOp::create(b, at, P::sgt, m, last);
              i = arith::SelectOp::create(b, at, beyond, mirrored, m);
              i = arith::MinSIOp::create(b, at, i, last);
              break;
            }
            case PadMode::Wrap: {
              Value size = arith::MaxSIOp::create(b, at, dims[d], one);
              Value m = arith::RemSIOp::create(b, at, i, size);
              Value negative = arith::CmpIOp::create(b, at, P::slt, m, zero);
              i = arith::SelectOp::create(
                  b, at, negative, arith::AddIOp::create(b, at, m, size), m);
              break;
            }
            }
            // An empty dimension has no element to repeat.
            Value hollow = arith::CmpIOp::create(b, at, P::eq, dims[d], zero);
            Value full = arith::XOrIOp::create(b, at, hollow,
                                               number(b, at, b.getI1Type(), 1));
            inside = arith::AndIOp::create(b, at, inside, full);
            source.push_back(i);
          }
          auto branch = scf::IfOp::create(
              b, at, inside,
              [&](OpBuilder &nested, Location l) {
                Value value =
                    tensor::ExtractOp::create(nested, l, input, source);
                scf::YieldOp::create(nested, l, value);
              },
              [&](OpBuilder &nested, Location l) {
                scf::YieldOp::create(nested, l, fill);
              });
          return branch.getResult(0);
        });
    rewriter.replaceOp(op, cast(rewriter, loc, result, op));
    return success();
  }

private:
  static Value cast(OpBuilder &b, Location loc, Value value, PadOp op) {
    auto type = RankedTensorType::get(tensorType(op.getResult()).getShape(),
                                      tensorType(value).getElementType());
    return type == value.getType()
               ? value
               : Value(tensor::CastOp::create(b, loc, type, value));
  }
};

struct LowerRange : OpConversionPattern<RangeOp> {
  using OpConversionPattern::OpConversionPattern;
  LogicalResult
  matchAndRewrite(RangeOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    Location loc = op.getLoc();
    RankedTensorType type = tensorType(op.getResult());
    Type element = signless(type.getElementType());
    Sizes sizes = sizesFrom(rewriter, type,
                            adaptor.getSize() ? ValueRange(adaptor.getSize())
                                              : ValueRange());
    Value start = tensor::ExtractOp::create(rewriter, loc, adaptor.getStart()),
          delta = tensor::ExtractOp::create(rewriter, loc, adaptor.getDelta());
    rewriter.replaceOp(
        op, generate(rewriter, loc, sizes, element,
                     [&](OpBuilder &b, Location at, ArrayRef<Value> ivs) {
                       Type i64 = b.getI64Type();
                       Value i = arith::IndexCastOp::create(b, at, i64, ivs[0]);
                       i = scalarCast(b, at, i, i64, element);
                       Value step = scalarElementwise(
                           b, at, ElementwiseKind::Mul, {i, delta}, false);
                       return scalarElementwise(b, at, ElementwiseKind::Add,
                                                {start, step}, false);
                     }));
    return success();
  }
};

} // namespace

void mlir::ds::populateViews(RewritePatternSet &patterns,
                             TypeConverter &types) {
  patterns.add<LowerReshape, LowerTranspose, LowerSlice, LowerConcat, LowerPad,
               LowerRange>(types, patterns.getContext());
}
