//===- DsFolds.cpp - folders and canonical forms --------------------------===//
//
// Only what leaves every bit as it was (payloads of NaNs aside): a model means
// the same before and after. Constants are not computed here; what depends on
// parameters alone is the parameter program's.
//
//===----------------------------------------------------------------------===//
#include "dialects/ds/IR/DsVerify.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/IndexingUtils.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/IR/Matchers.h"
#include "mlir/IR/PatternMatch.h"

using namespace mlir;
using namespace mlir::ds;
using EK = ElementwiseKind;

/// Whether the sizes of `value` are its type's numbers and `sizes`, the
/// dynamic ones in order: tensor.dims of `value` itself.
static bool hasSizes(Value value, ValueRange sizes) {
  size_t next = 0;
  for (auto [d, size] : llvm::enumerate(shapeOf(value))) {
    if (!ShapedType::isDynamic(size))
      continue;
    auto dim = sizes[next++].getDefiningOp<tensor::DimOp>();
    if (!dim || dim.getSource() != value ||
        dim.getConstantIndex() != int64_t(d))
      return false;
  }
  return true;
}

//===----------------------------------------------------------------------===//
// ds.elementwise
//===----------------------------------------------------------------------===//

namespace {
/// What a constant operand is, at every index.
struct Splat {
  DenseElementsAttr value;
  explicit operator bool() const { return bool(value); }
  bool isFloat(double number) const {
    return value && isa<FloatType>(value.getElementType()) &&
           value.getSplatValue<APFloat>().isExactlyValue(number);
  }
  bool isZero() const {
    return isInteger() && value.getSplatValue<APInt>().isZero();
  }
  bool isOne() const {
    return isInteger() && value.getSplatValue<APInt>().isOne();
  }
  bool isAllOnes() const {
    return isInteger() && value.getSplatValue<APInt>().isAllOnes();
  }

private:
  bool isInteger() const {
    return value && isa<IntegerType>(value.getElementType());
  }
};
} // namespace

static Splat splatOf(Attribute attribute) {
  auto dense = dyn_cast_or_null<DenseElementsAttr>(attribute);
  return {dense && dense.isSplat() ? dense : DenseElementsAttr()};
}

/// Whether `x kind right` is x for every x.
static bool isRightNeutral(EK kind, Splat right) {
  switch (kind) {
  case EK::Add:
    // x + 0.0 turns −0.0 into 0.0; x + −0.0 does not.
    return right.isFloat(-0.0) || right.isZero();
  case EK::Sub:
    return right.isFloat(0.0) || right.isZero();
  case EK::Mul:
  case EK::Div:
    return right.isFloat(1.0) || right.isOne();
  case EK::Or:
  case EK::Xor:
  case EK::Shl:
  case EK::Shr:
    return right.isZero();
  case EK::And:
    return right.isAllOnes();
  default:
    return false;
  }
}

static bool isCommutative(EK kind) {
  switch (kind) {
  case EK::Add:
  case EK::Mul:
  case EK::And:
  case EK::Or:
  case EK::Xor:
    return true;
  default:
    return false;
  }
}

OpFoldResult ElementwiseOp::fold(FoldAdaptor adaptor) {
  EK kind = getKind();
  Value result;
  ValueRange operands = getOperands();
  ArrayRef<Attribute> constants = adaptor.getOperands();
  if (kind == EK::Select) {
    if (Splat condition = splatOf(constants[0]))
      result = operands[condition.isOne() ? 1 : 2];
    else if (operands[1] == operands[2])
      result = operands[1];
  } else if (kind == EK::Neg || kind == EK::Not) {
    auto inner = operands[0].getDefiningOp<ElementwiseOp>();
    if (inner && inner.getKind() == kind)
      result = inner.getOperands()[0];
  } else if (operands.size() == 2) {
    if (isRightNeutral(kind, splatOf(constants[1])))
      result = operands[0];
    else if (isCommutative(kind) && isRightNeutral(kind, splatOf(constants[0])))
      result = operands[1];
  }
  // An operand that repeats is not the result.
  return result && result.getType() == getType() ? result : Value();
}

//===----------------------------------------------------------------------===//
// ds.cast
//===----------------------------------------------------------------------===//

/// Whether every value of `from` is one of `to`.
static bool isExact(Type from, Type to) {
  auto fromFloat = dyn_cast<FloatType>(from), toFloat = dyn_cast<FloatType>(to);
  if (fromFloat)
    return toFloat && APFloat::isRepresentableBy(fromFloat.getFloatSemantics(),
                                                 toFloat.getFloatSemantics());
  auto integer = cast<IntegerType>(from);
  bool isUnsigned = integer.isUnsigned() || integer.getWidth() == 1;
  unsigned bits = integer.getWidth() - (isUnsigned ? 0 : 1);
  if (toFloat)
    return bits <= toFloat.getFPMantissaWidth() &&
           bits < unsigned(APFloat::semanticsMaxExponent(
                      toFloat.getFloatSemantics()));
  auto wide = cast<IntegerType>(to);
  if (wide.getWidth() == 1)
    return integer.getWidth() == 1;
  return wide.isUnsigned() ? isUnsigned && bits <= wide.getWidth()
                           : bits < wide.getWidth();
}

OpFoldResult CastOp::fold(FoldAdaptor) {
  if (getInput().getType() == getType())
    return getInput();
  // There and back.
  auto inner = getInput().getDefiningOp<CastOp>();
  if (inner && inner.getInput().getType() == getType() &&
      isExact(elementType(inner.getInput()), elementType(inner)))
    return inner.getInput();
  return {};
}

namespace {
/// cast(cast(x)) → cast(x) where the first changes no value. Not into float8:
/// what saturates there is a matter of the type before.
struct MergeCasts : OpRewritePattern<CastOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(CastOp op,
                                PatternRewriter &rewriter) const override {
    auto inner = op.getInput().getDefiningOp<CastOp>();
    Type to = elementType(op.getResult());
    if (!inner || (isa<FloatType>(to) && to.getIntOrFloatBitWidth() < 16) ||
        !isExact(elementType(inner.getInput()), elementType(inner)))
      return failure();
    rewriter.modifyOpInPlace(
        op, [&] { op.getInputMutable().assign(inner.getInput()); });
    return success();
  }
};
} // namespace

void CastOp::getCanonicalizationPatterns(RewritePatternSet &patterns,
                                         MLIRContext *context) {
  patterns.add<MergeCasts>(context);
}

//===----------------------------------------------------------------------===//
// Views
//===----------------------------------------------------------------------===//

OpFoldResult ReshapeOp::fold(FoldAdaptor) {
  if (getInput().getType() != getType())
    return {};
  // One open size is what is left of the number of elements, unless that is 0.
  ArrayRef<int64_t> shape = shapeOf(getInput());
  bool oneOpen = getDims().size() <= 1 && !llvm::is_contained(shape, 0);
  return oneOpen || hasSizes(getInput(), getDims()) ? getInput() : Value();
}

namespace {
/// reshape(reshape(x)) → reshape(x).
struct MergeReshapes : OpRewritePattern<ReshapeOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(ReshapeOp op,
                                PatternRewriter &rewriter) const override {
    auto inner = op.getInput().getDefiningOp<ReshapeOp>();
    if (!inner)
      return failure();
    rewriter.modifyOpInPlace(
        op, [&] { op.getInputMutable().assign(inner.getInput()); });
    return success();
  }
};

/// transpose(transpose(x)) → transpose(x).
struct MergeTransposes : OpRewritePattern<TransposeOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(TransposeOp op,
                                PatternRewriter &rewriter) const override {
    auto inner = op.getInput().getDefiningOp<TransposeOp>();
    if (!inner)
      return failure();
    rewriter.replaceOpWithNewOp<TransposeOp>(
        op, op.getType(), inner.getInput(),
        rewriter.getDenseI64ArrayAttr(
            applyPermutation(inner.getPerm(), op.getPerm())));
    return success();
  }
};

/// Inputs without elements go.
struct DropEmptyInputs : OpRewritePattern<ConcatOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(ConcatOp op,
                                PatternRewriter &rewriter) const override {
    SmallVector<Value> kept;
    for (Value input : op.getInputs())
      if (shapeOf(input)[op.getAxis()] != 0)
        kept.push_back(input);
    if (kept.empty() || kept.size() == op.getInputs().size())
      return failure();
    rewriter.modifyOpInPlace(op, [&] { op.getInputsMutable().assign(kept); });
    return success();
  }
};

/// slice(concat(…, x, …)) → slice(x) where nothing of another part is taken.
struct SliceOfConcat : OpRewritePattern<SliceOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(SliceOp op,
                                PatternRewriter &rewriter) const override {
    auto concat = op.getInput().getDefiningOp<ConcatOp>();
    if (!concat)
      return failure();
    int64_t axis = concat.getAxis();
    int64_t first = op.getStaticOffsets()[axis],
            count = op.getStaticSizes()[axis],
            stride = op.getStaticStrides()[axis];
    if (ShapedType::isDynamic(first) || ShapedType::isDynamic(count) ||
        ShapedType::isDynamic(stride) || stride < 0 || count == 0)
      return failure();
    for (Value part : concat.getInputs()) {
      int64_t size = shapeOf(part)[axis];
      if (ShapedType::isDynamic(size))
        return failure();
      if (first >= size) {
        first -= size;
        continue;
      }
      if (first + (count - 1) * stride >= size)
        return failure();
      SmallVector<OpFoldResult> offsets = op.getMixedOffsets();
      offsets[axis] = rewriter.getIndexAttr(first);
      rewriter.replaceOp(op, SliceOp::create(rewriter, op.getLoc(), part,
                                             offsets, op.getMixedSizes(),
                                             op.getMixedStrides()));
      return success();
    }
    return failure();
  }
};

/// slice(f(x)) → f(slice(x)), f of one operand, where all that is read of f(x)
/// is this slice: what is not taken is not computed.
struct SliceOfUnary : OpRewritePattern<SliceOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(SliceOp op,
                                PatternRewriter &rewriter) const override {
    auto unary = op.getInput().getDefiningOp<ElementwiseOp>();
    if (!unary || unary.getOperands().size() != 1 || !unary->hasOneUse())
      return failure();
    Value operand = unary.getOperands()[0];
    if (shapeOf(operand) != shapeOf(unary.getResult()))
      return failure();
    Value slice =
        SliceOp::create(rewriter, op.getLoc(), operand, op.getMixedOffsets(),
                        op.getMixedSizes(), op.getMixedStrides());
    rewriter.replaceOpWithNewOp<ElementwiseOp>(op, op.getType(),
                                               unary.getKind(), slice);
    return success();
  }
};

/// slice(dequantize(x)) of blocks → dequantize(slice(x)), where only slices are
/// read and they leave the blocks whole: what is read stays a weight in its own
/// type.
struct SliceOfDequantize : OpRewritePattern<SliceOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(SliceOp op,
                                PatternRewriter &rewriter) const override {
    auto source = op.getInput().getDefiningOp<DequantizeOp>();
    if (!source ||
        shapeOf(source.getScale()).size() != shapeOf(source.getInput()).size())
      return failure();
    int64_t axis = source.getAxis(), size = shapeOf(source.getInput())[axis],
            blocks = shapeOf(source.getScale())[axis];
    if (ShapedType::isDynamic(size) || op.getStaticOffsets()[axis] != 0 ||
        op.getStaticSizes()[axis] != size || op.getStaticStrides()[axis] != 1 ||
        !llvm::all_of(source->getUsers(), llvm::IsaPred<SliceOp>))
      return failure();
    Location loc = op.getLoc();
    SmallVector<OpFoldResult> sizes = op.getMixedSizes(), scaleSizes = sizes;
    scaleSizes[axis] = rewriter.getIndexAttr(blocks);
    auto slice = [&](Value value, ArrayRef<OpFoldResult> its) -> Value {
      return SliceOp::create(rewriter, loc, value, op.getMixedOffsets(), its,
                             op.getMixedStrides());
    };
    Value zero = source.getZeroPoint();
    rewriter.replaceOpWithNewOp<DequantizeOp>(
        op, op.getType(), slice(source.getInput(), sizes),
        slice(source.getScale(), scaleSizes),
        zero ? slice(zero, scaleSizes) : Value(), source.getAxis(),
        source.getBlockSize());
    return success();
  }
};

/// tensor.dim of a result of a ds op → the size of an operand.
struct DimOfResult : OpRewritePattern<tensor::DimOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(tensor::DimOp op,
                                PatternRewriter &rewriter) const override {
    auto result = dyn_cast<OpResult>(op.getSource());
    std::optional<int64_t> dim = op.getConstantIndex();
    if (!result || !dim || !isa<DsDialect>(result.getOwner()->getDialect()))
      return failure();
    auto shaped = dyn_cast<ReifyRankedShapedTypeOpInterface>(result.getOwner());
    if (!shaped || *dim < 0 || *dim >= ranked(result).getRank())
      return failure();
    FailureOr<OpFoldResult> size =
        shaped.reifyDimOfResult(rewriter, result.getResultNumber(), *dim);
    if (failed(size) || !*size)
      return failure();
    rewriter.replaceOp(
        op, getValueOrCreateConstantIndexOp(rewriter, op.getLoc(), *size));
    return success();
  }
};
} // namespace

void ReshapeOp::getCanonicalizationPatterns(RewritePatternSet &patterns,
                                            MLIRContext *context) {
  patterns.add<MergeReshapes>(context);
}

void TransposeOp::getCanonicalizationPatterns(RewritePatternSet &patterns,
                                              MLIRContext *context) {
  patterns.add<MergeTransposes>(context);
}

void ConcatOp::getCanonicalizationPatterns(RewritePatternSet &patterns,
                                           MLIRContext *context) {
  patterns.add<DropEmptyInputs>(context);
}

void SliceOp::getCanonicalizationPatterns(RewritePatternSet &patterns,
                                          MLIRContext *context) {
  patterns.add<SliceOfConcat, SliceOfUnary, SliceOfDequantize>(context);
}

void DsDialect::getCanonicalizationPatterns(RewritePatternSet &patterns) const {
  patterns.add<DimOfResult>(getContext());
}

OpFoldResult BroadcastOp::fold(FoldAdaptor) {
  // A dynamic size may be 1 where the result's is not.
  return getInput().getType() == getType() && hasSizes(getInput(), getDims())
             ? getInput()
             : Value();
}

OpFoldResult TransposeOp::fold(FoldAdaptor) {
  return isIdentityPermutation(getPerm()) && getInput().getType() == getType()
             ? getInput()
             : Value();
}

OpFoldResult SliceOp::fold(FoldAdaptor) {
  if (getInput().getType() != getType())
    return {};
  bool whole = hasSizes(getInput(), getSizes()) &&
               llvm::all_of(getStaticOffsets(),
                            [](int64_t offset) { return offset == 0; }) &&
               llvm::all_of(getStaticStrides(),
                            [](int64_t stride) { return stride == 1; });
  return whole ? getInput() : Value();
}

OpFoldResult ConcatOp::fold(FoldAdaptor) {
  return getInputs().size() == 1 && getInputs()[0].getType() == getType()
             ? getInputs()[0]
             : Value();
}

OpFoldResult ReduceOp::fold(FoldAdaptor) {
  // Over no axis every element is its own sum, product or bound.
  return getAxes().empty() && getInput().getType() == getType() ? getInput()
                                                                : Value();
}

/// Drops a mask that lets every row see every key and adds nothing.
template <typename OpT>
static LogicalResult dropMask(OpT op, PatternRewriter &rewriter) {
  Value mask = op.getMask();
  if (!mask)
    return failure();
  while (auto repeated = mask.getDefiningOp<BroadcastOp>())
    mask = repeated.getInput();
  DenseElementsAttr all;
  if (!matchPattern(mask, m_Constant(&all)) || !all.isSplat())
    return failure();
  bool nothing = isa<FloatType>(all.getElementType())
                     ? all.getSplatValue<APFloat>().isZero()
                     : all.getSplatValue<APInt>().isAllOnes();
  if (!nothing)
    return failure();
  rewriter.modifyOpInPlace(op, [&] { op.getMaskMutable().clear(); });
  return success();
}

LogicalResult AttentionOp::canonicalize(AttentionOp op,
                                        PatternRewriter &rewriter) {
  return dropMask(op, rewriter);
}

LogicalResult OnlineAttentionOp::canonicalize(OnlineAttentionOp op,
                                              PatternRewriter &rewriter) {
  return dropMask(op, rewriter);
}

LogicalResult OnlineAttentionOp::fold(FoldAdaptor,
                                      SmallVectorImpl<OpFoldResult> &results) {
  // A block without keys.
  if (shapeOf(getKey())[2] != 0)
    return failure();
  results.assign({getAccumulator(), getMaximum(), getSum()});
  return success();
}

OpFoldResult CacheAppendOp::fold(FoldAdaptor) {
  return shapeOf(getRows())[0] == 0 ? getCache() : Value();
}
